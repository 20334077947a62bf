#include "base/json.h"

int json_depth(struct slice text, int limit)
{
    int depth = 0;
    int deepest = 0;
    bool in_string = false;

    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (in_string) {
            if (c == '\\') {
                i++; /* whatever is escaped ends no string */
            } else if (c == '"') {
                in_string = false;
            }
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            depth++;
            if (depth > limit) {
                return -1;
            }
            deepest = depth > deepest ? depth : deepest;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return deepest;
}

bool json_is_within(struct slice text, size_t limit)
{
    size_t count = 0;
    bool in_string = false;

    for (size_t i = 0; i < text.n && count <= limit; i++) {
        char c = text.p[i];
        if (in_string && c == '\\') {
            i++;
        } else if (c == '"') {
            in_string = !in_string;
        } else if (!in_string && (c == '{' || c == '[' || c == ',')) {
            count++;
        }
    }
    return count <= limit;
}

/* The parser's own words for these two speak to who calls it. */
static const char *plain_words(const json_error_t *why)
{
    enum json_error_code code = json_error_code(why);
    if (code == json_error_numeric_overflow) {
        return "a number does not fit: whole ones have 64 bits here, others end at 1.8e308";
    }
    if (code == json_error_null_character || code == json_error_null_byte_in_key) {
        return "a text holds the character U+0000";
    }
    return why->text;
}

bool json_read(struct slice text, int max_depth, json_t **out, struct err *err)
{
    *out = NULL;
    if (json_depth(text, max_depth) < 0) {
        return err_set(err, ERR_REQUEST_INVALID, "the JSON is nested deeper than %d levels",
                       max_depth);
    }
    json_error_t why;
    json_t *value =
        json_loadb(text.p ? text.p : "", text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (!value) {
        return err_set(err, ERR_REQUEST_INVALID, "the JSON is malformed at line %d, column %d: %s",
                       why.line, why.column, plain_words(&why));
    }
    *out = value;
    return true;
}

const char *json_get_string(const json_t *object, const char *member)
{
    const json_t *value = json_object_get(object, member);
    return json_is_string(value) ? json_string_value(value) : NULL;
}

struct slice json_get_slice(const json_t *object, const char *member)
{
    const json_t *value = json_object_get(object, member);
    if (!json_is_string(value)) {
        return (struct slice){NULL, 0};
    }
    return (struct slice){json_string_value(value), json_string_length(value)};
}

bool json_get_int(const json_t *object, const char *member, int64_t *out)
{
    const json_t *value = json_object_get(object, member);
    if (!json_is_integer(value)) {
        return false;
    }
    *out = json_integer_value(value);
    return true;
}

bool json_get_bool(const json_t *object, const char *member, bool *out)
{
    const json_t *value = json_object_get(object, member);
    if (!json_is_boolean(value)) {
        return false;
    }
    *out = json_is_true(value);
    return true;
}

json_t *json_get_array(const json_t *object, const char *member)
{
    json_t *value = json_object_get(object, member);
    return json_is_array(value) ? value : NULL;
}

json_t *json_get_object(const json_t *object, const char *member)
{
    json_t *value = json_object_get(object, member);
    return json_is_object(value) ? value : NULL;
}

static bool is_known(const char *member, const char *const known[])
{
    for (size_t i = 0; known[i]; i++) {
        if (strcmp(member, known[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool json_only_members(const json_t *object, const char *const known[], struct err *err)
{
    const char *member;
    json_t *value;
    /* jansson iterates over a non-const object without changing it */
    json_object_foreach((json_t *)object, member, value)
    {
        if (!is_known(member, known)) {
            return err_set(err, ERR_INVALID, "unknown member \"%.100s\"", member);
        }
    }
    return true;
}

static int append(const char *p, size_t n, void *arg)
{
    buf_put(arg, p, n);
    return 0;
}

void json_write(struct buf *b, const json_t *value)
{
    if (json_dump_callback(value, append, b, JSON_COMPACT | JSON_ENCODE_ANY) != 0) {
        b->failed = true;
    }
}
