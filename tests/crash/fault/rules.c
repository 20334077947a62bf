/* One rule a line: what to do, then conditions, all of which must hold.
 *   kill-before | kill-after | short | EIO | ENOSPC | EDQUOT | EINTR | EROFS
 *   from=N to=N     the N-th calls, counted among those that meet the other conditions; default 1 and for ever
 *   op=NAME         default: every operation that changes something
 *   path=PREFIX     of the path below the root
 *   site=TEXT       exactly
 * Counting starts anew when the file changes. */
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RULES_MAX 512
#define TEXT_MAX 131072

struct rule {
    enum fault_action action;
    int error;
    unsigned from, to, seen;
    const char *op, *path, *site; /* NULL: any; borrowed from the text */
};

static struct {
    char raw[TEXT_MAX];  /* as it was read */
    char text[TEXT_MAX]; /* cut into words */
    struct rule rules[RULES_MAX];
    int count;
} state;

static const struct {
    const char *word;
    enum fault_action action;
    int error;
} actions[] = {
    {"kill-before", DO_KILL_BEFORE, 0}, {"kill-after", DO_KILL_AFTER, 0},
    {"short", DO_SHORTEN, 0},           {"EIO", DO_FAIL, EIO},
    {"ENOSPC", DO_FAIL, ENOSPC},        {"EDQUOT", DO_FAIL, EDQUOT},
    {"EINTR", DO_FAIL, EINTR},          {"EROFS", DO_FAIL, EROFS},
};

/* A rule that is not understood would be a test that tests nothing. */
static void refuse(const char *word)
{
    fprintf(stderr, "fault: the control file says \"%s\"\n", word);
    abort();
}

static void read_action(struct rule *rule, const char *word)
{
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (strcmp(word, actions[i].word) == 0) {
            rule->action = actions[i].action;
            rule->error = actions[i].error;
            return;
        }
    }
    refuse(word);
}

static void read_condition(struct rule *rule, char *word)
{
    char *value = strchr(word, '=');
    if (!value) {
        refuse(word);
    }
    *value++ = '\0';
    if (strcmp(word, "from") == 0) {
        rule->from = (unsigned)strtoul(value, NULL, 10);
    } else if (strcmp(word, "to") == 0) {
        rule->to = (unsigned)strtoul(value, NULL, 10);
    } else if (strcmp(word, "op") == 0) {
        rule->op = value;
    } else if (strcmp(word, "path") == 0) {
        rule->path = value;
    } else if (strcmp(word, "site") == 0) {
        rule->site = value;
    } else {
        refuse(word);
    }
}

static void read_rule(char *line)
{
    char *word = strsep(&line, " ");
    if (*word == '\0') {
        return;
    }
    if (state.count == RULES_MAX) {
        refuse("too many rules");
    }
    struct rule *rule = &state.rules[state.count++];
    *rule = (struct rule){.from = 1, .to = UINT_MAX};
    read_action(rule, word);
    while ((word = strsep(&line, " ")) != NULL) {
        read_condition(rule, word);
    }
}

static void read_again(const char *control_path)
{
    static char fresh[TEXT_MAX];
    int fd = (int)syscall(SYS_openat, AT_FDCWD, control_path, O_RDONLY | O_CLOEXEC, 0);
    ssize_t n = fd < 0 ? 0 : syscall(SYS_read, fd, fresh, sizeof(fresh) - 1);
    if (fd >= 0) {
        (void)syscall(SYS_close, fd);
    }
    fresh[n > 0 ? n : 0] = '\0';
    if (strcmp(fresh, state.raw) == 0) {
        return;
    }
    memcpy(state.raw, fresh, sizeof(fresh));
    memcpy(state.text, fresh, sizeof(fresh));
    state.count = 0;
    for (char *rest = state.text, *line; (line = strsep(&rest, "\n")) != NULL;) {
        read_rule(line);
    }
}

static bool holds(struct rule *rule, const struct fault_call *call)
{
    if (rule->op ? strcmp(rule->op, fault_op_name(call->op)) != 0 : !fault_op_changes(call->op)) {
        return false;
    }
    if ((rule->path && strncmp(call->path, rule->path, strlen(rule->path)) != 0) ||
        (rule->site && strcmp(call->site, rule->site) != 0)) {
        return false;
    }
    rule->seen++;
    return rule->seen >= rule->from && rule->seen <= rule->to;
}

void fault_rules_apply(const char *control_path, struct fault_call *call)
{
    read_again(control_path);
    for (int i = 0; i < state.count; i++) {
        struct rule *rule = &state.rules[i];
        if (holds(rule, call) && call->action == DO_NOTHING) {
            call->action = rule->action;
            call->error = rule->error;
        }
    }
}
