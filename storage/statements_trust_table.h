/* Rows of the table of statements (storage/statements.c): signed documents, what the roles listed, keys. */

#define DOC_COLUMNS                                                                                \
    "d.role, d.version, d.incarnation, d.sha256, d.signed_sha256, d.accepted_us, "                \
    "d.superseded_us, d.content, d.renew_us"
/* documents of the present lives of a repository's roles */
#define DOC_LIVE                                                                                   \
    "FROM trust_role r JOIN trust_doc d ON d.repository_id = r.repository_id "                     \
    "AND d.role = r.role AND d.incarnation = r.incarnation "                                       \
    "WHERE r.repository_id = ?1 AND r.ended_us = 0 "
/* an open row goes on to the version that its role has now */
#define TARGET_COLUMNS                                                                             \
    "x.role, x.incarnation, x.tag, x.sha256, x.sha512, x.length, x.since_us, x.since_version, "   \
    "CASE WHEN x.until_us = 0 THEN COALESCE((SELECT r.version FROM trust_role r WHERE "           \
    "r.repository_id = x.repository_id AND r.role = x.role), x.last_version) ELSE "               \
    "x.last_version END, x.until_us, x.why, x.signers, x.outside"
#define KEY_COLUMNS "id, role, key_id, state, created_us, public_der, sealed, sealed_by"
/* with its repository, by id */
#define KEY_PAGE                                                                                   \
    "SELECT k.id, k.role, k.key_id, k.state, k.created_us, k.public_der, k.sealed, k.sealed_by, "  \
    "r.name FROM trust_key k CROSS JOIN repository r WHERE k.id > ?1 AND r.id = k.repository_id "
#define EXPIRY_COLUMNS "x.repository_id, r.name, x.kind, x.role, x.expires_us"
/* of repositories that are not deleted, from a place on, first ends first */
#define EXPIRY_LIST                                                                                \
    "SELECT " EXPIRY_COLUMNS " FROM trust_expiry x CROSS JOIN repository r WHERE "                 \
    "x.expires_us > 0 AND x.expires_us < ?1 "                                                      \
    "AND (x.expires_us, x.repository_id, x.kind, x.role) > (?2, ?3, ?4, ?5) "                      \
    "AND r.id = x.repository_id AND r.deleted_us = 0 "
#define EXPIRY_ORDER "ORDER BY x.expires_us, x.repository_id, x.kind, x.role LIMIT ?6"
#define CHANGE_COLUMNS "id, created_us, gun, version, sha256, category"

    /* trust_role: primary key (repository, role), by (role, repository) */
    [SQL_TRUST_ROLE_GET] = "SELECT incarnation, version, ended_us FROM trust_role "
                           "WHERE repository_id = ?1 AND role = ?2",
    [SQL_TRUST_ROLE_PUT] =
        "INSERT INTO trust_role (repository_id, role, incarnation, version, signed_sha256) "
        "VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (repository_id, role) DO UPDATE SET "
        "incarnation = excluded.incarnation, version = excluded.version, "
        "signed_sha256 = excluded.signed_sha256, ended_us = 0, reset_us = CASE WHEN "
        "excluded.incarnation = trust_role.incarnation THEN trust_role.reset_us ELSE 0 END",
    [SQL_TRUST_ROLE_PERMIT_RESET] = "UPDATE trust_role SET reset_us = ?3 WHERE repository_id = ?1 "
                                    "AND role = ?2 AND ended_us = 0",
    [SQL_TRUST_ROLE_LIST] = "SELECT role, incarnation, version, signed_sha256, ended_us, reset_us "
                            "FROM trust_role WHERE repository_id = ?1 ORDER BY role",
    [SQL_TRUST_ROLE_END] = "UPDATE trust_role SET ended_us = ?3 WHERE repository_id = ?1 "
                           "AND role = ?2 AND ended_us = 0",
    [SQL_TRUST_ROLE_END_ALL] =
        "UPDATE trust_role SET ended_us = ?2 WHERE repository_id = ?1 AND ended_us = 0",

    /* trust_doc: by (repository, role, incarnation, version), by hash, the current one of a role */
    [SQL_TRUST_DOC_INSERT] =
        "INSERT INTO trust_doc (repository_id, role, incarnation, version, sha256, "
        "signed_sha256, accepted_us, content, expires_us, renew_us) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [SQL_TRUST_DOC_SUPERSEDE] = "UPDATE trust_doc SET superseded_us = ?3 WHERE repository_id = ?1 "
                                "AND role = ?2 AND superseded_us = 0",
    [SQL_TRUST_DOC_SET_RENEWAL] = "UPDATE trust_doc SET renew_us = ?3 WHERE repository_id = ?1 "
                                  "AND role = ?2 AND superseded_us = 0",
    [SQL_TRUST_DOC_SUPERSEDE_ALL] =
        "UPDATE trust_doc SET superseded_us = ?2 WHERE repository_id = ?1 AND superseded_us = 0",
    [SQL_TRUST_DOC_CURRENT] = "SELECT " DOC_COLUMNS " FROM trust_doc d WHERE d.repository_id = ?1 "
                              "AND d.superseded_us = 0 ORDER BY d.role",
    [SQL_TRUST_DOC_CURRENT_ROLE] = "SELECT " DOC_COLUMNS " FROM trust_doc d WHERE "
                                   "d.repository_id = ?1 AND d.role = ?2 AND d.superseded_us = 0",
    [SQL_TRUST_DOC_EXPIRES] = "SELECT d.expires_us FROM trust_doc d WHERE d.repository_id = ?1 "
                              "AND d.role = ?2 AND d.superseded_us = 0",
    [SQL_TRUST_DOC_ROOTS] =
        "SELECT " DOC_COLUMNS " " DOC_LIVE "AND r.role = 'root' ORDER BY d.version",
    [SQL_TRUST_DOC_BY_VERSION] =
        "SELECT " DOC_COLUMNS " " DOC_LIVE "AND r.role = ?2 AND d.version = ?3 "
        "AND d.collected_us = 0",
    [SQL_TRUST_DOC_BY_SHA256] =
        "SELECT " DOC_COLUMNS " FROM trust_doc d WHERE d.repository_id = ?1 AND d.role = ?2 "
        "AND d.sha256 = ?3 AND d.collected_us = 0 ORDER BY d.id DESC LIMIT 1",
    [SQL_TRUST_DOC_ACCEPTED] =
        "SELECT d.accepted_us, d.incarnation FROM trust_doc d WHERE d.repository_id = ?1 AND d.role = ?2 "
        "AND d.sha256 = ?3 AND d.collected_us = 0 ORDER BY d.id DESC LIMIT 1",
    [SQL_TRUST_DOC_BY_LIFE] =
        "SELECT " DOC_COLUMNS " FROM trust_doc d WHERE d.repository_id = ?1 AND d.role = ?2 "
        "AND d.incarnation = ?3 AND d.version = ?4",
    [SQL_TRUST_DOC_ANY] = "SELECT " FLAG("EXISTS (SELECT 1 FROM trust_doc WHERE repository_id = "
                                         "?1 AND superseded_us = 0)"),
    [SQL_TRUST_DOC_PREVIOUS_VERSION] =
        "SELECT COALESCE(MAX(version), 0) FROM trust_doc WHERE repository_id = ?1 AND role = ?2 "
        "AND incarnation = ?3 AND version < ?4",
    /* trust_doc_renewal */
    [SQL_TRUST_DOC_RENEWALS] =
        "SELECT d.repository_id, d.renew_us FROM trust_doc d WHERE d.superseded_us = 0 "
        "AND d.renew_us > 0 AND d.renew_us <= ?1 AND (d.renew_us, d.repository_id) > (?3, ?4) "
        "ORDER BY d.renew_us, d.repository_id LIMIT ?2",

    /* trust_doc_superseded */
    [SQL_TRUST_DOC_SUPERSEDED] =
        "SELECT d.id, d.repository_id, r.name, d.role, d.superseded_us, length(d.content) "
        "FROM trust_doc d CROSS JOIN repository r WHERE d.superseded_us > 0 "
        "AND d.collected_us = 0 AND d.role <> 'root' AND d.superseded_us < ?1 "
        "AND (d.superseded_us, d.id) > (?2, ?3) AND r.id = d.repository_id "
        "ORDER BY d.superseded_us, d.id LIMIT ?4",
    [SQL_TRUST_DOC_COLLECT] =
        "UPDATE trust_doc SET content = ?3, collected_us = ?2 WHERE id = ?1 "
        "AND superseded_us > 0 AND collected_us = 0 AND role <> 'root'",
    [SQL_TRUST_DOC_FORGET] =
        "DELETE FROM trust_doc WHERE id = ?1 AND superseded_us > 0 AND role = 'timestamp'",
    [SQL_TRUST_SPACE_ADD] =
        "UPDATE namespace SET trust_bytes = trust_bytes + ?2 "
        "WHERE id = (SELECT namespace_id FROM repository WHERE id = ?1) RETURNING trust_bytes",

    /* role_target: the open ones, by tag, by end, by digest */
    [SQL_ROLE_TARGET_OPEN] =
        "SELECT id, tag, sha256, sha512, length, outside FROM role_target WHERE repository_id = ?1 "
        "AND role = ?2 AND until_us = 0 ORDER BY tag",
    [SQL_ROLE_TARGET_INSERT] =
        "INSERT INTO role_target (repository_id, role, incarnation, tag, sha256, sha512, length, "
        "since_us, since_version, last_version, signers, outside) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10, ?11)",
    [SQL_ROLE_TARGET_SIGN] = "UPDATE role_target SET signers = ?3 WHERE repository_id = ?1 AND "
                             "role = ?2 AND until_us = 0 AND signers <> ?3",
    [SQL_ROLE_TARGET_CLOSE] =
        "UPDATE role_target SET until_us = ?2, why = ?3, last_version = ?4 WHERE id = ?1",
    /* the same document goes on listing it, inside the role's paths or outside: one row ends, a copy begins */
    [SQL_ROLE_TARGET_TURN_OLD] =
        "UPDATE role_target SET until_us = ?2, why = ?3, last_version = COALESCE((SELECT r.version "
        "FROM trust_role r WHERE r.repository_id = role_target.repository_id AND r.role = "
        "role_target.role), last_version) WHERE id = ?1",
    [SQL_ROLE_TARGET_TURN_NEW] =
        "INSERT INTO role_target (repository_id, role, incarnation, tag, sha256, sha512, length, "
        "since_us, since_version, last_version, signers, outside) "
        "SELECT repository_id, role, incarnation, tag, sha256, sha512, length, until_us, last_version, "
        "last_version, signers, 1 - outside FROM role_target WHERE id = ?1",
    [SQL_ROLE_TARGET_CLOSE_ROLE] =
        "UPDATE role_target SET until_us = ?3, why = ?4, last_version = COALESCE((SELECT "
        "r.version FROM trust_role r WHERE r.repository_id = ?1 AND r.role = ?2), last_version) "
        "WHERE repository_id = ?1 AND role = ?2 AND until_us = 0",
    [SQL_ROLE_TARGET_CLOSE_ALL] =
        "UPDATE role_target SET until_us = ?2, why = ?3, last_version = COALESCE((SELECT "
        "r.version FROM trust_role r WHERE r.repository_id = ?1 AND r.role = role_target.role), "
        "last_version) WHERE repository_id = ?1 AND until_us = 0",
    [SQL_ROLE_TARGET_HISTORY] = "SELECT " TARGET_COLUMNS " FROM role_target x WHERE "
                                "x.repository_id = ?1 AND x.role = ?2 AND x.tag = ?3 AND "
                                "x.since_us <= ?4 ORDER BY x.id DESC LIMIT ?5",
    [SQL_ROLE_TARGET_WALK] = "SELECT " TARGET_COLUMNS " FROM role_target x WHERE "
                             "x.repository_id = ?1 AND x.role = ?2",
    [SQL_ROLE_TARGET_LISTED] = "SELECT " TARGET_COLUMNS " FROM role_target x WHERE "
                               "x.repository_id = ?1 AND x.role = ?2 AND x.until_us = 0 "
                               "ORDER BY x.tag",
    [SQL_ROLE_TARGET_ENDED_SINCE] =
        "SELECT " TARGET_COLUMNS " FROM role_target x WHERE x.repository_id = ?1 "
        "AND x.until_us > 0 AND x.until_us >= ?2 ORDER BY x.until_us",
    [SQL_ROLE_TARGET_NAMES_SHA256] =
        "SELECT 1 FROM role_target WHERE repository_id = ?1 AND sha256 = ?2 LIMIT 1",
    [SQL_ROLE_TARGET_NAMES_SHA512] =
        "SELECT 1 FROM role_target WHERE repository_id = ?1 AND sha512 = ?2 LIMIT 1",

    [SQL_ROLE_TARGET_NEXT_REPOSITORY] =
        "SELECT repository_id FROM role_target WHERE sha256 = ?1 AND repository_id > ?2 AND until_us = 0 AND "
        "outside = 0 AND role IN ('targets', 'targets/releases') ORDER BY repository_id LIMIT 1",
    [SQL_ROLE_TARGET_ANY] = "SELECT 1 FROM role_target WHERE repository_id = ?1 LIMIT 1",
    [SQL_ROLE_TARGET_TAGS_SHA256] =
        "SELECT DISTINCT tag FROM role_target WHERE repository_id = ?1 AND sha256 = ?2 AND "
        "until_us = 0 ORDER BY tag LIMIT ?3",
    [SQL_ROLE_TARGET_TAGS_SHA512] =
        "SELECT DISTINCT tag FROM role_target WHERE repository_id = ?1 AND sha512 = ?2 AND "
        "until_us = 0 ORDER BY tag LIMIT ?3",
    [SQL_ROLE_TARGET_LISTS_TAG] =
        "SELECT 1 FROM role_target WHERE repository_id = ?1 AND tag = ?2 AND until_us = 0 LIMIT 1",
    /* 0: listed now; -1: not at all since ?3 */
    [SQL_ROLE_TARGET_END_SHA256] =
        "SELECT COALESCE(MIN(until_us), -1) FROM role_target WHERE repository_id = ?1 AND "
        "sha256 = ?2 AND (until_us = 0 OR until_us >= ?3)",
    [SQL_ROLE_TARGET_END_SHA512] =
        "SELECT COALESCE(MIN(until_us), -1) FROM role_target WHERE repository_id = ?1 AND "
        "sha512 = ?2 AND (until_us = 0 OR until_us >= ?3)",

    /* tombstone: by (repository, incarnation) */
    [SQL_TOMBSTONE_INSERT] =
        "INSERT INTO tombstone (repository_id, incarnation, wiped_us, wiped_by, reason, "
        "pin_kept, versions, roots) SELECT ?1, COALESCE(MAX(t.incarnation), 0) + 1, ?2, ?3, ?4, "
        "?5, ?6, ?7 FROM tombstone t WHERE t.repository_id = ?1 RETURNING incarnation",
    [SQL_TOMBSTONE_GET] =
        "SELECT incarnation, wiped_us, wiped_by, reason, pin_kept, versions, roots FROM tombstone "
        "WHERE repository_id = ?1 ORDER BY incarnation DESC LIMIT 1",

    /* change_record: by id, by (gun, id) */
    [SQL_CHANGE_RECORD_INSERT] = "INSERT INTO change_record (created_us, gun, category, version, "
                                 "sha256) VALUES (?1, ?2, ?3, ?4, ?5)",
    [SQL_CHANGE_RECORD_FORWARD] = "SELECT " CHANGE_COLUMNS " FROM change_record WHERE id > ?1 "
                                  "ORDER BY id LIMIT ?2",
    [SQL_CHANGE_RECORD_FORWARD_GUN] = "SELECT " CHANGE_COLUMNS " FROM change_record WHERE "
                                      "id > ?1 AND gun = ?3 ORDER BY id LIMIT ?2",
    [SQL_CHANGE_RECORD_BACKWARD] = "SELECT " CHANGE_COLUMNS " FROM change_record WHERE id < ?1 "
                                   "ORDER BY id DESC LIMIT ?2",
    [SQL_CHANGE_RECORD_BACKWARD_GUN] = "SELECT " CHANGE_COLUMNS " FROM change_record WHERE "
                                       "id < ?1 AND gun = ?3 ORDER BY id DESC LIMIT ?2",
    /* change_record_by_version */
    [SQL_CHANGE_RECORD_HAS] = "SELECT count(*) FROM change_record WHERE gun = ?1 AND version = ?2 "
                              "AND created_us = ?3 AND category = ?4",

    /* trust_key: by (repository, role, key id), the pending one */
    [SQL_TRUST_KEY_INSERT] =
        "INSERT INTO trust_key (repository_id, role, key_id, state, created_us, public_der, "
        "sealed, sealed_by) VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6, ?7)",
    [SQL_TRUST_KEY_PENDING] = "SELECT " KEY_COLUMNS " FROM trust_key WHERE repository_id = ?1 "
                              "AND role = ?2 AND state = 1",
    [SQL_TRUST_KEY_GET] = "SELECT " KEY_COLUMNS " FROM trust_key WHERE repository_id = ?1 "
                          "AND role = ?2 AND key_id = ?3",
    [SQL_TRUST_KEY_SET_STATE] = "UPDATE trust_key SET state = ?2 WHERE id = ?1",
    [SQL_TRUST_KEY_LIST] = "SELECT " KEY_COLUMNS " FROM trust_key WHERE repository_id = ?1 "
                           "ORDER BY id DESC",

    [SQL_TRUST_KEY_PAGE] = KEY_PAGE "ORDER BY k.id LIMIT ?2",
    [SQL_TRUST_KEY_PAGE_UNBOUND] = KEY_PAGE "AND k.sealed_by = '' ORDER BY k.id LIMIT ?2",
    [SQL_TRUST_KEY_RESEAL] =
        "UPDATE trust_key SET sealed = ?3, sealed_by = ?4 WHERE id = ?1 AND sealed_by = ?2",

    /* trust_expiry: primary key (repository, kind, role), by end, by (namespace, end), by (kind, end) */
    [SQL_EXPIRY_PUT] =
        "INSERT INTO trust_expiry (repository_id, kind, role, expires_us, namespace_id) "
        "SELECT r.id, ?2, ?3, ?4, r.namespace_id FROM repository r WHERE r.id = ?1 "
        "ON CONFLICT (repository_id, kind, role) DO UPDATE SET expires_us = excluded.expires_us",
    [SQL_EXPIRY_REMOVE] =
        "DELETE FROM trust_expiry WHERE repository_id = ?1 AND kind = ?2 AND role = ?3",
    [SQL_EXPIRY_REMOVE_ROLE] =
        "DELETE FROM trust_expiry WHERE repository_id = ?1 AND (?2 = '' OR role = ?2)",
    [SQL_EXPIRY_LIST] = EXPIRY_LIST EXPIRY_ORDER,
    [SQL_EXPIRY_LIST_NAMESPACE] = EXPIRY_LIST "AND x.namespace_id = ?7 " EXPIRY_ORDER,
    [SQL_EXPIRY_LIST_REPOSITORY] =
        "SELECT " EXPIRY_COLUMNS " FROM trust_expiry x CROSS JOIN repository r WHERE "
        "x.repository_id = ?1 AND r.id = x.repository_id ORDER BY x.kind, x.role",
    [SQL_EXPIRY_COUNT] = "SELECT count(*) FROM trust_expiry WHERE kind = ?1 AND expires_us > 0 "
                         "AND expires_us < ?2",
    [SQL_EXPIRY_UNKNOWN] = "SELECT " EXPIRY_COLUMNS " FROM trust_expiry x CROSS JOIN repository r "
                           "WHERE x.expires_us = 0 AND r.id = x.repository_id LIMIT ?1",

    /* pins: primary keys (repository, spki), (namespace, spki), (spki) */
    [SQL_TRUST_PIN_LIST] = "SELECT spki, added_us, added_by, '' FROM trust_pin "
                           "WHERE repository_id = ?1 ORDER BY spki",
    [SQL_TRUST_PIN_INSERT] =
        "INSERT INTO trust_pin (repository_id, spki, added_us, added_by) VALUES (?1, ?2, ?3, ?4) "
        "ON CONFLICT (repository_id, spki) DO NOTHING",
    [SQL_TRUST_PIN_CLEAR] = "DELETE FROM trust_pin WHERE repository_id = ?1",
    [SQL_NAMESPACE_ROOT_LIST] = "SELECT spki, added_us, added_by, '' FROM namespace_root "
                                "WHERE namespace_id = ?1 ORDER BY added_us, spki",
    [SQL_NAMESPACE_ROOT_INSERT] =
        "INSERT INTO namespace_root (namespace_id, spki, added_us, added_by) "
        "VALUES (?1, ?2, ?3, ?4) ON CONFLICT (namespace_id, spki) DO NOTHING",
    [SQL_NAMESPACE_ROOT_DELETE] =
        "DELETE FROM namespace_root WHERE namespace_id = ?1 AND spki = ?2",
    [SQL_NAMESPACE_ROOT_CLEAR] = "DELETE FROM namespace_root WHERE namespace_id = ?1",
    [SQL_REVOKED_KEY_LIST] = "SELECT spki, revoked_us, revoked_by, reason FROM revoked_key "
                             "ORDER BY revoked_us, spki",
    [SQL_REVOKED_KEY_INSERT] =
        "INSERT INTO revoked_key (spki, revoked_us, revoked_by, reason) VALUES (?1, ?2, ?3, ?4) "
        "ON CONFLICT (spki) DO NOTHING",
