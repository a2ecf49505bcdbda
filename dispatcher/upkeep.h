/*
 * upkeep.h - what the dispatcher's part of the record needs now and then.
 */
#ifndef LEADLINE_DISPATCHER_UPKEEP_H
#define LEADLINE_DISPATCHER_UPKEEP_H

#include "common/db.h"

enum { UPKEEP_EVERY_S = 60 };

/* Takes secrets whose time is over out of the database. Catalogs leave them out without that. */
void upkeep_secrets(struct db *db);

#endif
