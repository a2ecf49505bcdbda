#include "proto/stage.h"

#include "common/admin.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/must.h"
#include "common/queue.h"
#include "common/systemd.h"
#include "proto/registry.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BEAT_EVERY_S = 5,
    INTRODUCE_MS = 1000, /* after registering, in which writers find this instance */
    NOTICE_MS = 1500, /* in which writers see that this instance is stopping */
    QUIET_MS = 300,   /* without a frame, before it ends */
    STOP_MOST_MS = 25000,
    STOP_CHECK_MS = 50,
    SOCKET_PATH_MOST = 107,
    INSTANCES_MOST = 256,
};

/* Each set of neighbours tells through its own context, so that the daemon learns of which stage they are. */
struct neighbour_ctx {
    struct stage *stage;
    enum stage_kind kind;
};

struct stage {
    const struct stage_spec *spec;
    struct params *params;
    char name[ID_BYTES_MOST + 1];
    char endpoint[SOCKET_PATH_MOST + 8];
    char origin[128];
    struct loop *loop;
    struct admin *admin;
    struct db *db;
    struct registry *registry;
    struct queue_in *queue;
    struct neighbours *neighbours[STAGE_COUNT]; /* NULL: this stage does not write there */
    struct neighbour_ctx contexts[STAGE_COUNT];
    struct catalog *catalog;
    bool is_loading, load_again;
    bool is_started; /* spec.start() is done */
    bool is_ready;   /* systemd knows; what its neighbours are worth is /readyz's business */
    bool is_stopping;
    bool has_left;
    int64_t started_at_ms, stopped_at_ms, last_frame_ms;
    struct loop_timer *second, *stop_timer, *watchdog;
    int64_t seconds;
    int64_t done_before; /* of load(), at the last beat */
    struct span peers[INSTANCES_MOST];
    size_t peer_count;
    void *self;
    int status;
    struct metric *frames, *frames_refused, *catalog_version;
};

static const char *const words[] = {"gateway", "validator", "router", "dispatcher"};

static const struct param common_params[] = {
#define PARAM(name, kind, unit, otherwise, least, most, meaning) {#name, PARAM_##kind, unit, otherwise, least, most, meaning},
#include "proto/stage.def"
#undef PARAM
    {NULL, PARAM_TEXT, NULL, NULL, 0, 0, NULL},
};

const char *stage_word(enum stage_kind kind)
{
    return words[kind];
}

/* The parts ----------------------------------------------------------------------------------------------------------- */

struct loop *stage_loop(struct stage *stage) { return stage->loop; }
const struct params *stage_params(struct stage *stage) { return stage->params; }
const char *stage_name(const struct stage *stage) { return stage->name; }
const struct catalog *stage_catalog(const struct stage *stage) { return stage->catalog; }
struct neighbours *stage_neighbours(struct stage *stage, enum stage_kind kind) { return stage->neighbours[kind]; }
struct db *stage_db(struct stage *stage) { return stage->db; }
bool stage_is_stopping(const struct stage *stage) { return stage->is_stopping; }
void stage_set_self(struct stage *stage, void *self) { stage->self = self; }
void *stage_self(const struct stage *stage) { return stage->self; }

const struct span *stage_peers(struct stage *stage, size_t *count)
{
    *count = stage->peer_count;
    return stage->peers;
}

struct db *stage_open_db(struct stage *stage, const char *settings, const struct db_statement *statements,
                         db_state_fn *on_state, void *ctx)
{
    struct db_options options = {
        .dsn = params_text(stage->params, "dsn"), .application = stage->name, .settings = settings,
        .statements = statements, .on_state = on_state, .ctx = ctx,
    };

    return db_open(stage->loop, &options);
}

void stage_pause(struct stage *stage, bool is_paused)
{
    if (is_paused)
        queue_pause(stage->queue);
    else
        queue_resume(stage->queue);
}

void stage_fail(struct stage *stage, const char *why)
{
    log_event(LOG_ERROR, "stage.failed", "why=%s", LOG_Q(why));
    stage->status = 1;
    loop_stop(stage->loop);
}

/* Ready? -------------------------------------------------------------------------------------------------------------- */

/* Registered, and long enough ago for its writers to have found it? Only then is an instance called ready. */
static bool is_introduced(const struct stage *stage)
{
    return stage->is_started && clock_mono_ms() - stage->started_at_ms >= INTRODUCE_MS;
}

/* For /readyz: who stands before the record needs the next stage; the others can do their part alone. */
static const char *why_unready(void *ctx)
{
    struct stage *stage = ctx;
    struct neighbours *validators = stage->neighbours[STAGE_VALIDATOR], *routers = stage->neighbours[STAGE_ROUTER];

    if (stage->is_stopping)
        return "stopping";
    if (!stage->is_started)
        return db_is_away(stage->db) ? "the database is away" : "no catalog yet";
    if (!is_introduced(stage))
        return "just started";
    if (validators != NULL && neighbours_up(validators) == 0)
        return "no validator";
    if (routers != NULL && stage->spec->kind != STAGE_DISPATCHER && neighbours_up(routers) == 0)
        return "no router";
    return stage->spec->why_not_ready != NULL ? stage->spec->why_not_ready(stage) : NULL;
}

/* Frames -------------------------------------------------------------------------------------------------------------- */

static void refuse_frame(struct stage *stage, const char *kind, struct span sender, size_t bytes, const char *why)
{
    metric_add(stage->frames_refused, 1);
    log_event(LOG_WARN, "frame.refused", "kind=%s sender=%s bytes=%zu why=%s", kind, log_quote(sender), bytes, LOG_Q(why));
}

static void on_message(void *ctx, struct span message)
{
    struct stage *stage = ctx;
    struct arena *arena = arena_new();
    struct frame frame;
    struct error err;

    stage->last_frame_ms = clock_mono_ms();
    if (frame_open(&frame, arena_copy(arena, message), &err) != 0) {
        refuse_frame(stage, "unknown", frame.sender, message.len, err.text);
    } else {
        metric_add(stage->frames, 1);
        stage->spec->on_frame(stage, &frame, &arena);
    }
    frame_close(&frame);
    arena_free(&arena);
}

static void on_odd(void *ctx, const char *what, size_t bytes)
{
    refuse_frame(ctx, "unknown", SPAN("?"), bytes, what);
}

void stage_refuse_frame(struct stage *stage, const struct frame *frame, const char *why)
{
    static const char *const kinds[] = {"unknown", "leads", "answers", "deliveries", "pings", "bids", "verdicts"};

    refuse_frame(stage, kinds[frame->kind], frame->sender, frame->bytes, why);
}

static void on_neighbour(void *ctx, struct neighbour *neighbour, bool is_up)
{
    struct neighbour_ctx *of = ctx;

    if (of->stage->is_started && of->stage->spec->on_neighbour != NULL)
        of->stage->spec->on_neighbour(of->stage, of->kind, neighbour, is_up);
}

/* The registry -------------------------------------------------------------------------------------------------------- */

static void beat(struct stage *stage, bool is_news)
{
    struct registry_self self = {
        .stage = words[stage->spec->kind], .name = stage->name, .endpoint = stage->endpoint, .admin = admin_url(stage->admin),
        .catalog_version = stage->catalog->version, .is_stopping = stage->is_stopping,
    };
    int64_t done = 0;

    if (stage->spec->load != NULL)
        stage->spec->load(stage, &done, &self.queue_depth);
    self.per_second = (double)(done - stage->done_before) / BEAT_EVERY_S;
    if (!is_news)
        stage->done_before = done;
    registry_beat(stage->registry, &self, is_news);
}

/* The names of our own stage, ours among them also before our row is there. */
static void remember_peers(struct stage *stage, const struct registry_row *rows, size_t count)
{
    struct span me = span_of(stage->name);

    for (size_t i = 0; i < stage->peer_count; i++)
        free((char *)(uintptr_t)stage->peers[i].ptr);
    stage->peers[0] = (struct span){must_copy(me.ptr, me.len), me.len};
    stage->peer_count = 1;
    for (size_t i = 0; i < count && stage->peer_count < INSTANCES_MOST; i++) {
        const struct neighbour_row *row = &rows[i].instance;

        if (span_is(rows[i].stage, words[stage->spec->kind]) && row->is_fresh && !row->is_stopping && !span_equal(row->name, me))
            stage->peers[stage->peer_count++] = (struct span){must_copy(row->name.ptr, row->name.len), row->name.len};
    }
}

static void on_registry(void *ctx, const struct registry_row *rows, size_t count, int64_t catalog_version)
{
    struct stage *stage = ctx;
    struct neighbour_row *list = must_alloc(count * sizeof *list);

    remember_peers(stage, rows, count);
    for (int kind = 0; kind < STAGE_COUNT; kind++) {
        size_t found = 0;

        if (stage->neighbours[kind] == NULL)
            continue;
        for (size_t i = 0; i < count; i++)
            if (span_is(rows[i].stage, words[kind]))
                list[found++] = rows[i].instance;
        neighbours_update(stage->neighbours[kind], list, found);
    }
    free(list);
    if (stage->catalog == NULL || catalog_version != stage->catalog->version || clock_mono_ms() >= stage->catalog->stale_ms)
        stage_refresh_catalog(stage);
}

/* The catalog --------------------------------------------------------------------------------------------------------- */

static void tell_catalog(struct stage *stage)
{
    struct registry_self self = {.stage = words[stage->spec->kind], .name = stage->name, .catalog_version = stage->catalog->version};

    registry_tell_catalog(stage->registry, &self);
}

static void start_parts(struct stage *stage)
{
    struct error err;

    if (stage->spec->start(stage, &err) != 0) {
        stage_fail(stage, err.text);
        return;
    }
    stage->is_started = true;
    stage->started_at_ms = clock_mono_ms();
    beat(stage, true);
    log_event(LOG_INFO, "stage.started", "endpoint=%s admin=%s version=%s catalog=%lld", stage->endpoint, admin_url(stage->admin),
              LEADLINE_VERSION, (long long)stage->catalog->version);
    queue_resume(stage->queue);
    registry_read(stage->registry);
}

static void on_catalog(void *ctx, struct catalog *catalog, const char *why)
{
    struct stage *stage = ctx;
    struct catalog *old = stage->catalog;

    stage->is_loading = false;
    if (catalog == NULL) { /* tried again by the next reading of the registry */
        log_event(LOG_ERROR, "catalog.unreadable", "why=%s", LOG_Q(why));
        return;
    }
    stage->catalog = catalog;
    metric_set(stage->catalog_version, catalog->version);
    if (!stage->is_started) {
        start_parts(stage);
    } else {
        log_event(LOG_INFO, "catalog.read", "version=%lld", (long long)catalog->version);
        if (stage->spec->on_catalog != NULL)
            stage->spec->on_catalog(stage, old);
        if (catalog->version != old->version)
            tell_catalog(stage);
    }
    catalog_free(&old);
    if (stage->load_again)
        stage_refresh_catalog(stage);
}

void stage_refresh_catalog(struct stage *stage)
{
    stage->load_again = stage->is_loading;
    if (stage->is_loading)
        return;
    stage->is_loading = true;
    catalog_load(stage->db, stage->spec->catalog_parts, on_catalog, stage);
}

static void on_database(void *ctx, bool is_up)
{
    struct stage *stage = ctx;

    if (!is_up)
        return;
    stage_refresh_catalog(stage); /* anything may have happened meanwhile */
    if (stage->is_started)
        beat(stage, true);
    registry_read(stage->registry);
}

static void on_notify(void *ctx, const char *channel)
{
    struct stage *stage = ctx;

    if (strcmp(channel, "leadline_catalog") == 0)
        stage_refresh_catalog(stage);
    else
        registry_read(stage->registry);
}

/* Every second -------------------------------------------------------------------------------------------------------- */

static void on_second(void *ctx)
{
    struct stage *stage = ctx;

    log_tell_repeated();
    if (stage->has_left)
        return;
    registry_read(stage->registry);
    if (!stage->is_started)
        return;
    if (stage->seconds++ % BEAT_EVERY_S == 0)
        beat(stage, false);
    if (!stage->is_ready && is_introduced(stage)) {
        stage->is_ready = true;
        log_event(LOG_INFO, "stage.ready", "catalog=%lld", (long long)stage->catalog->version);
        systemd_ready("ready");
    }
    if (stage->spec->sweep != NULL && !stage->is_stopping)
        stage->spec->sweep(stage);
}

static void on_watchdog(void *ctx)
{
    (void)ctx;
    systemd_feed();
}

/* Parameters ---------------------------------------------------------------------------------------------------------- */

static int set_log_level(const struct params *params, struct error *err)
{
    return log_set_level(params_text(params, "log_level")) == 0 ? 0 : error_set(err, "log_level: debug, info, warn or error");
}

/* What only the parts can tell of the parameters. */
static int check_params(void *ctx, const struct params *params, struct error *err)
{
    const struct stage_spec *spec = ctx;

    if (admin_check(params_text(params, "admin"), err) != 0 || (spec->check != NULL && spec->check(params, err) != 0))
        return -1;
    return set_log_level(params, err);
}

static void reload(struct stage *stage)
{
    struct error err;

    systemd_reloading();
    if (params_reread(stage->params, check_params, (void *)(uintptr_t)stage->spec, &err) != 0) {
        log_event(LOG_ERROR, "params.kept", "why=%s", LOG_Q(err.text));
    } else {
        if (stage->is_started && stage->spec->on_params != NULL)
            stage->spec->on_params(stage);
        log_event(LOG_INFO, "params.read", "log_level=%s", params_text(stage->params, "log_level"));
    }
    systemd_ready(NULL);
}

/* The end ------------------------------------------------------------------------------------------------------------- */

static void on_left(void *ctx)
{
    struct stage *stage = ctx;

    loop_stop(stage->loop);
}

/* Nothing in hand, and everything given to those who take it. */
static bool is_finished(struct stage *stage)
{
    if (stage->spec->is_idle != NULL && !stage->spec->is_idle(stage))
        return false;
    for (int kind = 0; kind < STAGE_COUNT; kind++)
        if (stage->neighbours[kind] != NULL && neighbours_waiting(stage->neighbours[kind]) > 0)
            return false;
    return true;
}

static void on_stop_check(void *ctx)
{
    struct stage *stage = ctx;
    int64_t now_ms = clock_mono_ms(), since_ms = now_ms - stage->stopped_at_ms;
    bool is_quiet = since_ms >= NOTICE_MS && now_ms - stage->last_frame_ms >= QUIET_MS;
    bool is_idle = is_finished(stage);
    struct registry_self self = {.stage = words[stage->spec->kind], .name = stage->name};

    if (stage->has_left || !((is_quiet && is_idle) || since_ms >= STOP_MOST_MS)) {
        if (stage->has_left && since_ms >= STOP_MOST_MS + NOTICE_MS)
            loop_stop(stage->loop);
        return;
    }
    if (!is_idle)
        log_event(LOG_WARN, "stage.unfinished", "after_ms=%lld", (long long)since_ms);
    stage->has_left = true;
    registry_leave(stage->registry, &self, on_left, stage);
}

static void stop_softly(struct stage *stage)
{
    stage->is_stopping = true;
    stage->stopped_at_ms = clock_mono_ms();
    log_event(LOG_INFO, "stage.stopping", "is_started=%d", stage->is_started);
    systemd_stopping();
    if (!stage->is_started) {
        loop_stop(stage->loop);
        return;
    }
    beat(stage, true);
    if (stage->spec->stop_taking != NULL)
        stage->spec->stop_taking(stage);
    loop_timer_set(stage->stop_timer, STOP_CHECK_MS, STOP_CHECK_MS);
}

static void on_signal(void *ctx, int signal)
{
    struct stage *stage = ctx;

    if (signal == SIGHUP)
        reload(stage);
    else if (!stage->is_stopping)
        stop_softly(stage);
    else
        loop_stop(stage->loop);
}

/* The process --------------------------------------------------------------------------------------------------------- */

static int name_self(struct stage *stage, struct error *err)
{
    const char *name = params_text(stage->params, "name");
    int len;

    if (strlen(name) > ID_BYTES_MOST || name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-")] != '\0')
        return error_set(err, "name: %s is not 1-%d characters of A-Za-z0-9_.:-", name, ID_BYTES_MOST);
    if (name[0] != '\0')
        snprintf(stage->name, sizeof stage->name, "%s", name);
    else
        snprintf(stage->name, sizeof stage->name, "%s-1", words[stage->spec->kind]);
    len = snprintf(stage->endpoint, sizeof stage->endpoint, "ipc://%s/%s.sock", params_text(stage->params, "run_dir"), stage->name);
    if (len - (int)strlen("ipc://") > SOCKET_PATH_MOST)
        return error_set(err, "run_dir: the path of a socket in it would be over %d bytes", SOCKET_PATH_MOST);
    snprintf(stage->origin, sizeof stage->origin, "stage=%s name=%s ", words[stage->spec->kind], stage->name);
    log_set_origin(stage->origin);
    return set_log_level(stage->params, err);
}

static int open_parts(struct stage *stage, struct error *err)
{
    struct admin_options admin = {.listen = params_text(stage->params, "admin"), .why_unready = why_unready, .ctx = stage};
    struct db_options db = {
        .dsn = params_text(stage->params, "dsn"), .application = stage->name,
        .settings = "SET statement_timeout = '20s'; LISTEN leadline_catalog; LISTEN leadline_stage",
        .on_state = on_database, .on_notify = on_notify, .ctx = stage,
    };

    stage->loop = loop_new();
    loop_on_signal(stage->loop, on_signal, stage);
    stage->second = loop_timer_new(stage->loop, on_second, stage);
    loop_timer_set(stage->second, 1000, 1000);
    stage->stop_timer = loop_timer_new(stage->loop, on_stop_check, stage);
    stage->watchdog = loop_timer_new(stage->loop, on_watchdog, NULL);
    if (systemd_watchdog_ms() > 0)
        loop_timer_set(stage->watchdog, 0, systemd_watchdog_ms());
    stage->db = db_open(stage->loop, &db);
    stage->registry = registry_new(stage->db, on_registry, stage);
    stage->admin = admin_open(stage->loop, &admin, err);
    if (stage->admin == NULL)
        return -1;
    stage->queue = queue_bind(stage->loop, stage->endpoint, on_message, on_odd, stage, err);
    if (stage->queue == NULL)
        return -1;
    queue_pause(stage->queue); /* until spec.start() is done */
    for (int kind = 0; kind < STAGE_COUNT; kind++)
        if (stage->spec->writes_to & 1u << kind) {
            stage->contexts[kind] = (struct neighbour_ctx){stage, (enum stage_kind)kind};
            stage->neighbours[kind] = neighbours_new(stage->loop, words[kind], stage->name, on_neighbour, &stage->contexts[kind]);
        }
    return 0;
}

int stage_main(int argc, char **argv, const struct stage_spec *spec)
{
    struct stage stage = {.spec = spec};
    struct error err;

    loop_block_signals();
    stage.params = params_read(argc, argv, spec->purpose, common_params, spec->params, &err);
    if (stage.params == NULL || name_self(&stage, &err) != 0) {
        log_event(LOG_ERROR, "params.wrong", "why=%s", LOG_Q(err.text));
        params_free(&stage.params);
        return 2;
    }
    if (params_only_check(stage.params)) {
        int rc = check_params((void *)(uintptr_t)spec, stage.params, &err);

        if (rc != 0)
            log_event(LOG_ERROR, "params.wrong", "why=%s", LOG_Q(err.text));
        params_free(&stage.params);
        return rc == 0 ? 0 : 2;
    }
    stage.frames = metric_counter("leadline_frames_total", NULL, "Frames read.");
    stage.frames_refused = metric_counter("leadline_frames_refused_total", NULL, "Messages that were no frame, or damaged, and were dropped.");
    stage.catalog_version = metric_gauge("leadline_catalog_version", NULL, "Version of the configuration in memory.");
    if (open_parts(&stage, &err) != 0) {
        log_event(LOG_ERROR, "stage.failed", "why=%s", LOG_Q(err.text));
        return 1;
    }
    while (!stage.is_started && !loop_is_stopped(stage.loop))
        loop_turn(stage.loop, -1);
    if (spec->run != NULL && stage.is_started)
        spec->run(&stage);
    else
        loop_run(stage.loop);
    if (stage.is_started)
        spec->stop(&stage);
    for (int kind = 0; kind < STAGE_COUNT; kind++)
        neighbours_free(&stage.neighbours[kind]); /* with the last frames */
    queue_in_close(&stage.queue);
    admin_close(&stage.admin);
    db_close(&stage.db);
    registry_free(&stage.registry);
    catalog_free(&stage.catalog);
    for (size_t i = 0; i < stage.peer_count; i++)
        free((char *)(uintptr_t)stage.peers[i].ptr);
    loop_timer_free(&stage.second);
    loop_timer_free(&stage.stop_timer);
    loop_timer_free(&stage.watchdog);
    loop_free(&stage.loop);
    log_event(LOG_INFO, "stage.ended", "status=%d", stage.status);
    params_free(&stage.params);
    return stage.status;
}
