#include "base/fsx.h"
#include "storage/blob_journal.h"
#include "storage/schema.h"
#include "storage/statements.h"
#include "storage/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

static const struct store_limits default_limits = {
    .uploads_per_account = 512,
    .upload_idle_us = INT64_C(24) * 3600 * 1000000,
    .condemned_us = INT64_C(24) * 3600 * 1000000,
    .journal_bytes = INT64_C(32) * 1024 * 1024,
};

static struct store *store_new(void)
{
    struct store *store = xcalloc(1, sizeof(*store));
    store->dir_fd = store->lock_fd = store->blobs_fd = store->uploads_fd = -1;
    store->limits = default_limits;
    store->uploads = uploads_new();
    pthread_mutex_init(&store->folders_lock, NULL);
    for (size_t i = 0; i < STORE_DIGEST_LOCKS; i++) {
        pthread_mutex_init(&store->digest_locks[i], NULL);
    }
    return store;
}

/* What whoever starts the program can mend is told as he would say it. */
static bool refuse_folder(const char *dir, const struct err *why, struct err *err)
{
    switch (why->sys) {
    case ENOENT:
    case ENOTDIR:
        return err_set(err, ERR_INVALID, "there is no folder %s; bondstore init makes a data folder", dir);
    case EACCES:
    case EPERM:
    case EROFS:
        return err_set(err, ERR_INVALID, "the folder %s cannot be written (%s); its owner can serve it", dir,
                       strerror(why->sys));
    default:
        if (err) {
            *err = *why;
        }
        return false;
    }
}

static bool lock_folder(struct store *store, const char *dir, struct err *err)
{
    struct err why = {0};
    store->lock_fd = fsx_lock(store->dir_fd, "lock", &why);
    if (store->lock_fd >= 0) {
        return true;
    }
    if (why.code == ERR_CONFLICT) {
        return err_set(err, ERR_CONFLICT, "another server is using the folder %s", dir);
    }
    return refuse_folder(dir, &why, err);
}

static bool open_index(struct store *store, const char *dir, struct err *err)
{
    auto_buf struct buf path = {0};
    buf_printf(&path, "%s/index.db", dir);
    struct db_options options = {
        .path = path.p,
        .statements = sql_statements,
        .statement_count = SQL_COUNT,
        .migrations = schema_migrations,
        .migration_count = schema_migration_count,
    };
    return db_open(&options, &store->db, err);
}

static bool open_all(struct store *store, const char *dir, struct err *err)
{
    struct err why = {0};
    store->dir_fd = fsx_open_dir(AT_FDCWD, dir, false, 0700, &why);
    if (store->dir_fd < 0) {
        return refuse_folder(dir, &why, err);
    }
    if (!lock_folder(store, dir, err)) {
        return false;
    }
    store->blobs_fd = fsx_open_dir(store->dir_fd, "blobs", true, 0700, err);
    if (store->blobs_fd < 0) {
        return false;
    }
    store->uploads_fd = fsx_open_dir(store->dir_fd, "uploads", true, 0700, err);
    return store->uploads_fd >= 0 && open_index(store, dir, err) &&
           blob_journal_start(store, err) && uploads_sweep(store, err);
}

bool store_open(const char *dir, struct store **out, struct err *err)
{
    struct store *store = store_new();
    *out = NULL;
    if (!open_all(store, dir, err)) {
        store_close(store);
        return false;
    }
    *out = store;
    return true;
}

void store_close(struct store *store)
{
    if (!store) {
        return;
    }
    uploads_free(store->uploads);
    db_close(store->db);
    cleanup_fd(&store->uploads_fd);
    cleanup_fd(&store->blobs_fd);
    cleanup_fd(&store->dir_fd);
    cleanup_fd(&store->lock_fd); /* last: the folder is free from here on */
    for (size_t i = 0; i < STORE_DIGEST_LOCKS; i++) {
        pthread_mutex_destroy(&store->digest_locks[i]);
    }
    pthread_mutex_destroy(&store->folders_lock);
    free(store);
}

struct db *store_db(struct store *store)
{
    return store->db;
}

int store_blobs_dir(const struct store *store)
{
    return store->blobs_fd;
}

int store_uploads_dir(const struct store *store)
{
    return store->uploads_fd;
}

void store_set_limits(struct store *store, const struct store_limits *limits)
{
    store->limits = *limits;
}

const struct store_limits *store_get_limits(const struct store *store)
{
    return &store->limits;
}

static pthread_mutex_t *lock_of(struct store *store, const struct digest *digest)
{
    return &store->digest_locks[digest->bytes[0] % STORE_DIGEST_LOCKS];
}

void store_digest_lock(struct store *store, const struct digest *digest)
{
    pthread_mutex_lock(lock_of(store, digest));
}

void store_digest_unlock(struct store *store, const struct digest *digest)
{
    pthread_mutex_unlock(lock_of(store, digest));
}

/* mkdir and a sync of the parent, whoever made it: it may have been a process that died before its
 * own sync. */
static bool make_folder(int at, const char *parent, const char *path, struct err *err)
{
    if (!fsx_mkdir(at, path, 0700, err)) {
        return false;
    }
    auto_fd int fd = openat(at, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        return err_sys(err, errno, "sync of the folder of %s", path);
    }
    return true;
}

static bool make_folders(int blobs_fd, const struct digest *digest, struct err *err)
{
    const char *algorithm = digest_algorithm_name(digest->algorithm);
    char path[32];
    snprintf(path, sizeof(path), "%s/%02x", algorithm, digest->bytes[0]);
    return make_folder(blobs_fd, ".", algorithm, err) &&
           make_folder(blobs_fd, algorithm, path, err);
}

bool store_blob_folder(struct store *store, const struct digest *digest, struct err *err)
{
    pthread_mutex_lock(&store->folders_lock);
    bool *made = &store->folders[digest->algorithm][digest->bytes[0]];
    if (!*made) {
        *made = make_folders(store->blobs_fd, digest, err);
    }
    bool done = *made;
    pthread_mutex_unlock(&store->folders_lock);
    return done;
}
