#include "server/control_client.h"

#include "base/fsx.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#define ANSWER_MAX ((size_t)16 << 20)

static int connect_to(const char *data_dir, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/run/control.sock", data_dir);
    if (n < 0 || (size_t)n >= sizeof(address.sun_path)) {
        err_set(err, ERR_INVALID, "the path of %s/run/control.sock is too long for a socket",
                data_dir);
        return -1;
    }
    auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        err_set(err, ERR_BUSY, "cannot speak to the server over %s: %s", address.sun_path,
                strerror(errno));
        return -1;
    }
    return take_fd(&fd);
}

static bool read_answer(int fd, struct buf *out, struct err *err)
{
    char chunk[16384];
    ssize_t n;
    out->max = ANSWER_MAX;
    while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
        if (n < 0 && errno != EINTR) {
            return err_set(err, ERR_BUSY, "the server ended the connection: %s", strerror(errno));
        }
        buf_put(out, chunk, n > 0 ? (size_t)n : 0);
    }
    return !out->failed || err_set(err, ERR_INVALID, "the server's answer is too long");
}

/* "HTTP/1.1 200 …" and the body after the empty line. */
static bool split(struct slice answer, int *status_out, struct slice *body_out)
{
    static const char end_of_head[] = "\r\n\r\n";
    const char *end = answer.n > 0 ? memmem(answer.p, answer.n, end_of_head, 4) : NULL;
    if (end == NULL || sscanf(answer.p, "HTTP/1.1 %3d ", status_out) != 1) {
        return false;
    }
    *body_out = slice_from(answer, (size_t)(end - answer.p) + 4);
    return true;
}

/* The sentence of the envelope {"errors":[{"message"}]}. */
static const char *message_of(const json_t *answer)
{
    const json_t *first = json_array_get(json_object_get(answer, "errors"), 0);
    const char *message = json_string_value(json_object_get(first, "message"));
    return message != NULL ? message : "it did not say why";
}

static bool understand(struct slice answer, json_t **out, struct err *err)
{
    int status = 0;
    struct slice body;
    if (!split(answer, &status, &body)) {
        return err_set(err, ERR_BUSY, "the server ended before it answered");
    }
    auto_json json_t *json = NULL;
    bool reads = json_read(body, JSON_DEPTH_DEFAULT, &json, NULL);
    if (status < 200 || status > 299) {
        return err_set(err, ERR_INVALID, "the server answered %d: %s", status, message_of(json));
    }
    if (!reads) {
        return err_set(err, ERR_INVALID, "the server's answer is no JSON");
    }
    *out = take(json);
    return true;
}

bool control_request(const char *data_dir, const char *method, const char *path, json_t **out,
                     struct err *err)
{
    auto_buf struct buf request = {0};
    auto_buf struct buf answer = {0};
    *out = NULL;
    buf_printf(
        &request,
        "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        method, path);
    auto_fd int fd = connect_to(data_dir, err);
    return fd >= 0 && fsx_write_all(fd, request.p, request.n, err) &&
           read_answer(fd, &answer, err) && understand(buf_slice_of(&answer), out, err);
}
