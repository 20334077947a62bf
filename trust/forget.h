/* The commands with which a person's clients forget what they remember of trust data that began anew, or
 * that goes on from an older state: until then they refuse what is there now. docker and notary keep one
 * folder for each name of a repository, and read under every host that it has (gate.md 11.4).
 * Owns: the folders of the clients. Refuses to know: why something is to be forgotten. */
#ifndef TRUST_FORGET_H
#define TRUST_FORGET_H

#include "base/json.h"
#include "trust/trust.h"

/* Appends the commands for one repository, to a JSON array of texts. What is kept of repositories below
 * it, ns/app/worker below ns/app, stays: a client that forgets a root key believes the next one. */
void forget_repository(const struct trust *trust, const struct repo_name *repo, json_t *commands);
/* The same for every repository of a namespace. */
void forget_namespace(const struct trust *trust, const struct namespace_name *ns, json_t *commands);
/* The same for everything that was ever read from this server. */
void forget_all(const struct trust *trust, json_t *commands);

#endif
