/* Robots and deployers: accounts of programs in one namespace, named `ns.name`, with one random
 * secret each. Owns: their names, which actions there are, the secret shown once. */
#ifndef AUTH_ROBOT_H
#define AUTH_ROBOT_H

#include "auth/auth.h"
#include "auth/secret.h"
#include "storage/account.h"

#define ROBOT_NAME_CHARS 63

struct robot_name {
    char text[ROBOT_NAME_CHARS + 1]; /* without the namespace */
};
/* [a-z0-9][a-z0-9-]{0,62}. Expected errors: ERR_INVALID. */
bool robot_name_parse(struct slice text, struct robot_name *out, struct err *err) MUST_USE;
/* "pull", "push", "delete", "sign", "trust:read_unsigned" to robot_action bits; all of them include
 * pull. 0 for an unknown word. */
unsigned robot_action_parse(struct slice word);
/* The word of one bit. */
const char *robot_action_name(unsigned bit);

struct robot_new {
    enum account_kind kind; /* ACCOUNT_ROBOT or ACCOUNT_DEPLOYER */
    struct namespace_name namespace;
    struct robot_name name;
    unsigned actions; /* robots: robot_action bits, not 0; deployers pull and nothing else */
};
/* Makes one; maintainers and up.
 *   account_name_out   "ns.name"
 *   secret_out         shown once; wipe
 * Expected errors: ERR_NAMESPACE_UNKNOWN, ERR_DENIED, ERR_CONFLICT, ERR_INVALID. Durable on true.
 */
bool robot_create(struct auth *a, const struct identity *who, const struct actor *actor,
                  const struct robot_new *robot, int64_t now_us,
                  char account_name_out[ACTOR_NAME_MAX + 1], struct secret_text *secret_out,
                  struct err *err) MUST_USE;
/* Removes one; its secret and tokens end at once. Expected errors: ERR_NAMESPACE_UNKNOWN,
 * ERR_DENIED, ERR_ACCOUNT_UNKNOWN. */
bool robot_remove(struct auth *a, const struct identity *who, const struct actor *actor,
                  enum account_kind kind, const struct namespace_name *namespace, struct slice name,
                  int64_t now_us, struct err *err) MUST_USE;

#endif
