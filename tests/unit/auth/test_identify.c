/* Sign-in, tokens, secrets and their ends, over a real store. */
#include "auth/access.h"
#include "auth/auth.h"
#include "auth/login.h"
#include "auth/member.h"
#include "auth/password.h"
#include "auth/robot.h"
#include "auth/session.h"
#include "auth/space.h"
#include "auth/ticket.h"
#include "auth/user.h"
#include "base/clock.h"
#include "base/hex.h"
#include "storage/account.h"
#include "storage/credential.h"
#include "storage/session.h"
#include "storage/store.h"
#include "tests/unit/base/check.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>

#define HOST "reg.example.org:5443"
#define URL "https://" HOST
#define ALICE "alice@example.org"
#define ROOT "root@example.org"
#define PASSWORD "correct horse battery"
#define NOW (INT64_C(1795500000) * US_PER_SECOND)
#define LATER(seconds) (NOW + (int64_t)(seconds)*US_PER_SECOND)

struct house {
    struct folder folder;
    struct store *store;
    struct db *db;
    struct auth *auth;
    struct identity admin; /* the control socket */
    struct actor actor;
    struct auth_context context;
};

static void open_auth(struct house *h)
{
    struct err err = {0};
    char secrets[128];
    (void)snprintf(secrets, sizeof(secrets), "%s/secrets", h->folder.path);
    const struct auth_options options = {
        .db = h->db,
        .secrets_dir = secrets,
        .public_url = URL,
        .service = HOST,
        .canonical_host = HOST,
        .hash_slots = 1,
        .hash_opslimit = 1,
        .hash_memlimit = 8192,
    };
    if (!auth_new(&options, &h->auth, &err)) {
        fail_msg("auth_new: %s (%s)", err.msg, err.detail);
    }
}

static struct namespace_name ns_name(const char *text)
{
    struct namespace_name name;
    assert_true(namespace_name_parse(slice_str(text), &name, NULL));
    return name;
}

static int64_t namespace_make(struct house *h, const char *name, enum visibility visibility)
{
    struct namespace ns;
    struct err err = {0};
    const struct namespace_name parsed = ns_name(name);
    if (!space_create(h->auth, &h->admin, &h->actor, &parsed, &(struct space_settings){.visibility = visibility}, NOW, &ns, &err)) {
        fail_msg("namespace %s: %s (%s)", name, err.msg, err.detail);
    }
    return ns.id;
}

static void user_make(struct house *h, const char *email, bool administrator)
{
    struct user_new user = {.administrator = administrator, .password = SLICE_LIT(PASSWORD)};
    struct buf secret = {0};
    struct err err = {0};
    assert_true(email_parse(slice_str(email), &user.email, &err));
    if (!user_create(h->auth, &h->admin, &h->actor, &user, NOW, &secret, &err)) {
        fail_msg("user %s: %s (%s)", email, err.msg, err.detail);
    }
    assert_int_equal(secret.n, 0);
}

static void member_make(struct house *h, const char *ns, const char *email, enum member_role role)
{
    struct err err = {0};
    const struct namespace_name name = ns_name(ns);
    const struct membership membership = {role, false};
    if (!member_set(h->auth, &h->admin, &h->actor, &name, slice_str(email), &membership, NOW,
                    &err)) {
        fail_msg("member %s: %s (%s)", email, err.msg, err.detail);
    }
}

static struct secret_text robot_make(struct house *h, enum account_kind kind, const char *ns,
                                     const char *name, unsigned actions)
{
    struct robot_new robot = {.kind = kind, .namespace = ns_name(ns), .actions = actions};
    struct secret_text secret;
    char account[ACTOR_NAME_MAX + 1];
    struct err err = {0};
    assert_true(robot_name_parse(slice_str(name), &robot.name, &err));
    if (!robot_create(h->auth, &h->admin, &h->actor, &robot, NOW, account, &secret, &err)) {
        fail_msg("robot %s: %s (%s)", name, err.msg, err.detail);
    }
    return secret;
}

static int set_up(void **state)
{
    struct house *h = calloc(1, sizeof(*h));
    struct err err = {0};
    folder_make(&h->folder);
    assert_int_equal(mkdirat(h->folder.fd, "secrets", 0700), 0);
    if (!store_open(h->folder.path, &h->store, &err)) {
        fail_msg("store_open: %s (%s)", err.msg, err.detail);
    }
    h->db = store_db(h->store);
    open_auth(h);
    identity_control(&h->admin);
    identity_actor(&h->admin, "unix", &h->actor);
    h->context =
        (struct auth_context){.address = "192.0.2.1", .user_agent = "docker/20.10", .now_us = NOW};
    user_make(h, ALICE, false);
    (void)namespace_make(h, "ns", VISIBILITY_PRIVATE);
    member_make(h, "ns", ALICE, MEMBER_DEVELOPER);
    *state = h;
    return 0;
}

static int tear_down(void **state)
{
    struct house *h = *state;
    auth_free(h->auth);
    store_close(h->store);
    folder_remove(&h->folder);
    free(h);
    return 0;
}

/* ---- helpers of the cases ---- */

static bool log_in(struct house *h, const char *user, const char *secret, struct login *out,
                   struct err *err)
{
    int retry_after_s = 0;
    return login_verify(h->auth, slice_str(user), slice_str(secret), &h->context, out,
                        &retry_after_s, err);
}

static void token_for(struct house *h, const struct login *login, const char *scopes,
                      struct ticket *out)
{
    auto_scope_list struct scope_list wishes = {0};
    struct err err = {0};
    scope_list_add(&wishes, slice_str(scopes), auth_hosts(h->auth));
    assert_true(ticket_issue(h->auth, login, &wishes, h->context.now_us, out, &err));
}

static enum auth_result identify(struct house *h, const char *header, struct identity *out,
                                 struct err *err)
{
    *err = (struct err){0};
    return auth_identify(h->auth, NULL, header, &h->context, out, err);
}

static enum auth_result identify_bearer(struct house *h, const char *token, struct identity *out,
                                        struct err *err)
{
    auto_buf struct buf header = {0};
    buf_printf(&header, "Bearer %s", token);
    return identify(h, header.p, out, err);
}

static enum auth_result identify_basic(struct house *h, const char *user, const char *secret,
                                       struct identity *out, struct err *err)
{
    auto_buf struct buf plain = {0};
    auto_buf struct buf header = {0};
    buf_printf(&plain, "%s:%s", user, secret);
    buf_str(&header, "Basic ");
    base64_encode(&header, buf_slice_of(&plain));
    return identify(h, header.p, out, err);
}

static struct repo_name repo(const char *text)
{
    struct repo_name name;
    assert_true(repo_name_parse(slice_str(text), &name, NULL));
    return name;
}

static enum access_result access_of(struct house *h, const struct identity *who, const char *name,
                                    enum access_action action, bool trust,
                                    struct access_answer *answer)
{
    auto_snapshot struct db_tx *tx = NULL;
    struct err err = {0};
    const struct repo_name parsed = repo(name);
    assert_true(db_snapshot(h->db, &tx, &err));
    assert_true(access_check(tx, who, &parsed, action, trust, answer, &err));
    return answer->result;
}

/* A write of a test's own, followed by what the server does after every such write. */
struct raw_write {
    int64_t id;
    bool (*fn)(struct db_tx *tx, int64_t id, struct err *err);
};

static bool run_raw(struct db_tx *tx, void *arg, struct err *err)
{
    const struct raw_write *w = arg;
    return w->fn(tx, w->id, err);
}

static void change(struct house *h, int64_t id,
                   bool (*fn)(struct db_tx *tx, int64_t id, struct err *err))
{
    struct raw_write w = {id, fn};
    struct err err = {0};
    assert_true(db_write(h->db, run_raw, &w, &err));
    auth_changed(h->auth);
}

static bool disable(struct db_tx *tx, int64_t id, struct err *err)
{
    return account_set_disabled(tx, id, true, err);
}

static bool enable(struct db_tx *tx, int64_t id, struct err *err)
{
    return account_set_disabled(tx, id, false, err);
}

static bool revoke_secret(struct db_tx *tx, int64_t id, struct err *err)
{
    return credential_revoke_account(tx, id, NOW, err);
}

static bool new_password(struct db_tx *tx, int64_t id, struct err *err)
{
    char hash[PASSWORD_PHC_MAX];
    const struct password_cost cheap = {1, 8192};
    return password_hash(SLICE_LIT("another long password"), cheap, hash, err) &&
           account_set_password(tx, id, hash, err);
}

static bool revoke_sessions(struct db_tx *tx, int64_t id, struct err *err)
{
    return session_revoke_account(tx, id, "test", NOW, err);
}

/* ---- passwords ---- */

static void password_to_token_to_identity(void **state)
{
    struct house *h = *state;
    struct login login;
    struct identity who;
    struct access_answer answer;
    struct err err = {0};
    auto_ticket struct ticket ticket = {0};
    assert_true(log_in(h, ALICE, PASSWORD, &login, &err));
    assert_true(login_by_password(&login));
    assert_int_equal(login.who.kind, IDENTITY_USER);
    token_for(h, &login, "repository:ns/app:pull,push", &ticket);
    assert_string_equal(ticket.scope.p, "repository:ns/app:pull,push");
    assert_int_equal(ticket.expires_in, 3600);

    for (int round = 0; round < 3; round++) { /* unseen, then from the cache */
        assert_int_equal(identify_bearer(h, ticket.token.p, &who, &err), AUTH_OK);
        assert_string_equal(who.name, ALICE);
        assert_int_equal(who.proof, PROOF_BEARER);
        assert_true(who.registry_only);
        assert_int_equal(access_of(h, &who, "ns/app", ACTION_PUSH, false, &answer), ACCESS_ALLOWED);
        assert_int_equal(access_of(h, &who, "ns/other", ACTION_PUSH, false, &answer),
                         ACCESS_INSUFFICIENT);
        assert_int_equal(access_of(h, &who, "ns/app", ACTION_SIGN, true, &answer),
                         ACCESS_INSUFFICIENT);
        identity_release(&who);
    }
    identity_release(&login.who);
}

static void wrong_passwords(void **state)
{
    struct house *h = *state;
    static const struct {
        const char *user, *secret;
    } cases[] = {
        {ALICE, "wrong"},
        {ALICE, ""},
        {"nobody@example.org", PASSWORD},
        {"", PASSWORD},
        {"", ""},
        {ALICE, PASSWORD "x"},
        {"alice", PASSWORD},
        {"ns.ci", PASSWORD},
        {ALICE, "bst_rob_0000000000000000000000000000002C8GjS"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct login login;
        struct err err = {0};
        h->context.address = i % 2 ? "198.51.100.1" : "203.0.113.1";
        CHECK_CASE(!log_in(h, cases[i].user, cases[i].secret, &login, &err), cases[i].secret);
        CHECK_CASE(err.code == ERR_UNAUTHORIZED, cases[i].secret);
        CHECK_CASE(login.who.kind == IDENTITY_ANONYMOUS, cases[i].secret);
    }
    /* nobody is locked out by it */
    struct login login;
    struct err err = {0};
    h->context.address = "192.0.2.1";
    assert_true(log_in(h, "Alice@Example.ORG", PASSWORD, &login, &err));
    identity_release(&login.who);
}

static void one_sentence_for_all(void **state)
{
    struct house *h = *state;
    struct login login;
    struct err unknown = {0};
    struct err wrong = {0};
    assert_false(log_in(h, "nobody@example.org", "a", &login, &unknown));
    assert_false(log_in(h, ALICE, "a", &login, &wrong));
    assert_string_equal(unknown.msg, wrong.msg);
}

static void too_long_a_password(void **state)
{
    struct house *h = *state;
    struct login login;
    struct err err = {0};
    char text[PASSWORD_BYTES_MAX + 2];
    memset(text, 'x', sizeof(text));
    text[PASSWORD_BYTES_MAX + 1] = '\0';
    assert_false(log_in(h, ALICE, text, &login, &err));
    assert_int_equal(err.code, ERR_INVALID);
}

static void guessing_is_slowed(void **state)
{
    struct house *h = *state;
    struct login login;
    struct err err = {0};
    int retry_after_s = 0;
    for (int i = 0; i < 5; i++) {
        char guess[32];
        (void)snprintf(guess, sizeof(guess), "guess %d", i);
        err = (struct err){0};
        assert_false(login_verify(h->auth, SLICE_LIT(ALICE), slice_str(guess), &h->context, &login,
                                  &retry_after_s, &err));
    }
    assert_int_equal(err.code, ERR_TOO_MANY_REQUESTS);
    assert_true(retry_after_s >= 1);
    /* the same wrong secret again is told so at once, and costs nothing */
    assert_false(log_in(h, ALICE, "guess 0", &login, &err));
    assert_int_equal(err.code, ERR_UNAUTHORIZED);
    /* from elsewhere she is let in, and then known everywhere for a while */
    h->context.address = "198.51.100.1";
    assert_true(log_in(h, ALICE, PASSWORD, &login, &err));
    identity_release(&login.who);
    h->context.address = "192.0.2.1";
    assert_true(log_in(h, ALICE, PASSWORD, &login, &err));
    identity_release(&login.who);
}

static void password_is_not_taken_on_registry_routes(void **state)
{
    struct house *h = *state;
    struct identity who;
    struct err err = {0};
    assert_int_equal(identify_basic(h, ALICE, PASSWORD, &who, &err), AUTH_BAD_CREDENTIALS);
    assert_int_equal(who.kind, IDENTITY_ANONYMOUS);
    assert_non_null(strstr(err.msg, "password"));
}

static void changed_password_ends_its_tokens(void **state)
{
    struct house *h = *state;
    struct login login;
    struct identity who;
    struct err err = {0};
    auto_ticket struct ticket ticket = {0};
    assert_true(log_in(h, ALICE, PASSWORD, &login, &err));
    token_for(h, &login, "repository:ns/app:pull", &ticket);
    assert_int_equal(identify_bearer(h, ticket.token.p, &who, &err), AUTH_OK);
    identity_release(&who);
    change(h, login.who.account_id, new_password);
    assert_int_equal(identify_bearer(h, ticket.token.p, &who, &err), AUTH_INVALID_TOKEN);
    assert_false(
        log_in(h, ALICE, PASSWORD, &login, &err)); /* not even from the memory of right ones */
    assert_true(log_in(h, ALICE, "another long password", &login, &err));
    identity_release(&login.who);
}

static void disabled_account(void **state)
{
    struct house *h = *state;
    struct login login;
    struct identity who;
    struct err err = {0};
    auto_ticket struct ticket ticket = {0};
    assert_true(log_in(h, ALICE, PASSWORD, &login, &err));
    token_for(h, &login, "repository:ns/app:pull", &ticket);
    int64_t id = login.who.account_id;
    identity_release(&login.who);
    assert_int_equal(identify_bearer(h, ticket.token.p, &who, &err), AUTH_OK);
    identity_release(&who);
    change(h, id, disable);
    assert_int_equal(identify_bearer(h, ticket.token.p, &who, &err), AUTH_INVALID_TOKEN);
    assert_false(log_in(h, ALICE, PASSWORD, &login, &err));
    assert_int_equal(err.code, ERR_UNAUTHORIZED);
    change(h, id, enable);
    assert_int_equal(identify_bearer(h, ticket.token.p, &who, &err), AUTH_OK);
    identity_release(&who);
}

/* ---- sessions ---- */

static struct secret_text session_for(struct house *h, enum session_purpose purpose,
                                      const char *client_id)
{
    struct login login;
    struct secret_text session;
    int64_t expires_us = 0;
    struct err err = {0};
    assert_true(log_in(h, ALICE, PASSWORD, &login, &err));
    assert_true(auth_session_start(h->auth, &login, purpose, slice_str(client_id), &h->context,
                                   &session, &expires_us, &err));
    assert_true(expires_us > h->context.now_us);
    identity_release(&login.who);
    return session;
}

static void session_in_every_position(void **state)
{
    struct house *h = *state;
    const struct secret_text session = session_for(h, SESSION_FOR_CLIENT, "docker");
    struct login login;
    struct identity who;
    struct err err = {0};
    static const char *const users[] = {"", ALICE, "<token>", "token", "ALICE@example.org"};
    for (size_t i = 0; i < COUNT(users); i++) {
        assert_true(log_in(h, users[i], session.text, &login, &err));
        assert_false(login_by_password(&login)); /* no session for a session */
        identity_release(&login.who);
        assert_int_equal(identify_basic(h, users[i], session.text, &who, &err), AUTH_OK);
        assert_string_equal(who.name, ALICE);
        identity_release(&who);
    }
    assert_false(log_in(h, "bob@example.org", session.text, &login, &err));
    identity_release(&login.who);
    assert_int_equal(identify_basic(h, "bob@example.org", session.text, &who, &err),
                     AUTH_BAD_CREDENTIALS);
    assert_true(login_by_secret(h->auth, slice_str(session.text), &h->context, &login, &err));
    identity_release(&login.who);
    assert_true(login_by_secret(h->auth, slice_str(session.text), &h->context, &login,
                                &err)); /* and again: never rotated */
    identity_release(&login.who);
}

static void session_as_bearer(void **state)
{
    struct house *h = *state;
    const struct secret_text client =
        session_for(h, SESSION_FOR_CLIENT, "bondstore-api"); /* names itself so in vain */
    const struct secret_text api = session_for(h, SESSION_FOR_API, "");
    struct identity who;
    struct err err = {0};
    /* below /v2 a session is no token, whether it was seen before or not */
    assert_int_equal(identify_basic(h, "", api.text, &who, &err), AUTH_OK);
    identity_release(&who);
    assert_int_equal(identify_bearer(h, api.text, &who, &err), AUTH_INVALID_TOKEN);
    h->context.api = true;
    assert_int_equal(identify_bearer(h, api.text, &who, &err), AUTH_OK);
    assert_false(who.registry_only);
    assert_true(who.by_session);
    identity_release(&who);
    assert_int_equal(identify_bearer(h, client.text, &who, &err), AUTH_OK);
    assert_true(who.registry_only);
    identity_release(&who);
}

static void ending_a_session_ends_its_tokens(void **state)
{
    struct house *h = *state;
    const struct secret_text session = session_for(h, SESSION_FOR_API, "");
    struct login login;
    struct identity who;
    struct identity by_token;
    struct err err = {0};
    auto_ticket struct ticket ticket = {0};
    h->context.api = true;
    assert_true(log_in(h, "", session.text, &login, &err));
    token_for(h, &login, "repository:ns/app:pull", &ticket);
    identity_release(&login.who);
    assert_int_equal(identify_bearer(h, ticket.token.p, &by_token, &err), AUTH_OK);
    identity_release(&by_token);
    assert_int_equal(identify_bearer(h, session.text, &who, &err), AUTH_OK);
    assert_true(auth_session_end(h->auth, &who, &h->context, &err));
    identity_release(&who);
    assert_int_equal(identify_bearer(h, ticket.token.p, &by_token, &err), AUTH_INVALID_TOKEN);
    assert_int_equal(identify_bearer(h, session.text, &who, &err), AUTH_INVALID_TOKEN);
    assert_non_null(strstr(err.msg, "docker login"));
    assert_false(log_in(h, "", session.text, &login, &err));

    assert_false(auth_session_end(h->auth, &h->admin, &h->context, &err)); /* nothing to end */
    assert_int_equal(err.code, ERR_INVALID);
}

static void sessions_end_by_themselves(void **state)
{
    struct house *h = *state;
    const struct secret_text session = session_for(h, SESSION_FOR_CLIENT, "docker");
    struct identity who;
    struct login login;
    struct err err = {0};
    const int64_t day = 86400;
    assert_int_equal(identify_basic(h, "", session.text, &who, &err), AUTH_OK);
    identity_release(&who);
    h->context.now_us = LATER(31 * day); /* idle for more than 30 days */
    assert_int_equal(identify_basic(h, "", session.text, &who, &err), AUTH_BAD_CREDENTIALS);

    h->context.now_us = NOW;
    const struct secret_text used = session_for(h, SESSION_FOR_CLIENT, "docker");
    for (int64_t at = 20; at < 180; at += 20) { /* used at the token service now and then */
        h->context.now_us = LATER(at * day);
        assert_true(log_in(h, "", used.text, &login, &err));
        identity_release(&login.who);
    }
    h->context.now_us = LATER(181 * day);
    assert_false(log_in(h, "", used.text, &login, &err));
    assert_int_equal(err.code, ERR_UNAUTHORIZED);
}

static void revoked_from_outside(void **state)
{
    struct house *h = *state;
    const struct secret_text session = session_for(h, SESSION_FOR_CLIENT, "docker");
    struct identity who;
    struct err err = {0};
    assert_int_equal(identify_basic(h, "", session.text, &who, &err), AUTH_OK);
    change(h, who.account_id, revoke_sessions);
    identity_release(&who);
    assert_int_equal(identify_basic(h, "", session.text, &who, &err), AUTH_BAD_CREDENTIALS);
}

/* ---- robots and deployers ---- */

static void robot_by_basic_and_token(void **state)
{
    struct house *h = *state;
    const struct secret_text secret =
        robot_make(h, ACCOUNT_ROBOT, "ns", "ci", ROBOT_PULL | ROBOT_PUSH);
    struct identity who;
    struct login login;
    struct access_answer answer;
    struct err err = {0};
    auto_ticket struct ticket ticket = {0};
    assert_int_equal(identify_basic(h, "ns.ci", secret.text, &who, &err), AUTH_OK);
    assert_int_equal(who.kind, IDENTITY_ROBOT);
    assert_int_equal(who.robot_actions, ROBOT_PULL | ROBOT_PUSH);
    assert_int_equal(access_of(h, &who, "ns/app", ACTION_PUSH, false, &answer), ACCESS_ALLOWED);
    assert_int_equal(access_of(h, &who, "ns/app", ACTION_DELETE, false, &answer),
                     ACCESS_INSUFFICIENT);
    identity_release(&who);

    assert_true(log_in(h, "ns.ci", secret.text, &login, &err));
    assert_false(login_by_password(&login));
    token_for(h, &login, "repository:ns/app:* repository:other/app:pull", &ticket);
    assert_string_equal(ticket.scope.p, "repository:ns/app:pull,push");
    int64_t id = login.who.account_id;
    identity_release(&login.who);
    assert_int_equal(identify_bearer(h, ticket.token.p, &who, &err), AUTH_OK);
    identity_release(&who);
    change(h, id, revoke_secret);
    assert_int_equal(identify_bearer(h, ticket.token.p, &who, &err), AUTH_INVALID_TOKEN);
    assert_int_equal(identify_basic(h, "ns.ci", secret.text, &who, &err), AUTH_BAD_CREDENTIALS);
}

static void deployer_pulls_and_nothing_else(void **state)
{
    struct house *h = *state;
    const struct secret_text secret = robot_make(h, ACCOUNT_DEPLOYER, "ns", "k8s", 0);
    struct identity who;
    struct login login;
    struct access_answer answer;
    struct err err = {0};
    auto_ticket struct ticket ticket = {0};
    assert_true(log_in(h, "ns.k8s", secret.text, &login, &err));
    token_for(h, &login, "repository:ns/app:* repository:" HOST "/ns/app:* registry:catalog:*",
              &ticket);
    assert_string_equal(ticket.scope.p, "repository:ns/app:pull repository:" HOST
                                        "/ns/app:pull registry:catalog:*");
    identity_release(&login.who);
    assert_int_equal(identify_bearer(h, ticket.token.p, &who, &err), AUTH_OK);
    assert_true(who.gated);
    assert_int_equal(access_of(h, &who, "ns/app", ACTION_PULL, false, &answer), ACCESS_ALLOWED);
    assert_int_equal(access_of(h, &who, "ns/app", ACTION_PUSH, false, &answer),
                     ACCESS_NOT_WRITABLE);
    identity_release(&who);
    assert_int_equal(identify_basic(h, "ns.k8s", secret.text, &who, &err), AUTH_OK);
    assert_true(who.gated);
    identity_release(&who);
}

static void removed_robot(void **state)
{
    struct house *h = *state;
    const struct secret_text secret = robot_make(h, ACCOUNT_ROBOT, "ns", "ci", ROBOT_PULL);
    const struct namespace_name ns = ns_name("ns");
    struct identity who;
    struct err err = {0};
    assert_int_equal(identify_basic(h, "ns.ci", secret.text, &who, &err), AUTH_OK);
    identity_release(&who);
    assert_false(robot_remove(h->auth, &h->admin, &h->actor, ACCOUNT_DEPLOYER, &ns, SLICE_LIT("ci"),
                              NOW, &err));
    assert_int_equal(err.code, ERR_ACCOUNT_UNKNOWN);
    assert_true(robot_remove(h->auth, &h->admin, &h->actor, ACCOUNT_ROBOT, &ns, SLICE_LIT("ci"),
                             NOW, &err));
    assert_int_equal(identify_basic(h, "ns.ci", secret.text, &who, &err), AUTH_BAD_CREDENTIALS);
    assert_false(robot_remove(h->auth, &h->admin, &h->actor, ACCOUNT_ROBOT, &ns, SLICE_LIT("ns.ci"),
                              NOW, &err));
    assert_int_equal(err.code, ERR_ACCOUNT_UNKNOWN);
}

static void robot_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool good;
    } cases[] = {
        {"ci", true},
        {"0", true},
        {"a-b-c", true},
        {"a--", true},
        {"", false},
        {"-a", false},
        {"A", false},
        {"a.b", false},
        {"a_b", false},
        {"a b", false},
        {"a$", false},
        {"a:b", false},
        {"a23456789012345678901234567890123456789012345678901234567890123", true},
        {"a234567890123456789012345678901234567890123456789012345678901234", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct robot_name name;
        CHECK_CASE(robot_name_parse(slice_str(cases[i].name), &name, NULL) == cases[i].good,
                   cases[i].name);
    }
    assert_int_equal(robot_action_parse(SLICE_LIT("push")), ROBOT_PULL | ROBOT_PUSH);
    assert_int_equal(robot_action_parse(SLICE_LIT("admin")), 0);
}

/* ---- tokens ---- */

static void anonymous_token(void **state)
{
    struct house *h = *state;
    struct identity who;
    struct access_answer answer;
    struct err err = {0};
    auto_ticket struct ticket ticket = {0};
    (void)namespace_make(h, "open", VISIBILITY_PUBLIC);
    token_for(h, NULL, "repository:open/app:pull,push repository:ns/app:pull registry:catalog:*",
              &ticket);
    assert_string_equal(ticket.scope.p, "repository:open/app:pull");
    assert_int_equal(identify_bearer(h, ticket.token.p, &who, &err), AUTH_OK);
    assert_int_equal(who.kind, IDENTITY_ANONYMOUS);
    assert_int_equal(who.proof, PROOF_BEARER);
    assert_int_equal(access_of(h, &who, "open/app", ACTION_PULL, false, &answer), ACCESS_ALLOWED);
    assert_int_equal(access_of(h, &who, "open/app", ACTION_PUSH, false, &answer),
                     ACCESS_INSUFFICIENT);
    assert_int_equal(access_of(h, &who, "ns/app", ACTION_PULL, false, &answer), ACCESS_INVISIBLE);
    identity_release(&who);

    auto_ticket struct ticket nothing = {0};
    token_for(h, NULL, "", &nothing);
    assert_int_equal(nothing.scope.n, 0);
    assert_int_equal(identify(h, NULL, &who, &err), AUTH_ANONYMOUS);
    assert_int_equal(who.proof, PROOF_NONE);
}

static void expired_token(void **state)
{
    struct house *h = *state;
    struct identity who;
    struct err err = {0};
    auto_ticket struct ticket ticket = {0};
    token_for(h, NULL, "", &ticket);
    assert_int_equal(identify_bearer(h, ticket.token.p, &who, &err), AUTH_OK);
    identity_release(&who);
    h->context.now_us = LATER(3600 + 59);
    assert_int_equal(identify_bearer(h, ticket.token.p, &who, &err), AUTH_OK);
    identity_release(&who);
    h->context.now_us = LATER(3600 + 60); /* from the cache all the same */
    assert_int_equal(identify_bearer(h, ticket.token.p, &who, &err), AUTH_INVALID_TOKEN);
    assert_non_null(strstr(err.msg, "expired"));
}

static void malformed_headers(void **state)
{
    struct house *h = *state;
    static const struct {
        const char *header;
        enum auth_result want;
    } cases[] = {
        {"", AUTH_BAD_CREDENTIALS},
        {"Bearer", AUTH_BAD_CREDENTIALS},
        {"Bearer x", AUTH_INVALID_TOKEN},
        {"Bearer a.b.c", AUTH_INVALID_TOKEN},
        {"Basic", AUTH_BAD_CREDENTIALS},
        {"Basic ???", AUTH_BAD_CREDENTIALS},
        {"Basic YTpi", AUTH_BAD_CREDENTIALS},
        {"Negotiate x", AUTH_BAD_CREDENTIALS},
        {"bearer a.b.c", AUTH_INVALID_TOKEN},
        {"Bearer bst_ses_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzz4IlJEz", AUTH_INVALID_TOKEN},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct identity who;
        struct err err;
        CHECK_CASE(identify(h, cases[i].header, &who, &err) == cases[i].want, cases[i].header);
        CHECK_CASE(who.kind == IDENTITY_ANONYMOUS && who.grants == NULL, cases[i].header);
        CHECK_CASE(err.code == ERR_UNAUTHORIZED && err.msg[0], cases[i].header);
        for (const char *c = err.msg; *c; c++) { /* it goes into a quoted header text */
            CHECK_CASE(*c >= 0x20 && *c < 0x7F && *c != '"' && *c != '\\', cases[i].header);
        }
    }
}

static void tokens_survive_a_restart(void **state)
{
    struct house *h = *state;
    struct login login;
    struct identity who;
    struct err err = {0};
    auto_ticket struct ticket ticket = {0};
    assert_true(log_in(h, ALICE, PASSWORD, &login, &err));
    token_for(h, &login, "repository:ns/app:pull", &ticket);
    identity_release(&login.who);
    auth_free(h->auth);
    open_auth(h);
    assert_int_equal(identify_bearer(h, ticket.token.p, &who, &err), AUTH_OK);
    assert_string_equal(who.name, ALICE);
    identity_release(&who);
}

static void a_lost_role_counts_at_once(void **state)
{
    struct house *h = *state;
    const struct namespace_name ns = ns_name("ns");
    struct login login;
    struct identity who;
    struct access_answer answer;
    struct err err = {0};
    auto_ticket struct ticket ticket = {0};
    assert_true(log_in(h, ALICE, PASSWORD, &login, &err));
    token_for(h, &login, "repository:ns/app:pull,push", &ticket);
    identity_release(&login.who);
    member_make(h, "ns", ALICE, MEMBER_READER);
    assert_int_equal(identify_bearer(h, ticket.token.p, &who, &err), AUTH_OK);
    assert_int_equal(access_of(h, &who, "ns/app", ACTION_PUSH, false, &answer),
                     ACCESS_INSUFFICIENT);
    assert_string_equal(answer.sentence, "alice@example.org is reader in ns; push needs developer");
    assert_true(member_remove(h->auth, &h->admin, &h->actor, &ns, SLICE_LIT(ALICE), NOW, &err));
    assert_int_equal(access_of(h, &who, "ns/app", ACTION_PULL, false, &answer), ACCESS_INVISIBLE);
    identity_release(&who);
}

/* Three who write, of whom the first keeps the others waiting: so they come into one transaction. */
struct queue_of_writes {
    struct house *h;
    sem_t held, go;
    bool removed;        /* the removal was written, not yet committed */
    bool was_removed;    /* when the last one looked */
    uint64_t generation; /* then */
};

static bool hold(struct db_tx *tx, void *arg, struct err *err)
{
    struct queue_of_writes *q = arg;
    (void)tx;
    (void)err;
    (void)sem_post(&q->held);
    return sem_wait(&q->go) == 0;
}

static bool look(struct db_tx *tx, void *arg, struct err *err)
{
    struct queue_of_writes *q = arg;
    (void)tx;
    (void)err;
    q->was_removed = q->removed;
    q->generation = auth_generation(q->h->auth);
    return true;
}

static bool note_removal(struct db_tx *tx, const void *arg, struct err *err)
{
    (void)tx;
    (void)err;
    ((struct queue_of_writes *)(uintptr_t)arg)->removed = true;
    return true;
}

static void *hold_thread(void *arg)
{
    struct queue_of_writes *q = arg;
    struct err err = {0};
    assert_true(db_write(q->h->db, hold, q, &err));
    return NULL;
}

static void *remove_thread(void *arg)
{
    struct queue_of_writes *q = arg;
    struct err err = {0};
    const struct namespace_name ns = ns_name("ns");
    struct actor actor = q->h->actor;
    actor.still = note_removal;
    actor.still_arg = q;
    assert_true(member_remove(q->h->auth, &q->h->admin, &actor, &ns, SLICE_LIT(ALICE), NOW, &err));
    return NULL;
}

static void *look_thread(void *arg)
{
    struct queue_of_writes *q = arg;
    struct err err = {0};
    assert_true(db_write(q->h->db, look, q, &err));
    return NULL;
}

/* Whoever is written behind it sees that he has to ask anew, before anybody is told of the commit. */
static void a_lost_role_counts_in_its_own_transaction(void **state)
{
    struct house *h = *state;
    bool seen = false;
    for (int i = 0; i < 100 && !seen; i++) {
        struct queue_of_writes q = {.h = h};
        pthread_t threads[3];
        const struct timespec moment = {.tv_nsec = 10000000}; /* for the queue to have this order, mostly */
        (void)sem_init(&q.held, 0, 0);
        (void)sem_init(&q.go, 0, 0);
        member_make(h, "ns", ALICE, MEMBER_DEVELOPER);
        uint64_t before = auth_generation(h->auth);
        assert_int_equal(pthread_create(&threads[0], NULL, hold_thread, &q), 0);
        assert_int_equal(sem_wait(&q.held), 0);
        assert_int_equal(pthread_create(&threads[1], NULL, remove_thread, &q), 0);
        (void)nanosleep(&moment, NULL);
        assert_int_equal(pthread_create(&threads[2], NULL, look_thread, &q), 0);
        (void)nanosleep(&moment, NULL);
        (void)sem_post(&q.go);
        for (size_t k = 0; k < COUNT(threads); k++) {
            assert_int_equal(pthread_join(threads[k], NULL), 0);
        }
        seen = q.was_removed;
        assert_true(!seen || q.generation != before);
        (void)sem_destroy(&q.held);
        (void)sem_destroy(&q.go);
    }
    assert_true(seen);
}

static void invisible_is_like_unknown(void **state)
{
    struct house *h = *state;
    struct identity stranger = {
        .kind = IDENTITY_USER, .account_id = 999, .name = "bob@example.org"};
    struct access_answer hidden;
    struct access_answer unknown;
    (void)namespace_make(h, "abc", VISIBILITY_PRIVATE);
    (void)access_of(h, &stranger, "abc/app", ACTION_PUSH, false, &hidden);
    (void)access_of(h, &stranger, "xyz/app", ACTION_PUSH, false, &unknown);
    assert_int_equal(hidden.result, unknown.result);
    memcpy(strstr(hidden.sentence, "abc"), "xyz", 3);
    assert_string_equal(hidden.sentence, unknown.sentence);
}

static void wishes_of_every_kind(void **state)
{
    struct house *h = *state;
    static const struct {
        const char *wished, *granted;
    } cases[] = {
        {"", ""},
        {"repository:ns/app:pull,push", "repository:ns/app:pull,push"},
        {"repository:ns/app:*", "repository:ns/app:pull,push"},
        {"repository:ns/app:delete", ""},
        {"repository:ns/app:pull,push,delete", "repository:ns/app:pull,push"},
        {"repository:ns/new/deep:push,pull", "repository:ns/new/deep:pull,push"},
        {"repository:other/app:pull", ""},
        {"repository:" HOST "/ns/app:push,pull", "repository:" HOST "/ns/app:pull"},
        {"repository:evil.example.org/ns/app:pull", ""},
        {"repository(plugin):ns/p:pull repository:ns/p:pull", "repository:ns/p:pull"},
        {"registry:catalog:search", "registry:catalog:*"},
        {"garbage repository:ns/app:pull", "repository:ns/app:pull"},
    };
    struct login login;
    struct err err = {0};
    assert_true(log_in(h, ALICE, PASSWORD, &login, &err));
    for (size_t i = 0; i < COUNT(cases); i++) {
        auto_ticket struct ticket ticket = {0};
        token_for(h, &login, cases[i].wished, &ticket);
        CHECK_CASE(slice_is(buf_slice_of(&ticket.scope), cases[i].granted), cases[i].wished);
    }
    identity_release(&login.who);
    assert_true(ticket_service_is_ours(h->auth, SLICE_LIT(HOST)));
    assert_true(ticket_service_is_ours(h->auth, SLICE_LIT("")));
    assert_false(ticket_service_is_ours(h->auth, SLICE_LIT("other.example.org")));
}

/* ---- people ---- */

static void administration_needs_rights(void **state)
{
    struct house *h = *state;
    const struct namespace_name ns = ns_name("ns");
    const struct namespace_name fresh = ns_name("fresh");
    const struct membership owner = {MEMBER_OWNER, false};
    const struct membership reader = {MEMBER_READER, false};
    struct identity alice;
    struct namespace made;
    struct err err = {0};
    auto_buf struct buf secret = {0};
    const struct secret_text session = session_for(h, SESSION_FOR_API, "");
    user_make(h, "bob@example.org", false);
    h->context.api = true;
    assert_int_equal(identify_bearer(h, session.text, &alice, &err), AUTH_OK);

    assert_false(
        space_create(h->auth, &alice, &h->actor, &fresh, &(struct space_settings){.visibility = VISIBILITY_PRIVATE}, NOW, &made, &err));
    assert_int_equal(err.code, ERR_DENIED);
    struct user_new user = {.administrator = true};
    assert_true(email_parse(SLICE_LIT("eve@example.org"), &user.email, &err));
    assert_false(user_create(h->auth, &alice, &h->actor, &user, NOW, &secret, &err));
    assert_int_equal(err.code, ERR_DENIED);

    /* a developer gives no roles, a maintainer the lower ones, an owner all */
    assert_false(member_set(h->auth, &alice, &h->actor, &ns, SLICE_LIT("bob@example.org"), &reader,
                            NOW, &err));
    assert_int_equal(err.code, ERR_DENIED);
    member_make(h, "ns", ALICE, MEMBER_MAINTAINER);
    assert_true(member_set(h->auth, &alice, &h->actor, &ns, SLICE_LIT("Bob@example.org"), &reader,
                           NOW, &err));
    assert_false(member_set(h->auth, &alice, &h->actor, &ns, SLICE_LIT("bob@example.org"), &owner,
                            NOW, &err));
    assert_int_equal(err.code, ERR_DENIED);
    assert_false(member_set(h->auth, &alice, &h->actor, &ns, SLICE_LIT(ALICE), &owner, NOW, &err));
    assert_int_equal(err.code, ERR_DENIED);
    member_make(h, "ns", ALICE, MEMBER_OWNER);
    assert_false(member_remove(h->auth, &alice, &h->actor, &ns, SLICE_LIT(ALICE), NOW,
                               &err)); /* the last owner */
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_true(member_set(h->auth, &alice, &h->actor, &ns, SLICE_LIT("bob@example.org"), &owner,
                           NOW, &err));
    assert_true(member_remove(h->auth, &alice, &h->actor, &ns, SLICE_LIT(ALICE), NOW, &err));

    /* no member any more: it might as well not exist */
    assert_false(
        member_remove(h->auth, &alice, &h->actor, &ns, SLICE_LIT("bob@example.org"), NOW, &err));
    assert_int_equal(err.code, ERR_NAMESPACE_UNKNOWN);
    identity_release(&alice);
}

static void names_that_are_refused(void **state)
{
    struct house *h = *state;
    struct namespace made;
    struct err err = {0};
    const struct namespace_name host = ns_name("reg.example.org");
    assert_false(
        space_create(h->auth, &h->admin, &h->actor, &host, &(struct space_settings){.visibility = VISIBILITY_PRIVATE}, NOW, &made, &err));
    assert_int_equal(err.code, ERR_INVALID);
    const struct namespace_name twice = ns_name("ns");
    assert_false(
        space_create(h->auth, &h->admin, &h->actor, &twice, &(struct space_settings){.visibility = VISIBILITY_PRIVATE}, NOW, &made, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_true(space_create_by_push(h->auth, &h->admin, &h->actor, &twice, NOW,
                                     &err)); /* there already: fine */
    static const char *const addresses[] = {"",      "a",          "@b",     "a@",     "a@b@c",
                                            "a b@c", "a:b@c",      "a\"@c",  "a\\b@c", "a/b@c",
                                            "a@b\n", "\xC3\xA4@b", "a@b,c@d"};
    for (size_t i = 0; i < COUNT(addresses); i++) {
        struct email email;
        CHECK_CASE(!email_parse(slice_str(addresses[i]), &email, NULL), addresses[i]);
    }
    struct email email;
    assert_true(email_parse(SLICE_LIT("Alice+ci@Example.org"), &email, NULL));
    assert_string_equal(email.text, "alice+ci@example.org");
}

static void generated_and_given_passwords(void **state)
{
    struct house *h = *state;
    struct user_new user = {0};
    struct buf secret = {0};
    struct login login;
    struct err err = {0};
    assert_true(email_parse(SLICE_LIT("carol@example.org"), &user.email, &err));
    assert_true(user_create(h->auth, &h->admin, &h->actor, &user, NOW, &secret, &err));
    assert_true(secret.n >= 24);
    assert_true(log_in(h, "carol@example.org", secret.p, &login, &err));
    identity_release(&login.who);
    buf_wipe(&secret);
    assert_false(user_create(h->auth, &h->admin, &h->actor, &user, NOW, &secret, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    buf_wipe(&secret);
    user.password = SLICE_LIT("short");
    assert_true(email_parse(SLICE_LIT("dave@example.org"), &user.email, &err));
    assert_false(user_create(h->auth, &h->admin, &h->actor, &user, NOW, &secret, &err));
    assert_int_equal(err.code, ERR_INVALID);
}

static void first_administrator(void **state)
{
    struct house *h = *state;
    struct buf secret = {0};
    struct login login;
    struct access_answer answer;
    struct err err = {0};
    assert_true(auth_create_admin(h->db, ROOT, (struct slice){0}, NOW, &secret, &err));
    assert_true(secret.n >= 24);
    assert_true(log_in(h, ROOT, secret.p, &login, &err));
    assert_true(login.who.administrator);
    /* the first push to a name that does not exist makes it */
    assert_int_equal(access_of(h, &login.who, "demo/app", ACTION_PUSH, false, &answer),
                     ACCESS_ALLOWED);
    assert_true(answer.creates_namespace);
    assert_int_equal(access_of(h, &login.who, "demo/app", ACTION_PULL, false, &answer),
                     ACCESS_ALLOWED);
    assert_false(answer.creates_namespace);
    identity_release(&login.who);
    buf_wipe(&secret);
    assert_false(auth_create_admin(h->db, ROOT, (struct slice){0}, NOW, &secret, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    buf_wipe(&secret);
    assert_false(auth_create_admin(h->db, "no address", (struct slice){0}, NOW, &secret, &err));
    assert_false(
        auth_create_admin(h->db, "x@example.org", SLICE_LIT("too short"), NOW, &secret, &err));
    buf_wipe(&secret);
}

/* Many requests at once while accounts change: run under the thread sanitizer too. */
struct traffic {
    struct house *h;
    const char *token;
    atomic_bool stop;
    atomic_int good, bad;
};

static void *requests(void *arg)
{
    struct traffic *t = arg;
    auto_buf struct buf header = {0};
    buf_printf(&header, "Bearer %s", t->token);
    while (!atomic_load(&t->stop)) {
        struct identity who;
        struct err err;
        enum auth_result result =
            auth_identify(t->h->auth, NULL, header.p, &t->h->context, &who, &err);
        atomic_fetch_add(result == AUTH_OK ? &t->good : &t->bad, 1);
        identity_release(&who);
    }
    return NULL;
}

static void while_things_change(void **state)
{
    enum { THREADS = 3, CHANGES = 30 };
    struct house *h = *state;
    struct login login;
    struct err err = {0};
    auto_ticket struct ticket ticket = {0};
    assert_true(log_in(h, ALICE, PASSWORD, &login, &err));
    token_for(h, &login, "repository:ns/app:pull", &ticket);
    struct traffic traffic = {.h = h, .token = ticket.token.p};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, requests, &traffic), 0);
    }
    for (int i = 0; i < CHANGES; i++) {
        change(h, login.who.account_id, i % 2 ? enable : disable);
    }
    change(h, login.who.account_id, disable);
    atomic_store(&traffic.stop, true);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    struct identity who;
    assert_int_equal(identify_bearer(h, ticket.token.p, &who, &err), AUTH_INVALID_TOKEN);
    assert_true(atomic_load(&traffic.good) + atomic_load(&traffic.bad) > 0);
    identity_release(&login.who);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(password_to_token_to_identity),
        CASE(wrong_passwords),
        CASE(one_sentence_for_all),
        CASE(too_long_a_password),
        CASE(guessing_is_slowed),
        CASE(password_is_not_taken_on_registry_routes),
        CASE(changed_password_ends_its_tokens),
        CASE(disabled_account),
        CASE(session_in_every_position),
        CASE(session_as_bearer),
        CASE(ending_a_session_ends_its_tokens),
        CASE(sessions_end_by_themselves),
        CASE(revoked_from_outside),
        CASE(robot_by_basic_and_token),
        CASE(deployer_pulls_and_nothing_else),
        CASE(removed_robot),
        cmocka_unit_test(robot_names),
        CASE(anonymous_token),
        CASE(expired_token),
        CASE(malformed_headers),
        CASE(tokens_survive_a_restart),
        CASE(a_lost_role_counts_at_once),
        CASE(a_lost_role_counts_in_its_own_transaction),
        CASE(invisible_is_like_unknown),
        CASE(wishes_of_every_kind),
        CASE(administration_needs_rights),
        CASE(names_that_are_refused),
        CASE(generated_and_given_passwords),
        CASE(first_administrator),
        CASE(while_things_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
