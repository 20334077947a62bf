#include "trust/wipe.h"

#include "base/hex.h"
#include "storage/audit.h"
#include "storage/change_record.h"
#include "storage/tombstone.h"
#include "trust/exceptions.h"
#include "trust/forget.h"
#include "trust/load.h"
#include "trust/reached.h"
#include "trust/trust_internal.h"

#include <stdio.h>

#define PAGE 500

struct wipe {
    struct trust *trust;
    const struct wipe_request *rq;
    json_t *wiped;                /* made anew by every run of the write function */
    struct reached_list *reached; /* likewise */
};

/* --- what is remembered ----------------------------------------------------------------------- */

/* {"root":2,"targets":14,…} */
static void write_versions(const struct trust_loaded *loaded, struct buf *out)
{
    auto_json json_t *versions = json_object();
    for (size_t i = 0; i < loaded->current.count; i++) {
        json_object_set_new(versions, loaded->current.items[i].role,
                            json_integer((json_int_t)loaded->current.items[i].version));
    }
    json_write(out, versions);
}

/* ["<sha256 hex of SPKI>",…] of the last root; empty when it does not read (a wipe must be possible
 * all the same). */
static void write_roots(const struct trust_loaded *loaded, struct buf *out)
{
    auto_json json_t *list = json_array();
    struct tuf_doc *root = NULL;
    struct spki *keys = NULL;
    size_t n = 0;
    if (loaded->roots.count > 0 &&
        tuf_doc_read(SLICE_LIT("root"), loaded->roots.items[loaded->roots.count - 1].bytes, &root,
                     NULL) == DOC_OK) {
        n = trust_root_spkis(root, &keys);
    }
    for (size_t i = 0; i < n; i++) {
        char hex[65];
        json_array_append_new(list, json_string(hex_encode(keys[i].sha256, 32, hex)));
    }
    free(keys);
    tuf_doc_free(root);
    json_write(out, list);
}

static int64_t root_version(const struct trust_loaded *loaded)
{
    return loaded->roots.count > 0 ? loaded->roots.items[loaded->roots.count - 1].version : 0;
}

/* --- one repository --------------------------------------------------------------------------- */

static bool put_tombstone(struct db_tx *tx, struct wipe *w, const struct repository *repo,
                          const struct trust_loaded *loaded, int64_t *incarnation_out,
                          struct err *err)
{
    auto_buf struct buf versions = {0}, roots = {0};
    struct tombstone t = {.wiped_us = w->rq->now_us, .pin_kept = w->rq->keep_pin};
    write_versions(loaded, &versions);
    write_roots(loaded, &roots);
    t.versions = versions.p; /* borrowed for the call */
    t.roots = roots.p;
    (void)snprintf(t.reason, sizeof t.reason, "%s", w->rq->reason ? w->rq->reason : "");
    bool ok = tombstone_put(tx, repo->id, &t, w->rq->actor, err);
    *incarnation_out = t.incarnation + 1;
    return ok;
}

static bool retire_keys(struct db_tx *tx, const struct trust_loaded *loaded, struct err *err)
{
    for (size_t i = 0; i < loaded->keys.count; i++) {
        const struct trust_key *key = &loaded->keys.items[i];
        if (key->state == TRUST_KEY_ACTIVE &&
            !trust_key_set_state(tx, key->id, TRUST_KEY_RETIRED, err)) {
            return false;
        }
    }
    return true;
}

static bool put_audit(struct db_tx *tx, const struct wipe *w, int64_t namespace_id,
                      struct slice object, struct slice before, struct err *err)
{
    auto_json json_t *after = json_pack("{s:s, s:b}", "reason", w->rq->reason ? w->rq->reason : "",
                                        "keep_pin", (int)w->rq->keep_pin);
    auto_buf struct buf text = {0};
    json_write(&text, after);
    struct audit_entry entry = {.action = "trust.wipe",
                                .namespace_id = namespace_id,
                                .object = object,
                                .outcome = AUDIT_OK,
                                .before = before,
                                .after = buf_slice_of(&text)};
    return audit_append(tx, w->rq->actor, &entry, w->rq->now_us, err);
}

static bool wipe_documents(struct db_tx *tx, struct wipe *w, const struct repository *repo,
                           const struct trust_loaded *loaded, struct err *err)
{
    int64_t incarnation = 0;
    auto_buf struct buf versions = {0};
    write_versions(loaded, &versions);
    /* the audit asks whether he may still: behind the tombstone the token that he came with would be too old */
    if (!put_audit(tx, w, repo->namespace_id, repo_name_slice(&repo->name), buf_slice_of(&versions),
                   err) ||
        !put_tombstone(tx, w, repo, loaded, &incarnation, err) ||
        !trust_doc_wipe(tx, repo->id, w->rq->now_us, NULL, err) || !retire_keys(tx, loaded, err) ||
        !change_record_put(tx, loaded->set.gun, CHANGE_DELETION, 0, NULL, w->rq->now_us, err)) {
        return false;
    }
    json_array_append_new(
        w->wiped, json_pack("{s:s%, s:s, s:I, s:I, s:b}", "gun", loaded->set.gun.p,
                            loaded->set.gun.n, "repository", repo->name.text, "incarnation",
                            (json_int_t)incarnation, "root_version",
                            (json_int_t)root_version(loaded), "keep_pin", (int)w->rq->keep_pin));
    return true;
}

/* A wipe on a restored store would end a life that has ended already, or has gone on. */
static bool may_wipe(struct wipe *w, const struct repository *repo,
                     const struct trust_loaded *loaded, struct err *err)
{
    char why[SUSPICION_MAX];
    return checkpoint_allows(w->trust->checkpoint, &repo->name, &loaded->lives,
                             &loaded->revoked_rows, w->rq->now_us, why) == CHECKPOINT_GOOD ||
           err_set(err, ERR_CONFLICT, "%s: %s", repo->name.text, why);
}

static bool wipe_one(struct db_tx *tx, struct wipe *w, const struct repository *repo,
                     struct err *err)
{
    auto_trust_loaded struct trust_loaded loaded = {0};
    bool had = false;
    if (!trust_load(w->trust, tx, repo, &loaded, err) || !trust_doc_any(tx, repo->id, &had, err)) {
        return false;
    }
    if (had && (!may_wipe(w, repo, &loaded, err) || !wipe_documents(tx, w, repo, &loaded, err) ||
                !reached_add(w->reached, tx, repo, err))) {
        return false;
    }
    /* The pin goes even when there is nothing else: a pin that an earlier wipe kept can be given
     * up. */
    if (!w->rq->keep_pin && loaded.pin_rows.count > 0 &&
        !trust_pin_set(tx, repo->id, NULL, 0, w->rq->actor, w->rq->now_us, err)) {
        return false;
    }
    bool changed = had || (!w->rq->keep_pin && loaded.pin_rows.count > 0);
    return !changed || repository_gate_bump(tx, repo->id, err);
}

bool trust_wipe_repository(struct db_tx *tx, struct trust *trust,
                           const struct wipe_request *request, const struct repository *repo,
                           json_t *wiped, struct reached_list *reached, struct err *err)
{
    struct wipe w = {.trust = trust, .rq = request, .wiped = wiped, .reached = reached};
    return wipe_one(tx, &w, repo, err);
}

/* --- the scope -------------------------------------------------------------------------------- */

static bool wipe_namespace(struct db_tx *tx, struct wipe *w, int64_t namespace_id, struct err *err)
{
    struct repo_name last = {0};
    bool more = true;
    while (more) {
        auto_repository_list struct repository_list page = {0};
        if (!repository_list_namespace(tx, namespace_id, true, repo_name_slice(&last), PAGE, &page,
                                       err)) {
            return false;
        }
        for (size_t i = 0; i < page.count; i++) {
            if (!wipe_one(tx, w, &page.items[i], err)) {
                return false;
            }
            last = page.items[i].name;
        }
        more = page.more && page.count > 0;
    }
    return w->rq->keep_pin || (namespace_root_remove(tx, namespace_id, NULL, err) &&
                               repository_gate_bump_namespace(tx, namespace_id, err));
}

static bool write_wipe(struct db_tx *tx, void *arg, struct err *err)
{
    struct wipe *w = arg;
    struct namespace ns;
    struct repository repo;
    struct err why = {0};
    json_decref(w->wiped);
    w->wiped = json_array();
    reached_clear(w->reached);
    if (!actor_may_still(tx, w->rq->actor, err) ||
        !namespace_get(tx, &w->rq->namespace_, &ns, err)) {
        return false;
    }
    if (w->rq->whole_namespace) {
        return wipe_namespace(tx, w, ns.id, err) &&
               put_audit(tx, w, ns.id, slice_str(ns.name.text), (struct slice){0}, err);
    }
    if (!repository_get(tx, &w->rq->repo, &repo, &why)) {
        if (why.code == ERR_NAME_UNKNOWN) {
            return true; /* nothing there: fine */
        }
        *err = why;
        return false;
    }
    return wipe_one(tx, w, &repo, err);
}

json_t *trust_wipe_commands(const struct trust *trust, const json_t *wiped)
{
    json_t *commands = json_array();
    size_t i;
    json_t *item;
    json_array_foreach(wiped, i, item)
    {
        struct repo_name repo;
        if (repo_name_parse(slice_str(json_get_string(item, "repository")), &repo, NULL)) {
            forget_repository(trust, &repo, commands);
        }
    }
    return commands;
}

bool trust_wipe(struct trust *trust, const struct wipe_request *request, json_t **result_out,
                struct err *err)
{
    auto_reached struct reached_list reached = {0};
    struct wipe w = {.trust = trust, .rq = request, .reached = &reached};
    *result_out = NULL;
    if (!exceptions_reason(request->reason, TOMBSTONE_REASON_MAX, false, err) ||
        !checkpoint_ready(trust->checkpoint, err) || !db_write(trust->db, write_wipe, &w, err)) {
        json_decref(w.wiped);
        return false;
    }
    json_t *commands = trust_wipe_commands(trust, w.wiped);
    *result_out = json_pack("{s:o, s:o}", "wiped", w.wiped, "commands", commands);
    reached_tell(&reached, trust->checkpoint, *result_out);
    return true;
}
