/* Two at a time: each interesting order of two pieces of work, forced by stopping one of them at a point, with what must
 * come of it; and all of them at once, in whatever order. */
#include "storage/check.h"
#include "storage/gc.h"
#include "storage/tag.h"
#include "tests/unit/storage/image.h"
#include "tests/unit/storage/model/random.h"
#include "tests/unit/storage/race/stop.h"

#define DAY (24 * HOUR)

/* A world with one content that everybody wants. */
struct scene {
    struct world w; /* first: what takes a world takes this */
    int64_t other;  /* another repository */
    struct buf bytes;
    struct digest digest;
};

/* --- pieces of work --------------------------------------------------------------------------- */

/* What one of them did. */
struct deed {
    struct scene *s;
    int64_t now_us;
    const char *repo;      /* a push: where to */
    struct upload *upload; /* a session that is open already */
    const char *id;        /* one that is not */
    const struct manifest_put *put;
    bool ok;
    struct err err;
    struct gc_result collected;
    int ended;
};

static void do_push(void *arg)
{
    struct deed *d = arg;
    struct repo_name repo = repo_of(d->repo ? d->repo : "ns/app");
    struct slice bytes = buf_slice_of(&d->s->bytes);
    struct upload *u = NULL;
    d->ok =
        upload_start(d->s->w.store, &repo, UPLOAD_SINGLE, &d->s->w.alice, d->now_us, &u, &d->err) &&
        upload_append(u, bytes, d->now_us, &d->err) &&
        upload_finish(u, &d->s->digest, d->now_us, NULL, &d->err);
    upload_close(u);
}

static void do_collect(void *arg)
{
    struct deed *d = arg;
    d->ok = gc_run(d->s->w.store, d->now_us, 100, &d->collected, &d->err);
}

static bool mount_in(struct db_tx *tx, void *arg, struct err *err)
{
    struct deed *d = arg;
    struct blob blob;
    return blob_mount(tx, d->s->other, d->s->w.repo.id, &d->s->digest, DAY, d->now_us, &blob, err);
}

static bool keep_in(struct db_tx *tx, void *arg, struct err *err)
{
    struct deed *d = arg;
    struct blob blob;
    return blob_keep(tx, d->s->w.repo.id, &d->s->digest, DAY, d->now_us, &blob, err);
}

static bool unlink_in(struct db_tx *tx, void *arg, struct err *err)
{
    struct deed *d = arg;
    return blob_unlink(tx, d->s->w.repo.id, &d->s->digest, d->now_us, err);
}

static bool put_in(struct db_tx *tx, void *arg, struct err *err)
{
    struct deed *d = arg;
    return manifest_put(tx, d->s->w.repo.id, d->put, &d->s->w.alice, d->now_us, NULL, err);
}

static bool delete_in(struct db_tx *tx, void *arg, struct err *err)
{
    struct deed *d = arg;
    return manifest_delete(tx, d->s->w.repo.id, &d->put->digest, &d->s->w.alice, DAY, d->now_us,
                           err);
}

static bool tag_in(struct db_tx *tx, void *arg, struct err *err)
{
    struct deed *d = arg;
    struct tag_name name = tag_of("latest");
    return tag_put(tx, d->s->w.repo.id, &name, &d->put->digest, &d->s->w.alice, d->now_us, NULL,
                   err);
}

static void write_deed(struct deed *d, db_write_fn fn)
{
    d->ok = db_write(d->s->w.db, fn, d, &d->err);
}

static void do_mount(void *arg)
{
    write_deed(arg, mount_in);
}

static void do_keep(void *arg)
{
    write_deed(arg, keep_in);
}

static void do_unlink(void *arg)
{
    write_deed(arg, unlink_in);
}

static void do_put(void *arg)
{
    write_deed(arg, put_in);
}

static void do_delete(void *arg)
{
    write_deed(arg, delete_in);
}

static void do_tag(void *arg)
{
    write_deed(arg, tag_in);
}

/* All bytes into the open session. */
static void do_append(void *arg)
{
    struct deed *d = arg;
    d->ok = upload_append(d->upload, buf_slice_of(&d->s->bytes), d->now_us, &d->err);
    upload_close(take(d->upload));
}

static void do_finish(void *arg)
{
    struct deed *d = arg;
    d->ok = upload_finish(d->upload, &d->s->digest, d->now_us, NULL, &d->err);
    upload_close(take(d->upload));
}

static void do_cancel(void *arg)
{
    struct deed *d = arg;
    struct repo_name repo = repo_of("ns/app");
    d->ok = upload_cancel(d->s->w.store, &repo, slice_str(d->id), d->s->w.alice.account_id,
                          d->now_us, &d->err);
}

static void do_open(void *arg)
{
    struct deed *d = arg;
    struct repo_name repo = repo_of("ns/app");
    d->ok = upload_open(d->s->w.store, &repo, slice_str(d->id), d->s->w.alice.account_id, d->now_us,
                        &d->upload, &d->err);
}

static void do_start(void *arg)
{
    struct deed *d = arg;
    struct repo_name repo = repo_of("ns/app");
    d->ok = upload_start(d->s->w.store, &repo, UPLOAD_SESSION, &d->s->w.alice, d->now_us,
                         &d->upload, &d->err);
}

static void do_expire(void *arg)
{
    struct deed *d = arg;
    d->ok = upload_expire(d->s->w.store, d->now_us, 10, &d->ended, &d->err);
}

/* --- what must hold --------------------------------------------------------------------------- */

static void tell_finding(const struct check_finding *finding, void *arg)
{
    (void)arg;
    print_error("%s: %s\n", finding->where, finding->what);
}

static void assert_sound(struct scene *s)
{
    const struct check_listener listener = {.finding = tell_finding};
    struct check_report report;
    OK(store_check(s->w.store, CHECK_BYTES, &listener, &report, err));
    assert_int_equal(report.findings, 0);
}

static bool is_member(struct scene *s, int64_t repository_id, struct blob *out)
{
    struct err err = {0};
    bool here = false;
    READ(&s->w)
    {
        here = blob_get(tx, repository_id, &s->digest, out, &err);
    }
    return here;
}

static bool has_file(struct scene *s)
{
    struct err err = {0};
    auto_fd int fd = blob_open(s->w.store, &s->digest, &err);
    return fd >= 0;
}

/* There for this repository, whole, and kept until `due_us`. */
static void assert_held(struct scene *s, int64_t repository_id, int64_t due_us)
{
    struct blob blob;
    assert_true(is_member(s, repository_id, &blob));
    assert_int_equal(blob.collect_after_us, due_us);
    assert_int_equal(blob.size, s->bytes.n);
    assert_true(has_file(s)); /* with its bytes: assert_sound */
    assert_sound(s);
}

static void assert_gone(struct scene *s)
{
    struct blob blob;
    assert_false(is_member(s, s->w.repo.id, &blob));
    assert_false(is_member(s, s->other, &blob));
    assert_false(has_file(s));
    assert_sound(s);
}

static void assert_done(const struct deed *d)
{
    if (!d->ok) {
        fail_msg("%s (%s)", d->err.msg, d->err.detail);
    }
}

static void assert_refused(const struct deed *d, enum err_code code)
{
    assert_false(d->ok);
    assert_int_equal(d->err.code, code);
}

/* --- how it begins ---------------------------------------------------------------------------- */

static int scene_setup(void **state, size_t size)
{
    struct world *w = NULL;
    assert_int_equal(world_setup((void **)&w), 0);
    struct scene *s = xcalloc(1, sizeof(*s));
    s->w = *w;
    free(w);
    for (size_t i = 0; i < size; i++) {
        buf_char(&s->bytes, (char)(i * 31 + i / 251));
    }
    s->digest = digest_of(buf_slice_of(&s->bytes));
    struct repo_name name = repo_of("ns/other");
    struct repository r;
    WRITE(&s->w)
    {
        OK(repository_ensure(tx, &name, T0, &r, NULL, err));
    }
    s->other = r.id;
    *state = s;
    return 0;
}

static int small_setup(void **state)
{
    return scene_setup(state, 100);
}

static int large_setup(void **state)
{
    return scene_setup(state, 300000);
}

static int scene_teardown(void **state)
{
    struct scene *s = *state;
    buf_dispose(&s->bytes);
    return world_teardown(state);
}

static void push(struct scene *s, int64_t now_us)
{
    struct deed d = {.s = s, .now_us = now_us};
    do_push(&d);
    assert_done(&d);
}

/* Pushed at T0, out of its repository at T0 + DAY; the file and its row wait for the collector. */
static void push_and_lose(struct scene *s)
{
    struct deed d = {.s = s, .now_us = T0 + DAY};
    push(s, T0);
    do_collect(&d);
    assert_done(&d);
    assert_int_equal(d.collected.memberships, 1);
    assert_int_equal(d.collected.blobs, 0);
}

/* An image whose only layer is the content, and whose config is there and named by another one. */
static void image_of(struct scene *s, struct buf *text, struct manifest_put *out)
{
    struct digest config = push_blob(&s->w, "{}");
    auto_buf struct buf keeper = {0};
    struct digest layer = push_blob(&s->w, "abc");
    image_text(&keeper, &config, &layer, ",\"annotations\":{\"keeps\":\"the config\"}");
    store_manifest(&s->w, TYPE_IMAGE, buf_slice_of(&keeper));
    image_text_of(text, &config, &s->digest, s->bytes.n, "");
    *out = put_of(TYPE_IMAGE, buf_slice_of(text));
}

static void image_free(struct manifest_put *put)
{
    manifest_doc_free((struct manifest_doc *)put->doc);
}

/* A session in use, for all bytes. Its id is written to `id`. */
static struct upload *session(struct scene *s, int64_t now_us, char id[UPLOAD_ID_MAX])
{
    struct repo_name repo = repo_of("ns/app");
    struct upload *u = NULL;
    OK(upload_start(s->w.store, &repo, UPLOAD_SESSION, &s->w.alice, now_us, &u, err));
    snprintf(id, UPLOAD_ID_MAX, "%s", upload_id(u));
    return u;
}

static struct upload *full_session(struct scene *s, int64_t now_us, char id[UPLOAD_ID_MAX])
{
    struct upload *u = session(s, now_us, id);
    OK(upload_append(u, buf_slice_of(&s->bytes), now_us, err));
    return u;
}

/* --- push against the collector --------------------------------------------------------------- */

static void a_push_between_its_file_and_its_row_is_not_collected(void **state)
{
    struct scene *s = *state;
    struct deed pushing = {.s = s, .now_us = T0 + DAY}, collecting = pushing;
    push_and_lose(s);
    struct actor_thread *a = begin_until(do_push, &pushing, POINT_AFTER_LINK, 1);
    struct actor_thread *b = begin_past(do_collect, &collecting, POINT_BEFORE_LOCK);
    assert_true(has_file(s));
    finish_work(a);
    finish_work(b);
    assert_done(&pushing);
    assert_done(&collecting);
    assert_int_equal(collecting.collected.blobs, 0);
    assert_held(s, s->w.repo.id, T0 + 2 * DAY);
}

static void a_push_while_the_file_goes_makes_a_new_one(void **state)
{
    struct scene *s = *state;
    struct deed pushing = {.s = s, .now_us = T0 + DAY}, collecting = pushing;
    push_and_lose(s);
    struct actor_thread *a = begin_until(do_collect, &collecting, POINT_BEFORE_UNLINK, 1);
    struct actor_thread *b = begin_past(do_push, &pushing, POINT_BEFORE_LOCK);
    assert_true(has_file(s)); /* of the one that goes: the push waits */
    finish_work(a);
    finish_work(b);
    assert_done(&pushing);
    assert_done(&collecting);
    assert_int_equal(collecting.collected.blobs, 1);
    assert_held(s, s->w.repo.id, T0 + 2 * DAY);
    do_collect(&collecting);
    assert_int_equal(collecting.collected.examined, 0);
}

static void a_push_after_the_file_went_is_not_forgotten_with_it(void **state)
{
    struct scene *s = *state;
    struct deed pushing = {.s = s, .now_us = T0 + DAY}, collecting = pushing;
    push_and_lose(s);
    /* 1: memberships, 2: the row, 3: the entries that are done with */
    struct actor_thread *a = begin_until(do_collect, &collecting, POINT_BEFORE_WRITE, 3);
    assert_false(has_file(s));
    do_push(&pushing);
    finish_work(a);
    assert_done(&pushing);
    assert_held(s, s->w.repo.id, T0 + 2 * DAY);
}

static void a_blob_pushed_again_after_the_collector_chose_it_stays(void **state)
{
    struct scene *s = *state;
    struct deed pushing = {.s = s, .now_us = T0 + DAY}, collecting = pushing;
    push(s, T0);
    struct actor_thread *a = begin_until(do_collect, &collecting, POINT_BEFORE_WRITE, 1);
    do_push(&pushing);
    finish_work(a);
    assert_done(&pushing);
    assert_int_equal(collecting.collected.examined, 1);
    assert_int_equal(collecting.collected.memberships, 0);
    assert_held(s, s->w.repo.id, T0 + 2 * DAY);
}

/* The twin: the push comes to nobody's help when it ends without its bytes. */
static void a_push_that_fails_saves_nothing(void **state)
{
    struct scene *s = *state;
    struct deed pushing = {.s = s, .now_us = T0 + DAY}, collecting = pushing;
    push_and_lose(s);
    WRITE(&s->w)
    {
        OK(namespace_set_quota(tx, s->w.ns.id, (int64_t)s->bytes.n, err));
    }
    struct actor_thread *a = begin_until(do_push, &pushing, POINT_BEFORE_WRITE, 1);
    WRITE(&s->w) /* smaller while the bytes are on their way */
    {
        OK(namespace_set_quota(tx, s->w.ns.id, (int64_t)s->bytes.n - 1, err));
    }
    finish_work(a);
    assert_refused(&pushing, ERR_QUOTA);
    assert_true(has_file(s)); /* it has a row yet: nobody takes it from the collector */
    do_collect(&collecting);
    assert_int_equal(collecting.collected.blobs, 1);
    assert_gone(s);
}

/* --- delete and collect against mount --------------------------------------------------------- */

/* Wherever the collector stands, a mount has the whole blob or is refused. */
static void a_mount_meets_the_collector_anywhere(void **state)
{
    static const struct {
        enum point point;
        int n;
        bool mounts;
    } stops[] = {
        {POINT_BEFORE_WRITE, 1, true}, /* chosen, still a member */
        {POINT_AFTER_WRITE, 1, false}, /* no member any more */
    };
    struct scene *s = *state;
    for (size_t i = 0; i < COUNT(stops); i++) {
        int64_t now_us = T0 + (int64_t)(2 * i + 1) * DAY;
        struct deed mounting = {.s = s, .now_us = now_us}, collecting = mounting;
        push(s, now_us - DAY);
        struct actor_thread *a = begin_until(do_collect, &collecting, stops[i].point, stops[i].n);
        do_mount(&mounting);
        finish_work(a);
        assert_int_equal(mounting.ok, stops[i].mounts);
        if (stops[i].mounts) {
            assert_int_equal(collecting.collected.memberships, 1);
            assert_held(s, s->other, now_us + DAY);
        } else {
            assert_int_equal(mounting.err.code, ERR_BLOB_UNKNOWN);
        }
        collecting.now_us = now_us + DAY;
        do_collect(&collecting);
        do_collect(&collecting);
        assert_gone(s);
    }
}

static void a_mount_before_the_delete_keeps_the_blob(void **state)
{
    struct scene *s = *state;
    struct deed mounting = {.s = s, .now_us = T0 + HOUR}, deleting = mounting,
                collecting = mounting;
    push(s, T0);
    struct actor_thread *a = begin_until(do_unlink, &deleting, POINT_BEFORE_WRITE, 1);
    do_mount(&mounting);
    finish_work(a);
    assert_done(&mounting);
    assert_done(&deleting);
    do_collect(&collecting);
    assert_int_equal(collecting.collected.examined, 0);
    assert_held(s, s->other, T0 + HOUR + DAY);
}

static void a_mount_after_the_delete_is_refused(void **state)
{
    struct scene *s = *state;
    struct deed mounting = {.s = s, .now_us = T0 + HOUR}, deleting = mounting,
                collecting = mounting;
    push(s, T0);
    struct actor_thread *a = begin_until(do_mount, &mounting, POINT_BEFORE_WRITE, 1);
    do_unlink(&deleting);
    finish_work(a);
    assert_done(&deleting);
    assert_refused(&mounting, ERR_BLOB_UNKNOWN);
    do_collect(&collecting);
    assert_gone(s);
}

/* The last holder lets go, and the collector stands before the row: the new holder must not lose the file. */
static void a_mount_between_delete_and_collection_has_the_file(void **state)
{
    struct scene *s = *state;
    struct deed mounting = {.s = s, .now_us = T0 + HOUR}, deleting = mounting,
                collecting = mounting;
    push(s, T0);
    do_mount(&mounting); /* two hold it */
    do_unlink(&deleting);
    WRITE(&s->w) /* an entry that should not be: the collector asks again */
    {
        OK(gc_condemn(tx, CONDEMNED_BLOB, 0, &s->digest, T0, err));
    }
    struct actor_thread *a = begin_until(do_collect, &collecting, POINT_BEFORE_WRITE, 2);
    finish_work(a);
    assert_int_equal(collecting.collected.blobs, 0);
    assert_held(s, s->other, T0 + HOUR + DAY);
}

/* --- told "exists", pushed no bytes ----------------------------------------------------------- */

static void a_blob_that_a_pusher_is_told_of_outlives_the_collector_that_chose_it(void **state)
{
    struct scene *s = *state;
    struct manifest_put put;
    auto_buf struct buf text = {0};
    struct deed telling = {.s = s, .now_us = T0 + DAY, .put = &put}, collecting = telling;
    image_of(s, &text, &put);
    push(s, T0);
    struct actor_thread *a = begin_until(do_collect, &collecting, POINT_BEFORE_WRITE, 1);
    do_keep(&telling);
    finish_work(a);
    assert_done(&telling);
    assert_int_equal(collecting.collected.memberships, 0);
    assert_held(s, s->w.repo.id, T0 + 2 * DAY);
    collecting.now_us = T0 + 2 * DAY - 1; /* the push took its time */
    do_collect(&collecting);
    do_put(&telling);
    assert_done(&telling);
    assert_held(s, s->w.repo.id, 0);
    image_free(&put);
}

static void a_pusher_is_not_told_of_what_the_collector_took(void **state)
{
    struct scene *s = *state;
    struct deed telling = {.s = s, .now_us = T0 + DAY}, collecting = telling;
    push(s, T0);
    struct actor_thread *a = begin_until(do_keep, &telling, POINT_BEFORE_WRITE, 1);
    do_collect(&collecting);
    finish_work(a);
    assert_refused(&telling, ERR_BLOB_UNKNOWN);
    do_collect(&collecting);
    assert_gone(s);
}

static void a_manifest_comes_before_the_collector_takes_what_it_was_told_of(void **state)
{
    struct scene *s = *state;
    struct manifest_put put;
    auto_buf struct buf text = {0};
    struct deed putting = {.s = s, .now_us = T0 + DAY, .put = &put}, collecting = putting;
    image_of(s, &text, &put);
    push(s, T0);
    struct actor_thread *a = begin_until(do_collect, &collecting, POINT_BEFORE_WRITE, 1);
    do_put(&putting);
    finish_work(a);
    assert_done(&putting);
    assert_int_equal(collecting.collected.memberships, 0);
    assert_held(s, s->w.repo.id, 0);
    image_free(&put);
}

static void a_manifest_that_comes_too_late_is_refused(void **state)
{
    struct scene *s = *state;
    struct manifest_put put;
    auto_buf struct buf text = {0};
    struct deed putting = {.s = s, .now_us = T0 + DAY, .put = &put}, collecting = putting;
    image_of(s, &text, &put);
    push(s, T0);
    struct actor_thread *a = begin_until(do_put, &putting, POINT_BEFORE_WRITE, 1);
    do_collect(&collecting);
    finish_work(a);
    assert_refused(&putting, ERR_MANIFEST_BLOB_UNKNOWN);
    do_collect(&collecting);
    assert_gone(s);
    image_free(&put);
}

/* --- manifest against blob delete ------------------------------------------------------------- */

static void a_manifest_after_the_delete_of_its_layer_is_refused(void **state)
{
    struct scene *s = *state;
    struct manifest_put put;
    auto_buf struct buf text = {0};
    struct deed putting = {.s = s, .now_us = T0 + HOUR, .put = &put}, deleting = putting;
    image_of(s, &text, &put);
    push(s, T0);
    struct actor_thread *a = begin_until(do_put, &putting, POINT_BEFORE_WRITE, 1);
    do_unlink(&deleting);
    finish_work(a);
    assert_done(&deleting);
    assert_refused(&putting, ERR_MANIFEST_BLOB_UNKNOWN);
    image_free(&put);
}

/* Deleting what is named is the deleter's own will; whoever pushes it again makes the image whole. */
static void a_layer_deleted_after_its_manifest_can_be_pushed_again(void **state)
{
    struct scene *s = *state;
    struct manifest_put put;
    auto_buf struct buf text = {0};
    struct deed putting = {.s = s, .now_us = T0 + HOUR, .put = &put}, deleting = putting,
                collecting = putting;
    image_of(s, &text, &put);
    push(s, T0);
    struct actor_thread *a = begin_until(do_unlink, &deleting, POINT_BEFORE_WRITE, 1);
    do_put(&putting);
    finish_work(a);
    assert_done(&putting);
    assert_done(&deleting);
    do_collect(&collecting);
    assert_gone(s);
    push(s, T0 + 2 * HOUR);
    assert_held(s, s->w.repo.id, 0);
    image_free(&put);
}

/* --- two uploads of one digest ---------------------------------------------------------------- */

static void two_pushes_of_one_content_share_a_file(void **state)
{
    struct scene *s = *state;
    struct deed one = {.s = s, .now_us = T0}, two = {.s = s, .now_us = T0 + 1, .repo = "ns/other"};
    struct actor_thread *a = begin_until(do_push, &one, POINT_AFTER_LINK, 1);
    struct actor_thread *b = begin_past(do_push, &two, POINT_BEFORE_LOCK);
    finish_work(a);
    finish_work(b);
    assert_done(&one);
    assert_done(&two);
    assert_held(s, s->w.repo.id, T0 + DAY);
    assert_held(s, s->other, T0 + 1 + DAY);
}

static void a_push_that_fails_leaves_the_other_one_its_file(void **state)
{
    struct scene *s = *state;
    struct deed one = {.s = s, .now_us = T0}, two = {.s = s, .now_us = T0 + 1, .repo = "ns/other"};
    struct actor_thread *a = begin_until(do_push, &one, POINT_AFTER_LINK, 1);
    struct actor_thread *b = begin_past(do_push, &two, POINT_BEFORE_LOCK);
    WRITE(&s->w)
    {
        OK(namespace_set_quota(tx, s->w.ns.id, 1, err)); /* the first one cannot stay */
    }
    finish_work(a);
    assert_refused(&one, ERR_QUOTA);
    finish_work(b);
    assert_refused(&two, ERR_QUOTA);
    assert_gone(s); /* what it had published is taken back */
    WRITE(&s->w)
    {
        OK(namespace_set_quota(tx, s->w.ns.id, 0, err));
    }
    do_push(&two);
    assert_held(s, s->other, T0 + 1 + DAY);
}

/* --- sessions --------------------------------------------------------------------------------- */

static void a_session_that_is_being_written_is_not_cancelled(void **state)
{
    struct scene *s = *state;
    char id[UPLOAD_ID_MAX];
    struct deed appending = {.s = s, .now_us = T0, .upload = session(s, T0, id)};
    struct deed cancelling = {.s = s, .now_us = T0 + 1, .id = id};
    struct actor_thread *a = begin_until(do_append, &appending, POINT_BEFORE_APPEND, 1);
    do_cancel(&cancelling);
    finish_work(a);
    assert_refused(&cancelling, ERR_UPLOAD_INVALID);
    assert_done(&appending);
    do_cancel(&cancelling);
    assert_done(&cancelling);
    assert_sound(s);
}

static void a_session_that_is_being_cancelled_is_not_written(void **state)
{
    struct scene *s = *state;
    char id[UPLOAD_ID_MAX];
    upload_close(full_session(s, T0, id));
    struct deed cancelling = {.s = s, .now_us = T0 + 1, .id = id}, opening = cancelling;
    struct actor_thread *a = begin_until(do_cancel, &cancelling, POINT_BEFORE_WRITE, 1);
    do_open(&opening);
    finish_work(a);
    assert_done(&cancelling);
    assert_refused(&opening, ERR_UPLOAD_UNKNOWN);
    do_open(&opening);
    assert_refused(&opening, ERR_UPLOAD_UNKNOWN);
    assert_gone(s);
}

static void a_session_that_is_being_finished_does_not_expire(void **state)
{
    struct scene *s = *state;
    char id[UPLOAD_ID_MAX];
    struct deed finishing = {.s = s, .now_us = T0 + 1, .upload = full_session(s, T0, id)};
    struct deed expiring = {.s = s, .now_us = T0 + 10 * DAY};
    struct actor_thread *a = begin_until(do_finish, &finishing, POINT_AFTER_LINK, 1);
    do_expire(&expiring);
    finish_work(a);
    assert_done(&expiring);
    assert_int_equal(expiring.ended, 0);
    assert_done(&finishing);
    assert_held(s, s->w.repo.id, T0 + 1 + DAY);
}

static void a_session_that_was_finished_before_expiry_took_it_stays_a_blob(void **state)
{
    struct scene *s = *state;
    char id[UPLOAD_ID_MAX];
    upload_close(full_session(s, T0, id));
    struct deed expiring = {.s = s, .now_us = T0 + 2 * DAY};
    struct deed finishing = {.s = s, .now_us = T0 + 2 * DAY, .id = id};
    struct actor_thread *a = begin_until(do_expire, &expiring, POINT_BEFORE_EXPIRY, 1);
    do_open(&finishing);
    assert_done(&finishing);
    do_finish(&finishing);
    finish_work(a);
    assert_done(&finishing);
    assert_int_equal(expiring.ended, 0);
    assert_held(s, s->w.repo.id, T0 + 3 * DAY);
}

static void a_session_that_expires_cannot_be_finished(void **state)
{
    struct scene *s = *state;
    char id[UPLOAD_ID_MAX];
    upload_close(full_session(s, T0, id));
    struct deed expiring = {.s = s, .now_us = T0 + 2 * DAY};
    struct deed opening = {.s = s, .now_us = T0 + 2 * DAY, .id = id};
    struct actor_thread *a = begin_until(do_expire, &expiring, POINT_BEFORE_WRITE, 1);
    do_open(&opening);
    finish_work(a);
    assert_refused(&opening, ERR_UPLOAD_UNKNOWN);
    assert_int_equal(expiring.ended, 1);
    assert_gone(s);
}

/* Its row is there, and nobody has been told of it: it is in use all the same. */
static void a_session_that_is_being_begun_is_not_ended_for_another_one(void **state)
{
    struct scene *s = *state;
    struct store_limits limits = *store_get_limits(s->w.store);
    struct deed one = {.s = s, .now_us = T0}, two = {.s = s, .now_us = T0 + 1};
    struct deed expiring = {.s = s, .now_us = T0 + 2 * DAY};
    limits.uploads_per_account = 1;
    store_set_limits(s->w.store, &limits);
    struct actor_thread *a = begin_until(do_start, &one, POINT_AFTER_WRITE, 1);
    do_start(&two);
    do_expire(&expiring);
    finish_work(a);
    assert_refused(&two, ERR_BUSY);
    assert_int_equal(expiring.ended, 0);
    assert_done(&one);
    do_append(&one);
    assert_done(&one);
    do_start(&two); /* now it is idle */
    assert_done(&two);
    upload_close(two.upload);
}

/* --- tag against manifest delete -------------------------------------------------------------- */

static void a_tag_does_not_come_to_a_manifest_that_went(void **state)
{
    struct scene *s = *state;
    struct manifest_put put;
    auto_buf struct buf text = {0};
    struct tag tag;
    struct tag_name name = tag_of("latest");
    struct deed tagging = {.s = s, .now_us = T0 + 1, .put = &put}, deleting = tagging;
    image_of(s, &text, &put);
    push(s, T0);
    do_put(&deleting);
    assert_done(&deleting);
    struct actor_thread *a = begin_until(do_tag, &tagging, POINT_BEFORE_WRITE, 1);
    do_delete(&deleting);
    finish_work(a);
    assert_done(&deleting);
    assert_refused(&tagging, ERR_MANIFEST_UNKNOWN);
    READ(&s->w)
    {
        FAILS(ERR_TAG_UNKNOWN, tag_get(tx, s->w.repo.id, &name, &tag, err));
    }
    image_free(&put);
}

static void a_tag_goes_with_the_manifest_that_it_had_just_come_to(void **state)
{
    struct scene *s = *state;
    struct manifest_put put;
    auto_buf struct buf text = {0};
    struct tag_name name = tag_of("latest");
    struct tag tag;
    auto_tag_list struct tag_list history = {0};
    struct deed tagging = {.s = s, .now_us = T0 + 1, .put = &put}, deleting = tagging;
    image_of(s, &text, &put);
    push(s, T0);
    do_put(&deleting);
    struct actor_thread *a = begin_until(do_delete, &deleting, POINT_BEFORE_WRITE, 1);
    do_tag(&tagging);
    finish_work(a);
    assert_done(&tagging);
    assert_done(&deleting);
    READ(&s->w)
    {
        FAILS(ERR_TAG_UNKNOWN, tag_get(tx, s->w.repo.id, &name, &tag, err));
        OK(tag_history(tx, s->w.repo.id, &name, 10, &history, err));
    }
    assert_int_equal(history.count, 2); /* that it came, and that it went */
    assert_false(digest_is_set(&history.items[0].tag.digest));
    image_free(&put);
}

/* --- all at once ------------------------------------------------------------------------------ */

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

static void nothing_is_lost_when_all_come_at_once(void **state)
{
    struct crowd c = {.s = *state};
    struct walker walkers[] = {
        {&c, 1, push_step, false},  {&c, 2, push_step, false},   {&c, 3, delete_step, false},
        {&c, 4, mount_step, false}, {&c, 5, collect_step, true}, {&c, 6, expire_step, true},
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

/* Each with content that is small and content that is not: they may become durable in different ways. */
#define RACE_TEST(fn)                                                                              \
    {#fn ", small", fn, small_setup, scene_teardown, NULL},                                        \
    {                                                                                              \
#fn ", large", fn, large_setup, scene_teardown, NULL                                       \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        RACE_TEST(a_push_between_its_file_and_its_row_is_not_collected),
        RACE_TEST(a_push_while_the_file_goes_makes_a_new_one),
        RACE_TEST(a_push_after_the_file_went_is_not_forgotten_with_it),
        RACE_TEST(a_blob_pushed_again_after_the_collector_chose_it_stays),
        RACE_TEST(a_push_that_fails_saves_nothing),
        RACE_TEST(a_mount_meets_the_collector_anywhere),
        RACE_TEST(a_mount_before_the_delete_keeps_the_blob),
        RACE_TEST(a_mount_after_the_delete_is_refused),
        RACE_TEST(a_mount_between_delete_and_collection_has_the_file),
        RACE_TEST(a_blob_that_a_pusher_is_told_of_outlives_the_collector_that_chose_it),
        RACE_TEST(a_pusher_is_not_told_of_what_the_collector_took),
        RACE_TEST(a_manifest_comes_before_the_collector_takes_what_it_was_told_of),
        RACE_TEST(a_manifest_that_comes_too_late_is_refused),
        RACE_TEST(a_manifest_after_the_delete_of_its_layer_is_refused),
        RACE_TEST(a_layer_deleted_after_its_manifest_can_be_pushed_again),
        RACE_TEST(two_pushes_of_one_content_share_a_file),
        RACE_TEST(a_push_that_fails_leaves_the_other_one_its_file),
        RACE_TEST(a_session_that_is_being_written_is_not_cancelled),
        RACE_TEST(a_session_that_is_being_cancelled_is_not_written),
        RACE_TEST(a_session_that_is_being_finished_does_not_expire),
        RACE_TEST(a_session_that_was_finished_before_expiry_took_it_stays_a_blob),
        RACE_TEST(a_session_that_expires_cannot_be_finished),
        RACE_TEST(a_session_that_is_being_begun_is_not_ended_for_another_one),
        RACE_TEST(a_tag_does_not_come_to_a_manifest_that_went),
        RACE_TEST(a_tag_goes_with_the_manifest_that_it_had_just_come_to),
        RACE_TEST(nothing_is_lost_when_all_come_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
