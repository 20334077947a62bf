/* Does what a token or secret hangs on still live? Reads the account and its session, secret or
 * password version and makes the identity from them. */
#ifndef AUTH_LIVE_H
#define AUTH_LIVE_H

#include "auth/identity.h"
#include "auth/token.h"
#include "base/db.h"
#include "storage/account.h"

enum live_result {
    LIVE_FAILED = 0 /* err: could not be read */,
    LIVE_ENDED /* err: the sentence */,
    LIVE_YES
};

/* The identity of an account, whatever it will prove it by. Pure. */
void live_identity(const struct account *account, struct identity *out);

/* What the facts are asked about. */
struct live_anchor {
    int64_t account_id;
    enum token_anchor anchor;
    int64_t anchor_id;
};

/*   out            filled on LIVE_YES; proof and grants are left to the caller
 *   live_until_out when it ends by itself (idle or absolute limit of a session), INT64_MAX
 * otherwise */
enum live_result live_load(struct db_tx *tx, const struct live_anchor *anchor, int64_t now_us,
                           struct identity *out, int64_t *live_until_out, struct err *err) MUST_USE;
/* Finds what a secret (robot, deployer or session) is; LIVE_ENDED for an unknown one. */
enum live_result live_find_secret(struct db_tx *tx, struct slice secret, int64_t now_us,
                                  struct live_anchor *anchor_out, struct identity *out,
                                  int64_t *live_until_out, struct err *err) MUST_USE;

#endif
