/*
 * test_http_guard.c - common/http_client.c does not reach a special address, however it is written and whatever a name resolves to.
 *
 * The resolver and the way out are played: this program's getaddrinfo() and connect() take the place of the C library's for libcurl, too.
 * What goes to the public address comes to a server here.
 */
#include "common/http_client.h"

#include "common/buf.h"
#include "common/clock.h"
#include "common/must.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))
#define PUBLIC "93.184.216.34"
#define PUBLIC6 "2606:4700::1234"

/* The played world ----------------------------------------------------------------------------------------------------- */

static unsigned port;
static int listener;
static int served;                    /* connections that the server took, by __atomic */
static int went_out;                  /* connections to the public addresses */
static const char *const *resolution; /* what "changes.test" resolves to, look-up by look-up: addresses with blanks between */
static int lookups;

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    struct addrinfo numeric = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, **next = found;
    char copy[200], *rest = NULL;

    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    if (node == NULL || strcmp(node, "changes.test") != 0)
        return real(node, service, hints, found);
    *found = NULL;
    snprintf(copy, sizeof copy, "%s", resolution[__atomic_fetch_add(&lookups, 1, __ATOMIC_SEQ_CST)]);
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        if (real(word, service, &numeric, next) != 0)
            return EAI_NONAME;
        next = &(*next)->ai_next;
    }
    return 0;
}

static bool is_public(const struct sockaddr *address)
{
    char text[INET6_ADDRSTRLEN] = "";

    if (address->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr, text, sizeof text);
    else if (address->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, text, sizeof text);
    return strcmp(text, PUBLIC) == 0 || strcmp(text, PUBLIC6) == 0;
}

int connect(int fd, const struct sockaddr *address, socklen_t len)
{
    int (*real)(int, const struct sockaddr *, socklen_t);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 here6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};

    *(void **)&real = dlsym(RTLD_NEXT, "connect");
    if (!is_public(address))
        return real(fd, address, len);
    __atomic_add_fetch(&went_out, 1, __ATOMIC_SEQ_CST);
    here6.sin6_addr.s6_addr[10] = here6.sin6_addr.s6_addr[11] = 0xff; /* ::ffff:127.0.0.1, the same server */
    here6.sin6_addr.s6_addr[12] = 127;
    if (address->sa_family == AF_INET6)
        return real(fd, (struct sockaddr *)&here6, sizeof here6);
    return real(fd, (struct sockaddr *)&here, sizeof here);
}

static void *serve(void *arg)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";

    (void)arg;
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        char text[4096];

        if (fd < 0)
            return NULL;
        __atomic_add_fetch(&served, 1, __ATOMIC_SEQ_CST);
        if (recv(fd, text, sizeof text, 0) > 0)
            send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL);
        shutdown(fd, SHUT_WR);
        while (recv(fd, text, sizeof text, 0) > 0)
            ;
        close(fd);
    }
}

static pthread_t server;

static int start_server(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    socklen_t len = sizeof address;

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    must(listener >= 0 && bind(listener, (struct sockaddr *)&address, len) == 0 && listen(listener, 64) == 0);
    must(getsockname(listener, (struct sockaddr *)&address, &len) == 0);
    port = ntohs(address.sin_port);
    must(pthread_create(&server, NULL, serve, NULL) == 0);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    shutdown(listener, SHUT_RDWR);
    pthread_join(server, NULL);
    close(listener);
    return 0;
}

/* One request by a client of its own: with another one's, libcurl would remember what a name resolved to ---------------- */

struct result {
    int calls, status;
    char error[32];
};

static void on_answer(void *ctx, const struct http_answer *got)
{
    struct result *result = ctx;

    result->calls++;
    result->status = got->status;
    snprintf(result->error, sizeof result->error, "%s", got->error != NULL ? got->error : "");
}

static struct result post(const char *host, bool allows_private)
{
    struct http_client_options options = {.most_open = 4, .allows_private = allows_private};
    struct loop *loop = loop_new();
    struct http_client *client = http_client_open(loop, &options);
    struct result result = {.calls = 0};
    struct http_request request = {.method = "POST", .body = SPAN("{}"), .timeout_ms = 3000, .connect_timeout_ms = 3000};
    int64_t until_ms = clock_mono_ms() + 10000;
    char url[200];

    snprintf(url, sizeof url, "http://%s:%u/", host, port);
    request.url = span_of(url);
    served = went_out = 0;
    http_client_send(client, &request, on_answer, &result);
    while (result.calls == 0 && clock_mono_ms() < until_ms)
        loop_turn(loop, 50);
    http_client_close(&client);
    loop_free(&loop);
    assert_int_equal(result.calls, 1);
    return result;
}

static void every_form_is_refused(void **state)
{
    static const struct { const char *claim, *host; } rows[] = {
        {"loopback", "127.0.0.1"}, {"the rest of it", "127.8.9.10"}, {"decimal", "2130706433"}, {"hex", "0x7f000001"},
        {"hex in parts", "0x7f.0x0.0x0.0x1"}, {"hex, upper case", "0X7F.1"}, {"octal", "017700000001"}, {"octal in parts", "0177.0.0.1"},
        {"octal and short", "0177.1"}, {"short", "127.1"}, {"of three parts", "127.0.1"}, {"parts of different kinds", "0x7f.0.0.01"},
        {"behind a user", "public.example@127.0.0.1"}, {"by name", "localhost"}, {"by name, in capitals", "LOCALHOST"},
        {"nought", "0"}, {"this host", "0.0.0.0"}, {"broadcast", "255.255.255.255"}, {"broadcast, decimal", "4294967295"},
        {"private 10", "10.1.2.3"}, {"private 10, decimal", "167837955"}, {"private 172.16", "172.16.0.1"}, {"private 192.168", "192.168.0.1"},
        {"private 192.168, hex", "0xc0a80001"}, {"shared", "100.64.0.1"}, {"multicast", "224.0.0.1"}, {"benchmarks", "198.18.0.1"},
        {"metadata", "169.254.169.254"}, {"metadata, decimal", "2852039166"}, {"metadata, hex", "0xA9FEA9FE"},
        {"metadata, octal", "0251.0376.0251.0376"}, {"metadata of Alibaba", "100.100.100.200"}, {"metadata of Azure", "168.63.129.16"},
        {"metadata of Oracle", "192.0.0.192"}, {"metadata of Amazon, IPv6", "[fd00:ec2::254]"},
        {"unspecified", "[::]"}, {"loopback of IPv6", "[::1]"}, {"in full", "[0:0:0:0:0:0:0:1]"}, {"mapped", "[::ffff:127.0.0.1]"},
        {"mapped, hex", "[::ffff:7f00:1]"}, {"mapped metadata", "[::ffff:a9fe:a9fe]"}, {"compatible", "[::127.0.0.1]"},
        {"translated the old way", "[::ffff:0:127.0.0.1]"}, {"translated", "[64:ff9b::7f00:1]"}, {"translated metadata", "[64:ff9b::169.254.169.254]"},
        {"translated, local use", "[64:ff9b:1::808:808]"}, {"6to4", "[2002:7f00:1::1]"}, {"Teredo", "[2001:0:7f00:1::1]"},
        {"ISATAP", "[2606:4700::5efe:7f00:1]"}, {"link-local", "[fe80::1]"}, {"site-local", "[fec0::1]"}, {"unique local", "[fd12::1]"},
        {"multicast of IPv6", "[ff02::1]"}, {"documentation", "[2001:db8::1]"}, {"discard", "[100::1]"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct result result = post(rows[i].host, false);

        if (strcmp(result.error, "address_not_allowed") != 0 || result.status != 0 || served != 0)
            fail_msg("%s, %s: status %d, error %s, served %d", rows[i].claim, rows[i].host, result.status, result.error, served);
    }
}

/* What libcurl will not even look up may have another word, but never an answer. */
static void odd_forms_reach_nobody(void **state)
{
    static const char *const rows[] = {"127.0.0.1.", "①②⑦.⓪.⓪.①", "[::1%25lo]", "[::ffff:0x7f.1]", "127.0.0.1%00.example.com", "%31%32%37.1",
                                       "127。0。0。1", "[v1.::1]", "0x7f.0.0.1.", "127.0.0.1\\@public.example"};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct result result = post(rows[i], false);

        if (result.error[0] == '\0' || result.status != 0 || served != 0)
            fail_msg("%s: status %d, error %s, served %d", rows[i], result.status, result.error, served);
    }
}

static void public_addresses_are_reached(void **state)
{
    static const char *const rows[] = {PUBLIC, "1572395042", "0x5db8d822", "[" PUBLIC6 "]"};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct result result = post(rows[i], false);

        assert_string_not_equal(result.error, "address_not_allowed");
        if (rows[i][0] != '[' && (result.status != 200 || went_out != 1)) /* this machine may have no IPv6 */
            fail_msg("%s: error %s", rows[i], result.error);
    }
    assert_int_equal(post("127.0.0.1", true).status, 200); /* the guard is off */
    assert_int_equal(post("2130706433", true).status, 200);
}

static void a_name_that_changes(void **state)
{
    static const char both[] = "127.0.0.1 " PUBLIC;
    static const char *const answers[] = {PUBLIC, "127.0.0.1", PUBLIC, "::ffff:127.0.0.1", "10.0.0.1 127.0.0.1 ::1", both};
    static const struct { const char *claim; int status, went_out; } rows[] = {
        {"a public address is reached", 200, 1},
        {"the next look-up gives loopback", 0, 0},
        {"public again", 200, 1},
        {"now in its IPv6 form", 0, 0},
        {"all that it has are special", 0, 0},
        {"of both kinds only the public one is used", 200, 1},
    };

    (void)state;
    resolution = answers;
    lookups = 0;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct result result = post("changes.test", false);

        if (result.status != rows[i].status || went_out != rows[i].went_out || served != rows[i].went_out ||
            strcmp(result.error, rows[i].status == 0 ? "address_not_allowed" : "") != 0)
            fail_msg("%s: status %d, error %s, went out %d, served %d", rows[i].claim, result.status, result.error, went_out, served);
        assert_int_equal(lookups, i + 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_is_refused),
        cmocka_unit_test(odd_forms_reach_nobody),
        cmocka_unit_test(public_addresses_are_reached),
        cmocka_unit_test(a_name_that_changes),
    };

    return cmocka_run_group_tests(tests, start_server, stop_server);
}
