/* What an agent answered to `status`, as plain figures: for the table and the closing summary.
 *
 * An agent that is started again counts from zero; `chirr_snapshot_add_life` keeps what its former
 * lives had counted. Figures not known are NaN or 0. Pure functions. */
#ifndef CHIRR_AGENT_SNAPSHOT_H
#define CHIRR_AGENT_SNAPSHOT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/message.h"

#define CHIRR_SNAPSHOT_DROPS_MAX 64
#define CHIRR_SNAPSHOT_REASON_BYTES_MAX 40

struct chirr_drop_count {
    char reason[CHIRR_SNAPSHOT_REASON_BYTES_MAX];
    uint64_t count;
};

struct chirr_drops {
    uint32_t count;
    struct chirr_drop_count reasons[CHIRR_SNAPSHOT_DROPS_MAX]; /* in the order first seen */
};

/* Whatever only grows while an agent lives. */
struct chirr_snapshot_totals {
    uint64_t knowledge_bytes_in, knowledge_bytes_out;
    uint64_t deltas_applied, deltas_out;
    uint64_t tasks_done, tasks_failed;
    uint64_t wire_records, wire_knowledge, wire_membership; /* bytes received, framed: a copy a receiver */
    uint64_t bytes_learned;
    struct chirr_drops drops;
};

struct chirr_snapshot {
    bool model; /* learns at all */
    char id[17];
    uint32_t running;
    uint32_t members_alive; /* beside itself */
    double bits_start, bits_now, bits_alone, surprise;
    double predicted_s_last, real_s_last;
    double loop_lag_ms_max;
    struct chirr_snapshot_totals totals;
};

/* Takes `status` as it is: what is missing or of another type counts as unknown. */
void chirr_snapshot_parse(const json_t *status, struct chirr_snapshot *snapshot);

/* `sum` += `life`, drop reasons by name; reasons beyond the maximum are added up as "other". */
void chirr_snapshot_add_life(struct chirr_snapshot_totals *sum,
                             const struct chirr_snapshot_totals *life);

#endif
