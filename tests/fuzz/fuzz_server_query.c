/* Query strings and forms. A value that is understood is the same when it is encoded anew, and
 * another reading of the text (first match, '+' and %XX from left to right, in names too) agrees. The first line of
 * the input is the name that is asked for, the rest the query. */
#include "server/http.h"
#include "tests/fuzz/fuzz.h"

#include <ctype.h>

static bool is_plain_name(struct slice name)
{
    for (size_t i = 0; i < name.n; i++) {
        if (!isalnum((unsigned char)name.p[i]) && name.p[i] != '-' && name.p[i] != '_') {
            return false;
        }
    }
    return name.n > 0;
}

/* Decoded by hand, up to the end or one of `ends`; false when it cannot be. */
static bool decode(const char *value, const char *ends, struct buf *out)
{
    buf_put(out, "", 0);
    for (; *value != '\0' && strchr(ends, *value) == NULL; value++) {
        char digits[3] = {0};
        if (*value != '%') {
            buf_char(out, *value == '+' ? ' ' : *value);
            continue;
        }
        if (!isxdigit((unsigned char)value[1]) || !isxdigit((unsigned char)value[2])) {
            return false;
        }
        memcpy(digits, value + 1, 2);
        long byte = strtol(digits, NULL, 16);
        if (byte == 0) {
            return false;
        }
        buf_char(out, (char)byte);
        value += 2;
    }
    return true;
}

static const char *next_pair(const char *at)
{
    const char *end = strchr(at, '&');
    return end != NULL ? end + 1 : NULL;
}

/* The value of the first pair of that name, by hand; NULL when there is none. */
static const char *value_of(const char *query, const char *name)
{
    for (const char *at = query; at != NULL; at = next_pair(at)) {
        auto_buf struct buf key = {0};
        size_t n = strcspn(at, "=&");
        if (decode(at, "=&", &key) && slice_is(buf_slice_of(&key), name)) {
            return at[n] == '=' ? at + n + 1 : at + n;
        }
    }
    return NULL;
}

static bool all_decode(const char *query)
{
    bool all = true;
    for (const char *at = query; at != NULL; at = next_pair(at)) {
        auto_buf struct buf pair = {0};
        all = decode(at, "&", &pair) && all;
    }
    return all;
}

static void check(const char *name, const char *query)
{
    const struct request rq = {.query = slice_str(query), .body = slice_str(query)};
    auto_buf struct buf got = {0};
    auto_buf struct buf by_form = {0};
    auto_buf struct buf wanted = {0};
    const char *value = value_of(query, name);
    bool found = request_query(&rq, name, 0, &got);
    struct err err = {0};
    HOLDS(request_query_check(&rq, &err) == all_decode(query));
    HOLDS(request_form_check(&rq, &err) == all_decode(query));
    HOLDS(request_has_query(&rq, name) == (value != NULL));
    HOLDS(found == (value != NULL && decode(value, "&", &wanted)));
    HOLDS(found == request_form(&rq, name, 0, &by_form));
    if (!found) {
        return;
    }
    HOLDS(slice_equal(buf_slice_of(&got), buf_slice_of(&wanted)));
    HOLDS(slice_equal(buf_slice_of(&got), buf_slice_of(&by_form)));
    HOLDS(slice_index(buf_slice_of(&got), '\0') < 0);

    auto_buf struct buf text = {0};
    auto_buf struct buf again = {0};
    buf_printf(&text, "x=%%zz&%s=", name);
    buf_url(&text, buf_slice_of(&got));
    const struct request second = {.query = buf_slice_of(&text)};
    HOLDS(request_query(&second, name, 0, &again));
    HOLDS(slice_equal(buf_slice_of(&got), buf_slice_of(&again)));
    HOLDS(!request_query(&second, "x", 0, &again) && !request_query(&second, name, 1, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of_bytes(data, size);
    struct slice name;
    if (!slice_next(&rest, '\n', &name) || rest.p == NULL || !is_plain_name(name) ||
        slice_is(name, "x")) {
        return 0;
    }
    auto_free char *name_text = xstrndup(name.p, name.n);
    auto_free char *query = xstrndup(rest.p, rest.n);
    check(name_text, query);
    return 0;
}
