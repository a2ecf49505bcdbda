/*
 * reply.h - answers a request: status, headers, body (SPEC.md, 2).
 *
 * Each function answers the request and ends it: nobody may touch it afterwards. Every answer has x-request-id and a length;
 * those of limited requests have RateLimit-Policy and RateLimit; 429 and 503 have Retry-After.
 */
#ifndef LEADLINE_GATEWAY_REPLY_H
#define LEADLINE_GATEWAY_REPLY_H

#include "common/span.h"
#include "gateway/request.h"
#include "proto/problem.h"

struct st_h2o_pathconf_t;

/* A JSON body, which is copied. An error (400 and above) goes as application/problem+json to whom accepts that. */
void reply_json(struct request *request, int status, struct span body);

/* A problem; its data is taken over. Of RATE_LIMITED and of 503 the time to wait is filled in. */
void reply_problem(struct request *request, const struct problem *problem);

/* The same with nothing but a reason and, unless NULL, a message. */
void reply_reason(struct request *request, enum reason reason, const char *message);

/* VALIDATION_FAILED of a query: one field, its code and what is wanted. All static. */
void reply_wrong_field(struct request *request, const char *field, const char *code, const char *message);

/* An HTML page, 200; it is copied. It may load and run nothing but its own style. */
void reply_page(struct request *request, struct span html);

/* Bytes that live for ever. */
void reply_file(struct request *request, const char *content_type, struct span bytes);

/* Gives the library's own errors on this path our shape: body too large, broken chunks, unknown expectations. */
void reply_shape_errors(struct st_h2o_pathconf_t *path);

#endif
