/* bond audit list, export, verify: changes and decisions as they were recorded. */
#include "base/clock.h"
#include "base/duration.h"
#include "base/json.h"
#include "cli/check.h"
#include "cli/client.h"
#include "cli/output.h"
#include "cli/say.h"

#include <stdio.h>

/* What is asked for. */
struct selection {
    bool decisions;     /* of the gate, else changes */
    int64_t since_us;   /* 0: all */
    const char *action; /* NULL: all; of decisions: the door */
};

/* --since 24h, or a time. */
static bool read_since(const struct call *call, const char *otherwise, int64_t *out)
{
    const char *text = call_has(call, OPTION_SINCE) ? call->value[OPTION_SINCE] : otherwise;
    int64_t ago_us = 0;
    *out = 0;
    if (text == NULL || time_parse(slice_str(text), out)) {
        return true;
    }
    if (duration_read(slice_str(text), &ago_us)) {
        int64_t now_us = clock_now_us();
        *out = ago_us < now_us ? now_us - ago_us : 0;
        return true;
    }
    say("--since %s: write how long ago, such as 24h or 7d, or a time such as "
        "2026-11-24T00:12:15Z",
        text);
    return false;
}

/* Names of changes have a dot (policy.put), doors of the gate have none (pull, verify). */
static bool read_selection(const struct call *call, const char *since, struct selection *out)
{
    *out = (struct selection){.action = call->value[OPTION_ACTION]};
    out->decisions =
        call_has(call, OPTION_DECISIONS) || (out->action && strchr(out->action, '.') == NULL);
    return read_since(call, since, &out->since_us);
}

static void add_since(struct buf *path, int64_t since_us)
{
    char text[TIME_STR_MAX];
    if (since_us > 0) {
        client_query(path, "since", time_format(since_us, text));
    }
}

static void add_number(struct buf *path, const char *name, int64_t number)
{
    char text[24];
    if (number > 0) {
        (void)snprintf(text, sizeof(text), "%lld", (long long)number);
        client_query(path, name, text);
    }
}

/* One page after the other; `row` is called for each, in the order of the server. */
typedef void (*row_fn)(const struct call *call, json_t *row, void *arg);

struct log_pages {
    const char *path, *rows; /* the member that holds them */
    const char *cursor;      /* the parameter that asks for the next page */
    const struct selection *selection;
    const char *namespace;
};

static void page_path(const struct log_pages *p, int64_t cursor, struct buf *out)
{
    buf_str(out, p->path);
    add_since(out, p->selection->since_us);
    if (p->namespace) {
        client_query(out, "namespace", p->namespace);
    }
    if (p->selection->action && !p->selection->decisions) {
        client_query(out, "action", p->selection->action);
    }
    add_number(out, p->cursor, cursor);
}

static enum outcome log_read(const struct call *call, const struct log_pages *p, row_fn row,
                               void *arg)
{
    int64_t cursor = 0;
    do {
        auto_buf struct buf path = {0};
        auto_json json_t *page = NULL;
        size_t i;
        json_t *item;
        page_path(p, cursor, &path);
        enum outcome outcome = api(call, "GET", path.p, NULL, &page);
        if (outcome != OUTCOME_OK) {
            return outcome;
        }
        json_array_foreach(json_get_array(page, p->rows), i, item)
        {
            row(call, item, arg);
        }
        if (!json_get_int(page, "next", &cursor)) {
            cursor = 0;
        }
    } while (cursor > 0);
    return OUTCOME_OK;
}

/* --- list ------------------------------------------------------------------------------------- */

static void keep_entry(const struct call *call, json_t *row, void *arg)
{
    json_t *rows = arg;
    (void)call;
    (void)json_array_append(rows, row);
}

/* What a line shows, out of the objects of the record. */
static void keep_decision(const struct call *call, json_t *row, void *arg)
{
    const char *door = call->value[OPTION_ACTION];
    const char *own = json_get_string(row, "door");
    const json_t *request = json_get_object(row, "request");
    if (door && (!own || strcmp(own, door) != 0)) {
        return;
    }
    auto_buf struct buf image = {0};
    const char *repo = json_get_string(request, "repo");
    const char *tag = json_get_string(request, "tag");
    const char *digest = json_get_string(request, "digest");
    buf_printf(&image, "%s%s%s", repo ? repo : "-",
               tag      ? ":"
               : digest ? "@"
                        : "",
               tag      ? tag
               : digest ? digest
                        : "");
    (void)json_object_set_new(row, "image", json_string(image.p));
    (void)json_object_set(row, "who", json_object_get(json_object_get(row, "identity"), "id"));
    (void)json_array_append(arg, row);
}

static json_t *reversed(const json_t *rows)
{
    json_t *out = json_array();
    for (size_t i = json_array_size(rows); i > 0; i--) {
        (void)json_array_append(out, json_array_get(rows, i - 1));
    }
    return out;
}

static enum outcome list(const struct call *call)
{
    static const struct column entries[] = {{"TIME", "time"},       {"WHO", "actor"},
                                            {"ACTION", "action"},   {"OBJECT", "object"},
                                            {"OUTCOME", "outcome"}, {NULL, NULL}};
    static const struct column decisions[] = {
        {"TIME", "time"},     {"WHO", "who"},     {"IMAGE", "image"}, {"EFFECT", "effect"},
        {"REASON", "reason"}, {"COUNT", "count"}, {"ID", "id"},       {NULL, NULL}};
    struct selection s;
    auto_json json_t *rows = json_array();
    if (!read_selection(call, "24h", &s)) {
        return OUTCOME_USAGE;
    }
    const struct log_pages changes = {"/api/v1/audit", "entries", "after", &s,
                                  call->value[OPTION_NAMESPACE]};
    const struct log_pages records = {"/api/v1/deploy/decisions?n=1000", "decisions", "before", &s,
                                  NULL};
    enum outcome outcome = log_read(call, s.decisions ? &records : &changes,
                                      s.decisions ? keep_decision : keep_entry, rows);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    /* the server's decisions are newest first */
    auto_json json_t *all = json_pack("{s:o}", s.decisions ? "decisions" : "entries",
                                      s.decisions ? reversed(rows) : json_incref(rows));
    output_list(call, all, s.decisions ? "decisions" : "entries",
                s.decisions ? decisions : entries);
    return OUTCOME_OK;
}

/* --- export ----------------------------------------------------------------------------------- */

static void print_line(const struct call *call, json_t *row, void *arg)
{
    const struct selection *s = arg;
    auto_buf struct buf text = {0};
    int64_t time_us = 0;
    const char *door = json_get_string(row, "door");
    (void)call;
    (void)time_parse(json_get_slice(row, "time"), &time_us);
    bool other = s->decisions && s->action && (!door || strcmp(door, s->action) != 0);
    if (time_us < s->since_us || other) {
        return;
    }
    json_write(&text, row);
    printf("%s\n", text.p);
}

/* The chain of decisions has no start by time, so that it can be proved from what is printed. */
static enum outcome export_lines(const struct call *call)
{
    struct selection s;
    if (!read_selection(call, NULL, &s)) {
        return OUTCOME_USAGE;
    }
    const struct selection all = {.decisions = true};
    const struct log_pages changes = {"/api/v1/audit", "entries", "after", &s,
                                  call->value[OPTION_NAMESPACE]};
    const struct log_pages records = {"/api/v1/audit/decisions", "records", "after", &all, NULL};
    return log_read(call, s.decisions ? &records : &changes, print_line, &s);
}

/* --- verify ----------------------------------------------------------------------------------- */

struct proof {
    int64_t records;
    bool proved;
};

static void print_proof(const struct call *call, const char *chain, const json_t *page,
                        const struct proof *proof)
{
    const char *head = json_get_string(page, "head");
    if (proof->proved) {
        if (!call_has(call, OPTION_QUIET)) {
            printf("%s\tproved\t%lld\t%s\n", chain, (long long)proof->records, head ? head : "-");
        }
        return;
    }
    int64_t bad = 0;
    const char *id = json_get_string(page, "bad_id"), *what = json_get_string(page, "what");
    (void)json_get_int(page, "bad", &bad);
    printf("%s\tBROKEN\t%lld\t%s\n", chain, (long long)bad, id ? id : "-");
    say("the chain of %s is broken at record %lld%s%s: %s; keep a copy of the data folder and "
        "compare it with the last backup",
        chain, (long long)bad, id ? ", " : "", id ? id : "", what ? what : "it does not fit");
}

static enum outcome prove(const struct call *call, const char *chain)
{
    struct proof proof = {.proved = true};
    int64_t after = 0;
    bool more = true;
    while (more && proof.proved) {
        auto_buf struct buf path = {0};
        auto_json json_t *page = NULL;
        int64_t records = 0;
        buf_str(&path, "/api/v1/audit/proof");
        client_query(&path, "chain", chain);
        add_number(&path, "after", after);
        enum outcome outcome = api(call, "GET", path.p, NULL, &page);
        if (outcome != OUTCOME_OK) {
            return outcome;
        }
        if (!json_get_bool(page, "proved", &proof.proved) ||
            !json_get_int(page, "records", &records)) {
            proof.proved = false; /* an answer that says nothing proves nothing */
        }
        proof.records += records;
        more = json_get_int(page, "next", &after);
        if (!more || !proof.proved) {
            print_proof(call, chain, page, &proof);
        }
    }
    return proof.proved ? OUTCOME_OK : OUTCOME_REFUSED;
}

static enum outcome verify(const struct call *call)
{
    enum outcome audit = prove(call, "audit");
    if (audit != OUTCOME_OK && audit != OUTCOME_REFUSED) {
        return audit;
    }
    enum outcome decisions = prove(call, "decisions");
    return decisions != OUTCOME_OK ? decisions : audit;
}

const struct command audit_commands[] = {
    {"audit list",
     "",
     0,
     0,
     false,
     {OPTION_SINCE, OPTION_ACTION, OPTION_DECISIONS},
     "List what was changed, or with --decisions what the gate answered, within the last 24 hours.",
     list},
    {"audit export",
     "",
     0,
     0,
     false,
     {OPTION_SINCE, OPTION_ACTION, OPTION_DECISIONS},
     "Print the whole log as JSON lines, oldest first.",
     export_lines},
    {"audit verify",
     "",
     0,
     0,
     false,
     {OPTION_NONE},
     "Prove that no record of changes or decisions was changed or removed; exit status 6 when one "
     "was.",
     verify},
    {.name = NULL},
};
