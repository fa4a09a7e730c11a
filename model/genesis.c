#include "model/genesis.h"

#include <math.h>
#include <string.h>

#include "base/digest.h"
#include "base/random.h"

/* Streams of the genesis seed: partitions by number, the trunk after the last possible one, and
 * senses by the digest of their name, whose top bit keeps them apart from the others. */
#define TRUNK_STREAM CHIRR_MODEL_PARTITIONS_MAX
#define SENSE_STREAM_BIT (UINT64_C(1) << 63)

static void fill_normal(struct chirr_random *random, double deviation, chirr_real *out,
                        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        out[i] = (chirr_real)(chirr_random_normal(random) * deviation);
    }
}

static void fill_constant(chirr_real value, chirr_real *out, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        out[i] = value;
    }
}

static void fill_partition(const struct chirr_model_config *config,
                           const struct chirr_layout *layout, uint32_t unit, chirr_real *parameters)
{
    struct chirr_random random;
    chirr_random_init(&random, config->genesis_seed, layout->hosted[unit]);
    /* Fan-ins count the whole body, not what is hosted: every device makes the same bits. What adds
     * to the residual is scaled down by the number of additions. */
    double residual = 1 / sqrt(2.0 * config->layers);
    double from_width = 1 / sqrt((double)config->width);
    double from_sections = residual / sqrt(2.0 * config->section_width);
    double from_mlp = residual / sqrt((double)config->mlp_width);
    for (uint32_t layer = 0; layer < config->layers; layer++) {
        chirr_real *at = parameters + chirr_layout_layer(layout, unit, layer);
        fill_normal(&random, from_width, at + layout->history, layout->output - layout->history);
        fill_normal(&random, from_sections, at + layout->output, layout->gate - layout->output);
        fill_normal(&random, from_width, at + layout->gate, layout->down - layout->gate);
        fill_normal(&random, from_mlp, at + layout->down, layout->layer_size - layout->down);
    }
}

static void fill_trunk(const struct chirr_model_config *config, const struct chirr_layout *layout,
                       chirr_real *parameters)
{
    struct chirr_random random;
    chirr_random_init(&random, config->genesis_seed, TRUNK_STREAM);
    fill_constant(1, parameters + layout->gains, layout->embedding - layout->gains);
    fill_normal(&random, 1, parameters + layout->embedding, layout->head - layout->embedding);
    fill_normal(&random, 0.02, parameters + layout->head, layout->head_bias - layout->head);
}

static void fill_sense(const struct chirr_model_config *config,
                       const struct chirr_layout_sense *sense, const char *name,
                       chirr_real *parameters)
{
    struct chirr_random random;
    uint64_t stream = chirr_digest(name, strlen(name)) | SENSE_STREAM_BIT;
    chirr_random_init(&random, config->genesis_seed, stream);
    double from_inputs = sense->inputs > 0 ? 1 / sqrt((double)sense->inputs) : 0;
    fill_normal(&random, from_inputs, parameters + sense->encoder,
                sense->encoder_bias - sense->encoder);
    fill_normal(&random, 0.3, parameters + sense->encoder_bias, sense->head - sense->encoder_bias);
    fill_normal(&random, 0.02, parameters + sense->head, sense->head_bias - sense->head);
    fill_constant(CHIRR_REAL(0.5), parameters + sense->persistence,
                  sense->end - sense->persistence);
}

void chirr_genesis_fill(const struct chirr_model_config *config, const struct chirr_layout *layout,
                        chirr_real *parameters)
{
    memset(parameters, 0, layout->total * sizeof *parameters);
    for (uint32_t unit = 0; unit < layout->hosted_count; unit++) {
        fill_partition(config, layout, unit, parameters);
    }
    fill_trunk(config, layout, parameters);
    for (uint32_t i = 0; i < config->sense_count; i++) {
        fill_sense(config, &layout->senses[i], config->senses[i].name, parameters);
    }
}
