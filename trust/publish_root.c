/* Publishing a root: who may begin a repository, who may follow, and the server keys it names. */
#include "base/hex.h"
#include "trust/publish_internal.h"
#include "trust/verify/authority.h"
#include "trust/verify/chain.h"

static bool is_revoked(const struct check *c, const struct spki *key)
{
    return spki_in(c->f->stored->revoked, c->f->stored->revoked_count, key);
}

static int64_t signers_not_revoked(const struct check *c, const struct sig_count *count)
{
    int64_t n = 0;
    for (int i = 0; i < count->signer_count; i++) {
        n += is_revoked(c, &count->signers[i]) ? 0 : 1;
    }
    return n;
}

/* Whose root is accepted: keys that are listed, and those that a CA vouches for. */
struct accepting {
    const struct check *c;
    struct sig_count vouched;
    const char *why_not; /* of the first signer that no CA vouches for; NULL: not asked */
};

static bool is_accepted(const struct accepting *a, const struct spki *key)
{
    return spki_in(a->c->f->accepted_roots, a->c->f->accepted_root_count, key) ||
           sig_count_has(&a->vouched, key);
}

/* Valid signers that are accepted; the list may still hold a key that was revoked since. */
static int64_t signers_accepted(const struct accepting *a, const struct sig_count *own)
{
    int64_t n = 0;
    for (int i = 0; i < own->signer_count; i++) {
        n += is_accepted(a, &own->signers[i]) && !is_revoked(a->c, &own->signers[i]);
    }
    return n;
}

static bool pin_equals(const struct tuf_doc *root, const struct spki *pin, size_t pin_count)
{
    struct spki *keys = NULL;
    size_t count = trust_root_spkis(root, &keys);
    bool equal = count == pin_count;
    for (size_t i = 0; equal && i < count; i++) {
        equal = spki_in(pin, pin_count, &keys[i]);
    }
    free(keys);
    return equal;
}

static void count_own(struct check *c, const struct tuf_doc *root, struct sig_count *own)
{
    struct root_rules rules = {
        .gun = c->f->stored->gun, .now_us = c->f->now_us, .check_dates = true};
    tuf_count_signatures(root, root, &root->root, &rules, own);
}

static bool refuse_uncertified(struct check *c, const char *hex, const char *why_not)
{
    auto_buf struct buf names = {0};
    authorities_describe(c->f->authorities, c->f->now_us, &names);
    return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadRoot", "root_pinned",
                          "the policy of this repository takes root keys with a certificate of %s "
                          "(allow_root_ca), and that of sha256:%s has none (%s): have that CA sign a "
                          "certificate for it (notary init --rootcert), or ask whoever may set the "
                          "policy to list the key in allow_roots",
                          names.p, hex, why_not ? why_not : "it is no root key's");
}

/* Names a key that would have to be accepted, and the command: its fingerprint is in nobody's files. */
static bool refuse_stranger(struct check *c, const struct accepting *a, const struct sig_count *own)
{
    struct slice rest = c->f->stored->gun;
    struct slice host, ns;
    char hex[65];
    const struct spki *key = NULL;
    for (int i = 0; i < own->signer_count && !key; i++) {
        key = is_accepted(a, &own->signers[i]) ? NULL : &own->signers[i];
    }
    if (!key || !slice_next(&rest, '/', &host) || !slice_next(&rest, '/', &ns)) {
        return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadRoot", "root_pinned",
                              "the root needs more keys that this namespace accepts");
    }
    hex_encode(key->sha256, sizeof key->sha256, hex);
    if (c->f->authorities) {
        return refuse_uncertified(c, hex, a->why_not);
    }
    if (c->f->roots_by_policy) {
        return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadRoot", "root_pinned",
                              "the root key sha256:%s is none that the policy of this repository "
                              "accepts (allow_roots); whoever may set the policy can add it",
                              hex);
    }
    return publish_refuse(
        c, ERR_TRUST_INVALID_UPDATE, "ErrBadRoot", "root_pinned",
        "the root key sha256:%s is none that this namespace accepts; an owner can publish it, or add "
        "the key: bond trust roots add %.*s sha256:%s",
        hex, SLICE_FMT(ns), hex);
}

static bool check_kept_pin(struct check *c, const struct tuf_doc *root)
{
    const struct publish_facts *f = c->f;
    if (f->keep_pin_count > 0 && !pin_equals(root, f->keep_pin, f->keep_pin_count)) {
        return publish_refuse(
            c, ERR_TRUST_INVALID_UPDATE, "ErrBadRoot", "root_pinned",
            "this repository was wiped with its pin kept: only a root with the same root "
            "keys may begin it again");
    }
    return true;
}

/* gate.md 11.1: whose key may begin a repository, and where a policy names CAs, whose may go on with it. */
static bool check_accepted(struct check *c, const struct tuf_doc *root, const struct sig_count *own)
{
    const struct root_rules rules = {.gun = c->f->stored->gun, .now_us = c->f->now_us};
    struct accepting a = {.c = c};
    if (!c->f->roots_restricted) {
        return true;
    }
    if (c->f->authorities) {
        authorities_count(c->f->authorities, root, &rules, &a.vouched, &a.why_not);
        c->checks += a.vouched.checks;
    }
    return signers_accepted(&a, own) >= own->threshold || refuse_stranger(c, &a, own);
}

/* The keys in force may hand over to new ones, but not those of them that were revoked: whoever has
 * stolen one would take the repository over. Rotations from before the revocation stay good. */
static bool check_handover(struct check *c, const struct tuf_doc *root)
{
    const struct root_rules rules = {.gun = c->f->stored->gun, .now_us = c->f->now_us};
    struct sig_count by_stored = {0};
    if (!c->stored_root || c->f->stored->revoked_count == 0) {
        return true;
    }
    tuf_count_signatures(root, c->stored_root, &c->stored_root->root, &rules, &by_stored);
    c->checks += by_stored.checks;
    return signers_not_revoked(c, &by_stored) >= by_stored.threshold ||
           publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadRoot", "root_key_revoked",
                          "the root is handed over by a key that an administrator revoked: sign "
                          "it with the other root keys, or wipe the trust data and begin anew");
}

static bool check_root_keys(struct check *c, const struct tuf_doc *root)
{
    struct sig_count own = {0};
    count_own(c, root, &own);
    c->checks += own.checks;
    if (signers_not_revoked(c, &own) < own.threshold) {
        return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadRoot", "root_key_revoked",
                              "the root is signed by a key that an administrator revoked");
    }
    return check_handover(c, root) && (c->stored_root || check_kept_pin(c, root)) &&
           check_accepted(c, root, &own);
}

/* Equal versions are told as VERSION at the end, but only to who holds the current root's keys. */
static bool check_same_version(struct check *c, const struct tuf_doc *root)
{
    struct root_rules rules = {.gun = c->f->stored->gun, .now_us = c->f->now_us};
    struct sig_count by_current = {0};
    tuf_count_signatures(root, c->stored_root, &c->stored_root->root, &rules, &by_current);
    c->checks += by_current.checks;
    if (!sig_count_met(&by_current)) {
        return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadRoot", "root_changed",
                              "root %lld is there already, and this one is not signed by its keys: forget "
                              "this one and sign into the repository that is there, or have an owner "
                              "wipe it",
                              (long long)root->version);
    }
    c->same_version = true;
    c->root = root;
    return true;
}

static bool check_uploaded_root(struct check *c, const struct upload *u)
{
    struct err why = {0};
    if (u->fault != DOC_OK) {
        return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadRoot", "bad_trust_data", "%s",
                              u->why.msg);
    }
    if (u->doc->duplicate_signature) {
        return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadRoot", "bad_trust_data",
                              "the root carries two signatures with one key id");
    }
    if (c->stored_root && u->doc->version == c->stored_root->version) {
        return check_same_version(c, u->doc);
    }
    if (!root_chain_within_limits(c->f->stored, u->doc->bytes.n)) {
        return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadRoot", "",
                              "a repository takes at most %d roots, of %zu MiB in all; to go on, "
                              "wipe its trust data and publish anew",
                              TRUST_ROOTS_MAX, TRUST_ROOT_BYTES_MAX >> 20);
    }
    if (!trust_root_follows(c->stored_root, u->doc, c->f->stored->gun, c->f->now_us, true, &why)) {
        return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadRoot",
                              c->stored_root ? "root_changed" : "bad_trust_data", "%s", why.msg);
    }
    c->root = u->doc;
    c->v->first_root = !c->stored_root;
    return check_root_keys(c, u->doc);
}

static bool check_timestamp_keys(struct check *c)
{
    const struct tuf_role_keys *keys = &c->root->timestamp;
    size_t held = publish_held_keys(c, keys, ROLE_TIMESTAMP);
    if (held == keys->key_count && (int64_t)held >= keys->threshold) {
        return publish_check_signable(c, keys, "timestamp");
    }
    if (c->f->timestamp_key_id) {
        return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadRoot", "",
                              "timestamp key must be %s", c->f->timestamp_key_id);
    }
    return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadRoot", "",
                          "no  timestamp keys exist on the server");
}

bool publish_check_root(struct check *c)
{
    const struct upload *u = publish_upload_of(c, "root");
    c->root = c->stored_root;
    if (!u && !c->stored_root) {
        return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrValidation", "",
                              "no pre-existing root and no root provided in update.");
    }
    if (u && !check_uploaded_root(c, u)) {
        return false;
    }
    return c->same_version || check_timestamp_keys(c);
}
