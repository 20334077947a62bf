/* Releases of services: which image was deployed as which service, by whom, when, and by which
 * decision of the gate. The services run elsewhere; the record is kept here.
 * Owns: the table release. Refuses to know: rights (auth), whether an image may be deployed (trust).
 * Invariants
 *   1. Releases of a service are numbered from 1 on in their order. The newest one is current, and
 *      goes only with its whole service, so that no number is used twice in the life of a service.
 *   2. What an image that is a current release consists of is not deleted, whatever the door:
 *      storage/manifest and storage/blob ask inside the transaction that would do it.
 *   3. A row outlives its repository, as the record of what was; it goes with its namespace. */
#ifndef STORAGE_RELEASE_H
#define STORAGE_RELEASE_H

#include "base/db.h"
#include "base/digest.h"
#include "base/name.h"
#include "storage/actor.h"

#define SERVICE_NAME_MAX 63
#define RELEASE_NOTES_MAX 2000
#define RELEASE_DECISION_MAX 31
#define RELEASE_REASON_MAX 31

struct service_name {
    char text[SERVICE_NAME_MAX + 1];
};
/* a-z, 0-9, '-', '_' and '.', beginning with a letter or digit, at most SERVICE_NAME_MAX; none of
 * the words that `bond deploy` takes as verbs. Expected errors: ERR_INVALID with a sentence. */
bool service_name_parse(struct slice text, struct service_name *out, struct err *err) MUST_USE;

struct release {
    int64_t namespace_id;
    struct service_name service;
    int64_t number;        /* set by release_add */
    int64_t repository_id; /* of then */
    char repository[REPO_NAME_MAX + 1];
    char tag[TAG_NAME_MAX + 1]; /* as it was asked for; "" = by digest alone */
    struct digest digest;
    char decision[RELEASE_DECISION_MAX + 1]; /* id of its record; "" = not recorded */
    char reason[RELEASE_REASON_MAX + 1];     /* of the gate's decision */
    int64_t rollback_of; /* number of the release that was gone back to; 0 = a new one */
    bool is_current;
    int64_t created_us;
    char created_by[ACTOR_NAME_MAX + 1];
    char notes[RELEASE_NOTES_MAX + 1];
};

/* Records a release, which is the current one from now on.
 *   release   number, is_current, created_us and created_by are set here
 * Expected errors, of a rollback alone: ERR_NOT_FOUND (the release that it goes back to is gone),
 * ERR_CONFLICT (that number is of another image by now: the service was removed and made again).
 * Writer. */
bool release_add(struct db_tx *tx, struct release *release, const struct actor *actor,
                 int64_t now_us, struct err *err) MUST_USE;
/* Expected errors: ERR_NOT_FOUND with a sentence. Any tx. */
bool release_get(struct db_tx *tx, int64_t namespace_id, const struct service_name *service,
                 int64_t number, struct release *out, struct err *err) MUST_USE;
/* Expected errors: ERR_NOT_FOUND. Writer. */
bool release_set_notes(struct db_tx *tx, int64_t namespace_id, const struct service_name *service,
                       int64_t number, struct slice notes, struct err *err) MUST_USE;
/* Forgets one that is not current. Expected errors: ERR_NOT_FOUND, ERR_DENIED (it is). Writer. */
bool release_remove(struct db_tx *tx, int64_t namespace_id, const struct service_name *service,
                    int64_t number, struct err *err) MUST_USE;
/* Forgets a service with all its releases. Expected errors: ERR_NOT_FOUND. Writer. */
bool service_remove(struct db_tx *tx, int64_t namespace_id, const struct service_name *service,
                    struct err *err) MUST_USE;

struct release_list {
    struct release *items;
    size_t count;
    bool more; /* a next page exists */
};
/* A page of a service's releases, newest first; empty when there is no such service.
 *   before   numbers below it; 0 = from the newest
 *   max      1 … 1,000
 * Any tx. */
bool release_list(struct db_tx *tx, int64_t namespace_id, const struct service_name *service,
                  int64_t before, int max, struct release_list *out, struct err *err) MUST_USE;
/* A page of a namespace's services, each by its current release, by name.
 *   after   names after it; "" = from the start
 * Any tx. */
bool service_list(struct db_tx *tx, int64_t namespace_id, struct slice after, int max,
                  struct release_list *out, struct err *err) MUST_USE;
void release_list_dispose(struct release_list *list);
static inline void cleanup_release_list(struct release_list *list)
{
    release_list_dispose(list);
}
#define auto_release_list __attribute__((cleanup(cleanup_release_list)))

/* A current release that needs something. */
struct release_use {
    bool found;
    struct service_name service;
    int64_t number;
};

/* The digests of a repository that are current releases of services, each once, by digest after
 * `after` (unset: from the start), at most `max` (1 … 1,000). Any tx. */
struct running_list {
    struct digest *items;
    size_t count;
    bool more; /* a next page exists */
};
bool release_list_running(struct db_tx *tx, int64_t repository_id, const struct digest *after,
                          int max, struct running_list *out, struct err *err) MUST_USE;
void running_list_dispose(struct running_list *list);
static inline void cleanup_running_list(struct running_list *list)
{
    running_list_dispose(list);
}
#define auto_running_list __attribute__((cleanup(cleanup_running_list)))

/* The current releases that are this very digest, by service, at most `max` (1 … 1,000). Any tx. */
struct release_use_list {
    struct release_use *items;
    size_t count;
    bool more; /* there are further ones */
};
bool release_running_as(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                        int max, struct release_use_list *out, struct err *err) MUST_USE;
void release_use_list_dispose(struct release_use_list *list);
static inline void cleanup_release_use_list(struct release_use_list *list)
{
    release_use_list_dispose(list);
}
#define auto_release_use_list __attribute__((cleanup(cleanup_release_use_list)))

/* The manifest or blob belongs to the image of a current release: it is what was released, or what
 * that names as config, layer or child, to any depth. Any tx. */
bool release_use_of(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                    struct release_use *out, struct err *err) MUST_USE;
/* Refuses to delete such a thing, naming service and release. Expected errors: ERR_DENIED. Any
 * tx. */
bool release_may_delete(struct db_tx *tx, int64_t repository_id, const struct digest *digest,
                        struct err *err) MUST_USE;
/* Refuses to delete a repository of which anything is a current release. Expected errors:
 * ERR_DENIED. Any tx. */
bool release_may_delete_repository(struct db_tx *tx, int64_t repository_id,
                                   struct err *err) MUST_USE;

#endif
