#include "proto/moment.h"

#include "proto/ascii.h"

#include <stdio.h>
#include <time.h>

static const char *const weekdays[] = {"MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"};
enum { WEEKDAYS = sizeof weekdays / sizeof *weekdays, EPOCH_WEEKDAY = 3, DAY_S = 86400, SECOND_US = 1000000 };

static int64_t floor_div(int64_t value, int64_t by)
{
    return value / by - (value % by < 0);
}

static int64_t offset_at(const struct zone *zone, int64_t now_s)
{
    size_t at;

    if (zone == NULL || zone->change_count == 0)
        return 0;
    for (at = zone->change_count - 1; at > 0 && zone->changes[at].at_s > now_s; at--)
        ;
    return zone->changes[at].offset_s;
}

struct moment moment_at(const struct zone *zone, int64_t now_us)
{
    int64_t now_s = floor_div(now_us, SECOND_US);
    int64_t local_s = now_s + offset_at(zone, now_s);
    int64_t day = floor_div(local_s, DAY_S);

    return (struct moment){
        .day = day,
        .weekday = (int)(day + EPOCH_WEEKDAY - WEEKDAYS * floor_div(day + EPOCH_WEEKDAY, WEEKDAYS)),
        .minute = (int)((local_s - day * DAY_S) / 60),
    };
}

const char *moment_text(const struct moment *moment, char out[MOMENT_TEXT_BYTES])
{
    snprintf(out, MOMENT_TEXT_BYTES, "%s %02u:%02u", weekdays[moment->weekday], (unsigned)moment->minute / 60 % 24, (unsigned)moment->minute % 60);
    return out;
}

int weekday_of(struct span word)
{
    for (int i = 0; i < WEEKDAYS; i++)
        if (span_is(word, weekdays[i]))
            return i;
    return -1;
}

static int64_t number_at(struct span text, size_t begin, size_t digits)
{
    int64_t value = 0;

    for (size_t i = begin; i < begin + digits; i++)
        value = value * 10 + (text.ptr[i] - '0');
    return value;
}

/* Years begin in March here, so that the day that is not always there is their last; an era is 400 of them, 146097 days. */
bool date_day(struct span date, int64_t *out)
{
    int64_t year, month, day, era, of_era, of_year;

    if (date.len != 10)
        return false;
    for (size_t i = 0; i < date.len; i++)
        if (i == 4 || i == 7 ? date.ptr[i] != '-' : !ascii_is_digit(date.ptr[i]))
            return false;
    year = number_at(date, 0, 4);
    month = number_at(date, 5, 2);
    day = number_at(date, 8, 2);
    year -= month <= 2;
    month = (month + 9) % 12;
    era = floor_div(year, 400);
    of_era = year - era * 400;
    of_year = (153 * month + 2) / 5 + day - 1;
    *out = era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
    return true;
}

bool date_text(int64_t day, char out[DATE_TEXT_BYTES])
{
    enum { FIRST = -719162, LAST = 2932896 }; /* 0001-01-01, 9999-12-31 */
    time_t at = (time_t)day * DAY_S;
    struct tm date;

    if (day < FIRST || day > LAST || gmtime_r(&at, &date) == NULL)
        return false;
    snprintf(out, DATE_TEXT_BYTES, "%04u-%02u-%02u", (unsigned)(date.tm_year + 1900) % 10000, (unsigned)(date.tm_mon + 1) % 100, (unsigned)date.tm_mday % 100);
    return true;
}
