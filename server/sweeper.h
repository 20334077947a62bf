/* Watches connections from outside of the library, whose timeout knows silence only. Ends those that
 * drip below the minimum rate. When many are open it ends, in this order and the oldest first, those
 * that asked nothing since they came, those that are idle between requests, those whose request head
 * is not complete, and those that are slow, until three quarters of the limit are left. Each may take
 * two seconds, less when the room is nearly full, a slow one five: whoever comes to be served is
 * quicker. Those of an address that holds more than a sixteenth of the limit go before all
 * others, so that a crowd from few addresses is its own loss. Ends by shutdown(2) under the lock that
 * also guards the closing of the descriptor; the library then sees the end by itself.
 * The library misses the end of a client that comes together with bytes; within two seconds it is
 * told again.
 *
 * Owns: one record per connection. Refuses to know: HTTP. */
#ifndef SERVER_SWEEPER_H
#define SERVER_SWEEPER_H

#include "base/slice.h"

struct sweeper;
struct peer;
struct metrics;

struct sweeper_limits {
    int64_t slow_after_us; /* from then on a request must keep the rate */
    int64_t slow_rate;     /* bytes per second, both directions together */
    size_t connections;    /* limit of a listener; above three quarters of it somebody must go */
};

/* Starts the thread. */
struct sweeper *sweeper_new(const struct sweeper_limits *limits, struct metrics *metrics);
/* Ends the thread; every peer was given back. Accepts NULL. */
void sweeper_free(struct sweeper *s);

enum peer_phase {
    PEER_IDLE,   /* no request, or not its first line yet */
    PEER_HEAD,   /* the first line is there, the head is not complete */
    PEER_MOVING, /* bytes of a request or of its answer are on their way */
    PEER_WORKING /* the server is at work: its slowness is not the client's */
};

/* A connection began. Loop threads.
 *   address   bytes that stand for where it comes from; empty: unknown, or that of a proxy */
struct peer *peer_new(struct sweeper *s, int fd, struct slice address);
/* It ends; the descriptor is still open. Loop threads. */
void peer_end(struct peer *p);
/* Any thread that owns the request; accepts NULL. */
void peer_set(struct peer *p, enum peer_phase phase);

#endif
