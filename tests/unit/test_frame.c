/* test_frame.c - proto/frame.c: what is put in comes out, from whichever version; what is damaged is refused. */
#include "proto/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define S(text) {(text), sizeof(text) - 1}

/* A value of each type, different for each key ------------------------------------------------------------------------ */

static char names[64][16];

static struct span text_of(int key)
{
    snprintf(names[key], sizeof names[key], "text \xc3\xab %d", key);
    return span_of(names[key]);
}

static void fill_TEXT(struct span *out, int key) { *out = text_of(key); }
static void fill_BYTES(struct span *out, int key)
{
    *out = text_of(key);
    out->len++; /* with the zero */
}
static void fill_UUID(struct uuid *out, int key) { memset(out->bytes, key, sizeof out->bytes); }
static void fill_INT(int64_t *out, int key) { *out = key % 3 == 0 ? INT64_MIN + key : key % 3 == 1 ? INT64_MAX - key : key; }
static void fill_BOOL(bool *out, int key)
{
    (void)key;
    *out = true;
}
static void fill_FIELDS(struct field_list *out, int key)
{
    static struct field items[] = {{S("phone"), VALUE_TEXT, S("+15551234567")}, {S("age"), VALUE_NUMBER, S("4.5")}, {S("owner"), VALUE_BOOL, S("true")},
                                   {S("nested"), VALUE_NESTED, S("")}, {S(""), VALUE_TEXT, S("nameless")}};

    (void)key;
    *out = (struct field_list){items, sizeof items / sizeof *items};
}
static void fill_ERRORS(struct field_errors *out, int key)
{
    static struct field_error items[] = {{S("phone"), S("required"), {NULL, 0}, S("is required")}, {S("state"), S("x"), S("NOT IN"), S("no")}};

    (void)key;
    *out = (struct field_errors){items, sizeof items / sizeof *items};
}

static bool same_TEXT(const struct span *a, const struct span *b) { return span_equal(*a, *b); }
static bool same_BYTES(const struct span *a, const struct span *b) { return span_equal(*a, *b); }
static bool same_UUID(const struct uuid *a, const struct uuid *b) { return uuid_compare(a, b) == 0; }
static bool same_INT(const int64_t *a, const int64_t *b) { return *a == *b; }
static bool same_BOOL(const bool *a, const bool *b) { return *a == *b; }
static bool same_FIELDS(const struct field_list *a, const struct field_list *b)
{
    for (size_t i = 0; i < a->count && i < b->count; i++)
        if (!span_equal(a->items[i].name, b->items[i].name) || a->items[i].kind != b->items[i].kind || !span_equal(a->items[i].text, b->items[i].text))
            return false;
    return a->count == b->count;
}
static bool same_ERRORS(const struct field_errors *a, const struct field_errors *b)
{
    for (size_t i = 0; i < a->count && i < b->count; i++)
        if (!span_equal(a->items[i].field, b->items[i].field) || !span_equal(a->items[i].code, b->items[i].code) ||
            !span_equal(a->items[i].op, b->items[i].op) || (a->items[i].op.ptr == NULL) != (b->items[i].op.ptr == NULL) ||
            !span_equal(a->items[i].message, b->items[i].message))
            return false;
    return a->count == b->count;
}

/* Functions and checks of one kind of item, made from its table: every value, or only the required ones. */
#define ONLY_REQUIRED true
#define ONLY_OPTIONAL false

static void fill_lead(struct lead *item, bool is_whole)
{
    memset(item, 0, sizeof *item);
#define FIELD(key, type, name, need, meaning) if (is_whole || ONLY_##need) fill_##type(&item->name, key);
#include "proto/lead.def"
#undef FIELD
}
static void fill_answer(struct answer *item, bool is_whole)
{
    memset(item, 0, sizeof *item);
#define FIELD(key, type, name, need, meaning) if (is_whole || ONLY_##need) fill_##type(&item->name, key);
#include "proto/answer.def"
#undef FIELD
}
static void fill_delivery(struct delivery *item, bool is_whole)
{
    memset(item, 0, sizeof *item);
#define FIELD(key, type, name, need, meaning) if (is_whole || ONLY_##need) fill_##type(&item->name, key);
#include "proto/delivery.def"
#undef FIELD
}
static void fill_ping(struct ping *item, bool is_whole)
{
    memset(item, 0, sizeof *item);
#define FIELD(key, type, name, need, meaning) if (is_whole || ONLY_##need) fill_##type(&item->name, key);
#include "proto/ping.def"
#undef FIELD
}
static void fill_bid(struct bid *item, bool is_whole)
{
    memset(item, 0, sizeof *item);
#define FIELD(key, type, name, need, meaning) if (is_whole || ONLY_##need) fill_##type(&item->name, key);
#include "proto/bid.def"
#undef FIELD
}
static void fill_buyer_verdict(struct buyer_verdict *item, bool is_whole)
{
    memset(item, 0, sizeof *item);
#define FIELD(key, type, name, need, meaning) if (is_whole || ONLY_##need) fill_##type(&item->name, key);
#include "proto/buyer_verdict.def"
#undef FIELD
}
static void check_lead(const struct lead *a, const struct lead *b)
{
#define FIELD(key, type, name, need, meaning) if (!same_##type(&a->name, &b->name)) fail_msg("lead: %s", #name);
#include "proto/lead.def"
#undef FIELD
}
static void check_answer(const struct answer *a, const struct answer *b)
{
#define FIELD(key, type, name, need, meaning) if (!same_##type(&a->name, &b->name)) fail_msg("answer: %s", #name);
#include "proto/answer.def"
#undef FIELD
}
static void check_delivery(const struct delivery *a, const struct delivery *b)
{
#define FIELD(key, type, name, need, meaning) if (!same_##type(&a->name, &b->name)) fail_msg("delivery: %s", #name);
#include "proto/delivery.def"
#undef FIELD
}
static void check_ping(const struct ping *a, const struct ping *b)
{
#define FIELD(key, type, name, need, meaning) if (!same_##type(&a->name, &b->name)) fail_msg("ping: %s", #name);
#include "proto/ping.def"
#undef FIELD
}
static void check_bid(const struct bid *a, const struct bid *b)
{
#define FIELD(key, type, name, need, meaning) if (!same_##type(&a->name, &b->name)) fail_msg("bid: %s", #name);
#include "proto/bid.def"
#undef FIELD
}
static void check_buyer_verdict(const struct buyer_verdict *a, const struct buyer_verdict *b)
{
#define FIELD(key, type, name, need, meaning) if (!same_##type(&a->name, &b->name)) fail_msg("buyer_verdict: %s", #name);
#include "proto/buyer_verdict.def"
#undef FIELD
}

/* One item whole and one with only what it must have, through a frame. */
#define ROUND_TRIP(item, number)                                                                                      \
    static void every_##item##_comes_through(void **state)                                                            \
    {                                                                                                                 \
        struct arena *arena = arena_new();                                                                            \
        struct buf *items = buf_new(64), *message = buf_new(64);                                                      \
        struct item in, out;                                                                                          \
        struct frame frame;                                                                                           \
        struct error err;                                                                                             \
                                                                                                                      \
        (void)state;                                                                                                  \
        for (int is_whole = 0; is_whole < 2; is_whole++) {                                                            \
            fill_##item(&in, is_whole);                                                                               \
            frame_put_##item(items, &in);                                                                             \
        }                                                                                                             \
        frame_head(message, number, SPAN("router-7"), 1234567890123, 2);                                              \
        buf_add_span(message, buf_span(items));                                                                       \
        assert_int_equal(frame_open(&frame, buf_span(message), &err), 0);                                             \
        assert_true(frame.kind == number);                                                                            \
        assert_int_equal(frame.count, 2);                                                                             \
        assert_int_equal(frame.bytes, message->len);                                                                  \
        assert_int_equal(frame.sent_at_ms, 1234567890123);                                                            \
        assert_true(span_is(frame.sender, "router-7"));                                                               \
        for (int is_whole = 0; is_whole < 2; is_whole++) {                                                            \
            fill_##item(&in, is_whole);                                                                               \
            memset(&out, 0xa5, sizeof out);                                                                           \
            assert_int_equal(frame_next_##item(&frame, arena, &out, &err), 0);                                        \
            check_##item(&in, &out);                                                                                  \
        }                                                                                                             \
        frame_close(&frame);                                                                                          \
        frame_close(&frame);                                                                                          \
        buf_free(&message);                                                                                           \
        buf_free(&items);                                                                                             \
        arena_free(&arena);                                                                                           \
    }
ROUND_TRIP(lead, FRAME_LEADS)
ROUND_TRIP(answer, FRAME_ANSWERS)
ROUND_TRIP(delivery, FRAME_DELIVERIES)
ROUND_TRIP(ping, FRAME_PINGS)
ROUND_TRIP(bid, FRAME_BIDS)
ROUND_TRIP(buyer_verdict, FRAME_VERDICTS)

/* Frames made by hand ------------------------------------------------------------------------------------------------- */

/* msgpack, as much of it as is wanted here. */
static void put_int(struct buf *out, int64_t value)
{
    buf_add(out, "\xd3", 1);
    buf_add_u64(out, (uint64_t)value);
}

static void put_id(struct buf *out)
{
    buf_add(out, "\xc4\x10" "0123456789abcdef", 18);
}

/* An answer as another version may write it: a key left out (0: none), some too much, a nil under a key (0: none). */
static void put_answer(struct buf *out, int64_t major, int left_out, bool has_more, int wrong)
{
    buf_add(out, "\x95", 1);
    put_int(out, major);
    put_int(out, FRAME_ANSWERS);
    buf_add(out, "\xa8router-1", 9);
    put_int(out, 1);
    buf_add(out, "\x91", 1);
    buf_add(out, &"\x80\x81\x82\x83\x84\x85\x86\x87\x88"[5 - (left_out != 0) + (has_more ? 3 : 0)], 1);
    if (has_more) {
        put_int(out, 99);
        buf_add(out, "\x81\xa1" "a\xc0", 4); /* a map */
        put_int(out, -1);
        buf_add(out, "\xcb\x3f\xf8\0\0\0\0\0\0", 9); /* 1.5 */
    }
    for (int key = 1; key <= 5; key++) {
        if (key == left_out)
            continue;
        put_int(out, key);
        if (key == wrong)
            buf_add(out, "\xc0", 1);
        else if (key == 1)
            put_id(out);
        else if (key == 2 || key == 4)
            put_int(out, 200 + key);
        else
            buf_add(out, key == 3 ? "\xa2{}" : "\xc3", key == 3 ? 3 : 1);
    }
    if (has_more) {
        buf_add(out, "\xce\xff\xff\xff\xff", 5);
        put_id(out);
    }
}

static const struct {
    const char *claim;
    int64_t major;
    int left_out;
    bool has_more;
    int wrong;
    const char *why; /* NULL: it is read */
} versions[] = {
    {"our own", FRAME_MAJOR, 0, false, 0, NULL},
    {"the one before", FRAME_MAJOR - 1, 0, false, 0, NULL},
    {"the one behind", FRAME_MAJOR + 1, 0, false, 0, NULL},
    {"unknown keys are skipped", FRAME_MAJOR, 0, true, 0, NULL},
    {"long ago", FRAME_MAJOR - 2, 0, false, 0, "unknown major version 0"},
    {"far ahead", FRAME_MAJOR + 2, 0, false, 0, "unknown major version 4"},
    {"very far", INT64_MAX, 0, false, 0, "unknown major version 9223372036854775807"},
    {"negative", INT64_MIN, 0, false, 0, "unknown major version -9223372036854775808"},
    {"an optional key may be absent", FRAME_MAJOR, 4, false, 0, NULL},
    {"and another", FRAME_MAJOR, 5, false, 0, NULL},
    {"a required one may not", FRAME_MAJOR, 1, false, 0, "item without id"},
    {"nor this", FRAME_MAJOR, 2, false, 0, "item without status"},
    {"nor this, whatever else there is", FRAME_MAJOR, 3, true, 0, "item without body"},
    {"an id that is nil", FRAME_MAJOR, 0, false, 1, "item with a wrong id"},
    {"a number that is nil", FRAME_MAJOR, 0, false, 2, "item with a wrong status"},
    {"a text that is nil", FRAME_MAJOR, 0, false, 3, "item with a wrong body"},
    {"an optional one that is nil", FRAME_MAJOR, 0, false, 4, "item with a wrong least_version"},
    {"a boolean that is nil", FRAME_MAJOR, 0, false, 5, "item with a wrong is_recorded"},
};

static void versions_and_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        struct buf *message = buf_new(64);
        struct arena *arena = arena_new();
        struct answer answer;
        struct frame frame;
        struct error err = {""};
        int rc;

        put_answer(message, versions[i].major, versions[i].left_out, versions[i].has_more, versions[i].wrong);
        rc = frame_open(&frame, buf_span(message), &err);
        if (!span_is(frame.sender, "router-1"))
            fail_msg("%s: no sender", versions[i].claim);
        if (rc == 0)
            rc = frame_next_answer(&frame, arena, &answer, &err);
        if ((rc == 0) != (versions[i].why == NULL) || (rc != 0 && strcmp(err.text, versions[i].why) != 0))
            fail_msg("%s: %s", versions[i].claim, err.text);
        if (rc == 0 && (answer.status != 202 || !span_is(answer.body, "{}") || answer.least_version != (versions[i].left_out == 4 ? 0 : 204)))
            fail_msg("%s: wrong values", versions[i].claim);
        frame_close(&frame);
        buf_free(&message);
        arena_free(&arena);
    }
}

static const struct {
    const char *claim;
    struct span message;
} rubbish[] = {
    {"nothing", S("")},
    {"a byte that begins nothing", S("\xc1")},
    {"text", S("GET / HTTP/1.1\r\n\r\n")},
    {"nil", S("\xc0")},
    {"a number", S("\x07")},
    {"a map", S("\x81\x01\x02")},
    {"an empty list", S("\x90")},
    {"a list of two", S("\x92\x02\x01")},
    {"a list of four", S("\x94\x02\x01\xa1x\x01")},
    {"major as text", S("\x95\xa1" "2\x01\xa1x\x01\x90")},
    {"kind as text", S("\x95\x02\xa1" "1\xa1x\x01\x90")},
    {"kind 0", S("\x95\x02\x00\xa1x\x01\x90")},
    {"kind 7", S("\x95\x02\x07\xa1x\x01\x90")},
    {"time as text", S("\x95\x02\x01\xa1x\xa1" "1\x90")},
    {"items that are a map", S("\x95\x02\x01\xa1x\x01\x80")},
    {"items too small to be any", S("\x95\x02\x01\xa1x\x01\x93\xc0\xc0\xc0")},
    {"a byte behind", S("\x95\x02\x01\xa1x\x01\x90\x00")},
    {"four thousand million items", S("\x95\x02\x01\xa1x\x01\xdd\xff\xff\xff\xff")},
};

static void rubbish_is_refused(void **state)
{
    struct frame frame;
    struct error err;

    (void)state;
    for (size_t i = 0; i < sizeof rubbish / sizeof *rubbish; i++) {
        err.text[0] = '\0';
        if (frame_open(&frame, rubbish[i].message, &err) == 0)
            fail_msg("%s", rubbish[i].claim);
        if (err.text[0] == '\0' || frame.sender.ptr == NULL)
            fail_msg("%s: not told why", rubbish[i].claim);
        frame_close(&frame);
    }
    assert_int_equal(frame_open(&frame, SPAN("\x95\x02\x01\xa1x\x01\x90"), &err), 0); /* no items is a frame */
    assert_int_equal(frame.count, 0);
    frame_close(&frame);
}

/* Every prefix, and every byte changed to some others: refused or read, but nothing else. */
static void damaged_bytes_harm_nobody(void **state)
{
    static const unsigned char changes[] = {0x00, 0x01, 0x7f, 0x80, 0x90, 0xa0, 0xc0, 0xc1, 0xc6, 0xdb, 0xdd, 0xdf, 0xff};
    struct buf *items = buf_new(64), *message = buf_new(64);
    struct lead lead;

    (void)state;
    fill_lead(&lead, true);
    frame_put_lead(items, &lead);
    frame_head(message, FRAME_LEADS, SPAN("gateway-1"), 1, 1);
    buf_add_span(message, buf_span(items));
    for (size_t at = 0; at < message->len; at++)
        for (size_t i = 0; i <= sizeof changes; i++) {
            struct arena *arena = arena_new();
            char *bytes = test_malloc(message->len);
            struct frame frame;
            struct error err;
            size_t len = i < sizeof changes ? message->len : at;

            memcpy(bytes, message->data, message->len);
            if (i < sizeof changes)
                bytes[at] = (char)changes[i];
            if (frame_open(&frame, (struct span){bytes, len}, &err) == 0) {
                assert_true(i < sizeof changes);
                for (size_t n = 0; frame.kind == FRAME_LEADS && n < frame.count; n++)
                    if (frame_next_lead(&frame, arena, &lead, &err) != 0)
                        break;
            }
            frame_close(&frame);
            test_free(bytes);
            arena_free(&arena);
        }
    buf_free(&message);
    buf_free(&items);
}

static const struct {
    const char *claim;
    int64_t sent_at_ms, now_ms, left_ms, age_ms, want;
} times[] = {
    {"just sent", 1000, 1000, 5000, 0, 5000},
    {"some time on the way", 1000, 1800, 5000, 800, 4200},
    {"all its time", 1000, 6000, 5000, 5000, 0},
    {"more than its time", 1000, 9000, 5000, 8000, 0},
    {"a clock that is ahead", 9000, 1000, 5000, 0, 5000},
    {"no time", 1000, 1000, 0, 0, 0},
    {"less than no time", 1000, 1000, -5, 0, 0},
    {"never sent", 0, 1000, 5000, 1000, 4000},
    {"sent before all time", INT64_MIN, 1000, 5000, 1000, 4000},
    {"sent when all is over", INT64_MAX, 1000, 5000, 0, 5000},
    {"all the time in the world", 1000, 1000, INT64_MAX, 0, LEFT_MS_MOST},
    {"none in the world", INT64_MIN, 1000, INT64_MIN, 1000, 0},
};

static void time_passes_on_the_way(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        struct frame frame = {.sent_at_ms = times[i].sent_at_ms};

        if (frame_age_ms(&frame, times[i].now_ms) != times[i].age_ms || frame_left_ms(&frame, times[i].now_ms, times[i].left_ms) != times[i].want)
            fail_msg("%s: %lld", times[i].claim, (long long)frame_left_ms(&frame, times[i].now_ms, times[i].left_ms));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_lead_comes_through),
        cmocka_unit_test(every_answer_comes_through),
        cmocka_unit_test(every_delivery_comes_through),
        cmocka_unit_test(every_ping_comes_through),
        cmocka_unit_test(every_bid_comes_through),
        cmocka_unit_test(every_buyer_verdict_comes_through),
        cmocka_unit_test(versions_and_keys),
        cmocka_unit_test(rubbish_is_refused),
        cmocka_unit_test(damaged_bytes_harm_nobody),
        cmocka_unit_test(time_passes_on_the_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
