#include "gateway/open.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/map.h"
#include "common/must.h"
#include "gateway/count.h"
#include "gateway/deadline.h"
#include "gateway/reply.h"

#include <stdlib.h>
#include <string.h>

/* A place in a line, sorted by when it is due; nearly always who joins last is due last. */
struct place_in_line {
    struct place_in_line *before, *behind;
    int64_t due_ms; /* 0: in no line */
    struct open_request *self;
};

/* One lead that waits. */
struct open_request {
    struct uuid id;
    struct request *request;
    struct neighbour *validator; /* that has it; NULL: none was there when it had to be sent again */
    struct place_in_line deadline, resend, stale;
    int64_t least_version;
    bool is_resent; /* more than one copy may be on its way */
    size_t item_bytes;
    char item[]; /* as encoded for the first sending */
};

struct open_requests {
    struct gateway *gateway;
    int64_t deadline_ms;
    size_t bytes, bytes_most;
    struct map *by_id;
    struct place_in_line deadlines, resends, stales; /* heads of the lines */
    struct loop_timer *timer;
    int64_t timer_due_ms;
    struct buf *scratch;
    int64_t answered;
};

/* Lines --------------------------------------------------------------------------------------------------------------- */

static void line_init(struct place_in_line *head)
{
    head->before = head->behind = head;
}

static void line_leave(struct place_in_line *place)
{
    if (place->due_ms == 0)
        return;
    place->before->behind = place->behind;
    place->behind->before = place->before;
    place->due_ms = 0;
}

static void line_join(struct place_in_line *head, struct place_in_line *place, struct open_request *self, int64_t due_ms)
{
    struct place_in_line *before = head->before;

    line_leave(place);
    while (before != head && before->due_ms > due_ms)
        before = before->before;
    place->due_ms = due_ms;
    place->self = self;
    place->before = before;
    place->behind = before->behind;
    before->behind->before = place;
    before->behind = place;
}

/* The first of the line when it is due by then, or NULL. */
static struct open_request *line_due(struct place_in_line *head, int64_t now_ms)
{
    return head->behind != head && head->behind->due_ms <= now_ms ? head->behind->self : NULL;
}

/* The timer runs at the first due moment, or earlier (an early one finds nothing to do). */
static void arm_for(struct open_requests *all, int64_t due_ms, int64_t now_ms)
{
    if (all->timer_due_ms != 0 && all->timer_due_ms <= due_ms)
        return;
    all->timer_due_ms = due_ms;
    loop_timer_set(all->timer, due_ms > now_ms ? due_ms - now_ms : 0, 0);
}

static void arm(struct open_requests *all, int64_t now_ms)
{
    const struct place_in_line *heads[] = {&all->deadlines, &all->resends, &all->stales};

    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        if (heads[i]->behind != heads[i])
            arm_for(all, heads[i]->behind->due_ms, now_ms);
}

/* Coming and going ---------------------------------------------------------------------------------------------------- */

static size_t bytes_of(const struct open_request *open)
{
    return OPEN_OVERHEAD_BYTES + open->request->body.len + open->item_bytes;
}

/* Takes it out of everything; the request stays, for whoever answers it. */
static struct request *close_open(struct open_requests *all, struct open_request *open)
{
    struct request *request = open->request;

    line_leave(&open->deadline);
    line_leave(&open->resend);
    line_leave(&open->stale);
    map_remove(all->by_id, uuid_span(&open->id));
    all->bytes -= bytes_of(open);
    request->on_gone = NULL;
    free(open);
    count_open(map_count(all->by_id), all->bytes);
    return request;
}

static void on_gone(void *waiter)
{
    struct open_request *open = waiter;

    close_open(open->request->gateway->open, open);
}

bool open_has_room(struct open_requests *all, size_t body_bytes)
{
    if (all->bytes + OPEN_OVERHEAD_BYTES + 3 * body_bytes <= all->bytes_most) /* the item holds raw text and fields */
        return true;
    count_overload(OVERLOAD_OPEN_BYTES);
    return false;
}

/* Sending ------------------------------------------------------------------------------------------------------------- */

/* Gives the item to the next validator in turn. Returns it, or NULL when nobody takes it. */
static struct neighbour *pass_on(struct open_requests *all, struct span item)
{
    struct neighbours *validators = stage_neighbours(all->gateway->stage, STAGE_VALIDATOR);
    size_t tries = neighbours_up(validators);
    struct neighbour *validator;

    while (tries-- > 0) {
        validator = neighbours_by_turn(validators);
        if (validator == NULL)
            return NULL;
        if (neighbour_add(validator, FRAME_LEADS, item) == 0)
            return validator;
    }
    return NULL;
}

void open_lead(struct open_requests *all, struct request *request, struct arena *arena, struct lead *lead)
{
    int64_t now_ms = clock_mono_ms();
    struct neighbour *validator;
    struct open_request *open;

    lead->id = uuid_v7(clock_wall_ms());
    lead->gateway = span_of(stage_name(all->gateway->stage));
    lead->left_ms = deadline_read(arena, stage_catalog(all->gateway->stage), &lead->fields, all->deadline_ms);
    all->scratch->len = 0;
    frame_put_lead(all->scratch, lead);
    validator = pass_on(all, buf_span(all->scratch));
    if (validator == NULL) {
        count_overload(OVERLOAD_NO_VALIDATOR);
        reply_reason(request, REASON_UNAVAILABLE, NULL);
        return;
    }
    open = must_alloc(sizeof *open + all->scratch->len);
    memset(open, 0, sizeof *open);
    memcpy(open->item, all->scratch->data, all->scratch->len);
    open->item_bytes = all->scratch->len;
    open->id = lead->id;
    open->request = request;
    open->validator = validator;
    request->on_gone = on_gone;
    request->waiter = open;
    map_put(all->by_id, uuid_span(&open->id), open);
    all->bytes += bytes_of(open);
    line_join(&all->deadlines, &open->deadline, open, now_ms + lead->left_ms);
    line_join(&all->resends, &open->resend, open, now_ms + OPEN_RESEND_MS);
    arm(all, now_ms);
    count_open(map_count(all->by_id), all->bytes);
}

/* Sends it again, with what is left of its time. Its item is decoded, changed and encoded; that it can be is ours to see to. */
static void send_again(struct open_requests *all, struct open_request *open, int64_t now_ms)
{
    struct arena *arena = arena_new();
    struct buf *message = buf_new(open->item_bytes + 64);
    struct frame frame;
    struct lead lead;

    frame_head(message, FRAME_LEADS, SPAN(""), 0, 1);
    buf_add(message, open->item, open->item_bytes);
    must(frame_open(&frame, buf_span(message), NULL) == 0 && frame_next_lead(&frame, arena, &lead, NULL) == 0);
    lead.left_ms = open->deadline.due_ms - now_ms;
    lead.is_resent = open->is_resent;
    lead.least_version = open->least_version;
    all->scratch->len = 0;
    frame_put_lead(all->scratch, &lead);
    open->validator = pass_on(all, buf_span(all->scratch));
    frame_close(&frame);
    buf_free(&message);
    arena_free(&arena);
    if (open->validator != NULL)
        count_resend();
}

static void give_up(struct open_requests *all, struct open_request *open)
{
    reply_reason(close_open(all, open), REASON_TIMEOUT, NULL);
}

static void on_timer(void *ctx)
{
    struct open_requests *all = ctx;
    int64_t now_ms = clock_mono_ms();
    struct open_request *open;

    all->timer_due_ms = 0;
    while ((open = line_due(&all->deadlines, now_ms)) != NULL)
        give_up(all, open);
    while ((open = line_due(&all->stales, now_ms)) != NULL) {
        line_leave(&open->stale);
        send_again(all, open, now_ms);
    }
    while ((open = line_due(&all->resends, now_ms)) != NULL) {
        line_leave(&open->resend);
        open->is_resent = true;
        send_again(all, open, now_ms);
    }
    arm(all, now_ms);
}

/* Answers ------------------------------------------------------------------------------------------------------------- */

/* Judged by an old catalog: at once the first time, then not more often than every OPEN_STALE_MS. */
static void on_stale(struct open_requests *all, struct open_request *open, int64_t least_version)
{
    int64_t now_ms = clock_mono_ms();
    bool is_first = open->least_version == 0;

    if (least_version > open->least_version)
        open->least_version = least_version;
    if (open->stale.due_ms != 0)
        return;
    if (is_first) {
        send_again(all, open, now_ms);
    } else {
        line_join(&all->stales, &open->stale, open, now_ms + OPEN_STALE_MS);
        arm(all, now_ms);
    }
}

void open_answer(struct open_requests *all, const struct answer *answer)
{
    struct open_request *open = map_get(all->by_id, uuid_span(&answer->id));

    if (open == NULL)
        return;
    if (answer->status == 0) {
        on_stale(all, open, answer->least_version > 0 ? answer->least_version : 1);
        return;
    }
    all->answered++;
    if (answer->status < 200 || answer->status > 599 || (answer->body.len == 0 && answer->status != 503))
        reply_reason(close_open(all, open), REASON_INTERNAL, NULL);
    else if (answer->body.len == 0)
        reply_reason(close_open(all, open), REASON_UNAVAILABLE, NULL);
    else
        reply_json(close_open(all, open), (int)answer->status, answer->body);
}

void open_neighbour(struct open_requests *all, struct neighbour *neighbour, bool is_up)
{
    int64_t now_ms = clock_mono_ms();
    size_t again = 0;

    for (struct place_in_line *place = all->deadlines.behind; place != &all->deadlines; place = place->behind) {
        struct open_request *open = place->self;

        if (open->validator != (is_up ? NULL : neighbour))
            continue;
        line_leave(&open->stale);
        open->is_resent = true;
        send_again(all, open, now_ms);
        again++;
    }
    if (again > 0)
        log_event(LOG_INFO, "open.resent", "count=%zu because=%s", again, is_up ? "validator-came" : "validator-gone");
}

/* The table ----------------------------------------------------------------------------------------------------------- */

struct open_requests *open_new(struct gateway *gateway, int64_t deadline_ms, size_t bytes_most)
{
    struct open_requests *all = must_zalloc(sizeof *all);

    all->gateway = gateway;
    all->deadline_ms = deadline_ms;
    all->bytes_most = bytes_most;
    all->by_id = map_new();
    line_init(&all->deadlines);
    line_init(&all->resends);
    line_init(&all->stales);
    all->timer = loop_timer_new(stage_loop(gateway->stage), on_timer, all);
    all->scratch = buf_new(4096);
    return all;
}

void open_free(struct open_requests **all)
{
    if (*all == NULL)
        return;
    while ((*all)->deadlines.behind != &(*all)->deadlines)
        reply_reason(close_open(*all, (*all)->deadlines.behind->self), REASON_UNAVAILABLE, NULL);
    loop_timer_free(&(*all)->timer);
    map_free(&(*all)->by_id);
    buf_free(&(*all)->scratch);
    free(*all);
    *all = NULL;
}

void open_set_deadline(struct open_requests *all, int64_t deadline_ms)
{
    all->deadline_ms = deadline_ms;
}

size_t open_count(const struct open_requests *all)
{
    return map_count(all->by_id);
}

int64_t open_answered(const struct open_requests *all)
{
    return all->answered;
}
