/* Records of decisions: their text, their chain, lists of them, and what is cut off. */
#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "storage/decision.h"
#include "tests/unit/storage/world.h"

static struct digest digest_text(const char *text)
{
    struct digest d;
    OK(digest_parse(slice_str(text), &d, err));
    return d;
}

#define SHA_A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SHA_B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define ZEROS "sha256:0000000000000000000000000000000000000000000000000000000000000000"

static struct decision_entry refused(const struct world *w, int64_t time_us)
{
    struct decision_entry e = {.time_us = time_us, .door = "pull", .reason = "digest_mismatch"};
    e.identity.account_id = 7;
    e.identity.name = "ns.k8s";
    e.identity.kind = "deployer";
    e.identity.gated = true;
    e.identity.token = "secret-91";
    e.identity.address = "10.0.3.7";
    e.identity.agent = "containerd/2.1.9";
    e.request.method = "HEAD";
    e.request.repository_id = w->repo.id;
    e.request.repo = "ns/app";
    e.request.tag = "v1";
    e.digests.registry = digest_text(SHA_A);
    e.digests.signed_digest = digest_text(SHA_B);
    e.trust.gun = "registry.example/ns/app";
    e.trust.root = 2;
    e.trust.timestamp = 31;
    e.policy.scope = "ns";
    e.policy.level = "deploy";
    e.policy.generation = 14;
    e.generation = 88;
    e.took_us = 180;
    return e;
}

static void append(struct world *w, const struct decision_entry *e, char id[DECISION_ID_SIZE])
{
    auto_decision_draft struct decision_draft *draft = decision_draft_new(e);
    snprintf(id, DECISION_ID_SIZE, "%s", draft->id);
    WRITE(w)
    {
        OK(decision_append(tx, draft, err));
    }
}

static void append_many(struct world *w, int count, int64_t step_us)
{
    for (int i = 0; i < count; i++) {
        char id[DECISION_ID_SIZE];
        struct decision_entry e = refused(w, T0 + i * step_us);
        append(w, &e, id);
    }
}

static struct decision_proof prove(struct world *w, int page)
{
    struct decision_proof proof = {0};
    while (!proof.done) {
        READ(w)
        {
            OK(decision_verify(tx, page, &proof, err));
        }
    }
    return proof;
}

/* --- texts ------------------------------------------------------------------------------------ */

static void a_record_has_the_shape_of_the_specification(void **state)
{
    struct world *w = *state;
    char id[DECISION_ID_SIZE];
    auto_buf struct buf want = {0};
    auto_decision_row struct decision_row row = {0};
    struct decision_entry e = refused(w, T0 + 123000);
    append(w, &e, id);
    READ(w)
    {
        OK(decision_get(tx, slice_str(id), &row, err));
    }
    buf_printf(&want,
               "{\"id\":\"%s\",\"time\":\"2027-01-15T08:00:00.123Z\",\"door\":\"pull\","
               "\"effect\":\"deny\",\"reason\":\"digest_mismatch\","
               "\"identity\":{\"id\":\"ns.k8s\",\"kind\":\"deployer\",\"gated\":true,"
               "\"token\":\"secret-91\",\"addr\":\"10.0.3.7\",\"agent\":\"containerd/2.1.9\","
               "\"account\":7},"
               "\"request\":{\"method\":\"HEAD\",\"repo\":\"ns/app\",\"tag\":\"v1\","
               "\"digest\":null,\"repository\":%lld},\"count\":1,"
               "\"digests\":{\"registry\":\"" SHA_A "\",\"signed\":\"" SHA_B "\","
               "\"served\":null},"
               "\"trust\":{\"gun\":\"registry.example/ns/app\",\"incarnation\":null,\"root\":2,"
               "\"root_spki\":null,\"timestamp\":31,\"snapshot\":null,\"targets\":null,"
               "\"role\":null,\"role_version\":null,\"signer_spki\":[],\"valid_until\":null},"
               "\"policy\":{\"id\":\"ns\",\"gen\":14,\"level\":\"deploy\"},\"override\":null,"
               "\"base\":null,\"gens\":{\"trust\":88,\"registry\":88,\"override\":88},"
               "\"took_us\":180,\"prev\":\"" ZEROS "\"}",
               id, (long long)w->repo.id);
    assert_string_equal(row.text, want.p);
    assert_int_equal(row.effect, DECISION_DENY);
}

static void what_a_client_says_of_itself_cannot_break_a_record(void **state)
{
    struct world *w = *state;
    static const char *const agents[] = {"quote\" and \\ and {", "line\nfeed\r\x01", "\xff\xfe\x80",
                                         "\xc3\xa9t\xc3\xa9"};
    char longest[4000];
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    for (size_t i = 0; i <= COUNT(agents); i++) {
        char id[DECISION_ID_SIZE];
        struct decision_entry e = refused(w, T0);
        e.identity.agent = i < COUNT(agents) ? agents[i] : longest;
        e.identity.name = "j\xc3\xb6rg@example.org";
        append(w, &e, id);
    }
    struct decision_proof proof = prove(w, 100);
    assert_int_equal(proof.bad, 0);
    assert_int_equal(proof.records, COUNT(agents) + 1);
    auto_decision_list struct decision_list list = {0};
    READ(w)
    {
        OK(decision_chain(tx, 0, 100, &list, err));
    }
    assert_true(strlen(list.items[COUNT(agents)].text) < 1500);
}

static void ids_sort_by_time(void **state)
{
    struct world *w = *state;
    char before[DECISION_ID_SIZE] = "";
    for (int i = 0; i < 50; i++) {
        struct decision_entry e = refused(w, T0 + i * INT64_C(7001000));
        auto_decision_draft struct decision_draft *draft = decision_draft_new(&e);
        assert_true(strcmp(before, draft->id) < 0);
        assert_int_equal(strspn(draft->id, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), 26);
        memcpy(before, draft->id, sizeof(before));
    }
}

/* --- the chain -------------------------------------------------------------------------------- */

/* As anybody can check it who has the texts and a SHA-256. */
static void each_record_holds_the_hash_of_the_one_before_it(void **state)
{
    struct world *w = *state;
    auto_decision_list struct decision_list list = {0};
    append_many(w, 4, 1000000);
    READ(w)
    {
        OK(decision_chain(tx, 0, 100, &list, err));
    }
    assert_int_equal(list.count, 4);
    for (size_t i = 1; i < list.count; i++) {
        auto_json json_t *record = NULL;
        struct digest before = digest_of(slice_str(list.items[i - 1].text));
        char text[DIGEST_STR_MAX];
        OK(json_read(slice_str(list.items[i].text), 8, &record, err));
        assert_string_equal(json_get_string(record, "prev"), digest_format(&before, text));
    }
}

static void a_repeat_says_what_it_repeats(void **state)
{
    struct world *w = *state;
    struct decision_entry e = refused(w, T0);
    auto_decision_draft struct decision_draft *first = decision_draft_new(&e);
    auto_decision_draft struct decision_draft *repeat =
        decision_draft_repeat(first, 41, DECISION_REPEAT_SAME, T0 + 60000000);
    auto_decision_row struct decision_row row = {0};
    auto_json json_t *record = NULL;
    int64_t count = 0;
    WRITE(w)
    {
        OK(decision_append(tx, first, err));
        OK(decision_append(tx, repeat, err));
    }
    READ(w)
    {
        OK(decision_get(tx, slice_str(repeat->id), &row, err));
    }
    OK(json_read(slice_str(row.text), 8, &record, err));
    assert_true(json_get_int(record, "count", &count));
    assert_int_equal(count, 41);
    assert_string_equal(json_get_string(record, "repeat_of"), first->id);
    assert_string_equal(json_get_string(record, "reason"), "digest_mismatch");
    assert_string_equal(json_get_string(json_get_object(record, "request"), "tag"), "v1");
    assert_int_equal(row.account_id, 7);
    assert_int_equal(prove(w, 1).bad, 0);
}

static void an_undone_transaction_leaves_the_chain_as_it_was(void **state)
{
    struct world *w = *state;
    struct decision_entry e = refused(w, T0);
    auto_decision_draft struct decision_draft *draft = decision_draft_new(&e);
    append_many(w, 2, 1000000);
    struct write write;
    struct db_tx *tx = write_begin(&write, w->db);
    OK(decision_append(tx, draft, err));
    write_end(&write, false);
    assert_int_equal(prove(w, 100).records, 2);
    append_many(w, 1, 1000000);
    struct decision_proof proof = prove(w, 100);
    assert_int_equal(proof.bad, 0);
    assert_int_equal(proof.records, 3);
}

struct forgery {
    const char *name, *sql;
    int first_bad; /* which of five records; 0 = the one behind the end */
};

static void a_forged_chain_is_found_and_the_first_bad_record_named(void **state)
{
    static const struct forgery cases[] = {
        {"another reason",
         "UPDATE decision SET record = replace(record, 'digest_mismatch', 'allowed') "
         "WHERE number = 3",
         3},
        {"a denial made an allow in the column", "UPDATE decision SET effect = 1 WHERE number = 3",
         3},
        {"moved to another repository", "UPDATE decision SET repository_id = 99 WHERE number = 2",
         2},
        {"moved to another identity", "UPDATE decision SET account_id = 99 WHERE number = 2", 2},
        {"another name", "UPDATE decision SET identity = 'bob' WHERE number = 2", 2},
        {"another time", "UPDATE decision SET created_us = created_us + 1 WHERE number = 4", 4},
        {"another id", "UPDATE decision SET id = '01JDE5AAAAAAAAAAAAAAAAAAAA' WHERE number = 4", 4},
        {"another size", "UPDATE decision SET total_bytes = total_bytes + 1 WHERE number = 4", 4},
        {"one removed", "DELETE FROM decision WHERE number = 3", 4},
        {"the first removed", "DELETE FROM decision WHERE number = 1", 2},
        {"the end cut off", "DELETE FROM decision WHERE number = 5", 0},
        {"everything cut off", "DELETE FROM decision WHERE number > 0", 0},
        {"one inserted",
         "INSERT INTO decision SELECT 6, 'X' || substr(id, 2), created_us, repository_id, "
         "account_id, effect, identity, total_bytes, sha256, record FROM decision "
         "WHERE number = 5",
         6},
        {"two changed places",
         "UPDATE decision SET number = CASE number WHEN 2 THEN -3 ELSE -2 END "
         "WHERE number IN (2, 3)",
         0},
        {"the hash of the end forgotten", "UPDATE decision_chain SET head = zeroblob(32)", 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        void *inner = NULL;
        world_setup(&inner);
        struct world *w = inner;
        append_many(w, 5, 1000000);
        world_run_sql(w, cases[i].sql);
        if (strcmp(cases[i].name, "two changed places") == 0) {
            world_run_sql(w, "UPDATE decision SET number = -number WHERE number < 0");
        }
        for (int page = 1; page <= 100; page *= 10) {
            struct decision_proof proof = prove(w, page);
            CHECK_CASE(proof.bad != 0 && proof.what != NULL, cases[i].name);
            CHECK_CASE(cases[i].first_bad == 0 || proof.bad == cases[i].first_bad, cases[i].name);
        }
        world_teardown(&inner);
    }
}

/* --- lists ------------------------------------------------------------------------------------ */

static void lists_are_filtered_newest_first_and_paged(void **state)
{
    struct world *w = *state;
    char id[DECISION_ID_SIZE];
    for (int i = 0; i < 12; i++) {
        struct decision_entry e = refused(w, T0 + i * 1000000);
        e.allow = i % 2 == 0;
        e.identity.account_id = i % 3 + 1;
        e.identity.name = i % 3 == 0 ? "ns.one" : "ns.two";
        e.request.repository_id = i < 6 ? 1 : 2;
        append(w, &e, id);
    }
    const struct {
        const char *name;
        struct decision_filter filter;
        size_t count;
    } cases[] = {
        {"all", {0}, 12},
        {"a repository", {.repository_id = 2}, 6},
        {"an account", {.account_id = 2}, 4},
        {"an account in a repository", {.account_id = 2, .repository_id = 1}, 2},
        {"a name", {.identity = SLICE_LIT("ns.one")}, 4},
        {"nobody", {.identity = SLICE_LIT("ns.on")}, 0},
        {"denials", {.effect = DECISION_DENY}, 6},
        {"since", {.since_us = T0 + 9 * INT64_C(1000000)}, 3},
        {"denials of a repository since",
         {.effect = DECISION_DENY, .repository_id = 2, .since_us = T0 + 9 * INT64_C(1000000)},
         2},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (int max = 1; max <= 100; max *= 10) {
            size_t count = 0;
            int64_t before = 0;
            do {
                auto_decision_list struct decision_list list = {0};
                READ(w)
                {
                    OK(decision_list(tx, &cases[i].filter, before, max, &list, err));
                }
                for (size_t k = 0; k < list.count; k++) {
                    CHECK_CASE(before == 0 || list.items[k].number < before, cases[i].name);
                    before = list.items[k].number;
                }
                count += list.count;
                before = list.next;
            } while (before != 0);
            CHECK_CASE(count == cases[i].count, cases[i].name);
        }
    }
    READ(w)
    {
        auto_decision_row struct decision_row row = {0};
        FAILS(ERR_NOT_FOUND, decision_get(tx, SLICE_LIT("01JDE5AAAAAAAAAAAAAAAAAAAA"), &row, err));
    }
}

/* --- cutting ---------------------------------------------------------------------------------- */

static int64_t cut(struct world *w, struct decision_keep keep, int max, int64_t now_us)
{
    int64_t count = 0, all = 0;
    bool more = true;
    while (more) {
        WRITE(w)
        {
            OK(decision_cut(tx, &keep, max, now_us, &count, &more, err));
        }
        all += count;
    }
    return all;
}

static void what_is_cut_off_leaves_a_chain_that_proves_itself(void **state)
{
    struct world *w = *state;
    append_many(w, 30, US_PER_DAY); /* one a day */
    const struct decision_keep keep = {.age_us = 10 * US_PER_DAY};
    int64_t now = T0 + 30 * US_PER_DAY;
    assert_int_equal(cut(w, keep, 100, now), 20); /* days 0 … 19; day 20 is 10 days old */
    struct decision_proof proof = prove(w, 3);
    assert_int_equal(proof.bad, 0);
    assert_int_equal(proof.records, 11); /* ten, and the record of the cut */
    assert_int_equal(cut(w, keep, 100, now), 0);
    /* a second cut takes more, in steps */
    assert_int_equal(cut(w, keep, 2, now + 5 * US_PER_DAY), 5);
    proof = prove(w, 3);
    assert_int_equal(proof.bad, 0);
    /* a list shows no cuts */
    auto_decision_list struct decision_list list = {0};
    READ(w)
    {
        OK(decision_list(tx, &(struct decision_filter){0}, 0, 100, &list, err));
    }
    assert_int_equal(list.count, 5);
}

static void size_is_a_limit_too_and_the_last_record_stays(void **state)
{
    struct world *w = *state;
    append_many(w, 30, 1000000);
    auto_decision_list struct decision_list list = {0};
    READ(w)
    {
        OK(decision_chain(tx, 0, 100, &list, err));
    }
    int64_t each = list.items[29].total_bytes / 30;
    const struct decision_keep roomy = {.bytes = 31 * each};
    const struct decision_keep ten = {.bytes = 10 * each};
    const struct decision_keep nearly = {.bytes = 29 * each};
    assert_int_equal(cut(w, roomy, 100, T0), 0);
    assert_int_equal(cut(w, nearly, 100, T0), 0); /* not a sixteenth too much */
    assert_in_range(cut(w, ten, 100, T0), 19, 21);
    assert_int_equal(prove(w, 100).bad, 0);
    const struct decision_keep nothing = {.age_us = 1};
    (void)cut(w, nothing, 100, T0 + 400 * US_PER_DAY);
    struct decision_proof proof = prove(w, 100);
    assert_int_equal(proof.bad, 0);
    assert_true(proof.records > 0);
}

static void a_cut_that_was_none_is_found(void **state)
{
    static const struct forgery cases[] = {
        {"one more than the cut says", "DELETE FROM decision WHERE number = 21", 22},
        {"the record of the cut removed", "DELETE FROM decision WHERE effect = 0", 21},
        {"the record of the cut changed",
         "UPDATE decision SET record = replace(record, '\"records\":20', '\"records\":21') "
         "WHERE effect = 0",
         31},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        void *inner = NULL;
        world_setup(&inner);
        struct world *w = inner;
        append_many(w, 30, US_PER_DAY);
        const struct decision_keep keep = {.age_us = 10 * US_PER_DAY};
        assert_int_equal(cut(w, keep, 100, T0 + 30 * US_PER_DAY), 20);
        world_run_sql(w, cases[i].sql);
        struct decision_proof proof = prove(w, 100);
        CHECK_CASE(proof.bad == cases[i].first_bad, cases[i].name);
        world_teardown(&inner);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(a_record_has_the_shape_of_the_specification),
        WORLD_TEST(what_a_client_says_of_itself_cannot_break_a_record),
        WORLD_TEST(ids_sort_by_time),
        WORLD_TEST(each_record_holds_the_hash_of_the_one_before_it),
        WORLD_TEST(a_repeat_says_what_it_repeats),
        WORLD_TEST(an_undone_transaction_leaves_the_chain_as_it_was),
        WORLD_TEST(a_forged_chain_is_found_and_the_first_bad_record_named),
        WORLD_TEST(lists_are_filtered_newest_first_and_paged),
        WORLD_TEST(what_is_cut_off_leaves_a_chain_that_proves_itself),
        WORLD_TEST(size_is_a_limit_too_and_the_last_record_stays),
        WORLD_TEST(a_cut_that_was_none_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
