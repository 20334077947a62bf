#include "base/hex.h"
#include "tests/unit/base/check.h"

static void hex(void **state)
{
    static const struct {
        const char *text;
        size_t n;
        bool good;
    } cases[] = {
        {"", 0, true},         {"00ff7a", 3, true}, {"00FF7a", 3, false}, {"00ff7", 3, false},
        {"00ff7a0", 3, false}, {"0g", 1, false},    {" 0", 1, false},     {"0:", 1, false},
        {"ff", 2, false},      {"ffff", 1, false},  {"0x", 1, false},
    };
    uint8_t bytes[3];
    char text[7];
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        CHECK_CASE(hex_decode(slice_str(cases[i].text), bytes, cases[i].n) == cases[i].good,
                   cases[i].text);
        if (cases[i].good) {
            assert_string_equal(hex_encode(bytes, cases[i].n, text), cases[i].text);
        }
    }
    assert_false(hex_decode(SLICE_LIT("0\0"), bytes, 1));
}

enum flavour { STANDARD, URL, BOTH };

/* Good rows: RFC 4648 section 10. */
static const struct {
    const char *name;
    struct slice text;
    enum flavour flavour;
    const char *bytes; /* NULL: refused */
} cases[] = {
    {"empty", {"", 0}, BOTH, ""},
    {"f", {"Zg==", 4}, STANDARD, "f"},
    {"fo", {"Zm8=", 4}, STANDARD, "fo"},
    {"foo", {"Zm9v", 4}, BOTH, "foo"},
    {"foob", {"Zm9vYg==", 8}, STANDARD, "foob"},
    {"fooba", {"Zm9vYmE=", 8}, STANDARD, "fooba"},
    {"foobar", {"Zm9vYmFy", 8}, BOTH, "foobar"},
    {"f without padding", {"Zg", 2}, URL, "f"},
    {"fo without padding", {"Zm8", 3}, URL, "fo"},
    {"standard letters", {"+/+/", 4}, STANDARD, "\xFB\xFF\xBF"},
    {"url letters", {"-_-_", 4}, URL, "\xFB\xFF\xBF"},
    {"missing padding", {"Zg", 2}, STANDARD, NULL},
    {"half the padding", {"Zg=", 3}, STANDARD, NULL},
    {"too much padding", {"Zg===", 5}, STANDARD, NULL},
    {"padding alone", {"====", 4}, STANDARD, NULL},
    {"text after padding", {"Zg==Zg==", 8}, STANDARD, NULL},
    {"padding in url form", {"Zg==", 4}, URL, NULL},
    {"trailing bits", {"Zh==", 4}, STANDARD, NULL},
    {"trailing bits, url", {"Zh", 2}, URL, NULL},
    {"trailing bits of two", {"Zm9=", 4}, STANDARD, NULL},
    {"one letter", {"Z", 1}, BOTH, NULL},
    {"five letters", {"Zm9vY", 5}, BOTH, NULL},
    {"blank inside", {"Zm 9v", 5}, BOTH, NULL},
    {"newline at the end", {"Zm9v\n", 5}, BOTH, NULL},
    {"NUL inside", {"Zm\0v", 4}, BOTH, NULL},
    {"url letters in standard", {"-_-_", 4}, STANDARD, NULL},
    {"standard letters in url", {"+/+/", 4}, URL, NULL},
    {"a byte above 127", {"Zm9\xC3", 4}, BOTH, NULL},
};

static void check_flavour(size_t i, bool url)
{
    auto_buf struct buf out = {0};
    auto_buf struct buf back = {0};
    buf_str(&out, "before:");
    bool good = url ? base64url_decode(cases[i].text, &out) : base64_decode(cases[i].text, &out);
    CHECK_CASE(good == (cases[i].bytes != NULL), cases[i].name);
    CHECK_CASE(slice_starts(buf_slice_of(&out), "before:"), cases[i].name);
    if (!good) {
        CHECK_CASE(out.n == 7, cases[i].name);
        return;
    }
    CHECK_CASE(slice_is(slice_from(buf_slice_of(&out), 7), cases[i].bytes), cases[i].name);
    if (url) {
        base64url_encode(&back, slice_str(cases[i].bytes));
    } else {
        base64_encode(&back, slice_str(cases[i].bytes));
    }
    CHECK_CASE(slice_equal(buf_slice_of(&back), cases[i].text), cases[i].name);
}

static void base64(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (cases[i].flavour != URL) {
            check_flavour(i, false);
        }
        if (cases[i].flavour != STANDARD) {
            check_flavour(i, true);
        }
    }
}

static void every_length_comes_back(void **state)
{
    uint8_t bytes[100];
    (void)state;
    for (size_t n = 0; n < sizeof(bytes); n++) {
        auto_buf struct buf text = {0};
        auto_buf struct buf back = {0};
        for (size_t i = 0; i < n; i++) {
            bytes[i] = (uint8_t)(i * 37 + n);
        }
        base64url_encode(&text, slice_of_bytes(bytes, n));
        assert_true(base64url_decode(buf_slice_of(&text), &back));
        assert_true(slice_equal(buf_slice_of(&back), slice_of_bytes(bytes, n)));
    }
}

/* Into bytes whose number is known: the same texts are good, and no others of that length. */
static void a_fixed_number_of_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t out[64], untouched[64];
        if (cases[i].flavour == URL) {
            continue;
        }
        memset(untouched, 0xa5, sizeof(untouched));
        for (size_t n = 0; n <= sizeof(out); n++) {
            bool good = cases[i].bytes && strlen(cases[i].bytes) == n;
            memcpy(out, untouched, sizeof(out));
            CHECK_CASE(base64_decode_fixed(cases[i].text, out, n) == good, cases[i].name);
            CHECK_CASE(memcmp(out, good ? cases[i].bytes : (const char *)untouched, n) == 0,
                       cases[i].name);
            CHECK_CASE(memcmp(out + n, untouched, sizeof(out) - n) == 0, cases[i].name);
        }
    }
    uint8_t bytes[66], back[66];
    for (size_t n = 1; n <= sizeof(bytes); n++) {
        auto_buf struct buf text = {0};
        memset(bytes, (int)n, n);
        base64_encode(&text, slice_of_bytes(bytes, n));
        assert_int_equal(base64_decode_fixed(buf_slice_of(&text), back, n), n <= 64);
        assert_false(base64_decode_fixed(buf_slice_of(&text), back, n - 1));
        assert_false(base64_decode_fixed(buf_slice_of(&text), back, n + 1));
    }
}

/* Whatever byte stands wherever in a text: the two decoders agree. */
static void both_decoders_agree(void **state)
{
    (void)state;
    for (size_t n = 30; n <= 33; n++) { /* each padding */
        uint8_t bytes[33], back[33];
        auto_buf struct buf text = {0};
        memset(bytes, 0x5a, sizeof(bytes));
        base64_encode(&text, slice_of_bytes(bytes, n));
        for (size_t at = 0; at < text.n; at++) {
            char was = text.p[at];
            for (int c = 0; c < 256; c++) {
                auto_buf struct buf other = {0};
                text.p[at] = (char)c;
                bool good = base64_decode(buf_slice_of(&text), &other) && other.n == n;
                assert_int_equal(base64_decode_fixed(buf_slice_of(&text), back, n), good);
                assert_true(!good || memcmp(back, other.p, n) == 0);
            }
            text.p[at] = was;
        }
    }
}

static void the_buffers_bound_holds(void **state)
{
    auto_buf struct buf small = {.max = 3};
    (void)state;
    base64_encode(&small, SLICE_LIT("foo"));
    assert_true(small.failed);
    buf_clear(&small);
    assert_true(base64_decode(SLICE_LIT("Zm9v"), &small));
    assert_false(base64_decode(SLICE_LIT("Zm9v"), &small));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hex),
        cmocka_unit_test(base64),
        cmocka_unit_test(every_length_comes_back),
        cmocka_unit_test(a_fixed_number_of_bytes),
        cmocka_unit_test(both_decoders_agree),
        cmocka_unit_test(the_buffers_bound_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
