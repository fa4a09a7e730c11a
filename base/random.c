/* Philox4x32-10 and what is drawn from it. */
#include "base/random.h"

#include <math.h>
#include <string.h>

#include "base/error.h"

#define PHILOX_M0 UINT32_C(0xD2511F53)
#define PHILOX_M1 UINT32_C(0xCD9E8D57)
#define PHILOX_W0 UINT32_C(0x9E3779B9)
#define PHILOX_W1 UINT32_C(0xBB67AE85)
#define PHILOX_ROUNDS 10

void chirr_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]};
    uint32_t k0 = key[0];
    uint32_t k1 = key[1];
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        uint64_t p0 = (uint64_t)PHILOX_M0 * c[0];
        uint64_t p1 = (uint64_t)PHILOX_M1 * c[2];
        uint32_t next[4] = {
            (uint32_t)(p1 >> 32) ^ c[1] ^ k0,
            (uint32_t)p1,
            (uint32_t)(p0 >> 32) ^ c[3] ^ k1,
            (uint32_t)p0,
        };
        memcpy(c, next, sizeof c);
        k0 += PHILOX_W0;
        k1 += PHILOX_W1;
    }
    memcpy(out, c, sizeof c);
}

void chirr_random_init(struct chirr_random *random, uint64_t seed, uint64_t stream)
{
    memset(random, 0, sizeof *random);
    random->key[0] = (uint32_t)seed;
    random->key[1] = (uint32_t)(seed >> 32);
    random->counter[2] = (uint32_t)stream;
    random->counter[3] = (uint32_t)(stream >> 32);
    random->used = 4;
}

void chirr_random_seek(struct chirr_random *random, uint64_t block)
{
    random->counter[0] = (uint32_t)block;
    random->counter[1] = (uint32_t)(block >> 32);
    random->used = 4;
}

uint32_t chirr_random_u32(struct chirr_random *random)
{
    if (random->used == 4) {
        chirr_philox(random->counter, random->key, random->block);
        random->used = 0;
        if (++random->counter[0] == 0) {
            random->counter[1]++;
        }
    }
    return random->block[random->used++];
}

uint64_t chirr_random_u64(struct chirr_random *random)
{
    uint64_t low = chirr_random_u32(random);
    return low | (uint64_t)chirr_random_u32(random) << 32;
}

uint64_t chirr_random_below(struct chirr_random *random, uint64_t bound)
{
    CHIRR_ASSERT(bound > 0);
    /* Values under 2^64 mod bound would make the small results likelier: draw again. */
    uint64_t reject = (0 - bound) % bound;
    uint64_t value;
    do {
        value = chirr_random_u64(random);
    } while (value < reject);
    return value % bound;
}

double chirr_random_uniform(struct chirr_random *random)
{
    return (double)(chirr_random_u64(random) >> 11) * 0x1p-53;
}

double chirr_random_normal(struct chirr_random *random)
{
    int32_t sum = 0;
    for (int word = 0; word < 4; word++) {
        uint32_t bits = chirr_random_u32(random);
        sum += (int32_t)(bits & 0xFFFF) + (int32_t)(bits >> 16);
    }
    /* Eight uniforms on 0…65535: mean 8·65535/2, variance 8·(65536² − 1)/12. */
    const double deviation_inverse = 1.8688123650118534e-05;
    return (double)(sum - 4 * 65535) * deviation_inverse;
}

double chirr_random_exponential(struct chirr_random *random)
{
    return -log(1.0 - chirr_random_uniform(random));
}
