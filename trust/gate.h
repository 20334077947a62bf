/* The gate: facts in, decision out (gate.md 5 to 7, 10.2). Pure: no store, no clock, no log.
 * Owns: the one function set that answers for every door. Refuses to know: where facts come from
 * (view, door), how an answer looks on the wire (server/api_refusal). Invariants
 *   1. A zeroed decision is a refusal.
 *   2. What is served is the digest that was decided on.
 *   3. A name is released by `targets/releases` or by `targets`, by nobody else (gate.md 5.1). */
#ifndef TRUST_GATE_H
#define TRUST_GATE_H

#include "base/digest.h"
#include "base/err.h"
#include "base/name.h"
#include "trust/policy.h"
#include "trust/verify/state.h"

#define ROLE_RELEASES "targets/releases"

enum gate_reason {
#define REASON(symbol, name, status, code) REASON_##symbol,
#include "trust/gate_reasons.h"
#undef REASON
    REASON_COUNT
};

struct gate_reason_info {
    const char *name;   /* "digest_mismatch" */
    int status;         /* HTTP */
    enum err_code code; /* OCI code of the refusal; ERR_NONE for allows */
};
const struct gate_reason_info *gate_reason_info(enum gate_reason reason);

enum gate_effect { EFFECT_DENY = 0, EFFECT_ALLOW };

#define GATE_SIGNERS_MAX 8
#define GATE_NAME_MAX 64

struct decision {
    enum gate_effect effect;
    enum gate_reason reason;
    bool enforced;       /* the gate applied to this identity: caching rules of gate.md 10.3 hold */
    struct digest serve; /* what to serve when allowed by tag; unset otherwise */
    struct digest requested;                      /* digest and blob doors */
    struct digest signed_digest, registry_digest; /* unset when unknown */
    int64_t signed_length, registry_length;       /* bytes; -1 unknown */
    bool signed_missing;                          /* the signed manifest is not in the repository */
    bool unfinished; /* by gate_caller.kept alone: nothing was decided, ask again without */
    char repo[REPO_NAME_MAX + 1];
    char tag[TAG_NAME_MAX + 1];   /* "" when there is none */
    char role[ROLE_NAME_MAX + 1]; /* deciding role, or the role at fault */
    int64_t role_version, root_version, timestamp_version, snapshot_version,
        targets_version; /* 0 unknown */
    char signers[GATE_SIGNERS_MAX]
                [GATE_NAME_MAX]; /* names of signer roles that list the same content */
    int signer_count;
    int64_t required_threshold;
    char required[GATE_SIGNERS_MAX][GATE_NAME_MAX];
    int required_count;
    char missing[GATE_SIGNERS_MAX][GATE_NAME_MAX];
    int missing_count;
    int64_t valid_until_us; /* of an allow: when it ends by itself; 0 unknown */
    int64_t override_id;      /* REASON_OVERRIDE: which; 0 otherwise */
    int64_t override_end_us;  /* and when it ends */
    bool override_counts;     /* and this request begins a use of it (override.h) */
    char policy_scope[POLICY_SCOPE_SIZE];
    enum policy_level level;
    char message[600]; /* stands alone, starts with "content trust: "; "" for plain allows */
    char phrase[161];  /* reason phrase: printable ASCII, digests cut to 8 hex; "" for allows */
    char warning[600]; /* text of a Warning header (served_signed, would_deny); "" = none */
    char hint[700];    /* what to do; "" = none */
    struct digest root; /* of a blob that is allowed: the released manifest that it belongs to */
    char record[27];    /* id of the decision's record, by whoever recorded it; "" = none */
};

/* One period in which a role listed a name. */
enum listing_end { LISTING_OPEN = 0, LISTING_REPLACED, LISTING_WITHDRAWN, LISTING_WIPED };
struct gate_listing {
    const char *role; /* "targets", "targets/releases", or one that signers of the policy have */
    const char *tag;
    struct digest digest; /* sha256 as listed, sha512 of a target without; unset without either */
    struct digest sha512; /* as listed beside a sha256; unset when it was not */
    int64_t length;
    int64_t since_us, until_us; /* until 0 = still listed */
    enum listing_end end;
    int64_t end_version;        /* of the last document of the role that listed it; 0 unknown */
    const struct spki *signers; /* whose valid signatures were on the document that listed it */
    int signer_count;
    bool outside; /* of the role's paths, as they were: listed, but not its to say. Of what is listed
                     still the paths of now are asked */
};
/* The order of a history, for qsort: by tag, then by beginning. */
int gate_listing_compare(const void *a, const void *b);

struct gate_tombstone { /* a wipe that nobody has answered with a new root yet */
    const char *who;
    int64_t when_us;
    const char *reason;
};

/* An entry of the deny list that concerns a digest: it names the digest, or every way to the digest
 * leads through what it names. */
struct gate_denial {
    struct digest digest; /* what it names */
    const char *reason, *who;
    int64_t since_us;
    bool everywhere; /* of the instance, not of the namespace alone */
    bool other_name; /* it names the very bytes that are asked for, by their other digest */
};

/* An override that the caller has, that acts now, and that names a digest or one above it. */
struct gate_override {
    int64_t id, end_us;
    const char *ticket;
    bool counts; /* the caller's use of it is not counted yet */
};

/* Exceptions from what signatures say, of one digest. All pointers borrowed, NULL = none. */
struct gate_exceptions {
    const struct gate_denial *denial;
    const struct gate_override *override;
};

/* Everything the rules need of one repository. All pointers borrowed. */
struct gate_facts {
    const char *host; /* canonical host, for hints */
    const struct repo_name *repo;
    int64_t now_us;
    const struct policy *policy;
    const char *policy_scope;
    const struct trust_state *trust;    /* NULL refuses as indeterminate */
    const struct gate_listing *history; /* sorted by tag, then since */
    size_t history_count;
    const struct gate_tombstone *tombstone; /* NULL = not wiped, or signed again since */
    const char *suspicion; /* why the store may be older than it was (gate.md 4.2); NULL = it is not
                              suspected */
    bool enforced; /* the identity is subject to the gate (gate_enforced) */
};

/* gate.md 8, table: whether this identity is subject to the gate under this level.
 *   gated             the identity's mark
 *   reads_unsigned   it may push to, or sign in, this repository, or has the right to read what is not
 *                    signed */
bool gate_enforced(enum policy_level level, bool gated, bool reads_unsigned);

/* gate.md 5.1. */
enum entry_kind { ENTRY_NONE = 0, ENTRY_FOUND, ENTRY_REVOKED, ENTRY_DEFECT };
enum entry_hint { HINT_NONE = 0, HINT_NESTED, HINT_SIGNED_BY, HINT_STALE_TARGETS };
struct gate_entry {
    enum entry_kind kind;
    const struct trust_role *role;   /* deciding or defective role */
    const struct tuf_target *target; /* ENTRY_FOUND, ENTRY_REVOKED */
    struct digest
        digest; /* S: sha256, or sha512 when that is all there is; unset when no known hash */
    const struct gate_listing *withdrawal; /* ENTRY_REVOKED */
    enum entry_hint hint;                  /* ENTRY_NONE: the nearest miss */
    const char *hint_roles[GATE_SIGNERS_MAX];
    int hint_role_count;
    int64_t valid_until_us;
};
/* Which role decides this name, and for what. `f->trust->status` must be TRUST_OK. */
void gate_lookup(const struct gate_facts *f, struct slice tag, struct gate_entry *out);

/* What the registry holds for a tag. */
struct gate_registry_tag {
    bool exists;
    struct digest digest;         /* A */
    int64_t size;                 /* bytes of A's manifest */
    struct digest sha256, sha512; /* of the same bytes; unset when not computed. One of them is A
                                     itself; the other is needed when the target lists it */
    bool signed_present;          /* S is a manifest of this repository */
    bool signed_was_here;         /* this tag has pointed to S (on_mismatch hold) */
    int64_t signed_size;          /* its bytes, when present */
    struct digest signed_sha512;  /* of the same bytes; unset when not computed: needed when the target
                                     lists it beside the sha256 that is S */
    int64_t pushed_us;            /* 0 unknown */
    const char *pushed_by;        /* NULL unknown */
    struct gate_exceptions exceptions; /* of A */
    const struct gate_denial *signed_denial; /* of S */
};
/* The tag rule (gate.md 5). Never sets effect ALLOW with an unset `serve`. */
struct decision gate_tag(const struct gate_facts *f, const struct tag_name *tag,
                         const struct gate_registry_tag *registry);

/* How a digest is reached from an allowed root (view). */
enum reach_kind {
    REACH_NONE = 0,
    REACH_RELEASED,
    REACH_SUPERSEDED,
    REACH_CHILD,
    REACH_DENIED /* only through a denied digest, which is the root */
};
struct gate_reached {
    enum reach_kind kind;
    bool is_manifest;   /* else a blob */
    bool in_grace;      /* only through a superseded root */
    struct digest root; /* through which */
    int64_t valid_until_us;
};
/* Whether it is reached by an allowed way. */
static inline bool gate_reached_allows(const struct gate_reached *reached)
{
    return reached->kind != REACH_NONE && reached->kind != REACH_DENIED;
}
/* What the repository holds under a digest. */
struct gate_held {
    bool manifest, blob;
    bool artifact_allowed; /* gate.md 6 d: not runnable, and its subject is allowed */
    const char *signed_in; /* another repository, which the caller may pull from and where the very manifest
                              is signed; NULL: none, or unknown. Borrowed */
    struct gate_exceptions exceptions;
};
/* The digest rule (gate.md 6) for manifests. */
struct decision gate_digest(const struct gate_facts *f, const struct digest *digest,
                            const struct gate_reached *reached, const struct gate_held *held);
/* The blob rule (gate.md 7): a digest that is a manifest here is unknown as a blob. */
struct decision gate_blob(const struct gate_facts *f, const struct digest *digest,
                          const struct gate_reached *reached, const struct gate_held *held);
/* Tag and digest together (gate.md 6, end): `by_digest` is gate_digest's answer, `of_tag` says that
 * the digest is, or is below, a release of this very tag (now or in grace). */
struct decision gate_tag_and_digest(const struct gate_facts *f, const struct tag_name *tag,
                                    const struct digest *digest, struct decision by_digest,
                                    bool of_tag);

/* Level lock (gate.md 8): a tag that has a signed entry may only be put to what is signed, or be on
 * hold. For everybody who pushes, gated or not. EFFECT_ALLOW or REASON_TAG_LOCKED. */
struct decision gate_put(const struct gate_facts *f, const struct tag_name *tag,
                         const struct digest *digest);

/* What was decided does not hold, since it could not be recorded: REASON_INDETERMINATE about the same
 * request. */
struct decision gate_unrecorded(const struct repo_name *repo, const struct decision *d);

/* A gated identity asked to write: REASON_NOT_WRITABLE with this sentence. */
struct decision gate_not_writable(const struct repo_name *repo, const char *sentence);

/* Roots of reachability (gate.md 6 a, b): calls `emit` for every released digest and every one
 * superseded within grace. A digest may come twice. The receiver checks the signed length and the
 * further hash against the manifest's bytes. */
struct gate_root {
    struct digest digest;
    struct digest sha512; /* that the target lists beside a sha256; unset when it lists none */
    int64_t length;
    const char *tag;
    bool superseded;
    int64_t valid_until_us; /* expiry of its path, or end of grace */
};
typedef void (*gate_root_fn)(void *arg, const struct gate_root *root);
void gate_roots(const struct gate_facts *f, gate_root_fn emit, void *arg);
/* Whether this very tag makes a digest such a root, superseded ones left out. */
bool gate_releases(const struct gate_facts *f, struct slice tag, const struct digest *digest);

/* What is told in an explanation and decides nothing (background.h); 0 and false: unknown. */
struct gate_background {
    int64_t pinned_us;         /* since when the root's key is believed */
    bool pinned_for_namespace; /* in the whole namespace, else in the repository */
    bool rotated;              /* pinned are the keys that the root came from by rotation */
    int64_t timestamp_us;      /* when the server signed the timestamp */
};
/* gate.md 13: the steps of a decision as a JSON array of {step, ok, text}. New reference. */
json_t *gate_explain(const struct gate_facts *f, const struct decision *d,
                     const struct gate_registry_tag *registry, const struct gate_background *background);

/* Periods of listing that follow from one set of documents replacing another, for callers without a
 * store (the verdict tool) and for publish: every (role, tag) of targets and targets/releases.
 *   before   may be NULL; what was accepted at before_us
 *   after    what is accepted at after_us
 * The array is malloc'ed with everything it points to borrowed from the two states: free() it.
 * Sorted as facts ask. */
struct gate_listing *gate_history(const struct trust_state *before, int64_t before_us,
                                  const struct trust_state *after, int64_t after_us,
                                  size_t *count_out);
/* A repository's periods of listing as they would be after a publish.
 *   stored   as facts have them: complete for every tag that is in it
 *   before   what is stored; after: what would be; at now_us, which is above 0
 * The array is malloc'ed with everything it points to borrowed from the three: free() it. Sorted as
 * facts ask. */
struct gate_listing *gate_history_after(const struct gate_listing *stored, size_t stored_count,
                                        const struct trust_state *before,
                                        const struct trust_state *after, int64_t now_us,
                                        size_t *count_out);

#endif
