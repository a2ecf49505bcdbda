/* Signatures of webhooks: dispatcher/sign.h. */
#include "dispatcher/sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The vector of the Standard Webhooks specification's own libraries. */
#define ID "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define BODY "{\"test\": 2432232314}"
#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define SIGNATURE "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
/* These were made with Python's hmac. */
#define LEGACY "80ec8a89ce3cd22133a1066caecb4d04fea7467657c8514d717ec42c38a5c94c"
enum { AT_S = 1614265330 };

#define SECOND "whsec_c2Vjb25kIHNlY3JldCBvZiAyNCBieXRlcyE="
#define SECOND_SIGNATURE "v1,oUU1GVIv+O+WY4Fs+SPd9H6KAb0ckNajFTQnsEAq+es="

static const struct {
    const char *claim;
    size_t count;
    struct span secrets[2];
    const char *want;
} rows[] = {
    {"the specification's vector", 1, {{SECRET, sizeof SECRET - 1}}, SIGNATURE},
    {"a secret without the prefix is the same key", 1, {{&SECRET[6], sizeof SECRET - 7}}, SIGNATURE},
    {"two secrets, two signatures", 2, {{SECRET, sizeof SECRET - 1}, {SECOND, sizeof SECOND - 1}}, SIGNATURE " " SECOND_SIGNATURE},
    {"their order is the document's", 2, {{SECOND, sizeof SECOND - 1}, {SECRET, sizeof SECRET - 1}}, SECOND_SIGNATURE " " SIGNATURE},
    {"padding may be left out", 1, {{SECOND, sizeof SECOND - 2}}, SECOND_SIGNATURE},
    {"no secret, no signature", 0, {{NULL, 0}}, ""},
};

static void webhook_signatures(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf *out = buf_new(0);

        sign_webhook(out, rows[i].secrets, rows[i].count, SPAN(ID), AT_S, SPAN(BODY));
        if (!span_is(buf_span(out), rows[i].want))
            fail_msg("%s: got %s", rows[i].claim, buf_text(out));
        buf_free(&out);
    }
}

static void id_time_and_body_are_signed(void **state)
{
    static const struct span secret = {SECRET, sizeof SECRET - 1};
    struct buf *id = buf_new(0), *at = buf_new(0), *body = buf_new(0);

    (void)state;
    sign_webhook(id, &secret, 1, SPAN("msg_another"), AT_S, SPAN(BODY));
    sign_webhook(at, &secret, 1, SPAN(ID), AT_S + 1, SPAN(BODY));
    sign_webhook(body, &secret, 1, SPAN(ID), AT_S, SPAN("{\"test\": 2432232315}"));
    assert_false(span_is(buf_span(id), SIGNATURE));
    assert_false(span_is(buf_span(at), SIGNATURE));
    assert_false(span_is(buf_span(body), SIGNATURE));
    buf_free(&id);
    buf_free(&at);
    buf_free(&body);
}

static void legacy_signature_is_keyed_with_the_whole_text(void **state)
{
    struct buf *out = buf_new(0);

    (void)state;
    sign_legacy(out, SPAN(SECRET), SPAN(BODY));
    assert_string_equal(buf_text(out), LEGACY);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(webhook_signatures),
        cmocka_unit_test(id_time_and_body_are_signed),
        cmocka_unit_test(legacy_signature_is_keyed_with_the_whole_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
