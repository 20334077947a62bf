/* Trust documents (Notary v1 role files) of a repository: bytes as received, every version, and the
 * lives of its roles.
 * Owns: the tables trust_doc and trust_role. Refuses to know: what a document says (trust/verify).
 * Invariants
 *   1. Documents are never changed; of a role's present life at most one is current (not
 *      superseded). Roots and current ones are never deleted. Others may be collected: then their
 *      bytes are gone, and their version and hashes stay, so that they are known when they come
 *      again; of timestamps, which only the server makes, nothing stays.
 *   2. A role's life (gate.md 11.3) starts with its first document and ends by trust_role_end or
 *      trust_doc_wipe; the next document begins a new one, with incarnation + 1, whose versions may
 *      start anew.
 *   3. In one life versions only rise; `seen` is the highest.
 *   4. Documents of ended lives are found by checksum only, collected ones not at all but by
 *      trust_doc_by_life.
 *   5. namespace.trust_bytes is the sum of the bytes of all documents of its repositories. */
#ifndef STORAGE_TRUST_DOC_H
#define STORAGE_TRUST_DOC_H

#include "base/db.h"
#include "base/name.h"
#include "storage/actor.h"

#define TRUST_ROLE_NAME_MAX 255

struct trust_doc {
    char role[TRUST_ROLE_NAME_MAX + 1];
    int64_t version;
    int64_t incarnation;       /* of the role */
    uint8_t sha256[32];        /* of the bytes */
    uint8_t signed_sha256[32]; /* of the canonical `signed` */
    int64_t accepted_us;
    int64_t superseded_us; /* 0 = current */
    int64_t renew_us;      /* as in struct trust_doc_new */
    struct slice bytes;    /* owned by the list or by trust_doc_dispose */
};
void trust_doc_dispose(struct trust_doc *doc);
static inline void cleanup_trust_doc(struct trust_doc *doc)
{
    trust_doc_dispose(doc);
}
#define auto_trust_doc __attribute__((cleanup(cleanup_trust_doc)))

struct trust_doc_list {
    struct trust_doc *items;
    size_t count;
};
void trust_doc_list_dispose(struct trust_doc_list *list);
static inline void cleanup_trust_doc_list(struct trust_doc_list *list)
{
    trust_doc_list_dispose(list);
}
#define auto_trust_doc_list __attribute__((cleanup(cleanup_trust_doc_list)))

struct trust_doc_new {
    struct slice role;
    int64_t version;
    uint8_t sha256[32];
    uint8_t signed_sha256[32];
    int64_t expires_us;
    int64_t renew_us; /* from when on the server makes it anew; 0 = it never does */
    struct slice bytes;
};
/* Stores a document and makes it the role's current one; begins a life when the role has none.
 * Expected errors: ERR_TRUST_VERSION (the life has this version or a newer one). Writer. */
bool trust_doc_put(struct db_tx *tx, int64_t repository_id, const struct trust_doc_new *doc,
                   int64_t now_us, struct err *err) MUST_USE;

/* Another renew_us for the role's current document; one that there is not is no error. Writer. */
bool trust_doc_set_renewal(struct db_tx *tx, int64_t repository_id, struct slice role,
                           int64_t renew_us, struct err *err) MUST_USE;

/* All current documents, root included, by role name. Empty when there are none. Any tx. */
bool trust_doc_current(struct db_tx *tx, int64_t repository_id, struct trust_doc_list *out,
                       struct err *err) MUST_USE;
/* Every root version of the present life, ascending. Any tx. */
bool trust_doc_roots(struct db_tx *tx, int64_t repository_id, struct trust_doc_list *out,
                     struct err *err) MUST_USE;
/* One document. Expected errors: ERR_TRUST_NOT_FOUND. Any tx. */
bool trust_doc_current_role(struct db_tx *tx, int64_t repository_id, struct slice role,
                            struct trust_doc *out, struct err *err) MUST_USE;
/* When the current document of a role ends; 0: nobody wrote it down, its bytes say it. Expected errors:
 * ERR_TRUST_NOT_FOUND. Any tx. */
bool trust_doc_expires(struct db_tx *tx, int64_t repository_id, struct slice role,
                       int64_t *expires_us_out, struct err *err) MUST_USE;
bool trust_doc_by_version(struct db_tx *tx, int64_t repository_id, struct slice role,
                          int64_t version, struct trust_doc *out, struct err *err) MUST_USE;
/* Of any life: the name is the hash. */
bool trust_doc_by_sha256(struct db_tx *tx, int64_t repository_id, struct slice role,
                         const uint8_t sha256[32], struct trust_doc *out, struct err *err) MUST_USE;
/* Of the document that trust_doc_by_sha256 would give accepted_us and incarnation alone, for who has
 * its bytes. Expected errors: ERR_TRUST_NOT_FOUND. Any tx. */
bool trust_doc_accepted(struct db_tx *tx, int64_t repository_id, struct slice role,
                        const uint8_t sha256[32], struct trust_doc *out,
                        struct err *err) MUST_USE;
/* A past document of any life (gate.md 6 b: would it still verify?). Expected errors:
 * ERR_TRUST_NOT_FOUND. */
bool trust_doc_by_life(struct db_tx *tx, int64_t repository_id, struct slice role,
                       int64_t incarnation, int64_t version, struct trust_doc *out,
                       struct err *err) MUST_USE;
/* Whether the repository has trust data now. */
bool trust_doc_any(struct db_tx *tx, int64_t repository_id, bool *out, struct err *err) MUST_USE;

struct trust_role_life {
    char role[TRUST_ROLE_NAME_MAX + 1];
    int64_t incarnation;
    int64_t version; /* the highest accepted in this life */
    uint8_t signed_sha256[32];
    bool ended;
    bool may_reset; /* an administrator lets the next document begin a new life (trust/reset.h) */
};
struct trust_role_life_list {
    struct trust_role_life *items;
    size_t count;
};
/* The newest life of every role, by name, ended ones included. Any tx. */
bool trust_role_lives(struct db_tx *tx, int64_t repository_id, struct trust_role_life_list *out,
                      struct err *err) MUST_USE;
/* The life of one role in such a list; NULL when the role never lived. Borrowed. */
const struct trust_role_life *trust_role_life_find(const struct trust_role_life_list *lives,
                                                   const char *role);
void trust_role_life_list_dispose(struct trust_role_life_list *list);
static inline void cleanup_trust_role_life_list(struct trust_role_life_list *list)
{
    trust_role_life_list_dispose(list);
}
#define auto_trust_role_life_list __attribute__((cleanup(cleanup_trust_role_life_list)))

/* Ends the present life of a role: its documents are no longer current, its listed targets end
 * (role_target.h, why ROLE_TARGET_ROLE_ENDED). Nothing to end is no error. Writer. */
bool trust_role_end(struct db_tx *tx, int64_t repository_id, struct slice role, int64_t now_us,
                    struct err *err) MUST_USE;
/* Lets the next document of the role begin a new life; gone with the life that it was given to.
 * Expected errors: ERR_TRUST_NOT_FOUND (the role has no present life). Writer. */
bool trust_role_permit_reset(struct db_tx *tx, int64_t repository_id, struct slice role,
                             int64_t now_us, struct err *err) MUST_USE;
/* Ends the life of every role (why ROLE_TARGET_WIPED). The rest of a wipe: tombstone.h,
 * trust_pin.h, change_record.h.
 *   had_out   there was something; may be NULL
 * Writer. */
bool trust_doc_wipe(struct db_tx *tx, int64_t repository_id, int64_t now_us, bool *had_out,
                    struct err *err) MUST_USE;

struct trust_due {
    int64_t repository_id;
    int64_t renew_us; /* of its current document that is due */
};
struct trust_due_list {
    struct trust_due *items;
    size_t count;
};
/* Repositories with a current document whose renew_us is reached, longest due first. A repository with
 * two such documents comes twice.
 *   after   the place in that order to go on from; NULL = from the start
 * Any tx. */
bool trust_doc_renewals(struct db_tx *tx, int64_t now_us, const struct trust_due *after, int max,
                        struct trust_due_list *out, struct err *err) MUST_USE;
void trust_due_list_dispose(struct trust_due_list *list);

struct trust_superseded {
    int64_t id, repository_id;
    struct repo_name repo;
    char role[TRUST_ROLE_NAME_MAX + 1];
    int64_t superseded_us;
    int64_t bytes;
};
struct trust_superseded_list {
    struct trust_superseded *items;
    size_t count;
};
/* Documents that were superseded before `before_us` and may be collected, oldest first; never roots.
 *   after   the place in that order to go on from (id and superseded_us count); zeroed = the start
 * Any tx. */
bool trust_doc_superseded(struct db_tx *tx, int64_t before_us, const struct trust_superseded *after,
                          int max, struct trust_superseded_list *out, struct err *err) MUST_USE;
void trust_superseded_list_dispose(struct trust_superseded_list *list);
#define auto_trust_superseded_list __attribute__((cleanup(trust_superseded_list_dispose)))
/* Collects one of them. Not being there any more is no error.
 *   bytes_out   what came free, 0 when nothing did
 * Writer. */
bool trust_doc_collect(struct db_tx *tx, const struct trust_superseded *doc, int64_t now_us,
                       int64_t *bytes_out, struct err *err) MUST_USE;
/* What all trust documents of the repository's namespace take, `more` bytes added. Writer. */
bool trust_space_add(struct db_tx *tx, int64_t repository_id, int64_t more, int64_t *bytes_out,
                     struct err *err) MUST_USE;

#endif
