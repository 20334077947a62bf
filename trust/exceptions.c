#include "trust/exceptions.h"

#include <stdio.h>

#define PAGE 1000

static bool load_denied(struct db_tx *tx, struct exception_list *out, struct err *err)
{
    struct denied_digest last = {0};
    bool more = true;
    while (more) {
        auto_denied_digest_list struct denied_digest_list page = {0};
        if (!denied_digest_list_all(tx, last.scope, &last.digest, PAGE, &page, err)) {
            return false;
        }
        for (size_t i = 0; i < page.count; i++) {
            char name[EXCEPTION_NAME_MAX];
            last = page.items[i];
            (void)exception_list_raise(out, exception_denied_name(&last, name), last.changes, 0);
        }
        more = page.more;
    }
    return true;
}

static bool load_overrides(struct db_tx *tx, int64_t now_us, struct exception_list *out,
                           struct err *err)
{
    auto_override_change_list struct override_change_list rows = {0};
    if (!override_list_changes(tx, now_us, &rows, err)) {
        return false;
    }
    for (size_t i = 0; i < rows.count; i++) {
        char name[EXCEPTION_NAME_MAX];
        (void)exception_list_raise(out, exception_override_name(rows.items[i].id, name),
                                   rows.items[i].changes, rows.items[i].end_us);
    }
    return true;
}

bool exceptions_load(struct db_tx *tx, int64_t now_us, struct exception_list *out, struct err *err)
{
    *out = (struct exception_list){0};
    return load_denied(tx, out, err) && load_overrides(tx, now_us, out, err);
}

bool exceptions_look(struct checkpoint *c, struct db_tx *tx, int64_t now_us, char *why,
                     struct err *err)
{
    auto_exception_list struct exception_list store = {0};
    why[0] = '\0';
    if (checkpoint_exceptions_checked(c)) {
        return true;
    }
    if (!exceptions_load(tx, now_us, &store, err)) {
        return false;
    }
    (void)checkpoint_look_exceptions(c, &store, now_us, why);
    return true;
}

bool exceptions_ready(struct checkpoint *c, struct db *db, int64_t now_us, struct err *err)
{
    auto_snapshot struct db_tx *tx = NULL;
    char why[SUSPICION_MAX];
    const char *all = checkpoint_suspicion(c, now_us);
    if (all) {
        return err_set(err, ERR_CONFLICT, "%s", all);
    }
    if (!db_snapshot(db, &tx, err) || !exceptions_look(c, tx, now_us, why, err)) {
        return false;
    }
    if (why[0]) {
        return err_set(err, ERR_CONFLICT, "%s", why);
    }
    return checkpoint_ready(c, err);
}

void exceptions_noted(struct checkpoint *c, char warning[EXCEPTION_WARNING_MAX])
{
    struct err why = {0};
    warning[0] = '\0';
    if (!checkpoint_flush(c, &why)) {
        (void)snprintf(warning, EXCEPTION_WARNING_MAX, "it is in force, but %.250s", why.msg);
    }
}

void exceptions_put_warning(json_t *answer, const char *warning)
{
    if (warning[0]) {
        json_object_set_new(answer, "warning", json_string(warning));
    }
}

static bool check_text(struct slice text, const char *member, size_t max, struct err *err)
{
    bool plain = text.n > 0 && text.n <= max && slice_is_utf8(text);
    for (size_t i = 0; plain && i < text.n; i++) {
        plain = (unsigned char)text.p[i] >= 0x20 && text.p[i] != 0x7f;
    }
    return plain || err_set(err, ERR_INVALID,
                            "\"%s\" must be a text of 1 to %zu bytes without line breaks", member,
                            max);
}

bool exceptions_reason(const char *reason, size_t max, bool needed, struct err *err)
{
    bool given = reason && reason[0];
    return (!given && !needed) || check_text(slice_str(reason ? reason : ""), "reason", max, err);
}

bool exceptions_text(struct slice text, const char *member, size_t max, char *out, struct err *err)
{
    if (!check_text(text, member, max, err)) {
        return false;
    }
    memcpy(out, text.p, text.n);
    out[text.n] = '\0';
    return true;
}
