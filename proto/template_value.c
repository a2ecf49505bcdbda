#include "proto/template_value.h"

#include "common/clock.h"
#include "proto/ascii.h"
#include "proto/moment.h"
#include "proto/money.h"
#include "proto/normal.h"
#include "proto/value_print.h"

#include <string.h>

enum { DATE_BYTES = 10, DAY_S = 24 * 3600 };

static const struct field absent = {.text = {NULL, 0}};

static struct field text_of(struct span text)
{
    return (struct field){.kind = VALUE_TEXT, .text = text};
}

static struct field number_of(struct span text)
{
    return (struct field){.kind = VALUE_NUMBER, .text = text};
}

/* Places ----------------------------------------------------------------------------------------------------------------- */

static struct field field_value(const struct delivery *delivery, struct span name)
{
    const struct field *field = field_find(&delivery->fields, name);

    return field != NULL && field->kind != VALUE_NESTED ? *field : absent;
}

static struct field full_name(const struct delivery *delivery, struct arena *arena)
{
    struct span first = field_value(delivery, SPAN("first_name")).text, last = field_value(delivery, SPAN("last_name")).text;

    if (first.len == 0 || last.len == 0)
        return text_of(first.len > 0 ? first : last);
    return text_of(arena_printf(arena, "%.*s %.*s", SPAN_FMT(first), SPAN_FMT(last)));
}

static struct field named(const struct template_part *part, const struct delivery *delivery, struct arena *arena)
{
    char text[UUID_TEXT_BYTES];

    _Static_assert(sizeof text >= MONEY_TEXT_BYTES && sizeof text >= CLOCK_TEXT_BYTES, "holds each of the three");
    switch (part->name) {
    case NAME_FIELD:
        return field_value(delivery, part->field);
    case NAME_ID:
        return text_of(arena_copy(arena, span_of(uuid_text(&delivery->lead_id, text))));
    case NAME_DELIVERY_ID:
        return text_of(arena_copy(arena, span_of(uuid_text(&delivery->id, text))));
    case NAME_CAMPAIGN_ID:
        return text_of(delivery->campaign_id);
    case NAME_BUYER_ID:
        return text_of(delivery->buyer_id);
    case NAME_PRICE:
        return text_of(arena_copy(arena, span_of(money_text(delivery->price_cents, text))));
    case NAME_IS_TEST:
        return (struct field){.kind = VALUE_BOOL, .text = delivery->is_test ? SPAN("true") : SPAN("false")};
    case NAME_TIMESTAMP:
        return text_of(arena_copy(arena, span_of(clock_text(delivery->sold_at_ms, text))));
    case NAME_FULL_NAME:
        return full_name(delivery, arena);
    }
    return absent;
}

/* Functions -------------------------------------------------------------------------------------------------------------- */

static struct span plain(const struct field *value, struct arena *arena)
{
    struct buf *out;
    struct span text;

    if (value->kind != VALUE_NUMBER)
        return value->text;
    out = buf_new(32);
    value_print_plain(out, value);
    text = arena_copy(arena, buf_span(out));
    buf_free(&out);
    return text;
}

static struct field transformed(struct arena *arena, enum transform transform, struct span text)
{
    return text_of(transform_text(arena, &transform, 1, text));
}

static struct span ten_digits(struct arena *arena, struct span text)
{
    struct span digits = transformed(arena, TRANSFORM_DIGITS, text).text;

    if (digits.len > 10 && digits.ptr[0] == '1')
        digits = (struct span){digits.ptr + 1, digits.len - 1};
    return (struct span){digits.ptr, digits.len < 10 ? digits.len : 10};
}

static struct field dashed(struct arena *arena, struct span text)
{
    struct span d = ten_digits(arena, text);

    if (d.len < 10)
        return text_of(d);
    return text_of(arena_printf(arena, "%.3s-%.3s-%.4s", d.ptr, d.ptr + 3, d.ptr + 6));
}

static struct field of_boolean(struct span text, struct field yes, struct field no)
{
    struct span word = normal_boolean(text);

    return word.len == 0 ? absent : span_is(word, "true") ? yes : no;
}

static int number_at(struct span text, size_t at, size_t len)
{
    int number = 0;

    for (size_t i = at; i < at + len; i++)
        number = number * 10 + (text.ptr[i] - '0');
    return number;
}

/* Whole years between two dates; absent when the first is later. */
static struct field years(struct arena *arena, struct span from, struct span until)
{
    int years = number_at(until, 0, 4) - number_at(from, 0, 4);

    if (span_compare((struct span){until.ptr + 4, 6}, (struct span){from.ptr + 4, 6}) < 0)
        years--;
    return years < 0 ? absent : number_of(arena_printf(arena, "%d", years));
}

/* YYYY-MM-DD, with or without Thh:mm:ss behind it. */
static struct field seconds(struct arena *arena, struct span text, int64_t day)
{
    long long at = day * DAY_S;

    if (text.len >= 19 && text.ptr[DATE_BYTES] == 'T')
        at += number_at(text, 11, 2) * 3600 + number_at(text, 14, 2) * 60 + number_at(text, 17, 2);
    return number_of(arena_printf(arena, "%lld", at));
}

static struct field of_date(enum template_function function, struct span text, const struct delivery *delivery, struct arena *arena)
{
    struct span date = {text.ptr, text.len < DATE_BYTES ? text.len : DATE_BYTES};
    const char *d = date.ptr;
    char now[CLOCK_TEXT_BYTES];
    int64_t day;

    if (date.len < DATE_BYTES || !date_day(date, &day))
        return absent;
    switch (function) {
    case FUNCTION_DATE_YMD:
        return text_of(date);
    case FUNCTION_DATE_MDY:
        return text_of(arena_printf(arena, "%.2s/%.2s/%.4s", d + 5, d + 8, d));
    case FUNCTION_DATE_DMY:
        return text_of(arena_printf(arena, "%.2s/%.2s/%.4s", d + 8, d + 5, d));
    case FUNCTION_DATE_COMPACT:
        return text_of(arena_printf(arena, "%.4s%.2s%.2s", d, d + 5, d + 8));
    case FUNCTION_YEAR:
        return text_of((struct span){d, 4});
    case FUNCTION_MONTH:
        return text_of((struct span){d + 5, 2});
    case FUNCTION_DAY:
        return text_of((struct span){d + 8, 2});
    case FUNCTION_AGE:
        return years(arena, date, span_of(clock_text(delivery->sold_at_ms, now)));
    case FUNCTION_UNIX:
        return seconds(arena, text, day);
    case FUNCTION_TEXT:
    case FUNCTION_NUMBER:
    case FUNCTION_UPPER:
    case FUNCTION_LOWER:
    case FUNCTION_TITLE:
    case FUNCTION_DIGITS:
    case FUNCTION_DIGITS10:
    case FUNCTION_PHONE_DASHES:
    case FUNCTION_YES_NO:
    case FUNCTION_ONE_ZERO:
        break;
    }
    return absent;
}

bool template_function_is_of_dates(enum template_function function)
{
    enum { ANY = false, DATE = true };
    static const bool takes[] = {
#define FUNCTION(name, word, takes, meaning) takes,
#include "proto/template_function.def"
#undef FUNCTION
    };

    return takes[function];
}

static struct field applied(enum template_function function, const struct field *value, const struct delivery *delivery, struct arena *arena)
{
    struct span text = plain(value, arena);

    switch (function) {
    case FUNCTION_TEXT:
        return text_of(text);
    case FUNCTION_NUMBER:
        return number_of(normal_number(arena, text));
    case FUNCTION_UPPER:
        return transformed(arena, TRANSFORM_UPPER, text);
    case FUNCTION_LOWER:
        return transformed(arena, TRANSFORM_LOWER, text);
    case FUNCTION_TITLE:
        return transformed(arena, TRANSFORM_TITLE, text);
    case FUNCTION_DIGITS:
        return transformed(arena, TRANSFORM_DIGITS, text);
    case FUNCTION_DIGITS10:
        return text_of(ten_digits(arena, text));
    case FUNCTION_PHONE_DASHES:
        return dashed(arena, text);
    case FUNCTION_YES_NO:
        return of_boolean(text, text_of(SPAN("yes")), text_of(SPAN("no")));
    case FUNCTION_ONE_ZERO:
        return of_boolean(text, number_of(SPAN("1")), number_of(SPAN("0")));
    case FUNCTION_DATE_YMD:
    case FUNCTION_DATE_MDY:
    case FUNCTION_DATE_DMY:
    case FUNCTION_DATE_COMPACT:
    case FUNCTION_YEAR:
    case FUNCTION_MONTH:
    case FUNCTION_DAY:
    case FUNCTION_AGE:
    case FUNCTION_UNIX:
        return of_date(function, text, delivery, arena);
    }
    return absent;
}

struct field template_value(const struct template_part *part, const struct delivery *delivery, struct arena *arena)
{
    struct field value = named(part, delivery, arena);

    for (size_t i = 0; i < part->function_count && value.text.len > 0; i++)
        value = applied(part->functions[i], &value, delivery, arena);
    return value.text.len > 0 ? value : absent;
}
