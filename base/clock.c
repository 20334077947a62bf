#include "base/clock.h"

#include "base/cleanup.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static int64_t now_us(clockid_t clock)
{
    struct timespec t;
    if (clock_gettime(clock, &t) != 0) {
        BUG("clock_gettime");
    }
    return (int64_t)t.tv_sec * US_PER_SECOND + t.tv_nsec / 1000;
}

int64_t clock_now_us(void)
{
    return now_us(CLOCK_REALTIME);
}

int64_t clock_mono_us(void)
{
    return now_us(CLOCK_MONOTONIC);
}

struct civil {
    int64_t year;
    int month, day; /* from 1 */
};

/* Days since 1970-01-01 of a proleptic Gregorian date and back: the year is counted from March, so
 * that the leap day is its last, in eras of 400 years = 146,097 days (H. Hinnant,
 * "chrono-compatible low-level date algorithms"). */
static int64_t days_of(struct civil c)
{
    int64_t y = c.month <= 2 ? c.year - 1 : c.year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (c.month + (c.month > 2 ? -3 : 9)) + 2) / 5 + c.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static struct civil civil_of(int64_t days)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    struct civil c = {
        .year = yoe + era * 400,
        .month = (int)(mp < 10 ? mp + 3 : mp - 9),
        .day = (int)(doy - (153 * mp + 2) / 5 + 1),
    };
    if (c.month <= 2) {
        c.year++;
    }
    return c;
}

struct moment {
    struct civil date;
    int64_t days;
    int hour, minute, second, us;
};

static struct moment moment_of(int64_t us)
{
    int64_t days = us / US_PER_DAY;
    int64_t rest = us % US_PER_DAY;
    if (rest < 0) {
        rest += US_PER_DAY;
        days--;
    }
    int64_t seconds = rest / US_PER_SECOND;
    return (struct moment){
        .date = civil_of(days),
        .days = days,
        .hour = (int)(seconds / 3600),
        .minute = (int)(seconds / 60 % 60),
        .second = (int)(seconds % 60),
        .us = (int)(rest % US_PER_SECOND),
    };
}

const char *time_format(int64_t us, char out[TIME_STR_MAX])
{
    struct moment m = moment_of(us);
    int n = snprintf(out, TIME_STR_MAX, "%04" PRId64 "-%02d-%02dT%02d:%02d:%02d", m.date.year,
                     m.date.month, m.date.day, m.hour, m.minute, m.second);
    char *end = out + n;
    if (m.us != 0) {
        *end++ = '.';
    }
    for (int rest = m.us, weight = 100000; rest != 0; rest %= weight, weight /= 10) {
        *end++ = (char)('0' + rest / weight);
    }
    *end++ = 'Z';
    *end = '\0';
    return out;
}

const char *time_format_http(int64_t us, char out[TIME_STR_MAX])
{
    static const char day_names[][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
    static const char month_names[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct moment m = moment_of(us);
    int64_t weekday = ((m.days % 7) + 7) % 7; /* 1970-01-01 was a Thursday */
    snprintf(out, TIME_STR_MAX, "%s, %02d %s %04" PRId64 " %02d:%02d:%02d GMT", day_names[weekday],
             m.date.day, month_names[m.date.month - 1], m.date.year, m.hour, m.minute, m.second);
    return out;
}

/* Cuts exactly `width` digits off the front of s. */
static bool take_digits(struct slice *s, size_t width, int *out)
{
    int value = 0;
    if (s->n < width) {
        return false;
    }
    for (size_t i = 0; i < width; i++) {
        if (s->p[i] < '0' || s->p[i] > '9') {
            return false;
        }
        value = value * 10 + (s->p[i] - '0');
    }
    *s = slice_from(*s, width);
    *out = value;
    return true;
}

static bool take_char(struct slice *s, char c)
{
    if (s->n == 0 || s->p[0] != c) {
        return false;
    }
    *s = slice_from(*s, 1);
    return true;
}

/* "." 1*DIGIT, cut to microseconds; nothing there is 0. */
static bool take_fraction(struct slice *s, int *us)
{
    *us = 0;
    if (!take_char(s, '.')) {
        return true;
    }
    size_t n = 0;
    int weight = 100000;
    while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9') {
        *us += (s->p[n] - '0') * weight;
        weight /= 10;
        n++;
    }
    *s = slice_from(*s, n);
    return n > 0;
}

/* "Z" or ("+" / "-") HH ":" MM, to the end of s; in seconds east of UTC. */
static bool take_offset(struct slice *s, int *seconds)
{
    int hours = 0;
    int minutes = 0;
    *seconds = 0;
    if (take_char(s, 'Z')) {
        return s->n == 0;
    }
    bool east = take_char(s, '+');
    if (!east && !take_char(s, '-')) {
        return false;
    }
    if (!take_digits(s, 2, &hours) || !take_char(s, ':') || !take_digits(s, 2, &minutes) ||
        s->n != 0 || hours > 23 || minutes > 59) {
        return false;
    }
    *seconds = (hours * 3600 + minutes * 60) * (east ? 1 : -1);
    return true;
}

static bool date_is_valid(struct civil c)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = c.year % 4 == 0 && (c.year % 100 != 0 || c.year % 400 == 0);
    if (c.year < 1 || c.year > 9999 || c.month < 1 || c.month > 12 || c.day < 1) {
        return false;
    }
    return c.day <= lengths[c.month - 1] + (leap && c.month == 2 ? 1 : 0);
}

bool time_parse(struct slice text, int64_t *out)
{
    struct moment m = {0};
    struct slice s = text;
    int year = 0;
    int offset = 0;

    if (!take_digits(&s, 4, &year) || !take_char(&s, '-') || !take_digits(&s, 2, &m.date.month) ||
        !take_char(&s, '-') || !take_digits(&s, 2, &m.date.day) || !take_char(&s, 'T')) {
        return false;
    }
    if (!take_digits(&s, 2, &m.hour) || !take_char(&s, ':') || !take_digits(&s, 2, &m.minute) ||
        !take_char(&s, ':') || !take_digits(&s, 2, &m.second)) {
        return false;
    }
    m.date.year = year;
    if (!take_fraction(&s, &m.us) || !take_offset(&s, &offset) || !date_is_valid(m.date) ||
        m.hour > 23 || m.minute > 59 || m.second > 59) {
        return false;
    }
    int64_t seconds = days_of(m.date) * 86400 + m.hour * INT64_C(3600) + m.minute * INT64_C(60) +
                      m.second - offset;
    *out = seconds * US_PER_SECOND + m.us;
    return true;
}
