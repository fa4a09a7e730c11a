/* One pass of a learner over a text, prequential: every byte is predicted, scored, then learned.
 *
 * Threading: passes run in parallel (tests/bench/parallel.h), each on one thread. */
#ifndef CHIRR_TESTS_BENCH_PASSES_H
#define CHIRR_TESTS_BENCH_PASSES_H

#include <stdatomic.h>

#include "model/model.h"
#include "tests/bench/bench.h"
#include "tests/bench/lstm.h"

/* Bytes done by all passes of a benchmark. */
struct chirr_bench_pass_progress {
    const struct chirr_bench_context *context;
    atomic_size_t done;
    size_t total;
};

struct chirr_bench_pass {
    bool is_lstm;
    struct chirr_model_config config; /* ours */
    struct chirr_lstm_config lstm;    /* theirs */
    const struct chirr_bench_text *text;
    struct chirr_bench_pass_progress *progress;

    enum chirr_err err; /* CHIRR_ERR_NOMEM, or a config that is not valid */
    double bits;        /* per byte */
    double cpu_s;       /* of the thread */
};

void chirr_bench_run_passes(struct chirr_bench_pass *passes, size_t count);

/* The first error of any pass. */
enum chirr_err chirr_bench_passes_error(const struct chirr_bench_pass *passes, size_t count,
                                        struct chirr_error *error);

double chirr_bench_mean_bits(const struct chirr_bench_pass *passes, size_t count);
double chirr_bench_mean_cpu_s(const struct chirr_bench_pass *passes, size_t count);

/* [bits of each pass], a new reference. */
json_t *chirr_bench_bits_of(const struct chirr_bench_pass *passes, size_t count);

#endif
