/* Runs a fuzz target over random bytes, so that a test reaches past the corpus where there is no
 * fuzzer:
 *      random SEED COUNT
 * runs the seeds SEED, SEED + 1, … in a process of its own, so that whatever ends that, the seed is
 * told. `random SEED 1` replays it. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/random.h"
#include "tests/fuzz/target.h"

#define INPUT_BYTES_MAX 4096

static void run_seed(uint64_t seed)
{
    struct chirr_random random;
    chirr_random_init(&random, seed, 0);
    size_t bytes = 1 + chirr_random_below(&random, INPUT_BYTES_MAX);
    uint8_t *data = malloc(bytes);
    must(data != NULL);
    for (size_t i = 0; i < bytes; i++) {
        data[i] = (uint8_t)chirr_random_u32(&random);
    }
    LLVMFuzzerTestOneInput(data, bytes);
    free(data);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: random SEED COUNT\n");
        return 2;
    }
    uint64_t first = strtoull(argv[1], NULL, 10);
    uint64_t count = strtoull(argv[2], NULL, 10);
    volatile uint64_t *seed =
        mmap(NULL, sizeof *seed, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(seed != MAP_FAILED);
    pid_t child = fork();
    must(child >= 0);
    if (child == 0) {
        for (*seed = first; *seed < first + count; (*seed)++) {
            run_seed(*seed);
        }
        _exit(0);
    }
    int status = 0;
    must(waitpid(child, &status, 0) == child);
    if (status != 0) {
        printf("failed at seed %" PRIu64 "; replay: %s %" PRIu64 " 1\n", *seed, argv[0], *seed);
        return 1;
    }
    printf("%" PRIu64 " inputs\n", count);
    return 0;
}
