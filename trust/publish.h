/* Publishing trust data (notary-api 9, attacks 5). The rule is pure: stored set and uploads in,
 * verdict out; publish_run loads, asks the rule, signs what the server makes, and stores all of it
 * in one transaction. Invariants
 *   1. Nothing is stored unless every check passed; all of an upload is stored, or none.
 *   2. Stored bytes are the received bytes; hashes are over them.
 *   3. Versions of a role go up within its life. */
#ifndef TRUST_PUBLISH_H
#define TRUST_PUBLISH_H

#include "storage/actor.h"
#include "trust/trust.h"
#include "trust/verify/state.h"

struct repository;  /* storage/repository.h */
struct authorities; /* trust/verify/authority.h */

#define PUBLISH_VERSION_STEP 1000

#define PUBLISH_RESETS_MAX 3

#define PUBLISH_WARNINGS_MAX 4

struct upload_part {
    bool has_name;     /* the part carried a file name */
    struct slice role; /* the file name, an ending ".json" already removed */
    struct slice bytes;
};

struct publish_past { /* a document of an ended life of a role: may not come back (gate.md 11.3) */
    const char *role;
    uint8_t signed_sha256[32];
};

/* All pointers borrowed. */
struct publish_facts {
    const struct trust_set *stored; /* root_count 0: nothing published in this incarnation */
    const struct upload_part *parts;
    size_t part_count;
    /* Whether the server holds this key for (this repository, role). */
    bool (*holds)(void *arg, enum role_kind role, const char *key_id, const struct spki *spki);
    void *holds_arg;
    const char *timestamp_key_id; /* of the server, for the message of P-03; NULL unknown */
    /* Of this root, when one is uploaded (gate.md 11.1): keys, and CAs whose certificates hold keys, of
     * which at least the root's threshold must come. */
    const struct spki *accepted_roots;
    size_t accepted_root_count;
    const struct authorities *authorities; /* the policy's allow_root_ca; NULL: it names none */
    bool roots_restricted; /* false: these say nothing (TOFU, an owner, a rotation without CAs) */
    bool roots_by_policy;  /* accepted_roots are the policy's allow_roots, not the namespace's set */
    const struct spki
        *keep_pin; /* a wipe kept this pin: the first root must have exactly these keys */
    size_t keep_pin_count;
    /* Roles of which an administrator lets the next document begin a new life (reset.h): targets,
     * snapshot, timestamp. */
    const char *const *resets;
    size_t reset_count;
    const struct publish_past *past;
    size_t past_count;
    bool may_administer; /* root uploads and changed delegations (rbac.md); false turns them into a
                            401 */
    /* What lives longer is refused, unless clients sign for so long by themselves (attacks 5.7);
     * 0 = nothing is. */
    int64_t max_lifetime_us;
    int64_t now_us;
};

struct publish_verdict {
    enum err_code code;    /* ERR_NONE: accepted; ERR_UNAUTHORIZED: needs trust administration; else
                              the wire code */
    char errname[24];      /* "ErrBadRoot" …, of the detail */
    char msg[600];         /* Error.Msg; stands alone */
    char reason[40];       /* our own member beside Name; "" = none */
    bool missing_snapshot; /* ErrBadHierarchy: "Missing":"snapshot" */

    /* accepted: */
    struct tuf_doc **docs; /* uploaded documents to store, root first; owned */
    size_t doc_count;
    const struct tuf_doc *root,
        *targets; /* in force afterwards; borrowed from docs or stored_docs */
    bool first_root;
    bool make_snapshot;             /* the server makes it */
    const struct tuf_doc *snapshot; /* uploaded; NULL when made */
    const struct tuf_doc **tree; /* targets and every delegation with metadata, in the order of the
                                    walk; owned array */
    size_t tree_count;
    const char **ended_roles; /* lives that end: stored delegations the tree no longer delegates,
                                 and what begins anew; owned array, texts borrowed */
    size_t ended_count;
    const char *anew[PUBLISH_RESETS_MAX]; /* roles that begin a new life; borrowed from the facts */
    size_t anew_count;
    char warnings[PUBLISH_WARNINGS_MAX + 1][200]; /* the last counts those that had no place */
    int warning_count;
    int more_warnings; /* that many */
    struct tuf_doc **stored_docs; /* internal: owned */
    size_t stored_count;
};

/* The rule. Never fails: what cannot be accepted is a verdict. Any thread. Free with
 * publish_verdict_free. */
void publish_check(const struct publish_facts *facts, struct publish_verdict **out);
void publish_verdict_free(struct publish_verdict *verdict);
/* Whether an accepted upload begins a new life of the role, whose versions start anew. */
bool publish_begins_anew(const struct publish_verdict *verdict, const char *role);
/* Adds a warning to the answer, as printable text that may stand between quotes. */
void publish_warn(struct publish_verdict *verdict, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* One word: "" when accepted, else VERSION, INVALID_ROLE, MALFORMED_UPLOAD by the code, else the
 * errname. */
const char *publish_verdict_word(const struct publish_verdict *verdict);

struct publish_request {
    struct repo_name repo;
    const struct upload_part *parts;
    size_t part_count;
    const struct actor *actor; /* asked in the transaction of the documents, before them, whether he
                                  may still; that refusal is the publish's, with *out NULL */
    bool may_administer; /* trust administration (maintainer, owner, administrator) */
    bool is_owner; /* owner of the namespace or instance administrator: his new root key enters the
                      set */
    int64_t now_us;
    /* May be NULL. Done in the transaction of the documents, after them: what it refuses is not
     * published. `repo` is as it was before; run again when the transaction is. */
    bool (*with)(struct db_tx *tx, const struct repository *repo, void *arg, struct err *err);
    void *with_arg;
};

/* The whole publish. True: stored and durable, *out has the warnings. False with *out set: refused
 * by the rule (err carries code and message too). False with *out NULL: internal failure, or what
 * `with` refused; err says so. The repository row is made when missing; its namespace must exist (ERR_NAMESPACE_UNKNOWN).
 * Worker threads. One publish per repository at a time (waits). */
bool publish_run(struct trust *trust, const struct publish_request *request,
                 struct publish_verdict **out, struct err *err) MUST_USE;
/* The same up to the moment of storing: nothing is stored, waits, or leaves the process.
 *   state_out   what would be the repository's trust state, to be freed; NULL when the upload changes
 *               nothing, or was not accepted
 * True: it would be stored, *out has the warnings. False as publish_run. Worker threads. */
bool publish_try(struct trust *trust, const struct publish_request *request,
                 struct publish_verdict **out, struct trust_state **state_out,
                 struct err *err) MUST_USE;

#endif
