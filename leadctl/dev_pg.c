#include "leadctl/dev_pg.h"

#include "common/buf.h"
#include "common/log.h"
#include "common/map.h"
#include "common/must.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    OLDEST_VERSION = 15,
    INITDB_MS = 120000,
    RESTART_DELAY_MOST_MS = 1000,
    LOOK_MS = 500,
    TRIES = 10, /* to start; then somebody has to look */
    END_MS = 5000,
    BUFFERS_LEAST_MB = 16,
};

struct dev_pg {
    struct supervisor *supervisor;
    const struct dev_dir *dir;
    const struct dev_user *user;
    const char *bin;       /* folder of its programs */
    char cluster_name[40]; /* stands in the title of each of its processes */
    struct child *child;
    struct loop_timer *look; /* is it asked to stop by somebody else? */
};

static const char HBA[] = "# written by leadctl dev at each start: whoever can enter the socket's folder is trusted\n"
                          "local all all trust\n";

static const char SETTINGS[] =
    "# written by leadctl dev at each start; what is in local.conf beside it wins\n"
    "listen_addresses = ''\n"
    "unix_socket_directories = '%s'\n"
    "cluster_name = '%s'\n"
    "max_connections = %d\n"
    "shared_buffers = %ldMB\n"
    "max_wal_size = 8GB\n"
    "checkpoint_timeout = 15min\n"
    "wal_compression = lz4\n"
    "synchronous_commit = on\n"
    "fsync = on\n"
    "jit = off\n"
    "max_parallel_workers_per_gather = 0\n"
    "max_parallel_maintenance_workers = 0\n"
    "timezone = 'UTC'\n"
    "log_timezone = 'UTC'\n"
    "datestyle = 'iso, ymd'\n"
    "lc_messages = 'C'\n"
    "log_destination = stderr\n"
    "logging_collector = off\n"
    "log_line_prefix = '%%m [%%p] %%a '\n"
    "# Personal data is in the tables only: no statements, parameters or row contents in the log.\n"
    "log_error_verbosity = terse\n"
    "log_min_error_statement = panic\n"
    "log_parameter_max_length = 0\n"
    "log_parameter_max_length_on_error = 0\n"
    "include_if_exists = 'local.conf'\n";

/* Its programs ------------------------------------------------------------------------------------------------------- */

/* The folder of the data's version, or of the newest that we know to work; in the dir's arena, NULL with *err. */
static const char *find_programs(const struct dev_dir *dir, struct error *err)
{
    const char *written = dev_dir_read(dir, dev_dir_path(dir, dir->pg, "PG_VERSION"));
    const char *found = NULL, *told = getenv("LEADLINE_PG_BIN");
    long best = 0;
    glob_t list;

    if (told != NULL && told[0] != '\0')
        return told;
    if (glob("/usr/lib/postgresql/*/bin/postgres", 0, NULL, &list) == 0) {
        for (size_t i = 0; i < list.gl_pathc; i++) {
            long version = strtol(list.gl_pathv[i] + strlen("/usr/lib/postgresql/"), NULL, 10);

            if (written != NULL ? version != atol(written) : version < OLDEST_VERSION || (best > 0 && version > best))
                continue;
            best = version;
            found = arena_text(dir->arena, (struct span){list.gl_pathv[i], strlen(list.gl_pathv[i]) - strlen("/postgres")});
        }
        globfree(&list);
    }
    if (found == NULL)
        error_set(err, "PostgreSQL %s is not in /usr/lib/postgresql: `make deps` installs it, LEADLINE_PG_BIN names another folder",
                  written != NULL ? written : "15");
    return found;
}

static const char *program(const struct dev_pg *pg, const char *name)
{
    return dev_dir_path(pg->dir, pg->bin, name);
}

/* What is left of an earlier one ------------------------------------------------------------------------------------- */

/* Is this process one of this PostgreSQL's? Its command line says so, which everybody may read. */
static bool is_of_cluster(const struct dev_pg *pg, const char *pid)
{
    char path[64], line[8192], title[64];
    const char *name, *option;
    ssize_t len;
    int fd;

    snprintf(path, sizeof path, "/proc/%.16s/cmdline", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    len = read(fd, line, sizeof line - 1);
    close(fd);
    if (len <= 0)
        return false;
    line[len] = '\0';

    snprintf(title, sizeof title, "postgres: %s: ", pg->cluster_name);
    if (strncmp(line, title, strlen(title)) == 0)
        return true;
    name = strrchr(line, '/');
    option = line + strlen(line) + 1;
    return name != NULL && strcmp(name, "/postgres") == 0 && option < line + len && strcmp(option, "-D") == 0 &&
           strcmp(option + strlen(option) + 1, pg->dir->pg) == 0;
}

/* Sends the signal to all processes of this PostgreSQL. Returns how many there are. */
static int signal_all(const struct dev_pg *pg, int number)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    int count = 0;

    while (proc != NULL && (entry = readdir(proc)) != NULL)
        if (isdigit((unsigned char)entry->d_name[0]) && is_of_cluster(pg, entry->d_name)) {
            count++;
            if (number != 0)
                kill(atoi(entry->d_name), number);
        }
    if (proc != NULL)
        closedir(proc);
    return count;
}

static bool none_left(void *ctx)
{
    return signal_all(ctx, 0) == 0;
}

/* A server that outlived its `leadctl dev` is stopped like ours: fast, then at once, then by force. */
static int end_earlier(struct dev_pg *pg, struct error *err)
{
    static const int signals[] = {SIGINT, SIGQUIT, SIGKILL};

    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        if (signal_all(pg, signals[i]) == 0)
            return 0;
        if (i == 0)
            log_event(LOG_WARN, "postgres.take_over", "dir=%s", LOG_Q(pg->dir->pg));
        if (supervisor_wait(pg->supervisor, END_MS, 0, none_left, pg))
            return 0;
        if (supervisor_stops(pg->supervisor) > 0)
            return error_set(err, "asked to stop");
    }
    return error_set(err, "an earlier PostgreSQL in %s does not end", pg->dir->pg);
}

/* After a killed postmaster its backends may linger, and keep a new one from starting. They end by themselves; a stuck one does not. */
static void end_orphans(void *ctx)
{
    signal_all(ctx, SIGKILL);
}

/* Its data ------------------------------------------------------------------------------------------------------------ */

static int run_program(struct dev_pg *pg, struct child_options *options, struct error *err)
{
    struct error why;

    options->log_path = dev_dir_path(pg->dir, pg->dir->log, "initdb.log");
    options->folder = "/";
    options->user = pg->user;
    options->death_signal = SIGKILL;
    if (child_run(pg->supervisor, options, INITDB_MS, &why) == 0)
        return 0;
    return error_set(err, "PostgreSQL's data cannot be made: %s, see %s", why.text, options->log_path);
}

/* Makes the data beside and moves it to its place when it is whole, so that half-made data is never used. */
static int make_data(struct dev_pg *pg, struct error *err)
{
    const char *draft = dev_dir_path(pg->dir, pg->dir->root, "pg.new");
    struct child_options initdb = {
        .name = "initdb",
        .args = {program(pg, "initdb"), "-D", draft, "-U", "leadline", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
                 "--no-instructions"},
    };
    struct child_options create = {
        .name = "createdb",
        .args = {program(pg, "postgres"), "--single", "-D", draft, "postgres"},
        .input = "CREATE DATABASE leadline\n",
    };

    dev_dir_remove(draft);
    if (mkdir(draft, 0700) != 0)
        return error_errno(err, "cannot make %s", draft);
    if (pg->user->is_other && chown(draft, pg->user->uid, pg->user->gid) != 0)
        return error_errno(err, "cannot give %s to PostgreSQL's user", draft);
    if (run_program(pg, &initdb, err) != 0 || run_program(pg, &create, err) != 0)
        return -1;
    if (rename(draft, pg->dir->pg) != 0)
        return error_errno(err, "cannot rename %s", draft);
    return 0;
}

/* A quarter of the memory that there is for us. */
static long buffers_mb(void)
{
    long mb = (long)((int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) >> 20);
    FILE *file = fopen("/sys/fs/cgroup/memory.max", "re");
    long long limit;

    if (file != NULL) {
        if (fscanf(file, "%lld", &limit) == 1 && limit >> 20 < mb)
            mb = (long)(limit >> 20);
        fclose(file);
    }
    return mb / 4 < BUFFERS_LEAST_MB ? BUFFERS_LEAST_MB : mb / 4;
}

static int write_for_user(struct dev_pg *pg, const char *name, struct span text, struct error *err)
{
    const char *path = dev_dir_path(pg->dir, pg->dir->pg, name);

    if (dev_dir_write(path, text, err) != 0)
        return -1;
    if (pg->user->is_other && chown(path, pg->user->uid, pg->user->gid) != 0)
        return error_errno(err, "cannot give %s to PostgreSQL's user", path);
    return 0;
}

static int write_settings(struct dev_pg *pg, int connections, struct error *err)
{
    struct buf *text = buf_new(2048);
    int rc;

    buf_printf(text, SETTINGS, pg->dir->pg_sockets, pg->cluster_name, connections, buffers_mb());
    rc = write_for_user(pg, "postgresql.conf", buf_span(text), err);
    buf_free(&text);
    if (rc == 0)
        rc = write_for_user(pg, "pg_hba.conf", span_of(HBA), err);
    return rc;
}

struct dev_pg *dev_pg_open(struct supervisor *supervisor, const struct dev_dir *dir, const struct dev_user *user, int connections,
                           struct error *err)
{
    struct dev_pg *pg = must_zalloc(sizeof *pg);
    struct stat about;

    pg->supervisor = supervisor;
    pg->dir = dir;
    pg->user = user;
    snprintf(pg->cluster_name, sizeof pg->cluster_name, "leadline-dev-%016llx",
             (unsigned long long)map_hash(span_of(dir->root), 0));
    pg->bin = find_programs(dir, err);
    if (pg->bin == NULL || end_earlier(pg, err) != 0 || ((rmdir(dir->pg) == 0 || stat(dir->pg, &about) != 0) && make_data(pg, err) != 0) ||
        write_settings(pg, connections, err) != 0)
        dev_pg_free(&pg);
    return pg;
}

void dev_pg_free(struct dev_pg **pg)
{
    if (*pg != NULL)
        loop_timer_free(&(*pg)->look);
    free(*pg);
    *pg = NULL;
}

/* Running it ---------------------------------------------------------------------------------------------------------- */

/* Does the file that PostgreSQL keeps for pg_ctl say this word of our process? */
static bool says(const struct dev_pg *pg, const char *word)
{
    char path[PATH_MAX], line[PATH_MAX];
    bool is_ours = false, is_said = false;
    FILE *file;

    snprintf(path, sizeof path, "%s/postmaster.pid", pg->dir->pg);
    file = fopen(path, "re");
    if (file == NULL)
        return false;
    for (int i = 1; fgets(line, sizeof line, file) != NULL; i++) {
        if (i == 1)
            is_ours = child_pid(pg->child) > 0 && atoi(line) == child_pid(pg->child);
        if (i == 8)
            is_said = strncmp(line, word, strlen(word)) == 0;
    }
    fclose(file);
    return is_ours && is_said;
}

static bool is_ready_or_hopeless(void *ctx)
{
    const struct dev_pg *pg = ctx;

    return says(pg, "ready") || child_failures(pg->child) >= TRIES;
}

/*
 * Somebody sent it TERM: it would take no new connection, and wait for the last of ours to end, which never does. It is made
 * to end now, and then started again.
 */
static void on_look(void *ctx)
{
    struct dev_pg *pg = ctx;

    if (!says(pg, "stopping"))
        return;
    log_event(LOG_WARN, "postgres.stopping", "pid=%d", (int)child_pid(pg->child));
    kill(child_pid(pg->child), SIGINT);
}

int dev_pg_start(struct dev_pg *pg, int64_t timeout_ms, struct error *err)
{
    struct child_options options = {
        .name = "postgres-1",
        .args = {program(pg, "postgres"), "-D", pg->dir->pg},
        .log_path = dev_dir_path(pg->dir, pg->dir->log, "postgres.log"),
        .folder = "/",
        .user = pg->user,
        .death_signal = SIGINT,
        .is_kept = true,
        .delay_most_ms = RESTART_DELAY_MOST_MS,
        .before_start = end_orphans,
        .ctx = pg,
    };

    pg->child = child_start(pg->supervisor, &options);
    pg->look = loop_timer_new(supervisor_loop(pg->supervisor), on_look, pg);
    loop_timer_set(pg->look, LOOK_MS, LOOK_MS);
    if (supervisor_wait(pg->supervisor, timeout_ms, 0, is_ready_or_hopeless, pg) && says(pg, "ready"))
        return 0;
    if (supervisor_stops(pg->supervisor) > 0)
        return error_set(err, "asked to stop");
    return error_set(err, "PostgreSQL does not start: see %s", options.log_path);
}

static bool is_over(void *ctx)
{
    return child_is_over(((struct dev_pg *)ctx)->child);
}

void dev_pg_stop(struct dev_pg *pg, int64_t timeout_ms, int stops)
{
    if (pg->child == NULL)
        return;
    loop_timer_stop(pg->look);
    child_stop(pg->child, SIGINT);
    if (!supervisor_wait(pg->supervisor, timeout_ms, stops, is_over, pg)) {
        log_event(LOG_WARN, "postgres.slow_stop", "after_ms=%lld", (long long)timeout_ms);
        child_stop(pg->child, SIGQUIT);
        if (!supervisor_wait(pg->supervisor, END_MS, INT_MAX, is_over, pg)) {
            child_stop(pg->child, SIGKILL);
            supervisor_wait(pg->supervisor, END_MS, INT_MAX, is_over, pg);
            end_orphans(pg);
        }
    }
    pg->child = NULL;
}
