/* The pure rule of publishing (notary-api 9, attacks 5). Each check_ function is one step; false
 * means that the verdict is written and no further step runs. */
#include "base/clock.h"
#include "trust/publish.h"

#include <stdarg.h>
#include <stdio.h>

#define CHECKS_MAX TRUST_SIGNATURE_CHECKS_MAX
#define PARTS_MAX (TRUST_ROLES_MAX + 4)

struct upload { /* a part that was read */
    const char
        *role; /* NUL-terminated; of the document, or owned by `name` when it did not parse */
    char name[ROLE_NAME_MAX + 1];
    enum role_kind kind;
    enum doc_fault fault;
    struct err why;
    struct tuf_doc *doc; /* NULL unless DOC_OK; moves to the verdict when accepted */
};

struct node { /* targets, or a delegation that has metadata */
    const struct tuf_doc *doc;
    const struct tuf_doc *parent; /* NULL for targets */
    const struct tuf_delegation *listed;
    size_t parent_index;
    bool uploaded, valid;
};

struct check {
    const struct publish_facts *f;
    struct publish_verdict *v;
    struct upload *uploads;
    size_t upload_count;
    const struct tuf_doc *stored_root; /* current; NULL when nothing is published */
    const struct tuf_doc *root;        /* in force */
    bool same_version;                 /* the uploaded root has the current version */
    struct node *nodes;
    size_t node_count;
    size_t listed; /* delegations seen, with metadata or without */
    int checks;
};

/* Role names of an upload are anybody's bytes: what a client prints, and what goes into headers, is
 * plain text. */
static void make_printable(char *text)
{
    for (char *p = text; *p; p++) {
        if (*p < 0x20 || *p > 0x7e) {
            *p = '?';
        }
    }
}

static bool refuse(struct check *c, enum err_code code, const char *errname, const char *reason,
                   const char *fmt, ...) PRINTF_LIKE(5, 6);
static bool refuse(struct check *c, enum err_code code, const char *errname, const char *reason,
                   const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(c->v->msg, sizeof c->v->msg, fmt, args);
    va_end(args);
    make_printable(c->v->msg);
    c->v->code = code;
    (void)snprintf(c->v->errname, sizeof c->v->errname, "%s", errname);
    (void)snprintf(c->v->reason, sizeof c->v->reason, "%s", reason);
    return false;
}

static void warn(struct check *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void warn(struct check *c, const char *fmt, ...)
{
    va_list args;
    if (c->v->warning_count >= 4) {
        return;
    }
    va_start(args, fmt);
    (void)vsnprintf(c->v->warnings[c->v->warning_count], sizeof c->v->warnings[0], fmt, args);
    va_end(args);
    make_printable(c->v->warnings[c->v->warning_count]);
    for (char *p = c->v->warnings[c->v->warning_count]; *p; p++) {
        *p = (*p == '"' || *p == '\\') ? '?' : *p; /* it becomes a quoted string of a header */
    }
    c->v->warning_count++;
}

static const char *errname_of(enum role_kind kind)
{
    switch (kind) {
    case ROLE_ROOT:
        return "ErrBadRoot";
    case ROLE_TARGETS:
    case ROLE_DELEGATION:
        return "ErrBadTargets";
    case ROLE_SNAPSHOT:
        return "ErrBadSnapshot";
    case ROLE_TIMESTAMP:
    case ROLE_NONE:
        break;
    }
    return "ErrValidation";
}

static const struct upload *upload_of(const struct check *c, const char *role)
{
    for (size_t i = 0; i < c->upload_count; i++) {
        if (strcmp(c->uploads[i].role, role) == 0) {
            return &c->uploads[i];
        }
    }
    return NULL;
}

static const struct tuf_doc *stored_of(const struct check *c, const char *role)
{
    for (size_t i = 0; i < c->v->stored_count; i++) {
        if (strcmp(c->v->stored_docs[i]->role, role) == 0) {
            return c->v->stored_docs[i];
        }
    }
    return NULL;
}

/* What the role will be: the upload, else what is stored. */
static const struct tuf_doc *effective(const struct check *c, const char *role)
{
    const struct upload *u = upload_of(c, role);
    return u ? u->doc : stored_of(c, role);
}

/* --- reading parts ---------------------------------------------------------------------------- */

static bool read_part(struct check *c, const struct upload_part *part)
{
    struct upload *u = &c->uploads[c->upload_count];
    if (!part->has_name || part->role.n == 0) {
        return refuse(c, ERR_TRUST_NO_FILENAME, "ErrValidation", "",
                      "a part of the upload carries no role name");
    }
    u->kind = role_parse(part->role);
    if (u->kind == ROLE_NONE) {
        return refuse(c, ERR_TRUST_INVALID_ROLE, "ErrValidation", "", "%.*s is no role name",
                      (int)(part->role.n < 200 ? part->role.n : 200), part->role.p);
    }
    if (u->kind == ROLE_TIMESTAMP) {
        return true; /* the server makes it, whatever the part says */
    }
    (void)snprintf(u->name, sizeof u->name, "%.*s", SLICE_FMT(part->role));
    u->role = u->name;
    if (upload_of(c, u->role)) {
        return refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrValidation", "",
                      "the upload holds role %s twice", u->role);
    }
    u->fault = tuf_doc_read(part->role, part->bytes, &u->doc, &u->why);
    c->upload_count++;
    if (u->fault == DOC_NOT_JSON) {
        return refuse(c, ERR_TRUST_MALFORMED_JSON, errname_of(u->kind), "", "%s: %s", u->role,
                      u->why.msg);
    }
    return true;
}

static bool check_parts(struct check *c)
{
    if (c->f->part_count > PARTS_MAX) {
        return refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrValidation", "",
                      "the upload has more than %d documents", PARTS_MAX);
    }
    c->uploads = xcalloc(c->f->part_count + 1, sizeof *c->uploads);
    for (size_t i = 0; i < c->f->part_count; i++) {
        if (!read_part(c, &c->f->parts[i])) {
            return false;
        }
    }
    return true;
}

static bool read_stored(struct check *c, const struct trust_file *file)
{
    struct err why = {0};
    struct tuf_doc *doc = NULL;
    if (tuf_doc_read(slice_str(file->role), file->bytes, &doc, &why) != DOC_OK) {
        return refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrValidation", "bad_trust_data",
                      "the stored %s does not read: %s", file->role, why.msg);
    }
    c->v->stored_docs[c->v->stored_count++] = doc;
    return true;
}

static bool check_stored(struct check *c)
{
    const struct trust_set *set = c->f->stored;
    c->v->stored_docs = xcalloc(set->file_count + 2, sizeof(struct tuf_doc *));
    if (set->root_count > 0) {
        if (!read_stored(c, &set->roots[set->root_count - 1])) {
            return false;
        }
        c->stored_root = c->v->stored_docs[0];
    }
    for (size_t i = 0; i < set->file_count; i++) {
        enum role_kind kind = role_parse(slice_str(set->files[i].role));
        bool wanted = kind == ROLE_TARGETS || kind == ROLE_DELEGATION || kind == ROLE_SNAPSHOT;
        if (wanted && !read_stored(c, &set->files[i])) {
            return false;
        }
    }
    return true;
}

/* --- who may ---------------------------------------------------------------------------------- */

static bool same_texts(const char **a, size_t a_count, const char **b, size_t b_count)
{
    if (a_count != b_count) {
        return false;
    }
    for (size_t i = 0; i < a_count; i++) {
        if (strcmp(a[i], b[i]) != 0) {
            return false;
        }
    }
    return true;
}

static bool same_delegations(const struct tuf_doc *a, const struct tuf_doc *b)
{
    if (a->delegation_count != b->delegation_count) {
        return false;
    }
    for (size_t i = 0; i < a->delegation_count; i++) {
        const struct tuf_delegation *x = &a->delegations[i];
        const struct tuf_delegation *y = tuf_doc_delegation(b, slice_str(x->name));
        if (!y || x->keys.threshold != y->keys.threshold ||
            !same_texts(x->keys.key_ids, x->keys.key_count, y->keys.key_ids, y->keys.key_count) ||
            !same_texts(x->paths, x->path_count, y->paths, y->path_count)) {
            return false;
        }
    }
    return true;
}

/* rbac.md: an upload with a root, or with a `targets` that delegates otherwise than the stored one.
 */
static bool check_rights(struct check *c)
{
    const struct upload *targets = upload_of(c, "targets");
    const struct tuf_doc *stored = stored_of(c, "targets");
    if (c->f->may_administer) {
        return true;
    }
    if (upload_of(c, "root")) {
        return refuse(c, ERR_UNAUTHORIZED, "", "",
                      "publishing a root needs trust administration of this repository");
    }
    if (targets && targets->doc && stored && !same_delegations(targets->doc, stored)) {
        return refuse(c, ERR_UNAUTHORIZED, "", "",
                      "changing delegations needs trust administration of this repository");
    }
    return true;
}

/* --- root ------------------------------------------------------------------------------------- */

static bool spki_in(const struct spki *list, size_t count, const struct spki *key)
{
    for (size_t i = 0; i < count; i++) {
        if (spki_equal(&list[i], key)) {
            return true;
        }
    }
    return false;
}

/* How many of the root's valid signers are in (or, inverted, outside of) a list. */
static int64_t signers_in(const struct sig_count *own, const struct spki *list, size_t count,
                          bool inside)
{
    int64_t n = 0;
    for (int i = 0; i < own->signer_count; i++) {
        n += spki_in(list, count, &own->signers[i]) == inside ? 1 : 0;
    }
    return n;
}

static bool pin_equals(const struct tuf_doc *root, const struct spki *pin, size_t pin_count)
{
    struct spki *keys = NULL;
    size_t count = trust_root_spkis(root, &keys);
    bool equal = count == pin_count;
    for (size_t i = 0; equal && i < count; i++) {
        equal = spki_in(pin, pin_count, &keys[i]);
    }
    free(keys);
    return equal;
}

static void count_own(struct check *c, const struct tuf_doc *root, struct sig_count *own)
{
    struct root_rules rules = {
        .gun = c->f->stored->gun, .now_us = c->f->now_us, .check_dates = true};
    tuf_count_signatures(root, root, &root->root, &rules, own);
}

/* gate.md 11.1: whose key may begin a repository. */
static bool check_first_root(struct check *c, const struct tuf_doc *root,
                             const struct sig_count *own)
{
    const struct publish_facts *f = c->f;
    if (f->keep_pin_count > 0 && !pin_equals(root, f->keep_pin, f->keep_pin_count)) {
        return refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadRoot", "root_pinned",
                      "this repository was wiped with its pin kept: only a root with the same root "
                      "keys may begin it again");
    }
    if (f->roots_restricted &&
        signers_in(own, f->accepted_roots, f->accepted_root_count, true) < own->threshold) {
        return refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadRoot", "root_pinned",
                      "the root key is none that this namespace accepts; an owner can publish it, "
                      "or add the key");
    }
    return true;
}

static bool check_root_keys(struct check *c, const struct tuf_doc *root)
{
    struct sig_count own = {0};
    count_own(c, root, &own);
    c->checks += own.checks;
    if (c->f->stored->revoked_count > 0 &&
        signers_in(&own, c->f->stored->revoked, c->f->stored->revoked_count, false) <
            own.threshold) {
        return refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadRoot", "root_key_revoked",
                      "the root is signed by a key that an administrator revoked");
    }
    return c->stored_root || check_first_root(c, root, &own);
}

/* Equal versions are told as VERSION at the end, but only to who holds the current root's keys. */
static bool check_same_version(struct check *c, const struct tuf_doc *root)
{
    struct root_rules rules = {.gun = c->f->stored->gun, .now_us = c->f->now_us};
    struct sig_count by_current = {0};
    tuf_count_signatures(root, c->stored_root, &c->stored_root->root, &rules, &by_current);
    c->checks += by_current.checks;
    if (!sig_count_met(&by_current)) {
        return refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadRoot", "root_changed",
                      "root %lld is there already, and this one is not signed by its keys",
                      (long long)root->version);
    }
    c->same_version = true;
    c->root = root;
    return true;
}

static bool check_uploaded_root(struct check *c, const struct upload *u)
{
    struct err why = {0};
    if (u->fault != DOC_OK) {
        return refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadRoot", "bad_trust_data", "root: %s",
                      u->why.msg);
    }
    if (u->doc->duplicate_signature) {
        return refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadRoot", "bad_trust_data",
                      "the root carries two signatures with one key id");
    }
    if (c->stored_root && u->doc->version == c->stored_root->version) {
        return check_same_version(c, u->doc);
    }
    if (!trust_root_follows(c->stored_root, u->doc, c->f->stored->gun, c->f->now_us, true, &why)) {
        return refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadRoot",
                      c->stored_root ? "root_changed" : "bad_trust_data", "%s", why.msg);
    }
    c->root = u->doc;
    c->v->first_root = !c->stored_root;
    return check_root_keys(c, u->doc);
}

/* How many of the keys that a root lists for a server role the server holds. */
static size_t held_keys(const struct check *c, const struct tuf_role_keys *keys,
                        enum role_kind role)
{
    size_t held = 0;
    for (size_t i = 0; i < keys->key_count; i++) {
        const struct tuf_key *key = tuf_doc_key(c->root, slice_str(keys->key_ids[i]));
        struct spki spki = key ? tuf_key_spki(key) : (struct spki){{0}};
        held += key && c->f->holds && c->f->holds(c->f->holds_arg, role, keys->key_ids[i], &spki)
                    ? 1
                    : 0;
    }
    return held;
}

static bool check_timestamp_keys(struct check *c)
{
    const struct tuf_role_keys *keys = &c->root->timestamp;
    size_t held = held_keys(c, keys, ROLE_TIMESTAMP);
    if (held == keys->key_count && (int64_t)held >= keys->threshold) {
        return true;
    }
    if (c->f->timestamp_key_id) {
        return refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadRoot", "", "timestamp key must be %s",
                      c->f->timestamp_key_id);
    }
    return refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadRoot", "",
                  "no  timestamp keys exist on the server");
}

static bool check_root(struct check *c)
{
    const struct upload *u = upload_of(c, "root");
    c->root = c->stored_root;
    if (!u && !c->stored_root) {
        return refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrValidation", "",
                      "no pre-existing root and no root provided in update.");
    }
    if (u && !check_uploaded_root(c, u)) {
        return false;
    }
    return c->same_version || check_timestamp_keys(c);
}

/* --- targets and delegations ------------------------------------------------------------------ */

static bool count_checks(struct check *c, const struct tuf_doc *doc)
{
    if (c->checks + (int)doc->signature_count > CHECKS_MAX) {
        return refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrValidation", "",
                      "the upload needs more than %d signature checks", CHECKS_MAX);
    }
    return true;
}

/* Adds to the tree what the documents of node `index` delegate and what has metadata. */
static bool grow_tree(struct check *c, size_t index)
{
    const struct tuf_doc *doc = c->nodes[index].doc;
    for (size_t i = 0; i < doc->delegation_count; i++) {
        const struct tuf_delegation *d = &doc->delegations[i];
        const struct upload *u = upload_of(c, d->name);
        const struct tuf_doc *child = effective(c, d->name);
        if (role_depth(slice_str(d->name)) > ROLE_DEPTH_MAX) {
            return refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadTargets", "",
                          "%s: delegations go at most %d levels deep", d->name, ROLE_DEPTH_MAX);
        }
        if (++c->listed >= TRUST_ROLES_MAX) {
            return refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadTargets", "", "more than %d roles",
                          TRUST_ROLES_MAX);
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
            return refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadTargets", "bad_trust_data", "%s: %s",
                          u->role, u->why.msg);
        }
    }
    return true;
}

static bool build_tree(struct check *c)
{
    const struct tuf_doc *targets = effective(c, "targets");
    if (!targets) {
        c->v->missing_snapshot = false;
        return refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadHierarchy", "",
                      "targets must be loaded first");
    }
    c->nodes = xcalloc(TRUST_ROLES_MAX + 1, sizeof *c->nodes);
    c->nodes[c->node_count++] =
        (struct node){.doc = targets, .uploaded = upload_of(c, "targets") != NULL};
    for (size_t i = 0; i < c->node_count; i++) {
        if (!grow_tree(c, i)) {
            return false;
        }
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
        return refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadTargets", "bad_trust_data",
                      "%s carries two signatures with one key id", role);
    }
    if (n->doc->signature_count == 0) {
        return refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadTargets", "bad_trust_data",
                      "tuf: data has no signatures: %s", role);
    }
    if (!sig_count_met(count)) {
        return refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadTargets", "threshold",
                      "valid signatures did not meet threshold for %s: %d of %lld", role,
                      count->valid, (long long)count->threshold);
    }
    if (n->parent && !c->nodes[n->parent_index].valid) {
        return refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadTargets", "",
                      "%s: its parent %s has no valid signature any more", role, n->parent->role);
    }
    if (n->parent && is_past(c, n->doc)) {
        return refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadTargets", "",
                      "%s: this document is of an earlier life of the role; sign a new one", role);
    }
    return true;
}

static bool check_node(struct check *c, struct node *n)
{
    struct sig_count count = {0};
    if (!count_checks(c, n->doc)) {
        return false;
    }
    tuf_count_signatures(n->doc, n->parent ? n->parent : c->root,
                         n->listed ? &n->listed->keys : &c->root->targets, NULL, &count);
    c->checks += count.checks;
    n->valid = sig_count_met(&count) && (!n->parent || c->nodes[n->parent_index].valid);
    if (n->uploaded) {
        return check_uploaded_node(c, n, &count);
    }
    if (!n->parent && !n->valid) {
        return refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadTargets", "threshold",
                      "the stored targets is not signed by the targets keys of this root; publish "
                      "a new targets with it");
    }
    if (!n->valid) {
        warn(c,
             "%s has no valid signature by its present keys; tags in its paths are refused until "
             "it is signed again",
             n->doc->role);
    }
    return true;
}

static bool in_tree(const struct check *c, const char *role)
{
    for (size_t i = 0; i < c->node_count; i++) {
        if (strcmp(c->nodes[i].doc->role, role) == 0) {
            return true;
        }
    }
    return false;
}

static bool check_targets(struct check *c)
{
    if (!read_faults(c) || !build_tree(c)) {
        return false;
    }
    for (size_t i = 0; i < c->node_count; i++) {
        if (!check_node(c, &c->nodes[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < c->upload_count; i++) {
        const struct upload *u = &c->uploads[i];
        if (u->kind == ROLE_DELEGATION && !in_tree(c, u->role)) {
            return refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadTargets", "",
                          "tuf: invalid role %s. delegation does not exist", u->role);
        }
    }
    return true;
}

/* --- versions, expiry ------------------------------------------------------------------------- */

static int64_t seen_version(const struct check *c, const char *role)
{
    for (size_t i = 0; i < c->f->stored->seen_count; i++) {
        if (strcmp(c->f->stored->seen[i].role, role) == 0) {
            return c->f->stored->seen[i].version;
        }
    }
    return 0;
}

static bool check_versions(struct check *c)
{
    if (c->same_version) {
        return refuse(c, ERR_TRUST_VERSION, "ErrValidation", "",
                      "root version %lld was published already", (long long)c->root->version);
    }
    for (size_t i = 0; i < c->upload_count; i++) {
        const struct upload *u = &c->uploads[i];
        if (u->kind == ROLE_ROOT || !u->doc) {
            continue; /* the root's step is exact; a snapshot that does not read is told later */
        }
        int64_t seen = seen_version(c, u->role);
        if (u->doc->version <= seen) {
            return refuse(
                c, ERR_TRUST_VERSION, "ErrValidation", "",
                "%s version %lld was published already (the newest is %lld); publish again",
                u->role, (long long)u->doc->version, (long long)seen);
        }
        if (u->doc->version - seen > PUBLISH_VERSION_STEP) {
            return refuse(c, ERR_TRUST_INVALID_UPDATE, errname_of(u->kind), "",
                          "%s: version step too large, from %lld to %lld; at most %d", u->role,
                          (long long)seen, (long long)u->doc->version, PUBLISH_VERSION_STEP);
        }
    }
    return true;
}

static bool check_expiry(struct check *c)
{
    for (size_t i = 0; i < c->upload_count; i++) {
        const struct upload *u = &c->uploads[i];
        if (!u->doc) {
            continue;
        }
        if (u->doc->expires_us <= c->f->now_us) {
            return refuse(c, ERR_TRUST_INVALID_UPDATE, errname_of(u->kind), "", "%s expired at %s",
                          u->role, u->doc->expires);
        }
        if (c->f->max_lifetime_us > 0 &&
            u->doc->expires_us - c->f->now_us > c->f->max_lifetime_us) {
            return refuse(c, ERR_TRUST_INVALID_UPDATE, errname_of(u->kind), "",
                          "%s expires at %s, beyond the longest lifetime that this server accepts",
                          u->role, u->doc->expires);
        }
    }
    return true;
}

/* --- snapshot --------------------------------------------------------------------------------- */

static bool check_listed(struct check *c, const struct tuf_doc *snapshot, const struct tuf_doc *doc)
{
    const struct tuf_meta *meta = tuf_doc_meta(snapshot, slice_str(doc->role));
    if (!meta) {
        return refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadSnapshot", "",
                      "the snapshot does not list %s", doc->role);
    }
    if (!tuf_hashes_match(&meta->file, doc)) {
        return refuse(
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
        return refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadSnapshot", "bad_trust_data",
                      "snapshot: %s", u->why.msg);
    }
    if (u->doc->duplicate_signature) {
        return refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadSnapshot", "bad_trust_data",
                      "the snapshot carries two signatures with one key id");
    }
    if (!count_checks(c, u->doc)) {
        return false;
    }
    tuf_count_signatures(u->doc, c->root, &c->root->snapshot, NULL, &count);
    if (!sig_count_met(&count)) {
        return refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadSnapshot", "threshold",
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

static bool check_snapshot(struct check *c)
{
    const struct upload *u = upload_of(c, "snapshot");
    const struct tuf_role_keys *keys = &c->root->snapshot;
    if (u) {
        return check_uploaded_snapshot(c, u);
    }
    if ((int64_t)held_keys(c, keys, ROLE_SNAPSHOT) < keys->threshold) {
        c->v->missing_snapshot = true;
        return refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadHierarchy", "",
                      "no snapshot was included in update and server does not hold current "
                      "snapshot key for repository");
    }
    c->v->make_snapshot = true;
    return true;
}

/* --- result ----------------------------------------------------------------------------------- */

/* gate.md 5.1: a tag withdrawn from targets/releases whose old entry in targets stays will be
 * refused as revoked. */
static void warn_stale_targets(struct check *c)
{
    const struct tuf_doc *before = stored_of(c, "targets/releases");
    const struct tuf_doc *after = effective(c, "targets/releases");
    const struct tuf_doc *targets = c->nodes[0].doc;
    for (size_t i = 0; before && i < before->target_count; i++) {
        struct slice name = {before->target_list[i].name, before->target_list[i].name_n};
        bool kept = after && in_tree(c, "targets/releases") && tuf_doc_target(after, name);
        if (!kept && tuf_doc_target(targets, name)) {
            warn(c, "%.100s is withdrawn from targets/releases but still listed in targets",
                 before->target_list[i].name);
        }
    }
}

/* attacks K-09: the prefix matches as the clients match it, other people's names included. */
static void warn_wide_certificates(struct check *c)
{
    const struct tuf_doc *root = upload_of(c, "root") ? c->root : NULL;
    for (size_t i = 0; root && i < root->root.key_count; i++) {
        const struct tuf_key *key = tuf_doc_key(root, slice_str(root->root.key_ids[i]));
        const struct tuf_cert *cert = key ? tuf_key_cert(key) : NULL;
        struct slice name = slice_str(cert && cert->common_name ? cert->common_name : "");
        if (slice_ends(name, "*") && !slice_ends(name, "/*")) {
            warn(c,
                 "a root certificate is for %.100s: that covers every name that begins so; end the "
                 "prefix in /",
                 cert->common_name);
        }
    }
}

static void take_documents(struct check *c)
{
    struct publish_verdict *v = c->v;
    v->docs = xcalloc(c->upload_count + 1, sizeof(struct tuf_doc *));
    for (int root_first = 1; root_first >= 0; root_first--) {
        for (size_t i = 0; i < c->upload_count; i++) {
            if ((c->uploads[i].kind == ROLE_ROOT) == (root_first == 1)) {
                v->docs[v->doc_count++] = take(c->uploads[i].doc);
            }
        }
    }
}

static void accept(struct check *c)
{
    struct publish_verdict *v = c->v;
    v->code = ERR_NONE;
    v->root = c->root;
    v->targets = c->nodes[0].doc;
    v->tree = xcalloc(c->node_count, sizeof(struct tuf_doc *));
    for (size_t i = 0; i < c->node_count; i++) {
        v->tree[v->tree_count++] = c->nodes[i].doc;
    }
    v->ended_roles = xcalloc(v->stored_count + 1, sizeof(char *));
    for (size_t i = 0; i < v->stored_count; i++) {
        const char *role = v->stored_docs[i]->role;
        if (role_parse(slice_str(role)) == ROLE_DELEGATION && !in_tree(c, role)) {
            v->ended_roles[v->ended_count++] = role;
        }
    }
    if (c->root->expires_us - c->f->now_us < 180 * US_PER_DAY) {
        warn(c, "the root expires at %s", c->root->expires);
    }
    warn_wide_certificates(c);
    warn_stale_targets(c);
    take_documents(c);
}

static bool check_all(struct check *c)
{
    return check_parts(c) && check_stored(c) && check_rights(c) && check_root(c) &&
           check_targets(c) && check_versions(c) && check_expiry(c) && check_snapshot(c);
}

void publish_check(const struct publish_facts *facts, struct publish_verdict **out)
{
    struct publish_verdict *v = xcalloc(1, sizeof *v);
    struct check c = {.f = facts, .v = v};
    v->code = ERR_TRUST_INVALID_UPDATE; /* until every step has passed */
    (void)snprintf(v->errname, sizeof v->errname, "ErrValidation");
    if (check_all(&c)) {
        v->errname[0] = '\0';
        accept(&c);
    }
    for (size_t i = 0; i < c.upload_count; i++) {
        tuf_doc_free(c.uploads[i].doc);
    }
    free(c.uploads);
    free(c.nodes);
    *out = v;
}

static void free_docs(struct tuf_doc **docs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        tuf_doc_free(docs[i]);
    }
    free(docs);
}

void publish_verdict_free(struct publish_verdict *verdict)
{
    if (!verdict) {
        return;
    }
    free_docs(verdict->docs, verdict->doc_count);
    free_docs(verdict->stored_docs, verdict->stored_count);
    free(verdict->tree);
    free(verdict->ended_roles);
    free(verdict);
}

const char *publish_verdict_word(const struct publish_verdict *verdict)
{
    switch ((int)verdict->code) {
    case ERR_NONE:
        return "";
    case ERR_TRUST_VERSION:
        return "VERSION";
    case ERR_TRUST_INVALID_ROLE:
        return "INVALID_ROLE";
    case ERR_TRUST_MALFORMED_UPLOAD:
        return "MALFORMED_UPLOAD";
    default:
        return verdict->errname[0] ? verdict->errname : "UNAUTHORIZED";
    }
}
