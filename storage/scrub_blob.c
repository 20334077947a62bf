#include "base/hash.h"
#include "base/log.h"
#include "storage/audit.h"
#include "storage/blob.h"
#include "storage/scrub_internal.h"
#include "storage/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define READ_UNIT ((size_t)256 * 1024)

static const char *const verdict_texts[SCRUB_VERDICT_COUNT] = {
    [SCRUB_INTERRUPTED] = "it was not looked at to its end",
    [SCRUB_SOUND] = "it is well",
    [SCRUB_NO_FILE] = "its file is missing",
    [SCRUB_OTHER_SIZE] = "its file has another size",
    [SCRUB_OTHER_BYTES] = "its file has other bytes",
    [SCRUB_UNREADABLE] = "its file cannot be read",
    [SCRUB_MANIFEST] = "its bytes in the index do not have its digest",
};

const char *scrub_verdict_text(enum scrub_verdict verdict)
{
    return verdict_texts[verdict];
}

/* --- one reading ------------------------------------------------------------------------------ */

/* Errors that speak of the file itself. Others (no descriptors, no rights, no memory) speak of us
 * and pass. */
static bool is_of_the_file(int sys)
{
    static const int list[] = {EIO, EUCLEAN, EBADMSG, EILSEQ, ENODATA, EOVERFLOW, EISDIR, ELOOP};
    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        if (sys == list[i]) {
            return true;
        }
    }
    return false;
}

/* Which file was looked at; nothing when there was none. */
struct looked_at {
    bool there;
    dev_t device;
    ino_t inode;
};

struct reading {
    struct store *store;
    const struct digest *digest;
    const struct scrub_listener *listener;
    int64_t size; /* that it should have */
    struct looked_at file;
};

static bool fail(const struct reading *r, const char *what, enum scrub_verdict *out,
                 struct err *err)
{
    char path[BLOB_PATH_MAX];
    int sys = errno;
    *out = SCRUB_UNREADABLE;
    return is_of_the_file(sys) ||
           err_sys(err, sys, "%s of blobs/%s", what, blob_path(r->digest, path));
}

/* What is in the page cache says nothing of the disk. Errors do not matter: then it is read from
 * there. */
static void forget_cached(int fd)
{
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

static bool read_all(const struct reading *r, int fd, enum scrub_verdict *out, struct err *err)
{
    auto_hash struct hash *h = hash_new(r->digest->algorithm);
    auto_free char *unit = xmalloc(READ_UNIT);
    struct digest real;
    int64_t left = r->size;
    ssize_t n;
    do {
        int64_t next = left < (int64_t)READ_UNIT ? left : (int64_t)READ_UNIT;
        if (!r->listener->pace(next, r->listener->arg)) {
            *out = SCRUB_INTERRUPTED;
            return true;
        }
        n = read(fd, unit, READ_UNIT);
        if (n < 0 && errno != EINTR) {
            return fail(r, "read", out, err);
        }
        hash_update(h, unit, n > 0 ? (size_t)n : 0);
        left -= n > 0 && n < left ? n : 0;
    } while (n != 0);
    hash_peek(h, &real);
    *out = digest_equal(&real, r->digest) ? SCRUB_SOUND : SCRUB_OTHER_BYTES;
    return true;
}

static bool look(struct reading *r, enum scrub_verdict *out, struct err *err)
{
    char path[BLOB_PATH_MAX];
    struct stat st;
    r->file = (struct looked_at){0};
    auto_fd int fd = openat(r->store->blobs_fd, blob_path(r->digest, path),
                            O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT) {
        *out = SCRUB_NO_FILE;
        return true;
    }
    if (fstatat(r->store->blobs_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        r->file = (struct looked_at){true, st.st_dev, st.st_ino};
    }
    if (fd < 0) {
        return fail(r, "open", out, err);
    }
    if (fstat(fd, &st) != 0) {
        return fail(r, "stat", out, err);
    }
    if (!S_ISREG(st.st_mode) || st.st_size != r->size) {
        *out = SCRUB_OTHER_SIZE;
        return true;
    }
    forget_cached(fd);
    bool done = read_all(r, fd, out, err);
    forget_cached(fd);
    return done;
}

static bool is_defect(enum scrub_verdict verdict)
{
    return verdict != SCRUB_SOUND && verdict != SCRUB_INTERRUPTED;
}

/* One bit that fell in memory, or a disk that was away for a moment, is no reason to take a blob
 * away. */
static bool look_again(struct reading *r, enum scrub_verdict *out, struct err *err)
{
    if (*out == SCRUB_UNREADABLE && !r->listener->rest(SCRUB_REST_US, r->listener->arg)) {
        *out = SCRUB_INTERRUPTED;
        return true;
    }
    return look(r, out, err);
}

/* --- the verdict ------------------------------------------------------------------------------ */

static bool read_state(struct store *store, const struct digest *digest, struct blob_state *out,
                       struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    return db_snapshot(store->db, &tx, err) && blob_state(tx, digest, out, err);
}

/* Has it a file that should be whole? */
static bool is_present(const struct blob_state *state)
{
    return state->known && state->missing_us == 0 && !state->journalled;
}

static bool is_same_file(const struct reading *r)
{
    char path[BLOB_PATH_MAX];
    struct stat st;
    bool there =
        fstatat(r->store->blobs_fd, blob_path(r->digest, path), &st, AT_SYMLINK_NOFOLLOW) == 0;
    return there == r->file.there &&
           (!there || (st.st_dev == r->file.device && st.st_ino == r->file.inode));
}

struct mark {
    struct scrub_finding finding;
    int64_t now_us;
    struct blob_user_list users; /* made anew by every run of the write function */
    bool marked;                 /* out */
};

static bool write_mark(struct db_tx *tx, void *arg, struct err *err)
{
    struct mark *m = arg;
    blob_user_list_dispose(&m->users);
    if (!blob_mark_missing(tx, &m->finding.digest, m->now_us, &m->marked, err)) {
        return false;
    }
    m->finding.users = &m->users;
    return !m->marked || (blob_users(tx, &m->finding.digest, SCRUB_USERS_MAX, &m->users, err) &&
                          scrub_audit(tx, &m->finding, m->now_us, err));
}

/* A file that cannot be moved aside (a disk that is read-only by now) stays where it is: the row is
 * marked all the same, and a push looks at the mark before it believes the file. */
static void move_aside(struct store *store, struct mark *m, char path[QUARANTINE_PATH_MAX])
{
    struct err why = {0};
    if (!quarantine_file(store, &m->finding.digest, path, &why)) {
        path[0] = '\0';
        log_err(LOG_ERROR, "quarantine", &why);
    }
    m->finding.quarantined = path;
}

/* Under the digest's lock. *out is SCRUB_SOUND when it is no longer the file that was read. */
static bool condemn_file(const struct reading *r, struct mark *m, char path[QUARANTINE_PATH_MAX],
                         enum scrub_verdict *out, struct err *err)
{
    struct blob_state state;
    if (!read_state(r->store, r->digest, &state, err)) {
        return false;
    }
    if (!is_present(&state) || !is_same_file(r)) {
        *out = SCRUB_SOUND;
        return true;
    }
    move_aside(r->store, m, path);
    if (!db_write(r->store->db, write_mark, m, err)) {
        return false;
    }
    *out = m->marked ? *out : SCRUB_SOUND;
    return true;
}

static bool judge(const struct reading *r, int64_t now_us, enum scrub_verdict *out, struct err *err)
{
    char path[QUARANTINE_PATH_MAX] = "";
    struct mark m = {.finding = {.verdict = *out, .digest = *r->digest, .quarantined = path},
                     .now_us = now_us};
    store_digest_lock(r->store, r->digest);
    bool done = condemn_file(r, &m, path, out, err);
    store_digest_unlock(r->store, r->digest);
    if (done && *out != SCRUB_SOUND) {
        r->listener->found(&m.finding, r->listener->arg);
    }
    blob_user_list_dispose(&m.users);
    return done;
}

bool scrub_blob(struct store *store, const struct digest *digest,
                const struct scrub_listener *listener, int64_t now_us, enum scrub_verdict *out,
                struct err *err)
{
    struct blob_state state;
    *out = SCRUB_SOUND;
    if (!read_state(store, digest, &state, err)) {
        return false;
    }
    if (!is_present(&state)) {
        return true;
    }
    struct reading r = {.store = store, .digest = digest, .listener = listener, .size = state.size};
    if (!look(&r, out, err) || (is_defect(*out) && !look_again(&r, out, err))) {
        return false;
    }
    return !is_defect(*out) || judge(&r, now_us, out, err);
}

/* --- for the log of who is concerned ---------------------------------------------------------- */

static void write_user(struct buf *b, const struct blob_user *user)
{
    char digest[DIGEST_STR_MAX];
    buf_str(b, "{\"repository\":");
    buf_json_string(b, slice_str(user->repository));
    if (digest_is_set(&user->manifest)) {
        buf_printf(b, ",\"manifest\":\"%s\",\"tags\":", digest_format(&user->manifest, digest));
        buf_json_string(b, slice_str(user->tags));
    }
    buf_char(b, '}');
}

/* The users of one namespace; of all when it is 0. */
static void write_users(struct buf *b, const struct scrub_finding *f, int64_t namespace_id)
{
    size_t n = 0;
    buf_str(b, "{\"why\":");
    buf_json_string(b, slice_str(scrub_verdict_text(f->verdict)));
    if (f->quarantined[0]) {
        buf_str(b, ",\"file\":");
        buf_json_string(b, slice_str(f->quarantined));
    }
    buf_str(b, ",\"users\":[");
    for (size_t i = 0; i < f->users->count; i++) {
        const struct blob_user *user = &f->users->items[i];
        if (namespace_id == 0 || user->namespace_id == namespace_id) {
            buf_str(b, n++ > 0 ? "," : "");
            write_user(b, user);
        }
    }
    buf_printf(b, "],\"more\":%s}", f->users->more ? "true" : "false");
}

static bool append_entry(struct db_tx *tx, const struct scrub_finding *f, int64_t namespace_id,
                         int64_t now_us, struct err *err)
{
    static const struct actor scrub = {.name = "scrub"};
    char object[DIGEST_STR_MAX];
    auto_buf struct buf after = {0};
    write_users(&after, f, namespace_id);
    digest_format(&f->digest, object);
    const struct audit_entry entry = {.action = f->verdict == SCRUB_MANIFEST ? "manifest.damaged"
                                                                             : "blob.missing",
                                      .namespace_id = namespace_id,
                                      .object = slice_str(object),
                                      .outcome = AUDIT_ERROR,
                                      .after = buf_slice_of(&after)};
    return audit_append(tx, &scrub, &entry, now_us, err);
}

static bool is_first_of_namespace(const struct blob_user_list *users, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (users->items[k].namespace_id == users->items[i].namespace_id) {
            return false;
        }
    }
    return true;
}

bool scrub_audit(struct db_tx *tx, const struct scrub_finding *finding, int64_t now_us,
                 struct err *err)
{
    if (!append_entry(tx, finding, 0, now_us, err)) {
        return false;
    }
    for (size_t i = 0; i < finding->users->count; i++) {
        if (is_first_of_namespace(finding->users, i) &&
            !append_entry(tx, finding, finding->users->items[i].namespace_id, now_us, err)) {
            return false;
        }
    }
    return true;
}
