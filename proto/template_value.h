/*
 * template_value.h - the value that a template's place stands for: looks it up and applies its functions. Pure.
 */
#ifndef LEADLINE_PROTO_TEMPLATE_VALUE_H
#define LEADLINE_PROTO_TEMPLATE_VALUE_H

#include "proto/template.h"

/* Gives kind and text, which lives in the arena or in the delivery; an empty text means absent. */
struct field template_value(const struct template_part *part, const struct delivery *delivery, struct arena *arena);

/* Does the function take dates only? */
bool template_function_is_of_dates(enum template_function function);

#endif
