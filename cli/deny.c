/* bond deny list, add, rm */
#include "base/digest.h"
#include "base/json.h"
#include "cli/check.h"
#include "cli/client.h"
#include "cli/output.h"
#include "cli/pages.h"
#include "cli/say.h"

#define DENIED_PATH "/api/v1/denied"

static bool check_deny_scope(const char *text)
{
    return strcmp(text, "*") == 0 || check_namespace(text);
}

static bool check_digest(const char *text)
{
    struct digest digest;
    if (!digest_parse(slice_str(text), &digest, NULL)) {
        say("%s is no digest; write it whole, sha256:... and 64 characters", text);
        return false;
    }
    return true;
}

static enum outcome list(const struct call *call)
{
    static const struct column columns[] = {
        {"DIGEST", "digest"}, {"SINCE", "since"}, {"BY", "by"}, {"REASON", "reason"}, {NULL, NULL}};
    auto_json json_t *all = NULL;
    auto_buf struct buf path = {0};
    if (!check_deny_scope(call->args[0])) {
        return OUTCOME_USAGE;
    }
    buf_str(&path, DENIED_PATH);
    client_query(&path, "scope", call->args[0]);
    const struct pages pages = {.path = path.p, .rows = "denied", .parameter = "last"};
    enum outcome outcome = pages_read(call, &pages, &all);
    if (outcome == OUTCOME_OK) {
        output_list(call, all, pages.rows, columns);
    }
    return outcome;
}

static const char *where(const struct call *call)
{
    return strcmp(call->args[0], "*") == 0 ? "the whole server" : call->args[0];
}

static enum outcome add(const struct call *call)
{
    auto_json json_t *answer = NULL;
    const char *reason = call->value[OPTION_REASON];
    if (!check_deny_scope(call->args[0]) || !check_digest(call->args[1])) {
        return OUTCOME_USAGE;
    }
    if (!reason) {
        say("say why with --reason TEXT: whoever is refused reads it");
        return OUTCOME_USAGE;
    }
    auto_json json_t *body = json_pack("{s:s, s:s, s:s}", "scope", call->args[0], "digest",
                                       call->args[1], "reason", reason);
    if (!body) {
        say("the reason is not UTF-8 text; type it again");
        return OUTCOME_USAGE;
    }
    enum outcome outcome = api(call, "POST", DENIED_PATH, body, &answer);
    if (outcome == OUTCOME_OK && call_has(call, OPTION_JSON)) {
        output_json(answer);
    } else if (outcome == OUTCOME_OK && !call_has(call, OPTION_QUIET)) {
        say("%s is denied to gated identities on %s from now on", call->args[1], where(call));
    }
    output_warning(answer);
    return outcome;
}

static enum outcome rm(const struct call *call)
{
    auto_json json_t *answer = NULL;
    auto_buf struct buf path = {0};
    if (!check_deny_scope(call->args[0]) || !check_digest(call->args[1])) {
        return OUTCOME_USAGE;
    }
    buf_str(&path, DENIED_PATH);
    client_query(&path, "scope", call->args[0]);
    client_query(&path, "digest", call->args[1]);
    enum outcome outcome = api(call, "DELETE", path.p, NULL, &answer);
    if (outcome == OUTCOME_OK && !call_has(call, OPTION_QUIET)) {
        say("%s is not denied any more on %s; its signatures decide", call->args[1], where(call));
    }
    output_warning(answer);
    return outcome;
}

const struct command deny_commands[] = {
    {"deny list",
     "NS|*",
     1,
     1,
     true,
     {OPTION_NONE},
     "List the digests that are denied in a namespace, or with * on the whole server.",
     list},
    {"deny add",
     "NS|* DIGEST",
     2,
     2,
     true,
     {OPTION_REASON},
     "Deny a digest, signed or not: no rule lets it through.",
     add},
    {"deny rm", "NS|* DIGEST", 2, 2, true, {OPTION_NONE}, "Take a digest off the deny list.", rm},
    {.name = NULL},
};
