/*
 * leadline-gateway: takes leads over HTTP, passes them on, and answers when they are decided.
 *
 *     server → request → ingest → open … frame with the answer → reply
 */
#include "gateway/count.h"
#include "gateway/gateway.h"
#include "gateway/lookup.h"
#include "gateway/open.h"
#include "gateway/ratefile.h"
#include "gateway/server.h"

#include "common/must.h"
#include "proto/stage.h"

#include <stdlib.h>
#include <string.h>

enum { ALONE_S = 3 }; /* without a validator we take connections after this time, to say 503 */

static const struct param gateway_params[] = {
#define PARAM(name, kind, unit, otherwise, least, most, meaning) {#name, PARAM_##kind, unit, otherwise, least, most, meaning},
#include "gateway/gateway.def"
#undef PARAM
    {.name = NULL},
};

static struct server_options server_options(const struct params *params)
{
    return (struct server_options){
        .listen = params_text(params, "listen"),
        .tls_cert = params_text(params, "tls_cert"),
        .tls_key = params_text(params, "tls_key"),
        .has_http2 = params_bool(params, "http2"),
        .has_proxy_protocol = params_bool(params, "proxy_protocol"),
        .connections_most = params_int(params, "connections"),
        .request_ms = params_int(params, "request_ms"),
        .idle_ms = params_int(params, "idle_ms"),
        .input_bytes_most = params_int(params, "input_bytes"),
    };
}

static int check(const struct params *params, struct error *err)
{
    struct server_options options = server_options(params);
    struct trusted_proxies trusted;

    if (trusted_read(&trusted, span_of(params_text(params, "trusted_proxies")), err) != 0)
        return -1;
    return server_check(&options, err);
}

static void stop(struct stage *stage)
{
    struct gateway *self = stage_self(stage);

    lookups_free(&self->lookups);
    open_free(&self->open);
    server_close(&self->server);
    ratefile_close(&self->rates);
    free(self);
}

static int start(struct stage *stage, struct error *err)
{
    const struct params *params = stage_params(stage);
    struct server_options options = server_options(params);
    struct gateway *self = must_zalloc(sizeof *self);

    count_init();
    stage_set_self(stage, self);
    self->stage = stage;
    self->rate_share = params_int(params, "rate_share");
    if (trusted_read(&self->trusted, span_of(params_text(params, "trusted_proxies")), err) != 0)
        goto fail;
    self->rates = ratefile_open(params_text(params, "rate_file"), RATEFILE_SLOTS, err);
    if (self->rates == NULL)
        goto fail;
    self->open = open_new(self, params_int(params, "deadline_ms"), (size_t)params_int(params, "open_bytes"));
    self->lookups = lookups_new(self);
    self->server = server_open(self, &options, err);
    if (self->server == NULL)
        goto fail;
    return 0;
fail:
    stop(stage);
    return -1;
}

static void on_frame(struct stage *stage, struct frame *frame, struct arena **arena)
{
    struct gateway *self = stage_self(stage);
    struct answer answer;
    struct error err;

    if (frame->kind != FRAME_ANSWERS) {
        stage_refuse_frame(stage, frame, "it is not for a gateway");
        return;
    }
    for (size_t i = 0; i < frame->count; i++) {
        if (frame_next_answer(frame, *arena, &answer, &err) != 0) {
            stage_refuse_frame(stage, frame, err.text);
            return;
        }
        open_answer(self->open, &answer);
    }
}

static void on_neighbour(struct stage *stage, enum stage_kind kind, struct neighbour *neighbour, bool is_up)
{
    struct gateway *self = stage_self(stage);

    if (kind != STAGE_VALIDATOR)
        return;
    open_neighbour(self->open, neighbour, is_up);
    if (is_up)
        server_take(self->server);
}

static void on_params(struct stage *stage)
{
    const struct params *params = stage_params(stage);
    struct gateway *self = stage_self(stage);
    struct error err;

    self->rate_share = params_int(params, "rate_share");
    open_set_deadline(self->open, params_int(params, "deadline_ms"));
    must(trusted_read(&self->trusted, span_of(params_text(params, "trusted_proxies")), &err) == 0); /* see check() */
}

static void sweep(struct stage *stage)
{
    struct gateway *self = stage_self(stage);

    size_t peers;

    if (self->seconds < ALONE_S && ++self->seconds == ALONE_S)
        server_take(self->server);
    stage_peers(stage, &peers);
    if (peers > self->peers && self->peers > 0)
        server_shed(self->server);
    self->peers = peers;
}

static void stop_taking(struct stage *stage)
{
    struct gateway *self = stage_self(stage);

    server_stop_taking(self->server);
}

static bool is_idle(struct stage *stage)
{
    struct gateway *self = stage_self(stage);

    return open_count(self->open) == 0 && lookups_count(self->lookups) == 0 && server_is_idle(self->server);
}

static void load(struct stage *stage, int64_t *done, int64_t *waiting)
{
    struct gateway *self = stage_self(stage);

    *done = open_answered(self->open);
    *waiting = (int64_t)open_count(self->open);
}

static void run(struct stage *stage)
{
    struct gateway *self = stage_self(stage);

    server_run(self->server);
}

static const struct stage_spec spec = {
    .kind = STAGE_GATEWAY,
    .purpose = "Takes leads over HTTP, passes them on, and answers when they are decided.",
    .params = gateway_params,
    .writes_to = 1u << STAGE_VALIDATOR,
    .catalog_parts = CATALOG_KEYS | CATALOG_CAMPAIGNS | CATALOG_SECRET,
    .check = check, .start = start, .on_frame = on_frame, .on_neighbour = on_neighbour, .on_params = on_params, .sweep = sweep,
    .stop_taking = stop_taking, .is_idle = is_idle, .load = load, .run = run, .stop = stop,
};

int main(int argc, char **argv)
{
    return stage_main(argc, argv, &spec);
}
