#include "leadctl/explain_lead.h"

#include "common/clock.h"
#include "gateway/ingest.h"
#include "router/plan.h"
#include "router/reply.h"
#include "router/wanted.h"
#include "validator/judge.h"

enum {
    TRIES = 10,     /* a configuration that is applied meanwhile is read again */
    OPEN_MS = 5000, /* nobody waits: as long as a gateway would */
};

void explanation_close(struct explanation *explanation)
{
    if (explanation->sent != NULL)
        json_free(&explanation->sent);
    catalog_free(&explanation->catalog);
    arena_free(&explanation->arena);
}

/* Nobody's key: what any supplier is told of a body that names no campaign that there is. */
static const struct supplier nobody;

/* The only source of the campaign that the body names; absent when it names none. Returns 0, or -1 with *err. */
static int only_source(struct arena *arena, const struct catalog *catalog, const struct field_list *sent, struct span *supplier_id, struct error *err)
{
    const struct campaign *campaign;
    struct verdict verdict;
    struct span names = SPAN("");

    rules_judge(arena, catalog, &nobody, sent, false, &verdict);
    campaign = verdict.campaign;
    if (campaign == NULL)
        return 0;
    if (campaign->source_count == 0)
        return error_set(err, "campaign %.*s has no sources", SPAN_FMT(campaign->id));
    for (size_t i = 0; i < campaign->source_count; i++)
        names = arena_printf(arena, "%.*s%s%.*s", SPAN_FMT(names), i > 0 ? ", " : "", SPAN_FMT(campaign->sources[i].supplier_id));
    if (campaign->source_count > 1)
        return error_set(err, "say with --supplier who sends it; the sources of campaign %.*s are %.*s", SPAN_FMT(campaign->id), SPAN_FMT(names));
    *supplier_id = campaign->sources[0].supplier_id;
    return 0;
}

/* Whose key the lead comes with; NULL with *err. */
static const struct supplier *supplier_of(struct arena *arena, const struct catalog *catalog, struct span told, const struct field_list *sent,
                                          struct error *err)
{
    const struct field *named = field_find(sent, SPAN("flo_supplier_id"));
    const struct supplier *supplier;
    struct span id = told;

    if (id.len == 0 && named != NULL)
        id = span_trim(named->text);
    if (id.len == 0 && only_source(arena, catalog, sent, &id, err) != 0)
        return NULL;
    if (id.len == 0)
        return &nobody;
    supplier = catalog_supplier(catalog, id);
    if (supplier == NULL)
        error_set(err, "there is no supplier %.*s", SPAN_FMT(id));
    return supplier;
}

/* Bytes to lead, as the gateway does it. */
static int read_lead(struct explanation *out, struct span body, struct error *err)
{
    struct error why;
    enum reason reason;

    if (body.len > BODY_BYTES_MOST)
        return error_set(err, "the API would answer %d %s: %s", reason_http(REASON_PAYLOAD_TOO_LARGE), reason_word(REASON_PAYLOAD_TOO_LARGE),
                         reason_message(REASON_PAYLOAD_TOO_LARGE));
    reason = ingest_read(out->arena, MEDIA_JSON, body, &out->lead, &out->sent, &why);
    if (reason != REASON_NONE)
        return error_set(err, "the API would answer %d %s: %s", reason_http(reason), reason_word(reason), why.text);
    return 0;
}

/* Reads the body anew, with the supplier in it. */
static int name_supplier(struct explanation *out, struct span supplier_id, struct error *err)
{
    struct buf *text = buf_new(1024);
    struct span body;

    json_set_text(out->sent, "flo_supplier_id", supplier_id);
    json_print(out->sent, text);
    body = arena_copy(out->arena, buf_span(text));
    buf_free(&text);
    json_free(&out->sent);
    return read_lead(out, body, err);
}

/* Is the lead on suppression lists? Completes the verdict. */
static int look_up(struct explain_source *source, struct explanation *out, struct verdict *verdict, struct error *err)
{
    struct hits *hits = hits_new(out->arena);
    struct listed_value *values;
    size_t count = suppressed_values(out->arena, verdict, &values);
    struct sought sought;
    int rc;

    sought_init(&sought, count);
    for (size_t i = 0; i < count; i++)
        sought_add(&sought, &values[i]);
    rc = count > 0 ? explain_source_hits(source, &sought, hits, err) : 0;
    sought_free(&sought);
    if (rc == 0 && count > 0)
        out->lead.on_lists = suppressed_judge(out->arena, hits, values, count, verdict);
    hits_free(&hits);
    return rc;
}

/* Whose lead it is, and what the validator says of it. */
static int judge(struct explain_source *source, struct explanation *out, const struct explain_question *question, struct error *err)
{
    int64_t now_us = question->at_us != EXPLAIN_NOW ? question->at_us : clock_wall_ms() * 1000;
    const struct supplier *supplier;
    struct verdict verdict;

    if (read_lead(out, question->body, err) != 0)
        return -1;
    supplier = supplier_of(out->arena, out->catalog, question->supplier, &out->lead.fields, err);
    if (supplier == NULL)
        return -1;
    if (question->names_supplier && supplier->id.len > 0 && json_get(out->sent, "flo_supplier_id") == NULL &&
        name_supplier(out, supplier->id, err) != 0)
        return -1;
    out->lead.supplier_id = supplier->id;
    judge_lead(out->arena, out->catalog, supplier, now_us, &out->lead, &verdict);
    if (look_up(source, out, &verdict, err) != 0)
        return -1;
    judge_tell(out->catalog, &verdict, &out->lead);
    return 0;
}

/* What the database knows of the lead. Returns 0; 1 when another configuration holds meanwhile; -1 with *err. */
static int facts_of_lead(struct explain_source *source, struct explanation *out, struct facts *facts, struct error *err)
{
    static const struct quotes nobody_asked; /* who sells by bids is passed over */
    struct wanted wanted;
    int64_t version;

    if (explain_source_keys(source, &out->keys, err) != 0)
        return -1;
    plan_make(out->arena, out->catalog, &out->keys, &out->lead, &nobody_asked, &out->plan);
    out->plan.left_ms = OPEN_MS;
    wanted_collect(out->arena, &out->plan, 1, false, &wanted);
    if (explain_source_facts(source, out->arena, out->catalog, &wanted, facts, &version, err) != 0)
        return -1;
    return version == out->catalog->version ? 0 : 1;
}

static void decide(struct explanation *out, struct facts *facts, int64_t at_us)
{
    if (at_us != EXPLAIN_NOW)
        facts->now_us = at_us;
    out->decided_at_us = facts->now_us;
    out->lead.id = uuid_v7(facts->now_us / 1000);
    decide_batch(out->arena, facts, &out->plan, 1, &out->decision);
    reply_fill(out->arena, &out->decision);
}

static int try_once(struct explain_source *source, const struct explain_question *question, struct explanation *out, struct error *err)
{
    struct facts facts = {0};
    int rc;

    *out = (struct explanation){.arena = arena_new()};
    out->catalog = explain_source_catalog(source, err);
    if (out->catalog == NULL || judge(source, out, question, err) != 0)
        return -1;
    rc = facts_of_lead(source, out, &facts, err);
    if (rc == 0)
        decide(out, &facts, question->at_us);
    facts_close(&facts);
    return rc;
}

int explain_lead(struct explain_source *source, const struct explain_question *question, struct explanation *out, struct error *err)
{
    int rc = 1;

    for (int i = 0; i < TRIES && rc > 0; i++) {
        rc = try_once(source, question, out, err);
        if (rc > 0)
            explanation_close(out);
    }
    return rc > 0 ? error_set(err, "the configuration and its counters do not fit together; apply it again") : rc;
}
