/* The four TUF document types as parsed values (notary-api 15). Parsing is strict: depth 32, no
 * duplicate or case-equal members, no control characters in names, integers only. Pure; a document
 * owns everything inside it. */
#ifndef TRUST_VERIFY_DOC_H
#define TRUST_VERIFY_DOC_H

#include "trust/verify/key.h"
#include "trust/verify/role.h"

#include <stdatomic.h>

struct tuf_signature {
    struct slice key_id, method; /* borrowed from the document */
    struct slice sig;            /* decoded */
    atomic_bool found_valid;     /* internal to tuf_count_signatures, which says why it may be remembered */
};

struct tuf_role_keys { /* a role's key ids and threshold as its parent lists them */
    const char **key_ids;
    size_t key_count;
    int64_t threshold;
};

struct tuf_hashes {
    bool has_sha256, has_sha512;
    uint8_t sha256[32], sha512[64];
    int64_t length; /* -1 when absent */
};

struct tuf_meta { /* snapshot and timestamp entries */
    const char *role;
    struct tuf_hashes file;
};

struct tuf_target {
    const char *name;
    size_t name_n;
    struct tuf_hashes file;
};

struct tuf_delegation {
    const char *name;
    struct tuf_role_keys keys;
    const char **paths; /* plain prefixes; "" = all */
    size_t path_count;
};

struct tuf_doc {
    char role[ROLE_NAME_MAX + 1]; /* the role it was parsed as */
    enum role_kind kind;
    struct slice bytes;             /* as received; owned copy */
    struct slice canonical;         /* canonical `signed`; owned: what signatures cover */
    uint8_t sha256[32], sha512[64]; /* of `bytes` */
    uint8_t signed_sha256[32];      /* of `canonical` */
    int64_t version;
    int64_t expires_us;
    char expires[64]; /* as written */
    struct tuf_signature *signatures;
    size_t signature_count;
    bool duplicate_signature; /* two entries with one key id: refused in uploads */

    struct tuf_key **keys;   /* root: keys; targets: delegations.keys. Parallel with listed_ids */
    const char **listed_ids; /* id under which each key is listed (may differ from its computed id:
                                then unusable) */
    size_t key_count;

    struct tuf_role_keys root, targets, snapshot, timestamp; /* root */

    struct tuf_delegation *delegations; /* targets and delegations */
    size_t delegation_count;
    struct tuf_target *target_list; /* sorted by name, byte-wise */
    size_t target_count;

    struct tuf_meta *meta; /* snapshot, timestamp; sorted by role */
    size_t meta_count;
    void *owner; /* the parsed JSON and the arena; internal */
    atomic_int shares; /* owners beyond the first; internal */
};

/* How a document failed to parse; decides the wire code of a publish (notary-api 9). */
enum doc_fault {
    DOC_OK = 0,
    DOC_NOT_JSON,   /* not JSON of the basic shape, wrong basic types: MALFORMED_JSON */
    DOC_NOT_STRICT, /* trailing bytes, duplicate or case-equal members, depth, control characters,
                       number out of range */
    DOC_BAD_TYPE,   /* `_type` is not the role's */
    DOC_STRUCTURE   /* version < 1, missing role or hash, threshold < 1, bad delegation name, target
                       without known hash … */
};

struct doc_limits { /* architecture.md 9; counts checked before keys are decoded or signatures
                       checked */
    size_t bytes, signatures, keys, delegations, targets;
};
const struct doc_limits *doc_limits_of(enum role_kind kind);

/* Parses the bytes of `role`.
 *   err   the sentence when the result is not DOC_OK (ERR_INVALID)
 * Ownership: tuf_doc_free. */
enum doc_fault tuf_doc_read(struct slice role, struct slice bytes, struct tuf_doc **out,
                            struct err *err) MUST_USE;
void tuf_doc_free(struct tuf_doc *doc);
/* One more owner of a document, which nobody changes once it is read; each calls tuf_doc_free. Any
 * thread. */
struct tuf_doc *tuf_doc_share(const struct tuf_doc *doc);
/* Heap bytes of a document, roughly. */
size_t tuf_doc_bytes(const struct tuf_doc *doc);
const struct tuf_meta *tuf_doc_meta(const struct tuf_doc *doc,
                                    struct slice role); /* NULL when not listed */
const struct tuf_target *tuf_doc_target(const struct tuf_doc *doc,
                                        struct slice name); /* NULL when not listed */
const struct tuf_delegation *tuf_doc_delegation(const struct tuf_doc *doc, struct slice role);
/* Whether the role lists this key id. */
bool tuf_role_lists_key(const struct tuf_role_keys *keys, struct slice key_id);
/* The key listed under this id whose computed id equals it; NULL otherwise. */
const struct tuf_key *tuf_doc_key(const struct tuf_doc *doc, struct slice key_id);
/* True when length and every known hash of the entry equal the bytes of doc. */
bool tuf_hashes_match(const struct tuf_hashes *h, const struct tuf_doc *doc);

#define SIG_SIGNERS_MAX 64 /* = the signatures a document may carry */

struct sig_count {
    int valid; /* distinct public keys with a valid signature */
    int64_t threshold;
    struct spki signers[SIG_SIGNERS_MAX];
    int64_t
        not_after_us[SIG_SIGNERS_MAX]; /* of the signer's certificate; INT64_MAX for a bare key */
    int signer_count;                  /* == valid */
    int checks;                        /* signature checks done */
};
/* Counts valid signatures of `doc` by the keys `keys` of `lister`: distinct by SPKI, the first
 * entry of a key id counts, key id must equal the computed id. For root keys pass root_rules
 * (certificates, CN, dates).
 *
 * An entry that was found valid is remembered in the document, and its mathematics is not done again.
 * It is a function of five things: canonical bytes, method and signature, which a document that was read
 * never changes, and the key's type and public part, of which the entry's key id is the SHA-256 (a key
 * under another id than its own is never asked). So the answer would be the same for every lister.
 * Nothing else is remembered: neither that a signature is not valid, nor anything across documents, even of
 * the same bytes; and who is listed, the threshold, defects and dates of certificates are judged at each
 * call, as its caller judges what was revoked. `checks` counts remembered ones too, so that no verdict
 * depends on what was asked before. Any thread, also several on one document. */
struct root_rules {
    struct slice gun;
    int64_t now_us;
    bool check_dates; /* false for the previous root of a chain */
};
void tuf_count_signatures(const struct tuf_doc *doc, const struct tuf_doc *lister,
                          const struct tuf_role_keys *keys, const struct root_rules *root_rules,
                          struct sig_count *out);
/* Signature checks that tuf_count_signatures would do at most; does none. */
int tuf_count_checks(const struct tuf_doc *doc, const struct tuf_doc *lister,
                     const struct tuf_role_keys *keys);
static inline bool sig_count_met(const struct sig_count *c)
{
    return c->threshold >= 1 && c->valid >= c->threshold;
}
/* Whether this key is one of those that signed. */
bool sig_count_has(const struct sig_count *c, const struct spki *key);
/* When so many of the signers' certificates have run out that the threshold is no longer met;
 * INT64_MAX when it is not met anyhow, or for ever. */
int64_t sig_count_end(const struct sig_count *c);

#endif
