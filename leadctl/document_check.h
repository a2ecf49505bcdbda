/*
 * document_check.h - what the checks of a configuration document share. For document*.c only.
 */
#ifndef LEADLINE_LEADCTL_DOCUMENT_CHECK_H
#define LEADLINE_LEADCTL_DOCUMENT_CHECK_H

#include "common/arena.h"
#include "common/complaint.h"
#include "common/json.h"
#include "common/map.h"

#include <stdbool.h>

/* One document under check. Ids are borrowed from it. */
struct check {
    const struct json *document;
    struct map *suppliers; /* ids that are there */
    struct map *buyers;
    struct map *key_hashes; /* of all suppliers */
    struct map *suppression_lists;
    struct arena *arena;
    struct complaints *list;
};

/* Goes through a list: each entry, lent, and its place. Nothing happens when the value is no list. */
#define EACH(entry, its_place, entries, above_place)                                                              \
    for (struct place its_place = {above_place, NULL, 0};                                                          \
         ((entry) = document_entry(entries, its_place.index)) != NULL; its_place.index++)
struct json *document_entry(const struct json *list, size_t index);

/* Puts an id into the set; complains at the key when it is there already. An absent id is the schema's business. */
void document_claim(struct check *check, struct map *set, struct span id, const struct place *place, const char *key, const char *what);

/* Complains at the key when the id is not in the set. */
void document_must_know(struct check *check, const struct map *set, struct span id, const struct place *place, const char *key,
                        const char *what);

/* Are the caps of this owner whole? */
void document_check_caps(struct check *check, const struct json *owner, const struct place *place);

/* The lower-case hexadecimal hash of an entry of api_keys, in the arena; absent when it has none. */
struct span document_key_hash(struct arena *arena, const struct json *entry);

/* Each checks one entry of its list. Campaigns come last: they refer to the others. */
void document_check_supplier(struct check *check, const struct json *supplier, const struct place *place);
void document_check_buyer(struct check *check, const struct json *buyer, const struct place *place);
void document_check_campaign(struct check *check, const struct json *campaign, struct map *ids, const struct place *place);

/* Takes the ids of all suppression lists; before everybody who refers to them. */
void document_check_suppression_lists(struct check *check);

/* Are the lists that a buyer, a campaign or a contract names there? */
void document_check_suppression(struct check *check, const struct json *owner, const struct place *place);

/* Its inbound filters; its contracts' filters, price rules and schedules. */
void document_check_filters(struct check *check, const struct json *campaign, const struct place *place);

/* How a buyer wants its leads and what its answers mean: method, headers, format, template, responses. */
void document_check_format(struct check *check, const struct json *buyer, const struct place *place);

/* An object's url and secrets. */
void document_check_endpoint(struct check *check, const struct json *endpoint, const struct place *place);

/* The operator's endpoints for events. */
void document_check_events(struct check *check);

/* Its fields and duplicate rules; its contracts' duplicate rules. */
void document_check_fields(struct check *check, const struct json *campaign, const struct place *place);

#endif
