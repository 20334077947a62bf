#include "auth/hasher.h"
#include "auth/password.h"
#include "tests/unit/base/check.h"

#include <pthread.h>
#include <sodium.h>

/* The cheapest that libsodium takes: the code is the same. */
static const struct password_cost cheap = {.opslimit = 1, .memlimit = 8192};

static void hashed_and_verified(void **state)
{
    (void)state;
    char hash[PASSWORD_PHC_MAX];
    char again[PASSWORD_PHC_MAX];
    assert_true(password_hash(SLICE_LIT("correct horse battery"), cheap, hash, NULL));
    assert_true(password_hash(SLICE_LIT("correct horse battery"), cheap, again, NULL));
    assert_true(slice_starts(slice_str(hash), "$argon2id$v=19$m=8,t=1,p=1$"));
    assert_string_not_equal(hash, again); /* salted */
    assert_int_equal(password_verify(hash, SLICE_LIT("correct horse battery")), PASSWORD_RIGHT);
    assert_int_equal(password_verify(hash, SLICE_LIT("correct horse batterY")), PASSWORD_WRONG);
    assert_int_equal(password_verify(hash, SLICE_LIT("correct horse batter")), PASSWORD_WRONG);
    assert_int_equal(password_verify(hash, SLICE_LIT("correct horse battery\0")), PASSWORD_WRONG);
    assert_int_equal(password_verify(hash, (struct slice){NULL, 0}), PASSWORD_WRONG);
    assert_false(password_needs_rehash(hash, cheap));
    assert_true(password_needs_rehash(hash, password_cost_default()));
}

static void never_truncated(void **state)
{
    (void)state;
    char hash[PASSWORD_PHC_MAX];
    char text[PASSWORD_BYTES_MAX + 1];
    struct err err = {0};
    memset(text, 'x', sizeof(text));
    assert_true(password_hash((struct slice){text, PASSWORD_BYTES_MAX}, cheap, hash, &err));
    assert_int_equal(password_verify(hash, (struct slice){text, PASSWORD_BYTES_MAX}),
                     PASSWORD_RIGHT);
    assert_int_equal(password_verify(hash, (struct slice){text, PASSWORD_BYTES_MAX - 1}),
                     PASSWORD_WRONG);
    assert_int_equal(password_verify(hash, (struct slice){text, PASSWORD_BYTES_MAX + 1}),
                     PASSWORD_WRONG);
    assert_false(password_hash((struct slice){text, PASSWORD_BYTES_MAX + 1}, cheap, hash, &err));
    assert_int_equal(err.code, ERR_INVALID);
}

static void broken_hashes(void **state)
{
    (void)state;
    static const char *const hashes[] = {
        "", "$argon2id$", "x", "$argon2i$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$AAAA",
        "$argon2id$v=19$m=99999999,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$AAAA"};
    for (size_t i = 0; i < COUNT(hashes); i++) {
        CHECK_CASE(password_verify(hashes[i], SLICE_LIT("")) == PASSWORD_WRONG, hashes[i]);
    }
}

struct policy_case {
    const char *password;
    bool good;
};

/* For alice.miller@example.org. */
static const struct policy_case policies[] = {
    {"correct horse battery", true},
    {"fifteen-letters", true}, /* exactly 15 */
    {"fourteen-chars", false}, /* 14 */
    {"\xC3\xA4\xC3\xB6\xC3\xBC\xC3\x9F gr\xC3\xBC\xC3\x9F dich!",
     true}, /* 15 code points, more bytes */
    {"\xC3\xA4\xC3\xB6\xC3\xBC\xC3\x9F\xC3\xA4\xC3\xB6\xC3\xBC\xC3\x9F",
     false}, /* 16 bytes, 8 code points */
    {"839201745928374", true},
    {"password for Tuesdays only", true}, /* more than the word */
    {"aaaaaaaaaaaaaaaaaaaa", false},
    {"abababababababababab", false},
    {"abcdefghijklmnopqrs", false},
    {"123456789012345", false},
    {"passwordpassword", false},
    {"Password123456!", false},
    {"bondstorebondstore", false},
    {"Bondstore-2026!!", false},
    {"alice.milleralice.miller", false},
    {"Alice.Miller2026", false},
    {"qwertyuiopqwerty", false},
    {"has a\ttab inside it", false},
    {"has a\nnew line inside", false},
    {"ill formed \xC3 utf-8 text", false},
    {"", false},
};

static void policy(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(policies); i++) {
        struct err err = {0};
        bool good =
            password_acceptable(slice_str(policies[i].password), "alice.miller@example.org", &err);
        CHECK_CASE(good == policies[i].good, policies[i].password);
        CHECK_CASE(good || (err.code == ERR_INVALID && err.msg[0]), policies[i].password);
    }
    assert_true(password_acceptable(SLICE_LIT("alice.milleralice.miller"), NULL, NULL));
    auto_free char *longest = malloc(PASSWORD_BYTES_MAX + 1);
    for (size_t i = 0; i <= PASSWORD_BYTES_MAX; i++) {
        longest[i] = "kdjfhqpwoeiruty"[i % 15];
    }
    assert_true(password_acceptable((struct slice){longest, PASSWORD_BYTES_MAX}, NULL, NULL));
    assert_false(password_acceptable((struct slice){longest, PASSWORD_BYTES_MAX + 1}, NULL, NULL));
}

static void default_cost(void **state)
{
    (void)state;
    char hash[PASSWORD_PHC_MAX];
    assert_true(
        password_hash(SLICE_LIT("correct horse battery"), password_cost_default(), hash, NULL));
    assert_true(slice_starts(slice_str(hash), "$argon2id$v=19$m=65536,t=3,p=1$"));
}

static void under_a_slot(void **state)
{
    (void)state;
    struct hasher *h = hasher_new(&(struct hasher_options){.slots = 1, .cost = cheap});
    char hash[PASSWORD_PHC_MAX];
    struct err err = {0};
    assert_true(hasher_hash(h, SLICE_LIT("correct horse battery"), hash, &err));
    assert_int_equal(hasher_verify(h, hash, SLICE_LIT("correct horse battery")), HASHER_RIGHT);
    assert_int_equal(hasher_verify(h, hash, SLICE_LIT("wrong")), HASHER_WRONG);
    assert_int_equal(hasher_verify(h, NULL, SLICE_LIT("correct horse battery")), HASHER_WRONG);
    assert_int_equal(hasher_verify(h, NULL, SLICE_LIT("a password that nobody has")), HASHER_WRONG);
    hasher_free(h);
}

struct crowd {
    struct hasher *h;
    char hash[PASSWORD_PHC_MAX];
    pthread_mutex_t lock;
    int right, busy;
};

static void *one_of_the_crowd(void *arg)
{
    struct crowd *c = arg;
    enum hasher_result result = hasher_verify(c->h, c->hash, SLICE_LIT("correct horse battery"));
    pthread_mutex_lock(&c->lock);
    c->right += result == HASHER_RIGHT;
    c->busy += result == HASHER_BUSY;
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

/* One slot, one may wait, and not for long: the others are told to come again, nobody is told
 * wrong. */
static void crowded(void **state)
{
    (void)state;
    enum { PEOPLE = 12 };
    struct password_cost slow = {.opslimit = 4, .memlimit = (size_t)16 << 20};
    struct crowd c = {.h = hasher_new(&(struct hasher_options){
                          .slots = 1, .queue = 1, .wait_us = 1000, .cost = slow}),
                      .lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t people[PEOPLE];
    assert_true(hasher_hash(c.h, SLICE_LIT("correct horse battery"), c.hash, NULL));
    for (int i = 0; i < PEOPLE; i++) {
        assert_int_equal(pthread_create(&people[i], NULL, one_of_the_crowd, &c), 0);
    }
    for (int i = 0; i < PEOPLE; i++) {
        assert_int_equal(pthread_join(people[i], NULL), 0);
    }
    assert_int_equal(c.right + c.busy, PEOPLE);
    assert_true(c.right >= 1);
    assert_true(c.busy >= 1);
    assert_int_equal(hasher_verify(c.h, c.hash, SLICE_LIT("correct horse battery")),
                     HASHER_RIGHT); /* no slot is lost */
    hasher_free(c.h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashed_and_verified),
        cmocka_unit_test(never_truncated),
        cmocka_unit_test(broken_hashes),
        cmocka_unit_test(policy),
        cmocka_unit_test(default_cost),
        cmocka_unit_test(under_a_slot),
        cmocka_unit_test(crowded),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
