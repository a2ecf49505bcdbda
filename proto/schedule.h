/*
 * schedule.h - on which days of the week and between which hours something holds (SPEC.md, 5 and 6).
 *
 *   {"days": ["MON", "FRI"], "hours": [["09:00", "17:00"], ["22:00", "06:00"]]}
 *
 * Absent or empty days or hours mean all. The end of a range is outside it: at 17:00 it is shut. 24:00 is the
 * end of the day. A range whose end is before its beginning goes over midnight and belongs to the day on which it begins: with FRI,
 * ["22:00", "06:00"] ends on Saturday morning. Times are those of the clock on the wall: an hour that comes twice is open twice, one
 * that is left out is not there.
 */
#ifndef LEADLINE_PROTO_SCHEDULE_H
#define LEADLINE_PROTO_SCHEDULE_H

#include "common/complaint.h"
#include "common/json.h"
#include "proto/moment.h"

#include <stdbool.h>

struct hours {
    int from, until; /* minutes of the day; until up to DAY_MINUTES; below from: over midnight */
};

struct schedule {
    unsigned days; /* 1u << weekday */
    struct hours *hours; /* none: all day */
    size_t hour_count;
};

bool schedule_is_open(const struct schedule *schedule, const struct moment *now);

/* Reads one, into the arena. Returns NULL when something is wrong with it, which was added to the list. */
struct schedule *schedule_read(struct arena *arena, struct json *doc, const struct place *place, struct complaints *list);

#endif
