/* Noting pulls: once an hour for each manifest, bounded, from many threads. */
#include "storage/pull.h"
#include "tests/unit/storage/rules.h"

#define NOTED (T0 + 24 * HOUR)

static int64_t last(struct world *w, const struct digest *digest)
{
    int64_t us = -1;
    READ(w)
    {
        OK(pull_last(tx, w->repo.id, digest, &us, err));
    }
    return us;
}

/* Writes all that waits. */
static void write_all(struct world *w, struct pull_log *log)
{
    for (bool more = true; more;) {
        OK(pull_log_write(log, w->db, 100, NOTED, &more, err));
    }
}

static void a_pull_is_noted_once_an_hour(void **state)
{
    struct world *w = *state;
    struct digest d = push_image(w, "{}", "abc");
    struct pull_log *log = pull_log_new();
    int64_t hour = NOTED - NOTED % HOUR;
    assert_int_equal(last(w, &d), 0);
    pull_log_note(log, w->repo.id, &d, hour);
    pull_log_note(log, w->repo.id, &d, hour + HOUR - 1);
    write_all(w, log);
    assert_int_equal(last(w, &d), hour);
    pull_log_note(log, w->repo.id, &d, hour + HOUR);
    write_all(w, log);
    assert_int_equal(last(w, &d), hour + HOUR);
    pull_log_free(log);
}

static void a_manifest_that_is_not_here_any_more_is_passed_over(void **state)
{
    struct world *w = *state;
    struct err why = {0};
    struct digest gone = push_image(w, "{}", "abc"), kept = push_image(w, "{}", "def");
    struct pull_log *log = pull_log_new();
    pull_log_note(log, w->repo.id, &gone, NOTED);
    pull_log_note(log, w->repo.id, &kept, NOTED);
    pull_log_note(log, w->repo.id + 1, &kept, NOTED); /* no such repository */
    assert_true(delete_manifest(w, &gone, &why));
    write_all(w, log);
    assert_int_equal(last(w, &gone), 0);
    assert_int_equal(last(w, &kept), NOTED);
    assert_true(delete_manifest(w, &kept, &why));
    assert_int_equal(last(w, &kept), 0);
    pull_log_free(log);
}

static struct digest digest_number(uint64_t n)
{
    return digest_of(slice_of_bytes(&n, sizeof(n)));
}

static void what_finds_no_room_is_noted_after_the_next_writing(void **state)
{
    struct world *w = *state;
    struct digest d = push_image(w, "{}", "abc");
    struct pull_log *log = pull_log_new();
    for (uint64_t i = 0; i < 2 * PULL_LOG_MAX; i++) {
        struct digest other = digest_number(i);
        pull_log_note(log, w->repo.id, &other, NOTED);
    }
    pull_log_note(log, w->repo.id, &d, NOTED);
    write_all(w, log);
    assert_int_equal(last(w, &d), 0);
    pull_log_note(log, w->repo.id, &d, NOTED);
    write_all(w, log);
    assert_int_equal(last(w, &d), NOTED);
    pull_log_free(log);
}

#define IMAGES 5
struct puller {
    struct pull_log *log;
    int64_t repository_id;
    struct digest images[IMAGES];
    int64_t from_us;
};

static void *pull_all_the_time(void *arg)
{
    const struct puller *p = arg;
    for (int i = 0; i < 20000; i++) {
        pull_log_note(p->log, p->repository_id, &p->images[i % IMAGES],
                      p->from_us + i / 1000 * HOUR);
    }
    return NULL;
}

static void many_threads_note_while_one_writes(void **state)
{
    struct world *w = *state;
    pthread_t threads[3];
    struct puller p = {.log = pull_log_new(), .repository_id = w->repo.id, .from_us = NOTED};
    static const char *const layers[IMAGES] = {"aaa", "bbb", "ccc", "ddd", "eee"};
    for (int i = 0; i < IMAGES; i++) {
        p.images[i] = push_image(w, "{}", layers[i]);
    }
    for (size_t i = 0; i < COUNT(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, pull_all_the_time, &p), 0);
    }
    for (int i = 0; i < 20; i++) {
        write_all(w, p.log);
    }
    for (size_t i = 0; i < COUNT(threads); i++) {
        pthread_join(threads[i], NULL);
    }
    write_all(w, p.log);
    for (int i = 0; i < IMAGES; i++) {
        assert_int_equal(last(w, &p.images[i]), NOTED + 19 * HOUR);
    }
    pull_log_free(p.log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(a_pull_is_noted_once_an_hour),
        WORLD_TEST(a_manifest_that_is_not_here_any_more_is_passed_over),
        WORLD_TEST(what_finds_no_room_is_noted_after_the_next_writing),
        WORLD_TEST(many_threads_note_while_one_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
