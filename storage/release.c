#include "storage/release.h"

#include "storage/row.h"
#include "storage/statements.h"

#include <stdio.h>

/* --- names ------------------------------------------------------------------------------------ */

/* What `bond deploy` would take for a verb. */
static const char *const reserved[] = {"check", "list", "why"};

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_well_formed(struct slice text)
{
    if (text.n == 0 || text.n > SERVICE_NAME_MAX || !is_alphanumeric(text.p[0])) {
        return false;
    }
    for (size_t i = 0; i < text.n; i++) {
        if (!is_alphanumeric(text.p[i]) && memchr("-_.", text.p[i], 3) == NULL) {
            return false;
        }
    }
    return true;
}

bool service_name_parse(struct slice text, struct service_name *out, struct err *err)
{
    if (!is_well_formed(text)) {
        return err_set(err, ERR_INVALID,
                       "a service is named by 1 to %d of a-z, 0-9, '-', '_' and '.', beginning "
                       "with a letter or digit",
                       SERVICE_NAME_MAX);
    }
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        if (slice_is(text, reserved[i])) {
            return err_set(err, ERR_INVALID,
                           "no service is named \"%s\": `bond deploy` has a verb of that name",
                           reserved[i]);
        }
    }
    memcpy(out->text, text.p, text.n);
    out->text[text.n] = '\0';
    return true;
}

/* --- rows ------------------------------------------------------------------------------------- */

/* RELEASE_COLUMNS */
static void read_release(struct db_stmt *q, void *item)
{
    struct release *out = item;
    out->namespace_id = db_col_int(q, 0);
    row_text(q, 1, out->service.text, sizeof(out->service.text));
    out->number = db_col_int(q, 2);
    out->repository_id = db_col_int(q, 3);
    row_text(q, 4, out->repository, sizeof(out->repository));
    row_text(q, 5, out->tag, sizeof(out->tag));
    (void)db_col_digest(q, 6, &out->digest);
    row_text(q, 7, out->decision, sizeof(out->decision));
    row_text(q, 8, out->reason, sizeof(out->reason));
    out->rollback_of = db_col_int(q, 9);
    out->is_current = db_col_int(q, 10) != 0;
    out->created_us = db_col_int(q, 11);
    row_text(q, 12, out->created_by, sizeof(out->created_by));
    row_text(q, 13, out->notes, sizeof(out->notes));
}

static struct db_stmt *of_service(struct db_tx *tx, enum sql statement, int64_t namespace_id,
                                  const struct service_name *service)
{
    struct db_stmt *q = db_stmt(tx, (int)statement);
    db_bind_int(q, 1, namespace_id);
    db_bind_str(q, 2, service->text);
    return q;
}

static bool no_release(const struct service_name *service, int64_t number, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "the service %s has no release %lld", service->text,
                   (long long)number);
}

bool release_get(struct db_tx *tx, int64_t namespace_id, const struct service_name *service,
                 int64_t number, struct release *out, struct err *err)
{
    auto_stmt struct db_stmt *q = of_service(tx, SQL_RELEASE_GET, namespace_id, service);
    bool found = false;
    db_bind_int(q, 3, number);
    *out = (struct release){0};
    if (!row_exists(q, &found, err)) {
        return false;
    }
    if (!found) {
        return no_release(service, number, err);
    }
    read_release(q, out);
    return true;
}

/* --- adding ----------------------------------------------------------------------------------- */

static bool retire_current(struct db_tx *tx, const struct release *release, struct err *err)
{
    auto_stmt struct db_stmt *q =
        of_service(tx, SQL_RELEASE_RETIRE, release->namespace_id, &release->service);
    return db_run(q, err);
}

static bool insert(struct db_tx *tx, struct release *r, const struct actor *actor, struct err *err)
{
    auto_stmt struct db_stmt *q = of_service(tx, SQL_RELEASE_INSERT, r->namespace_id, &r->service);
    db_bind_int(q, 3, r->repository_id);
    db_bind_str(q, 4, r->repository);
    db_bind_str(q, 5, r->tag);
    db_bind_digest(q, 6, &r->digest);
    db_bind_str(q, 7, r->decision);
    db_bind_str(q, 8, r->reason);
    db_bind_int(q, 9, r->rollback_of);
    db_bind_int(q, 10, r->created_us);
    db_bind_int(q, 11, actor->account_id);
    db_bind_str(q, 12, r->created_by);
    db_bind_str(q, 13, r->notes);
    return row_int(q, &r->number, err);
}

/* The service may have been removed since it was looked up, and made again with other numbers. */
static bool check_origin(struct db_tx *tx, const struct release *r, struct err *err)
{
    struct release origin;
    if (r->rollback_of == 0) {
        return true;
    }
    if (!release_get(tx, r->namespace_id, &r->service, r->rollback_of, &origin, err)) {
        return false;
    }
    return (origin.repository_id == r->repository_id && digest_equal(&origin.digest, &r->digest)) ||
           err_set(err, ERR_CONFLICT,
                   "release %lld of %s is another one by now: look at the list and try again",
                   (long long)r->rollback_of, r->service.text);
}

bool release_add(struct db_tx *tx, struct release *release, const struct actor *actor,
                 int64_t now_us, struct err *err)
{
    if (!check_origin(tx, release, err)) {
        return false;
    }
    release->is_current = true;
    release->created_us = now_us;
    (void)snprintf(release->created_by, sizeof(release->created_by), "%s", actor->name);
    return retire_current(tx, release, err) && insert(tx, release, actor, err);
}

/* --- changing --------------------------------------------------------------------------------- */

bool release_set_notes(struct db_tx *tx, int64_t namespace_id, const struct service_name *service,
                       int64_t number, struct slice notes, struct err *err)
{
    auto_stmt struct db_stmt *q = of_service(tx, SQL_RELEASE_SET_NOTES, namespace_id, service);
    db_bind_int(q, 3, number);
    db_bind_text(q, 4, notes);
    if (!db_run(q, err)) {
        return false;
    }
    return db_changes(tx) > 0 || no_release(service, number, err);
}

bool release_remove(struct db_tx *tx, int64_t namespace_id, const struct service_name *service,
                    int64_t number, struct err *err)
{
    struct release release;
    if (!release_get(tx, namespace_id, service, number, &release, err)) {
        return false;
    }
    if (release.is_current) {
        return err_set(err, ERR_DENIED,
                       "release %lld is the current one of %s: deploy another image first, or "
                       "remove the service as a whole",
                       (long long)number, service->text);
    }
    auto_stmt struct db_stmt *q = of_service(tx, SQL_RELEASE_DELETE, namespace_id, service);
    db_bind_int(q, 3, number);
    return db_run(q, err);
}

bool service_remove(struct db_tx *tx, int64_t namespace_id, const struct service_name *service,
                    struct err *err)
{
    auto_stmt struct db_stmt *q = of_service(tx, SQL_RELEASE_DELETE_SERVICE, namespace_id, service);
    if (!db_run(q, err)) {
        return false;
    }
    return db_changes(tx) > 0 ||
           err_set(err, ERR_NOT_FOUND, "there is no service %s here", service->text);
}

/* --- lists ------------------------------------------------------------------------------------ */

static bool read_page(struct db_stmt *q, int max, struct release_list *out, struct err *err)
{
    struct row_page page;
    bool ok = row_page(q, max, sizeof(*out->items), read_release, &page, err);
    *out = (struct release_list){.items = page.items, .count = page.count, .more = page.more};
    return ok;
}

bool release_list(struct db_tx *tx, int64_t namespace_id, const struct service_name *service,
                  int64_t before, int max, struct release_list *out, struct err *err)
{
    auto_stmt struct db_stmt *q = of_service(tx, SQL_RELEASE_LIST, namespace_id, service);
    db_bind_int(q, 3, before > 0 ? before : INT64_MAX);
    db_bind_int(q, 4, (int64_t)max + 1);
    return read_page(q, max, out, err);
}

bool service_list(struct db_tx *tx, int64_t namespace_id, struct slice after, int max,
                  struct release_list *out, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_SERVICE_LIST);
    db_bind_int(q, 1, namespace_id);
    db_bind_text(q, 2, after);
    db_bind_int(q, 3, (int64_t)max + 1);
    return read_page(q, max, out, err);
}

void release_list_dispose(struct release_list *list)
{
    free(list->items);
    *list = (struct release_list){0};
}

/* --- what is in use --------------------------------------------------------------------------- */

static void read_use_row(struct db_stmt *q, void *item)
{
    struct release_use *out = item;
    out->found = true;
    row_text(q, 0, out->service.text, sizeof(out->service.text));
    out->number = db_col_int(q, 1);
}

static bool read_use(struct db_stmt *q, struct release_use *out, struct err *err)
{
    bool found = false;
    *out = (struct release_use){0};
    if (!row_exists(q, &found, err)) {
        return false;
    }
    if (found) {
        read_use_row(q, out);
    }
    return true;
}

static void read_running(struct db_stmt *q, void *item)
{
    (void)db_col_digest(q, 0, item);
}

bool release_list_running(struct db_tx *tx, int64_t repository_id, const struct digest *after,
                          int max, struct running_list *out, struct err *err)
{
    struct row_page page = {.items = NULL};
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_RELEASE_RUNNING);
    db_bind_int(q, 1, repository_id);
    row_bind_after(q, 2, after);
    db_bind_int(q, 3, (int64_t)max + 1);
    bool ok = row_page(q, max, sizeof(*out->items), read_running, &page, err);
    *out = (struct running_list){.items = page.items, .count = page.count, .more = page.more};
    return ok;
}

void running_list_dispose(struct running_list *list)
{
    free(list->items);
    *list = (struct running_list){0};
}

bool release_running_as(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                        int max, struct release_use_list *out, struct err *err)
{
    struct row_page page = {.items = NULL};
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_RELEASE_RUNNING_AS);
    db_bind_int(q, 1, repository_id);
    db_bind_digest(q, 2, digest);
    db_bind_int(q, 3, (int64_t)max + 1);
    bool ok = row_page(q, max, sizeof(*out->items), read_use_row, &page, err);
    *out = (struct release_use_list){.items = page.items, .count = page.count, .more = page.more};
    return ok;
}

void release_use_list_dispose(struct release_use_list *list)
{
    free(list->items);
    *list = (struct release_use_list){0};
}

/* Most repositories have no current release: that is told by one look at an index. */
static bool use_in_repository(struct db_tx *tx, int64_t repository_id, struct release_use *out,
                              struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_RELEASE_IN_REPOSITORY);
    db_bind_int(q, 1, repository_id);
    return read_use(q, out, err);
}

bool release_use_of(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                    struct release_use *out, struct err *err)
{
    if (!use_in_repository(tx, repository_id, out, err)) {
        return false;
    }
    if (!out->found) {
        return true;
    }
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_RELEASE_NEEDS);
    db_bind_int(q, 1, repository_id);
    db_bind_digest(q, 2, digest);
    return read_use(q, out, err);
}

bool release_may_delete(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                        struct err *err)
{
    struct release_use use;
    char text[DIGEST_STR_MAX];
    if (!release_use_of(tx, repository_id, digest, &use, err)) {
        return false;
    }
    return !use.found ||
           err_set(err, ERR_DENIED,
                   "%s is in use: it belongs to release %lld, the current one of the service %s; "
                   "deploy another image there first",
                   digest_format(digest, text), (long long)use.number, use.service.text);
}

bool release_may_delete_repository(struct db_tx *tx, int64_t repository_id, struct err *err)
{
    struct release_use use;
    if (!use_in_repository(tx, repository_id, &use, err)) {
        return false;
    }
    return !use.found ||
           err_set(err, ERR_DENIED,
                   "the repository is in use: release %lld, the current one of the service %s, is "
                   "an image of it; deploy another image there, or remove the service first",
                   (long long)use.number, use.service.text);
}
