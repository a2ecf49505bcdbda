#include "router/suppressed.h"

#include <string.h>

static bool is_among(struct span id, struct span ids)
{
    while (ids.len > 0) {
        const char *blank = memchr(ids.ptr, ' ', ids.len);
        struct span one = {ids.ptr, blank != NULL ? (size_t)(blank - ids.ptr) : ids.len};
        size_t taken = one.len + (blank != NULL);

        if (span_equal(one, id))
            return true;
        ids = (struct span){ids.ptr + taken, ids.len - taken};
    }
    return false;
}

static const struct span *list_of(const struct contract *contract, struct span on_lists)
{
    for (size_t i = 0; i < contract->suppression_list_count; i++)
        if (is_among(contract->suppression_lists[i], on_lists))
            return &contract->suppression_lists[i];
    return NULL;
}

void suppressed_pass_over(struct arena *arena, struct span on_lists, struct candidate *list, size_t *eligible)
{
    struct candidate *passed;
    size_t kept = 0, out = 0;

    if (on_lists.len == 0 || *eligible == 0)
        return;
    passed = arena_alloc(arena, *eligible * sizeof *passed);
    for (size_t i = 0; i < *eligible; i++) {
        const struct span *id = list_of(list[i].contract, on_lists);

        if (id == NULL) {
            list[kept++] = list[i];
            continue;
        }
        list[i].pass = PASS_SUPPRESSED;
        list[i].detail = *id;
        passed[out++] = list[i];
    }
    if (out > 0)
        memcpy(list + kept, passed, out * sizeof *passed);
    *eligible = kept;
}
