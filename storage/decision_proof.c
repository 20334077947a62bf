/* The chain of decision records: checked, and cut at its old end. */
#include "base/clock.h"
#include "base/hash.h"
#include "storage/decision_internal.h"
#include "storage/row.h"
#include "storage/statements.h"

#include <stdio.h>

static bool same_hash(const uint8_t a[32], const uint8_t b[32])
{
    return slice_equal(slice_of_bytes(a, 32), slice_of_bytes(b, 32));
}

/* --- checking --------------------------------------------------------------------------------- */

/* What the first record must follow: what the newest cut left, else nothing. */
static bool begin(struct db_tx *tx, struct decision_proof *proof, struct err *err)
{
    bool found = false;
    struct decision_cut_note note;
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_DECISION_NEWEST_CUT);
    if (!row_exists(q, &found, err)) {
        return false;
    }
    if (found && decision_read_cut(db_col_text(q, 0), &note)) {
        memcpy(proof->head, note.last, sizeof(proof->head));
        proof->total_bytes = note.total_bytes;
    }
    return true;
}

bool decision_proof_from(struct db_tx *tx, int64_t number, struct decision_proof *out,
                         struct err *err)
{
    auto_decision_list struct decision_list list = {0};
    *out = (struct decision_proof){.after = number};
    if (number == 0) {
        return true;
    }
    if (!decision_chain(tx, number - 1, 1, &list, err)) {
        return false;
    }
    if (list.count != 1 || list.items[0].number != number) {
        return err_set(err, ERR_NOT_FOUND, "there is no record with this number");
    }
    out->total_bytes = list.items[0].total_bytes;
    memcpy(out->head, list.items[0].sha256, sizeof(out->head));
    return true;
}

static void blame(struct decision_proof *proof, int64_t number, const char *id, const char *what)
{
    proof->done = true;
    proof->bad = number;
    proof->what = what;
    (void)snprintf(proof->bad_id, sizeof(proof->bad_id), "%s", id);
}

static bool follows(const struct decision_row *row, const uint8_t prev[32])
{
    char want[DECISION_HASH_SIZE + 16], hash[DECISION_HASH_SIZE];
    int n = snprintf(want, sizeof(want), ",\"prev\":\"%s\"}", decision_hash_text(prev, hash));
    size_t length = strlen(row->text);
    return length > (size_t)n && strcmp(row->text + length - (size_t)n, want) == 0;
}

static const char *fault_of(const struct decision_row *row, const struct decision_proof *proof)
{
    uint8_t sha256[32];
    size_t length = strlen(row->text);
    hash_sha256(slice_str(row->text), sha256);
    if (!same_hash(sha256, row->sha256)) {
        return "it was changed";
    }
    if (!follows(row, proof->head)) {
        return proof->records == 0
                   ? "it is not the first one: records before it were removed"
                   : "it does not follow the record before it: one was removed, inserted, moved "
                     "or changed there";
    }
    if (row->total_bytes != proof->total_bytes + (int64_t)length) {
        return "its count of bytes is wrong";
    }
    return decision_row_fault(row);
}

/* The end was read: it must be the head, else something was cut off behind it. */
static bool check_end(struct db_tx *tx, struct decision_proof *proof, struct err *err)
{
    struct decision_head head;
    if (!decision_head_get(tx, &head, err)) {
        return false;
    }
    proof->done = true;
    if (!same_hash(head.sha256, proof->head) || head.total_bytes != proof->total_bytes) {
        blame(proof, proof->after + 1, "", "records at the end are missing");
    }
    return true;
}

bool decision_verify(struct db_tx *tx, int max, struct decision_proof *proof, struct err *err)
{
    auto_decision_list struct decision_list list = {0};
    if ((proof->after == 0 && !begin(tx, proof, err)) ||
        !decision_chain(tx, proof->after, max, &list, err)) {
        return false;
    }
    for (size_t i = 0; i < list.count; i++) {
        const struct decision_row *row = &list.items[i];
        const char *fault = fault_of(row, proof);
        if (fault) {
            blame(proof, row->number, row->id, fault);
            return true;
        }
        proof->records++;
        proof->after = row->number;
        proof->total_bytes = row->total_bytes;
        memcpy(proof->head, row->sha256, sizeof(proof->head));
    }
    return list.next != 0 || check_end(tx, proof, err);
}

/* --- cutting ---------------------------------------------------------------------------------- */

struct limits {
    int64_t before_us;   /* older ones go; INT64_MIN: none */
    int64_t below_bytes; /* those whose total is not above it go */
};

static struct limits limits_of(const struct decision_keep *keep, int64_t total_bytes,
                               int64_t now_us)
{
    return (struct limits){
        .before_us = keep->age_us > 0 ? now_us - keep->age_us : INT64_MIN,
        .below_bytes = keep->bytes > 0 ? total_bytes - keep->bytes : INT64_MIN,
    };
}

static bool is_beyond(struct db_stmt *q, const struct limits *limits)
{
    return db_col_int(q, 2) < limits->before_us || db_col_int(q, 3) <= limits->below_bytes;
}

/* Whether the oldest record is beyond the limits and what they may be exceeded by. */
static bool is_due(struct db_stmt *q, const struct decision_keep *keep, struct limits limits)
{
    int64_t slack_us = keep->age_us / 16 < US_PER_DAY ? keep->age_us / 16 : US_PER_DAY;
    limits.before_us -= limits.before_us == INT64_MIN ? 0 : slack_us;
    limits.below_bytes -= limits.below_bytes == INT64_MIN ? 0 : keep->bytes / 16;
    return is_beyond(q, &limits);
}

static void note_row(struct db_stmt *q, struct decision_cut_note *note, int64_t *number)
{
    note->records++;
    *number = db_col_int(q, 0);
    row_text(q, 1, note->last_id, sizeof(note->last_id));
    note->total_bytes = db_col_int(q, 3);
    row_hash(q, 4, note->last);
}

/* The oldest records that go: up to *number. */
static bool choose(struct db_tx *tx, const struct decision_keep *keep, int max, int64_t now_us,
                   struct decision_cut_note *note, int64_t *number, struct err *err)
{
    struct decision_head head;
    if (!decision_head_get(tx, &head, err)) {
        return false;
    }
    struct limits limits = limits_of(keep, head.total_bytes, now_us);
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_DECISION_OLDEST);
    db_bind_int(q, 1, max);
    enum db_result result;
    while ((result = db_step(q, err)) == DB_ROW) {
        bool last = db_col_int(q, 3) == head.total_bytes;
        bool goes = note->records == 0 ? is_due(q, keep, limits) : is_beyond(q, &limits);
        if (last || !goes) {
            return true;
        }
        note_row(q, note, number);
    }
    return result == DB_DONE;
}

static bool remove_until(struct db_tx *tx, int64_t number, struct err *err)
{
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_DECISION_DELETE_UNTIL);
    db_bind_int(q, 1, number);
    return db_run(q, err);
}

bool decision_cut(struct db_tx *tx, const struct decision_keep *keep, int max, int64_t now_us,
                  int64_t *cut_out, bool *more_out, struct err *err)
{
    struct decision_cut_note note = {0};
    int64_t number = 0;
    *cut_out = 0;
    *more_out = false;
    if (!choose(tx, keep, max, now_us, &note, &number, err)) {
        return false;
    }
    if (note.records == 0) {
        return true;
    }
    auto_decision_draft struct decision_draft *draft = decision_draft_cut(&note, now_us);
    *cut_out = note.records;
    *more_out = note.records == max;
    return remove_until(tx, number, err) && decision_append(tx, draft, err);
}
