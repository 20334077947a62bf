/* A trust state while it is built: shared by state.c (the four base roles) and tree.c
 * (delegations). Internal to trust/verify. */
#ifndef TRUST_VERIFY_STATE_BUILD_H
#define TRUST_VERIFY_STATE_BUILD_H

#include "trust/verify/arena.h"
#include "trust/verify/state.h"

struct blame {
    enum trust_status status;
    const char *role;
    char why[400];
    bool set;
};

struct builder {
    const struct trust_set *set;
    const struct trust_options *options;
    struct trust_state *state;
    struct blame first;    /* the first defect on the way */
    struct blame rollback; /* the first rollback: it is told before any other */
    int checks;            /* signature checks below root */
    size_t path_checks;    /* paths compared */
    size_t roles_cap;
};

/* Notes a defect of the whole state. */
void builder_blame(struct builder *b, enum trust_status status, const char *role, const char *fmt,
                   ...) PRINTF_LIKE(4, 5);
/* NULL when nothing is stored under that role. */
const struct trust_file *builder_file(const struct builder *b, struct slice role);
const struct trust_seen *builder_seen(const struct builder *b, struct slice role);

enum history { HISTORY_REWRITTEN = 0, HISTORY_ROLLBACK, HISTORY_OK };
/* Compares a verified document with the newest version accepted of its role (gate.md 4). */
enum history builder_history(const struct builder *b, const struct tuf_doc *doc);

/* Adds targets (already verified, `state_of` it) and walks all delegations below it, breadth first.
 */
void tree_build(struct builder *b, struct tuf_doc *targets, enum role_state state_of,
                const struct sig_count *signatures);

#endif
