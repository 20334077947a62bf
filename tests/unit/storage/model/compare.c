/* Everything that can be read of a store, against the model. */
#include "storage/blob.h"
#include "storage/check.h"
#include "storage/gc.h"
#include "storage/manifest.h"
#include "storage/row.h"
#include "storage/statements.h"
#include "storage/tag.h"
#include "tests/unit/storage/model/driver.h"
#include "tests/unit/storage/world.h"

#include <dirent.h>

#define ALL 1000

struct comparison {
    struct driver *driver;
    const struct model *model;
    const struct universe *universe;
    struct db_tx *tx; /* NULL while files are looked at */
};

/* With the name of the repository in front. */
#define DIFFERS(c, r, fmt, ...)                                                                    \
    driver_differs((c)->driver, "%s: " fmt, (c)->universe->repositories[r].text, __VA_ARGS__)

static bool same_text(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* --- blobs of a repository -------------------------------------------------------------------- */

static bool compare_blob(struct comparison *c, int r, int b)
{
    const struct model_repository *want = &c->model->repositories[r];
    const struct model_member *member = &want->blobs[b];
    struct blob got = {0};
    struct err err = {0};
    bool here = blob_get(c->tx, want->id, &c->universe->blobs[b].digest, &got, &err);
    if (!here && err.code != ERR_BLOB_UNKNOWN) {
        return DIFFERS(c, r, "blob %d cannot be asked for: %s (%s)", b, err.msg, err.detail);
    }
    if (here != member->here) {
        return DIFFERS(c, r, "blob %d is %s", b, here ? "there" : "missing");
    }
    if (here && got.size != (int64_t)c->universe->blobs[b].bytes.n) {
        return DIFFERS(c, r, "blob %d has %lld bytes", b, (long long)got.size);
    }
    if (here && got.collect_after_us != member->due_us) {
        return DIFFERS(c, r, "blob %d may be collected from %lld on, not %lld", b,
                       (long long)got.collect_after_us, (long long)member->due_us);
    }
    return true;
}

/* --- manifests of a repository ---------------------------------------------------------------- */

static bool same_info(const struct shape *s, const struct model_manifest *want,
                      const struct manifest_info *got)
{
    return digest_equal(&got->digest, &s->content.digest) &&
           got->size == (int64_t)s->content.bytes.n && same_text(got->media_type, s->type) &&
           same_text(got->artifact_type, s->artifact_type) &&
           digest_equal(&got->subject, &s->subject) && got->pushed_us == want->pushed_us &&
           got->pushed_by == driver_account(want->account);
}

static bool names(const struct shape *s, const struct edge *edge)
{
    bool found = false;
    for (int i = 0; i < s->edge_count; i++) {
        found |= s->edges[i].kind == edge->kind && digest_equal(&s->edges[i].digest, &edge->digest);
    }
    return found;
}

static int distinct_edges(const struct shape *s)
{
    int count = 0;
    for (int i = 0; i < s->edge_count; i++) {
        bool again = false;
        for (int k = 0; k < i; k++) {
            again |= s->edges[k].kind == s->edges[i].kind &&
                     digest_equal(&s->edges[k].digest, &s->edges[i].digest);
        }
        count += !again;
    }
    return count;
}

static bool compare_edges(struct comparison *c, int r, int m)
{
    const struct shape *s = &c->universe->manifests[m];
    int want = c->model->repositories[r].manifests[m].here ? distinct_edges(s) : 0;
    auto_edge_list struct edge_list list = {0};
    struct err err = {0};
    bool same =
        manifest_edges(c->tx, c->model->repositories[r].id, &s->content.digest, &list, &err) &&
        list.count == (size_t)want;
    for (size_t i = 0; same && i < list.count; i++) {
        same = names(s, &list.items[i]);
    }
    return same ||
           DIFFERS(c, r, "manifest %d has %zu edges, not %d, or others", m, list.count, want);
}

static bool compare_manifest(struct comparison *c, int r, int m)
{
    const struct model_repository *repo = &c->model->repositories[r];
    const struct model_manifest *want = &repo->manifests[m];
    const struct shape *s = &c->universe->manifests[m];
    auto_manifest struct manifest *got = NULL;
    struct err err = {0};
    bool here = manifest_get(c->tx, repo->id, &s->content.digest, &got, &err);
    if (!here && err.code != ERR_MANIFEST_UNKNOWN) {
        return DIFFERS(c, r, "manifest %d cannot be read: %s (%s)", m, err.msg, err.detail);
    }
    if (here != want->here) {
        return DIFFERS(c, r, "manifest %d is %s", m, here ? "there" : "missing");
    }
    if (here && !slice_equal(manifest_content(got), s->content.bytes)) {
        return DIFFERS(c, r, "manifest %d has other bytes", m);
    }
    if (here && !same_info(s, want, &got->info)) {
        return DIFFERS(c, r, "manifest %d is described otherwise", m);
    }
    return compare_edges(c, r, m);
}

/* --- tags of a repository --------------------------------------------------------------------- */

/* What a change of a tag points to; unset: it was removed */
static struct digest digest_of_tag(const struct comparison *c, const struct model_tag *tag)
{
    return tag->manifest == NONE ? (struct digest){0}
                                 : c->universe->manifests[tag->manifest].content.digest;
}

static bool same_tag(const struct comparison *c, const struct model_tag *want,
                     const struct tag *got)
{
    struct digest digest = digest_of_tag(c, want);
    return digest_equal(&got->digest, &digest) && got->updated_us == want->updated_us &&
           got->updated_by == driver_account(want->account);
}

static bool compare_history(struct comparison *c, int r, int t)
{
    const struct model_repository *repo = &c->model->repositories[r];
    auto_tag_list struct tag_list list = {0};
    struct err err = {0};
    bool same = tag_history(c->tx, repo->id, &c->universe->tags[t], HISTORY, &list, &err) &&
                list.count == (size_t)repo->changes[t];
    for (size_t i = 0; same && i < list.count; i++) {
        same = same_tag(c, &repo->history[t][i], &list.items[i].tag);
    }
    return same || DIFFERS(c, r, "the tag %s has another history", c->universe->tags[t].text);
}

static bool compare_tag(struct comparison *c, int r, int t)
{
    const struct model_repository *repo = &c->model->repositories[r];
    const struct model_tag *want = &repo->tags[t];
    const char *name = c->universe->tags[t].text;
    struct tag got = {0};
    struct err err = {0};
    bool here = tag_get(c->tx, repo->id, &c->universe->tags[t], &got, &err);
    if (!here && err.code != ERR_TAG_UNKNOWN) {
        return DIFFERS(c, r, "the tag %s cannot be read: %s (%s)", name, err.msg, err.detail);
    }
    if (here != (want->manifest != NONE)) {
        return DIFFERS(c, r, "the tag %s is %s", name, here ? "there" : "missing");
    }
    if (here && !same_tag(c, want, &got)) {
        return DIFFERS(c, r, "the tag %s points elsewhere than to %d", name, want->manifest);
    }
    return compare_history(c, r, t);
}

/* --- a repository ----------------------------------------------------------------------------- */

static bool compare_row(struct comparison *c, int r, bool *here_out)
{
    const struct model_repository *want = &c->model->repositories[r];
    struct repository got = {0};
    struct err err = {0};
    *here_out = repository_get(c->tx, &c->universe->repositories[r], &got, &err);
    if (*here_out != want->exists) {
        return DIFFERS(c, r, "its row is %s", *here_out ? "there" : "missing");
    }
    if (!*here_out) {
        return true;
    }
    if (got.id != want->id || got.manifest_count != model_manifest_count(want)) {
        return DIFFERS(c, r, "it has %lld manifests, not %d", (long long)got.manifest_count,
                       model_manifest_count(want));
    }
    if (got.gate_generation != 1 + want->gate) {
        return DIFFERS(c, r, "its gate views were thrown away %lld times, not %lld",
                       (long long)got.gate_generation - 1, (long long)want->gate);
    }
    return true;
}

static bool compare_repository(struct comparison *c, int r)
{
    bool here = false;
    bool same = compare_row(c, r, &here);
    for (int i = 0; same && here && i < BLOBS; i++) {
        same = compare_blob(c, r, i);
    }
    for (int i = 0; same && here && i < MANIFESTS; i++) {
        same = compare_manifest(c, r, i);
    }
    for (int i = 0; same && here && i < TAGS; i++) {
        same = compare_tag(c, r, i);
    }
    return same;
}

/* --- what is counted -------------------------------------------------------------------------- */

static bool compare_space(struct comparison *c, int i)
{
    const struct model_space *want = &c->model->spaces[i];
    const char *name = c->universe->namespaces[i].text;
    struct namespace got = {0};
    struct err err = {0};
    if (!namespace_get_by_id(c->tx, want->id, &got, &err)) {
        return driver_differs(c->driver, "the namespace %s: %s", name, err.msg);
    }
    if (got.used_bytes != want->used || got.quota_bytes != want->quota) {
        return driver_differs(c->driver,
                              "the namespace %s uses %lld of %lld bytes, not %lld of %lld", name,
                              (long long)got.used_bytes, (long long)got.quota_bytes,
                              (long long)want->used, (long long)want->quota);
    }
    if (got.reserved_bytes < model_unfinished(c->model, c->universe, i)) {
        return driver_differs(
            c->driver, "the namespace %s has reserved %lld bytes, %lld are received", name,
            (long long)got.reserved_bytes, (long long)model_unfinished(c->model, c->universe, i));
    }
    return true;
}

static bool count(struct comparison *c, enum sql statement, int64_t a, int64_t b, int64_t *rows_out)
{
    struct err err = {0};
    auto_stmt struct db_stmt *q = db_stmt(c->tx, (int)statement);
    db_bind_int(q, 1, a);
    db_bind_int(q, 2, b);
    enum db_result result;
    *rows_out = 0;
    while ((result = db_step(q, &err)) == DB_ROW) {
        ++*rows_out;
    }
    return result == DB_DONE || driver_differs(c->driver, "a list cannot be read: %s", err.detail);
}

static bool is_queued(struct comparison *c, int blob, int64_t at_us)
{
    bool found = false;
    struct err err = {0};
    auto_stmt struct db_stmt *q = db_stmt(c->tx, SQL_CONDEMNED_IS_DUE);
    db_bind_int(q, 1, CONDEMNED_BLOB);
    db_bind_int(q, 2, 0);
    db_bind_digest(q, 3, &c->universe->blobs[blob].digest);
    db_bind_int(q, 4, at_us);
    return row_exists(q, &found, &err) && found;
}

/* The collector's queue: each entry that there should be, and no other. Those of repositories are compared with their
 * blobs. */
static bool compare_queue(struct comparison *c)
{
    int64_t want = 0;
    int64_t got = 0;
    for (int b = 0; b < BLOBS; b++) {
        int64_t due = c->model->blobs[b].due_us;
        want += due != 0;
        if (due != 0 && (!is_queued(c, b, due) || is_queued(c, b, due - 1))) {
            return driver_differs(c->driver, "blob %d is not in the queue for %lld", b,
                                  (long long)due);
        }
        for (int r = 0; r < REPOSITORIES; r++) {
            want += c->model->repositories[r].blobs[b].due_us != 0;
        }
    }
    return count(c, SQL_CONDEMNED_DUE, INT64_MAX, ALL, &got) &&
           (got == want || driver_differs(c->driver, "the queue has %lld entries, not %lld",
                                          (long long)got, (long long)want));
}

static bool compare_session_count(struct comparison *c, int account)
{
    int64_t want = 0;
    int64_t got = 0;
    struct err err = {0};
    for (int i = 0; i < SESSIONS; i++) {
        want += c->model->sessions[i].open && c->model->sessions[i].account == account;
    }
    auto_stmt struct db_stmt *q = db_stmt(c->tx, SQL_UPLOAD_COUNT_ACCOUNT);
    db_bind_int(q, 1, driver_account(account));
    return (row_int(q, &got, &err) && got == want) ||
           driver_differs(c->driver, "account %d has %lld sessions, not %lld", account,
                          (long long)got, (long long)want);
}

static bool compare_index(struct comparison *c)
{
    bool same = true;
    for (int i = 0; same && i < REPOSITORIES; i++) {
        same = compare_repository(c, i);
    }
    for (int i = 0; same && i < NAMESPACES; i++) {
        same = compare_space(c, i);
    }
    for (int i = 0; same && i < ACCOUNTS; i++) {
        same = compare_session_count(c, i);
    }
    return same && compare_queue(c);
}

/* --- files ------------------------------------------------------------------------------------ */

static bool reads(int fd, struct slice want)
{
    auto_free char *bytes = xmalloc(want.n + 1);
    size_t n = 0;
    ssize_t got;
    while (n <= want.n && (got = read(fd, bytes + n, want.n + 1 - n)) > 0) {
        n += (size_t)got;
    }
    return slice_equal(slice_of_bytes(bytes, n), want);
}

static int open_blob(struct comparison *c, const struct digest *digest, struct err *err)
{
    auto_snapshot struct db_tx *tx = snapshot_of(c->driver->db);
    return blob_open(c->driver->store, tx, digest, err);
}

static bool compare_file(struct comparison *c, int b)
{
    const struct content *content = &c->universe->blobs[b];
    struct err err = {0};
    if (!c->model->blobs[b].row) {
        return true;
    }
    auto_fd int fd = open_blob(c, &content->digest, &err);
    if (fd < 0) {
        return driver_differs(c->driver, "blob %d does not open: %s", b, err.msg);
    }
    return reads(fd, content->bytes) || driver_differs(c->driver, "blob %d has other bytes", b);
}

static bool compare_session(struct comparison *c, int i)
{
    const struct model_session *s = &c->model->sessions[i];
    struct err err = {0};
    int64_t received = 0;
    if (!s->open) {
        return true;
    }
    if (!upload_status(c->driver->store, &c->universe->repositories[s->repository],
                       slice_str(s->id), driver_account(s->account), &received, &err)) {
        return driver_differs(c->driver, "session %d: %s", i, err.msg);
    }
    return received == s->received ||
           driver_differs(c->driver, "session %d has %lld bytes, not %lld", i, (long long)received,
                          (long long)s->received);
}

static bool is_session(const struct model *m, const char *name)
{
    bool found = false;
    for (int i = 0; i < SESSIONS; i++) {
        found |= m->sessions[i].open && same_text(m->sessions[i].id, name);
    }
    return found;
}

static void close_dir(DIR **dir)
{
    if (*dir) {
        (void)closedir(*dir);
    }
}

/* No file but those of the sessions. */
static bool compare_upload_files(struct comparison *c)
{
    int fd = openat(store_uploads_dir(c->driver->store), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir __attribute__((cleanup(close_dir))) = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    while (dir && (entry = readdir(dir)) != NULL) {
        bool own = entry->d_name[0] == '.' || is_session(c->model, entry->d_name);
        if (!own && !c->model->left_over) {
            return driver_differs(c->driver, "uploads/%s belongs to no session", entry->d_name);
        }
    }
    return dir || driver_differs(c->driver, "uploads/ cannot be read");
}

static void tell_finding(const struct check_finding *finding, void *arg)
{
    driver_differs(arg, "the check found: %s: %s", finding->where, finding->what);
}

static bool compare_check(struct comparison *c)
{
    const struct check_listener listener = {.finding = tell_finding, .arg = c->driver};
    struct check_report report = {0};
    struct err err = {0};
    if (!store_check(c->driver->store, CHECK_BYTES, &listener, &report, &err)) {
        return driver_differs(c->driver, "the check failed: %s (%s)", err.msg, err.detail);
    }
    return report.findings == 0;
}

static bool compare_files(struct comparison *c)
{
    bool same = true;
    for (int i = 0; same && i < BLOBS; i++) {
        same = compare_file(c, i);
    }
    for (int i = 0; same && i < SESSIONS; i++) {
        same = compare_session(c, i);
    }
    return same && compare_upload_files(c) && compare_check(c);
}

bool driver_compare_touched(struct driver *d, const struct model *m, const struct operation *op)
{
    struct comparison c = {.driver = d, .model = m, .universe = d->universe};
    auto_snapshot struct db_tx *tx = snapshot_of(d->db);
    c.tx = tx;
    return compare_repository(&c, op->repository) &&
           compare_space(&c, d->universe->namespace_of[op->repository]) &&
           compare_session_count(&c, op->account) && compare_queue(&c);
}

bool driver_compare(struct driver *d, const struct model *m)
{
    struct comparison c = {.driver = d, .model = m, .universe = d->universe};
    c.tx = snapshot_of(d->db);
    bool same = compare_index(&c);
    db_snapshot_end(take(c.tx));
    return same && compare_files(&c);
}

/* --- at rest ---------------------------------------------------------------------------------- */

bool driver_compare_idle(struct driver *d, const struct model *m)
{
    for (int b = 0; b < BLOBS; b++) {
        if (driver_has_file(d, b) != model_held(m, b)) {
            return driver_differs(d, "blob %d is %s, its file is not", b,
                                  model_held(m, b) ? "held" : "gone");
        }
        for (int r = 0; r < REPOSITORIES; r++) {
            const struct model_member *member = &m->repositories[r].blobs[b];
            if (member->here && !model_keeps(m, d->universe, r, b)) {
                return driver_differs(d, "%s keeps blob %d, which nothing names",
                                      d->universe->repositories[r].text, b);
            }
        }
    }
    return true;
}
