/* Counting equal decisions: windows and their ends, the queue, denials that are written first, many
 * threads, bounds. Time is a number here. */
#include "base/json.h"
#include "storage/decision_log.h"
#include "tests/unit/storage/world.h"

#define MONO INT64_C(5000000000) /* some moment of the monotonic clock */
#define SECOND INT64_C(1000000)

static struct decision_kind kind_of(const char *reason, bool allow, const char *tag)
{
    return (struct decision_kind){.door = "pull",
                                  .identity = "ns.k8s",
                                  .reason = reason,
                                  .allow = allow,
                                  .account_id = 7,
                                  .repository_id = 1,
                                  .generation = 88,
                                  .tag = tag};
}

static struct decision_draft *draft_of(const struct decision_kind *kind)
{
    struct decision_entry e = {.time_us = T0, .door = kind->door, .reason = kind->reason};
    e.allow = kind->allow;
    e.identity.account_id = kind->account_id;
    e.identity.name = kind->identity;
    e.identity.kind = "deployer";
    e.request.repository_id = kind->repository_id;
    e.request.repo = "ns/app";
    e.request.tag = kind->tag;
    return decision_draft_new(&e);
}

/* One decision, as a door records it. */
static void decide(struct decision_log *log, const struct decision_kind *kind, int64_t mono_us,
                   char id[DECISION_ID_SIZE])
{
    struct decision_key key;
    decision_log_key(log, kind, &key);
    if (decision_log_count(log, &key, kind->allow, mono_us, id)) {
        return;
    }
    struct decision_draft *draft = draft_of(kind);
    if (kind->allow) {
        assert_true(decision_log_allow(log, &key, NULL, draft, mono_us, id));
        return;
    }
    OK(decision_log_deny(log, &key, draft, mono_us, id, err));
    decision_draft_free(draft);
}

static void flush(struct decision_log *log, bool all, int64_t mono_us)
{
    OK(decision_log_flush(log, all, mono_us, T0 + 61 * SECOND, err));
}

/* All records, oldest first; the chain holds. */
static void records(struct world *w, struct decision_list *out)
{
    struct decision_proof proof = {0};
    READ(w)
    {
        OK(decision_chain(tx, 0, 100000, out, err));
        OK(decision_verify(tx, 100000, &proof, err));
    }
    assert_int_equal(proof.bad, 0);
}

static int64_t number_in(const struct decision_row *row, const char *member)
{
    auto_json json_t *record = NULL;
    int64_t value = -1;
    OK(json_read(slice_str(row->text), 8, &record, err));
    (void)json_get_int(record, member, &value);
    return value;
}

static bool says(const struct decision_row *row, const char *member, const char *want)
{
    auto_json json_t *record = NULL;
    OK(json_read(slice_str(row->text), 8, &record, err));
    const char *text = json_get_string(record, member);
    return text && strcmp(text, want) == 0;
}

static void equal_denials_are_one_record_and_one_that_counts(void **state)
{
    struct world *w = *state;
    struct decision_log *log = decision_log_new(w->db);
    struct decision_kind deny = kind_of("unsigned", false, "v1");
    char first[DECISION_ID_SIZE], id[DECISION_ID_SIZE];
    decide(log, &deny, MONO, first);
    {
        auto_decision_list struct decision_list list = {0};
        records(w, &list); /* the first one is there before its answer */
        assert_int_equal(list.count, 1);
    }
    for (int i = 0; i < 1000; i++) {
        decide(log, &deny, MONO + i * SECOND / 20, id);
        assert_string_equal(id, first);
    }
    flush(log, false, MONO + 59 * SECOND);
    {
        auto_decision_list struct decision_list list = {0};
        records(w, &list);
        assert_int_equal(list.count, 1); /* the window is open */
    }
    flush(log, false, MONO + 60 * SECOND);
    auto_decision_list struct decision_list list = {0};
    records(w, &list);
    assert_int_equal(list.count, 2);
    assert_int_equal(number_in(&list.items[1], "count"), 1000);
    assert_true(says(&list.items[1], "repeat_of", first));
    /* the next one begins anew */
    decide(log, &deny, MONO + 61 * SECOND, id);
    assert_string_not_equal(id, first);
    decision_log_free(log);
}

static void a_single_decision_has_no_second_record(void **state)
{
    struct world *w = *state;
    struct decision_log *log = decision_log_new(w->db);
    struct decision_kind deny = kind_of("unsigned", false, "v1");
    char id[DECISION_ID_SIZE];
    decide(log, &deny, MONO, id);
    flush(log, true, MONO + SECOND);
    auto_decision_list struct decision_list list = {0};
    records(w, &list);
    assert_int_equal(list.count, 1);
    decision_log_free(log);
}

static void whatever_differs_is_a_record_of_its_own(void **state)
{
    struct world *w = *state;
    struct decision_log *log = decision_log_new(w->db);
    struct digest d = digest_of(SLICE_LIT("x"));
    struct decision_kind base = kind_of("unsigned", false, "v1");
    struct decision_kind kinds[11];
    char id[DECISION_ID_SIZE];
    for (size_t i = 0; i < COUNT(kinds); i++) {
        kinds[i] = base;
    }
    kinds[1].tag = "v2";
    kinds[2].identity = "ns.other";
    kinds[3].account_id = 8;
    kinds[4].repository_id = 2;
    kinds[5].generation = 89;
    kinds[6].reason = "revoked";
    kinds[7].registry = &d;
    kinds[8].signed_digest = &d;
    kinds[9].allow = true;
    kinds[10].as = "ns.other";
    for (size_t i = 0; i < 2 * COUNT(kinds); i++) {
        decide(log, &kinds[i % COUNT(kinds)], MONO, id);
    }
    flush(log, true, MONO);
    auto_decision_list struct decision_list list = {0};
    records(w, &list);
    assert_int_equal(list.count, 2 * COUNT(kinds));
    decision_log_free(log);
}

static void allows_wait_and_are_written_together(void **state)
{
    struct world *w = *state;
    struct decision_log *log = decision_log_new(w->db);
    char tag[20], id[DECISION_ID_SIZE];
    for (int i = 0; i < 600; i++) {
        snprintf(tag, sizeof(tag), "v%d", i);
        struct decision_kind allow = kind_of("allowed", true, tag);
        decide(log, &allow, MONO, id);
    }
    size_t windows, queued;
    decision_log_load(log, &windows, &queued);
    assert_int_equal(queued, 600);
    flush(log, false, MONO + SECOND);
    auto_decision_list struct decision_list list = {0};
    records(w, &list);
    assert_int_equal(list.count, 600);
    decision_log_free(log);
}

static void a_full_queue_takes_no_more_and_loses_nothing(void **state)
{
    struct world *w = *state;
    struct decision_log *log = decision_log_new(w->db);
    struct decision_kind allow = kind_of("allowed", true, "v1");
    char id[DECISION_ID_SIZE];
    for (int i = 0; i < DECISION_QUEUE_MAX; i++) {
        assert_true(decision_log_allow(log, NULL, NULL, draft_of(&allow), MONO, id));
    }
    struct decision_draft *one_more = draft_of(&allow);
    assert_false(decision_log_allow(log, NULL, NULL, one_more, MONO, id));
    decision_draft_free(one_more);
    flush(log, false, MONO);
    auto_decision_list struct decision_list list = {0};
    records(w, &list);
    assert_int_equal(list.count, DECISION_QUEUE_MAX);
    decision_log_free(log);
}

static void blobs_are_counted_into_what_let_them_through(void **state)
{
    struct world *w = *state;
    struct decision_log *log = decision_log_new(w->db);
    struct decision_kind allow = kind_of("allowed", true, "v1");
    struct decision_key key, root, other;
    struct digest released = digest_of(SLICE_LIT("index")), unknown = digest_of(SLICE_LIT("?"));
    char first[DECISION_ID_SIZE], id[DECISION_ID_SIZE];
    decision_log_key(log, &allow, &key);
    decision_log_blob_key(log, 7, "ns.k8s", 1, &released, &root);
    assert_true(decision_log_allow(log, &key, &root, draft_of(&allow), MONO, first));
    for (int i = 0; i < 15; i++) {
        assert_true(decision_log_count(log, &root, true, MONO + i * 30 * SECOND, id));
        assert_string_equal(id, first);
    }
    /* another identity, another root */
    decision_log_blob_key(log, 8, "ns.other", 1, &released, &other);
    assert_false(decision_log_count(log, &other, true, MONO, id));
    decision_log_blob_key(log, 7, "ns.k8s", 1, &unknown, &other);
    assert_false(decision_log_count(log, &other, true, MONO, id));
    flush(log, false, MONO + 600 * SECOND);
    auto_decision_list struct decision_list list = {0};
    records(w, &list);
    assert_int_equal(list.count, 2);
    assert_int_equal(number_in(&list.items[1], "count"), 15);
    assert_true(strstr(list.items[1].text, "\"blobs\":true") != NULL);
    decision_log_free(log);
}

/* H-15 with other names each time: what one account is refused is bounded in records and memory. */
static void who_asks_for_many_names_that_are_refused_fills_no_disk(void **state)
{
    struct world *w = *state;
    struct decision_log *log = decision_log_new(w->db);
    char tag[20], id[DECISION_ID_SIZE];
    for (int i = 0; i < 5000; i++) {
        snprintf(tag, sizeof(tag), "none%d", i);
        struct decision_kind deny = kind_of("unknown", false, tag);
        decide(log, &deny, MONO, id);
    }
    struct decision_kind neighbour = kind_of("unknown", false, "none1");
    neighbour.account_id = 8;
    neighbour.identity = "ns.other";
    decide(log, &neighbour, MONO, id);
    flush(log, true, MONO);
    auto_decision_list struct decision_list list = {0};
    records(w, &list);
    assert_int_equal(list.count, DECISION_DENIALS_MAX + 1 + 1 + 1);
    const struct decision_row *last = &list.items[list.count - 1];
    assert_int_equal(number_in(last, "count"), 5000 - DECISION_DENIALS_MAX - 1);
    assert_true(strstr(last->text, "\"others\":true") != NULL);
    decision_log_free(log);
}

static void memory_is_bounded(void **state)
{
    struct world *w = *state;
    struct decision_log *log = decision_log_new(w->db);
    struct decision_kind allow = kind_of("allowed", true, "v1");
    char id[DECISION_ID_SIZE];
    size_t windows = 0, queued = 0;
    for (int i = 0; i < DECISION_WINDOWS_MAX * 3 / 2; i++) {
        allow.generation = i;
        decide(log, &allow, MONO, id);
        if (i % 1000 == 0) {
            flush(log, false, MONO);
            decision_log_load(log, &windows, &queued);
            assert_true(windows <= DECISION_WINDOWS_MAX);
        }
    }
    decision_log_free(log);
}

/* --- failures --------------------------------------------------------------------------------- */

/* The index takes no records. */
static void break_index(struct world *w)
{
    world_run_sql(w, "CREATE TRIGGER full BEFORE INSERT ON decision BEGIN "
                     "SELECT RAISE(ABORT, 'the disk is full'); END");
}

static bool run_first(struct db_tx *tx, void *arg, struct err *err)
{
    (void)arg;
    auto_stmt struct db_stmt *q = db_stmt(tx, 0);
    return db_run(q, err);
}

/* And takes them again, while the store is open. */
static void mend_index(struct world *w)
{
    static const char *const sql = "DROP TRIGGER full";
    char path[200];
    struct db *db = NULL;
    snprintf(path, sizeof(path), "%s/index.db", w->folder.path);
    struct db_options options = {path, &sql, 1, schema_migrations, schema_migration_count};
    OK(db_open(&options, &db, err));
    OK(db_write(db, run_first, NULL, err));
    db_close(db);
}

static void a_denial_without_its_record_is_none(void **state)
{
    struct world *w = *state;
    struct decision_kind deny = kind_of("unsigned", false, "v1");
    struct decision_key key;
    auto_decision_draft struct decision_draft *draft = draft_of(&deny);
    char id[DECISION_ID_SIZE];
    struct err why = {0};
    break_index(w);
    struct decision_log *log = decision_log_new(w->db);
    decision_log_key(log, &deny, &key);
    assert_false(decision_log_deny(log, &key, draft, MONO, id, &why));
    assert_false(decision_log_count(log, &key, false, MONO, id));
    assert_false(decision_log_deny(log, &key, draft, MONO, id, &why));
    mend_index(w);
    OK(decision_log_deny(log, &key, draft, MONO, id, err));
    assert_true(decision_log_count(log, &key, false, MONO, id));
    decision_log_free(log);
}

static void allows_that_cannot_be_written_wait_on_in_their_order(void **state)
{
    struct world *w = *state;
    char tag[40], id[DECISION_ID_SIZE];
    struct err why = {0};
    size_t windows, queued;
    break_index(w);
    struct decision_log *log = decision_log_new(w->db);
    for (int i = 0; i < 300; i++) {
        snprintf(tag, sizeof(tag), "v%03d", i);
        struct decision_kind allow = kind_of("allowed", true, tag);
        decide(log, &allow, MONO, id);
    }
    assert_false(decision_log_flush(log, false, MONO, T0, &why));
    decision_log_load(log, &windows, &queued);
    assert_int_equal(queued, 300);
    mend_index(w);
    flush(log, false, MONO);
    auto_decision_list struct decision_list list = {0};
    records(w, &list);
    assert_int_equal(list.count, 300);
    for (size_t i = 0; i < list.count; i++) {
        snprintf(tag, sizeof(tag), "\"tag\":\"v%03zu\"", i);
        assert_non_null(strstr(list.items[i].text, tag));
    }
    decision_log_free(log);
}

/* --- many at once ----------------------------------------------------------------------------- */

#define THREADS 8
#define EACH 400

static void *one_of_many(void *arg)
{
    struct decision_log *log = arg;
    bool ok = true;
    for (int i = 0; i < EACH; i++) {
        char tag[20], id[DECISION_ID_SIZE];
        snprintf(tag, sizeof(tag), "v%d", i % 5);
        struct decision_kind kind = kind_of(i % 2 ? "unsigned" : "allowed", i % 2 == 0, tag);
        struct decision_key key;
        struct err err = {0};
        decision_log_key(log, &kind, &key);
        if (decision_log_count(log, &key, kind.allow, MONO, id)) {
            continue;
        }
        struct decision_draft *draft = draft_of(&kind);
        if (kind.allow) {
            ok = ok && decision_log_allow(log, &key, NULL, draft, MONO, id);
        } else {
            ok = ok && decision_log_deny(log, &key, draft, MONO, id, &err);
            decision_draft_free(draft);
        }
    }
    return ok ? log : NULL;
}

static void of_equal_decisions_at_once_one_is_the_first(void **state)
{
    struct world *w = *state;
    struct decision_log *log = decision_log_new(w->db);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, one_of_many, log), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        assert_ptr_equal(result, log);
    }
    flush(log, true, MONO);
    auto_decision_list struct decision_list list = {0};
    records(w, &list);
    int64_t counted = 0;
    for (size_t i = 0; i < list.count; i++) {
        counted += number_in(&list.items[i], "count");
    }
    assert_int_equal(list.count, 20); /* five tags, two effects, a first and a repeat of each */
    assert_int_equal(counted, THREADS * EACH);
    decision_log_free(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(equal_denials_are_one_record_and_one_that_counts),
        WORLD_TEST(a_single_decision_has_no_second_record),
        WORLD_TEST(whatever_differs_is_a_record_of_its_own),
        WORLD_TEST(allows_wait_and_are_written_together),
        WORLD_TEST(a_full_queue_takes_no_more_and_loses_nothing),
        WORLD_TEST(blobs_are_counted_into_what_let_them_through),
        WORLD_TEST(who_asks_for_many_names_that_are_refused_fills_no_disk),
        WORLD_TEST(memory_is_bounded),
        WORLD_TEST(a_denial_without_its_record_is_none),
        WORLD_TEST(allows_that_cannot_be_written_wait_on_in_their_order),
        WORLD_TEST(of_equal_decisions_at_once_one_is_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
