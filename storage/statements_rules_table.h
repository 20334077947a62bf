/* Rows of the table of statements (storage/statements.c): policies, tag rules and what they look at, releases of
 * services, exceptions from the gate. */

#define POLICY_COLUMNS "scope, generation, updated_us, updated_by, json"
#define RULE_COLUMNS                                                                               \
    "x.name, x.repository, x.tag, x.immutable, x.newest, x.younger_us, x.pulled_us"
#define RELEASE_COLUMNS                                                                            \
    "namespace_id, service, number, repository_id, repository, tag, digest, decision, reason, "    \
    "rollback_of, is_current, created_us, created_by, notes"
#define DENIED_COLUMNS "scope, digest, changes, lifted_us, since_us, denied_by, reason"
#define OVERRIDE_COLUMNS                                                                           \
    "id, namespace_id, repository_id, repository, digest, reason, ticket, start_us, end_us, "      \
    "max_uses, uses, two_person, changes, created_us, created_by_id, created_by, approved_us, "    \
    "approved_by_id, approved_by, ended_us, ended_by_id, ended_by, ended_why"

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
    [SQL_RELEASE_RUNNING] =
        "SELECT DISTINCT digest FROM release WHERE repository_id = ?1 AND digest > ?2 AND "
        "is_current = 1 ORDER BY digest LIMIT ?3",
    [SQL_RELEASE_RUNNING_AS] =
        "SELECT service, number FROM release WHERE repository_id = ?1 AND digest = ?2 AND "
        "is_current = 1 ORDER BY namespace_id, service LIMIT ?3",
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
