#include "server/metrics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define STATUS_CLASSES 6
#define GATE_ROWS 256

struct route_counters {
    atomic_llong answers[STATUS_CLASSES]; /* as classes */
    atomic_llong took_us, bytes_in, bytes_out;
};

struct gate_row {
    char door[24], effect[16], reason[32];
    atomic_llong count;
};

struct metrics {
    const char *const *labels;
    size_t label_count;
    struct route_counters *routes; /* label_count + 1: the last one is for what matched no route */
    atomic_llong values[METRIC_COUNT];
    pthread_mutex_t lock; /* adding gate rows */
    struct gate_row gate[GATE_ROWS];
    atomic_size_t gate_count;
    struct {
        _Atomic(const char *) role; /* NULL: nobody counted */
        atomic_llong count;
    } expiring[METRICS_EXPIRING];
};

/* By the first digit of the status. */
static const char *const classes[STATUS_CLASSES] = {"cut", "1xx", "2xx", "3xx", "4xx", "5xx"};

static const struct {
    const char *name, *type, *help;
} table[METRIC_COUNT] = {
    [METRIC_CONNECTIONS] = {"bondstore_connections", "gauge", "Open connections."},
    [METRIC_CONNECTIONS_TOTAL] = {"bondstore_connections_total", "counter",
                                  "Connections accepted."},
    [METRIC_WORKERS_BUSY] = {"bondstore_worker_jobs", "gauge",
                             "Jobs that wait for or run on a worker."},
    [METRIC_REFUSED_BUSY] = {"bondstore_busy_refusals_total", "counter",
                             "Requests refused because the workers' queue was full."},
    [METRIC_REFUSED_REQUESTS] = {"bondstore_malformed_requests_total", "counter",
                                 "Requests refused as malformed."},
    [METRIC_SLOW_ENDED] = {"bondstore_slow_connections_ended_total", "counter",
                           "Connections ended below the minimum rate or to make room."},
    [METRIC_INDEX_WRITABLE] = {"bondstore_index_writable", "gauge",
                               "1 while changes can be stored, 0 after one that the disk refused."},
    [METRIC_UPLOADS_EXPIRED] = {"bondstore_uploads_expired_total", "counter",
                                "Uploads ended as idle."},
    [METRIC_BLOBS_COLLECTED] = {"bondstore_blobs_collected_total", "counter",
                                "Unreferenced blobs removed."},
    [METRIC_TRUST_OPERATIONAL] = {"bondstore_trust_operational", "gauge",
                                  "1 while trust data can be published and renewed, 0 while not."},
    [METRIC_TRUST_RENEWED] = {"bondstore_trust_renewals_total", "counter",
                              "Timestamps renewed by maintenance."},
    [METRIC_TRUST_COLLECTED] = {"bondstore_trust_documents_collected_total", "counter",
                                "Superseded trust documents removed."},
    [METRIC_TAGS_RETIRED] = {"bondstore_tags_retired_total", "counter",
                             "Tags removed by tag rules."},
    [METRIC_MANIFESTS_RETIRED] = {"bondstore_manifests_retired_total", "counter",
                                  "Manifests removed by tag rules."},
    [METRIC_MAINTENANCE_ERRORS] = {"bondstore_maintenance_errors_total", "counter",
                                   "Failed maintenance steps."},
    [METRIC_SCRUB_BYTES] = {"bondstore_scrub_bytes_total", "counter",
                            "Bytes of blobs and manifests that scrub has read again."},
    [METRIC_SCRUB_FINDINGS] = {"bondstore_scrub_findings_total", "counter",
                               "Blobs and manifests that scrub found missing or damaged."},
    [METRIC_BLOBS_MISSING] = {"bondstore_blobs_missing", "gauge",
                              "Blobs that are marked missing until they are pushed again."},
    [METRIC_BLOB_READ_ERRORS] = {"bondstore_blob_read_errors_total", "counter",
                                 "Requests that failed because the file of a blob could not be "
                                 "read."},
    [METRIC_OVERRIDES_ACTIVE] = {"bondstore_overrides_active", "gauge",
                                 "Overrides that let a digest through now."},
};

struct metrics *metrics_new(const char *const *labels, size_t label_count)
{
    struct metrics *m = xcalloc(1, sizeof(*m));
    m->labels = labels;
    m->label_count = label_count;
    m->routes = xcalloc(label_count + 1, sizeof(*m->routes));
    if (pthread_mutex_init(&m->lock, NULL) != 0) {
        BUG("a lock could not be made");
    }
    return m;
}

void metrics_free(struct metrics *m)
{
    if (m != NULL) {
        (void)pthread_mutex_destroy(&m->lock);
        free(m->routes);
        free(m);
    }
}

static void add(atomic_llong *counter, int64_t by)
{
    atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

static long long get(const atomic_llong *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void metrics_request(struct metrics *m, size_t label, int status, int64_t took_us, int64_t bytes_in,
                     int64_t bytes_out)
{
    struct route_counters *r = &m->routes[label < m->label_count ? label : m->label_count];
    int class_ = status >= 0 && status < 600 ? status / 100 : STATUS_CLASSES - 1;
    add(&r->answers[class_], 1);
    add(&r->took_us, took_us);
    add(&r->bytes_in, bytes_in);
    add(&r->bytes_out, bytes_out);
}

void metrics_add(struct metrics *m, enum metric which, int64_t by)
{
    add(&m->values[which], by);
}

void metrics_set(struct metrics *m, enum metric which, int64_t value)
{
    atomic_store_explicit(&m->values[which], value, memory_order_relaxed);
}

int64_t metrics_value(const struct metrics *m, enum metric which)
{
    return get(&m->values[which]);
}

static struct gate_row *gate_find(struct metrics *m, size_t from, size_t to, const char *door,
                                  const char *effect, const char *reason)
{
    for (size_t i = from; i < to; i++) {
        struct gate_row *row = &m->gate[i];
        if (strcmp(row->reason, reason) == 0 && strcmp(row->effect, effect) == 0 &&
            strcmp(row->door, door) == 0) {
            return row;
        }
    }
    return NULL;
}

/* A new combination of words: published by the count, after the row is written. */
static struct gate_row *gate_add(struct metrics *m, const char *door, const char *effect,
                                 const char *reason)
{
    (void)pthread_mutex_lock(&m->lock);
    size_t n = atomic_load_explicit(&m->gate_count, memory_order_relaxed);
    struct gate_row *row = gate_find(m, 0, n, door, effect, reason);
    if (row == NULL && n < GATE_ROWS) {
        row = &m->gate[n];
        (void)snprintf(row->door, sizeof(row->door), "%s", door);
        (void)snprintf(row->effect, sizeof(row->effect), "%s", effect);
        (void)snprintf(row->reason, sizeof(row->reason), "%s", reason);
        atomic_store_explicit(&m->gate_count, n + 1, memory_order_release);
    }
    (void)pthread_mutex_unlock(&m->lock);
    return row;
}

void metrics_gate(struct metrics *m, const char *door, const char *effect, const char *reason)
{
    size_t n = atomic_load_explicit(&m->gate_count, memory_order_acquire);
    struct gate_row *row = gate_find(m, 0, n, door, effect, reason);
    if (row == NULL) {
        row = gate_add(m, door, effect, reason);
    }
    if (row != NULL) {
        add(&row->count, 1);
    }
}

void metrics_expiring(struct metrics *m, size_t index, const char *role, int64_t count)
{
    atomic_store(&m->expiring[index].count, count);
    atomic_store(&m->expiring[index].role, role);
}

static const char *label_of(const struct metrics *m, size_t i)
{
    return i < m->label_count ? m->labels[i] : "none";
}

static void write_routes(const struct metrics *m, struct buf *out)
{
    buf_str(out, "# HELP bondstore_requests_total Requests by handler and class of the answer; "
                 "cut: the client went away before one.\n"
                 "# TYPE bondstore_requests_total counter\n");
    for (size_t i = 0; i <= m->label_count; i++) {
        for (int c = 0; c < STATUS_CLASSES; c++) {
            long long n = get(&m->routes[i].answers[c]);
            if (n > 0) {
                buf_printf(out, "bondstore_requests_total{handler=\"%s\",status=\"%s\"} %lld\n",
                           label_of(m, i), classes[c], n);
            }
        }
    }
}

static void write_sums(const struct metrics *m, struct buf *out)
{
    buf_str(out, "# HELP bondstore_request_seconds_total Time spent on requests by handler.\n"
                 "# TYPE bondstore_request_seconds_total counter\n");
    for (size_t i = 0; i <= m->label_count; i++) {
        long long us = get(&m->routes[i].took_us);
        if (us > 0) {
            buf_printf(out, "bondstore_request_seconds_total{handler=\"%s\"} %lld.%06lld\n",
                       label_of(m, i), us / 1000000, us % 1000000);
        }
    }
    long long in = 0;
    long long sent = 0;
    for (size_t i = 0; i <= m->label_count; i++) {
        in += get(&m->routes[i].bytes_in);
        sent += get(&m->routes[i].bytes_out);
    }
    buf_printf(out,
               "# HELP bondstore_body_bytes_total Bytes of bodies.\n# TYPE "
               "bondstore_body_bytes_total counter\n"
               "bondstore_body_bytes_total{direction=\"in\"} "
               "%lld\nbondstore_body_bytes_total{direction=\"out\"} %lld\n",
               in, sent);
}

static void write_gate(struct metrics *m, struct buf *out)
{
    size_t n = atomic_load_explicit(&m->gate_count, memory_order_acquire);
    buf_str(out, "# HELP bondstore_gate_decisions_total Decisions of the gate.\n"
                 "# TYPE bondstore_gate_decisions_total counter\n");
    for (size_t i = 0; i < n; i++) {
        buf_printf(out,
                   "bondstore_gate_decisions_total{effect=\"%s\",reason=\"%s\",door=\"%s\"} %lld\n",
                   m->gate[i].effect, m->gate[i].reason, m->gate[i].door, get(&m->gate[i].count));
    }
}

static void write_expiring(struct metrics *m, struct buf *out)
{
    buf_str(out, "# HELP bondstore_trust_expiring Signed documents that end soon, or have ended, and "
                 "that a person must renew.\n# TYPE bondstore_trust_expiring gauge\n");
    for (size_t i = 0; i < METRICS_EXPIRING; i++) {
        const char *role = atomic_load(&m->expiring[i].role);
        if (role != NULL) {
            buf_printf(out, "bondstore_trust_expiring{role=\"%s\"} %lld\n", role,
                       get(&m->expiring[i].count));
        }
    }
}

void metrics_write(struct metrics *m, struct buf *out)
{
    for (int i = 0; i < METRIC_COUNT; i++) {
        buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %lld\n", table[i].name, table[i].help,
                   table[i].name, table[i].type, table[i].name, get(&m->values[i]));
    }
    write_routes(m, out);
    write_sums(m, out);
    write_gate(m, out);
    write_expiring(m, out);
}
