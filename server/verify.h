/* What the routes of the verify API share: one question of the gate and its answer (gate.md 13). The
 * decision is the gate's; here it is asked for and formatted. Not for others. */
#ifndef SERVER_VERIFY_H
#define SERVER_VERIFY_H

#include "server/http.h"
#include "server/image_name.h"
#include "storage/repository.h"
#include "trust/door.h"
#include "trust/view.h"

#define VERIFY_IMAGES_MAX 100 /* of one request */

/* Filled once for a request; the image and what follows from it are of the last answer. */
struct question {
    struct request *rq;
    struct db_tx *tx;      /* every fact is read in it */
    struct slice as;       /* empty: any deployer */
    struct slice platform; /* empty: all */
    bool explain;
    int64_t at_us; /* the moment that is asked about: the request's, or one to come */
    struct trust_state
        *published; /* what an upload would leave behind; owned until a view has it */

    struct image_name image;
    struct repository repo;
    struct gate_caller caller;
    struct decision decision;
    struct gate_view *view; /* of repo, when the question is not about what is: owned */
    int64_t view_repository;
};
void question_dispose(struct question *q);
#define auto_question __attribute__((cleanup(question_dispose)))

/* The members `as`, `platform`, `at` and `explain` of a query, and of a body; what is not there stays
 * as it is. The texts are borrowed from `texts`, and from the body.
 * Expected errors: ERR_INVALID. */
struct question_texts {
    struct buf as, platform, at, explain;
};
bool question_read_query(struct question *q, struct question_texts *texts,
                         struct err *err) MUST_USE;
bool question_read_body(struct question *q, const json_t *body, struct err *err) MUST_USE;
void question_texts_dispose(struct question_texts *texts);
#define auto_question_texts __attribute__((cleanup(question_texts_dispose)))

/* Whether the asking identity may read the repository of q->image: false is the answer for one that
 * does not exist. Expected errors: ERR_NAME_UNKNOWN. */
bool question_may_read(struct question *q, struct err *err) MUST_USE;
/* One image: its verdict as JSON (new reference), or why there is none. Expected errors: those of
 * image_name_parse, ERR_NAME_UNKNOWN, ERR_MANIFEST_UNKNOWN, ERR_DENIED, ERR_INDETERMINATE. */
bool question_answer(struct question *q, struct slice image, json_t **out,
                     struct err *err) MUST_USE;
/* The same for a list of texts: results in its order, where an image without a verdict says why. New
 * reference. */
json_t *question_answers(struct question *q, const json_t *images);
/* A list of 1 to VERIFY_IMAGES_MAX texts. Expected errors: ERR_INVALID. */
bool question_images_check(const json_t *images, struct err *err) MUST_USE;

#endif
