/* Many connections: which go, in which order, and that those that are served stay. */
#include "server/metrics.h"
#include "server/sweeper.h"
#include "tests/unit/base/check.h"

#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#define LIMIT 8 /* six of them are three quarters */

struct connection {
    struct peer *peer;
    int server, client;
};

static void pause_ms(long ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&pause, NULL);
}

static void connection_begin(struct sweeper *s, struct connection *c, struct slice address)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    *c = (struct connection){peer_new(s, fds[0], address), fds[0], fds[1]};
    pause_ms(2); /* ages differ */
}

static void connection_end(struct connection *c)
{
    peer_end(c->peer);
    (void)close(c->server);
    (void)close(c->client);
}

static bool is_ended(const struct connection *c, int wait_ms)
{
    struct pollfd p = {.fd = c->client, .events = POLLIN};
    return poll(&p, 1, wait_ms) > 0;
}

static const char *const labels[] = {"x"};

#define I PEER_IDLE
#define H PEER_HEAD
#define M PEER_MOVING
#define W PEER_WORKING

static void those_that_keep_the_server_waiting_go_when_many_are_open(void **state)
{
    static const struct {
        const char *name;
        size_t open;
        enum peer_phase phases[LIMIT];
        bool ended[LIMIT];
    } rows[] = {
        {"three quarters are let be", 6, {I, I, H, H, I, I}, {false}},
        {"one too many", 7, {I, I, I, I, I, I, I}, {true}},
        {"two too many", 8, {I, I, I, I, I, I, I, I}, {true, true}},
        {"busy ones are passed over", 8, {M, I, W, I, I, I, I, I}, {0, true, 0, true}},
        {"all are busy", 8, {M, M, W, M, M, W, M, M}, {false}},
        {"heads go in their turn", 8, {M, H, M, M, H, M, W, M}, {0, true, 0, 0, true}},
        {"the idle go before heads", 7, {M, H, M, I, M, M, M}, {0, 0, 0, true}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct connection open[LIMIT];
        struct metrics *metrics = metrics_new(labels, COUNT(labels));
        const struct sweeper_limits limits = {
            .slow_after_us = 60000000, .slow_rate = 1024, .connections = LIMIT};
        struct sweeper *s = sweeper_new(&limits, metrics);
        for (size_t k = 0; k < rows[i].open; k++) {
            connection_begin(s, &open[k], (struct slice){0});
            if (rows[i].phases[k] != PEER_IDLE) {
                peer_set(open[k].peer, rows[i].phases[k]);
            }
        }
        for (size_t k = 0; k < rows[i].open; k++) {
            CHECK_CASE(!rows[i].ended[k] || is_ended(&open[k], 10000), rows[i].name);
        }
        pause_ms(1500); /* another sweep finds nothing to do */
        for (size_t k = 0; k < rows[i].open; k++) {
            CHECK_CASE(is_ended(&open[k], 0) == rows[i].ended[k], rows[i].name);
        }
        for (size_t k = 0; k < rows[i].open; k++) {
            connection_end(&open[k]);
        }
        sweeper_free(s);
        metrics_free(metrics);
    }
}

/* A client that keeps its connection for the next request is older than those that never asked. */
static void who_never_asked_goes_before_who_waits_between_requests(void **state)
{
    struct connection open[7];
    struct metrics *metrics = metrics_new(labels, COUNT(labels));
    const struct sweeper_limits limits = {
        .slow_after_us = 60000000, .slow_rate = 1024, .connections = LIMIT};
    struct sweeper *s = sweeper_new(&limits, metrics);
    (void)state;
    for (size_t k = 0; k < COUNT(open); k++) {
        if (k == COUNT(open) - 1) {
            pause_ms(2500); /* so that silence has lasted when the crowd begins */
        }
        connection_begin(s, &open[k], (struct slice){0});
        peer_set(open[k].peer, PEER_MOVING);
        if (k == 0) {
            peer_set(open[k].peer, PEER_IDLE);
        }
        if (k == 2) { /* the one that asked nothing: begun anew */
            connection_end(&open[k]);
            connection_begin(s, &open[k], (struct slice){0});
        }
    }
    assert_true(is_ended(&open[2], 10000));
    pause_ms(1500);
    for (size_t k = 0; k < COUNT(open); k++) {
        assert_true(is_ended(&open[k], 0) == (k == 2));
        connection_end(&open[k]);
    }
    sweeper_free(s);
    metrics_free(metrics);
}

/* 64 are the limit, more than 48 a crowd, more than four of one address many. */
static void a_crowd_of_one_address_is_its_own_loss(void **state)
{
    struct connection open[56];
    struct metrics *metrics = metrics_new(labels, COUNT(labels));
    const struct sweeper_limits limits = {
        .slow_after_us = 60000000, .slow_rate = 1024, .connections = 64};
    struct sweeper *s = sweeper_new(&limits, metrics);
    size_t ended = 0;
    (void)state;
    for (size_t k = 0; k < COUNT(open); k++) { /* the oldest ones have addresses of their own */
        uint32_t address = k < 16 ? (uint32_t)k : 1000;
        connection_begin(s, &open[k], slice_of_bytes(&address, sizeof(address)));
    }
    assert_true(is_ended(&open[16], 10000));
    pause_ms(3000);
    for (size_t k = 0; k < COUNT(open); k++) {
        bool gone = is_ended(&open[k], 0);
        assert_true(!gone || k >= 16);
        ended += gone;
        connection_end(&open[k]);
    }
    assert_int_equal(ended, 56 - 48);
    sweeper_free(s);
    metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_that_keep_the_server_waiting_go_when_many_are_open),
        cmocka_unit_test(a_crowd_of_one_address_is_its_own_loss),
        cmocka_unit_test(who_never_asked_goes_before_who_waits_between_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
