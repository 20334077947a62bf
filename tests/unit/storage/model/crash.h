/* A death at a chosen system call: the program's own definitions of the calls by which the store and the database
 * engine change files; each counts, and one of them is the last. fsync and fdatasync do nothing but count: what a
 * process wrote outlives the process without them, and a run of the model makes thousands. */
#ifndef TESTS_UNIT_STORAGE_MODEL_CRASH_H
#define TESTS_UNIT_STORAGE_MODEL_CRASH_H

#include <stdbool.h>
#include <stdint.h>

enum crash_call {
    CRASH_NEVER,
    CRASH_ANY,
    CRASH_LINK,  /* a blob gets its name, and has no row yet */
    CRASH_UNLINK /* a file goes */
};

/* From now on the process is killed at the n-th call of this kind, before or after it is carried out. Before the first
 * other thread is made. */
void crash_arm(enum crash_call call, int64_t n, bool after);

#endif
