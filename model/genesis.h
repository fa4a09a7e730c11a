/* The parameters that every agent of a lineage starts from.
 *
 * A pure function of (body shape, genesis seed, coordinate), by counter (base/random.h) and without
 * libm: every machine makes the same bits, whatever partitions it hosts. A private encoder or head
 * is seeded by the name of its sense. */
#ifndef CHIRR_MODEL_GENESIS_H
#define CHIRR_MODEL_GENESIS_H

#include "model/layout.h"
#include "model/real.h"

/* Fills `parameters` [layout->total]; padding is zero. */
void chirr_genesis_fill(const struct chirr_model_config *config, const struct chirr_layout *layout,
                        chirr_real *parameters);

#endif
