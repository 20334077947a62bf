/* What the model test plays with: a few namespaces, repositories, contents, manifests and tags, so few that they meet
 * all the time. Made from a seed once, constant afterwards.
 * Owns: names, bytes, digests, and what each manifest names. Refuses to know: where anything is stored. */
#ifndef TESTS_UNIT_STORAGE_MODEL_UNIVERSE_H
#define TESTS_UNIT_STORAGE_MODEL_UNIVERSE_H

#include "base/buf.h"
#include "base/name.h"
#include "storage/manifest_doc.h"
#include "tests/unit/storage/model/random.h"

#define NAMESPACES 3
#define REPOSITORIES 7
#define BLOBS 18
#define MANIFESTS 24
#define TAGS 6
#define ACCOUNTS 3
#define EDGES_MAX 6

struct content {
    struct digest digest;
    struct slice bytes;
    struct buf own;
};

struct name_edge {
    enum edge_kind kind;
    struct digest digest;
    int64_t size; /* as the descriptor says */
    bool foreign;
};

struct shape {
    struct content content;
    const char *type;
    const char *artifact_type; /* as referrers list it */
    char annotations[64];      /* "" when there are none */
    struct digest subject;     /* unset when none */
    struct name_edge edges[EDGES_MAX];
    int edge_count;
    struct manifest_doc *doc;
    bool keeps_blob[BLOBS];         /* it names the blob as something to keep (kinds 1, 2, 5) */
    bool names_manifest[MANIFESTS]; /* as a child, a subject or anything (kinds 3, 4, 5) */
};

struct universe {
    struct namespace_name namespaces[NAMESPACES]; /* the last one is public */
    struct repo_name repositories[REPOSITORIES];
    int namespace_of[REPOSITORIES];
    struct tag_name tags[TAGS]; /* ascending by bytes */
    struct content blobs[BLOBS];
    struct shape manifests[MANIFESTS];
};

void universe_init(struct universe *u, uint64_t seed);
void universe_dispose(struct universe *u);
/* Does the session that was fed with blob `fed` hold exactly the bytes of blob `claimed`, after `received` bytes? */
bool universe_is(const struct universe *u, int fed, int64_t received, int claimed);

#endif
