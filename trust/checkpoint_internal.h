/* The checkpoint as its files share it: checkpoint.c (the file, opening, noting), checkpoint_look.c
 * (comparing a store with it) and checkpoint_accept.c (taking a store for the truth). Not for others. */
#ifndef TRUST_CHECKPOINT_INTERNAL_H
#define TRUST_CHECKPOINT_INTERNAL_H

#include "trust/checkpoint.h"
#include "trust/checkpoint_table.h"
#include "trust/clock_guard.h"

#include <pthread.h>
#include <stdatomic.h>

struct key_set {
    uint8_t (*items)[32];
    size_t count;
};

struct checkpoint {
    /* The file and its records; taken before `lock`. */
    pthread_mutex_t io;
    struct checkpoint_file file;
    uint64_t flushed;       /* changes that are durable */
    atomic_bool unwritable; /* the last try to write failed; written under io */

    pthread_mutex_t lock; /* what follows */
    struct checkpoint_table *table;
    struct key_set revoked;
    bool revoked_checked; /* the store's were compared in this run and found good */
    struct exception_list exceptions;
    struct clock_guard clock;
    struct buf pending; /* lines that are in the table and not in the file */
    uint64_t changes;   /* lines ever noted */

    atomic_bool lost;             /* there is no usable checkpoint: everything is suspect */
    char lost_why[SUSPICION_MAX]; /* constant after the opening */
    _Atomic int64_t seen_us;      /* clock.seen_us, for readers without the lock */
    atomic_uint acceptances;
    atomic_bool exceptions_checked; /* as revoked_checked; written under lock */
};

/* Note what is new of each in the table, and its line for the file. With `lock` held. */
void checkpoint_add_revoked(struct checkpoint *c, const uint8_t spki[32]);
void checkpoint_raise_exceptions(struct checkpoint *c, const struct exception_list *store);
void checkpoint_put_entry(struct checkpoint *c, const struct checkpoint_entry *entry);

/* Replaces the file by everything known. With `io` held. */
bool checkpoint_replace(struct checkpoint *c, struct err *err) MUST_USE;
/* False, with the sentence for who wanted to write; `why` goes to the log. With `io` held. */
bool checkpoint_say_unwritable(struct checkpoint *c, const struct err *why, struct err *err);

#endif
