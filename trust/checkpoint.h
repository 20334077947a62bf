/* The checkpoint (gate.md 4.2): what the store has reached, kept outside the database, so that a
 * restored one is told from a current one: every signature in it is valid, and everything is old.
 * Per repository the place of each role, the revoked keys, how often each override and each entry of
 * the deny list was changed, and the latest time seen. Later work may
 * add further words to its lines; a server that does not know one suspects.
 *
 * Order. A change is noted after its commit and before its answer, so the checkpoint is never ahead
 * of the store and cannot raise a false alarm. A crash in between leaves a store that is ahead of it
 * by what nobody was told of; the first look after the start takes that over. Before the commit
 * `checkpoint_ready` finds a full or broken disk, so that the change is refused whole.
 *
 * Each repository is compared once in a run, when it is first decided on, never all at the start.
 * Nothing is noted of a repository in a run before it was compared and found good.
 *
 * A NULL checkpoint (tools, tests) knows nothing and suspects nothing. Any thread, inside a write
 * too unless said otherwise. */
#ifndef TRUST_CHECKPOINT_H
#define TRUST_CHECKPOINT_H

#include "base/name.h"
#include "storage/trust_doc.h"
#include "storage/trust_pin.h"
#include "trust/checkpoint_exception.h"
#include "trust/checkpoint_file.h"

#define SUSPICION_MAX 400

struct checkpoint;

struct checkpoint_options {
    const char *path;     /* its folder exists */
    const uint8_t *key;   /* CHECKPOINT_KEY_SIZE bytes, of this instance */
    bool store_has_trust; /* the store holds trust data */
    int64_t now_us, mono_us;
};

/* Reads the checkpoint, or begins one for a store without trust data. One that is missing or cannot
 * be used while the store has trust data is no error: everything is suspect until acknowledged.
 * Expected errors: ERR_NO_SPACE, ERR_INTERNAL (a new one cannot be written). Durable. */
bool checkpoint_open(const struct checkpoint_options *options, struct checkpoint **out,
                     struct err *err) MUST_USE;
/* Writes what is left to write. No other thread may use it any more. Accepts NULL. */
void checkpoint_close(struct checkpoint *c);

/* Why everything is suspect at this moment: no checkpoint, or a clock that was turned back; NULL
 * when nothing is. The text lives as long as the checkpoint. No lock. */
const char *checkpoint_suspicion(const struct checkpoint *c, int64_t now_us);

/* Why nothing can be published or renewed now: a suspicion of everything, or a file that could not be
 * written when it was last tried (each checkpoint_ready and each round of maintenance tries again). A
 * sentence without paths, for anybody; NULL when there is no such reason. A literal. No lock. */
const char *checkpoint_trouble(const struct checkpoint *c, int64_t now_us);

/* Zero refuses. */
enum checkpoint_answer { CHECKPOINT_SUSPECT = 0, CHECKPOINT_GOOD };
/* What a snapshot of the store says about one repository, against the checkpoint; the first look of
 * a run counts, an acknowledgement afterwards too.
 *   lives, revoked   of the snapshot; the repository need not exist (no lives)
 *   why              the sentence of a suspicion, SUSPICION_MAX bytes; "" otherwise */
enum checkpoint_answer checkpoint_look(struct checkpoint *c, const struct repo_name *repo,
                                       const struct trust_role_life_list *lives,
                                       const struct pin_list *revoked, char *why);
/* How often something was acknowledged: a suspicion from before the last time may be over. No lock. */
unsigned checkpoint_acceptances(const struct checkpoint *c);
/* The same as checkpoint_look, and checkpoint_suspicion: what publishing, renewing and wiping ask. */
enum checkpoint_answer checkpoint_allows(struct checkpoint *c, const struct repo_name *repo,
                                         const struct trust_role_life_list *lives,
                                         const struct pin_list *revoked, int64_t now_us, char *why);

/* Whether the exceptions of the store were compared and found good in this run: then nothing needs to
 * be read for checkpoint_look_exceptions. No lock. */
bool checkpoint_exceptions_checked(const struct checkpoint *c);
/* What a snapshot of the store says about the deny list and overrides, as checkpoint_look. Asked
 * before any of them is changed in this run. */
enum checkpoint_answer checkpoint_look_exceptions(struct checkpoint *c,
                                                  const struct exception_list *store,
                                                  int64_t now_us, char *why);

/* Before a change is committed that must be noted. Mends a file that could not be written before.
 * Expected errors: ERR_NO_SPACE, ERR_INTERNAL, each with a sentence. */
bool checkpoint_ready(struct checkpoint *c, struct err *err) MUST_USE;
/* After its commit: notes what the repository's roles have reached. Not durable before
 * checkpoint_flush. */
void checkpoint_note(struct checkpoint *c, const struct repo_name *repo,
                     const struct trust_role_life_list *lives);
/* The same for a revoked key. */
void checkpoint_note_revoked(struct checkpoint *c, const uint8_t spki[32]);
/* The same for an override or an entry of the deny list. */
void checkpoint_note_exception(struct checkpoint *c, const char *name, int64_t changes,
                               int64_t until_us);
/* Returns when everything noted before the call is durable: one sync for all who wait. Not inside a
 * write. Expected errors: as checkpoint_ready; then the checkpoint is behind until the next
 * checkpoint_ready succeeds. */
bool checkpoint_flush(struct checkpoint *c, struct err *err) MUST_USE;

/* Once in each round of maintenance: notes the time; durable. Finds out whether the file can be written,
 * before somebody wants to publish. */
bool checkpoint_tick(struct checkpoint *c, int64_t now_us, int64_t mono_us,
                     struct err *err) MUST_USE;

/* True when it remembers anything of the repository. */
bool checkpoint_knows(struct checkpoint *c, const struct repo_name *repo);

/* An administrator takes the store as it is for the truth (acknowledge.h). Between begin and end
 * call accept for each repository meant.
 *   all   also the keys and the time, and a checkpoint that is missing or damaged; repositories that
 *         are not accepted and were not found good in this run are forgotten
 * Durable at the end. Expected errors: as checkpoint_ready; without `all`, ERR_CONFLICT when
 * everything is suspect. */
bool checkpoint_accept_begin(struct checkpoint *c, bool all, struct err *err) MUST_USE;
void checkpoint_accept(struct checkpoint *c, const struct repo_name *repo,
                       const struct trust_role_life_list *lives);
/* With `all`: the exceptions of the store are the right ones. */
void checkpoint_accept_exceptions(struct checkpoint *c, const struct exception_list *store);
bool checkpoint_accept_end(struct checkpoint *c, const struct pin_list *revoked, bool all,
                           int64_t now_us, int64_t mono_us, struct err *err) MUST_USE;

#endif
