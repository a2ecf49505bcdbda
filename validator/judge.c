#include "validator/judge.h"

#include "validator/inbound.h"

size_t judge_lead(struct arena *arena, const struct catalog *catalog, const struct supplier *supplier, int64_t now_us,
                  const struct lead *lead, struct verdict *verdict)
{
    struct moment now = moment_at(catalog->clock, now_us);

    *verdict = (struct verdict){.reason = REASON_FORBIDDEN};
    if (supplier == NULL)
        return 0;
    rules_judge(arena, catalog, supplier, &lead->fields, lead->mode == MODE_PING, verdict);
    return inbound_judge(arena, &now, verdict);
}

void judge_tell(const struct catalog *catalog, const struct verdict *verdict, struct lead *lead)
{
    lead->campaign_id = verdict->campaign_id;
    lead->judged_version = catalog->version;
    lead->reason = span_of(reason_word(verdict->reason));
    lead->message = span_of(verdict->message);
    lead->errors = verdict->errors;
    lead->fields = verdict->normal;
    lead->is_test = verdict->is_test;
    lead->ping_id = verdict->ping_id;
    lead->wanted_buyer_id = verdict->wanted_buyer_id;
    lead->undefined = lead->mode == MODE_PING || lead->ping_id.len > 0 ? verdict->undefined : (struct field_list){NULL, 0};
    if (verdict->is_full && lead->mode == MODE_INGEST)
        lead->mode = MODE_FULL;
}
