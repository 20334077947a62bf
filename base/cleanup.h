/* Scope-bound cleanup: a variable declared with one of these macros releases its resource when it leaves
 * scope, take() hands the resource over instead. Owns: the macros. Refuses to know: anything else. */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define NORETURN __attribute__((noreturn))

/* Hands a resource out of its auto_ variable: int fd = take_fd(&fd), char *s = take(s). */
#define take(ptr)                                                                                  \
    __extension__({                                                                                \
        __typeof__(ptr) take_tmp_ = (ptr);                                                         \
        (ptr) = NULL;                                                                              \
        take_tmp_;                                                                                 \
    })

static inline int take_fd(int *fd)
{
    int tmp = *fd;
    *fd = -1;
    return tmp;
}

static inline void cleanup_free(void *p)
{
    free(*(void **)p);
}

static inline void cleanup_fd(const int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd); /* never retried: on Linux the descriptor is gone either way */
    }
}

static inline void cleanup_json(json_t **j)
{
    json_decref(*j);
}

#define auto_free __attribute__((cleanup(cleanup_free)))
#define auto_fd __attribute__((cleanup(cleanup_fd)))
#define auto_json __attribute__((cleanup(cleanup_json)))

/* Ends the process with a message: a broken invariant, never an input. */
NORETURN void bug_at(const char *file, int line, const char *what);
#define BUG(what) bug_at(__FILE__, __LINE__, (what))

#endif
