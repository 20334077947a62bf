/* The store as a few arrays: what must be visible after each operation, said without an index, files or threads.
 * Flat, so that it can be copied, and lie in memory that a killed process leaves behind.
 * Owns: the rules of storage's headers. Refuses to know: how storage keeps them. */
#ifndef TESTS_UNIT_STORAGE_MODEL_MODEL_H
#define TESTS_UNIT_STORAGE_MODEL_MODEL_H

#include "storage/upload.h"
#include "tests/unit/storage/model/universe.h"

#define SESSIONS 16
#define SESSIONS_PER_ACCOUNT 3
#define HISTORY 4 /* changes of a tag that are remembered */
#define NONE (-1)

#define KEEP_US (INT64_C(24) * 3600 * 1000000) /* a blob that nothing names */
#define IDLE_US (INT64_C(20) * 3600 * 1000000) /* a session that nobody uses */

struct model_space {
    int64_t id;
    int64_t quota; /* bytes; 0: none */
    int64_t used;
};

struct model_member {
    bool here;
    int64_t due_us; /* may be collected from then on; 0: it is named */
};

struct model_manifest {
    bool here;
    int64_t pushed_us;
    int account;
};

struct model_tag {
    int manifest; /* NONE: there is no such tag */
    int64_t updated_us;
    int account;
};

struct model_repository {
    bool exists;
    int64_t id;
    int64_t gate; /* how often its gate views were thrown away */
    struct model_member blobs[BLOBS];
    struct model_manifest manifests[MANIFESTS];
    struct model_tag tags[TAGS];
    struct model_tag history[TAGS][HISTORY]; /* newest first */
    int changes[TAGS];                       /* how many of them are filled */
};

/* A blob as such, whoever holds it. */
struct model_blob {
    bool row;
    bool file; /* without a row: a crash left its file, which goes with the entry in the queue */
    int64_t due_us; /* in the collector's queue from then on; 0: not */
};

struct model_session {
    bool open;
    char id[UPLOAD_ID_MAX];
    int repository, account;
    int fed; /* the blob whose bytes are sent */
    int64_t received;
    bool junk; /* something else was sent too */
    bool busy; /* a request holds it */
    bool cut;  /* a crash came while it was finished: its bytes may have a name under blobs/ */
    bool
        dead; /* of an upload at once that a crash cut short: nobody knows it, the next round of expiry ends it */
    int64_t held; /* of a dead one: the bytes that it has reserved */
    int64_t started_us, used_us, written_us;
};

struct model {
    int64_t now_us;
    struct model_space spaces[NAMESPACES];
    struct model_repository repositories[REPOSITORIES];
    struct model_blob blobs[BLOBS];
    struct model_session sessions[SESSIONS];
    bool
        left_over; /* files of uploads that a crash cut short may be there, until the next round of expiry */
};

/* --- operations ------------------------------------------------------------------------------- */

/* OPERATION(symbol, stem of its functions, name, weight): how often, among all */
#define OPERATIONS(OPERATION)                                                                      \
    OPERATION(START, start, "upload start", 60)                                                    \
    OPERATION(APPEND, append, "upload append", 110)                                                \
    OPERATION(FINISH, finish, "upload finish", 80)                                                 \
    OPERATION(CANCEL, cancel, "upload cancel", 12)                                                 \
    OPERATION(HOLD, hold, "upload open", 20)                                                       \
    OPERATION(RELEASE, release, "upload close", 12)                                                \
    OPERATION(EXPIRE, expire, "upload expire", 12)                                                 \
    OPERATION(SINGLE, single, "upload at once", 110)                                               \
    OPERATION(MOUNT, mount, "blob mount", 40)                                                      \
    OPERATION(MOUNT_ANY, mount_any, "blob mount from anywhere", 30)                                \
    OPERATION(UNLINK, unlink, "blob delete", 25)                                                   \
    OPERATION(READ, read, "blob read", 30)                                                         \
    OPERATION(KEEP, keep, "blob keep", 30)                                                         \
    OPERATION(PUT, put, "manifest put", 140)                                                       \
    OPERATION(DELETE, delete, "manifest delete", 40)                                               \
    OPERATION(TAG, tag, "tag put", 50)                                                             \
    OPERATION(UNTAG, untag, "tag delete", 20)                                                      \
    OPERATION(TAGS_PAGE, tags_page, "tag list", 15)                                                \
    OPERATION(REFERRERS_PAGE, referrers_page, "referrer list", 15)                                 \
    OPERATION(COLLECT, collect, "collect one step", 20)                                            \
    OPERATION(DRAIN, drain, "collect all", 12)                                                     \
    OPERATION(SETTLE, settle, "settle the journal", 25)                                            \
    OPERATION(QUOTA, quota, "quota", 12)                                                           \
    OPERATION(CHECK, check, "check", 2)
enum operation_kind {
#define OPERATION(symbol, stem, name, weight) OP_##symbol,
    OPERATIONS(OPERATION)
#undef OPERATION
        OP_COUNT
};

struct operation {
    enum operation_kind kind;
    int64_t now_us;
    int repository, other; /* other: where a mount comes from */
    int blob;              /* the one that is meant, or whose digest is claimed */
    int fed;               /* the one whose bytes are sent */
    int manifest, like; /* like: REFERRERS_PAGE: of the artifact type of this one; NONE: of any */
    int tag, second_tag, session, account, space;
    int64_t n;         /* bytes, a quota, or a page's size, as the kind says */
    bool junk;         /* APPEND: other bytes than those of the blob that its session is fed with */
    bool strange;      /* another account's session */
    bool elsewhere;    /* another repository's session */
    bool out_of_order; /* APPEND: the chunk is said to begin somewhere else */
    bool sealed; /* APPEND: its file has a second name, left by a crash while it was finished */
    bool sparse; /* PUT */
    bool rest;   /* FINISH: brings what the session lacks; SINGLE: may wait in memory */
    int64_t
        reserved; /* APPEND, FINISH: what its session has reserved, which a lower quota does not take away */
    bool announced; /* APPEND: the request says how much it brings */
    int reader;     /* MOUNT_ANY: see model_reads */
};

/* What an operation answers. */
struct answer {
    enum err_code code; /* ERR_NONE: done */
    int64_t a, b, c, d; /* as the kind says; 0 otherwise */
};

/* Applies an operation. An answer with an error leaves the model as the store must be left. Session ids are random:
 * START leaves the id of its session empty. Any thread that has the model alone. */
struct answer model_apply(struct model *m, const struct universe *u, const struct operation *op);

void model_init(struct model *m);
/* The process ended and another one has opened the store. */
void model_restart(struct model *m);

/* --- questions -------------------------------------------------------------------------------- */

/* Does a manifest of the repository name the blob? */
bool model_keeps(const struct model *m, const struct universe *u, int repository, int blob);
/* Is it in any repository? */
bool model_held(const struct model *m, int blob);
/* May this kind of reader see the repository? 0: nobody in particular, 1: a robot of the first namespace, 2: an
 * administrator */
bool model_reads(const struct universe *u, int reader, int repository);
/* Bytes that the unfinished uploads of a namespace have received. */
int64_t model_unfinished(const struct model *m, const struct universe *u, int space);
int model_manifest_count(const struct model_repository *r);
/* The session that START ends, so that there is room for one more; NONE: none needs to, or none can. */
int model_evicted(const struct model *m, int account);
/* A membership ends. */
void model_remove_member(struct model *m, const struct universe *u, int repository, int blob,
                         int64_t now_us);

#endif
