/* Long-lived secrets of accounts (robot, deployer, personal access token), as SHA-256 only.
 * Owns: the credential table. Refuses to know: the secret's form (auth). */
#ifndef STORAGE_CREDENTIAL_H
#define STORAGE_CREDENTIAL_H

#include "base/db.h"

enum credential_kind { CREDENTIAL_ROBOT = 1, CREDENTIAL_DEPLOYER = 2, CREDENTIAL_TOKEN = 3 };

struct credential {
    int64_t id;
    int64_t account_id;
    enum credential_kind kind;
    int64_t created_us;
    int64_t last_used_us; /* 0 = never */
    int64_t revoked_us;   /* 0 = valid */
};

/* Expected errors: ERR_CONFLICT. Writer. */
bool credential_create(struct db_tx *tx, int64_t account_id, enum credential_kind kind,
                       const uint8_t sha256[32], int64_t now_us, int64_t *id_out,
                       struct err *err) MUST_USE;
/* Finds it, revoked or not. Expected errors: ERR_NOT_FOUND. Any tx. */
bool credential_find(struct db_tx *tx, const uint8_t sha256[32], struct credential *out,
                     struct err *err) MUST_USE;
bool credential_get(struct db_tx *tx, int64_t id, struct credential *out, struct err *err) MUST_USE;
/* Writer. */
bool credential_touch(struct db_tx *tx, int64_t id, int64_t now_us, struct err *err) MUST_USE;
/* Revokes all of an account. Writer. */
bool credential_revoke_account(struct db_tx *tx, int64_t account_id, int64_t now_us,
                               struct err *err) MUST_USE;

#endif
