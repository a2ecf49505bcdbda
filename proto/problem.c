#include "proto/problem.h"

#include <stdio.h>

static struct json *errors_json(const struct field_errors *errors)
{
    struct json *list = json_new_list();

    for (size_t i = 0; i < errors->count; i++) {
        const struct field_error *error = &errors->items[i];
        struct json *item = json_new_object();

        json_set_text(item, "field", error->field);
        if (error->op.ptr != NULL)
            json_set_text(item, "operator", error->op);
        else
            json_set_text(item, "code", error->code);
        json_set_text(item, "message", error->message);
        json_push(list, item);
    }
    return list;
}

void problem_print(const struct problem *problem, const struct uuid *request_id, struct buf *out)
{
    enum reason reason = problem->reason;
    const char *message = problem->message != NULL ? problem->message : reason_message(reason);
    struct json *body = json_new_object();
    char id[UUID_TEXT_BYTES], type[64];

    json_set_text(body, "error", span_of(reason_word(reason)));
    json_set_text(body, "message", span_of(message));
    json_set_text(body, "request_id", span_of(uuid_text(request_id, id)));
    snprintf(type, sizeof type, "urn:leadline:error:%s", reason_word(reason)); /* RFC 9457, 3.1.1: any URI */
    json_set_text(body, "type", span_of(type));
    json_set_text(body, "title", span_of(reason_title(reason)));
    json_set_integer(body, "status", reason_http(reason));
    if (problem->errors != NULL)
        json_set(body, reason == REASON_FILTERED || reason == REASON_SUPPRESSED ? "filter_errors" : "field_errors", errors_json(problem->errors));
    if (problem->retry_after_s > 0)
        json_set_integer(body, "retry_after", problem->retry_after_s);
    if (problem->data != NULL)
        json_set(body, "data", problem->data);
    json_print(body, out);
    json_free(&body);
}
