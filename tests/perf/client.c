#include "tests/perf/client.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

void client_die(const char *what)
{
    perror(what);
    exit(1);
}

bool client_take_number(const struct client_number *numbers, size_t count, const char *name,
                        const char *value)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, numbers[i].name) == 0) {
            return slice_to_int64(slice_str(value), numbers[i].out);
        }
    }
    return false;
}

int client_take_options(int argc, char **argv, bool (*read)(void *arg, const char *name, const char *value),
                        void *arg)
{
    int i = 1;
    for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        if (!read(arg, argv[i], argv[i + 1])) {
            return 0;
        }
    }
    return i;
}

bool client_take_url(const char *url, struct client_server *out)
{
    struct slice host = slice_str(url);
    int64_t port = 0;
    bool tls = slice_starts(host, "https://");

    if (!tls && !slice_starts(host, "http://")) {
        return false;
    }
    host = slice_from(host, strlen(tls ? "https://" : "http://"));
    ptrdiff_t colon = slice_rindex(host, ':');
    if (colon < 0 || !slice_to_int64(slice_from(host, (size_t)colon + 1), &port) || port < 1 || port > 65535) {
        return false;
    }
    *out = (struct client_server){.address = {.sin_family = AF_INET,
                                              .sin_port = htons((uint16_t)port),
                                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)},
                                  .host = host,
                                  .tls = tls};
    return true;
}

int client_connect(const struct client_server *server)
{
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&server->address, sizeof(server->address)) != 0) {
        client_die("connect");
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

double client_cpu_s(void)
{
    struct rusage use;
    (void)getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}
