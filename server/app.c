#include "server/app.h"

#include "auth/auth.h"
#include "auth/rate.h"
#include "base/clock.h"
#include "base/fsx.h"
#include "server/metrics.h"
#include "server/route.h"
#include "storage/decision_log.h"
#include "storage/pull.h"
#include "storage/store.h"
#include "trust/trust.h"

#include <fcntl.h>

#define PUBLISHERS 8192 /* accounts whose turns are remembered */

static bool open_store(struct app *app, struct err *err)
{
    const struct config *c = app->config;
    if (!store_open(c->data_dir, &app->store, err)) {
        return false;
    }
    struct store_limits limits = *store_get_limits(app->store);
    limits.uploads_per_account = (int)c->limits_uploads_per_account;
    limits.upload_idle_us = c->limits_upload_idle;
    limits.condemned_us = c->limits_unreferenced;
    store_set_limits(app->store, &limits);
    app->db = store_db(app->store);
    app->decisions = decision_log_new(app->db);
    return true;
}

/* The data folder's own gets its folder; a folder elsewhere is not made: a volume that is not mounted
 * must not look like a new checkpoint. */
bool app_checkpoint_path(const struct config *c, struct buf *out, struct err *err)
{
    if (c->checkpoint) {
        buf_str(out, c->checkpoint);
        return true;
    }
    buf_printf(out, "%s/checkpoint", c->data_dir);
    if (!fsx_mkdir(AT_FDCWD, out->p, 0700, err)) {
        return false;
    }
    buf_str(out, "/trust");
    return true;
}

void app_sealing_path(const struct config *c, struct buf *out)
{
    buf_printf(out, "%s/secrets/sealing.key", c->data_dir);
}

bool app_open_trust(const struct config *c, struct store *store, struct trust **out,
                    struct err *err)
{
    auto_buf struct buf key = {0}, checkpoint = {0};
    if (!app_checkpoint_path(c, &checkpoint, err)) {
        return false;
    }
    app_sealing_path(c, &key);
    const struct trust_settings settings = {.store = store,
                                            .host = c->canonical_host,
                                            .aliases = c->aliases,
                                            .sealing_key_path = key.p,
                                            .checkpoint_path = checkpoint.p,
                                            .view_bytes = (size_t)c->trust_view_memory,
                                            .timestamp_life_us = c->trust_timestamp_life,
                                            .snapshot_life_us = c->trust_snapshot_life,
                                            .max_lifetime_us = c->trust_max_lifetime,
                                            .namespace_bytes = c->trust_namespace_size};
    return trust_open(&settings, out, err);
}

/* Whoever waits for a password to be hashed holds a worker: half of them go on with pushes. */
static unsigned hash_queue(const struct config *c)
{
    size_t half = config_workers(c) / 2;
    return half > 0 ? (unsigned)half : 1;
}

static bool open_auth(struct app *app, struct err *err)
{
    const struct config *c = app->config;
    auto_buf struct buf secrets = {0};
    buf_printf(&secrets, "%s/secrets", c->data_dir);
    const struct auth_options options = {.db = app->db,
                                         .secrets_dir = secrets.p,
                                         .public_url = c->public_url,
                                         .service = c->service,
                                         .canonical_host = c->canonical_host,
                                         .aliases = c->aliases,
                                         .alias_count = c->alias_count,
                                         .token_lifetime_s = c->tokens_lifetime / US_PER_SECOND,
                                         .hash_slots = (unsigned)c->passwords_at_once,
                                         .hash_queue = hash_queue(c),
                                         .hash_opslimit = (unsigned)c->passwords_passes,
                                         .hash_memlimit = (size_t)c->passwords_memory};
    return auth_new(&options, &app->auth, err);
}

bool app_open(const struct config *config, struct app **out, struct err *err)
{
    struct app *app = xcalloc(1, sizeof(*app));
    app->config = config;
    app->metrics = metrics_new(route_labels(), route_count());
    app->pulls = pull_log_new();
    app->publishes = rate_new(config->limits_publishes, PUBLISHERS);
    if (!open_store(app, err) || !app_open_trust(config, app->store, &app->trust, err) ||
        !open_auth(app, err)) {
        app_close(app);
        return false;
    }
    *out = app;
    return true;
}

void app_close(struct app *app)
{
    if (app == NULL) {
        return;
    }
    auth_free(app->auth);
    trust_close(app->trust);
    decision_log_free(app->decisions);
    store_close(app->store);
    pull_log_free(app->pulls);
    rate_free(app->publishes);
    metrics_free(app->metrics);
    free(app);
}
