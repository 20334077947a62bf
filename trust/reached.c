#include "trust/reached.h"

#include "trust/exceptions.h"

void reached_clear(struct reached_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        trust_role_life_list_dispose(&list->items[i].lives);
    }
    free(list->items);
    *list = (struct reached_list){0};
}

bool reached_add(struct reached_list *list, struct db_tx *tx, const struct repository *repo,
                 struct err *err)
{
    list->items = xrealloc(list->items, (list->count + 1) * sizeof *list->items);
    struct reached *reached = &list->items[list->count++];
    *reached = (struct reached){.repo = repo->name};
    return trust_role_lives(tx, repo->id, &reached->lives, err);
}

static void note_all(const struct reached_list *list, struct checkpoint *c)
{
    for (size_t i = 0; i < list->count; i++) {
        checkpoint_note(c, &list->items[i].repo, &list->items[i].lives);
    }
}

bool reached_note(const struct reached_list *list, struct checkpoint *c, struct err *err)
{
    note_all(list, c);
    return checkpoint_flush(c, err);
}

void reached_tell(const struct reached_list *list, struct checkpoint *c, json_t *answer)
{
    char warning[EXCEPTION_WARNING_MAX];
    note_all(list, c);
    exceptions_noted(c, warning);
    exceptions_put_warning(answer, warning);
}
