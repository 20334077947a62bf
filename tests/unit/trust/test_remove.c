/* Deleting namespaces over a checkpoint: what is refused in one does not hold up another. */
#include "storage/removal.h"
#include "tests/unit/trust/bench.h"
#include "trust/acknowledge.h"
#include "trust/remove.h"
#include "trust/trust_internal.h"

/* The checkpoint has seen more of the repository than the store holds. */
static void set_back(struct bench *b, const char *repo)
{
    struct repo_name name = repo_of(repo);
    struct trust_role_life_list lives = {0};
    struct repository row;
    READ(b->w)
    {
        OK(repository_get(tx, &name, &row, err));
        OK(trust_role_lives(tx, row.id, &lives, err));
    }
    for (size_t i = 0; i < lives.count; i++) {
        lives.items[i].version++;
    }
    checkpoint_note(b->trust->checkpoint, &name, &lives);
    OK(checkpoint_flush(b->trust->checkpoint, err));
    trust_role_life_list_dispose(&lives);
    server_restart(b);
}

static void delete_namespace(struct bench *b, const char *ns)
{
    json_t *result = NULL;
    const struct remove_request rq = {.namespace_ = ns_of(ns),
                                      .keep_pins = true,
                                      .may_wipe = true,
                                      .actor = &b->w->alice,
                                      .now_us = b->now_us};
    OK(trust_remove_namespace(b->trust, &rq, &result, err));
    json_decref(result);
}

/* How many repositories of deleted namespaces are not marked yet. */
static int unmarked(struct bench *b)
{
    int n = 0;
    READ(b->w)
    {
        struct namespace_removal r = {0};
        bool found = true;
        OK(namespace_removal_next(tx, 0, &r, &found, err));
        while (found) {
            int64_t id = 0;
            bool any = false;
            OK(namespace_removal_repository(tx, &r, &id, &any, err));
            n += any;
            OK(namespace_removal_next(tx, r.namespace_id, &r, &found, err));
        }
    }
    return n;
}

static void make_namespace(struct bench *b, const char *ns)
{
    struct namespace made;
    struct namespace_name name = ns_of(ns);
    WRITE(b->w)
    {
        OK(namespace_create(tx, &name, VISIBILITY_PRIVATE, b->w->alice.account_id, b->now_us, &made,
                            err));
    }
}

/* NS/app, with a certificate of its own for the root key. */
static void begin_in(struct bench *b, const char *ns)
{
    char gun[64], repo[64], word[32];
    struct made_key root;
    (void)snprintf(gun, sizeof gun, HOST "/%s/*", ns);
    (void)snprintf(repo, sizeof repo, "%s/app", ns);
    made_cert_new(&root, keys.root.pkey, gun, -86400, 86400 * 3650L);
    make_namespace(b, ns);
    assert_string_equal(begin_with(b, repo, &root, true, word), "");
    made_key_free(&root);
}

static void a_suspect_repository_holds_up_its_own_namespace_only(void **state)
{
    struct bench b;
    char word[32];
    bool more = true;
    bench_open_kept(&b, *state);
    assert_string_equal(begin_with(&b, "ns/app", &keys.root, true, word), "");
    begin_in(&b, "other");
    begin_in(&b, "third");
    set_back(&b, "ns/app");
    delete_namespace(&b, "ns"); /* the oldest: its turn comes first */
    delete_namespace(&b, "other");
    delete_namespace(&b, "third");
    assert_int_equal(unmarked(&b), 3);

    FAILS(ERR_CONFLICT, trust_remove_step(b.trust, b.now_us, 1, &more, err));
    assert_true(more); /* as many as one step may, of the others */
    assert_int_equal(unmarked(&b), 2);
    FAILS(ERR_CONFLICT, trust_remove_step(b.trust, b.now_us, 100, &more, err));
    assert_false(more);
    assert_int_equal(unmarked(&b), 1); /* none of them waits for the one that is refused */

    json_t *result = NULL;
    const struct acknowledge_request acknowledge = {
        .repo = repo_of("ns/app"), .reason = "restored", .actor = &b.w->alice, .now_us = b.now_us};
    OK(trust_acknowledge(b.trust, &acknowledge, &result, err));
    json_decref(result);
    OK(trust_remove_step(b.trust, b.now_us, 100, &more, err));
    assert_false(more);
    assert_int_equal(unmarked(&b), 0);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(a_suspect_repository_holds_up_its_own_namespace_only),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
