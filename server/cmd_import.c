#include "base/clock.h"
#include "base/json.h"
#include "server/app.h"
#include "server/cmd.h"
#include "storage/account.h"
#include "storage/store.h"
#include "trust/import.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define PHRASES_MAX 32
#define PHRASE_MAX 4096
#define ENV_PREFIX "NOTARY_SIGNER_"

struct options {
    const char *place; /* folder or configuration file */
    const char *server_dump, *signer_dump, *owner;
    struct import_phrase phrases[PHRASES_MAX];
    struct buf texts[PHRASES_MAX]; /* what phrases point into; wiped */
    char *aliases[PHRASES_MAX];
    size_t phrase_count;
    bool dry_run, json;
};

static void options_dispose(struct options *o)
{
    for (size_t i = 0; i < o->phrase_count; i++) {
        buf_wipe(&o->texts[i]);
        free(o->aliases[i]);
    }
}

/* ---- pass phrases ---- */

static bool add_phrase(struct options *o, struct slice alias, struct slice phrase, struct err *err)
{
    if (o->phrase_count == PHRASES_MAX) {
        return err_set(err, ERR_INVALID, "more than %d pass phrases", PHRASES_MAX);
    }
    if (alias.n == 0 || phrase.n == 0) {
        return err_set(err, ERR_INVALID, "a pass phrase or its alias is empty");
    }
    size_t i = o->phrase_count++;
    buf_slice(&o->texts[i], phrase);
    o->aliases[i] = xstrndup(alias.p, alias.n);
    o->phrases[i] = (struct import_phrase){o->aliases[i], buf_slice_of(&o->texts[i])};
    return true;
}

/* NOTARY_SIGNER_<ALIAS>, as the signer has it. */
static bool add_from_environment(struct options *o, const char *name, struct err *err)
{
    const char *phrase = getenv(name);
    if (strncmp(name, ENV_PREFIX, strlen(ENV_PREFIX)) != 0) {
        return err_set(err, ERR_INVALID,
                       "%s is not named %s<ALIAS>; use --passphrase-file ALIAS=FILE", name,
                       ENV_PREFIX);
    }
    if (!phrase) {
        return err_set(err, ERR_INVALID, "the environment has no %s", name);
    }
    return add_phrase(o, slice_str(name + strlen(ENV_PREFIX)), slice_str(phrase), err);
}

/* Its length, without the end of the line. */
static size_t first_line(struct slice text)
{
    size_t n = 0;
    while (n < text.n && text.p[n] != '\n' && text.p[n] != '\r') {
        n++;
    }
    return n;
}

static bool add_from_file(struct options *o, const char *arg, struct err *err)
{
    char text[PHRASE_MAX];
    const char *equals = strchr(arg, '=');
    if (!equals) {
        return err_set(err, ERR_INVALID, "--passphrase-file needs ALIAS=FILE");
    }
    auto_fd int fd = open(equals + 1, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_set(err, ERR_INVALID, "%s cannot be opened: %s", equals + 1, strerror(errno));
    }
    ssize_t n = read(fd, text, sizeof(text));
    if (n < 0) {
        return err_set(err, ERR_INVALID, "%s cannot be read: %s", equals + 1, strerror(errno));
    }
    struct slice line = slice_of_bytes(text, (size_t)n);
    line = slice_first(line, first_line(line));
    bool added =
        n < (ssize_t)sizeof(text)
            ? add_phrase(o, slice_of_bytes(arg, (size_t)(equals - arg)), line, err)
            : err_set(err, ERR_INVALID, "%s is no file of a pass phrase: it has %d bytes or more",
                      equals + 1, PHRASE_MAX);
    sodium_memzero(text, sizeof(text));
    return added;
}

/* ---- arguments ---- */

enum { KEY_SERVER = 256, KEY_SIGNER, KEY_ENV, KEY_FILE, KEY_OWNER, KEY_DRY, KEY_JSON };

static error_t parse_place(const char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    if (state->arg_num == 0 && strcmp(arg, "notary") != 0) {
        argp_error(state, "%s cannot be imported; `notary` can", arg);
    }
    if (state->arg_num > 1) {
        argp_error(state, "one data folder is enough");
    }
    o->place = state->arg_num == 1 ? arg : NULL;
    return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    struct err err = {0};
    bool ok = true;
    switch (key) {
    case KEY_SERVER:
        o->server_dump = arg;
        break;
    case KEY_SIGNER:
        o->signer_dump = arg;
        break;
    case KEY_ENV:
        ok = add_from_environment(o, arg, &err);
        break;
    case KEY_FILE:
        ok = add_from_file(o, arg, &err);
        break;
    case KEY_OWNER:
        o->owner = arg;
        break;
    case KEY_DRY:
        o->dry_run = true;
        break;
    case KEY_JSON:
        o->json = true;
        break;
    case ARGP_KEY_ARG:
        return parse_place(arg, state);
    case ARGP_KEY_END:
        if (!o->place || !o->server_dump || !o->signer_dump) {
            argp_error(state, "what is needed: notary DIR --server-dump FILE --signer-dump FILE");
        }
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    if (!ok) {
        argp_error(state, "%s", err.msg);
    }
    return 0;
}

static bool read_arguments(int argc, char **argv, struct options *out)
{
    static const struct argp_option table[] = {
        {"server-dump", KEY_SERVER, "FILE", 0, "SQL dump of the notary server's database", 0},
        {"signer-dump", KEY_SIGNER, "FILE", 0, "SQL dump of the notary signer's database", 0},
        {"passphrase-env", KEY_ENV, "NAME", 0,
         "A pass phrase of the signer: the environment variable NOTARY_SIGNER_<ALIAS>; may be given "
         "again",
         0},
        {"passphrase-file", KEY_FILE, "ALIAS=FILE", 0,
         "The same, the first line of a file; may be given again", 0},
        {"owner", KEY_OWNER, "EMAIL", 0,
         "Make namespaces that are missing, and make this user their owner", 0},
        {"dry-run", KEY_DRY, NULL, 0, "Do everything, keep nothing, report", 0},
        {"json", KEY_JSON, NULL, 0, "The report as JSON", 0},
        {0}};
    static const struct argp argp = {
        .options = table,
        .parser = parse,
        .args_doc = "notary DIR|DIR/bondstore.yaml",
        .doc = "Moves in from a Notary v1 server: takes documents, versions, history and keys from "
               "the dumps (MySQL, MariaDB or PostgreSQL) of its databases, so that clients of the "
               "old server go on here. Only repositories of canonical_host and aliases are taken, "
               "each whole or not at all; it may be run again with later dumps. Needs the folder "
               "for itself: stop the server first. Exit status 1 when a repository was refused."};
    return argp_parse(&argp, argc, argv, 0, NULL, out) == 0;
}

/* ---- the work ---- */

static bool find_owner(struct db *db, const char *name, int64_t *id_out, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    struct account account;
    *id_out = 0;
    if (!name) {
        return true;
    }
    if (!db_snapshot(db, &tx, err)) {
        return false;
    }
    if (!account_get_by_name(tx, slice_str(name), &account, err) || account.kind != ACCOUNT_USER) {
        return err_set(err, ERR_INVALID, "there is no user %s to own namespaces", name);
    }
    *id_out = account.id;
    return true;
}

static bool import(const struct config *c, const struct options *o, json_t **report_out,
                   struct err *err)
{
    const struct actor actor = {.name = "import", .proof = "command"};
    struct import_request request = {.server_dump = o->server_dump,
                                     .signer_dump = o->signer_dump,
                                     .work_dir = c->data_dir,
                                     .phrases = o->phrases,
                                     .phrase_count = o->phrase_count,
                                     .actor = &actor,
                                     .dry_run = o->dry_run,
                                     .now_us = clock_now_us()};
    struct store *store = NULL;
    struct trust *trust = NULL;
    bool done = store_open(c->data_dir, &store, err) &&
                app_open_trust(c, store, &trust, err) &&
                find_owner(store_db(store), o->owner, &request.owner_id, err) &&
                trust_import(trust, &request, report_out, err);
    trust_close(trust);
    store_close(store);
    return done;
}

/* ---- the report ---- */

static void print_gun(const json_t *gun)
{
    const char *why = json_get_string(gun, "why");
    int64_t documents = 0, keys = 0;
    size_t i;
    json_t *warning;
    (void)json_get_int(gun, "documents", &documents);
    (void)json_get_int(gun, "keys", &keys);
    (void)printf("%s %s documents=%lld keys=%lld%s%s\n", json_get_string(gun, "outcome"),
                 json_get_string(gun, "gun"), (long long)documents, (long long)keys,
                 *why ? ": " : "", why);
    json_array_foreach(json_object_get(gun, "warnings"), i, warning)
    {
        (void)printf("  %s\n", json_string_value(warning));
    }
}

static void print_text(const json_t *report)
{
    static const char *const counts[] = {"imported",  "unchanged", "refused",
                                         "elsewhere", "deleted",   "changes"};
    size_t i;
    json_t *gun;
    json_array_foreach(json_object_get(report, "guns"), i, gun)
    {
        print_gun(gun);
    }
    for (size_t k = 0; k < sizeof(counts) / sizeof(counts[0]); k++) {
        int64_t n = 0;
        (void)json_get_int(report, counts[k], &n);
        (void)printf("%s %lld\n", counts[k], (long long)n);
    }
    if (json_is_true(json_object_get(report, "dry_run"))) {
        (void)printf("dry run: nothing was kept\n");
    }
}

static int print_report(const json_t *report, bool as_json)
{
    int64_t refused = 0;
    if (as_json) {
        auto_buf struct buf text = {0};
        json_write(&text, report);
        (void)printf("%s\n", text.p);
    } else {
        print_text(report);
    }
    (void)json_get_int(report, "refused", &refused);
    return refused == 0 ? 0 : 1;
}

int cmd_import(int argc, char **argv)
{
    struct options options = {0};
    struct config *config = NULL;
    struct err err = {0};
    auto_json json_t *report = NULL;
    if (!read_arguments(argc, argv, &options)) {
        options_dispose(&options);
        return EXIT_USAGE;
    }
    bool done = cmd_load(options.place, &config, &err) && import(config, &options, &report, &err);
    config_free(config);
    options_dispose(&options);
    return done ? print_report(report, options.json) : cmd_fail(&err);
}
