/*
 * problem.h - the one shape of every error answer (SPEC.md, 2; RFC 9457).
 *
 * {"error","message","request_id","type","title","status", then field_errors, filter_errors, retry_after, data as they apply}
 */
#ifndef LEADLINE_PROTO_PROBLEM_H
#define LEADLINE_PROTO_PROBLEM_H

#include "common/buf.h"
#include "common/json.h"
#include "common/uuid.h"
#include "proto/field.h"
#include "proto/reason.h"

/* What may stand in a problem besides its reason; all optional. */
struct problem {
    enum reason reason;
    const char *message;               /* NULL: the reason's own */
    const struct field_errors *errors; /* NULL: none; written as filter_errors for FILTERED and SUPPRESSED, else as field_errors */
    int64_t retry_after_s;             /* 0: none */
    struct json *data;                 /* NULL: none; taken over */
};

/* Writes the body behind what out holds. */
void problem_print(const struct problem *problem, const struct uuid *request_id, struct buf *out);

#endif
