/* Which partitions answer which sense: the running shares that a model keeps (model/model.h,
 * chirr_model_activation), as plain data, so that they can leave the thread that owns the model.
 *
 * Shares are averages over about the last 2,048 steps of a sense, or over all while they were
 * fewer. Without a selector every hosted partition answers at each step. Outcomes have none: they
 * read the body, but too seldom to be averaged. Pure functions of their arguments. */
#ifndef CHIRR_AGENT_ACTIVATION_H
#define CHIRR_AGENT_ACTIVATION_H

#include <jansson.h>

#include "model/model.h"

#define CHIRR_ACTIVATION_SHARES_MAX                                                                \
    (CHIRR_MODEL_SENSES_MAX * CHIRR_MODEL_LAYERS_MAX * CHIRR_MODEL_PARTITIONS_MAX)

struct chirr_activation_sense {
    char name[CHIRR_MODEL_NAME_BYTES_MAX];
    bool known; /* it has learned, so there is something to say */
};

struct chirr_activation {
    uint32_t layers;
    uint32_t partitions;
    uint32_t active;      /* as in the model's configuration */
    uint32_t sense_count; /* without outcomes */
    uint64_t hosted;
    struct chirr_activation_sense senses[CHIRR_MODEL_SENSES_MAX];
    uint16_t permille[CHIRR_ACTIVATION_SHARES_MAX]; /* [sense_count, layers, partitions] of the
                                                       steps; what follows is not set */
};

void chirr_activation_read(const struct chirr_model *model, struct chirr_activation *out);

/* From the beginning to the last share that is set. */
size_t chirr_activation_bytes(const struct chirr_activation *activation);

/* {"partitions", "active", "layers", "hosted": [p, …], "senses": [{"name", "shares":
 * [{"partition", "share": [of each layer]}]}]}; "shares" is null while not known. A new reference.
 */
json_t *chirr_activation_json(const struct chirr_activation *activation);

#endif
