/*
 * fuzz_frame.c - any bytes as a message between stages: nothing crashes, memory stays within bounds, and what was decoded is
 * decoded again from its own encoding.
 */
#include "common/must.h"
#include "proto/frame.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The frame that the items make, opened. */
static void open_again(struct frame *frame, struct buf *message, enum frame_kind kind, const struct buf *items, size_t count)
{
    frame_head(message, kind, SPAN("router-1"), 1, count);
    buf_add_span(message, buf_span(items));
    must(frame_open(frame, buf_span(message), NULL) == 0);
    must(frame->kind == kind && frame->count == count);
}

/* One function for each kind: decodes all items, encodes them, and decodes that. Returns how many there were. */
#define THROUGH(kind)                                                                                                   \
    static size_t through_##kind(struct frame *frame, struct arena *arena, struct buf *items)                           \
    {                                                                                                                   \
        struct kind item;                                                                                               \
        struct error err;                                                                                               \
        size_t count = 0;                                                                                               \
                                                                                                                        \
        while (count < frame->count && frame_next_##kind(frame, arena, &item, &err) == 0) {                             \
            frame_put_##kind(items, &item);                                                                             \
            count++;                                                                                                    \
        }                                                                                                               \
        return count;                                                                                                   \
    }
THROUGH(lead)
THROUGH(answer)
THROUGH(delivery)
THROUGH(ping)
THROUGH(bid)
THROUGH(buyer_verdict)

static size_t through(struct frame *frame, struct arena *arena, struct buf *items)
{
    switch (frame->kind) {
    case FRAME_LEADS:
        return through_lead(frame, arena, items);
    case FRAME_ANSWERS:
        return through_answer(frame, arena, items);
    case FRAME_DELIVERIES:
        return through_delivery(frame, arena, items);
    case FRAME_PINGS:
        return through_ping(frame, arena, items);
    case FRAME_BIDS:
        return through_bid(frame, arena, items);
    case FRAME_VERDICTS:
        return through_buyer_verdict(frame, arena, items);
    }
    must(!"a kind that was not refused");
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct buf *items = buf_new(1024), *again = buf_new(1024), *message = buf_new(1024);
    struct frame frame, second;
    struct error err;

    if (frame_open(&frame, (struct span){(const char *)data, size}, &err) == 0) {
        size_t count = through(&frame, arena, items);

        open_again(&second, message, frame.kind, items, count);
        must(through(&second, arena, again) == count);
        must(span_equal(buf_span(items), buf_span(again)));
        frame_close(&second);
    } else {
        must(err.text[0] != '\0');
    }
    frame_close(&frame);
    buf_free(&message);
    buf_free(&again);
    buf_free(&items);
    arena_free(&arena);
    return 0;
}
