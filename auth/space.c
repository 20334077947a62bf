#include "auth/space.h"

#include "auth/access.h"
#include "auth/auth_internal.h"
#include "storage/audit.h"

struct space_new {
    const struct namespace_name *name;
    struct space_settings settings;
    const struct actor *actor;
    int64_t now_us;
    struct namespace ns; /* out */
};

static bool write_space(struct db_tx *tx, void *arg, struct err *err)
{
    struct space_new *s = arg;
    auto_buf struct buf after = {0};
    if (!namespace_create(tx, s->name, s->settings.visibility, s->actor->account_id, s->now_us,
                          &s->ns, err) ||
        !namespace_set_quota(tx, s->ns.id, s->settings.quota_bytes, err)) {
        return false;
    }
    s->ns.quota_bytes = s->settings.quota_bytes;
    buf_printf(&after, "{\"visibility\":\"%s\",\"quota_bytes\":%lld}",
               visibility_name(s->settings.visibility), (long long)s->settings.quota_bytes);
    const struct audit_entry entry = {
        .action = "namespace.create",
        .namespace_id = s->ns.id,
        .object = namespace_name_slice(s->name),
        .outcome = AUDIT_OK,
        .after = buf_slice_of(&after),
    };
    return audit_append(tx, s->actor, &entry, s->now_us, err);
}

/* Image `HOST/ns/app` of a namespace named HOST could not be told from the trust scope of `ns/app`;
 * people would not tell it apart without the port either. */
static bool is_host(const char *text, const struct namespace_name *name)
{
    struct slice host = slice_str(text);
    ptrdiff_t port = slice_rindex(host, ':');
    host = port > 0 ? slice_first(host, (size_t)port) : host;
    return slice_equal(namespace_name_slice(name), host);
}

static bool is_own_host(const struct auth *a, const struct namespace_name *name)
{
    bool own = is_host(a->service, name);
    for (size_t i = 0; !own && i < a->hosts.n; i++) {
        own = is_host(a->hosts.names[i], name);
    }
    return own;
}

bool space_create(struct auth *a, const struct identity *who, const struct actor *actor,
                  const struct namespace_name *name, const struct space_settings *settings,
                  int64_t now_us, struct namespace *out, struct err *err)
{
    if (!access_is_admin(who)) {
        return err_set(err, ERR_DENIED, "making a namespace needs an instance administrator");
    }
    if (is_own_host(a, name)) {
        return err_set(err, ERR_INVALID,
                       "a namespace may not be named like this registry's own host %s", name->text);
    }
    struct space_new s = {
        .name = name, .settings = *settings, .actor = actor, .now_us = now_us};
    if (!db_write(a->db, write_space, &s, err)) {
        if (err->code == ERR_CONFLICT) {
            return err_set(err, ERR_CONFLICT, "the namespace %s exists already", name->text);
        }
        return false;
    }
    auth_changed(a);
    *out = s.ns;
    return true;
}

bool space_create_by_push(struct auth *a, const struct identity *who, const struct actor *actor,
                          const struct namespace_name *name, int64_t now_us, struct err *err)
{
    if (!who->administrator || who->gated) {
        return err_set(err, ERR_DENIED, "making a namespace needs an instance administrator");
    }
    if (is_own_host(a, name)) {
        return err_set(err, ERR_NAME_INVALID,
                       "a namespace may not be named like this registry's own host %s", name->text);
    }
    struct space_new s = {.name = name,
                          .settings = {.visibility = VISIBILITY_PRIVATE},
                          .actor = actor,
                          .now_us = now_us};
    struct err failed = {0};
    if (!db_write(a->db, write_space, &s, &failed) && failed.code != ERR_CONFLICT) {
        *err = failed;
        return false;
    }
    auth_changed(a);
    return true;
}

/* --- quota ------------------------------------------------------------------------------------ */

struct space_quota {
    const struct namespace_name *name;
    int64_t quota_bytes;
    const struct actor *actor;
    int64_t now_us;
    struct namespace ns; /* out */
};

static bool audit_quota(struct db_tx *tx, const struct space_quota *s, struct err *err)
{
    auto_buf struct buf before = {0};
    auto_buf struct buf after = {0};
    buf_printf(&before, "{\"quota_bytes\":%lld}", (long long)s->ns.quota_bytes);
    buf_printf(&after, "{\"quota_bytes\":%lld}", (long long)s->quota_bytes);
    const struct audit_entry entry = {
        .action = "namespace.quota",
        .namespace_id = s->ns.id,
        .object = namespace_name_slice(s->name),
        .outcome = AUDIT_OK,
        .before = buf_slice_of(&before),
        .after = buf_slice_of(&after),
    };
    return audit_append(tx, s->actor, &entry, s->now_us, err);
}

static bool write_quota(struct db_tx *tx, void *arg, struct err *err)
{
    struct space_quota *s = arg;
    return namespace_get(tx, s->name, &s->ns, err) && audit_quota(tx, s, err) &&
           namespace_set_quota(tx, s->ns.id, s->quota_bytes, err) &&
           namespace_get(tx, s->name, &s->ns, err);
}

bool space_set_quota(struct auth *a, const struct identity *who, const struct actor *actor,
                     const struct namespace_name *name, int64_t quota_bytes, int64_t now_us,
                     struct namespace *out, struct err *err)
{
    if (!access_is_admin(who)) {
        return err_set(err, ERR_DENIED, "setting a quota needs an instance administrator");
    }
    struct space_quota s = {
        .name = name, .quota_bytes = quota_bytes, .actor = actor, .now_us = now_us};
    if (!db_write(a->db, write_quota, &s, err)) {
        return false;
    }
    *out = s.ns;
    return true;
}
