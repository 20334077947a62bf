#include "server/metrics.h"
#include "tests/unit/base/check.h"

static const char *const labels[] = {"manifest_get", "blob_get"};

static void counts_requests_by_handler_and_class(void **state)
{
    (void)state;
    auto_buf struct buf text = {0};
    struct metrics *m = metrics_new(labels, COUNT(labels));
    metrics_request(m, 0, 200, 1500000, 0, 10);
    metrics_request(m, 0, 204, 500000, 0, 0);
    metrics_request(m, 0, 404, 1, 0, 5);
    metrics_request(m, 99, 400, 1, 7, 5);
    metrics_request(m, 99, 0, 1, 0, 0);
    metrics_request(m, 99, 503, 1, 0, 0);
    metrics_add(m, METRIC_CONNECTIONS, 3);
    metrics_add(m, METRIC_CONNECTIONS, -1);
    metrics_write(m, &text);
    assert_int_equal(metrics_value(m, METRIC_CONNECTIONS), 2);
    assert_non_null(
        strstr(text.p, "bondstore_requests_total{handler=\"manifest_get\",status=\"2xx\"} 2\n"));
    assert_non_null(
        strstr(text.p, "bondstore_requests_total{handler=\"manifest_get\",status=\"4xx\"} 1\n"));
    assert_non_null(
        strstr(text.p, "bondstore_requests_total{handler=\"none\",status=\"4xx\"} 1\n"));
    assert_non_null(
        strstr(text.p, "bondstore_requests_total{handler=\"none\",status=\"cut\"} 1\n"));
    assert_non_null( /* whoever went away is no failure of the server */
        strstr(text.p, "bondstore_requests_total{handler=\"none\",status=\"5xx\"} 1\n"));
    assert_null(strstr(text.p, "handler=\"blob_get\""));
    assert_non_null(
        strstr(text.p, "bondstore_request_seconds_total{handler=\"manifest_get\"} 2.000001\n"));
    assert_non_null(strstr(text.p, "bondstore_body_bytes_total{direction=\"in\"} 7\n"));
    assert_non_null(strstr(text.p, "bondstore_connections 2\n"));
    metrics_free(m);
}

static void counts_decisions_by_their_words(void **state)
{
    (void)state;
    auto_buf struct buf text = {0};
    struct metrics *m = metrics_new(labels, COUNT(labels));
    for (int i = 0; i < 3; i++) {
        metrics_gate(m, "manifest", "deny", "unsigned");
    }
    metrics_gate(m, "manifest", "allow", "allowed");
    metrics_gate(m, "blob", "deny", "unsigned");
    metrics_write(m, &text);
    assert_non_null(strstr(text.p, "bondstore_gate_decisions_total{effect=\"deny\",reason="
                                   "\"unsigned\",door=\"manifest\"} 3\n"));
    assert_non_null(strstr(
        text.p,
        "bondstore_gate_decisions_total{effect=\"deny\",reason=\"unsigned\",door=\"blob\"} 1\n"));
    metrics_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_requests_by_handler_and_class),
        cmocka_unit_test(counts_decisions_by_their_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
