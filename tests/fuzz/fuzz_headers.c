/*
 * fuzz_headers.c - any bytes as the headers that we read ourselves: Idempotency-Key, X-Forwarded-For, Content-Type. A key is
 * printable and the same however it is quoted; the client is the last hop that is no trusted proxy, whatever stands before it,
 * and a peer that is not trusted tells us nothing.
 */
#include "common/buf.h"
#include "common/must.h"
#include "gateway/address.h"
#include "gateway/idempotency.h"
#include "gateway/ingest.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_key(struct arena *arena, struct span header)
{
    struct buf *quoted;
    struct span key, again;

    if (idempotency_read(arena, header, &key) != 0)
        return;
    must(key.len >= 1 && key.len <= IDEMPOTENCY_KEY_BYTES_MOST);
    quoted = buf_new(64);
    buf_add_text(quoted, "\"");
    for (size_t i = 0; i < key.len; i++) {
        must(key.ptr[i] >= ' ' && key.ptr[i] <= '~');
        buf_printf(quoted, key.ptr[i] == '"' || key.ptr[i] == '\\' ? "\\%c" : "%c", key.ptr[i]);
    }
    buf_add_text(quoted, "\"");
    must(idempotency_read(arena, buf_span(quoted), &again) == 0 && span_equal(key, again));
    buf_free(&quoted);
}

/* Where the client is when the header goes on with this hop. */
static bool client_behind(const struct trusted_proxies *trusted, const uint8_t peer[16], struct span header, const char *hop, uint8_t client[16])
{
    struct buf *longer = buf_new(64);
    bool is_known;

    buf_add(longer, header.ptr, header.len);
    buf_add_text(longer, hop);
    is_known = address_of_client(trusted, peer, buf_span(longer), client);
    buf_free(&longer);
    return is_known;
}

static void check_address(struct span header)
{
    struct trusted_proxies trusted, any;
    uint8_t peer[16], stranger[16], client[16], again[16];
    struct error err;

    must(trusted_read(&trusted, SPAN("10.0.0.0/8, 2001:db8::/32"), &err) == 0);
    must(cidr_address(SPAN("10.1.2.3"), peer) == 0 && cidr_address(SPAN("192.0.2.1"), stranger) == 0);
    must(client_behind(&trusted, peer, header, ", 192.0.2.1", client) && memcmp(client, stranger, sizeof client) == 0);
    if (address_of_client(&trusted, peer, header, client)) {
        if (!cidr_any_has(trusted.ranges, trusted.count, client))
            must(client_behind(&trusted, peer, header, ",10.9.9.9", again) && memcmp(client, again, sizeof client) == 0);
    } else {
        must(!client_behind(&trusted, peer, header, ",10.9.9.9", again));
    }
    must(address_of_client(&trusted, stranger, header, client) && memcmp(client, stranger, sizeof client) == 0);
    if (trusted_read(&any, header, &err) == 0)
        must(any.count <= TRUSTED_MOST);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span header = {(const char *)data, size};
    struct arena *arena = arena_new();

    check_key(arena, header);
    check_address(header);
    (void)media_of(header);
    arena_free(&arena);
    return 0;
}
