/* Before the handler: the names in the path become typed values, the caller an identity, and the
 * route's rule of access is applied (auth.md 1 and 7, notary-api 4 and 5). Each refusal is the
 * answer that clients of that area understand.
 *
 * Owns: which question is asked of auth for which route. Refuses to know: the rules behind the
 * answers. */
#ifndef SERVER_ADMIT_H
#define SERVER_ADMIT_H

#include "server/exchange.h"

/* {name}, {gun}, {reference}, {digest} and the decoded {1} …; the query can be decoded. False: the
 * reply is filled. Loop thread. */
bool admit_names(struct http_exchange *ex) MUST_USE;
/* Identity and rights. False: the reply is filled. Loop thread; reads the database. */
bool admit_caller(struct http_exchange *ex) MUST_USE;
/* The same after the body: it may have come for an hour, and what the caller may do may have been
 * taken from him since. A token that has only grown old since the head is good for this request.
 * For buffered bodies: what a stream brings counts from a transaction on, which asks for itself
 * (request_may_still). Costs nothing when no account, sign-in or role has changed meanwhile. Loop thread. */
bool admit_again(struct http_exchange *ex) MUST_USE;
/* Makes the namespace of a push that may make it (architecture: first push of an administrator).
 * Worker thread. */
bool admit_namespace(struct http_exchange *ex, struct err *err) MUST_USE;

#endif
