/*
 * db_job.h - a job from the inside: what db_job.c builds, db.c sends and db_rows.c reads. For these three only.
 */
#ifndef LEADLINE_COMMON_DB_JOB_H
#define LEADLINE_COMMON_DB_JOB_H

#include "common/db.h"

#include <libpq-fe.h>

enum { DB_PARAMS_MOST = 24 }; /* of one statement */

static const int64_t PG_EPOCH_US = INT64_C(946684800000000); /* PostgreSQL counts from 2000-01-01 UTC */

struct db_param {
    size_t at; /* in the job's data */
    int len;   /* -1: null */
    int format;
};

struct db_sent {
    const char *name; /* prepared, or NULL */
    const char *sql;
    struct db_param params[DB_PARAMS_MOST];
    int param_count;
};

struct db_job {
    struct db_job *next;
    struct db_sent statements[DB_JOB_STATEMENTS];
    int count;
    struct buf *data;
    PGresult *results[DB_JOB_STATEMENTS];
    int answered;
    struct db_error error;
    db_done_fn *fn;
    void *ctx;
};

#endif
