/* The closing summary of `chirr up`: what was measured, and whether the swarm helped.
 *
 * Everything is measured but the random makespan, which is simulated from the measured durations
 * (agent/figures.h) and says so. The JSON has every figure of the text and more; docs/demo.md names
 * them. What is not known is NaN here, null in JSON and a dash for people. */
#ifndef CHIRR_AGENT_SUMMARY_H
#define CHIRR_AGENT_SUMMARY_H

#include <stdio.h>

#include "agent/evaluation.h"
#include "agent/figures.h"
#include "agent/workload.h"

#define CHIRR_SUMMARY_RANDOM_DRAWS 200

struct chirr_summary_agent {
    char name[CHIRR_NAME_BYTES_MAX];
    char device[CHIRR_NAME_BYTES_MAX];
    bool model, ready; /* at the end */
    uint32_t jobs;     /* of the workload, ended there */
    double busy_s;     /* that these took */
    uint32_t kills, restarts;
    struct chirr_capacity capacity;
    struct chirr_evaluation_agent bits;
    struct chirr_snapshot_totals totals;
};

struct chirr_summary {
    char swarm[CHIRR_NAME_BYTES_MAX];
    double duration_s;
    bool chaos, interrupted;
    struct chirr_workload_counts jobs;           /* `open` are the lost ones */
    struct chirr_bits own, own_heldout, heldout; /* means over agents */
    struct chirr_prediction_halves predictions;
    double makespan_swarm_s;
    struct chirr_spread makespan_random_s;
    uint32_t makespan_jobs; /* that both speak of */
    uint32_t kills, restarts;
    struct chirr_snapshot_totals totals;
    uint32_t agent_count;
    struct chirr_summary_agent agents[CHIRR_FLEET_AGENTS_MAX];
};

/* Large: take it from the heap. `evaluation` may be NULL. The caller fills in duration_s, chaos and
 * interrupted. CHIRR_ERR_NOMEM. */
CHIRR_NODISCARD enum chirr_err chirr_summary_collect(struct chirr_summary *summary,
                                                     const struct chirr_launcher *launcher,
                                                     const struct chirr_workload_run *run,
                                                     const struct chirr_evaluation *evaluation);

/* Whether the swarm helped, from the figures alone. */
enum chirr_verdict {
    CHIRR_VERDICT_UNKNOWN,
    CHIRR_VERDICT_BETTER,
    CHIRR_VERDICT_EQUAL, /* within what such a run can tell apart */
    CHIRR_VERDICT_WORSE,
};
#define CHIRR_VERDICT_BITS 0.005            /* differences below are equal */
#define CHIRR_VERDICT_MAKESPAN_SHARE 0.01   /* of the random mean */
#define CHIRR_VERDICT_PREDICTION_ERROR 0.02 /* of |ln(predicted / real)| */
enum chirr_verdict chirr_summary_knowledge_verdict(const struct chirr_bits *bits);
enum chirr_verdict chirr_summary_allocation_verdict(const struct chirr_summary *summary);
enum chirr_verdict
chirr_summary_prediction_verdict(const struct chirr_prediction_halves *predictions);

/* New reference; NULL: out of memory. */
json_t *chirr_summary_json(const struct chirr_summary *summary);
/* Whether `_write` could write there, told before a run that would end in vain; leaves nothing
 * behind. CHIRR_ERR_IO. */
CHIRR_NODISCARD enum chirr_err chirr_summary_try_path(const char *path, struct chirr_error *error);
/* Written under a temporary name, then renamed. */
CHIRR_NODISCARD enum chirr_err chirr_summary_write(const struct chirr_summary *summary,
                                                   const char *path, struct chirr_error *error);
void chirr_summary_print(const struct chirr_summary *summary, FILE *out);

#endif
