/*
 * lead_print.h - prints a lead for people: what `leadctl lead show` and `leadctl explain` share.
 *
 * Personal data goes to standard output only, for the operator.
 */
#ifndef LEADLINE_LEADCTL_LEAD_PRINT_H
#define LEADLINE_LEADCTL_LEAD_PRINT_H

#include "common/json.h"

/*
 * Prints the document: first its texts, numbers and booleans, a line each, then each list that is not empty as a table with the
 * list's key as its title. A table's columns are the keys of its first row; one that is null in every row is left out.
 */
void lead_print(struct json *lead);

#endif
