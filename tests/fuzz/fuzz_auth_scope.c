/* Scopes and Authorization headers as strangers send them. A scope that is understood says so in
 * one way: written out and read again it is the same. */
#include "auth/basic.h"
#include "auth/scope.h"
#include "auth/secret.h"
#include "tests/fuzz/fuzz.h"

static const char *const names[] = {"reg.example.org:5443", "reg.example.org"};
static const struct scope_hosts hosts = {names, 2};

static void check_one(const struct scope *scope)
{
    auto_buf struct buf text = {0};
    struct scope again;
    HOLDS(scope->actions != 0);
    if (scope->kind == SCOPE_CATALOG) {
        return;
    }
    buf_str(&text, "repository:");
    buf_str(&text, scope->kind == SCOPE_TRUST ? "reg.example.org:5443/" : "");
    buf_slice(&text, repo_name_slice(&scope->repo));
    buf_char(&text, ':');
    scope_actions_text(&text, scope->actions);
    HOLDS(scope_parse(buf_slice_of(&text), &hosts, &again));
    HOLDS(again.kind == scope->kind && again.actions == scope->actions);
    HOLDS(slice_equal(repo_name_slice(&again.repo), repo_name_slice(&scope->repo)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct slice text = slice_of_bytes(data, size);
    auto_scope_list struct scope_list list = {0};
    scope_list_add(&list, text, &hosts);
    HOLDS(list.n <= SCOPE_LIST_MAX);
    for (size_t i = 0; i < list.n; i++) {
        check_one(&list.items[i]);
    }
    auto_basic struct basic basic = {0};
    if (basic_parse(text, &basic, NULL)) {
        HOLDS(basic.user.n + basic.secret.n + 1 == basic.plain.n);
        (void)secret_kind_of(basic.secret);
    }
    (void)secret_kind_of(text);
    return 0;
}
