/* Who may do what: the one function of rights (rbac.md). Computed from (identity, namespace,
 * action), read live in the caller's transaction, so that a changed role counts at the next
 * request. A bearer token can only narrow it. Owns: the matrix of roles and actions, visibility,
 * and the sentences of refusals. Refuses to know: tags, signatures, the gate.
 *
 * Invariants
 *   1. The zero value of a result is a refusal that tells nothing.
 *   2. Whoever may not read a namespace gets the same answer, to the byte, as for one that does not
 * exist.
 *   3. A deployer has ACTION_PULL, may record that it deployed (ACTION_DEPLOY), and nothing else; it
 *      carries `gated`. */
#ifndef AUTH_ACCESS_H
#define AUTH_ACCESS_H

#include "auth/identity.h"
#include "auth/scope.h"
#include "base/db.h"
#include "base/err.h"
#include "base/name.h"
#include "storage/membership.h"
#include "storage/namespace.h"
#include "storage/repository.h"

enum access_action {
    ACTION_PULL,      /* read images; with trust_scope: read trust data */
    ACTION_PUSH,      /* new tags, manifests, blobs */
    ACTION_OVERWRITE, /* move an existing tag */
    ACTION_DELETE,    /* tags, manifests, blobs */
    ACTION_DELETE_REPOSITORY, /* one with trust data needs ACTION_WIPE too */
    ACTION_SIGN,        /* publish trust data without root or changed delegations */
    ACTION_TRUST_ADMIN, /* publish with a root or changed delegations; trust key requests of a new
                           repository */
    ACTION_ROTATE_KEYS, /* make new server-held keys */
    ACTION_WIPE,        /* trust wipe */
    ACTION_MEMBERS_READ,
    ACTION_MEMBERS_SET, /* which roles: access_may_set_role */
    ACTION_ROBOTS,      /* make, list and remove robots and deployers */
    ACTION_POLICY_READ,
    ACTION_POLICY_SET,
    ACTION_AUDIT,
    ACTION_DELETE_NAMESPACE,
    ACTION_OVERRIDE, /* break-glass: let a digest through for a time */
    ACTION_DENY,     /* change the namespace's deny list */
    ACTION_DEPLOY, /* record which image a service was given; its notes */
    ACTION_READ_UNSIGNED, /* read what is not signed where the gate holds for everybody else (levels
                             all and lock): scanners (gate.md 8) */
    ACTION_COUNT
};

#define ACTION_BIT(action) (1U << (action))
/* Whoever has one of these reads what is not signed at the levels all and lock (gate.md 8): signing
 * tools and scanners must read what they look at. */
#define ACTIONS_PAST_LEVEL_ALL                                                                     \
    (ACTION_BIT(ACTION_PUSH) | ACTION_BIT(ACTION_SIGN) | ACTION_BIT(ACTION_READ_UNSIGNED))

/* The facts a decision is made from. */
struct access_facts {
    bool found; /* the namespace exists */
    int64_t namespace_id;
    int64_t incarnation;
    enum visibility visibility;
    enum member_role role; /* of a user in it; MEMBER_NONE for everybody else */
    bool signer;           /* the member's signer flag */
};

enum access_result {
    ACCESS_INVISIBLE =
        0, /* may not even read, or there is no such namespace: same answer as unknown */
    ACCESS_INSUFFICIENT, /* may read, lacks this right: 401 insufficient_scope with the sentence
                            (trust and registry) */
    ACCESS_NOT_WRITABLE, /* a gated identity tried to write: 403 DENIED `not_writable` (401 on the
                            trust API) */
    ACCESS_ALLOWED
};

#define ACCESS_SENTENCE_MAX 400

struct access_answer {
    enum access_result result;
    struct access_facts facts;
    unsigned permitted; /* ACTION_BIT(…) by role, visibility and kind, whatever the token says */
    bool creates_namespace; /* ACCESS_ALLOWED for a push or signing of an instance administrator in
                               a namespace that does not exist: the caller makes it
                               (space_create_by_push) or answers ERR_NAMESPACE_UNKNOWN */
    char
        sentence[ACCESS_SENTENCE_MAX]; /* printable ASCII without '"' and '\'; empty when allowed */
};

/* Decides about a repository, there or not: rights come from its namespace.
 *   tx           snapshot or writer transaction of the caller
 *   trust_scope  true on the trust API: a bearer token needs the scope with the host; false: the
 * image scope. Irrelevant for identities without a token. False only when the facts could not be
 * read (err filled). Any thread that owns tx. */
bool access_check(struct db_tx *tx, const struct identity *who, const struct repo_name *repo,
                  enum access_action action, bool trust_scope, struct access_answer *out,
                  struct err *err) MUST_USE;
/* Of changes of trust data, a bearer token that was issued before the last wipe of them carries none (gate.md 11.3:
 * what the old life left is useless in the new one); its owner asks for another.
 *   wiped_us   0: never wiped
 *   now_us     while the clock stands before the wipe, old and new cannot be told apart, and rights alone decide
 * Of the second in which both were made, the token counts as the newer. For access_check, and its tests. */
bool access_token_is_of_before(const struct identity *who, int64_t wiped_us, int64_t now_us);
/* The same for a namespace as such (members, robots, policy). Identities limited to images and
 * trust (identity.registry_only) have no rights of administration here. */
bool access_check_namespace(struct db_tx *tx, const struct identity *who,
                            const struct namespace_name *name, enum access_action action,
                            struct access_answer *out, struct err *err) MUST_USE;
/* For handlers under /api: fills err for anything but ACCESS_ALLOWED: ERR_NAMESPACE_UNKNOWN when
 * invisible, ERR_UNAUTHORIZED for the anonymous, ERR_DENIED with the sentence otherwise. True when
 * allowed. */
bool access_require(const struct identity *who, const struct access_answer *answer,
                    struct err *err) MUST_USE;

/* May act as instance administrator: the account is one and the proof is not limited to images and
 * trust. */
bool access_is_admin(const struct identity *who);
/* May list the catalog: anybody signed in; a bearer token needs the catalog grant. The list itself
 * is filtered by what each identity may read. */
bool access_may_catalog(const struct identity *who);
/* Maintainers may give and take reader and developer, owners and administrators every role. */
bool access_may_set_role(const struct identity *who, const struct access_facts *facts,
                         enum member_role from, enum member_role to);

/* Whose eyes a list of repositories is for. */
void access_reader(const struct identity *who, struct reader *out);

/* The pure parts, for the token service and for tables of tests. */
/* Bits ACTION_BIT(…) that the identity has by role, visibility, action list and kind, the token
 * left aside. */
unsigned access_permitted(const struct identity *who, const struct access_facts *facts);
enum access_result access_decide(const struct identity *who, const struct access_facts *facts,
                                 const struct repo_name *repo, enum access_action action,
                                 bool trust_scope);
/* Permitted actions as scope bits for a token of this kind of scope. */
unsigned access_scope_bits(unsigned permitted, enum scope_kind kind);
/* Reads the facts of a namespace for this identity; a namespace that is not there gives found =
 * false. */
bool access_facts_load(struct db_tx *tx, const struct identity *who,
                       const struct namespace_name *name, struct access_facts *out,
                       struct err *err) MUST_USE;

#endif
