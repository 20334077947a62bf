#include "trust/load.h"

#include "base/hash.h"
#include "trust/trust_internal.h"

static bool load_rows(struct db_tx *tx, int64_t repository_id, struct trust_loaded *out,
                      struct err *err)
{
    return trust_doc_roots(tx, repository_id, &out->roots, err) &&
           trust_doc_current(tx, repository_id, &out->current, err) &&
           trust_role_lives(tx, repository_id, &out->lives, err) &&
           trust_key_list(tx, repository_id, &out->keys, err) &&
           trust_pin_get(tx, repository_id, &out->pin_rows, err) &&
           revoked_key_list(tx, &out->revoked_rows, err);
}

static struct spki *copy_pins(const struct pin_list *rows)
{
    struct spki *keys = xcalloc(rows->count + 1, sizeof *keys);
    for (size_t i = 0; i < rows->count; i++) {
        memcpy(keys[i].sha256, rows->items[i].spki, sizeof keys[i].sha256);
    }
    return keys;
}

static struct trust_revocation *note_revocations(const struct pin_list *rows)
{
    struct trust_revocation *notes = xcalloc(rows->count + 1, sizeof *notes);
    for (size_t i = 0; i < rows->count; i++) {
        notes[i] = (struct trust_revocation){rows->items[i].added_us, rows->items[i].reason};
    }
    return notes;
}

static struct trust_file file_of(const struct trust_doc *doc)
{
    return (struct trust_file){.role = doc->role, .bytes = doc->bytes};
}

/* A row's own hash is only where to look: the bytes must be the same. */
static bool find_read(const struct trust *trust, const struct trust_doc *row, struct tuf_doc **out)
{
    *out = documents_find(trust->documents, slice_str(row->role), row->sha256);
    if (*out && !slice_equal((*out)->bytes, row->bytes)) {
        tuf_doc_free(*out);
        *out = NULL;
    }
    return *out != NULL;
}

/* Of roots the last one is read again and again. */
static void find_documents(const struct trust *trust, struct trust_loaded *l)
{
    size_t n = 0, file = 0;
    l->known = xcalloc(l->current.count + 2, sizeof(struct tuf_doc *));
    if (l->roots.count > 0 && find_read(trust, &l->roots.items[l->roots.count - 1], &l->known[n])) {
        l->root_files[l->roots.count - 1].parsed = l->known[n++];
    }
    for (size_t i = 0; i < l->current.count; i++) {
        if (strcmp(l->current.items[i].role, "root") == 0) {
            continue;
        }
        if (find_read(trust, &l->current.items[i], &l->known[n])) {
            l->files[file].parsed = l->known[n++];
        }
        file++;
    }
}

static void index_rows(struct trust_loaded *l)
{
    l->root_files = xcalloc(l->roots.count + 1, sizeof *l->root_files);
    for (size_t i = 0; i < l->roots.count; i++) {
        l->root_files[i] = file_of(&l->roots.items[i]);
    }
    l->files = xcalloc(l->current.count + 1, sizeof *l->files);
    for (size_t i = 0; i < l->current.count; i++) {
        if (strcmp(l->current.items[i].role, "root") != 0) {
            l->files[l->set.file_count++] = file_of(&l->current.items[i]);
        }
    }
    l->seen = xcalloc(l->lives.count + 1, sizeof *l->seen);
    for (size_t i = 0; i < l->lives.count; i++) {
        const struct trust_role_life *life = &l->lives.items[i];
        if (!life->ended) {
            struct trust_seen *seen = &l->seen[l->set.seen_count++];
            *seen = (struct trust_seen){
                .role = life->role, .version = life->version, .has_signed = true};
            memcpy(seen->signed_sha256, life->signed_sha256, sizeof seen->signed_sha256);
        }
    }
}

bool trust_load(const struct trust *trust, struct db_tx *tx, const struct repository *repo,
                struct trust_loaded *out, struct err *err)
{
    *out = (struct trust_loaded){.repo = repo->name};
    if (!load_rows(tx, repo->id, out, err)) {
        return false;
    }
    trust_gun_write(trust, &repo->name, &out->gun);
    index_rows(out);
    find_documents(trust, out);
    out->pin = copy_pins(&out->pin_rows);
    out->revoked = copy_pins(&out->revoked_rows);
    out->revocations = note_revocations(&out->revoked_rows);
    out->set.gun = buf_slice_of(&out->gun);
    out->set.roots = out->root_files;
    out->set.root_count = out->roots.count;
    out->set.files = out->files;
    out->set.seen = out->seen;
    out->set.pin = out->pin;
    out->set.pin_count = out->pin_rows.count;
    out->set.revoked = out->revoked;
    out->set.revoked_count = out->revoked_rows.count;
    out->set.revocations = out->revocations;
    return true;
}

void trust_loaded_dispose(struct trust_loaded *l)
{
    trust_doc_list_dispose(&l->roots);
    trust_doc_list_dispose(&l->current);
    trust_role_life_list_dispose(&l->lives);
    trust_key_list_dispose(&l->keys);
    pin_list_dispose(&l->pin_rows);
    pin_list_dispose(&l->revoked_rows);
    for (struct tuf_doc **doc = l->known; doc && *doc; doc++) {
        tuf_doc_free(*doc);
    }
    free(l->known);
    free(l->root_files);
    free(l->files);
    free(l->seen);
    free(l->pin);
    free(l->revoked);
    free(l->revocations);
    buf_dispose(&l->gun);
    *l = (struct trust_loaded){0};
}

static const char *server_role(enum role_kind role)
{
    return role == ROLE_TIMESTAMP ? "timestamp" : "snapshot";
}

bool trust_loaded_due(const struct trust_loaded *loaded, enum role_kind role, int64_t now_us)
{
    for (size_t i = 0; i < loaded->current.count; i++) {
        const struct trust_doc *row = &loaded->current.items[i];
        if (strcmp(row->role, server_role(role)) == 0) {
            return row->renew_us > 0 && now_us >= row->renew_us;
        }
    }
    return false;
}

const struct trust_key *trust_loaded_key(const struct trust_loaded *loaded, enum role_kind role,
                                         const char *key_id, const struct spki *spki)
{
    const char *name = server_role(role);
    for (size_t i = 0; i < loaded->keys.count; i++) {
        const struct trust_key *key = &loaded->keys.items[i];
        struct spki own;
        if (strcmp(key->role, name) != 0 || strcmp(key->key_id, key_id) != 0) {
            continue;
        }
        hash_sha256(buf_slice_of(&key->public_der), own.sha256);
        return !spki || spki_equal(spki, &own) ? key : NULL;
    }
    return NULL;
}

size_t trust_loaded_keys(const struct trust_loaded *loaded, const struct tuf_role_keys *keys,
                         enum role_kind role, const struct trust_key **out, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < keys->key_count && n < max; i++) {
        const struct trust_key *key = trust_loaded_key(loaded, role, keys->key_ids[i], NULL);
        if (key) {
            out[n++] = key;
        }
    }
    return n;
}

bool trust_loaded_holds(const struct trust_loaded *loaded, const struct tuf_role_keys *keys,
                        enum role_kind role)
{
    const struct trust_key *held[SERVER_SIGNATURES_MAX];
    return keys->threshold >= 1 &&
           (int64_t)trust_loaded_keys(loaded, keys, role, held, SERVER_SIGNATURES_MAX) >=
               keys->threshold;
}

void trust_loaded_options(const struct trust_loaded *loaded, int64_t now_us,
                          struct trust_options *out)
{
    struct tuf_doc *root = NULL;
    *out = (struct trust_options){.now_us = now_us};
    if (loaded->roots.count == 0) {
        return;
    }
    if (trust_file_read(&loaded->root_files[loaded->roots.count - 1], &root, NULL) == DOC_OK) {
        out->renewable_timestamp = trust_loaded_holds(loaded, &root->timestamp, ROLE_TIMESTAMP);
        out->renewable_snapshot = trust_loaded_holds(loaded, &root->snapshot, ROLE_SNAPSHOT);
    }
    tuf_doc_free(root);
}
