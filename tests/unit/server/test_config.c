/* The configuration: defaults, units, refusals with line and reason. */
#include "base/clock.h"
#include "base/fsx.h"
#include "server/config.h"
#include "server/setting.h"
#include "tests/unit/base/check.h"

#define LISTEN "listen:\n  - address: 127.0.0.1:5080\n"

static struct config *parsed(const char *text)
{
    struct config *c = NULL;
    struct err err = {0};
    if (!config_parse("/etc/bond/bondstore.yaml", slice_str(text), &c, &err)) {
        fail_msg("%s", err.msg);
    }
    return c;
}

static void fills_defaults_and_resolves_paths(void **state)
{
    (void)state;
    struct config *c = parsed(
        "public_url: https://reg.example.org:5443/\ndata: data\nlisten:\n"
        "  - address: 0.0.0.0:5443\n    tls: { certificate: tls/a.crt, key: /k/a.key }\n"
        "  - address: \"[::1]:5080\"\naliases: [old.example.org, \"old.example.org:444\"]\n");
    assert_string_equal(c->public_url, "https://reg.example.org:5443");
    assert_string_equal(c->service, "reg.example.org:5443");
    assert_string_equal(c->canonical_host, "reg.example.org:5443");
    assert_string_equal(c->realm, "https://reg.example.org:5443/token");
    assert_string_equal(c->host, "reg.example.org");
    assert_int_equal(c->port, 5443);
    assert_true(c->https);
    assert_string_equal(c->data_dir, "/etc/bond/data");
    assert_int_equal(c->listen_count, 2);
    assert_string_equal(c->listen[0].certificate, "/etc/bond/tls/a.crt");
    assert_string_equal(c->listen[0].key, "/k/a.key");
    assert_string_equal(c->listen[1].host, "::1");
    assert_true(c->listen[1].loopback && c->listen[1].certificate == NULL);
    assert_int_equal(c->alias_count, 2);
    assert_int_equal(c->limits_manifest, 4 << 20);
    assert_int_equal(c->limits_upload_idle, US_PER_DAY);
    assert_string_equal(c->log_level, "info");
    assert_false(c->behind_proxy);
    config_free(c);
}

static void reads_every_unit(void **state)
{
    (void)state;
    struct config *c =
        parsed("public_url: http://127.0.0.1:5080\n" LISTEN "limits:\n  manifest: 65536B\n"
               "  trust_upload: 2 MiB\n  idle: 1m\n  upload_idle: 2h\n  unreferenced: 3d\n"
               "  connections: 17\nlog: { level: debug }\n");
    assert_int_equal(c->limits_manifest, 65536);
    assert_int_equal(c->limits_trust_upload, 2 << 20);
    assert_int_equal(c->limits_idle, 60 * US_PER_SECOND);
    assert_int_equal(c->limits_upload_idle, 7200 * US_PER_SECOND);
    assert_int_equal(c->limits_unreferenced, 3 * US_PER_DAY);
    assert_int_equal(c->limits_connections, 17);
    assert_string_equal(c->log_level, "debug");
    assert_false(c->https);
    config_free(c);
}

static const struct {
    const char *name, *text, *line, *reason;
} refused[] = {
    {"an unknown key", "public_url: https://h\nno_such_key: 1\n" LISTEN, "line 2", "no_such_key"},
    {"an unknown key in a section",
     "public_url: https://h\nlimits:\n  manifest: 4MiB\n  manifests: 4MiB\n" LISTEN, "line 4",
     "manifests"},
    {"a repeated key", "public_url: https://h\n" LISTEN "public_url: https://h\n", "line 4",
     "public_url"},
    {"a size without a unit", "public_url: https://h\nlimits:\n  manifest: 4000000\n" LISTEN,
     "line 3", "KiB"},
    {"a size with another unit", "public_url: https://h\nlimits:\n  manifest: 4MB\n" LISTEN,
     "line 3", "KiB"},
    {"a size that overflows",
     "public_url: https://h\nlimits:\n  manifest: 9223372036854775807GiB\n" LISTEN, "line 3",
     "KiB"},
    {"a size out of bounds", "public_url: https://h\nlimits:\n  manifest: 1GiB\n" LISTEN, "line 3",
     "between"},
    {"a duration in weeks", "public_url: https://h\nlimits:\n  idle: 1w\n" LISTEN, "line 3",
     "duration"},
    {"a duration without a unit, in a section of one line",
     "public_url: https://h\nlog: { level: warn }\nlimits: { manifest: 4MiB, idle: soon }\n" LISTEN, "line 3",
     "limits.idle"},
    {"a word that is none", "public_url: https://h\nlog:\n  level: loud\n" LISTEN, "line 3",
     "debug|info"},
    {"a flag that is none", "public_url: https://h\nbehind_proxy: maybe\n" LISTEN, "line 2",
     "true or false"},
    {"a section that is a value", "public_url: https://h\nlimits: 3\n" LISTEN, "line 2", "MAPPING"},
    {"no public URL", LISTEN, "public_url", "https://"},
    {"plain HTTP for the world", "public_url: http://reg.example.org\n" LISTEN, "line 1",
     "loopback"},
    {"a public URL with a path", "public_url: https://h/x\n" LISTEN, "line 1", "public_url"},
    {"a public URL in capitals", "public_url: https://Reg.example.org\n" LISTEN, "line 1",
     "lower-case"},
    {"a plain listener for the world", "public_url: https://h\nlisten:\n  - address: 0.0.0.0:80\n",
     "0.0.0.0:80", "loopback"},
    {"a listener by name", "public_url: https://h\nlisten:\n  - address: localhost:80\n",
     "localhost:80", "numeric"},
    {"a listener without a port", "public_url: https://h\nlisten:\n  - address: 127.0.0.1\n",
     "127.0.0.1", "PORT"},
    {"tls without a key",
     "public_url: https://h\nlisten:\n  - address: 0.0.0.0:1\n    tls: { certificate: a }\n",
     "line 4", "key"},
    {"nobody signs in, in public", "public_url: https://h\nsign_in: none\n" LISTEN, "sign_in",
     "loopback"},
    {"nobody signs in, behind a proxy",
     "public_url: https://localhost\nbehind_proxy: true\nsign_in: none\n" LISTEN, "sign_in", "proxy"},
    {"no listener", "public_url: https://h\n", "listen", "at least one"},
    {"an alias that is none", "public_url: https://h\n" LISTEN "aliases: [\"https://x\"]\n",
     "line 4", "https://x"},
    {"no YAML", "public_url: [\n", "bondstore.yaml", "line"},
    {"an empty file", "", "public_url", "https://"},
};

static void refuses_each_case_with_file_line_and_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct config *c = NULL;
        struct err err = {0};
        CHECK_CASE(!config_parse("d/bondstore.yaml", slice_str(refused[i].text), &c, &err),
                   refused[i].name);
        if (strstr(err.msg, "d/bondstore.yaml") == NULL ||
            strstr(err.msg, refused[i].line) == NULL ||
            strstr(err.msg, refused[i].reason) == NULL) {
            fail_msg("%s: %s", refused[i].name, err.msg);
        }
    }
}

static void environment_comes_before_the_file(void **state)
{
    (void)state;
    struct config *c = NULL;
    struct err err = {0};
    assert_int_equal(setenv("BONDSTORE_LIMITS_MANIFEST", "5MiB", 1), 0);
    c = parsed("public_url: https://h\nlimits: { manifest: 6MiB }\n" LISTEN);
    assert_int_equal(c->limits_manifest, 5 << 20);
    config_free(c);
    assert_int_equal(setenv("BONDSTORE_LIMITS_MANIFEST", "5", 1), 0);
    assert_false(config_parse("f", SLICE_LIT("public_url: https://h\n" LISTEN), &c, &err));
    assert_non_null(strstr(err.msg, "BONDSTORE_LIMITS_MANIFEST"));
    assert_int_equal(unsetenv("BONDSTORE_LIMITS_MANIFEST"), 0);
    assert_int_equal(setenv("BONDSTORE_CANONICAL_HOST", "A/b", 1), 0);
    assert_false(config_parse("f", SLICE_LIT("public_url: https://h\n" LISTEN), &c, &err));
    assert_string_equal(err.msg, "BONDSTORE_CANONICAL_HOST: it must be host or host:port in lower case");
    assert_int_equal(unsetenv("BONDSTORE_CANONICAL_HOST"), 0);
}

static void a_secret_that_everybody_reads_is_refused(void **state)
{
    (void)state;
    struct folder f;
    struct config *c = NULL;
    struct err err = {0};
    char path[128];
    folder_make(&f);
    snprintf(path, sizeof(path), "%s/bondstore.yaml", f.path);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_true(fputs("public_url: https://h\n" LISTEN, out) >= 0 && fclose(out) == 0);
    assert_int_equal(mkdirat(f.fd, "secrets", 0700), 0);
    int key = openat(f.fd, "secrets/sealing.key", O_CREAT | O_WRONLY, 0600);
    assert_true(key >= 0);
    assert_true(config_load(path, &c, &err));
    assert_string_equal(c->data_dir, f.path);
    config_free(c);
    assert_int_equal(fchmod(key, 0604), 0);
    assert_false(config_load(path, &c, &err));
    assert_non_null(strstr(err.msg, "sealing.key"));
    (void)close(key);
    folder_remove(&f);
    assert_false(config_load(path, &c, &err));
    assert_non_null(strstr(err.msg, path));
}

static void the_example_is_a_configuration_and_the_defaults_hold(void **state)
{
    (void)state;
    auto_buf struct buf example = {0};
    config_write_example(&example);
    struct config *c = parsed(example.p);
    assert_string_equal(c->public_url, "https://localhost:5443");
    assert_string_equal(c->canonical_host, "localhost:5443");
    config_free(c);
    for (size_t i = 0; i < setting_count(); i++) {
        int64_t number = 0;
        struct err err = {0};
        const struct setting *s = setting_at(i);
        CHECK_CASE(setting_read(s, slice_str(s->fallback), &number, &err), s->key);
        CHECK_CASE(s->sentence[strlen(s->sentence) - 1] == '.', s->key);
    }
}

static void the_page_names_every_setting(void **state)
{
    (void)state;
    auto_buf struct buf page = {0};
    config_write_markdown(&page);
    for (size_t i = 0; i < setting_count(); i++) {
        auto_buf struct buf name = {0};
        setting_name(setting_at(i), &name);
        CHECK_CASE(strstr(page.p, name.p) != NULL, name.p);
    }
}

/* What is shipped is what the program would write. */
static void the_shipped_pages_are_up_to_date(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        void (*write)(struct buf *out);
    } pages[] = {{TEST_SOURCE_DIR "/config/bondstore.yaml.example", config_write_example},
                 {TEST_SOURCE_DIR "/docs/reference/settings.md", config_write_markdown}};
    for (size_t i = 0; i < COUNT(pages); i++) {
        auto_buf struct buf shipped = {0};
        auto_buf struct buf written = {0};
        struct err err = {0};
        CHECK_CASE(fsx_read(AT_FDCWD, pages[i].path, 1 << 20, &shipped, &err), pages[i].path);
        pages[i].write(&written);
        CHECK_CASE(slice_equal(buf_slice_of(&shipped), buf_slice_of(&written)), pages[i].path);
    }
}

/* None asked for: enough that a disk wait here and there holds nobody up. */
static void workers_are_as_asked_for_or_by_the_cores(void **state)
{
    struct config config = {0};
    (void)state;
    assert_true(config_workers(&config) >= 4);
    config.limits_workers = 3;
    assert_int_equal(config_workers(&config), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_defaults_and_resolves_paths),
        cmocka_unit_test(reads_every_unit),
        cmocka_unit_test(refuses_each_case_with_file_line_and_reason),
        cmocka_unit_test(environment_comes_before_the_file),
        cmocka_unit_test(a_secret_that_everybody_reads_is_refused),
        cmocka_unit_test(the_example_is_a_configuration_and_the_defaults_hold),
        cmocka_unit_test(the_page_names_every_setting),
        cmocka_unit_test(workers_are_as_asked_for_or_by_the_cores),
        cmocka_unit_test(the_shipped_pages_are_up_to_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
