/* `bondstore`: the server and its maintenance verbs. */
#include "server/cmd.h"

#include <argp.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>

static const struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *sentence;
} verbs[] = {
    {"init", cmd_init,
     "make a data folder: configuration, certificates, secrets, database, administrator"},
    {"serve", cmd_serve, "serve a data folder in the foreground"},
    {"fsck", cmd_fsck, "check that index, files and audit log agree"},
    {"audit", cmd_audit, "prove that no record of changes and decisions was changed or removed"},
    {"scrub", cmd_scrub, "read and hash every blob again, also while the server runs"},
    {"gc", cmd_gc, "remove now what nothing refers to any more"},
    {"import", cmd_import, "move in from a Notary v1 server"},
    {"rewrap", cmd_rewrap, "seal the server's keys anew under another sealing key"},
    {"settings", cmd_settings, "print every setting with its default and meaning"},
};

static void usage(FILE *out)
{
    (void)fprintf(out, "Usage: bondstore VERB [ARGUMENTS]\n\nA self-hosted OCI registry that "
                       "releases images only under "
                       "seal.\n\n");
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        (void)fprintf(out, "  %-10s %s\n", verbs[i].name, verbs[i].sentence);
    }
    (void)fprintf(out, "  %-10s print the version\n\nbondstore VERB --help says more about one.\n",
                  "version");
}

static const struct verb *find(const char *name)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(verbs[i].name, name) == 0) {
            return &verbs[i];
        }
    }
    return NULL;
}

/* argp names the program by argv[0]. */
static int run(const struct verb *verb, int argc, char **argv)
{
    char name[40];
    (void)snprintf(name, sizeof(name), "bondstore %s", verb->name);
    argv[0] = name;
    argp_err_exit_status = EXIT_USAGE;
    return verb->run(argc, argv);
}

int main(int argc, char **argv)
{
    (void)umask(022); /* folders are readable so that clients find tls/ca.crt; each secret has its
                         own mode */
    (void)signal(SIGPIPE, SIG_IGN);
    if (sodium_init() < 0) {
        (void)fprintf(stderr, "bondstore: the system gives no random numbers\n");
        return 1;
    }
    if (argc < 2) {
        usage(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0 ||
        strcmp(argv[1], "-h") == 0) {
        usage(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
        (void)printf("bondstore %s\n", BONDSTORE_VERSION);
        return 0;
    }
    const struct verb *verb = find(argv[1]);
    if (verb == NULL) {
        (void)fprintf(stderr, "bondstore: there is no verb %s; bondstore --help lists them\n",
                      argv[1]);
        return EXIT_USAGE;
    }
    return run(verb, argc - 1, argv + 1);
}
