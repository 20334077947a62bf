/* A dump gives the same rows however its bytes arrive, keeps its bounds, and what is refused is
 * refused with a line. */
#include "base/hash.h"
#include "tests/fuzz/fuzz.h"
#include "trust/dump.h"

#include <string.h>

static const struct dump_column file_columns[] = {
    {"id", false}, {"gun", false}, {"role", false}, {"version", false}, {"data", true}};
static const struct dump_column key_columns[] = {{"key_id", false}, {"private", true}};
static const struct dump_table tables[] = {{"tuf_files", file_columns, 5},
                                           {"private_keys", key_columns, 2}};

struct feed {
    const uint8_t *at;
    size_t left, step;
};

static ptrdiff_t feed_read(void *arg, void *out, size_t n)
{
    struct feed *f = arg;
    size_t more = f->left < n ? f->left : n;
    more = more < f->step ? more : f->step;
    memcpy(out, f->at, more);
    f->at += more;
    f->left -= more;
    return (ptrdiff_t)more;
}

static bool hash_row(void *arg, const struct dump_table *table, const struct dump_value *values,
                     struct err *err)
{
    struct hash *h = arg;
    (void)err;
    for (size_t i = 0; i < table->column_count; i++) {
        HOLDS(values[i].bytes.n <= DUMP_VALUE_MAX);
        hash_update(h, &values[i].present, sizeof values[i].present);
        hash_update(h, &values[i].bytes.n, sizeof values[i].bytes.n);
        hash_update(h, values[i].bytes.p, values[i].bytes.n);
    }
    return true;
}

static bool read_in_steps(const uint8_t *data, size_t size, size_t step, struct digest *rows,
                          struct err *err)
{
    auto_hash struct hash *h = hash_new(DIGEST_SHA256);
    struct feed feed = {data, size, step};
    const struct dump_source source = {feed_read, &feed};
    const struct dump_sink sink = {hash_row, h};
    bool read = dump_read(&source, tables, 2, &sink, err);
    hash_peek(h, rows);
    return read;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct digest whole, pieces;
    struct err err = {0}, again = {0};
    bool read = read_in_steps(data, size, SIZE_MAX, &whole, &err);
    HOLDS(read == read_in_steps(data, size, 1, &pieces, &again));
    HOLDS(digest_equal(&whole, &pieces));
    HOLDS(read ||
          (err.code == ERR_INVALID && strstr(err.msg, "line ") && strcmp(err.msg, again.msg) == 0));
    return 0;
}
