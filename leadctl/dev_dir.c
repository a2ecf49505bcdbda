#include "leadctl/dev_dir.h"

#include "common/buf.h"
#include "common/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SOCKET_PATH_MOST = 107,
    SOCKET_NAME_MOST = 32, /* "/run/pg/.s.PGSQL.5432.lock", "/run/dispatcher-1000.sock" */
    TERM_WAIT_MS = 10000,
    KILL_WAIT_MS = 3000,
    LEFT_MOST = 512, /* processes of an earlier run */
};

const char *dev_dir_path(const struct dev_dir *dir, const char *folder, const char *name)
{
    return arena_printf(dir->arena, "%s/%s%c", folder, name, '\0').ptr;
}

/* Makes a folder with those above it. */
static int make_folders(const char *path, struct error *err)
{
    char part[PATH_MAX];

    if (strlen(path) >= sizeof part)
        return error_set(err, "the path %s is too long", path);
    for (size_t i = 1; path[i - 1] != '\0'; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0755) != 0 && errno != EEXIST)
            return error_errno(err, "cannot make %s", part);
    }
    return 0;
}

static int make_folder(const char *path, mode_t mode, struct error *err)
{
    if (mkdir(path, mode) != 0 && errno != EEXIST)
        return error_errno(err, "cannot make %s", path);
    return 0;
}

static int lock(struct dev_dir *dir, struct error *err)
{
    const char *path = dev_dir_path(dir, dir->run, "dev.lock");
    char pid[24] = "?";
    ssize_t len;

    dir->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (dir->lock_fd < 0)
        return error_errno(err, "cannot open %s", path);
    if (flock(dir->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
            return error_errno(err, "cannot lock %s", path);
        len = read(dir->lock_fd, pid, sizeof pid - 1);
        pid[len > 0 ? strcspn(pid, "\n") : 1] = '\0';
        return error_set(err, "%s is in use by another leadctl dev (process %s)", dir->root, pid);
    }
    if (ftruncate(dir->lock_fd, 0) != 0 || dprintf(dir->lock_fd, "%d\n", (int)getpid()) < 0)
        return error_errno(err, "cannot write %s", path);
    return 0;
}

int dev_dir_open(struct dev_dir *dir, const char *path, struct error *err)
{
    struct stat about;
    char *root;

    *dir = (struct dev_dir){.arena = arena_new(), .lock_fd = -1};
    if (make_folders(path, err) != 0)
        return -1;
    root = realpath(path, NULL);
    if (root == NULL)
        return error_errno(err, "cannot find %s", path);
    dir->root = arena_text(dir->arena, span_of(root));
    free(root);
    dir->run = dev_dir_path(dir, dir->root, "run");
    dir->log = dev_dir_path(dir, dir->root, "log");
    dir->pg = dev_dir_path(dir, dir->root, "pg");

    if (stat(dir->root, &about) == 0 && about.st_uid == geteuid())
        (void)!chmod(dir->root, (about.st_mode & 07777) | 0011); /* PostgreSQL's user passes through; see dev_user.h for folders above */
    if (make_folder(dir->run, 0711, err) != 0 || make_folder(dir->log, 0755, err) != 0)
        return -1;
    return lock(dir, err);
}

/* May paths in it be used as socket paths, also in a connection string (where a comma parts hosts)? */
static bool fits_sockets(const char *root)
{
    if (strlen(root) + SOCKET_NAME_MOST > SOCKET_PATH_MOST)
        return false;
    for (const char *c = root; *c != '\0'; c++)
        if (strchr("/._-+", *c) == NULL && !(*c >= '0' && *c <= '9') && !(*c >= 'a' && *c <= 'z') && !(*c >= 'A' && *c <= 'Z'))
            return false;
    return true;
}

/* A new folder with a short path that nobody can guess, remembered in run/short. */
static int make_short(struct dev_dir *dir, const struct dev_user *user, struct error *err)
{
    const char *base = getenv("XDG_RUNTIME_DIR");
    char path[64];

    if (base == NULL || base[0] != '/' || user->is_other || strlen(base) > 32 || access(base, W_OK) != 0 || !fits_sockets(base))
        base = "/tmp";
    snprintf(path, sizeof path, "%s/leadline-XXXXXX", base);
    if (mkdtemp(path) == NULL)
        return error_errno(err, "cannot make %s", path);
    if (user->is_other && chmod(path, 0711) != 0)
        return error_errno(err, "cannot open %s", path);
    dir->short_dir = arena_text(dir->arena, span_of(path));
    return dev_dir_write(dev_dir_path(dir, dir->run, "short"), span_of(path), err);
}

int dev_dir_make_sockets(struct dev_dir *dir, const struct dev_user *user, struct error *err)
{
    const char *old = dev_dir_read(dir, dev_dir_path(dir, dir->run, "short"));
    struct stat about;

    if (old != NULL) {
        if (strstr(old, "/leadline-") != NULL && lstat(old, &about) == 0 && S_ISDIR(about.st_mode) && about.st_uid == geteuid())
            dev_dir_remove(old);
        unlink(dev_dir_path(dir, dir->run, "short"));
    }
    dir->sockets = dir->run;
    if (!fits_sockets(dir->root)) {
        if (make_short(dir, user, err) != 0)
            return -1;
        dir->sockets = dir->short_dir;
    }
    dir->pg_sockets = dev_dir_path(dir, dir->sockets, "pg");
    dev_dir_remove(dir->pg_sockets);
    if (make_folder(dir->pg_sockets, 0700, err) != 0)
        return -1;
    if (user->is_other && chown(dir->pg_sockets, user->uid, user->gid) != 0)
        return error_errno(err, "cannot give %s to PostgreSQL's user", dir->pg_sockets);
    return 0;
}

void dev_dir_close(struct dev_dir *dir)
{
    if (dir->pg_sockets != NULL)
        dev_dir_remove(dir->pg_sockets);
    if (dir->short_dir != NULL) {
        dev_dir_remove(dir->short_dir);
        unlink(dev_dir_path(dir, dir->run, "short"));
    }
    if (dir->lock_fd >= 0)
        close(dir->lock_fd);
    arena_free(&dir->arena);
    *dir = (struct dev_dir){.lock_fd = -1};
}

int dev_dir_write(const char *path, struct span text, struct error *err)
{
    struct buf *draft = buf_new(128);
    int rc = -1;
    int fd;

    buf_printf(draft, "%s.new", path);
    unlink(buf_text(draft));
    fd = open(buf_text(draft), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        error_errno(err, "cannot make %s", buf_text(draft));
    } else {
        if (write(fd, text.ptr, text.len) != (ssize_t)text.len)
            error_errno(err, "cannot write %s", buf_text(draft));
        else if (rename(buf_text(draft), path) != 0)
            error_errno(err, "cannot rename %s", buf_text(draft));
        else
            rc = 0;
        close(fd);
    }
    buf_free(&draft);
    return rc;
}

const char *dev_dir_read(const struct dev_dir *dir, const char *path)
{
    char text[4096];
    ssize_t len;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return NULL;
    len = read(fd, text, sizeof text);
    close(fd);
    return len < 0 ? NULL : arena_text(dir->arena, span_trim((struct span){text, (size_t)len}));
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *place)
{
    (void)about;
    (void)kind;
    (void)place;
    remove(path);
    return 0;
}

void dev_dir_remove(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* What an earlier run left ------------------------------------------------------------------------------------------ */

struct left {
    const char *marker;
    pid_t pids[LEFT_MOST];
    size_t count;
};

/* Is the process alive and was it started for this folder? Its environment says so (child_options, marker). */
static bool is_ours(pid_t pid, const char *marker)
{
    struct buf *text = buf_new(4096);
    bool found = false;
    char path[64];
    ssize_t len;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        while ((len = read(fd, buf_reserve(text, 4096), 4096)) > 0)
            text->len += (size_t)len;
        close(fd);
    }
    for (const char *at = text->data; at < text->data + text->len; at += strnlen(at, (size_t)(text->data + text->len - at)) + 1)
        found = found || (strncmp(at, "LEADLINE_DEV_DIR=", 17) == 0 && strcmp(at + 17, marker) == 0);
    buf_free(&text);
    return found;
}

/* Collects the living of the pid files, removes the files of the dead. */
static void find_left(struct dev_dir *dir, struct left *left)
{
    DIR *folder = opendir(dir->run);
    struct dirent *entry;

    left->count = 0;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        size_t len = strlen(entry->d_name);
        const char *path, *text;
        pid_t pid;

        if (len < 5 || strcmp(entry->d_name + len - 4, ".pid") != 0 || strncmp(entry->d_name, "postgres", 8) == 0)
            continue;
        path = dev_dir_path(dir, dir->run, entry->d_name);
        text = dev_dir_read(dir, path);
        pid = text != NULL ? atoi(text) : 0;
        if (pid > 1 && is_ours(pid, dir->root) && left->count < LEFT_MOST)
            left->pids[left->count++] = pid;
        else
            unlink(path);
    }
    if (folder != NULL)
        closedir(folder);
}

static bool are_gone(void *ctx)
{
    struct left *left = ctx;

    for (size_t i = 0; i < left->count; i++)
        if (is_ours(left->pids[i], left->marker))
            return false;
    return true;
}

int dev_dir_take_over(struct dev_dir *dir, struct supervisor *supervisor, struct error *err)
{
    struct left left = {.marker = dir->root};

    find_left(dir, &left);
    if (left.count == 0)
        return 0;
    log_event(LOG_WARN, "dev.take_over", "processes=%zu", left.count);
    for (size_t i = 0; i < left.count; i++)
        kill(left.pids[i], SIGTERM);
    if (!supervisor_wait(supervisor, TERM_WAIT_MS, 0, are_gone, &left)) {
        for (size_t i = 0; i < left.count; i++)
            if (is_ours(left.pids[i], dir->root))
                kill(left.pids[i], SIGKILL);
        if (!supervisor_wait(supervisor, KILL_WAIT_MS, 0, are_gone, &left))
            return error_set(err, "processes of an earlier leadctl dev on %s do not end", dir->root);
    }
    find_left(dir, &left);
    return 0;
}
