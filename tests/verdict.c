/* Judges a folder of role files by the product's own rules: one line `gate=allow|deny:REASON
 * publish=accept|refuse:WORD`. verdict DIR --gun GUN --tag TAG --now RFC3339 [--prev DIR]
 * [--registry-digest D] [--registry-size N]
 *           [--manifest FILE] [--held snapshot,timestamp] [--policy FILE]
 * Exit status 0 when it printed a verdict, 2 on usage or an unreadable folder. Only reads files,
 * and asks. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "tests/role_set.h"
#include "trust/gate.h"
#include "trust/publish.h"

struct request {
    const char *dir, *prev_dir, *gun, *tag_text, *now_text, *registry_digest, *registry_size,
        *manifest, *held, *policy_file;

    char host[256];
    struct repo_name repo;
    struct tag_name tag;
    int64_t now_us;
    bool held_snapshot, held_timestamp;
    struct policy policy;
    struct role_folder cur, prev;
    struct err err;
};

static int usage(const char *why)
{
    (void)fprintf(stderr,
                  "verdict: %s\n"
                  "usage: verdict DIR --gun GUN --tag TAG --now RFC3339 [--prev DIR]\n"
                  "  [--registry-digest D] [--registry-size N] [--manifest FILE]\n"
                  "  [--held snapshot,timestamp] [--policy FILE]\n",
                  why);
    return 2;
}

/* ---- arguments ---- */

static bool take_option(struct request *r, const char *name, const char *value)
{
    const struct {
        const char *name;
        const char **out;
    } options[] = {
        {"--gun", &r->gun},
        {"--tag", &r->tag_text},
        {"--now", &r->now_text},
        {"--prev", &r->prev_dir},
        {"--registry-digest", &r->registry_digest},
        {"--registry-size", &r->registry_size},
        {"--manifest", &r->manifest},
        {"--held", &r->held},
        {"--policy", &r->policy_file},
    };
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        if (strcmp(name, options[i].name) == 0) {
            *options[i].out = value;
            return true;
        }
    }
    return false;
}

static const char *take_arguments(struct request *r, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-') {
            if (r->dir) {
                return "more than one DIR";
            }
            r->dir = argv[i];
        } else if (i + 1 == argc || !take_option(r, argv[i], argv[i + 1])) {
            return "an unknown option, or one without its value";
        } else {
            i++;
        }
    }
    return r->dir && r->gun && r->tag_text && r->now_text ? NULL : "an argument is missing";
}

static bool read_held(struct request *r)
{
    struct slice rest = slice_str(r->held);
    struct slice role;

    while (r->held && slice_next(&rest, ',', &role)) {
        bool snapshot = slice_is(role, "snapshot");
        bool timestamp = slice_is(role, "timestamp");
        if (!snapshot && !timestamp && role.n > 0) {
            return false;
        }
        r->held_snapshot = r->held_snapshot || snapshot;
        r->held_timestamp = r->held_timestamp || timestamp;
    }
    return true;
}

static bool read_policy(struct request *r, struct err *err)
{
    auto_buf struct buf text = {0};

    policy_defaults(&r->policy);
    if (!r->policy_file) {
        return true;
    }
    if (!role_folder_read_file(r->policy_file, &text)) {
        return err_set(err, ERR_INVALID, "the policy cannot be read");
    }
    policy_dispose(&r->policy);
    return policy_read_text(buf_slice_of(&text), &r->policy, err);
}

static const char *read_request(struct request *r)
{
    struct err *err = &r->err;
    const char *slash = strchr(r->gun, '/');

    if (!slash || (size_t)(slash - r->gun) >= sizeof(r->host) ||
        !repo_name_parse(slice_str(slash + 1), &r->repo, err)) {
        return "the GUN is not HOST/NAMESPACE/REPOSITORY";
    }
    memcpy(r->host, r->gun, (size_t)(slash - r->gun));
    if (!tag_name_parse(slice_str(r->tag_text), &r->tag, err)) {
        return "the tag is not valid";
    }
    if (!time_parse(slice_str(r->now_text), &r->now_us)) {
        return "--now is not an RFC 3339 time";
    }
    if (!read_held(r)) {
        return "--held takes snapshot and timestamp";
    }
    if (!read_policy(r, err)) {
        return err->msg;
    }
    if (!role_folder_read(r->dir, &r->cur)) {
        return "DIR cannot be read";
    }
    if (r->prev_dir && !role_folder_read(r->prev_dir, &r->prev)) {
        return "the folder of --prev cannot be read";
    }
    return NULL;
}

/* ---- gate ---- */

/* What the registry holds: as given, and otherwise as signed. */
static const char *registry_of(const struct request *r, const struct gate_entry *entry,
                               struct gate_registry_tag *out)
{
    auto_buf struct buf manifest = {0};
    const struct tuf_target *target = entry->kind == ENTRY_NONE ? NULL : entry->target;

    *out = (struct gate_registry_tag){.exists = true, .digest = entry->digest};
    out->signed_present = true;
    if (target) {
        out->size = target->file.length;
        out->signed_size = target->file.length;
        (void)digest_from_hash(DIGEST_SHA512, target->file.sha512, sizeof(target->file.sha512),
                               &out->sha512);
        out->signed_sha512 = out->sha512;
    }
    if (r->manifest) {
        if (!role_folder_read_file(r->manifest, &manifest)) {
            return "the manifest cannot be read";
        }
        out->size = (int64_t)manifest.n;
        hash_bytes(DIGEST_SHA256, buf_slice_of(&manifest), &out->digest);
        hash_bytes(DIGEST_SHA512, buf_slice_of(&manifest), &out->sha512);
    }
    if (r->registry_digest && !digest_parse(slice_str(r->registry_digest), &out->digest, NULL)) {
        return "--registry-digest is not a digest";
    }
    if (r->registry_size && !slice_to_int64(slice_str(r->registry_size), &out->size)) {
        return "--registry-size is not a number";
    }
    if (!digest_is_set(&out->digest)) { /* nothing is signed: any manifest will do */
        hash_bytes(DIGEST_SHA256, SLICE_LIT(""), &out->digest);
    }
    return NULL;
}

static struct trust_state *state_of(const struct request *r, const struct role_folder *cur,
                                    const struct role_folder *prev)
{
    struct trust_options options = {.now_us = r->now_us,
                                    .renewable_snapshot = r->held_snapshot,
                                    .renewable_timestamp = r->held_timestamp};
    struct role_set set;
    struct trust_state *state = NULL;

    role_set_build(&set, cur, prev, slice_str(r->gun));
    trust_state_build(&set.set, &options, &state);
    role_set_free(&set);
    return state;
}

static const char *judge_gate(const struct request *r, struct decision *out)
{
    struct trust_state *before = r->prev_dir ? state_of(r, &r->prev, NULL) : NULL;
    struct trust_state *after = state_of(r, &r->cur, r->prev_dir ? &r->prev : NULL);
    struct gate_registry_tag registry;
    struct gate_entry entry = {.kind = ENTRY_NONE};
    size_t count = 0;
    auto_free struct gate_listing *history =
        gate_history(before, r->now_us - US_PER_DAY, after, r->now_us, &count);
    struct gate_facts facts = {
        .host = r->host,
        .repo = &r->repo,
        .now_us = r->now_us,
        .policy = &r->policy,
        .policy_scope = "*",
        .trust = after,
        .history = history,
        .history_count = count,
        .enforced = gate_enforced(r->policy.level, true, false),
    };

    if (after->status == TRUST_OK) {
        gate_lookup(&facts, tag_name_slice(&r->tag), &entry);
    }
    const char *why = registry_of(r, &entry, &registry);
    if (!why) {
        *out = gate_tag(&facts, &r->tag, &registry);
    }
    trust_state_free(before);
    trust_state_free(after);
    return why;
}

/* ---- publish ---- */

static bool holds(void *arg, enum role_kind role, const char *key_id, const struct spki *spki)
{
    const struct request *r = arg;

    (void)key_id;
    (void)spki;
    return role == ROLE_TIMESTAMP || (role == ROLE_SNAPSHOT && r->held_snapshot);
}

/* What was accepted before of this document's role and, for a root, version. */
static const struct role_text *accepted(const struct request *r, const struct role_text *doc)
{
    bool root = strcmp(doc->role, "root") == 0;

    for (size_t i = 0; root && i < r->cur.count; i++) {
        const struct role_text *old = &r->cur.docs[i];
        if (old->number && old->number == role_set_number(doc)) {
            return old;
        }
    }
    return role_folder_find(&r->prev, doc->role);
}

/* Same `signed`; documents that do not parse are compared byte by byte. */
static bool says_the_same(const struct role_text *a, const struct role_text *b)
{
    struct slice role = slice_str(a->role);
    struct tuf_doc *x = NULL;
    struct tuf_doc *y = NULL;
    bool same = slice_equal(a->bytes, b->bytes);

    if (tuf_doc_read(role, a->bytes, &x, NULL) == DOC_OK &&
        tuf_doc_read(role, b->bytes, &y, NULL) == DOC_OK) {
        same = slice_equal(x->canonical, y->canonical);
    }
    tuf_doc_free(x);
    tuf_doc_free(y);
    return same;
}

static bool is_uploaded(const struct request *r, const struct role_text *doc)
{
    bool made_here = strcmp(doc->role, "timestamp") == 0 ||
                     (strcmp(doc->role, "snapshot") == 0 && r->held_snapshot);
    const struct role_text *old = accepted(r, doc);

    return doc->number == 0 && !made_here && !(old && says_the_same(doc, old));
}

static int by_role(const void *a, const void *b)
{
    return slice_compare(((const struct upload_part *)a)->role,
                         ((const struct upload_part *)b)->role);
}

/* The set that was accepted: all of `prev`, and the older roots of DIR. A document of DIR that says
 * the same as the accepted one is that one: only its signatures were made again. The bytes belong
 * to the two folders. */
static void accepted_folder(const struct request *r, struct role_folder *out)
{
    *out = (struct role_folder){
        .docs = xcalloc(r->prev.count + r->cur.count + 1, sizeof(struct role_text))};
    for (size_t i = 0; i < r->prev.count; i++) {
        const struct role_text *doc = &r->prev.docs[i];
        const struct role_text *again = doc->number ? NULL : role_folder_find(&r->cur, doc->role);
        out->docs[out->count] = *doc;
        if (again && says_the_same(doc, again)) {
            out->docs[out->count].bytes = again->bytes;
        }
        out->count++;
    }
    for (size_t i = 0; i < r->cur.count; i++) {
        const struct role_text *doc = &r->cur.docs[i];
        bool known = false;
        for (size_t j = 0; doc->number && j < out->count; j++) {
            known = known || (strcmp(out->docs[j].role, "root") == 0 &&
                              role_set_number(&out->docs[j]) == doc->number);
        }
        if (doc->number && !known) {
            out->docs[out->count++] = *doc;
        }
    }
}

static void judge_publish(struct request *r, struct publish_verdict **out)
{
    struct role_folder before;
    struct role_set stored;
    auto_free struct upload_part *parts = xcalloc(r->cur.count + 1, sizeof(*parts));
    size_t count = 0;

    for (size_t i = 0; i < r->cur.count; i++) {
        const struct role_text *doc = &r->cur.docs[i];
        if (is_uploaded(r, doc)) {
            parts[count++] = (struct upload_part){true, slice_str(doc->role), doc->bytes};
        }
    }
    qsort(parts, count, sizeof(*parts), by_role);
    accepted_folder(r, &before);
    role_set_build(&stored, &before, NULL, slice_str(r->gun));
    const struct publish_facts facts = {
        .stored = &stored.set,
        .parts = parts,
        .part_count = count,
        .holds = holds,
        .holds_arg = r,
        .may_administer = true,
        .now_us = r->now_us,
    };
    publish_check(&facts, out);
    role_set_free(&stored);
    free(before.docs);
}

/* ---- the verdict ---- */

static int judge(struct request *r)
{
    struct decision decision = {0};
    struct publish_verdict *published = NULL;
    const char *why = judge_gate(r, &decision);

    if (why) {
        return usage(why);
    }
    judge_publish(r, &published);
    bool allow = decision.effect == EFFECT_ALLOW;
    bool accept = published->code == ERR_NONE;
    (void)printf("gate=%s%s publish=%s%s\n",
                 allow ? "allow" : "deny:", allow ? "" : gate_reason_info(decision.reason)->name,
                 accept ? "accept" : "refuse:", accept ? "" : publish_verdict_word(published));
    (void)fprintf(stderr, "%s\n%s\n", decision.message, accept ? "" : published->msg);
    publish_verdict_free(published);
    return 0;
}

int main(int argc, char **argv)
{
    struct request r = {0};
    const char *why = take_arguments(&r, argc, argv);

    if (!why) {
        why = read_request(&r);
    }
    int status = why ? usage(why) : judge(&r);
    role_folder_free(&r.cur);
    role_folder_free(&r.prev);
    policy_dispose(&r.policy);
    return status;
}
