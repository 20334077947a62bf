/* What is asked of the verify API: the image, and what may be said beside it (gate.md 13). */
#include "base/clock.h"
#include "base/duration.h"
#include "server/administration.h"
#include "server/verify.h"

#define PLATFORM_TEXT_MAX 100

void question_dispose(struct question *q)
{
    gate_view_unref(q->view);
    trust_state_free(q->published);
}

/* "linux/amd64", "linux/arm/v7". */
static bool is_platform(struct slice text)
{
    int parts = 0;
    struct slice rest = text, part;
    while (slice_next(&rest, '/', &part)) {
        parts += part.n > 0 ? 1 : 4;
    }
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] <= ' ' || text.p[i] > '~') {
            return false;
        }
    }
    return text.n <= PLATFORM_TEXT_MAX && (parts == 2 || parts == 3);
}

/* A moment, or a while from now. */
static bool at_read(struct question *q, struct slice text, struct err *err)
{
    int64_t now_us = q->rq->now_us, at_us = 0;
    if (!time_parse(text, &at_us)) {
        bool is_while = duration_read(text, &at_us) && at_us < INT64_MAX - now_us;
        at_us = is_while ? now_us + at_us : 0;
    }
    if (at_us < now_us) {
        return err_set(err, ERR_INVALID,
                       "\"at\" is a moment to come such as 2030-01-31T06:00:00Z, or a while from "
                       "now such as 8h");
    }
    q->at_us = at_us;
    return true;
}

static bool details_read(struct question *q, struct slice at, struct err *err)
{
    if (q->platform.n > 0 && !is_platform(q->platform)) {
        return err_set(err, ERR_INVALID, "\"platform\" is OS/ARCHITECTURE such as linux/amd64");
    }
    q->at_us = q->rq->now_us;
    return at.n == 0 || at_read(q, at, err);
}

void question_texts_dispose(struct question_texts *texts)
{
    buf_dispose(&texts->as);
    buf_dispose(&texts->platform);
    buf_dispose(&texts->at);
    buf_dispose(&texts->explain);
}

bool question_read_query(struct question *q, struct question_texts *texts, struct err *err)
{
    const struct request *rq = q->rq;
    if (request_query(rq, "as", 0, &texts->as)) {
        q->as = buf_slice_of(&texts->as);
    }
    if (request_query(rq, "platform", 0, &texts->platform)) {
        q->platform = buf_slice_of(&texts->platform);
    }
    q->explain = request_query(rq, "explain", 0, &texts->explain) &&
                 !slice_is(buf_slice_of(&texts->explain), "0");
    (void)request_query(rq, "at", 0, &texts->at);
    return details_read(q, buf_slice_of(&texts->at), err);
}

bool question_read_body(struct question *q, const json_t *body, struct err *err)
{
    struct slice at;
    return administration_flag(body, "explain", &q->explain, err) &&
           administration_text(body, "as", "", &q->as, err) &&
           administration_text(body, "platform", "", &q->platform, err) &&
           administration_text(body, "at", "", &at, err) && details_read(q, at, err);
}

bool question_images_check(const json_t *images, struct err *err)
{
    if (!json_is_array(images) || json_array_size(images) == 0 ||
        json_array_size(images) > VERIFY_IMAGES_MAX) {
        return err_set(err, ERR_INVALID, "\"images\" must be a list of 1 to %d image names",
                       VERIFY_IMAGES_MAX);
    }
    for (size_t i = 0; i < json_array_size(images); i++) {
        if (!json_is_string(json_array_get(images, i))) {
            return err_set(err, ERR_INVALID, "\"images\" must hold texts only");
        }
    }
    return true;
}
