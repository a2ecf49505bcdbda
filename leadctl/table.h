/*
 * table.h - prints rows for people: columns as wide as their widest cell.
 */
#ifndef LEADLINE_LEADCTL_TABLE_H
#define LEADLINE_LEADCTL_TABLE_H

#include "common/db_wait.h"

/*
 * Prints rows of cells, one row after another, to standard output. An absent cell is "-". Control characters are shown as "?", so that no stored
 * text can play with the terminal.
 */
void table_print_cells(const struct span *cells, int rows, int columns);

/* Prints an answer: a line of titles, then its rows. */
void table_print(const struct db_answer *answer);

/* Prints the first row as lines of "name  value". */
void table_print_record(const struct db_answer *answer);

#endif
