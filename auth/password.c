#include "auth/password.h"

#include <sodium.h>

#define PRODUCT_NAME "bondstore"

struct password_cost password_cost_default(void)
{
    return (struct password_cost){.opslimit = 3, .memlimit = (size_t)64 << 20};
}

bool password_hash(struct slice password, struct password_cost cost, char out[PASSWORD_PHC_MAX],
                   struct err *err)
{
    _Static_assert(PASSWORD_PHC_MAX >= crypto_pwhash_argon2id_STRBYTES,
                   "libsodium writes this many");
    if (password.n > PASSWORD_BYTES_MAX) {
        return err_set(err, ERR_INVALID, "the password is longer than %d bytes",
                       PASSWORD_BYTES_MAX);
    }
    if (crypto_pwhash_argon2id_str(out, password.p ? password.p : "", password.n, cost.opslimit,
                                   cost.memlimit) != 0) {
        return err_internal(err, "argon2id: no memory for %zu bytes", cost.memlimit);
    }
    return true;
}

enum password_verdict password_verify(const char *hash, struct slice password)
{
    enum password_verdict verdict = PASSWORD_WRONG;
    if (password.n <= PASSWORD_BYTES_MAX && strlen(hash) < PASSWORD_PHC_MAX &&
        crypto_pwhash_argon2id_str_verify(hash, password.p ? password.p : "", password.n) == 0) {
        verdict = PASSWORD_RIGHT;
    }
    return verdict;
}

bool password_needs_rehash(const char *hash, struct password_cost cost)
{
    return crypto_pwhash_argon2id_str_needs_rehash(hash, cost.opslimit, cost.memlimit) != 0;
}

/* What people reach fifteen characters with: a password of nothing but these is among the first
 * that are guessed. */
static const char *const common_words[] = {
    "password",
    "passwort",
    "passphrase",
    "qwertyuiop",
    "qwerty",
    "asdfghjkl",
    "zxcvbnm",
    "letmein",
    "welcome",
    "administrator",
    "admin",
    "secret",
    "changeme",
    "iloveyou",
    "monkey",
    "dragon",
    "sunshine",
    "princess",
    "football",
    "registry",
    "docker",
    "default",
    "abcdefghijklmnopqrstuvwxyz",
    "abcdef",
    "login",
    "master",
    "1234567890",
    "12345678",
    "123456",
    "1234",
    "2024",
    "2025",
    "2026",
    PRODUCT_NAME,
};

static size_t code_points(struct slice text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        n += ((unsigned char)text.p[i] & 0xC0) != 0x80;
    }
    return n;
}

static bool has_control(struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c < 0x20 || c == 0x7F) {
            return true;
        }
    }
    return false;
}

static size_t count_distinct(struct slice text)
{
    bool seen[256] = {false};
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        n += !seen[c];
        seen[c] = true;
    }
    return n;
}

/* Every step from one byte to the next is the same: "aaaa…", "1234…", "zyxw…". */
static bool is_run(struct slice text)
{
    for (size_t i = 2; i < text.n; i++) {
        if (text.p[i] - text.p[i - 1] != text.p[1] - text.p[0]) {
            return false;
        }
    }
    return true;
}

/* Length of `word` when text continues with it at `at` (letters regardless of case), else 0. */
static size_t word_at(struct slice text, size_t at, const char *word)
{
    size_t n = strlen(word);
    return n > 0 && slice_is_nocase(slice_first(slice_from(text, at), n), word) ? n : 0;
}

static size_t longest_word_at(struct slice text, size_t at, const char *extra)
{
    size_t longest = word_at(text, at, extra);
    for (size_t i = 0; i < sizeof(common_words) / sizeof(common_words[0]); i++) {
        size_t n = word_at(text, at, common_words[i]);
        longest = n > longest ? n : longest;
    }
    return longest;
}

/* Characters that are left when common words and the account's own name are taken out. */
static size_t characters_of_its_own(struct slice text, const char *own_name)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n;) {
        size_t word = longest_word_at(text, i, own_name);
        n += word == 0;
        i += word > 0 ? word : 1;
    }
    return n;
}

static bool is_common(struct slice password, const char *email)
{
    enum { OWN_CHARACTERS_MIN = 4, DISTINCT_MIN = 5, NAME_MIN = 3 };
    char own_name[65] = "";
    struct slice local = slice_str(email);
    ptrdiff_t at = slice_index(local, '@');
    local = at >= 0 ? slice_first(local, (size_t)at) : local;
    if (local.n >= NAME_MIN && local.n < sizeof(own_name)) {
        memcpy(own_name, local.p, local.n);
    }
    return count_distinct(password) < DISTINCT_MIN || is_run(password) ||
           characters_of_its_own(password, own_name) < OWN_CHARACTERS_MIN;
}

bool password_acceptable(struct slice password, const char *email, struct err *err)
{
    if (password.n > PASSWORD_BYTES_MAX) {
        return err_set(err, ERR_INVALID, "the password is longer than %d bytes",
                       PASSWORD_BYTES_MAX);
    }
    if (!slice_is_utf8(password) || has_control(password)) {
        return err_set(err, ERR_INVALID, "a password is made of printable UTF-8 characters");
    }
    if (code_points(password) < PASSWORD_MIN_CHARS) {
        return err_set(err, ERR_INVALID, "a password needs at least %d characters",
                       PASSWORD_MIN_CHARS);
    }
    if (is_common(password, email)) {
        return err_set(err, ERR_INVALID,
                       "this password is too easy to guess: it is made of common words, the "
                       "account's own name or one "
                       "repeated pattern");
    }
    return true;
}
