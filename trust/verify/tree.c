/* The delegation tree: every role that targets delegates, directly or through others, breadth first
 * (gate.md 4). A defect here is the role's own, not the state's: it denies what lies inside the
 * role's paths. */
#include "base/buf.h"
#include "trust/verify/state_build.h"

#include <stdarg.h>
#include <stdio.h>

static struct trust_role *add_role(struct builder *b, const char *name)
{
    struct trust_state *state = b->state;

    if (state->role_count == b->roles_cap) {
        b->roles_cap = b->roles_cap ? 2 * b->roles_cap : 4;
        state->roles = xrealloc(state->roles, b->roles_cap * sizeof(*state->roles));
    }
    struct trust_role *role = &state->roles[state->role_count++];
    *role = (struct trust_role){.name = name, .state = ROLE_STATE_BAD};
    return role;
}

static void role_defect(struct trust_role *role, enum role_state state, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

static void role_defect(struct trust_role *role, enum role_state state, const char *fmt, ...)
{
    va_list args;

    role->state = state;
    va_start(args, fmt);
    (void)vsnprintf(role->why, sizeof(role->why), fmt, args);
    va_end(args);
}

/* A delegation hands on only what its parent has. */
static void restrict_paths(struct builder *b, const struct trust_role *parent,
                           struct trust_role *child)
{
    const struct tuf_delegation *d = child->delegation;

    child->paths = trust_arena_alloc(b->state->arena, d->path_count, sizeof(*child->paths));
    for (size_t i = 0; i < d->path_count; i++) {
        if (trust_role_covers(parent, slice_str(d->paths[i]))) {
            child->paths[child->path_count++] = d->paths[i];
        }
    }
}

/* The stored document, whatever its merits; NULL with the defect told. */
static struct tuf_doc *read_child(struct builder *b, struct trust_role *role)
{
    const struct trust_file *file = builder_file(b, slice_str(role->name));
    struct tuf_doc *doc = NULL;
    struct err why = {0};

    if (!file) {
        role_defect(role, ROLE_STATE_BAD, "the snapshot lists it, but it is not stored");
        return NULL;
    }
    if (trust_file_read(file, &doc, &why) != DOC_OK) {
        role_defect(role, ROLE_STATE_BAD, "%.190s", why.msg);
    }
    return doc;
}

/* Signature before version before expiry. */
static void judge_child(struct builder *b, const struct tuf_doc *parent, struct trust_role *role,
                        const struct tuf_meta *meta)
{
    const struct tuf_doc *doc = role->doc;

    if (!tuf_hashes_match(&meta->file, doc)) {
        role_defect(role, ROLE_STATE_BAD, "hash or length is not what the snapshot says");
        return;
    }
    tuf_count_signatures(doc, parent, &role->delegation->keys, NULL, &role->signatures);
    b->checks += role->signatures.checks;
    if (!sig_count_met(&role->signatures)) {
        role_defect(role, role->signatures.valid > 0 ? ROLE_STATE_THRESHOLD : ROLE_STATE_BAD,
                    "it has %d of %lld valid signatures", role->signatures.valid,
                    (long long)role->signatures.threshold);
        return;
    }
    enum history history = builder_history(b, doc);
    if (history != HISTORY_OK) {
        bool rollback = history == HISTORY_ROLLBACK;
        role_defect(role, rollback ? ROLE_STATE_ROLLBACK : ROLE_STATE_BAD,
                    rollback ? "version %lld is lower than one accepted before"
                             : "version %lld was accepted with other content",
                    (long long)doc->version);
        return;
    }
    if (doc->expires_us <= b->options->now_us) {
        role_defect(role, ROLE_STATE_EXPIRED, "it expired at %s", doc->expires);
        return;
    }
    role->state = ROLE_STATE_OK;
}

static void visit(struct builder *b, size_t parent_at, const struct tuf_delegation *delegation)
{
    struct trust_role *role = add_role(b, delegation->name);
    const struct trust_role *parent =
        &b->state->roles[parent_at]; /* after add_role: it may move them */
    const struct tuf_meta *meta = tuf_doc_meta(b->state->snapshot, slice_str(delegation->name));

    role->delegation = delegation;
    b->path_checks += delegation->path_count * parent->path_count;
    if (b->path_checks > TRUST_PATH_CHECKS_MAX) {
        return; /* work_within_limits tells; without paths the role says nothing */
    }
    restrict_paths(b, parent, role);
    if (!meta && builder_seen(b, slice_str(role->name))) {
        role_defect(role, ROLE_STATE_VANISHED, "it had metadata and is no longer in the snapshot");
    } else if (!meta) {
        role_defect(role, ROLE_STATE_ABSENT, "it has no metadata yet");
    } else if ((role->doc = read_child(b, role))) {
        judge_child(b, parent->doc, role, meta);
    }
}

static bool has_room(struct builder *b)
{
    if (b->state->role_count >= TRUST_ROLES_MAX) {
        builder_blame(b, TRUST_BAD_DATA, "targets", "more than %d roles", TRUST_ROLES_MAX);
        return false;
    }
    return true;
}

/* After each role, the last one included. */
static bool work_within_limits(struct builder *b)
{
    if (b->checks > TRUST_SIGNATURE_CHECKS_MAX) {
        builder_blame(b, TRUST_BAD_DATA, "targets", "more than %d signature checks",
                      TRUST_SIGNATURE_CHECKS_MAX);
        return false;
    }
    if (b->path_checks > TRUST_PATH_CHECKS_MAX) {
        builder_blame(b, TRUST_BAD_DATA, "targets", "more than %d paths of delegations to compare",
                      TRUST_PATH_CHECKS_MAX);
        return false;
    }
    return true;
}

static bool visit_children(struct builder *b, size_t parent_at)
{
    const struct tuf_doc *doc = b->state->roles[parent_at].doc;

    for (size_t i = 0; i < doc->delegation_count; i++) {
        if (!has_room(b)) {
            return false;
        }
        visit(b, parent_at, &doc->delegations[i]);
        if (!work_within_limits(b)) {
            return false;
        }
    }
    return true;
}

void tree_build(struct builder *b, struct tuf_doc *targets, enum role_state state_of,
                const struct sig_count *signatures)
{
    static const char *const everything[] = {""};
    struct trust_role *first = add_role(b, "targets");

    first->state = state_of;
    first->doc = targets;
    first->signatures = *signatures;
    first->paths = trust_arena_alloc(b->state->arena, 1, sizeof(*first->paths));
    first->paths[0] = everything[0];
    first->path_count = 1;
    if (state_of != ROLE_STATE_OK) {
        (void)snprintf(first->why, sizeof(first->why), "see the state as a whole");
    }
    for (size_t at = 0; at < b->state->role_count; at++) {
        /* Below a targets document that is only old or expired the tree is still worth showing. */
        if (at > 0 && b->state->roles[at].state != ROLE_STATE_OK) {
            continue;
        }
        if (!visit_children(b, at)) {
            return;
        }
    }
}
