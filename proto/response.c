#include "proto/response.h"

#include "common/buf.h"
#include "common/json.h"
#include "common/json_pointer.h"
#include "proto/ascii.h"
#include "proto/money.h"
#include "proto/normal.h"

#include <string.h>

static const char *const words[] = {
#define OUTCOME(name, word, meaning) word,
#include "proto/outcome.def"
#undef OUTCOME
};

const char *outcome_word(enum outcome outcome)
{
    return words[outcome];
}

int outcome_of(struct span word)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (span_is(word, words[i]))
            return (int)i;
    return -1;
}

struct span response_lower(struct arena *arena, struct span text)
{
    char *copy = arena_alloc(arena, text.len + 1);

    for (size_t i = 0; i < text.len; i++)
        copy[i] = ascii_lower(text.ptr[i]);
    return (struct span){copy, text.len};
}

/* One answer under judgement; its JSON is read when the first rule asks for it. */
struct judging {
    int status;
    struct span body, lowered; /* lowered: absent until it is asked for */
    struct arena *arena;
    struct json *document; /* NULL: not read yet, or no JSON */
    bool is_read;
    int gave_up; /* patterns */
};

static struct json *value_at(struct judging *judging, struct span pointer)
{
    static const struct span mark = {"\xef\xbb\xbf", 3};
    struct span text = judging->body;

    if (!judging->is_read) {
        if (span_starts(text, mark))
            text = (struct span){text.ptr + mark.len, text.len - mark.len};
        judging->document = json_parse_loose(text);
        judging->is_read = true;
    }
    return judging->document != NULL ? json_pointer_find(judging->document, pointer) : NULL;
}

/* A text as it stands, anything else as JSON writes it; in the arena. */
static struct span text_of(struct judging *judging, const struct json *value)
{
    struct buf *out;
    struct span text;

    if (json_kind(value) == JSON_TEXT)
        return arena_copy(judging->arena, json_text(value));
    out = buf_new(64);
    json_print(value, out);
    text = arena_copy(judging->arena, buf_span(out));
    buf_free(&out);
    return text;
}

/* Tests ------------------------------------------------------------------------------------------------------------------- */

static bool has_status(const struct response *rule, int status)
{
    for (size_t i = 0; i < rule->status_count; i++)
        if (status >= rule->statuses[i].from && status <= rule->statuses[i].until)
            return true;
    return rule->status_count == 0;
}

static bool has_text(struct span lowered, struct span part)
{
    return memmem(lowered.ptr, lowered.len, part.ptr, part.len) != NULL;
}

static struct span lowered_body(struct judging *judging)
{
    if (judging->lowered.ptr == NULL)
        judging->lowered = response_lower(judging->arena, judging->body);
    return judging->lowered;
}

static bool is_number(enum json_kind kind)
{
    return kind == JSON_INTEGER || kind == JSON_REAL;
}

static bool is_word(enum json_kind kind)
{
    return is_number(kind) || kind == JSON_TRUE || kind == JSON_FALSE;
}

static bool are_equal(struct judging *judging, const struct json *value, const struct json *wanted)
{
    enum json_kind kind = json_kind(value), want = json_kind(wanted);

    if (json_equal(value, wanted))
        return true;
    if (is_number(kind) && is_number(want))
        return json_real(value, 0) == json_real(wanted, 0) && kind != want;
    if ((kind == JSON_TEXT && is_word(want)) || (want == JSON_TEXT && is_word(kind)))
        return span_equal(text_of(judging, value), text_of(judging, wanted));
    return false;
}

static bool stands_there(struct judging *judging, const struct response *rule)
{
    const struct json *value = value_at(judging, rule->pointer);
    bool holds = value != NULL;

    if (holds && rule->equals.ptr != NULL) {
        struct json *wanted = json_parse(rule->equals, NULL);

        holds = wanted != NULL && are_equal(judging, value, wanted);
        if (wanted != NULL)
            json_free(&wanted);
    }
    return holds && (rule->value_contains.ptr == NULL || has_text(response_lower(judging->arena, text_of(judging, value)), rule->value_contains));
}

static bool is_matched(struct judging *judging, const struct pattern *pattern)
{
    enum pattern_answer answer = pattern_match(pattern, judging->body);

    judging->gave_up += answer == PATTERN_GAVE_UP;
    return answer == PATTERN_FOUND;
}

static bool holds(struct judging *judging, const struct response *rule)
{
    return has_status(rule, judging->status) && (rule->contains.ptr == NULL || has_text(lowered_body(judging), rule->contains)) &&
           (rule->pointer.ptr == NULL || stands_there(judging, rule)) &&
           (rule->matches == NULL || is_matched(judging, rule->matches));
}

/* What is read ------------------------------------------------------------------------------------------------------------- */

/* An amount as text, or as a number with at most two places. */
static int64_t price_of(struct judging *judging, const struct json *value)
{
    int64_t cents;

    if (value == NULL || (json_kind(value) != JSON_TEXT && !is_number(json_kind(value))))
        return -1;
    return money_parse(span_trim(text_of(judging, value)), &cents) == 0 ? cents : -1;
}

static struct span reference_of(struct judging *judging, const struct json *value)
{
    static const struct span absent = {NULL, 0};
    struct span text;

    if (value == NULL || (json_kind(value) != JSON_TEXT && !is_number(json_kind(value))))
        return absent;
    text = span_trim(text_of(judging, value));
    return text.len > 0 && text.len <= REFERENCE_BYTES_MOST && memchr(text.ptr, '\0', text.len) == NULL ? text : absent;
}

static struct span redirect_of(struct judging *judging, const struct json *value)
{
    static const struct span absent = {NULL, 0};
    struct span text;

    if (value == NULL || json_kind(value) != JSON_TEXT)
        return absent;
    text = span_trim(text_of(judging, value));
    return text.len > 0 && text.len <= REDIRECT_BYTES_MOST && normal_url(judging->arena, text).len > 0 ? text : absent;
}

static const struct json *wanted_at(struct judging *judging, struct span pointer)
{
    return pointer.ptr != NULL ? value_at(judging, pointer) : NULL;
}

void response_judge(const struct responses *responses, int http_status, struct span body, struct arena *arena, struct judged *out)
{
    struct judging judging = {.status = http_status, .body = body, .arena = arena};

    *out = (struct judged){.outcome = http_status >= 200 && http_status <= 299 ? OUTCOME_ACCEPTED : OUTCOME_RETRY, .rule = -1, .price_cents = -1};
    for (size_t i = 0; responses != NULL && i < responses->rule_count; i++) {
        const struct response *rule = &responses->rules[i];

        if (!holds(&judging, rule))
            continue;
        out->outcome = rule->outcome;
        out->rule = (int)i;
        out->price_cents = price_of(&judging, wanted_at(&judging, rule->price));
        out->reference = reference_of(&judging, wanted_at(&judging, rule->reference));
        out->redirect_url = redirect_of(&judging, wanted_at(&judging, rule->redirect_url));
        break;
    }
    out->gave_up = judging.gave_up;
    if (judging.document != NULL)
        json_free(&judging.document);
}
