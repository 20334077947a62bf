#include "server/percent.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool percent_next(struct slice *rest, char *out)
{
    *out = rest->p[0];
    if (*out != '%') {
        *rest = slice_from(*rest, 1);
        return true;
    }
    int high = rest->n > 2 ? hex_value(rest->p[1]) : -1;
    int low = rest->n > 2 ? hex_value(rest->p[2]) : -1;
    if (high < 0 || low < 0) {
        return false;
    }
    *out = (char)(high * 16 + low);
    *rest = slice_from(*rest, 3);
    return true;
}
