#include "trust/publish_pushed.h"

#include "storage/tag.h"

#include <sodium.h>

#define LOOKUPS_MAX 16

static bool releases(const struct tuf_doc *doc)
{
    return strcmp(doc->role, "targets/releases") == 0 || strcmp(doc->role, "targets") == 0;
}

static const struct tuf_target *listed_before(const struct publish_verdict *v, const char *role,
                                              struct slice tag)
{
    for (size_t i = 0; i < v->stored_count; i++) {
        if (strcmp(v->stored_docs[i]->role, role) == 0) {
            return tuf_doc_target(v->stored_docs[i], tag);
        }
    }
    return NULL;
}

static bool same_hashes(const struct tuf_hashes *a, const struct tuf_hashes *b)
{
    return a->has_sha256 == b->has_sha256 && a->has_sha512 == b->has_sha512 &&
           (!a->has_sha256 || sodium_memcmp(a->sha256, b->sha256, sizeof a->sha256) == 0) &&
           (!a->has_sha512 || sodium_memcmp(a->sha512, b->sha512, sizeof a->sha512) == 0);
}

/* A target has the hashes that its signer gave; the tag's digest is of one algorithm. */
static bool is_signed_as(const struct digest *pushed, const struct tuf_hashes *signed_as)
{
    struct digest d = {0};
    bool sha512 = pushed->algorithm == DIGEST_SHA512;
    bool comparable = sha512 ? signed_as->has_sha512 : signed_as->has_sha256;
    return !comparable ||
           (digest_from_hash(pushed->algorithm, sha512 ? signed_as->sha512 : signed_as->sha256,
                             digest_size(pushed->algorithm), &d) &&
            digest_equal(&d, pushed));
}

static void look_up(struct db_tx *tx, int64_t repository_id, const struct tag_name *name,
                    const struct tuf_target *target, struct publish_verdict *v)
{
    struct tag tag;
    struct err err = {0};
    if (tag_get(tx, repository_id, name, &tag, &err)) {
        if (!is_signed_as(&tag.digest, &target->file)) {
            publish_warn(v, "%s is another image in the registry than the signed one; push what was signed",
                         name->text);
        }
    } else if (err.code == ERR_TAG_UNKNOWN) {
        publish_warn(v, "%s is signed but not pushed; push it", name->text);
    }
}

void publish_warn_unpushed(struct db_tx *tx, int64_t repository_id, struct publish_verdict *v)
{
    int lookups = 0;
    for (size_t d = 0; d < v->doc_count; d++) {
        const struct tuf_doc *doc = v->docs[d];
        for (size_t i = 0; releases(doc) && i < doc->target_count && lookups < LOOKUPS_MAX; i++) {
            const struct tuf_target *target = &doc->target_list[i];
            struct slice text = {target->name, target->name_n};
            const struct tuf_target *before = listed_before(v, doc->role, text);
            struct tag_name name;
            if ((!before || !same_hashes(&before->file, &target->file)) &&
                tag_name_parse(text, &name, NULL)) {
                look_up(tx, repository_id, &name, target, v);
                lookups++;
            }
        }
    }
}
