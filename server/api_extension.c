#include "server/api.h"
#include "server/app.h"
#include "server/registry.h"
#include "trust/trust.h"

/* What this server has beyond the distribution specification (its "extensions/_oci.md": name, url, description,
 * endpoints). An endpoint is put together from what is before and after the place of the repository. */
enum extension_place {
    PLACE_SERVER,     /* /v2/… */
    PLACE_REPOSITORY, /* /v2/NAME/… */
    PLACE_GUN         /* /v2/HOST/NAME/… */
};

#define ENDPOINTS_MAX 2

struct extension {
    const char *name;
    enum extension_place place;
    const char *url;
    const char *description;
    const char *endpoints[ENDPOINTS_MAX]; /* after the place */
};

#define SPECIFICATION "https://github.com/opencontainers/distribution-spec/blob/main/extensions/"
#define NOTARY "https://github.com/notaryproject/notary"

static const struct extension extensions[] = {
    {"_oci",
     PLACE_SERVER,
     SPECIFICATION "_oci.md",
     "The extensions of this server.",
     {"_oci/ext/discover"}},
    {"_catalog",
     PLACE_SERVER,
     SPECIFICATION "README.md",
     "The repositories that the caller may read, in pages by n and last.",
     {"_catalog"}},
    {"_trust",
     PLACE_SERVER,
     NOTARY,
     "Notary v1 trust data of all repositories: what changed, for administrators.",
     {"_trust/changefeed"}},
    {"_oci",
     PLACE_REPOSITORY,
     SPECIFICATION "_oci.md",
     "The extensions of this repository.",
     {"_oci/ext/discover"}},
    {"_trust",
     PLACE_GUN,
     NOTARY,
     "Notary v1 trust data of this repository, under its name with the host before it.",
     {"_trust/tuf/", "_trust/changefeed"}},
};

static void put_endpoint(const struct request *rq, const struct extension *x, const char *rest,
                         struct buf *out)
{
    buf_str(out, "/v2/");
    if (x->place == PLACE_REPOSITORY) {
        buf_slice(out, repo_name_slice(&rq->repo));
        buf_char(out, '/');
    } else if (x->place == PLACE_GUN) {
        trust_gun_write(rq->app->trust, &rq->repo, out);
        buf_char(out, '/');
    }
    buf_str(out, rest);
}

static json_t *extension_json(const struct request *rq, const struct extension *x)
{
    json_t *endpoints = json_array();
    for (size_t i = 0; i < ENDPOINTS_MAX && x->endpoints[i] != NULL; i++) {
        auto_buf struct buf path = {0};
        put_endpoint(rq, x, x->endpoints[i], &path);
        (void)json_array_append_new(endpoints, json_string(path.p));
    }
    return json_pack("{s:s, s:s, s:s, s:o}", "name", x->name, "url", x->url, "description",
                     x->description, "endpoints", endpoints);
}

static void reply_extensions(const struct request *rq, struct reply *reply)
{
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++) {
        if ((extensions[i].place == PLACE_SERVER) != rq->has_repo) {
            (void)json_array_append_new(list, extension_json(rq, &extensions[i]));
        }
    }
    reply_json(reply, 200, json_pack("{s:o}", "extensions", list));
}

/* GET /v2/_oci/ext/discover */
void api_extensions_list(struct request *rq, struct reply *reply)
{
    reply_extensions(rq, reply);
}

/* GET /v2/NAME/_oci/ext/discover */
void api_extensions_of_repository(struct request *rq, struct reply *reply)
{
    auto_snapshot struct db_tx *tx = NULL;
    struct repository repo;
    struct err err = {0};
    if (!registry_open(rq, &tx, &repo, &err)) {
        return reply_error(reply, &err);
    }
    reply_extensions(rq, reply);
}
