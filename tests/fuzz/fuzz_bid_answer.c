/*
 * fuzz_bid_answer.c - any bytes as a buyer's answer to a question: a bid has a price above nothing that reads back the same,
 * anything else has none, and the buyer's health stays a sum of what it answered.
 *
 * The first byte is the status, or an error; the rest the body.
 */
#include "common/must.h"
#include "dispatcher/bid_answer.h"
#include "dispatcher/bidder.h"
#include "proto/money.h"

#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The same price in our own words is the same bid. */
static void check_again(int64_t price_cents)
{
    char text[MONEY_TEXT_BYTES], body[64];
    struct http_answer answer = {.status = 200};
    int64_t again;

    answer.body.ptr = body;
    answer.body.len = (size_t)snprintf(body, sizeof body, "{\"bid_price\":\"%s\"}", money_text(price_cents, text));
    must(bid_answer_judge(&answer, &again) == BID_OUTCOME_BID && again == price_cents);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = {200, 201, 204, 302, 429, 500};
    static const char *const errors[] = {"timeout", "reset", "bad_answer", "waiting"};
    static const struct bidder_limits limits = {1, 0};
    struct http_answer answer = {0};
    struct bidder *bidder;
    enum bid_outcome outcome;
    int64_t price_cents;

    if (size < 1)
        return 0;
    if (data[0] % 10 < 6) {
        answer.status = statuses[data[0] % 10];
        answer.body = (struct span){(const char *)data + 1, size - 1};
    } else {
        answer.error = errors[data[0] % 10 - 6];
    }
    outcome = bid_answer_judge(&answer, &price_cents);
    must((outcome == BID_OUTCOME_BID) == (price_cents > 0) && price_cents >= 0);
    must(outcome == BID_OUTCOME_WRONG || (answer.error == NULL) == (outcome == BID_OUTCOME_BID || outcome == BID_OUTCOME_NO_BID));
    if (outcome == BID_OUTCOME_BID)
        check_again(price_cents);
    bidder = bidder_new(SPAN("b"), 0);
    for (size_t i = 0; i < BIDDER_LEAST; i++) {
        must(bidder_turn(bidder, &limits, 2, 0) == BIDDER_ASK);
        bidder_asked(bidder, &limits, 0);
        bidder_answered(bidder, outcome, true);
    }
    must(bidder_is_poor(bidder) == (outcome == BID_OUTCOME_LATE || outcome == BID_OUTCOME_WRONG || outcome == BID_OUTCOME_FAILED));
    bidder_free(&bidder);
    return 0;
}
