#include "leadctl/table.h"

#include "common/must.h"

#include <stdio.h>
#include <stdlib.h>

static struct span cell(const struct db_answer *answer, int row, int column)
{
    struct span text;

    if (row < 0)
        return span_of(db_answer_title(answer, column));
    text = db_answer_text(answer, row, column);
    return text.ptr != NULL ? text : SPAN("-");
}

static void print_padded(struct span text, size_t width)
{
    size_t chars = span_chars(text);

    for (size_t i = 0; i < text.len; i++)
        putchar((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f ? '?' : text.ptr[i]);
    for (; chars < width; chars++)
        putchar(' ');
}

void table_print(const struct db_answer *answer)
{
    int columns = db_answer_columns(answer), rows = db_answer_rows(answer);
    size_t *widths = must_zalloc((size_t)(columns + 1) * sizeof *widths);

    for (int row = -1; row < rows; row++)
        for (int column = 0; column < columns; column++) {
            size_t chars = span_chars(cell(answer, row, column));

            widths[column] = chars > widths[column] ? chars : widths[column];
        }
    for (int row = -1; row < rows; row++)
        for (int column = 0; column < columns; column++) {
            bool is_last = column == columns - 1;

            print_padded(cell(answer, row, column), is_last ? 0 : widths[column]);
            fputs(is_last ? "\n" : "  ", stdout);
        }
    free(widths);
}

void table_print_record(const struct db_answer *answer)
{
    size_t width = 0;

    for (int column = 0; column < db_answer_columns(answer); column++) {
        size_t chars = span_chars(cell(answer, -1, column));

        width = chars > width ? chars : width;
    }
    for (int column = 0; column < db_answer_columns(answer); column++) {
        print_padded(cell(answer, -1, column), width);
        fputs("  ", stdout);
        print_padded(cell(answer, 0, column), 0);
        putchar('\n');
    }
}
