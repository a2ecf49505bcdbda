/*
 * fuzz_normal.c - any bytes as a value of any type: nothing crashes, a normal form is its own normal form, and a transform leaves
 * good text that is not longer.
 *
 * The first byte picks type, kind and strictness; the rest is the value.
 */
#include "common/must.h"
#include "proto/normal.h"

#include <stdint.h>

enum { TYPES = FIELD_LIST + 1, KINDS = VALUE_NESTED + 1 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_transforms(struct arena *arena, struct span text)
{
    if (!span_is_utf8(text))
        return;
    for (int i = TRANSFORM_TRIM; i <= TRANSFORM_TITLE; i++) {
        enum transform twice[] = {(enum transform)i, (enum transform)i};
        struct span once = transform_text(arena, twice, 1, text);

        must(span_is_utf8(once) && once.len <= text.len);
        must(span_equal(once, transform_text(arena, twice, 2, text)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct span values[] = {SPAN("tile"), SPAN("Metal"), SPAN("3"), SPAN("true"), SPAN("two words")};
    struct field_spec spec = {.name = SPAN("f"), .values = values, .value_count = sizeof values / sizeof *values};
    struct field value = {.name = SPAN("f")}, once = {.name = SPAN("f")}, twice = {.name = SPAN("f")};
    struct arena *arena;
    const char *why = NULL;
    enum normal result;

    if (size == 0)
        return 0;
    arena = arena_new();
    spec.type = (enum field_type)(data[0] % TYPES);
    spec.is_strict = data[0] / TYPES % 2 == 1;
    value.kind = (enum value_kind)(data[0] / TYPES / 2 % KINDS);
    value.text = (struct span){(const char *)data + 1, size - 1};
    check_transforms(arena, value.text);
    result = normal_value(arena, &spec, &value, &once, &why);
    if (result != NORMAL_OK) {
        must(why != NULL && why[0] != '\0');
    } else {
        must(span_is_utf8(once.text) && once.text.len <= VALUE_BYTES_MOST);
        must(normal_value(arena, &spec, &once, &twice, &why) == NORMAL_OK);
        must(once.kind == twice.kind && span_equal(once.text, twice.text));
        must(span_equal(normal_match(arena, spec.type, once.text), normal_match(arena, spec.type, twice.text)));
    }
    arena_free(&arena);
    return 0;
}
