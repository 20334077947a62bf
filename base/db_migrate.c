#include "base/db_internal.h"

#include <stdio.h>

static bool read_version(sqlite3 *handle, int *out, struct err *err)
{
    sqlite3_stmt *q = NULL;
    int result = sqlite3_prepare_v2(handle, "PRAGMA user_version", -1, &q, NULL);
    if (result == SQLITE_OK) {
        result = sqlite3_step(q);
    }
    *out = result == SQLITE_ROW ? sqlite3_column_int(q, 0) : 0;
    sqlite3_finalize(q);
    return result == SQLITE_ROW ||
           db_engine_error(err, handle, result, __func__, "PRAGMA user_version");
}

/* One step and its number in one transaction: a crash leaves the version before or the version
 * after. */
static bool migrate_step(sqlite3 *handle, const char *sql, int to_version, struct err *err)
{
    char number[64];
    snprintf(number, sizeof(number), "PRAGMA user_version=%d", to_version);
    if (db_engine_exec(handle, "BEGIN IMMEDIATE", err) && db_engine_exec(handle, sql, err) &&
        db_engine_exec(handle, number, err) && db_engine_exec(handle, "COMMIT", err)) {
        return true;
    }
    db_engine_rollback(handle);
    return false;
}

bool db_migrate(sqlite3 *handle, const struct db_options *options, struct err *err)
{
    int version = 0;
    if (!read_version(handle, &version, err)) {
        return false;
    }
    if (version > options->migration_count || version < 0) {
        return err_set(err, ERR_CONFLICT,
                       "the database was written by a newer version of Bondstore (format %d, this "
                       "program knows up to %d)",
                       version, options->migration_count);
    }
    for (int i = version; i < options->migration_count; i++) {
        if (!migrate_step(handle, options->migrations[i], i + 1, err)) {
            return err_prefix(err, "migration %d", i + 1);
        }
    }
    return true;
}
