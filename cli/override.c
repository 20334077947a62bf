/* bond override list, create, approve, end */
#include "base/digest.h"
#include "base/json.h"
#include "base/name.h"
#include "cli/check.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/pages.h"
#include "cli/say.h"

static const struct column columns[] = {{"ID", "id"},
                                        {"REPOSITORY", "repository"},
                                        {"DIGEST", "digest"},
                                        {"STATE", "state"},
                                        {"END", "end"},
                                        {"FOR", "identities"},
                                        {"USES", "uses"},
                                        {"BY", "created_by"},
                                        {"APPROVED-BY", "approved_by"},
                                        {"TICKET", "ticket"},
                                        {"REASON", "reason"},
                                        {NULL, NULL}};

static void overrides_path(struct buf *out, const char *ns, const char *id, const char *rest)
{
    buf_str(out, "/api/v1/namespaces/");
    client_segment(out, ns);
    buf_str(out, "/overrides");
    if (id) {
        buf_char(out, '/');
        client_segment(out, id);
    }
    buf_str(out, rest);
}

static enum outcome list(const struct call *call)
{
    auto_json json_t *all = NULL;
    auto_buf struct buf path = {0};
    if (!check_namespace(call->args[0])) {
        return OUTCOME_USAGE;
    }
    overrides_path(&path, call->args[0], NULL, "");
    const struct pages pages = {.path = path.p, .rows = "overrides", .parameter = "last"};
    enum outcome outcome = pages_read(call, &pages, &all);
    if (outcome == OUTCOME_OK) {
        output_list(call, all, pages.rows, columns);
    }
    return outcome;
}

/* --- create ----------------------------------------------------------------------------------- */

/* NS/REPO@DIGEST and nothing else: an override names what it lets through exactly. */
static bool check_pinned(const struct call *call, const char *text, struct buf *repo,
                         const char **digest_out)
{
    struct digest digest;
    const char *at = strchr(text, '@');
    if (!at || !digest_parse(slice_str(at + 1), &digest, NULL)) {
        say("%s names no exact digest; write NS/REPO@sha256:... (`bond deploy check` shows it)",
            text);
        return false;
    }
    auto_free char *name = xstrndup(text, (size_t)(at - text));
    *digest_out = at + 1;
    return check_repository(call, name, repo);
}

static json_t *identities_of(const char *text)
{
    json_t *names = json_array();
    struct slice rest = slice_str(text), name;
    while (slice_next(&rest, ',', &name)) {
        name = slice_trim(name);
        (void)json_array_append_new(names, json_stringn(name.p, name.n));
    }
    return names;
}

static bool read_uses(const char *text, int64_t *out)
{
    *out = 0;
    if (text && (!slice_to_int64(slice_str(text), out) || *out < 1)) {
        say("--uses takes a number, 1 or more; not %s", text);
        return false;
    }
    return true;
}

static bool check_needed(const struct call *call)
{
    static const enum flag needed[] = {OPTION_FOR, OPTION_DURATION, OPTION_REASON, OPTION_TICKET};
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        if (!call_has(call, needed[i])) {
            say("an override needs --for, --duration, --reason and --ticket; --%s is missing",
                option_name(needed[i]));
            return false;
        }
    }
    return true;
}

static void tell(const struct call *call, const char *ns, const json_t *made)
{
    int64_t id = 0;
    const char *end = json_get_string(made, "end"), *state = json_get_string(made, "state");
    (void)json_get_int(made, "id", &id);
    output_object(call, made, columns);
    if (call_has(call, OPTION_JSON) || call_has(call, OPTION_QUIET)) {
        return;
    }
    if (state && strcmp(state, "waiting") == 0) {
        say("override %lld acts when a second person has approved it: bond override approve %s %lld",
            (long long)id, ns, (long long)id);
    } else {
        say("override %lld ends at %s, or before with: bond override end %s %lld", (long long)id,
            end ? end : "-", ns, (long long)id);
    }
}

static enum outcome create(const struct call *call)
{
    auto_buf struct buf repo = {0}, path = {0};
    auto_json json_t *body = NULL, *answer = NULL;
    const char *digest = NULL;
    int64_t uses = 0;
    if (!check_pinned(call, call->args[0], &repo, &digest) || !check_needed(call) ||
        !read_uses(call->value[OPTION_USES], &uses)) {
        return OUTCOME_USAGE;
    }
    body = json_pack(
        "{s:s, s:s, s:o, s:s, s:s, s:s, s:s, s:I}", "repository", repo.p, "digest", digest,
        "identities", identities_of(call->value[OPTION_FOR]), "reason", call->value[OPTION_REASON],
        "ticket", call->value[OPTION_TICKET], "duration", call->value[OPTION_DURATION], "start",
        call_has(call, OPTION_START) ? call->value[OPTION_START] : "", "uses", (json_int_t)uses);
    if (!body) {
        say("the reason, the ticket or a name is not UTF-8 text; type it again");
        return OUTCOME_USAGE;
    }
    struct slice ns = slice_first(buf_slice_of(&repo), strcspn(repo.p, "/"));
    auto_free char *ns_text = xstrndup(ns.p, ns.n);
    overrides_path(&path, ns_text, NULL, "");
    enum outcome outcome = api(call, "POST", path.p, body, &answer);
    if (outcome == OUTCOME_OK) {
        tell(call, ns_text, answer);
        output_warning(answer);
    }
    return outcome;
}

/* --- approve, end ----------------------------------------------------------------------------- */

static enum outcome change(const struct call *call, const char *method, const struct buf *path)
{
    auto_json json_t *answer = NULL;
    enum outcome outcome = api(call, method, path->p, NULL, &answer);
    if (outcome == OUTCOME_OK) {
        output_object(call, answer, columns);
        output_warning(answer);
    }
    return outcome;
}

static enum outcome approve(const struct call *call)
{
    auto_buf struct buf path = {0};
    if (!check_namespace(call->args[0])) {
        return OUTCOME_USAGE;
    }
    overrides_path(&path, call->args[0], call->args[1], "/approve");
    return change(call, "POST", &path);
}

static enum outcome end(const struct call *call)
{
    auto_buf struct buf path = {0};
    if (!check_namespace(call->args[0])) {
        return OUTCOME_USAGE;
    }
    overrides_path(&path, call->args[0], call->args[1], "");
    if (call_has(call, OPTION_REASON)) {
        client_query(&path, "reason", call->value[OPTION_REASON]);
    }
    return change(call, "DELETE", &path);
}

const struct command override_commands[] = {
    {"override list",
     "NS",
     1,
     1,
     true,
     {OPTION_NONE},
     "List the overrides of a namespace, newest first, with who, why and until when.",
     list},
    {"override create",
     "NS/REPO@DIGEST",
     1,
     1,
     false,
     {OPTION_FOR, OPTION_DURATION, OPTION_REASON, OPTION_TICKET, OPTION_START, OPTION_USES},
     "Break glass: let named identities pull one digest for a time.",
     create},
    {"override approve",
     "NS ID",
     2,
     2,
     true,
     {OPTION_NONE},
     "Approve an override that waits for a second person.",
     approve},
    {"override end", "NS ID", 2, 2, true, {OPTION_REASON}, "End an override before its time.", end},
    {.name = NULL},
};
