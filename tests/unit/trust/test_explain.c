/* What is told beside a decision: since when a root is believed, when the timestamp was signed, and where else a digest
 * is signed. */
#include "storage/trust_pin.h"
#include "tests/unit/trust/bench.h"
#include "trust/background.h"

/* The text of a step; "" when there is none. */
static void step_text(struct bench *b, const char *step, char out[400])
{
    struct decision d = ask_tag(b, &deployer, "v1");
    out[0] = '\0';
    READ(b->w)
    {
        struct repository repo;
        OK(repository_get_by_id(tx, b->w->repo.id, &repo, err));
        json_t *list = gate_explain_for(b->trust, tx, &deployer, &repo, &repo.name, &d, b->now_us);
        size_t i;
        json_t *item;
        json_array_foreach(list, i, item)
        {
            if (strcmp(json_get_string(item, "step"), step) == 0) {
                (void)snprintf(out, 400, "%s", json_get_string(item, "text"));
            }
        }
        json_decref(list);
    }
}

static void remove_namespace_roots(struct bench *b)
{
    WRITE(b->w)
    {
        OK(namespace_root_remove(tx, b->w->ns.id, NULL, err));
    }
}

static void rotate_root(struct bench *b)
{
    struct made m = {.count = 0};
    struct made_doc *doc = made_add(&m, "root", root_for(b, 2, &keys.root2), &keys.root);
    doc->signers[1] = &keys.root2;
    publish(b, &m);
}

static void a_root_is_told_with_its_pin(void **state)
{
    struct bench b;
    struct made m;
    char text[400];
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one");
    begin(&b, "ns/app", &keys.root, &one, size_of(&b, &one), &m);
    publish(&b, &m);
    step_text(&b, "root", text); /* T0 is 2027-01-15 */
    assert_non_null(strstr(text, "… pinned for ns since 2027-01-15, expires "));
    remove_namespace_roots(&b);
    step_text(&b, "root", text);
    assert_non_null(strstr(text, "… pinned for ns/app since 2027-01-15, expires "));
    b.now_us += 3 * US_PER_DAY;
    rotate_root(&b);
    step_text(&b, "root", text);
    assert_non_null(strstr(text, "root 2, key "));
    assert_non_null(strstr(text, "… by rotation from the one pinned for ns/app since 2027-01-15, expires "));
    bench_close(&b);
}

static void a_timestamp_is_told_with_its_age(void **state)
{
    static const struct {
        int64_t seconds;
        const char *age;
    } table[] = {{0, "0 s"}, {59, "59 s"}, {60, "1 min"}, {3599, "59 min"}, {3 * 3600, "3 h"}, {47 * 3600, "47 h"}, {48 * 3600, "2 days"}};
    struct bench b;
    struct made m;
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one");
    begin(&b, "ns/app", &keys.root, &one, size_of(&b, &one), &m);
    publish(&b, &m);
    for (size_t i = 0; i < COUNT(table); i++) {
        char text[400], want[80];
        b.now_us = T0 + table[i].seconds * US_PER_SECOND;
        step_text(&b, "timestamp", text);
        (void)snprintf(want, sizeof want, "1, re-signed by the server %s ago, expires ", table[i].age);
        CHECK_CASE(strncmp(text, want, strlen(want)) == 0, text);
    }
    bench_close(&b);
}

/* A timestamp that is not the stored one, as in "what if this was published", has no age. */
static void what_is_not_stored_has_no_background(void **state)
{
    struct bench b;
    struct made m;
    struct tuf_doc *other = NULL;
    struct gate_background background = {.pinned_us = 1, .timestamp_us = 1};
    static const char bytes[] = "{\"signed\":{\"_type\":\"Timestamp\",\"expires\":\"2030-01-01T00:00:00Z\",\"meta\":{\"snapshot\":"
                                "{\"hashes\":{\"sha256\":\"LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=\"},\"length\":1}},"
                                "\"version\":1},\"signatures\":[]}";
    bench_open(&b, *state);
    begin(&b, "ns/app", &keys.root, NULL, 0, &m);
    publish(&b, &m);
    assert_int_equal(tuf_doc_read(SLICE_LIT("timestamp"), slice_str(bytes), &other, NULL), DOC_OK);
    struct trust_state assumed = {.timestamp = other};
    READ(b.w)
    {
        gate_background_of(tx, &b.w->repo, &assumed, &background);
        assert_true(background.timestamp_us == 0 && background.pinned_us == 0);
        gate_background_of(tx, &b.w->repo, NULL, &background);
        assert_true(background.timestamp_us == 0 && background.pinned_us == 0);
    }
    tuf_doc_free(other);
    bench_close(&b);
}

/* --- where else --------------------------------------------------------------------------------- */

static bool may_pull_other(const void *told, struct db_tx *tx, const struct repo_name *repo)
{
    (void)tx;
    assert_string_not_equal(repo->text, "ns/app"); /* where he is is not asked */
    return strcmp(repo->text, told) == 0;
}

static void a_refusal_says_where_else_the_digest_is_signed(void **state)
{
    const struct gate_caller welcome = {.gated = true, .may_pull = may_pull_other, .told = "ns/other"};
    const struct gate_caller stranger = {.gated = true, .may_pull = may_pull_other, .told = "ns/third"};
    struct bench b;
    struct made m;
    char word[32];
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one"), two = push_image(b.w, "[]", "two");
    struct digest layer = digest_of(SLICE_LIT("one"));
    begin(&b, "ns/other", &keys.root, &one, size_of(&b, &one), &m);
    assert_string_equal(publish_as(&b, "ns/other", &m, true, word), "");
    struct decision d = ask_digest(&b, &welcome, &one, false);
    REASON_OF(d, UNSIGNED_DIGEST);
    assert_non_null(strstr(d.message, "the repository has no trust data; it is signed in ns/other"));
    assert_non_null(strstr(d.hint, "deploy it from ns/other"));
    begin(&b, "ns/app", &keys.root, &two, size_of(&b, &two), &m);
    publish(&b, &m);
    d = ask_digest(&b, &welcome, &one, false);
    REASON_OF(d, UNSIGNED_DIGEST);
    assert_non_null(strstr(d.message, "nor part of one; it is signed in ns/other"));
    const struct gate_caller *const others[] = {&stranger, &deployer};
    for (size_t i = 0; i < COUNT(others); i++) {
        d = ask_digest(&b, others[i], &one, false);
        REASON_OF(d, UNSIGNED_DIGEST);
        assert_null(strstr(d.message, "other"));
        assert_null(strstr(d.hint, "other"));
    }
    REASON_OF(ask_digest(&b, &welcome, &two, false), ALLOWED);
    d = ask_digest(&b, &welcome, &layer, true);
    REASON_OF(d, BLOB_NOT_REACHABLE);
    assert_null(strstr(d.message, "other"));

    b.now_us += US_PER_DAY; /* withdrawn there */
    json_t *targets = made_targets(2);
    m = (struct made){.count = 0};
    server_key(&b, "ns/other", ROLE_TIMESTAMP, &b.timestamp);
    (void)made_add(&m, "targets", targets, &keys.targets);
    assert_string_equal(publish_as(&b, "ns/other", &m, true, word), "");
    assert_null(strstr(ask_digest(&b, &welcome, &one, false).message, "other"));
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(a_root_is_told_with_its_pin),
        WORLD_TEST(a_timestamp_is_told_with_its_age),
        WORLD_TEST(what_is_not_stored_has_no_background),
        WORLD_TEST(a_refusal_says_where_else_the_digest_is_signed),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
