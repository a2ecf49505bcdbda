/*
 * queue.h - messages between processes over ZeroMQ: a reader binds, writers connect.
 *
 * A message is one part. It is a hint and may get lost: when the neighbour dies, everything on its
 * way is gone, and whoever sent it is told that the neighbour is gone. Nothing here blocks.
 *
 * A queue is not closed inside its own callbacks.
 *
 * Alive means a finished ZMTP handshake and heartbeats (every 300 ms; silence of 1 s ends the connection).
 */
#ifndef LEADLINE_COMMON_QUEUE_H
#define LEADLINE_COMMON_QUEUE_H

#include "common/buf.h"
#include "common/error.h"
#include "common/loop.h"
#include "common/span.h"

#include <stdbool.h>

enum {
    QUEUE_MESSAGE_MOST = 1 << 20, /* bytes of one message; a larger one is not sent, and a peer that sends it is cut off */
    QUEUE_MESSAGES_MOST = 64,     /* messages waiting at each end of a connection */
};

struct queue_in;
struct queue_out;

/* A message that came; its bytes are borrowed for the call. */
typedef void queue_message_fn(void *ctx, struct span message);

/* Messages of more than one part or over QUEUE_MESSAGE_MOST came and were dropped. */
typedef void queue_odd_fn(void *ctx, const char *what, size_t bytes);

/*
 * Binds an endpoint ("ipc:///run/leadline/router-1.sock") and reads from it.
 * Returns the queue, owned by the caller, or NULL with *err.
 */
struct queue_in *queue_bind(struct loop *loop, const char *endpoint, queue_message_fn *on_message, queue_odd_fn *on_odd,
                            void *ctx, struct error *err);

/* Stops taking messages (writers feel it when their high-water mark is reached), and goes on. */
void queue_pause(struct queue_in *in);
void queue_resume(struct queue_in *in);

/* Takes no new connections; messages of the present ones still come. */
void queue_unbind(struct queue_in *in);
void queue_in_close(struct queue_in **in);

typedef void queue_state_fn(void *ctx, bool is_up);

/* Connects to a reader, for as long as the queue lives; on_state tells when it is there and when it is gone. */
struct queue_out *queue_connect(struct loop *loop, const char *endpoint, queue_state_fn *on_state, void *ctx);
bool queue_is_up(const struct queue_out *out);

/* Sends the message. Returns 0, or -1 when nobody reads there or the high-water mark is reached. */
int queue_push(struct queue_out *out, struct span message);

/* Closes; what was pushed is still given to the neighbour when linger is true (for at most 1 s). */
void queue_out_close(struct queue_out **out, bool linger);

#endif
