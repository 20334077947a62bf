/* Policies, their scopes and patterns. A policy that is read, written and read again is the same; a
 * scope is of one kind; a pattern matches as the textbook's table says. The input is lines: a pattern,
 * a text, a scope, then the policy. */
#include "base/pattern.h"
#include "tests/fuzz/fuzz.h"
#include "trust/policy.h"
#include "trust/verify/authority.h"

#define SIDE_MAX 200 /* the table grows with the square */

/* may[j]: the pattern so far matches the first j bytes. */
static bool by_table(struct slice pattern, struct slice text)
{
    bool may[SIDE_MAX + 1] = {true};
    for (size_t i = 0; i < pattern.n; i++) {
        bool before = may[0];
        may[0] = may[0] && pattern.p[i] == '*';
        for (size_t j = 1; j <= text.n; j++) {
            bool here = may[j];
            may[j] =
                pattern.p[i] == '*' ? may[j - 1] || here : before && pattern.p[i] == text.p[j - 1];
            before = here;
        }
    }
    return may[text.n];
}

static void check_pattern(struct slice pattern, struct slice text)
{
    pattern = slice_first(pattern, SIDE_MAX);
    text = slice_first(text, SIDE_MAX);
    if (slice_index(pattern, '\0') < 0) {
        auto_free char *copy = xstrndup(pattern.n > 0 ? pattern.p : "", pattern.n);
        HOLDS(pattern_matches(copy, text) == by_table(pattern, text));
    }
}

static void check_scope(struct slice scope)
{
    struct namespace_name ns = {0};
    struct namespace_name whole;
    struct repo_name repo;
    enum policy_scope_kind kind = policy_scope_parse(scope, &ns);
    HOLDS((kind == SCOPE_GLOBAL) == slice_is(scope, "*"));
    HOLDS((kind == SCOPE_REPOSITORY) == repo_name_parse(scope, &repo, NULL));
    HOLDS((kind == SCOPE_NAMESPACE) == namespace_name_parse(scope, &whole, NULL));
    HOLDS(kind != SCOPE_PATTERN ||
          (slice_ends(scope, "*") && slice_index(scope, '*') == (ptrdiff_t)scope.n - 1 &&
           slice_starts(scope, ns.text) && scope.p[ns.n] == '/'));
    HOLDS(kind == SCOPE_NONE || scope.n < POLICY_SCOPE_SIZE);
}

/* What a policy names as CAs they are, and their names are fit to be told. */
static void check_authorities(const struct policy *policy)
{
    const struct policy_texts *pems = &policy->allow_root_ca;
    auto_authorities struct authorities *all = authorities_new(pems->items, pems->count);
    auto_buf struct buf names = {0};
    HOLDS(pems->count <= AUTHORITIES_MAX);
    for (size_t i = 0; i < pems->count; i++) {
        HOLDS(authority_is_good(pems->items[i]));
    }
    authorities_describe(all, 0, &names);
    HOLDS(names.n == 0 || pems->count > 0); /* a certificate may be without a name */
    for (size_t i = 0; i < names.n; i++) {
        HOLDS(names.p[i] >= ' ' && names.p[i] < 0x7f);
    }
}

static void check_policy(struct slice text)
{
    auto_policy struct policy policy = {0};
    auto_policy struct policy again = {0};
    auto_buf struct buf first = {0};
    auto_buf struct buf second = {0};
    auto_json json_t *object = NULL;
    struct err err = {0};
    if (!json_read(text, JSON_DEPTH_DEFAULT, &object, &err) || !policy_read(object, &policy, &err)) {
        HOLDS(err.code == ERR_INVALID || err.code == ERR_REQUEST_INVALID);
        HOLDS(err.msg[0] != '\0' && slice_is_utf8(slice_str(err.msg)));
        return;
    }
    HOLDS(policy.tags.count <= POLICY_LIST_MAX && policy.signers.count <= POLICY_LIST_MAX);
    HOLDS(policy.grace_us >= 0 && policy.override_max_us >= 0 && policy.expiring_within_us >= 0);
    check_authorities(&policy);
    auto_json json_t *written = policy_write(&policy);
    HOLDS(written != NULL);
    json_write(&first, written);
    HOLDS(policy_read_text(buf_slice_of(&first), &again, &err));
    auto_json json_t *rewritten = policy_write(&again);
    json_write(&second, rewritten);
    HOLDS(slice_equal(buf_slice_of(&first), buf_slice_of(&second)));
    HOLDS(policy.grace_us == again.grace_us && policy.level == again.level);
    HOLDS(policy.override_max_us == again.override_max_us);
    HOLDS(policy.expiring_within_us == again.expiring_within_us);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of_bytes(data, size);
    struct slice pattern;
    struct slice text;
    struct slice scope;
    if (!slice_next(&rest, '\n', &pattern) || !slice_next(&rest, '\n', &text) ||
        !slice_next(&rest, '\n', &scope) || rest.p == NULL) {
        return 0;
    }
    check_pattern(pattern, text);
    check_scope(scope);
    check_policy(rest);
    return 0;
}
