/* The deny list: digests that no rule of the gate lets through, for the whole instance or for a
 * namespace (gate.md 6, 10.2).
 * Owns: the table denied_digest. Refuses to know: who may deny (auth), what is reached through a
 * denied digest (trust).
 * Invariants
 *   1. Rows are never removed: an entry that was lifted stays as such. `changes` rises with every
 *      change of the entry and never falls, so that a store that was set back shows.
 *   2. An entry belongs to the name of a namespace: deleting it and making it again lifts nothing.
 *   3. Every change throws the gate views away that it may concern. */
#ifndef STORAGE_DENIED_DIGEST_H
#define STORAGE_DENIED_DIGEST_H

#include "base/db.h"
#include "base/digest.h"
#include "base/name.h"
#include "storage/actor.h"

#define DENIED_EVERYWHERE "*"  /* the scope of the instance */
#define DENIED_REASON_MAX 300  /* bytes */
#define DENIED_SCOPE_MAX 10000 /* entries in force of one scope */
#define DENIED_SCOPE_SIZE (REPO_NAME_MAX + 1)

struct denied_digest {
    char scope[DENIED_SCOPE_SIZE]; /* DENIED_EVERYWHERE, or the name of a namespace */
    struct digest digest;
    int64_t changes;
    int64_t lifted_us; /* 0: in force */
    int64_t since_us;
    char denied_by[ACTOR_NAME_MAX + 1];
    char reason[DENIED_REASON_MAX + 1];
};
struct denied_digest_list {
    struct denied_digest *items;
    size_t count;
    bool more;
};
void denied_digest_list_dispose(struct denied_digest_list *list);
static inline void cleanup_denied_digest_list(struct denied_digest_list *list)
{
    denied_digest_list_dispose(list);
}
#define auto_denied_digest_list __attribute__((cleanup(cleanup_denied_digest_list)))

/* Puts an entry in force, or changes its text.
 *   scope   DENIED_EVERYWHERE or the name of a namespace that exists
 *   reason  at most DENIED_REASON_MAX bytes
 * Expected errors: ERR_NAMESPACE_UNKNOWN, ERR_CONFLICT (DENIED_SCOPE_MAX entries are in force).
 * Writer; the caller audits. */
bool denied_digest_put(struct db_tx *tx, const char *scope, const struct digest *digest,
                       const char *reason, const struct actor *actor, int64_t now_us,
                       struct denied_digest *out, struct err *err) MUST_USE;
/* Lifts an entry. Expected errors: ERR_NOT_FOUND, ERR_NAMESPACE_UNKNOWN. Writer; the caller
 * audits. */
bool denied_digest_lift(struct db_tx *tx, const char *scope, const struct digest *digest,
                        int64_t now_us, struct denied_digest *out, struct err *err) MUST_USE;

/* The entry in force that concerns a digest in a namespace: the instance's first. *found_out false:
 * it is not denied. Any tx. */
bool denied_digest_find(struct db_tx *tx, struct slice namespace_name, const struct digest *digest,
                        struct denied_digest *out, bool *found_out, struct err *err) MUST_USE;
/* Entries in force of a scope, by digest, after `after` (unset: from the start), at most `max`
 * (1 … 1,000). Any tx. */
bool denied_digest_list(struct db_tx *tx, const char *scope, const struct digest *after, int max,
                        struct denied_digest_list *out, struct err *err) MUST_USE;
/* Every row, lifted ones too, by scope and digest, after (scope, digest). Any tx. */
bool denied_digest_list_all(struct db_tx *tx, const char *scope, const struct digest *after,
                            int max, struct denied_digest_list *out, struct err *err) MUST_USE;

/* The digests in force that concern a namespace: its own and the instance's, for many questions at
 * once. */
struct denied_set {
    struct digest *items; /* sorted */
    size_t count;
};
bool denied_set_load(struct db_tx *tx, struct slice namespace_name, struct denied_set *out,
                     struct err *err) MUST_USE;
bool denied_set_has(const struct denied_set *set, const struct digest *digest);
/* Whether any of them is of this algorithm. */
bool denied_set_uses(const struct denied_set *set, enum digest_algorithm algorithm);
void denied_set_dispose(struct denied_set *set);
static inline void cleanup_denied_set(struct denied_set *set)
{
    denied_set_dispose(set);
}
#define auto_denied_set __attribute__((cleanup(cleanup_denied_set)))

#endif
