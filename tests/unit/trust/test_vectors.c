/* Every case of tests/vectors/tuf through the verdict tool, once for each condition that the case
 * names: effects and reasons must be exactly those of cases.json. */
#include "tests/unit/trust/trust_check.h"

#include <fcntl.h>
#include <libgen.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A condition that a case names in words, and what holds under it. */
struct condition {
    const char *id; /* how the case's id begins */
    const char *option,
        *value;       /* of the verdict tool, or "" ; the value of --policy is the policy itself */
    const char *gate; /* NULL: not judged */
    const char *publish;
    bool without_registry; /* the registry is left to agree with what is signed */
};

static const struct condition conditions[] = {
    {"U13", "", "", "deny:expired_timestamp", "accept", false},
    {"U13", "--held", "timestamp", "allow", "accept", false},
    {"U13", "--held", "snapshot", "deny:expired_timestamp", "accept", false},
    {"U46", "--policy", "{\"fallback\":\"docker\"}", "allow", "accept", true},
    {"U46", "--policy", "{\"fallback\":\"never\"}", "deny:unsigned", "accept", true},
    {"U50", "", "", "deny:rollback_suspected", "refuse:VERSION", false},
    {"U52", "", "", "deny:rollback_suspected", "refuse:VERSION", false},
    {"U54", "", "", "deny:bad_trust_data", "refuse:VERSION", false},
    {"U72", "", "", "deny:bad_trust_data", "accept", false},
    {"U72", "--policy", "{\"accept_sha512_only\":true}", "allow", "accept", false},
    {"U05", "--policy", "{\"signers\":{\"threshold\":1,\"of\":[\"alice\"]}}", "allow", "accept",
     false},
    {"U05", "--policy", "{\"signers\":{\"threshold\":2,\"of\":[\"alice\",\"bob\"]}}",
     "deny:signer_policy", "accept", false},
    {"U01", "--policy", "{\"level\":\"off\"}", "allow", "accept", false},
    {"U02", "--policy", "{\"tags\":[\"prod-*\"]}", "deny:not_covered", "accept", false},
    {"U01", "--registry-size", "490", "deny:length_mismatch", "accept", false},
};

static void scratch_path(char *out, size_t size, const char *name)
{
    (void)snprintf(out, size, "/tmp/bondstore-vectors-%ld-%s", (long)getpid(), name);
}

/* ---- running the tool ---- */

struct command {
    char *argv[40];
    size_t n;
};

static void push(struct command *c, const char *text)
{
    assert_true(c->n + 1 < COUNT(c->argv));
    c->argv[c->n++] = xstrdup(text);
}

static void push_option(struct command *c, const char *name, const char *value)
{
    push(c, name);
    push(c, value);
}

/* The tool lies beside this program. */
static void command_begin(struct command *c)
{
    char self[4096] = "";
    char tool[4200];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    assert_true(n > 0);
    *c = (struct command){.n = 0};
    (void)snprintf(tool, sizeof(tool), "%s/verdict", dirname(self));
    push(c, tool);
}

static void command_free(struct command *c)
{
    for (size_t i = 0; i < c->n; i++) {
        free(c->argv[i]);
    }
}

/* Exit status; the first line of output without its newline. */
static int run(const struct command *c, char line[256])
{
    int out[2];
    int status = 0;
    char text[4096];
    size_t n = 0;
    assert_int_equal(pipe(out), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        (void)dup2(out[1], STDOUT_FILENO);
        (void)dup2(null, STDERR_FILENO);
        (void)close(out[0]);
        (void)execv(c->argv[0], c->argv);
        _exit(127);
    }
    (void)close(out[1]);
    for (ssize_t got;
         n < sizeof(text) - 1 && (got = read(out[0], text + n, sizeof(text) - 1 - n)) > 0;) {
        n += (size_t)got;
    }
    (void)close(out[0]);
    text[n] = '\0';
    (void)snprintf(line, 256, "%.*s", (int)strcspn(text, "\n"), text);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* "deny:threshold because", "allow;", "refuse: ErrBadRoot" -> the words that are compared. */
static void first_word(const char *text, char out[64])
{
    size_t n = strcspn(text, " ,;(");
    (void)snprintf(out, 64, "%.*s", (int)(n < 63 ? n : 63), text);
    if (strncmp(text, "refuse: Err", 11) == 0) {
        n = strcspn(text + 8, " ,;(");
        (void)snprintf(out, 64, "refuse:%.*s", (int)(n < 50 ? n : 50), text + 8);
    }
    n = strlen(out);
    if (n > 0 && out[n - 1] == ':') {
        out[n - 1] = '\0';
    }
}

/* What cases.json says without conditions; "" when it says nothing that can be compared. */
static void expectation(const json_t *c, const char *member, const char *const answers[2],
                        char out[64])
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

static bool exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

static void push_registry(struct command *command, const json_t *c)
{
    const char *digest = json_get_string(c, "registry_digest_of_tag");
    char path[4096];
    push_option(command, "--registry-digest", digest);
    (void)snprintf(path, sizeof(path), VECTORS "images/app/blobs/sha256/%s",
                   digest + strlen("sha256:"));
    if (exists(path)) {
        push_option(command, "--manifest", path);
    }
}

static void push_case(struct command *command, const json_t *c, const char *now, bool with_registry)
{
    const char *id = json_get_string(c, "id");
    char path[4096];
    (void)snprintf(path, sizeof(path), VECTORS "tuf/%s/cur", id);
    push(command, path);
    push_option(command, "--gun", json_get_string(c, "gun"));
    push_option(command, "--tag", json_get_string(c, "tag"));
    push_option(command, "--now", now);
    (void)snprintf(path, sizeof(path), VECTORS "tuf/%s/prev", id);
    if (exists(path)) {
        push_option(command, "--prev", path);
    }
    if (with_registry) {
        push_registry(command, c);
    }
}

static bool has_condition_without_options(const char *id)
{
    for (size_t i = 0; i < COUNT(conditions); i++) {
        if (strncmp(id, conditions[i].id, 3) == 0 && conditions[i].option[0] == '\0') {
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
    json_array_foreach((json_t *)list, i, c)
    {
        struct command command;
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
        command_begin(&command);
        push_case(&command, c, now, true);
        CHECK_CASE(run(&command, line) == 0, id);
        compare(id, line, gate, publish);
        command_free(&command);
    }
}

static const json_t *case_of(const json_t *list, const char *prefix)
{
    size_t i;
    json_t *c;
    json_array_foreach((json_t *)list, i, c)
    {
        if (strncmp(json_get_string(c, "id"), prefix, strlen(prefix)) == 0) {
            return c;
        }
    }
    fail_msg("no case %s", prefix);
    return NULL;
}

static void write_text(const char *path, struct slice text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text.p, 1, text.n, f), text.n);
    assert_int_equal(fclose(f), 0);
}

static void every_condition_gets_its_verdict(void **unused)
{
    auto_json json_t *file = vector_json("tuf/cases.json");
    const char *now = json_get_string(file, "now");
    (void)unused;
    for (size_t i = 0; i < COUNT(conditions); i++) {
        const struct condition *k = &conditions[i];
        const json_t *c = case_of(json_get_array(file, "cases"), k->id);
        struct command command;
        char line[256];
        char policy[256];
        char name[512];
        command_begin(&command);
        push_case(&command, c, now, !k->without_registry);
        scratch_path(policy, sizeof(policy), "policy.json");
        if (strcmp(k->option, "--policy") == 0) {
            write_text(policy, slice_str(k->value));
            push_option(&command, k->option, policy);
        } else if (k->option[0]) {
            push_option(&command, k->option, k->value);
        }
        (void)snprintf(name, sizeof(name), "%s %s %s", k->id, k->option, k->value);
        CHECK_CASE(run(&command, line) == 0, name);
        compare(name, line, k->gate, k->publish);
        (void)unlink(policy);
        command_free(&command);
    }
}

/* U43's other half: a delegated role that never had metadata is only absent, and targets decides.
 */
static void a_role_without_any_metadata_is_absent(void **unused)
{
    static const char *const files[] = {"root", "timestamp", "snapshot", "targets"};
    char folder[256];
    struct command command;
    char line[256];
    (void)unused;
    scratch_path(folder, sizeof(folder), "absent");
    assert_int_equal(mkdir(folder, 0700), 0);
    for (size_t i = 0; i < COUNT(files); i++) {
        auto_buf struct buf bytes = {0};
        char path[512];
        (void)snprintf(path, sizeof(path), "tuf/U43-releases-not-in-snapshot/cur/%s.json",
                       files[i]);
        vector_bytes(path, &bytes);
        (void)snprintf(path, sizeof(path), "%s/%s.json", folder, files[i]);
        write_text(path, buf_slice_of(&bytes));
    }
    command_begin(&command);
    push(&command, folder);
    push_option(&command, "--gun", "registry.example/ns/app");
    push_option(&command, "--tag", "v1");
    push_option(&command, "--now", VECTORS_NOW);
    assert_int_equal(run(&command, line), 0);
    command_free(&command);
    compare("U43 without the role's file", line, "allow", "accept");
    for (size_t i = 0; i < COUNT(files); i++) {
        char path[512];
        (void)snprintf(path, sizeof(path), "%s/%s.json", folder, files[i]);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(folder), 0);
}

#define GOOD                                                                                       \
    VECTORS "tuf/U01-valid-targets/cur", "--gun", "registry.example/ns/app", "--tag", "v1",        \
        "--now", VECTORS_NOW

static void bad_usage_is_told(void **unused)
{
    static const struct {
        const char *arguments[10];
        int status;
    } rows[] = {
        {{GOOD}, 0},
        {{NULL}, 2},
        {{VECTORS "tuf/U01-valid-targets/cur"}, 2},
        {{VECTORS "tuf/U01-valid-targets/cur", "--gun", "registry.example/ns/app", "--tag", "v1"},
         2},
        {{VECTORS "tuf/U01-valid-targets/cur", "--gun", "registry.example", "--tag", "v1", "--now",
          VECTORS_NOW},
         2},
        {{VECTORS "tuf/U01-valid-targets/cur", "--gun", "registry.example/ns/app", "--tag", "a b",
          "--now", VECTORS_NOW},
         2},
        {{VECTORS "tuf/U01-valid-targets/cur", "--gun", "registry.example/ns/app", "--tag", "v1",
          "--now", "yesterday"},
         2},
        {{GOOD, "--held", "root"}, 2},
        {{GOOD, "--frobnicate", "1"}, 2},
        {{GOOD, "--prev"}, 2},
        {{GOOD, "--prev", "/no/such/folder"}, 2},
        {{GOOD, "--registry-digest", "sha256:00"}, 2},
        {{GOOD, "another"}, 2},
        {{VECTORS "no/such/folder", "--gun", "registry.example/ns/app", "--tag", "v1", "--now",
          VECTORS_NOW},
         2},
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct command command;
        char line[256];
        command_begin(&command);
        for (size_t j = 0; rows[i].arguments[j]; j++) {
            push(&command, rows[i].arguments[j]);
        }
        int status = run(&command, line);
        if (status != rows[i].status || (line[0] == '\0') == (status == 0)) {
            fail_msg("row %zu: exit %d, %s", i, status, line);
        }
        command_free(&command);
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
