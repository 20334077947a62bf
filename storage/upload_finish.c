#include "storage/blob.h"
#include "storage/blob_journal.h"
#include "storage/quarantine.h"
#include "storage/repository.h"
#include "storage/upload_internal.h"

#include <errno.h>
#include <sys/stat.h>

static bool verify(const struct upload *u, const struct digest *want, struct err *err)
{
    struct digest got;
    if (!upload_file_digest(u, want->algorithm, &got, err)) {
        return false;
    }
    if (digest_equal(&got, want)) {
        return true;
    }
    char got_text[DIGEST_STR_MAX];
    char want_text[DIGEST_STR_MAX];
    return err_set(err, ERR_DIGEST_INVALID, "the upload's digest is %s, not %s",
                   digest_format(&got, got_text), digest_format(want, want_text));
}

struct finish_write {
    struct upload *upload;
    const struct digest *digest;
    int64_t now_us;
    struct blob_new blob; /* also out */
};

static bool write_finish(struct db_tx *tx, void *arg, struct err *err)
{
    struct finish_write *finish = arg;
    struct upload *u = finish->upload;
    struct repository repository;
    struct err why = {0};
    if (u->question != NULL && !u->question(tx, u->asker, err)) {
        return false;
    }
    if (!repository_ensure(tx, &u->repo, finish->now_us, &repository, NULL, &why)) {
        bool old_life = why.code == ERR_BUSY && u->repository_id != 0; /* it is being deleted */
        if (why.code == ERR_NAMESPACE_UNKNOWN || old_life) {
            return upload_unknown(err);
        }
        *err = why;
        return false;
    }
    if (repository.namespace_incarnation != u->namespace_incarnation ||
        (u->repository_id != 0 && repository.id != u->repository_id)) {
        return upload_unknown(err);
    }
    /* what it had reserved is room for the blob */
    return (!u->has_row || upload_row_delete(tx, u->id, err)) &&
           blob_put(tx, repository.id, finish->digest, &finish->blob, finish->now_us, err);
}

static bool commit(struct upload *u, const struct digest *digest, const struct slice *bytes,
                   int64_t now_us, bool *journalled_out, struct err *err)
{
    struct finish_write finish = {.upload = u,
                                  .digest = digest,
                                  .now_us = now_us,
                                  .blob = {.size = upload_received(u),
                                           .bytes = bytes,
                                           .keep_us = u->store->limits.condemned_us}};
    bool done = upload_make_room(u->store, &u->repo, write_finish, &finish, err);
    *journalled_out = done && finish.blob.journalled;
    return done;
}

/* A file that was there already is believed only when the index believes it: scrub may have marked
 * it missing without being able to move it away, or a crash may have cut it. Otherwise it makes way
 * for the bytes at hand. */
static bool publish_over(struct upload *u, const struct digest *digest, bool *existed,
                         struct err *err)
{
    char path[QUARANTINE_PATH_MAX];
    bool sound = false;
    if (!upload_file_is_believed(u, digest, &sound, err)) {
        return false;
    }
    return sound || (quarantine_file(u->store, digest, path, err) &&
                     upload_file_publish(u, digest, existed, err));
}

/* File before row, both under the digest's lock: the collector cannot come between. */
static bool finish_as_file(struct upload *u, const struct digest *digest, int64_t now_us,
                           struct err *err)
{
    bool existed = false;
    bool journalled = false;
    if (!upload_file_need(u, err)) {
        return false;
    }
    store_digest_lock(u->store, digest);
    bool published = upload_file_publish(u, digest, &existed, err) &&
                     (!existed || publish_over(u, digest, &existed, err));
    bool done = published && commit(u, digest, NULL, now_us, &journalled, err);
    if (published && !done && !existed) {
        /* the session goes on, and whoever sends the same bytes must not get a file it writes to */
        upload_file_take_back(u, digest);
    }
    store_digest_unlock(u->store, digest);
    if (!published) {
        /* a second fsync says yes for what the first one lost: this file is not asked again */
        upload_end_quietly(u);
    }
    return done;
}

/* Do the index and the disk have the blob whole, as far as a look at them tells? A disk that does
 * not answer is not one that has nothing: what it holds is left alone. */
static bool is_there(const struct upload *u, const struct digest *digest, bool *out,
                     struct err *err)
{
    struct stat st;
    struct blob_state state;
    struct err why = {0};
    auto_snapshot struct db_tx *tx = NULL;
    *out = false;
    if (!db_snapshot(u->store->db, &tx, err) || !blob_state(tx, digest, &state, err)) {
        return false;
    }
    auto_fd int fd = blob_open(u->store, tx, digest, &why);
    if (fd < 0 && why.code != ERR_BLOB_UNKNOWN) {
        *err = why;
        return false;
    }
    if (fd < 0) {
        return true;
    }
    if (fstat(fd, &st) != 0) {
        return err_sys(err, errno, "look at a blob that was pushed again");
    }
    *out = state.missing_us == 0 && st.st_size == upload_received(u);
    return true;
}

/* The blob was there before these bytes came. If its file is lost or cut, or was marked missing
 * since, they take its place. */
static bool mend(struct upload *u, const struct digest *digest, int64_t now_us, struct err *err)
{
    bool there = false;
    return is_there(u, digest, &there, err) && (there || finish_as_file(u, digest, now_us, err));
}

/* Bytes and row in one commit, and the file later. No lock: nothing is done to any file, and
 * transactions come one after the other. */
static bool finish_in_journal(struct upload *u, const struct digest *digest, int64_t now_us,
                              struct err *err)
{
    auto_buf struct buf room = {0};
    struct slice bytes;
    bool journalled = false;
    if (!upload_file_bytes(u, &room, &bytes, err) ||
        !commit(u, digest, &bytes, now_us, &journalled, err)) {
        return false;
    }
    if (journalled) {
        blob_journal_added(u->store, (int64_t)bytes.n);
        return true;
    }
    if (!mend(u, digest, now_us, err)) {
        upload_end_quietly(u); /* its row is gone already */
        return false;
    }
    return true;
}

static bool finish(struct upload *u, const struct digest *digest, int64_t now_us, struct err *err)
{
    atomic_store(&u->last_used_us, now_us);
    if (!verify(u, digest, err)) {
        if (err->code == ERR_DIGEST_INVALID) {
            upload_end_quietly(u);
        }
        return false;
    }
    bool done = blob_journal_has_room(u->store, upload_received(u))
                    ? finish_in_journal(u, digest, now_us, err)
                    : finish_as_file(u, digest, now_us, err);
    if (!done) {
        return false;
    }
    upload_table_end(u);
    if (u->fd >= 0) {
        upload_file_unlink(u);
    }
    return true;
}

bool upload_finish(struct upload *upload, const struct digest *digest, int64_t now_us,
                   int64_t *size_out, struct err *err)
{
    struct err why = {0};
    int64_t size = upload_received(upload);
    if (!finish(upload, digest, now_us, &why)) {
        if (err) {
            *err = why;
        }
        return false;
    }
    if (size_out) {
        *size_out = size;
    }
    return true;
}
