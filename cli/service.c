#include "cli/service.h"

#include "base/slice.h"
#include "cli/check.h"
#include "cli/client.h"
#include "cli/say.h"

bool service_path(const struct call *call, const char *text, struct buf *out)
{
    const char *ns = call->value[OPTION_NAMESPACE];
    const char *slash = strchr(text, '/');
    auto_free char *typed = slash ? xstrndup(text, (size_t)(slash - text)) : NULL;

    ns = typed ? typed : ns;
    text = slash ? slash + 1 : text;
    if (!ns) {
        say("%s: say whose service it is, NS/%s or -E NS", text, text);
        return false;
    }
    if (!*text || strchr(text, '/')) {
        say("a service is SERVICE or NS/SERVICE");
        return false;
    }
    if (!check_namespace(ns)) {
        return false;
    }
    buf_str(out, DEPLOYMENTS "/");
    client_segment(out, ns);
    buf_char(out, '/');
    client_segment(out, text);
    return true;
}

bool release_number(const char *text, int64_t *out)
{
    if (slice_to_int64(slice_str(text), out) && *out > 0) {
        return true;
    }
    say("%s is no release: they are numbers, `bond releases list SERVICE` shows them", text);
    return false;
}

json_t *with_notes(const struct call *call, json_t *body)
{
    const char *notes = call->value[OPTION_NOTES];

    if (body && notes && json_object_set_new(body, "notes", json_string(notes)) != 0) {
        json_decref(body);
        body = NULL;
    }
    if (!body) {
        say("what was typed is not UTF-8 text; type it again");
    }
    return body;
}
