/*
 * loop.h - the one loop of a process: descriptors, timers, signals and callbacks.
 *
 * Built on epoll, timerfd and signalfd. The gateway's outer loop is h2o's: it watches
 * loop_fd(), which is readable when anything here is due, and calls loop_turn().
 *
 * A callback may unwatch or free anything, also itself.
 */
#ifndef LEADLINE_COMMON_LOOP_H
#define LEADLINE_COMMON_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_io;
struct loop_timer;

enum { LOOP_READ = 1, LOOP_WRITE = 2 }; /* an error or hang-up is told as both */

typedef void loop_io_fn(void *ctx, unsigned events);
typedef void loop_fn(void *ctx);
typedef void loop_signal_fn(void *ctx, int signal);

struct loop *loop_new(void);
void loop_free(struct loop **loop);

/* Calls fn when the descriptor is ready for one of events (level-triggered). The descriptor stays the caller's. */
struct loop_io *loop_watch(struct loop *loop, int fd, unsigned events, loop_io_fn *fn, void *ctx);
void loop_set_events(struct loop_io *io, unsigned events);
void loop_unwatch(struct loop_io **io); /* before the descriptor is closed */

/* A timer, not running; owned by the caller. */
struct loop_timer *loop_timer_new(struct loop *loop, loop_fn *fn, void *ctx);
void loop_timer_free(struct loop_timer **timer);

/* Runs it once after delay_ms (0: in this turn or the next), then every repeat_ms (0: never again). Replaces what was set. */
void loop_timer_set(struct loop_timer *timer, int64_t delay_ms, int64_t repeat_ms);
void loop_timer_stop(struct loop_timer *timer);
bool loop_timer_is_set(const struct loop_timer *timer);

/* Blocks TERM, INT and HUP for the process; call before any other thread exists. */
void loop_block_signals(void);

/* Gives those signals to fn from now on. */
void loop_on_signal(struct loop *loop, loop_signal_fn *fn, void *ctx);

/* fn is called at the end of every turn, in the order of registration: where what was gathered is sent. */
void loop_on_turn_end(struct loop *loop, loop_fn *fn, void *ctx);

/* One turn: waits for at most timeout_ms (-1: for ever), calls what is ready and due, then the turn's end. */
void loop_turn(struct loop *loop, int timeout_ms);

/* Turns until loop_stop(). */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
bool loop_is_stopped(const struct loop *loop);

/* Readable when a turn has something to do. Borrowed. */
int loop_fd(const struct loop *loop);

#endif
