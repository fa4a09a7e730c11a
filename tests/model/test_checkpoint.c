#include "model/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/delta.h"
#include "model/internal.h"
#include "tests/model/support.h"
#include "tests/support/directory.h"

static struct chirr_arena arenas[2];
static struct chirr_model_config config;
static struct chirr_error error;
static enum chirr_checkpoint_origin origin;
static char directory[DIRECTORY_PATH_BYTES_MAX];
static char path[300], previous[320], temporary[320];

static void setup(void)
{
    config = small_config();
    config.origins_max = 1;
    directory_create(directory);
    snprintf(path, sizeof path, "%s/model", directory);
    snprintf(previous, sizeof previous, "%s.previous", path);
    snprintf(temporary, sizeof temporary, "%s.tmp", path);
}

static void teardown(void)
{
    chirr_arena_finish(&arenas[0]);
    chirr_arena_finish(&arenas[1]);
    directory_remove(directory);
}

TestSuite(checkpoint, .init = setup, .fini = teardown);

static void feed(struct chirr_model *model, int begin, int end)
{
    for (int i = begin; i < end; i++) {
        struct chirr_model_step step;
        const float values[4] = {(float)(i % 7), (float)i, 1, 0};
        const struct chirr_model_outcome outcome = {(float)(i % 5), i % 4 != 0};
        cr_assert_eq(chirr_model_step_byte(model, SMALL_TEXT, (uint8_t)("hello "[i % 6]), &step),
                     CHIRR_OK);
        cr_assert_eq(chirr_model_step_vector(model, SMALL_LOAD, values, &step), CHIRR_OK);
        if (i % 10 == 0) {
            cr_assert_eq(chirr_model_step_outcome(model, SMALL_COST, values, &outcome, &step),
                         CHIRR_OK);
        }
    }
}

static void take_foreign(struct chirr_model *model)
{
    struct chirr_model *other = make_model(&arenas[1], &config);
    feed(other, 0, 40);
    teach(model, other);
    chirr_arena_finish(&arenas[1]);
}

static void save(const struct chirr_model *model)
{
    cr_assert_eq(chirr_checkpoint_save(model, path, &error), CHIRR_OK, "%s", error.text);
}

static size_t size_of(const char *name)
{
    struct stat status;
    return stat(name, &status) == 0 ? (size_t)status.st_size : 0;
}

Test(checkpoint, a_loaded_model_goes_on_bit_by_bit_like_the_saved_one)
{
    struct chirr_model *model = make_model(&arenas[0], &config);
    take_foreign(model);
    feed(model, 0, 101); /* in the middle of a chunk */
    save(model);
    struct chirr_model *loaded = make_model(&arenas[1], &config);
    cr_assert_eq(chirr_checkpoint_load(loaded, path, &origin, &error), CHIRR_OK, "%s", error.text);
    cr_expect_eq(origin, CHIRR_CHECKPOINT_CURRENT);
    cr_expect_eq(chirr_model_state_hash(loaded), chirr_model_state_hash(model));
    feed(model, 101, 200);
    feed(loaded, 101, 200);
    cr_expect_eq(chirr_model_state_hash(loaded), chirr_model_state_hash(model));
    cr_expect_eq(
        memcmp(loaded->weights, model->weights, model->body.layout.total * sizeof(chirr_real)), 0);
}

Test(checkpoint, a_missing_file_leaves_genesis)
{
    struct chirr_model *model = make_model(&arenas[0], &config);
    uint64_t hash = chirr_model_state_hash(model);
    cr_expect_eq(chirr_checkpoint_load(model, path, &origin, &error), CHIRR_OK);
    cr_expect_eq(origin, CHIRR_CHECKPOINT_NONE);
    cr_expect_eq(chirr_model_state_hash(model), hash);
}

Test(checkpoint, saving_keeps_the_one_before_and_no_temporary)
{
    struct chirr_model *model = make_model(&arenas[0], &config);
    save(model);
    cr_expect_eq(size_of(previous), 0);
    feed(model, 0, 20);
    save(model);
    cr_expect_eq(size_of(previous), size_of(path));
    cr_expect_eq(size_of(temporary), 0);
}

/* Loads a damaged file into a fresh model and expects the one before. */
static void expect_fallback(uint64_t older_hash, const char *how, size_t where)
{
    struct chirr_model *loaded = make_model(&arenas[1], &config);
    error.text[0] = 0;
    cr_assert_eq(chirr_checkpoint_load(loaded, path, &origin, &error), CHIRR_OK, "%s at %zu", how,
                 where);
    cr_assert_eq(origin, CHIRR_CHECKPOINT_PREVIOUS, "%s at %zu", how, where);
    cr_assert_neq(error.text[0], 0, "%s at %zu is said", how, where);
    cr_assert_eq(chirr_model_state_hash(loaded), older_hash, "%s at %zu", how, where);
    chirr_arena_finish(&arenas[1]);
}

/* Two checkpoints; returns the hash of the older. */
static uint64_t save_two(void)
{
    struct chirr_model *model = make_model(&arenas[0], &config);
    feed(model, 0, 20);
    uint64_t hash = chirr_model_state_hash(model);
    save(model);
    feed(model, 20, 40);
    save(model);
    return hash;
}

Test(checkpoint, cut_off_anywhere_is_detected_and_the_one_before_is_taken)
{
    uint64_t older = save_two();
    size_t size = size_of(path);
    for (size_t length = size - 1; length > 100; length -= 1 + length / 10) {
        cr_assert_eq(truncate(path, (off_t)length), 0);
        expect_fallback(older, "cut", length);
    }
    for (size_t length = 100; length-- > 0;) {
        cr_assert_eq(truncate(path, (off_t)length), 0);
        expect_fallback(older, "cut", length);
    }
}

static void flip(size_t where)
{
    int file = open(path, O_RDWR);
    uint8_t byte;
    cr_assert_geq(file, 0);
    cr_assert_eq(pread(file, &byte, 1, (off_t)where), 1);
    byte ^= 0x10;
    cr_assert_eq(pwrite(file, &byte, 1, (off_t)where), 1);
    close(file);
}

Test(checkpoint, a_flipped_byte_anywhere_is_detected_and_the_one_before_is_taken)
{
    uint64_t older = save_two();
    size_t size = size_of(path);
    for (size_t where = 0; where < size; where += where < 60 ? 1 : size / 60) {
        flip(where);
        expect_fallback(older, "flip", where);
        flip(where);
    }
    flip(size - 1);
    expect_fallback(older, "flip", size - 1);
}

Test(checkpoint, a_crash_between_the_renames_leaves_the_one_before)
{
    uint64_t older = save_two();
    cr_assert_eq(unlink(path), 0);
    struct chirr_model *loaded = make_model(&arenas[1], &config);
    cr_assert_eq(chirr_checkpoint_load(loaded, path, &origin, &error), CHIRR_OK);
    cr_expect_eq(origin, CHIRR_CHECKPOINT_PREVIOUS);
    cr_expect_eq(chirr_model_state_hash(loaded), older);
}

Test(checkpoint, of_another_model_is_refused_and_changes_nothing)
{
    struct chirr_model *model = make_model(&arenas[0], &config);
    feed(model, 0, 20);
    save(model);
    struct chirr_model_config others[4] = {config, config, config, config};
    others[0].genesis_seed++;
    others[1].hosted = 0x7;
    others[2].input_gate = true;
    others[3].active = 2;
    for (size_t i = 0; i < 4; i++) {
        struct chirr_model *other = make_model(&arenas[1], &others[i]);
        uint64_t hash = chirr_model_state_hash(other);
        cr_expect_eq(chirr_checkpoint_load(other, path, &origin, &error), CHIRR_ERR_LINEAGE, "%zu",
                     i);
        cr_expect_not_null(strstr(error.text, path), "%s", error.text);
        cr_expect_eq(chirr_model_state_hash(other), hash);
        chirr_arena_finish(&arenas[1]);
    }
}

Test(checkpoint, what_has_another_size_since_begins_anew_and_the_rest_is_kept)
{
    struct chirr_model *model = make_model(&arenas[0], &config);
    feed(model, 0, 61);
    take_foreign(model);
    save(model);
    struct chirr_model_config other_config = config;
    other_config.origins_max = 3;
    other_config.senses[SMALL_TEXT].chunk = 5;
    other_config.replay_bytes *= 2;
    strcpy(other_config.senses[SMALL_LOAD].name, "another");
    struct chirr_model *other = make_model(&arenas[1], &other_config);
    cr_assert_eq(chirr_checkpoint_load(other, path, &origin, &error), CHIRR_OK, "%s", error.text);
    const struct chirr_layout *l = &model->body.layout;
    const struct chirr_sense_state *kept = &other->senses[SMALL_TEXT];
    cr_expect_eq(memcmp(model->own, other->own, l->shared_end * sizeof *model->own), 0);
    cr_expect_eq(memcmp(model->senses[SMALL_TEXT].stream.traces, kept->stream.traces,
                        chirr_stream_trace_count(l) * sizeof(chirr_real)),
                 0);
    cr_expect_eq(kept->steps, 61);
    cr_expect_eq(kept->stream.filled, 0, "its chunk begins anew");
    cr_expect_eq(other->senses[SMALL_LOAD].steps, 0, "a sense that the file does not know");
    cr_expect_eq(other->senses[SMALL_COST].outcomes.count,
                 model->senses[SMALL_COST].outcomes.count);
    cr_expect_eq(other->registers.origin_count, 0, "what others changed will be told again");
    feed(other, 61, 200);
}

Test(checkpoint, tells_the_configuration_of_its_model)
{
    config.active = 3;
    config.hosted = 0xD;
    config.learning_rate = 0.0125f;
    struct chirr_model *model = make_model(&arenas[0], &config);
    feed(model, 0, 20);
    save(model);
    struct chirr_checkpoint_description description;
    cr_assert_eq(chirr_checkpoint_describe(path, &description, &error), CHIRR_OK);
    cr_expect_eq(description.format, 2);
    cr_expect_eq(description.lineage, chirr_model_lineage(&config));
    struct chirr_model *again = make_model(&arenas[1], &description.config);
    cr_assert_eq(chirr_checkpoint_load(again, path, &origin, &error), CHIRR_OK);
    cr_expect_eq(chirr_model_state_hash(again), chirr_model_state_hash(model));
    cr_expect_eq(again->config.learning_rate, 0.0125f);
    flip(300);
    cr_expect_eq(chirr_checkpoint_describe(path, &description, &error), CHIRR_ERR_CHECKSUM);
    cr_expect_eq(chirr_checkpoint_describe(temporary, &description, &error), CHIRR_ERR_NOTFOUND);
}

/* tests/data/checkpoint_format_1 was written by the last version that wrote format 1, which also
 * measured the figures below before and after it went on from there. */
Test(checkpoint, of_format_1_is_read_and_goes_on)
{
    static const char phrase[] = "the ants carry leaves; ";
    config = chirr_model_config_default();
    config.width = 16;
    config.layers = 1;
    config.section_width = 8;
    config.mlp_width = 4;
    config.rates = 2;
    config.partitions = 2;
    config.hosted = 3;
    config.chunk = 4;
    config.origins_max = 1;
    config.genesis_seed = 7;
    config.input_gate = false;
    config.gram_rows = 0;
    config.sense_count = 3;
    config.senses[1] = (struct chirr_model_sense){
        .name = "load", .kind = CHIRR_SENSE_VECTOR, .width = 2, .chunk = 2};
    config.senses[2] =
        (struct chirr_model_sense){.name = "cost", .kind = CHIRR_SENSE_OUTCOME, .width = 2};
    struct chirr_model *model = make_model(&arenas[0], &config);
    const char *file = CHIRR_TESTS_DATA "/checkpoint_format_1";
    cr_assert_eq(chirr_checkpoint_load(model, file, &origin, &error), CHIRR_OK, "%s", error.text);
    cr_expect_eq(origin, CHIRR_CHECKPOINT_CURRENT);
    double live, averaged;
    const uint8_t *text = (const uint8_t *)phrase;
    cr_assert_eq(chirr_model_evaluate(model, 0, text, 23, false, &live), CHIRR_OK);
    cr_assert_eq(chirr_model_evaluate(model, 0, text, 23, true, &averaged), CHIRR_OK);
    cr_expect_float_eq(live, 1.731951, 1e-4, "%.6f", live);
    cr_expect_float_eq(averaged, 1.680969, 1e-4, "%.6f", averaged);
    struct chirr_model_step step;
    cr_assert_eq(chirr_model_step_byte(model, 0, text[3001 % 23], &step), CHIRR_OK);
    cr_expect_float_eq(step.bits, 0.002039, 1e-5, "%.6f", (double)step.bits);
    struct chirr_model_statistics statistics;
    chirr_model_statistics(model, &statistics);
    cr_expect_eq(statistics.steps, 6034);
    cr_expect_float_eq(statistics.own_norm, 22.562366, 1e-3);
    cr_expect_float_eq(statistics.foreign_norm, 1.731006, 1e-4);
    cr_expect_eq(model->senses[2].outcomes.count, 31);
    config.origins_max = 2;
    struct chirr_model *other = make_model(&arenas[1], &config);
    cr_expect_eq(chirr_checkpoint_load(other, file, &origin, &error), CHIRR_ERR_LINEAGE);
}

Test(checkpoint, damaged_without_one_before_is_an_error_that_names_the_file)
{
    struct chirr_model *model = make_model(&arenas[0], &config);
    uint64_t genesis = chirr_model_state_hash(model);
    save(model);
    flip(500);
    cr_expect_eq(chirr_checkpoint_load(model, path, &origin, &error), CHIRR_ERR_CHECKSUM);
    cr_expect_eq(origin, CHIRR_CHECKPOINT_NONE);
    cr_expect_not_null(strstr(error.text, path), "%s", error.text);
    cr_expect_eq(chirr_model_state_hash(model), genesis);
}

Test(checkpoint, what_cannot_be_written_is_an_error_and_keeps_the_old_one)
{
    struct chirr_model *model = make_model(&arenas[0], &config);
    char nowhere[300];
    snprintf(nowhere, sizeof nowhere, "%s/none/model", directory);
    cr_expect_eq(chirr_checkpoint_save(model, nowhere, &error), CHIRR_ERR_IO);
    cr_expect_not_null(strstr(error.text, nowhere), "%s", error.text);
    static char endless[5000];
    memset(endless, 'x', sizeof endless - 1);
    cr_expect_eq(chirr_checkpoint_save(model, endless, &error), CHIRR_ERR_RANGE);
    cr_expect_eq(chirr_checkpoint_load(model, endless, &origin, &error), CHIRR_ERR_RANGE);
}
