#include "auth/auth_internal.h"
#include "auth/basic.h"
#include "auth/live.h"
#include "auth/secret.h"
#include "base/clock.h"
#include "base/hash.h"
#include "storage/actor.h"

#include <sodium.h>
#include <stdio.h>

enum {
    DEFAULT_LIFETIME_S = 3600,
    LIFETIME_MIN_S = 300, /* clients without a clock of their own for it break below (auth.md 6) */
    CACHE_ENTRIES = 8192,
    RIGHT_ENTRIES = 1000,
    WRONG_ENTRIES = 8192,
    RIGHT_LIFE_S = 300,
    WRONG_LIFE_S = 60,
};

static void copy_hosts(struct auth *a, const struct auth_options *options)
{
    a->hosts.n = options->alias_count + 1;
    a->host_names = xcalloc(a->hosts.n, sizeof(a->host_names[0]));
    a->host_names[0] = xstrdup(options->canonical_host);
    for (size_t i = 0; i < options->alias_count; i++) {
        a->host_names[i + 1] = xstrdup(options->aliases[i]);
    }
    a->hosts.names = (const char *const *)a->host_names;
}

bool auth_new(const struct auth_options *options, struct auth **out, struct err *err)
{
    *out = NULL;
    struct token_keys *keys = NULL;
    if (!token_keys_load(options->secrets_dir, true, &keys, err)) {
        return false;
    }
    struct auth *a = xcalloc(1, sizeof(*a));
    a->db = options->db;
    a->keys = keys;
    a->public_url = xstrdup(options->public_url);
    a->service = xstrdup(options->service);
    copy_hosts(a, options);
    a->issuer = (struct token_issuer){
        .iss = a->public_url, .aud = a->service, .host = a->host_names[0], .hosts = &a->hosts};
    int64_t lifetime = options->token_lifetime_s ? options->token_lifetime_s : DEFAULT_LIFETIME_S;
    a->token_lifetime_s = lifetime < LIFETIME_MIN_S ? LIFETIME_MIN_S : lifetime;

    struct password_cost cost = password_cost_default();
    cost.opslimit = options->hash_opslimit ? options->hash_opslimit : cost.opslimit;
    cost.memlimit = options->hash_memlimit ? options->hash_memlimit : cost.memlimit;
    a->hasher = hasher_new(&(struct hasher_options){
        .slots = options->hash_slots, .queue = options->hash_queue, .cost = cost});
    a->cache = cache_new(CACHE_ENTRIES);
    a->throttle = throttle_new(0);
    a->right = recent_new(RIGHT_ENTRIES, RIGHT_LIFE_S * US_PER_SECOND);
    a->wrong = recent_new(WRONG_ENTRIES, WRONG_LIFE_S * US_PER_SECOND);
    randombytes_buf(a->mac_key, sizeof(a->mac_key));
    atomic_init(&a->generation, 1);
    *out = a;
    return true;
}

void auth_free(struct auth *a)
{
    if (a == NULL) {
        return;
    }
    cache_free(a->cache);
    hasher_free(a->hasher);
    throttle_free(a->throttle);
    recent_free(a->right);
    recent_free(a->wrong);
    token_keys_free(a->keys);
    for (size_t i = 0; i < a->hosts.n; i++) {
        free(a->host_names[i]);
    }
    free(a->host_names);
    free(a->public_url);
    free(a->service);
    sodium_memzero(a->mac_key, sizeof(a->mac_key));
    free(a);
}

bool auth_make_keys(const char *secrets_dir, struct err *err)
{
    struct token_keys *keys = NULL;
    bool ok = token_keys_load(secrets_dir, true, &keys, err);
    token_keys_free(keys);
    return ok;
}

void auth_changed(struct auth *a)
{
    atomic_fetch_add(&a->generation, 1);
}

struct change {
    struct auth *auth;
    db_write_fn fn;
    void *arg;
};

static bool write_change(struct db_tx *tx, void *arg, struct err *err)
{
    const struct change *change = arg;
    bool ok = change->fn(tx, change->arg, err);
    auth_changed(change->auth);
    return ok;
}

bool auth_write(struct auth *a, db_write_fn fn, void *arg, struct err *err)
{
    struct change change = {a, fn, arg};
    bool ok = db_write(a->db, write_change, &change, err);
    auth_changed(a); /* also after a failure, which may come after the commit */
    return ok;
}

uint64_t auth_generation(const struct auth *a)
{
    return atomic_load(&a->generation);
}

const struct scope_hosts *auth_hosts(const struct auth *a)
{
    return &a->hosts;
}

void identity_release(struct identity *who)
{
    grant_unref(who->grants);
    *who = (struct identity){0};
}

bool identity_equal(const struct identity *a, const struct identity *b)
{
    return a->kind == b->kind && a->proof == b->proof && a->account_id == b->account_id &&
           a->administrator == b->administrator && a->gated == b->gated &&
           a->registry_only == b->registry_only && a->namespace_id == b->namespace_id &&
           a->robot_actions == b->robot_actions;
}

void identity_control(struct identity *out)
{
    *out = (struct identity){.kind = IDENTITY_CONTROL, .proof = PROOF_PEER, .administrator = true};
    (void)snprintf(out->name, sizeof(out->name), "control");
}

void identity_local(struct identity *out)
{
    *out = (struct identity){.kind = IDENTITY_CONTROL,
                             .proof = PROOF_PEER,
                             .administrator = true,
                             .registry_only = true};
    (void)snprintf(out->name, sizeof(out->name), "local");
}

void identity_actor(const struct identity *who, const char *address, struct actor *out)
{
    static const char *const proofs[] = {
        [PROOF_NONE] = "none",         [PROOF_BEARER] = "bearer", [PROOF_BASIC] = "basic",
        [PROOF_PASSWORD] = "password", [PROOF_PEER] = "peer",
    };
    *out = (struct actor){.account_id = who->account_id};
    (void)snprintf(out->name, sizeof(out->name), "%s",
                   who->kind == IDENTITY_ANONYMOUS ? "anonymous" : who->name);
    (void)snprintf(out->address, sizeof(out->address), "%s", address ? address : "");
    (void)snprintf(out->proof, sizeof(out->proof), "%s", proofs[who->proof]);
}

/* What an identification works on; a snapshot of its own is opened at the first need. */
struct inquiry {
    struct auth *a;
    const struct auth_context *context;
    struct db_tx *tx;    /* the caller's, or NULL */
    struct db_tx *own;   /* opened here */
    uint64_t generation; /* read before the snapshot was opened: facts read in it are at least this
                            new */
};

static struct db_tx *inquiry_tx(struct inquiry *q, struct err *err)
{
    if (q->tx != NULL) {
        return q->tx;
    }
    if (q->own == NULL && !db_snapshot(q->a->db, &q->own, err)) {
        return NULL;
    }
    return q->own;
}

/* Facts read in a snapshot that somebody else opened may be older than the generation: not kept. */
static void keep(const struct inquiry *q, const uint8_t key[32], const struct cache_entry *entry)
{
    if (q->tx == NULL) {
        cache_put(q->a->cache, key, entry);
    }
}

static bool is_fresh(const struct inquiry *q, const struct cache_entry *entry)
{
    return entry->generation == q->generation && q->context->now_us < entry->live_until_us;
}

static enum auth_result of_live(enum live_result live, enum auth_result when_ended)
{
    switch (live) {
    case LIVE_FAILED:
        return AUTH_FAILED;
    case LIVE_ENDED:
        return when_ended;
    case LIVE_YES:
        return AUTH_OK;
    }
    return AUTH_FAILED;
}

/* Reads anew what the token hangs on. The token's limits stay: its grants, and that it reaches
 * images and trust only. */
static enum auth_result refresh_token(struct inquiry *q, struct cache_entry *entry, struct err *err)
{
    if (entry->anchor == ANCHOR_NONE) {
        entry->generation = q->generation;
        return AUTH_OK;
    }
    struct db_tx *tx = inquiry_tx(q, err);
    if (tx == NULL) {
        return AUTH_FAILED;
    }
    const struct live_anchor anchor = {entry->who.account_id, entry->anchor, entry->anchor_id};
    struct identity who;
    enum live_result live =
        live_load(tx, &anchor, q->context->now_us, &who, &entry->live_until_us, err);
    if (live == LIVE_YES) {
        who.grants = entry->who.grants; /* the reference moves over */
        who.token_issued_us = entry->who.token_issued_us;
        who.proof = PROOF_BEARER;
        who.registry_only = true;
        entry->who = who;
        entry->generation = q->generation;
    }
    return of_live(live, AUTH_INVALID_TOKEN);
}

/* Fills an entry from a token that was not seen before. */
static bool entry_of_new_token(struct inquiry *q, struct slice token, struct cache_entry *entry,
                               struct err *err)
{
    struct token_claims claims;
    int64_t now_s = q->context->now_us / US_PER_SECOND;
    enum token_verdict verdict = token_verify(q->a->keys, &q->a->issuer, token, now_s, &claims);
    if (verdict != TOKEN_GOOD) {
        return err_set(err, ERR_UNAUTHORIZED, "%s", token_verdict_sentence(verdict));
    }
    *entry = (struct cache_entry){
        .who = {.kind = IDENTITY_ANONYMOUS,
                .proof = PROOF_BEARER,
                .account_id = claims.account_id,
                .registry_only = true,
                .grants = claims.grants,
                .token_issued_us = claims.issued_s * US_PER_SECOND},
        .anchor = claims.anchor,
        .anchor_id = claims.anchor_id,
        .expires_us = (claims.expires_s + TOKEN_LEEWAY_S) * US_PER_SECOND,
        .live_until_us = INT64_MAX,
    };
    return true;
}

static enum auth_result identify_token(struct inquiry *q, struct slice token, struct identity *out,
                                       struct err *err)
{
    uint8_t key[32];
    struct cache_entry entry;
    if (token.n > TOKEN_MAX ||
        secret_kind_of(token) != SECRET_NONE) { /* kinds never mix: a secret is no token */
        (void)err_set(err, ERR_UNAUTHORIZED, "%s", token_verdict_sentence(TOKEN_MALFORMED));
        return AUTH_INVALID_TOKEN;
    }
    hash_sha256(token, key);
    bool seen = cache_get(q->a->cache, key, &entry);
    if (!seen && !entry_of_new_token(q, token, &entry, err)) {
        return AUTH_INVALID_TOKEN;
    }
    enum auth_result result = AUTH_OK;
    if (q->context->now_us >= entry.expires_us) {
        (void)err_set(err, ERR_UNAUTHORIZED, "%s", token_verdict_sentence(TOKEN_EXPIRED));
        result = AUTH_INVALID_TOKEN;
    } else if (!seen || !is_fresh(q, &entry)) {
        result = refresh_token(q, &entry, err);
        if (result == AUTH_OK) {
            keep(q, key, &entry);
        }
    }
    if (result != AUTH_OK) {
        grant_unref(entry.who.grants);
        return result;
    }
    *out = entry.who;
    return AUTH_OK;
}

/* A robot's, deployer's or session's secret: found by its SHA-256, never hashed slowly. */
static enum auth_result identify_secret(struct inquiry *q, struct slice secret,
                                        enum identity_proof proof, struct identity *out,
                                        struct err *err)
{
    uint8_t key[32];
    struct cache_entry entry = {0};
    secret_sha256(secret, key);
    if (cache_get(q->a->cache, key, &entry) && is_fresh(q, &entry)) {
        *out = entry.who;
        out->proof = proof;
        return AUTH_OK;
    }
    struct db_tx *tx = inquiry_tx(q, err);
    if (tx == NULL) {
        return AUTH_FAILED;
    }
    struct live_anchor anchor;
    enum live_result live = live_find_secret(tx, secret, q->context->now_us, &anchor, &entry.who,
                                             &entry.live_until_us, err);
    if (live == LIVE_YES) {
        entry.anchor = anchor.anchor;
        entry.anchor_id = anchor.anchor_id;
        entry.expires_us = INT64_MAX;
        entry.generation = q->generation;
        keep(q, key, &entry);
        *out = entry.who;
        out->proof = proof;
    }
    return of_live(live, proof == PROOF_BEARER ? AUTH_INVALID_TOKEN : AUTH_BAD_CREDENTIALS);
}

bool auth_name_fits(struct slice user, const struct identity *who)
{
    return user.n == 0 || slice_is(user, "<token>") || slice_is(user, "token") ||
           slice_is_nocase(user, who->name);
}

static enum auth_result identify_basic(struct inquiry *q, struct slice header, struct identity *out,
                                       struct err *err)
{
    auto_basic struct basic basic = {0};
    if (!basic_parse(header, &basic, err)) {
        return AUTH_BAD_CREDENTIALS;
    }
    if (secret_kind_of(basic.secret) == SECRET_NONE) {
        (void)err_set(err, ERR_UNAUTHORIZED,
                      "a password is not accepted here: sign in with docker login or bond login, "
                      "or use the secret of a robot");
        return AUTH_BAD_CREDENTIALS;
    }
    enum auth_result result = identify_secret(q, basic.secret, PROOF_BASIC, out, err);
    if (result == AUTH_OK && !auth_name_fits(basic.user, out)) {
        (void)err_set(err, ERR_UNAUTHORIZED, "incorrect user name or secret");
        identity_release(out);
        return AUTH_BAD_CREDENTIALS;
    }
    return result;
}

enum auth_result auth_identify(struct auth *a, struct db_tx *tx, const char *header,
                               const struct auth_context *context, struct identity *out,
                               struct err *err)
{
    *out = (struct identity){0};
    if (header == NULL) {
        return AUTH_ANONYMOUS;
    }
    struct inquiry q = {
        .a = a, .context = context, .tx = tx, .generation = atomic_load(&a->generation)};
    struct slice value;
    enum auth_result result = AUTH_BAD_CREDENTIALS;
    if (basic_scheme_is(slice_str(header), "Bearer", &value)) {
        bool session = context->api && secret_kind_of(value) == SECRET_SESSION;
        result = session ? identify_secret(&q, value, PROOF_BEARER, out, err)
                         : identify_token(&q, value, out, err);
    } else if (basic_scheme_is(slice_str(header), "Basic", &value)) {
        result = identify_basic(&q, slice_str(header), out, err);
    } else {
        (void)err_set(
            err, ERR_UNAUTHORIZED,
            "this registry takes Bearer tokens, and Basic with the secret of a robot or session");
    }
    db_snapshot_end(q.own);
    if (result != AUTH_OK) {
        *out = (struct identity){0};
    }
    return result;
}
