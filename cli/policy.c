/* bond policy list, get, set, rm, explain, plan */
#include "base/json.h"
#include "cli/check.h"
#include "cli/client.h"
#include "cli/document.h"
#include "cli/output.h"
#include "cli/say.h"

static void policy_path(struct buf *out, const char *scope)
{
    buf_str(out, "/api/v1/policy");
    client_query(out, "scope", scope);
}

static enum outcome list(const struct call *call)
{
    static const struct column columns[] = {{"SCOPE", "scope"}, {"LEVEL", "level"}, {NULL, NULL}};
    auto_json json_t *answer = NULL;
    size_t i;
    json_t *row;

    enum outcome outcome = api(call, "GET", "/api/v1/policies", NULL, &answer);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    if (call_has(call, OPTION_JSON)) {
        output_json(answer);
        return OUTCOME_OK;
    }
    json_array_foreach(json_get_array(answer, "policies"), i, row)
    {
        (void)json_object_set(row, "level",
                              json_object_get(json_object_get(row, "policy"), "level"));
    }
    output_list(call, answer, "policies", columns);
    return OUTCOME_OK;
}

/* A policy is a document, so it is printed as one in any case; with -q its level alone. */
static enum outcome get(const struct call *call)
{
    const char *scope = call->n ? call->args[0] : call->value[OPTION_NAMESPACE];
    auto_json json_t *answer = NULL;
    auto_buf struct buf path = {0};

    scope = scope ? scope : "*";
    if (!check_policy_scope(scope)) {
        return OUTCOME_USAGE;
    }
    policy_path(&path, scope);
    enum outcome outcome = api(call, "GET", path.p, NULL, &answer);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    if (call_has(call, OPTION_QUIET)) {
        const char *level = json_get_string(json_get_object(answer, "policy"), "level");
        printf("%s\n", level ? level : "-");
        return OUTCOME_OK;
    }
    output_json(answer);
    return OUTCOME_OK;
}

static enum outcome policy_file(const char *name, json_t **out)
{
    enum outcome outcome = document_read(name, out);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    /* the whole answer of `bond policy get` is taken as well */
    json_t *inner = json_get_object(*out, "policy");
    if (inner) {
        json_incref(inner);
        json_decref(*out);
        *out = inner;
    }
    return OUTCOME_OK;
}

/* What the options change, as members of a policy. */
static enum outcome changes_wanted(const struct call *call, json_t *out)
{
    static const char *const levels[] = {"off", "warn", "deploy", "all", "lock", NULL};
    const char *level = call->value[OPTION_LEVEL], *file = call->value[OPTION_ALLOW_ROOT_CA];
    json_t *list = NULL;

    if (level && !check_word(OPTION_LEVEL, level, levels)) {
        return OUTCOME_USAGE;
    }
    if (level) {
        (void)json_object_set_new(out, "level", json_string(level));
    }
    if (!file) {
        return OUTCOME_OK;
    }
    enum outcome outcome = OUTCOME_OK;
    if (strcmp(file, "none") == 0) {
        list = json_array();
    } else {
        outcome = certificates_read(file, &list);
    }
    (void)json_object_set_new(out, "allow_root_ca", list);
    return outcome;
}

/* Changes these members alone: everything else stays as it applies to this scope now, own policy or
 * inherited one, so that a stricter setting is never lost by raising or lowering the level. */
static enum outcome policy_changed(const struct call *call, const char *scope, json_t **out)
{
    auto_json json_t *changes = json_object();
    auto_json json_t *answer = NULL;
    auto_buf struct buf path = {0};

    if (changes_wanted(call, changes) != OUTCOME_OK) {
        return OUTCOME_USAGE;
    }
    policy_path(&path, scope);
    enum outcome outcome = api(call, "GET", path.p, NULL, &answer);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    json_t *policy = json_get_object(answer, "policy");
    *out = policy ? json_incref(policy) : json_object();
    (void)json_object_update(*out, changes);
    return OUTCOME_OK;
}

/* The policy that the options ask for; the scope is checked too. */
static enum outcome policy_wanted(const struct call *call, const char *scope, json_t **out)
{
    bool changes = call_has(call, OPTION_LEVEL) || call_has(call, OPTION_ALLOW_ROOT_CA);
    if (changes == call_has(call, OPTION_FILE)) {
        say("give either --level LEVEL or --allow-root-ca FILE, or the whole policy with --file FILE");
        return OUTCOME_USAGE;
    }
    if (!check_policy_scope(scope)) {
        return OUTCOME_USAGE;
    }
    return call_has(call, OPTION_FILE) ? policy_file(call->value[OPTION_FILE], out)
                                       : policy_changed(call, scope, out);
}

static enum outcome set(const struct call *call)
{
    const char *scope = call->args[0];
    auto_json json_t *policy = NULL;
    auto_json json_t *answer = NULL;
    auto_buf struct buf path = {0};

    enum outcome outcome = policy_wanted(call, scope, &policy);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    policy_path(&path, scope);
    outcome = api(call, "PUT", path.p, policy, &answer);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    if (call_has(call, OPTION_JSON) && answer) {
        output_json(answer);
    } else if (!call_has(call, OPTION_QUIET)) {
        const char *level = json_get_string(policy, "level");
        say("the policy of %s is stored, level %s", scope, level ? level : "deploy");
    }
    return OUTCOME_OK;
}

static enum outcome rm(const struct call *call)
{
    const char *scope = call->args[0];
    auto_json json_t *answer = NULL;
    auto_buf struct buf path = {0};

    if (!check_policy_scope(scope)) {
        return OUTCOME_USAGE;
    }
    policy_path(&path, scope);
    enum outcome outcome = api(call, "DELETE", path.p, NULL, &answer);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    if (call_has(call, OPTION_JSON) && answer) {
        output_json(answer);
    } else if (!call_has(call, OPTION_QUIET)) {
        const char *next = json_get_string(answer, "effective_scope");
        const char *level = json_get_string(json_get_object(answer, "policy"), "level");
        say("%s has no policy of its own any more: that of %s applies, level %s", scope,
            next ? next : "*", level ? level : "-");
    }
    return OUTCOME_OK;
}

/* --- which policy applies ----------------------------------------------------------------------- */

/* NS/REPO[:TAG] as the server takes it; check_image would add a tag. */
static bool check_explained(const struct call *call, struct buf *out)
{
    auto_buf struct buf with_tag = {0};
    const char *text = call->args[0];
    const char *slash = strrchr(text, '/');
    if (strchr(text, '@')) {
        say("%s: a policy is about repositories and tags, leave the digest away", text);
        return false;
    }
    if (!check_image(call, text, &with_tag)) {
        return false;
    }
    bool tagged = strchr(slash ? slash : text, ':') != NULL;
    buf_slice(out,
              slice_first(buf_slice_of(&with_tag), with_tag.n - (tagged ? 0 : strlen(":latest"))));
    return true;
}

static enum outcome explain(const struct call *call)
{
    auto_json json_t *answer = NULL;
    auto_buf struct buf image = {0}, path = {0};
    size_t i;
    json_t *step;
    bool ok;

    if (!check_explained(call, &image)) {
        return OUTCOME_USAGE;
    }
    buf_str(&path, "/api/v1/policy/explain");
    client_query(&path, "image", image.p);
    enum outcome outcome = api(call, "GET", path.p, NULL, &answer);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    if (call_has(call, OPTION_JSON)) {
        output_json(answer);
        return OUTCOME_OK;
    }
    const char *scope = json_get_string(answer, "scope");
    output_text(scope ? scope : "-");
    json_array_foreach(json_get_array(answer, "explain"), i, step)
    {
        auto_buf struct buf line = {0};
        const char *name = json_get_string(step, "step"), *text = json_get_string(step, "text");
        buf_printf(&line, "  %-4s%-12s%s", json_get_bool(step, "ok", &ok) && ok ? "ok" : "-",
                   name ? name : "-", text ? text : "-");
        if (!call_has(call, OPTION_QUIET)) {
            output_text(line.p);
        }
    }
    return OUTCOME_OK;
}

/* --- what a changed policy would refuse ------------------------------------------------------- */

static const struct column plan_columns[] = {
    {"IMAGE", "image"},   {"FOR", "for"},         {"NOW", "now"}, {"THEN", "reason"},
    {"SERVICES", "services"}, {"PULLED", "pulled"}, {"MESSAGE", "message"}, {NULL, NULL}};

static void plan_path(const struct call *call, const char *last, struct buf *path)
{
    buf_str(path, "/api/v1/policy/plan");
    client_query(path, "scope", call->args[0]);
    if (call_has(call, OPTION_SINCE)) {
        client_query(path, "since", call->value[OPTION_SINCE]);
    }
    if (call_has(call, OPTION_REMOVE)) {
        client_query(path, "remove", "1");
    }
    if (last[0]) {
        client_query(path, "last", last);
    }
}

/* All pages, into one list. A page that says the same place again would never end. */
static enum outcome plan_all(const struct call *call, const json_t *policy, json_t *refused,
                             json_t *roots)
{
    auto_buf struct buf last = {0};
    bool more = true;

    buf_str(&last, "");
    while (more) {
        auto_json json_t *answer = NULL;
        auto_buf struct buf path = {0};
        plan_path(call, last.p, &path);
        enum outcome outcome = api(call, "POST", path.p, policy, &answer);
        if (outcome != OUTCOME_OK) {
            return outcome;
        }
        (void)json_array_extend(refused, json_get_array(answer, "refused"));
        (void)json_array_extend(roots, json_get_array(answer, "roots"));
        const char *next = json_get_string(answer, "next");
        more = next && strcmp(next, last.p) != 0;
        buf_clear(&last);
        buf_str(&last, next ? next : "");
    }
    return OUTCOME_OK;
}

/* The changed policy; NULL for none. */
static enum outcome plan_wanted(const struct call *call, json_t **out)
{
    if (!call_has(call, OPTION_REMOVE)) {
        return policy_wanted(call, call->args[0], out);
    }
    if (call_has(call, OPTION_LEVEL) || call_has(call, OPTION_FILE) ||
        call_has(call, OPTION_ALLOW_ROOT_CA)) {
        say("--remove asks about no policy: leave --level, --allow-root-ca and --file away");
        return OUTCOME_USAGE;
    }
    return check_policy_scope(call->args[0]) ? OUTCOME_OK : OUTCOME_USAGE;
}

/* Repositories whose next root would be refused. Which of several keys the CAs lack is not told: the
 * refusal of the root will name it. */
static void say_roots(const json_t *roots)
{
    size_t i;
    json_t *row;
    json_array_foreach(roots, i, row)
    {
        const char *repo = json_get_string(row, "repository");
        const char *key =
            json_string_value(json_array_get(json_get_array(row, "root_keys"), 0));
        say("%s goes on as it is signed, but its next root would be refused: have the CA sign a "
            "certificate for its root keys, or list them in allow_roots (%s%s)",
            repo ? repo : "-", key ? key : "-",
            json_array_size(json_get_array(row, "root_keys")) > 1 ? ", ..." : "");
    }
}

static enum outcome plan(const struct call *call)
{
    auto_json json_t *policy = NULL;
    auto_json json_t *all =
        json_pack("{s:s, s:[], s:[]}", "scope", call->args[0], "refused", "roots");
    json_t *refused = json_get_array(all, "refused"), *roots = json_get_array(all, "roots");

    enum outcome outcome = plan_wanted(call, &policy);
    if (outcome == OUTCOME_OK) {
        outcome = plan_all(call, policy, refused, roots);
    }
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    output_list(call, all, "refused", plan_columns);
    say_roots(roots);
    if (json_array_size(refused) == 0 && json_array_size(roots) == 0) {
        say("nothing that is served now would be refused");
        return OUTCOME_OK;
    }
    say("%zu image%s served now would be refused; nothing is changed yet: `bond policy %s` does it",
        json_array_size(refused), json_array_size(refused) == 1 ? "" : "s",
        call_has(call, OPTION_REMOVE) ? "rm" : "set");
    return OUTCOME_REFUSED;
}

const struct command policy_commands[] = {
    {"policy list", "", 0, 0, false, {OPTION_NONE}, "List the policies you may see.", list},
    {"policy get",
     "[NS[/REPO|/PATTERN]]",
     0,
     1,
     false,
     {OPTION_NONE},
     "Show the policy that applies; without a scope the server's own.",
     get},
    {"policy set",
     "NS[/REPO|/PATTERN]",
     1,
     1,
     true,
     {OPTION_LEVEL, OPTION_ALLOW_ROOT_CA, OPTION_FILE},
     "Set the gate's level, the CAs of root keys, or the whole policy.",
     set},
    {"policy rm",
     "NS[/REPO|/PATTERN]",
     1,
     1,
     true,
     {OPTION_NONE},
     "Remove a scope's own policy: the next wider one applies.",
     rm},
    {"policy explain",
     "NS/REPO[:TAG]",
     1,
     1,
     false,
     {OPTION_NONE},
     "Show which policy applies, and why.",
     explain},
    {"policy plan",
     "NS[/REPO|/PATTERN]",
     1,
     1,
     true,
     {OPTION_LEVEL, OPTION_ALLOW_ROOT_CA, OPTION_FILE, OPTION_REMOVE, OPTION_SINCE},
     "Show what a changed policy, or one that is removed, would refuse; exit status 6 when it is anything.",
     plan},
    {.name = NULL},
};
