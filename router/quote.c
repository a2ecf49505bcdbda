#include "router/quote.h"

const struct quote *quotes_find(const struct quotes *quotes, struct span buyer_id)
{
    for (size_t i = 0; i < quotes->count; i++)
        if (span_equal(quotes->items[i].buyer_id, buyer_id))
            return &quotes->items[i];
    return NULL;
}

bool quote_is_needed(const struct campaign *campaign, const struct buyer *buyer)
{
    return (campaign->is_ping_post || campaign->distribution == DISTRIBUTION_HIGHEST_BID) && buyer->ping_url != NULL && buyer->ping_url[0] != '\0';
}
