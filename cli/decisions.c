/* bond deploy why: a recorded decision of the gate, and what it was made from. */
#include "base/json.h"
#include "cli/client.h"
#include "cli/output.h"
#include "cli/say.h"

#include <stdio.h>

#define ID_LENGTH 26

/* Text of the server, safe for a terminal, with its label. */
static void line(const char *label, const char *text)
{
    if (text && text[0]) {
        auto_free char *copy = xstrdup(text);
        printf("%-10s%s\n", label, printable(copy));
    }
}

static void print_steps(const json_t *record)
{
    size_t i;
    json_t *step;
    json_array_foreach(json_get_array(record, "explain"), i, step)
    {
        bool ok = false;
        auto_buf struct buf label = {0};
        const char *name = json_get_string(step, "step");
        (void)json_get_bool(step, "ok", &ok);
        buf_printf(&label, "  %-4s%-11s", ok ? "ok" : "NO", name ? name : "-");
        line(label.p, json_get_string(step, "text"));
    }
}

static void print_now(const json_t *record)
{
    const json_t *now = json_get_object(record, "now");
    const char *effect = json_get_string(now, "effect");
    const char *reason = json_get_string(now, "reason");
    const char *message = json_get_string(now, "message");
    auto_buf struct buf text = {0};
    if (!effect) {
        line("today", message);
    } else if (reason) {
        buf_printf(&text, "%s, %s%s%s", effect, reason, message && message[0] ? ": " : "",
                   message ? message : "");
        line("today", text.p);
    }
}

static void print_record(const json_t *record)
{
    const json_t *identity = json_get_object(record, "identity");
    auto_buf struct buf who = {0};
    const char *name = json_get_string(identity, "id");
    const char *address = json_get_string(identity, "addr");
    const char *agent = json_get_string(identity, "agent");
    buf_printf(&who, "%s%s%s%s%s", name && name[0] ? name : "anonymous", address ? " from " : "",
               address ? address : "", agent ? ", " : "", agent ? agent : "");
    line("decision", json_get_string(record, "id"));
    line("time", json_get_string(record, "time"));
    line("door", json_get_string(record, "door"));
    line("identity", who.p);
    line("asked as", json_get_string(json_get_object(record, "request"), "as"));
    print_steps(record);
    print_now(record);
}

static enum outcome why(const struct call *call)
{
    const char *id = call->args[0];
    auto_buf struct buf path = {0};
    auto_json json_t *record = NULL;
    const char *slash = strrchr(id, '/'); /* the address in a refusal is taken too */

    id = slash ? slash + 1 : id;
    if (strlen(id) != ID_LENGTH) {
        say("%s is no id of a decision: it has %d characters, and a refusal shows it as "
            "\"decision\"",
            id, ID_LENGTH);
        return OUTCOME_USAGE;
    }
    buf_str(&path, "/api/v1/deploy/decisions/");
    client_segment(&path, id);
    enum outcome outcome = api(call, "GET", path.p, NULL, &record);
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    if (call_has(call, OPTION_JSON)) {
        output_json(record);
    } else if (call_has(call, OPTION_QUIET)) {
        line("", json_get_string(record, "reason"));
    } else {
        print_record(record);
    }
    return OUTCOME_OK;
}

const struct command decision_commands[] = {
    {"deploy why",
     "ID",
     1,
     1,
     false,
     {OPTION_NONE},
     "Explain a decision of the gate that was recorded, by the id in its refusal.",
     why},
    {.name = NULL},
};
