#include "fault.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FRAMES_MAX 40
#define FRAMES_OF_LIBRARY 4 /* kept of a library between the server and us, innermost first */
#define FRAMES_OF_SERVER 4  /* kept of the server itself */

static struct {
    char root[FAULT_PATH_MAX];
    size_t root_length; /* 0: nothing is ours */
    const char *control;
    int trace;
    unsigned number;
    const void *server_base, *own_base;
    pthread_mutex_t lock;
} state = {.trace = -1, .lock = PTHREAD_MUTEX_INITIALIZER};

static const char *const op_names[OP_COUNT] = {
#define FAULT_OP(symbol, name) [OP_##symbol] = name,
    FAULT_OPS(FAULT_OP)
#undef FAULT_OP
};

const char *fault_op_name(enum fault_op op)
{
    return op_names[op];
}

bool fault_op_changes(enum fault_op op)
{
    return op < OP_OPEN;
}

/* --- start ------------------------------------------------------------------------------------ */

static const void *base_of(const void *address)
{
    Dl_info info;
    return dladdr(address, &info) != 0 ? info.dli_fbase : NULL;
}

/* The program itself begins where its first instruction lies. */
static const void *server_base(void)
{
    return base_of((const void *)getauxval(AT_ENTRY)); /* NOLINT(performance-no-int-to-ptr) */
}

__attribute__((constructor)) static void start(void)
{
    const char *root = getenv("FAULT_ROOT");
    const char *trace = getenv("FAULT_TRACE");
    void *frames[1];
    if (!root || !realpath(root, state.root)) {
        return;
    }
    (void)backtrace(frames, 1); /* its first call loads a library */
    state.control = getenv("FAULT_CONTROL");
    if (trace) {
        state.trace = (int)syscall(SYS_openat, AT_FDCWD, trace,
                                   O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
    state.server_base = server_base();
    state.own_base = base_of((const void *)&state);
    fault_record_open(getenv("FAULT_RECORD"), state.root);
    state.root_length = strlen(state.root);
}

/* --- which calls are ours --------------------------------------------------------------------- */

/* The path below the root, or false. */
static bool is_ours(struct fault_call *call, const char *absolute)
{
    if (strncmp(absolute, state.root, state.root_length) != 0) {
        return false;
    }
    const char *rest = absolute + state.root_length;
    if (*rest != '/' && *rest != '\0') {
        return false;
    }
    snprintf(call->path, sizeof(call->path), "%s", *rest == '/' ? rest + 1 : rest);
    return true;
}

static bool path_of_fd(int fd, char out[FAULT_PATH_MAX])
{
    char link[32];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(fd == AT_FDCWD ? "/proc/self/cwd" : link, out, FAULT_PATH_MAX - 1);
    out[n > 0 ? n : 0] = '\0';
    return n > 0 && out[0] == '/';
}

bool fault_on_fd(struct fault_call *call, enum fault_op op, int fd)
{
    char absolute[FAULT_PATH_MAX];
    int kept = errno;
    *call = (struct fault_call){.op = op};
    bool ours = state.root_length > 0 && path_of_fd(fd, absolute) && is_ours(call, absolute);
    errno = kept;
    return ours;
}

bool fault_on_path(struct fault_call *call, enum fault_op op, int dir, const char *path)
{
    char folder[FAULT_PATH_MAX];
    char absolute[2 * FAULT_PATH_MAX];
    int kept = errno;
    bool ours = false;
    *call = (struct fault_call){.op = op};
    if (state.root_length > 0 && path[0] == '/') {
        ours = is_ours(call, path);
    } else if (state.root_length > 0 && path_of_fd(dir, folder)) {
        snprintf(absolute, sizeof(absolute), "%s/%s", folder, path);
        ours = is_ours(call, absolute);
    }
    errno = kept;
    return ours;
}

/* --- who calls -------------------------------------------------------------------------------- */

/* A place as an offset in its file, so that it is the same in every run. */
static size_t add_place(char *out, size_t room, const char *mark, const void *base, const void *at)
{
    int n = snprintf(out, room, "%s%zx", mark, (size_t)((const char *)at - (const char *)base));
    return n > 0 && (size_t)n < room ? (size_t)n : 0;
}

static void find_site(struct fault_call *call)
{
    void *frames[FRAMES_MAX];
    int count = backtrace(frames, FRAMES_MAX);
    int of_library = 0;
    int of_server = 0;
    size_t n = (size_t)snprintf(call->site, sizeof(call->site), "%s:%.*s:", fault_op_name(call->op),
                                (int)strcspn(call->path, "/"), call->path);
    for (int i = 0; i < count && of_server < FRAMES_OF_SERVER; i++) {
        const void *base = base_of(frames[i]);
        char *end = call->site + n;
        if (base == state.server_base) {
            n += add_place(end, sizeof(call->site) - n, "+", base, frames[i]);
            of_server++;
        } else if (base != state.own_base && of_server == 0 && of_library < FRAMES_OF_LIBRARY) {
            n += add_place(end, sizeof(call->site) - n, "~", base, frames[i]);
            of_library++;
        }
    }
}

/* --- order ------------------------------------------------------------------------------------ */

static const char *action_text(const struct fault_call *call)
{
    switch (call->action) {
    case DO_KILL_BEFORE:
        return "kill-before";
    case DO_KILL_AFTER:
        return "kill-after";
    case DO_SHORTEN:
        return "short";
    case DO_FAIL:
        return strerrorname_np(call->error);
    case DO_NOTHING:
        break;
    }
    return "-";
}

static void trace(const struct fault_call *call)
{
    char line[FAULT_PATH_MAX + FAULT_SITE_MAX + 64];
    if (state.trace < 0 || (call->number == 0 && call->action == DO_NOTHING)) {
        return;
    }
    int n = snprintf(line, sizeof(line), "%u %s %s %s %s\n", call->number, fault_op_name(call->op),
                     call->path[0] ? call->path : ".", action_text(call), call->site);
    (void)syscall(SYS_write, state.trace, line, (size_t)n);
}

static void end_process(void)
{
    for (;;) {
        (void)syscall(SYS_kill, getpid(), SIGKILL);
    }
}

void fault_begin(struct fault_call *call)
{
    int kept = errno;
    pthread_mutex_lock(&state.lock);
    if (fault_op_changes(call->op)) {
        call->number = ++state.number;
        find_site(call);
    }
    if (state.control) {
        fault_rules_apply(state.control, call);
    }
    if (call->action != DO_NOTHING && call->number == 0) {
        find_site(call); /* costs too much for every read */
    }
    trace(call);
    if (call->action == DO_KILL_BEFORE) {
        end_process();
    }
    if (!fault_op_changes(call->op)) { /* readers do not wait for each other's disk */
        pthread_mutex_unlock(&state.lock);
    }
    errno = call->action == DO_FAIL ? call->error : kept;
}

void fault_end(const struct fault_call *call)
{
    int kept = errno;
    if (call->action == DO_KILL_AFTER) {
        end_process();
    }
    if (fault_op_changes(call->op)) {
        pthread_mutex_unlock(&state.lock);
    }
    errno = kept;
}
