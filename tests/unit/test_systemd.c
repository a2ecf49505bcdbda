/* test_systemd.c - common/systemd.c: what the manager is told, and that all is harmless without one. */
#include "common/systemd.h"

#include "common/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/test_systemd_XXXXXX";
static char path[64];
static int manager;

static int begin(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)state;
    must(mkdtemp(dir) != NULL);
    snprintf(path, sizeof path, "%s/notify", dir);
    strcpy(address.sun_path, path);
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    must(manager >= 0 && bind(manager, (struct sockaddr *)&address, sizeof address) == 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    close(manager);
    unlink(path);
    return rmdir(dir);
}

static void clear(void)
{
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_PID");
}

/* The next message to the manager; "" when there is none. */
static const char *heard(void)
{
    static char text[500];
    ssize_t len = recv(manager, text, sizeof text - 1, 0);

    text[len > 0 ? len : 0] = '\0';
    return text;
}

static void without_systemd(void **state)
{
    (void)state;
    clear();
    systemd_ready("serving");
    systemd_ready(NULL);
    systemd_reloading();
    systemd_status("x");
    systemd_feed();
    systemd_stopping();
    assert_int_equal(systemd_watchdog_ms(), 0);
    assert_int_equal(systemd_socket_count(), 0);
    assert_string_equal(heard(), "");
}

static void what_the_manager_hears(void **state)
{
    (void)state;
    clear();
    setenv("NOTIFY_SOCKET", path, 1);
    systemd_ready("serving");
    assert_string_equal(heard(), "READY=1\nSTATUS=serving");
    systemd_ready(NULL);
    assert_string_equal(heard(), "READY=1");
    systemd_reloading();
    assert_int_equal(strncmp(heard(), "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
    systemd_status("3 neighbours");
    assert_string_equal(heard(), "STATUS=3 neighbours");
    systemd_status(NULL);
    assert_string_equal(heard(), "");
    systemd_feed();
    assert_string_equal(heard(), "WATCHDOG=1");
    systemd_stopping();
    assert_string_equal(heard(), "STOPPING=1");
    clear();
}

static void the_watchdog(void **state)
{
    char pid[24];

    (void)state;
    clear();
    setenv("WATCHDOG_USEC", "20000000", 1);
    assert_int_equal(systemd_watchdog_ms(), 10000);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(systemd_watchdog_ms(), 10000);
    setenv("WATCHDOG_PID", "1", 1); /* another process's */
    assert_int_equal(systemd_watchdog_ms(), 0);
    unsetenv("WATCHDOG_PID");
    setenv("WATCHDOG_USEC", "100", 1);
    assert_int_equal(systemd_watchdog_ms(), 1);
    setenv("WATCHDOG_USEC", "soon", 1);
    assert_int_equal(systemd_watchdog_ms(), 0);
    clear();
}

static void passed_sockets(void **state)
{
    char pid[24];
    int saved = dup(3);

    (void)state;
    clear();
    must(dup2(manager, 3) == 3);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "1", 1);
    assert_int_equal(systemd_socket_count(), 1);
    assert_int_equal(systemd_socket_count(), 1); /* asked again */
    assert_int_equal(systemd_socket(0), 3);
    setenv("LISTEN_PID", "1", 1); /* meant for another process */
    assert_int_equal(systemd_socket_count(), 0);
    if (saved >= 0)
        dup2(saved, 3);
    else
        close(3);
    clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_systemd), cmocka_unit_test(what_the_manager_hears), cmocka_unit_test(the_watchdog),
            cmocka_unit_test(passed_sockets),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
