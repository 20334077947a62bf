/* Does the index agree with itself and with the files? Recomputes what is kept in step by every
 * transaction: usage, counts, memberships, hashes. Changes nothing. Owns: the questions. Refuses to
 * know: how a problem is shown or mended. */
#ifndef STORAGE_CHECK_H
#define STORAGE_CHECK_H

#include "storage/store.h"

enum check_depth {
    CHECK_INDEX, /* rows, the bytes inside rows, and that each blob's file is there with its size */
    CHECK_BYTES  /* the bytes of every blob too */
};

struct check_report {
    int64_t namespaces, repositories, manifests, blobs, trust_docs, audit_entries; /* looked at */
    int64_t problems;
};

/* Told of each problem, with one sentence without a line break. */
typedef void (*check_problem_fn)(const char *sentence, void *arg);

/* Reads in pages, each of them one snapshot; may run beside a server's own writes from the same
 * process, which can make a number differ for a moment. No snapshot may be open on this thread.
 * Expected errors: those of reading; a problem is none. */
bool store_check(struct store *store, enum check_depth depth, check_problem_fn problem, void *arg,
                 struct check_report *out, struct err *err) MUST_USE;

#endif
