/* Several kinds of senses learn in one body at the same time, from files to falling bits. */
#include <criterion/criterion.h>
#include <math.h>
#include <png.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/clock.h"
#include "agent/learner_thread.h"
#include "tests/agent/learner_files.h"

#define PATIENCE_US (60 * CHIRR_US_PER_S)
#define WIDTH 24
#define STEPS_FIRST 512
#define STEPS_LAST 16000

enum { TEXT, SOUND, PICTURE, SENSES };

TestSuite(learner_senses, .init = learner_files_create, .fini = learner_files_remove,
          .timeout = 150);

/* ---- What there is to sense ---------------------------------------------------------------- */

static void write_text(void)
{
    char text[4096];
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = "the ant carries a leaf home\n"[i % 28];
    }
    directory_write(directory, "a.txt", text, sizeof text);
}

/* 400 Hz: a period of 20 bytes. */
static void write_tone(void)
{
    SF_INFO info = {.format = SF_FORMAT_WAV | SF_FORMAT_PCM_16, .samplerate = 16000, .channels = 1};
    SNDFILE *file = sf_open(directory_file(directory, "a.wav"), SFM_WRITE, &info);
    static float samples[16000];
    for (size_t i = 0; i < 16000; i++) {
        samples[i] = 0.5f * (float)sin((double)i * 2 * 3.14159265358979 * 400 / 16000);
    }
    cr_assert_eq(sf_writef_float(file, samples, 16000), 16000);
    sf_close(file);
}

static void write_gradient(const char *name, int slope)
{
    uint8_t pixels[WIDTH * WIDTH];
    for (int y = 0; y < WIDTH; y++) {
        for (int x = 0; x < WIDTH; x++) {
            pixels[y * WIDTH + x] = (uint8_t)(slope * x + 4 * y);
        }
    }
    png_image image = {
        .version = PNG_IMAGE_VERSION, .width = WIDTH, .height = WIDTH, .format = PNG_FORMAT_GRAY};
    cr_assert(png_image_write_to_file(&image, directory_file(directory, name), 0, pixels, 0, NULL));
}

static void set_sense(struct chirr_agent_config *config, uint32_t sense, const char *name,
                      enum chirr_source_kind source, const char *glob)
{
    struct chirr_sense_config *s = &config->senses[sense];
    *s = (struct chirr_sense_config){.source = source};
    strcpy(s->name, name);
    snprintf(s->from, sizeof s->from, "%s", directory_file(directory, glob));
}

/* Large: static. */
static struct chirr_agent_config *config_of(void)
{
    static struct chirr_agent_config config;
    memset(&config, 0, sizeof config);
    snprintf(config.state_dir, sizeof config.state_dir, "%s", directory);
    config.cpu_permille = 1000;
    config.checkpoint_interval_ms = 60000;
    config.learner = chirr_learner_config_default();
    struct chirr_model_config *model = &config.learner.model;
    make_small(model);
    model->width = 32;
    model->layers = 2;
    model->section_width = 64;
    config.sense_count = SENSES;
    set_sense(&config, TEXT, "text", CHIRR_SOURCE_FILE, "*.txt");
    set_sense(&config, SOUND, "sound", CHIRR_SOURCE_AUDIO, "*.wav");
    set_sense(&config, PICTURE, "picture", CHIRR_SOURCE_IMAGE, "*.png");
    config.senses[PICTURE].width = WIDTH;
    chirr_agent_config_derive_senses(&config);
    return &config;
}

static uint64_t least_steps(const struct chirr_learner_status *status)
{
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < status->sense_count; i++) {
        least = status->senses[i].steps < least ? status->senses[i].steps : least;
    }
    return status->sense_count == SENSES ? least : 0;
}

/* The first status in which every sense has come so far. */
static struct chirr_learner_status await_steps(struct chirr_learner_thread *thread, uint64_t steps)
{
    struct chirr_learner_report report;
    chirr_time_us until = chirr_clock_now() + PATIENCE_US;
    while (chirr_clock_now() < until) {
        if (!chirr_learner_thread_take(thread, &report)) {
            usleep(5000);
        } else if (report.kind == CHIRR_LEARNER_REPORT_STATUS &&
                   least_steps(&report.status.learner) >= steps) {
            return report.status.learner;
        }
    }
    cr_assert(false, "not %llu steps of each sense in time", (unsigned long long)steps);
    return (struct chirr_learner_status){0};
}

Test(learner_senses, text_sound_and_pictures_are_learned_at_once_in_one_body)
{
    struct chirr_error error = {0};
    const uint8_t narrow[4] = {0};
    write_text();
    write_tone();
    write_gradient("a.png", 3);
    write_gradient("c.png", 5);
    png_image image = {
        .version = PNG_IMAGE_VERSION, .width = 2, .height = 2, .format = PNG_FORMAT_GRAY};
    cr_assert(
        png_image_write_to_file(&image, directory_file(directory, "b.png"), 0, narrow, 0, NULL));
    struct chirr_learner_thread *thread =
        chirr_learner_thread_create(config_of(), &log_sink, &error);
    cr_assert_not_null(thread, "%s", error.text);
    struct chirr_learner_status first = await_steps(thread, STEPS_FIRST);
    struct chirr_learner_status last = await_steps(thread, STEPS_LAST);
    for (uint32_t i = 0; i < SENSES; i++) {
        cr_expect_lt(last.senses[i].bits_now, 3, "sense %u: %g, bytes at random cost 8", i,
                     last.senses[i].bits_now);
        cr_expect_lt(last.senses[i].bits_now, first.senses[i].bits_now, "sense %u", i);
    }
    cr_expect_eq(last.bytes_learned, last.senses[TEXT].steps, "bits per byte are those of texts");
    cr_expect_eq(last.refused, 0);
    chirr_learner_thread_destroy(thread);
    cr_expect_not_null(strstr(log_lines, "b.png: expected pictures 24 pixels wide, got 2"), "%s",
                       log_lines);
}

Test(learner_senses, go_on_after_a_restart_in_the_middle_of_a_picture)
{
    struct chirr_error error = {0};
    write_text();
    write_tone();
    write_gradient("a.png", 3);
    struct chirr_learner_thread *thread =
        chirr_learner_thread_create(config_of(), &log_sink, &error);
    cr_assert_not_null(thread, "%s", error.text);
    struct chirr_learner_status before = await_steps(thread, 4000);
    chirr_learner_thread_destroy(thread);
    thread = chirr_learner_thread_create(config_of(), &log_sink, &error);
    cr_assert_not_null(thread, "%s", error.text);
    struct chirr_learner_status after = await_steps(thread, STEPS_FIRST);
    cr_expect_geq(after.model.sensed, before.model.sensed + SENSES * STEPS_FIRST);
    cr_expect_lt(after.senses[PICTURE].bits_now, before.senses[PICTURE].bits_now + 0.5,
                 "rows are where they were: %g after %g", after.senses[PICTURE].bits_now,
                 before.senses[PICTURE].bits_now);
    chirr_learner_thread_destroy(thread);
}
