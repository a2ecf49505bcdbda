/*
 * explain_source.h - reads the database as the daemons do, for a command that has nothing else to do meanwhile: the catalog, and the
 * facts of a lead. Nothing is locked, nothing is written.
 */
#ifndef LEADLINE_LEADCTL_EXPLAIN_SOURCE_H
#define LEADLINE_LEADCTL_EXPLAIN_SOURCE_H

#include "common/error.h"
#include "router/keyring.h"
#include "router/store.h"
#include "validator/suppressed.h"

struct explain_source;

/* Opens the database of that connection string; owned by the caller. It connects when it is first asked. */
struct explain_source *explain_source_open(const char *dsn);
void explain_source_close(struct explain_source **source);

/* The configuration as validators and routers have it, owned by the caller; NULL with *err. */
struct catalog *explain_source_catalog(struct explain_source *source, struct error *err);

/* Reads the keys of ping ids, as a router does. Returns 0, or -1 with *err. */
int explain_source_keys(struct explain_source *source, struct ping_keys *keys, struct error *err);

/* Looks keys up on the suppression lists, as a validator does. Returns 0, or -1 with *err. */
int explain_source_hits(struct explain_source *source, const struct sought *sought, struct hits *hits, struct error *err);

/*
 * The facts of what is wanted, in the arena; facts_close() them.
 *
 * version  set to the catalog's version that they belong to, or NO_VERSION, as store_facts() gives it
 * Returns 0, or -1 with *err.
 */
int explain_source_facts(struct explain_source *source, struct arena *arena, const struct catalog *catalog, const struct wanted *wanted,
                         struct facts *facts, int64_t *version, struct error *err);

#endif
