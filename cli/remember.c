#include "cli/remember.h"

#include "base/fsx.h"
#include "base/json.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>

#define FILE_MAX ((size_t)1 << 20)
#define CONFIG_FILE "config.json"

enum folder { FOLDER_CONFIG, FOLDER_STATE };

/* False when there is no home folder: then nothing is remembered. */
static bool folder_path(enum folder folder, struct buf *out)
{
    static const struct {
        const char *variable, *below_home;
    } where[] = {[FOLDER_CONFIG] = {"XDG_CONFIG_HOME", ".config"},
                 [FOLDER_STATE] = {"XDG_STATE_HOME", ".local/state"}};
    const char *own = getenv("BOND_CONFIG_DIR");
    const char *xdg = getenv(where[folder].variable);
    const char *home = getenv("HOME");

    if (own && *own) {
        buf_str(out, own);
    } else if (xdg && *xdg == '/') { /* the XDG rule: relative values are ignored */
        buf_printf(out, "%s/bond", xdg);
    } else if (home && *home) {
        buf_printf(out, "%s/%s/bond", home, where[folder].below_home);
    } else {
        return false;
    }
    return true;
}

/* Makes the folder and what is above it. */
static int folder_make(enum folder folder, struct err *err)
{
    auto_buf struct buf path = {0};

    if (!folder_path(folder, &path)) {
        err_set(err, ERR_INVALID,
                "there is no home folder to keep it in; set HOME or BOND_CONFIG_DIR");
        return -1;
    }
    for (char *p = path.p + 1; *p; p++) {
        if (*p == '/') {
            *p = '\0';
            (void)mkdir(path.p, 0700); /* the open below tells when it did not work */
            *p = '/';
        }
    }
    (void)mkdir(path.p, 0700);
    auto_fd int fd = open(path.p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        err_set(err, ERR_INVALID, "cannot use the folder %s; is it writable?", path.p);
    }
    return take_fd(&fd);
}

static json_t *file_read(enum folder folder, const char *name)
{
    auto_buf struct buf path = {0};
    struct buf text = {0};
    json_t *value = NULL;
    struct err err;

    if (!folder_path(folder, &path)) {
        return NULL;
    }
    buf_printf(&path, "/%s", name);
    if (fsx_read(AT_FDCWD, path.p, FILE_MAX, &text, &err) &&
        !json_read(buf_slice_of(&text), JSON_DEPTH_DEFAULT, &value, &err)) {
        value = NULL;
    }
    buf_wipe(&text);
    return value;
}

static bool file_write(enum folder folder, const char *name, const json_t *value, struct err *err)
{
    struct buf text = {0};
    auto_fd int dir = folder_make(folder, err);

    if (dir < 0) {
        return false;
    }
    json_write(&text, value);
    buf_char(&text, '\n');
    bool ok = fsx_replace(dir, name, buf_slice_of(&text), 0600, err);
    buf_wipe(&text);
    return ok || err_prefix(err, "cannot write %s", name);
}

static char *copy_or_null(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

char *remember_default_host(void)
{
    auto_json json_t *config = file_read(FOLDER_CONFIG, CONFIG_FILE);

    return copy_or_null(json_get_string(config, "host"));
}

char *remember_ca_file(const char *host)
{
    auto_json json_t *config = file_read(FOLDER_CONFIG, CONFIG_FILE);
    const json_t *known = json_get_object(json_get_object(config, "hosts"), host);

    return copy_or_null(json_get_string(known, "ca_file"));
}

/* The object at `member`, made when missing; borrowed from `parent`. */
static json_t *object_at(json_t *parent, const char *member)
{
    if (!json_is_object(json_object_get(parent, member))) {
        json_object_set_new(parent, member, json_object());
    }
    return json_object_get(parent, member);
}

bool remember_host(const char *host, const char *ca_file_or_null, struct err *err)
{
    auto_json json_t *config = file_read(FOLDER_CONFIG, CONFIG_FILE);

    if (!json_is_object(config)) {
        json_decref(config);
        config = json_object();
    }
    if (!json_get_string(config, "host")) {
        json_object_set_new(config, "host", json_string(host));
    }
    json_t *known = object_at(object_at(config, "hosts"), host);
    if (ca_file_or_null) {
        json_object_set_new(known, "ca_file", json_string(ca_file_or_null));
    }
    return file_write(FOLDER_CONFIG, CONFIG_FILE, config, err);
}

static void session_name(const char *host, struct buf *out)
{
    buf_printf(out, "session-%s", host);
}

char *remember_session(const char *host)
{
    auto_buf struct buf name = {0};
    session_name(host, &name);
    auto_json json_t *session = file_read(FOLDER_STATE, name.p);

    return copy_or_null(json_get_string(session, "token"));
}

bool remember_session_set(const char *host, const char *user, const char *token,
                          const char *expires, struct err *err)
{
    auto_buf struct buf name = {0};
    auto_json json_t *session = json_pack("{s:s, s:s, s:s}", "user", user, "token", token,
                                          "expires", expires ? expires : "");

    session_name(host, &name);
    return file_write(FOLDER_STATE, name.p, session, err);
}

bool remember_session_remove(const char *host, struct err *err)
{
    auto_buf struct buf path = {0};

    if (!folder_path(FOLDER_STATE, &path)) {
        return true;
    }
    buf_str(&path, "/");
    session_name(host, &path);
    return fsx_unlink(AT_FDCWD, path.p, err);
}

void remember_forget(char *secret)
{
    if (secret) {
        sodium_memzero(secret, strlen(secret));
        free(secret);
    }
}
