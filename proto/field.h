/*
 * field.h - the named values of a lead, and what a campaign says about them.
 */
#ifndef LEADLINE_PROTO_FIELD_H
#define LEADLINE_PROTO_FIELD_H

#include "common/arena.h"
#include "common/pattern.h"
#include "common/span.h"
#include "proto/transform.h"

#include <stdbool.h>
#include <stddef.h>

/* What kind of value was sent, or is to be delivered. Written in frames: a number, once used, keeps its meaning. */
enum value_kind {
    VALUE_TEXT = 0,
    VALUE_NUMBER = 1, /* text is the number as JSON writes it */
    VALUE_BOOL = 2,   /* text is true or false */
    VALUE_NESTED = 3, /* an object or a list was sent: text is empty; always an invalid_format */
};

struct field {
    struct span name;
    enum value_kind kind;
    struct span text; /* UTF-8; absent values (null, empty) are not in the list at all */
};

struct field_list {
    struct field *items;
    size_t count;
};

/* The field of that name, borrowed, or NULL. */
const struct field *field_find(const struct field_list *fields, struct span name);

enum { FIELDS_MOST = 200, VALUE_BYTES_MOST = 4096, FIELD_NAME_BYTES_MOST = 64, ID_BYTES_MOST = 64 };
enum { FLO_TIMEOUT_MS_LEAST = 100, FLO_TIMEOUT_MS_MOST = 60000 };

enum field_type { FIELD_STRING, FIELD_NUMBER, FIELD_BOOLEAN, FIELD_PHONE, FIELD_EMAIL, FIELD_DATE, FIELD_STATE, FIELD_ZIP, FIELD_URL, FIELD_LIST };

/* The type of that word ("phone"), or -1. */
int field_type_of(struct span word);
const char *field_type_word(enum field_type type);

/* Does a field go out to buyers' ping endpoints? */
enum field_ping {
    FIELD_PING_NONE,
    FIELD_PING_PLAIN,  /* its normal form */
    FIELD_PING_SHA256, /* the hash of that: proto/ping_fields.h */
};

/* What a campaign says about a field. */
struct field_spec {
    struct span name;
    enum field_type type;
    bool is_required;
    bool is_strict;      /* of a phone: the exchange code is checked, too */
    /* Read by proto/field_options.h, applied by proto/field_judge.h; all zero: nothing is asked. */
    enum transform *transforms; /* in order */
    size_t transform_count;
    struct span *values; /* of a list as the campaign spells them, of another type normal forms; none: anything */
    size_t value_count;
    struct span min, max; /* normal forms of a number or a date; absent: no bound */
    size_t min_length;    /* in characters */
    size_t max_length;    /* 0: no bound */
    struct pattern *pattern; /* NULL: none; the catalog's, or of whoever read the options */
    struct span pattern_text;
    struct field otherwise; /* the default's normal form; its text is absent when there is none */
    enum field_ping ping;
};

/* Does it say who the person is? Names, phones and e-mails never go out in a ping but as a hash. */
bool field_is_personal(const struct field_spec *spec);

/* The system fields (proto/system_field.def), as a campaign has them that says nothing; `control` ones are read by us and not delivered. */
struct system_field {
    const char *name;
    enum field_type type;
    bool is_required;
    bool is_control;
};

/* The list and its length. */
const struct system_field *system_fields(size_t *count);
const struct system_field *system_field_find(struct span name);

/* One thing wrong with a field, as the supplier reads it. Codes: required, invalid_format, too_long, out_of_range, not_allowed. */
struct field_error {
    struct span field;
    struct span code;
    struct span op;      /* of a filter; absent otherwise */
    struct span message; /* never the value itself */
};

struct field_errors {
    struct field_error *items;
    size_t count;
};

#endif
