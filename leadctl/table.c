#include "leadctl/table.h"

#include "common/must.h"

#include <stdio.h>
#include <stdlib.h>

static void print_padded(struct span text, size_t width)
{
    size_t chars = span_chars(text);

    for (size_t i = 0; i < text.len; i++)
        putchar((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f ? '?' : text.ptr[i]);
    for (; chars < width; chars++)
        putchar(' ');
}

static struct span shown(struct span cell)
{
    return cell.ptr != NULL ? cell : SPAN("-");
}

void table_print_cells(const struct span *cells, int rows, int columns)
{
    size_t *widths = must_zalloc((size_t)(columns + 1) * sizeof *widths);

    for (int i = 0; i < rows * columns; i++) {
        size_t chars = span_chars(shown(cells[i]));

        widths[i % columns] = chars > widths[i % columns] ? chars : widths[i % columns];
    }
    for (int i = 0; i < rows * columns; i++) {
        bool is_last = i % columns == columns - 1;

        print_padded(shown(cells[i]), is_last ? 0 : widths[i % columns]);
        fputs(is_last ? "\n" : "  ", stdout);
    }
    free(widths);
}

void table_print(const struct db_answer *answer)
{
    int columns = db_answer_columns(answer), rows = db_answer_rows(answer);
    struct span *cells = must_zalloc((size_t)((rows + 1) * columns) * sizeof *cells);

    for (int column = 0; column < columns; column++)
        cells[column] = span_of(db_answer_title(answer, column));
    for (int i = 0; i < rows * columns; i++)
        cells[columns + i] = db_answer_text(answer, i / columns, i % columns);
    table_print_cells(cells, rows + 1, columns);
    free(cells);
}

void table_print_record(const struct db_answer *answer)
{
    int columns = db_answer_columns(answer);
    struct span *cells = must_zalloc((size_t)(2 * columns) * sizeof *cells);

    for (int column = 0; column < columns; column++) {
        cells[2 * column] = span_of(db_answer_title(answer, column));
        cells[2 * column + 1] = db_answer_text(answer, 0, column);
    }
    table_print_cells(cells, columns, 2);
    free(cells);
}
