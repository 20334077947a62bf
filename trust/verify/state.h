/* Verifying one repository's stored trust data as a whole (gate.md 4). Pure: bytes and `now` in,
 * state out. Every document is verified each time; of what was derived earlier two things are believed,
 * which only the very bytes decide: that a signature is valid (doc.h, tuf_count_signatures) and that the
 * links of a chain of roots hold (trust_options.verified_chain). */
#ifndef TRUST_VERIFY_STATE_H
#define TRUST_VERIFY_STATE_H

#include "trust/verify/doc.h"

struct trust_file { /* a current document, as stored */
    const char *role;
    struct slice bytes;
    const struct tuf_doc *parsed; /* these bytes as tuf_doc_read reads them, borrowed; the state shares
                                     it instead of reading them again. NULL: not read yet */
};

/* The document, read unless it was. Ownership, result and err: tuf_doc_read. */
enum doc_fault trust_file_read(const struct trust_file *file, struct tuf_doc **out,
                               struct err *err) MUST_USE;

struct trust_seen { /* the newest version ever accepted of a role in its present life (gate.md 11.3)
                     */
    const char *role;
    int64_t version;
    bool has_signed;           /* signed_sha256 is known */
    uint8_t signed_sha256[32]; /* of the canonical `signed` of that version */
};

struct trust_revocation { /* of a key */
    int64_t when_us;
    const char *reason;
};

/* What the store knows of one GUN. All pointers are borrowed. */
struct trust_set {
    struct slice gun;
    const struct trust_file
        *roots; /* every stored root version of this incarnation, ascending; the first is 1 or 2 */
    size_t root_count;
    const struct trust_file
        *files; /* current timestamp, snapshot, targets and delegations; any order */
    size_t file_count;
    const struct trust_seen *seen;
    size_t seen_count;
    const struct spki
        *pin; /* keys of the first root accepted; empty = no pin: see trust_options.unpinned */
    size_t pin_count;
    const struct spki *revoked;
    size_t revoked_count;
    const struct trust_revocation *revocations; /* one for each of `revoked`; NULL: not known */
};

enum trust_status {
    TRUST_BAD_DATA = 0, /* the zero value refuses */
    TRUST_OK,
    TRUST_NOT_INITIALISED,
    TRUST_ROOT_PINNED,
    TRUST_ROOT_CHANGED,
    TRUST_ROOT_KEY_REVOKED,
    TRUST_EXPIRED_ROOT,
    TRUST_EXPIRED_TIMESTAMP,
    TRUST_EXPIRED_SNAPSHOT,
    TRUST_EXPIRED_TARGETS,
    TRUST_ROLLBACK,
    TRUST_THRESHOLD
};

enum role_state {
    ROLE_STATE_BAD = 0,
    ROLE_STATE_OK,
    ROLE_STATE_ABSENT,
    ROLE_STATE_VANISHED,
    ROLE_STATE_EXPIRED,
    ROLE_STATE_THRESHOLD,
    ROLE_STATE_ROLLBACK
};

struct trust_role { /* targets and every delegation reached, breadth first; [0] is targets */
    const char *name;
    enum role_state state;
    char why[200];      /* of a defect */
    const char **paths; /* restricted to the parents' paths; targets: one "" */
    size_t path_count;
    struct tuf_doc *doc;                     /* NULL when ABSENT, VANISHED or unparsable */
    const struct tuf_delegation *delegation; /* NULL for targets */
    struct sig_count signatures;
};

struct trust_state {
    enum trust_status status;
    char why[400];                               /* sentence for a status other than OK */
    const char *defect_role;                     /* the role that is the reason; NULL when none */
    struct tuf_doc *root, *timestamp, *snapshot; /* NULL when unusable */
    int64_t first_root_version;
    struct trust_role *roles;
    size_t role_count;
    int64_t valid_until_us; /* earliest expiry of root, root certificate, timestamp, snapshot,
                               targets; without those that have expired and may be renewed */
    bool timestamp_expired, snapshot_expired; /* set even when the server may renew them */
    uint8_t chain[32];      /* name of the root chain, when every link of it holds; else zeros */
    size_t links_verified;  /* links of the chain that were not known to hold before */
    struct spki *root_keys; /* of the current root's usable root keys */
    size_t root_key_count;
    struct trust_arena *arena; /* internal */
};

struct trust_options {
    int64_t now_us;
    bool renewable_timestamp; /* an expired timestamp / snapshot is noted, not a defect: the server
                                 holds the key and renews */
    bool renewable_snapshot;
    const uint8_t *verified_chain; /* 32 bytes: the `chain` of a state built before. Links of a
                                      chain that begins with the same bytes hold and are not
                                      verified again. NULL: none is known */
    bool unpinned; /* publish of a first root: an empty pin is fine. Otherwise roots without a pin
                      are NOT_INITIALISED */
};

/* TUF signature checks of one build; a state that needs more is TRUST_BAD_DATA. */
#define TRUST_SIGNATURE_CHECKS_MAX 2000
#define TRUST_ROLES_MAX 512
/* Paths of delegations compared with their parents' paths, in one build; the same. */
#define TRUST_PATH_CHECKS_MAX 2000000

/* Roots of one life of a repository, and their bytes in all; the same. A chain is loaded and hashed
 * at every build, and its links are verified once for as long as somebody remembers its name. */
#define TRUST_ROOTS_MAX 1024
#define TRUST_ROOT_BYTES_MAX ((size_t)32 * 1024 * 1024)

/* Bytes of all current documents below the root, in one state; the same. Every build reads them. */
#define TRUST_FILE_BYTES_MAX ((size_t)64 * 1024 * 1024)

/* Builds the state; never fails: what cannot be verified is a status other than TRUST_OK.
 * Ownership: trust_state_free. Cost: about one signature check per document. */
void trust_state_build(const struct trust_set *set, const struct trust_options *options,
                       struct trust_state **out);
void trust_state_free(struct trust_state *state);
/* Distinct keys (SPKI) that a root lists for its root role, whether they count or not: what a pin
 * is made of. out   xmalloc'd array, free() by the caller; sorted byte-wise Returns how many. A key
 * that cannot be read is all zeros. */
size_t trust_root_spkis(const struct tuf_doc *root, struct spki **out);
/* Heap bytes of a state, roughly: what a cache charges for it. */
size_t trust_state_bytes(const struct trust_state *state);
/* NULL when the tree does not have that role. */
const struct trust_role *trust_state_role(const struct trust_state *state, struct slice name);
/* True when `name` is inside the role's (restricted) paths. */
bool trust_role_covers(const struct trust_role *role, struct slice name);

/* The root chain alone (publish uses it too). Verifies `next` as the successor of `prev` (NULL: a
 * first root): version step, structure, certificates, signatures by prev's and by its own root
 * keys, expiry when check_dates. False: err is ERR_INVALID with the sentence. */
bool trust_root_follows(const struct tuf_doc *prev, const struct tuf_doc *next, struct slice gun,
                        int64_t now_us, bool check_dates, struct err *err) MUST_USE;

#endif
