#include "gateway/lookup.h"

#include "common/clock.h"
#include "common/db.h"
#include "common/json.h"
#include "common/log.h"
#include "common/must.h"
#include "gateway/count.h"
#include "gateway/form.h"
#include "gateway/reply.h"
#include "proto/key.h"
#include "proto/normal.h"

#include <stdlib.h>
#include <string.h>

#define COLUMNS "id, status::text, campaign_id, is_test, received_at, reasons::text"

static const struct db_statement statements[] = {
    {"lead", "SELECT " COLUMNS " FROM lead WHERE id = $1::uuid AND supplier_id = $2::text"},
    {"by_phone", "SELECT " COLUMNS " FROM lead WHERE phone_key = $1::uuid AND supplier_id = $2::text"
                 " AND ($3::text IS NULL OR campaign_id = $3) ORDER BY id DESC LIMIT $4::int8"},
    {"by_email", "SELECT " COLUMNS " FROM lead WHERE email_key = $1::uuid AND supplier_id = $2::text"
                 " AND ($3::text IS NULL OR campaign_id = $3) ORDER BY id DESC LIMIT $4::int8"},
    {NULL, NULL},
};

/* One look-up on its way; it lives until the database has answered, also when nobody waits any more. */
struct lookup {
    struct lookups *all;
    struct lookup *before, *behind; /* oldest first */
    struct request *request;        /* NULL: answered at the deadline, or the client is gone */
    int64_t due_ms;
};

struct lookups {
    struct gateway *gateway;
    struct db *db;
    struct loop_timer *timer;
    struct lookup *first, *last;
    size_t count;   /* on their way */
    size_t waiting; /* of them with a request */
};

/* Coming and going ---------------------------------------------------------------------------------------------------- */

/* Nobody waits for it any more. Returns who waited. */
static struct request *detach(struct lookup *lookup)
{
    struct request *request = lookup->request;

    lookup->request = NULL;
    lookup->all->waiting--;
    request->on_gone = NULL;
    return request;
}

static void on_gone(void *waiter)
{
    detach(waiter);
}

static void on_timer(void *ctx)
{
    struct lookups *all = ctx;
    int64_t now_ms = clock_mono_ms();
    struct lookup *lookup;

    for (lookup = all->first; lookup != NULL && lookup->due_ms <= now_ms; lookup = lookup->behind)
        if (lookup->request != NULL)
            reply_reason(detach(lookup), REASON_TIMEOUT, NULL);
    if (lookup != NULL)
        loop_timer_set(all->timer, lookup->due_ms - now_ms, 0);
}

static struct lookup *begin(struct lookups *all, struct request *request)
{
    struct lookup *lookup = must_zalloc(sizeof *lookup);

    lookup->all = all;
    lookup->request = request;
    lookup->due_ms = clock_mono_ms() + LOOKUP_DEADLINE_MS;
    lookup->before = all->last;
    *(all->last != NULL ? &all->last->behind : &all->first) = lookup;
    all->last = lookup;
    all->count++;
    all->waiting++;
    request->on_gone = on_gone;
    request->waiter = lookup;
    if (!loop_timer_is_set(all->timer))
        loop_timer_set(all->timer, LOOKUP_DEADLINE_MS, 0);
    return lookup;
}

static void end(struct lookup *lookup)
{
    struct lookups *all = lookup->all;

    *(lookup->before != NULL ? &lookup->before->behind : &all->first) = lookup->behind;
    *(lookup->behind != NULL ? &lookup->behind->before : &all->last) = lookup->before;
    all->count--;
    free(lookup);
}

/* Answers ------------------------------------------------------------------------------------------------------------- */

static struct json *lead_json(const struct db_rows *rows, int row)
{
    struct json *lead = json_new_object();
    struct uuid id = db_uuid(rows, row, 0);
    struct span campaign = db_text(rows, row, 2);
    struct json *reasons = json_parse(db_text(rows, row, 5), NULL);
    char text[UUID_TEXT_BYTES], at[CLOCK_TEXT_BYTES];

    json_set_text(lead, "id", span_of(uuid_text(&id, text)));
    json_set_text(lead, "status", db_text(rows, row, 1));
    json_set(lead, "campaign_id", campaign.ptr != NULL ? json_new_text(campaign) : json_new_null());
    json_set_bool(lead, "is_test", db_bool(rows, row, 3));
    json_set_text(lead, "received_at", span_of(clock_text(db_time_us(rows, row, 4) / 1000, at)));
    json_set(lead, "reasons", reasons != NULL ? reasons : json_new_list());
    return lead;
}

static void reply_data(struct request *request, struct json *data)
{
    struct json *body = json_new_object();
    struct buf *text = buf_new(1024);

    json_set(body, "data", data);
    json_print(body, text);
    reply_json(request, 200, buf_span(text));
    buf_free(&text);
    json_free(&body);
}

static void answer(struct request *request, const struct db_rows *rows)
{
    struct json *list;

    if (request->route == ROUTE_LEAD) {
        if (db_count(rows) == 0)
            reply_reason(request, REASON_NOT_FOUND, "there is no lead of this id");
        else
            reply_data(request, lead_json(rows, 0));
        return;
    }
    list = json_new_list();
    for (int row = 0; row < db_count(rows); row++)
        json_push(list, lead_json(rows, row));
    reply_data(request, list);
}

static void on_done(void *ctx, struct db_rows *const *rows, const struct db_error *error)
{
    struct lookup *lookup = ctx;

    if (error->trouble == DB_REFUSED) /* only its class: the text may quote */
        log_event(LOG_ERROR, "lookup.refused", "sqlstate=%s", error->sqlstate);
    if (lookup->request != NULL) {
        struct request *request = detach(lookup);

        if (error->trouble == DB_OK)
            answer(request, rows[0]);
        else
            reply_reason(request, REASON_UNAVAILABLE, NULL);
    }
    end(lookup);
}

/* Questions ----------------------------------------------------------------------------------------------------------- */

static struct db_job *ask_for_lead(struct request *request, const struct supplier *supplier)
{
    struct span text = {request->path.ptr + strlen("/api/v1/leads/"), request->path.len - strlen("/api/v1/leads/")};
    struct db_job *job;
    struct uuid id;

    if (uuid_parse(&id, text) != 0) {
        reply_reason(request, REASON_NOT_FOUND, "there is no lead of this id");
        return NULL;
    }
    job = db_job_new();
    db_prepared(job, "lead");
    db_add_uuid(job, &id);
    db_add_text(job, supplier->id);
    return job;
}

static struct span value_of(const struct field_list *fields, const char *name)
{
    const struct field *field = field_find(fields, span_of(name));

    return field != NULL ? span_trim(field->text) : (struct span){NULL, 0};
}

static struct db_job *ask_by_value(struct arena *arena, struct request *request, const struct supplier *supplier)
{
    const uint8_t *secret = stage_catalog(request->gateway->stage)->secret;
    struct span phone, email, campaign, value;
    struct field_list fields;
    struct db_job *job;
    struct uuid key;
    struct error err;

    if (form_read(arena, request->query, &fields, &err) != 0) {
        reply_reason(request, REASON_BAD_REQUEST, err.text);
        return NULL;
    }
    phone = value_of(&fields, "phone");
    email = value_of(&fields, "email");
    campaign = value_of(&fields, "flo_campaign_id");
    if (phone.len == 0 && email.len == 0) {
        reply_wrong_field(request, "phone", "required", "give phone or email");
        return NULL;
    }
    if (phone.len > 0 && email.len > 0) {
        reply_wrong_field(request, "email", "not_allowed", "give phone or email, not both");
        return NULL;
    }
    value = phone.len > 0 ? normal_phone(arena, phone, false) : normal_email(arena, email);
    if (value.ptr == NULL) {
        if (phone.len > 0)
            reply_wrong_field(request, "phone", "invalid_format", "must be a phone number");
        else
            reply_wrong_field(request, "email", "invalid_format", "must be an e-mail address");
        return NULL;
    }
    value = normal_match(arena, phone.len > 0 ? FIELD_PHONE : FIELD_EMAIL, value);
    key = key_lookup(secret, supplier->id, phone.len > 0 ? SPAN("phone") : SPAN("email"), value);
    job = db_job_new();
    db_prepared(job, phone.len > 0 ? "by_phone" : "by_email");
    db_add_uuid(job, &key);
    db_add_text(job, supplier->id);
    if (campaign.len > 0)
        db_add_text(job, campaign);
    else
        db_add_null(job);
    db_add_int(job, LOOKUP_ROWS_MOST);
    return job;
}

void lookup_handle(struct lookups *all, struct request *request, const struct supplier *supplier)
{
    struct arena *arena = arena_new();
    struct db_job *job = request->route == ROUTE_LEAD ? ask_for_lead(request, supplier) : ask_by_value(arena, request, supplier);

    if (job != NULL && (all->count >= LOOKUPS_MOST || db_is_away(all->db))) {
        if (all->count >= LOOKUPS_MOST)
            count_overload(OVERLOAD_LOOKUPS);
        reply_reason(request, REASON_UNAVAILABLE, NULL);
        db_job_free(&job);
    }
    if (job != NULL)
        db_send(all->db, &job, on_done, begin(all, request));
    arena_free(&arena);
}

/* The connection ------------------------------------------------------------------------------------------------------ */

struct lookups *lookups_new(struct gateway *gateway)
{
    struct lookups *all = must_zalloc(sizeof *all);

    all->gateway = gateway;
    all->timer = loop_timer_new(stage_loop(gateway->stage), on_timer, all);
    all->db = stage_open_db(gateway->stage, "SET default_transaction_read_only = on; SET statement_timeout = '4s'", statements, NULL, NULL);
    return all;
}

void lookups_free(struct lookups **all)
{
    if (*all == NULL)
        return;
    db_close(&(*all)->db); /* calls back what is under way */
    loop_timer_free(&(*all)->timer);
    free(*all);
    *all = NULL;
}

size_t lookups_count(const struct lookups *all)
{
    return all->waiting;
}
