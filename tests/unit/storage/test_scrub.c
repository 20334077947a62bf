/* A file that is not what its name says is found, marked missing, told with its users and moved
 * aside; the next push of the same digest repairs it; nothing that a push or the collector does in
 * between is harmed. */
#include "storage/audit.h"
#include "storage/gc.h"
#include "storage/scrub.h"
#include "storage/tag.h"
#include "tests/unit/storage/image.h"

#include <fcntl.h>

#define DAY (24 * HOUR)

struct watch {
    int found;
    enum scrub_verdict verdict;
    struct digest digest;
    char users[600];
    char quarantined[QUARANTINE_PATH_MAX];
    int64_t paced, rested;
    void (*while_resting)(void *arg); /* may be NULL */
    void *resting_arg;
    int64_t stop_after; /* pace says stop beyond so many bytes; 0: never */
};

static bool pace(int64_t bytes, void *arg)
{
    struct watch *watch = arg;
    watch->paced += bytes;
    return watch->stop_after == 0 || watch->paced <= watch->stop_after;
}

static bool rest(int64_t us, void *arg)
{
    struct watch *watch = arg;
    watch->rested += us;
    if (watch->while_resting) {
        watch->while_resting(watch->resting_arg);
    }
    return watch->stop_after == 0;
}

static void found(const struct scrub_finding *finding, void *arg)
{
    struct watch *watch = arg;
    size_t n = 0;
    watch->found++;
    watch->verdict = finding->verdict;
    watch->digest = finding->digest;
    snprintf(watch->quarantined, sizeof(watch->quarantined), "%s", finding->quarantined);
    watch->users[0] = '\0';
    for (size_t i = 0; i < finding->users->count; i++) {
        char text[BLOB_USER_TEXT_MAX];
        n += (size_t)snprintf(watch->users + n, sizeof(watch->users) - n, "%s\n",
                              blob_user_format(&finding->users->items[i], text));
    }
}

static struct scrub_listener listen_with(struct watch *watch)
{
    *watch = (struct watch){0};
    return (struct scrub_listener){pace, rest, found, watch};
}

/* A whole round. */
static struct scrub_round scrub(struct world *w, struct watch *watch, int64_t now_us)
{
    struct scrub_round round;
    const struct scrub_listener listener = listen_with(watch);
    bool more = true;
    OK(scrub_begin(w->store, now_us, err));
    while (more) {
        OK(scrub_step(w->store, &listener, now_us, &round, &more, err));
    }
    assert_int_equal(round.phase, SCRUB_IDLE);
    assert_int_equal(round.finished_us, now_us);
    assert_int_equal(round.findings, watch->found);
    return round;
}

static const char *file_of(const struct digest *digest, char out[BLOB_PATH_MAX + 8])
{
    char path[BLOB_PATH_MAX];
    snprintf(out, BLOB_PATH_MAX + 8, "blobs/%s", blob_path(digest, path));
    return out;
}

static bool has_file(struct world *w, const struct digest *digest)
{
    char path[BLOB_PATH_MAX + 8];
    return faccessat(w->folder.fd, file_of(digest, path), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void overwrite(struct world *w, const struct digest *digest, const char *text)
{
    char path[BLOB_PATH_MAX + 8];
    auto_fd int fd = openat(w->folder.fd, file_of(digest, path), O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static bool is_here(struct world *w, int64_t repository_id, const struct digest *digest)
{
    struct blob blob;
    struct err err = {0};
    bool here = false;
    READ(w)
    {
        here = blob_get(tx, repository_id, digest, &blob, &err);
        assert_true(here || err.code == ERR_BLOB_UNKNOWN);
    }
    return here;
}

static size_t missing_count(struct world *w)
{
    auto_missing_blob_list struct missing_blob_list list = {0};
    READ(w)
    {
        OK(blob_list_missing(tx, &(struct digest){0}, 100, &list, err));
    }
    return list.count;
}

static int64_t other_repository(struct world *w, const struct digest *layer)
{
    struct repo_name name = repo_of("ns/other");
    struct repository r;
    struct blob blob;
    WRITE(w)
    {
        OK(repository_ensure(tx, &name, T0, &r, NULL, err));
        OK(blob_mount(tx, r.id, w->repo.id, layer, DAY, T0, &blob, err));
    }
    return r.id;
}

static void a_sound_store_has_no_findings(void **state)
{
    struct world *w = *state;
    struct watch watch;
    push_image(w, "{}", "abc");
    struct scrub_round round = scrub(w, &watch, T0);
    assert_int_equal(watch.found, 0);
    assert_int_equal(round.blobs, 2);
    assert_int_equal(round.manifests, 1);
    assert_true(round.bytes > 5);
    assert_int_equal(missing_count(w), 0);
    assert_int_equal(faccessat(w->folder.fd, "quarantine", F_OK, 0), -1);
}

/* What can have happened to the file of the blob "abc". */
static void damage(struct world *w, const struct digest *d, enum scrub_verdict kind)
{
    char path[BLOB_PATH_MAX + 8];
    file_of(d, path);
    switch (kind) {
    case SCRUB_OTHER_BYTES:
        return overwrite(w, d, "abd");
    case SCRUB_OTHER_SIZE:
        return overwrite(w, d, "ab");
    case SCRUB_UNREADABLE: /* a name that cannot be opened as a file */
        assert_int_equal(unlinkat(w->folder.fd, path, 0), 0);
        assert_int_equal(symlinkat("/etc/passwd", w->folder.fd, path), 0);
        return;
    case SCRUB_NO_FILE:
        assert_int_equal(unlinkat(w->folder.fd, path, 0), 0);
        return;
    case SCRUB_INTERRUPTED:
    case SCRUB_SOUND:
    case SCRUB_MANIFEST:
    case SCRUB_VERDICT_COUNT:
        break;
    }
    fail();
}

static void check_marked(struct world *w, const struct digest *layer, int64_t other)
{
    struct blob blob;
    struct blob_state mark;
    assert_false(is_here(w, w->repo.id, layer));
    assert_false(is_here(w, other, layer));
    assert_false(has_file(w, layer));
    READ(w)
    {
        OK(blob_state(tx, layer, &mark, err));
    }
    assert_int_equal(mark.missing_us, T0 + HOUR);
    WRITE(w)
    {
        FAILS(ERR_BLOB_UNKNOWN,
              blob_mount(tx, other, w->repo.id, layer, DAY, T0 + HOUR, &blob, err));
    }
}

static void whatever_is_wrong_is_marked_and_repaired_by_a_push(void **state)
{
    static const enum scrub_verdict kinds[] = {SCRUB_NO_FILE, SCRUB_OTHER_SIZE, SCRUB_OTHER_BYTES,
                                               SCRUB_UNREADABLE};
    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        void *inner = NULL;
        struct watch watch;
        world_setup_files(&inner);
        struct world *w = inner;
        push_image(w, "{}", "abc");
        struct digest layer = digest_of(SLICE_LIT("abc"));
        int64_t other = other_repository(w, &layer);
        damage(w, &layer, kinds[i]);

        scrub(w, &watch, T0 + HOUR);
        assert_int_equal(watch.found, 1);
        assert_int_equal(watch.verdict, kinds[i]);
        assert_true(digest_equal(&watch.digest, &layer));
        assert_int_equal(watch.quarantined[0] != '\0', kinds[i] != SCRUB_NO_FILE);
        if (watch.quarantined[0]) {
            assert_int_equal(faccessat(w->folder.fd, watch.quarantined, F_OK, AT_SYMLINK_NOFOLLOW),
                             0);
        }
        check_marked(w, &layer, other);

        scrub(w, &watch, T0 + 2 * HOUR); /* not told again */
        assert_int_equal(watch.found, 0);
        push_blob(w, "abc");
        assert_true(is_here(w, w->repo.id, &layer) && is_here(w, other, &layer));
        assert_true(has_file(w, &layer));
        assert_int_equal(missing_count(w), 0);
        scrub(w, &watch, T0 + 3 * HOUR);
        assert_int_equal(watch.found, 0);
        world_teardown(&inner);
    }
}

/* An index over an image under a tag, and a second repository that only holds the layer. */
static void the_users_are_named(void **state)
{
    struct world *w = *state;
    struct watch watch;
    char image_text_[DIGEST_STR_MAX], want[400];
    struct digest image = push_image(w, "{}", "abc");
    struct digest layer = digest_of(SLICE_LIT("abc"));
    auto_buf struct buf list = {0};
    index_text(&list, &image);
    struct digest index = store_manifest(w, TYPE_INDEX, buf_slice_of(&list));
    struct tag_name v1 = tag_of("v1"), all = tag_of("all");
    WRITE(w)
    {
        OK(tag_put(tx, w->repo.id, &v1, &image, &w->alice, T0, NULL, err));
        OK(tag_put(tx, w->repo.id, &all, &index, &w->alice, T0, NULL, err));
    }
    other_repository(w, &layer);
    damage(w, &layer, SCRUB_OTHER_BYTES);
    scrub(w, &watch, T0);
    snprintf(want, sizeof(want), "ns/app@%s (v1 all)\nns/other\n",
             digest_format(&image, image_text_));
    assert_string_equal(watch.users, want);
}

static void a_finding_is_in_the_audit_log(void **state)
{
    struct world *w = *state;
    struct watch watch;
    char digest[DIGEST_STR_MAX];
    auto_audit_list struct audit_list log = {0};
    push_image(w, "{}", "abc");
    struct digest layer = digest_of(SLICE_LIT("abc"));
    damage(w, &layer, SCRUB_OTHER_BYTES);
    scrub(w, &watch, T0);
    READ(w)
    {
        OK(audit_list(tx, w->ns.id, 0, 10, &log, err));
    }
    assert_int_equal(log.count, 1);
    assert_string_equal(log.items[0].action, "blob.missing");
    assert_string_equal(log.items[0].object, digest_format(&layer, digest));
    assert_non_null(strstr(log.items[0].after, "\"repository\":\"ns/app\""));
    assert_non_null(strstr(log.items[0].after, "its file has other bytes"));
}

static void a_rotten_manifest_is_told_and_mended_by_its_push(void **state)
{
    struct world *w = *state;
    struct watch watch;
    struct digest image = push_image(w, "{}", "abc");
    auto_manifest struct manifest *before = NULL;
    auto_manifest struct manifest *after = NULL;
    READ(w)
    {
        OK(manifest_get(tx, w->repo.id, &image, &before, err));
    }
    world_run_sql(w, "UPDATE manifest SET content = zeroblob(size)");
    scrub(w, &watch, T0);
    assert_int_equal(watch.found, 1);
    assert_int_equal(watch.verdict, SCRUB_MANIFEST);
    assert_true(digest_equal(&watch.digest, &image));
    store_manifest(w, TYPE_IMAGE, manifest_content(before));
    READ(w)
    {
        OK(manifest_get(tx, w->repo.id, &image, &after, err));
    }
    assert_true(slice_equal(manifest_content(after), manifest_content(before)));
    scrub(w, &watch, T0);
    assert_int_equal(watch.found, 0);
}

static void a_manifest_that_names_a_missing_blob_is_refused(void **state)
{
    struct world *w = *state;
    struct watch watch;
    auto_buf struct buf text = {0};
    push_blob(w, "{}");
    push_blob(w, "abc");
    struct digest config = digest_of(SLICE_LIT("{}")), layer = digest_of(SLICE_LIT("abc"));
    damage(w, &layer, SCRUB_OTHER_BYTES);
    scrub(w, &watch, T0);
    image_text(&text, &config, &layer, "");
    struct manifest_put put = put_of(TYPE_IMAGE, buf_slice_of(&text));
    struct err why = {0};
    WRITE(w)
    {
        assert_false(manifest_put(tx, w->repo.id, &put, &w->alice, T0, NULL, &why));
    }
    assert_int_equal(why.code, ERR_MANIFEST_BLOB_UNKNOWN);
    manifest_doc_free((struct manifest_doc *)put.doc);
}

static void a_missing_blob_is_collected_as_any_other(void **state)
{
    struct world *w = *state;
    struct watch watch;
    struct gc_result r;
    struct namespace ns;
    struct digest d = push_blob(w, "abc");
    damage(w, &d, SCRUB_OTHER_BYTES);
    scrub(w, &watch, T0);
    for (int i = 0; i < 3; i++) {
        OK(gc_run(w->store, T0 + DAY, 10, &r, err));
        assert_int_equal(r.failures, 0);
    }
    assert_int_equal(missing_count(w), 0);
    READ(w)
    {
        OK(namespace_get_by_id(tx, w->ns.id, &ns, err));
    }
    assert_int_equal(ns.used_bytes, 0);
}

/* The mark came, but the bad file could not be moved (or came back): a push does not believe it. */
static void a_push_does_not_believe_a_file_beside_a_mark(void **state)
{
    struct world *w = *state;
    struct watch watch;
    char path[BLOB_PATH_MAX + 8];
    struct digest d = push_blob(w, "abc");
    damage(w, &d, SCRUB_OTHER_BYTES);
    scrub(w, &watch, T0);
    assert_int_equal(renameat(w->folder.fd, watch.quarantined, w->folder.fd, file_of(&d, path)), 0);
    push_blob(w, "abc");
    scrub(w, &watch, T0 + HOUR);
    assert_int_equal(watch.found, 0);
    assert_true(is_here(w, w->repo.id, &d));
}

/* Nobody has looked yet; the size alone tells. */
static void a_push_does_not_believe_a_cut_file(void **state)
{
    struct world *w = *state;
    struct watch watch;
    struct digest d = push_blob(w, "abc");
    damage(w, &d, SCRUB_OTHER_SIZE);
    push_blob(w, "abc");
    scrub(w, &watch, T0);
    assert_int_equal(watch.found, 0);
}

static void a_round_goes_on_after_a_restart(void **state)
{
    struct world *w = *state;
    struct watch watch;
    struct scrub_round round;
    bool more = true;
    char text[16];
    for (int i = 0; i < 150; i++) {
        snprintf(text, sizeof(text), "blob %d", i);
        push_blob(w, text);
    }
    const struct scrub_listener listener = listen_with(&watch);
    OK(scrub_begin(w->store, T0, err));
    OK(scrub_step(w->store, &listener, T0, &round, &more, err));
    assert_true(more && round.blobs > 0 && round.blobs < 150);
    world_reopen(w);
    while (more) {
        OK(scrub_step(w->store, &listener, T0 + HOUR, &round, &more, err));
    }
    assert_int_equal(round.blobs, 150);
    assert_int_equal(round.started_us, T0);
    assert_int_equal(round.finished_us, T0 + HOUR);
}

struct repair {
    struct world *w;
    const struct digest *digest;
};

static void bring_back(void *arg)
{
    const struct repair *repair = arg;
    char path[BLOB_PATH_MAX + 8];
    file_of(repair->digest, path);
    assert_int_equal(unlinkat(repair->w->folder.fd, path, 0), 0);
    auto_fd int fd = openat(repair->w->folder.fd, path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_int_equal(write(fd, "abc", 3), 3);
}

static void an_error_of_the_disk_that_passes_takes_nothing_away(void **state)
{
    struct world *w = *state;
    struct watch watch;
    enum scrub_verdict verdict;
    struct digest d = push_blob(w, "abc");
    struct repair repair = {w, &d};
    damage(w, &d, SCRUB_UNREADABLE);
    const struct scrub_listener listener = listen_with(&watch);

    watch.stop_after = 1; /* the server ends while it waits */
    OK(scrub_blob(w->store, &d, &listener, T0, &verdict, err));
    assert_int_equal(verdict, SCRUB_INTERRUPTED);
    assert_int_equal(missing_count(w), 0);

    watch = (struct watch){.while_resting = bring_back, .resting_arg = &repair};
    OK(scrub_blob(w->store, &d, &listener, T0, &verdict, err));
    assert_int_equal(verdict, SCRUB_SOUND);
    assert_int_equal(watch.rested, SCRUB_REST_US);
    assert_int_equal(watch.found, 0);
    assert_int_equal(missing_count(w), 0);
    assert_true(has_file(w, &d));
}

static void a_pace_that_says_stop_stops_and_nothing_is_skipped(void **state)
{
    struct world *w = *state;
    struct watch watch;
    struct scrub_round round;
    bool more = true;
    struct digest d = push_blob(w, "abc");
    damage(w, &d, SCRUB_OTHER_BYTES);
    const struct scrub_listener listener = listen_with(&watch);
    watch.stop_after = 1;
    OK(scrub_begin(w->store, T0, err));
    OK(scrub_step(w->store, &listener, T0, &round, &more, err));
    assert_false(more);
    assert_int_equal(round.blobs, 0);
    assert_int_equal(watch.found, 0);
    watch.stop_after = 0;
    for (more = true; more;) {
        OK(scrub_step(w->store, &listener, T0, &round, &more, err));
    }
    assert_int_equal(round.blobs, 1);
    assert_int_equal(watch.found, 1);
}

static void percent_follows_the_digests(void **state)
{
    (void)state;
    struct scrub_round round = {.phase = SCRUB_BLOBS};
    assert_int_equal(scrub_round_percent(&round), 0);
    uint8_t half[32] = {128};
    assert_true(digest_from_hash(DIGEST_SHA256, half, 32, &round.after_digest));
    assert_int_equal(scrub_round_percent(&round), 50);
    round.phase = SCRUB_IDLE;
    assert_int_equal(scrub_round_percent(&round), 100);
}

/* --- between two readings and the verdict ----------------------------------------------------- */

/* pace is called while the file is read and no lock is held: what others do then is what a race
 * would do. */
struct between {
    struct watch watch;
    struct world *w;
    const struct digest *digest;
    void (*act)(struct between *b);
    int calls, act_at;
};

static bool pace_and_act(int64_t bytes, void *arg)
{
    struct between *b = arg;
    (void)bytes;
    if (++b->calls == b->act_at) {
        b->act(b);
    }
    return true;
}

static bool rest_between(int64_t us, void *arg)
{
    (void)us;
    (void)arg;
    return true;
}

static void found_between(const struct scrub_finding *finding, void *arg)
{
    struct between *b = arg;
    found(finding, &b->watch);
}

static void collect_it(struct between *b)
{
    struct gc_result r;
    for (int i = 0; i < 3; i++) {
        OK(gc_run(b->w->store, T0 + DAY, 10, &r, err));
    }
    assert_false(has_file(b->w, b->digest));
}

static void collect_and_push_it(struct between *b)
{
    collect_it(b);
    push_blob(b->w, "abc");
}

static void what_comes_between_reading_and_verdict_wins(void **state)
{
    static const struct {
        void (*act)(struct between *b);
        bool here_after;
    } cases[] = {{collect_it, false}, {collect_and_push_it, true}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (int at = 1; at <= 4; at++) { /* each of the reads of the two readings */
            void *inner = NULL;
            enum scrub_verdict verdict;
            world_setup_files(&inner);
            struct world *w = inner;
            struct digest d = push_blob(w, "abc");
            damage(w, &d, SCRUB_OTHER_BYTES);
            struct between b = {.w = w, .digest = &d, .act = cases[i].act, .act_at = at};
            const struct scrub_listener listener = {pace_and_act, rest_between, found_between, &b};
            OK(scrub_blob(w->store, &d, &listener, T0, &verdict, err));
            assert_int_equal(b.calls >= at, true);
            assert_int_equal(b.watch.found, 0);
            assert_int_equal(verdict, SCRUB_SOUND);
            assert_int_equal(missing_count(w), 0);
            assert_int_equal(is_here(w, w->repo.id, &d), cases[i].here_after);
            assert_int_equal(has_file(w, &d), cases[i].here_after);
            world_teardown(&inner);
        }
    }
}

/* --- all at once ------------------------------------------------------------------------------ */

struct racer {
    struct world *w;
    bool stop;
    void (*step)(struct racer *r);
    pthread_t thread;
};

static void *race(void *arg)
{
    struct racer *r = arg;
    while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
        r->step(r);
    }
    return NULL;
}

static void scrub_all(struct racer *r)
{
    struct watch watch;
    scrub(r->w, &watch, T0);
}

static void collect_all(struct racer *r)
{
    struct gc_result result;
    OK(gc_run(r->w->store, T0 + 2 * DAY, 10, &result, err));
}

/* The same digest is pushed, damaged, scrubbed and collected by three threads: a file that has the
 * blob's name is whole or damaged by us, and when they are done one push makes everything well. */
static void pushes_scrub_and_collector_do_not_cross(void **state)
{
    struct world *w = *state;
    struct watch watch;
    struct racer racers[] = {{.w = w, .step = scrub_all}, {.w = w, .step = collect_all}};
    for (size_t i = 0; i < COUNT(racers); i++) {
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    struct digest d = digest_of(SLICE_LIT("abc"));
    for (int i = 0; i < 60; i++) {
        char path[BLOB_PATH_MAX + 8];
        char bytes[4] = "";
        push_blob(w, "abc");
        auto_fd int fd = openat(w->folder.fd, file_of(&d, path), O_RDWR | O_CLOEXEC);
        if (fd >= 0) { /* otherwise it is collected or in quarantine by now */
            assert_int_equal(read(fd, bytes, 3), 3);
            assert_string_equal(bytes + 1, "bc");
            assert_int_equal(pwrite(fd, "x", 1, 0), 1);
        }
    }
    for (size_t i = 0; i < COUNT(racers); i++) {
        __atomic_store_n(&racers[i].stop, true, __ATOMIC_RELAXED);
        pthread_join(racers[i].thread, NULL);
    }
    scrub(w, &watch, T0); /* what was damaged last */
    push_blob(w, "abc");
    assert_true(is_here(w, w->repo.id, &d) && has_file(w, &d));
    scrub(w, &watch, T0);
    assert_int_equal(watch.found, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILES_TEST(a_sound_store_has_no_findings),
        cmocka_unit_test(whatever_is_wrong_is_marked_and_repaired_by_a_push),
        FILES_TEST(the_users_are_named),
        FILES_TEST(a_finding_is_in_the_audit_log),
        FILES_TEST(a_rotten_manifest_is_told_and_mended_by_its_push),
        FILES_TEST(a_manifest_that_names_a_missing_blob_is_refused),
        FILES_TEST(a_missing_blob_is_collected_as_any_other),
        FILES_TEST(a_push_does_not_believe_a_file_beside_a_mark),
        FILES_TEST(a_push_does_not_believe_a_cut_file),
        FILES_TEST(a_round_goes_on_after_a_restart),
        FILES_TEST(an_error_of_the_disk_that_passes_takes_nothing_away),
        FILES_TEST(a_pace_that_says_stop_stops_and_nothing_is_skipped),
        cmocka_unit_test(percent_follows_the_digests),
        cmocka_unit_test(what_comes_between_reading_and_verdict_wins),
        FILES_TEST(pushes_scrub_and_collector_do_not_cross),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
