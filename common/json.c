#include "common/json.h"

#include "common/must.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * jansson and json.h share some words. So jansson's header is read with its kinds under other names and without the
 * other link names that json.h gives to our functions; those of jansson's that are called alike get wrappers.
 */
#pragma push_macro("json_copy")
#undef json_copy
#pragma push_macro("json_equal")
#undef json_equal
#pragma push_macro("json_integer")
#undef json_integer
#pragma push_macro("json_real")
#undef json_real
#define JSON_OBJECT JANSSON_OBJECT
#define JSON_INTEGER JANSSON_INTEGER
#define JSON_REAL JANSSON_REAL
#define JSON_TRUE JANSSON_TRUE
#define JSON_FALSE JANSSON_FALSE
#define JSON_NULL JANSSON_NULL
#include <jansson.h>
#undef JSON_OBJECT
#undef JSON_INTEGER
#undef JSON_REAL
#undef JSON_TRUE
#undef JSON_FALSE
#undef JSON_NULL

static json_t *jansson_integer(json_int_t value)
{
    return json_integer(value);
}

static json_t *jansson_real(double value)
{
    return json_real(value);
}

static int jansson_equal(const json_t *a, const json_t *b)
{
    return json_equal(a, b);
}

#pragma pop_macro("json_copy")
#pragma pop_macro("json_equal")
#pragma pop_macro("json_integer")
#pragma pop_macro("json_real")

/* struct json is never defined: it is jansson's json_t under our name. */
static json_t *raw(const struct json *value)
{
    return (json_t *)value;
}

static struct json *wrap(json_t *value)
{
    must(value != NULL);
    return (struct json *)value;
}

enum json_kind json_kind(const struct json *value)
{
    switch (json_typeof(raw(value))) {
    case JANSSON_OBJECT:
        return JSON_OBJECT;
    case JSON_ARRAY:
        return JSON_LIST;
    case JSON_STRING:
        return JSON_TEXT;
    case JANSSON_INTEGER:
        return JSON_INTEGER;
    case JANSSON_REAL:
        return JSON_REAL;
    case JANSSON_TRUE:
        return JSON_TRUE;
    case JANSSON_FALSE:
        return JSON_FALSE;
    case JANSSON_NULL:
        return JSON_NULL;
    }
    must(!"a value of no kind");
    return JSON_NULL;
}

/* jansson's json_is_…() would compare with our words for kinds. */
static bool is(const struct json *value, enum json_kind kind)
{
    return value != NULL && json_kind(value) == kind;
}

/* Reading ----------------------------------------------------------------------------------------------------------- */

enum { NUMBER_CHARS_MOST = 1000, EXPONENT_DIGITS_MOST = 4 };

static const char TOO_DEEP[] = "nested deeper than 64", OUT_OF_RANGE[] = "number out of range";

_Static_assert(JSON_DEPTH == 64, "as TOO_DEEP says");

/* The end of the number that begins at `at`; *is_wide: a decimal could not keep it, such as PostgreSQL's numeric and so its jsonb. */
static size_t number_end(struct span text, size_t at, bool *is_wide)
{
    size_t begin = at, exponent_digits = 0;
    bool is_exponent = false;

    for (; at < text.len; at++) {
        char c = text.ptr[at];

        if (c == 'e' || c == 'E')
            is_exponent = true;
        else if (c >= '0' && c <= '9')
            exponent_digits += is_exponent && (c != '0' || exponent_digits > 0);
        else if (c != '.' && c != '-' && c != '+')
            break;
    }
    *is_wide = at - begin > NUMBER_CHARS_MOST || exponent_digits > EXPONENT_DIGITS_MOST;
    return at;
}

/* What jansson would take and we do not: returns its name, and in *position the offset behind it; NULL when there is nothing. */
static const char *out_of_bounds(struct span text, size_t *position)
{
    size_t depth = 0;
    bool is_wide;

    for (size_t i = 0; i < text.len; i++) {
        switch (text.ptr[i]) {
        case '"':
            for (i++; i < text.len && text.ptr[i] != '"'; i++)
                i += text.ptr[i] == '\\';
            break;
        case '{':
        case '[':
            *position = i + 1;
            if (++depth > JSON_DEPTH)
                return TOO_DEEP;
            break;
        case '}':
        case ']':
            depth -= depth > 0;
            break;
        default:
            if (text.ptr[i] < '0' || text.ptr[i] > '9')
                break;
            *position = number_end(text, i, &is_wide);
            if (is_wide)
                return OUT_OF_RANGE;
            i = *position - 1;
            break;
        }
    }
    return NULL;
}

static void refuse_bounds(const char *what, struct span text, size_t position, struct error *err)
{
    size_t line = 1, begins = 0;

    for (size_t i = 0; i < position; i++)
        if (text.ptr[i] == '\n') {
            line++;
            begins = i + 1;
        }
    error_set(err, "%s at line %zu, column %zu, position %zu", what, line, span_chars((struct span){text.ptr + begins, position - begins}), position);
}

/* jansson's sentence quotes the document ("near '…'"), which may be somebody's name: only the words before stay. */
static int refuse_syntax(const json_error_t *error, struct error *err)
{
    const char *what = error->text;
    const char *near = strstr(error->text, " near ");
    int len;

    switch (json_error_code(error)) {
    case json_error_numeric_overflow:
        what = OUT_OF_RANGE;
        break;
    case json_error_invalid_utf8:
        what = "invalid UTF-8";
        break;
    case json_error_null_character:
    case json_error_null_byte_in_key:
        what = "NUL character";
        break;
    case json_error_duplicate_key:
        what = "duplicate object key";
        break;
    default:
        if (strncmp(what, "invalid Unicode", 15) == 0) {
            what = "invalid Unicode escape";
            near = NULL;
        }
        break;
    }
    len = (int)(near != NULL && what == error->text ? (size_t)(near - what) : strlen(what));
    return error_set(err, "%.*s at line %d, column %d, position %d", len, what, error->line, error->column,
                     error->position);
}

struct json *json_parse(struct span text, struct error *err)
{
    size_t position;
    const char *what = out_of_bounds(text, &position);
    json_error_t error;
    json_t *value;

    if (what != NULL) {
        refuse_bounds(what, text, position, err);
        return NULL;
    }
    value = json_loadb(text.ptr != NULL ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (value == NULL)
        refuse_syntax(&error, err);
    return (struct json *)value;
}

void json_free(struct json **value)
{
    json_decref(raw(*value));
    *value = NULL;
}

/* Making ------------------------------------------------------------------------------------------------------------ */

struct json *json_new_object(void)
{
    return wrap(json_object());
}

struct json *json_new_list(void)
{
    return wrap(json_array());
}

/* The text with every byte that belongs to no character replaced, in new memory. */
static struct buf *repaired(struct span text)
{
    struct buf *out = buf_new(text.len + 16);

    for (size_t i = 0, len; i < text.len; i += len) {
        for (len = 4; len > 0; len--)
            if (len <= text.len - i && span_is_utf8((struct span){text.ptr + i, len}))
                break;
        if (len > 0) {
            buf_add(out, text.ptr + i, len);
        } else {
            buf_add_text(out, "\xef\xbf\xbd");
            len = 1;
        }
    }
    return out;
}

struct json *json_new_text(struct span text)
{
    struct buf *good;
    json_t *value;

    if (span_is_utf8(text))
        return wrap(json_stringn_nocheck(text.ptr != NULL ? text.ptr : "", text.len));
    good = repaired(text);
    value = json_stringn_nocheck(good->data, good->len);
    buf_free(&good);
    return wrap(value);
}

struct json *json_new_integer(int64_t value)
{
    return wrap(jansson_integer(value));
}

struct json *json_new_real(double value)
{
    return wrap(isfinite(value) ? jansson_real(value) : json_null());
}

struct json *json_new_bool(bool value)
{
    return wrap(value ? json_true() : json_false());
}

struct json *json_new_null(void)
{
    return wrap(json_null());
}

static size_t digits(const char *text, size_t *at)
{
    size_t begin = *at;

    while (text[*at] >= '0' && text[*at] <= '9')
        (*at)++;
    return *at - begin;
}

struct json *json_new_number(struct span text)
{
    enum { LONGEST = 400 }; /* bytes */
    char copy[LONGEST + 1];
    size_t at = 0, whole;
    bool is_integer;
    double real;

    if (text.len == 0 || text.len > LONGEST)
        return NULL;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    at += copy[at] == '-';
    whole = at;
    if (digits(copy, &at) == 0 || (copy[whole] == '0' && at - whole > 1))
        return NULL;
    is_integer = at == text.len;
    if (copy[at] == '.') {
        at++;
        if (digits(copy, &at) == 0)
            return NULL;
    }
    if (copy[at] == 'e' || copy[at] == 'E') {
        at++;
        at += copy[at] == '+' || copy[at] == '-';
        if (digits(copy, &at) == 0)
            return NULL;
    }
    if (at != text.len)
        return NULL;
    if (is_integer) {
        long long integer;

        errno = 0;
        integer = strtoll(copy, NULL, 10);
        if (errno == 0)
            return json_new_integer(integer);
    }
    real = strtod(copy, NULL);
    return isfinite(real) ? json_new_real(real) : NULL;
}

struct json *json_copy(const struct json *value)
{
    return wrap(json_deep_copy(raw(value)));
}

bool json_equal(const struct json *a, const struct json *b)
{
    return a == b || jansson_equal(raw(a), raw(b));
}

/* Objects and lists ------------------------------------------------------------------------------------------------- */

void json_set(struct json *object, const char *key, struct json *value)
{
    if (span_is_utf8(span_of(key))) {
        must(json_object_set_new_nocheck(raw(object), key, raw(value)) == 0);
    } else {
        struct buf *good = repaired(span_of(key));

        must(json_object_set_new_nocheck(raw(object), buf_text(good), raw(value)) == 0);
        buf_free(&good);
    }
}

void json_set_text(struct json *object, const char *key, struct span text)
{
    json_set(object, key, json_new_text(text));
}

void json_set_integer(struct json *object, const char *key, int64_t value)
{
    json_set(object, key, json_new_integer(value));
}

void json_set_bool(struct json *object, const char *key, bool value)
{
    json_set(object, key, json_new_bool(value));
}

void json_remove(struct json *object, const char *key)
{
    json_object_del(raw(object), key);
}

void json_push(struct json *list, struct json *value)
{
    must(json_array_append_new(raw(list), raw(value)) == 0);
}

struct json *json_get(const struct json *object, const char *key)
{
    return (struct json *)json_object_get(raw(object), key);
}

size_t json_count(const struct json *value)
{
    return is(value, JSON_OBJECT) ? json_object_size(raw(value)) : json_array_size(raw(value));
}

struct json *json_at(const struct json *list, size_t index)
{
    return (struct json *)json_array_get(raw(list), index);
}

bool json_each(struct json *object, void **iter, const char **key, struct json **value)
{
    *iter = *iter == NULL ? json_object_iter(raw(object)) : json_object_iter_next(raw(object), *iter);
    if (*iter == NULL)
        return false;
    *key = json_object_iter_key(*iter);
    *value = (struct json *)json_object_iter_value(*iter);
    return true;
}

/* Looking in -------------------------------------------------------------------------------------------------------- */

struct span json_text(const struct json *value)
{
    if (!is(value, JSON_TEXT))
        return (struct span){NULL, 0};
    return (struct span){json_string_value(raw(value)), json_string_length(raw(value))};
}

int64_t json_integer(const struct json *value, int64_t otherwise)
{
    return is(value, JSON_INTEGER) ? json_integer_value(raw(value)) : otherwise;
}

double json_real(const struct json *value, double otherwise)
{
    if (is(value, JSON_INTEGER))
        return (double)json_integer_value(raw(value));
    return is(value, JSON_REAL) ? json_real_value(raw(value)) : otherwise;
}

bool json_bool(const struct json *value, bool otherwise)
{
    if (is(value, JSON_TRUE))
        return true;
    return is(value, JSON_FALSE) ? false : otherwise;
}

struct span json_get_text(const struct json *object, const char *key)
{
    return json_text(json_get(object, key));
}

int64_t json_get_integer(const struct json *object, const char *key, int64_t otherwise)
{
    return json_integer(json_get(object, key), otherwise);
}

bool json_get_bool(const struct json *object, const char *key, bool otherwise)
{
    return json_bool(json_get(object, key), otherwise);
}

/* Writing ----------------------------------------------------------------------------------------------------------- */

void json_print_text(struct span text, struct buf *out)
{
    size_t begin = 0;

    buf_add(out, "\"", 1);
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = (uint8_t)text.ptr[i];

        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buf_add(out, text.ptr + begin, i - begin);
        begin = i + 1;
        switch (c) {
        case '"':
            buf_add_text(out, "\\\"");
            break;
        case '\\':
            buf_add_text(out, "\\\\");
            break;
        case '\n':
            buf_add_text(out, "\\n");
            break;
        case '\r':
            buf_add_text(out, "\\r");
            break;
        case '\t':
            buf_add_text(out, "\\t");
            break;
        default:
            buf_printf(out, "\\u%04x", c);
            break;
        }
    }
    buf_add(out, text.ptr + begin, text.len - begin);
    buf_add(out, "\"", 1);
}

static void print_integer(int64_t value, struct buf *out)
{
    char text[24];
    char *p = text + sizeof text;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do
        *--p = (char)('0' + left % 10);
    while ((left /= 10) > 0);
    if (value < 0)
        *--p = '-';
    buf_add(out, p, (size_t)(text + sizeof text - p));
}

/* The fewest digits that read back as the same number; always with a point or an exponent, so that it stays a real. */
static void print_real(double value, struct buf *out)
{
    char text[40];
    int digits_kept = 15;

    do
        snprintf(text, sizeof text, "%.*g", digits_kept, value);
    while (strtod(text, NULL) != value && ++digits_kept <= 17);
    buf_add_text(out, text);
    if (strpbrk(text, ".e") == NULL)
        buf_add_text(out, ".0");
}

static void new_line(int indent, struct buf *out)
{
    if (indent >= 0)
        buf_printf(out, "\n%*s", indent, "");
}

/* indent is where the value's own lines begin, in blanks; below 0 everything goes on one line. */
static void print(const struct json *value, int indent, struct buf *out)
{
    int inner = indent < 0 ? -1 : indent + 2;
    size_t count = json_count(value);
    struct json *entry;
    const char *key;
    void *iter = NULL;
    size_t i = 0;

    switch (json_kind(value)) {
    case JSON_OBJECT:
        buf_add(out, "{", 1);
        while (json_each((struct json *)value, &iter, &key, &entry)) {
            if (i++ > 0)
                buf_add(out, ",", 1);
            new_line(inner, out);
            json_print_text((struct span){key, json_object_iter_key_len(iter)}, out);
            buf_add(out, ": ", indent < 0 ? 1 : 2);
            print(entry, inner, out);
        }
        if (count > 0)
            new_line(indent, out);
        buf_add(out, "}", 1);
        break;
    case JSON_LIST:
        buf_add(out, "[", 1);
        for (i = 0; i < count; i++) {
            if (i > 0)
                buf_add(out, ",", 1);
            new_line(inner, out);
            print(json_at(value, i), inner, out);
        }
        if (count > 0)
            new_line(indent, out);
        buf_add(out, "]", 1);
        break;
    case JSON_TEXT:
        json_print_text(json_text(value), out);
        break;
    case JSON_INTEGER:
        print_integer(json_integer_value(raw(value)), out);
        break;
    case JSON_REAL:
        print_real(json_real_value(raw(value)), out);
        break;
    case JSON_TRUE:
        buf_add_text(out, "true");
        break;
    case JSON_FALSE:
        buf_add_text(out, "false");
        break;
    case JSON_NULL:
        buf_add_text(out, "null");
        break;
    }
}

void json_print(const struct json *value, struct buf *out)
{
    print(value, -1, out);
}

void json_print_pretty(const struct json *value, struct buf *out)
{
    print(value, 0, out);
}
