#include "base/clock.h"
#include "server/cmd.h"
#include "storage/gc.h"
#include "storage/upload.h"

#include <stdio.h>

#define STEP 1000

static bool expire(struct store *store, int *total, struct err *err)
{
    int ended = STEP;
    while (ended == STEP) {
        ended = 0;
        if (!upload_expire(store, clock_now_us(), STEP, &ended, err)) {
            return false;
        }
        *total += ended;
    }
    return true;
}

static bool collect(struct store *store, struct gc_result *total, struct err *err)
{
    struct gc_result step = {.examined = STEP};
    while (step.examined == STEP) {
        step = (struct gc_result){0};
        if (!gc_run(store, clock_now_us(), STEP, &step, err)) {
            return false;
        }
        total->memberships += step.memberships;
        total->blobs += step.blobs;
        total->bytes += step.bytes;
        total->failures += step.failures;
    }
    return true;
}

int cmd_gc(int argc, char **argv)
{
    struct config *config = NULL;
    struct store *store = NULL;
    struct gc_result result = {0};
    struct err err = {0};
    int uploads = 0;
    int status = cmd_config(
        argc, argv,
        "Removes what is due for collection. A running server does the same by itself; this needs "
        "the folder for itself.",
        &config);
    if (status >= 0) {
        return status;
    }
    bool ok = store_open(config->data_dir, &store, &err) && expire(store, &uploads, &err) &&
              collect(store, &result, &err);
    if (ok) {
        (void)printf("blobs %d\nbytes %lld\nmemberships %d\nuploads %d\nfailures %d\n",
                     result.blobs, (long long)result.bytes, result.memberships, uploads,
                     result.failures);
    }
    store_close(store);
    config_free(config);
    if (!ok) {
        return cmd_fail(&err);
    }
    return result.failures == 0 ? 0 : 1; /* each was logged */
}
