/*
 * frame.h - what crosses a process border: lists of leads, answers, deliveries, pings, bids or verdicts, in msgpack.
 *
 * A frame is one ZeroMQ part: [major, kind, sender, sent_at_ms, [item, …]]. major is FRAME_MAJOR; frames of the neighbouring
 * versions are read, others refused. kind is a number of enum frame_kind. An item is a map of small integers to values,
 * described in lead.def, answer.def, delivery.def, ping.def, bid.def, buyer_verdict.def: unknown keys are skipped, a missing required one refuses the frame.
 *
 * Values: UUID and BYTES are bin, TEXT is str (UTF-8), INT int, BOOL bool; FIELDS is [[name, kind, text], …],
 * ERRORS is [[field, code, op, message], …]. Decoded text borrows the frame's bytes, lists live in the arena.
 */
#ifndef LEADLINE_PROTO_FRAME_H
#define LEADLINE_PROTO_FRAME_H

#include "common/arena.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/uuid.h"
#include "proto/field.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    FRAME_MAJOR = 2,
    FRAME_BYTES_WANTED = 128 * 1024, /* a writer begins another frame when one has this size */
    ITEM_BYTES_LEAST = 20,           /* each has at least an id */
    LEFT_MS_MOST = 10 * 60 * 1000,   /* whoever says more is wrong */
};

enum frame_kind {
    FRAME_LEADS = 1,
    FRAME_ANSWERS = 2,
    FRAME_DELIVERIES = 3,
    FRAME_PINGS = 4,
    FRAME_BIDS = 5,
    FRAME_VERDICTS = 6,
};

enum { FRAME_KINDS = FRAME_VERDICTS + 1 };

/* What the supplier asks for, in struct lead. */
enum lead_mode {
    MODE_INGEST = 0,
    MODE_PING = 1,
    MODE_FULL = 2,
    MODE_ADOPTED = 3, /* recorded as DISTRIBUTING by another router; in no frame */
};

#define FRAME_C_UUID struct uuid
#define FRAME_C_TEXT struct span
#define FRAME_C_BYTES struct span
#define FRAME_C_INT int64_t
#define FRAME_C_BOOL bool
#define FRAME_C_FIELDS struct field_list
#define FRAME_C_ERRORS struct field_errors
#define FIELD(key, type, name, need, meaning) FRAME_C_##type name;

struct lead {
#include "proto/lead.def"
};

struct answer {
#include "proto/answer.def"
};

struct delivery {
#include "proto/delivery.def"
};

struct ping {
#include "proto/ping.def"
};

struct bid {
#include "proto/bid.def"
};

struct buyer_verdict {
#include "proto/buyer_verdict.def"
};

#undef FIELD

/* An opened frame: who sent it, when, and its items one after another. */
struct frame {
    enum frame_kind kind;
    struct span sender;
    int64_t sent_at_ms; /* sender's wall clock */
    size_t count;
    size_t bytes; /* of the whole message */
    struct frame_reader *reader;
};

/*
 * Opens the bytes of one message.
 *
 * message  borrowed; lives as long as what is decoded from it
 * Returns 0, or -1 with *err when it is no frame, of an unknown major version, or damaged.
 * frame->sender is set as far as it could be read, for the log. frame_close() in either case.
 */
int frame_open(struct frame *frame, struct span message, struct error *err);

/* Milliseconds since it was sent, 0 or more, for moments that are milliseconds since 1970 UTC. Clocks of two hosts may differ. */
int64_t frame_age_ms(const struct frame *frame, int64_t now_ms);

/* What is left of a lead's time that had this much when its frame was sent: 0 when it is over, at most LEFT_MS_MOST. */
int64_t frame_left_ms(const struct frame *frame, int64_t now_ms, int64_t left_ms);

/* Frees the reader; what was decoded stays. */
void frame_close(struct frame *frame);

/* Decodes the next item of the frame's kind. Returns 0, or -1 with *err when it is damaged (the frame is then dropped whole). */
int frame_next_lead(struct frame *frame, struct arena *arena, struct lead *lead, struct error *err);
int frame_next_answer(struct frame *frame, struct arena *arena, struct answer *answer, struct error *err);
int frame_next_delivery(struct frame *frame, struct arena *arena, struct delivery *delivery, struct error *err);
int frame_next_ping(struct frame *frame, struct arena *arena, struct ping *ping, struct error *err);
int frame_next_bid(struct frame *frame, struct arena *arena, struct bid *bid, struct error *err);
int frame_next_buyer_verdict(struct frame *frame, struct arena *arena, struct buyer_verdict *verdict, struct error *err);

/* Appends one encoded item to out: what frame_head() is put before. */
void frame_put_lead(struct buf *out, const struct lead *lead);
void frame_put_answer(struct buf *out, const struct answer *answer);
void frame_put_delivery(struct buf *out, const struct delivery *delivery);
void frame_put_ping(struct buf *out, const struct ping *ping);
void frame_put_bid(struct buf *out, const struct bid *bid);
void frame_put_buyer_verdict(struct buf *out, const struct buyer_verdict *verdict);

/* Appends the beginning of a frame that holds so many items, which must follow. */
void frame_head(struct buf *out, enum frame_kind kind, struct span sender, int64_t sent_at_ms, size_t count);

#endif
