#include "storage/statements.h"

/* "0 or 1" of an EXISTS: the engines differ in the type of a bare one. */
#define FLAG(condition) "CASE WHEN " condition " THEN 1 ELSE 0 END"

#define NAMESPACE_COLUMNS                                                                          \
    "n.id, n.name, n.visibility, n.incarnation, n.quota_bytes, n.used_bytes, "         \
    "n.reserved_bytes, n.created_us, n.trust_bytes"

/* ?1 whose role */
#define NAMESPACE_ITEM                                                                             \
    NAMESPACE_COLUMNS ", COALESCE(m.role, 0), COALESCE(m.signer, 0), n.repository_count "          \
    "FROM namespace n LEFT JOIN membership m ON m.namespace_id = n.id AND m.account_id = ?1 "

/* The sum moves with each of the three and never comes back. */
#define GATE_GENERATION                                                                            \
    "r.gate_generation + n.gate_generation + (SELECT gate_generation FROM instance WHERE id = 1)"
#define REPOSITORY_COLUMNS                                                                         \
    "r.id, r.namespace_id, r.name, n.visibility, n.incarnation, " GATE_GENERATION                  \
    ", r.manifest_count, r.created_us"
/* ?1 account, ?2 namespace of a robot, ?3 signed in */
#define NAMESPACE_READABLE                                                                         \
    "n.deleted_us = 0 AND (n.visibility = 2 OR (n.visibility = 1 AND ?3 = 1) OR n.id = ?2 OR EXISTS (SELECT 1 FROM "   \
    "membership m WHERE m.namespace_id = n.id AND m.account_id = ?1))"

#define MANIFEST_COLUMNS                                                                           \
    "m.digest, m.size, m.media_type, m.artifact_type, m.subject, m.created_us, m.pushed_by"
#define TAG_CHANGE "t.updated_us, t.updated_by, t.updated_by_name"
#define TAG_COLUMNS "t.name, t.digest, m.size, " TAG_CHANGE
#define TAG_JOIN                                                                                   \
    "FROM tag t JOIN manifest m ON m.repository_id = t.repository_id AND m.digest = t.digest "

#define DOC_COLUMNS                                                                                \
    "d.role, d.version, d.incarnation, d.sha256, d.signed_sha256, d.accepted_us, "                \
    "d.superseded_us, d.content"
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
    "x.last_version END, x.until_us, x.why, x.signers"

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
#define POLICY_COLUMNS "scope, generation, updated_us, updated_by, json"
#define RULE_COLUMNS                                                                               \
    "x.name, x.repository, x.tag, x.immutable, x.newest, x.younger_us, x.pulled_us"
#define RELEASE_COLUMNS                                                                            \
    "namespace_id, service, number, repository_id, repository, tag, digest, decision, reason, "    \
    "rollback_of, is_current, created_us, created_by, notes"
#define CHANGE_COLUMNS "id, created_us, gun, version, sha256, category"
#define DENIED_COLUMNS "scope, digest, changes, lifted_us, since_us, denied_by, reason"
#define OVERRIDE_COLUMNS                                                                           \
    "id, namespace_id, repository_id, repository, digest, reason, ticket, start_us, end_us, "      \
    "max_uses, uses, two_person, changes, created_us, created_by_id, created_by, approved_us, "    \
    "approved_by_id, approved_by, ended_us, ended_by_id, ended_by, ended_why"
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

const char *const sql_statements[SQL_COUNT] = {
    /* namespace: by name, by id, by prefix */
    [SQL_NAMESPACE_NEXT_INCARNATION] = "UPDATE instance SET incarnations = incarnations + 1 "
                                       "WHERE id = 1 RETURNING incarnations",
    [SQL_NAMESPACE_INSERT] = "INSERT INTO namespace (name, prefix, visibility, incarnation, "
                             "created_us) VALUES (?1, ?1 || '/', ?2, ?3, ?4) RETURNING id",
    [SQL_NAMESPACE_GET] = "SELECT " NAMESPACE_COLUMNS " FROM namespace n WHERE n.name = ?1 "
                          "AND n.deleted_us = 0",
    [SQL_NAMESPACE_GET_BY_ID] = "SELECT " NAMESPACE_COLUMNS " FROM namespace n WHERE n.id = ?1 "
                                "AND n.deleted_us = 0",
    [SQL_NAMESPACE_REVIVE] =
        "UPDATE namespace SET visibility = ?2, incarnation = ?3, quota_bytes = 0, created_us = ?4, "
        "deleted_us = 0 WHERE name = ?1 AND deleted_us > 0 AND NOT EXISTS (SELECT 1 FROM removal m "
        "WHERE m.kind = 2 AND m.id = namespace.id) RETURNING id",
    [SQL_NAMESPACE_IS_DELETED] = "SELECT 1 FROM namespace WHERE name = ?1 AND deleted_us > 0",
    [SQL_NAMESPACE_MARK_DELETED] =
        "UPDATE namespace SET deleted_us = ?2, gate_generation = gate_generation + 1 "
        "WHERE id = ?1 AND deleted_us = 0",
    /* what is left of it is its repositories' trust history or its root keys */
    [SQL_NAMESPACE_DELETE] =
        "DELETE FROM namespace WHERE id = ?1 AND deleted_us > 0 AND NOT EXISTS (SELECT 1 FROM "
        "repository r WHERE r.namespace_id = namespace.id) AND NOT EXISTS (SELECT 1 FROM "
        "namespace_root k WHERE k.namespace_id = namespace.id)",
    [SQL_NAMESPACE_SET_VISIBILITY] = "UPDATE namespace SET visibility = ?2 WHERE id = ?1",
    [SQL_NAMESPACE_SET_QUOTA] = "UPDATE namespace SET quota_bytes = ?2 WHERE id = ?1",
    [SQL_NAMESPACE_RESERVE] =
        "UPDATE namespace SET reserved_bytes = reserved_bytes + ?2 WHERE id = ?1",
    [SQL_NAMESPACE_ITEM] = "SELECT " NAMESPACE_ITEM "WHERE n.name = ?2 AND n.deleted_us = 0",
    [SQL_NAMESPACE_LIST_ALL] =
        "SELECT " NAMESPACE_ITEM "WHERE n.name > ?2 AND n.deleted_us = 0 ORDER BY n.name LIMIT ?3",
    [SQL_NAMESPACE_LIST_MEMBER] =
        "SELECT " NAMESPACE_COLUMNS ", m.role, m.signer, n.repository_count "
        "FROM membership m JOIN namespace n ON n.id = m.namespace_id "
        "WHERE m.account_id = ?1 AND n.name > ?2 AND n.deleted_us = 0 ORDER BY n.name LIMIT ?3",

    /* membership: primary key (namespace, account) */
    [SQL_MEMBERSHIP_GET] =
        "SELECT role, signer FROM membership WHERE namespace_id = ?1 AND account_id = ?2",
    [SQL_MEMBERSHIP_PUT] =
        "INSERT INTO membership (namespace_id, account_id, role, signer, created_us) "
        "VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (namespace_id, account_id) "
        "DO UPDATE SET role = excluded.role, signer = excluded.signer",
    [SQL_MEMBERSHIP_DELETE] =
        "DELETE FROM membership WHERE namespace_id = ?1 AND account_id = ?2",
    [SQL_MEMBERSHIP_OWNERS] =
        "SELECT COUNT(*) FROM membership WHERE namespace_id = ?1 AND role = 4",
    [SQL_MEMBERSHIP_LIST] =
        "SELECT m.account_id, a.name, m.role, m.signer, m.created_us FROM membership m "
        "JOIN account a ON a.id = m.account_id WHERE m.namespace_id = ?1 ORDER BY a.name",

    /* repository: by name, by id, by (namespace, name) */
    [SQL_REPOSITORY_GET] = "SELECT " REPOSITORY_COLUMNS " FROM repository r "
                           "JOIN namespace n ON n.id = r.namespace_id WHERE r.name = ?1 "
                           "AND r.deleted_us = 0 AND n.deleted_us = 0",
    [SQL_REPOSITORY_GET_BY_ID] = "SELECT " REPOSITORY_COLUMNS " FROM repository r "
                                 "JOIN namespace n ON n.id = r.namespace_id WHERE r.id = ?1 "
                                 "AND r.deleted_us = 0 AND n.deleted_us = 0",
    [SQL_REPOSITORY_GET_HIDDEN] =
        "SELECT " REPOSITORY_COLUMNS ", r.deleted_us FROM repository r JOIN namespace n ON "
        "n.id = r.namespace_id WHERE r.id = ?1",
    [SQL_REPOSITORY_IS_DELETED] = "SELECT 1 FROM repository WHERE name = ?1 AND deleted_us > 0",
    [SQL_REPOSITORY_MARK_DELETED] =
        "UPDATE repository SET deleted_us = ?2, gate_generation = gate_generation + 1 "
        "WHERE id = ?1 AND deleted_us = 0",
    [SQL_REPOSITORY_KEEP_NAME] = "UPDATE repository SET deleted_us = 0 WHERE id = ?1",
    [SQL_REPOSITORY_DELETE] = "DELETE FROM repository WHERE id = ?1",
    [SQL_REPOSITORY_HAS_TRUST] =
        "SELECT " FLAG("EXISTS (SELECT 1 FROM trust_role WHERE repository_id = ?1) OR "
                       "EXISTS (SELECT 1 FROM trust_doc WHERE repository_id = ?1) OR "
                       "EXISTS (SELECT 1 FROM role_target WHERE repository_id = ?1) OR "
                       "EXISTS (SELECT 1 FROM tombstone WHERE repository_id = ?1) OR "
                       "EXISTS (SELECT 1 FROM trust_key WHERE repository_id = ?1) OR "
                       "EXISTS (SELECT 1 FROM trust_pin WHERE repository_id = ?1)"),
    /* 1 content or history that stays, 2 what goes by itself, 0 nothing */
    [SQL_REPOSITORY_HOLDS] =
        "SELECT CASE WHEN EXISTS (SELECT 1 FROM manifest WHERE repository_id = ?1) OR "
        "EXISTS (SELECT 1 FROM tag_history WHERE repository_id = ?1) THEN 1 "
        "WHEN EXISTS (SELECT 1 FROM repository_blob WHERE repository_id = ?1) OR "
        "EXISTS (SELECT 1 FROM upload WHERE repository_id = ?1) THEN 2 ELSE 0 END",
    [SQL_REPOSITORY_IDLE_PUT] =
        "INSERT INTO repository_idle (repository_id, not_before_us) SELECT r.id, ?2 FROM "
        "repository r WHERE r.id = ?1 AND r.manifest_count = 0 "
        "ON CONFLICT (repository_id) DO UPDATE SET not_before_us = excluded.not_before_us",
    [SQL_REPOSITORY_IDLE_DUE] = "SELECT repository_id FROM repository_idle "
                                "WHERE not_before_us <= ?1 ORDER BY not_before_us LIMIT ?2",
    [SQL_REPOSITORY_IDLE_DROP] = "DELETE FROM repository_idle WHERE repository_id = ?1",
    [SQL_REPOSITORY_OF_NAMESPACE] =
        "SELECT r.id, r.name FROM repository r WHERE r.namespace_id = ?1 AND r.name > ?2 "
        "ORDER BY r.name LIMIT 1",
    [SQL_REPOSITORY_INSERT] =
        "INSERT INTO repository (namespace_id, name, created_us) SELECT n.id, ?2, ?3 "
        "FROM namespace n WHERE n.name = ?1 AND n.deleted_us = 0",
    [SQL_REPOSITORY_CHARGE] =
        "UPDATE namespace SET used_bytes = used_bytes + ?2 "
        "WHERE id = (SELECT namespace_id FROM repository WHERE id = ?1) "
        "AND (quota_bytes = 0 OR ?2 <= 0 OR used_bytes + reserved_bytes + ?2 <= quota_bytes)",
    [SQL_REPOSITORY_COUNT_MANIFEST] =
        "UPDATE repository SET manifest_count = manifest_count + ?2 WHERE id = ?1 "
        "RETURNING manifest_count, namespace_id, deleted_us",
    [SQL_REPOSITORY_COUNT_HIDDEN] =
        "UPDATE namespace SET repository_count = repository_count - 1 WHERE id = (SELECT "
        "namespace_id FROM repository WHERE id = ?1 AND manifest_count > 0 AND deleted_us = 0)",
    [SQL_REPOSITORY_COUNT_SHOWN] =
        "UPDATE namespace SET repository_count = repository_count + ?2 WHERE id = ?1",
    [SQL_REPOSITORY_GATE_BUMP] =
        "UPDATE repository SET gate_generation = gate_generation + 1 WHERE id = ?1",
    [SQL_REPOSITORY_GATE_BUMP_NAMESPACE] =
        "UPDATE namespace SET gate_generation = gate_generation + 1 WHERE id = ?1",
    [SQL_REPOSITORY_GATE_BUMP_ALL] =
        "UPDATE instance SET gate_generation = gate_generation + 1 WHERE id = 1",
    [SQL_REPOSITORY_LIST_ALL] =
        "SELECT " REPOSITORY_COLUMNS " FROM repository r JOIN namespace n ON n.id = r.namespace_id "
        "WHERE r.name > ?1 AND r.manifest_count > 0 AND r.deleted_us = 0 AND n.deleted_us = 0 "
        "ORDER BY r.name LIMIT ?2",
    /* namespaces in the order of their prefix, in each its repositories: the order of full names
     * without a sort */
    [SQL_REPOSITORY_LIST_READABLE] =
        "SELECT " REPOSITORY_COLUMNS " FROM namespace n CROSS JOIN repository r "
        "WHERE n.prefix >= ?5 AND " NAMESPACE_READABLE
        " AND r.namespace_id = n.id AND r.name > ?4 AND r.manifest_count > 0 AND r.deleted_us = 0 "
        "ORDER BY n.prefix, r.name LIMIT ?6",
    [SQL_REPOSITORY_LIST_NAMESPACE] =
        "SELECT " REPOSITORY_COLUMNS " FROM repository r JOIN namespace n ON n.id = r.namespace_id "
        "WHERE r.namespace_id = ?1 AND r.name > ?2 AND (r.manifest_count > 0 OR ?3 = 1) "
        "AND r.deleted_us = 0 AND n.deleted_us = 0 "
        "ORDER BY r.name LIMIT ?4",
    [SQL_REPOSITORY_LIST_TRUSTED] =
        "SELECT " REPOSITORY_COLUMNS " FROM trust_role t CROSS JOIN repository r CROSS JOIN "
        "namespace n WHERE t.role = 'root' AND t.repository_id > ?1 AND r.id = t.repository_id "
        "AND n.id = r.namespace_id AND r.deleted_us = 0 AND n.deleted_us = 0 "
        "ORDER BY t.repository_id LIMIT ?2",

    /* blob: by digest; membership by (repository, digest) and (digest, repository) */
    [SQL_BLOB_INSERT] =
        "INSERT INTO blob (digest, size, created_us) VALUES (?1, ?2, ?3) "
        "ON CONFLICT (digest) DO UPDATE SET missing_us = 0 WHERE blob.missing_us > 0",
    [SQL_BLOB_DELETE] =
        "DELETE FROM blob WHERE digest = ?1 AND NOT EXISTS (SELECT 1 FROM repository_blob b "
        "WHERE b.digest = blob.digest)",
    [SQL_BLOB_SIZE] = "SELECT size FROM blob WHERE digest = ?1",
    [SQL_BLOB_GET_MEMBER] =
        "SELECT b.size, COALESCE((SELECT c.not_before_us FROM condemned c WHERE c.kind = 1 "
        "AND c.repository_id = ?1 AND c.digest = ?2), 0), b.missing_us FROM repository_blob r "
        "JOIN blob b ON b.digest = r.digest WHERE r.repository_id = ?1 AND r.digest = ?2",
    [SQL_BLOB_LINK] = "INSERT INTO repository_blob (repository_id, digest, created_us) "
                      "VALUES (?1, ?2, ?3) ON CONFLICT (repository_id, digest) DO NOTHING",
    [SQL_BLOB_UNLINK] = "DELETE FROM repository_blob WHERE repository_id = ?1 AND digest = ?2",
    [SQL_BLOB_HELD] =
        "SELECT " FLAG("EXISTS (SELECT 1 FROM repository_blob WHERE digest = ?1)"),
    [SQL_BLOB_NAMED] =
        "SELECT " FLAG("EXISTS (SELECT 1 FROM edge WHERE repository_id = ?1 AND child = ?2 AND "
                       "kind IN (1, 2, 5))"),
    [SQL_BLOB_FIND_SOURCE] =
        "SELECT b.repository_id, " FLAG("?5 = 1 OR " NAMESPACE_READABLE)
        " FROM repository_blob b CROSS JOIN repository r CROSS JOIN namespace n "
        "WHERE b.digest = ?4 AND r.id = b.repository_id AND n.id = r.namespace_id "
        "AND r.deleted_us = 0 AND n.deleted_us = 0 ORDER BY b.repository_id DESC LIMIT ?6",
    [SQL_BLOB_LIST] =
        "SELECT b.digest, b.size, "
        FLAG("EXISTS (SELECT 1 FROM repository_blob r WHERE r.digest = b.digest) OR EXISTS "
             "(SELECT 1 FROM condemned c WHERE c.kind = 2 AND c.repository_id = 0 AND "
             "c.digest = b.digest)")
        ", b.missing_us FROM blob b WHERE b.digest > ?1 ORDER BY b.digest LIMIT ?2",
    [SQL_BLOB_LIST_PRESENT] = "SELECT digest, size FROM blob WHERE digest > ?1 AND missing_us = 0 "
                              "ORDER BY digest LIMIT ?2",
    [SQL_BLOB_LIST_MISSING] = "SELECT digest, size, missing_us FROM blob WHERE missing_us > 0 AND "
                              "digest > ?1 ORDER BY digest LIMIT ?2",
    [SQL_BLOB_COUNT_MISSING] =
        "SELECT COUNT(*) FROM blob WHERE missing_us > 0 AND digest > ?1",
    [SQL_BLOB_STATE] =
        "SELECT size, missing_us, "
        FLAG("EXISTS (SELECT 1 FROM blob_journal j WHERE j.digest = blob.digest)")
        " FROM blob WHERE digest = ?1",
    [SQL_BLOB_MARK_MISSING] =
        "UPDATE blob SET missing_us = ?2 WHERE digest = ?1 AND missing_us = 0",
    [SQL_BLOB_HOLDERS] =
        "SELECT r.id, r.namespace_id, r.name FROM repository_blob b CROSS JOIN repository r "
        "WHERE b.digest = ?1 AND r.id = b.repository_id ORDER BY b.repository_id LIMIT ?2",

    /* removal: primary key (kind, id); what belongs to a repository, page by page */
    [SQL_REMOVAL_INSERT] =
        "INSERT INTO removal (kind, id, after_name, keep_pins, since_us, by_id, by_name) "
        "VALUES (?1, ?2, '', ?3, ?4, ?5, ?6) ON CONFLICT (kind, id) DO NOTHING",
    [SQL_REMOVAL_NEXT] = "SELECT id, after_name, keep_pins, since_us, by_id, by_name FROM removal "
                         "WHERE kind = ?1 AND id > ?2 ORDER BY id LIMIT 1",
    [SQL_REMOVAL_ADVANCE] = "UPDATE removal SET after_name = ?3 WHERE kind = ?1 AND id = ?2",
    [SQL_REMOVAL_DELETE] = "DELETE FROM removal WHERE kind = ?1 AND id = ?2",
    [SQL_REMOVAL_IN_NAMESPACE] =
        "SELECT 1 FROM removal m CROSS JOIN repository r WHERE m.kind = 1 AND r.id = m.id AND "
        "r.namespace_id = ?1 LIMIT 1",
    [SQL_REMOVAL_TAGS] = "DELETE FROM tag WHERE repository_id = ?1 AND name IN (SELECT t.name FROM "
                         "tag t WHERE t.repository_id = ?1 ORDER BY t.name LIMIT ?2)",
    [SQL_REMOVAL_HISTORY] =
        "DELETE FROM tag_history WHERE id IN (SELECT h.id FROM tag_history h WHERE "
        "h.repository_id = ?1 LIMIT ?2)",
    [SQL_REMOVAL_MANIFESTS] = "SELECT digest, size FROM manifest WHERE repository_id = ?1 "
                              "ORDER BY digest LIMIT ?2",
    [SQL_REMOVAL_MEMBERSHIPS] = "SELECT digest FROM repository_blob WHERE repository_id = ?1 "
                                "ORDER BY digest LIMIT ?2",
    [SQL_REMOVAL_UPLOADS] = "SELECT id FROM upload WHERE repository_id = ?1 LIMIT ?2",
    [SQL_REMOVAL_MEMBERS] =
        "DELETE FROM membership WHERE namespace_id = ?1 AND account_id IN (SELECT m.account_id "
        "FROM membership m WHERE m.namespace_id = ?1 ORDER BY m.account_id LIMIT ?2)",
    [SQL_REMOVAL_ACCOUNTS] =
        "DELETE FROM account WHERE id IN (SELECT a.id FROM account a WHERE a.namespace_id = ?1 "
        "LIMIT ?2)",
    [SQL_REMOVAL_TAG_RULES] = "DELETE FROM tag_rule_set WHERE namespace_id = ?1",
    [SQL_REMOVAL_POLICIES] =
        "DELETE FROM policy WHERE scope IN (SELECT p.scope FROM policy p WHERE "
        "p.namespace_id = ?1 LIMIT ?2)",

    /* scrub: one row; manifests by id */
    [SQL_SCRUB_GET] = "SELECT phase, after_digest, after_id, started_us, finished_us, blobs, "
                      "manifests, bytes, findings FROM scrub WHERE id = 1",
    [SQL_SCRUB_BEGIN] = "UPDATE scrub SET phase = 1, after_digest = ?2, after_id = 0, "
                        "started_us = ?1, blobs = 0, manifests = 0, bytes = 0, findings = 0 "
                        "WHERE id = 1",
    [SQL_SCRUB_ADVANCE] =
        "UPDATE scrub SET phase = ?1, after_digest = ?2, after_id = ?3, finished_us = ?4, "
        "blobs = ?5, manifests = ?6, bytes = ?7, findings = ?8 WHERE id = 1 AND started_us = ?9",
    [SQL_SCRUB_MANIFESTS] =
        "SELECT m.id, m.repository_id, r.namespace_id, r.name, m.digest, m.content "
        "FROM manifest m CROSS JOIN repository r WHERE m.id > ?1 AND r.id = m.repository_id "
        "ORDER BY m.id LIMIT ?2",

    /* blob_journal: by number, by digest */
    [SQL_JOURNAL_INSERT] = "INSERT INTO blob_journal (digest, content) VALUES (?1, ?2) "
                           "ON CONFLICT (digest) DO NOTHING",
    [SQL_JOURNAL_DROP] =
        "DELETE FROM blob_journal WHERE digest = ?1 AND NOT EXISTS (SELECT 1 FROM "
        "repository_blob b WHERE b.digest = blob_journal.digest)",
    [SQL_JOURNAL_GET] = "SELECT content FROM blob_journal WHERE digest = ?1",
    [SQL_JOURNAL_SIZE] =
        "SELECT count(*), coalesce(sum(length(content)), 0) FROM blob_journal WHERE id > 0",
    [SQL_JOURNAL_LIST] = "SELECT id, digest FROM blob_journal WHERE id > 0 ORDER BY id LIMIT ?1",
    [SQL_JOURNAL_CONTENT] = "SELECT content FROM blob_journal WHERE id = ?1",
    [SQL_JOURNAL_DELETE] = "DELETE FROM blob_journal WHERE id = ?1",

    /* condemned: primary key (kind, repository, digest), by time */
    [SQL_CONDEMN] =
        "INSERT INTO condemned (kind, repository_id, digest, not_before_us) "
        "VALUES (?1, ?2, ?3, ?4) ON CONFLICT (kind, repository_id, digest) "
        "DO UPDATE SET not_before_us = excluded.not_before_us",
    [SQL_CONDEMNED_POSTPONE] =
        "UPDATE condemned SET not_before_us = ?4 WHERE kind = ?1 AND repository_id = ?2 "
        "AND digest = ?3 AND not_before_us < ?4",
    [SQL_SPARE] =
        "DELETE FROM condemned WHERE kind = ?1 AND repository_id = ?2 AND digest = ?3",
    [SQL_CONDEMNED_DUE] = "SELECT kind, repository_id, digest FROM condemned "
                          "WHERE not_before_us <= ?1 ORDER BY not_before_us LIMIT ?2",
    [SQL_CONDEMNED_IS_DUE] = "SELECT 1 FROM condemned WHERE kind = ?1 AND repository_id = ?2 "
                             "AND digest = ?3 AND not_before_us <= ?4",
    [SQL_CONDEMNED_FORGET_BLOB] =
        "DELETE FROM condemned WHERE kind = 2 AND repository_id = 0 AND digest = ?1 "
        "AND NOT EXISTS (SELECT 1 FROM blob b WHERE b.digest = condemned.digest)",

    /* upload: by id, by account, by start */
    [SQL_UPLOAD_INSERT] =
        "INSERT INTO upload (id, repository_id, namespace_incarnation, account_id, started_us, "
        "single, reserved_bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [SQL_UPLOAD_GET] =
        "SELECT u.repository_id, r.name, r.namespace_id, u.namespace_incarnation, u.account_id, "
        "u.started_us, u.single, u.reserved_bytes FROM upload u JOIN repository r ON r.id = u.repository_id WHERE u.id = ?1",
    [SQL_UPLOAD_DELETE] = "DELETE FROM upload WHERE id = ?1",
    [SQL_UPLOAD_RESERVED] = "SELECT reserved_bytes FROM upload WHERE id = ?1",
    [SQL_UPLOAD_SET_RESERVED] = "UPDATE upload SET reserved_bytes = ?2 WHERE id = ?1",
    [SQL_UPLOAD_COUNT_ACCOUNT] = "SELECT COUNT(*) FROM upload WHERE account_id = ?1",
    [SQL_UPLOAD_LIST_ACCOUNT] =
        "SELECT id, started_us FROM upload WHERE account_id = ?1 ORDER BY started_us",
    [SQL_UPLOAD_LIST_BEFORE] =
        "SELECT id, started_us FROM upload WHERE started_us < ?1 AND started_us >= ?2 "
        "AND (started_us > ?2 OR id > ?3) ORDER BY started_us, id LIMIT ?4",

    /* manifest: by (repository, digest), by (repository, subject) */
    [SQL_MANIFEST_GET] = "SELECT " MANIFEST_COLUMNS ", m.content FROM manifest m "
                         "WHERE m.repository_id = ?1 AND m.digest = ?2",
    [SQL_MANIFEST_GET_BY_TAG] = "SELECT " MANIFEST_COLUMNS ", " TAG_CHANGE ", m.content " TAG_JOIN
                                "WHERE t.repository_id = ?1 AND t.name = ?2",
    [SQL_MANIFEST_STAT] = "SELECT " MANIFEST_COLUMNS " FROM manifest m "
                          "WHERE m.repository_id = ?1 AND m.digest = ?2",
    [SQL_MANIFEST_STAT_BY_TAG] = "SELECT " MANIFEST_COLUMNS ", " TAG_CHANGE " " TAG_JOIN
                                 "WHERE t.repository_id = ?1 AND t.name = ?2",
    [SQL_MANIFEST_EXISTS] = "SELECT 1 FROM manifest WHERE repository_id = ?1 AND digest = ?2",
    [SQL_MANIFEST_SIZE] = "SELECT size FROM manifest WHERE repository_id = ?1 AND digest = ?2",
    [SQL_MANIFEST_INSERT] =
        "INSERT INTO manifest (repository_id, digest, media_type, artifact_type, subject, "
        "config_digest, size, created_us, pushed_by, annotations, content) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    [SQL_MANIFEST_CONTENT] =
        "SELECT content FROM manifest WHERE repository_id = ?1 AND digest = ?2",
    [SQL_MANIFEST_MEND] = "UPDATE manifest SET content = ?3, size = ?4 WHERE repository_id = ?1 "
                          "AND digest = ?2",
    [SQL_MANIFEST_DELETE] = "DELETE FROM manifest WHERE repository_id = ?1 AND digest = ?2",
    [SQL_MANIFEST_NAMED] =
        "SELECT " FLAG("EXISTS (SELECT 1 FROM edge WHERE repository_id = ?1 AND child = ?2 AND "
                       "kind IN (3, 4, 5))"),
    [SQL_MANIFEST_REFERRERS] =
        "SELECT digest, size, media_type, artifact_type, annotations FROM manifest "
        "WHERE repository_id = ?1 AND subject = ?2 AND digest > ?3 ORDER BY digest LIMIT ?4",
    [SQL_MANIFEST_REFERRERS_OF_TYPE] =
        "SELECT digest, size, media_type, artifact_type, annotations FROM manifest "
        "WHERE repository_id = ?1 AND subject = ?2 AND digest > ?3 AND artifact_type = ?5 "
        "ORDER BY digest LIMIT ?4",

    /* edge: primary key (repository, parent, kind, child), by (repository, child, kind) */
    [SQL_EDGE_INSERT] =
        "INSERT INTO edge (repository_id, parent, kind, child) VALUES (?1, ?2, ?3, ?4) "
        "ON CONFLICT (repository_id, parent, kind, child) DO NOTHING",
    [SQL_EDGE_LIST] = "SELECT kind, child FROM edge WHERE repository_id = ?1 AND parent = ?2 "
                      "ORDER BY kind, child",
    [SQL_EDGE_PARENTS] = "SELECT kind, parent FROM edge WHERE repository_id = ?1 AND child = ?2 "
                         "ORDER BY kind, parent LIMIT ?3",
    [SQL_EDGE_DELETE_OF_PARENT] = "DELETE FROM edge WHERE repository_id = ?1 AND parent = ?2",

    /* tag: primary key (repository, name), by (repository, digest) */
    [SQL_TAG_GET] = "SELECT " TAG_COLUMNS " " TAG_JOIN "WHERE t.repository_id = ?1 AND t.name = ?2",
    [SQL_TAG_PUT] =
        "INSERT INTO tag (repository_id, name, digest, updated_us, updated_by, updated_by_name) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (repository_id, name) DO UPDATE SET "
        "digest = excluded.digest, updated_us = excluded.updated_us, "
        "updated_by = excluded.updated_by, updated_by_name = excluded.updated_by_name",
    [SQL_TAG_DELETE] = "DELETE FROM tag WHERE repository_id = ?1 AND name = ?2",
    [SQL_TAG_DELETE_OF_MANIFEST] = "DELETE FROM tag WHERE repository_id = ?1 AND digest = ?2",
    [SQL_TAG_LIST] = "SELECT " TAG_COLUMNS " " TAG_JOIN
                     "WHERE t.repository_id = ?1 AND t.name > ?2 ORDER BY t.name LIMIT ?3",
    [SQL_TAG_LIST_NAMES] = "SELECT t.name FROM tag t WHERE t.repository_id = ?1 AND t.name > ?2 "
                           "ORDER BY t.name LIMIT ?3",
    [SQL_TAG_LIST_OF_MANIFEST] = "SELECT " TAG_COLUMNS " " TAG_JOIN
                                 "WHERE t.repository_id = ?1 AND t.digest = ?2 "
                                 "ORDER BY t.name LIMIT ?3",
    [SQL_TAG_HISTORY_INSERT] = "INSERT INTO tag_history (repository_id, name, digest, changed_us, "
                               "changed_by, changed_by_name) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [SQL_TAG_HISTORY_OF_MANIFEST] =
        "INSERT INTO tag_history (repository_id, name, digest, changed_us, changed_by, "
        "changed_by_name) SELECT repository_id, name, NULL, ?3, ?4, ?5 FROM tag "
        "WHERE repository_id = ?1 AND digest = ?2",
    [SQL_TAG_HISTORY_LIST] =
        "SELECT h.name, h.digest, COALESCE((SELECT m.size FROM manifest m WHERE "
        "m.repository_id = h.repository_id AND m.digest = h.digest), 0), h.changed_us, "
        "h.changed_by, h.changed_by_name FROM tag_history h "
        "WHERE h.repository_id = ?1 AND h.name = ?2 ORDER BY h.id DESC LIMIT ?3",

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
        "signed_sha256, accepted_us, content, expires_us) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [SQL_TRUST_DOC_SUPERSEDE] = "UPDATE trust_doc SET superseded_us = ?3 WHERE repository_id = ?1 "
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
    [SQL_TRUST_DOC_BY_LIFE] =
        "SELECT " DOC_COLUMNS " FROM trust_doc d WHERE d.repository_id = ?1 AND d.role = ?2 "
        "AND d.incarnation = ?3 AND d.version = ?4",
    [SQL_TRUST_DOC_ANY] = "SELECT " FLAG("EXISTS (SELECT 1 FROM trust_doc WHERE repository_id = "
                                         "?1 AND superseded_us = 0)"),
    [SQL_TRUST_DOC_PREVIOUS_VERSION] =
        "SELECT COALESCE(MAX(version), 0) FROM trust_doc WHERE repository_id = ?1 AND role = ?2 "
        "AND incarnation = ?3 AND version < ?4",
    [SQL_TRUST_DOC_ACCEPTED_BEFORE] =
        "SELECT repository_id, accepted_us FROM trust_doc WHERE role = ?1 AND superseded_us = 0 "
        "AND accepted_us < ?2 AND (accepted_us, repository_id) > (?4, ?5) "
        "ORDER BY accepted_us, repository_id LIMIT ?3",

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
        "SELECT id, tag, sha256, sha512, length FROM role_target WHERE repository_id = ?1 "
        "AND role = ?2 AND until_us = 0 ORDER BY tag",
    [SQL_ROLE_TARGET_INSERT] =
        "INSERT INTO role_target (repository_id, role, incarnation, tag, sha256, sha512, length, "
        "since_us, since_version, last_version, signers) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10)",
    [SQL_ROLE_TARGET_SIGN] = "UPDATE role_target SET signers = ?3 WHERE repository_id = ?1 AND "
                             "role = ?2 AND until_us = 0 AND signers <> ?3",
    [SQL_ROLE_TARGET_CLOSE] =
        "UPDATE role_target SET until_us = ?2, why = ?3, last_version = ?4 WHERE id = ?1",
    [SQL_ROLE_TARGET_CLOSE_ROLE] =
        "UPDATE role_target SET until_us = ?3, why = ?4, last_version = COALESCE((SELECT "
        "r.version FROM trust_role r WHERE r.repository_id = ?1 AND r.role = ?2), last_version) "
        "WHERE repository_id = ?1 AND role = ?2 AND until_us = 0",
    [SQL_ROLE_TARGET_CLOSE_ALL] =
        "UPDATE role_target SET until_us = ?2, why = ?3, last_version = COALESCE((SELECT "
        "r.version FROM trust_role r WHERE r.repository_id = ?1 AND r.role = role_target.role), "
        "last_version) WHERE repository_id = ?1 AND until_us = 0",
    [SQL_ROLE_TARGET_HISTORY] = "SELECT " TARGET_COLUMNS " FROM role_target x WHERE "
                                "x.repository_id = ?1 AND x.role = ?2 AND x.tag = ?3 "
                                "ORDER BY x.id DESC",
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

    [SQL_ROLE_TARGET_ANY] = "SELECT 1 FROM role_target WHERE repository_id = ?1 LIMIT 1",
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

    /* policy: by scope, by (namespace, pattern) */
    [SQL_POLICY_GET] = "SELECT " POLICY_COLUMNS " FROM policy WHERE scope = ?1",
    [SQL_POLICY_PATTERNS] = "SELECT p.scope FROM namespace n JOIN policy p "
                            "ON p.namespace_id = n.id WHERE n.name = ?1 AND p.pattern = 1",
    [SQL_POLICY_NEXT_GENERATION] = "UPDATE instance SET policy_changes = policy_changes + 1 "
                                   "WHERE id = 1 RETURNING policy_changes",
    [SQL_POLICY_PUT] =
        "INSERT INTO policy (scope, namespace_id, pattern, generation, updated_us, updated_by, "
        "json) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (scope) DO UPDATE SET "
        "generation = excluded.generation, updated_us = excluded.updated_us, "
        "updated_by = excluded.updated_by, json = excluded.json",
    [SQL_POLICY_DELETE] = "DELETE FROM policy WHERE scope = ?1",
    [SQL_POLICY_LIST] = "SELECT " POLICY_COLUMNS " FROM policy WHERE scope > ?1 "
                        "ORDER BY scope LIMIT ?2",

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

    /* tag_rule: primary key (namespace, place) */
    [SQL_TAG_RULE_SET_GET] =
        "SELECT generation, updated_us, updated_by FROM tag_rule_set WHERE namespace_id = ?1",
    [SQL_TAG_RULE_SET_PUT] =
        "INSERT INTO tag_rule_set (namespace_id, generation, updated_us, updated_by) "
        "VALUES (?1, 1, ?2, ?3) ON CONFLICT (namespace_id) DO UPDATE SET "
        "generation = tag_rule_set.generation + 1, updated_us = excluded.updated_us, "
        "updated_by = excluded.updated_by",
    [SQL_TAG_RULE_CLEAR] = "DELETE FROM tag_rule WHERE namespace_id = ?1",
    [SQL_TAG_RULE_INSERT] =
        "INSERT INTO tag_rule (namespace_id, place, name, repository, tag, immutable, newest, "
        "younger_us, pulled_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [SQL_TAG_RULE_LIST] = "SELECT " RULE_COLUMNS " FROM tag_rule x WHERE x.namespace_id = ?1 "
                          "ORDER BY x.place",
    [SQL_TAG_RULE_IMMUTABLE] =
        "SELECT " RULE_COLUMNS ", r.name FROM repository r CROSS JOIN tag_rule x WHERE r.id = ?1 "
        "AND x.namespace_id = r.namespace_id AND x.immutable = 1 ORDER BY x.place",
    [SQL_TAG_RULE_NEXT_NAMESPACE] =
        "SELECT namespace_id FROM tag_rule WHERE immutable = 0 AND namespace_id >= ?1 "
        "ORDER BY namespace_id LIMIT 1",
    /* the tags whose image includes ?2: that very manifest, or what names it, to any depth */
    [SQL_TAG_NEEDS] =
        "WITH RECURSIVE up (digest) AS (SELECT m.digest FROM manifest m WHERE "
        "m.repository_id = ?1 AND m.digest = ?2 UNION SELECT e.parent FROM edge e WHERE "
        "e.repository_id = ?1 AND e.child = ?2 AND e.kind <> 4 UNION SELECT e.parent FROM up "
        "CROSS JOIN edge e WHERE e.repository_id = ?1 AND e.child = up.digest AND e.kind <> 4) "
        "SELECT t.name FROM up CROSS JOIN tag t WHERE t.repository_id = ?1 "
        "AND t.digest = up.digest",

    /* manifest_pull: primary key (repository, digest) */
    [SQL_PULL_PUT] =
        "INSERT INTO manifest_pull (repository_id, digest, pulled_us) SELECT m.repository_id, "
        "m.digest, ?3 FROM manifest m WHERE m.repository_id = ?1 AND m.digest = ?2 "
        "ON CONFLICT (repository_id, digest) DO UPDATE SET pulled_us = excluded.pulled_us "
        "WHERE manifest_pull.pulled_us < excluded.pulled_us",
    /* of the manifest itself or of a platform of it */
    [SQL_PULL_LAST] =
        "SELECT COALESCE(MAX(t.pulled_us), 0) FROM (SELECT p.pulled_us FROM manifest_pull p WHERE "
        "p.repository_id = ?1 AND p.digest = ?2 UNION ALL SELECT p.pulled_us FROM edge e CROSS "
        "JOIN manifest_pull p WHERE e.repository_id = ?1 AND e.parent = ?2 AND e.kind = 3 AND "
        "p.repository_id = ?1 AND p.digest = e.child) t",
    [SQL_PULL_LIST] =
        "SELECT digest, pulled_us FROM manifest_pull WHERE repository_id = ?1 AND digest > ?2 AND "
        "pulled_us >= ?3 ORDER BY digest LIMIT ?4",
    [SQL_PULL_START] =
        "UPDATE retention SET pulls_since_us = ?1 WHERE id = 1 AND pulls_since_us = 0",

    /* retention: one row; retired_manifest: primary key (repository, digest), by time */
    [SQL_RETENTION_GET] =
        "SELECT began_us, namespace_id, repository, pulls_since_us FROM retention WHERE id = 1",
    [SQL_RETENTION_BEGIN] =
        "UPDATE retention SET began_us = ?1, namespace_id = ?2, repository = '' WHERE id = 1",
    [SQL_RETENTION_MOVE] =
        "UPDATE retention SET namespace_id = ?1, repository = ?2 WHERE id = 1",
    [SQL_RETENTION_TAG_MARK] = "SELECT COALESCE(MAX(id), 0) FROM tag_history",
    /* by id: the plus keeps the index of a repository's whole history away */
    [SQL_RETENTION_TAGS_REMOVED] =
        "SELECT 1 FROM tag_history WHERE id > ?1 AND +repository_id = ?2 AND digest IS NULL "
        "AND changed_by_name <> ?3 LIMIT 1",
    [SQL_RETIRE] =
        "INSERT INTO retired_manifest (repository_id, digest, rule, not_before_us) "
        "SELECT m.repository_id, m.digest, ?3, ?4 FROM manifest m WHERE m.repository_id = ?1 "
        "AND m.digest = ?2 ON CONFLICT (repository_id, digest) DO NOTHING",
    [SQL_RETIRE_CHILDREN] =
        "INSERT INTO retired_manifest (repository_id, digest, rule, not_before_us) "
        "SELECT m.repository_id, m.digest, ?3, ?4 FROM edge e CROSS JOIN manifest m WHERE "
        "e.repository_id = ?1 AND e.parent = ?2 AND e.kind IN (3, 5) AND m.repository_id = ?1 "
        "AND m.digest = e.child ON CONFLICT (repository_id, digest) DO NOTHING",
    [SQL_RETIRE_REFERRERS] =
        "INSERT INTO retired_manifest (repository_id, digest, rule, not_before_us) "
        "SELECT m.repository_id, m.digest, ?3, ?4 FROM manifest m WHERE m.repository_id = ?1 "
        "AND m.subject = ?2 ON CONFLICT (repository_id, digest) DO NOTHING",
    [SQL_RETIRED_DUE] =
        "SELECT q.repository_id, q.digest, q.rule FROM retired_manifest q "
        "WHERE q.not_before_us <= ?1 ORDER BY q.not_before_us LIMIT ?2",
    [SQL_RETIRED_IS_DUE] = "SELECT 1 FROM retired_manifest WHERE repository_id = ?1 "
                           "AND digest = ?2 AND not_before_us <= ?3",
    /* a tag, an index, or the image that it is about is here */
    [SQL_RETIRED_HELD] =
        "SELECT " FLAG("EXISTS (SELECT 1 FROM tag t WHERE t.repository_id = ?1 AND t.digest = ?2) "
                       "OR EXISTS (SELECT 1 FROM edge e WHERE e.repository_id = ?1 AND "
                       "e.child = ?2 AND e.kind IN (3, 5)) OR EXISTS (SELECT 1 FROM manifest m "
                       "JOIN manifest s ON s.repository_id = m.repository_id AND "
                       "s.digest = m.subject WHERE m.repository_id = ?1 AND m.digest = ?2)"),
    [SQL_RETIRED_PUT_OFF] = "UPDATE retired_manifest SET not_before_us = ?3 "
                            "WHERE repository_id = ?1 AND digest = ?2",
    [SQL_RETIRED_FORGET] =
        "DELETE FROM retired_manifest WHERE repository_id = ?1 AND digest = ?2",

    /* release: primary key (namespace, service, number); the current ones by (namespace, service) and
     * by (repository, digest) */
    [SQL_RELEASE_INSERT] =
        "INSERT INTO release (namespace_id, service, number, repository_id, repository, tag, "
        "digest, decision, reason, rollback_of, is_current, created_us, created_by_id, created_by, "
        "notes) VALUES (?1, ?2, COALESCE((SELECT r.number FROM release r WHERE "
        "r.namespace_id = ?1 AND r.service = ?2 ORDER BY r.number DESC LIMIT 1), 0) + 1, "
        "?3, ?4, ?5, ?6, ?7, ?8, ?9, 1, ?10, ?11, ?12, ?13) RETURNING number",
    [SQL_RELEASE_RETIRE] = "UPDATE release SET is_current = 0 WHERE namespace_id = ?1 AND "
                           "service = ?2 AND is_current = 1",
    [SQL_RELEASE_GET] = "SELECT " RELEASE_COLUMNS " FROM release WHERE namespace_id = ?1 AND "
                        "service = ?2 AND number = ?3",
    [SQL_RELEASE_LIST] =
        "SELECT " RELEASE_COLUMNS " FROM release WHERE namespace_id = ?1 AND service = ?2 AND "
        "number < ?3 ORDER BY number DESC LIMIT ?4",
    [SQL_SERVICE_LIST] =
        "SELECT " RELEASE_COLUMNS " FROM release WHERE namespace_id = ?1 AND service > ?2 AND "
        "is_current = 1 ORDER BY service LIMIT ?3",
    [SQL_RELEASE_SET_NOTES] = "UPDATE release SET notes = ?4 WHERE namespace_id = ?1 AND "
                              "service = ?2 AND number = ?3",
    [SQL_RELEASE_DELETE] =
        "DELETE FROM release WHERE namespace_id = ?1 AND service = ?2 AND number = ?3",
    [SQL_RELEASE_DELETE_SERVICE] =
        "DELETE FROM release WHERE namespace_id = ?1 AND service = ?2",
    [SQL_RELEASE_IN_REPOSITORY] =
        "SELECT service, number FROM release WHERE repository_id = ?1 AND is_current = 1 LIMIT 1",
    [SQL_RELEASE_NEEDS] =
        "WITH RECURSIVE up (digest) AS (SELECT m.digest FROM manifest m WHERE "
        "m.repository_id = ?1 AND m.digest = ?2 UNION SELECT e.parent FROM edge e WHERE "
        "e.repository_id = ?1 AND e.child = ?2 AND e.kind <> 4 UNION SELECT e.parent FROM up "
        "CROSS JOIN edge e WHERE e.repository_id = ?1 AND e.child = up.digest AND e.kind <> 4) "
        "SELECT r.service, r.number FROM up CROSS JOIN release r WHERE r.repository_id = ?1 "
        "AND r.digest = up.digest AND r.is_current = 1 LIMIT 1",
    [SQL_REMOVAL_RELEASES] =
        "DELETE FROM release WHERE namespace_id = ?1 AND (service, number) IN (SELECT r.service, "
        "r.number FROM release r WHERE r.namespace_id = ?1 ORDER BY r.service, r.number LIMIT ?2)",

    /* check: a page of everything by its key, with what should be */
    [SQL_CHECK_NAMESPACES] =
        "SELECT id, name, used_bytes, reserved_bytes, repository_count, trust_bytes FROM namespace WHERE id > ?1 "
        "ORDER BY id LIMIT ?2",
    [SQL_CHECK_USED] =
        "SELECT COALESCE((SELECT SUM(b.size) FROM repository r CROSS JOIN repository_blob k "
        "CROSS JOIN blob b WHERE r.namespace_id = ?1 AND k.repository_id = r.id AND "
        "b.digest = k.digest), 0) + COALESCE((SELECT SUM(m.size) FROM repository r CROSS JOIN "
        "manifest m WHERE r.namespace_id = ?1 AND m.repository_id = r.id), 0)",
    [SQL_CHECK_RESERVED] =
        "SELECT COALESCE(SUM(u.reserved_bytes), 0) FROM repository r CROSS JOIN upload u "
        "WHERE r.namespace_id = ?1 AND u.repository_id = r.id",
    [SQL_CHECK_SHOWN] = "SELECT COUNT(*) FROM repository r WHERE r.namespace_id = ?1 "
                        "AND r.manifest_count > 0 AND r.deleted_us = 0",
    [SQL_CHECK_REPOSITORIES] =
        "SELECT r.id, r.name, r.manifest_count, (SELECT COUNT(*) FROM manifest m WHERE "
        "m.repository_id = r.id) FROM repository r WHERE r.id > ?1 ORDER BY r.id LIMIT ?2",
    [SQL_CHECK_MEMBERSHIPS] =
        "SELECT k.digest, "
        FLAG("EXISTS (SELECT 1 FROM edge e WHERE e.repository_id = k.repository_id AND "
             "e.child = k.digest AND e.kind IN (1, 2, 5)) OR EXISTS (SELECT 1 FROM condemned c "
             "WHERE c.kind = 1 AND c.repository_id = k.repository_id AND c.digest = k.digest) OR "
             "EXISTS (SELECT 1 FROM removal m WHERE m.kind = 1 AND m.id = k.repository_id)")
        " FROM repository_blob k WHERE k.repository_id = ?1 AND k.digest > ?2 "
        "ORDER BY k.digest LIMIT ?3",
    /* a tag: its manifest is there; its history ends with what it points to */
    [SQL_CHECK_TAGS] =
        "SELECT t.name, " FLAG("EXISTS (SELECT 1 FROM manifest m WHERE m.repository_id = "
                               "t.repository_id AND m.digest = t.digest)") ", "
        FLAG("t.digest = (SELECT h.digest FROM tag_history h WHERE h.repository_id = "
             "t.repository_id AND h.name = t.name ORDER BY h.id DESC LIMIT 1)")
        " FROM tag t WHERE t.repository_id = ?1 AND t.name > ?2 ORDER BY t.name LIMIT ?3",
    /* the last word about a tag says that it points somewhere, and there is no such tag; tags of
     * what is being removed go without a word */
    [SQL_CHECK_HISTORY] =
        "SELECT h.id, r.name, h.name, "
        FLAG("h.digest IS NOT NULL AND NOT EXISTS (SELECT 1 FROM tag_history n WHERE "
             "n.repository_id = h.repository_id AND n.name = h.name AND n.id > h.id) AND "
             "NOT EXISTS (SELECT 1 FROM tag t WHERE t.repository_id = h.repository_id AND "
             "t.name = h.name) AND NOT EXISTS (SELECT 1 FROM removal m WHERE m.kind = 1 AND "
             "m.id = h.repository_id)")
        " FROM tag_history h CROSS JOIN repository r WHERE h.id > ?1 AND r.id = h.repository_id "
        "ORDER BY h.id LIMIT ?2",
    /* 0: the entry is right; 1: its repository does not hold it; 2: a manifest names it; 3: a
     * repository holds it */
    [SQL_CHECK_QUEUE] =
        "SELECT c.kind, c.repository_id, c.digest, COALESCE((SELECT r.name FROM repository r "
        "WHERE r.id = c.repository_id), ''), CASE WHEN c.kind = 1 AND NOT EXISTS (SELECT 1 FROM "
        "repository_blob k WHERE k.repository_id = c.repository_id AND k.digest = c.digest) THEN 1 "
        "WHEN c.kind = 1 AND EXISTS (SELECT 1 FROM edge e WHERE e.repository_id = c.repository_id "
        "AND e.child = c.digest AND e.kind IN (1, 2, 5)) THEN 2 "
        "WHEN c.kind = 2 AND EXISTS (SELECT 1 FROM repository_blob k WHERE k.digest = c.digest) "
        "THEN 3 ELSE 0 END FROM condemned c "
        "WHERE (c.kind, c.repository_id, c.digest) > (?1, ?2, ?3) "
        "ORDER BY c.kind, c.repository_id, c.digest LIMIT ?4",
    [SQL_CHECK_MANIFESTS] =
        "SELECT m.id, m.repository_id, r.name, m.digest, m.media_type, m.content, m.subject, "
        "m.config_digest, m.artifact_type, m.annotations FROM manifest m "
        "CROSS JOIN repository r WHERE m.id > ?1 AND r.id = m.repository_id "
        "ORDER BY m.id LIMIT ?2",
    [SQL_CHECK_TRUST_DOCS] =
        "SELECT d.id, r.name, d.role, d.version, d.sha256, d.content, "
        "CASE WHEN d.collected_us = 0 THEN 0 WHEN d.superseded_us > 0 AND d.role <> 'root' "
        "AND length(d.content) = 0 THEN 1 ELSE 2 END FROM trust_doc d CROSS JOIN repository r WHERE d.id > ?1 AND r.id = d.repository_id "
        "ORDER BY d.id LIMIT ?2",

    /* deny list: by (scope, digest) */
    [SQL_DENIED_GET] =
        "SELECT " DENIED_COLUMNS " FROM denied_digest WHERE scope = ?1 AND digest = ?2",
    [SQL_DENIED_COUNT] =
        "SELECT COUNT(*) FROM denied_digest WHERE scope = ?1 AND lifted_us = 0",
    [SQL_DENIED_PUT] =
        "INSERT INTO denied_digest (scope, digest, changes, since_us, denied_by, reason) "
        "VALUES (?1, ?2, 1, ?3, ?4, ?5) ON CONFLICT (scope, digest) DO UPDATE SET "
        "changes = denied_digest.changes + 1, lifted_us = 0, since_us = excluded.since_us, "
        "denied_by = excluded.denied_by, reason = excluded.reason",
    [SQL_DENIED_LIFT] =
        "UPDATE denied_digest SET changes = changes + 1, lifted_us = ?3 "
        "WHERE scope = ?1 AND digest = ?2 AND lifted_us = 0",
    [SQL_DENIED_LIST] =
        "SELECT " DENIED_COLUMNS " FROM denied_digest WHERE scope = ?1 AND lifted_us = 0 "
        "AND digest > ?2 ORDER BY digest LIMIT ?3",
    [SQL_DENIED_LIST_ALL] =
        "SELECT " DENIED_COLUMNS " FROM denied_digest WHERE (scope, digest) > (?1, ?2) "
        "ORDER BY scope, digest LIMIT ?3",

    /* override: by id, by (namespace, id), by end, by (repository, digest) those not ended */
    [SQL_OVERRIDE_INSERT] =
        "INSERT INTO override (namespace_id, repository_id, repository, digest, reason, ticket, "
        "start_us, end_us, max_uses, two_person, created_us, created_by_id, created_by) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) RETURNING id",
    [SQL_OVERRIDE_ADD_IDENTITY] =
        "INSERT INTO override_identity (override_id, account_id, name) VALUES (?1, ?2, ?3) "
        "ON CONFLICT (override_id, account_id) DO NOTHING",
    [SQL_OVERRIDE_GET] =
        "SELECT " OVERRIDE_COLUMNS " FROM override WHERE id = ?1 AND namespace_id = ?2",
    [SQL_OVERRIDE_IDENTITIES] =
        "SELECT account_id, name FROM override_identity WHERE override_id = ?1 ORDER BY account_id",
    [SQL_OVERRIDE_LIVE] =
        "SELECT " OVERRIDE_COLUMNS " FROM override WHERE repository_id = ?1 AND ended_us = 0 "
        "AND end_us > ?2 ORDER BY digest, end_us LIMIT ?3",
    [SQL_OVERRIDE_COUNT_LIVE] =
        "SELECT COUNT(*) FROM override WHERE repository_id = ?1 AND ended_us = 0 AND end_us > ?2",
    [SQL_OVERRIDE_NAMES] =
        "SELECT 1 FROM override WHERE repository_id = ?1 AND digest = ?2 AND ended_us = 0 "
        "AND end_us > ?3 LIMIT 1",
    [SQL_OVERRIDE_LIST] =
        "SELECT " OVERRIDE_COLUMNS " FROM override WHERE namespace_id = ?1 AND id < ?2 "
        "ORDER BY id DESC LIMIT ?3",
    [SQL_OVERRIDE_COUNT_ACTIVE] =
        "SELECT COUNT(*) FROM override WHERE end_us > ?1 AND start_us <= ?1 AND ended_us = 0 "
        "AND (two_person = 0 OR approved_us > 0) AND (max_uses = 0 OR uses < max_uses)",
    [SQL_OVERRIDE_CHANGES] =
        "SELECT id, repository_id, changes, end_us, ended_us FROM override WHERE end_us > ?1 "
        "ORDER BY end_us, id",
    [SQL_OVERRIDE_APPROVE] =
        "UPDATE override SET changes = changes + 1, approved_us = ?2, approved_by_id = ?3, "
        "approved_by = ?4 WHERE id = ?1 AND approved_us = 0 AND ended_us = 0 AND end_us > ?2",
    [SQL_OVERRIDE_END] =
        "UPDATE override SET changes = changes + 1, ended_us = ?2, ended_by_id = ?3, "
        "ended_by = ?4, ended_why = ?5 WHERE id = ?1 AND ended_us = 0 AND end_us > ?2",
    [SQL_OVERRIDE_END_REPOSITORY] =
        "UPDATE override SET changes = changes + 1, ended_us = ?2, ended_by_id = ?3, "
        "ended_by = ?4, ended_why = ?5 WHERE repository_id = ?1 AND ended_us = 0 AND end_us > ?2",
    [SQL_OVERRIDE_STANDING] =
        "SELECT o.uses, COALESCE((SELECT u.used_us FROM override_use u WHERE u.override_id = o.id "
        "AND u.account_id = ?2), 0) FROM override o WHERE o.id = ?1",
    [SQL_OVERRIDE_USE] =
        "UPDATE override SET uses = uses + 1, changes = changes + 1 WHERE id = ?1 AND "
        "ended_us = 0 AND start_us <= ?2 AND end_us > ?2 AND (two_person = 0 OR approved_us > 0) "
        "AND (max_uses = 0 OR uses < max_uses) RETURNING changes",
    [SQL_OVERRIDE_USE_NOTE] =
        "INSERT INTO override_use (override_id, account_id, used_us) VALUES (?1, ?2, ?3) "
        "ON CONFLICT (override_id, account_id) DO UPDATE SET used_us = excluded.used_us",
    [SQL_CHECK_TRUST_SPACE] =
        "SELECT COALESCE(SUM(length(d.content)), 0) FROM repository r CROSS JOIN trust_doc d "
        "WHERE r.namespace_id = ?1 AND d.repository_id = r.id",
};
