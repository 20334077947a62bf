/* What the registry's handlers share: the repository of a request in a snapshot, who acts, how the gate sees the caller,
 * paging. Refuses to know: any one route. */
#ifndef SERVER_REGISTRY_H
#define SERVER_REGISTRY_H

#include "server/http.h"
#include "storage/actor.h"
#include "storage/repository.h"
#include "trust/door.h"

#define PAGE_MAX 1000

/* Opens a snapshot (request_snapshot) and finds the request's repository in it.
 * Expected errors: ERR_NAME_UNKNOWN (the snapshot is open all the same). The caller ends the snapshot (auto_snapshot). */
bool registry_open(const struct request *rq, struct db_tx **tx_out, struct repository *out,
                   struct err *err) MUST_USE;
/* The identity as storage keeps it beside what it changed. */
void registry_actor(const struct request *rq, struct actor *out);
/* The identity as the gate sees it, rights read in tx. */
bool registry_gate_caller(const struct request *rq, struct db_tx *tx, struct gate_caller *out,
                          struct err *err) MUST_USE;
/* Whether the account may pull from a repository, whatever its token was asked for. What cannot be read is no. */
bool registry_account_may_pull(const struct identity *who, struct db_tx *tx, const struct repo_name *repo);
/* The answer is told to the caller of the request, whoever it is about: a refusal may name repositories that he may pull
 * from. */
void registry_gate_told(const struct request *rq, struct gate_caller *caller);
/* Before the gate is asked: a loop thread has other connections to serve, so it never builds a view of the repository,
 * waits for one, or renews what it says.
 *   out   the view to decide by, for gate_caller.kept: a reference (auto_gate_view). NULL on a worker, which may wait
 * False: return now without an answer, the handler is run again on a worker (request_on_worker_surely). */
bool registry_gate_ready(struct request *rq, const struct repository *repo, struct gate_view **out) MUST_USE;
/* And whether the decision came to an end with it. False: as above. */
bool registry_gate_finished(struct request *rq, const struct decision *d) MUST_USE;
/* The same of any identity at any repository. */
bool registry_gate_caller_of(const struct identity *who, struct db_tx *tx,
                             const struct repo_name *repo, struct gate_caller *out,
                             struct err *err) MUST_USE;
/* The identity as lists see it. */
void registry_reader(const struct request *rq, struct reader *out);
/* Of one entry of a filtered list: whether it is shown. What could not be decided is no "no": the whole list fails.
 * Expected errors: ERR_INDETERMINATE. */
bool registry_is_listed(const struct decision *d, bool *out, struct err *err) MUST_USE;
/* Counts a decision of a door. */
void registry_count_decision(const struct request *rq, const char *door, const struct decision *d);

/* Before anything is served, or deployed, that an override allows (override_counts): its use is counted.
 * Whoever must be told is told before (override_notice.h).
 * Expected errors: ERR_INDETERMINATE: it does not act any more, or its use cannot be recorded or told; nothing may be
 * served by it then. Workers only; durable. */
bool registry_count_override(const struct request *rq, const struct repository *repo, const struct decision *d,
                             struct err *err) MUST_USE;
/* The same on any thread. True: go on. False: `reply` has the refusal, or the handler returns and is run again on a
 * worker (request_on_worker). */
bool registry_use_override(struct request *rq, const struct repository *repo, const struct decision *d,
                           struct reply *reply) MUST_USE;

/* Docker-Content-Digest and ETag of a digest. */
void registry_digest_headers(struct reply *reply, const struct digest *digest);
/* True when If-None-Match names the digest, or is "*" (RFC 9110 section 13.1.2, weak comparison). */
bool registry_not_modified(const struct request *rq, const struct digest *digest);

struct page {
    int max;         /* 0 … PAGE_MAX */
    struct buf last; /* names after this one */
};
/* May the Range of the request be looked at? It is for GET alone, and not when an If-Range names another content than
 * `digest` (RFC 9110 sections 14.2 and 13.1.5: a strong ETag; a date cannot agree, since there is none here). */
bool registry_may_range(const struct request *rq, const struct digest *digest);
/* `n` and `last` (OCI distribution 1.1, "Listing Tags"): n absent or above PAGE_MAX gives PAGE_MAX.
 * Expected errors: ERR_REQUEST_INVALID: n is no number, last cannot be decoded or has a NUL (a list from the start again
 * would send a client round in circles). The caller disposes of page->last. */
bool registry_page(const struct request *rq, struct page *out, struct err *err) MUST_USE;
/* How many entries a request may look at to fill a page from a list that is filtered for its caller: as many as an
 * unfiltered page has, and 64 at least. The rest is another page, so that what a repository hides costs no more. */
int registry_looks(const struct page *page);
/* Link to the page after `last`, keeping the query parameter `keep` with its value (empty = none). */
void registry_next_link(const struct request *rq, struct reply *reply, const struct page *page,
                        struct slice last, const char *keep, struct slice value);

#endif
