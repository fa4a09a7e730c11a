/* Chooses among the vector widths that were built by what this machine has. */
#include <string.h>

#include "model/kernel.h"

extern const struct chirr_kernels chirr_kernels_portable;
#ifdef CHIRR_KERNELS_X86
extern const struct chirr_kernels chirr_kernels_avx2;
extern const struct chirr_kernels chirr_kernels_avx512;
#endif

const struct chirr_kernels *chirr_kernels_named(const char *name)
{
#ifdef CHIRR_KERNELS_X86
    if (strcmp(name, "avx512") == 0 && __builtin_cpu_supports("avx512f")) {
        return &chirr_kernels_avx512;
    }
    if (strcmp(name, "avx2") == 0 && __builtin_cpu_supports("avx2")) {
        return &chirr_kernels_avx2;
    }
#endif
    return strcmp(name, "portable") == 0 ? &chirr_kernels_portable : NULL;
}

const struct chirr_kernels *chirr_kernels_best(void)
{
    static const char *const widest_first[] = {"avx512", "avx2"};
    for (size_t i = 0; i < sizeof widest_first / sizeof *widest_first; i++) {
        const struct chirr_kernels *kernels = chirr_kernels_named(widest_first[i]);
        if (kernels != NULL) {
            return kernels;
        }
    }
    return &chirr_kernels_portable;
}
