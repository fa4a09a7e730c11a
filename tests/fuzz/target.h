/* What every fuzz target has: libFuzzer's entrance, and a way to say that something must hold. */
#ifndef CHIRR_TESTS_FUZZ_TARGET_H
#define CHIRR_TESTS_FUZZ_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static inline void must(bool condition)
{
    if (!condition) {
        abort();
    }
}

#endif
