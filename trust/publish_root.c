/* Publishing a root: who may begin a repository, who may follow, and the server keys it names. */
#include "trust/publish_internal.h"
#include "trust/verify/chain.h"

static bool spki_in(const struct spki *list, size_t count, const struct spki *key)
{
    for (size_t i = 0; i < count; i++) {
        if (spki_equal(&list[i], key)) {
            return true;
        }
    }
    return false;
}

/* How many of the root's valid signers are in (or, inverted, outside of) a list. */
static int64_t signers_in(const struct sig_count *own, const struct spki *list, size_t count,
                          bool inside)
{
    int64_t n = 0;
    for (int i = 0; i < own->signer_count; i++) {
        n += spki_in(list, count, &own->signers[i]) == inside ? 1 : 0;
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

/* gate.md 11.1: whose key may begin a repository. */
static bool check_first_root(struct check *c, const struct tuf_doc *root,
                             const struct sig_count *own)
{
    const struct publish_facts *f = c->f;
    if (f->keep_pin_count > 0 && !pin_equals(root, f->keep_pin, f->keep_pin_count)) {
        return publish_refuse(
            c, ERR_TRUST_INVALID_UPDATE, "ErrBadRoot", "root_pinned",
            "this repository was wiped with its pin kept: only a root with the same root "
            "keys may begin it again");
    }
    if (f->roots_restricted &&
        signers_in(own, f->accepted_roots, f->accepted_root_count, true) < own->threshold) {
        return publish_refuse(
            c, ERR_TRUST_INVALID_UPDATE, "ErrBadRoot", "root_pinned",
            "the root key is none that this namespace accepts; an owner can publish it, "
            "or add the key");
    }
    return true;
}

static bool check_root_keys(struct check *c, const struct tuf_doc *root)
{
    struct sig_count own = {0};
    count_own(c, root, &own);
    c->checks += own.checks;
    if (c->f->stored->revoked_count > 0 &&
        signers_in(&own, c->f->stored->revoked, c->f->stored->revoked_count, false) <
            own.threshold) {
        return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadRoot", "root_key_revoked",
                              "the root is signed by a key that an administrator revoked");
    }
    return c->stored_root || check_first_root(c, root, &own);
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
                              "root %lld is there already, and this one is not signed by its keys",
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
        return true;
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
