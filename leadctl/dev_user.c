#include "leadctl/dev_user.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int dev_user_find(struct dev_user *user, const char *data_dir, struct error *err)
{
    const struct passwd *entry;
    struct stat about;

    *user = (struct dev_user){.uid = geteuid(), .gid = getegid(), .is_other = false, .capability = -1};
    if (user->uid != 0)
        return 0;
    user->is_other = true;
    if (stat(data_dir, &about) == 0 && about.st_uid != 0) {
        user->uid = about.st_uid;
        user->gid = about.st_gid;
        return 0;
    }
    entry = getpwnam("postgres");
    if (entry == NULL)
        entry = getpwnam("nobody");
    if (entry == NULL || entry->pw_uid == 0)
        return error_set(err, "PostgreSQL must not run as root, and there is neither a user postgres nor nobody");
    user->uid = entry->pw_uid;
    user->gid = entry->pw_gid;
    return 0;
}

/* Keeps exactly this capability, over the coming exec too. */
static int keep_capability(int capability)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
    unsigned mask = 1u << (capability % 32);

    data[capability / 32] = (struct __user_cap_data_struct){.effective = mask, .permitted = mask, .inheritable = mask};
    if (syscall(SYS_capset, &header, data) != 0)
        return -1;
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0);
}

int dev_user_become(const struct dev_user *user)
{
    if (!user->is_other)
        return 0;
    if (user->capability >= 0 && prctl(PR_SET_KEEPCAPS, 1) != 0)
        return -1;
    if (setgroups(0, NULL) != 0 || setresgid(user->gid, user->gid, user->gid) != 0 ||
        setresuid(user->uid, user->uid, user->uid) != 0)
        return -1;
    return user->capability >= 0 ? keep_capability(user->capability) : 0;
}

/* Can a process of this user pass through the folder? Asked by trying. */
static bool can_reach(const struct dev_user *user, const char *folder)
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(dev_user_become(user) == 0 && faccessat(AT_FDCWD, folder, X_OK, AT_EACCESS) == 0 ? 0 : 1);
    while (pid > 0 && waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int dev_user_reach(struct dev_user *user, const char *folder, struct error *err)
{
    static const int capabilities[] = {-1, CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE};

    if (!user->is_other)
        return 0;
    for (size_t i = 0; i < sizeof capabilities / sizeof *capabilities; i++) {
        user->capability = capabilities[i];
        if (can_reach(user, folder))
            return 0;
    }
    return error_set(err, "user %d, who PostgreSQL runs as, cannot get into %s: choose another --dir", (int)user->uid, folder);
}
