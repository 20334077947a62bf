/* A library that is preloaded into a server under test and stands between it and the file system: it numbers the calls
 * that change files below one folder, makes chosen ones fail or end the process, and records all of them so that the
 * state after a power cut can be computed. It calls the kernel itself, so that it works beside sanitizers too.
 *
 * Environment
 *   FAULT_ROOT     the folder; everything else passes untouched. Without it the library does nothing
 *   FAULT_CONTROL  a file of rules (rules.c), read again at every call: a test writes and removes it while the server
 *                  runs
 *   FAULT_TRACE    a file to which one line per call is appended: number, operation, path, what was done, site
 *   FAULT_RECORD   a file to which every change is appended, with its bytes (record.c; read by power.py)
 *
 * Invariants
 *   1. Calls that change something run one at a time, in the order of their numbers: trace and record tell the truth.
 *   2. What is recorded as synced includes every change that was recorded before. The sync itself is not made. */
#ifndef TESTS_CRASH_FAULT_H
#define TESTS_CRASH_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FAULT_PATH_MAX 4096
#define FAULT_SITE_MAX 512

/* Operations from OP_OPEN on only look: rules reach them when they name them, they are not numbered. */
#define FAULT_OPS(X)                                                                               \
    X(CREATE, "create")                                                                            \
    X(WRITE, "write")                                                                              \
    X(TRUNCATE, "truncate")                                                                        \
    X(ALLOCATE, "allocate")                                                                        \
    X(SYNC, "fsync")                                                                               \
    X(WRITE_BACK, "writeback")                                                                     \
    X(SYNC_ALL, "syncfs")                                                                          \
    X(LINK, "link")                                                                                \
    X(UNLINK, "unlink")                                                                            \
    X(RENAME, "rename")                                                                            \
    X(MKDIR, "mkdir")                                                                              \
    X(RMDIR, "rmdir")                                                                              \
    X(OPEN, "open")                                                                                \
    X(READ, "read")                                                                                \
    X(SEND, "sendfile")

enum fault_op {
#define FAULT_OP(symbol, name) OP_##symbol,
    FAULT_OPS(FAULT_OP)
#undef FAULT_OP
        OP_COUNT
};

enum fault_action { DO_NOTHING, DO_KILL_BEFORE, DO_KILL_AFTER, DO_FAIL, DO_SHORTEN };

/* One call of the server's. */
struct fault_call {
    enum fault_op op;
    char path[FAULT_PATH_MAX]; /* below the root, without a leading slash; "" is the root */
    char site[FAULT_SITE_MAX]; /* who calls: op:first part of the path:places in the code */
    unsigned number;           /* among those that change something, from 1; 0 for others */
    enum fault_action action;
    int error; /* the errno of DO_FAIL */
};

const char *fault_op_name(enum fault_op op);
bool fault_op_changes(enum fault_op op);

/* --- call.c: which calls are ours, and their order --------------------------------------------- */

/* Is the file of `fd`, or `path` seen from the folder `dir`, below the root? Fills op and path. */
bool fault_on_fd(struct fault_call *call, enum fault_op op, int fd);
bool fault_on_path(struct fault_call *call, enum fault_op op, int dir, const char *path);
/* Between these two the call is made, unless `action` says that it fails. errno survives fault_end. */
void fault_begin(struct fault_call *call);
void fault_end(const struct fault_call *call);

/* --- rules.c ---------------------------------------------------------------------------------- */

/* What the control file says about this call: fills action and error. One caller at a time. */
void fault_rules_apply(const char *control_path, struct fault_call *call);

/* --- record.c: what succeeded. One caller at a time. ------------------------------------------- */

void fault_record_open(const char *path, const char *root);
void fault_record_made(const struct fault_call *call, int dir, const char *path, bool folder);
void fault_record_bytes(const struct fault_call *call, int fd, const void *p, size_t n, off_t at);
void fault_record_size(const struct fault_call *call, int fd);
/* A sync that failed is recorded too: what it was asked for is lost, whatever a later one says. */
void fault_record_sync(const struct fault_call *call, int fd, bool done);
void fault_record_sync_all(const struct fault_call *call);
void fault_record_unlinked(const struct fault_call *call, int dir, const char *path);
void fault_record_renamed(const struct fault_call *call, int from_dir, const char *from, int to_dir,
                          const char *to);

#endif
