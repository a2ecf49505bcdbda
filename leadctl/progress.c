#include "leadctl/progress.h"

#include "common/clock.h"
#include "common/must.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BAR = 24, EVERY_MS = 200, NUMBER_BYTES = 32 };

struct progress {
    const char *things;
    struct progress_state state;
    int64_t begun_ms, shown_ms;
    bool is_terminal, is_shown;
};

/* "4,200,000" */
static const char *grouped(char out[NUMBER_BYTES], int64_t number)
{
    char digits[NUMBER_BYTES];
    size_t len = (size_t)snprintf(digits, sizeof digits, "%" PRId64, number), at = 0;

    for (size_t i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

const char *progress_text(char out[PROGRESS_TEXT_BYTES], const struct progress_state *state, const char *things)
{
    char count[NUMBER_BYTES], rate[NUMBER_BYTES], bar[BAR + 1];
    int64_t run = state->done - state->begun, left_s;
    double share;

    grouped(count, state->count);
    grouped(rate, state->ms > 0 ? state->count * 1000 / state->ms : 0);
    if (state->total < 0) {
        snprintf(out, PROGRESS_TEXT_BYTES, "%s %s  %s/s", count, things, rate);
        return out;
    }
    share = state->total > 0 ? (double)state->done / (double)state->total : 1;
    share = share > 1 ? 1 : share;
    for (int i = 0; i < BAR; i++)
        bar[i] = i < (int)(share * BAR) ? '#' : ' ';
    bar[BAR] = '\0';
    if (run <= 0 || state->ms <= 0) {
        snprintf(out, PROGRESS_TEXT_BYTES, "%3d %%  [%s]  %s %s", (int)(share * 100), bar, count, things);
        return out;
    }
    left_s = (int64_t)((double)(state->total - state->done) * (double)state->ms / (double)run / 1000);
    left_s = left_s < 0 ? 0 : left_s;
    snprintf(out, PROGRESS_TEXT_BYTES, "%3d %%  [%s]  %s %s  %s/s  %" PRId64 ":%02d left", (int)(share * 100), bar, count, things, rate,
             left_s / 60, (int)(left_s % 60));
    return out;
}

struct progress *progress_new(const char *things, int64_t begun, int64_t total)
{
    struct progress *progress = must_zalloc(sizeof *progress);

    progress->things = things;
    progress->state = (struct progress_state){.done = begun, .begun = begun, .total = total};
    progress->begun_ms = clock_mono_ms();
    progress->is_terminal = isatty(STDERR_FILENO);
    return progress;
}

void progress_show(struct progress *progress, int64_t done, int64_t count)
{
    int64_t now_ms = clock_mono_ms();
    char text[PROGRESS_TEXT_BYTES];

    if (!progress->is_terminal || now_ms - progress->shown_ms < EVERY_MS)
        return;
    progress->shown_ms = now_ms;
    progress->is_shown = true;
    progress->state.done = done;
    progress->state.count = count;
    progress->state.ms = now_ms - progress->begun_ms;
    fprintf(stderr, "\r%s\033[K", progress_text(text, &progress->state, progress->things));
    fflush(stderr);
}

void progress_free(struct progress **progress)
{
    if (*progress == NULL)
        return;
    if ((*progress)->is_shown)
        fprintf(stderr, "\r\033[K");
    free(*progress);
    *progress = NULL;
}
