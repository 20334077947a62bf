#include "trust/checkpoint.h"

#include "base/hex.h"
#include "base/log.h"
#include "trust/checkpoint_table.h"
#include "trust/clock_guard.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>

#define FIRST_LINE "checkpoint 1"

static const char clock_text[] =
    "the server's clock is earlier than it was before; set it right, or, when it is right now, "
    "acknowledge it: bond trust acknowledge --all";

struct key_set {
    uint8_t (*items)[32];
    size_t count;
};

struct checkpoint {
    /* The file and its records; taken before `lock`. */
    pthread_mutex_t io;
    struct checkpoint_file file;
    uint64_t flushed; /* changes that are durable */

    pthread_mutex_t lock; /* what follows */
    struct checkpoint_table *table;
    struct key_set revoked;
    bool revoked_checked; /* the store's were compared in this run and found good */
    struct exception_list exceptions;
    struct clock_guard clock;
    struct buf pending; /* lines that are in the table and not in the file */
    uint64_t changes;   /* lines ever noted */

    atomic_bool lost;             /* there is no usable checkpoint: everything is suspect */
    char lost_why[SUSPICION_MAX]; /* constant after the opening */
    _Atomic int64_t seen_us;      /* clock.seen_us, for readers without the lock */
    atomic_uint acceptances;
    atomic_bool exceptions_checked; /* as revoked_checked; written under lock */
};

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

static bool say_unwritable(const struct checkpoint *c, const struct err *why, struct err *err)
{
    *err = *why;
    (void)err_set(err, why->code == ERR_NO_SPACE ? ERR_NO_SPACE : ERR_INTERNAL,
                  "the checkpoint of the trust data cannot be written%s; see the server's log",
                  why->code == ERR_NO_SPACE ? ": its disk is full" : "");
    log_event(LOG_ERROR, "checkpoint", "path=\"%s\" why=\"%s\"", c->file.path,
              why->detail[0] ? why->detail : why->msg);
    return false;
}

/* Under io: replaces the file by everything known. */
static bool replace(struct checkpoint *c, struct err *err)
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

/* Under io: what an append cannot do, a whole new file may. */
static bool flush_to(struct checkpoint *c, uint64_t change, struct err *err)
{
    struct err why = {0};
    if (c->flushed >= change && c->file.fd >= 0) {
        return true;
    }
    if (!checkpoint_file_wants_replacing(&c->file) && append(c, &why)) {
        return true;
    }
    why = (struct err){0};
    return replace(c, &why) || say_unwritable(c, &why, err);
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
        why = (struct err){0};
        ok = replace(c, &why) && checkpoint_file_reserve(&c->file, &why);
    }
    pthread_mutex_unlock(&c->io);
    return ok || say_unwritable(c, &why, err);
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
        if (replace(c, err)) {
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

/* --- suspicion -------------------------------------------------------------------------------- */

const char *checkpoint_suspicion(const struct checkpoint *c, int64_t now_us)
{
    if (!c) {
        return NULL;
    }
    if (atomic_load_explicit(&c->lost, memory_order_acquire)) {
        return c->lost_why;
    }
    return clock_is_behind(atomic_load_explicit(&c->seen_us, memory_order_relaxed), now_us)
               ? clock_text
               : NULL;
}

static void add_revoked(struct checkpoint *c, const uint8_t spki[32])
{
    if (!key_known(&c->revoked, spki)) {
        key_add(&c->revoked, spki);
        write_key(spki, &c->pending);
        c->changes++;
    }
}

/* Under lock: every key that was revoked still is; once in a run. */
static bool revoked_good(struct checkpoint *c, const struct pin_list *revoked)
{
    if (c->revoked_checked) {
        return true;
    }
    for (size_t i = 0; i < c->revoked.count; i++) {
        if (!pin_list_has(revoked, c->revoked.items[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < revoked->count; i++) {
        add_revoked(c, revoked->items[i].spki);
    }
    c->revoked_checked = true;
    return true;
}

bool checkpoint_exceptions_checked(const struct checkpoint *c)
{
    return !c || atomic_load(&c->exceptions_checked);
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

static void raise_exceptions(struct checkpoint *c, const struct exception_list *store)
{
    for (size_t i = 0; i < store->count; i++) {
        const struct exception *e = &store->items[i];
        raise_exception(c, e->name, e->changes, e->until_us);
    }
    atomic_store(&c->exceptions_checked, true);
}

enum checkpoint_answer checkpoint_look_exceptions(struct checkpoint *c,
                                                  const struct exception_list *store,
                                                  int64_t now_us, char *why)
{
    char what[160];
    bool good = true;
    why[0] = '\0';
    if (!c || atomic_load(&c->lost)) {
        return CHECKPOINT_GOOD; /* of one that is lost checkpoint_suspicion tells */
    }
    pthread_mutex_lock(&c->lock);
    if (!atomic_load(&c->exceptions_checked)) {
        good = exception_list_covered(&c->exceptions, store, now_us, what, sizeof what);
    }
    if (good && !atomic_load(&c->exceptions_checked)) {
        raise_exceptions(c, store);
    }
    pthread_mutex_unlock(&c->lock);
    if (good) {
        return CHECKPOINT_GOOD;
    }
    (void)snprintf(why, SUSPICION_MAX,
                   "the store seems to have been set back: %s; an administrator must look at the "
                   "deny list and the overrides and then acknowledge it: bond trust acknowledge "
                   "--all",
                   what);
    return CHECKPOINT_SUSPECT;
}

static void put_entry(struct checkpoint *c, const struct checkpoint_entry *entry)
{
    checkpoint_entry_write(entry, &c->pending);
    c->changes++;
}

static void tell(struct checkpoint_entry *entry, const char *why)
{
    if (!entry->told) {
        entry->told = true;
        log_event(LOG_ERROR, "rollback_suspected", "repository=%s why=\"%s\"", entry->repo, why);
    }
}

static void say_behind(const struct repo_name *repo, const char *what, char *why)
{
    (void)snprintf(
        why, SUSPICION_MAX,
        "the store seems to have been set back: %.120s; an administrator must look at it "
        "and then acknowledge it: bond trust acknowledge %.*s",
        what, SUSPICION_MAX - 260, repo->text);
}

/* Under lock. */
static enum checkpoint_answer look(struct checkpoint *c, const struct repo_name *repo,
                                   const struct trust_role_life_list *lives, char *why)
{
    char what[200];
    struct checkpoint_entry *entry = checkpoint_table_find(c->table, repo_name_slice(repo));
    if (!entry && lives->count == 0) {
        return CHECKPOINT_GOOD; /* nothing to remember */
    }
    if (entry && entry->checked) {
        return CHECKPOINT_GOOD;
    }
    switch (checkpoint_entry_order(entry, lives, what, sizeof what)) {
    case STORE_BEHIND:
        say_behind(repo, what, why);
        tell(entry, what);
        return CHECKPOINT_SUSPECT;
    case STORE_SAME:
        break;
    case STORE_AHEAD:
        entry = checkpoint_table_get(c->table, repo_name_slice(repo));
        checkpoint_entry_raise(entry, lives);
        put_entry(c, entry);
        break;
    }
    if (entry) {
        entry->checked = true;
    }
    return CHECKPOINT_GOOD;
}

enum checkpoint_answer checkpoint_look(struct checkpoint *c, const struct repo_name *repo,
                                       const struct trust_role_life_list *lives,
                                       const struct pin_list *revoked, char *why)
{
    enum checkpoint_answer answer = CHECKPOINT_SUSPECT;
    why[0] = '\0';
    if (!c || atomic_load(&c->lost)) {
        return CHECKPOINT_GOOD; /* of one that is lost checkpoint_suspicion tells */
    }
    pthread_mutex_lock(&c->lock);
    if (revoked_good(c, revoked)) {
        answer = look(c, repo, lives, why);
    } else {
        (void)snprintf(why, SUSPICION_MAX,
                       "the store seems to have been set back: a key that was revoked is not any "
                       "more; an administrator must look at it and then acknowledge it: bond trust "
                       "acknowledge --all");
    }
    pthread_mutex_unlock(&c->lock);
    return answer;
}

unsigned checkpoint_acceptances(const struct checkpoint *c)
{
    return c ? atomic_load(&c->acceptances) : 0;
}

/* From now on the repository may be changed: a snapshot from before, or a group of the writer that is
 * not committed yet, is not to be compared any more. */
static void mark_checked(struct checkpoint *c, const struct repo_name *repo)
{
    if (!c) {
        return;
    }
    pthread_mutex_lock(&c->lock);
    checkpoint_table_get(c->table, repo_name_slice(repo))->checked = true;
    pthread_mutex_unlock(&c->lock);
}

enum checkpoint_answer checkpoint_allows(struct checkpoint *c, const struct repo_name *repo,
                                         const struct trust_role_life_list *lives,
                                         const struct pin_list *revoked, int64_t now_us, char *why)
{
    const char *all = checkpoint_suspicion(c, now_us);
    if (all) {
        (void)snprintf(why, SUSPICION_MAX, "%s", all);
        return CHECKPOINT_SUSPECT;
    }
    if (checkpoint_look(c, repo, lives, revoked, why) == CHECKPOINT_SUSPECT) {
        return CHECKPOINT_SUSPECT;
    }
    mark_checked(c, repo);
    return CHECKPOINT_GOOD;
}

/* --- noting ----------------------------------------------------------------------------------- */

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
    put_entry(c, entry);
    pthread_mutex_unlock(&c->lock);
}

void checkpoint_note_revoked(struct checkpoint *c, const uint8_t spki[32])
{
    if (!c) {
        return;
    }
    pthread_mutex_lock(&c->lock);
    add_revoked(c, spki);
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
    return checkpoint_flush(c, err);
}

/* --- acknowledging ---------------------------------------------------------------------------- */

bool checkpoint_knows(struct checkpoint *c, const struct repo_name *repo)
{
    if (!c) {
        return false;
    }
    pthread_mutex_lock(&c->lock);
    bool known = checkpoint_table_find(c->table, repo_name_slice(repo)) != NULL;
    pthread_mutex_unlock(&c->lock);
    return known;
}

bool checkpoint_accept_begin(struct checkpoint *c, bool all, struct err *err)
{
    if (!c) {
        return true;
    }
    if (!all && atomic_load(&c->lost)) {
        return err_set(err, ERR_CONFLICT, "%s", c->lost_why);
    }
    return checkpoint_ready(c, err);
}

void checkpoint_accept(struct checkpoint *c, const struct repo_name *repo,
                       const struct trust_role_life_list *lives)
{
    if (!c) {
        return;
    }
    pthread_mutex_lock(&c->lock);
    struct checkpoint_entry *entry = checkpoint_table_get(c->table, repo_name_slice(repo));
    if (entry->checked) {
        checkpoint_entry_raise(entry, lives); /* it may have moved on since the snapshot */
    } else {
        checkpoint_entry_set(entry, lives);
    }
    entry->checked = true;
    entry->told = false;
    if (entry->count == 0) {
        checkpoint_table_remove(c->table, repo_name_slice(repo));
    }
    pthread_mutex_unlock(&c->lock);
}

void checkpoint_accept_exceptions(struct checkpoint *c, const struct exception_list *store)
{
    if (!c) {
        return;
    }
    pthread_mutex_lock(&c->lock);
    if (!atomic_load(&c->exceptions_checked)) {
        exception_list_dispose(&c->exceptions);
    }
    raise_exceptions(c, store);
    pthread_mutex_unlock(&c->lock);
}

static bool was_checked(const struct checkpoint_entry *entry, void *arg)
{
    (void)arg;
    return entry->checked;
}

/* Under lock. */
static void accept_rest(struct checkpoint *c, const struct pin_list *revoked, int64_t now_us,
                        int64_t mono_us)
{
    checkpoint_table_filter(c->table, was_checked, NULL);
    if (!c->revoked_checked) {
        c->revoked.count = 0;
    }
    for (size_t i = 0; i < revoked->count; i++) {
        add_revoked(c, revoked->items[i].spki);
    }
    c->revoked_checked = true;
    clock_guard_reset(&c->clock, now_us, mono_us);
}

bool checkpoint_accept_end(struct checkpoint *c, const struct pin_list *revoked, bool all,
                           int64_t now_us, int64_t mono_us, struct err *err)
{
    struct err why = {0};
    if (!c) {
        return true;
    }
    pthread_mutex_lock(&c->io);
    pthread_mutex_lock(&c->lock);
    if (all) {
        accept_rest(c, revoked, now_us, mono_us);
    }
    pthread_mutex_unlock(&c->lock);
    atomic_fetch_add(&c->acceptances, 1); /* what was accepted is, in memory, written or not */
    bool ok = replace(c, &why);
    if (ok && all) {
        pthread_mutex_lock(&c->lock);
        atomic_store(&c->seen_us, c->clock.seen_us);
        pthread_mutex_unlock(&c->lock);
        atomic_store(&c->lost, false);
    }
    pthread_mutex_unlock(&c->io);
    return ok || say_unwritable(c, &why, err);
}
