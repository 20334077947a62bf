#include "base/clock.h"
#include "base/hex.h"
#include "trust/gate_internal.h"

#include <stdarg.h>
#include <stdio.h>

static void step(json_t *list, const char *name, bool ok, const char *fmt, ...) PRINTF_LIKE(4, 5);
static void step(json_t *list, const char *name, bool ok, const char *fmt, ...)
{
    char text[700];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    json_array_append_new(list,
                          json_pack("{s:s, s:b, s:s}", "step", name, "ok", (int)ok, "text", text));
}

static void expiry(int64_t expires_us, int64_t now_us, struct buf *out)
{
    char when[TIME_STR_MAX];
    buf_printf(out, "%s %.10s", expires_us > now_us ? "expires" : "expired",
               time_format(expires_us, when));
}

/* "3 h": the largest unit that there is one of. */
static void age(int64_t us, struct buf *out)
{
    static const struct {
        const char *name;
        int64_t seconds;
    } units[] = {{"days", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}};
    int64_t seconds = us > 0 ? us / US_PER_SECOND : 0;
    size_t i = 0;
    while (i + 1 < sizeof units / sizeof units[0] && seconds < (i == 0 ? 2 : 1) * units[i].seconds) {
        i++;
    }
    buf_printf(out, "%lld %s", (long long)(seconds / units[i].seconds), units[i].name);
}

static void pinned(const struct gate_facts *f, const struct gate_background *b, struct buf *out)
{
    char when[TIME_STR_MAX];
    struct slice name = repo_name_slice(f->repo);
    if (b->pinned_us > 0) {
        name = b->pinned_for_namespace ? slice_first(name, f->repo->namespace_n) : name;
        buf_printf(out, " %spinned for %.*s since %.10s", b->rotated ? "by rotation from the one " : "",
                   SLICE_FMT(name), time_format(b->pinned_us, when));
    }
}

static void explain_root(const struct gate_facts *f, const struct gate_background *b, json_t *list)
{
    const struct trust_state *t = f->trust;
    auto_buf struct buf when = {0};
    auto_buf struct buf since = {0};
    char hex[65] = "";
    if (t->status == TRUST_NOT_INITIALISED) {
        char wiped[TIME_STR_MAX];
        if (f->tombstone) {
            step(list, "root", false, "trust data was wiped by %s on %s: %s", f->tombstone->who,
                 time_format(f->tombstone->when_us, wiped), f->tombstone->reason);
        } else {
            step(list, "root", false, "the repository has no trust data");
        }
        return;
    }
    if (!t->root) {
        step(list, "root", false, "%s", t->why);
        return;
    }
    if (t->root_key_count > 0) {
        (void)hex_encode(t->root_keys[0].sha256, 32, hex);
    }
    bool bad = t->defect_role && strcmp(t->defect_role, "root") == 0;
    expiry(t->root->expires_us, f->now_us, &when);
    pinned(f, b, &since);
    step(list, "root", !bad, "root %lld, key %.8s…%s, %s%s%s", (long long)t->root->version, hex,
         since.n ? since.p : "", when.p, bad ? ": " : "", bad ? t->why : "");
}

/*   signed_us   when the server signed it; 0: unknown */
static void explain_base(const struct gate_facts *f, json_t *list, const char *name,
                         const struct tuf_doc *doc, int64_t signed_us)
{
    const struct trust_state *t = f->trust;
    bool bad = t->defect_role && strcmp(t->defect_role, name) == 0;
    auto_buf struct buf when = {0};
    if (!doc) {
        step(list, name, false, "%s", bad ? t->why : "not usable");
        return;
    }
    if (signed_us > 0) {
        buf_str(&when, "re-signed by the server ");
        age(f->now_us - signed_us, &when);
        buf_str(&when, " ago, ");
    }
    expiry(doc->expires_us, f->now_us, &when);
    step(list, name, !bad, "%lld, %s%s%s", (long long)doc->version, when.p, bad ? ": " : "",
         bad ? t->why : "");
}

static void explain_role(const struct trust_role *role, const struct gate_facts *f, json_t *list)
{
    auto_buf struct buf when = {0};
    if (role->state == ROLE_STATE_OK && role->doc) {
        expiry(role->doc->expires_us, f->now_us, &when);
        step(list, "role", true, "%s %lld, %s", role->name, (long long)role->doc->version, when.p);
    } else if (role->state == ROLE_STATE_ABSENT) {
        step(list, "role", true, "%s: delegated, nothing published", role->name);
    } else {
        step(list, "role", false, "%s: %s", role->name, role->why[0] ? role->why : "not usable");
    }
}

static void explain_signed(const struct decision *d, json_t *list)
{
    char hex[DIGEST_STR_MAX];
    auto_buf struct buf by = {0};
    if (!d->tag[0] || !digest_is_set(&d->signed_digest)) {
        return;
    }
    for (int i = 0; i < d->signer_count; i++) {
        buf_printf(&by, "%s%s", i ? ", " : ", signed by ", d->signers[i]);
    }
    step(list, "role", true, "%s %lld%s lists %s = %.8s…, %lld bytes", d->role,
         (long long)d->role_version, by.n ? by.p : "", d->tag, digest_hex(&d->signed_digest, hex),
         (long long)d->signed_length);
}

static void explain_registry(const struct decision *d, const struct gate_registry_tag *registry,
                             json_t *list)
{
    char hex[DIGEST_STR_MAX], hex2[DIGEST_STR_MAX], when[TIME_STR_MAX];
    if (!d->tag[0]) {
        return;
    }
    if (!registry->exists) {
        step(list, "registry", false, "no tag %s%s", d->tag,
             registry->signed_present ? "; the signed manifest is here" : "");
        return;
    }
    bool same =
        !digest_is_set(&d->signed_digest) || digest_equal(&registry->digest, &d->signed_digest);
    auto_buf struct buf signed_here = {0};
    if (!same) {
        buf_printf(&signed_here, "; %.8s… is %sin the repository",
                   digest_hex(&d->signed_digest, hex2), registry->signed_present ? "" : "not ");
    }
    step(list, "registry", same, "tag %s -> %.8s…, %lld bytes, pushed %s by %s%s", d->tag,
         digest_hex(&registry->digest, hex), (long long)registry->size,
         time_format(registry->pushed_us / US_PER_SECOND * US_PER_SECOND, when),
         registry->pushed_by && registry->pushed_by[0] ? registry->pushed_by : "unknown",
         signed_here.n ? signed_here.p : "");
}

json_t *gate_explain(const struct gate_facts *f, const struct decision *d,
                     const struct gate_registry_tag *registry, const struct gate_background *background)
{
    json_t *list = json_array();
    const struct trust_state *t = f->trust;
    step(list, "policy", true, "policy %s, level %s", f->policy_scope,
         policy_level_name(f->policy->level));
    if (!t) {
        step(list, "trust", false, "the trust data could not be looked at now");
        return list;
    }
    if (f->suspicion) {
        step(list, "checkpoint", false, "%s", f->suspicion);
    }
    explain_root(f, background, list);
    if (t->status != TRUST_NOT_INITIALISED) {
        explain_base(f, list, "timestamp", t->timestamp, background->timestamp_us);
        explain_base(f, list, "snapshot", t->snapshot, 0);
        explain_base(f, list, "targets", t->role_count > 0 ? t->roles[0].doc : NULL, 0);
    }
    for (size_t i = 1; i < t->role_count && i <= 32; i++) {
        explain_role(&t->roles[i], f, list);
    }
    explain_signed(d, list);
    explain_registry(d, registry, list);
    const char *said = d->message[0] ? d->message : d->warning;
    step(list, "decision", d->effect == EFFECT_ALLOW, "%s%s%s", gate_reason_info(d->reason)->name,
         said[0] ? ": " : "", said);
    return list;
}
