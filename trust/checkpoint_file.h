/* The checkpoint's file: records that are appended and never changed, each with a code over itself
 * and everything before it, under a key of this instance. Knows records, not what they say. Not
 * thread-safe; not for others.
 *
 *     record LENGTH CODE\n     8 and 64 hex digits
 *     LENGTH bytes of lines    none of which begins with "record ", none with a zero byte in it
 *     zeros                    any number, up to the end: room for records to come
 *
 * A power cut can tear the last record and no other, since each is synced before the next is begun.
 * So a bad record with nothing but zeros after it is as if it had not been written; any other bad
 * byte is damage. The first record is written together with the file, so it cannot be torn. */
#ifndef TRUST_CHECKPOINT_FILE_H
#define TRUST_CHECKPOINT_FILE_H

#include "base/buf.h"
#include "base/err.h"

#include <sys/types.h>

#define CHECKPOINT_KEY_SIZE 32
#define CHECKPOINT_CODE_SIZE 32

struct checkpoint_file {
    char *path; /* owned */
    uint8_t key[CHECKPOINT_KEY_SIZE];
    uint8_t code[CHECKPOINT_CODE_SIZE]; /* of the last record */
    int fd;                             /* for appending; -1 = the next write replaces the file */
    size_t size, written_whole;         /* bytes of records now, and when it was last replaced */
    size_t filled;                      /* bytes of the file, its zeros included */
    dev_t dev;                          /* which file `fd` is: the name may lead to another one by now */
    ino_t ino;
};

enum checkpoint_read { CHECKPOINT_DAMAGED = 0, CHECKPOINT_MISSING, CHECKPOINT_READ };

/*   path   copied
 *   key    copied; another instance's file does not read under it */
void checkpoint_file_init(struct checkpoint_file *f, const char *path,
                          const uint8_t key[CHECKPOINT_KEY_SIZE]);
void checkpoint_file_close(struct checkpoint_file *f);

/* Reads the file and hands out its lines, without their ends.
 *   line   false: this version does not know such a line, which is damage too
 *   err    the sentence of CHECKPOINT_DAMAGED (also: no permission, cannot be written) */
enum checkpoint_read checkpoint_file_read(struct checkpoint_file *f,
                                          bool (*line)(void *arg, struct slice text), void *arg,
                                          struct err *err) MUST_USE;

/* Makes sure, as far as the file system can tell, that a record can be appended: finds a full disk
 * before a change is made that could not be noted after. False: err says what is wrong, and the file
 * wants to be replaced. */
bool checkpoint_file_reserve(struct checkpoint_file *f, struct err *err) MUST_USE;
/* Appends one record; durable. False: it may be there or not, and the file wants to be replaced. */
bool checkpoint_file_append(struct checkpoint_file *f, struct slice lines,
                            struct err *err) MUST_USE;
/* Replaces the file by one record, atomically; durable. Mends every failure before it. */
bool checkpoint_file_replace(struct checkpoint_file *f, struct slice lines,
                             struct err *err) MUST_USE;
/* Writes the whole file anew under another key; durable. One that is missing, or is under it already,
 * is no error. Expected errors: ERR_INVALID (damaged, or under neither key), ERR_NO_SPACE. */
bool checkpoint_file_rekey(const char *path, const uint8_t before[CHECKPOINT_KEY_SIZE],
                           const uint8_t after[CHECKPOINT_KEY_SIZE], struct err *err) MUST_USE;
/* True when the file reads under this key. */
bool checkpoint_file_is_under(const char *path, const uint8_t key[CHECKPOINT_KEY_SIZE]);
/* True when an append is not possible, or when what is no longer true takes most of the file. */
bool checkpoint_file_wants_replacing(const struct checkpoint_file *f);

#endif
