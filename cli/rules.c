/* bond rules get, set, plan */
#include "base/json.h"
#include "cli/check.h"
#include "cli/client.h"
#include "cli/document.h"
#include "cli/output.h"
#include "cli/pages.h"
#include "cli/say.h"

#include <string.h>

static void rules_path(struct buf *out, const char *ns, const char *rest)
{
    buf_str(out, "/api/v1/namespaces/");
    client_segment(out, ns);
    buf_printf(out, "/tag-rules%s", rest);
}

/* A document, so it is printed as one in any case; with -q the names of the rules. */
static enum outcome get(const struct call *call)
{
    auto_json json_t *answer = NULL;
    auto_buf struct buf path = {0};
    size_t i;
    json_t *rule;

    if (!check_namespace(call->args[0])) {
        return OUTCOME_USAGE;
    }
    rules_path(&path, call->args[0], "");
    enum outcome outcome = api(call, "GET", path.p, NULL, &answer);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    if (!call_has(call, OPTION_QUIET)) {
        output_json(answer);
        return OUTCOME_OK;
    }
    json_array_foreach(json_get_array(answer, "rules"), i, rule)
    {
        const char *name = json_get_string(rule, "name");
        printf("%s\n", name ? name : "-");
    }
    return OUTCOME_OK;
}

/* {"rules": [...]} of a file; the whole answer of `bond rules get` is taken as well. */
static enum outcome rules_file(const char *name, json_t **out)
{
    auto_json json_t *document = NULL;
    enum outcome outcome = document_read(name, &document);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    json_t *rules = json_get_array(document, "rules");
    if (rules == NULL) {
        say("tag rules are an object {\"rules\": [...]}; `bond rules get NS` shows the form");
        return OUTCOME_USAGE;
    }
    *out = json_pack("{s:O}", "rules", rules);
    return OUTCOME_OK;
}

static enum outcome set(const struct call *call)
{
    auto_json json_t *rules = NULL;
    auto_json json_t *answer = NULL;
    auto_buf struct buf path = {0};

    if (!call_has(call, OPTION_FILE)) {
        say("give the rules with --file FILE, or --file - for standard input");
        return OUTCOME_USAGE;
    }
    if (!check_namespace(call->args[0])) {
        return OUTCOME_USAGE;
    }
    enum outcome outcome = rules_file(call->value[OPTION_FILE], &rules);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    rules_path(&path, call->args[0], "");
    outcome = api(call, "PUT", path.p, rules, &answer);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    if (call_has(call, OPTION_JSON) && answer) {
        output_json(answer);
    } else if (!call_has(call, OPTION_QUIET)) {
        say("the tag rules of %s are stored: %zu; `bond rules plan %s` shows what they do",
            call->args[0], json_array_size(json_get_array(rules, "rules")), call->args[0]);
    }
    return OUTCOME_OK;
}

/* --- plan ------------------------------------------------------------------------------------- */

/* "ns/app:v1" as a member of each row, for the table. */
static void add_images(json_t *tags)
{
    size_t i;
    json_t *row;
    json_array_foreach(tags, i, row)
    {
        const char *repository = json_get_string(row, "repository");
        const char *tag = json_get_string(row, "tag");
        (void)json_object_set_new(
            row, "image", json_sprintf("%s:%s", repository ? repository : "", tag ? tag : ""));
    }
}

static size_t count_going(const json_t *tags)
{
    size_t going = 0;
    size_t i;
    json_t *row;
    json_array_foreach(tags, i, row)
    {
        const char *action = json_get_string(row, "action");
        going += action != NULL && strcmp(action, "remove") == 0;
    }
    return going;
}

static void print_plan(const struct call *call, json_t *plan)
{
    static const struct column columns[] = {{"IMAGE", "image"}, {"ACTION", "action"},
                                            {"RULE", "rule"},   {"WHY", "why"},
                                            {"SET", "updated"}, {NULL, NULL}};
    json_t *tags = json_get_array(plan, "tags");
    add_images(tags);
    output_list(call, plan, "tags", columns);
    if (!call_has(call, OPTION_QUIET)) {
        say("%zu of %zu tags would be removed; nothing was changed", count_going(tags),
            json_array_size(tags));
    }
}

static enum outcome plan(const struct call *call)
{
    auto_json json_t *rules = NULL;
    auto_json json_t *all = NULL;
    auto_buf struct buf path = {0};

    if (!check_namespace(call->args[0])) {
        return OUTCOME_USAGE;
    }
    if (call_has(call, OPTION_FILE)) {
        enum outcome read = rules_file(call->value[OPTION_FILE], &rules);
        if (read != OUTCOME_OK) {
            return read;
        }
    }
    rules_path(&path, call->args[0], "/dry-run");
    const struct pages pages = {
        .method = "POST", .path = path.p, .body = rules, .rows = "tags", .parameter = "last"};
    enum outcome outcome = pages_read(call, &pages, &all);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    if (call_has(call, OPTION_JSON)) {
        output_json(all);
        return OUTCOME_OK;
    }
    print_plan(call, all);
    return OUTCOME_OK;
}

const struct command rules_commands[] = {
    {"rules get",
     "NS",
     1,
     1,
     true,
     {OPTION_NONE},
     "Show the tag rules of a namespace: which tags never move, which go.",
     get},
    {"rules set",
     "NS",
     1,
     1,
     true,
     {OPTION_FILE},
     "Replace all tag rules of a namespace by those of a file.",
     set},
    {"rules plan",
     "NS",
     1,
     1,
     true,
     {OPTION_FILE},
     "Show which tags the rules, or those of a file, would remove, and why.",
     plan},
    {.name = NULL},
};
