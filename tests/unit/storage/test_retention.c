/* Retention: what is kept and why, that the decision is taken again when it is carried out, and what
 * goes with a tag. */
#include "base/duration.h"
#include "storage/audit.h"
#include "storage/gc.h"
#include "storage/pull.h"
#include "storage/release.h"
#include "storage/retention.h"
#include "storage/role_target.h"
#include "storage/trust_doc.h"
#include "tests/unit/storage/rules.h"

#define DAY (24 * HOUR)
#define NOW (T0 + 1000 * DAY)

static bool no_grace(struct db_tx *tx, const struct repo_name *repo, int64_t *us_out,
                     struct err *err)
{
    (void)tx;
    (void)repo;
    (void)err;
    *us_out = 0;
    return true;
}

static bool grace_of_30_days(struct db_tx *tx, const struct repo_name *repo, int64_t *us_out,
                             struct err *err)
{
    bool done = no_grace(tx, repo, us_out, err);
    *us_out = 30 * DAY;
    return done;
}

static bool grace_for_ever(struct db_tx *tx, const struct repo_name *repo, int64_t *us_out,
                           struct err *err)
{
    bool done = no_grace(tx, repo, us_out, err);
    *us_out = DURATION_FOREVER;
    return done;
}

/* --- the scene -------------------------------------------------------------------------------- */

/* Sets a tag so many days before NOW. */
static void set_tag(struct world *w, const char *name, const struct digest *digest, int age_days)
{
    struct err why = {0};
    struct tag_name tag = tag_of(name);
    struct tag_write t = {.w = w, .tag = &tag, .digest = digest, .now_us = NOW - age_days * DAY};
    if (!db_write(w->db, write_tag, &t, &why)) {
        fail_msg("%s: %s", name, why.msg);
    }
}

/* An image of its own under a tag. */
static struct digest tag_image(struct world *w, const char *name, const char *layer, int age_days)
{
    struct digest d = push_image(w, "{}", layer);
    set_tag(w, name, &d, age_days);
    return d;
}

struct run {
    int tags, manifests;
};

/* Steps until there is nothing to do. */
static struct run steps(struct retention *r, int64_t now_us)
{
    struct run sum = {0};
    struct retention_result result = {.more = true};
    while (result.more) {
        OK(retention_step(r, now_us, &result, err));
        sum.tags += result.tags;
        sum.manifests += result.manifests;
    }
    return sum;
}

static struct run a_round(struct world *w, retention_grace_fn grace, int64_t now_us)
{
    struct retention *r = retention_new(w->store, grace, DAY);
    struct run sum = steps(r, now_us);
    retention_free(r);
    return sum;
}

static enum retention_reason reason_of(struct world *w, retention_grace_fn grace, const char *tag)
{
    enum retention_reason reason = RETENTION_REASON_COUNT;
    READ(w)
    {
        auto_tag_rule_set struct tag_rule_set set = {0};
        auto_retention_lines struct retention_lines lines = {0};
        OK(tag_rule_set_get(tx, w->ns.id, &set, err));
        OK(retention_preview(tx, w->ns.id, &set, grace, SLICE_LIT(""), SLICE_LIT(""), 1000, NOW,
                             &lines, err));
        for (size_t i = 0; i < lines.count; i++) {
            if (strcmp(lines.items[i].item.name.text, tag) == 0) {
                reason = lines.items[i].verdict.reason;
            }
        }
    }
    return reason;
}

#define REASON_IS(w, grace, tag, want)                                                             \
    do {                                                                                           \
        enum retention_reason got_ = reason_of(w, grace, tag);                                     \
        if (got_ != (want)) {                                                                      \
            fail_msg("%s: %s", tag, retention_reason_word(got_));                                  \
        }                                                                                          \
    } while (0)

static bool exists(struct world *w, const char *tag)
{
    struct tag found;
    return has_tag(w, tag, &found);
}

/* --- rules ------------------------------------------------------------------------------------ */

static void the_newest_stay_and_the_others_go(void **state)
{
    struct world *w = *state;
    set_rules(w, "[{\"name\":\"r\",\"tag\":\"n-*\",\"keep\":{\"newest\":2}}]");
    struct digest a = tag_image(w, "n-a", "aaa", 5), b = tag_image(w, "n-b", "bbb", 4);
    tag_image(w, "n-c", "ccc", 3);
    tag_image(w, "n-d", "ddd", 6);
    tag_image(w, "other", "eee", 9);
    struct run r = a_round(w, no_grace, NOW);
    assert_int_equal(r.tags, 2);
    assert_int_equal(r.manifests, 2);
    assert_true(exists(w, "n-b") && exists(w, "n-c") && exists(w, "other"));
    assert_false(exists(w, "n-a") || exists(w, "n-d"));
    assert_false(has_manifest(w, &a));
    assert_true(has_manifest(w, &b));
}

static void tags_of_the_same_moment_stay_together(void **state)
{
    struct world *w = *state;
    set_rules(w, "[{\"name\":\"r\",\"tag\":\"*\",\"keep\":{\"newest\":1}}]");
    struct digest d = tag_image(w, "a", "aaa", 3);
    set_tag(w, "b", &d, 3);
    set_tag(w, "c", &d, 4);
    assert_int_equal(a_round(w, no_grace, NOW).tags, 1);
    assert_true(exists(w, "a") && exists(w, "b"));
}

static void the_newest_are_those_that_the_rule_decides_about(void **state)
{
    struct world *w = *state;
    set_rules(w, "[{\"name\":\"first\",\"tag\":\"n-*\",\"keep\":{\"newest\":1}},"
                 "{\"name\":\"rest\",\"tag\":\"*\",\"keep\":{\"newest\":1}}]");
    tag_image(w, "n-1", "aaa", 1);
    tag_image(w, "n-2", "bbb", 2);
    tag_image(w, "x-3", "ccc", 3);
    tag_image(w, "x-4", "ddd", 4);
    assert_int_equal(a_round(w, no_grace, NOW).tags, 2);
    assert_true(exists(w, "n-1") && exists(w, "x-3"));
}

static void immutable_tags_take_no_place_among_the_newest(void **state)
{
    struct world *w = *state;
    set_rules(w, "[{\"name\":\"rest\",\"tag\":\"*\",\"keep\":{\"newest\":1}},"
                 "{\"name\":\"fixed\",\"tag\":\"v*\",\"immutable\":true}]");
    tag_image(w, "v1", "aaa", 1);
    tag_image(w, "v2", "bbb", 2);
    tag_image(w, "x", "ccc", 3);
    tag_image(w, "y", "ddd", 4);
    REASON_IS(w, no_grace, "x", KEPT_NEWEST);
    assert_int_equal(a_round(w, no_grace, NOW).tags, 1);
    assert_true(exists(w, "v1") && exists(w, "v2") && exists(w, "x") && !exists(w, "y"));
}

static void each_repository_counts_for_itself(void **state)
{
    struct world *w = *state;
    struct repo_name name = repo_of("ns/other");
    struct repository mine = w->repo, other;
    set_rules(w, "[{\"name\":\"r\",\"tag\":\"*\",\"keep\":{\"newest\":1}}]");
    tag_image(w, "old", "aaa", 9);
    WRITE(w)
    {
        OK(repository_ensure(tx, &name, T0, &other, NULL, err));
        struct blob blob;
        struct digest c = digest_of(SLICE_LIT("{}")), l = digest_of(SLICE_LIT("aaa"));
        OK(blob_mount(tx, other.id, mine.id, &c, DAY, T0, &blob, err));
        OK(blob_mount(tx, other.id, mine.id, &l, DAY, T0, &blob, err));
    }
    w->repo = other;
    auto_buf struct buf text = {0};
    struct digest c = digest_of(SLICE_LIT("{}")), l = digest_of(SLICE_LIT("aaa"));
    image_text(&text, &c, &l, "");
    struct digest image = store_manifest(w, TYPE_IMAGE, buf_slice_of(&text));
    set_tag(w, "new", &image, 1);
    assert_int_equal(a_round(w, no_grace, NOW).tags, 0);
    w->repo = mine;
    assert_true(exists(w, "old"));
}

static void the_young_stay(void **state)
{
    struct world *w = *state;
    set_rules(w, "[{\"name\":\"r\",\"tag\":\"*\",\"keep\":{\"younger_than\":\"10d\"}}]");
    tag_image(w, "nine", "aaa", 9);
    tag_image(w, "ten", "bbb", 10);
    tag_image(w, "eleven", "ccc", 11);
    REASON_IS(w, no_grace, "nine", KEPT_YOUNGER);
    REASON_IS(w, no_grace, "ten", RETENTION_GOES);
    assert_int_equal(a_round(w, no_grace, NOW).tags, 2);
    assert_true(exists(w, "nine"));
}

static void one_condition_is_enough(void **state)
{
    struct world *w = *state;
    set_rules(w,
              "[{\"name\":\"r\",\"tag\":\"*\",\"keep\":{\"newest\":1,\"younger_than\":\"5d\"}}]");
    tag_image(w, "a", "aaa", 1);
    tag_image(w, "b", "bbb", 4);
    tag_image(w, "c", "ccc", 6);
    REASON_IS(w, no_grace, "a", KEPT_NEWEST);
    REASON_IS(w, no_grace, "b", KEPT_YOUNGER);
    REASON_IS(w, no_grace, "c", RETENTION_GOES);
}

static void what_no_rule_matches_and_what_is_immutable_stays(void **state)
{
    struct world *w = *state;
    tag_image(w, "v1", "aaa", 900);
    tag_image(w, "x", "bbb", 900);
    tag_image(w, "latest", "ccc", 900);
    tag_image(w, "v2", "ddd", 1);
    set_rules(w, "[{\"name\":\"old\",\"tag\":\"v*\",\"keep\":{\"younger_than\":\"1d\"}},"
                 "{\"name\":\"fixed\",\"tag\":\"v*\",\"immutable\":true},"
                 "{\"name\":\"rest\",\"repository\":\"ns/app\",\"tag\":\"x*\",\"keep\":"
                 "{\"younger_than\":\"1d\"}}]");
    REASON_IS(w, no_grace, "v1", KEPT_IMMUTABLE);
    REASON_IS(w, no_grace, "latest", KEPT_NO_RULE);
    REASON_IS(w, no_grace, "x", RETENTION_GOES);
    assert_int_equal(a_round(w, no_grace, NOW).tags, 1);
    assert_true(exists(w, "v1") && exists(w, "latest") && !exists(w, "x"));
}

/* --- pulls ------------------------------------------------------------------------------------ */

#define PULLED "[{\"name\":\"r\",\"tag\":\"*\",\"keep\":{\"pulled_within\":\"10d\"}}]"

static void pull(struct world *w, const struct digest *digest, int64_t at_us)
{
    bool more = true;
    struct pull_log *log = pull_log_new();
    pull_log_note(log, w->repo.id, digest, at_us);
    OK(pull_log_write(log, w->db, 100, at_us, &more, err));
    assert_false(more);
    pull_log_free(log);
}

static void what_was_pulled_lately_stays(void **state)
{
    struct world *w = *state;
    set_rules(w, PULLED);
    struct digest a = tag_image(w, "used", "aaa", 90), b = tag_image(w, "idle", "bbb", 90);
    tag_image(w, "new", "ccc", 9);
    tag_image(w, "never", "ddd", 90);
    pull(w, &b, NOW - 11 * DAY);
    pull(w, &a, NOW - 9 * DAY);
    REASON_IS(w, no_grace, "used", KEPT_PULLED);
    REASON_IS(w, no_grace, "idle", RETENTION_GOES);
    REASON_IS(w, no_grace, "never", RETENTION_GOES);
    REASON_IS(w, no_grace, "new", KEPT_YOUNGER);
}

static void nothing_goes_before_pulls_were_noted_for_long_enough(void **state)
{
    struct world *w = *state;
    set_rules(w, PULLED);
    struct digest a = tag_image(w, "a", "aaa", 90);
    REASON_IS(w, no_grace, "a", KEPT_PULLS_UNKNOWN);
    struct digest unknown = digest_of(SLICE_LIT("nothing"));
    pull(w, &unknown, NOW - 9 * DAY); /* noted since then */
    REASON_IS(w, no_grace, "a", KEPT_PULLS_UNKNOWN);
    assert_int_equal(a_round(w, no_grace, NOW).tags, 0);
    assert_int_equal(a_round(w, no_grace, NOW + 2 * DAY).tags, 1);
    assert_false(has_manifest(w, &a));
}

static void a_pull_of_a_platform_is_one_of_its_index(void **state)
{
    struct world *w = *state;
    set_rules(w, PULLED);
    struct digest child = push_image(w, "{}", "aaa");
    struct digest index = push_index(w, &child, IMAGE_TEXT_SIZE, TYPE_IMAGE);
    set_tag(w, "multi", &index, 90);
    struct digest other = tag_image(w, "x", "bbb", 90);
    pull(w, &other, NOW - 20 * DAY);
    REASON_IS(w, no_grace, "multi", RETENTION_GOES);
    pull(w, &child, NOW - DAY);
    REASON_IS(w, no_grace, "multi", KEPT_PULLED);
}

static void an_older_pull_does_not_take_back_a_newer_one(void **state)
{
    struct world *w = *state;
    int64_t last = 0;
    struct digest a = tag_image(w, "a", "aaa", 90);
    pull(w, &a, NOW - DAY);
    pull(w, &a, NOW - 50 * DAY);
    READ(w)
    {
        OK(pull_last(tx, w->repo.id, &a, &last, err));
    }
    assert_int_equal(last, NOW - DAY);
}

/* --- signatures ------------------------------------------------------------------------------- */

#define OLD "[{\"name\":\"r\",\"tag\":\"*\",\"keep\":{\"younger_than\":\"1d\"}}]"

static void sign_in(struct db_tx *tx, int64_t repository_id, const char *role, int64_t version,
                    const struct role_target_entry *entry, int64_t now_us)
{
    struct trust_doc_new doc = {
        .role = slice_str(role), .version = version, .bytes = slice_str(role)};
    hash_sha256(doc.bytes, doc.sha256);
    doc.sha256[0] = (uint8_t)version;
    hash_sha256(slice_str(role), doc.signed_sha256);
    OK(trust_doc_put(tx, repository_id, &doc, now_us, err));
    OK(role_target_update(tx, repository_id, doc.role, version, entry, entry ? 1 : 0, NULL, 0,
                          now_us, err));
}

/* Version `version` of a role lists this and nothing else; NULL: nothing. */
static void sign(struct world *w, const char *role, int64_t version,
                 const struct role_target_entry *entry, int64_t now_us)
{
    WRITE(w)
    {
        sign_in(tx, w->repo.id, role, version, entry, now_us);
    }
}

static void what_is_signed_stays_by_tag_and_by_digest(void **state)
{
    struct world *w = *state;
    set_rules(w, OLD);
    struct digest a = tag_image(w, "by-digest", "aaa", 90);
    tag_image(w, "by-tag", "bbb", 90);
    tag_image(w, "neither", "ccc", 90);
    struct role_target_entry digest = {.tag = SLICE_LIT("gone"), .sha256 = a, .length = 1};
    struct role_target_entry tag = {.tag = SLICE_LIT("by-tag"), .length = 1};
    tag.sha256 = digest_of(SLICE_LIT("something else"));
    sign(w, "targets/alice", 1, &digest, T0);
    sign(w, "targets", 1, &tag, T0);
    REASON_IS(w, no_grace, "by-digest", KEPT_SIGNED);
    REASON_IS(w, no_grace, "by-tag", KEPT_SIGNED);
    REASON_IS(w, no_grace, "neither", RETENTION_GOES);
    assert_int_equal(a_round(w, no_grace, NOW).tags, 1);
    assert_true(has_manifest(w, &a));
}

static void a_target_that_lists_the_other_hash_keeps_too(void **state)
{
    struct world *w = *state;
    set_rules(w, OLD);
    auto_manifest struct manifest *m = NULL;
    struct digest a = tag_image(w, "a", "aaa", 90);
    READ(w)
    {
        OK(manifest_get(tx, w->repo.id, &a, &m, err));
    }
    struct role_target_entry entry = {.tag = SLICE_LIT("gone"), .length = m->info.size};
    hash_bytes(DIGEST_SHA512, manifest_content(m), &entry.sha512);
    sign(w, "targets", 1, &entry, T0);
    REASON_IS(w, no_grace, "a", KEPT_SIGNED);
}

static void what_was_signed_stays_for_the_grace(void **state)
{
    struct world *w = *state;
    set_rules(w, OLD);
    struct digest a = tag_image(w, "a", "aaa", 90);
    struct role_target_entry entry = {.tag = SLICE_LIT("v"), .sha256 = a, .length = 1};
    sign(w, "targets", 1, &entry, NOW - 50 * DAY);
    sign(w, "targets", 2, NULL, NOW - 30 * DAY);
    REASON_IS(w, grace_of_30_days, "a", KEPT_GRACE);
    REASON_IS(w, grace_for_ever, "a", KEPT_GRACE);
    REASON_IS(w, no_grace, "a", RETENTION_GOES);
    assert_int_equal(a_round(w, grace_of_30_days, NOW).tags, 0);
    assert_int_equal(a_round(w, grace_of_30_days, NOW + DAY).tags, 1);
}

static void release(struct world *w, const struct digest *digest)
{
    struct release r = {.namespace_id = w->ns.id,
                        .service = {"web"},
                        .repository_id = w->repo.id,
                        .repository = "ns/app",
                        .digest = *digest};
    WRITE(w)
    {
        OK(release_add(tx, &r, &w->alice, NOW, err));
    }
}

static void the_current_release_of_a_service_stays_by_tag_and_by_digest(void **state)
{
    struct world *w = *state;
    set_rules(w, OLD);
    struct digest a = tag_image(w, "a", "aaa", 90);
    struct digest b = tag_image(w, "b", "bbb", 0);
    release(w, &a);
    REASON_IS(w, no_grace, "a", KEPT_RELEASE);
    assert_int_equal(a_round(w, no_grace, NOW).tags, 0);
    assert_true(has_manifest(w, &a));
    release(w, &b);
    REASON_IS(w, no_grace, "a", RETENTION_GOES);
    assert_int_equal(a_round(w, no_grace, NOW + DAY).manifests, 1);
    assert_false(has_manifest(w, &a));
}

static void a_signature_attached_by_a_tag_stays_with_its_image(void **state)
{
    struct world *w = *state;
    char hex[DIGEST_STR_MAX], name[200];
    set_rules(w, "[{\"name\":\"r\",\"tag\":\"*\",\"keep\":{\"newest\":1}}]");
    struct digest image = tag_image(w, "image", "aaa", 50);
    (void)snprintf(name, sizeof(name), "sha256-%s.sig", digest_hex(&image, hex));
    tag_image(w, name, "sig", 40);
    tag_image(w, "older", "bbb", 60);
    REASON_IS(w, no_grace, name, KEPT_ATTACHED);
    REASON_IS(w, no_grace, "image", KEPT_NEWEST); /* the signature does not take its place */
    assert_int_equal(a_round(w, no_grace, NOW).tags, 1);
    struct err why = {0};
    assert_true(delete_manifest(w, &image, &why));
    tag_image(w, "newer", "ccc", 1);
    REASON_IS(w, no_grace, name, RETENTION_GOES);
}

/* --- what goes with a tag ---------------------------------------------------------------------- */

static void a_manifest_with_another_tag_stays(void **state)
{
    struct world *w = *state;
    set_rules(w, "[{\"name\":\"r\",\"tag\":\"x*\",\"keep\":{\"younger_than\":\"1d\"}}]");
    struct digest a = tag_image(w, "x", "aaa", 90);
    set_tag(w, "kept", &a, 90);
    struct run r = a_round(w, no_grace, NOW);
    assert_int_equal(r.tags, 1);
    assert_int_equal(r.manifests, 0);
    assert_true(has_manifest(w, &a) && exists(w, "kept"));
}

static void children_go_with_their_last_index_and_referrers_with_their_subject(void **state)
{
    struct world *w = *state;
    set_rules(w, "[{\"name\":\"r\",\"tag\":\"x*\",\"keep\":{\"younger_than\":\"1d\"}}]");
    struct digest child = push_image(w, "{}", "aaa");
    struct digest index = push_index(w, &child, IMAGE_TEXT_SIZE, TYPE_IMAGE);
    struct digest sbom = push_referrer(w, &index, "sbm");
    struct digest of_sbom = push_referrer(w, &sbom, "sig");
    struct digest kept = push_referrer(w, &child, "own");
    set_tag(w, "x", &index, 90);
    set_tag(w, "report", &kept, 90);
    struct run r = a_round(w, no_grace, NOW);
    assert_int_equal(r.tags, 1);
    assert_int_equal(r.manifests, 4);
    assert_false(has_manifest(w, &child) || has_manifest(w, &index) || has_manifest(w, &sbom) ||
                 has_manifest(w, &of_sbom));
    assert_true(has_manifest(w, &kept));
    /* and then what they alone named */
    struct digest layer = digest_of(SLICE_LIT("aaa")), own = digest_of(SLICE_LIT("own"));
    struct gc_result collected;
    OK(gc_run(w->store, NOW + 2 * DAY, 100, &collected, err));
    assert_false(has_blob(w, &layer));
    assert_true(has_blob(w, &own));
}

static void a_child_of_an_index_that_stays_stays(void **state)
{
    struct world *w = *state;
    set_rules(w, "[{\"name\":\"r\",\"tag\":\"x*\",\"keep\":{\"younger_than\":\"1d\"}}]");
    struct digest child = push_image(w, "{}", "aaa");
    struct digest index = push_index(w, &child, IMAGE_TEXT_SIZE, TYPE_IMAGE);
    set_tag(w, "x-child", &child, 90);
    set_tag(w, "multi", &index, 90);
    struct run r = a_round(w, no_grace, NOW);
    assert_int_equal(r.tags, 1);
    assert_int_equal(r.manifests, 0);
    assert_true(has_manifest(w, &child));
}

static void a_signed_child_stays_until_it_is_signed_no_more(void **state)
{
    struct world *w = *state;
    set_rules(w, OLD);
    struct digest child = push_image(w, "{}", "aaa");
    struct digest index = push_index(w, &child, IMAGE_TEXT_SIZE, TYPE_IMAGE);
    struct role_target_entry entry = {.tag = SLICE_LIT("v"), .sha256 = child, .length = 1};
    set_tag(w, "multi", &index, 90);
    sign(w, "targets", 1, &entry, T0);
    assert_int_equal(a_round(w, no_grace, NOW).manifests, 1);
    assert_true(has_manifest(w, &child) && !has_manifest(w, &index));
    sign(w, "targets", 2, NULL, NOW);
    assert_int_equal(a_round(w, no_grace, NOW + 2 * DAY).manifests, 1);
    assert_false(has_manifest(w, &child));
}

static bool grace_of_other_repositories(struct db_tx *tx, const struct repo_name *repo,
                                        int64_t *us_out, struct err *err)
{
    return slice_is(repo_name_slice(repo), "ns/app") ? err_set(err, ERR_INTERNAL, "it fails")
                                                     : no_grace(tx, repo, us_out, err);
}

static void a_repository_that_fails_is_passed_over_once_a_round(void **state)
{
    struct world *w = *state;
    struct retention_result result = {.more = true};
    struct err why = {0};
    int failures = 0;
    set_rules(w, OLD);
    tag_image(w, "a", "aaa", 90);
    struct retention *r = retention_new(w->store, grace_of_other_repositories, DAY);
    while (result.more) {
        failures += !retention_step(r, NOW, &result, &why);
    }
    retention_free(r);
    assert_int_equal(failures, 1);
    assert_true(exists(w, "a"));
    assert_int_equal(a_round(w, no_grace, NOW + DAY).tags, 1);
}

/* --- what happens meanwhile --------------------------------------------------------------------
 * The grace is asked for once when a repository is taken up, and again in the transaction that
 * removes, before anything is decided: there the second call does what somebody else might have
 * committed just before. */

struct meanwhile {
    struct world *w;
    void (*happens)(struct world *w, struct db_tx *tx);
    int calls;
};
static struct meanwhile meanwhile;

static bool grace_meanwhile(struct db_tx *tx, const struct repo_name *repo, int64_t *us_out,
                            struct err *err)
{
    if (++meanwhile.calls == 2) {
        meanwhile.happens(meanwhile.w, tx);
    }
    return no_grace(tx, repo, us_out, err);
}

static struct run a_round_meanwhile(struct world *w,
                                    void (*happens)(struct world *w, struct db_tx *tx))
{
    meanwhile = (struct meanwhile){.w = w, .happens = happens};
    struct run r = a_round(w, grace_meanwhile, NOW);
    assert_true(meanwhile.calls >= 2);
    return r;
}

static void move_a(struct world *w, struct db_tx *tx)
{
    struct tag_name a = tag_of("a");
    struct tag b;
    struct tag_name other = tag_of("b");
    OK(tag_get(tx, w->repo.id, &other, &b, err));
    OK(tag_put(tx, w->repo.id, &a, &b.digest, &w->alice, NOW, NULL, err));
}

static void a_tag_that_was_moved_meanwhile_stays(void **state)
{
    struct world *w = *state;
    set_rules(w, OLD);
    tag_image(w, "a", "aaa", 90);
    tag_image(w, "b", "bbb", 90);
    assert_int_equal(a_round_meanwhile(w, move_a).tags, 1);
    assert_true(exists(w, "a") && !exists(w, "b"));
}

static void sign_a(struct world *w, struct db_tx *tx)
{
    struct tag_name name = tag_of("a");
    struct tag a;
    OK(tag_get(tx, w->repo.id, &name, &a, err));
    struct role_target_entry entry = {.tag = SLICE_LIT("v"), .sha256 = a.digest, .length = 1};
    sign_in(tx, w->repo.id, "targets/releases", 1, &entry, NOW);
}

static void a_tag_that_was_signed_meanwhile_stays(void **state)
{
    struct world *w = *state;
    set_rules(w, OLD);
    tag_image(w, "a", "aaa", 90);
    tag_image(w, "b", "bbb", 90);
    assert_int_equal(a_round_meanwhile(w, sign_a).tags, 1);
    assert_true(exists(w, "a") && !exists(w, "b"));
}

static void fix_a(struct world *w, struct db_tx *tx)
{
    auto_tag_rule_list struct tag_rule_list rules = {0};
    rules_read("[{\"name\":\"fixed\",\"tag\":\"a\",\"immutable\":true},"
               "{\"name\":\"r\",\"tag\":\"*\",\"keep\":{\"younger_than\":\"1d\"}}]",
               &rules);
    OK(tag_rule_set_put(tx, w->ns.id, &rules, &w->alice, NOW, err));
}

static void rules_that_were_changed_meanwhile_hold(void **state)
{
    struct world *w = *state;
    set_rules(w, OLD);
    tag_image(w, "a", "aaa", 90);
    tag_image(w, "b", "bbb", 90);
    assert_int_equal(a_round_meanwhile(w, fix_a).tags, 1);
    assert_true(exists(w, "a") && !exists(w, "b"));
}

static void remove_newest(struct world *w, struct db_tx *tx)
{
    struct tag_name newest = tag_of("newest");
    OK(tag_delete(tx, w->repo.id, &newest, &w->alice, NOW, err));
}

static void the_next_newest_takes_the_place_of_one_that_was_removed_meanwhile(void **state)
{
    struct world *w = *state;
    set_rules(w, "[{\"name\":\"r\",\"tag\":\"*\",\"keep\":{\"newest\":1}}]");
    tag_image(w, "newest", "aaa", 1);
    tag_image(w, "next", "bbb", 2);
    tag_image(w, "last", "ccc", 3);
    assert_int_equal(a_round_meanwhile(w, remove_newest).tags, 1);
    assert_true(exists(w, "next") && !exists(w, "last"));
}

static void tag_a_manifest_again(struct world *w, struct db_tx *tx)
{
    struct digest d = digest_of(slice_str("")); /* set below */
    auto_tag_list struct tag_list history = {0};
    struct tag_name a = tag_of("a"), again = tag_of("again");
    OK(tag_history(tx, w->repo.id, &a, 10, &history, err));
    for (size_t i = 0; i < history.count; i++) {
        d = digest_is_set(&history.items[i].tag.digest) ? history.items[i].tag.digest : d;
    }
    OK(tag_put(tx, w->repo.id, &again, &d, &w->alice, NOW, NULL, err));
}

static void a_manifest_that_was_tagged_again_meanwhile_stays(void **state)
{
    struct world *w = *state;
    struct retention_result result = {.more = true};
    set_rules(w, "[{\"name\":\"r\",\"tag\":\"a\",\"keep\":{\"younger_than\":\"1d\"}}]");
    struct digest a = tag_image(w, "a", "aaa", 90);
    struct retention *r = retention_new(w->store, no_grace, DAY);
    while (result.tags == 0) {
        assert_true(result.more);
        OK(retention_step(r, NOW, &result, err));
    }
    WRITE(w)
    {
        tag_a_manifest_again(w, tx);
    }
    assert_int_equal(steps(r, NOW).manifests, 0);
    retention_free(r);
    assert_true(has_manifest(w, &a) && exists(w, "again"));
}

/* --- rounds ----------------------------------------------------------------------------------- */

static void many_tags_go_in_small_steps(void **state)
{
    struct world *w = *state;
    struct retention *r = retention_new(w->store, no_grace, DAY);
    struct retention_result result = {.more = true};
    struct digest d = push_image(w, "{}", "aaa");
    set_rules(w, "[{\"name\":\"r\",\"tag\":\"*\",\"keep\":{\"newest\":3}}]");
    for (int i = 0; i < 130; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "t%03d", i);
        set_tag(w, name, &d, 200 - i);
    }
    int sum = 0;
    while (result.more) {
        OK(retention_step(r, NOW, &result, err));
        assert_true(result.tags <= 50);
        sum += result.tags;
    }
    retention_free(r);
    assert_int_equal(sum, 127);
    assert_true(exists(w, "t127") && exists(w, "t128") && exists(w, "t129"));
    assert_true(has_manifest(w, &d));
}

static void a_round_goes_on_after_a_restart_at_any_step(void **state)
{
    struct world *w = *state;
    int tags = 0;
    struct retention_result result = {.more = true};
    set_rules(w, OLD);
    for (int i = 0; i < 60; i++) {
        char text[16];
        (void)snprintf(text, sizeof(text), "%03d", i);
        tag_image(w, text, text, 90);
    }
    for (int i = 0; result.more; i++) {
        assert_true(i < 1000);
        struct retention *r = retention_new(w->store, no_grace, DAY);
        for (int step = 0; step <= i && result.more; step++) {
            OK(retention_step(r, NOW, &result, err));
            tags += result.tags;
        }
        retention_free(r);
        world_reopen(w);
    }
    assert_int_equal(tags, 60);
    struct repository repo;
    READ(w)
    {
        OK(repository_get_by_id(tx, w->repo.id, &repo, err));
    }
    assert_int_equal(repo.manifest_count, 0);
}

static void the_next_round_begins_after_the_interval(void **state)
{
    struct world *w = *state;
    struct retention *r = retention_new(w->store, no_grace, DAY);
    set_rules(w, OLD);
    tag_image(w, "a", "aaa", 90);
    assert_int_equal(steps(r, NOW).tags, 1);
    tag_image(w, "b", "bbb", 90);
    assert_int_equal(steps(r, NOW + DAY - 1).tags, 0);
    assert_int_equal(steps(r, NOW + DAY).tags, 1);
    retention_free(r);
}

static void every_removal_is_audited(void **state)
{
    struct world *w = *state;
    auto_audit_list struct audit_list log = {0};
    char text[DIGEST_STR_MAX], object[200];
    set_rules(w, OLD);
    struct digest a = tag_image(w, "a", "aaa", 90);
    a_round(w, no_grace, NOW);
    READ(w)
    {
        OK(audit_list(tx, w->ns.id, 0, 100, &log, err));
    }
    assert_int_equal(log.count, 2);
    assert_string_equal(log.items[0].actor.name, "retention");
    assert_string_equal(log.items[0].action, "retention.tag");
    assert_string_equal(log.items[0].object, "ns/app:a");
    assert_non_null(strstr(log.items[0].before, "\"rule\":\"r\""));
    assert_non_null(strstr(log.items[0].before, digest_format(&a, text)));
    assert_string_equal(log.items[1].action, "retention.manifest");
    (void)snprintf(object, sizeof(object), "ns/app@%s", text);
    assert_string_equal(log.items[1].object, object);
}

static void the_preview_changes_nothing_and_tells_what_a_round_then_does(void **state)
{
    struct world *w = *state;
    char going[8][TAG_NAME_MAX + 1];
    size_t n = 0, lines_seen = 0;
    set_rules(w,
              "[{\"name\":\"r\",\"tag\":\"*\",\"keep\":{\"newest\":2,\"younger_than\":\"3d\"}}]");
    static const char *const names[] = {"f", "e", "d", "c", "b", "a"};
    for (size_t i = 0; i < COUNT(names); i++) {
        char layer[4];
        (void)snprintf(layer, sizeof(layer), "%s%s%s", names[i], names[i], names[i]);
        tag_image(w, names[i], layer, 1 + (int)i);
    }
    /* a page of two at a time */
    char repo[REPO_NAME_MAX + 1] = "", tag[TAG_NAME_MAX + 1] = "";
    for (bool more = true; more;) {
        READ(w)
        {
            auto_tag_rule_set struct tag_rule_set set = {0};
            auto_retention_lines struct retention_lines lines = {0};
            OK(tag_rule_set_get(tx, w->ns.id, &set, err));
            OK(retention_preview(tx, w->ns.id, &set, no_grace, slice_str(repo), slice_str(tag), 2,
                                 NOW, &lines, err));
            more = lines.more;
            lines_seen += lines.count;
            for (size_t i = 0; i < lines.count; i++) {
                const struct retention_line *line = &lines.items[i];
                (void)snprintf(repo, sizeof(repo), "%s", line->repo.text);
                (void)snprintf(tag, sizeof(tag), "%s", line->item.name.text);
                if (line->verdict.reason == RETENTION_GOES) {
                    (void)snprintf(going[n++], sizeof(going[0]), "%s", tag);
                }
            }
        }
    }
    assert_int_equal(lines_seen, COUNT(names));
    assert_int_equal(n, 4); /* a, b, c, d: four days old and more, or exactly three */
    for (size_t i = 0; i < COUNT(names); i++) {
        assert_true(exists(w, names[i]));
    }
    assert_int_equal(a_round(w, no_grace, NOW).tags, 4);
    for (size_t i = 0; i < n; i++) {
        assert_false(exists(w, going[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(the_newest_stay_and_the_others_go),
        WORLD_TEST(tags_of_the_same_moment_stay_together),
        WORLD_TEST(the_newest_are_those_that_the_rule_decides_about),
        WORLD_TEST(immutable_tags_take_no_place_among_the_newest),
        WORLD_TEST(a_repository_that_fails_is_passed_over_once_a_round),
        WORLD_TEST(each_repository_counts_for_itself),
        WORLD_TEST(the_young_stay),
        WORLD_TEST(one_condition_is_enough),
        WORLD_TEST(what_no_rule_matches_and_what_is_immutable_stays),
        WORLD_TEST(what_was_pulled_lately_stays),
        WORLD_TEST(nothing_goes_before_pulls_were_noted_for_long_enough),
        WORLD_TEST(a_pull_of_a_platform_is_one_of_its_index),
        WORLD_TEST(an_older_pull_does_not_take_back_a_newer_one),
        WORLD_TEST(what_is_signed_stays_by_tag_and_by_digest),
        WORLD_TEST(a_target_that_lists_the_other_hash_keeps_too),
        WORLD_TEST(what_was_signed_stays_for_the_grace),
        WORLD_TEST(the_current_release_of_a_service_stays_by_tag_and_by_digest),
        WORLD_TEST(a_signature_attached_by_a_tag_stays_with_its_image),
        WORLD_TEST(a_manifest_with_another_tag_stays),
        WORLD_TEST(children_go_with_their_last_index_and_referrers_with_their_subject),
        WORLD_TEST(a_child_of_an_index_that_stays_stays),
        WORLD_TEST(a_signed_child_stays_until_it_is_signed_no_more),
        WORLD_TEST(a_tag_that_was_moved_meanwhile_stays),
        WORLD_TEST(a_tag_that_was_signed_meanwhile_stays),
        WORLD_TEST(rules_that_were_changed_meanwhile_hold),
        WORLD_TEST(the_next_newest_takes_the_place_of_one_that_was_removed_meanwhile),
        WORLD_TEST(a_manifest_that_was_tagged_again_meanwhile_stays),
        WORLD_TEST(many_tags_go_in_small_steps),
        WORLD_TEST(a_round_goes_on_after_a_restart_at_any_step),
        WORLD_TEST(the_next_round_begins_after_the_interval),
        WORLD_TEST(every_removal_is_audited),
        WORLD_TEST(the_preview_changes_nothing_and_tells_what_a_round_then_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
