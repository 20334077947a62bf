/* What every verb of `bond` shares: the command table's row, the options, the outcome that becomes
 * the exit status. Owns: the shape of a command. Refuses to know: what any verb does. Exit statuses
 * are a contract with scripts: a failed verification is never 0. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/err.h"
#include "base/slice.h"

#include <stddef.h>

enum outcome {
    OUTCOME_OK = 0,
    OUTCOME_FAILED = 1, /* failed, or could not be decided */
    OUTCOME_USAGE = 2,  /* wrong command line, or cancelled */
    OUTCOME_NOT_FOUND = 3,
    OUTCOME_SIGN_IN = 4,
    OUTCOME_NOT_PERMITTED = 5,
    OUTCOME_REFUSED = 6, /* the gate or a signature says no */
    OUTCOME_CONFLICT = 7,
    OUTCOME_INTERRUPTED = 130,
};

/* Every option of every command; the table in command.c says name, letter, argument and help. */
enum flag {
    OPTION_NONE = 0,
    /* these are taken before and after the verb */
    OPTION_HOST,
    OPTION_SOCKET,
    OPTION_CA,
    OPTION_NAMESPACE,
    OPTION_JSON,
    OPTION_QUIET,
    OPTION_LAST_GLOBAL = OPTION_QUIET,
    /* these belong to the commands that list them */
    OPTION_USER,
    OPTION_PASSWORD_STDIN,
    OPTION_VISIBILITY,
    OPTION_QUOTA,
    OPTION_ADMIN,
    OPTION_SIGNER,
    OPTION_ACTIONS,
    OPTION_LEVEL,
    OPTION_FILE,
    OPTION_ALLOW_ROOT_CA,
    OPTION_EXPLAIN,
    OPTION_STRICT,
    OPTION_AS,
    OPTION_CONFIRM,
    OPTION_KEEP_PIN,
    OPTION_REASON,
    OPTION_FORGET_PINS,
    OPTION_YES,
    OPTION_ALL,
    OPTION_WITHIN,
    OPTION_SINCE,
    OPTION_ACTION,
    OPTION_DECISIONS,
    OPTION_FOR,
    OPTION_TICKET,
    OPTION_DURATION,
    OPTION_START,
    OPTION_USES,
    OPTION_PULL,
    OPTION_EXEC,
    OPTION_NOTES,
    OPTION_PLATFORM,
    OPTION_AT,
    OPTION_IF_PUBLISHED,
    OPTION_REMOVE,
    OPTION_COUNT,
};

struct command;

/* One invocation: what was typed, checked against the command's row. Borrows from argv and the
 * environment. */
struct call {
    const struct command *command;
    const char *value[OPTION_COUNT]; /* NULL: not given; "" for an option without argument */
    const char **args;               /* positional, as many as the row allows */
    size_t n;
};

typedef enum outcome (*command_fn)(const struct call *call);

#define ARGS_MANY 255
#define COMMAND_OPTIONS_MAX 6

struct command {
    const char *name; /* "robots create"; NULL ends a list */
    const char *args; /* for the help text: "NS NAME" */
    unsigned min_args, max_args;
    bool namespace_first; /* the first argument is a namespace, which -E and BOND_ENV supply when it
                             is left out */
    enum flag options[COMMAND_OPTIONS_MAX + 1];
    const char *help; /* one sentence */
    command_fn run;   /* said everything on stderr when it returns other than OUTCOME_OK */
};

extern const struct command session_commands[];
extern const struct command namespaces_commands[];
extern const struct command users_commands[];
extern const struct command members_commands[];
extern const struct command robots_commands[];
extern const struct command deployers_commands[];
extern const struct command policy_commands[];
extern const struct command rules_commands[];
extern const struct command deploy_commands[];
extern const struct command decision_commands[];
extern const struct command audit_commands[];
extern const struct command deployment_commands[];
extern const struct command releases_commands[];
extern const struct command trust_commands[];
extern const struct command roots_commands[];
extern const struct command override_commands[];
extern const struct command deny_commands[];
extern const struct command images_commands[];
extern const struct command status_commands[];
extern const struct command completion_commands[];

static inline bool call_has(const struct call *call, enum flag option)
{
    return call->value[option] != NULL;
}

#endif
