#include "dispatcher/webhook.h"

#include "common/must.h"
#include "dispatcher/body.h"
#include "dispatcher/sign.h"

#include <stdlib.h>
#include <string.h>

enum { OWN_HEADERS = 4 }; /* webhook-id, -timestamp, -signature, and the legacy one */

/* A text of the one piece, before its place is known. */
struct piece {
    size_t at, len;
};

static void put_body(const struct format *format, const struct delivery *delivery, struct buf *out)
{
    if (delivery->event.ptr != NULL)
        buf_add(out, delivery->event.ptr, delivery->event.len);
    else if (format->body != NULL && format->is_form)
        template_print_form(format->body, delivery, out);
    else if (format->body != NULL)
        template_print_json(format->body, delivery, out);
    else if (format->is_form)
        body_print_form(delivery, out);
    else
        body_print(delivery, out);
}

/* Values of the headers, behind each other; an absent one has its `at` at the end of time. */
static bool put_headers(const struct format *format, const struct delivery *delivery, struct buf *out, struct piece *pieces)
{
    bool has_type = false;

    for (size_t i = 0; i < format->header_count; i++) {
        pieces[i].at = out->len;
        if (!template_print_line(format->headers[i].value, delivery, out))
            pieces[i].at = SIZE_MAX;
        else
            has_type |= span_equal_nocase(format->headers[i].name, SPAN("content-type"));
        pieces[i].len = out->len - pieces[i].at;
    }
    return has_type;
}

static struct span keep(char **to, struct span text)
{
    struct span copy = {*to, text.len};

    if (text.len > 0)
        memcpy(*to, text.ptr, text.len);
    *to += text.len;
    return copy;
}

struct webhook *webhook_new(const struct format *format, const struct delivery *delivery)
{
    const struct format *its = format != NULL ? format : &format_usual;
    struct buf *body = buf_new(1024), *values = buf_new(0);
    struct piece pieces[FORMAT_HEADERS_MOST];
    bool is_query = strcmp(its->method, "GET") == 0, has_type;
    size_t bytes = sizeof(struct webhook) + (its->header_count + 1) * sizeof(struct http_header);
    struct webhook *webhook;
    char *to;

    put_body(its, delivery, body);
    has_type = put_headers(its, delivery, values, pieces);
    for (size_t i = 0; i < its->header_count; i++)
        bytes += its->headers[i].name.len;
    bytes += body->len + values->len;
    webhook = must_zalloc(bytes);
    webhook->bytes = bytes;
    webhook->method = its->method;
    webhook->headers = (struct http_header *)(webhook + 1);
    to = (char *)(webhook->headers + its->header_count + 1);
    if (!has_type && !is_query)
        webhook->headers[webhook->header_count++] = (struct http_header){
            SPAN("content-type"), its->is_form ? SPAN("application/x-www-form-urlencoded") : SPAN("application/json")};
    for (size_t i = 0; i < its->header_count; i++)
        if (pieces[i].at != SIZE_MAX) {
            struct http_header *header = &webhook->headers[webhook->header_count++];

            header->name = keep(&to, its->headers[i].name);
            header->value = keep(&to, (struct span){values->data + pieces[i].at, pieces[i].len});
        }
    *(is_query ? &webhook->query : &webhook->body) = keep(&to, buf_span(body));
    buf_free(&body);
    buf_free(&values);
    return webhook;
}

void webhook_free(struct webhook **webhook)
{
    free(*webhook);
    *webhook = NULL;
}

/* The URL with the query behind what it has of its own; a fragment is never sent. */
static struct span url_with(const char *url, struct span query, struct arena *arena)
{
    struct span base = {url, strcspn(url, "#")};
    bool has_query = memchr(base.ptr, '?', base.len) != NULL;
    bool is_joined = base.len > 0 && strchr("?&", base.ptr[base.len - 1]) != NULL;

    if (query.len == 0)
        return span_of(url);
    return arena_printf(arena, "%.*s%s%.*s", SPAN_FMT(base), has_query ? is_joined ? "" : "&" : "?", SPAN_FMT(query));
}

static struct span kept(struct arena *arena, struct buf **text)
{
    struct span copy = arena_copy(arena, buf_span(*text));

    buf_free(text);
    return copy;
}

void webhook_request(const struct webhook *webhook, const struct buyer *buyer, const struct uuid *id, int64_t at_s, struct arena *arena,
                     struct http_request *out)
{
    struct http_header *headers = arena_alloc(arena, (webhook->header_count + OWN_HEADERS) * sizeof *headers);
    struct buf *signature = buf_new(128), *legacy = buf_new(80);
    size_t count = webhook->header_count;
    char text[UUID_TEXT_BYTES];

    if (count > 0)
        memcpy(headers, webhook->headers, count * sizeof *headers);
    headers[count++] = (struct http_header){SPAN("webhook-id"), arena_copy(arena, span_of(uuid_text(id, text)))};
    headers[count++] = (struct http_header){SPAN("webhook-timestamp"), arena_printf(arena, "%lld", (long long)at_s)};
    sign_webhook(signature, buyer->secrets, buyer->secret_count, headers[count - 2].value, at_s, webhook->body);
    headers[count++] = (struct http_header){SPAN("webhook-signature"), kept(arena, &signature)};
    if (buyer->has_legacy_signature && buyer->secret_count > 0) {
        sign_legacy(legacy, buyer->secrets[0], webhook->body);
        headers[count++] = (struct http_header){SPAN("X-LeadDistro-Signature"), arena_copy(arena, buf_span(legacy))};
    }
    buf_free(&legacy);
    *out = (struct http_request){
        .url = url_with(buyer->url, webhook->query, arena), .method = webhook->method, .headers = headers, .header_count = count,
        .body = webhook->body,
    };
}
