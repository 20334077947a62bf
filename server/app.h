/* The parts of a running server, made once at start, constant afterwards. Handlers reach them
 * through rq->app. */
#ifndef SERVER_APP_H
#define SERVER_APP_H

#include "base/err.h"
#include "server/config.h"

#include <stdatomic.h>

struct db;
struct store;
struct trust;
struct auth;
struct metrics;
struct pull_log;
struct decision_log;
struct scrubber;
struct maintenance;
struct rate;

struct app {
    const struct config *config;
    struct store *store; /* storage/store.h: folders, database, uploads */
    struct db *db;       /* store's database */
    struct trust *trust; /* trust/trust.h: gate views, publish locks, sealed keys */
    struct auth *auth;   /* auth/auth.h: token keys, verified-token cache, throttle, hashing pool */
    struct rate *publishes;  /* auth/rate.h: of trust data, by account */
    struct metrics *metrics; /* server/metrics.h */
    struct pull_log *pulls;  /* storage/pull.h: what was pulled since it was last written */
    struct decision_log *decisions; /* storage/decision_log.h: on their way to their records */
    struct maintenance *maintenance; /* server/maintenance.h; NULL where none runs (tests) */
    struct scrubber *scrubber; /* server/scrubber.h; NULL where none runs (tests) */
    atomic_bool stopping;    /* set at SIGTERM: not ready any more */
};

/* Opens everything below the HTTP core.
 *   config   borrowed, must outlive
 * Expected errors: one sentence that a person can act on (folder in use, newer database, unreadable
 * secret, disk full). */
bool app_open(const struct config *config, struct app **out, struct err *err) MUST_USE;
/* No thread may use it any more. Accepts NULL. */
void app_close(struct app *app);

/* The file of the sealing key. */
void app_sealing_path(const struct config *c, struct buf *out);
/* The file of the checkpoint; the data folder's own gets its folder. Errors as fsx_mkdir. */
bool app_checkpoint_path(const struct config *c, struct buf *out, struct err *err) MUST_USE;
/* Opens the trust of a configuration over its database, for verbs that need no more of the app; the
 * caller closes it. Errors as trust_open. */
bool app_open_trust(const struct config *c, struct store *store, struct trust **out,
                    struct err *err) MUST_USE;

#endif
