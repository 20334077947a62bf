/* The JSON text of a signed document, read strictly (notary-api 9, 14; attacks 1): what the
 * reference's readers and this one could understand differently is refused. Internal to
 * trust/verify. */
#ifndef TRUST_VERIFY_STRICT_H
#define TRUST_VERIFY_STRICT_H

#include "trust/verify/doc.h"

#define DOC_DEPTH_MAX 32
#define DOC_CONTAINERS_MAX                                                                         \
    400000 /* objects and arrays: four for each of the targets a document may list */
#define DOC_VALUES_MAX 1500000

/* Parses `bytes` and checks the basic shape: an object with `signed` {_type string, expires RFC
 * 3339, version integer} and `signatures`, a list of objects with strings keyid, method, sig;
 * members may be missing (or null) here. signatures_max   more of them are refused before any is
 * looked at out              the value; owned by the caller (auto_json); NULL unless DOC_OK
 * Results: DOC_OK, DOC_NOT_JSON, DOC_NOT_STRICT, DOC_STRUCTURE (too many signatures). */
enum doc_fault strict_parse(struct slice bytes, size_t signatures_max, json_t **out,
                            struct err *err) MUST_USE;
/* True when the text holds an ASCII control character, DEL or a C1 control character. */
bool strict_has_control(struct slice utf8);
/* Fills err (ERR_INVALID) and returns the fault: for `return doc_refuse(err, DOC_STRUCTURE, "…")`.
 */
enum doc_fault doc_refuse(struct err *err, enum doc_fault fault, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

#endif
