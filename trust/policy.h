/* The trust policy of a scope (gate.md 8): one JSON object, validated whole. Owns: its defaults,
 * its grammar, and which one applies to a repository. Refuses to know: who may change it (auth),
 * what it decides (gate). Pure but for policy_for. Invariants
 *   1. The zero value of every choice is the strict one: a policy that nobody filled enforces.
 *   2. Exactly one policy applies to a repository; policies are never merged. */
#ifndef TRUST_POLICY_H
#define TRUST_POLICY_H

#include "base/buf.h"
#include "base/db.h"
#include "base/duration.h"
#include "base/err.h"
#include "base/json.h"
#include "base/name.h"

#define POLICY_SCOPE_SIZE 260 /* bytes of a scope text, with its NUL */
#define POLICY_LIST_MAX 64    /* entries of any list in a policy */

enum policy_level { LEVEL_DEPLOY = 0, LEVEL_OFF, LEVEL_WARN, LEVEL_ALL, LEVEL_LOCK };
enum policy_mismatch { MISMATCH_REFUSE = 0, MISMATCH_SERVE_SIGNED, MISMATCH_HOLD };
enum policy_fallback { FALLBACK_NOT_AFTER_REVOKE = 0, FALLBACK_DOCKER, FALLBACK_NEVER };
enum policy_tags_list { TAGS_LIST_RELEASED = 0, TAGS_LIST_ALL };

struct policy_texts { /* owned list of owned texts */
    char **items;
    size_t count;
};

struct policy {
    enum policy_level level;
    char sources[64]; /* "tuf", "tuf or cosign", … */
    enum policy_mismatch on_mismatch;
    enum policy_fallback fallback;
    int64_t grace_us;            /* 0 = none, DURATION_FOREVER */
    int64_t signers_threshold;   /* 0 = no signer policy */
    struct policy_texts signers; /* "alice" (role targets/alice) or "key:<sha256 of SPKI, hex>" */
    struct policy_texts tags;    /* patterns, '*' any run of characters */
    enum policy_tags_list tags_list;
    struct policy_texts digest_tags;
    bool accept_sha512_only;
    int64_t expiring_within_us;
    struct policy_texts allow_roots; /* "sha256:<hex of SPKI>" */
    bool allow_roots_set;            /* not empty */
    struct policy_texts allow_root_ca; /* CA certificates, PEM, one a text (trust/verify/authority.h) */
    int64_t override_max_us;
    bool override_two_person;
    json_t *base; /* base-image policy as given, or NULL; owned */
};

/* The defaults of gate.md 8. Fill with this before anything else; dispose with policy_dispose. */
void policy_defaults(struct policy *out);
/* Frees what is inside; accepts a zeroed one. */
void policy_dispose(struct policy *policy);
static inline void cleanup_policy(struct policy *policy)
{
    policy_dispose(policy);
}
#define auto_policy __attribute__((cleanup(cleanup_policy)))

/* Lets go of the CA certificates, for who keeps a policy and asks nothing of roots. */
void policy_forget_authorities(struct policy *policy);
/* Reads a policy object; absent members keep their defaults, unknown members are refused.
 *   out   filled on true (dispose it); zeroed on false
 * Expected errors: ERR_INVALID naming the member and the reason. Any thread. */
bool policy_read(const json_t *object, struct policy *out, struct err *err) MUST_USE;
/* The same from stored text: it was read before, so its CA certificates are taken as they are, since this is
 * done at every push and for every view. One that is good no more vouches for nothing (authorities_new).
 * Expected errors: ERR_INVALID, ERR_REQUEST_INVALID. */
bool policy_read_text(struct slice text, struct policy *out, struct err *err) MUST_USE;
/* The full object, every member present. New reference. */
json_t *policy_write(const struct policy *policy);
const char *policy_level_name(enum policy_level level);
/* One of the patterns matches (base/pattern.h). */
bool policy_list_matches(const struct policy_texts *patterns, struct slice text);

enum policy_scope_kind {
    SCOPE_NONE = 0,
    SCOPE_GLOBAL,
    SCOPE_NAMESPACE,
    SCOPE_PATTERN,
    SCOPE_REPOSITORY
};
/* `*` (global), "ns", "ns/app", or a pattern: "ns/", a prefix of the rest that may be empty, and an
 * asterisk at the end. namespace_out   filled unless SCOPE_GLOBAL; may be NULL */
enum policy_scope_kind policy_scope_parse(struct slice scope, struct namespace_name *namespace_out);

/* The policy that applies to `repo`: the exact repository, else the longest matching pattern of its
 * namespace, else the namespace, else `*` (gate.md 2.3); none stored at all: the defaults under
 * scope "*". scope_out   its scope, NUL-terminated out         dispose it Expected errors:
 * ERR_INTERNAL (a stored policy that does not read: the caller must refuse). */
bool policy_for(struct db_tx *tx, const struct repo_name *repo, char scope_out[POLICY_SCOPE_SIZE],
                struct policy *out, struct err *err) MUST_USE;
/* The grace of the policy that applies to `repo`: what was released until so long ago may still be
 * pulled (gate.md 6 b). A retention_grace_fn.
 *   us_out   0 = none, DURATION_FOREVER
 * Errors as policy_for. */
bool policy_grace(struct db_tx *tx, const struct repo_name *repo, int64_t *us_out,
                  struct err *err) MUST_USE;

#endif
