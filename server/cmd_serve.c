#include "base/clock.h"
#include "base/log.h"
#include "server/app.h"
#include "server/cmd.h"
#include "server/defer.h"
#include "server/http_server.h"
#include "server/listener.h"
#include "server/maintenance.h"
#include "server/route.h"
#include "server/router.h"
#include "server/recorder.h"
#include "server/scrubber.h"
#include "server/sweeper.h"
#include "server/tls.h"

#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#define DRAIN_US (8 * US_PER_SECOND) /* of the ten seconds that a stop may take */
#define OWN_DESCRIPTORS 256          /* database, sockets, folders, and some to spare */
#define CONNECTIONS_MIN 16

/* Everything that serves, in the order in which it was made. */
struct serving {
    struct config *config;
    struct app *app;
    struct http_server server;
    struct tls *tls[LISTEN_MAX]; /* by listener; NULL for plain ones */
    struct listener *listeners[LISTEN_MAX + 1];
    size_t listener_count;
    struct recorder *recorder;
};

/* Connections, files on their way out and uploads each hold a descriptor; the soft limit that
 * programs start with is for those that use select(2). */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Connections per listener that the descriptors suffice for: each may have a file on its way. At the
 * limit newcomers wait; without descriptors those who are in would fail, too. */
static size_t fit_connections(const struct config *c)
{
    struct rlimit limit;
    size_t wanted = (size_t)c->limits_connections;
    size_t each = 2 * c->listen_count;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
        limit.rlim_cur >= (rlim_t)(wanted * each + OWN_DESCRIPTORS)) {
        return wanted;
    }
    size_t left = limit.rlim_cur > OWN_DESCRIPTORS ? (size_t)limit.rlim_cur - OWN_DESCRIPTORS : 0;
    size_t fit = left / each > CONNECTIONS_MIN ? left / each : CONNECTIONS_MIN;
    log_event(LOG_WARN, "few_descriptors",
              "limit=%llu connections=%zu wanted=%zu advice=\"raise the limit of open files\"",
              (unsigned long long)limit.rlim_cur, fit, wanted);
    return fit;
}

static void make_core(struct serving *s)
{
    const struct config *c = s->config;
    s->server.connections = fit_connections(c);
    const struct sweeper_limits limits = {.slow_after_us = c->limits_slow_after,
                                          .slow_rate = c->limits_slow_rate,
                                          .connections = s->server.connections};
    uint64_t serial;
    randombytes_buf(&serial, sizeof(serial));
    atomic_init(&s->server.serial, serial);
    s->server.app = s->app;
    s->server.routes = route_table();
    s->server.router = router_new(route_table(), route_count());
    s->server.sweeper = sweeper_new(&limits, s->app->metrics);
    s->server.defer = defer_new(config_workers(c), (size_t)c->limits_queue,
                                s->server.connections * c->listen_count + 64, s->app->metrics);
}

/* All sockets are bound before one is served, so that a port that is taken is said before anything
 * happens. */
static bool bind_all(struct serving *s, struct err *err)
{
    const struct config *c = s->config;
    for (size_t i = 0; i < c->listen_count; i++) {
        const struct config_listen *where = &c->listen[i];
        if (where->certificate != NULL &&
            !tls_new(where->certificate, where->key, &s->tls[i], err)) {
            return false;
        }
        if (!listener_bind_tcp(&s->server, where, s->tls[i], &s->listeners[s->listener_count],
                               err)) {
            return false;
        }
        s->listener_count++;
    }
    if (!listener_bind_control(&s->server, c->data_dir, &s->listeners[s->listener_count], err)) {
        return false;
    }
    s->listener_count++;
    return true;
}

static bool start_all(struct serving *s, struct err *err)
{
    for (size_t i = 0; i < s->listener_count; i++) {
        if (!listener_start(s->listeners[i], err)) {
            return false;
        }
        log_event(LOG_INFO, "listening", "address=\"%s\"", listener_text(s->listeners[i]));
    }
    return true;
}

static bool start(struct serving *s, struct err *err)
{
    if (!app_open(s->config, &s->app, err)) {
        return false;
    }
    make_core(s);
    if (!bind_all(s, err)) {
        return false;
    }
    s->app->maintenance = maintenance_new(s->app);
    s->app->scrubber = scrubber_new(s->app);
    s->recorder = recorder_new(s->app);
    return start_all(s, err);
}

/* Requests under way may end, for a while. */
static void drain(struct serving *s)
{
    int64_t until = clock_mono_us() + DRAIN_US;
    while (atomic_load(&s->server.active) > 0 && clock_mono_us() < until) {
        const struct timespec pause = {.tv_nsec = 10000000};
        (void)nanosleep(&pause, NULL);
    }
}

/* The library aborts when it is stopped with a suspended connection: first nobody new, then the
 * requests under way, then the workers (after which nothing is suspended), then the library. */
static void stop(struct serving *s)
{
    if (s->app != NULL) {
        atomic_store(&s->app->stopping, true);
    }
    atomic_store(&s->server.stopping, true);
    for (size_t i = 0; i < s->listener_count; i++) {
        listener_quiesce(s->listeners[i]);
    }
    drain(s);
    if (s->server.defer != NULL) {
        defer_stop(s->server.defer);
    }
    for (size_t i = 0; i < s->listener_count; i++) {
        listener_stop(s->listeners[i]);
    }
    if (s->app != NULL) { /* after the last request that may give them work */
        maintenance_free(s->app->maintenance);
        scrubber_free(s->app->scrubber);
        recorder_free(s->recorder);
    }
    sweeper_free(s->server.sweeper);
    defer_free(s->server.defer);
    router_free(s->server.router);
    for (size_t i = 0; i < LISTEN_MAX; i++) {
        tls_free(s->tls[i]);
    }
    app_close(s->app);
    config_free(s->config);
}

static void reload(struct serving *s)
{
    for (size_t i = 0; i < LISTEN_MAX; i++) {
        struct err err = {0};
        if (s->tls[i] == NULL) {
            continue;
        }
        if (tls_reload(s->tls[i], &err)) {
            log_event(LOG_INFO, "certificate_reloaded", "file=\"%s\"",
                      s->config->listen[i].certificate);
        } else {
            log_err(LOG_ERROR, "certificate_not_reloaded", &err);
        }
    }
}

/* Signals are taken by this thread alone; threads made later inherit the mask. */
static void block_signals(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGTERM);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, set, NULL);
}

static void wait_for_stop(struct serving *s, const sigset_t *set)
{
    int signal_number = 0;
    while (sigwait(set, &signal_number) == 0) {
        if (signal_number != SIGHUP) {
            log_event(LOG_INFO, "stopping", "signal=%d", signal_number);
            return;
        }
        reload(s);
    }
}

int cmd_serve(int argc, char **argv)
{
    struct serving s = {0};
    struct err err = {0};
    sigset_t set;
    int status =
        cmd_config(argc, argv,
                   "Serves a data folder in the foreground until SIGTERM. SIGHUP reads the "
                   "certificates again.",
                   &s.config);
    if (status >= 0) {
        return status;
    }
    raise_descriptor_limit();
    block_signals(&set);
    status = 0;
    if (start(&s, &err)) {
        log_event(LOG_INFO, "ready", "url=\"%s\" version=%s", s.config->public_url,
                  BONDSTORE_VERSION);
        wait_for_stop(&s, &set);
    } else {
        status = cmd_fail(&err);
    }
    stop(&s);
    return status;
}
