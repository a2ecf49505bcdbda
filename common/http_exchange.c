#include "common/http_exchange.h"

#include "common/cidr.h"
#include "common/must.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

enum {
    CONNECTION_S = 300,    /* an idle connection that is older is not used again: a name may have moved, a peer may be stuck */
    SILENT_MS = 20000,     /* a connection whose peer confirms nothing for so long is broken: over HTTP/2 every request would go into it */
    HEAD_BYTES = 256 * 1024, /* of all headers of an answer; curl bounds those in front of the body, but not those behind it (trailers) */
    KEPT_BODY_BYTES = 8192, /* one that is not in use keeps no bigger buffer */
};

/* What curl asks of us ---------------------------------------------------------------------------------------------- */

/* The last moment at which the true address is known and nothing was sent to it. */
static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct exchange *exchange = ctx;
    uint8_t bytes[16];
    int fd;

    (void)purpose;
    if (cidr_of_socket(&address->addr, bytes) != 0 || (!exchange->allows_private && cidr_is_special(bytes))) {
        exchange->has_refused = true;
        return CURL_SOCKET_BAD;
    }
    exchange->has_tried = true;
    fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &(unsigned){SILENT_MS}, sizeof(unsigned));
    return fd;
}

/*
 * A request goes into a connection. When that was a kept one and ends without an answer, curl sends the request again into another;
 * but what the first has taken may be at work there.
 */
static int before_request(void *ctx, char *peer, char *own, int peer_port, int own_port)
{
    struct exchange *exchange = ctx;

    (void)peer;
    (void)own;
    (void)peer_port;
    exchange->own_port = own_port;
    return exchange->is_taken ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *ctx)
{
    struct exchange *exchange = ctx;
    size_t len = size * count, room = HTTP_ANSWER_BYTES - exchange->answer->len;

    buf_add(exchange->answer, bytes, len < room ? len : room);
    if (len <= room)
        return len;
    exchange->is_cut = true; /* enough to judge it: anything but len ends the transfer */
    return CURL_WRITEFUNC_ERROR;
}

/* Curl keeps every header for curl_easy_header(). */
static size_t count_head(char *bytes, size_t size, size_t count, void *ctx)
{
    struct exchange *exchange = ctx;

    (void)bytes;
    exchange->head_bytes += size * count;
    return exchange->head_bytes <= HEAD_BYTES ? size * count : CURL_WRITEFUNC_ERROR;
}

/* Opening and closing ----------------------------------------------------------------------------------------------- */

#define SET(easy, option, value) must(curl_easy_setopt(easy, option, value) == CURLE_OK)

struct exchange *exchange_open(void *owner, const struct http_client_options *options)
{
    struct exchange *exchange = must_zalloc(sizeof *exchange);
    CURL *easy = curl_easy_init();

    must(easy != NULL);
    exchange->allows_private = options->allows_private;
    exchange->easy = easy;
    exchange->text = buf_new(2048);
    exchange->answer = buf_new(512);
    SET(easy, CURLOPT_PRIVATE, owner);
    SET(easy, CURLOPT_NOSIGNAL, 1L);
    SET(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    SET(easy, CURLOPT_PROXY, ""); /* also none from the environment */
    SET(easy, CURLOPT_FOLLOWLOCATION, 0L);
    SET(easy, CURLOPT_TCP_NODELAY, 1L);
    SET(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    SET(easy, CURLOPT_MAXLIFETIME_CONN, (long)CONNECTION_S);
    SET(easy, CURLOPT_QUICK_EXIT, 1L); /* never wait for a resolver's thread */
    SET(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(easy, CURLOPT_OPENSOCKETDATA, exchange);
    SET(easy, CURLOPT_PREREQFUNCTION, before_request);
    SET(easy, CURLOPT_PREREQDATA, exchange);
    SET(easy, CURLOPT_WRITEFUNCTION, take_body);
    SET(easy, CURLOPT_WRITEDATA, exchange);
    SET(easy, CURLOPT_HEADERFUNCTION, count_head);
    SET(easy, CURLOPT_HEADERDATA, exchange);
    SET(easy, CURLOPT_USERAGENT, options->user_agent);
    if (options->ca_file != NULL)
        SET(easy, CURLOPT_CAINFO, options->ca_file);
    return exchange;
}

void exchange_close(struct exchange **exchange)
{
    if (*exchange == NULL)
        return;
    curl_easy_cleanup((*exchange)->easy);
    buf_free(&(*exchange)->text);
    buf_free(&(*exchange)->answer);
    free((*exchange)->headers);
    free(*exchange);
    *exchange = NULL;
}

void *exchange_owner(CURL *easy)
{
    char *owner;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &owner);
    return owner;
}

static void shrink(struct buf **buf)
{
    if ((*buf)->room > KEPT_BODY_BYTES) {
        buf_free(buf);
        *buf = buf_new(KEPT_BODY_BYTES);
    }
}

void exchange_shrink(struct exchange *exchange)
{
    shrink(&exchange->text);
    shrink(&exchange->answer);
}

/* The request --------------------------------------------------------------------------------------------------------- */

static bool is_token(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (c <= 0x20 || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c) != NULL)
            return false;
    }
    return text.len > 0;
}

bool http_header_is_good(const struct http_header *header)
{
    static const char *const ours[] = {"Content-Length", "Transfer-Encoding", "Connection", "Expect", "Upgrade", "TE", "Trailer"};

    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        if (span_equal_nocase(header->name, span_of(ours[i])))
            return false;
    for (size_t i = 0; i < header->value.len; i++) {
        unsigned char c = (unsigned char)header->value.ptr[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return is_token(header->name);
}

static bool sendable(const struct http_request *request)
{
    struct span url = request->url;

    if (!is_token(span_of(request->method)))
        return false;
    for (size_t i = 0; i < url.len; i++)
        if ((unsigned char)url.ptr[i] <= 0x20 || url.ptr[i] == 0x7f)
            return false;
    for (size_t i = 0; i < request->header_count; i++)
        if (!http_header_is_good(&request->headers[i]))
            return false;
    return (url.len > 7 && strncasecmp(url.ptr, "http://", 7) == 0) || (url.len > 8 && strncasecmp(url.ptr, "https://", 8) == 0);
}

/* Writes text and a zero behind what the slot's text holds, where there is room for it already. */
static char *keep(struct exchange *exchange, struct span text)
{
    char *copy = exchange->text->data + exchange->text->len;

    buf_add_span(exchange->text, text);
    buf_add(exchange->text, "", 1);
    return copy;
}

static void add_line(struct exchange *exchange, char *line)
{
    struct curl_slist *node = &exchange->headers[exchange->header_count];

    *node = (struct curl_slist){.data = line};
    if (exchange->header_count++ > 0)
        node[-1].next = node;
}

static char *keep_header(struct exchange *exchange, const struct http_header *header)
{
    char *line = exchange->text->data + exchange->text->len;

    buf_add_span(exchange->text, header->name);
    if (header->value.len == 0) {
        buf_add(exchange->text, ";", 2); /* curl's way to write a header without value; 2: with its zero */
    } else {
        buf_add(exchange->text, ": ", 2);
        keep(exchange, header->value);
    }
    return line;
}

static void copy_request(struct exchange *exchange, const struct http_request *request)
{
    size_t bytes = request->url.len + strlen(request->method) + request->body.len + 3;
    bool has_type = false;

    for (size_t i = 0; i < request->header_count; i++)
        bytes += request->headers[i].name.len + request->headers[i].value.len + 3;
    exchange->text->len = 0;
    buf_reserve(exchange->text, bytes); /* all at once: nothing that curl points to moves */
    if (exchange->header_room < request->header_count + 2) {
        exchange->header_room = request->header_count + 2;
        exchange->headers = must_realloc(exchange->headers, exchange->header_room * sizeof *exchange->headers);
    }
    exchange->url = keep(exchange, request->url);
    exchange->method = keep(exchange, span_of(request->method));
    exchange->header_count = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        add_line(exchange, keep_header(exchange, &request->headers[i]));
        has_type |= span_equal_nocase(request->headers[i].name, SPAN("Content-Type"));
    }
    add_line(exchange, (char *)"Expect:"); /* without a value: curl must not send its own */
    if (!has_type)
        add_line(exchange, (char *)"Content-Type:");
    exchange->body = (struct span){keep(exchange, request->body), request->body.len};
    exchange->timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : 1;
    exchange->connect_timeout_ms = request->connect_timeout_ms > 0 ? request->connect_timeout_ms : 0;
    exchange->is_fresh = request->is_fresh;
}

static void set_method(struct exchange *exchange)
{
    bool is_post = strcmp(exchange->method, "POST") == 0;
    bool is_get = strcmp(exchange->method, "GET") == 0;
    bool has_body = exchange->body.len > 0 || is_post || strcmp(exchange->method, "PUT") == 0;

    if (has_body) {
        SET(exchange->easy, CURLOPT_POST, 1L);
        SET(exchange->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)exchange->body.len);
        SET(exchange->easy, CURLOPT_POSTFIELDS, exchange->body.ptr);
    } else {
        SET(exchange->easy, CURLOPT_HTTPGET, 1L);
        if (strcmp(exchange->method, "HEAD") == 0)
            SET(exchange->easy, CURLOPT_NOBODY, 1L);
    }
    SET(exchange->easy, CURLOPT_CUSTOMREQUEST, (has_body ? is_post : is_get) ? NULL : exchange->method);
}

/* Over TLS, HTTP/2 where the server agrees to it; whoever comes while that is not known yet waits for it, and shares the connection. */
static void set_connection(struct exchange *exchange)
{
    bool is_tls = strncasecmp(exchange->url, "https:", 6) == 0;

    SET(exchange->easy, CURLOPT_HTTP_VERSION, (long)(is_tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
    SET(exchange->easy, CURLOPT_PIPEWAIT, (long)is_tls);
    SET(exchange->easy, CURLOPT_FRESH_CONNECT, (long)exchange->is_fresh);
}

bool exchange_take(struct exchange *exchange, const struct http_request *request)
{
    exchange->answer->len = 0;
    exchange->head_bytes = 0;
    exchange->own_port = 0;
    exchange->is_taken = exchange->is_cut = exchange->has_refused = exchange->has_tried = false;
    if (!sendable(request))
        return false;
    copy_request(exchange, request);
    return true;
}

struct span exchange_host(const struct exchange *exchange)
{
    const char *begin = strstr(exchange->url, "://") + 3; /* sendable() has seen it */

    return (struct span){exchange->url, (size_t)(begin - exchange->url) + strcspn(begin, "/?#")};
}

void exchange_begin(struct exchange *exchange, int64_t left_ms)
{
    SET(exchange->easy, CURLOPT_URL, exchange->url);
    SET(exchange->easy, CURLOPT_HTTPHEADER, exchange->headers);
    SET(exchange->easy, CURLOPT_TIMEOUT_MS, (long)(left_ms > 0 ? left_ms : 1));
    SET(exchange->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)exchange->connect_timeout_ms);
    set_connection(exchange);
    set_method(exchange);
}

/* The answer -------------------------------------------------------------------------------------------------------- */

const char *exchange_error(const struct exchange *exchange, CURLcode code)
{
    long number = 0;

    switch ((int)code) {
    case CURLE_OK:
        return NULL;
    case CURLE_WRITE_ERROR:
        return exchange->is_cut ? NULL : exchange->head_bytes > HEAD_BYTES ? "bad_answer" : "failed";
    case CURLE_OPERATION_TIMEDOUT:
        return "timeout";
    case CURLE_COULDNT_CONNECT:
        if (exchange->has_refused && !exchange->has_tried)
            return "address_not_allowed";
        curl_easy_getinfo(exchange->easy, CURLINFO_OS_ERRNO, &number);
        return number == ECONNREFUSED ? "refused" : number == ETIMEDOUT ? "timeout" : "unreachable";
    case CURLE_COULDNT_RESOLVE_HOST:
        return "dns";
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CLIENTCERT:
        return "tls";
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_HTTP2_STREAM:
    case CURLE_ABORTED_BY_CALLBACK: /* before_request() */
        return "reset";
    case CURLE_PARTIAL_FILE:
        return "incomplete";
    case CURLE_URL_MALFORMAT:
        return "bad_request";
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_HTTP2:
    case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9, or no HTTP at all */
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_OUT_OF_MEMORY: /* too many or too long headers */
        return "bad_answer";
    default:
        return "failed";
    }
}

void exchange_read(const struct exchange *exchange, struct http_answer *answer)
{
    struct curl_header *header;
    long status = 0;

    curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
    answer->status = (int)status;
    answer->body = buf_span(exchange->answer);
    answer->is_cut = exchange->is_cut;
    if (curl_easy_header(exchange->easy, "Retry-After", 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
        answer->retry_after = span_of(header->value);
}
