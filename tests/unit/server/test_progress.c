#include "server/progress.h"

#include "base/clock.h"
#include "tests/unit/base/check.h"

#include <stdio.h>

/* The linker sends these here: a clock that the test sets, and an answer that it gives. */
int64_t __wrap_clock_mono_us(void);
int __wrap_isatty(int fd);

static int64_t clock_us;
static bool on_terminal;

int64_t __wrap_clock_mono_us(void)
{
    return clock_us;
}

int __wrap_isatty(int fd)
{
    return fd == STDERR_FILENO && on_terminal;
}

/* A command's stderr, and what stands there. */
struct screen {
    FILE *before;
    char *text;
    size_t n;
};

static void look_away(struct screen *s)
{
    (void)fclose(stderr);
    stderr = s->before;
    free(s->text);
}
#define auto_screen __attribute__((cleanup(look_away)))

static void begin(struct screen *s, bool terminal, struct progress *p)
{
    *s = (struct screen){.before = stderr};
    stderr = open_memstream(&s->text, &s->n);
    assert_non_null(stderr);
    on_terminal = terminal;
    clock_us = 5 * US_PER_SECOND;
    progress_begin(p);
}

static const char *shown(struct screen *s)
{
    (void)fflush(stderr);
    return s->text;
}

/* As commands do: at each step they ask, and say how far they are. */
static void step(struct progress *p, int64_t later_us, int done)
{
    clock_us += later_us;
    if (progress_is_due(p)) {
        progress_say(p, "%d%% of the work", done);
    }
}

static void a_log_gets_a_line_every_ten_seconds(void **state)
{
    auto_screen struct screen s;
    struct progress p;
    (void)state;
    begin(&s, false, &p);
    step(&p, 10 * US_PER_SECOND - 1, 1);
    assert_string_equal(shown(&s), "");
    step(&p, 1, 2);
    assert_string_equal(shown(&s), "bondstore: 2% of the work\n");
    for (int i = 0; i < 99; i++) {
        step(&p, US_PER_SECOND / 10, 3);
    }
    assert_string_equal(shown(&s), "bondstore: 2% of the work\n");
    step(&p, US_PER_SECOND / 10, 4);
    progress_clear(&p); /* nothing to take away: a log keeps its lines */
    assert_string_equal(shown(&s), "bondstore: 2% of the work\nbondstore: 4% of the work\n");
}

static void a_step_that_took_long_is_followed_by_one_line_and_a_whole_pause(void **state)
{
    auto_screen struct screen s;
    struct progress p;
    (void)state;
    begin(&s, false, &p);
    step(&p, 35 * US_PER_SECOND, 1);
    step(&p, 10 * US_PER_SECOND - 1, 2);
    assert_string_equal(shown(&s), "bondstore: 1% of the work\n");
}

static void a_terminal_has_one_line_that_is_drawn_again(void **state)
{
    auto_screen struct screen s;
    struct progress p;
    (void)state;
    begin(&s, true, &p);
    step(&p, US_PER_SECOND / 5 - 1, 1);
    assert_string_equal(shown(&s), "");
    step(&p, 1, 2);
    step(&p, US_PER_SECOND / 5 - 1, 3);
    step(&p, 1, 4);
    assert_string_equal(shown(&s), "\r\033[K2% of the work\r\033[K4% of the work");
    progress_clear(&p);
    progress_clear(&p); /* what stands there now is somebody else's */
    assert_string_equal(shown(&s), "\r\033[K2% of the work\r\033[K4% of the work\r\033[K");
}

static void short_work_says_nothing(void **state)
{
    (void)state;
    for (int terminal = 0; terminal < 2; terminal++) {
        auto_screen struct screen s;
        struct progress p;
        begin(&s, terminal == 1, &p);
        step(&p, US_PER_SECOND / 10, 50);
        step(&p, US_PER_SECOND / 20, 100);
        progress_clear(&p);
        assert_string_equal(shown(&s), "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_gets_a_line_every_ten_seconds),
        cmocka_unit_test(a_step_that_took_long_is_followed_by_one_line_and_a_whole_pause),
        cmocka_unit_test(a_terminal_has_one_line_that_is_drawn_again),
        cmocka_unit_test(short_work_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
