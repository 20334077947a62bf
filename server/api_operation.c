#include "server/api.h"
#include "server/app.h"
#include "server/metrics.h"
#include "trust/trust.h"

static void answer_health(struct reply *reply, const char *warning)
{
    if (warning) {
        return reply_json(reply, 200, json_pack("{s:s}", "warning", warning));
    }
    reply_bytes(reply, 200, "application/json; charset=utf-8", SLICE_LIT("{}\n"));
}

/* GET /readyz: this server takes requests. 503 from the first signal to stop on, so that a balancer
 * turns away. An index that can be read and not written is a warning: whoever took the server out for
 * it would end the pulls too. */
void api_ready(struct request *rq, struct reply *reply)
{
    struct db_tx *tx = NULL;
    struct err err = {0};
    if (atomic_load_explicit(&rq->app->stopping, memory_order_relaxed)) {
        (void)err_set(&err, ERR_BUSY, "the server is stopping");
        return reply_error(reply, &err);
    }
    if (!db_snapshot(rq->app->db, &tx, &err)) {
        err.code = ERR_BUSY;
        return reply_error(reply, &err);
    }
    db_snapshot_end(tx);
    answer_health(reply, db_trouble(rq->app->db));
}

/* GET /healthz: the process answers. */
void api_health(struct request *rq, struct reply *reply)
{
    (void)rq;
    answer_health(reply, NULL);
}

/* GET /metrics */
void api_metrics(struct request *rq, struct reply *reply)
{
    auto_buf struct buf text = {0};
    metrics_set(rq->app->metrics, METRIC_INDEX_WRITABLE, db_trouble(rq->app->db) == NULL);
    metrics_set(rq->app->metrics, METRIC_TRUST_OPERATIONAL,
                trust_trouble(rq->app->trust, rq->now_us) == NULL);
    metrics_write(rq->app->metrics, &text);
    reply_buf(reply, 200, "text/plain; version=0.0.4; charset=utf-8", &text);
}
