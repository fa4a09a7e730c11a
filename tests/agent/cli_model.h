/* `chirr model` as people and scripts use it: texts to learn, and trainings of the real executable.
 */
#ifndef CHIRR_TESTS_AGENT_CLI_MODEL_H
#define CHIRR_TESTS_AGENT_CLI_MODEL_H

#include <criterion/criterion.h>

#include "tests/agent/cli_home.h"

#define SHAPE "16,1,64,16,4,4"
#define TEXT_BYTES ((size_t)100000)

/* Before each test: a home with a.txt, of a little more than TEXT_BYTES, and b.txt, of 9,001. */
void cli_model_enter(void);

/* How a training ended. */
struct result {
    char state[32];
    double bits, held_out;
    long long bytes;
};

struct result result_of(const struct run *of);
/* Trains on both texts up to so many bytes. */
struct result train(const char *model, const char *bytes);
void expect_equal(const struct result *a, const struct result *b);

#endif
