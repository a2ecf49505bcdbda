/*
 * http_exchange.h - one HTTP request and its answer, as curl's easy handle sees them; serves one request after another.
 * For http_client.c only, which knows when a request may begin and who is told of its end.
 *
 * What a request must not do is seen to here: other protocols, redirects, proxies, addresses that are not allowed (looked at when the
 * connection is made, whatever the name resolved to), answers and headers without an end, requests that go out twice.
 */
#ifndef LEADLINE_COMMON_HTTP_EXCHANGE_H
#define LEADLINE_COMMON_HTTP_EXCHANGE_H

#include "common/buf.h"
#include "common/http_client.h"

#include <curl/curl.h>

struct exchange {
    CURL *easy;
    struct buf *text;           /* url, method, header lines and body; what curl is given points into it */
    struct curl_slist *headers; /* [header_room], linked into a list by us: no allocation a header */
    size_t header_room, header_count;
    const char *url, *method;
    struct span body;
    int timeout_ms, connect_timeout_ms;
    bool is_fresh, allows_private;

    struct buf *answer;
    size_t head_bytes; /* of the answer, so far */
    int own_port;      /* of the connection into which it went; 0: none yet */
    bool is_taken;     /* all of it had arrived there when the other side closed: set by who watches the sockets */
    bool is_cut;
    bool has_refused, has_tried; /* addresses */
};

/* owner: what exchange_owner() finds; options: its user agent is set. Both are borrowed for as long as the exchange lives. */
struct exchange *exchange_open(void *owner, const struct http_client_options *options);
void exchange_close(struct exchange **exchange);

/* Whose the handle is. */
void *exchange_owner(CURL *easy);

/* Copies a request, and forgets the one before and its answer. Returns false when it cannot be sent. */
bool exchange_take(struct exchange *exchange, const struct http_request *request);

/* Of the request that was taken, "http://host:port": who writes one host in two ways has two, no harm. */
struct span exchange_host(const struct exchange *exchange);

/* Sets all options for the request that was taken, which is to be over in so many milliseconds. */
void exchange_begin(struct exchange *exchange, int64_t left_ms);

/* A word for how it ended (http_client.h), or NULL when there is an answer, which exchange_read() reads: lent until the next request. */
const char *exchange_error(const struct exchange *exchange, CURLcode code);
void exchange_read(const struct exchange *exchange, struct http_answer *answer);

/* It is not used for now: keeps no big buffers. */
void exchange_shrink(struct exchange *exchange);

#endif
