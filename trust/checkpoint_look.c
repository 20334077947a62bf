#include "trust/checkpoint_internal.h"

#include "base/log.h"

#include <stdio.h>

static const char clock_text[] =
    "the server's clock is earlier than it was before; set it right, or, when it is right now, "
    "acknowledge it: bond trust acknowledge --all";

const char *checkpoint_suspicion(const struct checkpoint *c, int64_t now_us)
{
    if (!c) {
        return NULL;
    }
    if (atomic_load_explicit(&c->lost, memory_order_acquire)) {
        return c->lost_why;
    }
    return clock_is_behind(atomic_load_explicit(&c->seen_us, memory_order_relaxed), now_us)
               ? clock_text
               : NULL;
}

const char *checkpoint_trouble(const struct checkpoint *c, int64_t now_us)
{
    if (!c) {
        return NULL;
    }
    if (atomic_load_explicit(&c->lost, memory_order_acquire)) {
        return "the checkpoint of the trust data is missing or cannot be believed; an administrator must "
               "look at it and then acknowledge it: bond trust acknowledge --all";
    }
    if (atomic_load_explicit(&c->unwritable, memory_order_relaxed)) {
        return "the checkpoint of the trust data cannot be written; see the server's log";
    }
    return checkpoint_suspicion(c, now_us);
}

/* Under lock: every key that was revoked still is; once in a run. */
static bool revoked_good(struct checkpoint *c, const struct pin_list *revoked)
{
    if (c->revoked_checked) {
        return true;
    }
    for (size_t i = 0; i < c->revoked.count; i++) {
        if (!pin_list_has(revoked, c->revoked.items[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < revoked->count; i++) {
        checkpoint_add_revoked(c, revoked->items[i].spki);
    }
    c->revoked_checked = true;
    return true;
}

bool checkpoint_exceptions_checked(const struct checkpoint *c)
{
    return !c || atomic_load(&c->exceptions_checked);
}

enum checkpoint_answer checkpoint_look_exceptions(struct checkpoint *c,
                                                  const struct exception_list *store,
                                                  int64_t now_us, char *why)
{
    char what[160];
    bool good = true;
    why[0] = '\0';
    if (!c || atomic_load(&c->lost)) {
        return CHECKPOINT_GOOD; /* of one that is lost checkpoint_suspicion tells */
    }
    pthread_mutex_lock(&c->lock);
    if (!atomic_load(&c->exceptions_checked)) {
        good = exception_list_covered(&c->exceptions, store, now_us, what, sizeof what);
    }
    if (good && !atomic_load(&c->exceptions_checked)) {
        checkpoint_raise_exceptions(c, store);
    }
    pthread_mutex_unlock(&c->lock);
    if (good) {
        return CHECKPOINT_GOOD;
    }
    (void)snprintf(why, SUSPICION_MAX,
                   "the store seems to have been set back: %s; an administrator must look at the "
                   "deny list and the overrides and then acknowledge it: bond trust acknowledge "
                   "--all",
                   what);
    return CHECKPOINT_SUSPECT;
}

static void tell(struct checkpoint_entry *entry, const char *why)
{
    if (!entry->told) {
        entry->told = true;
        log_event(LOG_ERROR, "rollback_suspected", "repository=%s why=\"%s\"", entry->repo, why);
    }
}

static void say_behind(const struct repo_name *repo, const char *what, char *why)
{
    (void)snprintf(
        why, SUSPICION_MAX,
        "the store seems to have been set back: %.120s; an administrator must look at it "
        "and then acknowledge it: bond trust acknowledge %.*s",
        what, SUSPICION_MAX - 260, repo->text);
}

/* Under lock. */
static enum checkpoint_answer look(struct checkpoint *c, const struct repo_name *repo,
                                   const struct trust_role_life_list *lives, char *why)
{
    char what[200];
    struct checkpoint_entry *entry = checkpoint_table_find(c->table, repo_name_slice(repo));
    if (!entry && lives->count == 0) {
        return CHECKPOINT_GOOD; /* nothing to remember */
    }
    if (entry && entry->checked) {
        return CHECKPOINT_GOOD;
    }
    switch (checkpoint_entry_order(entry, lives, what, sizeof what)) {
    case STORE_BEHIND:
        say_behind(repo, what, why);
        tell(entry, what);
        return CHECKPOINT_SUSPECT;
    case STORE_SAME:
        break;
    case STORE_AHEAD:
        entry = checkpoint_table_get(c->table, repo_name_slice(repo));
        checkpoint_entry_raise(entry, lives);
        checkpoint_put_entry(c, entry);
        break;
    }
    if (entry) {
        entry->checked = true;
    }
    return CHECKPOINT_GOOD;
}

enum checkpoint_answer checkpoint_look(struct checkpoint *c, const struct repo_name *repo,
                                       const struct trust_role_life_list *lives,
                                       const struct pin_list *revoked, char *why)
{
    enum checkpoint_answer answer = CHECKPOINT_SUSPECT;
    why[0] = '\0';
    if (!c || atomic_load(&c->lost)) {
        return CHECKPOINT_GOOD; /* of one that is lost checkpoint_suspicion tells */
    }
    pthread_mutex_lock(&c->lock);
    if (revoked_good(c, revoked)) {
        answer = look(c, repo, lives, why);
    } else {
        (void)snprintf(why, SUSPICION_MAX,
                       "the store seems to have been set back: a key that was revoked is not any "
                       "more; an administrator must look at it and then acknowledge it: bond trust "
                       "acknowledge --all");
    }
    pthread_mutex_unlock(&c->lock);
    return answer;
}

unsigned checkpoint_acceptances(const struct checkpoint *c)
{
    return c ? atomic_load(&c->acceptances) : 0;
}

/* From now on the repository may be changed: a snapshot from before, or a group of the writer that is
 * not committed yet, is not to be compared any more. */
static void mark_checked(struct checkpoint *c, const struct repo_name *repo)
{
    if (!c) {
        return;
    }
    pthread_mutex_lock(&c->lock);
    checkpoint_table_get(c->table, repo_name_slice(repo))->checked = true;
    pthread_mutex_unlock(&c->lock);
}

enum checkpoint_answer checkpoint_allows(struct checkpoint *c, const struct repo_name *repo,
                                         const struct trust_role_life_list *lives,
                                         const struct pin_list *revoked, int64_t now_us, char *why)
{
    const char *all = checkpoint_suspicion(c, now_us);
    if (all) {
        (void)snprintf(why, SUSPICION_MAX, "%s", all);
        return CHECKPOINT_SUSPECT;
    }
    if (checkpoint_look(c, repo, lives, revoked, why) == CHECKPOINT_SUSPECT) {
        return CHECKPOINT_SUSPECT;
    }
    mark_checked(c, repo);
    return CHECKPOINT_GOOD;
}

bool checkpoint_knows(struct checkpoint *c, const struct repo_name *repo)
{
    if (!c) {
        return false;
    }
    pthread_mutex_lock(&c->lock);
    bool known = checkpoint_table_find(c->table, repo_name_slice(repo)) != NULL;
    pthread_mutex_unlock(&c->lock);
    return known;
}
