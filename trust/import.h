/* Moving in from a Notary v1 server (notary-api 22, gate.md 11.5): the dumps of its database and of
 * its signer's into this store. Invariants
 *   1. A repository is taken whole or not at all, in one transaction: its documents byte for byte,
 *      in the order and with the times in which the old server accepted them, the keys of its
 *      server roles, its changes.
 *   2. Nothing is taken that would not verify as a whole: every root from the first, the newest
 *      timestamp, snapshot, targets and delegations, and the timestamp keys held here. What has only
 *      expired is taken: its clients see what they saw before.
 *   3. Versions only rise. What is stored here already is left as it is; a repository that was
 *      published to, or wiped, here is not touched.
 *   4. A repository new here is pinned to the keys of its first root. The namespace accepts the
 *      signers of the root in force, as at a publish by an owner: a key that was rotated away begins
 *      nothing new. A policy's allow_roots holds for them too. */
#ifndef TRUST_IMPORT_H
#define TRUST_IMPORT_H

#include "storage/actor.h"
#include "trust/trust.h"

#include <jansson.h>

struct import_phrase { /* of the signer: NOTARY_SIGNER_<ALIAS> */
    const char *alias; /* without regard to case */
    struct slice phrase;
};

struct import_request {
    const char *server_dump, *signer_dump; /* paths */
    const char *work_dir; /* a file without a name is made here, as large as the documents */
    const struct import_phrase *phrases;
    size_t phrase_count;
    int64_t owner_id; /* becomes owner of the namespaces that are made; 0 = none is made */
    const struct actor *actor;
    bool dry_run; /* everything is done and nothing kept */
    int64_t now_us;
};

/* Reads both dumps, then takes one repository after the other.
 *   report_out   {"guns":[{"gun","repository","outcome","why","documents","keys",
 *                "warnings":[…]},…],"dry_run","changes","imported","unchanged","refused",
 *                "elsewhere","deleted"}; outcome is
 *                "imported", "unchanged", "refused", "elsewhere" (another registry's) or "deleted"
 *                (only its changes are left). Owned by the caller.
 * Expected errors: ERR_INVALID (a dump that cannot be read), ERR_NO_SPACE. What is wrong with one
 * repository is in the report. One thread. Durable, repository by repository. */
bool trust_import(struct trust *trust, const struct import_request *request, json_t **report_out,
                  struct err *err) MUST_USE;

#endif
