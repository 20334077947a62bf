/* What the roles of repositories have reached by a write, carried from the write function to the
 * checkpoint, which is told after the commit. */
#ifndef TRUST_REACHED_H
#define TRUST_REACHED_H

#include "storage/repository.h"
#include "trust/checkpoint.h"

#include <jansson.h>

struct reached {
    struct repo_name repo;
    struct trust_role_life_list lives;
};
struct reached_list {
    struct reached *items;
    size_t count;
};

/* Empties it; a write function does so first, since it may be run again. */
void reached_clear(struct reached_list *list);
/* Adds what the repository's roles have reached inside tx. */
bool reached_add(struct reached_list *list, struct db_tx *tx, const struct repository *repo,
                 struct err *err) MUST_USE;
/* After the commit; durable. Expected errors: as checkpoint_flush. Not inside a write. */
bool reached_note(const struct reached_list *list, struct checkpoint *c, struct err *err) MUST_USE;

/* The same where a person is answered: what was committed is in force, so a file that could not be
 * written is no failure but a member "warning" of the answer (exceptions.h). */
void reached_tell(const struct reached_list *list, struct checkpoint *c, json_t *answer);

static inline void cleanup_reached(struct reached_list *list)
{
    reached_clear(list);
}
#define auto_reached __attribute__((cleanup(cleanup_reached)))

#endif
