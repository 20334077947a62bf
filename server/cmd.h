/* The verbs of `bondstore`, one file each. Each takes its own arguments (argv[0] is the verb),
 * writes data on stdout and one sentence about a failure on stderr, and returns the exit status:
 * 0, 1 failure, 2 usage. */
#ifndef SERVER_CMD_H
#define SERVER_CMD_H

#include "base/err.h"
#include "server/config.h"

#define EXIT_USAGE 2

struct argp_state;

int cmd_init(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_fsck(int argc, char **argv);
int cmd_audit(int argc, char **argv);
int cmd_gc(int argc, char **argv);
int cmd_scrub(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_rewrap(int argc, char **argv);
int cmd_settings(int argc, char **argv);

/* "bondstore: SENTENCE" on stderr; returns 1. */
int cmd_fail(const struct err *err);
/* Reads the configuration of a data folder, DIR or DIR/bondstore.yaml, and logs at its level from then on. Errors as
 * config_load. */
bool cmd_load(const char *place, struct config **out, struct err *err) MUST_USE;
/* For a parser of arguments: takes the one data folder into *place_out and says what is wrong with another, or with
 * none; any other key is ARGP_ERR_UNKNOWN. */
int cmd_place(int key, char *arg, struct argp_state *state, const char **place_out);
/* For verbs whose only argument is the configuration file: parses argv and reads it. -1: *out is
 * filled; otherwise the exit status. */
int cmd_config(int argc, char **argv, const char *doc, struct config **out);

#endif
