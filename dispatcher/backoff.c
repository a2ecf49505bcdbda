#include "dispatcher/backoff.h"

#include "common/must.h"
#include "dispatcher/verdict.h"

#include <string.h>
#include <time.h>

static const int64_t delays_s[] = {5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600};

_Static_assert(sizeof delays_s / sizeof delays_s[0] == ATTEMPTS_MOST - 1, "a delay between every two attempts");

/* Decimal digits only; what is longer than any sensible wait is cut there. Returns -1 when it is something else. */
static int64_t read_seconds(struct span text)
{
    int64_t seconds = 0;

    if (text.len == 0)
        return -1;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return -1;
        seconds = seconds * 10 + (text.ptr[i] - '0');
        if (seconds > RETRY_AFTER_MOST_MS)
            seconds = RETRY_AFTER_MOST_MS;
    }
    return seconds;
}

/* IMF-fixdate, RFC 850's and asctime's form, all in UTC. Returns seconds since 1970, or -1. */
static int64_t read_date(struct span text)
{
    static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"};
    char copy[64];

    if (text.len >= sizeof copy)
        return -1;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct tm tm = {.tm_isdst = 0};
        const char *end = strptime(copy, forms[i], &tm);

        if (end != NULL && *end == '\0')
            return timegm(&tm);
    }
    return -1;
}

int64_t retry_after_ms(int http_status, struct span header, int64_t now_ms)
{
    int64_t wait_ms = 0, seconds, date;

    header = span_trim(header);
    if ((http_status != 429 && http_status != 503) || header.len == 0)
        return 0;
    seconds = read_seconds(header);
    date = seconds < 0 ? read_date(header) : -1;
    if (seconds >= 0)
        wait_ms = seconds * 1000;
    else if (date >= 0)
        wait_ms = date * 1000 - now_ms;
    if (wait_ms < 0)
        return 0;
    return wait_ms < RETRY_AFTER_MOST_MS ? wait_ms : RETRY_AFTER_MOST_MS;
}

int64_t backoff_ms(int attempt, double chance, int64_t asked_ms)
{
    int64_t delay_ms;

    must(attempt >= 1 && attempt < ATTEMPTS_MOST);
    delay_ms = (int64_t)((double)delays_s[attempt - 1] * 1000 * (0.8 + 0.4 * chance));
    return delay_ms > asked_ms ? delay_ms : asked_ms;
}
