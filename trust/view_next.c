#include "trust/view_next.h"

#include "base/log.h"
#include "trust/trust_internal.h"
#include "trust/view_internal.h"

struct view_next {
    struct trust *trust;
    struct gate_view *last;
    struct view_claim claim;
};

struct view_next *view_next_expect(struct trust *trust, const struct repository *repo)
{
    bool asked = false;
    auto_gate_view struct gate_view *last = gate_views_last(trust->views, repo->id, &asked);
    if (!asked) {
        return NULL;
    }
    struct view_next *next = xcalloc(1, sizeof *next);
    next->trust = trust;
    if (!gate_views_claim(trust->views, repo->id, repo->gate_generation + 1, &next->claim)) {
        free(next);
        return NULL;
    }
    next->last = take(last);
    return next;
}

/* The generation that was waited for is there: then the write is all that moved it, or somebody else
 * moved it and the write is not in it. */
static bool read_repository(const struct view_next *next, struct db_tx *tx,
                            struct repository *out, struct err *err)
{
    return repository_get_by_id(tx, next->claim.repository_id, out, err) &&
           (out->gate_generation == next->claim.generation ||
            err_set(err, ERR_CONFLICT, "the repository was changed by others, too"));
}

static bool build(struct view_next *next, const struct heritage *from, int64_t now_us,
                  struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_gate_view struct gate_view *view = NULL;
    struct repository repo;
    if (!db_snapshot(next->trust->db, &tx, err) || !read_repository(next, tx, &repo, err) ||
        !gate_view_inherit(next->trust, tx, &repo, now_us, from, &view, err)) {
        return false;
    }
    gate_views_keep(next->trust->views, view, false);
    return true;
}

void view_next_build(struct view_next *next, const struct tuf_doc *const *docs, size_t doc_count,
                     int64_t now_us)
{
    struct err err = {0};
    if (next == NULL) {
        return;
    }
    const struct heritage from = {
        .last = next->last,
        .same_content = next->last->generation + 1 == next->claim.generation,
        .docs = docs,
        .doc_count = doc_count};
    if (!build(next, &from, now_us, &err)) {
        log_err(LOG_DEBUG, "view_next", &err);
    }
}

void view_next_free(struct view_next *next)
{
    if (next) {
        view_claim_end(&next->claim);
        gate_view_unref(next->last);
        free(next);
    }
}
