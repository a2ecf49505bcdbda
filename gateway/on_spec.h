/*
 * on_spec.h - GET /spec: the posting spec, as JSON or as a page, from the catalog alone.
 */
#ifndef LEADLINE_GATEWAY_ON_SPEC_H
#define LEADLINE_GATEWAY_ON_SPEC_H

#include "gateway/request.h"
#include "proto/catalog.h"

/* Answers the request at once. */
void on_spec(struct request *request, const struct supplier *supplier);

#endif
