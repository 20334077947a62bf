#include "server/listener.h"

#include "base/clock.h"
#include "base/fsx.h"
#include "base/log.h"
#include "server/http_server.h"
#include "server/sweeper.h"
#include "server/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define BACKLOG 4096            /* a full one drops newcomers, who come again seconds later */
/* Held by every open connection until it closes, and zeroed by the library for every request. Half of
 * it would save a small answer a tenth of its time, but does not hold a head of
 * limits.request_head bytes in many lines. */
#define CONNECTION_MEMORY 65536
#define CONTROL_CONNECTIONS 64

enum listener_kind { LISTENER_PLAIN, LISTENER_TLS, LISTENER_CONTROL };

struct listener {
    struct http_server *server;
    enum listener_kind kind;
    struct tls *tls;
    struct MHD_Daemon *daemon; /* owns the socket once it has started */
    int fd;
    atomic_bool quiesced;
    char text[160];
};

/* ---- sockets ---- */

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } u;
    socklen_t n;
};

static void address_make(const struct config_listen *where, bool v6, struct address *out)
{
    *out = (struct address){0};
    if (v6) {
        out->u.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
                                          .sin6_port = htons((uint16_t)where->port)};
        out->n = sizeof(out->u.v6);
        if (where->host[0] != '\0') {
            (void)inet_pton(AF_INET6, where->host, &out->u.v6.sin6_addr);
        }
        return;
    }
    out->u.v4 =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)where->port)};
    out->n = sizeof(out->u.v4);
    if (where->host[0] != '\0') {
        (void)inet_pton(AF_INET, where->host, &out->u.v4.sin_addr);
    }
}

/* -1 with errno. */
static int open_socket(const struct address *address, bool both_families)
{
    const int on = 1;
    const int only_v6 = !both_families;
    auto_fd int fd =
        socket(address->u.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0) {
        return -1;
    }
    if (address->u.any.sa_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof(only_v6)) != 0) {
        return -1;
    }
    if (bind(fd, &address->u.any, address->n) != 0 || listen(fd, BACKLOG) != 0) {
        return -1;
    }
    return take_fd(&fd);
}

static bool bind_failed(const struct config_listen *where, int sys, struct err *err)
{
    const char *host = where->host[0] != '\0' ? where->host : "every address";
    switch (sys) {
    case EADDRINUSE:
        return err_set(err, ERR_CONFLICT,
                       "cannot listen on %s, port %d: the port is in use by another program", host,
                       where->port);
    case EACCES:
        return err_set(err, ERR_INVALID,
                       "cannot listen on %s, port %d: ports below 1024 need a privilege", host,
                       where->port);
    case EADDRNOTAVAIL:
        return err_set(err, ERR_INVALID,
                       "cannot listen on %s, port %d: this machine has no such address", host,
                       where->port);
    default:
        return err_set(err, ERR_INVALID, "cannot listen on %s, port %d: %s", host, where->port,
                       strerror(sys));
    }
}

bool listener_bind_tcp(struct http_server *server, const struct config_listen *where,
                       struct tls *tls, struct listener **out, struct err *err)
{
    struct address address;
    bool every = where->host[0] == '\0';
    bool v6 = every || strchr(where->host, ':') != NULL;
    address_make(where, v6, &address);
    int fd = open_socket(&address, every);
    if (fd < 0 && every && errno != EADDRINUSE) {
        address_make(where, false, &address); /* a machine without IPv6 */
        fd = open_socket(&address, false);
    }
    if (fd < 0) {
        return bind_failed(where, errno, err);
    }
    struct listener *l = xcalloc(1, sizeof(*l));
    *l = (struct listener){.server = server,
                           .kind = tls != NULL ? LISTENER_TLS : LISTENER_PLAIN,
                           .tls = tls,
                           .fd = fd};
    (void)snprintf(l->text, sizeof(l->text), "%s:%d (%s)", every ? "*" : where->host, where->port,
                   tls != NULL ? "https" : "http");
    *out = l;
    return true;
}

bool listener_bind_control(struct http_server *server, const char *data_dir, struct listener **out,
                           struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    auto_buf struct buf folder = {0};
    buf_printf(&folder, "%s/run", data_dir);
    auto_fd int dir = fsx_open_dir(AT_FDCWD, folder.p, true, 0700, err);
    if (dir < 0) {
        return false;
    }
    int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/control.sock", folder.p);
    if (n < 0 || (size_t)n >= sizeof(address.sun_path)) {
        return err_set(err, ERR_INVALID,
                       "the path of the control socket, %s/control.sock, is longer than %zu bytes",
                       folder.p, sizeof(address.sun_path) - 1);
    }
    auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)unlink(address.sun_path);
    mode_t mask = umask(0177);
    bool bound = fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
    (void)umask(mask);
    if (!bound || listen(fd, BACKLOG) != 0) {
        return err_set(err, ERR_INVALID, "cannot listen on %s: %s", address.sun_path,
                       strerror(errno));
    }
    struct listener *l = xcalloc(1, sizeof(*l));
    *l = (struct listener){.server = server, .kind = LISTENER_CONTROL, .fd = take_fd(&fd)};
    (void)snprintf(l->text, sizeof(l->text), "%s", address.sun_path);
    *out = l;
    return true;
}

/* ---- the library ---- */

/* The only word that the library has for a file that it could not read to its end. */
#define READ_FAILED "application reported error generating data"

/* The library says so when a handler ends a connection by returning MHD_NO, which is how answers
 * written by hand end. */
static void __attribute__((format(printf, 2, 0))) on_log(void *arg, const char *fmt, va_list args)
{
    char text[300];
    char quoted[400];
    const struct listener *l = arg;
    if (strstr(fmt, "Application reported internal error") != NULL ||
        vsnprintf(text, sizeof(text), fmt, args) < 0) {
        return;
    }
    if (strstr(text, READ_FAILED) != NULL && l->kind != LISTENER_TLS) {
        atomic_fetch_add(&l->server->files_unread, 1);
    }
    text[strcspn(text, "\n")] = '\0';
    log_event(LOG_DEBUG, "http_library", "text=%s",
              log_quote(slice_str(text), quoted, sizeof(quoted)));
}

/* What counts as one source: an IPv4 address, the network of an IPv6 one. */
static struct slice source_of(const struct listener *l, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info != NULL ? info->client_addr : NULL;
    if (address == NULL || l->server->app->config->behind_proxy) {
        return (struct slice){0};
    }
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)address;
        return slice_of_bytes(&v4->sin_addr, sizeof(v4->sin_addr));
    }
    if (address->sa_family == AF_INET6) {
        const struct in6_addr *v6 =
            &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
        return IN6_IS_ADDR_V4MAPPED(v6) ? slice_of_bytes(&v6->s6_addr[12], 4)
                                        : slice_of_bytes(v6->s6_addr, 8);
    }
    return (struct slice){0};
}

static gnutls_session_t session_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    return info != NULL ? (gnutls_session_t)info->tls_session : NULL;
}

static void connection_begins(struct listener *l, struct MHD_Connection *connection, void **context)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (l->kind == LISTENER_TLS) {
        tls_begin(l->tls, session_of(connection));
    }
    if (l->kind != LISTENER_CONTROL && info != NULL) {
        *context = peer_new(l->server->sweeper, info->connect_fd, source_of(l, connection));
    }
}

static void connection_ends(void **context)
{
    if (*context != NULL) {
        peer_end(*context);
        *context = NULL;
    }
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        connection_ends(context);
    } else {
        connection_begins(arg, connection, context);
    }
}

static enum MHD_Result takes_newcomers(void *arg, const struct sockaddr *from, socklen_t size)
{
    const struct listener *l = arg;
    (void)from;
    (void)size;
    return atomic_load(&l->quiesced) ? MHD_NO : MHD_YES;
}

static unsigned pool_size(const struct listener *l)
{
    if (l->kind == LISTENER_CONTROL) {
        return 1;
    }
    int64_t threads = l->server->app->config->limits_threads;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return threads > 0 ? (unsigned)threads : (unsigned)(cores > 0 ? cores : 1);
}

/* Strictness 0: blanks in the target and a missing Host are left to the request gate, which answers
 * them like everything else; the library itself would write such an answer's head twice. */
bool listener_start(struct listener *l, struct err *err)
{
    const struct config *c = l->server->app->config;
    unsigned threads = pool_size(l);
    bool control = l->kind == LISTENER_CONTROL;
    unsigned connections = control ? CONTROL_CONNECTIONS : (unsigned)l->server->connections;
    unsigned per_address =
        control || c->behind_proxy ? 0 : (unsigned)c->limits_connections_per_address;
    struct MHD_OptionItem more[4] = {{MHD_OPTION_END, 0, NULL}};
    size_t n = 0;
    if (threads > 1) {
        more[n++] = (struct MHD_OptionItem){MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)threads, NULL};
    }
    if (l->kind == LISTENER_TLS) {
        more[n++] = (struct MHD_OptionItem){
            MHD_OPTION_HTTPS_PRIORITIES, 0,
            (char *)(uintptr_t) "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"};
        more[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_CERT_CALLBACK, 0,
                                            (void *)(uintptr_t)tls_retrieve};
    }
    more[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    if (l->kind == LISTENER_TLS) {
        flags |= MHD_USE_TLS;
    }
    l->daemon = MHD_start_daemon(
        flags, 0, takes_newcomers, l, http_on_call, l, MHD_OPTION_EXTERNAL_LOGGER, on_log, l,
        MHD_OPTION_LISTEN_SOCKET, l->fd, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY, MHD_OPTION_CONNECTION_LIMIT, connections,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, per_address, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)(c->limits_idle / US_PER_SECOND), MHD_OPTION_STRICT_FOR_CLIENT, 0,
        MHD_OPTION_URI_LOG_CALLBACK, http_on_target, l, MHD_OPTION_NOTIFY_COMPLETED,
        http_on_completed, l, MHD_OPTION_NOTIFY_CONNECTION, on_connection, l, MHD_OPTION_ARRAY,
        more, MHD_OPTION_END);
    if (l->daemon == NULL) {
        return err_set(err, ERR_INVALID, "cannot serve %s: the HTTP library did not start: %s",
                       l->text, strerror(errno));
    }
    return true;
}

/* Not by MHD_quiesce_daemon: it takes the socket out of the epoll set while a thread of the daemon may do the same,
 * and the library aborts the process when one of them finds it gone (0.9.75, and later). */
void listener_quiesce(struct listener *l)
{
    atomic_store(&l->quiesced, true);
}

void listener_stop(struct listener *l)
{
    if (l == NULL) {
        return;
    }
    if (l->daemon != NULL) {
        listener_quiesce(l);
        MHD_stop_daemon(l->daemon);
    } else if (l->fd >= 0) {
        (void)close(l->fd);
    }
    free(l);
}

struct http_server *listener_server(const struct listener *l)
{
    return l->server;
}

bool listener_is_tls(const struct listener *l)
{
    return l->kind == LISTENER_TLS;
}

bool listener_is_control(const struct listener *l)
{
    return l->kind == LISTENER_CONTROL;
}

bool listener_is_stopping(const struct listener *l)
{
    return atomic_load_explicit(&l->server->stopping, memory_order_relaxed);
}

const char *listener_text(const struct listener *l)
{
    return l->text;
}
