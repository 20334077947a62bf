#include "trust/roots.h"

#include "base/hex.h"
#include "base/json.h"
#include "storage/audit.h"
#include "storage/repository.h"
#include "storage/trust_pin.h"

#include <stdio.h>

#define KEY_PREFIX "sha256:"

bool trust_root_key_parse(struct slice text, struct spki *out)
{
    size_t n = strlen(KEY_PREFIX);
    return slice_starts(text, KEY_PREFIX) && text.n == n + 64 &&
           hex_decode(slice_from(text, n), out->sha256, sizeof out->sha256);
}

const char *trust_root_key_format(const uint8_t spki[32], char out[ROOT_KEY_TEXT_SIZE])
{
    char hex[65];
    (void)snprintf(out, ROOT_KEY_TEXT_SIZE, KEY_PREFIX "%s", hex_encode(spki, 32, hex));
    return out;
}

static bool put_audit(struct db_tx *tx, const struct roots_change *c, const char *action,
                      bool removed, struct err *err)
{
    char key[ROOT_KEY_TEXT_SIZE];
    auto_buf struct buf text = {0};
    buf_printf(&text, "{\"key\":\"%s\"}", trust_root_key_format(c->key.sha256, key));
    const struct audit_entry entry = {
        .action = action,
        .namespace_id = c->namespace_id,
        .object = namespace_name_slice(&c->namespace_),
        .outcome = AUDIT_OK,
        .before = removed ? buf_slice_of(&text) : (struct slice){0},
        .after = removed ? (struct slice){0} : buf_slice_of(&text),
    };
    return audit_append(tx, c->actor, &entry, c->now_us, err);
}

bool trust_roots_add(struct db_tx *tx, const struct roots_change *change, struct err *err)
{
    if (!namespace_root_add(tx, change->namespace_id, change->key.sha256, change->actor,
                            change->now_us, err)) {
        return false;
    }
    return db_changes(tx) == 0 || (put_audit(tx, change, "trust.root_add", false, err) &&
                                   repository_gate_bump_namespace(tx, change->namespace_id, err));
}

bool trust_roots_accept(struct db_tx *tx, const struct roots_change *change, struct err *err)
{
    auto_pin_list struct pin_list revoked = {0};
    if (!revoked_key_list(tx, &revoked, err)) {
        return false;
    }
    if (pin_list_has(&revoked, change->key.sha256)) {
        return err_set(err, ERR_CONFLICT,
                       "an administrator revoked this key: no root that needs it counts; accept "
                       "another one");
    }
    return trust_roots_add(tx, change, err);
}

bool trust_roots_remove(struct db_tx *tx, const struct roots_change *change, struct err *err)
{
    auto_pin_list struct pin_list set = {0};
    if (!namespace_root_list(tx, change->namespace_id, &set, err)) {
        return false;
    }
    if (!pin_list_has(&set, change->key.sha256)) {
        return err_set(err, ERR_NOT_FOUND,
                       "%s does not accept this root key; bond trust roots "
                       "list %s shows those it accepts",
                       change->namespace_.text, change->namespace_.text);
    }
    if (set.count == 1) {
        return err_set(err, ERR_CONFLICT,
                       "it is the last root key that %s accepts, and without one whoever publishes "
                       "first could begin with his own: add another key first",
                       change->namespace_.text);
    }
    return namespace_root_remove(tx, change->namespace_id, change->key.sha256, err) &&
           put_audit(tx, change, "trust.root_remove", true, err) &&
           repository_gate_bump_namespace(tx, change->namespace_id, err);
}

bool trust_root_hangs_on_one_key(const struct trust_state *state)
{
    return state->root && (int64_t)state->root_key_count <= state->root->root.threshold;
}
