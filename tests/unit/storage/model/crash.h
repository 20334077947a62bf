/* A death at a chosen system call: the program's own definitions of the calls by which the store and the database
 * engine change files; each counts, and one of them is the last. fsync and fdatasync do nothing but count: what a
 * process wrote outlives the process without them, and a run of the model makes thousands. */
#ifndef TESTS_UNIT_STORAGE_MODEL_CRASH_H
#define TESTS_UNIT_STORAGE_MODEL_CRASH_H

#include <stdint.h>

/* From now on the process is killed at the n-th call, before or after it is carried out; 0: never. Any thread. */
void crash_arm(int64_t n, int after);

#endif
