/*
 * suppress_store.h - the entries of suppression lists in the database, for `leadctl suppress`.
 */
#ifndef LEADLINE_LEADCTL_SUPPRESS_STORE_H
#define LEADLINE_LEADCTL_SUPPRESS_STORE_H

#include "common/db_wait.h"
#include "common/uuid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct suppress_list {
    char number[16]; /* as PostgreSQL reads it */
    bool is_live;    /* the document has it */
};

/* Finds a list, also one that the document no longer has. Returns 0, or -1 with *err: there never was one. */
int suppress_list_find(struct db_wait *db, const char *id, struct suppress_list *list, struct error *err);

/* The same for one that gets entries: the document must have it. */
int suppress_list_find_live(struct db_wait *db, const char *id, struct suppress_list *list, struct error *err);

/* Adds or removes these, in any order; committed when it returns. Returns how many were not there, or were; or -1 with *err. */
int64_t suppress_add(struct db_wait *db, const struct suppress_list *list, unsigned kinds, struct uuid *values, size_t count, struct error *err);
int64_t suppress_remove(struct db_wait *db, const struct suppress_list *list, struct uuid *values, size_t count, struct error *err);

/* Removes all entries; a list that the document does not have is then forgotten. Returns how many, or -1 with *err. */
int64_t suppress_remove_all(struct db_wait *db, const struct suppress_list *list, struct error *err);

/* Rows (list, name, entries, in_document), of one list or, with NULL, of all; by id. NULL with *err. */
struct db_answer *suppress_counts(struct db_wait *db, const char *id, struct error *err);

/* How far the import of a file has come. */
struct suppress_progress {
    int64_t offset_bytes;   /* 0: it has not begun */
    int64_t line;           /* lines read */
    int64_t rejected_bytes;
    int64_t values, added, bad_lines;
    bool overlaps;          /* in this run: some of the file was on the list already, and more may be */
};

/*
 * Takes the list for an import: waits while another one has it, or one that was killed is still being rolled back. Sets *progress
 * to what an earlier import of this file left. file: its identity, NULL when it has none. Returns 0, or -1 with *err.
 */
int suppress_import_begin(struct db_wait *db, const struct suppress_list *list, const char *file, struct suppress_progress *progress,
                          struct error *err);

/*
 * Adds a chunk and, in the same transaction, remembers how far the import is; with is_over it forgets it.
 *
 * values    sorted by this function, those that are there twice fold
 * progress  where the import is behind this chunk; its added grows by what was new, when it has worked
 * Returns 0, or -1 with *err: nothing of the chunk is there.
 */
int suppress_import_chunk(struct db_wait *db, const struct suppress_list *list, const char *file, unsigned kinds, struct uuid *values, size_t count,
                          struct suppress_progress *progress, bool is_over, struct error *err);

#endif
