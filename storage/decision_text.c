/* The texts of decision records: made once, never edited. */
#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "storage/decision_internal.h"

#include <sodium.h>
#include <stdio.h>

#define TEXT_MAX 255  /* bytes of a name that is kept */
#define AGENT_MAX 120 /* bytes of a User-Agent that are kept */
#define HASH_PREFIX "sha256:"

/* --- ids -------------------------------------------------------------------------------------- */

/* Crockford's base 32: sorts as the numbers do, and has no letters that look like digits. */
static void put_base32(char *out, int width, uint64_t value)
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    for (int i = width - 1; i >= 0; i--) {
        out[i] = digits[value & 31];
        value >>= 5;
    }
}

/* 48 bits of milliseconds and 80 that are random, as a ULID. */
void decision_make_id(int64_t now_us, char out[DECISION_ID_SIZE])
{
    uint64_t random[2];
    randombytes_buf(random, sizeof(random));
    uint64_t ms = now_us > 0 ? (uint64_t)now_us / 1000 : 0;
    put_base32(out, 10, ms & UINT64_C(0xFFFFFFFFFFFF));
    put_base32(out + 10, 8, random[0]);
    put_base32(out + 18, 8, random[1]);
    out[DECISION_ID_SIZE - 1] = '\0';
}

const char *decision_hash_text(const uint8_t sha256[32], char out[DECISION_HASH_SIZE])
{
    (void)snprintf(out, DECISION_HASH_SIZE, HASH_PREFIX);
    (void)hex_encode(sha256, 32, out + strlen(HASH_PREFIX));
    return out;
}

/* --- members ---------------------------------------------------------------------------------- */

static void put_name(struct buf *b, const char *name)
{
    if (b->n > 0 && b->p[b->n - 1] != '{') {
        buf_char(b, ',');
    }
    buf_printf(b, "\"%s\":", name);
}

/* Printable ASCII as it is; of the rest of what clients send nothing is to be read in a log. */
static char *plain_text(const char *text, size_t max)
{
    char *plain = xstrndup(text, strnlen(text, max));
    for (char *p = plain; *p; p++) {
        *p = *p >= 0x20 && *p <= 0x7e ? *p : '?';
    }
    return plain;
}

static void put_text(struct buf *b, const char *name, const char *text, size_t max)
{
    put_name(b, name);
    if (text == NULL) {
        buf_str(b, "null");
        return;
    }
    auto_free char *plain = plain_text(text, max);
    buf_json_string(b, slice_str(plain));
}

/* A text that is absent when it is empty. */
static const char *or_null(const char *text)
{
    return text && text[0] ? text : NULL;
}

static void put_int(struct buf *b, const char *name, int64_t value)
{
    put_name(b, name);
    buf_printf(b, "%lld", (long long)value);
}

static void put_known(struct buf *b, const char *name, int64_t value)
{
    if (value != 0) {
        put_int(b, name, value);
        return;
    }
    put_name(b, name);
    buf_str(b, "null");
}

static void put_bool(struct buf *b, const char *name, bool value)
{
    put_name(b, name);
    buf_str(b, value ? "true" : "false");
}

static void put_time(struct buf *b, const char *name, int64_t us)
{
    char text[TIME_STR_MAX];
    put_text(b, name, us > 0 && us < INT64_MAX ? time_format(us, text) : NULL, TIME_STR_MAX);
}

static void put_digest(struct buf *b, const char *name, const struct digest *digest)
{
    char text[DIGEST_STR_MAX];
    put_text(b, name, digest_is_set(digest) ? digest_format(digest, text) : NULL, DIGEST_STR_MAX);
}

static void put_hash(struct buf *b, const char *name, const uint8_t *sha256)
{
    char text[DECISION_HASH_SIZE];
    put_text(b, name, sha256 ? decision_hash_text(sha256, text) : NULL, sizeof(text));
}

static void open_object(struct buf *b, const char *name)
{
    put_name(b, name);
    buf_char(b, '{');
}

/* --- a record --------------------------------------------------------------------------------- */

static void put_identity(struct buf *b, const struct decision_entry *e)
{
    open_object(b, "identity");
    put_text(b, "id", e->identity.name ? e->identity.name : "", TEXT_MAX);
    put_text(b, "kind", e->identity.kind, TEXT_MAX);
    put_bool(b, "gated", e->identity.gated);
    put_text(b, "token", or_null(e->identity.token), TEXT_MAX);
    put_text(b, "addr", or_null(e->identity.address), TEXT_MAX);
    put_text(b, "agent", or_null(e->identity.agent), AGENT_MAX);
    put_int(b, "account", e->identity.account_id);
    buf_char(b, '}');
}

static void put_request(struct buf *b, const struct decision_entry *e)
{
    open_object(b, "request");
    put_text(b, "method", or_null(e->request.method), TEXT_MAX);
    put_text(b, "repo", e->request.repo, TEXT_MAX);
    put_text(b, "tag", or_null(e->request.tag), TEXT_MAX);
    put_digest(b, "digest", &e->request.digest);
    put_int(b, "repository", e->request.repository_id);
    if (or_null(e->request.as)) {
        put_text(b, "as", e->request.as, TEXT_MAX);
    }
    buf_char(b, '}');
}

static void put_digests(struct buf *b, const struct decision_entry *e)
{
    open_object(b, "digests");
    put_digest(b, "registry", &e->digests.registry);
    put_digest(b, "signed", &e->digests.signed_digest);
    put_digest(b, "served", &e->digests.served);
    buf_char(b, '}');
}

static void put_signers(struct buf *b, const struct decision_entry *e)
{
    char text[DECISION_HASH_SIZE];
    put_name(b, "signer_spki");
    buf_char(b, '[');
    for (int i = 0; i < e->trust.signer_count && i < DECISION_SIGNERS_MAX; i++) {
        buf_printf(b, "%s\"%s\"", i > 0 ? "," : "",
                   decision_hash_text(e->trust.signer_spki[i], text));
    }
    buf_char(b, ']');
}

static void put_trust(struct buf *b, const struct decision_entry *e)
{
    open_object(b, "trust");
    put_text(b, "gun", or_null(e->trust.gun), 2 * TEXT_MAX);
    put_known(b, "incarnation", e->trust.incarnation);
    put_known(b, "root", e->trust.root);
    put_hash(b, "root_spki", e->trust.root_spki);
    put_known(b, "timestamp", e->trust.timestamp);
    put_known(b, "snapshot", e->trust.snapshot);
    put_known(b, "targets", e->trust.targets);
    put_text(b, "role", or_null(e->trust.role), TEXT_MAX);
    put_known(b, "role_version", e->trust.role_version);
    put_signers(b, e);
    put_time(b, "valid_until", e->trust.valid_until_us);
    buf_char(b, '}');
}

static void put_policy(struct buf *b, const struct decision_entry *e)
{
    open_object(b, "policy");
    put_text(b, "id", or_null(e->policy.scope), 2 * TEXT_MAX);
    put_known(b, "gen", e->policy.generation);
    put_text(b, "level", or_null(e->policy.level), TEXT_MAX);
    buf_char(b, '}');
}

/* Trust, content and overrides move one generation of the repository's gate together: the three
 * numbers of gate.md 12 are this one. */
static void put_generations(struct buf *b, const struct decision_entry *e)
{
    open_object(b, "gens");
    put_known(b, "trust", e->generation);
    put_known(b, "registry", e->generation);
    put_known(b, "override", e->generation);
    buf_char(b, '}');
}

static void put_head(struct buf *b, const char *id, int64_t time_us)
{
    buf_char(b, '{');
    put_text(b, "id", id, DECISION_ID_SIZE);
    put_time(b, "time", time_us);
}

static struct decision_draft *new_draft(int64_t now_us)
{
    struct decision_draft *draft = xcalloc(1, sizeof(*draft));
    decision_make_id(now_us, draft->id);
    draft->time_us = now_us;
    return draft;
}

struct decision_draft *decision_draft_new(const struct decision_entry *e)
{
    auto_buf struct buf b = {0};
    struct decision_draft *draft = new_draft(e->time_us);
    draft->repository_id = e->request.repository_id;
    draft->account_id = e->identity.account_id;
    draft->effect = e->allow ? DECISION_ALLOW : DECISION_DENY;
    draft->identity = plain_text(e->identity.name ? e->identity.name : "", TEXT_MAX);
    put_head(&b, draft->id, e->time_us);
    draft->shared_at = b.n + 1; /* behind the comma */
    put_text(&b, "door", e->door, TEXT_MAX);
    put_text(&b, "effect", e->allow ? "allow" : "deny", TEXT_MAX);
    put_text(&b, "reason", e->reason, TEXT_MAX);
    put_identity(&b, e);
    put_request(&b, e);
    draft->shared_n = b.n - draft->shared_at;
    put_int(&b, "count", 1);
    if (e->dry_run) {
        put_bool(&b, "dry_run", true);
    }
    put_digests(&b, e);
    put_trust(&b, e);
    put_policy(&b, e);
    put_text(&b, "override", or_null(e->override_id), TEXT_MAX);
    put_text(&b, "base", NULL, 0);
    put_generations(&b, e);
    put_int(&b, "took_us", e->took_us);
    draft->text = buf_steal(&b, NULL);
    return draft;
}

static struct decision_draft *new_alike(const struct decision_draft *draft)
{
    struct decision_draft *out = xcalloc(1, sizeof(*out));
    *out = *draft;
    out->identity = xstrdup(draft->identity);
    out->text = NULL;
    return out;
}

struct decision_draft *decision_draft_stub(const struct decision_draft *draft)
{
    struct decision_draft *out = new_alike(draft);
    out->text = xstrndup(draft->text + draft->shared_at, draft->shared_n);
    out->shared_at = 0;
    return out;
}

struct decision_draft *decision_draft_repeat(const struct decision_draft *first, int64_t count,
                                             enum decision_repeat kind, int64_t now_us)
{
    auto_buf struct buf b = {0};
    struct decision_draft *draft = new_alike(first);
    decision_make_id(now_us, draft->id);
    draft->time_us = now_us;
    put_head(&b, draft->id, now_us);
    buf_char(&b, ',');
    draft->shared_at = b.n;
    buf_put(&b, first->text + first->shared_at, first->shared_n);
    put_text(&b, "repeat_of", first->id, DECISION_ID_SIZE);
    put_int(&b, "count", count);
    if (kind != DECISION_REPEAT_SAME) {
        put_bool(&b, kind == DECISION_REPEAT_BLOBS ? "blobs" : "others", true);
    }
    draft->text = buf_steal(&b, NULL);
    return draft;
}

struct decision_draft *decision_draft_cut(const struct decision_cut_note *note, int64_t now_us)
{
    auto_buf struct buf b = {0};
    struct decision_draft *draft = new_draft(now_us);
    draft->effect = DECISION_CUT;
    draft->identity = xstrdup("");
    put_head(&b, draft->id, now_us);
    open_object(&b, "cut");
    put_int(&b, "records", note->records);
    put_text(&b, "last_id", note->last_id, DECISION_ID_SIZE);
    put_hash(&b, "last", note->last);
    put_int(&b, "total_bytes", note->total_bytes);
    buf_char(&b, '}');
    draft->text = buf_steal(&b, NULL);
    return draft;
}

void decision_draft_free(struct decision_draft *draft)
{
    if (draft) {
        free(draft->identity);
        free(draft->text);
        free(draft);
    }
}

void decision_finish_text(const struct decision_draft *draft, const uint8_t prev[32],
                          struct buf *out)
{
    buf_str(out, draft->text);
    put_hash(out, "prev", prev);
    buf_char(out, '}');
}

/* --- reading them again ----------------------------------------------------------------------- */

static bool read_hash(const json_t *object, const char *member, uint8_t out[32])
{
    struct slice text = json_get_slice(object, member);
    return slice_starts(text, HASH_PREFIX) &&
           hex_decode(slice_from(text, strlen(HASH_PREFIX)), out, 32);
}

bool decision_read_cut(struct slice text, struct decision_cut_note *out)
{
    auto_json json_t *record = NULL;
    *out = (struct decision_cut_note){0};
    if (!json_read(text, JSON_DEPTH_DEFAULT, &record, NULL)) {
        return false;
    }
    const json_t *cut = json_get_object(record, "cut");
    return cut && json_get_int(cut, "records", &out->records) &&
           json_get_int(cut, "total_bytes", &out->total_bytes) && read_hash(cut, "last", out->last);
}

static enum decision_effect effect_of(const json_t *record)
{
    struct slice effect = json_get_slice(record, "effect");
    if (json_get_object(record, "cut")) {
        return DECISION_CUT;
    }
    return slice_is(effect, "allow") ? DECISION_ALLOW : DECISION_DENY;
}

static bool same_names(const struct decision_row *row, const json_t *record)
{
    const json_t *identity = json_get_object(record, "identity");
    const json_t *request = json_get_object(record, "request");
    int64_t account = 0, repository = 0;
    if (effect_of(record) == DECISION_CUT) {
        return row->account_id == 0 && row->repository_id == 0;
    }
    return json_get_int(identity, "account", &account) && account == row->account_id &&
           json_get_int(request, "repository", &repository) && repository == row->repository_id &&
           slice_is(json_get_slice(identity, "id"), row->identity);
}

const char *decision_row_fault(const struct decision_row *row)
{
    static const char beside[] = "what is kept beside it for lists is not what it says";
    auto_json json_t *record = NULL;
    int64_t time_us = 0;
    if (!json_read(slice_str(row->text), JSON_DEPTH_DEFAULT, &record, NULL)) {
        return "it is no JSON text";
    }
    bool same = slice_is(json_get_slice(record, "id"), row->id) &&
                time_parse(json_get_slice(record, "time"), &time_us) && time_us == row->time_us &&
                effect_of(record) == row->effect && same_names(row, record);
    return same ? NULL : beside;
}
