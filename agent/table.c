#include "agent/table.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "agent/figures.h"

#define LINE_INTERVAL_US (10 * CHIRR_US_PER_S)
#define ROWS_UNKNOWN 24
#define LINES_AROUND 12 /* header, "more", totals, events, and the cursor below them */
#define EVENTS_SHOWN 3

#define BOLD "\033[1m"
#define RED "\033[31m"
#define DIM "\033[2m"
#define PLAIN "\033[0m"
/* A line too long for the terminal is cut: wrapped, it would upset the redrawing. */
#define NO_WRAP "\033[?7l"
#define WRAP "\033[?7h"

void chirr_table_init(struct chirr_table *table, FILE *out, bool colour_wanted)
{
    *table = (struct chirr_table){.out = out, .rows_max = ROWS_UNKNOWN - LINES_AROUND};
    table->live = isatty(fileno(out)) == 1;
    table->colour = table->live && colour_wanted;
    struct winsize size;
    if (table->live && ioctl(fileno(out), TIOCGWINSZ, &size) == 0 &&
        size.ws_row > LINES_AROUND + 2) {
        table->rows_max = size.ws_row - LINES_AROUND;
    }
}

void chirr_table_format_bytes(uint64_t bytes, char text[CHIRR_TABLE_BYTES_TEXT])
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    if (bytes < 1000) {
        snprintf(text, CHIRR_TABLE_BYTES_TEXT, "%u B", (unsigned)bytes);
        return;
    }
    double value = (double)bytes / 1e3;
    size_t unit = 0;
    for (; value >= 999.5; value /= 1e3) {
        unit++;
    }
    snprintf(text, CHIRR_TABLE_BYTES_TEXT, value < 9.95 ? "%.1f %s" : "%.0f %s", value,
             units[unit]);
}

/* A figure, or a dash while it is not known. */
static void cell(FILE *out, int width, int decimals, double value)
{
    if (isfinite(value)) {
        fprintf(out, " %*.*f", width, decimals, value);
    } else {
        fprintf(out, " %*s", width, "-");
    }
}

static void bytes_cell(FILE *out, int width, uint64_t bytes)
{
    char text[CHIRR_TABLE_BYTES_TEXT];
    chirr_table_format_bytes(bytes, text);
    fprintf(out, " %*s", width, text);
}

static void state_cell(FILE *out, const struct chirr_launched *agent, chirr_time_us now)
{
    chirr_time_us wait = agent->restart_us - now;
    switch (agent->state) {
    case CHIRR_LAUNCHED_WAITING:
        fprintf(out, " back in %d s", wait > 0 ? (int)(wait / CHIRR_US_PER_S) + 1 : 0);
        break;
    case CHIRR_LAUNCHED_STARTING:
        fprintf(out, " starting");
        break;
    case CHIRR_LAUNCHED_READY:
        if (agent->unanswered > 0) {
            fprintf(out, " no answer");
        } else if (agent->now.running > 0) {
            fprintf(out, " runs %" PRIu32, agent->now.running);
        }
        break;
    case CHIRR_LAUNCHED_ENDED:
        fprintf(out, " ended");
        break;
    }
}

static void draw_row(FILE *out, const struct chirr_table *table,
                     const struct chirr_launcher *launcher, uint32_t index, chirr_time_us now)
{
    const struct chirr_agent_config *config = &chirr_launcher_fleet(launcher)->agents[index];
    const struct chirr_launched *agent = chirr_launcher_agent(launcher, index);
    const struct chirr_snapshot_totals totals = chirr_launcher_totals(launcher, index);
    bool up = chirr_launcher_answers(agent);
    bool red = table->colour && !up;
    fprintf(out, "%s%-10.10s %-7.7s", red ? RED : "", config->name, config->device);
    cell(out, 6, 3, up && agent->now.model ? agent->now.bits_now : NAN);
    cell(out, 8, 3, up && agent->now.model ? agent->now.surprise : NAN);
    bytes_cell(out, 6, totals.knowledge_bytes_in);
    bytes_cell(out, 6, totals.knowledge_bytes_out);
    fprintf(out, " %4" PRIu64, totals.tasks_done);
    cell(out, 8, 2, up ? agent->now.predicted_s_last : NAN);
    cell(out, 5, 2, up ? agent->now.real_s_last : NAN);
    cell(out, 4, 0, up ? agent->now.members_alive : NAN);
    state_cell(out, agent, now);
    fprintf(out, "%s\n", red ? PLAIN : "");
}

/* What the fleet has done so far, added up. */
struct sums {
    double bits; /* mean over agents that have any */
    uint64_t knowledge_bytes, wire_bytes;
};

static struct sums add_up(const struct chirr_launcher *launcher)
{
    struct sums sums = {0};
    double bits[CHIRR_FLEET_AGENTS_MAX];
    uint32_t count = chirr_launcher_agent_count(launcher);
    for (uint32_t i = 0; i < count; i++) {
        const struct chirr_launched *agent = chirr_launcher_agent(launcher, i);
        const struct chirr_snapshot_totals totals = chirr_launcher_totals(launcher, i);
        bits[i] = chirr_launcher_answers(agent) ? agent->now.bits_now : NAN;
        sums.knowledge_bytes += totals.wire_knowledge;
        sums.wire_bytes += totals.wire_records + totals.wire_knowledge + totals.wire_membership;
    }
    sums.bits = chirr_figures_mean(bits, count);
    return sums;
}

/* `between` parts what is counted from what was sent: together they are long for a terminal. */
static void put_totals(FILE *out, const struct chirr_launcher *launcher,
                       const struct chirr_table_moment *moment, const char *between)
{
    struct sums sums = add_up(launcher);
    char knowledge[CHIRR_TABLE_BYTES_TEXT];
    char wire[CHIRR_TABLE_BYTES_TEXT];
    chirr_table_format_bytes(sums.knowledge_bytes, knowledge);
    chirr_table_format_bytes(sums.wire_bytes, wire);
    const struct chirr_workload_counts *jobs = &moment->jobs;
    fprintf(out, "%" PRIu32 " of %" PRIu32 " agents up, bits/byte",
            chirr_launcher_ready_count(launcher), chirr_launcher_agent_count(launcher));
    cell(out, 0, 3, sums.bits);
    fprintf(out, ", jobs %" PRIu32 " of %" PRIu32 " done", jobs->done, jobs->planned);
    if (jobs->failed > 0) {
        fprintf(out, ", %" PRIu32 " failed", jobs->failed);
    }
    if (jobs->open > 0) {
        fprintf(out, ", %" PRIu32 " open", jobs->open);
    }
    fprintf(out, "%swire %s (knowledge %s)", between, wire, knowledge);
}

static void put_clock(FILE *out, const struct chirr_table_moment *moment)
{
    int elapsed_s = (int)((moment->now_us - moment->start_us) / CHIRR_US_PER_S);
    fprintf(out, "%d:%02d", elapsed_s / 60, elapsed_s % 60);
    if (moment->end_us == CHIRR_TIME_NEVER) {
        return;
    }
    chirr_time_us left_us = moment->end_us - moment->now_us;
    int left_s = left_us > 0 ? (int)((left_us + CHIRR_US_PER_S - 1) / CHIRR_US_PER_S) : 0;
    fprintf(out, ", %d:%02d left", left_s / 60, left_s % 60);
}

static void put_event(FILE *out, const struct chirr_launcher_event *event,
                      const struct chirr_table_moment *moment)
{
    chirr_time_us at_us = event->at_us - moment->start_us;
    fprintf(out, "  %3d s  %s\n", at_us > 0 ? (int)(at_us / CHIRR_US_PER_S) : 0, event->text);
}

static void draw(FILE *out, const struct chirr_table *table, const struct chirr_launcher *launcher,
                 const struct chirr_table_moment *moment)
{
    fprintf(out, "%s%s, ", table->colour ? BOLD : "", chirr_launcher_fleet(launcher)->swarm);
    put_clock(out, moment);
    fprintf(out, "%s\n\n%s%-10s %-7s %6s %8s %13s %4s %14s %4s%s\n", table->colour ? PLAIN : "",
            table->colour ? DIM : "", "", "", "bits/", "", "knowledge", "jobs", "last job, s", "",
            table->colour ? PLAIN : "");
    fprintf(out, "%s%-10s %-7s %6s %8s %6s %6s %4s %8s %5s %4s%s\n", table->colour ? DIM : "",
            "agent", "device", "byte", "surprise", "in", "out", "done", "expected", "real", "sees",
            table->colour ? PLAIN : "");
    uint32_t count = chirr_launcher_agent_count(launcher);
    for (uint32_t i = 0; i < count && i < table->rows_max; i++) {
        draw_row(out, table, launcher, i, moment->now_us);
    }
    if (count > table->rows_max) {
        fprintf(out, "… and %" PRIu32 " more\n", count - table->rows_max);
    }
    fprintf(out, "\n");
    put_totals(out, launcher, moment, "\n");
    fprintf(out, "\n");
    uint64_t events = chirr_launcher_event_count(launcher);
    for (uint64_t i = events > EVENTS_SHOWN ? events - EVENTS_SHOWN : 0; i < events; i++) {
        put_event(out, chirr_launcher_event(launcher, i), moment);
    }
}

/* Drawn into memory first, so that the terminal gets it in one piece. */
static void show_live(struct chirr_table *table, const struct chirr_launcher *launcher,
                      const struct chirr_table_moment *moment)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *memory = open_memstream(&text, &bytes);
    if (memory == NULL) {
        return;
    }
    if (table->lines_drawn > 0) {
        fprintf(memory, "\033[%" PRIu32 "A\r\033[J", table->lines_drawn);
    }
    fprintf(memory, NO_WRAP);
    draw(memory, table, launcher, moment);
    fprintf(memory, WRAP);
    if (fclose(memory) == 0) {
        fwrite(text, 1, bytes, table->out);
        fflush(table->out);
        table->lines_drawn = 0;
        for (size_t i = 0; i < bytes; i++) {
            table->lines_drawn += text[i] == '\n';
        }
    }
    free(text);
}

static void show_lines(struct chirr_table *table, const struct chirr_launcher *launcher,
                       const struct chirr_table_moment *moment)
{
    for (; table->events_told < chirr_launcher_event_count(launcher); table->events_told++) {
        const struct chirr_launcher_event *event =
            chirr_launcher_event(launcher, table->events_told);
        if (event != NULL) {
            put_event(table->out, event, moment);
        }
    }
    if (moment->now_us >= table->next_line_us) {
        fprintf(table->out, "  %3d s  ",
                (int)((moment->now_us - moment->start_us) / CHIRR_US_PER_S));
        put_totals(table->out, launcher, moment, ", ");
        fprintf(table->out, "\n");
        table->next_line_us = moment->now_us + LINE_INTERVAL_US;
    }
    fflush(table->out);
}

void chirr_table_show(struct chirr_table *table, const struct chirr_launcher *launcher,
                      const struct chirr_table_moment *moment)
{
    if (table->quiet) {
        return;
    }
    if (table->live) {
        show_live(table, launcher, moment);
    } else {
        show_lines(table, launcher, moment);
    }
}
