#include "base/clock.h"
#include "base/fsx.h"
#include "storage/repository.h"
#include "trust/rewrap.h"
#include "trust/trust_internal.h"

#include <fcntl.h>
#include <sodium.h>

#define DEFAULT_VIEW_BYTES ((size_t)64 * 1024 * 1024)
#define DEFAULT_VIEW_COUNT 4096
#define DOCUMENT_BYTES ((size_t)32 * 1024 * 1024)

bool trust_sealing_key_create(int at, const char *path, struct err *err)
{
    uint8_t key[SEALING_KEY_SIZE];
    if (faccessat(at, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        return err_set(err, ERR_CONFLICT, "%s exists already", path);
    }
    randombytes_buf(key, sizeof key);
    bool ok = fsx_replace(at, path, slice_of_bytes(key, sizeof key), 0600, err);
    sodium_memzero(key, sizeof key);
    return ok;
}

static char **copy_texts(const char *const *texts)
{
    size_t n = 0;
    while (texts && texts[n]) {
        n++;
    }
    char **copy = xcalloc(n + 1, sizeof *copy);
    for (size_t i = 0; i < n; i++) {
        copy[i] = xstrdup(texts[i]);
    }
    return copy;
}

static bool store_has_trust(struct db *db, bool *out, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_repository_list struct repository_list first = {0};
    auto_denied_digest_list struct denied_digest_list denied = {0};
    const struct digest none = {0};
    if (!db_snapshot(db, &tx, err) || !repository_list_trusted(tx, 0, 1, &first, err) ||
        !denied_digest_list_all(tx, "", &none, 1, &denied, err)) {
        return false;
    }
    *out = first.count > 0 || denied.count > 0;
    return true;
}

/* While a change of the sealing key is under way the checkpoint may be under the next one already. */
static void checkpoint_key(const struct sealing *sealing, const char *path,
                           uint8_t key[CHECKPOINT_KEY_SIZE])
{
    const struct sealing *next = sealing_next(sealing);
    sealing_derive(next ? next : sealing, "chkpoint", key);
    if (next && !checkpoint_file_is_under(path, key)) {
        sealing_derive(sealing, "chkpoint", key);
    }
}

static bool open_checkpoint(struct trust *trust, const char *path, struct err *err)
{
    uint8_t key[CHECKPOINT_KEY_SIZE];
    struct checkpoint_options options = {
        .path = path, .key = key, .now_us = clock_now_us(), .mono_us = clock_mono_us()};
    if (!path) {
        return true;
    }
    checkpoint_key(trust->sealing, path, key);
    bool ok = store_has_trust(trust->db, &options.store_has_trust, err) &&
              checkpoint_open(&options, &trust->checkpoint, err);
    sodium_memzero(key, sizeof key);
    return ok;
}

bool trust_note_time(struct trust *trust, int64_t now_us, struct err *err)
{
    return checkpoint_tick(trust->checkpoint, now_us, clock_mono_us(), err);
}

const char *trust_trouble(const struct trust *trust, int64_t now_us)
{
    const char *trouble = db_trouble(trust->db);
    return trouble ? trouble : checkpoint_trouble(trust->checkpoint, now_us);
}

bool trust_open(const struct trust_settings *settings, struct trust **out, struct err *err)
{
    struct sealing *sealing = NULL;
    *out = NULL;
    if (!sealing_read_both(settings->sealing_key_path, &sealing, err)) {
        return false;
    }
    if (!trust_keys_bind(store_db(settings->store), sealing, err)) {
        sealing_free(sealing);
        return false;
    }
    struct trust *trust = xcalloc(1, sizeof *trust);
    trust->store = settings->store;
    trust->db = store_db(settings->store);
    trust->host = xstrdup(settings->host);
    trust->aliases = copy_texts(settings->aliases);
    trust->sealing = sealing;
    trust->views = gate_views_new(settings->view_bytes ? settings->view_bytes : DEFAULT_VIEW_BYTES,
                                  settings->view_count ? settings->view_count : DEFAULT_VIEW_COUNT);
    trust->chains = chains_new();
    trust->documents = documents_new(DOCUMENT_BYTES);
    trust->timestamp_life_us =
        settings->timestamp_life_us ? settings->timestamp_life_us : 14 * US_PER_DAY;
    trust->snapshot_life_us =
        settings->snapshot_life_us ? settings->snapshot_life_us : 1095 * US_PER_DAY;
    trust->max_lifetime_us = settings->max_lifetime_us;
    trust->namespace_bytes = settings->namespace_bytes;
    for (int i = 0; i < PUBLISH_LOCKS; i++) {
        pthread_mutex_init(&trust->publish_locks[i], NULL);
    }
    if (!open_checkpoint(trust, settings->checkpoint_path, err)) {
        trust_close(trust);
        return false;
    }
    *out = trust;
    return true;
}

const struct store *trust_store(const struct trust *trust)
{
    return trust->store;
}

void trust_close(struct trust *trust)
{
    if (!trust) {
        return;
    }
    for (int i = 0; i < PUBLISH_LOCKS; i++) {
        pthread_mutex_destroy(&trust->publish_locks[i]);
    }
    for (char **alias = trust->aliases; *alias; alias++) {
        free(*alias);
    }
    gate_views_free(trust->views);
    chains_free(trust->chains);
    documents_free(trust->documents);
    checkpoint_close(trust->checkpoint);
    sealing_free(trust->sealing);
    free(trust->aliases);
    free(trust->host);
    free(trust);
}

pthread_mutex_t *trust_publish_lock(struct trust *trust, int64_t repository_id)
{
    pthread_mutex_t *lock = &trust->publish_locks[(uint64_t)repository_id % PUBLISH_LOCKS];
    pthread_mutex_lock(lock);
    return lock;
}

const char *trust_host(const struct trust *trust)
{
    return trust->host;
}

/* What follows "host/"; false when the GUN is not under this host. */
static bool under_host(struct slice gun, const char *host, struct slice *rest)
{
    size_t n = strlen(host);
    if (!slice_starts(gun, host) || gun.n <= n + 1 || gun.p[n] != '/') {
        return false;
    }
    *rest = slice_from(gun, n + 1);
    return true;
}

static bool strip_host(const struct trust *trust, struct slice gun, struct slice *rest,
                       bool *canonical)
{
    bool known = *canonical = under_host(gun, trust->host, rest);
    for (char **alias = trust->aliases; !known && *alias; alias++) {
        known = under_host(gun, *alias, rest);
    }
    return known;
}

bool trust_gun_is_own(const struct trust *trust, struct slice gun)
{
    struct slice rest = {0};
    bool canonical = false;
    return strip_host(trust, gun, &rest, &canonical);
}

bool trust_gun_parse(const struct trust *trust, struct slice gun, struct repo_name *repo_out,
                     bool *canonical_out)
{
    struct slice rest = {0};
    bool canonical = false;
    bool known = strip_host(trust, gun, &rest, &canonical);
    if (canonical_out) {
        *canonical_out = canonical;
    }
    return known && repo_name_parse(rest, repo_out, NULL);
}

void trust_gun_write(const struct trust *trust, const struct repo_name *repo, struct buf *out)
{
    buf_printf(out, "%s/%s", trust->host, repo->text);
}
