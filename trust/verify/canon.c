#include "trust/verify/canon.h"

#define INTEGER_MAX INT64_C(9007199254740992) /* 2^53: the reference decodes numbers as doubles */
#define FEW 8 /* members of an object that need no memory of their own */

struct writer {
    struct buf *out;
    bool wire; /* escape what Go's encoder escapes on the wire */
};

/* UTF-8 of U+2028 and U+2029: e2 80 a8, e2 80 a9. */
static const char *line_separator(struct slice rest)
{
    if (rest.n < 3 || memcmp(rest.p, "\xe2\x80", 2) != 0) {
        return NULL;
    }
    switch ((unsigned char)rest.p[2]) {
    case 0xa8:
        return "\\u2028";
    case 0xa9:
        return "\\u2029";
    default:
        return NULL;
    }
}

static const char *wire_escape(char c)
{
    switch (c) {
    case '<':
        return "\\u003c";
    case '>':
        return "\\u003e";
    case '&':
        return "\\u0026";
    default:
        return NULL;
    }
}

/* What stands for the character at the front of `rest`, and how many bytes it replaces; NULL:
 * itself. */
static const char *escape_of(const struct writer *w, struct slice rest, size_t *replaced)
{
    *replaced = 1;
    switch (rest.p[0]) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '<':
    case '>':
    case '&':
        return w->wire ? wire_escape(rest.p[0]) : NULL;
    case '\xe2':
        *replaced = 3;
        return w->wire ? line_separator(rest) : NULL;
    default:
        return NULL;
    }
}

/* How many bytes at the front are no first byte of anything that escape_of replaces. */
static size_t plain_bytes(struct slice rest)
{
    static const bool looked_at[256] = {['"'] = true, ['\\'] = true, ['<'] = true,
                                        ['>'] = true, ['&'] = true,  [0xe2] = true};
    size_t n = 0;

    while (n < rest.n && !looked_at[(unsigned char)rest.p[n]]) {
        n++;
    }
    return n;
}

static void put_string(struct writer *w, struct slice s)
{
    size_t plain = 0; /* where the run of unescaped bytes began */

    buf_char(w->out, '"');
    for (size_t i = plain_bytes(s); i < s.n; i += plain_bytes(slice_from(s, i))) {
        size_t replaced = 0;
        const char *escape = escape_of(w, slice_from(s, i), &replaced);
        if (escape) {
            buf_put(w->out, s.p + plain, i - plain);
            buf_str(w->out, escape);
            plain = i + replaced;
        }
        i += escape ? replaced : 1;
    }
    buf_put(w->out, s.p + plain, s.n - plain);
    buf_char(w->out, '"');
}

static bool put_integer(struct writer *w, int64_t n, struct err *err)
{
    if (n > INTEGER_MAX || n < -INTEGER_MAX) {
        return err_set(err, ERR_INVALID, "an integer lies beyond 2^53");
    }
    buf_int(w->out, n);
    return true;
}

/* 1.0 and 1e3 are integers to the reference. */
static bool put_real(struct writer *w, double n, struct err *err)
{
    if (!(n >= -(double)INTEGER_MAX && n <= (double)INTEGER_MAX)) {
        return err_set(err, ERR_INVALID, "a number lies beyond 2^53");
    }
    if ((double)(int64_t)n != n) {
        return err_set(err, ERR_INVALID, "a fraction has no canonical form");
    }
    return put_integer(w, (int64_t)n, err);
}

static bool put_value(struct writer *w, const json_t *value, struct err *err);

struct member {
    const char *name;
    const json_t *value;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct member *)a)->name, ((const struct member *)b)->name);
}

/* As most are that somebody signed. */
static bool are_sorted(const struct member *members, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (strcmp(members[i - 1].name, members[i].name) > 0) {
            return false;
        }
    }
    return true;
}

static bool put_members(struct writer *w, struct member *members, size_t count, struct err *err)
{
    if (!are_sorted(members, count)) {
        qsort(members, count, sizeof(*members), by_name);
    }
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            buf_char(w->out, ',');
        }
        put_string(w, slice_str(members[i].name));
        buf_char(w->out, ':');
        if (!put_value(w, members[i].value, err)) {
            return false;
        }
    }
    return true;
}

static bool put_object(struct writer *w, const json_t *object, struct err *err)
{
    struct member few[FEW];
    auto_free struct member *many = NULL;
    struct member *members = few;
    size_t count = json_object_size(object);
    size_t i = 0;
    const char *name;
    json_t *value;

    if (count > FEW) {
        members = many = xcalloc(count, sizeof(*members));
    }
    json_object_foreach((json_t *)object, name, value)
    {
        members[i++] = (struct member){name, value};
    }
    buf_char(w->out, '{');
    if (!put_members(w, members, count, err)) {
        return false;
    }
    buf_char(w->out, '}');
    return true;
}

static bool put_array(struct writer *w, const json_t *array, struct err *err)
{
    size_t count = json_array_size(array);

    buf_char(w->out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            buf_char(w->out, ',');
        }
        if (!put_value(w, json_array_get(array, i), err)) {
            return false;
        }
    }
    buf_char(w->out, ']');
    return true;
}

static bool put_value(struct writer *w, const json_t *value, struct err *err)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return put_object(w, value, err);
    case JSON_ARRAY:
        return put_array(w, value, err);
    case JSON_STRING:
        put_string(w, slice_of_bytes(json_string_value(value), json_string_length(value)));
        return true;
    case JSON_INTEGER:
        return put_integer(w, json_integer_value(value), err);
    case JSON_REAL:
        return put_real(w, json_real_value(value), err);
    case JSON_TRUE:
        buf_str(w->out, "true");
        return true;
    case JSON_FALSE:
        buf_str(w->out, "false");
        return true;
    case JSON_NULL:
        buf_str(w->out, "null");
        return true;
    }
    BUG("a JSON value of no known type");
}

static bool encode(const json_t *value, bool wire, struct buf *out, struct err *err)
{
    struct writer w = {out, wire};

    if (!put_value(&w, value, err)) {
        return false;
    }
    return !out->failed || err_set(err, ERR_INVALID, "the canonical form is too long");
}

bool canon_encode(const json_t *value, struct buf *out, struct err *err)
{
    return encode(value, false, out, err);
}

bool canon_encode_wire(const json_t *value, struct buf *out, struct err *err)
{
    return encode(value, true, out, err);
}
