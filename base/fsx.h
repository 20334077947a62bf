/* Durable files: the one place that knows the order fsync(file), link, fsync(folder). Paths are relative to an open
 * folder descriptor. Refuses to know what a file means. */
#ifndef BASE_FSX_H
#define BASE_FSX_H

#include "base/buf.h"
#include "base/err.h"

#include <sys/types.h>

/* Opens a folder (O_DIRECTORY|O_CLOEXEC), making it with `mode` when missing and syncing its parent. -1 and err on failure. */
int fsx_open_dir(int at, const char *path, bool create, mode_t mode, struct err *err) MUST_USE;
/* Makes the folder `path` (one level) if missing and syncs `at`. */
bool fsx_mkdir(int at, const char *path, mode_t mode, struct err *err) MUST_USE;
/* Writes all n bytes, going on after short writes and EINTR. */
bool fsx_write_all(int fd, const void *p, size_t n, struct err *err) MUST_USE;
/* pwrite in full. */
bool fsx_pwrite_all(int fd, const void *p, size_t n, off_t at, struct err *err) MUST_USE;
/* Publishes an existing file durably: fsync(file_fd), linkat(from -> to), fsync(to_dir). "Already there" is success
 * (*existed_out = true when not NULL). The name `from` stays; the caller unlinks it after its own commit.
 * On success the bytes under `to` survive power loss. */
bool fsx_publish(int file_fd, int from_dir, const char *from, int to_dir, const char *to,
                 bool *existed_out, struct err *err) MUST_USE;
/* Gives a file another name, durably: rename, which replaces what had the name, and fsync of both
 * folders. Expected errors: ERR_NOT_FOUND (there is no such file). */
bool fsx_move(int from_dir, const char *from, int to_dir, const char *to, struct err *err) MUST_USE;
/* Replaces a small file atomically and durably: temp file, write, fsync, rename, fsync(folder). */
bool fsx_replace(int at, const char *path, struct slice bytes, mode_t mode,
                 struct err *err) MUST_USE;
/* Writes the bytes of a file over themselves and syncs it. After an fsync that failed the kernel takes for clean what it
 * could not write, and a second fsync says yes to nothing; this makes it write again what readers see. Nobody else may
 * write the file meanwhile. A missing file is success. On success the bytes survive power loss. */
bool fsx_rewrite(int at, const char *path, struct err *err) MUST_USE;
/* Reads a whole file of at most `max` bytes. Expected errors: ERR_NOT_FOUND when it does not exist. */
bool fsx_read(int at, const char *path, size_t max, struct buf *out, struct err *err) MUST_USE;
/* The rest of an open file, of at most `max` bytes.
 *   what   names it in messages */
bool fsx_read_open(int fd, const char *what, size_t max, struct buf *out, struct err *err) MUST_USE;
/* fsync of the folder that holds the name `path`, which need not exist: what was linked or unlinked there survives power
 * loss. A missing folder is success: nothing was there to lose. */
bool fsx_sync_folder(int at, const char *path, struct err *err) MUST_USE;
/* unlink; a missing file is success. Durable only after fsx_sync_folder. */
bool fsx_unlink(int at, const char *path, struct err *err) MUST_USE;
/* Takes an exclusive advisory lock (flock) on a file, making it; fd stays open while the lock is held. -1 with
 * ERR_CONFLICT when another process holds it. */
int fsx_lock(int at, const char *path, struct err *err) MUST_USE;

#endif
