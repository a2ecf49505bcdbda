#include "gateway/html.h"

static const char *entity_of(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void html_add(struct buf *out, struct span text)
{
    size_t plain = 0; /* from here on nothing was written yet */

    for (size_t i = 0; i < text.len; i++) {
        const char *entity = entity_of(text.ptr[i]);

        if (entity == NULL)
            continue;
        buf_add(out, text.ptr + plain, i - plain);
        buf_add_text(out, entity);
        plain = i + 1;
    }
    if (text.len > plain)
        buf_add(out, text.ptr + plain, text.len - plain);
}
