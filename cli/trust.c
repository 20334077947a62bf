/* bond trust status, expiring, keys, wipe, acknowledge, rename */
#include "base/json.h"
#include "cli/check.h"
#include "cli/client.h"
#include "cli/output.h"
#include "cli/pages.h"
#include "cli/removal.h"
#include "cli/rename.h"
#include "cli/say.h"

/* Who loses the only root key signs everything afresh. */
static void tell_single_keys(const json_t *repositories)
{
    const char *first = NULL;
    size_t i, n = 0;
    json_t *row;

    json_array_foreach(repositories, i, row)
    {
        if (json_is_true(json_object_get(row, "single_root_key"))) {
            first = n++ == 0 ? json_get_string(row, "repository") : first;
        }
    }
    if (n == 1) {
        say("%s hangs on a single root key: keep two copies of it, or name a second one "
            "(docs/key-holder.md)",
            first);
    } else if (n > 1) {
        say("%zu repositories hang on a single root key each (--json says which): keep two copies of "
            "it, or name a second one (docs/key-holder.md)",
            n);
    }
}

/* What somebody should do: below the table, for people. */
static void tell_attention(const json_t *answer)
{
    const json_t *repositories = json_get_array(answer, "repositories");
    size_t i, k;
    json_t *row, *sentence;

    json_array_foreach(repositories, i, row)
    {
        json_array_foreach(json_get_array(row, "attention"), k, sentence)
        {
            auto_free char *text = xstrdup(json_string_value(sentence));
            say("%s: %s", json_get_string(row, "repository"), printable(text));
        }
    }
    tell_single_keys(repositories);
}

static enum outcome status(const struct call *call)
{
    static const struct column columns[] = {
        {"REPOSITORY", "gun"},          {"STATE", "state"}, {"LEVEL", "level"},
        {"VALID-UNTIL", "valid_until"}, {"WHY", "why"},     {NULL, NULL},
    };
    const char *scope = call->n ? call->args[0] : call->value[OPTION_NAMESPACE];
    auto_json json_t *answer = NULL;
    auto_buf struct buf path = {0};

    if (scope && !check_scope(scope)) {
        return OUTCOME_USAGE;
    }
    buf_str(&path, "/api/v1/trust/status");
    if (scope) {
        client_query(&path, "scope", scope);
    }
    const struct pages pages = {
        .path = path.p, .rows = "repositories", .parameter = "last", .place = "repository"};
    enum outcome outcome = pages_read(call, &pages, &answer);
    if (outcome == OUTCOME_OK) {
        output_list(call, answer, "repositories", columns);
    }
    if (outcome == OUTCOME_OK && !call_has(call, OPTION_JSON) && !call_has(call, OPTION_QUIET)) {
        tell_attention(answer);
    }
    return outcome;
}

static enum outcome expiring(const struct call *call)
{
    static const struct column columns[] = {{"REPOSITORY", "repository"}, {"ROLE", "role"},
                                            {"KIND", "kind"},             {"EXPIRES", "expires"},
                                            {"WHO", "who"},               {"COMMAND", "command"},
                                            {NULL, NULL}};
    const char *scope = call->n ? call->args[0] : call->value[OPTION_NAMESPACE];
    auto_json json_t *answer = NULL;
    auto_buf struct buf path = {0};

    if (scope && !check_scope(scope)) {
        return OUTCOME_USAGE;
    }
    buf_str(&path, "/api/v1/trust/expiring");
    if (scope) {
        client_query(&path, "scope", scope);
    }
    if (call->value[OPTION_WITHIN]) {
        client_query(&path, "within", call->value[OPTION_WITHIN]);
    }
    const struct pages pages = {
        .path = path.p, .rows = "expiring", .parameter = "last", .place = "place"};
    enum outcome outcome = pages_read(call, &pages, &answer);
    if (outcome == OUTCOME_OK) {
        output_list(call, answer, "expiring", columns);
    }
    return outcome;
}

static enum outcome keys_list(const struct call *call)
{
    static const struct column columns[] = {{"ROLE", "role"},
                                            {"STATE", "state"},
                                            {"CREATED", "created"},
                                            {"KEY-ID", "key_id"},
                                            {NULL, NULL}};
    auto_json json_t *answer = NULL;
    auto_buf struct buf path = {0};

    if (!check_scope(call->args[0])) {
        return OUTCOME_USAGE;
    }
    buf_str(&path, "/api/v1/trust/keys");
    client_query(&path, "scope", call->args[0]);
    enum outcome outcome = api(call, "GET", path.p, NULL, &answer);
    if (outcome == OUTCOME_OK) {
        output_list(call, answer, "keys", columns);
    }
    return outcome;
}

static enum outcome keys_rotate(const struct call *call)
{
    static const struct column columns[] = {
        {"ROLE", "role"}, {"STATE", "state"}, {"KEY-ID", "key_id"}, {NULL, NULL}};
    auto_json json_t *answer = NULL;

    if (!check_scope(call->args[0])) {
        return OUTCOME_USAGE;
    }
    auto_json json_t *body = json_pack("{s:s, s:s}", "scope", call->args[0], "role", call->args[1]);
    if (!body) {
        say("the role is timestamp or snapshot");
        return OUTCOME_USAGE;
    }
    enum outcome outcome = api(call, "POST", "/api/v1/trust/keys", body, &answer);
    if (outcome == OUTCOME_OK) {
        output_object(call, answer, columns);
    }
    if (outcome == OUTCOME_OK && !call_has(call, OPTION_JSON)) {
        removal_commands(answer, "the new key is ready; it signs from the moment on that the root names "
                                 "it, so the holder of the root key runs:");
    }
    return outcome;
}

static bool wipe_is_confirmed(const struct call *call)
{
    const char *confirm = call->value[OPTION_CONFIRM];

    if (confirm && strcmp(confirm, call->args[0]) == 0) {
        return true;
    }
    if (confirm) {
        say("--confirm says %s, but the wipe is of %s; nothing was done", confirm, call->args[0]);
    } else {
        say("a wipe forgets every signature of %s; repeat its name to go on: --confirm %s",
            call->args[0], call->args[0]);
    }
    return false;
}

static void wipe_tell(const struct call *call, const json_t *answer)
{
    static const struct column columns[] = {{"REPOSITORY", "gun"}, {NULL, NULL}};

    if (json_array_size(json_get_array(answer, "wiped")) == 0) {
        say("there are no signatures in %s; nothing was wiped", call->args[0]);
        return;
    }
    output_list(call, answer, "wiped", columns);
    removal_commands(
        answer,
        "docker and notary remember the old signatures, podman, skopeo and containerd do not; "
        "on each machine that signs or verifies run:");
}

static enum outcome wipe(const struct call *call)
{
    auto_json json_t *answer = NULL;
    const char *reason = call->value[OPTION_REASON];

    if (!check_scope(call->args[0]) || !wipe_is_confirmed(call)) {
        return OUTCOME_USAGE;
    }
    auto_json json_t *body =
        json_pack("{s:s, s:s, s:b, s:s}", "scope", call->args[0], "confirm", call->args[0],
                  "keep_pin", (int)call_has(call, OPTION_KEEP_PIN), "reason", reason ? reason : "");
    if (!body) {
        say("the reason is not UTF-8 text; type it again");
        return OUTCOME_USAGE;
    }
    enum outcome outcome = api(call, "POST", "/api/v1/trust/wipe", body, &answer);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    if (call_has(call, OPTION_JSON)) {
        output_json(answer);
    } else {
        wipe_tell(call, answer);
        output_warning(answer);
    }
    return OUTCOME_OK;
}

static enum outcome acknowledge(const struct call *call)
{
    const char *reason = call->value[OPTION_REASON];
    bool all = call_has(call, OPTION_ALL);
    auto_json json_t *answer = NULL;

    if (all == (call->n > 0)) {
        say("give one repository, NS/REPO, or --all");
        return OUTCOME_USAGE;
    }
    auto_json json_t *body =
        all ? json_pack("{s:b, s:s}", "all", 1, "reason", reason ? reason : "")
            : json_pack("{s:s, s:s}", "scope", call->args[0], "reason", reason ? reason : "");
    if (!body) {
        say("the reason is not UTF-8 text; type it again");
        return OUTCOME_USAGE;
    }
    enum outcome outcome = api(call, "POST", "/api/v1/trust/acknowledge", body, &answer);
    if (outcome == OUTCOME_OK && call_has(call, OPTION_JSON)) {
        output_json(answer);
    } else if (outcome == OUTCOME_OK) {
        say("the store counts as right from now on for %s; whatever was signed after it was saved "
            "has to be signed again",
            all ? "every repository" : call->args[0]);
        removal_commands(answer, "docker and notary hold what they saw after that against it; on each "
                                 "machine that signed or verified meanwhile run:");
    }
    return outcome;
}

const struct command trust_commands[] = {
    {"trust status",
     "[NS[/REPO]]",
     0,
     1,
     false,
     {OPTION_NONE},
     "Show the state of the signatures of each repository.",
     status},
    {"trust expiring",
     "[NS[/REPO]]",
     0,
     1,
     false,
     {OPTION_WITHIN},
     "List what ends soon and a person must renew: who, and by which command.",
     expiring},
    {"trust keys list",
     "NS/REPO",
     1,
     1,
     false,
     {OPTION_NONE},
     "List the keys that the server holds for a repository.",
     keys_list},
    {"trust keys rotate",
     "NS/REPO ROLE",
     2,
     2,
     false,
     {OPTION_NONE},
     "Make a new key of the server, and say what the holder of the root key does next.",
     keys_rotate},
    {"trust wipe",
     "NS[/REPO]",
     1,
     1,
     false,
     {OPTION_CONFIRM, OPTION_KEEP_PIN, OPTION_REASON},
     "Forget all signatures, so that new ones can begin after a lost root key.",
     wipe},
    {"trust acknowledge",
     "[NS/REPO]",
     0,
     1,
     false,
     {OPTION_ALL, OPTION_REASON},
     "Take a restored store for the right one.",
     acknowledge},
    {"trust rename",
     "OLDHOST NEWHOST",
     2,
     2,
     false,
     {OPTION_NONE},
     "Print the commands that move the signatures to another host name; changes nothing.",
     trust_rename},
    {.name = NULL},
};
