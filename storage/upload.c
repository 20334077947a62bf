#include "storage/upload.h"

#include "base/clock.h"
#include "base/fsx.h"
#include "base/hash.h"
#include "base/log.h"
#include "storage/blob.h"
#include "storage/repository.h"
#include "storage/row.h"
#include "storage/statements.h"
#include "storage/store_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>

#define BUCKETS 256
#define READ_UNIT ((size_t)256 * 1024)
#define WRITE_BACK_UNIT (INT64_C(8) * 1024 * 1024)
#define EXPIRE_PAGE 100

struct upload {
    struct store *store;
    char id[UPLOAD_ID_MAX];
    enum upload_kind kind;
    struct repo_name repo;
    int64_t repository_id; /* 0: a single one, its repository is made when it is finished */
    int64_t namespace_id;
    int64_t namespace_incarnation;
    int64_t account_id;

    /* of the request that uses it */
    int fd;
    struct hash *sha256;
    int64_t written_back;
    int64_t quota_bytes, used_bytes; /* of the namespace, when the request took it */

    atomic_int_fast64_t received;
    atomic_int_fast64_t last_used_us;

    /* under the table's lock */
    bool busy;
    bool over;
    struct upload *next;
};

struct uploads {
    pthread_mutex_t lock;
    struct upload *buckets[BUCKETS];
};

/* What a row of table upload says. */
struct upload_row {
    int64_t repository_id, namespace_id, namespace_incarnation, account_id, started_us;
    char repo[REPO_NAME_MAX + 1];
};

/* --- the table of sessions -------------------------------------------------------------------- */

struct uploads *uploads_new(void)
{
    struct uploads *uploads = xcalloc(1, sizeof(*uploads));
    pthread_mutex_init(&uploads->lock, NULL);
    return uploads;
}

static void upload_free(struct upload *u)
{
    cleanup_fd(&u->fd);
    hash_free(u->sha256);
    free(u);
}

void uploads_free(struct uploads *uploads)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        while (uploads->buckets[i]) {
            struct upload *u = uploads->buckets[i];
            uploads->buckets[i] = u->next;
            upload_free(u);
        }
    }
    pthread_mutex_destroy(&uploads->lock);
    free(uploads);
}

/* Ids are random: two of their digits spread them. */
static struct upload **bucket_of(struct uploads *uploads, const char *id)
{
    unsigned char first = 0;
    (void)sodium_hex2bin(&first, 1, id, 2, NULL, NULL, NULL);
    return &uploads->buckets[first];
}

/* With the lock held. */
static struct upload *find(struct uploads *uploads, const char *id)
{
    struct upload *u = *bucket_of(uploads, id);
    while (u && strcmp(u->id, id) != 0) {
        u = u->next;
    }
    return u;
}

static void insert(struct uploads *uploads, struct upload *u)
{
    struct upload **bucket = bucket_of(uploads, u->id);
    u->next = *bucket;
    *bucket = u;
}

static void forget(struct upload *u)
{
    struct uploads *uploads = u->store->uploads;
    pthread_mutex_lock(&uploads->lock);
    struct upload **at = bucket_of(uploads, u->id);
    while (*at != u) {
        at = &(*at)->next;
    }
    *at = u->next;
    pthread_mutex_unlock(&uploads->lock);
    upload_free(u);
}

static void mark_over(struct upload *u)
{
    pthread_mutex_lock(&u->store->uploads->lock);
    u->over = true;
    pthread_mutex_unlock(&u->store->uploads->lock);
}

static bool unknown(struct err *err)
{
    return err_set(err, ERR_UPLOAD_UNKNOWN, "");
}

static void make_id(char out[UPLOAD_ID_MAX])
{
    unsigned char r[16];
    randombytes_buf(r, sizeof(r));
    r[6] = (unsigned char)((r[6] & 0x0F) | 0x40); /* version 4 */
    r[8] = (unsigned char)((r[8] & 0x3F) | 0x80); /* variant 1 */
    snprintf(out, UPLOAD_ID_MAX,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", r[0], r[1],
             r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10], r[11], r[12], r[13], r[14],
             r[15]);
}

/* The form of our own ids, so that nothing else is ever looked for as a file. */
static bool read_id(struct slice text, char out[UPLOAD_ID_MAX])
{
    if (text.n != UPLOAD_ID_MAX - 1) {
        return false;
    }
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
    }
    memcpy(out, text.p, text.n);
    out[text.n] = '\0';
    return true;
}

/* --- rows ------------------------------------------------------------------------------------- */

static bool read_row(struct db_tx *tx, const char *id, struct upload_row *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_UPLOAD_GET);
    db_bind_str(q, 1, id);
    switch (db_step(q, err)) {
    case DB_ROW:
        out->repository_id = db_col_int(q, 0);
        row_text(q, 1, out->repo, sizeof(out->repo));
        out->namespace_id = db_col_int(q, 2);
        out->namespace_incarnation = db_col_int(q, 3);
        out->account_id = db_col_int(q, 4);
        out->started_us = db_col_int(q, 5);
        return true;
    case DB_DONE:
        return unknown(err);
    case DB_FAILED:
        return false;
    }
    BUG("db_step has no fourth answer");
}

static bool load_row(struct db *db, const char *id, struct upload_row *out, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    return db_snapshot(db, &tx, err) && read_row(tx, id, out, err);
}

static bool row_is_of(const struct upload_row *row, const struct repo_name *repo,
                      int64_t account_id)
{
    return slice_is(repo_name_slice(repo), row->repo) && row->account_id == account_id;
}

static bool is_of(const struct upload *u, const struct repo_name *repo, int64_t account_id)
{
    return slice_equal(repo_name_slice(repo), repo_name_slice(&u->repo)) &&
           u->account_id == account_id && u->kind == UPLOAD_SESSION;
}

static bool delete_row(struct db_tx *tx, void *arg, struct err *err)
{
    const char *id = arg;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_UPLOAD_DELETE);
    db_bind_str(q, 1, id);
    return db_run(q, err);
}

/* --- files ------------------------------------------------------------------------------------ */

static bool hash_file(int fd, int64_t size, struct hash *h, struct err *err)
{
    auto_free char *unit = xmalloc(READ_UNIT);
    int64_t at = 0;
    while (at < size) {
        size_t want = size - at < (int64_t)READ_UNIT ? (size_t)(size - at) : READ_UNIT;
        ssize_t n = pread(fd, unit, want, at);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return err_sys(err, n == 0 ? EIO : errno, "read of an upload");
        }
        hash_update(h, unit, (size_t)n);
        at += n;
    }
    return true;
}

static bool digest_file(int fd, int64_t size, enum digest_algorithm algorithm, struct digest *out,
                        struct err *err)
{
    auto_hash struct hash *h = hash_new(algorithm);
    if (!hash_file(fd, size, h, err)) {
        return false;
    }
    hash_peek(h, out);
    return true;
}

static bool open_file(struct upload *u, struct err *err)
{
    u->fd = openat(u->store->uploads_fd, u->id, O_RDWR | O_CLOEXEC);
    if (u->fd >= 0) {
        return true;
    }
    return errno == ENOENT ? unknown(err) : err_sys(err, errno, "open the upload %s", u->id);
}

static bool create_file(struct upload *u, struct err *err)
{
    u->fd = openat(u->store->uploads_fd, u->id, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return u->fd >= 0 || err_sys(err, errno, "create the upload %s", u->id);
}

/* What stays behind is removed by the next start. */
static void unlink_quietly(const struct upload *u)
{
    struct err err = {0};
    if (!fsx_unlink(u->store->uploads_fd, u->id, &err)) {
        log_err(LOG_WARN, "upload_unlink", &err);
    }
}

static bool is_unheld(struct db_tx *tx, void *arg, struct err *err)
{
    struct digest *digest = arg;
    bool held = false;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_BLOB_SIZE);
    db_bind_digest(q, 1, digest);
    if (!row_exists(q, &held, err)) {
        return false;
    }
    return !held || err_set(err, ERR_CONFLICT, "");
}

/* Removes a file under blobs/ that was published but has no row: its commit failed, or a crash came
 * before it. */
static void remove_orphan(struct store *store, struct digest *digest)
{
    char path[BLOB_PATH_MAX];
    struct err err = {0};
    store_digest_lock(store, digest);
    if (db_write(store->db, is_unheld, digest, &err) &&
        !fsx_unlink(store->blobs_fd, blob_path(digest, path), &err)) {
        log_err(LOG_WARN, "orphan_remove", &err);
    }
    store_digest_unlock(store, digest);
}

/* An upload's file with a second name was published under one of its digests. */
static bool remove_published(struct store *store, int fd, struct err *err)
{
    static const enum digest_algorithm algorithms[] = {DIGEST_SHA256, DIGEST_SHA512};
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return err_sys(err, errno, "stat of an upload");
    }
    for (size_t i = 0; st.st_nlink > 1 && i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
        struct digest digest;
        if (!digest_file(fd, st.st_size, algorithms[i], &digest, err)) {
            return false;
        }
        remove_orphan(store, &digest);
    }
    return true;
}

/* Ends a session for good: what it published without a row, its row, its file, in this order, so
 * that a crash leaves enough to begin again. */
static bool discard(struct upload *u, struct err *err)
{
    mark_over(u);
    if (u->fd >= 0 && !remove_published(u->store, u->fd, err)) {
        return false;
    }
    if (u->kind == UPLOAD_SESSION && !db_write(u->store->db, delete_row, u->id, err)) {
        return false;
    }
    return fsx_unlink(u->store->uploads_fd, u->id, err);
}

static void discard_quietly(struct upload *u)
{
    struct err err = {0};
    if (!discard(u, &err)) {
        log_err(LOG_WARN, "upload_discard", &err);
    }
}

/* --- taking and giving back ------------------------------------------------------------------- */

static struct upload *upload_new(struct store *store, const char *id, enum upload_kind kind)
{
    struct upload *u = xcalloc(1, sizeof(*u));
    u->store = store;
    snprintf(u->id, sizeof(u->id), "%s", id);
    u->kind = kind;
    u->fd = -1;
    u->busy = true;
    return u;
}

static bool in_use(struct err *err)
{
    return err_set(err, ERR_UPLOAD_INVALID, "another request is using this upload");
}

/* Takes a session that is in memory. *found_out false: it is not. */
static bool take_known(struct uploads *uploads, const struct repo_name *repo, const char *id,
                       int64_t account_id, struct upload **found_out, struct err *err)
{
    bool taken = true;
    pthread_mutex_lock(&uploads->lock);
    struct upload *u = find(uploads, id);
    if (u && (u->over || !is_of(u, repo, account_id))) {
        taken = unknown(err);
    } else if (u && u->busy) {
        taken = in_use(err);
    } else if (u) {
        u->busy = true;
    }
    pthread_mutex_unlock(&uploads->lock);
    *found_out = taken ? u : NULL;
    return taken;
}

/* Puts a session into memory that only a row knows; busy from the start. False when somebody else
 * was faster. */
static bool adopt(struct upload *u)
{
    struct uploads *uploads = u->store->uploads;
    pthread_mutex_lock(&uploads->lock);
    bool first = !find(uploads, u->id);
    if (first) {
        insert(uploads, u);
    }
    pthread_mutex_unlock(&uploads->lock);
    return first;
}

static struct upload *upload_of_row(struct store *store, const struct repo_name *repo,
                                    const char *id, const struct upload_row *row)
{
    struct upload *u = upload_new(store, id, UPLOAD_SESSION);
    u->repo = *repo;
    u->repository_id = row->repository_id;
    u->namespace_id = row->namespace_id;
    u->namespace_incarnation = row->namespace_incarnation;
    u->account_id = row->account_id;
    atomic_store(&u->last_used_us, row->started_us);
    return u;
}

static bool take_row(struct store *store, const struct repo_name *repo, const char *id,
                     int64_t account_id, struct upload **out, struct err *err)
{
    struct upload_row row;
    if (!load_row(store->db, id, &row, err)) {
        return false;
    }
    if (!row_is_of(&row, repo, account_id)) {
        return unknown(err);
    }
    struct upload *u = upload_of_row(store, repo, id, &row);
    if (!adopt(u)) {
        upload_free(u);
        return in_use(err);
    }
    *out = u;
    return true;
}

static bool take_session(struct store *store, const struct repo_name *repo, struct slice text,
                         int64_t account_id, struct upload **out, struct err *err)
{
    char id[UPLOAD_ID_MAX];
    *out = NULL;
    if (!read_id(text, id)) {
        return unknown(err);
    }
    if (!take_known(store->uploads, repo, id, account_id, out, err)) {
        return false;
    }
    return *out || take_row(store, repo, id, account_id, out, err);
}

/* The hash state of what is in the file; after a restart it is read back. */
static bool restore_hash(struct upload *u, struct err *err)
{
    struct stat st;
    if (u->sha256) {
        return true;
    }
    if (fstat(u->fd, &st) != 0) {
        return err_sys(err, errno, "stat of the upload %s", u->id);
    }
    auto_hash struct hash *h = hash_new(DIGEST_SHA256);
    if (!hash_file(u->fd, st.st_size, h, err)) {
        return false;
    }
    u->sha256 = take(h);
    atomic_store(&u->received, st.st_size);
    return true;
}

static bool read_quota(struct upload *u, struct err *err)
{
    struct namespace ns;
    auto_snapshot struct db_tx *tx = NULL;
    if (!db_snapshot(u->store->db, &tx, err)) {
        return false;
    }
    struct err why = {0};
    if (!namespace_get_by_id(tx, u->namespace_id, &ns, &why) ||
        ns.incarnation != u->namespace_incarnation) {
        return unknown(err);
    }
    u->quota_bytes = ns.quota_bytes;
    u->used_bytes = ns.used_bytes;
    return true;
}

bool upload_open(struct store *store, const struct repo_name *repo, struct slice id,
                 int64_t account_id, int64_t now_us, struct upload **out, struct err *err)
{
    struct upload *u = NULL;
    *out = NULL;
    if (!take_session(store, repo, id, account_id, &u, err)) {
        return false;
    }
    atomic_store(&u->last_used_us, now_us);
    if (!open_file(u, err) || !restore_hash(u, err) || !read_quota(u, err)) {
        upload_close(u);
        return false;
    }
    *out = u;
    return true;
}

void upload_close(struct upload *upload)
{
    if (!upload) {
        return;
    }
    if (upload->kind == UPLOAD_SINGLE && !upload->over) {
        discard_quietly(upload);
    }
    if (upload->over) {
        forget(upload);
        return;
    }
    cleanup_fd(&upload->fd); /* an idle session costs no descriptor */
    upload->fd = -1;
    pthread_mutex_t *lock = &upload->store->uploads->lock;
    pthread_mutex_lock(lock);
    upload->busy = false;
    pthread_mutex_unlock(lock);
}

/* --- starting --------------------------------------------------------------------------------- */

/* The namespace a session is bound to, and how many the account has open. */
static bool read_start(struct upload *u, int64_t *open_out, struct err *err)
{
    struct namespace ns;
    struct namespace_name name;
    repo_name_namespace(&u->repo, &name);

    auto_snapshot struct db_tx *tx = NULL;
    if (!db_snapshot(u->store->db, &tx, err) || !namespace_get(tx, &name, &ns, err)) {
        return false;
    }
    u->namespace_id = ns.id;
    u->namespace_incarnation = ns.incarnation;
    u->quota_bytes = ns.quota_bytes;
    u->used_bytes = ns.used_bytes;

    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_UPLOAD_COUNT_ACCOUNT);
    db_bind_int(q, 1, u->account_id);
    return row_int(q, open_out, err);
}

/* When a session was last used, as far as memory knows; INT64_MAX when a request is using it. */
static int64_t last_used(struct uploads *uploads, const char *id, int64_t started_us)
{
    int64_t used = started_us;
    pthread_mutex_lock(&uploads->lock);
    const struct upload *u = find(uploads, id);
    if (u) {
        used = u->busy || u->over ? INT64_MAX : (int64_t)atomic_load(&u->last_used_us);
    }
    pthread_mutex_unlock(&uploads->lock);
    return used;
}

/* The account's longest idle session; "" when all are in use. */
static bool longest_idle(struct store *store, int64_t account_id, char id_out[UPLOAD_ID_MAX],
                         struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    if (!db_snapshot(store->db, &tx, err)) {
        return false;
    }
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_UPLOAD_LIST_ACCOUNT);
    db_bind_int(q, 1, account_id);

    int64_t oldest = INT64_MAX;
    enum db_result result;
    id_out[0] = '\0';
    while ((result = db_step(q, err)) == DB_ROW) {
        char id[UPLOAD_ID_MAX];
        row_text(q, 0, id, sizeof(id));
        int64_t used = last_used(store->uploads, id, db_col_int(q, 1));
        if (used < oldest) {
            oldest = used;
            memcpy(id_out, id, sizeof(id));
        }
    }
    return result != DB_FAILED;
}

/* Takes and discards a session by id, whoever it belongs to. A session that somebody took meanwhile
 * is left alone. */
static bool end_session(struct store *store, const char *id, bool *ended_out, struct err *err)
{
    struct upload_row row;
    struct repo_name repo;
    struct upload *u = NULL;
    struct err why = {0};

    *ended_out = false;
    if (!load_row(store->db, id, &row, &why) ||
        !repo_name_parse(slice_str(row.repo), &repo, &why) ||
        !take_session(store, &repo, slice_str(id), row.account_id, &u, &why)) {
        if (why.code == ERR_UPLOAD_UNKNOWN || why.code == ERR_UPLOAD_INVALID) {
            return true;
        }
        if (err) {
            *err = why;
        }
        return false;
    }
    (void)open_file(u, NULL); /* without its file only the row is left to remove */
    *ended_out = discard(u, err);
    forget(u);
    return *ended_out;
}

static bool make_room(struct upload *u, int64_t open, struct err *err)
{
    char id[UPLOAD_ID_MAX];
    bool ended = false;
    if (open < u->store->limits.uploads_per_account) {
        return true;
    }
    if (!longest_idle(u->store, u->account_id, id, err)) {
        return false;
    }
    if (id[0] == '\0') {
        return err_set(err, ERR_BUSY, "all of your %d uploads are in use, try again shortly",
                       u->store->limits.uploads_per_account);
    }
    return end_session(u->store, id, &ended, err);
}

struct start_write {
    struct upload *upload;
    int64_t now_us;
    int64_t repository_id; /* out */
};

static bool write_start(struct db_tx *tx, void *arg, struct err *err)
{
    struct start_write *start = arg;
    const struct upload *u = start->upload;
    struct repository repository;
    if (!repository_ensure(tx, &u->repo, start->now_us, &repository, NULL, err)) {
        return false;
    }
    start->repository_id = repository.id;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_UPLOAD_INSERT);
    db_bind_str(q, 1, u->id);
    db_bind_int(q, 2, repository.id);
    db_bind_int(q, 3, repository.namespace_incarnation);
    db_bind_int(q, 4, u->account_id);
    db_bind_int(q, 5, start->now_us);
    return db_run(q, err);
}

static bool store_start(struct upload *u, int64_t now_us, struct err *err)
{
    struct start_write start = {.upload = u, .now_us = now_us};
    if (u->kind == UPLOAD_SINGLE) {
        return true;
    }
    if (!db_write(u->store->db, write_start, &start, err)) {
        return false;
    }
    u->repository_id = start.repository_id;
    return true;
}

bool upload_start(struct store *store, const struct repo_name *repo, enum upload_kind kind,
                  const struct actor *actor, int64_t now_us, struct upload **out, struct err *err)
{
    char id[UPLOAD_ID_MAX];
    int64_t open = 0;
    *out = NULL;
    make_id(id);

    struct upload *u = upload_new(store, id, kind);
    u->repo = *repo;
    u->account_id = actor->account_id;
    u->sha256 = hash_new(DIGEST_SHA256);
    atomic_store(&u->last_used_us, now_us);
    if (!read_start(u, &open, err) || (kind == UPLOAD_SESSION && !make_room(u, open, err)) ||
        !create_file(u, err)) {
        upload_free(u);
        return false;
    }
    if (!store_start(u, now_us, err)) {
        unlink_quietly(u);
        upload_free(u);
        return false;
    }
    (void)adopt(u);
    *out = u;
    return true;
}

/* --- bytes ------------------------------------------------------------------------------------ */

const char *upload_id(const struct upload *upload)
{
    return upload->id;
}

int64_t upload_received(const struct upload *upload)
{
    return (int64_t)atomic_load(&upload->received);
}

bool upload_expect(const struct upload *upload, int64_t offset, struct err *err)
{
    int64_t received = upload_received(upload);
    if (offset == received) {
        return true;
    }
    return err_set(err, ERR_RANGE, "the chunk begins at byte %lld, %lld were received",
                   (long long)offset, (long long)received);
}

/* Bytes of all sessions of a namespace that have not become blobs yet. */
static int64_t pending_bytes(struct uploads *uploads, int64_t namespace_id)
{
    int64_t sum = 0;
    pthread_mutex_lock(&uploads->lock);
    for (size_t i = 0; i < BUCKETS; i++) {
        for (const struct upload *u = uploads->buckets[i]; u; u = u->next) {
            if (u->namespace_id == namespace_id && !u->over) {
                sum += (int64_t)atomic_load(&u->received);
            }
        }
    }
    pthread_mutex_unlock(&uploads->lock);
    return sum;
}

/* Early, so that nobody sends what cannot stay; upload_finish decides. */
static bool check_quota(const struct upload *u, size_t more, struct err *err)
{
    if (u->quota_bytes == 0) {
        return true;
    }
    int64_t pending = pending_bytes(u->store->uploads, u->namespace_id);
    if (u->used_bytes + pending + (int64_t)more <= u->quota_bytes) {
        return true;
    }
    return err_set(err, ERR_QUOTA, "");
}

bool upload_append(struct upload *upload, struct slice bytes, int64_t now_us, struct err *err)
{
    int64_t at = upload_received(upload);
    atomic_store(&upload->last_used_us, now_us);
    if (!check_quota(upload, bytes.n, err)) {
        return false;
    }
    if (!fsx_pwrite_all(upload->fd, bytes.p, bytes.n, at, err)) {
        if (ftruncate(upload->fd, at) != 0) {
            log_event(LOG_WARN, "upload_truncate", "id=%s errno=%d", upload->id, errno);
        }
        return false;
    }
    hash_update(upload->sha256, bytes.p, bytes.n);
    int64_t end = at + (int64_t)bytes.n;
    atomic_store(&upload->received, end);
    if (end - upload->written_back >=
        WRITE_BACK_UNIT) { /* so that the fsync at the end finds little left */
        (void)sync_file_range(upload->fd, upload->written_back, end - upload->written_back,
                              SYNC_FILE_RANGE_WRITE);
        upload->written_back = end;
    }
    return true;
}

/* --- finishing -------------------------------------------------------------------------------- */

static bool verify(const struct upload *u, const struct digest *want, struct err *err)
{
    struct digest got;
    if (want->algorithm == DIGEST_SHA256) {
        hash_peek(u->sha256, &got);
    } else if (!digest_file(u->fd, upload_received(u), want->algorithm, &got, err)) {
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

static bool publish(struct upload *u, const struct digest *digest, struct err *err)
{
    char path[BLOB_PATH_MAX];
    struct stat st;
    if (fstat(u->fd, &st) != 0) {
        return err_sys(err, errno, "stat of the upload %s", u->id);
    }
    if (st.st_size != upload_received(u)) {
        return err_internal(err, "upload %s: %lld bytes in the file, %lld received", u->id,
                            (long long)st.st_size, (long long)upload_received(u));
    }
    return store_blob_folder(u->store, digest, err) &&
           fsx_publish(u->fd, u->store->uploads_fd, u->id, u->store->blobs_fd,
                       blob_path(digest, path), NULL, err);
}

struct finish_write {
    struct upload *upload;
    const struct digest *digest;
    int64_t now_us;
};

static bool write_finish(struct db_tx *tx, void *arg, struct err *err)
{
    const struct finish_write *finish = arg;
    struct upload *u = finish->upload;
    struct repository repository;
    struct err why = {0};
    if (!repository_ensure(tx, &u->repo, finish->now_us, &repository, NULL, &why)) {
        if (why.code == ERR_NAMESPACE_UNKNOWN) {
            return unknown(err);
        }
        *err = why;
        return false;
    }
    if (repository.namespace_incarnation != u->namespace_incarnation ||
        (u->repository_id != 0 && repository.id != u->repository_id)) {
        return unknown(err);
    }
    return blob_put(tx, repository.id, finish->digest, upload_received(u),
                    u->store->limits.condemned_us, finish->now_us, err) &&
           delete_row(tx, u->id, err);
}

/* File before row, both under the digest's lock: the collector cannot come between. */
static bool publish_and_commit(struct upload *u, const struct digest *digest, int64_t now_us,
                               struct err *err)
{
    struct finish_write finish = {.upload = u, .digest = digest, .now_us = now_us};
    struct err why = {0};
    store_digest_lock(u->store, digest);
    bool done = publish(u, digest, &why) && db_write(u->store->db, write_finish, &finish, &why);
    store_digest_unlock(u->store, digest);
    if (!done && err) {
        *err = why;
    }
    return done;
}

bool upload_finish(struct upload *upload, const struct digest *digest, int64_t now_us,
                   int64_t *size_out, struct err *err)
{
    struct err why = {0};
    atomic_store(&upload->last_used_us, now_us);
    if (!verify(upload, digest, &why)) {
        if (why.code == ERR_DIGEST_INVALID) {
            discard_quietly(upload);
        }
        if (err) {
            *err = why;
        }
        return false;
    }
    if (!publish_and_commit(upload, digest, now_us, err)) {
        return false;
    }
    mark_over(upload);
    unlink_quietly(upload);
    if (size_out) {
        *size_out = upload_received(upload);
    }
    return true;
}

/* --- without the bytes ------------------------------------------------------------------------ */

/* -1: not in memory. -2: there, but not for this caller. */
static int64_t received_known(struct uploads *uploads, const struct repo_name *repo, const char *id,
                              int64_t account_id)
{
    int64_t received = -1;
    pthread_mutex_lock(&uploads->lock);
    const struct upload *u = find(uploads, id);
    if (u) {
        received = u->over || !is_of(u, repo, account_id) ? -2 : upload_received(u);
    }
    pthread_mutex_unlock(&uploads->lock);
    return received;
}

bool upload_status(struct store *store, const struct repo_name *repo, struct slice id,
                   int64_t account_id, int64_t *received_out, struct err *err)
{
    char text[UPLOAD_ID_MAX];
    struct upload_row row;
    struct stat st;
    if (!read_id(id, text)) {
        return unknown(err);
    }
    *received_out = received_known(store->uploads, repo, text, account_id);
    if (*received_out != -1) {
        return *received_out >= 0 || unknown(err);
    }
    if (!load_row(store->db, text, &row, err)) {
        return false;
    }
    if (!row_is_of(&row, repo, account_id) || fstatat(store->uploads_fd, text, &st, 0) != 0) {
        return unknown(err);
    }
    *received_out = st.st_size;
    return true;
}

bool upload_cancel(struct store *store, const struct repo_name *repo, struct slice id,
                   int64_t account_id, int64_t now_us, struct err *err)
{
    struct upload *u = NULL;
    if (!take_session(store, repo, id, account_id, &u, err)) {
        return false;
    }
    atomic_store(&u->last_used_us, now_us);
    (void)open_file(u, NULL);
    bool done = discard(u, err);
    forget(u);
    return done;
}

/* --- maintenance ------------------------------------------------------------------------------ */

/* Sessions begun before `before_us`, after the cursor (start, id). */
struct expire_page {
    char ids[EXPIRE_PAGE][UPLOAD_ID_MAX];
    int64_t started[EXPIRE_PAGE];
    int count;
};

static bool read_expire_page(struct store *store, int64_t before_us, int64_t after_us,
                             const char *after_id, struct expire_page *page, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    page->count = 0;
    if (!db_snapshot(store->db, &tx, err)) {
        return false;
    }
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_UPLOAD_LIST_BEFORE);
    db_bind_int(q, 1, before_us);
    db_bind_int(q, 2, after_us);
    db_bind_str(q, 3, after_id);
    db_bind_int(q, 4, EXPIRE_PAGE);

    enum db_result result = DB_DONE;
    while (page->count < EXPIRE_PAGE && (result = db_step(q, err)) == DB_ROW) {
        row_text(q, 0, page->ids[page->count], UPLOAD_ID_MAX);
        page->started[page->count++] = db_col_int(q, 1);
    }
    return result != DB_FAILED;
}

/* A session that only a row knows was last used when its file was last written. */
static bool is_idle(struct store *store, const char *id, int64_t started_us, int64_t before_us)
{
    struct stat st;
    pthread_mutex_lock(&store->uploads->lock);
    bool known = find(store->uploads, id) != NULL;
    pthread_mutex_unlock(&store->uploads->lock);

    int64_t used = last_used(store->uploads, id, started_us);
    if (!known && fstatat(store->uploads_fd, id, &st, 0) == 0) {
        int64_t written = (int64_t)st.st_mtim.tv_sec * US_PER_SECOND + st.st_mtim.tv_nsec / 1000;
        used = written > used ? written : used;
    }
    return used < before_us;
}

static bool expire_page(struct store *store, const struct expire_page *page, int64_t before_us,
                        int max, int *ended, struct err *err)
{
    for (int i = 0; i < page->count && *ended < max; i++) {
        bool done = false;
        if (is_idle(store, page->ids[i], page->started[i], before_us) &&
            !end_session(store, page->ids[i], &done, err)) {
            return false;
        }
        *ended += done;
    }
    return true;
}

bool upload_expire(struct store *store, int64_t now_us, int max, int *ended_out, struct err *err)
{
    auto_free struct expire_page *page = xcalloc(1, sizeof(*page));
    int64_t before_us = now_us - store->limits.upload_idle_us;
    int64_t after_us = 0;
    char after_id[UPLOAD_ID_MAX] = "";
    int ended = 0;
    do {
        if (!read_expire_page(store, before_us, after_us, after_id, page, err) ||
            !expire_page(store, page, before_us, max, &ended, err)) {
            return false;
        }
        if (page->count > 0) {
            after_us = page->started[page->count - 1];
            memcpy(after_id, page->ids[page->count - 1], sizeof(after_id));
        }
    } while (page->count == EXPIRE_PAGE && ended < max);
    if (ended_out) {
        *ended_out = ended;
    }
    return true;
}

static bool sweep_file(struct store *store, const char *name, struct err *err)
{
    struct upload_row row;
    struct err why = {0};
    if (load_row(store->db, name, &row, &why)) {
        return true;
    }
    if (why.code != ERR_UPLOAD_UNKNOWN) {
        *err = why;
        return false;
    }
    auto_fd int fd = openat(store->uploads_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return err_sys(err, errno, "open the left-over upload %s", name);
    }
    return remove_published(store, fd, err) && fsx_unlink(store->uploads_fd, name, err);
}

static void close_dir(DIR **dir)
{
    if (*dir) {
        closedir(*dir);
    }
}

bool uploads_sweep(struct store *store, struct err *err)
{
    struct err why = {0};
    int fd = openat(store->uploads_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir __attribute__((cleanup(close_dir))) = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        return err_sys(err, errno, "read the folder of uploads");
    }
    const struct dirent *entry = NULL;
    while ((entry = readdir(dir)) != NULL) {
        char id[UPLOAD_ID_MAX];
        if (read_id(slice_str(entry->d_name), id) && !sweep_file(store, id, &why)) {
            log_err(LOG_WARN, "upload_sweep",
                    &why); /* in nobody's way; the next start tries again */
        }
    }
    return true;
}
