/*
 * catalog.h - the configuration in a process's memory: one snapshot, read whole, swapped whole.
 *
 * Everything in a catalog lives in its arena (or, patterns, with it) and is borrowed by whoever looks; nothing changes after it was loaded.
 * Lists are sorted by id. A daemon loads only the parts that it needs and that its database role may read.
 */
#ifndef LEADLINE_PROTO_CATALOG_H
#define LEADLINE_PROTO_CATALOG_H

#include "common/cidr.h"
#include "common/db.h"
#include "common/pattern.h"
#include "common/uuid.h"
#include "proto/cap.h"
#include "proto/field.h"
#include "proto/moment.h"

#include <stdbool.h>
#include <stdint.h>

enum { CLOCKS_MS = 24 * 3600 * 1000 }; /* a catalog that is older is read again, for the changes of its zones */

enum catalog_part {
    CATALOG_KEYS = 1,      /* API keys */
    CATALOG_CAMPAIGNS = 2, /* campaigns with fields and sources */
    CATALOG_SELLING = 4,   /* buyers, contracts, caps with their counters, event endpoints; needs CATALOG_CAMPAIGNS */
    CATALOG_DELIVERY = 8,  /* buyers with endpoints and the secrets in force; event endpoints, too, as buyers */
    CATALOG_SECRET = 16,   /* the installation's secret for digests */
    CATALOG_SUPPRESSION = 32, /* which suppression lists concern campaigns, and contracts when they are there; needs CATALOG_CAMPAIGNS */
};

struct filter;   /* proto/filter.h */
struct format;   /* proto/format.h */
struct responses; /* proto/response.h */
struct schedule; /* proto/schedule.h */

/* A token bucket: so many a second, and so many above that at once. */
struct rate {
    int64_t per_second;
    int64_t burst;
};

enum rate_kind { RATE_INGEST, RATE_PING, RATE_LOOKUP, RATE_KINDS };

struct supplier {
    struct span id;
    bool is_active;
    bool is_test_mode;
    struct cidr *allowed_ips; /* none: from anywhere */
    size_t allowed_ip_count;
    struct rate rates[RATE_KINDS];
    struct cap_owner caps;
};

struct api_key {
    uint8_t sha256[32];
    const struct supplier *supplier;
};

struct duplicate_rule {
    struct span *fields; /* sorted by name */
    size_t field_count;
    int64_t window_days;
};

/* Which earlier leads a duplicate rule looks at; each has keys of its own. */
enum duplicate_against {
    AGAINST_ACCEPTED, /* of the same campaign, sold */
    AGAINST_ALL,      /* of the same campaign, whatever became of them, save that they were duplicates */
    AGAINST_SOLD,     /* sold to the same buyer, on any campaign */
};

struct buyer {
    struct span id;
    bool is_active;
    struct cap_owner caps;
    bool is_endpoint_off; /* by its 410 or by the operator: not eligible, and deliveries wait */
    int64_t endpoint_switched_us; /* when it was switched last; 0: never */
    const struct zone *zone; /* its own, or the installation's; CATALOG_SELLING */
    struct duplicate_rule *duplicates; /* of all its contracts, each set of fields once, with its longest window; CATALOG_SELLING */
    size_t duplicate_count;
    struct uuid duplicate_key; /* proto/key.h: its half of its keys, when it has rules */
    /* CATALOG_DELIVERY */
    const char *url; /* "" when it has no endpoint: deliveries wait */
    struct span *secrets; /* those in force, whsec_…, the one that counts first */
    size_t secret_count;
    int64_t timeout_ms;
    bool has_legacy_signature;
    const struct format *format;       /* how it wants its leads */
    const struct responses *responses; /* what its answers mean; NULL: the usual */
    int64_t concurrent; /* requests at once */
    int64_t per_second; /* 0: no limit */
    /* either of both */
    const char *ping_url; /* "" when it makes no live bids */
    int64_t ping_timeout_ms;
    int64_t ping_concurrent; /* questions open at once */
    int64_t ping_per_second; /* 0: no limit */
};

enum cost_mode { COST_NONE, COST_FIXED, COST_REVENUE_SHARE };

struct cost {
    enum cost_mode mode;
    int64_t cents;         /* of COST_FIXED */
    int64_t share_millionths; /* of COST_REVENUE_SHARE: 12.5 % is 125000 */
};

enum answer_form { ANSWER_SALE, ANSWER_FULL, ANSWER_RECEIVED };

struct source {
    struct span supplier_id;
    const struct supplier *supplier; /* NULL: the document no longer has it */
    bool is_active;
    enum answer_form answer;
    struct cost cost;
    struct cap_owner caps;
};

/* Another price for the leads that pass its filter. */
struct price_rule {
    const struct filter *filter;
    int64_t price_cents;
};

/* A contract's duplicate rule. */
struct contract_duplicate {
    size_t rule; /* index of its buyer's */
    int64_t window_days;
};

struct contract {
    struct span id;
    const struct buyer *buyer;
    bool is_active;
    int64_t price_cents;
    int64_t exclusive_cents; /* what it pays when nobody else gets the lead; 0: it does not say */
    int64_t priority;
    int64_t weight; /* of WEIGHTED: its share */
    struct span *states; /* two letters each; none: anywhere */
    size_t state_count;
    struct span *zips; /* prefixes */
    size_t zip_count;
    const struct filter *filters;    /* NULL: none */
    const struct schedule *schedule; /* NULL: always open */
    struct price_rule *price_rules;  /* the first that matches gives the price */
    size_t price_rule_count;
    struct contract_duplicate *duplicates;
    size_t duplicate_count;
    bool is_timed;                   /* schedule, filters or prices depend on the time */
    struct span *suppression_lists;  /* its own and its buyer's, by id */
    size_t suppression_list_count;
    struct cap_owner caps;
};

enum distribution { DISTRIBUTION_WATERFALL, DISTRIBUTION_ROUND_ROBIN, DISTRIBUTION_WEIGHTED, DISTRIBUTION_HIGHEST_BID };

/* The distribution of that word ("WATERFALL"), or -1. */
int distribution_of(struct span word);

/* Do its contracts take turns? Then each has a counter, with caps or without. */
bool distribution_has_turns(enum distribution distribution);

/* A suppression list that concerns a campaign. */
struct suppression_use {
    struct span list_id;
    int64_t number;       /* in the database */
    bool is_of_campaign;  /* its leads are refused; else some contracts are passed over */
};

struct campaign {
    struct span id;
    bool is_active;
    enum distribution distribution;
    bool is_ping_post;    /* a ping comes first */
    int64_t ping_seconds; /* how long a ping id lasts */
    int64_t deadline_ms;  /* how long the supplier waits; 0: as long as the gateway says */
    int64_t max_sells;
    bool is_confirmed;   /* the sale depends on the buyer's answer */
    struct field_spec *fields; /* system fields and the campaign's own, sorted by name */
    size_t field_count;
    const struct filter *inbound; /* NULL: none */
    bool has_rules, is_timed;     /* one of its contracts has filters or prices; depends on the time */
    struct duplicate_rule *duplicates;
    size_t duplicate_count;
    enum duplicate_against duplicates_against; /* AGAINST_ACCEPTED or AGAINST_ALL */
    struct source *sources;
    size_t source_count;
    struct contract *contracts;
    size_t contract_count;
    struct suppression_use *suppression; /* by list id, each list once */
    size_t suppression_count;
    struct cap_owner caps;
};

/* An operator's endpoint, and of what it is told. */
struct event_endpoint {
    struct span id; /* begins with "@" */
    unsigned types; /* bits 1u << enum event_type (proto/event.h) */
};

struct catalog {
    int64_t version;
    bool allows_private_endpoints;
    uint8_t secret[32];
    struct span *zones; /* the time zones in which windows are counted; a cap_owner's zone is an index */
    size_t zone_count;
    struct zone *clocks; /* zones of rules: the installation's and, with CATALOG_SELLING, the buyers'; by name */
    size_t clock_count;
    const struct zone *clock; /* the installation's */
    int64_t loaded_ms;        /* monotonic; clocks are right for CLOCKS_MS at least */
    int64_t stale_ms;         /* monotonic: then it is to be read again, for the clocks or because a secret's time is over */
    struct supplier *suppliers;
    size_t supplier_count;
    struct api_key *keys; /* sorted by hash */
    size_t key_count;
    struct buyer *buyers;
    size_t buyer_count;
    struct campaign *campaigns;
    size_t campaign_count;
    struct event_endpoint *event_endpoints; /* CATALOG_SELLING */
    size_t event_endpoint_count;
    struct pattern **patterns; /* of all campaigns, to be freed with it */
    size_t pattern_count, pattern_room;
    struct arena *arena;
};

/*
 * Reads a snapshot in one REPEATABLE READ transaction.
 *
 * fn is called once, with a catalog that is the callee's from then on (catalog_free), or with NULL and why there is none:
 * the connection was lost, or a row cannot be read (then the caller keeps what it has).
 */
typedef void catalog_fn(void *ctx, struct catalog *catalog, const char *why);
void catalog_load(struct db *db, unsigned parts, catalog_fn *fn, void *ctx);
void catalog_free(struct catalog **catalog);

/* Takes a pattern over; it lives as long as the catalog. NULL is accepted. For what loads a catalog. */
void catalog_keep_pattern(struct catalog *catalog, struct pattern *pattern);

/* All borrowed; NULL when there is none. */
const struct supplier *catalog_supplier(const struct catalog *catalog, struct span id);
const struct supplier *catalog_key(const struct catalog *catalog, const uint8_t sha256[32]);
const struct buyer *catalog_buyer(const struct catalog *catalog, struct span id);
const struct campaign *catalog_campaign(const struct catalog *catalog, struct span id);
const struct source *campaign_source(const struct campaign *campaign, struct span supplier_id);
const struct zone *catalog_clock(const struct catalog *catalog, struct span name);
const struct field_spec *campaign_field(const struct campaign *campaign, struct span name);

#endif
