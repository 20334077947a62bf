#include "server/config.h"

#include "base/fsx.h"
#include "base/name.h"
#include "server/config_yaml.h"
#include "server/setting.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define CONFIG_FILE_MAX (1U << 20)

/* ---- public URL ---- */

bool host_is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1) {
        return (ntohl(v4.s_addr) >> 24) == 127;
    }
    if (inet_pton(AF_INET6, host, &v6) == 1) {
        return IN6_IS_ADDR_LOOPBACK(&v6);
    }
    return strcmp(host, "localhost") == 0;
}

static bool port_parse(struct slice text, int *out)
{
    int64_t port = 0;
    if (text.n > 5 || !slice_to_int64(text, &port) || port < 1 || port > 65535) {
        return false;
    }
    *out = (int)port;
    return true;
}

/* Splits "host", "host:port", "[v6]" and "[v6]:port"; an empty port text when there is none. */
static bool host_port_split(struct slice text, struct slice *host, struct slice *port)
{
    *port = (struct slice){0};
    ptrdiff_t end = slice_index(text, ']');
    if (text.n > 0 && text.p[0] == '[') {
        if (end < 0) {
            return false;
        }
        *host = (struct slice){text.p + 1, (size_t)end - 1};
        text = slice_from(text, (size_t)end + 1);
        if (text.n == 0) {
            return true;
        }
        *port = slice_from(text, 1);
        return text.p[0] == ':' && port->n > 0;
    }
    ptrdiff_t colon = slice_index(text, ':');
    *host = colon < 0 ? text : slice_first(text, (size_t)colon);
    if (colon >= 0) {
        *port = slice_from(text, (size_t)colon + 1);
    }
    return colon < 0 || port->n > 0;
}

static bool url_host(struct slice rest, struct public_url *out, struct err *err)
{
    struct slice host;
    struct slice port;
    struct in6_addr v6;
    if (rest.n >= sizeof(out->service) || !host_port_split(rest, &host, &port) || host.n == 0 ||
        host.n >= sizeof(out->host)) {
        return err_set(err, ERR_INVALID,
                       "the public URL must be https://HOST or https://HOST:PORT, without a path");
    }
    (void)snprintf(out->host, sizeof(out->host), "%.*s", SLICE_FMT(host));
    (void)snprintf(out->service, sizeof(out->service), "%.*s", SLICE_FMT(rest));
    out->ipv6 = inet_pton(AF_INET6, out->host, &v6) == 1;
    bool valid = rest.p[0] == '[' ? out->ipv6 : host_is_valid(rest);
    if (!valid) {
        return err_set(
            err, ERR_INVALID,
            "the host of the public URL must be a name in lower-case letters or an address");
    }
    out->port_given = port.n > 0;
    out->port = out->https ? 443 : 80;
    if (out->port_given && !port_parse(port, &out->port)) {
        return err_set(err, ERR_INVALID, "the port of the public URL must be between 1 and 65535");
    }
    return true;
}

bool public_url_parse(struct slice text, struct public_url *out, struct err *err)
{
    *out = (struct public_url){0};
    if (text.n > 0 && text.p[text.n - 1] == '/') {
        text.n--;
    }
    out->https = slice_starts(text, "https://");
    if (!out->https && !slice_starts(text, "http://")) {
        return err_set(err, ERR_INVALID,
                       "the public URL must begin with https:// (or http:// for a loopback host)");
    }
    if (text.n >= sizeof(out->text)) {
        return err_set(err, ERR_INVALID, "the public URL is too long");
    }
    (void)snprintf(out->text, sizeof(out->text), "%.*s", SLICE_FMT(text));
    if (!url_host(slice_from(text, out->https ? 8 : 7), out, err)) {
        return false;
    }
    if (!out->https && !host_is_loopback(out->host)) {
        return err_set(err, ERR_INVALID,
                       "http:// is accepted for loopback hosts only: passwords and tokens would "
                       "travel in the clear");
    }
    return true;
}

/* ---- texts that the configuration owns ---- */

struct texts {
    char **items;
    size_t n;
};

static char *keep(struct config *c, const char *text, size_t n)
{
    struct texts *t = c->texts;
    t->items = xrealloc(t->items, (t->n + 1) * sizeof(*t->items));
    t->items[t->n] = xstrndup(text, n);
    return t->items[t->n++];
}

static char *keep_path(struct config *c, const char *path)
{
    auto_buf struct buf b = {0};
    if (strcmp(path, ".") == 0) {
        return keep(c, c->folder, strlen(c->folder));
    }
    if (path[0] != '/') {
        buf_printf(&b, "%s/", c->folder);
    }
    buf_str(&b, path);
    return keep(c, b.p, b.n);
}

/* ---- values ---- */

static void store_value(struct config *c, const struct setting *s, const char *text, int64_t number)
{
    char *field = (char *)c + s->offset;
    switch (s->type) {
    case SETTING_TEXT:
    case SETTING_WORD:
        *(const char **)(void *)field = keep(c, text, strlen(text));
        return;
    case SETTING_FLAG:
        *(bool *)field = number != 0;
        return;
    case SETTING_COUNT:
    case SETTING_SIZE:
    case SETTING_DURATION:
        *(int64_t *)(void *)field = number;
        return;
    }
}

/* The environment comes before the file, the file before the default. */
static bool read_value(struct config *c, const struct config_yaml *y, size_t i, struct slice text,
                       struct err *err)
{
    const struct setting *s = setting_at(i);
    auto_buf struct buf name = {0};
    auto_buf struct buf variable = {0};
    setting_name(s, &name);
    setting_environment(s, &variable);
    const char *from_environment = getenv(variable.p);
    const char *value = from_environment != NULL ? from_environment : config_yaml_value(y, i);
    value = value != NULL ? value : s->fallback;
    int64_t number = 0;
    struct err why = {0};
    if (setting_read(s, slice_str(value), &number, &why)) {
        store_value(c, s, value, number);
        return true;
    }
    if (from_environment != NULL) {
        return err_set(err, ERR_INVALID, "%s: %s", variable.p, why.msg);
    }
    return err_set(err, ERR_INVALID, "%s, line %d: %s: %s", c->file,
                   config_yaml_line(text, s->section, s->key), name.p, why.msg);
}

static bool read_values(struct config *c, const struct config_yaml *y, struct slice text,
                        struct err *err)
{
    for (size_t i = 0; i < setting_count(); i++) {
        if (!read_value(c, y, i, text, err)) {
            return false;
        }
    }
    return true;
}

/* Always false. Of a key at the top level: names the variable, or else the file and the line that it was read from. */
static bool refuse_top(const struct config *c, struct slice text, const char *key, const char *why, struct err *err)
{
    auto_buf struct buf variable = {0};
    setting_environment(&(struct setting){.section = "", .key = key}, &variable);
    if (getenv(variable.p) != NULL) {
        return err_set(err, ERR_INVALID, "%s: %s", variable.p, why);
    }
    return err_set(err, ERR_INVALID, "%s, line %d: %s: %s", c->file, config_yaml_line(text, "", key), key, why);
}

static bool read_public_url(struct config *c, struct slice text, struct err *err)
{
    struct public_url url;
    struct err why = {0};
    if (!public_url_parse(slice_str(c->public_url), &url, &why)) {
        return refuse_top(c, text, "public_url", why.msg, err);
    }
    c->public_url = keep(c, url.text, strlen(url.text));
    c->https = url.https;
    c->port = url.port;
    (void)snprintf(c->host, sizeof(c->host), "%s", url.host);
    (void)snprintf(c->service, sizeof(c->service), "%s", url.service);
    (void)snprintf(c->realm, sizeof(c->realm), "%s/token", url.text);
    if (c->canonical_host[0] == '\0') {
        c->canonical_host = keep(c, url.service, strlen(url.service));
    }
    return true;
}

static bool read_hosts(struct config *c, const struct config_yaml *y, struct slice text,
                       struct err *err)
{
    bool own = strcmp(c->canonical_host, c->service) ==
               0; /* judged with public_url, may be an IPv6 address */
    if (!own && !host_is_valid(slice_str(c->canonical_host))) {
        return refuse_top(c, text, "canonical_host", "it must be host or host:port in lower case", err);
    }
    for (size_t i = 0; i < config_yaml_alias_count(y); i++) {
        const char *alias = config_yaml_alias(y, i);
        if (!host_is_valid(slice_str(alias))) {
            return err_set(err, ERR_INVALID,
                           "%s, line %d: aliases: \"%s\" is not host or host:port in lower case",
                           c->file, config_yaml_line(text, "", "aliases"), alias);
        }
        c->aliases[c->alias_count++] = keep(c, alias, strlen(alias));
    }
    return true;
}

/* ---- listeners ---- */

static bool address_parse(struct config *c, const char *address, struct config_listen *out)
{
    struct slice host;
    struct slice port;
    struct in_addr v4;
    struct in6_addr v6;
    if (!host_port_split(slice_str(address), &host, &port) || !port_parse(port, &out->port)) {
        return false;
    }
    out->host = keep(c, host.n ? host.p : "", host.n);
    out->loopback = host_is_loopback(out->host);
    return host.n == 0 || inet_pton(AF_INET, out->host, &v4) == 1 ||
           inet_pton(AF_INET6, out->host, &v6) == 1;
}

static bool read_listener(struct config *c, const struct yaml_listen *from,
                          struct config_listen *out, struct err *err)
{
    if (!address_parse(c, from->address, out)) {
        return err_set(
            err, ERR_INVALID,
            "%s: listen: \"%s\" is not ADDRESS:PORT with a numeric address, as in 0.0.0.0:5443",
            c->file, from->address);
    }
    if (from->tls != NULL) {
        out->certificate = keep_path(c, from->tls->certificate);
        out->key = keep_path(c, from->tls->key);
        return true;
    }
    if (!out->loopback && !c->behind_proxy) {
        return err_set(
            err, ERR_INVALID,
            "%s: listen: %s has no tls; plain HTTP is accepted on loopback addresses only, unless "
            "behind_proxy is set",
            c->file, from->address);
    }
    return true;
}

static bool read_listeners(struct config *c, const struct config_yaml *y, struct err *err)
{
    for (size_t i = 0; i < config_yaml_listen_count(y); i++) {
        if (!read_listener(c, config_yaml_listen(y, i), &c->listen[c->listen_count++], err)) {
            return false;
        }
    }
    if (c->listen_count == 0) {
        return err_set(err, ERR_INVALID, "%s: listen: at least one listener is needed", c->file);
    }
    return true;
}

/* Behind a proxy everybody would come from this machine. */
static bool check_sign_in(const struct config *c, struct err *err)
{
    return strcmp(c->sign_in, "none") != 0 ||
           (host_is_loopback(c->host) && !c->behind_proxy) ||
           err_set(err, ERR_INVALID,
                   "%s: sign_in: none is for a public_url on a loopback host, and not for a server "
                   "behind a proxy",
                   c->file);
}

/* ---- whole ---- */

static void set_folder(struct config *c, const char *file)
{
    const char *slash = strrchr(file, '/');
    c->file = keep(c, file, strlen(file));
    if (slash == NULL) {
        c->folder = keep(c, ".", 1);
    } else {
        c->folder = keep(c, file, slash == file ? 1 : (size_t)(slash - file));
    }
}

bool config_parse(const char *file, struct slice text, struct config **out, struct err *err)
{
    struct config_yaml *y = NULL;
    if (!config_yaml_read(file, text, &y, err)) {
        return false;
    }
    struct config *c = xcalloc(1, sizeof(*c));
    c->texts = xcalloc(1, sizeof(struct texts));
    set_folder(c, file);
    bool ok = read_values(c, y, text, err) && read_public_url(c, text, err) &&
              read_hosts(c, y, text, err) && read_listeners(c, y, err) && check_sign_in(c, err);
    config_yaml_free(y);
    if (!ok) {
        config_free(c);
        return false;
    }
    c->data_dir = keep_path(c, c->data);
    c->checkpoint = c->trust_checkpoint[0] ? keep_path(c, c->trust_checkpoint) : NULL;
    c->override_notice =
        c->trust_override_notice[0] ? keep_path(c, c->trust_override_notice) : NULL;
    *out = c;
    return true;
}

/* What only the server may know: not readable by everybody. */
static bool secret_is_private(const char *path, struct err *err)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return true; /* whoever needs it says that it is missing */
    }
    if ((st.st_mode & (S_IROTH | S_IWOTH)) != 0) {
        return err_set(
            err, ERR_INVALID,
            "%s can be read or written by everybody on this machine; run chmod 600 on it", path);
    }
    return true;
}

static bool secrets_are_private(const struct config *c, struct err *err)
{
    static const char *const names[] = {"secrets", "secrets/sealing.key",
                                        "secrets/sealing.key.next", "secrets/token.key",
                                        "tls/ca.key"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        auto_buf struct buf path = {0};
        buf_printf(&path, "%s/%s", c->data_dir, names[i]);
        if (!secret_is_private(path.p, err)) {
            return false;
        }
    }
    for (size_t i = 0; i < c->listen_count; i++) {
        if (c->listen[i].key != NULL && !secret_is_private(c->listen[i].key, err)) {
            return false;
        }
    }
    return true;
}

bool config_load(const char *file, struct config **out, struct err *err)
{
    auto_buf struct buf text = {0};
    struct err why = {0};
    if (!fsx_read(AT_FDCWD, file, CONFIG_FILE_MAX, &text, &why)) {
        return err_set(err, ERR_INVALID, "cannot read %s: %s", file,
                       why.sys ? strerror(why.sys) : why.msg);
    }
    if (!config_parse(file, buf_slice_of(&text), out, err)) {
        return false;
    }
    if (!secrets_are_private(*out, err)) {
        config_free(*out);
        *out = NULL;
        return false;
    }
    return true;
}

size_t config_workers(const struct config *config)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t usual = cores > 4 ? 4 * (size_t)cores : 16;
    return config->limits_workers > 0 ? (size_t)config->limits_workers : usual;
}

void config_free(struct config *config)
{
    if (config == NULL) {
        return;
    }
    struct texts *t = config->texts;
    for (size_t i = 0; i < t->n; i++) {
        free(t->items[i]);
    }
    free(t->items);
    free(t);
    free(config);
}
