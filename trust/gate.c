#include "base/artifact_tag.h"
#include "trust/gate_internal.h"

#include <stdio.h>

static const struct gate_reason_info reason_table[REASON_COUNT] = {
#define REASON(symbol, name, status, code) {name, status, code},
#include "trust/gate_reasons.h"
#undef REASON
};

const struct gate_reason_info *gate_reason_info(enum gate_reason reason)
{
    return &reason_table[reason < REASON_COUNT ? reason : REASON_INDETERMINATE];
}

bool gate_enforced(enum policy_level level, bool gated, bool reads_unsigned)
{
    switch (level) {
    case LEVEL_OFF:
        return false;
    case LEVEL_WARN:
    case LEVEL_DEPLOY:
        return gated;
    case LEVEL_ALL:
    case LEVEL_LOCK:
        return gated || !reads_unsigned;
    }
    return true;
}

enum gate_reason gate_reason_of_status(enum trust_status status)
{
    switch (status) {
    case TRUST_OK:
        return REASON_ALLOWED;
    case TRUST_NOT_INITIALISED:
        return REASON_UNSIGNED;
    case TRUST_ROOT_PINNED:
        return REASON_ROOT_PINNED;
    case TRUST_ROOT_CHANGED:
        return REASON_ROOT_CHANGED;
    case TRUST_ROOT_KEY_REVOKED:
        return REASON_ROOT_KEY_REVOKED;
    case TRUST_EXPIRED_ROOT:
        return REASON_EXPIRED_ROOT;
    case TRUST_EXPIRED_TIMESTAMP:
        return REASON_EXPIRED_TIMESTAMP;
    case TRUST_EXPIRED_SNAPSHOT:
        return REASON_EXPIRED_SNAPSHOT;
    case TRUST_EXPIRED_TARGETS:
        return REASON_EXPIRED_TARGETS;
    case TRUST_ROLLBACK:
        return REASON_ROLLBACK_SUSPECTED;
    case TRUST_THRESHOLD:
        return REASON_THRESHOLD;
    case TRUST_BAD_DATA:
        return REASON_BAD_TRUST_DATA;
    }
    return REASON_BAD_TRUST_DATA;
}

enum gate_reason gate_reason_of_role(enum role_state state)
{
    switch (state) {
    case ROLE_STATE_OK:
        return REASON_ALLOWED;
    case ROLE_STATE_ABSENT:
        return REASON_UNSIGNED;
    case ROLE_STATE_VANISHED:
        return REASON_VANISHED_ROLE;
    case ROLE_STATE_EXPIRED:
        return REASON_EXPIRED_ROLE;
    case ROLE_STATE_THRESHOLD:
        return REASON_THRESHOLD;
    case ROLE_STATE_ROLLBACK:
        return REASON_ROLLBACK_SUSPECTED;
    case ROLE_STATE_BAD:
        return REASON_BAD_TRUST_DATA;
    }
    return REASON_BAD_TRUST_DATA;
}

/* --- building a decision ---------------------------------------------------------------------- */

/* As much of a text as there is room for. Every request comes through here, so nothing is formatted. */
static void put_text(char *to, size_t size, const char *text)
{
    size_t n = strnlen(text, size - 1);
    memcpy(to, text, n);
    to[n] = '\0';
}

static struct decision decision_start(const struct gate_facts *f)
{
    struct decision d = {.signed_length = -1,
                         .registry_length = -1,
                         .enforced = f->enforced,
                         .level = f->policy->level};
    const struct trust_state *t = f->trust;
    put_text(d.repo, sizeof d.repo, f->repo->text);
    put_text(d.policy_scope, sizeof d.policy_scope, f->policy_scope ? f->policy_scope : "*");
    if (t) {
        d.root_version = t->root ? t->root->version : 0;
        d.timestamp_version = t->timestamp ? t->timestamp->version : 0;
        d.snapshot_version = t->snapshot ? t->snapshot->version : 0;
        d.targets_version = t->role_count > 0 && t->roles[0].doc ? t->roles[0].doc->version : 0;
    }
    return d;
}

static void decision_registry(struct decision *d, const struct tag_name *tag,
                              const struct gate_registry_tag *registry)
{
    put_text(d->tag, sizeof d->tag, tag->text);
    if (registry->exists) {
        d->registry_digest = registry->digest;
        d->registry_length = registry->size;
    }
}

static void decision_entry(struct decision *d, const struct gate_entry *entry)
{
    if (entry->role) {
        put_text(d->role, sizeof d->role, entry->role->name);
        d->role_version = entry->role->doc ? entry->role->doc->version : 0;
    }
    if (entry->target) {
        d->signed_digest = entry->digest;
        d->signed_length = entry->target->file.length;
    }
    d->valid_until_us = entry->valid_until_us;
}

static void allow(struct decision *d, enum gate_reason reason, const struct digest *serve)
{
    d->effect = EFFECT_ALLOW;
    d->reason = reason;
    d->serve = *serve;
}

/* The identity is not subject to the gate, or the gate is off: what is there is served. False when
 * it is subject. */
static bool passes_ungated(const struct gate_facts *f, const struct digest *there,
                           struct decision *d)
{
    if (f->enforced && f->policy->level != LEVEL_OFF) {
        return false;
    }
    d->enforced = false;
    if (there) {
        allow(d, f->policy->level == LEVEL_OFF ? REASON_OFF : REASON_NOT_GATED, there);
    } else {
        d->reason = REASON_UNKNOWN;
        gate_say(d, "not found", "%s", "manifest unknown to registry");
    }
    return true;
}

/* Level warn: a refusal for trust reasons becomes an allow with a warning. What does not exist
 * stays so, and what could not be decided stays undecided. */
static void soften(const struct gate_facts *f, const struct digest *there, struct decision *d)
{
    if (f->policy->level != LEVEL_WARN || d->effect == EFFECT_ALLOW || !there ||
        gate_reason_info(d->reason)->status != 403) {
        return;
    }
    memcpy(d->warning, d->message, sizeof d->warning);
    d->message[0] = d->phrase[0] = '\0';
    allow(d, REASON_WOULD_DENY, there);
}

/* A store that may have been set back proves nothing: every signature in it is valid, and old. */
static bool is_suspect(const struct gate_facts *f, struct decision *d)
{
    if (!f->suspicion) {
        return false;
    }
    d->reason = REASON_ROLLBACK_SUSPECTED;
    gate_say_suspicion(f, d);
    return true;
}

/* One role that was set back, whatever it would have listed. */
static const struct trust_role *set_back(const struct gate_facts *f)
{
    for (size_t i = 0; f->trust && i < f->trust->role_count; i++) {
        if (f->trust->roles[i].state == ROLE_STATE_ROLLBACK) {
            return &f->trust->roles[i];
        }
    }
    return NULL;
}

/* gate.md 14: no override lifts rollback_suspected. That comes before what an override does lift
 * (10.2), also of an image that the role which was set back does not decide about: what it lists now
 * is not what it listed. */
static void except(const struct gate_facts *f, const struct digest *there,
                   const struct gate_exceptions *of_there, struct decision *d)
{
    const struct trust_role *back = NULL;
    bool would_lift = of_there->override && !of_there->denial && d->effect != EFFECT_ALLOW &&
                      gate_reason_info(d->reason)->status == 403;
    if (would_lift && (back = set_back(f)) != NULL) {
        d->reason = REASON_ROLLBACK_SUSPECTED;
        gate_say_role(f, back, d);
    }
    gate_except(there, of_there, d);
}

/* --- the tag rule (gate.md 5) ----------------------------------------------------------------- */

/* gate.md 5.3: whether what the tag points to is the signed content. Every known hash of the target
 * is compared; one that was not computed does not agree. */
static bool hashes_agree(const struct tuf_hashes *file, const struct gate_registry_tag *registry)
{
    const struct digest *sha256 =
        registry->digest.algorithm == DIGEST_SHA256 ? &registry->digest : &registry->sha256;
    const struct digest *sha512 =
        registry->digest.algorithm == DIGEST_SHA512 ? &registry->digest : &registry->sha512;
    if (file->has_sha256 && (sha256->algorithm != DIGEST_SHA256 ||
                             memcmp(sha256->bytes, file->sha256, sizeof file->sha256) != 0)) {
        return false;
    }
    if (file->has_sha512 && (sha512->algorithm != DIGEST_SHA512 ||
                             memcmp(sha512->bytes, file->sha512, sizeof file->sha512) != 0)) {
        return false;
    }
    return file->has_sha256 || file->has_sha512;
}

/* The same of S, which is found by the hash that is its digest: the other one that the target lists
 * must be its own too. */
static bool signed_hash_agrees(const struct tuf_hashes *file,
                               const struct gate_registry_tag *registry)
{
    struct digest stated;
    return !file->has_sha256 || !file->has_sha512 ||
           (digest_from_hash(DIGEST_SHA512, file->sha512, sizeof file->sha512, &stated) &&
            digest_equal(&stated, &registry->signed_sha512));
}

static bool may_serve_signed(const struct gate_facts *f, const struct gate_registry_tag *registry)
{
    if (!registry->signed_present) {
        return false;
    }
    switch (f->policy->on_mismatch) {
    case MISMATCH_REFUSE:
        return false;
    case MISMATCH_SERVE_SIGNED:
        return true;
    case MISMATCH_HOLD:
        return registry->signed_was_here;
    }
    return false;
}

static void serve_signed(const struct gate_facts *f, const struct gate_entry *entry,
                         const struct gate_registry_tag *registry, struct decision *d)
{
    if (registry->signed_size != entry->target->file.length) {
        d->registry_length = registry->signed_size;
        d->reason = REASON_LENGTH_MISMATCH;
        gate_say_length(f, d);
        return;
    }
    if (!signed_hash_agrees(&entry->target->file, registry)) {
        d->reason = REASON_DIGEST_MISMATCH;
        gate_say_other_hash(d);
        return;
    }
    allow(d, REASON_SERVED_SIGNED, &entry->digest);
    gate_say_served_signed(f, registry, d);
}

static void compare_with_registry(const struct gate_facts *f, const struct gate_entry *entry,
                                  const struct gate_registry_tag *registry, struct decision *d)
{
    d->signed_missing = !registry->signed_present &&
                        !(registry->exists && hashes_agree(&entry->target->file, registry));
    if (registry->exists && hashes_agree(&entry->target->file, registry)) {
        if (registry->size == entry->target->file.length) {
            allow(d, REASON_ALLOWED, &registry->digest);
            return;
        }
        d->reason = REASON_LENGTH_MISMATCH;
        gate_say_length(f, d);
        return;
    }
    /* The signed digest itself is there but a further hash of the target disagrees: serving it
     * would not help. */
    bool same = registry->exists && digest_equal(&registry->digest, &entry->digest);
    if (!same && may_serve_signed(f, registry)) {
        serve_signed(f, entry, registry, d);
        return;
    }
    if (!registry->exists) {
        d->reason = REASON_SIGNED_NOT_PUSHED;
        gate_say_not_pushed(f, d);
        return;
    }
    d->reason = REASON_DIGEST_MISMATCH;
    if (same) {
        gate_say_other_hash(d);
    } else {
        gate_say_mismatch(f, registry, d);
    }
}

static bool target_hash_usable(const struct gate_facts *f, const struct gate_entry *entry)
{
    const struct tuf_hashes *file = &entry->target->file;
    return file->has_sha256 || (file->has_sha512 && f->policy->accept_sha512_only);
}

static void decide_entry(const struct gate_facts *f, const struct tag_name *tag,
                         const struct gate_entry *entry, const struct gate_registry_tag *registry,
                         struct decision *d)
{
    if (!target_hash_usable(f, entry)) {
        d->reason = REASON_BAD_TRUST_DATA;
        gate_say(d, "the target has no sha256",
                 "%s:%s is signed in role %s without a sha256 of the manifest", d->repo, d->tag,
                 d->role);
        return;
    }
    if (!gate_signers(f, tag_name_slice(tag), entry, d)) {
        d->reason = REASON_SIGNER_POLICY;
        gate_say_signers(f, d);
        return;
    }
    compare_with_registry(f, entry, registry, d);
}

static void decide_unsigned(const struct gate_facts *f, const struct gate_entry *entry,
                            const struct gate_registry_tag *registry, struct decision *d)
{
    if (!registry->exists) {
        d->reason = REASON_UNKNOWN;
        gate_say(d, "no such tag", "%s has no tag %s, and nothing is signed under that name",
                 d->repo, d->tag);
        return;
    }
    d->reason = REASON_UNSIGNED;
    gate_say_unsigned(f, entry, d);
}

static void decide_tag(const struct gate_facts *f, const struct tag_name *tag,
                       const struct gate_registry_tag *registry, struct decision *d)
{
    struct gate_entry entry = {.kind = ENTRY_NONE};
    struct digest subject;
    if (!registry->exists && artifact_tag_subject(tag_name_slice(tag), &subject)) {
        decide_unsigned(f, &entry, registry, d); /* comes before what the policy covers */
        return;
    }
    if (!policy_list_matches(&f->policy->tags, tag_name_slice(tag))) {
        d->reason = REASON_NOT_COVERED;
        gate_say_not_covered(f, d);
        return;
    }
    if (is_suspect(f, d)) {
        return;
    }
    if (f->trust->status == TRUST_NOT_INITIALISED) {
        decide_unsigned(f, &entry, registry, d);
        return;
    }
    if (f->trust->status != TRUST_OK) {
        d->reason = gate_reason_of_status(f->trust->status);
        gate_say_status(f, d);
        return;
    }
    gate_lookup(f, tag_name_slice(tag), &entry);
    decision_entry(d, &entry);
    switch (entry.kind) {
    case ENTRY_NONE:
        d->signed_digest = (struct digest){0};
        d->signed_length = -1;
        decide_unsigned(f, &entry, registry, d);
        return;
    case ENTRY_REVOKED:
        d->reason = REASON_REVOKED;
        gate_say_revoked(f, entry.withdrawal, d);
        return;
    case ENTRY_DEFECT:
        d->reason = gate_reason_of_role(entry.role->state);
        gate_say_role(f, entry.role, d);
        return;
    case ENTRY_FOUND:
        decide_entry(f, tag, &entry, registry, d);
        return;
    }
}

struct decision gate_tag(const struct gate_facts *f, const struct tag_name *tag,
                         const struct gate_registry_tag *registry)
{
    struct decision d = decision_start(f);
    const struct digest *there = registry->exists ? &registry->digest : NULL;
    decision_registry(&d, tag, registry);
    if (passes_ungated(f, there, &d)) {
        return d;
    }
    if (!f->trust) {
        gate_say(&d, "could not decide", "could not decide about %s:%s, try again", d.repo, d.tag);
        return d;
    }
    decide_tag(f, tag, registry, &d);
    if (d.effect == EFFECT_ALLOW && registry->signed_denial &&
        digest_equal(&d.serve, &d.signed_digest)) {
        gate_deny_digest(registry->signed_denial, &d.signed_digest, &d);
    }
    except(f, there, &registry->exceptions, &d);
    soften(f, there, &d);
    return d;
}

/* --- the digest and blob rules (gate.md 6, 7) ------------------------------------------------- */

static bool reached_now(const struct gate_facts *f, const struct gate_reached *reached)
{
    return !f->suspicion && gate_reached_allows(reached) && f->now_us < reached->valid_until_us;
}

static void allow_reached(const struct gate_reached *reached, const struct digest *digest,
                          struct decision *d)
{
    allow(d, reached->in_grace ? REASON_SUPERSEDED : REASON_ALLOWED, digest);
    d->valid_until_us = reached->valid_until_us;
}

/* A digest that targets/releases lists while the role is broken is told the role's defect, not that
 * it is unsigned. */
static const struct trust_role *defect_behind(const struct gate_facts *f,
                                              const struct digest *digest)
{
    const struct trust_role *releases = trust_state_role(f->trust, SLICE_LIT(ROLE_RELEASES));
    if (!releases || releases->state == ROLE_STATE_OK || releases->state == ROLE_STATE_ABSENT) {
        return NULL;
    }
    for (size_t i = 0; i < f->history_count; i++) {
        const struct gate_listing *l = &f->history[i];
        bool lists = l->end == LISTING_OPEN || l->end == LISTING_REPLACED; /* now, or in grace */
        if (lists && strcmp(l->role, ROLE_RELEASES) == 0 && digest_equal(&l->digest, digest)) {
            return releases;
        }
    }
    return NULL;
}

static void deny_digest(const struct gate_facts *f, const struct digest *digest,
                        enum gate_reason reason, const char *signed_in, struct decision *d)
{
    const struct trust_role *broken = NULL;
    if (is_suspect(f, d)) {
        return;
    }
    if (f->trust->status != TRUST_OK && f->trust->status != TRUST_NOT_INITIALISED) {
        d->reason = gate_reason_of_status(f->trust->status);
        gate_say_status(f, d);
    } else if ((broken = defect_behind(f, digest)) != NULL) {
        d->reason = gate_reason_of_role(broken->state);
        gate_say_role(f, broken, d);
    } else {
        d->reason = reason;
        gate_say_digest(f, signed_in, d);
    }
}

struct decision gate_digest(const struct gate_facts *f, const struct digest *digest,
                            const struct gate_reached *reached, const struct gate_held *held)
{
    struct decision d = decision_start(f);
    d.requested = *digest;
    if (passes_ungated(f, held->manifest ? digest : NULL, &d)) {
        return d;
    }
    if (!f->trust) {
        gate_say(&d, "could not decide", "could not decide about this manifest of %s, try again",
                 d.repo);
    } else if (!held->manifest) {
        d.reason = REASON_UNKNOWN;
        gate_say(&d, "manifest unknown", "%s does not hold this manifest", d.repo);
    } else if (reached_now(f, reached) && reached->is_manifest) {
        allow_reached(reached, digest, &d);
    } else if (held->artifact_allowed && !f->suspicion) {
        allow(&d, REASON_ALLOWED, digest);
    } else {
        deny_digest(f, digest, REASON_UNSIGNED_DIGEST, held->signed_in, &d);
    }
    except(f, held->manifest ? digest : NULL, &held->exceptions, &d);
    soften(f, held->manifest ? digest : NULL, &d);
    return d;
}

struct decision gate_blob(const struct gate_facts *f, const struct digest *digest,
                          const struct gate_reached *reached, const struct gate_held *held)
{
    struct decision d = decision_start(f);
    d.requested = *digest;
    bool unknown = !held->blob || (held->manifest && f->enforced);
    if (unknown) {
        d.reason = REASON_BLOB_UNKNOWN;
        gate_say(&d, "blob unknown", "%s", "blob unknown to registry");
        return d;
    }
    if (passes_ungated(f, digest, &d)) {
        return d;
    }
    if (!f->trust) {
        gate_say(&d, "could not decide", "could not decide about this blob of %s, try again",
                 d.repo);
    } else if (reached_now(f, reached)) {
        allow_reached(reached, digest, &d);
    } else if (held->artifact_allowed && !f->suspicion) {
        allow(&d, REASON_ALLOWED, digest);
    } else {
        deny_digest(f, digest, REASON_BLOB_NOT_REACHABLE, NULL, &d);
    }
    except(f, digest, &held->exceptions, &d);
    soften(f, digest, &d);
    return d;
}

struct decision gate_tag_and_digest(const struct gate_facts *f, const struct tag_name *tag,
                                    const struct digest *digest, struct decision by_digest,
                                    bool of_tag)
{
    struct decision d = by_digest;
    put_text(d.tag, sizeof d.tag, tag->text);
    bool gated_allow = d.reason == REASON_ALLOWED || d.reason == REASON_SUPERSEDED;
    if (d.effect != EFFECT_ALLOW || !gated_allow || of_tag) {
        return d;
    }
    d.effect = EFFECT_DENY;
    d.reason = REASON_DIGEST_MISMATCH;
    d.serve = (struct digest){0};
    gate_say_other_tag(f, &d);
    soften(f, digest, &d);
    return d;
}

/* --- level lock (gate.md 8) ------------------------------------------------------------------- */

/* What is signed for the tag; a state that does not say leaves the tag locked. */
static bool put_is_locked(const struct gate_facts *f, const struct tag_name *tag,
                          const struct digest *digest, struct decision *d)
{
    struct gate_entry entry = {.kind = ENTRY_NONE};
    if (f->policy->level != LEVEL_LOCK || f->policy->on_mismatch == MISMATCH_HOLD) {
        return false;
    }
    if (!f->suspicion && f->trust->status == TRUST_NOT_INITIALISED) {
        return false;
    }
    if (f->suspicion || f->trust->status != TRUST_OK) {
        return true;
    }
    gate_lookup(f, tag_name_slice(tag), &entry);
    decision_entry(d, &entry);
    switch (entry.kind) {
    case ENTRY_NONE:
    case ENTRY_REVOKED:
        return false;
    case ENTRY_DEFECT:
        return true;
    case ENTRY_FOUND:
        return !digest_equal(&entry.digest, digest);
    }
    return true;
}

struct decision gate_put(const struct gate_facts *f, const struct tag_name *tag,
                         const struct digest *digest)
{
    struct decision d = decision_start(f);
    d.requested = *digest;
    put_text(d.tag, sizeof d.tag, tag->text);
    if (!put_is_locked(f, tag, digest, &d)) {
        allow(&d, REASON_NOT_GATED, digest);
        return d;
    }
    d.reason = REASON_TAG_LOCKED;
    gate_say_locked(f, &d);
    return d;
}
