/*
 * field_options.h - reads the options of a field's entry in a configuration document (SPEC.md, 5) into its spec.
 *
 * leadctl checks documents with it and a catalog is loaded by it, so that both agree.
 */
#ifndef LEADLINE_PROTO_FIELD_OPTIONS_H
#define LEADLINE_PROTO_FIELD_OPTIONS_H

#include "common/complaint.h"
#include "common/json.h"
#include "proto/field.h"

/*
 * Reads transform, min, max, min_length, max_length, pattern, values, default and ping.
 *
 * entry  the field in the document, borrowed; what is of a kind that proto/config.schema.json does not allow is passed over
 * spec   with name, type and is_strict; its options are overwritten, their texts are in arena. spec->pattern is the caller's
 *        (pattern_free, or catalog_keep_pattern)
 * list   gets everything that is wrong and that a schema cannot say: a bound of no number, min above max, a pattern that does not
 *        compile, a value or default that the field itself would refuse, a person given away in a ping. What is wrong is left out
 *        of the spec
 * place  the entry's, for the complaints
 */
void field_options_read(struct arena *arena, const struct json *entry, struct field_spec *spec, struct complaints *list,
                        const struct place *place);

#endif
