/* What check.c (rows) and check_blob.c (blobs and files) share. Private to them. */
#ifndef STORAGE_CHECK_INTERNAL_H
#define STORAGE_CHECK_INTERNAL_H

#include "base/name.h"
#include "storage/check.h"
#include "storage/store_private.h"

#define CHECK_PAGE 200

struct check {
    struct store *store;
    enum check_depth depth;
    const struct check_listener *listener;
    struct check_report *report;
    /* where the next page of the present table begins */
    int64_t after;
    struct digest after_digest;
    int64_t after_kind; /* of the queue, before `after` and `after_digest` */
    char after_tag[TAG_NAME_MAX + 1];
    int64_t repository_id; /* whose tags and memberships */
    const char *repository;
};

/* One page inside a snapshot. *more_out: there may be another. */
typedef bool (*check_page_fn)(struct check *c, struct db_tx *tx, bool *more_out, struct err *err);

/* A finding about a thing: `where` is "" to be followed by `name`. */
void check_tell(struct check *c, enum check_kind kind, const char *where, const char *name,
                const char *what_fmt, ...) PRINTF_LIKE(5, 6);
void check_progress(const struct check *c);
/* Does the next page lie behind the one that began at `before`? Not in a damaged file: pages would be read
 * again and again. Tells so. */
bool check_goes_on(struct check *c, const struct check *before) MUST_USE;
/* All pages of one table, from its beginning. */
bool check_pages(struct check *c, check_page_fn page, struct err *err) MUST_USE;
/* Binds `index` and the next: rows in digest order after the last one seen. */
void check_bind_page(struct check *c, struct db_stmt *q, int index);

/* check.c: the tags of c->repository_id. A check_page_fn. */
bool check_tags_page(struct check *c, struct db_tx *tx, bool *more_out, struct err *err) MUST_USE;
/* check_blob.c: the collector's queue, a check_page_fn; tags and memberships of every repository;
 * blobs; files. */
bool check_queue_page(struct check *c, struct db_tx *tx, bool *more_out, struct err *err) MUST_USE;
bool check_contents(struct check *c, struct err *err) MUST_USE;
bool check_blobs(struct check *c, struct err *err) MUST_USE;
bool check_files(struct check *c, struct err *err) MUST_USE;

#endif
