/* Metadata artifacts that share a blob with many others, or whose tags are many: nobody hides what is allowed, and
 * what is asked costs the same (gate.md 6 d). */
#include "storage/artifact.h"
#include "tests/unit/trust/bench.h"
#include "trust/artifact.h"

#define CROWD 300

#define SIGNATURE "application/vnd.cncf.notary.signature"
#define COSIGN "application/vnd.dev.cosign.simplesigning.v1+json"
#define LAYER "application/vnd.oci.image.layer.v1.tar"
#define EMPTY "application/vnd.oci.empty.v1+json"
#define CONFIG "application/vnd.oci.image.config.v1+json"

/* --- what is asked of the index ---------------------------------------------------------------- */

static int steps; /* of statements: one for each row, and one for the end */

enum db_result __real_db_step(struct db_stmt *q, struct err *err);
enum db_result __wrap_db_step(struct db_stmt *q, struct err *err);
enum db_result __wrap_db_step(struct db_stmt *q, struct err *err)
{
    steps++;
    return __real_db_step(q, err);
}

/* --- what is stored ---------------------------------------------------------------------------- */

struct shape {
    const char *config_type, *layer_type;
    const struct digest *config; /* two bytes */
    const struct digest *layer;  /* layer_size bytes */
};
static size_t layer_size = 3;
static int blanks; /* in the text of a manifest, that nobody needs */

/* A digest that comes before nearly every other one. */
static struct digest early(int n)
{
    struct digest d;
    uint8_t raw[32] = {0};
    raw[30] = (uint8_t)(n >> 8);
    raw[31] = (uint8_t)n;
    assert_true(digest_from_hash(DIGEST_SHA256, raw, sizeof raw, &d));
    return d;
}

/*   subject   NULL: about nothing
 *   number    tells it from others */
static void write_text(struct buf *text, const struct shape *shape, const struct digest *subject, int number)
{
    buf_str(text, "{\"schemaVersion\":2,\"config\":");
    descriptor(text, shape->config_type, shape->config, 2);
    buf_str(text, ",\"layers\":[");
    descriptor(text, shape->layer_type, shape->layer, layer_size);
    buf_str(text, "]");
    if (subject) {
        buf_str(text, ",\"subject\":");
        descriptor(text, TYPE_IMAGE, subject, 100);
    }
    buf_printf(text, ",\"annotations\":{\"n\":\"%d%*s\"}}", number, blanks, "");
}

static struct digest put(struct bench *b, struct db_tx *tx, const struct shape *shape,
                         const struct digest *subject, int number)
{
    auto_buf struct buf text = {0};
    write_text(&text, shape, subject, number);
    struct manifest_put m = put_of(TYPE_IMAGE, buf_slice_of(&text));
    OK(manifest_put(tx, b->w->repo.id, &m, &b->w->alice, T0, NULL, err));
    manifest_doc_free((struct manifest_doc *)m.doc);
    return m.digest;
}

static struct digest put_one(struct bench *b, const struct shape *shape, const struct digest *subject, int number)
{
    struct digest d;
    WRITE(b->w)
    {
        d = put(b, tx, shape, subject, number);
    }
    return d;
}

/* Numbers `from` to `to`, each about something of its own that comes early, or all about `subject`. */
static void put_crowd(struct bench *b, const struct shape *shape, const struct digest *subject, int from, int to)
{
    WRITE(b->w)
    {
        for (int i = from; i < to; i++) {
            struct digest own = early(i);
            (void)put(b, tx, shape, subject ? subject : &own, i);
        }
    }
}

static void put_tags(struct bench *b, const struct digest *manifest, int count)
{
    WRITE(b->w)
    {
        for (int i = 0; i < count; i++) {
            char names[ARTIFACT_TAG_NAMES][ARTIFACT_TAG_SIZE];
            struct digest nothing = early(i);
            assert_true(artifact_tag_names(&nothing, names));
            struct tag_name name = tag_of(names[i % ARTIFACT_TAG_NAMES]);
            OK(tag_put(tx, b->w->repo.id, &name, manifest, &b->w->alice, T0, NULL, err));
        }
    }
}

static void put_tag_of(struct bench *b, const struct digest *subject, int which, const struct digest *manifest)
{
    char names[ARTIFACT_TAG_NAMES][ARTIFACT_TAG_SIZE];
    assert_true(artifact_tag_names(subject, names));
    move_tag(b, names[which], manifest);
}

/* A repository with a signed image, an unsigned one, and blobs for artifacts. */
struct scene {
    struct bench b;
    struct digest signed_image;
    struct digest empty; /* {} */
    struct digest pair;             /* 2 bytes */
    struct digest note, other, page; /* three bytes each; page is a JSON text */
};

static void scene_open(struct scene *s, void **state)
{
    struct made m;
    bench_open(&s->b, *state);
    s->signed_image = push_image(s->b.w, "[]", "one");
    s->empty = push_blob(s->b.w, "{}");
    s->pair = push_blob(s->b.w, "[]");
    s->note = push_blob(s->b.w, "sig");
    s->other = push_blob(s->b.w, "not");
    s->page = push_blob(s->b.w, "{ }");
    begin(&s->b, "ns/app", &keys.root, &s->signed_image, size_of(&s->b, &s->signed_image), &m);
    publish(&s->b, &m);
}

static enum gate_reason ask_blob(struct scene *s, const struct digest *blob)
{
    return ask_digest(&s->b, &deployer, blob, true).reason;
}

#define ALLOWS(s, blob) assert_int_equal(ask_blob(s, blob), REASON_ALLOWED)
#define REFUSES(s, blob) assert_int_equal(ask_blob(s, blob), REASON_BLOB_NOT_REACHABLE)

/* --- blobs that many share --------------------------------------------------------------------- */

static void a_crowd_of_unsigned_ones_hides_no_signed_one(void **state)
{
    struct scene s;
    scene_open(&s, state);
    const struct shape theirs = {EMPTY, SIGNATURE, &s.empty, &s.other};
    const struct shape ours = {EMPTY, SIGNATURE, &s.empty, &s.note};
    put_crowd(&s.b, &theirs, NULL, 0, CROWD);
    REFUSES(&s, &s.empty);
    struct digest artifact = put_one(&s.b, &ours, &s.signed_image, 0);
    REASON_OF(ask_digest(&s.b, &deployer, &artifact, false), ALLOWED);
    ALLOWS(&s, &s.empty);
    ALLOWS(&s, &s.note);
    REFUSES(&s, &s.other); /* which is theirs alone */
    bench_close(&s.b);
}

/* A loop thread looks at what is near; the rest of the search is another thread's. */
static bool is_unfinished(struct scene *s, const struct digest *digest, bool blob)
{
    struct decision d = {.unfinished = false};
    READ(s->b.w)
    {
        auto_gate_view struct gate_view *kept = NULL;
        struct gate_caller hurried = deployer;
        OK(gate_view_get(s->b.trust, tx, &s->b.w->repo, s->b.now_us, &kept, err));
        hurried.kept = kept;
        (blob ? gate_decide_blob : gate_decide_digest)(s->b.trust, tx, &hurried, &s->b.w->repo, &s->b.w->repo.name,
                                                       digest, s->b.now_us, &d);
    }
    assert_true(!d.unfinished || d.reason == REASON_INDETERMINATE);
    return d.unfinished;
}

static void who_is_in_a_hurry_decides_what_is_near_and_leaves_the_rest(void **state)
{
    struct scene s;
    scene_open(&s, state);
    const struct shape theirs = {EMPTY, SIGNATURE, &s.empty, &s.other};
    const struct shape ours = {EMPTY, SIGNATURE, &s.empty, &s.note};
    struct digest lone = put_one(&s.b, &theirs, NULL, 0);
    assert_false(is_unfinished(&s, &s.other, true));
    assert_false(is_unfinished(&s, &lone, false));
    put_crowd(&s.b, &theirs, NULL, 1, CROWD);
    put_tags(&s.b, &lone, CROWD);
    assert_true(is_unfinished(&s, &s.other, true));
    assert_true(is_unfinished(&s, &lone, false));
    struct digest artifact = put_one(&s.b, &ours, &s.signed_image, 0);
    assert_false(is_unfinished(&s, &artifact, false));
    assert_false(is_unfinished(&s, &s.note, true));
    assert_false(is_unfinished(&s, &s.signed_image, false));
    bench_close(&s.b);
}

/* Reading a large manifest, or a payload, takes longer than looking it up. */
static void who_is_in_a_hurry_reads_no_large_manifest_and_no_payload(void **state)
{
    struct scene s;
    scene_open(&s, state);
    const struct shape small = {EMPTY, SIGNATURE, &s.empty, &s.other};
    const struct shape large = {EMPTY, SIGNATURE, &s.empty, &s.note};
    const struct shape payload = {CONFIG, COSIGN, &s.empty, &s.page};
    blanks = 15 * 1024;
    struct digest near = put_one(&s.b, &small, &s.signed_image, 0);
    assert_false(is_unfinished(&s, &near, false));
    assert_false(is_unfinished(&s, &s.other, true));
    blanks = 16 * 1024;
    struct digest of_size = put_one(&s.b, &large, &s.signed_image, 0);
    blanks = 0;
    const struct digest far[] = {of_size, put_one(&s.b, &payload, &s.signed_image, 0)};
    for (size_t i = 0; i < 2; i++) {
        assert_true(is_unfinished(&s, &far[i], false));
        REASON_OF(ask_digest(&s.b, &deployer, &far[i], false), ALLOWED);
    }
    assert_true(is_unfinished(&s, &s.note, true));
    assert_true(is_unfinished(&s, &s.page, true));
    ALLOWS(&s, &s.note);
    ALLOWS(&s, &s.page);
    bench_close(&s.b);
}

/* What has the signed image as its subject and could be run is no artifact, and hides none. */
static void a_crowd_of_images_about_the_signed_one_hides_nothing(void **state)
{
    struct scene s;
    scene_open(&s, state);
    const struct shape image = {CONFIG, LAYER, &s.empty, &s.other};
    const struct shape ours = {EMPTY, SIGNATURE, &s.empty, &s.note};
    put_crowd(&s.b, &image, &s.signed_image, 0, CROWD);
    REFUSES(&s, &s.empty);
    (void)put_one(&s.b, &ours, &s.signed_image, 0);
    ALLOWS(&s, &s.empty);
    REFUSES(&s, &s.other);
    bench_close(&s.b);
}

/* cosign's legacy form by its types, and layers that are none: read, and refused. */
static void a_crowd_that_only_looks_like_signatures_hides_no_sure_one(void **state)
{
    struct scene s;
    scene_open(&s, state);
    const struct shape fake = {CONFIG, COSIGN, &s.empty, &s.other};
    const struct shape ours = {EMPTY, SIGNATURE, &s.empty, &s.note};
    put_crowd(&s.b, &fake, &s.signed_image, 0, CROWD);
    REFUSES(&s, &s.empty);
    REFUSES(&s, &s.other);
    (void)put_one(&s.b, &ours, &s.signed_image, 0);
    ALLOWS(&s, &s.empty);
    REFUSES(&s, &s.other);
    bench_close(&s.b);
}

static void the_legacy_form_is_found_among_unsigned_ones(void **state)
{
    struct scene s;
    scene_open(&s, state);
    const struct shape theirs = {CONFIG, COSIGN, &s.empty, &s.page};
    put_crowd(&s.b, &theirs, NULL, 0, CROWD);
    REFUSES(&s, &s.page);
    (void)put_one(&s.b, &theirs, &s.signed_image, CROWD);
    ALLOWS(&s, &s.page);
    ALLOWS(&s, &s.empty);
    bench_close(&s.b);
}

static void a_denied_artifact_allows_nothing_in_a_crowd_either(void **state)
{
    struct scene s;
    scene_open(&s, state);
    const struct shape theirs = {EMPTY, SIGNATURE, &s.empty, &s.other};
    const struct shape ours = {EMPTY, SIGNATURE, &s.empty, &s.note};
    put_crowd(&s.b, &theirs, NULL, 0, CROWD);
    struct digest artifact = put_one(&s.b, &ours, &s.signed_image, 0);
    deny(&s.b, &artifact, false);
    REFUSES(&s, &s.empty);
    REFUSES(&s, &s.note);
    struct digest second = put_one(&s.b, &ours, &s.signed_image, 1);
    ALLOWS(&s, &s.empty);
    deny(&s.b, &second, false);
    deny(&s.b, &artifact, true);
    ALLOWS(&s, &s.note);
    bench_close(&s.b);
}

/* As rows are that were stored before their types were looked at. */
static void what_was_stored_before_is_found(void **state)
{
    struct scene s;
    scene_open(&s, state);
    const struct shape ours = {EMPTY, SIGNATURE, &s.empty, &s.note};
    put_crowd(&s.b, &ours, NULL, 0, 100);
    (void)put_one(&s.b, &ours, &s.signed_image, 0);
    trust_close(s.b.trust);
    world_run_sql(s.b.w, "UPDATE edge SET unsure = 1 WHERE about IS NOT NULL");
    open_trust(&s.b);
    ALLOWS(&s, &s.empty);
    bench_close(&s.b);
}

/* --- tags --------------------------------------------------------------------------------------- */

static void many_tags_hide_no_tag_of_a_signed_image(void **state)
{
    struct scene s;
    scene_open(&s, state);
    const struct shape ours = {EMPTY, SIGNATURE, &s.empty, &s.note};
    struct digest artifact = put_one(&s.b, &ours, NULL, 0);
    put_tags(&s.b, &artifact, 100);
    REASON_OF(ask_digest(&s.b, &deployer, &artifact, false), UNSIGNED_DIGEST);
    REFUSES(&s, &s.note);
    put_tag_of(&s.b, &s.signed_image, 1, &artifact);
    REASON_OF(ask_digest(&s.b, &deployer, &artifact, false), ALLOWED);
    ALLOWS(&s, &s.note);
    ALLOWS(&s, &s.empty);
    bench_close(&s.b);
}

/* The referrers list of clients without referrers is an index under the bare tag, and under that alone. */
static void many_tags_hide_no_bare_tag_of_an_index(void **state)
{
    struct scene s;
    auto_buf struct buf text = {0};
    scene_open(&s, state);
    const struct shape ours = {EMPTY, SIGNATURE, &s.empty, &s.note};
    struct digest artifact = put_one(&s.b, &ours, NULL, 0);
    buf_str(&text, "{\"schemaVersion\":2,\"manifests\":[");
    descriptor(&text, TYPE_IMAGE, &artifact, size_of(&s.b, &artifact));
    buf_str(&text, "]}");
    struct digest list = store_manifest(s.b.w, TYPE_INDEX, buf_slice_of(&text));
    put_tags(&s.b, &list, 100);
    put_tag_of(&s.b, &s.signed_image, 2, &list);
    REASON_OF(ask_digest(&s.b, &deployer, &list, false), UNSIGNED_DIGEST);
    put_tag_of(&s.b, &s.signed_image, 0, &list);
    REASON_OF(ask_digest(&s.b, &deployer, &list, false), ALLOWED);
    bench_close(&s.b);
}

static void a_crowd_hides_no_tagged_one(void **state)
{
    struct scene s;
    scene_open(&s, state);
    const struct shape theirs = {EMPTY, SIGNATURE, &s.empty, &s.other};
    const struct shape image = {CONFIG, LAYER, &s.empty, &s.note};
    const struct shape ours = {EMPTY, SIGNATURE, &s.empty, &s.note};
    put_crowd(&s.b, &theirs, NULL, 0, CROWD);
    struct digest runnable = put_one(&s.b, &image, NULL, 0);
    struct digest artifact = put_one(&s.b, &ours, NULL, 0);
    put_tag_of(&s.b, &s.signed_image, 2, &runnable);
    REFUSES(&s, &s.empty);
    put_tag_of(&s.b, &s.signed_image, 3, &artifact);
    ALLOWS(&s, &s.empty);
    REFUSES(&s, &s.other);
    bench_close(&s.b);
}

/* --- what it costs ------------------------------------------------------------------------------ */

static int cost_of(struct scene *s, const struct digest *blob)
{
    REFUSES(s, blob); /* the view is there, and statements are prepared */
    steps = 0;
    REFUSES(s, blob);
    return steps;
}

static void a_question_costs_the_same_however_many_share_the_blob(void **state)
{
    struct scene s;
    scene_open(&s, state);
    const struct shape theirs = {EMPTY, SIGNATURE, &s.empty, &s.other};
    const struct shape image = {CONFIG, LAYER, &s.empty, &s.other};
    put_crowd(&s.b, &theirs, NULL, 0, 100);
    put_crowd(&s.b, &image, &s.signed_image, 0, 100);
    int before = cost_of(&s, &s.empty);
    put_crowd(&s.b, &theirs, NULL, 100, CROWD);
    put_crowd(&s.b, &image, &s.signed_image, 100, CROWD);
    int after = cost_of(&s, &s.empty);
    assert_int_equal(after, before);
    assert_true(before < 400); /* 65 of the crowd, 64 of its subjects, a few look-ups of what is allowed */
    bench_close(&s.b);
}

static void a_question_costs_the_same_however_many_tags_there_are(void **state)
{
    struct scene s;
    scene_open(&s, state);
    const struct shape ours = {EMPTY, SIGNATURE, &s.empty, &s.note};
    struct digest artifact = put_one(&s.b, &ours, NULL, 0);
    put_tags(&s.b, &artifact, 100);
    int before = cost_of(&s, &s.note);
    put_tags(&s.b, &artifact, CROWD);
    assert_int_equal(cost_of(&s, &s.note), before);
    bench_close(&s.b);
}

/* --- how much is read --------------------------------------------------------------------------- */

#define MIB ((size_t)1024 * 1024)

/* A JSON text of that many bytes: an object, which is a document, or a list, which is none. `mark` tells it from others. */
static struct digest push_payload(struct scene *s, bool document, size_t size, char mark)
{
    auto_buf struct buf text = {0};
    buf_printf(&text, document ? "{\"%c\":0" : "[\"%c\"", mark);
    buf_printf(&text, "%*s", (int)(size - text.n), document ? "}" : "]");
    return push_blob(s->b.w, text.p);
}

static enum gate_reason ask_within(struct scene *s, struct artifact_reading *reading, const struct digest *digest, bool blob)
{
    struct decision d = {.unfinished = false};
    struct gate_caller caller = deployer;
    caller.reading = reading;
    READ(s->b.w)
    {
        (blob ? gate_decide_blob : gate_decide_digest)(s->b.trust, tx, &caller, &s->b.w->repo, &s->b.w->repo.name, digest,
                                                       s->b.now_us, &d);
    }
    return d.reason;
}

static void what_is_large_leaves_a_part_to_what_is_small(void **unused)
{
    (void)unused;
    static const struct {
        const char *name;
        size_t spent, size;
        bool may;
    } table[] = {
        {"the first", 0, 4 * MIB, true},
        {"the last large one", 8 * MIB, 4 * MIB, true},
        {"a large one too many", 8 * MIB + 1, 4 * MIB, false},
        {"a small one behind it", 12 * MIB, 64 * 1024, true},
        {"which is not small", 12 * MIB, 64 * 1024 + 1, false},
        {"the last small one", 16 * MIB - 1000, 1000, true},
        {"a small one too many", 16 * MIB - 1000, 1001, false},
        {"a size that overflows", 1, SIZE_MAX, false},
        {"nothing, of nothing", 16 * MIB, 0, true},
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        struct artifact_reading reading = {.spent = table[i].spent};
        CHECK_CASE(artifact_may_read(&reading, table[i].size) == table[i].may, table[i].name);
        CHECK_CASE(reading.spent == table[i].spent + (table[i].may ? table[i].size : 0), table[i].name);
    }
}

/* 64 manifests share one payload of 4 MiB, which is no document: it is read for the first of them. */
static void a_payload_is_read_once_in_a_request(void **state)
{
    struct scene s;
    struct artifact_reading reading = {.spent = 0};
    scene_open(&s, state);
    struct digest large = push_payload(&s, false, 4 * MIB, 'a');
    const struct shape theirs = {CONFIG, COSIGN, &s.empty, &large};
    layer_size = 4 * MIB;
    put_crowd(&s.b, &theirs, &s.signed_image, 0, 64);
    layer_size = 3;
    assert_int_equal(ask_within(&s, &reading, &s.empty, true), REASON_BLOB_NOT_REACHABLE);
    size_t manifests = reading.spent - 4 * MIB;
    assert_true(manifests > 64 * 300 && manifests < 64 * 1000);
    assert_int_equal(ask_within(&s, &reading, &large, true), REASON_BLOB_NOT_REACHABLE);
    assert_int_equal(reading.spent, 4 * MIB + 2 * manifests);
    assert_int_equal(reading.judged_count, 1);
    bench_close(&s.b);
}

static void a_request_reads_so_much_and_what_it_does_not_read_allows_nothing(void **state)
{
    struct scene s;
    struct artifact_reading reading = {.spent = 0}, anew = {.spent = 0};
    scene_open(&s, state);
    struct digest signature = {0};
    for (char mark = 'a'; mark < 'g'; mark++) {
        struct digest large = push_payload(&s, true, 3 * MIB, mark);
        const struct shape shape = {CONFIG, COSIGN, &s.pair, &large};
        layer_size = 3 * MIB;
        signature = put_one(&s.b, &shape, &s.signed_image, mark);
        enum gate_reason expected = mark < 'd' ? REASON_ALLOWED : REASON_UNSIGNED_DIGEST;
        assert_int_equal(ask_within(&s, &reading, &signature, false), expected);
        assert_true(reading.spent <= ARTIFACT_READ_LARGE_MAX);
    }
    assert_int_equal(ask_within(&s, &anew, &signature, false), REASON_ALLOWED); /* the next request's answer */
    layer_size = 3;
    const struct shape small = {CONFIG, COSIGN, &s.pair, &s.page};
    struct digest last = put_one(&s.b, &small, &s.signed_image, 0);
    assert_int_equal(ask_within(&s, &reading, &last, false), REASON_ALLOWED);
    reading.spent = ARTIFACT_READ_MAX;
    assert_int_equal(ask_within(&s, &reading, &last, false), REASON_UNSIGNED_DIGEST);
    bench_close(&s.b);
}

/* Large payloads that are none do not keep a request from the small one of a true signature. */
static void a_crowd_of_large_payloads_hides_no_small_one(void **state)
{
    struct scene s;
    struct artifact_reading reading = {.spent = 0};
    scene_open(&s, state);
    for (char mark = 'a'; mark < 'g'; mark++) {
        struct digest large = push_payload(&s, false, 4 * MIB, mark);
        const struct shape theirs = {CONFIG, COSIGN, &s.empty, &large};
        layer_size = 4 * MIB;
        (void)put_one(&s.b, &theirs, &s.signed_image, mark);
    }
    layer_size = 3;
    assert_int_equal(ask_within(&s, &reading, &s.empty, true), REASON_BLOB_NOT_REACHABLE);
    assert_true(reading.spent > 8 * MIB && reading.spent <= ARTIFACT_READ_MAX);
    const struct shape ours = {CONFIG, COSIGN, &s.empty, &s.page};
    (void)put_one(&s.b, &ours, &s.signed_image, 0);
    reading = (struct artifact_reading){.spent = 0};
    assert_int_equal(ask_within(&s, &reading, &s.empty, true), REASON_ALLOWED);
    bench_close(&s.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(a_crowd_of_unsigned_ones_hides_no_signed_one),
        WORLD_TEST(who_is_in_a_hurry_decides_what_is_near_and_leaves_the_rest),
        WORLD_TEST(who_is_in_a_hurry_reads_no_large_manifest_and_no_payload),
        WORLD_TEST(a_crowd_of_images_about_the_signed_one_hides_nothing),
        WORLD_TEST(a_crowd_that_only_looks_like_signatures_hides_no_sure_one),
        WORLD_TEST(the_legacy_form_is_found_among_unsigned_ones),
        WORLD_TEST(a_denied_artifact_allows_nothing_in_a_crowd_either),
        WORLD_TEST(what_was_stored_before_is_found),
        WORLD_TEST(many_tags_hide_no_tag_of_a_signed_image),
        WORLD_TEST(many_tags_hide_no_bare_tag_of_an_index),
        WORLD_TEST(a_crowd_hides_no_tagged_one),
        cmocka_unit_test(what_is_large_leaves_a_part_to_what_is_small),
        WORLD_TEST(a_payload_is_read_once_in_a_request),
        WORLD_TEST(a_request_reads_so_much_and_what_it_does_not_read_allows_nothing),
        WORLD_TEST(a_crowd_of_large_payloads_hides_no_small_one),
        WORLD_TEST(a_question_costs_the_same_however_many_share_the_blob),
        WORLD_TEST(a_question_costs_the_same_however_many_tags_there_are),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
