/* Rows of the table of statements (storage/statements.c): namespaces, repositories and what they hold. */

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
        "WHERE b.digest = ?4 AND b.repository_id < ?7 AND r.id = b.repository_id "
        "AND n.id = r.namespace_id AND r.deleted_us = 0 AND n.deleted_us = 0 "
        "ORDER BY b.repository_id DESC LIMIT ?6",
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
        "INSERT INTO edge (repository_id, parent, kind, child, about, unsure) VALUES (?1, ?2, ?3, ?4, ?5, ?6) "
        "ON CONFLICT (repository_id, parent, kind, child) DO NOTHING",
    [SQL_EDGE_LIST] = "SELECT kind, child FROM edge WHERE repository_id = ?1 AND parent = ?2 "
                      "ORDER BY kind, child",
    [SQL_EDGE_PARENTS] = "SELECT kind, parent FROM edge WHERE repository_id = ?1 AND child = ?2 "
                         "ORDER BY kind, parent LIMIT ?3",
    [SQL_EDGE_DELETE_OF_PARENT] = "DELETE FROM edge WHERE repository_id = ?1 AND parent = ?2",

    /* edges of metadata artifacts: by (repository, child, about, unsure); '.' comes after '-' */
    [SQL_ARTIFACT_NOTES] =
        "SELECT kind, about, unsure FROM edge WHERE repository_id = ?1 AND parent = ?2",
    [SQL_ARTIFACT_NEXT_SUBJECT] = "SELECT about FROM edge WHERE repository_id = ?1 AND child = ?2 AND "
                                  "about > ?3 ORDER BY about LIMIT 1",
    [SQL_ARTIFACT_CANDIDATES] =
        "SELECT parent, unsure FROM edge WHERE repository_id = ?1 AND child = ?2 AND about = ?3 "
        "ORDER BY unsure, parent LIMIT ?4",
    [SQL_ARTIFACT_NAMES] = "SELECT 1 FROM edge WHERE repository_id = ?1 AND parent = ?3 AND "
                           "kind IN (1, 2) AND child = ?2 LIMIT 1",
    [SQL_ARTIFACT_MARKS_ON] =
        "SELECT name, digest FROM tag WHERE repository_id = ?1 AND digest = ?2 AND "
        "name >= 'sha256-' AND name < 'sha256.' ORDER BY name LIMIT ?3",
    [SQL_ARTIFACT_MARKS_OF] = "SELECT name, digest FROM tag WHERE repository_id = ?1 AND "
                              "name IN (?2, ?3, ?4, ?5)",

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
        "changed_by_name) SELECT repository_id, name, NULL, "
        "CASE WHEN updated_us > ?3 THEN updated_us ELSE ?3 END, ?4, ?5 FROM tag "
        "WHERE repository_id = ?1 AND digest = ?2",
    [SQL_TAG_HISTORY_LIST] =
        "SELECT h.name, h.digest, COALESCE((SELECT m.size FROM manifest m WHERE "
        "m.repository_id = h.repository_id AND m.digest = h.digest), 0), h.changed_us, "
        "h.changed_by, h.changed_by_name FROM tag_history h "
        "WHERE h.repository_id = ?1 AND h.name = ?2 ORDER BY h.id DESC LIMIT ?3",
