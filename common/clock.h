/*
 * clock.h - what time it is.
 *
 * Moments are milliseconds since 1970 UTC; durations are measured on the monotonic clock.
 * For caps, schedules and sales only the database's clock counts (DESIGN.md, 3).
 */
#ifndef LEADLINE_COMMON_CLOCK_H
#define LEADLINE_COMMON_CLOCK_H

#include <stddef.h>
#include <stdint.h>

int64_t clock_wall_ms(void);
int64_t clock_mono_ms(void);
int64_t clock_mono_ns(void);

/* Monotonic nanoseconds that all processes of this host share, also after a restart of one. */
int64_t clock_host_ns(void);

enum { CLOCK_TEXT_BYTES = 25 };

/* RFC 3339 in UTC with milliseconds, "2026-11-23T01:02:03.456Z"; out has CLOCK_TEXT_BYTES. Returns out. */
const char *clock_text(int64_t at_ms, char *out);

#endif
