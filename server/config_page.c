#include "server/config.h"
#include "server/setting.h"

static const char *type_text(const struct setting *s)
{
    switch (s->type) {
    case SETTING_TEXT:
        return "text";
    case SETTING_FLAG:
        return "true or false";
    case SETTING_WORD:
        return s->words;
    case SETTING_COUNT:
        return "number";
    case SETTING_SIZE:
        return "size (B, KiB, MiB, GiB, TiB)";
    case SETTING_DURATION:
        return "duration (s, m, h, d)";
    }
    BUG("a setting is of no known type");
}

/* A bar would end the cell of a table. */
static void put_cell(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|') {
            buf_str(out, " or ");
        } else {
            buf_char(out, *text);
        }
    }
}

static void put_row(const struct setting *s, struct buf *out)
{
    buf_str(out, "| `");
    setting_name(s, out);
    buf_str(out, "` | ");
    put_cell(out, type_text(s));
    buf_printf(out, " | %s%s%s | ", s->fallback[0] ? "`" : "", s->fallback,
               s->fallback[0] ? "`" : "");
    put_cell(out, s->sentence);
    buf_str(out, " ");
    put_cell(out, s->reason);
    buf_str(out, " | `");
    setting_environment(s, out);
    buf_str(out, "` |\n");
}

void config_write_markdown(struct buf *out)
{
    buf_str(
        out,
        "# Settings\n\n"
        "Made by `bondstore settings --markdown`; do not edit.\n\n"
        "`bondstore.yaml` holds these keys; `section.key` is `key` below `section:`. An "
        "environment variable "
        "comes before the file. An unknown key, a wrong unit or a secret that everybody can read "
        "is refused "
        "at start, with file, line and reason. Relative paths count from the file's own folder.\n\n"
        "| key | type | default | meaning | environment |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < setting_count(); i++) {
        put_row(setting_at(i), out);
    }
    buf_str(out, "\nLists, in the file only:\n\n"
                 "| key | meaning |\n|---|---|\n"
                 "| `listen` | Listeners. `address: ADDRESS:PORT` (numeric; `:PORT` is every "
                 "address) and, for HTTPS, "
                 "`tls: { certificate: FILE, key: FILE }` in PEM. Plain HTTP is accepted on "
                 "loopback addresses only, "
                 "unless `behind_proxy` is set. `SIGHUP` reads certificates again. |\n"
                 "| `aliases` | Further host[:port] names under which signed collections can be "
                 "read; publishing goes "
                 "under `canonical_host` alone. |\n");
}

static void put_example(const struct setting *s, struct buf *out)
{
    const char *indent = s->section[0] != '\0' ? "  " : "";
    buf_printf(out, "%s# %s %s\n", indent, s->sentence, s->reason);
    if (s->type != SETTING_TEXT && s->type != SETTING_FLAG) {
        buf_printf(out, "%s# %s\n", indent, type_text(s));
    }
    if (strcmp(s->key, "public_url") == 0) {
        buf_str(out, "public_url: https://localhost:5443\n");
    } else {
        buf_printf(out, "%s%s: %s\n", indent, s->key,
                   s->fallback[0] != '\0' ? s->fallback : "\"\"");
    }
}

void config_write_example(struct buf *out)
{
    const char *section = "";
    buf_str(
        out,
        "# Every setting of Bondstore with its default. Only public_url and listen are required.\n"
        "# An environment variable BONDSTORE_KEY or BONDSTORE_SECTION_KEY comes before this "
        "file.\n\n");
    for (size_t i = 0; i < setting_count(); i++) {
        const struct setting *s = setting_at(i);
        if (strcmp(section, s->section) != 0) {
            section = s->section;
            buf_printf(out, "\n%s:\n", section);
        }
        put_example(s, out);
    }
    buf_str(out, "\n# Listeners: numeric address and port. Plain HTTP on loopback addresses only, "
                 "unless behind_proxy "
                 "is set.\nlisten:\n"
                 "  - address: 0.0.0.0:5443\n"
                 "    tls: { certificate: tls/server.crt, key: tls/server.key }\n"
                 "\n# Further names of this server under which signed collections can be "
                 "read.\naliases: []\n");
}
