#include "trust/plan.h"

#include "base/pattern.h"
#include "storage/pull.h"
#include "storage/tag.h"
#include "trust/door.h"
#include "trust/root_policy.h"
#include "trust/view.h"

#include <stdio.h>

#define NAMES_PAGE 256
#define REPOSITORIES_PAGE 100

/* --- places ----------------------------------------------------------------------------------- */

bool plan_place_read(struct slice text, struct plan_place *out, struct err *err)
{
    struct repo_name repo;
    struct tag_name tag;
    *out = (struct plan_place){.repo = ""};
    ptrdiff_t at = slice_index(text, '@'), colon = at < 0 ? slice_rindex(text, ':') : -1;
    size_t n = text.n;
    bool ok = true;
    if (at >= 0) {
        n = (size_t)at;
        ok = digest_parse(slice_from(text, n + 1), &out->digest, NULL);
    } else if (colon >= 0) {
        n = (size_t)colon;
        ok = tag_name_parse(slice_from(text, n + 1), &tag, NULL);
        (void)snprintf(out->tag, sizeof out->tag, "%s", ok ? tag.text : "");
    }
    if (!ok || !repo_name_parse(slice_first(text, n), &repo, NULL)) {
        return err_set(err, ERR_INVALID, "\"last\" is what an answer gave as \"next\"");
    }
    (void)snprintf(out->repo, sizeof out->repo, "%s", repo.text);
    return true;
}

void plan_place_write(const struct plan_place *place, struct buf *out)
{
    char digest[DIGEST_STR_MAX];
    buf_str(out, place->repo);
    if (place->tag[0]) {
        buf_printf(out, ":%s", place->tag);
    } else if (digest_is_set(&place->digest)) {
        buf_printf(out, "@%s", digest_format(&place->digest, digest));
    }
}

/* --- which repositories ----------------------------------------------------------------------- */

bool plan_concerns(const char *scope, const struct repo_name *repo, const char *stored_scope)
{
    enum policy_scope_kind kind = policy_scope_parse(slice_str(scope), NULL);
    enum policy_scope_kind stored = policy_scope_parse(slice_str(stored_scope), NULL);
    struct slice ns = slice_first(repo_name_slice(repo), repo->namespace_n);
    bool matches = false;
    switch (kind) {
    case SCOPE_NONE:
        return false;
    case SCOPE_GLOBAL:
        matches = true;
        break;
    case SCOPE_NAMESPACE:
        matches = slice_is(ns, scope);
        break;
    case SCOPE_PATTERN:
        matches = pattern_matches(scope, repo_name_slice(repo));
        break;
    case SCOPE_REPOSITORY:
        matches = strcmp(scope, repo->text) == 0;
        break;
    }
    /* The kinds are in the order of what wins; of two patterns the longer one. */
    return matches && (kind > stored || (kind == stored && strlen(scope) >= strlen(stored_scope)));
}

/* --- one repository --------------------------------------------------------------------------- */

struct walk {
    struct trust *trust;
    struct db_tx *tx;
    const struct plan *plan;
    struct plan_place *place;
    struct plan_budget *budget;
    plan_finding_fn found;
    plan_root_fn found_root;
    void *arg;
    const struct repository *repo;
    struct gate_view *then; /* by the changed policy */
};

static bool is_used_up(const struct walk *w)
{
    return w->budget->looks <= 0 || w->budget->findings <= 0;
}

/* Both answers to one question. */
struct answers {
    struct decision now, then;
};

static bool would_refuse(const struct answers *a)
{
    return a->now.effect == EFFECT_ALLOW && a->then.effect != EFFECT_ALLOW;
}

static bool is_finding(const struct answers *deployer, const struct answers *reader)
{
    return would_refuse(deployer) || would_refuse(reader);
}

static void tell(const struct walk *w, const struct plan_finding *found,
                 const struct answers *deployer, const struct answers *reader)
{
    struct plan_finding f = *found;
    f.repo = &w->repo->name;
    f.deployers = would_refuse(deployer);
    f.readers = would_refuse(reader);
    if (!is_finding(deployer, reader)) {
        return;
    }
    const struct answers *whose = f.deployers ? deployer : reader;
    f.now = &whose->now;
    f.then = &whose->then;
    f.digest = whose->now.serve;
    w->found(w->arg, &f);
    w->budget->findings--;
}

/* Who is gated, and who only reads: under level `all` a reader is refused too. */
static const struct gate_caller callers[] = {{.gated = true}, {.gated = false}};

static void ask_tag(const struct walk *w, const struct tag_name *tag, const struct tag *current,
                    int who, struct answers *out)
{
    struct gate_caller then = callers[who];
    then.view = w->then;
    gate_decide_tag(w->trust, w->tx, &callers[who], w->repo, &w->repo->name, tag, current, -1,
                    w->plan->now_us, &out->now);
    gate_decide_tag(w->trust, w->tx, &then, w->repo, &w->repo->name, tag, current, -1,
                    w->plan->now_us, &out->then);
}

static bool look_at_tag(const struct walk *w, const struct tag_name *tag, struct err *err)
{
    struct answers deployer, reader;
    struct tag current;
    struct err why = {0};
    bool exists = tag_get(w->tx, w->repo->id, tag, &current, &why);
    if (!exists && why.code != ERR_TAG_UNKNOWN) {
        *err = why;
        return false;
    }
    ask_tag(w, tag, exists ? &current : NULL, 0, &deployer);
    ask_tag(w, tag, exists ? &current : NULL, 1, &reader);
    tell(w, &(struct plan_finding){.kind = PLAN_TAG, .tag = tag->text}, &deployer, &reader);
    (void)snprintf(w->place->tag, sizeof w->place->tag, "%s", tag->text);
    w->budget->looks--;
    return true;
}

static void ask_digest(const struct walk *w, const struct digest *digest, int who,
                       struct answers *out)
{
    struct gate_caller then = callers[who];
    then.view = w->then;
    gate_decide_digest(w->trust, w->tx, &callers[who], w->repo, &w->repo->name, digest,
                       w->plan->now_us, &out->now);
    gate_decide_digest(w->trust, w->tx, &then, w->repo, &w->repo->name, digest, w->plan->now_us,
                       &out->then);
}

/* What runs is asked for as the machines ask that run it: by digest. */
static bool look_at_digest(const struct walk *w, const struct digest *digest, bool running,
                           int64_t pulled_us, struct err *err)
{
    struct answers deployer, reader;
    auto_release_use_list struct release_use_list services = {0};
    ask_digest(w, digest, 0, &deployer);
    ask_digest(w, digest, 1, &reader);
    if (running && is_finding(&deployer, &reader) &&
        !release_running_as(w->tx, w->repo->id, digest, PLAN_SERVICES_MAX, &services, err)) {
        return false;
    }
    tell(w,
         &(struct plan_finding){.kind = running ? PLAN_RUNNING : PLAN_PULLED,
                                .tag = "",
                                .pulled_us = pulled_us,
                                .services = &services},
         &deployer, &reader);
    w->place->digest = *digest;
    w->budget->looks--;
    return true;
}

/* Names that are signed and that the registry does not have: served where the policy serves what is
 * signed. */
struct names {
    const char **items; /* borrowed from the view */
    size_t count, capacity;
};

static void collect_name(void *arg, const struct gate_root *root)
{
    struct names *names = arg;
    if (root->superseded) {
        return;
    }
    if (names->count == names->capacity) {
        names->capacity = names->capacity ? names->capacity * 2 : 32;
        names->items = xrealloc(names->items, names->capacity * sizeof *names->items);
    }
    names->items[names->count++] = root->tag;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The released names of the view, sorted. False: there may be none of interest. */
static bool released_names(const struct walk *w, struct gate_view **view, struct names *out)
{
    struct gate_facts facts;
    struct err why = {0};
    if (!gate_view_get(w->trust, w->tx, w->repo, w->plan->now_us, view, &why)) {
        return false; /* every question about it will say so */
    }
    gate_view_facts(*view, w->plan->now_us, &facts);
    if (facts.policy->on_mismatch == MISMATCH_REFUSE) {
        return false;
    }
    gate_roots(&facts, collect_name, out);
    if (out->count > 1) {
        qsort(out->items, out->count, sizeof *out->items, compare_names);
    }
    return true;
}

/* Looks at released names behind the place, up to `until` (NULL: all) without it: the registry has
 * that one. */
static bool look_at_released(const struct walk *w, const struct names *names, const char *until,
                             struct err *err)
{
    for (size_t i = 0; i < names->count && !is_used_up(w); i++) {
        struct tag_name tag;
        if (strcmp(names->items[i], w->place->tag) <= 0) {
            continue;
        }
        if (until && strcmp(names->items[i], until) >= 0) {
            return true;
        }
        if (tag_name_parse(slice_str(names->items[i]), &tag, NULL) && !look_at_tag(w, &tag, err)) {
            return false;
        }
    }
    return true;
}

static bool look_at_tags(const struct walk *w, const struct names *released, struct err *err)
{
    bool more = true;
    while (more && !is_used_up(w)) {
        auto_tag_list struct tag_list page = {0};
        if (!tag_list_names(w->tx, w->repo->id, slice_str(w->place->tag), NAMES_PAGE, &page, err)) {
            return false;
        }
        for (size_t i = 0; i < page.count && !is_used_up(w); i++) {
            const struct tag_name *tag = &page.items[i].name;
            if (!look_at_released(w, released, tag->text, err) ||
                (!is_used_up(w) && !look_at_tag(w, tag, err))) {
                return false;
            }
        }
        more = page.more;
    }
    return look_at_released(w, released, NULL, err);
}

/* Two lists by digest, gone through as one. */
struct digests {
    struct pulled_list pulled;
    struct running_list running;
    size_t next_pulled, next_running;
};

static void digests_dispose(struct digests *d)
{
    pulled_list_dispose(&d->pulled);
    running_list_dispose(&d->running);
}
#define auto_digests __attribute__((cleanup(digests_dispose)))

static bool read_digests(const struct walk *w, struct digests *out, struct err *err)
{
    return pull_list_since(w->tx, w->repo->id, w->plan->pulled_since_us, &w->place->digest,
                           NAMES_PAGE, &out->pulled, err) &&
           release_list_running(w->tx, w->repo->id, &w->place->digest, NAMES_PAGE, &out->running,
                                err);
}

/* What comes next of these pages; a page that ended while there is more says nothing of what comes
 * behind it, then *out is false and the pages are read anew. */
static bool look_at_next(const struct walk *w, struct digests *d, bool *out, struct err *err)
{
    const struct pulled *pulled =
        d->next_pulled < d->pulled.count ? &d->pulled.items[d->next_pulled] : NULL;
    const struct digest *running =
        d->next_running < d->running.count ? &d->running.items[d->next_running] : NULL;
    *out = (pulled || running) && (pulled || !d->pulled.more) && (running || !d->running.more);
    if (!*out) {
        return true;
    }
    int order = !pulled ? 1 : !running ? -1 : digest_compare(&pulled->digest, running);
    d->next_pulled += order <= 0;
    d->next_running += order >= 0;
    return look_at_digest(w, order <= 0 ? &pulled->digest : running, order >= 0,
                          order <= 0 ? pulled->us : 0, err);
}

static bool look_at_digests(const struct walk *w, struct err *err)
{
    bool more = true;
    while (more && !is_used_up(w)) {
        auto_digests struct digests d = {0};
        bool going = true;
        if (!read_digests(w, &d, err)) {
            return false;
        }
        while (going && !is_used_up(w)) {
            if (!look_at_next(w, &d, &going, err)) {
                return false;
            }
        }
        more = d.pulled.more || d.running.more;
    }
    return true;
}

static bool look_at_all(const struct walk *w, struct err *err)
{
    auto_gate_view struct gate_view *view = NULL;
    struct names released = {0};
    bool ok = true;
    if (!digest_is_set(&w->place->digest)) {
        (void)released_names(w, &view, &released);
        ok = look_at_tags(w, &released, err);
    }
    free(released.items);
    if (!ok || is_used_up(w)) {
        return ok;
    }
    w->place->tag[0] = '\0';
    return look_at_digests(w, err);
}

/* --- its root --------------------------------------------------------------------------------- */

/* Whether a root as the one in force may follow it. */
static bool may_follow(const struct policy *policy, const struct tuf_doc *root, struct slice gun,
                       int64_t now_us)
{
    return !root_policy_binds(policy, false) || root_policy_accepts(policy, root, gun, now_us);
}

static void tell_root(const struct walk *w, const struct tuf_doc *root)
{
    struct spki *keys = NULL;
    size_t count = trust_root_spkis(root, &keys);
    w->found_root(w->arg, &(struct plan_root){.repo = &w->repo->name,
                                              .version = root->version,
                                              .keys = keys,
                                              .key_count = count});
    free(keys);
}

/* Of the budget nothing is taken: there is one root, and the repository was counted. */
static bool look_at_root(const struct walk *w, const struct policy *then, struct err *err)
{
    auto_policy struct policy now = {0};
    auto_gate_view struct gate_view *view = NULL;
    auto_buf struct buf gun = {0};
    char scope[POLICY_SCOPE_SIZE];
    struct gate_facts facts;
    struct err why = {0};
    if (!gate_view_get(w->trust, w->tx, w->repo, w->plan->now_us, &view, &why)) {
        return true; /* every question about it will say so */
    }
    gate_view_facts(view, w->plan->now_us, &facts);
    const struct tuf_doc *root = facts.trust ? facts.trust->root : NULL;
    if (!policy_for(w->tx, &w->repo->name, scope, &now, err)) {
        return false;
    }
    trust_gun_write(w->trust, &w->repo->name, &gun);
    if (root && may_follow(&now, root, buf_slice_of(&gun), w->plan->now_us) &&
        !may_follow(then, root, buf_slice_of(&gun), w->plan->now_us)) {
        tell_root(w, root);
    }
    return true;
}

/* Once for each repository: on the page that begins it. */
static bool look_at_root_once(const struct walk *w, struct err *err)
{
    auto_policy struct policy then = {0};
    if (w->place->tag[0] || digest_is_set(&w->place->digest)) {
        return true;
    }
    return policy_read_text(w->plan->policy, &then, err) &&
           (!root_policy_binds(&then, false) || look_at_root(w, &then, err));
}

/* --- many of them ----------------------------------------------------------------------------- */

static bool concerns(const struct walk *w, bool *out, struct err *err)
{
    auto_policy struct policy policy = {0};
    char scope[POLICY_SCOPE_SIZE];
    if (!policy_for(w->tx, &w->repo->name, scope, &policy, err)) {
        return false;
    }
    *out = plan_concerns(w->plan->scope, &w->repo->name, scope);
    return true;
}

static bool look_inside(struct walk *w, struct err *err)
{
    auto_gate_view struct gate_view *then = NULL;
    struct gate_assumption assume = {.policy = w->plan->policy, .scope = w->plan->policy_scope};
    if (!gate_view_assume(w->trust, w->tx, w->repo, w->plan->now_us, &assume, &then, err)) {
        return false;
    }
    w->then = then;
    bool ok = look_at_root_once(w, err) && look_at_all(w, err);
    w->then = NULL;
    return ok;
}

/* What the repository itself costs is taken afterwards, so that every page gets on: whoever comes in
 * here with something left looks at something, or there is nothing. */
static bool look_at_repository(struct walk *w, struct err *err)
{
    bool concerned = false;
    if (!concerns(w, &concerned, err) || (concerned && !look_inside(w, err))) {
        return false;
    }
    if (!concerned || !is_used_up(w)) {
        *w->place = (struct plan_place){.repo = ""};
        (void)snprintf(w->place->repo, sizeof w->place->repo, "%s", w->repo->name.text);
    }
    w->budget->looks -= concerned ? PLAN_REPOSITORY_LOOKS : 1;
    return true;
}

/* The rest of the repository that a page ended in. */
static bool finish_last(struct walk *w, struct err *err)
{
    struct repository repo;
    struct repo_name name;
    struct err why = {0};
    bool inside = w->place->tag[0] || digest_is_set(&w->place->digest);
    if (!inside || !repo_name_parse(slice_str(w->place->repo), &name, NULL)) {
        return true;
    }
    if (!repository_get(w->tx, &name, &repo, &why)) {
        w->place->tag[0] = '\0'; /* it is gone: go on behind it */
        w->place->digest = (struct digest){0};
        return why.code == ERR_NAME_UNKNOWN || err_set(err, why.code, "%s", why.msg);
    }
    w->repo = &repo;
    bool ok = look_at_repository(w, err);
    w->repo = NULL;
    return ok;
}

static bool list_repositories(const struct walk *w, struct repository_list *out, struct err *err)
{
    static const struct reader all = {.all = true};
    struct slice last = slice_str(w->place->repo);
    if (w->plan->namespace_id == 0) {
        return repository_list(w->tx, &all, last, REPOSITORIES_PAGE, out, err);
    }
    return repository_list_namespace(w->tx, w->plan->namespace_id, true, last, REPOSITORIES_PAGE,
                                     out, err);
}

bool plan_page(struct trust *trust, struct db_tx *tx, const struct plan *plan,
               struct plan_place *place, struct plan_budget *budget, plan_finding_fn found,
               plan_root_fn found_root, void *arg, bool *done_out, struct err *err)
{
    struct walk w = {.trust = trust,
                     .tx = tx,
                     .plan = plan,
                     .place = place,
                     .budget = budget,
                     .found = found,
                     .found_root = found_root,
                     .arg = arg};
    bool more = true;
    *done_out = false;
    if (!finish_last(&w, err)) {
        return false;
    }
    while (more && !is_used_up(&w)) {
        auto_repository_list struct repository_list page = {0};
        if (!list_repositories(&w, &page, err)) {
            return false;
        }
        for (size_t i = 0; i < page.count && !is_used_up(&w); i++) {
            w.repo = &page.items[i];
            (void)snprintf(place->repo, sizeof place->repo, "%s", w.repo->name.text);
            if (!look_at_repository(&w, err)) {
                return false;
            }
        }
        more = page.more;
    }
    *done_out = !is_used_up(&w);
    return true;
}
