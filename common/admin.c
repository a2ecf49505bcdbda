#include "common/admin.h"

#include "common/buf.h"
#include "common/metrics.h"
#include "common/must.h"
#include "common/span.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { CONNECTIONS = 16, TIMEOUT_S = 5, CONNECTION_BYTES = 16384, BACKLOG = 32, RUNS = 3 };

struct admin {
    struct MHD_Daemon *daemon;
    struct loop_io *io;
    struct loop_timer *timer;
    struct admin_options options;
    char url[128];
    const char *path; /* the socket file within url; NULL for TCP */
};

/* Answers ----------------------------------------------------------------------------------------------------------- */

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type, struct span body)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(body.len, (void *)body.ptr, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result rc;

    if (response == NULL)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    rc = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return rc;
}

static enum MHD_Result answer_line(struct MHD_Connection *connection, unsigned status, const char *line)
{
    char text[256];
    int len = snprintf(text, sizeof text, "%.250s\n", line);

    return answer(connection, status, "text/plain; charset=utf-8", (struct span){text, (size_t)len});
}

static enum MHD_Result answer_metrics(struct admin *self, struct MHD_Connection *connection)
{
    struct buf *text = buf_new(16384);
    enum MHD_Result rc;

    if (self->options.before_metrics != NULL)
        self->options.before_metrics(self->options.ctx);
    metrics_print(text);
    rc = answer(connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", buf_span(text));
    buf_free(&text);
    return rc;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_bytes, void **seen)
{
    struct admin *self = ctx;
    const char *why;

    (void)version;
    (void)upload;
    if (*seen == NULL) { /* called with the headers first: answer when the request is whole, so that the connection lives on */
        *seen = self;
        return MHD_YES;
    }
    if (*upload_bytes > 0) {
        *upload_bytes = 0;
        return MHD_YES;
    }
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return answer_line(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD");
    if (strcmp(url, "/metrics") == 0)
        return answer_metrics(self, connection);
    if (strcmp(url, "/healthz") == 0)
        return answer_line(connection, MHD_HTTP_OK, "ok");
    if (strcmp(url, "/readyz") != 0)
        return answer_line(connection, MHD_HTTP_NOT_FOUND, "there are /metrics, /healthz and /readyz");
    why = self->options.why_unready(self->options.ctx);
    return why == NULL ? answer_line(connection, MHD_HTTP_OK, "ready")
                       : answer_line(connection, MHD_HTTP_SERVICE_UNAVAILABLE, why);
}

/* Driving ----------------------------------------------------------------------------------------------------------- */

static void run(struct admin *self)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;

    /* At its limit it stops to listen: one run ends who is silent for too long, the next forgets them, the one after that listens again. */
    for (int i = 0; i < RUNS; i++)
        MHD_run(self->daemon);
    if (MHD_get_timeout(self->daemon, &wait_ms) == MHD_YES)
        loop_timer_set(self->timer, (int64_t)wait_ms, 0);
    else
        loop_timer_stop(self->timer);
}

static void on_ready(void *ctx, unsigned events)
{
    (void)events;
    run(ctx);
}

static void on_timer(void *ctx)
{
    run(ctx);
}

/* Places ------------------------------------------------------------------------------------------------------------ */

/* Where a text says to listen. */
struct place {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un path;
    } address;
    socklen_t len;
    int host_len; /* of the text's ADDRESS; 0 for a socket file */
};

static int read_path(struct place *place, const char *text, struct error *err)
{
    const char *path = text + strlen("unix:");

    if (*path != '/' || strlen(path) >= sizeof place->address.path.sun_path)
        return error_set(err, "admin: %s is not an absolute path of at most %zu bytes", text, sizeof place->address.path.sun_path - 1);
    place->address.path.sun_family = AF_UNIX;
    strcpy(place->address.path.sun_path, path);
    place->len = sizeof place->address.path;
    return 0;
}

static int read_address(struct place *place, const char *text, struct error *err)
{
    const char *colon = strrchr(text, ':');
    char host[64];
    char *end;
    unsigned long port;
    bool is_v6 = text[0] == '[';
    size_t host_len = colon != NULL ? (size_t)(colon - text) : 0;

    if (host_len == 0 || host_len >= sizeof host || colon[1] < '0' || colon[1] > '9' ||
        (port = strtoul(colon + 1, &end, 10)) > 65535 || *end != '\0' || (is_v6 && text[host_len - 1] != ']'))
        goto wrong;
    snprintf(host, sizeof host, "%.*s", (int)(host_len - 2 * is_v6), text + is_v6);
    place->address.any.sa_family = is_v6 ? AF_INET6 : AF_INET;
    if (inet_pton(place->address.any.sa_family, host,
                  is_v6 ? (void *)&place->address.v6.sin6_addr : (void *)&place->address.v4.sin_addr) != 1)
        goto wrong;
    place->address.v4.sin_port = htons((uint16_t)port); /* and sin6_port: the same bytes */
    place->len = is_v6 ? sizeof place->address.v6 : sizeof place->address.v4;
    place->host_len = (int)host_len;
    return 0;
wrong:
    return error_set(err, "admin: \"%.80s\" is none of 127.0.0.1:PORT, [::1]:PORT, unix:/path", text);
}

static int read_place(struct place *place, const char *text, struct error *err)
{
    *place = (struct place){.len = 0};
    return strncmp(text, "unix:", 5) == 0 ? read_path(place, text, err) : read_address(place, text, err);
}

int admin_check(const char *listen, struct error *err)
{
    struct place place;

    return read_place(&place, listen, err);
}

/* Listening --------------------------------------------------------------------------------------------------------- */

/* Is the socket file left over from a process that has ended? */
static bool is_stale(const struct sockaddr_un *address)
{
    struct stat info;
    bool answer;
    int fd;

    if (lstat(address->sun_path, &info) != 0 || !S_ISSOCK(info.st_mode))
        return false;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    answer = connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 && errno == ECONNREFUSED;
    close(fd);
    return answer;
}

static int listen_at(const struct place *place, const char *text, struct error *err)
{
    int fd = socket(place->address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;

    if (fd < 0)
        return error_errno(err, "admin: cannot make a socket");
    if (place->host_len > 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, &place->address.any, place->len) != 0 || listen(fd, BACKLOG) != 0) {
        error_errno(err, "admin: cannot listen at %s", text);
        close(fd);
        return -1;
    }
    return fd;
}

/* Returns the listening socket, or -1 with *err. */
static int listen_as_told(struct admin *self, const char *text, struct error *err)
{
    struct place place;
    int fd;

    if (read_place(&place, text, err) != 0)
        return -1;
    if (place.host_len == 0 && is_stale(&place.address.path))
        unlink(place.address.path.sun_path);
    fd = listen_at(&place, text, err);
    if (fd < 0)
        return -1;
    if (place.host_len == 0) {
        snprintf(self->url, sizeof self->url, "%s", text);
        self->path = self->url + strlen("unix:");
    } else {
        must(getsockname(fd, &place.address.any, &place.len) == 0);
        snprintf(self->url, sizeof self->url, "http://%.*s:%u", place.host_len, text, ntohs(place.address.v4.sin_port));
    }
    return fd;
}

static struct MHD_Daemon *start(struct admin *self, int fd)
{
    return MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, self, MHD_OPTION_LISTEN_SOCKET, fd,
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
                            (unsigned)TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES, MHD_OPTION_END);
}

struct admin *admin_open(struct loop *loop, const struct admin_options *options, struct error *err)
{
    struct admin *self = must_zalloc(sizeof *self);
    const union MHD_DaemonInfo *info;
    int fd = listen_as_told(self, options->listen, err);

    self->options = *options;
    self->options.listen = NULL;
    if (fd < 0) {
        free(self);
        return NULL;
    }
    self->daemon = start(self, fd);
    if (self->daemon == NULL) {
        error_errno(err, "admin: cannot start the server at %s", options->listen);
        close(fd);
        free(self);
        return NULL;
    }
    info = MHD_get_daemon_info(self->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    must(info != NULL && info->epoll_fd >= 0);
    self->io = loop_watch(loop, info->epoll_fd, LOOP_READ, on_ready, self);
    self->timer = loop_timer_new(loop, on_timer, self);
    return self;
}

void admin_close(struct admin **admin)
{
    struct admin *self = *admin;

    if (self == NULL)
        return;
    loop_unwatch(&self->io);
    loop_timer_free(&self->timer);
    MHD_stop_daemon(self->daemon); /* closes the listening socket too */
    if (self->path != NULL)
        unlink(self->path);
    free(self);
    *admin = NULL;
}

const char *admin_url(const struct admin *admin)
{
    return admin->url;
}
