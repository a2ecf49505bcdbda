/*
 * notice.h - the line by which the demo buyer shows a lead that arrived.
 */
#ifndef LEADLINE_TESTS_BUYER_NOTICE_H
#define LEADLINE_TESTS_BUYER_NOTICE_H

#include "common/span.h"

/*
 * Prints "demo buyer: lead 0193… for buyer_abc at 25.00, signature ok" to standard output.
 *
 * body       of the webhook; of its fields none is shown, only ids and the price
 * signature  "ok", "not checked", or why it is wrong
 * status     with which it was answered; shown when it is no success
 */
void notice_print(struct span body, const char *signature, int status);

#endif
