/* bond trust roots, keys revoke, keys revoked, role reset */
#include "base/json.h"
#include "cli/check.h"
#include "cli/client.h"
#include "cli/output.h"
#include "cli/say.h"

#include <string.h>

/* "sha256:…", which may be left out; false after a sentence. */
static bool key_text(const char *typed, struct buf *out)
{
    struct slice hex = slice_str(typed);
    if (slice_starts(hex, "sha256:")) {
        hex = slice_from(hex, strlen("sha256:"));
    }
    if (hex.n != 64 || strspn(hex.p, "0123456789abcdef") != 64) {
        say("%s is no root key: it is sha256: and the 64 hexadecimal digits that a refused publish "
            "names, or `bond trust status --json` lists",
            typed);
        return false;
    }
    buf_printf(out, "sha256:%s", hex.p);
    return true;
}

static void roots_path(struct buf *out, const char *ns)
{
    buf_str(out, "/api/v1/namespaces/");
    client_segment(out, ns);
    buf_str(out, "/roots");
}

/* --- the set of a namespace ------------------------------------------------------------------- */

static enum outcome roots_list(const struct call *call)
{
    static const struct column columns[] = {{"KEY", "key"},
                                            {"ADDED", "added"},
                                            {"BY", "added_by"},
                                            {"REVOKED", "revoked"},
                                            {NULL, NULL}};
    auto_json json_t *answer = NULL;
    auto_buf struct buf path = {0};

    if (!check_namespace(call->args[0])) {
        return OUTCOME_USAGE;
    }
    roots_path(&path, call->args[0]);
    enum outcome outcome = api(call, "GET", path.p, NULL, &answer);
    if (outcome == OUTCOME_OK) {
        output_list(call, answer, "roots", columns);
    }
    return outcome;
}

static enum outcome roots_add(const struct call *call)
{
    auto_buf struct buf path = {0}, key = {0};

    if (!check_namespace(call->args[0]) || !key_text(call->args[1], &key)) {
        return OUTCOME_USAGE;
    }
    auto_json json_t *body = json_pack("{s:s}", "key", key.p);
    roots_path(&path, call->args[0]);
    enum outcome outcome = api(call, "POST", path.p, body, NULL);
    if (outcome == OUTCOME_OK && !call_has(call, OPTION_QUIET)) {
        say("repositories of %s may begin with this root key from now on; publish again",
            call->args[0]);
    }
    return outcome;
}

static enum outcome roots_rm(const struct call *call)
{
    auto_buf struct buf path = {0}, key = {0};

    if (!check_namespace(call->args[0]) || !key_text(call->args[1], &key)) {
        return OUTCOME_USAGE;
    }
    roots_path(&path, call->args[0]);
    buf_char(&path, '/');
    client_segment(&path, key.p);
    enum outcome outcome = api(call, "DELETE", path.p, NULL, NULL);
    if (outcome == OUTCOME_OK && !call_has(call, OPTION_QUIET)) {
        say("no further repository of %s may begin with this root key; those that did go on, and "
            "`bond trust keys revoke` ends them",
            call->args[0]);
    }
    return outcome;
}

/* --- revoked keys ----------------------------------------------------------------------------- */

static void revoke_tell(const json_t *answer)
{
    const json_t *affected = json_get_array(answer, "affected");
    size_t i;
    json_t *name;
    say("the key is revoked, for ever");
    if (json_array_size(affected) == 0) {
        say("no repository needs it");
        return;
    }
    say("these repositories need it and are refused to deployers until a root without it is "
        "published, signed by the other root keys, or until they are wiped (`bond trust wipe`) and "
        "signed afresh:");
    json_array_foreach(affected, i, name)
    {
        printf("%s\n", json_is_string(name) ? json_string_value(name) : "-");
    }
    if (json_is_true(json_object_get(answer, "more"))) {
        say("and others: `bond trust status` lists all");
    }
}

static enum outcome keys_revoke(const struct call *call)
{
    auto_json json_t *answer = NULL;
    auto_buf struct buf key = {0};
    const char *reason = call->value[OPTION_REASON];

    if (!key_text(call->args[0], &key)) {
        return OUTCOME_USAGE;
    }
    if (!reason || !*reason) {
        say("say why with --reason TEXT: it cannot be undone, and others will read it");
        return OUTCOME_USAGE;
    }
    auto_json json_t *body = json_pack("{s:s, s:s}", "key", key.p, "reason", reason);
    if (!body) {
        say("the reason is not UTF-8 text; type it again");
        return OUTCOME_USAGE;
    }
    enum outcome outcome = api(call, "POST", "/api/v1/trust/revoked-keys", body, &answer);
    if (outcome == OUTCOME_OK && call_has(call, OPTION_JSON)) {
        output_json(answer);
    } else if (outcome == OUTCOME_OK) {
        revoke_tell(answer);
        output_warning(answer);
    }
    return outcome;
}

static enum outcome keys_revoked(const struct call *call)
{
    static const struct column columns[] = {{"KEY", "key"},
                                            {"REVOKED", "revoked"},
                                            {"BY", "revoked_by"},
                                            {"REASON", "reason"},
                                            {NULL, NULL}};
    auto_json json_t *answer = NULL;

    enum outcome outcome = api(call, "GET", "/api/v1/trust/revoked-keys", NULL, &answer);
    if (outcome == OUTCOME_OK) {
        output_list(call, answer, "keys", columns);
    }
    return outcome;
}

/* --- a role that begins anew ------------------------------------------------------------------ */

static enum outcome role_reset(const struct call *call)
{
    auto_buf struct buf repo = {0};
    const char *reason = call->value[OPTION_REASON];

    if (!check_repository(call, call->args[0], &repo)) {
        return OUTCOME_USAGE;
    }
    auto_json json_t *body = json_pack("{s:s, s:s, s:s}", "scope", repo.p, "role", call->args[1],
                                       "reason", reason ? reason : "");
    if (!body) {
        say("the role and the reason are UTF-8 text; type them again");
        return OUTCOME_USAGE;
    }
    enum outcome outcome = api(call, "POST", "/api/v1/trust/reset", body, NULL);
    if (outcome == OUTCOME_OK && !call_has(call, OPTION_QUIET)) {
        say("the next publish of %s whose root gives %s new keys may begin its versions anew; "
            "machines that remember the old ones must then forget them: rm -rf "
            "~/.docker/trust/tuf/HOST/%s/metadata ~/.notary/tuf/HOST/%s/metadata",
            repo.p, call->args[1], repo.p, repo.p);
    }
    return outcome;
}

const struct command roots_commands[] = {
    {"trust roots list",
     "NS",
     1,
     1,
     true,
     {OPTION_NONE},
     "Show the root keys with which repositories of a namespace may begin.",
     roots_list},
    {"trust roots add",
     "NS KEY",
     2,
     2,
     true,
     {OPTION_NONE},
     "Let repositories of a namespace begin with this root key.",
     roots_add},
    {"trust roots rm",
     "NS KEY",
     2,
     2,
     true,
     {OPTION_NONE},
     "Let no further repository of a namespace begin with this root key.",
     roots_rm},
    {"trust keys revoke",
     "KEY",
     1,
     1,
     false,
     {OPTION_REASON},
     "Let no root count that needs this key, on the whole server and for ever.",
     keys_revoke},
    {"trust keys revoked",
     "",
     0,
     0,
     false,
     {OPTION_NONE},
     "Show the root keys that are revoked.",
     keys_revoked},
    {"trust role reset",
     "NS/REPO ROLE",
     2,
     2,
     false,
     {OPTION_REASON},
     "Let targets, snapshot or timestamp begin anew at version 1, once the root gives it new keys.",
     role_reset},
    {.name = NULL},
};
