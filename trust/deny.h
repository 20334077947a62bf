/* Changing the deny list: audited, and noted in the checkpoint. Refuses to know: who may (server
 * asks auth), what a denied digest refuses (gate). */
#ifndef TRUST_DENY_H
#define TRUST_DENY_H

#include "base/json.h"
#include "storage/denied_digest.h"
#include "trust/exceptions.h"
#include "trust/trust.h"

struct deny_request {
    struct exception_right right; /* of whoever changes it, in the scope */
    const char *scope;            /* DENIED_EVERYWHERE, or the name of a namespace */
    struct digest digest;
    struct slice reason; /* of a new entry */
    const struct actor *actor;
    int64_t now_us;
};
/* Puts a digest on the list, or changes the text of its entry. It holds from the next request on.
 *   warning   exceptions_noted
 * Expected errors: those of the right; ERR_INVALID (the text), ERR_NAMESPACE_UNKNOWN, ERR_CONFLICT (full; the store may
 * have been set back), ERR_NO_SPACE. Worker threads; durable. */
bool deny_add(struct trust *trust, const struct deny_request *request, struct denied_digest *out,
              char warning[EXCEPTION_WARNING_MAX], struct err *err) MUST_USE;
/* Takes it off. Expected errors: ERR_NOT_FOUND, and as deny_add. Worker threads; durable. */
bool deny_lift(struct trust *trust, const struct deny_request *request, struct denied_digest *out,
               char warning[EXCEPTION_WARNING_MAX], struct err *err) MUST_USE;

/* As the API tells it. New reference. */
json_t *deny_json(const struct denied_digest *denied);

#endif
