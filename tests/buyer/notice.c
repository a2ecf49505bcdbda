#include "tests/buyer/notice.h"

#include "common/json.h"

#include <stdio.h>

/* An id or a price as it may stand in a line for a terminal; a question mark for anything else. */
static struct span shown(const struct json *data, const char *key)
{
    struct span text = json_get_text(data, key);

    if (text.len == 0 || text.len > 64)
        return SPAN("?");
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
            return SPAN("?");
    return text;
}

void notice_print(struct span body, const char *signature, int status)
{
    struct error err;
    struct json *doc = json_parse(body, &err);
    const struct json *data = json_get(doc, "data");
    struct span id, buyer, price;
    char answer[32] = "";

    if (status > 299)
        snprintf(answer, sizeof answer, ", answered %d", status);
    if (doc == NULL) {
        printf("demo buyer: a body that is not JSON, signature %s%s\n", signature, answer);
    } else {
        id = shown(data, "id");
        buyer = shown(data, "buyer_id");
        price = shown(data, "price");
        printf("demo buyer: lead %.*s for %.*s at %.*s%s, signature %s%s\n", SPAN_FMT(id), SPAN_FMT(buyer), SPAN_FMT(price),
               json_get_bool(data, "is_test", false) ? " (test)" : "", signature, answer);
    }
    fflush(stdout);
    json_free(&doc);
}
