#include "base/db_internal.h"

#include <stdio.h>

/* The engine calls back after so many of its own steps: some tens of times a second. */
#define STEPS_BETWEEN_PULSES 1000000

/* What a row of a question says, as half a sentence; false: that all is well. */
typedef bool (*say_fn)(sqlite3_stmt *q, char *out, size_t size);

static const char *text_of(sqlite3_stmt *q, int column)
{
    const unsigned char *text = sqlite3_column_text(q, column);
    return text ? (const char *)text : "";
}

/* A finding about a tree of pages begins with a line of its own, "*** in database main ***". */
static bool say_integrity(sqlite3_stmt *q, char *out, size_t size)
{
    const char *text = text_of(q, 0);
    snprintf(out, size, "%s", text);
    for (char *p = out; *p; p++) {
        *p = *p == '\n' ? ' ' : *p;
    }
    return strcmp(text, "ok") != 0;
}

static bool say_reference(sqlite3_stmt *q, char *out, size_t size)
{
    snprintf(out, size, "a row of the table %s belongs to one of %s that is not there",
             text_of(q, 0), text_of(q, 2));
    return true;
}

static const struct {
    const char *sql;
    say_fn say;
} questions[] = {
    {"PRAGMA integrity_check", say_integrity},
    {"PRAGMA foreign_key_check", say_reference},
};

static int pulse(void *arg)
{
    const struct db_damage_listener *listener = arg;
    listener->pulse(listener->arg);
    return 0;
}

/* The damage may be such that the question itself fails. */
static bool is_damage(int result)
{
    return (result & 0xFF) == SQLITE_CORRUPT || (result & 0xFF) == SQLITE_NOTADB;
}

static bool ask(sqlite3 *handle, size_t number, const struct db_damage_listener *listener,
                struct err *err)
{
    char what[200];
    sqlite3_stmt *q = NULL;
    int result = sqlite3_prepare_v2(handle, questions[number].sql, -1, &q, NULL);
    for (int told = 0; result == SQLITE_OK || result == SQLITE_ROW; told++) {
        result = told < DB_DAMAGE_MAX ? sqlite3_step(q) : SQLITE_DONE;
        if (result == SQLITE_ROW && questions[number].say(q, what, sizeof(what))) {
            listener->found(what, listener->arg);
        }
    }
    sqlite3_finalize(q);
    if (is_damage(result)) {
        listener->found(sqlite3_errstr(result), listener->arg);
        return true;
    }
    return result == SQLITE_DONE ||
           db_engine_error(err, handle, result, __func__, questions[number].sql);
}

bool db_damage_look(struct db *db, const struct db_damage_listener *listener, struct err *err)
{
    struct reader *r = db_reader(db, err);
    if (!r) {
        return false;
    }
    sqlite3 *handle = r->connection.handle;
    bool ok = true;
    if (listener->pulse) {
        sqlite3_progress_handler(handle, STEPS_BETWEEN_PULSES, pulse, (void *)listener);
    }
    for (size_t i = 0; ok && i < sizeof(questions) / sizeof(questions[0]); i++) {
        ok = ask(handle, i, listener, err);
    }
    sqlite3_progress_handler(handle, 0, NULL, NULL);
    return ok;
}
