/* What the files of decision records share: decision.c (rows), decision_text.c (texts),
 * decision_proof.c (the chain checked, and cut). Private to them. */
#ifndef STORAGE_DECISION_INTERNAL_H
#define STORAGE_DECISION_INTERNAL_H

#include "storage/decision.h"

#define DECISION_LOOKS 1000   /* records looked at for one page */
#define DECISION_HASH_SIZE 72 /* "sha256:", 64 hex digits, a NUL */

/* The end of the chain. */
struct decision_head {
    uint8_t sha256[32];
    int64_t total_bytes;
};
bool decision_head_get(struct db_tx *tx, struct decision_head *out, struct err *err) MUST_USE;

/* Columns of a row as statements give them: number, id, created_us, repository_id, account_id,
 * effect, identity, total_bytes, sha256, record. */
void decision_row_read(struct db_stmt *q, struct decision_row *out);

/* A new id for this moment. */
void decision_make_id(int64_t now_us, char out[DECISION_ID_SIZE]);
const char *decision_hash_text(const uint8_t sha256[32], char out[DECISION_HASH_SIZE]);
/* The draft's text with its place in the chain. */
void decision_finish_text(const struct decision_draft *draft, const uint8_t prev[32],
                          struct buf *out);

/* What a cut leaves behind. */
struct decision_cut_note {
    int64_t records;
    char last_id[DECISION_ID_SIZE];
    uint8_t last[32];
    int64_t total_bytes; /* as the last one had it */
};
struct decision_draft *decision_draft_cut(const struct decision_cut_note *note, int64_t now_us);
/* False when the text is no record of a cut. */
bool decision_read_cut(struct slice text, struct decision_cut_note *out);
/* NULL when the columns beside a text say what it says, else half a sentence. */
const char *decision_row_fault(const struct decision_row *row);

#endif
