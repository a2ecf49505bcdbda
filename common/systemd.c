#include "common/systemd.h"

#include "common/clock.h"
#include "common/must.h"

#include <inttypes.h>
#include <systemd/sd-daemon.h>

void systemd_ready(const char *status)
{
    if (status != NULL)
        sd_notifyf(0, "READY=1\nSTATUS=%s", status);
    else
        sd_notify(0, "READY=1");
}

void systemd_reloading(void)
{
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_mono_ns() / 1000);
}

void systemd_stopping(void)
{
    sd_notify(0, "STOPPING=1");
}

void systemd_status(const char *status)
{
    if (status != NULL)
        sd_notifyf(0, "STATUS=%s", status);
}

int64_t systemd_watchdog_ms(void)
{
    uint64_t us;

    if (sd_watchdog_enabled(0, &us) <= 0)
        return 0;
    return us >= 2000 ? (int64_t)(us / 2000) : 1;
}

void systemd_feed(void)
{
    sd_notify(0, "WATCHDOG=1");
}

int systemd_socket_count(void)
{
    int count = sd_listen_fds(0);

    return count > 0 ? count : 0;
}

int systemd_socket(int index)
{
    must(index >= 0 && index < systemd_socket_count());
    return SD_LISTEN_FDS_START + index;
}
