/*
 * open.h - the leads that were passed on and wait for their answer, each with its supplier's open request.
 *
 * A lead goes to a validator, by turns. It is sent again, with the same id: at once when the validator it went to is gone;
 * once after two seconds without an answer; and when it was judged by an old catalog (that does not count as the one time).
 * At its deadline the supplier is told 503. When the supplier has left, the answer is dropped.
 */
#ifndef LEADLINE_GATEWAY_OPEN_H
#define LEADLINE_GATEWAY_OPEN_H

#include "gateway/request.h"
#include "proto/frame.h"
#include "proto/neighbour.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct open_requests;

enum {
    OPEN_RESEND_MS = 2000,
    OPEN_STALE_MS = 20,         /* between two sendings of a lead that is judged by old catalogs */
    OPEN_OVERHEAD_BYTES = 8192, /* what a request costs besides its bytes: connection, buffers, tables */
};

/* No open requests yet. bytes_most: of all together; further ones are answered 503 at once. */
struct open_requests *open_new(struct gateway *gateway, int64_t deadline_ms, size_t bytes_most);
void open_free(struct open_requests **all); /* who still waits is told 503 */
void open_set_deadline(struct open_requests *all, int64_t deadline_ms);

/* Is there room for a request with a body of that size? */
bool open_has_room(struct open_requests *all, size_t body_bytes);

/*
 * Stamps the lead with its id, passes it on and waits for its answer; or answers 503 at once when no validator takes it.
 *
 * arena  the lead's
 * lead   supplier, request id, fields and raw text are set; borrowed for the call
 */
void open_lead(struct open_requests *all, struct request *request, struct arena *arena, struct lead *lead);

/* An answer came. One that nobody waits for is dropped. */
void open_answer(struct open_requests *all, const struct answer *answer);

/* A validator is gone: what it had is sent again. A validator came: what could not be sent again is. */
void open_neighbour(struct open_requests *all, struct neighbour *neighbour, bool is_up);

size_t open_count(const struct open_requests *all);
int64_t open_answered(const struct open_requests *all); /* since the start */

#endif
