/* The linker's names for tuf_key_verify where a test counts its calls (tests/CMakeLists.txt): the redirected function,
 * which that test defines, and the real one. */
#ifndef TESTS_UNIT_TRUST_REDIRECTED_H
#define TESTS_UNIT_TRUST_REDIRECTED_H

#include "trust/verify/key.h"

enum sig_verdict __real_tuf_key_verify(const struct tuf_key *key, struct slice method,
                                       struct slice sig, struct slice bytes);
enum sig_verdict __wrap_tuf_key_verify(const struct tuf_key *key, struct slice method,
                                       struct slice sig, struct slice bytes);

#endif
