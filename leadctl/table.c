#include "leadctl/table.h"

#include "common/must.h"

#include <stdio.h>
#include <stdlib.h>

enum { WIDTH_MOST = 100 }; /* characters; a longer cell moves the rest of its own row only */

/* Does a control character begin here? U+0080 to U+009f are some: they steer terminals, too. */
static bool is_control(struct span text, size_t at)
{
    unsigned char c = (unsigned char)text.ptr[at], next = at + 1 < text.len ? (unsigned char)text.ptr[at + 1] : 0;

    return c < ' ' || c == 0x7f || (c == 0xc2 && next >= 0x80 && next <= 0x9f);
}

static void print_padded(struct span text, size_t width)
{
    size_t chars = span_chars(text);

    for (size_t i = 0; i < text.len; i++) {
        bool is_bad = is_control(text, i);

        putchar(is_bad ? '?' : text.ptr[i]);
        i += is_bad && (unsigned char)text.ptr[i] == 0xc2;
    }
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

        chars = chars < WIDTH_MOST ? chars : WIDTH_MOST;
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
