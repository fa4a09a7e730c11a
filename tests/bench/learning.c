/* How fast and how well one model learns a text, in one pass.
 *
 *   learning TEXT BYTES [width layers section mlp partitions chunk active decay_min decay_max grams
 * gate]
 *
 * Printed: parameters and memory, bits per byte over the pass and frozen on what follows (live and
 * averaged), bytes learned and predicted per second. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model/model.h"

#define HELD_BYTES 16384

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void expect(enum chirr_err err)
{
    if (err != CHIRR_OK) {
        fprintf(stderr, "learning: %s\n", chirr_err_text(err));
        exit(1);
    }
}

static void measure(struct chirr_model *model, const uint8_t *text, size_t bytes)
{
    double bits;
    double begin = seconds();
    struct chirr_model_reading reading;
    expect(chirr_model_step_bytes(model, 0, text, bytes, &reading));
    bits = reading.bits;
    double learned = seconds();
    double live, averaged;
    expect(chirr_model_evaluate(model, 0, text + bytes, HELD_BYTES, false, &live));
    double predicted = seconds();
    expect(chirr_model_evaluate(model, 0, text + bytes, HELD_BYTES, true, &averaged));
    printf("%.3f bits per byte learning, %.3f frozen live, %.3f averaged; "
           "%.0f bytes/s learning, %.0f predicting\n",
           bits / (double)bytes, live, averaged, (double)bytes / (learned - begin),
           HELD_BYTES / (predicted - learned));
}

int main(int argc, char **argv)
{
    struct chirr_model_config config = chirr_model_config_default();
    uint32_t gate = config.input_gate;
    uint32_t *fields[] = {
        &config.width, &config.layers, &config.section_width, &config.mlp_width, &config.partitions,
        &config.chunk, &config.active, &config.decay_min,     &config.decay_max, &config.gram_rows,
        &gate};
    for (int i = 3; i < argc && (size_t)i - 3 < sizeof fields / sizeof *fields; i++) {
        *fields[i - 3] = (uint32_t)strtoul(argv[i], NULL, 10);
    }
    config.input_gate = gate != 0;
    config.learning_rate = argc > 14 ? strtof(argv[14], NULL) : config.learning_rate;
    config.hosted = config.partitions > 0 ? UINT64_MAX >> (64 - config.partitions) : 0;
    config.origins_max = 0;
    config.warmup_updates = 100;
    struct chirr_error error;
    size_t bytes = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    FILE *file = argc > 2 ? fopen(argv[1], "rb") : NULL;
    uint8_t *text = malloc(bytes + HELD_BYTES);
    if (file == NULL || bytes == 0 || text == NULL ||
        fread(text, 1, bytes + HELD_BYTES, file) != bytes + HELD_BYTES) {
        fprintf(stderr, "learning TEXT BYTES: TEXT needs %d bytes more than BYTES\n", HELD_BYTES);
        return 2;
    }
    fclose(file);
    if (chirr_model_config_validate(&config, &error) != CHIRR_OK) {
        fprintf(stderr, "learning: %s\n", error.text);
        return 2;
    }
    struct chirr_arena arena;
    expect(chirr_arena_init(&arena, chirr_model_bytes(&config)));
    struct chirr_model *model = chirr_model_create(&arena, &config);
    printf("%zu parameters, %.2f MB; ", chirr_model_parameter_count(&config),
           1e-6 * (double)chirr_model_bytes(&config));
    measure(model, text, bytes);
    chirr_arena_finish(&arena);
    free(text);
    return 0;
}
