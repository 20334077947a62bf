/* The audit log: who did what to what, append-only and hash chained.
 * Owns: the audit table. Refuses to know: what an action means.
 * Invariants
 *   1. Entry n holds the SHA-256 of entry n - 1 and its own, over all of its fields.
 *   2. Entries are never changed. */
#ifndef STORAGE_AUDIT_H
#define STORAGE_AUDIT_H

#include "base/db.h"
#include "storage/actor.h"

enum audit_outcome { AUDIT_DENIED = 0, AUDIT_OK = 1, AUDIT_ERROR = 2 };

struct audit_entry {
    const char *action;   /* "namespace.create", "policy.put", "trust.wipe", … */
    int64_t namespace_id; /* whose log it belongs to; 0 = the instance */
    struct slice object;  /* "ns/app:v1", "ns", an e-mail; UTF-8 */
    enum audit_outcome outcome;
    struct slice before; /* JSON text or empty */
    struct slice after;  /* JSON text or empty */
};
/* Appends within the caller's transaction, so that a change and its entry are stored together or
 * not at all. Writer. */
bool audit_append(struct db_tx *tx, const struct actor *actor, const struct audit_entry *entry,
                  int64_t now_us, struct err *err) MUST_USE;

struct audit_record {
    int64_t id;
    int64_t created_us;
    int64_t namespace_id;
    struct actor actor;
    enum audit_outcome outcome;
    char *action, *object, *before, *after; /* owned */
    uint8_t prev[32], sha256[32];
};
struct audit_list {
    struct audit_record *items;
    size_t count;
};
/* Entries with id > after, oldest first, at most `max`.
 *   namespace_id   0 = all
 * Any tx. */
bool audit_list(struct db_tx *tx, int64_t namespace_id, int64_t after, int max,
                struct audit_list *out, struct err *err) MUST_USE;
/* The newest entry of an action on an object that is not younger than `at_us`, or none: how an
 * object was at a time. Any tx. */
bool audit_last(struct db_tx *tx, const char *action, struct slice object, int64_t at_us,
                struct audit_list *out, struct err *err) MUST_USE;
/* The entry before the first that is not older than `since_us`: where a list from then on begins.
 * Any tx. */
bool audit_before(struct db_tx *tx, int64_t since_us, int64_t *id_out, struct err *err) MUST_USE;
void audit_list_dispose(struct audit_list *list);
static inline void cleanup_audit_list(struct audit_list *list)
{
    audit_list_dispose(list);
}
#define auto_audit_list __attribute__((cleanup(cleanup_audit_list)))
/* Recomputes the chain over at most `max` entries with id > after: *bad_out is the id of the first
 * that does not fit, or that is missing at the end; 0 when all is well. Any tx. */
bool audit_verify(struct db_tx *tx, int64_t after, int max, int64_t *bad_out,
                  struct err *err) MUST_USE;

#endif
