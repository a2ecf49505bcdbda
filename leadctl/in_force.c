#include "leadctl/in_force.h"

#include "common/clock.h"

#include <poll.h>
#include <stdio.h>

enum { LOOK_EVERY_MS = 10 };

static const char LATE[] =
    "SELECT string_agg(s.name, ', ' ORDER BY s.name COLLATE \"C\") FROM stage_instance s, installation i"
    " WHERE s.catalog_version < i.catalog_version AND NOT s.is_stopping AND s.beat_at > clock_timestamp() - interval '15 s'";

/* Without an answer there is nobody to wait for: what was to be done is done. */
void in_force_wait(const char *name, struct db_wait *db)
{
    int64_t until_ms = clock_mono_ms() + IN_FORCE_MOST_MS;
    struct db_answer *late;
    struct error err;

    while ((late = db_wait_ask(db, LATE, DB_NO_PARAMS, &err)) != NULL && db_answer_text(late, 0, 0).ptr != NULL && clock_mono_ms() < until_ms) {
        db_answer_free(&late);
        poll(NULL, 0, LOOK_EVERY_MS);
    }
    if (late == NULL)
        return;
    if (db_answer_text(late, 0, 0).ptr != NULL)
        fprintf(stderr, "%s: it is stored, but has not been read yet by %.*s\n", name, SPAN_FMT(db_answer_text(late, 0, 0)));
    db_answer_free(&late);
}
