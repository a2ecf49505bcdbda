/*
 * gateway.h - the parts of the daemon that takes leads over HTTP (DESIGN.md, 1): who holds what.
 *
 *   server (HTTP) → request (who may, how often) → ingest (bytes to lead) → open (waits for the answer) → reply
 *                                                → lookup (reads the database)                         → reply
 *                                                → on_spec (reads the catalog)                         → reply
 */
#ifndef LEADLINE_GATEWAY_GATEWAY_H
#define LEADLINE_GATEWAY_GATEWAY_H

#include "gateway/address.h"
#include "proto/stage.h"

#include <stdint.h>

struct open_requests;
struct lookups;
struct ratefile;
struct server;

struct gateway {
    struct stage *stage;
    struct trusted_proxies trusted;
    int64_t rate_share; /* percent of every rate that this host has */
    struct ratefile *rates;
    struct open_requests *open;
    struct lookups *lookups;
    struct server *server;
    int seconds;  /* since the start, up to ALONE_S */
    size_t peers; /* gateways, this one among them */
};

#endif
