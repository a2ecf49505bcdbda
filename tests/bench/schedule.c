/*
 * schedule - sends leads at fixed times, whatever the answers take, and tells how long they took.
 *
 *   schedule PORT PER_SECOND SECONDS RUN
 *
 * A generator that waits for an answer before it sends the next request leaves out just the requests that a slow server would
 * have met (coordinated omission). Here every lead has its time, and its latency counts from that time, also when it
 * had to wait for a free connection. RUN as in leads.lua. Prints one line of JSON.
 */
#include "common/clock.h"
#include "common/must.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { CONNECTIONS = 128, ANSWER_BYTES = 16384, BODY_BYTES = 512, REQUEST_BYTES = 1024, EVENTS = 64, PATIENCE_S = 15 };
static const int64_t SECOND_NS = INT64_C(1000000000), RUN_NUMBERS = 100000000, FIRST_PHONE = 2000000000;

struct connection {
    int fd;
    bool is_waiting; /* for the answer to a lead */
    int64_t due_ns;  /* of that lead */
    char answer[ANSWER_BYTES + 1];
    size_t len;
};

struct schedule {
    int port;
    int64_t per_second, count, run;
    int64_t begun_ns;
    int64_t sent, answered, created;
    int64_t *took_ns;
    int epoll_fd, timer_fd;
    struct connection connections[CONNECTIONS];
    struct connection *free[CONNECTIONS];
    int free_count;
};

static void fail(const char *what)
{
    fprintf(stderr, "schedule: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void watch(const struct schedule *schedule, int fd, void *ptr)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = ptr};

    if (epoll_ctl(schedule->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        fail("epoll_ctl");
}

static void open_connection(struct schedule *schedule, struct connection *connection)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)schedule->port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int one = 1;

    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 || connect(connection->fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail("cannot connect");
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    watch(schedule, connection->fd, connection);
    schedule->free[schedule->free_count++] = connection;
}

static int64_t due_ns(const struct schedule *schedule, int64_t n)
{
    return schedule->begun_ns + n * SECOND_NS / schedule->per_second;
}

/* Sends the next lead; a request of this size always fits in a socket that waits for nothing. */
static void send_next(struct schedule *schedule)
{
    static const char *const states[] = {"TX", "CA", "FL", "NY", "OH"}, *const zips[] = {"75201", "90001", "33101", "10001", "44101"};
    struct connection *connection = schedule->free[--schedule->free_count];
    int64_t number = schedule->run * RUN_NUMBERS + schedule->sent;
    char body[BODY_BYTES], request[REQUEST_BYTES];
    int body_len, len;

    body_len = snprintf(body, sizeof body,
                        "{\"flo_campaign_id\":\"campaign_abc123\",\"flo_supplier_id\":\"supplier_xyz789\",\"first_name\":\"John\","
                        "\"last_name\":\"Doe\",\"phone\":\"%" PRId64 "\",\"email\":\"john.%" PRId64 "@example.com\",\"state\":\"%s\","
                        "\"zip_code\":\"%s\",\"age\":\"42\"}",
                        FIRST_PHONE + number, number, states[number % 5], zips[number % 5]);
    len = snprintf(request, sizeof request,
                   "POST /api/v1/ingest HTTP/1.1\r\nhost: 127.0.0.1\r\nx-api-key: your_supplier_api_key\r\n"
                   "content-type: application/json\r\ncontent-length: %d\r\n\r\n%s",
                   body_len, body);
    must(len < (int)sizeof request);
    connection->is_waiting = true;
    connection->due_ns = due_ns(schedule, schedule->sent++);
    if (send(connection->fd, request, (size_t)len, MSG_NOSIGNAL) != len)
        fail("cannot send");
}

/* Sends what is due and has a free connection, and sets the timer for the next. */
static void send_due(struct schedule *schedule)
{
    struct itimerspec next = {0};
    int64_t at_ns;

    while (schedule->sent < schedule->count && schedule->free_count > 0 && due_ns(schedule, schedule->sent) <= clock_mono_ns())
        send_next(schedule);
    if (schedule->sent == schedule->count || schedule->free_count == 0)
        return;
    at_ns = due_ns(schedule, schedule->sent);
    next.it_value = (struct timespec){.tv_sec = at_ns / SECOND_NS, .tv_nsec = at_ns % SECOND_NS};
    if (timerfd_settime(schedule->timer_fd, TFD_TIMER_ABSTIME, &next, NULL) != 0)
        fail("timerfd_settime");
}

/* The status, once the whole answer is there; 0 before. */
static int answer_status(const struct connection *connection)
{
    const char *head_end = strstr(connection->answer, "\r\n\r\n"), *length;

    if (head_end == NULL)
        return 0;
    length = strcasestr(connection->answer, "\r\ncontent-length:");
    if (length == NULL || length > head_end)
        errno = EPROTO, fail("an answer without its length");
    if ((size_t)(head_end + 4 - connection->answer) + strtoul(length + strlen("\r\ncontent-length:"), NULL, 10) > connection->len)
        return 0;
    return atoi(connection->answer + strlen("HTTP/1.1 "));
}

static void on_readable(struct schedule *schedule, struct connection *connection)
{
    ssize_t got = recv(connection->fd, connection->answer + connection->len, ANSWER_BYTES - connection->len, MSG_DONTWAIT);
    int status;

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0 || !connection->is_waiting)
        errno = got < 0 ? errno : ECONNRESET, fail("a connection was closed");
    connection->len += (size_t)got;
    connection->answer[connection->len] = '\0';
    status = answer_status(connection);
    if (status == 0)
        return;
    schedule->took_ns[schedule->answered++] = clock_mono_ns() - connection->due_ns;
    schedule->created += status == 201;
    connection->is_waiting = false;
    connection->len = 0;
    schedule->free[schedule->free_count++] = connection;
}

static void run(struct schedule *schedule)
{
    struct epoll_event events[EVENTS];
    int64_t end_ns = due_ns(schedule, schedule->count) + PATIENCE_S * SECOND_NS;
    uint64_t ticks;
    int count;

    while (schedule->answered < schedule->count && clock_mono_ns() < end_ns) {
        send_due(schedule);
        count = epoll_wait(schedule->epoll_fd, events, EVENTS, 1000);
        for (int i = 0; i < count; i++)
            if (events[i].data.ptr != NULL)
                on_readable(schedule, events[i].data.ptr);
            else if (read(schedule->timer_fd, &ticks, sizeof ticks) < 0 && errno != EAGAIN)
                fail("timer");
    }
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static double at_share(const struct schedule *schedule, double share)
{
    int64_t at = (int64_t)(share * (double)schedule->answered);

    if (schedule->answered == 0)
        return 0;
    return (double)schedule->took_ns[at < schedule->answered ? at : schedule->answered - 1] / 1e6;
}

int main(int argc, char **argv)
{
    struct schedule *schedule = must_zalloc(sizeof *schedule);

    if (argc != 5 || atoi(argv[2]) < 1 || atoi(argv[3]) < 1) {
        fprintf(stderr, "usage: schedule PORT PER_SECOND SECONDS RUN\n");
        return 2;
    }
    schedule->port = atoi(argv[1]);
    schedule->per_second = atoi(argv[2]);
    schedule->count = schedule->per_second * atoi(argv[3]);
    schedule->run = atoi(argv[4]);
    schedule->took_ns = must_alloc((size_t)schedule->count * sizeof *schedule->took_ns);
    schedule->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    schedule->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (schedule->epoll_fd < 0 || schedule->timer_fd < 0)
        fail("epoll and timer");
    watch(schedule, schedule->timer_fd, NULL);
    for (int i = 0; i < CONNECTIONS; i++)
        open_connection(schedule, &schedule->connections[i]);
    schedule->begun_ns = clock_mono_ns() + SECOND_NS / 10;
    run(schedule);

    qsort(schedule->took_ns, (size_t)schedule->answered, sizeof *schedule->took_ns, by_size);
    printf("{\"sent\":%" PRId64 ",\"created\":%" PRId64 ",\"other\":%" PRId64 ",\"unanswered\":%" PRId64
           ",\"p50_ms\":%.2f,\"p90_ms\":%.2f,\"p99_ms\":%.2f,\"p999_ms\":%.2f,\"max_ms\":%.2f}\n",
           schedule->sent, schedule->created, schedule->answered - schedule->created, schedule->count - schedule->answered,
           at_share(schedule, 0.5), at_share(schedule, 0.9), at_share(schedule, 0.99), at_share(schedule, 0.999), at_share(schedule, 1));
    for (int i = 0; i < CONNECTIONS; i++)
        close(schedule->connections[i].fd);
    close(schedule->timer_fd);
    close(schedule->epoll_fd);
    free(schedule->took_ns);
    free(schedule);
    return 0;
}
