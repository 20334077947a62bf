#include "trust/policy.h"

#include "base/clock.h"
#include "base/duration.h"
#include "base/hex.h"
#include "base/pattern.h"
#include "storage/policy.h"
#include "trust/verify/authority.h"
#include "trust/verify/role.h"

#include <ctype.h>
#include <stdio.h>

struct choice {
    const char *name;
    int value;
};

static const struct choice level_choices[] = {{"off", LEVEL_OFF},       {"warn", LEVEL_WARN},
                                              {"deploy", LEVEL_DEPLOY}, {"all", LEVEL_ALL},
                                              {"lock", LEVEL_LOCK},     {NULL, 0}};
static const struct choice mismatch_choices[] = {{"refuse", MISMATCH_REFUSE},
                                                 {"serve_signed", MISMATCH_SERVE_SIGNED},
                                                 {"hold", MISMATCH_HOLD},
                                                 {NULL, 0}};
static const struct choice fallback_choices[] = {{"not_after_revoke", FALLBACK_NOT_AFTER_REVOKE},
                                                 {"docker", FALLBACK_DOCKER},
                                                 {"never", FALLBACK_NEVER},
                                                 {NULL, 0}};
static const struct choice tags_list_choices[] = {
    {"released", TAGS_LIST_RELEASED}, {"all", TAGS_LIST_ALL}, {NULL, 0}};

static const char *const policy_members[] = {"level",
                                             "sources",
                                             "on_mismatch",
                                             "fallback",
                                             "grace",
                                             "signers",
                                             "tags",
                                             "tags_list",
                                             "digest_tags",
                                             "base",
                                             "accept_sha512_only",
                                             "expiring_within",
                                             "allow_roots",
                                             "allow_root_ca",
                                             "override",
                                             NULL};

static const char *choice_name(const struct choice *choices, int value)
{
    for (; choices->name; choices++) {
        if (choices->value == value) {
            return choices->name;
        }
    }
    return "";
}

const char *policy_level_name(enum policy_level level)
{
    return choice_name(level_choices, (int)level);
}

static void texts_dispose(struct policy_texts *texts)
{
    for (size_t i = 0; i < texts->count; i++) {
        free(texts->items[i]);
    }
    free(texts->items);
    *texts = (struct policy_texts){0};
}

static void texts_set_one(struct policy_texts *texts, const char *text)
{
    texts_dispose(texts);
    texts->items = xcalloc(1, sizeof *texts->items);
    texts->items[0] = xstrdup(text);
    texts->count = 1;
}

void policy_defaults(struct policy *out)
{
    *out = (struct policy){.level = LEVEL_DEPLOY,
                           .on_mismatch = MISMATCH_REFUSE,
                           .fallback = FALLBACK_NOT_AFTER_REVOKE,
                           .tags_list = TAGS_LIST_RELEASED,
                           .sources = "tuf",
                           .grace_us = 30 * US_PER_DAY,
                           .expiring_within_us = 14 * US_PER_DAY,
                           .override_max_us = US_PER_DAY};
    texts_set_one(&out->tags, "*");
    texts_set_one(&out->digest_tags, "*");
}

void policy_dispose(struct policy *policy)
{
    texts_dispose(&policy->signers);
    texts_dispose(&policy->tags);
    texts_dispose(&policy->digest_tags);
    texts_dispose(&policy->allow_roots);
    texts_dispose(&policy->allow_root_ca);
    json_decref(policy->base);
    *policy = (struct policy){0};
}

void policy_forget_authorities(struct policy *policy)
{
    texts_dispose(&policy->allow_root_ca);
}

/* --- members ---------------------------------------------------------------------------------- */

static bool read_choice(const json_t *object, const char *member, const struct choice *choices,
                        int *out, struct err *err)
{
    const json_t *value = json_object_get(object, member);
    if (!value) {
        return true;
    }
    const char *text = json_string_value(value);
    auto_buf struct buf allowed = {0};
    for (const struct choice *c = choices; c->name; c++) {
        if (text && strcmp(text, c->name) == 0) {
            *out = c->value;
            return true;
        }
        buf_printf(&allowed, "%s%s", c == choices ? "" : ", ", c->name);
    }
    return err_set(err, ERR_INVALID, "policy member \"%s\" must be one of %s", member, allowed.p);
}

static bool read_duration(const json_t *object, const char *member, int64_t *out, struct err *err)
{
    const json_t *value = json_object_get(object, member);
    if (!value) {
        return true;
    }
    const char *text = json_string_value(value);
    if (text && duration_read(slice_str(text), out)) {
        return true;
    }
    return err_set(
        err, ERR_INVALID,
        "policy member \"%s\" must be a duration such as \"30d\", \"24h\", \"0\" or \"forever\"",
        member);
}

static bool read_flag(const json_t *object, const char *member, bool *out, struct err *err)
{
    const json_t *value = json_object_get(object, member);
    if (!value) {
        return true;
    }
    if (!json_is_boolean(value)) {
        return err_set(err, ERR_INVALID, "policy member \"%s\" must be true or false", member);
    }
    *out = json_is_true(value);
    return true;
}

typedef bool (*text_check_fn)(const char *text);

static bool plain_text(const char *text, size_t max)
{
    size_t n = strlen(text);
    if (n == 0 || n > max) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (!isgraph((unsigned char)text[i])) {
            return false;
        }
    }
    return true;
}

static bool is_pattern(const char *text)
{
    return plain_text(text, TAG_NAME_MAX);
}

static bool is_spki_hex(const char *hex)
{
    uint8_t raw[32];
    return hex_decode(slice_str(hex), raw, sizeof raw);
}

static bool is_signer(const char *text)
{
    if (strncmp(text, "key:", 4) == 0) {
        return is_spki_hex(text + 4);
    }
    auto_buf struct buf role = {0};
    buf_printf(&role, "targets/%s", text);
    return role_parse(buf_slice_of(&role)) == ROLE_DELEGATION;
}

static bool is_root_key(const char *text)
{
    return strncmp(text, "sha256:", 7) == 0 && is_spki_hex(text + 7);
}

static bool read_texts(const json_t *object, const char *member, text_check_fn check,
                       const char *what, struct policy_texts *out, struct err *err)
{
    const json_t *list = json_object_get(object, member);
    if (!list) {
        return true;
    }
    if (!json_is_array(list) || json_array_size(list) > POLICY_LIST_MAX) {
        return err_set(err, ERR_INVALID, "policy member \"%s\" must be a list of at most %d texts",
                       member, POLICY_LIST_MAX);
    }
    texts_dispose(out);
    out->items = xcalloc(json_array_size(list) + 1, sizeof *out->items);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (!text || !check(text)) {
            return err_set(err, ERR_INVALID, "policy member \"%s\": entry %zu is not %s", member,
                           i + 1, what);
        }
        out->items[out->count++] = xstrdup(text);
    }
    return true;
}

_Static_assert(AUTHORITY_PEM_MAX == 6144, "the sentence of a refusal says it");

/* Reading a certificate costs more than all the rest of a policy: what was asked when it was stored is not
 * asked again. */
static bool is_stored(const char *pem)
{
    (void)pem;
    return true;
}

static bool read_authorities(const json_t *object, bool stored, struct policy *out, struct err *err)
{
    const json_t *list = json_object_get(object, "allow_root_ca");
    if (json_array_size(list) > AUTHORITIES_MAX) {
        return err_set(err, ERR_INVALID,
                       "policy member \"allow_root_ca\" names at most %d CA certificates",
                       AUTHORITIES_MAX);
    }
    return read_texts(object, "allow_root_ca", stored ? is_stored : authority_is_good,
                      "one certificate in PEM, of at most 6144 bytes, that may sign others "
                      "(basicConstraints CA:TRUE)",
                      &out->allow_root_ca, err);
}

/* The only sources that can decide here are TUF's; the words of the others are grammar. */
static bool read_sources(const json_t *object, struct policy *out, struct err *err)
{
    const json_t *value = json_object_get(object, "sources");
    if (!value || (json_is_string(value) && strcmp(json_string_value(value), "tuf") == 0)) {
        return true;
    }
    (void)out;
    return err_set(
        err, ERR_INVALID,
        "policy member \"sources\" must be \"tuf\": this server decides from TUF metadata");
}

static bool read_signers(const json_t *object, struct policy *out, struct err *err)
{
    static const char *const members[] = {"threshold", "of", NULL};
    const json_t *signers = json_object_get(object, "signers");
    if (!signers) {
        return true;
    }
    if (!json_is_object(signers)) {
        return err_set(err, ERR_INVALID,
                       "policy member \"signers\" must be an object {\"threshold\", \"of\"}");
    }
    if (!json_only_members(signers, members, err)) {
        return err_prefix(err, "policy member \"signers\"");
    }
    const json_t *threshold = json_object_get(signers, "threshold");
    if (threshold && !json_is_integer(threshold)) {
        return err_set(err, ERR_INVALID,
                       "policy member \"signers.threshold\" must be a whole number");
    }
    out->signers_threshold = json_integer_value(threshold);
    if (!read_texts(signers, "of", is_signer, "a signer's name or key:<sha256 of its public key>",
                    &out->signers, err)) {
        return false;
    }
    if (out->signers_threshold < 0 || out->signers_threshold > (int64_t)out->signers.count) {
        return err_set(
            err, ERR_INVALID,
            "policy member \"signers.threshold\" must be between 0 and the %zu entries of \"of\"",
            out->signers.count);
    }
    return true;
}

static bool read_override(const json_t *object, struct policy *out, struct err *err)
{
    static const char *const members[] = {"max", "two_person", NULL};
    const json_t *override = json_object_get(object, "override");
    if (!override) {
        return true;
    }
    if (!json_is_object(override)) {
        return err_set(err, ERR_INVALID,
                       "policy member \"override\" must be an object {\"max\", \"two_person\"}");
    }
    if (!json_only_members(override, members, err)) {
        return err_prefix(err, "policy member \"override\"");
    }
    if (!read_duration(override, "max", &out->override_max_us, err) ||
        !read_flag(override, "two_person", &out->override_two_person, err)) {
        return false;
    }
    if (out->override_max_us > 7 * US_PER_DAY) {
        return err_set(err, ERR_INVALID, "policy member \"override.max\" is at most 7d");
    }
    return true;
}

static bool read_base(const json_t *object, struct err *err)
{
    const json_t *base = json_object_get(object, "base");
    if (!base || json_is_null(base)) {
        return true;
    }
    /* Accepting a rule that is then not applied would be worse than refusing it. */
    return err_set(err, ERR_INVALID,
                   "policy member \"base\" must be null: this server decides no base-image rules");
}

static bool read_members(const json_t *object, bool stored, struct policy *out, struct err *err)
{
    int level = (int)out->level, mismatch = (int)out->on_mismatch, fallback = (int)out->fallback;
    int tags_list = (int)out->tags_list;
    if (!read_choice(object, "level", level_choices, &level, err) ||
        !read_choice(object, "on_mismatch", mismatch_choices, &mismatch, err) ||
        !read_choice(object, "fallback", fallback_choices, &fallback, err) ||
        !read_choice(object, "tags_list", tags_list_choices, &tags_list, err)) {
        return false;
    }
    out->level = (enum policy_level)level;
    out->on_mismatch = (enum policy_mismatch)mismatch;
    out->fallback = (enum policy_fallback)fallback;
    out->tags_list = (enum policy_tags_list)tags_list;
    return read_sources(object, out, err) && read_duration(object, "grace", &out->grace_us, err) &&
           read_signers(object, out, err) &&
           read_texts(object, "tags", is_pattern, "a tag pattern", &out->tags, err) &&
           read_texts(object, "digest_tags", is_pattern, "a tag pattern", &out->digest_tags, err) &&
           read_flag(object, "accept_sha512_only", &out->accept_sha512_only, err) &&
           read_duration(object, "expiring_within", &out->expiring_within_us, err) &&
           read_texts(object, "allow_roots", is_root_key, "sha256:<hex of a root key>",
                      &out->allow_roots, err) &&
           read_authorities(object, stored, out, err) && read_override(object, out, err) &&
           read_base(object, err);
}

static bool read_object(const json_t *object, bool stored, struct policy *out, struct err *err)
{
    *out = (struct policy){0};
    if (!json_is_object(object)) {
        return err_set(err, ERR_INVALID,
                       "a policy is a JSON object such as {\"level\":\"deploy\"}");
    }
    if (!json_only_members(object, policy_members, err)) {
        return err_prefix(err, "policy");
    }
    policy_defaults(out);
    if (!read_members(object, stored, out, err)) {
        policy_dispose(out);
        return false;
    }
    out->allow_roots_set = out->allow_roots.count > 0;
    return true;
}

bool policy_read(const json_t *object, struct policy *out, struct err *err)
{
    return read_object(object, false, out, err);
}

bool policy_read_text(struct slice text, struct policy *out, struct err *err)
{
    auto_json json_t *object = NULL;
    *out = (struct policy){0};
    return json_read(text, JSON_DEPTH_DEFAULT, &object, err) && read_object(object, true, out, err);
}

static json_t *duration_json(int64_t us)
{
    char text[DURATION_STR_MAX];
    return json_string(duration_format(us, text));
}

static json_t *texts_write(const struct policy_texts *texts)
{
    json_t *list = json_array();
    for (size_t i = 0; i < texts->count; i++) {
        json_array_append_new(list, json_string(texts->items[i]));
    }
    return list;
}

json_t *policy_write(const struct policy *p)
{
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:o, s:{s:I, s:o}, s:o, s:s, s:o, s:b, s:o, s:O?, s:o, s:o, "
        "s:{s:o, s:b}}",
        "level", policy_level_name(p->level), "sources", p->sources, "on_mismatch",
        choice_name(mismatch_choices, (int)p->on_mismatch), "fallback",
        choice_name(fallback_choices, (int)p->fallback), "grace", duration_json(p->grace_us),
        "signers", "threshold", (json_int_t)p->signers_threshold, "of", texts_write(&p->signers),
        "tags", texts_write(&p->tags), "tags_list",
        choice_name(tags_list_choices, (int)p->tags_list), "digest_tags",
        texts_write(&p->digest_tags), "accept_sha512_only", (int)p->accept_sha512_only,
        "expiring_within", duration_json(p->expiring_within_us), "base", p->base, "allow_roots",
        texts_write(&p->allow_roots), "allow_root_ca", texts_write(&p->allow_root_ca), "override",
        "max", duration_json(p->override_max_us), "two_person", (int)p->override_two_person);
}

/* --- patterns, lookup ------------------------------------------------------------------------- */

bool policy_list_matches(const struct policy_texts *patterns, struct slice text)
{
    for (size_t i = 0; i < patterns->count; i++) {
        if (pattern_matches(patterns->items[i], text)) {
            return true;
        }
    }
    return false;
}

/* What may stand before the asterisk of a pattern, behind "ns/". */
static bool is_prefix(struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '/' && c != '.' &&
            c != '_' && c != '-') {
            return false;
        }
    }
    return true;
}

enum policy_scope_kind policy_scope_parse(struct slice scope, struct namespace_name *namespace_out)
{
    struct namespace_name ns;
    struct repo_name repo;
    if (slice_is(scope, "*")) {
        return SCOPE_GLOBAL;
    }
    ptrdiff_t slash = slice_index(scope, '/');
    struct slice first = slash < 0 ? scope : slice_first(scope, (size_t)slash);
    if (scope.n > REPO_NAME_MAX + 1 || !namespace_name_parse(first, &ns, NULL)) {
        return SCOPE_NONE;
    }
    if (namespace_out) {
        *namespace_out = ns;
    }
    if (slash < 0) {
        return SCOPE_NAMESPACE;
    }
    if (slice_ends(scope, "*")) {
        struct slice prefix = slice_from(slice_first(scope, scope.n - 1), (size_t)slash + 1);
        return is_prefix(prefix) ? SCOPE_PATTERN : SCOPE_NONE;
    }
    return repo_name_parse(scope, &repo, NULL) ? SCOPE_REPOSITORY : SCOPE_NONE;
}

bool policy_for(struct db_tx *tx, const struct repo_name *repo, char scope_out[POLICY_SCOPE_SIZE],
                struct policy *out, struct err *err)
{
    auto_policy_row struct policy_row row = {0};
    *out = (struct policy){0};
    if (!policy_row_find(tx, repo, &row, err)) {
        return false;
    }
    (void)snprintf(scope_out, POLICY_SCOPE_SIZE, "%s", row.scope);
    struct err bad = {0};
    if (!policy_read_text(slice_str(row.json), out, &bad)) {
        return err_internal(err, "the stored policy of %s does not read: %s", row.scope, bad.msg);
    }
    return true;
}

bool policy_grace(struct db_tx *tx, const struct repo_name *repo, int64_t *us_out, struct err *err)
{
    auto_policy struct policy policy = {0};
    char scope[POLICY_SCOPE_SIZE];
    bool found = policy_for(tx, repo, scope, &policy, err);
    *us_out = policy.grace_us;
    return found;
}
