#include "trust/verify/strict.h"

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"

#include <stdarg.h>
#include <stdio.h>

#define INTEGER_MAX INT64_C(9007199254740992) /* 2^53 */

enum doc_fault doc_refuse(struct err *err, enum doc_fault fault, const char *fmt, ...)
{
    char text[300];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    (void)err_set(err, ERR_INVALID, "%s", text);
    return fault;
}

bool strict_has_control(struct slice utf8)
{
    for (size_t i = 0; i < utf8.n; i++) {
        unsigned char c = (unsigned char)utf8.p[i];
        unsigned char next = i + 1 < utf8.n ? (unsigned char)utf8.p[i + 1] : 0;
        if (c < 0x20 || c == 0x7f || (c == 0xc2 && next >= 0x80 && next <= 0x9f)) {
            return true;
        }
    }
    return false;
}

/* ---- member names ---- */

/* Go matches names without case, with these two code points beyond ASCII. */
static unsigned char next_folded(const char **p)
{
    const char *s = *p;

    if (s[0] == '\xc5' && s[1] == '\xbf') { /* U+017F, long s */
        *p += 2;
        return 's';
    }
    if (s[0] == '\xe2' && s[1] == '\x84' && s[2] == '\xaa') { /* U+212A, Kelvin sign */
        *p += 3;
        return 'k';
    }
    *p += 1;
    return (unsigned char)(s[0] >= 'A' && s[0] <= 'Z' ? s[0] - 'A' + 'a' : s[0]);
}

static int fold_compare(const char *a, const char *b)
{
    while (*a && *b) {
        int diff = next_folded(&a) - next_folded(&b);
        if (diff != 0) {
            return diff;
        }
    }
    return (*a != '\0') - (*b != '\0');
}

static int by_folded_name(const void *a, const void *b)
{
    return fold_compare(*(const char *const *)a, *(const char *const *)b);
}

/* Every member that any reader of the dialect looks for. A lone "Targets" is as bad as one beside
 * "targets": only one of two readers takes it for the list. */
static const char *const known_members[] = {
    "_type",      "consistent_snapshot",
    "custom",     "delegations",
    "expires",    "hashes",
    "keyid",      "keyids",
    "keys",       "keytype",
    "keyval",     "length",
    "meta",       "method",
    "name",       "paths",
    "private",    "public",
    "roles",      "sig",
    "signatures", "signed",
    "targets",    "threshold",
    "version",
};

static bool misspells_known_member(const char *name)
{
    for (size_t i = 0; i < sizeof(known_members) / sizeof(known_members[0]); i++) {
        if (fold_compare(name, known_members[i]) == 0 && strcmp(name, known_members[i]) != 0) {
            return true;
        }
    }
    return false;
}

/* No capital letter, and nothing beyond ASCII: folding changes nothing of it, so it misspells no known
 * member, and another name that folds to it has to have one. */
static bool is_folded(const char *name)
{
    for (; *name; name++) {
        if ((*name >= 'A' && *name <= 'Z') || (unsigned char)*name >= 0x80) {
            return false;
        }
    }
    return true;
}

static bool all_are_folded(const json_t *object)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)object, name, value)
    {
        if (!is_folded(name)) {
            return false;
        }
    }
    return true;
}

static bool has_case_equal_names(const json_t *object)
{
    if (all_are_folded(object)) {
        return false; /* no name is there twice: the parser refuses that */
    }
    size_t count = json_object_size(object);
    auto_free const char **names = xcalloc(count + 1, sizeof(*names));
    size_t i = 0;
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)object, name, value)
    {
        names[i++] = name;
        if (misspells_known_member(name)) {
            return true;
        }
    }
    qsort(names, count, sizeof(*names), by_folded_name);
    for (i = 1; i < count; i++) {
        if (fold_compare(names[i - 1], names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- the walk over all values ---- */

/* Target names and the inside of `custom` are free (notary-api 15.2): v1 and V1 are two tags. */
enum place { PLACE_TOP, PLACE_SIGNED, PLACE_TARGETS, PLACE_TARGET, PLACE_CUSTOM, PLACE_OTHER };

static enum place place_of_member(enum place parent, const char *name)
{
    switch (parent) {
    case PLACE_TOP:
        return strcmp(name, "signed") == 0 ? PLACE_SIGNED : PLACE_OTHER;
    case PLACE_SIGNED:
        return strcmp(name, "targets") == 0 ? PLACE_TARGETS : PLACE_OTHER;
    case PLACE_TARGETS:
        return PLACE_TARGET;
    case PLACE_TARGET:
        return strcmp(name, "custom") == 0 ? PLACE_CUSTOM : PLACE_OTHER;
    case PLACE_CUSTOM:
        return PLACE_CUSTOM;
    case PLACE_OTHER:
        break;
    }
    return PLACE_OTHER;
}

static enum doc_fault walk(const json_t *value, enum place place, struct err *err);

static enum doc_fault walk_object(const json_t *object, enum place place, struct err *err)
{
    const char *name;
    json_t *value;

    if (place != PLACE_TARGETS && place != PLACE_CUSTOM && has_case_equal_names(object)) {
        return doc_refuse(err, DOC_NOT_STRICT, "a member name differs only in letter case");
    }
    json_object_foreach((json_t *)object, name, value)
    {
        if (strict_has_control(slice_str(name))) {
            return doc_refuse(err, DOC_NOT_STRICT, "a name holds a control character");
        }
        enum doc_fault fault = walk(value, place_of_member(place, name), err);
        if (fault != DOC_OK) {
            return fault;
        }
    }
    return DOC_OK;
}

static enum doc_fault walk_array(const json_t *array, enum place place, struct err *err)
{
    enum place inside = place == PLACE_CUSTOM ? PLACE_CUSTOM : PLACE_OTHER;
    size_t count = json_array_size(array);

    for (size_t i = 0; i < count; i++) {
        enum doc_fault fault = walk(json_array_get(array, i), inside, err);
        if (fault != DOC_OK) {
            return fault;
        }
    }
    return DOC_OK;
}

static enum doc_fault walk_integer(const json_t *value, struct err *err)
{
    json_int_t n = json_integer_value(value);

    if (n > INTEGER_MAX || n < -INTEGER_MAX) {
        return doc_refuse(err, DOC_NOT_STRICT, "an integer lies beyond 2^53");
    }
    return DOC_OK;
}

static enum doc_fault walk(const json_t *value, enum place place, struct err *err)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return walk_object(value, place, err);
    case JSON_ARRAY:
        return walk_array(value, place, err);
    case JSON_INTEGER:
        return walk_integer(value, err);
    case JSON_REAL:
        return doc_refuse(err, DOC_NOT_STRICT, "a number is no plain integer");
    case JSON_STRING:
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_NULL:
        break;
    }
    return DOC_OK;
}

/* ---- the basic shape ---- */

/* Go takes null for an absent member. */
static bool is_absent(const json_t *value)
{
    return !value || json_is_null(value);
}

static enum doc_fault check_version(const json_t *value, bool integers_as_reals, struct err *err)
{
    bool fits = false;

    if (json_is_integer(value)) {
        json_int_t n = json_integer_value(value);
        fits = n <= INTEGER_MAX && n >= -INTEGER_MAX;
    } else if (integers_as_reals && json_is_real(value)) {
        double n = json_real_value(value);
        fits = n <= (double)INTEGER_MAX && n >= -(double)INTEGER_MAX;
    }
    return fits ? DOC_OK : doc_refuse(err, DOC_NOT_JSON, "version is not an integer up to 2^53");
}

static enum doc_fault check_expires(const json_t *value, struct err *err)
{
    int64_t us = 0;
    struct slice text = {json_string_value(value), json_string_length(value)};

    if (!json_is_string(value) || text.n >= sizeof(((struct tuf_doc *)NULL)->expires) ||
        !time_parse(text, &us)) {
        return doc_refuse(err, DOC_NOT_JSON, "expires is not an RFC 3339 time");
    }
    return DOC_OK;
}

static enum doc_fault check_signed(const json_t *part, bool integers_as_reals, struct err *err)
{
    const json_t *type = json_object_get(part, "_type");
    const json_t *version = json_object_get(part, "version");
    const json_t *expires = json_object_get(part, "expires");

    if (!json_is_object(part)) {
        return doc_refuse(err, DOC_NOT_JSON, "signed is not an object");
    }
    if (!is_absent(type) && !json_is_string(type)) {
        return doc_refuse(err, DOC_NOT_JSON, "_type is not a string");
    }
    enum doc_fault fault =
        is_absent(version) ? DOC_OK : check_version(version, integers_as_reals, err);
    if (fault != DOC_OK) {
        return fault;
    }
    return is_absent(expires) ? DOC_OK : check_expires(expires, err);
}

static enum doc_fault check_signature(const json_t *entry, struct err *err)
{
    static const char *const members[] = {"keyid", "method", "sig"};
    auto_buf struct buf decoded = {0};

    if (!json_is_object(entry)) {
        return doc_refuse(err, DOC_NOT_JSON, "a signature is not an object");
    }
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        const json_t *value = json_object_get(entry, members[i]);
        if (!is_absent(value) && !json_is_string(value)) {
            return doc_refuse(err, DOC_NOT_JSON, "%s of a signature is not a string", members[i]);
        }
    }
    if (!base64_decode(json_get_slice(entry, "sig"), &decoded)) {
        return doc_refuse(err, DOC_NOT_JSON, "a signature is no padded standard base64");
    }
    return DOC_OK;
}

static enum doc_fault check_signatures(const json_t *list, size_t max, struct err *err)
{
    size_t count = json_array_size(list);

    if (!json_is_array(list)) {
        return doc_refuse(err, DOC_NOT_JSON, "signatures is not a list");
    }
    if (count > max) {
        return doc_refuse(err, DOC_STRUCTURE, "more than %zu signatures", max);
    }
    for (size_t i = 0; i < count; i++) {
        enum doc_fault fault = check_signature(json_array_get(list, i), err);
        if (fault != DOC_OK) {
            return fault;
        }
    }
    return DOC_OK;
}

static enum doc_fault check_shape(const json_t *top, size_t signatures_max, bool integers_as_reals,
                                  struct err *err)
{
    const json_t *part = json_object_get(top, "signed");
    const json_t *signatures = json_object_get(top, "signatures");

    if (!json_is_object(top)) {
        return doc_refuse(err, DOC_NOT_JSON, "it is not an object");
    }
    enum doc_fault fault = is_absent(part) ? DOC_OK : check_signed(part, integers_as_reals, err);
    if (fault != DOC_OK) {
        return fault;
    }
    return is_absent(signatures) ? DOC_OK : check_signatures(signatures, signatures_max, err);
}

/* ---- text to value ---- */

/* Values cost far more memory than their bytes: count them before the parser builds any. */
static bool too_many_values(struct slice text)
{
    size_t containers = 0;
    size_t values = 0;
    bool in_string = false;

    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '"') {
            in_string = !in_string;
        } else if (in_string) {
            i += c == '\\'; /* what is escaped ends no string */
        } else {
            containers += c == '{' || c == '[';
            values += c == ',';
        }
    }
    return containers > DOC_CONTAINERS_MAX || values > DOC_VALUES_MAX;
}

/* Names what a lenient reader would have taken. It is refused either way; the answer on the wire
 * differs. */
static enum doc_fault why_not_strict(struct slice bytes, size_t signatures_max, struct err *err)
{
    const size_t lenient = JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL;
    bool integers_as_reals = false;
    json_error_t why = {0};
    auto_json json_t *top = json_loadb(bytes.p, bytes.n, lenient, &why);

    if (!top && json_error_code(&why) == json_error_numeric_overflow) {
        integers_as_reals = true;
        top = json_loadb(bytes.p, bytes.n, lenient | JSON_DECODE_INT_AS_REAL, &why);
    }
    if (!top && (json_error_code(&why) == json_error_stack_overflow ||
                 json_error_code(&why) == json_error_null_byte_in_key)) {
        return doc_refuse(err, DOC_NOT_STRICT, "nested too deep, or a NUL in a name");
    }
    if (!top) {
        return doc_refuse(err, DOC_NOT_JSON, "malformed JSON at line %d, column %d", why.line,
                          why.column);
    }
    enum doc_fault fault = check_shape(top, signatures_max, integers_as_reals, err);
    if (fault != DOC_OK) {
        return fault;
    }
    return doc_refuse(err, DOC_NOT_STRICT,
                      "the JSON has duplicate members, bytes after the value, a number or a NUL "
                      "out of range, or more than %d levels",
                      DOC_DEPTH_MAX);
}

enum doc_fault strict_parse(struct slice bytes, size_t signatures_max, json_t **out,
                            struct err *err)
{
    auto_json json_t *top = NULL;

    *out = NULL;
    if (bytes.n == 0) {
        return doc_refuse(err, DOC_NOT_JSON, "it is empty");
    }
    if (too_many_values(bytes)) {
        return doc_refuse(err, DOC_NOT_STRICT, "the JSON has too many values");
    }
    if (!json_read(bytes, DOC_DEPTH_MAX, &top, NULL)) {
        return why_not_strict(bytes, signatures_max, err);
    }
    enum doc_fault fault = check_shape(top, signatures_max, false, err);
    if (fault == DOC_OK) {
        fault = walk(top, PLACE_TOP, err);
    }
    if (fault == DOC_OK) {
        *out = take(top);
    }
    return fault;
}
