/*
 * configuration_store.h - makes the database's configuration be what a document says.
 */
#ifndef LEADLINE_LEADCTL_CONFIGURATION_STORE_H
#define LEADLINE_LEADCTL_CONFIGURATION_STORE_H

#include "common/complaint.h"
#include "common/db_wait.h"
#include "common/json.h"

#include <stdbool.h>
#include <stdint.h>

struct stored {
    bool is_changed;
    int64_t version; /* that holds now */
};

/*
 * Stores a right, normalised document in one transaction (DESIGN.md, 4), with the counters that it needs. The work is
 * prepared first; the fence, behind which no router sells, is held for a few statements.
 *
 * Returns 0; 1 when complaints were added (a key that belongs to another supplier) and nothing was changed; -1 with *err.
 */
int configuration_store(struct db_wait *db, const struct json *document, struct stored *stored, struct complaints *list, struct error *err);

#endif
