/* Genesis: the parameters that every agent of a lineage begins with.
 *
 * A coordinate is drawn by counter from (genesis seed, unit, place in the unit), without libm, so
 * that every machine makes the same bits, whatever it hosts and in whatever order it asks: matrices
 * N(0, 1/fan-in), those that add to the residual stream also over the root of the number of such
 * additions, embeddings N(0, 1), heads N(0, 0.1²) (format 1: 0.02²), gains 1. Thread-safe: pure. */
#ifndef CHIRR_MODEL_GENESIS_H
#define CHIRR_MODEL_GENESIS_H

#include "model/layout.h"
#include "model/real.h"

/* Coordinates [begin, begin + count) into `out` [count]; what is between units is 0. */
void chirr_genesis_fill(const struct chirr_model_config *config, const struct chirr_layout *layout,
                        size_t begin, size_t count, chirr_real *out);

#endif
