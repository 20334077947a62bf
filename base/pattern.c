#include "base/pattern.h"

bool pattern_matches(const char *pattern, struct slice text)
{
    const char *star =
        NULL; /* the last '*' passed, and where its run began: one step of backtracking suffices */
    size_t i = 0, mark = 0;
    while (i < text.n) {
        if (*pattern == '*') {
            star = pattern++;
            mark = i;
        } else if (*pattern != '\0' && *pattern == text.p[i]) {
            pattern++;
            i++;
        } else if (star) {
            pattern = star + 1;
            i = ++mark;
        } else {
            return false;
        }
    }
    while (*pattern == '*') {
        pattern++;
    }
    return *pattern == '\0';
}
