/* A JSON document that a command is given as a file. */
#ifndef CLI_DOCUMENT_H
#define CLI_DOCUMENT_H

#include "cli/cli.h"

#include <jansson.h>

/* Reads one JSON object.
 *   name   a file, or "-" for standard input
 *   out    owned by the caller
 * OUTCOME_USAGE after a sentence on stderr when it cannot be read, is larger than 1 MiB (the server's
 * bound on an API body), or is none. */
enum outcome document_read(const char *name, json_t **out);
/* Reads the CERTIFICATE blocks of a PEM file, as a JSON array of texts, one for each; whatever else is in
 * it stays there, private keys too.
 *   name   a file, or "-" for standard input
 *   out    owned by the caller
 * OUTCOME_USAGE after a sentence on stderr when it cannot be read, holds none, or ends within one. */
enum outcome certificates_read(const char *name, json_t **out);
/* Reads the documents of signatures in a folder: {"targets": TEXT, "targets/releases": TEXT}, one
 * for each file ROLE.json in it and in its subfolders.
 *   out    owned by the caller
 * OUTCOME_USAGE after a sentence on stderr when there is none, or one cannot be sent. */
enum outcome documents_read(const char *folder, json_t **out);

#endif
