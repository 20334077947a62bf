#include "server/sweeper.h"

#include "base/buf.h"
#include "base/clock.h"
#include "server/metrics.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>

struct peer {
    LIST_ENTRY(peer) link;
    struct sweeper *sweeper;
    int fd;
    atomic_uint_fast64_t phase; /* serial number * 4 + enum peer_phase */
    /* the sweeper's own: since when it sees this phase, and the connection's bytes then */
    uint_fast64_t seen;
    int64_t since_us;
    uint64_t bytes_then;
    bool ended;
};

struct sweeper {
    struct sweeper_limits limits;
    struct metrics *metrics;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping;
    size_t count;
    LIST_HEAD(, peer) peers;
};

static uint64_t bytes_moved(int fd)
{
    struct tcp_info info = {0};
    socklen_t n = sizeof(info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) != 0) {
        return 0;
    }
    return info.tcpi_bytes_acked + info.tcpi_bytes_received;
}

static void end(struct peer *p)
{
    p->ended = true;
    (void)shutdown(p->fd, SHUT_RDWR);
    metrics_add(p->sweeper->metrics, METRIC_SLOW_ENDED, 1);
}

static bool is_slow(const struct sweeper *s, const struct peer *p, int64_t now_us)
{
    int64_t took_us = now_us - p->since_us;
    if (took_us < s->limits.slow_after_us) {
        return false;
    }
    uint64_t moved = bytes_moved(p->fd) - p->bytes_then;
    bool silent = moved == 0 && (p->seen & 3) == PEER_IDLE; /* the library's timeout sees those */
    return !silent && moved < (uint64_t)(took_us / US_PER_SECOND * s->limits.slow_rate);
}

static void look(struct sweeper *s, struct peer *p, int64_t now_us)
{
    uint_fast64_t phase = atomic_load_explicit(&p->phase, memory_order_relaxed);
    if (phase != p->seen || (phase & 3) == PEER_WORKING) {
        p->seen = phase;
        p->since_us = now_us;
        p->bytes_then = bytes_moved(p->fd);
        return;
    }
    if (!p->ended && is_slow(s, p, now_us)) {
        end(p);
    }
}

static int by_age(const void *a, const void *b)
{
    const struct peer *x = *(const struct peer *const *)a;
    const struct peer *y = *(const struct peer *const *)b;
    return (x->since_us > y->since_us) - (x->since_us < y->since_us);
}

/* Asked of the live phase too: a request may have begun since this sweep looked. */
static bool is_idle(const struct peer *p)
{
    uint_fast64_t phase = atomic_load_explicit(&p->phase, memory_order_relaxed);
    return !p->ended && phase == p->seen && (phase & 3) == PEER_IDLE;
}

/* An idle connection holds the library's whole buffer: above three quarters of the limit the oldest
 * go. */
static void end_idle(struct sweeper *s)
{
    size_t keep = s->limits.connections / 4 * 3;
    if (s->count <= keep) {
        return;
    }
    struct peer **idle = xcalloc(s->count, sizeof(struct peer *));
    size_t n = 0;
    size_t open = 0; /* without those that were ended and that the library has not closed yet */
    struct peer *p;
    LIST_FOREACH(p, &s->peers, link)
    {
        open += !p->ended;
        if (is_idle(p)) {
            idle[n++] = p;
        }
    }
    qsort(idle, n, sizeof(struct peer *), by_age);
    for (size_t i = 0; i < n && open > keep; i++) {
        if (is_idle(idle[i])) {
            end(idle[i]);
            open--;
        }
    }
    free(idle);
}

static void *sweep(void *arg)
{
    struct sweeper *s = arg;
    (void)pthread_mutex_lock(&s->lock);
    while (!s->stopping) {
        struct timespec until;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 1;
        (void)pthread_cond_timedwait(&s->wake, &s->lock, &until);
        int64_t now_us = clock_mono_us();
        struct peer *p;
        LIST_FOREACH(p, &s->peers, link)
        {
            look(s, p, now_us);
        }
        end_idle(s);
    }
    (void)pthread_mutex_unlock(&s->lock);
    return NULL;
}

struct sweeper *sweeper_new(const struct sweeper_limits *limits, struct metrics *metrics)
{
    struct sweeper *s = xcalloc(1, sizeof(*s));
    s->limits = *limits;
    s->metrics = metrics;
    LIST_INIT(&s->peers);
    if (pthread_mutex_init(&s->lock, NULL) != 0 || pthread_cond_init(&s->wake, NULL) != 0 ||
        pthread_create(&s->thread, NULL, sweep, s) != 0) {
        BUG("the sweeper's thread could not be made");
    }
    return s;
}

void sweeper_free(struct sweeper *s)
{
    if (s == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&s->lock);
    s->stopping = true;
    (void)pthread_cond_signal(&s->wake);
    (void)pthread_mutex_unlock(&s->lock);
    (void)pthread_join(s->thread, NULL);
    (void)pthread_cond_destroy(&s->wake);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

struct peer *peer_new(struct sweeper *s, int fd)
{
    struct peer *p = xcalloc(1, sizeof(*p));
    p->sweeper = s;
    p->fd = fd;
    p->since_us = clock_mono_us();
    (void)pthread_mutex_lock(&s->lock);
    LIST_INSERT_HEAD(&s->peers, p, link);
    s->count++;
    (void)pthread_mutex_unlock(&s->lock);
    metrics_add(s->metrics, METRIC_CONNECTIONS, 1);
    metrics_add(s->metrics, METRIC_CONNECTIONS_TOTAL, 1);
    return p;
}

void peer_end(struct peer *p)
{
    struct sweeper *s = p->sweeper;
    (void)pthread_mutex_lock(&s->lock);
    LIST_REMOVE(p, link);
    s->count--;
    (void)pthread_mutex_unlock(&s->lock);
    metrics_add(s->metrics, METRIC_CONNECTIONS, -1);
    free(p);
}

void peer_set(struct peer *p, enum peer_phase phase)
{
    if (p != NULL) {
        uint_fast64_t before = atomic_load_explicit(&p->phase, memory_order_relaxed);
        atomic_store_explicit(&p->phase, (before / 4 + 1) * 4 + (uint_fast64_t)phase,
                              memory_order_relaxed);
    }
}
