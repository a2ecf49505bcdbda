/*
 * request.h - one HTTP request from its last byte to its answer: what it asks for, who asks, and whether that one may.
 *
 * In this order (SPEC.md, 3): route, key, address, rate limit, then the route's own part. A request is answered exactly
 * once, by one of reply.h's functions, and is gone with that; or on_gone() tells that the client left before.
 */
#ifndef LEADLINE_GATEWAY_REQUEST_H
#define LEADLINE_GATEWAY_REQUEST_H

#include "common/span.h"
#include "common/uuid.h"
#include "gateway/gateway.h"
#include "gateway/rate.h"

#include <stdbool.h>
#include <stdint.h>

enum route { ROUTE_NONE, ROUTE_INGEST, ROUTE_PING, ROUTE_LEAD, ROUTE_LOOKUP, ROUTE_SPEC, ROUTE_OPENAPI, ROUTE_COUNT };

/* Made by server.c, lives until it is answered or gone; everything in it is borrowed from the connection. */
struct request {
    struct gateway *gateway;
    struct uuid id; /* x-request-id */
    int64_t began_ns; /* clock_mono_ns() */
    struct span method, path, query, body; /* path: normalised; query: behind the '?', absent without one */
    struct span scheme, authority; /* "https", and what the client calls us: "leads.example:8443"; authority may be absent */
    struct span api_key, content_type, content_encoding, accept, idempotency_key; /* headers; absent when not sent, keys that came twice empty */
    struct span forwarded_for;      /* all of them, joined */
    bool has_peer;
    uint8_t peer[16];
    enum route route;
    const char *allow;              /* for 405: the methods that the path takes */
    bool is_last;                   /* the connection is closed with the answer */
    bool is_limited;                /* look holds what the rate limit said */
    struct rate_look look;
    void (*on_gone)(void *waiter);  /* NULL, or who waits to answer it */
    void *waiter;
    void *http;                     /* the server's own */
};

/* Handles a whole request. It is answered, or somebody waits to answer it, when this returns. */
void request_handle(struct request *request);

/* What a route is called in metrics. */
const char *route_word(enum route route);

#endif
