/* `chirr model` on recordings and pictures: several senses over one body. */
#include <math.h>
#include <png.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"
#include "tests/agent/cli_model.h"

#define RATE 16000
#define SECONDS 2
#define HEARD_BYTES (8000 * SECONDS) /* of a recording, at half its rate */
#define PIXELS 24
#define ROWS 40
#define SEEN_BYTES (PIXELS * ROWS)

/* A tone that comes and goes, with some noise. */
static void write_recording(const char *name, double hertz)
{
    SF_INFO info = {.format = SF_FORMAT_WAV | SF_FORMAT_PCM_16, .samplerate = RATE, .channels = 1};
    SNDFILE *file = sf_open(directory_file(home, name), SFM_WRITE, &info);
    struct chirr_random random;
    cr_assert_not_null(file, "%s", sf_strerror(NULL));
    chirr_random_init(&random, 1, 0);
    for (int i = 0; i < RATE * SECONDS; i++) {
        double second = (double)i / RATE;
        float sample = (float)(0.4 * sin(6.283185 * hertz * second) * sin(6.283185 * second) +
                               0.01 * chirr_random_normal(&random));
        cr_assert_eq(sf_writef_float(file, &sample, 1), 1);
    }
    sf_close(file);
}

/* Stripes, grey or coloured. */
static void write_picture(const char *name, uint32_t width, bool coloured)
{
    uint8_t pixels[3 * 64 * ROWS];
    uint32_t channels = coloured ? 3 : 1;
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = width,
                       .height = ROWS,
                       .format = coloured ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY};
    for (uint32_t i = 0; i < channels * width * ROWS; i++) {
        pixels[i] = (uint8_t)(40 + 30 * (i / channels % width / 4 % 5));
    }
    cr_assert_neq(png_image_write_to_file(&image, directory_file(home, name), 0, pixels, 0, NULL),
                  0, "%s", image.message);
}

static void enter(void)
{
    cli_model_enter();
    write_recording("voice.wav", 440);
    write_recording("other.wav", 500);
    write_picture("one.png", PIXELS, false);
    write_picture("two.png", PIXELS, false);
}

TestSuite(cli_model_media, .init = enter, .fini = cli_home_leave, .timeout = 120);

#define ALL "b.txt", "voice.wav", "one.png", "two.png"
#define ALL_BYTES (9001 + HEARD_BYTES + 2 * SEEN_BYTES)

static struct result train_all(const char *model, const char *bytes)
{
    run_chirr(&run, "model", "train", ALL, "--model", model, "--shape", SHAPE, "--active", "1",
              "--bytes", bytes, "--json", NULL);
    return result_of(&run);
}

static double bits_of(const json_t *texts, size_t index, const char *sense)
{
    const json_t *text = json_array_get(texts, index);
    cr_expect_str_eq(json_string_value(json_object_get(text, "sense")), sense);
    return json_number_value(json_object_get(text, "bits"));
}

Test(cli_model_media, a_new_model_gets_a_sense_for_each_kind_of_file_and_learns_by_it)
{
    run_chirr(&run, "model", "train", ALL, "--model", "m.ckpt", "--shape", SHAPE, "--passes", "3",
              "--json", NULL);
    cr_expect_eq(result_of(&run).bytes, 3 * ALL_BYTES);
    run_chirr(&run, "model", "eval", "m.ckpt", "a.txt", "other.wav", "two.png", "--json", NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    json_t *eval = json_loads(run.out, 0, NULL);
    const json_t *texts = json_object_get(eval, "texts");
    cr_assert_eq(json_array_size(texts), 3);
    cr_expect_lt(bits_of(texts, 0, "text"), 2.5, "eight bits would be chance");
    cr_expect_lt(bits_of(texts, 1, "audio"), 6);
    cr_expect_lt(bits_of(texts, 2, "image"), 4);
    cr_expect_eq(json_integer_value(json_object_get(json_array_get(texts, 1), "bytes")),
                 HEARD_BYTES);
    json_decref(eval);
}

Test(cli_model_media, a_training_in_parts_has_the_bits_of_one_without)
{
    struct result whole = train_all("whole.ckpt", "40000");
    struct result part = train_all("parts.ckpt", "9001"); /* where the recording begins */
    part = train_all("parts.ckpt", "12345");
    part = train_all("parts.ckpt", "25500"); /* in a picture */
    part = train_all("parts.ckpt", "40000");
    expect_equal(&whole, &part);
}

Test(cli_model_media, info_and_explain_show_who_answers_which_sense)
{
    train_all("m.ckpt", "40000");
    run_chirr(&run, "model", "info", "m.ckpt", NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    cr_expect_not_null(strstr(run.out, "image, image of 24"), "%s", run.out);
    cr_expect_not_null(strstr(run.out, "PARTITION  text      audio     image"), "%s", run.out);
    run_chirr(&run, "model", "info", "m.ckpt", "--json", NULL);
    json_t *info = json_loads(run.out, 0, NULL);
    const json_t *senses = json_object_get(json_object_get(info, "averages"), "senses");
    cr_expect_eq(json_array_size(senses), 3);
    json_decref(info);

    run_chirr(&run, "model", "explain", "m.ckpt", "b.txt", "other.wav", "one.png", NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    cr_expect_not_null(strstr(run.out, "SECOND  GREATEST SURPRISES"), "%s", run.out);
    cr_expect_not_null(strstr(run.out, "ROW  GREATEST SURPRISES"), "%s", run.out);
    run_chirr(&run, "model", "explain", "m.ckpt", "other.wav", "--bytes", "5000", "--json", NULL);
    json_t *all = json_loads(run.out, 0, NULL);
    const json_t *text = json_array_get(json_object_get(all, "texts"), 0);
    cr_expect_eq(json_integer_value(json_object_get(text, "bytes")), 5000);
    const json_t *first = json_array_get(json_object_get(text, "surprises"), 0);
    cr_expect(json_is_number(json_object_get(first, "second")));
    json_decref(all);
}

Test(cli_model_media, of_pictures_whole_rows_are_held_out)
{
    run_chirr(&run, "model", "train", "one.png", "--model", "m.ckpt", "--shape", SHAPE,
              "--held-out", "33", "--json", NULL);
    struct result result = result_of(&run);
    cr_expect_eq(result.bytes % PIXELS, 0);
    cr_expect_eq(result.bytes, 27 * PIXELS, "%lld", result.bytes);
    cr_expect(result.held_out > 0);
}

Test(cli_model_media, a_coloured_picture_is_read_in_the_channels_of_the_sense)
{
    write_picture("red.png", PIXELS, true);
    run_chirr(&run, "model", "train", "one.png", "--model", "m.ckpt", "--shape", SHAPE, NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    run_chirr(&run, "model", "eval", "m.ckpt", "red.png", "--json", NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    json_t *eval = json_loads(run.out, 0, NULL);
    cr_expect_eq(json_integer_value(json_object_get(eval, "bytes")), SEEN_BYTES);
    json_decref(eval);
}

Test(cli_model_media, what_no_sense_can_read_is_told_with_its_name)
{
    run_chirr(&run, "model", "train", "b.txt", "--model", "t.ckpt", "--shape", SHAPE, NULL);
    run_chirr(&run, "model", "eval", "t.ckpt", "voice.wav", NULL);
    cr_expect_eq(run.code, 2);
    cr_expect_str_eq(run.err, "chirr: voice.wav: this model has no sense of audio\n");
    write_picture("wide.png", PIXELS + 8, false);
    run_chirr(&run, "model", "train", "one.png", "wide.png", "--model", "i.ckpt", "--shape", SHAPE,
              NULL);
    cr_expect_eq(run.code, 2);
    cr_expect_not_null(strstr(run.err, "wide.png: sense image reads pictures 24 pixels wide"), "%s",
                       run.err);
    cr_expect_neq(access(directory_file(home, "i.ckpt"), F_OK), 0);
    run_chirr(&run, "model", "train", "voice.wav", "--sense", "text", "--model", "t.ckpt", NULL);
    cr_expect_eq(run.code, 2);
}

Test(cli_model_media, a_file_that_is_damaged_is_told)
{
    directory_write(home, "bad.wav", "RIFF\1\2\3\4WAVEnothing", 19);
    directory_write(home, "bad.png", "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\0\0\0\0\0\10\2\0\0", 28);
    run_chirr(&run, "model", "train", "bad.wav", "--model", "m.ckpt", "--shape", SHAPE, NULL);
    cr_expect_eq(run.code, 1, "%s", run.err);
    cr_expect_not_null(strstr(run.err, "bad.wav: "), "%s", run.err);
    run_chirr(&run, "model", "train", "bad.png", "--model", "m.ckpt", "--shape", SHAPE, NULL);
    cr_expect_neq(run.code, 0);
    run_chirr(&run, "model", "train", "one.png", "--model", "m.ckpt", "--shape", SHAPE, NULL);
    directory_flip(home, "one.png", 60);
    run_chirr(&run, "model", "eval", "m.ckpt", "one.png", "two.png", NULL);
    cr_expect_eq(run.code, 1, "%s", run.err);
    cr_expect_not_null(strstr(run.out, "two.png"), "%s", run.out);
}
