#include "tests/unit/storage/race/stop.h"

#include "base/buf.h"
#include "base/db.h"
#include "storage/upload_internal.h"
#include "tests/unit/base/check.h"

struct actor_thread {
    void (*work)(void *arg);
    void *arg;
    enum point point;
    int left;   /* comings until it counts; 0: it has come */
    bool stops; /* there, until it is let go */
    pthread_t thread;
    pthread_mutex_t lock; /* over the members below */
    pthread_cond_t moved;
    bool came, go, ended;
};

/* The work of this thread; NULL for the test's own and the store's. */
static _Thread_local struct actor_thread *self;

static void come_to(enum point point)
{
    struct actor_thread *t = self;
    if (!t || t->point != point || t->left == 0 || --t->left > 0) {
        return;
    }
    pthread_mutex_lock(&t->lock);
    t->came = true;
    pthread_cond_broadcast(&t->moved);
    while (t->stops && !t->go) {
        pthread_cond_wait(&t->moved, &t->lock);
    }
    pthread_mutex_unlock(&t->lock);
}

static void *thread_main(void *arg)
{
    struct actor_thread *t = arg;
    self = t;
    t->work(t->arg);
    pthread_mutex_lock(&t->lock);
    t->ended = true;
    pthread_cond_broadcast(&t->moved);
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

static struct actor_thread *begin(void (*work)(void *arg), void *arg, enum point point, int n,
                                  bool stops)
{
    struct actor_thread *t = xcalloc(1, sizeof(*t));
    *t = (struct actor_thread){.work = work, .arg = arg, .point = point, .left = n, .stops = stops};
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->moved, NULL);
    assert_int_equal(pthread_create(&t->thread, NULL, thread_main, t), 0);
    pthread_mutex_lock(&t->lock);
    while (!t->came && !t->ended) {
        pthread_cond_wait(&t->moved, &t->lock);
    }
    bool came = t->came;
    pthread_mutex_unlock(&t->lock);
    assert_true(came);
    return t;
}

struct actor_thread *begin_until(void (*work)(void *arg), void *arg, enum point point, int n)
{
    return begin(work, arg, point, n, true);
}

struct actor_thread *begin_past(void (*work)(void *arg), void *arg, enum point point)
{
    return begin(work, arg, point, 1, false);
}

void finish_work(struct actor_thread *t)
{
    pthread_mutex_lock(&t->lock);
    t->go = true;
    pthread_cond_broadcast(&t->moved);
    pthread_mutex_unlock(&t->lock);
    assert_int_equal(pthread_join(t->thread, NULL), 0);
    pthread_cond_destroy(&t->moved);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

/* --- the calls (tests/CMakeLists.txt lists them too) -------------------------------------------- */

/* The names are the linker's. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

int __real_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags);
int __wrap_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    come_to(POINT_BEFORE_LINK);
    int result = __real_linkat(from_dir, from, to_dir, to, flags);
    come_to(POINT_AFTER_LINK);
    return result;
}

int __real_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    come_to(POINT_BEFORE_LINK);
    int result = __real_renameat(from_dir, from, to_dir, to);
    come_to(POINT_AFTER_LINK);
    return result;
}

int __real_unlinkat(int dir, const char *path, int flags);
int __wrap_unlinkat(int dir, const char *path, int flags)
{
    come_to(POINT_BEFORE_UNLINK);
    return __real_unlinkat(dir, path, flags);
}

bool __real_upload_file_write(struct upload *u, struct slice bytes, int64_t at, struct err *err);
bool __wrap_upload_file_write(struct upload *u, struct slice bytes, int64_t at, struct err *err)
{
    come_to(POINT_BEFORE_APPEND);
    return __real_upload_file_write(u, bytes, at, err);
}

bool __real_db_write(struct db *db, db_write_fn fn, void *arg, struct err *err);
bool __wrap_db_write(struct db *db, db_write_fn fn, void *arg, struct err *err)
{
    come_to(POINT_BEFORE_WRITE);
    bool done = __real_db_write(db, fn, arg, err);
    come_to(POINT_AFTER_WRITE);
    return done;
}

bool __real_db_write_relaxed(struct db *db, db_write_fn fn, void *arg, struct err *err);
bool __wrap_db_write_relaxed(struct db *db, db_write_fn fn, void *arg, struct err *err)
{
    come_to(POINT_BEFORE_WRITE);
    bool done = __real_db_write_relaxed(db, fn, arg, err);
    come_to(POINT_AFTER_WRITE);
    return done;
}

void __real_store_digest_lock(struct store *store, const struct digest *digest);
void __wrap_store_digest_lock(struct store *store, const struct digest *digest)
{
    come_to(POINT_BEFORE_LOCK);
    __real_store_digest_lock(store, digest);
}

bool __real_upload_end_by_id(struct store *store, const char *id, bool *ended_out, struct err *err);
bool __wrap_upload_end_by_id(struct store *store, const char *id, bool *ended_out, struct err *err)
{
    come_to(POINT_BEFORE_EXPIRY);
    return __real_upload_end_by_id(store, id, ended_out, err);
}
