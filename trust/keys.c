#include "trust/keys.h"

#include "base/fsx.h"
#include "base/hash.h"
#include "base/hex.h"
#include "storage/repository.h"
#include "storage/trust_doc.h"
#include "storage/trust_key.h"
#include "trust/trust_internal.h"
#include "trust/verify/canon.h"

#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <sodium.h>
#include <sys/stat.h>

struct sealing {
    uint8_t *key; /* sodium_malloc, read-only */
};

/* --- the sealing key -------------------------------------------------------------------------- */

static bool read_key_file(int fd, const char *path, uint8_t *key, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return err_set(err, ERR_INVALID, "the sealing key %s cannot be read", path);
    }
    if ((st.st_mode & 077) != 0) {
        return err_set(err, ERR_INVALID, "the sealing key %s may be read by others; chmod 600 it",
                       path);
    }
    if (st.st_size != SEALING_KEY_SIZE || read(fd, key, SEALING_KEY_SIZE) != SEALING_KEY_SIZE) {
        return err_set(err, ERR_INVALID, "the sealing key %s does not hold %d bytes", path,
                       SEALING_KEY_SIZE);
    }
    return true;
}

bool sealing_read(const char *path, struct sealing **out, struct err *err)
{
    *out = NULL;
    if (sodium_init() < 0) {
        return err_internal(err, "libsodium does not start");
    }
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return err_set(err, ERR_INVALID, "the sealing key %s cannot be opened", path);
    }
    uint8_t *key = sodium_malloc(SEALING_KEY_SIZE);
    if (!key) {
        return err_internal(err, "no protected memory for the sealing key");
    }
    if (!read_key_file(fd, path, key, err)) {
        sodium_free(key);
        return false;
    }
    (void)sodium_mprotect_readonly(key);
    *out = xcalloc(1, sizeof **out);
    (*out)->key = key;
    return true;
}

void sealing_free(struct sealing *s)
{
    if (s) {
        sodium_free(s->key);
        free(s);
    }
}

void sealing_derive(const struct sealing *sealing, const char *purpose, uint8_t out[32])
{
    _Static_assert(SEALING_KEY_SIZE == crypto_kdf_KEYBYTES, "the sealing key is a master key too");
    (void)crypto_kdf_derive_from_key(out, 32, 1, purpose, sealing->key);
}

static void seal(const struct sealing *s, struct slice secret, struct buf *out)
{
    uint8_t nonce[crypto_secretbox_NONCEBYTES];
    randombytes_buf(nonce, sizeof nonce);
    auto_free uint8_t *box = xmalloc(secret.n + crypto_secretbox_MACBYTES);
    if (crypto_secretbox_easy(box, (const uint8_t *)secret.p, secret.n, nonce, s->key) != 0) {
        BUG("secretbox does not seal");
    }
    buf_put(out, nonce, sizeof nonce);
    buf_put(out, box, secret.n + crypto_secretbox_MACBYTES);
}

/*   out   wipe it (buf_wipe) */
static bool unseal(const struct sealing *s, struct slice sealed, struct buf *out, struct err *err)
{
    const size_t overhead = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES;
    if (sealed.n <= overhead || sealed.n > overhead + 4096) {
        return err_internal(err, "a sealed key has %zu bytes", sealed.n);
    }
    const uint8_t *nonce = (const uint8_t *)sealed.p, *box = nonce + crypto_secretbox_NONCEBYTES;
    buf_reserve(out, sealed.n);
    if (crypto_secretbox_open_easy((uint8_t *)out->p, box, sealed.n - crypto_secretbox_NONCEBYTES,
                                   nonce, s->key) != 0) {
        return err_internal(err, "the sealing key does not open a server key");
    }
    out->n = sealed.n - overhead;
    return true;
}

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

static bool put_pair(const struct sealing *sealing, EVP_PKEY *key, struct buf *public_der_out,
                     struct buf *sealed_out, char id_out[KEY_ID_MAX], struct err *err)
{
    unsigned char *public_der = NULL, *private_der = NULL;
    auto_buf struct buf json = {0};
    int public_n = i2d_PUBKEY(key, &public_der), private_n = i2d_PrivateKey(key, &private_der);
    bool ok = public_n > 0 && private_n > 0;
    if (ok) {
        buf_put(public_der_out, public_der, (size_t)public_n);
        seal(sealing, slice_of_bytes(private_der, (size_t)private_n), sealed_out);
        tuf_key_write_ecdsa(buf_slice_of(public_der_out), &json, id_out);
    }
    OPENSSL_free(public_der);
    OPENSSL_clear_free(private_der, private_n > 0 ? (size_t)private_n : 0);
    return ok || err_internal(err, "a new key does not encode");
}

bool held_key_make(const struct sealing *sealing, struct buf *public_der_out,
                   struct buf *sealed_out, char id_out[KEY_ID_MAX], struct err *err)
{
    auto_pkey EVP_PKEY *key = EVP_EC_gen("P-256");
    if (!key) {
        return err_internal(err, "no P-256 key could be made");
    }
    return put_pair(sealing, key, public_der_out, sealed_out, id_out, err);
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

bool held_key_adopt(const struct sealing *sealing, struct slice private_der,
                    struct buf *public_der_out, struct buf *sealed_out, char id_out[KEY_ID_MAX],
                    struct err *err)
{
    const unsigned char *p = (const unsigned char *)private_der.p;
    auto_pkey EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &p, (long)private_der.n);
    if (!key || !is_p256(key) || !pair_fits(key)) {
        return err_set(err, ERR_INVALID, "it is no ECDSA P-256 key");
    }
    return put_pair(sealing, key, public_der_out, sealed_out, id_out, err);
}

static bool open_key(const struct sealing *sealing, const struct trust_key *key, EVP_PKEY **out,
                     struct err *err)
{
    auto_wiped struct buf der = {0};
    if (!unseal(sealing, buf_slice_of(&key->sealed), &der, err)) {
        return false;
    }
    const unsigned char *p = (const unsigned char *)der.p;
    *out = d2i_PrivateKey(EVP_PKEY_EC, NULL, &p, (long)der.n); /* guessing the type takes thrice as long */
    return *out || err_internal(err, "an unsealed server key does not parse");
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

bool held_key_sign(const struct sealing *sealing, const struct trust_key *key, struct slice bytes,
                   struct buf *sig_out, struct err *err)
{
    auto_pkey EVP_PKEY *pkey = NULL;
    auto_md_ctx EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char der[128];
    size_t n = sizeof der;
    if (!open_key(sealing, key, &pkey, err)) {
        return false;
    }
    if (EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, pkey, NULL) != 1 ||
        EVP_DigestSign(ctx, der, &n, (const unsigned char *)bytes.p, bytes.n) != 1) {
        return err_internal(err, "signing with server key %s failed", key->key_id);
    }
    return flatten_signature(der, n, sig_out, err);
}

bool trust_sign_document(const struct sealing *sealing, const json_t *signed_part,
                         const struct trust_key *const *keys, size_t key_count,
                         struct buf *wire_out, struct err *err)
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
        if (!held_key_sign(sealing, keys[i], buf_slice_of(&canonical), &sig, err)) {
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
    struct slice public_der, sealed;
    const char *id;
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
    tuf_key_write_ecdsa(a->public_der, a->json_out, id);
    return trust_key_put(tx, repo.id, role, a->id, a->public_der, a->sealed, a->now_us, err);
}

static bool make_pending(struct trust *trust, const struct repo_name *repo, enum role_kind role,
                         int64_t now_us, struct buf *json_out, struct err *err)
{
    auto_buf struct buf public_der = {0}, sealed = {0};
    char id[KEY_ID_MAX];
    if (!held_key_make(trust->sealing, &public_der, &sealed, id, err)) {
        return false;
    }
    struct pending_arg arg = {.repo = repo,
                              .role = role,
                              .now_us = now_us,
                              .public_der = buf_slice_of(&public_der),
                              .sealed = buf_slice_of(&sealed),
                              .id = id,
                              .json_out = json_out};
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
