#include "proto/response_read.h"

#include "common/buf.h"
#include "common/json_pointer.h"
#include "proto/ascii.h"

enum { STATUS_LEAST = 100, STATUS_MOST = 599 };

static bool read_status(struct span text, int *out)
{
    if (text.len != 3 || !ascii_are_digits(text))
        return false;
    *out = (text.ptr[0] - '0') * 100 + (text.ptr[1] - '0') * 10 + (text.ptr[2] - '0');
    return *out >= STATUS_LEAST && *out <= STATUS_MOST;
}

/* 200, "200" or "200-299". */
static void read_range(struct status_range *range, const struct json *doc, const struct place *place, struct complaints *list)
{
    struct span text = json_text(doc);
    int64_t number = json_integer(doc, 0);
    bool is_good;

    if (json_kind(doc) == JSON_TEXT) {
        is_good = read_status((struct span){text.ptr, text.len < 3 ? text.len : 3}, &range->from);
        range->until = range->from;
        if (is_good && text.len > 3)
            is_good = text.ptr[3] == '-' && read_status((struct span){text.ptr + 4, text.len - 4}, &range->until) && range->from <= range->until;
    } else {
        is_good = json_kind(doc) == JSON_INTEGER && number >= STATUS_LEAST && number <= STATUS_MOST;
        range->from = range->until = is_good ? (int)number : 0;
    }
    if (!is_good)
        complain(list, place, "must be a status from %d to %d, or a range like \"200-299\"", STATUS_LEAST, STATUS_MOST);
}

static void read_statuses(struct arena *arena, struct response *rule, const struct json *doc, const struct place *place, struct complaints *list)
{
    bool is_list = json_kind(doc) == JSON_LIST;

    rule->status_count = is_list ? json_count(doc) : 1;
    rule->statuses = arena_alloc(arena, (rule->status_count + 1) * sizeof *rule->statuses);
    if (rule->status_count == 0)
        complain(list, place, "must have at least 1 entry");
    for (size_t i = 0; i < rule->status_count; i++) {
        struct place at = {place, NULL, i};

        read_range(&rule->statuses[i], is_list ? json_at(doc, i) : doc, is_list ? &at : place, list);
    }
}

/* A pointer under that key; absent, with a complaint when it is there and none. */
static struct span read_pointer(struct arena *arena, const struct json *doc, const char *key, const struct place *above, struct complaints *list)
{
    struct place place = {above, key, 0};
    struct span text = json_get_text(doc, key);

    if (text.ptr == NULL)
        return text;
    if (!json_pointer_is_good(text))
        complain(list, &place, "must be a JSON pointer (RFC 6901): empty, or beginning with /");
    return arena_copy(arena, text);
}

static struct span read_part(struct arena *arena, const struct json *doc, const char *key, const struct place *above, struct complaints *list)
{
    struct place place = {above, key, 0};
    struct span text = json_get_text(doc, key);

    if (text.ptr == NULL)
        return text;
    if (text.len == 0)
        complain(list, &place, "must not be empty");
    return response_lower(arena, text);
}

static struct span json_text_of(struct arena *arena, const struct json *value)
{
    struct buf *out;
    struct span text;

    if (value == NULL)
        return (struct span){NULL, 0};
    out = buf_new(64);
    json_print(value, out);
    text = arena_copy(arena, buf_span(out));
    buf_free(&out);
    return text;
}

static void read_pattern(struct catalog *into, struct response *rule, struct span text, const struct place *above, struct complaints *list)
{
    struct place place = {above, "matches", 0};
    struct pattern *pattern;
    struct error err;

    if (text.ptr == NULL)
        return;
    pattern = pattern_new(text, true, &err);
    if (pattern == NULL)
        complain(list, &place, "%s", err.text);
    catalog_keep_pattern(into, pattern);
    rule->matches = pattern;
}

/* What is about the value at the pointer needs one. */
static void check_pointer(const struct response *rule, const struct json *doc, const struct place *place, struct complaints *list)
{
    static const char *const keys[] = {"equals", "value_contains"};

    for (size_t i = 0; rule->pointer.ptr == NULL && i < sizeof keys / sizeof *keys; i++) {
        struct place at = {place, keys[i], 0};

        if (json_get(doc, keys[i]) != NULL)
            complain(list, &at, "needs a pointer");
    }
}

static void read_rule(struct catalog *into, struct response *rule, const struct json *doc, const struct place *place, struct complaints *list)
{
    struct arena *arena = into->arena;
    struct place status = {place, "status", 0};
    int outcome = outcome_of(json_get_text(doc, "outcome"));

    if (json_get(doc, "status") != NULL)
        read_statuses(arena, rule, json_get(doc, "status"), &status, list);
    rule->pointer = read_pointer(arena, doc, "pointer", place, list);
    rule->equals = json_text_of(arena, json_get(doc, "equals"));
    rule->value_contains = read_part(arena, doc, "value_contains", place, list);
    rule->contains = read_part(arena, doc, "contains", place, list);
    read_pattern(into, rule, json_get_text(doc, "matches"), place, list);
    rule->outcome = outcome >= 0 ? (enum outcome)outcome : OUTCOME_RETRY; /* the schema complains */
    rule->price = read_pointer(arena, doc, "price", place, list);
    rule->reference = read_pointer(arena, doc, "reference", place, list);
    rule->redirect_url = read_pointer(arena, doc, "redirect_url", place, list);
    check_pointer(rule, doc, place, list);
}

const struct responses *responses_read(struct catalog *into, const struct json *doc, const struct place *place, struct complaints *list)
{
    struct responses *responses;
    size_t before = list->count;

    if (doc == NULL || json_kind(doc) != JSON_LIST || json_count(doc) == 0)
        return NULL;
    responses = arena_alloc(into->arena, sizeof *responses);
    responses->rule_count = json_count(doc);
    responses->rules = arena_alloc(into->arena, responses->rule_count * sizeof *responses->rules);
    for (size_t i = 0; i < responses->rule_count; i++) {
        struct place at = {place, NULL, i};

        read_rule(into, &responses->rules[i], json_at(doc, i), &at, list);
    }
    return list->count == before ? responses : NULL;
}
