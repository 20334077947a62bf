/* Collection and mounts: what nothing names goes, what something names stays, whatever comes
 * between. */
#include "storage/gc.h"
#include "tests/unit/storage/image.h"

#define DAY (24 * HOUR)

static struct gc_result collect(struct world *w, int64_t now_us)
{
    struct gc_result result;
    struct gc_result sum = {0};
    do {
        OK(gc_run(w->store, now_us, 100, &result, err));
        sum.memberships += result.memberships;
        sum.blobs += result.blobs;
        sum.bytes += result.bytes;
    } while (result.examined > 0);
    return sum;
}

static bool has(struct world *w, int64_t repository_id, const struct digest *digest)
{
    struct blob blob;
    struct err err = {0};
    bool found = false;
    READ(w)
    {
        found = blob_get(tx, repository_id, digest, &blob, &err);
    }
    return found;
}

static bool has_file(struct world *w, const struct digest *digest)
{
    struct err err = {0};
    int fd = -1;
    READ(w)
    {
        fd = blob_open(w->store, tx, digest, &err);
    }
    cleanup_fd(&fd);
    return fd >= 0;
}

static int64_t used(struct world *w)
{
    struct namespace ns;
    READ(w)
    {
        OK(namespace_get_by_id(tx, w->ns.id, &ns, err));
    }
    return ns.used_bytes;
}

static int64_t other_repository(struct world *w)
{
    struct repo_name name = repo_of("ns/other");
    struct repository r;
    WRITE(w)
    {
        OK(repository_ensure(tx, &name, T0, &r, NULL, err));
    }
    return r.id;
}

static void mount(struct world *w, int64_t to, const struct digest *digest)
{
    struct blob blob;
    WRITE(w)
    {
        OK(blob_mount(tx, to, w->repo.id, digest, DAY, T0, &blob, err));
    }
}

static void an_unnamed_blob_stays_a_day(void **state)
{
    struct world *w = *state;
    struct digest d = push_blob(w, "abc");
    collect(w, T0 + DAY - 1);
    assert_true(has(w, w->repo.id, &d));
    struct gc_result r = collect(w, T0 + DAY);
    assert_int_equal(r.memberships, 1);
    assert_int_equal(r.blobs, 1);
    assert_int_equal(r.bytes, 3);
    assert_false(has(w, w->repo.id, &d));
    assert_false(has_file(w, &d));
    assert_int_equal(used(w), 0);
}

static void a_named_blob_stays(void **state)
{
    struct world *w = *state;
    push_image(w, "{}", "abc");
    struct digest layer = digest_of(SLICE_LIT("abc"));
    struct gc_result r = collect(w, T0 + 100 * DAY);
    assert_int_equal(r.memberships, 0);
    assert_true(has(w, w->repo.id, &layer));
}

static void uploading_again_starts_a_new_day(void **state)
{
    struct world *w = *state;
    struct digest d = push_blob(w, "abc");
    struct repo_name repo = repo_of("ns/app");
    struct upload *u = NULL;
    OK(upload_start(w->store, &repo, UPLOAD_SINGLE, &w->alice, T0 + DAY - 1, &u, err));
    OK(upload_append(u, SLICE_LIT("abc"), T0 + DAY - 1, err));
    OK(upload_finish(u, &d, T0 + DAY - 1, NULL, err));
    upload_close(u);
    collect(w, T0 + DAY + HOUR);
    assert_true(has(w, w->repo.id, &d));
    struct blob blob;
    READ(w)
    {
        OK(blob_get(tx, w->repo.id, &d, &blob, err));
    }
    assert_int_equal(blob.collect_after_us, T0 + 2 * DAY - 1);
}

static void uploading_a_named_blob_again_does_not_condemn_it(void **state)
{
    struct world *w = *state;
    push_image(w, "{}", "abc");
    struct digest d = push_blob(w, "abc");
    struct blob blob;
    READ(w)
    {
        OK(blob_get(tx, w->repo.id, &d, &blob, err));
    }
    assert_int_equal(blob.collect_after_us, 0);
}

static void a_deleted_manifest_frees_what_it_alone_named(void **state)
{
    struct world *w = *state;
    struct digest one = push_image(w, "{}", "one");
    push_image(w, "{}", "two");
    struct digest config = digest_of(SLICE_LIT("{}")), layer = digest_of(SLICE_LIT("one"));
    WRITE(w)
    {
        OK(manifest_delete(tx, w->repo.id, &one, &w->alice, KEEP, T0 + DAY, err));
    }
    collect(w, T0 + 2 * DAY - 1);
    assert_true(has(w, w->repo.id, &layer));
    collect(w, T0 + 2 * DAY);
    assert_false(has(w, w->repo.id, &layer));
    assert_false(has_file(w, &layer));
    assert_true(has(w, w->repo.id, &config));
}

static void what_a_deleted_manifest_named_is_kept_as_long_as_is_said(void **state)
{
    struct world *w = *state;
    struct digest one = push_image(w, "{}", "one");
    struct digest layer = digest_of(SLICE_LIT("one"));
    WRITE(w)
    {
        OK(manifest_delete(tx, w->repo.id, &one, &w->alice, 2 * HOUR, T0, err));
    }
    collect(w, T0 + 2 * HOUR - 1);
    assert_true(has(w, w->repo.id, &layer));
    collect(w, T0 + 2 * HOUR);
    assert_false(has(w, w->repo.id, &layer));
}

/* A pusher was told that it exists, and sends only the manifest. */
static void a_blob_that_a_pusher_asked_for_is_kept_from_then_on(void **state)
{
    struct world *w = *state;
    struct digest asked = push_blob(w, "asked for"), other = push_blob(w, "not asked for");
    struct blob blob;
    WRITE(w)
    {
        OK(blob_keep(tx, w->repo.id, &asked, KEEP, T0 + 20 * HOUR, &blob, err));
    }
    assert_int_equal(blob.collect_after_us, T0 + 44 * HOUR);
    collect(w, T0 + 44 * HOUR - 1);
    assert_true(has(w, w->repo.id, &asked));
    assert_false(has(w, w->repo.id, &other));
    collect(w, T0 + 44 * HOUR);
    assert_false(has(w, w->repo.id, &asked));
    WRITE(w)
    {
        FAILS(ERR_BLOB_UNKNOWN, blob_keep(tx, w->repo.id, &asked, KEEP, T0, &blob, err));
    }
}

static void keeping_never_shortens_and_never_condemns(void **state)
{
    struct world *w = *state;
    struct digest fresh = push_blob(w, "fresh");
    struct blob blob;
    push_image(w, "{}", "one");
    struct digest named = digest_of(SLICE_LIT("one"));
    WRITE(w)
    {
        OK(blob_keep(tx, w->repo.id, &fresh, HOUR, T0, &blob, err));
        assert_int_equal(blob.collect_after_us, T0 + KEEP);
        OK(blob_keep(tx, w->repo.id, &named, HOUR, T0, &blob, err));
        assert_int_equal(blob.collect_after_us, 0);
    }
    collect(w, T0 + 100 * DAY);
    assert_true(has(w, w->repo.id, &named));
}

static void a_manifest_put_again_saves_its_blobs(void **state)
{
    struct world *w = *state;
    struct digest one = push_image(w, "{}", "one");
    struct digest layer = digest_of(SLICE_LIT("one"));
    WRITE(w)
    {
        OK(manifest_delete(tx, w->repo.id, &one, &w->alice, KEEP, T0 + DAY, err));
    }
    auto_buf struct buf text = {0};
    struct digest config = digest_of(SLICE_LIT("{}"));
    image_text(&text, &config, &layer, "");
    store_manifest(w, TYPE_IMAGE, buf_slice_of(&text));
    collect(w, T0 + 100 * DAY);
    assert_true(has(w, w->repo.id, &layer));
}

static void a_mount_is_a_membership_of_its_own(void **state)
{
    struct world *w = *state;
    struct digest d = push_blob(w, "abc");
    int64_t other = other_repository(w);
    mount(w, other, &d);
    assert_int_equal(used(w), 6);
    WRITE(w)
    {
        OK(blob_unlink(tx, w->repo.id, &d, T0, err));
        FAILS(ERR_BLOB_UNKNOWN, blob_unlink(tx, w->repo.id, &d, T0, err));
    }
    collect(w, T0 + HOUR);
    assert_false(has(w, w->repo.id, &d));
    assert_true(has(w, other, &d));
    assert_true(has_file(w, &d));
    assert_int_equal(used(w), 3);
    collect(w, T0 + DAY);
    assert_false(has_file(w, &d));
}

static void what_the_source_does_not_hold_is_not_mounted(void **state)
{
    struct world *w = *state;
    struct digest d = push_blob(w, "abc");
    int64_t other = other_repository(w);
    struct digest missing = digest_of(SLICE_LIT("missing"));
    struct blob blob;
    WRITE(w)
    {
        FAILS(ERR_BLOB_UNKNOWN, blob_mount(tx, w->repo.id, other, &d, DAY, T0, &blob, err));
        FAILS(ERR_BLOB_UNKNOWN, blob_mount(tx, other, w->repo.id, &missing, DAY, T0, &blob, err));
    }
    assert_false(has(w, other, &missing));
}

static void a_source_is_found_only_where_the_reader_may_read(void **state)
{
    struct world *w = *state;
    struct digest d = push_blob(w, "abc");
    const struct reader nobody = {0}, user = {.signed_in = true}, admin = {.all = true},
                        alice = {.account_id = w->alice.account_id, .signed_in = true},
                        robot = {.namespace_id = w->ns.id},
                        foreign_robot = {.namespace_id = w->ns.id + 1};
    int64_t id = 0;
    READ(w)
    {
        FAILS(ERR_BLOB_UNKNOWN, blob_find_source(tx, &d, &nobody, INT64_MAX, &id, err));
        FAILS(ERR_BLOB_UNKNOWN, blob_find_source(tx, &d, &user, INT64_MAX, &id, err));
        FAILS(ERR_BLOB_UNKNOWN, blob_find_source(tx, &d, &foreign_robot, INT64_MAX, &id, err));
        OK(blob_find_source(tx, &d, &alice, INT64_MAX, &id, err));
        OK(blob_find_source(tx, &d, &robot, INT64_MAX, &id, err));
        OK(blob_find_source(tx, &d, &admin, INT64_MAX, &id, err));
    }
    assert_int_equal(id, w->repo.id);
    WRITE(w)
    {
        OK(namespace_set_visibility(tx, w->ns.id, VISIBILITY_PUBLIC, err));
        OK(blob_find_source(tx, &d, &nobody, INT64_MAX, &id, err));
    }
}

/* The row is gone, the entry and the file are there: where a crash between the commit and the
 * unlink stops. */
static void a_crash_before_the_unlink_is_finished_by_the_next_run(void **state)
{
    struct world *w = *state;
    struct digest d = push_blob(w, "abc");
    char path[BLOB_PATH_MAX], whole[BLOB_PATH_MAX + 8], kept[] = "kept";
    snprintf(whole, sizeof(whole), "blobs/%s", blob_path(&d, path));
    assert_int_equal(linkat(w->folder.fd, whole, w->folder.fd, kept, 0), 0);
    collect(w, T0 + DAY);
    WRITE(w)
    {
        OK(gc_condemn(tx, CONDEMNED_BLOB, 0, &d, T0, err));
    }
    assert_int_equal(linkat(w->folder.fd, kept, w->folder.fd, whole, 0), 0);
    world_reopen(w);
    struct gc_result r = collect(w, T0 + DAY);
    assert_int_equal(r.blobs, 1);
    assert_false(has_file(w, &d));
}

static void an_entry_that_is_outdated_does_no_harm(void **state)
{
    struct world *w = *state;
    push_image(w, "{}", "abc");
    struct digest layer = digest_of(SLICE_LIT("abc"));
    WRITE(w) /* as if somebody had forgotten to take them out */
    {
        OK(gc_condemn(tx, CONDEMNED_MEMBERSHIP, w->repo.id, &layer, T0, err));
        OK(gc_condemn(tx, CONDEMNED_BLOB, 0, &layer, T0, err));
    }
    struct gc_result r = collect(w, T0 + DAY);
    assert_int_equal(r.memberships, 0);
    assert_int_equal(r.blobs, 0);
    assert_true(has(w, w->repo.id, &layer));
    assert_true(has_file(w, &layer));
}

/* Named as a child or a subject, the same bytes as a blob are still a blob that nothing names. */
static void a_manifest_is_no_reason_to_keep_a_blob_of_its_bytes(void **state)
{
    struct world *w = *state;
    struct digest child = push_image(w, "{}", "abc");
    auto_manifest struct manifest *m = NULL;
    READ(w)
    {
        OK(manifest_get(tx, w->repo.id, &child, &m, err));
    }
    struct digest blob = push_blob(w, m->content);
    assert_true(digest_equal(&blob, &child));
    auto_buf struct buf list = {0};
    index_text(&list, &child);
    struct digest index = store_manifest(w, TYPE_INDEX, buf_slice_of(&list));
    WRITE(w)
    {
        OK(manifest_delete(tx, w->repo.id, &index, &w->alice, KEEP, T0 + HOUR, err));
    }
    collect(w, T0 + DAY);
    assert_false(has(w, w->repo.id, &blob));
}

/* A folder where the file should be: it cannot be unlinked. */
static void what_cannot_be_removed_does_not_stop_the_others(void **state)
{
    struct world *w = *state;
    char path[BLOB_PATH_MAX], whole[BLOB_PATH_MAX + 8];
    struct gc_result r;
    struct digest stuck = push_blob(w, "stuck");
    snprintf(whole, sizeof(whole), "blobs/%s", blob_path(&stuck, path));
    assert_int_equal(unlinkat(w->folder.fd, whole, 0), 0);
    assert_int_equal(mkdirat(w->folder.fd, whole, 0700), 0);
    OK(gc_run(w->store, T0 + DAY, 10, &r, err)); /* out of its repository */
    struct digest other = push_blob(w, "other");
    OK(gc_run(w->store, T0 + DAY, 10, &r, err)); /* membership of the other, file of the stuck */
    assert_int_equal(r.failures, 1);
    OK(gc_run(w->store, T0 + DAY, 10, &r, err));
    assert_int_equal(r.failures, 0); /* not again at once */
    assert_false(has_file(w, &other));
    assert_int_equal(unlinkat(w->folder.fd, whole, AT_REMOVEDIR), 0);
    OK(gc_run(w->store, T0 + DAY + HOUR, 10, &r, err));
    assert_int_equal(r.failures, 0);
    assert_int_equal(r.examined, 1);
    OK(gc_run(w->store, T0 + DAY + HOUR, 10, &r, err));
    assert_int_equal(r.examined, 0);
}

static void a_source_is_looked_for_among_the_newest(void **state)
{
    struct world *w = *state;
    struct digest d = push_blob(w, "abc");
    struct namespace_name name = ns_of("else");
    struct namespace other;
    const struct reader robot = {.namespace_id = w->ns.id};
    int64_t id = 0;
    WRITE(w)
    {
        OK(namespace_create(tx, &name, VISIBILITY_PRIVATE, w->alice.account_id, T0, &other, err));
        for (int i = 0; i < BLOB_SOURCES_MAX; i++) {
            char text[32];
            struct repository r;
            struct blob blob;
            snprintf(text, sizeof(text), "else/r%d", i);
            struct repo_name repo = repo_of(text);
            if (i == BLOB_SOURCES_MAX - 1) {
                OK(blob_find_source(tx, &d, &robot, INT64_MAX, &id, err));
                assert_int_equal(id, w->repo.id);
            }
            OK(repository_ensure(tx, &repo, T0, &r, NULL, err));
            OK(blob_mount(tx, r.id, w->repo.id, &d, DAY, T0, &blob, err));
        }
        FAILS(ERR_BLOB_UNKNOWN, blob_find_source(tx, &d, &robot, INT64_MAX, &id, err));
    }
}

static void a_step_does_no_more_than_it_may(void **state)
{
    struct world *w = *state;
    struct gc_result r;
    char text[16];
    for (int i = 0; i < 5; i++) {
        snprintf(text, sizeof(text), "blob %d", i);
        push_blob(w, text);
    }
    OK(gc_run(w->store, T0 + DAY, 2, &r, err));
    assert_int_equal(r.examined, 2);
    assert_int_equal(r.memberships, 2);
    collect(w, T0 + DAY);
    assert_int_equal(used(w), 0);
}

/* --- against pushes --------------------------------------------------------------------------- */

struct racer {
    struct world *w;
    volatile bool stop;
    struct err err;
    bool ok;
};

static void *collect_all_the_time(void *arg)
{
    struct racer *r = arg;
    struct gc_result result;
    r->ok = true;
    while (r->ok && !__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
        r->ok = gc_run(r->w->store, T0 + 2 * DAY, 10, &result, &r->err);
    }
    return NULL;
}

/* Everything uploaded is due at once; a blob that a push has just been told of must be whole or not
 * there. */
static void a_push_and_the_collector_do_not_cross(void **state)
{
    struct world *w = *state;
    struct racer racer = {.w = w};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, collect_all_the_time, &racer), 0);
    struct digest d;
    for (int i = 0; i < 40; i++) {
        d = push_blob(w, "the same again");
        bool member = false;
        struct blob blob;
        struct err err = {0};
        struct write write;
        struct db_tx *open = write_begin(&write, w->db); /* nothing is collected meanwhile */
        member = blob_get(open, w->repo.id, &d, &blob, &err);
        bool file = has_file(w, &d);
        write_end(&write, true);
        assert_true(!member || file);
    }
    __atomic_store_n(&racer.stop, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    if (!racer.ok) {
        fail_msg("%s", racer.err.msg);
    }
    collect(w, T0 + 2 * DAY);
    assert_false(has_file(w, &d));
    assert_int_equal(used(w), 0);
}

struct attempt {
    struct world *w;
    const struct manifest_put *put;
    int64_t other; /* a repository that mounts the layer */
    struct digest layer;
    bool stored, mounted;
};

static bool refused_as_absent(const struct err *err)
{
    return err->code == ERR_MANIFEST_BLOB_UNKNOWN || err->code == ERR_BLOB_UNKNOWN;
}

/* Two transactions of two clients, as the writer runs them among those of the collector. */
static bool try_manifest(struct db_tx *tx, void *arg, struct err *err)
{
    struct attempt *a = arg;
    return manifest_put(tx, a->w->repo.id, a->put, &a->w->alice, T0 + 2 * DAY, NULL, err);
}

static bool try_mount(struct db_tx *tx, void *arg, struct err *err)
{
    struct attempt *a = arg;
    struct blob blob;
    return blob_mount(tx, a->other, a->w->repo.id, &a->layer, DAY, T0 + 2 * DAY, &blob, err);
}

/* Its blobs are being collected in the same moment: it is refused, or it has them. */
static void a_manifest_and_the_collector_do_not_cross(void **state)
{
    struct world *w = *state;
    struct racer racer = {.w = w};
    pthread_t thread;
    auto_buf struct buf text = {0};
    struct digest config = digest_of(SLICE_LIT("{}"));
    struct attempt a = {.w = w, .other = other_repository(w), .layer = digest_of(SLICE_LIT("abc"))};
    image_text(&text, &config, &a.layer, "");
    struct manifest_put put = put_of(TYPE_IMAGE, buf_slice_of(&text));
    a.put = &put;
    assert_int_equal(pthread_create(&thread, NULL, collect_all_the_time, &racer), 0);
    for (int i = 0; i < 40; i++) {
        struct err why = {0};
        push_blob(w, "{}");
        push_blob(w, "abc");
        a.mounted = db_write(w->db, try_mount, &a, &why);
        assert_true(a.mounted || refused_as_absent(&why));
        a.stored = db_write(w->db, try_manifest, &a, &why);
        assert_true(a.stored || refused_as_absent(&why));
        assert_true(!a.mounted || (has(w, a.other, &a.layer) && has_file(w, &a.layer)));
        assert_true(!a.stored || (has(w, w->repo.id, &config) && has_file(w, &config) &&
                                  has(w, w->repo.id, &a.layer) && has_file(w, &a.layer)));
        WRITE(w)
        {
            if (a.stored) {
                OK(manifest_delete(tx, w->repo.id, &put.digest, &w->alice, KEEP, T0, err));
            }
            if (a.mounted) {
                OK(blob_unlink(tx, a.other, &a.layer, T0, err));
            }
        }
    }
    __atomic_store_n(&racer.stop, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    manifest_doc_free((struct manifest_doc *)put.doc);
    if (!racer.ok) {
        fail_msg("%s", racer.err.msg);
    }
    collect(w, T0 + 2 * DAY);
    assert_int_equal(used(w), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH_TESTS(an_unnamed_blob_stays_a_day),
        BOTH_TESTS(a_named_blob_stays),
        BOTH_TESTS(uploading_again_starts_a_new_day),
        BOTH_TESTS(uploading_a_named_blob_again_does_not_condemn_it),
        BOTH_TESTS(a_deleted_manifest_frees_what_it_alone_named),
        BOTH_TESTS(what_a_deleted_manifest_named_is_kept_as_long_as_is_said),
        BOTH_TESTS(a_blob_that_a_pusher_asked_for_is_kept_from_then_on),
        BOTH_TESTS(keeping_never_shortens_and_never_condemns),
        BOTH_TESTS(a_manifest_put_again_saves_its_blobs),
        BOTH_TESTS(a_mount_is_a_membership_of_its_own),
        BOTH_TESTS(what_the_source_does_not_hold_is_not_mounted),
        BOTH_TESTS(a_source_is_found_only_where_the_reader_may_read),
        FILES_TEST(a_crash_before_the_unlink_is_finished_by_the_next_run),
        BOTH_TESTS(an_entry_that_is_outdated_does_no_harm),
        BOTH_TESTS(a_manifest_is_no_reason_to_keep_a_blob_of_its_bytes),
        FILES_TEST(what_cannot_be_removed_does_not_stop_the_others),
        BOTH_TESTS(a_source_is_looked_for_among_the_newest),
        BOTH_TESTS(a_step_does_no_more_than_it_may),
        BOTH_TESTS(a_push_and_the_collector_do_not_cross),
        BOTH_TESTS(a_manifest_and_the_collector_do_not_cross),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
