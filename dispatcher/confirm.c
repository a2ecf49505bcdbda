#include "dispatcher/confirm.h"

#include "common/clock.h"
#include "common/must.h"

#include <stdlib.h>
#include <string.h>

struct confirm {
    struct stage *stage;
    struct lanes *lanes;
    struct record *record;
    struct due *first, *last; /* those whose time runs, by its end */
    struct loop_timer *timer;
};

/* The line ------------------------------------------------------------------------------------------------------------ */

static void arm(struct confirm *confirm)
{
    int64_t left_ms;

    if (confirm->first == NULL)
        return;
    left_ms = confirm->first->ask->until_ms - clock_mono_ms();
    loop_timer_set(confirm->timer, left_ms > 0 ? left_ms : 0, 0);
}

static void line_join(struct confirm *confirm, struct due *due)
{
    struct due *before = confirm->last;

    while (before != NULL && before->ask->until_ms > due->ask->until_ms)
        before = before->ask->before;
    due->ask->before = before;
    due->ask->behind = before != NULL ? before->ask->behind : confirm->first;
    *(before != NULL ? &before->ask->behind : &confirm->first) = due;
    *(due->ask->behind != NULL ? &due->ask->behind->ask->before : &confirm->last) = due;
    due->ask->is_in_line = true;
    if (confirm->first == due)
        arm(confirm);
}

static void line_leave(struct confirm *confirm, struct due *due)
{
    struct ask *ask = due->ask;

    if (!ask->is_in_line)
        return;
    *(ask->before != NULL ? &ask->before->ask->behind : &confirm->first) = ask->behind;
    *(ask->behind != NULL ? &ask->behind->ask->before : &confirm->last) = ask->before;
    ask->is_in_line = false;
}

/* How one ends -------------------------------------------------------------------------------------------------------- */

static void fail(struct confirm *confirm, struct due *due, const char *why)
{
    line_leave(confirm, due);
    due->result.verdict = VERDICT_FAILED;
    due->result.price_cents = -1;
    due->result.ended_at_ms = clock_mono_ms();
    due->result.answer = (struct span){must_copy(why, strlen(why)), strlen(why)};
    due_drop_webhook(due);
    record_add(confirm->record, due);
}

void confirm_fail(struct confirm *confirm, struct due *due, const char *why)
{
    due->result.begun_at_ms = clock_wall_ms();
    fail(confirm, due, why);
}

/* Its time is over. */
static void end(struct confirm *confirm, struct due *due)
{
    int64_t took_ms = clock_wall_ms() - due->result.begun_at_ms;

    if (!due->ask->is_begun) {
        lanes_remove(confirm->lanes, due);
        confirm_fail(confirm, due, "not tried: its turn did not come in time");
        return;
    }
    due->ask->is_over = true;
    due->ask->late.begun_at_ms = due->result.begun_at_ms;
    due->result.took_ms = took_ms > 0 ? took_ms : 0;
    fail(confirm, due, "timeout");
}

static void on_timer(void *ctx)
{
    struct confirm *confirm = ctx;
    int64_t now_ms = clock_mono_ms();

    while (confirm->first != NULL && confirm->first->ask->until_ms <= now_ms)
        end(confirm, confirm->first);
    arm(confirm);
}

void confirm_answered(struct confirm *confirm, struct due *due)
{
    struct ask *ask = due->ask;

    ask->is_begun = false;
    if (!ask->is_over) {
        line_leave(confirm, due);
        record_add(confirm->record, due);
        return;
    }
    if (ask->late.verdict == VERDICT_ACCEPTED) {
        ask->late.verdict = VERDICT_LATE;
        ask->has_late = true;
    }
    if (!ask->is_recording)
        record_late(confirm->record, due);
}

/* How one begins ------------------------------------------------------------------------------------------------------ */

bool confirm_has_time(const struct due *due)
{
    return due->ask->until_ms - clock_mono_ms() >= BEGIN_LEAST_MS;
}

int64_t confirm_begun(struct due *due, int64_t timeout_ms)
{
    int64_t left_ms = due->ask->until_ms - clock_mono_ms();

    due->ask->is_begun = true;
    return left_ms + LATE_MOST_MS < timeout_ms ? left_ms + LATE_MOST_MS : timeout_ms;
}

static void copy_id(char *out, struct span id)
{
    if (id.len > ID_BYTES_MOST)
        return; /* nobody's: it stays empty */
    memcpy(out, id.ptr, id.len);
    out[id.len] = '\0';
}

const char *confirm_why_shut(const struct buyer *buyer)
{
    if (buyer == NULL)
        return "not tried: the buyer is not known";
    if (buyer->url[0] == '\0')
        return "not tried: the buyer has no endpoint";
    return buyer->is_endpoint_off ? "not tried: the buyer's endpoint is off" : "not tried: the buyer's endpoint is paused";
}

/* Why can it not be tried? NULL: it can. */
static const char *obstacle(const struct buyer *buyer, const struct lane *lane, const struct lane_limits *limits, int64_t time_ms)
{
    if (buyer == NULL || buyer->url[0] == '\0' || buyer->is_endpoint_off || lane_is_paused(lane, clock_mono_ms()))
        return confirm_why_shut(buyer);
    if (time_ms < BEGIN_LEAST_MS)
        return "not tried: no time was left";
    if (lane_wait_ms(lane, limits) >= time_ms)
        return "not tried: its turn would not come in time";
    return NULL;
}

void confirm_take(struct confirm *confirm, const struct frame *frame, const struct delivery *delivery)
{
    const struct buyer *buyer = catalog_buyer(stage_catalog(confirm->stage), delivery->buyer_id);
    int64_t now_ms = clock_mono_ms(), time_ms = delivery->confirm_ms - frame_age_ms(frame, clock_wall_ms());
    struct lane_limits limits = {0, 0};
    struct lane *lane = NULL;
    const char *why;
    struct due *due;
    enum taken taken;

    if (buyer == NULL) {
        stage_refresh_catalog(confirm->stage);
    } else {
        lane = lanes_of(confirm->lanes, buyer->id, now_ms);
        limits = lanes_limits(buyer);
        if (lanes_timeout_ms(buyer) < time_ms)
            time_ms = lanes_timeout_ms(buyer);
    }
    why = obstacle(buyer, lane, &limits, time_ms);
    taken = lanes_take(confirm->lanes, delivery, INT64_MAX, why == NULL ? lane : NULL, &limits,
                       buyer != NULL ? buyer->format : NULL, &due);
    if (taken == TAKEN_KNOWN)
        return;
    copy_id(due->ask->router, frame->sender);
    copy_id(due->ask->buyer, delivery->buyer_id);
    due->ask->until_ms = now_ms + time_ms;
    if (taken == TAKEN_WAITS)
        line_join(confirm, due);
    else
        confirm_fail(confirm, due, why != NULL ? why : "not tried: too many wait");
}

/* Life ---------------------------------------------------------------------------------------------------------------- */

struct confirm *confirm_new(struct stage *stage, struct lanes *lanes, struct record *record)
{
    struct confirm *confirm = must_zalloc(sizeof *confirm);

    confirm->stage = stage;
    confirm->lanes = lanes;
    confirm->record = record;
    confirm->timer = loop_timer_new(stage_loop(stage), on_timer, confirm);
    return confirm;
}

void confirm_free(struct confirm **confirm)
{
    if (*confirm != NULL) {
        loop_timer_free(&(*confirm)->timer);
        free(*confirm);
        *confirm = NULL;
    }
}
