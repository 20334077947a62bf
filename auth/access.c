#include "auth/access.h"

#include "auth/grant.h"
#include "base/clock.h"
#include "storage/account.h"
#include "storage/repository.h"
#include "storage/tombstone.h"

#include <stdarg.h>
#include <stdio.h>

/* One row per action (rbac.md):
 *   needs      the lowest role that has it
 *   robot      robot_action bit by which a robot has it in its own namespace; 0 = never
 *   scope      what a bearer token must have been granted; 0 = no token reaches it
 *   write      a gated identity is told that it never writes
 *   created    an administrator's use of it may make the namespace (architecture.md 3) */
static const struct action_row {
    const char *verb;
    enum member_role needs;
    unsigned robot, scope;
    bool write, created;
} actions[ACTION_COUNT] = {
    [ACTION_PULL] = {"pull", MEMBER_READER, ROBOT_PULL, SCOPE_PULL, false, false},
    [ACTION_PUSH] = {"push", MEMBER_DEVELOPER, ROBOT_PUSH, SCOPE_PUSH, true, true},
    [ACTION_OVERWRITE] = {"moving a tag", MEMBER_DEVELOPER, ROBOT_PUSH, SCOPE_PUSH, true, false},
    [ACTION_DELETE] = {"delete", MEMBER_MAINTAINER, ROBOT_DELETE, SCOPE_DELETE, true, false},
    [ACTION_DELETE_REPOSITORY] = {"deleting a repository", MEMBER_MAINTAINER, 0, 0, true, false},
    [ACTION_SIGN] = {"signing", MEMBER_MAINTAINER, ROBOT_SIGN, SCOPE_PUSH, true, true},
    [ACTION_TRUST_ADMIN] = {"trust administration", MEMBER_MAINTAINER, 0, SCOPE_PUSH, true, true},
    [ACTION_ROTATE_KEYS] = {"rotating server keys", MEMBER_MAINTAINER, 0, SCOPE_ADMIN, true, false},
    [ACTION_WIPE] = {"wiping trust data", MEMBER_OWNER, 0, SCOPE_ALL, true, false},
    [ACTION_MEMBERS_READ] = {"listing members", MEMBER_READER, 0, 0, false, false},
    [ACTION_MEMBERS_SET] = {"changing members", MEMBER_MAINTAINER, 0, 0, true, false},
    [ACTION_ROBOTS] = {"managing robots and deployers", MEMBER_MAINTAINER, 0, 0, true, false},
    [ACTION_POLICY_READ] = {"reading policies", MEMBER_MAINTAINER, 0, 0, false, false},
    [ACTION_POLICY_SET] = {"changing policies", MEMBER_OWNER, 0, 0, true, false},
    [ACTION_AUDIT] = {"reading the audit log", MEMBER_MAINTAINER, 0, 0, false, false},
    [ACTION_DELETE_NAMESPACE] = {"deleting a namespace", MEMBER_OWNER, 0, 0, true, false},
    [ACTION_OVERRIDE] = {"overriding the gate", MEMBER_OWNER, 0, 0, true, false},
    [ACTION_DENY] = {"changing the deny list", MEMBER_OWNER, 0, 0, true, false},
    [ACTION_DEPLOY] = {"recording deployments", MEMBER_DEVELOPER, ROBOT_PUSH, 0, false, false},
    [ACTION_READ_UNSIGNED] = {"reading unsigned images", MEMBER_DEVELOPER, ROBOT_READ_UNSIGNED,
                              SCOPE_PULL, false, false},
};

/* All that a gated identity may do, whatever else is written about it. */
#define GATED_ACTIONS (ACTION_BIT(ACTION_PULL) | ACTION_BIT(ACTION_DEPLOY))

static unsigned permitted_by_role(const struct access_facts *facts)
{
    unsigned permitted = 0;
    for (int i = 0; i < ACTION_COUNT; i++) {
        permitted |= facts->role >= actions[i].needs ? ACTION_BIT(i) : 0;
    }
    if (facts->role >= MEMBER_DEVELOPER && facts->signer) {
        permitted |= ACTION_BIT(ACTION_SIGN);
    }
    return permitted;
}

static unsigned permitted_by_list(unsigned robot_actions)
{
    unsigned permitted = 0;
    for (int i = 0; i < ACTION_COUNT; i++) {
        permitted |= robot_actions & actions[i].robot ? ACTION_BIT(i) : 0;
    }
    return permitted;
}

/* Reading without a role: a public namespace for everybody, an internal one for every person signed
 * in. */
static bool reads_by_visibility(const struct identity *who, const struct access_facts *facts)
{
    switch (facts->visibility) {
    case VISIBILITY_PRIVATE:
        return false;
    case VISIBILITY_INTERNAL:
        return who->kind == IDENTITY_USER;
    case VISIBILITY_PUBLIC:
        return true;
    }
    return false;
}

unsigned access_permitted(const struct identity *who, const struct access_facts *facts)
{
    unsigned permitted = 0;
    if (who->administrator && !who->gated) {
        return ACTION_BIT(ACTION_COUNT) - 1; /* the namespace may be about to be made */
    }
    if (!facts->found) {
        return 0;
    }
    if (reads_by_visibility(who, facts)) {
        permitted |= ACTION_BIT(ACTION_PULL);
    }
    bool own_namespace = who->namespace_id == facts->namespace_id;
    switch (who->kind) {
    case IDENTITY_USER:
        permitted |= permitted_by_role(facts);
        break;
    case IDENTITY_ROBOT:
        permitted |= own_namespace ? permitted_by_list(who->robot_actions) : 0;
        break;
    case IDENTITY_DEPLOYER:
        permitted |= own_namespace ? GATED_ACTIONS : 0;
        break;
    case IDENTITY_ANONYMOUS:
    case IDENTITY_CONTROL:
        break;
    }
    return who->gated ? permitted & GATED_ACTIONS : permitted;
}

/* What of it is left when the proof is a token or a client's session. */
static bool proof_reaches(const struct identity *who, const struct repo_name *repo,
                          enum access_action action, bool trust_scope)
{
    unsigned scope = actions[action].scope;
    if (scope == 0) {
        return !who->registry_only;
    }
    if (who->grants == NULL) {
        return true;
    }
    return repo != NULL &&
           (grant_bits(who->grants, trust_scope ? SCOPE_TRUST : SCOPE_IMAGE, repo) & scope) != 0;
}

enum access_result access_decide(const struct identity *who, const struct access_facts *facts,
                                 const struct repo_name *repo, enum access_action action,
                                 bool trust_scope)
{
    enum access_result result = ACCESS_INVISIBLE;
    unsigned permitted = access_permitted(who, facts);
    if (who->gated && actions[action].write) {
        return ACCESS_NOT_WRITABLE;
    }
    if (!(permitted & ACTION_BIT(ACTION_PULL))) {
        return result;
    }
    result = ACCESS_INSUFFICIENT;
    if ((permitted & ACTION_BIT(action)) && proof_reaches(who, repo, action, trust_scope)) {
        result = ACCESS_ALLOWED;
    }
    return result;
}

unsigned access_scope_bits(unsigned permitted, enum scope_kind kind)
{
    static const struct {
        enum access_action action;
        unsigned bit;
    } image[] = {{ACTION_PULL, SCOPE_PULL},
                 {ACTION_PUSH, SCOPE_PUSH},
                 {ACTION_DELETE, SCOPE_DELETE}},
      trust[] = {{ACTION_PULL, SCOPE_PULL},
                 {ACTION_SIGN, SCOPE_PUSH},
                 {ACTION_ROTATE_KEYS, SCOPE_ADMIN},
                 {ACTION_WIPE, SCOPE_ALL}};
    const size_t image_n = sizeof(image) / sizeof(image[0]);
    const size_t trust_n = sizeof(trust) / sizeof(trust[0]);

    unsigned bits = 0;
    for (size_t i = 0; kind == SCOPE_IMAGE && i < image_n; i++) {
        bits |= permitted & ACTION_BIT(image[i].action) ? image[i].bit : 0;
    }
    for (size_t i = 0; kind == SCOPE_TRUST && i < trust_n; i++) {
        bits |= permitted & ACTION_BIT(trust[i].action) ? trust[i].bit : 0;
    }
    const unsigned every_image_right = SCOPE_PULL | SCOPE_PUSH | SCOPE_DELETE;
    return kind == SCOPE_IMAGE && bits == every_image_right ? bits | SCOPE_ALL : bits;
}

bool access_facts_load(struct db_tx *tx, const struct identity *who,
                       const struct namespace_name *name, struct access_facts *out, struct err *err)
{
    *out = (struct access_facts){0};
    struct namespace ns;
    struct err missing = {0};
    if (!namespace_get(tx, name, &ns, &missing)) {
        if (missing.code == ERR_NAMESPACE_UNKNOWN) {
            return true;
        }
        *err = missing;
        return false;
    }
    struct membership membership = {MEMBER_NONE, false};
    if (who->kind == IDENTITY_USER &&
        !membership_get(tx, ns.id, who->account_id, &membership, err)) {
        return false;
    }
    *out = (struct access_facts){
        .found = true,
        .namespace_id = ns.id,
        .incarnation = ns.incarnation,
        .visibility = ns.visibility,
        .role = membership.role,
        .signer = membership.signer,
    };
    return true;
}

static void say(struct access_answer *answer, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Header texts quote it: printable ASCII without quotation mark and backslash (RFC 6750 section 3).
 */
static void say(struct access_answer *answer, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(answer->sentence, sizeof(answer->sentence), fmt, args);
    va_end(args);
    for (char *c = answer->sentence; *c; c++) {
        if (*c < 0x20 || *c > 0x7E || *c == '"' || *c == '\\') {
            *c = '?';
        }
    }
}

static void say_invisible(struct access_answer *answer, const struct identity *who,
                          const char *what)
{
    if (who->kind == IDENTITY_ANONYMOUS) {
        say(answer, "sign in first: %s does not exist or is not public", what);
        return;
    }
    say(answer, "%s does not exist or %s may not read it", what, who->name);
}

/* The right is there, the proof does not carry it. */
static void say_proof_short(struct access_answer *answer, const struct action_row *row)
{
    if (row->scope != 0) {
        say(answer, "this token was not granted %s here", row->verb);
        return;
    }
    say(answer,
        "%s needs a sign-in with bond login: what docker and other clients were given reaches "
        "images and signatures only",
        row->verb);
}

static void say_insufficient(struct access_answer *answer, const struct identity *who,
                             const char *ns, enum access_action action)
{
    const struct action_row *row = &actions[action];
    if (answer->permitted & ACTION_BIT(action)) {
        say_proof_short(answer, row);
        return;
    }
    switch (who->kind) {
    case IDENTITY_ANONYMOUS:
        say(answer, "sign in first: %s needs a %s of %s", row->verb, member_role_name(row->needs),
            ns);
        return;
    case IDENTITY_ROBOT:
    case IDENTITY_DEPLOYER:
        say(answer, "%s has no right for %s in %s", who->name, row->verb, ns);
        return;
    case IDENTITY_USER:
    case IDENTITY_CONTROL:
        break;
    }
    const char *or_signer = action == ACTION_SIGN && answer->facts.role == MEMBER_DEVELOPER
                                ? " or the signer flag"
                                : "";
    if (answer->facts.role == MEMBER_NONE) {
        say(answer, "%s has no role in %s; %s needs %s", who->name, ns, row->verb,
            member_role_name(row->needs));
        return;
    }
    say(answer, "%s is %s in %s; %s needs %s%s", who->name, member_role_name(answer->facts.role),
        ns, row->verb, member_role_name(row->needs), or_signer);
}

static void decide(const struct identity *who, const char *what, const char *ns,
                   const struct repo_name *repo, enum access_action action, bool trust_scope,
                   struct access_answer *out)
{
    out->permitted = access_permitted(who, &out->facts);
    out->result = access_decide(who, &out->facts, repo, action, trust_scope);
    switch (out->result) {
    case ACCESS_INVISIBLE:
        say_invisible(out, who, what);
        break;
    case ACCESS_INSUFFICIENT:
        say_insufficient(out, who, ns, action);
        break;
    case ACCESS_NOT_WRITABLE:
        say(out, "%s is a deployer: it pulls released images and writes nothing", who->name);
        break;
    case ACCESS_ALLOWED:
        out->creates_namespace = !out->facts.found && actions[action].created;
        break;
    }
}

/* When the repository's trust data was last wiped; 0: never. */
static bool last_wipe(struct db_tx *tx, const struct repo_name *repo, int64_t *wiped_us_out, struct err *err)
{
    struct repository row;
    struct err missing = {0};
    auto_tombstone struct tombstone stone = {0};
    *wiped_us_out = 0;
    if (repository_get(tx, repo, &row, &missing) && tombstone_get(tx, row.id, &stone, &missing)) {
        *wiped_us_out = stone.wiped_us;
        return true;
    }
    if (missing.code == ERR_NAME_UNKNOWN || missing.code == ERR_NOT_FOUND) {
        return true;
    }
    *err = missing;
    return false;
}

bool access_token_is_of_before(const struct identity *who, int64_t wiped_us, int64_t now_us)
{
    bool is_token = who->grants != NULL;
    return is_token && who->token_issued_us + US_PER_SECOND <= wiped_us && wiped_us <= now_us;
}

/* What was signed anew is not changed by what was handed out for the life before. */
static bool refuse_old_token(struct db_tx *tx, const struct identity *who, const struct repo_name *repo,
                             struct access_answer *out, struct err *err)
{
    int64_t wiped_us = 0;
    if (!last_wipe(tx, repo, &wiped_us, err)) {
        return false;
    }
    if (access_token_is_of_before(who, wiped_us, clock_now_us())) {
        out->result = ACCESS_INSUFFICIENT;
        say(out, "this token is older than the wipe of the signatures of %s: ask for a new one", repo->text);
    }
    return true;
}

bool access_check(struct db_tx *tx, const struct identity *who, const struct repo_name *repo,
                  enum access_action action, bool trust_scope, struct access_answer *out,
                  struct err *err)
{
    *out = (struct access_answer){0};
    struct namespace_name ns;
    repo_name_namespace(repo, &ns);
    if (!access_facts_load(tx, who, &ns, &out->facts, err)) {
        return false;
    }
    decide(who, repo->text, ns.text, repo, action, trust_scope, out);
    bool changes_trust = trust_scope && actions[action].write && out->result == ACCESS_ALLOWED;
    return !changes_trust || who->grants == NULL || refuse_old_token(tx, who, repo, out, err);
}

bool access_check_namespace(struct db_tx *tx, const struct identity *who,
                            const struct namespace_name *name, enum access_action action,
                            struct access_answer *out, struct err *err)
{
    *out = (struct access_answer){0};
    if (!access_facts_load(tx, who, name, &out->facts, err)) {
        return false;
    }
    decide(who, name->text, name->text, NULL, action, false, out);
    return true;
}

bool access_require(const struct identity *who, const struct access_answer *answer, struct err *err)
{
    if (answer->result == ACCESS_ALLOWED && (answer->facts.found || answer->creates_namespace)) {
        return true;
    }
    if (who->kind == IDENTITY_ANONYMOUS) {
        return err_set(err, ERR_UNAUTHORIZED, "%s", answer->sentence);
    }
    if (answer->result == ACCESS_INVISIBLE || answer->result == ACCESS_ALLOWED) {
        return err_set(err, ERR_NAMESPACE_UNKNOWN, "");
    }
    return err_set(err, ERR_DENIED, "%s", answer->sentence);
}

bool access_is_admin(const struct identity *who)
{
    return who->administrator && !who->gated && !who->registry_only;
}

bool access_may_catalog(const struct identity *who)
{
    return who->kind != IDENTITY_ANONYMOUS &&
           (who->grants == NULL || grant_has_catalog(who->grants));
}

bool access_may_set_role(const struct identity *who, const struct access_facts *facts,
                         enum member_role from, enum member_role to)
{
    if (access_is_admin(who) || facts->role == MEMBER_OWNER) {
        return true;
    }
    return facts->role == MEMBER_MAINTAINER && from <= MEMBER_DEVELOPER && to <= MEMBER_DEVELOPER;
}

void access_reader(const struct identity *who, struct reader *out)
{
    *out = (struct reader){
        .account_id = who->account_id,
        .namespace_id = who->namespace_id,
        .signed_in = who->kind == IDENTITY_USER,
        .all = who->administrator && !who->gated,
    };
}
