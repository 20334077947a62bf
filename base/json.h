/* Strict JSON reading on jansson: bounded depth (counted before parsing), no duplicate members, nothing but white
 * space after the value. Getters borrow from the document. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>

#define JSON_DEPTH_DEFAULT 64

/* Parses one JSON value.
 *   max_depth   nesting allowed, the outermost bracket is 1
 *   out         owned by the caller (auto_json)
 * Expected errors: ERR_REQUEST_INVALID with position and reason. Any thread. */
bool json_read(struct slice text, int max_depth, json_t **out, struct err *err) MUST_USE;
/* Nesting of brackets outside strings, without parsing; -1 when above `limit`. Linear time. */
int json_depth(struct slice text, int limit);
/* No more than `limit` brackets that open and commas, outside strings, without parsing. A parsed value
 * takes up to fifty times the memory of its text, so whoever takes a large text looks first. Linear
 * time. */
bool json_is_within(struct slice text, size_t limit);

/* Members of an object; NULL / false when absent or of another type. Borrowed. */
const char *json_get_string(const json_t *object, const char *member);
struct slice json_get_slice(const json_t *object, const char *member);
bool json_get_int(const json_t *object, const char *member, int64_t *out);
bool json_get_bool(const json_t *object, const char *member, bool *out);
json_t *json_get_array(const json_t *object, const char *member);
json_t *json_get_object(const json_t *object, const char *member);
/* Refuses members outside the NULL-terminated list `known`: ERR_INVALID naming the member. */
bool json_only_members(const json_t *object, const char *const known[], struct err *err) MUST_USE;
/* Compact text (json_dumps with JSON_COMPACT and sorted as built) appended to b. */
void json_write(struct buf *b, const json_t *value);

#endif
