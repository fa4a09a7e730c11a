#include "agent/up.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/clock.h"
#include "agent/evaluation.h"
#include "agent/launcher.h"
#include "agent/paths.h"
#include "agent/provision.h"
#include "agent/summary.h"
#include "agent/table.h"
#include "agent/up_options.h"
#include "agent/workload.h"

#define TURN_MS 50
#define OBSERVE_US (250 * CHIRR_US_PER_MS)
#define SHOW_US (1 * CHIRR_US_PER_S)
#define READY_US (30 * CHIRR_US_PER_S)
/* How long jobs that are open at the end may still take. */
#define GRACE_US (20 * CHIRR_US_PER_S)
/* Without --for, chaos comes so late; and it waits so long for an agent that runs a job. */
#define CHAOS_US (20 * CHIRR_US_PER_S)
#define CHAOS_PATIENCE_US (8 * CHIRR_US_PER_S)

enum { EXIT_WELL = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

struct up {
    struct chirr_up_options options;
    struct chirr_fleet_config fleet;
    struct chirr_evaluation evaluation;
    struct chirr_summary summary;
    struct chirr_launcher *launcher;
    struct chirr_workload_run *run;
    struct chirr_table table;
    sigset_t signals;
    bool evaluation_prepared, interrupted, killed;
    chirr_time_us start_us, end_us;
    chirr_time_us observe_us, show_us; /* when next */
};

/* ---- Before anything starts ------------------------------------------------------------------ */

/* Jobs run in other directories, so the state directory must be absolute. */
static enum chirr_err settle_state_dir(struct up *up, struct chirr_error *error)
{
    if (up->options.state_dir == NULL) {
        return CHIRR_OK;
    }
    enum chirr_err err = chirr_provision_directory(up->options.state_dir, error);
    if (err != CHIRR_OK) {
        return err;
    }
    char *absolute = realpath(up->options.state_dir, NULL);
    bool usable = absolute != NULL && strlen(absolute) < sizeof up->fleet.state_dir;
    if (usable) {
        strcpy(up->fleet.state_dir, absolute);
    }
    free(absolute);
    return usable ? CHIRR_OK
                  : chirr_error_set(error, CHIRR_ERR_IO, "--state %s: not a usable directory",
                                    up->options.state_dir);
}

static enum chirr_err load(struct up *up, struct chirr_error *error)
{
    struct chirr_paths paths;
    enum chirr_err err = chirr_fleet_config_load(up->options.fleet_path, &up->fleet, error);
    if (err == CHIRR_OK && up->options.summary_path != NULL) {
        err = chirr_summary_try_path(up->options.summary_path, error);
    }
    if (err == CHIRR_OK) {
        err = chirr_paths_read(&paths, error);
    }
    if (err == CHIRR_OK) {
        err = settle_state_dir(up, error);
    }
    if (err == CHIRR_OK) {
        err = chirr_fleet_config_place(&up->fleet, &paths, error);
    }
    return err;
}

static enum chirr_err prepare(struct up *up, struct chirr_error *error)
{
    char directory[CHIRR_PATH_BYTES_MAX + 16];
    up->launcher = chirr_launcher_create(&up->fleet, error);
    if (up->launcher == NULL) {
        return error->code;
    }
    snprintf(directory, sizeof directory, "%s/heldout", up->fleet.state_dir);
    enum chirr_err err = chirr_evaluation_prepare(&up->evaluation, &up->fleet, directory, error);
    up->evaluation_prepared = true;
    if (err != CHIRR_OK) {
        return err;
    }
    snprintf(directory, sizeof directory, "%s/inputs", up->fleet.state_dir);
    up->run = chirr_workload_create(&up->fleet.workload, directory, error);
    return up->run != NULL ? CHIRR_OK : error->code;
}

/* ---- While it runs --------------------------------------------------------------------------- */

static void rest(struct up *up)
{
    const struct timespec turn = {.tv_nsec = TURN_MS * 1000 * 1000};
    int number = sigtimedwait(&up->signals, NULL, &turn);
    up->interrupted |= number == SIGINT || number == SIGTERM || number == SIGHUP;
}

static void show(struct up *up, bool now)
{
    chirr_time_us now_us = chirr_clock_now();
    if (!now && now_us < up->show_us) {
        return;
    }
    up->show_us = now_us + SHOW_US;
    chirr_launcher_refresh(up->launcher, true);
    const struct chirr_table_moment moment = {
        .start_us = up->start_us,
        .now_us = now_us,
        .end_us = up->end_us,
        .jobs = chirr_workload_count(up->run),
    };
    chirr_table_show(&up->table, up->launcher, &moment);
}

static enum chirr_err wait_until_ready(struct up *up, struct chirr_error *error)
{
    chirr_time_us until_us = chirr_clock_now() + READY_US;
    uint32_t count = chirr_launcher_agent_count(up->launcher);
    enum chirr_err err = CHIRR_OK;
    while (err == CHIRR_OK && !up->interrupted &&
           chirr_launcher_ready_count(up->launcher) < count) {
        rest(up);
        err = chirr_launcher_turn(up->launcher, error);
        chirr_launcher_refresh(up->launcher, false);
        if (err == CHIRR_OK && chirr_clock_now() > until_us) {
            err = chirr_error_set(error, CHIRR_ERR_TIMEOUT,
                                  "only %u of %u agents answer after %d s; their logs are in %s",
                                  chirr_launcher_ready_count(up->launcher), count,
                                  (int)(READY_US / CHIRR_US_PER_S), up->fleet.state_dir);
        }
    }
    return err;
}

static uint32_t any_ready_agent(const struct up *up)
{
    for (uint32_t i = 0; i < chirr_launcher_agent_count(up->launcher); i++) {
        if (chirr_launcher_answers(chirr_launcher_agent(up->launcher, i))) {
            return i;
        }
    }
    return CHIRR_WORKLOAD_NO_OWNER;
}

/* Kills an agent in the middle of a job; one that idles when no job comes for a while. */
static void do_chaos(struct up *up)
{
    chirr_time_us due_us =
        up->options.for_us == CHIRR_TIME_NEVER ? CHAOS_US : up->options.for_us / 3;
    chirr_time_us past_us = chirr_clock_now() - up->start_us - due_us;
    if (!up->options.chaos || up->killed || past_us < 0 ||
        chirr_launcher_ready_count(up->launcher) < 2) {
        return;
    }
    chirr_workload_observe(up->run, up->launcher, false);
    uint32_t agent = chirr_workload_busy_agent(up->run);
    bool busy = agent != CHIRR_WORKLOAD_NO_OWNER;
    if (!busy && past_us > CHAOS_PATIENCE_US) {
        agent = any_ready_agent(up);
    }
    if (agent == CHIRR_WORKLOAD_NO_OWNER) {
        return;
    }
    chirr_launcher_refresh(up->launcher, true);
    up->killed = chirr_launcher_kill(up->launcher, agent) == CHIRR_OK;
    if (up->killed) {
        chirr_launcher_note(up->launcher, "chaos: kill -9 of %s%s", up->fleet.agents[agent].name,
                            busy ? ", in the middle of a job" : "");
    }
}

/* Until the time is over, and then for as long as jobs are open and the grace lasts. */
static bool is_over(const struct up *up)
{
    chirr_time_us now_us = chirr_clock_now();
    if (up->interrupted || up->end_us == CHIRR_TIME_NEVER) {
        return up->interrupted;
    }
    bool open = chirr_workload_count(up->run).open > 0;
    return now_us >= up->end_us && (!open || now_us >= up->end_us + GRACE_US);
}

static enum chirr_err turn(struct up *up, struct chirr_error *error)
{
    chirr_time_us now_us = chirr_clock_now();
    enum chirr_err err = chirr_launcher_turn(up->launcher, error);
    chirr_launcher_refresh(up->launcher, false);
    if (err == CHIRR_OK && now_us < up->end_us) {
        err = chirr_workload_turn(up->run, up->launcher, error);
    }
    if (now_us >= up->observe_us) {
        chirr_workload_observe(up->run, up->launcher, false);
        up->observe_us = chirr_clock_now() + OBSERVE_US;
    }
    do_chaos(up);
    show(up, false);
    return err;
}

static enum chirr_err live(struct up *up, struct chirr_error *error)
{
    enum chirr_err err = chirr_launcher_start(up->launcher, error);
    if (err == CHIRR_OK) {
        err = wait_until_ready(up, error);
    }
    up->start_us = chirr_clock_now();
    if (up->options.for_us != CHIRR_TIME_NEVER) {
        up->end_us = up->start_us + up->options.for_us;
    }
    if (err == CHIRR_OK) {
        chirr_workload_observe(up->run, up->launcher, false);
    }
    while (err == CHIRR_OK && !is_over(up)) {
        err = turn(up, error);
        rest(up);
    }
    return err;
}

/* ---- At the end ------------------------------------------------------------------------------ */

static enum chirr_err sum_up(struct up *up, struct chirr_error *error)
{
    double duration_s = (double)(chirr_clock_now() - up->start_us) / 1e6;
    chirr_workload_observe(up->run, up->launcher, true);
    show(up, true);
    /* Whoever interrupts a run of a given length does not want to wait for figures. */
    bool cut_short = up->interrupted && up->options.for_us != CHIRR_TIME_NEVER;
    if (!cut_short) {
        if (!up->options.json) {
            fprintf(stderr,
                    "The agents are examined on parts of their files that they never read…\n");
        }
        up->interrupted = false;
        chirr_evaluation_run(&up->evaluation, up->launcher);
        rest(up);
        cut_short = up->interrupted;
        chirr_launcher_refresh(up->launcher, true);
    }
    enum chirr_err err =
        chirr_summary_collect(&up->summary, up->launcher, up->run, &up->evaluation);
    if (err != CHIRR_OK) {
        return chirr_error_set(error, err, "no memory for the summary");
    }
    up->summary.duration_s = duration_s;
    up->summary.chaos = up->options.chaos;
    up->summary.interrupted = cut_short;
    return CHIRR_OK;
}

static enum chirr_err report(struct up *up, struct chirr_error *error)
{
    if (up->options.json) {
        json_t *json = chirr_summary_json(&up->summary);
        json_dumpf(json, stdout, JSON_INDENT(2));
        printf("\n");
        json_decref(json);
    } else {
        chirr_summary_print(&up->summary, stdout);
    }
    return up->options.summary_path != NULL
               ? chirr_summary_write(&up->summary, up->options.summary_path, error)
               : CHIRR_OK;
}

static void clean_up(struct up *up)
{
    if (up->launcher != NULL && chirr_launcher_stop(up->launcher) > 0) {
        fprintf(stderr, "chirr up: some agents did not end by themselves and were killed\n");
    }
    chirr_workload_destroy(up->run, up->options.keep);
    if (up->evaluation_prepared && !up->options.keep) {
        chirr_evaluation_remove(&up->evaluation, &up->fleet);
    }
    chirr_launcher_destroy(up->launcher);
}

static int run(struct up *up)
{
    struct chirr_error error = {0};
    if (load(up, &error) != CHIRR_OK) {
        fprintf(stderr, "chirr up: %s\n", error.text);
        return EXIT_USAGE;
    }
    enum chirr_err err = prepare(up, &error);
    if (err == CHIRR_ERR_RANGE) {
        /* What the fleet's file asks for cannot be, wherever it runs. */
        fprintf(stderr, "chirr up: %s\n", error.text);
        clean_up(up);
        return EXIT_USAGE;
    }
    if (err == CHIRR_OK) {
        err = live(up, &error);
    }
    bool summed_up = err == CHIRR_OK && sum_up(up, &error) == CHIRR_OK;
    clean_up(up);
    if (summed_up) {
        err = report(up, &error);
    }
    if (err != CHIRR_OK || !summed_up) {
        fprintf(stderr, "chirr up: %s\n", error.text);
        return EXIT_FAILED;
    }
    if (up->summary.interrupted) {
        return EXIT_INTERRUPTED;
    }
    return up->summary.jobs.open > 0 ? EXIT_FAILED : EXIT_WELL;
}

/* Signals are waited for, not handled: nothing here is ever cut off in the middle. */
static void block_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGHUP);
    sigaddset(signals, SIGCHLD);
    sigprocmask(SIG_BLOCK, signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int chirr_up_main(int count, char **arguments)
{
    struct chirr_error error = {0};
    struct up *up = calloc(1, sizeof *up);
    if (up == NULL) {
        fprintf(stderr, "chirr up: out of memory\n");
        return EXIT_FAILED;
    }
    int code = EXIT_WELL;
    if (chirr_up_options_parse(count, arguments, &up->options, &error) != CHIRR_OK) {
        fprintf(stderr, "chirr up: %s\n\n%s", error.text, chirr_up_usage);
        code = EXIT_USAGE;
    } else if (up->options.help) {
        printf("%s", chirr_up_usage);
    } else {
        block_signals(&up->signals);
        up->end_us = CHIRR_TIME_NEVER;
        chirr_table_init(&up->table, stdout, getenv("NO_COLOR") == NULL);
        up->table.quiet = up->options.json;
        code = run(up);
    }
    free(up);
    return code;
}
