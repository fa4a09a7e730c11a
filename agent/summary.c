#include "agent/summary.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Collecting ------------------------------------------------------------------------------ */

static void collect_agent(struct chirr_summary_agent *out, const struct chirr_launcher *launcher,
                          uint32_t index, const struct chirr_evaluation *evaluation)
{
    const struct chirr_agent_config *config = &chirr_launcher_fleet(launcher)->agents[index];
    const struct chirr_launched *agent = chirr_launcher_agent(launcher, index);
    const struct chirr_bits unknown = {NAN, NAN, NAN};
    memcpy(out->name, config->name, sizeof out->name);
    memcpy(out->device, config->device, sizeof out->device);
    out->model = config->model;
    out->ready = agent->state == CHIRR_LAUNCHED_READY;
    out->kills = agent->kills;
    out->restarts = agent->starts > 0 ? agent->starts - 1 : 0;
    out->capacity = (struct chirr_capacity){config->cpu_permille / 1000.0, config->slots};
    out->totals = chirr_launcher_totals(launcher, index);
    out->bits = evaluation != NULL
                    ? evaluation->agents[index]
                    : (struct chirr_evaluation_agent){unknown, unknown, unknown, false};
}

/* The mean over agents of the bits that stand at `offset` of each agent's evaluation. */
static struct chirr_bits bits_at(const struct chirr_summary *summary, uint32_t agent, size_t offset)
{
    struct chirr_bits bits;
    memcpy(&bits, (const char *)&summary->agents[agent].bits + offset, sizeof bits);
    return bits;
}

/* Means over agents. Where the two models of any agent can be compared, only such agents count for
 * either mean: an agent whose other model was lost must not tilt the balance. */
static struct chirr_bits mean_bits(const struct chirr_summary *summary, size_t offset)
{
    double start[CHIRR_FLEET_AGENTS_MAX];
    double swarm[CHIRR_FLEET_AGENTS_MAX];
    double alone[CHIRR_FLEET_AGENTS_MAX];
    bool compared = false;
    for (uint32_t i = 0; i < summary->agent_count; i++) {
        struct chirr_bits bits = bits_at(summary, i, offset);
        compared = compared || (!isnan(bits.swarm) && !isnan(bits.alone));
    }
    for (uint32_t i = 0; i < summary->agent_count; i++) {
        struct chirr_bits bits = bits_at(summary, i, offset);
        start[i] = bits.start;
        swarm[i] = compared && isnan(bits.alone) ? NAN : bits.swarm;
        alone[i] = isnan(bits.swarm) ? NAN : bits.alone;
    }
    return (struct chirr_bits){chirr_figures_mean(start, summary->agent_count),
                               chirr_figures_mean(swarm, summary->agent_count),
                               chirr_figures_mean(alone, summary->agent_count)};
}

/* Jobs that ran to a good end at an agent of this fleet; returns how many. */
static size_t collect_jobs(const struct chirr_workload_job *jobs, uint32_t count,
                           struct chirr_job_figure *figures)
{
    chirr_time_us first_us = CHIRR_TIME_NEVER;
    for (uint32_t i = 0; i < count; i++) {
        if (jobs[i].id != 0) {
            first_us = chirr_time_min(first_us, jobs[i].accepted_us);
        }
    }
    size_t ended = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct chirr_workload_job *job = &jobs[i];
        if (job->state != CHIRR_JOB_DONE || job->owner == CHIRR_WORKLOAD_NO_OWNER) {
            continue;
        }
        figures[ended++] = (struct chirr_job_figure){
            .arrival_s = (double)(job->accepted_us - first_us) / 1e6,
            .end_s = (double)(job->ended_us - first_us) / 1e6,
            .duration_s = job->duration_s,
            .predicted_s = job->predicted_s,
            .owner = job->owner,
        };
    }
    return ended;
}

static void judge_jobs(struct chirr_summary *summary, struct chirr_job_figure *figures,
                       size_t count)
{
    struct chirr_capacity capacities[CHIRR_FLEET_AGENTS_MAX];
    for (uint32_t i = 0; i < summary->agent_count; i++) {
        capacities[i] = summary->agents[i].capacity;
    }
    for (size_t i = 0; i < count; i++) {
        summary->agents[figures[i].owner].jobs++;
        summary->agents[figures[i].owner].busy_s += figures[i].duration_s;
    }
    chirr_figures_sort_by_end(figures, count);
    summary->predictions = chirr_figures_prediction_halves(figures, count);
    summary->makespan_jobs = (uint32_t)count;
    summary->makespan_swarm_s = count > 0 ? figures[count - 1].end_s : NAN;
    chirr_figures_sort_by_arrival(figures, count);
    summary->makespan_random_s = chirr_figures_random_makespan(
        figures, count, capacities, summary->agent_count,
        (struct chirr_random_draws){.seed = 1, .draws = CHIRR_SUMMARY_RANDOM_DRAWS});
}

static void add_up(struct chirr_summary *summary)
{
    for (uint32_t i = 0; i < summary->agent_count; i++) {
        chirr_snapshot_add_life(&summary->totals, &summary->agents[i].totals);
        summary->kills += summary->agents[i].kills;
        summary->restarts += summary->agents[i].restarts;
    }
}

enum chirr_err chirr_summary_collect(struct chirr_summary *summary,
                                     const struct chirr_launcher *launcher,
                                     const struct chirr_workload_run *run,
                                     const struct chirr_evaluation *evaluation)
{
    *summary = (struct chirr_summary){.agent_count = chirr_launcher_agent_count(launcher)};
    summary->jobs = chirr_workload_count(run);
    struct chirr_job_figure *figures = calloc(summary->jobs.planned + 1, sizeof *figures);
    if (figures == NULL) {
        return CHIRR_ERR_NOMEM;
    }
    memcpy(summary->swarm, chirr_launcher_fleet(launcher)->swarm, sizeof summary->swarm);
    for (uint32_t i = 0; i < summary->agent_count; i++) {
        collect_agent(&summary->agents[i], launcher, i, evaluation);
    }
    summary->own = mean_bits(summary, offsetof(struct chirr_evaluation_agent, own));
    summary->heldout = mean_bits(summary, offsetof(struct chirr_evaluation_agent, heldout));
    summary->own_heldout = mean_bits(summary, offsetof(struct chirr_evaluation_agent, own_heldout));
    judge_jobs(summary, figures,
               collect_jobs(chirr_workload_jobs(run), summary->jobs.planned, figures));
    add_up(summary);
    free(figures);
    return CHIRR_OK;
}

/* ---- Verdicts -------------------------------------------------------------------------------- */

/* Of a quantity that is better the smaller it is. */
static enum chirr_verdict judge(double ours, double theirs, double tie)
{
    if (isnan(ours) || isnan(theirs)) {
        return CHIRR_VERDICT_UNKNOWN;
    }
    if (fabs(ours - theirs) < tie) {
        return CHIRR_VERDICT_EQUAL;
    }
    return ours < theirs ? CHIRR_VERDICT_BETTER : CHIRR_VERDICT_WORSE;
}

enum chirr_verdict chirr_summary_knowledge_verdict(const struct chirr_bits *bits)
{
    return judge(bits->swarm, bits->alone, CHIRR_VERDICT_BITS);
}

enum chirr_verdict chirr_summary_allocation_verdict(const struct chirr_summary *summary)
{
    double random_s = summary->makespan_random_s.mean;
    return judge(summary->makespan_swarm_s, random_s, random_s * CHIRR_VERDICT_MAKESPAN_SHARE);
}

enum chirr_verdict
chirr_summary_prediction_verdict(const struct chirr_prediction_halves *predictions)
{
    return judge(predictions->second, predictions->first, CHIRR_VERDICT_PREDICTION_ERROR);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static const char *verdict_name(enum chirr_verdict verdict)
{
    static const char *const names[] = {
        [CHIRR_VERDICT_UNKNOWN] = "unknown",
        [CHIRR_VERDICT_BETTER] = "better",
        [CHIRR_VERDICT_EQUAL] = "equal",
        [CHIRR_VERDICT_WORSE] = "worse",
    };
    return names[verdict];
}

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *whole(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *json_of_bits(const struct chirr_bits *bits)
{
    return json_pack("{s:o, s:o, s:o}", "start", number(bits->start), "swarm", number(bits->swarm),
                     "alone", number(bits->alone));
}

static json_t *json_of_wire(const struct chirr_snapshot_totals *totals)
{
    return json_pack("{s:o, s:o, s:o}", "records", whole(totals->wire_records), "knowledge",
                     whole(totals->wire_knowledge), "membership", whole(totals->wire_membership));
}

static json_t *json_of_drops(const struct chirr_drops *drops)
{
    json_t *out = json_object();
    for (uint32_t i = 0; i < drops->count; i++) {
        json_object_set_new(out, drops->reasons[i].reason, whole(drops->reasons[i].count));
    }
    return out;
}

static json_t *json_of_predictions(const struct chirr_prediction_halves *halves)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:i, s:i}", "first_half", number(halves->first),
                     "second_half", number(halves->second), "first_half_factor",
                     number(exp(halves->first)), "second_half_factor", number(exp(halves->second)),
                     "first_half_jobs", (int)halves->first_count, "second_half_jobs",
                     (int)halves->second_count);
}

static json_t *json_of_makespan(const struct chirr_summary *summary)
{
    const struct chirr_spread *random = &summary->makespan_random_s;
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:i, s:i, s:s}", "swarm",
                     number(summary->makespan_swarm_s), "random", number(random->mean),
                     "random_deviation", number(random->deviation), "random_least",
                     number(random->least), "random_greatest", number(random->greatest),
                     "random_draws", CHIRR_SUMMARY_RANDOM_DRAWS, "jobs",
                     (int)summary->makespan_jobs, "random_is",
                     "simulated: the same jobs and arrivals, agents drawn uniformly, first come "
                     "first served per slot, measured durations scaled by owner's over agent's "
                     "CPU share, no auction, no kills");
}

static json_t *json_of_tasks(const struct chirr_summary *summary)
{
    const struct chirr_workload_counts *jobs = &summary->jobs;
    return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:o, s:o}", "planned",
                     (int)jobs->planned, "submitted", (int)jobs->accepted, "done", (int)jobs->done,
                     "failed", (int)jobs->failed, "lost", (int)jobs->open, "cancelled",
                     (int)jobs->cancelled, "refused", (int)jobs->refused, "reauctioned",
                     (int)jobs->reauctioned, "duplicates", (int)jobs->ended_twice,
                     "prediction_error", json_of_predictions(&summary->predictions), "makespan_s",
                     json_of_makespan(summary));
}

static json_t *json_of_agent(const struct chirr_summary_agent *agent)
{
    return json_pack("{s:s, s:s, s:b, s:f, s:i, s:i, s:o, s:i, s:i, s:{s:o, s:o, s:o}, s:o, s:o, "
                     "s:o, s:o, s:o}",
                     "name", agent->name, "device", agent->device, "up_at_the_end", agent->ready,
                     "cpu_share", agent->capacity.cpu_share, "slots", (int)agent->capacity.slots,
                     "jobs", (int)agent->jobs, "busy_s", number(agent->busy_s), "kills",
                     (int)agent->kills, "restarts", (int)agent->restarts, "bits_per_byte", "own",
                     json_of_bits(&agent->bits.own), "heldout", json_of_bits(&agent->bits.heldout),
                     "own_heldout", json_of_bits(&agent->bits.own_heldout), "bytes_learned",
                     whole(agent->totals.bytes_learned), "knowledge_bytes_in",
                     whole(agent->totals.knowledge_bytes_in), "knowledge_bytes_out",
                     whole(agent->totals.knowledge_bytes_out), "bytes_on_wire",
                     json_of_wire(&agent->totals), "drops", json_of_drops(&agent->totals.drops));
}

static json_t *json_of_verdicts(const struct chirr_summary *summary)
{
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s}", "knowledge_own",
        verdict_name(chirr_summary_knowledge_verdict(&summary->own)), "knowledge_own_heldout",
        verdict_name(chirr_summary_knowledge_verdict(&summary->own_heldout)), "knowledge_heldout",
        verdict_name(chirr_summary_knowledge_verdict(&summary->heldout)), "allocation",
        verdict_name(chirr_summary_allocation_verdict(summary)), "predictions",
        verdict_name(chirr_summary_prediction_verdict(&summary->predictions)));
}

json_t *chirr_summary_json(const struct chirr_summary *summary)
{
    json_t *agents = json_array();
    for (uint32_t i = 0; i < summary->agent_count; i++) {
        json_array_append_new(agents, json_of_agent(&summary->agents[i]));
    }
    return json_pack("{s:i, s:s, s:o, s:b, s:b, s:o, s:{s:o, s:o, s:o}, s:o, s:i, s:i, s:o, s:o, "
                     "s:o}",
                     "version", 1, "swarm", summary->swarm, "duration_s",
                     number(summary->duration_s), "chaos", summary->chaos, "interrupted",
                     summary->interrupted, "tasks", json_of_tasks(summary), "bits_per_byte", "own",
                     json_of_bits(&summary->own), "heldout", json_of_bits(&summary->heldout),
                     "own_heldout", json_of_bits(&summary->own_heldout), "bytes_on_wire",
                     json_of_wire(&summary->totals), "kills", (int)summary->kills, "restarts",
                     (int)summary->restarts, "drops", json_of_drops(&summary->totals.drops),
                     "swarm_against_alone_and_random", json_of_verdicts(summary), "agents", agents);
}

/* ---- Its file -------------------------------------------------------------------------------- */

static enum chirr_err temporary_name(const char *path, char temporary[CHIRR_PATH_BYTES_MAX],
                                     struct chirr_error *error)
{
    int bytes = snprintf(temporary, CHIRR_PATH_BYTES_MAX, "%s.new", path);
    return bytes >= 0 && bytes < CHIRR_PATH_BYTES_MAX
               ? CHIRR_OK
               : chirr_error_set(error, CHIRR_ERR_IO, "%s: this path is too long", path);
}

static enum chirr_err not_written(const char *path, int reason, struct chirr_error *error)
{
    return chirr_error_set(error, CHIRR_ERR_IO, "%s: the summary cannot be written: %s", path,
                           strerror(reason));
}

enum chirr_err chirr_summary_try_path(const char *path, struct chirr_error *error)
{
    char temporary[CHIRR_PATH_BYTES_MAX];
    struct stat status;
    enum chirr_err err = temporary_name(path, temporary, error);
    if (err != CHIRR_OK) {
        return err;
    }
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
        return not_written(path, EISDIR, error);
    }
    FILE *file = fopen(temporary, "we");
    if (file == NULL) {
        return not_written(path, errno, error);
    }
    fclose(file);
    unlink(temporary);
    return CHIRR_OK;
}

enum chirr_err chirr_summary_write(const struct chirr_summary *summary, const char *path,
                                   struct chirr_error *error)
{
    char temporary[CHIRR_PATH_BYTES_MAX];
    enum chirr_err err = temporary_name(path, temporary, error);
    if (err != CHIRR_OK) {
        return err;
    }
    json_t *json = chirr_summary_json(summary);
    bool written = json != NULL && json_dump_file(json, temporary, JSON_INDENT(2)) == 0 &&
                   rename(temporary, path) == 0;
    int reason = errno;
    json_decref(json);
    if (written) {
        return CHIRR_OK;
    }
    unlink(temporary);
    return not_written(path, reason, error);
}
