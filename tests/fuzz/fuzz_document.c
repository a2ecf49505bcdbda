/*
 * fuzz_document.c - any bytes as a configuration document: nothing crashes, every error has a place and a sentence, and a
 * right document is right again after it was normalised, put in order, printed and read.
 */
#include "common/must.h"
#include "leadctl/document.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool zone_is_known(void *ctx, struct span zone)
{
    (void)ctx;
    return zone.len % 2 == 0;
}

static void check_again(struct json *document)
{
    struct complaints *list = complaints_new();
    struct buf *text = buf_new(1024);
    struct json *arranged, *again;

    document_normalise(document);
    arranged = schema_arranged(document_schema(), document);
    must(json_equal(document, arranged));
    json_print_pretty(arranged, text);
    again = document_read(buf_span(text), list);
    must(again != NULL && list->count == 0);
    document_normalise(again);
    must(json_equal(document, again));
    json_free(&again);
    json_free(&arranged);
    buf_free(&text);
    complaints_free(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct complaints *list = complaints_new();
    struct json *document = document_read((struct span){(const char *)data, size}, list);
    bool is_right = list->count == 0;

    must(document != NULL || !is_right);
    if (document != NULL)
        document_check_zones(document, zone_is_known, NULL, list);
    for (size_t i = 0; i < list->count; i++)
        must(list->items[i].sentence[0] != '\0' && (list->items[i].pointer[0] == '\0' || list->items[i].pointer[0] == '/'));
    if (is_right)
        check_again(document);
    if (document != NULL)
        json_free(&document);
    complaints_free(&list);
    return 0;
}
