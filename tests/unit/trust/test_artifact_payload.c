#include "trust/artifact_payload.h"

#include "base/json.h"
#include "tests/unit/base/check.h"

static void documents_and_what_only_calls_itself_one(void **unused)
{
    (void)unused;
    static const struct {
        const char *name;
        struct slice bytes;
        bool document;
    } table[] = {
        {"a signature's payload", SLICE_LIT("{\"critical\":{\"type\":\"x\"},\"optional\":null}"), true},
        {"blanks around it", SLICE_LIT(" {\"payload\":\"e30=\"}\n"), true},
        {"nothing", SLICE_LIT(""), false},
        {"a text", SLICE_LIT("\"a\""), false},
        {"a list", SLICE_LIT("[{}]"), false},
        {"two documents", SLICE_LIT("{}{}"), false},
        {"a document and a byte", SLICE_LIT("{}\0"), false},
        {"gzip", SLICE_LIT("\x1f\x8b\x08\x00"), false},
        {"zstd", SLICE_LIT("\x28\xb5\x2f\xfd"), false},
        {"a program", SLICE_LIT("#!/bin/sh\n"), false},
        {"the same member twice", SLICE_LIT("{\"a\":1,\"a\":2}"), false},
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        CHECK_CASE(artifact_payload_is_document(table[i].bytes) == table[i].document, table[i].name);
    }
}

/* A JSON text whose first 512 bytes are a header that tar readers take: a file without content. The
 * sum stands in a string; the rest of the header is blanks and digits. */
static void a_document_that_is_an_archive_too_is_none(void **unused)
{
    (void)unused;
    char text[513];
    unsigned sum = 0;
    memset(text, ' ', 512);
    memcpy(text, "{\"etc/evil\":\"", 13);
    memcpy(text + 100, "0000644 0000000 0000000 00000000000 00000000000 ", 48);
    text[156] = '0';
    text[510] = '"';
    text[511] = '}';
    for (int i = 0; i < 512; i++) {
        sum += (unsigned char)text[i];
    }
    char octal[9];
    snprintf(octal, sizeof octal, "%06o  ", sum);
    memcpy(text + 148, octal, 8);
    text[512] = '\0';

    auto_json json_t *json = NULL;
    assert_true(json_read(slice_of_bytes(text, 512), JSON_DEPTH_DEFAULT, &json, NULL));
    assert_false(artifact_payload_is_document(slice_of_bytes(text, 512)));
    text[148] ^= 1; /* the twin: the sum is not right */
    assert_true(artifact_payload_is_document(slice_of_bytes(text, 512)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_and_what_only_calls_itself_one),
        cmocka_unit_test(a_document_that_is_an_archive_too_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
