#include "cli/command.h"

#include "base/buf.h"
#include "cli/say.h"

#include <argp.h>

#define WORDS_MAX 3
#define LONG_ONLY 0x200 /* argp keys beyond every character: options without a letter */

struct option_row {
    enum flag option;
    char letter;
    const char *name, *arg, *help;
};

static const struct option_row option_rows[] = {
    {OPTION_HOST, 0, "host", "HOST[:PORT]", "the server to talk to (environment: BOND_HOST)"},
    {OPTION_SOCKET, 0, "socket", "PATH",
     "the server's control socket, on its own machine: DIR/run/control.sock"},
    {OPTION_CA, 0, "ca", "FILE", "CA certificate of the server, PEM (environment: BOND_CA_FILE)"},
    {OPTION_NAMESPACE, 'E', "env", "NS",
     "namespace to use where none is written (environment: BOND_ENV)"},
    {OPTION_JSON, 0, "json", NULL, "print the server's answer as one JSON document"},
    {OPTION_QUIET, 'q', "quiet", NULL, "print only names, one a line"},
    {OPTION_USER, 'u', "user", "EMAIL", "who signs in"},
    {OPTION_PASSWORD_STDIN, 0, "password-stdin", NULL, "read the password from standard input"},
    {OPTION_VISIBILITY, 0, "visibility", "WHO", "private (default), internal or public"},
    {OPTION_QUOTA, 0, "quota", "SIZE", "the most that it may hold, such as 10GiB; none: no limit"},
    {OPTION_ADMIN, 0, "admin", NULL, "make the user an administrator of the whole server"},
    {OPTION_SIGNER, 0, "signer", NULL, "let the member publish signatures"},
    {OPTION_ACTIONS, 0, "actions", "LIST",
     "what the robot may do: pull, push, delete, sign, trust:read_unsigned, with commas between"},
    {OPTION_LEVEL, 0, "level", "LEVEL", "off, warn, deploy, all or lock"},
    {OPTION_FILE, 0, "file", "FILE",
     "read the whole policy or all rules, JSON, from FILE, or from standard input with -"},
    {OPTION_ALLOW_ROOT_CA, 0, "allow-root-ca", "FILE",
     "CA certificates, PEM, that root keys must have a certificate of; none: no CA"},
    {OPTION_EXPLAIN, 0, "explain", NULL, "print each step of the decision"},
    {OPTION_STRICT, 0, "strict", NULL,
     "also fail when an image is allowed only by warn level, override or grace"},
    {OPTION_AS, 0, "as", "IDENTITY", "decide for another identity, such as demo.k8s"},
    {OPTION_CONFIRM, 0, "confirm", "NAME", "repeat the name of what is wiped or deleted"},
    {OPTION_KEEP_PIN, 0, "keep-pin", NULL, "accept only the old root keys afterwards"},
    {OPTION_REASON, 0, "reason", "TEXT", "why, for the record"},
    {OPTION_FORGET_PINS, 0, "forget-pins", NULL, "let any root key begin again under the name"},
    {OPTION_YES, 'y', "yes", NULL, "do not ask"},
    {OPTION_ALL, 0, "all", NULL, "everything on the server"},
    {OPTION_WITHIN, 0, "within", "TIME", "how long ahead, such as 90d; default: the policy's"},
    {OPTION_SINCE, 0, "since", "WHEN", "how far back, such as 24h or 7d; bond audit takes a time too"},
    {OPTION_ACTION, 0, "action", "NAME",
     "only these: a change such as policy.put, or a door of the gate: pull, referrers, blob, verify"},
    {OPTION_DECISIONS, 0, "decisions", NULL, "decisions of the gate instead of changes"},
    {OPTION_FOR, 0, "for", "LIST", "who may pull it, such as demo.k8s, with commas between"},
    {OPTION_TICKET, 0, "ticket", "TEXT", "where the incident is written down"},
    {OPTION_DURATION, 0, "duration", "TIME", "how long, such as 4h; the policy bounds it"},
    {OPTION_START, 0, "start", "TIME", "from when on, such as 2026-11-24T06:00:00Z; default: now"},
    {OPTION_USES, 0, "uses", "N", "how many pulls; default: any number"},
    {OPTION_PULL, 0, "pull", "ENGINE",
     "bring exactly that image to the local docker or podman, and name it there"},
    {OPTION_EXEC, 0, "exec", "CMD",
     "then run CMD with the ARGs, the pinned image in the place of {} or at the end; no shell"},
    {OPTION_NOTES, 0, "notes", "TEXT", "what people should know about the release"},
    {OPTION_PLATFORM, 0, "platform", "OS/ARCH", "the image must be for this platform"},
    {OPTION_AT, 0, "at", "TIME",
     "decide as at that moment, such as 2030-01-31T06:00:00Z, or after a while such as 8h"},
    {OPTION_IF_PUBLISHED, 0, "if-published", "DIR",
     "decide as if these documents (targets.json …) were published; nothing is stored"},
    {OPTION_REMOVE, 0, "remove", NULL, "as if the scope had no policy of its own"},
};
#define OPTION_ROWS (sizeof(option_rows) / sizeof(option_rows[0]))

/* The words of the product that `bond` takes the place of, and the short forms that fingers know.
 */
static const struct {
    const char *typed, *meant;
} noun_aliases[] = {{"environments", "namespaces"}, {"deploy-keys", "deployers"}},
  verb_aliases[] = {{"ls", "list"}, {"delete", "rm"}};

static const struct option_row *option_row(enum flag option)
{
    for (size_t i = 0; i < OPTION_ROWS; i++) {
        if (option_rows[i].option == option) {
            return &option_rows[i];
        }
    }
    BUG("an option without a row");
}

static int option_key(const struct option_row *row)
{
    return row->letter ? row->letter : LONG_ONLY + (int)row->option;
}

const char *option_name(enum flag option)
{
    return option_row(option)->name;
}

void command_print_options(FILE *out, const struct command *command_or_null)
{
    for (enum flag o = OPTION_NONE + 1; o <= OPTION_LAST_GLOBAL; o++) {
        (void)fprintf(out, "--%s ", option_name(o));
    }
    for (const enum flag *o = command_or_null ? command_or_null->options : NULL; o && *o; o++) {
        (void)fprintf(out, "--%s ", option_name(*o));
    }
}

/* ---- which command ---- */

struct words {
    const char *word[WORDS_MAX];
    int index[WORDS_MAX]; /* in argv */
    size_t n;
    bool help; /* --help or --version came before the command was complete */
    bool version;
};

/* Does a global option that stands before the verb take the next argument as its value? */
static bool takes_next(const char *arg)
{
    for (enum flag o = OPTION_NONE + 1; o <= OPTION_LAST_GLOBAL; o++) {
        const struct option_row *row = option_row(o);
        bool letter = arg[1] == row->letter && row->letter && arg[2] == '\0';
        bool name = arg[1] == '-' && strcmp(arg + 2, row->name) == 0;
        if (row->arg && (letter || name)) {
            return true;
        }
    }
    return false;
}

static void words_read(int argc, char **argv, struct words *out)
{
    *out = (struct words){0};
    for (int i = 1; i < argc && out->n < WORDS_MAX; i++) {
        if (argv[i][0] != '-' || argv[i][1] == '\0') {
            out->word[out->n] = argv[i];
            out->index[out->n++] = i;
        } else if (strcmp(argv[i], "--") == 0) {
            return;
        } else if (takes_next(argv[i])) {
            i++;
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-?") == 0) {
            out->help = true;
        } else if (strcmp(argv[i], "--version") == 0) {
            out->version = true;
        }
    }
}

static bool word_matches(const char *typed, struct slice meant, bool noun)
{
    if (slice_is(meant, typed)) {
        return true;
    }
    for (size_t i = 0; i < sizeof(noun_aliases) / sizeof(noun_aliases[0]); i++) {
        if (noun && strcmp(typed, noun_aliases[i].typed) == 0 &&
            slice_is(meant, noun_aliases[i].meant)) {
            return true;
        }
    }
    for (size_t i = 0; i < sizeof(verb_aliases) / sizeof(verb_aliases[0]); i++) {
        if (!noun && strcmp(typed, verb_aliases[i].typed) == 0 &&
            slice_is(meant, verb_aliases[i].meant)) {
            return true;
        }
    }
    return false;
}

/* How many words of the name were typed, from the left; `total_out`: how many the name has. */
static size_t name_matches(const struct command *c, const struct words *words, size_t *total_out)
{
    struct slice rest = slice_str(c->name);
    struct slice part;
    size_t matched = 0;
    bool all = true;

    *total_out = 0;
    while (slice_next(&rest, ' ', &part)) {
        all = all && *total_out < words->n &&
              word_matches(words->word[*total_out], part, *total_out == 0);
        matched += all ? 1 : 0;
        (*total_out)++;
    }
    return matched;
}

const struct command *command_next(struct command_cursor *cursor)
{
    if (!cursor->list) {
        cursor->list = command_lists;
        cursor->row = *cursor->list;
    } else {
        cursor->row++;
    }
    while (!cursor->row->name) {
        cursor->list++;
        if (!*cursor->list) {
            return NULL;
        }
        cursor->row = *cursor->list;
    }
    return cursor->row;
}

static const struct command *command_find(const struct words *words, size_t *used_out)
{
    struct command_cursor cursor = {0};
    const struct command *best = NULL;

    *used_out = 0;
    for (const struct command *c = command_next(&cursor); c; c = command_next(&cursor)) {
        size_t total;
        size_t matched = name_matches(c, words, &total);
        if (matched == total && total > *used_out) {
            best = c;
            *used_out = total;
        }
    }
    return best;
}

/* ---- help ---- */

/* Every command that begins with the words; returns how many there are. `out` may be NULL. */
static size_t help_lines(FILE *out, const struct words *words)
{
    struct command_cursor cursor = {0};
    size_t total;
    size_t n = 0;

    for (const struct command *c = command_next(&cursor); c; c = command_next(&cursor)) {
        if (words->n > 0 && name_matches(c, words, &total) == 0) {
            continue;
        }
        n++;
        if (out) {
            (void)fprintf(out, "  bond %-20s %-28s %s\n", c->name, c->args, c->help);
        }
    }
    return n;
}

static bool noun_is_known(const struct words *words)
{
    return help_lines(NULL, words) > 0;
}

static enum outcome help_general(const struct words *words)
{
    struct words all = {0};

    printf("Usage: bond NOUN VERB [ARGUMENT…] [OPTION…]\n\n");
    (void)help_lines(stdout, noun_is_known(words) ? words : &all);
    printf("\nEverywhere:\n");
    for (enum flag o = OPTION_NONE + 1; o <= OPTION_LAST_GLOBAL; o++) {
        const struct option_row *row = option_row(o);
        auto_buf struct buf name = {0};
        buf_printf(&name, "--%s%s%s", row->name, row->arg ? " " : "", row->arg ? row->arg : "");
        printf("  %-20s %s\n", name.p, row->help);
    }
    printf("\n`bond NOUN VERB --help` tells about one command. Exit status: 0 done, 1 failed or "
           "undecided,\n"
           "2 wrong command line, 3 not found, 4 sign in first, 5 not permitted, 6 refused by the "
           "gate, 7 conflict.\n");
    return OUTCOME_OK;
}

static enum outcome unknown_command(const struct words *words)
{
    if (words->n == 0) {
        say("say what to do, for instance `bond namespaces list`; `bond --help` lists all "
            "commands");
        return OUTCOME_USAGE;
    }
    if (!noun_is_known(words)) {
        say("there is no command `%s`; `bond --help` lists all commands", words->word[0]);
        return OUTCOME_USAGE;
    }
    say("`bond %s%s%s` is not a whole command; there is:", words->word[0], words->n > 1 ? " " : "",
        words->n > 1 ? words->word[1] : "");
    (void)help_lines(stderr, words);
    return OUTCOME_USAGE;
}

/* ---- options and arguments of the command ---- */

/* The row that an option was typed for; NULL when the command has none of that name. */
static const struct option_row *row_typed(const struct command *c, const char *typed)
{
    struct slice name = slice_str(typed);
    ptrdiff_t equals = slice_index(name, '=');

    name = equals > 0 ? slice_first(name, (size_t)equals) : name;
    for (size_t i = 0; i < OPTION_ROWS; i++) {
        const struct option_row *row = &option_rows[i];
        bool listed = row->option <= OPTION_LAST_GLOBAL;
        for (const enum flag *o = c->options; *o; o++) {
            listed = listed || *o == row->option;
        }
        bool letter = name.n >= 2 && row->letter && name.p[1] == row->letter;
        bool full = slice_starts(name, "--") && slice_is(slice_from(name, 2), row->name);
        if (listed && (letter || full)) {
            return row;
        }
    }
    return NULL;
}

/* After argp gave up: which option it was, in one sentence. */
static void option_refused(const struct call *call, const struct argp_state *state)
{
    int last = state->next > 1 ? state->next - 1 : 1;
    const char *typed = state->argv[last];

    if (typed[0] != '-' && state->next < state->argc) {
        typed = state->argv[state->next]; /* inside of a cluster of letters */
    }
    const struct option_row *row = row_typed(call->command, typed);
    if (row && row->arg) {
        say("--%s takes a value, %s; see `bond %s --help`", row->name, row->arg,
            call->command->name);
    } else if (row && slice_starts(slice_str(typed), "--")) {
        say("--%s takes no value; see `bond %s --help`", row->name, call->command->name);
    } else {
        say("`bond %s` has no option %s; `bond %s --help` lists those it has", call->command->name,
            typed, call->command->name);
    }
}

static error_t option_seen(int key, char *arg, struct argp_state *state)
{
    struct call *call = state->input;

    if (key == ARGP_KEY_ERROR && state->flags & ARGP_NO_ERRS) {
        option_refused(call, state);
        return 0;
    }

    if (key == ARGP_KEY_ARG) {
        call->args[call->n++] = arg;
        return 0;
    }
    for (size_t i = 0; i < OPTION_ROWS; i++) {
        if (option_key(&option_rows[i]) == key) {
            call->value[option_rows[i].option] = arg ? arg : "";
            return 0;
        }
    }
    return ARGP_ERR_UNKNOWN;
}

static struct argp_option argp_row(enum flag option, int group)
{
    const struct option_row *row = option_row(option);

    return (struct argp_option){.name = row->name,
                                .key = option_key(row),
                                .arg = row->arg,
                                .doc = row->help,
                                .group = group};
}

static void options_build(const struct command *c, struct argp_option *out)
{
    size_t n = 0;

    for (const enum flag *o = c->options; *o; o++) {
        out[n++] = argp_row(*o, 0);
    }
    for (enum flag o = OPTION_NONE + 1; o <= OPTION_LAST_GLOBAL; o++) {
        out[n++] = argp_row(o, 1);
    }
    out[n] = (struct argp_option){0};
}

/* -E and BOND_ENV stand for the first argument when that is the one that is missing. */
static void namespace_fill(struct call *call)
{
    const char *ns = call->value[OPTION_NAMESPACE];

    if (!ns || !call->command->namespace_first || call->n + 1 != call->command->min_args) {
        return;
    }
    memmove(call->args + 1, call->args, call->n * sizeof(*call->args));
    call->args[0] = ns;
    call->n++;
}

static bool args_fit(struct call *call)
{
    const struct command *c = call->command;

    namespace_fill(call);
    if (call->n >= c->min_args && (call->n <= c->max_args || c->max_args == ARGS_MANY)) {
        return true;
    }
    say("wrong number of arguments; it is `bond %s%s%s`, see `bond %s --help`", c->name,
        *c->args ? " " : "", c->args, c->name);
    return false;
}

static void environment_defaults(struct call *call)
{
    static const struct {
        const char *variable;
        enum flag option;
    } defaults[] = {
        {"BOND_ENV", OPTION_NAMESPACE}, {"BOND_CA_FILE", OPTION_CA}, {"BOND_HOST", OPTION_HOST}};

    for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
        const char *value = getenv(defaults[i].variable);
        if (value && *value) {
            call->value[defaults[i].option] = value;
        }
    }
}

static bool help_is_asked(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "--usage") == 0 ||
            strcmp(argv[i], "-?") == 0 || strcmp(argv[i], "--version") == 0) {
            return true;
        }
    }
    return false;
}

static enum outcome command_run(const struct command *c, int argc, char **argv)
{
    struct argp_option options[COMMAND_OPTIONS_MAX + OPTION_LAST_GLOBAL + 1];
    auto_buf struct buf program = {0};
    auto_free const char **args = xcalloc((size_t)argc + 2, sizeof(*args));
    struct call call = {.command = c, .args = args};

    options_build(c, options);
    buf_printf(&program, "bond %s", c->name);
    argv[0] = program.p;
    environment_defaults(&call);

    struct argp argp = {
        .options = options, .parser = option_seen, .args_doc = c->args, .doc = c->help};
    /* argp's own messages take three lines and do not say what the option is about */
    unsigned flags = help_is_asked(argc, argv) ? 0 : ARGP_NO_ERRS | ARGP_NO_EXIT;
    argp_err_exit_status = OUTCOME_USAGE;
    if (argp_parse(&argp, argc, argv, flags, NULL, &call) != 0 || !args_fit(&call)) {
        return OUTCOME_USAGE;
    }
    return c->run(&call);
}

enum outcome command_main(int argc, char **argv)
{
    struct words words;
    size_t used;

    words_read(argc, argv, &words);
    const struct command *c = command_find(&words, &used);
    if (!c && words.version) {
        printf("bond %s\n", BONDSTORE_VERSION);
        return OUTCOME_OK;
    }
    if (!c && (words.help || (words.n == 1 && strcmp(words.word[0], "help") == 0))) {
        return help_general(&words);
    }
    if (!c) {
        return unknown_command(&words);
    }

    auto_free char **rest = xcalloc((size_t)argc + 1, sizeof(*rest));
    int n = 0;
    for (int i = 0, w = 0; i < argc; i++) {
        if ((size_t)w < used && i == words.index[w]) {
            w++;
        } else {
            rest[n++] = argv[i];
        }
    }
    return command_run(c, n, rest);
}
