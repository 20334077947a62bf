/* The pure rule of publishing (notary-api 9, attacks 5): the order of its steps, what they share, and the verdict. Each
 * check_ function is one step; false means that the verdict is written and no further step runs. */
#include "base/clock.h"
#include "trust/publish_internal.h"

#include <stdarg.h>
#include <stdio.h>

#define CHECKS_MAX TRUST_SIGNATURE_CHECKS_MAX
#define PARTS_MAX (TRUST_ROLES_MAX + 4)

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

bool publish_refuse(struct check *c, enum err_code code, const char *errname, const char *reason,
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

/* Two roles may list the same tag. */
static bool is_told(const struct publish_verdict *v, const char *text)
{
    for (int i = 0; i < v->warning_count; i++) {
        if (strcmp(v->warnings[i], text) == 0) {
            return true;
        }
    }
    return false;
}

void publish_warn(struct publish_verdict *v, const char *fmt, ...)
{
    va_list args;
    char text[sizeof v->warnings[0]];
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    make_printable(text);
    for (char *p = text; *p; p++) {
        *p = (*p == '"' || *p == '\\') ? '?' : *p; /* it becomes a quoted string of a header */
    }
    if (is_told(v, text)) {
        return;
    }
    if (v->warning_count >= PUBLISH_WARNINGS_MAX) {
        (void)snprintf(v->warnings[PUBLISH_WARNINGS_MAX], sizeof v->warnings[0], "and %d more",
                       ++v->more_warnings);
        v->warning_count = PUBLISH_WARNINGS_MAX + 1;
        return;
    }
    memcpy(v->warnings[v->warning_count++], text, sizeof text);
}

const char *publish_errname(enum role_kind kind)
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

const struct upload *publish_upload_of(const struct check *c, const char *role)
{
    for (size_t i = 0; i < c->upload_count; i++) {
        if (strcmp(c->uploads[i].role, role) == 0) {
            return &c->uploads[i];
        }
    }
    return NULL;
}

const struct tuf_doc *publish_stored_of(const struct check *c, const char *role)
{
    for (size_t i = 0; i < c->v->stored_count; i++) {
        if (strcmp(c->v->stored_docs[i]->role, role) == 0) {
            return c->v->stored_docs[i];
        }
    }
    return NULL;
}

const struct tuf_doc *publish_effective(const struct check *c, const char *role)
{
    const struct upload *u = publish_upload_of(c, role);
    return u ? u->doc : publish_stored_of(c, role);
}

bool publish_plan_checks(struct check *c, int checks)
{
    c->checks += checks;
    if (c->checks > CHECKS_MAX) {
        return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrValidation", "",
                              "the upload needs more than %d signature checks", CHECKS_MAX);
    }
    return true;
}

size_t publish_held_keys(const struct check *c, const struct tuf_role_keys *keys,
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

bool publish_check_signable(struct check *c, const struct tuf_role_keys *keys, const char *role)
{
    return keys->threshold <= SIG_SIGNERS_MAX ||
           publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrBadRoot", "",
                          "a document carries at most %d signatures, and the threshold of %s is %lld",
                          SIG_SIGNERS_MAX, role, (long long)keys->threshold);
}

/* --- reading parts ---------------------------------------------------------------------------- */

static bool read_part(struct check *c, const struct upload_part *part)
{
    struct upload *u = &c->uploads[c->upload_count];
    if (!part->has_name || part->role.n == 0) {
        return publish_refuse(c, ERR_TRUST_NO_FILENAME, "ErrValidation", "",
                              "a part of the upload carries no role name");
    }
    u->kind = role_parse(part->role);
    if (u->kind == ROLE_NONE) {
        return publish_refuse(c, ERR_TRUST_INVALID_ROLE, "ErrValidation", "",
                              "%.*s is no role name: a delegation is targets/NAME in small letters, "
                              "digits, - and _, at most %d levels deep",
                              (int)(part->role.n < 200 ? part->role.n : 200), part->role.p,
                              ROLE_DEPTH_MAX);
    }
    if (u->kind == ROLE_TIMESTAMP) {
        return true; /* the server makes it, whatever the part says */
    }
    (void)snprintf(u->name, sizeof u->name, "%.*s", SLICE_FMT(part->role));
    u->role = u->name;
    if (publish_upload_of(c, u->role)) {
        return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrValidation", "",
                              "the upload holds role %s twice", u->role);
    }
    u->fault = tuf_doc_read(part->role, part->bytes, &u->doc, &u->why);
    c->upload_count++;
    if (u->fault == DOC_NOT_JSON) {
        return publish_refuse(c, ERR_TRUST_MALFORMED_JSON, publish_errname(u->kind), "", "%s",
                              u->why.msg);
    }
    return true;
}

static bool check_parts(struct check *c)
{
    if (c->f->part_count > PARTS_MAX) {
        return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrValidation", "",
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
    if (trust_file_read(file, &doc, &why) != DOC_OK) {
        return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, "ErrValidation", "bad_trust_data",
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
    const struct upload *targets = publish_upload_of(c, "targets");
    const struct tuf_doc *stored = publish_stored_of(c, "targets");
    if (c->f->may_administer) {
        return true;
    }
    if (publish_upload_of(c, "root")) {
        return publish_refuse(c, ERR_UNAUTHORIZED, "", "",
                              "publishing a root needs trust administration of this repository");
    }
    if (targets && targets->doc && stored && !same_delegations(targets->doc, stored)) {
        return publish_refuse(c, ERR_UNAUTHORIZED, "", "",
                              "changing delegations needs trust administration of this repository");
    }
    return true;
}

/* --- versions, expiry ------------------------------------------------------------------------- */

int64_t publish_seen_version(const struct check *c, const char *role)
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
        return publish_refuse(c, ERR_TRUST_VERSION, "ErrValidation", "",
                              "root version %lld was published already; run the command again",
                              (long long)c->root->version);
    }
    for (size_t i = 0; i < c->upload_count; i++) {
        const struct upload *u = &c->uploads[i];
        if (u->kind == ROLE_ROOT || !u->doc) {
            continue; /* the root's step is exact; a snapshot that does not read is told later */
        }
        int64_t seen = publish_begins_anew(c->v, u->role) ? 0 : publish_seen_version(c, u->role);
        if (u->doc->version <= seen) {
            return publish_refuse(
                c, ERR_TRUST_VERSION, "ErrValidation", "",
                "%s version %lld was published already (the newest is %lld); publish again",
                u->role, (long long)u->doc->version, (long long)seen);
        }
        if (u->doc->version - seen > PUBLISH_VERSION_STEP) {
            return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, publish_errname(u->kind), "",
                                  "%s: version step too large, from %lld to %lld; at most %d",
                                  u->role, (long long)seen, (long long)u->doc->version,
                                  PUBLISH_VERSION_STEP);
        }
    }
    return true;
}

/* What clients sign for by themselves, and a day for clocks that differ (attacks 5.7). */
static int64_t usual_life_us(enum role_kind kind)
{
    return ((kind == ROLE_ROOT ? 3650 : 1095) + 1) * US_PER_DAY;
}

static bool lives_longer(const struct check *c, const struct upload *u, int64_t life_us)
{
    return u->doc && u->doc->expires_us - c->f->now_us > life_us;
}

static bool check_expiry(struct check *c)
{
    for (size_t i = 0; i < c->upload_count; i++) {
        const struct upload *u = &c->uploads[i];
        int64_t usual_us = usual_life_us(u->kind), max_us = c->f->max_lifetime_us;
        if (u->doc && u->doc->expires_us <= c->f->now_us) {
            return publish_refuse(c, ERR_TRUST_INVALID_UPDATE, publish_errname(u->kind), "",
                                  "%s expired at %s", u->role, u->doc->expires);
        }
        if (max_us > 0 && lives_longer(c, u, max_us > usual_us ? max_us : usual_us)) {
            return publish_refuse(
                c, ERR_TRUST_INVALID_UPDATE, publish_errname(u->kind), "",
                "%s expires at %s, beyond the longest lifetime that this server accepts "
                "(trust.max_lifetime); sign it for less",
                u->role, u->doc->expires);
        }
    }
    return true;
}

/* --- result ----------------------------------------------------------------------------------- */

/* gate.md 5.1: a tag withdrawn from targets/releases whose old entry in targets stays will be
 * refused as revoked. */
static void warn_stale_targets(struct check *c)
{
    const struct tuf_doc *before = publish_stored_of(c, "targets/releases");
    const struct tuf_doc *after = publish_effective(c, "targets/releases");
    const struct tuf_doc *targets = c->nodes[0].doc;
    for (size_t i = 0; before && i < before->target_count; i++) {
        struct slice name = {before->target_list[i].name, before->target_list[i].name_n};
        bool kept = after && publish_in_tree(c, "targets/releases") && tuf_doc_target(after, name);
        if (!kept && tuf_doc_target(targets, name)) {
            publish_warn(c->v, "%.100s is withdrawn from targets/releases but still listed in targets",
                         before->target_list[i].name);
        }
    }
}

/* attacks K-09: the prefix matches as the clients match it, other people's names included. */
static void warn_wide_certificates(struct check *c)
{
    const struct tuf_doc *root = publish_upload_of(c, "root") ? c->root : NULL;
    for (size_t i = 0; root && i < root->root.key_count; i++) {
        const struct tuf_key *key = tuf_doc_key(root, slice_str(root->root.key_ids[i]));
        const struct tuf_cert *cert = key ? tuf_key_cert(key) : NULL;
        struct slice name = slice_str(cert && cert->common_name ? cert->common_name : "");
        if (slice_ends(name, "*") && !slice_ends(name, "/*")) {
            publish_warn(
                c->v,
                "a root certificate is for %.100s: that covers every name that begins so; end the "
                "prefix in /",
                cert->common_name);
        }
    }
}

static void warn_long_lives(struct check *c)
{
    for (size_t i = 0; i < c->upload_count; i++) {
        const struct upload *u = &c->uploads[i];
        if (lives_longer(c, u, usual_life_us(u->kind))) {
            publish_warn(c->v,
                         "%.100s expires at %.40s, later than clients ever sign for: a stolen key "
                         "serves for as long",
                         u->role, u->doc->expires);
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
    v->ended_roles = xcalloc(v->stored_count + PUBLISH_RESETS_MAX + 1, sizeof(char *));
    for (size_t i = 0; i < v->anew_count; i++) {
        v->ended_roles[v->ended_count++] = v->anew[i];
    }
    for (size_t i = 0; i < v->stored_count; i++) {
        const char *role = v->stored_docs[i]->role;
        if (role_parse(slice_str(role)) == ROLE_DELEGATION && !publish_in_tree(c, role)) {
            v->ended_roles[v->ended_count++] = role;
        }
    }
    if (c->root->expires_us - c->f->now_us < 180 * US_PER_DAY) {
        publish_warn(c->v, "the root expires at %s", c->root->expires);
    }
    warn_long_lives(c);
    warn_wide_certificates(c);
    warn_stale_targets(c);
    take_documents(c);
}

static bool check_all(struct check *c)
{
    if (!check_parts(c) || !check_stored(c) || !check_rights(c) || !publish_check_root(c)) {
        return false;
    }
    publish_find_anew(c);
    return publish_check_targets(c) && check_versions(c) && check_expiry(c) &&
           publish_check_snapshot(c);
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
