/* bondstore scrub: by the running server when there is one, otherwise here. */
#include "base/clock.h"
#include "base/size.h"
#include "server/cmd.h"
#include "server/control_client.h"
#include "server/pace.h"
#include "server/progress.h"
#include "server/scrub_report.h"

#include <argp.h>
#include <stdio.h>
#include <time.h>

#define POLL_NS 300000000

struct options {
    const char *where; /* DIR or DIR/bondstore.yaml */
    bool list_only, json;
    int64_t rate; /* bytes per second; 0: no limit */
};

enum { OPTION_LIST = 'l', OPTION_JSON = 'j', OPTION_RATE = 'r' };

static error_t parse_rate(const char *arg, int64_t *out, const struct argp_state *state)
{
    if (!size_parse(slice_str(arg), out) || *out == 0) {
        argp_error(state, "--rate is bytes per second: a number with B, KiB, MiB, GiB or TiB, as "
                          "in 16MiB");
    }
    return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case OPTION_LIST:
        options->list_only = true;
        return 0;
    case OPTION_JSON:
        options->json = true;
        return 0;
    case OPTION_RATE:
        return parse_rate(arg, &options->rate, state);
    default:
        return cmd_place(key, arg, state, &options->where);
    }
}

static bool read_arguments(int argc, char **argv, struct options *out)
{
    static const struct argp_option table[] = {
        {"list", OPTION_LIST, NULL, 0, "Only tell which blobs are marked missing", 0},
        {"json", OPTION_JSON, NULL, 0, "One JSON document", 0},
        {"rate", OPTION_RATE, "SIZE", 0,
         "Bytes per second at most, when no server runs; a server keeps to its setting scrub.rate",
         0},
        {0}};
    static const struct argp argp = {
        .options = table,
        .parser = parse,
        .args_doc = "DIR|DIR/bondstore.yaml",
        .doc = "Reads and hashes every blob and manifest again. What is missing or damaged is "
               "marked, so that the next push of the same bytes repairs it, and the bad file is "
               "moved to DIR/quarantine. A running server does the work at its own rate while it "
               "serves; without one it is done here. Exit status 1 when something is missing or "
               "damaged."};
    *out = (struct options){0};
    return argp_parse(&argp, argc, argv, 0, NULL, out) == 0 && out->where != NULL;
}

/* --- what is shown ---------------------------------------------------------------------------- */

static int64_t number(const json_t *object, const char *member)
{
    return json_integer_value(json_object_get(object, member));
}

static const char *text(const json_t *object, const char *member)
{
    const char *value = json_string_value(json_object_get(object, member));
    return value != NULL ? value : "";
}

static void show_progress(struct progress *p, int64_t percent, int64_t manifests, int64_t bytes,
                          int64_t findings)
{
    if (progress_is_due(p)) {
        progress_say(p, "%lld%% of the blobs, %lld manifests, %lld MiB read, %lld findings",
                     (long long)percent, (long long)manifests, (long long)(bytes / (1024 * 1024)),
                     (long long)findings);
    }
}

static void print_blob(const json_t *blob)
{
    size_t i;
    json_t *user;
    (void)printf("blob %s: missing since %s, %lld bytes; push an image that holds it again\n",
                 text(blob, "digest"), text(blob, "since"), (long long)number(blob, "size"));
    json_array_foreach(json_object_get(blob, "users"), i, user)
    {
        const char *manifest = text(user, "manifest");
        (void)printf("  needed by %s%s%s", text(user, "repository"), *manifest ? "@" : "",
                     manifest);
        (void)printf(*text(user, "tags") ? " (%s)\n" : "%s\n", text(user, "tags"));
    }
    if (json_is_true(json_object_get(blob, "more_users"))) {
        (void)printf("  and by others\n");
    }
}

/* What is missing comes in pages and is printed as it comes: after a disk has died it is long. */
struct report {
    const struct options *options;
    int64_t printed;
};

static void print_json(const json_t *value)
{
    auto_buf struct buf out = {0};
    json_write(&out, value);
    (void)fputs(out.p, stdout);
}

static void report_begin(const struct report *report)
{
    (void)fputs(report->options->json ? "{\"missing\":[" : "", stdout);
}

static void report_page(struct report *report, const json_t *page)
{
    size_t i;
    json_t *blob;
    json_array_foreach(json_object_get(page, "missing"), i, blob)
    {
        if (!report->options->json) {
            print_blob(blob);
        } else {
            (void)fputs(report->printed > 0 ? "," : "", stdout);
            print_json(blob);
        }
        report->printed++;
    }
}

static void report_end(const struct report *report, const json_t *round)
{
    static const char *const counts[] = {"blobs", "manifests", "bytes", "findings", "missing"};
    if (report->options->json) {
        (void)fputs("],\"round\":", stdout);
        print_json(round);
        (void)fputs("}\n", stdout);
        return;
    }
    for (size_t i = 0; !report->options->list_only && i < sizeof(counts) / sizeof(counts[0]); i++) {
        (void)printf("%s %lld\n", counts[i], (long long)number(round, counts[i]));
    }
}

/* --- a running server ------------------------------------------------------------------------- */

static bool server_missing(const char *data_dir, struct report *report, struct err *err)
{
    auto_buf struct buf path = {0};
    buf_str(&path, "/api/v1/scrub/missing");
    for (bool more = true; more;) {
        auto_json json_t *page = NULL;
        if (!control_request(data_dir, "GET", path.p, &page, err)) {
            return false;
        }
        report_page(report, page);
        more = json_is_string(json_object_get(page, "next"));
        buf_clear(&path);
        buf_printf(&path, "/api/v1/scrub/missing?last=%s", text(page, "next"));
    }
    return true;
}

/* The server goes on when this command is interrupted. */
static bool server_round(const char *data_dir, json_t **round_out, struct err *err)
{
    const struct timespec pause = {.tv_nsec = POLL_NS};
    struct progress progress;
    progress_begin(&progress);
    bool ok = control_request(data_dir, "POST", "/api/v1/scrub", round_out, err);
    while (ok && strcmp(text(*round_out, "state"), "idle") != 0) {
        show_progress(&progress, number(*round_out, "percent"), number(*round_out, "manifests"),
                      number(*round_out, "bytes"), number(*round_out, "findings"));
        (void)nanosleep(&pause, NULL);
        json_decref(*round_out);
        ok = control_request(data_dir, "GET", "/api/v1/scrub", round_out, err);
    }
    progress_clear(&progress);
    return ok;
}

static bool by_server(struct report *report, const char *data_dir, json_t **round_out,
                      struct err *err)
{
    bool ok = report->options->list_only
                  ? control_request(data_dir, "GET", "/api/v1/scrub", round_out, err)
                  : server_round(data_dir, round_out, err);
    if (!ok) {
        return false;
    }
    report_begin(report);
    return server_missing(data_dir, report, err);
}

/* --- here ------------------------------------------------------------------------------------- */

struct here {
    struct pace pace;
    struct progress progress;
};

static bool rest(int64_t us, void *arg)
{
    const struct timespec pause = {.tv_sec = (time_t)(us / US_PER_SECOND),
                                   .tv_nsec = (long)(us % US_PER_SECOND * 1000)};
    (void)arg;
    (void)nanosleep(&pause, NULL);
    return true;
}

static bool pace(int64_t bytes, void *arg)
{
    struct here *here = arg;
    return rest(pace_wait_us(&here->pace, bytes, clock_mono_us()), arg);
}

static void found(const struct scrub_finding *finding, void *arg)
{
    struct here *here = arg;
    char digest[DIGEST_STR_MAX];
    progress_clear(&here->progress);
    (void)fprintf(stderr, "bondstore: %s %s: %s%s%s\n",
                  finding->verdict == SCRUB_MANIFEST ? "manifest" : "blob",
                  digest_format(&finding->digest, digest), scrub_verdict_text(finding->verdict),
                  finding->quarantined[0] ? "; moved to " : "", finding->quarantined);
}

static json_t *read_round(struct store *store, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    return db_snapshot(store_db(store), &tx, err) ? scrub_report_round(tx, err) : NULL;
}

static bool read_missing(struct store *store, struct report *report, struct err *err)
{
    struct digest after = {0};
    for (bool more = true; more;) {
        auto_snapshot struct db_tx *tx = NULL;
        auto_json json_t *page =
            db_snapshot(store_db(store), &tx, err) ? scrub_report_missing(tx, &after, err) : NULL;
        if (page == NULL) {
            return false;
        }
        report_page(report, page);
        more = digest_parse(slice_str(text(page, "next")), &after, NULL);
    }
    return true;
}

static bool here_round(struct store *store, int64_t rate, struct err *err)
{
    struct here here = {.pace = {.rate = rate}};
    const struct scrub_listener listener = {pace, rest, found, &here};
    struct scrub_round round;
    bool more = true;
    progress_begin(&here.progress);
    bool ok = scrub_begin(store, clock_now_us(), err);
    while (ok && more) {
        ok = scrub_step(store, &listener, clock_now_us(), &round, &more, err);
        if (ok) {
            show_progress(&here.progress, scrub_round_percent(&round), round.manifests, round.bytes,
                          round.findings);
        }
    }
    progress_clear(&here.progress);
    return ok;
}

static bool by_us(struct report *report, struct store *store, json_t **round_out, struct err *err)
{
    const struct options *options = report->options;
    if (!options->list_only && !here_round(store, options->rate, err)) {
        return false;
    }
    report_begin(report);
    if (!read_missing(store, report, err)) {
        return false;
    }
    *round_out = read_round(store, err);
    return *round_out != NULL;
}

/* --- the verb --------------------------------------------------------------------------------- */

static bool scrub(struct report *report, const char *data_dir, json_t **round_out, struct err *err)
{
    struct store *store = NULL;
    struct err why = {0};
    struct err unheard = {0};
    if (store_open(data_dir, &store, &why)) {
        bool ok = by_us(report, store, round_out, err);
        store_close(store);
        return ok;
    }
    if (why.code == ERR_CONFLICT && by_server(report, data_dir, round_out, &unheard)) {
        return true;
    }
    *err = why.code == ERR_CONFLICT ? unheard : why;
    if (unheard.code == ERR_BUSY) { /* the folder is not to be had, and nobody answers for it */
        return err_set(err, ERR_BUSY, "%s; %s", why.msg, unheard.msg);
    }
    return false;
}

int cmd_scrub(int argc, char **argv)
{
    struct options options;
    struct config *config = NULL;
    auto_json json_t *round = NULL;
    struct report report = {.options = &options};
    struct err err = {0};
    if (!read_arguments(argc, argv, &options)) {
        return EXIT_USAGE;
    }
    if (!cmd_load(options.where, &config, &err)) {
        return cmd_fail(&err);
    }
    bool done = scrub(&report, config->data_dir, &round, &err);
    config_free(config);
    if (!done) {
        return cmd_fail(&err);
    }
    report_end(&report, round);
    bool findings = !options.list_only && number(round, "findings") > 0;
    return findings || report.printed > 0 ? 1 : 0;
}
