/*
 * webhook.h - the request in which a lead goes to its buyer, or an event to an operator's endpoint (SPEC.md, 9).
 *
 * Pure functions. What depends on the lead is made once, by the buyer's format, when the delivery is taken in hand; the address
 * and the signatures are added at each attempt. The bytes are the same on every attempt for as long as the format is.
 */
#ifndef LEADLINE_DISPATCHER_WEBHOOK_H
#define LEADLINE_DISPATCHER_WEBHOOK_H

#include "common/http_client.h"
#include "proto/catalog.h"
#include "proto/format.h"
#include "proto/frame.h"

struct webhook {
    const char *method; /* static */
    struct span query;  /* of GET: what comes behind the URL's "?" */
    struct span body;
    struct http_header *headers; /* Content-Type and the operator's own */
    size_t header_count;
    size_t bytes; /* that all of it takes: it is one piece of memory */
};

/* What a delivery becomes in this format (NULL: the usual one). Owned by the caller; borrows nothing. */
struct webhook *webhook_new(const struct format *format, const struct delivery *delivery);
void webhook_free(struct webhook **webhook);

/*
 * The request of one attempt.
 *
 * buyer  its url, secrets and has_legacy_signature
 * id     the delivery's: the webhook-id
 * at_s   when the attempt is made, seconds since 1970 UTC
 * out    all but its timeouts; borrows from the webhook, the buyer and the arena
 */
void webhook_request(const struct webhook *webhook, const struct buyer *buyer, const struct uuid *id, int64_t at_s, struct arena *arena,
                     struct http_request *out);

#endif
