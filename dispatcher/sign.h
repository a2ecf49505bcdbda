/*
 * sign.h - signatures of a webhook: Standard Webhooks 1.0, and the older form that some buyers still check.
 *
 * Pure functions. Secrets are the document's texts ("whsec_" and base64); they never leave this file but as a signature.
 */
#ifndef LEADLINE_DISPATCHER_SIGN_H
#define LEADLINE_DISPATCHER_SIGN_H

#include "common/buf.h"
#include "common/span.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Appends the value of webhook-signature to out: "v1," and base64 of HMAC-SHA256 over id.timestamp.body, one for each secret,
 * with a space between. The key is what the secret's base64 after "whsec_" decodes to; a secret that is not base64 is the key
 * as it stands.
 *
 * at_s  webhook-timestamp: when this attempt is made, seconds since 1970 UTC
 */
void sign_webhook(struct buf *out, const struct span *secrets, size_t count, struct span id, int64_t at_s, struct span body);

/* Appends the value of X-LeadDistro-Signature: lower-case hex of HMAC-SHA256 of the body, keyed with the secret's whole text. */
void sign_legacy(struct buf *out, struct span secret, struct span body);

#endif
