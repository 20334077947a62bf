#include "trust/sealing.h"

#include "base/cleanup.h"
#include "base/hex.h"
#include "trust/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>

#define NONCE_SIZE crypto_secretbox_NONCEBYTES
#define OVERHEAD (crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES)
#define SECRET_MAX 4096

struct sealing {
    uint8_t *key; /* sodium_malloc, read-only */
    char id[SEALING_ID_MAX];
    struct sealing *next; /* accepted too; may be NULL */
};

/* --- the file --------------------------------------------------------------------------------- */

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

static struct sealing *sealing_make(uint8_t *key)
{
    struct sealing *s = xcalloc(1, sizeof *s);
    uint8_t id[32];
    (void)sodium_mprotect_readonly(key);
    s->key = key;
    sealing_derive(s, "seal_id_", id);
    (void)hex_encode(id, (SEALING_ID_MAX - 1) / 2, s->id);
    return s;
}

bool sealing_read(const char *path, struct sealing **out, struct err *err)
{
    *out = NULL;
    if (sodium_init() < 0) {
        return err_internal(err, "libsodium does not start");
    }
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return err_set(err, ERR_INVALID, "the sealing key %s cannot be opened: %s", path, strerror(errno));
    }
    uint8_t *key = sodium_malloc(SEALING_KEY_SIZE);
    if (!key) {
        return err_internal(err, "no protected memory for the sealing key");
    }
    if (!read_key_file(fd, path, key, err)) {
        sodium_free(key);
        return false;
    }
    *out = sealing_make(key);
    return true;
}

void sealing_free(struct sealing *s)
{
    if (s) {
        sealing_free(s->next);
        sodium_free(s->key);
        free(s);
    }
}

void sealing_accept(struct sealing *s, struct sealing *next)
{
    sealing_free(s->next);
    s->next = next;
}

const struct sealing *sealing_next(const struct sealing *s)
{
    return s->next;
}

const char *sealing_id(const struct sealing *s)
{
    return s->id;
}

void sealing_derive(const struct sealing *s, const char *purpose, uint8_t out[32])
{
    _Static_assert(SEALING_KEY_SIZE == crypto_kdf_KEYBYTES, "the sealing key is a master key too");
    (void)crypto_kdf_derive_from_key(out, 32, 1, purpose, s->key);
}

/* --- sealing ---------------------------------------------------------------------------------- */

/* The key of one place. None of the texts holds a NUL, so no two places make the same bytes. */
static void key_of_place(const struct sealing *s, const struct seal_place *place,
                         uint8_t out[crypto_secretbox_KEYBYTES])
{
    static const char label[] = "bondstore server key";
    crypto_generichash_state state;
    (void)crypto_generichash_init(&state, s->key, SEALING_KEY_SIZE, crypto_secretbox_KEYBYTES);
    (void)crypto_generichash_update(&state, (const uint8_t *)label, sizeof label);
    (void)crypto_generichash_update(&state, (const uint8_t *)place->repository.p,
                                    place->repository.n);
    (void)crypto_generichash_update(&state, (const uint8_t *)"", 1);
    (void)crypto_generichash_update(&state, (const uint8_t *)place->role, strlen(place->role) + 1);
    (void)crypto_generichash_update(&state, (const uint8_t *)place->key_id, strlen(place->key_id));
    (void)crypto_generichash_final(&state, out, crypto_secretbox_KEYBYTES);
    sodium_memzero(&state, sizeof state);
}

void sealing_seal(const struct sealing *s, const struct seal_place *place, struct slice secret,
                  struct buf *out)
{
    uint8_t nonce[NONCE_SIZE], key[crypto_secretbox_KEYBYTES];
    auto_free uint8_t *box = xmalloc(secret.n + crypto_secretbox_MACBYTES);
    randombytes_buf(nonce, sizeof nonce);
    key_of_place(s, place, key);
    if (crypto_secretbox_easy(box, (const uint8_t *)secret.p, secret.n, nonce, key) != 0) {
        BUG("secretbox does not seal");
    }
    sodium_memzero(key, sizeof key);
    buf_put(out, nonce, sizeof nonce);
    buf_put(out, box, secret.n + crypto_secretbox_MACBYTES);
}

void unsealed_dispose(struct unsealed *u)
{
    sodium_free(u->p);
    *u = (struct unsealed){0};
}

static bool open_box(const uint8_t *key, struct slice sealed, struct unsealed *out, struct err *err)
{
    *out = (struct unsealed){0};
    if (sealed.n <= OVERHEAD || sealed.n > OVERHEAD + SECRET_MAX) {
        return err_internal(err, "a sealed key has %zu bytes", sealed.n);
    }
    const uint8_t *nonce = (const uint8_t *)sealed.p;
    out->n = sealed.n - OVERHEAD;
    out->p = sodium_malloc(out->n);
    if (!out->p) {
        return err_internal(err, "no protected memory for a server key");
    }
    if (crypto_secretbox_open_easy(out->p, nonce + NONCE_SIZE, sealed.n - NONCE_SIZE, nonce, key) !=
        0) {
        unsealed_dispose(out);
        return err_internal(err, "the sealing key does not open a server key");
    }
    return true;
}

bool sealing_unseal(const struct sealing *s, const struct seal_place *place, const char *sealed_by,
                    struct slice sealed, struct unsealed *out, struct err *err)
{
    uint8_t key[crypto_secretbox_KEYBYTES];
    *out = (struct unsealed){0};
    if (strcmp(sealed_by, s->id) != 0) {
        return s->next ? sealing_unseal(s->next, place, sealed_by, sealed, out, err)
                       : err_internal(err, "a server key was sealed under another sealing key (%s)",
                                      sealed_by);
    }
    key_of_place(s, place, key);
    bool ok = open_box(key, sealed, out, err);
    sodium_memzero(key, sizeof key);
    return ok;
}

bool sealing_unseal_unbound(const struct sealing *s, struct slice sealed, struct unsealed *out,
                            struct err *err)
{
    struct err why = {0};
    if (s->next && sealing_unseal_unbound(s->next, sealed, out, &why)) {
        return true;
    }
    return open_box(s->key, sealed, out, err);
}
