#include "base/fsx.h"
#include "base/log.h"
#include "storage/upload_internal.h"

/* A row that a power cut brings back has no file, and ends when it is idle: nothing was promised of it. */
static bool delete_row(struct upload *u, struct err *err)
{
    return !u->has_row || db_write_relaxed(u->store->db, upload_row_delete, u->id, err);
}

bool upload_end(struct upload *u, struct err *err)
{
    struct err why = {0};
    struct err file = {0};
    upload_table_end(u);
    if (u->fd >= 0 && !upload_file_remove_published(u->store, u->fd, err)) {
        return false;
    }
    bool done = delete_row(u, &why);
    /* also when the row stays: nobody shall finish a file that was given up */
    bool unlinked = fsx_unlink(u->store->uploads_fd, u->id, &file);
    if (!done && why.code == ERR_NO_SPACE && unlinked) {
        upload_file_close(u); /* now there is room */
        done = delete_row(u, &why);
    }
    if (done && unlinked) {
        return true;
    }
    if (err) {
        *err = done ? file : why;
    }
    return false;
}

void upload_end_quietly(struct upload *u)
{
    struct err err = {0};
    if (!upload_end(u, &err)) {
        log_err(LOG_WARN, "upload_end", &err);
    }
}

bool upload_end_taken(struct upload *u, struct err *err)
{
    struct err why = {0};
    /* without its file only the row is left to remove */
    bool done = upload_file_open(u, &why) || why.code == ERR_UPLOAD_UNKNOWN;
    done = done && upload_end(u, &why);
    if (!done && err) {
        *err = why;
    }
    upload_table_remove(u); /* what could not be ended is known again by its row */
    return done;
}

/* False with a reason that is none for the caller: it is gone, or in use. */
static bool take_any(struct store *store, const char *id, struct upload **out, struct err *why)
{
    struct upload_row row;
    struct repo_name repo;
    return upload_row_get(store->db, id, &row, why) &&
           repo_name_parse(slice_str(row.repo), &repo, why) &&
           upload_take(store, &repo, slice_str(id), row.account_id, out, why);
}

bool upload_end_by_id(struct store *store, const char *id, bool *ended_out, struct err *err)
{
    struct upload *u = NULL;
    struct err why = {0};
    *ended_out = false;
    if (!take_any(store, id, &u, &why)) {
        if (why.code == ERR_UPLOAD_UNKNOWN || why.code == ERR_UPLOAD_BUSY) {
            return true;
        }
        if (err) {
            *err = why;
        }
        return false;
    }
    *ended_out = upload_end_taken(u, err);
    return *ended_out;
}
