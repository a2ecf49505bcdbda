#include "router/keyring.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/must.h"

#include <stdlib.h>
#include <string.h>

enum { SEALS_AFTER_S = 60 };

struct keyring {
    struct stage *stage;
    keyring_fn *on_read;
    void *ctx;
    struct ping_keys keys;
    int64_t clock_ahead_ms; /* of the database's clock, of ours */
    int64_t asked_ms;       /* monotonic, of the last reading; 0: none yet */
    int64_t seconds;
    bool is_reading;
    bool is_closed;         /* freed while a reading was under way */
};

/* Newest first. */
const char keyring_sql[] =
    "SELECT id, key, (extract(epoch FROM clock_timestamp() - created_at))::int8, clock_timestamp() FROM ping_key"
    " ORDER BY created_at DESC, id LIMIT 8";

void keyring_take(struct ping_keys *keys, const struct db_rows *rows)
{
    bool has_sealing = false;

    keys->count = 0;
    keys->sealing = 0;
    for (int i = 0; i < db_count(rows) && i < PING_KEYS_MOST; i++) {
        struct span bytes = db_text(rows, i, 1);

        must(bytes.len == SEAL_KEY_BYTES);
        memcpy(keys->items[keys->count].key, bytes.ptr, bytes.len);
        keys->items[keys->count].id = (uint8_t)db_int(rows, i, 0);
        if (!has_sealing)
            keys->sealing = keys->count; /* the newest that is old enough, or the oldest */
        has_sealing |= db_int(rows, i, 2) >= SEALS_AFTER_S;
        keys->count++;
    }
}

static void take_keys(struct keyring *keyring, const struct db_rows *rows)
{
    keyring_take(&keyring->keys, rows);
    if (db_count(rows) > 0)
        keyring->clock_ahead_ms = db_time_us(rows, 0, 3) / 1000 - clock_wall_ms();
}

static void on_rows(void *ctx, struct db_rows *const *rows, const struct db_error *error)
{
    struct keyring *keyring = ctx;

    keyring->is_reading = false;
    if (keyring->is_closed) {
        free(keyring);
        return;
    }
    if (error->trouble == DB_OK)
        take_keys(keyring, rows[0]);
    else if (error->trouble != DB_GONE)
        log_event(LOG_ERROR, "keyring.unread", "sqlstate=%s", error->sqlstate);
    keyring->on_read(keyring->ctx);
}

static void read_keys(struct keyring *keyring)
{
    struct db_job *job;

    if (keyring->is_reading)
        return;
    job = db_job_new();
    keyring->is_reading = true;
    keyring->asked_ms = clock_mono_ms();
    db_sql(job, keyring_sql);
    db_send(stage_db(keyring->stage), &job, on_rows, keyring);
}

struct keyring *keyring_new(struct stage *stage, keyring_fn *on_read, void *ctx)
{
    struct keyring *keyring = must_zalloc(sizeof *keyring);

    keyring->stage = stage;
    keyring->on_read = on_read;
    keyring->ctx = ctx;
    read_keys(keyring);
    return keyring;
}

void keyring_free(struct keyring **keyring)
{
    if (*keyring == NULL)
        return;
    if ((*keyring)->is_reading)
        (*keyring)->is_closed = true; /* the control connection ends later and calls back */
    else
        free(*keyring);
    *keyring = NULL;
}

const struct ping_keys *keyring_keys(const struct keyring *keyring)
{
    return &keyring->keys;
}

bool keyring_refresh(struct keyring *keyring)
{
    if (!keyring->is_reading && clock_mono_ms() - keyring->asked_ms >= KEYRING_LEAST_MS)
        read_keys(keyring);
    return keyring->is_reading;
}

void keyring_sweep(struct keyring *keyring)
{
    if (++keyring->seconds % KEYRING_EVERY_S == 0 || keyring->keys.count == 0)
        read_keys(keyring);
}

int64_t keyring_now_ms(const struct keyring *keyring)
{
    return clock_wall_ms() + keyring->clock_ahead_ms;
}
