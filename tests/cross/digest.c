/* Digests of what the kernels compute, to compare machines: the fused variants' products must have
 * one digest everywhere, portable's another, and what is done element by element the same one in
 * all variants. Exits with 1 where a digest is not what the other machines have. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "model/kernel.h"

#define ROOM (1 << 16)
#define SHAPES 500

#define PRODUCTS_PORTABLE UINT64_C(0x2cfeebccea3e2ad2)
#define PRODUCTS_FUSED UINT64_C(0xb20d2787e300d9f6)
#define ELEMENTS UINT64_C(0xf6a76e8bf55422cf)

static float x[ROOM], w[ROOM], y[ROOM];
static uint16_t w_narrow[ROOM + CHIRR_KERNEL_OVERREAD];

static uint64_t digest(uint64_t hash, const void *bytes, size_t count)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < count; i++) {
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
    }
    return hash;
}

static uint64_t products(const struct chirr_kernels *k)
{
    struct chirr_random random;
    chirr_random_init(&random, 7, 0);
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (int shape = 0; shape < SHAPES; shape++) {
        struct chirr_product s = {.groups = 1 + chirr_random_below(&random, 6),
                                  .rows = shape % 2 == 0 ? 1 : chirr_random_below(&random, 20),
                                  .inner = chirr_random_below(&random, 70),
                                  .columns = chirr_random_below(&random, 60)};
        s.x_row = s.inner;
        s.x_inner = 1;
        s.x_group = s.rows * s.inner;
        s.w_inner = s.groups * s.columns;
        s.w_group = s.y_group = s.columns;
        s.y_row = s.w_inner;
        size_t bytes = s.rows * s.y_row * sizeof *y;
        memcpy(y, x + 77, sizeof y - 77 * sizeof *y);
        k->product(&s, x, w, y);
        hash = digest(hash, y, bytes);
        k->product_narrow(&s, x, w_narrow, y);
        hash = digest(hash, y, bytes);
        s.w_group = s.columns * s.inner;
        s.w_inner = s.inner;
        k->product_transposed(&s, x, w, y);
        hash = digest(hash, y, bytes);
    }
    return hash;
}

static uint64_t elements(const struct chirr_kernels *k)
{
    enum { COUNT = 4099 };
    const struct chirr_descent descent = {
        .clip = 0.5f, .rate = 0.1f, .decay = 0.99f, .bound = 1.0f, .average = 0.125f};
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    k->gate(COUNT, x, w, y);
    hash = digest(hash, y, COUNT * sizeof *y);
    const float *pair[2] = {x, w};
    k->gate_backward(COUNT, pair, x + COUNT, y, y + COUNT);
    hash = digest(hash, y, 2 * COUNT * sizeof *y);
    float scale = k->norm(COUNT, x, w, y, y + COUNT);
    hash = digest(hash, y, 2 * COUNT * sizeof *y);
    float *d_x_d_gain[2] = {y + 2 * COUNT, y + 3 * COUNT};
    memset(d_x_d_gain[0], 0, 2 * COUNT * sizeof *y);
    k->norm_backward(COUNT, scale, w, y, x, d_x_d_gain);
    hash = digest(hash, d_x_d_gain[0], 2 * COUNT * sizeof *y);
    k->softmax(COUNT, y);
    k->blend(COUNT, 0.3f, y, 0.7f, x);
    memset(y + COUNT, 0, 4 * COUNT * sizeof *y);
    double length = k->descend_moment(&descent, COUNT, x, y + COUNT);
    const struct chirr_descent_arrays arrays = {.gradient = x,
                                                .moment = y + COUNT,
                                                .base = w,
                                                .own = y + 2 * COUNT,
                                                .average = y + 3 * COUNT,
                                                .weights = y + 4 * COUNT};
    k->descend_move(&descent, COUNT, &arrays);
    hash = digest(hash, &length, sizeof length);
    hash = digest(hash, y, 5 * COUNT * sizeof *y);
    return digest(hash, w_narrow, ROOM * sizeof *w_narrow);
}

int main(void)
{
    static const char *const variants[] = {"portable", "avx2", "avx512", "neon"};
    struct chirr_random random;
    int failures = 0;
    chirr_random_init(&random, 7, 1);
    for (size_t i = 0; i < ROOM; i++) { /* no libm: machines must start from the same bits */
        x[i] = (float)(int32_t)chirr_random_u32(&random) * 0x1p-31f;
        w[i] = (float)(int32_t)chirr_random_u32(&random) * 0x1p-31f;
    }
    for (size_t v = 0; v < sizeof variants / sizeof *variants; v++) {
        const struct chirr_kernels *k = chirr_kernels_named(variants[v]);
        if (k == NULL) {
            continue;
        }
        k->narrow(ROOM, w, w_narrow);
        uint64_t of_products = products(k);
        uint64_t of_elements = elements(k);
        printf("%-8s products %016" PRIx64 " elements %016" PRIx64 "\n", variants[v], of_products,
               of_elements);
        failures += of_products != (v == 0 ? PRODUCTS_PORTABLE : PRODUCTS_FUSED);
        failures += of_elements != ELEMENTS;
    }
    return failures == 0 ? 0 : 1;
}
