/* Tag rules as JSON, as people and programs write them; checked whole, refused with the rule and
 * the member at fault.
 *
 *   {"rules": [
 *     {"name": "releases", "repository": "*", "tag": "v*", "immutable": true},
 *     {"name": "nightly", "repository": "ns/app", "tag": "nightly-*",
 *      "keep": {"newest": 10, "younger_than": "30d", "pulled_within": "14d"}}]}
 *
 * "repository" may be left out and means "*" then; it is a pattern of the whole name, so it is an
 * asterisk or begins with "ns/" (what can never match would protect nothing). A rule has either
 * "immutable" or "keep", and "keep" says at least one thing.
 * Pure: no store, no clock. */
#ifndef STORAGE_TAG_RULE_DOC_H
#define STORAGE_TAG_RULE_DOC_H

#include "base/json.h"
#include "storage/tag_rule.h"

/* Reads the object above.
 *   ns    the namespace that the rules are for
 *   out   owned by the caller; empty on false
 * Expected errors: ERR_INVALID. Any thread. */
bool tag_rule_doc_read(const json_t *object, const struct namespace_name *ns,
                       struct tag_rule_list *out, struct err *err) MUST_USE;
/* The value of "rules": an array, every member present. New reference. */
json_t *tag_rule_doc_write(const struct tag_rule_list *rules);

#endif
