#include "proto/field_options.h"

#include "common/buf.h"
#include "common/map.h"
#include "proto/decimal.h"
#include "proto/field_judge.h"
#include "proto/letter.h"
#include "proto/normal.h"

/* One entry while it is read. */
struct reading {
    struct arena *arena;
    const struct json *entry;
    struct field_spec *spec;
    struct complaints *list;
    const struct place *place;
};

/* A text, number or boolean of the document as if a supplier had sent it. Returns false for anything else, and NULL. */
static bool as_sent(struct arena *arena, const struct json *value, struct field *out)
{
    struct buf *text;

    if (value == NULL)
        return false;
    switch (json_kind(value)) {
    case JSON_TEXT:
        out->kind = VALUE_TEXT;
        out->text = arena_copy(arena, json_text(value));
        return true;
    case JSON_INTEGER:
    case JSON_REAL:
        out->kind = VALUE_NUMBER;
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        out->kind = VALUE_BOOL;
        break;
    case JSON_OBJECT:
    case JSON_LIST:
    case JSON_NULL:
        return false;
    }
    text = buf_new(32);
    json_print(value, text);
    out->text = arena_copy(arena, buf_span(text));
    buf_free(&text);
    return true;
}

/* Is the option there? Complains when its field's type has no use for it. */
static bool is_asked(struct reading *reading, const char *key, bool is_fit, const char *otherwise)
{
    struct place at = {reading->place, key, 0};

    if (json_get(reading->entry, key) == NULL)
        return false;
    if (!is_fit)
        complain(reading->list, &at, "%s", otherwise);
    return is_fit;
}

static void read_transform(struct reading *reading)
{
    const struct json *option = json_get(reading->entry, "transform");
    struct place at = {reading->place, "transform", 0};
    struct field_spec *spec = reading->spec;
    bool is_list = option != NULL && json_kind(option) == JSON_LIST;
    size_t count = is_list ? json_count(option) : 1;

    if (option == NULL || (!is_list && json_kind(option) != JSON_TEXT))
        return;
    spec->transforms = arena_alloc(reading->arena, count * sizeof *spec->transforms);
    for (size_t i = 0; i < count; i++) {
        struct span word = json_text(is_list ? json_at(option, i) : option);
        int transform = transform_of(word);

        if (transform >= 0)
            spec->transforms[spec->transform_count++] = (enum transform)transform;
        else if (!is_list) /* in a list it is the schema that complains */
            complain(reading->list, &at, "must be one of %s, or a list of them", transform_words());
    }
}

/* The normal form of min or max, absent when there is none or it is wrong. */
static struct span bound(struct reading *reading, const char *key)
{
    enum field_type type = reading->spec->type;
    struct place at = {reading->place, key, 0};
    struct field sent, form = {.name = {NULL, 0}};
    const char *why;

    if (!is_asked(reading, key, type == FIELD_NUMBER || type == FIELD_DATE, "is for numbers and dates only") ||
        !as_sent(reading->arena, json_get(reading->entry, key), &sent) || sent.kind == VALUE_BOOL)
        return (struct span){NULL, 0};
    if (normal_value(reading->arena, &(struct field_spec){.type = type}, &sent, &form, &why) == NORMAL_OK && form.text.len > 0)
        return form.text;
    complain(reading->list, &at, "%s", why);
    return (struct span){NULL, 0};
}

static void read_bounds(struct reading *reading)
{
    struct field_spec *spec = reading->spec;
    struct place at = {reading->place, "max", 0};

    spec->min = bound(reading, "min");
    spec->max = bound(reading, "max");
    if (spec->min.ptr == NULL || spec->max.ptr == NULL ||
        (spec->type == FIELD_NUMBER ? decimal_compare(spec->min, spec->max) : span_compare(spec->min, spec->max)) <= 0)
        return;
    complain(reading->list, &at, "must not be below min");
    spec->max = (struct span){NULL, 0};
}

/* A length; 0 when there is none, or the schema complains of it. */
static size_t length(struct reading *reading, const char *key)
{
    int64_t chars = json_get_integer(reading->entry, key, 0);

    if (!is_asked(reading, key, reading->spec->type != FIELD_BOOLEAN, "is not for booleans"))
        return 0;
    return chars > 0 && chars <= VALUE_BYTES_MOST ? (size_t)chars : 0;
}

static void read_lengths(struct reading *reading)
{
    struct field_spec *spec = reading->spec;
    struct place at = {reading->place, "max_length", 0};

    spec->min_length = length(reading, "min_length");
    spec->max_length = length(reading, "max_length");
    if (spec->max_length == 0 || spec->min_length <= spec->max_length)
        return;
    complain(reading->list, &at, "must not be below min_length");
    spec->max_length = 0;
}

static void read_pattern(struct reading *reading)
{
    struct span text = json_get_text(reading->entry, "pattern");
    struct place at = {reading->place, "pattern", 0};
    struct error err;

    if (!is_asked(reading, "pattern", reading->spec->type != FIELD_BOOLEAN, "is not for booleans") || text.len == 0)
        return;
    reading->spec->pattern = pattern_new(text, false, &err);
    if (reading->spec->pattern != NULL)
        reading->spec->pattern_text = arena_copy(reading->arena, text);
    else
        complain(reading->list, &at, "%s", err.text);
}

/* The value as it is compared with normal forms; absent when it is wrong. A list keeps the campaign's spelling. */
static struct span allowed(struct reading *reading, const struct json *value, const struct place *at)
{
    struct field sent, form = {.name = {NULL, 0}};
    struct field_fault fault;
    bool is_good;

    if (!as_sent(reading->arena, value, &sent) || sent.text.len == 0)
        return (struct span){NULL, 0}; /* the schema complains */
    if (reading->spec->type == FIELD_LIST) {
        form.text = sent.text;
        if (span_trim(form.text).len != form.text.len) {
            complain(reading->list, at, "must not begin or end with a blank");
            return (struct span){NULL, 0};
        }
        is_good = field_judge_form(reading->arena, reading->spec, form.text, &fault);
    } else {
        is_good = field_judge(reading->arena, reading->spec, &sent, &form, &fault);
    }
    if (is_good && form.text.len > 0)
        return form.text;
    complain(reading->list, at, "%.*s", SPAN_FMT(is_good ? SPAN("must not be empty") : fault.message));
    return (struct span){NULL, 0};
}

/* After the options that values have to pass, too. */
static void read_values(struct reading *reading)
{
    const struct json *option = json_get(reading->entry, "values");
    struct place above = {reading->place, "values", 0};
    struct field_spec *spec = reading->spec;
    struct map *seen;
    struct span *values;
    size_t count = 0;

    if (option == NULL || json_kind(option) != JSON_LIST)
        return;
    seen = map_new();
    values = arena_alloc(reading->arena, json_count(option) * sizeof *values);
    for (size_t i = 0; i < json_count(option); i++) {
        struct place at = {&above, NULL, i};
        struct span value = allowed(reading, json_at(option, i), &at);

        if (value.ptr == NULL)
            continue;
        if (map_put(seen, spec->type == FIELD_LIST ? letter_lower_text(reading->arena, value) : value, spec) == NULL)
            values[count++] = value;
        else
            complain(reading->list, &at, spec->type == FIELD_LIST ? "is there twice, without regard to case" : "is there twice, in its normal form");
    }
    map_free(&seen);
    spec->values = values;
    spec->value_count = count;
}

/* Last: the default has to pass everything. */
static void read_default(struct reading *reading)
{
    struct place at = {reading->place, "default", 0};
    struct field_spec *spec = reading->spec;
    struct field sent, form = {.name = spec->name};
    struct field_fault fault;

    if (!as_sent(reading->arena, json_get(reading->entry, "default"), &sent))
        return;
    if (!field_judge(reading->arena, spec, &sent, &form, &fault))
        complain(reading->list, &at, "%.*s", SPAN_FMT(fault.message));
    else if (form.text.len == 0)
        complain(reading->list, &at, "must not be empty");
    else
        spec->otherwise = form;
}

static void read_ping(struct reading *reading)
{
    const struct json *option = json_get(reading->entry, "ping");
    struct place at = {reading->place, "ping", 0};
    struct field_spec *spec = reading->spec;

    if (span_is(json_text(option), "sha256"))
        spec->ping = FIELD_PING_SHA256;
    else if (json_bool(option, false) && !field_is_personal(spec))
        spec->ping = FIELD_PING_PLAIN;
    else if (json_bool(option, false))
        complain(reading->list, &at, "must be \"sha256\" for names, phones and e-mails: a ping gives nobody away");
}

void field_options_read(struct arena *arena, const struct json *entry, struct field_spec *spec, struct complaints *list,
                        const struct place *place)
{
    struct reading reading = {arena, entry, spec, list, place};

    *spec = (struct field_spec){.name = spec->name, .type = spec->type, .is_required = spec->is_required, .is_strict = spec->is_strict};
    read_transform(&reading);
    read_bounds(&reading);
    read_lengths(&reading);
    read_pattern(&reading);
    read_values(&reading);
    read_default(&reading);
    read_ping(&reading);
}
