#include "trust/view_history.h"

#include "storage/role_target.h"
#include "trust/verify/arena.h"

/* From so many names on the rows of a role are read in one pass: a look-up costs more than a row. */
#define NAMES_FOR_ONE_PASS 1000

static enum listing_end end_of(enum role_target_why why)
{
    switch (why) {
    case ROLE_TARGET_LISTED:
        return LISTING_OPEN;
    case ROLE_TARGET_REPLACED:
        return LISTING_REPLACED;
    case ROLE_TARGET_WITHDRAWN:
    case ROLE_TARGET_ROLE_ENDED:
        return LISTING_WITHDRAWN;
    case ROLE_TARGET_WIPED:
        return LISTING_WIPED;
    }
    return LISTING_WITHDRAWN;
}

static const struct spki *copy_signers(struct view_history *h, const struct role_target *row)
{
    size_t bytes = (size_t)row->signer_count * sizeof(struct spki);
    struct spki *copy = trust_arena_alloc(h->texts, (size_t)row->signer_count, sizeof(*copy));
    memcpy(copy, row->signers, bytes);
    return copy;
}

/*   role   kept as long as the history */
static void add_listing(struct view_history *h, const char *role, const struct role_target *row)
{
    if (h->count == h->capacity) {
        h->capacity = h->capacity ? h->capacity * 2 : 16;
        h->items = xrealloc(h->items, h->capacity * sizeof *h->items);
    }
    h->items[h->count++] =
        (struct gate_listing){.role = role,
                              .tag = trust_arena_text(h->texts, slice_str(row->tag)),
                              .digest = digest_is_set(&row->sha256) ? row->sha256 : row->sha512,
                              .sha512 = digest_is_set(&row->sha256) ? row->sha512
                                                                    : (struct digest){0},
                              .length = row->length,
                              .since_us = row->since_us,
                              .until_us = row->until_us,
                              .end = end_of(row->why),
                              .end_version = row->last_version,
                              .signers = copy_signers(h, row),
                              .signer_count = row->signer_count,
                              .outside = row->outside};
}

/* --- whose past matters ----------------------------------------------------------------------- */

struct names { /* texts borrowed */
    struct slice *items;
    size_t count, capacity;
};

static void names_add(struct names *n, struct slice name)
{
    if (n->count == n->capacity) {
        n->capacity = n->capacity ? n->capacity * 2 : 32;
        n->items = xrealloc(n->items, n->capacity * sizeof *n->items);
    }
    n->items[n->count++] = name;
}

static int compare_slices(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

/* Sorted, each once. */
static void names_finish(struct names *n)
{
    size_t kept = 0;
    if (n->count > 1) {
        qsort(n->items, n->count, sizeof *n->items, compare_slices);
    }
    for (size_t i = 0; i < n->count; i++) {
        if (i == 0 || !slice_equal(n->items[i], n->items[kept - 1])) {
            n->items[kept++] = n->items[i];
        }
    }
    n->count = kept;
}

static void names_of_doc(const struct trust_state *state, const char *role, struct names *names)
{
    const struct trust_role *r = trust_state_role(state, slice_str(role));
    for (size_t i = 0; r && r->doc && i < r->doc->target_count; i++) {
        names_add(names,
                  (struct slice){r->doc->target_list[i].name, r->doc->target_list[i].name_n});
    }
}

static bool releases_or_targets(const char *role)
{
    return strcmp(role, "targets") == 0 || strcmp(role, ROLE_RELEASES) == 0;
}

static void names_of_ended(const struct role_target_list *ended, struct names *names)
{
    for (size_t i = 0; i < ended->count; i++) {
        const char *role = ended->items[i].role;
        if (releases_or_targets(role)) {
            names_add(names, slice_str(ended->items[i].tag));
        }
    }
}

static void names_of_state(const struct trust_loaded *loaded, const struct trust_state *state,
                           struct names *names)
{
    const struct trust_role *releases = trust_state_role(state, SLICE_LIT(ROLE_RELEASES));
    if (!trust_role_life_find(&loaded->lives, ROLE_RELEASES)) {
        return;
    }
    names_of_doc(state, "targets", names);
    if (releases && releases->state != ROLE_STATE_OK) {
        names_of_doc(state, ROLE_RELEASES, names);
    }
}

/* --- which roles' rows ------------------------------------------------------------------------ */

struct roles { /* texts of the history's arena */
    const char **items;
    size_t count;
};

static void roles_add(struct roles *roles, struct view_history *h, struct slice name)
{
    for (size_t i = 0; i < roles->count; i++) {
        if (slice_is(name, roles->items[i])) {
            return;
        }
    }
    roles->items = xrealloc(roles->items, (roles->count + 1) * sizeof *roles->items);
    roles->items[roles->count++] = trust_arena_text(h->texts, name);
}

/* One member of the policy's signers: a name is that of a delegation; a key may have signed any role. */
static void roles_of_member(struct roles *roles, struct view_history *h,
                            const struct trust_state *state, const char *member)
{
    auto_buf struct buf name = {0};
    if (strncmp(member, "key:", 4) != 0) {
        buf_printf(&name, "targets/%s", member);
        roles_add(roles, h, buf_slice_of(&name));
        return;
    }
    for (size_t i = 0; i < state->role_count; i++) {
        roles_add(roles, h, slice_str(state->roles[i].name));
    }
}

static void roles_that_matter(struct roles *roles, struct view_history *h,
                              const struct trust_state *state, const struct policy *policy)
{
    roles_add(roles, h, SLICE_LIT("targets"));
    roles_add(roles, h, SLICE_LIT(ROLE_RELEASES));
    for (size_t i = 0; policy->signers_threshold > 0 && i < policy->signers.count; i++) {
        roles_of_member(roles, h, state, policy->signers.items[i]);
    }
}

/* --- their rows ------------------------------------------------------------------------------- */

struct reading {
    struct view_history *history;
    const struct names *names;
    const char *role;
};

static void take_if_wanted(void *arg, const struct role_target *row)
{
    const struct reading *r = arg;
    struct slice tag = slice_str(row->tag);
    if (bsearch(&tag, r->names->items, r->names->count, sizeof tag, compare_slices)) {
        add_listing(r->history, r->role, row);
    }
}

static bool read_one_by_one(struct db_tx *tx, int64_t repository_id, const struct reading *r,
                            struct err *err)
{
    for (size_t i = 0; i < r->names->count; i++) {
        auto_role_target_list struct role_target_list rows = {0};
        if (!role_target_history(tx, repository_id, slice_str(r->role), r->names->items[i],
                                 INT64_MAX, ROLE_TARGET_HISTORY_MAX, &rows, err)) {
            return false;
        }
        for (size_t k = 0; k < rows.count; k++) {
            add_listing(r->history, r->role, &rows.items[k]);
        }
    }
    return true;
}

static bool read_rows(struct db_tx *tx, int64_t repository_id, const struct roles *roles,
                      const struct names *names, struct view_history *h, struct err *err)
{
    bool ok = true;
    for (size_t i = 0; ok && i < roles->count; i++) {
        struct reading r = {.history = h, .names = names, .role = roles->items[i]};
        ok = names->count < NAMES_FOR_ONE_PASS
                 ? read_one_by_one(tx, repository_id, &r, err)
                 : role_target_walk(tx, repository_id, slice_str(r.role), take_if_wanted, &r, err);
    }
    return ok;
}

bool view_history_load(struct db_tx *tx, int64_t repository_id, const struct trust_loaded *loaded,
                       const struct trust_state *state, const struct policy *policy, int64_t now_us,
                       struct view_history *out, struct err *err)
{
    auto_role_target_list struct role_target_list ended = {0};
    struct names names = {0};
    struct roles roles = {0};
    int64_t grace_us = policy->grace_us;
    int64_t since = grace_us == DURATION_FOREVER ? 0 : now_us - grace_us;
    *out = (struct view_history){.texts = trust_arena_new()};
    if (grace_us > 0 && !role_target_ended_since(tx, repository_id, since, &ended, err)) {
        return false;
    }
    names_of_ended(&ended, &names);
    names_of_state(loaded, state, &names);
    names_finish(&names);
    roles_that_matter(&roles, out, state, policy);
    bool ok = read_rows(tx, repository_id, &roles, &names, out, err);
    free(names.items);
    free(roles.items);
    if (out->count > 0) {
        out->capacity = out->count;
        out->items = xrealloc(out->items, out->capacity * sizeof *out->items);
    }
    if (out->count > 1) {
        qsort(out->items, out->count, sizeof *out->items, gate_listing_compare);
    }
    return ok;
}

void view_history_dispose(struct view_history *history)
{
    free(history->items);
    trust_arena_free(history->texts);
    *history = (struct view_history){0};
}

size_t view_history_bytes(const struct view_history *history)
{
    return history->capacity * sizeof *history->items + trust_arena_bytes(history->texts);
}
