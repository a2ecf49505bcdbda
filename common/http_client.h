/*
 * http_client.h - requests to other people's HTTP servers, many at once, on the loop (libcurl's multi interface).
 *
 * A client has its own pool of connections, kept alive and used again; over TLS, requests share one by HTTP/2 where the
 * server speaks it. Redirects are not followed, no proxy is used, only http and https are spoken. Unless private addresses are allowed, every address to which a connection
 * is about to be made is checked (cidr_is_special()), whatever the name resolved to. Because the pool remembers
 * connections, that choice is made once for a client: who changes it opens another client and closes the first.
 *
 * What exceeds the limits waits its turn, host by host, so that no host holds up another. Waiting counts as time.
 */
#ifndef LEADLINE_COMMON_HTTP_CLIENT_H
#define LEADLINE_COMMON_HTTP_CLIENT_H

#include "common/error.h"
#include "common/loop.h"
#include "common/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_client;

enum { HTTP_ANSWER_BYTES = 65536 }; /* of an answer's body are read, no more */

struct http_client_options {
    int most_open;          /* requests under way at once, in total */
    int most_open_per_host; /* the same to one scheme, host and port; 0: no limit but the other */
    bool allows_private;    /* may connect to private, loopback and other special addresses */
    const char *user_agent; /* NULL: "Leadline/VERSION" */
    const char *ca_file;    /* certificates to trust, PEM; NULL: the system's */
};

struct http_header {
    struct span name, value;
};

struct http_request {
    struct span url;    /* http or https */
    const char *method; /* "POST" */
    const struct http_header *headers; /* Content-Type too, else none is sent */
    size_t header_count;
    struct span body;   /* may be absent */
    int timeout_ms;     /* until the whole answer is there, above 0 */
    int connect_timeout_ms; /* until the connection stands; 0: no limit but the other */
    bool is_fresh;      /* by a new connection, whatever stands already */
};

/*
 * What came back: a status and no error, or status 0 and one of these words:
 * "timeout", "refused", "unreachable", "address_not_allowed", "dns", "tls", "reset" (the connection broke), "incomplete" (less
 * came than was announced), "bad_answer" (no HTTP), "bad_request" (the URL or a header cannot be sent), "waiting" (its time ran
 * out before a connection was free; nothing was sent), "closing" (http_client_close()), "failed" (anything else).
 * All is borrowed for the call.
 */
struct http_answer {
    int status;
    const char *error; /* NULL when there is a status */
    struct span body;  /* at most HTTP_ANSWER_BYTES */
    bool is_cut;       /* there was more; the connection (of HTTP/2: the stream) was closed for it */
    struct span retry_after; /* that header's value; absent when there was none */
    int64_t took_ms;   /* since it was sent; 0 when it never was */
};

typedef void http_answer_fn(void *ctx, const struct http_answer *answer);

/* Returns the client, owned by the caller. Cannot fail. */
struct http_client *http_client_open(struct loop *loop, const struct http_client_options *options);

/* Calls back all that is open with "closing"; nothing may be sent to it from then on. May be called from a callback. */
void http_client_close(struct http_client **client);

/*
 * Sends a request; all of it is copied. fn is called exactly once, never from within this call. A server that has taken a request and
 * closes without an answer does not get it again ("reset"); one that has closed a kept connection before gets it by a new one.
 */
void http_client_send(struct http_client *client, const struct http_request *request, http_answer_fn *fn, void *ctx);

/* Requests that were not called back yet. */
int http_client_busy(const struct http_client *client);

/* Can this header be sent: a token for a name, a value without control characters, and none that the client sets itself? */
bool http_header_is_good(const struct http_header *header);

#endif
