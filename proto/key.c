#include "proto/key.h"

#include "common/buf.h"
#include "common/digest.h"
#include "proto/normal.h"

#include <string.h>

enum { ROOM_BYTES = 512 };

static void add(struct buf *buf, struct span part)
{
    buf_add_u32(buf, (uint32_t)part.len);
    buf_add_span(buf, part);
}

/* What is hashed: first the kind of key. Owned by the caller. */
static struct buf *begin(struct span kind)
{
    struct buf *buf = buf_new(ROOM_BYTES);

    add(buf, kind);
    return buf;
}

/* Takes *buf. */
static struct uuid finish(struct buf **buf, const uint8_t secret[32])
{
    uint8_t digest[DIGEST_BYTES];
    struct uuid key;

    digest_hmac((struct span){(const char *)secret, 32}, buf_span(*buf), digest);
    memcpy(key.bytes, digest, sizeof key.bytes);
    buf_free(buf);
    return key;
}

struct uuid key_duplicate(const uint8_t secret[32], enum duplicate_against against, struct span scope, const struct duplicate_rule *rule,
                          const struct span *values)
{
    static const char *const kinds[] = {
        [AGAINST_ACCEPTED] = "duplicate", [AGAINST_ALL] = "duplicate_all", [AGAINST_SOLD] = "duplicate_sold",
    };
    struct buf *buf = begin(span_of(kinds[against]));
    struct uuid key, of_buyer;

    if (against != AGAINST_SOLD)
        add(buf, scope);
    buf_add_u32(buf, (uint32_t)rule->field_count);
    for (size_t i = 0; i < rule->field_count; i++) {
        add(buf, rule->fields[i]);
        add(buf, values[i]);
    }
    key = finish(&buf, secret);
    if (against != AGAINST_SOLD || scope.len == 0)
        return key;
    of_buyer = key_of_buyer(secret, scope);
    return key_for_buyer(&key, &of_buyer);
}

struct uuid key_of_buyer(const uint8_t secret[32], struct span buyer_id)
{
    struct buf *buf = begin(SPAN("duplicate_buyer"));

    add(buf, buyer_id);
    return finish(&buf, secret);
}

/* Both are as good as random, so two different pairs have the same sum as seldom as two keys are the same. */
struct uuid key_for_buyer(const struct uuid *of_values, const struct uuid *of_buyer)
{
    struct uuid key;

    for (size_t i = 0; i < sizeof key.bytes; i++)
        key.bytes[i] = of_values->bytes[i] ^ of_buyer->bytes[i];
    return key;
}

bool key_of_lead(const uint8_t secret[32], struct arena *arena, enum duplicate_against against, struct span scope,
                 const struct campaign *campaign, const struct duplicate_rule *rule, const struct field_list *normal, struct uuid *key)
{
    struct span *values = arena_alloc(arena, rule->field_count * sizeof *values);

    for (size_t i = 0; i < rule->field_count; i++) {
        const struct field *field = field_find(normal, rule->fields[i]);
        const struct field_spec *spec = campaign_field(campaign, rule->fields[i]);

        if (field == NULL || spec == NULL || field->text.len == 0)
            return false;
        values[i] = normal_match(arena, spec->type, field->text);
    }
    *key = key_duplicate(secret, against, scope, rule, values);
    return true;
}

struct uuid key_lookup(const uint8_t secret[32], struct span supplier_id, struct span field, struct span value)
{
    struct buf *buf = begin(SPAN("lookup"));

    add(buf, supplier_id);
    add(buf, field);
    add(buf, value);
    return finish(&buf, secret);
}

struct uuid key_idempotency(const uint8_t secret[32], struct span supplier_id, struct span path, struct span text)
{
    struct buf *buf = begin(SPAN("idempotency"));

    add(buf, supplier_id);
    add(buf, path);
    add(buf, text);
    return finish(&buf, secret);
}
