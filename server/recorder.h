/* The thread that writes records of decisions that were allowed, and ends the windows in which equal
 * ones are counted (storage/decision_log.h). */
#ifndef SERVER_RECORDER_H
#define SERVER_RECORDER_H

#include "server/app.h"

struct recorder;

/*   app   borrowed, must outlive */
struct recorder *recorder_new(struct app *app);
/* Writes all that waits, ends the thread. After the last decision. Accepts NULL. */
void recorder_free(struct recorder *r);

#endif
