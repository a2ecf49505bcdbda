#include "leadctl/lead_print.h"

#include "common/arena.h"
#include "leadctl/table.h"

#include <stdio.h>

/* The value as it is shown; absent when it is null, or not there. */
static struct span cell(struct arena *arena, const struct json *value)
{
    struct buf *text;
    struct span shown;

    if (value == NULL || json_kind(value) == JSON_NULL)
        return (struct span){NULL, 0};
    if (json_kind(value) == JSON_TEXT)
        return json_text(value);
    text = buf_new(64);
    json_print(value, text);
    shown = arena_copy(arena, buf_span(text));
    buf_free(&text);
    return shown;
}

static bool is_null_everywhere(const struct json *list, const char *key)
{
    for (size_t i = 0; i < json_count(list); i++) {
        const struct json *value = json_get(json_at(list, i), key);

        if (value != NULL && json_kind(value) != JSON_NULL)
            return false;
    }
    return true;
}

static void print_table(struct arena *arena, const char *title, const struct json *list)
{
    struct json *first = json_at(list, 0), *value;
    size_t rows = json_count(list), columns = 0;
    const char **keys = arena_alloc(arena, json_count(first) * sizeof *keys);
    struct span *cells;
    void *iter = NULL;
    const char *key;

    while (json_each(first, &iter, &key, &value))
        if (!is_null_everywhere(list, key))
            keys[columns++] = key;
    cells = arena_alloc(arena, (rows + 1) * columns * sizeof *cells);
    for (size_t column = 0; column < columns; column++) {
        cells[column] = span_of(keys[column]);
        for (size_t row = 0; row < rows; row++)
            cells[(row + 1) * columns + column] = cell(arena, json_get(json_at(list, row), keys[column]));
    }
    printf("\n%s:\n", title);
    table_print_cells(cells, (int)rows + 1, (int)columns);
}

void lead_print(struct json *lead)
{
    struct arena *arena = arena_new();
    struct span *lines = arena_alloc(arena, 2 * json_count(lead) * sizeof *lines);
    struct json *value;
    void *iter = NULL;
    const char *key;
    int count = 0;

    while (json_each(lead, &iter, &key, &value))
        if (json_kind(value) != JSON_LIST && json_kind(value) != JSON_OBJECT) {
            lines[2 * count] = span_of(key);
            lines[2 * count++ + 1] = cell(arena, value);
        }
    table_print_cells(lines, count, 2);
    iter = NULL;
    while (json_each(lead, &iter, &key, &value))
        if (json_count(value) > 0 && json_kind(value) == JSON_LIST)
            print_table(arena, key, value);
    arena_free(&arena);
}
