/* Benchmarks: what one of them is, and where its figures go.
 *
 * `chirr bench GROUP` runs the benchmarks of a group one after the other and prints every figure as
 * soon as it is known: a row of a table, or with --json one object a line,
 * {"bench","metric","value","unit", fields…, "target","pass"}. Figures of speed are ratios of two
 * sides that take turns in one run (tests/bench/measure.h), because machines differ and are busy;
 * what a swarm of processes does can only be told in seconds (tests/bench/fleet.h).
 *
 * Threading: `run` is called on the main thread; what it starts it also ends, and it alone reports.
 * Ownership: the fields of a result are consumed. Process edge: reads clocks and files, prints. */
#ifndef CHIRR_TESTS_BENCH_BENCH_H
#define CHIRR_TESTS_BENCH_BENCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "tests/bench/corpus.h"

#define CHIRR_BENCH_SEEDS_MAX 16
#define CHIRR_BENCH_AGENTS_MIN 3
#define CHIRR_BENCH_AGENTS_MAX 250

struct chirr_bench_context;

struct chirr_bench {
    const char *name; /* "model.forward": group, dot, what --only takes */
    const char *summary;
    enum chirr_err (*run)(struct chirr_bench_context *context, struct chirr_error *error);
    bool reads_text; /* without it, the context's corpus is empty */
};

enum chirr_bench_bound {
    CHIRR_BENCH_NO_TARGET,
    CHIRR_BENCH_AT_LEAST,
    CHIRR_BENCH_AT_MOST,
};

struct chirr_bench_result {
    const char *metric;
    double value; /* NaN: not measured, the fields say why; null in JSON */
    const char *unit;
    enum chirr_bench_bound bound;
    double target;  /* unless NO_TARGET */
    json_t *fields; /* an object, consumed; NULL: none */
};

/* What the command line chose, and where results go. */
struct chirr_bench_context {
    const struct chirr_bench *bench; /* the one that runs */
    struct chirr_bench_corpus corpus;
    uint32_t seeds;  /* runs per figure where chance matters, 1…CHIRR_BENCH_SEEDS_MAX */
    size_t bytes;    /* of each text */
    uint32_t agents; /* processes of a swarm; 0: as many as the targets name */
    bool json;
    bool progress; /* on a terminal */
};

/* Prints one figure. */
void chirr_bench_report(struct chirr_bench_context *context,
                        const struct chirr_bench_result *result);

/* "model.quality: 37%" on a terminal, wiped by the next row; nothing elsewhere. Cheap enough for
 * every thousandth of the work. Any thread. */
void chirr_bench_progress(const struct chirr_bench_context *context, double fraction);

/* ---- The benchmarks of the model, one a file (bench_swarm.h has the others)
 * ------------------------------------------------------------- */

extern const struct chirr_bench chirr_bench_batch;
extern const struct chirr_bench chirr_bench_forgetting;
extern const struct chirr_bench chirr_bench_forward;
extern const struct chirr_bench chirr_bench_kernels;
extern const struct chirr_bench chirr_bench_learn;
extern const struct chirr_bench chirr_bench_memory;
extern const struct chirr_bench chirr_bench_quality;
extern const struct chirr_bench chirr_bench_sparse;
extern const struct chirr_bench chirr_bench_transformer;

#endif
