/*
 * delivery.h - what the commands on deliveries share: their options, and which deliveries an operator means.
 *
 * He names some by their ids, or means all that fit his filters.
 */
#ifndef LEADLINE_LEADCTL_DELIVERY_H
#define LEADLINE_LEADCTL_DELIVERY_H

#include "leadctl/command.h"

#include <stdint.h>

enum { DELIVERY_PAGE = 1000 }; /* deliveries of one statement */

struct delivery_options {
    struct options base;
    const char *buyer, *campaign, *from, *to; /* NULL: any */
    char states[96];                          /* "{OPEN,FAILED}"; "": any */
    int64_t limit;                            /* 0: none */
    bool is_dry_run;
    int id_count;                             /* of base.operands, each of them a UUID */
};

/* Which options a command takes; all take --dir and --dsn. */
enum { DELIVERY_FILTERS = 1, DELIVERY_LIMIT = 2, DELIVERY_JSON = 4, DELIVERY_DRY_RUN = 8 };

/* Reads options and ids. Returns 0, or -1 after the mistake was told on standard error. */
int delivery_options_read(struct delivery_options *options, int argc, char **argv, int takes);

/*
 * SQL: does the delivery d, whose sale is s, fit the filters? Its parameters are $1 to $5; as a list for DB_PARAMS:
 * DELIVERY_PARAMS(options). The times are those of the sale, which the delivery's id holds; they choose the partitions, too.
 */
#define DELIVERY_FITS                                                                                                  \
    "($1::text IS NULL OR d.buyer_id = $1) AND ($2::delivery_state[] IS NULL OR d.state = ANY ($2))"                   \
    " AND ($3::text IS NULL OR s.campaign_id = $3)"                                                                    \
    " AND ($4::timestamptz IS NULL OR (d.lead_id >= uuid_floor($4 - interval '65 minutes') AND d.id >= uuid_floor($4)))" \
    " AND ($5::timestamptz IS NULL OR (d.lead_id < uuid_floor($5 + interval '65 minutes') AND d.id < uuid_floor($5)))"
#define DELIVERY_PARAMS(options)                                                                                       \
    (options)->buyer, (options)->states[0] != '\0' ? (options)->states : NULL, (options)->campaign, (options)->from, (options)->to

/*
 * Times without a zone are the installation's from now on; checks those of the options. TIME() and other sessions see no difference.
 * Returns 0, or -1 with *err.
 */
int delivery_check_times(const struct delivery_options *options, struct db_wait *db, struct error *err);

#endif
