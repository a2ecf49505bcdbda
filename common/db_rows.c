#include "common/db_job.h"

#include <stdlib.h>
#include <string.h>

static PGresult *result_of(const struct db_rows *rows)
{
    return (PGresult *)(uintptr_t)rows;
}

int db_count(const struct db_rows *rows)
{
    return PQntuples(result_of(rows));
}

int64_t db_affected(const struct db_rows *rows)
{
    return strtoll(PQcmdTuples(result_of(rows)), NULL, 10);
}

bool db_is_null(const struct db_rows *rows, int row, int column)
{
    return PQgetisnull(result_of(rows), row, column);
}

struct span db_text(const struct db_rows *rows, int row, int column)
{
    if (db_is_null(rows, row, column))
        return (struct span){NULL, 0};
    return (struct span){PQgetvalue(result_of(rows), row, column), (size_t)PQgetlength(result_of(rows), row, column)};
}

int64_t db_int(const struct db_rows *rows, int row, int column)
{
    const uint8_t *bytes = (const uint8_t *)PQgetvalue(result_of(rows), row, column);
    int len = PQgetlength(result_of(rows), row, column);
    int64_t value = 0;

    if (len == 0)
        return 0;
    value = (int8_t)bytes[0];
    for (int i = 1; i < len; i++)
        value = (int64_t)((uint64_t)value << 8 | bytes[i]);
    return value;
}

bool db_bool(const struct db_rows *rows, int row, int column)
{
    return db_int(rows, row, column) != 0;
}

struct uuid db_uuid(const struct db_rows *rows, int row, int column)
{
    struct span bytes = db_text(rows, row, column);
    struct uuid id = {{0}};

    if (bytes.len == sizeof id.bytes)
        memcpy(id.bytes, bytes.ptr, sizeof id.bytes);
    return id;
}

int64_t db_time_us(const struct db_rows *rows, int row, int column)
{
    return db_is_null(rows, row, column) ? 0 : db_int(rows, row, column) + PG_EPOCH_US;
}
