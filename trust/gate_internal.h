/* What the files of the gate share. Not for others. */
#ifndef TRUST_GATE_INTERNAL_H
#define TRUST_GATE_INTERNAL_H

#include "trust/gate.h"

/* gate.md 5.2: fills d's signer members (required, missing, signers). True when the policy is
 * satisfied. */
bool gate_signers(const struct gate_facts *f, struct slice tag, const struct gate_entry *entry,
                  struct decision *d);
/* gate.md 5.2 of the past: whether the policy of now was satisfied for what `released` (one of
 * f->history) listed at some moment before `before_us`. */
bool gate_signers_before(const struct gate_facts *f, const struct gate_listing *released,
                         int64_t before_us);
/* gate.md 5.1, 5.2: the same digest (the sha256, or the sha512 of what has none) and length. Whether
 * further hashes are the content's own is asked where a manifest is at hand. */
bool gate_same_content(const struct tuf_target *a, const struct tuf_target *b);
/* Listed outside of the role's paths. */
bool gate_listed_outside(const struct gate_facts *f, const struct gate_listing *l);
/* A usable role: verified and unexpired, lists `tag` inside its paths; else NULL. */
const struct tuf_target *gate_role_lists(const struct trust_role *role, struct slice tag);
/* "alice" of "targets/alice"; NULL when the role is no direct signer role (or is targets/releases).
 */
const char *gate_signer_name(const char *role);
void gate_add_name(char names[GATE_SIGNERS_MAX][GATE_NAME_MAX], int *count, const char *name);
/* The reasons of a broken state or role. */
enum gate_reason gate_reason_of_status(enum trust_status status);
enum gate_reason gate_reason_of_role(enum role_state state);

/* The deny list and overrides have the last word (gate.md 5 step 9 and 10, 14): what was decided
 * from signatures becomes a refusal, or an allow.
 *   there    what was asked for, or what the tag points to; NULL when there is no such thing
 *   of_there its exceptions */
void gate_except(const struct digest *there, const struct gate_exceptions *of_there,
                 struct decision *d);
void gate_deny_digest(const struct gate_denial *denial, const struct digest *digest,
                      struct decision *d);

/* Texts: message, phrase, hint of a refusal; warning of served_signed. Each expects the decision's
 * facts filled. */
void gate_say_status(const struct gate_facts *f, struct decision *d);
void gate_say_suspicion(const struct gate_facts *f, struct decision *d);
void gate_say_role(const struct gate_facts *f, const struct trust_role *role, struct decision *d);
void gate_say_unsigned(const struct gate_facts *f, const struct gate_entry *entry,
                       struct decision *d);
void gate_say_revoked(const struct gate_facts *f, const struct gate_listing *withdrawal,
                      struct decision *d);
void gate_say_signers(const struct gate_facts *f, struct decision *d);
void gate_say_mismatch(const struct gate_facts *f, const struct gate_registry_tag *registry,
                       struct decision *d);
/* The digest is the signed one, a further hash of the target is not the manifest's. */
void gate_say_other_hash(struct decision *d);
void gate_say_length(const struct gate_facts *f, struct decision *d);
void gate_say_not_pushed(const struct gate_facts *f, struct decision *d);
void gate_say_served_signed(const struct gate_facts *f, const struct gate_registry_tag *registry,
                            struct decision *d);
/*   signed_in   gate_held.signed_in */
void gate_say_digest(const struct gate_facts *f, const char *signed_in, struct decision *d);
void gate_say_not_covered(const struct gate_facts *f, struct decision *d);
void gate_say_locked(const struct gate_facts *f, struct decision *d);
void gate_say_other_tag(const struct gate_facts *f, struct decision *d);
/* message = "content trust: " + text, phrase from `brief`. */
void gate_say(struct decision *d, const char *brief, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
