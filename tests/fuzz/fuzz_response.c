/*
 * fuzz_response.c - any bytes as a buyer's `responses`, and behind a NUL as its answer: the rules compile or say what is wrong, every
 * answer is judged, always alike, and what is read from it is text that the database takes.
 *
 * Rules that do not compile are judged by a list that asks for everything.
 */
#include "common/must.h"
#include "proto/response_read.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char everything[] =
    "[{\"status\":[200,\"500-599\"],\"pointer\":\"/a/0/b~1c\",\"equals\":{\"a\":[1,\"x\"]},\"outcome\":\"DUPLICATE\"},"
    "{\"pointer\":\"/r\",\"equals\":\"1\",\"outcome\":\"REJECTED\"},{\"pointer\":\"/r\",\"value_contains\":\"dup\",\"outcome\":\"RETRY\"},"
    "{\"contains\":\"error\",\"matches\":\"(a|b)*c$\",\"outcome\":\"REJECTED\"},"
    "{\"outcome\":\"ACCEPTED\",\"price\":\"/price\",\"reference\":\"/id\",\"redirect_url\":\"/url\"}]";

static const struct responses *read_rules(struct catalog *into, struct span text, struct complaints *list)
{
    const struct responses *responses;
    struct json *doc = json_parse(text, NULL);

    if (doc == NULL)
        return NULL;
    responses = responses_read(into, doc, NULL, list);
    json_free(&doc);
    return responses;
}

static bool is_clean(struct span text)
{
    return text.ptr == NULL || (text.len > 0 && span_is_utf8(text) && memchr(text.ptr, '\0', text.len) == NULL);
}

static void judge(const struct responses *responses, int status, struct span body, struct arena *arena)
{
    struct judged judged, again;

    response_judge(responses, status, body, arena, &judged);
    response_judge(responses, status, body, arena, &again);
    must(judged.rule == again.rule && judged.outcome == again.outcome && judged.price_cents == again.price_cents);
    must(judged.rule >= -1 && judged.rule < (int)responses->rule_count);
    must(judged.rule >= 0 || judged.outcome == (status / 100 == 2 ? OUTCOME_ACCEPTED : OUTCOME_RETRY));
    must(judged.price_cents >= -1 && is_clean(judged.reference) && is_clean(judged.redirect_url));
    must(judged.reference.len <= REFERENCE_BYTES_MOST && judged.redirect_url.len <= REDIRECT_BYTES_MOST);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = {200, 204, 302, 404, 503};
    const uint8_t *end = size > 0 ? memchr(data, '\0', size) : NULL;
    size_t len = end != NULL ? (size_t)(end - data) : size;
    struct span body = end != NULL ? (struct span){(const char *)end + 1, size - len - 1} : (struct span){(const char *)data, size};
    struct catalog *into = must_zalloc(sizeof *into);
    struct complaints *list = complaints_new();
    const struct responses *responses;

    into->arena = arena_new();
    responses = read_rules(into, (struct span){(const char *)data, len}, list);
    must(responses == NULL || list->count == 0);
    if (responses == NULL)
        responses = read_rules(into, span_of(everything), list);
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        judge(responses, statuses[i], body, into->arena);
    complaints_free(&list);
    catalog_free(&into);
    return 0;
}
