/* The trust server's running state: sealing key, publish locks, gate views. Made once at start,
 * used by every thread. Owns: struct trust. See gate.h (rules), door.h (decisions over the store),
 * publish.h, resign.h, wipe.h, keys.h. */
#ifndef TRUST_TRUST_H
#define TRUST_TRUST_H

#include "base/db.h"
#include "base/name.h"
#include "storage/store.h"

struct trust;

#define SEALING_KEY_SIZE 32

struct trust_settings {
    struct store *store;        /* borrowed */
    const char *host;           /* canonical host[:port]; copied */
    const char *const *aliases; /* NULL-terminated list of further hosts that map to the same GUNs;
                                   may be NULL; copied */
    const char *sealing_key_path; /* file of exactly 32 bytes, mode 0600 (secrets/sealing.key) */
    const char *checkpoint_path;  /* checkpoint.h; NULL: none is kept (tests) */
    size_t view_bytes;            /* bound of the gate views' memory; 0 = 64 MiB */
    size_t view_count;            /* bound of their number; 0 = 4096 */
    int64_t timestamp_life_us;    /* 0 = 14 days */
    int64_t snapshot_life_us;     /* 0 = 1095 days */
    int64_t max_lifetime_us;      /* publish_facts; 0 = not enforced */
    int64_t namespace_bytes;      /* what publishing may fill a namespace with; 0 = no limit */
};

/* Writes a fresh sealing key (32 random bytes, 0600) under `path` relative to folder `at`; for
 * `init`. Expected errors: ERR_CONFLICT when the file exists. Durable. */
bool trust_sealing_key_create(int at, const char *path, struct err *err) MUST_USE;
/* Expected errors: ERR_INVALID (the key file is missing, of another size, or readable by others:
 * one sentence), ERR_NO_SPACE, ERR_INTERNAL (a first checkpoint cannot be written). */
bool trust_open(const struct trust_settings *settings, struct trust **out,
                struct err *err) MUST_USE;
/* No other thread may use it any more. Accepts NULL. */
void trust_close(struct trust *trust);

const struct store *trust_store(const struct trust *trust); /* borrowed */
const char *trust_host(const struct trust *trust);
/* Maintenance: notes the time in the checkpoint, which sees a clock that is turned back. Durable. */
bool trust_note_time(struct trust *trust, int64_t now_us, struct err *err) MUST_USE;
/* Why nothing can be published or renewed now (db_trouble, checkpoint_trouble), or NULL. Any thread; no lock. */
const char *trust_trouble(const struct trust *trust, int64_t now_us);
/* The repository of a GUN "host/ns/app" under the canonical host or an alias; false under any other
 * host. canonical_out   true when the host is the canonical one; may be NULL */
bool trust_gun_parse(const struct trust *trust, struct slice gun, struct repo_name *repo_out,
                     bool *canonical_out);
/* True when the text begins with the canonical host or an alias and '/'. */
bool trust_gun_is_own(const struct trust *trust, struct slice gun);
/* Appends "HOST/ns/app". */
void trust_gun_write(const struct trust *trust, const struct repo_name *repo, struct buf *out);

#endif
