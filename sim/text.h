/* Text that an agent can learn from: an order-2 Markov source over made-up words.
 *
 * The next word is drawn from a few candidates that depend on the two words before it. Part of the
 * choices follow rules that all agents share, part those of the agent's group: what one agent
 * learns is of some use to another, more to its group. The rules are hashes of (seed, group,
 * context), so that a source takes no memory for tables. Deterministic. */
#ifndef CHIRR_SIM_TEXT_H
#define CHIRR_SIM_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/random.h"

#define CHIRR_SIM_TEXT_WORD_BYTES_MAX 12

struct chirr_sim_text_config {
    uint64_t seed;            /* of the rules: equal in a whole world */
    uint32_t group;           /* whose own rules */
    uint32_t words;           /* size of the vocabulary, 2…65,536 */
    uint32_t shared_permille; /* of the choices that follow the shared rules */
};

struct chirr_sim_text {
    struct chirr_sim_text_config config;
    uint32_t previous[2];
    char word[CHIRR_SIM_TEXT_WORD_BYTES_MAX]; /* being written; no NUL */
    uint32_t word_bytes;
    uint32_t word_used;
};

void chirr_sim_text_init(struct chirr_sim_text *text, const struct chirr_sim_text_config *config);

/* Writes the next `count` bytes: lower-case words with a blank after each. */
void chirr_sim_text_read(struct chirr_sim_text *text, struct chirr_random *random, uint8_t *out,
                         size_t count);

#endif
