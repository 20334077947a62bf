/* bond login, logout, whoami */
#include "base/json.h"
#include "cli/client.h"
#include "cli/output.h"
#include "cli/prompt.h"
#include "cli/remember.h"
#include "cli/say.h"

#include <sodium.h>

static enum outcome session_keep(const struct client *c, const json_t *answer)
{
    const char *user = json_get_string(answer, "user");
    const char *token = json_get_string(answer, "token");
    struct err err;

    if (!user || !token) {
        say("the answer of %s holds no session; is it a Bondstore server?", client_name(c));
        return OUTCOME_FAILED;
    }
    if (!remember_session_set(client_host(c), user, token, json_get_string(answer, "expires"),
                              &err) ||
        !remember_host(client_host(c), client_ca_file(c), &err)) {
        say("signed in, but the session could not be kept: %s", err.msg);
        return OUTCOME_FAILED;
    }
    say("%s is signed in to %s until %s", user, client_host(c), json_get_string(answer, "expires"));
    return OUTCOME_OK;
}

static enum outcome session_ask(const struct call *call, struct buf *user, struct buf *password)
{
    if (call_has(call, OPTION_USER)) {
        buf_str(user, call->value[OPTION_USER]);
    } else if (call_has(call, OPTION_PASSWORD_STDIN)) {
        say("whose password is it? give --user EMAIL");
        return OUTCOME_USAGE;
    } else {
        enum outcome outcome = prompt_line("e-mail", user);
        if (outcome != OUTCOME_OK) {
            return outcome;
        }
    }
    return prompt_secret(call, "password", password);
}

static enum outcome login(const struct call *call)
{
    auto_client struct client *c = NULL;
    auto_buf struct buf user = {0};
    auto_secret struct buf password = {0};
    auto_answer struct answer answer = {0};

    if (call_has(call, OPTION_SOCKET)) {
        say("the control socket needs no sign-in: root and the server's user are the administrator "
            "there");
        return OUTCOME_USAGE;
    }
    c = client_open(call, call->n ? call->args[0] : NULL);
    if (!c) {
        return OUTCOME_USAGE;
    }
    enum outcome outcome = session_ask(call, &user, &password);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    auto_json json_t *body = json_pack("{s:s, s:s}", "email", user.p, "password", password.p);
    if (!body) {
        say("the e-mail or the password is not UTF-8 text; type it again");
        return OUTCOME_USAGE;
    }
    client_be_anonymous(c);
    client_request(c, "POST", "/api/v1/sessions", body, &answer);
    if (answer.status == 401) {
        say("%s; nobody is signed in to %s", answer.message, client_host(c));
        return OUTCOME_SIGN_IN;
    }
    outcome = answer_report(c, &answer);
    return outcome == OUTCOME_OK ? session_keep(c, answer.json) : outcome;
}

static enum outcome logout(const struct call *call)
{
    auto_client struct client *c = client_open(call, call->n ? call->args[0] : NULL);
    auto_answer struct answer answer = {0};
    struct err err;

    if (!c) {
        return OUTCOME_USAGE;
    }
    if (!client_host(c) || client_has_own_token(c)) {
        say("there is no session to end: the control socket and BOND_TOKEN keep none");
        return OUTCOME_USAGE;
    }
    auto_secret_text char *session = remember_session(client_host(c));
    if (!session) {
        say("nobody is signed in to %s", client_host(c));
        return OUTCOME_OK;
    }
    client_request(c, "DELETE", "/api/v1/sessions/current", NULL, &answer);
    if (!remember_session_remove(client_host(c), &err)) {
        say("cannot remove the session file: %s", err.msg);
        return OUTCOME_FAILED;
    }
    if (answer.status != 401 && answer_outcome(&answer) != OUTCOME_OK) {
        say("the session is forgotten here, but %s was not told (%s); it ends there by itself",
            client_name(c), answer.message);
        return OUTCOME_FAILED;
    }
    say("signed out of %s", client_host(c));
    return OUTCOME_OK;
}

static enum outcome whoami(const struct call *call)
{
    static const struct column columns[] = {
        {"USER", "user"}, {"KIND", "kind"}, {"ADMIN", "admin"}, {NULL, NULL}};
    auto_json json_t *answer = NULL;

    enum outcome outcome = api(call, "GET", "/api/v1/whoami", NULL, &answer);
    if (outcome == OUTCOME_OK) {
        output_object(call, answer, columns);
    }
    return outcome;
}

const struct command session_commands[] = {
    {"login",
     "[HOST[:PORT]]",
     0,
     1,
     false,
     {OPTION_USER, OPTION_PASSWORD_STDIN},
     "Sign in; the session is kept in a file of yours.",
     login},
    {"logout",
     "[HOST[:PORT]]",
     0,
     1,
     false,
     {OPTION_NONE},
     "End the session, here and on the server.",
     logout},
    {"whoami", "", 0, 0, false, {OPTION_NONE}, "Show who the server thinks you are.", whoami},
    {.name = NULL},
};
