/*
 * bid_answer.h - what a buyer's answer to a question says: a price, or why it is none (SPEC.md, 8).
 *
 * Pure functions of the answer.
 *
 *     204, whatever its body                        no bid
 *     200-299 and a JSON object:
 *         "bid_price" above 0                       a bid: text ("31.50", "31.5", "31") or a number
 *         no "bid_price", or null, "" or zero       no bid, whatever else the object says
 *         any other "bid_price"                     wrong: negative, more than two decimals, a trillion or more, no number
 *     any other status or body                      wrong
 */
#ifndef LEADLINE_DISPATCHER_BID_ANSWER_H
#define LEADLINE_DISPATCHER_BID_ANSWER_H

#include "common/http_client.h"
#include "proto/bid_outcome.h"

#include <stdint.h>

/*
 * Judges what came back.
 *
 * price_cents  set: above 0 for BID_OUTCOME_BID, else 0
 * Cannot fail. BID_OUTCOME_SKIPPED says that nothing was sent.
 */
enum bid_outcome bid_answer_judge(const struct http_answer *answer, int64_t *price_cents);

#endif
