/* bond trust rename: what moves signatures to another host name (gate.md 11.4). The host is in every
 * root certificate, so only the holders of the keys can do it: this prints their commands. Nothing
 * of what is to be signed comes from the server: the clients list it, verified, before. */
#include "cli/rename.h"

#include "base/json.h"
#include "base/name.h"
#include "cli/client.h"
#include "cli/output.h"
#include "cli/say.h"
#include "trust/verify/notary_client.h"

#include <stdio.h>

#define RELEASED "{print $1, $3, $2}"

struct renaming {
    const char *from, *to; /* HOST[:PORT] */
    const char *repo;      /* NS/REPO */
    struct buf file;       /* the list of what is signed there */
    json_t *steps;         /* [{"who", "commands": [...]}]; owned by the answer */
};

static json_t *begin_step(struct renaming *r, const char *who)
{
    json_t *commands = json_array();
    json_array_append_new(r->steps, json_pack("{s:s, s:o}", "who", who, "commands", commands));
    return commands;
}

static void add_command(json_t *commands, struct buf *text)
{
    json_array_append_new(commands, json_stringn(text->p, text->n));
    buf_clear(text);
}

/* Lists again what one role listed, and publishes it. */
static void add_role(const struct renaming *r, json_t *commands, const char *role)
{
    auto_buf struct buf text = {0};
    bool delegated = strcmp(role, "targets") != 0;
    buf_printf(&text, "awk '$4 == \"%s\" " RELEASED "' %s | while read -r tag size hash; do ", role,
               r->file.p);
    notary_client_write(r->to, &text);
    buf_printf(&text, " addhash %s/%s \"$tag\" \"$size\" --sha256 \"$hash\"%s%s </dev/null; done",
               r->to, r->repo, delegated ? " --roles " : "", delegated ? role : "");
    add_command(commands, &text);
    notary_client_write(r->to, &text);
    buf_printf(&text, " publish %s/%s", r->to, r->repo);
    add_command(commands, &text);
}

static void list_before(struct renaming *r)
{
    auto_buf struct buf text = {0};
    json_t *commands = begin_step(r, "whoever holds the root key, while the server still has its "
                                     "old name; look through the list");
    notary_client_write(r->from, &text);
    buf_printf(&text, " list %s/%s > %s", r->from, r->repo, r->file.p);
    add_command(commands, &text);
}

/* A set of several root keys cannot be begun by one client's `init`; then the pin goes too. */
static void wipe_old(struct renaming *r, bool keep_pin)
{
    auto_buf struct buf text = {0};
    json_t *commands =
        begin_step(r, "the administrator, after canonical_host and aliases are changed");
    buf_printf(&text, "bond trust wipe %s%s --confirm %s --reason 'renamed from %s'", r->repo,
               keep_pin ? " --keep-pin" : "", r->repo, r->from);
    add_command(commands, &text);
}

static void begin_new(struct renaming *r, const json_t *roles)
{
    auto_buf struct buf text = {0};
    json_t *commands = begin_step(r, "whoever holds the root key; a ROLE.crt is the certificate or "
                                     "public key of that role's signer");
    size_t i;
    const json_t *role;
    notary_client_write(r->to, &text);
    buf_printf(&text, " init -p %s/%s", r->to, r->repo);
    add_command(commands, &text);
    notary_client_write(r->to, &text);
    buf_printf(&text, " key rotate %s/%s snapshot -r", r->to, r->repo);
    add_command(commands, &text);
    json_array_foreach(roles, i, role)
    {
        const char *name = json_string_value(json_object_get(role, "name"));
        if (name && strcmp(name, "targets") != 0) {
            const char *last = strrchr(name, '/');
            notary_client_write(r->to, &text);
            buf_printf(&text, " delegation add -p %s/%s %s %s.crt --all-paths", r->to, r->repo,
                       name, last ? last + 1 : name);
            add_command(commands, &text);
        }
    }
    add_role(r, commands, "targets");
}

static void sign_again(struct renaming *r, const json_t *roles)
{
    size_t i;
    const json_t *role;
    json_array_foreach(roles, i, role)
    {
        const char *name = json_string_value(json_object_get(role, "name"));
        if (name && strcmp(name, "targets") != 0) {
            add_role(r, begin_step(r, "whoever signs as the delegated role, with the same list"),
                     name);
        }
    }
}

static void name_file(struct renaming *r)
{
    buf_str(&r->file, r->repo);
    for (size_t i = 0; i < r->file.n; i++) {
        r->file.p[i] = r->file.p[i] == '/' ? '_' : r->file.p[i];
    }
    buf_str(&r->file, ".list");
}

static json_t *plan(const struct renaming *whole, const json_t *status)
{
    auto_buf struct buf old = {0}, new = {0};
    const json_t *roles = json_get_array(status, "roles");
    struct renaming r = *whole;
    r.repo = json_string_value(json_object_get(status, "repository"));
    r.steps = json_array();
    name_file(&r);
    list_before(&r);
    wipe_old(&r, json_array_size(json_get_array(status, "root_keys")) == 1);
    begin_new(&r, roles);
    sign_again(&r, roles);
    buf_printf(&old, "%s/%s", r.from, r.repo);
    buf_printf(&new, "%s/%s", r.to, r.repo);
    buf_dispose(&r.file);
    return json_pack("{s:s, s:s, s:o}", "gun", old.p, "new_gun", new.p, "steps", r.steps);
}

/* Everything of a server's answer that a shell would read is a checked name. */
static bool is_plain(const json_t *status)
{
    struct repo_name repo;
    size_t i;
    const json_t *role;
    json_array_foreach(json_get_array(status, "roles"), i, role)
    {
        struct slice name = json_get_slice(role, "name");
        static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-/";
        if (name.n == 0 || strspn(name.p, letters) != name.n) {
            return false;
        }
    }
    return repo_name_parse(json_get_slice(status, "repository"), &repo, NULL);
}

/* Whether the host of the GUN is this one. */
static bool is_under(const json_t *status, const char *host)
{
    struct slice gun = json_get_slice(status, "gun");
    return slice_starts(gun, host) && gun.n > strlen(host) && gun.p[strlen(host)] == '/';
}

static bool make_plans(const struct renaming *r, const json_t *answer, json_t *plans)
{
    size_t i;
    const json_t *status;
    json_array_foreach(json_get_array(answer, "repositories"), i, status)
    {
        if (!is_plain(status)) {
            say("the server's answer cannot be understood");
            return false;
        }
        if (!is_under(status, r->from)) {
            say("the server signs %s, which is not under %s; give its canonical host as OLDHOST, "
                "before it is changed",
                json_string_value(json_object_get(status, "gun")), r->from);
            return false;
        }
        if (slice_is(json_get_slice(status, "state"), "ok")) {
            json_array_append_new(plans, plan(r, status));
        }
    }
    return true;
}

static void print_steps(const json_t *steps)
{
    size_t i, k;
    const json_t *step;
    const json_t *command;
    json_array_foreach(steps, i, step)
    {
        (void)printf("# %s:\n", json_string_value(json_object_get(step, "who")));
        json_array_foreach(json_get_array(step, "commands"), k, command)
        {
            (void)printf("%s\n", json_string_value(command));
        }
    }
}

static void print_plans(const struct renaming *r, const json_t *plans)
{
    size_t i;
    const json_t *one;
    (void)printf("# In bondstore.yaml, when every list below is taken; then restart the server:\n"
                 "#   canonical_host: %s\n#   aliases: [\"%s\"]\n",
                 r->to, r->from);
    json_array_foreach(plans, i, one)
    {
        (void)printf("\n# %s\n", json_string_value(json_object_get(one, "gun")));
        print_steps(json_get_array(one, "steps"));
    }
}

/* The server lists so many repositories at most. */
static void tell_of_more(const json_t *answer)
{
    if (json_array_size(json_get_array(answer, "repositories")) >= 1000) {
        say("only the first 1,000 repositories were looked at; go on namespace by namespace with "
            "-E NS");
    }
}

static bool check_host(const char *text)
{
    if (host_is_valid(slice_str(text))) {
        return true;
    }
    say("%s is not HOST or HOST:PORT in lower case", text);
    return false;
}

enum outcome trust_rename(const struct call *call)
{
    auto_json json_t *answer = NULL;
    auto_json json_t *out = NULL;
    auto_buf struct buf path = {0};
    const char *namespace_ = call->value[OPTION_NAMESPACE];
    const struct renaming r = {.from = call->args[0], .to = call->args[1]};
    if (!check_host(r.from) || !check_host(r.to)) {
        return OUTCOME_USAGE;
    }
    if (strcmp(r.from, r.to) == 0) {
        say("the old and the new host are the same; nothing has to be done");
        return OUTCOME_USAGE;
    }
    buf_str(&path, "/api/v1/trust/status");
    if (namespace_) {
        client_query(&path, "scope", namespace_);
    }
    enum outcome outcome = api(call, "GET", path.p, NULL, &answer);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    json_t *plans = json_array();
    out = json_pack("{s:s, s:s, s:o}", "from", r.from, "to", r.to, "repositories", plans);
    if (!make_plans(&r, answer, plans)) {
        return OUTCOME_FAILED;
    }
    tell_of_more(answer);
    if (call_has(call, OPTION_JSON)) {
        output_json(out);
    } else if (json_array_size(plans) == 0) {
        say("nothing is signed here; only canonical_host has to be changed");
    } else {
        print_plans(&r, plans);
    }
    return OUTCOME_OK;
}
