#include "proto/field_judge.h"

#include "proto/decimal.h"
#include "proto/normal.h"

enum { PATTERN_SHOWN_BYTES = 200 }; /* a longer one is not quoted */

static int compare(enum field_type type, struct span a, struct span b)
{
    return type == FIELD_NUMBER ? decimal_compare(a, b) : span_compare(a, b); /* dates are ISO text */
}

static bool is_listed(const struct field_spec *spec, struct span form)
{
    for (size_t i = 0; i < spec->value_count; i++)
        if (span_equal(spec->values[i], form))
            return true;
    return false;
}

static bool refuse(struct field_fault *fault, const char *code, struct span message)
{
    *fault = (struct field_fault){code, message};
    return false;
}

static struct span length_message(struct arena *arena, const char *most, size_t chars)
{
    return arena_printf(arena, "must have at %s %zu character%s", most, chars, chars == 1 ? "" : "s");
}

static struct span pattern_message(struct arena *arena, const struct field_spec *spec)
{
    if (spec->pattern_text.len > PATTERN_SHOWN_BYTES)
        return SPAN("must match the pattern that the campaign asks for");
    return arena_printf(arena, "must match the pattern %.*s", SPAN_FMT(spec->pattern_text));
}

bool field_judge_form(struct arena *arena, const struct field_spec *spec, struct span form, struct field_fault *fault)
{
    bool has_lengths = spec->min_length > 0 || spec->max_length > 0;
    size_t chars = has_lengths ? span_chars(form) : 0;

    if (spec->max_length > 0 && chars > spec->max_length)
        return refuse(fault, "too_long", length_message(arena, "most", spec->max_length));
    if (chars < spec->min_length)
        return refuse(fault, "invalid_format", length_message(arena, "least", spec->min_length));
    if (spec->min.ptr != NULL && compare(spec->type, form, spec->min) < 0)
        return refuse(fault, "out_of_range", arena_printf(arena, "must be at least %.*s", SPAN_FMT(spec->min)));
    if (spec->max.ptr != NULL && compare(spec->type, form, spec->max) > 0)
        return refuse(fault, "out_of_range", arena_printf(arena, "must be at most %.*s", SPAN_FMT(spec->max)));
    if (spec->pattern != NULL && pattern_match(spec->pattern, form) != PATTERN_FOUND)
        return refuse(fault, "invalid_format", pattern_message(arena, spec));
    if (spec->value_count > 0 && spec->type != FIELD_LIST && !is_listed(spec, form)) /* of a list: in normal_value() */
        return refuse(fault, "not_allowed", SPAN("must be one of the values that the campaign lists"));
    return true;
}

bool field_judge(struct arena *arena, const struct field_spec *spec, const struct field *value, struct field *out, struct field_fault *fault)
{
    const char *why = NULL;
    enum normal result = normal_value(arena, spec, value, out, &why);

    if (result != NORMAL_OK)
        return refuse(fault, normal_code(result), span_of(why));
    return out->text.len == 0 || field_judge_form(arena, spec, out->text, fault);
}
