#include "tests/unit/storage/race/scene.h"

#include "storage/blob_journal.h"
#include "storage/check.h"
#include "storage/tag.h"

/* --- pieces of work --------------------------------------------------------------------------- */

void do_push(void *arg)
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

void do_collect(void *arg)
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

void do_mount(void *arg)
{
    write_deed(arg, mount_in);
}

void do_settle(void *arg)
{
    struct deed *d = arg;
    bool more = false;
    d->ok = blob_journal_settle(d->s->w.store, &d->ended, &more, &d->err);
}

void do_keep(void *arg)
{
    write_deed(arg, keep_in);
}

void do_unlink(void *arg)
{
    write_deed(arg, unlink_in);
}

void do_put(void *arg)
{
    write_deed(arg, put_in);
}

void do_delete(void *arg)
{
    write_deed(arg, delete_in);
}

void do_tag(void *arg)
{
    write_deed(arg, tag_in);
}

/* All bytes into the open session. */
void do_append(void *arg)
{
    struct deed *d = arg;
    d->ok = upload_append(d->upload, buf_slice_of(&d->s->bytes), d->now_us, &d->err);
    upload_close(take(d->upload));
}

void do_finish(void *arg)
{
    struct deed *d = arg;
    d->ok = upload_finish(d->upload, &d->s->digest, d->now_us, NULL, &d->err);
    upload_close(take(d->upload));
}

void do_cancel(void *arg)
{
    struct deed *d = arg;
    struct repo_name repo = repo_of("ns/app");
    d->ok = upload_cancel(d->s->w.store, &repo, slice_str(d->id), d->s->w.alice.account_id,
                          d->now_us, &d->err);
}

void do_open(void *arg)
{
    struct deed *d = arg;
    struct repo_name repo = repo_of("ns/app");
    d->ok = upload_open(d->s->w.store, &repo, slice_str(d->id), d->s->w.alice.account_id, d->now_us,
                        &d->upload, &d->err);
}

void do_start(void *arg)
{
    struct deed *d = arg;
    struct repo_name repo = repo_of("ns/app");
    d->ok = upload_start(d->s->w.store, &repo, UPLOAD_SESSION, &d->s->w.alice, d->now_us,
                         &d->upload, &d->err);
}

void do_expire(void *arg)
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

void assert_sound(struct scene *s)
{
    const struct check_listener listener = {.finding = tell_finding};
    struct check_report report;
    OK(store_check(s->w.store, CHECK_BYTES, &listener, &report, err));
    assert_int_equal(report.findings, 0);
}

bool is_member(struct scene *s, int64_t repository_id, struct blob *out)
{
    struct err err = {0};
    bool here = false;
    READ(&s->w)
    {
        here = blob_get(tx, repository_id, &s->digest, out, &err);
    }
    return here;
}

bool has_file(struct scene *s)
{
    struct err err = {0};
    int fd = -1;
    READ(&s->w)
    {
        fd = blob_open(s->w.store, tx, &s->digest, &err);
    }
    cleanup_fd(&fd);
    return fd >= 0;
}

/* There for this repository, whole, and kept until `due_us`. */
void assert_held(struct scene *s, int64_t repository_id, int64_t due_us)
{
    struct blob blob;
    assert_true(is_member(s, repository_id, &blob));
    assert_int_equal(blob.collect_after_us, due_us);
    assert_int_equal(blob.size, s->bytes.n);
    assert_true(has_file(s)); /* with its bytes: assert_sound */
    assert_sound(s);
}

void assert_gone(struct scene *s)
{
    struct blob blob;
    assert_false(is_member(s, s->w.repo.id, &blob));
    assert_false(is_member(s, s->other, &blob));
    assert_false(has_file(s));
    assert_sound(s);
}

void assert_done(const struct deed *d)
{
    if (!d->ok) {
        fail_msg("%s (%s)", d->err.msg, d->err.detail);
    }
}

void assert_refused(const struct deed *d, enum err_code code)
{
    assert_false(d->ok);
    assert_int_equal(d->err.code, code);
}

/* --- how it begins ---------------------------------------------------------------------------- */

static int scene_setup(void **state, size_t size, int (*make)(void **world))
{
    struct world *w = NULL;
    assert_int_equal(make((void **)&w), 0);
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

int small_setup(void **state)
{
    return scene_setup(state, 100, world_setup_files);
}

int journal_setup(void **state)
{
    return scene_setup(state, 100, world_setup);
}

int large_setup(void **state)
{
    return scene_setup(state, 300000, world_setup_files);
}

int scene_teardown(void **state)
{
    struct scene *s = *state;
    buf_dispose(&s->bytes);
    return world_teardown(state);
}

void push(struct scene *s, int64_t now_us)
{
    struct deed d = {.s = s, .now_us = now_us};
    do_push(&d);
    assert_done(&d);
}

/* Pushed at T0, out of its repository at T0 + DAY; the file and its row wait for the collector. */
void push_and_lose(struct scene *s)
{
    struct deed d = {.s = s, .now_us = T0 + DAY};
    push(s, T0);
    do_collect(&d);
    assert_done(&d);
    assert_int_equal(d.collected.memberships, 1);
    assert_int_equal(d.collected.blobs, 0);
}

/* An image whose only layer is the content, and whose config is there and named by another one. */
void image_of(struct scene *s, struct buf *text, struct manifest_put *out)
{
    struct digest config = push_blob(&s->w, "{}");
    auto_buf struct buf keeper = {0};
    struct digest layer = push_blob(&s->w, "abc");
    image_text(&keeper, &config, &layer, ",\"annotations\":{\"keeps\":\"the config\"}");
    store_manifest(&s->w, TYPE_IMAGE, buf_slice_of(&keeper));
    image_text_of(text, &config, &s->digest, s->bytes.n, "");
    *out = put_of(TYPE_IMAGE, buf_slice_of(text));
}

void image_free(struct manifest_put *put)
{
    manifest_doc_free((struct manifest_doc *)put->doc);
}

/* A session in use, for all bytes. Its id is written to `id`. */
struct upload *session(struct scene *s, int64_t now_us, char id[UPLOAD_ID_MAX])
{
    struct repo_name repo = repo_of("ns/app");
    struct upload *u = NULL;
    OK(upload_start(s->w.store, &repo, UPLOAD_SESSION, &s->w.alice, now_us, &u, err));
    snprintf(id, UPLOAD_ID_MAX, "%s", upload_id(u));
    return u;
}

struct upload *full_session(struct scene *s, int64_t now_us, char id[UPLOAD_ID_MAX])
{
    struct upload *u = session(s, now_us, id);
    OK(upload_append(u, buf_slice_of(&s->bytes), now_us, err));
    return u;
}
