/* test_http_client_tls.c - common/http_client.c over TLS, by HTTP/2 and 1.1, against h2o in a child process with a certificate of its own. */
#include "common/http_client.h"

#include "common/buf.h"
#include "common/clock.h"
#include "common/must.h"

#include <h2o.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <netinet/in.h>
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

/* The certificate, which is its own authority: for 127.0.0.1 and localhost ----------------------------------------------- */

static char cert_path[] = "/tmp/leadline-cert-XXXXXX", other_path[] = "/tmp/leadline-cert-XXXXXX";

static void make_certificate(char *path, X509 **cert, EVP_PKEY **key)
{
    X509_NAME *name;
    X509_EXTENSION *names;
    FILE *file;

    *key = EVP_EC_gen("P-256");
    *cert = X509_new();
    must(*key != NULL && *cert != NULL);
    X509_set_version(*cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(*cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(*cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(*cert), 3600);
    name = X509_get_subject_name(*cert);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"Leadline's test", -1, -1, 0);
    X509_set_issuer_name(*cert, name);
    X509_set_pubkey(*cert, *key);
    names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost");
    must(names != NULL && X509_add_ext(*cert, names, -1) == 1 && X509_sign(*cert, *key, EVP_sha256()) > 0);
    X509_EXTENSION_free(names);
    file = fdopen(mkstemp(path), "w");
    must(file != NULL && PEM_write_X509(file, *cert) == 1 && fclose(file) == 0);
}

/* The server ------------------------------------------------------------------------------------------------------------- */

enum { DELAY_MS = 20 };

static struct {
    h2o_globalconf_t config;
    h2o_context_t context;
    h2o_accept_ctx_t accept[2]; /* HTTP/2 where the client speaks it; HTTP/1.1 only */
    h2o_timeout_t delay;
    int concurrent;
} child;

struct later {
    h2o_timeout_entry_t entry;
    h2o_req_t *req;
};

static void say(h2o_req_t *req, int status, const char *body, size_t len)
{
    req->res.status = status;
    req->res.reason = "As told";
    req->res.content_length = len;
    h2o_send_inline(req, body, len);
}

static void on_delay_over(h2o_timeout_entry_t *entry)
{
    struct later *later = H2O_STRUCT_FROM_MEMBER(struct later, entry, entry);
    char text[32];
    int len = snprintf(text, sizeof text, "%d", child.concurrent--);

    say(later->req, 200, text, (size_t)len);
}

static int on_request(h2o_handler_t *handler, h2o_req_t *req)
{
    static char much[200000];
    char text[100];
    int len;

    (void)handler;
    if (h2o_memis(req->path.base, req->path.len, H2O_STRLIT("/hang")))
        return 0; /* and no answer ever */
    if (h2o_memis(req->path.base, req->path.len, H2O_STRLIT("/busy"))) {
        h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_RETRY_AFTER, NULL, H2O_STRLIT("77"));
        say(req, 503, "", 0);
    } else if (h2o_memis(req->path.base, req->path.len, H2O_STRLIT("/more"))) {
        memset(much, 'x', sizeof much);
        say(req, 200, much, sizeof much);
    } else if (h2o_memis(req->path.base, req->path.len, H2O_STRLIT("/length"))) {
        len = snprintf(text, sizeof text, "%zu", req->entity.len);
        say(req, 200, text, (size_t)len);
    } else if (h2o_memis(req->path.base, req->path.len, H2O_STRLIT("/concurrent"))) {
        struct later *later = h2o_mem_alloc_pool(&req->pool, sizeof *later);

        *later = (struct later){.entry = {.cb = on_delay_over}, .req = req};
        child.concurrent++;
        h2o_timeout_link(child.context.loop, &child.delay, &later->entry);
    } else {
        len = snprintf(text, sizeof text, "HTTP/%d connection %llu", req->version >> 8, (unsigned long long)req->conn->id);
        say(req, 200, text, (size_t)len);
    }
    return 0;
}

static void on_accept(h2o_socket_t *listener, const char *err)
{
    h2o_socket_t *sock = err == NULL ? h2o_evloop_socket_accept(listener) : NULL;

    if (sock != NULL)
        h2o_accept(listener->data, sock);
}

static void run_server(const int fds[2], X509 *cert, EVP_PKEY *key)
{
    static const h2o_iovec_t only_http1[] = {{(char *)"http/1.1", 8}, {NULL, 0}};
    h2o_hostconf_t *host;

    h2o_config_init(&child.config);
    host = h2o_config_register_host(&child.config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_create_handler(h2o_config_register_path(host, "/", 0), sizeof(h2o_handler_t))->on_req = on_request;
    h2o_context_init(&child.context, h2o_evloop_create(), &child.config);
    h2o_timeout_init(child.context.loop, &child.delay, DELAY_MS);
    for (int i = 0; i < 2; i++) {
        SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
        h2o_socket_t *listener = h2o_evloop_socket_create(child.context.loop, fds[i], H2O_SOCKET_FLAG_DONT_READ);

        must(SSL_CTX_use_certificate(tls, cert) == 1 && SSL_CTX_use_PrivateKey(tls, key) == 1);
        h2o_ssl_register_alpn_protocols(tls, i == 0 ? h2o_alpn_protocols : only_http1);
        child.accept[i] = (h2o_accept_ctx_t){.ctx = &child.context, .hosts = child.config.hosts, .ssl_ctx = tls};
        listener->data = &child.accept[i];
        h2o_socket_read_start(listener, on_accept);
    }
    for (;;)
        h2o_evloop_run(child.context.loop, INT32_MAX);
}

static unsigned ports[2];
static pid_t server;

static int start_server(void **state)
{
    X509 *cert, *other;
    EVP_PKEY *key, *other_key;
    int fds[2];

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    make_certificate(cert_path, &cert, &key);
    make_certificate(other_path, &other, &other_key);
    for (int i = 0; i < 2; i++) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
        socklen_t len = sizeof address;

        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        must(fds[i] >= 0 && bind(fds[i], (struct sockaddr *)&address, len) == 0 && listen(fds[i], 256) == 0);
        must(getsockname(fds[i], (struct sockaddr *)&address, &len) == 0);
        ports[i] = ntohs(address.sin_port);
    }
    server = fork();
    must(server >= 0);
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run_server(fds, cert, key);
    }
    close(fds[0]);
    close(fds[1]);
    X509_free(cert);
    X509_free(other);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other_key);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    kill(server, SIGKILL);
    unlink(cert_path);
    unlink(other_path);
    return waitpid(server, NULL, 0) == server ? 0 : -1;
}

/* Requests --------------------------------------------------------------------------------------------------------------- */

enum server_kind { HTTP2, HTTP1 };

struct result {
    int calls, status;
    char error[32], retry_after[32], text[100];
    size_t bytes;
    bool is_cut;
};

static struct loop *loop;
static struct http_client *client;
static int left;

static void on_answer(void *ctx, const struct http_answer *got)
{
    struct result *result = ctx;

    result->calls++;
    result->status = got->status;
    result->bytes = got->body.len;
    result->is_cut = got->is_cut;
    snprintf(result->error, sizeof result->error, "%s", got->error != NULL ? got->error : "");
    snprintf(result->retry_after, sizeof result->retry_after, "%.*s", SPAN_FMT(got->retry_after));
    snprintf(result->text, sizeof result->text, "%.*s", got->body.len < 90 ? (int)got->body.len : 90, got->body.len > 0 ? got->body.ptr : "");
    left--;
}

static void send_body(enum server_kind kind, const char *host, const char *path, struct span body, int timeout_ms, struct result *result)
{
    struct http_request request = {.method = "POST", .body = body, .timeout_ms = timeout_ms, .connect_timeout_ms = timeout_ms};
    char url[200];

    snprintf(url, sizeof url, "https://%s:%u%s", host, ports[kind], path);
    request.url = span_of(url);
    *result = (struct result){.calls = 0};
    left++;
    http_client_send(client, &request, on_answer, result);
}

static void send_path(enum server_kind kind, const char *path, int timeout_ms, struct result *result)
{
    send_body(kind, "127.0.0.1", path, SPAN("{}"), timeout_ms, result);
}

static void wait_until(int still_left)
{
    int64_t until_ms = clock_mono_ms() + 20000;

    while (left > still_left) {
        if (clock_mono_ms() > until_ms)
            fail_msg("%d answers are missing", left);
        loop_turn(loop, 100);
    }
}

static void reopen(int most_open, int per_host, const char *ca_file)
{
    struct http_client_options options = {.most_open = most_open, .most_open_per_host = per_host, .allows_private = true, .ca_file = ca_file};

    if (client != NULL)
        http_client_close(&client);
    client = http_client_open(loop, &options);
}

static int open_client(void **state)
{
    (void)state;
    loop = loop_new();
    left = 0;
    client = NULL;
    reopen(64, 0, cert_path);
    return 0;
}

static int close_client(void **state)
{
    (void)state;
    http_client_close(&client);
    loop_free(&loop);
    return 0;
}

/* Tests ------------------------------------------------------------------------------------------------------------------ */

static void many_requests_share_a_connection_by_http2(void **state)
{
    struct result results[50];

    (void)state;
    for (int turn = 0; turn < 3; turn++) {
        char first[100];

        for (int i = 0; i < 50; i++)
            send_path(HTTP2, "/", 5000, &results[i]);
        wait_until(0);
        snprintf(first, sizeof first, "%s", results[0].text);
        assert_int_equal(strncmp(first, "HTTP/2 connection ", 18), 0);
        for (int i = 0; i < 50; i++) {
            assert_int_equal(results[i].status, 200);
            assert_string_equal(results[i].text, first);
        }
    }
}

static void the_limits_hold_over_http2(void **state)
{
    struct result results[30];
    int most = 0;

    (void)state;
    reopen(64, 3, cert_path);
    for (int i = 0; i < 30; i++)
        send_path(HTTP2, "/concurrent", 10000, &results[i]);
    wait_until(0);
    for (int i = 0; i < 30; i++) {
        assert_int_equal(results[i].status, 200);
        if (atoi(results[i].text) > most)
            most = atoi(results[i].text);
    }
    assert_in_range(most, 2, 3);
}

static void a_server_of_http1_is_spoken_to_so(void **state)
{
    struct result results[20], again;

    (void)state;
    for (int i = 0; i < 20; i++)
        send_path(HTTP1, "/", 5000, &results[i]);
    wait_until(0);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(results[i].status, 200);
        assert_int_equal(strncmp(results[i].text, "HTTP/1 connection ", 18), 0);
    }
    send_path(HTTP1, "/", 5000, &again); /* on one of those connections */
    wait_until(0);
    for (int i = 0; i < 20; i++)
        if (strcmp(results[i].text, again.text) == 0)
            return;
    fail_msg("%s is a new one", again.text);
}

static void what_hangs_holds_up_nobody(void **state)
{
    (void)state;
    for (enum server_kind kind = HTTP2; kind <= HTTP1; kind++) {
        struct result hanging[4], good[20];

        reopen(64, 0, cert_path);
        for (int i = 0; i < 4; i++)
            send_path(kind, "/hang", 2000, &hanging[i]);
        for (int i = 0; i < 20; i++)
            send_path(kind, "/", 5000, &good[i]);
        wait_until(4);
        for (int i = 0; i < 20; i++)
            assert_int_equal(good[i].status, 200);
        wait_until(0);
        for (int i = 0; i < 4; i++)
            assert_string_equal(hanging[i].error, "timeout");
        send_path(kind, "/", 5000, &good[0]); /* the connection serves on, or another does */
        wait_until(0);
        assert_int_equal(good[0].status, 200);
    }
}

static void a_fresh_connection_is_another(void **state)
{
    (void)state;
    for (enum server_kind kind = HTTP2; kind <= HTTP1; kind++) {
        struct http_request request = {.method = "POST", .timeout_ms = 5000, .is_fresh = true};
        struct result first, fresh = {.calls = 0};
        char url[100];

        send_path(kind, "/", 5000, &first);
        wait_until(0);
        snprintf(url, sizeof url, "https://127.0.0.1:%u/", ports[kind]);
        request.url = span_of(url);
        left++;
        http_client_send(client, &request, on_answer, &fresh);
        wait_until(0);
        assert_int_equal(fresh.status, 200);
        assert_string_not_equal(fresh.text, first.text);
    }
}

static void answers_are_the_same_in_both(void **state)
{
    char *big = must_alloc(150000);

    (void)state;
    memset(big, 'b', 150000);
    for (enum server_kind kind = HTTP2; kind <= HTTP1; kind++) {
        struct result more, busy, length, after;

        send_path(kind, "/more", 5000, &more);
        send_path(kind, "/busy", 5000, &busy);
        send_body(kind, "127.0.0.1", "/length", (struct span){big, 150000}, 5000, &length);
        wait_until(0);
        send_path(kind, "/", 5000, &after);
        wait_until(0);
        assert_int_equal(more.status, 200);
        assert_int_equal(more.bytes, HTTP_ANSWER_BYTES);
        assert_true(more.is_cut);
        assert_int_equal(busy.status, 503);
        assert_string_equal(busy.retry_after, "77");
        assert_string_equal(length.text, "150000");
        assert_int_equal(after.status, 200);
    }
    free(big);
}

static void certificates_are_checked(void **state)
{
    struct result result;

    (void)state;
    send_body(HTTP2, "localhost", "/", SPAN("{}"), 5000, &result);
    wait_until(0);
    assert_int_equal(result.status, 200);
    send_body(HTTP2, "127.0.0.2", "/", SPAN("{}"), 5000, &result); /* it has another name */
    wait_until(0);
    assert_string_equal(result.error, "tls");
    reopen(4, 0, other_path); /* of another authority */
    send_path(HTTP2, "/", 5000, &result);
    wait_until(0);
    assert_string_equal(result.error, "tls");
    reopen(4, 0, NULL); /* the system's do not know it */
    send_path(HTTP1, "/", 5000, &result);
    wait_until(0);
    assert_string_equal(result.error, "tls");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(many_requests_share_a_connection_by_http2, open_client, close_client),
        cmocka_unit_test_setup_teardown(the_limits_hold_over_http2, open_client, close_client),
        cmocka_unit_test_setup_teardown(a_server_of_http1_is_spoken_to_so, open_client, close_client),
        cmocka_unit_test_setup_teardown(what_hangs_holds_up_nobody, open_client, close_client),
        cmocka_unit_test_setup_teardown(a_fresh_connection_is_another, open_client, close_client),
        cmocka_unit_test_setup_teardown(answers_are_the_same_in_both, open_client, close_client),
        cmocka_unit_test_setup_teardown(certificates_are_checked, open_client, close_client),
    };

    return cmocka_run_group_tests(tests, start_server, stop_server);
}
