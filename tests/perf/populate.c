/* Fills a data folder that `bondstore init` made, while no server has it open, through the functions
 * of storage/ that a push uses: populate DIR --repositories N --tags M [--tags-in-one T]
 *
 * N repositories s000/r000000 …, a hundredth of them in each of a hundred namespaces, share M tags
 * evenly; besides, s000/many has T tags t00000000 … (default 0). Three tags point to one manifest,
 * and each manifest names the same config and layer. Prints what it made, one "name value" a line.
 * Exit status 0, 1 when something failed, 2 on usage. */
#include "base/clock.h"
#include "base/hash.h"
#include "storage/blob.h"
#include "storage/manifest.h"
#include "storage/repository.h"
#include "storage/tag.h"
#include "storage/upload.h"

#include <stdio.h>

#define NAMESPACES 100
#define TAGS_PER_MANIFEST 3
#define TAGS_PER_WRITE 20000 /* bounds a transaction */
#define CONFIG "{}"
#define LAYER "abc"
#define TYPE_IMAGE "application/vnd.oci.image.manifest.v1+json"

struct image {
    struct manifest_put put;
    struct buf text;
};

struct job {
    struct store *store;
    int64_t repositories, tags, tags_in_one;
    struct actor actor;
    int64_t now_us;
    int64_t source_id; /* the repository that the blobs were pushed to */
    struct digest config, layer;
    struct image *images; /* the same ones in every repository */
    size_t image_count;
    /* the part that one transaction makes */
    int64_t from, to;
};

/* ---- images ---- */

static void put_descriptor(struct buf *b, const char *type, const struct digest *digest, size_t n)
{
    char text[DIGEST_STR_MAX];
    buf_printf(b, "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu}", type,
               digest_format(digest, text), n);
}

/* Image number i of every repository. */
static bool make_image(const struct job *job, size_t i, struct image *out, struct err *err)
{
    struct manifest_doc *doc = NULL;
    buf_str(&out->text, "{\"schemaVersion\":2,\"mediaType\":\"" TYPE_IMAGE "\",\"config\":");
    put_descriptor(&out->text, "application/vnd.oci.image.config.v1+json", &job->config,
                   strlen(CONFIG));
    buf_str(&out->text, ",\"layers\":[");
    put_descriptor(&out->text, "application/vnd.oci.image.layer.v1.tar+gzip", &job->layer,
                   strlen(LAYER));
    buf_printf(&out->text, "],\"annotations\":{\"number\":\"%zu\"}}", i);
    struct slice bytes = buf_slice_of(&out->text);
    if (!manifest_parse(bytes, slice_str(TYPE_IMAGE), &doc, err)) {
        return false;
    }
    out->put = (struct manifest_put){.doc = doc, .bytes = bytes};
    hash_bytes(DIGEST_SHA256, bytes, &out->put.digest);
    return true;
}

static size_t images_for(int64_t tags)
{
    return (size_t)((tags + TAGS_PER_MANIFEST - 1) / TAGS_PER_MANIFEST);
}

static bool make_images(struct job *job, struct err *err)
{
    size_t each = images_for(job->tags / job->repositories + 1);
    size_t one = images_for(job->tags_in_one);
    job->image_count = each > one ? each : one;
    job->images = xcalloc(job->image_count, sizeof(*job->images));
    for (size_t i = 0; i < job->image_count; i++) {
        if (!make_image(job, i, &job->images[i], err)) {
            return false;
        }
    }
    return true;
}

static void free_images(struct job *job)
{
    for (size_t i = 0; i < job->image_count; i++) {
        manifest_doc_free((struct manifest_doc *)job->images[i].put.doc);
        buf_dispose(&job->images[i].text);
    }
    free(job->images);
}

/* ---- names ---- */

static bool repository_name(const char *text, struct repo_name *out, struct err *err)
{
    return repo_name_parse(slice_str(text), out, err);
}

/* Spread so that neighbours by number are neighbours by name. */
static bool repository_number(const struct job *job, int64_t i, struct repo_name *out,
                              struct err *err)
{
    char text[64];
    long long ns = (long long)(i * NAMESPACES / job->repositories);
    (void)snprintf(text, sizeof(text), "s%03lld/r%06lld", ns, (long long)i);
    return repository_name(text, out, err);
}

/* ---- writing ---- */

static bool make_namespaces(struct db_tx *tx, void *arg, struct err *err)
{
    const struct job *job = arg;
    for (int i = 0; i < NAMESPACES; i++) {
        char text[32];
        struct namespace_name name;
        (void)snprintf(text, sizeof(text), "s%03d", i);
        if (!namespace_name_parse(slice_str(text), &name, err) ||
            !namespace_create(tx, &name, VISIBILITY_PRIVATE, 0, job->now_us, NULL, err)) {
            return false;
        }
    }
    return true;
}

static bool push_blob(const struct job *job, const char *text, struct digest *digest,
                      struct err *err)
{
    struct repo_name repo;
    struct upload *upload = NULL;
    hash_bytes(DIGEST_SHA256, slice_str(text), digest);
    if (!repository_name("s000/many", &repo, err) ||
        !upload_start(job->store, &repo, UPLOAD_SINGLE, &job->actor, job->now_us, &upload, err)) {
        return false;
    }
    bool ok = upload_append(upload, slice_str(text), job->now_us, err) &&
              upload_finish(upload, digest, job->now_us, NULL, err);
    upload_close(upload);
    return ok;
}

static bool mount(const struct job *job, struct db_tx *tx, int64_t repository_id,
                  const struct digest *digest, struct err *err)
{
    struct blob blob;
    return repository_id == job->source_id ||
           blob_mount(tx, repository_id, job->source_id, digest,
                      store_get_limits(job->store)->condemned_us, job->now_us, &blob, err);
}

/* Tags from … to-1 of a repository, with the manifests that they point to. */
static bool put_tags(const struct job *job, struct db_tx *tx, int64_t repository_id, int64_t from,
                     int64_t to, struct err *err)
{
    for (int64_t i = from; i < to; i++) {
        const struct manifest_put *put = &job->images[i / TAGS_PER_MANIFEST].put;
        char text[32];
        struct tag_name tag;
        (void)snprintf(text, sizeof(text), "t%08lld", (long long)i);
        if (!tag_name_parse(slice_str(text), &tag, err) ||
            !manifest_put(tx, repository_id, put, &job->actor, job->now_us, NULL, err) ||
            !tag_put(tx, repository_id, &tag, &put->digest, &job->actor, job->now_us, NULL, err)) {
            return false;
        }
    }
    return true;
}

static bool make_repository(const struct job *job, struct db_tx *tx, int64_t number,
                            struct err *err)
{
    struct repo_name name;
    struct repository repo;
    int64_t first = number * job->tags / job->repositories;
    int64_t end = (number + 1) * job->tags / job->repositories;
    return repository_number(job, number, &name, err) &&
           repository_ensure(tx, &name, job->now_us, &repo, NULL, err) &&
           mount(job, tx, repo.id, &job->config, err) && mount(job, tx, repo.id, &job->layer, err) &&
           put_tags(job, tx, repo.id, 0, end - first, err);
}

static bool make_repositories(struct db_tx *tx, void *arg, struct err *err)
{
    const struct job *job = arg;
    for (int64_t i = job->from; i < job->to; i++) {
        if (!make_repository(job, tx, i, err)) {
            return false;
        }
    }
    return true;
}

static bool make_many(struct db_tx *tx, void *arg, struct err *err)
{
    const struct job *job = arg;
    return put_tags(job, tx, job->source_id, job->from, job->to, err);
}

/* 0 … total in parts of `step`, a transaction each. */
static bool in_parts(struct job *job, db_write_fn fn, int64_t total, int64_t step, struct err *err)
{
    for (job->from = 0; job->from < total; job->from = job->to) {
        job->to = job->from + step < total ? job->from + step : total;
        if (!db_write(store_db(job->store), fn, job, err)) {
            return false;
        }
    }
    return true;
}

static bool find_source(struct job *job, struct err *err)
{
    struct repo_name name;
    struct repository repo;
    auto_snapshot struct db_tx *tx = NULL;
    if (!repository_name("s000/many", &name, err) || !db_snapshot(store_db(job->store), &tx, err) ||
        !repository_get(tx, &name, &repo, err)) {
        return false;
    }
    job->source_id = repo.id;
    return true;
}

static bool fill(struct job *job, struct err *err)
{
    int64_t step = TAGS_PER_WRITE / (job->tags / job->repositories + 1) + 1;
    return db_write(store_db(job->store), make_namespaces, job, err) &&
           push_blob(job, CONFIG, &job->config, err) && push_blob(job, LAYER, &job->layer, err) &&
           find_source(job, err) && make_images(job, err) &&
           in_parts(job, make_many, job->tags_in_one, TAGS_PER_WRITE, err) &&
           in_parts(job, make_repositories, job->repositories, step, err) &&
           db_checkpoint(store_db(job->store), err);
}

/* ---- arguments ---- */

static bool take_option(struct job *job, const char *name, const char *value)
{
    const struct {
        const char *name;
        int64_t *out;
    } options[] = {{"--repositories", &job->repositories},
                   {"--tags", &job->tags},
                   {"--tags-in-one", &job->tags_in_one}};
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        if (strcmp(name, options[i].name) == 0) {
            return slice_to_int64(slice_str(value), options[i].out) && *options[i].out >= 0;
        }
    }
    return false;
}

static bool read_arguments(struct job *job, int argc, char **argv)
{
    bool ok = argc >= 2 && argc % 2 == 0;
    for (int i = 2; ok && i < argc; i += 2) {
        ok = take_option(job, argv[i], argv[i + 1]);
    }
    return ok && job->repositories > 0;
}

int main(int argc, char **argv)
{
    struct job job = {.actor = {.name = "populate"}, .now_us = clock_now_us()};
    struct err err = {0};
    if (!read_arguments(&job, argc, argv)) {
        (void)fprintf(stderr, "usage: populate DIR --repositories N --tags M [--tags-in-one T]\n");
        return 2;
    }
    int64_t began_us = clock_mono_us();
    bool ok = store_open(argv[1], &job.store, &err) && fill(&job, &err);
    free_images(&job);
    store_close(job.store);
    if (!ok) {
        (void)fprintf(stderr, "populate: %s %s\n", err.msg, err.detail);
        return 1;
    }
    (void)printf("repositories %lld\ntags %lld\ntags_in_one %lld\nseconds %.1f\n",
                 (long long)job.repositories, (long long)job.tags, (long long)job.tags_in_one,
                 (double)(clock_mono_us() - began_us) / 1e6);
    return 0;
}
