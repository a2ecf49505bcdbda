/*
 * systemd.h - what systemd is told and what it hands over (sd-daemon). Harmless where there is no systemd.
 */
#ifndef LEADLINE_COMMON_SYSTEMD_H
#define LEADLINE_COMMON_SYSTEMD_H

#include <stdint.h>

/* State of a Type=notify unit. status is one line for `systemctl status`, without personal data; NULL: unchanged. */
void systemd_ready(const char *status); /* also ends a reload */
void systemd_reloading(void);
void systemd_stopping(void);
void systemd_status(const char *status);

/* How often systemd_feed() should be called: half of what the unit's WatchdogSec allows. 0 when no watchdog waits. */
int64_t systemd_watchdog_ms(void);

/* Alive. */
void systemd_feed(void);

/* Listening sockets that were passed (socket activation; leadctl dev does the same). The environment stays as it is. */
int systemd_socket_count(void);

/* The descriptor of the socket, from 0; the caller's from now on, close-on-exec. index is below the count. */
int systemd_socket(int index);

#endif
