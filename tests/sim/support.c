#include "tests/sim/support.h"

#include <stdlib.h>

uint64_t test_seed(uint64_t usual)
{
    const char *text = getenv("CHIRR_TEST_SEED");
    return text == NULL ? usual : strtoull(text, NULL, 10);
}
