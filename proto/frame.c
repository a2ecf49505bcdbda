#include "proto/frame.h"

#include "common/must.h"
#include "proto/frame_bound.h"

#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

/* Writing ----------------------------------------------------------------------------------------------------------- */

static int write_bytes(void *data, const char *bytes, size_t len)
{
    buf_add(data, bytes, len);
    return 0;
}

static void put_text(msgpack_packer *packer, struct span text)
{
    msgpack_pack_str_with_body(packer, text.ptr != NULL ? text.ptr : "", text.len);
}

static void put_TEXT(msgpack_packer *packer, const struct span *text)
{
    put_text(packer, *text);
}

static void put_BYTES(msgpack_packer *packer, const struct span *bytes)
{
    msgpack_pack_bin_with_body(packer, bytes->ptr != NULL ? bytes->ptr : "", bytes->len);
}

static void put_UUID(msgpack_packer *packer, const struct uuid *id)
{
    msgpack_pack_bin_with_body(packer, id->bytes, sizeof id->bytes);
}

static void put_INT(msgpack_packer *packer, const int64_t *value)
{
    msgpack_pack_int64(packer, *value);
}

static void put_BOOL(msgpack_packer *packer, const bool *value)
{
    if (*value)
        msgpack_pack_true(packer);
    else
        msgpack_pack_false(packer);
}

static void put_FIELDS(msgpack_packer *packer, const struct field_list *fields)
{
    msgpack_pack_array(packer, fields->count);
    for (size_t i = 0; i < fields->count; i++) {
        msgpack_pack_array(packer, 3);
        put_text(packer, fields->items[i].name);
        msgpack_pack_int(packer, fields->items[i].kind);
        put_text(packer, fields->items[i].text);
    }
}

static void put_ERRORS(msgpack_packer *packer, const struct field_errors *errors)
{
    msgpack_pack_array(packer, errors->count);
    for (size_t i = 0; i < errors->count; i++) {
        msgpack_pack_array(packer, 4);
        put_text(packer, errors->items[i].field);
        put_text(packer, errors->items[i].code);
        if (errors->items[i].op.ptr != NULL)
            put_text(packer, errors->items[i].op);
        else
            msgpack_pack_nil(packer);
        put_text(packer, errors->items[i].message);
    }
}

static bool is_absent_TEXT(const struct span *text) { return text->len == 0; }
static bool is_absent_BYTES(const struct span *bytes) { return bytes->len == 0; }
static bool is_absent_UUID(const struct uuid *id) { return uuid_is_nil(id); }
static bool is_absent_INT(const int64_t *value) { return *value == 0; }
static bool is_absent_BOOL(const bool *value) { return !*value; }
static bool is_absent_FIELDS(const struct field_list *fields) { return fields->count == 0; }
static bool is_absent_ERRORS(const struct field_errors *errors) { return errors->count == 0; }

void frame_head(struct buf *out, enum frame_kind kind, struct span sender, int64_t sent_at_ms, size_t count)
{
    msgpack_packer packer;

    msgpack_packer_init(&packer, out, write_bytes);
    msgpack_pack_array(&packer, 5);
    msgpack_pack_int(&packer, FRAME_MAJOR);
    msgpack_pack_int(&packer, kind);
    put_text(&packer, sender);
    msgpack_pack_int64(&packer, sent_at_ms);
    msgpack_pack_array(&packer, count);
}

/* Reading ----------------------------------------------------------------------------------------------------------- */

struct frame_reader {
    msgpack_unpacked unpacked;
    const msgpack_object *items;
    size_t next;
};

static int get_INT(struct arena *arena, const msgpack_object *object, int64_t *out)
{
    (void)arena;
    if (object->type == MSGPACK_OBJECT_POSITIVE_INTEGER && object->via.u64 <= INT64_MAX)
        *out = (int64_t)object->via.u64;
    else if (object->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
        *out = object->via.i64;
    else
        return -1;
    return 0;
}

static int get_BOOL(struct arena *arena, const msgpack_object *object, bool *out)
{
    (void)arena;
    if (object->type != MSGPACK_OBJECT_BOOLEAN)
        return -1;
    *out = object->via.boolean;
    return 0;
}

static int get_TEXT(struct arena *arena, const msgpack_object *object, struct span *out)
{
    (void)arena;
    if (object->type != MSGPACK_OBJECT_STR)
        return -1;
    *out = (struct span){object->via.str.ptr, object->via.str.size};
    return span_is_utf8(*out) ? 0 : -1;
}

static int get_BYTES(struct arena *arena, const msgpack_object *object, struct span *out)
{
    (void)arena;
    if (object->type != MSGPACK_OBJECT_BIN)
        return -1;
    *out = (struct span){object->via.bin.ptr, object->via.bin.size};
    return 0;
}

static int get_UUID(struct arena *arena, const msgpack_object *object, struct uuid *out)
{
    struct span bytes;

    if (get_BYTES(arena, object, &bytes) != 0 || bytes.len != sizeof out->bytes)
        return -1;
    memcpy(out->bytes, bytes.ptr, sizeof out->bytes);
    return 0;
}

/* The elements of a list of at least so many, or NULL. */
static const msgpack_object *list_of(const msgpack_object *object, size_t least)
{
    return object->type == MSGPACK_OBJECT_ARRAY && object->via.array.size >= least ? object->via.array.ptr : NULL;
}

static int get_FIELDS(struct arena *arena, const msgpack_object *object, struct field_list *out)
{
    const msgpack_object *list = list_of(object, 0);
    int64_t kind;

    if (object->type != MSGPACK_OBJECT_ARRAY)
        return -1;
    out->count = object->via.array.size;
    out->items = arena_alloc(arena, out->count * sizeof *out->items);
    for (size_t i = 0; i < out->count; i++) {
        const msgpack_object *part = list_of(&list[i], 3);

        if (part == NULL || get_TEXT(arena, &part[0], &out->items[i].name) != 0 || get_INT(arena, &part[1], &kind) != 0 ||
            kind < VALUE_TEXT || kind > VALUE_NESTED || get_TEXT(arena, &part[2], &out->items[i].text) != 0)
            return -1;
        out->items[i].kind = (enum value_kind)kind;
    }
    return 0;
}

static int get_ERRORS(struct arena *arena, const msgpack_object *object, struct field_errors *out)
{
    const msgpack_object *list = list_of(object, 0);

    if (object->type != MSGPACK_OBJECT_ARRAY)
        return -1;
    out->count = object->via.array.size;
    out->items = arena_alloc(arena, out->count * sizeof *out->items);
    for (size_t i = 0; i < out->count; i++) {
        const msgpack_object *part = list_of(&list[i], 4);

        if (part == NULL || get_TEXT(arena, &part[0], &out->items[i].field) != 0 ||
            get_TEXT(arena, &part[1], &out->items[i].code) != 0 || get_TEXT(arena, &part[3], &out->items[i].message) != 0)
            return -1;
        if (part[2].type != MSGPACK_OBJECT_NIL && get_TEXT(arena, &part[2], &out->items[i].op) != 0)
            return -1;
    }
    return 0;
}

int frame_open(struct frame *frame, struct span message, struct error *err)
{
    struct frame_reader *reader = must_zalloc(sizeof *reader);
    const msgpack_object *head;
    int64_t major, kind;
    size_t offset = 0;

    memset(frame, 0, sizeof *frame);
    frame->sender = SPAN("?");
    frame->reader = reader;
    frame->bytes = message.len;
    msgpack_unpacked_init(&reader->unpacked);
    if (!frame_is_bounded(message))
        return error_set(err, "it announces more than it holds");
    if (msgpack_unpack_next(&reader->unpacked, message.ptr, message.len, &offset) != MSGPACK_UNPACK_SUCCESS)
        return error_set(err, "not msgpack");
    if (offset != message.len)
        return error_set(err, "bytes behind the frame");
    head = list_of(&reader->unpacked.data, 3);
    if (head == NULL || get_INT(NULL, &head[0], &major) != 0)
        return error_set(err, "not a frame");
    if (get_TEXT(NULL, &head[2], &frame->sender) != 0 || frame->sender.len > ID_BYTES_MOST)
        frame->sender = SPAN("?");
    if (major < FRAME_MAJOR - 1 || major > FRAME_MAJOR + 1)
        return error_set(err, "unknown major version %lld", (long long)major);
    head = list_of(&reader->unpacked.data, 5);
    if (head == NULL || get_INT(NULL, &head[1], &kind) != 0 || get_INT(NULL, &head[3], &frame->sent_at_ms) != 0 ||
        head[4].type != MSGPACK_OBJECT_ARRAY)
        return error_set(err, "not a frame");
    if (kind < FRAME_LEADS || kind >= FRAME_KINDS)
        return error_set(err, "unknown kind %lld", (long long)kind);
    if (head[4].via.array.size > message.len / ITEM_BYTES_LEAST)
        return error_set(err, "items that are too small");
    frame->kind = (enum frame_kind)kind;
    frame->count = head[4].via.array.size;
    reader->items = head[4].via.array.ptr;
    return 0;
}

int64_t frame_age_ms(const struct frame *frame, int64_t now_ms)
{
    int64_t sent_at_ms = frame->sent_at_ms > 0 ? frame->sent_at_ms : 0;

    return sent_at_ms < now_ms ? now_ms - sent_at_ms : 0;
}

int64_t frame_left_ms(const struct frame *frame, int64_t now_ms, int64_t left_ms)
{
    int64_t age_ms = frame_age_ms(frame, now_ms);

    if (left_ms <= age_ms)
        return 0;
    return left_ms - age_ms < LEFT_MS_MOST ? left_ms - age_ms : LEFT_MS_MOST;
}

void frame_close(struct frame *frame)
{
    if (frame->reader == NULL)
        return;
    msgpack_unpacked_destroy(&frame->reader->unpacked);
    free(frame->reader);
    frame->reader = NULL;
}

/* The next item, which must be a map. */
static const msgpack_object *next_map(struct frame *frame, struct error *err)
{
    const msgpack_object *item;

    must(frame->reader->next < frame->count);
    item = &frame->reader->items[frame->reader->next++];
    if (item->type == MSGPACK_OBJECT_MAP)
        return item;
    error_set(err, "item is not a map");
    return NULL;
}

/* The items ---------------------------------------------------------------------------------------------------------- */

#define ITEM lead
#define ITEM_DEF "proto/lead.def"
#include "proto/frame_item.inc"

#define ITEM answer
#define ITEM_DEF "proto/answer.def"
#include "proto/frame_item.inc"

#define ITEM delivery
#define ITEM_DEF "proto/delivery.def"
#include "proto/frame_item.inc"

#define ITEM ping
#define ITEM_DEF "proto/ping.def"
#include "proto/frame_item.inc"

#define ITEM bid
#define ITEM_DEF "proto/bid.def"
#include "proto/frame_item.inc"

#define ITEM buyer_verdict
#define ITEM_DEF "proto/buyer_verdict.def"
#include "proto/frame_item.inc"
