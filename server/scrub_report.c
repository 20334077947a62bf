#include "server/scrub_report.h"

#include "base/clock.h"
#include "storage/blob.h"

static const char *const states[] = {
    [SCRUB_IDLE] = "idle", [SCRUB_BLOBS] = "blobs", [SCRUB_MANIFESTS] = "manifests"};

static json_t *time_or_null(int64_t us)
{
    char text[TIME_STR_MAX];
    return us == 0 ? json_null() : json_string(time_format(us - us % US_PER_SECOND, text));
}

json_t *scrub_report_round(struct db_tx *tx, struct err *err)
{
    struct scrub_round round;
    int64_t missing = 0;
    if (!scrub_round_get(tx, &round, err) || !blob_count_missing(tx, &missing, err)) {
        return NULL;
    }
    return json_pack("{s:s, s:i, s:o, s:o, s:I, s:I, s:I, s:I, s:I}", "state", states[round.phase],
                     "percent", scrub_round_percent(&round), "started",
                     time_or_null(round.started_us), "finished", time_or_null(round.finished_us),
                     "blobs", (json_int_t)round.blobs, "manifests", (json_int_t)round.manifests,
                     "bytes", (json_int_t)round.bytes, "findings", (json_int_t)round.findings,
                     "missing", (json_int_t)missing);
}

static json_t *user_json(const struct blob_user *user)
{
    char digest[DIGEST_STR_MAX];
    json_t *out = json_pack("{s:s}", "repository", user->repository);
    if (digest_is_set(&user->manifest)) {
        (void)json_object_set_new(out, "manifest",
                                  json_string(digest_format(&user->manifest, digest)));
        (void)json_object_set_new(out, "tags", json_string(user->tags));
    }
    return out;
}

static json_t *blob_json(struct db_tx *tx, const struct missing_blob *blob, struct err *err)
{
    char digest[DIGEST_STR_MAX];
    auto_blob_user_list struct blob_user_list users = {0};
    if (!blob_users(tx, &blob->digest, SCRUB_USERS_MAX, &users, err)) {
        return NULL;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < users.count; i++) {
        (void)json_array_append_new(list, user_json(&users.items[i]));
    }
    return json_pack("{s:s, s:I, s:o, s:o, s:b}", "digest", digest_format(&blob->digest, digest),
                     "size", (json_int_t)blob->size, "since", time_or_null(blob->missing_us),
                     "users", list, "more_users", (int)users.more);
}

json_t *scrub_report_missing(struct db_tx *tx, const struct digest *after, struct err *err)
{
    char digest[DIGEST_STR_MAX];
    auto_missing_blob_list struct missing_blob_list page = {0};
    auto_json json_t *list = json_array();
    if (!blob_list_missing(tx, after, SCRUB_REPORT_PAGE, &page, err)) {
        return NULL;
    }
    for (size_t i = 0; i < page.count; i++) {
        json_t *blob = blob_json(tx, &page.items[i], err);
        if (blob == NULL) {
            return NULL;
        }
        (void)json_array_append_new(list, blob);
    }
    json_t *next = page.more
                       ? json_string(digest_format(&page.items[page.count - 1].digest, digest))
                       : json_null();
    return json_pack("{s:O, s:o}", "missing", list, "next", next);
}
