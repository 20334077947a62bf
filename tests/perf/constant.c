/* The ceiling: a server on the same HTTP library, set as the real one is, that gives one answer to
 * whatever it is asked: constant PORT FILE [CERTIFICATE KEY]
 *
 * Answers 200 with the bytes of FILE, on 127.0.0.1, with TLS when there is a certificate. Serves
 * until it is stopped by a signal. Exit status 1 when it could not start, 2 on usage. */
#include "base/slice.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX 65536
#define CONNECTION_MEMORY 65536 /* as server/listener.c */
#define CONNECTIONS 4096

static enum MHD_Result answer(void *arg, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_n, void **context)
{
    static int seen;
    (void)url;
    (void)method;
    (void)version;
    (void)upload;
    (void)upload_n;
    if (*context == NULL) { /* the first call of a request, before its body */
        *context = &seen;
        return MHD_YES;
    }
    return MHD_queue_response(connection, MHD_HTTP_OK, arg);
}

static char *read_file(const char *path, size_t *n_out)
{
    FILE *file = fopen(path, "rb");
    char *text = file != NULL ? malloc(TEXT_MAX) : NULL;
    *n_out = text != NULL ? fread(text, 1, TEXT_MAX - 1, file) : 0;
    if (text != NULL) {
        text[*n_out] = '\0';
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return text;
}

static int usage(void)
{
    (void)fprintf(stderr, "usage: constant PORT FILE [CERTIFICATE KEY]\n");
    return 2;
}

int main(int argc, char **argv)
{
    size_t n = 0;
    size_t ignored;
    if (argc != 3 && argc != 5) {
        return usage();
    }
    bool tls = argc == 5;
    int64_t port = 0;
    char *text = read_file(argv[2], &n);
    char *certificate = tls ? read_file(argv[3], &ignored) : NULL;
    char *key = tls ? read_file(argv[4], &ignored) : NULL;
    if (!slice_to_int64(slice_str(argv[1]), &port) || port < 1 || port > 65535 || text == NULL || (tls && (certificate == NULL || key == NULL))) {
        return usage();
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer(n, text, MHD_RESPMEM_PERSISTENT);
    (void)MHD_add_response_header(response, "Content-Type", "application/octet-stream");

    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct MHD_OptionItem with_tls[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, certificate},
                                              {MHD_OPTION_HTTPS_MEM_KEY, 0, key},
                                              {MHD_OPTION_END, 0, NULL}};
    const struct MHD_OptionItem plain[] = {{MHD_OPTION_END, 0, NULL}};
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG | (tls ? MHD_USE_TLS : 0), 0, NULL, NULL,
        answer, response, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_THREAD_POOL_SIZE,
        (unsigned)sysconf(_SC_NPROCESSORS_ONLN), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
        MHD_OPTION_ARRAY, tls ? with_tls : plain, MHD_OPTION_END);
    if (daemon == NULL) {
        (void)fprintf(stderr, "constant: cannot listen on 127.0.0.1:%s\n", argv[1]);
        return 1;
    }
    for (;;) {
        (void)pause();
    }
}
