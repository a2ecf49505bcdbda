/* test_question.c - dispatcher/question.c: what a buyer reads when it is asked for a bid. */
#include "dispatcher/question.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define IDS "\"id\":\"01000000-0000-0000-0000-000000000000\",\"ping_id\":\"02000000-0000-0000-0000-000000000000\","

static struct field all_fields[] = {
    {SPAN("age"), VALUE_NUMBER, SPAN("42")},
    {SPAN("income"), VALUE_NUMBER, SPAN("0.1")},
    {SPAN("note \"x\""), VALUE_TEXT, SPAN("Zo\xc3\xab\n")},
    {SPAN("owner"), VALUE_BOOL, SPAN("true")},
    {SPAN("state"), VALUE_TEXT, SPAN("TX")},
};

static const struct { const char *claim; struct ping ping; int64_t timeout_ms; const char *want; } rows[] = {
    {"no fields", {.id = {{1}}, .ping_id = {{2}}, .buyer_id = SPAN("b"), .campaign_id = SPAN("c")}, 300,
     "{" IDS "\"campaign_id\":\"c\",\"buyer_id\":\"b\",\"is_test\":false,\"timeout_ms\":300,\"fields\":{}}"},
    {"a test", {.id = {{1}}, .ping_id = {{2}}, .buyer_id = SPAN("b"), .campaign_id = SPAN("c"), .is_test = true}, 1,
     "{" IDS "\"campaign_id\":\"c\",\"buyer_id\":\"b\",\"is_test\":true,\"timeout_ms\":1,\"fields\":{}}"},
    {"fields of all kinds, in their order", {.id = {{1}}, .ping_id = {{2}}, .buyer_id = SPAN("b\"\n"), .campaign_id = SPAN("c"),
     .fields = {all_fields, 5}}, 60000,
     "{" IDS "\"campaign_id\":\"c\",\"buyer_id\":\"b\\\"\\n\",\"is_test\":false,\"timeout_ms\":60000,"
     "\"fields\":{\"age\":42,\"income\":0.1,\"note \\\"x\\\"\":\"Zo\xc3\xab\\n\",\"owner\":true,\"state\":\"TX\"}}"},
};

static void questions_are_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf *got = buf_new(64);

        question_print(&rows[i].ping, rows[i].timeout_ms, got);
        if (strcmp(buf_text(got), rows[i].want) != 0)
            fail_msg("%s: %s", rows[i].claim, buf_text(got));
        buf_free(&got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions_are_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
