/* A document that is read keeps its bounds and reads the same in wire form; nothing is ever signed
 * by a key whose private half nobody has. The first byte chooses the role. */
#include "tests/fuzz/fuzz.h"
#include "trust/verify/canon.h"
#include "trust/verify/doc.h"

#include <string.h>

#define NOBODY "RU5F9Pbi8OKgv/vyMmqEDdeVmdA0K4bDTd4B7MThWYE="
#define NOBODY_ID "e15408a780ea1d6591b09bc1caffc2be8d499e16ae4bb6922c91185e5f20de77"

static const char lister_text[] =
    "{\"signatures\":[],\"signed\":{\"_type\":\"Targets\",\"expires\":\"2040-01-01T00:00:00Z\","
    "\"version\":1,"
    "\"delegations\":{\"keys\":{\"" NOBODY_ID
    "\":{\"keytype\":\"ed25519\",\"keyval\":{\"private\":null,\"public\":\"" NOBODY
    "\"}}},\"roles\":[{\"keyids\":[\"" NOBODY_ID "\"],\"name\":\"targets/a\",\"threshold\":1}]}}}";

static void check_bounds(const struct tuf_doc *doc)
{
    const struct doc_limits *limits = doc_limits_of(doc->kind);

    HOLDS(doc->version >= 1 && doc->bytes.n <= limits->bytes);
    HOLDS(doc->signature_count <= limits->signatures && doc->key_count <= limits->keys);
    HOLDS(doc->target_count <= limits->targets && doc->delegation_count <= limits->delegations);
    for (size_t i = 0; i < doc->delegation_count; i++) {
        HOLDS(role_is_direct_child(slice_str(doc->role), slice_str(doc->delegations[i].name)));
        HOLDS(doc->delegations[i].keys.threshold >= 1);
    }
    for (size_t i = 1; i < doc->target_count; i++) {
        HOLDS(strcmp(doc->target_list[i - 1].name, doc->target_list[i].name) < 0);
    }
}

/* Written as the clients write it, it says the same. */
static void check_wire_form(const struct tuf_doc *doc)
{
    auto_json json_t *top = json_loadb(doc->bytes.p, doc->bytes.n, 0, NULL);
    auto_buf struct buf wire = {0};
    struct tuf_doc *again = NULL;

    HOLDS(top != NULL);
    buf_str(&wire, "{\"signed\":");
    HOLDS(canon_encode_wire(json_object_get(top, "signed"), &wire, NULL));
    buf_str(&wire, ",\"signatures\":[]}");
    for (size_t i = 0; i < wire.n; i++) {
        if ((unsigned char)wire.p[i] < 0x20) {
            return; /* a raw control character in a value: canonical, and no JSON any more */
        }
    }
    if (wire.n > doc_limits_of(doc->kind)->bytes) {
        return;
    }
    HOLDS(tuf_doc_read(slice_str(doc->role), buf_slice_of(&wire), &again, NULL) == DOC_OK);
    HOLDS(slice_equal(doc->canonical, again->canonical));
    tuf_doc_free(again);
}

static void check_forgery(const struct tuf_doc *doc)
{
    struct tuf_doc *lister = NULL;
    struct sig_count count;

    HOLDS(tuf_doc_read(SLICE_LIT("targets"), SLICE_LIT(lister_text), &lister, NULL) == DOC_OK);
    tuf_count_signatures(doc, lister, &lister->delegations[0].keys, NULL, &count);
    HOLDS(count.valid == 0 && !sig_count_met(&count));
    tuf_doc_free(lister);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const roles[] = {"root", "targets", "snapshot", "timestamp", "targets/a"};
    struct tuf_doc *doc = NULL;
    struct err err = {0};

    if (size == 0) {
        return 0;
    }
    const char *role = roles[data[0] % 5];
    enum doc_fault fault =
        tuf_doc_read(slice_str(role), slice_of_bytes(data + 1, size - 1), &doc, &err);
    HOLDS((fault == DOC_OK) == (doc != NULL));
    HOLDS(fault == DOC_OK || (err.code == ERR_INVALID && slice_is_utf8(slice_str(err.msg))));
    if (doc) {
        check_bounds(doc);
        check_wire_form(doc);
        check_forgery(doc);
    }
    tuf_doc_free(doc);
    return 0;
}
