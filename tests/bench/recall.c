/* Does a model learn to recall what it read some steps ago?
 *
 *   recall [CHUNK [GAP [BYTES [SEEDS [RATE]]]]]
 *
 * The stream is random letters of four. A mark says: keep the next letter; GAP steps after that
 * letter a question asks for it. The letters between are drawn alike, so only the mark tells which
 * one counts, and no table of n-grams reaches from the question back to it: the layers below have
 * to write the marked letter so that it can be told at the question, and what teaches them that is
 * credit over GAP steps. Printed for each seed: bits that the answers cost over the last quarter of
 * the stream, 2 where nothing is recalled. */
#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"
#include "model/model.h"

#define LETTERS 4
/* Bits of an answer, of 2, below which the task counts as learned. */
#define LEARNED_BITS 1.0

static void expect(enum chirr_err err)
{
    if (err != CHIRR_OK) {
        fprintf(stderr, "recall: %s\n", chirr_err_text(err));
        exit(1);
    }
}

struct task {
    struct chirr_random random;
    size_t gap;
    size_t at; /* of the item: mark, letter, GAP − 1 letters, question, answer */
    uint8_t kept;
};

static uint8_t next_byte(struct task *task, bool *is_answer)
{
    uint8_t letter = (uint8_t)('a' + chirr_random_below(&task->random, LETTERS));
    size_t at = task->at;
    task->at = at == task->gap + 2 ? 0 : at + 1;
    *is_answer = at == task->gap + 2;
    if (at == 1) {
        task->kept = letter;
    }
    if (at == 0) {
        return '!';
    }
    if (at == task->gap + 1) {
        return '?';
    }
    return *is_answer ? task->kept : letter;
}

static double run(const struct chirr_model_config *config, size_t gap, size_t bytes)
{
    struct chirr_arena arena;
    expect(chirr_arena_init(&arena, chirr_model_bytes(config)));
    struct chirr_model *model = chirr_model_create(&arena, config);
    struct task task = {.gap = gap};
    chirr_random_init(&task.random, config->genesis_seed, 1);
    double bits = 0;
    size_t answers = 0;
    for (size_t i = 0; i < bytes; i++) {
        struct chirr_model_step step;
        bool is_answer;
        uint8_t byte = next_byte(&task, &is_answer);
        expect(chirr_model_step_byte(model, 0, byte, &step));
        if (is_answer && i >= bytes - bytes / 4) {
            bits += (double)step.bits;
            answers++;
        }
    }
    chirr_arena_finish(&arena);
    return bits / (double)answers;
}

static size_t argument(int argc, char **argv, int index, size_t otherwise)
{
    return argc > index ? strtoul(argv[index], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    struct chirr_model_config config = chirr_model_config_default();
    config.chunk = (uint32_t)argument(argc, argv, 1, config.chunk);
    size_t gap = argument(argc, argv, 2, 24);
    size_t bytes = argument(argc, argv, 3, 200000);
    size_t seeds = argument(argc, argv, 4, 6);
    config.learning_rate = argc > 5 ? strtof(argv[5], NULL) : config.learning_rate;
    struct chirr_error error;
    config.replay_share = 0;
    config.origins_max = 0;
    if (chirr_model_config_validate(&config, &error) != CHIRR_OK) {
        fprintf(stderr, "recall: %s\n", error.text);
        return 2;
    }
    size_t learned = 0;
    printf("chunk %u, gap %zu, %zu bytes:", config.chunk, gap, bytes);
    for (size_t seed = 1; seed <= seeds; seed++) {
        config.genesis_seed = seed;
        double bits = run(&config, gap, bytes);
        learned += bits < LEARNED_BITS;
        printf(" %.2f", bits);
        fflush(stdout);
    }
    printf("; learned by %zu of %zu\n", learned, seeds);
    return 0;
}
