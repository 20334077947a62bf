#include "trust/view.h"

#include "base/clock.h"
#include "base/hash.h"
#include "storage/manifest.h"
#include "storage/repository.h"
#include "storage/tombstone.h"
#include "trust/checkpoint.h"
#include "trust/exceptions.h"
#include "trust/load.h"
#include "trust/reach.h"
#include "trust/trust_internal.h"
#include "trust/view_internal.h"

#include <stdatomic.h>
#include <stdio.h>

/* --- one view --------------------------------------------------------------------------------- */

static void view_free(struct gate_view *v)
{
    policy_dispose(&v->policy);
    trust_state_free(v->state);
    trust_state_free(v->before);
    free(v->assumed);
    view_history_dispose(&v->history);
    tombstone_dispose(&v->tombstone_row);
    reach_dispose(&v->reach);
    view_overrides_free(v);
    free(v);
}

struct gate_view *gate_view_ref(struct gate_view *view)
{
    atomic_fetch_add(&view->references, 1);
    return view;
}

void gate_view_unref(struct gate_view *view)
{
    if (view && atomic_fetch_sub(&view->references, 1) == 1) {
        view_free(view);
    }
}

static const char *suspicion_of(const struct gate_view *view, int64_t now_us)
{
    return view->suspicion[0] ? view->suspicion : checkpoint_suspicion(view->checkpoint, now_us);
}

void gate_view_facts(const struct gate_view *view, int64_t now_us, struct gate_facts *out)
{
    *out = (struct gate_facts){.host = view->host,
                               .repo = &view->name,
                               .now_us = now_us,
                               .policy = &view->policy,
                               .policy_scope = view->scope,
                               .suspicion = suspicion_of(view, now_us),
                               .trust = view->state,
                               .history = view->history.items,
                               .history_count = view->history.count,
                               .tombstone = view->tombstone.who ? &view->tombstone : NULL};
    if (view->assumed) {
        out->history = view->assumed;
        out->history_count = view->assumed_count;
    }
}

void gate_view_reached(const struct gate_view *view, const struct digest *digest,
                       struct gate_reached *out)
{
    reach_get(&view->reach, digest, out);
}

bool gate_view_next_manifest(const struct gate_view *view, size_t *at, struct digest *out)
{
    return reach_next_manifest(&view->reach, at, out);
}

bool gate_view_needs_renewal(const struct gate_view *view)
{
    return view->state->status == TRUST_OK &&
           (view->state->timestamp_expired || view->state->snapshot_expired);
}

/* --- building: reach -------------------------------------------------------------------------- */

struct root_list {
    struct gate_root *items;
    size_t count, capacity;
};

static void collect_root(void *arg, const struct gate_root *root)
{
    struct root_list *list = arg;
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? list->capacity * 2 : 16;
        list->items = xrealloc(list->items, list->capacity * sizeof *list->items);
    }
    list->items[list->count++] = *root;
}

/* Released before superseded, long-lived before short-lived: the first visit of a digest is then
 * the best one. */
static int compare_roots(const void *a, const void *b)
{
    const struct gate_root *x = a, *y = b;
    if (x->superseded != y->superseded) {
        return x->superseded ? 1 : -1;
    }
    return x->valid_until_us > y->valid_until_us ? -1 : x->valid_until_us < y->valid_until_us;
}

/* The further hash that the target lists must be the manifest's too, as by tag (gate.md 5.3). */
static bool further_hash_agrees(struct db_tx *tx, int64_t repository_id,
                                const struct gate_root *root, bool *agrees, struct err *err)
{
    auto_manifest struct manifest *m = NULL;
    struct digest computed;
    *agrees = true;
    if (!digest_is_set(&root->sha512)) {
        return true;
    }
    if (!manifest_get(tx, repository_id, &root->digest, &m, err)) {
        return false;
    }
    hash_bytes(DIGEST_SHA512, manifest_content(m), &computed);
    *agrees = digest_equal(&computed, &root->sha512);
    return true;
}

/* gate.md 6 a: size and hashes must agree. A root that is not here yet reaches nothing; its PUT
 * moves the generation. */
static bool root_is_here(struct db_tx *tx, int64_t repository_id, const struct gate_root *root,
                         bool *here, struct err *err)
{
    struct manifest_info info;
    struct err why = {0};
    *here = false;
    if (manifest_stat(tx, repository_id, &root->digest, &info, &why)) {
        return info.size != root->length ||
               further_hash_agrees(tx, repository_id, root, here, err);
    }
    if (why.code == ERR_MANIFEST_UNKNOWN) {
        return true;
    }
    *err = why;
    return false;
}

static bool add_root(struct gate_view *v, struct db_tx *tx, const struct gate_root *root,
                     const struct denied_set *denied, struct err *err)
{
    bool here = !digest_is_set(&root->sha512) &&
                reach_knows_size(&v->reach, &root->digest, root->length);
    if (!here && !root_is_here(tx, v->repository_id, root, &here, err)) {
        return false;
    }
    if (!here) {
        return true;
    }
    if (!reach_add(&v->reach, tx, v->repository_id, root, denied, err)) {
        return false;
    }
    reach_note_size(&v->reach, &root->digest, root->length);
    return true;
}

static bool build_reach(struct gate_view *v, struct db_tx *tx, int64_t now_us,
                        const struct denied_set *denied, const struct heritage *from,
                        struct err *err)
{
    struct gate_facts facts;
    struct root_list roots = {0};
    bool ok = true;
    gate_view_facts(v, now_us, &facts);
    gate_roots(&facts, collect_root, &roots);
    if (roots.count > 1) {
        qsort(roots.items, roots.count, sizeof *roots.items, compare_roots);
    }
    if (from->same_content && denied->count == 0 && !gate_view_has_denied(from->last)) {
        v->reach.known = &from->last->reach;
    }
    for (size_t i = 0; ok && i < roots.count; i++) {
        ok = add_root(v, tx, &roots.items[i], denied, err);
    }
    free(roots.items);
    ok = ok && reach_finish(&v->reach, tx, v->repository_id, err);
    v->reach.known = NULL;
    v->bytes += reach_bytes(&v->reach);
    return ok;
}

struct tag_question {
    struct db_tx *tx;
    int64_t repository_id;
    struct slice tag;
    const struct digest *digest;
    bool found, failed;
    struct err *err;
};

static void ask_root(void *arg, const struct gate_root *root)
{
    struct tag_question *q = arg;
    if (q->found || q->failed || !slice_is(q->tag, root->tag)) {
        return;
    }
    bool here = false;
    if (!root_is_here(q->tx, q->repository_id, root, &here, q->err)) {
        q->failed = true;
    } else if (here && !reach_is_below(q->tx, q->repository_id, &root->digest, q->digest, &q->found,
                                       q->err)) {
        q->failed = true;
    }
}

bool gate_view_of_tag(const struct gate_view *view, struct db_tx *tx, int64_t now_us,
                      struct slice tag, const struct digest *digest, bool *out, struct err *err)
{
    struct gate_facts facts;
    struct tag_question q = {
        .tx = tx, .repository_id = view->repository_id, .tag = tag, .digest = digest, .err = err};
    gate_view_facts(view, now_us, &facts);
    gate_roots(&facts, ask_root, &q);
    *out = q.found;
    return !q.failed;
}

/* --- building --------------------------------------------------------------------------------- */

static void note_end(struct gate_view *v, int64_t at, int64_t now_us)
{
    if (at > now_us && at < v->valid_until_us) {
        v->valid_until_us = at;
    }
    if (at <= now_us && at > v->valid_from_us) {
        v->valid_from_us = at;
    }
}

/* A root certificate counts from its beginning to its end, that moment included. */
static int64_t after(int64_t us)
{
    return us < INT64_MAX ? us + 1 : us;
}

static void note_certificates(struct gate_view *v, const struct tuf_doc *root, int64_t now_us)
{
    for (size_t i = 0; i < root->root.key_count; i++) {
        const struct tuf_key *key = tuf_doc_key(root, slice_str(root->root.key_ids[i]));
        const struct tuf_cert *cert = key ? tuf_key_cert(key) : NULL;
        if (cert) {
            note_end(v, cert->not_before_us - CERT_NOT_BEFORE_SLACK_US, now_us);
            note_end(v, after(cert->not_after_us), now_us);
            note_end(v, after(cert->chain_not_after_us), now_us);
        }
    }
}

/* The next moment at which the answer may change by itself, and the last one: what has passed
 * changes again when a clock that was ahead is set right (attacks O-04). */
static void find_end(struct gate_view *v, int64_t now_us)
{
    const struct trust_state *s = v->state;
    v->valid_from_us = INT64_MIN;
    v->valid_until_us = INT64_MAX;
    note_end(v, s->valid_until_us, now_us);
    if (s->root) {
        note_end(v, s->root->expires_us, now_us);
        note_certificates(v, s->root, now_us);
    }
    if (s->timestamp) {
        note_end(v, s->timestamp->expires_us, now_us);
    }
    if (s->snapshot) {
        note_end(v, s->snapshot->expires_us, now_us);
    }
    for (size_t i = 0; i < s->role_count; i++) {
        if (s->roles[i].doc) {
            note_end(v, s->roles[i].doc->expires_us, now_us);
        }
    }
    for (size_t i = 0;
         v->policy.grace_us > 0 && v->policy.grace_us != DURATION_FOREVER && i < v->history.count;
         i++) {
        if (v->history.items[i].until_us > 0) {
            note_end(v, v->history.items[i].until_us + v->policy.grace_us, now_us);
        }
        note_end(v, v->history.items[i].since_us + v->policy.grace_us,
                 now_us); /* of what this listing shadowed */
    }
    for (size_t i = 0; i < v->override_count; i++) {
        note_end(v, v->overrides[i].row.start_us, now_us);
        note_end(v, v->overrides[i].row.end_us, now_us);
    }
}

static bool load_tombstone(struct gate_view *v, struct db_tx *tx, const struct repository *repo,
                           struct err *err)
{
    struct err why = {0};
    if (v->state->status != TRUST_NOT_INITIALISED) {
        return true;
    }
    if (tombstone_get(tx, repo->id, &v->tombstone_row, &why)) {
        v->tombstone = (struct gate_tombstone){.who = v->tombstone_row.wiped_by,
                                               .when_us = v->tombstone_row.wiped_us /
                                                          US_PER_SECOND * US_PER_SECOND,
                                               .reason = v->tombstone_row.reason};
        return true;
    }
    if (why.code == ERR_NOT_FOUND) {
        return true;
    }
    *err = why;
    return false;
}

static bool build_reaches(struct gate_view *v, struct db_tx *tx, int64_t now_us,
                          const struct heritage *from, struct err *err)
{
    auto_denied_set struct denied_set denied = {0};
    struct slice ns = slice_first(repo_name_slice(&v->name), v->name.namespace_n);
    return denied_set_load(tx, ns, &denied, err) &&
           build_reach(v, tx, now_us, &denied, from, err) &&
           view_overrides_build(v, tx, now_us, &denied, err);
}

/* Roots are judged where they are published: a view need not keep the CAs. */
static bool load_policy(struct gate_view *v, struct db_tx *tx, const struct gate_assumption *assume,
                        struct err *err)
{
    bool assumed = assume && assume->policy.n > 0;
    if (assumed) {
        (void)snprintf(v->scope, sizeof v->scope, "%s", assume->scope);
    }
    bool ok = assumed ? policy_read_text(assume->policy, &v->policy, err)
                      : policy_for(tx, &v->name, v->scope, &v->policy, err);
    policy_forget_authorities(&v->policy);
    return ok;
}

/* The time it is: what is compared with the checkpoint is compared once for all, and not as it would
 * be at a time to come. */
static int64_t present(const struct gate_assumption *assume, int64_t now_us)
{
    return assume && assume->present_us ? assume->present_us : now_us;
}

/* Puts what a publish would leave behind in the place of what is stored. */
static void assume_published(struct gate_view *v, struct gate_assumption *assume, int64_t now_us)
{
    struct gate_facts facts;
    if (!assume || !assume->published) {
        return;
    }
    gate_view_facts(v, now_us, &facts);
    v->before = v->state;
    v->state = take(assume->published);
    v->tombstone = (struct gate_tombstone){.who = NULL};
    v->assumed = gate_history_after(facts.history, facts.history_count, v->before, v->state, now_us,
                                    &v->assumed_count);
}

static bool is_this(const struct tuf_doc *doc, const struct trust_file *file)
{
    return doc && strcmp(doc->role, file->role) == 0 && slice_equal(doc->bytes, file->bytes);
}

static const struct tuf_doc *find_inherited(const struct heritage *from,
                                            const struct trust_file *file)
{
    const struct trust_state *state = from->last ? from->last->state : NULL;
    for (size_t i = 0; i < from->doc_count; i++) {
        if (is_this(from->docs[i], file)) {
            return from->docs[i];
        }
    }
    for (size_t i = 0; state && i < state->role_count; i++) {
        if (is_this(state->roles[i].doc, file)) {
            return state->roles[i].doc;
        }
    }
    return NULL;
}

/* The very bytes that are stored were read before: they are not read again, only verified. */
static void lend_documents(const struct heritage *from, struct trust_loaded *loaded)
{
    for (size_t i = 0; i < loaded->set.file_count; i++) {
        if (!loaded->files[i].parsed) {
            loaded->files[i].parsed = find_inherited(from, &loaded->files[i]);
        }
    }
}

static bool view_build(const struct trust *trust, struct db_tx *tx, const struct repository *repo,
                       int64_t now_us, struct gate_assumption *assume, const struct heritage *from,
                       struct gate_view *v, struct err *err)
{
    auto_trust_loaded struct trust_loaded loaded = {0};
    struct trust_options options;
    v->repository_id = repo->id;
    v->generation = repo->gate_generation;
    v->name = repo->name;
    v->host = trust->host;
    v->checkpoint = trust->checkpoint;
    v->bytes = sizeof *v;
    if (!load_policy(v, tx, assume, err) || !trust_load(trust, tx, repo, &loaded, err)) {
        return false;
    }
    v->acceptances = checkpoint_acceptances(trust->checkpoint);
    (void)checkpoint_look(trust->checkpoint, &repo->name, &loaded.lives, &loaded.revoked_rows,
                          v->suspicion); /* "" when it is good */
    if (!v->suspicion[0] &&
        !exceptions_look(trust->checkpoint, tx, present(assume, now_us), v->suspicion, err)) {
        return false;
    }
    trust_loaded_options(&loaded, now_us, &options);
    lend_documents(from, &loaded);
    chains_build(trust->chains, repo->id, &loaded.set, &options, &v->state);
    documents_keep_state(trust->documents, v->state);
    v->bytes += trust_state_bytes(v->state);
    if (!load_tombstone(v, tx, repo, err) ||
        !view_history_load(tx, repo->id, &loaded, v->state, &v->policy, now_us, &v->history, err)) {
        return false;
    }
    v->bytes += view_history_bytes(&v->history);
    assume_published(v, assume, now_us);
    if (!build_reaches(v, tx, now_us, from, err)) {
        return false;
    }
    find_end(v, now_us);
    return true;
}

static bool view_make(const struct trust *trust, struct db_tx *tx, const struct repository *repo,
                      int64_t now_us, struct gate_assumption *assume, const struct heritage *from,
                      struct gate_view **out, struct err *err)
{
    struct gate_view *v = xcalloc(1, sizeof *v);
    atomic_init(&v->references, 1);
    *out = NULL;
    if (!view_build(trust, tx, repo, now_us, assume, from, v, err)) {
        gate_view_unref(v);
        return false;
    }
    *out = v;
    return true;
}

bool gate_view_inherit(const struct trust *trust, struct db_tx *tx, const struct repository *repo,
                       int64_t now_us, const struct heritage *from, struct gate_view **out,
                       struct err *err)
{
    return view_make(trust, tx, repo, now_us, NULL, from, out, err);
}

bool gate_view_assume(struct trust *trust, struct db_tx *tx, const struct repository *repo,
                      int64_t now_us, struct gate_assumption *assume, struct gate_view **out,
                      struct err *err)
{
    bool asked = false;
    auto_gate_view struct gate_view *last = gate_views_last(trust->views, repo->id, &asked);
    const struct heritage from = {.last = last};
    return view_make(trust, tx, repo, now_us, assume, &from, out, err);
}

bool gate_view_get(struct trust *trust, struct db_tx *tx, const struct repository *repo,
                   int64_t now_us, struct gate_view **out, struct err *err)
{
    auto_view_claim struct view_claim claim = {0};
    *out = gate_views_find_or_claim(trust->views, repo->id, repo->gate_generation, now_us, &claim);
    if (*out) {
        return true;
    }
    if (!gate_view_assume(trust, tx, repo, now_us, NULL, out, err)) {
        return false;
    }
    gate_views_keep(trust->views, *out, true);
    return true;
}

struct gate_view *gate_view_find_ready(struct trust *trust, const struct repository *repo, int64_t now_us)
{
    struct gate_view *view =
        gate_views_find_asked(trust->views, repo->id, repo->gate_generation, now_us);
    if (view && gate_view_needs_renewal(view)) {
        gate_view_unref(view);
        view = NULL;
    }
    return view;
}

bool gate_view_get_for_write(struct trust *trust, struct db_tx *tx, const struct repository *repo,
                             int64_t now_us, struct gate_view **out, struct err *err)
{
    *out = gate_views_find(trust->views, repo->id, repo->gate_generation, now_us);
    return *out || gate_view_assume(trust, tx, repo, now_us, NULL, out, err);
}
