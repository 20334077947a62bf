/* What the checkpoint knows of each repository, in memory: the place that each role has reached.
 * Not thread-safe; checkpoint.c keeps it under its lock. Not for others.
 *
 * A place is (incarnation, version, ended), compared in this order: publishing raises the version,
 * the end of a role or a wipe raises `ended`, what begins again has the next incarnation. So places
 * only go up, and the order in which they are noted does not matter. */
#ifndef TRUST_CHECKPOINT_TABLE_H
#define TRUST_CHECKPOINT_TABLE_H

#include "base/buf.h"
#include "storage/trust_doc.h"

struct place {
    char *role; /* owned */
    int64_t incarnation, version;
    bool ended;
    uint8_t signed_sha256[32]; /* of the document of that version */
};

struct checkpoint_entry {
    struct checkpoint_entry *next;
    char *repo; /* owned */
    struct place *places; /* in the order of their roles: ended ones stay, there may be many */
    size_t count;
    bool checked; /* found good, or acknowledged, since the start */
    bool told;    /* found bad since the start, and logged */
};

struct checkpoint_table;

struct checkpoint_table *checkpoint_table_new(void);
void checkpoint_table_free(struct checkpoint_table *table); /* accepts NULL */

/* NULL when the repository is not known. Borrowed until it is removed. */
struct checkpoint_entry *checkpoint_table_find(const struct checkpoint_table *table,
                                               struct slice repo);
/* The same, made when missing. */
struct checkpoint_entry *checkpoint_table_get(struct checkpoint_table *table, struct slice repo);
void checkpoint_table_remove(struct checkpoint_table *table, struct slice repo);
/* Removes what `keep` says no to. */
void checkpoint_table_filter(struct checkpoint_table *table,
                             bool (*keep)(const struct checkpoint_entry *entry, void *arg),
                             void *arg);

/* The zero value is the one that refuses. */
enum checkpoint_order { STORE_BEHIND = 0, STORE_SAME, STORE_AHEAD };
/* Where the store's roles stand against the entry (NULL = nothing known).
 *   why   of n bytes: the first role that is behind, a part of a sentence */
enum checkpoint_order checkpoint_entry_order(const struct checkpoint_entry *entry,
                                             const struct trust_role_life_list *lives, char *why,
                                             size_t n);
/* Each role's place becomes the store's where that is higher. */
void checkpoint_entry_raise(struct checkpoint_entry *entry,
                            const struct trust_role_life_list *lives);
/* The places become the store's, whatever they were. */
void checkpoint_entry_set(struct checkpoint_entry *entry, const struct trust_role_life_list *lives);

/* One line of the file, "repo NAME" and five words a role. */
void checkpoint_entry_write(const struct checkpoint_entry *entry, struct buf *out);
/* Reads such a line (without its end) into the table, in place of what is known; false when it is
 * none. */
bool checkpoint_table_read(struct checkpoint_table *table, struct slice line);
/* Every entry as lines. */
void checkpoint_table_write(const struct checkpoint_table *table, struct buf *out);

#endif
