#include "server/setting.h"

#include "base/clock.h"
#include "base/size.h"
#include "base/unit.h"
#include "server/config.h"

#include <stddef.h>

#define ROW_TOP(section, key, type, fallback, low, high, words, sentence, reason)                  \
    {"",   #key,  SETTING_##type, fallback, low,                                                   \
     high, words, sentence,       reason,   offsetof(struct config, key)},
#define ROW(section, key, type, fallback, low, high, words, sentence, reason)                      \
    {#section, #key,  SETTING_##type, fallback, low,                                               \
     high,     words, sentence,       reason,   offsetof(struct config, section##_##key)},
#define ROWS(section, rows) rows(ROW)

static const struct setting settings[] = {SETTINGS_TOP(ROW_TOP) SETTINGS_SECTIONS(ROWS)};

size_t setting_count(void)
{
    return sizeof(settings) / sizeof(settings[0]);
}

const struct setting *setting_at(size_t i)
{
    return &settings[i];
}

void setting_name(const struct setting *s, struct buf *out)
{
    if (s->section[0] != '\0') {
        buf_str(out, s->section);
        buf_char(out, '.');
    }
    buf_str(out, s->key);
}

static void put_upper(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        buf_char(out, *text >= 'a' && *text <= 'z' ? (char)(*text - 'a' + 'A') : *text);
    }
}

void setting_environment(const struct setting *s, struct buf *out)
{
    buf_str(out, "BONDSTORE_");
    if (s->section[0] != '\0') {
        put_upper(out, s->section);
        buf_char(out, '_');
    }
    put_upper(out, s->key);
}

static const struct unit time_units[] = {{"s", US_PER_SECOND},
                                         {"m", 60 * US_PER_SECOND},
                                         {"h", 3600 * US_PER_SECOND},
                                         {"d", US_PER_DAY}};
#define TIME_UNITS (sizeof(time_units) / sizeof(time_units[0]))

static bool is_word(struct slice text, const char *words)
{
    struct slice rest = slice_str(words);
    struct slice word;
    while (slice_next(&rest, '|', &word)) {
        if (slice_equal(word, text)) {
            return true;
        }
    }
    return false;
}

static bool in_bounds(const struct setting *s, int64_t value, int64_t factor, struct err *err)
{
    if (value >= s->low * factor && value <= s->high * factor) {
        return true;
    }
    const char *unit = s->type == SETTING_SIZE       ? " bytes"
                       : s->type == SETTING_DURATION ? " seconds"
                                                     : "";
    return err_set(err, ERR_INVALID, "it must be between %lld and %lld%s", (long long)s->low,
                   (long long)s->high, unit);
}

bool setting_read(const struct setting *s, struct slice text, int64_t *number_out, struct err *err)
{
    *number_out = 0;
    switch (s->type) {
    case SETTING_TEXT:
        return true;
    case SETTING_WORD:
        return is_word(text, s->words) ||
               err_set(err, ERR_INVALID, "it must be one of %s", s->words);
    case SETTING_FLAG:
        *number_out = slice_is(text, "true");
        return is_word(text, "true|false") || err_set(err, ERR_INVALID, "it must be true or false");
    case SETTING_COUNT:
        if (!slice_to_int64(text, number_out)) {
            return err_set(err, ERR_INVALID, "it must be a whole number");
        }
        return in_bounds(s, *number_out, 1, err);
    case SETTING_SIZE:
        if (!size_parse(text, number_out)) {
            return err_set(err, ERR_INVALID,
                           "it must be a size with its unit: B, KiB, MiB, GiB or TiB, as in 4MiB");
        }
        return in_bounds(s, *number_out, 1, err);
    case SETTING_DURATION:
        if (!unit_read(text, time_units, TIME_UNITS, number_out)) {
            return err_set(err, ERR_INVALID,
                           "it must be a duration with its unit: s, m, h or d, as in 24h");
        }
        return in_bounds(s, *number_out, US_PER_SECOND, err);
    }
    BUG("a setting is of no known type");
}
