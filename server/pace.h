/* How long work must wait to stay below a rate. Pure: the time is an argument.
 * Owns: the arithmetic. Refuses to know: how anybody waits. */
#ifndef SERVER_PACE_H
#define SERVER_PACE_H

#include <stdint.h>

struct pace {
    int64_t rate;   /* units per second; 0: no limit */
    int64_t due_us; /* when what was granted so far is used up, monotonic */
};

/* Grants `units` and returns how many microseconds to wait before they are used. Idle time is not
 * saved up. */
int64_t pace_wait_us(struct pace *p, int64_t units, int64_t mono_us);

#endif
