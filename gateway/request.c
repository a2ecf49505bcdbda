#include "gateway/request.h"

#include "common/clock.h"
#include "common/digest.h"
#include "gateway/idempotency.h"
#include "gateway/ingest.h"
#include "gateway/lookup.h"
#include "gateway/on_spec.h"
#include "gateway/open.h"
#include "gateway/ratefile.h"
#include "gateway/reply.h"
#include "proto/embed.h"
#include "proto/key.h"

#include <stdio.h>
#include <string.h>

static const char *const words[ROUTE_COUNT] = {
    [ROUTE_NONE] = "none", [ROUTE_INGEST] = "ingest", [ROUTE_PING] = "ping", [ROUTE_LEAD] = "lead", [ROUTE_LOOKUP] = "lookup",
    [ROUTE_SPEC] = "spec", [ROUTE_OPENAPI] = "openapi",
};

const char *route_word(enum route route)
{
    return words[route];
}

/* Route ------------------------------------------------------------------------------------------------------------- */

static enum route route_of(struct span path)
{
    static const struct span LEADS = {"/api/v1/leads/", 14};

    if (span_is(path, "/api/v1/ingest"))
        return ROUTE_INGEST;
    if (span_is(path, "/api/v1/ping"))
        return ROUTE_PING;
    if (span_is(path, "/api/v1/leads/lookup"))
        return ROUTE_LOOKUP;
    if (span_is(path, "/api/v1/spec"))
        return ROUTE_SPEC;
    if (span_is(path, "/api/v1/openapi.yaml"))
        return ROUTE_OPENAPI;
    if (span_starts(path, LEADS) && path.len > LEADS.len && memchr(path.ptr + LEADS.len, '/', path.len - LEADS.len) == NULL)
        return ROUTE_LEAD;
    return ROUTE_NONE;
}

static bool takes_method(struct request *request)
{
    if (request->route == ROUTE_INGEST || request->route == ROUTE_PING) {
        request->allow = "POST";
        return span_is(request->method, "POST");
    }
    request->allow = "GET, HEAD";
    return span_is(request->method, "GET") || span_is(request->method, "HEAD");
}

/* Who ----------------------------------------------------------------------------------------------------------------- */

static const struct supplier *supplier_of(const struct request *request)
{
    uint8_t sha256[DIGEST_BYTES];

    if (request->api_key.len == 0)
        return NULL;
    digest_sha256(request->api_key, sha256);
    return catalog_key(stage_catalog(request->gateway->stage), sha256);
}

static bool may_come_from_there(const struct request *request, const struct supplier *supplier)
{
    uint8_t client[16];

    if (supplier->allowed_ip_count == 0)
        return true;
    return request->has_peer && address_of_client(&request->gateway->trusted, request->peer, request->forwarded_for, client) &&
           cidr_any_has(supplier->allowed_ips, supplier->allowed_ip_count, client);
}

static bool is_within_rate(struct request *request, const struct supplier *supplier)
{
    struct gateway *gateway = request->gateway;
    enum rate_kind kind = request->route == ROUTE_INGEST ? RATE_INGEST : request->route == ROUTE_PING ? RATE_PING : RATE_LOOKUP;
    struct rate rate = supplier->rates[kind];

    if (gateway->rate_share != 100)
        rate = rate_share(&rate, gateway->rate_share);
    ratefile_take(gateway->rates, supplier->id, kind, &rate, clock_host_ns(), &request->look);
    request->is_limited = true;
    return request->look.is_allowed;
}

/* What ---------------------------------------------------------------------------------------------------------------- */

/* Puts the digests of the Idempotency-Key, if there is one, into the lead. Returns 0, or -1 when it is malformed. */
static int read_idempotency_key(struct request *request, const struct supplier *supplier, struct arena *arena, struct lead *lead)
{
    struct span key;
    uint8_t *sha256;

    if (request->idempotency_key.ptr == NULL)
        return 0;
    if (idempotency_read(arena, request->idempotency_key, &key) != 0)
        return -1;
    lead->idempotency_key = key_idempotency(stage_catalog(request->gateway->stage)->secret, supplier->id, request->path, key);
    sha256 = arena_alloc(arena, DIGEST_BYTES);
    digest_sha256(request->body, sha256);
    lead->body_sha256 = (struct span){(const char *)sha256, DIGEST_BYTES};
    return 0;
}

/* A lead or a ping; nothing of a ping is stored or repeated, so it carries neither its bytes nor an idempotency key. */
static void on_post(struct request *request, const struct supplier *supplier)
{
    enum media media = media_of(request->content_type);
    struct lead lead = {.supplier_id = supplier->id, .request_id = request->id, .mode = request->route == ROUTE_PING ? MODE_PING : MODE_INGEST};
    struct arena *arena = NULL;
    struct json *json = NULL;
    enum reason reason;
    struct error err;

    if (request->body.len > BODY_BYTES_MOST) {
        reply_reason(request, REASON_PAYLOAD_TOO_LARGE, NULL);
        return;
    }
    if (media == MEDIA_OTHER || (request->content_encoding.len > 0 && !span_equal_nocase(request->content_encoding, SPAN("identity")))) {
        reply_reason(request, REASON_UNSUPPORTED_MEDIA, NULL);
        return;
    }
    if (!open_has_room(request->gateway->open, request->body.len)) {
        reply_reason(request, REASON_UNAVAILABLE, NULL);
        return;
    }
    arena = arena_new();
    reason = ingest_read(arena, media, request->body, &lead, &json, &err);
    if (reason != REASON_NONE)
        reply_reason(request, reason, err.text);
    else if (lead.mode != MODE_PING && read_idempotency_key(request, supplier, arena, &lead) != 0)
        reply_reason(request, REASON_BAD_REQUEST, "the Idempotency-Key must be 1 to 255 printable characters");
    else {
        if (lead.mode == MODE_PING)
            lead.raw = SPAN("{}");
        open_lead(request->gateway->open, request, arena, &lead);
    }
    if (json != NULL)
        json_free(&json);
    arena_free(&arena);
}

void request_handle(struct request *request)
{
    const struct supplier *supplier;

    request->route = route_of(request->path);
    if (request->route == ROUTE_NONE) {
        reply_reason(request, REASON_NOT_FOUND, NULL);
        return;
    }
    if (!takes_method(request)) {
        reply_reason(request, REASON_METHOD_NOT_ALLOWED, NULL);
        return;
    }
    request->allow = NULL;
    if (request->route == ROUTE_OPENAPI) {
        reply_file(request, "application/yaml", embed_find("proto/openapi.yaml"));
        return;
    }
    supplier = supplier_of(request);
    if (supplier == NULL) {
        reply_reason(request, REASON_UNAUTHORIZED, NULL);
        return;
    }
    if (!may_come_from_there(request, supplier)) {
        reply_reason(request, REASON_FORBIDDEN, "this key may not be used from this address");
        return;
    }
    if (!is_within_rate(request, supplier)) {
        reply_reason(request, REASON_RATE_LIMITED, NULL);
        return;
    }
    if (request->route == ROUTE_INGEST || request->route == ROUTE_PING)
        on_post(request, supplier);
    else if (request->route == ROUTE_SPEC)
        on_spec(request, supplier);
    else
        lookup_handle(request->gateway->lookups, request, supplier);
}
