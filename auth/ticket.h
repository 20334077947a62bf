/* The token service without its HTTP: an authenticated (or anonymous) caller and the wished scopes
 * become an access token. Owns: requested ∩ permitted, lifetime, what is in the answer. */
#ifndef AUTH_TICKET_H
#define AUTH_TICKET_H

#include "auth/login.h"

struct ticket {
    struct buf token;   /* the JWS */
    struct buf scope;   /* granted, space separated */
    int64_t expires_in; /* seconds */
};

/*   login    NULL: anonymous
 * Wishes that are not permitted are left out, never refused. Expected errors: ERR_INVALID (a token
 * cannot carry so many: one that leaves some out would be refused later, where nobody sees why),
 * ERR_INTERNAL. */
bool ticket_issue(struct auth *a, const struct login *login, const struct scope_list *wishes,
                  int64_t now_us, struct ticket *out, struct err *err) MUST_USE;
void ticket_dispose(struct ticket *t);
static inline void cleanup_ticket(struct ticket *t)
{
    ticket_dispose(t);
}
#define auto_ticket __attribute__((cleanup(cleanup_ticket)))
/* Is `service` this registry's? Clients send it back from the challenge; an empty one passes. */
bool ticket_service_is_ours(const struct auth *a, struct slice service);

#endif
