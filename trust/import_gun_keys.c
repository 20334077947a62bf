#include "trust/import_gun.h"
#include "trust/import_key.h"
#include "trust/trust_internal.h"

#include <strings.h>

static bool root_lists(const struct taking *t, const struct import_key *key)
{
    bool timestamp = strcmp(key->role, "timestamp") == 0;
    return tuf_role_lists_key(timestamp ? &t->root->timestamp : &t->root->snapshot,
                              slice_str(key->key_id));
}

static const struct import_phrase *phrase_of(const struct import_request *rq, const char *alias)
{
    for (size_t i = 0; i < rq->phrase_count; i++) {
        if (strcasecmp(rq->phrases[i].alias, alias) == 0) {
            return &rq->phrases[i];
        }
    }
    return NULL;
}

static bool open_key(const struct taking *t, const struct import_key *key, struct held_key *out,
                     struct err *err)
{
    auto_wiped struct buf plain = {0};
    const struct import_phrase *phrase = phrase_of(t->im->rq, key->alias);
    if (!phrase) {
        return err_set(err, ERR_INVALID, "no pass phrase was given for the alias %s", key->alias);
    }
    return import_key_open(slice_str(key->sealed), phrase->phrase, &plain, err) &&
           held_key_adopt(t->im->trust->sealing, &t->repo.name, key->role, buf_slice_of(&plain), out,
                          err) &&
           (strcmp(out->id, key->key_id) == 0 ||
            err_set(err, ERR_INVALID, "it is another key than its id says"));
}

/* trust_key_put makes a pending key, of which there may be one: it steps aside for a moment. */
static bool put_key(struct taking *t, const struct import_key *key, const struct held_key *held,
                    struct err *err)
{
    struct slice role = slice_str(key->role);
    struct trust_key_new row;
    auto_trust_key struct trust_key waiting = {0}, put = {0};
    struct err why = {0};
    bool waits = trust_key_pending(t->tx, t->repo.id, role, &waiting, &why);
    enum trust_key_state state = TRUST_KEY_RETIRED;
    if (!waits && why.code != ERR_NOT_FOUND) {
        *err = why;
        return false;
    }
    if (root_lists(t, key)) {
        state = TRUST_KEY_ACTIVE;
    } else if (key->pending && !waits) {
        state = TRUST_KEY_PENDING;
    }
    if (waits && !trust_key_set_state(t->tx, waiting.id, TRUST_KEY_RETIRED, err)) {
        return false;
    }
    held_key_row(t->im->trust->sealing, held, key->role, &row);
    if (!trust_key_put(t->tx, t->repo.id, &row,
                       key->created_us ? key->created_us : t->im->rq->now_us, err) ||
        !trust_key_get(t->tx, t->repo.id, role, key->key_id, &put, err) ||
        !trust_key_set_state(t->tx, put.id, state, err)) {
        return false;
    }
    t->g->keys_put++;
    return !waits || trust_key_set_state(t->tx, waiting.id, TRUST_KEY_PENDING, err);
}

/* A key that cannot be taken is a warning; whether it is missed shows in the end. */
static bool take_key(struct taking *t, const struct import_key *key, struct err *err)
{
    auto_trust_key struct trust_key known = {0};
    auto_held_key struct held_key held = {0};
    struct err why = {0};
    if (trust_key_get(t->tx, t->repo.id, slice_str(key->role), key->key_id, &known, &why)) {
        return true;
    }
    if (why.code != ERR_NOT_FOUND) {
        *err = why;
        return false;
    }
    why = (struct err){0};
    if (!open_key(t, key, &held, &why)) {
        taking_warn(t, "%s key %.12s: %s", key->role, key->key_id, why.msg);
        if (!t->key_why[0]) {
            (void)snprintf(t->key_why, sizeof t->key_why, "%.290s", why.msg);
        }
        return true;
    }
    return put_key(t, key, &held, err);
}

/* A key whose row has no GUN belongs to the repository whose root lists it, in the role of it. */
static bool take_nameless_keys(struct taking *t, struct err *err)
{
    static const char *const roles[] = {"timestamp", "snapshot"};
    struct import_range all = {0, t->im->key_count};
    for (size_t i = all.from; i < all.to; i++) {
        struct import_key key = t->im->keys[i]; /* a copy to fill in; it owns nothing */
        if (t->im->names[key.gun][0] != '\0') {
            continue;
        }
        for (size_t r = 0; r < 2; r++) {
            (void)snprintf(key.role, sizeof key.role, "%s", roles[r]);
            if (root_lists(t, &key) && !take_key(t, &key, err)) {
                return false;
            }
        }
    }
    return true;
}

bool taking_put_keys(struct taking *t, struct err *err)
{
    for (size_t i = t->g->keys.from; i < t->g->keys.to; i++) {
        const struct import_key *key = &t->im->keys[i];
        bool server_role =
            strcmp(key->role, "timestamp") == 0 || strcmp(key->role, "snapshot") == 0;
        if (server_role && !take_key(t, key, err)) {
            return false;
        }
    }
    return !t->im->nameless_keys || take_nameless_keys(t, err);
}
