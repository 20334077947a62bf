/* Publishing targets and delegations: the tree that results from upload and store, from the top down. */
#include "trust/publish_internal.h"

#define SERVER_BYTES ((size_t)2 * 1024 * 1024) /* room for snapshot and timestamp */

/* Adds to the tree what the documents of node `index` delegate and what has metadata. */
static bool grow_tree(struct check *c, size_t index)
{
    const struct tuf_doc *doc = c->nodes[index].doc;
    for (size_t i = 0; i < doc->delegation_count; i++) {
        const struct tuf_delegation *d = &doc->delegations[i];
        const struct upload *u = publish_upload_of(c, d->name);
        const struct tuf_doc *child = publish_effective(c, d->name);
        if (role_depth(slice_str(d->name)) > ROLE_DEPTH_MAX) {
            return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadTargets", "",
                                  "%s: delegations go at most %d levels deep", d->name,
                                  ROLE_DEPTH_MAX);
        }
        if (++c->listed >= TRUST_ROLES_MAX) {
            return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadTargets", "",
                                  "more than %d roles", TRUST_ROLES_MAX);
        }
        if (!child) {
            continue;
        }
        c->nodes[c->node_count++] = (struct node){
            .doc = child, .parent = doc, .listed = d, .parent_index = index, .uploaded = u != NULL};
    }
    return true;
}

static bool read_faults(struct check *c)
{
    for (size_t i = 0; i < c->upload_count; i++) {
        const struct upload *u = &c->uploads[i];
        bool targets = u->kind == ROLE_TARGETS || u->kind == ROLE_DELEGATION;
        if (targets && u->fault != DOC_OK) {
            return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadTargets", "bad_trust_data",
                                  "%s", u->why.msg);
        }
    }
    return true;
}

static bool build_tree(struct check *c)
{
    const struct tuf_doc *targets = publish_effective(c, "targets");
    if (!targets) {
        c->v->missing_snapshot = false;
        return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadHierarchy", "",
                              "targets must be loaded first");
    }
    c->nodes = xcalloc(TRUST_ROLES_MAX + 1, sizeof *c->nodes);
    c->nodes[c->node_count++] =
        (struct node){.doc = targets, .uploaded = publish_upload_of(c, "targets") != NULL};
    for (size_t i = 0; i < c->node_count; i++) {
        if (!grow_tree(c, i)) {
            return false;
        }
    }
    return true;
}

/* What every later look at this repository has to read. */
static bool check_bytes(struct check *c)
{
    size_t bytes = 0;
    for (size_t i = 0; i < c->node_count; i++) {
        bytes += c->nodes[i].doc->bytes.n;
    }
    if (bytes > TRUST_FILE_BYTES_MAX - SERVER_BYTES) {
        return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadTargets", "",
                              "targets and its delegations have %zu bytes; a repository takes %zu",
                              bytes, TRUST_FILE_BYTES_MAX - SERVER_BYTES);
    }
    return true;
}

static bool is_past(const struct check *c, const struct tuf_doc *doc)
{
    for (size_t i = 0; i < c->f->past_count; i++) {
        if (strcmp(c->f->past[i].role, doc->role) == 0 &&
            memcmp(c->f->past[i].signed_sha256, doc->signed_sha256, sizeof doc->signed_sha256) ==
                0) {
            return true;
        }
    }
    return false;
}

static bool check_uploaded_node(struct check *c, const struct node *n,
                                const struct sig_count *count)
{
    const char *role = n->doc->role;
    if (n->doc->duplicate_signature) {
        return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadTargets", "bad_trust_data",
                              "%s carries two signatures with one key id", role);
    }
    if (n->doc->signature_count == 0) {
        return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadTargets", "bad_trust_data",
                              "tuf: data has no signatures: %s", role);
    }
    if (!sig_count_met(count)) {
        return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadTargets", "threshold",
                              "valid signatures did not meet threshold for %s: %d of %lld", role,
                              count->valid, (long long)count->threshold);
    }
    if (n->parent && !c->nodes[n->parent_index].valid) {
        return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadTargets", "",
                              "%s: its parent %s has no valid signature any more", role,
                              n->parent->role);
    }
    if (n->parent && is_past(c, n->doc)) {
        return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadTargets", "",
                              "%s: this document is of an earlier life of the role; sign a new one",
                              role);
    }
    return true;
}

static const struct tuf_doc *lister_of(const struct check *c, const struct node *n)
{
    return n->parent ? n->parent : c->root;
}

static const struct tuf_role_keys *keys_of(const struct check *c, const struct node *n)
{
    return n->listed ? &n->listed->keys : &c->root->targets;
}

/* All of the tree's, before the first of them is made. */
static bool plan_checks(struct check *c)
{
    for (size_t i = 0; i < c->node_count; i++) {
        const struct node *n = &c->nodes[i];
        if (!publish_plan_checks(c, tuf_count_checks(n->doc, lister_of(c, n), keys_of(c, n)))) {
            return false;
        }
    }
    return true;
}

static bool check_node(struct check *c, struct node *n)
{
    struct sig_count count = {0};
    tuf_count_signatures(n->doc, lister_of(c, n), keys_of(c, n), NULL, &count);
    n->valid = sig_count_met(&count) && (!n->parent || c->nodes[n->parent_index].valid);
    if (n->uploaded) {
        return check_uploaded_node(c, n, &count);
    }
    if (!n->parent && !n->valid) {
        return publish_refuse(
            c, ERR_TRUST_INVALID_UPDATE, "ErrBadTargets", "threshold",
            "the stored targets is not signed by the targets keys of this root; publish "
            "a new targets with it");
    }
    if (!n->valid) {
        publish_warn(
            c->v,
            "%s has no valid signature by its present keys; tags in its paths are refused until "
            "it is signed again",
            n->doc->role);
    }
    return true;
}

bool publish_in_tree(const struct check *c, const char *role)
{
    for (size_t i = 0; i < c->node_count; i++) {
        if (strcmp(c->nodes[i].doc->role, role) == 0) {
            return true;
        }
    }
    return false;
}

bool publish_check_targets(struct check *c)
{
    if (!read_faults(c) || !build_tree(c) || !check_bytes(c) || !plan_checks(c)) {
        return false;
    }
    for (size_t i = 0; i < c->node_count; i++) {
        if (!check_node(c, &c->nodes[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < c->upload_count; i++) {
        const struct upload *u = &c->uploads[i];
        if (u->kind == ROLE_DELEGATION && !publish_in_tree(c, u->role)) {
            return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadTargets", "",
                                  "tuf: invalid role %s. delegation does not exist", u->role);
        }
    }
    return true;
}
