#include "server/config_yaml.h"

#include <cyaml/cyaml.h>
#include <stdio.h>

#define YAML_FIELD(section, key, ...) char *key;
#define YAML_SECTION_STRUCT(section, rows)                                                         \
    struct yaml_##section {                                                                        \
        rows(YAML_FIELD)                                                                           \
    };
SETTINGS_SECTIONS(YAML_SECTION_STRUCT)

#define YAML_SECTION_MEMBER(section, rows) struct yaml_##section *section;
struct yaml_top {
    SETTINGS_TOP(YAML_FIELD)
    SETTINGS_SECTIONS(YAML_SECTION_MEMBER)
    struct yaml_listen *listen;
    unsigned listen_count;
    char **aliases;
    unsigned aliases_count;
};

struct config_yaml {
    struct yaml_top *top;    /* NULL: an empty file */
    const char *values[128]; /* by setting number; borrowed from top */
};

#define OPTIONAL (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)
#define SCHEMA_FIELD(section, key, ...)                                                            \
    CYAML_FIELD_STRING_PTR(#key, OPTIONAL, struct yaml_##section, key, 0, CYAML_UNLIMITED),
#define SCHEMA_SECTION(section, rows)                                                              \
    static const cyaml_schema_field_t fields_##section[] = {rows(SCHEMA_FIELD) CYAML_FIELD_END};
SETTINGS_SECTIONS(SCHEMA_SECTION)

static const cyaml_schema_field_t fields_tls[] = {
    CYAML_FIELD_STRING_PTR("certificate", CYAML_FLAG_POINTER, struct yaml_tls, certificate, 1,
                           CYAML_UNLIMITED),
    CYAML_FIELD_STRING_PTR("key", CYAML_FLAG_POINTER, struct yaml_tls, key, 1, CYAML_UNLIMITED),
    CYAML_FIELD_END};
static const cyaml_schema_field_t fields_listen[] = {
    CYAML_FIELD_STRING_PTR("address", CYAML_FLAG_POINTER, struct yaml_listen, address, 1,
                           CYAML_UNLIMITED),
    CYAML_FIELD_MAPPING_PTR("tls", OPTIONAL, struct yaml_listen, tls, fields_tls), CYAML_FIELD_END};
static const cyaml_schema_value_t value_listen = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct yaml_listen, fields_listen)};
static const cyaml_schema_value_t value_alias = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 1, CYAML_UNLIMITED)};

#define SCHEMA_MEMBER(section, rows)                                                               \
    CYAML_FIELD_MAPPING_PTR(#section, OPTIONAL, struct yaml_top, section, fields_##section),
static const cyaml_schema_field_t fields_top[] = {
    SETTINGS_TOP(SCHEMA_FIELD) SETTINGS_SECTIONS(SCHEMA_MEMBER) CYAML_FIELD_SEQUENCE(
        "listen", OPTIONAL, struct yaml_top, listen, &value_listen, 0, LISTEN_MAX),
    CYAML_FIELD_SEQUENCE("aliases", OPTIONAL, struct yaml_top, aliases, &value_alias, 0,
                         ALIASES_MAX),
    CYAML_FIELD_END};
static const cyaml_schema_value_t value_top = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct yaml_top, fields_top)};

/* The library explains an error by lines of log: the first is the reason, the next with a place
 * says where. */
struct explanation {
    char reason[200];
    int line;
};

static void __attribute__((format(printf, 3, 0)))
explain(cyaml_log_t level, void *arg, const char *fmt, va_list args)
{
    struct explanation *e = arg;
    char text[200];
    if (level < CYAML_LOG_ERROR || vsnprintf(text, sizeof(text), fmt, args) < 0) {
        return;
    }
    if (e->reason[0] == '\0') {
        struct slice reason = slice_str(text);
        reason = slice_starts(reason, "Load: ") ? slice_from(reason, 6) : reason;
        (void)snprintf(e->reason, sizeof(e->reason), "%.*s", SLICE_FMT(reason));
        e->reason[strcspn(e->reason, "\n")] = '\0';
        return;
    }
    const char *place = strstr(text, "(line: ");
    if (place != NULL && e->line == 0) {
        e->line = (int)strtol(place + 7, NULL, 10);
    }
}

static const cyaml_config_t *library(struct explanation *e, cyaml_config_t *out)
{
    *out = (cyaml_config_t){.log_fn = explain,
                            .log_ctx = e,
                            .mem_fn = cyaml_mem,
                            .log_level = CYAML_LOG_ERROR,
                            .flags = CYAML_CFG_NO_ALIAS};
    return out;
}

int config_yaml_line(struct slice text, const char *section, const char *key)
{
    bool inside = section[0] == '\0';
    int found = 0;
    struct slice line;
    for (int number = 1; slice_next(&text, '\n', &line); number++) {
        struct slice word = slice_trim(line);
        bool indented = word.p != line.p;
        ptrdiff_t colon = slice_index(word, ':');
        if (colon <= 0 || word.p[0] == '#') {
            continue;
        }
        word = slice_first(word, (size_t)colon);
        if (!indented && section[0] != '\0') {
            inside = slice_is(word, section);
            found = inside ? number : found;
        } else if (inside && indented == (section[0] != '\0') && slice_is(word, key)) {
            return number;
        }
    }
    return found;
}

/* An unknown or repeated key is told with the line of the value before it: look for the key itself,
 * last one first. */
static int line_of(struct slice text, const struct explanation *e)
{
    const char *colon = strrchr(e->reason, ':');
    if (colon == NULL) {
        return e->line;
    }
    int found = e->line;
    struct slice line;
    struct slice key = slice_trim(slice_str(colon + 1));
    for (int number = 1; slice_next(&text, '\n', &line); number++) {
        struct slice word = slice_trim(line);
        ptrdiff_t end = slice_index(word, ':');
        if (number >= e->line && end > 0 && slice_equal(slice_first(word, (size_t)end), key)) {
            found = number;
        }
    }
    return found;
}

static void number_values(struct config_yaml *y)
{
    size_t i = 0;
    const struct yaml_top *top = y->top;
#define VALUE_TOP(section, key, ...) y->values[i++] = top->key;
#define VALUE(section, key, ...) y->values[i++] = top->section != NULL ? top->section->key : NULL;
#define VALUES(section, rows) rows(VALUE)
    SETTINGS_TOP(VALUE_TOP)
    SETTINGS_SECTIONS(VALUES)
#undef VALUE_TOP
#undef VALUE
#undef VALUES
}

bool config_yaml_read(const char *file, struct slice text, struct config_yaml **out,
                      struct err *err)
{
    struct explanation e = {0};
    cyaml_config_t config;
    struct config_yaml *y = xcalloc(1, sizeof(*y));
    if (setting_count() > sizeof(y->values) / sizeof(y->values[0])) {
        BUG("more settings than config_yaml has room for");
    }
    cyaml_err_t result =
        cyaml_load_data((const uint8_t *)(text.n ? text.p : ""), text.n, library(&e, &config),
                        &value_top, (cyaml_data_t **)&y->top, NULL);
    if (result != CYAML_OK) {
        free(y);
        const char *reason = e.reason[0] != '\0' ? e.reason : cyaml_strerror(result);
        return err_set(err, ERR_INVALID, "%s, line %d: %s", file, line_of(text, &e), reason);
    }
    if (y->top != NULL) {
        number_values(y);
    }
    *out = y;
    return true;
}

void config_yaml_free(struct config_yaml *y)
{
    cyaml_config_t config;
    struct explanation e = {0};
    if (y != NULL) {
        (void)cyaml_free(library(&e, &config), &value_top, y->top, 0);
        free(y);
    }
}

const char *config_yaml_value(const struct config_yaml *y, size_t i)
{
    return y->values[i];
}

size_t config_yaml_listen_count(const struct config_yaml *y)
{
    return y->top != NULL ? y->top->listen_count : 0;
}

const struct yaml_listen *config_yaml_listen(const struct config_yaml *y, size_t i)
{
    return &y->top->listen[i];
}

size_t config_yaml_alias_count(const struct config_yaml *y)
{
    return y->top != NULL ? y->top->aliases_count : 0;
}

const char *config_yaml_alias(const struct config_yaml *y, size_t i)
{
    return y->top->aliases[i];
}
