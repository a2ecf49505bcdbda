#include "proto/normal.h"

#include "proto/ascii.h"
#include "proto/letter.h"

#include <string.h>

static const char *const whys[] = {
    [FIELD_STRING] = "must be text",
    [FIELD_NUMBER] = "must be a decimal number like 1234.5, without separators, with at most 40 digits on either side of the point",
    [FIELD_BOOLEAN] = "must be true or false",
    [FIELD_PHONE] = "must be a phone number: ten US digits, or + and a country code; without an extension",
    [FIELD_EMAIL] = "must be an e-mail address",
    [FIELD_DATE] = "must be a date that exists, as YYYY-MM-DD or MM/DD/YYYY",
    [FIELD_STATE] = "must be a US state, DC or a territory: two letters or the full name",
    [FIELD_ZIP] = "must be a US ZIP code of 5 or 9 digits",
    [FIELD_URL] = "must be an http or https URL",
    [FIELD_LIST] = "must be one of the values that the campaign lists",
};

struct span normal_boolean(struct span text)
{
    static const char *const words[][2] = {{"true", "false"}, {"yes", "no"}, {"y", "n"}, {"1", "0"}, {"on", "off"}, {"t", "f"}};

    text = span_trim(text);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (span_equal_nocase(text, span_of(words[i][0])))
            return SPAN("true");
        if (span_equal_nocase(text, span_of(words[i][1])))
            return SPAN("false");
    }
    return (struct span){NULL, 0};
}

static struct span listed(const struct field_spec *spec, struct span text)
{
    for (size_t i = 0; i < spec->value_count; i++)
        if (letter_equal(span_trim(spec->values[i]), text))
            return spec->values[i];
    return (struct span){NULL, 0};
}

/* May a value of this kind be of that type at all? JSON's numbers may stand for digits, its booleans for words. */
static bool is_fit(enum field_type type, enum value_kind kind, struct span text)
{
    switch (kind) {
    case VALUE_TEXT:
        return true;
    case VALUE_NUMBER:
        if (type == FIELD_PHONE || type == FIELD_ZIP)
            return ascii_are_digits(text);
        return type == FIELD_STRING || type == FIELD_NUMBER || type == FIELD_BOOLEAN || type == FIELD_LIST;
    case VALUE_BOOL:
        return type == FIELD_BOOLEAN || type == FIELD_LIST;
    case VALUE_NESTED:
        return false;
    }
    return false;
}

static enum value_kind normal_kind(enum field_type type)
{
    return type == FIELD_NUMBER ? VALUE_NUMBER : type == FIELD_BOOLEAN ? VALUE_BOOL : VALUE_TEXT;
}

/* The normal form of trimmed text, absent when it has none. */
static struct span by_type(struct arena *arena, const struct field_spec *spec, struct span text)
{
    switch (spec->type) {
    case FIELD_STRING:
        return text;
    case FIELD_NUMBER:
        return normal_number(arena, text);
    case FIELD_BOOLEAN:
        return normal_boolean(text);
    case FIELD_PHONE:
        return normal_phone(arena, text, spec->is_strict);
    case FIELD_EMAIL:
        return normal_email(arena, text);
    case FIELD_DATE:
        return normal_date(arena, text);
    case FIELD_STATE:
        return normal_state(arena, text);
    case FIELD_ZIP:
        return normal_zip(arena, text);
    case FIELD_URL:
        return normal_url(arena, text);
    case FIELD_LIST:
        return listed(spec, text);
    }
    return (struct span){NULL, 0};
}

const char *normal_code(enum normal normal)
{
    switch (normal) {
    case NORMAL_OK:
        return "";
    case NORMAL_INVALID:
        return "invalid_format";
    case NORMAL_TOO_LONG:
        return "too_long";
    case NORMAL_NOT_ALLOWED:
        return "not_allowed";
    }
    return "";
}

enum normal normal_check(const struct field *value, const char **why)
{
    if (value->kind == VALUE_NESTED) {
        *why = "must be a single value, not an object or a list";
        return NORMAL_INVALID;
    }
    if (value->text.len > VALUE_BYTES_MOST) {
        *why = "must be at most 4096 bytes long";
        return NORMAL_TOO_LONG;
    }
    if (value->text.len > 0 && (memchr(value->text.ptr, '\0', value->text.len) != NULL || !span_is_utf8(value->text))) {
        *why = "must be UTF-8 text without a NUL character";
        return NORMAL_INVALID;
    }
    return NORMAL_OK;
}

enum normal normal_value(struct arena *arena, const struct field_spec *spec, const struct field *value, struct field *out, const char **why)
{
    enum normal checked = normal_check(value, why);
    struct span text = span_trim(value->text);

    if (checked != NORMAL_OK)
        return checked;
    text = transform_text(arena, spec->transforms, spec->transform_count, text);
    *why = whys[spec->type];
    out->kind = normal_kind(spec->type);
    out->text = text;
    if (text.len == 0)
        return NORMAL_OK;
    if (!is_fit(spec->type, value->kind, text))
        return NORMAL_INVALID;
    out->text = by_type(arena, spec, text);
    if (out->text.ptr != NULL)
        return NORMAL_OK;
    return spec->type == FIELD_LIST ? NORMAL_NOT_ALLOWED : NORMAL_INVALID;
}

struct span normal_match(struct arena *arena, enum field_type type, struct span normal_form)
{
    char *copy;

    if (type != FIELD_EMAIL || normal_form.len == 0)
        return normal_form;
    copy = arena_alloc(arena, normal_form.len);
    for (size_t i = 0; i < normal_form.len; i++)
        copy[i] = ascii_lower(normal_form.ptr[i]);
    return (struct span){copy, normal_form.len};
}
