#include "trust/verify/chain.h"

#include "base/buf.h"
#include "base/hash.h"

static bool version_follows(const struct tuf_doc *prev, const struct tuf_doc *next)
{
    if (!prev) {
        return next->version == 1 ||
               next->version == 2; /* a client may rotate before it publishes */
    }
    return next->version == prev->version + 1;
}

enum root_link root_link(const struct tuf_doc *prev, const struct tuf_doc *next, struct slice gun,
                         int64_t now_us, bool check_dates, struct sig_count *own)
{
    const struct root_rules undated = {gun, now_us, false};
    const struct root_rules rules = {gun, now_us, check_dates};

    *own = (struct sig_count){0};
    if (!version_follows(prev, next)) {
        return ROOT_LINK_BAD_VERSION;
    }
    if (prev) {
        struct sig_count by_previous;
        tuf_count_signatures(next, prev, &prev->root, &undated, &by_previous);
        if (!sig_count_met(&by_previous)) {
            return ROOT_LINK_NOT_BY_PREVIOUS;
        }
    }
    tuf_count_signatures(next, next, &next->root, &rules, own);
    return sig_count_met(own) ? ROOT_LINK_HOLDS : ROOT_LINK_NOT_BY_ITSELF;
}

bool root_chain_within_limits(const struct trust_set *set, size_t more)
{
    size_t bytes = more;

    if (set->root_count + (more > 0) > TRUST_ROOTS_MAX) {
        return false;
    }
    for (size_t i = 0; i < set->root_count; i++) {
        bytes += set->roots[i].bytes.n;
    }
    return bytes <= TRUST_ROOT_BYTES_MAX;
}

void root_chain_names(const struct trust_set *set, struct chain_name *out)
{
    uint8_t link[64]; /* the name so far, and the next root's hash: both of one size */

    hash_sha256(set->gun, link);
    for (size_t i = 0; i < set->root_count; i++) {
        hash_sha256(set->roots[i].bytes, link + 32);
        hash_sha256(slice_of_bytes(link, sizeof(link)), out[i].sha256);
        memcpy(link, out[i].sha256, 32);
    }
}

bool trust_root_follows(const struct tuf_doc *prev, const struct tuf_doc *next, struct slice gun,
                        int64_t now_us, bool check_dates, struct err *err)
{
    struct sig_count own;

    switch (root_link(prev, next, gun, now_us, check_dates, &own)) {
    case ROOT_LINK_BAD_VERSION:
        return err_set(err, ERR_INVALID,
                       "Root modifications must increment the version. Current %lld, new %lld",
                       prev ? (long long)prev->version : 1LL, (long long)next->version);
    case ROOT_LINK_NOT_BY_PREVIOUS:
        return err_set(err, ERR_INVALID, "root %lld is not signed by enough keys of root %lld",
                       (long long)next->version, prev ? (long long)prev->version : 0LL);
    case ROOT_LINK_NOT_BY_ITSELF:
        return err_set(err, ERR_INVALID,
                       "root %lld has %d of %lld valid signatures by its own certificates for %.*s",
                       (long long)next->version, own.valid, (long long)own.threshold,
                       SLICE_FMT(gun));
    case ROOT_LINK_HOLDS:
        break;
    }
    if (check_dates && next->expires_us <= now_us) {
        return err_set(err, ERR_INVALID, "root expired at %s", next->expires);
    }
    return true;
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct spki));
}

size_t trust_root_spkis(const struct tuf_doc *root, struct spki **out)
{
    struct spki *list = xcalloc(root->root.key_count + 1, sizeof(*list));
    size_t count = 0;
    size_t distinct = 0;

    for (size_t i = 0; i < root->root.key_count; i++) {
        const struct tuf_key *key = tuf_doc_key(root, slice_str(root->root.key_ids[i]));
        list[count++] = key ? tuf_key_spki(key) : (struct spki){{0}};
    }
    qsort(list, count, sizeof(*list), by_bytes);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || !spki_equal(&list[i], &list[distinct - 1])) {
            list[distinct++] = list[i];
        }
    }
    *out = list;
    return distinct;
}
