#include "dispatcher/bid_answer.h"

#include "common/json.h"
#include "proto/money.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NO_CONTENT = 204, REAL_TEXT_BYTES = 400 }; /* the largest double has 309 digits */
static const int64_t units_most = INT64_C(999999999999);

/* A number with two decimals is the double nearest to its own text with two decimals; any other is not. */
static int real_cents(double value, int64_t *cents)
{
    char text[REAL_TEXT_BYTES];

    if (value == 0)
        value = 0; /* -0.0, too */
    snprintf(text, sizeof text, "%.2f", value);
    return strtod(text, NULL) == value ? money_parse(span_of(text), cents) : -1;
}

/* Returns 0, or -1 when it is no price. */
static int price_of(const struct json *value, int64_t *cents)
{
    *cents = 0;
    if (value == NULL)
        return 0;
    switch (json_kind(value)) {
    case JSON_NULL:
        return 0;
    case JSON_TEXT:
        return json_text(value).len > 0 ? money_parse(json_text(value), cents) : 0;
    case JSON_INTEGER:
        *cents = json_integer(value, -1);
        if (*cents < 0 || *cents > units_most)
            return -1;
        *cents *= 100;
        return 0;
    case JSON_REAL:
        return real_cents(json_real(value, 0), cents);
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_OBJECT:
    case JSON_LIST:
        break;
    }
    return -1;
}

static enum bid_outcome judge_body(struct span body, int64_t *price_cents)
{
    struct json *document = json_parse(body, NULL);
    enum bid_outcome outcome = BID_OUTCOME_WRONG;

    if (document != NULL && json_kind(document) == JSON_OBJECT && price_of(json_get(document, "bid_price"), price_cents) == 0)
        outcome = *price_cents > 0 ? BID_OUTCOME_BID : BID_OUTCOME_NO_BID;
    else
        *price_cents = 0;
    if (document != NULL)
        json_free(&document);
    return outcome;
}

static enum bid_outcome judge_error(const char *error)
{
    static const struct { const char *error; enum bid_outcome outcome; } rows[] = {
        {"timeout", BID_OUTCOME_LATE},
        {"waiting", BID_OUTCOME_SKIPPED},
        {"bad_answer", BID_OUTCOME_WRONG},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(error, rows[i].error) == 0)
            return rows[i].outcome;
    return BID_OUTCOME_FAILED;
}

enum bid_outcome bid_answer_judge(const struct http_answer *answer, int64_t *price_cents)
{
    *price_cents = 0;
    if (answer->error != NULL)
        return judge_error(answer->error);
    if (answer->status == NO_CONTENT)
        return BID_OUTCOME_NO_BID;
    if (answer->status < 200 || answer->status > 299)
        return BID_OUTCOME_WRONG;
    return judge_body(answer->body, price_cents);
}
