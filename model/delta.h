/* Knowledge deltas: the cumulative change of one partition by one origin, relative to genesis.
 *
 * The weights are a view: w = genesis + own + Σ_origins g · change_of(origin). The coordinates of a
 * partition are cut into blocks of CHIRR_DELTA_BLOCK; each block of each origin is a register whose
 * newest (version) wins, so that repeats and reordering do no harm and an origin can be taken out
 * again by g = 0. A delta carries the blocks that changed most since they were last published, as
 * absolute cumulative values (four bits with one scale a block); what room is left refreshes
 * blocks in turn, which heals what was lost. What was merged from others is never published as own.
 *
 * Exchange units are the partitions 0…P−1 and the trunk, index P: gains, byte embedding and byte
 * head. Encoders and heads of other senses are private.
 *
 * Layout: u8 format, u16 block count, then per block {gap to the previous index: LEB128, scale:
 * u16, the upper half of an f32, 64 × 4 bits: value + 8, low half first}. All little-endian. */
#ifndef CHIRR_MODEL_DELTA_H
#define CHIRR_MODEL_DELTA_H

#include "model/model.h"

#define CHIRR_DELTA_BLOCK 64
#define CHIRR_DELTA_BYTES_MAX 1100 /* longer ones are malformed */

/* The number of blocks of a partition, or of the trunk (index `config->partitions`). */
uint32_t chirr_delta_block_count(const struct chirr_model_config *config, uint32_t partition);

/* Writes the most changed blocks of own change that fit into `capacity` and marks them published.
 * `*bytes` is 0 when nothing changed. CHIRR_ERR_INVALID: the partition is not hosted.
 * CHIRR_ERR_RANGE: not one block fits. */
CHIRR_NODISCARD enum chirr_err chirr_delta_extract(struct chirr_model *model, uint32_t partition,
                                                   uint8_t *out, size_t capacity, size_t *bytes);

/* Norm of the own change of a partition that has not been published yet. */
double chirr_delta_drift(const struct chirr_model *model, uint32_t partition);

struct chirr_delta_source {
    uint64_t origin;      /* agent that learned it; never 0 */
    uint64_t incarnation; /* (incarnation, version) orders the deltas of one origin and partition */
    uint64_t version;
    uint32_t partition;
};

/* Replaces what the delta's blocks hold of that origin, where it is newer. The origin starts with
 * g = 0 until chirr_delta_weigh. CHIRR_ERR_MALFORMED: nothing was changed. CHIRR_ERR_NOTFINITE
 * likewise. CHIRR_ERR_STALE: nothing was newer. CHIRR_ERR_FULL: no room for another origin.
 * CHIRR_ERR_INVALID: the partition is not hosted, or the origin is 0. */
CHIRR_NODISCARD enum chirr_err chirr_delta_apply(struct chirr_model *model,
                                                 const struct chirr_delta_source *source,
                                                 const uint8_t *delta, size_t bytes);

/* Sets g of an origin, 0…1; 0 takes its influence out, to the last bit up to rounding.
 * CHIRR_ERR_NOTFOUND: nothing is held of that origin. CHIRR_ERR_RANGE: g is not in 0…1. */
CHIRR_NODISCARD enum chirr_err chirr_delta_weigh(struct chirr_model *model, uint64_t origin,
                                                 float g);

/* Takes an origin out and frees its place. */
void chirr_delta_revoke(struct chirr_model *model, uint64_t origin);

/* The origin held with the smallest g, of equals the smallest identity; 0: none is held. */
uint64_t chirr_delta_weakest(const struct chirr_model *model);

/* Sets g of every origin to 0 and keeps what is held of it: after a load, when whoever weighs them
 * begins anew. */
void chirr_delta_silence(struct chirr_model *model);

#endif
