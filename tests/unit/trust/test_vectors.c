/* Every case of tests/vectors/tuf through the verdict tool, once for each condition that the case names: effects and
 * reasons must be exactly those of cases.json. */
#include "tests/unit/trust/trust_check.h"

#include <libgen.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* A condition that a case names in words, and what holds under it. */
struct condition {
    const char *id;      /* how the case's id begins */
    const char *options; /* of the verdict tool; POLICY:{…} is written to a file first */
    const char *gate;    /* NULL: not judged */
    const char *publish;
    bool without_registry; /* the registry is left to agree with what is signed */
};

static const struct condition conditions[] = {
    {"U13", "", "deny:expired_timestamp", "accept", false},
    {"U13", "--held timestamp", "allow", "accept", false},
    {"U13", "--held snapshot", "deny:expired_timestamp", "accept", false},
    {"U46", "POLICY:{\"fallback\":\"docker\"}", "allow", "accept", true},
    {"U46", "POLICY:{\"fallback\":\"never\"}", "deny:unsigned", "accept", true},
    {"U50", "", "deny:rollback_suspected", "refuse:VERSION", false},
    {"U52", "", "deny:rollback_suspected", "refuse:VERSION", false},
    {"U54", "", "deny:bad_trust_data", "refuse:VERSION", false},
    {"U72", "", "deny:bad_trust_data", "accept", false},
    {"U72", "POLICY:{\"accept_sha512_only\":true}", "allow", "accept", false},
    {"U05", "POLICY:{\"signers\":{\"threshold\":1,\"of\":[\"alice\"]}}", "allow", "accept", false},
    {"U05", "POLICY:{\"signers\":{\"threshold\":2,\"of\":[\"alice\",\"bob\"]}}", "deny:signer_policy", "accept", false},
    {"U01", "POLICY:{\"level\":\"off\"}", "allow", "accept", false},
    {"U02", "POLICY:{\"tags\":[\"prod-*\"]}", "deny:not_covered", "accept", false},
    {"U01", "--registry-size 490", "deny:length_mismatch", "accept", false},
};

static void scratch_path(char *out, size_t size, const char *name)
{
    (void)snprintf(out, size, "/tmp/bondstore-vectors-%ld-%s", (long)getpid(), name);
}

static void tool_path(char out[4096])
{
    char self[4096] = "";
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    assert_true(n > 0);
    (void)snprintf(out, 4096, "%s/verdict", dirname(self));
}

/* Runs the tool; the line without its newline. */
static void verdict(const char *arguments, char line[256])
{
    char tool[4096];
    char command[16384];
    tool_path(tool);
    (void)snprintf(command, sizeof(command), "'%s' %s 2>/dev/null", tool, arguments);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    line[0] = '\0';
    if (fgets(line, 256, f)) {
        line[strcspn(line, "\n")] = '\0';
    }
    int status = pclose(f);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fail_msg("exit %d of: %s", status, command);
    }
}

/* "deny:threshold because", "allow;", "refuse: ErrBadRoot" -> the words that are compared. */
static void first_word(const char *text, char out[64])
{
    size_t n = strcspn(text, " ;(");
    (void)snprintf(out, 64, "%.*s", (int)(n < 63 ? n : 63), text);
    if (strncmp(text, "refuse: Err", 11) == 0) {
        n = strcspn(text + 8, " ;(");
        (void)snprintf(out, 64, "refuse:%.*s", (int)(n < 50 ? n : 50), text + 8);
    }
    n = strlen(out);
    if (n > 0 && out[n - 1] == ':') {
        out[n - 1] = '\0';
    }
}

/* What cases.json says without conditions; "" when it says nothing that can be compared. */
static void expectation(const json_t *c, const char *member, const char *const answers[2], char out[64])
{
    first_word(json_get_string(c, member), out);
    for (size_t i = 0; i < 2; i++) {
        if (strncmp(out, answers[i], strlen(answers[i])) == 0) {
            return;
        }
    }
    out[0] = '\0';
}

static void compare(const char *id, const char *line, const char *gate, const char *publish)
{
    char want[256];
    const char *got_publish = strstr(line, " publish=");
    if (!got_publish || strncmp(line, "gate=", 5) != 0) {
        fail_msg("%s: no verdict: %s", id, line);
        return;
    }
    if (gate && gate[0]) {
        (void)snprintf(want, sizeof(want), "gate=%s ", gate);
        if (strncmp(line, want, strlen(want)) != 0) {
            fail_msg("%s: %s, wanted gate=%s", id, line, gate);
        }
    }
    if (publish && strcmp(publish, "refuse") == 0) {
        CHECK_CASE(strncmp(got_publish, " publish=refuse:", 16) == 0, id);
    } else if (publish && publish[0]) {
        (void)snprintf(want, sizeof(want), " publish=%s", publish);
        if (strcmp(got_publish, want) != 0) {
            fail_msg("%s: %s, wanted publish=%s", id, line, publish);
        }
    }
}

static void put_registry(const json_t *c, char *out, size_t size)
{
    const char *digest = json_get_string(c, "registry_digest_of_tag");
    char path[4096];
    struct stat st;
    (void)snprintf(path, sizeof(path), VECTORS "images/app/blobs/sha256/%s", digest + strlen("sha256:"));
    if (stat(path, &st) == 0) {
        (void)snprintf(out, size, " --registry-digest %s --manifest %s", digest, path);
    } else {
        (void)snprintf(out, size, " --registry-digest %s", digest);
    }
}

static void put_arguments(const json_t *c, const char *now, bool with_registry, char *out, size_t size)
{
    const char *id = json_get_string(c, "id");
    char prev[1024] = "";
    char registry[8192] = "";
    struct stat st;
    char path[4096];
    (void)snprintf(path, sizeof(path), VECTORS "tuf/%s/prev", id);
    if (stat(path, &st) == 0) {
        (void)snprintf(prev, sizeof(prev), " --prev %.1000s", path);
    }
    if (with_registry) {
        put_registry(c, registry, sizeof(registry));
    }
    (void)snprintf(out, size, VECTORS "tuf/%s/cur --gun %s --tag %s --now %s%s%s", id, json_get_string(c, "gun"),
                   json_get_string(c, "tag"), now, prev, registry);
}

static bool has_condition_without_options(const char *id)
{
    for (size_t i = 0; i < COUNT(conditions); i++) {
        if (strncmp(id, conditions[i].id, 3) == 0 && conditions[i].options[0] == '\0') {
            return true;
        }
    }
    return false;
}

static void every_case_gets_its_verdict(void **unused)
{
    static const char *const gates[2] = {"allow", "deny:"};
    static const char *const publishes[2] = {"accept", "refuse"};
    auto_json json_t *file = vector_json("tuf/cases.json");
    const char *now = json_get_string(file, "now");
    const json_t *list = json_get_array(file, "cases");
    size_t i;
    json_t *c;
    (void)unused;

    assert_true(json_array_size(list) >= 30);
    json_array_foreach ((json_t *)list, i, c) {
        char arguments[16384];
        char line[256];
        char gate[64];
        char publish[64];
        const char *id = json_get_string(c, "id");
        if (has_condition_without_options(id)) {
            continue; /* its words are conditions: the table below has them */
        }
        expectation(c, "gate", gates, gate);
        expectation(c, "publish", publishes, publish);
        CHECK_CASE(gate[0], id);
        put_arguments(c, now, true, arguments, sizeof(arguments));
        verdict(arguments, line);
        compare(id, line, gate, publish);
    }
}

static const json_t *case_of(const json_t *list, const char *prefix)
{
    size_t i;
    json_t *c;
    json_array_foreach ((json_t *)list, i, c) {
        if (strncmp(json_get_string(c, "id"), prefix, strlen(prefix)) == 0) {
            return c;
        }
    }
    fail_msg("no case %s", prefix);
    return NULL;
}

static void every_condition_gets_its_verdict(void **unused)
{
    auto_json json_t *file = vector_json("tuf/cases.json");
    const char *now = json_get_string(file, "now");
    (void)unused;
    for (size_t i = 0; i < COUNT(conditions); i++) {
        const struct condition *k = &conditions[i];
        const json_t *c = case_of(json_get_array(file, "cases"), k->id);
        char arguments[16384];
        char all[20000];
        char line[256];
        char policy[256];
        char name[512];
        put_arguments(c, now, !k->without_registry, arguments, sizeof(arguments));
        scratch_path(policy, sizeof(policy), "policy.json");
        if (strncmp(k->options, "POLICY:", 7) == 0) {
            FILE *f = fopen(policy, "w");
            assert_non_null(f);
            assert_true(fputs(k->options + 7, f) >= 0);
            assert_int_equal(fclose(f), 0);
            (void)snprintf(all, sizeof(all), "%s --policy %s", arguments, policy);
        } else {
            (void)snprintf(all, sizeof(all), "%s %s", arguments, k->options);
        }
        verdict(all, line);
        (void)unlink(policy);
        (void)snprintf(name, sizeof(name), "%s %s", k->id, k->options);
        compare(name, line, k->gate, k->publish);
    }
}

/* U43's other half: a delegated role that never had metadata is only absent, and targets decides. */
static void a_role_without_any_metadata_is_absent(void **unused)
{
    static const char *const files[] = {"root", "timestamp", "snapshot", "targets"};
    char folder[256];
    char arguments[2048];
    char line[256];
    (void)unused;
    scratch_path(folder, sizeof(folder), "absent");
    assert_int_equal(mkdir(folder, 0700), 0);
    for (size_t i = 0; i < COUNT(files); i++) {
        auto_buf struct buf bytes = {0};
        char path[512];
        (void)snprintf(path, sizeof(path), "tuf/U43-releases-not-in-snapshot/cur/%s.json", files[i]);
        vector_bytes(path, &bytes);
        (void)snprintf(path, sizeof(path), "%s/%s.json", folder, files[i]);
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        assert_int_equal(fwrite(bytes.p, 1, bytes.n, f), bytes.n);
        assert_int_equal(fclose(f), 0);
    }
    (void)snprintf(arguments, sizeof(arguments), "%s --gun registry.example/ns/app --tag v1 --now " VECTORS_NOW, folder);
    verdict(arguments, line);
    compare("U43 without the role's file", line, "allow", "accept");
    for (size_t i = 0; i < COUNT(files); i++) {
        char path[512];
        (void)snprintf(path, sizeof(path), "%s/%s.json", folder, files[i]);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(folder), 0);
}

static void bad_usage_is_told(void **unused)
{
    static const char *const lines[] = {
        "",
        VECTORS "tuf/U01-valid-targets/cur",
        VECTORS "tuf/U01-valid-targets/cur --gun registry.example/ns/app --tag v1",
        VECTORS "tuf/U01-valid-targets/cur --gun registry.example --tag v1 --now " VECTORS_NOW,
        VECTORS "tuf/U01-valid-targets/cur --gun registry.example/ns/app --tag 'a b' --now " VECTORS_NOW,
        VECTORS "tuf/U01-valid-targets/cur --gun registry.example/ns/app --tag v1 --now yesterday",
        VECTORS "tuf/U01-valid-targets/cur --gun registry.example/ns/app --tag v1 --now " VECTORS_NOW " --held root",
        VECTORS "tuf/U01-valid-targets/cur --gun registry.example/ns/app --tag v1 --now " VECTORS_NOW " --frobnicate 1",
        VECTORS "no/such/folder --gun registry.example/ns/app --tag v1 --now " VECTORS_NOW,
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(lines); i++) {
        char tool[4096];
        char command[16384];
        tool_path(tool);
        (void)snprintf(command, sizeof(command), "'%s' %s >/dev/null 2>&1", tool, lines[i]);
        int status = system(command);
        CHECK_CASE(WIFEXITED(status) && WEXITSTATUS(status) == 2, lines[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_gets_its_verdict),
        cmocka_unit_test(every_condition_gets_its_verdict),
        cmocka_unit_test(a_role_without_any_metadata_is_absent),
        cmocka_unit_test(bad_usage_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
