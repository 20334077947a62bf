#include "base/hex.h"
#include "trust/gate_internal.h"

#include <stdio.h>

int gate_listing_compare(const void *a, const void *b)
{
    const struct gate_listing *x = a, *y = b;
    int by_tag = strcmp(x->tag, y->tag);
    if (by_tag != 0) {
        return by_tag;
    }
    return x->since_us < y->since_us ? -1 : x->since_us > y->since_us;
}

static struct digest target_digest(const struct tuf_target *target)
{
    struct digest d = {0};
    if (target->file.has_sha256) {
        (void)digest_from_hash(DIGEST_SHA256, target->file.sha256, sizeof target->file.sha256, &d);
    } else if (target->file.has_sha512) {
        (void)digest_from_hash(DIGEST_SHA512, target->file.sha512, sizeof target->file.sha512, &d);
    }
    return d;
}

bool gate_same_content(const struct tuf_target *a, const struct tuf_target *b)
{
    struct digest x = target_digest(a), y = target_digest(b);
    return a->file.length == b->file.length && digest_is_set(&x) && digest_equal(&x, &y);
}

const struct tuf_target *gate_role_lists(const struct trust_role *role, struct slice tag)
{
    if (!role || role->state != ROLE_STATE_OK || !role->doc || !trust_role_covers(role, tag)) {
        return NULL;
    }
    return tuf_doc_target(role->doc, tag);
}

bool gate_listed_outside(const struct gate_facts *f, const struct gate_listing *l)
{
    const struct trust_role *role = trust_state_role(f->trust, slice_str(l->role));
    return l->end == LISTING_OPEN && role ? !trust_role_covers(role, slice_str(l->tag))
                                          : l->outside;
}

const char *gate_signer_name(const char *role)
{
    if (strncmp(role, "targets/", 8) != 0 || strcmp(role, ROLE_RELEASES) == 0 ||
        strchr(role + 8, '/') != NULL) {
        return NULL;
    }
    return role + 8;
}

void gate_add_name(char names[GATE_SIGNERS_MAX][GATE_NAME_MAX], int *count, const char *name)
{
    if (*count < GATE_SIGNERS_MAX) {
        (void)snprintf(names[(*count)++], GATE_NAME_MAX, "%s", name);
    }
}

/* --- gate.md 5.1: which role decides ---------------------------------------------------------- */

static void entry_found(const struct gate_facts *f, const struct trust_role *role,
                        const struct tuf_target *target, struct gate_entry *out)
{
    out->kind = ENTRY_FOUND;
    out->role = role;
    out->target = target;
    out->digest = target_digest(target);
    out->valid_until_us = f->trust->valid_until_us;
    if (role->doc->expires_us < out->valid_until_us) {
        out->valid_until_us = role->doc->expires_us;
    }
}

static void entry_hint(struct gate_entry *out, enum entry_hint hint, const char *role)
{
    out->hint = hint;
    if (out->hint_role_count < GATE_SIGNERS_MAX) {
        out->hint_roles[out->hint_role_count++] = role;
    }
}

/* The first listing of this tag in the sorted history. */
static size_t history_first(const struct gate_facts *f, struct slice tag)
{
    size_t low = 0, high = f->history_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (slice_compare(slice_str(f->history[middle].tag), tag) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Whether `next` goes on with what `l` listed: its digest and length, without a gap. */
static bool goes_on(const struct gate_listing *l, const struct gate_listing *next)
{
    return l && l->end == LISTING_REPLACED && l->until_us == next->since_us &&
           l->length == next->length && digest_equal(&l->digest, &next->digest);
}

/* The withdrawal from targets/releases (any life) that the entry in `targets` does not postdate;
 * NULL when there is none. What was replaced there is listed still. An entry that came with the
 * withdrawal itself does not postdate it, nor does one that was only written anew since, with another
 * further hash; one whose beginning is unknown counts as old. */
static const struct gate_listing *withdrawn_before(const struct gate_facts *f, struct slice tag)
{
    const struct gate_listing *last = NULL, *before = NULL;
    int64_t since = 0, entry_since = 0;
    for (size_t i = history_first(f, tag); i < f->history_count && slice_is(tag, f->history[i].tag);
         i++) {
        const struct gate_listing *l = &f->history[i];
        if (strcmp(l->role, ROLE_RELEASES) == 0 && l->end == LISTING_WITHDRAWN &&
            (!last || l->until_us > last->until_us)) {
            last = l;
        }
        if (strcmp(l->role, "targets") != 0) {
            continue;
        }
        since = goes_on(before, l) ? since : l->since_us;
        before = l;
        entry_since = l->end == LISTING_OPEN ? since : entry_since;
    }
    return last && entry_since <= last->until_us ? last : NULL;
}

static bool nested_hint(const struct gate_facts *f, struct slice tag, struct gate_entry *out)
{
    for (size_t i = 0; i < f->trust->role_count; i++) {
        const struct trust_role *role = &f->trust->roles[i];
        if (strncmp(role->name, ROLE_RELEASES "/", sizeof ROLE_RELEASES) == 0 &&
            gate_role_lists(role, tag)) {
            entry_hint(out, HINT_NESTED, role->name);
        }
    }
    return out->hint == HINT_NESTED;
}

static void signed_by_hint(const struct gate_facts *f, struct slice tag, struct gate_entry *out)
{
    for (size_t i = 1; i < f->trust->role_count; i++) {
        const struct trust_role *role = &f->trust->roles[i];
        if (gate_role_lists(role, tag)) {
            const char *name = gate_signer_name(role->name);
            entry_hint(out, HINT_SIGNED_BY, name ? name : role->name);
        }
    }
}

static void lookup_in_targets(const struct gate_facts *f, struct slice tag,
                              const struct trust_role *releases, const struct tuf_target *target,
                              struct gate_entry *out)
{
    const struct gate_listing *withdrawal =
        f->policy->fallback == FALLBACK_NOT_AFTER_REVOKE ? withdrawn_before(f, tag) : NULL;
    entry_found(f, &f->trust->roles[0], target, out);
    if (withdrawal) {
        out->kind = ENTRY_REVOKED;
        out->withdrawal = withdrawal;
    } else if (f->policy->fallback == FALLBACK_NEVER && releases) {
        out->kind = ENTRY_NONE;
        entry_hint(out, HINT_STALE_TARGETS, "targets");
    }
}

void gate_lookup(const struct gate_facts *f, struct slice tag, struct gate_entry *out)
{
    *out = (struct gate_entry){.kind = ENTRY_NONE};
    const struct trust_role *releases = trust_state_role(f->trust, SLICE_LIT(ROLE_RELEASES));
    if (releases && releases->state != ROLE_STATE_OK && releases->state != ROLE_STATE_ABSENT &&
        trust_role_covers(releases, tag)) {
        out->kind = ENTRY_DEFECT;
        out->role = releases;
        return;
    }
    const struct tuf_target *target = gate_role_lists(releases, tag);
    if (target) {
        entry_found(f, releases, target, out);
        return;
    }
    if (nested_hint(f, tag, out)) {
        return;
    }
    target = f->trust->role_count > 0 ? gate_role_lists(&f->trust->roles[0], tag) : NULL;
    if (target) {
        lookup_in_targets(f, tag, releases, target, out);
        return;
    }
    signed_by_hint(f, tag, out);
}

/* --- gate.md 5.2: the signer policy ----------------------------------------------------------- */

#define MEMBER_KEYS_MAX 16

struct member { /* one entry of signers.of, and the public keys that can stand for it */
    const char *name;
    struct spki keys[MEMBER_KEYS_MAX];
    int key_count;
    int matched; /* index into the pool, or -1 */
};

struct matching {
    struct member *members;
    size_t member_count;
    struct spki *pool; /* distinct keys */
    int *owner;        /* member that a pool key stands for, or -1 */
    bool *visited;
    int pool_count;
};

static void member_add_key(struct member *m, const struct spki *key)
{
    if (m->key_count < MEMBER_KEYS_MAX) {
        m->keys[m->key_count++] = *key;
    }
}

static void member_from_role(const struct gate_facts *f, struct slice tag,
                             const struct gate_entry *entry, struct member *m)
{
    auto_buf struct buf name = {0};
    buf_printf(&name, "targets/%s", m->name);
    const struct trust_role *role = trust_state_role(f->trust, buf_slice_of(&name));
    const struct tuf_target *target = gate_role_lists(role, tag);
    if (!target || !gate_same_content(target, entry->target)) {
        return;
    }
    for (int i = 0; i < role->signatures.signer_count; i++) {
        member_add_key(m, &role->signatures.signers[i]);
    }
}

/* A key member counts by a valid signature on a role file that lists the tag so: being listed as a
 * key is not enough. */
static void member_from_key(const struct gate_facts *f, struct slice tag,
                            const struct gate_entry *entry, struct member *m)
{
    struct spki wanted;
    if (!hex_decode(slice_str(m->name + 4), wanted.sha256, sizeof wanted.sha256)) {
        return;
    }
    for (size_t r = 0; r < f->trust->role_count; r++) {
        const struct trust_role *role = &f->trust->roles[r];
        const struct tuf_target *target = gate_role_lists(role, tag);
        if (!target || !gate_same_content(target, entry->target)) {
            continue;
        }
        for (int i = 0; i < role->signatures.signer_count; i++) {
            if (spki_equal(&role->signatures.signers[i], &wanted)) {
                member_add_key(m, &wanted);
                return;
            }
        }
    }
}

static int pool_index(struct matching *mt, const struct spki *key)
{
    for (int i = 0; i < mt->pool_count; i++) {
        if (spki_equal(&mt->pool[i], key)) {
            return i;
        }
    }
    mt->pool[mt->pool_count] = *key;
    mt->owner[mt->pool_count] = -1;
    return mt->pool_count++;
}

/* One augmenting path of the assignment of members to distinct keys (Kuhn). Depth is bounded by the
 * number of keys. */
static bool assign(struct matching *mt, size_t member)
{
    struct member *m = &mt->members[member];
    for (int k = 0; k < m->key_count; k++) {
        int key = pool_index(mt, &m->keys[k]);
        if (mt->visited[key]) {
            continue;
        }
        mt->visited[key] = true;
        if (mt->owner[key] < 0 || assign(mt, (size_t)mt->owner[key])) {
            mt->owner[key] = (int)member;
            m->matched = key;
            return true;
        }
    }
    return false;
}

static int64_t match_members(struct matching *mt)
{
    int64_t covered = 0;
    size_t most = mt->member_count * MEMBER_KEYS_MAX;
    auto_free struct spki *pool = xcalloc(most + 1, sizeof *pool);
    auto_free int *owner = xcalloc(most + 1, sizeof *owner);
    auto_free bool *visited = xcalloc(most + 1, sizeof *visited);
    mt->pool = pool;
    mt->owner = owner;
    mt->visited = visited;
    for (size_t i = 0; i < mt->member_count; i++) {
        memset(visited, 0, most * sizeof *visited);
        covered += assign(mt, i) ? 1 : 0;
    }
    return covered;
}

static void name_signers(const struct gate_facts *f, struct slice tag,
                         const struct gate_entry *entry, struct decision *d)
{
    for (size_t i = 1; i < f->trust->role_count; i++) {
        const char *name = gate_signer_name(f->trust->roles[i].name);
        const struct tuf_target *target = name ? gate_role_lists(&f->trust->roles[i], tag) : NULL;
        if (target && gate_same_content(target, entry->target)) {
            gate_add_name(d->signers, &d->signer_count, name);
        }
    }
}

bool gate_signers(const struct gate_facts *f, struct slice tag, const struct gate_entry *entry,
                  struct decision *d)
{
    const struct policy *p = f->policy;
    name_signers(f, tag, entry, d);
    d->required_threshold = p->signers_threshold;
    if (p->signers_threshold == 0) {
        return true;
    }
    auto_free struct member *members = xcalloc(p->signers.count + 1, sizeof *members);
    struct matching mt = {.members = members, .member_count = p->signers.count};
    for (size_t i = 0; i < p->signers.count; i++) {
        members[i].name = p->signers.items[i];
        members[i].matched = -1;
        if (strncmp(members[i].name, "key:", 4) == 0) {
            member_from_key(f, tag, entry, &members[i]);
        } else {
            member_from_role(f, tag, entry, &members[i]);
        }
        gate_add_name(d->required, &d->required_count, members[i].name);
    }
    int64_t covered = match_members(&mt);
    for (size_t i = 0; i < p->signers.count; i++) {
        if (members[i].matched < 0) {
            gate_add_name(d->missing, &d->missing_count, members[i].name);
        }
    }
    return covered >= p->signers_threshold;
}

/* --- the same of the past --------------------------------------------------------------------- */

struct tag_past { /* the listings of one tag */
    const struct gate_listing *items;
    size_t count;
};

static struct tag_past past_of(const struct gate_facts *f, struct slice tag)
{
    size_t first = history_first(f, tag), end = first;
    while (end < f->history_count && slice_is(tag, f->history[end].tag)) {
        end++;
    }
    return (struct tag_past){f->history + first, end - first};
}

static bool stood_at(const struct gate_listing *l, int64_t us)
{
    return l->since_us <= us && (l->end == LISTING_OPEN || l->until_us > us);
}

static bool speaks_for(const struct gate_listing *l, int signer, const char *member)
{
    struct spki wanted;
    if (strncmp(member, "key:", 4) == 0) {
        return hex_decode(slice_str(member + 4), wanted.sha256, sizeof wanted.sha256) &&
               spki_equal(&l->signers[signer], &wanted);
    }
    return strncmp(l->role, "targets/", 8) == 0 && strcmp(l->role + 8, member) == 0;
}

static void member_from_past(const struct gate_facts *f, const struct tag_past *past,
                             const struct gate_listing *released, int64_t us, struct member *m)
{
    for (size_t i = 0; i < past->count; i++) {
        const struct gate_listing *l = &past->items[i];
        bool same = l->length == released->length &&
                    digest_equal(&l->digest, &released->digest) && !gate_listed_outside(f, l);
        for (int s = 0; same && stood_at(l, us) && s < l->signer_count; s++) {
            if (speaks_for(l, s, m->name)) {
                member_add_key(m, &l->signers[s]);
            }
        }
    }
}

static bool signed_at(const struct gate_facts *f, const struct tag_past *past,
                      const struct gate_listing *released, int64_t us)
{
    const struct policy *p = f->policy;
    auto_free struct member *members = xcalloc(p->signers.count + 1, sizeof *members);
    struct matching mt = {.members = members, .member_count = p->signers.count};
    for (size_t i = 0; i < p->signers.count; i++) {
        members[i].name = p->signers.items[i];
        members[i].matched = -1;
        member_from_past(f, past, released, us, &members[i]);
    }
    return match_members(&mt) >= p->signers_threshold;
}

/* Who has signed changes only where a listing begins. */
bool gate_signers_before(const struct gate_facts *f, const struct gate_listing *released,
                         int64_t before_us)
{
    struct tag_past past = past_of(f, slice_str(released->tag));
    bool satisfied = f->policy->signers_threshold == 0;
    for (size_t i = 0; i < past.count && !satisfied; i++) {
        int64_t since = past.items[i].since_us;
        int64_t us = since > released->since_us ? since : released->since_us;
        satisfied = us < before_us && stood_at(released, us) && signed_at(f, &past, released, us);
    }
    return satisfied;
}
