#include "trust/past.h"

#include "base/clock.h"
#include "base/name.h"
#include "storage/audit.h"
#include "storage/decision.h"
#include "storage/role_target.h"
#include "storage/tag.h"

#include <stdarg.h>
#include <stdio.h>

#define HISTORY_MAX 1000 /* changes of a tag that are looked at */

struct past {
    struct db_tx *tx;
    const struct decision_row *row;
    const json_t *record;
    json_t *steps;
};

static void step(struct past *p, const char *name, bool ok, const char *fmt, ...) PRINTF_LIKE(4, 5);
static void step(struct past *p, const char *name, bool ok, const char *fmt, ...)
{
    char text[900];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    (void)json_array_append_new(
        p->steps, json_pack("{s:s, s:b, s:s}", "step", name, "ok", (int)ok, "text", text));
}

static const char *text_of(const json_t *object, const char *member)
{
    const char *text = json_get_string(object, member);
    return text ? text : "";
}

static const char *day(int64_t us, char out[TIME_STR_MAX])
{
    return time_format(us / US_PER_SECOND * US_PER_SECOND, out);
}

/* --- policy ----------------------------------------------------------------------------------- */

static bool tell_policy(struct past *p, struct err *err)
{
    const json_t *policy = json_get_object(p->record, "policy");
    const char *scope = text_of(policy, "id");
    auto_audit_list struct audit_list change = {0};
    char when[TIME_STR_MAX];
    int64_t generation = 0;
    (void)json_get_int(policy, "gen", &generation);
    if (!scope[0]) {
        step(p, "policy", false, "no policy could be read then");
        return true;
    }
    if (!audit_last(p->tx, "policy.put", slice_str(scope), p->row->time_us, &change, err)) {
        return false;
    }
    if (change.count == 0) {
        step(p, "policy", true, "policy %s, level %s, change %lld: as the server was made with it",
             scope, text_of(policy, "level"), (long long)generation);
        return true;
    }
    const struct audit_record *set = &change.items[0];
    step(p, "policy", true, "policy %s, level %s, change %lld, set %s by %s: %.400s", scope,
         text_of(policy, "level"), (long long)generation, day(set->created_us, when),
         set->actor.name, set->after);
    return true;
}

/* --- trust data ------------------------------------------------------------------------------- */

static void tell_documents(struct past *p)
{
    static const char *const names[] = {"root", "timestamp", "snapshot", "targets"};
    const json_t *trust = json_get_object(p->record, "trust");
    auto_buf struct buf versions = {0};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        int64_t version = 0;
        if (json_get_int(trust, names[i], &version)) {
            buf_printf(&versions, "%s%s %lld", versions.n > 0 ? ", " : "", names[i],
                       (long long)version);
        }
    }
    if (versions.n == 0) {
        step(p, "trust", false, "no trust data was used: there was none, or none that verified");
        return;
    }
    const char *until = text_of(trust, "valid_until");
    step(p, "trust", true, "%s%s%s", versions.p, until[0] ? ", valid until " : "", until);
}

static const char *end_word(enum role_target_why why)
{
    switch (why) {
    case ROLE_TARGET_REPLACED:
        return "replaced";
    case ROLE_TARGET_WITHDRAWN:
        return "withdrawn";
    case ROLE_TARGET_ROLE_ENDED:
        return "gone with its role";
    case ROLE_TARGET_WIPED:
        return "wiped";
    case ROLE_TARGET_LISTED:
        break;
    }
    return "listed";
}

static void tell_listing(struct past *p, const struct role_target *t, bool then)
{
    char since[TIME_STR_MAX], until[TIME_STR_MAX], hash[DIGEST_STR_MAX];
    const struct digest *digest = digest_is_set(&t->sha256) ? &t->sha256 : &t->sha512;
    auto_buf struct buf end = {0};
    if (t->until_us != 0) {
        buf_printf(&end, ", until %s (%s)", day(t->until_us, until), end_word(t->why));
    }
    step(p, "role", then, "%s %s %s = %s, %lld bytes, from %s (version %lld)%s", t->role,
         then ? "listed" : "had listed", t->tag,
         digest_is_set(digest) ? digest_format(digest, hash) : "no known hash",
         (long long)t->length, day(t->since_us, since), (long long)t->since_version,
         end.n > 0 ? end.p : "");
}

static bool was_listed(const struct role_target *t, int64_t at_us)
{
    return t->since_us <= at_us && (t->until_us == 0 || t->until_us > at_us);
}

/* What the role listed then, else what it had listed last before. */
static bool tell_role(struct past *p, const char *role, const char *tag, bool *any_out,
                      struct err *err)
{
    auto_role_target_list struct role_target_list list = {0};
    if (!role_target_history(p->tx, p->row->repository_id, slice_str(role), slice_str(tag),
                             p->row->time_us, 1, &list, err)) {
        return false;
    }
    if (list.count > 0) {
        tell_listing(p, &list.items[0], was_listed(&list.items[0], p->row->time_us));
        *any_out = true;
    }
    return true;
}

static bool tell_roles(struct past *p, const char *tag, struct err *err)
{
    static const char *const releasing[] = {"targets/releases", "targets"};
    const char *decided = text_of(json_get_object(p->record, "trust"), "role");
    bool any = false, told = decided[0] == '\0';
    for (size_t i = 0; i < sizeof(releasing) / sizeof(releasing[0]); i++) {
        told = told || strcmp(decided, releasing[i]) == 0;
        if (!tell_role(p, releasing[i], tag, &any, err)) {
            return false;
        }
    }
    if (!told && !tell_role(p, decided, tag, &any, err)) {
        return false;
    }
    if (!any) {
        step(p, "role", false, "no role that releases had listed %s by then", tag);
    }
    return true;
}

/* --- the registry ----------------------------------------------------------------------------- */

static void tell_tag(struct past *p, const struct tag_name *tag, const struct tag_list *history)
{
    char when[TIME_STR_MAX], hash[DIGEST_STR_MAX];
    const struct tag *later = NULL;
    for (size_t i = 0; i < history->count; i++) { /* newest first */
        const struct tag *t = &history->items[i].tag;
        if (t->updated_us > p->row->time_us) {
            later = t;
            continue;
        }
        if (digest_is_set(&t->digest)) {
            step(p, "registry", true, "tag %s pointed to %s, put %s by %s", tag->text,
                 digest_format(&t->digest, hash), day(t->updated_us, when), t->updated_by_name);
        } else {
            step(p, "registry", false, "tag %s was removed %s by %s", tag->text,
                 day(t->updated_us, when), t->updated_by_name);
        }
        break;
    }
    if (later) {
        step(p, "since", true, "tag %s was %s %s by %s", tag->text,
             digest_is_set(&later->digest) ? "put again" : "removed", day(later->updated_us, when),
             later->updated_by_name);
    }
}

static bool tell_registry(struct past *p, const char *text, struct err *err)
{
    struct tag_name tag;
    auto_tag_list struct tag_list history = {0};
    if (!tag_name_parse(slice_str(text), &tag, NULL)) {
        return true;
    }
    if (!tag_history(p->tx, p->row->repository_id, &tag, HISTORY_MAX, &history, err)) {
        return false;
    }
    tell_tag(p, &tag, &history);
    return true;
}

/* --- all together ----------------------------------------------------------------------------- */

static void tell_repeat(struct past *p)
{
    const char *first = text_of(p->record, "repeat_of");
    int64_t count = 0;
    if (first[0] && json_get_int(p->record, "count", &count)) {
        step(p, "repeat", true, "%lld further decisions like %s within its window",
             (long long)count, first);
    }
}

static void tell_unstored(struct past *p)
{
    if (strcmp(text_of(p->record, "door"), "release") == 0 && p->row->effect == DECISION_DENY) {
        step(p, "release", false,
             "the documents of this call were refused with it and are not stored: the versions "
             "above are theirs, the listings below those of before");
    }
}

static void tell_decision(struct past *p)
{
    const json_t *request = json_get_object(p->record, "request");
    const json_t *digests = json_get_object(p->record, "digests");
    const char *digest = text_of(request, "digest"), *tag = text_of(request, "tag");
    const char *signed_digest = text_of(digests, "signed");
    step(p, "decision", p->row->effect == DECISION_ALLOW, "%s %s%s%s for %s: %s, %s%s%s",
         text_of(request, "repo"), tag[0] ? tag : digest, signed_digest[0] ? ", signed as " : "",
         signed_digest, p->row->identity[0] ? p->row->identity : "anybody",
         text_of(p->record, "effect"), text_of(p->record, "reason"),
         text_of(digests, "served")[0] ? ", served " : "", text_of(digests, "served"));
}

json_t *past_explain(struct db_tx *tx, const struct decision_row *row, const json_t *record,
                     struct err *err)
{
    struct past p = {.tx = tx, .row = row, .record = record, .steps = json_array()};
    const char *tag = text_of(json_get_object(record, "request"), "tag");
    bool whole = json_get_object(record, "policy") != NULL;
    tell_repeat(&p);
    bool ok = !whole || tell_policy(&p, err);
    if (ok && whole) {
        tell_documents(&p);
        tell_unstored(&p);
    }
    ok = ok && (!tag[0] || (tell_roles(&p, tag, err) && tell_registry(&p, tag, err)));
    if (!ok) {
        json_decref(p.steps);
        return NULL;
    }
    tell_decision(&p);
    return p.steps;
}
