/*
 * backoff.h - when a delivery is tried again.
 *
 * After the attempt before: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h, each ±20 %, so that the deliveries of
 * a buyer that was away do not come back all at once. Pure functions: chance and time are arguments.
 */
#ifndef LEADLINE_DISPATCHER_BACKOFF_H
#define LEADLINE_DISPATCHER_BACKOFF_H

#include "common/span.h"

#include <stdint.h>

enum { RETRY_AFTER_MOST_MS = 24 * 3600 * 1000 };

/*
 * How long a buyer asks us to wait.
 *
 * http_status  only 429 and 503 are listened to
 * header       Retry-After as it came: seconds, or an HTTP date in one of its three forms (RFC 9110, 5.6.7); may be absent
 * now_ms       wall clock, for a date
 * Returns milliseconds, at most RETRY_AFTER_MOST_MS; 0 when nothing (or nothing sensible) was asked.
 */
int64_t retry_after_ms(int http_status, struct span header, int64_t now_ms);

/*
 * How long to wait after a failed attempt.
 *
 * attempt   which one it was, from 1, below ATTEMPTS_MOST
 * chance    even in [0, 1)
 * asked_ms  what retry_after_ms() gave: waited for at least
 */
int64_t backoff_ms(int attempt, double chance, int64_t asked_ms);

#endif
