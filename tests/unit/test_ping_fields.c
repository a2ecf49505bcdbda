/* test_ping_fields.c - proto/ping_fields.c: what is marked goes out, hashed where it must be, and nothing else. */
#include "proto/ping_fields.h"

#include "common/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define S SPAN
#define T VALUE_TEXT

/* Of "5551234567", "+442079460958", "john@example.com", "john", "o'brien-müller", "TX" and "+15551234567", by another tool (sha256sum). */
#define US_PHONE "3c95277da5fd0da6a1a44ee3fdf56d20af6c6d242695a40e18e6e90dc3c5872c"
#define UK_PHONE "f0bf0228144d9fe2bdf1da2d8ca698f17bf1410ee688b075c27062e47b6f0b6d"
#define EMAIL "855f96e983f1f8e8be944692b6f719fd54329826cb62e98015efee8e2e071dd4"
#define JOHN "96d9632f363564cc3032521409cf22a852f2032eec099ed5967c0d000cec607a"
#define OBRIEN "ee562a5a1f30676300330ff3af50ea0c5f04e929e0e99f254905450396071f34"
#define TX "536939ed0e78c5b5d2ee7e26767bbad66290547f9fa1fc6602a1aa95cc61b959"
#define WHOLE_PHONE "8a59780bb8cd2ba022bfa5ba2ea3b6e07af17a7d8b30c1f9b3390e36f69019e4"

static const struct { const char *claim; struct field_spec specs[3]; struct field fields[3]; const char *want; } rows[] = {
    {"nothing is marked", {{.name = S("state"), .type = FIELD_STATE}}, {{S("state"), T, S("TX")}}, ""},
    {"marked, as it is", {{.name = S("state"), .type = FIELD_STATE, .ping = FIELD_PING_PLAIN}}, {{S("state"), T, S("TX")}}, "state=0:TX "},
    {"marked, as a hash", {{.name = S("state"), .type = FIELD_STATE, .ping = FIELD_PING_SHA256}}, {{S("state"), T, S("TX")}}, "state=0:" TX " "},
    {"a number stays one", {{.name = S("age"), .type = FIELD_NUMBER, .ping = FIELD_PING_PLAIN}}, {{S("age"), VALUE_NUMBER, S("42")}}, "age=1:42 "},
    {"a boolean stays one", {{.name = S("own"), .type = FIELD_BOOLEAN, .ping = FIELD_PING_PLAIN}}, {{S("own"), VALUE_BOOL, S("true")}}, "own=2:true "},
    {"what the lead does not have", {{.name = S("state"), .type = FIELD_STATE, .ping = FIELD_PING_PLAIN}}, {{S("city"), T, S("TX")}}, ""},
    {"what is empty", {{.name = S("state"), .type = FIELD_STATE, .ping = FIELD_PING_SHA256}}, {{S("state"), T, S("")}}, ""},
    {"a field that no campaign defines", {{.name = S("a"), .ping = FIELD_PING_PLAIN}}, {{S("b"), T, S("1")}, {S("a"), T, S("2")}}, "a=0:2 "},
    {"sorted by name", {{.name = S("a"), .ping = FIELD_PING_PLAIN}, {.name = S("b")}, {.name = S("c"), .ping = FIELD_PING_PLAIN}},
     {{S("c"), T, S("3")}, {S("b"), T, S("2")}, {S("a"), T, S("1")}}, "a=0:1 c=0:3 "},
    {"a US phone has ten digits", {{.name = S("phone"), .type = FIELD_PHONE, .ping = FIELD_PING_SHA256}}, {{S("phone"), T, S("+15551234567")}},
     "phone=0:" US_PHONE " "},
    {"another has its country code", {{.name = S("fax"), .type = FIELD_PHONE, .ping = FIELD_PING_SHA256}}, {{S("fax"), T, S("+442079460958")}},
     "fax=0:" UK_PHONE " "},
    {"a phone that is only text", {{.name = S("phone"), .type = FIELD_STRING, .ping = FIELD_PING_SHA256}}, {{S("phone"), T, S("+15551234567")}},
     "phone=0:" WHOLE_PHONE " "},
    {"an e-mail wholly in lower case", {{.name = S("email"), .type = FIELD_EMAIL, .ping = FIELD_PING_SHA256}},
     {{S("email"), T, S("John@example.com")}}, "email=0:" EMAIL " "},
    {"names in lower case, trimmed", {{.name = S("first_name"), .ping = FIELD_PING_SHA256}, {.name = S("last_name"), .ping = FIELD_PING_SHA256}},
     {{S("first_name"), T, S(" JOHN\xc2\xa0")}, {S("last_name"), T, S("O'Brien-M\xc3\x9cller")}}, "first_name=0:" JOHN " last_name=0:" OBRIEN " "},
    {"other text minds its case", {{.name = S("nick"), .ping = FIELD_PING_SHA256}, {.name = S("state"), .ping = FIELD_PING_SHA256}},
     {{S("nick"), T, S("john")}, {S("state"), T, S("TX")}}, "nick=0:" JOHN " state=0:" TX " "},
    {"a person is hashed whatever the catalog says", {{.name = S("first_name"), .ping = FIELD_PING_PLAIN}, {.name = S("x"), .type = FIELD_EMAIL, .ping = FIELD_PING_PLAIN}},
     {{S("first_name"), T, S("John")}, {S("x"), T, S("john@example.com")}}, "first_name=0:" JOHN " x=0:" EMAIL " "},
};

static size_t count_of(const void *items, size_t size)
{
    size_t count = 0;

    while (count < 3 && ((const struct span *)(const void *)((const char *)items + count * size))->ptr != NULL)
        count++;
    return count;
}

static void only_what_is_marked_goes_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena *arena = arena_new();
        struct buf *got = buf_new(256);
        struct field_spec specs[3];
        struct field items[3];
        struct campaign campaign = {.fields = specs, .field_count = count_of(rows[i].specs, sizeof *specs)};
        struct field_list fields = {items, count_of(rows[i].fields, sizeof *items)}, out;

        memcpy(specs, rows[i].specs, sizeof specs);
        memcpy(items, rows[i].fields, sizeof items);
        ping_fields(arena, &campaign, &fields, &out);
        for (size_t k = 0; k < out.count; k++)
            buf_printf(got, "%.*s=%d:%.*s ", SPAN_FMT(out.items[k].name), (int)out.items[k].kind, SPAN_FMT(out.items[k].text));
        if (strcmp(buf_text(got), rows[i].want) != 0)
            fail_msg("%s: %s", rows[i].claim, buf_text(got));
        buf_free(&got);
        arena_free(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_is_marked_goes_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
