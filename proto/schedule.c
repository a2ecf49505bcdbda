#include "proto/schedule.h"

#include "proto/ascii.h"

#include <string.h>

enum { ALL_DAYS = 0x7f, RANGES_MOST = 100 };

static bool has_day(const struct schedule *schedule, int weekday)
{
    return schedule->days & 1u << (weekday + 7) % 7;
}

static bool is_inside(const struct schedule *schedule, const struct hours *hours, const struct moment *now)
{
    if (hours->from < hours->until)
        return has_day(schedule, now->weekday) && now->minute >= hours->from && now->minute < hours->until;
    return (has_day(schedule, now->weekday) && now->minute >= hours->from) ||
           (has_day(schedule, now->weekday - 1) && now->minute < hours->until);
}

bool schedule_is_open(const struct schedule *schedule, const struct moment *now)
{
    for (size_t i = 0; i < schedule->hour_count; i++)
        if (is_inside(schedule, &schedule->hours[i], now))
            return true;
    return schedule->hour_count == 0 && has_day(schedule, now->weekday);
}

static void read_days(struct schedule *schedule, const struct json *days, const struct place *place, struct complaints *list)
{
    struct place at = {place, NULL, 0};

    if (days != NULL && json_kind(days) != JSON_LIST) {
        complain(list, place, "must be a list");
        return;
    }
    schedule->days = json_count(days) > 0 ? 0 : ALL_DAYS;
    for (; at.index < json_count(days); at.index++) {
        int weekday = weekday_of(json_text(json_at(days, at.index)));

        if (weekday < 0)
            complain(list, &at, "must be one of MON, TUE, WED, THU, FRI, SAT, SUN");
        else
            schedule->days |= 1u << weekday;
    }
}

/* Minutes of "HH:MM", at most DAY_MINUTES; -1 when it is none. */
static int minutes_of(struct span text)
{
    int minutes;

    if (text.len != 5 || text.ptr[2] != ':' || !ascii_are_digits((struct span){text.ptr, 2}) || !ascii_are_digits((struct span){text.ptr + 3, 2}))
        return -1;
    minutes = ((text.ptr[0] - '0') * 10 + text.ptr[1] - '0') * 60 + (text.ptr[3] - '0') * 10 + text.ptr[4] - '0';
    return text.ptr[3] > '5' || minutes > DAY_MINUTES ? -1 : minutes;
}

static void read_range(struct hours *hours, const struct json *range, const struct place *place, struct complaints *list)
{
    struct place from = {place, NULL, 0}, until = {place, NULL, 1};

    if (json_kind(range) != JSON_LIST || json_count(range) != 2) {
        complain(list, place, "must be a list of two times, from and until");
        return;
    }
    hours->from = minutes_of(json_text(json_at(range, 0)));
    hours->until = minutes_of(json_text(json_at(range, 1)));
    if (hours->from < 0 || hours->from == DAY_MINUTES)
        complain(list, &from, "must be a time from 00:00 to 23:59");
    if (hours->until < 0)
        complain(list, &until, "must be a time from 00:00 to 24:00");
    else if (hours->from == hours->until)
        complain(list, &until, "must not be the time at which the range begins; the whole day is 00:00 to 24:00");
}

static void read_hours(struct arena *arena, struct schedule *schedule, const struct json *hours, const struct place *place, struct complaints *list)
{
    struct place at = {place, NULL, 0};

    if (hours != NULL && json_kind(hours) != JSON_LIST) {
        complain(list, place, "must be a list");
        return;
    }
    if (json_count(hours) > RANGES_MOST) {
        complain(list, place, "must have at most %d entries", RANGES_MOST);
        return;
    }
    schedule->hour_count = json_count(hours);
    schedule->hours = arena_alloc(arena, schedule->hour_count * sizeof *schedule->hours);
    for (; at.index < schedule->hour_count; at.index++)
        read_range(&schedule->hours[at.index], json_at(hours, at.index), &at, list);
}

struct schedule *schedule_read(struct arena *arena, struct json *doc, const struct place *place, struct complaints *list)
{
    struct schedule *schedule = arena_alloc(arena, sizeof *schedule);
    struct place days = {place, "days", 0}, hours = {place, "hours", 0};
    size_t before = list->count;
    struct json *value;
    const char *key;
    void *iter = NULL;

    if (json_kind(doc) != JSON_OBJECT) {
        complain(list, place, "must be an object");
        return NULL;
    }
    while (json_each(doc, &iter, &key, &value)) {
        struct place at = {place, key, 0};

        if (strcmp(key, "days") != 0 && strcmp(key, "hours") != 0)
            complain(list, &at, "unknown key");
    }
    read_days(schedule, json_get(doc, "days"), &days, list);
    read_hours(arena, schedule, json_get(doc, "hours"), &hours, list);
    return list->count == before ? schedule : NULL;
}
