/* The steps of the publish rule, one file a step, and what they share. Private to publish_*.c.
 * A step that returns false has written the verdict; no further step runs. */
#ifndef TRUST_PUBLISH_INTERNAL_H
#define TRUST_PUBLISH_INTERNAL_H

#include "trust/publish.h"

struct upload {       /* a part that was read */
    const char *role; /* `name` */
    char name[ROLE_NAME_MAX + 1];
    enum role_kind kind;
    enum doc_fault fault;
    struct err why;
    struct tuf_doc *doc; /* NULL unless DOC_OK; moves to the verdict when accepted */
};

struct node { /* targets, or a delegation that has metadata */
    const struct tuf_doc *doc;
    const struct tuf_doc *parent; /* NULL for targets */
    const struct tuf_delegation *listed;
    size_t parent_index;
    bool uploaded, valid;
};

struct check {
    const struct publish_facts *f;
    struct publish_verdict *v;
    struct upload *uploads;
    size_t upload_count;
    const struct tuf_doc *stored_root; /* current; NULL when nothing is published */
    const struct tuf_doc *root;        /* in force */
    bool same_version;                 /* the uploaded root has the current version */
    struct node *nodes;
    size_t node_count;
    size_t listed; /* delegations seen, with metadata or without */
    int checks; /* signature checks done and planned */
};

/* Writes the verdict of a refusal (gate.md 9.1) and returns false.
 *   errname   detail's Name, "" for a refusal that is 401
 *   reason    gate.md 10.2, "" = none */
bool publish_refuse(struct check *c, enum err_code code, const char *errname, const char *reason,
                    const char *fmt, ...) PRINTF_LIKE(5, 6);
/* "ErrBadRoot", "ErrBadTargets", "ErrBadSnapshot", else "ErrValidation". */
const char *publish_errname(enum role_kind kind);

/* The part of that role; NULL when the upload has none. */
const struct upload *publish_upload_of(const struct check *c, const char *role);
/* The stored document of that role; NULL when there is none. */
const struct tuf_doc *publish_stored_of(const struct check *c, const char *role);
/* What the role will be: the upload (NULL when it did not read), else what is stored. */
const struct tuf_doc *publish_effective(const struct check *c, const char *role);
/* True when the resulting tree delegates that role and it has metadata. After publish_check_targets. */
bool publish_in_tree(const struct check *c, const char *role);
/* How many of the keys that the root in force lists for a server role the server holds. */
size_t publish_held_keys(const struct check *c, const struct tuf_role_keys *keys,
                         enum role_kind role);
/* Refuses a root by which the server would have to put more signatures on its document of this role
 * than a document may carry. */
bool publish_check_signable(struct check *c, const struct tuf_role_keys *keys, const char *role);
/* Bounds the signature checks of one upload before they are made: adds `checks` to what was planned. */
bool publish_plan_checks(struct check *c, int checks);

/* The highest version that was accepted in the role's present life; 0 when it has none. */
int64_t publish_seen_version(const struct check *c, const char *role);
/* After publish_check_root: which of the roles that may be reset begin anew by this upload. */
void publish_find_anew(struct check *c);

/* Steps, in this order. Root: chain, pins, certificates, server keys; sets c->root. Targets and delegations: sets
 * c->nodes. Snapshot: the uploaded one, or that the server can make it. */
bool publish_check_root(struct check *c);
bool publish_check_targets(struct check *c);
bool publish_check_snapshot(struct check *c);

#endif
