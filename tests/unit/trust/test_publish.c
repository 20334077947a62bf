/* The pure rule of publishing (attacks 5, notary-api 9): each accepted upload beside its hostile
 * twins. */
#include "tests/unit/trust/made.h"
#include "trust/publish.h"

struct world { /* keys of everybody */
    struct made_key root, root2, stranger_root, targets, targets2, online, alice, bob;
};

static struct world keys;

struct stage { /* what is stored, what comes, and what the server knows */
    struct made stored, upload;
    bool holds_snapshot, holds_timestamp, reader; /* reader: no trust administration */
    bool holds_all;                               /* whatever key a root names */
    const struct spki *accepted;
    size_t accepted_count;
    bool restricted;
    const struct spki *keep_pin;
    const struct spki *revoked;
    struct publish_past past;
    bool has_past;
    int64_t seen_bonus; /* added to every seen version */
    int64_t max_lifetime_us;
};

static bool holds(void *arg, enum role_kind role, const char *key_id, const struct spki *spki)
{
    const struct stage *s = arg;
    (void)spki;
    return s->holds_all ||
           (strcmp(key_id, keys.online.id) == 0 &&
            (role == ROLE_TIMESTAMP ? s->holds_timestamp : s->holds_snapshot));
}

static void stage_init(struct stage *s)
{
    memset(s, 0, sizeof *s);
    s->holds_snapshot = s->holds_timestamp = true;
}

static struct spki spki_of(const struct made_key *key)
{
    struct tuf_key *read = NULL;
    assert_true(tuf_key_read(key->object, &read, NULL));
    struct spki out = tuf_key_spki(read);
    tuf_key_free(read);
    return out;
}

static json_t *root_part(int64_t version, const struct made_key *root,
                         const struct made_key *targets)
{
    const struct made_key *const list[] = {root, NULL};
    return made_root(version, list, 1, targets, &keys.online);
}

/* root 1, targets 2 and, when asked for, a delegation to alice in `m`. */
static void add_base(struct made *m, bool delegated)
{
    (void)made_add(m, "root", root_part(1, &keys.root, &keys.targets), &keys.root);
    json_t *targets = made_targets(2);
    if (delegated) {
        const struct made_key *const list[] = {&keys.alice, NULL};
        (void)made_delegate(targets, "targets/releases", list, 1, "");
    }
    (void)made_add(m, "targets", targets, &keys.targets);
}

static void store_base(struct stage *s, bool delegated)
{
    add_base(&s->stored, delegated);
    if (delegated) {
        (void)made_add(&s->stored, "targets/releases", made_targets(4), &keys.alice);
    }
    made_finish(&s->stored, &keys.online, 3);
}

static void write_all(struct made *m)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->docs[i].bytes.n == 0) {
            made_write(&m->docs[i]);
        }
    }
}

struct stored_set {
    struct trust_file roots[4], files[MADE_DOCS_MAX];
    struct trust_seen seen[MADE_DOCS_MAX];
    struct trust_set set;
};

static void set_of(const struct stage *s, struct stored_set *out)
{
    memset(out, 0, sizeof *out);
    out->set = (struct trust_set){.gun = SLICE_LIT(MADE_GUN),
                                  .roots = out->roots,
                                  .files = out->files,
                                  .seen = out->seen,
                                  .revoked = s->revoked,
                                  .revoked_count = s->revoked ? 1 : 0};
    for (size_t i = 0; i < s->stored.count; i++) {
        const struct made_doc *doc = &s->stored.docs[i];
        struct trust_file file = {.role = doc->role, .bytes = buf_slice_of(&doc->bytes)};
        if (strcmp(doc->role, "root") == 0) {
            out->roots[out->set.root_count++] = file;
        } else {
            out->files[out->set.file_count++] = file;
        }
        out->seen[out->set.seen_count++] = (struct trust_seen){
            .role = doc->role,
            .version = json_integer_value(json_object_get(doc->part, "version")) + s->seen_bonus};
    }
}

static struct publish_verdict *run_parts(struct stage *s, const struct upload_part *parts,
                                         size_t count)
{
    struct stored_set stored;
    struct publish_verdict *v = NULL;
    set_of(s, &stored);
    struct publish_facts facts = {.stored = &stored.set,
                                  .parts = parts,
                                  .part_count = count,
                                  .holds = holds,
                                  .holds_arg = s,
                                  .timestamp_key_id = keys.online.id,
                                  .accepted_roots = s->accepted,
                                  .accepted_root_count = s->accepted_count,
                                  .roots_restricted = s->restricted,
                                  .keep_pin = s->keep_pin,
                                  .keep_pin_count = s->keep_pin ? 1 : 0,
                                  .past = &s->past,
                                  .past_count = s->has_past ? 1 : 0,
                                  .may_administer = !s->reader,
                                  .max_lifetime_us = s->max_lifetime_us,
                                  .now_us = vectors_now()};
    publish_check(&facts, &v);
    return v;
}

static struct publish_verdict *run(struct stage *s)
{
    struct upload_part parts[MADE_DOCS_MAX];
    write_all(&s->upload);
    for (size_t i = 0; i < s->upload.count; i++) {
        parts[i] = (struct upload_part){.has_name = true,
                                        .role = slice_str(s->upload.docs[i].role),
                                        .bytes = buf_slice_of(&s->upload.docs[i].bytes)};
    }
    return run_parts(s, parts, s->upload.count);
}

static void stage_free(struct stage *s)
{
    made_free(&s->stored);
    made_free(&s->upload);
}

/* Runs, compares the word ("" = accepted), and cleans up. */
static void expect_at(int line, struct stage *s, const char *word, const char *in_msg)
{
    struct publish_verdict *v = run(s);
    if (strcmp(publish_verdict_word(v), word) != 0 || (in_msg && !strstr(v->msg, in_msg))) {
        fail_msg("line %d: %s: %s, wanted %s: %s", line, publish_verdict_word(v), v->msg, word,
                 in_msg ? in_msg : "");
    }
    assert_true(v->code == ERR_NONE || v->code == ERR_UNAUTHORIZED || v->msg[0]);
    publish_verdict_free(v);
    stage_free(s);
}
#define EXPECT(s, word, in_msg) expect_at(__LINE__, (s), (word), (in_msg))

/* --- first publishes -------------------------------------------------------------------------- */

static void a_first_publish(void **unused)
{
    struct stage s;
    (void)unused;
    stage_init(&s); /* P-01, the server makes the snapshot */
    add_base(&s.upload, false);
    struct publish_verdict *v = run(&s);
    assert_string_equal(publish_verdict_word(v), "");
    assert_true(v->first_root && v->make_snapshot && !v->snapshot);
    assert_int_equal(v->doc_count, 2);
    assert_int_equal(v->docs[0]->kind, ROLE_ROOT);
    assert_int_equal(v->tree_count, 1);
    publish_verdict_free(v);
    stage_free(&s);

    stage_init(&s); /* with a client's snapshot; a timestamp part is ignored, whatever it says */
    s.holds_snapshot = false;
    add_base(&s.upload, false);
    made_finish(&s.upload, &keys.online, 1);
    buf_clear(&made_find(&s.upload, "timestamp")->bytes);
    buf_str(&made_find(&s.upload, "timestamp")->bytes, "no JSON at all");
    v = run(&s);
    assert_string_equal(publish_verdict_word(v), "");
    assert_true(!v->make_snapshot && v->snapshot);
    assert_int_equal(v->doc_count, 3);
    publish_verdict_free(v);
    stage_free(&s);
}

static void an_incomplete_first_publish(void **unused)
{
    struct stage s;
    (void)unused;
    stage_init(&s); /* P-02 */
    (void)made_add(&s.upload, "targets", made_targets(1), &keys.targets);
    EXPECT(&s, "ErrValidation", "no pre-existing root");
    stage_init(&s);
    (void)made_add(&s.upload, "root", root_part(1, &keys.root, &keys.targets), &keys.root);
    EXPECT(&s, "ErrBadHierarchy", NULL);
    stage_init(&s); /* zero parts over nothing */
    EXPECT(&s, "ErrValidation", NULL);
    stage_init(&s); /* P-03 */
    s.holds_timestamp = false;
    add_base(&s.upload, false);
    EXPECT(&s, "ErrBadRoot", keys.online.id);
}

static void a_missing_snapshot_is_named(void **unused)
{
    struct stage s;
    (void)unused;
    stage_init(&s); /* P-07 */
    s.holds_snapshot = false;
    add_base(&s.upload, false);
    struct publish_verdict *v = run(&s);
    assert_string_equal(publish_verdict_word(v), "ErrBadHierarchy");
    assert_true(v->missing_snapshot);
    publish_verdict_free(v);
    stage_free(&s);
}

static void first_root_versions(void **unused)
{
    (void)unused;
    for (int64_t version = 1; version <= 3; version++) {
        struct stage s;
        stage_init(&s);
        (void)made_add(&s.upload, "root", root_part(version, &keys.root, &keys.targets),
                       &keys.root);
        (void)made_add(&s.upload, "targets", made_targets(1), &keys.targets);
        EXPECT(&s, version <= 2 ? "" : "ErrBadRoot", NULL);
    }
}

/* --- whose root (gate.md 11.1) ---------------------------------------------------------------- */

/* A document carries 64 signatures: a threshold above that could never be met by the server's own. */
static void the_server_signs_as_often_as_a_document_can_carry(void **unused)
{
    enum { MANY = 65 };
    struct made_key server[MANY];
    const struct made_key *list[MANY + 1] = {NULL};
    (void)unused;
    for (int i = 0; i < MANY; i++) {
        made_key_new(&server[i]);
        list[i] = &server[i];
    }
    static const char *const roles[] = {"timestamp", "snapshot"};
    for (int r = 0; r < 2; r++) {
        for (int threshold = MANY - 1; threshold <= MANY; threshold++) {
            struct stage s;
            stage_init(&s);
            s.holds_all = true;
            json_t *root = root_part(1, &keys.root, &keys.targets);
            json_object_set_new(json_object_get(root, "roles"), roles[r],
                                made_role(json_object_get(root, "keys"), list, threshold));
            (void)made_add(&s.upload, "root", root, &keys.root);
            (void)made_add(&s.upload, "targets", made_targets(2), &keys.targets);
            EXPECT(&s, threshold < MANY ? "" : "ErrBadRoot", threshold < MANY ? NULL : roles[r]);
        }
    }
    for (int i = 0; i < MANY; i++) {
        made_key_free(&server[i]);
    }
}

static void pins(void **unused)
{
    struct stage s;
    struct spki own = spki_of(&keys.root), other = spki_of(&keys.stranger_root);
    (void)unused;
    stage_init(&s); /* K-01 */
    s.restricted = true;
    s.accepted = &own;
    s.accepted_count = 1;
    add_base(&s.upload, false);
    EXPECT(&s, "", NULL);
    stage_init(&s); /* K-02 */
    s.restricted = true;
    s.accepted = &other;
    s.accepted_count = 1;
    add_base(&s.upload, false);
    struct publish_verdict *v = run(&s);
    assert_string_equal(publish_verdict_word(v), "ErrBadRoot");
    assert_string_equal(v->reason, "root_pinned");
    publish_verdict_free(v);
    stage_free(&s);
    stage_init(&s); /* K-03 */
    s.keep_pin = &other;
    add_base(&s.upload, false);
    EXPECT(&s, "ErrBadRoot", "pin");
    stage_init(&s);
    s.keep_pin = &own;
    add_base(&s.upload, false);
    EXPECT(&s, "", NULL);
    stage_init(&s); /* K-05 at the door */
    s.revoked = &own;
    add_base(&s.upload, false);
    EXPECT(&s, "ErrBadRoot", "revoked");
}

/* --- rotations -------------------------------------------------------------------------------- */

static void root_rotation(void **unused)
{
    struct stage s;
    (void)unused;
    stage_init(&s); /* U60: old and new sign */
    store_base(&s, false);
    made_add(&s.upload, "root", root_part(2, &keys.root2, &keys.targets), &keys.root)->signers[1] =
        &keys.root2;
    EXPECT(&s, "", NULL);
    stage_init(&s); /* U61: only the new one */
    store_base(&s, false);
    (void)made_add(&s.upload, "root", root_part(2, &keys.root2, &keys.targets), &keys.root2);
    EXPECT(&s, "ErrBadRoot", NULL);
    stage_init(&s); /* only the old one */
    store_base(&s, false);
    (void)made_add(&s.upload, "root", root_part(2, &keys.root2, &keys.targets), &keys.root);
    EXPECT(&s, "ErrBadRoot", NULL);
    stage_init(&s); /* a gap */
    store_base(&s, false);
    (void)made_add(&s.upload, "root", root_part(3, &keys.root, &keys.targets), &keys.root);
    EXPECT(&s, "ErrBadRoot", "must increment the version. Current 1, new 3");
    stage_init(&s); /* the same version by the right key: somebody was faster */
    store_base(&s, false);
    (void)made_add(&s.upload, "root", root_part(1, &keys.root, &keys.targets), &keys.root);
    EXPECT(&s, "VERSION", NULL);
    stage_init(&s); /* a takeover at the same version */
    store_base(&s, false);
    (void)made_add(&s.upload, "root", root_part(1, &keys.stranger_root, &keys.targets),
                   &keys.stranger_root);
    EXPECT(&s, "ErrBadRoot", NULL);
    stage_init(&s); /* U27: two entries with one key id */
    store_base(&s, false);
    made_add(&s.upload, "root", root_part(2, &keys.root, &keys.targets), &keys.root)->signers[1] =
        &keys.root;
    EXPECT(&s, "ErrBadRoot", "two signatures");
}

/* U69: what the former key signed is no longer valid. */
static void a_rotated_targets_key_needs_new_targets(void **unused)
{
    struct stage s;
    (void)unused;
    stage_init(&s);
    store_base(&s, false);
    (void)made_add(&s.upload, "root", root_part(2, &keys.root, &keys.targets2), &keys.root);
    EXPECT(&s, "ErrBadTargets", NULL);
    stage_init(&s);
    store_base(&s, false);
    (void)made_add(&s.upload, "root", root_part(2, &keys.root, &keys.targets2), &keys.root);
    (void)made_add(&s.upload, "targets", made_targets(3), &keys.targets2);
    EXPECT(&s, "", NULL);
}

/* --- targets, versions, expiry ---------------------------------------------------------------- */

/* U55, F-01: the big step of a fast-forward, and the smaller ones of a rollback. */
static void versions_go_up_by_small_steps(void **unused)
{
    static const struct {
        int64_t version;
        const char *word;
    } table[] = {{1, "VERSION"}, {2, "VERSION"},          {3, ""},
                 {1002, ""},     {1003, "ErrBadTargets"}, {1000000000, "ErrBadTargets"}};
    (void)unused;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct stage s;
        stage_init(&s);
        store_base(&s, false);
        (void)made_add(&s.upload, "targets", made_targets(table[i].version), &keys.targets);
        EXPECT(&s, table[i].word, NULL);
    }
}

static void targets_are_signed_and_fresh(void **unused)
{
    struct stage s;
    (void)unused;
    stage_init(&s); /* U20 */
    store_base(&s, false);
    (void)made_add(&s.upload, "targets", made_targets(3), &keys.bob);
    EXPECT(&s, "ErrBadTargets", "did not meet threshold");
    stage_init(&s); /* U21 */
    store_base(&s, false);
    (void)made_add(&s.upload, "targets", made_targets(3), NULL);
    EXPECT(&s, "ErrBadTargets", "no signatures");
    stage_init(&s);
    store_base(&s, false);
    json_object_set_new(made_add(&s.upload, "targets", made_targets(3), &keys.targets)->part,
                        "expires", json_string(MADE_PAST));
    EXPECT(&s, "ErrBadTargets", "expired at " MADE_PAST);
    stage_init(&s); /* a further stranger's signature does no harm */
    store_base(&s, false);
    made_add(&s.upload, "targets", made_targets(3), &keys.targets)->signers[1] = &keys.bob;
    EXPECT(&s, "", NULL);
    stage_init(&s); /* an upload without documents */
    store_base(&s, false);
    EXPECT(&s, "", NULL);
}

/* --- delegations ------------------------------------------------------------------------------ */

static void delegations(void **unused)
{
    struct stage s;
    (void)unused;
    stage_init(&s); /* a delegate alone, without the right of administration */
    store_base(&s, true);
    s.reader = true;
    (void)made_add(&s.upload, "targets/releases", made_targets(5), &keys.alice);
    EXPECT(&s, "", NULL);
    stage_init(&s);
    store_base(&s, true);
    (void)made_add(&s.upload, "targets/releases", made_targets(5), &keys.bob);
    EXPECT(&s, "ErrBadTargets", "did not meet threshold for targets/releases");
    stage_init(&s); /* nobody delegates it */
    store_base(&s, true);
    (void)made_add(&s.upload, "targets/other", made_targets(1), &keys.alice);
    EXPECT(&s, "ErrBadTargets", "delegation does not exist");
    stage_init(&s); /* its parent is not there */
    store_base(&s, true);
    (void)made_add(&s.upload, "targets/releases/x/y", made_targets(1), &keys.alice);
    EXPECT(&s, "ErrBadTargets", "delegation does not exist");
}

static void a_delegate_loses_his_key(void **unused)
{
    struct stage s;
    const struct made_key *const bob[] = {&keys.bob, NULL};
    (void)unused;
    stage_init(&s); /* P-10: accepted with a warning, the stored document stays listed */
    store_base(&s, true);
    json_t *targets = made_targets(3);
    (void)made_delegate(targets, "targets/releases", bob, 1, "");
    (void)made_add(&s.upload, "targets", targets, &keys.targets);
    struct publish_verdict *v = run(&s);
    assert_string_equal(publish_verdict_word(v), "");
    assert_int_equal(v->tree_count, 2);
    assert_int_equal(v->ended_count, 0);
    assert_true(v->warning_count >= 1);
    publish_verdict_free(v);
    stage_free(&s);
}

static void a_delegation_ends(void **unused)
{
    struct stage s;
    const struct made_key *const alice[] = {&keys.alice, NULL};
    (void)unused;
    stage_init(&s);
    store_base(&s, true);
    (void)made_add(&s.upload, "targets", made_targets(3), &keys.targets);
    struct publish_verdict *v = run(&s);
    assert_string_equal(publish_verdict_word(v), "");
    assert_int_equal(v->ended_count, 1);
    assert_string_equal(v->ended_roles[0], "targets/releases");
    assert_int_equal(v->tree_count, 1);
    publish_verdict_free(v);
    stage_free(&s);

    stage_init(
        &s); /* listed again: a document of the earlier life may not come back, a new one may */
    for (int again = 0; again < 2; again++) {
        stage_init(&s);
        store_base(&s, false);
        json_t *targets = made_targets(3);
        (void)made_delegate(targets, "targets/releases", alice, 1, "");
        (void)made_add(&s.upload, "targets", targets, &keys.targets);
        (void)made_add(&s.upload, "targets/releases", made_targets(4), &keys.alice);
        if (again == 0) {
            struct tuf_doc *old = NULL;
            write_all(&s.upload);
            assert_int_equal(tuf_doc_read(SLICE_LIT("targets/releases"),
                                          buf_slice_of(&s.upload.docs[1].bytes), &old, NULL),
                             DOC_OK);
            s.past.role = "targets/releases";
            memcpy(s.past.signed_sha256, old->signed_sha256, 32);
            s.has_past = true;
            tuf_doc_free(old);
        }
        EXPECT(&s, again == 0 ? "ErrBadTargets" : "", again == 0 ? "earlier life" : NULL);
    }
}

static void deep_delegations(void **unused)
{
    (void)unused;
    for (int depth = ROLE_DEPTH_MAX; depth <= ROLE_DEPTH_MAX + 1; depth++) { /* P-20 */
        struct stage s;
        const struct made_key *const alice[] = {&keys.alice, NULL};
        auto_buf struct buf role = {0};
        stage_init(&s);
        (void)made_add(&s.upload, "root", root_part(1, &keys.root, &keys.targets), &keys.root);
        buf_str(&role, "targets");
        for (int level = 1; level <= depth; level++) {
            json_t *part = made_targets(1);
            auto_buf struct buf child = {0};
            buf_printf(&child, "%s/x", role.p);
            if (level < depth) {
                (void)made_delegate(part, child.p, alice, 1, "");
            }
            (void)made_add(&s.upload, role.p, part, level == 1 ? &keys.targets : &keys.alice);
            buf_str(&role, "/x");
        }
        struct publish_verdict *v = run(&s);
        assert_int_equal(v->code == ERR_NONE, depth <= ROLE_DEPTH_MAX);
        publish_verdict_free(v);
        stage_free(&s);
    }
}

static void set_days(struct made *m, const char *role, int days)
{
    char text[TIME_STR_MAX];
    int64_t end_us = vectors_now() + days * US_PER_DAY;
    json_object_set_new(made_find(m, role)->part, "expires",
                        json_string(time_format(end_us, text)));
}

/* attacks K-09: what the prefix covers is accepted, as the clients accept it. */
static void wide_certificates_are_warned_of(void **unused)
{
    static const struct {
        const char *name;
        bool warned;
    } rows[] = {
        {MADE_GUN, false}, {"registry.example/ns/*", false}, {"registry.example/ns*", true}};
    (void)unused;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct stage s;
        struct made_key key;
        stage_init(&s);
        made_cert_new(&key, NULL, rows[i].name, -86400, 86400 * 3650L);
        (void)made_add(&s.upload, "root", root_part(1, &key, &keys.targets), &key);
        (void)made_add(&s.upload, "targets", made_targets(1), &keys.targets);
        set_days(&s.upload, "root", 3650);
        set_days(&s.upload, "targets", 1095);
        struct publish_verdict *v = run(&s);
        assert_string_equal(publish_verdict_word(v), "");
        assert_int_equal(v->warning_count, rows[i].warned);
        CHECK_CASE(!rows[i].warned || strstr(v->warnings[0], rows[i].name), rows[i].name);
        publish_verdict_free(v);
        made_free(&s.upload);
        made_key_free(&key);
    }
}

/* attacks 5.7: what clients sign for by themselves is ten years for a root, three for all else. */
static void long_lives_are_warned_of_or_refused(void **unused)
{
    static const struct {
        const char *name;
        int root_days, targets_days, max_days;
        const char *refused, *warned; /* the role, or NULL */
    } rows[] = {{"as clients sign", 3650, 1095, 0, NULL, NULL},
                {"as clients sign, and their clock is ahead", 3651, 1096, 1, NULL, NULL},
                {"a root of eleven years", 4015, 1095, 0, NULL, "root "},
                {"targets of four years", 3650, 1460, 0, NULL, "targets "},
                {"a root, refused", 3652, 1095, 1, "ErrBadRoot", "root "},
                {"targets, refused", 3650, 1097, 1, "ErrBadTargets", "targets "},
                {"targets below a longer limit", 3650, 1999, 2000, NULL, "targets "},
                {"targets above a longer limit", 3650, 2001, 2000, "ErrBadTargets", "targets "},
                {"a root above a longer limit", 5001, 1095, 5000, "ErrBadRoot", "root "}};
    (void)unused;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct stage s;
        stage_init(&s);
        s.max_lifetime_us = rows[i].max_days * US_PER_DAY;
        add_base(&s.upload, false);
        set_days(&s.upload, "root", rows[i].root_days);
        set_days(&s.upload, "targets", rows[i].targets_days);
        struct publish_verdict *v = run(&s);
        const char *said = rows[i].refused ? v->msg : v->warning_count ? v->warnings[0] : "";
        CHECK_CASE(strcmp(publish_verdict_word(v), rows[i].refused ? rows[i].refused : "") == 0,
                   rows[i].name);
        CHECK_CASE(v->warning_count == (rows[i].warned && !rows[i].refused), rows[i].name);
        CHECK_CASE(rows[i].warned ? slice_starts(slice_str(said), rows[i].warned) : !said[0],
                   rows[i].name);
        publish_verdict_free(v);
        stage_free(&s);
    }
}

static void warnings_that_find_no_place_are_counted(void **unused)
{
    struct publish_verdict v = {0};
    (void)unused;
    for (int i = 1; i <= PUBLISH_WARNINGS_MAX; i++) {
        publish_warn(&v, "warning \"%d\"", i);
        assert_int_equal(v.warning_count, i);
    }
    assert_string_equal(v.warnings[PUBLISH_WARNINGS_MAX - 1], "warning ?4?");
    publish_warn(&v, "one too many");
    publish_warn(&v, "and another");
    assert_int_equal(v.warning_count, PUBLISH_WARNINGS_MAX + 1);
    assert_string_equal(v.warnings[PUBLISH_WARNINGS_MAX], "and 2 more");
}

static void stale_targets_are_warned_of(void **unused)
{
    struct stage s;
    (void)unused;
    stage_init(&s); /* U46 */
    add_base(&s.stored, true);
    json_t *entry = json_pack("{s:{s:s}, s:i}", "hashes", "sha256",
                              "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "length", 5);
    json_object_set(json_object_get(made_find(&s.stored, "targets")->part, "targets"), "v1", entry);
    json_t *releases = made_targets(4);
    json_object_set_new(json_object_get(releases, "targets"), "v1", entry);
    (void)made_add(&s.stored, "targets/releases", releases, &keys.alice);
    made_finish(&s.stored, &keys.online, 3);
    (void)made_add(&s.upload, "targets/releases", made_targets(5), &keys.alice);
    set_days(&s.upload, "targets/releases", 1095);
    struct publish_verdict *v = run(&s);
    assert_string_equal(publish_verdict_word(v), "");
    assert_int_equal(v->warning_count, 1);
    assert_non_null(strstr(v->warnings[0], "v1 is withdrawn from targets/releases"));
    publish_verdict_free(v);
    stage_free(&s);
}

/* --- snapshots of clients --------------------------------------------------------------------- */

/* A complete client upload: root 1, targets 2, a delegation, and the snapshot over them. */
static void upload_complete(struct stage *s)
{
    stage_init(s);
    s->holds_snapshot = false;
    add_base(&s->upload, true);
    (void)made_add(&s->upload, "targets/releases", made_targets(1), &keys.alice);
    made_finish(&s->upload, &keys.online, 1);
}

static void client_snapshots(void **unused)
{
    struct stage s;
    (void)unused;
    upload_complete(&s);
    EXPECT(&s, "", NULL);

    upload_complete(&s); /* P-08: a delegated role with metadata is left out */
    json_object_del(json_object_get(made_find(&s.upload, "snapshot")->part, "meta"),
                    "targets/releases");
    made_write(made_find(&s.upload, "snapshot"));
    EXPECT(&s, "ErrBadSnapshot", "does not list targets/releases");

    upload_complete(&s); /* a wrong length */
    json_object_set_new(
        json_object_get(json_object_get(made_find(&s.upload, "snapshot")->part, "meta"), "targets"),
        "length", json_integer(7));
    made_write(made_find(&s.upload, "snapshot"));
    EXPECT(&s, "ErrBadSnapshot", "another targets");

    upload_complete(&s); /* P-09: targets of another time */
    json_object_set_new(made_find(&s.upload, "targets")->part, "version", json_integer(9));
    made_write(made_find(&s.upload, "targets"));
    EXPECT(&s, "ErrBadSnapshot", NULL);

    upload_complete(&s); /* not by the snapshot key */
    made_find(&s.upload, "snapshot")->signers[0] = &keys.bob;
    made_write(made_find(&s.upload, "snapshot"));
    EXPECT(&s, "ErrBadSnapshot", "threshold");

    upload_complete(&s);
    json_object_set_new(made_find(&s.upload, "snapshot")->part, "expires", json_string(MADE_PAST));
    made_write(made_find(&s.upload, "snapshot"));
    EXPECT(&s, "ErrBadSnapshot", "expired");

    upload_complete(&s); /* entries of roles that nobody delegates are imported repositories' */
    made_list(json_object_get(made_find(&s.upload, "snapshot")->part, "meta"),
              made_find(&s.upload, "targets/releases"));
    json_object_set(json_object_get(made_find(&s.upload, "snapshot")->part, "meta"), "targets/gone",
                    json_object_get(json_object_get(made_find(&s.upload, "snapshot")->part, "meta"),
                                    "targets/releases"));
    made_write(made_find(&s.upload, "snapshot"));
    EXPECT(&s, "", NULL);
}

/* --- rights ----------------------------------------------------------------------------------- */

static void rights_follow_content(void **unused)
{
    struct stage s;
    const struct made_key *const bob[] = {&keys.bob, NULL};
    (void)unused;
    for (int changed = 0; changed < 2; changed++) {
        stage_init(&s);
        store_base(&s, true);
        s.reader = true;
        json_t *targets = made_targets(3);
        const struct made_key *const alice[] = {&keys.alice, NULL};
        (void)made_delegate(targets, "targets/releases", changed ? bob : alice, 1, "");
        (void)made_add(&s.upload, "targets", targets, &keys.targets);
        EXPECT(&s, changed ? "UNAUTHORIZED" : "", changed ? "administration" : NULL);
    }
    stage_init(&s);
    store_base(&s, false);
    s.reader = true;
    (void)made_add(&s.upload, "root", root_part(2, &keys.root, &keys.targets), &keys.root);
    EXPECT(&s, "UNAUTHORIZED", "root");
}

/* --- bytes ------------------------------------------------------------------------------------ */

static void parts_are_checked_first(void **unused)
{
    static const struct {
        const char *name; /* NULL: no file name */
        const char *role, *bytes, *word;
        enum err_code code;
    } table[] = {
        {"no file name", NULL, "{}", "ErrValidation", ERR_TRUST_NO_FILENAME},
        {"empty file name", "", "{}", "ErrValidation", ERR_TRUST_NO_FILENAME},
        {"unknown role", "evil", "{}", "INVALID_ROLE", ERR_TRUST_INVALID_ROLE},
        {"upper case", "targets/UP", "{}", "INVALID_ROLE", ERR_TRUST_INVALID_ROLE},
        {"traversal", "targets/../root", "{}", "INVALID_ROLE", ERR_TRUST_INVALID_ROLE},
        {"no UTF-8", "\xff\xfe", "{}", "INVALID_ROLE", ERR_TRUST_INVALID_ROLE},
        {"no JSON", "targets", "no", "ErrBadTargets", ERR_TRUST_MALFORMED_JSON},
        {"nothing", "root", "", "ErrBadRoot", ERR_TRUST_MALFORMED_JSON},
        {"version as text", "targets", "{\"signed\":{\"version\":\"1\"},\"signatures\":[]}",
         "ErrBadTargets", ERR_TRUST_MALFORMED_JSON},
        {"version 1.0", "targets", "{\"signed\":{\"version\":1.0},\"signatures\":[]}",
         "ErrBadTargets", ERR_TRUST_MALFORMED_JSON},
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct stage s;
        struct upload_part part = {.has_name = table[i].role != NULL,
                                   .role = slice_str(table[i].role),
                                   .bytes = slice_str(table[i].bytes)};
        stage_init(&s);
        store_base(&s, false);
        struct publish_verdict *v = run_parts(&s, &part, 1);
        CHECK_CASE(v->code == table[i].code, table[i].name);
        CHECK_CASE(strcmp(publish_verdict_word(v), table[i].word) == 0, table[i].name);
        for (const char *p = v->msg; *p; p++) {
            CHECK_CASE(*p >= 0x20 && *p <= 0x7e, table[i].name);
        }
        publish_verdict_free(v);
        stage_free(&s);
    }
}

static void strictness_is_told_by_role(void **unused)
{
    struct stage s;
    (void)unused;
    stage_init(&s); /* P-11: bytes after the value */
    store_base(&s, false);
    (void)made_add(&s.upload, "targets", made_targets(3), &keys.targets);
    write_all(&s.upload);
    buf_str(&s.upload.docs[0].bytes, "{\"x\":1}");
    struct publish_verdict *v = run(&s);
    assert_int_equal(v->code, ERR_TRUST_INVALID_UPDATE);
    assert_string_equal(v->errname, "ErrBadTargets");
    publish_verdict_free(v);
    stage_free(&s);
}

static void a_role_comes_once(void **unused)
{
    struct stage s;
    (void)unused;
    stage_init(&s);
    store_base(&s, false);
    (void)made_add(&s.upload, "targets", made_targets(3), &keys.targets);
    (void)made_add(&s.upload, "targets", made_targets(4), &keys.targets);
    EXPECT(&s, "ErrValidation", "twice");
}

static void too_many_parts(void **unused)
{
    struct stage s;
    (void)unused;
    stage_init(&s);
    auto_free struct upload_part *parts = xcalloc(1000, sizeof *parts);
    struct publish_verdict *v = run_parts(&s, parts, 1000);
    assert_string_equal(publish_verdict_word(v), "ErrValidation");
    publish_verdict_free(v);
    stage_free(&s);
}

static void the_received_bytes_are_kept(void **unused)
{
    struct stage s;
    (void)unused;
    stage_init(&s); /* U35: another spelling of the same document */
    store_base(&s, false);
    (void)made_add(&s.upload, "targets", made_targets(3), &keys.targets);
    write_all(&s.upload);
    buf_str(&s.upload.docs[0].bytes, " \n\n");
    struct publish_verdict *v = run(&s);
    assert_string_equal(publish_verdict_word(v), "");
    assert_true(slice_equal(v->docs[0]->bytes, buf_slice_of(&s.upload.docs[0].bytes)));
    publish_verdict_free(v);
    stage_free(&s);
}

static int make_keys(void **unused)
{
    (void)unused;
    made_cert_new(&keys.root, NULL, MADE_GUN, -86400, 86400 * 3650L);
    made_cert_new(&keys.root2, NULL, MADE_GUN, -86400, 86400 * 3650L);
    made_cert_new(&keys.stranger_root, NULL, MADE_GUN, -86400, 86400 * 3650L);
    made_key_new(&keys.targets);
    made_key_new(&keys.targets2);
    made_key_new(&keys.online);
    made_key_new(&keys.alice);
    made_key_new(&keys.bob);
    return 0;
}

static int free_keys(void **unused)
{
    (void)unused;
    struct made_key *all[] = {&keys.root,     &keys.root2,  &keys.stranger_root, &keys.targets,
                              &keys.targets2, &keys.online, &keys.alice,         &keys.bob};
    for (size_t i = 0; i < COUNT(all); i++) {
        made_key_free(all[i]);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_first_publish),
        cmocka_unit_test(an_incomplete_first_publish),
        cmocka_unit_test(a_missing_snapshot_is_named),
        cmocka_unit_test(first_root_versions),
        cmocka_unit_test(the_server_signs_as_often_as_a_document_can_carry),
        cmocka_unit_test(pins),
        cmocka_unit_test(root_rotation),
        cmocka_unit_test(a_rotated_targets_key_needs_new_targets),
        cmocka_unit_test(versions_go_up_by_small_steps),
        cmocka_unit_test(targets_are_signed_and_fresh),
        cmocka_unit_test(delegations),
        cmocka_unit_test(a_delegate_loses_his_key),
        cmocka_unit_test(a_delegation_ends),
        cmocka_unit_test(deep_delegations),
        cmocka_unit_test(wide_certificates_are_warned_of),
        cmocka_unit_test(stale_targets_are_warned_of),
        cmocka_unit_test(long_lives_are_warned_of_or_refused),
        cmocka_unit_test(warnings_that_find_no_place_are_counted),
        cmocka_unit_test(client_snapshots),
        cmocka_unit_test(rights_follow_content),
        cmocka_unit_test(parts_are_checked_first),
        cmocka_unit_test(strictness_is_told_by_role),
        cmocka_unit_test(a_role_comes_once),
        cmocka_unit_test(too_many_parts),
        cmocka_unit_test(the_received_bytes_are_kept),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
