#include "cli/child.h"

#include "base/cleanup.h"
#include "cli/say.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int spawn(const char *const argv[], bool to_stderr, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    int failed = posix_spawn_file_actions_init(&actions);

    if (failed) {
        return failed;
    }
    if (to_stderr) {
        failed = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    }
    if (!failed) {
        /* posix_spawn takes what it does not change as if it might */
        failed =
            posix_spawnp(pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return failed;
}

static bool wait_for(pid_t pid, int *status)
{
    while (waitpid(pid, status, 0) < 0) {
        if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

bool child_run(const char *const argv[], bool to_stderr)
{
    pid_t pid = 0;
    int status = 0;

    (void)fflush(stdout); /* what was said before stands before */
    int failed = spawn(argv, to_stderr, &pid);
    if (failed) {
        say("cannot run %s: %s", argv[0], strerror(failed));
        return false;
    }
    if (!wait_for(pid, &status)) {
        say("lost sight of %s: %s", argv[0], strerror(errno));
        return false;
    }
    if (WIFSIGNALED(status)) {
        say("%s was ended by signal %d", argv[0], WTERMSIG(status));
        return false;
    }
    if (WEXITSTATUS(status) != 0) {
        say("%s ended with exit status %d", argv[0], WEXITSTATUS(status));
        return false;
    }
    return true;
}
