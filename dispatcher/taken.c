#include "dispatcher/taken.h"

#include "proto/stored_fields.h"

int taken_read(struct delivery *delivery, struct arena *arena, const struct db_rows *rows, int row)
{
    *delivery = (struct delivery){
        .id = db_uuid(rows, row, 0), .lead_id = db_uuid(rows, row, 1), .buyer_id = db_text(rows, row, 2),
        .attempt = db_int(rows, row, 3), .campaign_id = db_text(rows, row, 4), .price_cents = db_int(rows, row, 5),
        .is_test = db_bool(rows, row, 6), .sold_at_ms = db_time_us(rows, row, 7) / 1000,
    };
    if (!db_is_null(rows, row, 10)) {
        delivery->event = db_text(rows, row, 10);
        return 0;
    }
    if (db_is_null(rows, row, 4) || db_is_null(rows, row, 8))
        return -1;
    return stored_fields_read(&delivery->fields, arena, db_text(rows, row, 8));
}
