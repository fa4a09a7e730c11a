/* Checkpoints whose digest is right and whose content is not: none of them crashes a model, and
 * none makes it hold a number that is not finite. CHIRR_SEED and CHIRR_FILES in the environment
 * replay or lengthen the random test; every failure names the seed and the file. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/random.h"
#include "base/wire.h"
#include "model/checkpoint.h"
#include "model/checkpoint_file.h"
#include "model/delta.h"
#include "model/elementary.h"
#include "tests/model/support.h"
#include "tests/support/directory.h"

enum { TEXT, LOAD, COST, SOUND, PICTURE, SENSES };
enum { FILES_DEFAULT = 400, STEPS = 40, WRITES_MAX = 3 };

static struct chirr_arena arenas[2];
static struct chirr_model_config config;
static char directory[DIRECTORY_PATH_BYTES_MAX], path[300], previous[320];
static uint8_t *content; /* of the file as it was saved */
static size_t content_bytes;
static struct chirr_checkpoint_reader parts; /* of the file as it was saved */

static void feed(struct chirr_model *model, int begin, int end)
{
    for (int i = begin; i < end; i++) {
        struct chirr_model_step step;
        const float values[4] = {(float)(i % 7), (float)i, 1, 0};
        const struct chirr_model_outcome outcome = {(float)(i % 5), i % 4 != 0};
        const uint8_t byte = (uint8_t)("the ants "[i % 9]);
        cr_assert_eq(chirr_model_step_byte(model, TEXT, byte, &step), CHIRR_OK);
        cr_assert_eq(chirr_model_step_byte(model, SOUND, (uint8_t)(i * 5), &step), CHIRR_OK);
        cr_assert_eq(chirr_model_step_byte(model, PICTURE, (uint8_t)(i * 3), &step), CHIRR_OK);
        cr_assert_eq(chirr_model_step_vector(model, LOAD, values, &step), CHIRR_OK);
        if (i % 10 == 0) {
            cr_assert_eq(chirr_model_step_outcome(model, COST, values, &outcome, &step), CHIRR_OK);
        }
    }
}

/* What a peer changed, so that there is an origin. */
static void take_foreign(struct chirr_model *model)
{
    struct chirr_model *other = make_model(&arenas[1], &config);
    feed(other, 0, 40);
    teach(model, other);
    chirr_arena_finish(&arenas[1]);
}

static void read_content(void)
{
    struct stat status;
    struct chirr_error error;
    int file = open(path, O_RDONLY);
    cr_assert_geq(file, 0);
    cr_assert_eq(fstat(file, &status), 0);
    content_bytes = (size_t)status.st_size;
    content = malloc(content_bytes);
    cr_assert_not_null(content);
    cr_assert_eq(read(file, content, content_bytes), status.st_size);
    cr_assert_eq(chirr_checkpoint_open(&parts, file, path, &error), CHIRR_OK);
    close(file);
}

/* A checkpoint of a model that uses all that there is: a selector, gates, n-grams, every kind of
 * sense, an origin, a past, chunks that are open. */
static void setup(void)
{
    config = small_config();
    config.origins_max = 2;
    config.active = 2;
    config.input_gate = true;
    config.gram_rows = 16;
    config.replay_bytes = 2048;
    config.sense_count = SENSES;
    config.senses[SOUND] = (struct chirr_model_sense){.name = "sound", .kind = CHIRR_SENSE_AUDIO};
    config.senses[PICTURE] = (struct chirr_model_sense){
        .name = "picture", .kind = CHIRR_SENSE_IMAGE, .width = 6, .channels = 3};
    directory_create(directory);
    snprintf(path, sizeof path, "%s/model", directory);
    snprintf(previous, sizeof previous, "%s.previous", path);

    struct chirr_error error;
    struct chirr_model *model = make_model(&arenas[0], &config);
    take_foreign(model);
    feed(model, 0, 1501);
    cr_assert_eq(chirr_checkpoint_save(model, path, &error), CHIRR_OK);
    chirr_arena_finish(&arenas[0]);
    read_content();
}

static void teardown(void)
{
    chirr_arena_finish(&arenas[0]);
    chirr_arena_finish(&arenas[1]);
    free(content);
    directory_remove(directory);
}

TestSuite(checkpoint_content, .init = setup, .fini = teardown);

/* Writes bytes as a checkpoint whose digest is right. */
static void write_signed(uint8_t *bytes, size_t count)
{
    struct chirr_digest_state digest;
    chirr_digest_begin(&digest);
    chirr_digest_add(&digest, bytes, count - CHIRR_CHECKPOINT_DIGEST_BYTES);
    chirr_wire_put_u64(bytes + count - CHIRR_CHECKPOINT_DIGEST_BYTES, chirr_digest_end(&digest));
    int file = open(path, O_WRONLY | O_TRUNC);
    cr_assert_geq(file, 0);
    cr_assert_eq(write(file, bytes, count), (ssize_t)count);
    close(file);
}

/* Loads the file with one value of `size` bytes written at an offset of one of its parts. */
static enum chirr_err load_with(const char *group, const char *part, size_t offset,
                                const void *value, size_t size, struct chirr_error *error)
{
    const struct chirr_checkpoint_entry *entry = chirr_checkpoint_find(&parts, group, part);
    cr_assert_not_null(entry, "%s %s", group, part);
    cr_assert_leq(offset + size, entry->size, "%s %s", group, part);
    uint8_t *bytes = malloc(content_bytes);
    cr_assert_not_null(bytes);
    memcpy(bytes, content, content_bytes);
    memcpy(bytes + entry->offset + offset, value, size);
    write_signed(bytes, content_bytes);
    free(bytes);
    struct chirr_model *model = make_model(&arenas[0], &config);
    uint64_t genesis = chirr_model_state_hash(model);
    enum chirr_checkpoint_origin origin;
    enum chirr_err err = chirr_checkpoint_load(model, path, &origin, error);
    cr_expect(err == CHIRR_OK || chirr_model_state_hash(model) == genesis, "%s %s", group, part);
    chirr_arena_finish(&arenas[0]);
    return err;
}

struct bad {
    const char *group;
    const char *part;
    size_t at;
};

static void expect_refused(const struct bad *bad, const void *value, size_t size)
{
    struct chirr_error error = {.text = ""};
    enum chirr_err err = load_with(bad->group, bad->part, bad->at, value, size, &error);
    cr_expect_eq(err, CHIRR_ERR_MALFORMED, "%s %s: %s", bad->group, bad->part, chirr_err_name(err));
    cr_expect_not_null(strstr(error.text, path), "%s", error.text);
    char part[64];
    snprintf(part, sizeof part, "\"%s\"", bad->part);
    cr_expect_not_null(strstr(error.text, part), "%s: %s", bad->part, error.text);
}

Test(checkpoint_content, as_it_was_saved_is_loaded)
{
    struct chirr_error error;
    uint64_t stamp = 1;
    cr_expect_eq(load_with("origins", "stamps", 0, &stamp, sizeof stamp, &error), CHIRR_OK);
}

Test(checkpoint_content, an_index_or_a_count_out_of_bounds_is_refused)
{
    static const struct bad indices[] = {
        {"model", "refresh", 0},
        {"origins", "count", 0},
        {"origins", "order", 0},
        {"sense text", "last", 0},
        {"sense picture", "column", 0},
        {"sense load", "calibrations", sizeof(struct chirr_calibration) - 4},
        {"sense text/chunk", "filled", 0},
        {"sense text/chunk", "chosen", 0},
        {"sense text/chunk", "input", 0},
        {"sense text/chunk", "input", 4},
        {"sense text/replay", "read", 0},
        {"sense text/replay", "open_bytes", 0},
        {"sense text/replay", "last", 0},
        {"sense cost/outcomes", "count", 0},
        {"sense cost/outcomes", "next", 0},
    };
    const uint32_t values[] = {0x7fffffff, 0xffffffff, 1000};
    for (size_t i = 0; i < sizeof indices / sizeof *indices; i++) {
        for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
            expect_refused(&indices[i], &values[k], sizeof values[k]);
        }
    }
}

Test(checkpoint_content, a_number_that_is_not_finite_is_refused)
{
    static const struct bad numbers[] = {
        {"model", "own", 64},
        {"model", "average", 64},
        {"model", "moment", 64},
        {"model", "grams", 64},
        {"model", "grams_average", 64},
        {"model", "gram_squares", 8},
        {"model", "published", 0},
        {"selector", "bias", 4},
        {"selector", "load", 4},
        {"origins", "origins", 8},
        {"origins", "values", 0},
        {"sense load", "own", 4},
        {"sense load", "average", 4},
        {"sense load", "moment", 4},
        {"sense load", "last_vector", 4},
        {"sense load", "held", 4},
        {"sense load", "calibrations", 4},
        {"sense text", "noise", 0},
        {"sense text", "traces", 4},
        {"sense text", "powers", 4},
        {"sense text", "offsets", 4},
        {"sense text/chunk", "traces", 4},
        {"sense text/chunk", "powers", 4},
        {"sense text/chunk", "rows", 4},
        {"sense text/chunk", "finals", 4},
        {"sense text/chunk", "d_output", 4},
        {"sense text/replay", "traces", 4},
        {"sense text/replay", "powers_start", 4},
        {"sense cost/outcomes", "readouts", 4},
        {"sense cost/outcomes", "targets", 4},
        {"sense cost/outcomes", "squares", 4},
        {"sense cost/outcomes", "calibration", 4},
        {"sense cost/outcomes", "odds", 4},
    };
    static const struct bad doubles[] = {
        {"sense text", "bits_mean", 0},  {"sense text", "drift", 0},    {"sense text", "drift", 16},
        {"sense load", "mean", 8},       {"sense load", "variance", 8}, {"sense load", "count", 8},
        {"sense text/replay", "due", 0},
    };
    const uint32_t narrow[] = {0x7fc00000, 0x7f800000, 0xff800000};
    const uint64_t wide[] = {UINT64_C(0x7ff8000000000000), UINT64_C(0x7ff0000000000000),
                             UINT64_C(0xfff0000000000000)};
    for (size_t k = 0; k < 3; k++) {
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
            expect_refused(&numbers[i], &narrow[k], sizeof narrow[k]);
        }
        for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++) {
            expect_refused(&doubles[i], &wide[k], sizeof wide[k]);
        }
    }
    const struct bad feature = {"sense cost/outcomes", "features", 4}; /* where NaN is missing */
    expect_refused(&feature, &narrow[1], sizeof narrow[1]);
}

Test(checkpoint_content, a_bound_of_what_was_learned_is_kept)
{
    const float five = 5, below_zero = -1e-6f;
    const struct bad own = {"model", "own", 128};
    const struct bad moment = {"model", "moment", 128};
    const struct bad power = {"sense text", "powers", 0};
    const struct bad weight = {"origins", "origins", 8};
    expect_refused(&own, &five, sizeof five);
    expect_refused(&moment, &below_zero, sizeof below_zero);
    expect_refused(&power, &five, sizeof five);
    expect_refused(&weight, &five, sizeof five);
}

Test(checkpoint_content, the_one_before_is_taken_where_the_newest_is_refused)
{
    struct chirr_error error = {.text = ""};
    cr_assert_eq(rename(path, previous), 0);
    int file = open(path, O_WRONLY | O_CREAT, 0600);
    cr_assert_geq(file, 0);
    close(file);
    const uint32_t filled = 0x7fffffff;
    cr_expect_eq(load_with("sense text/chunk", "filled", 0, &filled, sizeof filled, &error),
                 CHIRR_OK);
    cr_expect_not_null(strstr(error.text, "filled"), "%s", error.text);
}

static struct chirr_random dice;
static uint64_t seed;
static uint32_t file_number;

#define HOLD(condition)                                                                            \
    cr_assert(condition, "%s: CHIRR_SEED=%" PRIu64 ", file %u", #condition, seed, file_number)

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *value = getenv(name);
    return value == NULL ? otherwise : strtoull(value, NULL, 0);
}

static uint32_t below(uint64_t bound)
{
    return (uint32_t)chirr_random_below(&dice, bound);
}

static uint64_t hostile_bits(size_t size)
{
    static const uint32_t narrow[] = {0x7fffffff, 0xffffffff, 0x7fc00000, 0x7f800000, 0xff800000,
                                      0x7e967699, 0xfe967699, 0x00000001, 0x80000000, 0,
                                      96,         95,         32,         8,          257,
                                      0x3f800000, 0x40800000, 0x49742400};
    static const double wide[] = {1e300, -1e300, 1e38, 1e30, -1e30, 0, -1, 1, 8, 1e-300};
    uint64_t bits = 0;
    switch (below(3)) {
    case 0:
        return (uint64_t)chirr_random_u32(&dice) << 32 | chirr_random_u32(&dice);
    case 1:
        memcpy(&bits, &wide[below(sizeof wide / sizeof *wide)], sizeof bits);
        return size == 8 ? bits : narrow[below(sizeof narrow / sizeof *narrow)];
    default:
        return narrow[below(sizeof narrow / sizeof *narrow)];
    }
}

/* A few values of a few parts; every part is as likely as another, however long it is. */
static void spoil(uint8_t *bytes)
{
    for (uint32_t writes = 1 + below(WRITES_MAX); writes > 0; writes--) {
        const struct chirr_checkpoint_entry *entry = &parts.parts[below(parts.count)];
        static const size_t sizes[] = {1, 4, 4, 8};
        size_t size = sizes[below(4)];
        if (entry->size < size) {
            continue;
        }
        size_t place = below(entry->size / size) * size;
        uint64_t bits = hostile_bits(size);
        memcpy(bytes + entry->offset + place, &bits, size);
    }
    if (below(8) == 0) { /* the frame, too */
        bytes[below(content_bytes)] ^= (uint8_t)(1u << below(8));
    }
}

static bool all_finite(const chirr_real *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!chirr_is_finite((double)numbers[i])) {
            return false;
        }
    }
    return true;
}

static void use(struct chirr_model *model)
{
    uint8_t text[64];
    uint8_t delta[CHIRR_DELTA_BYTES_MAX];
    size_t bytes;
    double bits;
    struct chirr_model_component components[3];
    struct chirr_random random;
    chirr_random_init(&random, 1, 1);
    feed(model, 0, STEPS);
    HOLD(chirr_model_generate(model, TEXT, 1, &random, text, sizeof text) == CHIRR_OK);
    HOLD(chirr_model_generate(model, PICTURE, 1, &random, text, sizeof text) == CHIRR_OK);
    HOLD(chirr_model_evaluate(model, TEXT, text, sizeof text, true, &bits) == CHIRR_OK);
    HOLD(chirr_is_finite(bits));
    HOLD(chirr_model_forecast_vector(model, LOAD, 0.9, components) == CHIRR_OK);
    HOLD(chirr_model_begin(model, PICTURE) == CHIRR_OK);
    for (uint32_t partition = 0; partition <= config.partitions; partition++) {
        const struct chirr_delta_source source = {77, 1, 1, partition};
        HOLD(chirr_delta_extract(model, partition, delta, sizeof delta, &bytes) == CHIRR_OK);
        HOLD(bytes == 0 || chirr_delta_apply(model, &source, delta, bytes) != CHIRR_ERR_MALFORMED);
    }
    size_t total = model->body.layout.total;
    HOLD(all_finite(model->own, total) && all_finite(model->average, total));
    HOLD(all_finite(model->weights, total) && all_finite(model->moment, total));
}

Test(checkpoint_content, random_content_is_refused_or_does_no_harm, .timeout = 200)
{
    seed = from_environment("CHIRR_SEED", 20261122);
    uint64_t files = from_environment("CHIRR_FILES", FILES_DEFAULT);
    chirr_random_init(&dice, seed, 0);
    uint32_t loaded = 0;
    uint32_t refused = 0;
    uint8_t *bytes = malloc(content_bytes);
    cr_assert_not_null(bytes);
    for (file_number = 0; file_number < files; file_number++) {
        memcpy(bytes, content, content_bytes);
        spoil(bytes);
        write_signed(bytes, content_bytes);
        struct chirr_error error;
        enum chirr_checkpoint_origin origin;
        struct chirr_model *model = make_model(&arenas[0], &config);
        enum chirr_err err = chirr_checkpoint_load(model, path, &origin, &error);
        loaded += err == CHIRR_OK;
        refused += err == CHIRR_ERR_MALFORMED;
        use(model);
        chirr_arena_finish(&arenas[0]);
    }
    free(bytes);
    cr_expect_gt(loaded, files / 10);
    cr_expect_gt(refused, files / 10);
}
