/* The scrubbing thread of a server: one whole round of scrub every scrub.interval at no more than
 * scrub.rate, going on after a restart where it was; a blob whose reading failed at a request is
 * looked at first.
 * Owns: schedule, rate, log lines and counters. Refuses to know: what makes a file bad
 * (storage/scrub.h). */
#ifndef SERVER_SCRUBBER_H
#define SERVER_SCRUBBER_H

#include "base/digest.h"
#include "server/app.h"

struct scrubber;

/*   app   borrowed, must outlive; its config gives interval and rate. Starts the thread. */
struct scrubber *scrubber_new(struct app *app);
/* Interrupts what is being read, ends the thread. Accepts NULL. */
void scrubber_free(struct scrubber *s);
/* A round was begun from outside (scrub_begin): goes to work now. Any thread. Accepts NULL. */
void scrubber_wake(struct scrubber *s);
/* Reads this blob next. A few are remembered, each once; more are left to the round. Any thread,
 * never waits. Accepts NULL. */
void scrubber_suspect(struct scrubber *s, const struct digest *digest);

/* Reading a blob for a request failed: logged, counted, and the scrubber looks at it next; nothing
 * is marked here. Any thread.
 *   sys    errno; 0: fewer bytes than the index says */
void scrubber_read_failed(struct app *app, const struct digest *digest, int sys);

#endif
