/* bondstore.yaml as texts: the shape checked by libcyaml, the values not looked at yet. Used by
 * config.c alone. */
#ifndef SERVER_CONFIG_YAML_H
#define SERVER_CONFIG_YAML_H

#include "server/config.h"
#include "server/setting.h"

struct yaml_tls {
    char *certificate, *key;
};
struct yaml_listen {
    char *address;
    struct yaml_tls *tls; /* NULL: none */
};

struct config_yaml; /* what libcyaml made */

/* Expected errors: ERR_INVALID with file, line and reason (unknown or repeated key, wrong shape, no
 * YAML). */
bool config_yaml_read(const char *file, struct slice text, struct config_yaml **out,
                      struct err *err) MUST_USE;
void config_yaml_free(struct config_yaml *y);

/* Text of setting i (setting_at), NULL when the file does not have it. Borrowed. */
const char *config_yaml_value(const struct config_yaml *y, size_t i);
size_t config_yaml_listen_count(const struct config_yaml *y);
const struct yaml_listen *config_yaml_listen(const struct config_yaml *y, size_t i);
size_t config_yaml_alias_count(const struct config_yaml *y);
const char *config_yaml_alias(const struct config_yaml *y, size_t i);

/* Line of a key, for sentences about values; that of its section when the section is written in one line; 0 when
 * neither is found. section "" = top level. */
int config_yaml_line(struct slice text, const char *section, const char *key);

#endif
