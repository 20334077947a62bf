/* Many connections: which idle ones go, and that busy ones stay. */
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

static void connection_begin(struct sweeper *s, struct connection *c)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    *c = (struct connection){peer_new(s, fds[0]), fds[0], fds[1]};
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

static void the_oldest_idle_ones_go_when_many_are_open(void **state)
{
    static const struct {
        const char *name;
        size_t open;
        bool busy[LIMIT], ended[LIMIT];
    } rows[] = {
        {"three quarters are let be", 6, {false}, {false}},
        {"one too many", 7, {false}, {true}},
        {"two too many", 8, {false}, {true, true}},
        {"busy ones are passed over", 8, {true, false, true}, {false, true, false, true}},
        {"all are busy", 8, {1, 1, 1, 1, 1, 1, 1, 1}, {false}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct connection open[LIMIT];
        struct metrics *metrics = metrics_new(labels, COUNT(labels));
        const struct sweeper_limits limits = {
            .slow_after_us = 60000000, .slow_rate = 1024, .connections = LIMIT};
        struct sweeper *s = sweeper_new(&limits, metrics);
        for (size_t k = 0; k < rows[i].open; k++) {
            connection_begin(s, &open[k]);
            if (rows[i].busy[k]) {
                peer_set(open[k].peer, PEER_MOVING);
            }
        }
        pause_ms(2200); /* two sweeps */
        for (size_t k = 0; k < rows[i].open; k++) {
            CHECK_CASE(is_ended(&open[k], rows[i].ended[k] ? 3000 : 0) == rows[i].ended[k],
                       rows[i].name);
        }
        for (size_t k = 0; k < rows[i].open; k++) {
            connection_end(&open[k]);
        }
        sweeper_free(s);
        metrics_free(metrics);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_idle_ones_go_when_many_are_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
