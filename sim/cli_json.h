/* A simulation's report as JSON, for `chirr sim run --json`. */
#ifndef CHIRR_SIM_CLI_JSON_H
#define CHIRR_SIM_CLI_JSON_H

#include "sim/report.h"

/* `wall_s`: how long it took. CHIRR_ERR_NOMEM; CHIRR_ERR_IO. */
CHIRR_NODISCARD enum chirr_err chirr_cli_json_report(const struct chirr_sim_report *report,
                                                     double wall_s, FILE *out);

#endif
