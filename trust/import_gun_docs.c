#include "trust/commit.h"
#include "trust/import_gun.h"

#include <errno.h>
#include <unistd.h>

static bool read_bytes(const struct taking *t, const struct import_doc *row, char *out,
                       struct err *err)
{
    size_t done = 0;
    while (done < row->length) {
        ssize_t got = pread(fileno(t->im->spool), out + done, row->length - done,
                            (off_t)row->offset + (off_t)done);
        if (got <= 0) {
            return err_sys(err, got < 0 ? errno : EIO, "reading the spool of an import");
        }
        done += (size_t)got;
    }
    return true;
}

static bool read_doc(const struct taking *t, const struct import_doc *row, const char *role,
                     struct tuf_doc **out, struct err *err)
{
    auto_free char *bytes = xmalloc((size_t)row->length + 1);
    struct err why = {0};
    if (row->damaged) {
        return err_set(err, ERR_INVALID,
                       "%s %lld is not what the old server stored (its hash says "
                       "so): the dump is damaged",
                       role, (long long)row->version);
    }
    if (!read_bytes(t, row, bytes, err)) {
        return false;
    }
    if (role_parse(slice_str(role)) == ROLE_NONE ||
        tuf_doc_read(slice_str(role), slice_of_bytes(bytes, row->length), out, &why) != DOC_OK) {
        return err_set(err, ERR_INVALID, "%s %lld: %s", role, (long long)row->version,
                       why.msg[0] ? why.msg : "there is no such role");
    }
    return (*out)->version == row->version ||
           err_set(err, ERR_INVALID, "%s %lld says that it is version %lld", role,
                   (long long)row->version, (long long)(*out)->version);
}

static struct tuf_doc *lister_of(const struct taking *t, struct slice role)
{
    for (size_t i = 0; i < t->lister_count; i++) {
        if (slice_is(role, t->listers[i]->role)) {
            return t->listers[i];
        }
    }
    return NULL;
}

/* What its parent of its time says of it; NULL: nothing. */
static const struct tuf_delegation *delegation_of(const struct taking *t, const struct tuf_doc *doc)
{
    const struct tuf_doc *lister = lister_of(t, role_parent(slice_str(doc->role)));
    return lister ? tuf_doc_delegation(lister, slice_str(doc->role)) : NULL;
}

/* Whether the keys of its time signed it. */
static bool count_signers(const struct taking *t, const struct tuf_doc *doc, struct sig_count *out)
{
    const struct tuf_doc *lister = t->root;
    const struct tuf_role_keys *keys = t->root ? &t->root->targets : NULL;
    if (doc->kind == ROLE_DELEGATION) {
        lister = lister_of(t, role_parent(slice_str(doc->role)));
        const struct tuf_delegation *listed = delegation_of(t, doc);
        keys = listed ? &listed->keys : NULL;
    }
    if (!keys) {
        return false;
    }
    tuf_count_signatures(doc, lister, keys, NULL, out);
    return sig_count_met(out);
}

static bool put_paths(struct taking *t, const struct tuf_doc *doc, int64_t when, struct err *err)
{
    for (size_t i = 0; i < doc->delegation_count; i++) {
        const struct tuf_delegation *d = &doc->delegations[i];
        const struct role_paths paths = {d->paths, d->path_count};
        if (!trust_commit_paths(t->tx, t->repo.id, slice_str(d->name), &paths, when, err)) {
            return false;
        }
    }
    return true;
}

static bool put_listing(struct taking *t, const struct tuf_doc *doc, int64_t when, struct err *err)
{
    struct sig_count count = {0};
    if (!count_signers(t, doc, &count)) {
        t->unsigned_count++;
        return true;
    }
    const struct tuf_delegation *listed = delegation_of(t, doc);
    const struct role_paths paths = {listed ? listed->paths : NULL, listed ? listed->path_count : 0};
    return trust_commit_listing(t->tx, t->repo.id, doc,
                                doc->kind == ROLE_DELEGATION ? &paths : &role_paths_all, &count,
                                when, err) &&
           put_paths(t, doc, when, err);
}

/* What is stored already: the same, or not to be touched. */
static bool check_stored(const struct taking *t, const struct trust_role_life *life,
                         const struct tuf_doc *doc, struct err *err)
{
    auto_trust_doc struct trust_doc stored = {0};
    struct err why = {0};
    if (doc->kind == ROLE_TIMESTAMP) {
        return true; /* both servers renew it; the higher one counts */
    }
    if (trust_doc_by_life(t->tx, t->repo.id, slice_str(doc->role), life->incarnation, doc->version,
                          &stored, &why) &&
        slice_equal(slice_of_bytes(stored.sha256, 32), slice_of_bytes(doc->sha256, 32))) {
        return true;
    }
    return err_set(err, ERR_INVALID, "%s %lld is another document here than in the dump", doc->role,
                   (long long)doc->version);
}

bool taking_put_doc(struct taking *t, const struct tuf_doc *doc, int64_t created_us, struct err *err)
{
    struct trust_doc_new row;
    struct err why = {0};
    if (created_us > t->last_us && created_us <= t->im->rq->now_us) {
        t->last_us = created_us;
    }
    trust_commit_row(doc, &row);
    if (!trust_doc_put(t->tx, t->repo.id, &row, t->last_us, &why)) {
        if (why.code == ERR_TRUST_VERSION) {
            return err_set(err, ERR_INVALID, "%s %lld comes after a higher version in the dump",
                           doc->role, (long long)doc->version);
        }
        *err = why;
        return false;
    }
    t->g->docs_put++;
    bool lists = doc->kind == ROLE_TARGETS || doc->kind == ROLE_DELEGATION;
    return !lists || put_listing(t, doc, t->last_us, err);
}

/* The document lists others from now on. Takes it. */
static void keep_lister(struct taking *t, struct tuf_doc *doc)
{
    if (doc->kind == ROLE_ROOT) {
        tuf_doc_free(t->root);
        t->root = doc;
        return;
    }
    for (size_t i = 0; i < t->lister_count; i++) {
        if (strcmp(t->listers[i]->role, doc->role) == 0) {
            tuf_doc_free(t->listers[i]);
            t->listers[i] = doc;
            return;
        }
    }
    if (doc->delegation_count == 0 || t->lister_count == TRUST_ROLES_MAX) {
        tuf_doc_free(doc);
        return;
    }
    t->listers = xrealloc(t->listers, (t->lister_count + 1) * sizeof *t->listers);
    t->listers[t->lister_count++] = doc;
}

static bool put_row(struct taking *t, const struct import_doc *row, struct err *err)
{
    const char *role = t->im->names[row->role];
    auto_doc struct tuf_doc *doc = NULL;
    if (!read_doc(t, row, role, &doc, err)) {
        return false;
    }
    const struct trust_role_life *life = trust_role_life_find(&t->before.lives, role);
    bool known = life && doc->version <= life->version;
    if (known ? !check_stored(t, life, doc, err) : !taking_put_doc(t, doc, row->created_us, err)) {
        return false;
    }
    if (doc->kind != ROLE_SNAPSHOT && doc->kind != ROLE_TIMESTAMP) {
        keep_lister(t, take(doc));
    }
    return true;
}

bool taking_put_docs(struct taking *t, struct err *err)
{
    for (size_t i = t->g->docs.from; i < t->g->docs.to; i++) {
        if (!put_row(t, &t->im->docs[i], err)) {
            return false;
        }
    }
    if (t->unsigned_count > 0) {
        taking_warn(t,
                    "%lld old documents are not signed by the keys of their time: they are kept, but do "
                    "not count as history",
                    (long long)t->unsigned_count);
    }
    return t->root || err_set(err, ERR_INVALID, "the dump has no root of it");
}
