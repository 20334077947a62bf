#include "server/trust_path.h"
#include "tests/unit/base/check.h"

#define HEX64 "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEX63 "123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
    const char *text;
    bool ok;
    enum trust_path_kind kind;
    const char *role;
    int64_t version;
    const char *hex;
} cases[] = {
    {"root.json", true, TRUST_PATH_CURRENT, "root", 0, ""},
    {"timestamp.json", true, TRUST_PATH_CURRENT, "timestamp", 0, ""},
    {"targets/releases.json", true, TRUST_PATH_CURRENT, "targets/releases", 0, ""},
    {"targets/a/b.json", true, TRUST_PATH_CURRENT, "targets/a/b", 0, ""},
    {"1.root.json", true, TRUST_PATH_VERSION, "root", 1, ""},
    {"007.targets/x.json", true, TRUST_PATH_VERSION, "targets/x", 7, ""},
    {"snapshot." HEX64 ".json", true, TRUST_PATH_CHECKSUM, "snapshot", 0, HEX64},
    {"targets/a." HEX64 ".json", true, TRUST_PATH_CHECKSUM, "targets/a", 0, HEX64},
    {"targets/a.b.json", true, TRUST_PATH_CURRENT, "targets/a.b", 0, ""},
    {"", false, TRUST_PATH_CURRENT, NULL, 0, NULL},
    {".json", false, TRUST_PATH_CURRENT, NULL, 0, NULL},
    {"root", false, TRUST_PATH_CURRENT, NULL, 0, NULL},
    {"Root.json", false, TRUST_PATH_CURRENT, NULL, 0, NULL},
    {"targets/.json", false, TRUST_PATH_CURRENT, NULL, 0, NULL},
    {"targets//a.json", false, TRUST_PATH_CURRENT, NULL, 0, NULL},
    {"targets.json.json", false, TRUST_PATH_CURRENT, NULL, 0, NULL},
    {"-1.root.json", false, TRUST_PATH_CURRENT, NULL, 0, NULL},
    {"99999999999999999999.root.json", false, TRUST_PATH_CURRENT, NULL, 0, NULL},
    {"root." HEX63 ".json", false, TRUST_PATH_CURRENT, NULL, 0, NULL},
    {"1.root." HEX64 ".json", false, TRUST_PATH_CURRENT, NULL, 0, NULL},
};

static void reads_each_case(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct trust_path file;
        CHECK_CASE(trust_path_parse(slice_str(cases[i].text), &file) == cases[i].ok, cases[i].text);
        if (cases[i].ok) {
            CHECK_CASE(file.kind == cases[i].kind && slice_is(file.role, cases[i].role),
                       cases[i].text);
            CHECK_CASE(file.version == cases[i].version && slice_is(file.hex, cases[i].hex),
                       cases[i].text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_each_case)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
