/* Inside the scenario: a broken rule, for whoever knows the line that it stands on. */
#ifndef CHIRR_SIM_SCENARIO_RULES_H
#define CHIRR_SIM_SCENARIO_RULES_H

#include "sim/scenario.h"

struct chirr_sim_broken_rule {
    char path[96];                             /* "crashes[1].count" */
    char expected[CHIRR_ERROR_TEXT_BYTES_MAX]; /* in words */
};

/* The first rule between fields that is broken; false when none is. */
bool chirr_sim_scenario_breaks(const struct chirr_sim_scenario *scenario,
                               struct chirr_sim_broken_rule *rule);

#endif
