/* test_normal.c - proto/normal*.c: what each type takes, refuses, and makes of it. */
#include "proto/normal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define T VALUE_TEXT
#define N VALUE_NUMBER
#define B VALUE_BOOL
#define NOT NULL

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define D40 "1234567890123456789012345678901234567891"

/* want NOT: refused as invalid_format. Every normal form is normalised once more, and has to stay. */
struct row {
    const char *claim;
    enum value_kind kind;
    const char *text;
    const char *want;
};

static struct span values[] = {SPAN("tile"), SPAN("Metal"), SPAN("3"), SPAN("true"), SPAN("two words"), SPAN("Café")};

static void check(const struct field_spec *spec, enum value_kind want_kind, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct arena *arena = arena_new();
        struct field value = {.kind = rows[i].kind, .text = span_of(rows[i].text)}, once = {.name = SPAN("mine")}, twice;
        const char *why = NULL;
        enum normal result = normal_value(arena, spec, &value, &once, &why);
        enum normal refused = spec->type == FIELD_LIST && rows[i].kind != VALUE_NESTED ? NORMAL_NOT_ALLOWED : NORMAL_INVALID;

        if (rows[i].want == NOT) {
            if (result != refused || why == NULL || strncmp(why, "must ", 5) != 0)
                fail_msg("%s: got %d, '%.*s', why %s", rows[i].claim, result, SPAN_FMT(once.text), why != NULL ? why : "none");
        } else {
            if (result != NORMAL_OK || !span_is(once.text, rows[i].want))
                fail_msg("%s: got %d, '%.*s'", rows[i].claim, result, SPAN_FMT(once.text));
            if (once.kind != want_kind || !span_is(once.name, "mine"))
                fail_msg("%s: kind %d", rows[i].claim, once.kind);
            if (normal_value(arena, spec, &once, &twice, &why) != NORMAL_OK || !span_equal(once.text, twice.text))
                fail_msg("%s: twice is not once", rows[i].claim);
        }
        arena_free(&arena);
    }
}

#define CHECK(type_, kind, rows) check(&(struct field_spec){.name = SPAN("f"), .type = type_}, kind, rows, sizeof(rows) / sizeof *(rows))

static void strings(void **state)
{
    static const struct row rows[] = {
        {"text stays", T, "John", "John"},
        {"white space at the ends goes", T, " \t\r\n Mary Ann \n", "Mary Ann"},
        {"white space inside stays", T, "a  b\nc", "a  b\nc"},
        {"only white space is absent", T, " \t ", ""},
        {"other scripts stay", T, "Zoë Łódź 北京 😀", "Zoë Łódź 北京 😀"},
        {"a JSON number by its text", N, "1e5", "1e5"},
        {"a JSON boolean is no text", B, "true", NOT},
        {"nested is refused", VALUE_NESTED, "", NOT},
        {"not UTF-8: a lone byte", T, "caf\xe9", NOT},
        {"not UTF-8: a surrogate", T, "\xed\xa0\x80", NOT},
        {"not UTF-8: over-long", T, "\xc0\xaf", NOT},
        {"not UTF-8: cut", T, "\xe2\x82", NOT},
    };

    (void)state;
    CHECK(FIELD_STRING, VALUE_TEXT, rows);
}

static void numbers(void **state)
{
    static const struct row rows[] = {
        {"an integer", T, "42", "42"},
        {"a JSON integer", N, "42", "42"},
        {"a JSON real", N, "42.50", "42.5"},
        {"zero", T, "0", "0"},
        {"zeros", T, "000.000", "0"},
        {"minus zero is zero", N, "-0.0", "0"},
        {"a plus sign goes", T, "+7", "7"},
        {"leading zeros go", T, "0012.340", "12.34"},
        {"blanks go", T, " 5 ", "5"},
        {"a fraction alone", T, ".5", "0.5"},
        {"a point at the end", T, "5.", "5"},
        {"a small one", T, "-0.00050", "-0.0005"},
        {"zeros before the point stay", T, "1200", "1200"},
        {"zeros inside stay", T, "10020.03004", "10020.03004"},
        {"an exponent is written out", N, "1.5e3", "1500"},
        {"down to the point", N, "15E-1", "1.5"},
        {"below the point", N, "1.5e-3", "0.0015"},
        {"exactly to the point", N, "12345e-5", "0.12345"},
        {"a sign on the exponent", N, "1e+2", "100"},
        {"zero times anything", N, "0e99999999999999999999", "0"},
        {"leading zeros do not count", T, "0000000000000000000000000000000000000000000000000000000000000000000001e-1", "0.1"},
        {"zeros behind the point do not count", T, "1.00000000000000000000000000000000000000000000000000000000000", "1"},
        {"nothing is rounded", T, "9007199254740993.000000000000000001", "9007199254740993.000000000000000001"},
        {"forty digits", T, D40, D40},
        {"forty and forty", T, D40 "." D40, D40 "." D40},
        {"negative with forty behind", T, "-." D40, "-0." D40},
        {"forty-one are too many", T, D40 "0", NOT},
        {"forty-one behind the point", T, "." D40 "1", NOT},
        {"over eighty", T, D40 D40 D40, NOT},
        {"too large an exponent", N, "1e400", NOT},
        {"too small an exponent", N, "1e-400", NOT},
        {"an exponent beyond any integer", N, "1e99999999999999999999", NOT},
        {"thousands separators", T, "1,234.5", NOT},
        {"a decimal comma", T, "1,5", NOT},
        {"money", T, "$5", NOT},
        {"two points", T, "1.2.3", NOT},
        {"only a point", T, ".", NOT},
        {"only a sign", T, "-", NOT},
        {"two signs", T, "+-5", NOT},
        {"a sign behind", T, "5-", NOT},
        {"an exponent without digits", T, "5e", NOT},
        {"an exponent with only a sign", T, "5e+", NOT},
        {"an exponent alone", T, "e5", NOT},
        {"hexadecimal", T, "0x10", NOT},
        {"not a number", T, "NaN", NOT},
        {"infinity", T, "Infinity", NOT},
        {"a blank inside", T, "1 000", NOT},
        {"other digits", T, "٣", NOT},
        {"a word", T, "twenty", NOT},
        {"a boolean", B, "true", NOT},
        {"nested", VALUE_NESTED, "", NOT},
    };

    (void)state;
    CHECK(FIELD_NUMBER, VALUE_NUMBER, rows);
}

static void booleans(void **state)
{
    static const struct row rows[] = {
        {"true", T, "true", "true"},         {"false", T, "false", "false"},
        {"any case", T, "TrUe", "true"},     {"yes", T, "Yes", "true"},
        {"no", T, "NO", "false"},            {"y", T, "y", "true"},
        {"n", T, "N", "false"},              {"one", T, "1", "true"},
        {"zero", T, "0", "false"},           {"on", T, "on", "true"},
        {"off", T, "OFF", "false"},          {"t", T, "T", "true"},
        {"f", T, "f", "false"},              {"blanks around", T, " yes ", "true"},
        {"JSON's true", B, "true", "true"},  {"JSON's false", B, "false", "false"},
        {"JSON's 1", N, "1", "true"},        {"JSON's 0", N, "0", "false"},
        {"another number", N, "2", NOT},     {"a negative one", N, "-1", NOT},
        {"01", T, "01", NOT},                {"a prefix", T, "tru", NOT},
        {"more than the word", T, "yess", NOT}, {"null", T, "null", NOT},
        {"maybe", T, "maybe", NOT},          {"nested", VALUE_NESTED, "", NOT},
    };

    (void)state;
    CHECK(FIELD_BOOLEAN, VALUE_BOOL, rows);
}

static void phones(void **state)
{
    static const struct row rows[] = {
        {"ten digits", T, "5551234567", "+15551234567"},
        {"a JSON number", N, "5551234567", "+15551234567"},
        {"eleven with 1", T, "15551234567", "+15551234567"},
        {"eleven with 1, a number", N, "15551234567", "+15551234567"},
        {"E.164", T, "+15551234567", "+15551234567"},
        {"as printed", T, "(555) 123-4567", "+15551234567"},
        {"dots", T, "555.123.4567", "+15551234567"},
        {"slash", T, "555/123-4567", "+15551234567"},
        {"dashes and 1", T, "1-555-123-4567", "+15551234567"},
        {"plus in parentheses", T, "(+1) 555 123 4567", "+15551234567"},
        {"white space at the ends", T, "\n 5551234567\r\n", "+15551234567"},
        {"exchange code is free unless strict", T, "5550123456", "+15550123456"},
        {"area code from 2", T, "2001234567", "+12001234567"},
        {"a German number", T, "+49 30 901820", "+4930901820"},
        {"a British one, 0 in parentheses", T, "+44 (0)20 7946 0958", "+442079460958"},
        {"an Italian one keeps its 0", T, "+39 06 698 12345", "+390669812345"},
        {"eight digits with plus", T, "+12345678", NOT},
        {"eight digits of another country", T, "+29012345", "+29012345"},
        {"seven digits with plus", T, "+2901234", NOT},
        {"fifteen digits with plus", T, "+881612345678901", "+881612345678901"},
        {"sixteen digits with plus", T, "+8816123456789012", NOT},
        {"no country begins with 0", T, "+0441234567", NOT},
        {"+1 obeys US rules: length", T, "+1555123456", NOT},
        {"+1 obeys US rules: twelve digits", T, "+155512345678", NOT},
        {"+1 obeys US rules: area code", T, "+11551234567", NOT},
        {"plus and ten digits is another country's", T, "+5551234567", "+5551234567"},
        {"area code with 1", T, "1551234567", NOT},
        {"area code with 0", T, "0551234567", NOT},
        {"eleven not with 1", T, "25551234567", NOT},
        {"eleven, area code with 1", T, "11551234567", NOT},
        {"nine digits", T, "555123456", NOT},
        {"seven digits", T, "1234567", NOT},
        {"twelve digits", T, "155512345678", NOT},
        {"dialled abroad", T, "00441234567890", NOT},
        {"extension with x", T, "555-123-4567 x89", NOT},
        {"extension in words", T, "5551234567 ext. 8", NOT},
        {"extension with #", T, "5551234567#8", NOT},
        {"extension as more digits", T, "555-123-4567-89", NOT},
        {"letters", T, "555-CALL-NOW", NOT},
        {"plus in the middle", T, "555+1234567", NOT},
        {"two pluses", T, "++15551234567", NOT},
        {"a comma", T, "555,123,4567", NOT},
        {"only punctuation", T, "()-.", NOT},
        {"only a plus", T, "+", NOT},
        {"full-width digits", T, "５５５１２３４５６７", NOT},
        {"a negative number", N, "-5551234567", NOT},
        {"a number with a point", N, "555.1234567", NOT},
        {"a number with an exponent", N, "5.551234567e9", NOT},
        {"a boolean", B, "true", NOT},
        {"an object", VALUE_NESTED, "", NOT},
        {"two numbers", T, "5551234567 / 5551234568", NOT},
    };

    (void)state;
    CHECK(FIELD_PHONE, VALUE_TEXT, rows);
}

static void strict_phones(void **state)
{
    static const struct row rows[] = {
        {"a good exchange code", T, "555-234-4567", "+15552344567"},
        {"exchange code with 1", T, "555-123-4567", NOT},
        {"exchange code with 0", T, "+1 555 023 4567", NOT},
        {"other countries have none", T, "+49 301 01820", "+4930101820"},
    };
    const struct field_spec spec = {.name = SPAN("f"), .type = FIELD_PHONE, .is_strict = true};

    (void)state;
    check(&spec, VALUE_TEXT, rows, sizeof rows / sizeof *rows);
}

static void emails(void **state)
{
    static const struct row rows[] = {
        {"an address", T, "john@example.com", "john@example.com"},
        {"the domain in lower case, the rest as it is", T, "John.Doe@Example.COM", "John.Doe@example.com"},
        {"blanks around", T, " john@example.com ", "john@example.com"},
        {"tags", T, "john+tag@example.com", "john+tag@example.com"},
        {"all of atext", T, "!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~@example.com"},
        {"many labels", T, "a@b.c.d.co.uk", "a@b.c.d.co.uk"},
        {"a hyphen in a label", T, "a@b-c.com", "a@b-c.com"},
        {"a number as a label", T, "a@123.com", "a@123.com"},
        {"xn-- labels", T, "a@xn--bcher-kva.example", "a@xn--bcher-kva.example"},
        {"local part of 64", T, A64 "@example.com", A64 "@example.com"},
        {"local part of 65", T, A64 "a@example.com", NOT},
        {"label of 63", T, "a@" A63 ".com", "a@" A63 ".com"},
        {"label of 64", T, "a@" A64 ".com", NOT},
        {"254 in all", T, A63 "@" A63 "." A63 "." "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.com",
         A63 "@" A63 "." A63 "." "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.com"},
        {"255 in all", T, A64 "@" A63 "." A63 "." "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.com", NOT},
        {"no @", T, "john.example.com", NOT},
        {"two @", T, "john@doe@example.com", NOT},
        {"no local part", T, "@example.com", NOT},
        {"no domain", T, "john@", NOT},
        {"only an @", T, "@", NOT},
        {"one label", T, "john@localhost", NOT},
        {"a dot in front of the domain", T, "john@.example.com", NOT},
        {"a dot behind the domain", T, "john@example.com.", NOT},
        {"two dots in the domain", T, "john@example..com", NOT},
        {"a hyphen in front", T, "john@-example.com", NOT},
        {"a hyphen behind", T, "john@example-.com", NOT},
        {"an underscore in the domain", T, "john@exa_mple.com", NOT},
        {"top label of one letter", T, "john@example.c", NOT},
        {"an IP address", T, "john@192.0.2.1", NOT},
        {"an address literal", T, "john@[192.0.2.1]", NOT},
        {"a dot in front of the local part", T, ".john@example.com", NOT},
        {"a dot behind the local part", T, "john.@example.com", NOT},
        {"two dots in the local part", T, "john..doe@example.com", NOT},
        {"a blank inside", T, "john doe@example.com", NOT},
        {"a line end inside", T, "john@example.com\nbcc: x@y.com", NOT},
        {"a control character", T, "jo\x01hn@example.com", NOT},
        {"quotes", T, "\"john doe\"@example.com", NOT},
        {"a display name", T, "John <john@example.com>", NOT},
        {"two addresses", T, "a@example.com,b@example.com", NOT},
        {"not ASCII in the local part", T, "jos\xc3\xa9@example.com", NOT},
        {"not ASCII in the domain", T, "john@b\xc3\xbc" "cher.example", NOT},
        {"a number", N, "5", NOT},
        {"a boolean", B, "false", NOT},
    };

    (void)state;
    CHECK(FIELD_EMAIL, VALUE_TEXT, rows);
}

static void dates(void **state)
{
    static const struct row rows[] = {
        {"ISO", T, "2026-11-23", "2026-11-23"},
        {"ISO with time in UTC", T, "2026-11-23T01:02:03Z", "2026-11-23"},
        {"with milliseconds", T, "2026-11-23T01:02:03.456Z", "2026-11-23"},
        {"the date stays as written", T, "2026-11-23T23:30:00-05:00", "2026-11-23"},
        {"an offset without colon", T, "2026-11-23T23:30:00+0530", "2026-11-23"},
        {"an offset of hours", T, "2026-11-23T23:30+01", "2026-11-23"},
        {"no offset", T, "2026-11-23T23:30:00", "2026-11-23"},
        {"no seconds", T, "2026-11-23T23:30", "2026-11-23"},
        {"a blank for the T", T, "2026-11-23 23:30:00", "2026-11-23"},
        {"a leap second", T, "2016-12-31T23:59:60Z", "2016-12-31"},
        {"American", T, "11/23/2026", "2026-11-23"},
        {"American, short", T, "1/2/2026", "2026-01-02"},
        {"blanks around", T, " 2026-11-23 ", "2026-11-23"},
        {"a leap day", T, "2024-02-29", "2024-02-29"},
        {"a leap day every 400 years", T, "02/29/2000", "2000-02-29"},
        {"no leap day", T, "2026-02-29", NOT},
        {"no leap day at a century", T, "1900-02-29", NOT},
        {"no 31st", T, "04/31/2026", NOT},
        {"no month 13", T, "13/01/2026", NOT},
        {"no month 0", T, "2026-00-10", NOT},
        {"no day 0", T, "2026-01-00", NOT},
        {"no year 0", T, "0000-01-01", NOT},
        {"European order", T, "23/11/2026", NOT},
        {"a year of two digits", T, "1/2/26", NOT},
        {"a year of five digits", T, "1/2/20260", NOT},
        {"short ISO", T, "2026-1-2", NOT},
        {"basic ISO", T, "20261123", NOT},
        {"a number", N, "20261123", NOT},
        {"dots", T, "23.11.2026", NOT},
        {"hour 24", T, "2026-11-23T24:00:00", NOT},
        {"minute 60", T, "2026-11-23T23:60:00", NOT},
        {"nothing behind the T", T, "2026-11-23T", NOT},
        {"nothing behind the point", T, "2026-11-23T01:02:03.Z", NOT},
        {"a bad offset", T, "2026-11-23T01:02:03+25:00", NOT},
        {"half an offset", T, "2026-11-23T01:02:03+01:", NOT},
        {"something behind", T, "2026-11-23T01:02:03Zulu", NOT},
        {"something behind the date", T, "2026-11-23x", NOT},
        {"a negative year", T, "-2026-11-23", NOT},
        {"words", T, "Nov 23, 2026", NOT},
        {"only slashes", T, "//", NOT},
    };

    (void)state;
    CHECK(FIELD_DATE, VALUE_TEXT, rows);
}

static void states(void **state)
{
    static const struct row rows[] = {
        {"a code", T, "TX", "TX"},
        {"a code in lower case", T, "tx", "TX"},
        {"a name", T, "Texas", "TX"},
        {"a name in any case", T, "tExAS", "TX"},
        {"a name of two words", T, "New York", "NY"},
        {"blanks inside do not count", T, "  north   carolina ", "NC"},
        {"dots do not count", T, "N.Y.", "NY"},
        {"DC", T, "dc", "DC"},
        {"DC with dots", T, "Washington D.C.", "DC"},
        {"DC's name", T, "District of Columbia", "DC"},
        {"DC with a comma", T, "Washington, D.C.", "DC"},
        {"the Virgin Islands by their full name", T, "United States Virgin Islands", "VI"},
        {"the Virgin Islands as lists have them", T, "Virgin Islands, U.S.", "VI"},
        {"the longest name", T, "Commonwealth of the Northern Mariana Islands", "MP"},
        {"one letter more than the longest", T, "Commonwealth of the Northern Mariana Islandsss", NOT},
        {"Washington is the state", T, "Washington", "WA"},
        {"Virginia", T, "Virginia", "VA"},
        {"West Virginia", T, "west virginia", "WV"},
        {"American Samoa", T, "American Samoa", "AS"},
        {"Guam", T, "gu", "GU"},
        {"Northern Mariana Islands", T, "Northern Mariana Islands", "MP"},
        {"Puerto Rico", T, "Puerto Rico", "PR"},
        {"Virgin Islands", T, "U.S. Virgin Islands", "VI"},
        {"no such code", T, "ZZ", NOT},
        {"a Canadian province", T, "ON", NOT},
        {"an armed forces' address", T, "AE", NOT},
        {"one letter", T, "T", NOT},
        {"a prefix of a name", T, "Tex", NOT},
        {"more than a name", T, "Texas USA", NOT},
        {"two codes", T, "TX, CA", NOT},
        {"digits", T, "48", NOT},
        {"a number", N, "48", NOT},
        {"a boolean", B, "true", NOT},
        {"longer than any name", T, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NOT},
        {"only dots", T, "..", NOT},
    };

    (void)state;
    CHECK(FIELD_STATE, VALUE_TEXT, rows);
}

static void all_states_are_there(void **state)
{
    static const char codes[] = "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH "
                                "OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC AS GU MP PR VI ";
    struct arena *arena = arena_new();
    int found = 0, known = 0;

    (void)state;
    for (const char *code = codes; *code != '\0'; code += 3, known++)
        assert_true(span_equal(normal_state(arena, (struct span){code, 2}), (struct span){code, 2}));
    for (char a = 'A'; a <= 'Z'; a++)
        for (char b = 'A'; b <= 'Z'; b++)
            found += normal_state(arena, (struct span){(char[]){a, b}, 2}).ptr != NULL;
    assert_int_equal(known, 56);
    assert_int_equal(found, 56);
    arena_free(&arena);
}

static void zips(void **state)
{
    static const struct row rows[] = {
        {"five digits", T, "75201", "75201"},
        {"ZIP+4", T, "75201-1234", "75201"},
        {"nine digits", T, "752011234", "75201"},
        {"a leading zero", T, "02101", "02101"},
        {"blanks around", T, " 75201 ", "75201"},
        {"a number", N, "75201", "75201"},
        {"a number of nine digits", N, "752011234", "75201"},
        {"a number whose zero was lost", N, "2101", NOT},
        {"four digits", T, "2101", NOT},
        {"six digits", T, "752011", NOT},
        {"eight digits", T, "75201123", NOT},
        {"ten digits", T, "7520112345", NOT},
        {"half a +4", T, "75201-12", NOT},
        {"only the hyphen", T, "75201-", NOT},
        {"two hyphens", T, "75201--123", NOT},
        {"a letter", T, "7520A", NOT},
        {"a letter in the +4", T, "75201-123A", NOT},
        {"Canadian", T, "K1A 0B1", NOT},
        {"a blank for the hyphen", T, "75201 1234", NOT},
        {"a negative number", N, "-7520", NOT},
        {"a number with a point", N, "75201.0", NOT},
    };

    (void)state;
    CHECK(FIELD_ZIP, VALUE_TEXT, rows);
}

static void urls(void **state)
{
    static const struct row rows[] = {
        {"https", T, "https://cert.trustedform.com/0123abcDEF", "https://cert.trustedform.com/0123abcDEF"},
        {"http", T, "http://example.com", "http://example.com"},
        {"scheme and host in lower case, the path as it is", T, "HTTPS://Example.COM/Path?Q=A#F", "https://example.com/Path?Q=A#F"},
        {"a query at once", T, "http://example.com?A=B", "http://example.com?A=B"},
        {"a fragment at once", T, "http://example.com#A", "http://example.com#A"},
        {"a port", T, "http://example.com:8080/", "http://example.com:8080/"},
        {"an IPv4 address", T, "http://192.0.2.1/", "http://192.0.2.1/"},
        {"an IPv6 address", T, "http://[2001:DB8::1]/", "http://[2001:db8::1]/"},
        {"an IPv6 address with port", T, "http://[2001:db8::1]:80/", "http://[2001:db8::1]:80/"},
        {"blanks around", T, " http://example.com/ ", "http://example.com/"},
        {"one label", T, "http://localhost/", "http://localhost/"},
        {"not ASCII in the path", T, "https://example.com/caf\xc3\xa9", "https://example.com/caf\xc3\xa9"},
        {"an @ in the path", T, "https://example.com/@me", "https://example.com/@me"},
        {"no scheme", T, "example.com", NOT},
        {"another scheme", T, "ftp://example.com", NOT},
        {"a script", T, "javascript:alert(1)", NOT},
        {"no slashes", T, "http:example.com", NOT},
        {"one slash", T, "http:/example.com", NOT},
        {"no host", T, "http://", NOT},
        {"no host but a path", T, "http:///path", NOT},
        {"no host but a port", T, "http://:80/", NOT},
        {"an empty port", T, "http://example.com:/", NOT},
        {"port 0", T, "http://example.com:0/", NOT},
        {"too large a port", T, "http://example.com:65536/", NOT},
        {"a port beyond any integer", T, "http://example.com:99999999999999999999/", NOT},
        {"a user", T, "http://user:secret@example.com/", NOT},
        {"two dots in the host", T, "http://example..com/", NOT},
        {"a dot in front", T, "http://.example.com/", NOT},
        {"a blank inside", T, "http://example.com/a b", NOT},
        {"a line end inside", T, "http://example.com/\r\nx: y", NOT},
        {"a control character", T, "http://example.com/\x7f", NOT},
        {"markup", T, "http://example.com/<script>", NOT},
        {"a backslash", T, "http:\\\\example.com", NOT},
        {"not ASCII in the host", T, "http://b\xc3\xbc" "cher.example/", NOT},
        {"an open bracket", T, "http://[2001:db8::1/", NOT},
        {"a host in brackets", T, "http://[example]/", NOT},
        {"a number", N, "1", NOT},
    };

    (void)state;
    CHECK(FIELD_URL, VALUE_TEXT, rows);
}

static void lists(void **state)
{
    static const struct row rows[] = {
        {"a value", T, "tile", "tile"},
        {"a value in another case, beyond A-Z too", T, "CAFÉ", "Café"},
        {"in another case, as the campaign spells it", T, "METAL", "Metal"},
        {"blanks around", T, " tile ", "tile"},
        {"blanks inside", T, "Two Words", "two words"},
        {"a number by its text", N, "3", "3"},
        {"a boolean by its word", B, "true", "true"},
        {"nothing listed", T, "slate", NOT},
        {"a prefix", T, "til", NOT},
        {"another number", N, "3.0", NOT},
        {"another boolean", B, "false", NOT},
        {"nested", VALUE_NESTED, "", NOT},
    };
    const struct field_spec spec = {.name = SPAN("f"), .type = FIELD_LIST, .values = values, .value_count = sizeof values / sizeof *values};
    const struct field_spec empty = {.name = SPAN("f"), .type = FIELD_LIST};

    (void)state;
    check(&spec, VALUE_TEXT, rows, sizeof rows / sizeof *rows);
    check(&empty, VALUE_TEXT, &(struct row){"a list of nothing takes nothing", T, "x", NOT}, 1);
}

static void every_type_minds_length_and_bytes(void **state)
{
    static char text[VALUE_BYTES_MOST + 1];
    struct arena *arena = arena_new();
    struct field value = {.kind = VALUE_TEXT}, out;
    const char *why = NULL;

    (void)state;
    memset(text, ' ', sizeof text);
    for (int type = FIELD_STRING; type <= FIELD_LIST; type++) {
        struct field_spec spec = {.name = SPAN("f"), .type = (enum field_type)type};

        value.text = (struct span){text, sizeof text};
        assert_int_equal(normal_value(arena, &spec, &value, &out, &why), NORMAL_TOO_LONG);
        assert_non_null(why);
        value.text.len = VALUE_BYTES_MOST; /* blanks: absent */
        assert_int_equal(normal_value(arena, &spec, &value, &out, &why), NORMAL_OK);
        assert_int_equal(out.text.len, 0);
        value.text = (struct span){"a\0b", 3};
        assert_int_equal(normal_value(arena, &spec, &value, &out, &why), NORMAL_INVALID);
        value.text = (struct span){"\0", 1};
        assert_int_equal(normal_value(arena, &spec, &value, &out, &why), NORMAL_INVALID);
        value.text = (struct span){NULL, 0};
        assert_int_equal(normal_value(arena, &spec, &value, &out, &why), NORMAL_OK);
        assert_int_equal(out.text.len, 0);
    }
    memset(text, 'x', sizeof text);
    value.text = (struct span){text, VALUE_BYTES_MOST};
    assert_int_equal(normal_value(arena, &(struct field_spec){.type = FIELD_STRING}, &value, &out, &why), NORMAL_OK);
    assert_int_equal(out.text.len, VALUE_BYTES_MOST);
    arena_free(&arena);
}

static void single_functions_take_nothing(void **state)
{
    struct arena *arena = arena_new();
    static const struct span none[] = {{NULL, 0}, {"", 0}, {" ", 1}, {"\0", 1}, {"1\0", 2}};

    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        assert_null(normal_phone(arena, none[i], false).ptr);
        assert_null(normal_email(arena, none[i]).ptr);
        assert_null(normal_state(arena, none[i]).ptr);
        assert_null(normal_zip(arena, none[i]).ptr);
        assert_null(normal_date(arena, none[i]).ptr);
        assert_null(normal_number(arena, none[i]).ptr);
        assert_null(normal_boolean(none[i]).ptr);
        assert_null(normal_url(arena, none[i]).ptr);
    }
    arena_free(&arena);
}

static void matching_forms(void **state)
{
    struct arena *arena = arena_new();

    (void)state;
    assert_true(span_is(normal_match(arena, FIELD_EMAIL, SPAN("John.DOE@example.com")), "john.doe@example.com"));
    assert_true(span_is(normal_match(arena, FIELD_STRING, SPAN("John")), "John"));
    assert_true(span_is(normal_match(arena, FIELD_PHONE, SPAN("+15551234567")), "+15551234567"));
    assert_int_equal(normal_match(arena, FIELD_EMAIL, (struct span){NULL, 0}).len, 0);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings),
        cmocka_unit_test(numbers),
        cmocka_unit_test(booleans),
        cmocka_unit_test(phones),
        cmocka_unit_test(strict_phones),
        cmocka_unit_test(emails),
        cmocka_unit_test(dates),
        cmocka_unit_test(states),
        cmocka_unit_test(all_states_are_there),
        cmocka_unit_test(zips),
        cmocka_unit_test(urls),
        cmocka_unit_test(lists),
        cmocka_unit_test(every_type_minds_length_and_bytes),
        cmocka_unit_test(single_functions_take_nothing),
        cmocka_unit_test(matching_forms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
