#include "common/http_client.h"

#include "common/clock.h"
#include "common/http_exchange.h"
#include "common/map.h"
#include "common/must.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    LOOK_MS = 50,          /* how often the time of waiting requests is looked at */
    LEAST_MS = 10,         /* what waited until less is left is not worth sending */
};

/* One request and who asked for it. */
struct slot {
    TAILQ_ENTRY(slot) link; /* in exactly one of the lists below */
    struct http_client *client;
    struct host *host; /* NULL when the request never got so far */
    struct exchange *exchange;
    http_answer_fn *fn;
    void *ctx;
    const char *error; /* of a request that failed before it was sent */
    int64_t sent_ms;   /* monotonic: when http_client_send() was called */
    int64_t began_ms;  /* monotonic: when it went out; 0: it waits */
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
    char *user_agent, *ca_file; /* the options' */
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
        if (slot->exchange->own_port == ntohs(own.sin6_port))
            slot->exchange->is_taken = true;
}

/* Curl is done with it, perhaps because it has seen the end while it worked on something else. */
static int close_socket(void *ctx, curl_socket_t fd)
{
    look_for_end(ctx, fd);
    return close(fd);
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

/* Slots and hosts --------------------------------------------------------------------------------------------------- */

static struct slot *take_slot(struct http_client *self)
{
    struct slot *slot = TAILQ_FIRST(&self->unused);

    if (slot != NULL) {
        TAILQ_REMOVE(&self->unused, slot, link);
        return slot;
    }
    slot = must_zalloc(sizeof *slot);
    slot->client = self;
    slot->exchange = exchange_open(slot, &self->options);
    must(curl_easy_setopt(slot->exchange->easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket) == CURLE_OK);
    must(curl_easy_setopt(slot->exchange->easy, CURLOPT_CLOSESOCKETDATA, self) == CURLE_OK);
    return slot;
}

static void give_back(struct slot *slot)
{
    exchange_shrink(slot->exchange);
    TAILQ_INSERT_HEAD(&slot->client->unused, slot, link);
}

static void free_slot(struct slot *slot)
{
    exchange_close(&slot->exchange);
    free(slot);
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

static void begin(struct slot *slot, int64_t left_ms)
{
    struct http_client *self = slot->client;

    slot->began_ms = clock_mono_ms();
    exchange_begin(slot->exchange, left_ms);
    TAILQ_INSERT_TAIL(&self->running, slot, link);
    self->open++;
    slot->host->open++;
    must(curl_multi_add_handle(self->multi, slot->exchange->easy) == CURLM_OK); /* goes on in the loop, by its timer */
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
        int64_t left_ms = slot->sent_ms + slot->exchange->timeout_ms - clock_mono_ms();

        TAILQ_REMOVE(&self->ready, host, link);
        host->is_ready = false;
        TAILQ_REMOVE(&host->waiting, slot, link);
        self->waiting--;
        if (left_ms < LEAST_MS && left_ms < slot->exchange->timeout_ms / 2)
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
    slot->sent_ms = clock_mono_ms();
    slot->began_ms = 0;
    self->busy++;
    if (!exchange_take(slot->exchange, request)) {
        fail(slot, "bad_request");
        return;
    }
    slot->host = find_host(self, exchange_host(slot->exchange));
    TAILQ_INSERT_TAIL(&slot->host->waiting, slot, link);
    self->waiting++;
    settle_host(self, slot->host);
    begin_waiting(self);
}

/* Answers ----------------------------------------------------------------------------------------------------------- */

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

    curl_multi_remove_handle(self->multi, slot->exchange->easy);
    TAILQ_REMOVE(&self->running, slot, link);
    self->open--;
    slot->host->open--;
    settle_host(self, slot->host);
    slot->host = NULL;
}

static void on_done(struct slot *slot, CURLcode code)
{
    struct http_answer answer = {.error = exchange_error(slot->exchange, code)};

    end(slot);
    if (answer.error != NULL) {
        call_back_error(slot, answer.error);
        return;
    }
    exchange_read(slot->exchange, &answer);
    answer.took_ms = clock_mono_ms() - slot->began_ms;
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
        if (message->msg == CURLMSG_DONE)
            on_done(exchange_owner(message->easy_handle), message->data.result);
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
            if (now_ms - slot->sent_ms < slot->exchange->timeout_ms)
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
    self->options.user_agent = self->user_agent = must_copy(agent, strlen(agent));
    self->options.ca_file = self->ca_file = options->ca_file != NULL ? must_copy(options->ca_file, strlen(options->ca_file)) : NULL;
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
