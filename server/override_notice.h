/* Telling somebody else of each use of an override (gate.md 14), as it begins: one JSON object in one
 * datagram to a unix socket that the operator names (`trust.override_notice`). Whoever listens there
 * passes it on: the server itself calls out to nobody. Refuses to know: what counts as a use. */
#ifndef SERVER_OVERRIDE_NOTICE_H
#define SERVER_OVERRIDE_NOTICE_H

#include "server/http.h"
#include "storage/repository.h"
#include "trust/gate.h"

/* Sends {"event":"override.use","time","override","end","repository","digest","identity","address",
 * "message"}; nothing when no socket is named. Never waits: a listener that is away or full is a
 * failure, which is logged.
 * Expected errors: ERR_INDETERMINATE (`trust.override_notice_required` is set and it could not be
 * told): then nothing may be served. Any thread. */
bool override_notice_send(const struct request *rq, const struct repository *repo,
                          const struct decision *d, struct err *err) MUST_USE;

#endif
