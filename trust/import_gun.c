#include "base/json.h"
#include "storage/audit.h"
#include "trust/commit.h"
#include "trust/expiry.h"
#include "trust/import_internal.h"
#include "trust/import_key.h"
#include "trust/load.h"
#include "trust/make.h"
#include "trust/root_policy.h"
#include "trust/roots.h"
#include "trust/trust_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <strings.h>
#include <unistd.h>

#define WARNINGS_MAX 100

/* One repository on its way into the store. */
struct taking {
    struct db_tx *tx;
    struct import_gun *g;
    const struct import *im;
    struct repository repo;
    bool fresh;                 /* nothing was stored before */
    struct trust_loaded before; /* what was stored */
    struct trust_loaded after;  /* with everything put */
    struct trust_state *state;  /* of it */
    struct tuf_doc *root;       /* in force while the rows go by */
    struct tuf_doc **listers;   /* the newest targets and delegations that delegate */
    size_t lister_count;
    int64_t last_us;        /* times never go back */
    int64_t unsigned_count; /* old documents that the keys of their time did not sign */
    char key_why[300];      /* why a key was not taken; the first */
};

static void taking_dispose(struct taking *t)
{
    trust_loaded_dispose(&t->before);
    trust_loaded_dispose(&t->after);
    trust_state_free(t->state);
    tuf_doc_free(t->root);
    for (size_t i = 0; i < t->lister_count; i++) {
        tuf_doc_free(t->listers[i]);
    }
    free(t->listers);
}
#define auto_taking __attribute__((cleanup(taking_dispose)))

static void cleanup_doc(struct tuf_doc **doc)
{
    tuf_doc_free(*doc);
}
#define auto_doc __attribute__((cleanup(cleanup_doc)))

static void warn(struct taking *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void warn(struct taking *t, const char *fmt, ...)
{
    char text[600];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (json_array_size(t->g->warnings) < WARNINGS_MAX) {
        json_array_append_new(t->g->warnings, json_string(text));
    }
}

/* ---- before ---- */

static bool ensure_namespace(struct taking *t, struct err *err)
{
    const struct import_request *rq = t->im->rq;
    struct namespace_name name;
    struct namespace ns;
    struct err why = {0};
    repo_name_namespace(&t->g->repo, &name);
    if (namespace_get(t->tx, &name, &ns, &why)) {
        return true;
    }
    if (why.code != ERR_NAMESPACE_UNKNOWN) {
        *err = why;
        return false;
    }
    if (rq->owner_id == 0) {
        return err_set(err, ERR_INVALID,
                       "there is no namespace %s; create it, or say with --owner "
                       "who shall own the namespaces that are missing",
                       name.text);
    }
    struct audit_entry entry = {
        .action = "namespace.create", .object = slice_str(name.text), .outcome = AUDIT_OK};
    if (!namespace_create(t->tx, &name, VISIBILITY_PRIVATE, rq->owner_id, rq->now_us, &ns, err)) {
        return false;
    }
    entry.namespace_id = ns.id;
    return audit_append(t->tx, rq->actor, &entry, rq->now_us, err);
}

static int64_t newest_in_dump(const struct taking *t, const char *role)
{
    int64_t newest = 0;
    for (size_t i = t->g->docs.from; i < t->g->docs.to; i++) {
        const struct import_doc *doc = &t->im->docs[i];
        if (doc->version > newest && strcmp(t->im->names[doc->role], role) == 0) {
            newest = doc->version;
        }
    }
    return newest;
}

/* Whoever published here since, or wiped, goes on here. A timestamp is renewed without anybody. */
static bool check_not_ahead(const struct taking *t, struct err *err)
{
    bool lives = false;
    for (size_t i = 0; i < t->before.lives.count; i++) {
        const struct trust_role_life *life = &t->before.lives.items[i];
        lives = lives || !life->ended;
        if (!life->ended && strcmp(life->role, "timestamp") != 0 &&
            newest_in_dump(t, life->role) < life->version) {
            return err_set(err, ERR_INVALID,
                           "%s is at version %lld here and at %lld in the dump: it was published "
                           "here since",
                           life->role, (long long)life->version,
                           (long long)newest_in_dump(t, life->role));
        }
    }
    return t->before.lives.count == 0 || lives ||
           err_set(err, ERR_INVALID,
                   "its trust data was wiped here; what was wiped does not come "
                   "back, publish anew");
}

static bool begin(struct taking *t, struct err *err)
{
    if (!ensure_namespace(t, err) ||
        !repository_ensure(t->tx, &t->g->repo, t->im->rq->now_us, &t->repo, NULL, err) ||
        !trust_load(t->im->trust, t->tx, &t->repo, &t->before, err)) {
        return false;
    }
    t->fresh = t->before.lives.count == 0;
    for (size_t i = 0; i < t->before.current.count; i++) {
        if (t->before.current.items[i].accepted_us > t->last_us) {
            t->last_us = t->before.current.items[i].accepted_us;
        }
    }
    char why[SUSPICION_MAX];
    if (checkpoint_allows(t->im->trust->checkpoint, &t->repo.name, &t->before.lives,
                          &t->before.revoked_rows, t->im->rq->now_us, why) != CHECKPOINT_GOOD) {
        return err_set(err, ERR_INVALID, "%s", why);
    }
    return check_not_ahead(t, err);
}

/* ---- documents ---- */

static bool read_bytes(const struct taking *t, const struct import_doc *row, char *out,
                       struct err *err)
{
    size_t done = 0;
    while (done < row->length) {
        ssize_t got = pread(fileno(t->im->spool), out + done, row->length - done,
                            (off_t)row->offset + (off_t)done);
        if (got <= 0) {
            return err_sys(err, got < 0 ? errno : EIO, "reading the spool of an import");
        }
        done += (size_t)got;
    }
    return true;
}

static bool read_doc(const struct taking *t, const struct import_doc *row, const char *role,
                     struct tuf_doc **out, struct err *err)
{
    auto_free char *bytes = xmalloc((size_t)row->length + 1);
    struct err why = {0};
    if (row->damaged) {
        return err_set(err, ERR_INVALID,
                       "%s %lld is not what the old server stored (its hash says "
                       "so): the dump is damaged",
                       role, (long long)row->version);
    }
    if (!read_bytes(t, row, bytes, err)) {
        return false;
    }
    if (role_parse(slice_str(role)) == ROLE_NONE ||
        tuf_doc_read(slice_str(role), slice_of_bytes(bytes, row->length), out, &why) != DOC_OK) {
        return err_set(err, ERR_INVALID, "%s %lld: %s", role, (long long)row->version,
                       why.msg[0] ? why.msg : "there is no such role");
    }
    return (*out)->version == row->version ||
           err_set(err, ERR_INVALID, "%s %lld says that it is version %lld", role,
                   (long long)row->version, (long long)(*out)->version);
}

static struct tuf_doc *lister_of(const struct taking *t, struct slice role)
{
    for (size_t i = 0; i < t->lister_count; i++) {
        if (slice_is(role, t->listers[i]->role)) {
            return t->listers[i];
        }
    }
    return NULL;
}

/* What its parent of its time says of it; NULL: nothing. */
static const struct tuf_delegation *delegation_of(const struct taking *t, const struct tuf_doc *doc)
{
    const struct tuf_doc *lister = lister_of(t, role_parent(slice_str(doc->role)));
    return lister ? tuf_doc_delegation(lister, slice_str(doc->role)) : NULL;
}

/* Whether the keys of its time signed it. */
static bool count_signers(const struct taking *t, const struct tuf_doc *doc, struct sig_count *out)
{
    const struct tuf_doc *lister = t->root;
    const struct tuf_role_keys *keys = t->root ? &t->root->targets : NULL;
    if (doc->kind == ROLE_DELEGATION) {
        lister = lister_of(t, role_parent(slice_str(doc->role)));
        const struct tuf_delegation *listed = delegation_of(t, doc);
        keys = listed ? &listed->keys : NULL;
    }
    if (!keys) {
        return false;
    }
    tuf_count_signatures(doc, lister, keys, NULL, out);
    return sig_count_met(out);
}

static bool put_paths(struct taking *t, const struct tuf_doc *doc, int64_t when, struct err *err)
{
    for (size_t i = 0; i < doc->delegation_count; i++) {
        const struct tuf_delegation *d = &doc->delegations[i];
        const struct role_paths paths = {d->paths, d->path_count};
        if (!trust_commit_paths(t->tx, t->repo.id, slice_str(d->name), &paths, when, err)) {
            return false;
        }
    }
    return true;
}

static bool put_listing(struct taking *t, const struct tuf_doc *doc, int64_t when, struct err *err)
{
    struct sig_count count = {0};
    if (!count_signers(t, doc, &count)) {
        t->unsigned_count++;
        return true;
    }
    const struct tuf_delegation *listed = delegation_of(t, doc);
    const struct role_paths paths = {listed ? listed->paths : NULL, listed ? listed->path_count : 0};
    return trust_commit_listing(t->tx, t->repo.id, doc,
                                doc->kind == ROLE_DELEGATION ? &paths : &role_paths_all, &count,
                                when, err) &&
           put_paths(t, doc, when, err);
}

/* What is stored already: the same, or not to be touched. */
static bool check_stored(const struct taking *t, const struct trust_role_life *life,
                         const struct tuf_doc *doc, struct err *err)
{
    auto_trust_doc struct trust_doc stored = {0};
    struct err why = {0};
    if (doc->kind == ROLE_TIMESTAMP) {
        return true; /* both servers renew it; the higher one counts */
    }
    if (trust_doc_by_life(t->tx, t->repo.id, slice_str(doc->role), life->incarnation, doc->version,
                          &stored, &why) &&
        slice_equal(slice_of_bytes(stored.sha256, 32), slice_of_bytes(doc->sha256, 32))) {
        return true;
    }
    return err_set(err, ERR_INVALID, "%s %lld is another document here than in the dump", doc->role,
                   (long long)doc->version);
}

static bool store(struct taking *t, const struct tuf_doc *doc, int64_t created_us, struct err *err)
{
    struct trust_doc_new row;
    struct err why = {0};
    if (created_us > t->last_us && created_us <= t->im->rq->now_us) {
        t->last_us = created_us;
    }
    trust_commit_row(doc, &row);
    if (!trust_doc_put(t->tx, t->repo.id, &row, t->last_us, &why)) {
        if (why.code == ERR_TRUST_VERSION) {
            return err_set(err, ERR_INVALID, "%s %lld comes after a higher version in the dump",
                           doc->role, (long long)doc->version);
        }
        *err = why;
        return false;
    }
    t->g->docs_put++;
    bool lists = doc->kind == ROLE_TARGETS || doc->kind == ROLE_DELEGATION;
    return !lists || put_listing(t, doc, t->last_us, err);
}

/* The document lists others from now on. Takes it. */
static void keep_lister(struct taking *t, struct tuf_doc *doc)
{
    if (doc->kind == ROLE_ROOT) {
        tuf_doc_free(t->root);
        t->root = doc;
        return;
    }
    for (size_t i = 0; i < t->lister_count; i++) {
        if (strcmp(t->listers[i]->role, doc->role) == 0) {
            tuf_doc_free(t->listers[i]);
            t->listers[i] = doc;
            return;
        }
    }
    if (doc->delegation_count == 0 || t->lister_count == TRUST_ROLES_MAX) {
        tuf_doc_free(doc);
        return;
    }
    t->listers = xrealloc(t->listers, (t->lister_count + 1) * sizeof *t->listers);
    t->listers[t->lister_count++] = doc;
}

static bool put_row(struct taking *t, const struct import_doc *row, struct err *err)
{
    const char *role = t->im->names[row->role];
    auto_doc struct tuf_doc *doc = NULL;
    if (!read_doc(t, row, role, &doc, err)) {
        return false;
    }
    const struct trust_role_life *life = trust_role_life_find(&t->before.lives, role);
    bool known = life && doc->version <= life->version;
    if (known ? !check_stored(t, life, doc, err) : !store(t, doc, row->created_us, err)) {
        return false;
    }
    if (doc->kind != ROLE_SNAPSHOT && doc->kind != ROLE_TIMESTAMP) {
        keep_lister(t, take(doc));
    }
    return true;
}

static bool put_docs(struct taking *t, struct err *err)
{
    for (size_t i = t->g->docs.from; i < t->g->docs.to; i++) {
        if (!put_row(t, &t->im->docs[i], err)) {
            return false;
        }
    }
    if (t->unsigned_count > 0) {
        warn(t,
             "%lld old documents are not signed by the keys of their time: they are kept, but do "
             "not count as history",
             (long long)t->unsigned_count);
    }
    return t->root || err_set(err, ERR_INVALID, "the dump has no root of it");
}

/* ---- keys ---- */

static bool root_lists(const struct taking *t, const struct import_key *key)
{
    bool timestamp = strcmp(key->role, "timestamp") == 0;
    return tuf_role_lists_key(timestamp ? &t->root->timestamp : &t->root->snapshot,
                              slice_str(key->key_id));
}

static const struct import_phrase *phrase_of(const struct import_request *rq, const char *alias)
{
    for (size_t i = 0; i < rq->phrase_count; i++) {
        if (strcasecmp(rq->phrases[i].alias, alias) == 0) {
            return &rq->phrases[i];
        }
    }
    return NULL;
}

static bool open_key(const struct taking *t, const struct import_key *key, struct held_key *out,
                     struct err *err)
{
    auto_wiped struct buf plain = {0};
    const struct import_phrase *phrase = phrase_of(t->im->rq, key->alias);
    if (!phrase) {
        return err_set(err, ERR_INVALID, "no pass phrase was given for the alias %s", key->alias);
    }
    return import_key_open(slice_str(key->sealed), phrase->phrase, &plain, err) &&
           held_key_adopt(t->im->trust->sealing, &t->repo.name, key->role, buf_slice_of(&plain), out,
                          err) &&
           (strcmp(out->id, key->key_id) == 0 ||
            err_set(err, ERR_INVALID, "it is another key than its id says"));
}

/* trust_key_put makes a pending key, of which there may be one: it steps aside for a moment. */
static bool put_key(struct taking *t, const struct import_key *key, const struct held_key *held,
                    struct err *err)
{
    struct slice role = slice_str(key->role);
    struct trust_key_new row;
    auto_trust_key struct trust_key waiting = {0}, put = {0};
    struct err why = {0};
    bool waits = trust_key_pending(t->tx, t->repo.id, role, &waiting, &why);
    enum trust_key_state state = TRUST_KEY_RETIRED;
    if (!waits && why.code != ERR_NOT_FOUND) {
        *err = why;
        return false;
    }
    if (root_lists(t, key)) {
        state = TRUST_KEY_ACTIVE;
    } else if (key->pending && !waits) {
        state = TRUST_KEY_PENDING;
    }
    if (waits && !trust_key_set_state(t->tx, waiting.id, TRUST_KEY_RETIRED, err)) {
        return false;
    }
    held_key_row(t->im->trust->sealing, held, key->role, &row);
    if (!trust_key_put(t->tx, t->repo.id, &row,
                       key->created_us ? key->created_us : t->im->rq->now_us, err) ||
        !trust_key_get(t->tx, t->repo.id, role, key->key_id, &put, err) ||
        !trust_key_set_state(t->tx, put.id, state, err)) {
        return false;
    }
    t->g->keys_put++;
    return !waits || trust_key_set_state(t->tx, waiting.id, TRUST_KEY_PENDING, err);
}

/* A key that cannot be taken is a warning; whether it is missed shows in the end. */
static bool take_key(struct taking *t, const struct import_key *key, struct err *err)
{
    auto_trust_key struct trust_key known = {0};
    auto_held_key struct held_key held = {0};
    struct err why = {0};
    if (trust_key_get(t->tx, t->repo.id, slice_str(key->role), key->key_id, &known, &why)) {
        return true;
    }
    if (why.code != ERR_NOT_FOUND) {
        *err = why;
        return false;
    }
    why = (struct err){0};
    if (!open_key(t, key, &held, &why)) {
        warn(t, "%s key %.12s: %s", key->role, key->key_id, why.msg);
        if (!t->key_why[0]) {
            (void)snprintf(t->key_why, sizeof t->key_why, "%.290s", why.msg);
        }
        return true;
    }
    return put_key(t, key, &held, err);
}

/* A key whose row has no GUN belongs to the repository whose root lists it, in the role of it. */
static bool take_nameless_keys(struct taking *t, struct err *err)
{
    static const char *const roles[] = {"timestamp", "snapshot"};
    struct import_range all = {0, t->im->key_count};
    for (size_t i = all.from; i < all.to; i++) {
        struct import_key key = t->im->keys[i]; /* a copy to fill in; it owns nothing */
        if (t->im->names[key.gun][0] != '\0') {
            continue;
        }
        for (size_t r = 0; r < 2; r++) {
            (void)snprintf(key.role, sizeof key.role, "%s", roles[r]);
            if (root_lists(t, &key) && !take_key(t, &key, err)) {
                return false;
            }
        }
    }
    return true;
}

static bool put_keys(struct taking *t, struct err *err)
{
    for (size_t i = t->g->keys.from; i < t->g->keys.to; i++) {
        const struct import_key *key = &t->im->keys[i];
        bool server_role =
            strcmp(key->role, "timestamp") == 0 || strcmp(key->role, "snapshot") == 0;
        if (server_role && !take_key(t, key, err)) {
            return false;
        }
    }
    return !t->im->nameless_keys || take_nameless_keys(t, err);
}

/* ---- does it hold? ---- */

static bool check_timestamp_keys(const struct taking *t, struct err *err)
{
    const struct tuf_role_keys *keys = &t->root->timestamp;
    for (size_t i = 0; i < keys->key_count; i++) {
        if (!trust_loaded_key(&t->after, ROLE_TIMESTAMP, keys->key_ids[i], NULL)) {
            return err_set(err, ERR_INVALID, "its timestamp key %.12s was not taken: %s",
                           keys->key_ids[i],
                           t->key_why[0] ? t->key_why : "the signer's dump does not have it");
        }
    }
    return true;
}

static bool only_expired(enum trust_status status)
{
    return status == TRUST_OK || status == TRUST_EXPIRED_ROOT ||
           status == TRUST_EXPIRED_TIMESTAMP || status == TRUST_EXPIRED_SNAPSHOT ||
           status == TRUST_EXPIRED_TARGETS;
}

/* The first fault is the one that a state tells; an expired root may hide another. */
static bool check_state(struct taking *t, struct err *err)
{
    struct trust_options options;
    trust_loaded_options(&t->after, t->im->rq->now_us, &options);
    options.unpinned = t->fresh;
    trust_state_build(&t->after.set, &options, &t->state);
    const struct trust_state *s = t->state;
    bool whole = s->root && s->timestamp && s->snapshot && s->role_count > 0 &&
                 (s->roles[0].state == ROLE_STATE_OK || s->roles[0].state == ROLE_STATE_EXPIRED);
    if (!whole || !only_expired(s->status)) {
        return err_set(err, ERR_INVALID, "it does not verify: %s", s->why);
    }
    if (s->status != TRUST_OK) {
        warn(t, "%s: nothing of it is valid until its signers publish", s->why);
    }
    for (size_t i = 1; i < s->role_count; i++) {
        if (s->roles[i].state != ROLE_STATE_OK && s->roles[i].state != ROLE_STATE_ABSENT) {
            warn(t, "%s does not count until its signers publish: %s", s->roles[i].name,
                 s->roles[i].why);
        }
    }
    return true;
}

static bool reload(struct taking *t, struct err *err)
{
    trust_loaded_dispose(&t->after);
    return trust_load(t->im->trust, t->tx, &t->repo, &t->after, err);
}

static bool read_current(const struct taking *t, const char *role, struct tuf_doc **out,
                         struct err *err)
{
    for (size_t i = 0; i < t->after.current.count; i++) {
        const struct trust_doc *row = &t->after.current.items[i];
        if (strcmp(row->role, role) == 0) {
            return tuf_doc_read(slice_str(role), row->bytes, out, err) == DOC_OK;
        }
    }
    return true;
}

/* Both servers renewed the timestamp, and the old one published: its snapshot gets a timestamp of
 * ours, above both. */
static bool renew_timestamp(struct taking *t, struct err *err)
{
    auto_doc struct tuf_doc *snapshot = NULL, *timestamp = NULL, *made = NULL;
    if (!read_current(t, "snapshot", &snapshot, err) ||
        !read_current(t, "timestamp", &timestamp, err)) {
        return false;
    }
    const struct tuf_meta *meta = timestamp ? tuf_doc_meta(timestamp, SLICE_LIT("snapshot")) : NULL;
    if (t->fresh || t->g->docs_put == 0 || !snapshot || !meta ||
        tuf_hashes_match(&meta->file, snapshot)) {
        return true;
    }
    return make_timestamp(t->im->trust, &t->after, t->root, snapshot, timestamp->version + 1,
                          t->im->rq->now_us, &made, err) &&
           store(t, made, t->im->rq->now_us, err) && reload(t, err);
}

/* ---- pins, ends, traces ---- */

/* The root in force alone: the ones before it handed over to it. */
static bool check_allowed(const struct taking *t, const struct policy *policy, struct err *err)
{
    auto_buf struct buf names = {0};
    if (root_policy_accepts(policy, t->state->root, t->after.set.gun, t->im->rq->now_us)) {
        return true;
    }
    if (policy->allow_root_ca.count == 0) {
        return err_set(err, ERR_INVALID,
                       "the root keys of %s are none that its policy allows (allow_roots)",
                       t->repo.name.text);
    }
    root_policy_describe(policy, t->im->rq->now_us, &names);
    return err_set(err, ERR_INVALID,
                   "the root keys of %s are none that its policy allows (allow_roots), nor certified "
                   "by %s (allow_root_ca)",
                   t->repo.name.text, names.p);
}

static bool pin_first_root(struct taking *t, struct err *err)
{
    auto_doc struct tuf_doc *first = NULL;
    auto_free struct spki *keys = NULL;
    if (tuf_doc_read(SLICE_LIT("root"), t->after.set.roots[0].bytes, &first, err) != DOC_OK) {
        return false;
    }
    size_t n = trust_root_spkis(first, &keys);
    return trust_pin_set(t->tx, t->repo.id, (const uint8_t(*)[32])keys, n, t->im->rq->actor,
                         t->im->rq->now_us, err);
}

/* Nobody is asked: what was in force on the other server begins the namespace's set here. */
static bool accept_signers(struct taking *t, struct err *err)
{
    struct sig_count own = {0};
    struct root_rules rules = {.gun = t->after.set.gun, .now_us = t->im->rq->now_us};
    struct roots_change change = {.namespace_id = t->repo.namespace_id,
                                  .actor = t->im->rq->actor,
                                  .now_us = t->im->rq->now_us};
    repo_name_namespace(&t->repo.name, &change.namespace_);
    tuf_count_signatures(t->state->root, t->state->root, &t->state->root->root, &rules, &own);
    for (int i = 0; i < own.signer_count; i++) {
        change.key = own.signers[i];
        if (!trust_roots_add(t->tx, &change, err)) {
            return false;
        }
    }
    return true;
}

static bool put_pins(struct taking *t, struct err *err)
{
    auto_policy struct policy policy = {0};
    char scope[POLICY_SCOPE_SIZE];
    if (!t->fresh && t->after.roots.count == t->before.roots.count) {
        return true;
    }
    if (!policy_for(t->tx, &t->repo.name, scope, &policy, err)) {
        return false;
    }
    if (root_policy_binds(&policy, t->fresh)) {
        return check_allowed(t, &policy, err) && (!t->fresh || pin_first_root(t, err));
    }
    return !t->fresh || (accept_signers(t, err) && pin_first_root(t, err));
}

/* Known only now, when the keys are here and it is clear which documents are current. */
static bool put_renewals(struct taking *t, struct err *err)
{
    for (size_t i = 0; i < t->after.current.count; i++) {
        const struct trust_doc *row = &t->after.current.items[i];
        bool timestamp = strcmp(row->role, "timestamp") == 0;
        if (!timestamp && strcmp(row->role, "snapshot") != 0) {
            continue;
        }
        const struct tuf_doc *doc = timestamp ? t->state->timestamp : t->state->snapshot;
        int64_t renew_us = trust_commit_renewal(doc, t->state->root, &t->after, row->accepted_us);
        if (!trust_doc_set_renewal(t->tx, t->repo.id, slice_str(row->role), renew_us, err)) {
            return false;
        }
    }
    return true;
}

/* Delegations that nobody delegates any more. */
static bool end_roles(struct taking *t, struct err *err)
{
    for (size_t i = 0; i < t->after.lives.count; i++) {
        const struct trust_role_life *life = &t->after.lives.items[i];
        if (!life->ended && role_parse(slice_str(life->role)) == ROLE_DELEGATION &&
            !trust_state_role(t->state, slice_str(life->role)) &&
            !trust_role_end(t->tx, t->repo.id, slice_str(life->role), t->last_us, err)) {
            return false;
        }
    }
    return true;
}

static bool put_audit(struct taking *t, struct err *err)
{
    auto_json json_t *what = json_pack("{s:I, s:I}", "documents", (json_int_t)t->g->docs_put,
                                       "keys", (json_int_t)t->g->keys_put);
    auto_buf struct buf text = {0};
    json_write(&text, what);
    struct audit_entry entry = {.action = "trust.import",
                                .namespace_id = t->repo.namespace_id,
                                .object = repo_name_slice(&t->repo.name),
                                .outcome = AUDIT_OK,
                                .after = buf_slice_of(&text)};
    return audit_append(t->tx, t->im->rq->actor, &entry, t->im->rq->now_us, err);
}

static bool finish(struct taking *t, struct err *err)
{
    if (t->g->docs_put == 0 && t->g->keys_put == 0) {
        return true;
    }
    /* a root that came with this dump may name other keys than the one before */
    return trust_commit_key_states(t->tx, &t->after.keys, t->root, err) && put_pins(t, err) &&
           put_renewals(t, err) && end_roles(t, err) &&
           expiry_note_unknown(t->tx, t->repo.id, err) && put_audit(t, err) &&
           repository_gate_bump(t->tx, t->repo.id, err) &&
           reached_add(&t->g->reached, t->tx, &t->repo, err);
}

bool import_gun_write(struct db_tx *tx, void *arg, struct err *err)
{
    struct import_gun *g = arg;
    auto_taking struct taking t = {.tx = tx, .g = g, .im = g->im};
    g->docs_put = g->keys_put = 0;
    g->done = false;
    reached_clear(&g->reached);
    json_decref(g->warnings);
    g->warnings = json_array();
    if (!begin(&t, err) || !put_docs(&t, err) || !put_keys(&t, err) || !reload(&t, err) ||
        !check_timestamp_keys(&t, err) || !renew_timestamp(&t, err) || !check_state(&t, err) ||
        !finish(&t, err)) {
        return false;
    }
    g->done = true;
    return !g->im->rq->dry_run || err_set(err, ERR_CONFLICT, "a dry run keeps nothing");
}
