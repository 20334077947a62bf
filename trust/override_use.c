/* Counting uses of overrides. */
#include "storage/audit.h"
#include "trust/override_internal.h"
#include "trust/trust_internal.h"

struct using
{
    int64_t namespace_id, id;
    const struct digest *digest;
    const struct actor *actor;
    int64_t now_us;
    int64_t changes, end_us; /* out */
};

static bool audit_use(struct db_tx *tx, const struct using *u, const struct override *o,
                      struct err *err)
{
    char digest[DIGEST_STR_MAX];
    auto_buf struct buf object = {0}, after = {0};
    auto_json json_t *text = json_pack("{s:I, s:s, s:I}", "override", (json_int_t)o->id, "ticket",
                                       o->ticket, "uses", (json_int_t)(o->uses + 1));
    buf_printf(&object, "%s@%s", o->repository, digest_format(u->digest, digest));
    json_write(&after, text);
    struct audit_entry entry = {.action = "override.use",
                                .namespace_id = o->namespace_id,
                                .object = buf_slice_of(&object),
                                .outcome = AUDIT_OK,
                                .after = buf_slice_of(&after)};
    return audit_append(tx, u->actor, &entry, u->now_us, err);
}

/* Another request of the same identity may have counted it meanwhile. */
static bool write_use(struct db_tx *tx, void *arg, struct err *err)
{
    struct using *u = arg;
    auto_override struct override o = {0};
    struct override_standing standing;
    if (!override_get(tx, u->namespace_id, u->id, &o, err) ||
        !override_standing_get(tx, u->id, u->actor->account_id, u->now_us, &standing, err)) {
        return false;
    }
    u->changes = o.changes;
    u->end_us = o.end_us;
    if (standing.open && o.ended.us == 0) {
        return true;
    }
    return override_count_use(tx, u->id, u->actor->account_id, u->now_us, &u->changes, err) &&
           audit_use(tx, u, &o, err);
}

bool override_use(struct trust *trust, int64_t namespace_id, int64_t id,
                  const struct digest *digest, const struct actor *actor, int64_t now_us,
                  struct err *err)
{
    struct using u = {
        .namespace_id = namespace_id, .id = id, .digest = digest, .actor = actor, .now_us = now_us};
    if (!checkpoint_ready(trust->checkpoint, err)) {
        return false;
    }
    if (!db_write(trust->db, write_use, &u, err)) {
        return err->code != ERR_CONFLICT
                   ? false
                   : err_set(err, ERR_INDETERMINATE, "override %lld has just ended; try again",
                             (long long)id);
    }
    override_note(trust, id, u.changes, u.end_us);
    return checkpoint_flush(trust->checkpoint, err);
}
