/* Counting the valid signatures of a document (gate.md 4, "Counting signatures"). */
#include "trust/verify/doc.h"

static bool root_key_counts(const struct tuf_key *key, const struct root_rules *rules)
{
    const struct tuf_cert *cert = tuf_key_cert(key);

    if (!cert || !cert->well_formed || !tuf_cert_names(cert, rules->gun)) {
        return false;
    }
    if (!rules->check_dates) {
        return true;
    }
    return cert->not_before_us <= rules->now_us + CERT_NOT_BEFORE_SLACK_US &&
           rules->now_us <= cert->not_after_us && rules->now_us <= cert->chain_not_after_us;
}

bool tuf_role_lists_key(const struct tuf_role_keys *keys, struct slice key_id)
{
    for (size_t i = 0; i < keys->key_count; i++) {
        if (slice_is(key_id, keys->key_ids[i])) {
            return true;
        }
    }
    return false;
}

static bool is_repeated(const struct tuf_doc *doc, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (slice_equal(doc->signatures[i].key_id, doc->signatures[at].key_id)) {
            return true;
        }
    }
    return false;
}

bool sig_count_has(const struct sig_count *c, const struct spki *key)
{
    return spki_in(c->signers, (size_t)c->signer_count, key);
}

static int64_t not_after_of(const struct tuf_key *key)
{
    const struct tuf_cert *cert = tuf_key_cert(key);

    if (!cert) {
        return INT64_MAX;
    }
    return cert->not_after_us < cert->chain_not_after_us ? cert->not_after_us
                                                         : cert->chain_not_after_us;
}

/* The key of one entry, or NULL when the entry cannot count. */
static const struct tuf_key *key_that_may_count(const struct tuf_doc *doc, size_t at,
                                                const struct tuf_doc *lister,
                                                const struct tuf_role_keys *keys,
                                                const struct root_rules *rules)
{
    struct slice key_id = doc->signatures[at].key_id;

    if (is_repeated(doc, at) || !tuf_role_lists_key(keys, key_id)) {
        return NULL;
    }
    const struct tuf_key *key = tuf_doc_key(lister, key_id);
    if (!key || !tuf_key_usable(key, NULL)) {
        return NULL;
    }
    return !rules || root_key_counts(key, rules) ? key : NULL;
}

/* `key` has the id that the entry names. */
static bool is_valid(struct tuf_signature *entry, const struct tuf_key *key, struct slice canonical)
{
    if (atomic_load(&entry->found_valid)) {
        return true;
    }
    if (tuf_key_verify(key, entry->method, entry->sig, canonical) != SIG_ACCEPT) {
        return false;
    }
    atomic_store(&entry->found_valid, true);
    return true;
}

void tuf_count_signatures(const struct tuf_doc *doc, const struct tuf_doc *lister,
                          const struct tuf_role_keys *keys, const struct root_rules *root_rules,
                          struct sig_count *out)
{
    *out = (struct sig_count){.threshold = keys->threshold};
    for (size_t i = 0; i < doc->signature_count && out->signer_count < SIG_SIGNERS_MAX; i++) {
        const struct tuf_key *key = key_that_may_count(doc, i, lister, keys, root_rules);
        struct spki spki = key ? tuf_key_spki(key) : (struct spki){{0}};
        if (!key || sig_count_has(out, &spki)) {
            continue;
        }
        out->checks++;
        if (is_valid(&doc->signatures[i], key, doc->canonical)) {
            out->not_after_us[out->signer_count] = not_after_of(key);
            out->signers[out->signer_count++] = spki;
            out->valid = out->signer_count;
        }
    }
}

static int descending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

int64_t sig_count_end(const struct sig_count *c)
{
    int64_t ends[SIG_SIGNERS_MAX];

    if (!sig_count_met(c)) {
        return INT64_MAX;
    }
    memcpy(ends, c->not_after_us, sizeof(ends));
    qsort(ends, (size_t)c->signer_count, sizeof(ends[0]), descending);
    return ends[c->threshold - 1];
}

int tuf_count_checks(const struct tuf_doc *doc, const struct tuf_doc *lister,
                     const struct tuf_role_keys *keys)
{
    int checks = 0;

    for (size_t i = 0; i < doc->signature_count; i++) {
        checks += key_that_may_count(doc, i, lister, keys, NULL) != NULL;
    }
    return checks;
}
