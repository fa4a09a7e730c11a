/* The loop of a training, and what it says. */
#include "agent/cli_model_run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/clock.h"
#include "agent/json_path.h"
#include "agent/table.h"

/* Learned between two looks at clock and signals. Slices end at multiples of it wherever a training
 * was interrupted, so that its sums are those of one that was not. */
#define SLICE_BYTES 4096
#define BITS_NOW_BYTES 16384.0

/* ---- Saving -------------------------------------------------------------------------------- */

/* The record first: it then knows the checkpoint, whichever of the two a crash leaves. */
static enum chirr_err save(struct chirr_train *train, struct chirr_error *error)
{
    train->sum.sensed = train->training.begin + train->position;
    chirr_training_mark(&train->training, &train->sum);
    enum chirr_err err = chirr_training_save(&train->training, train->record_path, error);
    if (err == CHIRR_OK) {
        err = chirr_checkpoint_save(train->model.model, train->options->path, error);
    }
    if (err == CHIRR_OK) {
        train->saved = train->position;
    }
    return err;
}

static void tell_json(json_t *line)
{
    json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(17));
    putchar('\n');
    fflush(stdout);
    json_decref(line);
}

static void tell_checkpoint(struct chirr_train *train)
{
    if (train->options->json) {
        tell_json(
            json_pack("{s:s, s:I}", "event", "checkpoint", "bytes", (json_int_t)train->position));
    }
}

/* ---- Learning ------------------------------------------------------------------------------ */

static double mean_bits(const struct chirr_train *train)
{
    return train->sum.bytes > 0 ? train->sum.bits / (double)train->sum.bytes : NAN;
}

static enum chirr_err learn(struct chirr_train *train, uint32_t sense, const uint8_t *bytes,
                            size_t count, struct chirr_error *error)
{
    struct chirr_model_reading reading;
    enum chirr_err err = chirr_model_step_bytes(train->model.model, sense, bytes, count, &reading);
    if (err != CHIRR_OK) {
        return chirr_error_set(error, err, "%s: %s", train->options->path, chirr_err_text(err));
    }
    train->sum.bits += reading.bits;
    train->sum.bytes += count;
    double mean = reading.bits / (double)count;
    double weight = fmin(1, (double)count / BITS_NOW_BYTES);
    train->bits_now =
        isnan(train->bits_now) ? mean : train->bits_now + weight * (mean - train->bits_now);
    return CHIRR_OK;
}

/* A recording and a picture begin anew; texts follow each other as one. */
static enum chirr_err begin_text(struct chirr_train *train, const struct chirr_training_text *text,
                                 const struct chirr_training_place *place)
{
    return place->offset == 0 && text->media.kind != CHIRR_SENSE_BYTES
               ? chirr_model_begin(train->model.model, text->sense)
               : CHIRR_OK;
}

static enum chirr_err learn_slice(struct chirr_train *train, struct chirr_error *error)
{
    uint8_t bytes[SLICE_BYTES];
    const struct chirr_training_place place =
        chirr_training_find_place(&train->training, train->position);
    const struct chirr_training_text *text = &train->training.texts[place.text];
    uint64_t left = train->training.end - train->position;
    size_t count = SLICE_BYTES - (size_t)(train->position % SLICE_BYTES);
    count = left < count ? (size_t)left : count;
    count = place.left < count ? (size_t)place.left : count;
    enum chirr_err err = chirr_training_read(&train->training, &place, bytes, count, error);
    if (err == CHIRR_OK) {
        err = begin_text(train, text, &place);
    }
    if (err == CHIRR_OK) {
        err = learn(train, text->sense, bytes, count, error);
    }
    if (err == CHIRR_OK) {
        train->position += count;
    }
    return err;
}

static enum chirr_err learn_all(struct chirr_train *train, struct chirr_error *error)
{
    chirr_time_us interval = chirr_time_from_ms((int64_t)train->options->checkpoint_ms);
    chirr_time_us due = chirr_clock_now() + interval;
    enum chirr_err err = CHIRR_OK;
    while (err == CHIRR_OK && train->position < train->training.end &&
           !chirr_cli_model_interrupted()) {
        err = learn_slice(train, error);
        chirr_time_us now = chirr_clock_now();
        const struct chirr_progress_moment moment = {
            .bytes = train->position, .bits = mean_bits(train), .bits_now = train->bits_now};
        chirr_progress_show(&train->progress, &moment, now);
        if (err == CHIRR_OK && now >= due) {
            err = save(train, error);
            tell_checkpoint(train);
            due = chirr_clock_now() + interval;
        }
    }
    return err;
}

/* ---- What is held out ---------------------------------------------------------------------- */

struct held_out {
    uint64_t bytes;
    double bits; /* per byte, by the averaged weights */
};

static enum chirr_err examine_text(struct chirr_train *train,
                                   const struct chirr_training_text *text, struct held_out *sum,
                                   struct chirr_error *error)
{
    uint8_t *bytes;
    size_t count;
    const struct chirr_media_part part = {text->learned_bytes, UINT64_MAX};
    enum chirr_err err = chirr_media_read(text->path, &text->media, &part, &bytes, &count, error);
    if (err != CHIRR_OK) {
        return err;
    }
    if (count >= 2) { /* a single byte tells nothing */
        sum->bits += chirr_cli_model_read(&train->model, text->sense, bytes, count, true,
                                          train->options->json);
        sum->bytes += count;
    }
    free(bytes);
    return CHIRR_OK;
}

static enum chirr_err examine(struct chirr_train *train, struct held_out *sum,
                              struct chirr_error *error)
{
    *sum = (struct held_out){0};
    if (train->training.held_out_permille == 0 || chirr_cli_model_interrupted()) {
        return CHIRR_OK;
    }
    enum chirr_err err = CHIRR_OK;
    for (size_t i = 0; i < train->training.text_count && err == CHIRR_OK; i++) {
        err = examine_text(train, &train->training.texts[i], sum, error);
    }
    if (sum->bytes > 0) {
        sum->bits /= (double)sum->bytes;
    }
    return err;
}

/* ---- Telling ------------------------------------------------------------------------------- */

static void tell_begin(const struct chirr_train *train)
{
    const struct chirr_train_options *o = train->options;
    size_t parameters = chirr_model_parameter_count(&train->model.config);
    if (o->json) {
        tell_json(json_pack("{s:s, s:o, s:b, s:I, s:I, s:I, s:I}", "event", "begin", "model",
                            chirr_json_path(o->path), "resumed", train->resumed, "parameters",
                            (json_int_t)parameters, "memory_bytes",
                            (json_int_t)chirr_model_bytes(&train->model.config), "bytes",
                            (json_int_t)train->position, "bytes_total",
                            (json_int_t)train->training.end));
        return;
    }
    char total[CHIRR_TABLE_BYTES_TEXT], memory[CHIRR_TABLE_BYTES_TEXT];
    chirr_table_format_bytes(train->training.end, total);
    chirr_table_format_bytes(chirr_model_bytes(&train->model.config), memory);
    fprintf(stderr, "%s: %zu parameters, %s of memory; %s to learn", o->path, parameters, memory,
            total);
    if (train->position > 0) {
        char done[CHIRR_TABLE_BYTES_TEXT];
        chirr_table_format_bytes(train->position, done);
        fprintf(stderr, ", %s are done", done);
    }
    fputc('\n', stderr);
}

static json_t *real_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static void tell_end(const struct chirr_train *train, const struct held_out *held_out,
                     bool interrupted)
{
    struct chirr_model_statistics statistics;
    char hash[CHIRR_CLI_HEX_BYTES];
    chirr_model_statistics(train->model.model, &statistics);
    chirr_cli_model_hex(chirr_model_state_hash(train->model.model), hash);
    if (train->options->json) {
        json_t *line = json_pack(
            "{s:s, s:b, s:I, s:I, s:o, s:I, s:I, s:s}", "event", "end", "interrupted", interrupted,
            "bytes", (json_int_t)train->position, "bytes_total", (json_int_t)train->training.end,
            "bits", real_or_null(mean_bits(train)), "updates", (json_int_t)statistics.updates,
            "updates_refused", (json_int_t)statistics.updates_refused, "state_hash", hash);
        if (held_out->bytes > 0) {
            json_object_set_new(line, "held_out_bytes", json_integer((json_int_t)held_out->bytes));
            json_object_set_new(line, "held_out_bits", json_real(held_out->bits));
        }
        tell_json(line);
        return;
    }
    printf("learned   %llu bytes", (unsigned long long)train->position);
    if (train->sum.bytes > 0) {
        printf(", %.4f bits per byte on the way", mean_bits(train));
    }
    putchar('\n');
    if (held_out->bytes > 0) {
        printf("held out  %llu bytes, %.4f bits per byte\n", (unsigned long long)held_out->bytes,
               held_out->bits);
    }
    printf("model     %s, %llu updates, state %s\n", train->options->path,
           (unsigned long long)statistics.updates, hash);
    if (interrupted) {
        fprintf(stderr, "chirr: interrupted at %llu of %llu bytes; the same command goes on\n",
                (unsigned long long)train->position, (unsigned long long)train->training.end);
    }
}

/* ---- All of it ----------------------------------------------------------------------------- */

static uint64_t end_of(const struct chirr_train *train)
{
    const struct chirr_train_options *o = train->options;
    uint64_t pass = chirr_training_pass_bytes(&train->training);
    uint64_t passes = o->passes == 0 ? 1 : o->passes;
    uint64_t end = passes > UINT64_MAX / pass ? UINT64_MAX : passes * pass;
    if (o->bytes > 0 && (o->bytes < end || o->passes == 0)) {
        end = o->bytes;
    }
    return end;
}

enum chirr_err chirr_train_run(struct chirr_train *train, struct chirr_error *error)
{
    struct chirr_model_statistics statistics;
    chirr_model_statistics(train->model.model, &statistics);
    train->position = statistics.sensed - train->training.begin;
    train->sum = chirr_training_find(&train->training, statistics.sensed);
    train->bits_now = NAN;
    train->training.end = end_of(train);
    tell_begin(train);
    enum chirr_err err = CHIRR_OK;
    if (train->position < train->training.end) {
        chirr_cli_model_catch_signals();
        err = save(train, error); /* before anything is learned: can it be saved at all? */
        chirr_progress_init(&train->progress, train->position, train->training.end,
                            train->options->json, chirr_clock_now());
    }
    if (err == CHIRR_OK) {
        err = learn_all(train, error);
        chirr_progress_clear(&train->progress);
    }
    if (train->position > train->saved) { /* whatever ended it */
        struct chirr_error why;
        enum chirr_err saved = save(train, &why);
        if (err == CHIRR_OK && saved != CHIRR_OK) {
            err = chirr_error_set(error, saved, "%s", why.text);
        }
    }
    bool interrupted = chirr_cli_model_interrupted();
    struct held_out held_out;
    if (err == CHIRR_OK) {
        err = examine(train, &held_out, error);
    }
    if (err == CHIRR_OK) {
        tell_end(train, &held_out, interrupted);
    }
    return err == CHIRR_OK && interrupted ? CHIRR_ERR_CANCELLED : err;
}
