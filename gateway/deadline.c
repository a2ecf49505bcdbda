#include "gateway/deadline.h"

#include <string.h>

/* The number, or 0 when it is none that could shorten anything. 700.0 is whole, too. */
static int64_t number_of(struct span text)
{
    int64_t value = 0;

    text = span_trim(text);
    if (memchr(text.ptr, '.', text.len) != NULL)
        while (text.ptr[text.len - 1] == '0')
            text.len--;
    if (text.len > 1 && text.ptr[text.len - 1] == '.')
        text.len--;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || value > FLO_TIMEOUT_MS_MOST)
            return 0;
        value = 10 * value + (text.ptr[i] - '0');
    }
    return value;
}

int64_t deadline_read(const struct catalog *catalog, const struct field_list *fields, int64_t otherwise_ms)
{
    const struct field *campaign_id = field_find(fields, SPAN("flo_campaign_id")), *timeout = field_find(fields, SPAN("flo_timeout_ms"));
    const struct campaign *campaign = campaign_id != NULL ? catalog_campaign(catalog, span_trim(campaign_id->text)) : NULL;
    int64_t deadline_ms = campaign != NULL && campaign->deadline_ms > 0 ? campaign->deadline_ms : otherwise_ms;
    int64_t asked_ms = timeout != NULL ? number_of(timeout->text) : 0;

    return asked_ms >= FLO_TIMEOUT_MS_LEAST && asked_ms < deadline_ms ? asked_ms : deadline_ms;
}
