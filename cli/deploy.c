/* bond deploy check: would this be deployed? The verdicts are the server's; here they become lines
 * and one exit status. No answer is never taken for a yes. */
#include "base/json.h"
#include "cli/check.h"
#include "cli/client.h"
#include "cli/document.h"
#include "cli/output.h"
#include "cli/say.h"

#include <stdio.h>
#include <unistd.h>

/* What --strict refuses although it is served. */
static const char *const lenient_reasons[] = {"would_deny", "override", "superseded",
                                              "served_signed"};

/* The verdict on one image; outcomes from the one that decides the exit status least to the one
 * that decides most. */
static int weight(enum outcome outcome)
{
    static const enum outcome order[] = {OUTCOME_OK,     OUTCOME_NOT_FOUND, OUTCOME_USAGE,
                                         OUTCOME_FAILED, OUTCOME_SIGN_IN,   OUTCOME_NOT_PERMITTED,
                                         OUTCOME_REFUSED};

    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        if (order[i] == outcome) {
            return (int)i;
        }
    }
    return 3; /* as OUTCOME_FAILED */
}

static bool is_lenient(const char *reason)
{
    for (size_t i = 0; i < sizeof(lenient_reasons) / sizeof(lenient_reasons[0]); i++) {
        if (reason && strcmp(reason, lenient_reasons[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Zero and anything unexpected is no permission. */
static enum outcome verdict_outcome(const struct call *call, const json_t *verdict)
{
    const char *reason = json_get_string(verdict, "reason");
    const char *effect = json_get_string(verdict, "effect");
    bool allowed;

    if (!json_get_bool(verdict, "allowed", &allowed)) {
        return OUTCOME_FAILED;
    }
    if (!allowed) {
        return reason && strcmp(reason, "indeterminate") == 0 ? OUTCOME_FAILED : OUTCOME_REFUSED;
    }
    bool lenient = is_lenient(reason) || !effect || strcmp(effect, "allow") != 0;
    return call_has(call, OPTION_STRICT) && lenient ? OUTCOME_REFUSED : OUTCOME_OK;
}

static void field(const char *text, char end)
{
    auto_free char *copy = xstrdup(text && *text ? text : "-");

    printf("%s", printable(copy));
    if (end == '\t' && isatty(STDOUT_FILENO)) {
        printf("  ");
    } else {
        putchar(end);
    }
}

static void verdict_print(const struct call *call, const char *image, const json_t *verdict,
                          enum outcome outcome)
{
    const char *digest = json_get_string(verdict, "digest");
    size_t i;
    json_t *step;
    bool ok;

    if (call_has(call, OPTION_QUIET)) {
        return;
    }
    digest = digest ? digest : json_get_string(verdict, "registry_digest");
    field(outcome == OUTCOME_OK ? "allow" : "deny", '\t');
    field(image, '\t');
    field(digest, '\t');
    field(json_get_string(verdict, "reason"), '\t');
    field(json_get_string(verdict, "message"), '\n');
    if (!call_has(call, OPTION_EXPLAIN)) {
        return;
    }
    json_array_foreach(json_get_array(verdict, "explain"), i, step)
    {
        printf("  %-4s", json_get_bool(step, "ok", &ok) && ok ? "ok" : "NO");
        field(json_get_string(step, "step"), '\t');
        field(json_get_string(step, "text"), '\n');
    }
}

static const char *failure_message(const struct answer *answer)
{
    const char *message =
        answer->message ? answer->message : json_get_string(answer->json, "message");

    return message ? message : "the answer holds no verdict";
}

static json_t *failure_json(const char *image, const struct answer *answer)
{
    return json_pack("{s:s, s:b, s:n, s:{s:i, s:s}}", "image", image, "allowed", 0, "effect",
                     "error", "status", answer->status, "message", failure_message(answer));
}

/* Is an image of another server meant? On the control socket only the server knows its name: it takes
 * another one for a part of a malformed repository name. */
static bool is_elsewhere(const struct client *c, const char *image, enum outcome outcome)
{
    struct slice host = check_image_host(image);

    if (!host.n) {
        return false;
    }
    return client_host(c) ? !slice_is(host, client_host(c)) : outcome == OUTCOME_USAGE;
}

static enum outcome no_image(const struct client *c, const char *image, const struct answer *answer,
                             enum outcome outcome)
{
    if (is_elsewhere(c, image, outcome)) {
        say("%s: there is no such image here, and %s knows its own only; is the host right?", image,
            client_name(c));
        return OUTCOME_NOT_FOUND; /* the form was good */
    }
    say("%s: %s; `bond images list` and `bond images tags list NS/REPO` show what there is", image,
        answer->message);
    return outcome;
}

static enum outcome no_verdict(const struct client *c, const char *image,
                               const struct answer *answer)
{
    enum outcome outcome = answer_outcome(answer);

    switch (outcome) {
    case OUTCOME_SIGN_IN:
        return answer_report(c, answer);
    case OUTCOME_USAGE:
    case OUTCOME_NOT_FOUND:
        return no_image(c, image, answer, outcome);
    case OUTCOME_NOT_PERMITTED:
        say("%s: %s", image, answer->message);
        return outcome;
    case OUTCOME_OK: /* a success without a verdict is none */
    case OUTCOME_FAILED:
    case OUTCOME_REFUSED:
    case OUTCOME_CONFLICT:
    case OUTCOME_INTERRUPTED:
        break;
    }
    say("%s: %s (undecided: never take that for allowed)", image, failure_message(answer));
    return OUTCOME_FAILED;
}

/* What the exit status is when there is a verdict. One of a list may have none: then its effect says
 * why. */
static enum outcome result_outcome(const struct call *call, const json_t *result)
{
    static const struct {
        const char *effect;
        enum outcome outcome;
    } none[] = {{"unknown", OUTCOME_NOT_FOUND},
                {"invalid", OUTCOME_USAGE},
                {"indeterminate", OUTCOME_FAILED}};
    const char *effect = json_get_string(result, "effect");

    for (size_t i = 0; effect && i < sizeof(none) / sizeof(none[0]); i++) {
        if (strcmp(effect, none[i].effect) == 0) {
            return none[i].outcome;
        }
    }
    return verdict_outcome(call, result);
}

static void path_option(const struct call *call, enum flag option, const char *name,
                        struct buf *path)
{
    if (call_has(call, option)) {
        client_query(path, name, call->value[option]);
    }
}

/* One image: its verdict goes to `results`, its line to stdout. */
static enum outcome image_check(struct client *c, const struct call *call, const char *image,
                                json_t *results)
{
    auto_answer struct answer answer = {0};
    auto_buf struct buf path = {0};

    buf_str(&path, "/api/v1/deploy/verify");
    client_query(&path, "image", image);
    if (call_has(call, OPTION_EXPLAIN)) {
        client_query(&path, "explain", "1");
    }
    path_option(call, OPTION_AS, "as", &path);
    path_option(call, OPTION_PLATFORM, "platform", &path);
    path_option(call, OPTION_AT, "at", &path);
    client_request(c, "GET", path.p, NULL, &answer);

    enum outcome outcome =
        answer.status == 200 ? verdict_outcome(call, answer.json) : OUTCOME_FAILED;
    if (outcome == OUTCOME_FAILED) {
        (void)json_array_append_new(results, failure_json(image, &answer));
        return no_verdict(c, image, &answer);
    }
    if (!call_has(call, OPTION_JSON)) {
        verdict_print(call, image, answer.json, outcome);
    }
    (void)json_array_append(results, answer.json);
    return outcome;
}

static void results_print(const json_t *results)
{
    auto_json json_t *all = NULL;

    if (json_array_size(results) == 1) {
        output_json(json_array_get(results, 0));
        return;
    }
    all = json_pack("{s:O}", "results", results);
    output_json(all);
}

static enum outcome worse(enum outcome a, enum outcome b)
{
    return weight(a) > weight(b) ? a : b;
}

/* --- as if documents were published ----------------------------------------------------------- */

static json_t *published_question(const struct call *call, json_t *images, json_t *documents)
{
    json_t *body = json_pack("{s:O, s:o, s:b}", "images", images, "documents", documents, "explain",
                             (int)call_has(call, OPTION_EXPLAIN));
    if (call_has(call, OPTION_AS)) {
        (void)json_object_set_new(body, "as", json_string(call->value[OPTION_AS]));
    }
    if (call_has(call, OPTION_PLATFORM)) {
        (void)json_object_set_new(body, "platform", json_string(call->value[OPTION_PLATFORM]));
    }
    return body;
}

static enum outcome published_print(const struct call *call, const json_t *images,
                                    const json_t *answer)
{
    const json_t *results = json_get_array(answer, "results");
    enum outcome worst = OUTCOME_OK;

    if (json_array_size(results) != json_array_size(images)) {
        say("the answer holds no verdict (undecided: never take that for allowed)");
        return OUTCOME_FAILED;
    }
    for (size_t i = 0; i < json_array_size(results); i++) {
        const json_t *result = json_array_get(results, i);
        enum outcome outcome = result_outcome(call, result);
        worst = worse(worst, outcome);
        if (!call_has(call, OPTION_JSON)) {
            verdict_print(call, json_string_value(json_array_get(images, i)), result, outcome);
        }
    }
    return worst;
}

static enum outcome check_published(const struct call *call, json_t *images)
{
    json_t *documents = NULL;
    auto_json json_t *body = NULL;
    auto_json json_t *answer = NULL;

    if (call_has(call, OPTION_AT)) {
        say("--at and --if-published cannot be asked together");
        return OUTCOME_USAGE;
    }
    enum outcome outcome = documents_read(call->value[OPTION_IF_PUBLISHED], &documents);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    body = published_question(call, images, documents);
    outcome = api(call, "POST", "/api/v1/deploy/verify/if_published", body, &answer);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    if (call_has(call, OPTION_JSON)) {
        output_json(answer);
    }
    return published_print(call, images, answer);
}

/* --- the command ------------------------------------------------------------------------------ */

static enum outcome check(const struct call *call)
{
    auto_client struct client *c = client_open(call, NULL);
    auto_json json_t *images = json_array();
    auto_json json_t *results = json_array();
    enum outcome worst = OUTCOME_OK;
    size_t i;
    json_t *image;

    for (i = 0; i < call->n; i++) {
        auto_buf struct buf name = {0};
        if (!check_image(call, call->args[i], &name)) {
            return OUTCOME_USAGE;
        }
        (void)json_array_append_new(images, json_string(name.p));
    }
    if (!c) {
        return OUTCOME_USAGE;
    }
    if (call_has(call, OPTION_IF_PUBLISHED)) {
        return check_published(call, images);
    }
    json_array_foreach(images, i, image)
    {
        enum outcome outcome = image_check(c, call, json_string_value(image), results);
        worst = worse(worst, outcome);
        if (outcome == OUTCOME_SIGN_IN) {
            break; /* the rest would be answered alike */
        }
    }
    if (call_has(call, OPTION_JSON)) {
        results_print(results);
    }
    return worst;
}

const struct command deploy_commands[] = {
    {"deploy check",
     "IMAGE...",
     1,
     ARGS_MANY,
     false,
     {OPTION_EXPLAIN, OPTION_STRICT, OPTION_AS, OPTION_PLATFORM, OPTION_AT, OPTION_IF_PUBLISHED},
     "Ask the gate about images; exit status 6 when one is refused.",
     check},
    {.name = NULL},
};
