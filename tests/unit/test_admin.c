/* test_admin.c - common/admin.c, asked over TCP and over a socket file. */
#include "common/admin.h"

#include "common/buf.h"
#include "common/clock.h"
#include "common/metrics.h"
#include "common/must.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static struct loop *loop;
static const char *unready; /* NULL: ready */
static struct metric *scraped;
static char dir[] = "/tmp/test_admin_XXXXXX";
static char socket_url[64], *socket_path = socket_url + 5;

static const char *why_unready(void *ctx)
{
    assert_ptr_equal(ctx, &loop);
    return unready;
}

static void before_metrics(void *ctx)
{
    (void)ctx;
    metric_add(scraped, 1);
}

static struct admin *open_at(const char *listen, struct error *err)
{
    struct admin_options options = {.listen = listen, .why_unready = why_unready, .before_metrics = before_metrics,
        .ctx = &loop};

    return admin_open(loop, &options, err);
}

static int begin(void **state)
{
    (void)state;
    loop = loop_new();
    scraped = metric_gauge("leadline_test_scraped", NULL, "How often somebody asked.");
    must(mkdtemp(dir) != NULL);
    snprintf(socket_url, sizeof socket_url, "unix:%s/admin.sock", dir);
    return 0;
}

static int end(void **state)
{
    (void)state;
    loop_free(&loop);
    return rmdir(dir);
}

static int connect_to(const char *url)
{
    struct sockaddr_in tcp = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    bool is_unix = strncmp(url, "unix:", 5) == 0;
    int fd = socket(is_unix ? AF_UNIX : AF_INET, SOCK_STREAM, 0);
    unsigned port;

    if (is_unix)
        snprintf(un.sun_path, sizeof un.sun_path, "%s", url + 5);
    else
        must(sscanf(url, "http://127.0.0.1:%u", &port) == 1 && (tcp.sin_port = htons((uint16_t)port)) != 0);
    must(connect(fd, is_unix ? (struct sockaddr *)&un : (struct sockaddr *)&tcp, is_unix ? sizeof un : sizeof tcp) == 0);
    must(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    return fd;
}

/* Sends the text and turns the loop until the server closes the connection. Returns what came, owned by the caller. */
static struct buf *ask(int fd, const char *text)
{
    struct buf *got = buf_new(0);
    int64_t until_ms = clock_mono_ms() + 10000;

    must(send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
    for (;;) {
        ssize_t len = recv(fd, buf_reserve(got, 4096), 4096, 0);

        if (len > 0)
            got->len += (size_t)len;
        if (len == 0 || (len < 0 && errno != EAGAIN))
            break;
        if (clock_mono_ms() > until_ms)
            fail_msg("no end of the answer to %s", text);
        loop_turn(loop, 10);
    }
    close(fd);
    return got;
}

static void check_answers(const char *url)
{
    static const struct { const char *claim, *unready, *request, *status, *has, *body; } rows[] = {
        {"alive", NULL, "GET /healthz", "200 OK", "text/plain", "ok\n"},
        {"alive, though not ready", "no database", "GET /healthz", "200 OK", "text/plain", "ok\n"},
        {"ready", NULL, "GET /readyz", "200 OK", "text/plain", "ready\n"},
        {"not ready", "no database", "GET /readyz", "503 Service Unavailable", "text/plain", "no database\n"},
        {"only the head", NULL, "HEAD /readyz", "200 OK", "Content-Length: 6", ""},
        {"numbers", NULL, "GET /metrics", "200 OK", "text/plain; version=0.0.4", NULL},
        {"a question behind the path", NULL, "GET /healthz?x=1", "200 OK", "text/plain", "ok\n"},
        {"another path", NULL, "GET /", "404 Not Found", "text/plain", NULL},
        {"a path below", NULL, "GET /metrics/x", "404 Not Found", "text/plain", NULL},
        {"another method", NULL, "POST /metrics", "405 Method Not Allowed", "Allow: GET, HEAD", NULL},
        {"and yet another", NULL, "DELETE /healthz", "405 Method Not Allowed", "Allow: GET, HEAD", NULL},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        char request[200];
        struct buf *got;
        const char *body;

        unready = rows[i].unready;
        snprintf(request, sizeof request,
            "%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", rows[i].request,
                 rows[i].request[0] == 'P' ? 3 : 0, rows[i].request[0] == 'P' ? "abc" : "");
        got = ask(connect_to(url), request);
        body = strstr(buf_text(got), "\r\n\r\n");
        if (strncmp(got->data, "HTTP/1.1 ", 9) != 0 || strncmp(got->data + 9, rows[i].status,
            strlen(rows[i].status)) != 0 ||
            strstr(got->data, rows[i].has) == NULL || body == NULL || (rows[i].body != NULL && strcmp(body + 4,
                rows[i].body) != 0))
            fail_msg("%s: got\n%s", rows[i].claim, got->data);
        buf_free(&got);
    }
    unready = NULL;
}

static void tcp(void **state)
{
    struct error err;
    struct admin *admin = open_at("127.0.0.1:0", &err);
    struct buf *got;
    char line[80];

    (void)state;
    assert_non_null(admin);
    assert_int_equal(strncmp(admin_url(admin), "http://127.0.0.1:", 17), 0);
    assert_true(atoi(admin_url(admin) + 17) > 0);
    check_answers(admin_url(admin));
    metric_set(scraped, 41);
    got = ask(connect_to(admin_url(admin)), "GET /metrics HTTP/1.0\r\n\r\n");
    snprintf(line, sizeof line, "\nleadline_test_scraped 42\n"); /* brought up to date before it was printed */
    assert_non_null(strstr(buf_text(got), line));
    buf_free(&got);
    {
        struct error second;

        assert_null(open_at(admin_url(admin) + 7, &second)); /* the port is taken */
        assert_non_null(strstr(second.text, "cannot listen at 127.0.0.1:"));
    }
    admin_close(&admin);
    assert_null(admin);
    admin_close(&admin);
}

static void several_on_one_connection(void **state)
{
    struct admin *admin = open_at("127.0.0.1:0", NULL);
    struct buf *got = ask(connect_to(admin_url(admin)),
        "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
                                                        "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");

    (void)state;
    assert_non_null(strstr(buf_text(got), "ok\n"));
    assert_non_null(strstr(buf_text(got), "404"));
    assert_non_null(strstr(buf_text(got), "ready\n"));
    buf_free(&got);
    admin_close(&admin);
}

static void bad_requests_end(void **state)
{
    struct admin *admin = open_at("127.0.0.1:0", NULL);
    char flood[40000];
    struct buf *got;

    (void)state;
    got = ask(connect_to(admin_url(admin)), "what is this\r\n\r\n");
    buf_free(&got);
    memset(flood, 'x', sizeof flood);
    memcpy(flood, "GET /healthz HTTP/1.1\r\nX: ", 26);
    flood[sizeof flood - 1] = '\0';
    got = ask(connect_to(admin_url(admin)), flood);
    assert_null(strstr(buf_text(got), "200 OK"));
    buf_free(&got);
    check_answers(admin_url(admin));
    admin_close(&admin);
}

static void connect_silent(const struct admin *admin, int *fds, int count)
{
    for (int i = 0; i < count; i++) {
        fds[i] = connect_to(admin_url(admin));
        loop_turn(loop, 0);
    }
}

static void many_silent_ones_do_not_block(void **state)
{
    enum { SILENT = 40 };
    struct admin *admin = open_at("127.0.0.1:0", NULL);
    int fds[SILENT];
    struct buf *got;

    (void)state;
    connect_silent(admin, fds, SILENT);
    for (int i = 0; i < SILENT; i++)
        close(fds[i]);
    got = ask(connect_to(admin_url(admin)), "GET /healthz HTTP/1.0\r\n\r\n");
    assert_non_null(strstr(buf_text(got), "200 OK"));
    buf_free(&got);
    admin_close(&admin);
}

static void many_that_stay_silent_are_sent_away(void **state)
{
    enum { SILENT = 16 }; /* as many as it takes at once */
    struct admin *admin = open_at("127.0.0.1:0", NULL);
    int fds[SILENT];
    struct buf *got;

    (void)state;
    connect_silent(admin, fds, SILENT);
    got = ask(connect_to(admin_url(admin)), "GET /healthz HTTP/1.0\r\n\r\n");
    assert_non_null(strstr(buf_text(got), "200 OK"));
    buf_free(&got);
    for (int i = 0; i < SILENT; i++)
        close(fds[i]);
    admin_close(&admin);
}

static void socket_file(void **state)
{
    struct error err;
    struct admin *admin = open_at(socket_url, &err), *second;
    struct stat info;
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int stale;

    (void)state;
    assert_non_null(admin);
    assert_string_equal(admin_url(admin), socket_url);
    check_answers(socket_url);
    second = open_at(socket_url, &err); /* somebody listens there */
    assert_null(second);
    assert_non_null(strstr(err.text, "cannot listen at unix:"));
    check_answers(socket_url);
    admin_close(&admin);
    assert_int_equal(stat(socket_path, &info), -1);

    stale = socket(AF_UNIX, SOCK_STREAM, 0); /* as a killed process leaves it */
    snprintf(un.sun_path, sizeof un.sun_path, "%s", socket_path);
    assert_int_equal(bind(stale, (struct sockaddr *)&un, sizeof un), 0);
    close(stale);
    admin = open_at(socket_url, &err);
    assert_non_null(admin);
    check_answers(socket_url);
    admin_close(&admin);

    {
        FILE *file = fopen(socket_path, "w"); /* what is no socket is left alone */

        must(file != NULL);
        fclose(file);
        assert_null(open_at(socket_url, &err));
        assert_int_equal(unlink(socket_path), 0);
    }
}

static void bad_places(void **state)
{
    static const char *const rows[] = {
        "", "9090", ":9090", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000", "127.0.0.1:-1",
            "127.0.0.1: 1", "localhost:1", "::1:80", "[::1:80", "[127.0.0.1]:80",
        "unix:", "unix:relative", "unix:/tmp/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "unix:/nowhere/at/all",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct error err = {""};

        if (open_at(rows[i], &err) != NULL || err.text[0] == '\0')
            fail_msg("%s was taken", rows[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcp), cmocka_unit_test(several_on_one_connection), cmocka_unit_test(bad_requests_end),
        cmocka_unit_test(many_silent_ones_do_not_block),
        cmocka_unit_test(many_that_stay_silent_are_sent_away), cmocka_unit_test(socket_file), cmocka_unit_test(bad_places),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
