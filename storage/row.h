/* Copying out of result rows, and growing lists. Private to storage/. */
#ifndef STORAGE_ROW_H
#define STORAGE_ROW_H

#include "base/db.h"

/* Copies a text column into a fixed field, cut to fit, NUL-terminated. */
void row_text(struct db_stmt *q, int column, char *out, size_t n);
/* A text or bytes column as an owned NUL-terminated copy; NULL for NULL. */
char *row_dup(struct db_stmt *q, int column);
/* Binds a digest for "after this one": an unset digest is before all of them. */
void row_bind_after(struct db_stmt *q, int index, const struct digest *after);
/* Exactly 32 bytes; zero when the column is something else. */
void row_hash(struct db_stmt *q, int column, uint8_t out[32]);

/* Room for one more item in a list that holds `count` of them. Returns the (moved) items; the new
 * one is zeroed. */
void *list_room(void *items, size_t count, size_t size);

/* Reads one row into a zeroed item. */
typedef void (*row_fn)(struct db_stmt *q, void *item);
struct row_page {
    void *items; /* owned by the caller */
    size_t count;
    bool more; /* q has a row beyond the page: bind its LIMIT with max + 1 */
};
/* Reads at most `max` rows. After a failure the page holds what was read until then. */
bool row_page(struct db_stmt *q, int max, size_t size, row_fn read, struct row_page *out,
              struct err *err) MUST_USE;

/* One-row questions: runs q and tells whether there was a row. False only on failure. */
bool row_exists(struct db_stmt *q, bool *out, struct err *err) MUST_USE;
/* Runs q, which gives one row, and returns its first column. */
bool row_int(struct db_stmt *q, int64_t *out, struct err *err) MUST_USE;
/* Runs a change and refuses with `code` and its default sentence when it met no row. */
bool row_changed(struct db_tx *tx, struct db_stmt *q, enum err_code code, struct err *err) MUST_USE;

#endif
