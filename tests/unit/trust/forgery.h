/* Good repositories, and the question whether one that was tampered with is believed to say what
 * its signers did not say. The forger owns what the server owns: he lists what he changed in a new
 * snapshot and timestamp, rightly signed. Nothing was accepted before and nothing is pinned, so that
 * signatures alone are in his way. */
#ifndef TESTS_UNIT_TRUST_FORGERY_H
#define TESTS_UNIT_TRUST_FORGERY_H

#include "tests/unit/trust/made.h"
#include "trust/publish.h"

enum shape { SHAPE_SMALL, SHAPE_DELEGATED, SHAPE_ROTATED, SHAPE_COUNT };

struct forger {
    struct made_key root, root2, targets, alice, bob, carol, online;
    struct made good[SHAPE_COUNT];
};

static inline void forger_target(json_t *part, const char *name)
{
    json_object_set_new(json_object_get(part, "targets"), name,
                        json_pack("{s:{s:s},s:i,s:{s:i}}", "hashes", "sha256",
                                  "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "length", 523,
                                  "custom", "n", 1));
}

static inline void forger_add_root(struct forger *f, struct made *m, int64_t version,
                                   const struct made_key *const list[], int threshold)
{
    struct made_doc *doc =
        made_add(m, "root", made_root(version, list, threshold, &f->targets, &f->online), &f->root);
    doc->signers[1] = &f->root2;
}

static inline void forger_shape(struct forger *f, enum shape shape, struct made *m)
{
    const struct made_key *const one[] = {&f->root, NULL};
    const struct made_key *const two[] = {&f->root, &f->root2, NULL};
    /* her own key: a document does not name its role, so of two roles with one key each may
     * stand for the other */
    const struct made_key *const carol[] = {&f->carol, NULL};
    const struct made_key *const both[] = {&f->alice, &f->bob, NULL};
    json_t *targets = made_targets(3);
    json_t *releases = made_targets(7);

    forger_target(targets, "1.0");
    forger_target(releases, "\"\\ü<&>");
    if (shape == SHAPE_ROTATED) {
        forger_add_root(f, m, 1, one, 1);
    }
    forger_add_root(f, m, shape == SHAPE_ROTATED ? 2 : 1, two, 2);
    if (shape == SHAPE_DELEGATED) {
        (void)made_delegate(targets, "targets/releases", both, 2, "");
        (void)made_delegate(targets, "targets/carol", carol, 1, "ca");
    }
    (void)made_add(m, "targets", targets, &f->targets);
    if (shape == SHAPE_DELEGATED) {
        made_add(m, "targets/releases", releases, &f->alice)->signers[1] = &f->bob;
        (void)made_add(m, "targets/carol", made_targets(1), &f->carol);
    } else {
        json_decref(releases);
    }
    made_finish(m, &f->online, 5);
}

static inline struct forger *forger_new(void)
{
    const int64_t year = 31536000;
    struct forger *f = xcalloc(1, sizeof(*f));
    made_cert_new(&f->root, NULL, MADE_GUN, -year, year);
    made_cert_new(&f->root2, NULL, MADE_GUN, -year, year);
    made_key_new(&f->targets);
    made_key_new(&f->alice);
    made_key_new(&f->bob);
    made_key_new(&f->carol);
    made_key_new(&f->online);
    for (int shape = 0; shape < SHAPE_COUNT; shape++) {
        forger_shape(f, (enum shape)shape, &f->good[shape]);
    }
    return f;
}

static inline void forger_free(struct forger *f)
{
    struct made_key *all[] = {&f->root, &f->root2, &f->targets, &f->alice,
                              &f->bob,  &f->carol, &f->online};
    for (int shape = 0; shape < SHAPE_COUNT; shape++) {
        made_free(&f->good[shape]);
    }
    for (size_t i = 0; i < COUNT(all); i++) {
        made_key_free(all[i]);
    }
    free(f);
}

/* ---- one attempt ---- */

struct attempt {
    const struct made *good;
    struct made now;   /* the same documents, tampered with */
    bool listed_anew;  /* the forger made the snapshot: only then it may say something else */
    bool stamped_anew; /* and the timestamp */
};

static inline void attempt_begin(struct attempt *a, const struct made *good)
{
    *a = (struct attempt){.good = good};
    a->now.count = good->count;
    for (size_t i = 0; i < good->count; i++) {
        a->now.docs[i] = good->docs[i];
        a->now.docs[i].part = json_deep_copy(good->docs[i].part);
        a->now.docs[i].bytes = (struct buf){0};
        buf_slice(&a->now.docs[i].bytes, buf_slice_of(&good->docs[i].bytes));
    }
}

static inline void attempt_set(struct attempt *a, size_t at, struct slice bytes)
{
    buf_clear(&a->now.docs[at].bytes);
    buf_slice(&a->now.docs[at].bytes, bytes);
}

/* A snapshot and a timestamp over the documents as they are now; without `snapshot` a timestamp
 * alone. */
static inline void attempt_list(struct attempt *a, bool snapshot)
{
    struct made_doc *doc = made_find(&a->now, "snapshot");
    json_t *meta = json_object();
    for (size_t i = 0; i < a->now.count; i++) {
        made_list(meta, &a->now.docs[i]);
    }
    json_object_del(meta, "snapshot");
    json_object_del(meta, "timestamp");
    json_object_set_new(doc->part, "meta", meta);
    if (snapshot) {
        made_write(doc);
        a->listed_anew = true;
    }
    made_timestamp(&a->now);
    a->stamped_anew = true;
}

/* Whether document `at` says what its signers signed: read by another reader than the product's. */
static inline bool says_what_was_signed(const struct attempt *a, size_t at)
{
    const struct made_doc *doc = &a->now.docs[at];
    auto_json json_t *top =
        json_loadb(doc->bytes.p ? doc->bytes.p : "", doc->bytes.n, JSON_REJECT_DUPLICATES, NULL);
    return top && json_equal(json_object_get(top, "signed"), a->good->docs[at].part);
}

/* Whether the state believes the document of this role. */
static inline bool believes(const struct trust_state *state, const struct attempt *a,
                            const char *role)
{
    if (strcmp(role, "snapshot") == 0) {
        return !a->listed_anew;
    }
    if (strcmp(role, "timestamp") == 0) {
        return !a->stamped_anew;
    }
    const struct trust_role *r = trust_state_role(state, slice_str(role));
    return strcmp(role, "root") == 0 || (r && r->state == ROLE_STATE_OK);
}

enum outcome { FORGED = 0, REFUSED, SAME };

static inline enum outcome attempt_judge(const struct attempt *a, const struct trust_state *state)
{
    enum outcome outcome = state->status == TRUST_OK ? SAME : REFUSED;
    for (size_t i = 0; outcome != REFUSED && i < a->now.count; i++) {
        if (believes(state, a, a->now.docs[i].role) && !says_what_was_signed(a, i)) {
            outcome = FORGED;
        }
    }
    for (size_t i = 1; outcome == SAME && i < state->role_count; i++) {
        outcome = state->roles[i].state == ROLE_STATE_OK ? SAME : REFUSED; /* of that role alone */
    }
    return outcome;
}

/* As a server keeps a document that it read once, and what it found out about its signatures. */
static inline void lend_read(struct trust_file *file, const struct tuf_doc *doc)
{
    if (doc && strcmp(doc->role, file->role) == 0 && slice_equal(doc->bytes, file->bytes)) {
        file->parsed = doc;
    }
}

static inline void lend_state(struct trust_file *files, size_t count, const struct trust_state *state)
{
    for (size_t i = 0; i < count; i++) {
        lend_read(&files[i], state->root);
        lend_read(&files[i], state->timestamp);
        lend_read(&files[i], state->snapshot);
        for (size_t j = 0; j < state->role_count; j++) {
            lend_read(&files[i], state->roles[j].doc);
        }
    }
}

/* Loaded twice, the second time with the documents that the first one read: both must say the same. */
static inline enum outcome attempt_load(const struct attempt *a)
{
    struct trust_file roots[MADE_DOCS_MAX];
    struct trust_file files[MADE_DOCS_MAX];
    struct trust_set set = {.gun = SLICE_LIT(MADE_GUN), .roots = roots, .files = files};
    struct trust_options options = {.now_us = vectors_now(), .unpinned = true};
    struct trust_state *state = NULL;
    struct trust_state *again = NULL;

    for (size_t i = 0; i < a->now.count; i++) {
        const struct made_doc *doc = &a->now.docs[i];
        struct trust_file file = {.role = doc->role, .bytes = buf_slice_of(&doc->bytes)};
        if (strcmp(doc->role, "root") == 0) {
            roots[set.root_count++] = file;
        } else {
            files[set.file_count++] = file;
        }
    }
    trust_state_build(&set, &options, &state);
    lend_state(roots, set.root_count, state);
    lend_state(files, set.file_count, state);
    trust_state_build(&set, &options, &again);
    enum outcome outcome = attempt_judge(a, state);
    bool differs = again->status != state->status || attempt_judge(a, again) != outcome;
    trust_state_free(again);
    trust_state_free(state);
    return differs ? FORGED : outcome;
}

static inline bool forger_holds(void *arg, enum role_kind role, const char *key_id,
                                const struct spki *spki)
{
    const struct made_key *online = arg;
    (void)role;
    (void)spki;
    return strcmp(key_id, online->id) == 0;
}

/* As a first publish of everything but snapshot and timestamp; not for SHAPE_ROTATED. */
static inline enum outcome attempt_publish(const struct attempt *a, struct made_key *online)
{
    struct upload_part parts[MADE_DOCS_MAX];
    struct trust_set nothing = {.gun = SLICE_LIT(MADE_GUN)};
    struct publish_facts facts = {.stored = &nothing,
                                  .parts = parts,
                                  .holds = forger_holds,
                                  .holds_arg = online,
                                  .may_administer = true,
                                  .now_us = vectors_now()};
    struct publish_verdict *v = NULL;
    enum outcome outcome = SAME;

    for (size_t i = 0; i + 2 < a->now.count; i++) { /* the last two are the server's */
        parts[facts.part_count++] = (struct upload_part){true, slice_str(a->now.docs[i].role),
                                                         buf_slice_of(&a->now.docs[i].bytes)};
    }
    publish_check(&facts, &v);
    if (v->code != ERR_NONE) {
        outcome = REFUSED;
    }
    for (size_t i = 0; outcome == SAME && i < facts.part_count; i++) {
        outcome = says_what_was_signed(a, i) ? SAME : FORGED;
    }
    publish_verdict_free(v);
    return outcome;
}

static inline void attempt_end(struct attempt *a)
{
    made_free(&a->now);
}

#endif
