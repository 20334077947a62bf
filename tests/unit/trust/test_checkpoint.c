/* The checkpoint's file against every kind of harm, and its answers against a store that is behind,
 * equal or ahead (gate.md 4.2, attacks O-01, O-02). */
#include "base/clock.h"
#include "base/fsx.h"
#include "tests/unit/base/check.h"
#include "trust/checkpoint.h"

#include <pthread.h>

#define NOW (20000 * US_PER_DAY)
#define THREADS 4
#define NOTES 25

static uint8_t keys[2][CHECKPOINT_KEY_SIZE] = {{1}, {2}};

struct scene {
    struct folder folder;
    char path[160];
    struct checkpoint *c;
};

static int setup(void **state)
{
    struct scene *s = xcalloc(1, sizeof *s);
    folder_make(&s->folder);
    (void)snprintf(s->path, sizeof s->path, "%s/trust", s->folder.path);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    checkpoint_close(s->c);
    folder_remove(&s->folder);
    free(s);
    return 0;
}

static void shut(struct scene *s)
{
    checkpoint_close(s->c);
    s->c = NULL;
}

static void open_with(struct scene *s, bool store_has_trust, const uint8_t *key)
{
    struct err err = {0};
    const struct checkpoint_options options = {.path = s->path,
                                               .key = key,
                                               .store_has_trust = store_has_trust,
                                               .now_us = NOW,
                                               .mono_us = 1};
    shut(s);
    if (!checkpoint_open(&options, &s->c, &err)) {
        fail_msg("%s", err.msg);
    }
}

static void reopen(struct scene *s)
{
    open_with(s, true, keys[0]);
}

static struct repo_name repo(const char *text)
{
    struct repo_name name;
    assert_true(repo_name_parse(slice_str(text), &name, NULL));
    return name;
}

/* One role: what the store says of it. `content` stands for what the version says. */
static struct trust_role_life life(const char *role, int64_t incarnation, int64_t version,
                                   bool ended, int content)
{
    struct trust_role_life l = {.incarnation = incarnation, .version = version, .ended = ended};
    (void)snprintf(l.role, sizeof l.role, "%s", role);
    memset(l.signed_sha256, content, sizeof l.signed_sha256);
    return l;
}

static enum checkpoint_answer ask(struct scene *s, const char *name, struct trust_role_life *lives,
                                  size_t count, char *why)
{
    const struct pin_list none = {0};
    const struct trust_role_life_list list = {.items = lives, .count = count};
    const struct repo_name r = repo(name);
    return checkpoint_allows(s->c, &r, &list, &none, NOW, why);
}

static void note(struct scene *s, const char *name, struct trust_role_life *lives, size_t count)
{
    struct err err = {0};
    const struct trust_role_life_list list = {.items = lives, .count = count};
    const struct repo_name r = repo(name);
    char why[SUSPICION_MAX];
    assert_int_equal(ask(s, name, lives, 0, why), CHECKPOINT_GOOD); /* as publishing does, before */
    assert_true(checkpoint_ready(s->c, &err));
    checkpoint_note(s->c, &r, &list);
    assert_true(checkpoint_flush(s->c, &err));
}

static void expect(struct scene *s, const char *name, struct trust_role_life l,
                   enum checkpoint_answer answer)
{
    char why[SUSPICION_MAX];
    assert_int_equal(ask(s, name, &l, 1, why), answer);
    assert_int_equal(why[0] == '\0', answer == CHECKPOINT_GOOD);
    if (why[0]) {
        assert_non_null(strstr(why, "bond trust acknowledge"));
    }
}

/* --- answers ---------------------------------------------------------------------------------- */

static void a_store_is_behind_equal_or_ahead(void **state)
{
    static const struct {
        const char *name;
        int64_t incarnation, version;
        bool ended;
        int content;
        enum checkpoint_answer answer;
    } stores[] = {
        {"equal", 2, 5, false, 7, CHECKPOINT_GOOD},
        {"a version ahead", 2, 6, false, 8, CHECKPOINT_GOOD},
        {"ended since", 2, 5, true, 7, CHECKPOINT_GOOD},
        {"begun again since, with a lower version", 3, 1, false, 9, CHECKPOINT_GOOD},
        {"a version behind", 2, 4, false, 6, CHECKPOINT_SUSPECT},
        {"the same version with other content", 2, 5, false, 8, CHECKPOINT_SUSPECT},
        {"ended, with other content", 2, 5, true, 8, CHECKPOINT_SUSPECT},
        {"of an earlier life, with a higher version", 1, 9, false, 7, CHECKPOINT_SUSPECT},
        {"of an earlier life that had ended", 1, 9, true, 7, CHECKPOINT_SUSPECT},
    };
    struct scene *s = *state;
    struct trust_role_life noted = life("targets", 2, 5, false, 7);
    open_with(s, false, keys[0]);
    note(s, "ns/app", &noted, 1);
    auto_buf struct buf kept = {0};
    struct err err = {0};
    assert_true(fsx_read(AT_FDCWD, s->path, 1 << 20, &kept, &err));
    for (size_t i = 0; i < sizeof stores / sizeof stores[0]; i++) {
        struct trust_role_life l = life("targets", stores[i].incarnation, stores[i].version,
                                        stores[i].ended, stores[i].content);
        char why[SUSPICION_MAX];
        shut(s);
        assert_true(fsx_replace(AT_FDCWD, s->path, buf_slice_of(&kept), 0600, &err));
        reopen(s);
        if (ask(s, "ns/app", &l, 1, why) != stores[i].answer) {
            fail_msg("%s", stores[i].name);
        }
        expect(s, "ns/other", life("targets", 1, 1, false, 1), CHECKPOINT_GOOD);
    }
    reopen(s);
    char why[SUSPICION_MAX];
    assert_int_equal(ask(s, "ns/app", NULL, 0, why), CHECKPOINT_SUSPECT); /* the role is gone */
}

static void each_of_many_roles_counts(void **state)
{
    struct scene *s = *state;
    struct trust_role_life lives[] = {
        life("root", 1, 1, false, 1), life("snapshot", 1, 2, false, 2),
        life("targets", 1, 2, false, 3), life("targets/alice", 1, 1, true, 4),
        life("targets/bob", 1, 1, false, 5)};
    const size_t count = sizeof lives / sizeof lives[0];
    char why[SUSPICION_MAX];
    open_with(s, false, keys[0]);
    note(s, "ns/app", lives + 2, 3);
    note(s, "ns/app", lives, count); /* two that come before what is known */
    for (size_t i = 0; i < count; i++) {
        struct trust_role_life kept = lives[i];
        reopen(s);
        lives[i].version--;
        assert_int_equal(ask(s, "ns/app", lives, count, why), CHECKPOINT_SUSPECT);
        assert_non_null(strstr(why, kept.role));
        lives[i] = kept;
        assert_int_equal(ask(s, "ns/app", lives, count, why), CHECKPOINT_GOOD);
    }
    reopen(s);
    assert_int_equal(ask(s, "ns/app", lives, count - 1, why), CHECKPOINT_SUSPECT);
    assert_non_null(strstr(why, "it has no targets/bob"));
    assert_int_equal(ask(s, "ns/app", lives + 1, count - 1, why), CHECKPOINT_SUSPECT);
    assert_non_null(strstr(why, "it has no root"));
}

static void what_is_ahead_after_a_crash_is_taken_over(void **state)
{
    struct scene *s = *state;
    struct trust_role_life noted = life("root", 1, 1, false, 1);
    open_with(s, false, keys[0]);
    note(s, "ns/app", &noted, 1);
    reopen(s);
    expect(s, "ns/app", life("root", 1, 3, false, 3), CHECKPOINT_GOOD);
    reopen(s); /* closing wrote it */
    expect(s, "ns/app", life("root", 1, 2, false, 2), CHECKPOINT_SUSPECT);
    expect(s, "ns/app", life("root", 1, 3, false, 3), CHECKPOINT_GOOD);
}

static void only_the_first_look_of_a_run_compares(void **state)
{
    struct scene *s = *state;
    struct trust_role_life noted = life("root", 1, 5, false, 5);
    open_with(s, false, keys[0]);
    note(s, "ns/app", &noted, 1);
    /* a snapshot from before the publish, looked at after it */
    expect(s, "ns/app", life("root", 1, 4, false, 4), CHECKPOINT_GOOD);
}

static void revoked_keys_that_are_revoked_no_more_make_all_suspect(void **state)
{
    struct scene *s = *state;
    struct err err = {0};
    struct pin pins[1] = {{.spki = {9}}};
    const struct pin_list none = {0}, one = {.items = pins, .count = 1};
    const struct trust_role_life_list lives = {0};
    const struct repo_name r = repo("ns/app");
    char why[SUSPICION_MAX];
    open_with(s, false, keys[0]);
    checkpoint_note_revoked(s->c, pins[0].spki);
    assert_true(checkpoint_flush(s->c, &err));
    reopen(s);
    assert_int_equal(checkpoint_look(s->c, &r, &lives, &none, why), CHECKPOINT_SUSPECT);
    assert_int_equal(checkpoint_look(s->c, &r, &lives, &one, why), CHECKPOINT_GOOD);
}

/* --- exceptions ------------------------------------------------------------------------------- */

struct known { /* one entry as a store has it; changes 0 ends a list */
    const char *name;
    int64_t changes, until_us;
};

static enum checkpoint_answer look_at(struct scene *s, const struct known *store, char *why)
{
    auto_exception_list struct exception_list list = {0};
    for (; store->changes; store++) {
        (void)exception_list_raise(&list, store->name, store->changes, store->until_us);
    }
    return checkpoint_look_exceptions(s->c, &list, NOW, why);
}

#define DENIED "denied:*:sha256:11"
#define GLASS "override:3"

static void exceptions_that_are_changed_less_than_noted_make_all_suspect(void **state)
{
    static const struct {
        struct known store[4];
        enum checkpoint_answer answer;
    } cases[] = {
        {{{DENIED, 2, 0}, {GLASS, 3, NOW + 1}}, CHECKPOINT_GOOD},
        {{{DENIED, 3, 0}, {GLASS, 4, NOW + 1}}, CHECKPOINT_GOOD},    /* ahead: a crash in between */
        {{{DENIED, 1, 0}, {GLASS, 3, NOW + 1}}, CHECKPOINT_SUSPECT}, /* denied again since */
        {{{GLASS, 3, NOW + 1}}, CHECKPOINT_SUSPECT},
        {{{DENIED, 2, 0}, {GLASS, 2, NOW + 1}}, CHECKPOINT_SUSPECT}, /* ended, or used, since */
        {{{DENIED, 2, 0}}, CHECKPOINT_SUSPECT},
        {{{DENIED, 2, 0}, {GLASS, 3, NOW + 1}, {"override:4", 1, NOW + 1}}, CHECKPOINT_GOOD},
        {{{NULL, 0, 0}}, CHECKPOINT_SUSPECT},
    };
    struct scene *s = *state;
    struct err err = {0};
    char why[SUSPICION_MAX];
    for (size_t i = 0; i < COUNT(cases); i++) {
        shut(s);
        (void)unlink(s->path);
        open_with(s, false, keys[0]);
        assert_int_equal(look_at(s, cases[7].store, why), CHECKPOINT_GOOD); /* nothing yet */
        checkpoint_note_exception(s->c, DENIED, 1, 0);
        checkpoint_note_exception(s->c, DENIED, 2, 0);
        checkpoint_note_exception(s->c, GLASS, 3, NOW + 1);
        checkpoint_note_exception(s->c, GLASS, 2, NOW + 1); /* two commits may be noted late */
        checkpoint_note_exception(s->c, "override:1", 9, NOW); /* its end has come */
        assert_true(checkpoint_flush(s->c, &err));
        reopen(s);
        if (look_at(s, cases[i].store, why) != cases[i].answer) {
            fail_msg("case %zu: %s", i, why);
        }
        assert_int_equal(why[0] != '\0', cases[i].answer == CHECKPOINT_SUSPECT);
        assert_int_equal(checkpoint_exceptions_checked(s->c), why[0] == '\0');
    }
}

static void a_look_of_exceptions_after_a_change_compares_nothing(void **state)
{
    static const struct known before[] = {{DENIED, 1, 0}, {NULL, 0, 0}};
    struct scene *s = *state;
    char why[SUSPICION_MAX];
    open_with(s, false, keys[0]);
    assert_int_equal(look_at(s, before, why), CHECKPOINT_GOOD);
    checkpoint_note_exception(s->c, DENIED, 2, 0);
    assert_int_equal(look_at(s, before, why), CHECKPOINT_GOOD); /* a snapshot from before it */
}

static void exceptions_are_acknowledged_with_all(void **state)
{
    static const struct known noted[] = {{DENIED, 2, 0}, {NULL, 0, 0}},
                              older[] = {{DENIED, 1, 0}, {NULL, 0, 0}};
    struct scene *s = *state;
    struct err err = {0};
    auto_exception_list struct exception_list store = {0};
    const struct pin_list none = {0};
    char why[SUSPICION_MAX];
    open_with(s, false, keys[0]);
    assert_int_equal(look_at(s, noted, why), CHECKPOINT_GOOD);
    assert_true(checkpoint_flush(s->c, &err));
    reopen(s);
    assert_int_equal(look_at(s, older, why), CHECKPOINT_SUSPECT);
    (void)exception_list_raise(&store, DENIED, 1, 0);
    assert_true(checkpoint_accept_begin(s->c, true, &err));
    checkpoint_accept_exceptions(s->c, &store);
    assert_true(checkpoint_accept_end(s->c, &none, true, NOW, 1, &err));
    assert_int_equal(look_at(s, older, why), CHECKPOINT_GOOD);
    reopen(s);
    assert_int_equal(look_at(s, older, why), CHECKPOINT_GOOD);
}

static void lines_of_exceptions_are_read_strictly(void **state)
{
    static const char *const bad[] = {"",      "x",       "x 1",      " 1 0",   "x 0 0",
                                      "x 1 -", "x 1 -1", "x 1 0 0", "x one 0", "x 1  0"};
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        auto_exception_list struct exception_list list = {0};
        if (exception_list_read(&list, slice_str(bad[i]))) {
            fail_msg("\"%s\" was read", bad[i]);
        }
    }
    auto_exception_list struct exception_list list = {0};
    assert_true(exception_list_read(&list, SLICE_LIT("x 1 0")));
    assert_true(exception_list_read(&list, SLICE_LIT("a 2 5")));
    assert_int_equal(list.count, 2);
    assert_string_equal(list.items[0].name, "a");
}

/* --- harm ------------------------------------------------------------------------------------- */

static void two_notes(struct scene *s)
{
    struct trust_role_life a = life("root", 1, 1, false, 1), b = life("root", 1, 2, false, 2);
    open_with(s, false, keys[0]);
    note(s, "ns/app", &a, 1);
    note(s, "ns/app", &b, 1);
    note(s, "ns/api", &b, 1);
    shut(s);
}

/* The file without its zeros. */
static void read_records(struct scene *s, struct buf *out)
{
    struct err err = {0};
    assert_true(fsx_read(AT_FDCWD, s->path, 1 << 20, out, &err));
    while (out->n > 0 && out->p[out->n - 1] == '\0') {
        out->n--;
    }
}

static void put_file(struct scene *s, struct slice bytes)
{
    struct err err = {0};
    shut(s);
    assert_true(fsx_replace(AT_FDCWD, s->path, bytes, 0600, &err));
}

/* Where the last record begins. */
static size_t last_record(const struct buf *file)
{
    size_t last = 0;
    for (size_t i = 0; i + 7 < file->n; i++) {
        if (memcmp(file->p + i, "\nrecord ", 8) == 0) {
            last = i + 1;
        }
    }
    return last;
}

static void every_bit_before_the_last_record_counts(void **state)
{
    struct scene *s = *state;
    auto_buf struct buf file = {0};
    two_notes(s);
    read_records(s, &file);
    for (size_t i = 0; i < last_record(&file); i++) {
        file.p[i] = (char)(file.p[i] ^ (1 << (i % 8)));
        put_file(s, buf_slice_of(&file));
        file.p[i] = (char)(file.p[i] ^ (1 << (i % 8)));
        reopen(s);
        if (!checkpoint_suspicion(s->c, NOW)) {
            fail_msg("a flipped bit in byte %zu", i);
        }
    }
}

static void expect_torn_or_whole(struct scene *s, bool whole)
{
    struct err err = {0};
    reopen(s);
    assert_null(checkpoint_suspicion(s->c, NOW));
    expect(s, "ns/app", life("root", 1, 1, false, 1), CHECKPOINT_SUSPECT); /* as it was */
    expect(s, "ns/api", life("root", 1, 1, false, 1), whole ? CHECKPOINT_SUSPECT : CHECKPOINT_GOOD);
    /* what is written after a torn record can be read again */
    assert_true(checkpoint_flush(s->c, &err));
    reopen(s);
    assert_null(checkpoint_suspicion(s->c, NOW));
}

static void every_cut_is_a_torn_last_record_or_damage(void **state)
{
    struct scene *s = *state;
    auto_buf struct buf file = {0};
    two_notes(s);
    read_records(s, &file);
    for (size_t n = last_record(&file); n <= file.n; n++) {
        put_file(s, slice_first(buf_slice_of(&file), n));
        expect_torn_or_whole(s, n == file.n);
    }
    for (size_t n = 0; n < 80; n++) {
        put_file(s, slice_first(buf_slice_of(&file), n));
        reopen(s);
        assert_non_null(checkpoint_suspicion(s->c, NOW));
    }
}

/* --- zeros ------------------------------------------------------------------------------------ */

/* Of a record that a power cut tore any part may still be zeros, the sizes of a disk's sectors aside. */
static void a_last_record_with_zeros_in_it_is_torn(void **state)
{
    struct scene *s = *state;
    auto_buf struct buf file = {0};
    two_notes(s);
    read_records(s, &file);
    buf_put(&file, "\0\0\0\0\0\0\0\0", 8);
    const size_t from = last_record(&file), until = file.n - 8;
    for (size_t begin = from; begin < until; begin += 7) {
        for (size_t end = begin + 1; end <= until; end += end == begin + 1 ? 40 : until) {
            auto_buf struct buf torn = {0};
            buf_slice(&torn, buf_slice_of(&file));
            memset(torn.p + begin, 0, end - begin);
            put_file(s, buf_slice_of(&torn));
            expect_torn_or_whole(s, false);
        }
    }
    memset(file.p + from, 0, file.n - from);
    put_file(s, buf_slice_of(&file));
    expect_torn_or_whole(s, false);
}

/* Zeros are the end: what comes after them was written after them, so they were once something else. */
static void zeros_before_a_record_are_damage(void **state)
{
    struct scene *s = *state;
    auto_buf struct buf file = {0};
    two_notes(s);
    read_records(s, &file);
    const size_t last = last_record(&file);
    for (size_t room = 1; room <= 1024; room *= 2) {
        static const char zeros[1024];
        auto_buf struct buf apart = {0};
        buf_put(&apart, file.p, last);
        buf_put(&apart, zeros, room);
        buf_put(&apart, file.p + last, file.n - last);
        put_file(s, buf_slice_of(&apart));
        reopen(s);
        assert_non_null(checkpoint_suspicion(s->c, NOW));
    }
    memset(file.p, 0, file.n);
    put_file(s, buf_slice_of(&file));
    reopen(s);
    assert_non_null(strstr(checkpoint_suspicion(s->c, NOW), "damaged at its beginning"));
}

/* A file of a version that left no room, and one that was opened many times, go on where they ended. */
static void records_follow_each_other_whatever_zeros_follow_them(void **state)
{
    struct scene *s = *state;
    struct stat st, later;
    two_notes(s);
    for (int i = 3; i < 20; i++) {
        auto_buf struct buf file = {0};
        struct trust_role_life l = life("root", 1, i, false, i);
        read_records(s, &file);
        if (i % 2) {
            put_file(s, buf_slice_of(&file));
        }
        reopen(s);
        expect(s, "ns/app", life("root", 1, i - 1, false, i - 1), CHECKPOINT_GOOD);
        note(s, "ns/app", &l, 1);
        shut(s);
        auto_buf struct buf longer = {0};
        read_records(s, &longer);
        assert_true(longer.n > file.n && memcmp(longer.p, file.p, file.n) == 0);
        assert_null(memchr(longer.p, 0, longer.n));
    }
    assert_int_equal(stat(s->path, &st), 0);
    assert_true(st.st_size >= 128 * 1024); /* a sync has nothing to say of the file's size */
    struct trust_role_life l = life("root", 1, 20, false, 20);
    reopen(s);
    expect(s, "ns/app", l, CHECKPOINT_GOOD);
    note(s, "ns/app", &l, 1);
    assert_int_equal(stat(s->path, &later), 0);
    assert_int_equal(later.st_size, st.st_size);
}

static void another_instance_and_a_missing_file(void **state)
{
    struct scene *s = *state;
    two_notes(s);
    open_with(s, true, keys[1]);
    assert_non_null(strstr(checkpoint_suspicion(s->c, NOW), "another instance"));
    reopen(s); /* it was not written over */
    assert_null(checkpoint_suspicion(s->c, NOW));
    assert_int_equal(unlink(s->path), 0);
    reopen(s);
    assert_non_null(strstr(checkpoint_suspicion(s->c, NOW), "missing"));
    assert_int_equal(access(s->path, F_OK), -1); /* nothing is begun by itself */
    open_with(s, false, keys[0]);                /* a store without trust data begins one */
    assert_null(checkpoint_suspicion(s->c, NOW));
    assert_int_equal(access(s->path, F_OK), 0);
}

static void a_lost_one_is_not_written_until_all_is_acknowledged(void **state)
{
    struct scene *s = *state;
    struct err err = {0};
    const struct pin_list none = {0};
    struct trust_role_life l = life("root", 1, 1, false, 1);
    const struct trust_role_life_list list = {.items = &l, .count = 1};
    const struct repo_name r = repo("ns/app");
    two_notes(s);
    assert_int_equal(unlink(s->path), 0);
    reopen(s);
    assert_true(checkpoint_ready(s->c, &err) && checkpoint_flush(s->c, &err));
    assert_true(checkpoint_tick(s->c, NOW, 2, &err));
    assert_int_equal(access(s->path, F_OK), -1);
    assert_false(checkpoint_accept_begin(s->c, false, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_true(checkpoint_accept_begin(s->c, true, &err));
    checkpoint_accept(s->c, &r, &list);
    assert_true(checkpoint_accept_end(s->c, &none, true, NOW, 3, &err));
    assert_null(checkpoint_suspicion(s->c, NOW));
    reopen(s);
    assert_null(checkpoint_suspicion(s->c, NOW));
    expect(s, "ns/app", life("root", 1, 0, false, 0), CHECKPOINT_SUSPECT);
    expect(s, "ns/app", l, CHECKPOINT_GOOD);
}

static void one_acknowledged_repository_leaves_the_other_suspect(void **state)
{
    struct scene *s = *state;
    struct err err = {0};
    const struct pin_list none = {0};
    struct trust_role_life l = life("root", 1, 1, false, 1);
    const struct trust_role_life_list list = {.items = &l, .count = 1};
    const struct repo_name r = repo("ns/app");
    two_notes(s);
    reopen(s);
    expect(s, "ns/app", l, CHECKPOINT_SUSPECT);
    assert_true(checkpoint_accept_begin(s->c, false, &err));
    checkpoint_accept(s->c, &r, &list);
    assert_int_equal(checkpoint_acceptances(s->c), 0);
    assert_true(checkpoint_accept_end(s->c, &none, false, NOW, 3, &err));
    assert_int_equal(checkpoint_acceptances(s->c), 1); /* who kept a suspicion looks again */
    for (int i = 0; i < 2; i++) {
        expect(s, "ns/app", l, CHECKPOINT_GOOD);
        expect(s, "ns/api", l, CHECKPOINT_SUSPECT);
        reopen(s);
    }
}

/* The file is gone, and no other can be made until the folder comes back from `moved_out`. */
static void take_folder_away(const struct scene *s, char moved_out[200])
{
    (void)snprintf(moved_out, 200, "%s.away", s->folder.path);
    assert_int_equal(unlink(s->path), 0);
    assert_int_equal(rename(s->folder.path, moved_out), 0);
}

static void a_file_that_cannot_be_written_stops_changes_and_mends(void **state)
{
    struct scene *s = *state;
    struct err err = {0};
    char moved[200];
    two_notes(s);
    reopen(s);
    take_folder_away(s, moved);
    assert_null(checkpoint_trouble(s->c, NOW));
    assert_false(checkpoint_ready(s->c, &err));
    assert_non_null(strstr(err.msg, "checkpoint"));
    assert_non_null(strstr(checkpoint_trouble(s->c, NOW), "cannot be written"));
    assert_int_equal(rename(moved, s->folder.path), 0);
    assert_true(checkpoint_ready(s->c, &err)); /* a whole new file */
    assert_null(checkpoint_trouble(s->c, NOW));
    reopen(s);
    expect(s, "ns/app", life("root", 1, 1, false, 1), CHECKPOINT_SUSPECT);
}

/* The file is there and takes what is written, but no start would find it. */
static void a_folder_that_was_moved_away_is_noticed(void **state)
{
    struct scene *s = *state;
    struct err err = {0};
    char moved[200], there[300];
    struct trust_role_life l = life("root", 1, 1, false, 1), next = life("root", 1, 2, false, 2);
    two_notes(s);
    reopen(s);
    note(s, "ns/c", &l, 1);
    (void)snprintf(moved, sizeof moved, "%s.moved", s->folder.path);
    assert_int_equal(rename(s->folder.path, moved), 0);
    assert_false(checkpoint_ready(s->c, &err));
    assert_non_null(checkpoint_trouble(s->c, NOW));
    assert_non_null(strstr(err.msg, "the checkpoint of the trust data cannot be written"));
    assert_int_equal(mkdir(s->folder.path, 0700), 0); /* another folder in its place */
    assert_true(checkpoint_ready(s->c, &err));
    assert_null(checkpoint_trouble(s->c, NOW));
    note(s, "ns/c", &next, 1);
    assert_int_equal(access(s->path, F_OK), 0);
    assert_int_equal(unlink(s->path), 0); /* replaced by a file of another day */
    (void)snprintf(there, sizeof there, "%s%s", moved, s->path + strlen(s->folder.path));
    assert_int_equal(rename(there, s->path), 0);
    assert_true(checkpoint_ready(s->c, &err));
    reopen(s); /* all of it is there */
    expect(s, "ns/c", l, CHECKPOINT_SUSPECT);
    expect(s, "ns/c", next, CHECKPOINT_GOOD);
    assert_int_equal(rmdir(moved), 0);
}

/* Nobody publishes: the rounds find out, and find out when it is over. */
static void maintenance_sees_a_file_that_cannot_be_written(void **state)
{
    struct scene *s = *state;
    struct err err = {0};
    char moved[200];
    two_notes(s);
    reopen(s);
    take_folder_away(s, moved);
    for (int i = 0; i < 2; i++) { /* with a later time to note, and without */
        assert_false(checkpoint_tick(s->c, NOW + 60 * US_PER_SECOND, 2, &err));
        assert_non_null(strstr(checkpoint_trouble(s->c, NOW), "cannot be written"));
    }
    assert_int_equal(rename(moved, s->folder.path), 0);
    assert_true(checkpoint_tick(s->c, NOW + 60 * US_PER_SECOND, 3, &err));
    assert_null(checkpoint_trouble(s->c, NOW));
}

/* For strangers too: without the place of the file. */
static void what_makes_all_suspect_is_trouble(void **state)
{
    struct scene *s = *state;
    struct err err = {0};
    two_notes(s);
    reopen(s);
    assert_true(checkpoint_tick(s->c, NOW, 2, &err));
    assert_null(checkpoint_trouble(s->c, NOW));
    assert_non_null(strstr(checkpoint_trouble(s->c, NOW - US_PER_DAY), "clock"));
    assert_null(checkpoint_trouble(NULL, NOW));
    assert_int_equal(unlink(s->path), 0);
    reopen(s);
    assert_non_null(strstr(checkpoint_trouble(s->c, NOW), "missing or cannot be believed"));
    assert_null(strstr(checkpoint_trouble(s->c, NOW), s->path));
    assert_non_null(strstr(checkpoint_suspicion(s->c, NOW), s->path));
}

static void it_stays_small(void **state)
{
    struct scene *s = *state;
    struct err err = {0};
    struct stat st;
    open_with(s, false, keys[0]);
    for (int64_t i = 1; i <= 20000; i++) {
        struct trust_role_life l = life("root", 1, i, false, (int)(i % 100));
        const struct trust_role_life_list list = {.items = &l, .count = 1};
        const struct repo_name r = repo("ns/app");
        checkpoint_note(s->c, &r, &list);
        if (i % 20 == 0) {
            assert_true(checkpoint_flush(s->c, &err));
        }
    }
    assert_int_equal(stat(s->path, &st), 0);
    assert_true(st.st_size < 1300 * 1024); /* of 2 MiB that were noted */
    reopen(s);
    expect(s, "ns/app", life("root", 1, 19999, false, 99), CHECKPOINT_SUSPECT);
}

/* --- threads ---------------------------------------------------------------------------------- */

struct worker {
    struct scene *s;
    int number;
};

static void *work(void *arg)
{
    const struct worker *w = arg;
    char name[32];
    (void)snprintf(name, sizeof name, "ns/app%d", w->number);
    for (int64_t i = 1; i <= NOTES; i++) {
        struct trust_role_life l = life("root", 1, i, false, (int)i);
        note(w->s, name, &l, 1);
        assert_true(checkpoint_suspicion(w->s->c, NOW) == NULL);
    }
    return NULL;
}

static void what_threads_note_at_once_is_all_there(void **state)
{
    struct scene *s = *state;
    pthread_t threads[THREADS];
    struct worker workers[THREADS];
    open_with(s, false, keys[0]);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){s, i};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    reopen(s);
    for (int i = 0; i < THREADS; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "ns/app%d", i);
        expect(s, name, life("root", 1, NOTES - 1, false, NOTES - 1), CHECKPOINT_SUSPECT);
        expect(s, name, life("root", 1, NOTES, false, NOTES), CHECKPOINT_GOOD);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_store_is_behind_equal_or_ahead),
        TEST(each_of_many_roles_counts),
        TEST(what_is_ahead_after_a_crash_is_taken_over),
        TEST(only_the_first_look_of_a_run_compares),
        TEST(revoked_keys_that_are_revoked_no_more_make_all_suspect),
        TEST(exceptions_that_are_changed_less_than_noted_make_all_suspect),
        TEST(a_look_of_exceptions_after_a_change_compares_nothing),
        TEST(exceptions_are_acknowledged_with_all),
        TEST(lines_of_exceptions_are_read_strictly),
        TEST(every_bit_before_the_last_record_counts),
        TEST(every_cut_is_a_torn_last_record_or_damage),
        TEST(a_last_record_with_zeros_in_it_is_torn),
        TEST(zeros_before_a_record_are_damage),
        TEST(records_follow_each_other_whatever_zeros_follow_them),
        TEST(another_instance_and_a_missing_file),
        TEST(a_lost_one_is_not_written_until_all_is_acknowledged),
        TEST(one_acknowledged_repository_leaves_the_other_suspect),
        TEST(a_file_that_cannot_be_written_stops_changes_and_mends),
        TEST(a_folder_that_was_moved_away_is_noticed),
        TEST(maintenance_sees_a_file_that_cannot_be_written),
        TEST(what_makes_all_suspect_is_trouble),
        TEST(it_stays_small),
        TEST(what_threads_note_at_once_is_all_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
