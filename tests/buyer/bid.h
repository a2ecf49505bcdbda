/*
 * bid.h - what the endpoint bids when it is asked: a POST to /ping, or to /ping/31.50 for that price.
 */
#ifndef LEADLINE_TESTS_BUYER_BID_H
#define LEADLINE_TESTS_BUYER_BID_H

#include "common/span.h"

#include <stdbool.h>
#include <stddef.h>

enum { BID_BODY_BYTES = 64, BID_PRICE_BYTES = 16 };

/* Is it a price: digits, and two more behind a point if there is one? */
bool bid_is_price(struct span text);

/* Is a request to this path a question for a bid? */
bool bid_is_asked(struct span path);

/*
 * Writes the body of the answer.
 *
 * path  asked; the price in it counts
 * otherwise  the price when there is none in the path
 * Returns the body's length; 0: no bid, for a price of zero.
 */
size_t bid_print(struct span path, const char *otherwise, char out[BID_BODY_BYTES]);

#endif
