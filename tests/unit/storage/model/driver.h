/* The store under test: carries out operations through the functions that the server calls, and tells in which way the
 * store differs from the model. Differences are told, not asserted, because after a crash more than one model may be
 * right.
 * Owns: the open store and the uploads that requests hold. One thread. */
#ifndef TESTS_UNIT_STORAGE_MODEL_DRIVER_H
#define TESTS_UNIT_STORAGE_MODEL_DRIVER_H

#include "tests/unit/storage/model/model.h"

struct driver {
    const char *path;
    const struct universe *universe;
    struct store *store;
    struct db *db;
    struct upload *held[SESSIONS];
    struct buf why; /* the first difference that was found; empty: none */
};

/* Opens the store in the folder `path`, which outlives the driver. False: it does not open; `why` says so. */
bool driver_open(struct driver *d, const char *path, const struct universe *u);
/* As a server that ends: gives back what requests hold, closes. */
void driver_close(struct driver *d);
/* The namespaces and what belongs to them, in a new store. */
void driver_found(struct driver *d, struct model *m);

/* Carries an operation out. `m` is the model before it. The id of a new session is written to `id_out`. */
struct answer driver_run(struct driver *d, const struct model *m, const struct operation *op,
                         char id_out[UPLOAD_ID_MAX]);
/* Learns the ids of repositories that are new in the model. */
void driver_learn(struct driver *d, struct model *m);
/* Sees which files are there of blobs that have no row. */
void driver_look_at_files(const struct driver *d, struct model *m);
/* Notes a difference; the first one stays. Returns false. */
bool driver_differs(struct driver *d, const char *fmt, ...) PRINTF_LIKE(2, 3);

int64_t driver_account(int account);
/* What the session has reserved of its namespace's quota, in bytes. */
int64_t driver_reserved(const struct driver *d, const struct model_session *s);
bool driver_has_file(const struct driver *d, int blob);
/* Does the file of the session have another name too? */
bool driver_is_sealed(const struct driver *d, const struct model_session *s);

/* compare.c: what the operation may have changed. */
bool driver_compare_touched(struct driver *d, const struct model *m, const struct operation *op);
/* Everything that can be read, against the model. */
bool driver_compare(struct driver *d, const struct model *m);
/* Nothing is in the store but what manifests name. */
bool driver_compare_idle(struct driver *d, const struct model *m);

#endif
