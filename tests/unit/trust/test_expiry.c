/* When root certificates end a root, and the words that tell who must act. */
#include "tests/unit/trust/made.h"
#include "trust/expiry.h"

#define DAYS(n) ((n)*INT64_C(86400))

static struct tuf_doc *root_of(const struct made_key *const keys[], int threshold,
                               const struct made_key *const signers[],
                               const struct made_key *other)
{
    struct made_doc doc = {.part = made_root(1, keys, threshold, other, other)};
    struct tuf_doc *read = NULL;
    struct err err = {0};
    for (size_t i = 0; signers[i]; i++) {
        doc.signers[i] = signers[i];
    }
    made_write(&doc);
    if (tuf_doc_read(SLICE_LIT("root"), buf_slice_of(&doc.bytes), &read, &err) != DOC_OK) {
        fail_msg("%s", err.msg);
    }
    buf_dispose(&doc.bytes);
    json_decref(doc.part);
    return read;
}

#define GUN "registry.example:5443/demo/app"

/* Certificates for 10 and for 20 days, one that names another collection, a key without one. What
 * counts is who signed. */
static void a_root_lives_while_its_threshold_has_certificates(void **unused)
{
    struct made_key ten, twenty, elsewhere, bare, other;
    (void)unused;
    made_cert_new(&ten, NULL, GUN, -DAYS(1), DAYS(10));
    made_cert_new(&twenty, NULL, GUN, -DAYS(1), DAYS(20));
    made_cert_new(&elsewhere, NULL, "registry.example:5443/demo/web", -DAYS(1), DAYS(900));
    made_bare_new(&bare, NULL);
    made_key_new(&other);
    const struct {
        const char *name;
        const struct made_key *keys[4];
        int threshold;
        const struct made_key *signers[4];
        int64_t days; /* 0 = for ever, or never */
    } cases[] = {
        {"one", {&ten}, 1, {&ten}, 10},
        {"both signed", {&ten, &twenty}, 1, {&ten, &twenty}, 20},
        {"the short one signed", {&ten, &twenty}, 1, {&ten}, 10},
        {"the long one signed", {&ten, &twenty}, 1, {&twenty}, 20},
        {"both are needed", {&ten, &twenty}, 2, {&ten, &twenty}, 10},
        {"a bare key is no root key", {&bare, &ten}, 1, {&bare, &ten}, 10},
        {"one for another collection", {&elsewhere, &ten}, 1, {&elsewhere, &ten}, 10},
        {"a bare key alone", {&bare}, 1, {&bare}, 0},
        {"too few signed", {&ten, &twenty}, 2, {&ten}, 0},
        {"nobody signed", {&ten}, 1, {NULL}, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tuf_doc *root =
            root_of(cases[i].keys, cases[i].threshold, cases[i].signers, &other);
        int64_t wanted = cases[i].days ? vectors_now() / US_PER_SECOND + DAYS(cases[i].days) : 0;
        int64_t got = expiry_of_certificates(root, SLICE_LIT(GUN));
        CHECK_CASE((got == INT64_MAX ? 0 : got / US_PER_SECOND) == wanted, cases[i].name);
        tuf_doc_free(root);
    }
    made_key_free(&ten);
    made_key_free(&twenty);
    made_key_free(&elsewhere);
    made_key_free(&bare);
    made_key_free(&other);
}

static void far_ahead_is_for_ever_and_never_the_past(void **unused)
{
    (void)unused;
    assert_int_equal(expiry_before(INT64_C(1800000000000000), 14 * US_PER_DAY),
                     INT64_C(1800000000000000) + 14 * US_PER_DAY);
    assert_int_equal(expiry_before(INT64_C(1800000000000000), INT64_MAX), INT64_MAX);
}

static void every_kind_says_who_must_act(void **unused)
{
    (void)unused;
    for (int kind = 1; kind <= EXPIRY_KINDS; kind++) {
        auto_buf struct buf who = {0};
        auto_buf struct buf late = {0};
        const struct expiry e = {
            .kind = (enum expiry_kind)kind, .role = "targets/alice", .expires_us = 1000};
        expiry_who(&e, 999, &who);
        expiry_who(&e, 1000, &late);
        assert_true(who.n > 0);
        /* what is over can only be taken away by an owner, but for a signer's own role */
        assert_int_equal(slice_starts(buf_slice_of(&late), "an owner, then "),
                         e.kind != EXPIRY_DELEGATION);
        assert_true(slice_ends(buf_slice_of(&late), who.p));
        assert_true(strlen(expiry_kind_name(e.kind)) > 0);
    }
    auto_buf struct buf alice = {0};
    const struct expiry e = {.kind = EXPIRY_DELEGATION, .role = "targets/alice"};
    expiry_who(&e, 0, &alice);
    assert_string_equal(alice.p, "a signer of targets/alice");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_root_lives_while_its_threshold_has_certificates),
        cmocka_unit_test(far_ahead_is_for_ever_and_never_the_past),
        cmocka_unit_test(every_kind_says_who_must_act),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
