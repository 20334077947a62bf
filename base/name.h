/* Checked names. Each can only be made by its parser, so storage never sees an unchecked client string.
 * Grammar: OCI distribution 1.1 "Pulling manifests"; a repository here has at least two components (namespace, name). */
#ifndef BASE_NAME_H
#define BASE_NAME_H

#include "base/err.h"
#include "base/slice.h"

#define REPO_NAME_MAX 255
#define TAG_NAME_MAX 128

struct repo_name {
    char text[REPO_NAME_MAX + 1]; /* "ns/app", NUL-terminated */
    uint16_t n;                   /* bytes */
    uint16_t namespace_n;         /* bytes of the first component */
};

struct namespace_name {
    char text[REPO_NAME_MAX + 1];
    uint16_t n;
};

struct tag_name {
    char text[TAG_NAME_MAX + 1];
    uint8_t n;
};

/* [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)* joined by '/', at least two components, at most 255 bytes.
 * Expected errors: ERR_NAME_INVALID with a sentence (a single component is told that a namespace is missing). */
bool repo_name_parse(struct slice text, struct repo_name *out, struct err *err) MUST_USE;
/* One component, at most 128 bytes. Expected errors: ERR_NAME_INVALID. */
bool namespace_name_parse(struct slice text, struct namespace_name *out, struct err *err) MUST_USE;
/* [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}. Expected errors: ERR_TAG_INVALID. */
bool tag_name_parse(struct slice text, struct tag_name *out, struct err *err) MUST_USE;
/* The namespace of a repository name. */
void repo_name_namespace(const struct repo_name *repo, struct namespace_name *out);
/* host[:port] of lower-case letters, digits, '.', '-' and an optional port; used for the canonical host and GUNs. */
bool host_is_valid(struct slice host);

static inline struct slice repo_name_slice(const struct repo_name *r)
{
    return (struct slice){r->text, r->n};
}
static inline struct slice tag_name_slice(const struct tag_name *t)
{
    return (struct slice){t->text, t->n};
}
static inline struct slice namespace_name_slice(const struct namespace_name *t)
{
    return (struct slice){t->text, t->n};
}

#endif
