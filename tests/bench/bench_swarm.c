/* What benchmarks of the swarm there are, and what those with processes share. */
#include "tests/bench/bench_swarm.h"

#include <math.h>

const struct chirr_bench *const chirr_bench_swarm[] = {
    &chirr_bench_swarm_join,   &chirr_bench_swarm_agent,   &chirr_bench_swarm_broadcast,
    &chirr_bench_swarm_detect, &chirr_bench_swarm_recover, &chirr_bench_swarm_redundancy,
    &chirr_bench_swarm_missed, &chirr_bench_swarm_spread,  &chirr_bench_swarm_false_dead,
    &chirr_bench_swarm_heal,   &chirr_bench_swarm_load,
};
const size_t chirr_bench_swarm_count = sizeof chirr_bench_swarm / sizeof *chirr_bench_swarm;

uint32_t chirr_bench_swarm_agents(const struct chirr_bench_context *context)
{
    return context->agents != 0 ? context->agents : CHIRR_BENCH_SWARM_AGENTS;
}

void chirr_bench_swarm_unmeasured(struct chirr_bench_context *context,
                                  const struct chirr_bench_result *result, const char *why)
{
    struct chirr_bench_result nothing = *result;
    nothing.value = NAN;
    if (nothing.fields == NULL) {
        nothing.fields = json_object();
    }
    json_object_set_new(nothing.fields, "unmeasured", json_string(why));
    chirr_bench_report(context, &nothing);
}
