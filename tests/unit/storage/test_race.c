/* Two at a time: each interesting order of two pieces of work, forced by stopping one of them at a point, with what must
 * come of it; and all of them at once, in whatever order. */
#include "storage/tag.h"
#include "tests/unit/storage/race/crowd.h"
#include "tests/unit/storage/race/scene.h"
#include "tests/unit/storage/race/stop.h"

/* --- push against the collector --------------------------------------------------------------- */

static void a_push_between_its_file_and_its_row_is_not_collected(void **state)
{
    struct scene *s = *state;
    struct deed pushing = {.s = s, .now_us = T0 + DAY}, collecting = pushing;
    push_and_lose(s);
    /* 1: is the file that is there a blob's? 2: the row */
    struct actor_thread *a = begin_until(do_push, &pushing, POINT_AFTER_WRITE, 1);
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

static void a_push_that_went_again_after_the_file_went_is_not_forgotten(void **state)
{
    struct scene *s = *state;
    struct deed pushing = {.s = s, .now_us = T0 + DAY}, deleting = pushing, collecting = pushing;
    push_and_lose(s);
    struct actor_thread *a = begin_until(do_collect, &collecting, POINT_BEFORE_WRITE, 3);
    do_push(&pushing);
    do_unlink(&deleting);
    finish_work(a);
    assert_done(&deleting);
    assert_true(has_file(s));
    do_collect(&collecting);
    assert_int_equal(collecting.collected.blobs, 1);
    assert_gone(s);
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

/* --- the journal of small blobs ---------------------------------------------------------------- */

/* The collector takes the old file away while the new bytes wait in the index. */
static void a_small_push_while_the_file_goes_has_its_bytes_in_the_journal(void **state)
{
    struct scene *s = *state;
    struct deed pushing = {.s = s, .now_us = T0 + DAY}, collecting = pushing, settling = pushing;
    push_and_lose(s);
    do_settle(&settling);
    assert_int_equal(settling.ended, 1);
    struct actor_thread *a = begin_until(do_collect, &collecting, POINT_BEFORE_UNLINK, 1);
    do_push(&pushing);
    assert_done(&pushing);
    struct actor_thread *b = begin_past(do_settle, &settling, POINT_BEFORE_LOCK);
    finish_work(a);
    finish_work(b);
    assert_done(&settling);
    assert_int_equal(settling.ended, 1);
    assert_held(s, s->w.repo.id, T0 + 2 * DAY);
}

/* The blob goes between the writing of its file and the end of its row: the file goes too. */
static void a_blob_that_is_collected_while_it_is_settled_leaves_nothing(void **state)
{
    struct scene *s = *state;
    struct deed settling = {.s = s, .now_us = T0 + DAY}, collecting = settling;
    push_and_lose(s);
    struct actor_thread *a = begin_until(do_settle, &settling, POINT_AFTER_LINK, 1);
    struct actor_thread *b = begin_past(do_collect, &collecting, POINT_BEFORE_LOCK);
    assert_true(has_file(s)); /* one of them has the lock, the other waits */
    finish_work(a);
    finish_work(b);
    assert_done(&settling);
    assert_done(&collecting);
    assert_int_equal(collecting.collected.blobs, 1);
    assert_gone(s);
}

/* Who settles the old bytes does not take out the new ones, which have no file yet. */
static void a_blob_that_goes_and_comes_while_it_is_settled_stays(void **state)
{
    struct scene *s = *state;
    struct deed settling = {.s = s, .now_us = T0 + DAY}, collecting = settling, pushing = settling;
    push_and_lose(s);
    struct actor_thread *a = begin_until(do_settle, &settling, POINT_BEFORE_WRITE, 1);
    do_collect(&collecting);
    assert_int_equal(collecting.collected.blobs, 1);
    do_push(&pushing);
    finish_work(a);
    assert_done(&pushing);
    assert_held(s, s->w.repo.id, T0 + 2 * DAY);
    do_settle(&settling);
    assert_int_equal(settling.ended, 1);
    assert_held(s, s->w.repo.id, T0 + 2 * DAY);
}

static void a_blob_that_comes_while_it_is_collected_and_settled_stays(void **state)
{
    struct scene *s = *state;
    struct deed settling = {.s = s, .now_us = T0 + DAY}, collecting = settling, pushing = settling;
    push_and_lose(s);
    struct actor_thread *a = begin_until(do_settle, &settling, POINT_BEFORE_LINK, 1);
    struct actor_thread *b = begin_past(do_collect, &collecting, POINT_BEFORE_LOCK);
    do_push(&pushing);
    finish_work(a);
    finish_work(b);
    assert_done(&settling);
    assert_int_equal(collecting.collected.blobs, 0);
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
    assert_refused(&cancelling, ERR_UPLOAD_BUSY);
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
    struct actor_thread *a = begin_until(do_finish, &finishing, POINT_BEFORE_WRITE, 1);
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

#define JOURNAL_TEST(fn) WITH(fn, journal_setup, "journal")
#define LARGE_TEST(fn) WITH(fn, large_setup, "large")
#define WITH(fn, setup, size)                                                                      \
    {                                                                                              \
#fn ", " size, fn, setup, scene_teardown, NULL                                             \
    }
/* With content that is small and content that is not. */
#define RACE_TEST(fn) WITH(fn, small_setup, "small"), WITH(fn, large_setup, "large")

int main(void)
{
    const struct CMUnitTest tests[] = {
        LARGE_TEST(a_push_between_its_file_and_its_row_is_not_collected),
        LARGE_TEST(a_push_while_the_file_goes_makes_a_new_one),
        RACE_TEST(a_push_after_the_file_went_is_not_forgotten_with_it),
        RACE_TEST(a_push_that_went_again_after_the_file_went_is_not_forgotten),
        RACE_TEST(a_blob_pushed_again_after_the_collector_chose_it_stays),
        JOURNAL_TEST(a_small_push_while_the_file_goes_has_its_bytes_in_the_journal),
        JOURNAL_TEST(a_blob_that_is_collected_while_it_is_settled_leaves_nothing),
        JOURNAL_TEST(a_blob_that_goes_and_comes_while_it_is_settled_stays),
        JOURNAL_TEST(a_blob_that_comes_while_it_is_collected_and_settled_stays),
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
        LARGE_TEST(two_pushes_of_one_content_share_a_file),
        LARGE_TEST(a_push_that_fails_leaves_the_other_one_its_file),
        RACE_TEST(a_session_that_is_being_written_is_not_cancelled),
        RACE_TEST(a_session_that_is_being_cancelled_is_not_written),
        RACE_TEST(a_session_that_is_being_finished_does_not_expire),
        RACE_TEST(a_session_that_was_finished_before_expiry_took_it_stays_a_blob),
        RACE_TEST(a_session_that_expires_cannot_be_finished),
        RACE_TEST(a_session_that_is_being_begun_is_not_ended_for_another_one),
        RACE_TEST(a_tag_does_not_come_to_a_manifest_that_went),
        RACE_TEST(a_tag_goes_with_the_manifest_that_it_had_just_come_to),
        WITH(nothing_is_lost_when_all_come_at_once, small_setup, "small"),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
