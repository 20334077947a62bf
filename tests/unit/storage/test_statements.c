/* The plan of every statement: no table that grows is walked. */
#include "storage/statements.h"
#include "tests/unit/storage/world.h"

/* Small by nature, and read whole; `up` is what names one digest. */
static const char *const small_tables[] = {"SCAN CONSTANT ROW", "SCAN revoked_key", "SCAN up"};

/* Sorted after reading: what is sorted is bounded by one owner (the members of a namespace, the
 * keys of a repository, the tags of one digest), not by a table. */
static const enum sql may_sort[] = {
    SQL_NAMESPACE_LIST_MEMBER, SQL_MEMBERSHIP_LIST,  SQL_TRUST_KEY_LIST,
    SQL_NAMESPACE_ROOT_LIST,   SQL_REVOKED_KEY_LIST, SQL_TAG_NEEDS,
    SQL_RELEASE_NEEDS,         SQL_ROLE_TARGET_TAGS_SHA256, SQL_ROLE_TARGET_TAGS_SHA512,
};

static bool is_small(const char *plan)
{
    for (size_t i = 0; i < COUNT(small_tables); i++) {
        if (strncmp(plan, small_tables[i], strlen(small_tables[i])) == 0) {
            return true;
        }
    }
    return false;
}

static bool sorts(enum sql number)
{
    for (size_t i = 0; i < COUNT(may_sort); i++) {
        if (may_sort[i] == number) {
            return true;
        }
    }
    return false;
}

static void every_statement_uses_an_index(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < SQL_COUNT; i++) {
        auto_buf struct buf plan = {0};
        assert_non_null(sql_statements[i]);
        OK(db_explain(w->db, i, &plan, err));

        struct slice rest = buf_slice_of(&plan);
        struct slice line;
        while (slice_next(&rest, '\n', &line)) {
            auto_free char *text = xstrndup(line.p ? line.p : "", line.n);
            if (strstr(text, "SCAN") && !is_small(text)) {
                fail_msg("%s\n%s", sql_statements[i], text);
            }
            if (strstr(text, "TEMP B-TREE") && !sorts((enum sql)i)) {
                fail_msg("%s\n%s", sql_statements[i], text);
            }
        }
    }
}

static void parameters_are_numbered(void **state)
{
    (void)state;
    for (int i = 0; i < SQL_COUNT; i++) {
        for (const char *p = strchr(sql_statements[i], '?'); p; p = strchr(p + 1, '?')) {
            if (p[1] < '1' || p[1] > '9') {
                fail_msg("%s", sql_statements[i]);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(every_statement_uses_an_index),
        cmocka_unit_test(parameters_are_numbered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
