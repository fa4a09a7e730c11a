#include "tests/bench/passes.h"

#include "tests/bench/corpus.h"
#include "tests/bench/measure.h"
#include "tests/bench/parallel.h"
#include "tests/bench/shapes.h"

/* Whole updates of every learner: a slice changes nothing. */
#define SLICE_BYTES 16384

static void advance(struct chirr_bench_pass *pass, size_t bytes)
{
    struct chirr_bench_pass_progress *progress = pass->progress;
    size_t done = atomic_fetch_add(&progress->done, bytes) + bytes;
    chirr_bench_progress(progress->context, (double)done / (double)progress->total);
}

static double learn_slice(struct chirr_model *model, struct chirr_lstm *lstm, const uint8_t *bytes,
                          size_t count)
{
    return lstm != NULL ? chirr_lstm_learn(lstm, bytes, count)
                        : chirr_bench_read_text(model, bytes, count);
}

static void learn_text(struct chirr_bench_pass *pass, struct chirr_model *model,
                       struct chirr_lstm *lstm)
{
    size_t total = pass->text->count;
    double bits = 0;
    double begin = chirr_bench_cpu_s();
    for (size_t at = 0; at < total; at += SLICE_BYTES) {
        size_t count = total - at < SLICE_BYTES ? total - at : SLICE_BYTES;
        bits += learn_slice(model, lstm, pass->text->bytes + at, count);
        advance(pass, count);
    }
    pass->cpu_s = chirr_bench_cpu_s() - begin;
    pass->bits = bits / (double)total;
}

static void run_lstm(struct chirr_bench_pass *pass)
{
    struct chirr_arena arena;
    pass->err = chirr_arena_init(&arena, chirr_lstm_bytes(&pass->lstm));
    if (pass->err == CHIRR_OK) {
        learn_text(pass, NULL, chirr_lstm_create(&arena, &pass->lstm));
    }
    chirr_arena_finish(&arena);
}

static void run_model(struct chirr_bench_pass *pass)
{
    struct chirr_bench_subject subject;
    pass->err = chirr_bench_subject_init(&subject, &pass->config, NULL);
    if (pass->err == CHIRR_OK) {
        learn_text(pass, subject.model, NULL);
    }
    chirr_bench_subject_finish(&subject);
}

static void run_pass(void *job)
{
    struct chirr_bench_pass *pass = job;
    if (pass->is_lstm) {
        run_lstm(pass);
    } else {
        run_model(pass);
    }
}

void chirr_bench_run_passes(struct chirr_bench_pass *passes, size_t count)
{
    const struct chirr_bench_work work = {run_pass, passes, sizeof *passes, count};
    chirr_bench_run_all(&work);
}

enum chirr_err chirr_bench_passes_error(const struct chirr_bench_pass *passes, size_t count,
                                        struct chirr_error *error)
{
    for (size_t i = 0; i < count; i++) {
        if (passes[i].err != CHIRR_OK) {
            return chirr_error_set(error, passes[i].err, "a pass over %s: %s", passes[i].text->name,
                                   chirr_err_text(passes[i].err));
        }
    }
    return CHIRR_OK;
}

double chirr_bench_mean_bits(const struct chirr_bench_pass *passes, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += passes[i].bits;
    }
    return sum / (double)count;
}

double chirr_bench_mean_cpu_s(const struct chirr_bench_pass *passes, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += passes[i].cpu_s;
    }
    return sum / (double)count;
}

json_t *chirr_bench_bits_of(const struct chirr_bench_pass *passes, size_t count)
{
    json_t *bits = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(bits, json_real(passes[i].bits));
    }
    return bits;
}
