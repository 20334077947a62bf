#include "base/db_internal.h"

static const char full[] = "the index cannot be written: the disk is full";
static const char broken[] = "the index cannot be written: the disk fails; see the server's log";

const char *db_trouble(const struct db *db)
{
    return atomic_load_explicit(&db->trouble, memory_order_relaxed);
}

void db_trouble_begins(struct db *db, const struct err *why)
{
    if (why->code == ERR_NO_SPACE || why->code == ERR_INTERNAL) {
        atomic_store(&db->trouble, why->code == ERR_NO_SPACE ? full : broken);
    }
}

bool db_trouble_was_met(const struct db *db)
{
    switch (sqlite3_extended_errcode(db->writer.handle) & 0xFF) {
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return true;
    default:
        return false;
    }
}

void db_trouble_ends(struct db *db)
{
    if (db->syncing) {
        atomic_store(&db->trouble, NULL);
    }
}

/* The number says whose file it is; nobody asks for it, and to write it writes a page. */
static bool write_a_page(struct db_tx *tx, void *arg, struct err *err)
{
    return db_log_secure(arg, err) &&
           db_engine_exec(tx->connection->handle, "PRAGMA application_id=0", err);
}

bool db_try(struct db *db, struct err *err)
{
    return db_write(db, write_a_page, db, err);
}
