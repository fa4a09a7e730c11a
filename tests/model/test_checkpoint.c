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

static struct chirr_arena arenas[2];
static struct chirr_model_config config;
static struct chirr_error error;
static enum chirr_checkpoint_origin origin;
static char folder[64];
static char path[96], previous[112], temporary[112];

static void setup(void)
{
    config = small_config();
    config.origins_max = 1;
    strcpy(folder, "/tmp/chirr-checkpoint-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/model", folder);
    snprintf(previous, sizeof previous, "%s.previous", path);
    snprintf(temporary, sizeof temporary, "%s.tmp", path);
}

static void teardown(void)
{
    chirr_arena_finish(&arenas[0]);
    chirr_arena_finish(&arenas[1]);
    unlink(path);
    unlink(previous);
    unlink(temporary);
    rmdir(folder);
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
    uint8_t delta[CHIRR_DELTA_BYTES_MAX];
    size_t bytes;
    feed(other, 0, 40);
    cr_assert_eq(chirr_delta_extract(other, 1, delta, sizeof delta, &bytes), CHIRR_OK);
    chirr_arena_finish(&arenas[1]);
    const struct chirr_delta_source source = {9, 1, 1, 1};
    cr_assert_eq(chirr_delta_apply(model, &source, delta, bytes), CHIRR_OK);
    cr_assert_eq(chirr_delta_weigh(model, 9, 0.25f), CHIRR_OK);
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
    others[2].origins_max = 3;
    strcpy(others[3].senses[0].name, "prose");
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
    char nowhere[160];
    snprintf(nowhere, sizeof nowhere, "%s/none/model", folder);
    cr_expect_eq(chirr_checkpoint_save(model, nowhere, &error), CHIRR_ERR_IO);
    cr_expect_not_null(strstr(error.text, nowhere), "%s", error.text);
    static char endless[5000];
    memset(endless, 'x', sizeof endless - 1);
    cr_expect_eq(chirr_checkpoint_save(model, endless, &error), CHIRR_ERR_RANGE);
    cr_expect_eq(chirr_checkpoint_load(model, endless, &origin, &error), CHIRR_ERR_RANGE);
}
