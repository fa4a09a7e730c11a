/* Checkpoints of format 1: spans without names, in the order of the models that wrote them, whose
 * shapes are those of lineage format 1. Behind the lineage, the header holds u64 digest of all
 * spans' sizes and u64 bytes of them.
 *
 * What was learned, where streams stand, outcomes and what others changed are taken; the open chunk
 * of each sense, a few steps of learning, and the bits' running mean of a vector's units are not.
 */
#include "base/wire.h"
#include "model/checkpoint_file.h"

#define HEADER_BYTES 40

struct walk {
    const struct chirr_checkpoint_reader *reader;
    uint64_t at;
    bool reads; /* else it only counts */
    bool failed;
};

static void take(struct walk *walk, void *bytes, size_t count)
{
    if (walk->reads && !walk->failed) {
        walk->failed = !chirr_checkpoint_read(walk->reader, walk->at, bytes, count);
    }
    walk->at += count;
}

static void skip(struct walk *walk, size_t count)
{
    walk->at += count;
}

/* A parallel array: the shared part, then each sense's, without tags where bytes had none. */
static void take_parameters(struct walk *walk, const struct chirr_model *model, chirr_real *array)
{
    const struct chirr_layout *l = &model->body.layout;
    take(walk, array, l->shared_end * sizeof *array);
    for (uint32_t i = 0; i < model->config.sense_count; i++) {
        const struct chirr_layout_sense *s = &l->senses[i];
        if (model->config.senses[i].kind != CHIRR_SENSE_BYTES) {
            take(walk, array + s->begin, (s->end - s->begin) * sizeof *array);
        }
    }
}

/* Numbers of a row of activations, as it was. */
static size_t row_count(const struct chirr_layout *l)
{
    return 4 * (size_t)l->width +
           (size_t)l->hosted_count * (4 * (size_t)l->channels + 2 * (size_t)l->hidden) + 2;
}

static void take_stream(struct walk *walk, struct chirr_model *model, uint32_t sense)
{
    const struct chirr_layout *l = &model->body.layout;
    struct chirr_stream *s = &model->senses[sense].stream;
    bool outcome = model->config.senses[sense].kind == CHIRR_SENSE_OUTCOME;
    size_t traces = chirr_stream_trace_count(l) * sizeof(chirr_real);
    size_t powers = (size_t)2 * l->rates * sizeof(chirr_real);
    size_t inputs = outcome ? 0 : s->inputs;
    skip(walk, sizeof s->filled);
    take(walk, s->traces, traces);
    skip(walk, traces);
    take(walk, s->powers, powers);
    skip(walk, powers);
    skip(walk, l->layers * s->chunk * row_count(l) * sizeof(chirr_real));
    skip(walk, s->chunk * (2 * (size_t)l->width + 1) * sizeof(chirr_real));
    skip(walk, s->chunk * (inputs + s->outputs) * sizeof(chirr_real));
}

static void take_sense(struct walk *walk, struct chirr_model *model, uint32_t index)
{
    struct chirr_sense_state *state = &model->senses[index];
    const struct chirr_model_sense *sense = &model->config.senses[index];
    take_stream(walk, model, index);
    take(walk, &state->steps, sizeof state->steps);
    take(walk, &state->updates, sizeof state->updates);
    take(walk, &state->bits_mean, sizeof state->bits_mean);
    take(walk, &state->symbols.last, sizeof state->symbols.last);
    if (sense->kind == CHIRR_SENSE_VECTOR) {
        take(walk, state->last, sense->width * sizeof *state->last);
        take(walk, state->normaliser.mean, sense->width * sizeof(double));
        take(walk, state->normaliser.variance, sense->width * sizeof(double));
        take(walk, state->normaliser.count, sense->width * sizeof(double));
    }
    if (sense->kind == CHIRR_SENSE_OUTCOME) {
        struct chirr_outcomes *o = &state->outcomes;
        take(walk, &o->count, sizeof o->count);
        take(walk, &o->next, sizeof o->next);
        take(walk, o->features, (size_t)CHIRR_OUTCOMES_MAX * o->width * sizeof *o->features);
        take(walk, o->readouts, (size_t)CHIRR_OUTCOMES_MAX * o->body_width * sizeof *o->readouts);
        take(walk, o->targets, CHIRR_OUTCOMES_MAX * sizeof *o->targets);
        take(walk, o->successes, CHIRR_OUTCOMES_MAX);
        for (uint32_t i = 0; i < CHIRR_OUTCOMES_MAX && walk->reads; i++) {
            o->squares[i] = -1; /* nothing was kept of how far off forecasts were */
        }
    }
}

static void take_origins(struct walk *walk, const struct chirr_model *model,
                         struct chirr_registers *r)
{
    size_t all = r->origins_max * r->blocks;
    take(walk, &r->origin_count, sizeof r->origin_count);
    for (uint32_t i = 0; i < r->origins_max; i++) {
        take(walk, &r->origins[i].id, sizeof r->origins[i].id);
        take(walk, &r->origins[i].g, sizeof r->origins[i].g);
    }
    take(walk, r->order, r->origins_max * sizeof *r->order);
    take(walk, r->values, all * sizeof *r->values);
    take(walk, r->stamps, all * sizeof *r->stamps);
    take(walk, r->published, r->blocks * sizeof *r->published);
    take(walk, r->refresh, (model->body.layout.hosted_count + 1) * sizeof *r->refresh);
}

static void take_all(struct walk *walk, struct chirr_model *model)
{
    take(walk, &model->steps, sizeof model->steps);
    take(walk, &model->updates, sizeof model->updates);
    skip(walk, sizeof(uint64_t)); /* updates of the byte codec */
    take(walk, &model->steps_refused, sizeof model->steps_refused);
    take(walk, &model->updates_refused, sizeof model->updates_refused);
    take_parameters(walk, model, model->own);
    take_parameters(walk, model, model->average);
    take_parameters(walk, model, model->moment);
    for (uint32_t i = 0; i < model->config.sense_count; i++) {
        take_sense(walk, model, i);
    }
    take_origins(walk, model, &model->registers);
}

enum chirr_err chirr_checkpoint_load_first(struct chirr_model *model,
                                           const struct chirr_checkpoint_reader *reader,
                                           struct chirr_error *error)
{
    struct walk walk = {.reader = reader, .at = HEADER_BYTES};
    take_all(&walk, model);
    if (walk.at + CHIRR_CHECKPOINT_DIGEST_BYTES != reader->bytes) {
        return chirr_error_set(error, CHIRR_ERR_LINEAGE,
                               "%s: written by a model of other senses, chunks or origins",
                               reader->path);
    }
    walk = (struct walk){.reader = reader, .at = HEADER_BYTES, .reads = true};
    take_all(&walk, model);
    return walk.failed ? chirr_error_set(error, CHIRR_ERR_IO, "%s: cannot be read", reader->path)
                       : CHIRR_OK;
}
