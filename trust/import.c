#include "trust/import.h"

#include "base/json.h"
#include "storage/change_record.h"
#include "trust/import_internal.h"
#include "trust/trust_internal.h"

enum outcome {
    OUTCOME_IMPORTED,
    OUTCOME_UNCHANGED,
    OUTCOME_REFUSED,
    OUTCOME_ELSEWHERE,
    OUTCOME_DELETED,
    OUTCOME_COUNT
};
static const char *const outcome_names[OUTCOME_COUNT] = {[OUTCOME_IMPORTED] = "imported",
                                                         [OUTCOME_UNCHANGED] = "unchanged",
                                                         [OUTCOME_REFUSED] = "refused",
                                                         [OUTCOME_ELSEWHERE] = "elsewhere",
                                                         [OUTCOME_DELETED] = "deleted"};

struct place { /* a name in the dumps that is a GUN */
    uint32_t gun;
    bool has_docs;
    bool ours;      /* of this registry, and a repository's name */
    bool canonical; /* not under an alias */
    bool taken;     /* its trust data is here now: its changes may come */
    struct repo_name repo;
};

struct walk {
    struct import im;
    struct place *places; /* by the place of the name; one for each name */
    json_t *guns;
    int64_t counts[OUTCOME_COUNT];
    int64_t changes_put;
};

/* ---- which GUNs there are ---- */

static void note_gun(struct walk *w, uint32_t gun)
{
    struct place *p = &w->places[gun];
    p->gun = gun;
    p->ours = trust_gun_parse(w->im.trust, slice_str(w->im.names[gun]), &p->repo, &p->canonical);
}

static void find_guns(struct walk *w)
{
    const struct import *im = &w->im;
    w->places = xcalloc(im->name_count + 1, sizeof *w->places);
    for (size_t i = 0; i < im->doc_count; i++) {
        struct place *p = &w->places[im->docs[i].gun];
        if (!p->has_docs) {
            note_gun(w, im->docs[i].gun);
            p->has_docs = true;
        }
    }
}

/* ---- the report ---- */

static void report(struct walk *w, const struct place *p, enum outcome outcome, const char *why,
                   const struct import_gun *g)
{
    w->counts[outcome]++;
    json_array_append_new(w->guns,
                          json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:O}", "gun",
                                    w->im.names[p->gun], "repository", p->ours ? p->repo.text : "",
                                    "outcome", outcome_names[outcome], "why", why, "documents",
                                    (json_int_t)(g ? g->docs_put : 0), "keys",
                                    (json_int_t)(g ? g->keys_put : 0), "warnings",
                                    g && g->warnings ? g->warnings : json_null()));
}

/* ---- one after the other ---- */

static bool is_refusal(const struct err *why)
{
    /* busy: a repository of that name is still being removed */
    return err_info(why->code)->class_ == ERR_CLASS_CLIENT || why->code == ERR_BUSY;
}

static bool take_gun(struct walk *w, struct place *p, struct err *err)
{
    struct import_gun g = {.im = &w->im, .gun = p->gun, .repo = p->repo};
    struct err why = {0};
    g.docs = import_docs_of(&w->im, p->gun);
    g.keys = import_keys_of(&w->im, p->gun);
    if (!checkpoint_ready(w->im.trust->checkpoint, err)) {
        return false;
    }
    bool ok = db_write(w->im.trust->db, import_gun_write, &g, &why) ||
              (w->im.rq->dry_run && g.done); /* not when the commit failed */
    p->taken = ok;
    if (ok) {
        bool news = g.docs_put > 0 || g.keys_put > 0;
        report(w, p, news ? OUTCOME_IMPORTED : OUTCOME_UNCHANGED, "", &g);
    } else if (is_refusal(&why)) {
        g.docs_put = g.keys_put = 0;
        report(w, p, OUTCOME_REFUSED, why.msg, &g);
        ok = true;
    } else {
        *err = why;
    }
    if (ok && p->taken && !w->im.rq->dry_run) {
        ok = reached_note(&g.reached, w->im.trust->checkpoint, err);
    }
    reached_clear(&g.reached);
    json_decref(g.warnings);
    return ok;
}

static bool taken_as(const struct walk *w, const struct repo_name *repo)
{
    for (size_t i = 0; i < w->im.name_count; i++) {
        const struct place *p = &w->places[i];
        if (p->has_docs && p->ours && p->canonical && strcmp(p->repo.text, repo->text) == 0) {
            return true;
        }
    }
    return false;
}

static bool visit(struct walk *w, struct place *p, bool canonical, struct err *err)
{
    if (!p->has_docs || (p->ours && p->canonical) != canonical) {
        return true;
    }
    if (!p->ours) {
        report(w, p, OUTCOME_ELSEWHERE,
               "it belongs to another registry than canonical_host and aliases say, or is no "
               "repository's name here",
               NULL);
        return true;
    }
    if (!canonical && taken_as(w, &p->repo)) {
        report(w, p, OUTCOME_REFUSED, "the dump has the same repository under the canonical name",
               NULL);
        return true;
    }
    return take_gun(w, p, err);
}

/* Canonical names first: an alias must not come before them. */
static bool visit_all(struct walk *w, struct err *err)
{
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < w->im.name_count; i++) {
            if (!visit(w, &w->places[i], pass == 0, err)) {
                return false;
            }
        }
    }
    return true;
}

/* ---- changes ---- */

/* What the changefeed tells of a GUN without documents: it was deleted. */
static bool note_deleted(struct walk *w, const struct import_change *change)
{
    struct place *p = &w->places[change->gun];
    if (p->has_docs || p->repo.n > 0) {
        return p->taken;
    }
    note_gun(w, change->gun);
    if (!p->ours) {
        return false;
    }
    p->taken = true;
    report(w, p, OUTCOME_DELETED, "only its changes are left", NULL);
    return true;
}

static bool put_change(struct db_tx *tx, struct walk *w, const struct import_change *change,
                       struct err *err)
{
    auto_buf struct buf gun = {0};
    enum change_category category = change->deletion ? CHANGE_DELETION : CHANGE_UPDATE;
    bool there = false;
    if (change->version < 0 || (!change->deletion && !change->has_sha256)) {
        return true; /* no record of ours */
    }
    trust_gun_write(w->im.trust, &w->places[change->gun].repo, &gun);
    if (!change_record_has(tx, buf_slice_of(&gun), category, change->version, change->created_us,
                           &there, err)) {
        return false;
    }
    w->changes_put += !there;
    return there ||
           change_record_put(tx, buf_slice_of(&gun), category, change->version,
                             change->deletion ? NULL : change->sha256, change->created_us, err);
}

/* In the order of the old feed, over all repositories. */
static bool write_changes(struct db_tx *tx, void *arg, struct err *err)
{
    struct walk *w = arg;
    w->changes_put = 0;
    for (size_t i = 0; i < w->im.change_count; i++) {
        const struct import_change *change = &w->im.changes[i];
        if (note_deleted(w, change) && !put_change(tx, w, change, err)) {
            return false;
        }
    }
    return !w->im.rq->dry_run || err_set(err, ERR_CONFLICT, "a dry run keeps nothing");
}

static bool take_changes(struct walk *w, struct err *err)
{
    struct err why = {0};
    if (db_write(w->im.trust->db, write_changes, w, &why) ||
        (w->im.rq->dry_run && why.code == ERR_CONFLICT)) {
        return true;
    }
    *err = why;
    return false;
}

bool trust_import(struct trust *trust, const struct import_request *request, json_t **report_out,
                  struct err *err)
{
    struct walk w = {.im = {.trust = trust, .rq = request}, .guns = json_array()};
    *report_out = NULL;
    bool ok = import_read(&w.im, err);
    if (ok) {
        find_guns(&w);
        ok = visit_all(&w, err) && take_changes(&w, err);
    }
    if (ok) {
        *report_out = json_pack("{s:O, s:b, s:I}", "guns", w.guns, "dry_run", (int)request->dry_run,
                                "changes", (json_int_t)w.changes_put);
        for (size_t i = 0; i < OUTCOME_COUNT; i++) {
            json_object_set_new(*report_out, outcome_names[i],
                                json_integer((json_int_t)w.counts[i]));
        }
    }
    json_decref(w.guns);
    free(w.places);
    import_dispose(&w.im);
    return ok;
}
