#include "auth/member.h"

#include "auth/auth_internal.h"
#include "auth/user.h"
#include "storage/account.h"
#include "storage/audit.h"

struct member_write {
    const struct identity *who;
    const struct actor *actor;
    const struct namespace_name *name;
    struct email user;
    struct membership wanted; /* MEMBER_NONE: take it away */
    int64_t now_us;
    /* found by the write */
    struct access_facts facts;
    struct account account;
    struct membership had;
};

static bool load(struct db_tx *tx, struct member_write *m, struct err *err)
{
    struct access_answer answer;
    if (!access_check_namespace(tx, m->who, m->name, ACTION_MEMBERS_SET, &answer, err) ||
        !access_require(m->who, &answer, err)) {
        return false;
    }
    m->facts = answer.facts;
    if (!account_get_by_name(tx, slice_str(m->user.text), &m->account, err)) {
        return false;
    }
    if (m->account.kind != ACCOUNT_USER) {
        return err_set(
            err, ERR_INVALID,
            "%s is no person: robots and deployers have their rights from their own list",
            m->account.name);
    }
    return membership_get(tx, m->facts.namespace_id, m->account.id, &m->had, err);
}

/* A namespace that has an owner keeps one; an administrator can always give it a new one. */
static bool keeps_an_owner(struct db_tx *tx, const struct member_write *m, struct err *err)
{
    int64_t owners = 0;
    if (m->had.role != MEMBER_OWNER || m->wanted.role == MEMBER_OWNER || access_is_admin(m->who)) {
        return true;
    }
    if (!membership_owners(tx, m->facts.namespace_id, &owners, err)) {
        return false;
    }
    return owners > 1 ||
           err_set(err, ERR_CONFLICT, "%s is the last owner of %s: name another one first",
                   m->account.name, m->name->text);
}

static void write_json(struct buf *b, const struct membership *membership)
{
    buf_printf(b, "{\"role\":\"%s\",\"signer\":%s}", member_role_name(membership->role),
               membership->signer ? "true" : "false");
}

static bool write_member(struct db_tx *tx, void *arg, struct err *err)
{
    struct member_write *m = arg;
    auto_buf struct buf before = {0};
    auto_buf struct buf after = {0};
    if (!load(tx, m, err)) {
        return false;
    }
    if (!access_may_set_role(m->who, &m->facts, m->had.role, m->wanted.role)) {
        return err_set(err, ERR_DENIED,
                       "a maintainer gives and takes the roles reader and developer; the others "
                       "need an owner");
    }
    if (!keeps_an_owner(tx, m, err)) {
        return false;
    }
    bool removing = m->wanted.role == MEMBER_NONE;
    bool done = removing ? membership_delete(tx, m->facts.namespace_id, m->account.id, err)
                         : membership_put(tx, m->facts.namespace_id, m->account.id, &m->wanted,
                                          m->now_us, err);
    if (!done) {
        return false;
    }
    write_json(&before, &m->had);
    write_json(&after, &m->wanted);
    const struct audit_entry entry = {
        .action = removing ? "member.remove" : "member.set",
        .namespace_id = m->facts.namespace_id,
        .object = slice_str(m->account.name),
        .outcome = AUDIT_OK,
        .before = buf_slice_of(&before),
        .after = buf_slice_of(&after),
    };
    return audit_append(tx, m->actor, &entry, m->now_us, err);
}

static bool run(struct auth *a, struct member_write *m, struct slice user, struct err *err)
{
    if (!email_parse(user, &m->user, NULL)) {
        return err_set(err, ERR_ACCOUNT_UNKNOWN, "");
    }
    return auth_write(a, write_member, m, err);
}

bool member_set(struct auth *a, const struct identity *who, const struct actor *actor,
                const struct namespace_name *name, struct slice user,
                const struct membership *membership, int64_t now_us, struct err *err)
{
    struct member_write write = {
        .who = who, .actor = actor, .name = name, .wanted = *membership, .now_us = now_us};
    return run(a, &write, user, err);
}

bool member_remove(struct auth *a, const struct identity *who, const struct actor *actor,
                   const struct namespace_name *name, struct slice user, int64_t now_us,
                   struct err *err)
{
    struct member_write write = {.who = who, .actor = actor, .name = name, .now_us = now_us};
    return run(a, &write, user, err);
}
