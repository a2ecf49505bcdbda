/*
 * server_conn.h - what server's files share: the server, and its connections.
 */
#ifndef LEADLINE_GATEWAY_SERVER_CONN_H
#define LEADLINE_GATEWAY_SERVER_CONN_H

#include "common/error.h"
#include "gateway/gateway.h"
#include "gateway/linger.h"
#include "gateway/loop.h"
#include "gateway/server.h"

#include <h2o.h>
#include <stdbool.h>
#include <stdint.h>

enum conn_state { CONN_OPENING, CONN_IDLE, CONN_ARRIVING, CONN_BUSY }; /* before HTTP; between requests; one arrives; one is handled */

struct conn {
    struct server *server;
    struct conn *before, *behind;
    h2o_socket_t *socket;
    int fd; /* a second descriptor: h2o closes its own without waiting, then this one lingers */
    bool has_peer;
    uint8_t peer[16];
    enum conn_state state; /* as the last sweep saw it */
    int64_t leave_at_ms;   /* 0: it may stay; else the first answer after this moment is its last */
    int64_t since_ms;      /* the first sweep that saw it so, and no request since */
    uint64_t requests, requests_seen;
    uint64_t broken_off;   /* requests that were taken back before their answer */
    int peeked; /* bytes of a load balancer's header seen so far */
    bool is_cut;
};

enum { LISTENERS_MOST = 8 };

struct server {
    struct gateway *gateway;
    struct server_options options; /* without its texts */
    struct outer_loop *loop;
    h2o_globalconf_t config;
    h2o_context_t context;
    h2o_accept_ctx_t accept;
    h2o_socket_t *listeners[LISTENERS_MOST];
    int listener_count;
    struct loop_timer *listen_again; /* after descriptors had run out */
    struct conn *conns;
    size_t conn_count;
    struct linger_set *lingering;
    struct loop_timer *sweep;
    bool is_taking;        /* connections */
    int64_t stopped_at_ms; /* 0: not stopped */
};

/* server_listen.c: makes the listeners: passed sockets, else options->listen. Returns 0, or -1 with *err. */
int server_listen(struct server *server, const struct server_options *options, struct error *err);
int server_listen_check(const struct server_options *options, struct error *err); /* is options->listen an address? */
void server_listen_begin(struct server *server);
void server_listen_stop(struct server *server);

/* server_tls.c: makes *context, owned by the caller also after an error; NULL without a certificate. Returns 0, or -1 with *err. */
int server_tls(SSL_CTX **context, const struct server_options *options, struct error *err);

/* server_conn.c: a connection came; fd is taken. */
void conn_begin(struct server *server, int fd, const struct sockaddr *peer);

/* The connection that a request came over. */
struct conn *conn_of(h2o_conn_t *http);

/* Ends it: what has arrived is still handled, nothing more is read. */
void conn_cut(struct conn *conn);

/* Looks at all connections: cuts the slow, the idle, and at the end all that are not busy. */
void conn_sweep(struct server *server);

#endif
