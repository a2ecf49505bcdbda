/*
 * suppressed.h - passes over the contracts on whose suppression lists, or whose buyers', the lead is.
 *
 * Pure. The validator has looked the lead up by the same catalog (lead.def, on_lists); who is on what is not looked up again.
 */
#ifndef LEADLINE_ROUTER_SUPPRESSED_H
#define LEADLINE_ROUTER_SUPPRESSED_H

#include "router/rank.h"

/*
 * Takes them out of the eligible: they come behind the others, whose order stays, with PASS_SUPPRESSED and the list's id as detail.
 *
 * on_lists  ids of lists with blanks between
 * list      of rank_candidates(); the first *eligible are looked at
 */
void suppressed_pass_over(struct arena *arena, struct span on_lists, struct candidate *list, size_t *eligible);

#endif
