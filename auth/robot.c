#include "auth/robot.h"

#include "auth/access.h"
#include "auth/auth_internal.h"
#include "storage/audit.h"
#include "storage/credential.h"

#include <stdio.h>

static const struct {
    const char *word;
    unsigned bit, includes;
} robot_actions[] = {
    {"pull", ROBOT_PULL, 0},
    {"push", ROBOT_PUSH, ROBOT_PULL},
    {"delete", ROBOT_DELETE, ROBOT_PULL},
    {"sign", ROBOT_SIGN, ROBOT_PULL},
    {"trust:read_unsigned", ROBOT_READ_UNSIGNED, ROBOT_PULL},
};
#define ROBOT_ACTION_COUNT (sizeof(robot_actions) / sizeof(robot_actions[0]))

unsigned robot_action_parse(struct slice word)
{
    for (size_t i = 0; i < ROBOT_ACTION_COUNT; i++) {
        if (slice_is(word, robot_actions[i].word)) {
            return robot_actions[i].bit | robot_actions[i].includes;
        }
    }
    return 0;
}

const char *robot_action_name(unsigned bit)
{
    for (size_t i = 0; i < ROBOT_ACTION_COUNT; i++) {
        if (robot_actions[i].bit == bit) {
            return robot_actions[i].word;
        }
    }
    BUG("no such robot action");
}

bool robot_name_parse(struct slice text, struct robot_name *out, struct err *err)
{
    bool shaped = text.n >= 1 && text.n <= ROBOT_NAME_CHARS && text.p[0] != '-';
    for (size_t i = 0; shaped && i < text.n; i++) {
        char c = text.p[i];
        shaped = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    }
    if (!shaped) {
        return err_set(
            err, ERR_INVALID,
            "a robot or deployer is named by 1 to %d of a-z, 0-9 and -, not beginning with -",
            ROBOT_NAME_CHARS);
    }
    memcpy(out->text, text.p, text.n);
    out->text[text.n] = '\0';
    return true;
}

static const char *kind_word(enum account_kind kind)
{
    return kind == ACCOUNT_DEPLOYER ? "deployer" : "robot";
}

/* A namespace has at most 128 bytes, so the whole always fits. */
static void join_name(const struct namespace_name *ns, const struct robot_name *name,
                      char out[ACTOR_NAME_MAX + 1])
{
    (void)snprintf(out, ACTOR_NAME_MAX + 1, "%.128s.%.63s", ns->text, name->text);
}

static bool may_manage(struct db_tx *tx, const struct identity *who,
                       const struct namespace_name *ns, int64_t *namespace_id_out, struct err *err)
{
    struct access_answer answer;
    if (!access_check_namespace(tx, who, ns, ACTION_ROBOTS, &answer, err) ||
        !access_require(who, &answer, err)) {
        return false;
    }
    *namespace_id_out = answer.facts.namespace_id;
    return true;
}

struct robot_write {
    const struct identity *who;
    const struct actor *actor;
    enum account_kind kind;
    const struct namespace_name *namespace;
    const char *account_name;
    unsigned actions;
    uint8_t sha256[32];
    int64_t now_us;
};

static bool append_audit(struct db_tx *tx, const struct robot_write *r, const char *verb,
                         int64_t namespace_id, struct err *err)
{
    char action[32];
    auto_buf struct buf after = {0};
    (void)snprintf(action, sizeof(action), "%s.%s", kind_word(r->kind), verb);
    const char *separator = "";
    buf_str(&after, "{\"actions\":[");
    for (size_t i = 0; i < ROBOT_ACTION_COUNT; i++) {
        if (r->actions & robot_actions[i].bit) {
            buf_printf(&after, "%s\"%s\"", separator, robot_actions[i].word);
            separator = ",";
        }
    }
    buf_str(&after, "]}");
    const struct audit_entry entry = {
        .action = action,
        .namespace_id = namespace_id,
        .object = slice_str(r->account_name),
        .outcome = AUDIT_OK,
        .after = r->actions ? buf_slice_of(&after) : (struct slice){0},
    };
    return audit_append(tx, r->actor, &entry, r->now_us, err);
}

static bool write_create(struct db_tx *tx, void *arg, struct err *err)
{
    const struct robot_write *r = arg;
    int64_t namespace_id = 0;
    int64_t account_id = 0;
    int64_t credential_id = 0;
    if (!may_manage(tx, r->who, r->namespace, &namespace_id, err)) {
        return false;
    }
    const struct account_new account = {.kind = r->kind,
                                        .name = slice_str(r->account_name),
                                        .namespace_id = namespace_id,
                                        .actions = r->actions};
    const enum credential_kind kind =
        r->kind == ACCOUNT_DEPLOYER ? CREDENTIAL_DEPLOYER : CREDENTIAL_ROBOT;
    if (!account_create(tx, &account, r->now_us, &account_id, err)) {
        return err->code == ERR_CONFLICT
                   ? err_set(err, ERR_CONFLICT, "there is an account named %s already",
                             r->account_name)
                   : false;
    }
    return credential_create(tx, account_id, kind, r->sha256, r->now_us, &credential_id, err) &&
           append_audit(tx, r, "create", namespace_id, err);
}

bool robot_create(struct auth *a, const struct identity *who, const struct actor *actor,
                  const struct robot_new *robot, int64_t now_us,
                  char account_name_out[ACTOR_NAME_MAX + 1], struct secret_text *secret_out,
                  struct err *err)
{
    if (robot->kind == ACCOUNT_ROBOT && robot->actions == 0) {
        return err_set(err, ERR_INVALID,
                       "a robot needs at least one action of pull, push, delete, sign, "
                       "trust:read_unsigned");
    }
    join_name(&robot->namespace, &robot->name, account_name_out);
    secret_make(robot->kind == ACCOUNT_DEPLOYER ? SECRET_DEPLOYER : SECRET_ROBOT, secret_out);
    struct robot_write write = {
        .who = who,
        .actor = actor,
        .kind = robot->kind,
        .namespace = &robot->namespace,
        .account_name = account_name_out,
        .actions = robot->kind == ACCOUNT_ROBOT ? robot->actions : 0,
        .now_us = now_us,
    };
    secret_sha256(slice_str(secret_out->text), write.sha256);
    if (!db_write(a->db, write_create, &write, err)) {
        return false;
    }
    auth_changed(a);
    return true;
}

static bool write_remove(struct db_tx *tx, void *arg, struct err *err)
{
    const struct robot_write *r = arg;
    int64_t namespace_id = 0;
    struct account account;
    if (!may_manage(tx, r->who, r->namespace, &namespace_id, err) ||
        !account_get_by_name(tx, slice_str(r->account_name), &account, err)) {
        return false;
    }
    if (account.kind != r->kind || account.namespace_id != namespace_id) {
        return err_set(err, ERR_ACCOUNT_UNKNOWN, "");
    }
    return account_delete(tx, account.id, err) && append_audit(tx, r, "remove", namespace_id, err);
}

bool robot_remove(struct auth *a, const struct identity *who, const struct actor *actor,
                  enum account_kind kind, const struct namespace_name *namespace, struct slice name,
                  int64_t now_us, struct err *err)
{
    char account_name[ACTOR_NAME_MAX + 1];
    struct robot_name short_name;
    /* both the short name and "ns.name" are understood */
    bool whole =
        slice_starts(name, namespace->text) && name.n > namespace->n && name.p[namespace->n] == '.';
    if (!robot_name_parse(whole ? slice_from(name, (size_t) namespace->n + 1) : name, &short_name,
                          NULL)) {
        return err_set(err, ERR_ACCOUNT_UNKNOWN, "");
    }
    join_name(namespace, &short_name, account_name);
    struct robot_write write = {.who = who,
                                .actor = actor,
                                .kind = kind,
                                .namespace = namespace,
                                .account_name = account_name,
                                .now_us = now_us};
    return auth_write(a, write_remove, &write, err);
}
