#include "storage/blob.h"
#include "storage/quarantine.h"
#include "storage/repository.h"
#include "storage/upload_internal.h"

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
};

static bool write_finish(struct db_tx *tx, void *arg, struct err *err)
{
    struct finish_write *finish = arg;
    struct upload *u = finish->upload;
    struct repository repository;
    struct err why = {0};
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
           blob_put(tx, repository.id, finish->digest, upload_received(u),
                    u->store->limits.condemned_us, finish->now_us, err);
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
static bool publish_and_commit(struct upload *u, const struct digest *digest, int64_t now_us,
                               struct err *err)
{
    struct finish_write finish = {.upload = u, .digest = digest, .now_us = now_us};
    bool existed = false;
    store_digest_lock(u->store, digest);
    bool published = upload_file_publish(u, digest, &existed, err) &&
                     (!existed || publish_over(u, digest, &existed, err));
    bool done = published && upload_make_room(u->store, &u->repo, write_finish, &finish, err);
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

static bool finish(struct upload *u, const struct digest *digest, int64_t now_us, struct err *err)
{
    atomic_store(&u->last_used_us, now_us);
    if (!verify(u, digest, err)) {
        if (err->code == ERR_DIGEST_INVALID) {
            upload_end_quietly(u);
        }
        return false;
    }
    if (!publish_and_commit(u, digest, now_us, err)) {
        return false;
    }
    upload_table_end(u);
    upload_file_unlink(u);
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
