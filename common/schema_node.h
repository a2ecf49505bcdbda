/*
 * schema_node.h - a schema as schema.c has read it and schema_check.c follows it. For these two only.
 */
#ifndef LEADLINE_COMMON_SCHEMA_NODE_H
#define LEADLINE_COMMON_SCHEMA_NODE_H

#include "common/json.h"
#include "common/map.h"
#include "common/span.h"

struct schema {
    struct json *root;
    struct map *patterns; /* regex_t by the text of the pattern, which root holds */
};

/* What a $ref ("#/$defs/NAME") names, lent; NULL when it names nothing. */
struct json *schema_find_ref(const struct schema *schema, struct span ref);

#endif
