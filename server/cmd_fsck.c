#include "base/hash.h"
#include "server/cmd.h"
#include "storage/audit.h"
#include "storage/blob.h"
#include "storage/manifest.h"
#include "storage/tag.h"

#include <stdio.h>
#include <sys/stat.h>

#define PAGE 500

/* What was looked at, and how much of it is wrong. Everything wrong is one line on stdout. */
struct check {
    struct store *store;
    int64_t repositories, manifests, blobs, entries, problems;
};

static void problem(struct check *c, const struct repository *repo, const struct digest *digest,
                    const char *what)
{
    char text[DIGEST_STR_MAX];
    c->problems++;
    (void)printf("%s %s %s\n", repo->name.text, digest_format(digest, text), what);
}

static void check_file(struct check *c, const struct repository *repo, const struct digest *digest,
                       int64_t size)
{
    struct err err = {0};
    struct stat st;
    auto_fd int fd = blob_open(c->store, digest, &err);
    c->blobs++;
    if (fd < 0) {
        problem(c, repo, digest, "the file of the blob is missing");
    } else if (fstat(fd, &st) != 0 || st.st_size != size) {
        problem(c, repo, digest, "the file of the blob has another size than the index says");
    }
}

static bool check_manifest(struct check *c, struct db_tx *tx, const struct repository *repo,
                           const struct digest *digest, struct err *err);

/* What was never pushed (foreign layers, sparse manifests, subjects) is no fault. */
static bool check_edge(struct check *c, struct db_tx *tx, const struct repository *repo,
                       const struct edge *edge, struct err *err)
{
    struct blob blob;
    struct err absent = {0};
    bool here = false;
    switch (edge->kind) {
    case EDGE_SUBJECT:
        return true;
    case EDGE_CHILD:
        return manifest_exists(tx, repo->id, &edge->digest, &here, err) &&
               (!here || check_manifest(c, tx, repo, &edge->digest, err));
    case EDGE_CONFIG:
    case EDGE_LAYER:
    case EDGE_BLOB:
        break;
    }
    if (blob_get(tx, repo->id, &edge->digest, &blob, &absent)) {
        check_file(c, repo, &edge->digest, blob.size);
    }
    return true;
}

/* A manifest cannot name itself: its digest would have to hold its own hash. So the walk ends. */
static bool check_manifest(struct check *c, struct db_tx *tx, const struct repository *repo,
                           const struct digest *digest, struct err *err)
{
    auto_manifest struct manifest *m = NULL;
    auto_edge_list struct edge_list edges = {0};
    struct digest real;
    struct err absent = {0};
    c->manifests++;
    if (!manifest_get(tx, repo->id, digest, &m, &absent)) {
        problem(c, repo, digest, "a tag points to it, but it is not there");
        return true;
    }
    hash_bytes(digest->algorithm, manifest_content(m), &real);
    if (!digest_equal(&real, digest)) {
        problem(c, repo, digest, "the stored manifest hashes to something else");
    }
    bool ok = manifest_edges(tx, repo->id, digest, &edges, err);
    for (size_t i = 0; ok && i < edges.count; i++) {
        ok = check_edge(c, tx, repo, &edges.items[i], err);
    }
    return ok;
}

static bool check_repository(struct check *c, struct db_tx *tx, const struct repository *repo,
                             struct err *err)
{
    auto_buf struct buf last = {0};
    bool more = true;
    c->repositories++;
    while (more) {
        auto_tag_list struct tag_list tags = {0};
        if (!tag_list(tx, repo->id, buf_slice_of(&last), PAGE, &tags, err)) {
            return false;
        }
        for (size_t i = 0; i < tags.count; i++) {
            if (!check_manifest(c, tx, repo, &tags.items[i].tag.digest, err)) {
                return false;
            }
        }
        more = tags.more && tags.count > 0;
        if (more) {
            buf_clear(&last);
            buf_slice(&last, tag_name_slice(&tags.items[tags.count - 1].name));
        }
    }
    return true;
}

static bool check_repositories(struct check *c, struct db_tx *tx, struct err *err)
{
    const struct reader everybody = {.all = true, .signed_in = true};
    auto_buf struct buf last = {0};
    bool more = true;
    while (more) {
        auto_repository_list struct repository_list page = {0};
        if (!repository_list(tx, &everybody, buf_slice_of(&last), PAGE, &page, err)) {
            return false;
        }
        for (size_t i = 0; i < page.count; i++) {
            if (!check_repository(c, tx, &page.items[i], err)) {
                return false;
            }
        }
        more = page.more && page.count > 0;
        if (more) {
            buf_clear(&last);
            buf_slice(&last, repo_name_slice(&page.items[page.count - 1].name));
        }
    }
    return true;
}

static bool check_audit(struct check *c, struct db_tx *tx, struct err *err)
{
    int64_t bad = 0;
    if (!audit_verify(tx, 0, INT32_MAX, &bad, err)) {
        return false;
    }
    if (bad != 0) {
        c->problems++;
        (void)printf("audit %lld the chain of the audit log is broken here\n", (long long)bad);
    }
    return true;
}

static bool check_all(struct check *c, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    return db_snapshot(store_db(c->store), &tx, err) && check_repositories(c, tx, err) &&
           check_audit(c, tx, err);
}

int cmd_fsck(int argc, char **argv)
{
    struct config *config = NULL;
    struct check c = {0};
    struct err err = {0};
    int status = cmd_config(
        argc, argv,
        "Checks that what tags reach is in the index and on disk, and that the audit log is whole. "
        "Needs the folder for itself. Exit status 1 when something is wrong.",
        &config);
    if (status >= 0) {
        return status;
    }
    bool ok = store_open(config->data_dir, &c.store, &err) && check_all(&c, &err);
    store_close(c.store);
    config_free(config);
    if (!ok) {
        return cmd_fail(&err);
    }
    (void)printf("repositories %lld\nmanifests %lld\nblobs %lld\nproblems %lld\n",
                 (long long)c.repositories, (long long)c.manifests, (long long)c.blobs,
                 (long long)c.problems);
    return c.problems == 0 ? 0 : 1;
}
