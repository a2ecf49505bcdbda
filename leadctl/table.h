/*
 * table.h - prints the rows of an answer for people: columns as wide as their widest cell.
 */
#ifndef LEADLINE_LEADCTL_TABLE_H
#define LEADLINE_LEADCTL_TABLE_H

#include "common/db_wait.h"

/*
 * Prints title line and rows to standard output. Null is "-". Control characters are shown as "?", so that no stored
 * text can play with the terminal.
 */
void table_print(const struct db_answer *answer);

/* Prints the first row as lines of "name  value". */
void table_print_record(const struct db_answer *answer);

#endif
