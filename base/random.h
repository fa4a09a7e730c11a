/* Counter-based random streams: Philox4x32-10.
 *
 * Source: Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011,
 * section 4. A stream is (seed, stream number); its n-th value is a pure function of both and n,
 * so runs replay from one seed and streams never interfere. Not for keys: use libsodium.
 * Not thread-safe: one owner a stream; `chirr_philox` itself is pure. */
#ifndef CHIRR_BASE_RANDOM_H
#define CHIRR_BASE_RANDOM_H

#include <stdint.h>

/* The bijection itself: ten rounds over a 128-bit counter under a 64-bit key. */
void chirr_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

struct chirr_random {
    uint32_t key[2];     /* the seed */
    uint32_t counter[4]; /* [0..1] block number, [2..3] stream */
    uint32_t block[4];   /* output of the last block */
    uint32_t used;       /* words of `block` already handed out, 0…4 */
};

void chirr_random_init(struct chirr_random *random, uint64_t seed, uint64_t stream);

/* What is drawn next begins with block `block` of the stream: four words of 32 bits each. */
void chirr_random_seek(struct chirr_random *random, uint64_t block);

uint32_t chirr_random_u32(struct chirr_random *random);
uint64_t chirr_random_u64(struct chirr_random *random);

/* Uniform in [0, bound), without modulo bias; `bound` > 0. */
uint64_t chirr_random_below(struct chirr_random *random, uint64_t bound);

/* Uniform in [0, 1), a multiple of 2^-53. */
double chirr_random_uniform(struct chirr_random *random);

/* Mean 0, variance 1, |x| <= 4.9: a sum of eight 16-bit uniforms (Irwin-Hall), one block. Made of integers and
 * one multiplication, so that every machine gets the same bits; no libm. */
double chirr_random_normal(struct chirr_random *random);

/* Exponential with mean 1, for simulated arrivals. Uses log(): the same bits on one system only. */
double chirr_random_exponential(struct chirr_random *random);

#endif
