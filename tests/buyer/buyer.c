/*
 * leadline-buyer - a buyer's endpoint: for `leadctl dev`, for the tests and for the bench.
 *
 * It checks the signature of each webhook, answers as it is told, and counts; asked at /ping it bids. With --constant it is
 * the bench's yardstick: an h2o program that answers a constant.
 */
#include "common/clock.h"
#include "common/error.h"
#include "common/systemd.h"
#include "tests/buyer/bid.h"
#include "tests/buyer/notice.h"
#include "tests/buyer/signature.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <h2o.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096, ACCEPTS_AT_ONCE = 16, BODY_BYTES_MOST = 1 << 20, SECRETS_MOST = 8 };

static const char USAGE[] =
    "leadline-buyer: answers webhooks as a buyer would, and questions for live bids (POST /ping, or /ping/31.50 for that price)\n"
    "\n"
    "  --port N         listens on 127.0.0.1:N; 0: a free one, see the first line printed (default 0)\n"
    "                   a listening socket handed over by LISTEN_FDS is used instead\n"
    "  --secret TEXT    whsec_…: checks signatures, 401 for wrong ones; several may be given\n"
    "  --print          a line for each lead\n"
    "  --quiet          no line at the beginning and no counts at the end\n"
    "  --answer STATUS  default 200\n"
    "  --delay-ms MS    answers so much later\n"
    "  --bid PRICE      bids so much when it is asked; 0: no bid (default 10.00)\n"
    "  --bid-delay-ms MS  answers questions so much later\n"
    "  --fail-first K   answers 503 to the first K requests\n"
    "  --constant       answers a constant to everything, without looking\n"
    "  --help\n";

static const char ANSWER[] = "{\"result\":\"accepted\"}";
static const char REFUSAL[] = "{\"result\":\"refused\"}";
static const char CONSTANT[] =
    "{\"data\":{\"id\":\"01930000-0000-7000-8000-000000000000\",\"status\":\"ACCEPTED\",\"buyer_id\":\"buyer_abc\","
    "\"campaign_id\":\"campaign_abc123\"}}";

struct buyer {
    int port;
    struct buf *keys[SECRETS_MOST];
    size_t key_count;
    bool does_print, is_quiet, is_constant;
    int answer;
    int64_t delay_ms, bid_delay_ms;
    const char *bid_price;
    int64_t fail_first;
    struct {
        uint64_t requests, accepted, failed, unsigned_ones, bids;
    } count;

    h2o_globalconf_t config;
    h2o_context_t context;
    h2o_accept_ctx_t accept;
    h2o_timeout_t delay, bid_delay;
    h2o_socket_t *listener, *signals;
    bool is_stopping;
};

/* An answer that waits for its time. It lives in the request's pool, so it goes when the client leaves. */
struct waiting {
    h2o_timeout_entry_t entry;
    h2o_req_t *req;
    int status;
};

static struct buyer self; /* h2o's handlers carry no context of ours */

static bool is_question(h2o_req_t *req)
{
    return !self.is_constant && bid_is_asked((struct span){req->path_normalized.base, req->path_normalized.len});
}

static void answer(h2o_req_t *req, int status)
{
    const char *body = self.is_constant ? CONSTANT : status >= 200 && status <= 299 ? ANSWER : REFUSAL;
    size_t len = status == 204 || status == 304 ? 0 : strlen(body);
    char bid[BID_BODY_BYTES];

    if (status >= 200 && status <= 299 && is_question(req)) {
        body = bid;
        len = bid_print((struct span){req->path_normalized.base, req->path_normalized.len}, self.bid_price, bid);
        if (len == 0)
            status = 204;
    }
    req->res.status = status;
    req->res.reason = status <= 299 ? "OK" : "Refused";
    req->res.content_length = len;
    if (len > 0)
        h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, H2O_STRLIT("application/json"));
    h2o_send_inline(req, body, len);
}

static void on_delay_over(h2o_timeout_entry_t *entry)
{
    struct waiting *waiting = H2O_STRUCT_FROM_MEMBER(struct waiting, entry, entry);

    answer(waiting->req, waiting->status);
}

static void on_waiting_gone(void *ptr)
{
    struct waiting *waiting = ptr;

    if (h2o_timeout_is_linked(&waiting->entry))
        h2o_timeout_unlink(&waiting->entry);
}

static void answer_later(h2o_req_t *req, int status, h2o_timeout_t *delay)
{
    struct waiting *waiting = h2o_mem_alloc_shared(&req->pool, sizeof *waiting, on_waiting_gone);

    *waiting = (struct waiting){.entry = {.cb = on_delay_over}, .req = req, .status = status};
    h2o_timeout_link(self.context.loop, delay, &waiting->entry);
}

static struct span header(h2o_req_t *req, const char *name)
{
    ssize_t at = h2o_find_header_by_str(&req->headers, name, strlen(name), -1);

    if (at < 0)
        return (struct span){NULL, 0};
    return (struct span){req->headers.entries[at].value.base, req->headers.entries[at].value.len};
}

/* "ok", "not checked", or why it is wrong; *is_wrong then. */
static const char *check_signature(h2o_req_t *req, struct span body, bool *is_wrong)
{
    struct span id, timestamp, signatures;
    const char *why = "not checked";

    *is_wrong = false;
    if (self.key_count == 0)
        return why;
    id = header(req, "webhook-id");
    timestamp = header(req, "webhook-timestamp");
    signatures = header(req, "webhook-signature");
    for (size_t i = 0; i < self.key_count; i++) {
        why = signature_wrong(buf_span(self.keys[i]), id, timestamp, signatures, body, clock_wall_ms());
        if (why == NULL)
            return "ok";
    }
    *is_wrong = true;
    return why;
}

static int on_request(h2o_handler_t *handler, h2o_req_t *req)
{
    struct span body = {req->entity.base, req->entity.len};
    const char *signature;
    bool is_wrong;
    int status = self.answer;

    (void)handler;
    self.count.requests++;
    if (self.is_constant) {
        answer(req, status);
        return 0;
    }
    signature = check_signature(req, body, &is_wrong);
    if (is_wrong) {
        self.count.unsigned_ones++;
        status = 401;
    } else if (self.fail_first > 0) {
        self.fail_first--;
        status = 503;
    }
    if (status <= 299)
        self.count.accepted++;
    else
        self.count.failed++;
    if (is_question(req)) {
        self.count.bids++;
        if (self.bid_delay_ms > 0)
            answer_later(req, status, &self.bid_delay);
        else
            answer(req, status);
        return 0;
    }
    if (self.does_print)
        notice_print(body, signature, status);
    if (self.delay_ms > 0)
        answer_later(req, status, &self.delay);
    else
        answer(req, status);
    return 0;
}

static void on_accept(h2o_socket_t *listener, const char *err)
{
    h2o_socket_t *sock;

    if (err != NULL)
        return;
    for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
        sock = h2o_evloop_socket_accept(listener);
        if (sock == NULL)
            return;
        h2o_accept(&self.accept, sock);
    }
}

static void on_signal(h2o_socket_t *sock, const char *err)
{
    (void)sock;
    (void)err;
    self.is_stopping = true;
}

/* The listening socket: the one handed over as systemd does it, or a new one. Returns it, or -1 with *err. */
static int listen_on(int port, struct error *err)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int one = 1;
    int fd;

    if (systemd_socket_count() > 0)
        return systemd_socket(0);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_errno(err, "no socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, BACKLOG) != 0) {
        error_errno(err, "cannot listen on 127.0.0.1:%d", port);
        close(fd);
        return -1;
    }
    return fd;
}

static int start(struct error *err)
{
    struct sockaddr_in address;
    socklen_t len = sizeof address;
    h2o_hostconf_t *host;
    sigset_t signals;
    int fd, signal_fd;

    fd = listen_on(self.port, err);
    if (fd < 0)
        return -1;
    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        return error_errno(err, "the socket has no address");

    h2o_config_init(&self.config);
    self.config.max_request_entity_size = BODY_BYTES_MOST;
    self.config.server_name = (h2o_iovec_t){H2O_STRLIT("leadline-buyer")};
    host = h2o_config_register_host(&self.config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_create_handler(h2o_config_register_path(host, "/", 0), sizeof(h2o_handler_t))->on_req = on_request;
    h2o_context_init(&self.context, h2o_evloop_create(), &self.config);
    h2o_timeout_init(self.context.loop, &self.delay, (uint64_t)self.delay_ms);
    h2o_timeout_init(self.context.loop, &self.bid_delay, (uint64_t)self.bid_delay_ms);
    self.accept.ctx = &self.context;
    self.accept.hosts = self.config.hosts;
    self.listener = h2o_evloop_socket_create(self.context.loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    h2o_socket_read_start(self.listener, on_accept);

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    if (signal_fd < 0)
        return error_errno(err, "no descriptor for signals");
    self.signals = h2o_evloop_socket_create(self.context.loop, signal_fd, H2O_SOCKET_FLAG_DONT_READ);
    h2o_socket_read_start(self.signals, on_signal);

    if (!self.is_quiet) {
        printf("listening 127.0.0.1:%d\n", ntohs(address.sin_port));
        fflush(stdout);
    }
    return 0;
}

/* A whole number between least and most, or the end of the process. */
static int64_t number(const char *option, const char *text, int64_t least, int64_t most)
{
    char *end;
    long long value;

    errno = 0;
    value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < least || value > most) {
        fprintf(stderr, "leadline-buyer: %s is a number from %lld to %lld\n", option, (long long)least, (long long)most);
        exit(2);
    }
    return value;
}

static void read_options(int argc, char **argv)
{
    enum { PORT = 256, SECRET, PRINT, QUIET, STATUS, DELAY, BID, BID_DELAY, FAIL_FIRST, IS_CONSTANT, HELP };
    static const struct option options[] = {
        {"port", required_argument, NULL, PORT},       {"secret", required_argument, NULL, SECRET},
        {"print", no_argument, NULL, PRINT},           {"quiet", no_argument, NULL, QUIET},
        {"answer", required_argument, NULL, STATUS},   {"delay-ms", required_argument, NULL, DELAY},
        {"bid", required_argument, NULL, BID},         {"bid-delay-ms", required_argument, NULL, BID_DELAY},
        {"fail-first", required_argument, NULL, FAIL_FIRST}, {"constant", no_argument, NULL, IS_CONSTANT},
        {"help", no_argument, NULL, HELP},             {NULL, 0, NULL, 0},
    };
    struct error err;
    int option;

    self.answer = 200;
    self.bid_price = "10.00";
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case PORT: self.port = (int)number("--port", optarg, 0, 65535); break;
        case SECRET:
            if (self.key_count == SECRETS_MOST) {
                fprintf(stderr, "leadline-buyer: at most %d secrets\n", SECRETS_MOST);
                exit(2);
            }
            self.keys[self.key_count] = signature_key(optarg, &err);
            if (self.keys[self.key_count++] == NULL) {
                fprintf(stderr, "leadline-buyer: %s\n", err.text);
                exit(2);
            }
            break;
        case PRINT: self.does_print = true; break;
        case QUIET: self.is_quiet = true; break;
        case STATUS: self.answer = (int)number("--answer", optarg, 200, 599); break;
        case DELAY: self.delay_ms = number("--delay-ms", optarg, 0, 3600000); break;
        case BID:
            if (!bid_is_price(span_of(optarg))) {
                fprintf(stderr, "leadline-buyer: --bid is a price like 31.50\n");
                exit(2);
            }
            self.bid_price = optarg;
            break;
        case BID_DELAY: self.bid_delay_ms = number("--bid-delay-ms", optarg, 0, 3600000); break;
        case FAIL_FIRST: self.fail_first = number("--fail-first", optarg, 0, INT64_MAX); break;
        case IS_CONSTANT: self.is_constant = true; break;
        case HELP: fputs(USAGE, stdout); exit(0);
        default: fputs(USAGE, stderr); exit(2);
        }
    }
    if (optind < argc) {
        fprintf(stderr, "leadline-buyer: what is %s? See --help\n", argv[optind]);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    struct error err;

    read_options(argc, argv);
    if (start(&err) != 0) {
        fprintf(stderr, "leadline-buyer: %s\n", err.text);
        return 1;
    }
    while (!self.is_stopping)
        h2o_evloop_run(self.context.loop, INT32_MAX);
    if (!self.is_quiet)
        printf("requests=%llu accepted=%llu failed=%llu unsigned=%llu bids=%llu\n", (unsigned long long)self.count.requests,
               (unsigned long long)self.count.accepted, (unsigned long long)self.count.failed,
               (unsigned long long)self.count.unsigned_ones, (unsigned long long)self.count.bids);
    h2o_socket_close(self.listener);
    h2o_socket_close(self.signals);
    for (size_t i = 0; i < self.key_count; i++)
        buf_free(&self.keys[i]);
    return 0;
}
