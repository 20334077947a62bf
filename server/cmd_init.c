#include "auth/auth.h"
#include "auth/password.h"
#include "base/clock.h"
#include "base/fsx.h"
#include "server/certificate.h"
#include "server/cmd.h"
#include "storage/store.h"
#include "trust/trust.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

#define PASSWORD_LINE_MAX 2048

struct options {
    const char *dir, *public_url, *admin;
    bool password_stdin;
};

static const struct argp_option option_table[] = {
    {.name = "public-url",
     .key = 'u',
     .arg = "URL",
     .doc = "https://HOST:PORT as clients will write it"},
    {.name = "admin", .key = 'a', .arg = "EMAIL", .doc = "The first administrator"},
    {.name = "password-stdin",
     .key = 'p',
     .doc = "Take his password from standard input (at least 15 characters) "
            "instead of making one"},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    switch (key) {
    case 'u':
        o->public_url = arg;
        return 0;
    case 'a':
        o->admin = arg;
        return 0;
    case 'p':
        o->password_stdin = true;
        return 0;
    case ARGP_KEY_ARG:
        if (o->dir != NULL) {
            argp_error(state, "one folder is enough");
        }
        o->dir = arg;
        return 0;
    case ARGP_KEY_END:
        if (o->dir == NULL || o->public_url == NULL || o->admin == NULL) {
            argp_error(state, "a folder, --public-url and --admin are needed");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- the folder ---- */

static const char *const parts[] = {
    "bondstore.yaml", "index.db", "index.db-wal", "index.db-shm", "blobs",     "uploads",
    "secrets",        "tls",      "run",          "lock",         "checkpoint"};

static bool is_free(const char *dir, struct err *err)
{
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        struct stat st;
        auto_buf struct buf path = {0};
        buf_printf(&path, "%s/%s", dir, parts[i]);
        if (lstat(path.p, &st) == 0) {
            return err_set(err, ERR_CONFLICT, "%s is in use already: it holds %s", dir, parts[i]);
        }
        if (errno != ENOENT) {
            return err_set(err, ERR_INVALID, "%s cannot be used: %s", dir, strerror(errno));
        }
    }
    return true;
}

static bool make_folders(const char *dir, struct err *err)
{
    auto_buf struct buf path = {0};
    for (const char *at = strchr(dir + 1, '/');; at = strchr(at + 1, '/')) {
        buf_clear(&path);
        buf_put(&path, dir, at != NULL ? (size_t)(at - dir) : strlen(dir));
        bool made = mkdir(path.p, 0755) == 0;
        if (!made && errno != EEXIST) {
            return err_set(err, ERR_INVALID, "the folder %s cannot be made: %s", path.p,
                           strerror(errno));
        }
        if (made && !fsx_sync_folder(AT_FDCWD, path.p, err)) {
            return false;
        }
        if (at == NULL) {
            return true;
        }
    }
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    (void)remove(path);
    return 0;
}

/* A failed init leaves nothing behind; what was there before it is not ours (is_free). */
static void remove_parts(const char *dir)
{
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        auto_buf struct buf path = {0};
        buf_printf(&path, "%s/%s", dir, parts[i]);
        (void)nftw(path.p, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
}

/* ---- its contents ---- */

static bool write_certificates(int dir, const char *host, struct err *err)
{
    struct certificate_set set;
    if (!certificate_make(host, clock_now_us(), &set, err)) {
        return false;
    }
    const struct {
        const char *path;
        const struct buf *text;
        mode_t mode;
    } files[] = {{"tls/ca.crt", &set.ca_certificate, 0644},
                 {"tls/ca.key", &set.ca_key, 0600},
                 {"tls/server.crt", &set.server_certificate, 0644},
                 {"tls/server.key", &set.server_key, 0600}};
    bool ok = fsx_mkdir(dir, "tls", 0755, err);
    for (size_t i = 0; ok && i < sizeof(files) / sizeof(files[0]); i++) {
        ok = fsx_replace(dir, files[i].path, buf_slice_of(files[i].text), files[i].mode, err);
    }
    certificate_set_dispose(&set);
    return ok;
}

static void config_text(const struct public_url *url, struct buf *out)
{
    buf_printf(out,
               "# Bondstore. All settings: bondstore settings\n"
               "public_url: %s\n"
               "data: .\n"
               "listen:\n",
               url->text);
    if (url->https) {
        buf_printf(out,
                   "  - address: 0.0.0.0:%d\n"
                   "    tls: { certificate: tls/server.crt, key: tls/server.key }\n",
                   url->port);
    } else {
        buf_printf(out, "  - address: %s:%d\n", url->ipv6 ? "\"[::1]\"" : "127.0.0.1", url->port);
    }
}

static bool make_secrets(int dir, const char *path, struct err *err)
{
    auto_buf struct buf secrets = {0};
    buf_printf(&secrets, "%s/secrets", path);
    return fsx_mkdir(dir, "secrets", 0700, err) &&
           trust_sealing_key_create(dir, "secrets/sealing.key", err) &&
           auth_make_keys(secrets.p, err);
}

static bool make_administrator(const struct options *o, struct slice password, struct buf *secret,
                               struct err *err)
{
    struct store *store = NULL;
    bool ok = store_open(o->dir, &store, err) &&
              auth_create_admin(store_db(store), o->admin, password, clock_now_us(), secret, err);
    store_close(store);
    return ok;
}

/* The configuration comes last: a folder that has one is whole. */
static bool fill(const struct options *o, const struct public_url *url, struct slice password,
                 struct buf *secret, struct err *err)
{
    auto_buf struct buf yaml = {0};
    auto_fd int dir = fsx_open_dir(AT_FDCWD, o->dir, false, 0755, err);
    if (dir < 0) {
        return false;
    }
    config_text(url, &yaml);
    return (!url->https || write_certificates(dir, url->host, err)) &&
           make_secrets(dir, o->dir, err) && make_administrator(o, password, secret, err) &&
           fsx_replace(dir, "bondstore.yaml", buf_slice_of(&yaml), 0644, err);
}

/* ---- the password ---- */

static bool read_password(const struct options *o, struct buf *out, struct err *err)
{
    char line[PASSWORD_LINE_MAX];
    if (!o->password_stdin) {
        return true;
    }
    if (fgets(line, sizeof(line), stdin) == NULL) {
        line[0] = '\0';
    }
    line[strcspn(line, "\r\n")] = '\0';
    buf_str(out, line);
    explicit_bzero(line, sizeof(line));
    return password_acceptable(buf_slice_of(out), o->admin, err);
}

static int init(const struct options *o, struct slice password)
{
    struct public_url url;
    struct err err = {0};
    struct buf secret = {0};
    if (!public_url_parse(slice_str(o->public_url), &url, &err) || !is_free(o->dir, &err) ||
        !make_folders(o->dir, &err)) {
        return cmd_fail(&err);
    }
    if (!fill(o, &url, password, &secret, &err)) {
        remove_parts(o->dir);
        buf_wipe(&secret);
        return cmd_fail(&err);
    }
    (void)fprintf(stderr, "made %s for %s; start it with: bondstore serve %s/bondstore.yaml\n",
                  o->dir, url.text, o->dir);
    if (secret.n > 0) {
        (void)fprintf(stderr, "the administrator and his password, shown this once:\n");
        (void)fflush(stderr);
        (void)printf("%s %s\n", o->admin, secret.p);
    }
    buf_wipe(&secret);
    return fflush(stdout) == 0 ? 0 : 1;
}

int cmd_init(int argc, char **argv)
{
    struct options o = {0};
    struct buf password = {0};
    struct err err = {0};
    const struct argp argp = {.options = option_table,
                              .parser = parse,
                              .args_doc = "DIR",
                              .doc = "Makes a data folder, ready to be served."};
    if (argp_parse(&argp, argc, argv, 0, NULL, &o) != 0) {
        return EXIT_USAGE;
    }
    int status =
        read_password(&o, &password, &err) ? init(&o, buf_slice_of(&password)) : cmd_fail(&err);
    buf_wipe(&password);
    return status;
}
