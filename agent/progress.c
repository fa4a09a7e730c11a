#include "agent/progress.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "agent/table.h"

#define LIVE_INTERVAL_US (CHIRR_US_PER_S / 5)
#define JSON_INTERVAL_US (2 * CHIRR_US_PER_S)
#define LINE_INTERVAL_US (10 * CHIRR_US_PER_S)
#define RATE_SMOOTHING_S 5.0
#define BAR_COLUMNS 24
#define COLUMNS_UNKNOWN 80

#define CLEAR_LINE "\r\033[K"

void chirr_progress_init(struct chirr_progress *progress, uint64_t begin, uint64_t total, bool json,
                         chirr_time_us now)
{
    *progress = (struct chirr_progress){
        .total = total,
        .json = json,
        .live = !json && isatty(STDERR_FILENO) == 1,
        .begin = begin,
        .started_at = now,
        .rate_bytes = begin,
        .rate_at = now,
        .bytes_per_s = NAN,
    };
    progress->next_at = now + (progress->live ? 0 : json ? JSON_INTERVAL_US : LINE_INTERVAL_US);
}

void chirr_progress_format_duration(double seconds, char text[CHIRR_PROGRESS_TEXT_BYTES])
{
    if (!isfinite(seconds) || seconds < 0 || seconds > 1e9) {
        strcpy(text, "-");
        return;
    }
    unsigned whole = (unsigned)(seconds + 0.5);
    if (whole >= 3600) {
        snprintf(text, CHIRR_PROGRESS_TEXT_BYTES, "%u h %02u min", whole / 3600, whole % 3600 / 60);
    } else if (whole >= 60) {
        snprintf(text, CHIRR_PROGRESS_TEXT_BYTES, "%u min %02u s", whole / 60, whole % 60);
    } else {
        snprintf(text, CHIRR_PROGRESS_TEXT_BYTES, "%u s", whole);
    }
}

/* The first figure is plain; later ones move it by what the time since is worth. */
static void measure_rate(struct chirr_progress *progress, uint64_t bytes, chirr_time_us now)
{
    double seconds = (double)(now - progress->rate_at) / 1e6;
    if (seconds <= 0 || bytes <= progress->rate_bytes) {
        return;
    }
    double rate = (double)(bytes - progress->rate_bytes) / seconds;
    double weight = isnan(progress->bytes_per_s) ? 1 : 1 - exp(-seconds / RATE_SMOOTHING_S);
    double before = isnan(progress->bytes_per_s) ? 0 : progress->bytes_per_s;
    progress->bytes_per_s = before + weight * (rate - before);
    progress->rate_bytes = bytes;
    progress->rate_at = now;
}

static double seconds_left(const struct chirr_progress *progress, uint64_t bytes)
{
    return (double)(progress->total - bytes) / progress->bytes_per_s;
}

static void put_json(const struct chirr_progress *progress,
                     const struct chirr_progress_moment *moment)
{
    const double figures[] = {moment->bits, moment->bits_now, progress->bytes_per_s,
                              seconds_left(progress, moment->bytes)};
    static const char *const names[] = {"bits", "bits_now", "bytes_per_s", "left_s"};
    json_t *line = json_pack("{s:s, s:I, s:I}", "event", "progress", "bytes",
                             (json_int_t)moment->bytes, "bytes_total", (json_int_t)progress->total);
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        json_object_set_new(line, names[i],
                            isfinite(figures[i]) ? json_real(figures[i]) : json_null());
    }
    json_dumpf(line, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
    json_decref(line);
}

static int terminal_columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col
                                                                           : COLUMNS_UNKNOWN;
}

/* "1.2 MB of 4.0 MB  2.310 bits/byte, now 2.104  31 kB/s  1 min 30 s left" */
static void format_figures(const struct chirr_progress *progress,
                           const struct chirr_progress_moment *moment, char *text, size_t bytes)
{
    char done[CHIRR_TABLE_BYTES_TEXT], total[CHIRR_TABLE_BYTES_TEXT], rate[CHIRR_TABLE_BYTES_TEXT];
    char left[CHIRR_PROGRESS_TEXT_BYTES];
    char bits[32] = "", now[32] = "";
    double per_s = progress->bytes_per_s;
    chirr_table_format_bytes(moment->bytes, done);
    chirr_table_format_bytes(progress->total, total);
    chirr_table_format_bytes(isfinite(per_s) ? (uint64_t)per_s : 0, rate);
    chirr_progress_format_duration(seconds_left(progress, moment->bytes), left);
    if (isfinite(moment->bits)) {
        snprintf(bits, sizeof bits, "  %.3f bits/byte", moment->bits);
    }
    if (isfinite(moment->bits_now)) {
        snprintf(now, sizeof now, ", now %.3f", moment->bits_now);
    }
    snprintf(text, bytes, "%s of %s%s%s  %s/s  %s left", done, total, bits, now, rate, left);
}

/* A line longer than the terminal would wrap, and upset the redrawing: the bar gives way. */
static void draw(struct chirr_progress *progress, const char *figures, double fraction)
{
    int columns = terminal_columns();
    int room = columns - 1 - (int)strlen(figures) - (int)sizeof "[] 100%  ";
    int width = room > BAR_COLUMNS ? BAR_COLUMNS : room;
    fputs(CLEAR_LINE, stderr);
    if (width >= 4) {
        char bar[BAR_COLUMNS + 1] = "";
        memset(bar, ' ', (size_t)width);
        memset(bar, '#', (size_t)(fraction * width));
        fprintf(stderr, "[%s] ", bar);
    }
    fprintf(stderr, "%3d%%  %.*s", (int)(100 * fraction), columns > 8 ? columns - 8 : 0, figures);
    fflush(stderr);
    progress->drawn = true;
}

void chirr_progress_show(struct chirr_progress *progress,
                         const struct chirr_progress_moment *moment, chirr_time_us now)
{
    if (now < progress->next_at) {
        return;
    }
    measure_rate(progress, moment->bytes, now);
    double fraction = progress->total == 0 ? 1 : (double)moment->bytes / (double)progress->total;
    char figures[160];
    format_figures(progress, moment, figures, sizeof figures);
    if (progress->json) {
        progress->next_at = now + JSON_INTERVAL_US;
        put_json(progress, moment);
    } else if (progress->live) {
        progress->next_at = now + LIVE_INTERVAL_US;
        draw(progress, figures, fraction);
    } else {
        progress->next_at = now + LINE_INTERVAL_US;
        fprintf(stderr, "%3d%%  %s\n", (int)(100 * fraction), figures);
    }
}

void chirr_progress_clear(struct chirr_progress *progress)
{
    if (progress->drawn) {
        fputs(CLEAR_LINE, stderr);
        progress->drawn = false;
    }
}
