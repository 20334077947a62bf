/* Carrying an operation out on the store: one function each, the calls that a handler of the server makes.
 *   run_upload.c, run_blob.c, run_manifest.c, run_maintenance.c   as the rules are split
 * Private to the driver. */
#ifndef TESTS_UNIT_STORAGE_MODEL_RUN_H
#define TESTS_UNIT_STORAGE_MODEL_RUN_H

#include "base/db.h"
#include "storage/repository.h"
#include "tests/unit/storage/model/driver.h"

struct call {
    struct driver *driver;
    const struct model *model; /* before it */
    const struct operation *op;
    char *id_out;
    struct answer answer;
};

#define OPERATION(symbol, stem, name, weight) void run_##stem(struct call *c);
OPERATIONS(OPERATION)
#undef OPERATION

/* Runs a transaction as a handler does; an error becomes the answer. */
void call_write(struct call *c, db_write_fn fn);
/* Unless `ok`, the error is the answer. */
void call_refuse(struct call *c, bool ok, const struct err *err);
/* The repository of the operation, made when needed. */
bool call_ensure(struct db_tx *tx, const struct call *c, struct repository *out, struct err *err);
/* Its id by the model; 0: it has no row. */
int64_t call_id(const struct call *c, int repository);
const struct digest *call_blob(const struct call *c);
const struct digest *call_manifest(const struct call *c);
struct actor call_actor(const struct operation *op);

#endif
