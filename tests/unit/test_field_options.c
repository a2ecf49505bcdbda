/* test_field_options.c - proto/field_options.c and field_judge.c: what a document may ask of a field, and what passes it. */
#include "proto/field_options.h"

#include "common/buf.h"
#include "proto/field_judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ENTRY(type, options) "{\"name\":\"f\",\"type\":\"" type "\"" options "}"

/* The spec of an entry; its pattern is the caller's. Complaints go to the list. */
static struct field_spec spec_of(struct arena *arena, const char *entry, struct complaints *list)
{
    struct error err;
    struct json *json = json_parse(span_of(entry), &err);
    struct field_spec spec = {.name = SPAN("f")};

    if (json == NULL)
        fail_msg("%s: %s", entry, err.text);
    assert_true(field_type_of(json_get_text(json, "type")) >= 0);
    spec.type = (enum field_type)field_type_of(json_get_text(json, "type"));
    field_options_read(arena, json, &spec, list, NULL);
    json_free(&json); /* the spec borrows nothing from it */
    return spec;
}

/* Documents ----------------------------------------------------------------------------------------------------------- */

#define NUMBERS "is for numbers and dates only"
#define NOT_NUMBER "must be a decimal number like 1234.5, without separators, with at most 40 digits on either side of the point"
#define NOT_PLAIN "must be \"sha256\" for names, phones and e-mails: a ping gives nobody away"
#define NOT_DATE "must be a date that exists, as YYYY-MM-DD or MM/DD/YYYY"

/* want: every complaint, "pointer: sentence", divided by |. */
static const struct { const char *claim, *entry, *want; } documents[] = {
    {"nothing", ENTRY("string", ""), ""},
    {"bounds of a number", ENTRY("number", ",\"min\":18,\"max\":120"), ""},
    {"bounds as text, with many digits", ENTRY("number", ",\"min\":\"-0.12345678901234567890\",\"max\":\"1e30\""), ""},
    {"bounds that are equal", ENTRY("number", ",\"min\":18,\"max\":\"18.0\""), ""},
    {"a bound that is none", ENTRY("number", ",\"min\":\"old\""), "/min: " NOT_NUMBER},
    {"an empty bound", ENTRY("number", ",\"max\":\" \""), "/max: " NOT_NUMBER},
    {"a bound with too many digits", ENTRY("number", ",\"max\":\"1e41\""), "/max: " NOT_NUMBER},
    {"bounds the wrong way round", ENTRY("number", ",\"min\":9,\"max\":8.5"), "/max: must not be below min"},
    {"the wrong way round by the 17th digit", ENTRY("number", ",\"min\":\"9007199254740993\",\"max\":\"9007199254740992\""), "/max: must not be below min"},
    {"both negative", ENTRY("number", ",\"min\":-5,\"max\":-10"), "/max: must not be below min"},
    {"bounds of a date", ENTRY("date", ",\"min\":\"1930-01-01\",\"max\":\"12/31/2010\""), ""},
    {"dates the wrong way round", ENTRY("date", ",\"min\":\"2010-01-01\",\"max\":\"12/31/2009\""), "/max: must not be below min"},
    {"a date that does not exist", ENTRY("date", ",\"min\":\"2010-02-30\""), "/min: " NOT_DATE},
    {"a number for a date", ENTRY("date", ",\"min\":2010"), "/min: " NOT_DATE},
    {"bounds of a string", ENTRY("string", ",\"min\":1,\"max\":2"), "/min: " NUMBERS "|/max: " NUMBERS},
    {"bounds of a list", ENTRY("list", ",\"values\":[\"a\"],\"max\":2"), "/max: " NUMBERS},
    {"bounds of a phone and a zip", ENTRY("zip", ",\"min\":75000"), "/min: " NUMBERS},
    {"lengths", ENTRY("string", ",\"min_length\":2,\"max_length\":2"), ""},
    {"lengths the wrong way round", ENTRY("email", ",\"min_length\":3,\"max_length\":2"), "/max_length: must not be below min_length"},
    {"lengths of a boolean", ENTRY("boolean", ",\"min_length\":3,\"max_length\":2"),
     "/min_length: is not for booleans|/max_length: is not for booleans"},
    {"a pattern", ENTRY("string", ",\"pattern\":\"^[A-Z]{3}$\""), ""},
    {"a pattern that does not compile", ENTRY("string", ",\"pattern\":\"a(b\""), "/pattern: missing closing parenthesis at position 3 of the pattern"},
    {"a pattern of a boolean", ENTRY("boolean", ",\"pattern\":\"x\""), "/pattern: is not for booleans"},
    {"values of a list", ENTRY("list", ",\"values\":[\"tile\",\"metal\",3,true]"), ""},
    {"a list's value twice", ENTRY("list", ",\"values\":[\"tile\",\"Tile\"]"), "/values/1: is there twice, without regard to case"},
    {"a list's value with a blank in front", ENTRY("list", ",\"values\":[\" tile\"]"), "/values/0: must not begin or end with a blank"},
    {"values of a number", ENTRY("number", ",\"values\":[1,\"2.50\",3.5]"), ""},
    {"values of a number that are none, or the same", ENTRY("number", ",\"values\":[1,\"one\",\"1.0\"]"),
     "/values/1: " NOT_NUMBER "|/values/2: is there twice, in its normal form"},
    {"values of a state", ENTRY("state", ",\"values\":[\"TX\",\"california\",\"Texas\",\"ZZ\"]"),
     "/values/2: is there twice, in its normal form|/values/3: must be a US state, DC or a territory: two letters or the full name"},
    {"values of a string mind case", ENTRY("string", ",\"values\":[\"a\",\"A\",\" a\"]"), "/values/2: is there twice, in its normal form"},
    {"values are transformed, too", ENTRY("string", ",\"transform\":\"upper\",\"values\":[\"a\",\"A\"]"), "/values/1: is there twice, in its normal form"},
    {"a value that nothing is left of", ENTRY("string", ",\"transform\":\"digits\",\"values\":[\"a\"]"), "/values/0: must not be empty"},
    {"a value that another option refuses", ENTRY("number", ",\"min\":2,\"values\":[1,2]"), "/values/0: must be at least 2"},
    {"a list's value that is too long", ENTRY("list", ",\"max_length\":3,\"values\":[\"abc\",\"abcd\"]"), "/values/1: must have at most 3 characters"},
    {"transforms", ENTRY("string", ",\"transform\":[\"trim\",\"upper\",\"lower\",\"digits\",\"title\"]"), ""},
    {"no transforms", ENTRY("string", ",\"transform\":[]"), ""},
    {"an unknown transform", ENTRY("string", ",\"transform\":\"reverse\""), "/transform: must be one of trim, upper, lower, digits, title, or a list of them"},
    {"a default", ENTRY("string", ",\"default\":\"none\""), ""},
    {"a number as a string's default", ENTRY("string", ",\"default\":5"), ""},
    {"a boolean's default", ENTRY("boolean", ",\"default\":false"), ""},
    {"a default of another type", ENTRY("number", ",\"default\":true"), "/default: " NOT_NUMBER},
    {"a default below min", ENTRY("number", ",\"min\":18,\"default\":17.9"), "/default: must be at least 18"},
    {"a default that no value allows", ENTRY("list", ",\"values\":[\"a\"],\"default\":\"b\""), "/default: must be one of the values that the campaign lists"},
    {"a default that the pattern refuses", ENTRY("string", ",\"pattern\":\"^x\",\"default\":\"ax\""), "/default: must match the pattern ^x"},
    {"a default that is transformed first", ENTRY("string", ",\"transform\":\"lower\",\"pattern\":\"^x\",\"default\":\"X\""), ""},
    {"an empty default", ENTRY("string", ",\"default\":\"\""), "/default: must not be empty"},
    {"a default that nothing is left of", ENTRY("number", ",\"transform\":\"digits\",\"default\":\"-\""), "/default: must not be empty"},
    {"in a ping as it is", ENTRY("zip", ",\"ping\":true"), ""},
    {"in a ping as a hash", ENTRY("zip", ",\"ping\":\"sha256\""), ""},
    {"in no ping", ENTRY("phone", ",\"ping\":false"), ""},
    {"a phone in a ping as a hash", ENTRY("phone", ",\"ping\":\"sha256\""), ""},
    {"a phone in a ping as it is", ENTRY("phone", ",\"ping\":true"), "/ping: " NOT_PLAIN},
    {"an e-mail in a ping as it is", ENTRY("email", ",\"ping\":true"), "/ping: " NOT_PLAIN},
    {"all at once", ENTRY("number", ",\"min\":\"x\",\"min_length\":2,\"max_length\":1,\"pattern\":\"[\",\"values\":[\"x\"],\"default\":\"x\""),
     "/min: " NOT_NUMBER "|/max_length: must not be below min_length|/pattern: missing terminating ] for character class at position 1 of the pattern|"
     "/values/0: " NOT_NUMBER "|/default: " NOT_NUMBER},
    {"what the schema refuses is passed over", ENTRY("number", ",\"min\":[1],\"max\":null,\"min_length\":\"2\",\"max_length\":-1,\"pattern\":5,"
     "\"values\":[[],null,\"\"],\"default\":{},\"transform\":[1,\"x\"]"), ""},
};

static void documents_are_checked(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        struct arena *arena = arena_new();
        struct complaints *list = complaints_new();
        struct field_spec spec = spec_of(arena, documents[i].entry, list);
        struct buf *got = buf_new(256);

        for (size_t k = 0; k < list->count; k++)
            buf_printf(got, "%s%s: %s", k > 0 ? "|" : "", list->items[k].pointer, list->items[k].sentence);
        if (strcmp(buf_text(got), documents[i].want) != 0)
            fail_msg("%s: %s", documents[i].claim, buf_text(got));
        buf_free(&got);
        pattern_free(&spec.pattern);
        complaints_free(&list);
        arena_free(&arena);
    }
}

/* Values -------------------------------------------------------------------------------------------------------------- */

#define T VALUE_TEXT
#define N VALUE_NUMBER
#define B VALUE_BOOL
#define AGE ENTRY("number", ",\"min\":18,\"max\":120")
#define FINE ENTRY("number", ",\"min\":\"0.1\",\"max\":\"9007199254740993.5\"")
#define BELOW ENTRY("number", ",\"min\":-20,\"max\":-10.5")
#define BORN ENTRY("date", ",\"min\":\"1930-01-01\",\"max\":\"12/31/2007\"")
#define NAME ENTRY("string", ",\"min_length\":2,\"max_length\":5")
#define VIN ENTRY("string", ",\"pattern\":\"^[A-HJ-NPR-Z0-9]{4}$\"")
#define COLOR ENTRY("string", ",\"values\":[\"red\",\"Blue\"]")
#define LEVEL ENTRY("number", ",\"values\":[1,\"2.50\",30]")
#define ROOF ENTRY("list", ",\"values\":[\"tile\",\"Metal\",3]")
#define WHOLE ENTRY("number", ",\"pattern\":\"^[0-9]+$\"")
#define TITLED ENTRY("string", ",\"transform\":[\"trim\",\"title\"],\"max_length\":5")
#define MONEY ENTRY("number", ",\"transform\":\"digits\",\"min\":1000")
#define RUNAWAY ENTRY("string", ",\"pattern\":\"^(a+)+$\"")
#define EVERYTHING ENTRY("string", ",\"transform\":\"upper\",\"min_length\":2,\"max_length\":3,\"pattern\":\"^[A-Z]*$\",\"values\":[\"ab\",\"abc\"]")

/* want: "=form" when it passes ("=" counts as absent), "code: message" when it is refused. */
static const struct { const char *claim, *entry; enum value_kind kind; const char *text, *want; } values[] = {
    {"nothing is asked", ENTRY("string", ""), T, "any", "=any"},
    {"number at min", AGE, N, "18", "=18"},
    {"number at min, another way to write it", AGE, T, "018.00", "=18"},
    {"number below min", AGE, N, "17", "out_of_range: must be at least 18"},
    {"number just below min", AGE, T, "17.999999999999999999999999", "out_of_range: must be at least 18"},
    {"number at max", AGE, T, "1.2e2", "=120"},
    {"number above max", AGE, N, "121", "out_of_range: must be at most 120"},
    {"number just above max", AGE, T, "120.0000000000000000000001", "out_of_range: must be at most 120"},
    {"fewer digits are not less by themselves", AGE, N, "99", "=99"},
    {"more digits are more", AGE, N, "1000", "out_of_range: must be at most 120"},
    {"a negative number", AGE, N, "-50", "out_of_range: must be at least 18"},
    {"no number: the type comes first", AGE, T, "old", "invalid_format: " NOT_NUMBER},
    {"an absent number", AGE, T, "  ", "="},
    {"a fraction at min", FINE, N, "0.1", "=0.1"},
    {"a fraction below min", FINE, T, "0.09999", "out_of_range: must be at least 0.1"},
    {"beyond doubles, below max", FINE, T, "9007199254740993.4", "=9007199254740993.4"},
    {"beyond doubles, above max", FINE, T, "9007199254740993.6", "out_of_range: must be at most 9007199254740993.5"},
    {"negative bounds", BELOW, N, "-15", "=-15"},
    {"negative, at max", BELOW, T, "-10.50", "=-10.5"},
    {"negative, above max", BELOW, T, "-10.4", "out_of_range: must be at most -10.5"},
    {"negative, below min", BELOW, T, "-20.1", "out_of_range: must be at least -20"},
    {"zero above a negative max", BELOW, N, "0", "out_of_range: must be at most -10.5"},
    {"date at min", BORN, T, "01/01/1930", "=1930-01-01"},
    {"date below min", BORN, T, "1929-12-31", "out_of_range: must be at least 1930-01-01"},
    {"date at max", BORN, T, "2007-12-31", "=2007-12-31"},
    {"date at max, late in the day", BORN, T, "2007-12-31T23:59:59-08:00", "=2007-12-31"},
    {"date above max", BORN, T, "1/1/2008", "out_of_range: must be at most 2007-12-31"},
    {"no date", BORN, T, "2007-02-29", "invalid_format: " NOT_DATE},
    {"length at least", NAME, T, "ab", "=ab"},
    {"length below", NAME, T, "a", "invalid_format: must have at least 2 characters"},
    {"length at most", NAME, T, "abcde", "=abcde"},
    {"length above", NAME, T, "abcdef", "too_long: must have at most 5 characters"},
    {"length without blanks around", NAME, T, "  abcde  ", "=abcde"},
    {"length in characters, not bytes", NAME, T, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa9\xc3\xa9", "=\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa9\xc3\xa9"},
    {"length of one wide character", NAME, T, "\xf0\x9f\x98\x80", "invalid_format: must have at least 2 characters"},
    {"length of a JSON number", NAME, N, "123456", "too_long: must have at most 5 characters"},
    {"one character", ENTRY("string", ",\"max_length\":1"), T, "ab", "too_long: must have at most 1 character"},
    {"an empty value is absent, not too short", NAME, T, "", "="},
    {"length of a normal form", ENTRY("zip", ",\"max_length\":5"), T, "75201-1234", "=75201"},
    {"length of a phone's normal form", ENTRY("phone", ",\"max_length\":12"), T, "(555) 123-4567", "=+15551234567"},
    {"length of an e-mail address", ENTRY("email", ",\"max_length\":10"), T, "john@example.com", "too_long: must have at most 10 characters"},
    {"pattern found", VIN, T, "1HGB", "=1HGB"},
    {"pattern minds case", VIN, T, "1hgb", "invalid_format: must match the pattern ^[A-HJ-NPR-Z0-9]{4}$"},
    {"pattern anchored at the end", VIN, T, "1HGBX", "invalid_format: must match the pattern ^[A-HJ-NPR-Z0-9]{4}$"},
    {"pattern of an absent value", VIN, T, " ", "="},
    {"pattern not anchored", ENTRY("string", ",\"pattern\":\"b+\""), T, "abbc", "=abbc"},
    {"pattern blind to case", ENTRY("string", ",\"pattern\":\"(?i)^ab$\""), T, "aB", "=aB"},
    {"pattern beyond ASCII", ENTRY("string", ",\"pattern\":\"^.\\\\x{20ac}$\""), T, "\xc3\xa9\xe2\x82\xac", "=\xc3\xa9\xe2\x82\xac"},
    {"pattern on a number's normal form", WHOLE, T, "+7.0", "=7"},
    {"pattern refuses a number's normal form", WHOLE, N, "7.5", "invalid_format: must match the pattern ^[0-9]+$"},
    {"pattern on a phone's normal form", ENTRY("phone", ",\"pattern\":\"^\\\\+1555\""), T, "555-123-4567", "=+15551234567"},
    {"pattern on a state's normal form", ENTRY("state", ",\"pattern\":\"^T\""), T, "texas", "=TX"},
    {"pattern that runs away", RUNAWAY, T, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "invalid_format: must match the pattern ^(a+)+$"},
    {"one of the values", COLOR, T, "red", "=red"},
    {"values of a string mind case", COLOR, T, "Red", "not_allowed: must be one of the values that the campaign lists"},
    {"none of the values", COLOR, T, "green", "not_allowed: must be one of the values that the campaign lists"},
    {"no value where some are listed", COLOR, T, " ", "="},
    {"a number by its normal form", LEVEL, T, "2.5", "=2.5"},
    {"a JSON number by its normal form", LEVEL, N, "3e1", "=30"},
    {"another number", LEVEL, N, "2", "not_allowed: must be one of the values that the campaign lists"},
    {"a state by its normal form", ENTRY("state", ",\"values\":[\"tx\",\"California\"]"), T, "TEXAS", "=TX"},
    {"another state", ENTRY("state", ",\"values\":[\"tx\",\"California\"]"), T, "NY", "not_allowed: must be one of the values that the campaign lists"},
    {"a boolean that has to be true", ENTRY("boolean", ",\"values\":[true]"), T, "yes", "=true"},
    {"a boolean that may not be false", ENTRY("boolean", ",\"values\":[true]"), B, "false", "not_allowed: must be one of the values that the campaign lists"},
    {"a phone by its normal form", ENTRY("phone", ",\"values\":[\"555 123 4567\"]"), T, "15551234567", "=+15551234567"},
    {"a date by its normal form", ENTRY("date", ",\"values\":[\"1/2/2026\"]"), T, "2026-01-02", "=2026-01-02"},
    {"a list without case, as the campaign spells it", ROOF, T, "METAL", "=Metal"},
    {"a list's number", ROOF, N, "3", "=3"},
    {"nothing listed", ROOF, T, "slate", "not_allowed: must be one of the values that the campaign lists"},
    {"a list's value and a pattern", ENTRY("list", ",\"values\":[\"tile\",\"metal\"],\"pattern\":\"^[tm]\""), T, "TILE", "=tile"},
    {"transforms in order, then lengths", TITLED, T, " \xc2\xa0" "JOHNN\xc2\xa0", "=Johnn"},
    {"lengths behind transforms", TITLED, T, "JOHNNY", "too_long: must have at most 5 characters"},
    {"a transform makes it absent", TITLED, T, "\xc2\xa0", "="},
    {"a transform before the type", MONEY, T, "$50,000", "=50000"},
    {"a transform before the range", MONEY, T, "$ 500", "out_of_range: must be at least 1000"},
    {"digits leave nothing: absent", MONEY, T, "unknown", "="},
    {"digits of a JSON number", MONEY, N, "-2000", "=2000"},
    {"a transform before a type of words", ENTRY("state", ",\"transform\":\"trim\""), T, "\xc2\xa0tx", "=TX"},
    {"a transform before a boolean", ENTRY("boolean", ",\"transform\":\"upper\""), B, "true", "=true"},
    {"a transform of an e-mail address: its domain is lower anyway", ENTRY("email", ",\"transform\":\"upper\""), T, "john@Example.com", "=JOHN@example.com"},
    {"a transform of an e-mail address: lower", ENTRY("email", ",\"transform\":\"lower\""), T, "John@Example.com", "=john@example.com"},
    {"title, then upper", ENTRY("string", ",\"transform\":[\"title\",\"upper\"]"), T, "john", "=JOHN"},
    {"upper, then title", ENTRY("string", ",\"transform\":[\"upper\",\"title\"]"), T, "john", "=John"},
    {"everything passes", EVERYTHING, T, "Abc", "=ABC"},
    {"everything: too long first", EVERYTHING, T, "1234", "too_long: must have at most 3 characters"},
    {"everything: too short next", EVERYTHING, T, "1", "invalid_format: must have at least 2 characters"},
    {"everything: then the pattern", EVERYTHING, T, "12", "invalid_format: must match the pattern ^[A-Z]*$"},
    {"everything: the values last", EVERYTHING, T, "xy", "not_allowed: must be one of the values that the campaign lists"},
    {"nested comes before all", EVERYTHING, VALUE_NESTED, "", "invalid_format: must be a single value, not an object or a list"},
};

static void values_are_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct arena *arena = arena_new();
        struct complaints *list = complaints_new();
        struct field_spec spec = spec_of(arena, values[i].entry, list);
        struct field sent = {SPAN("f"), values[i].kind, span_of(values[i].text)}, form = {.name = SPAN("f")}, again = form;
        struct field_fault fault;
        const char *got;

        assert_int_equal(list->count, 0);
        if (field_judge(arena, &spec, &sent, &form, &fault)) {
            got = arena_text(arena, arena_printf(arena, "=%.*s", SPAN_FMT(form.text)));
            if (!field_judge(arena, &spec, &form, &again, &fault) || !span_equal(form.text, again.text) || form.kind != again.kind)
                fail_msg("%s: its normal form has another", values[i].claim);
        } else {
            got = arena_text(arena, arena_printf(arena, "%s: %.*s", fault.code, SPAN_FMT(fault.message)));
        }
        if (strcmp(got, values[i].want) != 0)
            fail_msg("%s: %s", values[i].claim, got);
        pattern_free(&spec.pattern);
        complaints_free(&list);
        arena_free(&arena);
    }
}

static const struct { const char *claim, *entry; enum value_kind kind; const char *form; } defaults[] = {
    {"none", ENTRY("string", ""), T, NULL},
    {"a text", ENTRY("string", ",\"default\":\" web \""), T, "web"},
    {"a number as text", ENTRY("number", ",\"default\":\"007.50\""), N, "7.5"},
    {"a number", ENTRY("number", ",\"default\":0.1"), N, "0.1"},
    {"a large number", ENTRY("number", ",\"default\":1e20"), N, "100000000000000000000"},
    {"a boolean", ENTRY("boolean", ",\"default\":false"), B, "false"},
    {"a word for a boolean", ENTRY("boolean", ",\"default\":\"No\""), B, "false"},
    {"a phone", ENTRY("phone", ",\"default\":\"(555) 123-4567\""), T, "+15551234567"},
    {"a date", ENTRY("date", ",\"default\":\"2/3/2026\""), T, "2026-02-03"},
    {"a state", ENTRY("state", ",\"default\":\"texas\""), T, "TX"},
    {"a list's, as it is spelled there", ENTRY("list", ",\"values\":[\"Tile\"],\"default\":\"TILE\""), T, "Tile"},
    {"transformed", ENTRY("string", ",\"transform\":\"title\",\"default\":\"JOHN\""), T, "John"},
    {"one that is wrong is none", ENTRY("number", ",\"max\":5,\"default\":6"), N, NULL},
};

static void defaults_have_normal_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++) {
        struct arena *arena = arena_new();
        struct complaints *list = complaints_new();
        struct field_spec spec = spec_of(arena, defaults[i].entry, list);
        struct span form = spec.otherwise.text;

        if (defaults[i].form == NULL ? form.ptr != NULL : !span_is(form, defaults[i].form) || spec.otherwise.kind != defaults[i].kind)
            fail_msg("%s: %.*s", defaults[i].claim, SPAN_FMT(form));
        if (form.ptr != NULL)
            assert_true(span_is(spec.otherwise.name, "f"));
        complaints_free(&list);
        arena_free(&arena);
    }
}

/* What a document cannot hold is not quoted to the supplier at length. */
static void long_patterns_are_not_shown(void **state)
{
    struct arena *arena = arena_new();
    struct field_spec spec = {.pattern = pattern_new(SPAN("^x"), false, NULL), .pattern_text = {arena_alloc(arena, 201), 201}};
    struct field_fault fault;

    (void)state;
    assert_false(field_judge_form(arena, &spec, SPAN("y"), &fault));
    assert_true(span_is(fault.message, "must match the pattern that the campaign asks for"));
    pattern_free(&spec.pattern);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_are_checked),
        cmocka_unit_test(values_are_judged),
        cmocka_unit_test(defaults_have_normal_forms),
        cmocka_unit_test(long_patterns_are_not_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
