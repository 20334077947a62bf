#include "server/api_refusal.h"

#include "base/clock.h"
#include "server/record.h"

#include <stdio.h>

/* --- the detail (gate.md 10.1) ---------------------------------------------------------------- */

static void put_text(json_t *object, const char *member, const char *text)
{
    if (text[0]) {
        json_object_set_new(object, member, json_string(text));
    }
}

static void put_digest(json_t *object, const char *member, const struct digest *digest)
{
    char text[DIGEST_STR_MAX];
    if (digest_is_set(digest)) {
        json_object_set_new(object, member, json_string(digest_format(digest, text)));
    }
}

static void put_number(json_t *object, const char *member, int64_t number, int64_t unknown)
{
    if (number != unknown) {
        json_object_set_new(object, member, json_integer((json_int_t)number));
    }
}

static json_t *names(const char list[GATE_SIGNERS_MAX][GATE_NAME_MAX], int count)
{
    json_t *array = json_array();
    for (int i = 0; i < count; i++) {
        json_array_append_new(array, json_string(list[i]));
    }
    return array;
}

static json_t *trust_versions(const struct decision *d)
{
    char until[TIME_STR_MAX];
    json_t *trust = json_object();
    put_number(trust, "root", d->root_version, 0);
    put_number(trust, "timestamp", d->timestamp_version, 0);
    put_number(trust, "snapshot", d->snapshot_version, 0);
    put_number(trust, "targets", d->targets_version, 0);
    put_number(trust, "role_version", d->role_version, 0);
    if (d->valid_until_us > 0) {
        put_text(trust, "valid_until", time_format(d->valid_until_us, until));
    }
    return trust;
}

json_t *decision_detail(const struct decision *d)
{
    json_t *detail =
        json_pack("{s:s, s:s}", "reason", gate_reason_info(d->reason)->name, "repo", d->repo);
    put_text(detail, "tag", d->tag);
    put_digest(detail, "digest", &d->requested);
    put_digest(detail, "signed_digest", &d->signed_digest);
    put_number(detail, "signed_length", d->signed_length, -1);
    put_digest(detail, "registry_digest", &d->registry_digest);
    put_number(detail, "registry_length", d->registry_length, -1);
    if (d->signed_missing && digest_is_set(&d->signed_digest)) {
        json_object_set_new(detail, "signed_missing", json_true());
    }
    put_text(detail, "role", d->role);
    json_object_set_new(detail, "signers", names(d->signers, d->signer_count));
    if (d->required_threshold > 0) {
        json_object_set_new(detail, "required",
                            json_pack("{s:I, s:o, s:o}", "threshold",
                                      (json_int_t)d->required_threshold, "of",
                                      names(d->required, d->required_count), "missing",
                                      names(d->missing, d->missing_count)));
    }
    json_object_set_new(detail, "trust", trust_versions(d));
    put_text(detail, "policy", d->policy_scope);
    put_text(detail, "level", policy_level_name(d->level));
    if (d->override_id > 0) {
        char end[TIME_STR_MAX];
        json_object_set_new(detail, "override",
                            json_pack("{s:I, s:s}", "id", (json_int_t)d->override_id, "end",
                                      time_format(d->override_end_us, end)));
    }
    put_text(detail, "hint", d->hint);
    return detail;
}

/* --- headers ---------------------------------------------------------------------------------- */

/* Header text is ASCII: the ellipsis of messages becomes three dots, quotes are dropped. */
static void put_warning(struct reply *reply, const char *text)
{
    auto_buf struct buf plain = {0};
    for (const char *p = text; *p; p++) {
        if (strncmp(p, "…", strlen("…")) == 0) {
            buf_str(&plain, "...");
            p += strlen("…") - 1;
        } else if (*p >= 0x20 && *p <= 0x7e && *p != '"' && *p != '\\') {
            buf_char(&plain, *p);
        }
    }
    if (plain.n > 0) {
        reply_header(reply, "Warning", "299 - \"%s\"", plain.p);
    }
}

static void put_vary(struct reply *reply)
{
    reply_header_text(reply, "Vary", "Authorization, Accept");
}

/* What is simply not there is told in the registry's ordinary words, before any trust talk
 * (gate.md 5.3). */
static bool is_plain_unknown(const struct decision *d)
{
    return d->reason == REASON_UNKNOWN || d->reason == REASON_BLOB_UNKNOWN;
}

static json_t *detail_of(const struct request *rq, const struct decision *d)
{
    auto_buf struct buf why = {0};
    json_t *detail = decision_detail(d);
    if (d->record[0]) {
        record_write_url(rq, d, &why);
        put_text(detail, "decision", d->record);
        put_text(detail, "why", why.p);
    }
    return detail;
}

void reply_refusal(struct request *rq, struct reply *reply, const struct decision *d)
{
    const struct gate_reason_info *info = gate_reason_info(d->reason);
    struct err err = {0};
    if (is_plain_unknown(d)) {
        (void)err_set(&err, info->code, "");
        reply_error(reply, &err);
    } else {
        /* An allow that is refused by mistake still refuses. */
        (void)err_set(&err, info->code == ERR_NONE ? ERR_INDETERMINATE : info->code, "%s",
                      d->message);
        reply_error_detail(reply, &err, detail_of(rq, d));
        (void)snprintf(reply->phrase, sizeof reply->phrase, "%s", d->phrase);
        put_warning(reply, d->message);
    }
    reply_header(reply, "Cache-Control", "no-store");
    put_vary(reply);
}

void reply_write_failed(struct request *rq, struct reply *reply, const struct decision *refusal,
                        const struct err *err)
{
    if (err->code == ERR_DENIED && refusal->effect == EFFECT_DENY && refusal->message[0]) {
        reply_refusal(rq, reply, refusal);
    } else {
        reply_error(reply, err);
    }
}

void reply_gated(struct reply *reply, const struct decision *d, bool by_tag)
{
    put_warning(reply, d->warning);
    if (d->enforced) {
        reply_header_text(reply, "Cache-Control",
                          by_tag ? "private, no-cache" : "private, max-age=0");
        put_vary(reply);
    }
}
