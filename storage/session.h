/* Sessions: what a sign-in left behind; a refresh token or a client session, as SHA-256 only (auth
 * 10, security).
 * Owns: the session table. Refuses to know: the secret's form, when to refuse (auth;
 * session_is_live says what is dead). */
#ifndef STORAGE_SESSION_H
#define STORAGE_SESSION_H

#include "base/db.h"

struct session {
    int64_t id;
    int64_t account_id;
    int64_t created_us;
    int64_t last_used_us;
    int64_t idle_us;     /* ends this long after its last use */
    int64_t absolute_us; /* ends this long after its creation */
    int64_t revoked_us;  /* 0 = not revoked */
    char revoked_why[64];
    char client_id[128];
    char user_agent[256];
    char address[64];
    char amr[64]; /* how the sign-in was proved: "pwd", "pwd otp" */
};

static inline bool session_is_live(const struct session *s, int64_t now_us)
{
    return s->revoked_us == 0 && now_us < s->created_us + s->absolute_us &&
           now_us < s->last_used_us + s->idle_us;
}

/* Reads account_id, idle_us, absolute_us and the texts of `s`; sets id, created_us and
 * last_used_us.
 * Expected errors: ERR_CONFLICT. Writer. */
bool session_create(struct db_tx *tx, const uint8_t sha256[32], struct session *s, int64_t now_us,
                    struct err *err) MUST_USE;
/* Finds it, live or not. Expected errors: ERR_NOT_FOUND. Any tx. */
bool session_find(struct db_tx *tx, const uint8_t sha256[32], struct session *out,
                  struct err *err) MUST_USE;
bool session_get(struct db_tx *tx, int64_t id, struct session *out, struct err *err) MUST_USE;
/* Notes a use. Writer. */
bool session_touch(struct db_tx *tx, int64_t id, const char *address, int64_t now_us,
                   struct err *err) MUST_USE;
/* Ends one; ending it again changes nothing. Expected errors: ERR_NOT_FOUND. Writer. */
bool session_revoke(struct db_tx *tx, int64_t id, const char *why, int64_t now_us,
                    struct err *err) MUST_USE;
/* Ends all live ones of an account. Writer. */
bool session_revoke_account(struct db_tx *tx, int64_t account_id, const char *why, int64_t now_us,
                            struct err *err) MUST_USE;
/* Deletes rows that have been dead for more than `keep_us`, at most `max`. Maintenance, writer. */
bool session_purge(struct db_tx *tx, int64_t now_us, int64_t keep_us, int max,
                   struct err *err) MUST_USE;

struct session_list {
    struct session *items;
    size_t count;
};
/* Of one account, newest first, at most `max`. Any tx. */
bool session_list(struct db_tx *tx, int64_t account_id, int max, struct session_list *out,
                  struct err *err) MUST_USE;
void session_list_dispose(struct session_list *list);
static inline void cleanup_session_list(struct session_list *list)
{
    session_list_dispose(list);
}
#define auto_session_list __attribute__((cleanup(cleanup_session_list)))

#endif
