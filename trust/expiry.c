#include "trust/expiry.h"

#include "base/clock.h"
#include "storage/policy.h"
#include "trust/load.h"
#include "trust/policy.h"
#include "trust/trust_internal.h"
#include "trust/verify/notary_client.h"

/* --- keeping the table ------------------------------------------------------------------------ */

int64_t expiry_of_certificates(const struct tuf_doc *root, struct slice gun)
{
    const struct root_rules undated = {.gun = gun};
    struct sig_count own;
    tuf_count_signatures(root, root, &root->root, &undated, &own);
    return sig_count_end(&own);
}

/* The server renews a snapshot when it holds enough of the root's keys. */
static bool renews_snapshot(const struct tuf_doc *root, const struct trust_key_list *keys)
{
    int64_t held = 0;
    for (size_t i = 0; i < keys->count; i++) {
        held += strcmp(keys->items[i].role, "snapshot") == 0 &&
                tuf_role_lists_key(&root->snapshot, slice_str(keys->items[i].key_id));
    }
    return root->snapshot.threshold >= 1 && held >= root->snapshot.threshold;
}

static bool put_or_remove(struct db_tx *tx, int64_t repository_id, enum expiry_kind kind,
                          const char *role, bool ends, int64_t expires_us, struct err *err)
{
    return ends ? expiry_put(tx, repository_id, kind, slice_str(role), expires_us, err)
                : expiry_remove(tx, repository_id, kind, slice_str(role), err);
}

static bool note_root(struct db_tx *tx, int64_t repository_id, struct slice gun,
                      const struct tuf_doc *root, struct err *err)
{
    int64_t certificates = expiry_of_certificates(root, gun);
    return expiry_put(tx, repository_id, EXPIRY_ROOT, SLICE_LIT("root"), root->expires_us, err) &&
           put_or_remove(tx, repository_id, EXPIRY_CERTIFICATE, "root", certificates != INT64_MAX,
                         certificates, err);
}

static bool note_document(struct db_tx *tx, int64_t repository_id, struct slice gun,
                          const struct tuf_doc *root, const struct trust_key_list *keys,
                          const struct tuf_doc *doc, struct err *err)
{
    switch (doc->kind) {
    case ROLE_ROOT:
        return note_root(tx, repository_id, gun, doc, err);
    case ROLE_TARGETS:
        return expiry_put(tx, repository_id, EXPIRY_TARGETS, slice_str(doc->role), doc->expires_us,
                          err);
    case ROLE_DELEGATION:
        return expiry_put(tx, repository_id, EXPIRY_DELEGATION, slice_str(doc->role),
                          doc->expires_us, err);
    case ROLE_SNAPSHOT:
        return put_or_remove(tx, repository_id, EXPIRY_SNAPSHOT, doc->role,
                             !renews_snapshot(root, keys), doc->expires_us, err);
    case ROLE_TIMESTAMP: /* always the server's */
    case ROLE_NONE:
        return true;
    }
    BUG("a role of no kind");
}

bool expiry_note(struct db_tx *tx, int64_t repository_id, struct slice gun,
                 const struct tuf_doc *root, const struct trust_key_list *keys,
                 const struct tuf_doc *const *docs, size_t doc_count, struct err *err)
{
    for (size_t i = 0; i < doc_count; i++) {
        if (!note_document(tx, repository_id, gun, root, keys, docs[i], err)) {
            return false;
        }
    }
    return true;
}

bool expiry_note_unknown(struct db_tx *tx, int64_t repository_id, struct err *err)
{
    return expiry_put(tx, repository_id, EXPIRY_ROOT, SLICE_LIT("root"), 0, err);
}

/* --- what nobody looked at -------------------------------------------------------------------- */

static bool read_document(const struct trust_doc *row, struct tuf_doc **out, struct err *err)
{
    struct err why = {0};
    if (tuf_doc_read(slice_str(row->role), row->bytes, out, &why) != DOC_OK) {
        return err_internal(err, "a stored %s does not read: %s", row->role, why.msg);
    }
    return true;
}

static const struct tuf_doc *find_root(struct tuf_doc *const *docs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (docs[i]->kind == ROLE_ROOT) {
            return docs[i];
        }
    }
    return NULL;
}

static bool note_all(struct db_tx *tx, const struct repository *repo, struct slice gun,
                     const struct trust_doc_list *rows, const struct trust_key_list *keys,
                     struct err *err)
{
    auto_free struct tuf_doc **docs = xcalloc(rows->count + 1, sizeof *docs);
    size_t n = 0;
    bool ok = true;
    while (ok && n < rows->count) {
        ok = read_document(&rows->items[n], &docs[n], err);
        n += ok;
    }
    const struct tuf_doc *root = find_root(docs, n);
    ok = ok && root &&
         expiry_note(tx, repo->id, gun, root, keys, (const struct tuf_doc *const *)docs, n, err);
    for (size_t i = 0; i < n; i++) {
        tuf_doc_free(docs[i]);
    }
    return ok;
}

/* What does not read is told by fsck and by the gate; it is not looked at in each round again. */
static bool look_at(const struct trust *trust, struct db_tx *tx, int64_t repository_id,
                    struct err *err)
{
    auto_trust_doc_list struct trust_doc_list rows = {0};
    auto_trust_key_list struct trust_key_list keys = {0};
    auto_buf struct buf gun = {0};
    struct repository repo;
    struct err why = {0};
    if (!repository_get_by_id(tx, repository_id, &repo, err) ||
        !trust_doc_current(tx, repository_id, &rows, err) ||
        !trust_key_list(tx, repository_id, &keys, err)) {
        return false;
    }
    trust_gun_write(trust, &repo.name, &gun);
    return note_all(tx, &repo, buf_slice_of(&gun), &rows, &keys, &why) ||
           expiry_remove_role(tx, repository_id, (struct slice){0}, err);
}

struct look_arg {
    const struct trust *trust;
    int max;
    bool more;
};

static bool look(struct db_tx *tx, void *arg, struct err *err)
{
    struct look_arg *a = arg;
    auto_expiry_list struct expiry_list list = {0};
    if (!expiry_unknown(tx, a->max, &list, err)) {
        return false;
    }
    a->more = list.count == (size_t)a->max;
    for (size_t i = 0; i < list.count; i++) {
        if (!look_at(a->trust, tx, list.items[i].repository_id, err)) {
            return false;
        }
    }
    return true;
}

static bool any_unknown(struct trust *trust, bool *out, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_expiry_list struct expiry_list list = {0};
    bool ok = db_snapshot(trust->db, &tx, err) && expiry_unknown(tx, 1, &list, err);
    *out = list.count > 0;
    return ok;
}

bool expiry_look(struct trust *trust, int max, bool *more_out, struct err *err)
{
    struct look_arg arg = {.trust = trust, .max = max};
    bool any = false;
    *more_out = false;
    if (!any_unknown(trust, &any, err)) {
        return false;
    }
    bool ok = !any || db_write(trust->db, look, &arg, err);
    *more_out = arg.more;
    return ok;
}

/* --- how long ahead --------------------------------------------------------------------------- */

bool expiry_within(struct db_tx *tx, const struct repo_name *repo, const struct namespace_name *ns,
                   int64_t *us_out, struct err *err)
{
    auto_policy struct policy policy = {0};
    auto_policy_row struct policy_row row = {0};
    struct err why = {0};
    bool found = repo ? policy_row_find(tx, repo, &row, err)
                 : ns ? policy_row_find_scope(tx, ns->text, &row, err)
                      : policy_row_get(tx, "*", &row, err);
    if (!found) {
        return false;
    }
    if (!policy_read_text(slice_str(row.json), &policy, &why)) {
        return err_internal(err, "the stored policy of %s does not read: %s", row.scope, why.msg);
    }
    *us_out = policy.expiring_within_us;
    return true;
}

int64_t expiry_before(int64_t now_us, int64_t within_us)
{
    return within_us > INT64_MAX - now_us ? INT64_MAX : now_us + within_us;
}

/* --- who must act ----------------------------------------------------------------------------- */

/* NOTARY stands for the client with its server and its folder; GUN, REPO and ROLE for what they say. The
 * clients read nothing that has run out, and so cannot renew it: `late` takes it away first. They
 * pass over a delegation, and publish again what they remember of the others, unless the certificate
 * of its root has run out too (docs/gate.md). */
#define TAKE_AWAY "bond trust wipe REPO --confirm REPO --keep-pin && "
#define PUBLISH_AGAIN TAKE_AWAY "NOTARY publish GUN"
static const struct {
    const char *name, *what, *who, *command, *late;
} kinds[EXPIRY_KINDS + 1] = {
    [EXPIRY_ROOT] = {"root", "the root", "the holder of the root key",
                     "NOTARY key rotate GUN root", PUBLISH_AGAIN},
    [EXPIRY_CERTIFICATE] = {"root_certificate", "the certificate of the root key",
                            "the holder of the root key", "NOTARY key rotate GUN root",
                            TAKE_AWAY "rm -rf ~/.docker/trust/tuf/GUN/metadata ~/.docker/trust/tuf/GUN/changelist && "
                                      "DOCKER_CONTENT_TRUST=1 docker push GUN:TAG"},
    [EXPIRY_TARGETS] = {"targets", "targets", "the holder of the targets key",
                        "NOTARY witness -p GUN targets", PUBLISH_AGAIN},
    [EXPIRY_DELEGATION] = {"delegation", "", "", "NOTARY witness -p GUN ROLE", NULL},
    [EXPIRY_SNAPSHOT] = {"snapshot", "the snapshot", "the holder of the root key",
                         "NOTARY key rotate GUN snapshot -r", PUBLISH_AGAIN},
};

static bool is_late(const struct expiry *e, int64_t now_us)
{
    return kinds[e->kind].late && e->expires_us <= now_us;
}

const char *expiry_kind_name(enum expiry_kind kind)
{
    return kinds[kind].name;
}

void expiry_who(const struct expiry *e, int64_t now_us, struct buf *out)
{
    buf_str(out, is_late(e, now_us) ? "an owner, then " : "");
    if (e->kind == EXPIRY_DELEGATION) {
        buf_printf(out, "a signer of %s", e->role);
    } else {
        buf_str(out, kinds[e->kind].who);
    }
}

/* What stands for one of the four words at the start of `rest`; how long that word is, 0 for none. */
static size_t put_word(const struct trust *trust, const struct expiry *e, struct slice rest,
                       struct buf *out)
{
    if (slice_starts(rest, "NOTARY")) {
        notary_client_write(trust->host, out);
        return strlen("NOTARY");
    }
    if (slice_starts(rest, "GUN")) {
        trust_gun_write(trust, &e->repo, out);
        return strlen("GUN");
    }
    if (slice_starts(rest, "REPO")) {
        buf_str(out, e->repo.text);
        return strlen("REPO");
    }
    if (slice_starts(rest, "ROLE")) {
        buf_str(out, e->role);
        return strlen("ROLE");
    }
    return 0;
}

void expiry_command(const struct trust *trust, const struct expiry *e, int64_t now_us,
                    struct buf *out)
{
    struct slice rest = slice_str(is_late(e, now_us) ? kinds[e->kind].late : kinds[e->kind].command);
    while (rest.n > 0) {
        size_t taken = put_word(trust, e, rest, out);
        if (taken == 0) {
            taken = 1;
            buf_slice(out, slice_first(rest, taken));
        }
        rest = slice_from(rest, taken);
    }
}

void expiry_sentence(const struct trust *trust, const struct expiry *e, int64_t now_us,
                     struct buf *out)
{
    char when[TIME_STR_MAX];
    const char *what = e->kind == EXPIRY_DELEGATION ? e->role : kinds[e->kind].what;
    buf_printf(out, "%s %s %s; ", what, e->expires_us <= now_us ? "expired at" : "expires at",
               time_format(e->expires_us, when));
    expiry_who(e, now_us, out);
    buf_str(out, is_late(e, now_us) ? " run: " : " runs: ");
    expiry_command(trust, e, now_us, out);
}
