#include "trust/make.h"

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "trust/trust_internal.h"

/* {"hashes":{"sha256","sha512"},"length"} */
static json_t *meta_of(const struct tuf_doc *doc)
{
    auto_buf struct buf sha256 = {0}, sha512 = {0};
    base64_encode(&sha256, slice_of_bytes(doc->sha256, sizeof doc->sha256));
    base64_encode(&sha512, slice_of_bytes(doc->sha512, sizeof doc->sha512));
    return json_pack("{s:{s:s, s:s}, s:I}", "hashes", "sha256", sha256.p, "sha512", sha512.p,
                     "length", (json_int_t)doc->bytes.n);
}

static bool sign_and_read(const struct trust *trust, const struct trust_loaded *loaded,
                          const struct tuf_role_keys *keys, enum role_kind role,
                          const json_t *signed_part, struct tuf_doc **out, struct err *err)
{
    const struct trust_key *held[SERVER_SIGNATURES_MAX];
    auto_buf struct buf wire = {0};
    struct err why = {0};
    struct slice name = role == ROLE_TIMESTAMP ? SLICE_LIT("timestamp") : SLICE_LIT("snapshot");
    size_t n = trust_loaded_keys(loaded, keys, role, held, SERVER_SIGNATURES_MAX);
    if (n == 0 || (int64_t)n < keys->threshold) {
        return err_internal(err, "the server holds %zu of %lld keys for %.*s", n,
                            (long long)keys->threshold, SLICE_FMT(name));
    }
    if (!trust_sign_document(trust->sealing, &loaded->repo, signed_part, held, n, &wire, err)) {
        return false;
    }
    if (tuf_doc_read(name, buf_slice_of(&wire), out, &why) != DOC_OK) {
        return err_internal(err, "a %.*s just made does not read: %s", SLICE_FMT(name), why.msg);
    }
    return true;
}

static json_t *signed_part(const char *type, json_t *meta, int64_t version, int64_t expires_us)
{
    char expires[TIME_STR_MAX];
    return json_pack("{s:s, s:s, s:o, s:I}", "_type", type, "expires",
                     time_format(expires_us, expires), "meta", meta, "version",
                     (json_int_t)version);
}

bool make_snapshot(const struct trust *trust, const struct trust_loaded *loaded,
                   const struct tuf_doc *root, const struct tuf_doc *const *docs, size_t doc_count,
                   int64_t version, int64_t now_us, struct tuf_doc **out, struct err *err)
{
    json_t *meta = json_object();
    for (size_t i = 0; i < doc_count; i++) {
        json_object_set_new(meta, docs[i]->role, meta_of(docs[i]));
    }
    auto_json json_t *part =
        signed_part("Snapshot", meta, version, now_us + trust->snapshot_life_us);
    return sign_and_read(trust, loaded, &root->snapshot, ROLE_SNAPSHOT, part, out, err);
}

bool make_snapshot_again(const struct trust *trust, const struct trust_loaded *loaded,
                         const struct tuf_doc *root, const struct tuf_doc *old, int64_t now_us,
                         struct tuf_doc **out, struct err *err)
{
    auto_json json_t *whole = NULL;
    if (!json_read(old->bytes, JSON_DEPTH_DEFAULT, &whole, err)) {
        return false;
    }
    json_t *meta = json_get_object(json_get_object(whole, "signed"), "meta");
    if (!meta) {
        return err_internal(err, "a verified snapshot has no meta");
    }
    auto_json json_t *part = signed_part("Snapshot", json_incref(meta), old->version + 1,
                                         now_us + trust->snapshot_life_us);
    return sign_and_read(trust, loaded, &root->snapshot, ROLE_SNAPSHOT, part, out, err);
}

bool make_timestamp(const struct trust *trust, const struct trust_loaded *loaded,
                    const struct tuf_doc *root, const struct tuf_doc *snapshot, int64_t version,
                    int64_t now_us, struct tuf_doc **out, struct err *err)
{
    json_t *meta = json_pack("{s:o}", "snapshot", meta_of(snapshot));
    auto_json json_t *part =
        signed_part("Timestamp", meta, version, now_us + trust->timestamp_life_us);
    return sign_and_read(trust, loaded, &root->timestamp, ROLE_TIMESTAMP, part, out, err);
}
