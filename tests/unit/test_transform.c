/* test_transform.c - proto/transform.c and letter.c: what is done to a value before its check. */
#include "proto/letter.h"
#include "proto/transform.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MOST 4

/* transforms: their words, one after another. */
static const struct { const char *claim, *transforms, *text, *want; } rows[] = {
    {"none", "", " Text ", " Text "},
    {"trim: blanks", "trim", " \t\r\n\v\fa b \n", "a b"},
    {"trim: no-break, ideographic and zero-width space, byte order mark", "trim", "\xc2\xa0\xe3\x80\x80\xef\xbb\xbfx\xe2\x80\x8b\xc2\xa0", "x"},
    {"trim: nothing but blanks", "trim", "\xc2\xa0 \xe2\x80\x83", ""},
    {"trim: nothing to do", "trim", "\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9"},
    {"upper", "upper", "john o'neil 3rd", "JOHN O'NEIL 3RD"},
    {"upper: Latin-1", "upper", "jos\xc3\xa9 \xc3\xbf \xc3\xb7", "JOS\xc3\x89 \xc5\xb8 \xc3\xb7"},
    {"upper: Extended-A", "upper", "\xc4\x8d\xc5\xbe\xc5\x82\xc5\x91", "\xc4\x8c\xc5\xbd\xc5\x81\xc5\x90"},
    {"upper: Vietnamese", "upper", "nguy\xe1\xbb\x85n", "NGUY\xe1\xbb\x84N"},
    {"upper: Greek and Cyrillic", "upper", "\xce\xb1\xce\xac\xcf\x89 \xd0\xb8\xd1\x8f\xd1\x91", "\xce\x91\xce\x86\xce\xa9 \xd0\x98\xd0\xaf\xd0\x81"},
    {"upper: no other case, or another length", "upper", "\xc3\x9f\xc4\xb1\xc5\xbf\xe4\xb8\xad\xf0\x9f\x98\x80", "\xc3\x9f\xc4\xb1\xc5\xbf\xe4\xb8\xad\xf0\x9f\x98\x80"},
    {"lower", "lower", "A@B.COM \xc3\x89\xc5\xb8\xc3\x97\xe1\xbb\x84", "a@b.com \xc3\xa9\xc3\xbf\xc3\x97\xe1\xbb\x85"},
    {"lower: a dotted capital stays", "lower", "\xc4\xb0X", "\xc4\xb0x"},
    {"digits", "digits", "+1 (555) 123-4567", "15551234567"},
    {"digits: money", "digits", "$50,000", "50000"},
    {"digits: none", "digits", "n/a", ""},
    {"digits: ASCII's only", "digits", "1\xd9\xa1\xef\xbc\x92" "3", "13"},
    {"title", "title", "jOHN SMITH", "John Smith"},
    {"title: hyphens and dots", "title", "ANNA-LENA ST.JAMES", "Anna-Lena St.James"},
    {"title: an apostrophe behind one letter", "title", "o'brien d\xe2\x80\x99" "angelo", "O'Brien D\xe2\x80\x99" "Angelo"},
    {"title: an apostrophe behind more", "title", "john's they're", "John's They're"},
    {"title: digits are part of a word", "title", "2ND street 5a", "2nd Street 5a"},
    {"title: beyond ASCII", "title", "\xc3\xa9MILE \xc3\x96ZG\xc3\x9cR", "\xc3\x89mile \xc3\x96zg\xc3\xbcr"},
    {"title: a no-break space and a dash divide", "title", "a\xc2\xa0" "b\xe2\x80\x93" "c", "A\xc2\xa0" "B\xe2\x80\x93" "C"},
    {"in order: upper, then lower", "upper lower", "aB", "ab"},
    {"in order: lower, then upper", "lower upper", "aB", "AB"},
    {"in order: three", "trim lower title", "\xc2\xa0JOHN  ", "John"},
    {"what is empty stays empty", "digits title", "abc", ""},
    {"nothing", "trim upper digits title", "", ""},
};

static void texts_are_transformed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena *arena = arena_new();
        enum transform transforms[MOST];
        size_t count = 0;
        struct span words = span_of(rows[i].transforms), got;

        while (words.len > 0) {
            const char *blank = memchr(words.ptr, ' ', words.len);
            size_t len = blank != NULL ? (size_t)(blank - words.ptr) : words.len;
            int transform = transform_of((struct span){words.ptr, len});

            assert_in_range(transform, TRANSFORM_TRIM, TRANSFORM_TITLE);
            assert_non_null(strstr(transform_words(), arena_text(arena, (struct span){words.ptr, len})));
            transforms[count++] = (enum transform)transform;
            len += blank != NULL;
            words = (struct span){words.ptr + len, words.len - len};
        }
        got = transform_text(arena, transforms, count, span_of(rows[i].text));
        if (!span_is(got, rows[i].want))
            fail_msg("%s: %.*s", rows[i].claim, SPAN_FMT(got));
        assert_true(span_is_utf8(got));
        arena_free(&arena);
    }
}

static void other_words_are_no_transforms(void **state)
{
    (void)state;
    assert_int_equal(transform_of(SPAN("")), -1);
    assert_int_equal(transform_of(SPAN("Trim")), -1);
    assert_int_equal(transform_of(SPAN("trimmed")), -1);
    assert_int_equal(transform_of((struct span){NULL, 0}), -1);
}

static int utf8_bytes(uint32_t c)
{
    return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

/* What in_case() relies on, for every code point. */
static void cases_are_pairs_of_one_length(void **state)
{
    int letters = 0;

    (void)state;
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        uint32_t upper = letter_upper(c), lower = letter_lower(c);

        if (upper == c && lower == c)
            continue;
        letters++;
        if (upper != c && lower != c)
            fail_msg("U+%04X is of both cases", c);
        if (utf8_bytes(upper) != utf8_bytes(c) || utf8_bytes(lower) != utf8_bytes(c))
            fail_msg("U+%04X gets another length", c);
        if (letter_lower(upper) != lower || letter_upper(lower) != upper)
            fail_msg("U+%04X does not come back", c);
    }
    assert_int_equal(letters, 844);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_transformed),
        cmocka_unit_test(other_words_are_no_transforms),
        cmocka_unit_test(cases_are_pairs_of_one_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
