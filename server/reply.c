#include "base/log.h"
#include "server/exchange.h"

#include <stdarg.h>
#include <stdio.h>

#define JSON_TYPE "application/json; charset=utf-8"
#define HEADER_MAX 4096
#define HEADERS_ROOM 512 /* what most answers need */
#define RETRY_AFTER_S 5

void reply_header_text(struct reply *reply, const char *name, const char *value)
{
    size_t printable = 0;
    while (value[printable] >= ' ' && value[printable] < 0x7f) {
        printable++;
    }
    buf_reserve(&reply->headers, reply->headers.cap == 0 ? HEADERS_ROOM - 1 : 0);
    buf_str(&reply->headers, name);
    buf_str(&reply->headers, ": ");
    buf_put(&reply->headers, value, printable);
    buf_char(&reply->headers, '\n');
}

void reply_header(struct reply *reply, const char *name, const char *fmt, ...)
{
    char value[HEADER_MAX];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(value, sizeof(value), fmt, args);
    va_end(args);
    if (n < 0) {
        return;
    }
    reply_header_text(reply, name, value);
}

static void let_go(struct reply *reply)
{
    if (reply->release != NULL) {
        reply->release(reply->of);
        reply->release = NULL;
    }
    if (reply->fd >= 0) {
        (void)close(reply->fd);
        reply->fd = -1;
    }
}

/* A handler that answers twice means the last answer. Headers it added before stay. */
static void begin(struct reply *reply, int status, enum reply_kind kind)
{
    reply->status = status;
    reply->kind = kind;
    reply->content_length = -1;
    buf_clear(&reply->body);
    let_go(reply);
}

void reply_dispose(struct reply *reply)
{
    buf_dispose(&reply->body);
    buf_dispose(&reply->headers);
    let_go(reply);
}

void reply_empty(struct reply *reply, int status)
{
    begin(reply, status, REPLY_EMPTY);
}

/* Takes a header's lines out again. */
static void header_drop(struct reply *reply, const char *name)
{
    struct slice rest = buf_slice_of(&reply->headers);
    struct slice line;
    auto_buf struct buf kept = {0};
    while (slice_next(&rest, '\n', &line)) {
        ptrdiff_t colon = slice_index(line, ':');
        if (colon > 0 && !slice_is_nocase(slice_first(line, (size_t)colon), name)) {
            buf_slice(&kept, line);
            buf_char(&kept, '\n');
        }
    }
    buf_clear(&reply->headers);
    buf_slice(&reply->headers, buf_slice_of(&kept));
}

static void put_type(struct reply *reply, const char *content_type)
{
    if (reply->headers.n > 0) {
        header_drop(reply, "Content-Type");
    }
    if (content_type != NULL) {
        reply_header_text(reply, "Content-Type", content_type);
    }
}

void reply_buf(struct reply *reply, int status, const char *content_type, struct buf *body)
{
    begin(reply, status, REPLY_BYTES);
    buf_dispose(&reply->body);
    reply->body = *body;
    *body = (struct buf){0};
    put_type(reply, content_type);
}

void reply_bytes(struct reply *reply, int status, const char *content_type, struct slice body)
{
    begin(reply, status, REPLY_BYTES);
    buf_slice(&reply->body, body);
    put_type(reply, content_type);
}

void reply_shared(struct reply *reply, int status, const char *content_type, struct slice body,
                  void (*release)(void *of), void *of)
{
    begin(reply, status, REPLY_SHARED);
    reply->shared = body;
    reply->release = release;
    reply->of = of;
    put_type(reply, content_type);
}

void reply_head(struct reply *reply, int status, const char *content_type, int64_t content_length)
{
    begin(reply, status, REPLY_EMPTY);
    reply->content_length = content_length;
    put_type(reply, content_type);
}

void reply_file(struct reply *reply, int status, const char *content_type, int fd, int64_t offset,
                int64_t length)
{
    begin(reply, status, REPLY_FILE);
    reply->fd = fd;
    reply->offset = offset;
    reply->length = length;
    put_type(reply, content_type);
}

void reply_json(struct reply *reply, int status, json_t *value)
{
    begin(reply, status, REPLY_BYTES);
    json_write(&reply->body, value);
    buf_char(&reply->body, '\n');
    json_decref(value);
    put_type(reply, JSON_TYPE);
}

static void log_fault(const struct err *err)
{
    enum err_class class_ = err_info(err->code)->class_;
    if (class_ == ERR_CLASS_INTERNAL || err->sys != 0) {
        log_err(LOG_ERROR, "request_failed", err);
    } else if (err->detail[0] != '\0') {
        log_err(LOG_DEBUG, "request_refused", err);
    }
}

void reply_retry_after(struct reply *reply, int seconds)
{
    header_drop(reply, "Retry-After");
    reply_header(reply, "Retry-After", "%d", seconds);
}

void reply_error_detail(struct reply *reply, const struct err *err, json_t *detail)
{
    static const struct err unfilled = {.code = ERR_INTERNAL};
    if (err->code == ERR_NONE) {
        err = &unfilled;
    }
    const struct err_info *info = err_info(err->code);
    struct slice message = slice_str(err->msg[0] != '\0' ? err->msg : info->sentence);
    log_fault(err);
    begin(reply, info->status, REPLY_BYTES);
    buf_str(&reply->body, "{\"errors\":[{\"code\":");
    buf_json_string(&reply->body, slice_str(info->wire));
    buf_str(&reply->body, ",\"message\":");
    buf_json_string(&reply->body, message);
    if (detail != NULL) {
        buf_str(&reply->body, ",\"detail\":");
        json_write(&reply->body, detail);
        json_decref(detail);
    }
    buf_str(&reply->body, "}]}\n");
    put_type(reply, JSON_TYPE);
    /* a full disk does not pass by itself */
    if (info->class_ == ERR_CLASS_BUSY && err->code != ERR_NO_SPACE) {
        reply_retry_after(reply, RETRY_AFTER_S);
    }
}

void reply_error(struct reply *reply, const struct err *err)
{
    reply_error_detail(reply, err, NULL);
}

void reply_undecided(struct reply *reply, const struct err *err)
{
    static const struct err undecided = {.code = ERR_INDETERMINATE};
    bool ours = err->code == ERR_NONE || err_info(err->code)->class_ == ERR_CLASS_INTERNAL;
    if (ours) {
        log_fault(err);
    }
    reply_error(reply, ours ? &undecided : err);
}

/* RFC 6750 section 3: printable ASCII without quote and backslash. */
static void put_quoted(struct buf *b, const char *name, const char *text)
{
    buf_printf(b, ",%s=\"", name);
    for (; *text != '\0'; text++) {
        if (*text >= ' ' && *text < 0x7f && *text != '"' && *text != '\\') {
            buf_char(b, *text);
        }
    }
    buf_char(b, '"');
}

/* Clients that sent a token repeat it for ever unless they are told what is wrong with it. */
static const char *challenge_error(const struct request *rq)
{
    const char *authorization = request_header(rq, "Authorization");
    if (authorization == NULL) {
        return NULL;
    }
    if (rq->identity->proof != PROOF_NONE) {
        return "insufficient_scope";
    }
    struct slice scheme = slice_first(slice_str(authorization), 7);
    return slice_is_nocase(scheme, "bearer ") ? "invalid_token" : NULL;
}

/* The actions that a scope asks for, as notary-server lists them (notary-api 5); NULL for no scope. */
static json_t *challenge_detail(const char *scope)
{
    struct slice first = slice_str(scope != NULL ? scope : "");
    ptrdiff_t space = slice_index(first, ' '); /* the source of a mount */
    first = space < 0 ? first : slice_first(first, (size_t)space);
    ptrdiff_t kind = slice_index(first, ':'), actions = slice_rindex(first, ':');
    if (kind < 0 || actions <= kind) {
        return NULL;
    }
    struct slice name = slice_from(slice_first(first, (size_t)actions), (size_t)kind + 1);
    struct slice rest = slice_from(first, (size_t)actions + 1), action;
    json_t *detail = json_array();
    while (slice_next(&rest, ',', &action)) {
        json_array_append_new(detail, json_pack("{s:s%, s:s, s:s%, s:s%}", "Type", first.p,
                                                (size_t)kind, "Class", "", "Name", name.p, name.n,
                                                "Action", action.p, action.n));
    }
    return detail;
}

void reply_challenge(const struct request *rq, struct reply *reply, const char *scope,
                     const char *description)
{
    auto_buf struct buf value = {0};
    const struct config *config = rq->app->config;
    const char *error = challenge_error(rq);
    struct err err = {0};
    (void)err_set(&err, ERR_UNAUTHORIZED, "%s",
                  description != NULL ? description : "authentication required");
    reply_error_detail(reply, &err, rq->gun.n > 0 ? challenge_detail(scope) : NULL);
    buf_printf(&value, "Bearer realm=\"%s\"", config->realm);
    put_quoted(&value, "service", config->service);
    if (scope != NULL) {
        put_quoted(&value, "scope", scope);
    }
    if (error != NULL) {
        put_quoted(&value, "error", error);
    }
    if (error != NULL && description != NULL) {
        put_quoted(&value, "error_description", description);
    }
    reply_header_text(reply, "WWW-Authenticate", value.p);
}
