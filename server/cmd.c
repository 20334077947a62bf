#include "server/cmd.h"

#include "base/buf.h"
#include "base/log.h"

#include <argp.h>
#include <stdio.h>
#include <sys/stat.h>

int cmd_fail(const struct err *err)
{
    (void)fprintf(stderr, "bondstore: %s\n",
                  err->msg[0] != '\0' ? err->msg : err_info(err->code)->sentence);
    if (err->detail[0] != '\0') {
        (void)fprintf(stderr, "bondstore: (%s)\n", err->detail);
    }
    return 1;
}

static enum log_level level_of(const char *word)
{
    static const struct {
        const char *word;
        enum log_level level;
    } levels[] = {
        {"debug", LOG_DEBUG}, {"info", LOG_INFO}, {"warn", LOG_WARN}, {"error", LOG_ERROR}};
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        if (strcmp(levels[i].word, word) == 0) {
            return levels[i].level;
        }
    }
    return LOG_INFO;
}

bool cmd_load(const char *place, struct config **out, struct err *err)
{
    struct stat st;
    auto_buf struct buf file = {0};
    bool is_folder = stat(place, &st) == 0 && S_ISDIR(st.st_mode);
    buf_printf(&file, is_folder ? "%s/bondstore.yaml" : "%s", place);
    if (!config_load(file.p, out, err)) {
        return false;
    }
    log_set_level(level_of((*out)->log_level));
    return true;
}

int cmd_place(int key, char *arg, struct argp_state *state, const char **place_out)
{
    switch (key) {
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) {
            argp_error(state, "one data folder is enough");
        }
        *place_out = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which data folder? (DIR or DIR/bondstore.yaml)");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    return cmd_place(key, arg, state, state->input);
}

int cmd_config(int argc, char **argv, const char *doc, struct config **out)
{
    const char *file = NULL;
    const struct argp argp = {.parser = parse, .args_doc = "DIR|DIR/bondstore.yaml", .doc = doc};
    struct err err = {0};
    if (argp_parse(&argp, argc, argv, 0, NULL, &file) != 0 || file == NULL) {
        return EXIT_USAGE;
    }
    return cmd_load(file, out, &err) ? -1 : cmd_fail(&err);
}
