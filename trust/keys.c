#include "trust/keys.h"

#include "base/hex.h"
#include "storage/repository.h"
#include "storage/trust_doc.h"
#include "storage/trust_key.h"
#include "trust/trust_internal.h"
#include "trust/verify/canon.h"
#include "trust/verify/spki.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

/* --- key pairs -------------------------------------------------------------------------------- */

static void cleanup_pkey(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}
#define auto_pkey __attribute__((cleanup(cleanup_pkey)))

static void cleanup_md_ctx(EVP_MD_CTX **ctx)
{
    EVP_MD_CTX_free(*ctx);
}
#define auto_md_ctx __attribute__((cleanup(cleanup_md_ctx)))

void held_key_dispose(struct held_key *key)
{
    buf_dispose(&key->public_der);
    buf_wipe(&key->sealed);
    *key = (struct held_key){0};
}

static bool put_pair(const struct sealing *sealing, const struct repo_name *repo, const char *role,
                     EVP_PKEY *pkey, struct held_key *out, struct err *err)
{
    unsigned char *public_der = NULL, *private_der = NULL;
    auto_buf struct buf json = {0};
    int public_n = i2d_PUBKEY(pkey, &public_der), private_n = i2d_PrivateKey(pkey, &private_der);
    bool ok = public_n > 0 && private_n > 0;
    if (ok) {
        buf_put(&out->public_der, public_der, (size_t)public_n);
        tuf_key_write_ecdsa(buf_slice_of(&out->public_der), &json, out->id);
        const struct seal_place place = {repo_name_slice(repo), role, out->id};
        sealing_seal(sealing, &place, slice_of_bytes(private_der, (size_t)private_n), &out->sealed);
    }
    OPENSSL_free(public_der);
    OPENSSL_clear_free(private_der, private_n > 0 ? (size_t)private_n : 0);
    return ok || err_internal(err, "a new key does not encode");
}

bool held_key_make(const struct sealing *sealing, const struct repo_name *repo, const char *role,
                   struct held_key *out, struct err *err)
{
    auto_pkey EVP_PKEY *key = EVP_EC_gen("P-256");
    *out = (struct held_key){0};
    if (!key) {
        return err_internal(err, "no P-256 key could be made");
    }
    return put_pair(sealing, repo, role, key, out, err);
}

static bool is_p256(const EVP_PKEY *key)
{
    char group[32] = "";
    return EVP_PKEY_is_a(key, "EC") &&
           EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1 &&
           strcmp(group, "prime256v1") == 0;
}

/* The public half must belong to the private one: documents would not verify otherwise. */
static bool pair_fits(EVP_PKEY *key)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    bool fits = ctx && EVP_PKEY_check(ctx) == 1;
    EVP_PKEY_CTX_free(ctx);
    return fits;
}

bool held_key_adopt(const struct sealing *sealing, const struct repo_name *repo, const char *role,
                    struct slice private_der, struct held_key *out, struct err *err)
{
    const unsigned char *p = (const unsigned char *)private_der.p;
    auto_pkey EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &p, (long)private_der.n);
    *out = (struct held_key){0};
    if (!key || !is_p256(key) || !pair_fits(key)) {
        return err_set(err, ERR_INVALID, "it is no ECDSA P-256 key");
    }
    return put_pair(sealing, repo, role, key, out, err);
}

/* How the library writes a P-256 pair: these, the number, those, and the point. */
#define NUMBER_SIZE 32
#define POINT_SIZE 65
static const unsigned char before_number[] = {0x30, 0x77, 0x02, 0x01, 0x01, 0x04, NUMBER_SIZE};
static const unsigned char before_point[] = {0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d,
                                             0x03, 0x01, 0x07, 0xa1, 0x44, 0x03, 0x42, 0x00};
#define PAIR_SIZE (sizeof before_number + NUMBER_SIZE + sizeof before_point + POINT_SIZE)

static EVP_PKEY *pair_of(const unsigned char number[NUMBER_SIZE], struct slice point)
{
    unsigned char native[NUMBER_SIZE];
    BIGNUM *n = BN_bin2bn(number, NUMBER_SIZE, NULL);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *key = NULL;
    bool ready = n && ctx && BN_bn2nativepad(n, native, sizeof native) == NUMBER_SIZE;
    OSSL_PARAM parts[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)"P-256", 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)point.p,
                                          point.n),
        OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, native, sizeof native),
        OSSL_PARAM_construct_end()};
    if (!ready || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, parts) != 1) {
        key = NULL;
    }
    OPENSSL_cleanse(native, sizeof native);
    BN_clear_free(n);
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return key;
}

/* A pair in that form whose point is the row's; NULL: look closer. The decoders of the library find out
 * first what the bytes may be, which costs ten times as much as signing. */
static EVP_PKEY *read_pair(const struct unsealed *der, const struct trust_key *key)
{
    struct slice point = spki_p256_point(buf_slice_of(&key->public_der));
    struct slice pair = slice_of_bytes(der->p, der->n);
    if (pair.n != PAIR_SIZE) {
        return NULL;
    }
    struct slice rest = slice_from(pair, sizeof before_number + NUMBER_SIZE);
    if (!slice_equal(slice_first(pair, sizeof before_number),
                     slice_of_bytes(before_number, sizeof before_number)) ||
        !slice_equal(slice_first(rest, sizeof before_point),
                     slice_of_bytes(before_point, sizeof before_point)) ||
        !slice_equal(slice_from(rest, sizeof before_point), point)) {
        return NULL;
    }
    return pair_of(der->p + sizeof before_number, point);
}

/* The private half belongs to the key of this row, whatever the row says. */
static bool parse_private(const struct unsealed *der, const struct trust_key *key, EVP_PKEY **out,
                          struct err *err)
{
    *out = read_pair(der, key);
    if (*out) {
        return true;
    }
    const unsigned char *p = der->p;
    unsigned char *public_der = NULL;
    *out = d2i_PrivateKey(EVP_PKEY_EC, NULL, &p, (long)der->n); /* guessing the type takes thrice as long */
    int n = *out ? i2d_PUBKEY(*out, &public_der) : 0;
    bool same = n > 0 && slice_equal(slice_of_bytes(public_der, (size_t)n),
                                     buf_slice_of(&key->public_der));
    OPENSSL_free(public_der);
    return same || err_internal(err, "server key %s does not have the private half of its row",
                                key->key_id);
}

static struct seal_place place_of(struct slice repository, const struct trust_key *key)
{
    return (struct seal_place){repository, key->role, key->key_id};
}

static bool open_key(const struct sealing *sealing, struct slice repository,
                     const struct trust_key *key, EVP_PKEY **out, struct err *err)
{
    auto_unsealed struct unsealed der = {0};
    const struct seal_place place = place_of(repository, key);
    return sealing_unseal(sealing, &place, key->sealed_by, buf_slice_of(&key->sealed), &der, err) &&
           parse_private(&der, key, out, err);
}

bool held_key_opens(const struct sealing *sealing, struct slice repository,
                    const struct trust_key *key, struct err *err)
{
    auto_pkey EVP_PKEY *pkey = NULL;
    return open_key(sealing, repository, key, &pkey, err);
}

bool held_key_reseal(const struct sealing *from, const struct sealing *to, struct slice repository,
                     const struct trust_key *key, struct buf *sealed_out, struct err *err)
{
    auto_unsealed struct unsealed der = {0};
    auto_pkey EVP_PKEY *pkey = NULL;
    const struct seal_place place = place_of(repository, key);
    struct slice sealed = buf_slice_of(&key->sealed);
    bool opened = key->sealed_by[0]
                      ? sealing_unseal(from, &place, key->sealed_by, sealed, &der, err)
                      : sealing_unseal_unbound(from, sealed, &der, err);
    if (!opened || !parse_private(&der, key, &pkey, err)) {
        return false;
    }
    sealing_seal(to, &place, slice_of_bytes(der.p, der.n), sealed_out);
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

/* DER ECDSA-Sig-Value to r||s, each left-padded to 32 bytes. */
static bool flatten_signature(const unsigned char *der, size_t n, struct buf *out, struct err *err)
{
    unsigned char raw[64];
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)n);
    bool ok = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32) == 32 &&
              BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32) == 32;
    ECDSA_SIG_free(sig);
    if (!ok) {
        return err_internal(err, "a signature does not encode");
    }
    buf_put(out, raw, sizeof raw);
    return true;
}

bool held_key_sign(const struct sealing *sealing, const struct repo_name *repo,
                   const struct trust_key *key, struct slice bytes, struct buf *sig_out,
                   struct err *err)
{
    auto_pkey EVP_PKEY *pkey = NULL;
    auto_md_ctx EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char der[128];
    size_t n = sizeof der;
    if (!open_key(sealing, repo_name_slice(repo), key, &pkey, err)) {
        return false;
    }
    if (EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, pkey, NULL) != 1 ||
        EVP_DigestSign(ctx, der, &n, (const unsigned char *)bytes.p, bytes.n) != 1) {
        return err_internal(err, "signing with server key %s failed", key->key_id);
    }
    return flatten_signature(der, n, sig_out, err);
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
        buf_printf(wire_out, "%s{\"keyid\":\"%s\",\"method\":\"ecdsa\",\"sig\":\"", i ? "," : "",
                   keys[i]->key_id);
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
    tuf_key_write_ecdsa(buf_slice_of(&key->public_der), json_out, id);
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
    if (!repository_ensure(tx, a->repo, a->now_us, &repo, NULL, err)) {
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
    tuf_key_write_ecdsa(a->key.public_der, a->json_out, id);
    return trust_key_put(tx, repo.id, &a->key, a->now_us, err);
}

static bool make_pending(struct trust *trust, const struct repo_name *repo, enum role_kind role,
                         int64_t now_us, struct buf *json_out, struct err *err)
{
    auto_held_key struct held_key made = {0};
    if (!held_key_make(trust->sealing, repo, role_text(role), &made, err)) {
        return false;
    }
    struct pending_arg arg = {.repo = repo, .role = role, .now_us = now_us, .json_out = json_out};
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
                       bool rotate, int64_t now_us, struct buf *json_out, struct err *err)
{
    bool found = false;
    if (!find_key(trust, repo, role, rotate, json_out, &found, err)) {
        return false;
    }
    return found || make_pending(trust, repo, role, now_us, json_out, err);
}

bool server_key_current(struct trust *trust, const struct repo_name *repo, enum role_kind role,
                        int64_t now_us, struct buf *json_out, struct err *err)
{
    return answer_key(trust, repo, role, false, now_us, json_out, err);
}

bool server_key_rotate(struct trust *trust, const struct repo_name *repo, enum role_kind role,
                       int64_t now_us, struct buf *json_out, struct err *err)
{
    return answer_key(trust, repo, role, true, now_us, json_out, err);
}
