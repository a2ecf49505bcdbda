#include "proto/format.h"

#include "common/http_client.h"

#include <string.h>

const struct format format_usual = {.method = "POST"};

static const char *method_of(struct span word)
{
    static const char *const methods[] = {"POST", "PUT", "PATCH", "GET"};

    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (span_is(word, methods[i]))
            return methods[i];
    return NULL;
}

/* Those that make the signature, and those whose change would break what we read or where we connect to. */
static bool is_ours(struct span name)
{
    static const char *const ours[] = {"webhook-id", "webhook-timestamp", "webhook-signature", "x-leaddistro-signature", "host", "accept-encoding"};

    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (span_equal_nocase(name, span_of(ours[i])))
            return true;
    return false;
}

static bool is_twice(const struct format *format, struct span name)
{
    for (size_t i = 0; i < format->header_count; i++)
        if (span_equal_nocase(format->headers[i].name, name))
            return true;
    return false;
}

static void read_header(struct arena *arena, struct format *format, const char *name, struct json *value, template_field_fn *field_fn,
                        void *ctx, const struct place *place, struct complaints *list)
{
    struct format_header *header = &format->headers[format->header_count];
    struct http_header sent = {arena_copy(arena, span_of(name)), json_text(value)}, bare = {sent.name, SPAN("")};

    if (!http_header_is_good(&bare))
        complain(list, place, "is no name of a header, or of one that the HTTP connection sets itself");
    else if (is_ours(sent.name))
        complain(list, place, "this header is Leadline's own");
    else if (is_twice(format, sent.name))
        complain(list, place, "this header is there twice");
    else if (sent.value.ptr != NULL && !http_header_is_good(&sent))
        complain(list, place, "holds a control character");
    else
        *header = (struct format_header){sent.name, template_read(arena, value, TEMPLATE_AS_LINE, field_fn, ctx, place, list)};
    format->header_count += header->value != NULL;
}

static void read_headers(struct arena *arena, struct format *format, struct json *doc, template_field_fn *field_fn, void *ctx,
                         const struct place *place, struct complaints *list)
{
    struct json *value;
    const char *name;
    void *iter = NULL;

    if (doc == NULL || json_kind(doc) != JSON_OBJECT)
        return; /* the schema complains */
    if (json_count(doc) > FORMAT_HEADERS_MOST) {
        complain(list, place, "must have at most %d headers", FORMAT_HEADERS_MOST);
        return;
    }
    format->headers = arena_alloc(arena, (json_count(doc) + 1) * sizeof *format->headers);
    while (json_each(doc, &iter, &name, &value)) {
        struct place at = {place, name, 0};

        read_header(arena, format, name, value, field_fn, ctx, &at, list);
    }
}

const struct format *format_read(struct arena *arena, const struct json *delivery, template_field_fn *field_fn, void *ctx,
                                 const struct place *place, struct complaints *list)
{
    struct place headers = {place, "headers", 0}, template = {place, "template", 0}, its_format = {place, "format", 0};
    struct format *format = arena_alloc(arena, sizeof *format);
    struct span method = json_get_text(delivery, "method"), word = json_get_text(delivery, "format");
    struct json *body = json_get(delivery, "template");
    size_t before = list->count;
    bool is_get;

    format->method = method.ptr != NULL ? method_of(method) : "POST";
    if (format->method == NULL)
        format->method = "POST"; /* the schema complains */
    is_get = strcmp(format->method, "GET") == 0;
    format->is_form = word.ptr != NULL ? span_is(word, "form") : is_get;
    if (is_get && !format->is_form)
        complain(list, &its_format, "GET has no body: its form is in the URL, so this must be form");
    read_headers(arena, format, json_get(delivery, "headers"), field_fn, ctx, &headers, list);
    if (body != NULL)
        format->body = template_read(arena, body, format->is_form ? TEMPLATE_AS_FORM : TEMPLATE_AS_JSON, field_fn, ctx, &template, list);
    return list->count == before ? format : NULL;
}
