/* Scrub for the operator: how far it is, a round now, what is marked missing. */
#include "server/api.h"
#include "server/app.h"
#include "server/scrub_report.h"
#include "server/scrubber.h"

static void reply_report(struct reply *reply, int status, json_t *report, const struct err *err)
{
    if (report == NULL) {
        reply_error(reply, err);
    } else {
        reply_json(reply, status, report);
    }
}

static void reply_round(const struct request *rq, struct reply *reply, int status)
{
    auto_snapshot struct db_tx *tx = NULL;
    struct err err = {0};
    json_t *round = db_snapshot(rq->app->db, &tx, &err) ? scrub_report_round(tx, &err) : NULL;
    reply_report(reply, status, round, &err);
}

/* GET /api/v1/scrub */
void api_scrub_get(struct request *rq, struct reply *reply)
{
    reply_round(rq, reply, 200);
}

/* POST /api/v1/scrub: a round from the start, now */
void api_scrub_begin(struct request *rq, struct reply *reply)
{
    struct err err = {0};
    if (!scrub_begin(rq->app->store, rq->now_us, &err)) {
        reply_error(reply, &err);
        return;
    }
    scrubber_wake(rq->app->scrubber);
    reply_round(rq, reply, 202);
}

/* GET /api/v1/scrub/missing?last=DIGEST */
void api_scrub_missing(struct request *rq, struct reply *reply)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_buf struct buf last = {0};
    struct digest after = {0};
    struct err err = {0};
    (void)request_query(rq, "last", 0, &last);
    if ((last.n > 0 && !digest_parse(buf_slice_of(&last), &after, &err)) ||
        !db_snapshot(rq->app->db, &tx, &err)) {
        reply_error(reply, &err);
        return;
    }
    reply_report(reply, 200, scrub_report_missing(tx, &after, &err), &err);
}
