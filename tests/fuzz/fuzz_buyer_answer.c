/*
 * fuzz_buyer_answer.c - any bytes as what a buyer answers: the wait that it asks for is within bounds, and what is kept of
 * its words is text that the database takes.
 *
 * The first two bytes are status and attempt, the third how much is kept; the rest is both Retry-After and body.
 */
#include "common/must.h"
#include "dispatcher/answer.h"
#include "dispatcher/backoff.h"
#include "dispatcher/verdict.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = {0, 200, 301, 429, 500, 503};
    struct span said, kept;
    int status, attempt;
    int64_t asked_ms;

    if (size < 3)
        return 0;
    status = statuses[data[0] % 6];
    attempt = 1 + data[1] % ATTEMPTS_MOST;
    said = (struct span){(const char *)data + 3, size - 3};
    asked_ms = retry_after_ms(status, said, INT64_C(1795395723000));
    must(asked_ms >= 0 && asked_ms <= RETRY_AFTER_MOST_MS);
    must(asked_ms == 0 || status == 429 || status == 503);
    if (verdict_judge(OUTCOME_RETRY, attempt) == VERDICT_RETRY)
        must(backoff_ms(attempt, data[1] / 256.0, asked_ms) >= asked_ms);
    kept = answer_text(said, data[2]);
    must(kept.len <= data[2] && span_is_utf8(kept) && memchr(kept.ptr, '\0', kept.len) == NULL);
    free((char *)kept.ptr);
    return 0;
}
