/* What each operation does to the model: one function each, by the rule of the storage function that it stands for.
 *   rules_blob.c         blobs, memberships, what they cost
 *   rules_upload.c       sessions
 *   rules_manifest.c     manifests, tags, referrers
 *   rules_maintenance.c  the collector, quotas
 * Private to the model. */
#ifndef TESTS_UNIT_STORAGE_MODEL_RULES_H
#define TESTS_UNIT_STORAGE_MODEL_RULES_H

#include "tests/unit/storage/model/model.h"

#define OPERATION(symbol, stem, name, weight)                                                      \
    struct answer apply_##stem(struct model *m, const struct universe *u,                          \
                               const struct operation *op);
OPERATIONS(OPERATION)
#undef OPERATION

static const struct answer done = {.code = ERR_NONE};

static inline struct answer refused(enum err_code code)
{
    return (struct answer){.code = code};
}

/* Bytes of a blob. */
int64_t rule_size(const struct universe *u, int blob);
/* May so many bytes more be received, beside what is used and unfinished? */
bool rule_has_room(const struct model *m, const struct universe *u, int space, int64_t bytes);
/* Adds to what the namespace of a repository uses; false, and nothing is added: beyond the quota. */
bool rule_charge(struct model *m, const struct universe *u, int repository, int64_t bytes);
/* The blob of the operation comes to its repository; false, and it does not: beyond the quota. */
bool rule_add_member(struct model *m, const struct universe *u, const struct operation *op);

#endif
