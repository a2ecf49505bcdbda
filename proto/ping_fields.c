#include "proto/ping_fields.h"

#include "common/digest.h"
#include "proto/normal.h"
#include "proto/transform.h"

#include <string.h>

enum { US_PHONE_BYTES = 12 }; /* +1 and ten digits */

/* What is hashed of a normal form. */
static struct span hashed_form(struct arena *arena, const struct field_spec *spec, struct span form)
{
    static const enum transform of_names[] = {TRANSFORM_TRIM, TRANSFORM_LOWER};

    if (spec->type == FIELD_PHONE && form.len == US_PHONE_BYTES && span_starts(form, SPAN("+1")))
        return (struct span){form.ptr + 2, form.len - 2};
    if (span_is(spec->name, "first_name") || span_is(spec->name, "last_name"))
        return transform_text(arena, of_names, sizeof of_names / sizeof *of_names, form);
    return normal_match(arena, spec->type, form);
}

static struct span hash(struct arena *arena, const struct field_spec *spec, struct span form)
{
    uint8_t sha256[DIGEST_BYTES];
    char hex[DIGEST_HEX_BYTES];

    digest_sha256(hashed_form(arena, spec, form), sha256);
    return arena_copy(arena, span_of(digest_hex(sha256, sizeof sha256, hex)));
}

void ping_fields(struct arena *arena, const struct campaign *campaign, const struct field_list *fields, struct field_list *out)
{
    out->count = 0;
    out->items = arena_alloc(arena, (campaign->field_count + 1) * sizeof *out->items);
    for (size_t i = 0; i < campaign->field_count; i++) {
        const struct field_spec *spec = &campaign->fields[i];
        const struct field *field = spec->ping != FIELD_PING_NONE ? field_find(fields, spec->name) : NULL;

        if (field == NULL || field->text.len == 0)
            continue;
        if (spec->ping == FIELD_PING_PLAIN && !field_is_personal(spec)) /* the document has been checked; twice is safer */
            out->items[out->count++] = *field;
        else
            out->items[out->count++] = (struct field){.name = field->name, .kind = VALUE_TEXT, .text = hash(arena, spec, field->text)};
    }
}
