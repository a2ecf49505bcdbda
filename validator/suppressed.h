/*
 * suppressed.h - is the lead on a suppression list that concerns its campaign? Behind inbound.h, in the order of SPEC.md, 3.
 *
 * Pure. What the database holds (validator/store.h) comes in as hits. Every field of type phone or email is looked at, and the
 * system's `phone` and `email` whatever type the campaign has given them.
 */
#ifndef LEADLINE_VALIDATOR_SUPPRESSED_H
#define LEADLINE_VALIDATOR_SUPPRESSED_H

#include "proto/suppression.h"
#include "validator/rules.h"

/* A value that lists may know. */
struct listed_value {
    struct span field;
    enum field_type type; /* FIELD_PHONE or FIELD_EMAIL */
    struct suppression_keys keys;
};

/* Keys to be looked up, by kind. */
struct sought {
    struct uuid *keys[SUPPRESSION_KINDS];
    size_t counts[SUPPRESSION_KINDS];
};

/* Nothing yet, with room for so many values; sought_free() it. */
void sought_init(struct sought *sought, size_t values);
void sought_add(struct sought *sought, const struct listed_value *value);
void sought_free(struct sought *sought);

/*
 * The values of a lead that must be looked up: none when it has failed already, or its campaign has nothing to do with any list.
 *
 * Returns how many; *values lives in the arena, the fields' names where the verdict's do.
 */
size_t suppressed_values(struct arena *arena, const struct verdict *verdict, struct listed_value **values);

/* Which keys are on which lists. */
struct hits;
struct hits *hits_new(struct arena *arena); /* lives in the arena, but for hits_free() */
void hits_free(struct hits **hits);
void hits_add(struct hits *hits, struct uuid key, int64_t list);

/*
 * Judges a lead by the hits. One that is on a list of its campaign gets SUPPRESSED, with an error for each such field and list:
 * operator "NOT ON LIST", code "suppressed", and a message that names the list.
 *
 * Returns the ids of the other lists that it is on, by id with blanks between; absent when it is on none, or was refused.
 */
struct span suppressed_judge(struct arena *arena, const struct hits *hits, const struct listed_value *values, size_t count,
                             struct verdict *verdict);

#endif
