/* Policies that name CAs for root keys, over a real store (allow_root_ca; gate.md 8, 11.1): who may
 * begin a repository, who may go on with it, and what a change of the policy does to what is stored. */
#include "storage/policy.h"
#include "storage/trust_pin.h"
#include "tests/unit/trust/bench.h"
#include "tests/unit/trust/issued.h"
#include "trust/plan.h"
#include "trust/roots.h"
#include "trust/wipe.h"

#include <stdio.h>

#define EVERY_REPO HOST "/ns/*"

_Static_assert(ISSUED_NOW == T0, "certificates are dated around the bench's time");

static struct {
    struct issued ca, twin, one, two, stranger;
    struct made_key key_one, key_two, key_stranger; /* by ca, by ca, by twin */
} issuers;

static void leaf(struct issued *out, struct made_key *key, const struct issued *by)
{
    issue(out, &(struct issuing){.name = EVERY_REPO, .by = by, .basic = BASIC_LEAF});
    issued_key(key, (const struct issued *const[]){out, NULL});
}

static int make_issuers(void **state)
{
    issue(&issuers.ca, &(struct issuing){.name = "Team CA", .basic = BASIC_CA});
    issue(&issuers.twin, &(struct issuing){.name = "Team CA", .basic = BASIC_CA});
    leaf(&issuers.one, &issuers.key_one, &issuers.ca);
    leaf(&issuers.two, &issuers.key_two, &issuers.ca);
    leaf(&issuers.stranger, &issuers.key_stranger, &issuers.twin);
    return make_keys(state);
}

static int free_issuers(void **state)
{
    issued_free(&issuers.ca);
    issued_free(&issuers.twin);
    issued_free(&issuers.one);
    issued_free(&issuers.two);
    issued_free(&issuers.stranger);
    made_key_free(&issuers.key_one);
    made_key_free(&issuers.key_two);
    made_key_free(&issuers.key_stranger);
    return free_keys(state);
}

/* A policy that names the CA (NULL: none) and lists the key (NULL: none). New text. */
static void policy_text(const struct issued *ca, const struct made_key *key, struct buf *out)
{
    auto_json json_t *policy = json_pack("{s:[], s:[]}", "allow_roots", "allow_root_ca");
    char text[ROOT_KEY_TEXT_SIZE];
    if (ca) {
        issued_list(json_object_get(policy, "allow_root_ca"), ca);
    }
    if (key) {
        struct spki spki = spki_of(key);
        json_array_append_new(json_object_get(policy, "allow_roots"),
                              json_string(trust_root_key_format(spki.sha256, text)));
    }
    json_write(out, policy);
}

static void set_policy(struct bench *b, const struct issued *ca, const struct made_key *key)
{
    auto_buf struct buf text = {0};
    policy_text(ca, key, &text);
    WRITE(b->w)
    {
        OK(policy_row_put(tx, "ns", buf_slice_of(&text), &b->w->alice, b->now_us, err));
    }
}

static size_t keys_of_namespace(struct bench *b)
{
    auto_pin_list struct pin_list set = {0};
    READ(b->w)
    {
        OK(namespace_root_list(tx, b->w->ns.id, &set, err));
    }
    return set.count;
}

/* Root `version` by these keys, all of which sign, and those of `also`. */
static const char *next_root(struct bench *b, int64_t version, const struct made_key *const list[],
                             int threshold, const struct made_key *also, char word[32])
{
    struct made m = {.count = 0};
    json_t *part = root_of(b, version, list, threshold, &keys.targets);
    struct made_doc *doc = made_add(&m, "root", part, list[0]);
    size_t n = 1;
    for (; list[n]; n++) {
        doc->signers[n] = list[n];
    }
    doc->signers[n] = also;
    return publish_as(b, "ns/app", &m, true, word);
}

static const char *only(struct bench *b, int64_t version, const struct made_key *key,
                        const struct made_key *also, char word[32])
{
    const struct made_key *const list[] = {key, NULL};
    return next_root(b, version, list, 1, also, word);
}

static struct digest sign_app(struct bench *b, const struct made_key *root)
{
    struct made m;
    struct digest one = push_image(b->w, "{}", "one");
    move_tag(b, "v1", &one);
    begin(b, "ns/app", root, &one, size_of(b, &one), &m);
    publish(b, &m);
    REASON_OF(ask_tag(b, &deployer, "v1"), ALLOWED);
    return one;
}

static void a_ca_says_who_may_begin(void **state)
{
    struct bench b;
    char word[32];
    bench_open(&b, *state);
    set_policy(&b, &issuers.ca, NULL);
    /* owners are bound too */
    assert_string_equal(begin_with(&b, "ns/app", &keys.root, true, word), "ErrBadRoot");
    assert_string_equal(begin_with(&b, "ns/app", &issuers.key_stranger, true, word), "ErrBadRoot");
    assert_string_equal(begin_with(&b, "ns/app", &issuers.key_one, false, word), "");
    assert_string_equal(begin_with(&b, "ns/b", &issuers.key_two, false, word), "");
    assert_int_equal(keys_of_namespace(&b), 0); /* the CA is the list */
    bench_close(&b);
}

static void a_key_of_the_list_or_under_a_ca_is_enough(void **state)
{
    struct bench b;
    struct made m;
    char word[32];
    const struct made_key *const mixed[] = {&issuers.key_one, &keys.root, NULL};
    const struct made_key *const *const lists[] = {
        mixed, (const struct made_key *const[]){&issuers.key_one, &keys.root2, NULL},
        (const struct made_key *const[]){&keys.root, &issuers.key_stranger, NULL}};
    bench_open(&b, *state);
    set_policy(&b, &issuers.ca, &keys.root);
    assert_string_equal(begin_with(&b, "ns/a", &keys.root, false, word), "");
    assert_string_equal(begin_with(&b, "ns/b", &issuers.key_one, false, word), "");
    assert_string_equal(begin_with(&b, "ns/c", &keys.root2, true, word), "ErrBadRoot");
    for (size_t i = 0; i < COUNT(lists); i++) { /* of two that are needed, each one counts */
        begin(&b, "ns/app", lists[i][0], NULL, 0, &m);
        json_decref(m.docs[0].part);
        m.docs[0].part = root_of(&b, 1, lists[i], 2, &keys.targets);
        m.docs[0].signers[1] = lists[i][1];
        assert_string_equal(publish_as(&b, "ns/app", &m, true, word), i == 0 ? "" : "ErrBadRoot");
        if (i == 0) {
            struct wipe_request wipe = {.namespace_ = ns_of("ns"),
                                        .repo = repo_of("ns/app"),
                                        .reason = "",
                                        .actor = &b.w->alice,
                                        .now_us = b.now_us};
            json_t *result = NULL;
            OK(trust_wipe(b.trust, &wipe, &result, err));
            json_decref(result);
        }
    }
    bench_close(&b);
}

/* A client with a CA pin holds every root against it; the server does no less. */
static void a_rotation_stays_under_the_ca(void **state)
{
    struct bench b;
    char word[32];
    bench_open(&b, *state);
    set_policy(&b, &issuers.ca, NULL);
    (void)sign_app(&b, &issuers.key_one);
    assert_string_equal(only(&b, 2, &keys.root, &issuers.key_one, word), "ErrBadRoot");
    assert_string_equal(only(&b, 2, &issuers.key_stranger, &issuers.key_one, word), "ErrBadRoot");
    assert_string_equal(only(&b, 2, &issuers.key_one, NULL, word), ""); /* as when a server key changes */
    assert_string_equal(only(&b, 3, &issuers.key_two, &issuers.key_one, word), "");
    sign_again(&b, 2, NULL, NULL, 0);
    /* a stranger that the root lists beside a key of the CA does not carry on alone */
    const struct made_key *const both[] = {&issuers.key_two, &keys.root, NULL};
    const struct made_key *const strangers[] = {&keys.root, NULL};
    assert_string_equal(next_root(&b, 4, both, 1, NULL, word), "");
    struct made m = {.count = 0};
    (void)made_add(&m, "root", root_of(&b, 5, both, 1, &keys.targets), strangers[0]);
    assert_string_equal(publish_as(&b, "ns/app", &m, true, word), "ErrBadRoot");
    bench_close(&b);
}

static void what_is_signed_outlives_a_change_of_the_policy(void **state)
{
    struct bench b;
    char word[32];
    bench_open(&b, *state);
    (void)sign_app(&b, &keys.root);
    set_policy(&b, &issuers.ca, NULL);
    REASON_OF(ask_tag(&b, &deployer, "v1"), ALLOWED);
    sign_again(&b, 2, NULL, NULL, 0); /* without a root nothing of roots is asked */
    assert_string_equal(only(&b, 2, &keys.root, NULL, word), "ErrBadRoot");
    set_policy(&b, &issuers.ca, &keys.root);
    assert_string_equal(only(&b, 2, &keys.root, NULL, word), "");
    assert_string_equal(only(&b, 3, &issuers.key_one, &keys.root, word), "");
    set_policy(&b, &issuers.twin, NULL); /* another CA from now on */
    sign_again(&b, 3, NULL, NULL, 0);
    assert_string_equal(only(&b, 4, &issuers.key_two, &issuers.key_one, word), "ErrBadRoot");
    set_policy(&b, NULL, NULL); /* none: the chain of roots alone */
    assert_string_equal(only(&b, 4, &issuers.key_stranger, &issuers.key_one, word), "");
    bench_close(&b);
}

static void a_kept_pin_and_a_ca_hold_together(void **state)
{
    struct bench b;
    char word[32];
    json_t *result = NULL;
    bench_open(&b, *state);
    set_policy(&b, &issuers.ca, NULL);
    (void)sign_app(&b, &issuers.key_one);
    struct wipe_request wipe = {.namespace_ = ns_of("ns"),
                                        .repo = repo_of("ns/app"),
                                .keep_pin = true,
                                .reason = "",
                                .actor = &b.w->alice,
                                .now_us = b.now_us};
    OK(trust_wipe(b.trust, &wipe, &result, err));
    json_decref(result);
    assert_string_equal(begin_with(&b, "ns/app", &issuers.key_two, true, word), "ErrBadRoot");
    set_policy(&b, &issuers.twin, NULL);
    assert_string_equal(begin_with(&b, "ns/app", &issuers.key_one, true, word), "ErrBadRoot");
    set_policy(&b, &issuers.ca, NULL);
    assert_string_equal(begin_with(&b, "ns/app", &issuers.key_one, true, word), "");
    bench_close(&b);
}

/* --- the plan --------------------------------------------------------------------------------- */

struct told {
    char repos[4][REPO_NAME_MAX + 1];
    int count;
};

static void note_root(void *arg, const struct plan_root *root)
{
    struct told *told = arg;
    assert_true(told->count < 4);
    assert_int_equal(root->key_count, 1);
    (void)snprintf(told->repos[told->count++], sizeof told->repos[0], "%s", root->repo->text);
}

static void note_image(void *arg, const struct plan_finding *f)
{
    (void)arg;
    fail_msg("%s: its images go on", f->repo->text);
}

static struct told plan_roots(struct bench *b, const struct issued *ca, int findings)
{
    struct told told = {.count = 0};
    struct plan_place place = {.repo = ""};
    auto_buf struct buf text = {0};
    bool done = false;
    policy_text(ca, NULL, &text);
    for (int pages = 0; !done && pages < 20; pages++) {
        const struct plan plan = {.scope = "ns",
                                  .policy = buf_slice_of(&text),
                                  .policy_scope = "ns",
                                  .namespace_id = b->w->repo.namespace_id,
                                  .pulled_since_us = 1,
                                  .now_us = b->now_us};
        struct plan_budget budget = {.looks = findings, .findings = findings};
        READ(b->w)
        {
            OK(plan_page(b->trust, tx, &plan, &place, &budget, note_image, note_root, &told, &done,
                         err));
        }
    }
    assert_true(done);
    return told;
}

static void a_plan_tells_whose_next_root_would_be_refused(void **state)
{
    struct bench b;
    char word[32];
    bench_open(&b, *state);
    (void)sign_app(&b, &keys.root);
    assert_string_equal(begin_with(&b, "ns/b", &issuers.key_one, true, word), "");
    assert_string_equal(begin_with(&b, "ns/c", &issuers.key_stranger, true, word), "");
    for (int findings = 1; findings <= 1000; findings += 999) { /* page by page too */
        struct told told = plan_roots(&b, &issuers.ca, findings);
        assert_int_equal(told.count, 2);
        assert_string_equal(told.repos[0], "ns/app");
        assert_string_equal(told.repos[1], "ns/c");
    }
    assert_int_equal(plan_roots(&b, NULL, 1000).count, 0);
    set_policy(&b, &issuers.ca, NULL);
    assert_int_equal(plan_roots(&b, &issuers.ca, 1000).count, 0); /* they are refused already */
    struct told told = plan_roots(&b, &issuers.twin, 1000);
    assert_int_equal(told.count, 1);
    assert_string_equal(told.repos[0], "ns/b");
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(a_ca_says_who_may_begin),
        WORLD_TEST(a_key_of_the_list_or_under_a_ca_is_enough),
        WORLD_TEST(a_rotation_stays_under_the_ca),
        WORLD_TEST(what_is_signed_outlives_a_change_of_the_policy),
        WORLD_TEST(a_kept_pin_and_a_ca_hold_together),
        WORLD_TEST(a_plan_tells_whose_next_root_would_be_refused),
    };
    return cmocka_run_group_tests(tests, make_issuers, free_issuers);
}
