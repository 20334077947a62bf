/* Command lines: what is wrong is told before any server is asked, with exit status 2. */
#include "cli/command.h"
#include "tests/unit/base/check.h"

#define WORDS 8

static enum outcome run(const char *const words[WORDS])
{
    char program[] = "bond";
    char *argv[WORDS + 2] = {program};
    int argc = 1;

    for (int i = 0; i < WORDS && words[i]; i++) {
        argv[argc++] = (char *)(uintptr_t)words[i];
    }
    return command_main(argc, argv);
}

static void wrong_command_lines_are_usage(void **state)
{
    static const char *const cases[][WORDS] = {
        {NULL},
        {"frob"},
        {"deploy"},
        {"deploy", "chek", "demo/app:v1"},
        {"deploy", "check"},
        {"deploy", "check", "--foo", "demo/app:v1"},
        {"deploy", "check", "demo/app:v1", "--foo=1"},
        {"deploy", "check", "demo/app:v1", "-z"},
        {"deploy", "check", "demo/app:v1", "-qz"},
        {"deploy", "check", "demo/app:v1", "--as"},
        {"deploy", "check", "--json=1", "demo/app:v1"},
        {"deploy", "check", "--level", "off", "demo/app:v1"}, /* another command's option */
        {"deploy", "check", "app"},
        {"--foo", "deploy", "check", "demo/app:v1"},
        {"deploy", "check", "demo/app:v1", "--host"},
        {"namespaces", "create"},
        {"namespaces", "create", "a", "b"},
        {"namespaces", "create", "Demo"},
        {"namespaces", "create", "demo", "--visibility", "secret"},
        {"members", "set", "demo", "a@example.org"},
        {"members", "set", "demo", "a@example.org", "king"},
        {"robots", "create", "demo", "ci"},
        {"robots", "create", "demo", "ci", "--actions", "pull,fly"},
        {"policy", "set", "demo"},
        {"policy", "set", "demo", "--level"},
        {"policy", "set", "demo", "--level", "funny"},
        {"policy", "set", "demo", "--level", "off", "--file", "-"},
        {"trust", "wipe", "demo"},
        {"trust", "wipe", "demo", "--confirm", "dem"},
        {"trust", "wipe", "demo", "--confirm", ""},
        {"namespaces", "list"}, /* no server is known */
        {"--host", "http://registry.example", "namespaces", "list"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("%s %s …\n", cases[i][0] ? cases[i][0] : "", cases[i][1] ? cases[i][1] : "");
        assert_int_equal(run(cases[i]), OUTCOME_USAGE);
    }
}

static void good_ones_go_on(void **state)
{
    static const struct {
        const char *words[WORDS];
        enum outcome want;
    } cases[] = {
        {{"version"}, OUTCOME_OK},
        {{"--version"}, OUTCOME_OK},
        {{"version", "--json"}, OUTCOME_OK},
        {{"--json", "version"}, OUTCOME_OK},
        {{"help"}, OUTCOME_OK},
        {{"completion", "bash"}, OUTCOME_OK},
        /* nobody is there to answer: a failure, never a yes */
        {{"--socket", "/nonexistent/control.sock", "status"}, OUTCOME_FAILED},
        {{"--socket", "/nonexistent/control.sock", "deploy", "check", "demo/app:v1"},
         OUTCOME_FAILED},
        {{"deploy", "check", "demo/app:v1", "--socket=/nonexistent/control.sock", "-q"},
         OUTCOME_FAILED},
        {{"environments", "ls", "--socket", "/nonexistent/control.sock"}, OUTCOME_FAILED},
        {{"-E", "demo", "deploy", "check", "app:v1", "--socket", "/nonexistent/control.sock"},
         OUTCOME_FAILED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(run(cases[i].words), cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_command_lines_are_usage),
        cmocka_unit_test(good_ones_go_on),
    };
    static const char *const mine[] = {"BOND_HOST",    "BOND_ENV",      "BOND_TOKEN",
                                       "BOND_CA_FILE", "BOND_INSECURE", "BOND_DEBUG"};

    for (size_t i = 0; i < sizeof(mine) / sizeof(mine[0]); i++) {
        (void)unsetenv(mine[i]);
    }
    (void)setenv("BOND_CONFIG_DIR", "/nonexistent", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
