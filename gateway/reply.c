#include "gateway/reply.h"

#include "common/clock.h"
#include "gateway/accept.h"
#include "gateway/count.h"

#include <h2o.h>
#include <stdio.h>
#include <string.h>

enum { UNAVAILABLE_RETRY_S = 1 };

static const char JSON_TYPE[] = "application/json";
static const char PROBLEM_TYPE[] = "application/problem+json";
static const char PAGE_TYPE[] = "text/html; charset=utf-8";
static const char PAGE_POLICY[] = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/* Headers ------------------------------------------------------------------------------------------------------------- */

static void add(h2o_req_t *req, const char *name, const char *value, size_t len)
{
    h2o_iovec_t copy = h2o_strdup(&req->pool, value, len);

    h2o_add_header_by_str(&req->pool, &req->res.headers, name, strlen(name), 0, NULL, copy.base, copy.len);
}

static void add_type(h2o_req_t *req, const char *content_type)
{
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, content_type, strlen(content_type));
}

static void add_request_id(h2o_req_t *req, const struct uuid *id)
{
    char text[UUID_TEXT_BYTES];

    add(req, "x-request-id", uuid_text(id, text), UUID_TEXT_BYTES - 1);
}

static void add_rate_limit(h2o_req_t *req, const struct request *request)
{
    const char *name = request->route == ROUTE_INGEST ? "ingest" : request->route == ROUTE_PING ? "ping" : "lookup";
    char text[RATE_TEXT_BYTES];

    add(req, "ratelimit-policy", text, rate_policy_text(&request->look.rate, name, text));
    add(req, "ratelimit", text, rate_left_text(&request->look, name, text));
}

static void add_caching(h2o_req_t *req)
{
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_VARY, NULL, H2O_STRLIT("Accept"));
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CACHE_CONTROL, NULL, H2O_STRLIT("private, no-cache"));
}

static int64_t wait_s(const struct request *request, int status)
{
    if (status == 429)
        return request->look.retry_after_s;
    return status == 503 ? UNAVAILABLE_RETRY_S : 0;
}

static void add_headers(h2o_req_t *req, const struct request *request, const char *content_type)
{
    int64_t retry_after_s = wait_s(request, req->res.status);
    char text[24];
    int len;

    add_type(req, content_type);
    add_request_id(req, &request->id);
    if (request->is_limited)
        add_rate_limit(req, request);
    if (request->route == ROUTE_SPEC) /* one address, two forms, and a supplier's own */
        add_caching(req);
    if (retry_after_s > 0) {
        len = snprintf(text, sizeof text, "%lld", (long long)retry_after_s);
        add(req, "retry-after", text, (size_t)len);
    }
    if (request->allow != NULL)
        h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_ALLOW, NULL, request->allow, strlen(request->allow));
}

static const char *reason_phrase(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 201:
        return "Created";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 409:
        return "Conflict";
    case 413:
        return "Payload Too Large";
    case 415:
        return "Unsupported Media Type";
    case 422:
        return "Unprocessable Content";
    case 429:
        return "Too Many Requests";
    case 500:
        return "Internal Server Error";
    case 503:
        return "Service Unavailable";
    default:
        return "Answer";
    }
}

/* Answers ------------------------------------------------------------------------------------------------------------- */

/* The answer's head; returns the library's request. */
static h2o_req_t *begin(struct request *request, int status, const char *content_type, size_t bytes)
{
    h2o_req_t *req = request->http;

    request->on_gone = NULL;
    req->res.status = status;
    req->res.reason = reason_phrase(status);
    req->res.content_length = bytes;
    add_headers(req, request, content_type);
    if (request->is_last || req->conn->ctx->shutdown_requested)
        req->http1_is_persistent = 0;
    count_answer(request->route, status, clock_mono_ns() - request->began_ns);
    return req;
}

void reply_json(struct request *request, int status, struct span body)
{
    const char *type = status >= 400 && accepts_problem(request->accept) ? PROBLEM_TYPE : JSON_TYPE;

    h2o_send_inline(begin(request, status, type, body.len), body.ptr, body.len);
}

void reply_problem(struct request *request, const struct problem *problem)
{
    struct problem whole = *problem;
    struct buf *body = buf_new(512);
    int status = reason_http(problem->reason);

    whole.retry_after_s = wait_s(request, status);
    problem_print(&whole, &request->id, body);
    reply_json(request, status, buf_span(body));
    buf_free(&body);
}

void reply_reason(struct request *request, enum reason reason, const char *message)
{
    struct problem problem = {.reason = reason, .message = message};

    reply_problem(request, &problem);
}

void reply_wrong_field(struct request *request, const char *field, const char *code, const char *message)
{
    struct field_error error = {.field = span_of(field), .code = span_of(code), .message = span_of(message)};
    struct field_errors errors = {&error, 1};
    struct problem problem = {.reason = REASON_VALIDATION_FAILED, .errors = &errors};

    reply_problem(request, &problem);
}

void reply_page(struct request *request, struct span html)
{
    h2o_req_t *req = begin(request, 200, PAGE_TYPE, html.len);

    add(req, "content-security-policy", PAGE_POLICY, sizeof PAGE_POLICY - 1);
    add(req, "x-content-type-options", "nosniff", strlen("nosniff"));
    h2o_send_inline(req, html.ptr, html.len);
}

void reply_file(struct request *request, const char *content_type, struct span bytes)
{
    static h2o_generator_t generator = {NULL, NULL};
    h2o_req_t *req = begin(request, 200, content_type, bytes.len);
    h2o_iovec_t body = {(char *)bytes.ptr, bytes.len};
    bool is_head = h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD"));

    h2o_start_response(req, &generator);
    h2o_send(req, &body, is_head ? 0 : 1, H2O_SEND_STATE_FINAL);
}

/* The library's own errors -------------------------------------------------------------------------------------------- */

struct shaped {
    h2o_ostream_t super;
    h2o_iovec_t body;
};

/* The library writes its errors as plain text, and we never do. */
static bool is_of_library(const h2o_req_t *req)
{
    ssize_t at = req->res.status >= 400 ? h2o_find_header(&req->res.headers, H2O_TOKEN_CONTENT_TYPE, -1) : -1;

    return at != -1 && req->res.headers.entries[at].value.len >= 10 &&
           memcmp(req->res.headers.entries[at].value.base, "text/plain", 10) == 0;
}

static void send_shaped(h2o_ostream_t *super, h2o_req_t *req, h2o_iovec_t *bufs, size_t count, h2o_send_state_t state)
{
    struct shaped *shaped = (struct shaped *)super;

    (void)bufs;
    h2o_ostream_send_next(super, req, &shaped->body, count > 0 ? 1 : 0, state);
}

static void shape(h2o_req_t *req, h2o_ostream_t **slot)
{
    struct problem problem = {.reason = req->res.status == 413 ? REASON_PAYLOAD_TOO_LARGE : REASON_BAD_REQUEST};
    struct shaped *shaped = (struct shaped *)h2o_add_ostream(req, sizeof *shaped, slot);
    ssize_t accept = h2o_find_header(&req->headers, H2O_TOKEN_ACCEPT, -1);
    struct span accepted = {NULL, 0};
    struct buf *body = buf_new(512);
    struct uuid id = uuid_v7(clock_wall_ms());

    if (accept != -1)
        accepted = (struct span){req->headers.entries[accept].value.base, req->headers.entries[accept].value.len};
    problem_print(&problem, &id, body);
    shaped->super.do_send = send_shaped;
    shaped->body = h2o_strdup(&req->pool, body->data, body->len);
    req->res.status = reason_http(problem.reason);
    req->res.reason = reason_phrase(req->res.status);
    req->res.content_length = body->len;
    req->res.headers.size = 0;
    add_type(req, accepts_problem(accepted) ? PROBLEM_TYPE : JSON_TYPE);
    add_request_id(req, &id);
    count_answer(ROUTE_NONE, req->res.status, 0);
    buf_free(&body);
}

static void on_setup_ostream(h2o_filter_t *self, h2o_req_t *req, h2o_ostream_t **slot)
{
    (void)self;
    if (is_of_library(req)) {
        shape(req, slot);
        slot = &(*slot)->next;
    }
    h2o_setup_next_ostream(req, slot);
}

void reply_shape_errors(struct st_h2o_pathconf_t *path)
{
    h2o_filter_t *filter = h2o_create_filter(path, sizeof *filter);

    filter->on_setup_ostream = on_setup_ostream;
}
