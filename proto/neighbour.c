#include "proto/neighbour.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/map.h"
#include "common/must.h"
#include "common/queue.h"

#include <stdlib.h>
#include <string.h>

enum { RETRY_MS = 5, KINDS = FRAME_KINDS };

/* A finished frame that waits for room. */
struct parcel {
    struct parcel *next;
    struct buf *bytes;
};

struct neighbour {
    struct neighbours *all;
    struct neighbour *next;
    char *name;
    char *endpoint;
    struct queue_out *queue;
    bool is_up;
    bool is_stopping;
    bool is_listed; /* in the registry's last answer */
    struct buf *items[KINDS]; /* gathered in this turn, one list a kind */
    size_t item_count[KINDS];
    struct parcel *first, **last; /* waiting frames */
    size_t waiting_bytes;
};

struct neighbours {
    struct loop *loop;
    const char *stage;
    struct span sender;
    neighbour_state_fn *on_state;
    void *ctx;
    struct neighbour *first;
    struct neighbour *turn; /* who was last in turn */
    struct loop_timer *retry;
};

static void drop_waiting(struct neighbour *n)
{
    struct parcel *parcel;

    while ((parcel = n->first) != NULL) {
        n->first = parcel->next;
        buf_free(&parcel->bytes);
        free(parcel);
    }
    n->last = &n->first;
    n->waiting_bytes = 0;
    for (int kind = 0; kind < KINDS; kind++) {
        if (n->items[kind] != NULL)
            n->items[kind]->len = 0;
        n->item_count[kind] = 0;
    }
}

static void on_queue_state(void *ctx, bool is_up)
{
    struct neighbour *n = ctx;

    n->is_up = is_up;
    log_event(LOG_INFO, is_up ? "neighbour.up" : "neighbour.gone", "neighbour=%s of=%s endpoint=%s", n->name, n->all->stage,
              n->endpoint);
    if (!is_up)
        drop_waiting(n);
    n->all->on_state(n->all->ctx, n, is_up);
}

/* Sends what waits, in order. */
static void send_waiting(struct neighbour *n)
{
    struct parcel *parcel;

    while ((parcel = n->first) != NULL) {
        if (queue_push(n->queue, buf_span(parcel->bytes)) != 0) {
            loop_timer_set(n->all->retry, RETRY_MS, 0);
            return;
        }
        n->first = parcel->next;
        if (n->first == NULL)
            n->last = &n->first;
        n->waiting_bytes -= parcel->bytes->len;
        buf_free(&parcel->bytes);
        free(parcel);
    }
}

/* Makes a frame of what was gathered of one kind, and puts it behind the waiting ones. */
static void wrap(struct neighbour *n, enum frame_kind kind)
{
    struct parcel *parcel = must_zalloc(sizeof *parcel);

    parcel->bytes = buf_new(n->items[kind]->len + 128);
    frame_head(parcel->bytes, kind, n->all->sender, clock_wall_ms(), n->item_count[kind]);
    buf_add_span(parcel->bytes, buf_span(n->items[kind]));
    *n->last = parcel;
    n->last = &parcel->next;
    n->waiting_bytes += parcel->bytes->len;
    n->items[kind]->len = 0;
    n->item_count[kind] = 0;
}

static void flush(void *ctx)
{
    struct neighbours *all = ctx;

    for (struct neighbour *n = all->first; n != NULL; n = n->next) {
        for (int kind = 0; kind < KINDS; kind++)
            if (n->item_count[kind] > 0)
                wrap(n, (enum frame_kind)kind);
        if (n->is_up && n->first != NULL)
            send_waiting(n);
    }
}

struct neighbours *neighbours_new(struct loop *loop, const char *stage, const char *sender, neighbour_state_fn *on_state, void *ctx)
{
    struct neighbours *all = must_zalloc(sizeof *all);

    all->loop = loop;
    all->stage = stage;
    all->sender = span_of(sender);
    all->on_state = on_state;
    all->ctx = ctx;
    all->retry = loop_timer_new(loop, flush, all);
    loop_on_turn_end(loop, flush, all);
    return all;
}

static void neighbour_free(struct neighbour *n)
{
    queue_out_close(&n->queue, true);
    drop_waiting(n);
    for (int kind = 0; kind < KINDS; kind++)
        buf_free(&n->items[kind]);
    free(n->name);
    free(n->endpoint);
    free(n);
}

void neighbours_free(struct neighbours **all)
{
    struct neighbour *n;

    if (*all == NULL)
        return;
    flush(*all);
    while ((n = (*all)->first) != NULL) {
        (*all)->first = n->next;
        neighbour_free(n);
    }
    loop_timer_free(&(*all)->retry);
    free(*all);
    *all = NULL;
}

static struct neighbour *find(struct neighbours *all, struct span name)
{
    for (struct neighbour *n = all->first; n != NULL; n = n->next)
        if (span_is(name, n->name))
            return n;
    return NULL;
}

static void take_out(struct neighbours *all, struct neighbour *gone)
{
    struct neighbour **at = &all->first;

    while (*at != gone)
        at = &(*at)->next;
    *at = gone->next;
    if (all->turn == gone)
        all->turn = NULL;
    if (gone->is_up) {
        gone->is_up = false;
        all->on_state(all->ctx, gone, false);
    }
    neighbour_free(gone);
}

static void add(struct neighbours *all, const struct neighbour_row *row)
{
    struct neighbour *n = must_zalloc(sizeof *n);
    struct neighbour **end = &all->first;

    n->all = all;
    n->name = must_copy(row->name.ptr, row->name.len);
    n->endpoint = must_copy(row->endpoint.ptr, row->endpoint.len);
    n->last = &n->first;
    n->is_listed = true;
    n->is_stopping = row->is_stopping;
    while (*end != NULL)
        end = &(*end)->next;
    *end = n;
    n->queue = queue_connect(all->loop, n->endpoint, on_queue_state, n);
}

void neighbours_update(struct neighbours *all, const struct neighbour_row *rows, size_t count)
{
    struct neighbour *n, *next;

    for (n = all->first; n != NULL; n = n->next)
        n->is_listed = false;
    for (size_t i = 0; i < count; i++) {
        n = find(all, rows[i].name);
        if (n != NULL && !span_is(rows[i].endpoint, n->endpoint)) { /* the name moved to another place */
            take_out(all, n);
            n = NULL;
        }
        if (n == NULL && rows[i].is_fresh && !rows[i].is_stopping)
            add(all, &rows[i]);
        if (n != NULL) {
            n->is_stopping = rows[i].is_stopping;
            n->is_listed = rows[i].is_fresh;
        }
    }
    for (n = all->first; n != NULL; n = next) {
        next = n->next;
        if (!n->is_listed && !n->is_up)
            take_out(all, n);
    }
}

struct neighbour *neighbours_by_turn(struct neighbours *all)
{
    struct neighbour *n = all->turn;

    for (struct neighbour *tried = all->first; tried != NULL; tried = tried->next) {
        n = n != NULL && n->next != NULL ? n->next : all->first;
        if (n->is_up && !n->is_stopping && n->waiting_bytes < OUTBOX_BYTES)
            return all->turn = n;
    }
    return NULL;
}

/* Highest random weight (Thaler and Ravishankar, 1998): everybody who knows the same names finds the same owner. */
static uint64_t rank(struct span key, struct span name)
{
    return map_hash(name, map_hash(key, 0));
}

struct neighbour *neighbours_by_key(struct neighbours *all, struct span key)
{
    struct neighbour *best = NULL;
    uint64_t best_rank = 0;

    for (struct neighbour *n = all->first; n != NULL; n = n->next) {
        uint64_t own = rank(key, span_of(n->name));

        if (n->is_up && !n->is_stopping && (best == NULL || own > best_rank)) {
            best = n;
            best_rank = own;
        }
    }
    return best;
}

bool rendezvous_is_mine(struct span key, struct span me, const struct span *names, size_t count)
{
    uint64_t mine = rank(key, me);

    for (size_t i = 0; i < count; i++)
        if (!span_equal(names[i], me) && rank(key, names[i]) > mine)
            return false;
    return true;
}

struct neighbour *neighbours_by_name(struct neighbours *all, struct span name)
{
    struct neighbour *n = find(all, name);

    return n != NULL && n->is_up ? n : NULL;
}

size_t neighbours_up(const struct neighbours *all)
{
    size_t up = 0;

    for (struct neighbour *n = all->first; n != NULL; n = n->next)
        up += n->is_up && !n->is_stopping;
    return up;
}

size_t neighbours_waiting(const struct neighbours *all)
{
    size_t bytes = 0;

    for (struct neighbour *n = all->first; n != NULL; n = n->next)
        bytes += n->is_up ? n->waiting_bytes : 0;
    return bytes;
}

struct span neighbour_name(const struct neighbour *neighbour)
{
    return span_of(neighbour->name);
}

int neighbour_add(struct neighbour *n, enum frame_kind kind, struct span item)
{
    if (!n->is_up || n->waiting_bytes >= OUTBOX_BYTES)
        return -1;
    if (n->items[kind] == NULL)
        n->items[kind] = buf_new(4096);
    if (n->item_count[kind] > 0 && n->items[kind]->len + item.len > FRAME_BYTES_WANTED)
        wrap(n, kind);
    buf_add_span(n->items[kind], item);
    n->item_count[kind]++;
    return 0;
}
