#include "server/admit.h"

#include "auth/access.h"
#include "auth/auth.h"
#include "auth/basic.h"
#include "auth/space.h"
#include "server/api_refusal.h"
#include "server/registry.h"
#include "trust/trust.h"

#include <stdio.h>

/* ---- names ---- */

static bool refuse(struct http_exchange *ex, enum err_code code, const char *sentence)
{
    struct err err = {0};
    (void)err_set(&err, code, "%s", sentence);
    reply_error(&ex->reply, &err);
    return false;
}

/* Foreign hosts do not exist here, and that is said before anybody is asked who he is (notary-api
 * 4). A publisher gets the detail that his client prints. */
static bool refuse_gun(struct http_exchange *ex)
{
    if (ex->route->access != ACCESS_TRUST_WRITE || ex->line.method != METHOD_POST) {
        return refuse(ex, ERR_TRUST_NOT_FOUND, "");
    }
    struct err err = {0};
    (void)err_set(&err, ERR_TRUST_INVALID_GUN, "");
    char sentence[400];
    (void)snprintf(sentence, sizeof(sentence), "this server signs for %s/NAMESPACE/NAME only",
                   trust_host(ex->rq.app->trust));
    reply_error_detail(
        &ex->reply, &err,
        json_pack("{s:s, s:{s:s}}", "Name", "ErrValidation", "Error", "Msg", sentence));
    return false;
}

static bool read_repository(struct http_exchange *ex)
{
    struct request *rq = &ex->rq;
    struct err err = {0};
    if (ex->match.gun.p != NULL) {
        rq->gun = ex->match.gun;
        rq->has_repo = trust_gun_parse(rq->app->trust, rq->gun, &rq->repo, NULL);
        return rq->has_repo || refuse_gun(ex);
    }
    if (ex->match.name.p != NULL) {
        rq->has_repo = repo_name_parse(ex->match.name, &rq->repo, &err);
        if (!rq->has_repo) {
            reply_error(&ex->reply, &err);
            return false;
        }
    }
    return true;
}

/* A digest has a colon, a tag has none. */
static bool read_reference(struct http_exchange *ex)
{
    struct request *rq = &ex->rq;
    struct slice text = ex->match.reference;
    struct err err = {0};
    if (text.p == NULL) {
        return true;
    }
    if (ex->match.reference_is_digest || slice_index(text, ':') >= 0) {
        rq->reference = REFERENCE_DIGEST;
        if (digest_parse(text, &rq->digest, &err)) {
            return true;
        }
    } else {
        rq->reference = REFERENCE_TAG;
        if (tag_name_parse(text, &rq->tag, &err)) {
            return true;
        }
        if (rq->method != METHOD_PUT) {
            return refuse(ex, ERR_MANIFEST_UNKNOWN, ""); /* what cannot be a tag is none */
        }
    }
    reply_error(&ex->reply, &err);
    return false;
}

static bool read_params(struct http_exchange *ex)
{
    bool decode = slice_starts(ex->rq.path, "/api/");
    for (size_t i = 0; i < REQUEST_PARAMS_MAX; i++) {
        struct slice text = ex->match.params[i];
        if (text.p == NULL || !decode) {
            ex->rq.params[i] = text;
            continue;
        }
        if (!router_decode(text, &ex->params[i])) {
            return refuse(ex, ERR_NOT_FOUND, "the path has a malformed part");
        }
        ex->rq.params[i] = buf_slice_of(&ex->params[i]);
    }
    return true;
}

/* Here, so that no handler can take a parameter that it cannot read for one that was not given. */
static bool read_query(struct http_exchange *ex)
{
    struct err err = {0};
    return request_query_check(&ex->rq, &err) ||
           refuse(ex, ex->match.trust ? ERR_TRUST_INVALID_PARAMETERS : err.code, err.msg);
}

bool admit_names(struct http_exchange *ex)
{
    return read_params(ex) && read_repository(ex) && read_reference(ex) && read_query(ex);
}

/* ---- identity ---- */

static bool challenge(struct http_exchange *ex, const char *scope, const char *description)
{
    reply_challenge(&ex->rq, &ex->reply, scope, description);
    return false;
}

/* What each kind of route asks of auth, and the scope that would satisfy it. */
struct question {
    enum access_action action;
    bool trust;
    const char *actions; /* of the scope in the challenge */
};

static const struct question *question_of(enum route_access access)
{
    static const struct question pull = {ACTION_PULL, false, "pull"};
    static const struct question push = {ACTION_PUSH, false, "pull,push"};
    static const struct question delete_ = {ACTION_DELETE, false, "delete"};
    static const struct question trust_read = {ACTION_PULL, true, "pull"};
    static const struct question trust_write = {ACTION_SIGN, true, "push,pull"};
    static const struct question trust_admin = {ACTION_ROTATE_KEYS, true, "*"};
    static const struct question trust_wipe = {ACTION_WIPE, true, "*"};
    switch (access) {
    case ACCESS_PULL:
        return &pull;
    case ACCESS_PUSH:
        return &push;
    case ACCESS_DELETE:
        return &delete_;
    case ACCESS_TRUST_READ:
        return &trust_read;
    case ACCESS_TRUST_WRITE:
        return &trust_write;
    case ACCESS_TRUST_ADMIN:
        return &trust_admin;
    case ACCESS_TRUST_WIPE:
        return &trust_wipe;
    case ACCESS_OPEN:
    case ACCESS_PING:
    case ACCESS_CATALOG:
    case ACCESS_SIGNED_IN:
    case ACCESS_ADMIN:
        break;
    }
    return NULL;
}

/* A mount reads its source too (auth.md 4). */
static void put_mount_source(const struct http_exchange *ex, struct buf *out)
{
    auto_buf struct buf from = {0};
    struct repo_name source;
    struct err none = {0};
    if (ex->route->access == ACCESS_PUSH && request_has_query(&ex->rq, "mount") &&
        request_query(&ex->rq, "from", 0, &from) &&
        repo_name_parse(buf_slice_of(&from), &source, &none)) {
        buf_printf(out, " repository:%s:pull", source.text);
    }
}

static const char *scope_text(const struct http_exchange *ex, const struct question *q,
                              struct buf *out)
{
    if (q == NULL) {
        return ex->route->access == ACCESS_CATALOG || ex->match.trust ? "registry:catalog:*" : NULL;
    }
    struct slice name = q->trust ? ex->rq.gun : repo_name_slice(&ex->rq.repo);
    buf_printf(out, "repository:%.*s:%s", SLICE_FMT(name), q->actions);
    put_mount_source(ex, out);
    return out->p;
}

static bool has_proof(const struct request *rq)
{
    struct slice header = slice_str(request_header(rq, "Authorization")), value;
    return basic_scheme_is(header, "Bearer", &value) || basic_scheme_is(header, "Basic", &value);
}

/* Nobody has to sign in from this machine (sign_in: none): not through a proxy, nor from a page in a browser. */
static bool is_local(const struct request *rq)
{
    return strcmp(rq->app->config->sign_in, "none") == 0 && host_is_loopback(rq->address) &&
           !has_proof(rq) && !request_header(rq, "X-Forwarded-For") && !request_header(rq, "Origin");
}

/*   tx   NULL: what is known of him may come from the cache, or a snapshot of its own */
static enum auth_result identity_at(const struct http_exchange *ex, struct db_tx *tx,
                                    struct identity *out, struct err *err)
{
    const struct request *rq = &ex->rq;
    if (rq->control) {
        identity_control(out);
        return AUTH_OK;
    }
    if (is_local(rq)) {
        identity_local(out);
        return AUTH_OK;
    }
    const struct auth_context context = {.address = rq->address,
                                         .user_agent = request_header(rq, "User-Agent"),
                                         .now_us = ex->admitted_us,
                                         .api = slice_starts(rq->path, "/api/")};
    return auth_identify(rq->app->auth, tx, request_header(rq, "Authorization"), &context, out,
                         err);
}

static bool identify(struct http_exchange *ex, const char *scope)
{
    struct err err = {0};
    if (ex->route->access == ACCESS_OPEN && !ex->rq.control) {
        return true; /* /token reads the header by itself */
    }
    switch (identity_at(ex, NULL, &ex->identity, &err)) {
    case AUTH_OK:
    case AUTH_ANONYMOUS:
        return true;
    case AUTH_INVALID_TOKEN:
    case AUTH_BAD_CREDENTIALS:
        return challenge(ex, scope, err.msg);
    case AUTH_FAILED:
        break;
    }
    reply_undecided(&ex->reply, &err);
    return false;
}

/* ---- rights ---- */

/* A gated identity may not write (gate.md 10.2); the trust API has no 403 that its clients
 * understand. */
static bool refuse_write(struct http_exchange *ex, const struct question *q, const char *scope,
                         const char *sentence)
{
    if (q->trust) {
        return challenge(ex, scope, sentence);
    }
    const struct decision refusal = gate_not_writable(&ex->rq.repo, sentence);
    reply_refusal(&ex->rq, &ex->reply, &refusal);
    return false;
}

/* Which requests count as a push that may make a namespace: the first upload, manifest, trust key
 * request or publish. */
static bool makes_namespace(const struct http_exchange *ex)
{
    return ex->route->thread == WORKER &&
           (ex->route->access == ACCESS_TRUST_WRITE || ex->rq.method == METHOD_POST ||
            ex->rq.method == METHOD_PUT);
}

static bool may_create(const struct http_exchange *ex)
{
    return strcmp(ex->rq.app->config->namespaces_create_on_push, "administrators") == 0;
}

/* The setting forbids what an administrator's first push would do. */
static bool refuse_creation(struct http_exchange *ex, const struct question *q)
{
    char sentence[400];
    (void)snprintf(sentence, sizeof(sentence),
                   "namespace %.*s does not exist; make it with bond namespaces create",
                   (int)ex->rq.repo.namespace_n, ex->rq.repo.text);
    return refuse(ex, q->trust ? ERR_TRUST_NOT_FOUND : ERR_NAME_UNKNOWN, sentence);
}

static bool ask(struct http_exchange *ex, const struct question *q, const char *scope)
{
    struct err err = {0};
    struct access_answer answer = {0};
    auto_snapshot struct db_tx *tx = NULL;
    if (!db_snapshot(ex->rq.app->db, &tx, &err) ||
        !access_check(tx, &ex->identity, &ex->rq.repo, q->action, q->trust, &answer, &err)) {
        reply_undecided(&ex->reply, &err);
        return false;
    }
    switch (answer.result) {
    case ACCESS_ALLOWED:
        if (q->action == ACTION_PULL && !q->trust && exchange_is_immediate(ex)) {
            ex->snapshot = tx;
            tx = NULL;
            ex->facts = answer.facts;
            ex->has_facts = true;
        }
        ex->creates_namespace = answer.creates_namespace && makes_namespace(ex);
        return !ex->creates_namespace || may_create(ex) || refuse_creation(ex, q);
    case ACCESS_NOT_WRITABLE:
        return refuse_write(ex, q, scope, answer.sentence);
    case ACCESS_INVISIBLE: /* the sentence is the same for what does not exist */
    case ACCESS_INSUFFICIENT:
        break;
    }
    return challenge(ex, scope, answer.sentence);
}

/* On the trust API an administrator comes with an access token, which needs the catalog grant
 * (notary-api 3); everywhere else such a token is good for images and trust only. */
static bool is_admin_here(const struct http_exchange *ex)
{
    bool by_token =
        ex->match.trust && ex->identity.administrator && access_may_catalog(&ex->identity);
    return by_token || access_is_admin(&ex->identity);
}

static bool require_admin(struct http_exchange *ex, const char *scope)
{
    if (is_admin_here(ex)) {
        return true;
    }
    if (ex->identity.kind == IDENTITY_ANONYMOUS || ex->match.trust) {
        return challenge(ex, scope, "this needs an instance administrator");
    }
    return refuse(ex, ERR_DENIED,
                  ex->identity.registry_only && ex->identity.administrator
                      ? "an access token or a docker session does not administer: use bond login"
                      : "this needs an instance administrator");
}

static bool is_anonymous(const struct http_exchange *ex)
{
    return ex->identity.kind == IDENTITY_ANONYMOUS;
}

/* An open route asks for nothing that could be taken. */
static uint64_t generation_now(const struct http_exchange *ex)
{
    return ex->route->access == ACCESS_OPEN ? 0 : auth_generation(ex->rq.app->auth);
}

bool admit_caller(struct http_exchange *ex)
{
    auto_buf struct buf text = {0};
    const struct question *q = question_of(ex->route->access);
    const char *scope = scope_text(ex, q, &text);
    ex->admitted_us = ex->admitted_us != 0 ? ex->admitted_us : ex->rq.now_us;
    ex->generation = generation_now(ex);
    if (!identify(ex, scope)) {
        return false;
    }
    switch (ex->route->access) {
    case ACCESS_OPEN:
        return true;
    case ACCESS_PING:
        /* clients take their challenge from here, anonymous pulls or not (auth.md 1); a token is
         * proof enough */
        return ex->identity.proof != PROOF_NONE || challenge(ex, NULL, NULL);
    case ACCESS_CATALOG:
        return access_may_catalog(&ex->identity) ||
               challenge(ex, scope,
                         is_anonymous(ex) ? NULL : "the token does not grant the catalog");
    case ACCESS_SIGNED_IN:
        return !is_anonymous(ex) || challenge(ex, NULL, NULL);
    case ACCESS_ADMIN:
        return require_admin(ex, scope);
    case ACCESS_PULL:
    case ACCESS_PUSH:
    case ACCESS_DELETE:
    case ACCESS_TRUST_READ:
    case ACCESS_TRUST_WRITE:
    case ACCESS_TRUST_ADMIN:
    case ACCESS_TRUST_WIPE:
        return ask(ex, q, scope);
    }
    BUG("a route asks for an access that does not exist");
}

static bool is_unchanged(const struct http_exchange *ex)
{
    return generation_now(ex) == ex->generation;
}

bool admit_again(struct http_exchange *ex)
{
    if (is_unchanged(ex)) {
        return true;
    }
    identity_release(&ex->identity);
    return admit_caller(ex);
}

/* A 401 of a handler has no challenge: whoever is signed out in the middle of a write is told so in
 * a 403. */
static bool is_still(const struct http_exchange *ex, struct db_tx *tx, struct identity *out,
                     struct err *err)
{
    struct err why = {0};
    switch (identity_at(ex, tx, out, &why)) {
    case AUTH_OK:
    case AUTH_ANONYMOUS:
        return true;
    case AUTH_INVALID_TOKEN:
    case AUTH_BAD_CREDENTIALS:
        return err_set(err, ERR_DENIED, "%s", why.msg);
    case AUTH_FAILED:
        break;
    }
    *err = why;
    return false;
}

/* What the handler does next it does by the identity that was admitted. */
static bool is_who_he_was(const struct identity *now, const struct identity *then, struct err *err)
{
    return identity_equal(now, then) ||
           err_set(err, ERR_DENIED,
                   "your account changed while this request waited: send it again");
}

bool request_may_still(const struct request *rq, struct db_tx *tx, struct err *err)
{
    const struct http_exchange *ex = rq->exchange;
    const struct question *q = question_of(ex->route->access);
    struct access_answer answer;
    struct identity now = {0};
    if (is_unchanged(ex)) {
        return true;
    }
    bool holds = is_still(ex, tx, &now, err) && is_who_he_was(&now, rq->identity, err) &&
                 (q == NULL ||
                  (access_check(tx, &now, &rq->repo, q->action, q->trust, &answer, err) &&
                   access_require(&now, &answer, err)));
    identity_release(&now);
    return holds;
}

/* ---- first push ---- */

bool admit_namespace(struct http_exchange *ex, struct err *err)
{
    struct namespace_name name;
    struct actor actor;
    if (!ex->creates_namespace) {
        return true;
    }
    repo_name_namespace(&ex->rq.repo, &name);
    registry_actor(&ex->rq, &actor);
    return space_create_by_push(ex->rq.app->auth, &ex->identity, &actor, &name, ex->rq.now_us, err);
}
