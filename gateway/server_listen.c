#include "gateway/server_conn.h"

#include "common/log.h"
#include "common/systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ACCEPTS_A_ROUND = 4, LISTEN_AGAIN_MS = 100, STUCK_MS = 20000 };

/* Takes a few at a time, so that gateways that share the socket share the clients. */
static void on_connection(h2o_socket_t *listener, const char *err)
{
    struct server *server = listener->data;

    if (err != NULL)
        return;
    for (int i = 0; i < ACCEPTS_A_ROUND; i++) {
        struct sockaddr_storage peer;
        socklen_t len = sizeof peer;
        int fd = accept4(h2o_socket_get_fd(listener), (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            conn_begin(server, fd, (struct sockaddr *)&peer);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            log_event(LOG_WARN, "server.accept", "why=%s", LOG_Q(strerror(errno)));
            for (int n = 0; n < server->listener_count; n++)
                h2o_socket_read_stop(server->listeners[n]);
            loop_timer_set(server->listen_again, LISTEN_AGAIN_MS, 0);
        }
        return;
    }
}

void server_listen_begin(struct server *server)
{
    for (int i = 0; i < server->listener_count; i++)
        h2o_socket_read_start(server->listeners[i], on_connection);
}

static void on_listen_again(void *ctx)
{
    server_listen_begin(ctx);
}

static int add_listener(struct server *server, int fd, struct error *err)
{
    int stuck_ms = STUCK_MS; /* connections inherit it: a client that reads nothing is given up */
    h2o_socket_t *listener;

    if (server->listener_count == LISTENERS_MOST) {
        close(fd);
        return error_set(err, "more than %d sockets to listen at", LISTENERS_MOST);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &stuck_ms, sizeof stuck_ms); /* fails for a unix socket, which needs none */
    listener = h2o_evloop_socket_create(server->context.loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    listener->data = server;
    server->listeners[server->listener_count++] = listener;
    return 0;
}

/* "127.0.0.1:8080", "[::1]:8080", ":8080" for all addresses. To be freed; NULL with *err. */
static struct addrinfo *read_address(const char *listen_at, struct error *err)
{
    const char *colon = strrchr(listen_at, ':');
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    size_t len = colon != NULL ? (size_t)(colon - listen_at) : 0;
    char host[64];

    if (colon == NULL || len >= sizeof host)
        return error_set(err, "listen must be ADDRESS:PORT"), NULL;
    if (len >= 2 && listen_at[0] == '[' && listen_at[len - 1] == ']')
        snprintf(host, sizeof host, "%.*s", (int)len - 2, listen_at + 1);
    else
        snprintf(host, sizeof host, "%.*s", (int)len, listen_at);
    if (getaddrinfo(len > 0 ? host : "::", colon + 1, &hints, &found) != 0)
        return error_set(err, "listen must be ADDRESS:PORT, with numbers: %s", listen_at), NULL;
    return found;
}

int server_listen_check(const struct server_options *options, struct error *err)
{
    struct addrinfo *found = read_address(options->listen, err);

    if (found == NULL)
        return -1;
    freeaddrinfo(found);
    return 0;
}

static int bind_address(const char *listen_at, struct error *err)
{
    struct addrinfo *found = read_address(listen_at, err);
    int on = 1, fd;

    if (found == NULL)
        return -1;
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0) {
        error_errno(err, "cannot listen at %s", listen_at);
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

int server_listen(struct server *server, const struct server_options *options, struct error *err)
{
    int passed = systemd_socket_count();
    int fd;

    server->listen_again = loop_timer_new(stage_loop(server->gateway->stage), on_listen_again, server);
    for (int i = 0; i < passed; i++)
        if (add_listener(server, systemd_socket(i), err) != 0)
            return -1;
    if (passed == 0) {
        fd = bind_address(options->listen, err);
        if (fd < 0 || add_listener(server, fd, err) != 0)
            return -1;
    }
    log_event(LOG_INFO, "server.listen", "sockets=%d passed=%d at=%s", server->listener_count, passed,
              passed > 0 ? "passed" : options->listen);
    return 0;
}

void server_listen_stop(struct server *server)
{
    loop_timer_free(&server->listen_again);
    while (server->listener_count > 0)
        h2o_socket_close(server->listeners[--server->listener_count]);
}
