/* Does the index agree with itself and with the files? Asks first whether its own file is whole, since
 * a damaged one answers questions wrongly, and recomputes what is kept in step by every transaction: usage, counts, edges, memberships, hashes; and looks for files that nothing names.
 * Changes nothing. Owns: the questions. Refuses to know: how a finding is shown or mended. */
#ifndef STORAGE_CHECK_H
#define STORAGE_CHECK_H

#include "storage/store.h"

enum check_depth {
    CHECK_INDEX, /* rows, the bytes inside rows, and that each blob's file is there with its size */
    CHECK_BYTES  /* the bytes of every blob too */
};

enum check_kind {
    CHECK_INDEX_FILE,     /* the file of the index itself is damaged: nothing else is sure then */
    CHECK_USAGE,          /* a number that is kept beside what it counts */
    CHECK_MANIFEST,       /* bytes in the index that are not what their name says */
    CHECK_EDGES,          /* what a manifest names, and what the index believes that it names */
    CHECK_COLUMNS,        /* what a manifest says, kept beside it for lists, is something else */
    CHECK_TAG,            /* a tag without its manifest, or not what its history says */
    CHECK_QUEUE,          /* the collector's queue names what must not be collected, or nothing */
    CHECK_TRUST_DOC,      /* a signed document that is not what was accepted */
    CHECK_AUDIT,          /* the chain of the audit log, or that of decisions */
    CHECK_BLOB_MISSING,   /* no file */
    CHECK_BLOB_DAMAGED,   /* a file of another size or with other bytes */
    CHECK_BLOB_MARKED,    /* marked missing by scrub (scrub.h) */
    CHECK_BLOB_FORGOTTEN, /* a row that nothing names and nothing will collect */
    CHECK_STRAY_FILE,     /* a file that no row names and nothing will collect */
    CHECK_KIND_COUNT
};

struct check_finding {
    enum check_kind kind;
    const char *where; /* "repository ns/app", "blob sha256:…" */
    const char *what;  /* half a sentence: "its file is missing" */
};

struct check_report {
    int64_t namespaces, repositories, manifests, tags, history, queue, blobs, files, trust_docs, audit_entries, decisions; /* seen */
    int64_t bytes; /* of blobs that were read */
    int64_t findings;
};

/* Both are called on the checking thread and borrow what they are given; progress may be NULL. */
struct check_listener {
    void (*finding)(const struct check_finding *finding, void *arg);
    void (*progress)(const struct check_report *so_far, void *arg); /* every now and then */
    void *arg;
};

/* Reads in pages, each of them one snapshot, and no file inside one, so that neither memory nor the
 * log of the database grows with the store; may run beside a server's own
 * writes from the same process, which can make a number differ for a moment. No snapshot may be
 * open on this thread. Expected errors: those of reading; a finding is none. */
bool store_check(struct store *store, enum check_depth depth, const struct check_listener *listener,
                 struct check_report *out, struct err *err) MUST_USE;

#endif
