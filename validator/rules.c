#include "validator/rules.h"

#include "proto/field_judge.h"
#include "proto/normal.h"

#include <stdlib.h>
#include <string.h>

static const char timeout_bounds[] = "must be a whole number from 100 to 60000";

/* The fields of one lead, while they are judged. */
struct judging {
    struct arena *arena;
    const struct campaign *campaign;
    const struct field_list *sent;
    bool is_ping;
    bool *is_seen; /* by the campaign's fields: sent, good or bad */
    struct verdict *verdict;
};

/* The name as far as errors show it: no character is cut in two. */
static struct span shown(struct span name)
{
    size_t len = name.len;

    if (len <= FIELD_NAME_BYTES_MOST)
        return name;
    len = FIELD_NAME_BYTES_MOST;
    while (len > 0 && ((unsigned char)name.ptr[len] & 0xc0) == 0x80)
        len--;
    return (struct span){name.ptr, len};
}

static void complain(struct judging *judging, struct span name, const char *code, struct span message)
{
    struct field_errors *errors = &judging->verdict->errors;

    if (errors->items == NULL) /* each field is wrong at most once: sent, or absent */
        errors->items = arena_alloc(judging->arena, (judging->sent->count + judging->campaign->field_count) * sizeof *errors->items);
    errors->items[errors->count++] = (struct field_error){.field = shown(name), .code = span_of(code), .message = message};
    judging->verdict->reason = REASON_VALIDATION_FAILED;
}

/* What steers the lead, besides campaign, supplier and test. Returns NULL, or what is wrong with it, and *code. */
static const char *judge_control(struct judging *judging, const struct field *form, const char **code)
{
    struct verdict *verdict = judging->verdict;
    char number[16];

    *code = "not_allowed";
    if (span_equal(form->name, SPAN("flo_ping_id"))) {
        if (judging->is_ping)
            return "is for the post that follows a ping";
        verdict->ping_id = form->text;
    } else if (span_equal(form->name, SPAN("flo_buyer_id"))) {
        if (judging->is_ping)
            return "is for the post that follows a ping";
        verdict->wanted_buyer_id = form->text;
    } else if (span_equal(form->name, SPAN("flo_mode"))) {
        if (judging->is_ping || !span_equal(form->text, SPAN("full")))
            return judging->is_ping ? "is for leads" : "must be full, or left out";
        verdict->is_full = true;
    } else if (span_equal(form->name, SPAN("flo_timeout_ms"))) {
        *code = "out_of_range";
        if (form->text.len >= sizeof number || memchr(form->text.ptr, '.', form->text.len) != NULL)
            return timeout_bounds;
        memcpy(number, form->text.ptr, form->text.len);
        number[form->text.len] = '\0';
        if (atoll(number) < FLO_TIMEOUT_MS_LEAST || atoll(number) > FLO_TIMEOUT_MS_MOST)
            return timeout_bounds;
    }
    return NULL;
}

static void judge_defined(struct judging *judging, const struct field_spec *spec, const struct field *field)
{
    const struct system_field *system = system_field_find(spec->name);
    struct field_list *normal = &judging->verdict->normal;
    bool *is_seen = &judging->is_seen[spec - judging->campaign->fields];
    struct field form = {.name = spec->name};
    struct field_fault fault;
    bool is_good = field_judge(judging->arena, spec, field, &form, &fault);
    const char *why, *code;

    if (is_good && form.text.len == 0)
        return;
    if (*is_seen)
        complain(judging, field->name, "invalid_format", SPAN("must be sent only once"));
    else if (!is_good)
        complain(judging, field->name, fault.code, fault.message);
    else if (system == NULL || !system->is_control)
        normal->items[normal->count++] = form;
    else if ((why = judge_control(judging, &form, &code)) != NULL)
        complain(judging, field->name, code, span_of(why));
    *is_seen = true;
}

static void judge_undefined(struct judging *judging, const struct field *field)
{
    const char *why = NULL;
    enum normal result = normal_check(field, &why);
    struct field_list *undefined = &judging->verdict->undefined;
    struct field form = {.name = field->name, .kind = field->kind, .text = span_trim(field->text)};

    if (result != NORMAL_OK) {
        complain(judging, field->name, normal_code(result), span_of(why));
        return;
    }
    if (undefined->items == NULL)
        undefined->items = arena_alloc(judging->arena, judging->sent->count * sizeof *undefined->items);
    if (form.text.len > 0)
        undefined->items[undefined->count++] = form;
}

/* Must it be there? A ping says as much as its supplier wants to say, and whose it is and for what. */
static bool is_needed(const struct judging *judging, const struct field_spec *spec)
{
    return judging->is_ping ? span_is(spec->name, "flo_campaign_id") || span_is(spec->name, "flo_supplier_id") : spec->is_required;
}

static void judge_fields(struct arena *arena, const struct campaign *campaign, const struct field_list *sent, bool is_ping,
                         struct verdict *verdict)
{
    struct judging judging = {.arena = arena, .campaign = campaign, .sent = sent, .is_ping = is_ping, .verdict = verdict};

    if (sent->count > FIELDS_MOST) {
        complain(&judging, sent->items[FIELDS_MOST].name, "out_of_range", SPAN("is one field too many: a lead has at most 200"));
        return;
    }
    judging.is_seen = arena_alloc(arena, campaign->field_count * sizeof *judging.is_seen);
    verdict->normal.items = arena_alloc(arena, (sent->count + campaign->field_count) * sizeof *verdict->normal.items);
    for (size_t i = 0; i < sent->count; i++) {
        const struct field_spec *spec = campaign_field(campaign, sent->items[i].name);

        if (spec != NULL)
            judge_defined(&judging, spec, &sent->items[i]);
        else
            judge_undefined(&judging, &sent->items[i]);
    }
    for (size_t i = 0; i < campaign->field_count; i++) {
        const struct field_spec *spec = &campaign->fields[i];

        if (judging.is_seen[i])
            continue;
        if (spec->otherwise.text.ptr != NULL && !is_ping)
            verdict->normal.items[verdict->normal.count++] = spec->otherwise;
        else if (is_needed(&judging, spec))
            complain(&judging, spec->name, "required", SPAN("is required"));
    }
}

static int by_name(const void *a, const void *b)
{
    return span_compare(((const struct field_spec *)a)->name, ((const struct field_spec *)b)->name);
}

/* A campaign that says nothing: what it would ask for is the system fields. */
static const struct campaign *silent_campaign(struct arena *arena)
{
    struct campaign *campaign = arena_alloc(arena, sizeof *campaign);
    const struct system_field *system = system_fields(&campaign->field_count);

    campaign->fields = arena_alloc(arena, campaign->field_count * sizeof *campaign->fields);
    for (size_t i = 0; i < campaign->field_count; i++)
        campaign->fields[i] =
            (struct field_spec){.name = span_of(system[i].name), .type = system[i].type, .is_required = system[i].is_required};
    qsort(campaign->fields, campaign->field_count, sizeof *campaign->fields, by_name);
    return campaign;
}

/* A control field's normal form before the campaign is known; absent when it is not there or malformed. */
static struct span control(struct arena *arena, const struct field_list *sent, struct span name)
{
    const struct field *field = field_find(sent, name);
    const struct system_field *system = system_field_find(name);
    struct field form = {.name = name};
    const char *why;

    if (field == NULL || normal_value(arena, &(struct field_spec){.name = name, .type = system->type}, field, &form, &why) != NORMAL_OK)
        return (struct span){NULL, 0};
    return form.text;
}

static void refuse(struct verdict *verdict, enum reason reason, const char *message)
{
    verdict->reason = reason;
    verdict->message = message;
}

void rules_judge(struct arena *arena, const struct catalog *catalog, const struct supplier *supplier, const struct field_list *sent,
                 bool is_ping, struct verdict *out)
{
    struct span campaign_id = control(arena, sent, SPAN("flo_campaign_id"));
    struct span supplier_id = control(arena, sent, SPAN("flo_supplier_id"));

    *out = (struct verdict){.reason = REASON_NONE};
    out->is_test = supplier->is_test_mode || span_is(control(arena, sent, SPAN("is_test")), "true");
    if (campaign_id.len == 0) {
        judge_fields(arena, silent_campaign(arena), sent, is_ping, out);
        return;
    }
    if (supplier_id.len > 0 && !span_equal(supplier_id, supplier->id)) {
        refuse(out, REASON_FORBIDDEN, "flo_supplier_id is not the supplier whose key this is");
        return;
    }
    out->campaign = catalog_campaign(catalog, campaign_id);
    if (out->campaign == NULL) {
        refuse(out, REASON_CAMPAIGN_NOT_FOUND, NULL);
        return;
    }
    out->campaign_id = campaign_id;
    out->source = campaign_source(out->campaign, supplier->id);
    if (out->source == NULL) {
        refuse(out, REASON_FORBIDDEN, "this supplier is not on the campaign");
        return;
    }
    judge_fields(arena, out->campaign, sent, is_ping, out);
}
