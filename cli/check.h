/* Names as they are typed, checked before anything is asked of the server, so that a slip is told
 * at once. Owns: which forms `bond` takes. Each function says on stderr what is wrong and returns
 * false then. */
#ifndef CLI_CHECK_H
#define CLI_CHECK_H

#include "base/buf.h"
#include "cli/cli.h"

/* A namespace: one component of a repository name. */
bool check_namespace(const char *text);
/* NS or NS/REPO. */
bool check_scope(const char *text);
/* `*`, NS, NS/REPO, or NS/PATTERN with '*' in it. */
bool check_policy_scope(const char *text);
/* A repository NS/REPO, or REPO alone when -E names the namespace; `out` receives the whole name.
 */
bool check_repository(const struct call *call, const char *text, struct buf *out);
/* [HOST[:PORT]/]NS/REPO[:TAG][@DIGEST] -> the form the server takes, with the namespace of -E put
 * before a bare name and the tag `latest` when there is neither tag nor digest. */
bool check_image(const struct call *call, const char *text, struct buf *out);
/* It names a tag or a digest; without one check_image() takes `latest`. */
bool check_image_says_which(const char *image);
/* HOST[:PORT] of an image that check_image() took; empty when none is written. Borrows from `image`. */
struct slice check_image_host(const char *image);
/* What a server calls the image that it released goes to programs and shells: `pinned` must be
 * [HOST[:PORT]/]NS/REPO@DIGEST and nothing else, `image` (may be NULL) the same name with a tag.
 *   asked   what was asked for, as check_image() gave it: the repository must be its, and the digest
 *           when it names one. NULL: not known
 * Says nothing. */
bool check_released(const char *asked, const char *pinned, const char *image);
/* One of the words of a NULL-terminated list; `option` names it in the message. */
bool check_word(enum flag option, const char *text, const char *const words[]);

#endif
