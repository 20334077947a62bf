#include "trust/verify/authority.h"

#include "base/hex.h"
#include "base/json.h"
#include "trust/verify/cert.h"
#include "trust/verify/strict.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#define SECURITY_BITS_112 2 /* OpenSSL's level: RSA from 2,048 bits on, no SHA-1 */
#define SUBJECT_SHOWN_MAX 60

struct authorities {
    X509 *items[AUTHORITIES_MAX];
    size_t count;
};

/* The certificates of a root key: the leaf, and what stands between it and a CA. */
struct chain {
    X509 *leaf;
    STACK_OF(X509) * between;
};

static void chain_dispose(struct chain *chain)
{
    X509_free(chain->leaf);
    sk_X509_pop_free(chain->between, X509_free);
}
#define auto_chain __attribute__((cleanup(chain_dispose)))

static void cleanup_store(X509_STORE **store)
{
    X509_STORE_free(*store);
}
#define auto_store __attribute__((cleanup(cleanup_store)))

static void cleanup_context(X509_STORE_CTX **context)
{
    X509_STORE_CTX_free(*context);
}
#define auto_context __attribute__((cleanup(cleanup_context)))

/* --- CA certificates -------------------------------------------------------------------------- */

static bool may_sign_certificates(X509 *x)
{
    uint32_t flags = X509_get_extension_flags(x);
    bool signs = !(flags & EXFLAG_KUSAGE) || (X509_get_key_usage(x) & KU_KEY_CERT_SIGN);
    ERR_clear_error();
    return !(flags & EXFLAG_INVALID) && (flags & EXFLAG_CA) && signs;
}

static X509 *read_authority(const char *pem)
{
    struct slice rest = slice_str(pem);
    if (rest.n > AUTHORITY_PEM_MAX) {
        return NULL;
    }
    X509 *x = cert_next(&rest);
    if (x && (rest.n > 0 || !may_sign_certificates(x))) {
        X509_free(x);
        return NULL;
    }
    return x;
}

bool authority_is_good(const char *pem)
{
    X509 *x = read_authority(pem);
    bool good = x != NULL;
    X509_free(x);
    return good;
}

struct authorities *authorities_new(char *const *pems, size_t count)
{
    struct authorities *a = xcalloc(1, sizeof *a);
    for (size_t i = 0; i < count && i < AUTHORITIES_MAX; i++) {
        X509 *x = read_authority(pems[i]);
        if (x) {
            a->items[a->count++] = x;
        }
    }
    return a;
}

void authorities_free(struct authorities *authorities)
{
    for (size_t i = 0; authorities && i < authorities->count; i++) {
        X509_free(authorities->items[i]);
    }
    free(authorities);
}

/* --- from a root key to a CA ------------------------------------------------------------------ */

/* The PEM text of a key of the document, which was read before: it decodes. */
static bool read_chain(const json_t *object, struct chain *out)
{
    auto_buf struct buf pem = {0};
    if (!base64_decode(json_get_slice(json_get_object(object, "keyval"), "public"), &pem)) {
        return false;
    }
    struct slice rest = buf_slice_of(&pem);
    out->leaf = cert_next(&rest);
    out->between = sk_X509_new_null();
    while (out->leaf && out->between && rest.n > 0) {
        X509 *x = cert_next(&rest);
        if (!x || sk_X509_num(out->between) == CERT_CHAIN_MAX ||
            sk_X509_push(out->between, x) == 0) {
            X509_free(x);
            return false;
        }
    }
    return out->leaf && out->between;
}

/* One CA at a time: of two with one name, as when a CA's key was changed, OpenSSL would try the
 * first alone. */
static bool leads_to(X509 *authority, const struct chain *chain, int64_t at_us, int *fault)
{
    auto_store X509_STORE *store = X509_STORE_new();
    auto_context X509_STORE_CTX *context = X509_STORE_CTX_new();
    if (!store || !context || X509_STORE_add_cert(store, authority) != 1 ||
        X509_STORE_CTX_init(context, store, chain->leaf, chain->between) != 1) {
        *fault = X509_V_ERR_OUT_OF_MEM;
        return false;
    }
    X509_VERIFY_PARAM *how = X509_STORE_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_time(how, (time_t)(at_us / US_PER_SECOND));
    X509_VERIFY_PARAM_set_depth(how, CERT_CHAIN_MAX);
    X509_VERIFY_PARAM_set_auth_level(how, SECURITY_BITS_112);
    bool ok = X509_VERIFY_PARAM_set_flags(how, X509_V_FLAG_PARTIAL_CHAIN) == 1 &&
              X509_verify_cert(context) == 1;
    *fault = X509_STORE_CTX_get_error(context);
    ERR_clear_error();
    return ok && *fault == X509_V_OK;
}

/* How much a fault explains: that there is no way to this CA says less than what is wrong on the way. */
static bool says_more(int fault, int than)
{
    return than == X509_V_OK || than == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
           (than == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT &&
            fault != X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
}

/* A leaf may begin a little later than now: root keys may (CERT_NOT_BEFORE_SLACK_US). */
static bool is_vouched_for(const struct authorities *a, const struct tuf_key *key,
                           const json_t *object, int64_t now_us, int *fault, int *checks)
{
    auto_chain struct chain chain = {0};
    const struct tuf_cert *cert = tuf_key_cert(key);
    *fault = X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
    if (!cert || !read_chain(object, &chain)) {
        return false;
    }
    int64_t at_us = cert->not_before_us > now_us ? cert->not_before_us : now_us;
    *checks += sk_X509_num(chain.between) + 1;
    for (size_t i = 0; i < a->count; i++) {
        int why = X509_V_OK;
        if (leads_to(a->items[i], &chain, at_us, &why)) {
            return true;
        }
        *fault = says_more(why, *fault) ? why : *fault;
    }
    return false;
}

/* --- the count -------------------------------------------------------------------------------- */

struct vouching {
    const char *ids[SIG_SIGNERS_MAX]; /* of keys that a CA vouches for; borrowed from the document */
    size_t count;
    int fault; /* of the first one that none does */
    int checks;
};

static bool is_noted(const struct vouching *v, const char *id)
{
    for (size_t i = 0; i < v->count; i++) {
        if (strcmp(v->ids[i], id) == 0) {
            return true;
        }
    }
    return false;
}

static void vouch(struct vouching *v, const struct authorities *a, const struct tuf_doc *root,
                  const json_t *keys, int64_t now_us, struct slice key_id)
{
    const struct tuf_key *key = tuf_doc_key(root, key_id);
    int fault = X509_V_OK;
    if (!key || !tuf_key_usable(key, NULL) || !tuf_role_lists_key(&root->root, key_id) ||
        v->count == SIG_SIGNERS_MAX || is_noted(v, tuf_key_id(key))) {
        return;
    }
    if (is_vouched_for(a, key, json_object_get(keys, tuf_key_id(key)), now_us, &fault,
                       &v->checks)) {
        v->ids[v->count++] = tuf_key_id(key);
    } else if (v->fault == X509_V_OK) {
        v->fault = fault;
    }
}

void authorities_count(const struct authorities *authorities, const struct tuf_doc *root,
                       const struct root_rules *rules, struct sig_count *out, const char **why_out)
{
    auto_json json_t *whole = NULL;
    struct vouching v = {.count = 0};
    const struct root_rules dated = {.gun = rules->gun, .now_us = rules->now_us, .check_dates = true};
    if (strict_parse(root->bytes, SIG_SIGNERS_MAX, &whole, NULL) == DOC_OK) {
        const json_t *keys = json_get_object(json_get_object(whole, "signed"), "keys");
        for (size_t i = 0; i < root->signature_count; i++) {
            vouch(&v, authorities, root, keys, rules->now_us, root->signatures[i].key_id);
        }
    }
    const struct tuf_role_keys vouched = {
        .key_ids = v.ids, .key_count = v.count, .threshold = root->root.threshold};
    tuf_count_signatures(root, root, &vouched, &dated, out);
    out->checks += v.checks;
    if (why_out) {
        *why_out = v.fault == X509_V_OK ? NULL : X509_verify_cert_error_string(v.fault);
    }
}

/* --- telling ---------------------------------------------------------------------------------- */

static void describe(X509 *x, int64_t now_us, struct buf *out)
{
    time_t now = (time_t)(now_us / US_PER_SECOND);
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(x), 0, XN_FLAG_RFC2253) >= 0) {
        long n = BIO_get_mem_data(bio, &text);
        struct slice subject = {text, n > 0 ? (size_t)n : 0};
        buf_slice(out, slice_first(subject, SUBJECT_SHOWN_MAX));
        buf_str(out, subject.n > SUBJECT_SHOWN_MAX ? "..." : "");
    }
    BIO_free(bio);
    ERR_clear_error();
    if (X509_cmp_time(X509_get0_notAfter(x), &now) < 0) {
        buf_str(out, " (run out)");
    }
}

void authorities_describe(const struct authorities *authorities, int64_t now_us, struct buf *out)
{
    for (size_t i = 0; i < authorities->count && i < AUTHORITY_SUBJECTS_SHOWN; i++) {
        buf_str(out, i > 0 ? " or " : "");
        describe(authorities->items[i], now_us, out);
    }
    if (authorities->count > AUTHORITY_SUBJECTS_SHOWN) {
        buf_printf(out, " or %zu more", authorities->count - AUTHORITY_SUBJECTS_SHOWN);
    }
}
