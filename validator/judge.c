#include "validator/judge.h"

#include "validator/inbound.h"
#include "validator/rules.h"

size_t judge_lead(struct arena *arena, const struct catalog *catalog, const struct supplier *supplier, int64_t now_us, struct lead *lead)
{
    struct verdict verdict = {.reason = REASON_FORBIDDEN};
    size_t gave_up = 0;

    if (supplier != NULL) {
        struct moment now = moment_at(catalog->clock, now_us);

        rules_judge(arena, catalog, supplier, &lead->fields, &verdict);
        gave_up = inbound_judge(arena, &now, &verdict);
    }
    lead->campaign_id = verdict.campaign_id;
    lead->judged_version = catalog->version;
    lead->reason = span_of(reason_word(verdict.reason));
    lead->message = span_of(verdict.message);
    lead->errors = verdict.errors;
    lead->fields = verdict.normal;
    lead->is_test = verdict.is_test;
    return gave_up;
}
