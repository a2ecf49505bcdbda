#include "dispatcher/question.h"

#include "proto/value_print.h"

#include <inttypes.h>

void question_print(const struct ping *ping, int64_t timeout_ms, struct buf *out)
{
    char id[UUID_TEXT_BYTES], ping_id[UUID_TEXT_BYTES];

    buf_printf(out, "{\"id\":\"%s\",\"ping_id\":\"%s\",\"campaign_id\":", uuid_text(&ping->id, id), uuid_text(&ping->ping_id, ping_id));
    value_print_text(out, ping->campaign_id);
    buf_add_text(out, ",\"buyer_id\":");
    value_print_text(out, ping->buyer_id);
    buf_printf(out, ",\"is_test\":%s,\"timeout_ms\":%" PRId64 ",\"fields\":", ping->is_test ? "true" : "false", timeout_ms);
    for (size_t i = 0; i < ping->fields.count; i++) {
        buf_add(out, i == 0 ? "{" : ",", 1);
        value_print_text(out, ping->fields.items[i].name);
        buf_add(out, ":", 1);
        value_print_json(out, &ping->fields.items[i]);
    }
    buf_add_text(out, ping->fields.count == 0 ? "{}}" : "}}");
}
