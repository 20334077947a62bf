#include "base/clock.h"
#include "server/cmd.h"
#include "storage/check.h"

#include <argp.h>
#include <stdio.h>

#define PROGRESS_US (INT64_C(5) * US_PER_SECOND)

/* What a person can do about a finding. */
static const char *const remedies[CHECK_KIND_COUNT] = {
    [CHECK_USAGE] = "no content is lost, but the number is wrong: report it as a defect",
    [CHECK_MANIFEST] = "restore index.db from a backup, or delete the manifest and push the image "
                       "again",
    [CHECK_EDGES] = "do not serve or collect until index.db is restored from a backup: a blob that "
                    "is in use could be removed",
    [CHECK_TRUST_DOC] = "restore index.db from a backup, or have the signers publish again",
    [CHECK_AUDIT] = "entries were changed or removed: compare with a backup",
    [CHECK_BLOB_MISSING] = "restore the file from a backup, or push an image that holds it again",
    [CHECK_BLOB_DAMAGED] = "restore the file from a backup, or move it away and push an image that "
                           "holds it again",
    [CHECK_BLOB_MARKED] = "push an image that holds it again; bondstore scrub --list says who needs "
                          "it",
    [CHECK_BLOB_FORGOTTEN] = "it only wastes its bytes: report it as a defect",
    [CHECK_STRAY_FILE] = "nothing needs it: move it away",
};

struct options {
    const char *file;
    enum check_depth depth;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case 'b':
        options->depth = CHECK_BYTES;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) {
            argp_error(state, "one configuration file is enough");
        }
        options->file = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which configuration file? (DIR/bondstore.yaml)");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static bool read_arguments(int argc, char **argv, struct options *out)
{
    static const struct argp_option table[] = {
        {"bytes", 'b', NULL, 0, "Read every blob and compare it with its digest", 0}, {0}};
    static const struct argp argp = {
        .options = table,
        .parser = parse,
        .args_doc = "DIR/bondstore.yaml",
        .doc = "Checks that the index agrees with itself and with the files: usage, manifests and "
               "what they name, signed documents, the audit log, blobs. Changes nothing. Needs the "
               "folder for itself. One line for each finding; exit status 1 when there is one."};
    *out = (struct options){.depth = CHECK_INDEX};
    return argp_parse(&argp, argc, argv, 0, NULL, out) == 0 && out->file != NULL;
}

static void print_finding(const struct check_finding *finding, void *arg)
{
    (void)arg;
    (void)printf("%s: %s; %s\n", finding->where, finding->what, remedies[finding->kind]);
}

/* On stderr, and only when it takes long. */
static void print_progress(const struct check_report *so_far, void *arg)
{
    int64_t *due_us = arg;
    int64_t now_us = clock_mono_us();
    if (now_us < *due_us) {
        return;
    }
    *due_us = now_us + PROGRESS_US;
    (void)fprintf(stderr,
                  "bondstore: checked so far: %lld manifests, %lld audit entries, %lld blobs "
                  "(%lld MiB read), %lld files; %lld findings\n",
                  (long long)so_far->manifests, (long long)so_far->audit_entries,
                  (long long)so_far->blobs, (long long)(so_far->bytes / (1024 * 1024)),
                  (long long)so_far->files, (long long)so_far->findings);
}

static void print_report(const struct check_report *r)
{
    const struct {
        const char *name;
        int64_t count;
    } lines[] = {
        {"namespaces", r->namespaces},
        {"repositories", r->repositories},
        {"manifests", r->manifests},
        {"documents", r->trust_docs},
        {"audit_entries", r->audit_entries},
        {"blobs", r->blobs},
        {"files", r->files},
        {"bytes_read", r->bytes},
        {"findings", r->findings},
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        (void)printf("%s %lld\n", lines[i].name, (long long)lines[i].count);
    }
}

static bool check(const char *data_dir, enum check_depth depth, struct check_report *out,
                  struct err *err)
{
    int64_t progress_due_us = clock_mono_us() + PROGRESS_US;
    const struct check_listener listener = {print_finding, print_progress, &progress_due_us};
    struct store *store = NULL;
    bool done = store_open(data_dir, &store, err) && store_check(store, depth, &listener, out, err);
    store_close(store);
    return done;
}

int cmd_fsck(int argc, char **argv)
{
    struct options options;
    struct config *config = NULL;
    struct check_report report;
    struct err err = {0};
    if (!read_arguments(argc, argv, &options)) {
        return EXIT_USAGE;
    }
    if (!config_load(options.file, &config, &err)) {
        return cmd_fail(&err);
    }
    bool done = check(config->data_dir, options.depth, &report, &err);
    config_free(config);
    if (!done) {
        return cmd_fail(&err);
    }
    print_report(&report);
    return report.findings == 0 ? 0 : 1;
}
