/* What the clients of the measurements share (load.c, push.c): how they are told, where they connect,
 * what they used themselves. They serve one run and end: what fails ends the program. */
#ifndef TESTS_PERF_CLIENT_H
#define TESTS_PERF_CLIENT_H

#include "base/cleanup.h"
#include "base/slice.h"

#include <netinet/in.h>

/* Prints `what` and errno's text; exit status 1. */
NORETURN void client_die(const char *what);

struct client_number { /* an option that takes one */
    const char *name;
    int64_t *out;
};
/* True when the option is one of these and its value a number, which is written. */
bool client_take_number(const struct client_number *numbers, size_t count, const char *name,
                        const char *value);
/* --name value pairs at the front of the arguments.
 *   read   whether it is an option with such a value; its arg is what is read into
 * The index of the first argument behind them; 0 when `read` says no. */
int client_take_options(int argc, char **argv, bool (*read)(void *arg, const char *name, const char *value),
                        void *arg);

struct client_server {
    struct sockaddr_in address; /* loopback, whatever name the URL has */
    struct slice host;          /* host and port of the URL, borrowed */
    bool tls;
};
/* http://HOST:PORT or https://HOST:PORT; false otherwise. */
bool client_take_url(const char *url, struct client_server *out);
/* A blocking socket, connected, that sends at once. */
int client_connect(const struct client_server *server);

/* Seconds of processor time of this program so far. */
double client_cpu_s(void);

#endif
