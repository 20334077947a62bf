#include "trust/artifact.h"

#include "storage/artifact.h"
#include "storage/manifest.h"
#include "trust/artifact_payload.h"

#define ARTIFACT_MANIFEST_MAX (4 * 1024 * 1024)

/* What is looked at one by one before the search begins at what is allowed. */
enum { TAGS_NEAR = 64, PARENTS_NEAR = 64, SUBJECTS_NEAR = 64 };
/* Of one subject's artifacts that share a blob; those that are sure come first, and one of them is enough unless it
 * is denied. */
#define CANDIDATES_MAX 64
/* Manifests of one question that are read although their types do not say what they are; and of those that are found
 * by a tag. */
#define UNSURE_MAX 200
#define TAGGED_MAX 200
/* Larger manifests are not read by who is in a hurry, nor any payload: reading JSON of megabytes takes longer than the
 * look-ups. Those of artifacts have one or two KiB. */
#define HURRIED_MANIFEST_MAX (16 * 1024)

static bool is_allowed(const struct gate_view *view, const struct digest *digest)
{
    struct gate_reached reached;
    gate_view_reached(view, digest, &reached);
    return gate_reached_allows(&reached) && reached.is_manifest;
}

bool artifact_may_read(struct artifact_reading *reading, size_t size)
{
    size_t max = size > ARTIFACT_SMALL_MAX ? ARTIFACT_READ_LARGE_MAX : ARTIFACT_READ_MAX;
    bool may = size <= max && reading->spent <= max - size;
    reading->spent += may ? size : 0;
    return may;
}

/* --- manifests -------------------------------------------------------------------------------- */

/* What connects a manifest with an allowed digest. */
struct artifact_link {
    bool subject;
    bool tag, bare_tag; /* it is the target of an artifact tag; of one without a suffix */
};

static void add_mark(const struct artifact_mark *mark, struct artifact_link *out)
{
    out->tag = true;
    out->bare_tag = out->bare_tag || mark->bare;
}

/* One of the tags of something allowed: of the few that there can be, those on the manifest. */
static bool add_marks_of(const struct artifact_place *place, const struct digest *allowed,
                         const struct digest *manifest, struct artifact_link *out, struct err *err)
{
    struct artifact_mark marks[ARTIFACT_TAG_NAMES];
    size_t count = 0;
    if (!artifact_marks_of(place->tx, place->repository_id, allowed, marks, &count, err)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (digest_equal(&marks[i].manifest, manifest)) {
            add_mark(&marks[i], out);
        }
    }
    return true;
}

/* *more_out: the manifest has tags that were not looked at, and one of them could matter. */
static bool find_near_link(const struct artifact_place *place, const struct gate_view *view,
                           const struct manifest_info *info, struct artifact_link *out, bool *more_out,
                           struct err *err)
{
    struct artifact_mark marks[TAGS_NEAR];
    size_t count = 0;
    *out = (struct artifact_link){.subject = digest_is_set(&info->subject) &&
                                             is_allowed(view, &info->subject)};
    if (!artifact_marks_on(place->tx, place->repository_id, &info->digest, TAGS_NEAR, marks, &count,
                           more_out, err)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (is_allowed(view, &marks[i].subject)) {
            add_mark(&marks[i], out);
        }
    }
    bool is_index = media_type_is_index(slice_str(info->media_type));
    *more_out = *more_out && !(is_index ? out->bare_tag : out->tag || out->subject);
    return true;
}

/* Whether anything that is allowed has one of its tags on the manifest. */
static bool find_far_tag(const struct artifact_place *place, const struct gate_view *view,
                         const struct manifest_info *info, struct artifact_link *out, struct err *err)
{
    bool is_index = media_type_is_index(slice_str(info->media_type));
    struct digest allowed;
    size_t at = 0;
    while (!(is_index ? out->bare_tag : out->tag) && gate_view_next_manifest(view, &at, &allowed)) {
        if (!add_marks_of(place, &allowed, &info->digest, out, err)) {
            return false;
        }
    }
    return true;
}

static enum artifact_answer answer_of(bool readable)
{
    return readable ? ARTIFACT_READABLE : ARTIFACT_NONE;
}

/* The bytes have the last word: what they are, and what they are about. An index counts only as the
 * referrers list under the bare tag. False only on failure. */
static bool bytes_agree(const struct artifact_place *place, const struct manifest *m,
                        const struct gate_view *view, const struct artifact_link *link,
                        enum artifact_answer *out, struct err *err)
{
    auto_manifest_doc struct manifest_doc *doc = NULL;
    bool documents = false;
    if (!manifest_parse(manifest_content(m), slice_str(m->info.media_type), &doc, NULL)) {
        return true;
    }
    if (doc->form == MANIFEST_INDEX) {
        *out = answer_of(link->bare_tag);
        return true;
    }
    bool about = digest_is_set(&doc->subject) && is_allowed(view, &doc->subject);
    if (!about && !link->tag) {
        return true;
    }
    switch (artifact_form_of(doc)) {
    case ARTIFACT_RUNNABLE:
        return true;
    case ARTIFACT_NOT_RUNNABLE:
        *out = ARTIFACT_READABLE;
        return true;
    case ARTIFACT_BY_CONTENT:
        break;
    }
    if (place->in_a_hurry) {
        *out = ARTIFACT_FAR;
        return true;
    }
    bool ok = artifact_payloads_are_documents(place, doc, &documents, err);
    *out = answer_of(documents);
    return ok;
}

/* On the deny list itself. What it is about is asked by is_allowed. */
static bool is_denied(struct db_tx *tx, const struct gate_view *view, const struct digest *digest,
                      bool *out, struct err *err)
{
    struct gate_exception_rows rows;
    struct gate_exceptions exceptions = {0};
    bool ok = !gate_view_has_denied(view) ||
              gate_view_exceptions(view, tx, 0, digest, 0, &rows, &exceptions, err);
    *out = exceptions.denial != NULL;
    return ok;
}

/* *here_out false: there is no such manifest, or it is denied. */
static bool look_up(const struct artifact_place *place, const struct gate_view *view,
                    const struct digest *digest, struct manifest_info *info, bool *here_out,
                    struct err *err)
{
    struct err why = {0};
    bool denied = false;
    *here_out = false;
    if (!is_denied(place->tx, view, digest, &denied, err)) {
        return false;
    }
    if (denied) {
        return true;
    }
    *here_out = manifest_stat(place->tx, place->repository_id, digest, info, &why);
    if (*here_out || why.code == ERR_MANIFEST_UNKNOWN) {
        return true;
    }
    *err = why;
    return false;
}

/* Most manifests are about nothing: they are not read. */
static bool is_artifact(const struct artifact_place *place, const struct gate_view *view,
                        const struct manifest_info *info, const struct artifact_link *link,
                        enum artifact_answer *out, struct err *err)
{
    auto_manifest struct manifest *m = NULL;
    *out = ARTIFACT_NONE;
    if ((!link->subject && !link->tag) || info->size > ARTIFACT_MANIFEST_MAX) {
        return true;
    }
    if (place->in_a_hurry && info->size > HURRIED_MANIFEST_MAX) {
        *out = ARTIFACT_FAR;
        return true;
    }
    if (!artifact_may_read(place->reading, (size_t)info->size)) {
        return true;
    }
    return manifest_get(place->tx, place->repository_id, &info->digest, &m, err) &&
           bytes_agree(place, m, view, link, out, err);
}

bool artifact_find(const struct artifact_place *place, const struct gate_view *view, const struct digest *digest,
                   enum artifact_answer *out, struct err *err)
{
    struct manifest_info info;
    struct artifact_link link;
    bool here = false, more = false;
    *out = ARTIFACT_NONE;
    if (!look_up(place, view, digest, &info, &here, err) ||
        (here && !find_near_link(place, view, &info, &link, &more, err))) {
        return false;
    }
    if (more && place->in_a_hurry) {
        *out = ARTIFACT_FAR;
        return true;
    }
    return !here || ((!more || find_far_tag(place, view, &info, &link, err)) &&
                     is_artifact(place, view, &info, &link, out, err));
}

/* --- blobs ------------------------------------------------------------------------------------ */

struct search {
    const struct artifact_place *place;
    const struct gate_view *view;
    const struct digest *blob;
    int unsure_left, tagged_left;
    bool found, cut_short; /* cut_short: in a hurry, something was not looked at */
};

static bool try_manifest(struct search *s, const struct manifest_info *info, const struct artifact_link *link,
                         struct err *err)
{
    enum artifact_answer answer = ARTIFACT_NONE;
    bool ok = is_artifact(s->place, s->view, info, link, &answer, err);
    s->found = answer == ARTIFACT_READABLE;
    s->cut_short = s->cut_short || answer == ARTIFACT_FAR;
    return ok;
}

/* A manifest that names the blob, and what connects it with something allowed. */
static bool try_linked(struct search *s, const struct digest *manifest,
                       const struct artifact_link *link, struct err *err)
{
    struct manifest_info info;
    bool here = false;
    return look_up(s->place, s->view, manifest, &info, &here, err) &&
           (!here || try_manifest(s, &info, link, err));
}

/* Of something allowed that manifests which name the blob are about. */
static bool try_subject(struct search *s, const struct digest *allowed, struct err *err)
{
    static const struct artifact_link link = {.subject = true};
    struct artifact_candidate candidates[CANDIDATES_MAX];
    size_t count = 0;
    if (!artifact_candidates(s->place->tx, s->place->repository_id, s->blob, allowed, CANDIDATES_MAX,
                             candidates, &count, err)) {
        return false;
    }
    for (size_t i = 0; i < count && !s->found; i++) {
        bool skip = candidates[i].unsure && s->unsure_left-- <= 0;
        if (!skip && !try_linked(s, &candidates[i].digest, &link, err)) {
            return false;
        }
    }
    return true;
}

/* *all_out: every subject was looked at. */
static bool try_near_subjects(struct search *s, bool *all_out, struct err *err)
{
    struct digest subject = {0};
    *all_out = false;
    for (int i = 0; i < SUBJECTS_NEAR && !s->found && !*all_out; i++) {
        struct digest after = subject;
        if (!artifact_next_subject(s->place->tx, s->place->repository_id, s->blob, &after, &subject,
                                   err)) {
            return false;
        }
        *all_out = !digest_is_set(&subject);
        if (is_allowed(s->view, &subject) && !try_subject(s, &subject, err)) {
            return false;
        }
    }
    return true;
}

/* Of the artifact tags of something allowed, those on manifests that name the blob. */
static bool try_tags(struct search *s, const struct digest *allowed, struct err *err)
{
    struct artifact_mark marks[ARTIFACT_TAG_NAMES];
    size_t count = 0;
    if (!artifact_marks_of(s->place->tx, s->place->repository_id, allowed, marks, &count, err)) {
        return false;
    }
    for (size_t i = 0; i < count && !s->found; i++) {
        const struct artifact_link link = {.tag = true, .bare_tag = marks[i].bare};
        bool names = false;
        if (!artifact_names(s->place->tx, s->place->repository_id, &marks[i].manifest, s->blob,
                            &names, err)) {
            return false;
        }
        if (names && s->tagged_left-- > 0 && !try_linked(s, &marks[i].manifest, &link, err)) {
            return false;
        }
    }
    return true;
}

/* From what is allowed, where more names the blob, or more tags are on what does, than is looked at. */
static bool find_from_afar(struct search *s, struct err *err)
{
    struct digest allowed;
    size_t at = 0;
    bool all = false;
    if (!try_near_subjects(s, &all, err)) {
        return false;
    }
    s->cut_short = s->place->in_a_hurry;
    while (!s->found && !s->cut_short && gate_view_next_manifest(s->view, &at, &allowed)) {
        if ((!all && !try_subject(s, &allowed, err)) ||
            (!s->found && !try_tags(s, &allowed, err))) {
            return false;
        }
    }
    return true;
}

/* One of the few manifests that name the blob. */
static bool try_near(struct search *s, const struct digest *manifest, bool *more_out, struct err *err)
{
    struct manifest_info info;
    struct artifact_link link;
    bool here = false, more = false;
    if (!look_up(s->place, s->view, manifest, &info, &here, err)) {
        return false;
    }
    bool ok = !here || (find_near_link(s->place, s->view, &info, &link, &more, err) &&
                        try_manifest(s, &info, &link, err));
    *more_out = *more_out || more;
    return ok;
}

bool artifact_find_blob(const struct artifact_place *place, const struct gate_view *view, const struct digest *blob,
                        enum artifact_answer *out, struct err *err)
{
    auto_edge_list struct edge_list parents = {0};
    struct search s = {.place = place,
                       .view = view,
                       .blob = blob,
                       .unsure_left = UNSURE_MAX,
                       .tagged_left = TAGGED_MAX};
    *out = ARTIFACT_NONE;
    if (!manifest_parents(place->tx, place->repository_id, blob, PARENTS_NEAR + 1, &parents, err)) {
        return false;
    }
    /* by kind: configs and layers come first */
    bool more = parents.count > PARENTS_NEAR && artifact_is_noted(parents.items[PARENTS_NEAR].kind);
    size_t count = more ? 0 : parents.count;
    for (size_t i = 0; i < count && !s.found; i++) {
        if (artifact_is_noted(parents.items[i].kind) &&
            !try_near(&s, &parents.items[i].digest, &more, err)) {
            return false;
        }
    }
    bool ok = s.found || s.cut_short || !more || find_from_afar(&s, err);
    *out = s.cut_short && !s.found ? ARTIFACT_FAR : answer_of(ok && s.found);
    return ok;
}
