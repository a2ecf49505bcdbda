/*
 * template.h - what a buyer is sent, by the buyer's own names: JSON, a form or a line of text with places for a lead's values.
 *
 * A place is {{field}} or {{function field}}; functions may be chained, the last is applied first. Words of template_name.def
 * come before fields of the same name; functions are those of template_function.def.
 *
 *   a string that is nothing but one place   the value itself: a number stays a number; an absent one leaves its key, or its
 *                                            place in a list, out (as the whole body it is null)
 *   places inside a text                     their text; nothing for an absent one
 *
 * Templates are compiled once (template_read.h) and printed by pure functions of the delivery: the same bytes on every attempt.
 */
#ifndef LEADLINE_PROTO_TEMPLATE_H
#define LEADLINE_PROTO_TEMPLATE_H

#include "common/buf.h"
#include "proto/frame.h"

#include <stdbool.h>

enum template_function {
#define FUNCTION(name, word, takes, meaning) FUNCTION_##name,
#include "proto/template_function.def"
#undef FUNCTION
};

enum template_name {
    NAME_FIELD, /* of the lead */
#define NAME(name, word, type, meaning) NAME_##name,
#include "proto/template_name.def"
#undef NAME
};

enum { TEMPLATE_FUNCTIONS_MOST = 4 }; /* in one place */

/* A piece of text: a constant, or a place. */
struct template_part {
    struct span constant; /* absent: a place */
    enum template_name name;
    struct span field; /* of NAME_FIELD */
    enum template_function functions[TEMPLATE_FUNCTIONS_MOST]; /* in the order in which they are applied */
    size_t function_count;
};

enum template_kind { TEMPLATE_CONSTANT, TEMPLATE_VALUE, TEMPLATE_TEXT, TEMPLATE_OBJECT, TEMPLATE_LIST };

/* A template is a tree of these; everything lives in the arena into which it was read. */
struct template {
    enum template_kind kind;
    struct span key;             /* of an object's entry */
    struct span constant;        /* as JSON writes it; of a form's and a line's: plain text */
    struct template_part *parts; /* of TEMPLATE_VALUE one, of TEMPLATE_TEXT some */
    size_t part_count;
    struct template *entries;    /* of objects and lists */
    size_t entry_count;
};

/* Appends it as JSON, compact, keys in the template's order. */
void template_print_json(const struct template *template, const struct delivery *delivery, struct buf *out);

/* Appends it, a flat object, as application/x-www-form-urlencoded. */
void template_print_form(const struct template *template, const struct delivery *delivery, struct buf *out);

/* Appends it, a text, as one line for a header: control characters become blanks. Returns false, and appends nothing, when it is absent. */
bool template_print_line(const struct template *template, const struct delivery *delivery, struct buf *out);

/* Appends "name=value" to a form that begins at from in out. */
void template_put_pair(struct buf *out, size_t from, struct span name, struct span value);

#endif
