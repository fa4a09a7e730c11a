/* model.forgetting: what learning a new text makes of an old one, remedy by remedy.
 *
 *   rise   bits per byte of the old text's held-out end, frozen and by the slow average, after the
 *          new text was learned less before
 *
 * A remedy that does not learn the new text forgets nothing, so what that cost is told beside. */
#include <string.h>

#include "tests/bench/bench.h"
#include "tests/bench/corpus.h"
#include "tests/bench/parallel.h"
#include "tests/bench/passes.h"
#include "tests/bench/shapes.h"

#define TEXT_BYTES_MAX 98304 /* of each text, its held-out end with it */
#define HELD_OUT_DIVISOR 8
#define PAIRS_MAX 2

static const struct remedy {
    const char *name;
    bool drift, replay, slow_trunk;
} remedies[] = {
    {"none", true, false, false},
    {"rates stay settled", false, false, false},
    {"slow trunk", true, false, true},
    {"replay", true, true, false},
    {"replay, slow trunk", true, true, true},
};
#define REMEDY_COUNT (sizeof remedies / sizeof remedies[0])

struct job {
    const struct chirr_bench_text *texts[2]; /* old, new */
    size_t bytes;                            /* of each */
    const struct remedy *remedy;
    struct chirr_bench_pass_progress *progress;
    enum chirr_err err;
    double before; /* bits per byte of the old text's end */
    double after;
    double learning[2]; /* bits per byte over the pass of each text */
};

static struct chirr_model_config config_of(const struct remedy *remedy)
{
    struct chirr_model_config config = chirr_bench_default_config();
    config.drift = remedy->drift;
    config.replay_bytes = remedy->replay ? config.replay_bytes : 0;
    config.trunk_rate = remedy->slow_trunk ? 0.1f : 1;
    return config;
}

static void advance(struct chirr_bench_pass_progress *progress)
{
    size_t done = atomic_fetch_add(&progress->done, 1) + 1;
    chirr_bench_progress(progress->context, (double)done / (double)progress->total);
}

static void run_job(void *context)
{
    struct job *job = context;
    struct chirr_bench_subject subject;
    const struct chirr_model_config config = config_of(job->remedy);
    job->err = chirr_bench_subject_init(&subject, &config, NULL);
    size_t held = job->bytes / HELD_OUT_DIVISOR;
    size_t learned = job->bytes - held;
    double *bits[2] = {&job->before, &job->after};
    for (int i = 0; i < 2 && job->err == CHIRR_OK; i++) {
        job->learning[i] =
            chirr_bench_read_text(subject.model, job->texts[i]->bytes, learned) / (double)learned;
        job->err = chirr_model_evaluate(subject.model, 0, job->texts[0]->bytes + learned, held,
                                        true, bits[i]);
        advance(job->progress);
    }
    chirr_bench_subject_finish(&subject);
}

static void report(struct chirr_bench_context *context, const struct job *job)
{
    const struct chirr_bench_result result = {
        .metric = "rise",
        .value = job->after - job->before,
        .unit = "bit",
        .fields = json_pack("{s:s, s:s, s:s, s:f, s:f, s:f}", "remedy", job->remedy->name, "old",
                            job->texts[0]->name, "new", job->texts[1]->name, "before", job->before,
                            "after", job->after, "learning_new", job->learning[1]),
    };
    chirr_bench_report(context, &result);
}

/* Each text and the next. */
static size_t list_jobs(const struct chirr_bench_corpus *corpus, size_t bytes, struct job *jobs)
{
    size_t pairs = corpus->count - 1 < PAIRS_MAX ? corpus->count - 1 : PAIRS_MAX;
    size_t count = 0;
    for (size_t pair = 0; pair < pairs; pair++) {
        for (size_t r = 0; r < REMEDY_COUNT; r++) {
            jobs[count++] = (struct job){
                .texts = {&corpus->texts[pair], &corpus->texts[pair + 1]},
                .bytes = bytes,
                .remedy = &remedies[r],
            };
        }
    }
    return count;
}

static enum chirr_err run_all(struct chirr_bench_context *context,
                              const struct chirr_bench_corpus *corpus, size_t bytes,
                              struct chirr_error *error)
{
    struct job jobs[PAIRS_MAX * REMEDY_COUNT];
    struct chirr_bench_pass_progress progress = {.context = context};
    const struct chirr_bench_work work = {.run = run_job,
                                          .jobs = jobs,
                                          .job_bytes = sizeof jobs[0],
                                          .job_count = list_jobs(corpus, bytes, jobs)};
    for (size_t i = 0; i < work.job_count; i++) {
        jobs[i].progress = &progress;
    }
    progress.total = 2 * work.job_count;
    chirr_bench_run_all(&work);
    for (size_t i = 0; i < work.job_count; i++) {
        if (jobs[i].err != CHIRR_OK) {
            return chirr_error_set(error, jobs[i].err, "model.forgetting: %s",
                                   chirr_err_text(jobs[i].err));
        }
        report(context, &jobs[i]);
    }
    return CHIRR_OK;
}

/* The texts of the command line, then those of the machine that are not among them. Borrowed. */
static struct chirr_bench_corpus join(const struct chirr_bench_corpus *chosen,
                                      const struct chirr_bench_corpus *machine)
{
    struct chirr_bench_corpus all = *chosen;
    for (size_t i = 0; i < machine->count && all.count < CHIRR_BENCH_TEXTS_MAX; i++) {
        bool known = false;
        for (size_t j = 0; j < chosen->count; j++) {
            known = known || strcmp(chosen->texts[j].name, machine->texts[i].name) == 0;
        }
        if (!known) {
            all.texts[all.count++] = machine->texts[i];
        }
    }
    return all;
}

static enum chirr_err run(struct chirr_bench_context *context, struct chirr_error *error)
{
    const struct chirr_bench_corpus_wish wish = {
        .bytes = context->bytes < TEXT_BYTES_MAX ? context->bytes : TEXT_BYTES_MAX,
        .texts_max = CHIRR_BENCH_TEXTS_MAX,
    };
    struct chirr_bench_corpus machine;
    enum chirr_err err = chirr_bench_corpus_init(&machine, &wish, error);
    if (err == CHIRR_OK) {
        const struct chirr_bench_corpus all = join(&context->corpus, &machine);
        err = all.count > 1 ? run_all(context, &all, wish.bytes, error)
                            : chirr_error_set(error, CHIRR_ERR_CONFIG,
                                              "model.forgetting needs two texts of %zu bytes, this "
                                              "machine has one: give another with --text",
                                              wish.bytes);
    }
    chirr_bench_corpus_finish(&machine);
    return err;
}

const struct chirr_bench chirr_bench_forgetting = {
    "model.forgetting", "what a new text makes of an old one, per remedy", run, true};
