/* The configuration: bondstore.yaml, checked whole before anything starts, constant afterwards.
 *
 * Owns: struct config and how it is read. Refuses to know: what the parts do with it. Policies,
 * namespaces, accounts and keys are not configuration. */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include "base/buf.h"
#include "base/err.h"
#include "server/settings_table.h"

#define LISTEN_MAX 16
#define ALIASES_MAX 16

struct config_listen {
    char *host; /* numeric address without brackets; empty: every address */
    int port;   /* 1 … 65535 */
    bool loopback;
    char *certificate; /* path of the PEM file; NULL: plain HTTP */
    char *key;
};

#define CONFIG_TYPE_TEXT const char *
#define CONFIG_TYPE_WORD const char *
#define CONFIG_TYPE_FLAG bool
#define CONFIG_TYPE_COUNT int64_t
#define CONFIG_TYPE_SIZE int64_t     /* bytes */
#define CONFIG_TYPE_DURATION int64_t /* microseconds */
#define CONFIG_FIELD_TOP(section, key, type, ...) CONFIG_TYPE_##type key;
#define CONFIG_FIELD(section, key, type, ...) CONFIG_TYPE_##type section##_##key;
#define CONFIG_SECTION(section, rows) rows(CONFIG_FIELD)

struct config {
    SETTINGS_TOP(CONFIG_FIELD_TOP)
    SETTINGS_SECTIONS(CONFIG_SECTION) /* limits_manifest, log_level, … */

    char *file;        /* as given */
    char *folder;      /* of the file; relative paths count from here */
    char *data_dir;    /* `data`, resolved */
    char *checkpoint;  /* `trust.checkpoint`, resolved; NULL: the data folder's own */
    char *override_notice; /* `trust.override_notice`, resolved; NULL: none */
    bool https;        /* public_url's scheme */
    char host[256];    /* host of public_url, without port and brackets */
    int port;          /* of public_url, 443 or 80 when it has none */
    char service[270]; /* host[:port] of public_url: audience of tokens, host of GUNs unless
                          canonical_host says otherwise */
    char realm[320];   /* public_url + "/token" */
    struct config_listen listen[LISTEN_MAX];
    size_t listen_count;
    const char *aliases[ALIASES_MAX + 1]; /* NULL-terminated */
    size_t alias_count;
    void *texts; /* what owns the texts above */
};

/* Reads and checks a file; environment variables BONDSTORE_KEY and BONDSTORE_SECTION_KEY come
 * before the file. out   owned by the caller: config_free Expected errors: ERR_INVALID with a
 * sentence that names the file, the line where there is one, and the reason. */
bool config_load(const char *file, struct config **out, struct err *err) MUST_USE;
/* The same for text in memory (tests, init). */
bool config_parse(const char *file, struct slice text, struct config **out,
                  struct err *err) MUST_USE;
void config_free(struct config *config); /* accepts NULL */

/* Worker threads: limits.workers, or four per core, at least 16. */
size_t config_workers(const struct config *config);

struct public_url {
    bool https;
    char host[256]; /* lower case, without brackets */
    bool ipv6;
    int port; /* 443 or 80 when none is given */
    bool port_given;
    char text[300];    /* without a slash at the end */
    char service[270]; /* host[:port] as written */
};
/* https://HOST[:PORT], or http:// for a loopback host; an empty path. Expected errors: ERR_INVALID.
 */
bool public_url_parse(struct slice text, struct public_url *out, struct err *err) MUST_USE;
/* localhost, 127.0.0.0/8, ::1. */
bool host_is_loopback(const char *host);

/* The reference page of all settings, and the annotated example. */
void config_write_markdown(struct buf *out);
void config_write_example(struct buf *out);

#endif
