#include "trust/door.h"

#include "base/artifact_tag.h"
#include "base/hash.h"
#include "storage/blob.h"
#include "storage/manifest.h"
#include "storage/repository.h"
#include "storage/role_target.h"
#include "storage/tag.h"
#include "trust/artifact.h"
#include "trust/background.h"
#include "trust/gate_internal.h"
#include "trust/resign.h"
#include "trust/view.h"

#include <stdio.h>

#define ELSEWHERE_MAX 16 /* repositories that are asked about for a sentence */

/* One request at the door: the snapshot, and the facts made from it. */
struct door {
    struct trust *trust;
    struct db_tx *tx;
    const struct repository *repo;
    struct gate_view *view;
    struct gate_facts facts;
    const struct gate_caller *caller;
    struct gate_exception_rows rows, signed_rows; /* of what was asked for; of S */
};

/* What could not be decided: the zero decision with words. */
static void undecided(struct decision *out, const struct repo_name *name,
                      const struct gate_caller *caller)
{
    *out = (struct decision){.signed_length = -1, .registry_length = -1, .enforced = caller->gated};
    (void)snprintf(out->repo, sizeof out->repo, "%s", name->text);
    gate_say(out, "could not decide", "could not decide about %s, try again", name->text);
}

/* As undecided, until it is asked again. */
static void unfinished(const struct door *door, struct decision *out)
{
    undecided(out, &door->repo->name, door->caller);
    out->unfinished = true;
}

/* An expired timestamp that the server can renew is renewed first (gate.md 4.1). Failing to is no
 * verdict. */
static void renew_if_due(struct door *door, int64_t now_us)
{
    struct err why = {0};
    if (!door->facts.enforced || door->facts.suspicion || !gate_view_needs_renewal(door->view)) {
        return;
    }
    switch (trust_resign(door->trust, door->repo->id, false, now_us, &why)) {
    case RESIGN_DONE:
    case RESIGN_NOT_DUE:
        return; /* what was verified holds, with a fresh timestamp over it */
    case RESIGN_FAILED:
    case RESIGN_NOT_POSSIBLE:
        door->facts.trust = NULL;
        return;
    }
}

static void door_facts(struct door *door, const struct gate_caller *caller, int64_t now_us)
{
    gate_view_facts(door->view, now_us, &door->facts);
    door->facts.enforced =
        gate_enforced(door->facts.policy->level, caller->gated, caller->reads_unsigned);
}

static bool door_open(struct door *door, struct trust *trust, struct db_tx *tx,
                      const struct gate_caller *caller, const struct repository *repo,
                      int64_t now_us, struct decision *out)
{
    struct err why = {0};
    *door = (struct door){.trust = trust, .tx = tx, .repo = repo, .caller = caller};
    if (caller->view || caller->kept) {
        door->view = gate_view_ref(caller->view ? caller->view : caller->kept);
    } else if (!gate_view_get(trust, tx, repo, now_us, &door->view, &why)) {
        undecided(out, &repo->name, caller);
        return false;
    }
    door_facts(door, caller, now_us);
    if (!caller->view) {
        renew_if_due(door, now_us); /* a view of what might be changes nothing */
    }
    return true;
}

static const struct gate_caller nobody; /* whose exceptions do not count */

/* Inside a write: the view is of a state that may never be, and is kept by nobody. */
static bool door_open_within(struct door *door, struct trust *trust, struct db_tx *tx,
                             const struct gate_caller *caller, const struct repository *repo,
                             int64_t now_us, struct decision *out)
{
    struct err why = {0};
    *door = (struct door){.trust = trust, .tx = tx, .repo = repo, .caller = &nobody};
    if (!gate_view_assume(trust, tx, repo, now_us, NULL, &door->view, &why)) {
        undecided(out, &repo->name, caller);
        return false;
    }
    door_facts(door, caller, now_us);
    return true;
}

static void door_close(struct door *door)
{
    gate_view_unref(door->view);
}
#define auto_door __attribute__((cleanup(door_close)))

/* Of what was asked for. Who is not subject to the gate has no exceptions from it. */
static bool find_exceptions(struct door *door, const struct digest *digest,
                            struct gate_exceptions *out)
{
    struct err why = {0};
    *out = (struct gate_exceptions){0};
    return !door->facts.enforced ||
           gate_view_exceptions(door->view, door->tx, door->caller->account_id, digest, door->facts.now_us,
                                &door->rows, out, &why);
}

/* --- by tag ----------------------------------------------------------------------------------- */

/* One more hash of a manifest, computed when it is asked for: few targets list one. A manifest that
 * is not here has none. */
static bool hash_manifest(const struct door *door, const struct digest *digest,
                          enum digest_algorithm algorithm, struct digest *out)
{
    auto_manifest struct manifest *m = NULL;
    struct err why = {0};
    if (!manifest_get(door->tx, door->repo->id, digest, &m, &why)) {
        return why.code == ERR_MANIFEST_UNKNOWN;
    }
    hash_bytes(algorithm, manifest_content(m), out);
    return true;
}

/* The further hash of the tag's manifest that the target lists. */
static bool add_other_hash(const struct door *door, const struct tuf_hashes *file,
                           struct gate_registry_tag *registry)
{
    bool wants512 = file->has_sha512 && registry->digest.algorithm == DIGEST_SHA256;
    bool wants256 = file->has_sha256 && registry->digest.algorithm == DIGEST_SHA512;
    if (!registry->exists || (!wants512 && !wants256)) {
        return true;
    }
    return hash_manifest(door, &registry->digest, wants512 ? DIGEST_SHA512 : DIGEST_SHA256,
                         wants512 ? &registry->sha512 : &registry->sha256);
}

/* The same of S, which may be served in place of what the tag points to. */
static bool add_signed_hash(const struct door *door, const struct tuf_hashes *file,
                            const struct digest *signed_digest, struct gate_registry_tag *registry)
{
    bool served = door->facts.policy->on_mismatch != MISMATCH_REFUSE;
    return !served || !file->has_sha256 || !file->has_sha512 ||
           hash_manifest(door, signed_digest, DIGEST_SHA512, &registry->signed_sha512);
}

static bool tag_was(const struct door *door, const struct tag_name *tag,
                    const struct digest *digest, bool *out)
{
    auto_tag_list struct tag_list history = {0};
    struct err why = {0};
    if (!tag_history(door->tx, door->repo->id, tag, 1000, &history, &why)) {
        return false;
    }
    for (size_t i = 0; i < history.count && !*out; i++) {
        *out = digest_equal(&history.items[i].tag.digest, digest);
    }
    return true;
}

/* Whether the signed manifest is in the repository, and what the policy needs to know about it. */
static bool add_signed_manifest(struct door *door, const struct tag_name *tag,
                                const struct gate_entry *entry,
                                struct gate_registry_tag *registry)
{
    const struct digest *signed_digest = &entry->digest;
    struct manifest_info info;
    struct gate_exceptions exceptions;
    struct err why = {0};
    if (!digest_is_set(signed_digest)) {
        return true;
    }
    if (!gate_view_exceptions(door->view, door->tx, 0, signed_digest, door->facts.now_us,
                              &door->signed_rows, &exceptions, &why)) {
        return false;
    }
    registry->signed_denial = exceptions.denial;
    if (registry->exists && digest_equal(&registry->digest, signed_digest)) {
        registry->signed_present = true; /* it was read with the tag */
        registry->signed_size = registry->size;
        registry->signed_was_here = true;
        return true;
    }
    if (!manifest_stat(door->tx, door->repo->id, signed_digest, &info, &why)) {
        return why.code == ERR_MANIFEST_UNKNOWN;
    }
    registry->signed_present = true;
    registry->signed_size = info.size;
    return add_signed_hash(door, &entry->target->file, signed_digest, registry) &&
           (door->facts.policy->on_mismatch != MISMATCH_HOLD ||
            tag_was(door, tag, signed_digest, &registry->signed_was_here));
}

static void registry_from_tag(const struct tag *current, int64_t size,
                              struct gate_registry_tag *out)
{
    *out = (struct gate_registry_tag){.exists = current != NULL};
    if (current) {
        out->digest = current->digest;
        out->size = size >= 0 ? size : current->size;
        out->pushed_us = current->updated_us;
        out->pushed_by = current->updated_by_name;
    }
}

static bool add_signed_facts(struct door *door, const struct tag_name *tag,
                             struct gate_registry_tag *registry)
{
    struct gate_entry entry;
    if (registry->exists &&
        !find_exceptions(door, &registry->digest, &registry->exceptions)) {
        return false;
    }
    if (!door->facts.enforced || !door->facts.trust || door->facts.trust->status != TRUST_OK) {
        return true;
    }
    gate_lookup(&door->facts, tag_name_slice(tag), &entry);
    if (entry.kind != ENTRY_FOUND) {
        return true;
    }
    return add_other_hash(door, &entry.target->file, registry) &&
           add_signed_manifest(door, tag, &entry, registry);
}

static void decide_digest(struct door *door, const struct digest *digest, struct decision *out);

static void decide_tag(struct door *door, const struct gate_caller *caller,
                       const struct tag_name *tag, const struct tag *current, int64_t size,
                       struct decision *out)
{
    struct gate_registry_tag registry;
    struct digest subject;
    registry_from_tag(current, size, &registry);
    if (door->facts.enforced && current && artifact_tag_subject(tag_name_slice(tag), &subject)) {
        decide_digest(door, &current->digest, out); /* gate.md 5, step 2 */
        (void)snprintf(out->tag, sizeof out->tag, "%s", tag->text);
        return;
    }
    if (!add_signed_facts(door, tag, &registry)) {
        undecided(out, &door->repo->name, caller);
        return;
    }
    *out = gate_tag(&door->facts, tag, &registry);
}

void gate_decide_tag(struct trust *trust, struct db_tx *tx, const struct gate_caller *caller,
                     const struct repository *repo, const struct repo_name *name,
                     const struct tag_name *tag, const struct tag *current, int64_t size,
                     int64_t now_us, struct decision *out)
{
    auto_door struct door door = {0};
    (void)name;
    if (door_open(&door, trust, tx, caller, repo, now_us, out)) {
        decide_tag(&door, caller, tag, current, size, out);
    }
}

void gate_decide_tag_within(struct trust *trust, struct db_tx *tx, const struct gate_caller *caller,
                            const struct repository *repo, const struct tag_name *tag,
                            const struct tag *current, int64_t now_us, struct decision *out)
{
    auto_door struct door door = {0};
    if (door_open_within(&door, trust, tx, caller, repo, now_us, out)) {
        decide_tag(&door, caller, tag, current, -1, out);
    }
}

/* --- by digest -------------------------------------------------------------------------------- */

/*   own   for a decision that is a request of its own: filled with zeros */
static struct artifact_place place_of(const struct door *door, struct artifact_reading *own)
{
    return (struct artifact_place){
        .store = trust_store(door->trust),
        .tx = door->tx,
        .repository_id = door->repo->id,
        .reading = door->caller->reading ? door->caller->reading : own,
        .in_a_hurry = door->caller->kept != NULL,
    };
}

/* Where else the digest is signed; "" when it is nowhere that may be told. It is only told: nothing is verified. */
static bool find_elsewhere(const struct door *door, const struct digest *digest, struct repository *out,
                           struct err *err)
{
    int64_t id = 0;
    struct err why = {0};
    *out = (struct repository){.id = 0};
    for (int i = 0; door->caller->may_pull && i < ELSEWHERE_MAX; i++) {
        if (!role_target_next_repository(door->tx, digest, id, &id, err)) {
            return false;
        }
        if (id == 0) {
            break;
        }
        if (id != door->repo->id && repository_get_by_id(door->tx, id, out, &why) &&
            door->caller->may_pull(door->caller->told, door->tx, &out->name)) {
            return true;
        }
    }
    *out = (struct repository){.id = 0};
    return true;
}

static void decide_digest(struct door *door, const struct digest *digest, struct decision *out)
{
    struct gate_held held = {0};
    struct repository elsewhere;
    struct gate_reached reached = {0};
    struct gate_facts facts = door->facts;
    enum artifact_answer artifact = ARTIFACT_NONE;
    struct err why = {0};
    bool ok = manifest_exists(door->tx, door->repo->id, digest, &held.manifest, &why);
    if (ok && facts.enforced && held.manifest) {
        gate_view_reached(door->view, digest, &reached);
        ok = find_exceptions(door, digest, &held.exceptions);
        if (ok && !gate_reached_allows(&reached) && facts.trust &&
            facts.trust->status == TRUST_OK) {
            struct artifact_reading own = {0};
            struct artifact_place place = place_of(door, &own);
            ok = artifact_find(&place, door->view, digest, &artifact, &why);
            held.artifact_allowed = artifact == ARTIFACT_READABLE;
        }
        if (ok && artifact == ARTIFACT_FAR) {
            unfinished(door, out);
            return;
        }
        if (ok && !gate_reached_allows(&reached) && !held.artifact_allowed) {
            ok = find_elsewhere(door, digest, &elsewhere, &why);
            held.signed_in = ok && elsewhere.id ? elsewhere.name.text : NULL;
        }
    }
    if (!ok) {
        facts.trust = NULL;
        facts.enforced = true; /* what could not be read is refused, whoever asks */
    }
    *out = gate_digest(&facts, digest, &reached, &held);
}

void gate_decide_digest(struct trust *trust, struct db_tx *tx, const struct gate_caller *caller,
                        const struct repository *repo, const struct repo_name *name,
                        const struct digest *digest, int64_t now_us, struct decision *out)
{
    auto_door struct door door = {0};
    (void)name;
    if (door_open(&door, trust, tx, caller, repo, now_us, out)) {
        decide_digest(&door, digest, out);
    }
}

void gate_decide_tag_and_digest(struct trust *trust, struct db_tx *tx,
                                const struct gate_caller *caller, const struct repository *repo,
                                const struct repo_name *name, const struct tag_name *tag,
                                const struct digest *digest, int64_t now_us, struct decision *out)
{
    auto_door struct door door = {0};
    struct err why = {0};
    bool of_tag = false;
    if (!door_open(&door, trust, tx, caller, repo, now_us, out)) {
        return;
    }
    decide_digest(&door, digest, out);
    if (!gate_view_of_tag(door.view, tx, now_us, tag_name_slice(tag), digest, &of_tag, &why)) {
        undecided(out, name, caller);
        return;
    }
    *out = gate_tag_and_digest(&door.facts, tag, digest, *out, of_tag);
}

/* --- blobs ------------------------------------------------------------------------------------ */

static bool hold_blob(const struct door *door, const struct digest *digest, struct gate_held *held)
{
    struct blob blob;
    struct err why = {0};
    held->blob = blob_get(door->tx, door->repo->id, digest, &blob, &why);
    if (!held->blob && why.code != ERR_BLOB_UNKNOWN) {
        return false;
    }
    return !door->facts.enforced ||
           manifest_exists(door->tx, door->repo->id, digest, &held->manifest, &why);
}

void gate_decide_blob(struct trust *trust, struct db_tx *tx, const struct gate_caller *caller,
                      const struct repository *repo, const struct repo_name *name,
                      const struct digest *digest, int64_t now_us, struct decision *out)
{
    auto_door struct door door = {0};
    struct gate_held held = {0};
    struct gate_reached reached = {0};
    enum artifact_answer artifact = ARTIFACT_NONE;
    struct err why = {0};
    if (!door_open(&door, trust, tx, caller, repo, now_us, out)) {
        return;
    }
    bool ok = hold_blob(&door, digest, &held);
    if (ok && door.facts.enforced && held.blob && !held.manifest) {
        gate_view_reached(door.view, digest, &reached);
        ok = find_exceptions(&door, digest, &held.exceptions);
        if (ok && !gate_reached_allows(&reached) && door.facts.trust &&
            door.facts.trust->status == TRUST_OK) {
            struct artifact_reading own = {0};
            struct artifact_place place = place_of(&door, &own);
            ok = artifact_find_blob(&place, door.view, digest, &artifact, &why);
            held.artifact_allowed = artifact == ARTIFACT_READABLE;
        }
    }
    if (!ok) {
        undecided(out, name, caller);
        return;
    }
    if (artifact == ARTIFACT_FAR) {
        unfinished(&door, out);
        return;
    }
    *out = gate_blob(&door.facts, digest, &reached, &held);
    out->root = reached.root;
}

/* --- lists, explanations ---------------------------------------------------------------------- */

bool gate_lists_filtered(struct trust *trust, struct db_tx *tx, const struct gate_caller *caller,
                         const struct repository *repo, enum gate_list list, int64_t now_us)
{
    auto_door struct door door = {0};
    struct decision unused;
    if (!door_open(&door, trust, tx, caller, repo, now_us, &unused)) {
        return true;
    }
    bool enforcing = door.facts.enforced && door.facts.policy->level != LEVEL_OFF &&
                     door.facts.policy->level != LEVEL_WARN;
    switch (list) {
    case GATE_LIST_TAGS:
        return enforcing && door.facts.policy->tags_list == TAGS_LIST_RELEASED;
    case GATE_LIST_SERVED:
        return enforcing && door.facts.policy->on_mismatch != MISMATCH_REFUSE;
    case GATE_LIST_REFERRERS:
        break;
    }
    return enforcing;
}

json_t *gate_explain_for(struct trust *trust, struct db_tx *tx, const struct gate_caller *caller,
                         const struct repository *repo, const struct repo_name *name,
                         const struct decision *d, int64_t now_us)
{
    auto_door struct door door = {0};
    struct gate_registry_tag registry = {0};
    struct gate_background background;
    struct tag_name tag;
    struct tag current;
    struct decision unused;
    struct err why = {0};
    (void)name;
    if (!door_open(&door, trust, tx, caller, repo, now_us, &unused)) {
        return json_array();
    }
    if (d->tag[0] && tag_name_parse(slice_str(d->tag), &tag, NULL)) {
        bool exists = tag_get(tx, repo->id, &tag, &current, &why);
        registry_from_tag(exists ? &current : NULL, -1, &registry);
        if (!add_signed_facts(&door, &tag, &registry)) {
            return json_array();
        }
    }
    gate_background_of(tx, repo, door.facts.trust, &background);
    return gate_explain(&door.facts, d, &registry, &background);
}
