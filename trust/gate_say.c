#include "base/clock.h"
#include "trust/gate_internal.h"

#include <stdarg.h>
#include <stdio.h>

#define PATTERNS_SHOWN_MAX 8

/* Cuts at `size`, on a whole UTF-8 character. */
static void put_cut(char *out, size_t size, const char *text)
{
    struct slice whole = slice_cut(slice_str(text), size - 1);
    memcpy(out, whole.p, whole.n);
    out[whole.n] = '\0';
}

static const char *status_words(int status)
{
    switch (status) {
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    default:
        return "Service Unavailable";
    }
}

/* The reason phrase is what containerd and the kubelet show: the status words they expect, the
 * brief text, the reason. Everything outside printable ASCII is dropped, the reason is never cut.
 */
static void set_phrase(struct decision *d, const char *brief)
{
    const struct gate_reason_info *info = gate_reason_info(d->reason);
    char head[160], tail[48];
    (void)snprintf(tail, sizeof tail, " (%s)", info->name);
    (void)snprintf(head, sizeof head, "%s: content trust: %s", status_words(info->status), brief);
    size_t room = sizeof d->phrase - 1 - strlen(tail), n = 0;
    for (const char *p = head; *p && n < room; p++) {
        if (*p >= 0x20 && *p <= 0x7e) {
            d->phrase[n++] = *p;
        }
    }
    (void)snprintf(d->phrase + n, sizeof d->phrase - n, "%s", tail);
}

void gate_say(struct decision *d, const char *brief, const char *fmt, ...)
{
    auto_buf struct buf text = {0};
    char line[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    buf_printf(&text, "content trust: %s", line);
    put_cut(d->message, sizeof d->message, text.p);
    set_phrase(d, brief);
}

static const char *short_digest(const struct digest *digest, char out[16])
{
    char hex[DIGEST_STR_MAX];
    (void)snprintf(out, 16, "%.8s", digest_is_set(digest) ? digest_hex(digest, hex) : "nothing");
    return out;
}

static const char *brief_digest(const struct digest *digest, char out[32])
{
    char hex[DIGEST_STR_MAX];
    if (!digest_is_set(digest)) {
        return "nothing";
    }
    (void)snprintf(out, 32, "%s:%.8s…", digest_algorithm_name(digest->algorithm),
                   digest_hex(digest, hex));
    return out;
}

/* A first signature by `docker trust sign` would name a signer after the account, and an e-mail address is
 * no name of one. */
static void hint_sign(const struct gate_facts *f, struct decision *d)
{
    const char *command = f->trust->status == TRUST_NOT_INITIALISED
                              ? "push it signed: DOCKER_CONTENT_TRUST=1 docker push"
                              : "sign what was pushed: docker trust sign --local";
    (void)snprintf(d->hint, sizeof d->hint, "%s %.200s/%s:%s", command, f->host ? f->host : "HOST",
                   d->repo, d->tag);
}

/* "alice, bob" */
static void list_names(char names[GATE_SIGNERS_MAX][GATE_NAME_MAX], int count, struct buf *out)
{
    for (int i = 0; i < count; i++) {
        buf_printf(out, "%s%s", i ? ", " : "", names[i]);
    }
}

static void list_roles(const struct gate_entry *entry, struct buf *out)
{
    for (int i = 0; i < entry->hint_role_count; i++) {
        buf_printf(out, "%s%s", i ? ", " : "", entry->hint_roles[i]);
    }
}

static void what(const struct decision *d, char *out, size_t n)
{
    char digest[32];
    if (d->tag[0]) {
        (void)snprintf(out, n, "%s:%s", d->repo, d->tag);
    } else {
        (void)snprintf(out, n, "%s@%s", d->repo, brief_digest(&d->requested, digest));
    }
}

/* --- one function per kind of refusal --------------------------------------------------------- */

static const struct {
    enum gate_reason reason;
    const char *brief, *hint;
} status_texts[] = {
    {REASON_EXPIRED_TIMESTAMP, "the timestamp expired",
     "the server renews it with its timestamp key, and could not: an administrator looks at the log "
     "and at bond trust keys list"},
    {REASON_EXPIRED_SNAPSHOT, "the snapshot expired",
     "an owner takes it away, and the holder of the snapshot key publishes again: bond trust wipe "
     "--keep-pin, then notary publish"},
    {REASON_EXPIRED_TARGETS, "the targets expired",
     "an owner takes it away, and the holder of the targets key publishes again: bond trust wipe "
     "--keep-pin, then notary publish"},
    {REASON_EXPIRED_ROOT, "the root expired",
     "an owner takes it away, and the holder of the root key publishes again: bond trust wipe "
     "--keep-pin, then notary publish"},
    {REASON_ROLLBACK_SUSPECTED, "older than what was accepted",
     "an administrator must look at the store, and acknowledge it: bond trust acknowledge"},
    {REASON_ROOT_CHANGED, "the root was replaced",
     "publish a root that the former root's keys sign"},
    {REASON_ROOT_PINNED, "not the pinned root key",
     "publish with the pinned root key, or wipe the trust data"},
    {REASON_ROOT_KEY_REVOKED, "the root key was revoked",
     "publish a new root without the revoked key, or wipe the trust data"},
    {REASON_THRESHOLD, "too few signatures", "the other key holders must sign too"},
    {REASON_BAD_TRUST_DATA, "the trust data does not verify",
     "restore the store from a backup, or wipe the trust data and sign again: bond trust wipe"},
};

static void say_known(struct decision *d, const char *text)
{
    char name[400];
    const char *brief = "the trust data does not verify";
    what(d, name, sizeof name);
    for (size_t i = 0; i < sizeof status_texts / sizeof status_texts[0]; i++) {
        if (status_texts[i].reason == d->reason) {
            brief = status_texts[i].brief;
            put_cut(d->hint, sizeof d->hint, status_texts[i].hint);
        }
    }
    gate_say(d, brief, "%s: %s", name, text);
}

void gate_say_status(const struct gate_facts *f, struct decision *d)
{
    if (f->trust->defect_role) {
        put_cut(d->role, sizeof d->role, f->trust->defect_role);
    }
    say_known(d, f->trust->why[0] ? f->trust->why
                                  : "the trust data of this repository does not verify");
}

void gate_say_suspicion(const struct gate_facts *f, struct decision *d)
{
    say_known(d, f->suspicion);
}

void gate_say_role(const struct gate_facts *f, const struct trust_role *role, struct decision *d)
{
    char text[600], when[TIME_STR_MAX], name[400];
    (void)f;
    put_cut(d->role, sizeof d->role, role->name);
    what(d, name, sizeof name);
    if (role->state == ROLE_STATE_EXPIRED && role->doc) {
        (void)snprintf(d->hint, sizeof d->hint, "a holder of a key of %s must sign again",
                       role->name);
        gate_say(d, "the deciding role expired", "%s: role %s version %lld expired on %s", name,
                 role->name, (long long)role->doc->version,
                 time_format(role->doc->expires_us, when));
        return;
    }
    if (role->state == ROLE_STATE_VANISHED) {
        put_cut(d->hint, sizeof d->hint,
                "restore the store from a backup, or wipe the trust data and sign again: bond trust "
                "wipe");
        gate_say(d, "a role vanished from the snapshot",
                 "%s: role %s had metadata and is no longer in the snapshot", name, role->name);
        return;
    }
    (void)snprintf(text, sizeof text, "role %s: %s", role->name,
                   role->why[0] ? role->why : "its document does not verify");
    say_known(d, text);
    if (role->state == ROLE_STATE_BAD) {
        (void)snprintf(d->hint, sizeof d->hint,
                       "a holder of a key of %s must sign again; if the store is damaged, restore "
                       "it, or wipe the trust data and sign again: bond trust wipe",
                       role->name);
    }
}

static void say_wiped(const struct gate_facts *f, struct decision *d)
{
    char when[TIME_STR_MAX], brief[120];
    (void)snprintf(brief, sizeof brief, "trust data was wiped on %.10s, sign again",
                   time_format(f->tombstone->when_us, when));
    hint_sign(f, d);
    gate_say(d, brief, "%s:%s is not signed: trust data was wiped by %s on %s; sign it again",
             d->repo, d->tag, f->tombstone->who, when);
}

/* Names that are released, by either of the roles that can (gate.md 5.1). */
static size_t released_names(const struct trust_state *t)
{
    const struct trust_role *releases = trust_state_role(t, SLICE_LIT(ROLE_RELEASES));
    size_t count = t->role_count > 0 && t->roles[0].doc ? t->roles[0].doc->target_count : 0;
    return count + (releases && releases->doc ? releases->doc->target_count : 0);
}

static void say_hint(const struct gate_facts *f, const struct gate_entry *entry, struct decision *d)
{
    auto_buf struct buf roles = {0};
    size_t names = released_names(f->trust);
    list_roles(entry, &roles);
    switch (entry->hint) {
    case HINT_NONE:
        gate_say(d, "this tag is not signed",
                 "%s:%s is not signed; trust data exists for %zu other name%s of this repository",
                 d->repo, d->tag, names, names == 1 ? "" : "s");
        return;
    case HINT_NESTED:
        gate_say(d, "signed in a nested role only", "%s:%s is not released: signed in %s only",
                 d->repo, d->tag, roles.p);
        return;
    case HINT_SIGNED_BY:
        gate_say(d, "signed by a signer only, not released",
                 "%s:%s is signed by %s only, not released", d->repo, d->tag, roles.p);
        return;
    case HINT_STALE_TARGETS:
        gate_say(d, "not in targets/releases",
                 "%s:%s is not released: it is in targets only, and the policy wants %s", d->repo,
                 d->tag, ROLE_RELEASES);
        return;
    }
}

void gate_say_unsigned(const struct gate_facts *f, const struct gate_entry *entry,
                       struct decision *d)
{
    hint_sign(f, d);
    if (f->trust->status != TRUST_NOT_INITIALISED) {
        say_hint(f, entry, d);
    } else if (f->tombstone) {
        say_wiped(f, d);
    } else {
        gate_say(d, "not signed, the repository has no trust data",
                 "%s:%s is not signed: the repository has no trust data", d->repo, d->tag);
    }
}

void gate_say_revoked(const struct gate_facts *f, const struct gate_listing *withdrawal,
                      struct decision *d)
{
    char when[TIME_STR_MAX], version[48] = "", brief[120];
    put_cut(d->role, sizeof d->role, withdrawal->role);
    if (withdrawal->end_version > 0) {
        (void)snprintf(version, sizeof version, " after version %lld",
                       (long long)withdrawal->end_version);
    }
    (void)snprintf(brief, sizeof brief, "withdrawn from %s on %.10s", withdrawal->role,
                   time_format(withdrawal->until_us, when));
    hint_sign(f, d);
    gate_say(d, brief,
             "%s:%s was withdrawn from %s%s on %s; the older entry in targets does not count",
             d->repo, d->tag, withdrawal->role, version, when);
}

/* Whether the signer's own role lists this tag as something else: "bob signed another digest". */
static bool signed_other(const struct gate_facts *f, const struct decision *d, const char *name)
{
    auto_buf struct buf role = {0};
    buf_printf(&role, "targets/%s", name);
    return gate_role_lists(trust_state_role(f->trust, buf_slice_of(&role)), slice_str(d->tag)) !=
           NULL;
}

void gate_say_signers(const struct gate_facts *f, struct decision *d)
{
    auto_buf struct buf have = {0}, missing = {0};
    list_names(d->signers, d->signer_count, &have);
    for (int i = 0; i < d->missing_count; i++) {
        buf_printf(&missing, "%s%s%s", i ? ", " : "", d->missing[i],
                   signed_other(f, d, d->missing[i]) ? " (signed another digest)" : "");
    }
    hint_sign(f, d);
    gate_say(d, "the signer policy is not met",
             "%s:%s needs %lld of the policy's signers: have %s, missing %s", d->repo, d->tag,
             (long long)d->required_threshold, have.n ? have.p : "none",
             missing.n ? missing.p : "different keys");
}

/* ", pushed TIME by NAME". A time and no age: the same refusal reads the same, HEAD or GET, now or
 * later. Whole seconds are enough for people. */
static void pushed_words(const struct gate_registry_tag *registry, struct buf *out)
{
    char when[TIME_STR_MAX];
    if (registry->pushed_us <= 0) {
        return;
    }
    buf_printf(out, ", pushed %s",
               time_format(registry->pushed_us / US_PER_SECOND * US_PER_SECOND, when));
    if (registry->pushed_by && registry->pushed_by[0]) {
        buf_printf(out, " by %s", registry->pushed_by);
    }
}

void gate_say_mismatch(const struct gate_facts *f, const struct gate_registry_tag *registry,
                       struct decision *d)
{
    auto_buf struct buf signers = {0}, pushed = {0};
    char s[32], a[32], s8[16], a8[16], brief[130];
    list_names(d->signers, d->signer_count, &signers);
    pushed_words(registry, &pushed);
    (void)snprintf(brief, sizeof brief, "%.40s is signed as %s, registry has %s", d->tag,
                   short_digest(&d->signed_digest, s8), short_digest(&d->registry_digest, a8));
    (void)snprintf(
        d->hint, sizeof d->hint,
        "sign the pushed image: docker trust sign --local %.200s/%s:%s, or push the signed one "
        "again",
        f->host ? f->host : "HOST", d->repo, d->tag);
    gate_say(d, brief, "%s:%s is signed as %s (role %s%s%s) but the registry has %s%s%s", d->repo,
             d->tag, brief_digest(&d->signed_digest, s), d->role, signers.n ? ", by " : "",
             signers.n ? signers.p : "", brief_digest(&d->registry_digest, a),
             pushed.n ? pushed.p : "", pushed.n ? " and not signed" : ", which is not signed");
}

void gate_say_other_hash(struct decision *d)
{
    char s[32], s8[16], brief[130];
    (void)snprintf(brief, sizeof brief, "%.40s is signed as %s with another sha512", d->tag,
                   short_digest(&d->signed_digest, s8));
    (void)snprintf(d->hint, sizeof d->hint, "sign the image again, with hashes of the same bytes");
    gate_say(d, brief,
             "%s:%s is signed as %s (role %s), and with a sha512 that this manifest does not have",
             d->repo, d->tag, brief_digest(&d->signed_digest, s), d->role);
}

void gate_say_length(const struct gate_facts *f, struct decision *d)
{
    (void)snprintf(d->hint, sizeof d->hint,
                   "sign it again with its true length: docker trust sign --local %.200s/%s:%s",
                   f->host ? f->host : "HOST", d->repo, d->tag);
    gate_say(d, "the signed length differs from the manifest's",
             "%s:%s is signed with length %lld, the manifest has %lld bytes", d->repo, d->tag,
             (long long)d->signed_length, (long long)d->registry_length);
}

void gate_say_not_pushed(const struct gate_facts *f, struct decision *d)
{
    char s[32], s8[16], brief[120];
    (void)f;
    (void)snprintf(brief, sizeof brief, "%.40s is signed as %s but not pushed", d->tag,
                   short_digest(&d->signed_digest, s8));
    (void)snprintf(d->hint, sizeof d->hint, "push the signed image, or tag it again");
    gate_say(d, brief, "%s:%s is signed as %s but the registry has no such tag%s", d->repo, d->tag,
             brief_digest(&d->signed_digest, s),
             d->signed_missing ? "" : " (the signed manifest is here)");
}

void gate_say_served_signed(const struct gate_facts *f, const struct gate_registry_tag *registry,
                            struct decision *d)
{
    char s8[16], a8[16];
    (void)f;
    if (registry->exists) {
        (void)snprintf(d->warning, sizeof d->warning, "tag %s points to %s, served the signed %s",
                       d->tag, short_digest(&d->registry_digest, a8),
                       short_digest(&d->signed_digest, s8));
    } else {
        (void)snprintf(d->warning, sizeof d->warning, "tag %s does not exist, served the signed %s",
                       d->tag, short_digest(&d->signed_digest, s8));
    }
}

static void hint_digest(const char *signed_in, struct decision *d)
{
    if (d->reason == REASON_BLOB_NOT_REACHABLE) {
        (void)snprintf(d->hint, sizeof d->hint,
                       "pull the image, not its parts: bond deploy check %s:TAG says which image a "
                       "tag gives out",
                       d->repo);
        return;
    }
    if (signed_in) {
        (void)snprintf(d->hint, sizeof d->hint,
                       "deploy it from %s, where it is signed; or sign this image under a tag here", signed_in);
        return;
    }
    (void)snprintf(d->hint, sizeof d->hint,
                   "deploy what a tag is signed as: bond deploy check %s:TAG prints it; or sign "
                   "this image under a tag",
                   d->repo);
}

void gate_say_digest(const struct gate_facts *f, const char *signed_in, struct decision *d)
{
    char s[32], s8[16], brief[120], when[TIME_STR_MAX], elsewhere[REPO_NAME_MAX + 32] = "";
    const char *noun = d->reason == REASON_BLOB_NOT_REACHABLE ? "blob" : "manifest";
    hint_digest(signed_in, d);
    if (signed_in) {
        (void)snprintf(elsewhere, sizeof elsewhere, "; it is signed in %s", signed_in);
    }
    (void)brief_digest(&d->requested, s);
    (void)snprintf(brief, sizeof brief, "%s %s is not part of a signed image", noun,
                   short_digest(&d->requested, s8));
    if (f->trust->status == TRUST_NOT_INITIALISED && f->tombstone) {
        gate_say(d, brief,
                 "%s %s of %s is not signed: trust data was wiped by %s on %s; sign it again%s", noun,
                 s, d->repo, f->tombstone->who, time_format(f->tombstone->when_us, when),
                 elsewhere);
    } else if (f->trust->status == TRUST_NOT_INITIALISED) {
        gate_say(d, brief, "%s %s of %s is not signed: the repository has no trust data%s", noun, s,
                 d->repo, elsewhere);
    } else if (d->reason == REASON_BLOB_NOT_REACHABLE) {
        gate_say(d, brief, "blob %s belongs to no signed image of %s", s, d->repo);
    } else {
        gate_say(d, brief, "%s is no signed image of %s, nor part of one%s", s, d->repo, elsewhere);
    }
}

void gate_say_other_tag(const struct gate_facts *f, struct decision *d)
{
    char s[32], s8[16], brief[120];
    (void)snprintf(d->hint, sizeof d->hint,
                   "deploy it by its digest alone, or sign it under this tag too: docker trust "
                   "sign --local %.200s/%s:%s",
                   f->host ? f->host : "HOST", d->repo, d->tag);
    (void)snprintf(brief, sizeof brief, "%s is not signed as %.40s",
                   short_digest(&d->requested, s8), d->tag);
    gate_say(d, brief, "%s is signed in %s, but not under the tag %s",
             brief_digest(&d->requested, s), d->repo, d->tag);
}

void gate_say_not_covered(const struct gate_facts *f, struct decision *d)
{
    auto_buf struct buf covered = {0};
    const struct policy_texts *tags = &f->policy->tags;
    for (size_t i = 0; i < tags->count && i < PATTERNS_SHOWN_MAX; i++) {
        buf_printf(&covered, "%s%.60s", i ? ", " : "", tags->items[i]);
    }
    (void)snprintf(d->hint, sizeof d->hint,
                   "deploy a tag that it covers, or have an owner change it: bond policy explain "
                   "%s:%s",
                   d->repo, d->tag);
    gate_say(d, "the policy does not cover this tag",
             "policy %s covers the tags %s%s only, and not %s:%s", d->policy_scope,
             covered.n ? covered.p : "of no name",
             tags->count > PATTERNS_SHOWN_MAX ? " and others" : "", d->repo, d->tag);
}

void gate_say_locked(const struct gate_facts *f, struct decision *d)
{
    (void)f;
    (void)snprintf(d->hint, sizeof d->hint,
                   "publish the signature of the new image first, then push it under the tag; or "
                   "have an owner set on_mismatch to hold");
    gate_say(d, "the tag is signed and locked",
             "%s:%s is signed and locked by policy %s: sign the new image first", d->repo, d->tag,
             d->policy_scope);
}

struct decision gate_unrecorded(const struct repo_name *repo, const struct decision *d)
{
    struct decision none = {.signed_length = -1,
                            .registry_length = -1,
                            .enforced = d->enforced,
                            .requested = d->requested};
    (void)snprintf(none.repo, sizeof none.repo, "%s", repo->text);
    (void)snprintf(none.tag, sizeof none.tag, "%s", d->tag);
    gate_say(&none, "the decision could not be recorded",
             "the decision about %s could not be recorded, try again", none.repo);
    return none;
}

struct decision gate_not_writable(const struct repo_name *repo, const char *sentence)
{
    struct decision d = {.reason = REASON_NOT_WRITABLE,
                         .signed_length = -1,
                         .registry_length = -1,
                         .enforced = true};
    (void)snprintf(d.repo, sizeof d.repo, "%s", repo->text);
    (void)snprintf(d.hint, sizeof d.hint, "push with another account: a robot or a developer");
    gate_say(&d, "a deployer writes nothing", "%s", sentence);
    return d;
}
