#include "common/json.h"

#include "common/json_jansson.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

static size_t skip_digits(struct span text, size_t at)
{
    while (at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9')
        at++;
    return at;
}

static bool is_at(struct span text, size_t at, char a, char b)
{
    return at < text.len && (text.ptr[at] == a || text.ptr[at] == b);
}

/* RFC 8259, 6. */
bool json_text_is_number(struct span text)
{
    size_t whole = is_at(text, 0, '-', '-'), begin, at = skip_digits(text, whole);

    if (at == whole || (text.ptr[whole] == '0' && at - whole > 1))
        return false;
    if (is_at(text, at, '.', '.')) {
        begin = at + 1;
        at = skip_digits(text, begin);
        if (at == begin)
            return false;
    }
    if (is_at(text, at, 'e', 'E')) {
        begin = at + 1 + is_at(text, at + 1, '+', '-');
        at = skip_digits(text, begin);
        if (at == begin)
            return false;
    }
    return at == text.len;
}

struct json *json_new_number(struct span text)
{
    enum { LONGEST = 400 }; /* bytes */
    char copy[LONGEST + 1];
    double real;

    if (text.len > LONGEST || !json_text_is_number(text))
        return NULL;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    if (strpbrk(copy, ".eE") == NULL) {
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
