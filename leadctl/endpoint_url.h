/*
 * endpoint_url.h - may a buyer's endpoint have this URL?
 */
#ifndef LEADLINE_LEADCTL_ENDPOINT_URL_H
#define LEADLINE_LEADCTL_ENDPOINT_URL_H

#include "common/span.h"

/*
 * What is wrong with it, a phrase, static; NULL when nothing is.
 *
 * Whether its address may be called is not asked here: the dispatcher decides that when it connects, whatever form the
 * address has and whatever a name resolves to.
 */
const char *endpoint_url_fault(struct span url);

#endif
