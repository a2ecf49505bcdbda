/*
 * decide.h - what becomes of each lead of a batch.
 *
 * Pure: facts that were read under locks go in, decisions come out. Leads are decided in order of arrival, and each
 * sees what the ones before it took: the counters and keys in `facts` change as it goes.
 *
 * Caps. The contracts are asked in the campaign's order, and each buys for which every cap has room: its own and its buyer's for
 * its price, those of the source, the supplier and the campaign for one lead and its cost. A contract that does not fit is passed
 * over, and a cheaper one further down may still fit. A cost that is a share of the revenue grows with every further buyer, so
 * each is judged with those before it: one more buyer whose share no longer fits is passed over, and the lead is sold to the
 * others. A lead that nobody buys is REJECTED with SOURCE_CAPPED when the source's or the supplier's cap stood in the way of
 * anybody, else UNMATCHED; a cap that has no room whoever buys (on leads, or for a fixed cost) is seen before anybody is asked.
 * Test leads see all caps, with what they would cost, and change none.
 *
 * Duplicates (router/duplicate.h). A lead that matches one of its campaign's rules is DUPLICATE; a contract whose own rules it matches
 * is passed over, and the next is asked. Test leads see the former and not the latter, and none sees them.
 *
 * Confirm. On a campaign with `confirm` a lead that would be sold is DISTRIBUTING instead: the first candidate's place is taken and
 * its buyer asked; how it goes on is confirm.h's. Whoever repeats such a lead waits until it is decided.
 *
 * Turns. Only contracts with room for this lead take part, and only leads that are sold move credits: each by as many as it
 * has sales. Test leads go to whoever's turn it is and leave it so.
 */
#ifndef LEADLINE_ROUTER_DECIDE_H
#define LEADLINE_ROUTER_DECIDE_H

#include "common/arena.h"
#include "common/map.h"
#include "proto/catalog.h"
#include "proto/frame.h"
#include "proto/lead_state.h"
#include "proto/ping_token.h"
#include "proto/reason.h"
#include "router/cap.h"
#include "router/rank.h"

/* The key of one duplicate rule of one lead. */
struct lead_key {
    struct uuid key;   /* nil: the lead lacks one of its fields */
    int64_t window_us; /* of the rule; the longest of those with this key */
    const struct duplicate_rule *rule; /* of a campaign's; NULL: a buyer's */
};

/* The keys under which a buyer remembers the lead if it is sold to it: one for each of the buyer's rules. */
struct sold_keys {
    const struct buyer *buyer;
    struct lead_key *keys;
};

/* What is known of a lead before anything is locked; everything lives in the batch's arena. */
struct plan {
    const struct lead *lead;
    enum reason verdict;             /* the validator's */
    int64_t left_ms;                 /* until its supplier is told 503, when the plan was made */
    const struct campaign *campaign; /* NULL: the lead named none that we have */
    const struct source *source;
    struct candidate *candidates;    /* eligible first */
    size_t candidate_count, eligible_count;
    struct lead_key *keys;
    size_t key_count;
    struct sold_keys *sold_keys;     /* of the eligible ones' buyers that have rules, each once */
    size_t sold_keys_count;
    struct uuid phone_key, email_key; /* for look-ups; nil: none */
    const struct ping_token *ping;   /* what it was offered; NULL: nothing */
    enum reason ping_fault;          /* PING_REQUIRED or PING_MISMATCH; NONE: none is known yet */
    const char *ping_message;        /* then: more precise than the reason's own, static; NULL: that one */
    bool lacks_ping_key;             /* the ping id was sealed with a key that we do not have (yet) */
};

/* The lead that has used a ping up. */
struct ping_use {
    struct uuid ping_id;
    struct uuid lead_id;
    struct span status, buyer_id, campaign_id; /* of that lead; its first buyer */
    bool is_ours; /* a lead of this batch: to be written */
    int64_t expires_us;
};

/* An earlier lead under a duplicate key. */
struct holder {
    struct uuid key;
    struct uuid lead_id;
    struct span supplier_id;
    int64_t at_us;
    bool is_ours;     /* taken by a lead of this batch: to be written */
    bool is_undecided; /* that lead is DISTRIBUTING: it may end unsold */
    struct uuid seen; /* then: whose row it replaces; nil: a new row */
    int64_t expires_us;
    const struct holder *earlier; /* of an undecided one: who has the key again when it ends unsold; NULL: nobody */
};

/* An answer that is in the database already. */
struct recorded {
    struct uuid lead_id;
    struct uuid idempotency_key;
    struct span body_sha256;
    int64_t status; /* 0: the lead is DISTRIBUTING */
    struct span body;
};

/* Whose caps a try takes a place in. */
enum try_owner { TRY_CONTRACT, TRY_BUYER, TRY_SOURCE, TRY_SUPPLIER, TRY_CAMPAIGN, TRY_OWNERS };

/* One buyer that is asked whether it takes the lead: a row of table reservation. */
struct try {
    int64_t number; /* from 1 */
    struct span contract_id, buyer_id;
    int64_t price_cents;
    int64_t cost_cents; /* by which this sale raises the supplier's cost */
    struct uuid delivery_id;
    int64_t reserved_us, deadline_us;
    int64_t counter_ids[TRY_OWNERS]; /* 0: that one has no counter now */
    struct span dispatcher; /* of a new one: who posts it */
    int64_t limit_ms;       /* of a new one: the time that its buyer has */
    enum try_state { TRY_OPEN, TRY_ACCEPTED, TRY_REFUSED } state;
    struct uuid *keys;      /* duplicate keys that the buyer's rules hold for it */
    size_t key_count;
    struct span redirect_url; /* where its buyer wants the person to be sent; absent: nowhere */
    struct span word;       /* its delivery's state (SQL: delivery_state), by which an open one is settled */
};

/* A lead that is DISTRIBUTING: a row of table distributing. */
struct distributing {
    struct uuid lead_id;
    struct span router;
    int64_t deadline_us;
    struct uuid *keys; /* duplicate keys that go when it ends unsold */
    size_t key_count;
    struct try *tries; /* at most the last is open */
    size_t try_count;
};

struct facts {
    int64_t now_us;              /* the one time of this batch */
    struct map *counters;        /* struct counter by id (8 bytes) */
    struct map *holders;         /* struct holder by duplicate key */
    struct map *recorded;        /* struct recorded by lead id */
    struct map *idempotent;      /* struct recorded by idempotency key */
    struct map *distributing;    /* struct distributing by lead id */
    struct span router;          /* this one's name */
    bool has_dispatcher;         /* somebody could ask buyers */
    const struct event_endpoint *event_endpoints; /* who is told of events: the catalog's */
    size_t event_endpoint_count;
    struct map *uses;            /* struct ping_use by ping id; NULL when no lead names a ping */
};

/* Finds a counter of the facts; NULL when id is 0. */
struct counter *facts_counter(const struct facts *facts, const int64_t *id);

struct sale {
    struct span buyer_id, contract_id;
    struct span redirect_url;   /* of a buyer who was asked (confirm.h); absent: none */
    int64_t price_cents, cost_cents;
    struct uuid delivery_id;
    struct span dispatcher;     /* name of who holds the lease; absent: nobody */
    int64_t lease_until_us;     /* = due_at */
    int64_t lease_ms;           /* how long it would be held; 0: the buyer has no endpoint, so nobody holds it */
};

enum action {
    ACTION_RECORD,   /* a new row, and this answer */
    ACTION_REPEAT,   /* the answer is recorded already */
    ACTION_REFUSE,   /* nothing is recorded */
    ACTION_FOLLOW,   /* as the lead `follows` of this batch, whose idempotency key it repeats */
    ACTION_STEP,     /* a DISTRIBUTING lead goes on: `state` is what it is then */
    ACTION_WAIT,     /* it cannot be decided before wait_until_us, or before another lead is */
};

struct decision {
    const struct plan *plan;
    enum action action;
    enum reason reason;         /* NONE: sold */
    enum lead_state state;
    struct uuid duplicate_of;   /* nil: none, or another supplier's */
    struct sale *sales;
    size_t sale_count;
    int64_t price_cents, cost_cents;
    const struct cap *full;     /* of SOURCE_CAPPED */
    const char *whose;          /* of SOURCE_CAPPED whose cap, of SOURCE_PAUSED who is: "campaign", "source", "supplier" */
    struct span matched;        /* of DUPLICATE: the rule and the lead, for the trail */
    bool has_candidates;        /* its contracts were judged: the trail names them, whatever became of it */
    bool is_full;               /* of a ping: who would buy has no room */
    const struct recorded *recorded;
    const struct decision *follows;
    /* of a lead that is, or was, DISTRIBUTING */
    struct distributing *distributing; /* as read, for ACTION_STEP */
    struct try *settled;               /* the try that this step ends, in its new state; NULL: none */
    bool is_late;                      /* its buyer did not answer in time: the delivery ends, too */
    struct try *asked;                 /* the try that begins; NULL: none */
    bool is_counted;                   /* somebody has accepted it: the caps of source, supplier and campaign count the lead already, … */
    int64_t counted_cents;             /* … and so much of its cost */
    int64_t deadline_us;               /* of the whole lead */
    int64_t wait_until_us;             /* of ACTION_WAIT; 0: soon */
    const struct ping_use *use; /* of PING_USED */
    const char *message;        /* more precise than the reason's own, static; NULL: that one, or the validator's */
    /* made from it for the database and the supplier, before the write */
    int64_t answer_status;
    struct span answer_body, reasons, trail, fields;
};

/* Decides the plans in order; decisions[i] belongs to plans[i]. */
void decide_batch(struct arena *arena, struct facts *facts, const struct plan *plans, size_t count, struct decision *decisions);

/*
 * What would become of a ping, now? The candidates that would buy come in selling order among plan->candidates, with PASS_NONE, a buyer's
 * best contract alone. Turns are looked at and not taken; facts stay as they are. decision->reason is NONE when there are any, else why
 * nobody buys; UNMATCHED with is_full when all that stood in the way were caps.
 */
void decide_ping(struct arena *arena, struct facts *facts, const struct plan *plan, struct decision *decision);

#endif
