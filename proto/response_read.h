/*
 * response_read.h - compiles a buyer's `responses`, and tells what is wrong with them, each fault at its place in the document.
 */
#ifndef LEADLINE_PROTO_RESPONSE_READ_H
#define LEADLINE_PROTO_RESPONSE_READ_H

#include "common/complaint.h"
#include "common/json.h"
#include "proto/catalog.h"
#include "proto/response.h"

/*
 * Reads the list; it lives as long as the catalog into which it goes, patterns too.
 *
 * doc  the list; of another kind it is the schema's business
 * Returns NULL when there is none, or something is wrong with it, which was added to the list.
 */
const struct responses *responses_read(struct catalog *into, const struct json *doc, const struct place *place, struct complaints *list);

#endif
