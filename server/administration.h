/* What the handlers of the administration API share: typed members of a JSON body, the namespace of
 * a path, who acts. Refuses to know: any one route. */
#ifndef SERVER_ADMINISTRATION_H
#define SERVER_ADMINISTRATION_H

#include "auth/access.h"
#include "auth/auth.h"
#include "server/http.h"
#include "storage/actor.h"

/* The request's JSON body with no members but `known` (NULL-terminated).
 * Expected errors: ERR_REQUEST_INVALID, ERR_INVALID. Owned by the caller. */
bool administration_body(const struct request *rq, const char *const known[], json_t **out,
                         struct err *err) MUST_USE;
/* A text member; absent gives `otherwise` (NULL: it must be there). Borrowed from the body.
 * Expected errors: ERR_INVALID naming the member. */
bool administration_text(const json_t *body, const char *member, const char *otherwise,
                         struct slice *out, struct err *err) MUST_USE;
/* A whole number that is not negative; absent gives `otherwise` (-1: it must be there).
 * Expected errors: ERR_INVALID naming the member. */
bool administration_count(const json_t *body, const char *member, int64_t otherwise, int64_t *out,
                          struct err *err) MUST_USE;
/* A boolean member; absent gives false. Expected errors: ERR_INVALID naming the member. */
bool administration_flag(const json_t *body, const char *member, bool *out,
                         struct err *err) MUST_USE;
/* The namespace in {1}. Expected errors: ERR_NAMESPACE_UNKNOWN (also for what cannot be a name). */
bool administration_namespace(const struct request *rq, struct namespace_name *out,
                              struct err *err) MUST_USE;
/* Opens a snapshot, finds the namespace in {1}, and checks that the caller may `action` there.
 * The caller ends the snapshot (auto_snapshot). */
bool administration_open(const struct request *rq, enum access_action action, struct db_tx **tx_out,
                         struct access_answer *out, struct err *err) MUST_USE;
/* Who makes the change: what is recorded as his is not written when he lost, while it waited to be written, the
 * sign-in or the account that he came with (request_may_still). A role in a namespace is asked for by the write. */
void administration_actor(const struct request *rq, struct actor *out);
/* What his role must permit him in a namespace, for a change whose write does not ask for it itself. */
struct administration_right {
    const struct request *rq;
    struct namespace_name namespace_;
    unsigned actions; /* all of these: ACTION_BIT(…) */
};
/* The same, and has the role been left to him that permits it? `right` outlives the write. */
void administration_actor_by_right(const struct administration_right *right, struct actor *out);
void administration_context(const struct request *rq, struct auth_context *out);
/* RFC 3339 as a JSON string; new reference. */
json_t *administration_time(int64_t us);
/* 200 {member: list}, list stolen; ok = false: err's answer instead. */
void administration_reply_list(struct reply *reply, bool ok, const char *member, json_t *list,
                               const struct err *err);
/* A document, and a warning as its header and its member, for who sees no headers; none when the text is "". `value`
 * is stolen. */
void administration_reply_warned(struct reply *reply, int status, json_t *value,
                                 const char *warning);
/* A document that may have a member "warning", which becomes a header too. `value` is stolen. */
void administration_reply_told(struct reply *reply, int status, json_t *value);
/* 204, or err's answer. */
void administration_reply_done(struct reply *reply, bool ok, const struct err *err);

#endif
