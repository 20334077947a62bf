/* A store, a trust server over it, and a client that publishes there and asks the gate: what the tests
 * of trust over a real store share. */
#ifndef TESTS_UNIT_TRUST_BENCH_H
#define TESTS_UNIT_TRUST_BENCH_H

#include "storage/tag.h"
#include "storage/trust_doc.h"
#include "tests/unit/storage/image.h"
#include "tests/unit/trust/made.h"
#include "trust/deny.h"
#include "trust/door.h"
#include "trust/keys.h"
#include "trust/publish.h"
#include "trust/view.h"

#define HOST "registry.example"

struct people {
    struct made_key root, root2, targets, alice;
};

static struct people keys;

struct bench { /* a store, a trust server, and a client that publishes into ns/app */
    struct world *w;
    struct trust *trust;
    int64_t now_us;
    bool keeps_checkpoint;
    int64_t timestamp_life_us; /* trust_settings, at the next start */
    struct made_key timestamp, snapshot; /* public halves of the server's keys */
};

#include "tests/unit/trust/foreseen.h"

static inline void open_trust(struct bench *b)
{
    char path[128], checkpoint[128];
    struct err err = {0};
    (void)snprintf(path, sizeof path, "%s/sealing.key", b->w->folder.path);
    (void)snprintf(checkpoint, sizeof checkpoint, "%s/trust", b->w->folder.path);
    struct trust_settings settings = {.store = b->w->store,
                                      .host = HOST,
                                      .sealing_key_path = path,
                                      .timestamp_life_us = b->timestamp_life_us,
                                      .checkpoint_path = b->keeps_checkpoint ? checkpoint : NULL};
    if (!trust_open(&settings, &b->trust, &err)) {
        fail_msg("%s", err.msg);
    }
}

static inline void bench_open(struct bench *b, struct world *w)
{
    *b = (struct bench){.w = w, .now_us = T0};
    OK(trust_sealing_key_create(w->folder.fd, "sealing.key", err));
    open_trust(b);
}

/* The same with a checkpoint. */
static inline void bench_open_kept(struct bench *b, struct world *w)
{
    *b = (struct bench){.w = w, .now_us = T0, .keeps_checkpoint = true};
    OK(trust_sealing_key_create(w->folder.fd, "sealing.key", err));
    open_trust(b);
}

static inline void server_restart(struct bench *b)
{
    trust_close(b->trust);
    open_trust(b);
}

static inline struct spki spki_of(const struct made_key *key)
{
    struct tuf_key *read = NULL;
    assert_true(tuf_key_read(key->object, &read, NULL));
    struct spki spki = tuf_key_spki(read);
    tuf_key_free(read);
    return spki;
}

static inline void server_key(struct bench *b, const char *repo, enum role_kind role,
                              struct made_key *out)
{
    auto_buf struct buf json = {0};
    struct repo_name name = repo_of(repo);
    json_decref(out->object);
    *out = (struct made_key){.object = NULL};
    OK(server_key_current(b->trust, &name, role, NULL, b->now_us, &json, err));
    OK(json_read(buf_slice_of(&json), 8, &out->object, err));
    made_id(out);
}

static inline void bench_close(struct bench *b)
{
    json_decref(b->timestamp.object);
    json_decref(b->snapshot.object);
    trust_close(b->trust);
}

/* A root by these root keys (NULL ends them), with the server's keys of the repository at hand. */
static inline json_t *root_of(struct bench *b, int64_t version,
                              const struct made_key *const roots[], int threshold,
                              const struct made_key *targets)
{
    const struct made_key *const ts[] = {&b->timestamp, NULL}, *const sn[] = {&b->snapshot, NULL};
    json_t *part = made_root(version, roots, threshold, targets, &b->timestamp);
    json_t *all = json_object_get(part, "keys"), *roles = json_object_get(part, "roles");
    json_object_set_new(roles, "timestamp", made_role(all, ts, 1));
    json_object_set_new(roles, "snapshot", made_role(all, sn, 1));
    return part;
}

static inline json_t *root_for(struct bench *b, int64_t version, const struct made_key *root)
{
    const struct made_key *const list[] = {root, NULL};
    return root_of(b, version, list, 1, &keys.targets);
}

static inline void sign_tag(json_t *targets, const char *tag, const struct digest *digest,
                            size_t size)
{
    auto_buf struct buf hash = {0};
    base64_encode(&hash, slice_of_bytes(digest->bytes, 32));
    json_object_set_new(
        json_object_get(targets, "targets"), tag,
        json_pack("{s:{s:s}, s:I}", "hashes", "sha256", hash.p, "length", (json_int_t)size));
}

/* Publishes the documents of m; the answer's word, "" when stored. */
static inline const char *publish_as(struct bench *b, const char *repo, struct made *m, bool owner,
                                     char out[32])
{
    struct upload_part parts[MADE_DOCS_MAX];
    struct publish_verdict *v = NULL;
    struct err err = {0};
    for (size_t i = 0; i < m->count; i++) {
        made_write(&m->docs[i]);
        parts[i] = (struct upload_part){.has_name = true,
                                        .role = slice_str(m->docs[i].role),
                                        .bytes = buf_slice_of(&m->docs[i].bytes)};
    }
    struct publish_request request = {.repo = repo_of(repo),
                                      .parts = parts,
                                      .part_count = m->count,
                                      .actor = &b->w->alice,
                                      .may_administer = true,
                                      .is_owner = owner,
                                      .now_us = b->now_us};
    auto_free struct foreseen *foreseen = xcalloc(1, sizeof *foreseen);
    foresee(b, &request, foreseen);
    bool stored = publish_run(b->trust, &request, &v, &err);
    if (!v) {
        fail_msg("publish failed: %s (%s)", err.msg, err.detail);
    }
    assert_int_equal(foreseen->accepted, stored);
    if (stored) {
        compare_foreseen(b, &request.repo, foreseen);
    }
    (void)snprintf(out, 32, "%s", publish_verdict_word(v));
    assert_int_equal(stored, out[0] == '\0');
    publish_verdict_free(v);
    made_free(m);
    return out;
}

static inline void publish(struct bench *b, struct made *m)
{
    char word[32];
    assert_string_equal(publish_as(b, "ns/app", m, true, word), "");
}

/* root 1 by `root` and targets `version` that signs v1 as digest (unset: nothing). */
static inline void begin(struct bench *b, const char *repo, const struct made_key *root,
                         const struct digest *digest, size_t size, struct made *m)
{
    *m = (struct made){.count = 0};
    server_key(b, repo, ROLE_TIMESTAMP, &b->timestamp);
    server_key(b, repo, ROLE_SNAPSHOT, &b->snapshot);
    (void)made_add(m, "root", root_for(b, 1, root), root);
    json_t *targets = made_targets(1);
    if (digest) {
        sign_tag(targets, "v1", digest, size);
    }
    (void)made_add(m, "targets", targets, &keys.targets);
}

static inline void sign_again(struct bench *b, int64_t version, const char *tag,
                              const struct digest *digest, size_t size)
{
    struct made m = {.count = 0};
    json_t *targets = made_targets(version);
    if (tag) {
        sign_tag(targets, tag, digest, size);
    }
    (void)made_add(&m, "targets", targets, &keys.targets);
    publish(b, &m);
}

/* --- asking ----------------------------------------------------------------------------------- */

static const struct gate_caller deployer = {.gated = true}, developer = {.reads_unsigned = true};

static inline void move_tag(struct bench *b, const char *tag, const struct digest *digest)
{
    struct tag_name name = tag_of(tag);
    WRITE(b->w)
    {
        OK(tag_put(tx, b->w->repo.id, &name, digest, &b->w->alice, b->now_us, NULL, err));
    }
}

static inline struct decision ask_tag(struct bench *b, const struct gate_caller *caller,
                                      const char *tag)
{
    struct decision d = {0};
    struct tag_name name = tag_of(tag);
    READ(b->w)
    {
        struct repository repo;
        struct tag current;
        OK(repository_get_by_id(tx, b->w->repo.id, &repo, err));
        bool exists = tag_get(tx, repo.id, &name, &current, NULL);
        gate_decide_tag(b->trust, tx, caller, &repo, &repo.name, &name, exists ? &current : NULL,
                        -1, b->now_us, &d);
    }
    return d;
}

static inline struct decision ask_digest(struct bench *b, const struct gate_caller *caller,
                                         const struct digest *digest, bool blob)
{
    struct decision d = {0};
    READ(b->w)
    {
        struct repository repo;
        OK(repository_get_by_id(tx, b->w->repo.id, &repo, err));
        (blob ? gate_decide_blob : gate_decide_digest)(b->trust, tx, caller, &repo, &repo.name,
                                                       digest, b->now_us, &d);
    }
    return d;
}

#define REASON_OF(d, want)                                                                         \
    do {                                                                                           \
        struct decision d_ = (d);                                                                  \
        if (d_.reason != REASON_##want) {                                                          \
            fail_msg("line %d: %s: %s", __LINE__, gate_reason_info(d_.reason)->name, d_.message);  \
        }                                                                                          \
    } while (0)

/* The right of whoever is called alice, in namespace ns; NULL: it is gone. */
static inline bool may_change(struct db_tx *tx, const void *arg, int64_t *namespace_id_out,
                       struct err *err)
{
    const struct bench *b = arg;
    assert_non_null(tx);
    if (!b) {
        return err_set(err, ERR_DENIED, "alice is no owner any more");
    }
    *namespace_id_out = b->w->ns.id;
    return true;
}

static inline void deny(struct bench *b, const struct digest *digest, bool lift)
{
    struct denied_digest out;
    char warning[EXCEPTION_WARNING_MAX];
    struct deny_request request = {.right = {may_change, b},
                                   .scope = "ns",
                                   .digest = *digest,
                                   .reason = SLICE_LIT("bad"),
                                   .actor = &b->w->alice,
                                   .now_us = b->now_us};
    OK((lift ? deny_lift : deny_add)(b->trust, &request, &out, warning, err));
    assert_string_equal(warning, "");
}

static inline size_t size_of(struct bench *b, const struct digest *digest)
{
    struct manifest_info info;
    READ(b->w)
    {
        OK(manifest_stat(tx, b->w->repo.id, digest, &info, err));
    }
    return (size_t)info.size;
}

static inline const char *begin_with(struct bench *b, const char *repo, const struct made_key *root,
                                     bool owner, char out[32])
{
    struct made m;
    begin(b, repo, root, NULL, 0, &m);
    return publish_as(b, repo, &m, owner, out);
}

static inline int make_keys(void **state)
{
    (void)state;
    made_cert_new(&keys.root, NULL, HOST "/ns/*", -86400, 86400 * 3650L);
    made_cert_new(&keys.root2, NULL, HOST "/ns/*", -86400, 86400 * 3650L);
    made_key_new(&keys.targets);
    made_key_new(&keys.alice);
    return 0;
}

static inline int free_keys(void **state)
{
    (void)state;
    made_key_free(&keys.root);
    made_key_free(&keys.root2);
    made_key_free(&keys.targets);
    made_key_free(&keys.alice);
    return 0;
}

#endif
