/* test_http_client.c - common/http_client.c against a server, in a child process, that behaves as its path says. */
#include "common/http_client.h"

#include "common/buf.h"
#include "common/clock.h"
#include "common/must.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

/* The server --------------------------------------------------------------------------------------------------------- */

static int listener;
static unsigned port;
static pid_t server;
static int concurrent, connections, taken; /* in the child, by __atomic */

static void say(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t part = send(fd, bytes, len, MSG_NOSIGNAL);

        if (part <= 0)
            return;
        bytes += part;
        len -= (size_t)part;
    }
}

#define SAY(fd, literal) say(fd, literal, sizeof(literal) - 1)

static void answer(int fd, const char *head, const char *body, size_t len)
{
    char text[400];

    say(fd, text, (size_t)snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n", head, len));
    say(fd, body, len);
}

static void drop(int fd)
{
    struct linger now = {.l_onoff = 1};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

/* Answers one request; false when the connection ends with it. */
static bool behave(int fd, const char *path, const char *request, size_t request_len, int connection)
{
    static char much[200000];
    char text[64];

    memset(much, 'x', sizeof much);
    if (strcmp(path, "/ok") == 0) {
        answer(fd, "200 OK", "hello", 5);
    } else if (strcmp(path, "/echo") == 0) {
        answer(fd, "200 OK", request, request_len);
    } else if (strcmp(path, "/connection") == 0) {
        answer(fd, "200 OK", text, (size_t)snprintf(text, sizeof text, "%d", connection));
    } else if (strcmp(path, "/concurrent") == 0) {
        int now = __atomic_add_fetch(&concurrent, 1, __ATOMIC_SEQ_CST);

        usleep(20000);
        __atomic_sub_fetch(&concurrent, 1, __ATOMIC_SEQ_CST);
        answer(fd, "200 OK", text, (size_t)snprintf(text, sizeof text, "%d", now));
    } else if (strcmp(path, "/take") == 0) {
        __atomic_add_fetch(&taken, 1, __ATOMIC_SEQ_CST);
        return false;
    } else if (strcmp(path, "/taken") == 0) {
        answer(fd, "200 OK", text, (size_t)snprintf(text, sizeof text, "%d", __atomic_load_n(&taken, __ATOMIC_SEQ_CST)));
    } else if (strcmp(path, "/empty") == 0) {
        SAY(fd, "HTTP/1.1 204 No Content\r\n\r\n");
    } else if (strcmp(path, "/chunked") == 0) {
        SAY(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    } else if (strcmp(path, "/busy") == 0) {
        answer(fd, "503 Busy\r\nretry-after: 120", "later", 5);
    } else if (strcmp(path, "/redirect") == 0) {
        answer(fd, "302 Found\r\nLocation: /ok", "", 0);
    } else if (strcmp(path, "/exact") == 0) {
        answer(fd, "200 OK", much, HTTP_ANSWER_BYTES);
    } else if (strcmp(path, "/more") == 0) {
        answer(fd, "200 OK", much, sizeof much);
    } else if (strcmp(path, "/flood") == 0) {
        SAY(fd, "HTTP/1.1 200 OK\r\n\r\n");
        for (int i = 0; i < 1000; i++)
            say(fd, much, sizeof much);
        return false;
    } else if (strcmp(path, "/gone") == 0) {
        answer(fd, "410 Gone\r\nConnection: close", "", 0);
        return false;
    } else if (strcmp(path, "/hang") == 0) {
        pause();
    } else if (strcmp(path, "/stall") == 0) {
        SAY(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        pause();
    } else if (strcmp(path, "/drip") == 0) {
        SAY(fd, "HTTP/1.1 200 OK\r\n\r\n");
        for (int i = 0; i < 600; i++, usleep(50000))
            SAY(fd, "x");
        return false;
    } else if (strcmp(path, "/drip-headers") == 0) {
        SAY(fd, "HTTP/1.1 200 OK\r\nX-Slow: ");
        for (int i = 0; i < 600; i++, usleep(50000))
            SAY(fd, "x");
        return false;
    } else if (strcmp(path, "/short") == 0) {
        SAY(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        return false;
    } else if (strcmp(path, "/close") == 0) {
        return false;
    } else if (strcmp(path, "/reset") == 0) {
        drop(fd);
        return false;
    } else if (strcmp(path, "/half-reset") == 0) {
        SAY(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        usleep(20000);
        drop(fd);
        return false;
    } else if (strcmp(path, "/garbage") == 0) {
        SAY(fd, "this is not the protocol that you are looking for\r\n\r\n");
        return false;
    } else if (strcmp(path, "/headers") == 0) {
        SAY(fd, "HTTP/1.1 200 OK\r\n");
        for (int i = 0; i < 10000; i++)
            SAY(fd, "X-Flood: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n");
        return false;
    } else if (strcmp(path, "/trailers") == 0) {
        SAY(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n");
        for (int i = 0; i < 10000; i++)
            SAY(fd, "X-Flood: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n");
        SAY(fd, "\r\n");
    } else {
        answer(fd, "404 Not Found", "", 0);
    }
    return true;
}

static void *serve(void *arg)
{
    int fd = (int)(intptr_t)arg, connection = __atomic_add_fetch(&connections, 1, __ATOMIC_SEQ_CST);
    char *text = malloc(200000);
    size_t used = 0;

    must(text != NULL);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    for (;;) {
        ssize_t len = recv(fd, text + used, 199999 - used, 0);
        char *head_end, *length, path[64];
        size_t whole;

        if (len <= 0)
            break;
        used += (size_t)len;
        text[used] = '\0';
        head_end = strstr(text, "\r\n\r\n");
        if (head_end == NULL)
            continue;
        length = strcasestr(text, "\r\nContent-Length:");
        whole = (size_t)(head_end + 4 - text) + (length != NULL && length < head_end ? strtoul(length + 17, NULL, 10) : 0);
        if (used < whole)
            continue;
        if (sscanf(text, "%*s %63s", path) != 1 || !behave(fd, path, text, whole, connection))
            break;
        used = 0;
    }
    free(text);
    close(fd);
    return NULL;
}

static int start_server(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    must(listener >= 0 && bind(listener, (struct sockaddr *)&address, len) == 0 && listen(listener, 512) == 0);
    must(getsockname(listener, (struct sockaddr *)&address, &len) == 0);
    port = ntohs(address.sin_port);
    server = fork();
    must(server >= 0);
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            int fd = accept(listener, NULL, NULL);
            pthread_t thread;

            if (fd >= 0 && pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) == 0)
                pthread_detach(thread);
        }
    }
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    kill(server, SIGKILL);
    close(listener);
    return waitpid(server, NULL, 0) == server ? 0 : -1;
}

/* What came back ------------------------------------------------------------------------------------------------------ */

struct result {
    int calls, status;
    char error[32], retry_after[32];
    struct buf *body;
    bool is_cut;
    int64_t took_ms;
    int *left; /* counted down */
};

static struct loop *loop;
static struct http_client *client;

static void on_answer(void *ctx, const struct http_answer *got)
{
    struct result *result = ctx;

    result->calls++;
    result->status = got->status;
    snprintf(result->error, sizeof result->error, "%s", got->error != NULL ? got->error : "");
    snprintf(result->retry_after, sizeof result->retry_after, "%.*s", SPAN_FMT(got->retry_after));
    result->body = buf_new(got->body.len);
    buf_add_span(result->body, got->body);
    result->is_cut = got->is_cut;
    result->took_ms = got->took_ms;
    --*result->left;
}

static int left;

static void send_to(const char *url, struct result *result, int timeout_ms)
{
    struct http_request request = {.url = span_of(url), .method = "POST", .body = SPAN("{\"x\":1}"),
        .timeout_ms = timeout_ms, .connect_timeout_ms = timeout_ms};

    *result = (struct result){.left = &left};
    left++;
    http_client_send(client, &request, on_answer, result);
    assert_int_equal(result->calls, 0); /* never from within */
}

static void send_path(const char *path, struct result *result, int timeout_ms)
{
    char url[200];

    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", port, path);
    send_to(url, result, timeout_ms);
}

static void wait_for_all(void)
{
    int64_t until_ms = clock_mono_ms() + 20000;

    while (left > 0) {
        if (clock_mono_ms() > until_ms)
            fail_msg("%d answers are missing", left);
        loop_turn(loop, 100);
    }
}

static int open_client(void **state)
{
    struct http_client_options options = {.most_open = 64, .most_open_per_host = 32, .allows_private = true};

    (void)state;
    loop = loop_new();
    client = http_client_open(loop, &options);
    left = 0;
    return 0;
}

static int close_client(void **state)
{
    (void)state;
    http_client_close(&client);
    loop_free(&loop);
    return 0;
}

static void reopen(int most_open, int per_host, bool allows_private)
{
    struct http_client_options options = {.most_open = most_open, .most_open_per_host = per_host,
        .allows_private = allows_private};

    http_client_close(&client);
    client = http_client_open(loop, &options);
}

/* Tests --------------------------------------------------------------------------------------------------------------- */

static void answers(void **state)
{
    static const struct { const char *claim, *path; int status; const char *error; int bytes; bool is_cut; } rows[] = {
        {"an answer", "/ok", 200, "", 5, false},
        {"an answer without body", "/empty", 204, "", 0, false},
        {"chunks", "/chunked", 200, "", 5, false},
        {"not found", "/nowhere", 404, "", 0, false},
        {"gone, and the connection too", "/gone", 410, "", 0, false},
        {"a redirect is not followed", "/redirect", 302, "", 0, false},
        {"as much as is read", "/exact", 200, "", 65536, false},
        {"more than is read", "/more", 200, "", 65536, true},
        {"a flood without end", "/flood", 200, "", 65536, true},
        {"silence", "/hang", 0, "timeout", 0, false},
        {"silence in the middle", "/stall", 0, "timeout", 0, false},
        {"a byte now and then", "/drip", 0, "timeout", 0, false},
        {"headers a byte at a time", "/drip-headers", 0, "timeout", 0, false},
        {"less than announced", "/short", 0, "incomplete", 0, false},
        {"closed without a word", "/close", 0, "reset", 0, false},
        {"reset", "/reset", 0, "reset", 0, false},
        {"reset in the middle", "/half-reset", 0, "reset", 0, false},
        {"another protocol", "/garbage", 0, "bad_answer", 0, false},
    };
    struct result results[COUNT(rows)];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) /* all at once: none disturbs another */
        send_path(rows[i].path, &results[i], 1500);
    assert_int_equal(http_client_busy(client), COUNT(rows));
    wait_for_all();
    assert_int_equal(http_client_busy(client), 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct result *got = &results[i];

        if (got->calls != 1 || got->status != rows[i].status || strcmp(got->error, rows[i].error) != 0 ||
            got->body->len != (size_t)rows[i].bytes || got->is_cut != rows[i].is_cut)
            fail_msg("%s: %d calls, status %d, error %s, %zu bytes, cut %d", rows[i].claim, got->calls, got->status,
                got->error,
                     got->body->len, got->is_cut);
        if (strcmp(got->error, "timeout") == 0)
            assert_in_range(got->took_ms, 1400, 3000);
        buf_free(&got->body);
    }
}

/* Also behind a body that is whole: whatever comes as headers would be kept in memory. */
static void a_header_flood_ends(void **state)
{
    static const char *const paths[] = {"/headers", "/trailers"};

    (void)state;
    for (size_t i = 0; i < COUNT(paths); i++) {
        struct result result;

        send_path(paths[i], &result, 5000);
        wait_for_all();
        assert_int_equal(result.status, 0);
        if (strcmp(result.error, "bad_answer") != 0 && strcmp(result.error, "reset") != 0)
            fail_msg("%s: %s", paths[i], result.error);
        buf_free(&result.body);
    }
}

static void retry_after(void **state)
{
    struct result result, other;

    (void)state;
    send_path("/busy", &result, 2000);
    wait_for_all();
    assert_int_equal(result.status, 503);
    assert_string_equal(result.retry_after, "120");
    assert_string_equal(buf_text(result.body), "later");
    send_path("/ok", &other, 2000); /* the same slot: nothing of the last answer is left */
    wait_for_all();
    assert_string_equal(other.retry_after, "");
    assert_string_equal(buf_text(other.body), "hello");
    buf_free(&result.body);
    buf_free(&other.body);
}

static void what_is_sent(void **state)
{
    static const struct { const char *claim, *method; struct http_header headers[3]; size_t count; struct span body;
        const char *first, *last; } rows[] = {
        {"a webhook", "POST", {{SPAN("Content-Type"), SPAN("application/json")}, {SPAN("webhook-id"), SPAN("msg_1")},
            {SPAN("x-empty"), SPAN("")}}, 3,
         SPAN("{\"a\":1}"), "POST /echo HTTP/1.1\r\n", "\r\n\r\n{\"a\":1}"},
        {"a look", "GET", {{SPAN("webhook-id"), SPAN("msg_1")}}, 1, {NULL, 0}, "GET /echo HTTP/1.1\r\n", "\r\n\r\n"},
        {"another method with a body", "PUT", {{SPAN("webhook-id"), SPAN("msg_1")}}, 1, SPAN("abc"),
            "PUT /echo HTTP/1.1\r\n", "\r\n\r\nabc"},
        {"without a body", "DELETE", {{SPAN("webhook-id"), SPAN("msg_1")}}, 1, {NULL, 0}, "DELETE /echo HTTP/1.1\r\n",
            "\r\n\r\n"},
        {"a post without body", "POST", {{SPAN("webhook-id"), SPAN("msg_1")}}, 1, {NULL, 0},
            "POST /echo HTTP/1.1\r\n", "\r\n\r\n"},
        {"and again the first", "POST", {{SPAN("webhook-id"), SPAN("msg_1")}}, 1, SPAN("xyz"),
            "POST /echo HTTP/1.1\r\n", "\r\n\r\nxyz"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) { /* one after another: one slot does all */
        char url[100];
        struct result result = {.left = &left};
        struct http_request request = {.method = rows[i].method, .headers = rows[i].headers,
            .header_count = rows[i].count, .body = rows[i].body, .timeout_ms = 2000};
        const char *text;

        snprintf(url, sizeof url, "http://127.0.0.1:%u/echo", port);
        request.url = span_of(url);
        left = 1;
        http_client_send(client, &request, on_answer, &result);
        memset(url, 'x', sizeof url); /* it was copied */
        wait_for_all();
        text = buf_text(result.body);
        if (strncmp(text, rows[i].first, strlen(rows[i].first)) != 0 || strlen(text) < strlen(rows[i].last) ||
            strcmp(text + strlen(text) - strlen(rows[i].last), rows[i].last) != 0 || strstr(text,
                "\r\nwebhook-id: msg_1\r\n") == NULL ||
            strstr(text, "\r\nUser-Agent: Leadline/") == NULL || strstr(text, "Expect:") != NULL)
            fail_msg("%s: sent\n%s", rows[i].claim, text);
        if ((strstr(text, "\r\nContent-Type: application/json\r\n") != NULL) != (i == 0) || (strstr(text,
            "\r\nx-empty:\r\n") != NULL) != (i == 0))
            fail_msg("%s: sent\n%s", rows[i].claim, text);
        if (i > 0 && strstr(text, "Content-Type") != NULL)
            fail_msg("%s: sent\n%s", rows[i].claim, text);
        buf_free(&result.body);
    }
}

static void a_big_body(void **state)
{
    char *text = must_alloc(150000);
    struct result result = {.left = &left};
    struct http_request request = {.method = "POST", .timeout_ms = 5000};
    char url[100];

    (void)state;
    memset(text, 'b', 150000);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/echo", port);
    request.url = span_of(url);
    request.body = (struct span){text, 150000};
    left = 1;
    http_client_send(client, &request, on_answer, &result);
    memset(text, 'x', 150000);
    wait_for_all();
    assert_int_equal(result.status, 200);
    assert_non_null(strstr(buf_text(result.body), "\r\n\r\nbbbbbbbbbb"));
    buf_free(&result.body);
    free(text);
}

static void bad_requests(void **state)
{
    static const struct { const char *claim; struct span url; const char *method; struct http_header header; } rows[] = {
        {"another scheme", SPAN("ftp://127.0.0.1/"), "POST", {SPAN("a"), SPAN("b")}},
        {"a file", SPAN("file:///etc/passwd"), "POST", {SPAN("a"), SPAN("b")}},
        {"no scheme", SPAN("127.0.0.1/ok"), "POST", {SPAN("a"), SPAN("b")}},
        {"no host", SPAN("http://"), "POST", {SPAN("a"), SPAN("b")}},
        {"nothing", {NULL, 0}, "POST", {SPAN("a"), SPAN("b")}},
        {"a blank in it", SPAN("http://127.0.0.1/o k"), "POST", {SPAN("a"), SPAN("b")}},
        {"a line break in it", SPAN("http://127.0.0.1/\r\nX: y"), "POST", {SPAN("a"), SPAN("b")}},
        {"NUL in it", SPAN("http://127.0.0.1/\0x"), "POST", {SPAN("a"), SPAN("b")}},
        {"a port that is none", SPAN("http://127.0.0.1:99999/"), "POST", {SPAN("a"), SPAN("b")}},
        {"a method that is none", SPAN("http://127.0.0.1/"), "PO ST", {SPAN("a"), SPAN("b")}},
        {"a header smuggled in", SPAN("http://127.0.0.1/"), "POST", {SPAN("a"), SPAN("b\r\nX: y")}},
        {"a header's name with a colon", SPAN("http://127.0.0.1/"), "POST", {SPAN("a: b"), SPAN("c")}},
        {"a header without name", SPAN("http://127.0.0.1/"), "POST", {SPAN(""), SPAN("c")}},
        {"a length of one's own", SPAN("http://127.0.0.1/"), "POST", {SPAN("content-length"), SPAN("3")}},
        {"an encoding of one's own", SPAN("http://127.0.0.1/"), "POST", {SPAN("Transfer-Encoding"), SPAN("chunked")}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct result result = {.left = &left};
        struct http_request request = {.url = rows[i].url, .method = rows[i].method, .headers = &rows[i].header,
            .header_count = 1, .timeout_ms = 2000};

        left = 1;
        http_client_send(client, &request, on_answer, &result);
        assert_int_equal(result.calls, 0);
        wait_for_all();
        if (strcmp(result.error, "bad_request") != 0)
            fail_msg("%s: status %d, error %s", rows[i].claim, result.status, result.error);
        buf_free(&result.body);
    }
}

static void private_addresses(void **state)
{
    static const struct { const char *claim, *host; } rows[] = {
        {"loopback", "127.0.0.1"}, {"by name", "localhost"}, {"IPv6", "[::1]"}, {"mapped", "[::ffff:127.0.0.1]"},
            {"as one number", "2130706433"},
        {"as octal", "0177.0.0.1"}, {"this host", "0.0.0.0"}, {"metadata", "169.254.169.254"}, {"private",
            "10.0.0.1"}, {"short", "127.1"},
    };

    (void)state;
    reopen(16, 0, false);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct result result;
        char url[100];

        snprintf(url, sizeof url, "http://%s:%u/ok", rows[i].host, port);
        send_to(url, &result, 2000);
        wait_for_all();
        if (strcmp(result.error, "address_not_allowed") != 0 || result.status != 0)
            fail_msg("%s: status %d, error %s", rows[i].claim, result.status, result.error);
        buf_free(&result.body);
    }
}

static void who_is_not_there(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int closed = socket(AF_INET, SOCK_STREAM, 0); /* a port that is taken, but not listened at */
    struct result refused, unknown, no_tls;
    char url[100];

    (void)state;
    must(bind(closed, (struct sockaddr *)&address, len) == 0 && getsockname(closed, (struct sockaddr *)&address,
        &len) == 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/ok", ntohs(address.sin_port));
    send_to(url, &refused, 2000);
    send_to("http://no-such-name.invalid/ok", &unknown, 2000);
    snprintf(url, sizeof url, "https://127.0.0.1:%u/ok", port); /* a server that does not speak TLS, and waits */
    send_to(url, &no_tls, 1000);
    wait_for_all();
    assert_string_equal(refused.error, "refused");
    assert_true(strcmp(unknown.error, "dns") == 0 || strcmp(unknown.error, "timeout") == 0);
        /* without a network nobody says no */
    assert_in_range(unknown.took_ms, 0, 3000);
    assert_true(strcmp(no_tls.error, "tls") == 0 || strcmp(no_tls.error, "timeout") == 0);
    buf_free(&refused.body);
    buf_free(&unknown.body);
    buf_free(&no_tls.body);
    close(closed);
}

/* Its listener's queue is full, so nothing answers to a SYN; its own limit ends that before the whole time is over. */
static void a_connection_that_does_not_come_about(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int full = socket(AF_INET, SOCK_STREAM, 0), fillers[4];
    struct result result = {.left = &left};
    struct http_request request = {.method = "POST", .timeout_ms = 8000, .connect_timeout_ms = 400};
    char url[100];

    (void)state;
    must(bind(full, (struct sockaddr *)&address, len) == 0 && listen(full, 0) == 0 && getsockname(full, (struct sockaddr *)&address, &len) == 0);
    for (int i = 0; i < 4; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(fillers[i], (struct sockaddr *)&address, len);
    }
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", ntohs(address.sin_port));
    request.url = span_of(url);
    left = 1;
    http_client_send(client, &request, on_answer, &result);
    wait_for_all();
    assert_string_equal(result.error, "timeout");
    assert_in_range(result.took_ms, 300, 5000);
    buf_free(&result.body);
    for (int i = 0; i < 4; i++)
        close(fillers[i]);
    close(full);
}

static void a_slow_name_does_not_stop_the_loop(void **state)
{
    struct result unknown, other;
    int64_t began_ms = clock_mono_ms();

    (void)state;
    send_to("http://no-such-name.invalid/ok", &unknown, 200);
    send_path("/ok", &other, 2000);
    wait_for_all();
    http_client_close(&client);
    assert_in_range(clock_mono_ms() - began_ms, 0, 1500);
    assert_int_equal(other.status, 200);
    buf_free(&unknown.body);
    buf_free(&other.body);
}

static void no_proxy_from_the_environment(void **state)
{
    struct result result;

    (void)state;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    send_path("/ok", &result, 2000);
    wait_for_all();
    assert_int_equal(result.status, 200);
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
    buf_free(&result.body);
}

static void connections_are_used_again(void **state)
{
    char connection[32] = "";

    (void)state;
    for (int i = 0; i < 30; i++) {
        struct result result;

        send_path("/connection", &result, 2000);
        wait_for_all();
        assert_int_equal(result.status, 200);
        if (i == 0)
            snprintf(connection, sizeof connection, "%s", buf_text(result.body));
        assert_string_equal(buf_text(result.body), connection);
        buf_free(&result.body);
    }
}

/* curl alone would send it again into the next kept connection, up to five times. */
static void what_was_taken_is_not_sent_again(void **state)
{
    enum { KEPT = 4 };
    static const char *const methods[] = {"POST", "GET"};
    struct result result, others[KEPT];

    (void)state;
    for (size_t i = 0; i < COUNT(methods); i++) {
        struct http_request request = {.method = methods[i], .body = i == 0 ? SPAN("lead") : SPAN(""), .timeout_ms = 2000};
        char url[100];

        for (int j = 0; j < KEPT; j++)
            send_path("/concurrent", &others[j], 2000);
        wait_for_all();
        snprintf(url, sizeof url, "http://127.0.0.1:%u/take", port);
        request.url = span_of(url);
        result = (struct result){.left = &left};
        left = 1;
        http_client_send(client, &request, on_answer, &result);
        wait_for_all();
        assert_string_equal(result.error, "reset");
        buf_free(&result.body);
        for (int j = 0; j < KEPT; j++)
            buf_free(&others[j].body);
        send_path("/taken", &result, 2000);
        wait_for_all();
        assert_int_equal(result.body->data[0] - '0', i + 1);
        buf_free(&result.body);
    }
}

static void limits_hold(void **state)
{
    enum { EACH = 12 };
    struct result results[2 * EACH];
    char url[100];
    int most = 0;

    (void)state;
    reopen(5, 3, true);
    for (int i = 0; i < 2 * EACH; i++) {
        snprintf(url, sizeof url, "http://%s:%u/concurrent", i < EACH ? "127.0.0.1" : "localhost", port);
            /* two hosts to us */
        send_to(url, &results[i], 10000);
    }
    wait_for_all();
    for (int i = 0; i < 2 * EACH; i++) {
        assert_int_equal(results[i].status, 200);
        if (atoi(buf_text(results[i].body)) > most)
            most = atoi(results[i].body->data);
        buf_free(&results[i].body);
    }
    assert_in_range(most, 2, 5);
    reopen(5, 2, true);
    for (int i = 0; i < EACH; i++)
        send_path("/concurrent", &results[i], 10000);
    wait_for_all();
    for (int i = 0; i < EACH; i++) {
        assert_int_equal(results[i].status, 200);
        assert_in_range(atoi(buf_text(results[i].body)), 1, 2);
        buf_free(&results[i].body);
    }
}

static void a_dead_host_holds_up_nobody(void **state)
{
    struct result dead[10], good[10];
    char url[100];
    int64_t began_ms = clock_mono_ms();

    (void)state;
    reopen(4, 3, true);
    for (int i = 0; i < 10; i++)
        send_path("/hang", &dead[i], 1500);
    for (int i = 0; i < 10; i++) {
        snprintf(url, sizeof url, "http://localhost:%u/ok", port);
        send_to(url, &good[i], 3000);
    }
    while (left > 10)
        loop_turn(loop, 100);
    assert_in_range(clock_mono_ms() - began_ms, 0, 1200);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(good[i].status, 200);
        buf_free(&good[i].body);
    }
    wait_for_all();
    for (int i = 0; i < 10; i++) { /* three hung, seven never had their turn; all ended in their time */
        assert_string_equal(dead[i].error, i < 3 ? "timeout" : "waiting");
        assert_true(i < 3 || dead[i].took_ms == 0);
        buf_free(&dead[i].body);
    }
    assert_in_range(clock_mono_ms() - began_ms, 1400, 3000);
}

static void closing_calls_back_all(void **state)
{
    struct result results[12];

    (void)state;
    reopen(6, 3, true);
    for (int i = 0; i < 10; i++)
        send_path("/hang", &results[i], 5000);
    send_to("nonsense", &results[10], 5000);
    send_to("http://localhost:1/", &results[11], 5000);
    loop_turn(loop, 0);
    http_client_close(&client);
    assert_null(client);
    assert_int_equal(left, 0);
    for (int i = 0; i < 12; i++) {
        assert_int_equal(results[i].calls, 1);
        assert_int_equal(results[i].status, 0);
        if (i < 10)
            assert_string_equal(results[i].error, "closing");
        buf_free(&results[i].body);
    }
    for (int i = 0; i < 5; i++)
        loop_turn(loop, 10);
    for (int i = 0; i < 12; i++)
        assert_int_equal(results[i].calls, 1);
}

static int closing_calls;

static void close_from_callback(void *ctx, const struct http_answer *got)
{
    (void)got;
    closing_calls++;
    --*(int *)ctx;
    http_client_close(&client);
}

static void closing_from_a_callback(void **state)
{
    char good[100], hang[100];

    (void)state;
    snprintf(good, sizeof good, "http://127.0.0.1:%u/ok", port);
    snprintf(hang, sizeof hang, "http://127.0.0.1:%u/hang", port);
    for (int turn = 0; turn < 2; turn++) { /* from an answer, and from a request that failed at once */
        struct http_request first = {.url = turn == 0 ? span_of(good) : SPAN("nonsense"), .method = "GET",
            .timeout_ms = 5000};
        struct http_request other = {.url = span_of(hang), .method = "GET", .timeout_ms = 5000};

        reopen(4, 2, true);
        closing_calls = 0;
        left = 7;
        http_client_send(client, &first, close_from_callback, &left);
        for (int i = 0; i < 6; i++)
            http_client_send(client, &other, close_from_callback, &left);
        wait_for_all();
        assert_null(client);
        assert_int_equal(closing_calls, 7);
    }
}

/* Every answer sends the next request from its callback, as a dispatcher does. */
static int to_send;
static char chain_url[100];

static void send_next(void *ctx, const struct http_answer *got)
{
    assert_int_equal(got->status, 200);
    --*(int *)ctx;
    if (to_send > 0) {
        struct http_request request = {.url = span_of(chain_url), .method = "POST", .body = SPAN("x"), .timeout_ms = 10000};

        to_send--;
        http_client_send(client, &request, send_next, ctx);
    }
}

static void many_in_a_chain(void **state)
{
    struct http_request request = {.method = "POST", .body = SPAN("x"), .timeout_ms = 10000};

    (void)state;
    reopen(16, 0, true);
    snprintf(chain_url, sizeof chain_url, "http://127.0.0.1:%u/ok", port);
    request.url = span_of(chain_url);
    left = 3000;
    to_send = left - 24;
    for (int i = 0; i < 24; i++)
        http_client_send(client, &request, send_next, &left);
    wait_for_all();
    assert_int_equal(http_client_busy(client), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_client, close_client)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(answers), TEST(a_header_flood_ends), TEST(retry_after), TEST(what_is_sent), TEST(a_big_body),
            TEST(bad_requests),
        TEST(private_addresses), TEST(who_is_not_there), TEST(a_connection_that_does_not_come_about),
        TEST(a_slow_name_does_not_stop_the_loop),
            TEST(no_proxy_from_the_environment),
        TEST(connections_are_used_again), TEST(what_was_taken_is_not_sent_again), TEST(limits_hold), TEST(a_dead_host_holds_up_nobody),
            TEST(closing_calls_back_all),
        TEST(closing_from_a_callback), TEST(many_in_a_chain),
    };

    return cmocka_run_group_tests(tests, start_server, stop_server);
}
