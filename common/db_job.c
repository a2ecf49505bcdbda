#include "common/db_job.h"

#include "common/must.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

struct db_job *db_job_new(void)
{
    struct db_job *job = must_zalloc(sizeof *job);

    job->data = buf_new(1024);
    return job;
}

void db_job_free(struct db_job **job)
{
    if (*job == NULL)
        return;
    for (int i = 0; i < (*job)->count; i++)
        PQclear((*job)->results[i]);
    buf_free(&(*job)->data);
    free(*job);
    *job = NULL;
}

static struct db_sent *add_statement(struct db_job *job)
{
    must(job->count < DB_JOB_STATEMENTS);
    return &job->statements[job->count++];
}

void db_prepared(struct db_job *job, const char *name)
{
    add_statement(job)->name = name;
}

void db_sql(struct db_job *job, const char *sql)
{
    add_statement(job)->sql = sql;
}

static struct db_param *add_param(struct db_job *job, int format)
{
    struct db_sent *statement = &job->statements[job->count - 1];
    struct db_param *param = &statement->params[statement->param_count++];

    must(statement->param_count <= DB_PARAMS_MOST);
    param->at = job->data->len;
    param->format = format;
    param->len = 0;
    return param;
}

static struct db_param *last_param(struct db_job *job)
{
    struct db_sent *statement = &job->statements[job->count - 1];

    return &statement->params[statement->param_count - 1];
}

void db_add_null(struct db_job *job)
{
    add_param(job, 1)->len = -1;
}

void db_add_text(struct db_job *job, struct span text)
{
    /* The text form ends at a NUL; with one inside, the binary form makes PostgreSQL refuse it instead of cutting it. */
    struct db_param *param = add_param(job, text.len > 0 && memchr(text.ptr, 0, text.len) != NULL);

    param->len = text.ptr != NULL ? (int)text.len : -1;
    buf_add_span(job->data, text);
    buf_add(job->data, "", 1);
}

void db_add_bytes(struct db_job *job, struct span bytes)
{
    struct db_param *param = add_param(job, 1);

    param->len = bytes.ptr != NULL ? (int)bytes.len : -1;
    buf_add_span(job->data, bytes);
}

void db_add_uuid(struct db_job *job, const struct uuid *id)
{
    if (id == NULL)
        db_add_null(job);
    else
        db_add_bytes(job, uuid_span(id));
}

void db_add_int(struct db_job *job, int64_t value)
{
    add_param(job, 1)->len = 8;
    buf_add_u64(job->data, (uint64_t)value);
}

void db_add_bool(struct db_job *job, bool value)
{
    add_param(job, 1)->len = 1;
    buf_add(job->data, value ? "\1" : "\0", 1);
}

/* The form of array_recv() in PostgreSQL: dimensions, has nulls, element type, then length and first index of each dimension. */
void db_array(struct db_job *job, enum db_type type, size_t count)
{
    struct db_param *param = add_param(job, 1);

    buf_add_u32(job->data, count > 0);
    buf_add_u32(job->data, 1);
    buf_add_u32(job->data, type);
    if (count > 0) {
        buf_add_u32(job->data, (uint32_t)count);
        buf_add_u32(job->data, 1);
    }
    param->len = (int)(job->data->len - param->at);
}

static void item_done(struct db_job *job)
{
    struct db_param *param = last_param(job);

    param->len = (int)(job->data->len - param->at);
}

/* What the array was declared with. */
static uint32_t item_type(struct db_job *job)
{
    uint32_t type;

    memcpy(&type, job->data->data + last_param(job)->at + 8, sizeof type);
    return be32toh(type);
}

void db_item_null(struct db_job *job)
{
    buf_add_u32(job->data, UINT32_MAX);
    item_done(job);
}

void db_item_text(struct db_job *job, struct span text)
{
    bool is_jsonb = item_type(job) == DB_JSONB;

    if (text.ptr == NULL) {
        db_item_null(job);
        return;
    }
    buf_add_u32(job->data, (uint32_t)(text.len + is_jsonb));
    if (is_jsonb)
        buf_add(job->data, "\1", 1); /* version of jsonb_recv() */
    buf_add_span(job->data, text);
    item_done(job);
}

void db_item_uuid(struct db_job *job, const struct uuid *id)
{
    if (id == NULL) {
        db_item_null(job);
        return;
    }
    buf_add_u32(job->data, sizeof id->bytes);
    buf_add(job->data, id->bytes, sizeof id->bytes);
    item_done(job);
}

void db_item_int(struct db_job *job, int64_t value)
{
    if (item_type(job) == DB_INT4) {
        buf_add_u32(job->data, 4);
        buf_add_u32(job->data, (uint32_t)(int32_t)value);
    } else {
        buf_add_u32(job->data, 8);
        buf_add_u64(job->data, (uint64_t)value);
    }
    item_done(job);
}

void db_item_bool(struct db_job *job, bool value)
{
    buf_add_u32(job->data, 1);
    buf_add(job->data, value ? "\1" : "\0", 1);
    item_done(job);
}

void db_item_time(struct db_job *job, int64_t at_us)
{
    buf_add_u32(job->data, 8);
    buf_add_u64(job->data, (uint64_t)(at_us - PG_EPOCH_US));
    item_done(job);
}
