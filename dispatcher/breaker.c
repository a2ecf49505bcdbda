#include "dispatcher/breaker.h"

bool breaker_is_failure(enum verdict verdict, int http_status)
{
    if (verdict != VERDICT_RETRY && verdict != VERDICT_FAILED)
        return false;
    return http_status != 400 && http_status != 409 && http_status != 413 && http_status != 422;
}

bool breaker_may_begin(const struct breaker *breaker, int64_t now_ms)
{
    switch (breaker->state) {
    case BREAKER_CLOSED:
        return true;
    case BREAKER_PAUSED:
        return now_ms >= breaker->until_ms;
    case BREAKER_PROBING:
        break;
    }
    return false;
}

bool breaker_begun(struct breaker *breaker)
{
    if (breaker->state != BREAKER_PAUSED)
        return false;
    breaker->state = BREAKER_PROBING;
    return true;
}

static void pause_until(struct breaker *breaker, int64_t until_ms)
{
    if (breaker->state != BREAKER_PAUSED || until_ms > breaker->until_ms)
        breaker->until_ms = until_ms;
    breaker->state = BREAKER_PAUSED;
}

static void remember(struct breaker *breaker, bool has_failed)
{
    breaker->failures = (breaker->failures << 1 | has_failed) & ((1u << BREAKER_WINDOW) - 1);
    if (breaker->count < BREAKER_WINDOW)
        breaker->count++;
}

static bool is_bad(const struct breaker *breaker)
{
    unsigned failed = (unsigned)__builtin_popcount(breaker->failures);

    return breaker->count >= BREAKER_LEAST && failed * 100 >= breaker->count * BREAKER_PERCENT;
}

void breaker_ended(struct breaker *breaker, bool is_probe, bool has_failed, int64_t pause_ms, int64_t now_ms)
{
    if (breaker->state == BREAKER_CLOSED) {
        remember(breaker, has_failed);
        if (is_bad(breaker))
            pause_until(breaker, now_ms + pause_ms);
    } else if (breaker->state == BREAKER_PROBING && is_probe) {
        if (has_failed)
            pause_until(breaker, now_ms + pause_ms);
        else
            *breaker = (struct breaker){.state = BREAKER_CLOSED};
    }
}

void breaker_abandoned(struct breaker *breaker, bool is_probe, int64_t now_ms)
{
    if (breaker->state == BREAKER_PROBING && is_probe)
        pause_until(breaker, now_ms);
}

void breaker_hold(struct breaker *breaker, int64_t asked_ms, int64_t now_ms)
{
    pause_until(breaker, now_ms + (asked_ms < BREAKER_HOLD_MOST_MS ? asked_ms : BREAKER_HOLD_MOST_MS));
}
