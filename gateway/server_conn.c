#include "gateway/server_conn.h"

#include "common/clock.h"
#include "common/must.h"
#include "gateway/count.h"
#include "gateway/proxy_protocol.h"
#include "proto/problem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ARRIVING_HEAD_BYTES_MOST = 64 * 1024,
    PRESSED_MS = 1000,                    /* under pressure for memory a request must arrive in this time */
    FOREIGN_BYTES = 1 << 20,              /* what an HTTP/2 connection may send … */
    FOREIGN_BYTES_A_REQUEST = 96 * 1024,  /* … and for each request that it makes */
    BROKEN_OFF_MOST = 100,                /* requests that it may take back, and half of all besides */
};

/* Coming and going ---------------------------------------------------------------------------------------------------- */

static void unlink_conn(struct conn *conn)
{
    struct server *server = conn->server;

    *(conn->before != NULL ? &conn->before->behind : &server->conns) = conn->behind;
    if (conn->behind != NULL)
        conn->behind->before = conn->before;
    server->conn_count--;
    count_connections(server->conn_count);
}

/* h2o has closed its descriptor. */
static void on_close(void *data)
{
    struct conn *conn = data;

    unlink_conn(conn);
    linger_close(conn->server->lingering, conn->fd);
    free(conn);
}

/* There is no room for one more: it is told so, when that needs no handshake. */
static void turn_away(struct server *server, int fd)
{
    struct problem problem = {.reason = REASON_UNAVAILABLE, .message = "too many connections", .retry_after_s = 1};
    struct uuid id = uuid_v7(clock_wall_ms());
    struct buf *body = buf_new(512), *whole = buf_new(1024);
    char text[UUID_TEXT_BYTES];

    problem_print(&problem, &id, body);
    buf_printf(whole,
               "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n"
               "x-request-id: %s\r\nRetry-After: 1\r\nContent-Length: %zu\r\n\r\n",
               uuid_text(&id, text), body->len);
    buf_add_span(whole, buf_span(body));
    if (server->accept.ssl_ctx != NULL || send(fd, whole->data, whole->len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
        linger_close(server->lingering, fd);
    else
        close(fd);
    buf_free(&body);
    buf_free(&whole);
}

/* Reads the load balancer's header, and not a byte more: what follows is h2o's. */
static void on_proxy_header(h2o_socket_t *socket, const char *err)
{
    struct conn *conn = socket->on_close.data;
    char bytes[PROXY_BYTES_MOST];
    uint8_t address[16];
    bool has_address;
    ssize_t got = recv(conn->fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
    int len, next;

    if (got < 0 && errno == EAGAIN && err == NULL)
        return;
    len = got > conn->peeked ? proxy_read((struct span){bytes, (size_t)got}, address, &has_address) : -1;
    if (len == 0) { /* not whole: woken again when there is more than this; conn_sweep() sees that it does not take for ever */
        conn->peeked = (int)got;
        next = conn->peeked + 1;
        setsockopt(conn->fd, SOL_SOCKET, SO_RCVLOWAT, &next, sizeof next);
        return;
    }
    if (len < 0 || recv(conn->fd, bytes, (size_t)len, MSG_DONTWAIT) != len) {
        h2o_socket_close(socket);
        return;
    }
    next = 1;
    setsockopt(conn->fd, SOL_SOCKET, SO_RCVLOWAT, &next, sizeof next);
    if (has_address)
        memcpy(conn->peer, address, sizeof conn->peer);
    h2o_socket_read_stop(socket);
    h2o_socket_dont_read(socket, 0);
    h2o_accept(&conn->server->accept, socket);
}

void conn_begin(struct server *server, int fd, const struct sockaddr *peer)
{
    const struct trusted_proxies *trusted = &server->gateway->trusted;
    int on = 1, second = -1;
    struct conn *conn;

    if (server->conn_count < (size_t)server->options.connections_most)
        second = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (second < 0) {
        count_overload(OVERLOAD_CONNECTIONS);
        turn_away(server, fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    conn = must_zalloc(sizeof *conn);
    conn->server = server;
    conn->fd = second;
    conn->has_peer = cidr_of_socket(peer, conn->peer) == 0;
    conn->since_ms = clock_mono_ms();
    conn->behind = server->conns;
    if (conn->behind != NULL)
        conn->behind->before = conn;
    server->conns = conn;
    server->conn_count++;
    count_connections(server->conn_count);
    conn->socket = h2o_evloop_socket_create(server->context.loop, fd, H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION);
    conn->socket->on_close.cb = on_close;
    conn->socket->on_close.data = conn;
    if (server->options.has_proxy_protocol && conn->has_peer && cidr_any_has(trusted->ranges, trusted->count, conn->peer)) {
        h2o_socket_dont_read(conn->socket, 1);
        h2o_socket_read_start(conn->socket, on_proxy_header);
    } else {
        h2o_accept(&server->accept, conn->socket);
    }
}

struct conn *conn_of(h2o_conn_t *http)
{
    return http->callbacks->get_socket(http)->on_close.data;
}

void conn_cut(struct conn *conn)
{
    /* Bytes that are there already can still be read, then comes the end of the stream, at which h2o closes. */
    shutdown(conn->fd, SHUT_RD);
    conn->is_cut = true;
}

/* Watching ------------------------------------------------------------------------------------------------------------ */

struct sweep {
    struct server *server;
    int64_t now_ms;
    size_t arriving_bytes;
};

/* What h2o says of an HTTP/1 connection's request. */
static int look_at(h2o_req_t *req, void *ctx)
{
    struct sweep *sweep = ctx;
    struct conn *conn = conn_of(req->conn);
    enum conn_state state = CONN_ARRIVING;

    if (req->pathconf != NULL)
        state = CONN_BUSY;
    else if (req->timestamps.request_begin_at.tv_sec == 0)
        state = CONN_IDLE;
    if (state != conn->state || conn->requests != conn->requests_seen) {
        conn->state = state;
        conn->since_ms = sweep->now_ms;
        conn->requests_seen = conn->requests;
    }
    if (state == CONN_ARRIVING)
        sweep->arriving_bytes += conn->socket->input->capacity;
    /* A head that is so long is a flood; a body is bounded by h2o. */
    if (state == CONN_ARRIVING && req->version == 0 && conn->socket->input->size > ARRIVING_HEAD_BYTES_MOST)
        conn->since_ms = 0;
    return 0;
}

/* A connection that is not HTTP/1 (yet): a handshake, or HTTP/2, whose frames and resets h2o does not bound. */
static bool sends_too_much(const struct conn *conn)
{
    struct tcp_info info;
    socklen_t len = sizeof info;

    memset(&info, 0, sizeof info);
    return conn->broken_off > BROKEN_OFF_MOST + conn->requests / 2 ||
           (getsockopt(conn->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
            info.tcpi_bytes_received > FOREIGN_BYTES + conn->requests * FOREIGN_BYTES_A_REQUEST);
}

static bool must_end(const struct sweep *sweep, const struct conn *conn)
{
    const struct server *server = sweep->server;
    int64_t for_ms = sweep->now_ms - conn->since_ms;
    bool has_had_grace = server->stopped_at_ms != 0 && sweep->now_ms - server->stopped_at_ms >= SERVER_GRACE_MS;

    switch (conn->state) {
    case CONN_OPENING:
        if (conn->requests == 0)
            return has_had_grace || for_ms >= server->options.request_ms;
        return sends_too_much(conn);
    case CONN_IDLE:
        return has_had_grace || for_ms >= server->options.idle_ms;
    case CONN_ARRIVING:
        if (sweep->arriving_bytes > (size_t)server->options.input_bytes_most && for_ms >= PRESSED_MS) {
            count_overload(OVERLOAD_INPUT_BYTES);
            return true;
        }
        return for_ms >= server->options.request_ms;
    case CONN_BUSY:
        return false;
    }
    return false;
}

void conn_sweep(struct server *server)
{
    struct sweep sweep = {.server = server, .now_ms = clock_mono_ms()};

    server->config.http1.callbacks.foreach_request(&server->context, look_at, &sweep);
    for (struct conn *conn = server->conns; conn != NULL; conn = conn->behind)
        if (!conn->is_cut && must_end(&sweep, conn))
            conn_cut(conn);
}
