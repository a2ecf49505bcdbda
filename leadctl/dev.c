/*
 * leadctl dev - everything on one machine: its own PostgreSQL, the schema, a configuration, all stages, kept running.
 */
#include "common/arena.h"
#include "common/clock.h"
#include "common/db_wait.h"
#include "common/log.h"
#include "leadctl/command.h"
#include "leadctl/dev_demo.h"
#include "leadctl/dev_dir.h"
#include "leadctl/dev_pg.h"
#include "leadctl/dev_socket.h"
#include "leadctl/dev_stages.h"
#include "leadctl/dev_supervisor.h"
#include "leadctl/dev_user.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CONNECTIONS_EACH = 4,   /* that an instance may hold: a router does */
    CONNECTIONS_SPARE = 40, /* for leadctl and people */
    CONNECTIONS_LEAST = 100,
    START_MS = 300000, /* PostgreSQL may have much to recover */
    TOOL_MS = 600000,  /* apply makes the keys of new duplicate rules */
    STOP_MS = 8000,
    LOOK_MS = 100,
    PATIENCE_MS = 20000, /* then we say who is not ready */
};

struct dev_options {
    const char *dir;
    const char *config;
    int port;
    int counts[DEV_STAGES];
    bool wants_demo;
};

struct dev {
    const struct dev_options *options;
    struct dev_dir dir;
    struct supervisor *supervisor;
    struct dev_user user;
    struct dev_pg *pg;
    const char *dsn;
    struct db_wait *db; /* the owner's; while we come up */
    struct dev_demo demo;
    struct dev_stages *stages;
    int listen_fd;
    int port;
};

/* Options ------------------------------------------------------------------------------------------------------------- */

static int read_number(const char *option, const char *text, int least, int most, int *value, struct error *err)
{
    char *end;
    long number;

    errno = 0;
    number = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number < least || number > most)
        return error_set(err, "--%s is a number from %d to %d", option, least, most);
    *value = (int)number;
    return 0;
}

static int read_options(int argc, char **argv, struct dev_options *options, struct error *err)
{
    enum { DIR_ = 256, PORT, CONFIG, NO_DEMO, COUNT }; /* COUNT + stage */
    static const struct option known[] = {
        {"dir", required_argument, NULL, DIR_},
        {"port", required_argument, NULL, PORT},
        {"config", required_argument, NULL, CONFIG},
        {"no-demo", no_argument, NULL, NO_DEMO},
        {"gateways", required_argument, NULL, COUNT + DEV_GATEWAY},
        {"validators", required_argument, NULL, COUNT + DEV_VALIDATOR},
        {"routers", required_argument, NULL, COUNT + DEV_ROUTER},
        {"dispatchers", required_argument, NULL, COUNT + DEV_DISPATCHER},
        {NULL, 0, NULL, 0},
    };
    int which, option;

    *options = (struct dev_options){.dir = ".leadline", .port = 8080, .counts = {1, 1, 1, 1}, .wants_demo = true};
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", known, &which)) != -1) {
        if (option >= COUNT) {
            if (read_number(known[which].name, optarg, 1, DEV_INSTANCES_MOST, &options->counts[option - COUNT], err) != 0)
                return -1;
            continue;
        }
        switch (option) {
        case DIR_: options->dir = optarg; break;
        case PORT:
            if (read_number("port", optarg, 0, 65535, &options->port, err) != 0)
                return -1;
            break;
        case CONFIG: options->config = optarg; break;
        case NO_DEMO: options->wants_demo = false; break;
        case ':': return error_set(err, "%s needs a value", argv[optind - 1]);
        default: return error_set(err, "unknown option %s", argv[optind - 1]);
        }
    }
    if (optind < argc)
        return error_set(err, "unknown argument %s", argv[optind]);
    if (options->dir[0] == '\0')
        return error_set(err, "--dir needs a value");
    if (options->config != NULL) {
        options->wants_demo = false;
        if (access(options->config, R_OK) != 0)
            return error_errno(err, "cannot read %s", options->config);
    }
    return 0;
}

/* Up ------------------------------------------------------------------------------------------------------------------ */

/* Runs ourselves with another command on our database. */
static int run_tool(struct dev *dev, const char *command, const char *file, struct error *err)
{
    struct child_options options = {
        .name = command,
        .args = {"/proc/self/exe", command, "--dsn", dev->dsn, file},
        .is_quiet = true,
        .death_signal = SIGTERM,
    };

    return child_run(dev->supervisor, &options, TOOL_MS, err);
}

static int start_postgres(struct dev *dev, struct error *err)
{
    int connections = CONNECTIONS_SPARE;

    for (int i = 0; i < DEV_STAGES; i++)
        connections += CONNECTIONS_EACH * dev->options->counts[i];
    if (connections < CONNECTIONS_LEAST)
        connections = CONNECTIONS_LEAST;

    if (dev_user_find(&dev->user, dev->dir.pg, err) != 0 || dev_user_reach(&dev->user, dev->dir.root, err) != 0 ||
        dev_dir_make_sockets(&dev->dir, &dev->user, err) != 0)
        return -1;
    dev->pg = dev_pg_open(dev->supervisor, &dev->dir, &dev->user, connections, err);
    if (dev->pg == NULL || dev_pg_start(dev->pg, START_MS, err) != 0)
        return -1;
    dev->dsn = arena_printf(dev->dir.arena, "host=%s user=leadline dbname=leadline%c", dev->dir.pg_sockets, '\0').ptr;
    return dev_dir_write(dev_dir_path(&dev->dir, dev->dir.run, "dsn"), arena_printf(dev->dir.arena, "%s\n", dev->dsn), err);
}

static int configure(struct dev *dev, struct error *err)
{
    dev->db = db_wait_open(dev->dsn, err);
    if (dev->db == NULL || run_tool(dev, "migrate", NULL, err) != 0 ||
        db_wait_do(dev->db, "UPDATE installation SET is_development = true", DB_NO_PARAMS, err) < 0)
        return -1;
    if (dev->options->config != NULL)
        return run_tool(dev, "apply", dev->options->config, err);
    if (!dev->options->wants_demo)
        return 0;
    if (dev_demo_open(&dev->demo, dev->supervisor, &dev->dir, dev->db, err) != 0)
        return -1;
    if (dev->demo.is_in_force &&
        (run_tool(dev, "apply", dev->demo.document_path, err) != 0 || dev_demo_applied(&dev->demo, dev->db, err) != 0))
        return -1;
    return dev_demo_start(&dev->demo, err);
}

static bool never(void *ctx)
{
    (void)ctx;
    return false;
}

/* Waits for all stages, however long it takes. Returns 0, or -1 when we were asked to stop. */
static int wait_until_ready(struct dev *dev, struct error *err)
{
    int64_t complain_ms = clock_mono_ms() + PATIENCE_MS;

    while (!dev_stages_are_ready(dev->stages, &dev->db, dev->dsn, err)) {
        if (clock_mono_ms() >= complain_ms) {
            log_event(LOG_WARN, "dev.not_ready", "why=%s logs=%s", LOG_Q(err->text), LOG_Q(dev->dir.log));
            complain_ms += PATIENCE_MS;
        }
        supervisor_wait(dev->supervisor, LOOK_MS, 0, never, NULL);
        if (supervisor_stops(dev->supervisor) > 0)
            return -1;
    }
    return 0;
}

static int bring_up(struct dev *dev, struct error *err)
{
    if (dev_dir_take_over(&dev->dir, dev->supervisor, err) != 0)
        return -1;
    dev->listen_fd = dev_listen(&dev->port, err);
    if (dev->listen_fd < 0 || start_postgres(dev, err) != 0 || configure(dev, err) != 0)
        return -1;
    dev->stages = dev_stages_start(dev->supervisor, &dev->dir, dev->options->counts, dev->listen_fd, err);
    if (dev->stages == NULL || wait_until_ready(dev, err) != 0)
        return -1;
    printf("ready http://127.0.0.1:%d\n", dev->port);
    fflush(stdout);
    if (dev->options->wants_demo)
        dev_demo_print(&dev->demo, dev->db, dev->port);
    db_wait_close(&dev->db);
    return 0;
}

/* Down, in reverse. */
static void take_down(struct dev *dev)
{
    int stops = supervisor_stops(dev->supervisor);

    db_wait_close(&dev->db);
    if (dev->stages != NULL)
        dev_stages_stop(dev->stages, stops);
    dev_stages_free(&dev->stages);
    if (dev->options->wants_demo) {
        dev_demo_stop(&dev->demo, stops);
        dev_demo_close(&dev->demo);
    }
    if (dev->pg != NULL)
        dev_pg_stop(dev->pg, STOP_MS, stops);
    dev_pg_free(&dev->pg);
    if (dev->listen_fd >= 0)
        close(dev->listen_fd);
}

int command_dev(int argc, char **argv)
{
    struct dev_options options;
    struct dev dev = {.options = &options, .listen_fd = -1, .demo = {.listen_fd = -1}};
    struct error err;
    int rc = EXIT_FAILED;

    if (read_options(argc, argv, &options, &err) != 0) {
        command_failed(argv[0], NULL, &err);
        return EXIT_USAGE;
    }
    log_set_origin("stage=dev ");
    dev.port = options.port;
    if (dev_dir_open(&dev.dir, options.dir, &err) != 0) {
        dev_dir_close(&dev.dir);
        return command_failed(argv[0], NULL, &err);
    }
    dev.supervisor = supervisor_new(dev.dir.run, dev.dir.root);
    if (bring_up(&dev, &err) == 0) {
        supervisor_run(dev.supervisor);
        rc = EXIT_OK;
    } else if (supervisor_stops(dev.supervisor) > 0) {
        rc = EXIT_OK;
    } else {
        command_failed(argv[0], NULL, &err);
    }
    take_down(&dev);
    supervisor_free(&dev.supervisor);
    dev_dir_close(&dev.dir);
    return rc;
}
