#include "trust/checkpoint_internal.h"

bool checkpoint_accept_begin(struct checkpoint *c, bool all, struct err *err)
{
    if (!c) {
        return true;
    }
    if (!all && atomic_load(&c->lost)) {
        return err_set(err, ERR_CONFLICT, "%s", c->lost_why);
    }
    return checkpoint_ready(c, err);
}

void checkpoint_accept(struct checkpoint *c, const struct repo_name *repo,
                       const struct trust_role_life_list *lives)
{
    if (!c) {
        return;
    }
    pthread_mutex_lock(&c->lock);
    struct checkpoint_entry *entry = checkpoint_table_get(c->table, repo_name_slice(repo));
    if (entry->checked) {
        checkpoint_entry_raise(entry, lives); /* it may have moved on since the snapshot */
    } else {
        checkpoint_entry_set(entry, lives);
    }
    entry->checked = true;
    entry->told = false;
    if (entry->count == 0) {
        checkpoint_table_remove(c->table, repo_name_slice(repo));
    }
    pthread_mutex_unlock(&c->lock);
}

void checkpoint_accept_exceptions(struct checkpoint *c, const struct exception_list *store)
{
    if (!c) {
        return;
    }
    pthread_mutex_lock(&c->lock);
    if (!atomic_load(&c->exceptions_checked)) {
        exception_list_dispose(&c->exceptions);
    }
    checkpoint_raise_exceptions(c, store);
    pthread_mutex_unlock(&c->lock);
}

static bool was_checked(const struct checkpoint_entry *entry, void *arg)
{
    (void)arg;
    return entry->checked;
}

/* Under lock. */
static void accept_rest(struct checkpoint *c, const struct pin_list *revoked, int64_t now_us,
                        int64_t mono_us)
{
    checkpoint_table_filter(c->table, was_checked, NULL);
    if (!c->revoked_checked) {
        c->revoked.count = 0;
    }
    for (size_t i = 0; i < revoked->count; i++) {
        checkpoint_add_revoked(c, revoked->items[i].spki);
    }
    c->revoked_checked = true;
    clock_guard_reset(&c->clock, now_us, mono_us);
}

bool checkpoint_accept_end(struct checkpoint *c, const struct pin_list *revoked, bool all,
                           int64_t now_us, int64_t mono_us, struct err *err)
{
    struct err why = {0};
    if (!c) {
        return true;
    }
    pthread_mutex_lock(&c->io);
    pthread_mutex_lock(&c->lock);
    if (all) {
        accept_rest(c, revoked, now_us, mono_us);
    }
    pthread_mutex_unlock(&c->lock);
    atomic_fetch_add(&c->acceptances, 1); /* what was accepted is, in memory, written or not */
    bool ok = checkpoint_replace(c, &why);
    if (ok) {
        atomic_store(&c->unwritable, false);
    }
    if (ok && all) {
        pthread_mutex_lock(&c->lock);
        atomic_store(&c->seen_us, c->clock.seen_us);
        pthread_mutex_unlock(&c->lock);
        atomic_store(&c->lost, false);
    }
    if (!ok) {
        (void)checkpoint_say_unwritable(c, &why, err);
    }
    pthread_mutex_unlock(&c->io);
    return ok;
}
