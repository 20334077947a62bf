/* The changefeed of the Notary API (notary-api 12): one record per new timestamp, one per deletion.
 * Owns: the change_record table. Records outlive what they tell of. */
#ifndef STORAGE_CHANGE_RECORD_H
#define STORAGE_CHANGE_RECORD_H

#include "base/db.h"

#define GUN_MAX 511

enum change_category { CHANGE_UPDATE = 1, CHANGE_DELETION = 2 };

struct change_record {
    int64_t id;
    int64_t created_us;
    char gun[GUN_MAX + 1];
    int64_t version;    /* of the timestamp; 0 for a deletion */
    uint8_t sha256[32]; /* of the timestamp; unused for a deletion */
    enum change_category category;
};
struct change_record_list {
    struct change_record *items;
    size_t count;
};
void change_record_list_dispose(struct change_record_list *list);
static inline void cleanup_change_record_list(struct change_record_list *list)
{
    change_record_list_dispose(list);
}
#define auto_change_record_list __attribute__((cleanup(cleanup_change_record_list)))

/* Adds one. sha256 is NULL for a deletion. Writer. */
bool change_record_put(struct db_tx *tx, struct slice gun, enum change_category category,
                       int64_t version, const uint8_t *sha256, int64_t now_us,
                       struct err *err) MUST_USE;
/* Whether there is a record of this version, made at this time. Any tx. */
bool change_record_has(struct db_tx *tx, struct slice gun, enum change_category category,
                       int64_t version, int64_t created_us, bool *out, struct err *err) MUST_USE;
/* A page, always oldest first.
 *   gun         empty = all
 *   change_id   forward: ids above it. Backward: ids below it, <= 0 = from the newest
 *   max         1 … 1,000
 * Any tx. */
bool change_record_forward(struct db_tx *tx, struct slice gun, int64_t change_id, int max,
                           struct change_record_list *out, struct err *err) MUST_USE;
bool change_record_backward(struct db_tx *tx, struct slice gun, int64_t change_id, int max,
                            struct change_record_list *out, struct err *err) MUST_USE;

#endif
