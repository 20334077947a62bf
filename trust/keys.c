#include "trust/keys.h"

#include "base/hex.h"
#include "storage/repository.h"
#include "storage/trust_doc.h"
#include "storage/trust_key.h"
#include "trust/key_pair.h"
#include "trust/trust_internal.h"
#include "trust/verify/canon.h"

/* --- sealed pairs ----------------------------------------------------------------------------- */

void held_key_dispose(struct held_key *key)
{
    buf_dispose(&key->public_der);
    buf_wipe(&key->sealed);
    *key = (struct held_key){0};
}

static bool put_pair(const struct sealing *sealing, const struct repo_name *repo, const char *role,
                     const struct key_pair *pair, struct held_key *out, struct err *err)
{
    auto_wiped struct buf private_half = {0};
    auto_buf struct buf json = {0};
    if (!key_pair_write(pair, &out->public_der, &private_half, err)) {
        return false;
    }
    tuf_key_write_spki(buf_slice_of(&out->public_der), &json, out->id);
    const struct seal_place place = {repo_name_slice(repo), role, out->id};
    sealing_seal(sealing, &place, buf_slice_of(&private_half), &out->sealed);
    return true;
}

bool held_key_make(const struct sealing *sealing, const struct repo_name *repo, const char *role,
                   struct held_key *out, struct err *err)
{
    auto_key_pair struct key_pair pair = {0};
    *out = (struct held_key){0};
    return key_pair_make(&pair, err) && put_pair(sealing, repo, role, &pair, out, err);
}

bool held_key_adopt(const struct sealing *sealing, const struct repo_name *repo, const char *role,
                    struct slice form, struct held_key *out, struct err *err)
{
    auto_key_pair struct key_pair pair = {0};
    *out = (struct held_key){0};
    return key_pair_adopt(form, &pair, err) && put_pair(sealing, repo, role, &pair, out, err);
}

/* The private half belongs to the key of this row, whatever the row says. */
static bool read_half(const struct unsealed *half, const struct trust_key *key, struct key_pair *out,
                      struct err *err)
{
    return key_pair_read(buf_slice_of(&key->public_der), slice_of_bytes(half->p, half->n), out) ||
           err_internal(err, "server key %s does not have the private half of its row", key->key_id);
}

static struct seal_place place_of(struct slice repository, const struct trust_key *key)
{
    return (struct seal_place){repository, key->role, key->key_id};
}

static bool open_key(const struct sealing *sealing, struct slice repository,
                     const struct trust_key *key, struct key_pair *out, struct err *err)
{
    auto_unsealed struct unsealed half = {0};
    const struct seal_place place = place_of(repository, key);
    return sealing_unseal(sealing, &place, key->sealed_by, buf_slice_of(&key->sealed), &half, err) &&
           read_half(&half, key, out, err);
}

bool held_key_opens(const struct sealing *sealing, struct slice repository,
                    const struct trust_key *key, struct err *err)
{
    auto_key_pair struct key_pair pair = {0};
    return open_key(sealing, repository, key, &pair, err);
}

bool held_key_reseal(const struct sealing *from, const struct sealing *to, struct slice repository,
                     const struct trust_key *key, struct buf *sealed_out, struct err *err)
{
    auto_unsealed struct unsealed half = {0};
    auto_key_pair struct key_pair pair = {0};
    const struct seal_place place = place_of(repository, key);
    struct slice sealed = buf_slice_of(&key->sealed);
    bool opened = key->sealed_by[0]
                      ? sealing_unseal(from, &place, key->sealed_by, sealed, &half, err)
                      : sealing_unseal_unbound(from, sealed, &half, err);
    if (!opened || !read_half(&half, key, &pair, err)) {
        return false;
    }
    sealing_seal(to, &place, slice_of_bytes(half.p, half.n), sealed_out);
    return true;
}

void held_key_row(const struct sealing *sealing, const struct held_key *key, const char *role,
                  struct trust_key_new *out)
{
    *out = (struct trust_key_new){.role = slice_str(role),
                                  .key_id = key->id,
                                  .public_der = buf_slice_of(&key->public_der),
                                  .sealed = buf_slice_of(&key->sealed),
                                  .sealed_by = sealing_id(sealing)};
}

bool held_key_sign(const struct sealing *sealing, const struct repo_name *repo,
                   const struct trust_key *key, struct slice bytes, struct buf *sig_out,
                   struct err *err)
{
    auto_key_pair struct key_pair pair = {0};
    return open_key(sealing, repo_name_slice(repo), key, &pair, err) &&
           key_pair_sign(&pair, bytes, sig_out, err);
}

bool trust_sign_document(const struct sealing *sealing, const struct repo_name *repo,
                         const json_t *signed_part, const struct trust_key *const *keys,
                         size_t key_count, struct buf *wire_out, struct err *err)
{
    auto_buf struct buf canonical = {0};
    if (!canon_encode(signed_part, &canonical, err)) {
        return false;
    }
    buf_str(wire_out, "{\"signed\":");
    if (!canon_encode_wire(signed_part, wire_out, err)) {
        return false;
    }
    buf_str(wire_out, ",\"signatures\":[");
    for (size_t i = 0; i < key_count; i++) {
        auto_buf struct buf sig = {0};
        if (!held_key_sign(sealing, repo, keys[i], buf_slice_of(&canonical), &sig, err)) {
            return false;
        }
        buf_printf(wire_out, "%s{\"keyid\":\"%s\",\"method\":\"%s\",\"sig\":\"", i ? "," : "",
                   keys[i]->key_id, tuf_spki_method(buf_slice_of(&keys[i]->public_der)));
        base64_encode(wire_out, buf_slice_of(&sig));
        buf_str(wire_out, "\"}");
    }
    buf_str(wire_out, "]}");
    return true;
}

/* --- the key endpoints ------------------------------------------------------------------------ */

static const char *role_text(enum role_kind role)
{
    return role == ROLE_TIMESTAMP ? "timestamp" : "snapshot";
}

static void write_key(const struct trust_key *key, struct buf *json_out)
{
    char id[KEY_ID_MAX];
    tuf_key_write_spki(buf_slice_of(&key->public_der), json_out, id);
}

/* The key of the current root that the server holds; false when there is no such (err untouched,
 * *failed says whether something went wrong). */
static bool key_of_root(struct db_tx *tx, int64_t repository_id, enum role_kind role,
                        struct buf *json_out, bool *failed, struct err *err)
{
    auto_trust_doc struct trust_doc row = {0};
    struct tuf_doc *root = NULL;
    struct err why = {0};
    bool found = false;
    *failed = false;
    if (!trust_doc_current_role(tx, repository_id, SLICE_LIT("root"), &row, &why)) {
        if (why.code != ERR_TRUST_NOT_FOUND) {
            *err = why;
            *failed = true;
        }
        return false;
    }
    if (tuf_doc_read(SLICE_LIT("root"), row.bytes, &root, &why) != DOC_OK) {
        *failed = true;
        err_internal(err, "the stored root does not read: %s", why.msg);
        return false;
    }
    const struct tuf_role_keys *keys = role == ROLE_TIMESTAMP ? &root->timestamp : &root->snapshot;
    for (size_t i = 0; !found && i < keys->key_count; i++) {
        auto_trust_key struct trust_key key = {0};
        found = trust_key_get(tx, repository_id, slice_str(role_text(role)), keys->key_ids[i], &key,
                              &why);
        if (found) {
            write_key(&key, json_out);
        }
    }
    tuf_doc_free(root);
    return found;
}

struct pending_arg {
    const struct repo_name *repo;
    enum role_kind role;
    const struct actor *by; /* may be NULL */
    int64_t now_us;
    struct trust_key_new key;
    struct buf *json_out;
};

/* Another request may have made the pending key meanwhile: that one is answered then. */
static bool write_pending(struct db_tx *tx, void *arg, struct err *err)
{
    struct pending_arg *a = arg;
    struct repository repo;
    struct slice role = slice_str(role_text(a->role));
    auto_trust_key struct trust_key key = {0};
    struct err why = {0};
    buf_clear(a->json_out);
    if ((a->by && !actor_may_still(tx, a->by, err)) ||
        !repository_ensure(tx, a->repo, a->now_us, &repo, NULL, err)) {
        return false;
    }
    if (trust_key_pending(tx, repo.id, role, &key, &why)) {
        write_key(&key, a->json_out);
        return true;
    }
    if (why.code != ERR_NOT_FOUND) {
        *err = why;
        return false;
    }
    char id[KEY_ID_MAX];
    tuf_key_write_spki(a->key.public_der, a->json_out, id);
    return trust_key_put(tx, repo.id, &a->key, a->now_us, err);
}

static bool make_pending(struct trust *trust, const struct repo_name *repo, enum role_kind role,
                         const struct actor *by, int64_t now_us, struct buf *json_out,
                         struct err *err)
{
    auto_held_key struct held_key made = {0};
    if (!held_key_make(trust->sealing, repo, role_text(role), &made, err)) {
        return false;
    }
    struct pending_arg arg = {
        .repo = repo, .role = role, .by = by, .now_us = now_us, .json_out = json_out};
    held_key_row(trust->sealing, &made, role_text(role), &arg.key);
    return db_write(trust->db, write_pending, &arg, err);
}

/* Answers from what is stored; *found false: nothing there yet. */
static bool find_key(struct trust *trust, const struct repo_name *repo, enum role_kind role,
                     bool rotate, struct buf *json_out, bool *found, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    struct repository row;
    struct err why = {0};
    bool failed = false;
    *found = false;
    if (!db_snapshot(trust->db, &tx, err)) {
        return false;
    }
    if (!repository_get(tx, repo, &row, &why)) {
        if (why.code == ERR_NAME_UNKNOWN) {
            return true;
        }
        *err = why;
        return false;
    }
    if (!rotate && key_of_root(tx, row.id, role, json_out, &failed, err)) {
        *found = true;
        return true;
    }
    auto_trust_key struct trust_key key = {0};
    if (!failed && trust_key_pending(tx, row.id, slice_str(role_text(role)), &key, &why)) {
        write_key(&key, json_out);
        *found = true;
    }
    return !failed;
}

static bool answer_key(struct trust *trust, const struct repo_name *repo, enum role_kind role,
                       bool rotate, const struct actor *by, int64_t now_us, struct buf *json_out,
                       struct err *err)
{
    bool found = false;
    if (!find_key(trust, repo, role, rotate, json_out, &found, err)) {
        return false;
    }
    return found || make_pending(trust, repo, role, by, now_us, json_out, err);
}

bool server_key_current(struct trust *trust, const struct repo_name *repo, enum role_kind role,
                        const struct actor *by, int64_t now_us, struct buf *json_out, struct err *err)
{
    return answer_key(trust, repo, role, false, by, now_us, json_out, err);
}

bool server_key_rotate(struct trust *trust, const struct repo_name *repo, enum role_kind role,
                       const struct actor *by, int64_t now_us, struct buf *json_out, struct err *err)
{
    return answer_key(trust, repo, role, true, by, now_us, json_out, err);
}
