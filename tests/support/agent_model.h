/* The model of a simulated agent (sim/scenario.c), with its sense of outcomes: what batches are
 * for. */
#ifndef CHIRR_TESTS_SUPPORT_AGENT_MODEL_H
#define CHIRR_TESTS_SUPPORT_AGENT_MODEL_H

#include "model/model.h"

static inline struct chirr_model_config agent_model_config(void)
{
    struct chirr_model_config config = chirr_model_config_default();
    config.width = 16;
    config.layers = 1;
    config.section_width = 48;
    config.mlp_width = 16;
    config.input_gate = false;
    config.gram_rows = 0;
    config.partitions = 4;
    config.hosted = 0xF;
    config.replay_bytes = 8 * 1024;
    config.sense_count = 2;
    config.senses[1] =
        (struct chirr_model_sense){.name = "outcome", .kind = CHIRR_SENSE_OUTCOME, .width = 12};
    return config;
}

#endif
