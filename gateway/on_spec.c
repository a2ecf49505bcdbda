#include "gateway/on_spec.h"

#include "common/clock.h"
#include "gateway/accept.h"
#include "gateway/form.h"
#include "gateway/reply.h"
#include "gateway/spec.h"
#include "gateway/spec_page.h"

static void reply_spec(struct request *request, struct arena *arena, const struct json *spec)
{
    struct span origin = {NULL, 0};
    struct buf *body = buf_new(4096);

    if (!accepts_page(request->accept)) {
        json_print(spec, body);
        reply_json(request, 200, buf_span(body));
    } else {
        if (request->authority.len > 0)
            origin = arena_printf(arena, "%.*s://%.*s", SPAN_FMT(request->scheme), SPAN_FMT(request->authority));
        spec_page(spec, origin, body);
        reply_page(request, buf_span(body));
    }
    buf_free(&body);
}

/* The campaign that is asked for; NULL when the request was answered with why there is none. */
static const struct campaign *campaign_of(struct request *request, struct arena *arena)
{
    const struct catalog *catalog = stage_catalog(request->gateway->stage);
    const struct campaign *campaign;
    const struct field *id;
    struct field_list fields;
    struct error err;

    if (form_read(arena, request->query, &fields, &err) != 0) {
        reply_reason(request, REASON_BAD_REQUEST, err.text);
        return NULL;
    }
    id = field_find(&fields, SPAN("flo_campaign_id"));
    if (id == NULL || span_trim(id->text).len == 0) {
        reply_wrong_field(request, "flo_campaign_id", "required", "is required");
        return NULL;
    }
    campaign = catalog_campaign(catalog, span_trim(id->text));
    if (campaign == NULL)
        reply_reason(request, REASON_CAMPAIGN_NOT_FOUND, NULL);
    return campaign;
}

void on_spec(struct request *request, const struct supplier *supplier)
{
    struct arena *arena = arena_new();
    const struct campaign *campaign = campaign_of(request, arena);
    const struct source *source = campaign != NULL ? campaign_source(campaign, supplier->id) : NULL;
    struct moment now;
    struct json *spec;

    if (source != NULL) {
        now = moment_at(stage_catalog(request->gateway->stage)->clock, clock_wall_ms() * 1000);
        spec = spec_new(campaign, source, &now);
        reply_spec(request, arena, spec);
        json_free(&spec);
    } else if (campaign != NULL) {
        reply_reason(request, REASON_FORBIDDEN, "this supplier is not on the campaign");
    }
    arena_free(&arena);
}
