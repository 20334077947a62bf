#include "base/buf.h"
#include "base/log.h"
#include "tests/unit/base/check.h"

#include <pthread.h>

/* stderr goes into a file between begin and end. */
struct capture {
    struct folder folder;
    int saved;
};

static int capture_begin(void **state)
{
    struct capture *c = xcalloc(1, sizeof(*c));
    folder_make(&c->folder);
    int fd = openat(c->folder.fd, "log", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    c->saved = dup(STDERR_FILENO);
    assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
    (void)close(fd);
    log_set_level(LOG_INFO);
    *state = c;
    return 0;
}

static int capture_end(void **state)
{
    struct capture *c = *state;
    (void)dup2(c->saved, STDERR_FILENO);
    (void)close(c->saved);
    folder_remove(&c->folder);
    free(c);
    return 0;
}

static void captured(const struct capture *c, struct buf *out)
{
    char chunk[4096];
    int fd = openat(c->folder.fd, "log", O_RDONLY | O_CLOEXEC);
    ssize_t n = 0;
    buf_put(out, "", 0);
    while ((n = read(fd, chunk, sizeof(chunk))) > 0) {
        buf_put(out, chunk, (size_t)n);
    }
    (void)close(fd);
}

static void one_line_per_event(void **state)
{
    auto_buf struct buf text = {0};
    log_event(LOG_DEBUG, "hidden", "x=1");
    log_event(LOG_INFO, "started", "port=%d", 5443);
    log_event(LOG_ERROR, "bare", "%s", "");
    log_event(LOG_WARN, "forged", "name=%s", "a\ntime=0 level=error event=fake\r\x1B[2J");
    captured(*state, &text);
    struct slice rest = buf_slice_of(&text);
    struct slice line;
    assert_true(slice_next(&rest, '\n', &line));
    assert_true(slice_starts(line, "time=2"));
    assert_true(slice_ends(line, "Z level=info event=started port=5443"));
    assert_true(slice_next(&rest, '\n', &line));
    assert_true(slice_ends(line, " level=error event=bare"));
    assert_true(slice_next(&rest, '\n', &line));
    assert_true(slice_ends(line, "event=forged name=a?time=0 level=error event=fake??[2J"));
    assert_int_equal(rest.n, 0);
}

static void the_level_is_a_threshold(void **state)
{
    auto_buf struct buf text = {0};
    log_set_level(LOG_ERROR);
    log_event(LOG_WARN, "hidden", "x=%d", 1);
    log_event(LOG_ERROR, "shown", "x=%d", 1);
    log_set_level(LOG_DEBUG);
    log_event(LOG_DEBUG, "detail", "x=%d", 1);
    captured(*state, &text);
    assert_null(strstr(text.p, "hidden"));
    assert_non_null(strstr(text.p, "event=shown"));
    assert_non_null(strstr(text.p, "event=detail"));
}

static void an_endless_line_is_cut(void **state)
{
    auto_buf struct buf text = {0};
    char big[8000];
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    log_event(LOG_INFO, "big", "x=%s", big);
    log_event(LOG_INFO, "next", "x=%d", 1);
    captured(*state, &text);
    ptrdiff_t end = slice_index(buf_slice_of(&text), '\n');
    assert_true(end > 1000 && end < 4096);
    assert_true(slice_starts(slice_from(buf_slice_of(&text), (size_t)end + 1), "time="));
}

static void errors_are_logged_whole(void **state)
{
    auto_buf struct buf text = {0};
    struct err err = {0};
    (void)err_sys(&err, 13, "open \"%s\"", "index.db");
    log_err(LOG_ERROR, "open_failed", &err);
    captured(*state, &text);
    assert_non_null(strstr(text.p, "event=open_failed code=ERR_INTERNAL sys=13 where="));
    assert_non_null(strstr(text.p, "msg=\"internal error\""));
    assert_non_null(strstr(text.p, "detail=\"open \\\"index.db\\\": Permission denied\""));
}

static void quoting(void **state)
{
    static const struct {
        struct slice in;
        size_t room;
        const char *out;
    } cases[] = {
        {{NULL, 0}, 100, "\"\""},
        {{"a b", 3}, 100, "\"a b\""},
        {{"\"\\", 2}, 100, "\"\\\"\\\\\""},
        {{"\n\0\x7F\xC3", 4}, 100, "\"\\x0a\\x00\\x7f\\xc3\""},
        {{"abcdefghij", 10}, 10, "\"abc\""},
        {{"abc", 3}, 3, "\"\""},
        {{"abc", 3}, 2, ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *out =
            xmalloc(cases[i].room); /* exactly, so that a sanitizer sees one byte too many */
        CHECK_CASE(strcmp(log_quote(cases[i].in, out, cases[i].room), cases[i].out) == 0,
                   cases[i].out);
        free(out);
    }
}

#define LINES 200

static void *chatter(void *arg)
{
    for (int i = 0; i < LINES; i++) {
        log_event(LOG_INFO, "chatter", "who=%s n=%d end=1", (const char *)arg, i);
    }
    return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
    static char names[4][2] = {"a", "b", "c", "d"};
    pthread_t threads[4];
    auto_buf struct buf text = {0};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, chatter, names[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    captured(*state, &text);
    struct slice rest = slice_first(buf_slice_of(&text), text.n - 1);
    struct slice line;
    int lines = 0;
    while (slice_next(&rest, '\n', &line)) {
        assert_true(slice_starts(line, "time="));
        assert_true(slice_ends(line, " end=1"));
        lines++;
    }
    assert_int_equal(lines, 4 * LINES);
}

#define CAPTURED(fn) cmocka_unit_test_setup_teardown(fn, capture_begin, capture_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CAPTURED(one_line_per_event),     CAPTURED(the_level_is_a_threshold),
        CAPTURED(an_endless_line_is_cut), CAPTURED(errors_are_logged_whole),
        cmocka_unit_test(quoting),        CAPTURED(lines_of_threads_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
