/* Parsing documents: what is taken, what is refused, and under which fault (it decides the code on
 * the wire). */
#include "base/hash.h"
#include "tests/unit/trust/trust_check.h"
#include "trust/verify/canon.h"

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <sodium.h>

#define S32 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define S64                                                                                        \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="
#define EXPIRES "\"expires\":\"2040-01-01T00:00:00Z\""
#define TARGETS(members)                                                                           \
    "{\"signed\":{\"_type\":\"Targets\"," EXPIRES ",\"version\":1" members "},\"signatures\":[]}"
#define TARGET(content) TARGETS(",\"targets\":{\"v1\":" content "}")
#define KEY "\"k\":{\"keytype\":\"ed25519\",\"keyval\":{\"private\":null,\"public\":\"" S32 "\"}}"
#define DELEGATION(members)                                                                        \
    TARGETS(",\"delegations\":{\"keys\":{" KEY "},\"roles\":[{" members "}]}")
#define ROLE_K "{\"keyids\":[\"k\"],\"threshold\":1}"
#define ROOT(roles)                                                                                \
    "{\"signed\":{\"_type\":\"Root\"," EXPIRES ",\"version\":1,\"keys\":{" KEY                     \
    "},\"roles\":{" roles "}},\"signatures\":[]}"
#define ENTRY "{\"hashes\":{\"sha256\":\"" S32 "\"},\"length\":3}"
#define SNAPSHOT(meta)                                                                             \
    "{\"signed\":{\"_type\":\"Snapshot\"," EXPIRES ",\"version\":1,\"meta\":{" meta                \
    "}},\"signatures\":[]}"
#define TIMESTAMP(meta)                                                                            \
    "{\"signed\":{\"_type\":\"Timestamp\"," EXPIRES ",\"version\":1,\"meta\":{" meta               \
    "}},\"signatures\":[]}"
#define DEPTH_29 "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"

struct doc_case {
    const char *role, *text;
    enum doc_fault want;
};

static const struct doc_case cases[] = {
    /* basic shape */
    {"targets", TARGETS(""), DOC_OK},
    {"targets", " \n" TARGETS("") "\n\t ", DOC_OK},
    {"targets", "", DOC_NOT_JSON},
    {"targets", "garbage", DOC_NOT_JSON},
    {"targets", "[]", DOC_NOT_JSON},
    {"targets", "7", DOC_NOT_JSON},
    {"targets", "{\"signed\":", DOC_NOT_JSON},
    {"targets", "{\"signed\":[],\"signatures\":[]}", DOC_NOT_JSON},
    {"targets", "{\"signed\":{},\"signatures\":{}}", DOC_NOT_JSON},
    {"targets", "{\"signed\":{},\"signatures\":[7]}", DOC_NOT_JSON},
    {"targets", "{\"signed\":{},\"signatures\":[{\"keyid\":7}]}", DOC_NOT_JSON},
    {"targets", "{\"signed\":{},\"signatures\":[{\"method\":[]}]}", DOC_NOT_JSON},
    {"targets", "{\"signed\":{},\"signatures\":[{\"sig\":\"A\"}]}", DOC_NOT_JSON},
    {"targets", "{\"signed\":{},\"signatures\":[{\"sig\":\"AA==\\n\"}]}", DOC_NOT_JSON},
    {"targets", "{\"signed\":{},\"signatures\":[{\"sig\":\"AB==\"}]}", DOC_NOT_JSON},
    {"targets", "{\"signed\":{\"_type\":7},\"signatures\":[]}", DOC_NOT_JSON},
    {"targets", "{\"signed\":{\"expires\":\"tomorrow\"},\"signatures\":[]}", DOC_NOT_JSON},
    {"targets", "{\"signed\":{\"expires\":\"2026-02-29T00:00:00Z\"},\"signatures\":[]}",
     DOC_NOT_JSON},
    {"targets", "{\"signed\":{\"expires\":\"2026-02-28t00:00:00Z\"},\"signatures\":[]}",
     DOC_NOT_JSON},
    {"targets", "{\"signed\":{\"expires\":20260228},\"signatures\":[]}", DOC_NOT_JSON},
    {"targets", "{\"signed\":{\"_type\":\"Targets\",\"version\":1.0},\"signatures\":[]}",
     DOC_NOT_JSON},
    {"targets", "{\"signed\":{\"_type\":\"Targets\",\"version\":1e0},\"signatures\":[]}",
     DOC_NOT_JSON},
    {"targets", "{\"signed\":{\"_type\":\"Targets\",\"version\":\"1\"},\"signatures\":[]}",
     DOC_NOT_JSON},
    {"targets",
     "{\"signed\":{\"_type\":\"Targets\",\"version\":9223372036854775808},\"signatures\":[]}",
     DOC_NOT_JSON},
    {"targets",
     "{\"signed\":{\"_type\":\"Targets\",\"version\":9007199254740993},\"signatures\":[]}",
     DOC_NOT_JSON},
    {"targets", "{\"signed\":{\"_type\":\"Targets\"," EXPIRES ",\"version\":-1},\"signatures\":[]}",
     DOC_STRUCTURE},
    {"targets", "{\"signed\":{\"_type\":\"Targets\"," EXPIRES ",\"version\":0},\"signatures\":[]}",
     DOC_STRUCTURE},
    {"targets", "{\"signed\":{\"_type\":\"Targets\"," EXPIRES "},\"signatures\":[]}",
     DOC_STRUCTURE},
    {"targets", "{\"signed\":{\"_type\":\"Targets\",\"version\":1},\"signatures\":[]}",
     DOC_STRUCTURE},
    {"targets", "{\"signatures\":[]}", DOC_STRUCTURE},
    {"targets", "{\"signed\":{\"_type\":\"Targets\"," EXPIRES ",\"version\":1}}", DOC_OK},
    {"targets",
     "{\"signed\":{\"_type\":\"Targets\"," EXPIRES ",\"version\":1},\"signatures\":null}", DOC_OK},
    /* only a strict reader minds */
    {"targets", TARGETS("") "x", DOC_NOT_STRICT},
    {"targets", TARGETS("") "{}", DOC_NOT_STRICT},
    {"targets", TARGETS(",\"version\":1"), DOC_NOT_STRICT},
    {"targets", TARGETS(",\"Version\":1"), DOC_NOT_STRICT},
    {"targets", TARGETS(",\"TARGETS\":{}"), DOC_NOT_STRICT},
    {"targets", TARGETS(",\"ver\xc5\xbfion\":1"), DOC_NOT_STRICT},
    {"targets",
     TARGETS(",\"\xe2\x84\xaa"
             "eys\":1"),
     DOC_NOT_STRICT},
    {"targets", TARGETS(",\"x-a\":1,\"X-A\":1"), DOC_NOT_STRICT},
    {"targets", TARGETS(",\"x-a\":{\"b\":1,\"B\":1}"), DOC_NOT_STRICT},
    {"targets", TARGETS(",\"x-a\":1"), DOC_OK},
    {"targets", TARGETS(",\"x-a\":1.5"), DOC_NOT_STRICT},
    {"targets", TARGETS(",\"x-a\":1.0"), DOC_NOT_STRICT},
    {"targets", TARGETS(",\"x-a\":9007199254740992"), DOC_OK},
    {"targets", TARGETS(",\"x-a\":9007199254740993"), DOC_NOT_STRICT},
    {"targets", TARGETS(",\"x-a\":-9007199254740993"), DOC_NOT_STRICT},
    {"targets", TARGETS(",\"x-a\":9223372036854775808"), DOC_NOT_STRICT},
    {"targets", TARGETS(",\"x-a\":NaN"), DOC_NOT_JSON},
    {"targets", TARGETS(",\"x-a\":\"\\ud800\""), DOC_NOT_JSON},
    {"targets", TARGETS(",\"x-a\":\"\xff\""), DOC_NOT_JSON},
    {"targets", TARGETS(",\"x-a\":\"\\u0000\""), DOC_NOT_STRICT},
    {"targets", TARGETS(",\"x\\u0000\":1"), DOC_NOT_STRICT},
    {"targets", TARGETS(",\"x\\n\":1"), DOC_NOT_STRICT},
    {"targets", TARGETS(",\"x\n\":1"), DOC_NOT_JSON},
    {"targets", TARGETS(",\"x-a\":" DEPTH_29), DOC_OK},
    {"targets", TARGETS(",\"x-a\":[" DEPTH_29 "]"), DOC_OK},
    {"targets", TARGETS(",\"x-a\":[[" DEPTH_29 "]]"), DOC_NOT_STRICT},
    {"targets", "{\"Signed\":{},\"signatures\":[]}", DOC_NOT_STRICT},
    {"targets", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", DOC_NOT_JSON},
    /* type */
    {"targets", "{\"signed\":{\"_type\":\"targets\"," EXPIRES ",\"version\":1},\"signatures\":[]}",
     DOC_BAD_TYPE},
    {"targets", "{\"signed\":{" EXPIRES ",\"version\":1},\"signatures\":[]}", DOC_BAD_TYPE},
    {"targets/a", TARGETS(""), DOC_OK},
    {"root", TARGETS(""), DOC_BAD_TYPE},
    {"targets/../root", TARGETS(""), DOC_STRUCTURE},
    /* targets */
    {"targets", TARGETS(",\"targets\":[]"), DOC_STRUCTURE},
    {"targets", TARGETS(",\"targets\":null"), DOC_OK},
    {"targets", TARGET(ENTRY), DOC_OK},
    {"targets", TARGET("{\"hashes\":{\"sha512\":\"" S64 "\"},\"length\":3}"), DOC_OK},
    {"targets", TARGET("{\"hashes\":{\"md5\":\"AAAA\"},\"length\":3}"), DOC_STRUCTURE},
    {"targets", TARGET("{\"hashes\":{},\"length\":3}"), DOC_STRUCTURE},
    {"targets", TARGET("{\"length\":3}"), DOC_STRUCTURE},
    {"targets", TARGET("7"), DOC_STRUCTURE},
    {"targets", TARGET("{\"hashes\":{\"sha256\":\"AAAA\"},\"length\":3}"), DOC_STRUCTURE},
    {"targets", TARGET("{\"hashes\":{\"sha256\":7},\"length\":3}"), DOC_STRUCTURE},
    {"targets", TARGET("{\"hashes\":{\"sha256\":\"" S32 "\"},\"length\":-1}"), DOC_STRUCTURE},
    {"targets", TARGET("{\"hashes\":{\"sha256\":\"" S32 "\"},\"length\":\"3\"}"), DOC_STRUCTURE},
    {"targets",
     TARGET("{\"hashes\":{\"sha256\":\"" S32
            "\"},\"length\":3,\"custom\":{\"a\":[1,{\"A\":null,\"a\":2}]}}"),
     DOC_OK},
    {"targets", TARGET("{\"hashes\":{\"sha256\":\"" S32 "\"},\"length\":3,\"custom\":{\"a\":0.5}}"),
     DOC_NOT_STRICT},
    {"targets", TARGET("{\"hashes\":{\"sha256\":\"" S32 "\"},\"length\":3,\"Custom\":{}}"),
     DOC_NOT_STRICT},
    {"targets", TARGETS(",\"targets\":{\"v1\":" ENTRY ",\"V1\":" ENTRY "}"), DOC_OK}, /* two tags */
    {"targets", TARGETS(",\"targets\":{\"v1\":" ENTRY ",\"v1\":" ENTRY "}"), DOC_NOT_STRICT},
    {"targets", TARGETS(",\"targets\":{\"v\\u001b[1m\":" ENTRY "}"), DOC_NOT_STRICT},
    {"targets", TARGETS(",\"targets\":{\"v\\u0085\":" ENTRY "}"), DOC_NOT_STRICT},
    {"targets", TARGETS(",\"targets\":{\"\":" ENTRY ",\"a b\":" ENTRY ",\"../x\":" ENTRY "}"),
     DOC_OK},
    /* delegations */
    {"targets",
     DELEGATION("\"name\":\"targets/a\",\"keyids\":[\"k\"],\"threshold\":1,\"paths\":[\"\"]"),
     DOC_OK},
    {"targets", DELEGATION("\"name\":\"targets/a\",\"keyids\":[\"k\"],\"threshold\":1"), DOC_OK},
    {"targets", DELEGATION("\"name\":\"targets/a\",\"keyids\":null,\"threshold\":1"), DOC_OK},
    {"targets", DELEGATION("\"name\":\"targets/a\",\"keyids\":[\"k\"],\"threshold\":9"), DOC_OK},
    {"targets", DELEGATION("\"name\":\"targets/a\",\"keyids\":[\"k\"],\"threshold\":0"),
     DOC_STRUCTURE},
    {"targets", DELEGATION("\"name\":\"targets/a\",\"keyids\":[\"k\"],\"threshold\":\"1\""),
     DOC_STRUCTURE},
    {"targets", DELEGATION("\"name\":\"targets/a\",\"keyids\":[\"k\"]"), DOC_STRUCTURE},
    {"targets", DELEGATION("\"name\":\"targets/a\",\"keyids\":[\"j\"],\"threshold\":1"),
     DOC_STRUCTURE},
    {"targets", DELEGATION("\"name\":\"targets/a/b\",\"keyids\":[\"k\"],\"threshold\":1"),
     DOC_STRUCTURE},
    {"targets", DELEGATION("\"name\":\"targets/../root\",\"keyids\":[\"k\"],\"threshold\":1"),
     DOC_STRUCTURE},
    {"targets", DELEGATION("\"name\":\"root\",\"keyids\":[\"k\"],\"threshold\":1"), DOC_STRUCTURE},
    {"targets", DELEGATION("\"keyids\":[\"k\"],\"threshold\":1"), DOC_STRUCTURE},
    {"targets",
     DELEGATION("\"name\":\"targets/a\",\"keyids\":[\"k\"],\"threshold\":1,\"paths\":\"\""),
     DOC_STRUCTURE},
    {"targets",
     DELEGATION("\"name\":\"targets/a\",\"keyids\":[\"k\"],\"threshold\":1,\"paths\":[1]"),
     DOC_STRUCTURE},
    {"targets",
     DELEGATION("\"name\":\"targets/a\",\"keyids\":[\"k\"],\"threshold\":1,\"paths\":[\"\\n\"]"),
     DOC_NOT_STRICT},
    {"targets",
     DELEGATION("\"name\":\"targets/a\",\"keyids\":[\"k\"],\"threshold\":1},{\"name\":\"targets/"
                "a\",\"keyids\":[\"k\"],\"threshold\":1"),
     DOC_STRUCTURE},
    {"targets/a", DELEGATION("\"name\":\"targets/a/b\",\"keyids\":[\"k\"],\"threshold\":1"),
     DOC_OK},
    {"targets/a", DELEGATION("\"name\":\"targets/b\",\"keyids\":[\"k\"],\"threshold\":1"),
     DOC_STRUCTURE},
    {"targets", TARGETS(",\"delegations\":{\"keys\":{\"k\":{}},\"roles\":[]}"), DOC_STRUCTURE},
    {"targets", TARGETS(",\"delegations\":{\"keys\":[],\"roles\":[]}"), DOC_STRUCTURE},
    {"targets", TARGETS(",\"delegations\":{\"keys\":{},\"roles\":{}}"), DOC_STRUCTURE},
    {"targets", TARGETS(",\"delegations\":{}"), DOC_OK},
    {"targets", TARGETS(",\"delegations\":7"), DOC_STRUCTURE},
    /* root */
    {"root",
     ROOT("\"root\":" ROLE_K ",\"targets\":" ROLE_K ",\"snapshot\":" ROLE_K
          ",\"timestamp\":" ROLE_K),
     DOC_OK},
    {"root",
     ROOT("\"root\":" ROLE_K ",\"targets\":" ROLE_K ",\"snapshot\":" ROLE_K ",\"timestamp\":" ROLE_K
          ",\"mirrors\":7"),
     DOC_OK},
    {"root", ROOT("\"root\":" ROLE_K ",\"targets\":" ROLE_K ",\"timestamp\":" ROLE_K),
     DOC_STRUCTURE},
    {"root",
     ROOT("\"root\":" ROLE_K ",\"targets\":" ROLE_K ",\"snapshot\":" ROLE_K
          ",\"timestamp\":{\"keyids\":[\"k\"],\"threshold\":0}"),
     DOC_STRUCTURE},
    {"root",
     ROOT("\"root\":" ROLE_K ",\"targets\":" ROLE_K ",\"snapshot\":" ROLE_K
          ",\"timestamp\":{\"keyids\":[\"x\"],\"threshold\":1}"),
     DOC_STRUCTURE},
    {"root",
     ROOT("\"root\":" ROLE_K ",\"targets\":" ROLE_K ",\"snapshot\":" ROLE_K
          ",\"Timestamp\":" ROLE_K),
     DOC_STRUCTURE},
    /* snapshot, timestamp */
    {"snapshot", SNAPSHOT("\"root\":" ENTRY ",\"targets\":" ENTRY), DOC_OK},
    {"snapshot",
     SNAPSHOT("\"root\":" ENTRY ",\"targets\":" ENTRY ",\"targets/a\":" ENTRY ",\"timestamp\":7"),
     DOC_OK},
    {"snapshot", SNAPSHOT("\"root\":" ENTRY ",\"targets\":" ENTRY ",\"targets/../root\":" ENTRY),
     DOC_STRUCTURE},
    {"snapshot", SNAPSHOT("\"root\":" ENTRY), DOC_STRUCTURE},
    {"snapshot", SNAPSHOT("\"targets\":" ENTRY), DOC_STRUCTURE},
    {"snapshot",
     SNAPSHOT("\"root\":" ENTRY ",\"targets\":{\"hashes\":{\"sha512\":\"" S64 "\"},\"length\":3}"),
     DOC_STRUCTURE},
    {"snapshot",
     SNAPSHOT("\"root\":" ENTRY ",\"targets\":{\"hashes\":{\"sha256\":\"AAAA\"},\"length\":3}"),
     DOC_STRUCTURE},
    {"timestamp", TIMESTAMP("\"snapshot\":" ENTRY), DOC_OK},
    {"timestamp", TIMESTAMP(""), DOC_STRUCTURE},
    {"timestamp", TIMESTAMP("\"snapshot\":{\"hashes\":{\"sha512\":\"" S64 "\"},\"length\":3}"),
     DOC_STRUCTURE},
};

static void each_fault_has_its_name(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tuf_doc *doc = NULL;
        struct err err = {0};
        enum doc_fault got =
            tuf_doc_read(slice_str(cases[i].role), slice_str(cases[i].text), &doc, &err);
        if (got != cases[i].want) {
            fail_msg("%s %s: fault %d, wanted %d: %s", cases[i].role, cases[i].text, (int)got,
                     (int)cases[i].want, err.msg);
        }
        CHECK_CASE((got == DOC_OK) == (doc != NULL), cases[i].text);
        CHECK_CASE((got == DOC_OK) == (err.code == ERR_NONE), cases[i].text);
        CHECK_CASE(got == DOC_OK || (err.code == ERR_INVALID && err.msg[0]), cases[i].text);
        tuf_doc_free(doc);
    }
}

/* ---- limits: one below, one above ---- */

static void put_repeated(struct buf *b, size_t count, const char *fmt)
{
    for (size_t i = 0; i < count; i++) {
        buf_str(b, i ? "," : "");
        for (const char *p = fmt; *p; p++) {
            if (*p == '#') {
                buf_printf(b, "%zu", i);
            } else {
                buf_char(b, *p);
            }
        }
    }
}

static void counts_are_bounded(void **unused)
{
    static const struct {
        const char *role, *head, *item, *tail;
        size_t max;
    } rows[] = {
        {"targets",
         "{\"signed\":{\"_type\":\"Targets\"," EXPIRES ",\"version\":1},\"signatures\":[",
         "{\"keyid\":\"#\",\"method\":\"ecdsa\",\"sig\":\"AAAA\"}", "]}", 64},
        {"targets",
         "{\"signatures\":[],\"signed\":{\"_type\":\"Targets\"," EXPIRES
         ",\"version\":1,\"delegations\":{\"keys\":{",
         "\"k#\":{\"keytype\":\"ed25519\",\"keyval\":{\"private\":null,\"public\":\"" S32 "\"}}",
         "},\"roles\":[]}}}", 512},
        {"targets",
         "{\"signatures\":[],\"signed\":{\"_type\":\"Targets\"," EXPIRES
         ",\"version\":1,\"delegations\":{\"keys\":{},\"roles\":[",
         "{\"name\":\"targets/d#\",\"keyids\":[],\"threshold\":1}", "]}}}", 512},
        {"targets",
         "{\"signatures\":[],\"signed\":{\"_type\":\"Targets\"," EXPIRES
         ",\"version\":1,\"delegations\":{\"keys\":{},\"roles\":[{\"name\":\"targets/"
         "a\",\"keyids\":[],\"threshold\":1,\"paths\":[",
         "\"p#\"", "]}]}}}", 1024},
        {"targets",
         "{\"signatures\":[],\"signed\":{\"_type\":\"Targets\"," EXPIRES
         ",\"version\":1,\"targets\":{",
         "\"v#\":{\"hashes\":{\"sha256\":\"" S32 "\"},\"length\":1}", "}}}", 100000},
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t over = 0; over < 2; over++) {
            auto_buf struct buf text = {0};
            struct tuf_doc *doc = NULL;
            struct err err = {0};
            buf_str(&text, rows[i].head);
            put_repeated(&text, rows[i].max + over, rows[i].item);
            buf_str(&text, rows[i].tail);
            enum doc_fault got =
                tuf_doc_read(slice_str(rows[i].role), buf_slice_of(&text), &doc, &err);
            if (got != (over ? DOC_STRUCTURE : DOC_OK)) {
                fail_msg("%s, %zu: fault %d: %s", rows[i].item, rows[i].max + over, (int)got,
                         err.msg);
            }
            tuf_doc_free(doc);
        }
    }
}

static void bytes_are_bounded(void **unused)
{
    static const struct {
        const char *role;
        size_t max;
    } rows[] = {
        {"root", 1048576},     {"targets", 16777216}, {"targets/a", 16777216},
        {"snapshot", 1048576}, {"timestamp", 65536},
    };
    static const char good_timestamp[] = TIMESTAMP("\"snapshot\":" ENTRY);
    (void)unused;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(doc_limits_of(role_parse(slice_str(rows[i].role)))->bytes, rows[i].max);
    }
    auto_buf struct buf text = {0};
    struct tuf_doc *doc = NULL;
    buf_str(&text, good_timestamp);
    while (text.n < 65536) {
        buf_char(&text, ' ');
    }
    assert_int_equal(tuf_doc_read(SLICE_LIT("timestamp"), buf_slice_of(&text), &doc, NULL), DOC_OK);
    tuf_doc_free(doc);
    buf_char(&text, ' ');
    assert_int_equal(tuf_doc_read(SLICE_LIT("timestamp"), buf_slice_of(&text), &doc, NULL),
                     DOC_NOT_STRICT);
}

/* A few bytes each, and a gigabyte once parsed. */
static void values_are_counted_before_they_are_built(void **unused)
{
    auto_buf struct buf text = {0};
    struct tuf_doc *doc = NULL;
    (void)unused;
    buf_str(&text, "{\"signatures\":[],\"signed\":{\"_type\":\"Targets\"," EXPIRES
                   ",\"version\":1,\"x\":[");
    put_repeated(&text, 400001, "{}");
    buf_str(&text, "]}}");
    assert_int_equal(tuf_doc_read(SLICE_LIT("targets"), buf_slice_of(&text), &doc, NULL),
                     DOC_NOT_STRICT);
    assert_null(doc);
    /* brackets and commas inside strings are none */
    buf_clear(&text);
    buf_str(&text, "{\"signatures\":[],\"signed\":{\"_type\":\"Targets\"," EXPIRES
                   ",\"version\":1,\"x\":\"\\\"");
    for (int i = 0; i < 400001; i++) {
        buf_str(&text, "[,\\\\");
    }
    buf_str(&text, "\"}}");
    assert_int_equal(tuf_doc_read(SLICE_LIT("targets"), buf_slice_of(&text), &doc, NULL), DOC_OK);
    tuf_doc_free(doc);
}

/* ---- content ---- */

static void a_document_says_what_its_text_says(void **unused)
{
    static const char text[] =
        "{\"signatures\":[{\"keyid\":\"a\",\"method\":\"eddsa\",\"sig\":\"AQID\"},"
        "{\"keyid\":\"a\",\"method\":\"x\",\"sig\":\"\"}],\"signed\":{\"version\":7,"
        "\"_type\":\"Targets\",\"expires\":\"2040-01-01T01:00:00.5+01:00\",\"targets\":{"
        "\"b\":{\"length\":9,\"hashes\":{\"sha256\":\"" S32 "\",\"sha512\":\"" S64 "\"}},"
        "\"a<\":" ENTRY ",\"c\":{\"hashes\":{\"sha256\":\"" S32 "\"}}}}}";
    struct tuf_doc *doc = NULL;
    uint8_t hash[32];
    int64_t us = 0;
    (void)unused;

    assert_int_equal(tuf_doc_read(SLICE_LIT("targets/r"), SLICE_LIT(text), &doc, NULL), DOC_OK);
    assert_string_equal(doc->role, "targets/r");
    assert_int_equal(doc->kind, ROLE_DELEGATION);
    assert_int_equal(doc->version, 7);
    assert_true(time_parse(SLICE_LIT("2040-01-01T00:00:00.5Z"), &us));
    assert_true(doc->expires_us == us);
    assert_string_equal(doc->expires, "2040-01-01T01:00:00.5+01:00");
    assert_true(slice_equal(doc->bytes, SLICE_LIT(text)));
    hash_sha256(SLICE_LIT(text), hash);
    assert_memory_equal(doc->sha256, hash, 32);
    hash_sha256(doc->canonical, hash);
    assert_memory_equal(doc->signed_sha256, hash, 32);
    assert_true(slice_starts(doc->canonical, "{\"_type\":\"Targets\",\"expires\":"));
    assert_int_equal(doc->signature_count, 2);
    assert_true(doc->duplicate_signature);
    assert_true(slice_equal(doc->signatures[0].sig, SLICE_LIT("\1\2\3")));
    assert_int_equal(doc->target_count, 3);
    assert_string_equal(doc->target_list[0].name, "a<");
    const struct tuf_target *b = tuf_doc_target(doc, SLICE_LIT("b"));
    assert_non_null(b);
    assert_true(b->file.has_sha256 && b->file.has_sha512 && b->file.length == 9);
    assert_int_equal(tuf_doc_target(doc, SLICE_LIT("c"))->file.length, -1);
    assert_null(tuf_doc_target(doc, SLICE_LIT("")));
    assert_null(tuf_doc_target(doc, SLICE_LIT("bb")));
    assert_null(tuf_doc_meta(doc, SLICE_LIT("targets")));
    assert_null(tuf_doc_delegation(doc, SLICE_LIT("targets/r/x")));
    tuf_doc_free(doc);
}

static void every_known_hash_must_match(void **unused)
{
    struct tuf_doc *doc = NULL;
    struct tuf_hashes good = {.has_sha256 = true, .has_sha512 = true};
    (void)unused;
    assert_int_equal(tuf_doc_read(SLICE_LIT("targets"), SLICE_LIT(TARGETS("")), &doc, NULL),
                     DOC_OK);
    memcpy(good.sha256, doc->sha256, 32);
    memcpy(good.sha512, doc->sha512, 64);
    good.length = (int64_t)doc->bytes.n;
    assert_true(tuf_hashes_match(&good, doc));
    struct tuf_hashes h = good;
    h.sha512[63] ^= 1;
    assert_false(tuf_hashes_match(&h, doc));
    h.has_sha512 = false;
    assert_true(tuf_hashes_match(&h, doc));
    h.has_sha256 = false;
    assert_false(tuf_hashes_match(&h, doc)); /* no known hash */
    h = good;
    h.sha256[0] ^= 1;
    assert_false(tuf_hashes_match(&h, doc));
    h = good;
    h.length++;
    assert_false(tuf_hashes_match(&h, doc));
    h.length = -1;
    assert_false(tuf_hashes_match(&h, doc));
    tuf_doc_free(doc);
}

/* ---- counting signatures ---- */

#define SIGNERS 3

/* A targets document that delegates targets/a to the given keys, and a document of targets/a that
 * is signed. */
struct counting {
    uint8_t public[SIGNERS][32], secret[SIGNERS][64];
    char id[SIGNERS][KEY_ID_MAX];
    char key[SIGNERS][300]; /* wire object */
};

static void counting_init(struct counting *c)
{
    for (int i = 0; i < SIGNERS; i++) {
        auto_buf struct buf text = {0};
        struct tuf_key *key = NULL;
        assert_int_equal(crypto_sign_keypair(c->public[i], c -> secret[i]), 0);
        base64_encode(&text, slice_of_bytes(c->public[i], 32));
        (void)snprintf(c->key[i], sizeof(c->key[i]),
                       "{\"keytype\":\"ed25519\",\"keyval\":{\"private\":null,\"public\":\"%s\"}}",
                       text.p);
        auto_json json_t *object = json_loads(c->key[i], 0, NULL);
        assert_true(tuf_key_read(object, &key, NULL));
        memcpy(c->id[i], tuf_key_id(key), KEY_ID_MAX);
        tuf_key_free(key);
    }
}

static struct tuf_doc *lister_of(const struct counting *c, const char *listed_as_first,
                                 int threshold)
{
    auto_buf struct buf text = {0};
    struct tuf_doc *doc = NULL;
    const char *first = listed_as_first ? listed_as_first : c->id[0];
    buf_printf(&text,
               "{\"signatures\":[],\"signed\":{\"_type\":\"Targets\"," EXPIRES
               ",\"version\":1,\"delegations\":{\"keys\":{"
               "\"%s\":%s,\"%s\":%s,\"%s\":%s},\"roles\":[{\"name\":\"targets/"
               "a\",\"keyids\":[\"%s\",\"%s\"],\"threshold\":%d}]}}}",
               first, c->key[0], c->id[1], c->key[1], c->id[2], c->key[2], first, c->id[1],
               threshold);
    assert_int_equal(tuf_doc_read(SLICE_LIT("targets"), buf_slice_of(&text), &doc, NULL), DOC_OK);
    return doc;
}

/* Signatures by plan: "0" good by key 0, "x0" bad under key 0's id, "0m" good with another method.
 */
static struct tuf_doc *signed_doc(const struct counting *c, const char *const plan[],
                                  const char *first_id)
{
    static const char part[] = "{\"_type\":\"Targets\"," EXPIRES ",\"version\":1}";
    auto_buf struct buf text = {0};
    struct tuf_doc *doc = NULL;
    buf_printf(&text, "{\"signed\":%s,\"signatures\":[", part);
    for (int i = 0; plan[i]; i++) {
        auto_buf struct buf sig = {0};
        uint8_t raw[64];
        bool bad_one = plan[i][0] == 'x';
        int k = plan[i][bad_one ? 1 : 0] - '0';
        const char *method = strchr(plan[i], 'm') ? "ecdsa" : "eddsa";
        assert_int_equal(crypto_sign_detached(raw, NULL, (const unsigned char *)part, strlen(part),
                                              c->secret[k]),
                         0);
        raw[5] ^= bad_one;
        base64_encode(&sig, slice_of_bytes(raw, 64));
        buf_printf(&text, "%s{\"keyid\":\"%s\",\"method\":\"%s\",\"sig\":\"%s\"}", i ? "," : "",
                   k == 0 && first_id ? first_id : c->id[k], method, sig.p);
    }
    buf_str(&text, "]}");
    assert_int_equal(tuf_doc_read(SLICE_LIT("targets/a"), buf_slice_of(&text), &doc, NULL), DOC_OK);
    return doc;
}

static void signatures_are_counted_by_key(void **unused)
{
    static const struct {
        const char *name;
        const char *plan[6];
        int threshold, valid;
    } rows[] = {
        {"one of one", {"0"}, 1, 1},
        {"none", {NULL}, 1, 0},
        {"two of two", {"0", "1"}, 2, 2},
        {"one of two", {"1"}, 2, 1},
        {"one key twice", {"0", "0"}, 2, 1},
        {"bad, then good, of one key", {"x0", "0"}, 1, 0},
        {"good, then bad, of one key", {"0", "x0"}, 1, 1},
        {"a bad one beside a good one", {"x0", "1"}, 1, 1},
        {"a key that is listed, not of the role", {"2"}, 1, 0},
        {"that key beside a good one", {"2", "0"}, 1, 1},
        {"a method of another key type", {"0m"}, 1, 0},
    };
    struct counting c;
    (void)unused;
    counting_init(&c);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tuf_doc *lister = lister_of(&c, NULL, rows[i].threshold);
        struct tuf_doc *doc = signed_doc(&c, rows[i].plan, NULL);
        struct sig_count count;
        tuf_count_signatures(doc, lister, &lister->delegations[0].keys, NULL, &count);
        CHECK_CASE(count.valid == rows[i].valid && count.signer_count == rows[i].valid,
                   rows[i].name);
        CHECK_CASE(sig_count_met(&count) == (rows[i].valid >= rows[i].threshold), rows[i].name);
        tuf_doc_free(doc);
        tuf_doc_free(lister);
    }
    /* listed under an id that is not the key's own (U29) */
    static const char *const plan[] = {"0", NULL};
    struct tuf_doc *lister = lister_of(&c, "deadbeef", 1);
    struct tuf_doc *doc = signed_doc(&c, plan, "deadbeef");
    struct sig_count count;
    tuf_count_signatures(doc, lister, &lister->delegations[0].keys, NULL, &count);
    assert_int_equal(count.valid, 0);
    assert_null(tuf_doc_key(lister, SLICE_LIT("deadbeef")));
    assert_non_null(tuf_doc_key(lister, slice_str(c.id[1])));
    tuf_doc_free(doc);
    tuf_doc_free(lister);
}

/* One private key under two ids (bare, and as PEM) is one signer (U24). */
static void two_spellings_of_one_key_count_once(void **unused)
{
    static const char part[] = "{\"_type\":\"Targets\"," EXPIRES ",\"version\":1}";
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    unsigned char *der = NULL;
    unsigned char raw_sig[256];
    unsigned char rs[64];
    size_t sig_n = sizeof(raw_sig);
    auto_buf struct buf bare = {0};
    auto_buf struct buf certified = {0};
    auto_buf struct buf lister_text = {0};
    auto_buf struct buf doc_text = {0};
    auto_buf struct buf sig = {0};
    char ids[2][KEY_ID_MAX];
    (void)unused;

    int n = i2d_PUBKEY(pkey, &der);
    tuf_key_write_spki(slice_of_bytes(der, (size_t)n), &bare, ids[0]);
    OPENSSL_free(der);
    der = NULL;
    assert_int_equal(X509_set_version(x, 2), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x), 1), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(x), 0));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(x), 1000));
    assert_int_equal(X509_set_pubkey(x, pkey), 1);
    assert_true(X509_sign(x, pkey, EVP_sha256()) > 0);
    n = i2d_X509(x, &der);
    auto_buf struct buf pem = {0};
    auto_buf struct buf public = {0};
    buf_str(&pem, "-----BEGIN CERTIFICATE-----\n");
    base64_encode(&pem, slice_of_bytes(der, (size_t)n));
    buf_str(&pem, "\n-----END CERTIFICATE-----\n");
    OPENSSL_free(der);
    base64_encode(&public, buf_slice_of(&pem));
    buf_printf(&certified,
               "{\"keytype\":\"ecdsa-x509\",\"keyval\":{\"private\":null,\"public\":\"%s\"}}",
               public.p);
    auto_json json_t *object = json_loads(certified.p, 0, NULL);
    struct tuf_key *key = NULL;
    assert_true(tuf_key_read(object, &key, NULL));
    assert_true(tuf_key_usable(key, NULL));
    memcpy(ids[1], tuf_key_id(key), KEY_ID_MAX);
    tuf_key_free(key);

    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, pkey), 1);
    assert_int_equal(
        EVP_DigestSign(ctx, raw_sig, &sig_n, (const unsigned char *)part, strlen(part)), 1);
    const unsigned char *p = raw_sig;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &p, (long)sig_n);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(pair), rs, 32), 32);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(pair), rs + 32, 32), 32);
    base64_encode(&sig, slice_of_bytes(rs, 64));

    buf_printf(&lister_text,
               "{\"signatures\":[],\"signed\":{\"_type\":\"Targets\"," EXPIRES
               ",\"version\":1,\"delegations\":{\"keys\":{"
               "\"%s\":%s,\"%s\":%s},\"roles\":[{\"name\":\"targets/"
               "a\",\"keyids\":[\"%s\",\"%s\"],\"threshold\":2}]}}}",
               ids[0], bare.p, ids[1], certified.p, ids[0], ids[1]);
    buf_printf(&doc_text,
               "{\"signed\":%s,\"signatures\":[{\"keyid\":\"%s\",\"method\":\"ecdsa\",\"sig\":\"%"
               "s\"},{\"keyid\":\"%s\",\"method\":\"ecdsa\",\"sig\":\"%s\"}]}",
               part, ids[0], sig.p, ids[1], sig.p);
    struct tuf_doc *lister = NULL;
    struct tuf_doc *doc = NULL;
    struct sig_count count;
    assert_int_equal(tuf_doc_read(SLICE_LIT("targets"), buf_slice_of(&lister_text), &lister, NULL),
                     DOC_OK);
    assert_int_equal(tuf_doc_read(SLICE_LIT("targets/a"), buf_slice_of(&doc_text), &doc, NULL),
                     DOC_OK);
    tuf_count_signatures(doc, lister, &lister->delegations[0].keys, NULL, &count);
    assert_int_equal(count.valid, 1);
    assert_false(sig_count_met(&count));
    tuf_doc_free(doc);
    tuf_doc_free(lister);
    ECDSA_SIG_free(pair);
    EVP_MD_CTX_free(ctx);
    X509_free(x);
    EVP_PKEY_free(pkey);
}

/* Each recorded document is signed by the keys that its lister names: three key types, as the real
 * clients made them. */
static void recorded_documents_verify(void **unused)
{
    static const char *const folders[][2] = {
        {"a-client-snapshot", "localhost:5000/ns/app"},
        {"b-server-snapshot", "localhost:5000/ns/app"},
        {"c-root-rotated", "localhost:5000/ns/app"},
        {"d-delegations", "localhost:5000/ns/app"},
        {"f-rsa", "localhost:5000/ns/rsa"},
        {"g-ed25519", "localhost:5000/ns/ed"},
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(folders); i++) {
        static const char *const names[] = {"root", "targets", "snapshot", "timestamp"};
        struct tuf_doc *docs[4] = {NULL};
        for (size_t j = 0; j < COUNT(names); j++) {
            auto_buf struct buf bytes = {0};
            char path[128];
            (void)snprintf(path, sizeof(path), "notary/repo/%s/%s.json", folders[i][0], names[j]);
            vector_bytes(path, &bytes);
            CHECK_CASE(tuf_doc_read(slice_str(names[j]), buf_slice_of(&bytes), &docs[j], NULL) ==
                           DOC_OK,
                       path);
        }
        const struct tuf_role_keys *keys[] = {&docs[0]->root, &docs[0]->targets, &docs[0]->snapshot,
                                              &docs[0]->timestamp};
        struct root_rules rules = {slice_str(folders[i][1]), vectors_now(), true};
        for (size_t j = 0; j < COUNT(names); j++) {
            struct sig_count count;
            tuf_count_signatures(docs[j], docs[0], keys[j], j == 0 ? &rules : NULL, &count);
            CHECK_CASE(sig_count_met(&count), folders[i][0]);
        }
        for (size_t j = 0; j < COUNT(names); j++) {
            tuf_doc_free(docs[j]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_has_its_name),
        cmocka_unit_test(counts_are_bounded),
        cmocka_unit_test(bytes_are_bounded),
        cmocka_unit_test(values_are_counted_before_they_are_built),
        cmocka_unit_test(a_document_says_what_its_text_says),
        cmocka_unit_test(every_known_hash_must_match),
        cmocka_unit_test(signatures_are_counted_by_key),
        cmocka_unit_test(two_spellings_of_one_key_count_once),
        cmocka_unit_test(recorded_documents_verify),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
