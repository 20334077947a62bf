#include "storage/tag_rule_doc.h"

#include "base/duration.h"
#include "storage/row.h"

#include <stdio.h>

/* What a pattern may be made of: the letters of the names that it is for, and asterisks. */
#define LETTERS_OF_REPOSITORY "abcdefghijklmnopqrstuvwxyz0123456789._-/*"
#define LETTERS_OF_TAG "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-*"
#define LETTERS_OF_NAME "abcdefghijklmnopqrstuvwxyz0123456789._-"

/* One rule while it is read: which one is at fault is said by its number and name. */
struct reading {
    const json_t *object;
    size_t number; /* from 1 */
    const struct namespace_name *ns;
    struct tag_rule *rule;
};

static bool at_fault(const struct reading *r, const char *what, struct err *err)
{
    return err_set(err, ERR_INVALID, "rule %zu%s%s%s: %s", r->number, r->rule->name[0] ? " \"" : "",
                   r->rule->name, r->rule->name[0] ? "\"" : "", what);
}

static bool is_made_of(struct slice text, const char *letters, size_t max)
{
    if (text.n == 0 || text.n > max) {
        return false;
    }
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\0' || strchr(letters, text.p[i]) == NULL) {
            return false;
        }
    }
    return true;
}

/* A text of such letters into a field of size bytes; false when it is none. */
static bool read_text(const json_t *value, const char *letters, size_t size, char *out)
{
    struct slice text = {json_string_value(value), json_string_length(value)};
    if (text.p == NULL || !is_made_of(text, letters, size - 1)) {
        return false;
    }
    memcpy(out, text.p, text.n);
    out[text.n] = '\0';
    return true;
}

static bool read_name(const struct reading *r, struct err *err)
{
    return read_text(json_object_get(r->object, "name"), LETTERS_OF_NAME, sizeof(r->rule->name),
                     r->rule->name) ||
           at_fault(r,
                    "\"name\" must be 1 to 64 characters of a to z, 0 to 9, full stop, "
                    "underscore and hyphen",
                    err);
}

/* Of this namespace, or of all its repositories. */
static bool is_of_namespace(const char *pattern, const struct namespace_name *ns)
{
    return strcmp(pattern, "*") == 0 ||
           (slice_starts(slice_str(pattern), ns->text) && pattern[ns->n] == '/');
}

static bool read_patterns(const struct reading *r, struct err *err)
{
    struct tag_rule *rule = r->rule;
    const json_t *repository = json_object_get(r->object, "repository");
    char what[200 + 2 * REPO_NAME_MAX];
    memcpy(rule->repository, "*", 2);
    if (repository != NULL && (!read_text(repository, LETTERS_OF_REPOSITORY,
                                          sizeof(rule->repository), rule->repository) ||
                               !is_of_namespace(rule->repository, r->ns))) {
        (void)snprintf(what, sizeof(what),
                       "\"repository\" must be * or the pattern of a repository's whole name, "
                       "such as %s/app or %s/web-*",
                       r->ns->text, r->ns->text);
        return at_fault(r, what, err);
    }
    return read_text(json_object_get(r->object, "tag"), LETTERS_OF_TAG, sizeof(rule->tag),
                     rule->tag) ||
           at_fault(r, "\"tag\" must be the pattern of a tag, such as v1.* or *", err);
}

/* --- keep ------------------------------------------------------------------------------------- */

static bool read_newest(const struct reading *r, const json_t *keep, struct err *err)
{
    const json_t *value = json_object_get(keep, "newest");
    if (value == NULL) {
        return true;
    }
    r->rule->newest = json_integer_value(value);
    return (r->rule->newest >= 1 && r->rule->newest <= TAG_RULE_NEWEST_MAX) ||
           at_fault(r, "\"keep.newest\" must be a number from 1 to 1000", err);
}

static bool read_time(const struct reading *r, const json_t *keep, const char *member, int64_t *out,
                      struct err *err)
{
    char what[160];
    const json_t *value = json_object_get(keep, member);
    if (value == NULL) {
        return true;
    }
    struct slice text = {json_string_value(value), json_string_length(value)};
    if (text.p != NULL && duration_read(text, out) && *out > 0 && *out != DURATION_FOREVER) {
        return true;
    }
    (void)snprintf(what, sizeof(what), "\"keep.%s\" must be a duration such as \"30d\" or \"12h\"",
                   member);
    return at_fault(r, what, err);
}

static bool read_keep(const struct reading *r, const json_t *keep, struct err *err)
{
    static const char *const members[] = {"newest", "younger_than", "pulled_within", NULL};
    struct tag_rule *rule = r->rule;
    struct err why = {0};
    if (!json_is_object(keep) || json_object_size(keep) == 0) {
        return at_fault(r,
                        "\"keep\" must say what is kept: \"newest\", \"younger_than\", "
                        "\"pulled_within\", one or more of them",
                        err);
    }
    if (!json_only_members(keep, members, &why)) {
        return at_fault(r, why.msg, err);
    }
    return read_newest(r, keep, err) &&
           read_time(r, keep, "younger_than", &rule->younger_us, err) &&
           read_time(r, keep, "pulled_within", &rule->pulled_us, err);
}

static bool read_effect(const struct reading *r, struct err *err)
{
    const json_t *immutable = json_object_get(r->object, "immutable");
    const json_t *keep = json_object_get(r->object, "keep");
    if ((immutable == NULL) == (keep == NULL) || (immutable != NULL && !json_is_true(immutable))) {
        return at_fault(r, "it must have either \"immutable\": true or \"keep\"", err);
    }
    r->rule->immutable = immutable != NULL;
    return r->rule->immutable || read_keep(r, keep, err);
}

/* --- the whole -------------------------------------------------------------------------------- */

static bool read_rule(const struct reading *r, struct err *err)
{
    static const char *const members[] = {"name", "repository", "tag", "immutable", "keep", NULL};
    struct err why = {0};
    if (!json_is_object(r->object)) {
        return at_fault(r, "it must be an object", err);
    }
    if (!read_name(r, err)) {
        return false;
    }
    if (!json_only_members(r->object, members, &why)) {
        return at_fault(r, why.msg, err);
    }
    return read_patterns(r, err) && read_effect(r, err);
}

static bool is_new_name(const struct tag_rule_list *rules, const struct reading *r, struct err *err)
{
    for (size_t i = 0; i < rules->count; i++) {
        if (&rules->items[i] != r->rule && strcmp(rules->items[i].name, r->rule->name) == 0) {
            return at_fault(r, "there is another rule of this \"name\"", err);
        }
    }
    return true;
}

static bool read_rules(const json_t *array, const struct namespace_name *ns,
                       struct tag_rule_list *out, struct err *err)
{
    out->items = xcalloc(json_array_size(array) + 1, sizeof(*out->items));
    for (size_t i = 0; i < json_array_size(array); i++) {
        const struct reading r = {.object = json_array_get(array, i),
                                  .number = i + 1,
                                  .ns = ns,
                                  .rule = &out->items[out->count++]};
        if (!read_rule(&r, err) || !is_new_name(out, &r, err)) {
            return false;
        }
    }
    return true;
}

bool tag_rule_doc_read(const json_t *object, const struct namespace_name *ns,
                       struct tag_rule_list *out, struct err *err)
{
    static const char *const members[] = {"rules", NULL};
    const json_t *array = json_object_get(object, "rules");
    *out = (struct tag_rule_list){0};
    if (!json_is_array(array) || json_array_size(array) > TAG_RULES_MAX) {
        return err_set(err, ERR_INVALID,
                       "tag rules are an object {\"rules\": [...]} with at most %d rules",
                       TAG_RULES_MAX);
    }
    if (!json_only_members(object, members, err)) {
        return false;
    }
    if (!read_rules(array, ns, out, err)) {
        tag_rule_list_dispose(out);
        return false;
    }
    return true;
}

static void write_time(json_t *keep, const char *member, int64_t us)
{
    char text[DURATION_STR_MAX];
    if (us > 0) {
        (void)json_object_set_new(keep, member, json_string(duration_format(us, text)));
    }
}

static json_t *write_keep(const struct tag_rule *rule)
{
    json_t *keep = json_object();
    if (rule->newest > 0) {
        (void)json_object_set_new(keep, "newest", json_integer((json_int_t)rule->newest));
    }
    write_time(keep, "younger_than", rule->younger_us);
    write_time(keep, "pulled_within", rule->pulled_us);
    return keep;
}

json_t *tag_rule_doc_write(const struct tag_rule_list *rules)
{
    json_t *array = json_array();
    for (size_t i = 0; i < rules->count; i++) {
        const struct tag_rule *rule = &rules->items[i];
        json_t *object = json_pack("{s:s, s:s, s:s}", "name", rule->name, "repository",
                                   rule->repository, "tag", rule->tag);
        (void)json_object_set_new(object, rule->immutable ? "immutable" : "keep",
                                  rule->immutable ? json_true() : write_keep(rule));
        (void)json_array_append_new(array, object);
    }
    return array;
}
