#include "trust/rewrap.h"

#include "base/fsx.h"
#include "base/log.h"
#include "storage/trust_key.h"
#include "trust/checkpoint_file.h"
#include "trust/keys.h"
#include "trust/trust.h"

#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

#define PAGE 100

/* --- the two files ---------------------------------------------------------------------------- */

static void next_path(const char *path, struct buf *out)
{
    buf_printf(out, "%s" SEALING_NEXT_SUFFIX, path);
}

static bool there_is(const char *path)
{
    return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool sealing_read_both(const char *path, struct sealing **out, struct err *err)
{
    auto_buf struct buf next = {0};
    struct sealing *other = NULL;
    next_path(path, &next);
    if (!sealing_read(path, out, err)) {
        return false;
    }
    if (!there_is(next.p)) {
        return true;
    }
    log_event(
        LOG_WARN, "sealing_key_change",
        "file=\"%s\" advice=\"a change of the sealing key was begun and has not ended: stop the "
        "server and run bondstore rewrap\"",
        next.p);
    if (!sealing_read(next.p, &other, err)) {
        sealing_free(*out);
        *out = NULL;
        return false;
    }
    sealing_accept(*out, other);
    return true;
}

/* --- sealing anew ----------------------------------------------------------------------------- */

struct page_arg {
    const struct trust_key_page *page;
    const struct buf *sealed; /* one of each key; empty: as it is */
    const char *sealed_by;
};

static bool write_page(struct db_tx *tx, void *arg, struct err *err)
{
    const struct page_arg *a = arg;
    for (size_t i = 0; i < a->page->count; i++) {
        const struct trust_key *key = &a->page->items[i].key;
        if (a->sealed[i].n > 0 &&
            !trust_key_reseal(tx, key->id, key->sealed_by, buf_slice_of(&a->sealed[i]),
                              a->sealed_by, err)) {
            return false;
        }
    }
    return true;
}

static bool seal_page(const struct sealing *from, const struct sealing *to,
                      const struct trust_key_page *page, struct buf *sealed, int64_t *count,
                      struct err *err)
{
    for (size_t i = 0; i < page->count; i++) {
        const struct trust_key *key = &page->items[i].key;
        if (strcmp(key->sealed_by, sealing_id(to)) == 0) {
            continue;
        }
        if (!held_key_reseal(from, to, slice_str(page->items[i].repository), key, &sealed[i],
                             err)) {
            return false;
        }
        (*count)++;
    }
    return true;
}

static bool read_page(struct db *db, bool unbound, int64_t after, struct trust_key_page *out,
                      struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    return db_snapshot(db, &tx, err) && trust_key_page_read(tx, unbound, after, PAGE, out, err);
}

/*   after   the last id looked at; moves on
 *   more    there may be more pages */
static bool reseal_page(struct db *db, const struct sealing *from, const struct sealing *to,
                        bool unbound, int64_t *after, int64_t *count, bool *more, struct err *err)
{
    auto_trust_key_page struct trust_key_page page = {0};
    struct buf sealed[PAGE] = {0};
    int64_t changed = 0;
    if (!read_page(db, unbound, *after, &page, err)) {
        return false;
    }
    struct page_arg arg = {.page = &page, .sealed = sealed, .sealed_by = sealing_id(to)};
    bool ok = seal_page(from, to, &page, sealed, &changed, err) &&
              (changed == 0 || db_write(db, write_page, &arg, err));
    for (size_t i = 0; i < page.count; i++) {
        buf_dispose(&sealed[i]);
    }
    *count += changed;
    *more = page.count == PAGE;
    *after = page.count > 0 ? page.items[page.count - 1].key.id : *after;
    return ok;
}

static bool reseal_all(struct db *db, const struct sealing *from, const struct sealing *to,
                       bool unbound, int64_t *count, struct err *err)
{
    int64_t after = 0;
    bool more = true;
    while (more) {
        if (!reseal_page(db, from, to, unbound, &after, count, &more, err)) {
            return false;
        }
    }
    return true;
}

bool trust_keys_bind(struct db *db, const struct sealing *sealing, struct err *err)
{
    int64_t count = 0;
    if (!reseal_all(db, sealing, sealing, true, &count, err)) {
        return false;
    }
    if (count > 0) {
        log_event(LOG_INFO, "server_keys_bound", "keys=%lld", (long long)count);
    }
    return true;
}

/* --- the end ---------------------------------------------------------------------------------- */

/* Nothing is forgotten before every key was seen to open without the old one. */
static bool all_open(struct db *db, const struct sealing *sealing, int64_t *count, struct err *err)
{
    int64_t after = 0;
    size_t seen = PAGE;
    *count = 0;
    while (seen == PAGE) {
        auto_trust_key_page struct trust_key_page page = {0};
        if (!read_page(db, false, after, &page, err)) {
            return false;
        }
        for (size_t i = 0; i < page.count; i++) {
            if (!held_key_opens(sealing, slice_str(page.items[i].repository), &page.items[i].key,
                                err)) {
                return false;
            }
            after = page.items[i].key.id;
        }
        seen = page.count;
        *count += (int64_t)seen;
    }
    return true;
}

static bool rekey_checkpoint(const char *path, const struct sealing *old, const struct sealing *new,
                             struct err *err)
{
    uint8_t before[CHECKPOINT_KEY_SIZE], after[CHECKPOINT_KEY_SIZE];
    sealing_derive(old, "chkpoint", before);
    sealing_derive(new, "chkpoint", after);
    bool ok = !path || checkpoint_file_rekey(path, before, after, err);
    sodium_memzero(before, sizeof before);
    sodium_memzero(after, sizeof after);
    return ok;
}

/* --- the beginning ---------------------------------------------------------------------------- */

/* Whether a key was given, and it is not `known`. */
static bool is_other_key(const char *new_key_path, const struct sealing *known, bool *other,
                         struct err *err)
{
    struct sealing *given = NULL;
    *other = false;
    if (!new_key_path) {
        return true;
    }
    if (!sealing_read(new_key_path, &given, err)) {
        return false;
    }
    *other = strcmp(sealing_id(given), sealing_id(known)) != 0;
    sealing_free(given);
    return true;
}

static bool write_next(const char *next, const char *new_key_path, const struct sealing *old,
                       struct err *err)
{
    auto_wiped struct buf bytes = {0};
    bool other = false;
    if (!new_key_path) {
        return trust_sealing_key_create(AT_FDCWD, next, err);
    }
    if (!is_other_key(new_key_path, old, &other, err)) { /* its mode and size, too */
        return false;
    }
    if (!other) {
        return err_set(err, ERR_INVALID, "%s holds the sealing key that is in use; give another",
                       new_key_path);
    }
    return fsx_read(AT_FDCWD, new_key_path, SEALING_KEY_SIZE, &bytes, err) &&
           fsx_replace(AT_FDCWD, next, buf_slice_of(&bytes), 0600, err);
}

/* A change that was begun goes on with its own key. */
static bool check_next(const struct rewrap_request *rq, const char *next_file,
                       const struct sealing *next, struct err *err)
{
    bool other = false;
    if (!is_other_key(rq->new_key_path, next, &other, err)) {
        return false;
    }
    return !other ||
           err_set(err, ERR_CONFLICT,
                   "a change to the key in %s was begun; end it first, without --key", next_file);
}

static bool run(const struct rewrap_request *rq, const char *next_file, const struct sealing *old,
                const struct sealing *next, struct rewrap_result *out, struct err *err)
{
    return check_next(rq, next_file, next, err) &&
           reseal_all(rq->db, old, next, false, &out->rewrapped, err) &&
           all_open(rq->db, next, &out->keys, err) &&
           rekey_checkpoint(rq->checkpoint_path, old, next, err) &&
           fsx_move(AT_FDCWD, next_file, AT_FDCWD, rq->sealing_path, err);
}

bool trust_rewrap(const struct rewrap_request *rq, struct rewrap_result *out, struct err *err)
{
    auto_buf struct buf next_file = {0};
    struct sealing *old = NULL, *next = NULL;
    *out = (struct rewrap_result){0};
    next_path(rq->sealing_path, &next_file);
    out->resumed = there_is(next_file.p);
    bool ok = sealing_read(rq->sealing_path, &old, err) &&
              (out->resumed || write_next(next_file.p, rq->new_key_path, old, err)) &&
              sealing_read(next_file.p, &next, err) && run(rq, next_file.p, old, next, out, err);
    sealing_free(old);
    sealing_free(next);
    return ok;
}
