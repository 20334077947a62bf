/* Publishing after a reset (attacks F-03): a role whose version was driven to the end begins again,
 * once an administrator has allowed it and the root has given the role new keys. New to the whole
 * life of the repository: nothing that was ever signed for the role can come back in the new life. */
#include "trust/publish_internal.h"

static const struct tuf_role_keys *keys_of(const struct tuf_doc *root, const char *role)
{
    switch (role_parse(slice_str(role))) {
    case ROLE_TARGETS:
        return &root->targets;
    case ROLE_SNAPSHOT:
        return &root->snapshot;
    case ROLE_TIMESTAMP:
        return &root->timestamp;
    case ROLE_ROOT:
    case ROLE_DELEGATION:
    case ROLE_NONE:
        break;
    }
    return NULL;
}

static bool lists_spki(const struct tuf_doc *root, const struct tuf_role_keys *keys,
                       const struct spki *spki)
{
    for (size_t i = 0; i < keys->key_count; i++) {
        const struct tuf_key *key = tuf_doc_key(root, slice_str(keys->key_ids[i]));
        struct spki own = key ? tuf_key_spki(key) : (struct spki){{0}};
        if (key && spki_equal(&own, spki)) {
            return true;
        }
    }
    return false;
}

/* Whether two roots name a common key for the role. */
static bool shares_key(const struct tuf_doc *a, const struct tuf_doc *b, const char *role)
{
    const struct tuf_role_keys *keys = keys_of(a, role);
    for (size_t i = 0; i < keys->key_count; i++) {
        const struct tuf_key *key = tuf_doc_key(a, slice_str(keys->key_ids[i]));
        struct spki spki = key ? tuf_key_spki(key) : (struct spki){{0}};
        if (key && lists_spki(b, keys_of(b, role), &spki)) {
            return true;
        }
    }
    return false;
}

static bool keys_are_new(const struct check *c, const char *role)
{
    const struct trust_set *set = c->f->stored;
    bool fresh = keys_of(c->root, role) != NULL;
    for (size_t i = 0; fresh && i < set->root_count; i++) {
        struct tuf_doc *old = NULL;
        fresh = tuf_doc_read(SLICE_LIT("root"), set->roots[i].bytes, &old, NULL) == DOC_OK &&
                !shares_key(c->root, old, role);
        tuf_doc_free(old);
    }
    return fresh;
}

/* A client that knows nothing of the reset counts on from what it remembers: the life goes on. */
static bool counts_on(const struct check *c, const char *role)
{
    const struct upload *u = publish_upload_of(c, role);
    return u && u->doc && u->doc->version > publish_seen_version(c, role);
}

void publish_find_anew(struct check *c)
{
    for (size_t i = 0; c->stored_root && c->root != c->stored_root && i < c->f->reset_count; i++) {
        const char *role = c->f->resets[i];
        if (c->v->anew_count < PUBLISH_RESETS_MAX && !counts_on(c, role) && keys_are_new(c, role)) {
            c->v->anew[c->v->anew_count++] = role;
        }
    }
}

bool publish_begins_anew(const struct publish_verdict *verdict, const char *role)
{
    for (size_t i = 0; i < verdict->anew_count; i++) {
        if (strcmp(verdict->anew[i], role) == 0) {
            return true;
        }
    }
    return false;
}
