/*
 * filter.h - does a lead pass the rules that an operator wrote? (SPEC.md, 5)
 *
 * A filter is compiled once, when the catalog is read (proto/filter_read.h); judging it is a pure function of the filter, the
 * lead's normal forms and the moment. It lives in the catalog.
 *
 * A filter is a rule (one field, one operator) or a group: `all` passes when no part fails, `any` when one passes. A part whose
 * schedule is closed is not applied: its group is judged as if it were not there, and a group without any part that applies is not
 * applied either. A whole filter that is not applied passes.
 *
 *   equality       normal forms without regard to case (proto/letter.h); so 21 is 21.0 and Texas is TX
 *   order          numbers by their digits, without rounding; dates as dates; other text by its bytes, in lower case. A string
 *                  field is compared as a number when the filter's value is a JSON number, and fails when it is none
 *   parts          CONTAINS, DOES NOT CONTAIN, STARTS WITH see the normal form's text: a US phone starts with +1
 *   MATCHES        without regard to case (Unicode), found anywhere; a search that gives up does not match, and is counted
 *   days ago       >= DAYS AGO N passes from N days before today on, the future too; <= DAYS AGO N up to that day
 *   absent         fails every operator but !=, NOT IN, DOES NOT CONTAIN, IS EMPTY
 */
#ifndef LEADLINE_PROTO_FILTER_H
#define LEADLINE_PROTO_FILTER_H

#include "common/arena.h"
#include "common/pattern.h"
#include "proto/catalog.h"
#include "proto/field.h"
#include "proto/moment.h"
#include "proto/schedule.h"

#include <stdbool.h>

enum {
    FILTER_LEVELS_MOST = 8,      /* of groups in groups */
    FILTER_RULES_MOST = 200,     /* in one filter */
    FILTER_VALUES_MOST = 50000,  /* in one list */
    FILTER_DAYS_MOST = 36500,
};

enum filter_op {
#define OP(name, word, takes, absent, phrase) FILTER_##name,
#include "proto/filter_op.def"
#undef OP
    FILTER_OP_COUNT
};

const char *filter_op_word(enum filter_op op);
int filter_op_of(struct span word); /* -1: none */

enum filter_kind { FILTER_RULE, FILTER_ALL, FILTER_ANY };

struct filter {
    enum filter_kind kind;
    const struct schedule *schedule; /* NULL: always applied */
    bool is_timed;                   /* may judge the same lead otherwise at another time */
    struct filter *parts;            /* of a group */
    size_t part_count;
    /* of a rule */
    enum filter_op op;
    bool is_number;                  /* in order of numbers */
    enum field_type type;            /* of the field */
    size_t field;                    /* index of the campaign's fields */
    struct span field_name;
    struct span *values;             /* normal forms, in lower case; lists are sorted */
    size_t value_count;
    const struct pattern *pattern;
    int64_t days;
    struct span message;             /* for the supplier: a phrase without personal data */
};

/* What a filter looks at. */
struct filter_view {
    struct arena *arena;               /* for what is made meanwhile */
    const struct field *const *values; /* by index of the campaign's fields; NULL: absent */
    struct moment now;
    size_t gave_up;                    /* patterns whose search was given up: added to */
};

/* The lead's fields by the index that they have in the campaign, in the arena. */
const struct field *const *filter_values(struct arena *arena, const struct campaign *campaign, const struct field_list *fields);

/* Rules that failed, for whoever asks why. */
struct filter_failures {
    const struct filter **rules; /* in the order of the document; of an `any` that fails all that were applied */
    size_t room;                 /* no more than so many are kept; an `all` is not looked at further when they are */
    size_t count;
};

/* Does it pass? failures may be NULL. A filter of NULL passes. */
bool filter_judge(const struct filter *filter, struct filter_view *view, struct filter_failures *failures);

/* Is it applied, and does it pass? For a price rule, whose price a filter outside its schedule must not give. */
bool filter_matches(const struct filter *filter, struct filter_view *view);

#endif
