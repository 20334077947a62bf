#include "storage/upload.h"

#include "base/log.h"
#include "storage/blob_journal.h"
#include "storage/upload_internal.h"

#include <fcntl.h>
#include <sys/stat.h>

/* --- taking and giving back ------------------------------------------------------------------- */

static bool take_row(struct store *store, const struct repo_name *repo, const char *id,
                     int64_t account_id, struct upload **out, struct err *err)
{
    struct upload_row row;
    if (!upload_row_get(store->db, id, &row, err)) {
        return false;
    }
    if (!upload_row_is_of(&row, repo, account_id)) {
        return upload_unknown(err);
    }
    struct upload *u = upload_row_session(store, id, repo, &row);
    if (!upload_table_add(u)) { /* somebody else was faster */
        upload_free(u);
        return err_set(err, ERR_UPLOAD_BUSY, "");
    }
    *out = u;
    return true;
}

bool upload_take(struct store *store, const struct repo_name *repo, struct slice id,
                 int64_t account_id, struct upload **out, struct err *err)
{
    char text[UPLOAD_ID_MAX];
    *out = NULL;
    if (!upload_row_id(id, text)) {
        return upload_unknown(err);
    }
    if (!upload_table_take(store->uploads, repo, text, account_id, out, err)) {
        return false;
    }
    return *out || take_row(store, repo, text, account_id, out, err);
}

/* Its namespace may have been deleted since. */
static bool is_alive(struct upload *u, struct err *err)
{
    struct namespace ns;
    auto_snapshot struct db_tx *tx = NULL;
    if (!db_snapshot(u->store->db, &tx, err)) {
        return false;
    }
    struct err why = {0};
    if (!namespace_get_by_id(tx, u->namespace_id, &ns, &why)) {
        if (why.code == ERR_NAMESPACE_UNKNOWN) {
            return upload_unknown(err);
        }
        *err = why;
        return false;
    }
    return ns.incarnation == u->namespace_incarnation || upload_unknown(err);
}

bool upload_open(struct store *store, const struct repo_name *repo, struct slice id,
                 int64_t account_id, int64_t now_us, struct upload **out, struct err *err)
{
    struct upload *u = NULL;
    struct err why = {0};
    *out = NULL;
    if (!upload_take(store, repo, id, account_id, &u, err)) {
        return false;
    }
    atomic_store(&u->last_used_us, now_us);
    if (!upload_file_open(u, &why) || !upload_file_read_back(u, &why) || !is_alive(u, &why)) {
        upload_close(u);
        if (err) {
            *err = why;
        }
        return false;
    }
    upload_table_unclaim(u);
    *out = u;
    return true;
}

void upload_bring_rest(struct upload *upload)
{
    upload->rest = true;
}

void upload_ask(struct upload *upload, upload_question_fn question, const void *arg)
{
    upload->question = question;
    upload->asker = arg;
}

/* What a session has received stays when nobody uses it; a single one does not. */
static bool keep_session(struct upload *u)
{
    struct err err = {0};
    u->rest = false;
    if (u->kind == UPLOAD_SINGLE) {
        return false;
    }
    if (u->held.n == 0 || upload_file_need(u, &err)) {
        return true;
    }
    log_err(LOG_WARN, "upload_keep", &err);
    return false;
}

void upload_close(struct upload *upload)
{
    if (!upload) {
        return;
    }
    if (!upload->over && !keep_session(upload)) {
        upload_end_quietly(upload);
    }
    if (upload->over) {
        upload_table_remove(upload);
        return;
    }
    upload->announced = -1;
    upload_ask(upload, NULL, NULL);
    upload_file_close(upload); /* an idle session costs no descriptor */
    upload_table_give_back(upload);
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
    return err_set(err, ERR_UPLOAD_RANGE, "the chunk begins at byte %lld, %lld were received",
                   (long long)offset, (long long)received);
}

bool upload_announce(struct upload *upload, int64_t bytes, struct err *err)
{
    int64_t received = upload_received(upload);
    int64_t end = 0;
    if (__builtin_add_overflow(received, bytes, &end)) {
        return err_set(err, ERR_SIZE_INVALID, "no blob has so many bytes");
    }
    upload->announced = end;
    return upload_table_is_reserved(upload, end) || upload_reserve(upload, end, received, err);
}

bool upload_expect_end(const struct upload *upload, struct err *err)
{
    int64_t received = upload_received(upload);
    if (upload->announced < 0 || received == upload->announced) {
        return true;
    }
    return err_set(err, ERR_SIZE_INVALID,
                   "the request's Content-Range ends at byte %lld, %lld bytes are here: go on there",
                   (long long)(upload->announced - 1), (long long)received);
}

static bool put_bytes(struct upload *u, struct slice bytes, int64_t at, struct err *err)
{
    if (bytes.n == 0) {
        return true;
    }
    if (u->fd < 0 && u->rest && blob_journal_has_room(u->store, at + (int64_t)bytes.n)) {
        buf_slice(&u->held, bytes);
        return true;
    }
    return upload_file_need(u, err) && upload_file_write(u, bytes, at, err);
}

bool upload_append(struct upload *upload, struct slice bytes, int64_t now_us, struct err *err)
{
    int64_t at = upload_received(upload);
    int64_t more = (int64_t)bytes.n;
    atomic_store(&upload->last_used_us, now_us);
    if (upload->announced >= 0 && at + more > upload->announced) {
        return err_set(err, ERR_SIZE_INVALID,
                       "the request has more bytes than its Content-Range says");
    }
    if (upload->sealed && more > 0) {
        return err_set(err, ERR_UPLOAD_INVALID,
                       "the upload was being finished when the server stopped: finish it, or begin "
                       "a new one");
    }
    if (!upload_table_claim(upload, at + more) &&
        !upload_reserve(upload, at + more, at + more, err)) {
        return false;
    }
    if (!put_bytes(upload, bytes, at, err)) {
        upload_table_unclaim(upload);
        return false;
    }
    hash_update(upload->sha256, bytes.p, bytes.n);
    atomic_store(&upload->received, at + more);
    return true;
}

/* --- without the bytes ------------------------------------------------------------------------ */

bool upload_status(struct store *store, const struct repo_name *repo, struct slice id,
                   int64_t account_id, int64_t *received_out, struct err *err)
{
    char text[UPLOAD_ID_MAX];
    struct upload_row row;
    struct stat st;
    if (!upload_row_id(id, text)) {
        return upload_unknown(err);
    }
    switch (upload_table_look(store->uploads, repo, text, account_id, received_out)) {
    case UPLOAD_SEEN:
        return true;
    case UPLOAD_HIDDEN:
        return upload_unknown(err);
    case UPLOAD_ABSENT:
        break;
    }
    if (!upload_row_get(store->db, text, &row, err)) {
        return false;
    }
    if (!upload_row_is_of(&row, repo, account_id)) {
        return upload_unknown(err);
    }
    bool has_file = fstatat(store->uploads_fd, text, &st, AT_SYMLINK_NOFOLLOW) == 0;
    *received_out = has_file ? st.st_size : 0;
    return true;
}

bool upload_cancel(struct store *store, const struct repo_name *repo, struct slice id,
                   int64_t account_id, int64_t now_us, struct err *err)
{
    struct upload *u = NULL;
    if (!upload_take(store, repo, id, account_id, &u, err)) {
        return false;
    }
    atomic_store(&u->last_used_us, now_us);
    return upload_end_taken(u, err);
}
