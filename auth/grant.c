#include "auth/grant.h"

#include "base/json.h"

#include <stdatomic.h>

struct grant {
    enum scope_kind kind;
    unsigned actions;
    uint16_t n;       /* bytes of name */
    const char *name; /* into the set's own text */
};

struct grant_set {
    atomic_int refs;
    size_t n;
    char *names;
    struct grant items[];
};

static const unsigned every_action[] = {
    [SCOPE_IMAGE] = SCOPE_PULL | SCOPE_PUSH | SCOPE_DELETE,
    [SCOPE_TRUST] = SCOPE_PULL | SCOPE_PUSH | SCOPE_ADMIN,
    [SCOPE_CATALOG] = 0,
};

unsigned grant_intersect(unsigned wished, unsigned permitted)
{
    if (!(wished & SCOPE_ALL)) {
        return wished & permitted & ~(unsigned)SCOPE_ALL;
    }
    /* "*": the literal only for whoever has everything, otherwise the part that is there */
    return permitted & SCOPE_ALL ? SCOPE_ALL | (wished & permitted) : permitted;
}

static struct grant_set *set_of(const struct scope *scopes, size_t n)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        bytes += scopes[i].repo.n;
    }
    struct grant_set *set = xcalloc(1, sizeof(*set) + n * sizeof(set->items[0]));
    atomic_init(&set->refs, 1);
    set->names = xmalloc(bytes + 1);
    set->n = n;
    char *at = set->names;
    for (size_t i = 0; i < n; i++) {
        const struct scope *s = &scopes[i];
        memcpy(at, s->repo.text, s->repo.n);
        set->items[i] = (struct grant){s->kind, s->actions, s->repo.n, at};
        at += s->repo.n;
    }
    return set;
}

/* Bytes that a grant may take in the claim. */
static size_t claim_bytes(const struct scope *s, size_t host_n)
{
    enum { FRAME = 80 }; /* with every action */
    return (size_t)FRAME + s->repo.n + (s->kind == SCOPE_TRUST ? host_n : 0);
}

struct grant_set *grant_new(const struct scope_list *wishes, size_t host_n, grant_permit_fn permit,
                            void *arg, bool *cut_out)
{
    auto_free struct scope *granted = xcalloc(wishes->n + 1, sizeof(*granted));
    size_t n = 0;
    size_t bytes = 0;
    *cut_out = false;
    for (size_t i = 0; i < wishes->n; i++) {
        const struct scope *wish = &wishes->items[i];
        unsigned actions = grant_intersect(wish->actions, permit(arg, wish));
        if (actions == 0) {
            continue;
        }
        bytes += claim_bytes(wish, host_n);
        if (bytes > GRANT_CLAIM_MAX) {
            *cut_out = true;
            break;
        }
        granted[n] = *wish;
        granted[n].actions = actions;
        n++;
    }
    return set_of(granted, n);
}

static bool claim_entry(const json_t *entry, const struct scope_hosts *hosts, struct scope *out)
{
    struct slice type = json_get_slice(entry, "type");
    struct slice name = json_get_slice(entry, "name");
    const json_t *actions = json_get_array(entry, "actions");
    if (type.n == 0 || name.n == 0 || actions == NULL) {
        return false;
    }
    auto_buf struct buf text = {0};
    buf_slice(&text, type);
    buf_char(&text, ':');
    buf_slice(&text, name);
    buf_char(&text, ':');
    for (size_t i = 0; i < json_array_size(actions); i++) {
        const char *action = json_string_value(json_array_get(actions, i));
        if (action == NULL || scope_action_bit(slice_str(action)) == 0) {
            return false;
        }
        buf_str(&text, i > 0 ? "," : "");
        buf_str(&text, action);
    }
    return scope_parse(buf_slice_of(&text), hosts, out);
}

bool grant_from_claim(const json_t *access, const struct scope_hosts *hosts, struct grant_set **out,
                      struct err *err)
{
    *out = NULL;
    size_t n = json_array_size(access);
    if (!json_is_array(access) || n > SCOPE_LIST_MAX) {
        return err_set(err, ERR_UNAUTHORIZED, "the access token grants nothing that can be read");
    }
    auto_free struct scope *scopes = xcalloc(n + 1, sizeof(*scopes));
    for (size_t i = 0; i < n; i++) {
        if (!claim_entry(json_array_get(access, i), hosts, &scopes[i])) {
            return err_set(err, ERR_UNAUTHORIZED,
                           "the access token grants nothing that can be read");
        }
    }
    *out = set_of(scopes, n);
    return true;
}

static void write_name(const struct grant *g, const char *host, struct buf *out)
{
    if (g->kind == SCOPE_TRUST) {
        buf_str(out, host);
        buf_char(out, '/');
    }
    buf_put(out, g->name, g->n);
}

static void write_claim_entry(const struct grant *g, const char *host, struct buf *out)
{
    if (g->kind == SCOPE_CATALOG) {
        buf_str(out, "{\"type\":\"registry\",\"name\":\"catalog\",\"actions\":[\"*\"]}");
        return;
    }
    buf_str(out, "{\"type\":\"repository\",\"name\":\"");
    write_name(g, host, out); /* checked names: nothing to escape */
    buf_str(out, "\",\"actions\":[\"");
    auto_buf struct buf actions = {0};
    scope_actions_text(&actions, g->actions);
    struct slice rest = buf_slice_of(&actions);
    struct slice one;
    for (bool first = true; slice_next(&rest, ',', &one); first = false) {
        buf_str(out, first ? "" : "\",\"");
        buf_slice(out, one);
    }
    buf_str(out, "\"]}");
}

void grant_write_claim(const struct grant_set *set, const char *host, struct buf *out)
{
    buf_char(out, '[');
    for (size_t i = 0; set != NULL && i < set->n; i++) {
        buf_str(out, i > 0 ? "," : "");
        write_claim_entry(&set->items[i], host, out);
    }
    buf_char(out, ']');
}

void grant_write_scope(const struct grant_set *set, const char *host, struct buf *out)
{
    for (size_t i = 0; i < set->n; i++) {
        const struct grant *g = &set->items[i];
        buf_str(out, i > 0 ? " " : "");
        if (g->kind == SCOPE_CATALOG) {
            buf_str(out, "registry:catalog:*");
            continue;
        }
        buf_str(out, "repository:");
        write_name(g, host, out);
        buf_char(out, ':');
        scope_actions_text(out, g->actions);
    }
}

unsigned grant_bits(const struct grant_set *set, enum scope_kind kind, const struct repo_name *repo)
{
    for (size_t i = 0; i < set->n; i++) {
        const struct grant *g = &set->items[i];
        if (g->kind == kind && slice_equal((struct slice){g->name, g->n}, repo_name_slice(repo))) {
            return g->actions & SCOPE_ALL ? g->actions | every_action[kind] : g->actions;
        }
    }
    return 0;
}

bool grant_has_catalog(const struct grant_set *set)
{
    for (size_t i = 0; i < set->n; i++) {
        if (set->items[i].kind == SCOPE_CATALOG) {
            return true;
        }
    }
    return false;
}

size_t grant_count(const struct grant_set *set)
{
    return set->n;
}

const struct grant_set *grant_ref(const struct grant_set *set)
{
    if (set != NULL) {
        /* the count is the only part that changes; the set itself stays const to everybody */
        atomic_fetch_add_explicit(&((struct grant_set *)(uintptr_t)set)->refs, 1,
                                  memory_order_relaxed);
    }
    return set;
}

void grant_unref(const struct grant_set *set)
{
    if (set == NULL) {
        return;
    }
    struct grant_set *own = (struct grant_set *)(uintptr_t)set;
    if (atomic_fetch_sub_explicit(&own->refs, 1, memory_order_acq_rel) == 1) {
        free(own->names);
        free(own);
    }
}
