/*
 * ratefile.h - the buckets of all suppliers, shared by the gateways of a host.
 *
 * A file in memory (mmap) that is a table of slots: a hash of supplier and kind, and the bucket's word (rate.h). Nothing is
 * locked: a slot is taken and changed by compare-and-swap, so a process may be killed at any moment. A slot whose bucket
 * has been full for an hour says nothing that an unused one would not, and may be given to another supplier.
 */
#ifndef LEADLINE_GATEWAY_RATEFILE_H
#define LEADLINE_GATEWAY_RATEFILE_H

#include "common/error.h"
#include "common/span.h"
#include "gateway/rate.h"

#include <stdint.h>

struct ratefile;

enum { RATEFILE_SLOTS = 1 << 16 };

/*
 * Opens the file, making it when it is not there.
 *
 * path   "" keeps the buckets in this process's own memory
 * slots  of a new file: a power of two, the same for all who open it; RATEFILE_SLOTS but for tests
 * Returns the table, owned by the caller, or NULL with *err.
 */
struct ratefile *ratefile_open(const char *path, uint32_t slots, struct error *err);
void ratefile_close(struct ratefile **file);

/* Takes a token of this supplier's bucket of that kind, at now_ns of clock_host_ns(). */
void ratefile_take(struct ratefile *file, struct span supplier_id, enum rate_kind kind, const struct rate *rate, int64_t now_ns,
                   struct rate_look *look);

#endif
