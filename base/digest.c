/* BLAKE2b cut to 64 bits, read little-endian. */
#include "base/digest.h"

#include "base/wire.h"

#define DIGEST_BYTES crypto_generichash_BYTES_MIN

void chirr_digest_begin(struct chirr_digest_state *state)
{
    crypto_generichash_init(&state->inner, NULL, 0, DIGEST_BYTES);
}

void chirr_digest_add(struct chirr_digest_state *state, const void *data, size_t bytes)
{
    crypto_generichash_update(&state->inner, data, bytes);
}

void chirr_digest_add_u64(struct chirr_digest_state *state, uint64_t value)
{
    uint8_t bytes[8];
    chirr_wire_put_u64(bytes, value);
    chirr_digest_add(state, bytes, sizeof bytes);
}

uint64_t chirr_digest_end(struct chirr_digest_state *state)
{
    uint8_t hash[DIGEST_BYTES];
    crypto_generichash_final(&state->inner, hash, sizeof hash);
    return chirr_wire_get_u64(hash);
}

uint64_t chirr_digest(const void *data, size_t bytes)
{
    struct chirr_digest_state state;
    chirr_digest_begin(&state);
    chirr_digest_add(&state, data, bytes);
    return chirr_digest_end(&state);
}
