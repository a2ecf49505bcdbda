/*
 * linger.h - closes TCP connections so that the last answer is read.
 *
 * A connection that is closed while its client still sends is reset, and the answer on its way (413, say) is lost. So our
 * side is shut, what comes is thrown away, and the descriptor is closed when the client has closed, or after a second.
 */
#ifndef LEADLINE_GATEWAY_LINGER_H
#define LEADLINE_GATEWAY_LINGER_H

#include "common/loop.h"

#include <stddef.h>

struct linger_set;

enum { LINGER_MS = 1000, LINGER_MOST = 256 };

struct linger_set *linger_new(struct loop *loop);
void linger_free(struct linger_set **set); /* closes what is left */

/* Takes the descriptor and closes it, at once when nothing is to be waited for (or LINGER_MOST wait already). */
void linger_close(struct linger_set *set, int fd);

size_t linger_count(const struct linger_set *set);

#endif
