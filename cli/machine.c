#include "cli/machine.h"

#include "cli/check.h"
#include "cli/client.h"
#include "cli/prompt.h"
#include "cli/say.h"

static void machine_path(struct buf *out, const char *ns, const char *kind, const char *name)
{
    buf_str(out, "/api/v1/namespaces/");
    client_segment(out, ns);
    buf_printf(out, "/%s", kind);
    if (name) {
        buf_char(out, '/');
        client_segment(out, name);
    }
}

enum outcome machine_list(const struct call *call, const char *kind, const struct column columns[])
{
    auto_json json_t *answer = NULL;
    auto_buf struct buf path = {0};

    if (!check_namespace(call->args[0])) {
        return OUTCOME_USAGE;
    }
    machine_path(&path, call->args[0], kind, NULL);
    enum outcome outcome = api(call, "GET", path.p, NULL, &answer);
    if (outcome == OUTCOME_OK) {
        output_list(call, answer, kind, columns);
    }
    return outcome;
}

enum outcome machine_create(const struct call *call, const char *kind, json_t *body)
{
    auto_json json_t *owned = body;
    auto_json json_t *answer = NULL;
    auto_buf struct buf path = {0};

    if (!body || !check_namespace(call->args[0])) {
        return OUTCOME_USAGE;
    }
    machine_path(&path, call->args[0], kind, NULL);
    enum outcome outcome = api(call, "POST", path.p, owned, &answer);
    if (outcome == OUTCOME_OK) {
        output_secret(call, answer);
    }
    return outcome;
}

/* `ns.k8s`, as the lists and `create` print it, and plain `k8s` are the same account. */
static const char *short_name(const char *ns, const char *typed)
{
    size_t n = strlen(ns);

    return strncmp(typed, ns, n) == 0 && typed[n] == '.' ? typed + n + 1 : typed;
}

enum outcome machine_rm(const struct call *call, const char *kind)
{
    const char *ns = call->args[0];
    auto_buf struct buf path = {0};
    auto_buf struct buf question = {0};

    if (!check_namespace(ns)) {
        return OUTCOME_USAGE;
    }
    const char *name = short_name(ns, call->args[1]);
    buf_printf(&question, "remove %s.%s, so that its secret stops working at once", ns, name);
    enum outcome outcome = prompt_confirm(call, question.p);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    machine_path(&path, ns, kind, name);
    outcome = api(call, "DELETE", path.p, NULL, NULL);
    if (outcome == OUTCOME_OK && !call_has(call, OPTION_QUIET)) {
        say("%s.%s is removed; its secret does not work any more", ns, name);
    }
    return outcome;
}
