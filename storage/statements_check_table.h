/* Rows of the table of statements (storage/statements.c): what fsck compares. */

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
    [SQL_CHECK_TRUST_SPACE] =
        "SELECT COALESCE(SUM(length(d.content)), 0) FROM repository r CROSS JOIN trust_doc d "
        "WHERE r.namespace_id = ?1 AND d.repository_id = r.id",
