/* Server keys: sealing, signing, the key file, the documents that the server signs. */
#include "base/json.h"
#include "storage/trust_key.h"
#include "tests/unit/base/check.h"
#include "trust/keys.h"
#include "trust/verify/canon.h"

static void key_path(const struct folder *f, const char *name, char *out, size_t n)
{
    (void)snprintf(out, n, "%s/%s", f->path, name);
}

static struct sealing *sealing_of(const struct folder *f, const char *name)
{
    char path[128];
    struct sealing *s = NULL;
    struct err err = {0};
    key_path(f, name, path, sizeof path);
    assert_true(trust_sealing_key_create(f->fd, name, &err));
    if (!sealing_read(path, &s, &err)) {
        fail_msg("%s", err.msg);
    }
    return s;
}

static const struct repo_name app = {.text = "demo/app", .n = 8}, web = {.text = "demo/web", .n = 8};

static void make_key(const struct sealing *s, struct trust_key *out)
{
    struct err err = {0};
    struct held_key made;
    assert_true(held_key_make(s, &app, "timestamp", &made, &err));
    *out = (struct trust_key){.role = "timestamp",
                              .public_der = made.public_der,
                              .sealed = made.sealed}; /* taken over */
    memcpy(out->key_id, made.id, sizeof made.id);
    (void)snprintf(out->sealed_by, sizeof out->sealed_by, "%s", sealing_id(s));
}

static struct tuf_key *public_key(const struct trust_key *key)
{
    auto_buf struct buf json = {0};
    auto_json json_t *object = NULL;
    struct tuf_key *read = NULL;
    char id[KEY_ID_MAX];
    tuf_key_write_spki(buf_slice_of(&key->public_der), &json, id);
    assert_string_equal(id, key->key_id);
    assert_true(json_read(buf_slice_of(&json), 8, &object, NULL));
    assert_true(tuf_key_read(object, &read, NULL));
    assert_string_equal(tuf_key_id(read), id);
    return read;
}

static void a_sealed_key_signs_what_its_public_half_verifies(void **unused)
{
    struct folder f;
    auto_trust_key struct trust_key key = {0};
    auto_buf struct buf sig = {0};
    struct err err = {0};
    (void)unused;
    folder_make(&f);
    struct sealing *s = sealing_of(&f, "key");
    make_key(s, &key);
    struct tuf_key *pub = public_key(&key);
    assert_true(held_key_sign(s, &app, &key, SLICE_LIT("hello"), &sig, &err));
    assert_int_equal(sig.n, 64);
    assert_int_equal(
        tuf_key_verify(pub, SLICE_LIT("ecdsa"), buf_slice_of(&sig), SLICE_LIT("hello")),
        SIG_ACCEPT);
    assert_int_equal(
        tuf_key_verify(pub, SLICE_LIT("ecdsa"), buf_slice_of(&sig), SLICE_LIT("hellp")),
        SIG_REJECT);
    tuf_key_free(pub);
    sealing_free(s);
    folder_remove(&f);
}

static void another_sealing_key_opens_nothing(void **unused)
{
    struct folder f;
    auto_trust_key struct trust_key key = {0};
    auto_buf struct buf sig = {0};
    struct err err = {0};
    (void)unused;
    folder_make(&f);
    struct sealing *a = sealing_of(&f, "a"), *b = sealing_of(&f, "b");
    make_key(a, &key);
    assert_false(held_key_sign(b, &app, &key, SLICE_LIT("x"), &sig, &err));
    assert_int_equal(err.code, ERR_INTERNAL);
    key.sealed.p[key.sealed.n - 1] ^= 1; /* one bit of the box */
    assert_false(held_key_sign(a, &app, &key, SLICE_LIT("x"), &sig, &err));
    key.sealed.n = 20; /* shorter than any box */
    assert_false(held_key_sign(a, &app, &key, SLICE_LIT("x"), &sig, &err));
    assert_int_equal(sig.n, 0);
    sealing_free(a);
    sealing_free(b);
    folder_remove(&f);
}

static void refuses_to_sign(const struct sealing *s, const struct repo_name *repo,
                            const struct trust_key *key)
{
    auto_buf struct buf sig = {0};
    struct err err = {0};
    assert_false(held_key_sign(s, repo, key, SLICE_LIT("x"), &sig, &err));
    assert_int_equal(err.code, ERR_INTERNAL);
    assert_int_equal(sig.n, 0);
}

/* notary-api 8: bound to (GUN, role). Each row below is what somebody with the database could make. */
static void a_sealed_key_opens_only_in_its_place(void **unused)
{
    struct folder f;
    auto_trust_key struct trust_key key = {0}, other = {0};
    (void)unused;
    folder_make(&f);
    struct sealing *s = sealing_of(&f, "key");
    make_key(s, &key);
    make_key(s, &other);
    refuses_to_sign(s, &web, &key); /* the row of another repository */
    (void)snprintf(key.role, sizeof key.role, "snapshot");
    refuses_to_sign(s, &app, &key); /* of another role */
    (void)snprintf(key.role, sizeof key.role, "timestamp");
    struct buf own = key.sealed;
    key.sealed = other.sealed;
    refuses_to_sign(s, &app, &key); /* of another key of the same role */
    key.sealed = own;
    struct buf public_der = key.public_der;
    key.public_der = other.public_der;
    refuses_to_sign(s, &app, &key); /* a public half that is not its own */
    key.public_der = public_der;
    key.sealed_by[0] = '\0';
    refuses_to_sign(s, &app, &key); /* said to be of an earlier version */
    (void)snprintf(key.sealed_by, sizeof key.sealed_by, "%s", sealing_id(s));
    struct err err = {0};
    assert_true(held_key_opens(s, repo_name_slice(&app), &key, &err)); /* nothing was spoilt */
    sealing_free(s);
    folder_remove(&f);
}

static void a_second_key_file_opens_too_and_never_seals(void **unused)
{
    struct folder f;
    auto_trust_key struct trust_key under_a = {0}, under_b = {0}, made = {0};
    struct err err = {0};
    (void)unused;
    folder_make(&f);
    struct sealing *a = sealing_of(&f, "a"), *b = sealing_of(&f, "b");
    make_key(a, &under_a);
    make_key(b, &under_b);
    refuses_to_sign(a, &app, &under_b);
    sealing_accept(a, b);
    assert_true(held_key_opens(a, repo_name_slice(&app), &under_a, &err));
    assert_true(held_key_opens(a, repo_name_slice(&app), &under_b, &err));
    refuses_to_sign(a, &web, &under_b); /* bound under that one too */
    make_key(a, &made);
    refuses_to_sign(b, &app, &made);
    sealing_free(a);
    folder_remove(&f);
}

static void the_private_half_is_not_in_what_is_stored(void **unused)
{
    struct folder f;
    auto_trust_key struct trust_key one = {0}, two = {0};
    (void)unused;
    folder_make(&f);
    struct sealing *s = sealing_of(&f, "key");
    make_key(s, &one);
    make_key(s, &two);
    assert_string_not_equal(one.key_id, two.key_id);
    /* The curve's OID stands in every unsealed private key (RFC 5915). */
    static const char oid[] = "\x2a\x86\x48\xce\x3d\x03\x01\x07";
    assert_null(memmem(one.sealed.p, one.sealed.n, oid, sizeof oid - 1));
    assert_non_null(memmem(one.public_der.p, one.public_der.n, oid, sizeof oid - 1));
    sealing_free(s);
    folder_remove(&f);
}

static void the_key_file_is_checked(void **unused)
{
    struct folder f;
    char path[128];
    struct sealing *s = NULL;
    struct err err = {0};
    (void)unused;
    folder_make(&f);
    key_path(&f, "key", path, sizeof path);
    assert_false(sealing_read(path, &s, &err)); /* missing */
    assert_int_equal(err.code, ERR_INVALID);
    assert_non_null(strstr(err.msg, path));
    assert_true(trust_sealing_key_create(f.fd, "key", &err));
    assert_false(trust_sealing_key_create(f.fd, "key", &err)); /* never replaced */
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_int_equal(chmod(path, 0640), 0);
    assert_false(sealing_read(path, &s, &err));
    assert_non_null(strstr(err.msg, "chmod 600"));
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(truncate(path, 31), 0);
    assert_false(sealing_read(path, &s, &err));
    assert_int_equal(truncate(path, 33), 0);
    assert_false(sealing_read(path, &s, &err));
    assert_null(s);
    folder_remove(&f);
}

static void a_signed_document_reads_and_verifies(void **unused)
{
    struct folder f;
    auto_trust_key struct trust_key key = {0};
    auto_buf struct buf wire = {0};
    struct err err = {0};
    struct tuf_doc *doc = NULL;
    (void)unused;
    folder_make(&f);
    struct sealing *s = sealing_of(&f, "key");
    make_key(s, &key);
    auto_json json_t *part =
        json_pack("{s:s, s:s, s:I, s:{s:{s:{s:s}, s:i}}}", "_type", "Timestamp", "expires",
                  "2030-01-01T00:00:00Z", "version", (json_int_t)1, "meta", "snapshot", "hashes",
                  "sha256", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "length", 1);
    const struct trust_key *keys[] = {&key};
    assert_true(trust_sign_document(s, &app, part, keys, 1, &wire, &err));
    assert_int_equal(tuf_doc_read(SLICE_LIT("timestamp"), buf_slice_of(&wire), &doc, &err), DOC_OK);
    assert_int_equal(doc->signature_count, 1);
    struct tuf_key *pub = public_key(&key);
    assert_int_equal(
        tuf_key_verify(pub, doc->signatures[0].method, doc->signatures[0].sig, doc->canonical),
        SIG_ACCEPT);
    tuf_key_free(pub);
    tuf_doc_free(doc);
    sealing_free(s);
    folder_remove(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sealed_key_signs_what_its_public_half_verifies),
        cmocka_unit_test(another_sealing_key_opens_nothing),
        cmocka_unit_test(a_sealed_key_opens_only_in_its_place),
        cmocka_unit_test(a_second_key_file_opens_too_and_never_seals),
        cmocka_unit_test(the_private_half_is_not_in_what_is_stored),
        cmocka_unit_test(the_key_file_is_checked),
        cmocka_unit_test(a_signed_document_reads_and_verifies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
