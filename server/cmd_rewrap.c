#include "server/app.h"
#include "server/cmd.h"
#include "storage/store.h"
#include "trust/rewrap.h"

#include <argp.h>
#include <stdio.h>

struct options {
    const char *place, *key;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    switch (key) {
    case 'k':
        o->key = arg;
        return 0;
    default:
        return cmd_place(key, arg, state, &o->place);
    }
}

static bool read_arguments(int argc, char **argv, struct options *out)
{
    static const struct argp_option table[] = {
        {"key", 'k', "FILE", 0, "The new sealing key, 32 bytes, mode 0600; default: a random one",
         0},
        {0}};
    static const struct argp argp = {
        .options = table,
        .parser = parse,
        .args_doc = "DIR|DIR/bondstore.yaml",
        .doc =
            "Seals every key of the server anew under another sealing key, checks that each opens, "
            "and forgets the old one: secrets/sealing.key is replaced. Killed at any moment, the "
            "same command goes on. Needs the folder for itself: stop the server first."};
    return argp_parse(&argp, argc, argv, 0, NULL, out) == 0;
}

static bool rewrap(const struct config *c, const struct options *o, struct rewrap_result *out,
                   struct err *err)
{
    auto_buf struct buf sealing = {0}, checkpoint = {0};
    struct store *store = NULL;
    app_sealing_path(c, &sealing);
    bool done = app_checkpoint_path(c, &checkpoint, err) && store_open(c->data_dir, &store, err);
    if (done) {
        const struct rewrap_request request = {.db = store_db(store),
                                               .sealing_path = sealing.p,
                                               .checkpoint_path = checkpoint.p,
                                               .new_key_path = o->key};
        done = trust_rewrap(&request, out, err);
    }
    store_close(store);
    return done;
}

int cmd_rewrap(int argc, char **argv)
{
    struct options options = {0};
    struct config *config = NULL;
    struct rewrap_result result = {0};
    struct err err = {0};
    if (!read_arguments(argc, argv, &options)) {
        return EXIT_USAGE;
    }
    bool done = cmd_load(options.place, &config, &err) && rewrap(config, &options, &result, &err);
    config_free(config);
    if (!done) {
        return cmd_fail(&err);
    }
    (void)printf("keys %lld\nrewrapped %lld\n", (long long)result.keys,
                 (long long)result.rewrapped);
    (void)fprintf(
        stderr,
        "bondstore: %ssecrets/sealing.key is the new key; back it up apart from the data, "
        "and keep the old one with the backups that were made under it\n",
        result.resumed ? "the change that was begun has ended; " : "");
    return 0;
}
