/* Scrub as JSON, the same from the server and from the command that has the folder for itself.
 * Owns: the forms {"state",…} and {"missing":[…],"next"}. */
#ifndef SERVER_SCRUB_REPORT_H
#define SERVER_SCRUB_REPORT_H

#include "base/json.h"
#include "storage/scrub.h"

/* {"state":"idle"|"blobs"|"manifests","percent","started","finished","blobs","manifests","bytes",
 * "findings","missing"}: the round under way or the last one, and how many blobs are marked missing.
 * Times are RFC 3339, or null for never. New reference; NULL after a failure. Any tx. */
json_t *scrub_report_round(struct db_tx *tx, struct err *err) MUST_USE;

#define SCRUB_REPORT_PAGE 100
/* {"missing":[{"digest","size","since","users":[{"repository","manifest","tags"}…],"more_users"}…],
 * "next":digest or null}: a page of the blobs that are marked missing.
 *   after   unset = from the start
 * New reference; NULL after a failure. Any tx. */
json_t *scrub_report_missing(struct db_tx *tx, const struct digest *after,
                             struct err *err) MUST_USE;

#endif
