/*
 * moment.h - what day and time it is somewhere, for schedules and "days ago".
 *
 * When a time zone changes its offset is PostgreSQL's business: the catalog comes with the changes of the next days of each zone
 * that rules may need (proto/catalog_load.c; a stage reads it anew every day). Here is arithmetic on them: the router gives the one
 * time of its batch, which the database's clock has decided, the validator its own clock.
 */
#ifndef LEADLINE_PROTO_MOMENT_H
#define LEADLINE_PROTO_MOMENT_H

#include "common/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DAY_MINUTES = 24 * 60, MOMENT_TEXT_BYTES = 10, DATE_TEXT_BYTES = 11 };

struct zone_change {
    int64_t at_s;     /* seconds since 1970 UTC */
    int64_t offset_s; /* local time less UTC, from then on */
};

struct zone {
    struct span name;
    struct zone_change *changes; /* by time; one or more. Before the first its offset holds, too */
    size_t change_count;
};

/* Local time, as a clock on the wall shows it. */
struct moment {
    int64_t day; /* days since 1970-01-01 */
    int weekday; /* 0: Monday … 6: Sunday */
    int minute;  /* of the day, 0 … DAY_MINUTES - 1 */
};

/* now_us: microseconds since 1970 UTC. A zone of NULL is UTC. */
struct moment moment_at(const struct zone *zone, int64_t now_us);

/* "MON 09:30", static words. Returns out. */
const char *moment_text(const struct moment *moment, char out[MOMENT_TEXT_BYTES]);

/* The day of the week of that word ("MON"), 0 … 6, or -1. */
int weekday_of(struct span word);

/* Days since 1970-01-01 of a date's normal form, YYYY-MM-DD. Returns false when the text has not that shape. */
bool date_day(struct span date, int64_t *day);

/* The other way. Returns false for a day before the year 1 or after 9999. */
bool date_text(int64_t day, char out[DATE_TEXT_BYTES]);

#endif
