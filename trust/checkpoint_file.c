#include "trust/checkpoint_file.h"

#include "base/fsx.h"
#include "base/hex.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>

#define FILE_MAX ((size_t)1 << 30)
#define GROWTH_MIN ((size_t)1 << 20) /* a file is not replaced for less than this */
#define FILL ((size_t)256 * 1024)
/* More than a record of a change to a repository with 200 roles. One that needs more is found after
 * its commit: the flush fails, and what it did not note is taken over at the next look. */
#define FILL_MIN ((size_t)64 * 1024)
#define HEAD "record "
#define HEAD_SIZE (sizeof HEAD - 1 + 8 + 1 + 2 * CHECKPOINT_CODE_SIZE + 1)

void checkpoint_file_init(struct checkpoint_file *f, const char *path,
                          const uint8_t key[CHECKPOINT_KEY_SIZE])
{
    *f = (struct checkpoint_file){.path = xstrdup(path), .fd = -1};
    memcpy(f->key, key, sizeof f->key);
}

static void close_fd(struct checkpoint_file *f)
{
    if (f->fd >= 0) {
        (void)close(f->fd);
    }
    f->fd = -1;
    f->filled = 0;
}

void checkpoint_file_close(struct checkpoint_file *f)
{
    close_fd(f);
    sodium_memzero(f->key, sizeof f->key);
    free(f->path);
}

/* The code of a record that follows one with `before`. */
static void code_of(const struct checkpoint_file *f, const uint8_t before[CHECKPOINT_CODE_SIZE],
                    struct slice lines, uint8_t out[CHECKPOINT_CODE_SIZE])
{
    crypto_generichash_state state;
    (void)crypto_generichash_init(&state, f->key, sizeof f->key, CHECKPOINT_CODE_SIZE);
    (void)crypto_generichash_update(&state, before, CHECKPOINT_CODE_SIZE);
    (void)crypto_generichash_update(&state, (const uint8_t *)lines.p, lines.n);
    (void)crypto_generichash_final(&state, out, CHECKPOINT_CODE_SIZE);
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool read_length(struct slice digits, size_t *out)
{
    uint8_t raw[4];
    if (!hex_decode(digits, raw, sizeof raw)) {
        return false;
    }
    *out = (size_t)raw[0] << 24 | (size_t)raw[1] << 16 | (size_t)raw[2] << 8 | raw[3];
    return true;
}

/* The head at the beginning of `rest`: how many bytes follow it, and their code. */
static bool head_at(struct slice rest, size_t *n, uint8_t code[CHECKPOINT_CODE_SIZE])
{
    const size_t code_at = sizeof HEAD - 1 + 8 + 1;
    return rest.n >= HEAD_SIZE && slice_starts(rest, HEAD) && rest.p[code_at - 1] == ' ' &&
           rest.p[HEAD_SIZE - 1] == '\n' &&
           read_length((struct slice){rest.p + sizeof HEAD - 1, 8}, n) &&
           hex_decode((struct slice){rest.p + code_at, (size_t)2 * CHECKPOINT_CODE_SIZE}, code,
                      CHECKPOINT_CODE_SIZE);
}

/* The record at the beginning of `rest`; its code must follow `code`, which becomes its own. */
static bool record_at(const struct checkpoint_file *f, struct slice rest,
                      uint8_t code[CHECKPOINT_CODE_SIZE], struct slice *lines)
{
    uint8_t written[CHECKPOINT_CODE_SIZE], right[CHECKPOINT_CODE_SIZE];
    size_t n = 0;
    if (!head_at(rest, &n, written) || n > rest.n - HEAD_SIZE) {
        return false;
    }
    *lines = (struct slice){rest.p + HEAD_SIZE, n};
    code_of(f, code, *lines, right);
    if (sodium_memcmp(written, right, sizeof right) != 0) {
        return false;
    }
    memcpy(code, right, sizeof right);
    return true;
}

static bool hand_out(struct slice lines, bool (*line)(void *arg, struct slice text), void *arg)
{
    struct slice text;
    while (lines.n > 0 && slice_next(&lines, '\n', &text)) {
        if (!line(arg, text)) {
            return false;
        }
    }
    return true;
}

/* What follows a bad record was begun after it was synced: then it was whole once. */
static bool is_torn(struct slice bad)
{
    uint8_t code[CHECKPOINT_CODE_SIZE];
    size_t n = 0;
    if (head_at(bad, &n, code) && n < bad.n - HEAD_SIZE) {
        return false;
    }
    struct slice rest = slice_from(bad, 1);
    const char *at;
    while ((at = memmem(rest.p, rest.n, HEAD, sizeof HEAD - 1)) != NULL) {
        rest = slice_from(rest, (size_t)(at - rest.p));
        if (head_at(rest, &n, code)) {
            return false;
        }
        rest = slice_from(rest, 1);
    }
    return true;
}

/* Without the zeros that no record was written over yet. No record ends in one. */
static struct slice without_fill(struct slice all)
{
    while (all.n > 0 && all.p[all.n - 1] == '\0') {
        all.n--;
    }
    return all;
}

static bool read_records(struct checkpoint_file *f, struct slice all,
                         bool (*line)(void *arg, struct slice text), void *arg, struct err *err)
{
    uint8_t code[CHECKPOINT_CODE_SIZE] = {0};
    struct slice lines;
    size_t at = 0;
    while (at < all.n && record_at(f, slice_from(all, at), code, &lines)) {
        if (!hand_out(lines, line, arg)) {
            return err_set(err, ERR_INVALID, "the checkpoint %s was written by a newer version",
                           f->path);
        }
        at += HEAD_SIZE + lines.n;
    }
    if (at == 0) {
        return err_set(err, ERR_INVALID,
                       "the checkpoint %s is damaged at its beginning, or of another instance",
                       f->path);
    }
    if (at < all.n && !is_torn(slice_from(all, at))) {
        return err_set(err, ERR_INVALID, "the checkpoint %s is damaged at byte %zu", f->path, at);
    }
    memcpy(f->code, code, sizeof code);
    f->size = f->written_whole = at;
    if (at < all.n) {
        close_fd(f); /* nothing may follow a torn record: the next write replaces the file */
    }
    return true;
}

/* Leaves errno when fd is -1 afterwards. */
static void open_to_append(struct checkpoint_file *f)
{
    struct stat st;
    f->fd = open(f->path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (f->fd >= 0 && fstat(f->fd, &st) == 0) {
        f->dev = st.st_dev;
        f->ino = st.st_ino;
    }
}

enum checkpoint_read checkpoint_file_read(struct checkpoint_file *f,
                                          bool (*line)(void *arg, struct slice text), void *arg,
                                          struct err *err)
{
    auto_buf struct buf all = {0};
    struct err why = {0};
    open_to_append(f);
    if (f->fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        return CHECKPOINT_MISSING;
    }
    if (f->fd < 0) {
        (void)err_set(err, ERR_INVALID, "the checkpoint %s cannot be opened: %s", f->path,
                      strerror(errno));
        return CHECKPOINT_DAMAGED;
    }
    if (!fsx_read(AT_FDCWD, f->path, FILE_MAX, &all, &why)) {
        (void)err_set(err, ERR_INVALID, "the checkpoint %s cannot be read", f->path);
        close_fd(f);
        return CHECKPOINT_DAMAGED;
    }
    f->filled = all.n;
    if (!read_records(f, without_fill(buf_slice_of(&all)), line, arg, err)) {
        close_fd(f);
        return CHECKPOINT_DAMAGED;
    }
    return CHECKPOINT_READ;
}

/* --- writing ---------------------------------------------------------------------------------- */

static bool failed(struct checkpoint_file *f, const char *what, struct err *err)
{
    int sys = errno;
    close_fd(f);
    return err_sys(err, sys, "%s of the checkpoint %s", what, f->path);
}

/* Somebody may have removed the file, or moved or replaced it or its folder: what is appended then is
 * where the next start does not look. */
static bool still_has_name(struct checkpoint_file *f, struct err *err)
{
    struct stat st;
    if (lstat(f->path, &st) != 0) {
        return failed(f, "look", err);
    }
    if (st.st_dev != f->dev || st.st_ino != f->ino) {
        errno = ESTALE;
        return failed(f, "look", err);
    }
    return true;
}

static bool write_at(struct checkpoint_file *f, const void *p, size_t n, size_t at, struct err *err)
{
    if (!fsx_pwrite_all(f->fd, p, n, (off_t)at, err)) {
        close_fd(f);
        return false;
    }
    f->filled = at + n > f->filled ? at + n : f->filled;
    return true;
}

/* Writes zeros, so that the disk has the room and the sync of a record writes its bytes alone: blocks
 * that are allocated only, or a size that grows, cost a commit of the file system's journal, and the
 * wait for what others have put into it. They need no sync of their own. */
static bool fill(struct checkpoint_file *f, struct err *err)
{
    static const char zeros[FILL / 4];
    size_t end = f->size + FILL;
    for (size_t at = f->filled; at < end; at = f->filled) {
        size_t n = end - at < sizeof zeros ? end - at : sizeof zeros;
        if (!write_at(f, zeros, n, at, err)) {
            return false;
        }
    }
    return true;
}

bool checkpoint_file_reserve(struct checkpoint_file *f, struct err *err)
{
    if (f->fd < 0) {
        return err_internal(err, "the checkpoint %s is not open", f->path);
    }
    if (!still_has_name(f, err)) {
        return false;
    }
    return f->size + FILL_MIN <= f->filled || fill(f, err);
}

static void write_record(const struct checkpoint_file *f,
                         const uint8_t before[CHECKPOINT_CODE_SIZE], struct slice lines,
                         uint8_t code_out[CHECKPOINT_CODE_SIZE], struct buf *out)
{
    char hex[2 * CHECKPOINT_CODE_SIZE + 1];
    code_of(f, before, lines, code_out);
    buf_printf(out, HEAD "%08zx %s\n", lines.n, hex_encode(code_out, CHECKPOINT_CODE_SIZE, hex));
    buf_slice(out, lines);
}

bool checkpoint_file_append(struct checkpoint_file *f, struct slice lines, struct err *err)
{
    auto_buf struct buf record = {0};
    uint8_t code[CHECKPOINT_CODE_SIZE];
    if (f->fd < 0) {
        return err_internal(err, "the checkpoint %s is not open", f->path);
    }
    write_record(f, f->code, lines, code, &record);
    if (!write_at(f, record.p, record.n, f->size, err)) {
        return false;
    }
    if (fdatasync(f->fd) != 0) {
        return failed(f, "fdatasync", err);
    }
    if (!still_has_name(f, err)) {
        return false;
    }
    memcpy(f->code, code, sizeof code);
    f->size += record.n;
    return true;
}

bool checkpoint_file_replace(struct checkpoint_file *f, struct slice lines, struct err *err)
{
    static const uint8_t none[CHECKPOINT_CODE_SIZE];
    auto_buf struct buf record = {0};
    uint8_t code[CHECKPOINT_CODE_SIZE];
    close_fd(f);
    write_record(f, none, lines, code, &record);
    if (!fsx_replace(AT_FDCWD, f->path, buf_slice_of(&record), 0600, err)) {
        return false;
    }
    open_to_append(f);
    if (f->fd < 0) {
        return failed(f, "open", err);
    }
    memcpy(f->code, code, sizeof code);
    f->size = f->written_whole = f->filled = record.n;
    return true;
}

bool checkpoint_file_wants_replacing(const struct checkpoint_file *f)
{
    return f->fd < 0 || f->size > 2 * f->written_whole + GROWTH_MIN;
}

/* --- another key ------------------------------------------------------------------------------ */

static bool keep_line(void *arg, struct slice text)
{
    buf_slice(arg, text);
    buf_str(arg, "\n");
    return true;
}

static enum checkpoint_read read_under(const char *path, const uint8_t key[CHECKPOINT_KEY_SIZE],
                                       struct buf *lines, struct err *err)
{
    struct checkpoint_file f;
    checkpoint_file_init(&f, path, key);
    enum checkpoint_read result = checkpoint_file_read(&f, keep_line, lines, err);
    checkpoint_file_close(&f);
    return result;
}

bool checkpoint_file_is_under(const char *path, const uint8_t key[CHECKPOINT_KEY_SIZE])
{
    auto_buf struct buf lines = {0};
    struct err why = {0};
    return read_under(path, key, &lines, &why) == CHECKPOINT_READ;
}

bool checkpoint_file_rekey(const char *path, const uint8_t before[CHECKPOINT_KEY_SIZE],
                           const uint8_t after[CHECKPOINT_KEY_SIZE], struct err *err)
{
    auto_buf struct buf lines = {0};
    struct checkpoint_file f;
    if (checkpoint_file_is_under(path, after)) {
        return true;
    }
    switch (read_under(path, before, &lines, err)) {
    case CHECKPOINT_MISSING:
        return true;
    case CHECKPOINT_DAMAGED:
        return false;
    case CHECKPOINT_READ:
        break;
    }
    checkpoint_file_init(&f, path, after);
    bool ok = checkpoint_file_replace(&f, buf_slice_of(&lines), err);
    checkpoint_file_close(&f);
    return ok;
}
