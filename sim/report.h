/* What came of a run, as one plain struct.
 *
 * Everything is measured by the observer; nothing is assumed. Where there was nothing to measure, a
 * number is NaN. */
#ifndef CHIRR_SIM_REPORT_H
#define CHIRR_SIM_REPORT_H

#include <stdio.h>

#include "sim/world.h"

struct chirr_sim_task_figures {
    uint32_t submitted;
    uint32_t done;   /* exit code 0 */
    uint32_t failed; /* done, but with another end */
    uint32_t cancelled;
    uint32_t unfinished;
    uint32_t excused; /* died with the only disk that held them */
    uint32_t duplicate_completions;
    uint64_t runs_started, runs_stopped;
    double wait_s_mean; /* from submission to the first start */
    double span_s_mean; /* from submission to the first completion */
    double span_s_max;
    /* exp of the mean |ln(predicted / real)| of all that a prediction was made for: 1.3 means that
     * predictions were off by a factor of 1.3, either way. In the order of completion. */
    double prediction_factor_first_half;
    double prediction_factor_second_half;
};

/* Bits per byte, means over the agents that are up at the end. */
struct chirr_sim_learning_figures {
    double own_start; /* over each agent's first CHIRR_LEARNER_WINDOW bytes */
    double own_now;   /* over its last ones */
    double own_alone; /* of the controls */
    double heldout_genesis, heldout_swarm, heldout_alone; /* texts of all groups, frozen */
    uint64_t bytes_sensed;
    uint64_t deltas_applied;
};

struct chirr_sim_report {
    char scenario[CHIRR_NAME_BYTES_MAX];
    uint64_t seed;
    uint32_t agents, agents_up;
    bool local_view;
    uint32_t members_max, authors_max; /* that one agent knew, or held records of, at a check */
    size_t node_bytes_max;             /* one agent's, without its learner */
    double duration_s, settled_after_s;
    uint64_t events;
    uint32_t events_waiting_max;
    struct chirr_sim_counters counters;
    struct chirr_sim_network_counters network;
    struct chirr_sim_task_figures tasks;
    struct chirr_sim_learning_figures learning;
    struct chirr_sim_spans detection, agreement;
    uint64_t state_hash;
    bool violated;
    double violated_at_s;
    char violation[256];
};

/* Evaluates models on held-out text; changes nothing that a continued run would see. */
void chirr_sim_report_collect(const struct chirr_sim_world *world, struct chirr_sim_report *report);

/* `wall_s`: how long it took, measured by the caller. */
void chirr_sim_report_print(const struct chirr_sim_report *report, double wall_s, FILE *out);

/* What messages are for. */
enum chirr_sim_traffic {
    CHIRR_SIM_TRAFFIC_MEMBERSHIP,
    CHIRR_SIM_TRAFFIC_HEARTBEATS,
    CHIRR_SIM_TRAFFIC_RECORDS,
    CHIRR_SIM_TRAFFIC_KNOWLEDGE,
    CHIRR_SIM_TRAFFIC_COUNT,
};
const char *chirr_sim_traffic_name(enum chirr_sim_traffic traffic); /* "membership", … */
/* Of a counter by kind of message. */
uint64_t chirr_sim_traffic_sum(const uint64_t by_kind[CHIRR_MESSAGE_KINDS],
                               enum chirr_sim_traffic traffic);

#endif
