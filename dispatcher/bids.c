#include "dispatcher/bids.h"

#include "common/clock.h"
#include "common/http_client.h"
#include "common/log.h"
#include "common/map.h"
#include "common/metrics.h"
#include "common/must.h"
#include "dispatcher/bid_answer.h"
#include "dispatcher/bidder.h"
#include "dispatcher/question.h"
#include "dispatcher/sign.h"
#include "proto/bid_outcome.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FRAME_PINGS_MOST = 16384, /* more have no place in a frame; the memory for decoding is bounded by it */
    ASK_LEAST_MS = 10,        /* with less time left a question is not worth a request */
    REFRESH_MS = 1000,        /* so often at most is the catalog read for unknown buyers */
};

/* Why a question was not asked. */
enum skip { SKIP_UNKNOWN, SKIP_PAUSED, SKIP_TIME, SKIP_POOR, SKIP_FULL, SKIP_FAST, SKIPS };

struct bids {
    struct stage *stage;
    struct lanes *lanes;
    size_t connections;
    size_t open;
    struct map *bidders; /* struct bidder, by buyer */
    bool allows_private; /* of client */
    struct http_client *client;
    struct http_client *former; /* finishes what it has; NULL: none */
    int64_t refreshed_at_ms;
    struct buf *body, *signature, *legacy, *item; /* to write into, one request after another */
    struct metric *outcomes[BID_OUTCOMES], *skips[SKIPS], *unsent, *in_flight, *seconds;
};

/* One question that is open. */
struct question {
    struct bids *all;
    struct bidder *bidder; /* lives as long as it has open questions */
    struct uuid id;
    char router[ID_BYTES_MOST + 1];
    bool is_fair; /* the buyer has enough time */
    uint64_t url_hash; /* of the endpoint that is asked */
    int64_t begun_ns;
};

static struct http_client *open_client(const struct bids *bids)
{
    const char *ca_file = params_text(stage_params(bids->stage), "ca_file");
    const struct http_client_options options = {
        .most_open = (int)bids->connections, .allows_private = bids->allows_private, .ca_file = *ca_file != '\0' ? ca_file : NULL,
    };

    return http_client_open(stage_loop(bids->stage), &options);
}

static void make_metrics(struct bids *bids)
{
    static const char *const outcomes[] = {
#define BID_OUTCOME(name, word, meaning) "outcome=\"" word "\"",
#include "proto/bid_outcome.def"
#undef BID_OUTCOME
    };
    static const char *const skips[] = {
        [SKIP_UNKNOWN] = "why=\"no_endpoint\"", [SKIP_PAUSED] = "why=\"paused\"", [SKIP_TIME] = "why=\"time\"", [SKIP_POOR] = "why=\"health\"",
        [SKIP_FULL] = "why=\"concurrent\"", [SKIP_FAST] = "why=\"per_second\"",
    };

    for (int i = 0; i < BID_OUTCOMES; i++)
        bids->outcomes[i] = metric_counter("leadline_bids_total", outcomes[i], "Questions for live bids, by what came of them.");
    for (int i = 0; i < SKIPS; i++)
        bids->skips[i] = metric_counter("leadline_bids_skipped_total", skips[i], "Questions that were not asked, by why.");
    bids->unsent = metric_counter("leadline_bids_unsent_total", NULL, "Bids that no longer found their router.");
    bids->in_flight = metric_gauge("leadline_bids_in_flight", NULL, "Questions to buyers under way.");
    bids->seconds = metric_histogram("leadline_bid_seconds", NULL, "Buyers' time for a live bid, until the end of the answer or of its time.");
}

struct bids *bids_new(struct stage *stage, struct lanes *lanes, size_t connections)
{
    struct bids *bids = must_zalloc(sizeof *bids);

    bids->lanes = lanes;
    bids->stage = stage;
    bids->connections = connections;
    bids->bidders = map_new();
    bids->allows_private = stage_catalog(stage)->allows_private_endpoints;
    bids->client = open_client(bids);
    bids->body = buf_new(1024);
    bids->signature = buf_new(256);
    bids->legacy = buf_new(128);
    bids->item = buf_new(256);
    make_metrics(bids);
    return bids;
}

void bids_free(struct bids **all)
{
    struct bids *bids = *all;
    struct bidder *bidder;
    size_t at = 0;

    if (bids == NULL)
        return;
    http_client_close(&bids->client);
    http_client_close(&bids->former);
    while ((bidder = map_next(bids->bidders, &at)) != NULL)
        bidder_free(&bidder);
    map_free(&bids->bidders);
    buf_free(&bids->body);
    buf_free(&bids->signature);
    buf_free(&bids->legacy);
    buf_free(&bids->item);
    free(bids);
    *all = NULL;
}

size_t bids_open(const struct bids *bids)
{
    return bids->open;
}

/* What came of a question ----------------------------------------------------------------------------------------------- */

static void tell(struct bids *bids, struct span router, const struct bid *bid, enum bid_outcome outcome)
{
    struct neighbour *neighbour = neighbours_by_name(stage_neighbours(bids->stage, STAGE_ROUTER), router);

    metric_add(bids->outcomes[outcome], 1);
    bids->item->len = 0;
    frame_put_bid(bids->item, bid);
    if (neighbour == NULL || neighbour_add(neighbour, FRAME_BIDS, buf_span(bids->item)) != 0)
        metric_add(bids->unsent, 1); /* it waits no longer than its deadline */
}

static void skip(struct bids *bids, struct span router, const struct ping *ping, enum skip why)
{
    struct bid bid = {.id = ping->id, .outcome = span_of(bid_outcome_word(BID_OUTCOME_SKIPPED))};

    metric_add(bids->skips[why], 1);
    tell(bids, router, &bid, BID_OUTCOME_SKIPPED);
}

static void learn(struct bidder *bidder, enum bid_outcome outcome, bool is_fair)
{
    bool was_poor = bidder_is_poor(bidder);

    bidder_answered(bidder, outcome, is_fair);
    if (bidder_is_poor(bidder) && !was_poor)
        log_event(LOG_WARN, "bidder.poor", "buyer=%s outcome=%s", log_quote(bidder->buyer_id), bid_outcome_word(outcome));
    else if (was_poor && !bidder_is_poor(bidder))
        log_event(LOG_INFO, "bidder.well", "buyer=%s", log_quote(bidder->buyer_id));
}

static void on_answer(void *ctx, const struct http_answer *answer)
{
    struct question *question = ctx;
    struct bids *bids = question->all;
    bool tells_nothing = question->url_hash != question->bidder->url_hash || (answer->error != NULL && strcmp(answer->error, "closing") == 0);
    struct bid bid = {.id = question->id, .http_status = answer->status};
    enum bid_outcome outcome = bid_answer_judge(answer, &bid.price_cents);
    char id[UUID_TEXT_BYTES];

    bids->open--;
    metric_set(bids->in_flight, (int64_t)bids->open);
    if (outcome != BID_OUTCOME_SKIPPED) {
        bid.took_ms = answer->took_ms > 0 ? answer->took_ms : 1;
        metric_observe_ns(bids->seconds, clock_mono_ns() - question->begun_ns);
    }
    learn(question->bidder, tells_nothing ? BID_OUTCOME_SKIPPED : outcome, question->is_fair);
    log_event(LOG_DEBUG, "bid.done", "buyer=%s question=%s outcome=%s status=%d error=%s took_ms=%lld",
              log_quote(question->bidder->buyer_id), uuid_text(&question->id, id), bid_outcome_word(outcome), answer->status,
              answer->error != NULL ? answer->error : "none", (long long)bid.took_ms);
    bid.outcome = span_of(bid_outcome_word(outcome));
    tell(bids, span_of(question->router), &bid, outcome);
    free(question);
}

/* Asking ---------------------------------------------------------------------------------------------------------------- */

static struct bidder *bidder_of(struct bids *bids, const struct buyer *buyer)
{
    struct bidder *bidder = map_get(bids->bidders, buyer->id);

    if (bidder == NULL) {
        bidder = bidder_new(buyer->id, clock_mono_ms());
        bidder->url_hash = map_hash(span_of(buyer->ping_url), 0);
        map_put(bids->bidders, bidder->buyer_id, bidder);
    }
    return bidder;
}

static void post(struct bids *bids, const struct buyer *buyer, const struct ping *ping, int64_t timeout_ms, struct question *question)
{
    int64_t at_s = clock_wall_ms() / 1000;
    char id[UUID_TEXT_BYTES], timestamp[24];
    struct http_header headers[5];
    struct http_request request = {
        .url = span_of(buyer->ping_url), .method = "POST", .headers = headers, .header_count = 3, .timeout_ms = (int)timeout_ms,
    };

    bids->body->len = bids->signature->len = bids->legacy->len = 0;
    question_print(ping, timeout_ms, bids->body);
    request.body = buf_span(bids->body);
    uuid_text(&ping->id, id);
    snprintf(timestamp, sizeof timestamp, "%lld", (long long)at_s);
    headers[0] = (struct http_header){SPAN("content-type"), SPAN("application/json")};
    headers[1] = (struct http_header){SPAN("webhook-id"), span_of(id)};
    headers[2] = (struct http_header){SPAN("webhook-timestamp"), span_of(timestamp)};
    if (buyer->secret_count > 0) {
        sign_webhook(bids->signature, buyer->secrets, buyer->secret_count, span_of(id), at_s, request.body);
        headers[request.header_count++] = (struct http_header){SPAN("webhook-signature"), buf_span(bids->signature)};
    }
    if (buyer->has_legacy_signature && buyer->secret_count > 0) {
        sign_legacy(bids->legacy, buyer->secrets[0], request.body);
        headers[request.header_count++] = (struct http_header){SPAN("X-LeadDistro-Signature"), buf_span(bids->legacy)};
    }
    http_client_send(bids->client, &request, on_answer, question);
}

/* Less than its own limit and BIDDER_FAIR_MS is no time by which to judge it. */
static bool is_fair(const struct buyer *buyer, int64_t given_ms)
{
    return given_ms >= (buyer->ping_timeout_ms < BIDDER_FAIR_MS ? buyer->ping_timeout_ms : BIDDER_FAIR_MS);
}

static void ask(struct bids *bids, struct span router, const struct buyer *buyer, const struct ping *ping, int64_t timeout_ms)
{
    static const enum skip skips[] = {[BIDDER_POOR] = SKIP_POOR, [BIDDER_FULL] = SKIP_FULL, [BIDDER_FAST] = SKIP_FAST};
    const struct bidder_limits limits = {buyer->ping_concurrent, buyer->ping_per_second};
    struct bidder *bidder = bidder_of(bids, buyer);
    int64_t now_ms = clock_mono_ms();
    enum bidder_turn turn = bidder_turn(bidder, &limits, bids->connections - bids->open, now_ms);
    struct question *question;

    if (turn != BIDDER_ASK) {
        skip(bids, router, ping, skips[turn]);
        return;
    }
    question = must_zalloc(sizeof *question);
    *question = (struct question){.all = bids, .bidder = bidder, .id = ping->id, .is_fair = is_fair(buyer, ping->left_ms),
                                  .url_hash = bidder->url_hash, .begun_ns = clock_mono_ns()};
    memcpy(question->router, router.ptr, router.len);
    bidder_asked(bidder, &limits, now_ms);
    bids->open++;
    metric_set(bids->in_flight, (int64_t)bids->open);
    post(bids, buyer, ping, timeout_ms, question);
}

/* The router's catalog is newer than ours, or much older. */
static void on_unknown(struct bids *bids, struct span router, const struct ping *ping)
{
    int64_t now_ms = clock_mono_ms();

    if (now_ms - bids->refreshed_at_ms >= REFRESH_MS) {
        bids->refreshed_at_ms = now_ms;
        stage_refresh_catalog(bids->stage);
    }
    skip(bids, router, ping, SKIP_UNKNOWN);
}

static void on_ping(struct bids *bids, const struct frame *frame, const struct ping *ping)
{
    const struct buyer *buyer = catalog_buyer(stage_catalog(bids->stage), ping->buyer_id);
    int64_t timeout_ms = frame_left_ms(frame, clock_wall_ms(), ping->left_ms);

    if (buyer == NULL || buyer->ping_url[0] == '\0') {
        on_unknown(bids, frame->sender, ping);
        return;
    }
    if (buyer->is_endpoint_off || lane_is_paused(lanes_of(bids->lanes, buyer->id, clock_mono_ms()), clock_mono_ms())) {
        skip(bids, frame->sender, ping, SKIP_PAUSED); /* who cannot take a lead does not bid for it */
        return;
    }
    if (timeout_ms > buyer->ping_timeout_ms)
        timeout_ms = buyer->ping_timeout_ms;
    if (timeout_ms < ASK_LEAST_MS)
        skip(bids, frame->sender, ping, SKIP_TIME);
    else
        ask(bids, frame->sender, buyer, ping, timeout_ms);
}

static bool is_sane(const struct ping *ping)
{
    return ping->left_ms >= 0 && ping->buyer_id.len > 0 && ping->fields.count <= FIELDS_MOST;
}

void bids_on_frame(struct bids *bids, struct frame *frame, struct arena *arena)
{
    struct ping *pings;
    struct error err;

    if (frame->count > FRAME_PINGS_MOST) {
        stage_refuse_frame(bids->stage, frame, "too many items");
        return;
    }
    pings = arena_alloc(arena, (frame->count + 1) * sizeof *pings);
    for (size_t i = 0; i < frame->count; i++) {
        if (frame_next_ping(frame, arena, &pings[i], &err) != 0) {
            stage_refuse_frame(bids->stage, frame, err.text);
            return;
        }
        if (!is_sane(&pings[i])) {
            stage_refuse_frame(bids->stage, frame, "a value is out of range");
            return;
        }
    }
    for (size_t i = 0; i < frame->count; i++)
        on_ping(bids, frame, &pings[i]);
}

/* Another configuration ------------------------------------------------------------------------------------------------- */

static void forget_gone(struct bids *bids)
{
    struct bidder **gone = must_alloc((map_count(bids->bidders) + 1) * sizeof *gone);
    struct bidder *bidder;
    size_t count = 0, at = 0;

    while ((bidder = map_next(bids->bidders, &at)) != NULL) {
        const struct buyer *buyer = catalog_buyer(stage_catalog(bids->stage), bidder->buyer_id);
        uint64_t url_hash = buyer != NULL ? map_hash(span_of(buyer->ping_url), 0) : 0;

        if (buyer == NULL && bidder->open == 0)
            gone[count++] = bidder;
        else if (url_hash != bidder->url_hash)
            bidder_forget(bidder);
        bidder->url_hash = url_hash;
    }
    for (size_t i = 0; i < count; i++) {
        map_remove(bids->bidders, gone[i]->buyer_id);
        bidder_free(&gone[i]);
    }
    free(gone);
}

void bids_on_catalog(struct bids *bids)
{
    forget_gone(bids);
    if (bids->former != NULL && http_client_busy(bids->former) == 0)
        http_client_close(&bids->former);
    if (bids->allows_private == stage_catalog(bids->stage)->allows_private_endpoints)
        return;
    bids->allows_private = !bids->allows_private;
    http_client_close(&bids->former); /* the choice was changed twice within a question: those end FAILED */
    bids->former = bids->client;
    bids->client = open_client(bids);
}
