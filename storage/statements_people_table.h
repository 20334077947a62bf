/* Rows of the table of statements (storage/statements.c): accounts, their credentials, what they did and what
 * they were answered. */

#define ACCOUNT_COLUMNS                                                                            \
    "id, kind, name, administrator, disabled, COALESCE(namespace_id, 0), actions, "               \
    "password_hash, password_version, created_us"
#define CREDENTIAL_COLUMNS "id, account_id, kind, created_us, last_used_us, revoked_us"
#define SESSION_COLUMNS                                                                            \
    "id, account_id, created_us, last_used_us, idle_us, absolute_us, revoked_us, revoked_why, "   \
    "client_id, user_agent, address, amr"
#define AUDIT_COLUMNS                                                                              \
    "id, created_us, namespace_id, account_id, actor, address, proof, action, object, outcome, "  \
    "state_before, state_after, prev, sha256"
#define DECISION_COLUMNS                                                                           \
    "number, id, created_us, repository_id, account_id, effect, identity, total_bytes, sha256, "  \
    "record"

    /* account: by id, by name, by (namespace, kind, name) */
    [SQL_ACCOUNT_INSERT] =
        "INSERT INTO account (kind, name, administrator, namespace_id, actions, password_hash, "
        "created_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING id",
    [SQL_ACCOUNT_GET] = "SELECT " ACCOUNT_COLUMNS " FROM account WHERE id = ?1",
    [SQL_ACCOUNT_GET_BY_NAME] = "SELECT " ACCOUNT_COLUMNS " FROM account WHERE name = ?1",
    [SQL_ACCOUNT_SET_PASSWORD] =
        "UPDATE account SET password_hash = ?2, password_version = password_version + 1 "
        "WHERE id = ?1",
    [SQL_ACCOUNT_SET_DISABLED] = "UPDATE account SET disabled = ?2 WHERE id = ?1",
    [SQL_ACCOUNT_SET_ADMINISTRATOR] = "UPDATE account SET administrator = ?2 WHERE id = ?1",
    [SQL_ACCOUNT_DELETE] = "DELETE FROM account WHERE id = ?1",
    [SQL_ACCOUNT_LIST_USERS] = "SELECT " ACCOUNT_COLUMNS " FROM account WHERE kind = 1 "
                               "AND name > ?1 ORDER BY name LIMIT ?2",
    [SQL_ACCOUNT_LIST_NAMESPACE] =
        "SELECT " ACCOUNT_COLUMNS " FROM account WHERE namespace_id = ?1 AND kind = ?2 "
        "AND name > ?3 ORDER BY name LIMIT ?4",

    /* credential, session: by hash, by id, by account */
    [SQL_CREDENTIAL_INSERT] = "INSERT INTO credential (account_id, kind, sha256, created_us) "
                              "VALUES (?1, ?2, ?3, ?4) RETURNING id",
    [SQL_CREDENTIAL_FIND] = "SELECT " CREDENTIAL_COLUMNS " FROM credential WHERE sha256 = ?1",
    [SQL_CREDENTIAL_GET] = "SELECT " CREDENTIAL_COLUMNS " FROM credential WHERE id = ?1",
    [SQL_CREDENTIAL_TOUCH] = "UPDATE credential SET last_used_us = ?2 WHERE id = ?1",
    [SQL_CREDENTIAL_REVOKE_ACCOUNT] =
        "UPDATE credential SET revoked_us = ?2 WHERE account_id = ?1 AND revoked_us = 0",
    [SQL_SESSION_INSERT] =
        "INSERT INTO session (account_id, sha256, created_us, last_used_us, idle_us, absolute_us, "
        "dead_us, client_id, user_agent, address, amr) "
        "VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) RETURNING id",
    [SQL_SESSION_FIND] = "SELECT " SESSION_COLUMNS " FROM session WHERE sha256 = ?1",
    [SQL_SESSION_GET] = "SELECT " SESSION_COLUMNS " FROM session WHERE id = ?1",
    [SQL_SESSION_TOUCH] =
        "UPDATE session SET last_used_us = ?2, address = ?3, dead_us = CASE WHEN ?2 + idle_us < "
        "created_us + absolute_us THEN ?2 + idle_us ELSE created_us + absolute_us END "
        "WHERE id = ?1 AND revoked_us = 0",
    [SQL_SESSION_REVOKE] = "UPDATE session SET revoked_us = ?2, revoked_why = ?3, dead_us = ?2 "
                           "WHERE id = ?1 AND revoked_us = 0",
    [SQL_SESSION_REVOKE_ACCOUNT] =
        "UPDATE session SET revoked_us = ?2, revoked_why = ?3, dead_us = ?2 "
        "WHERE account_id = ?1 AND revoked_us = 0",
    [SQL_SESSION_PURGE] = "DELETE FROM session WHERE id IN (SELECT id FROM session "
                          "WHERE dead_us < ?1 ORDER BY dead_us LIMIT ?2)",
    [SQL_SESSION_LIST] = "SELECT " SESSION_COLUMNS " FROM session WHERE account_id = ?1 "
                         "ORDER BY id DESC LIMIT ?2",

    /* audit: by id, by (namespace, id), by (action, object, id), by (created, id) */
    [SQL_AUDIT_HEAD] = "SELECT audit_head FROM instance WHERE id = 1",
    [SQL_AUDIT_SET_HEAD] = "UPDATE instance SET audit_head = ?1 WHERE id = 1",
    [SQL_AUDIT_INSERT] =
        "INSERT INTO audit (created_us, namespace_id, account_id, actor, address, proof, action, "
        "object, outcome, state_before, state_after, prev, sha256) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    [SQL_AUDIT_LIST] = "SELECT " AUDIT_COLUMNS " FROM audit WHERE id > ?1 ORDER BY id LIMIT ?2",
    [SQL_AUDIT_LIST_NAMESPACE] = "SELECT " AUDIT_COLUMNS " FROM audit WHERE namespace_id = ?3 "
                                 "AND id > ?1 ORDER BY id LIMIT ?2",
    [SQL_AUDIT_LAST] = "SELECT " AUDIT_COLUMNS " FROM audit WHERE action = ?1 AND object = ?2 "
                       "AND created_us <= ?3 ORDER BY id DESC LIMIT 1",
    [SQL_AUDIT_SINCE] =
        "SELECT id FROM audit WHERE created_us >= ?1 ORDER BY created_us, id LIMIT 1",

    /* decision: by number, by id, by (repository, number), by (account, number); cuts */
    [SQL_DECISION_HEAD] = "SELECT head, total_bytes FROM decision_chain WHERE id = 1",
    [SQL_DECISION_SET_HEAD] =
        "UPDATE decision_chain SET head = ?1, total_bytes = ?2 WHERE id = 1",
    [SQL_DECISION_INSERT] =
        "INSERT INTO decision (id, created_us, repository_id, account_id, effect, identity, "
        "total_bytes, sha256, record) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [SQL_DECISION_GET] = "SELECT " DECISION_COLUMNS " FROM decision WHERE id = ?1",
    [SQL_DECISION_NEWEST] = "SELECT " DECISION_COLUMNS " FROM decision WHERE number < ?1 "
                            "ORDER BY number DESC LIMIT ?2",
    [SQL_DECISION_OF_REPOSITORY] = "SELECT " DECISION_COLUMNS " FROM decision "
                                   "WHERE repository_id = ?3 AND number < ?1 "
                                   "ORDER BY number DESC LIMIT ?2",
    [SQL_DECISION_OF_ACCOUNT] = "SELECT " DECISION_COLUMNS " FROM decision "
                                "WHERE account_id = ?3 AND number < ?1 "
                                "ORDER BY number DESC LIMIT ?2",
    [SQL_DECISION_CHAIN] = "SELECT " DECISION_COLUMNS " FROM decision WHERE number > ?1 "
                           "ORDER BY number LIMIT ?2",
    [SQL_DECISION_OLDEST] = "SELECT number, id, created_us, total_bytes, sha256 FROM decision "
                            "WHERE number > 0 ORDER BY number LIMIT ?1",
    [SQL_DECISION_NEWEST_CUT] = "SELECT record FROM decision WHERE effect = 0 "
                                "ORDER BY number DESC LIMIT 1",
    [SQL_DECISION_DELETE_UNTIL] = "DELETE FROM decision WHERE number <= ?1",
