/* The selector: which partitions answer at a step of a layer.
 *
 *   s = W_r n                         one number for each of P partitions, from the layer's input
 *   score = sigmoid(s) + offset + noise
 *   the k hosted partitions of greatest score answer, each scaled by 2 sigmoid(s)
 *
 * `offset` follows the load and takes no gradient (Wang et al., "Auxiliary-Loss-Free Load Balancing
 * Strategy for Mixture-of-Experts", arXiv 2408.15664): a partition that answers less often than its
 * share over all senses gains. Deviation: what a sense uses more than the others do gains for that
 * sense, so that senses part company while the sum stays even. Noise leads from random to targeted
 * and ends after CHIRR_SELECTOR_NOISE_UPDATES. Not thread-safe. */
#ifndef CHIRR_MODEL_SELECTOR_H
#define CHIRR_MODEL_SELECTOR_H

#include "base/arena.h"
#include "model/kernel.h"
#include "model/layout.h"
#include "model/stream.h"

#define CHIRR_SELECTOR_NOISE_UPDATES 100

/* Of the learning rate: a part of the text that keeps moving from one partition to the next is
 * learned by none. */
#define CHIRR_SELECTOR_RATE CHIRR_REAL(0.25)

/* Factor on the learning rate of partitions, 1 without a selector. One that answers at k of H steps
 * has the gradient of a smaller batch. Where noise is all of a gradient, rates fall with the root
 * of a batch (Malladi et al., "On the SDEs and Scaling Rules for Adaptive Gradient Algorithms",
 * arXiv 2205.10287); it is not, and the fourth root was measured to be better. */
chirr_real chirr_selector_partition_rate(const struct chirr_layout *layout);

struct chirr_selector {
    size_t count;                              /* L · H: layers and hosted units */
    chirr_real *bias;                          /* [L][H] */
    chirr_real *load;                          /* [L][H] share of recent steps, over all senses */
    chirr_real *loads[CHIRR_MODEL_SENSES_MAX]; /* [L][H] and of each sense */
};

size_t chirr_selector_bytes(const struct chirr_layout *layout, uint32_t sense_count);

/* False when the arena is too small. */
bool chirr_selector_init(struct chirr_selector *selector, struct chirr_arena *arena,
                         const struct chirr_layout *layout, uint32_t sense_count);

/* Chooses for one step and layer from its logits [P]: writes the units, ascending, and their
 * sigmoids. */
struct chirr_choice {
    uint8_t *units;     /* [S] */
    chirr_real *opened; /* [S] sigmoid(s) of each */
};
void chirr_selector_choose(const struct chirr_layout *layout, const struct chirr_stream *stream,
                           uint32_t layer, uint32_t t, const chirr_real *logits,
                           const struct chirr_choice *choice);

/* The noise of a sense's stream after so many of its own updates: whichever sense begins late,
 * begins at random. */
chirr_real chirr_selector_noise(const struct chirr_layout *layout, uint64_t updates);

/* Takes the open chunk of a sense into the loads, moves the bias, and renews the stream's offsets
 * and noise. `updates` are the sense's. */
void chirr_selector_follow(struct chirr_selector *selector, const struct chirr_layout *layout,
                           uint32_t sense, struct chirr_stream *stream, uint64_t updates);

#endif
