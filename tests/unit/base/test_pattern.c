/* Patterns: what the asterisk takes, and that no pattern is slow. */
#include "base/pattern.h"
#include "tests/unit/base/check.h"

static void patterns(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } table[] = {
        {"*", "", true},
        {"*", "v1", true},
        {"v1", "v1", true},
        {"v1", "v11", false},
        {"v1", "v", false},
        {"prod-*", "prod-", true},
        {"prod-*", "prod-1", true},
        {"prod-*", "xprod-1", false},
        {"*-prod", "a-prod", true},
        {"*-prod", "a-prod-b", false},
        {"a*b*c", "aXbYc", true},
        {"a*b*c", "aXcYb", false},
        {"**", "x", true},
        {"", "", true},
        {"", "x", false},
        {"v?", "v1", false},
        {"*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        CHECK_CASE(pattern_matches(table[i].pattern, slice_str(table[i].text)) ==
                       table[i].matches,
                   table[i].pattern);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(patterns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
