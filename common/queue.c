#include "common/queue.h"

#include "common/must.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

enum { MESSAGES_A_TURN = 16, HEARTBEAT_MS = 300, SILENCE_MS = 1000, RECONNECT_MS = 50, RECONNECT_MOST_MS = 1000 };

/* One context a process, ended when the last queue is closed. */
static void *context;
static int context_users;

static void *context_take(void)
{
    if (context == NULL) {
        context = zmq_ctx_new();
        must(context != NULL);
        zmq_ctx_set(context, ZMQ_MAX_SOCKETS, 4096);
    }
    context_users++;
    return context;
}

static void context_give_back(void)
{
    if (--context_users == 0) {
        zmq_ctx_term(context);
        context = NULL;
    }
}

static void set(void *socket, int option, int value)
{
    must(zmq_setsockopt(socket, option, &value, sizeof value) == 0);
}

static int get(void *socket, int option)
{
    int value = 0;
    size_t size = sizeof value;

    must(zmq_getsockopt(socket, option, &value, &size) == 0);
    return value;
}

static void set_heartbeat(void *socket)
{
    set(socket, ZMQ_HEARTBEAT_IVL, HEARTBEAT_MS);
    set(socket, ZMQ_HEARTBEAT_TIMEOUT, SILENCE_MS);
    set(socket, ZMQ_HEARTBEAT_TTL, SILENCE_MS);
    set(socket, ZMQ_HANDSHAKE_IVL, SILENCE_MS);
}

/* Reader ------------------------------------------------------------------------------------------------------------ */

struct queue_in {
    void *socket;
    struct loop_io *io;
    struct loop_timer *again; /* ZMQ_FD tells only of changes: what is left over is taken in the next turn */
    queue_message_fn *on_message;
    queue_odd_fn *on_odd;
    void *ctx;
    char *endpoint;
    bool is_paused;
};

/* Reads what is left of a message of several parts, away. */
static void drop_parts(struct queue_in *in)
{
    zmq_msg_t part;

    while (get(in->socket, ZMQ_RCVMORE)) {
        zmq_msg_init(&part);
        if (zmq_msg_recv(&part, in->socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&part);
            return;
        }
        zmq_msg_close(&part);
    }
}

/* Takes one message. Returns 0, or -1 when there is none. */
static int take(struct queue_in *in)
{
    zmq_msg_t message;

    zmq_msg_init(&message);
    if (zmq_msg_recv(&message, in->socket, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&message);
        return -1;
    }
    if (get(in->socket, ZMQ_RCVMORE)) {
        drop_parts(in);
        in->on_odd(in->ctx, "several parts", zmq_msg_size(&message));
    } else if (zmq_msg_size(&message) > QUEUE_MESSAGE_MOST) {
        in->on_odd(in->ctx, "too large", zmq_msg_size(&message));
    } else {
        in->on_message(in->ctx, (struct span){zmq_msg_data(&message), zmq_msg_size(&message)});
    }
    zmq_msg_close(&message);
    return 0;
}

static void drain(void *ctx)
{
    struct queue_in *in = ctx;
    int taken = 0;

    while (!in->is_paused && taken < MESSAGES_A_TURN && take(in) == 0)
        taken++;
    if (!in->is_paused && taken == MESSAGES_A_TURN)
        loop_timer_set(in->again, 0, 0);
}

static void on_readable(void *ctx, unsigned events)
{
    (void)events;
    drain(ctx);
}

struct queue_in *queue_bind(struct loop *loop, const char *endpoint, queue_message_fn *on_message, queue_odd_fn *on_odd,
                            void *ctx, struct error *err)
{
    struct queue_in *in = must_zalloc(sizeof *in);
    mode_t before;
    int rc;

    in->socket = zmq_socket(context_take(), ZMQ_PULL);
    must(in->socket != NULL);
    set(in->socket, ZMQ_LINGER, 0);
    set(in->socket, ZMQ_RCVHWM, QUEUE_MESSAGES_MOST);
    set(in->socket, ZMQ_IPV6, 1);
    int64_t most = 8 * QUEUE_MESSAGE_MOST; /* larger ones end the connection; those between are told by on_odd */
    must(zmq_setsockopt(in->socket, ZMQ_MAXMSGSIZE, &most, sizeof most) == 0);
    set_heartbeat(in->socket);
    before = umask(0007); /* the daemons' common group may write */
    rc = zmq_bind(in->socket, endpoint);
    umask(before);
    if (rc != 0) {
        error_set(err, "cannot bind %s: %s", endpoint, zmq_strerror(errno));
        zmq_close(in->socket);
        context_give_back();
        free(in);
        return NULL;
    }
    in->endpoint = must_copy(endpoint, strlen(endpoint));
    in->on_message = on_message;
    in->on_odd = on_odd;
    in->ctx = ctx;
    in->again = loop_timer_new(loop, drain, in);
    in->io = loop_watch(loop, get(in->socket, ZMQ_FD), LOOP_READ, on_readable, in);
    loop_timer_set(in->again, 0, 0);
    return in;
}

void queue_pause(struct queue_in *in)
{
    in->is_paused = true;
}

void queue_resume(struct queue_in *in)
{
    if (in->is_paused) {
        in->is_paused = false;
        loop_timer_set(in->again, 0, 0);
    }
}

void queue_unbind(struct queue_in *in)
{
    zmq_unbind(in->socket, in->endpoint);
}

void queue_in_close(struct queue_in **in)
{
    if (*in == NULL)
        return;
    loop_unwatch(&(*in)->io);
    loop_timer_free(&(*in)->again);
    zmq_close((*in)->socket);
    context_give_back();
    free((*in)->endpoint);
    free(*in);
    *in = NULL;
}

/* Writer ------------------------------------------------------------------------------------------------------------ */

struct queue_out {
    void *socket;
    void *monitor; /* tells when the handshake is done and when the connection is gone */
    struct loop_io *monitor_io;
    queue_state_fn *on_state;
    void *ctx;
    bool is_up;
};

/* Reads one event of the monitor: event number and value, then the address. Returns the number, or 0 when there is none. */
static int monitor_event(struct queue_out *out)
{
    zmq_msg_t part;
    uint16_t event = 0;

    zmq_msg_init(&part);
    if (zmq_msg_recv(&part, out->monitor, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&part);
        return 0;
    }
    if (zmq_msg_size(&part) >= sizeof event)
        memcpy(&event, zmq_msg_data(&part), sizeof event);
    while (zmq_msg_more(&part)) {
        zmq_msg_close(&part);
        zmq_msg_init(&part);
        if (zmq_msg_recv(&part, out->monitor, ZMQ_DONTWAIT) < 0)
            break;
    }
    zmq_msg_close(&part);
    return event;
}

static void on_monitor(void *ctx, unsigned events)
{
    struct queue_out *out = ctx;
    int event;

    (void)events;
    while ((event = monitor_event(out)) != 0) {
        bool is_up = event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED;

        if (is_up != out->is_up && (is_up || event == ZMQ_EVENT_DISCONNECTED)) {
            out->is_up = is_up;
            out->on_state(out->ctx, is_up);
        }
    }
}

struct queue_out *queue_connect(struct loop *loop, const char *endpoint, queue_state_fn *on_state, void *ctx)
{
    static unsigned long number;
    struct queue_out *out = must_zalloc(sizeof *out);
    char monitor[64];

    out->on_state = on_state;
    out->ctx = ctx;
    out->socket = zmq_socket(context_take(), ZMQ_PUSH);
    must(out->socket != NULL);
    set(out->socket, ZMQ_IMMEDIATE, 1);
    set(out->socket, ZMQ_LINGER, 0);
    set(out->socket, ZMQ_SNDHWM, QUEUE_MESSAGES_MOST);
    set(out->socket, ZMQ_SNDTIMEO, 0);
    set(out->socket, ZMQ_RECONNECT_IVL, RECONNECT_MS);
    set(out->socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MOST_MS);
    set(out->socket, ZMQ_IPV6, 1);
    set_heartbeat(out->socket);
    snprintf(monitor, sizeof monitor, "inproc://monitor-%lu", ++number);
    must(zmq_socket_monitor(out->socket, monitor, ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED) == 0);
    out->monitor = zmq_socket(context, ZMQ_PAIR);
    must(out->monitor != NULL);
    set(out->monitor, ZMQ_LINGER, 0);
    must(zmq_connect(out->monitor, monitor) == 0);
    out->monitor_io = loop_watch(loop, get(out->monitor, ZMQ_FD), LOOP_READ, on_monitor, out);
    monitor_event(out); /* there is none yet, but ZMQ_FD tells only those of the next who found nothing before */
    zmq_connect(out->socket, endpoint); /* a wrong address never comes up */
    return out;
}

bool queue_is_up(const struct queue_out *out)
{
    return out->is_up;
}

int queue_push(struct queue_out *out, struct span message)
{
    if (!out->is_up || message.len > QUEUE_MESSAGE_MOST)
        return -1;
    return zmq_send(out->socket, message.ptr, message.len, ZMQ_DONTWAIT) < 0 ? -1 : 0;
}

void queue_out_close(struct queue_out **out, bool linger)
{
    if (*out == NULL)
        return;
    loop_unwatch(&(*out)->monitor_io);
    zmq_socket_monitor((*out)->socket, NULL, 0);
    zmq_close((*out)->monitor);
    if (linger)
        set((*out)->socket, ZMQ_LINGER, 1000);
    zmq_close((*out)->socket);
    context_give_back();
    free(*out);
    *out = NULL;
}
