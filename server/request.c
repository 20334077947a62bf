#include "server/app.h"
#include "server/exchange.h"
#include "server/percent.h"

const char *request_header(const struct request *rq, const char *name)
{
    return MHD_lookup_connection_value(rq->exchange->connection, MHD_HEADER_KIND, name);
}

struct collect {
    const char *name;
    struct buf *out;
    bool any;
};

static enum MHD_Result collect_header(void *arg, enum MHD_ValueKind kind, const char *key,
                                      const char *value)
{
    struct collect *c = arg;
    (void)kind;
    if (slice_is_nocase(slice_str(key), c->name)) {
        buf_str(c->out, c->any ? ", " : "");
        buf_str(c->out, value != NULL ? value : "");
        c->any = true;
    }
    return MHD_YES;
}

void request_header_all(const struct request *rq, const char *name, struct buf *b)
{
    struct collect c = {.name = name, .out = b};
    (void)MHD_get_connection_values(rq->exchange->connection, MHD_HEADER_KIND, collect_header, &c);
}

/* The next byte of an application/x-www-form-urlencoded text: '+' is a blank, %XX a byte. */
static bool form_next(struct slice *rest, char *out)
{
    bool plus = rest->p[0] == '+';
    if (!percent_next(rest, out) || *out == '\0') {
        return false;
    }
    *out = plus ? ' ' : *out;
    return true;
}

static bool form_decode(struct slice text, struct buf *out)
{
    char c;
    buf_clear(out);
    buf_put(out, "", 0);
    while (text.n > 0) {
        if (!form_next(&text, &c)) {
            return false;
        }
        buf_char(out, c);
    }
    return true;
}

static bool form_decodes(struct slice text)
{
    char c;
    while (text.n > 0) {
        if (!form_next(&text, &c)) {
            return false;
        }
    }
    return true;
}

static bool form_is(struct slice text, const char *wanted)
{
    char c;
    while (text.n > 0 && *wanted != '\0') {
        if (!form_next(&text, &c) || c != *wanted++) {
            return false;
        }
    }
    return text.n == 0 && *wanted == '\0';
}

static struct slice pair_key(struct slice pair)
{
    ptrdiff_t equals = slice_index(pair, '=');
    return equals < 0 ? pair : slice_first(pair, (size_t)equals);
}

/* The nth pair of that name. */
static bool form_find(struct slice form, const char *name, int nth, struct slice *value)
{
    struct slice pair;
    while (slice_next(&form, '&', &pair)) {
        struct slice key = pair_key(pair);
        if (form_is(key, name) && nth-- == 0) {
            *value = key.n == pair.n ? (struct slice){"", 0} : slice_from(pair, key.n + 1);
            return true;
        }
    }
    return false;
}

/* How much of a name that may be anything a sentence repeats. */
#define NAME_SHOWN_MAX 40

static bool form_check(struct slice form, struct err *err)
{
    struct slice pair;
    while (slice_next(&form, '&', &pair)) {
        if (!form_decodes(pair)) {
            struct slice name = slice_first(pair_key(pair), NAME_SHOWN_MAX);
            return err_set(err, ERR_REQUEST_INVALID,
                           "the parameter %.*s cannot be decoded: after %% come two hexadecimal "
                           "digits, and no byte is zero",
                           SLICE_FMT(name));
        }
    }
    return true;
}

bool request_query_check(const struct request *rq, struct err *err)
{
    return form_check(rq->query, err);
}

bool request_form_check(const struct request *rq, struct err *err)
{
    return form_check(rq->body, err);
}

bool request_query(const struct request *rq, const char *name, int nth, struct buf *out)
{
    struct slice value;
    return form_find(rq->query, name, nth, &value) && form_decode(value, out);
}

bool request_has_query(const struct request *rq, const char *name)
{
    struct slice value;
    return form_find(rq->query, name, 0, &value);
}

bool request_form(const struct request *rq, const char *name, int nth, struct buf *out)
{
    struct slice value;
    return form_find(rq->body, name, nth, &value) && form_decode(value, out);
}

/* Anybody signed in may send one: of nothing but brackets it would take fifty times its size. */
#define VALUES_FREE 4096
#define BYTES_PER_VALUE 8

bool request_json(const struct request *rq, json_t **out, struct err *err)
{
    json_t *value = NULL;
    if (!json_is_within(rq->body, VALUES_FREE + rq->body.n / BYTES_PER_VALUE)) {
        return err_set(err, ERR_REQUEST_INVALID,
                       "the body has more JSON values than any request of its size needs");
    }
    if (!json_read(rq->body, JSON_DEPTH_DEFAULT, &value, err)) {
        return false;
    }
    if (!json_is_object(value)) {
        json_decref(value);
        return err_set(err, ERR_REQUEST_INVALID, "the body must be a JSON object");
    }
    *out = value;
    return true;
}

bool request_snapshot(const struct request *rq, struct db_tx **out, struct err *err)
{
    struct http_exchange *ex = rq->exchange;
    *out = ex->snapshot;
    ex->snapshot = NULL;
    ex->has_facts = ex->has_facts && *out != NULL;
    return *out != NULL || db_snapshot(rq->app->db, out, err);
}

bool request_facts(const struct request *rq, struct db_tx *tx, struct access_facts *out,
                   struct err *err)
{
    struct namespace_name ns;
    if (rq->exchange->has_facts) {
        *out = rq->exchange->facts;
        return true;
    }
    repo_name_namespace(&rq->repo, &ns);
    return access_facts_load(tx, rq->identity, &ns, out, err);
}

int64_t request_content_length(const struct request *rq)
{
    return rq->exchange->line.content_length;
}

bool request_on_worker(struct request *rq)
{
    rq->wants_worker = !rq->on_worker;
    return rq->on_worker;
}

bool request_on_worker_surely(struct request *rq)
{
    rq->wants_place = true;
    return request_on_worker(rq);
}
