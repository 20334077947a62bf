/* What the tests of trust/verify share: cmocka, and the vectors of tests/vectors. */
#ifndef TESTS_UNIT_TRUST_CHECK_H
#define TESTS_UNIT_TRUST_CHECK_H

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "tests/role_set.h"

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
/* clang-format on */

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define VECTORS TEST_SOURCE_DIR "/tests/vectors/"
/* When the vectors are judged: 2026-11-24T06:00:00Z. */
#define VECTORS_NOW "2026-11-24T06:00:00Z"

/* Names the failing row of a table. */
#define CHECK_CASE(condition, name)                                                                \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fail_msg("%s: %s", (name), #condition);                                                \
        }                                                                                          \
    } while (0)

static inline int64_t vectors_now(void)
{
    int64_t us = 0;
    assert_true(time_parse(SLICE_LIT(VECTORS_NOW), &us));
    return us;
}

/* Reads VECTORS/path; the caller disposes of it. */
static inline void vector_bytes(const char *path, struct buf *out)
{
    char full[4096];
    (void)snprintf(full, sizeof(full), VECTORS "%s", path);
    if (!role_folder_read_file(full, out)) {
        fail_msg("cannot read %s", full);
    }
}

static inline json_t *vector_json(const char *path)
{
    auto_buf struct buf text = {0};
    json_t *value = NULL;
    struct err err = {0};
    vector_bytes(path, &text);
    if (!json_read(buf_slice_of(&text), JSON_DEPTH_DEFAULT, &value, &err)) {
        fail_msg("%s: %s", path, err.msg);
    }
    return value;
}

static inline void vector_folder(const char *path, struct role_folder *out)
{
    char full[4096];
    (void)snprintf(full, sizeof(full), VECTORS "%s", path);
    if (!role_folder_read(full, out)) {
        fail_msg("cannot read the folder %s", full);
    }
}

#endif
