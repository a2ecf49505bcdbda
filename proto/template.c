#include "proto/template.h"

#include "common/arena.h"
#include "proto/ascii.h"
#include "proto/template_value.h"
#include "proto/value_print.h"

#include <string.h>

/* Where it is printed: what functions make lives as long. */
struct printing {
    const struct delivery *delivery;
    struct arena *arena;
    struct buf *text; /* of a form's value */
};

static void put_plain(const struct printing *printing, const struct template *template, struct buf *out)
{
    for (size_t i = 0; i < template->part_count; i++) {
        const struct template_part *part = &template->parts[i];

        if (part->constant.ptr != NULL) {
            buf_add_span(out, part->constant);
        } else {
            struct field value = template_value(part, printing->delivery, printing->arena);

            if (value.text.len > 0)
                value_print_plain(out, &value);
        }
    }
}

/* JSON ------------------------------------------------------------------------------------------------------------------- */

static bool put_json(const struct printing *printing, const struct template *template, struct buf *out);

static void put_entries(const struct printing *printing, const struct template *template, struct buf *out)
{
    bool is_first = true;

    for (size_t i = 0; i < template->entry_count; i++) {
        const struct template *entry = &template->entries[i];
        size_t before = out->len;

        if (!is_first)
            buf_add(out, ",", 1);
        if (template->kind == TEMPLATE_OBJECT) {
            value_print_text(out, entry->key);
            buf_add(out, ":", 1);
        }
        if (put_json(printing, entry, out))
            is_first = false;
        else
            out->len = before;
    }
}

/* Returns false, with nothing written, when the value is absent. */
static bool put_json(const struct printing *printing, const struct template *template, struct buf *out)
{
    struct field value;

    switch (template->kind) {
    case TEMPLATE_CONSTANT:
        buf_add_span(out, template->constant);
        break;
    case TEMPLATE_VALUE:
        value = template_value(template->parts, printing->delivery, printing->arena);
        if (value.text.len == 0)
            return false;
        value_print_json(out, &value);
        break;
    case TEMPLATE_TEXT:
        printing->text->len = 0;
        put_plain(printing, template, printing->text);
        value_print_text(out, buf_span(printing->text));
        break;
    case TEMPLATE_OBJECT:
        buf_add(out, "{", 1);
        put_entries(printing, template, out);
        buf_add(out, "}", 1);
        break;
    case TEMPLATE_LIST:
        buf_add(out, "[", 1);
        put_entries(printing, template, out);
        buf_add(out, "]", 1);
        break;
    }
    return true;
}

static struct printing begin(const struct delivery *delivery)
{
    return (struct printing){delivery, arena_new(), buf_new(256)};
}

static void end(struct printing *printing)
{
    arena_free(&printing->arena);
    buf_free(&printing->text);
}

void template_print_json(const struct template *template, const struct delivery *delivery, struct buf *out)
{
    struct printing printing = begin(delivery);

    if (!put_json(&printing, template, out))
        buf_add_text(out, "null");
    end(&printing);
}

/* Forms ------------------------------------------------------------------------------------------------------------------ */

static void put_encoded(struct buf *out, struct span text)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        char escaped[3] = {'%', hex[c >> 4], hex[c & 15]};

        if (ascii_is_alnum((char)c) || (c != '\0' && strchr("*-._", c) != NULL))
            buf_add(out, &text.ptr[i], 1);
        else if (c == ' ')
            buf_add(out, "+", 1);
        else
            buf_add(out, escaped, sizeof escaped);
    }
}

void template_put_pair(struct buf *out, size_t from, struct span name, struct span value)
{
    if (out->len > from)
        buf_add(out, "&", 1);
    put_encoded(out, name);
    buf_add(out, "=", 1);
    put_encoded(out, value);
}

/* The plain text of an entry; false when it is absent. */
static bool plain_of(const struct printing *printing, const struct template *template)
{
    printing->text->len = 0;
    if (template->kind == TEMPLATE_CONSTANT)
        buf_add_span(printing->text, template->constant);
    else
        put_plain(printing, template, printing->text);
    return template->kind != TEMPLATE_VALUE || printing->text->len > 0;
}

void template_print_form(const struct template *template, const struct delivery *delivery, struct buf *out)
{
    struct printing printing = begin(delivery);
    size_t from = out->len;

    for (size_t i = 0; i < template->entry_count; i++)
        if (plain_of(&printing, &template->entries[i]))
            template_put_pair(out, from, template->entries[i].key, buf_span(printing.text));
    end(&printing);
}

/* Lines ------------------------------------------------------------------------------------------------------------------ */

bool template_print_line(const struct template *template, const struct delivery *delivery, struct buf *out)
{
    struct printing printing = begin(delivery);
    bool is_there = plain_of(&printing, template);

    for (size_t i = 0; is_there && i < printing.text->len; i++) {
        unsigned char c = (unsigned char)printing.text->data[i];

        buf_add(out, c < 0x20 || c == 0x7f ? " " : (const char *)&printing.text->data[i], 1);
    }
    end(&printing);
    return is_there;
}
