/* The record: one fixed head per change, then its name and its bytes. Files are told apart by inode number; a number is
 * taken again by the next file that is made, which the record says. */
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* As power.py reads it. */
enum kind {
    KIND_ROOT = 1,
    KIND_MADE,   /* a new file or folder `inode` called name in `folder` */
    KIND_LINKED, /* an existing file */
    KIND_BYTES,  /* at `at` */
    KIND_SIZE,   /* is now `at` */
    KIND_SYNCED,
    KIND_SYNCED_ALL,
    KIND_UNLINKED,
    KIND_RENAMED, /* name in `folder` becomes the bytes' name in the folder `at` */
    KIND_SYNC_FAILED,
};

struct head {
    uint32_t number; /* of the call */
    uint16_t kind;
    uint16_t is_folder;
    uint64_t inode;
    uint64_t folder;
    int64_t at;
    uint32_t name_length;
    uint32_t length;
};

static int record = -1;

static void put(const struct head *head, const char *name, const void *bytes)
{
    struct iovec parts[3] = {{(void *)head, sizeof(*head)},
                             {(void *)name, head->name_length},
                             {(void *)bytes, head->length}};
    int kept = errno;
    (void)syscall(SYS_writev, record, parts, 3);
    errno = kept;
}

static uint64_t inode_of(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

/* The folder that a path names a thing in, and that name. */
static uint64_t folder_of(int dir, const char *path, const char **name_out)
{
    char folder[FAULT_PATH_MAX];
    struct stat st;
    const char *slash = strrchr(path, '/');
    *name_out = slash ? slash + 1 : path;
    snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) + 1 : 1,
             slash ? path : ".");
    return fstatat(dir, folder, &st, 0) == 0 ? st.st_ino : 0;
}

void fault_record_open(const char *path, const char *root)
{
    struct stat st;
    if (!path || stat(root, &st) != 0) {
        return;
    }
    record =
        (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    put(&(struct head){.kind = KIND_ROOT, .inode = st.st_ino}, "", "");
}

void fault_record_made(const struct fault_call *call, int dir, const char *path, bool folder)
{
    struct stat st;
    const char *name = NULL;
    struct head head = {.number = call->number, .kind = KIND_MADE, .is_folder = folder};
    int kept = errno;
    if (record >= 0 && fstatat(dir, path, &st, 0) == 0) {
        head.kind = call->op == OP_LINK ? KIND_LINKED : KIND_MADE;
        head.inode = st.st_ino;
        head.folder = folder_of(dir, path, &name);
        head.name_length = (uint32_t)strlen(name);
        put(&head, name, "");
    }
    errno = kept;
}

void fault_record_bytes(const struct fault_call *call, int fd, const void *p, size_t n, off_t at)
{
    if (record >= 0) {
        put(&(struct head){.number = call->number,
                           .kind = KIND_BYTES,
                           .inode = inode_of(fd),
                           .at = at,
                           .length = (uint32_t)n},
            "", p);
    }
}

void fault_record_size(const struct fault_call *call, int fd)
{
    struct stat st;
    if (record >= 0 && fstat(fd, &st) == 0) {
        put(
            &(struct head){
                .number = call->number, .kind = KIND_SIZE, .inode = st.st_ino, .at = st.st_size},
            "", "");
    }
}

void fault_record_sync(const struct fault_call *call, int fd, bool done)
{
    if (record >= 0) {
        put(&(struct head){.number = call->number,
                           .kind = done ? KIND_SYNCED : KIND_SYNC_FAILED,
                           .inode = inode_of(fd)},
            "", "");
    }
}

void fault_record_sync_all(const struct fault_call *call)
{
    if (record >= 0) {
        put(&(struct head){.number = call->number, .kind = KIND_SYNCED_ALL}, "", "");
    }
}

void fault_record_unlinked(const struct fault_call *call, int dir, const char *path)
{
    const char *name = NULL;
    struct head head = {.number = call->number, .kind = KIND_UNLINKED};
    if (record >= 0) {
        head.folder = folder_of(dir, path, &name);
        head.name_length = (uint32_t)strlen(name);
        put(&head, name, "");
    }
}

void fault_record_renamed(const struct fault_call *call, int from_dir, const char *from, int to_dir,
                          const char *to)
{
    const char *from_name = NULL;
    const char *to_name = NULL;
    struct head head = {.number = call->number, .kind = KIND_RENAMED};
    if (record >= 0) {
        head.folder = folder_of(from_dir, from, &from_name);
        head.at = (int64_t)folder_of(to_dir, to, &to_name);
        head.name_length = (uint32_t)strlen(from_name);
        head.length = (uint32_t)strlen(to_name);
        put(&head, from_name, to_name);
    }
}
