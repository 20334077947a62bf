#include "trust/artifact_payload.h"

#include "base/fsx.h"
#include "base/json.h"
#include "storage/blob.h"

/* POSIX.1-1988 ustar, as every tar reader checks it: the sum of a header's bytes, its own eight
 * counted as blanks, in octal. */
enum { TAR_HEADER_SIZE = 512, TAR_SUM_AT = 148, TAR_SUM_SIZE = 8 };
#define PAYLOAD_VALUES_MAX 200000

static bool is_tar_header(struct slice bytes)
{
    unsigned sum = 0, claimed = 0;
    bool digits = false;
    if (bytes.n < TAR_HEADER_SIZE) {
        return false;
    }
    for (size_t i = 0; i < TAR_HEADER_SIZE; i++) {
        bool own = i >= TAR_SUM_AT && i < TAR_SUM_AT + TAR_SUM_SIZE;
        sum += own ? ' ' : (unsigned char)bytes.p[i];
    }
    for (size_t i = TAR_SUM_AT; i < TAR_SUM_AT + TAR_SUM_SIZE; i++) {
        char c = bytes.p[i];
        if (c >= '0' && c <= '7') {
            claimed = claimed * 8 + (unsigned)(c - '0');
            digits = true;
        } else if (digits) {
            break;
        }
    }
    return digits && claimed == sum;
}

bool artifact_payload_is_document(struct slice bytes)
{
    auto_json json_t *json = NULL;
    return !is_tar_header(bytes) && json_is_within(bytes, PAYLOAD_VALUES_MAX) &&
           json_read(bytes, JSON_DEPTH_DEFAULT, &json, NULL) && json_is_object(json);
}

/* What is known of it from before in this request; NULL: nothing. */
static const struct artifact_judged *find_judged(const struct artifact_place *place,
                                                 const struct digest *digest)
{
    const struct artifact_reading *reading = place->reading;
    for (size_t i = 0; i < reading->judged_count && i < ARTIFACT_JUDGED_MAX; i++) {
        const struct artifact_judged *known = &reading->judged[i];
        if (known->repository_id == place->repository_id && digest_equal(&known->digest, digest)) {
            return known;
        }
    }
    return NULL;
}

static bool read_payload(const struct artifact_place *place, const struct digest *digest,
                         size_t max, struct buf *out, struct err *err)
{
    struct blob blob;
    if (!blob_get(place->tx, place->repository_id, digest, &blob, err)) {
        return false;
    }
    if (blob.size < 0 || (uint64_t)blob.size > max) {
        return err_set(err, ERR_SIZE_INVALID, "the payload is larger than %zu bytes", max);
    }
    if (!artifact_may_read(place->reading, (size_t)blob.size)) {
        return err_set(err, ERR_SIZE_INVALID, "the request has read as many payloads as it may");
    }
    auto_fd int fd = blob_open(place->store, place->tx, digest, err);
    return fd >= 0 && fsx_read_open(fd, "a payload", max, out, err);
}

/*   out   what is known of it now; NULL: it is not here, or may not be read. False only on failure */
static bool judge(const struct artifact_place *place, const struct digest *digest, size_t max,
                  const struct artifact_judged **out, struct err *err)
{
    struct artifact_reading *reading = place->reading;
    auto_buf struct buf bytes = {0};
    struct err why = {0};
    *out = NULL;
    if (!read_payload(place, digest, max, &bytes, &why)) {
        bool undocumented = why.code == ERR_BLOB_UNKNOWN || why.code == ERR_SIZE_INVALID;
        if (!undocumented) {
            *err = why;
        }
        return undocumented;
    }
    struct artifact_judged *judged = &reading->judged[reading->judged_count++ % ARTIFACT_JUDGED_MAX];
    *judged = (struct artifact_judged){.repository_id = place->repository_id,
                                       .digest = *digest,
                                       .size = bytes.n,
                                       .document = artifact_payload_is_document(buf_slice_of(&bytes))};
    *out = judged;
    return true;
}

/* *left   bytes that the manifest may still have */
static bool look_at_payload(const struct artifact_place *place, const struct digest *digest,
                            size_t *left, bool *out, struct err *err)
{
    const struct artifact_judged *judged = find_judged(place, digest);
    if (!judged && !judge(place, digest, *left, &judged, err)) {
        return false;
    }
    *out = judged && judged->document && judged->size <= *left;
    *left -= *out ? judged->size : 0;
    return true;
}

bool artifact_payloads_are_documents(const struct artifact_place *place,
                                     const struct manifest_doc *doc, bool *out, struct err *err)
{
    size_t left = ARTIFACT_PAYLOADS_MAX;
    *out = true;
    for (size_t i = 0; i < doc->edge_count && *out; i++) {
        if (doc->edges[i].kind == EDGE_LAYER &&
            !look_at_payload(place, &doc->edges[i].digest, &left, out, err)) {
            return false;
        }
    }
    return true;
}
