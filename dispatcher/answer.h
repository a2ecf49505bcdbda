/*
 * answer.h - what a buyer said, as it is kept in table attempt.
 */
#ifndef LEADLINE_DISPATCHER_ANSWER_H
#define LEADLINE_DISPATCHER_ANSWER_H

#include "common/span.h"

/*
 * Text that the database takes: cut to at most that many bytes between two characters, well-formed UTF-8 (what is not
 * becomes U+FFFD), without NUL. Returns new memory, owned by the caller: free((char *)text.ptr).
 */
struct span answer_text(struct span said, size_t most);

#endif
