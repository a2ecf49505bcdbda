#include "leadctl/dev_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HANDED_FD = 3 };

__attribute__((noreturn)) static void give_up(const char *what)
{
    dprintf(STDERR_FILENO, "level=error event=child.not_started what=%s why=\"%s\"\n", what, strerror(errno));
    _exit(127);
}

static void set_streams(const struct child_options *options)
{
    int in = -1, out = -1;

    if (options->input != NULL) {
        size_t len = strlen(options->input);

        in = memfd_create("input", MFD_CLOEXEC);
        if (in < 0 || write(in, options->input, len) != (ssize_t)len || lseek(in, 0, SEEK_SET) != 0)
            give_up("input");
    } else {
        in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    if (in < 0 || dup2(in, STDIN_FILENO) < 0)
        give_up("input");
    if (options->log_path != NULL) {
        out = open(options->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (out < 0) { /* no reason not to run: our own standard error takes it */
            dprintf(STDERR_FILENO, "level=warn event=child.no_log path=%s why=\"%s\"\n", options->log_path, strerror(errno));
            out = STDERR_FILENO;
        }
        if (dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0)
            give_up("output");
    } else if (options->is_quiet && dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
        give_up("output");
    }
}

/* Nothing of ours is open in it but the three streams and what is handed over. */
static void set_descriptors(int handed_fd)
{
    unsigned first = 3;

    if (handed_fd > 0) {
        if (handed_fd == HANDED_FD ? fcntl(HANDED_FD, F_SETFD, 0) < 0 : dup2(handed_fd, HANDED_FD) < 0)
            give_up("socket");
        first = HANDED_FD + 1;
    }
    close_range(first, ~0u, 0);
}

static void set_signals(void)
{
    sigset_t none;

    for (int i = 1; i < NSIG; i++)
        signal(i, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void set_environment(const struct child_options *options, const char *marker)
{
    static const char *const not_for_it[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID",
                                             "LISTEN_FDNAMES"};
    const char *const *variables = options->variables;
    char pid[24];

    for (size_t i = 0; i < sizeof not_for_it / sizeof *not_for_it; i++)
        unsetenv(not_for_it[i]);
    for (size_t i = 0; i + 1 < CHILD_VARIABLES_MOST && variables[i] != NULL; i += 2)
        setenv(variables[i], variables[i + 1], 1);
    setenv("LEADLINE_DEV_DIR", marker, 1);
    if (options->handed_fd > 0) {
        snprintf(pid, sizeof pid, "%d", (int)getpid());
        setenv("LISTEN_FDS", "1", 1);
        setenv("LISTEN_PID", pid, 1);
    }
}

void dev_exec(const struct child_options *options, const char *marker, pid_t parent)
{
    setpgid(0, 0);
    umask(077);
    set_streams(options);
    set_descriptors(options->handed_fd);
    set_environment(options, marker);
    if (options->folder != NULL && chdir(options->folder) != 0)
        give_up(options->folder);
    if (options->user != NULL && dev_user_become(options->user) != 0)
        give_up("user");
    if (prctl(PR_SET_PDEATHSIG, options->death_signal) != 0 || getppid() != parent) /* behind the change of user, which clears it */
        _exit(127);
    set_signals();
    execv(options->args[0], (char *const *)options->args);
    give_up(options->args[0]);
}
