/* csv.h: records out of bytes, whole and piece by piece. */
#include "common/buf.h"
#include "common/csv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* All that is found: fields in [], a record a line; "- " a blank line, "! LINE why" a bad one. */
static const char *read_all(struct buf *out, struct span bytes, size_t piece)
{
    struct csv *csv = csv_new();
    struct csv_record record;
    size_t at = csv_mark(bytes), have = piece < bytes.len ? piece : bytes.len, line = 1;
    bool is_over = false;

    out->len = 0;
    if (have < at)
        have = at;
    while (!is_over) {
        enum csv_found found = csv_read(csv, (struct span){bytes.ptr + at, have - at}, have == bytes.len, &record);

        switch (found) {
        case CSV_RECORD:
            for (size_t i = 0; i < record.count; i++)
                buf_printf(out, "[%.*s]", SPAN_FMT(record.fields[i]));
            buf_add_text(out, "\n");
            break;
        case CSV_BLANK:
            buf_add_text(out, record.lines > 0 ? "-\n" : "");
            break;
        case CSV_BAD:
            buf_printf(out, "! %zu %s\n", line, record.why);
            break;
        case CSV_MORE:
            assert_true(have < bytes.len);
            have = bytes.len - have > piece ? have + piece : bytes.len;
            continue;
        case CSV_END:
            is_over = true;
            continue;
        }
        assert_true(record.bytes > 0 && record.bytes <= have - at);
        assert_true(record.text.ptr == bytes.ptr + at && record.text.len <= record.bytes);
        at += record.bytes;
        line += record.lines;
    }
    assert_true(at == bytes.len);
    csv_free(&csv);
    return buf_text(out);
}

static const struct {
    const char *claim, *bytes, *want;
} rows[] = {
    {"nothing is nothing", "", ""},
    {"a mark alone is nothing", "\xef\xbb\xbf", ""},
    {"a record without a line end", "a,b", "[a][b]\n"},
    {"LF and CRLF", "a,b\nc,d\r\n", "[a][b]\n[c][d]\n"},
    {"a mark is passed over", "\xef\xbb\xbfphone\r\n1\r\n", "[phone]\n[1]\n"},
    {"a CR at the very end", "a\r", "[a]\n"},
    {"a CR inside is a character", "a\rb\n", "[a\rb]\n"},
    {"empty fields", ",,\n", "[][][]\n"},
    {"a comma at the end is an empty field", "a,\n", "[a][]\n"},
    {"blank lines", "a\n\n  \r\nb\n", "[a]\n-\n-\n[b]\n"},
    {"blanks are kept in plain fields", " a , b\n", "[ a ][ b]\n"},
    {"quotes", "\"a\",\"b\"\n", "[a][b]\n"},
    {"commas, quotes and line ends in quotes", "\"a,b\",\"c\"\"d\",\"e\r\nf\"\r\ng\n", "[a,b][c\"d][e\r\nf]\n[g]\n"},
    {"blanks around quotes", " \"a\" ,\t\"b\"\t\n", "[a][b]\n"},
    {"empty in quotes", "\"\",\"\"\"\"\n", "[][\"]\n"},
    {"a quoted field before CR at the end", "\"a\"\r", "[a]\n"},
    {"a quote inside a plain field", "a\"b,c\n", "[a\"b][c]\n"},
    {"text behind a quote costs the line", "\"a\"b,c\nd\n", "! 1 has text behind a closing quote\n[d]\n"},
    {"an open quote costs one line", "x\n\"a,b\nc,d\ne\n", "[x]\n! 2 has a quote that is not closed\n[c][d]\n[e]\n"},
    {"an open quote at the end", "a\n\"", "[a]\n! 2 has a quote that is not closed\n"},
    {"lines inside quotes are counted", "\"a\nb\"\n\"c\n", "[a\nb]\n! 3 has a quote that is not closed\n"},
};

static void test_rows(void **state)
{
    struct buf *out = buf_new(64);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t len = strlen(rows[i].bytes);

        for (size_t piece = 1; piece <= len + 1; piece++) {
            /* a copy of just that size, so that a sanitizer sees a step beyond it */
            char *copy = malloc(len > 0 ? len : 1);

            memcpy(copy, rows[i].bytes, len);
            if (strcmp(read_all(out, (struct span){copy, len}, piece), rows[i].want) != 0)
                fail_msg("%s, in pieces of %zu: %s", rows[i].claim, piece, buf_text(out));
            free(copy);
        }
    }
    buf_free(&out);
}

/* One line of so many bytes between two others. */
static const char *with_long_line(struct buf *out, size_t len, char quote, size_t piece)
{
    struct buf *text = buf_new(len + 16);
    const char *found;

    buf_add_text(text, "a\n");
    for (size_t i = 0; i < len; i++)
        buf_add(text, i == 0 && quote ? &quote : i % 3 == 2 ? "," : "x", 1);
    buf_add_text(text, "\nb\n");
    found = read_all(out, buf_span(text), piece);
    buf_free(&text);
    return found;
}

static void test_long_lines_are_lost_alone(void **state)
{
    static const size_t pieces[] = {1000, 65536, 1 << 20};
    struct buf *out = buf_new(64);

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(with_long_line(out, 200 * 1000, 0, pieces[i]), "[a]\n! 2 has more than 1024 fields\n-\n[b]\n");
        assert_string_equal(with_long_line(out, 200 * 1000, '"', pieces[i]), "[a]\n! 2 has a quote that is not closed\n-\n[b]\n");
        assert_string_equal(with_long_line(out, 10 * 1000, 0, pieces[i]), "[a]\n! 2 has more than 1024 fields\n[b]\n");
    }
    buf_free(&out);
}

static void test_a_field_that_is_not_there(void **state)
{
    struct csv *csv = csv_new();
    struct csv_record record;

    (void)state;
    assert_int_equal(csv_read(csv, SPAN("a,\n"), true, &record), CSV_RECORD);
    assert_true(csv_field(&record, 0).len == 1 && csv_field(&record, 1).ptr != NULL && csv_field(&record, 2).ptr == NULL);
    csv_free(&csv);
    csv_free(&csv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_long_lines_are_lost_alone),
        cmocka_unit_test(test_a_field_that_is_not_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
