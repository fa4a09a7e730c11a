/* Chooses among the variants that were built by what this machine has. */
#include <string.h>

#include "model/kernel.h"

extern const struct chirr_kernels chirr_kernels_portable;
extern const struct chirr_kernels chirr_kernels_avx2;
extern const struct chirr_kernels chirr_kernels_avx512;
extern const struct chirr_kernels chirr_kernels_neon;

const struct chirr_kernels *chirr_kernels_named(const char *name)
{
#ifdef CHIRR_KERNELS_AVX512
    if (strcmp(name, "avx512") == 0 && __builtin_cpu_supports("avx512f")) {
        return &chirr_kernels_avx512;
    }
#endif
#ifdef CHIRR_KERNELS_AVX2
    if (strcmp(name, "avx2") == 0 && __builtin_cpu_supports("avx2") &&
        __builtin_cpu_supports("fma")) {
        return &chirr_kernels_avx2;
    }
#endif
#ifdef CHIRR_KERNELS_NEON
    if (strcmp(name, "neon") == 0) { /* every AArch64 machine has it */
        return &chirr_kernels_neon;
    }
#endif
    return strcmp(name, "portable") == 0 ? &chirr_kernels_portable : NULL;
}

const struct chirr_kernels *chirr_kernels_best(void)
{
    static const char *const best_first[] = {"avx512", "avx2", "neon"};
    for (size_t i = 0; i < sizeof best_first / sizeof *best_first; i++) {
        const struct chirr_kernels *kernels = chirr_kernels_named(best_first[i]);
        if (kernels != NULL) {
            return kernels;
        }
    }
    return &chirr_kernels_portable;
}
