/* Accounts: people, robots and deployers.
 * Owns: the account table. Refuses to know: how a password is hashed or checked, what an account
 * may do (auth).
 * Invariants
 *   1. Names are unique over all kinds; ids are never used again.
 *   2. Robots and deployers belong to a namespace, users to none; only users have a password or are
 *      administrators. */
#ifndef STORAGE_ACCOUNT_H
#define STORAGE_ACCOUNT_H

#include "base/db.h"
#include "storage/actor.h"

#define PASSWORD_HASH_MAX 255

enum account_kind { ACCOUNT_USER = 1, ACCOUNT_ROBOT = 2, ACCOUNT_DEPLOYER = 3 };

/* Bits of a robot's actions. */
enum robot_action {
    ROBOT_PULL = 1,
    ROBOT_PUSH = 2,
    ROBOT_DELETE = 4,
    ROBOT_SIGN = 8,
    ROBOT_READ_UNSIGNED = 16
};

struct account {
    int64_t id;
    enum account_kind kind;
    char name[ACTOR_NAME_MAX + 1];
    bool administrator;
    bool disabled;
    int64_t namespace_id;                      /* 0 for users */
    unsigned actions;                          /* robots: bits of robot_action */
    char password_hash[PASSWORD_HASH_MAX + 1]; /* users; "" = cannot sign in by password */
    int64_t password_version;                  /* one more with every change of the password */
    int64_t created_us;
};

struct account_new {
    enum account_kind kind;
    struct slice name;
    bool administrator;
    int64_t namespace_id;
    unsigned actions;
    const char *password_hash; /* NULL = none */
};
/* Expected errors: ERR_CONFLICT (the name is taken). Writer. */
bool account_create(struct db_tx *tx, const struct account_new *new_account, int64_t now_us,
                    int64_t *id_out, struct err *err) MUST_USE;
/* Expected errors: ERR_ACCOUNT_UNKNOWN. Any tx. */
bool account_get(struct db_tx *tx, int64_t id, struct account *out, struct err *err) MUST_USE;
bool account_get_by_name(struct db_tx *tx, struct slice name, struct account *out,
                         struct err *err) MUST_USE;
/* Expected errors: ERR_ACCOUNT_UNKNOWN. Writer. */
bool account_set_password(struct db_tx *tx, int64_t id, const char *password_hash,
                          struct err *err) MUST_USE;
bool account_set_disabled(struct db_tx *tx, int64_t id, bool disabled, struct err *err) MUST_USE;
bool account_set_administrator(struct db_tx *tx, int64_t id, bool administrator,
                               struct err *err) MUST_USE;
/* Removes an account with its credentials, sessions and memberships; what it pushed stays.
 * Expected errors: ERR_ACCOUNT_UNKNOWN. Writer. */
bool account_delete(struct db_tx *tx, int64_t id, struct err *err) MUST_USE;

struct account_list {
    struct account *items;
    size_t count;
    bool more;
};
/* Accounts of one kind by name after `last`, at most `max` (1 … 1,000).
 *   namespace_id   robots and deployers of this namespace; 0 for users
 * Any tx. */
bool account_list(struct db_tx *tx, enum account_kind kind, int64_t namespace_id, struct slice last,
                  int max, struct account_list *out, struct err *err) MUST_USE;
void account_list_dispose(struct account_list *list);
static inline void cleanup_account_list(struct account_list *list)
{
    account_list_dispose(list);
}
#define auto_account_list __attribute__((cleanup(cleanup_account_list)))

#endif
