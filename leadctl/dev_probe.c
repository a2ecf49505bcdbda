#include "leadctl/dev_probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static const struct span HTTP = {"http://", 7}, UNIX = {"unix:", 5};
static const char REQUEST[] = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/* A connected socket, or -1. */
static int connect_to(struct span admin)
{
    union {
        struct sockaddr any;
        struct sockaddr_in ip;
        struct sockaddr_un path;
    } address = {0};
    struct timeval limit = {.tv_usec = PROBE_MS * 1000};
    char host[64];
    unsigned a, b, c, d, port;
    socklen_t len;
    int fd;

    if (span_starts(admin, UNIX) && admin.len - UNIX.len < sizeof address.path.sun_path) {
        address.path.sun_family = AF_UNIX;
        memcpy(address.path.sun_path, admin.ptr + UNIX.len, admin.len - UNIX.len);
        len = sizeof address.path;
    } else if (span_starts(admin, HTTP) && admin.len < sizeof host) {
        snprintf(host, sizeof host, "%.*s", (int)(admin.len - HTTP.len), admin.ptr + HTTP.len);
        if (sscanf(host, "%3u.%3u.%3u.%3u:%5u", &a, &b, &c, &d, &port) != 5 || a > 255 || b > 255 || c > 255 || d > 255 || port > 65535)
            return -1;
        address.ip.sin_family = AF_INET;
        address.ip.sin_addr.s_addr = htonl(a << 24 | b << 16 | c << 8 | d);
        address.ip.sin_port = htons((uint16_t)port);
        len = sizeof address.ip;
    } else {
        return -1;
    }
    fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
                    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0 || connect(fd, &address.any, len) != 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

bool dev_probe(struct span admin)
{
    int fd = connect_to(admin);
    char head[16] = "";
    size_t got = 0;
    ssize_t len = 1;

    if (fd < 0)
        return false;
    if (send(fd, REQUEST, sizeof REQUEST - 1, MSG_NOSIGNAL) == (ssize_t)sizeof REQUEST - 1)
        while (got < 12 && len > 0) {
            len = recv(fd, head + got, 12 - got, 0);
            got += len > 0 ? (size_t)len : 0;
        }
    close(fd);
    return strcmp(head, "HTTP/1.1 200") == 0 || strcmp(head, "HTTP/1.0 200") == 0;
}
