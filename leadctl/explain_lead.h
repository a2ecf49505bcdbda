/*
 * explain_lead.h - what would become of a lead: the gateway's, the validator's and the router's own functions, one after another.
 */
#ifndef LEADLINE_LEADCTL_EXPLAIN_LEAD_H
#define LEADLINE_LEADCTL_EXPLAIN_LEAD_H

#include "common/arena.h"
#include "common/error.h"
#include "common/json.h"
#include "leadctl/explain_source.h"
#include "router/decide.h"

enum { EXPLAIN_NOW = -1 };

struct explain_question {
    struct span body;     /* as a supplier would post it */
    bool names_supplier;  /* whoever posts it is put into a body that has no flo_supplier_id */
    struct span supplier; /* whose key it would come with; absent: whom the body names, else the campaign's only source */
    int64_t at_us;        /* the moment of schedules, filters and windows of duplicates, or EXPLAIN_NOW; caps are always as they are now */
};

struct explanation {
    struct arena *arena; /* all of it lives here, and in catalog and sent */
    struct catalog *catalog;
    struct json *sent;
    struct lead lead;
    struct ping_keys keys;
    struct plan plan;
    struct decision decision; /* with its answer; reasons, trail and fields only of a lead that would be recorded */
    int64_t decided_at_us;
};

/*
 * Explains a lead. Who may post, from where and how often is not looked at.
 *
 * Returns 0, or -1 with *err. explanation_close() in either case.
 */
int explain_lead(struct explain_source *source, const struct explain_question *question, struct explanation *out, struct error *err);
void explanation_close(struct explanation *explanation);

#endif
