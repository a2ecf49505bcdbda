/*
 * event_leftovers.h - what was on its way to endpoints for events that the document no longer has.
 */
#ifndef LEADLINE_LEADCTL_EVENT_LEFTOVERS_H
#define LEADLINE_LEADCTL_EVENT_LEFTOVERS_H

#include "common/db_wait.h"

/*
 * Cancels it, behind the commit of the document and page by page: nobody's sale waits for it, and an apply that was broken off is made
 * good by the next. *cancelled is how many. Returns 0, or -1 with *err.
 */
int event_leftovers_cancel(struct db_wait *db, int64_t *cancelled, struct error *err);

#endif
