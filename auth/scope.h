/* What a client asks of the token service: the scope grammar of auth.md 4 (Docker token
 * authentication, "scope"). Owns: parsing scope text into typed wishes. Refuses to know: who may
 * have them (grant, access). Image scopes name `ns/app`; trust scopes name `HOST/ns/app` with HOST
 * one of our own hosts: separate rights. */
#ifndef AUTH_SCOPE_H
#define AUTH_SCOPE_H

#include "base/buf.h"
#include "base/name.h"

/* Bits of what a scope asks for and of what a token grants. */
enum scope_bits {
    SCOPE_PULL = 1,
    SCOPE_PUSH = 2,
    SCOPE_DELETE = 4,
    SCOPE_ADMIN = 8, /* trust scopes: rotate server keys */
    SCOPE_ALL = 16   /* "*": everything, the trust wipe included */
};

enum scope_kind {
    SCOPE_IMAGE,  /* repository:ns/app:… */
    SCOPE_TRUST,  /* repository:HOST/ns/app:… */
    SCOPE_CATALOG /* registry:catalog:* or :search; no repository */
};

struct scope {
    enum scope_kind kind;
    unsigned actions;      /* scope_bits */
    struct repo_name repo; /* SCOPE_IMAGE, SCOPE_TRUST */
};

#define SCOPE_LIST_MAX 64 /* wishes kept per token request */

struct scope_list {
    struct scope *items; /* owned */
    size_t n;
    bool cut; /* there were more: a token for these would be less than what was asked for */
};

/* Our names in GUNs: the canonical host first, then aliases. */
struct scope_hosts {
    const char *const *names;
    size_t n;
};

/* Reads one scope value: any number of resource scopes separated by blanks, and merges them into
 * `list` (the same kind and repository twice becomes one entry with both sets of actions). text as
 * sent after form decoding; any bytes What is not understood (unknown type, malformed name, foreign
 * host, unknown action) is left out, never an error. */
void scope_list_add(struct scope_list *list, struct slice text, const struct scope_hosts *hosts);
/* One resource scope; false when it asks for nothing that exists here. */
bool scope_parse(struct slice text, const struct scope_hosts *hosts, struct scope *out);
/* Cuts one of our hosts and the '/' off the front of a GUN; false when it does not begin with one.
 */
bool scope_strip_host(struct slice gun, const struct scope_hosts *hosts, struct slice *rest_out);
/* "pull", "push", …, "*": known action names only, 0 otherwise. */
unsigned scope_action_bit(struct slice name);
/* Appends "pull,push,delete,admin,*" (those set, in this order). */
void scope_actions_text(struct buf *b, unsigned actions);
void scope_list_dispose(struct scope_list *list);

static inline void cleanup_scope_list(struct scope_list *list)
{
    scope_list_dispose(list);
}
#define auto_scope_list __attribute__((cleanup(cleanup_scope_list)))

#endif
