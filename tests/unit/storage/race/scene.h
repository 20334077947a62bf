/* What the races have in common: a world with one content that everybody wants, the pieces of work that are done to it,
 * and what must hold afterwards. */
#ifndef TESTS_UNIT_STORAGE_RACE_SCENE_H
#define TESTS_UNIT_STORAGE_RACE_SCENE_H

#include "storage/gc.h"
#include "tests/unit/storage/image.h"

#define DAY (24 * HOUR)

/* A world with one content that everybody wants. */
struct scene {
    struct world w; /* first: what takes a world takes this */
    int64_t other;  /* another repository */
    struct buf bytes;
    struct digest digest;
};

/* Fixtures of a scene whose content has 100 bytes, or 300,000, and becomes durable through its file; or 100 bytes that
 * wait in the journal. */
int small_setup(void **state);
int large_setup(void **state);
int journal_setup(void **state);
int scene_teardown(void **state);

/* What one of them did. */
struct deed {
    struct scene *s;
    int64_t now_us;
    const char *repo;      /* a push: where to */
    struct upload *upload; /* a session that is open already */
    const char *id;        /* one that is not */
    const struct manifest_put *put;
    bool ok;
    struct err err;
    struct gc_result collected;
    int ended; /* sessions that expired, or blobs that were settled */
};

/* Each takes a deed and fills its outcome, so that it can be done on a thread. To ns/app, unless said otherwise. */
void do_push(void *deed);    /* of all bytes in one request */
void do_start(void *deed);   /* a session, which stays in use */
void do_open(void *deed);    /* the session `id`, which stays in use */
void do_append(void *deed);  /* all bytes to the session in use, and gives it back */
void do_finish(void *deed);  /* the session in use */
void do_cancel(void *deed);  /* the session `id` */
void do_expire(void *deed);  /* whatever is idle */
void do_collect(void *deed); /* one step */
void do_settle(void *deed);  /* the journal, one step */
void do_mount(void *deed);   /* to the other repository */
void do_unlink(void *deed);
void do_keep(void *deed);
void do_put(void *deed);
void do_delete(void *deed); /* the manifest `put` */
void do_tag(void *deed);    /* "latest" to it */

void assert_done(const struct deed *d);
void assert_refused(const struct deed *d, enum err_code code);

/* Pushes; fails the test when it cannot. */
void push(struct scene *s, int64_t now_us);
/* Pushed at T0, out of its repository at T0 + DAY; the file and its row wait for the collector. */
void push_and_lose(struct scene *s);
/* An image whose only layer is the content, and whose config is there and named by another one. image_free. */
void image_of(struct scene *s, struct buf *text, struct manifest_put *out);
void image_free(struct manifest_put *put);
/* A session in use, without bytes or with all of them. Its id is written to `id`. */
struct upload *session(struct scene *s, int64_t now_us, char id[UPLOAD_ID_MAX]);
struct upload *full_session(struct scene *s, int64_t now_us, char id[UPLOAD_ID_MAX]);

bool is_member(struct scene *s, int64_t repository_id, struct blob *out);
bool has_file(struct scene *s);
/* The file check finds nothing. */
void assert_sound(struct scene *s);
/* There for this repository, whole, and kept until `due_us`; sound. */
void assert_held(struct scene *s, int64_t repository_id, int64_t due_us);
/* In no repository, and no file; sound. */
void assert_gone(struct scene *s);

#endif
