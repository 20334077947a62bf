/* What the files import_gun.c (the order of steps, what must hold, pins), import_gun_docs.c (documents) and
 * import_gun_keys.c (keys) share about the one repository that is taken. Not for others. All of it runs inside the
 * write that takes the repository: what fails leaves nothing. */
#ifndef TRUST_IMPORT_GUN_H
#define TRUST_IMPORT_GUN_H

#include "trust/import_internal.h"
#include "trust/load.h"

/* One repository on its way into the store. */
struct taking {
    struct db_tx *tx;
    struct import_gun *g;
    const struct import *im;
    struct repository repo;
    bool fresh;                 /* nothing was stored before */
    struct trust_loaded before; /* what was stored */
    struct trust_loaded after;  /* with everything put */
    struct trust_state *state;  /* of it */
    struct tuf_doc *root;       /* in force while the rows go by */
    struct tuf_doc **listers;   /* the newest targets and delegations that delegate */
    size_t lister_count;
    int64_t last_us;        /* times never go back */
    int64_t unsigned_count; /* old documents that the keys of their time did not sign */
    char key_why[300];      /* why a key was not taken; the first */
};

static inline void cleanup_taken_doc(struct tuf_doc **doc)
{
    tuf_doc_free(*doc);
}
#define auto_doc __attribute__((cleanup(cleanup_taken_doc)))

/* Told beside the outcome; those beyond a hundred are dropped. */
void taking_warn(struct taking *t, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Stores the dump's documents in their order, each read, verified by the keys of its time and compared with what is
 * stored already. Fills t->root and t->listers.
 * Expected errors: ERR_INVALID with the document and what is wrong with it. */
bool taking_put_docs(struct taking *t, struct err *err) MUST_USE;
/* Stores one document that is not here yet, as accepted at `created_us` or when the one before it was. */
bool taking_put_doc(struct taking *t, const struct tuf_doc *doc, int64_t created_us, struct err *err) MUST_USE;
/* Takes the server's keys of the dump over, sealed anew. One that cannot be taken is a warning, and the first is kept
 * in t->key_why. After taking_put_docs. */
bool taking_put_keys(struct taking *t, struct err *err) MUST_USE;

#endif
