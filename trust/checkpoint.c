#include "trust/checkpoint_internal.h"

#include "base/hex.h"
#include "base/log.h"

#include <sodium.h>
#include <stdio.h>

#define FIRST_LINE "checkpoint 1"

/* --- lines ------------------------------------------------------------------------------------ */

static bool key_known(const struct key_set *set, const uint8_t spki[32])
{
    for (size_t i = 0; i < set->count; i++) {
        if (sodium_memcmp(set->items[i], spki, 32) == 0) {
            return true;
        }
    }
    return false;
}

static void key_add(struct key_set *set, const uint8_t spki[32])
{
    set->items = xrealloc(set->items, (set->count + 1) * sizeof *set->items);
    memcpy(set->items[set->count++], spki, 32);
}

static void write_key(const uint8_t spki[32], struct buf *out)
{
    char hex[65];
    buf_printf(out, "revoked %s\n", hex_encode(spki, 32, hex));
}

static void write_seen(const struct checkpoint *c, struct buf *out)
{
    buf_printf(out, "seen %lld\n", (long long)c->clock.seen_us);
}

static bool read_key(struct checkpoint *c, struct slice hex)
{
    uint8_t spki[32];
    if (!hex_decode(hex, spki, sizeof spki)) {
        return false;
    }
    if (!key_known(&c->revoked, spki)) {
        key_add(&c->revoked, spki);
    }
    return true;
}

static bool read_line(void *arg, struct slice text)
{
    struct checkpoint *c = arg;
    struct slice rest = text, word;
    if (slice_is(text, FIRST_LINE)) {
        return true;
    }
    if (!slice_next(&rest, ' ', &word)) {
        return false;
    }
    if (slice_is(word, "repo")) {
        return checkpoint_table_read(c->table, text);
    }
    if (slice_is(word, "seen")) {
        return slice_to_int64(rest, &c->clock.seen_us);
    }
    if (slice_is(word, "exception")) {
        return exception_list_read(&c->exceptions, rest);
    }
    return slice_is(word, "revoked") && read_key(c, rest);
}

/* Everything that is known, as one record. */
static void write_all(const struct checkpoint *c, struct buf *out)
{
    buf_str(out, FIRST_LINE "\n");
    write_seen(c, out);
    for (size_t i = 0; i < c->revoked.count; i++) {
        write_key(c->revoked.items[i], out);
    }
    exception_list_write(&c->exceptions, c->clock.seen_us, out);
    checkpoint_table_write(c->table, out);
}

/* --- the file --------------------------------------------------------------------------------- */

bool checkpoint_say_unwritable(struct checkpoint *c, const struct err *why, struct err *err)
{
    atomic_store(&c->unwritable, true);
    *err = *why;
    (void)err_set(err, why->code == ERR_NO_SPACE ? ERR_NO_SPACE : ERR_INTERNAL,
                  "the checkpoint of the trust data cannot be written%s; see the server's log",
                  why->code == ERR_NO_SPACE ? ": its disk is full" : "");
    log_event(LOG_ERROR, "checkpoint", "path=\"%s\" why=\"%s\"", c->file.path,
              why->detail[0] ? why->detail : why->msg);
    return false;
}

bool checkpoint_replace(struct checkpoint *c, struct err *err)
{
    auto_buf struct buf all = {0};
    pthread_mutex_lock(&c->lock);
    uint64_t changes = c->changes;
    write_all(c, &all);
    buf_clear(&c->pending);
    pthread_mutex_unlock(&c->lock);
    if (!checkpoint_file_replace(&c->file, buf_slice_of(&all), err)) {
        return false;
    }
    c->flushed = changes;
    return true;
}

/* Under io: appends what is pending. */
static bool append(struct checkpoint *c, struct err *err)
{
    pthread_mutex_lock(&c->lock);
    struct buf lines = c->pending;
    uint64_t changes = c->changes;
    c->pending = (struct buf){0};
    pthread_mutex_unlock(&c->lock);
    bool ok = lines.n == 0 || checkpoint_file_append(&c->file, buf_slice_of(&lines), err);
    buf_dispose(&lines);
    if (ok) {
        c->flushed = changes;
    }
    return ok;
}

/* Under io: what an append cannot do, a whole new file may. One that was moved away while the server runs
 * comes to light here. */
static bool mend(struct checkpoint *c, const struct err *broken, struct err *err)
{
    if (!checkpoint_replace(c, err)) {
        return false;
    }
    if (broken->code != ERR_NONE) {
        log_event(LOG_WARN, "checkpoint_rewritten", "path=\"%s\" why=\"%s\"", c->file.path,
                  broken->detail[0] ? broken->detail : broken->msg);
    }
    return true;
}

static bool flush_to(struct checkpoint *c, uint64_t change, struct err *err)
{
    struct err why = {0};
    if (c->flushed >= change && c->file.fd >= 0) {
        return true;
    }
    if (!checkpoint_file_wants_replacing(&c->file) && append(c, &why)) {
        return true;
    }
    const struct err broken = why;
    why = (struct err){0};
    return mend(c, &broken, &why) || checkpoint_say_unwritable(c, &why, err);
}

bool checkpoint_flush(struct checkpoint *c, struct err *err)
{
    if (!c || atomic_load(&c->lost)) {
        return true;
    }
    pthread_mutex_lock(&c->lock);
    uint64_t change = c->changes;
    pthread_mutex_unlock(&c->lock);
    pthread_mutex_lock(&c->io);
    bool ok = flush_to(c, change, err);
    pthread_mutex_unlock(&c->io);
    return ok;
}

bool checkpoint_ready(struct checkpoint *c, struct err *err)
{
    struct err why = {0};
    if (!c || atomic_load(&c->lost)) { /* what is there must be looked at, not written over */
        return true;
    }
    pthread_mutex_lock(&c->io);
    bool ok = checkpoint_file_reserve(&c->file, &why);
    if (!ok) {
        const struct err broken = why;
        why = (struct err){0};
        ok = mend(c, &broken, &why) && checkpoint_file_reserve(&c->file, &why);
    }
    if (ok) {
        atomic_store(&c->unwritable, false);
    } else {
        (void)checkpoint_say_unwritable(c, &why, err);
    }
    pthread_mutex_unlock(&c->io);
    return ok;
}

/* --- opening ---------------------------------------------------------------------------------- */

static void lose(struct checkpoint *c, const char *what)
{
    (void)snprintf(
        c->lost_why, sizeof c->lost_why,
        "%.230s, so nobody can tell whether the store was set back; an administrator must "
        "look at it and then acknowledge it: bond trust acknowledge --all",
        what);
    atomic_store(&c->lost, true);
    checkpoint_table_free(c->table); /* what was read before the damage proves nothing */
    c->table = checkpoint_table_new();
    c->revoked.count = 0;
    exception_list_dispose(&c->exceptions);
    c->clock.seen_us = 0;
    log_event(LOG_ERROR, "rollback_suspected", "path=\"%s\" why=\"%s\"", c->file.path, what);
}

static bool begin_or_lose(struct checkpoint *c, const struct checkpoint_options *o, struct err *err)
{
    char what[SUSPICION_MAX / 2];
    if (!o->store_has_trust) {
        clock_guard_reset(&c->clock, o->now_us, o->mono_us);
        if (checkpoint_replace(c, err)) {
            return true;
        }
        return err_prefix(err, "the checkpoint %s cannot be made", o->path);
    }
    (void)snprintf(what, sizeof what, "the checkpoint %.*s is missing", 120, o->path);
    lose(c, what);
    return true;
}

static bool open_file(struct checkpoint *c, const struct checkpoint_options *o, struct err *err)
{
    struct err why = {0};
    switch (checkpoint_file_read(&c->file, read_line, c, &why)) {
    case CHECKPOINT_READ:
        clock_guard_start(&c->clock, c->clock.seen_us, o->mono_us);
        return true;
    case CHECKPOINT_MISSING:
        return begin_or_lose(c, o, err);
    case CHECKPOINT_DAMAGED:
        lose(c, why.msg);
        return true;
    }
    return false;
}

bool checkpoint_open(const struct checkpoint_options *options, struct checkpoint **out,
                     struct err *err)
{
    struct checkpoint *c = xcalloc(1, sizeof *c);
    *out = NULL;
    pthread_mutex_init(&c->io, NULL);
    pthread_mutex_init(&c->lock, NULL);
    c->table = checkpoint_table_new();
    checkpoint_file_init(&c->file, options->path, options->key);
    if (!open_file(c, options, err)) {
        checkpoint_close(c);
        return false;
    }
    atomic_store(&c->seen_us, c->clock.seen_us);
    *out = c;
    return true;
}

void checkpoint_close(struct checkpoint *c)
{
    struct err err = {0};
    if (!c) {
        return;
    }
    if (c->pending.n > 0 && !checkpoint_flush(c, &err)) {
        log_err(LOG_WARN, "checkpoint", &err); /* the next start takes it over from the store */
    }
    checkpoint_file_close(&c->file);
    checkpoint_table_free(c->table);
    buf_dispose(&c->pending);
    exception_list_dispose(&c->exceptions);
    free(c->revoked.items);
    pthread_mutex_destroy(&c->lock);
    pthread_mutex_destroy(&c->io);
    free(c);
}

/* --- noting ----------------------------------------------------------------------------------- */

void checkpoint_add_revoked(struct checkpoint *c, const uint8_t spki[32])
{
    if (!key_known(&c->revoked, spki)) {
        key_add(&c->revoked, spki);
        write_key(spki, &c->pending);
        c->changes++;
    }
}

/* Under lock. */
static void raise_exception(struct checkpoint *c, const char *name, int64_t changes,
                            int64_t until_us)
{
    if (exception_list_raise(&c->exceptions, name, changes, until_us)) {
        exception_write(name, changes, until_us, &c->pending);
        c->changes++;
    }
}

void checkpoint_raise_exceptions(struct checkpoint *c, const struct exception_list *store)
{
    for (size_t i = 0; i < store->count; i++) {
        const struct exception *e = &store->items[i];
        raise_exception(c, e->name, e->changes, e->until_us);
    }
    atomic_store(&c->exceptions_checked, true);
}

void checkpoint_put_entry(struct checkpoint *c, const struct checkpoint_entry *entry)
{
    checkpoint_entry_write(entry, &c->pending);
    c->changes++;
}

void checkpoint_note(struct checkpoint *c, const struct repo_name *repo,
                     const struct trust_role_life_list *lives)
{
    if (!c) {
        return;
    }
    pthread_mutex_lock(&c->lock);
    struct checkpoint_entry *entry = checkpoint_table_get(c->table, repo_name_slice(repo));
    checkpoint_entry_raise(entry, lives);
    entry->checked = true;
    checkpoint_put_entry(c, entry);
    pthread_mutex_unlock(&c->lock);
}

void checkpoint_note_revoked(struct checkpoint *c, const uint8_t spki[32])
{
    if (!c) {
        return;
    }
    pthread_mutex_lock(&c->lock);
    checkpoint_add_revoked(c, spki);
    pthread_mutex_unlock(&c->lock);
}

void checkpoint_note_exception(struct checkpoint *c, const char *name, int64_t changes,
                               int64_t until_us)
{
    if (!c) {
        return;
    }
    pthread_mutex_lock(&c->lock);
    raise_exception(c, name, changes, until_us);
    pthread_mutex_unlock(&c->lock);
}

bool checkpoint_tick(struct checkpoint *c, int64_t now_us, int64_t mono_us, struct err *err)
{
    if (!c || atomic_load(&c->lost)) {
        return true;
    }
    pthread_mutex_lock(&c->lock);
    int64_t before_us = c->clock.seen_us;
    clock_guard_note(&c->clock, now_us, mono_us);
    atomic_store(&c->seen_us, c->clock.seen_us);
    if (c->clock.seen_us != before_us) {
        write_seen(c, &c->pending);
        c->changes++;
    }
    pthread_mutex_unlock(&c->lock);
    return checkpoint_flush(c, err) && checkpoint_ready(c, err);
}
