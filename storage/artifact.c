#include "storage/artifact.h"

#include "storage/row.h"
#include "storage/statements.h"

static struct db_stmt *of_digest(struct db_tx *tx, enum sql statement, int64_t repository_id,
                                 const struct digest *digest)
{
    struct db_stmt *q = db_stmt(tx, (int)statement);
    db_bind_int(q, 1, repository_id);
    db_bind_digest(q, 2, digest);
    return q;
}

/* --- what a manifest is, by its types --------------------------------------------------------- */

static bool is_cosign_layer(const char *media_type)
{
    return strcmp(media_type, "application/vnd.dev.cosign.simplesigning.v1+json") == 0 ||
           strcmp(media_type, "application/vnd.dsse.envelope.v1+json") == 0;
}

enum artifact_form artifact_form_of(const struct manifest_doc *doc)
{
    size_t layers = 0, cosign_layers = 0, configs = 0;
    bool image_config = false;
    if (doc->form != MANIFEST_IMAGE) {
        return ARTIFACT_RUNNABLE;
    }
    for (size_t i = 0; i < doc->edge_count; i++) {
        const struct manifest_edge *e = &doc->edges[i];
        if (e->kind == EDGE_CONFIG) {
            configs++;
            image_config = image_config || media_type_runs_as_config(slice_str(e->media_type));
        } else if (e->kind == EDGE_LAYER) {
            layers++;
            cosign_layers += is_cosign_layer(e->media_type) ? 1 : 0;
            if (media_type_runs_as_layer(slice_str(e->media_type))) {
                return ARTIFACT_RUNNABLE;
            }
        }
    }
    if (configs != 1) {
        return ARTIFACT_RUNNABLE;
    }
    if (!image_config) {
        return ARTIFACT_NOT_RUNNABLE;
    }
    return layers > 0 && cosign_layers == layers ? ARTIFACT_BY_CONTENT : ARTIFACT_RUNNABLE;
}

void artifact_note_of(const struct manifest_doc *doc, struct artifact_note *out)
{
    *out = (struct artifact_note){.unsure = false};
    if (!digest_is_set(&doc->subject)) {
        return;
    }
    switch (artifact_form_of(doc)) {
    case ARTIFACT_RUNNABLE:
        return;
    case ARTIFACT_BY_CONTENT:
        out->unsure = true;
        out->about = doc->subject;
        return;
    case ARTIFACT_NOT_RUNNABLE:
        out->about = doc->subject;
        return;
    }
}

bool artifact_is_noted(enum edge_kind kind)
{
    return kind == EDGE_CONFIG || kind == EDGE_LAYER;
}

static bool note_fits(const struct digest *subject, const struct artifact_note *right,
                      const struct artifact_note *stored)
{
    bool old = stored->unsure && digest_is_set(subject) && digest_equal(&stored->about, subject);
    return old ||
           (digest_equal(&stored->about, &right->about) && stored->unsure == right->unsure);
}

bool artifact_notes_fit(struct db_tx *tx, int64_t repository_id, const struct digest *manifest,
                        const struct manifest_doc *doc, bool *out, struct err *err)
{
    static const struct artifact_note none;
    struct artifact_note right;
    enum db_result result;
    auto_stmt struct db_stmt *q = of_digest(tx, SQL_ARTIFACT_NOTES, repository_id, manifest);
    artifact_note_of(doc, &right);
    *out = true;
    while ((result = db_step(q, err)) == DB_ROW) {
        bool noted = artifact_is_noted((enum edge_kind)db_col_int(q, 0));
        struct artifact_note stored = {.unsure = db_col_int(q, 2) != 0};
        (void)db_col_digest(q, 1, &stored.about);
        *out = *out && (noted ? note_fits(&doc->subject, &right, &stored)
                              : note_fits(&none.about, &none, &stored));
    }
    return result != DB_FAILED;
}

/* --- by subject ------------------------------------------------------------------------------- */

bool artifact_next_subject(struct db_tx *tx, int64_t repository_id, const struct digest *blob,
                           const struct digest *after, struct digest *out, struct err *err)
{
    bool found = false;
    auto_stmt struct db_stmt *q = of_digest(tx, SQL_ARTIFACT_NEXT_SUBJECT, repository_id, blob);
    row_bind_after(q, 3, after);
    if (!row_exists(q, &found, err)) {
        return false;
    }
    *out = (struct digest){0};
    if (found) {
        (void)db_col_digest(q, 0, out);
    }
    return true;
}

bool artifact_candidates(struct db_tx *tx, int64_t repository_id, const struct digest *blob,
                         const struct digest *subject, size_t max, struct artifact_candidate *out,
                         size_t *count_out, struct err *err)
{
    enum db_result result = DB_DONE;
    auto_stmt struct db_stmt *q = of_digest(tx, SQL_ARTIFACT_CANDIDATES, repository_id, blob);
    db_bind_digest(q, 3, subject);
    db_bind_int(q, 4, (int64_t)max);
    *count_out = 0;
    while (*count_out < max && (result = db_step(q, err)) == DB_ROW) {
        struct artifact_candidate *c = &out[(*count_out)++];
        (void)db_col_digest(q, 0, &c->digest);
        c->unsure = db_col_int(q, 1) != 0;
    }
    return result != DB_FAILED;
}

bool artifact_names(struct db_tx *tx, int64_t repository_id, const struct digest *manifest,
                    const struct digest *blob, bool *out, struct err *err)
{
    auto_stmt struct db_stmt *q = of_digest(tx, SQL_ARTIFACT_NAMES, repository_id, blob);
    db_bind_digest(q, 3, manifest);
    return row_exists(q, out, err);
}

/* --- by tag ----------------------------------------------------------------------------------- */

/* Rows of (name, digest): those whose names are artifact tags. *looked_out: all rows. */
static bool read_marks(struct db_stmt *q, size_t max, struct artifact_mark *out, size_t *count_out,
                       size_t *looked_out, struct err *err)
{
    enum db_result result = DB_DONE;
    *count_out = *looked_out = 0;
    while (*looked_out < max && (result = db_step(q, err)) == DB_ROW) {
        struct artifact_mark *mark = &out[*count_out];
        struct slice name = db_col_text(q, 0);
        (*looked_out)++;
        if (artifact_tag_subject(name, &mark->subject)) {
            mark->bare = slice_index(name, '.') < 0;
            (void)db_col_digest(q, 1, &mark->manifest);
            (*count_out)++;
        }
    }
    return result != DB_FAILED;
}

bool artifact_marks_on(struct db_tx *tx, int64_t repository_id, const struct digest *manifest, size_t max,
                       struct artifact_mark *out, size_t *count_out, bool *more_out, struct err *err)
{
    size_t looked = 0;
    auto_stmt struct db_stmt *q = of_digest(tx, SQL_ARTIFACT_MARKS_ON, repository_id, manifest);
    db_bind_int(q, 3, (int64_t)max);
    bool ok = read_marks(q, max, out, count_out, &looked, err);
    *more_out = looked == max;
    return ok;
}

bool artifact_marks_of(struct db_tx *tx, int64_t repository_id, const struct digest *subject,
                       struct artifact_mark out[ARTIFACT_TAG_NAMES], size_t *count_out, struct err *err)
{
    char names[ARTIFACT_TAG_NAMES][ARTIFACT_TAG_SIZE];
    size_t looked = 0;
    *count_out = 0;
    if (!artifact_tag_names(subject, names)) {
        return true;
    }
    auto_stmt struct db_stmt *q = db_stmt(tx, SQL_ARTIFACT_MARKS_OF);
    db_bind_int(q, 1, repository_id);
    for (int i = 0; i < ARTIFACT_TAG_NAMES; i++) {
        db_bind_str(q, i + 2, names[i]);
    }
    return read_marks(q, ARTIFACT_TAG_NAMES, out, count_out, &looked, err);
}
