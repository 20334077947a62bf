#include "trust/collect.h"

#include "trust/policy.h"
#include "trust/trust_internal.h"

static bool is_listing(const char *role)
{
    return strcmp(role, "timestamp") != 0 && strcmp(role, "snapshot") != 0;
}

/* What a document listed last ended, at the earliest, when the document was superseded; so it is out
 * of grace when that is longer ago than the grace of the repository's policy. */
static bool in_grace(struct db_tx *tx, const struct trust_superseded *doc, int64_t now_us,
                     bool *out, struct err *err)
{
    int64_t grace = 0;
    *out = false;
    if (!is_listing(doc->role)) {
        return true;
    }
    if (!policy_grace(tx, &doc->repo, &grace, err)) {
        return false;
    }
    *out = grace == DURATION_FOREVER || doc->superseded_us > now_us - grace;
    return true;
}

struct collect_arg {
    const struct trust_superseded_list *list;
    int64_t now_us;
    struct trust_collected *out;
};

static bool collect(struct db_tx *tx, void *arg, struct err *err)
{
    struct collect_arg *a = arg;
    a->out->documents = a->out->bytes = 0;
    for (size_t i = 0; i < a->list->count; i++) {
        const struct trust_superseded *doc = &a->list->items[i];
        bool kept = false;
        int64_t bytes = 0;
        if (!in_grace(tx, doc, a->now_us, &kept, err)) {
            return false;
        }
        if (kept) {
            continue;
        }
        if (!trust_doc_collect(tx, doc, a->now_us, &bytes, err)) {
            return false;
        }
        a->out->documents += bytes > 0;
        a->out->bytes += bytes;
    }
    return true;
}

static bool candidates(struct trust *trust, int64_t before_us, int max,
                       struct trust_superseded_list *out, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    return db_snapshot(trust->db, &tx, err) &&
           trust_doc_superseded(tx, before_us, &trust->collected_to, max, out, err);
}

bool trust_collect(struct trust *trust, int64_t now_us, int64_t keep_us, int max,
                   struct trust_collected *out, struct err *err)
{
    auto_trust_superseded_list struct trust_superseded_list list = {0};
    struct collect_arg arg = {.list = &list, .now_us = now_us, .out = out};
    *out = (struct trust_collected){0};
    if (!candidates(trust, now_us - keep_us, max, &list, err) ||
        (list.count > 0 && !db_write(trust->db, collect, &arg, err))) {
        return false;
    }
    bool full = list.count == (size_t)max;
    trust->collected_to = full ? list.items[list.count - 1] : (struct trust_superseded){0};
    out->more = full && out->documents > 0;
    return true;
}
