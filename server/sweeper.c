#include "server/sweeper.h"

#include "base/buf.h"
#include "base/clock.h"
#include "server/metrics.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sodium.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

/* In a crowd: how long a client may take for its next request or for the head of it, and from when
 * on the rate is asked for. The short time is for the last eighth of the room. */
#define PATIENCE_US (2 * US_PER_SECOND)
#define PATIENCE_SHORT_US (US_PER_SECOND / 4)
#define PATIENCE_SLOW_US (5 * US_PER_SECOND)
#define LOOK_MAX 256    /* peers that are looked at in one turn with the lock */
#define SOURCES 4096    /* slots; two addresses in one slot count as one */
#define SOURCE_SHARE 16 /* of the limit: who holds more than that part goes before others */
#define HEAVY_RATE 16   /* so many times the minimum rate is asked of them in a crowd */
#define SWEEP_US US_PER_SECOND
#define SWEEP_PAUSE_US (US_PER_SECOND / 10) /* between two sweeps that newcomers asked for */

struct peer {
    LIST_ENTRY(peer) link;
    struct sweeper *sweeper;
    int fd;
    size_t source;              /* slot of its address; SOURCES: not counted */
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
    int wake; /* eventfd */
    bool stopping;
    bool crowded; /* somebody came who makes it more than three quarters */
    size_t count;
    unsigned by_source[SOURCES + 1];
    unsigned char source_key[crypto_shorthash_KEYBYTES]; /* nobody chooses whose slot he shares */
    LIST_HEAD(, peer) peers;
    struct peer *next; /* where a look at all of them goes on */
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

/*   rate   bytes per second that are enough */
static bool is_slow(const struct peer *p, int64_t after_us, int64_t rate, int64_t now_us)
{
    int64_t took_us = now_us - p->since_us;
    if (took_us < after_us) {
        return false;
    }
    uint64_t moved = bytes_moved(p->fd) - p->bytes_then;
    bool silent = moved == 0 && (p->seen & 3) == PEER_IDLE; /* the library's timeout sees those */
    return !silent && moved < (uint64_t)(took_us * rate / US_PER_SECOND);
}

/* The library is told of bytes and of the client's end by edges. When both are there before it reads,
 * it takes what it gets for all there is and waits for an edge that does not come: the end would be
 * seen when the timeout for silence is over, and an upload's session was in use until then. Nothing
 * more is to be received anyway, so this changes nothing but that the library is told again. */
static void tell_of_end(const struct peer *p)
{
    struct pollfd end = {.fd = p->fd, .events = POLLRDHUP};
    if (poll(&end, 1, 0) == 1 && (end.revents & POLLRDHUP) != 0) {
        (void)shutdown(p->fd, SHUT_RD);
    }
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
    if (!p->ended && is_slow(p, s->limits.slow_after_us, s->limits.slow_rate, now_us)) {
        end(p);
    } else if ((phase & 3) != PEER_IDLE) {
        tell_of_end(p);
    }
}

/* ---- a crowd: who gives way ---- */

enum turn { TURN_SILENT, TURN_IDLE, TURN_HEAD, TURN_SLOW, TURN_NEVER };

struct candidate {
    struct peer *peer;
    enum turn turn;
    bool light; /* its address holds few connections */
};

static bool is_light(const struct sweeper *s, const struct peer *p)
{
    return p->source == SOURCES || s->by_source[p->source] <= s->limits.connections / SOURCE_SHARE;
}

static bool is_nearly_full(const struct sweeper *s)
{
    return s->count > s->limits.connections / 8 * 7;
}

/* How long this phase may last. Others come in only as fast as the connections of an address that
 * holds many go. */
static int64_t patience_us(const struct sweeper *s, const struct peer *p, enum peer_phase phase)
{
    bool pressed = is_nearly_full(s);
    bool heavy = pressed && !is_light(s, p);
    switch (phase) {
    case PEER_IDLE:
        return heavy ? 0 : pressed ? PATIENCE_SHORT_US : PATIENCE_US;
    case PEER_HEAD:
        return pressed ? PATIENCE_SHORT_US : PATIENCE_US;
    case PEER_MOVING:
    case PEER_WORKING:
        break;
    }
    return heavy ? PATIENCE_SHORT_US : PATIENCE_SLOW_US;
}

static int64_t crowd_rate(const struct sweeper *s, const struct peer *p)
{
    return is_light(s, p) ? s->limits.slow_rate : s->limits.slow_rate * HEAVY_RATE;
}

/* Asked of the live phase too: a request may have begun since this sweep looked. */
static enum turn turn_of(const struct sweeper *s, const struct peer *p, int64_t now_us)
{
    uint_fast64_t phase = atomic_load_explicit(&p->phase, memory_order_relaxed);
    int64_t patience = patience_us(s, p, (enum peer_phase)(phase & 3));
    bool waited = now_us - p->since_us >= patience;
    if (p->ended || phase != p->seen) {
        return TURN_NEVER;
    }
    switch ((enum peer_phase)(phase & 3)) {
    case PEER_IDLE:
        return !waited ? TURN_NEVER : phase == 0 ? TURN_SILENT : TURN_IDLE;
    case PEER_HEAD:
        return waited ? TURN_HEAD : TURN_NEVER;
    case PEER_MOVING:
        return is_slow(p, patience, crowd_rate(s, p), now_us) ? TURN_SLOW : TURN_NEVER;
    case PEER_WORKING:
        break;
    }
    return TURN_NEVER;
}

static int by_turn(const void *a, const void *b)
{
    const struct candidate *x = a;
    const struct candidate *y = b;
    if (x->light != y->light) {
        return x->light ? 1 : -1;
    }
    if (x->turn != y->turn) {
        return x->turn < y->turn ? -1 : 1;
    }
    return (x->peer->since_us > y->peer->since_us) - (x->peer->since_us < y->peer->since_us);
}

static size_t crowd(const struct sweeper *s)
{
    return s->limits.connections / 4 * 3;
}

/* A connection holds the library's whole buffer, and beyond the limit nobody comes in: above three
 * quarters of it those go that keep the server waiting: of addresses that hold many first, in their turn, the oldest
 * first. */
static void thin_out(struct sweeper *s, int64_t now_us)
{
    if (s->count <= crowd(s)) {
        return;
    }
    struct candidate *all = xcalloc(s->count, sizeof(*all));
    size_t n = 0;
    size_t open = 0; /* without those that were ended and that the library has not closed yet */
    struct peer *p;
    LIST_FOREACH(p, &s->peers, link)
    {
        open += !p->ended;
        all[n] = (struct candidate){p, turn_of(s, p, now_us), is_light(s, p)};
        n += all[n].turn != TURN_NEVER;
    }
    qsort(all, n, sizeof(*all), by_turn);
    for (size_t i = 0; i < n && open > crowd(s); i++) {
        if (turn_of(s, all[i].peer, now_us) != TURN_NEVER) {
            end(all[i].peer);
            open--;
        }
    }
    free(all);
}

/* ---- the thread ---- */

/* Wakes the thread; the lock is held. */
static void wake_up(struct sweeper *s)
{
    (void)eventfd_write(s->wake, 1);
}

/* Lets the lock go meanwhile. The kernel counts the time itself: no clock that somebody sets makes
 * the wait shorter or longer. */
static void wait_for(struct sweeper *s, int64_t us)
{
    struct pollfd wake = {.fd = s->wake, .events = POLLIN};
    eventfd_t times;
    (void)pthread_mutex_unlock(&s->lock);
    if (poll(&wake, 1, (int)(us / 1000) + 1) > 0) {
        (void)eventfd_read(s->wake, &times);
    }
    (void)pthread_mutex_lock(&s->lock);
}

/* Once a second, sooner when newcomers find a crowd. */
static void wait_for_turn(struct sweeper *s, int64_t last_us)
{
    while (!s->stopping) {
        int64_t pause_us = s->crowded ? SWEEP_PAUSE_US : SWEEP_US;
        int64_t left_us = last_us + pause_us - clock_mono_us();
        if (left_us <= 0) {
            break;
        }
        wait_for(s, left_us);
    }
    s->crowded = false;
}

/* Some at a time: whoever comes or goes waits for the lock no longer than for those. */
static void look_at_all(struct sweeper *s, int64_t now_us)
{
    s->next = LIST_FIRST(&s->peers);
    while (s->next != NULL) {
        for (int i = 0; i < LOOK_MAX && s->next != NULL; i++) {
            struct peer *p = s->next;
            s->next = LIST_NEXT(p, link);
            look(s, p, now_us);
        }
        (void)pthread_mutex_unlock(&s->lock);
        (void)sched_yield(); /* a lock that is taken again at once is not had by those who wait */
        (void)pthread_mutex_lock(&s->lock);
    }
}

static void *sweep(void *arg)
{
    struct sweeper *s = arg;
    (void)pthread_mutex_lock(&s->lock);
    for (int64_t now_us = clock_mono_us(); !s->stopping; now_us = clock_mono_us()) {
        look_at_all(s, now_us);
        thin_out(s, now_us);
        wait_for_turn(s, now_us);
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
    randombytes_buf(s->source_key, sizeof(s->source_key));
    s->wake = eventfd(0, EFD_CLOEXEC);
    if (s->wake < 0 || pthread_mutex_init(&s->lock, NULL) != 0 ||
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
    wake_up(s);
    (void)pthread_mutex_unlock(&s->lock);
    (void)pthread_join(s->thread, NULL);
    (void)close(s->wake);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

static size_t source_of(const struct sweeper *s, struct slice address)
{
    uint64_t hash = 0;
    if (address.n == 0) {
        return SOURCES;
    }
    (void)crypto_shorthash((unsigned char *)&hash, (const unsigned char *)address.p, address.n,
                           s->source_key);
    return hash % SOURCES;
}

struct peer *peer_new(struct sweeper *s, int fd, struct slice address)
{
    struct peer *p = xcalloc(1, sizeof(*p));
    p->sweeper = s;
    p->fd = fd;
    p->source = source_of(s, address);
    p->since_us = clock_mono_us();
    (void)pthread_mutex_lock(&s->lock);
    LIST_INSERT_HEAD(&s->peers, p, link);
    s->count++;
    s->by_source[p->source]++;
    if (s->count > crowd(s) && !s->crowded) {
        s->crowded = true;
        wake_up(s);
    }
    (void)pthread_mutex_unlock(&s->lock);
    metrics_add(s->metrics, METRIC_CONNECTIONS, 1);
    metrics_add(s->metrics, METRIC_CONNECTIONS_TOTAL, 1);
    return p;
}

void peer_end(struct peer *p)
{
    struct sweeper *s = p->sweeper;
    (void)pthread_mutex_lock(&s->lock);
    if (s->next == p) {
        s->next = LIST_NEXT(p, link);
    }
    LIST_REMOVE(p, link);
    s->count--;
    s->by_source[p->source]--;
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
