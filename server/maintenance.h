/* The maintenance thread: trying an index that could not be written, noting of the time, renewal of timestamps,
 * counting of what ends soon, collection of superseded trust documents, end of idle uploads, writing of when things
 * were pulled, retention of tags, removal of what was deleted, collection of unreferenced blobs and empty repositories,
 * purge of dead sessions, end of overrides that are not needed any more, checkpoint of the database. Small steps, one
 * after the other; a failed step is logged, counted and tried again in the next round. Beside it a thread that gives
 * small blobs their files (storage/blob_journal.h).
 *
 * Owns: the schedule. Refuses to know: what the steps do. */
#ifndef SERVER_MAINTENANCE_H
#define SERVER_MAINTENANCE_H

#include "server/app.h"

struct maintenance;

/*   app   borrowed, must outlive. Starts the threads; the first round begins at once. */
struct maintenance *maintenance_new(struct app *app);
/* A round begins now: for whoever left work. Any thread. Accepts NULL. */
void maintenance_wake(struct maintenance *m);
/* Waits for the steps under way, ends the threads. Accepts NULL. */
void maintenance_free(struct maintenance *m);

#endif
