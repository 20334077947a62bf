/* Everybody at once: clients that push, delete and mount, the collector and the expiry, each on a thread, in whatever
 * order. A test of its own, for test_race.c. */
#ifndef TESTS_UNIT_STORAGE_RACE_CROWD_H
#define TESTS_UNIT_STORAGE_RACE_CROWD_H

/* Takes a scene. */
void nothing_is_lost_when_all_come_at_once(void **state);

#endif
