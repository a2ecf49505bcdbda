#include "gateway/spec_page.h"

#include "gateway/html.h"
#include "gateway/spec.h"
#include "proto/ascii.h"

#include <string.h>

static const char HEAD[] =
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<style>\n"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}\n"
    "h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:2rem}\n"
    "code,pre{font:14px/1.45 ui-monospace,monospace;overflow-wrap:anywhere}\n"
    "pre{background:#f4f4f4;padding:.8rem;white-space:pre-wrap}\n"
    "table{border-collapse:collapse;width:100%}\n"
    "th,td{text-align:left;vertical-align:top;border-bottom:1px solid #ddd;padding:.4rem .6rem .4rem 0}\n"
    ".open{border-left:4px solid #b45309;padding-left:.8rem}\n"
    "</style>\n<title>";

static void code(struct buf *out, struct span text)
{
    buf_add_text(out, "<code>");
    html_add(out, text);
    buf_add_text(out, "</code>");
}

/* A text, number or boolean as it is, or as JSON writes it. */
static void code_of(struct buf *out, const struct json *value)
{
    struct buf *text = buf_new(64);

    if (json_kind(value) == JSON_TEXT)
        buf_add_span(text, json_text(value));
    else
        json_print(value, text);
    code(out, buf_span(text));
    buf_free(&text);
}

/* Fields -------------------------------------------------------------------------------------------------------------- */

/* " <before> <value>." when the field says so. */
static void rule(struct buf *out, const struct json *field, const char *key, const char *before)
{
    const struct json *value = json_get(field, key);

    if (value == NULL)
        return;
    buf_printf(out, " %s ", before);
    code_of(out, value);
    buf_add_text(out, ".");
}

static void rule_list(struct buf *out, const struct json *field, const char *key, const char *before)
{
    const struct json *list = json_get(field, key);

    if (list == NULL)
        return;
    buf_printf(out, " %s", before);
    for (size_t i = 0; i < json_count(list); i++) {
        buf_add_text(out, i > 0 ? ", " : " ");
        code_of(out, json_at(list, i));
    }
    buf_add_text(out, ".");
}

static void put_field(struct buf *out, const struct json *field)
{
    buf_add_text(out, "<tr><td>");
    code(out, json_get_text(field, "name"));
    buf_add_text(out, "</td><td>");
    html_add(out, json_get_text(field, "type"));
    buf_add_text(out, json_get_bool(field, "required", false) ? "</td><td><b>required</b></td><td>" : "</td><td>optional</td><td>");
    html_add(out, json_get_text(field, "description"));
    rule_list(out, field, "transform", "First it is changed by:");
    rule_list(out, field, "values", "Only these values:");
    rule(out, field, "min", "At least");
    rule(out, field, "max", "At most");
    rule(out, field, "min_length", "Characters, at least:");
    rule(out, field, "max_length", "Characters, at most:");
    rule(out, field, "pattern", "Has to match the regular expression");
    rule(out, field, "default", "When it is not sent, it counts as");
    buf_add_text(out, "</td></tr>\n");
}

static void put_fields(struct buf *out, const struct json *fields)
{
    buf_add_text(out, "<h2>Fields</h2>\n<p>One flat JSON object a lead, in UTF-8. <code>null</code> and empty text count as not sent. "
                      "A field that is not listed here is kept with the lead and not passed on.</p>\n"
                      "<table id=\"fields\">\n<tr><th>Field</th><th>Type</th><th></th><th>What it takes</th></tr>\n");
    for (size_t i = 0; i < json_count(fields); i++)
        put_field(out, json_at(fields, i));
    buf_add_text(out, "</table>\n");
}

/* The example --------------------------------------------------------------------------------------------------------- */

/* Is this a scheme, a host and perhaps a port, and nothing that a shell or a reader would stumble over? */
static bool is_origin(struct span origin)
{
    if (origin.len == 0)
        return false;
    for (size_t i = 0; i < origin.len; i++)
        if (!ascii_is_alnum(origin.ptr[i]) && (origin.ptr[i] == '\0' || strchr(".:/-_[]", origin.ptr[i]) == NULL))
            return false;
    return true;
}

/* The text between single quotes, as a POSIX shell reads it. */
static void add_quoted(struct buf *shell, struct span text)
{
    buf_add_text(shell, "'");
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\'')
            buf_add_text(shell, "'\\''");
        else
            buf_add(shell, text.ptr + i, 1);
    }
    buf_add_text(shell, "'");
}

static void put_placeholders(struct buf *out, const struct json *names)
{
    if (json_count(names) == 0)
        return;
    buf_add_text(out, "<p class=\"open\" id=\"placeholders\">No example value could be made for");
    for (size_t i = 0; i < json_count(names); i++) {
        buf_add_text(out, i > 0 ? ", " : " ");
        code(out, json_text(json_at(names, i)));
    }
    buf_add_text(out, ": put in a value of your own where it says <code>" SPEC_PLACEHOLDER "</code>; as it stands, this lead is refused.</p>\n");
}

static void put_example(struct buf *out, const struct json *data, struct span origin)
{
    struct buf *body = buf_new(512), *url = buf_new(64), *shell = buf_new(1024);

    buf_add_span(url, is_origin(origin) ? origin : SPAN("https://YOUR-LEADLINE-HOST"));
    buf_add_span(url, json_get_text(data, "url"));
    json_print_pretty(json_get(data, "example"), body);
    buf_add_text(shell, "curl -i -X ");
    buf_add_span(shell, json_get_text(data, "method"));
    buf_add_text(shell, " ");
    add_quoted(shell, buf_span(url));
    buf_add_text(shell, " \\\n  -H 'x-api-key: YOUR_API_KEY' \\\n  -H 'content-type: application/json' \\\n  --data-raw ");
    add_quoted(shell, buf_span(body));
    buf_add_text(out, "<h2>A lead that works</h2>\n<p>Put your key in the place of <code>YOUR_API_KEY</code> and run this in a shell. "
                      "It is a test lead: leave <code>is_test</code> out of real ones.</p>\n");
    put_placeholders(out, json_get(data, "placeholders"));
    buf_add_text(out, "<pre id=\"curl\">");
    html_add(out, buf_span(shell));
    buf_add_text(out, "</pre>\n");
    buf_free(&shell);
    buf_free(&url);
    buf_free(&body);
}

/* Answers ------------------------------------------------------------------------------------------------------------- */

static void put_answers(struct buf *out, const struct json *answers)
{
    buf_add_text(out, "<h2>Answers</h2>\n<p>Go by the status and, of errors, by the word in <code>error</code>; the wording of "
                      "<code>message</code> may change.</p>\n<table id=\"answers\">\n<tr><th>Status</th><th>When, and the body</th></tr>\n");
    for (size_t i = 0; i < json_count(answers); i++) {
        const struct json *answer = json_at(answers, i);
        struct buf *body = buf_new(512);

        json_print(json_get(answer, "body"), body);
        buf_printf(out, "<tr><td>%d</td><td>", (int)json_get_integer(answer, "status", 0));
        html_add(out, json_get_text(answer, "when"));
        buf_add_text(out, "<pre>");
        html_add(out, buf_span(body));
        buf_add_text(out, "</pre></td></tr>\n");
        buf_free(&body);
    }
    buf_add_text(out, "</table>\n<p>When the connection breaks or the answer is 503, send the same body again with the same "
                      "<code>Idempotency-Key</code> header (a text of your own for each lead, at most 255 characters): it is never recorded twice. "
                      "All of the API is described at <code>/api/v1/openapi.yaml</code>.</p>\n");
}

void spec_page(const struct json *spec, struct span origin, struct buf *out)
{
    const struct json *data = json_get(spec, "data");

    buf_add_text(out, HEAD);
    buf_add_text(out, "Posting leads to ");
    html_add(out, json_get_text(data, "campaign_id"));
    buf_add_text(out, "</title>\n</head>\n<body>\n<h1>Posting leads to ");
    code(out, json_get_text(data, "campaign_id"));
    buf_add_text(out, " as ");
    code(out, json_get_text(data, "supplier_id"));
    buf_add_text(out, "</h1>\n<p>Send each lead by ");
    html_add(out, json_get_text(data, "method"));
    buf_add_text(out, " to ");
    code(out, json_get_text(data, "url"));
    buf_add_text(out, ", with your key in the header <code>x-api-key</code> and <code>content-type: application/json</code>.</p>\n");
    put_fields(out, json_get(data, "fields"));
    put_example(out, data, origin);
    put_answers(out, json_get(data, "answers"));
    buf_add_text(out, "</body>\n</html>\n");
}
