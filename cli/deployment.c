/* bond deploy SERVICE IMAGE, bond rollback: the server asks the gate and records the release; --pull and
 * --exec bring the image to where it runs. */
#include "base/json.h"
#include "cli/check.h"
#include "cli/child.h"
#include "cli/client.h"
#include "cli/output.h"
#include "cli/say.h"
#include "cli/service.h"

#include <stdio.h>

#define PLACE "{}" /* in an argument of --exec: the reference */

/* ---- after the server has recorded it ---- */

static bool engine_pull(const char *engine, const json_t *release)
{
    const char *pinned = json_get_string(release, "pinned");
    const char *image = json_get_string(release, "image");
    const char *const pull[] = {engine, "pull", "-q", pinned, NULL};
    const char *const tag[] = {engine, "tag", pinned, image, NULL};

    /* a digest without a tag: what was deployed so has no name to give */
    return child_run(pull, true) && (!image || child_run(tag, true));
}

static void replace_place(const char *arg, const char *pinned, struct buf *out)
{
    for (const char *at = strstr(arg, PLACE); at; at = strstr(arg, PLACE)) {
        buf_printf(out, "%.*s%s", (int)(at - arg), arg, pinned);
        arg = at + strlen(PLACE);
    }
    buf_str(out, arg);
}

/* CMD ARG… with the reference for each {}, or as the last argument when there is none. */
static bool exec_run(const struct call *call, const char *pinned)
{
    size_t n = call->n - call->command->min_args;
    const char *const *given = call->args + call->command->min_args;
    auto_free struct buf *texts = xcalloc(n + 1, sizeof(*texts));
    auto_free const char **argv = xcalloc(n + 3, sizeof(*argv));
    bool placed = false;

    argv[0] = call->value[OPTION_EXEC];
    for (size_t i = 0; i < n; i++) {
        placed = placed || strstr(given[i], PLACE);
        buf_str(&texts[i], "");
        replace_place(given[i], pinned, &texts[i]);
        argv[i + 1] = texts[i].p;
    }
    argv[n + 1] = placed ? NULL : pinned;
    bool ok = child_run(argv, false);
    for (size_t i = 0; i < n; i++) {
        buf_dispose(&texts[i]);
    }
    return ok;
}

static void exec_environment(const json_t *release)
{
    static const struct {
        const char *variable, *member;
    } names[] = {{"BOND_IMAGE", "pinned"}, {"BOND_DIGEST", "digest"}, {"BOND_SERVICE", "service"}};
    char number[24];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = json_get_string(release, names[i].member);
        (void)setenv(names[i].variable, value ? value : "", 1);
    }
    (void)snprintf(number, sizeof(number), "%lld",
                   (long long)json_integer_value(json_object_get(release, "release")));
    (void)setenv("BOND_RELEASE", number, 1);
}

static enum outcome bring(const struct call *call, const json_t *release)
{
    const char *engine = call->value[OPTION_PULL];
    const char *pinned = json_get_string(release, "pinned");

    if (engine && !engine_pull(engine, release)) {
        say("the release is recorded, but %s did not get the image", engine);
        return OUTCOME_FAILED;
    }
    if (call_has(call, OPTION_EXEC)) {
        exec_environment(release);
        if (!exec_run(call, pinned)) {
            say("the release is recorded, but the command failed");
            return OUTCOME_FAILED;
        }
    }
    return OUTCOME_OK;
}

/* ---- deploying ---- */

/* A refusal of the gate is told by its reason; whoever merely may not deploy gets none. */
static enum outcome deployment_outcome(const struct client *c, const struct answer *answer)
{
    const json_t *error = json_array_get(json_get_array(answer->json, "errors"), 0);
    bool refused = json_get_string(json_get_object(error, "detail"), "reason") != NULL;

    if (refused && (answer->status == 403 || answer->status == 404)) {
        say("%s", answer->message);
        return OUTCOME_REFUSED;
    }
    return answer_report(c, answer);
}

static void release_tell(const struct call *call, const json_t *release)
{
    const char *pinned = json_get_string(release, "pinned");
    const char *warning = json_get_string(release, "warning");

    if (warning) {
        say("%s", warning);
    }
    say("release %lld of %s is recorded",
        (long long)json_integer_value(json_object_get(release, "release")),
        json_get_string(release, "service"));
    if (call_has(call, OPTION_EXEC)) {
        return; /* what is on stdout is the command's */
    }
    if (call_has(call, OPTION_JSON)) {
        output_json(release);
    } else {
        printf("%s\n", pinned);
    }
}

/* Its names go to programs, so they are no more than names. */
static bool release_fits(const struct client *c, const char *asked, const json_t *release)
{
    const char *pinned = json_get_string(release, "pinned");

    if (!pinned || !json_get_string(release, "service")) {
        say("the answer of %s names no image", client_name(c));
        return false;
    }
    if (!check_released(asked, pinned, json_get_string(release, "image"))) {
        say("the answer of %s names another image than the one asked for: %s", client_name(c),
            pinned);
        return false;
    }
    return true;
}

/*   asked   the image; NULL when its name is the server's to know */
static enum outcome deployment_request(const struct call *call, const char *path, const char *asked,
                                       const json_t *body)
{
    auto_client struct client *c = client_open(call, NULL);
    auto_answer struct answer answer = {0};

    if (!c) {
        return OUTCOME_USAGE;
    }
    client_request(c, "POST", path, body, &answer);
    if (answer.status != 201) {
        enum outcome outcome = deployment_outcome(c, &answer);
        return outcome == OUTCOME_OK ? OUTCOME_FAILED : outcome;
    }
    if (!release_fits(c, asked, answer.json)) {
        return OUTCOME_FAILED;
    }
    release_tell(call, answer.json);
    return bring(call, answer.json);
}

/* What --pull and --exec are given, before anything is recorded. */
static bool options_fit(const struct call *call)
{
    static const char *const engines[] = {"docker", "podman", NULL};
    const char *command = call->value[OPTION_EXEC];

    if (call_has(call, OPTION_PULL) &&
        !check_word(OPTION_PULL, call->value[OPTION_PULL], engines)) {
        return false;
    }
    if (command && !*command) {
        say("--exec names a program; its arguments follow after --");
        return false;
    }
    if (!command && call->n > call->command->min_args) {
        say("arguments after -- are those of --exec CMD, which is not given");
        return false;
    }
    return true;
}

static enum outcome deploy(const struct call *call)
{
    auto_buf struct buf image = {0};

    if (!options_fit(call) || !check_image(call, call->args[1], &image)) {
        return OUTCOME_USAGE;
    }
    if (!check_image_says_which(call->args[1])) {
        say("%s: say which tag or digest is deployed, as in %s:v1", call->args[1], call->args[1]);
        return OUTCOME_USAGE;
    }
    auto_json json_t *body =
        with_notes(call, json_pack("{s:s, s:s}", "service", call->args[0], "image", image.p));
    return body ? deployment_request(call, DEPLOYMENTS, image.p, body) : OUTCOME_USAGE;
}

static enum outcome rollback(const struct call *call)
{
    auto_buf struct buf path = {0};
    int64_t number = 0;

    if (!options_fit(call) || !service_path(call, call->args[0], &path) ||
        !release_number(call->args[1], &number)) {
        return OUTCOME_USAGE;
    }
    buf_str(&path, "/rollback");
    auto_json json_t *body = with_notes(call, json_pack("{s:I}", "release", (json_int_t)number));
    return body ? deployment_request(call, path.p, NULL, body) : OUTCOME_USAGE;
}

const struct command deployment_commands[] = {
    {"deploy",
     "SERVICE IMAGE:TAG [-- ARG...]",
     2,
     ARGS_MANY,
     false,
     {OPTION_PULL, OPTION_EXEC, OPTION_NOTES},
     "Ask the gate, record the release of a service, print the pinned image.",
     deploy},
    {"rollback",
     "[NS/]SERVICE RELEASE [-- ARG...]",
     2,
     ARGS_MANY,
     false,
     {OPTION_PULL, OPTION_EXEC, OPTION_NOTES},
     "Release again what an earlier release was, if the gate still allows it.",
     rollback},
    {.name = NULL},
};
