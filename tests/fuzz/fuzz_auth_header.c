/* The Authorization header and the names of accounts, held against their grammars written as regular
 * expressions. Basic credentials that are understood encode to what was sent, to the byte. */
#include "auth/basic.h"
#include "auth/robot.h"
#include "auth/user.h"
#include "base/hex.h"
#include "tests/fuzz/fuzz.h"

#include <ctype.h>
#include <regex.h>

/* RFC 7617: what was sent is the encoding of `user:secret`. */
static void check_basic(struct slice header, const struct basic *basic)
{
    auto_buf struct buf plain = {0};
    auto_buf struct buf text = {0};
    struct slice sent = slice_trim(slice_from(header, 6));
    buf_slice(&plain, basic->user);
    buf_char(&plain, ':');
    buf_slice(&plain, basic->secret);
    base64_encode(&text, buf_slice_of(&plain));
    HOLDS(slice_equal(buf_slice_of(&text), sent));
    HOLDS(slice_index(basic->user, ':') < 0);
    for (size_t i = 0; i < plain.n; i++) {
        HOLDS((unsigned char)plain.p[i] >= 0x20 && plain.p[i] != 0x7f);
    }
}

static bool matches(const char *expression, struct slice text)
{
    regex_t compiled;
    auto_free char *copy = xstrndup(text.p != NULL ? text.p : "", text.n);
    HOLDS(regcomp(&compiled, expression, REG_EXTENDED | REG_NOSUB) == 0);
    bool found = strlen(copy) == text.n && regexec(&compiled, copy, 0, NULL, 0) == 0;
    regfree(&compiled);
    return found;
}

static void check_email(struct slice text)
{
    static const char part[] = "[]!#$%&*+.0-9=?A-Z^_a-z{|}~-]";
    struct email email;
    auto_buf struct buf expression = {0};
    if (!email_parse(text, &email, NULL)) {
        return;
    }
    buf_printf(&expression, "^%s+@%s+$", part, part);
    HOLDS(text.n <= EMAIL_MAX && matches(expression.p, text) && slice_index(text, ']') < 0);
    HOLDS(slice_is_nocase(text, email.text));
    for (const char *p = email.text; *p != '\0'; p++) {
        HOLDS(!isupper((unsigned char)*p));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct slice text = slice_of_bytes(data, size);
    auto_basic struct basic basic = {0};
    struct robot_name robot;
    struct slice value;
    if (basic_parse(text, &basic, NULL)) {
        check_basic(text, &basic);
    }
    if (basic_scheme_is(text, "Bearer", &value)) {
        HOLDS(slice_is_nocase(slice_first(text, 7), "bearer ") && value.n <= size - 7);
        HOLDS(!basic_scheme_is(text, "Basic", &value));
    }
    check_email(text);
    HOLDS(robot_name_parse(text, &robot, NULL) == matches("^[a-z0-9][a-z0-9-]{0,62}$", text));
    return 0;
}
