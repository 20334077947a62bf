/* After a crash in the middle of an operation: which of the states that it may have left is the one that is there? */
#ifndef TESTS_UNIT_STORAGE_MODEL_RECOVER_H
#define TESTS_UNIT_STORAGE_MODEL_RECOVER_H

#include "tests/unit/storage/model/driver.h"

/*   before, after   the operation that was in flight leads from one to the other
 *   out             the one of the allowed states that the store is in, restarted
 * False: it is in none of them; `d->why` says what speaks against the first and the last of them. */
bool recover(struct driver *d, const struct model *before, const struct model *after,
             const struct operation *op, struct model *out);

#endif
