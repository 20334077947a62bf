/* Which digests are roots of reachability (gate.md 6 a, b), and the history that says so. */
#include "trust/gate_internal.h"

/* --- released --------------------------------------------------------------------------------- */

struct root_walk {
    const struct gate_facts *f;
    gate_root_fn emit;
    void *arg;
};

static bool name_counts(const struct gate_facts *f, struct slice name)
{
    struct tag_name tag;
    return tag_name_parse(name, &tag, NULL) && policy_list_matches(&f->policy->tags, name) &&
           policy_list_matches(&f->policy->digest_tags, name);
}

/* The sha512 of a target whose digest is its sha256. */
static struct digest further_hash(const struct tuf_hashes *file)
{
    struct digest d = {0};
    if (file->has_sha256 && file->has_sha512) {
        (void)digest_from_hash(DIGEST_SHA512, file->sha512, sizeof file->sha512, &d);
    }
    return d;
}

/* The entry by which a name is a root (gate.md 6 a). */
static bool released_entry(const struct gate_facts *f, struct slice name, struct gate_entry *out)
{
    struct decision unused = {0};
    if (!name_counts(f, name)) {
        return false;
    }
    gate_lookup(f, name, out);
    return out->kind == ENTRY_FOUND && digest_is_set(&out->digest) &&
           (out->target->file.has_sha256 || f->policy->accept_sha512_only) &&
           gate_signers(f, name, out, &unused);
}

bool gate_releases(const struct gate_facts *f, struct slice tag, const struct digest *digest)
{
    struct gate_entry entry;
    return f->trust && f->trust->status == TRUST_OK && released_entry(f, tag, &entry) &&
           digest_equal(&entry.digest, digest);
}

static void emit_released(const struct root_walk *w, struct slice name)
{
    struct gate_entry entry;
    if (!released_entry(w->f, name, &entry)) {
        return;
    }
    struct gate_root root = {.digest = entry.digest,
                             .sha512 = further_hash(&entry.target->file),
                             .length = entry.target->file.length,
                             .tag = entry.target->name,
                             .valid_until_us = entry.valid_until_us};
    w->emit(w->arg, &root);
}

static void walk_released(const struct root_walk *w)
{
    const struct trust_role *releases = trust_state_role(w->f->trust, SLICE_LIT(ROLE_RELEASES));
    const struct trust_role *listing[2] = {releases, &w->f->trust->roles[0]};
    for (int r = 0; r < 2; r++) {
        const struct tuf_doc *doc =
            listing[r] && listing[r]->state == ROLE_STATE_OK ? listing[r]->doc : NULL;
        for (size_t i = 0; doc && i < doc->target_count; i++) {
            struct slice name = {doc->target_list[i].name, doc->target_list[i].name_n};
            if (r == 1 && gate_role_lists(releases, name)) {
                continue; /* emitted with releases, which decides */
            }
            emit_released(w, name);
        }
    }
}

/* --- superseded within grace (gate.md 6 b) ---------------------------------------------------- */

/* Whether the signers of a past document still reach the threshold of the keys that the parent
 * lists now. A role that releases nothing itself at present has no grace to give either, and none
 * for a tag outside its paths. */
static bool signers_still_hold(const struct gate_facts *f, const struct gate_listing *l)
{
    const struct tuf_doc *lister = f->trust->root;
    const struct tuf_role_keys *keys = lister ? &lister->targets : NULL;
    if (strcmp(l->role, "targets") != 0) {
        const struct trust_role *role = trust_state_role(f->trust, slice_str(l->role));
        const struct trust_role *parent =
            trust_state_role(f->trust, role_parent(slice_str(l->role)));
        bool valid = role && role->state == ROLE_STATE_OK && role->delegation &&
                     trust_role_covers(role, slice_str(l->tag));
        keys = valid ? &role->delegation->keys : NULL;
        lister = parent ? parent->doc : NULL;
    }
    if (!keys || !lister || keys->threshold < 1) {
        return false;
    }
    int64_t held = 0;
    for (int s = 0; s < l->signer_count; s++) {
        for (size_t k = 0; k < keys->key_count; k++) {
            const struct tuf_key *key = tuf_doc_key(lister, slice_str(keys->key_ids[k]));
            struct spki spki = key ? tuf_key_spki(key) : (struct spki){{0}};
            if (key && tuf_key_usable(key, NULL) && spki_equal(&spki, &l->signers[s])) {
                held++;
                break;
            }
        }
    }
    return held >= keys->threshold;
}

/* Whether targets/releases lost the tag at the end of this listing, because its paths changed. */
static bool left_its_paths(const struct gate_facts *f, size_t index)
{
    const struct gate_listing *l = &f->history[index];
    for (size_t i = index + 1; i < f->history_count && strcmp(f->history[i].tag, l->tag) == 0; i++) {
        const struct gate_listing *q = &f->history[i];
        if (strcmp(q->role, l->role) == 0 && q->since_us == l->until_us) {
            return gate_listed_outside(f, q);
        }
    }
    return false;
}

static size_t first_of_tag(const struct gate_facts *f, size_t index)
{
    while (index > 0 && strcmp(f->history[index - 1].tag, f->history[index].tag) == 0) {
        index--;
    }
    return index;
}

/* Both were listed at some moment. */
static bool overlap(const struct gate_listing *a, const struct gate_listing *b)
{
    return (a->end == LISTING_OPEN || a->until_us > b->since_us) &&
           (b->end == LISTING_OPEN || b->until_us > a->since_us);
}

/* When a listing in `targets` stopped to decide because targets/releases began to list the tag:
 * that moment, 0 when it decided to its end; -1 when it never decided at all. `same` tells that the
 * content stayed the same. What targets/releases lists outside its paths takes nothing over, and what
 * comes to lie there gives it back. */
static int64_t shadowed_at(const struct gate_facts *f, size_t index, bool *same)
{
    const struct gate_listing *l = &f->history[index];
    int64_t at = 0;
    for (size_t i = first_of_tag(f, index);
         i < f->history_count && strcmp(f->history[i].tag, l->tag) == 0; i++) {
        const struct gate_listing *q = &f->history[i];
        if (strcmp(q->role, ROLE_RELEASES) != 0 || gate_listed_outside(f, q) || !overlap(q, l)) {
            continue;
        }
        if (at == 0) {
            at = q->since_us > l->since_us ? q->since_us : -1;
            *same = q->length == l->length && digest_equal(&q->digest, &l->digest);
        }
        bool ends_first = l->end == LISTING_OPEN || q->until_us < l->until_us;
        if (q->end == LISTING_REPLACED && ends_first && left_its_paths(f, i)) {
            at = 0;
        }
    }
    return at;
}

/* With the strict fallback `targets` releases nothing beside targets/releases. What it released
 * before there was that role is not told apart: it has no grace either. */
static bool never_released(const struct gate_facts *f)
{
    return f->policy->fallback == FALLBACK_NEVER &&
           trust_state_role(f->trust, SLICE_LIT(ROLE_RELEASES)) != NULL;
}

/* What `targets` says of the tag at that moment is another content. */
static bool targets_took_over(const struct gate_facts *f, size_t index, int64_t us)
{
    const struct gate_listing *l = &f->history[index];
    for (size_t i = first_of_tag(f, index);
         i < f->history_count && strcmp(f->history[i].tag, l->tag) == 0; i++) {
        const struct gate_listing *q = &f->history[i];
        if (strcmp(q->role, "targets") == 0 && q->since_us <= us &&
            (q->end == LISTING_OPEN || q->until_us > us) && !digest_equal(&q->digest, &l->digest)) {
            return true;
        }
    }
    return false;
}

/* The moment at which what this listing released was replaced; 0 when it was not, or was withdrawn,
 * or when the role released nothing by it. */
static int64_t replaced_at(const struct gate_facts *f, size_t index)
{
    const struct gate_listing *l = &f->history[index];
    if (gate_listed_outside(f, l)) {
        return 0;
    }
    if (strcmp(l->role, ROLE_RELEASES) == 0) {
        bool replaced = l->end == LISTING_REPLACED &&
                        (!left_its_paths(f, index) || targets_took_over(f, index, l->until_us));
        return replaced ? l->until_us : 0;
    }
    if (strcmp(l->role, "targets") != 0 || l->end == LISTING_WIPED || never_released(f)) {
        return 0;
    }
    bool same = false;
    int64_t at = shadowed_at(f, index, &same);
    if (at > 0) {
        return same ? 0 : at;
    }
    return at == 0 && l->end == LISTING_REPLACED ? l->until_us : 0;
}

/* Whether the tag took this content back after `at`: it was listed again, and then withdrawn by the
 * role that decided. A withdrawal in `targets` behind targets/releases only tidies up. */
static bool withdrawn_after(const struct gate_facts *f, size_t index, int64_t at)
{
    const struct gate_listing *l = &f->history[index];
    for (size_t i = first_of_tag(f, index);
         i < f->history_count && strcmp(f->history[i].tag, l->tag) == 0; i++) {
        const struct gate_listing *q = &f->history[i];
        bool same = false;
        bool by_targets = strcmp(q->role, "targets") == 0;
        if (i != index && q->end == LISTING_WITHDRAWN && q->until_us >= at &&
            !gate_listed_outside(f, q) && digest_equal(&q->digest, &l->digest) &&
            (strcmp(q->role, ROLE_RELEASES) == 0 ||
             (by_targets && shadowed_at(f, i, &same) == 0))) {
            return true;
        }
    }
    return false;
}

/* Long over, whatever happened to it: what was replaced was so at its end or before. */
static bool ended_before(const struct gate_listing *l, int64_t us)
{
    return l->end != LISTING_OPEN && l->until_us <= us;
}

static void walk_superseded(const struct root_walk *w)
{
    const struct gate_facts *f = w->f;
    int64_t grace = f->policy->grace_us;
    for (size_t i = 0; grace > 0 && i < f->history_count; i++) {
        const struct gate_listing *l = &f->history[i];
        if (grace != DURATION_FOREVER && ended_before(l, f->now_us - grace)) {
            continue;
        }
        int64_t at = replaced_at(f, i);
        int64_t end = grace == DURATION_FOREVER ? DURATION_FOREVER : at + grace;
        if (at == 0 || f->now_us >= end || !digest_is_set(&l->digest) ||
            !name_counts(f, slice_str(l->tag)) || !signers_still_hold(f, l) ||
            !gate_signers_before(f, l, at) || withdrawn_after(f, i, at)) {
            continue;
        }
        struct gate_root root = {
            .digest = l->digest,
            .sha512 = l->sha512,
            .length = l->length,
            .tag = l->tag,
            .superseded = true,
            .valid_until_us = end < f->trust->valid_until_us ? end : f->trust->valid_until_us};
        w->emit(w->arg, &root);
    }
}

void gate_roots(const struct gate_facts *f, gate_root_fn emit, void *arg)
{
    struct root_walk w = {.f = f, .emit = emit, .arg = arg};
    if (!f->trust || f->trust->status != TRUST_OK || f->trust->role_count == 0) {
        return;
    }
    walk_released(&w);
    walk_superseded(&w);
}

/* --- history from two sets of documents ------------------------------------------------------- */

struct history_walk {
    struct gate_listing *items;
    size_t count;
};

static struct digest listed_digest(const struct tuf_hashes *file)
{
    struct digest d = {0};
    if (file->has_sha256) {
        (void)digest_from_hash(DIGEST_SHA256, file->sha256, sizeof file->sha256, &d);
    } else if (file->has_sha512) {
        (void)digest_from_hash(DIGEST_SHA512, file->sha512, sizeof file->sha512, &d);
    }
    return d;
}

/* As the store tells one listing from the next: by all that is stated. */
static bool is_same_listing(const struct tuf_target *a, const struct tuf_target *b)
{
    struct digest x = further_hash(&a->file), y = further_hash(&b->file);
    return gate_same_content(a, b) && digest_equal(&x, &y);
}

static bool is_outside(const struct trust_role *role, const struct tuf_target *target)
{
    return !trust_role_covers(role, (struct slice){target->name, target->name_n});
}

static struct gate_listing *history_add(struct history_walk *w, const char *role,
                                        const struct trust_role *by,
                                        const struct tuf_target *target, int64_t since_us)
{
    struct gate_listing *l = &w->items[w->count++];
    *l = (struct gate_listing){.role = role,
                               .tag = target->name,
                               .digest = listed_digest(&target->file),
                               .sha512 = further_hash(&target->file),
                               .length = target->file.length,
                               .since_us = since_us,
                               .signers = by->signatures.signers,
                               .signer_count = by->signatures.signer_count,
                               .outside = is_outside(by, target)};
    return l;
}

static void history_role(struct history_walk *w, const char *role, const struct trust_role *before,
                         int64_t before_us, const struct trust_role *after, int64_t after_us)
{
    const struct tuf_doc *old = before ? before->doc : NULL, *new = after ? after->doc : NULL;
    for (size_t i = 0; old && i < old->target_count; i++) {
        const struct tuf_target *t = &old->target_list[i];
        const struct tuf_target *kept =
            new ? tuf_doc_target(new, (struct slice){t->name, t->name_n}) : NULL;
        struct gate_listing *l = history_add(w, role, before, t, before_us);
        if (!kept || !is_same_listing(kept, t) || is_outside(before, t) != is_outside(after, t)) {
            l->until_us = after_us;
            l->end = kept ? LISTING_REPLACED : LISTING_WITHDRAWN;
            l->end_version = old->version;
        }
    }
    for (size_t i = 0; new &&i < new->target_count; i++) {
        const struct tuf_target *t = &new->target_list[i];
        const struct tuf_target *had =
            old ? tuf_doc_target(old, (struct slice){t->name, t->name_n}) : NULL;
        if (!had || !is_same_listing(had, t) || is_outside(before, t) != is_outside(after, t)) {
            (void)history_add(w, role, after, t, after_us);
        }
    }
}

static size_t listed_count(const struct trust_state *state, const char *role)
{
    const struct trust_role *r = state ? trust_state_role(state, slice_str(role)) : NULL;
    return r && r->doc ? r->doc->target_count : 0;
}

struct gate_listing *gate_history(const struct trust_state *before, int64_t before_us,
                                  const struct trust_state *after, int64_t after_us,
                                  size_t *count_out)
{
    static const char *const roles[] = {"targets", ROLE_RELEASES};
    size_t most = 1;
    for (int i = 0; i < 2; i++) {
        most += listed_count(before, roles[i]) + listed_count(after, roles[i]);
    }
    struct history_walk w = {.items = xcalloc(most, sizeof *w.items)};
    for (int i = 0; i < 2; i++) {
        history_role(&w, roles[i], before ? trust_state_role(before, slice_str(roles[i])) : NULL,
                     before_us, after ? trust_state_role(after, slice_str(roles[i])) : NULL,
                     after_us);
    }
    qsort(w.items, w.count, sizeof *w.items, gate_listing_compare);
    *count_out = w.count;
    return w.items;
}
