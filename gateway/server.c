#include "gateway/server.h"

#include "common/clock.h"
#include "common/must.h"
#include "gateway/ingest.h"
#include "gateway/reply.h"
#include "gateway/request.h"
#include "gateway/server_conn.h"

#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { SWEEP_MS = 250, HTTP2_CLOSE_MS = 10000, HTTP2_BODY_BYTES_MOST = 256 * 1024 };

/* The library never frees it: kept, so that leaks that are ours stand out. */
static h2o_multithread_queue_t *volatile kept_queue;

struct our_handler {
    h2o_handler_t super;
    struct server *server;
};

/* Requests ------------------------------------------------------------------------------------------------------------ */

static struct span span_of_iovec(h2o_iovec_t bytes)
{
    return (struct span){bytes.base, bytes.len};
}

static bool is_named(const h2o_header_t *header, struct span name)
{
    return header->name->len == name.len && memcmp(header->name->base, name.ptr, name.len) == 0;
}

/* Blanks behind a value are none of it; h2o leaves them there. */
static struct span value_of(const h2o_header_t *header)
{
    return span_trim(span_of_iovec(header->value));
}

/* A header that may come once: twice is as good as empty, for nobody knows which was meant. */
static void take_once(struct span *place, const h2o_header_t *header)
{
    *place = place->ptr == NULL ? value_of(header) : SPAN("");
}

static void join(h2o_req_t *req, struct span *list, const h2o_header_t *header)
{
    if (list->ptr == NULL)
        *list = span_of_iovec(header->value);
    else
        *list = span_of_iovec(h2o_concat(&req->pool, h2o_iovec_init(list->ptr, list->len), h2o_iovec_init(H2O_STRLIT(",")), header->value));
}

static void read_headers(struct request *request, h2o_req_t *req)
{
    for (size_t i = 0; i < req->headers.size; i++) {
        const h2o_header_t *header = &req->headers.entries[i];

        if (header->name == &H2O_TOKEN_CONTENT_TYPE->buf)
            request->content_type = value_of(header);
        else if (header->name == &H2O_TOKEN_ACCEPT->buf)
            join(req, &request->accept, header);
        else if (header->name == &H2O_TOKEN_CONTENT_ENCODING->buf)
            request->content_encoding = value_of(header);
        else if (header->name == &H2O_TOKEN_X_FORWARDED_FOR->buf)
            join(req, &request->forwarded_for, header);
        else if (is_named(header, SPAN("x-api-key")))
            take_once(&request->api_key, header);
        else if (is_named(header, SPAN("idempotency-key")))
            take_once(&request->idempotency_key, header);
    }
}

/* What is asked for: a path, or as proxies may write it the whole address, which h2o takes for a path. */
static void read_target(struct request *request, h2o_req_t *req)
{
    h2o_iovec_t path = req->path, normal = req->path_normalized;
    size_t query_at = req->query_at, *unused;
    h2o_url_t url;

    if (req->authority.len > 0)
        request->authority = span_of_iovec(req->authority);
    if (path.len > 0 && path.base[0] != '/' && h2o_url_parse(path.base, path.len, &url) == 0) {
        path = url.path;
        normal = h2o_url_normalize_path(&req->pool, path.base, path.len, &query_at, &unused);
        request->authority = span_of_iovec(url.authority);
    }
    request->path = span_of_iovec(normal);
    if (query_at != SIZE_MAX)
        request->query = (struct span){path.base + query_at + 1, path.len - query_at - 1};
}

/* h2o is done with the request: answered, or the client left before. */
static void on_dispose(void *memory)
{
    struct request *request = memory;

    if (request->on_gone == NULL)
        return;
    conn_of(((h2o_req_t *)request->http)->conn)->broken_off++;
    request->on_gone(request->waiter);
}

static int on_req(h2o_handler_t *handler, h2o_req_t *req)
{
    struct server *server = ((struct our_handler *)handler)->server;
    struct request *request = h2o_mem_alloc_shared(&req->pool, sizeof *request, on_dispose);
    struct conn *conn = conn_of(req->conn);

    memset(request, 0, sizeof *request);
    request->gateway = server->gateway;
    request->id = uuid_v7(clock_wall_ms());
    request->began_ns = clock_mono_ns();
    request->method = span_of_iovec(req->method);
    read_target(request, req);
    request->scheme = span_of_iovec(req->scheme->name);
    request->body = (struct span){req->entity.base != NULL ? req->entity.base : "", req->entity.len};
    request->has_peer = conn->has_peer;
    memcpy(request->peer, conn->peer, sizeof request->peer);
    request->http = req;
    request->is_last = conn->leave_at_ms != 0 && request->began_ns / 1000000 >= conn->leave_at_ms;
    read_headers(request, req);
    conn->requests++;
    request_handle(request);
    return 0;
}

/* The server ---------------------------------------------------------------------------------------------------------- */

/* Two descriptors a connection: as many as the kernel lets us have. */
static void raise_descriptors(struct server *server)
{
    struct rlimit limit;
    int64_t room;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    room = limit.rlim_cur > INT32_MAX ? INT32_MAX : (int64_t)limit.rlim_cur;
    room = (room - 2 * LINGER_MOST) / 2;
    if (server->options.connections_most > room)
        server->options.connections_most = room > 16 ? room : 16;
}

static void configure(struct server *server)
{
    h2o_hostconf_t *host;
    struct our_handler *handler;

    h2o_config_init(&server->config);
    server->config.server_name = h2o_iovec_init("", 0);
    /* More than may be, so that request.c sees what is too much; h2o itself says 413 in HTTP/1 only. */
    server->config.max_request_entity_size = server->options.has_http2 ? HTTP2_BODY_BYTES_MOST : BODY_BYTES_MOST + 1;
    server->config.handshake_timeout = (uint64_t)server->options.request_ms;
    server->config.http1.req_timeout = (uint64_t)(server->options.idle_ms + 2 * server->options.request_ms); /* conn_sweep() is stricter */
    server->config.http1.upgrade_to_http2 = server->options.has_http2;
    server->config.http2.idle_timeout = (uint64_t)server->options.idle_ms;
    server->config.http2.graceful_shutdown_timeout = HTTP2_CLOSE_MS;
    server->config.http2.max_concurrent_requests_per_connection = 64;
    host = h2o_config_register_host(&server->config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    handler = (struct our_handler *)h2o_create_handler(&host->fallback_path, sizeof *handler);
    handler->super.on_req = on_req;
    handler->server = server;
    reply_shape_errors(&host->fallback_path);
}

static void on_sweep(void *ctx)
{
    conn_sweep(ctx);
}

struct server *server_open(struct gateway *gateway, const struct server_options *options, struct error *err)
{
    struct server *server = must_zalloc(sizeof *server);
    struct loop *loop = stage_loop(gateway->stage);

    server->gateway = gateway;
    server->options = *options;
    server->options.listen = server->options.tls_cert = server->options.tls_key = NULL;
    raise_descriptors(server);
    configure(server);
    server->loop = outer_loop_new(loop);
    server->lingering = linger_new(loop);
    h2o_context_init(&server->context, outer_loop_h2o(server->loop), &server->config);
    server->accept.ctx = &server->context;
    server->accept.hosts = server->config.hosts;
    server->sweep = loop_timer_new(loop, on_sweep, server);
    loop_timer_set(server->sweep, SWEEP_MS, SWEEP_MS);
    if (server_tls(&server->accept.ssl_ctx, options, err) != 0 || server_listen(server, options, err) != 0)
        server_close(&server);
    return server;
}

int server_check(const struct server_options *options, struct error *err)
{
    SSL_CTX *context;
    int rc = server_tls(&context, options, err);

    SSL_CTX_free(context);
    return rc == 0 ? server_listen_check(options, err) : -1;
}

void server_close(struct server **server)
{
    struct server *self = *server;

    if (self == NULL)
        return;
    kept_queue = self->context.queue;
    server_listen_stop(self);
    loop_timer_free(&self->sweep);
    for (struct conn *conn = self->conns; conn != NULL; conn = conn->behind)
        shutdown(conn->fd, SHUT_RDWR);
    for (int i = 0; i < 10 && self->conns != NULL; i++)
        outer_loop_settle(self->loop);
    /* A connection that is busy even now keeps the library's state in use: the process ends anyway. */
    if (self->conns == NULL) {
        linger_free(&self->lingering);
        outer_loop_settle(self->loop);
        h2o_timeout_unlink(&self->context.http2._graceful_shutdown_timeout); /* when we end before it */
        h2o_context_dispose(&self->context);
        h2o_config_dispose(&self->config);
        SSL_CTX_free(self->accept.ssl_ctx);
        outer_loop_free(&self->loop);
        free(self);
    }
    *server = NULL;
}

void server_take(struct server *server)
{
    if (server->is_taking || server->stopped_at_ms != 0)
        return;
    server->is_taking = true;
    server_listen_begin(server);
}

void server_run(struct server *server)
{
    outer_loop_run(server->loop);
}

void server_shed(struct server *server)
{
    int64_t now_ms = clock_mono_ms(), nth = 0;

    for (struct conn *conn = server->conns; conn != NULL; conn = conn->behind)
        conn->leave_at_ms = now_ms + SERVER_SHED_MS * nth++ / (int64_t)server->conn_count;
}

void server_stop_taking(struct server *server)
{
    if (server->stopped_at_ms != 0)
        return;
    server->stopped_at_ms = clock_mono_ms();
    server_listen_stop(server);
    h2o_context_request_shutdown(&server->context);
}

bool server_is_idle(const struct server *server)
{
    return server->conn_count == 0 && linger_count(server->lingering) == 0;
}
