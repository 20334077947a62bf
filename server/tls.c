#include "server/tls.h"

#include "base/buf.h"
#include "base/fsx.h"
#include "server/tls_session.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#define CHAIN_MAX 8
#define PEM_MAX (256U << 10)

/* One reading of the files. Kept until the end: sessions borrow from it. */
struct material {
    struct material *older;
    gnutls_pcert_st chain[CHAIN_MAX];
    unsigned n;
    gnutls_privkey_t key;
};

struct tls {
    char *certificate_path, *key_path;
    pthread_mutex_t lock; /* current */
    struct material *current;
    gnutls_datum_t ticket_key;
    struct tls_session_place places[TLS_SESSION_PLACES];
};

static void material_free(struct material *m)
{
    while (m != NULL) {
        struct material *older = m->older;
        for (unsigned i = 0; i < m->n; i++) {
            gnutls_pcert_deinit(&m->chain[i]);
        }
        if (m->key != NULL) {
            gnutls_privkey_deinit(m->key);
        }
        free(m);
        m = older;
    }
}

static bool read_pem(const char *path, const char *what, struct buf *out, struct err *err)
{
    struct err why = {0};
    if (!fsx_read(AT_FDCWD, path, PEM_MAX, out, &why)) {
        return err_set(err, ERR_INVALID, "cannot read the %s %s: %s", what, path,
                       why.sys != 0 ? strerror(why.sys) : why.msg);
    }
    return true;
}

static bool read_chain(const char *path, struct material *m, struct err *err)
{
    auto_buf struct buf pem = {0};
    if (!read_pem(path, "certificate", &pem, err)) {
        return false;
    }
    const gnutls_datum_t datum = {.data = (unsigned char *)pem.p, .size = (unsigned)pem.n};
    unsigned n = CHAIN_MAX;
    int result = gnutls_pcert_list_import_x509_raw(m->chain, &n, &datum, GNUTLS_X509_FMT_PEM,
                                                   GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED);
    if (result < 0 || n == 0) {
        return err_set(err, ERR_INVALID, "%s holds no usable certificate chain: %s", path,
                       gnutls_strerror(result));
    }
    m->n = n;
    return true;
}

static bool read_key(const char *path, struct material *m, struct err *err)
{
    auto_buf struct buf pem = {0};
    if (!read_pem(path, "certificate's key", &pem, err)) {
        return false;
    }
    const gnutls_datum_t datum = {.data = (unsigned char *)pem.p, .size = (unsigned)pem.n};
    int result = gnutls_privkey_init(&m->key);
    if (result >= 0) {
        result = gnutls_privkey_import_x509_raw(m->key, &datum, GNUTLS_X509_FMT_PEM, NULL, 0);
    }
    buf_wipe(&pem);
    if (result < 0) {
        return err_set(err, ERR_INVALID, "%s holds no usable private key: %s", path,
                       gnutls_strerror(result));
    }
    return true;
}

static bool key_fits(const struct material *m, const char *path, struct err *err)
{
    unsigned char a[64];
    unsigned char b[64];
    size_t an = sizeof(a);
    size_t bn = sizeof(b);
    gnutls_pubkey_t pub = NULL;
    int result = gnutls_pubkey_init(&pub);
    if (result >= 0) {
        result = gnutls_pubkey_import_privkey(pub, m->key, 0, 0);
    }
    if (result >= 0) {
        result = gnutls_pubkey_get_key_id(pub, GNUTLS_KEYID_USE_SHA256, a, &an);
    }
    gnutls_pubkey_deinit(pub);
    if (result >= 0) {
        result = gnutls_pubkey_get_key_id(m->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, b, &bn);
    }
    if (result < 0 || !slice_equal(slice_of_bytes(a, an), slice_of_bytes(b, bn))) {
        return err_set(err, ERR_INVALID, "%s is not the key of the certificate beside it", path);
    }
    return true;
}

bool tls_reload(struct tls *t, struct err *err)
{
    struct material *m = xcalloc(1, sizeof(*m));
    if (!read_chain(t->certificate_path, m, err) || !read_key(t->key_path, m, err) ||
        !key_fits(m, t->key_path, err)) {
        material_free(m);
        return false;
    }
    (void)pthread_mutex_lock(&t->lock);
    m->older = t->current;
    t->current = m;
    (void)pthread_mutex_unlock(&t->lock);
    return true;
}

bool tls_new(const char *certificate, const char *key, struct tls **out, struct err *err)
{
    struct tls *t = xcalloc(1, sizeof(*t));
    tls_session_places(t, t->places);
    t->certificate_path = xstrdup(certificate);
    t->key_path = xstrdup(key);
    if (pthread_mutex_init(&t->lock, NULL) != 0) {
        BUG("a lock could not be made");
    }
    if (!tls_reload(t, err)) {
        tls_free(t);
        return false;
    }
    int result = gnutls_session_ticket_key_generate(&t->ticket_key);
    if (result < 0) {
        tls_free(t);
        return err_internal(err, "session ticket key: %s", gnutls_strerror(result));
    }
    *out = t;
    return true;
}

void tls_free(struct tls *t)
{
    if (t == NULL) {
        return;
    }
    material_free(t->current);
    gnutls_memset(t->ticket_key.data, 0, t->ticket_key.size);
    gnutls_free(t->ticket_key.data);
    (void)pthread_mutex_destroy(&t->lock);
    free(t->certificate_path);
    free(t->key_path);
    free(t);
}

void tls_begin(struct tls *t, gnutls_session_t session)
{
    tls_session_begin(session, t->places);
    (void)gnutls_session_ticket_enable_server(
        session, &t->ticket_key); /* without it each connection handshakes in full */
}

int tls_retrieve(gnutls_session_t session, const gnutls_datum_t *authorities, int n_authorities,
                 const gnutls_pk_algorithm_t *algorithms, int n_algorithms, gnutls_pcert_st **chain,
                 unsigned *chain_length, gnutls_privkey_t *key)
{
    struct tls *t = tls_session_tls(session);
    (void)authorities;
    (void)n_authorities;
    (void)algorithms;
    (void)n_algorithms;
    (void)pthread_mutex_lock(&t->lock);
    struct material *m = t->current;
    (void)pthread_mutex_unlock(&t->lock);
    *chain = m->chain;
    *chain_length = m->n;
    *key = m->key;
    return 0;
}
