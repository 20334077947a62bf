#include "tests/unit/storage/race/crowd.h"

#include "tests/unit/storage/model/random.h"
#include "tests/unit/storage/race/scene.h"

#define ROUNDS 60
#define ENDING 4 /* threads that end by themselves */
#define CONTENTS 3

/* What the threads have in common; everything that is unnamed is due at once. */
struct crowd {
    struct scene *s;
    struct buf texts[CONTENTS]; /* images, each of the config and one layer */
    struct manifest_put puts[CONTENTS];
    pthread_t threads[8];
    int done; /* of the threads that end by themselves */
};

struct walker {
    struct crowd *crowd;
    uint64_t seed;
    void (*step)(struct crowd *c, struct dice *d);
    bool serves; /* it goes on until the others have ended */
};

static const char *const layers[CONTENTS] = {"one", "two", "six"};

/* A thread cannot fail a test: what a race may not end in is told, and stops the program. */
static void expect(const char *what, bool done, const struct err *err, enum err_code one,
                   enum err_code two)
{
    if (!done && err->code != one && err->code != two) {
        print_error("%s: %s (%s)\n", what, err->msg, err->detail);
        abort();
    }
}

static void push_text(struct crowd *c, const char *repo_text, const char *text)
{
    struct repo_name repo;
    struct digest digest;
    struct upload *u = NULL;
    struct err err = {0};
    hash_bytes(DIGEST_SHA256, slice_str(text), &digest);
    bool done = repo_name_parse(slice_str(repo_text), &repo, &err) &&
                upload_start(c->s->w.store, &repo, UPLOAD_SESSION, &c->s->w.alice, T0, &u, &err) &&
                upload_append(u, slice_str(text), T0, &err) &&
                upload_finish(u, &digest, T0, NULL, &err);
    upload_close(u);
    expect("push", done, &err, ERR_NONE, ERR_NONE); /* in use, so that it does not expire */
}

static void push_step(struct crowd *c, struct dice *d)
{
    int which = dice_below(d, CONTENTS);
    struct deed put = {.s = c->s, .now_us = T0, .put = &c->puts[which]};
    push_text(c, "ns/app", "{}");
    push_text(c, "ns/app", layers[which]);
    do_put(&put);
    expect("put", put.ok, &put.err, ERR_MANIFEST_BLOB_UNKNOWN, ERR_NONE);
    do_tag(&put);
    expect("tag", put.ok, &put.err, ERR_MANIFEST_UNKNOWN, ERR_NONE);
}

static void delete_step(struct crowd *c, struct dice *d)
{
    struct deed deed = {.s = c->s, .now_us = T0, .put = &c->puts[dice_below(d, CONTENTS)]};
    do_delete(&deed);
    expect("delete", deed.ok, &deed.err, ERR_MANIFEST_UNKNOWN, ERR_NONE);
}

struct move {
    struct crowd *crowd;
    struct digest digest;
    bool back;
};

static bool move_in(struct db_tx *tx, void *arg, struct err *err)
{
    struct move *m = arg;
    struct scene *s = m->crowd->s;
    struct blob blob;
    return m->back ? blob_unlink(tx, s->other, &m->digest, T0, err)
                   : blob_mount(tx, s->other, s->w.repo.id, &m->digest, DAY, T0, &blob, err);
}

static void mount_step(struct crowd *c, struct dice *d)
{
    struct move m = {.crowd = c, .back = dice_once_in(d, 3)};
    struct err err = {0};
    hash_bytes(DIGEST_SHA256, slice_str(layers[dice_below(d, CONTENTS)]), &m.digest);
    bool done = db_write(c->s->w.db, move_in, &m, &err);
    expect("mount", done, &err, ERR_BLOB_UNKNOWN, ERR_NONE);
}

static void collect_step(struct crowd *c, struct dice *d)
{
    struct deed deed = {.s = c->s, .now_us = T0 + 2 * DAY};
    (void)d;
    do_collect(&deed);
    expect("collect", deed.ok, &deed.err, ERR_NONE, ERR_NONE);
}

static void expire_step(struct crowd *c, struct dice *d)
{
    struct deed deed = {.s = c->s, .now_us = T0 + 2 * DAY};
    (void)d;
    do_expire(&deed);
    expect("expire", deed.ok, &deed.err, ERR_NONE, ERR_NONE);
}

static void settle_step(struct crowd *c, struct dice *d)
{
    struct deed deed = {.s = c->s};
    (void)d;
    do_settle(&deed);
    expect("settle", deed.ok, &deed.err, ERR_NONE, ERR_NONE);
}

static void *walk(void *arg)
{
    struct walker *w = arg;
    struct dice d = {.state = w->seed};
    int *done = &w->crowd->done;
    for (int i = 0; w->serves ? __atomic_load_n(done, __ATOMIC_ACQUIRE) < ENDING : i < ROUNDS;
         i++) {
        w->step(w->crowd, &d);
    }
    if (!w->serves) {
        (void)__atomic_add_fetch(done, 1, __ATOMIC_ACQ_REL);
    }
    return NULL;
}

static void assert_whole(struct crowd *c, int which)
{
    struct scene *s = c->s;
    bool here = false;
    READ(&s->w)
    {
        OK(manifest_exists(tx, s->w.repo.id, &c->puts[which].digest, &here, err));
    }
    const char *const parts[] = {"{}", layers[which]};
    for (size_t i = 0; here && i < COUNT(parts); i++) {
        s->digest = digest_of(slice_str(parts[i]));
        struct blob blob;
        assert_true(is_member(s, s->w.repo.id, &blob));
        assert_true(has_file(s));
    }
}

static void collect_all(struct scene *s)
{
    struct deed d = {.s = s, .now_us = T0 + 2 * DAY};
    do {
        do_collect(&d);
        assert_done(&d);
    } while (d.collected.examined > 0);
}

void nothing_is_lost_when_all_come_at_once(void **state)
{
    struct crowd c = {.s = *state};
    struct walker walkers[] = {
        {&c, 1, push_step, false},  {&c, 2, push_step, false},   {&c, 3, delete_step, false},
        {&c, 4, mount_step, false}, {&c, 5, collect_step, true}, {&c, 6, expire_step, true},
        {&c, 7, settle_step, true},
    };
    struct digest config = digest_of(SLICE_LIT("{}"));
    for (int i = 0; i < CONTENTS; i++) {
        struct digest layer = digest_of(slice_str(layers[i]));
        image_text(&c.texts[i], &config, &layer, "");
        c.puts[i] = put_of(TYPE_IMAGE, buf_slice_of(&c.texts[i]));
    }
    for (size_t i = 0; i < COUNT(walkers); i++) {
        assert_int_equal(pthread_create(&c.threads[i], NULL, walk, &walkers[i]), 0);
    }
    for (size_t i = 0; i < COUNT(walkers); i++) {
        assert_int_equal(pthread_join(c.threads[i], NULL), 0);
    }
    assert_sound(c.s);
    collect_all(c.s);
    assert_sound(c.s);
    for (int i = 0; i < CONTENTS; i++) {
        assert_whole(&c, i);
        image_free(&c.puts[i]);
        buf_dispose(&c.texts[i]);
    }
}
