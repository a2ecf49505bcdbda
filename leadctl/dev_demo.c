#include "leadctl/dev_demo.h"

#include "common/clock.h"
#include "leadctl/dev_socket.h"
#include "leadctl/dev_stages.h"
#include "proto/embed.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { STOP_MS = 2000, DELAY_MOST_MS = 5000, BEING_APPLIED = -1 };

static const char VERSION[] = "SELECT catalog_version FROM installation";
static const char HAS_LEADS[] = "SELECT count(*) FROM (SELECT FROM lead LIMIT 1) AS one";

/* The one whole number that the statement gives. Returns 0, or -1 with *err. */
static int ask_number(struct db_wait *db, const char *sql, int64_t *number, struct error *err)
{
    struct db_answer *answer = db_wait_ask(db, sql, DB_NO_PARAMS, err);

    if (answer == NULL)
        return -1;
    *number = db_answer_rows(answer) == 1 ? db_answer_int(answer, 0, 0) : 0;
    db_answer_free(&answer);
    return 0;
}

static int remember(struct dev_demo *demo, int64_t version, struct error *err)
{
    char text[64];

    snprintf(text, sizeof text, "%d %lld\n", demo->port, (long long)version);
    return dev_dir_write(demo->state_path, span_of(text), err);
}

/* The buyers' URLs lead to our buyer's port. */
static void set_port(struct json *document, int port)
{
    const struct json *buyers = json_get(document, "buyers");

    for (size_t i = 0; i < json_count(buyers); i++) {
        const struct json *buyer = json_at(buyers, i);
        struct span id = json_get_text(buyer, "id");
        char url[128];

        snprintf(url, sizeof url, "http://127.0.0.1:%d/%.*s", port, SPAN_FMT(id));
        json_set_text(json_get(buyer, "delivery"), "url", span_of(url));
    }
}

static int write_document(struct dev_demo *demo, struct error *err)
{
    struct buf *text = buf_new(4096);
    int rc;

    set_port(demo->document, demo->port);
    json_print_pretty(demo->document, text);
    buf_add_text(text, "\n");
    rc = dev_dir_write(demo->document_path, buf_span(text), err);
    buf_free(&text);
    return rc;
}

int dev_demo_open(struct dev_demo *demo, struct supervisor *supervisor, const struct dev_dir *dir, struct db_wait *db, struct error *err)
{
    const char *state;
    long long version = 0;
    int64_t now;

    *demo = (struct dev_demo){.dir = dir, .supervisor = supervisor, .listen_fd = -1};
    demo->state_path = dev_dir_path(dir, dir->root, "demo.state");
    demo->document_path = dev_dir_path(dir, dir->root, "demo.json");
    demo->document = json_parse(embed_find("leadctl/demo.json"), err);
    if (demo->document == NULL || ask_number(db, VERSION, &now, err) != 0)
        return -1;
    state = dev_dir_read(dir, demo->state_path);
    if (state == NULL || sscanf(state, "%d %lld", &demo->port, &version) != 2)
        demo->port = 0;
    demo->is_in_force = now == 0 || (demo->port != 0 && (version == BEING_APPLIED || version == now));

    demo->listen_fd = dev_listen(&demo->port, err);
    if (demo->listen_fd < 0 && demo->port != 0) { /* somebody else has it now */
        demo->port = 0;
        demo->listen_fd = dev_listen(&demo->port, err);
    }
    if (demo->listen_fd < 0)
        return -1;
    if (!demo->is_in_force)
        return 0;
    if (remember(demo, BEING_APPLIED, err) != 0)
        return -1;
    return write_document(demo, err);
}

void dev_demo_close(struct dev_demo *demo)
{
    json_free(&demo->document);
    if (demo->listen_fd >= 0)
        close(demo->listen_fd);
    demo->listen_fd = -1;
}

int dev_demo_applied(struct dev_demo *demo, struct db_wait *db, struct error *err)
{
    int64_t version;

    if (ask_number(db, VERSION, &version, err) != 0)
        return -1;
    return remember(demo, version, err);
}

int dev_demo_start(struct dev_demo *demo, struct error *err)
{
    struct child_options options = {
        .name = "buyer-1",
        .args = {dev_program(demo->dir, "leadline-buyer", err), "--print", "--quiet"},
        .handed_fd = demo->listen_fd,
        .death_signal = SIGTERM,
        .is_kept = true,
        .delay_most_ms = DELAY_MOST_MS,
    };
    const struct json *buyers = json_get(demo->document, "buyers");
    size_t at = 3;

    if (options.args[0] == NULL)
        return -1;
    for (size_t i = 0; i < json_count(buyers) && at + 2 < CHILD_ARGS_MOST; i++) {
        struct span secret = json_text(json_at(json_get(json_get(json_at(buyers, i), "delivery"), "secrets"), 0));

        options.args[at++] = "--secret";
        options.args[at++] = arena_text(demo->dir->arena, secret);
    }
    demo->buyer = child_start(demo->supervisor, &options);
    return 0;
}

static bool is_over(void *ctx)
{
    return child_is_over(ctx);
}

void dev_demo_stop(struct dev_demo *demo, int stops)
{
    if (demo->buyer == NULL)
        return;
    child_stop(demo->buyer, SIGTERM);
    if (!supervisor_wait(demo->supervisor, STOP_MS, stops, is_over, demo->buyer)) {
        child_stop(demo->buyer, SIGKILL);
        supervisor_wait(demo->supervisor, STOP_MS, INT_MAX, is_over, demo->buyer);
    }
    demo->buyer = NULL;
}

void dev_demo_print(struct dev_demo *demo, struct db_wait *db, int port)
{
    long long n = clock_wall_ms() / 1000 % 8000000;
    char phone[16] = "5551234567", email[48] = "john@example.com";
    struct error err;
    int64_t leads = 1;

    if (!demo->is_in_force)
        return;
    ask_number(db, HAS_LEADS, &leads, &err);
    if (leads > 0) { /* the first person may be known by now: another one, so that the command sells again */
        snprintf(phone, sizeof phone, "555%07lld", 2000000 + n);
        snprintf(email, sizeof email, "john.%lld@example.com", n);
    }
    printf("\nsend a lead:\n\n"
           "curl -i http://127.0.0.1:%d/api/v1/ingest -H 'x-api-key: your_supplier_api_key' -H 'content-type: application/json' "
           "-d '{\"flo_campaign_id\":\"campaign_abc123\",\"flo_supplier_id\":\"supplier_xyz789\",\"first_name\":\"John\","
           "\"last_name\":\"Doe\",\"phone\":\"%s\",\"email\":\"%s\",\"state\":\"TX\"}'\n\n"
           "The same again is a duplicate (409); with \"is_test\":true in it, it sells as often as you like.\n\n",
           port, phone, email);
    fflush(stdout);
}
