/* bond namespaces list, inspect, create, set, rm (alias: environments) */
#include "base/json.h"
#include "base/size.h"
#include "cli/check.h"
#include "cli/client.h"
#include "cli/output.h"
#include "cli/removal.h"
#include "cli/say.h"

static const struct column columns[] = {
    {"NAME", "name"},       {"VISIBILITY", "visibility"},
    {"ROLE", "role"},       {"REPOSITORIES", "repositories"},
    {"CREATED", "created"}, {"USED", "used"},
    {"QUOTA", "quota"},     {NULL, NULL},
};

/* Numbers of bytes as people read them, for a table. */
static void show_sizes(json_t *row)
{
    static const struct {
        const char *bytes, *shown, *zero;
    } sizes[] = {{"used_bytes", "used", "0B"},
                 {"reserved_bytes", "reserved", "0B"},
                 {"trust_bytes", "trust", "0B"},
                 {"quota_bytes", "quota", "none"}};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char text[SIZE_STR_MAX];
        int64_t bytes = json_integer_value(json_object_get(row, sizes[i].bytes));
        (void)json_object_set_new(
            row, sizes[i].shown, json_string(bytes > 0 ? size_format(bytes, text) : sizes[i].zero));
    }
}

static enum outcome list(const struct call *call)
{
    auto_json json_t *answer = NULL;

    enum outcome outcome = api(call, "GET", "/api/v1/namespaces", NULL, &answer);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    if (!call_has(call, OPTION_JSON)) {
        size_t i;
        json_t *row;
        json_array_foreach(json_get_array(answer, "namespaces"), i, row)
        {
            show_sizes(row);
        }
    }
    output_list(call, answer, "namespaces", columns);
    return OUTCOME_OK;
}

static void namespace_path(struct buf *out, const char *name)
{
    buf_str(out, "/api/v1/namespaces/");
    client_segment(out, name);
}

static enum outcome inspect(const struct call *call)
{
    static const struct column all[] = {
        {"NAME", "name"},       {"VISIBILITY", "visibility"},
        {"ROLE", "role"},       {"REPOSITORIES", "repositories"},
        {"CREATED", "created"}, {"USED", "used"},
        {"QUOTA", "quota"},     {"UPLOADS", "reserved"},
        {"SIGNATURES", "trust"},
        {NULL, NULL},
    };
    auto_json json_t *answer = NULL;
    auto_buf struct buf path = {0};

    if (!check_namespace(call->args[0])) {
        return OUTCOME_USAGE;
    }
    namespace_path(&path, call->args[0]);
    enum outcome outcome = api(call, "GET", path.p, NULL, &answer);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    if (!call_has(call, OPTION_JSON)) {
        show_sizes(answer);
    }
    output_object(call, answer, all);
    return OUTCOME_OK;
}

/* --quota; absent: none. */
static bool read_quota(const struct call *call, int64_t *out)
{
    const char *text = call->value[OPTION_QUOTA];
    *out = 0;
    if (!text || strcmp(text, "none") == 0) {
        return true;
    }
    if (size_parse(slice_str(text), out) && *out > 0) {
        return true;
    }
    say("--quota takes a size with its unit, B, KiB, MiB, GiB or TiB, as in 10GiB, or none");
    return false;
}

static enum outcome create(const struct call *call)
{
    static const char *const visibilities[] = {"private", "internal", "public", NULL};
    const char *visibility =
        call_has(call, OPTION_VISIBILITY) ? call->value[OPTION_VISIBILITY] : "private";
    int64_t quota = 0;
    auto_json json_t *answer = NULL;

    if (!check_namespace(call->args[0]) ||
        !check_word(OPTION_VISIBILITY, visibility, visibilities) || !read_quota(call, &quota)) {
        return OUTCOME_USAGE;
    }
    auto_json json_t *body = json_pack("{s:s, s:s, s:I}", "name", call->args[0], "visibility",
                                       visibility, "quota_bytes", (json_int_t)quota);
    enum outcome outcome = api(call, "POST", "/api/v1/namespaces", body, &answer);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    if (call_has(call, OPTION_JSON)) {
        output_json(answer);
    } else if (!call_has(call, OPTION_QUIET)) {
        say("the %s namespace %s is made", visibility, call->args[0]);
    }
    return OUTCOME_OK;
}

static void say_quota(const json_t *answer, const char *name, int64_t quota)
{
    char limit[SIZE_STR_MAX], held[SIZE_STR_MAX];
    int64_t used = json_integer_value(json_object_get(answer, "used_bytes")) +
                   json_integer_value(json_object_get(answer, "reserved_bytes"));
    if (quota == 0) {
        say("%s has no quota any more; it holds %s", name, size_format(used, held));
    } else if (used > quota) {
        say("the quota of %s is %s; it holds %s already, so nothing can be pushed there until "
            "images are deleted",
            name, size_format(quota, limit), size_format(used, held));
    } else {
        say("the quota of %s is %s; it holds %s", name, size_format(quota, limit),
            size_format(used, held));
    }
}

static enum outcome set(const struct call *call)
{
    int64_t quota = 0;
    auto_json json_t *answer = NULL;
    auto_buf struct buf path = {0};

    if (!check_namespace(call->args[0])) {
        return OUTCOME_USAGE;
    }
    if (!call_has(call, OPTION_QUOTA)) {
        say("nothing is set: name a quota, as in --quota 10GiB or --quota none");
        return OUTCOME_USAGE;
    }
    if (!read_quota(call, &quota)) {
        return OUTCOME_USAGE;
    }
    namespace_path(&path, call->args[0]);
    auto_json json_t *body = json_pack("{s:I}", "quota_bytes", (json_int_t)quota);
    enum outcome outcome = api(call, "PATCH", path.p, body, &answer);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    if (call_has(call, OPTION_JSON)) {
        output_json(answer);
    } else if (!call_has(call, OPTION_QUIET)) {
        say_quota(answer, call->args[0], quota);
    }
    return OUTCOME_OK;
}

static enum outcome remove_namespace(const struct call *call)
{
    auto_buf struct buf path = {0};

    if (!check_namespace(call->args[0]) || !removal_is_confirmed(call, call->args[0])) {
        return OUTCOME_USAGE;
    }
    namespace_path(&path, call->args[0]);
    return removal_request(call, &path, call->args[0]);
}

const struct command namespaces_commands[] = {
    {"namespaces list", "", 0, 0, false, {OPTION_NONE}, "List the namespaces you may see.", list},
    {"namespaces inspect",
     "NS",
     1,
     1,
     true,
     {OPTION_NONE},
     "Show a namespace: what it holds and may hold.",
     inspect},
    {"namespaces create",
     "NS",
     1,
     1,
     false,
     {OPTION_VISIBILITY, OPTION_QUOTA},
     "Make a namespace.",
     create},
    {"namespaces set", "NS", 1, 1, false, {OPTION_QUOTA}, "Set the quota of a namespace.", set},
    {"namespaces rm",
     "NS",
     1,
     1,
     false,
     {OPTION_CONFIRM, OPTION_FORGET_PINS},
     "Delete a namespace with its repositories, machines and policies.",
     remove_namespace},
    {.name = NULL},
};
