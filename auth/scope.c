#include "auth/scope.h"

static const struct {
    const char *name;
    unsigned bit;
} action_names[] = {
    {"pull", SCOPE_PULL},   {"push", SCOPE_PUSH}, {"delete", SCOPE_DELETE},
    {"admin", SCOPE_ADMIN}, {"*", SCOPE_ALL},
};
#define ACTION_NAME_COUNT (sizeof(action_names) / sizeof(action_names[0]))

unsigned scope_action_bit(struct slice name)
{
    for (size_t i = 0; i < ACTION_NAME_COUNT; i++) {
        if (slice_is(name, action_names[i].name)) {
            return action_names[i].bit;
        }
    }
    return 0;
}

void scope_actions_text(struct buf *b, unsigned actions)
{
    const char *separator = "";
    for (size_t i = 0; i < ACTION_NAME_COUNT; i++) {
        if (actions & action_names[i].bit) {
            buf_str(b, separator);
            buf_str(b, action_names[i].name);
            separator = ",";
        }
    }
}

bool scope_strip_host(struct slice gun, const struct scope_hosts *hosts, struct slice *rest_out)
{
    for (size_t i = 0; i < hosts->n; i++) {
        size_t n = strlen(hosts->names[i]);
        if (gun.n > n && gun.p[n] == '/' && slice_starts(gun, hosts->names[i])) {
            *rest_out = slice_from(gun, n + 1);
            return true;
        }
    }
    return false;
}

/* "repository(plugin)" is a repository too; a class of anything else is no type of ours. */
static struct slice type_without_class(struct slice type)
{
    ptrdiff_t open = slice_index(type, '(');
    if (open < 0 || !slice_ends(type, ")")) {
        return type;
    }
    return slice_first(type, (size_t)open);
}

static unsigned actions_parse(struct slice text)
{
    unsigned actions = 0;
    struct slice rest = text;
    struct slice name;
    while (slice_next(&rest, ',', &name)) {
        actions |= scope_action_bit(name);
    }
    return actions;
}

static bool repository_scope(struct slice name, unsigned actions, const struct scope_hosts *hosts,
                             struct scope *out)
{
    struct slice rest = name;
    out->kind = scope_strip_host(name, hosts, &rest) ? SCOPE_TRUST : SCOPE_IMAGE;
    if (out->kind == SCOPE_IMAGE) {
        actions &= ~(unsigned)SCOPE_ADMIN; /* server keys belong to trust data */
    }
    out->actions = actions;
    return actions != 0 && repo_name_parse(rest, &out->repo, NULL);
}

bool scope_parse(struct slice text, const struct scope_hosts *hosts, struct scope *out)
{
    *out = (struct scope){0};
    /* The name may hold one ':' before a port: the type ends at the first colon, the actions begin
     * after the last. */
    ptrdiff_t first = slice_index(text, ':');
    ptrdiff_t last = slice_rindex(text, ':');
    if (first < 0 || first == last) {
        return false;
    }
    struct slice type = type_without_class(slice_first(text, (size_t)first));
    struct slice name = slice_from(slice_first(text, (size_t)last), (size_t)first + 1);
    struct slice actions = slice_from(text, (size_t)last + 1);

    if (slice_is(type, "repository")) {
        return repository_scope(name, actions_parse(actions), hosts, out);
    }
    if (slice_is(type, "registry") && slice_is(name, "catalog")) {
        out->kind = SCOPE_CATALOG;
        out->actions = slice_is(actions, "*") || slice_is(actions, "search") ? SCOPE_ALL : 0;
        return out->actions != 0;
    }
    return false;
}

static bool same_thing(const struct scope *a, const struct scope *b)
{
    return a->kind == b->kind && slice_equal(repo_name_slice(&a->repo), repo_name_slice(&b->repo));
}

static void merge(struct scope_list *list, const struct scope *wish)
{
    for (size_t i = 0; i < list->n; i++) {
        if (same_thing(&list->items[i], wish)) {
            list->items[i].actions |= wish->actions;
            return;
        }
    }
    if (list->n == SCOPE_LIST_MAX) {
        list->cut = true;
        return;
    }
    list->items = xrealloc(list->items, (list->n + 1) * sizeof(list->items[0]));
    list->items[list->n++] = *wish;
}

void scope_list_add(struct scope_list *list, struct slice text, const struct scope_hosts *hosts)
{
    struct slice rest = text;
    struct slice one;
    while (slice_next(&rest, ' ', &one)) {
        struct scope wish;
        if (one.n > 0 && scope_parse(one, hosts, &wish)) {
            merge(list, &wish);
        }
    }
}

void scope_list_dispose(struct scope_list *list)
{
    free(list->items);
    *list = (struct scope_list){0};
}
