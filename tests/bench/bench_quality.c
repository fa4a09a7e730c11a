/* model.quality: bits per byte over one pass of a text, each byte predicted before it is learned,
 * against an LSTM on the same pass.
 *
 *   bits_over_lstm      at equal parameters; the LSTM at its best of three rates, ours at its own
 *   bits_at_equal_cpu   ours as wide as it can be without using more CPU than that LSTM
 *
 * The LSTM reads bytes (baseline "bytes"). bits_over_lstm is told a second time, without a target,
 * against one that reads the same n-gram tables as ours, of as many parameters with them, likewise
 * at its best of the three rates (baseline "tables"): what is left is the body's.
 *
 * Ours learns a chunk at a time: since its rates are predefined, the past of every step of a chunk
 * is known before the layer above is computed, and a chunk is a few matrix products. An LSTM's is
 * not: its recurrent product waits for the step before. That is an advantage of the model, not of
 * the comparison; but a stream that comes byte by byte does not have it, so the CPU time of single
 * steps is told, too.
 *
 * Both learn every byte once: ours replays nothing here, unlike its default. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/bench.h"
#include "tests/bench/corpus.h"
#include "tests/bench/measure.h"
#include "tests/bench/passes.h"
#include "tests/bench/shapes.h"

#define RATES 3
#define PASSES_MAX (3 * CHIRR_BENCH_SEEDS_MAX + 2 * RATES)
#define EQUAL_CPU_TARGET (-0.03)
/* Speeds are compared on this much of the text, in turns. */
#define SAMPLE_BYTES 4096
#define TURNS 15

static const float rates[RATES] = {5e-3f, 8e-3f, 12e-3f};

struct contest {
    struct chirr_bench_context *context;
    const struct chirr_bench_text *text;
    struct chirr_bench_pass_progress progress;
    struct chirr_bench_pass ours[CHIRR_BENCH_SEEDS_MAX];
    struct chirr_bench_pass wide[CHIRR_BENCH_SEEDS_MAX];
    struct chirr_bench_pass theirs[CHIRR_BENCH_SEEDS_MAX]; /* at the best rate */
    struct chirr_bench_pass tables[CHIRR_BENCH_SEEDS_MAX]; /* likewise, with n-gram tables */
    double bits_at_rate[RATES];                            /* of the first seed */
    double tables_at_rate[RATES];
    double single_steps_us; /* CPU time of ours, byte by byte */
    double cpu_ratio;       /* wide / LSTM, side by side */
};

/* The default model, each byte learned once. */
static struct chirr_model_config our_config(void)
{
    struct chirr_model_config config = chirr_bench_default_config();
    config.replay_share = 0;
    config.replay_bytes = 0;
    return config;
}

/* ---- Speed ---------------------------------------------------------------------------------- */

struct sampler {
    struct chirr_bench_subject subject;
    struct chirr_arena arena;
    struct chirr_lstm *lstm;
    const struct chirr_bench_text *text;
    bool single_steps;
};

static size_t sample_bytes(const struct chirr_bench_text *text)
{
    return text->count < SAMPLE_BYTES ? text->count : SAMPLE_BYTES;
}

static void sample_turn(void *context)
{
    struct sampler *sampler = context;
    size_t count = sample_bytes(sampler->text);
    if (sampler->lstm != NULL) {
        chirr_lstm_learn(sampler->lstm, sampler->text->bytes, count);
    } else if (sampler->single_steps) {
        chirr_bench_read_bytes(sampler->subject.model, sampler->text->bytes, count);
    } else {
        chirr_bench_read_text(sampler->subject.model, sampler->text->bytes, count);
    }
}

static enum chirr_err sampler_init(struct sampler *sampler, const struct chirr_bench_pass *pass,
                                   struct chirr_error *error)
{
    *sampler = (struct sampler){.text = pass->text};
    if (!pass->is_lstm) {
        return chirr_bench_subject_init(&sampler->subject, &pass->config, error);
    }
    size_t bytes = chirr_lstm_bytes(&pass->lstm);
    if (chirr_arena_init(&sampler->arena, bytes) != CHIRR_OK) {
        return chirr_error_set(error, CHIRR_ERR_NOMEM, "an LSTM needs %zu bytes: out of memory",
                               bytes);
    }
    sampler->lstm = chirr_lstm_create(&sampler->arena, &pass->lstm);
    return CHIRR_OK;
}

static void sampler_finish(struct sampler *sampler)
{
    chirr_bench_subject_finish(&sampler->subject);
    chirr_arena_finish(&sampler->arena);
}

/* CPU time of a pass over that of another, side by side. */
static enum chirr_err compare_speed(const struct chirr_bench_pass *pass,
                                    const struct chirr_bench_pass *with, double *ratio,
                                    struct chirr_error *error)
{
    struct sampler samplers[2] = {{.text = NULL}, {.text = NULL}};
    enum chirr_err err = sampler_init(&samplers[0], with, error);
    if (err == CHIRR_OK) {
        err = sampler_init(&samplers[1], pass, error);
    }
    if (err == CHIRR_OK) {
        const struct chirr_bench_side sides[2] = {{sample_turn, &samplers[0]},
                                                  {sample_turn, &samplers[1]}};
        *ratio = chirr_bench_compare(sides, 2, TURNS).ratio[1];
    }
    sampler_finish(&samplers[0]);
    sampler_finish(&samplers[1]);
    return err;
}

static enum chirr_err time_single_steps(struct contest *contest, struct chirr_error *error)
{
    struct sampler sampler;
    enum chirr_err err = sampler_init(&sampler, &contest->ours[0], error);
    if (err == CHIRR_OK) {
        sampler.single_steps = true;
        const struct chirr_bench_side side = {sample_turn, &sampler};
        contest->single_steps_us = 1e6 * chirr_bench_compare(&side, 1, TURNS).seconds[0] /
                                   (double)sample_bytes(contest->text);
    }
    sampler_finish(&sampler);
    return err;
}

/* The default's proportions at other widths and depths. */
static struct chirr_model_config scaled(uint32_t width, uint32_t layers)
{
    struct chirr_model_config config = our_config();
    uint32_t grain = config.rates * config.partitions;
    uint32_t sections = config.section_width * width / config.width;
    uint32_t hidden = config.mlp_width * width / config.width;
    config.section_width = sections / grain * grain;
    config.mlp_width = hidden / config.partitions * config.partitions;
    config.width = width;
    config.layers = layers;
    return config;
}

/* The largest that takes no more CPU than the LSTM; the smallest where none does. */
static enum chirr_err choose_wide(struct contest *contest, struct chirr_model_config *chosen,
                                  struct chirr_error *error)
{
    static const struct {
        uint32_t width, layers;
    } sizes[] = {{32, 2}, {48, 2}, {64, 2}, {80, 2}, {96, 2}, {112, 2}, {128, 2}, {160, 2}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct chirr_bench_pass candidate = contest->ours[0];
        double ratio;
        candidate.config = scaled(sizes[i].width, sizes[i].layers);
        enum chirr_err err = compare_speed(&candidate, &contest->theirs[0], &ratio, error);
        if (err != CHIRR_OK || (i > 0 && ratio > 1)) {
            return err;
        }
        *chosen = candidate.config;
        contest->cpu_ratio = ratio;
    }
    return CHIRR_OK;
}

/* ---- Passes --------------------------------------------------------------------------------- */

static struct chirr_bench_pass our_pass(struct contest *contest,
                                        const struct chirr_model_config *config, uint64_t seed)
{
    struct chirr_bench_pass pass = {
        .config = *config, .text = contest->text, .progress = &contest->progress};
    pass.config.genesis_seed = seed;
    return pass;
}

static struct chirr_bench_pass their_pass(struct contest *contest, bool tables, float rate,
                                          uint64_t seed)
{
    const struct chirr_model_config ours = our_config();
    struct chirr_bench_pass pass = {
        .is_lstm = true,
        .lstm = chirr_lstm_config_of_size(chirr_model_parameter_count(&ours),
                                          tables ? ours.gram_rows : 0),
        .text = contest->text,
        .progress = &contest->progress};
    pass.lstm.learning_rate = rate;
    pass.lstm.seed = seed;
    return pass;
}

static size_t best_of(const struct chirr_bench_pass passes[RATES], double bits[RATES])
{
    size_t best = 0;
    for (size_t i = 0; i < RATES; i++) {
        bits[i] = passes[i].bits;
        best = passes[i].bits < passes[best].bits ? i : best;
    }
    return best;
}

/* Ours at every seed, and each LSTM's first seed at every rate, of which the best goes on. */
static enum chirr_err run_first(struct contest *contest, struct chirr_error *error)
{
    struct chirr_bench_pass passes[PASSES_MAX];
    const struct chirr_model_config config = our_config();
    uint32_t seeds = contest->context->seeds;
    for (size_t i = 0; i < RATES; i++) {
        passes[i] = their_pass(contest, false, rates[i], 1);
        passes[RATES + i] = their_pass(contest, true, rates[i], 1);
    }
    for (uint32_t i = 0; i < seeds; i++) {
        passes[2 * RATES + i] = our_pass(contest, &config, i + 1);
    }
    chirr_bench_run_passes(passes, 2 * RATES + seeds);
    contest->theirs[0] = passes[best_of(passes, contest->bits_at_rate)];
    contest->tables[0] = passes[RATES + best_of(passes + RATES, contest->tables_at_rate)];
    memcpy(contest->ours, passes + 2 * RATES, seeds * sizeof *passes);
    return chirr_bench_passes_error(passes, 2 * RATES + seeds, error);
}

/* The LSTMs' other seeds, and ours at equal CPU time. */
static enum chirr_err run_second(struct contest *contest, struct chirr_error *error)
{
    struct chirr_bench_pass passes[PASSES_MAX];
    struct chirr_model_config wide;
    uint32_t seeds = contest->context->seeds, others = seeds - 1;
    enum chirr_err err = choose_wide(contest, &wide, error);
    if (err != CHIRR_OK) {
        return err;
    }
    for (uint32_t i = 0; i < others; i++) {
        passes[i] = their_pass(contest, false, contest->theirs[0].lstm.learning_rate, i + 2);
        passes[others + i] =
            their_pass(contest, true, contest->tables[0].lstm.learning_rate, i + 2);
    }
    for (uint32_t i = 0; i < seeds; i++) {
        passes[2 * others + i] = our_pass(contest, &wide, i + 1);
    }
    chirr_bench_run_passes(passes, 2 * others + seeds);
    memcpy(contest->theirs + 1, passes, others * sizeof *passes);
    memcpy(contest->tables + 1, passes + others, others * sizeof *passes);
    memcpy(contest->wide, passes + 2 * others, seeds * sizeof *passes);
    return chirr_bench_passes_error(passes, 2 * others + seeds, error);
}

/* ---- Figures -------------------------------------------------------------------------------- */

static size_t parameters_of(const struct chirr_bench_pass *pass)
{
    return pass->is_lstm ? chirr_lstm_parameter_count(&pass->lstm)
                         : chirr_model_parameter_count(&pass->config);
}

static json_t *fields_of(const struct contest *contest, const char *learner,
                         const struct chirr_bench_pass *passes)
{
    uint32_t seeds = contest->context->seeds;
    return json_pack("{s:s, s:s, s:I, s:i, s:f, s:o}", "text", contest->text->name, "learner",
                     learner, "params", (json_int_t)parameters_of(passes), "seeds", (int)seeds,
                     "cpu_s", chirr_bench_mean_cpu_s(passes, seeds), "bits",
                     chirr_bench_bits_of(passes, seeds));
}

static json_t *lstm_fields(const struct contest *contest, const char *learner,
                           const struct chirr_bench_pass *passes, const double bits[RATES])
{
    json_t *fields = fields_of(contest, learner, passes);
    json_t *at_rates = json_object();
    for (size_t i = 0; i < RATES; i++) {
        char rate[16];
        snprintf(rate, sizeof rate, "%g", (double)rates[i]);
        json_object_set_new(at_rates, rate, json_real(bits[i]));
    }
    json_object_set_new(fields, "bits_at_rates", at_rates);
    json_object_set_new(fields, "hidden", json_integer(passes[0].lstm.hidden));
    return fields;
}

static void report_learners(struct contest *contest)
{
    uint32_t seeds = contest->context->seeds;
    json_t *ours = fields_of(contest, "chirr", contest->ours);
    json_object_set_new(ours, "single_steps_cpu_s",
                        json_real(1e-6 * contest->single_steps_us * (double)contest->text->count));
    json_t *theirs = lstm_fields(contest, "lstm", contest->theirs, contest->bits_at_rate);
    json_t *tables =
        lstm_fields(contest, "lstm with tables", contest->tables, contest->tables_at_rate);
    json_t *wide = fields_of(contest, "chirr at equal cpu", contest->wide);
    json_object_set_new(wide, "width", json_integer(contest->wide[0].config.width));
    const struct chirr_bench_result results[] = {
        {.value = chirr_bench_mean_bits(contest->ours, seeds), .fields = ours},
        {.value = chirr_bench_mean_bits(contest->theirs, seeds), .fields = theirs},
        {.value = chirr_bench_mean_bits(contest->tables, seeds), .fields = tables},
        {.value = chirr_bench_mean_bits(contest->wide, seeds), .fields = wide},
    };
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
        struct chirr_bench_result result = results[i];
        result.metric = "bits_per_byte";
        result.unit = "bit";
        chirr_bench_report(contest->context, &result);
    }
}

static void report_over(struct contest *contest, const char *baseline, double lstm,
                        enum chirr_bench_bound bound)
{
    uint32_t seeds = contest->context->seeds;
    const struct chirr_bench_result result = {
        .metric = "bits_over_lstm",
        .value = chirr_bench_mean_bits(contest->ours, seeds) - lstm,
        .unit = "bit",
        .bound = bound,
        .target = 0,
        .fields =
            json_pack("{s:s, s:s, s:I, s:i}", "text", contest->text->name, "baseline", baseline,
                      "params", (json_int_t)parameters_of(contest->ours), "seeds", (int)seeds),
    };
    chirr_bench_report(contest->context, &result);
}

static void report_differences(struct contest *contest)
{
    uint32_t seeds = contest->context->seeds;
    double lstm = chirr_bench_mean_bits(contest->theirs, seeds);
    report_over(contest, "bytes", lstm, CHIRR_BENCH_AT_MOST);
    report_over(contest, "tables", chirr_bench_mean_bits(contest->tables, seeds),
                CHIRR_BENCH_NO_TARGET);
    const struct chirr_bench_result result = {
        .metric = "bits_at_equal_cpu",
        .value = chirr_bench_mean_bits(contest->wide, seeds) - lstm,
        .unit = "bit",
        .bound = CHIRR_BENCH_AT_MOST,
        .target = EQUAL_CPU_TARGET,
        .fields = json_pack("{s:s, s:s, s:I, s:i, s:f}", "text", contest->text->name, "baseline",
                            "bytes", "params", (json_int_t)parameters_of(contest->wide), "seeds",
                            (int)seeds, "cpu_over_lstm", contest->cpu_ratio),
    };
    chirr_bench_report(contest->context, &result);
}

static enum chirr_err run_contest(struct contest *contest, struct chirr_error *error)
{
    enum chirr_err err = run_first(contest, error);
    if (err == CHIRR_OK) {
        err = run_second(contest, error);
    }
    if (err == CHIRR_OK) {
        err = time_single_steps(contest, error);
    }
    if (err == CHIRR_OK) {
        report_learners(contest);
        report_differences(contest);
    }
    return err;
}

static enum chirr_err run(struct chirr_bench_context *context, struct chirr_error *error)
{
    struct contest *contest = malloc(sizeof *contest);
    if (contest == NULL) {
        return chirr_error_set(error, CHIRR_ERR_NOMEM, "model.quality: out of memory");
    }
    enum chirr_err err = CHIRR_OK;
    const struct chirr_bench_corpus *corpus = &context->corpus;
    for (size_t i = 0; err == CHIRR_OK && i < corpus->count; i++) {
        *contest = (struct contest){.context = context, .text = &corpus->texts[i]};
        contest->progress.context = context;
        contest->progress.total = (2 * RATES + 4 * context->seeds - 2) * context->bytes;
        err = run_contest(contest, error);
    }
    free(contest);
    return err;
}

const struct chirr_bench chirr_bench_quality = {
    "model.quality", "bits per byte over one pass, against an LSTM", run, true};
