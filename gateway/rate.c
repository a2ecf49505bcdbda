#include "gateway/rate.h"

#include <inttypes.h>
#include <stdio.h>

enum { NS_A_SECOND = 1000000000 };

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

uint64_t rate_take(uint64_t word, const struct rate *rate, int64_t now_ns, struct rate_look *look)
{
    int64_t token_ns = NS_A_SECOND / rate->per_second;
    int64_t most_ns = (rate->burst + rate->per_second) * token_ns; /* an empty bucket is full after this time */
    int64_t missing_ns = 0;

    if (word > (uint64_t)now_ns) /* a word too far ahead is of another rate, or of a clock before a restart: empty */
        missing_ns = word - (uint64_t)now_ns < (uint64_t)most_ns ? (int64_t)(word - (uint64_t)now_ns) : most_ns;
    look->rate = *rate;
    look->is_allowed = missing_ns + token_ns <= most_ns;
    look->retry_after_s = 0;
    if (look->is_allowed) {
        missing_ns += token_ns;
        word = (uint64_t)(now_ns + missing_ns);
    } else {
        look->retry_after_s = ceil_div(missing_ns + token_ns - most_ns, NS_A_SECOND);
        if (word > (uint64_t)(now_ns + most_ns))
            word = (uint64_t)(now_ns + most_ns);
    }
    look->left = (most_ns - missing_ns) / token_ns;
    return word;
}

struct rate rate_share(const struct rate *rate, int64_t percent)
{
    struct rate share = {rate->per_second * percent / 100, rate->burst * percent / 100};

    if (share.per_second < 1)
        share.per_second = 1;
    return share;
}

size_t rate_policy_text(const struct rate *rate, const char *name, char *out)
{
    int64_t window_s = ceil_div(rate->burst, rate->per_second);

    if (rate->burst == 0)
        return (size_t)snprintf(out, RATE_TEXT_BYTES, "\"%s\";q=%" PRId64 ";w=1", name, rate->per_second);
    return (size_t)snprintf(out, RATE_TEXT_BYTES, "\"%s\";q=%" PRId64 ";w=1,\"%s-burst\";q=%" PRId64 ";w=%" PRId64, name,
                            rate->per_second, name, rate->burst, window_s);
}

size_t rate_left_text(const struct rate_look *look, const char *name, char *out)
{
    const struct rate *rate = &look->rate;

    if (look->left > rate->burst || rate->burst == 0)
        return (size_t)snprintf(out, RATE_TEXT_BYTES, "\"%s\";r=%" PRId64 ";t=1", name, look->left - rate->burst);
    return (size_t)snprintf(out, RATE_TEXT_BYTES, "\"%s-burst\";r=%" PRId64 ";t=%" PRId64, name, look->left,
                            look->left == rate->burst ? 1 : ceil_div(rate->burst - look->left, rate->per_second));
}
