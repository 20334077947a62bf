/* bondstore audit verify: proves the chains of a data folder that no server has open. */
#include "base/hex.h"
#include "server/cmd.h"
#include "storage/audit.h"
#include "storage/decision.h"
#include "storage/store.h"

#include <argp.h>
#include <stdio.h>

#define PAGE 1000

struct options {
    const char *verb, *place;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (state->arg_num == 0) {
            options->verb = arg;
        } else if (state->arg_num == 1) {
            options->place = arg;
        } else {
            argp_error(state, "one folder is enough");
        }
        return 0;
    case ARGP_KEY_END:
        if (options->place == NULL || strcmp(options->verb, "verify") != 0) {
            argp_error(state, "what to do, and where? (verify DIR)");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static bool read_arguments(int argc, char **argv, struct options *out)
{
    static const struct argp argp = {
        .parser = parse,
        .args_doc = "verify DIR",
        .doc = "Proves that no record of the audit log and of the gate's decisions was changed, "
               "removed, inserted or moved, and names the first that was. Needs the folder for "
               "itself; `bond audit verify` asks a running server. Exit status 0 when both chains "
               "hold, 1 when one does not or could not be read, 2 for a wrong command line."};
    *out = (struct options){0};
    return argp_parse(&argp, argc, argv, 0, NULL, out) == 0;
}

static void tell_proved(const char *chain, int64_t records, const uint8_t head[32])
{
    char hex[65];
    (void)printf("%s proved %lld sha256:%s\n", chain, (long long)records,
                 hex_encode(head, 32, hex));
}

static void tell_broken(const char *chain, int64_t number, const char *id, const char *what)
{
    (void)printf("%s BROKEN %lld %s\n", chain, (long long)number, id[0] ? id : "-");
    (void)fprintf(stderr,
                  "bondstore: the chain of %s is broken at record %lld: %s; keep a copy of the "
                  "folder and compare it with the last backup\n",
                  chain, (long long)number, what);
}

static bool prove_page(struct db *db, int64_t *after, int64_t *records, uint8_t head[32],
                       int64_t *bad, bool *more, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_audit_list struct audit_list list = {0};
    if (!db_snapshot(db, &tx, err) || !audit_verify(tx, *after, PAGE, bad, err) ||
        !audit_list(tx, 0, *after, PAGE, &list, err)) {
        return false;
    }
    *records += (int64_t)list.count;
    *more = list.count == PAGE;
    if (list.count > 0) {
        *after = list.items[list.count - 1].id;
        memcpy(head, list.items[list.count - 1].sha256, 32);
    }
    return true;
}

static bool prove_audit(struct db *db, bool *holds, struct err *err)
{
    int64_t after = 0, records = 0, bad = 0;
    uint8_t head[32] = {0};
    for (bool more = true; more && bad == 0;) {
        if (!prove_page(db, &after, &records, head, &bad, &more, err)) {
            return false;
        }
    }
    *holds = bad == 0;
    if (*holds) {
        tell_proved("audit", records, head);
    } else {
        tell_broken("audit", bad, "",
                    "it, or the end of the log behind it, is not what was written");
    }
    return true;
}

static bool prove_decisions(struct db *db, bool *holds, struct err *err)
{
    struct decision_proof proof = {0};
    while (!proof.done) {
        auto_snapshot struct db_tx *tx = NULL;
        if (!db_snapshot(db, &tx, err) || !decision_verify(tx, PAGE, &proof, err)) {
            return false;
        }
    }
    *holds = proof.bad == 0;
    if (*holds) {
        tell_proved("decisions", proof.records, proof.head);
    } else {
        tell_broken("decisions", proof.bad, proof.bad_id, proof.what);
    }
    return true;
}

int cmd_audit(int argc, char **argv)
{
    struct options options;
    struct config *config = NULL;
    struct store *store = NULL;
    struct err err = {0};
    bool audit = false, decisions = false;
    if (!read_arguments(argc, argv, &options)) {
        return EXIT_USAGE;
    }
    if (!cmd_load(options.place, &config, &err)) {
        return cmd_fail(&err);
    }
    bool done = store_open(config->data_dir, &store, &err) &&
                prove_audit(store_db(store), &audit, &err) &&
                prove_decisions(store_db(store), &decisions, &err);
    store_close(store);
    config_free(config);
    if (!done) {
        return cmd_fail(&err);
    }
    return audit && decisions ? 0 : 1;
}
