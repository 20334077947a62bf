/* Overrides (break-glass, gate.md 14): one exact digest of one repository that named identities may
 * pull for a time although its signatures do not allow it.
 * Owns: the tables override, override_identity and override_use. Refuses to know: who may make one
 * (auth), what it lets through (trust/gate).
 * Invariants
 *   1. Rows are never removed, and neither digest, identities, start nor end are changed: an
 *      override ends earlier by being ended, never later.
 *   2. `changes` rises with every change of a row and never falls, so that a store that was set back
 *      shows.
 *   3. What changes who may pull throws the repository's gate view away. Counting a use does not:
 *      uses are read live. */
#ifndef STORAGE_OVERRIDE_H
#define STORAGE_OVERRIDE_H

#include "base/db.h"
#include "base/digest.h"
#include "base/name.h"
#include "storage/actor.h"

#define OVERRIDE_REASON_MAX 500 /* bytes */
#define OVERRIDE_TICKET_MAX 100
#define OVERRIDE_IDENTITIES_MAX 32
#define OVERRIDE_LIVE_MAX 32      /* of one repository, ahead or in force */
#define OVERRIDE_USES_MAX 1000000 /* that may be asked for */

struct override_identity {
    int64_t account_id;
    char name[ACTOR_NAME_MAX + 1]; /* when it was made */
};
struct override_act { /* us 0: it has not happened */
    int64_t us;
    int64_t account_id; /* 0: the control socket, or the server itself */
    char name[ACTOR_NAME_MAX + 1];
};

struct override {
    int64_t id;
    int64_t namespace_id, repository_id;
    char repository[REPO_NAME_MAX + 1];
    struct digest digest;
    char reason[OVERRIDE_REASON_MAX + 1];
    char ticket[OVERRIDE_TICKET_MAX + 1];
    int64_t start_us, end_us;
    int64_t max_uses; /* 0: any number */
    int64_t uses;
    bool two_person; /* it acts only when somebody else has approved it */
    struct override_act created, approved, ended;
    char ended_why[OVERRIDE_REASON_MAX + 1];
    int64_t changes;
    struct override_identity *identities; /* owned */
    size_t identity_count;
};
void override_dispose(struct override *o);
static inline void cleanup_override(struct override *o)
{
    override_dispose(o);
}
#define auto_override __attribute__((cleanup(cleanup_override)))

struct override_list {
    struct override *items;
    size_t count;
    bool more;
};
void override_list_dispose(struct override_list *list);
static inline void cleanup_override_list(struct override_list *list)
{
    override_list_dispose(list);
}
#define auto_override_list __attribute__((cleanup(cleanup_override_list)))

/* What an override is at a moment, the first that fits. */
enum override_state {
    OVERRIDE_ENDED = 0, /* before its time */
    OVERRIDE_EXPIRED,
    OVERRIDE_USED_UP,
    OVERRIDE_WAITING, /* for the second person */
    OVERRIDE_AHEAD,
    OVERRIDE_ACTIVE
};
enum override_state override_state_of(const struct override *o, int64_t now_us);
bool override_names_account(const struct override *o, int64_t account_id);

/* Stores a new one; id, uses, approval and end of `o` are not read. Sets o->id. Expected errors:
 * ERR_CONFLICT (OVERRIDE_LIVE_MAX of the repository are ahead or in force). Writer; the caller
 * audits. */
bool override_insert(struct db_tx *tx, struct override *o, struct err *err) MUST_USE;
/* Expected errors: ERR_NOT_FOUND (also when it is another namespace's). Any tx. */
bool override_get(struct db_tx *tx, int64_t namespace_id, int64_t id, struct override *out,
                  struct err *err) MUST_USE;
/* Expected errors: ERR_CONFLICT (approved or ended already, or its end has passed). Writer. */
bool override_set_approved(struct db_tx *tx, const struct override *o, const struct actor *actor,
                           int64_t now_us, struct err *err) MUST_USE;
/* Expected errors: ERR_CONFLICT (ended already, or its end has passed). Writer. */
bool override_set_ended(struct db_tx *tx, const struct override *o, const char *why,
                        const struct actor *actor, int64_t now_us, struct err *err) MUST_USE;
/* Ends all of a repository. Writer. */
bool override_end_repository(struct db_tx *tx, int64_t repository_id, const char *why,
                             const struct actor *actor, int64_t now_us, struct err *err) MUST_USE;

/* A use is everything that one identity pulls within so long. */
#define OVERRIDE_USE_US (INT64_C(10) * 60 * 1000000)
struct override_standing {
    int64_t uses;
    bool open; /* a use of this identity was counted less than OVERRIDE_USE_US ago */
};
/* Any tx. */
bool override_standing_get(struct db_tx *tx, int64_t id, int64_t account_id, int64_t now_us,
                           struct override_standing *out, struct err *err) MUST_USE;
/* Counts a use. Expected errors: ERR_CONFLICT (it does not act, or is used up). Writer. */
bool override_count_use(struct db_tx *tx, int64_t id, int64_t account_id, int64_t now_us,
                        int64_t *changes_out, struct err *err) MUST_USE;

/* Those of a repository whose end has not come, ended ones left out, by id: at most
 * OVERRIDE_LIVE_MAX. Any tx. */
bool override_list_live(struct db_tx *tx, int64_t repository_id, int64_t now_us,
                        struct override_list *out, struct err *err) MUST_USE;
/* True in *out when such a one names the digest. Any tx. */
bool override_names_digest(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                           int64_t now_us, bool *out, struct err *err) MUST_USE;
/* Those of a namespace, newest first: id < before (0: from the newest), at most `max` (1 … 1,000).
 * Any tx. */
bool override_list_namespace(struct db_tx *tx, int64_t namespace_id, int64_t before, int max,
                             struct override_list *out, struct err *err) MUST_USE;
/* How many act now, in the whole instance. Any tx. */
bool override_count_active(struct db_tx *tx, int64_t now_us, int64_t *out,
                           struct err *err) MUST_USE;

/* All whose end has not come, ended ones too: what the checkpoint remembers. */
struct override_change {
    int64_t id, repository_id, changes, end_us;
    bool ended;
};
struct override_change_list {
    struct override_change *items;
    size_t count;
};
bool override_list_changes(struct db_tx *tx, int64_t now_us, struct override_change_list *out,
                           struct err *err) MUST_USE;
void override_change_list_dispose(struct override_change_list *list);
static inline void cleanup_override_change_list(struct override_change_list *list)
{
    override_change_list_dispose(list);
}
#define auto_override_change_list __attribute__((cleanup(cleanup_override_change_list)))

#endif
