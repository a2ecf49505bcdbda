#include "common/http_client.h"

#include "common/buf.h"
#include "common/cidr.h"
#include "common/clock.h"
#include "common/map.h"
#include "common/must.h"

#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/socket.h>

enum {
    LOOK_MS = 50,          /* how often the time of waiting requests is looked at */
    LEAST_MS = 10,         /* what waited until less is left is not worth sending */
    CONNECTION_S = 300,    /* an idle connection that is older is not used again: a name may have moved, a peer may be stuck */
    SILENT_MS = 20000,     /* a connection whose peer confirms nothing for so long is broken: over HTTP/2 every request would go into it */
    HEAD_BYTES = 256 * 1024, /* of all headers of an answer; curl bounds those in front of the body, but not those behind it (trailers) */
    KEPT_BODY_BYTES = 8192 /* a slot that is not in use keeps no bigger buffer */
};

/* One request with everything that it needs; its easy handle serves one request after another. */
struct slot {
    TAILQ_ENTRY(slot) link; /* in exactly one of the lists below */
    struct http_client *client;
    struct host *host; /* NULL when the request never got so far */
    CURL *easy;
    http_answer_fn *fn;
    void *ctx;
    struct buf *text;           /* url, method, header lines and body; what curl is given points into it */
    struct curl_slist *headers; /* [header_room], linked into a list by us: no allocation a header */
    size_t header_room, header_count;
    const char *url, *method;
    struct span body;
    struct buf *answer;
    size_t head_bytes; /* of the answer, so far */
    const char *error; /* of a request that failed before it was sent */
    int64_t sent_ms;   /* monotonic: when http_client_send() was called */
    int64_t began_ms;  /* monotonic: when it went out; 0: it waits */
    int timeout_ms, connect_timeout_ms;
    int own_port; /* of the connection into which it went; 0: none yet */
    bool is_taken; /* all of it had arrived there when the other side closed */
    bool is_cut, is_fresh;
    bool has_refused, has_tried; /* addresses */
};

TAILQ_HEAD(slots, slot);

/* One scheme, host and port with requests under way or waiting. */
struct host {
    TAILQ_ENTRY(host) link; /* among those whose next request may begin */
    bool is_ready;          /* is it there? */
    char *name;
    int open;
    struct slots waiting;
};

struct http_client {
    struct loop *loop;
    CURLM *multi;
    struct loop_timer *timer;      /* curl's */
    struct loop_timer *look_timer; /* set while requests wait */
    struct loop_timer *failed_timer;
    struct http_client_options options;
    char *user_agent, *ca_file;
    struct map *hosts; /* by name */
    TAILQ_HEAD(, host) ready;
    struct slots running, failed, unused;
    int open, waiting, busy;
    int depth; /* callbacks of ours that are on the stack */
    bool is_closing;
};

/* A socket that curl wants to be watched. */
struct watch {
    struct http_client *client;
    curl_socket_t fd;
    struct loop_io *io;
};

static void after_curl(struct http_client *self);

/* What curl asks of us ---------------------------------------------------------------------------------------------- */

/*
 * Who has confirmed every byte and then closes has taken the requests that are under way there. (Who had closed before, or closes
 * without reading them, resets the connection.)
 */
static void look_for_end(struct http_client *self, curl_socket_t fd)
{
    struct tcp_info info;
    struct sockaddr_in6 own; /* sockaddr_in has its port in the same place */
    socklen_t info_bytes = sizeof info, own_bytes = sizeof own;
    struct slot *slot;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &info_bytes) != 0 || info.tcpi_state != TCP_CLOSE_WAIT || info.tcpi_unacked > 0 ||
        getsockname(fd, (struct sockaddr *)(void *)&own, &own_bytes) != 0)
        return;
    TAILQ_FOREACH(slot, &self->running, link)
        if (slot->own_port == ntohs(own.sin6_port))
            slot->is_taken = true;
}

static void on_io(void *ctx, unsigned events)
{
    struct watch *watch = ctx;
    struct http_client *self = watch->client;
    int bits = (events & LOOP_READ ? CURL_CSELECT_IN : 0) | (events & LOOP_WRITE ? CURL_CSELECT_OUT : 0);
    int running;

    if (events & LOOP_READ)
        look_for_end(self, watch->fd);
    curl_multi_socket_action(self->multi, watch->fd, bits, &running); /* may free the watch */
    after_curl(self);
}

static void on_timer(void *ctx)
{
    struct http_client *self = ctx;
    int running;

    curl_multi_socket_action(self->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    after_curl(self);
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *known)
{
    struct http_client *self = ctx;
    struct watch *watch = known;
    unsigned events = (what & CURL_POLL_IN ? LOOP_READ : 0u) | (what & CURL_POLL_OUT ? LOOP_WRITE : 0u);

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watch != NULL) {
            loop_unwatch(&watch->io);
            free(watch);
            curl_multi_assign(self->multi, fd, NULL);
        }
    } else if (watch != NULL) {
        loop_set_events(watch->io, events);
    } else {
        watch = must_zalloc(sizeof *watch);
        watch->client = self;
        watch->fd = fd;
        watch->io = loop_watch(self->loop, fd, events, on_io, watch);
        curl_multi_assign(self->multi, fd, watch);
    }
    return 0;
}

static int set_timer(CURLM *multi, long timeout_ms, void *ctx)
{
    struct http_client *self = ctx;

    (void)multi;
    if (timeout_ms < 0)
        loop_timer_stop(self->timer);
    else
        loop_timer_set(self->timer, timeout_ms, 0);
    return 0;
}

/* The last moment at which the true address is known and nothing was sent to it. */
static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct slot *slot = ctx;
    uint8_t bytes[16];
    int fd;

    (void)purpose;
    if (cidr_of_socket(&address->addr, bytes) != 0 || (!slot->client->options.allows_private && cidr_is_special(bytes))) {
        slot->has_refused = true;
        return CURL_SOCKET_BAD;
    }
    slot->has_tried = true;
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
    struct slot *slot = ctx;

    (void)peer;
    (void)own;
    (void)peer_port;
    slot->own_port = own_port;
    return slot->is_taken ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *ctx)
{
    struct slot *slot = ctx;
    size_t len = size * count, room = HTTP_ANSWER_BYTES - slot->answer->len;

    buf_add(slot->answer, bytes, len < room ? len : room);
    if (len <= room)
        return len;
    slot->is_cut = true; /* enough to judge it: anything but len ends the transfer */
    return CURL_WRITEFUNC_ERROR;
}

/* Curl keeps every header for curl_easy_header(). */
static size_t count_head(char *bytes, size_t size, size_t count, void *ctx)
{
    struct slot *slot = ctx;

    (void)bytes;
    slot->head_bytes += size * count;
    return slot->head_bytes <= HEAD_BYTES ? size * count : CURL_WRITEFUNC_ERROR;
}

/* Slots and hosts --------------------------------------------------------------------------------------------------- */

#define SET(easy, option, value) must(curl_easy_setopt(easy, option, value) == CURLE_OK)

static struct slot *make_slot(struct http_client *self)
{
    struct slot *slot = must_zalloc(sizeof *slot);
    CURL *easy = curl_easy_init();

    must(easy != NULL);
    slot->client = self;
    slot->easy = easy;
    slot->text = buf_new(2048);
    slot->answer = buf_new(512);
    SET(easy, CURLOPT_PRIVATE, slot);
    SET(easy, CURLOPT_NOSIGNAL, 1L);
    SET(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    SET(easy, CURLOPT_PROXY, ""); /* also none from the environment */
    SET(easy, CURLOPT_FOLLOWLOCATION, 0L);
    SET(easy, CURLOPT_TCP_NODELAY, 1L);
    SET(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    SET(easy, CURLOPT_MAXLIFETIME_CONN, (long)CONNECTION_S);
    SET(easy, CURLOPT_QUICK_EXIT, 1L); /* never wait for a resolver's thread */
    SET(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(easy, CURLOPT_OPENSOCKETDATA, slot);
    SET(easy, CURLOPT_PREREQFUNCTION, before_request);
    SET(easy, CURLOPT_PREREQDATA, slot);
    SET(easy, CURLOPT_WRITEFUNCTION, take_body);
    SET(easy, CURLOPT_WRITEDATA, slot);
    SET(easy, CURLOPT_HEADERFUNCTION, count_head);
    SET(easy, CURLOPT_HEADERDATA, slot);
    SET(easy, CURLOPT_USERAGENT, self->user_agent);
    if (self->ca_file != NULL)
        SET(easy, CURLOPT_CAINFO, self->ca_file);
    return slot;
}

static struct slot *take_slot(struct http_client *self)
{
    struct slot *slot = TAILQ_FIRST(&self->unused);

    if (slot == NULL)
        return make_slot(self);
    TAILQ_REMOVE(&self->unused, slot, link);
    return slot;
}

static void shrink(struct buf **buf)
{
    if ((*buf)->room > KEPT_BODY_BYTES) {
        buf_free(buf);
        *buf = buf_new(KEPT_BODY_BYTES);
    }
}

static void give_back(struct slot *slot)
{
    shrink(&slot->text);
    shrink(&slot->answer);
    TAILQ_INSERT_HEAD(&slot->client->unused, slot, link);
}

static void free_slot(struct slot *slot)
{
    curl_easy_cleanup(slot->easy);
    buf_free(&slot->text);
    buf_free(&slot->answer);
    free(slot->headers);
    free(slot);
}

/* What stands before the path: "http://host:port". Who writes one host in two ways gets two queues, no harm. */
static struct span host_part(struct span url)
{
    const char *begin = memchr(url.ptr, ':', url.len); /* sendable() has seen "://" */
    size_t len = (size_t)(begin - url.ptr) + 3;

    while (len < url.len && url.ptr[len] != '/' && url.ptr[len] != '?' && url.ptr[len] != '#')
        len++;
    return (struct span){url.ptr, len};
}

static struct host *find_host(struct http_client *self, struct span name)
{
    struct host *host = map_get(self->hosts, name);

    if (host == NULL) {
        host = must_zalloc(sizeof *host);
        host->name = must_copy(name.ptr, name.len);
        TAILQ_INIT(&host->waiting);
        map_put(self->hosts, span_of(host->name), host);
    }
    return host;
}

/* Puts the host among the ready ones when its next request may begin; forgets it when it has none. */
static void settle_host(struct http_client *self, struct host *host)
{
    bool has_room = self->options.most_open_per_host == 0 || host->open < self->options.most_open_per_host;

    if (!TAILQ_EMPTY(&host->waiting)) {
        if (has_room && !host->is_ready) {
            TAILQ_INSERT_TAIL(&self->ready, host, link);
            host->is_ready = true;
        }
        return;
    }
    if (host->is_ready)
        TAILQ_REMOVE(&self->ready, host, link);
    host->is_ready = false;
    if (host->open == 0) {
        map_remove(self->hosts, span_of(host->name));
        free(host->name);
        free(host);
    }
}

/* Sending ----------------------------------------------------------------------------------------------------------- */

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
static char *keep(struct slot *slot, struct span text)
{
    char *copy = slot->text->data + slot->text->len;

    buf_add_span(slot->text, text);
    buf_add(slot->text, "", 1);
    return copy;
}

static void add_line(struct slot *slot, char *line)
{
    struct curl_slist *node = &slot->headers[slot->header_count];

    *node = (struct curl_slist){.data = line};
    if (slot->header_count++ > 0)
        node[-1].next = node;
}

static char *keep_header(struct slot *slot, const struct http_header *header)
{
    char *line = slot->text->data + slot->text->len;

    buf_add_span(slot->text, header->name);
    if (header->value.len == 0) {
        buf_add(slot->text, ";", 2); /* curl's way to write a header without value; 2: with its zero */
    } else {
        buf_add(slot->text, ": ", 2);
        keep(slot, header->value);
    }
    return line;
}

static void copy_request(struct slot *slot, const struct http_request *request)
{
    size_t bytes = request->url.len + strlen(request->method) + request->body.len + 3;
    bool has_type = false;

    for (size_t i = 0; i < request->header_count; i++)
        bytes += request->headers[i].name.len + request->headers[i].value.len + 3;
    slot->text->len = 0;
    buf_reserve(slot->text, bytes); /* all at once: nothing that curl points to moves */
    if (slot->header_room < request->header_count + 2) {
        slot->header_room = request->header_count + 2;
        slot->headers = must_realloc(slot->headers, slot->header_room * sizeof *slot->headers);
    }
    slot->url = keep(slot, request->url);
    slot->method = keep(slot, span_of(request->method));
    slot->header_count = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        add_line(slot, keep_header(slot, &request->headers[i]));
        has_type |= span_equal_nocase(request->headers[i].name, SPAN("Content-Type"));
    }
    add_line(slot, (char *)"Expect:"); /* without a value: curl must not send its own */
    if (!has_type)
        add_line(slot, (char *)"Content-Type:");
    slot->body = (struct span){keep(slot, request->body), request->body.len};
    slot->timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : 1;
    slot->connect_timeout_ms = request->connect_timeout_ms > 0 ? request->connect_timeout_ms : 0;
    slot->is_fresh = request->is_fresh;
}

static void set_method(struct slot *slot)
{
    bool is_post = strcmp(slot->method, "POST") == 0;
    bool is_get = strcmp(slot->method, "GET") == 0;
    bool has_body = slot->body.len > 0 || is_post || strcmp(slot->method, "PUT") == 0;

    if (has_body) {
        SET(slot->easy, CURLOPT_POST, 1L);
        SET(slot->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)slot->body.len);
        SET(slot->easy, CURLOPT_POSTFIELDS, slot->body.ptr);
    } else {
        SET(slot->easy, CURLOPT_HTTPGET, 1L);
        if (strcmp(slot->method, "HEAD") == 0)
            SET(slot->easy, CURLOPT_NOBODY, 1L);
    }
    SET(slot->easy, CURLOPT_CUSTOMREQUEST, (has_body ? is_post : is_get) ? NULL : slot->method);
}

/* Over TLS, HTTP/2 where the server agrees to it; whoever comes while that is not known yet waits for it, and shares the connection. */
static void set_connection(struct slot *slot)
{
    bool is_tls = strncasecmp(slot->url, "https:", 6) == 0;

    SET(slot->easy, CURLOPT_HTTP_VERSION, (long)(is_tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
    SET(slot->easy, CURLOPT_PIPEWAIT, (long)is_tls);
    SET(slot->easy, CURLOPT_FRESH_CONNECT, (long)slot->is_fresh);
}

static void begin(struct slot *slot, int64_t left_ms)
{
    struct http_client *self = slot->client;

    slot->began_ms = clock_mono_ms();
    SET(slot->easy, CURLOPT_URL, slot->url);
    SET(slot->easy, CURLOPT_HTTPHEADER, slot->headers);
    SET(slot->easy, CURLOPT_TIMEOUT_MS, (long)(left_ms > 0 ? left_ms : 1));
    SET(slot->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)slot->connect_timeout_ms);
    set_connection(slot);
    set_method(slot);
    TAILQ_INSERT_TAIL(&self->running, slot, link);
    self->open++;
    slot->host->open++;
    must(curl_multi_add_handle(self->multi, slot->easy) == CURLM_OK); /* goes on in the loop, by its timer */
}

static void fail(struct slot *slot, const char *error)
{
    slot->error = error;
    slot->host = NULL;
    TAILQ_INSERT_TAIL(&slot->client->failed, slot, link);
    if (!loop_timer_is_set(slot->client->failed_timer))
        loop_timer_set(slot->client->failed_timer, 0, 0);
}

/* Begins what may begin, one request of each ready host after another. */
static void begin_waiting(struct http_client *self)
{
    struct host *host;

    while (self->open < self->options.most_open && (host = TAILQ_FIRST(&self->ready)) != NULL) {
        struct slot *slot = TAILQ_FIRST(&host->waiting);
        int64_t left_ms = slot->sent_ms + slot->timeout_ms - clock_mono_ms();

        TAILQ_REMOVE(&self->ready, host, link);
        host->is_ready = false;
        TAILQ_REMOVE(&host->waiting, slot, link);
        self->waiting--;
        if (left_ms < LEAST_MS && left_ms < slot->timeout_ms / 2)
            fail(slot, "waiting");
        else
            begin(slot, left_ms);
        settle_host(self, host);
    }
    if (self->waiting == 0)
        loop_timer_stop(self->look_timer);
    else if (!loop_timer_is_set(self->look_timer))
        loop_timer_set(self->look_timer, LOOK_MS, LOOK_MS);
}

void http_client_send(struct http_client *self, const struct http_request *request, http_answer_fn *fn, void *ctx)
{
    struct slot *slot;

    must(!self->is_closing);
    slot = take_slot(self);
    slot->fn = fn;
    slot->ctx = ctx;
    slot->host = NULL;
    slot->error = NULL;
    slot->answer->len = 0;
    slot->head_bytes = 0;
    slot->own_port = 0;
    slot->is_taken = slot->is_cut = slot->has_refused = slot->has_tried = false;
    slot->sent_ms = clock_mono_ms();
    slot->began_ms = 0;
    self->busy++;
    if (!sendable(request)) {
        fail(slot, "bad_request");
        return;
    }
    copy_request(slot, request);
    slot->host = find_host(self, host_part(request->url));
    TAILQ_INSERT_TAIL(&slot->host->waiting, slot, link);
    self->waiting++;
    settle_host(self, slot->host);
    begin_waiting(self);
}

/* Answers ----------------------------------------------------------------------------------------------------------- */

static const char *error_word(const struct slot *slot, CURLcode code)
{
    long number = 0;

    switch ((int)code) {
    case CURLE_OK:
        return NULL;
    case CURLE_WRITE_ERROR:
        return slot->is_cut ? NULL : slot->head_bytes > HEAD_BYTES ? "bad_answer" : "failed";
    case CURLE_OPERATION_TIMEDOUT:
        return "timeout";
    case CURLE_COULDNT_CONNECT:
        if (slot->has_refused && !slot->has_tried)
            return "address_not_allowed";
        curl_easy_getinfo(slot->easy, CURLINFO_OS_ERRNO, &number);
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

/* Tells its owner. The slot stands in no list any more and may be used again afterwards. */
static void call_back(struct slot *slot, const struct http_answer *answer)
{
    slot->client->busy--;
    slot->client->depth++;
    slot->fn(slot->ctx, answer);
    slot->client->depth--;
    give_back(slot);
}

static void call_back_error(struct slot *slot, const char *error)
{
    struct http_answer answer = {.error = error};

    if (slot->began_ms != 0)
        answer.took_ms = clock_mono_ms() - slot->began_ms;
    call_back(slot, &answer);
}

/* The request is over for curl: frees its place. */
static void end(struct slot *slot)
{
    struct http_client *self = slot->client;

    curl_multi_remove_handle(self->multi, slot->easy);
    TAILQ_REMOVE(&self->running, slot, link);
    self->open--;
    slot->host->open--;
    settle_host(self, slot->host);
    slot->host = NULL;
}

static void on_done(struct slot *slot, CURLcode code)
{
    struct http_answer answer = {.error = error_word(slot, code), .is_cut = slot->is_cut};
    struct curl_header *header;
    long status = 0;

    end(slot);
    if (answer.error != NULL) {
        call_back_error(slot, answer.error);
        return;
    }
    curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status);
    answer.status = (int)status;
    answer.body = buf_span(slot->answer);
    answer.took_ms = clock_mono_ms() - slot->began_ms;
    if (curl_easy_header(slot->easy, "Retry-After", 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
        answer.retry_after = span_of(header->value);
    call_back(slot, &answer);
}

static void destroy(struct http_client *self);

/* Looks what curl has finished, and begins what waited for a place. */
static void after_curl(struct http_client *self)
{
    CURLMsg *message;
    int left;

    self->depth++;
    while (!self->is_closing && (message = curl_multi_info_read(self->multi, &left)) != NULL)
        if (message->msg == CURLMSG_DONE) {
            char *slot;

            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &slot);
            on_done((struct slot *)(void *)slot, message->data.result);
        }
    self->depth--;
    if (!self->is_closing)
        begin_waiting(self);
    else if (self->depth == 0)
        destroy(self);
}

static void tell_failed(void *ctx)
{
    struct http_client *self = ctx;
    struct slot *slot;

    self->depth++;
    while (!self->is_closing && (slot = TAILQ_FIRST(&self->failed)) != NULL) {
        TAILQ_REMOVE(&self->failed, slot, link);
        call_back_error(slot, slot->error);
    }
    self->depth--;
    if (self->is_closing && self->depth == 0)
        destroy(self);
}

/* Gives up those that waited until their time ran out. */
static void look_at_waiting(void *ctx)
{
    struct http_client *self = ctx;
    int64_t now_ms = clock_mono_ms();
    struct slots late = TAILQ_HEAD_INITIALIZER(late);
    struct slot *slot, *next;
    struct host *host;
    size_t at = 0;

    while ((host = map_next(self->hosts, &at)) != NULL)
        for (slot = TAILQ_FIRST(&host->waiting); slot != NULL; slot = next) {
            next = TAILQ_NEXT(slot, link);
            if (now_ms - slot->sent_ms < slot->timeout_ms)
                continue;
            TAILQ_REMOVE(&host->waiting, slot, link);
            TAILQ_INSERT_TAIL(&late, slot, link);
            host->open++; /* keeps it for the moment: a host without requests is forgotten, and this walk is under way */
            self->waiting--;
        }
    while ((slot = TAILQ_FIRST(&late)) != NULL) {
        TAILQ_REMOVE(&late, slot, link);
        slot->host->open--;
        settle_host(self, slot->host);
        fail(slot, "waiting");
    }
    begin_waiting(self);
}

/* Opening and closing ----------------------------------------------------------------------------------------------- */

struct http_client *http_client_open(struct loop *loop, const struct http_client_options *options)
{
    static bool is_ready;
    struct http_client *self = must_zalloc(sizeof *self);
    const char *agent = options->user_agent != NULL ? options->user_agent : "Leadline/" LEADLINE_VERSION;

    if (!is_ready)
        must(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    is_ready = true;
    self->loop = loop;
    self->options = *options;
    must(options->most_open > 0 && options->most_open_per_host >= 0);
    self->user_agent = must_copy(agent, strlen(agent));
    self->ca_file = options->ca_file != NULL ? must_copy(options->ca_file, strlen(options->ca_file)) : NULL;
    self->hosts = map_new();
    TAILQ_INIT(&self->ready);
    TAILQ_INIT(&self->running);
    TAILQ_INIT(&self->failed);
    TAILQ_INIT(&self->unused);
    self->timer = loop_timer_new(loop, on_timer, self);
    self->look_timer = loop_timer_new(loop, look_at_waiting, self);
    self->failed_timer = loop_timer_new(loop, tell_failed, self);
    self->multi = curl_multi_init();
    must(self->multi != NULL);
    curl_multi_setopt(self->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(self->multi, CURLMOPT_SOCKETDATA, self);
    curl_multi_setopt(self->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(self->multi, CURLMOPT_TIMERDATA, self);
    curl_multi_setopt(self->multi, CURLMOPT_MAXCONNECTS, (long)options->most_open); /* kept alive; the other limits are ours */
    return self;
}

static void destroy(struct http_client *self)
{
    struct slot *slot;

    curl_multi_cleanup(self->multi); /* closes the pool's connections */
    while ((slot = TAILQ_FIRST(&self->unused)) != NULL) {
        TAILQ_REMOVE(&self->unused, slot, link);
        free_slot(slot);
    }
    loop_timer_free(&self->timer);
    loop_timer_free(&self->look_timer);
    loop_timer_free(&self->failed_timer);
    map_free(&self->hosts);
    free(self->user_agent);
    free(self->ca_file);
    free(self);
}

/* A host that still has waiting requests, or NULL. */
static struct host *waiting_host(const struct http_client *self)
{
    struct host *host;
    size_t at = 0;

    while ((host = map_next(self->hosts, &at)) != NULL)
        if (!TAILQ_EMPTY(&host->waiting))
            break;
    return host;
}

void http_client_close(struct http_client **client)
{
    struct http_client *self = *client;
    struct slot *slot;
    struct host *host;

    if (self == NULL)
        return;
    *client = NULL;
    self->is_closing = true;
    self->depth++;
    while ((slot = TAILQ_FIRST(&self->running)) != NULL) {
        end(slot);
        call_back_error(slot, "closing");
    }
    while ((host = waiting_host(self)) != NULL) {
        slot = TAILQ_FIRST(&host->waiting);
        TAILQ_REMOVE(&host->waiting, slot, link);
        settle_host(self, host);
        call_back_error(slot, "closing");
    }
    while ((slot = TAILQ_FIRST(&self->failed)) != NULL) {
        TAILQ_REMOVE(&self->failed, slot, link);
        call_back_error(slot, "closing");
    }
    if (--self->depth == 0)
        destroy(self); /* else whoever called the callback from which we come */
}

int http_client_busy(const struct http_client *client)
{
    return client->busy;
}
