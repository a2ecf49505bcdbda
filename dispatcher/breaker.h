/*
 * breaker.h - leaves a failing endpoint alone for a while, then tries it with one request before it gets all again.
 *
 * Of its last BREAKER_WINDOW attempts, when there are BREAKER_LEAST at least, BREAKER_PERCENT failed: no attempt begins for some time
 * (pause_ms); then one does, the probe. When that is well everything goes on, with nothing remembered; else the next pause begins.
 * An endpoint that asks for time (Retry-After) gets it in the same way, BREAKER_HOLD_MOST_MS at most: then a probe asks again.
 *
 * No clock: the time is an argument (monotonic milliseconds).
 */
#ifndef LEADLINE_DISPATCHER_BREAKER_H
#define LEADLINE_DISPATCHER_BREAKER_H

#include "dispatcher/verdict.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    BREAKER_WINDOW = 20,
    BREAKER_LEAST = 10,
    BREAKER_PERCENT = 70,
    BREAKER_HOLD_MOST_MS = 5 * 60 * 1000,
};

enum breaker_state {
    BREAKER_CLOSED,  /* attempts go through */
    BREAKER_PAUSED,  /* until_ms, and from then on until somebody begins the probe */
    BREAKER_PROBING, /* the probe is under way */
};

/* All zero: closed, nothing remembered. */
struct breaker {
    enum breaker_state state;
    uint32_t failures; /* the latest attempts, a bit each, the last one lowest */
    unsigned count;    /* of them, at most BREAKER_WINDOW */
    int64_t until_ms;  /* of BREAKER_PAUSED */
};

/*
 * Does this attempt tell against the endpoint? A buyer's verdict does not, whatever it is, nor does an answer that is about the lead (400,
 * 409, 413, 422). Everything else does: no answer, 5xx, 429, a redirect, and 401, 403, 404 and the like, by which an endpoint refuses all.
 */
bool breaker_is_failure(enum verdict verdict, int http_status);

/* May an attempt begin now? */
bool breaker_may_begin(const struct breaker *breaker, int64_t now_ms);

/* One begins. Returns whether it is the probe; breaker_ended() or breaker_abandoned() must be told so. */
bool breaker_begun(struct breaker *breaker);

/* One has ended; pause_ms: how long a pause that begins by it is. What was begun before a pause and ends in it changes nothing. */
void breaker_ended(struct breaker *breaker, bool is_probe, bool has_failed, int64_t pause_ms, int64_t now_ms);

/* One was never sent: another may be the probe. */
void breaker_abandoned(struct breaker *breaker, bool is_probe, int64_t now_ms);

/* The endpoint asks to be left alone for so long; more than 0. */
void breaker_hold(struct breaker *breaker, int64_t asked_ms, int64_t now_ms);

#endif
