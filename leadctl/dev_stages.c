#include "leadctl/dev_stages.h"

#include "common/must.h"
#include "leadctl/dev_probe.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    DELAY_MOST_MS = 5000,
    GATEWAYS_STOP_MS = 7000, /* their open requests have a deadline of 5 s */
    OTHERS_STOP_MS = 4000,   /* what they have in hand then, nobody waits for */
    KILL_WAIT_MS = 5000,
};

static const struct {
    const char *word;
    const char *program;
    const char *role;
} kinds[DEV_STAGES] = {
    [DEV_GATEWAY] = {"gateway", "leadline-gateway", "leadline-gateway"},
    [DEV_VALIDATOR] = {"validator", "leadline-validator", "leadline-validator"},
    [DEV_ROUTER] = {"router", "leadline-router", "leadline-router"},
    [DEV_DISPATCHER] = {"dispatcher", "leadline-dispatcher", "leadline-dispatcher"},
};

struct instance {
    enum dev_stage stage;
    struct child *child;
};

struct dev_stages {
    struct supervisor *supervisor;
    const struct dev_dir *dir;
    struct instance instances[DEV_STAGES * DEV_INSTANCES_MOST];
    size_t count;
};

const char *dev_stage_word(enum dev_stage stage)
{
    return kinds[stage].word;
}

const char *dev_program(const struct dev_dir *dir, const char *name, struct error *err)
{
    const char *folder = getenv("LEADLINE_BIN_DIR");
    char self[4096];
    const char *path;
    ssize_t len;

    if (folder == NULL || folder[0] == '\0') {
        len = readlink("/proc/self/exe", self, sizeof self - 1);
        if (len < 0)
            return error_errno(err, "cannot tell where leadctl is"), NULL;
        self[len] = '\0';
        *strrchr(self, '/') = '\0';
        folder = self;
    }
    path = dev_dir_path(dir, folder, name);
    if (access(path, X_OK) != 0)
        return error_errno(err, "%s cannot be run (`make` builds it)", path), NULL;
    return path;
}

static void start_one(struct dev_stages *stages, enum dev_stage stage, int n, const char *path, int listen_fd)
{
    const struct dev_dir *dir = stages->dir;
    struct arena *arena = dir->arena;
    const char *name = arena_printf(arena, "%s-%d%c", kinds[stage].word, n, '\0').ptr;
    const char *log = arena_printf(arena, "%s.log%c", name, '\0').ptr;
    struct child_options options = {
        .name = name,
        .args = {path},
        .variables = {"LEADLINE_DSN",
                      arena_printf(arena, "host=%s user=%s dbname=leadline%c", dir->pg_sockets, kinds[stage].role, '\0').ptr,
                      "LEADLINE_NAME", name, "LEADLINE_RUN_DIR", dir->sockets, "LEADLINE_ADMIN", "127.0.0.1:0",
                      stage == DEV_GATEWAY ? "LEADLINE_RATE_FILE" : NULL, dev_dir_path(dir, dir->run, "rate")},
        .log_path = dev_dir_path(dir, dir->log, log),
        .handed_fd = stage == DEV_GATEWAY ? listen_fd : 0,
        .death_signal = SIGTERM,
        .is_kept = true,
        .delay_most_ms = DELAY_MOST_MS,
    };

    stages->instances[stages->count].stage = stage;
    stages->instances[stages->count++].child = child_start(stages->supervisor, &options);
}

struct dev_stages *dev_stages_start(struct supervisor *supervisor, const struct dev_dir *dir, const int counts[DEV_STAGES],
                                    int listen_fd, struct error *err)
{
    struct dev_stages *stages = must_zalloc(sizeof *stages);
    const char *paths[DEV_STAGES];

    stages->supervisor = supervisor;
    stages->dir = dir;
    for (int stage = 0; stage < DEV_STAGES; stage++) {
        paths[stage] = dev_program(dir, kinds[stage].program, err);
        if (paths[stage] == NULL) {
            dev_stages_free(&stages);
            return NULL;
        }
    }
    for (int stage = DEV_STAGES - 1; stage >= 0; stage--) /* readers first: then writers find them at once */
        for (int n = 1; n <= counts[stage]; n++)
            start_one(stages, (enum dev_stage)stage, n, paths[stage], listen_fd);
    return stages;
}

void dev_stages_free(struct dev_stages **stages)
{
    free(*stages);
    *stages = NULL;
}

/* Stopping ------------------------------------------------------------------------------------------------------------ */

/* Stages that are stopped together. */
struct group {
    const struct dev_stages *stages;
    enum dev_stage first, last;
};

static bool is_in(const struct group *group, const struct instance *instance)
{
    return instance->stage >= group->first && instance->stage <= group->last;
}

static void stop_group(const struct group *group, int number)
{
    for (size_t i = 0; i < group->stages->count; i++)
        if (is_in(group, &group->stages->instances[i]))
            child_stop(group->stages->instances[i].child, number);
}

static bool is_group_over(void *ctx)
{
    const struct group *group = ctx;

    for (size_t i = 0; i < group->stages->count; i++)
        if (is_in(group, &group->stages->instances[i]) && !child_is_over(group->stages->instances[i].child))
            return false;
    return true;
}

static void end_group(struct dev_stages *stages, struct group group, int64_t stop_ms, int stops)
{
    stop_group(&group, SIGTERM);
    if (supervisor_wait(stages->supervisor, stop_ms, stops, is_group_over, &group))
        return;
    stop_group(&group, SIGKILL);
    supervisor_wait(stages->supervisor, KILL_WAIT_MS, INT_MAX, is_group_over, &group);
}

void dev_stages_stop(struct dev_stages *stages, int stops)
{
    end_group(stages, (struct group){stages, DEV_GATEWAY, DEV_GATEWAY}, GATEWAYS_STOP_MS, stops);
    end_group(stages, (struct group){stages, DEV_VALIDATOR, DEV_DISPATCHER}, OTHERS_STOP_MS, stops);
}

/* Ready? -------------------------------------------------------------------------------------------------------------- */

static const char REGISTERED[] =
    "SELECT name, pid, admin FROM stage_instance WHERE NOT is_stopping AND beat_at > now() - interval '15 s'";

/* Is the process of this child registered, and ready by its own word? */
static bool is_ready(const struct child *child, const struct db_answer *registered)
{
    for (int row = 0; row < db_answer_rows(registered); row++)
        if (span_is(db_answer_text(registered, row, 0), child_name(child)) && db_answer_int(registered, row, 1) == child_pid(child))
            return dev_probe(db_answer_text(registered, row, 2));
    return false;
}

bool dev_stages_are_ready(const struct dev_stages *stages, struct db_wait **db, const char *dsn, struct error *why)
{
    struct db_answer *registered;
    const struct child *missed = NULL;

    if (*db == NULL && (*db = db_wait_open(dsn, why)) == NULL)
        return false;
    registered = db_wait_ask(*db, REGISTERED, DB_NO_PARAMS, why);
    if (registered == NULL) {
        db_wait_close(db);
        return false;
    }
    for (size_t i = 0; i < stages->count && missed == NULL; i++)
        if (!is_ready(stages->instances[i].child, registered))
            missed = stages->instances[i].child;
    db_answer_free(&registered);
    if (missed != NULL)
        error_set(why, "%s is not ready", child_name(missed));
    return missed == NULL;
}
