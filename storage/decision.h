/* Decision records: who asked the gate for what, and what it answered (gate.md 12).
 * Owns: the decision and decision_chain tables, and the text of a record. Refuses to know: how the
 * gate decides (trust), who may read a record (server).
 * Invariants
 *   1. A record is one JSON text that ends in `"prev":"sha256:…"}`, the hash of the text of the
 *      record before it; the first one has zeros there. So a list of texts proves itself.
 *   2. Records are never changed. Old ones are cut off together, and a record that says how many,
 *      and what the last of them hashed to, takes their place in the chain.
 *   3. The hash of the last record is kept beside the table: an end that was cut off is found.
 *   4. The columns beside a text say what the text says. */
#ifndef STORAGE_DECISION_H
#define STORAGE_DECISION_H

#include "base/db.h"

#define DECISION_ID_SIZE 27 /* 26 characters and a NUL */
#define DECISION_SIGNERS_MAX 16

enum decision_effect { DECISION_CUT = 0, DECISION_ALLOW = 1, DECISION_DENY = 2 };

/* What is recorded, as plain values, all of them borrowed. NULL, an empty digest and 0 are what is
 * not known (JSON null). Texts that clients chose are cut and escaped here. */
struct decision_entry {
    int64_t time_us;
    const char *door;   /* "pull", "referrers", "blob", "verify", "deploy", "release"; a literal */
    const char *reason; /* gate.md 10.2; a literal */
    bool allow;
    bool dry_run;
    struct {
        int64_t account_id; /* 0: anonymous, or the control socket */
        const char *name;   /* "ns.robot", an e-mail, "" */
        const char *kind;   /* "user", "robot", "deployer", "anonymous", "control" */
        bool gated;
        const char *token; /* what it signed in with: "secret-7", "session-12" */
        const char *address, *agent;
    } identity;
    struct {
        const char *method;
        int64_t repository_id;
        const char *repo; /* "ns/app" */
        const char *tag;
        struct digest digest;
        const char *as; /* whom the question was asked for, when it was for somebody by name; else it is no member */
    } request;
    struct {
        struct digest registry, signed_digest, served;
    } digests;
    struct {
        const char *gun;
        int64_t incarnation, root, timestamp, snapshot, targets;
        const uint8_t *root_spki; /* 32 bytes */
        const char *role;
        int64_t role_version;
        const uint8_t (*signer_spki)[32];
        int signer_count;
        int64_t valid_until_us;
    } trust;
    struct {
        const char *scope, *level;
        int64_t generation;
    } policy;
    const char *override_id; /* of the override that was used */
    int64_t generation;      /* of the repository's gate: moved by trust, policy, overrides alike */
    int64_t took_us;
};

/* A record that is ready but for its place in the chain. Made outside of transactions. */
struct decision_draft {
    char id[DECISION_ID_SIZE]; /* sorts by time; 80 bits of it are random */
    int64_t time_us, repository_id, account_id;
    enum decision_effect effect;
    char *identity;             /* name; owned */
    char *text;                 /* owned; complete but for `prev` */
    size_t shared_at, shared_n; /* where "door" to "request" are in it, what a repeat repeats */
};
/* New; decision_draft_free. Any thread. */
struct decision_draft *decision_draft_new(const struct decision_entry *entry);
/* A copy that is good for decision_draft_repeat alone, and small. */
struct decision_draft *decision_draft_stub(const struct decision_draft *draft);
enum decision_repeat {
    DECISION_REPEAT_SAME,  /* the same request again */
    DECISION_REPEAT_BLOBS, /* blobs that were served because of it: {…,"blobs":true} */
    DECISION_REPEAT_OTHERS /* refusals for the same reason, of other names too: {…,"others":true} */
};
/* The record that ends a run of equal decisions: {…,"repeat_of":ID,"count":N}.
 *   first   the record of the first of them, or a stub of it
 *   count   how many came after it */
struct decision_draft *decision_draft_repeat(const struct decision_draft *first, int64_t count,
                                             enum decision_repeat kind, int64_t now_us);
void decision_draft_free(struct decision_draft *draft); /* accepts NULL */
static inline void cleanup_decision_draft(struct decision_draft **draft)
{
    decision_draft_free(*draft);
}
#define auto_decision_draft __attribute__((cleanup(cleanup_decision_draft)))

/* Chains and stores a record. In the transaction of what the decision let happen, both are stored
 * or none. Writer. */
bool decision_append(struct db_tx *tx, const struct decision_draft *draft,
                     struct err *err) MUST_USE;

struct decision_row {
    int64_t number; /* of its place in the chain, rising; gaps mean nothing */
    char id[DECISION_ID_SIZE];
    int64_t time_us, repository_id, account_id;
    enum decision_effect effect;
    char *identity, *text; /* owned; text with `prev` */
    int64_t total_bytes;   /* of all texts up to and with this one, ever */
    uint8_t sha256[32];    /* of text */
};
void decision_row_dispose(struct decision_row *row);
static inline void cleanup_decision_row(struct decision_row *row)
{
    decision_row_dispose(row);
}
#define auto_decision_row __attribute__((cleanup(cleanup_decision_row)))
/* Expected errors: ERR_NOT_FOUND. Any tx. */
bool decision_get(struct db_tx *tx, struct slice id, struct decision_row *out,
                  struct err *err) MUST_USE;

/* Which records, newest first. Zero members do not restrict. */
struct decision_filter {
    int64_t repository_id, account_id;
    struct slice identity; /* its name at that time */
    enum decision_effect effect;
    int64_t since_us;
};
struct decision_list {
    struct decision_row *items;
    size_t count;
    int64_t next; /* `before` of the page that follows; 0 = this was the last */
};
/* A page.
 *   before   numbers below it; 0 = from the newest
 *   max      1 … 1,000: at most so many records are found, and 1,000 looked at, so that a page may
 *            be short, even empty, and another one follow
 * Any tx. */
bool decision_list(struct db_tx *tx, const struct decision_filter *filter, int64_t before, int max,
                   struct decision_list *out, struct err *err) MUST_USE;
/* Oldest first from `after` on, cuts included: the chain as it is. next is `after` of what follows.
 * Any tx. */
bool decision_chain(struct db_tx *tx, int64_t after, int max, struct decision_list *out,
                    struct err *err) MUST_USE;
void decision_list_dispose(struct decision_list *list);
static inline void cleanup_decision_list(struct decision_list *list)
{
    decision_list_dispose(list);
}
#define auto_decision_list __attribute__((cleanup(cleanup_decision_list)))

/* Proves the chain page by page: begin with a zeroed one, call until `done`. */
struct decision_proof {
    int64_t records;  /* that fit so far */
    uint8_t head[32]; /* hash of the last of them */
    bool done;        /* all was read, or something does not fit */
    int64_t bad;      /* number of the first record that does not fit; 0 = all is well */
    char bad_id[DECISION_ID_SIZE];
    const char *what;           /* half a sentence about it: "it was changed" */
    int64_t after, total_bytes; /* where the next page begins */
};
/* Begins behind the record with this number instead, whose hash is believed. Expected errors:
 * ERR_NOT_FOUND. Any tx. */
bool decision_proof_from(struct db_tx *tx, int64_t number, struct decision_proof *out,
                         struct err *err) MUST_USE;
/* Recomputes at most `max` further records. Any tx. */
bool decision_verify(struct db_tx *tx, int max, struct decision_proof *proof,
                     struct err *err) MUST_USE;

/* What is kept: 0 = no bound. */
struct decision_keep {
    int64_t age_us;
    int64_t bytes; /* of texts */
};
/* Cuts off the oldest records beyond what is kept, at most `max` in this transaction, never all,
 * and appends the record of the cut. It waits until there is a day or a sixteenth too much, so that
 * cuts are few.
 *   more_out   there is more to cut
 * Writer. */
bool decision_cut(struct db_tx *tx, const struct decision_keep *keep, int max, int64_t now_us,
                  int64_t *cut_out, bool *more_out, struct err *err) MUST_USE;

#endif
