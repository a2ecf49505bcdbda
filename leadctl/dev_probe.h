/*
 * dev_probe.h - asks a process of this machine whether it is ready.
 */
#ifndef LEADLINE_LEADCTL_DEV_PROBE_H
#define LEADLINE_LEADCTL_DEV_PROBE_H

#include "common/span.h"

#include <stdbool.h>

enum { PROBE_MS = 300 }; /* longest wait for the answer */

/* Does GET /readyz at this admin address ("http://127.0.0.1:N", "unix:/path") say 200? Waits for it. */
bool dev_probe(struct span admin);

#endif
