/*
 * endpoint_url.h - may a buyer's endpoint have this URL?
 */
#ifndef LEADLINE_LEADCTL_ENDPOINT_URL_H
#define LEADLINE_LEADCTL_ENDPOINT_URL_H

#include "common/span.h"

#include <stdbool.h>

/*
 * What is wrong with it, a phrase, static; NULL when nothing is.
 *
 * An address instead of a name must be a public one, unless private ones are allowed. What a name resolves to,
 * the dispatcher checks when it connects.
 */
const char *endpoint_url_fault(struct span url, bool allows_private);

#endif
