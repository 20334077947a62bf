#include "storage/retention.h"

#define PAGE 1000

void retention_lines_dispose(struct retention_lines *lines)
{
    free(lines->items);
    *lines = (struct retention_lines){0};
}

/* One preview: what stays the same for all of its repositories. */
struct preview {
    struct db_tx *tx;
    const struct tag_rule_set *rules;
    retention_grace_fn grace;
    size_t max;
    int64_t now_us;
    struct retention_lines *out;
};

static bool add_line(const struct preview *p, const struct retention_plan *plan,
                     const struct repository *repo, const struct tag_item *item, struct err *err)
{
    struct retention_line *line = &p->out->items[p->out->count++];
    line->repo = repo->name;
    line->item = *item;
    return retention_decide(plan, p->tx, item, p->now_us, &line->verdict, err);
}

static bool add_tags(const struct preview *p, const struct retention_plan *plan,
                     const struct repository *repo, struct slice after_tag, struct err *err)
{
    struct tag_name last = {0};
    for (bool more = true; more && !p->out->more;) {
        auto_tag_list struct tag_list tags = {0};
        if (!tag_list(p->tx, repo->id, last.n > 0 ? tag_name_slice(&last) : after_tag, PAGE, &tags,
                      err)) {
            return false;
        }
        for (size_t i = 0; i < tags.count && !p->out->more; i++) {
            last = tags.items[i].name;
            p->out->more = p->out->count == p->max;
            if (!p->out->more && !add_line(p, plan, repo, &tags.items[i], err)) {
                return false;
            }
        }
        more = tags.more;
    }
    return true;
}

static bool add_repository(const struct preview *p, const struct repository *repo,
                           struct slice after_tag, struct err *err)
{
    auto_retention_plan struct retention_plan *plan = NULL;
    if (!retention_plan_new(p->tx, repo, p->rules, p->grace, &plan, err)) {
        return false;
    }
    for (bool more = true; more;) {
        if (!retention_plan_count(plan, p->tx, PAGE, &more, err)) {
            return false;
        }
    }
    return add_tags(p, plan, repo, after_tag, err);
}

/* The repository in which the page before ended. */
static bool add_rest(const struct preview *p, int64_t namespace_id, struct slice name,
                     struct slice after_tag, struct err *err)
{
    struct repo_name parsed;
    struct repository repo;
    struct err why = {0};
    if (name.n == 0) {
        return true;
    }
    if (!repo_name_parse(name, &parsed, err)) {
        return false;
    }
    if (!repository_get(p->tx, &parsed, &repo, &why)) {
        *err = why;
        return why.code == ERR_NAME_UNKNOWN;
    }
    return repo.namespace_id != namespace_id || add_repository(p, &repo, after_tag, err);
}

static bool add_repositories(const struct preview *p, int64_t namespace_id, struct slice after,
                             struct err *err)
{
    struct repo_name last = {0};
    for (bool more = true; more && !p->out->more;) {
        auto_repository_list struct repository_list page = {0};
        if (!repository_list_namespace(p->tx, namespace_id, false,
                                       last.n > 0 ? repo_name_slice(&last) : after, PAGE, &page,
                                       err)) {
            return false;
        }
        for (size_t i = 0; i < page.count && !p->out->more; i++) {
            last = page.items[i].name;
            if (!add_repository(p, &page.items[i], (struct slice){0}, err)) {
                return false;
            }
        }
        more = page.more;
    }
    return true;
}

bool retention_preview(struct db_tx *tx, int64_t namespace_id, const struct tag_rule_set *rules,
                       retention_grace_fn grace, struct slice after_repo, struct slice after_tag,
                       int max, int64_t now_us, struct retention_lines *out, struct err *err)
{
    const struct preview p = {
        .tx = tx, .rules = rules, .grace = grace, .max = (size_t)max, .now_us = now_us, .out = out};
    *out = (struct retention_lines){.items = xcalloc((size_t)max, sizeof(*out->items))};
    if (add_rest(&p, namespace_id, after_repo, after_tag, err) &&
        add_repositories(&p, namespace_id, after_repo, err)) {
        return true;
    }
    retention_lines_dispose(out);
    return false;
}
