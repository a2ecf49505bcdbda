#include "router/cap.h"

void counter_roll(struct counter *counter, const int64_t start_us[WINDOW_COUNT])
{
    for (int window = 0; window < WINDOW_TOTAL; window++) {
        if (start_us[window] <= counter->start_us[window])
            continue;
        counter->start_us[window] = start_us[window];
        counter->leads[window] = 0;
        counter->cents[window] = 0;
    }
}

static int64_t left(int64_t limit, int64_t used)
{
    return limit > used ? limit - used : 0;
}

int64_t cap_room(const struct cap *cap, const struct counter *counter)
{
    return cap->leads >= 0 ? left(cap->leads, counter->leads[cap->window]) : left(cap->cents, counter->cents[cap->window]);
}

static bool has_room(const struct cap *cap, const struct counter *counter, int64_t leads, int64_t cents)
{
    if (cap->leads >= 0 && leads > 0 && counter->leads[cap->window] >= cap->leads)
        return false;
    return cap->cents < 0 || counter->cents[cap->window] + cents <= cap->cents;
}

const struct cap *caps_full(const struct cap_owner *owner, const struct counter *counter, int64_t leads, int64_t cents)
{
    for (size_t i = 0; i < owner->cap_count; i++)
        if (!has_room(&owner->caps[i], counter, leads, cents))
            return &owner->caps[i];
    return NULL;
}

void counter_change(struct counter *counter, int64_t leads, int64_t cents, int64_t at_us)
{
    for (int window = 0; window < WINDOW_COUNT; window++) {
        if (window != WINDOW_TOTAL && at_us < counter->start_us[window])
            continue;
        counter->leads[window] += leads;
        counter->cents[window] += cents;
    }
    counter->is_changed = true;
}
