/* Publishing a snapshot, or leaving it to the server. */
#include "trust/publish_internal.h"

static bool check_listed(struct check *c, const struct tuf_doc *snapshot, const struct tuf_doc *doc)
{
    const struct tuf_meta *meta = tuf_doc_meta(snapshot, slice_str(doc->role));
    if (!meta) {
        return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadSnapshot", "",
                              "the snapshot does not list %s", doc->role);
    }
    if (!tuf_hashes_match(&meta->file, doc)) {
        return publish_refuse(
            c, ERR_TRUST_INVALID_UPDATE, "ErrBadSnapshot", "",
            "the snapshot lists another %s (hash or length) than the one uploaded or stored",
            doc->role);
    }
    return true;
}

static bool check_uploaded_snapshot(struct check *c, const struct upload *u)
{
    struct sig_count count = {0};
    if (u->fault != DOC_OK) {
        return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadSnapshot", "bad_trust_data", "%s",
                              u->why.msg);
    }
    if (u->doc->duplicate_signature) {
        return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadSnapshot", "bad_trust_data",
                              "the snapshot carries two signatures with one key id");
    }
    if (!publish_plan_checks(c, tuf_count_checks(u->doc, c->root, &c->root->snapshot))) {
        return false;
    }
    tuf_count_signatures(u->doc, c->root, &c->root->snapshot, NULL, &count);
    if (!sig_count_met(&count)) {
        return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadSnapshot", "threshold",
                              "valid signatures did not meet threshold for snapshot");
    }
    if (!check_listed(c, u->doc, c->root)) {
        return false;
    }
    for (size_t i = 0; i < c->node_count; i++) {
        if (!check_listed(c, u->doc, c->nodes[i].doc)) {
            return false;
        }
    }
    c->v->snapshot = u->doc;
    return true;
}

bool publish_check_snapshot(struct check *c)
{
    const struct upload *u = publish_upload_of(c, "snapshot");
    const struct tuf_role_keys *keys = &c->root->snapshot;
    if (u) {
        return check_uploaded_snapshot(c, u);
    }
    if ((int64_t)publish_held_keys(c, keys, ROLE_SNAPSHOT) < keys->threshold) {
        c->v->missing_snapshot = true;
        return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadHierarchy", "",
                              "no snapshot was included in update and server does not hold current "
                              "snapshot key for repository");
    }
    c->v->make_snapshot = true;
    return publish_check_signable(c, keys, "snapshot");
}
