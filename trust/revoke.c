#include "trust/revoke.h"

#include "storage/audit.h"
#include "storage/repository.h"
#include "storage/trust_doc.h"
#include "storage/trust_pin.h"
#include "trust/exceptions.h"
#include "trust/roots.h"
#include "trust/trust_internal.h"
#include "trust/verify/state.h"

#define PAGE 500

struct revocation {
    struct trust *trust;
    const struct revoke_request *rq;
    bool already; /* out, of the last run */
};

/* --- the fact --------------------------------------------------------------------------------- */

static bool is_revoked(struct db_tx *tx, const uint8_t spki[32], bool *out, struct err *err)
{
    auto_pin_list struct pin_list revoked = {0};
    if (!revoked_key_list(tx, &revoked, err)) {
        return false;
    }
    *out = pin_list_has(&revoked, spki);
    return true;
}

static bool put_audit(struct db_tx *tx, const struct revocation *r, struct err *err)
{
    char key[ROOT_KEY_TEXT_SIZE];
    auto_json json_t *after = json_pack("{s:s}", "reason", r->rq->reason);
    auto_buf struct buf text = {0};
    json_write(&text, after);
    const struct audit_entry entry = {.action = "trust.key_revoke",
                                      .object = slice_str(trust_root_key_format(r->rq->key.sha256, key)),
                                      .outcome = AUDIT_OK,
                                      .after = buf_slice_of(&text)};
    return audit_append(tx, r->rq->actor, &entry, r->rq->now_us, err);
}

static bool write_revocation(struct db_tx *tx, void *arg, struct err *err)
{
    struct revocation *r = arg;
    if (!is_revoked(tx, r->rq->key.sha256, &r->already, err)) {
        return false;
    }
    return r->already || (revoked_key_add(tx, r->rq->key.sha256, r->rq->reason, r->rq->actor,
                                          r->rq->now_us, err) &&
                          put_audit(tx, r, err));
}

/* --- whom it concerns ------------------------------------------------------------------------- */

static bool lists_key(const struct tuf_doc *root, const struct spki *key)
{
    struct spki *keys = NULL;
    size_t n = trust_root_spkis(root, &keys);
    bool found = spki_in(keys, n, key);
    free(keys);
    return found;
}

/* The rule of verify/state on one root. A root that does not read is refused for other reasons. */
static bool needs_revoked(struct slice bytes, struct slice gun, const struct spki *key,
                          const struct pin_list *revoked)
{
    struct tuf_doc *root = NULL;
    bool needs = false;
    if (tuf_doc_read(SLICE_LIT("root"), bytes, &root, NULL) == DOC_OK && lists_key(root, key)) {
        const struct root_rules rules = {.gun = gun};
        struct sig_count own = {0};
        int64_t remaining = 0;
        tuf_count_signatures(root, root, &root->root, &rules, &own);
        for (int i = 0; i < own.signer_count; i++) {
            remaining += !pin_list_has(revoked, own.signers[i].sha256);
        }
        needs = remaining < own.threshold;
    }
    tuf_doc_free(root);
    return needs;
}

static bool look_at(struct db_tx *tx, const struct revocation *r, const struct repository *repo,
                    const struct pin_list *revoked, json_t *affected, struct err *err)
{
    auto_trust_doc struct trust_doc root = {0};
    auto_buf struct buf gun = {0};
    struct err why = {0};
    if (!trust_doc_current_role(tx, repo->id, SLICE_LIT("root"), &root, &why)) {
        *err = why;
        return why.code == ERR_TRUST_NOT_FOUND; /* it was wiped */
    }
    trust_gun_write(r->trust, &repo->name, &gun);
    if (needs_revoked(root.bytes, buf_slice_of(&gun), &r->rq->key, revoked)) {
        json_array_append_new(affected, json_string(repo->name.text));
    }
    return true;
}

static bool find_affected(const struct revocation *r, json_t *affected, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_pin_list struct pin_list revoked = {0};
    int64_t last = 0;
    bool more = true;
    if (!db_snapshot(r->trust->db, &tx, err) || !revoked_key_list(tx, &revoked, err)) {
        return false;
    }
    while (more && json_array_size(affected) <= REVOKE_AFFECTED_MAX) {
        auto_repository_list struct repository_list page = {0};
        if (!repository_list_trusted(tx, last, PAGE, &page, err)) {
            return false;
        }
        for (size_t i = 0; i < page.count; i++) {
            if (!look_at(tx, r, &page.items[i], &revoked, affected, err)) {
                return false;
            }
            last = page.items[i].id;
        }
        more = page.count == PAGE;
    }
    return true;
}

static json_t *answer(const struct revocation *r, json_t *affected)
{
    char key[ROOT_KEY_TEXT_SIZE];
    bool more = json_array_size(affected) > REVOKE_AFFECTED_MAX;
    while (json_array_size(affected) > REVOKE_AFFECTED_MAX) {
        (void)json_array_remove(affected, json_array_size(affected) - 1);
    }
    return json_pack("{s:s, s:b, s:O, s:b}", "key", trust_root_key_format(r->rq->key.sha256, key),
                     "already", (int)r->already, "affected", affected, "more", (int)more);
}

bool trust_revoke_key(struct trust *trust, const struct revoke_request *request,
                      json_t **result_out, struct err *err)
{
    struct revocation r = {.trust = trust, .rq = request};
    char warning[EXCEPTION_WARNING_MAX];
    auto_json json_t *affected = json_array();
    *result_out = NULL;
    if (!exceptions_reason(request->reason, REVOKE_REASON_MAX, true, err) ||
        !checkpoint_ready(trust->checkpoint, err) ||
        !db_write(trust->db, write_revocation, &r, err)) {
        return false;
    }
    checkpoint_note_revoked(trust->checkpoint, request->key.sha256);
    exceptions_noted(trust->checkpoint, warning);
    if (!find_affected(&r, affected, err)) {
        return false;
    }
    *result_out = answer(&r, affected);
    exceptions_put_warning(*result_out, warning);
    return true;
}
