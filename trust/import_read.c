#include "base/clock.h"
#include "base/hash.h"
#include "base/hex.h"
#include "trust/dump.h"
#include "trust/import_internal.h"
#include "trust/import_key.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- names ---- */

struct name_entry {
    uint32_t place;
    char text[];
};

static int compare_entries(const void *a, const void *b)
{
    return strcmp(((const struct name_entry *)a)->text, ((const struct name_entry *)b)->text);
}

/* The place of a text in im->names, where it is put when it is new. */
static uint32_t intern(struct import *im, struct slice text)
{
    struct name_entry *fresh = xcalloc(1, sizeof(*fresh) + text.n + 1);
    memcpy(fresh->text, text.p, text.n);
    fresh->place = (uint32_t)im->name_count;
    struct name_entry **found =
        (struct name_entry **)tsearch(fresh, &im->name_tree, compare_entries);
    if (!found) {
        BUG("no memory for a name");
    }
    if (*found != fresh) {
        free(fresh);
        return (*found)->place;
    }
    im->names = xrealloc(im->names, (im->name_count + 1) * sizeof(*im->names));
    im->names[im->name_count++] = fresh->text;
    return fresh->place;
}

/* ---- columns ---- */

enum file_column { F_ID, F_CREATED, F_DELETED, F_GUN, F_ROLE, F_VERSION, F_DATA, F_SHA256 };
static const struct dump_column file_columns[] = {
    {"id", false},   {"created_at", false}, {"deleted_at", false}, {"gun", false},
    {"role", false}, {"version", false},    {"data", true},        {"sha256", false}};

enum change_column { C_ID, C_CREATED, C_GUN, C_VERSION, C_SHA256, C_CATEGORY };
static const struct dump_column change_columns[] = {{"id", false},     {"created_at", false},
                                                    {"gun", false},    {"version", false},
                                                    {"sha256", false}, {"category", false}};

enum key_column { K_ID, K_CREATED, K_DELETED, K_GUN, K_ROLE, K_KEY_ID, K_ALIAS, K_PRIVATE, K_USED };
static const struct dump_column key_columns[] = {
    {"id", false},       {"created_at", false}, {"deleted_at", false},       {"gun", false},
    {"role", false},     {"key_id", false},     {"passphrase_alias", false}, {"private", true},
    {"last_used", false}};

#define COLUMNS(c) (c), sizeof(c) / sizeof((c)[0])
static const struct dump_table server_tables[] = {{"tuf_files", COLUMNS(file_columns)},
                                                  {"changefeed", COLUMNS(change_columns)}};
static const struct dump_table signer_tables[] = {{"private_keys", COLUMNS(key_columns)}};

static struct slice text_of(const struct dump_value *v)
{
    return v->present ? v->bytes : (struct slice){0};
}

/* Of a dump without the column, the place of the row. */
static int64_t order_of(const struct dump_value *v, size_t place)
{
    int64_t n = 0;
    return v->present && slice_to_int64(v->bytes, &n) ? n : (int64_t)place;
}

static int64_t number_of(const struct dump_value *v)
{
    int64_t n = 0;
    return v->present && slice_to_int64(v->bytes, &n) ? n : 0;
}

/* "2026-11-27 19:29:48.123" in UTC (mysqldump sets the zone, the columns of PostgreSQL have none); 0
 * when there is no such time. */
static int64_t time_of(const struct dump_value *v)
{
    char text[32];
    int64_t us = 0;
    struct slice s = slice_first(text_of(v), 19);
    if (s.n != 19 || s.p[10] != ' ') {
        return 0;
    }
    (void)snprintf(text, sizeof(text), "%.10sT%.8sZ", s.p, s.p + 11);
    return time_parse(slice_str(text), &us) ? us : 0;
}

static bool is_name(struct slice s)
{
    return s.n > 0 && s.n <= IMPORT_GUN_MAX && slice_is_utf8(s) && !memchr(s.p, '\0', s.n);
}

static bool too_many(const struct dump_table *table, size_t max, struct err *err)
{
    return err_set(err, ERR_INVALID, "%s has more than %zu rows", table->name, max);
}

/* Room for one more; doubles. */
static void *room(void *items, size_t count, size_t size)
{
    bool full = count == 0 || (count >= 64 && (count & (count - 1)) == 0);
    size_t next = count < 64 ? 64 : count * 2;
    return full ? xrealloc(items, next * size) : items;
}

/* ---- rows ---- */

static bool add_doc(struct import *im, const struct dump_table *table, const struct dump_value *v,
                    struct err *err)
{
    struct slice data = text_of(&v[F_DATA]);
    uint8_t hash[32], noted[32];
    if (v[F_DELETED].present) {
        return true;
    }
    if (!is_name(text_of(&v[F_GUN])) || !is_name(text_of(&v[F_ROLE]))) {
        return err_set(err, ERR_INVALID, "a row of tuf_files has no gun or no role");
    }
    if (im->doc_count == IMPORT_ROWS_MAX) {
        return too_many(table, IMPORT_ROWS_MAX, err);
    }
    if (fwrite(data.p, 1, data.n, im->spool) != data.n) {
        return err_sys(err, errno, "writing the spool of an import");
    }
    im->docs = room(im->docs, im->doc_count, sizeof(*im->docs));
    struct import_doc *doc = &im->docs[im->doc_count++];
    *doc = (struct import_doc){.id = order_of(&v[F_ID], im->doc_count),
                               .version = number_of(&v[F_VERSION]),
                               .created_us = time_of(&v[F_CREATED]),
                               .offset = im->spool_size,
                               .gun = intern(im, text_of(&v[F_GUN])),
                               .role = intern(im, text_of(&v[F_ROLE])),
                               .length = (uint32_t)data.n};
    hash_sha256(data, hash);
    doc->damaged = v[F_SHA256].present && hex_decode(v[F_SHA256].bytes, noted, 32) &&
                   !slice_equal(slice_of_bytes(hash, 32), slice_of_bytes(noted, 32));
    im->spool_size += (int64_t)data.n;
    return true;
}

static bool add_change(struct import *im, const struct dump_table *table,
                       const struct dump_value *v, struct err *err)
{
    if (!is_name(text_of(&v[C_GUN]))) {
        return err_set(err, ERR_INVALID, "a row of changefeed has no gun");
    }
    if (im->change_count == IMPORT_ROWS_MAX) {
        return too_many(table, IMPORT_ROWS_MAX, err);
    }
    im->changes = room(im->changes, im->change_count, sizeof(*im->changes));
    struct import_change *change = &im->changes[im->change_count++];
    *change = (struct import_change){.id = order_of(&v[C_ID], im->change_count),
                                     .version = number_of(&v[C_VERSION]),
                                     .created_us = time_of(&v[C_CREATED]),
                                     .gun = intern(im, text_of(&v[C_GUN])),
                                     .deletion = slice_is(text_of(&v[C_CATEGORY]), "deletion")};
    change->has_sha256 = hex_decode(text_of(&v[C_SHA256]), change->sha256, 32);
    return true;
}

static void copy_text(struct slice from, char *to, size_t size)
{
    size_t n = from.n < size ? from.n : size - 1;
    memcpy(to, from.p ? from.p : "", n);
    to[n] = '\0';
}

/* Signers before version 0.3 did not note gun and role: such keys are found by their id. */
static bool add_key(struct import *im, const struct dump_table *table, const struct dump_value *v,
                    struct err *err)
{
    struct slice gun = text_of(&v[K_GUN]);
    if (v[K_DELETED].present) {
        return true;
    }
    if (im->key_count == IMPORT_KEYS_MAX) {
        return too_many(table, IMPORT_KEYS_MAX, err);
    }
    if ((gun.n > 0 && !is_name(gun)) || text_of(&v[K_KEY_ID]).n != 64 ||
        text_of(&v[K_PRIVATE]).n > IMPORT_SEALED_MAX) {
        return err_set(err, ERR_INVALID, "a row of private_keys is no key of Notary v1");
    }
    im->keys = room(im->keys, im->key_count, sizeof(*im->keys));
    struct import_key *key = &im->keys[im->key_count++];
    *key = (struct import_key){.id = order_of(&v[K_ID], im->key_count),
                               .created_us = time_of(&v[K_CREATED]),
                               .gun = intern(im, gun),
                               .pending = !v[K_USED].present};
    im->nameless_keys = im->nameless_keys || gun.n == 0;
    copy_text(text_of(&v[K_ROLE]), key->role, sizeof(key->role));
    copy_text(v[K_KEY_ID].bytes, key->key_id, sizeof(key->key_id));
    copy_text(text_of(&v[K_ALIAS]), key->alias, sizeof(key->alias));
    key->sealed =
        xstrndup(text_of(&v[K_PRIVATE]).p ? v[K_PRIVATE].bytes.p : "", text_of(&v[K_PRIVATE]).n);
    return true;
}

static bool add_row(void *arg, const struct dump_table *table, const struct dump_value *values,
                    struct err *err)
{
    struct import *im = arg;
    if (table->columns == file_columns) {
        return add_doc(im, table, values, err);
    }
    return table->columns == change_columns ? add_change(im, table, values, err)
                                            : add_key(im, table, values, err);
}

/* ---- files ---- */

static ptrdiff_t read_file(void *arg, void *out, size_t n)
{
    const int *fd = arg;
    ssize_t got;
    do {
        got = read(*fd, out, n);
    } while (got < 0 && errno == EINTR);
    return got;
}

static bool read_dump(struct import *im, const char *path, const struct dump_table *tables,
                      size_t table_count, struct err *err)
{
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_set(err, ERR_INVALID, "%s cannot be opened: %s", path, strerror(errno));
    }
    const struct dump_source source = {read_file, &fd};
    const struct dump_sink sink = {add_row, im};
    return dump_read(&source, tables, table_count, &sink, err) || err_prefix(err, "%s", path);
}

/* A file without a name: gone with the process, however it ends. */
static bool open_spool(struct import *im, struct err *err)
{
    auto_buf struct buf path = {0};
    buf_printf(&path, "%s/import.XXXXXX", im->rq->work_dir);
    auto_fd int fd = mkostemp(path.p, O_CLOEXEC);
    if (fd < 0 || unlink(path.p) != 0) {
        return err_sys(err, errno, "making the spool of an import in %s", im->rq->work_dir);
    }
    im->spool = fdopen(fd, "w+");
    if (!im->spool) {
        return err_sys(err, errno, "the spool of an import");
    }
    (void)take_fd(&fd);
    return true;
}

static int compare_places(uint32_t gun_a, int64_t id_a, uint32_t gun_b, int64_t id_b)
{
    if (gun_a != gun_b) {
        return gun_a < gun_b ? -1 : 1;
    }
    return (id_a > id_b) - (id_a < id_b);
}

static int compare_docs(const void *a, const void *b)
{
    const struct import_doc *x = a, *y = b;
    return compare_places(x->gun, x->id, y->gun, y->id);
}

static int compare_keys(const void *a, const void *b)
{
    const struct import_key *x = a, *y = b;
    return compare_places(x->gun, x->id, y->gun, y->id);
}

static int compare_changes(const void *a, const void *b)
{
    const struct import_change *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

/* The first place whose gun is not below `gun`. */
static size_t first_doc(const struct import *im, uint32_t gun)
{
    size_t low = 0, high = im->doc_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (im->docs[middle].gun < gun) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static size_t first_key(const struct import *im, uint32_t gun)
{
    size_t low = 0, high = im->key_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (im->keys[middle].gun < gun) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct import_range import_docs_of(const struct import *im, uint32_t gun)
{
    return (struct import_range){first_doc(im, gun), first_doc(im, gun + 1)};
}

struct import_range import_keys_of(const struct import *im, uint32_t gun)
{
    return (struct import_range){first_key(im, gun), first_key(im, gun + 1)};
}

static void sort_rows(struct import *im)
{
    if (im->doc_count > 0) {
        qsort(im->docs, im->doc_count, sizeof(*im->docs), compare_docs);
    }
    if (im->change_count > 0) {
        qsort(im->changes, im->change_count, sizeof(*im->changes), compare_changes);
    }
    if (im->key_count > 0) {
        qsort(im->keys, im->key_count, sizeof(*im->keys), compare_keys);
    }
}

bool import_read(struct import *im, struct err *err)
{
    if (!open_spool(im, err) || !read_dump(im, im->rq->server_dump, COLUMNS(server_tables), err) ||
        !read_dump(im, im->rq->signer_dump, COLUMNS(signer_tables), err)) {
        return false;
    }
    if (fflush(im->spool) != 0) {
        return err_sys(err, errno, "writing the spool of an import");
    }
    if (im->doc_count == 0) {
        return err_set(err, ERR_INVALID,
                       "%s has no rows of tuf_files: is it the dump of the server's "
                       "database?",
                       im->rq->server_dump);
    }
    if (im->key_count == 0) {
        return err_set(err, ERR_INVALID,
                       "%s has no rows of private_keys: is it the dump of the "
                       "signer's database?",
                       im->rq->signer_dump);
    }
    sort_rows(im);
    return true;
}

void import_dispose(struct import *im)
{
    for (size_t i = 0; i < im->key_count; i++) {
        free(im->keys[i].sealed);
    }
    if (im->spool) {
        (void)fclose(im->spool);
    }
    tdestroy(im->name_tree, free);
    free(im->names);
    free(im->docs);
    free(im->changes);
    free(im->keys);
}
