/* Publishing into a real store and deciding over it: views, grace, renewal, pins, wipes. */
#include "storage/policy.h"
#include "storage/pull.h"
#include "storage/release.h"
#include "storage/removal.h"
#include "storage/role_target.h"
#include "storage/tombstone.h"
#include "storage/trust_pin.h"
#include "tests/unit/trust/bench.h"
#include "trust/commit.h"
#include "trust/deny.h"
#include "trust/door.h"
#include "trust/keys.h"
#include "trust/plan.h"
#include "trust/load.h"
#include "trust/override.h"
#include "trust/publish.h"
#include "trust/resign.h"
#include "trust/trust_internal.h"
#include "trust/view_internal.h"
#include "trust/remove.h"
#include "trust/wipe.h"

/* --- the main story --------------------------------------------------------------------------- */

static void push_sign_move_sign(void **state)
{
    struct bench b;
    struct made m;
    (void)state;
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one"), two = push_image(b.w, "[]", "two");
    struct digest layer1 = digest_of(SLICE_LIT("one")), layer2 = digest_of(SLICE_LIT("two"));
    move_tag(&b, "v1", &one);
    REASON_OF(ask_tag(&b, &deployer, "v1"), UNSIGNED);
    REASON_OF(ask_tag(&b, &developer, "v1"), NOT_GATED);
    REASON_OF(ask_digest(&b, &deployer, &one, false), UNSIGNED_DIGEST);

    begin(&b, "ns/app", &keys.root, &one, size_of(&b, &one), &m);
    publish(&b, &m);
    REASON_OF(ask_tag(&b, &deployer, "v1"), ALLOWED);
    REASON_OF(ask_digest(&b, &deployer, &one, false), ALLOWED);
    REASON_OF(ask_digest(&b, &deployer, &layer1, true), ALLOWED);
    REASON_OF(ask_digest(&b, &deployer, &layer2, true), BLOB_NOT_REACHABLE);
    REASON_OF(ask_digest(&b, &deployer, &two, false), UNSIGNED_DIGEST);
    REASON_OF(ask_digest(&b, &developer, &two, false), NOT_GATED);
    REASON_OF(ask_digest(&b, &deployer, &one, true), BLOB_UNKNOWN); /* a manifest is no blob */

    move_tag(&b, "v1", &two);
    struct decision d = ask_tag(&b, &deployer, "v1");
    REASON_OF(d, DIGEST_MISMATCH);
    assert_non_null(strstr(d.message, "by alice@example.org and not signed"));
    REASON_OF(ask_tag(&b, &developer, "v1"), NOT_GATED);
    REASON_OF(ask_digest(&b, &deployer, &one, false), ALLOWED);

    b.now_us += US_PER_DAY;
    sign_again(&b, 2, "v1", &two, size_of(&b, &two));
    REASON_OF(ask_tag(&b, &deployer, "v1"), ALLOWED);
    REASON_OF(ask_digest(&b, &deployer, &one, false), SUPERSEDED); /* G-25 */
    REASON_OF(ask_digest(&b, &deployer, &layer1, true), SUPERSEDED);
    b.now_us += 29 * US_PER_DAY;
    REASON_OF(ask_digest(&b, &deployer, &one, false), SUPERSEDED);
    b.now_us += 2 * US_PER_DAY; /* the grace ends by itself */
    REASON_OF(ask_digest(&b, &deployer, &one, false), UNSIGNED_DIGEST);
    REASON_OF(ask_digest(&b, &deployer, &two, false), ALLOWED);
    bench_close(&b);
}

static void a_withdrawn_digest_has_no_grace(void **state)
{
    struct bench b;
    struct made m;
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one");
    move_tag(&b, "v1", &one);
    begin(&b, "ns/app", &keys.root, &one, size_of(&b, &one), &m);
    publish(&b, &m);
    REASON_OF(ask_digest(&b, &deployer, &one, false), ALLOWED);
    sign_again(&b, 2, NULL, NULL, 0); /* G-27 */
    REASON_OF(ask_digest(&b, &deployer, &one, false), UNSIGNED_DIGEST);
    REASON_OF(ask_tag(&b, &deployer, "v1"), UNSIGNED);
    bench_close(&b);
}

static void children_and_sizes(void **state)
{
    struct bench b;
    struct made m;
    auto_buf struct buf list = {0};
    bench_open(&b, *state);
    struct digest child = push_image(b.w, "{}", "one"), stranger = push_image(b.w, "[]", "two");
    index_text(&list, &child);
    struct digest index = store_manifest(b.w, TYPE_INDEX, buf_slice_of(&list));
    move_tag(&b, "v1", &index);
    begin(&b, "ns/app", &keys.root, &index, list.n, &m);
    publish(&b, &m);
    REASON_OF(ask_digest(&b, &deployer, &child, false), ALLOWED); /* G-06 */
    REASON_OF(ask_digest(&b, &deployer, &stranger, false), UNSIGNED_DIGEST);
    sign_again(&b, 2, "v1", &index, list.n + 1); /* G-29: a wrong length releases nothing */
    REASON_OF(ask_tag(&b, &deployer, "v1"), LENGTH_MISMATCH);
    b.now_us += 31 * US_PER_DAY;
    REASON_OF(ask_digest(&b, &deployer, &index, false), UNSIGNED_DIGEST);
    REASON_OF(ask_digest(&b, &deployer, &child, false), UNSIGNED_DIGEST);
    bench_close(&b);
}

/* Targets `version` that signs v1 as `digest`, with a sha512 beside. */
static void sign_with_sha512(struct bench *b, int64_t version, const struct digest *digest,
                             const struct digest *sha512, size_t size)
{
    struct made m = {.count = 0};
    auto_buf struct buf hash = {0};
    json_t *targets = made_targets(version);
    sign_tag(targets, "v1", digest, size);
    base64_encode(&hash, slice_of_bytes(sha512->bytes, 64));
    json_t *target = json_object_get(json_object_get(targets, "targets"), "v1");
    json_object_set_new(json_object_get(target, "hashes"), "sha512", json_string(hash.p));
    (void)made_add(&m, "targets", targets, &keys.targets);
    publish(b, &m);
}

/* gate.md 5.3, 6 a: the further hash counts by digest as it does by tag, now and in grace. */
static void every_hash_of_a_target_counts_by_digest(void **state)
{
    struct bench b;
    struct made m;
    auto_buf struct buf list = {0};
    struct digest right, wrong;
    bench_open(&b, *state);
    struct digest child = push_image(b.w, "{}", "one"), other = push_image(b.w, "[]", "two");
    index_text(&list, &child);
    struct digest index = store_manifest(b.w, TYPE_INDEX, buf_slice_of(&list));
    hash_bytes(DIGEST_SHA512, buf_slice_of(&list), &right);
    hash_bytes(DIGEST_SHA512, SLICE_LIT("something else"), &wrong);
    move_tag(&b, "v1", &index);
    begin(&b, "ns/app", &keys.root, NULL, 0, &m);
    publish(&b, &m);
    sign_with_sha512(&b, 2, &index, &wrong, list.n);
    REASON_OF(ask_tag(&b, &deployer, "v1"), DIGEST_MISMATCH);
    REASON_OF(ask_digest(&b, &deployer, &index, false), UNSIGNED_DIGEST);
    REASON_OF(ask_digest(&b, &deployer, &child, false), UNSIGNED_DIGEST);
    b.now_us += US_PER_DAY;
    sign_again(&b, 3, "v1", &other, size_of(&b, &other));
    REASON_OF(ask_digest(&b, &deployer, &index, false), UNSIGNED_DIGEST); /* it never was released */
    sign_with_sha512(&b, 4, &index, &right, list.n);
    REASON_OF(ask_tag(&b, &deployer, "v1"), ALLOWED);
    REASON_OF(ask_digest(&b, &deployer, &index, false), ALLOWED);
    REASON_OF(ask_digest(&b, &deployer, &child, false), ALLOWED);
    b.now_us += US_PER_DAY;
    sign_again(&b, 5, "v1", &other, size_of(&b, &other));
    REASON_OF(ask_digest(&b, &deployer, &index, false), SUPERSEDED);
    bench_close(&b);
}

static void signed_before_pushed(void **state)
{
    struct bench b;
    struct made m;
    auto_buf struct buf text = {0};
    bench_open(&b, *state);
    struct digest c = push_blob(b.w, "{}"), l = push_blob(b.w, "one");
    image_text(&text, &c, &l, "");
    struct digest later = digest_of(buf_slice_of(&text));
    begin(&b, "ns/app", &keys.root, &later, text.n, &m);
    publish(&b, &m);
    REASON_OF(ask_tag(&b, &deployer, "v1"), SIGNED_NOT_PUSHED);
    REASON_OF(ask_digest(&b, &deployer, &later, false), UNKNOWN);
    REASON_OF(ask_digest(&b, &deployer, &l, true), BLOB_NOT_REACHABLE);
    (void)store_manifest(b.w, TYPE_IMAGE,
                         buf_slice_of(&text)); /* moves the generation: it was named already */
    REASON_OF(ask_digest(&b, &deployer, &later, false), ALLOWED);
    REASON_OF(ask_digest(&b, &deployer, &l, true), ALLOWED);
    REASON_OF(ask_tag(&b, &deployer, "v1"), SIGNED_NOT_PUSHED);
    move_tag(&b, "v1", &later);
    REASON_OF(ask_tag(&b, &deployer, "v1"), ALLOWED);
    bench_close(&b);
}

static void artifacts_of_signed_images(void **state)
{
    struct bench b;
    struct made m;
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one"), other = push_image(b.w, "[]", "two");
    struct digest config = digest_of(SLICE_LIT("{}")), layer = digest_of(SLICE_LIT("two")),
                  note = push_blob(b.w, "sig"), letter = push_blob(b.w, "{\"critical\":{}}");
    begin(&b, "ns/app", &keys.root, &one, size_of(&b, &one), &m);
    publish(&b, &m);
    static const struct {
        const char *name, *layer_type, *config_type;
        bool of_signed;
        bool allowed;
        bool document; /* the layer is one */
    } table[] = {
        {"a signature", "application/vnd.cncf.notary.signature",
         "application/vnd.oci.empty.v1+json", true, true, false},
        {"a signature of something unsigned", "application/vnd.cncf.notary.signature",
         "application/vnd.oci.empty.v1+json", false, false, false},
        {"a runnable image with a signed subject", "application/vnd.oci.image.layer.v1.tar+gzip",
         "application/vnd.oci.image.config.v1+json", true, false, false}, /* G-09 */
        {"a layer hidden behind another config",
         "application/vnd.docker.image.rootfs.diff.tar.gzip", "application/vnd.oci.empty.v1+json",
         true, false, false},
        {"an image config without image layers", "application/json",
         "application/vnd.oci.image.config.v1+json", true, false, false},
        {"the cosign legacy form", "application/vnd.dev.cosign.simplesigning.v1+json",
         "application/vnd.oci.image.config.v1+json", true, true, true},
        {"an attestation in that form", "application/vnd.dsse.envelope.v1+json",
         "application/vnd.oci.image.config.v1+json", true, true, true},
        {"that form of something unsigned", "application/vnd.dsse.envelope.v1+json",
         "application/vnd.oci.image.config.v1+json", false, false, true},
        {"an image whose layers call themselves signatures",
         "application/vnd.dev.cosign.simplesigning.v1+json",
         "application/vnd.oci.image.config.v1+json", true, false, false},
        {"a type in capitals", "application/vnd.OCI.image.layer.v1.tar+gzip",
         "application/vnd.oci.empty.v1+json", true, false, false},
        {"a configuration in capitals", "application/jose+json",
         "application/vnd.oci.image.CONFIG.v1+json", true, false, false},
        {"a configuration of any file", "application/octet-stream", "application/octet-stream",
         true, false, false},
        {"a configuration that is JSON", "application/octet-stream", "application/json", true,
         false, false},
        {"a configuration without a type", "application/jose+json", "", true, false, false},
        {"a layer without a type", "", "application/vnd.oci.empty.v1+json", true, false, false},
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        auto_buf struct buf text = {0};
        buf_str(&text, "{\"schemaVersion\":2,\"config\":");
        descriptor(&text, table[i].config_type, &config, 2);
        buf_str(&text, ",\"layers\":[");
        descriptor(&text, table[i].layer_type, table[i].document ? &letter : &note,
                   table[i].document ? 15 : 3);
        buf_str(&text, "],\"subject\":");
        descriptor(&text, TYPE_IMAGE, table[i].of_signed ? &one : &other, 100);
        buf_str(&text, "}");
        struct digest artifact = store_manifest(b.w, TYPE_IMAGE, buf_slice_of(&text));
        struct decision d = ask_digest(&b, &deployer, &artifact, false);
        CHECK_CASE((d.effect == EFFECT_ALLOW) == table[i].allowed, table[i].name);
    }
    REASON_OF(ask_digest(&b, &deployer, &note, true), ALLOWED); /* of the allowed ones */
    REASON_OF(ask_digest(&b, &deployer, &layer, true), BLOB_NOT_REACHABLE);
    bench_close(&b);
}

/* --- views ------------------------------------------------------------------------------------ */

static struct gate_view *view_of(struct bench *b)
{
    struct gate_view *view = NULL;
    READ(b->w)
    {
        struct repository repo;
        OK(repository_get_by_id(tx, b->w->repo.id, &repo, err));
        OK(gate_view_get(b->trust, tx, &repo, b->now_us, &view, err));
    }
    return view;
}

static void views_are_kept_until_their_generation_moves(void **state)
{
    struct bench b;
    struct made m;
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one");
    begin(&b, "ns/app", &keys.root, &one, size_of(&b, &one), &m);
    publish(&b, &m);
    struct gate_view *first = view_of(&b), *again = view_of(&b);
    assert_ptr_equal(first, again);
    gate_view_unref(again);
    struct digest two =
        push_image(b.w, "[]", "two"); /* O-12: a push of something unsigned leaves it alone */
    move_tag(&b, "other", &two);
    again = view_of(&b);
    assert_ptr_equal(first, again);
    gate_view_unref(again);
    sign_again(&b, 2, "v1", &two, size_of(&b, &two));
    again = view_of(&b);
    assert_ptr_not_equal(first, again);
    struct gate_reached reached;
    gate_view_reached(first, &one, &reached); /* a view in use stays whole */
    assert_int_equal(reached.kind, REACH_RELEASED);
    gate_view_reached(again, &one, &reached);
    assert_int_equal(reached.kind, REACH_SUPERSEDED);
    gate_view_unref(again);
    gate_view_unref(first);
    bench_close(&b);
}

/* --- the next view ---------------------------------------------------------------------------- */

static bool is_view_kept(struct bench *b)
{
    bool kept = false;
    READ(b->w)
    {
        struct repository repo;
        OK(repository_get_by_id(tx, b->w->repo.id, &repo, err));
        auto_gate_view struct gate_view *view =
            gate_views_find(b->trust->views, repo.id, repo.gate_generation, b->now_us);
        kept = view != NULL;
    }
    return kept;
}

/* What the kept view says of a digest is what one says that is built from nothing but the store. */
static void assert_reached_as_built_anew(struct bench *b, const struct digest *digest)
{
    READ(b->w)
    {
        auto_gate_view struct gate_view *kept = NULL;
        auto_gate_view struct gate_view *anew = NULL;
        const struct heritage none = {.last = NULL};
        struct gate_reached a, c;
        struct repository repo;
        OK(repository_get_by_id(tx, b->w->repo.id, &repo, err));
        kept = gate_views_find(b->trust->views, repo.id, repo.gate_generation, b->now_us);
        assert_non_null(kept);
        OK(gate_view_inherit(b->trust, tx, &repo, b->now_us, &none, &anew, err));
        gate_view_reached(kept, digest, &a);
        gate_view_reached(anew, digest, &c);
        assert_int_equal(a.kind, c.kind);
        assert_int_equal(a.is_manifest, c.is_manifest);
        assert_int_equal(a.in_grace, c.in_grace);
        assert_int_equal(a.valid_until_us, c.valid_until_us);
        assert_true(digest_equal(&a.root, &c.root));
    }
}

/* As sign_again, but that of bench.h asks the gate what comes of it. */
static bool signs_unasked(struct bench *b, int64_t version, const struct digest *digest, size_t size,
                          bool (*still)(struct db_tx *tx, const void *arg, struct err *err), struct err *err)
{
    struct made m = {.count = 0};
    struct publish_verdict *v = NULL;
    struct actor alice = b->w->alice;
    json_t *targets = made_targets(version);
    alice.still = still;
    sign_tag(targets, "v1", digest, size);
    struct made_doc *doc = made_add(&m, "targets", targets, &keys.targets);
    made_write(doc);
    struct upload_part part = {
        .has_name = true, .role = SLICE_LIT("targets"), .bytes = buf_slice_of(&doc->bytes)};
    struct publish_request request = {.repo = repo_of("ns/app"),
                                      .parts = &part,
                                      .part_count = 1,
                                      .actor = &alice,
                                      .now_us = b->now_us};
    bool stored = publish_run(b->trust, &request, &v, err);
    publish_verdict_free(v);
    made_free(&m);
    return stored;
}

static void sign_unasked(struct bench *b, int64_t version, const struct digest *digest, size_t size)
{
    struct err err = {0};
    assert_true(signs_unasked(b, version, digest, size, NULL, &err));
}

static bool no_more(struct db_tx *tx, const void *arg, struct err *err)
{
    assert_non_null(tx);
    assert_null(arg);
    return err_set(err, ERR_DENIED, "alice signs here no more");
}

static void whose_right_is_taken_before_the_write_publishes_nothing(void **state)
{
    struct bench b;
    struct made m;
    struct err err = {0};
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "[]", "one"), two = push_image(b.w, "[]", "two");
    begin(&b, "ns/app", &keys.root, &one, size_of(&b, &one), &m);
    publish(&b, &m);
    move_tag(&b, "v1", &two);
    assert_false(signs_unasked(&b, 2, &two, size_of(&b, &two), no_more, &err));
    assert_int_equal(err.code, ERR_DENIED);
    REASON_OF(ask_tag(&b, &deployer, "v1"), DIGEST_MISMATCH);
    sign_unasked(&b, 2, &two, size_of(&b, &two));
    REASON_OF(ask_tag(&b, &deployer, "v1"), ALLOWED);
    bench_close(&b);
}

static void the_next_view_is_there_when_a_publish_ends(void **state)
{
    struct bench b;
    struct made m;
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one"), two = push_image(b.w, "[]", "two");
    struct digest layer1 = digest_of(SLICE_LIT("one")), layer2 = digest_of(SLICE_LIT("two"));
    struct digest config2 = digest_of(SLICE_LIT("[]"));
    begin(&b, "ns/app", &keys.root, &one, size_of(&b, &one), &m);
    publish(&b, &m);
    REASON_OF(ask_digest(&b, &deployer, &one, false), ALLOWED);

    sign_unasked(&b, 2, &two, size_of(&b, &two));
    assert_true(is_view_kept(&b));
    sign_unasked(&b, 3, &one, size_of(&b, &one));
    assert_false(is_view_kept(&b)); /* nobody has asked since */
    REASON_OF(ask_digest(&b, &deployer, &one, false), ALLOWED);
    REASON_OF(ask_digest(&b, &deployer, &two, false), SUPERSEDED);

    sign_unasked(&b, 4, &two, size_of(&b, &two));
    const struct digest all[] = {one, two, layer1, layer2, config2};
    for (size_t i = 0; i < COUNT(all); i++) {
        assert_reached_as_built_anew(&b, &all[i]);
    }
    REASON_OF(ask_digest(&b, &deployer, &two, false), ALLOWED);
    REASON_OF(ask_digest(&b, &deployer, &layer2, true), ALLOWED);
    REASON_OF(ask_digest(&b, &deployer, &one, false), SUPERSEDED);
    bench_close(&b);
}

/* The publish is not all that happened since the last view: what a signed manifest names is read
 * again. */
static void what_came_or_went_before_a_publish_counts_after_it(void **state)
{
    struct bench b;
    struct made m;
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one");
    struct digest layer1 = digest_of(SLICE_LIT("one"));
    size_t size_of_one = size_of(&b, &one);
    begin(&b, "ns/app", &keys.root, &one, size_of_one, &m);
    publish(&b, &m);
    REASON_OF(ask_digest(&b, &deployer, &layer1, true), ALLOWED);
    WRITE(b.w)
    {
        OK(manifest_delete(tx, b.w->repo.id, &one, &b.w->alice, US_PER_DAY, b.now_us, err));
    }
    sign_unasked(&b, 2, &one, size_of_one);
    REASON_OF(ask_digest(&b, &deployer, &one, false), UNKNOWN);
    REASON_OF(ask_digest(&b, &deployer, &layer1, true), BLOB_NOT_REACHABLE);

    struct digest again = push_image(b.w, "{}", "one");
    assert_true(digest_equal(&again, &one));
    sign_unasked(&b, 3, &one, size_of_one);
    REASON_OF(ask_digest(&b, &deployer, &one, false), ALLOWED);
    REASON_OF(ask_digest(&b, &deployer, &layer1, true), ALLOWED);
    bench_close(&b);
}

/* A root of the same digest is not the same root: its size is compared each time. */
static void a_known_manifest_is_compared_with_the_new_target(void **state)
{
    struct bench b;
    struct made m;
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one");
    begin(&b, "ns/app", &keys.root, &one, size_of(&b, &one), &m);
    publish(&b, &m);
    WRITE(b.w)
    {
        OK(policy_row_put(tx, "ns", SLICE_LIT("{\"grace\":\"0\"}"), &b.w->alice, b.now_us, err));
    }
    REASON_OF(ask_digest(&b, &deployer, &one, false), ALLOWED);
    sign_unasked(&b, 2, &one, size_of(&b, &one) + 1);
    REASON_OF(ask_digest(&b, &deployer, &one, false), UNSIGNED_DIGEST);
    sign_unasked(&b, 3, &one, size_of(&b, &one));
    REASON_OF(ask_digest(&b, &deployer, &one, false), ALLOWED);
    bench_close(&b);
}

static void a_restart_decides_the_same(void **state)
{
    struct bench b;
    struct made m;
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one");
    move_tag(&b, "v1", &one);
    begin(&b, "ns/app", &keys.root, &one, size_of(&b, &one), &m);
    publish(&b, &m);
    trust_close(b.trust);
    world_reopen(b.w);
    open_trust(&b);
    REASON_OF(ask_tag(&b, &deployer, "v1"), ALLOWED);
    bench_close(&b);
}

/* --- renewal ---------------------------------------------------------------------------------- */

static int64_t version_of(struct bench *b, const char *role)
{
    auto_trust_doc struct trust_doc doc = {0};
    READ(b->w)
    {
        OK(trust_doc_current_role(tx, b->w->repo.id, slice_str(role), &doc, err));
    }
    return doc.version;
}

static int64_t timestamp_version(struct bench *b)
{
    return version_of(b, "timestamp");
}

static void an_expired_timestamp_is_renewed_in_the_request(void **state)
{
    struct bench b;
    struct made m;
    bool more = true;
    struct err err = {0};
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one");
    move_tag(&b, "v1", &one);
    begin(&b, "ns/app", &keys.root, &one, size_of(&b, &one), &m);
    publish(&b, &m);
    assert_int_equal(trust_resign(b.trust, b.w->repo.id, true, b.now_us + 6 * US_PER_DAY, &err),
                     RESIGN_NOT_DUE);
    assert_int_equal(trust_resign(b.trust, b.w->repo.id, false, b.now_us + 8 * US_PER_DAY, &err),
                     RESIGN_NOT_DUE);
    b.now_us += 40 * US_PER_DAY;                         /* O-05 */
    REASON_OF(ask_tag(&b, &developer, "v1"), NOT_GATED); /* does not write for who is not gated */
    assert_int_equal(timestamp_version(&b), 1);
    REASON_OF(ask_tag(&b, &deployer, "v1"), ALLOWED);
    assert_int_equal(timestamp_version(&b), 2);
    REASON_OF(ask_tag(&b, &deployer, "v1"), ALLOWED);
    assert_int_equal(timestamp_version(&b), 2);
    b.now_us += 8 * US_PER_DAY; /* past half life: in the background */
    assert_int_equal(trust_renew_due(b.trust, b.now_us, 10, &more), 1);
    assert_false(more);
    assert_int_equal(trust_renew_due(b.trust, b.now_us, 10, &more), 0);
    assert_int_equal(timestamp_version(&b), 3);
    bench_close(&b);
}

static void an_expired_snapshot_is_renewed_with_the_same_entries(void **state)
{
    struct bench b;
    struct made m;
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one");
    move_tag(&b, "v1", &one);
    begin(&b, "ns/app", &keys.root, &one, size_of(&b, &one), &m);
    publish(&b, &m);
    b.now_us += 1200 * US_PER_DAY;
    REASON_OF(ask_tag(&b, &deployer, "v1"), ALLOWED);
    auto_trust_doc struct trust_doc doc = {0};
    READ(b.w)
    {
        OK(trust_doc_current_role(tx, b.w->repo.id, SLICE_LIT("snapshot"), &doc, err));
    }
    assert_int_equal(doc.version, 2);
    REASON_OF(ask_tag(&b, &deployer, "v1"), ALLOWED);
    bench_close(&b);
}

static void nothing_is_renewed_over_an_expired_root(void **state)
{
    struct bench b;
    struct made m;
    bool more = true;
    struct err err = {0};
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one");
    move_tag(&b, "v1", &one);
    begin(&b, "ns/app", &keys.root, &one, size_of(&b, &one), &m);
    json_object_set_new(m.docs[0].part, "expires", json_string("2027-02-01T00:00:00Z"));
    publish(&b, &m);
    b.now_us += 60 * US_PER_DAY;
    REASON_OF(ask_tag(&b, &deployer, "v1"), EXPIRED_ROOT);
    assert_int_equal(trust_resign(b.trust, b.w->repo.id, true, b.now_us, &err),
                     RESIGN_NOT_POSSIBLE);
    assert_int_equal(trust_renew_due(b.trust, b.now_us, 10, &more), 0);
    bench_close(&b);
}

/* What is stored ends when it says, whatever lives new documents are given by now. */
static void a_longer_life_of_new_timestamps_leaves_no_old_one_to_expire(void **state)
{
    struct bench b;
    struct made m, none = {0};
    char word[32];
    bool more = true;
    bench_open(&b, *state);
    begin(&b, "ns/app", &keys.root, NULL, 0, &m);
    publish(&b, &m);
    b.timestamp_life_us = 60 * US_PER_DAY;
    server_restart(&b);
    b.now_us += 6 * US_PER_DAY;
    assert_int_equal(trust_renew_due(b.trust, b.now_us, 10, &more), 0);
    assert_string_equal(publish_as(&b, "ns/app", &none, true, word), "");
    assert_int_equal(timestamp_version(&b), 1); /* an upload without documents finds it good */
    b.now_us += 2 * US_PER_DAY;
    assert_int_equal(trust_renew_due(b.trust, b.now_us, 10, &more), 1);
    assert_int_equal(timestamp_version(&b), 2);
    b.now_us += 29 * US_PER_DAY; /* half of its sixty days: not yet, and then */
    assert_int_equal(trust_renew_due(b.trust, b.now_us, 10, &more), 0);
    b.now_us += 2 * US_PER_DAY;
    assert_string_equal(publish_as(&b, "ns/app", &none, true, word), "");
    assert_int_equal(timestamp_version(&b), 3); /* nor does such an upload leave it */
    assert_int_equal(trust_renew_due(b.trust, b.now_us, 10, &more), 0);
    bench_close(&b);
}

/* Its timestamp is young whenever the snapshot's own half life comes. */
static void a_snapshot_is_renewed_at_its_own_half_life(void **state)
{
    struct bench b;
    struct made m;
    bool more = true;
    bench_open(&b, *state);
    begin(&b, "ns/app", &keys.root, NULL, 0, &m);
    b.timestamp_life_us = 5000 * US_PER_DAY;
    server_restart(&b);
    publish(&b, &m);
    b.now_us += 547 * US_PER_DAY;
    assert_int_equal(trust_renew_due(b.trust, b.now_us, 10, &more), 0);
    b.now_us += US_PER_DAY; /* 1095 days and a half */
    assert_int_equal(trust_renew_due(b.trust, b.now_us, 10, &more), 1);
    assert_int_equal(version_of(&b, "snapshot"), 2);
    assert_int_equal(timestamp_version(&b), 2); /* it names the snapshot */
    assert_int_equal(trust_renew_due(b.trust, b.now_us, 10, &more), 0);
    bench_close(&b);
}

static size_t due_documents(struct bench *b)
{
    struct trust_due_list due = {0};
    READ(b->w)
    {
        OK(trust_doc_renewals(tx, INT64_MAX, NULL, 10, &due, err)); /* whenever they are due */
    }
    size_t n = due.count;
    trust_due_list_dispose(&due);
    return n;
}

/* A root that names this snapshot key, and what has to come with it; NULL: the server's.
 *   by   signs the same bytes alike each time: the snapshot names what is written once more afterwards */
static void name_snapshot_key(struct bench *b, int64_t version, const struct made_key *by,
                              struct made_key *key)
{
    struct made m = {.count = 0};
    const struct made_key *const list[] = {key ? key : &b->snapshot, NULL};
    json_t *root = root_for(b, version, by);
    json_object_set_new(json_object_get(root, "roles"), "snapshot",
                        made_role(json_object_get(root, "keys"), list, 1));
    (void)made_add(&m, "root", root, by);
    (void)made_add(&m, "targets", made_targets(version), &keys.targets);
    if (key) {
        made_finish(&m, key, version);
    }
    publish(b, &m);
}

/* A snapshot by a client's key is never due here, however old it is: it would be looked at for ever. */
static void a_clients_snapshot_waits_for_no_renewal(void **state)
{
    struct bench b;
    struct made_key held, root;
    bool more = true;
    EVP_PKEY *rsa = EVP_RSA_gen(2048);
    made_cert_new(&root, rsa, HOST "/ns/*", -86400, 86400 * 3650L);
    root.method = "rsapkcs1v15";
    made_key_new(&held);
    bench_open(&b, *state);
    server_key(&b, "ns/app", ROLE_TIMESTAMP, &b.timestamp);
    server_key(&b, "ns/app", ROLE_SNAPSHOT, &b.snapshot);
    name_snapshot_key(&b, 1, &root, &held);
    assert_int_equal(due_documents(&b), 1); /* the timestamp */
    name_snapshot_key(&b, 2, &root, NULL);
    assert_int_equal(due_documents(&b), 2);
    name_snapshot_key(&b, 3, &root, &held);
    assert_int_equal(due_documents(&b), 1);
    b.now_us += 2000 * US_PER_DAY;
    assert_int_equal(trust_renew_due(b.trust, b.now_us, 10, &more), 1);
    assert_int_equal(version_of(&b, "snapshot"), 3);
    assert_int_equal(due_documents(&b), 1);
    bench_close(&b);
    made_key_free(&held);
    made_key_free(&root);
    EVP_PKEY_free(rsa);
}

/* notary-api 10: what a client holds and let expire keeps the server from nothing that it holds. */
static void expired_targets_keep_no_timestamp_from_being_renewed(void **state)
{
    struct bench b;
    struct made m;
    struct err err = {0};
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one");
    move_tag(&b, "v1", &one);
    begin(&b, "ns/app", &keys.root, &one, size_of(&b, &one), &m);
    json_object_set_new(m.docs[1].part, "expires", json_string("2027-02-01T00:00:00Z"));
    publish(&b, &m);
    b.now_us += 60 * US_PER_DAY;
    REASON_OF(ask_tag(&b, &deployer, "v1"), EXPIRED_TARGETS);
    assert_int_equal(trust_resign(b.trust, b.w->repo.id, true, b.now_us, &err), RESIGN_DONE);
    assert_int_equal(timestamp_version(&b), 2);
    REASON_OF(ask_tag(&b, &deployer, "v1"), EXPIRED_TARGETS);
    bench_close(&b);
}

/* The dead one is the oldest: with one place in a step it must not keep it. */
static void what_cannot_be_renewed_holds_up_nobody(void **state)
{
    struct bench b;
    struct made m;
    char word[32];
    bool more = true;
    bench_open(&b, *state);
    begin(&b, "ns/app", &keys.root, NULL, 0, &m);
    json_object_set_new(m.docs[0].part, "expires", json_string("2027-02-01T00:00:00Z"));
    publish(&b, &m);
    b.now_us += US_PER_DAY;
    begin(&b, "ns/b", &keys.root, NULL, 0, &m);
    assert_string_equal(publish_as(&b, "ns/b", &m, true, word), "");
    b.now_us += 120 * US_PER_DAY;
    const int renewed[] = {0, 1, 0, 0}; /* the dead one, the other, the end, the dead one again */
    for (size_t i = 0; i < sizeof(renewed) / sizeof(renewed[0]); i++) {
        assert_int_equal(trust_renew_due(b.trust, b.now_us, 1, &more), renewed[i]);
        assert_int_equal(more, renewed[i] > 0);
    }
    bench_close(&b);
}

/* attacks O-04: the kept view of a wrong hour does not outlive it. */
static void a_clock_that_is_set_right_is_believed_again(void **state)
{
    const struct {
        const char *name;
        int64_t wrong_us;
    } rows[] = {{"ahead of everything", 10000 * US_PER_DAY}, {"before the root", -T0}};
    struct bench b;
    struct made m;
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one");
    move_tag(&b, "v1", &one);
    begin(&b, "ns/app", &keys.root, &one, size_of(&b, &one), &m);
    publish(&b, &m);
    for (size_t i = 0; i < COUNT(rows); i++) {
        b.now_us += rows[i].wrong_us;
        REASON_OF(ask_tag(&b, &deployer, "v1"), EXPIRED_ROOT);
        b.now_us -= rows[i].wrong_us;
        REASON_OF(ask_tag(&b, &deployer, "v1"), ALLOWED);
        REASON_OF(ask_digest(&b, &deployer, &one, false), ALLOWED);
    }
    bench_close(&b);
}

static void without_its_sealing_key_nothing_is_decided(void **state)
{
    struct bench b;
    struct made m;
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one");
    move_tag(&b, "v1", &one);
    begin(&b, "ns/app", &keys.root, &one, size_of(&b, &one), &m);
    publish(&b, &m);
    trust_close(b.trust);
    assert_int_equal(unlinkat(b.w->folder.fd, "sealing.key", 0), 0);
    OK(trust_sealing_key_create(b.w->folder.fd, "sealing.key", err)); /* another one */
    open_trust(&b);
    REASON_OF(ask_tag(&b, &deployer, "v1"), ALLOWED);
    b.now_us += 15 * US_PER_DAY;
    REASON_OF(ask_tag(&b, &deployer, "v1"),
              INDETERMINATE); /* the renewal fails: no verdict, never an allow */
    REASON_OF(ask_tag(&b, &developer, "v1"), NOT_GATED);
    bench_close(&b);
}

/* --- server keys ------------------------------------------------------------------------------ */

static void server_keys_have_lives(void **state)
{
    struct bench b;
    struct made m;
    auto_buf struct buf one = {0}, two = {0}, three = {0}, snapshot = {0};
    struct repo_name repo = repo_of("ns/app"), other = repo_of("ns/other"),
                     nowhere = repo_of("nowhere/app");
    bench_open(&b, *state);
    OK(server_key_current(b.trust, &repo, ROLE_TIMESTAMP, NULL, T0, &one, err));
    OK(server_key_current(b.trust, &repo, ROLE_TIMESTAMP, NULL, T0, &two, err));
    assert_string_equal(one.p, two.p);
    buf_clear(&two);
    OK(server_key_rotate(b.trust, &repo, ROLE_TIMESTAMP, NULL, T0, &two, err)); /* unused yet: the same */
    assert_string_equal(one.p, two.p);
    OK(server_key_current(b.trust, &repo, ROLE_SNAPSHOT, NULL, T0, &snapshot, err));
    assert_string_not_equal(one.p, snapshot.p);
    OK(server_key_current(b.trust, &other, ROLE_TIMESTAMP, NULL, T0, &three,
                          err)); /* makes the repository's row */
    assert_string_not_equal(one.p, three.p);
    FAILS(ERR_NAMESPACE_UNKNOWN,
          server_key_current(b.trust, &nowhere, ROLE_TIMESTAMP, NULL, T0, &three, err));

    struct digest image = push_image(b.w, "{}", "one");
    begin(&b, "ns/app", &keys.root, &image, size_of(&b, &image), &m);
    publish(&b, &m); /* the key is in use now */
    buf_clear(&two);
    OK(server_key_current(b.trust, &repo, ROLE_TIMESTAMP, NULL, T0, &two, err));
    assert_string_equal(one.p, two.p);
    buf_clear(&two);
    OK(server_key_rotate(b.trust, &repo, ROLE_TIMESTAMP, NULL, T0, &two, err));
    assert_string_not_equal(one.p, two.p);
    bench_close(&b);
}

static void a_key_of_another_repository_is_not_ours(void **state)
{
    struct bench b;
    struct made m;
    char word[32];
    bench_open(&b, *state);
    struct repo_name app = repo_of("ns/app");
    auto_buf struct buf json = {0};
    OK(server_key_current(b.trust, &app, ROLE_TIMESTAMP, NULL, T0, &json, err));
    begin(&b, "ns/other", &keys.root, NULL, 0, &m); /* keys of ns/other, published into ns/app */
    assert_string_equal(publish_as(&b, "ns/app", &m, true, word), "ErrBadRoot");
    bench_close(&b);
}

/* --- pins and wipes (attacks 4.5) ------------------------------------------------------------- */

/* Two first roots at once: the second is written only if what let it in still holds. */
static void a_root_is_judged_by_the_keys_of_the_moment(void **state)
{
    struct bench b;
    struct made m;
    char word[32];
    bench_open(&b, *state);
    begin(&b, "ns/b", &keys.root2, NULL, 0, &m);
    auto_trust_loaded struct trust_loaded loaded = {0};
    struct repository repo;
    struct repo_name name = repo_of("ns/b");
    struct tuf_doc *root = NULL;
    READ(b.w)
    {
        OK(repository_get(tx, &name, &repo, err));
        OK(trust_load(b.trust, tx, &repo, &loaded, err));
    }
    made_write(&m.docs[0]);
    assert_int_equal(tuf_doc_read(SLICE_LIT("root"), buf_slice_of(&m.docs[0].bytes), &root, NULL),
                     DOC_OK);
    const struct tuf_doc *const docs[] = {root};
    struct trust_commit commit = {
        .repo = &repo, .loaded = &loaded, .docs = docs, .doc_count = 1, .root = root};
    assert_string_equal(begin_with(&b, "ns/c", &keys.root, false, word), "");
    WRITE(b.w)
    {
        FAILS(ERR_CONFLICT, trust_commit_write(tx, &commit, err));
    }
    tuf_doc_free(root);
    assert_string_equal(publish_as(&b, "ns/b", &m, false, word), "ErrBadRoot");
    bench_close(&b);
}

/* Certificates name one repository; the keys of the tests name all below the host. */
static void the_namespace_learns_root_keys(void **state)
{
    struct bench b;
    char word[32];
    bench_open(&b, *state);
    assert_string_equal(begin_with(&b, "ns/app", &keys.root, false, word),
                        ""); /* K-01: begins the set */
    assert_string_equal(begin_with(&b, "ns/b", &keys.root, false, word), "");
    assert_string_equal(begin_with(&b, "ns/c", &keys.root2, false, word), "ErrBadRoot"); /* K-02 */
    struct repo_name c = repo_of("ns/c");
    READ(b.w)
    {
        struct repository repo;
        bool any = true;
        OK(repository_get(tx, &c, &repo, err));
        OK(trust_doc_any(tx, repo.id, &any, err));
        assert_false(any); /* nothing stored */
    }
    assert_string_equal(begin_with(&b, "ns/c", &keys.root2, true, word), ""); /* by an owner */
    assert_string_equal(begin_with(&b, "ns/d", &keys.root2, false, word),
                        ""); /* it is in the set now */
    bench_close(&b);
}

static void wipe_scope(struct bench *b, const char *repo, bool keep_pin, size_t want)
{
    json_t *result = NULL;
    struct wipe_request rq = {.namespace_ = ns_of("ns"),
                              .whole_namespace = repo == NULL,
                              .keep_pin = keep_pin,
                              .reason = "lost key",
                              .actor = &b->w->alice,
                              .now_us = b->now_us};
    if (repo) {
        rq.repo = repo_of(repo);
    }
    OK(trust_wipe(b->trust, &rq, &result, err));
    assert_int_equal(json_array_size(json_get_array(result, "wiped")), want);
    assert_int_equal(json_array_size(json_get_array(result, "commands")), 2 * want);
    json_decref(result);
}

static void a_wipe_begins_anew(void **state)
{
    struct bench b;
    struct made m;
    char word[32];
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one");
    move_tag(&b, "v1", &one);
    begin(&b, "ns/app", &keys.root, &one, size_of(&b, &one), &m);
    publish(&b, &m);
    b.now_us += US_PER_DAY;
    wipe_scope(&b, "ns/app", false, 1);
    struct decision d = ask_tag(&b, &deployer, "v1");
    REASON_OF(d, UNSIGNED);
    assert_non_null(strstr(d.message, "trust data was wiped by alice@example.org on "));
    assert_non_null(strstr(d.message, "sign it again"));
    REASON_OF(ask_digest(&b, &deployer, &one, false), UNSIGNED_DIGEST); /* no grace across a wipe */
    wipe_scope(&b, "ns/app", false, 0);                                 /* of nothing: fine */

    b.now_us += US_PER_DAY;
    assert_string_equal(begin_with(&b, "ns/app", &keys.root2, false, word),
                        "ErrBadRoot"); /* K-04: not in the set */
    begin(&b, "ns/app", &keys.root2, &one, size_of(&b, &one), &m);
    publish(&b, &m); /* by an owner; versions begin at 1 again */
    REASON_OF(ask_tag(&b, &deployer, "v1"), ALLOWED);
    READ(b.w)
    {
        auto_tombstone struct tombstone stone = {0};
        OK(tombstone_get(tx, b.w->repo.id, &stone, err));
        assert_string_equal(stone.reason, "lost key");
        assert_non_null(strstr(stone.versions, "\"root\":1"));
    }
    bench_close(&b);
}

static void a_wipe_can_keep_the_pin(void **state)
{
    struct bench b;
    char word[32];
    bench_open(&b, *state);
    assert_string_equal(begin_with(&b, "ns/app", &keys.root, true, word), "");
    wipe_scope(&b, "ns/app", true, 1);
    assert_string_equal(begin_with(&b, "ns/app", &keys.root2, true, word),
                        "ErrBadRoot"); /* K-03: even by an owner */
    assert_string_equal(begin_with(&b, "ns/app", &keys.root, true, word), "");
    wipe_scope(&b, "ns/app", true, 1);
    wipe_scope(&b, "ns/app", false, 0); /* the pin is given up later */
    assert_string_equal(begin_with(&b, "ns/app", &keys.root2, true, word), "");
    bench_close(&b);
}

static void a_namespace_is_wiped_with_its_keys(void **state)
{
    struct bench b;
    char word[32];
    bench_open(&b, *state);
    assert_string_equal(begin_with(&b, "ns/app", &keys.root, true, word), "");
    assert_string_equal(begin_with(&b, "ns/b", &keys.root, true, word), "");
    wipe_scope(&b, NULL, false, 2);
    assert_string_equal(begin_with(&b, "ns/b", &keys.root2, false, word),
                        ""); /* the set is empty: it begins anew */
    assert_string_equal(begin_with(&b, "ns/app", &keys.root, false, word), "ErrBadRoot");
    bench_close(&b);
}

/* Deletes, and takes everything away. */
static void delete_scope(struct bench *b, const char *repo, bool keep_pins)
{
    json_t *result = NULL;
    bool more = true;
    struct remove_request rq = {.namespace_ = ns_of("ns"),
                                .keep_pins = keep_pins,
                                .may_wipe = true,
                                .actor = &b->w->alice,
                                .now_us = b->now_us};
    if (repo) {
        rq.repo = repo_of(repo);
        OK(trust_remove_repository(b->trust, &rq, &result, err));
    } else {
        OK(trust_remove_namespace(b->trust, &rq, &result, err));
    }
    assert_int_equal(json_array_size(json_get_array(result, "commands")), 2);
    json_decref(result);
    while (more) {
        OK(trust_remove_step(b->trust, b->now_us, 1, &more, err));
    }
    for (more = true; more;) {
        OK(removal_step(b->w->store, b->now_us, 100, &more, err));
    }
}

/* The same image under the same tag again: what was signed in the former life counts for nothing. */
static void a_deleted_repository_begins_anew(void **state)
{
    struct bench b;
    struct made m;
    char word[32];
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one");
    move_tag(&b, "v1", &one);
    begin(&b, "ns/app", &keys.root, &one, size_of(&b, &one), &m);
    publish(&b, &m);
    REASON_OF(ask_tag(&b, &deployer, "v1"), ALLOWED);
    b.now_us += US_PER_DAY;
    delete_scope(&b, "ns/app", true);

    push_image(b.w, "{}", "one");
    move_tag(&b, "v1", &one);
    struct decision d = ask_tag(&b, &deployer, "v1");
    REASON_OF(d, UNSIGNED);
    assert_non_null(strstr(d.message, "trust data was wiped by alice@example.org on "));
    REASON_OF(ask_digest(&b, &deployer, &one, false), UNSIGNED_DIGEST);
    assert_string_equal(begin_with(&b, "ns/app", &keys.root2, true, word),
                        "ErrBadRoot"); /* the pin was kept */
    begin(&b, "ns/app", &keys.root, &one, size_of(&b, &one), &m);
    publish(&b, &m); /* versions begin at 1 again */
    REASON_OF(ask_tag(&b, &deployer, "v1"), ALLOWED);
    bench_close(&b);
}

static void a_deleted_repository_can_give_up_its_pin(void **state)
{
    struct bench b;
    char word[32];
    bench_open(&b, *state);
    assert_string_equal(begin_with(&b, "ns/app", &keys.root, true, word), "");
    delete_scope(&b, "ns/app", false);
    assert_string_equal(begin_with(&b, "ns/app", &keys.root2, true, word), "");
    bench_close(&b);
}

static void signed_things_are_deleted_by_those_who_may_wipe(void **state)
{
    struct bench b;
    char word[32];
    json_t *result = NULL;
    struct repo_name other = repo_of("ns/other");
    struct repository r;
    bench_open(&b, *state);
    assert_string_equal(begin_with(&b, "ns/app", &keys.root, true, word), "");
    struct remove_request rq = {.namespace_ = ns_of("ns"),
                                .repo = repo_of("ns/app"),
                                .keep_pins = true,
                                .actor = &b.w->alice,
                                .now_us = b.now_us};
    FAILS(ERR_DENIED, trust_remove_repository(b.trust, &rq, &result, err));
    WRITE(b.w)
    {
        OK(repository_ensure(tx, &other, T0, &r, NULL, err));
    }
    rq.repo = other;
    OK(trust_remove_repository(b.trust, &rq, &result, err));
    assert_int_equal(json_array_size(json_get_array(result, "commands")), 0);
    json_decref(result);
    result = NULL;
    FAILS(ERR_NAME_UNKNOWN, trust_remove_repository(b.trust, &rq, &result, err));
    bench_close(&b);
}

static void a_deleted_namespace_begins_anew(void **state)
{
    struct bench b;
    struct made m;
    char word[32];
    struct namespace_name name = ns_of("ns");
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one");
    move_tag(&b, "v1", &one);
    assert_string_equal(begin_with(&b, "ns/b", &keys.root, true, word), "");
    begin(&b, "ns/app", &keys.root, &one, size_of(&b, &one), &m);
    publish(&b, &m);
    delete_scope(&b, NULL, true);
    WRITE(b.w)
    {
        OK(namespace_create(tx, &name, VISIBILITY_PRIVATE, b.w->alice.account_id, b.now_us,
                            &b.w->ns, err));
    }
    push_image(b.w, "{}", "one");
    move_tag(&b, "v1", &one);
    REASON_OF(ask_tag(&b, &deployer, "v1"), UNSIGNED);
    assert_string_equal(begin_with(&b, "ns/b", &keys.root2, false, word), "ErrBadRoot");
    assert_string_equal(begin_with(&b, "ns/b", &keys.root, false, word), "");
    bench_close(&b);
}

static void a_revoked_root_key_stops_its_repositories(void **state)
{
    struct bench b;
    struct made m;
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one");
    move_tag(&b, "v1", &one);
    begin(&b, "ns/app", &keys.root, &one, size_of(&b, &one), &m);
    publish(&b, &m);
    REASON_OF(ask_tag(&b, &deployer, "v1"), ALLOWED);
    struct tuf_key *read = NULL;
    assert_true(tuf_key_read(keys.root.object, &read, NULL));
    struct spki spki = tuf_key_spki(read);
    tuf_key_free(read);
    WRITE(b.w)
    {
        OK(revoked_key_add(tx, spki.sha256, "stolen", &b.w->alice, T0, err));
    }
    REASON_OF(ask_tag(&b, &deployer, "v1"), ROOT_KEY_REVOKED); /* K-05 */
    bench_close(&b);
}

/* --- delegations ------------------------------------------------------------------------------ */

static json_t *targets_with_releases(int64_t version, const struct digest *digest, size_t size)
{
    const struct made_key *const alice[] = {&keys.alice, NULL};
    json_t *targets = made_targets(version);
    (void)made_delegate(targets, "targets/releases", alice, 1, "");
    sign_tag(targets, "v1", digest, size);
    return targets;
}

/* Lists so many tags beside the ones that matter. */
static json_t *crowded(json_t *targets, int others)
{
    struct digest digest = {.algorithm = DIGEST_SHA256};
    char tag[16];
    for (int i = 0; i < others; i++) {
        (void)snprintf(tag, sizeof tag, "%s%d", i % 2 == 0 ? "u" : "w", i);
        sign_tag(targets, tag, &digest, 1);
    }
    return targets;
}

static void revoke_among(void **state, int others)
{
    struct bench b;
    struct made m;
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one"), two = push_image(b.w, "[]", "two");
    size_t n1 = size_of(&b, &one), n2 = size_of(&b, &two);
    begin(&b, "ns/app", &keys.root, &one, n1, &m);
    publish(&b, &m);
    b.now_us += US_PER_DAY; /* signers are added, releases takes over (G01) */
    m = (struct made){.count = 0};
    (void)made_add(&m, "targets", crowded(targets_with_releases(2, &one, n1), others),
                   &keys.targets);
    json_t *releases = made_targets(1);
    sign_tag(releases, "v1", &two, n2);
    (void)made_add(&m, "targets/releases", releases, &keys.alice);
    publish(&b, &m);
    move_tag(&b, "v1", &two);
    REASON_OF(ask_tag(&b, &deployer, "v1"), ALLOWED);
    REASON_OF(ask_digest(&b, &deployer, &one, false), SUPERSEDED);

    b.now_us += US_PER_DAY; /* docker trust revoke */
    m = (struct made){.count = 0};
    (void)made_add(&m, "targets/releases", made_targets(2), &keys.alice);
    publish(&b, &m);
    REASON_OF(ask_tag(&b, &deployer, "v1"), REVOKED); /* G-24 */
    move_tag(&b, "v1", &one);
    REASON_OF(ask_tag(&b, &deployer, "v1"), REVOKED);
    REASON_OF(ask_digest(&b, &deployer, &two, false), UNSIGNED_DIGEST);

    b.now_us += US_PER_DAY; /* the last signer is gone: the old entry still does not count, a new
                               one does */
    sign_again(&b, 3, "v1", &one, n1);
    REASON_OF(ask_tag(&b, &deployer, "v1"), REVOKED);
    b.now_us += US_PER_DAY;
    move_tag(&b, "v1", &two);
    sign_again(&b, 4, "v1", &two, n2);
    REASON_OF(ask_tag(&b, &deployer, "v1"), ALLOWED);
    bench_close(&b);
}

static void a_revoked_tag_does_not_fall_back(void **state)
{
    revoke_among(state, 0);
}

/* From a thousand tags on their pasts are read in another way. */
static void a_revoked_tag_among_many_does_not_fall_back(void **state)
{
    revoke_among(state, 1200);
}

/* What targets/releases released before is not served while it cannot say what it releases now. */
static void an_expired_releases_gives_no_grace(void **state)
{
    struct bench b;
    struct made m;
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one"), two = push_image(b.w, "[]", "two");
    const struct digest *signed_as[] = {&one, &two};
    begin(&b, "ns/app", &keys.root, NULL, 0, &m);
    json_decref(m.docs[1].part);
    m.docs[1].part = targets_with_releases(1, &one, 1);
    for (int64_t version = 1; version <= 2; version++) {
        json_t *releases = made_targets(version);
        sign_tag(releases, "v2", signed_as[version - 1], size_of(&b, signed_as[version - 1]));
        json_object_set_new(releases, "expires", json_string("2027-01-20T00:00:00Z"));
        (void)made_add(&m, "targets/releases", releases, &keys.alice);
        publish(&b, &m);
        m = (struct made){.count = 0};
        b.now_us += US_PER_SECOND;
    }
    REASON_OF(ask_digest(&b, &deployer, &two, false), ALLOWED);
    REASON_OF(ask_digest(&b, &deployer, &one, false), SUPERSEDED);
    b.now_us += 10 * US_PER_DAY;
    REASON_OF(ask_digest(&b, &deployer, &two, false), EXPIRED_ROLE);
    REASON_OF(ask_digest(&b, &deployer, &one, false), EXPIRED_ROLE);
    bench_close(&b);
}

static void an_ended_delegation_does_not_come_back(void **state)
{
    struct bench b;
    struct made m, again;
    char word[32];
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one");
    size_t n = size_of(&b, &one);
    begin(&b, "ns/app", &keys.root, &one, n, &m);
    publish(&b, &m);
    m = (struct made){.count = 0};
    (void)made_add(&m, "targets", targets_with_releases(2, &one, n), &keys.targets);
    (void)made_add(&m, "targets/releases", made_targets(1), &keys.alice);
    publish(&b, &m);
    sign_again(&b, 3, "v1", &one, n); /* without the delegation */
    for (int64_t version = 1; version <= 2; version++) {
        again = (struct made){.count = 0};
        (void)made_add(&again, "targets", targets_with_releases(4, &one, n), &keys.targets);
        (void)made_add(&again, "targets/releases", made_targets(version), &keys.alice);
        assert_string_equal(publish_as(&b, "ns/app", &again, true, word),
                            version == 1 ? "ErrBadTargets" : "");
    }
    bench_close(&b);
}

/* --- writes that signatures forbid ------------------------------------------------------------ */

static void set_policy(struct bench *b, const char *json)
{
    WRITE(b->w)
    {
        OK(policy_row_put(tx, "ns", slice_str(json), &b->w->alice, b->now_us, err));
    }
}

static enum err_code may_tag(struct bench *b, const char *tag, const struct digest *digest)
{
    struct tag_name name = tag_of(tag);
    struct decision refusal = {.message = ""};
    struct err why = {0};
    READ(b->w)
    {
        struct repository repo;
        OK(repository_get(tx, &b->w->repo.name, &repo, err));
        (void)(gate_may_tag(b->trust, tx, &repo, &name, digest, b->now_us, &refusal, &why) ? 0 : 1);
        assert_true(why.code != ERR_DENIED || refusal.reason == REASON_TAG_LOCKED);
    }
    return why.code;
}

static enum err_code may_delete(struct bench *b, const struct digest *digest)
{
    struct decision refusal = {.message = ""};
    struct err why = {0};
    READ(b->w)
    {
        struct repository repo;
        OK(repository_get(tx, &b->w->repo.name, &repo, err));
        (void)(gate_may_delete(b->trust, tx, &repo, digest, b->now_us, &refusal, &why) ? 0 : 1);
        assert_true(why.code != ERR_DENIED || refusal.reason == REASON_SIGNED_IN_USE);
    }
    return why.code;
}

static void locked_tags_and_released_manifests(void **state)
{
    struct bench b;
    struct made m;
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one"), two = push_image(b.w, "[]", "two");
    begin(&b, "ns/app", &keys.root, &one, size_of(&b, &one), &m);
    publish(&b, &m);
    assert_int_equal(may_tag(&b, "v1", &two), ERR_NONE);
    set_policy(&b, "{\"level\":\"lock\"}");
    assert_int_equal(may_tag(&b, "v1", &one), ERR_NONE);
    assert_int_equal(may_tag(&b, "v1", &two), ERR_DENIED);
    assert_int_equal(may_tag(&b, "v2", &two), ERR_NONE);
    set_policy(&b, "{\"level\":\"lock\",\"on_mismatch\":\"hold\"}");
    assert_int_equal(may_tag(&b, "v1", &two), ERR_NONE);
    assert_int_equal(may_delete(&b, &one), ERR_DENIED);
    assert_int_equal(may_delete(&b, &two), ERR_NONE);
    set_policy(&b, "{\"level\":\"off\"}");
    assert_int_equal(may_delete(&b, &one), ERR_NONE);
    bench_close(&b);
}

/* What a released index is made of stays, with what its platforms are made of. */
static void parts_of_a_released_image_are_not_deleted(void **state)
{
    struct bench b;
    struct made m, again = {.count = 0};
    auto_buf struct buf list = {0}, loose = {0};
    bench_open(&b, *state);
    struct digest child = push_image(b.w, "{}", "one"), other = push_image(b.w, "[]", "two");
    struct digest layer = digest_of(SLICE_LIT("one")), config = digest_of(SLICE_LIT("{}"));
    struct digest unsigned_layer = digest_of(SLICE_LIT("two"));
    index_text(&list, &child);
    index_text(&loose, &other);
    struct digest index = store_manifest(b.w, TYPE_INDEX, buf_slice_of(&list));
    (void)store_manifest(b.w, TYPE_INDEX, buf_slice_of(&loose));
    assert_int_equal(may_delete(&b, &child), ERR_NONE); /* nothing is signed yet */
    begin(&b, "ns/app", &keys.root, &index, list.n, &m);
    publish(&b, &m);
    const struct digest *const held[] = {&index, &child, &layer, &config};
    for (size_t i = 0; i < COUNT(held); i++) {
        assert_int_equal(may_delete(&b, held[i]), ERR_DENIED);
    }
    assert_int_equal(may_delete(&b, &other), ERR_NONE);
    assert_int_equal(may_delete(&b, &unsigned_layer), ERR_NONE);
    set_policy(&b, "{\"level\":\"no such\"}"); /* which no view is built on */
    assert_int_equal(may_delete(&b, &layer), ERR_INTERNAL);
    assert_int_equal(may_delete(&b, &other), ERR_NONE);
    assert_int_equal(may_delete(&b, &unsigned_layer), ERR_NONE);
    set_policy(&b, "{}");
    json_t *newer = made_targets(2);
    sign_tag(newer, "v1", &other, size_of(&b, &other));
    (void)made_add(&again, "targets", newer, &keys.targets);
    publish(&b, &again);
    for (size_t i = 0; i < COUNT(held); i++) { /* in grace alone */
        assert_int_equal(may_delete(&b, held[i]), ERR_NONE);
    }
    assert_int_equal(may_delete(&b, &unsigned_layer), ERR_DENIED);
    bench_close(&b);
}

static void policies_count_at_once(void **state)
{
    struct bench b;
    struct made m;
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one"), two = push_image(b.w, "[]", "two");
    move_tag(&b, "v1", &one);
    begin(&b, "ns/app", &keys.root, &one, size_of(&b, &one), &m);
    publish(&b, &m);
    move_tag(&b, "v1", &two);
    REASON_OF(ask_tag(&b, &deployer, "v1"), DIGEST_MISMATCH);
    set_policy(&b, "{\"on_mismatch\":\"serve_signed\"}");
    struct decision d = ask_tag(&b, &deployer, "v1");
    REASON_OF(d, SERVED_SIGNED);
    assert_true(digest_equal(&d.serve, &one) && d.warning[0]);
    set_policy(&b, "{\"on_mismatch\":\"hold\"}"); /* the tag has pointed to it */
    REASON_OF(ask_tag(&b, &deployer, "v1"), SERVED_SIGNED);
    set_policy(&b, "{\"level\":\"warn\"}");
    REASON_OF(ask_tag(&b, &deployer, "v1"), WOULD_DENY);
    set_policy(&b, "{\"level\":\"off\"}");
    REASON_OF(ask_tag(&b, &deployer, "v1"), OFF);
    set_policy(&b, "{\"level\":\"all\"}");
    static const struct gate_caller reader = {.gated = false};
    REASON_OF(ask_tag(&b, &reader, "v1"), DIGEST_MISMATCH);
    REASON_OF(ask_tag(&b, &developer, "v1"), NOT_GATED);
    bench_close(&b);
}

/* --- many at once ----------------------------------------------------------------------------- */

struct asker {
    struct bench b; /* a copy: the clock stands still */
    pthread_t thread;
    int odd; /* answers that are neither allow nor mismatch */
};

/* --- exceptions ------------------------------------------------------------------------------- */

static int64_t deployer_account(struct bench *b, const char *name)
{
    int64_t id = 0;
    WRITE(b->w)
    {
        struct account_new account = {
            .kind = ACCOUNT_DEPLOYER, .name = slice_str(name), .namespace_id = b->w->ns.id};
        OK(account_create(tx, &account, T0, &id, err));
    }
    return id;
}

static bool break_glass_by(struct bench *b, const struct bench *right, const struct digest *digest,
                           int64_t max_uses, struct override *out, struct err *err)
{
    char warning[EXCEPTION_WARNING_MAX];
    struct slice who = SLICE_LIT("ns.k8s");
    struct override_request request = {.right = {may_change, right},
                                       .repo = repo_of("ns/app"),
                                       .digest = *digest,
                                       .identities = &who,
                                       .identity_count = 1,
                                       .reason = SLICE_LIT("why"),
                                       .ticket = SLICE_LIT("T-1"),
                                       .length_us = HOUR,
                                       .max_uses = max_uses,
                                       .actor = &b->w->alice,
                                       .now_us = b->now_us};
    return override_make(b->trust, &request, out, warning, err);
}

static bool break_glass(struct bench *b, const struct digest *digest, int64_t max_uses,
                        struct override *out, struct err *err)
{
    return break_glass_by(b, b, digest, max_uses, out, err);
}

/* Views that were made before a change are not used after it: each question here fills the cache. */
static void denied_digests_count_at_once(void **state)
{
    struct bench b;
    struct made m;
    auto_buf struct buf list = {0};
    bench_open(&b, *state);
    struct digest child = push_image(b.w, "{}", "one"), layer = digest_of(SLICE_LIT("one"));
    index_text(&list, &child);
    struct digest index = store_manifest(b.w, TYPE_INDEX, buf_slice_of(&list));
    move_tag(&b, "v1", &index);
    begin(&b, "ns/app", &keys.root, &index, list.n, &m);
    publish(&b, &m);
    REASON_OF(ask_tag(&b, &deployer, "v1"), ALLOWED);
    deny(&b, &child, false);
    REASON_OF(ask_tag(&b, &deployer, "v1"), ALLOWED); /* the index is not denied */
    REASON_OF(ask_digest(&b, &deployer, &child, false), DENIED_DIGEST);
    REASON_OF(ask_digest(&b, &deployer, &layer, true), DENIED_DIGEST);
    deny(&b, &index, false);
    REASON_OF(ask_tag(&b, &deployer, "v1"), DENIED_DIGEST);
    REASON_OF(ask_digest(&b, &deployer, &index, false), DENIED_DIGEST);
    deny(&b, &child, true);
    REASON_OF(ask_digest(&b, &deployer, &child, false), DENIED_DIGEST); /* by its parent */
    REASON_OF(ask_digest(&b, &deployer, &layer, true), DENIED_DIGEST);
    REASON_OF(ask_digest(&b, &developer, &index, false), NOT_GATED);
    deny(&b, &index, true);
    REASON_OF(ask_tag(&b, &deployer, "v1"), ALLOWED);
    REASON_OF(ask_digest(&b, &deployer, &layer, true), ALLOWED);
    bench_close(&b);
}

/* What two images share is not denied with one of them. */
static void a_shared_layer_is_reached_by_the_other_way(void **state)
{
    struct bench b;
    struct made m;
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one"), two = push_image(b.w, "[]", "one");
    struct digest shared = digest_of(SLICE_LIT("one")), only = digest_of(SLICE_LIT("{}"));
    move_tag(&b, "v1", &one);
    begin(&b, "ns/app", &keys.root, &one, size_of(&b, &one), &m);
    publish(&b, &m);
    struct made again = {.count = 0};
    json_t *both = made_targets(2);
    sign_tag(both, "v1", &one, size_of(&b, &one));
    sign_tag(both, "v2", &two, size_of(&b, &two));
    (void)made_add(&again, "targets", both, &keys.targets);
    publish(&b, &again);
    deny(&b, &one, false);
    REASON_OF(ask_digest(&b, &deployer, &only, true), DENIED_DIGEST);
    REASON_OF(ask_digest(&b, &deployer, &shared, true), ALLOWED);
    REASON_OF(ask_digest(&b, &deployer, &two, false), ALLOWED);
    bench_close(&b);
}

static void an_override_acts_for_its_time_and_its_identities(void **state)
{
    struct bench b;
    auto_override struct override o = {0};
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one"), layer = digest_of(SLICE_LIT("one"));
    move_tag(&b, "v1", &one);
    struct gate_caller mine = {.gated = true, .account_id = deployer_account(&b, "ns.k8s")};
    struct gate_caller other = {.gated = true, .account_id = deployer_account(&b, "ns.other")};
    REASON_OF(ask_tag(&b, &mine, "v1"), UNSIGNED);
    OK(break_glass(&b, &one, 0, &o, err));
    REASON_OF(ask_tag(&b, &mine, "v1"), OVERRIDE);
    REASON_OF(ask_digest(&b, &mine, &one, false), OVERRIDE);
    REASON_OF(ask_digest(&b, &mine, &layer, true), OVERRIDE);
    REASON_OF(ask_tag(&b, &other, "v1"), UNSIGNED);
    REASON_OF(ask_digest(&b, &other, &layer, true), BLOB_NOT_REACHABLE);
    REASON_OF(ask_tag(&b, &deployer, "v1"), UNSIGNED); /* account 0 has none */
    b.now_us = o.end_us - 1;
    REASON_OF(ask_tag(&b, &mine, "v1"), OVERRIDE);
    b.now_us = o.end_us; /* it ends by itself */
    REASON_OF(ask_tag(&b, &mine, "v1"), UNSIGNED);
    bench_close(&b);
}

/* The right is asked for inside the write: without it nothing is written. */
static void who_may_not_change_exceptions_any_more_changes_none(void **state)
{
    struct bench b;
    struct err why = {0};
    char warning[EXCEPTION_WARNING_MAX];
    auto_override struct override o = {0}, none = {0};
    struct denied_digest denied;
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one");
    move_tag(&b, "v1", &one);
    struct gate_caller mine = {.gated = true, .account_id = deployer_account(&b, "ns.k8s")};
    assert_false(break_glass_by(&b, NULL, &one, 0, &none, &why));
    assert_int_equal(why.code, ERR_DENIED);
    REASON_OF(ask_tag(&b, &mine, "v1"), UNSIGNED);
    OK(break_glass(&b, &one, 0, &o, err));
    struct override_change_request end = {.right = {may_change, NULL},
                                          .id = o.id,
                                          .actor = &b.w->alice,
                                          .now_us = b.now_us};
    FAILS(ERR_DENIED, override_end(b.trust, &end, &none, warning, err));
    FAILS(ERR_DENIED, override_approve(b.trust, &end, &none, warning, err));
    struct deny_request deny = {.right = {may_change, NULL},
                                .scope = "ns",
                                .digest = one,
                                .reason = SLICE_LIT("bad"),
                                .actor = &b.w->alice,
                                .now_us = b.now_us};
    FAILS(ERR_DENIED, deny_add(b.trust, &deny, &denied, warning, err));
    FAILS(ERR_DENIED, deny_lift(b.trust, &deny, &denied, warning, err));
    REASON_OF(ask_tag(&b, &mine, "v1"), OVERRIDE);
    bench_close(&b);
}

static bool use(struct bench *b, const struct override *o, int64_t account_id, struct err *err)
{
    struct actor actor = {.account_id = account_id, .name = "ns.k8s"};
    return override_use(b->trust, b->w->ns.id, o->id, &o->digest, &actor, b->now_us, err);
}

static void uses_are_bounded_and_one_pull_is_one_use(void **state)
{
    struct bench b;
    struct err why = {0};
    auto_override struct override o = {0}, now = {0};
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one");
    move_tag(&b, "v1", &one);
    struct gate_caller mine = {.gated = true, .account_id = deployer_account(&b, "ns.k8s")};
    OK(break_glass(&b, &one, 2, &o, err));
    for (int i = 0; i < 2; i++) {
        struct decision d = ask_tag(&b, &mine, "v1");
        REASON_OF(d, OVERRIDE);
        assert_true(d.override_counts);
        OK(use(&b, &o, mine.account_id, err));
        OK(use(&b, &o, mine.account_id, err)); /* the same pull */
        d = ask_tag(&b, &mine, "v1");
        REASON_OF(d, OVERRIDE);
        assert_false(d.override_counts);
        b.now_us += OVERRIDE_USE_US;
    }
    REASON_OF(ask_tag(&b, &mine, "v1"), UNSIGNED);
    assert_false(use(&b, &o, mine.account_id, &why));
    assert_int_equal(why.code, ERR_INDETERMINATE);
    READ(b.w)
    {
        OK(override_get(tx, b.w->ns.id, o.id, &now, err));
    }
    assert_int_equal(now.uses, 2);
    assert_int_equal(override_state_of(&now, b.now_us), OVERRIDE_USED_UP);
    bench_close(&b);
}

static void an_override_ends_with_the_release(void **state)
{
    struct bench b;
    struct made m;
    struct err why = {0};
    auto_override struct override o = {0}, now = {0}, none = {0};
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one");
    move_tag(&b, "v1", &one);
    struct gate_caller mine = {.gated = true, .account_id = deployer_account(&b, "ns.k8s")};
    OK(break_glass(&b, &one, 0, &o, err));
    REASON_OF(ask_tag(&b, &mine, "v1"), OVERRIDE);
    begin(&b, "ns/app", &keys.root, &one, size_of(&b, &one), &m);
    publish(&b, &m);
    REASON_OF(ask_tag(&b, &mine, "v1"), ALLOWED);
    assert_false(break_glass(&b, &one, 0, &none, &why));
    assert_int_equal(why.code, ERR_CONFLICT);
    sign_again(&b, 2, NULL, NULL, 0);
    REASON_OF(ask_digest(&b, &mine, &one, false), UNSIGNED_DIGEST);
    READ(b.w)
    {
        OK(override_get(tx, b.w->ns.id, o.id, &now, err));
    }
    assert_int_equal(override_state_of(&now, b.now_us), OVERRIDE_ENDED);
    assert_string_equal(now.ended.name, "server");
    bench_close(&b);
}

static void no_override_under_a_revoked_root_key_or_for_a_denied_digest(void **state)
{
    struct bench b;
    struct made m;
    struct err why = {0};
    auto_override struct override o = {0}, none = {0};
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one"), two = push_image(b.w, "[]", "two");
    move_tag(&b, "v1", &two);
    begin(&b, "ns/app", &keys.root, &one, size_of(&b, &one), &m);
    publish(&b, &m);
    struct gate_caller mine = {.gated = true, .account_id = deployer_account(&b, "ns.k8s")};
    OK(break_glass(&b, &two, 0, &o, err));
    REASON_OF(ask_tag(&b, &mine, "v1"), OVERRIDE);
    deny(&b, &two, false);
    REASON_OF(ask_tag(&b, &mine, "v1"), DENIED_DIGEST);
    assert_false(break_glass(&b, &two, 0, &none, &why)); /* B-05 */
    assert_int_equal(why.code, ERR_DENIED);
    deny(&b, &two, true);
    REASON_OF(ask_tag(&b, &mine, "v1"), OVERRIDE);
    struct tuf_key *read = NULL;
    assert_true(tuf_key_read(keys.root.object, &read, NULL));
    struct spki spki = tuf_key_spki(read);
    tuf_key_free(read);
    WRITE(b.w)
    {
        OK(revoked_key_add(tx, spki.sha256, "stolen", &b.w->alice, T0, err));
    }
    REASON_OF(ask_tag(&b, &mine, "v1"), ROOT_KEY_REVOKED);
    REASON_OF(ask_digest(&b, &mine, &two, false), ROOT_KEY_REVOKED);
    why = (struct err){0};
    assert_false(break_glass(&b, &two, 0, &none, &why)); /* B-05 */
    assert_int_equal(why.code, ERR_DENIED);
    wipe_scope(&b, "ns/app", false, 1); /* what a wipe forgets counts at once too */
    REASON_OF(ask_tag(&b, &mine, "v1"), OVERRIDE);
    bench_close(&b);
}

static void an_overridden_digest_that_is_pushed_later_counts_at_once(void **state)
{
    struct bench b;
    auto_override struct override o = {0};
    auto_buf struct buf text = {0};
    bench_open(&b, *state);
    struct digest c = push_blob(b.w, "{}"), l = push_blob(b.w, "one");
    image_text(&text, &c, &l, "");
    struct digest later = digest_of(buf_slice_of(&text));
    struct gate_caller mine = {.gated = true, .account_id = deployer_account(&b, "ns.k8s")};
    OK(break_glass(&b, &later, 0, &o, err));
    REASON_OF(ask_digest(&b, &mine, &later, false), UNKNOWN);
    REASON_OF(ask_digest(&b, &mine, &l, true), BLOB_NOT_REACHABLE);
    (void)store_manifest(b.w, TYPE_IMAGE, buf_slice_of(&text));
    REASON_OF(ask_digest(&b, &mine, &later, false), OVERRIDE);
    REASON_OF(ask_digest(&b, &mine, &l, true), OVERRIDE);
    bench_close(&b);
}

static void *ask_often(void *arg)
{
    struct asker *a = arg;
    for (int i = 0; i < 60; i++) {
        struct decision d = ask_tag(&a->b, &deployer, "v1");
        a->odd += d.reason != REASON_ALLOWED && d.reason != REASON_DIGEST_MISMATCH ? 1 : 0;
    }
    return NULL;
}

static void asking_while_publishing(void **state)
{
    struct bench b;
    struct made m;
    struct asker askers[4];
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one"), two = push_image(b.w, "[]", "two");
    size_t n1 = size_of(&b, &one), n2 = size_of(&b, &two);
    move_tag(&b, "v1", &one);
    begin(&b, "ns/app", &keys.root, &one, n1, &m);
    publish(&b, &m);
    for (size_t i = 0; i < COUNT(askers); i++) {
        askers[i] = (struct asker){.b = b};
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_often, &askers[i]), 0);
    }
    for (int64_t version = 2; version < 12; version++) {
        sign_again(&b, version, "v1", version % 2 ? &one : &two, version % 2 ? n1 : n2);
    }
    for (size_t i = 0; i < COUNT(askers); i++) {
        pthread_join(askers[i].thread, NULL);
        assert_int_equal(askers[i].odd, 0);
    }
    REASON_OF(ask_tag(&b, &deployer, "v1"), ALLOWED);
    bench_close(&b);
}

/* The checkpoint remembers an override that the store has lost. It is compared once in a run: as it
 * is, although the first question is about a time when that override will be over. */
static void a_look_ahead_hides_no_store_that_was_set_back(void **state)
{
    struct bench b;
    struct made m;
    char name[EXCEPTION_NAME_MAX];
    bench_open_kept(&b, *state);
    struct digest one = push_image(b.w, "{}", "one");
    begin(&b, "ns/app", &keys.root, &one, size_of(&b, &one), &m);
    publish(&b, &m);
    REASON_OF(ask_digest(&b, &deployer, &one, false), ALLOWED);
    checkpoint_note_exception(b.trust->checkpoint, exception_override_name(1, name), 1,
                              b.now_us + HOUR);
    OK(checkpoint_flush(b.trust->checkpoint, err));
    server_restart(&b);
    READ(b.w)
    {
        auto_gate_view struct gate_view *view = NULL;
        struct repository repo;
        struct gate_assumption assume = {.present_us = b.now_us};
        struct gate_facts facts;
        OK(repository_get_by_id(tx, b.w->repo.id, &repo, err));
        OK(gate_view_assume(b.trust, tx, &repo, b.now_us + 10 * US_PER_DAY, &assume, &view, err));
        gate_view_facts(view, b.now_us, &facts);
        assert_non_null(facts.suspicion);
    }
    REASON_OF(ask_digest(&b, &deployer, &one, false), ROLLBACK_SUSPECTED);
    bench_close(&b);
}

/* --- what a changed policy would refuse --------------------------------------------------------- */

#define FOUND_MAX 16

struct found { /* what a plan told, one text for each */
    char texts[FOUND_MAX][700];
    int count;
};

static void note_finding(void *arg, const struct plan_finding *f)
{
    struct found *found = arg;
    char digest[DIGEST_STR_MAX];
    assert_true(found->count < FOUND_MAX);
    (void)snprintf(found->texts[found->count++], sizeof found->texts[0], "%s%s%s %s%s", f->repo->text,
                   f->kind == PLAN_TAG ? ":" : "@",
                   f->kind == PLAN_TAG ? f->tag : digest_format(&f->digest, digest),
                   gate_reason_info(f->then->reason)->name, f->readers ? " readers" : "");
}

/* No policy of these names a CA. */
static void no_root(void *arg, const struct plan_root *root)
{
    (void)arg;
    fail_msg("%s: the next root would be refused", root->repo->text);
}

/* Asks page by page, each with these bounds, as often as it takes. */
static int plan_all(struct bench *b, const char *policy, int looks, int findings,
                    plan_finding_fn note, void *out)
{
    struct plan_place place = {.repo = ""};
    bool done = false;
    int pages = 0;
    while (!done && pages++ < 50) {
        struct plan plan = {.scope = "ns",
                            .policy = slice_str(policy),
                            .policy_scope = "ns",
                            .namespace_id = b->w->repo.namespace_id,
                            .pulled_since_us = b->now_us - US_PER_DAY,
                            .now_us = b->now_us};
        struct plan_budget budget = {.looks = looks, .findings = findings};
        auto_buf struct buf text = {0};
        READ(b->w)
        {
            OK(plan_page(b->trust, tx, &plan, &place, &budget, note, no_root, out, &done, err));
        }
        plan_place_write(&place, &text);
        if (!done) {
            OK(plan_place_read(buf_slice_of(&text), &place, err));
        }
    }
    assert_true(done);
    return pages;
}

static int plan_pages(struct bench *b, const char *policy, int looks, int findings,
                      struct found *out)
{
    *out = (struct found){.count = 0};
    return plan_all(b, policy, looks, findings, note_finding, out);
}

static void note_pull(struct bench *b, const struct digest *digest, int64_t at_us)
{
    struct pull_log *log = pull_log_new();
    bool more = false;
    pull_log_note(log, b->w->repo.id, digest, at_us);
    OK(pull_log_write(log, b->w->db, 10, at_us, &more, err));
    pull_log_free(log);
}

static void a_plan_tells_what_is_served_and_would_not_be(void **state)
{
    struct bench b;
    struct made m;
    struct found whole, pages;
    char digest[DIGEST_STR_MAX], text[200];
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one"), two = push_image(b.w, "[]", "two");
    struct digest old = push_image(b.w, "{}", "two");
    move_tag(&b, "v1", &one);
    move_tag(&b, "v2", &two);
    move_tag(&b, "v3", &two);
    begin(&b, "ns/app", &keys.root, &one, size_of(&b, &one), &m);
    publish(&b, &m);
    b.now_us += 3 * US_PER_DAY;
    note_pull(&b, &old, b.now_us - 2 * US_PER_DAY); /* not lately */
    note_pull(&b, &two, b.now_us - 3600 * US_PER_SECOND);
    note_pull(&b, &one, b.now_us);

    (void)plan_pages(&b, "{\"level\":\"all\"}", 1000, FOUND_MAX, &whole); /* is: deploy */
    assert_int_equal(whole.count, 3);
    assert_string_equal(whole.texts[0], "ns/app:v2 unsigned readers");
    assert_string_equal(whole.texts[1], "ns/app:v3 unsigned readers");
    (void)snprintf(text, sizeof text, "ns/app@%s unsigned_digest readers",
                   digest_format(&two, digest));
    assert_string_equal(whole.texts[2], text);
    for (int looks = 1; looks <= 3; looks++) {
        assert_true(plan_pages(&b, "{\"level\":\"all\"}", looks, 1, &pages) > 1);
        assert_int_equal(pages.count, whole.count);
        for (int i = 0; i < whole.count; i++) {
            assert_string_equal(pages.texts[i], whole.texts[i]);
        }
    }
    (void)plan_pages(&b, "{\"level\":\"deploy\"}", 1000, FOUND_MAX, &whole);
    assert_int_equal(whole.count, 0); /* it refuses what is refused already */
    set_policy(&b, "{\"level\":\"off\"}");
    (void)plan_pages(&b, "{\"level\":\"deploy\"}", 1000, FOUND_MAX, &whole);
    assert_int_equal(whole.count, 3);
    bench_close(&b);
}

static void run_as(struct bench *b, const char *service, const struct digest *digest)
{
    struct release r = {.namespace_id = b->w->repo.namespace_id,
                        .repository_id = b->w->repo.id,
                        .repository = "ns/app",
                        .digest = *digest,
                        .reason = "off"};
    OK(service_name_parse(slice_str(service), &r.service, err));
    WRITE(b->w)
    {
        OK(release_add(tx, &r, &b->w->alice, b->now_us, err));
    }
}

struct place_found {
    struct digest digests[FOUND_MAX];
    char words[FOUND_MAX][80]; /* kind, services, whether it was pulled lately */
    int count;
};

static void note_place(void *arg, const struct plan_finding *f)
{
    struct place_found *found = arg;
    char *words = found->words[found->count];
    assert_true(found->count < FOUND_MAX && f->kind != PLAN_TAG);
    (void)snprintf(words, sizeof found->words[0], "%s",
                   f->kind == PLAN_RUNNING ? "running" : "pulled");
    for (size_t i = 0; i < f->services->count; i++) {
        size_t at = strlen(words);
        (void)snprintf(words + at, sizeof found->words[0] - at, " %s",
                       f->services->items[i].service.text);
    }
    size_t n = strlen(words);
    (void)snprintf(words + n, sizeof found->words[0] - n, "%s", f->pulled_us ? " lately" : "");
    found->digests[found->count++] = f->digest;
}

/* What services run and what was pulled are one list by digest, on pages of any size: each once. */
static void a_plan_tells_what_services_run(void **state)
{
    static const char *const contents[] = {"one", "two", "six", "ten", "old"};
    static const char *const words[] = {"running api web lately", "running jobs", "pulled lately",
                                        "running cron lately", NULL};
    struct digest made[5];
    struct bench b;
    bench_open(&b, *state);
    set_policy(&b, "{\"level\":\"off\"}");
    for (size_t i = 0; i < 5; i++) {
        made[i] = push_image(b.w, "{}", contents[i]);
    }
    run_as(&b, "web", &made[4]); /* an earlier release: it runs no more */
    run_as(&b, "web", &made[0]);
    run_as(&b, "api", &made[0]);
    run_as(&b, "jobs", &made[1]);
    run_as(&b, "cron", &made[3]);
    note_pull(&b, &made[0], b.now_us);
    note_pull(&b, &made[2], b.now_us);
    note_pull(&b, &made[3], b.now_us);
    for (int looks = 1; looks <= 6; looks++) {
        struct place_found found = {.count = 0};
        (void)plan_all(&b, "{\"level\":\"deploy\"}", looks, FOUND_MAX, note_place, &found);
        assert_int_equal(found.count, 4);
        for (int i = 0; i < found.count; i++) {
            size_t which = 0;
            while (!digest_equal(&made[which], &found.digests[i])) {
                which++;
                assert_true(which < 4);
            }
            assert_string_equal(found.words[i], words[which]);
            assert_true(i == 0 || digest_compare(&found.digests[i - 1], &found.digests[i]) < 0);
        }
    }
    bench_close(&b);
}

/* on_mismatch serve_signed: a name that the registry does not have is served too. */
static void a_plan_looks_at_signed_names_without_a_tag(void **state)
{
    struct bench b;
    struct made m;
    struct found found;
    bench_open(&b, *state);
    struct digest one = push_image(b.w, "{}", "one"), two = push_image(b.w, "[]", "two");
    move_tag(&b, "a", &two);
    move_tag(&b, "z", &two);
    begin(&b, "ns/app", &keys.root, &one, size_of(&b, &one), &m);
    publish(&b, &m);
    set_policy(&b, "{\"on_mismatch\":\"serve_signed\"}");
    (void)plan_pages(&b, "{\"on_mismatch\":\"refuse\"}", 1, 1, &found);
    assert_int_equal(found.count, 1);
    assert_string_equal(found.texts[0], "ns/app:v1 signed_not_pushed");
    bench_close(&b);
}

static void which_policy_would_apply(void **unused)
{
    static const struct {
        const char *scope, *stored;
        bool concerns;
    } cases[] = {{"*", "*", true},           {"*", "ns", false},       {"ns", "*", true},
                 {"ns", "ns", true},         {"ns", "ns/a*", false},   {"ns", "ns/app", false},
                 {"other", "*", false},      {"ns/a*", "ns", true},    {"ns/a*", "ns/ap*", false},
                 {"ns/ap*", "ns/a*", true},  {"ns/b*", "*", false},    {"ns/app", "ns/app*", true},
                 {"ns/app", "ns/app", true}, {"ns/apps", "*", false},  {"ns/app*", "ns/app", false},
                 {"n", "*", false},          {"n/*", "*", false},      {"no scope", "*", false}};
    struct repo_name repo = repo_of("ns/app");
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (plan_concerns(cases[i].scope, &repo, cases[i].stored) != cases[i].concerns) {
            fail_msg("%s over %s", cases[i].scope, cases[i].stored);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(push_sign_move_sign),
        WORLD_TEST(a_withdrawn_digest_has_no_grace),
        WORLD_TEST(children_and_sizes),
        WORLD_TEST(every_hash_of_a_target_counts_by_digest),
        WORLD_TEST(a_look_ahead_hides_no_store_that_was_set_back),
        WORLD_TEST(a_plan_tells_what_is_served_and_would_not_be),
        WORLD_TEST(a_plan_tells_what_services_run),
        WORLD_TEST(a_plan_looks_at_signed_names_without_a_tag),
        cmocka_unit_test(which_policy_would_apply),
        WORLD_TEST(signed_before_pushed),
        WORLD_TEST(artifacts_of_signed_images),
        WORLD_TEST(views_are_kept_until_their_generation_moves),
        WORLD_TEST(whose_right_is_taken_before_the_write_publishes_nothing),
        WORLD_TEST(the_next_view_is_there_when_a_publish_ends),
        WORLD_TEST(what_came_or_went_before_a_publish_counts_after_it),
        WORLD_TEST(a_known_manifest_is_compared_with_the_new_target),
        WORLD_TEST(a_restart_decides_the_same),
        WORLD_TEST(an_expired_timestamp_is_renewed_in_the_request),
        WORLD_TEST(a_clients_snapshot_waits_for_no_renewal),
        WORLD_TEST(expired_targets_keep_no_timestamp_from_being_renewed),
        WORLD_TEST(an_expired_snapshot_is_renewed_with_the_same_entries),
        WORLD_TEST(nothing_is_renewed_over_an_expired_root),
        WORLD_TEST(a_longer_life_of_new_timestamps_leaves_no_old_one_to_expire),
        WORLD_TEST(a_snapshot_is_renewed_at_its_own_half_life),
        WORLD_TEST(what_cannot_be_renewed_holds_up_nobody),
        WORLD_TEST(a_clock_that_is_set_right_is_believed_again),
        WORLD_TEST(without_its_sealing_key_nothing_is_decided),
        WORLD_TEST(server_keys_have_lives),
        WORLD_TEST(a_key_of_another_repository_is_not_ours),
        WORLD_TEST(a_root_is_judged_by_the_keys_of_the_moment),
        WORLD_TEST(the_namespace_learns_root_keys),
        WORLD_TEST(a_wipe_begins_anew),
        WORLD_TEST(a_wipe_can_keep_the_pin),
        WORLD_TEST(a_namespace_is_wiped_with_its_keys),
        WORLD_TEST(a_deleted_repository_begins_anew),
        WORLD_TEST(a_deleted_repository_can_give_up_its_pin),
        WORLD_TEST(signed_things_are_deleted_by_those_who_may_wipe),
        WORLD_TEST(a_deleted_namespace_begins_anew),
        WORLD_TEST(a_revoked_root_key_stops_its_repositories),
        WORLD_TEST(denied_digests_count_at_once),
        WORLD_TEST(a_shared_layer_is_reached_by_the_other_way),
        WORLD_TEST(an_override_acts_for_its_time_and_its_identities),
        WORLD_TEST(uses_are_bounded_and_one_pull_is_one_use),
        WORLD_TEST(who_may_not_change_exceptions_any_more_changes_none),
        WORLD_TEST(an_override_ends_with_the_release),
        WORLD_TEST(no_override_under_a_revoked_root_key_or_for_a_denied_digest),
        WORLD_TEST(an_overridden_digest_that_is_pushed_later_counts_at_once),
        WORLD_TEST(a_revoked_tag_does_not_fall_back),
        WORLD_TEST(a_revoked_tag_among_many_does_not_fall_back),
        WORLD_TEST(an_expired_releases_gives_no_grace),
        WORLD_TEST(an_ended_delegation_does_not_come_back),
        WORLD_TEST(locked_tags_and_released_manifests),
        WORLD_TEST(parts_of_a_released_image_are_not_deleted),
        WORLD_TEST(policies_count_at_once),
        WORLD_TEST(asking_while_publishing),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
