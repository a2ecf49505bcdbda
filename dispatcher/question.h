/*
 * question.h - what a buyer reads when it is asked for a live bid: the JSON body of the request to its ping endpoint.
 *
 *     {"id":"0193…","ping_id":"0193…","campaign_id":"campaign_abc123","buyer_id":"buyer_abc","is_test":false,"timeout_ms":300,
 *      "fields":{"age":42,"phone":"9b7c…","state":"TX"}}
 *
 * A pure function of the question; fields stand in the order in which they came, which is that of their names (proto/ping_fields.h).
 */
#ifndef LEADLINE_DISPATCHER_QUESTION_H
#define LEADLINE_DISPATCHER_QUESTION_H

#include "common/buf.h"
#include "proto/frame.h"

#include <stdint.h>

/* Appends the body to out. timeout_ms: how long the answer is waited for. */
void question_print(const struct ping *ping, int64_t timeout_ms, struct buf *out);

#endif
