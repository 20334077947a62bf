#include "base/hash.h"
#include "tests/unit/trust/trust_check.h"
#include "trust/verify/canon.h"

/* Inputs that the reference takes and a strict reader does not. */
static bool is_refused_here(const char *name)
{
    static const char *const refused[] = {"int-2p53plus1", "dup-last-wins"};
    for (size_t i = 0; i < COUNT(refused); i++) {
        if (strcmp(name, refused[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void decode_member(const json_t *c, const char *member, struct buf *out)
{
    assert_true(base64_decode(json_get_slice(c, member), out));
}

static void recorded_canonical_forms(void **unused)
{
    auto_json json_t *cases = vector_json("notary/canonical/canonical.json");
    size_t i;
    json_t *c;
    (void)unused;

    assert_true(json_array_size(cases) > 10);
    json_array_foreach(cases, i, c)
    {
        const char *name = json_get_string(c, "name");
        auto_buf struct buf input = {0};
        auto_buf struct buf want = {0};
        auto_buf struct buf got = {0};
        auto_json json_t *value = NULL;
        bool refused = json_object_get(c, "error") || is_refused_here(name);

        decode_member(c, "input_b64", &input);
        bool ok =
            json_read(buf_slice_of(&input), 32, &value, NULL) && canon_encode(value, &got, NULL);
        CHECK_CASE(ok == !refused, name);
        if (ok) {
            uint8_t hash[32];
            char hex[65];
            decode_member(c, "canonical_b64", &want);
            CHECK_CASE(slice_equal(buf_slice_of(&got), buf_slice_of(&want)), name);
            hash_sha256(buf_slice_of(&got), hash);
            CHECK_CASE(slice_is(json_get_slice(c, "sha256"), hex_encode(hash, 32, hex)), name);
        }
    }
}

static void made_forms(void **unused)
{
    static const struct {
        const char *input, *canonical, *wire; /* NULL: refused */
    } cases[] = {
        {"[1.0,1e3,-0]", "[1,1000,0]", "[1,1000,0]"},
        {"[1.5]", NULL, NULL},
        {"[1e300]", NULL, NULL},
        {"[9007199254740992,-9007199254740992]", "[9007199254740992,-9007199254740992]",
         "[9007199254740992,-9007199254740992]"},
        {"[9007199254740993]", NULL, NULL},
        {"[-9007199254740993]", NULL, NULL},
        {"{\"\xef\xbd\x9e\":1,\"\xf0\x9f\x98\x80\":2,\"b\":{\"z\":null,\"a\":true}}",
         "{\"b\":{\"a\":true,\"z\":null},\"\xef\xbd\x9e\":1,\"\xf0\x9f\x98\x80\":2}",
         "{\"b\":{\"a\":true,\"z\":null},\"\xef\xbd\x9e\":1,\"\xf0\x9f\x98\x80\":2}"},
        {"\"<a>&/\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa\"",
         "\"<a>&/\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa\"",
         "\"\\u003ca\\u003e\\u0026/\\u2028\\u2029\xe2\x80\xaa\""},
        {"\"\xe2\x80\"", NULL, NULL}, /* no UTF-8 */
        {"\"\\\"\\\\\\/\\u007f\"", "\"\\\"\\\\/\x7f\"", "\"\\\"\\\\/\x7f\""},
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(cases); i++) {
        auto_buf struct buf canonical = {0};
        auto_buf struct buf wire = {0};
        auto_json json_t *value = NULL;
        struct err err = {0};
        bool ok = json_read(slice_str(cases[i].input), 32, &value, &err) &&
                  canon_encode(value, &canonical, &err) && canon_encode_wire(value, &wire, &err);
        CHECK_CASE(ok == (cases[i].canonical != NULL), cases[i].input);
        if (ok) {
            CHECK_CASE(slice_is(buf_slice_of(&canonical), cases[i].canonical), cases[i].input);
            CHECK_CASE(slice_is(buf_slice_of(&wire), cases[i].wire), cases[i].input);
        }
    }
}

/* What a client sent is the wire form of what it signed. */
static void a_clients_document_is_its_own_wire_form(void **unused)
{
    auto_buf struct buf bytes = {0};
    auto_buf struct buf wire = {0};
    auto_json json_t *doc = NULL;
    (void)unused;

    vector_bytes("notary/repo/a-client-snapshot/targets.json", &bytes);
    assert_true(json_read(buf_slice_of(&bytes), 32, &doc, NULL));
    buf_str(&wire, "{\"signed\":");
    assert_true(canon_encode_wire(json_object_get(doc, "signed"), &wire, NULL));
    assert_true(slice_starts(buf_slice_of(&bytes), wire.p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_canonical_forms),
        cmocka_unit_test(made_forms),
        cmocka_unit_test(a_clients_document_is_its_own_wire_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
