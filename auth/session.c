#include "auth/session.h"

#include "auth/auth_internal.h"
#include "base/clock.h"
#include "storage/actor.h"
#include "storage/audit.h"
#include "storage/session.h"

#include <stdio.h>

struct session_start {
    struct session session;
    uint8_t sha256[32];
    struct actor actor;
    int64_t now_us;
};

static bool append_audit(struct db_tx *tx, const struct actor *actor, const char *action,
                         int64_t now_us, struct err *err)
{
    const struct audit_entry entry = {
        .action = action, .object = slice_str(actor->name), .outcome = AUDIT_OK};
    return audit_append(tx, actor, &entry, now_us, err);
}

static bool write_start(struct db_tx *tx, void *arg, struct err *err)
{
    struct session_start *s = arg;
    return session_create(tx, s->sha256, &s->session, s->now_us, err) &&
           append_audit(tx, &s->actor, "session.create", s->now_us, err);
}

/* Copies a client's own words, printable ASCII only. */
static void copy_words(struct slice words, char *out, size_t n)
{
    size_t used = words.n < n - 1 ? words.n : n - 1;
    for (size_t i = 0; i < used; i++) {
        char c = words.p[i];
        out[i] = (char)(c >= 0x20 && c <= 0x7E ? c : '?');
    }
    out[used] = '\0';
}

bool auth_session_start(struct auth *a, const struct login *login, enum session_purpose purpose,
                        struct slice client_id, const struct auth_context *context,
                        struct secret_text *token_out, int64_t *expires_us_out, struct err *err)
{
    struct session_start s = {.now_us = context->now_us};
    s.session.account_id = login->who.account_id;
    s.session.idle_us = SESSION_IDLE_US;
    s.session.absolute_us = SESSION_ABSOLUTE_US;
    if (purpose == SESSION_FOR_API) {
        client_id = slice_str(SESSION_CLIENT_API);
    } else if (slice_is(client_id, SESSION_CLIENT_API)) {
        client_id = (struct slice){0};
    }
    copy_words(client_id, s.session.client_id, sizeof(s.session.client_id));
    copy_words(slice_str(context->user_agent), s.session.user_agent, sizeof(s.session.user_agent));
    copy_words(slice_str(context->address), s.session.address, sizeof(s.session.address));
    (void)snprintf(s.session.amr, sizeof(s.session.amr), "pwd");
    identity_actor(&login->who, context->address, &s.actor);

    secret_make(SECRET_SESSION, token_out);
    secret_sha256(slice_str(token_out->text), s.sha256);
    if (!db_write(a->db, write_start, &s, err)) {
        return false;
    }
    *expires_us_out = context->now_us + SESSION_IDLE_US; /* later when it is used before */
    return true;
}

struct session_end {
    int64_t id;
    struct actor actor;
    int64_t now_us;
};

static bool write_end(struct db_tx *tx, void *arg, struct err *err)
{
    const struct session_end *s = arg;
    return session_revoke(tx, s->id, "signed out", s->now_us, err) &&
           append_audit(tx, &s->actor, "session.end", s->now_us, err);
}

bool auth_session_end(struct auth *a, const struct identity *who,
                      const struct auth_context *context, struct err *err)
{
    if (!who->by_session) {
        return err_set(err, ERR_INVALID,
                       "this request did not come with a session, so there is none to end");
    }
    struct session_end s = {.id = who->session_id, .now_us = context->now_us};
    identity_actor(who, context->address, &s.actor);
    return auth_write(a, write_end, &s, err);
}
