#include "trust/root_policy.h"

#include "base/hex.h"

struct spki *root_policy_keys(const struct policy *policy, size_t *count_out)
{
    size_t n = policy->allow_roots.count;
    struct spki *keys = n > 0 ? xcalloc(n, sizeof *keys) : NULL;
    *count_out = 0;
    for (size_t i = 0; i < n; i++) {
        const char *hex = policy->allow_roots.items[i] + strlen("sha256:");
        if (hex_decode(slice_str(hex), keys[*count_out].sha256, sizeof keys->sha256)) {
            (*count_out)++;
        }
    }
    return keys;
}

struct authorities *root_policy_authorities(const struct policy *policy)
{
    const struct policy_texts *pems = &policy->allow_root_ca;
    return pems->count > 0 ? authorities_new(pems->items, pems->count) : NULL;
}

bool root_policy_binds(const struct policy *policy, bool first)
{
    return policy->allow_root_ca.count > 0 || (first && policy->allow_roots_set);
}

bool root_policy_accepts(const struct policy *policy, const struct tuf_doc *root, struct slice gun,
                         int64_t now_us)
{
    const struct root_rules rules = {.gun = gun, .now_us = now_us};
    struct sig_count own = {0}, vouched = {0};
    size_t key_count = 0;
    int64_t accepted = 0;
    auto_free struct spki *keys = root_policy_keys(policy, &key_count);
    auto_authorities struct authorities *authorities = root_policy_authorities(policy);
    tuf_count_signatures(root, root, &root->root, &rules, &own);
    if (authorities) {
        authorities_count(authorities, root, &rules, &vouched, NULL);
    }
    for (int i = 0; i < own.signer_count; i++) {
        accepted += spki_in(keys, key_count, &own.signers[i]) ||
                    sig_count_has(&vouched, &own.signers[i]);
    }
    return own.threshold >= 1 && accepted >= own.threshold;
}

void root_policy_describe(const struct policy *policy, int64_t now_us, struct buf *out)
{
    auto_authorities struct authorities *authorities = root_policy_authorities(policy);
    buf_str(out, "");
    if (authorities) {
        authorities_describe(authorities, now_us, out);
    }
}
