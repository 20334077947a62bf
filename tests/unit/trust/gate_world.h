/* A verified state made by hand, so that the gate's rules can be asked without keys and signatures:
 * what verification says is the input here. */
#ifndef TESTS_UNIT_TRUST_GATE_WORLD_H
#define TESTS_UNIT_TRUST_GATE_WORLD_H

#include "tests/unit/trust/trust_check.h"
#include "trust/gate.h"

#define GATE_ROLES_MAX 8
#define GATE_LISTINGS_MAX 16
#define D1 1 /* digests are named by a number: its byte, 32 times */
#define D2 2
#define D3 3
#define SIZE 491 /* of every manifest, unless a case says otherwise */

struct gate_world {
    struct trust_state state;
    struct trust_role roles[GATE_ROLES_MAX];
    const char *paths[GATE_ROLES_MAX];
    struct policy policy;
    struct repo_name repo;
    struct gate_listing history[GATE_LISTINGS_MAX];
    struct gate_facts facts;
};

static inline struct digest gate_world_digest(int n)
{
    struct digest d;
    uint8_t raw[32];
    memset(raw, n, sizeof raw);
    assert_true(digest_from_hash(DIGEST_SHA256, raw, sizeof raw, &d));
    return d;
}

static inline struct spki gate_world_key(int n)
{
    struct spki key;
    memset(key.sha256, n, sizeof key.sha256);
    return key;
}

static inline void gate_world_init(struct gate_world *w)
{
    memset(w, 0, sizeof *w);
    policy_defaults(&w->policy);
    assert_true(repo_name_parse(SLICE_LIT("ns/app"), &w->repo, NULL));
    w->state.status = TRUST_OK;
    w->state.roles = w->roles;
    w->state.valid_until_us = vectors_now() + 10 * US_PER_DAY;
    w->facts = (struct gate_facts){.host = "registry.example",
                                   .repo = &w->repo,
                                   .now_us = vectors_now(),
                                   .policy = &w->policy,
                                   .policy_scope = "ns",
                                   .trust = &w->state,
                                   .history = w->history,
                                   .enforced = true};
}

static inline void gate_world_free(struct gate_world *w)
{
    for (size_t i = 0; i < w->state.role_count; i++) {
        tuf_doc_free(w->roles[i].doc);
    }
    policy_dispose(&w->policy);
}

struct gate_lists { /* one entry of a role's document; tag NULL ends a list */
    const char *tag;
    int digest;      /* 0: the entry has a sha512 only (64 bytes of 9) */
    int64_t length;  /* 0: SIZE */
    bool sha512_too; /* also 64 bytes of the digest's number */
};

static inline void gate_world_hash(struct buf *out, const char *algorithm, int n, size_t size)
{
    uint8_t raw[64];
    memset(raw, n, sizeof raw);
    buf_printf(out, "\"%s\":\"", algorithm);
    base64_encode(out, slice_of_bytes(raw, size));
    buf_char(out, '"');
}

static inline void gate_world_targets(struct buf *out, const struct gate_lists *lists)
{
    for (const struct gate_lists *l = lists; l && l->tag; l++) {
        buf_printf(out, "%s\"%s\":{\"hashes\":{", l == lists ? "" : ",", l->tag);
        if (l->digest) {
            gate_world_hash(out, "sha256", l->digest, 32);
        }
        if (l->digest && l->sha512_too) {
            buf_char(out, ',');
        }
        if (!l->digest || l->sha512_too) {
            gate_world_hash(out, "sha512", l->digest ? l->digest : 9, 64);
        }
        buf_printf(out, "},\"length\":%lld}", (long long)(l->length ? l->length : SIZE));
    }
}

/* Adds a role of the tree; the first must be "targets".
 *   path   the one path of the role; NULL = ""
 *   key    whose signature is on it; 0 = none */
static inline struct trust_role *gate_world_role(struct gate_world *w, const char *name,
                                                 const char *path, int key,
                                                 const struct gate_lists *lists)
{
    size_t index = w->state.role_count++;
    struct trust_role *role = &w->roles[index];
    auto_buf struct buf json = {0};
    struct err err = {0};
    assert_true(w->state.role_count <= GATE_ROLES_MAX);
    buf_str(&json, "{\"signed\":{\"_type\":\"Targets\",\"delegations\":{\"keys\":{},\"roles\":[]},"
                   "\"expires\":\"2030-01-01T00:00:00Z\",\"targets\":{");
    gate_world_targets(&json, lists);
    buf_str(&json, "},\"version\":3},\"signatures\":[]}");
    *role = (struct trust_role){.name = name, .state = ROLE_STATE_OK, .path_count = 1};
    w->paths[index] = path ? path : "";
    role->paths = &w->paths[index];
    if (tuf_doc_read(slice_str(name), buf_slice_of(&json), &role->doc, &err) != DOC_OK) {
        fail_msg("%s: %s", name, err.msg);
    }
    if (key) {
        role->signatures = (struct sig_count){.valid = 1, .threshold = 1, .signer_count = 1};
        role->signatures.signers[0] = gate_world_key(key);
    }
    return role;
}

/* Adds a period of history; call in the order of tags, then of beginnings. Days count from now, 0 =
 * still listed. */
static inline struct gate_listing *gate_world_listed(struct gate_world *w, const char *role,
                                                     const char *tag, int digest, int since_days,
                                                     int until_days, enum listing_end end)
{
    struct gate_listing *l = &w->history[w->facts.history_count++];
    assert_true(w->facts.history_count <= GATE_LISTINGS_MAX);
    *l = (struct gate_listing){
        .role = role,
        .tag = tag,
        .digest = gate_world_digest(digest),
        .length = SIZE,
        .since_us = vectors_now() + since_days * US_PER_DAY,
        .until_us = end == LISTING_OPEN ? 0 : vectors_now() + until_days * US_PER_DAY,
        .end = end,
        .end_version = 2};
    return l;
}

static inline struct tag_name gate_world_tag(const char *text)
{
    struct tag_name tag;
    assert_true(tag_name_parse(slice_str(text), &tag, NULL));
    return tag;
}

/* What the registry holds under a tag; digest 0 = no such tag. */
static inline struct gate_registry_tag gate_world_registry(int digest, int64_t size)
{
    struct gate_registry_tag r = {.exists = digest != 0, .size = size ? size : SIZE};
    if (digest) {
        r.digest = gate_world_digest(digest);
    }
    return r;
}

#endif
