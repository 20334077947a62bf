/* CA certificates and whom they vouch for (gate.md 11.1): each good chain with its hostile twins. The
 * rules are those of X.509 path validation (RFC 5280, section 6) and of root keys (notary-api 17). */
#include "tests/unit/trust/issued.h"
#include "trust/verify/authority.h"

#define LEAF MADE_GUN
#define NOW ISSUED_NOW

enum who {
    NOBODY = 0, /* ends a list */
    CA,
    TWIN,        /* another CA of the same name */
    OLD,         /* the CA of before: the same key and name, run out */
    NARROW,      /* a CA that lets no CA stand below */
    TOP,         /* a CA with another name */
    MIDDLE,      /* a CA below CA */
    EARLIER,     /* the same, run out */
    ENCIPHERS,   /* below CA, its keyUsage without keyCertSign */
    WEAK,        /* below CA, signed with SHA-1 */
    SHORT,       /* below CA, RSA of 1,024 bits */
    BELOW_NARROW,
    LEAF_CA,     /* what a user holds */
    LEAF_TWIN,
    LEAF_OLD,
    LEAF_MIDDLE,
    LEAF_NARROW,
    LEAF_ENCIPHERS,
    LEAF_WEAK,
    LEAF_SHORT,
    LEAF_ENDED,
    LEAF_SOON,   /* valid in twelve hours */
    LEAF_LATER,  /* valid in two days */
    LEAF_OTHER,  /* for another repository */
    LEAF_SELF,   /* signed by itself */
    LEAF_OF_LEAF,
    SAME_KEY,    /* the key of LEAF_OTHER, signed by itself, for this repository */
    WHO_COUNT
};

static struct issued made[WHO_COUNT];

static void make(enum who who, const char *name, enum who by, const char *basic, const char *usage)
{
    issue(&made[who], &(struct issuing){.name = name,
                                        .by = by == NOBODY ? NULL : &made[by],
                                        .basic = basic,
                                        .usage = usage});
}

static void make_dated(enum who who, const char *name, enum who by, const char *basic, long from_s,
                       long to_s)
{
    issue(&made[who], &(struct issuing){.name = name,
                                        .by = by == NOBODY ? NULL : &made[by],
                                        .pkey = who == OLD ? made[CA].pkey : NULL,
                                        .basic = basic,
                                        .from_s = from_s,
                                        .to_s = to_s});
}

static int make_all(void **state)
{
    EVP_PKEY *rsa = EVP_RSA_gen(1024);
    (void)state;
    make(CA, "Team CA", NOBODY, BASIC_CA, "critical,keyCertSign,cRLSign");
    make(TWIN, "Team CA", NOBODY, BASIC_CA, NULL);
    make(NARROW, "Narrow CA", NOBODY, "critical,CA:TRUE,pathlen:0", NULL);
    make(TOP, "Top CA", NOBODY, BASIC_CA, NULL);
    make(MIDDLE, "Middle CA", CA, BASIC_CA, NULL);
    make(ENCIPHERS, "Enciphers", CA, BASIC_CA, "critical,keyEncipherment");
    make(BELOW_NARROW, "Below Narrow", NARROW, BASIC_CA, NULL);
    make_dated(OLD, "Team CA", NOBODY, BASIC_CA, -20 * ISSUED_DAY, -ISSUED_DAY);
    make_dated(EARLIER, "Middle CA", CA, BASIC_CA, -20 * ISSUED_DAY, -ISSUED_DAY);
    issue(&made[WEAK], &(struct issuing){.name = "Sha1", .by = &made[CA], .basic = BASIC_CA, .digest = EVP_sha1()});
    issue(&made[SHORT], &(struct issuing){.name = "Short", .by = &made[CA], .basic = BASIC_CA, .pkey = rsa});
    make(LEAF_CA, LEAF, CA, BASIC_LEAF, NULL);
    make(LEAF_TWIN, LEAF, TWIN, BASIC_LEAF, NULL);
    make(LEAF_OLD, LEAF, EARLIER, BASIC_LEAF, NULL);
    make(LEAF_MIDDLE, LEAF, MIDDLE, BASIC_LEAF, NULL);
    make(LEAF_NARROW, LEAF, BELOW_NARROW, BASIC_LEAF, NULL);
    make(LEAF_ENCIPHERS, LEAF, ENCIPHERS, BASIC_LEAF, NULL);
    make(LEAF_WEAK, LEAF, WEAK, BASIC_LEAF, NULL);
    make(LEAF_SHORT, LEAF, SHORT, BASIC_LEAF, NULL);
    make(LEAF_OTHER, "registry.example/ns/other", CA, BASIC_LEAF, NULL);
    make(LEAF_SELF, LEAF, NOBODY, BASIC_LEAF, NULL);
    make(LEAF_OF_LEAF, LEAF, LEAF_CA, BASIC_LEAF, NULL);
    make_dated(LEAF_ENDED, LEAF, CA, BASIC_LEAF, -20 * ISSUED_DAY, -ISSUED_DAY);
    make_dated(LEAF_SOON, LEAF, CA, BASIC_LEAF, ISSUED_DAY / 2, 20 * ISSUED_DAY);
    make_dated(LEAF_LATER, LEAF, CA, BASIC_LEAF, 2 * ISSUED_DAY, 20 * ISSUED_DAY);
    issue(&made[SAME_KEY], &(struct issuing){.name = LEAF, .pkey = made[LEAF_OTHER].pkey, .basic = BASIC_LEAF});
    EVP_PKEY_free(rsa);
    return 0;
}

static int free_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(made); i++) {
        issued_free(&made[i]);
    }
    return 0;
}

/* --- whom they vouch for ---------------------------------------------------------------------- */

static void key_of(struct made_key *out, const enum who chain[4])
{
    const struct issued *list[5] = {NULL};
    for (size_t i = 0; i < 4 && chain[i] != NOBODY; i++) {
        list[i] = &made[chain[i]];
    }
    issued_key(out, list);
}

static struct authorities *authorities_of(const enum who cas[3])
{
    auto_json json_t *list = json_array();
    char *pems[3];
    size_t n = 0;
    for (; n < 3 && cas[n] != NOBODY; n++) {
        issued_list(list, &made[cas[n]]);
        pems[n] = (char *)(uintptr_t)json_string_value(json_array_get(list, n));
    }
    return authorities_new(pems, n);
}

/* A root of these keys that all of the signers signed; NULL ends both. */
static struct tuf_doc *root_by(const struct made_key *const roots[], int threshold,
                               const struct made_key *const signers[])
{
    struct made m = {.count = 0};
    struct made_key online;
    struct tuf_doc *doc = NULL;
    struct err err = {0};
    made_key_new(&online);
    struct made_doc *part = made_add(&m, "root", made_root(1, roots, threshold, &online, &online), signers[0]);
    for (size_t i = 1; signers[i]; i++) {
        part->signers[i] = signers[i];
    }
    made_write(part);
    if (tuf_doc_read(SLICE_LIT("root"), buf_slice_of(&part->bytes), &doc, &err) != DOC_OK) {
        fail_msg("%s", err.msg);
    }
    made_free(&m);
    made_key_free(&online);
    return doc;
}

static const struct root_rules rules = {.gun = {LEAF, sizeof LEAF - 1}, .now_us = NOW};

static const struct {
    const char *what;
    enum who chain[4], cas[3];
    bool counts;
} cases[] = {
    {"a leaf of the CA", {LEAF_CA}, {CA}, true},
    {"the CA's own certificate beside it", {LEAF_CA, CA}, {CA}, true},
    {"a CA between", {LEAF_MIDDLE, MIDDLE}, {CA}, true},
    {"a CA that itself stands below another", {LEAF_MIDDLE}, {MIDDLE}, true},
    {"the one between is missing", {LEAF_MIDDLE}, {CA}, false},
    {"another one between", {LEAF_MIDDLE, NARROW}, {CA}, false},
    {"another CA", {LEAF_CA}, {TOP}, false},
    {"another CA of the same name", {LEAF_TWIN}, {CA}, false},
    {"that one brought along", {LEAF_TWIN, TWIN}, {CA}, false},
    {"two CAs of one name, the second", {LEAF_CA}, {TWIN, CA}, true},
    {"two CAs of one name, the first", {LEAF_CA}, {CA, TWIN}, true},
    {"the CA has run out", {LEAF_CA}, {OLD}, false},
    {"the CA has run out, its next certificate has not", {LEAF_CA}, {OLD, CA}, true},
    {"the one between has run out", {LEAF_OLD, EARLIER}, {CA}, false},
    {"the leaf has run out", {LEAF_ENDED}, {CA}, false},
    {"the leaf begins within a day", {LEAF_SOON}, {CA}, true},
    {"the leaf begins later", {LEAF_LATER}, {CA}, false},
    {"another repository's leaf", {LEAF_OTHER}, {CA}, false},
    {"signed by itself", {LEAF_SELF}, {CA}, false},
    {"signed by itself, the CA beside it", {LEAF_SELF, CA}, {CA}, false},
    {"signed by a leaf", {LEAF_OF_LEAF, LEAF_CA}, {CA}, false},
    {"a CA as the root key", {MIDDLE}, {CA}, false},
    {"a CA for other purposes between", {LEAF_ENCIPHERS, ENCIPHERS}, {CA}, false},
    {"SHA-1 between", {LEAF_WEAK, WEAK}, {CA}, false},
    {"RSA of 1,024 bits between", {LEAF_SHORT, SHORT}, {CA}, false},
    {"more CAs than the CA allows", {LEAF_NARROW, BELOW_NARROW}, {NARROW}, false},
    {"no CA at all", {LEAF_CA}, {NOBODY}, false},
    {"a leaf named as CA", {LEAF_OF_LEAF}, {LEAF_CA}, false},
};

static void a_chain_has_to_lead_to_a_named_ca(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct made_key key;
        struct sig_count n;
        const char *why = NULL;
        auto_authorities struct authorities *cas = authorities_of(cases[i].cas);
        key_of(&key, cases[i].chain);
        const struct made_key *const list[] = {&key, NULL};
        struct tuf_doc *root = root_by(list, 1, list);
        authorities_count(cas, root, &rules, &n, &why);
        CHECK_CASE(sig_count_met(&n) == cases[i].counts, cases[i].what);
        CHECK_CASE(!cases[i].counts || !why, cases[i].what);
        CHECK_CASE(n.checks <= SIG_SIGNERS_MAX, cases[i].what);
        tuf_doc_free(root);
        made_key_free(&key);
    }
}

/* One private key may have two certificates: what a CA says of one repository says nothing of another. */
static void another_certificate_of_the_key_lends_nothing(void **state)
{
    struct made_key vouched, own;
    struct sig_count n;
    const enum who cas[3] = {CA};
    auto_authorities struct authorities *authorities = authorities_of(cas);
    (void)state;
    key_of(&vouched, (const enum who[4]){LEAF_OTHER});
    key_of(&own, (const enum who[4]){SAME_KEY});
    const struct made_key *const both[] = {&vouched, &own, NULL}, *const turned[] = {&own, &vouched, NULL};
    const struct made_key *const *const orders[] = {both, turned};
    for (size_t i = 0; i < COUNT(orders); i++) {
        struct sig_count plain;
        struct tuf_doc *root = root_by(orders[i], 1, orders[i]);
        tuf_count_signatures(root, root, &root->root, &rules, &plain);
        assert_int_equal(plain.valid, 1); /* by its own certificate it is a good root */
        authorities_count(authorities, root, &rules, &n, NULL);
        assert_int_equal(n.valid, 0);
        tuf_doc_free(root);
    }
    made_key_free(&vouched);
    made_key_free(&own);
}

static void every_signer_that_is_needed_has_to_be_vouched_for(void **state)
{
    struct made_key first, second, own;
    struct sig_count n;
    const char *why = NULL;
    const enum who cas[3] = {CA};
    auto_authorities struct authorities *authorities = authorities_of(cas);
    (void)state;
    key_of(&first, (const enum who[4]){LEAF_CA});
    key_of(&second, (const enum who[4]){LEAF_MIDDLE, MIDDLE});
    key_of(&own, (const enum who[4]){LEAF_SELF});
    const struct made_key *const good[] = {&first, &second, NULL};
    const struct made_key *const half[] = {&first, &own, NULL};
    struct tuf_doc *root = root_by(good, 2, good);
    authorities_count(authorities, root, &rules, &n, &why);
    assert_true(sig_count_met(&n));
    assert_null(why);
    tuf_doc_free(root);
    root = root_by(half, 2, half);
    authorities_count(authorities, root, &rules, &n, &why);
    assert_int_equal(n.valid, 1);
    assert_false(sig_count_met(&n));
    assert_non_null(why);
    tuf_doc_free(root);
    root = root_by(good, 2, (const struct made_key *const[]){&second, NULL}); /* listed is not signed */
    authorities_count(authorities, root, &rules, &n, NULL);
    assert_int_equal(n.valid, 1);
    tuf_doc_free(root);
    made_key_free(&first);
    made_key_free(&second);
    made_key_free(&own);
}

/* --- what is a CA ----------------------------------------------------------------------------- */

static void a_ca_is_one_certificate_that_may_sign_others(void **state)
{
    auto_buf struct buf good = {0}, two = {0}, leaf = {0}, enciphers = {0}, behind = {0}, before = {0},
                    longer = {0}, bare = {0};
    struct issued no_basic;
    (void)state;
    issue(&no_basic, &(struct issuing){.name = "Old Style"});
    issued_pem(&made[CA], &good);
    issued_pem(&made[CA], &two);
    issued_pem(&made[TOP], &two);
    issued_pem(&made[LEAF_CA], &leaf);
    issued_pem(&made[ENCIPHERS], &enciphers);
    issued_pem(&no_basic, &bare);
    buf_printf(&behind, "%sand more", good.p);
    buf_printf(&before, "Subject: CN=Team CA\n%s", good.p);
    buf_str(&longer, good.p);
    while (longer.n <= AUTHORITY_PEM_MAX) {
        buf_str(&longer, "\n");
    }
    const char *const bad[] = {"",     "CA",         two.p,    leaf.p,   enciphers.p,
                               bare.p, behind.p,     before.p, longer.p, "-----BEGIN CERTIFICATE-----\n",
                               "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"};
    assert_true(authority_is_good(good.p));
    longer.p[AUTHORITY_PEM_MAX] = '\0';
    assert_true(authority_is_good(longer.p)); /* as many bytes as it may have */
    longer.p[AUTHORITY_PEM_MAX] = '\n';
    for (size_t i = 0; i < COUNT(bad); i++) {
        CHECK_CASE(!authority_is_good(bad[i]), bad[i]);
    }
    issued_free(&no_basic);
}

static void cas_are_told_by_their_subjects(void **state)
{
    auto_buf struct buf text = {0};
    struct issued strange;
    auto_json json_t *list = json_array();
    char *pems[5];
    (void)state;
    issue(&strange, &(struct issuing){.name = "Caf\xc3\xa9 \"a,b\"\n a name that is much longer than "
                                              "anybody would want to read here",
                                      .basic = BASIC_CA});
    const struct issued *const order[] = {&made[OLD], &strange, &made[CA], &made[TOP], &made[NARROW]};
    for (size_t i = 0; i < COUNT(order); i++) {
        issued_list(list, order[i]);
        pems[i] = (char *)(uintptr_t)json_string_value(json_array_get(list, i));
    }
    auto_authorities struct authorities *all = authorities_new(pems, COUNT(pems));
    auto_authorities struct authorities *one = authorities_new(pems + 2, 1);
    authorities_describe(one, NOW, &text);
    assert_string_equal(text.p, "CN=Team CA");
    buf_clear(&text);
    authorities_describe(all, NOW, &text);
    assert_non_null(strstr(text.p, "CN=Team CA (run out) or CN=Caf\\C3\\A9"));
    assert_non_null(strstr(text.p, " or 3 more"));
    for (size_t i = 0; i < text.n; i++) {
        assert_true(text.p[i] >= ' ' && text.p[i] < 0x7f);
    }
    assert_true(text.n < 200);
    issued_free(&strange);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_has_to_lead_to_a_named_ca),
        cmocka_unit_test(another_certificate_of_the_key_lends_nothing),
        cmocka_unit_test(every_signer_that_is_needed_has_to_be_vouched_for),
        cmocka_unit_test(a_ca_is_one_certificate_that_may_sign_others),
        cmocka_unit_test(cas_are_told_by_their_subjects),
    };
    return cmocka_run_group_tests(tests, make_all, free_all);
}
