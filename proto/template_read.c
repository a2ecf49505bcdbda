#include "proto/template_read.h"

#include "common/must.h"
#include "proto/ascii.h"
#include "proto/template_value.h"
#include "proto/value_print.h"

#include <string.h>

/* One template under compilation. */
struct reading {
    struct arena *arena;
    enum template_form form;
    template_field_fn *field_fn;
    void *ctx;
    struct complaints *list;
    size_t places;
};

static const struct { const char *word; enum template_function function; } functions[] = {
#define FUNCTION(name, word, takes, meaning) {word, FUNCTION_##name},
#include "proto/template_function.def"
#undef FUNCTION
};

static const struct { const char *word; enum template_name name; enum field_type type; } names[] = {
#define NAME(name, word, type, meaning) {word, NAME_##name, FIELD_##type},
#include "proto/template_name.def"
#undef NAME
};

/* Places ----------------------------------------------------------------------------------------------------------------- */

static bool is_word(struct span word)
{
    for (size_t i = 0; i < word.len; i++)
        if (!ascii_is_alnum(word.ptr[i]) && (word.ptr[i] == '\0' || strchr("_.:-", word.ptr[i]) == NULL))
            return false;
    return word.len > 0 && word.len <= FIELD_NAME_BYTES_MOST;
}

/* Takes the next word off the front. Returns it, absent when there is none. */
static struct span take_word(struct span *text)
{
    struct span word;
    size_t len = 0;

    *text = span_trim(*text);
    while (len < text->len && memchr(" \t\r\n", text->ptr[len], 4) == NULL)
        len++;
    word = (struct span){len > 0 ? text->ptr : NULL, len};
    *text = (struct span){text->ptr + len, text->len - len};
    return word;
}

static int function_of(struct span word)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (span_is(word, functions[i].word))
            return (int)functions[i].function;
    return -1;
}

/* Sets what the place names. Returns its type, or -1 after a complaint; a field whose type nobody knows counts as a date. */
static int read_name(struct reading *reading, struct template_part *part, struct span word, const struct place *place)
{
    int type = FIELD_DATE;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (span_is(word, names[i].word)) {
            part->name = names[i].name;
            return (int)names[i].type;
        }
    part->name = NAME_FIELD;
    part->field = arena_copy(reading->arena, word);
    if (reading->field_fn != NULL && (type = reading->field_fn(reading->ctx, word)) < 0)
        complain(reading->list, place, "{{%.*s}}: there is no such field on the buyer's campaigns", SPAN_FMT(word));
    return type;
}

/* The words before the last are functions, the last of them is applied first. */
static void read_words(struct reading *reading, struct template_part *part, const struct span *words, size_t count, const struct place *place)
{
    int type;

    for (size_t i = count - 1; i-- > 0;) {
        int function = function_of(words[i]);

        if (function < 0) {
            complain(reading->list, place, "there is no function %.*s", SPAN_FMT(words[i]));
            return;
        }
        part->functions[part->function_count++] = (enum template_function)function;
    }
    type = read_name(reading, part, words[count - 1], place);
    for (size_t i = 0; i < part->function_count && type >= 0; i++) {
        if (type != FIELD_DATE && template_function_is_of_dates(part->functions[i])) {
            complain(reading->list, place, "%.*s needs a date", SPAN_FMT(words[count - 2 - i]));
            return;
        }
        type = part->functions[i] == FUNCTION_DATE_YMD ? FIELD_DATE : FIELD_STRING;
    }
}

/* What stands between the braces. */
static void read_place(struct reading *reading, struct template_part *part, struct span text, const struct place *place)
{
    struct span words[TEMPLATE_FUNCTIONS_MOST + 1], word;
    size_t count = 0;

    while ((word = take_word(&text)).len > 0) {
        if (count == sizeof words / sizeof *words) {
            complain(reading->list, place, "a place has at most %d functions", TEMPLATE_FUNCTIONS_MOST);
            return;
        }
        if (!is_word(word)) {
            complain(reading->list, place, "between {{ and }} stands a field's name, or functions and a field's name");
            return;
        }
        words[count++] = word;
    }
    if (count == 0)
        complain(reading->list, place, "nothing stands between {{ and }}");
    else
        read_words(reading, part, words, count, place);
    if (++reading->places == TEMPLATE_PLACES_MOST + 1)
        complain(reading->list, place, "a template has at most %d places", TEMPLATE_PLACES_MOST);
}

/* Texts ------------------------------------------------------------------------------------------------------------------ */

static size_t find(struct span text, const char *what, size_t from)
{
    const char *found = from < text.len ? memmem(text.ptr + from, text.len - from, what, strlen(what)) : NULL;

    return found != NULL ? (size_t)(found - text.ptr) : text.len;
}

static void add_constant(struct reading *reading, struct template *out, struct span text)
{
    if (text.len > 0)
        out->parts[out->part_count++].constant = arena_copy(reading->arena, text);
}

static void read_text(struct reading *reading, struct template *out, struct span text, const struct place *place)
{
    size_t room = 1;

    for (size_t at = find(text, "{{", 0); at < text.len; at = find(text, "{{", at + 2))
        room += 2;
    if (room == 1) {
        struct buf *json = buf_new(text.len + 2);

        out->kind = TEMPLATE_CONSTANT;
        value_print_text(json, text);
        out->constant = arena_copy(reading->arena, reading->form == TEMPLATE_AS_JSON ? buf_span(json) : text);
        buf_free(&json);
        return;
    }
    out->parts = arena_alloc(reading->arena, room * sizeof *out->parts);
    for (size_t at = 0; at < text.len;) {
        size_t open = find(text, "{{", at), shut = find(text, "}}", open);

        add_constant(reading, out, (struct span){text.ptr + at, open - at});
        if (open == text.len)
            break;
        if (shut == text.len) {
            complain(reading->list, place, "{{ without }} behind it");
            break;
        }
        read_place(reading, &out->parts[out->part_count++], (struct span){text.ptr + open + 2, shut - open - 2}, place);
        at = shut + 2;
    }
    out->kind = out->part_count == 1 ? TEMPLATE_VALUE : TEMPLATE_TEXT;
}

/* Values ----------------------------------------------------------------------------------------------------------------- */

static void read_value(struct reading *reading, struct template *out, struct json *doc, const struct place *place);

static void read_object(struct reading *reading, struct template *out, struct json *doc, const struct place *place)
{
    struct json *entry;
    const char *key;
    void *iter = NULL;

    out->kind = TEMPLATE_OBJECT;
    out->entries = arena_alloc(reading->arena, (json_count(doc) + 1) * sizeof *out->entries);
    while (json_each(doc, &iter, &key, &entry)) {
        struct place at = {place, key, 0};
        struct template *its = &out->entries[out->entry_count];

        if (strstr(key, "{{") != NULL)
            complain(reading->list, &at, "a key cannot hold {{");
        if (reading->form == TEMPLATE_AS_FORM && json_kind(entry) == JSON_NULL)
            continue; /* a form has no null: as good as left out */
        its->key = arena_copy(reading->arena, span_of(key));
        read_value(reading, its, entry, &at);
        out->entry_count++;
    }
}

static void read_list(struct reading *reading, struct template *out, struct json *doc, const struct place *place)
{
    out->kind = TEMPLATE_LIST;
    out->entry_count = json_count(doc);
    out->entries = arena_alloc(reading->arena, (out->entry_count + 1) * sizeof *out->entries);
    for (size_t i = 0; i < out->entry_count; i++) {
        struct place at = {place, NULL, i};

        read_value(reading, &out->entries[i], json_at(doc, i), &at);
    }
}

/* Numbers, true, false and null. */
static void read_constant(struct reading *reading, struct template *out, const struct json *doc)
{
    struct buf *text = buf_new(32), *number = buf_new(32);
    enum json_kind kind = json_kind(doc);

    out->kind = TEMPLATE_CONSTANT;
    json_print(doc, text);
    if (kind == JSON_REAL) /* an integer stands as it is, however long */
        value_print_number(number, buf_span(text));
    out->constant = arena_copy(reading->arena, number->len > 0 ? buf_span(number) : buf_span(text));
    buf_free(&number);
    buf_free(&text);
}

static void read_value(struct reading *reading, struct template *out, struct json *doc, const struct place *place)
{
    switch (json_kind(doc)) {
    case JSON_TEXT:
        read_text(reading, out, json_text(doc), place);
        return;
    case JSON_OBJECT:
    case JSON_LIST:
        if (reading->form != TEMPLATE_AS_JSON)
            complain(reading->list, place, "a form is flat: a text, a number or a boolean stands here");
        else if (json_kind(doc) == JSON_OBJECT)
            read_object(reading, out, doc, place);
        else
            read_list(reading, out, doc, place);
        return;
    case JSON_INTEGER:
    case JSON_REAL:
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_NULL:
        read_constant(reading, out, doc);
        return;
    }
}

static bool is_too_long(const struct json *doc)
{
    struct buf *text = buf_new(1024);
    bool is_over;

    json_print(doc, text);
    is_over = text->len > TEMPLATE_BYTES_MOST;
    buf_free(&text);
    return is_over;
}

struct template *template_read(struct arena *arena, struct json *doc, enum template_form form, template_field_fn *field_fn, void *ctx,
                               const struct place *place, struct complaints *list)
{
    struct reading reading = {.arena = arena, .form = form, .field_fn = field_fn, .ctx = ctx, .list = list};
    struct template *template = arena_alloc(arena, sizeof *template);
    size_t before = list->count;

    if (is_too_long(doc)) {
        complain(list, place, "a template has at most %d bytes", TEMPLATE_BYTES_MOST);
    } else if (form == TEMPLATE_AS_FORM) {
        if (json_kind(doc) == JSON_OBJECT)
            read_object(&reading, template, doc, place);
        else
            complain(list, place, "a form's template is an object");
    } else if (form == TEMPLATE_AS_LINE && json_kind(doc) != JSON_TEXT) {
        complain(list, place, "must be a text");
    } else {
        read_value(&reading, template, doc, place);
    }
    return list->count == before ? template : NULL;
}
