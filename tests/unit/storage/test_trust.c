/* Trust documents and their lives, role history, tombstones, changefeed, keys, pins. */
#include "storage/change_record.h"
#include "storage/role_target.h"
#include "storage/tombstone.h"
#include "storage/trust_doc.h"
#include "storage/trust_key.h"
#include "storage/trust_pin.h"
#include "tests/unit/storage/world.h"

static struct trust_doc_new doc_of(const char *role, int64_t version, const char *bytes)
{
    struct trust_doc_new doc = {
        .role = slice_str(role), .version = version, .bytes = slice_str(bytes)};
    hash_sha256(doc.bytes, doc.sha256);
    hash_sha256(slice_str(role), doc.signed_sha256);
    return doc;
}

static void put_in(struct db_tx *tx, int64_t repository_id, const char *role, int64_t version,
                   const char *bytes, int64_t now_us)
{
    struct trust_doc_new doc = doc_of(role, version, bytes);
    OK(trust_doc_put(tx, repository_id, &doc, now_us, err));
}

static void put(struct world *w, const char *role, int64_t version, const char *bytes,
                int64_t now_us)
{
    WRITE(w)
    {
        put_in(tx, w->repo.id, role, version, bytes, now_us);
    }
}

static void versions_only_rise(void **state)
{
    struct world *w = *state;
    put(w, "targets", 2, "t2", T0);
    struct trust_doc_new equal = doc_of("targets", 2, "t2"), below = doc_of("targets", 1, "t1");
    WRITE(w)
    {
        FAILS(ERR_TRUST_VERSION, trust_doc_put(tx, w->repo.id, &equal, T0, err));
        FAILS(ERR_TRUST_VERSION, trust_doc_put(tx, w->repo.id, &below, T0, err));
    }
    put(w, "targets", 7, "t7", T0 + 1);

    auto_trust_doc struct trust_doc current = {0};
    auto_trust_doc struct trust_doc old = {0};
    auto_trust_doc struct trust_doc by_hash = {0};
    struct trust_doc none;
    struct trust_doc accepted = {0};
    READ(w)
    {
        OK(trust_doc_current_role(tx, w->repo.id, SLICE_LIT("targets"), &current, err));
        OK(trust_doc_by_version(tx, w->repo.id, SLICE_LIT("targets"), 2, &old, err));
        OK(trust_doc_by_sha256(tx, w->repo.id, SLICE_LIT("targets"), equal.sha256, &by_hash, err));
        FAILS(ERR_TRUST_NOT_FOUND,
              trust_doc_by_version(tx, w->repo.id, SLICE_LIT("targets"), 3, &none, err));
        FAILS(ERR_TRUST_NOT_FOUND,
              trust_doc_by_sha256(tx, w->repo.id, SLICE_LIT("root"), equal.sha256, &none, err));
        OK(trust_doc_accepted(tx, w->repo.id, SLICE_LIT("targets"), equal.sha256, &accepted, err));
        assert_int_equal(accepted.accepted_us, T0);
        assert_int_equal(accepted.incarnation, 1);
        FAILS(ERR_TRUST_NOT_FOUND,
              trust_doc_accepted(tx, w->repo.id, SLICE_LIT("root"), equal.sha256, &accepted, err));
        FAILS(ERR_TRUST_NOT_FOUND, trust_doc_accepted(tx, w->repo.id + 1, SLICE_LIT("targets"),
                                                      equal.sha256, &accepted, err));
    }
    assert_int_equal(current.version, 7);
    assert_int_equal(current.superseded_us, 0);
    assert_true(slice_is(current.bytes, "t7"));
    assert_int_equal(old.superseded_us, T0 + 1);
    assert_true(slice_is(old.bytes, "t2"));
}

static void the_current_set_has_each_role_once(void **state)
{
    struct world *w = *state;
    bool any = true;
    READ(w)
    {
        OK(trust_doc_any(tx, w->repo.id, &any, err));
    }
    assert_false(any);
    put(w, "root", 1, "r1", T0);
    put(w, "root", 2, "r2", T0 + 1);
    put(w, "targets", 1, "t1", T0);
    put(w, "targets/releases", 1, "d1", T0);

    auto_trust_doc_list struct trust_doc_list current = {0};
    auto_trust_doc_list struct trust_doc_list roots = {0};
    auto_trust_role_life_list struct trust_role_life_list lives = {0};
    READ(w)
    {
        OK(trust_doc_current(tx, w->repo.id, &current, err));
        OK(trust_doc_roots(tx, w->repo.id, &roots, err));
        OK(trust_role_lives(tx, w->repo.id, &lives, err));
        OK(trust_doc_any(tx, w->repo.id, &any, err));
    }
    assert_true(any);
    assert_int_equal(current.count, 3);
    assert_string_equal(current.items[0].role, "root");
    assert_int_equal(current.items[0].version, 2);
    assert_string_equal(current.items[2].role, "targets/releases");
    assert_int_equal(roots.count, 2);
    assert_int_equal(roots.items[0].version, 1);
    assert_int_equal(lives.count, 3);
    assert_int_equal(lives.items[0].version, 2);
    assert_false(lives.items[0].ended);
}

static void a_role_that_ended_begins_anew(void **state)
{
    struct world *w = *state;
    struct slice role = SLICE_LIT("targets/a");
    put(w, "targets/a", 5, "old", T0);
    WRITE(w)
    {
        OK(trust_role_end(tx, w->repo.id, role, T0 + 1, err));
        OK(trust_role_end(tx, w->repo.id, role, T0 + 2, err));
        OK(trust_role_end(tx, w->repo.id, SLICE_LIT("targets/never"), T0 + 2, err));
    }
    uint8_t old_hash[32];
    hash_sha256(SLICE_LIT("old"), old_hash);
    auto_trust_doc struct trust_doc doc = {0};
    auto_trust_doc struct trust_doc life = {0};
    READ(w)
    {
        FAILS(ERR_TRUST_NOT_FOUND, trust_doc_current_role(tx, w->repo.id, role, &doc, err));
        FAILS(ERR_TRUST_NOT_FOUND, trust_doc_by_version(tx, w->repo.id, role, 5, &doc, err));
        OK(trust_doc_by_sha256(tx, w->repo.id, role, old_hash, &doc, err));
        OK(trust_doc_by_life(tx, w->repo.id, role, 1, 5, &life, err));
    }
    assert_int_equal(doc.incarnation, 1);
    put(w, "targets/a", 1, "new", T0 + 3);
    auto_trust_role_life_list struct trust_role_life_list lives = {0};
    auto_trust_doc struct trust_doc now = {0};
    struct trust_doc none;
    READ(w)
    {
        OK(trust_role_lives(tx, w->repo.id, &lives, err));
        OK(trust_doc_by_version(tx, w->repo.id, role, 1, &now, err));
        FAILS(ERR_TRUST_NOT_FOUND, trust_doc_by_version(tx, w->repo.id, role, 5, &none, err));
    }
    assert_int_equal(lives.items[0].incarnation, 2);
    assert_int_equal(lives.items[0].version, 1);
}

static void a_wipe_ends_every_life(void **state)
{
    struct world *w = *state;
    put(w, "root", 3, "r3", T0);
    put(w, "targets", 9, "t9", T0);
    bool had = false, again = true, any = true;
    struct role_target_entry entry = {.tag = SLICE_LIT("v1"), .length = 5};
    entry.sha256 = digest_of(SLICE_LIT("x"));
    auto_role_target_list struct role_target_list history = {0};
    WRITE(w)
    {
        OK(role_target_update(tx, w->repo.id, SLICE_LIT("targets"), 9, &entry, 1, NULL, 0, T0,
                              err));
        OK(trust_doc_wipe(tx, w->repo.id, T0 + 1, &had, err));
        OK(trust_doc_wipe(tx, w->repo.id, T0 + 2, &again, err));
        OK(trust_doc_any(tx, w->repo.id, &any, err));
        OK(role_target_history(tx, w->repo.id, SLICE_LIT("targets"), entry.tag, INT64_MAX, 10,
                               &history, err));
    }
    assert_true(had);
    assert_false(again);
    assert_false(any);
    assert_int_equal(history.items[0].why, ROLE_TARGET_WIPED);
    assert_int_equal(history.items[0].until_us, T0 + 1);
    assert_int_equal(history.items[0].last_version, 9);
    put(w, "root", 1, "fresh", T0 + 3);
    auto_trust_doc_list struct trust_doc_list roots = {0};
    READ(w)
    {
        OK(trust_doc_roots(tx, w->repo.id, &roots, err));
    }
    assert_int_equal(roots.count, 1);
    assert_int_equal(roots.items[0].incarnation, 2);
}

#define KEY_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct trust_key_new key_row(const char *role, const char *id, struct slice sealed,
                                    const char *sealed_by)
{
    return (struct trust_key_new){.role = slice_str(role),
                                  .key_id = id,
                                  .public_der = SLICE_LIT("der"),
                                  .sealed = sealed,
                                  .sealed_by = sealed_by};
}

static void put_to_renew(struct db_tx *tx, int64_t repository_id, const char *role, int64_t version,
                         int64_t renew_us)
{
    struct trust_doc_new doc = doc_of(role, version, role);
    doc.renew_us = renew_us;
    OK(trust_doc_put(tx, repository_id, &doc, T0, err));
}

static void check_renewals(struct db_tx *tx, int64_t now_us, const struct trust_due *after,
                           const int64_t *times, size_t count)
{
    struct trust_due_list due = {0};
    OK(trust_doc_renewals(tx, now_us, after, 10, &due, err));
    assert_int_equal(due.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(due.items[i].renew_us, times[i]);
    }
    trust_due_list_dispose(&due);
}

static void renewals_are_found_by_the_time_that_each_document_has(void **state)
{
    struct world *w = *state;
    const int64_t first[] = {T0 + 5}, both[] = {T0 + 5, T0 + 9}, later[] = {T0 + 9, T0 + 20};
    const struct trust_due after = {w->repo.id, T0 + 5};
    struct repository other;
    struct repo_name name;
    assert_true(repo_name_parse(SLICE_LIT("ns/other"), &name, NULL));
    WRITE(w)
    {
        OK(repository_ensure(tx, &name, T0, &other, NULL, err));
        put_to_renew(tx, w->repo.id, "timestamp", 1, T0 + 5);
        put_to_renew(tx, other.id, "timestamp", 1, T0 + 9);
        put_to_renew(tx, other.id, "targets", 1, 0); /* nobody's but its signer's */
        check_renewals(tx, T0 + 4, NULL, NULL, 0);
        check_renewals(tx, T0 + 5, NULL, first, 1);
        check_renewals(tx, T0 + 9, NULL, both, 2);
        check_renewals(tx, T0 + 9, &after, both + 1, 1);
        put_to_renew(tx, w->repo.id, "timestamp", 2, T0 + 20);
        check_renewals(tx, T0 + 100, NULL, later, 2); /* the new one has its own time */
    }
}

static void a_document_may_get_another_time(void **state)
{
    struct world *w = *state;
    const int64_t when[] = {T0 + 5};
    WRITE(w)
    {
        put_to_renew(tx, w->repo.id, "snapshot", 1, T0 + 5);
        check_renewals(tx, T0 + 9, NULL, when, 1);
        OK(trust_doc_set_renewal(tx, w->repo.id, SLICE_LIT("snapshot"), 0, err));
        check_renewals(tx, T0 + 9, NULL, NULL, 0); /* nobody's here */
        OK(trust_doc_set_renewal(tx, w->repo.id, SLICE_LIT("snapshot"), T0 + 5, err));
        OK(trust_doc_set_renewal(tx, w->repo.id, SLICE_LIT("timestamp"), T0, err)); /* there is none */
        check_renewals(tx, T0 + 9, NULL, when, 1);
    }
}

/* --- what was stored before renewals had times of their own ------------------------------------ */

#define MIGRATION_OF_RENEWALS 21
#define OLD_DOC(role, version, accepted, superseded, expires, content)                             \
    "INSERT INTO trust_doc (repository_id, role, incarnation, version, sha256, signed_sha256, "    \
    "accepted_us, superseded_us, expires_us, content) VALUES (1, '" role "', 1, " #version         \
    ", zeroblob(32), zeroblob(32), " #accepted ", " #superseded ", " #expires ", CAST('" content   \
    "' AS BLOB));"

static const char old_rows[] =
    "INSERT INTO namespace (name, prefix, visibility, incarnation, created_us) "
    "VALUES ('ns', 'ns/', 0, 1, 1);"
    "INSERT INTO repository (namespace_id, name, created_us) VALUES (1, 'ns/app', 1), (1, 'ns/b', 1);"
    OLD_DOC("timestamp", 1, 1000, 2000, 3000, "{}")
    OLD_DOC("timestamp", 2, 2000, 0, 8000, "{}")
    OLD_DOC("snapshot", 1, 1000000, 0, 0, "{\"signed\":{\"expires\":\"1970-01-01T00:00:09.5Z\"}}")
    OLD_DOC("targets", 1, 1000, 0, 9000, "{}")
    OLD_DOC("root", 1, 1000, 0, 9000, "no json")
    "INSERT INTO trust_key (repository_id, role, key_id, state, created_us, public_der, sealed) "
    "VALUES (1, 'snapshot', '" KEY_A "', 2, 1, x'00', x'00'), "
    "(2, 'snapshot', '" KEY_A "', 3, 1, x'00', x'00');" /* retired: a client holds the key now */
    "INSERT INTO trust_doc (repository_id, role, incarnation, version, sha256, signed_sha256, "
    "accepted_us, superseded_us, expires_us, content) VALUES (2, 'snapshot', 1, 1, zeroblob(32), "
    "zeroblob(32), 1000, 0, 9000, x'00');";

static bool read_renewals(struct db_tx *tx, void *arg, struct err *err)
{
    int64_t *times = arg;
    auto_stmt struct db_stmt *q = db_stmt(tx, 0);
    size_t n = 0;
    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        assert_in_range(n, 0, 5);
        times[n++] = db_col_int(q, 0);
    }
    return result == DB_DONE;
}

/* Half of each document's own life; the end of the snapshot stands in its bytes alone. The snapshot of a
 * client is nobody's to renew. */
static void what_was_stored_before_gets_its_time(void **state)
{
    struct world *w = *state;
    static const char *const sql[] = {"SELECT renew_us FROM trust_doc ORDER BY id"};
    const int64_t wanted[] = {0, 5000, 5000000, 0, 0, 0};
    auto_free const char **old = xcalloc((size_t)schema_migration_count + 1, sizeof *old);
    char path[200];
    int64_t times[6] = {-1, -1, -1, -1, -1, -1};
    struct db *db = NULL;
    for (int i = 0; i < schema_migration_count; i++) {
        old[i + (i >= MIGRATION_OF_RENEWALS)] = schema_migrations[i];
    }
    old[MIGRATION_OF_RENEWALS] = old_rows;
    (void)snprintf(path, sizeof path, "%s/old.db", w->folder.path);
    const struct db_options options = {path, sql, 1, old, schema_migration_count + 1};
    OK(db_open(&options, &db, err));
    OK(db_write(db, read_renewals, times, err));
    db_close(db);
    assert_memory_equal(times, wanted, sizeof wanted);
}

static void repositories_with_trust_data_are_listed(void **state)
{
    struct world *w = *state;
    auto_repository_list struct repository_list before = {0};
    auto_repository_list struct repository_list after = {0};
    auto_repository_list struct repository_list beyond = {0};
    READ(w)
    {
        OK(repository_list_trusted(tx, 0, 10, &before, err));
    }
    put(w, "root", 1, "r", T0);
    READ(w)
    {
        OK(repository_list_trusted(tx, 0, 10, &after, err));
        OK(repository_list_trusted(tx, w->repo.id, 10, &beyond, err));
    }
    assert_int_equal(before.count, 0);
    assert_int_equal(after.count, 1);
    assert_string_equal(after.items[0].name.text, "ns/app");
    assert_int_equal(beyond.count, 0);
}

/* --- role history ----------------------------------------------------------------------------- */

struct step {
    int64_t version;
    const char *list; /* "tag=content tag=content", sorted */
};

static size_t entries_of(const char *list, struct role_target_entry *out)
{
    struct slice rest = slice_str(list);
    struct slice item;
    size_t n = 0;
    while (*list && slice_next(&rest, ' ', &item)) {
        ptrdiff_t at = slice_index(item, '=');
        struct slice content = slice_from(item, (size_t)at + 1);
        out[n++] = (struct role_target_entry){.tag = slice_first(item, (size_t)at),
                                              .sha256 = digest_of(content),
                                              .length = (int64_t)content.n};
    }
    return n;
}

static void list_targets(struct world *w, const struct step *step, int64_t now_us)
{
    struct role_target_entry entries[8];
    uint8_t signers[2][32] = {{1}, {2}};
    size_t n = entries_of(step->list, entries);
    WRITE(w)
    {
        put_in(tx, w->repo.id, "targets", step->version, step->list, now_us);
        OK(role_target_update(tx, w->repo.id, SLICE_LIT("targets"), step->version, entries, n,
                              (const uint8_t(*)[32])signers, 2, now_us, err));
    }
}

static void history_of(struct world *w, const char *tag, struct role_target_list *out)
{
    READ(w)
    {
        OK(role_target_history(tx, w->repo.id, SLICE_LIT("targets"), slice_str(tag), INT64_MAX,
                               ROLE_TARGET_HISTORY_MAX, out, err));
    }
}

static void history_tells_replaced_from_withdrawn(void **state)
{
    struct world *w = *state;
    static const struct step steps[] = {
        {1, "a=one b=same c=gone"},
        {2, "a=one b=same"},
        {5, "a=two b=same d=late"},
        {6, "a=two b=same c=gone d=late"},
    };
    for (size_t i = 0; i < COUNT(steps); i++) {
        list_targets(w, &steps[i], T0 + (int64_t)i);
    }
    auto_role_target_list struct role_target_list a = {0};
    auto_role_target_list struct role_target_list b = {0};
    auto_role_target_list struct role_target_list c = {0};
    auto_role_target_list struct role_target_list none = {0};
    auto_role_target_list struct role_target_list open = {0};
    history_of(w, "a", &a);
    history_of(w, "b", &b);
    history_of(w, "c", &c);
    history_of(w, "e", &none);
    READ(w)
    {
        OK(role_target_listed(tx, w->repo.id, SLICE_LIT("targets"), &open, err));
    }
    assert_int_equal(a.count, 2);
    assert_int_equal(a.items[1].why, ROLE_TARGET_REPLACED);
    assert_int_equal(a.items[1].since_version, 1);
    assert_int_equal(a.items[1].last_version, 2); /* the last document that listed it so */
    assert_int_equal(a.items[1].until_us, T0 + 2);
    assert_int_equal(a.items[0].why, ROLE_TARGET_LISTED);
    assert_int_equal(a.items[0].since_version, 5);
    assert_int_equal(a.items[0].last_version, 6); /* of an open one: the role's version now */
    assert_int_equal(a.items[0].signer_count, 2);
    assert_int_equal(a.items[0].signers[1][0], 2);

    assert_int_equal(b.count, 1);
    assert_int_equal(b.items[0].until_us, 0);
    assert_int_equal(b.items[0].since_us, T0);

    assert_int_equal(c.count, 2);
    assert_int_equal(c.items[1].why, ROLE_TARGET_WITHDRAWN);
    assert_int_equal(c.items[1].last_version, 1);
    assert_int_equal(c.items[0].why, ROLE_TARGET_LISTED);
    assert_int_equal(none.count, 0);
    assert_int_equal(open.count, 4);
}

static void history_is_asked_for_up_to_a_moment_and_so_many(void **state)
{
    struct world *w = *state;
    static const struct step steps[] = {{1, "a=one"}, {2, "a=two"}, {3, "a=three"}};
    static const struct {
        int64_t until_us;
        int max;
        size_t count;
        int64_t newest; /* version that it began with */
    } cases[] = {{INT64_MAX, 10, 3, 3}, {INT64_MAX, 2, 2, 3}, {T0 + 2, 1, 1, 3}, {T0 + 1, 10, 2, 2},
                 {T0, 10, 1, 1},        {T0 - 1, 10, 0, 0}};
    for (size_t i = 0; i < COUNT(steps); i++) {
        list_targets(w, &steps[i], T0 + (int64_t)i);
    }
    for (size_t i = 0; i < COUNT(cases); i++) {
        auto_role_target_list struct role_target_list rows = {0};
        READ(w)
        {
            OK(role_target_history(tx, w->repo.id, SLICE_LIT("targets"), SLICE_LIT("a"),
                                   cases[i].until_us, cases[i].max, &rows, err));
        }
        assert_int_equal(rows.count, cases[i].count);
        assert_true(rows.count == 0 || rows.items[0].since_version == cases[i].newest);
    }
}

/* A key that is rotated before the tag gets its next content has released the old one too. */
static void what_stays_listed_has_the_signers_of_the_last_document(void **state)
{
    struct world *w = *state;
    static const struct step first = {1, "a=one b=same"};
    struct role_target_entry entries[8];
    const uint8_t rotated[1][32] = {{7}}, later[1][32] = {{8}};
    list_targets(w, &first, T0);
    size_t n = entries_of("b=same", entries);
    WRITE(w)
    {
        put_in(tx, w->repo.id, "targets", 2, "b=same", T0 + 1);
        OK(role_target_update(tx, w->repo.id, SLICE_LIT("targets"), 2, entries, n, rotated, 1,
                              T0 + 1, err));
    }
    n = entries_of("b=other", entries);
    WRITE(w)
    {
        put_in(tx, w->repo.id, "targets", 3, "b=other", T0 + 2);
        OK(role_target_update(tx, w->repo.id, SLICE_LIT("targets"), 3, entries, n, later, 1, T0 + 2,
                              err));
    }
    auto_role_target_list struct role_target_list a = {0};
    auto_role_target_list struct role_target_list b = {0};
    history_of(w, "a", &a);
    history_of(w, "b", &b);
    assert_int_equal(a.items[0].signer_count, 2); /* it had left before */
    assert_int_equal(b.count, 2);
    assert_int_equal(b.items[1].signer_count, 1);
    assert_int_equal(b.items[1].signers[0][0], 7);
    assert_int_equal(b.items[0].signers[0][0], 8);
}

static bool begins_with(const void *arg, struct slice tag)
{
    return slice_starts(tag, arg);
}

static void other_paths_end_rows_and_begin_them_outside(void **state)
{
    struct world *w = *state;
    static const struct step first = {3, "prod-1=one v1=two"};
    static const struct step second = {4, "prod-1=one v1=three"};
    list_targets(w, &first, T0);
    WRITE(w)
    {
        OK(role_target_turn(tx, w->repo.id, SLICE_LIT("targets"), begins_with, "v", T0 + 5, err));
        OK(role_target_turn(tx, w->repo.id, SLICE_LIT("targets"), begins_with, "v1", T0 + 6, err));
    }
    auto_role_target_list struct role_target_list prod = {0};
    auto_role_target_list struct role_target_list v1 = {0};
    history_of(w, "prod-1", &prod);
    history_of(w, "v1", &v1);
    assert_int_equal(v1.count, 1);
    assert_false(v1.items[0].outside);
    assert_int_equal(prod.count, 2);
    assert_int_equal(prod.items[1].why, ROLE_TARGET_REPLACED);
    assert_int_equal(prod.items[1].until_us, T0 + 5);
    assert_int_equal(prod.items[1].last_version, 3);
    assert_false(prod.items[1].outside);
    assert_int_equal(prod.items[0].since_us, T0 + 5);
    assert_int_equal(prod.items[0].until_us, 0);
    assert_true(prod.items[0].outside);
    assert_true(digest_equal(&prod.items[0].sha256, &prod.items[1].sha256));
    assert_int_equal(prod.items[0].signer_count, 2);

    role_target_list_dispose(&prod);
    list_targets(w, &second, T0 + 7); /* a document with everything inside */
    history_of(w, "prod-1", &prod);
    assert_int_equal(prod.count, 3);
    assert_true(prod.items[1].outside);
    assert_int_equal(prod.items[1].why, ROLE_TARGET_REPLACED);
    assert_false(prod.items[0].outside);
}

static void grace_asks_what_ended_since(void **state)
{
    struct world *w = *state;
    static const struct step steps[] = {{1, "a=one b=one"}, {2, "a=two b=one"}, {3, "a=three"}};
    for (size_t i = 0; i < COUNT(steps); i++) {
        list_targets(w, &steps[i], T0 + (int64_t)i * HOUR);
    }
    auto_role_target_list struct role_target_list all = {0};
    auto_role_target_list struct role_target_list late = {0};
    auto_role_target_list struct role_target_list none = {0};
    bool is = false, was = false, never = true;
    struct role_target_tag tags[2];
    int tags_of_one = -1, tags_of_three = -1;
    struct digest one = digest_of(SLICE_LIT("one")), three = digest_of(SLICE_LIT("three")),
                  four = digest_of(SLICE_LIT("four"));
    READ(w)
    {
        OK(role_target_ended_since(tx, w->repo.id, 0, &all, err));
        OK(role_target_ended_since(tx, w->repo.id, T0 + 2 * HOUR, &late, err));
        OK(role_target_ended_since(tx, w->repo.id, T0 + 2 * HOUR + 1, &none, err));
        OK(role_target_names(tx, w->repo.id, &three, &is, err));
        OK(role_target_names(tx, w->repo.id, &one, &was, err));
        OK(role_target_names(tx, w->repo.id, &four, &never, err));
        OK(role_target_tags(tx, w->repo.id, &one, 2, tags, &tags_of_one, err));
        OK(role_target_tags(tx, w->repo.id, &three, 2, tags, &tags_of_three, err));
    }
    assert_int_equal(tags_of_one, 0); /* not any more */
    assert_int_equal(tags_of_three, 1);
    assert_string_equal(tags[0].text, "a");
    assert_int_equal(all.count, 3);
    assert_int_equal(late.count, 2);
    assert_int_equal(none.count, 0);
    assert_true(is);
    assert_true(was);
    assert_false(never);
}

static void a_name_that_is_no_tag_is_left_out(void **state)
{
    struct world *w = *state;
    char longest[TARGET_NAME_MAX + 1], longer[TARGET_NAME_MAX + 2];
    memset(longest, 'a', sizeof(longest));
    memset(longer, 'b', sizeof(longer));
    struct role_target_entry entries[2] = {
        {.tag = {longest, TARGET_NAME_MAX}, .length = 1},
        {.tag = {longer, TARGET_NAME_MAX + 1}, .length = 1},
    };
    auto_role_target_list struct role_target_list open = {0};
    WRITE(w)
    {
        put_in(tx, w->repo.id, "targets", 1, "t", T0);
        OK(role_target_update(tx, w->repo.id, SLICE_LIT("targets"), 1, entries, 2, NULL, 0, T0,
                              err));
        OK(role_target_listed(tx, w->repo.id, SLICE_LIT("targets"), &open, err));
    }
    assert_int_equal(open.count, 1);
    assert_int_equal(strlen(open.items[0].tag), TARGET_NAME_MAX);
}

static void a_sha512_target_is_found_too(void **state)
{
    struct world *w = *state;
    struct role_target_entry entry = {.tag = SLICE_LIT("v1"), .length = 1};
    hash_bytes(DIGEST_SHA512, SLICE_LIT("x"), &entry.sha512);
    bool named = false;
    WRITE(w)
    {
        put_in(tx, w->repo.id, "targets", 1, "t", T0);
        OK(role_target_update(tx, w->repo.id, SLICE_LIT("targets"), 1, &entry, 1, NULL, 0, T0,
                              err));
        OK(role_target_names(tx, w->repo.id, &entry.sha512, &named, err));
    }
    assert_true(named);
}

/* --- the rest --------------------------------------------------------------------------------- */

static void tombstones_count_incarnations(void **state)
{
    struct world *w = *state;
    struct tombstone first = {
        .wiped_us = T0, .reason = "key lost", .versions = (char *)"{\"root\":2}"};
    struct tombstone second = {.wiped_us = T0 + 1, .pin_kept = true};
    auto_tombstone struct tombstone last = {0};
    auto_tombstone struct tombstone none = {0};
    WRITE(w)
    {
        FAILS(ERR_NOT_FOUND, tombstone_get(tx, w->repo.id, &none, err));
        OK(tombstone_put(tx, w->repo.id, &first, &w->alice, err));
        OK(tombstone_put(tx, w->repo.id, &second, &w->alice, err));
        OK(tombstone_get(tx, w->repo.id, &last, err));
    }
    assert_int_equal(first.incarnation, 1);
    assert_int_equal(last.incarnation, 2);
    assert_true(last.pin_kept);
    assert_string_equal(last.wiped_by, "alice@example.org");
    assert_null(last.versions);
}

static void read_ids(const struct change_record_list *list, char *out, size_t n)
{
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < list->count && at < n; i++) {
        at += (size_t)snprintf(out + at, n - at, "%lld ", (long long)list->items[i].id);
    }
}

struct feed_case {
    const char *gun;
    bool backward;
    int64_t from;
    int max;
    const char *want;
};

static void the_changefeed_pages_both_ways(void **state)
{
    struct world *w = *state;
    uint8_t hash[32] = {7};
    WRITE(w)
    {
        for (int i = 1; i <= 6; i++) {
            OK(change_record_put(tx, slice_str(i % 2 ? "h/ns/a" : "h/ns/b"), CHANGE_UPDATE, i, hash,
                                 T0, err));
        }
        OK(change_record_put(tx, SLICE_LIT("h/ns/a"), CHANGE_DELETION, 0, NULL, T0, err));
    }
    static const struct feed_case cases[] = {
        {"", false, 0, 100, "1 2 3 4 5 6 7 "},
        {"", false, 0, 3, "1 2 3 "},
        {"", false, 5, 100, "6 7 "},
        {"", false, 7, 100, ""},
        {"", true, -1, 2, "6 7 "},
        {"", true, 0, 2, "6 7 "},
        {"", true, 4, 2, "2 3 "},
        {"", true, 1, 5, ""},
        {"h/ns/a", false, 0, 100, "1 3 5 7 "},
        {"h/ns/a", true, 7, 2, "3 5 "},
        {"h/ns/b", true, -1, 100, "2 4 6 "},
        {"h/ns/none", false, 0, 100, ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        auto_change_record_list struct change_record_list list = {0};
        char ids[100];
        READ(w)
        {
            if (cases[i].backward) {
                OK(change_record_backward(tx, slice_str(cases[i].gun), cases[i].from, cases[i].max,
                                          &list, err));
            } else {
                OK(change_record_forward(tx, slice_str(cases[i].gun), cases[i].from, cases[i].max,
                                         &list, err));
            }
        }
        read_ids(&list, ids, sizeof(ids));
        CHECK_CASE(strcmp(ids, cases[i].want) == 0, cases[i].want);
    }
    auto_change_record_list struct change_record_list list = {0};
    READ(w)
    {
        OK(change_record_forward(tx, SLICE_LIT(""), 5, 2, &list, err));
    }
    assert_int_equal(list.items[0].sha256[0], 7);
    assert_string_equal(list.items[0].gun, "h/ns/b");
    assert_int_equal(list.items[1].category, CHANGE_DELETION);
}

static void one_key_of_a_role_is_pending(void **state)
{
    struct world *w = *state;
    struct slice role = SLICE_LIT("timestamp");
    const struct trust_key_new a = key_row("timestamp", KEY_A, SLICE_LIT("\0sealed"), "k1"),
                               b = key_row("timestamp", KEY_B, SLICE_LIT("s"), "k1"),
                               snapshot = key_row("snapshot", KEY_A, SLICE_LIT("s"), "k1");
    auto_trust_key struct trust_key pending = {0};
    auto_trust_key struct trust_key other = {0};
    auto_trust_key_list struct trust_key_list list = {0};
    WRITE(w)
    {
        FAILS(ERR_NOT_FOUND, trust_key_pending(tx, w->repo.id, role, &pending, err));
        OK(trust_key_put(tx, w->repo.id, &a, T0, err));
        FAILS(ERR_CONFLICT, trust_key_put(tx, w->repo.id, &b, T0, err));
        OK(trust_key_put(tx, w->repo.id, &snapshot, T0, err));
        OK(trust_key_pending(tx, w->repo.id, role, &pending, err));
        OK(trust_key_set_state(tx, pending.id, TRUST_KEY_ACTIVE, err));
        OK(trust_key_put(tx, w->repo.id, &b, T0, err));
        OK(trust_key_get(tx, w->repo.id, role, KEY_A, &other, err));
        OK(trust_key_list(tx, w->repo.id, &list, err));
        FAILS(ERR_NOT_FOUND, trust_key_set_state(tx, 4711, TRUST_KEY_ACTIVE, err));
    }
    assert_string_equal(pending.key_id, KEY_A);
    assert_int_equal(pending.sealed.n, 7);
    assert_int_equal(other.state, TRUST_KEY_ACTIVE);
    assert_int_equal(list.count, 3);
    assert_string_equal(list.items[0].key_id, KEY_B);
    assert_string_equal(pending.sealed_by, "k1");
}

static void keys_are_walked_page_by_page_and_sealed_anew_once(void **state)
{
    struct world *w = *state;
    const struct trust_key_new a = key_row("timestamp", KEY_A, SLICE_LIT("s"), ""),
                               b = key_row("snapshot", KEY_B, SLICE_LIT("s"), "k1");
    auto_trust_key_page struct trust_key_page first = {0}, second = {0}, last = {0}, unbound = {0},
                                              after = {0};
    WRITE(w)
    {
        OK(trust_key_put(tx, w->repo.id, &a, T0, err));
        OK(trust_key_put(tx, w->repo.id, &b, T0, err));
        OK(trust_key_page_read(tx, false, 0, 1, &first, err));
        OK(trust_key_page_read(tx, false, first.items[0].key.id, 1, &second, err));
        OK(trust_key_page_read(tx, false, second.items[0].key.id, 1, &last, err));
        OK(trust_key_page_read(tx, true, 0, 10, &unbound, err));
        OK(trust_key_reseal(tx, first.items[0].key.id, "", SLICE_LIT("new"), "k2", err));
        FAILS(ERR_NOT_FOUND,
              trust_key_reseal(tx, first.items[0].key.id, "", SLICE_LIT("x"), "k3", err));
        OK(trust_key_page_read(tx, false, 0, 1, &after, err));
    }
    assert_int_equal(first.count, 1);
    assert_string_equal(first.items[0].key.key_id, KEY_A);
    assert_string_equal(first.items[0].repository, w->repo.name.text);
    assert_string_equal(second.items[0].key.key_id, KEY_B);
    assert_int_equal(last.count, 0);
    assert_int_equal(unbound.count, 1);
    assert_string_equal(unbound.items[0].key.key_id, KEY_A);
    assert_string_equal(after.items[0].key.sealed_by, "k2");
    assert_int_equal(after.items[0].key.sealed.n, 3);
}

static void pins_and_sets_are_kept_apart(void **state)
{
    struct world *w = *state;
    const uint8_t keys[2][32] = {{1}, {2}};
    const uint8_t other[32] = {3};
    auto_pin_list struct pin_list pin = {0};
    auto_pin_list struct pin_list set = {0};
    auto_pin_list struct pin_list one = {0};
    auto_pin_list struct pin_list none = {0};
    WRITE(w)
    {
        OK(trust_pin_set(tx, w->repo.id, keys, 2, &w->alice, T0, err));
        OK(namespace_root_add(tx, w->ns.id, other, &w->alice, T0, err));
        OK(namespace_root_add(tx, w->ns.id, keys[0], &w->alice, T0 + 1, err));
        OK(namespace_root_add(tx, w->ns.id, keys[0], &w->alice, T0 + 2, err));
        OK(trust_pin_get(tx, w->repo.id, &pin, err));
        OK(namespace_root_list(tx, w->ns.id, &set, err));
        OK(namespace_root_remove(tx, w->ns.id, other, err));
        OK(namespace_root_list(tx, w->ns.id, &one, err));
        OK(trust_pin_set(tx, w->repo.id, NULL, 0, &w->alice, T0, err));
        OK(trust_pin_get(tx, w->repo.id, &none, err));
    }
    assert_int_equal(pin.count, 2);
    assert_int_equal(set.count, 2);
    assert_int_equal(set.items[0].spki[0], 3);
    assert_int_equal(set.items[1].added_us, T0 + 1);
    assert_int_equal(one.count, 1);
    assert_int_equal(none.count, 0);
}

static void a_revoked_key_moves_every_view(void **state)
{
    struct world *w = *state;
    const uint8_t key[32] = {9};
    struct repository before, after;
    auto_pin_list struct pin_list list = {0};
    WRITE(w)
    {
        OK(repository_get_by_id(tx, w->repo.id, &before, err));
        OK(revoked_key_add(tx, key, "stolen", &w->alice, T0, err));
        OK(revoked_key_add(tx, key, "again", &w->alice, T0 + 1, err));
        OK(repository_get_by_id(tx, w->repo.id, &after, err));
        OK(revoked_key_list(tx, &list, err));
    }
    assert_true(after.gate_generation > before.gate_generation);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.items[0].reason, "stolen");
}

static void the_end_is_the_current_documents(void **state)
{
    struct world *w = *state;
    int64_t end = -1;
    struct trust_doc_new first = doc_of("timestamp", 1, "first"), next = doc_of("timestamp", 2, "next");
    first.expires_us = T0 + 5;
    next.expires_us = T0 + 9;
    WRITE(w)
    {
        FAILS(ERR_TRUST_NOT_FOUND,
              trust_doc_expires(tx, w->repo.id, SLICE_LIT("timestamp"), &end, err));
        OK(trust_doc_put(tx, w->repo.id, &first, T0, err));
        OK(trust_doc_expires(tx, w->repo.id, SLICE_LIT("timestamp"), &end, err));
        assert_int_equal(end, T0 + 5);
        OK(trust_doc_put(tx, w->repo.id, &next, T0 + 1, err));
        OK(trust_doc_expires(tx, w->repo.id, SLICE_LIT("timestamp"), &end, err));
        assert_int_equal(end, T0 + 9);
        FAILS(ERR_TRUST_NOT_FOUND,
              trust_doc_expires(tx, w->repo.id, SLICE_LIT("snapshot"), &end, err));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(versions_only_rise),
        WORLD_TEST(the_current_set_has_each_role_once),
        WORLD_TEST(the_end_is_the_current_documents),
        WORLD_TEST(a_role_that_ended_begins_anew),
        WORLD_TEST(a_wipe_ends_every_life),
        WORLD_TEST(renewals_are_found_by_the_time_that_each_document_has),
        WORLD_TEST(a_document_may_get_another_time),
        WORLD_TEST(what_was_stored_before_gets_its_time),
        WORLD_TEST(repositories_with_trust_data_are_listed),
        WORLD_TEST(history_tells_replaced_from_withdrawn),
        WORLD_TEST(history_is_asked_for_up_to_a_moment_and_so_many),
        WORLD_TEST(what_stays_listed_has_the_signers_of_the_last_document),
        WORLD_TEST(other_paths_end_rows_and_begin_them_outside),
        WORLD_TEST(grace_asks_what_ended_since),
        WORLD_TEST(a_name_that_is_no_tag_is_left_out),
        WORLD_TEST(a_sha512_target_is_found_too),
        WORLD_TEST(tombstones_count_incarnations),
        WORLD_TEST(the_changefeed_pages_both_ways),
        WORLD_TEST(one_key_of_a_role_is_pending),
        WORLD_TEST(keys_are_walked_page_by_page_and_sealed_anew_once),
        WORLD_TEST(pins_and_sets_are_kept_apart),
        WORLD_TEST(a_revoked_key_moves_every_view),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
