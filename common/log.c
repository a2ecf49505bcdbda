#include "common/log.h"

#include "common/clock.h"
#include "common/map.h"
#include "common/must.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = 4096, QUOTE_BYTES = 300, QUOTES = 8, WINDOW_MS = 10000, EVENTS = 512 };

static const char *const words[] = {[LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error"};

static enum log_level lowest = LOG_INFO;
static const char *line_origin = "";

/* How often an event came in the ten seconds that began at begun_ms. */
struct count {
    char *event;
    enum log_level level; /* of its last line */
    int64_t begun_ms;
    unsigned written, held_back;
};

static struct map *counts; /* by event; what is logged first stays for ever */
static struct count others = {.event = (char *)"other"}; /* counts what finds no place any more */

int log_set_level(const char *level)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(level, words[i]) == 0) {
            lowest = (enum log_level)i;
            return 0;
        }
    return -1;
}

void log_set_origin(const char *origin)
{
    line_origin = origin;
}

int log_is_on(enum log_level level)
{
    return level >= lowest;
}

/* Adds to the line what fits. */
__attribute__((format(printf, 3, 0))) static void add(char *line, size_t *used, const char *format, va_list args)
{
    int len = vsnprintf(line + *used, LINE_BYTES - *used, format, args);

    must(len >= 0);
    *used += (size_t)len < LINE_BYTES - *used ? (size_t)len : LINE_BYTES - *used - 1;
}

__attribute__((format(printf, 3, 4))) static void addf(char *line, size_t *used, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(line, used, format, args);
    va_end(args);
}

/* The journal writes the time itself; anywhere else the line carries it. */
static bool needs_time(void)
{
    static int answer = -1;

    if (answer < 0)
        answer = getenv("JOURNAL_STREAM") == NULL;
    return answer;
}

static void write_line(enum log_level level, const char *event, const char *format, va_list args)
{
    char line[LINE_BYTES + 48]; /* behind LINE_BYTES: room for the time */
    char at[CLOCK_TEXT_BYTES];
    size_t used = 0;
    ssize_t ignored;

    addf(line, &used, "level=%s event=%s %s", words[level], event, line_origin);
    add(line, &used, format, args);
    for (size_t i = 0; i < used; i++) /* one event, one line, whatever a value holds */
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    while (used > 0 && line[used - 1] == ' ')
        used--;
    if (needs_time())
        used += (size_t)snprintf(line + used, sizeof line - used, " time=%s", clock_text(clock_wall_ms(), at));
    line[used++] = '\n';
    ignored = write(STDERR_FILENO, line, used);
    (void)ignored;
}

__attribute__((format(printf, 3, 4))) static void write_linef(enum log_level level, const char *event, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    write_line(level, event, format, args);
    va_end(args);
}

static struct count *find_count(const char *event)
{
    struct count *count;

    if (counts == NULL)
        counts = map_new();
    count = map_get(counts, span_of(event));
    if (count == NULL) {
        if (map_count(counts) >= EVENTS)
            return &others;
        count = must_zalloc(sizeof *count);
        count->event = must_copy(event, strlen(event));
        count->begun_ms = INT64_MIN / 2;
        map_put(counts, span_of(count->event), count);
    }
    return count;
}

static void end_window(struct count *count, int64_t now_ms)
{
    if (now_ms - count->begun_ms < WINDOW_MS)
        return;
    if (count->held_back > 0)
        write_linef(count->level, count->event, "repeated=%u", count->held_back);
    count->begun_ms = now_ms;
    count->written = count->held_back = 0;
}

void log_tell_repeated(void)
{
    int64_t now_ms = clock_mono_ms();
    struct count *count;
    size_t at = 0;

    if (counts != NULL)
        while ((count = map_next(counts, &at)) != NULL)
            end_window(count, now_ms);
    end_window(&others, now_ms);
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
    va_list args;

    if (!log_is_on(level))
        return;
    if (level > LOG_DEBUG) { /* who switches debug on wants every line */
        struct count *count = find_count(event);

        end_window(count, clock_mono_ms());
        count->level = level;
        if (count->written >= LOG_BURST) {
            count->held_back++;
            return;
        }
        count->written++;
    }
    va_start(args, format);
    write_line(level, event, format, args);
    va_end(args);
}

const char *log_quote(struct span text)
{
    static char texts[QUOTES][4 * QUOTE_BYTES + 8];
    static unsigned turn;
    char *out = texts[turn++ % QUOTES];
    size_t used = 0, kept = text.len <= QUOTE_BYTES ? text.len : QUOTE_BYTES;
    bool is_utf8;

    while (kept > 0 && kept < text.len && ((unsigned char)text.ptr[kept] & 0xc0) == 0x80 && kept > QUOTE_BYTES - 4)
        kept--; /* no character in halves */
    is_utf8 = span_is_utf8((struct span){text.ptr, kept});
    out[used++] = '"';
    for (size_t i = 0; i < kept; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (c == '"' || c == '\\') {
            out[used++] = '\\';
            out[used++] = (char)c;
        } else if (c == '\n') {
            out[used++] = '\\';
            out[used++] = 'n';
        } else if (c < 0x20 || c == 0x7f || (c >= 0x80 && !is_utf8)) {
            used += (size_t)sprintf(out + used, "\\x%02x", c);
        } else {
            out[used++] = (char)c;
        }
    }
    if (kept < text.len) {
        memcpy(out + used, "...", 3);
        used += 3;
    }
    out[used++] = '"';
    out[used] = '\0';
    return out;
}
