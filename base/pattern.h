/* Patterns of names, as policies and tag rules write them. */
#ifndef BASE_PATTERN_H
#define BASE_PATTERN_H

#include "base/slice.h"

/* '*' matches any run of characters, also none and also '/'; everything else matches itself. The
 * whole text must match. Time at most pattern times text, whatever the pattern. Any thread. */
bool pattern_matches(const char *pattern, struct slice text);

#endif
