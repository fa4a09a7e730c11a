/* Recordings and pictures as senses. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <math.h>
#include <png.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/sense.h"
#include "base/random.h"
#include "model/mulaw.h"
#include "tests/support/directory.h"

static char directory[DIRECTORY_PATH_BYTES_MAX];
static struct chirr_error error;
static uint8_t buffer[65536];

static void setup(void)
{
    directory_create(directory);
}

static void teardown(void)
{
    directory_remove(directory);
}

TestSuite(sense_media, .init = setup, .fini = teardown, .timeout = 60);

static struct chirr_sense_config sense_of(enum chirr_source_kind kind, const char *glob)
{
    struct chirr_sense_config config = {.name = "media", .source = kind};
    snprintf(config.from, sizeof config.from, "%s", directory_file(directory, glob));
    return config;
}

static struct chirr_source *make(const struct chirr_sense_config *config)
{
    struct chirr_source *source = chirr_source_create(config, 1, &error);
    cr_assert_not_null(source, "%s", error.text);
    return source;
}

static size_t take(struct chirr_source *source, size_t capacity)
{
    size_t count;
    cr_assert_eq(chirr_source_poll_bytes(source, 0, buffer, capacity, &count), CHIRR_OK);
    cr_assert_leq(count, capacity);
    return count;
}

static size_t open_files(void)
{
    size_t count = 0;
    DIR *fds = opendir("/proc/self/fd");
    while (readdir(fds) != NULL) {
        count++;
    }
    closedir(fds);
    return count;
}

/* ---- Recordings ---------------------------------------------------------------------------- */

struct recording {
    int format, rate, channels;
};

static const struct recording wav = {SF_FORMAT_WAV | SF_FORMAT_PCM_16, 8000, 1};

static void write_recording(const char *name, const struct recording *as, const float *samples,
                            size_t frames)
{
    SF_INFO info = {.format = as->format, .samplerate = as->rate, .channels = as->channels};
    SNDFILE *file = sf_open(directory_file(directory, name), SFM_WRITE, &info);
    cr_assert_not_null(file, "%s", sf_strerror(NULL));
    cr_assert_eq(sf_writef_float(file, samples, (sf_count_t)frames), (sf_count_t)frames);
    sf_close(file);
}

static void fill_tone(float *samples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        samples[i] = 0.5f * (float)sin((double)i * 0.2);
    }
}

static uint8_t mulaw_of(float sample)
{
    return chirr_mulaw_encode((int16_t)lrintf(sample * 32768.0f));
}

Test(sense_media, a_recording_of_8000_hertz_is_the_mulaw_of_its_samples)
{
    float tone[1000];
    fill_tone(tone, 1000);
    write_recording("a.wav", &wav, tone, 1000);
    struct chirr_sense_config config = sense_of(CHIRR_SOURCE_AUDIO, "*.wav");
    struct chirr_source *source = make(&config);
    cr_assert_eq(take(source, 600), 600);
    cr_expect(chirr_source_begins(source));
    for (size_t i = 0; i < 600; i++) {
        /* written as 16 bits, rounded in whatever way */
        cr_assert_leq(abs(chirr_mulaw_decode(buffer[i]) - chirr_mulaw_decode(mulaw_of(tone[i]))),
                      1024, "%zu", i);
    }
    cr_expect_eq(take(source, 600), 400, "a poll ends with the recording");
    cr_expect_not(chirr_source_begins(source));
    cr_expect_eq(take(source, 600), 600);
    cr_expect(chirr_source_begins(source), "and over again");
    cr_expect_eq(chirr_source_count(source)->bytes, 1600);
    cr_expect_eq(chirr_source_count(source)->rounds, 1);
    chirr_source_destroy(source);
}

Test(sense_media, every_format_of_the_same_samples_gives_the_same_bytes)
{
    static const struct recording formats[] = {
        {SF_FORMAT_WAV | SF_FORMAT_PCM_24, 8000, 1},
        {SF_FORMAT_WAV | SF_FORMAT_FLOAT, 8000, 1},
        {SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 8000, 1},
    };
    float steps[512];
    uint8_t expected[512];
    for (size_t i = 0; i < 512; i++) {
        steps[i] = (float)((int)i * 128 - 32768) / 32768.0f; /* exact in 16 bits */
        expected[i] = mulaw_of(steps[i] > -1 ? steps[i] : -32767.0f / 32768.0f);
    }
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        write_recording("a.sound", &formats[i], steps, 512);
        struct chirr_sense_config config = sense_of(CHIRR_SOURCE_AUDIO, "a.sound");
        struct chirr_source *source = make(&config);
        cr_assert_eq(take(source, 512), 512);
        cr_expect_arr_eq(buffer, expected, 512, "format %zu", i);
        chirr_source_destroy(source);
    }
}

Test(sense_media, vorbis_is_read_and_nearly_the_same)
{
    static const struct recording ogg = {SF_FORMAT_OGG | SF_FORMAT_VORBIS, 8000, 1};
    float tone[8000];
    double power = 0, noise = 0;
    fill_tone(tone, 8000);
    write_recording("a.ogg", &ogg, tone, 8000);
    struct chirr_sense_config config = sense_of(CHIRR_SOURCE_AUDIO, "a.ogg");
    struct chirr_source *source = make(&config);
    cr_assert_eq(take(source, 8000), 8000);
    for (size_t i = 1000; i < 7000; i++) {
        double sample = (double)chirr_mulaw_decode(buffer[i]) / 32768;
        power += (double)tone[i] * (double)tone[i];
        noise += (sample - (double)tone[i]) * (sample - (double)tone[i]);
    }
    cr_expect_lt(noise, 0.02 * power);
    chirr_source_destroy(source);
}

Test(sense_media, channels_and_samples_are_averaged_into_one_of_8000_hertz)
{
    static const struct recording stereo = {SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 2};
    static const struct recording slow = {SF_FORMAT_WAV | SF_FORMAT_PCM_16, 4000, 1};
    static const struct recording compact_disc = {SF_FORMAT_WAV | SF_FORMAT_PCM_16, 44100, 1};
    const float frames[8] = {0.5f, 0.25f, 0.5f, 0.75f, -0.25f, 0, 0, -0.25f};
    write_recording("a.wav", &stereo, frames, 4);
    write_recording("b.wav", &slow, frames, 2);
    float loud[4410];
    for (size_t i = 0; i < 4410; i++) {
        loud[i] = 0.25f;
    }
    write_recording("c.wav", &compact_disc, loud, 4410);
    struct chirr_sense_config config = sense_of(CHIRR_SOURCE_AUDIO, "*.wav");
    struct chirr_source *source = make(&config);
    cr_assert_eq(take(source, 100), 2);
    cr_expect_eq(buffer[0], mulaw_of(0.5f));
    cr_expect_eq(buffer[1], mulaw_of(-0.125f));
    cr_assert_eq(take(source, 100), 4);
    cr_expect_eq(buffer[1], mulaw_of(0.5f));
    cr_expect_eq(buffer[2], mulaw_of(0.25f));
    cr_assert_eq(take(source, 10000), 800, "a tenth of a second");
    for (size_t i = 0; i < 800; i++) {
        cr_assert_eq(buffer[i], mulaw_of(0.25f), "%zu", i);
    }
    chirr_source_destroy(source);
}

Test(sense_media, what_is_too_loud_or_no_number_is_no_harm)
{
    static const struct recording floats = {SF_FORMAT_WAV | SF_FORMAT_FLOAT, 8000, 1};
    const float hostile[5] = {1e30f, -1e30f, NAN, INFINITY, -INFINITY};
    write_recording("a.wav", &floats, hostile, 5);
    struct chirr_sense_config config = sense_of(CHIRR_SOURCE_AUDIO, "a.wav");
    struct chirr_source *source = make(&config);
    cr_assert_eq(take(source, 5), 5);
    const uint8_t expected[5] = {0x80, 0x00, 0xFF, 0x80, 0x00};
    cr_expect_arr_eq(buffer, expected, 5);
    chirr_source_destroy(source);
}

Test(sense_media, the_end_of_a_recording_can_be_held_out)
{
    float tone[1000];
    fill_tone(tone, 1000);
    write_recording("a.wav", &wav, tone, 1000);
    struct chirr_sense_config config = sense_of(CHIRR_SOURCE_AUDIO, "a.wav");
    config.skip_bytes_per_mille = 250;
    struct chirr_source *source = make(&config);
    cr_expect_eq(take(source, 2000), 750);
    chirr_source_destroy(source);
}

Test(sense_media, a_bad_recording_is_skipped_named_and_counted)
{
    float tone[100];
    fill_tone(tone, 100);
    write_recording("b.wav", &wav, tone, 100);
    directory_write(directory, "a.wav", "no sound at all", 15);
    directory_write(directory, "c.wav", "RIFF\x04\0\0\0WAVE", 12);
    struct chirr_sense_config config = sense_of(CHIRR_SOURCE_AUDIO, "*.wav");
    size_t files = open_files();
    struct chirr_source *source = make(&config);
    cr_assert_eq(take(source, 100), 100);
    const char *complaint = chirr_source_complaint(source);
    cr_assert_not_null(complaint);
    cr_expect_not_null(strstr(complaint, "a.wav: "), "%s", complaint);
    cr_expect_null(chirr_source_complaint(source), "told once");
    for (int i = 0; i < 20; i++) {
        take(source, 100);
    }
    complaint = chirr_source_complaint(source);
    cr_expect(complaint == NULL || strstr(complaint, "c.wav: ") != NULL, "%s", complaint);
    cr_expect_eq(chirr_source_count(source)->files_unreadable, 2, "neither is tried again");
    chirr_source_destroy(source);
    cr_expect_eq(open_files(), files, "nothing stays open");
}

Test(sense_media, a_recording_that_breaks_off_gives_what_there_is)
{
    float tone[4000];
    fill_tone(tone, 4000);
    write_recording("a.wav", &wav, tone, 4000);
    cr_assert_eq(truncate(directory_file(directory, "a.wav"), 2044), 0);
    struct chirr_sense_config config = sense_of(CHIRR_SOURCE_AUDIO, "a.wav");
    struct chirr_source *source = make(&config);
    cr_expect_eq(take(source, 8000), 1000);
    chirr_source_destroy(source);
}

Test(sense_media, nothing_that_can_be_read_is_an_error_that_names_a_file)
{
    directory_write(directory, "a.wav", "no sound", 8);
    struct chirr_sense_config config = sense_of(CHIRR_SOURCE_AUDIO, "a.wav");
    cr_expect_null(chirr_source_create(&config, 1, &error));
    cr_expect_eq(error.code, CHIRR_ERR_NOTFOUND);
    cr_expect_not_null(strstr(error.text, "none is a readable recording; "), "%s", error.text);
    cr_expect_not_null(strstr(error.text, "a.wav: "), "%s", error.text);
}

/* ---- Pictures ------------------------------------------------------------------------------ */

static void write_picture(const char *name, uint32_t format, uint32_t width, uint32_t height,
                          const uint8_t *pixels)
{
    png_image image = {
        .version = PNG_IMAGE_VERSION, .width = width, .height = height, .format = format};
    cr_assert(png_image_write_to_file(&image, directory_file(directory, name), 0, pixels, 0, NULL),
              "%s", image.message);
}

static struct chirr_sense_config pictures(uint32_t width, uint32_t channels)
{
    struct chirr_sense_config config = sense_of(CHIRR_SOURCE_IMAGE, "*.png");
    config.width = width;
    config.channels = channels;
    return config;
}

Test(sense_media, a_grey_picture_is_its_rows)
{
    uint8_t gradient[8 * 4];
    for (size_t i = 0; i < sizeof gradient; i++) {
        gradient[i] = (uint8_t)(i * 7);
    }
    write_picture("a.png", PNG_FORMAT_GRAY, 8, 4, gradient);
    struct chirr_sense_config config = pictures(8, 0);
    struct chirr_source *source = make(&config);
    for (int round = 0; round < 2; round++) {
        cr_assert_eq(take(source, 20), 20);
        cr_expect(chirr_source_begins(source));
        cr_expect_arr_eq(buffer, gradient, 20);
        cr_assert_eq(take(source, 20), 12, "a poll ends with the picture");
        cr_expect_not(chirr_source_begins(source));
        cr_expect_arr_eq(buffer, gradient + 20, 12);
    }
    chirr_source_destroy(source);
}

Test(sense_media, colours_are_kept_or_made_grey_as_asked)
{
    const uint8_t colours[2 * 3] = {255, 0, 0, 10, 10, 10};
    const uint8_t clear[2 * 4] = {9, 9, 9, 0, 10, 10, 10, 255};
    write_picture("a.png", PNG_FORMAT_RGB, 2, 1, colours);
    write_picture("b.png", PNG_FORMAT_RGBA, 2, 1, clear);
    struct chirr_sense_config config = pictures(2, 3);
    struct chirr_source *source = make(&config);
    const uint8_t on_white[6] = {255, 255, 255, 10, 10, 10};
    cr_assert_eq(take(source, 100), 6);
    cr_expect_arr_eq(buffer, colours, 6);
    cr_assert_eq(take(source, 100), 6);
    cr_expect_arr_eq(buffer, on_white, 6);
    chirr_source_destroy(source);
    config = pictures(2, 1);
    source = make(&config);
    cr_assert_eq(take(source, 100), 2);
    cr_expect_eq(buffer[1], 10);
    cr_expect(buffer[0] > 40 && buffer[0] < 160, "red is rather dark: %d", buffer[0]);
    chirr_source_destroy(source);
}

Test(sense_media, pictures_of_another_width_and_damaged_ones_are_skipped_named_and_counted)
{
    const uint8_t pixels[64] = {1, 2, 3};
    write_picture("a.png", PNG_FORMAT_GRAY, 4, 4, pixels);
    write_picture("b.png", PNG_FORMAT_GRAY, 8, 8, pixels);
    write_picture("c.png", PNG_FORMAT_GRAY, 8, 8, pixels);
    cr_assert_eq(truncate(directory_file(directory, "c.png"), 45), 0);
    directory_write(directory, "d.png", "no picture", 10);
    struct chirr_sense_config config = pictures(8, 1);
    size_t files = open_files();
    struct chirr_source *source = make(&config);
    cr_assert_eq(take(source, 100), 64);
    const char *complaint = chirr_source_complaint(source);
    cr_assert_not_null(complaint);
    cr_expect_not_null(strstr(complaint, "a.png: expected pictures 8 pixels wide, got 4"), "%s",
                       complaint);
    cr_assert_eq(take(source, 100), 64, "b.png again");
    cr_expect_eq(chirr_source_count(source)->files_misfit, 1);
    cr_expect_eq(chirr_source_count(source)->files_unreadable, 2);
    chirr_source_destroy(source);
    cr_expect_eq(open_files(), files, "nothing stays open");
}

Test(sense_media, a_picture_that_lies_about_its_height_is_refused)
{
    uint8_t file[512];
    const uint8_t pixels[64] = {0};
    write_picture("a.png", PNG_FORMAT_GRAY, 8, 8, pixels);
    FILE *in = fopen(directory_file(directory, "a.png"), "rb");
    size_t bytes = fread(file, 1, sizeof file, in);
    fclose(in);
    file[20] = 0x7F; /* the first byte of the height in IHDR */
    directory_write(directory, "a.png", file, bytes);
    struct chirr_sense_config config = pictures(8, 1);
    cr_expect_null(chirr_source_create(&config, 1, &error));
    cr_expect_eq(error.code, CHIRR_ERR_NOTFOUND);
    cr_expect_not_null(strstr(error.text, "a.png: "), "%s", error.text);
}

/* ---- Hostile files ------------------------------------------------------------------------- */

#define DAMAGES 120

static size_t read_file(const char *name, uint8_t *bytes, size_t capacity)
{
    FILE *file = fopen(directory_file(directory, name), "rb");
    size_t count = fread(bytes, 1, capacity, file);
    fclose(file);
    return count;
}

/* Some bytes are others, or the end is missing. */
static size_t damage(struct chirr_random *random, uint8_t *bytes, size_t count)
{
    if (chirr_random_below(random, 4) == 0) {
        return (size_t)chirr_random_below(random, count);
    }
    for (uint64_t i = 0, flips = 1 + chirr_random_below(random, 8); i < flips; i++) {
        uint64_t range = chirr_random_below(random, 2) == 0 ? count : count < 64 ? count : 64;
        bytes[chirr_random_below(random, range)] = (uint8_t)chirr_random_u32(random);
    }
    return count;
}

static void read_damaged(enum chirr_source_kind kind, uint64_t seed, const uint8_t *whole,
                         size_t bytes)
{
    static uint8_t copy[65536];
    struct chirr_random random;
    chirr_random_init(&random, seed, (uint64_t)kind);
    memcpy(copy, whole, bytes);
    directory_write(directory, "damaged", copy, damage(&random, copy, bytes));
    struct chirr_sense_config config = sense_of(kind, "damaged");
    config.width = kind == CHIRR_SOURCE_IMAGE ? 8 : 0;
    struct chirr_source *source = chirr_source_create(&config, 1, &error);
    for (int i = 0; source != NULL && i < 8; i++) {
        size_t count = 0;
        enum chirr_err err =
            chirr_source_poll_bytes(source, i * 2 * CHIRR_US_PER_S, buffer, 4096, &count);
        cr_assert(err == CHIRR_OK || err == CHIRR_ERR_IO, "seed %llu", (unsigned long long)seed);
        cr_assert_leq(count, 4096, "seed %llu", (unsigned long long)seed);
    }
    chirr_source_destroy(source);
}

Test(sense_media, no_damage_to_a_file_does_harm)
{
    static const struct recording formats[] = {
        {SF_FORMAT_WAV | SF_FORMAT_PCM_16, 11025, 2},
        {SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 16000, 1},
        {SF_FORMAT_OGG | SF_FORMAT_VORBIS, 8000, 1},
    };
    static uint8_t whole[65536];
    float tone[4000];
    size_t files = open_files();
    fill_tone(tone, 4000);
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        write_recording("whole", &formats[i], tone, 2000);
        size_t bytes = read_file("whole", whole, sizeof whole);
        for (uint64_t seed = 0; seed < DAMAGES; seed++) {
            read_damaged(CHIRR_SOURCE_AUDIO, seed, whole, bytes);
        }
    }
    uint8_t pixels[8 * 32];
    memset(pixels, 7, sizeof pixels);
    write_picture("whole", PNG_FORMAT_GRAY, 8, 32, pixels);
    size_t bytes = read_file("whole", whole, sizeof whole);
    for (uint64_t seed = 0; seed < DAMAGES; seed++) {
        read_damaged(CHIRR_SOURCE_IMAGE, seed, whole, bytes);
    }
    cr_expect_eq(open_files(), files, "nothing stays open");
}
