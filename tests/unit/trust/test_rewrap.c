/* Another sealing key: what each step leaves, and that every beginning can be ended. */
#include "base/json.h"
#include "storage/trust_key.h"
#include "tests/unit/storage/world.h"
#include "trust/checkpoint_file.h"
#include "trust/keys.h"
#include "trust/rewrap.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEYS 230 /* more than two pages */

struct bench {
    struct world *w;
    char sealing[160], next[170], checkpoint[160];
};

static void bench_make(struct bench *b, struct world *w)
{
    *b = (struct bench){.w = w};
    (void)snprintf(b->sealing, sizeof b->sealing, "%s/sealing.key", w->folder.path);
    (void)snprintf(b->next, sizeof b->next, "%s" SEALING_NEXT_SUFFIX, b->sealing);
    (void)snprintf(b->checkpoint, sizeof b->checkpoint, "%s/checkpoint", w->folder.path);
    OK(trust_sealing_key_create(w->folder.fd, "sealing.key", err));
}

static struct trust *open_trust(const struct bench *b)
{
    struct trust *trust = NULL;
    struct trust_settings settings = {.store = b->w->store,
                                      .host = "registry.example:5443",
                                      .sealing_key_path = b->sealing,
                                      .checkpoint_path = b->checkpoint};
    OK(trust_open(&settings, &trust, err));
    return trust;
}

static void make_keys(const struct bench *b, int count)
{
    struct trust *trust = open_trust(b);
    for (int i = 0; i < count; i++) {
        auto_buf struct buf json = {0};
        struct repo_name repo;
        char text[300];
        (void)snprintf(text, sizeof text, "%s/app%d", b->w->ns.name.text, i);
        OK(repo_name_parse(slice_str(text), &repo, err));
        OK(server_key_current(trust, &repo, i % 2 ? ROLE_SNAPSHOT : ROLE_TIMESTAMP, NULL, T0, &json,
                              err));
    }
    trust_close(trust);
}

static struct sealing *key_at(const char *path)
{
    struct sealing *s = NULL;
    OK(sealing_read(path, &s, err));
    return s;
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* How many of all keys open under this sealing key alone. */
static int opened_by(const struct bench *b, const struct sealing *s)
{
    auto_snapshot struct db_tx *tx = NULL;
    auto_trust_key_page struct trust_key_page page = {0};
    int n = 0;
    OK(db_snapshot(b->w->db, &tx, err));
    OK(trust_key_page_read(tx, false, 0, 10000, &page, err));
    for (size_t i = 0; i < page.count; i++) {
        struct err why = {0};
        n += held_key_opens(s, slice_str(page.items[i].repository), &page.items[i].key, &why);
    }
    return n;
}

static bool checkpoint_under(const struct bench *b, const struct sealing *s)
{
    uint8_t key[CHECKPOINT_KEY_SIZE];
    sealing_derive(s, "chkpoint", key);
    return checkpoint_file_is_under(b->checkpoint, key);
}

static bool rewrap(const struct bench *b, const char *key, struct rewrap_result *out,
                   struct err *err)
{
    const struct rewrap_request request = {.db = b->w->db,
                                           .sealing_path = b->sealing,
                                           .checkpoint_path = b->checkpoint,
                                           .new_key_path = key};
    return trust_rewrap(&request, out, err);
}

static void every_key_moves_and_the_old_one_is_forgotten(void **state)
{
    struct bench b;
    struct rewrap_result result;
    bench_make(&b, *state);
    make_keys(&b, KEYS);
    struct sealing *old = key_at(b.sealing);
    assert_int_equal(opened_by(&b, old), KEYS);
    assert_true(checkpoint_under(&b, old));
    OK(rewrap(&b, NULL, &result, err));
    assert_false(result.resumed);
    assert_int_equal(result.keys, KEYS);
    assert_int_equal(result.rewrapped, KEYS);
    assert_false(exists(b.next));
    struct sealing *new = key_at(b.sealing);
    assert_string_not_equal(sealing_id(old), sealing_id(new));
    assert_int_equal(opened_by(&b, old), 0);
    assert_int_equal(opened_by(&b, new), KEYS);
    assert_false(checkpoint_under(&b, old));
    assert_true(checkpoint_under(&b, new));
    trust_close(open_trust(&b));
    sealing_free(old);
    sealing_free(new);
}

/* The states in which a kill leaves it; in each the server starts and the change ends. */
static void begin_change(const struct bench *b)
{
    OK(trust_sealing_key_create(AT_FDCWD, b->next, err));
}

static void move_some(const struct bench *b, int64_t below_id)
{
    struct sealing *old = key_at(b->sealing), *next = key_at(b->next);
    auto_trust_key_page struct trust_key_page page = {0};
    WRITE(b->w)
    {
        OK(trust_key_page_read(tx, false, 0, 10000, &page, err));
        for (size_t i = 0; i < page.count && page.items[i].key.id < below_id; i++) {
            auto_buf struct buf sealed = {0};
            const struct trust_key *key = &page.items[i].key;
            OK(held_key_reseal(old, next, slice_str(page.items[i].repository), key, &sealed, err));
            OK(trust_key_reseal(tx, key->id, key->sealed_by, buf_slice_of(&sealed),
                                sealing_id(next), err));
        }
    }
    sealing_free(old);
    sealing_free(next);
}

static void move_checkpoint(const struct bench *b)
{
    uint8_t before[CHECKPOINT_KEY_SIZE], after[CHECKPOINT_KEY_SIZE];
    struct sealing *old = key_at(b->sealing), *next = key_at(b->next);
    sealing_derive(old, "chkpoint", before);
    sealing_derive(next, "chkpoint", after);
    OK(checkpoint_file_rekey(b->checkpoint, before, after, err));
    sealing_free(old);
    sealing_free(next);
}

static void ends_well(const struct bench *b, int keys, int64_t left)
{
    struct rewrap_result result;
    struct sealing *next = key_at(b->next);
    struct sealing *both = NULL;
    OK(sealing_read_both(b->sealing, &both, err));
    assert_int_equal(opened_by(b, both), keys); /* whoever starts now signs */
    sealing_free(both);
    struct trust *trust = open_trust(b);
    trust_close(trust);
    OK(rewrap(b, NULL, &result, err));
    assert_true(result.resumed);
    assert_int_equal(result.rewrapped, left);
    assert_int_equal(opened_by(b, next), keys);
    assert_true(checkpoint_under(b, next));
    assert_false(exists(b->next));
    sealing_free(next);
}

static void a_change_that_wrote_the_new_key_only_ends(void **state)
{
    struct bench b;
    bench_make(&b, *state);
    make_keys(&b, 6);
    begin_change(&b);
    ends_well(&b, 6, 6);
}

static void a_change_that_moved_half_of_the_keys_ends(void **state)
{
    struct bench b;
    bench_make(&b, *state);
    make_keys(&b, 6);
    begin_change(&b);
    move_some(&b, 4);
    make_keys(&b, 8); /* a server ran meanwhile, and made two more under the old key */
    ends_well(&b, 8, 5);
}

static void a_change_that_only_lacks_its_last_step_ends(void **state)
{
    struct bench b;
    bench_make(&b, *state);
    make_keys(&b, 6);
    begin_change(&b);
    move_some(&b, INT64_MAX);
    move_checkpoint(&b);
    ends_well(&b, 6, 0);
}

/* Nothing is forgotten while a key would be lost by it. */
static void a_key_that_does_not_open_stops_the_change(void **state)
{
    struct bench b;
    struct rewrap_result result;
    auto_trust_key_page struct trust_key_page page = {0};
    bench_make(&b, *state);
    make_keys(&b, 3);
    struct sealing *old = key_at(b.sealing);
    WRITE(b.w)
    {
        OK(trust_key_page_read(tx, false, 0, 10, &page, err));
        page.items[1].key.sealed.p[40] ^= 1;
        OK(trust_key_reseal(tx, page.items[1].key.id, page.items[1].key.sealed_by,
                            buf_slice_of(&page.items[1].key.sealed), sealing_id(old), err));
    }
    FAILS(ERR_INTERNAL, rewrap(&b, NULL, &result, err));
    assert_true(exists(b.next));
    assert_int_equal(opened_by(&b, old), 2); /* its page was not written */
    assert_true(checkpoint_under(&b, old));
    sealing_free(old);
}

static void a_given_key_is_taken_and_a_change_under_way_keeps_its_own(void **state)
{
    struct bench b;
    struct rewrap_result result;
    char given[160], other[160];
    bench_make(&b, *state);
    make_keys(&b, 2);
    (void)snprintf(given, sizeof given, "%s/given", b.w->folder.path);
    (void)snprintf(other, sizeof other, "%s/other", b.w->folder.path);
    OK(trust_sealing_key_create(AT_FDCWD, given, err));
    OK(trust_sealing_key_create(AT_FDCWD, other, err));
    assert_int_equal(chmod(given, 0644), 0);
    FAILS(ERR_INVALID, rewrap(&b, given, &result, err)); /* others may read it */
    assert_int_equal(chmod(given, 0600), 0);
    FAILS(ERR_INVALID, rewrap(&b, b.sealing, &result, err)); /* the one in use */
    assert_false(exists(b.next));
    begin_change(&b);
    FAILS(ERR_CONFLICT, rewrap(&b, other, &result, err));
    assert_int_equal(unlink(b.next), 0);
    OK(rewrap(&b, given, &result, err));
    struct sealing *g = key_at(given), *now = key_at(b.sealing);
    assert_string_equal(sealing_id(g), sealing_id(now));
    assert_int_equal(opened_by(&b, g), 2);
    sealing_free(g);
    sealing_free(now);
}

/* What a version before this one stored: a box under the sealing key itself, bound to nothing. */
static void what_an_earlier_version_sealed_is_bound_at_the_start(void **state)
{
    struct bench b;
    auto_trust_key_page struct trust_key_page page = {0}, unbound = {0};
    uint8_t raw[SEALING_KEY_SIZE], nonce[crypto_secretbox_NONCEBYTES] = {7}, box[512];
    struct unsealed plain;
    bench_make(&b, *state);
    make_keys(&b, 2);
    struct sealing *s = key_at(b.sealing);
    int fd = open(b.sealing, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, raw, sizeof raw), sizeof raw);
    (void)close(fd);
    WRITE(b.w)
    {
        OK(trust_key_page_read(tx, false, 0, 1, &page, err));
        const struct trust_key *key = &page.items[0].key;
        const struct seal_place place = {slice_str(page.items[0].repository), key->role,
                                         key->key_id};
        OK(sealing_unseal(s, &place, key->sealed_by, buf_slice_of(&key->sealed), &plain, err));
        auto_buf struct buf old = {0};
        assert_int_equal(crypto_secretbox_easy(box, plain.p, plain.n, nonce, raw), 0);
        buf_put(&old, nonce, sizeof nonce);
        buf_put(&old, box, plain.n + crypto_secretbox_MACBYTES);
        unsealed_dispose(&plain);
        OK(trust_key_reseal(tx, key->id, key->sealed_by, buf_slice_of(&old), "", err));
    }
    assert_int_equal(opened_by(&b, s), 1); /* nothing signs with it as it is */
    trust_close(open_trust(&b));
    assert_int_equal(opened_by(&b, s), 2);
    WRITE(b.w)
    {
        OK(trust_key_page_read(tx, true, 0, 10, &unbound, err));
    }
    assert_int_equal(unbound.count, 0);
    sealing_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(every_key_moves_and_the_old_one_is_forgotten),
        WORLD_TEST(a_change_that_wrote_the_new_key_only_ends),
        WORLD_TEST(a_change_that_moved_half_of_the_keys_ends),
        WORLD_TEST(a_change_that_only_lacks_its_last_step_ends),
        WORLD_TEST(a_key_that_does_not_open_stops_the_change),
        WORLD_TEST(a_given_key_is_taken_and_a_change_under_way_keeps_its_own),
        WORLD_TEST(what_an_earlier_version_sealed_is_bound_at_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
