#include "dispatcher/attempts.h"

#include "common/clock.h"
#include "common/digest.h"
#include "common/http_client.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/must.h"
#include "dispatcher/answer.h"
#include "dispatcher/backoff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECT_MOST_MS = 5000, HTTP_GONE = 410 };

struct attempts {
    struct stage *stage;
    struct lanes *lanes;
    struct record *record;
    struct give_back *back;
    struct confirm *confirm;
    struct endpoints *endpoints;
    size_t connections;
    bool allows_private; /* of client */
    struct http_client *client;
    struct http_client *former; /* finishes what it has; NULL: none */
    size_t under_way;
    bool is_stopped;
    struct loop_timer *timer; /* a rate limit allows the next one; the turn's end begins it */
    struct metric *in_flight, *gave_up;
};

/* One post on its way. */
struct attempt {
    struct attempts *all;
    struct lane *lane;
    struct due *due;
    int64_t begun_at_ms; /* monotonic */
    bool is_probe;       /* of the lane's breaker */
};

static struct http_client *open_client(const struct attempts *attempts)
{
    const char *ca_file = params_text(stage_params(attempts->stage), "ca_file");
    const struct http_client_options options = {
        .most_open = (int)attempts->connections, .allows_private = attempts->allows_private, .ca_file = *ca_file != '\0' ? ca_file : NULL,
    };

    return http_client_open(stage_loop(attempts->stage), &options);
}

/* Its work is done by waking the loop: what may begin does at the turn's end. */
static void on_timer(void *ctx)
{
    (void)ctx;
}

struct attempts *attempts_new(struct stage *stage, struct lanes *lanes, struct record *record, struct give_back *back, struct confirm *confirm,
                              struct endpoints *endpoints, size_t connections)
{
    struct attempts *attempts = must_zalloc(sizeof *attempts);

    attempts->stage = stage;
    attempts->lanes = lanes;
    attempts->record = record;
    attempts->back = back;
    attempts->confirm = confirm;
    attempts->endpoints = endpoints;
    attempts->connections = connections;
    attempts->allows_private = stage_catalog(stage)->allows_private_endpoints;
    attempts->client = open_client(attempts);
    attempts->timer = loop_timer_new(stage_loop(stage), on_timer, attempts);
    attempts->gave_up = metric_counter("leadline_patterns_given_up_total", NULL, "Patterns of responses whose search took too long: no match.");
    attempts->in_flight = metric_gauge("leadline_attempts_in_flight", NULL, "Requests to buyers under way.");
    return attempts;
}

void attempts_free(struct attempts **all)
{
    struct attempts *attempts = *all;

    if (attempts == NULL)
        return;
    attempts->is_stopped = true;
    http_client_close(&attempts->client);
    if (attempts->former != NULL)
        http_client_close(&attempts->former);
    loop_timer_free(&attempts->timer);
    free(attempts);
    *all = NULL;
}

size_t attempts_under_way(const struct attempts *attempts)
{
    return attempts->under_way;
}

/* What one attempt came to -------------------------------------------------------------------------------------------- */

/* Was it ever tried? */
static bool was_sent(const struct http_answer *answer)
{
    return answer->error == NULL || (strcmp(answer->error, "closing") != 0 && strcmp(answer->error, "waiting") != 0);
}

/* Even in [0, 1). */
static double chance(void)
{
    uint8_t bytes[4];

    digest_random(bytes, sizeof bytes);
    return (double)((uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3]) / 4294967296.0;
}

static struct span kept(struct span text)
{
    return text.ptr != NULL ? (struct span){must_copy(text.ptr, text.len), text.len} : text;
}

/* Judges by the rules that the buyer has now (NULL: it is no longer there). */
static void judge(struct attempts *attempts, struct due *due, const struct buyer *buyer, const struct http_answer *answer)
{
    struct result *result = due_result(due);
    struct judged judged = {.outcome = OUTCOME_RETRY, .price_cents = -1};
    struct arena *arena = arena_new();
    int attempt = due->ask != NULL ? ATTEMPTS_MOST : due_turn(due); /* when a sale depends on it there is no other */
    struct span said = answer_text(answer->body, answer->body.len * 3); /* rules must hold in answers of old servers, too, that are no UTF-8 */

    if (answer->error == NULL)
        response_judge(buyer != NULL ? buyer->responses : NULL, answer->status, said, arena, &judged);
    free((char *)said.ptr);
    result->http_status = answer->error == NULL ? answer->status : 0;
    result->verdict = verdict_judge(judged.outcome, attempt);
    metric_add(attempts->gave_up, judged.gave_up);
    result->price_cents = judged.price_cents;
    result->reference = kept(judged.reference);
    result->redirect_url = kept(judged.redirect_url);
    arena_free(&arena);
    if (result->verdict == VERDICT_FAILED && result->http_status == HTTP_GONE && due->ask == NULL)
        result->verdict = VERDICT_RETRY; /* its endpoint is switched off: it waits for that to end, also after the last attempt */
    if (result->verdict == VERDICT_RETRY)
        result->retry_in_ms = backoff_ms(attempt < ATTEMPTS_MOST ? attempt : ATTEMPTS_MOST - 1, chance(), retry_after_ms(result->http_status, answer->retry_after, clock_wall_ms()));
    result->answer = answer_text(answer->error == NULL ? answer->body : span_of(answer->error), ANSWER_KEPT_BYTES);
}

/* What the attempt tells about the endpoint. */
static void learn(struct attempts *attempts, struct lane *lane, const struct result *result, bool is_probe, struct span retry_after)
{
    enum breaker_state before = lane->breaker.state;
    int64_t asked_ms = 0;

    if (result->http_status == HTTP_GONE && (result->verdict == VERDICT_RETRY || result->verdict == VERDICT_FAILED))
        endpoints_gone(attempts->endpoints, lane);
    breaker_ended(&lane->breaker, is_probe, breaker_is_failure(result->verdict, result->http_status),
                  params_int(stage_params(attempts->stage), "breaker_pause_ms"), result->ended_at_ms);
    if (result->verdict == VERDICT_RETRY || result->verdict == VERDICT_FAILED)
        asked_ms = retry_after_ms(result->http_status, retry_after, clock_wall_ms());
    if (asked_ms > 0)
        breaker_hold(&lane->breaker, asked_ms, result->ended_at_ms);
    if (lane->breaker.state == BREAKER_PAUSED && before == BREAKER_CLOSED)
        log_event(LOG_WARN, "endpoint.paused", "buyer=%s status=%d asked_ms=%lld", log_quote(lane->buyer_id), result->http_status,
                  (long long)asked_ms);
    else if (lane->breaker.state == BREAKER_CLOSED && before != BREAKER_CLOSED)
        log_event(LOG_INFO, "endpoint.well", "buyer=%s", log_quote(lane->buyer_id));
}

static void on_answer(void *ctx, const struct http_answer *answer)
{
    struct attempt *attempt = ctx;
    struct attempts *attempts = attempt->all;
    struct lane *lane = attempt->lane;
    struct due *due = attempt->due;
    struct result *result = due_result(due);
    bool is_probe = attempt->is_probe;
    char id[UUID_TEXT_BYTES];

    result->ended_at_ms = clock_mono_ms();
    result->took_ms = result->ended_at_ms - attempt->begun_at_ms;
    free(attempt);
    attempts->under_way--;
    metric_set(attempts->in_flight, (int64_t)attempts->under_way);
    lane_ended(lane, result->took_ms);
    lanes_unpark(attempts->lanes, lane);
    if (!was_sent(answer))
        breaker_abandoned(&lane->breaker, is_probe, result->ended_at_ms);
    if (due->ask == NULL && !was_sent(answer)) {
        give_back_add(attempts->back, due);
        return;
    }
    judge(attempts, due, catalog_buyer(stage_catalog(attempts->stage), lane->buyer_id), answer);
    if (was_sent(answer))
        learn(attempts, lane, result, is_probe, answer->retry_after);
    log_event(result->verdict == VERDICT_FAILED && due->ask == NULL ? LOG_WARN : LOG_DEBUG, "attempt.done",
              "buyer=%s delivery=%s attempt=%d verdict=%s status=%d error=%s took_ms=%lld", log_quote(lane->buyer_id),
              uuid_text(&due->id, id), due->attempt + 1, verdict_word(result->verdict), result->http_status,
              answer->error != NULL ? answer->error : "none", (long long)result->took_ms);
    due_drop_webhook(due);
    if (due->ask != NULL)
        confirm_answered(attempts->confirm, due);
    else
        record_add(attempts->record, due);
}

/* Beginning one ------------------------------------------------------------------------------------------------------- */

static void post(struct attempts *attempts, const struct buyer *buyer, struct attempt *attempt)
{
    struct due *due = attempt->due;
    struct arena *arena = arena_new();
    struct http_request request;

    webhook_request(due->webhook, buyer, &due->id, due->result.begun_at_ms / 1000, arena, &request);
    request.timeout_ms = (int)(due->ask != NULL ? confirm_begun(due, lanes_timeout_ms(buyer)) : lanes_timeout_ms(buyer));
    request.connect_timeout_ms = CONNECT_MOST_MS;
    request.is_fresh = attempt->is_probe; /* the old connections may be what is wrong */
    http_client_send(attempts->client, &request, on_answer, attempt);
    arena_free(&arena);
}

static void begin(struct attempts *attempts, const struct buyer *buyer, struct lane *lane, const struct lane_limits *limits)
{
    struct attempt *attempt = must_alloc(sizeof *attempt);

    *attempt = (struct attempt){attempts, lane, lanes_shift(attempts->lanes, lane), clock_mono_ms(), false};
    attempt->due->result.begun_at_ms = clock_wall_ms();
    attempt->is_probe = breaker_begun(&lane->breaker);
    lane_begun(lane, limits);
    attempts->under_way++;
    metric_set(attempts->in_flight, (int64_t)attempts->under_way);
    post(attempts, buyer, attempt);
}

/* Gives back what waits in the lane and whose lease ends before that moment (monotonic), from the first on. */
static void drop_lapsed(struct attempts *attempts, struct lane *lane, int64_t until_ms)
{
    while (lane->asking == 0 && lane->waiting.count > 0 && lane->waiting.first->lease_until_ms < until_ms)
        give_back_add(attempts->back, lanes_shift(attempts->lanes, lane));
}

/* All that waits in the lane; what a sale depends on has failed, and that is why. */
static void drop_all(struct attempts *attempts, struct lane *lane, const char *why)
{
    while (lane->asking > 0)
        confirm_fail(attempts->confirm, lanes_shift(attempts->lanes, lane), why);
    drop_lapsed(attempts, lane, INT64_MAX);
}

/* Begins the first of the lane, if it may. Returns whether it did; *wait_ms is lowered to when a rate limit will let it. */
static bool try_lane(struct attempts *attempts, struct lane *lane, int64_t *wait_ms)
{
    const struct buyer *buyer = catalog_buyer(stage_catalog(attempts->stage), lane->buyer_id);
    int64_t now_ms = clock_mono_ms(), lane_wait_ms;
    struct lane_limits limits;

    if (attempts->is_stopped && lane->asking == 0) {
        drop_lapsed(attempts, lane, INT64_MAX);
        return false;
    }
    if (buyer == NULL || buyer->url[0] == '\0' || buyer->is_endpoint_off || lane_is_paused(lane, now_ms)) {
        drop_all(attempts, lane, confirm_why_shut(buyer));
        return false;
    }
    limits = lanes_limits(buyer);
    drop_lapsed(attempts, lane, now_ms + lanes_timeout_ms(buyer));
    if (lane->asking > 0 && !confirm_has_time(lane->waiting.first))
        return false; /* confirm.c ends it in a moment */
    if (lane_is_full(lane, &limits)) {
        lanes_park(lane);
        return false;
    }
    if (lane_may_begin(lane, &limits, attempts->connections - attempts->under_way, now_ms, &lane_wait_ms)) {
        begin(attempts, buyer, lane, &limits);
        return true;
    }
    if (lane_wait_ms > 0 && lane_wait_ms < *wait_ms)
        *wait_ms = lane_wait_ms;
    return false;
}

void attempts_begin(struct attempts *attempts)
{
    int64_t wait_ms = INT64_MAX;
    size_t in_vain = 0;
    struct lane *lane;

    while (attempts->under_way < attempts->connections && record_has_room(attempts->record, attempts->under_way) &&
           (lane = lanes_turn(attempts->lanes)) != NULL) {
        in_vain = try_lane(attempts, lane, &wait_ms) ? 0 : in_vain + 1;
        if (in_vain > lanes_turns(attempts->lanes))
            break;
    }
    if (wait_ms < INT64_MAX)
        loop_timer_set(attempts->timer, wait_ms, 0);
}

void attempts_stop(struct attempts *attempts)
{
    struct lane *lane;
    size_t at = 0;

    attempts->is_stopped = true;
    while ((lane = lanes_each(attempts->lanes, &at)) != NULL)
        drop_lapsed(attempts, lane, INT64_MAX);
}

void attempts_on_catalog(struct attempts *attempts)
{
    if (attempts->former != NULL && http_client_busy(attempts->former) == 0)
        http_client_close(&attempts->former);
    if (attempts->allows_private == stage_catalog(attempts->stage)->allows_private_endpoints)
        return;
    attempts->allows_private = !attempts->allows_private;
    if (attempts->former != NULL)
        http_client_close(&attempts->former); /* the choice was changed twice within a request: those are given back */
    attempts->former = attempts->client;
    attempts->client = open_client(attempts);
}
