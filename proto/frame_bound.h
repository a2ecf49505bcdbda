/*
 * frame_bound.h - does a message hold as much as it says it does?
 *
 * A few bytes of msgpack can announce a list of four thousand million elements, and msgpack-c allocates for them before it
 * looks further. Every element takes a byte or more, so all announced together can never be more than the message has bytes.
 */
#ifndef LEADLINE_PROTO_FRAME_BOUND_H
#define LEADLINE_PROTO_FRAME_BOUND_H

#include "common/span.h"

#include <stdbool.h>

/* False when lists, maps or texts announce more than the message can hold. True says nothing else about it. */
bool frame_is_bounded(struct span message);

#endif
