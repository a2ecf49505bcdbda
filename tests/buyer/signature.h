/*
 * signature.h - is a webhook signed by who knows the secret? (Standard Webhooks 1.0, the reader's side)
 */
#ifndef LEADLINE_TESTS_BUYER_SIGNATURE_H
#define LEADLINE_TESTS_BUYER_SIGNATURE_H

#include "common/buf.h"
#include "common/error.h"
#include "common/span.h"

#include <stdint.h>

enum { SIGNATURE_TOLERANCE_S = 300 };

/*
 * Reads a secret, "whsec_" and base64, to the bytes of its key.
 *
 * Returns the key, owned by the caller, or NULL with *err.
 */
struct buf *signature_key(const char *secret, struct error *err);

/*
 * Checks the three headers and the body as they came.
 *
 * now_ms  wall clock; the timestamp may differ from it by SIGNATURE_TOLERANCE_S
 * Returns NULL when one of the signatures is right, else in a few static words why none is.
 */
const char *signature_wrong(struct span key, struct span id, struct span timestamp, struct span signatures, struct span body,
                            int64_t now_ms);

#endif
