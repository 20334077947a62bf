/* bond deploy list, releases list, update, rm: which image each service was given. */
#include "base/json.h"
#include "cli/check.h"
#include "cli/client.h"
#include "cli/output.h"
#include "cli/removal.h"
#include "cli/say.h"
#include "cli/service.h"

/* ---- lists ---- */

/* All pages of a list: `next` names the query parameter that goes on, `member` what it is given. */
struct paging {
    const char *rows, *next, *member;
};

static void append_place(struct buf *path, const struct paging *p, const json_t *row)
{
    const json_t *place = json_object_get(row, p->member);
    auto_buf struct buf text = {0};

    if (json_is_integer(place)) {
        buf_printf(&text, "%lld", (long long)json_integer_value(place));
    } else {
        buf_str(&text, json_is_string(place) ? json_string_value(place) : "");
    }
    client_query(path, p->next, text.p);
}

static enum outcome pages_read(const struct call *call, const char *path, const struct paging *p,
                               json_t **out)
{
    auto_json json_t *all = json_array();
    auto_buf struct buf next = {0};
    size_t n;

    buf_str(&next, path);
    do {
        auto_json json_t *page = NULL;
        enum outcome outcome = api(call, "GET", next.p, NULL, &page);
        if (outcome != OUTCOME_OK) {
            return outcome;
        }
        json_t *rows = json_get_array(page, p->rows);
        n = json_array_size(rows);
        (void)json_array_extend(all, rows);
        buf_clear(&next);
        buf_str(&next, path);
        append_place(&next, p, n ? json_array_get(rows, n - 1) : NULL);
    } while (n > 0);
    *out = json_pack("{s:O}", p->rows, all);
    return OUTCOME_OK;
}

static enum outcome services_list(const struct call *call)
{
    static const struct column columns[] = {
        {"SERVICE", "service"}, {"RELEASE", "release"}, {"IMAGE", "image"}, {"PINNED", "pinned"},
        {"CREATED", "created"}, {"BY", "by"},           {NULL, NULL}};
    static const struct paging paging = {"services", "last", "service"};
    auto_json json_t *answer = NULL;
    auto_buf struct buf path = {0};

    if (!check_namespace(call->args[0])) {
        return OUTCOME_USAGE;
    }
    buf_str(&path, DEPLOYMENTS "/");
    client_segment(&path, call->args[0]);
    enum outcome outcome = pages_read(call, path.p, &paging, &answer);
    if (outcome == OUTCOME_OK) {
        output_list(call, answer, paging.rows, columns);
    }
    return outcome;
}

static enum outcome releases_list(const struct call *call)
{
    static const struct column columns[] = {
        {"RELEASE", "release"}, {"CURRENT", "current"}, {"IMAGE", "image"},
        {"PINNED", "pinned"},   {"CREATED", "created"}, {"BY", "by"},
        {"REASON", "reason"},   {"NOTES", "notes"},     {NULL, NULL}};
    static const struct paging paging = {"releases", "before", "release"};
    auto_json json_t *answer = NULL;
    auto_buf struct buf path = {0};

    if (!service_path(call, call->args[0], &path)) {
        return OUTCOME_USAGE;
    }
    enum outcome outcome = pages_read(call, path.p, &paging, &answer);
    if (outcome == OUTCOME_OK) {
        output_list(call, answer, paging.rows, columns);
    }
    return outcome;
}

/* ---- changing ---- */

static enum outcome update(const struct call *call)
{
    auto_json json_t *answer = NULL;
    auto_buf struct buf path = {0};
    int64_t number = 0;

    if (!call_has(call, OPTION_NOTES)) {
        say("say what to note: --notes TEXT");
        return OUTCOME_USAGE;
    }
    if (!service_path(call, call->args[0], &path) || !release_number(call->args[1], &number)) {
        return OUTCOME_USAGE;
    }
    buf_printf(&path, "/%lld", (long long)number);
    auto_json json_t *body = with_notes(call, json_object());
    if (!body) {
        return OUTCOME_USAGE;
    }
    enum outcome outcome = api(call, "PATCH", path.p, body, &answer);
    if (outcome == OUTCOME_OK && call_has(call, OPTION_JSON)) {
        output_json(answer);
    }
    return outcome;
}

/* One release, or with --confirm the service as a whole. */
static enum outcome rm(const struct call *call)
{
    auto_buf struct buf path = {0};
    int64_t number = 0;

    if (!service_path(call, call->args[0], &path)) {
        return OUTCOME_USAGE;
    }
    if (call->n == 1) {
        return removal_is_confirmed(call, call->args[0]) ? api(call, "DELETE", path.p, NULL, NULL)
                                                         : OUTCOME_USAGE;
    }
    if (!release_number(call->args[1], &number)) {
        return OUTCOME_USAGE;
    }
    buf_printf(&path, "/%lld", (long long)number);
    return api(call, "DELETE", path.p, NULL, NULL);
}

const struct command releases_commands[] = {
    {"deploy list",
     "NS",
     1,
     1,
     true,
     {OPTION_NONE},
     "List the services of a namespace with their current releases.",
     services_list},
    {"releases list",
     "[NS/]SERVICE",
     1,
     1,
     false,
     {OPTION_NONE},
     "List the releases of a service, newest first.",
     releases_list},
    {"releases update",
     "[NS/]SERVICE RELEASE",
     2,
     2,
     false,
     {OPTION_NOTES},
     "Change the notes of a release.",
     update},
    {"releases rm",
     "[NS/]SERVICE [RELEASE]",
     1,
     2,
     false,
     {OPTION_CONFIRM},
     "Forget an earlier release, or a whole service.",
     rm},
    {.name = NULL},
};
