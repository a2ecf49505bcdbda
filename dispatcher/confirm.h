/*
 * confirm.h - posts on whose answer a sale depends (SPEC.md, 6: `confirm`).
 *
 * Such a post is tried once, from the frame that brought it: its row is never due, so no sweep and no take-over finds it. It goes
 * before the buyer's other deliveries, within the buyer's limits. It ends
 *
 *   with the buyer's answer
 *   with its time: the smaller of what its router gives (confirm_ms) and the buyer's limit
 *   at once, when it cannot be tried: "not tried: …"; that the dispatcher is stopping is no reason, for a sale would be lost by it
 *
 * and its router is told when that is recorded (record.h). When its time is over its request is kept open a little longer: a yes that
 * comes then is recorded as LATE and sells nothing. A dispatcher that dies leaves the row as it is; the router's own clock ends it.
 */
#ifndef LEADLINE_DISPATCHER_CONFIRM_H
#define LEADLINE_DISPATCHER_CONFIRM_H

#include "dispatcher/lanes.h"
#include "dispatcher/record.h"
#include "proto/stage.h"

enum {
    LATE_MOST_MS = 10000, /* so long a yes is listened for after the time, within the buyer's own limit */
    BEGIN_LEAST_MS = 10,  /* with less time left a request is not begun */
};

struct confirm;

struct confirm *confirm_new(struct stage *stage, struct lanes *lanes, struct record *record);
void confirm_free(struct confirm **confirm);

/* Takes one in hand, from this frame. */
void confirm_take(struct confirm *confirm, const struct frame *frame, const struct delivery *delivery);

/* Has one that waits time enough to begin? If not, its end is near. */
bool confirm_has_time(const struct due *due);

/* Its request begins. Returns the time limit of the request. */
int64_t confirm_begun(struct due *due, int64_t timeout_ms);

/* Its request has ended, and what it came to is in due_result(). */
void confirm_answered(struct confirm *confirm, struct due *due);

/* What is in the way when nothing may begin in this buyer's lane; NULL: it is not known. */
const char *confirm_why_shut(const struct buyer *buyer);

/* It is in no list, and cannot be tried. */
void confirm_fail(struct confirm *confirm, struct due *due, const char *why);

#endif
