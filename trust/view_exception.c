/* The part of a gate view that is about exceptions: overrides and what they reach, the deny list. */
#include "storage/denied_digest.h"
#include "trust/second_name.h"
#include "trust/view_internal.h"

/* --- building --------------------------------------------------------------------------------- */

void view_overrides_free(struct gate_view *v)
{
    for (size_t i = 0; i < v->override_count; i++) {
        override_dispose(&v->overrides[i].row);
        reach_dispose(&v->overrides[i].reach);
    }
    free(v->overrides);
}

static bool build_one(struct gate_view *v, struct db_tx *tx, struct view_override *o,
                      const struct denied_set *denied, struct err *err)
{
    struct gate_root root = {.digest = o->row.digest, .valid_until_us = o->row.end_us};
    struct gate_reached reached;
    reach_get(&v->reach, &o->row.digest, &reached);
    o->released = reached.kind == REACH_RELEASED;
    if (o->released) {
        return true;
    }
    if (!reach_add(&o->reach, tx, v->repository_id, &root, denied, err) ||
        !reach_finish(&o->reach, tx, v->repository_id, err)) {
        return false;
    }
    v->bytes += reach_bytes(&o->reach);
    return true;
}

bool view_overrides_build(struct gate_view *v, struct db_tx *tx, int64_t now_us,
                          const struct denied_set *denied, struct err *err)
{
    auto_override_list struct override_list rows = {0};
    v->denies_sha256 = denied_set_uses(denied, DIGEST_SHA256);
    v->denies_sha512 = denied_set_uses(denied, DIGEST_SHA512);
    if (!override_list_live(tx, v->repository_id, now_us, &rows, err)) {
        return false;
    }
    v->overrides = xcalloc(rows.count + 1, sizeof *v->overrides);
    for (size_t i = 0; i < rows.count; i++) {
        struct view_override *o = &v->overrides[v->override_count++];
        o->row = rows.items[i];
        rows.items[i] = (struct override){0}; /* what it owns is the view's now */
        v->bytes += sizeof *o + o->row.identity_count * sizeof *o->row.identities;
        if (!build_one(v, tx, o, denied, err)) {
            return false;
        }
    }
    return true;
}

/* --- asking ----------------------------------------------------------------------------------- */

bool gate_view_has_denied(const struct gate_view *view)
{
    return view->denies_sha256 || view->denies_sha512;
}

static bool find_entry(const struct gate_view *view, struct db_tx *tx, const struct digest *digest,
                       struct gate_exception_rows *rows, struct gate_exceptions *out,
                       struct err *err)
{
    struct slice ns = slice_first(repo_name_slice(&view->name), view->name.namespace_n);
    bool found = false;
    if (!denied_digest_find(tx, ns, digest, &rows->denied, &found, err)) {
        return false;
    }
    if (found) {
        rows->denial =
            (struct gate_denial){.digest = rows->denied.digest,
                                 .reason = rows->denied.reason,
                                 .who = rows->denied.denied_by,
                                 .since_us = rows->denied.since_us,
                                 .everywhere = strcmp(rows->denied.scope, DENIED_EVERYWHERE) == 0};
        out->denial = &rows->denial;
    }
    return true;
}

/* Of the bytes, by either of their names. */
static bool find_denial(const struct gate_view *view, struct db_tx *tx, const struct digest *digest,
                        struct gate_exception_rows *rows, struct gate_exceptions *out,
                        struct err *err)
{
    struct digest second;
    bool denies = second_name_algorithm(digest) == DIGEST_SHA512 ? view->denies_sha512
                                                                 : view->denies_sha256;
    if (!find_entry(view, tx, digest, rows, out, err)) {
        return false;
    }
    if (out->denial || !denies) {
        return true;
    }
    if (!second_name(tx, view->repository_id, digest, &second, err)) {
        return false;
    }
    if (digest_is_set(&second) && !find_entry(view, tx, &second, rows, out, err)) {
        return false;
    }
    rows->denial.other_name = out->denial != NULL;
    return true;
}

/* Of what stands in every way to the digest that is asked about. */
static bool find_above(const struct gate_view *view, struct db_tx *tx, const struct digest *denied,
                       struct gate_exception_rows *rows, struct gate_exceptions *out,
                       struct err *err)
{
    if (!find_denial(view, tx, denied, rows, out, err)) {
        return false;
    }
    rows->denial.other_name = false;
    return true;
}

/* The digest itself, or what stands in every way to it. */
static bool find_denials(const struct gate_view *view, struct db_tx *tx,
                         const struct digest *digest, struct gate_exception_rows *rows,
                         struct gate_exceptions *out, struct err *err)
{
    struct gate_reached reached;
    if (!gate_view_has_denied(view)) {
        return true;
    }
    if (!find_denial(view, tx, digest, rows, out, err)) {
        return false;
    }
    reach_get(&view->reach, digest, &reached);
    return out->denial || reached.kind != REACH_DENIED ||
           find_above(view, tx, &reached.root, rows, out, err);
}

static bool acts(const struct view_override *o, int64_t account_id, int64_t now_us)
{
    enum override_state state = override_state_of(&o->row, now_us);
    bool acting = state == OVERRIDE_ACTIVE || state == OVERRIDE_USED_UP; /* uses are read live */
    bool approved = !o->row.two_person || o->row.approved.us > 0;
    return acting && approved && !o->released && now_us >= o->row.start_us &&
           override_names_account(&o->row, account_id);
}

static bool find_override(const struct view_override *o, struct db_tx *tx, int64_t account_id,
                          int64_t now_us, struct gate_exception_rows *rows,
                          struct gate_exceptions *out, struct err *err)
{
    struct override_standing standing;
    if (!override_standing_get(tx, o->row.id, account_id, now_us, &standing, err)) {
        return false;
    }
    if (standing.open || o->row.max_uses == 0 || standing.uses < o->row.max_uses) {
        rows->override = (struct gate_override){.id = o->row.id,
                                                .end_us = o->row.end_us,
                                                .ticket = o->row.ticket,
                                                .counts = !standing.open};
        out->override = &rows->override;
    }
    return true;
}

bool gate_view_exceptions(const struct gate_view *view, struct db_tx *tx, int64_t account_id,
                          const struct digest *digest, int64_t now_us,
                          struct gate_exception_rows *rows, struct gate_exceptions *out,
                          struct err *err)
{
    *out = (struct gate_exceptions){0};
    if (!find_denials(view, tx, digest, rows, out, err)) {
        return false;
    }
    for (size_t i = 0; i < view->override_count && !out->denial && !out->override; i++) {
        const struct view_override *o = &view->overrides[i];
        struct gate_reached reached;
        reach_get(&o->reach, digest, &reached);
        if (reached.kind == REACH_NONE || !acts(o, account_id, now_us)) {
            continue;
        }
        bool ok = reached.kind == REACH_DENIED
                      ? find_above(view, tx, &reached.root, rows, out, err)
                      : find_override(o, tx, account_id, now_us, rows, out, err);
        if (!ok) {
            return false;
        }
    }
    return true;
}
