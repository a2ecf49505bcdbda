/*
 * json_jansson.h - what is behind json.h. For json.c and json_parse.c only.
 *
 * jansson and json.h share some words. So jansson's header is read with its kinds under other names and without the
 * other link names that json.h gives to our functions; those of jansson's that are called alike get wrappers.
 */
#ifndef LEADLINE_COMMON_JSON_JANSSON_H
#define LEADLINE_COMMON_JSON_JANSSON_H

#include "common/json.h"
#include "common/must.h"

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

static inline json_t *jansson_integer(json_int_t value)
{
    return json_integer(value);
}

static inline json_t *jansson_real(double value)
{
    return json_real(value);
}

static inline int jansson_equal(const json_t *a, const json_t *b)
{
    return json_equal(a, b);
}

#pragma pop_macro("json_copy")
#pragma pop_macro("json_equal")
#pragma pop_macro("json_integer")
#pragma pop_macro("json_real")

/* struct json is never defined: it is jansson's json_t under our name. */
static inline json_t *raw(const struct json *value)
{
    return (json_t *)value;
}

static inline struct json *wrap(json_t *value)
{
    must(value != NULL);
    return (struct json *)value;
}

#endif
