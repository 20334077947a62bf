/* Which operation comes next: any that is possible, likely ones more often. */
#ifndef TESTS_UNIT_STORAGE_MODEL_PICK_H
#define TESTS_UNIT_STORAGE_MODEL_PICK_H

#include "base/buf.h"
#include "tests/unit/storage/model/model.h"

void operation_pick(const struct model *m, const struct universe *u, struct dice *d,
                    struct operation *out);
const char *operation_name(enum operation_kind kind);
/* One line, for people. */
void operation_format(const struct operation *op, const struct universe *u, struct buf *out);

#endif
