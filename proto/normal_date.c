#include "proto/ascii.h"
#include "proto/normal.h"

enum { DATE_BYTES = 10 };

/* Takes `least` to `most` digits off the front. Returns their value, or -1 when there are fewer. */
static int take_number(struct span *text, size_t least, size_t most)
{
    size_t at = 0;
    int value = 0;

    while (at < most && at < text->len && ascii_is_digit(text->ptr[at]))
        value = value * 10 + (text->ptr[at++] - '0');
    *text = (struct span){text->ptr + at, text->len - at};
    return at >= least ? value : -1;
}

static bool take_char(struct span *text, char c)
{
    if (text->len == 0 || text->ptr[0] != c)
        return false;
    *text = (struct span){text->ptr + 1, text->len - 1};
    return true;
}

static bool is_day(int year, int month, int day)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] + (month == 2 && is_leap);
}

/* "Z", "+05:30", "-0500", "+01", or nothing, to the end of the text. */
static bool is_offset(struct span text)
{
    int hours, minutes = 0;

    if (text.len == 0 || (text.len == 1 && (text.ptr[0] == 'Z' || text.ptr[0] == 'z')))
        return true;
    if (!take_char(&text, '+') && !take_char(&text, '-'))
        return false;
    hours = take_number(&text, 2, 2);
    if (text.len > 0) {
        take_char(&text, ':');
        minutes = take_number(&text, 2, 2);
    }
    return text.len == 0 && hours >= 0 && hours <= 23 && minutes >= 0 && minutes <= 59;
}

/* "12:34", "12:34:56", "12:34:56.789" with an offset, to the end of the text. */
static bool is_time(struct span text)
{
    int hours, minutes, seconds = 0;

    hours = take_number(&text, 2, 2);
    if (!take_char(&text, ':'))
        return false;
    minutes = take_number(&text, 2, 2);
    if (take_char(&text, ':')) {
        seconds = take_number(&text, 2, 2);
        if (take_char(&text, '.') && take_number(&text, 1, 9) < 0)
            return false;
    }
    return hours >= 0 && hours <= 23 && minutes >= 0 && minutes <= 59 && seconds >= 0 && seconds <= 60 && is_offset(text);
}

/* YYYY-MM-DD, alone or with a time of day behind it. */
static bool is_iso(struct span text)
{
    int year, month, day;

    year = take_number(&text, 4, 4);
    if (!take_char(&text, '-'))
        return false;
    month = take_number(&text, 2, 2);
    if (!take_char(&text, '-'))
        return false;
    day = take_number(&text, 2, 2);
    if (!is_day(year, month, day))
        return false;
    if (text.len == 0)
        return true;
    return (take_char(&text, 'T') || take_char(&text, 't') || take_char(&text, ' ')) && is_time(text);
}

struct span normal_date(struct arena *arena, struct span text)
{
    int year, month, day;

    text = span_trim(text);
    if (is_iso(text))
        return (struct span){text.ptr, DATE_BYTES};
    month = take_number(&text, 1, 2);
    if (!take_char(&text, '/'))
        return (struct span){NULL, 0};
    day = take_number(&text, 1, 2);
    if (!take_char(&text, '/'))
        return (struct span){NULL, 0};
    year = take_number(&text, 4, 4);
    if (text.len > 0 || !is_day(year, month, day))
        return (struct span){NULL, 0};
    return arena_printf(arena, "%04d-%02d-%02d", year, month, day);
}
