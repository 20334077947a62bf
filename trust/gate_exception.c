/* Exceptions from what signatures say: the deny list and overrides (gate.md 10.2, 14). */
#include "base/clock.h"
#include "storage/override.h"
#include "trust/gate_internal.h"

#include <stdio.h>

#define WHO_SHOWN_MAX 80      /* bytes of a sentence */
#define MESSAGE_SHOWN_MAX 360

/* gate.md 14: what an override lets through. Whatever is not listed here it does not: above all
 * denied_digest, rollback_suspected, and every fault of keys and of trust data. */
static bool override_covers(enum gate_reason reason)
{
    static const enum gate_reason covered[] = {
        REASON_UNSIGNED,          REASON_UNSIGNED_DIGEST,  REASON_BLOB_NOT_REACHABLE,
        REASON_DIGEST_MISMATCH,   REASON_LENGTH_MISMATCH,  REASON_SIGNER_POLICY,
        REASON_EXPIRED_TIMESTAMP, REASON_EXPIRED_SNAPSHOT, REASON_EXPIRED_TARGETS,
        REASON_EXPIRED_ROLE,      REASON_EXPIRED_ROOT,
    };
    for (size_t i = 0; i < sizeof covered / sizeof covered[0]; i++) {
        if (covered[i] == reason) {
            return true;
        }
    }
    return false;
}

void gate_deny_digest(const struct gate_denial *denial, const struct digest *digest,
                      struct decision *d)
{
    char named[DIGEST_STR_MAX], since[TIME_STR_MAX], brief[120];
    struct slice who = slice_cut(slice_str(denial->who), WHO_SHOWN_MAX);
    bool itself = digest_equal(&denial->digest, digest);
    (void)digest_format(&denial->digest, named);
    d->effect = EFFECT_DENY;
    d->reason = REASON_DENIED_DIGEST;
    d->serve = (struct digest){0};
    d->warning[0] = '\0';
    d->valid_until_us = 0;
    (void)snprintf(d->hint, sizeof d->hint, "deploy another image; the entry is lifted by %s",
                   denial->everywhere ? "an administrator of this server: bond deny rm '*'"
                                      : "an owner of the namespace: bond deny rm");
    (void)snprintf(brief, sizeof brief, "%.8s is on the deny list", strchr(named, ':') + 1);
    const char *part = denial->other_name ? "this manifest has two names, and "
                                          : "this is part of a denied image: ";
    gate_say(d, brief, "%s%s of %s is on the deny list since %s, put there by %.*s: %s",
             itself ? "" : part, named, d->repo,
             time_format(denial->since_us - denial->since_us % US_PER_SECOND, since), SLICE_FMT(who),
             denial->reason);
}

static void let_through(const struct gate_override *override, const struct digest *there,
                        struct decision *d)
{
    char end[TIME_STR_MAX];
    struct slice ticket = slice_cut(slice_str(override->ticket), OVERRIDE_TICKET_MAX);
    struct slice without = slice_cut(slice_str(d->message), MESSAGE_SHOWN_MAX);
    (void)snprintf(d->warning, sizeof d->warning,
                   "override %lld until %s (%.*s); without it: %.*s", (long long) override->id,
                   time_format(override->end_us - override->end_us % US_PER_SECOND, end),
                   SLICE_FMT(ticket), SLICE_FMT(without));
    d->message[0] = d->phrase[0] = d->hint[0] = '\0';
    d->effect = EFFECT_ALLOW;
    d->reason = REASON_OVERRIDE;
    d->serve = *there;
    d->valid_until_us = d->override_end_us = override->end_us;
    d->override_id = override->id;
    d->override_counts = override->counts;
}

void gate_except(const struct digest *there, const struct gate_exceptions *of_there,
                 struct decision *d)
{
    bool refused = d->effect != EFFECT_ALLOW;
    if (!there || (refused && gate_reason_info(d->reason)->status != 403)) {
        return; /* nothing is here, or nothing was decided */
    }
    bool concerns = refused || digest_equal(&d->serve, there);
    if (of_there->denial && concerns) {
        gate_deny_digest(of_there->denial, there, d);
    } else if (of_there->override && refused && override_covers(d->reason)) {
        let_through(of_there->override, there, d);
    }
}
