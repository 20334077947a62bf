/* What `bond` keeps between calls: known servers (config.json) and sessions (session-HOST), both
 * mode 0600, replaced atomically. Folders: $XDG_CONFIG_HOME/bond and $XDG_STATE_HOME/bond with the
 * usual defaults below $HOME; BOND_CONFIG_DIR takes the place of both. Owns: these files. Refuses
 * to know: whether a session still lives (the server says so). */
#ifndef CLI_REMEMBER_H
#define CLI_REMEMBER_H

#include "base/err.h"

/* The server used when none is named, after the first `bond login`; NULL when there is none. The
 * caller frees. */
char *remember_default_host(void);
/* The CA file that was given when `host` was signed in to; NULL when there is none. The caller
 * frees. */
char *remember_ca_file(const char *host);
/* Keeps host (as the default, when there is none yet) and its CA file (absolute path; NULL keeps
 * what is there). */
bool remember_host(const char *host, const char *ca_file_or_null, struct err *err) MUST_USE;

/* The session secret of a host; NULL when nobody is signed in there. The caller wipes and frees
 * (remember_forget). */
char *remember_session(const char *host);
bool remember_session_set(const char *host, const char *user, const char *token,
                          const char *expires, struct err *err) MUST_USE;
/* Removes it; nothing there is success. */
bool remember_session_remove(const char *host, struct err *err) MUST_USE;

/* Wipes and frees a secret text; accepts NULL. */
void remember_forget(char *secret);

static inline void cleanup_secret_text(char **secret)
{
    remember_forget(*secret);
}
#define auto_secret_text __attribute__((cleanup(cleanup_secret_text)))

#endif
