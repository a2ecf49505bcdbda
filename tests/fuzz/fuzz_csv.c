/*
 * fuzz_csv.c - any bytes as a CSV file: read piece by piece it is what it is read whole, every byte and every line end is taken
 * once, and fields that are quoted and read again are the same.
 */
#include "common/buf.h"
#include "common/csv.h"
#include "common/must.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_quoted(struct buf *out, struct span text)
{
    buf_add_text(out, "\"");
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"')
            buf_add_text(out, "\"");
        buf_add(out, &text.ptr[i], 1);
    }
    buf_add_text(out, "\"");
}

/* The records with all their fields quoted, a line each; "!" for a bad one. */
static void read_all(struct buf *out, struct span bytes, size_t piece)
{
    struct csv *csv = csv_new();
    struct csv_record record;
    enum csv_found found;
    size_t at = 0, have = piece < bytes.len ? piece : bytes.len, lines = 0, line_ends = 0;

    while ((found = csv_read(csv, (struct span){bytes.ptr + at, have - at}, have == bytes.len, &record)) != CSV_END) {
        if (found == CSV_MORE) {
            must(have < bytes.len);
            have = bytes.len - have > piece ? have + piece : bytes.len;
            continue;
        }
        must(record.bytes > 0 && record.bytes <= have - at && record.text.len <= record.bytes && record.text.ptr == bytes.ptr + at);
        must(found != CSV_BAD || record.why != NULL);
        for (size_t i = 0; found == CSV_RECORD && i < record.count; i++) {
            buf_add_text(out, i > 0 ? "," : "");
            put_quoted(out, record.fields[i]);
        }
        if (found == CSV_BAD)
            buf_add_text(out, "!");
        if (found != CSV_BLANK)
            buf_add_text(out, "\n");
        at += record.bytes;
        lines += record.lines;
    }
    must(at == bytes.len);
    for (size_t i = 0; i < bytes.len; i++)
        line_ends += bytes.ptr[i] == '\n';
    must(lines == line_ends + (bytes.len > 0 && bytes.ptr[bytes.len - 1] != '\n'));
    csv_free(&csv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = {(const char *)data + 1, size > 0 ? size - 1 : 0};
    struct buf *whole = buf_new(64), *pieces = buf_new(64), *again = buf_new(64);

    if (size > 0) {
        read_all(whole, bytes, bytes.len + 1);
        read_all(pieces, bytes, data[0] % 16 + 1);
        must(span_equal(buf_span(whole), buf_span(pieces)));
        read_all(again, buf_span(whole), whole->len + 1);
        if (memchr(whole->data, '!', whole->len) == NULL)
            must(span_equal(buf_span(whole), buf_span(again)));
    }
    buf_free(&whole);
    buf_free(&pieces);
    buf_free(&again);
    return 0;
}
