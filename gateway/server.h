/*
 * server.h - HTTP: takes connections, turns what comes over them into requests (request.h), and keeps its limits.
 *
 * In files: server.c (the library, requests, the end), server_conn.c (connections: taking, watching, closing),
 * server_listen.c (sockets), server_tls.c. Only these, loop.c and reply.c know h2o.
 *
 * A client that is slow with a request is cut off, others do not feel it. Past the number of connections a new one is told
 * 503 and closed. On TERM no more are taken, each is closed with its next answer, and those that stay idle after
 * SERVER_GRACE_MS; a request that comes before is answered. Clients that keep their connections would never find a gateway that
 * was started later: so they are sent away, gently, when there is one.
 */
#ifndef LEADLINE_GATEWAY_SERVER_H
#define LEADLINE_GATEWAY_SERVER_H

#include "common/error.h"
#include "gateway/gateway.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct server;

enum { SERVER_GRACE_MS = 2000, SERVER_SHED_MS = 2000 };

struct server_options {
    const char *listen;   /* "ADDRESS:PORT", when no socket was passed */
    const char *tls_cert; /* PEM files; "" for no TLS */
    const char *tls_key;
    bool has_http2;
    bool has_proxy_protocol; /* from trusted proxies */
    int64_t connections_most;
    int64_t request_ms;      /* for a whole request to arrive */
    int64_t idle_ms;         /* between requests */
    int64_t input_bytes_most; /* of all requests that are arriving */
};

/* Can it be opened, as far as one sees without listening? Returns 0, or -1 with *err. */
int server_check(const struct server_options *options, struct error *err);

/* Listens; borrows the texts for the call. Returns the server, owned by the caller, or NULL with *err. */
struct server *server_open(struct gateway *gateway, const struct server_options *options, struct error *err);
void server_close(struct server **server);

/* Takes connections from now on; until then they wait in the kernel, or another gateway that shares the socket takes them. */
void server_take(struct server *server);

/* Serves until the stage's loop is stopped. */
void server_run(struct server *server);

/* Another gateway is there: over the next SERVER_SHED_MS each connection is closed with an answer, so that they spread anew. */
void server_shed(struct server *server);

void server_stop_taking(struct server *server);
bool server_is_idle(const struct server *server); /* no connection */

#endif
