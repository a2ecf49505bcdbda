/* document_events.c - the operator's endpoints for events. */
#include "leadctl/document_check.h"

void document_check_events(struct check *check)
{
    static const struct place events = {NULL, "events", 0};
    struct map *urls = map_new();
    struct json *entry;

    EACH(entry, at, json_get(check->document, "events"), &events) {
        document_claim(check, urls, json_get_text(entry, "url"), &at, "url", "endpoint");
        document_check_endpoint(check, entry, &at);
    }
    map_free(&urls);
}
