#include "base/json.h"
#include "server/cmd.h"
#include "server/progress.h"
#include "storage/check.h"

#include <argp.h>
#include <stdio.h>

/* The word for scripts, and what a person can do about it. */
static const struct {
    const char *word, *remedy;
} kinds[CHECK_KIND_COUNT] = {
    [CHECK_INDEX_FILE] = {"index", "the file is damaged, and answers from it may be wrong: do not "
                                   "serve or collect until index.db is restored from a backup"},
    [CHECK_USAGE] = {"usage", "no content is lost, but the number is wrong: report it as a defect"},
    [CHECK_MANIFEST] = {"manifest", "push the image again, or restore index.db from a backup"},
    [CHECK_EDGES] = {"edges",
                     "do not serve or collect until index.db is restored from a backup: a blob "
                     "that is in use could be removed"},
    [CHECK_COLUMNS] = {"columns", "lists of referrers may be wrong: restore index.db from a "
                                  "backup, or delete the manifest and push it again"},
    [CHECK_TAG] = {"tag", "restore index.db from a backup, or set the tag again"},
    [CHECK_QUEUE] = {"queue", "the collector looks again before it removes anything and drops the "
                              "entry: report it as a defect"},
    [CHECK_TRUST_DOC] = {"trust_document",
                         "restore index.db from a backup, or have the signers publish again"},
    [CHECK_AUDIT] = {"audit", "entries were changed or removed: compare with a backup"},
    [CHECK_BLOB_MISSING] = {"blob_missing",
                            "bondstore scrub says who needs it; restore the file from a backup, or "
                            "push an image that holds it again"},
    [CHECK_BLOB_DAMAGED] = {"blob_damaged",
                            "run bondstore scrub, which moves the file away, then push an image "
                            "that holds it again; or restore the file from a backup"},
    [CHECK_BLOB_MARKED] = {"blob_marked_missing",
                           "push an image that holds it again; bondstore scrub --list says who "
                           "needs it"},
    [CHECK_BLOB_FORGOTTEN] = {"blob_forgotten", "it only wastes its bytes: report it as a defect"},
    [CHECK_STRAY_FILE] = {"stray_file", "nothing needs it: move it away"},
};

struct options {
    const char *file;
    enum check_depth depth;
    bool json;
};

/* What the listener works with. */
struct report {
    struct progress progress;
    bool json;
    int64_t printed;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case 'b':
        options->depth = CHECK_BYTES;
        return 0;
    case 'j':
        options->json = true;
        return 0;
    default:
        return cmd_place(key, arg, state, &options->file);
    }
}

static bool read_arguments(int argc, char **argv, struct options *out)
{
    static const struct argp_option table[] = {
        {"bytes", 'b', NULL, 0, "Read every blob and compare it with its digest", 0},
        {"json", 'j', NULL, 0, "One JSON document", 0},
        {0}};
    static const struct argp argp = {
        .options = table,
        .parser = parse,
        .args_doc = "DIR|DIR/bondstore.yaml",
        .doc =
            "Checks that the file of the index is whole, and that the index agrees with itself and "
            "with the files: usage, manifests and what they name, tags, signed documents, the "
            "audit log, the collector's queue, blobs. "
            "Changes nothing. Needs the folder for itself. One line for each finding, with what "
            "to do about it; exit status 0 when there is none, 1 when there is one or the check "
            "could not be made, 2 for a wrong command line."};
    *out = (struct options){.depth = CHECK_INDEX};
    return argp_parse(&argp, argc, argv, 0, NULL, out) == 0 && out->file != NULL;
}

static void print_json(const struct check_finding *finding, bool first)
{
    auto_json json_t *line =
        json_pack("{s:s, s:s, s:s, s:s}", "kind", kinds[finding->kind].word, "where",
                  finding->where, "what", finding->what, "remedy", kinds[finding->kind].remedy);
    auto_buf struct buf text = {0};
    json_write(&text, line);
    (void)printf("%s%s", first ? "" : ",\n", text.p);
}

static void print_finding(const struct check_finding *finding, void *arg)
{
    struct report *report = arg;
    progress_clear(&report->progress);
    if (report->json) {
        print_json(finding, report->printed == 0);
    } else {
        (void)printf("%s: %s; %s\n", finding->where, finding->what, kinds[finding->kind].remedy);
    }
    report->printed++;
}

static void print_progress(const struct check_report *so_far, void *arg)
{
    struct report *report = arg;
    if (progress_is_due(&report->progress)) {
        progress_say(&report->progress,
                     "checked so far: %lld manifests, %lld tags, %lld audit entries, %lld blobs "
                     "(%lld MiB read), %lld files; %lld findings",
                     (long long)so_far->manifests, (long long)so_far->tags,
                     (long long)so_far->audit_entries, (long long)so_far->blobs,
                     (long long)(so_far->bytes / (1024 * 1024)), (long long)so_far->files,
                     (long long)so_far->findings);
    }
}

static void print_counts(const struct check_report *r, bool json)
{
    const struct {
        const char *name;
        int64_t count;
    } lines[] = {
        {"namespaces", r->namespaces},
        {"repositories", r->repositories},
        {"manifests", r->manifests},
        {"tags", r->tags},
        {"tag_changes", r->history},
        {"documents", r->trust_docs},
        {"audit_entries", r->audit_entries},
        {"decisions", r->decisions},
        {"queued", r->queue},
        {"blobs", r->blobs},
        {"files", r->files},
        {"bytes_read", r->bytes},
        {"findings", r->findings},
    };
    (void)fputs(json ? "],\n\"counts\":{" : "", stdout);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        (void)printf(json ? "%s\"%s\":%lld" : "%s%s %lld\n", json && i > 0 ? "," : "",
                     lines[i].name, (long long)lines[i].count);
    }
    (void)fputs(json ? "}}\n" : "", stdout);
}

static bool check(const char *data_dir, const struct options *options, struct check_report *out,
                  struct err *err)
{
    struct report report = {.json = options->json};
    const struct check_listener listener = {print_finding, print_progress, &report};
    struct store *store = NULL;
    if (!store_open(data_dir, &store, err)) {
        return false;
    }
    (void)fputs(options->json ? "{\"findings\":[" : "", stdout);
    progress_begin(&report.progress);
    bool done = store_check(store, options->depth, &listener, out, err);
    progress_clear(&report.progress);
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
    if (!cmd_load(options.file, &config, &err)) {
        return cmd_fail(&err);
    }
    bool done = check(config->data_dir, &options, &report, &err);
    config_free(config);
    if (!done) {
        return cmd_fail(&err);
    }
    print_counts(&report, options.json);
    return report.findings == 0 ? 0 : 1;
}
