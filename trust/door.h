/* Decisions over the store: gathers the facts of gate.h from one snapshot (gate view, live tag,
 * live policy) and asks the gate. What every door calls. */
#ifndef TRUST_DOOR_H
#define TRUST_DOOR_H

#include "trust/gate.h"
#include "trust/trust.h"

struct repository; /* storage/repository.h */
struct tag;        /* storage/tag.h */
struct gate_view;  /* trust/view.h */

struct artifact_reading; /* trust/artifact.h */

struct gate_caller {       /* the identity as plain values, filled by the server */
    bool gated;            /* identity->gated */
    bool reads_unsigned;   /* it may push to or sign in this repository, or read what is not signed
                              there (levels all and lock) */
    int64_t account_id;    /* whose overrides count; 0: nobody's */
    struct gate_view *view; /* decide by this view of the repository (view.h); borrowed. NULL: by its
                               own */
    /* What the request has read in search of artifacts, when it asks for several decisions; borrowed. NULL: each may
     * read as much as a request may */
    struct artifact_reading *reading;
    /* Whether whoever is told the answer may pull from another repository: a refusal names one that he may only.
     * NULL: none is named. `told` is its argument; borrowed */
    bool (*may_pull)(const void *told, struct db_tx *tx, const struct repo_name *repo);
    const void *told;
    struct gate_view *kept; /* which is this one, when it was ready (gate_view_find_ready); borrowed. NULL:
                               it is asked for, and may have to be waited for. With it an answer by digest may be
                               `unfinished`, where it takes a search that is not for a loop thread */
};

/* Whoever serves, or deploys, what REASON_OVERRIDE allows counts the use first, when override_counts says so
 * (override_use in override.h). */

/* The door's answer to a tag request.
 *   tx           the request's snapshot: every fact is read in it
 *   repo, name   the repository's row, read in tx, and its name (the same as repo->name)
 *   current      the tag's row read in tx, or NULL when there is no such tag
 *   size         bytes of the manifest that `current` names; -1 when not known (it is looked up)
 * On EFFECT_ALLOW serve `out.serve` (which may differ from the tag's digest: on_mismatch
 * serve_signed); with reason REASON_NOT_GATED or REASON_OFF it equals the tag's digest. Refusals
 * are complete (message, phrase): hand them to reply_refusal. A tag that does not exist and is not
 * signed is REASON_UNKNOWN (404). Never fails: what cannot be decided is REASON_INDETERMINATE. Any
 * thread; may renew an expired timestamp (one durable write, rare). */
void gate_decide_tag(struct trust *trust, struct db_tx *tx, const struct gate_caller *caller,
                     const struct repository *repo, const struct repo_name *name,
                     const struct tag_name *tag, const struct tag *current, int64_t size,
                     int64_t now_us, struct decision *out);
/* The same inside a write transaction, about what it has changed so far: nothing is kept of it, and
 * nothing is renewed. Writer. */
void gate_decide_tag_within(struct trust *trust, struct db_tx *tx, const struct gate_caller *caller,
                            const struct repository *repo, const struct tag_name *tag,
                            const struct tag *current, int64_t now_us, struct decision *out);
/* The same for a manifest asked for by digest. REASON_UNKNOWN when the repository does not hold it.
 */
void gate_decide_digest(struct trust *trust, struct db_tx *tx, const struct gate_caller *caller,
                        const struct repository *repo, const struct repo_name *name,
                        const struct digest *digest, int64_t now_us, struct decision *out);
/* The same for a blob. A digest that is a manifest here is REASON_BLOB_UNKNOWN for everybody gated.
 */
void gate_decide_blob(struct trust *trust, struct db_tx *tx, const struct gate_caller *caller,
                      const struct repository *repo, const struct repo_name *name,
                      const struct digest *digest, int64_t now_us, struct decision *out);
/* Tag and digest in one reference (verify API). */
void gate_decide_tag_and_digest(struct trust *trust, struct db_tx *tx,
                                const struct gate_caller *caller, const struct repository *repo,
                                const struct repo_name *name, const struct tag_name *tag,
                                const struct digest *digest, int64_t now_us, struct decision *out);
/* Explain list for a decision just made on the same snapshot. New reference. */
json_t *gate_explain_for(struct trust *trust, struct db_tx *tx, const struct gate_caller *caller,
                         const struct repository *repo, const struct repo_name *name,
                         const struct decision *d, int64_t now_us);

/* Lists of a repository as gated identities see them: true when this one must be filtered at all.
 * Tags are filtered when the policy says `released`, referrers always (gate.md 3). For every tag, or
 * every referrer's digest, then ask gate_decide_tag / gate_decide_digest. GATE_LIST_SERVED: tags with
 * their digests; true when a tag may be given out as another one than it points to. */
enum gate_list { GATE_LIST_TAGS, GATE_LIST_SERVED, GATE_LIST_REFERRERS };
bool gate_lists_filtered(struct trust *trust, struct db_tx *tx, const struct gate_caller *caller,
                         const struct repository *repo, enum gate_list list, int64_t now_us);

/* Before a write that asks one of the two below: what they decide by is verified here, and not while
 * everybody who writes waits. Costs a look-up where they will ask nothing of it. Worker threads,
 * outside every transaction. */
void gate_prepare_tag(struct trust *trust, struct db *db, const struct repo_name *name,
                      int64_t now_us);
void gate_prepare_delete(struct trust *trust, struct db *db, const struct repo_name *name,
                         const struct digest *digest, int64_t now_us);
/* Writes that signatures forbid, asked inside the write transaction before the change. `refusal` is
 * filled with ERR_DENIED, complete as those above.
 * A tag is moved or made: level lock. Expected errors: ERR_DENIED (tag_locked). */
bool gate_may_tag(struct trust *trust, struct db_tx *tx, const struct repository *repo,
                  const struct tag_name *tag, const struct digest *digest, int64_t now_us,
                  struct decision *refusal, struct err *err) MUST_USE;
/* A manifest or a blob is deleted: not while it is released, or part of what is (gate.md 7), unless the
 * level is off. What is given out for a time of grace alone may go.
 * Expected errors: ERR_DENIED (signed_in_use). */
bool gate_may_delete(struct trust *trust, struct db_tx *tx, const struct repository *repo,
                     const struct digest *digest, int64_t now_us, struct decision *refusal,
                     struct err *err) MUST_USE;

#endif
