/* Everything that makes two models of one configuration behave alike, as spans of memory: listed
 * once, for the state hash, for saving and for loading. What is a function of it is left out:
 * base, weights and the outcomes' fit. */
#include "base/digest.h"
#include "model/internal.h"

struct walk {
    chirr_span_visitor *visit;
    void *context;
};

#define VISIT(walk, pointer, count)                                                                \
    (walk)->visit((walk)->context, (pointer), (count) * sizeof *(pointer))

static void visit_stream(const struct walk *walk, const struct chirr_layout *layout,
                         const struct chirr_row_layout *rows, struct chirr_stream *s)
{
    size_t traces = chirr_stream_trace_count(layout);
    size_t rates = 2 * layout->rates;
    size_t steps = s->chunk;
    VISIT(walk, &s->filled, 1);
    VISIT(walk, &s->position, 1);
    VISIT(walk, &s->noise, 1);
    VISIT(walk, s->traces, traces);
    VISIT(walk, s->traces_start, traces);
    VISIT(walk, s->powers, rates);
    VISIT(walk, s->powers_start, rates);
    VISIT(walk, s->rows, layout->layers * steps * rows->stride);
    VISIT(walk, s->chosen, layout->layers * steps * layout->slots);
    VISIT(walk, s->offsets, layout->selects ? (size_t)layout->layers * layout->hosted_count : 0);
    VISIT(walk, s->finals, steps * (2 * layout->width + 1));
    VISIT(walk, s->input, steps * s->inputs);
    VISIT(walk, s->d_output, steps * s->outputs);
}

static void visit_outcomes(const struct walk *walk, struct chirr_outcomes *o)
{
    VISIT(walk, &o->count, 1);
    VISIT(walk, &o->next, 1);
    VISIT(walk, o->features, CHIRR_OUTCOMES_MAX * o->width);
    VISIT(walk, o->readouts, (size_t)CHIRR_OUTCOMES_MAX * o->body_width);
    VISIT(walk, o->targets, CHIRR_OUTCOMES_MAX);
    VISIT(walk, o->successes, CHIRR_OUTCOMES_MAX);
    VISIT(walk, o->squares, CHIRR_OUTCOMES_MAX);
    VISIT(walk, &o->calibration, 1);
    VISIT(walk, &o->odds, 1);
}

static void visit_rehearsal(const struct walk *walk, const struct chirr_layout *layout,
                            struct chirr_rehearsal *r)
{
    size_t traces = chirr_stream_trace_count(layout);
    size_t rates = 2 * layout->rates;
    VISIT(walk, r->replay.bytes, r->replay.config.bytes);
    VISIT(walk, &r->replay.open_bytes, 1);
    VISIT(walk, &r->replay.stretches, 1);
    VISIT(walk, r->stretch, CHIRR_REPLAY_STRETCH_BYTES);
    VISIT(walk, r->traces, traces);
    VISIT(walk, r->traces_start, traces);
    VISIT(walk, r->powers, rates);
    VISIT(walk, r->powers_start, rates);
    VISIT(walk, &r->read, 1);
    VISIT(walk, &r->drawn, 1);
    VISIT(walk, &r->bytes, 1);
    VISIT(walk, &r->symbols.last, 1);
    VISIT(walk, &r->symbols.recent, 1);
    VISIT(walk, &r->symbols.word, 1);
    VISIT(walk, &r->due, 1);
}

static void visit_sense(const struct walk *walk, struct chirr_model *model, uint32_t index)
{
    struct chirr_sense_state *state = &model->senses[index];
    uint32_t width = model->config.senses[index].width;
    visit_stream(walk, &model->body.layout, &model->body.rows, &state->stream);
    VISIT(walk, &state->steps, 1);
    VISIT(walk, &state->updates, 1);
    VISIT(walk, &state->settled, 1);
    VISIT(walk, &state->bits_mean, 1);
    VISIT(walk, &state->drift.state, 1);
    if (state->rehearses) {
        visit_rehearsal(walk, &model->body.layout, &state->rehearsal);
    }
    VISIT(walk, &state->symbols.last, 1);
    VISIT(walk, &state->symbols.recent, 1);
    VISIT(walk, &state->symbols.word, 1);
    if (model->config.senses[index].kind == CHIRR_SENSE_IMAGE) {
        VISIT(walk, &state->symbols.image.column, 1);
        VISIT(walk, &state->symbols.image.row, 1);
        VISIT(walk, state->symbols.image.above, width);
        VISIT(walk, state->symbols.image.above_left, 1);
    }
    if (model->config.senses[index].kind == CHIRR_SENSE_VECTOR) {
        VISIT(walk, state->last, width);
        VISIT(walk, state->normaliser.mean, width);
        VISIT(walk, state->normaliser.variance, width);
        VISIT(walk, state->normaliser.count, width);
        VISIT(walk, state->normaliser.run, width);
        VISIT(walk, state->normaliser.held, (size_t)width * CHIRR_NORMALISER_HELD);
        VISIT(walk, state->calibrations, width);
    }
    if (model->config.senses[index].kind == CHIRR_SENSE_OUTCOME) {
        visit_outcomes(walk, &state->outcomes);
    }
}

static void visit_selector(const struct walk *walk, struct chirr_selector *s, uint32_t sense_count)
{
    VISIT(walk, s->bias, s->count);
    VISIT(walk, s->load, s->count);
    for (uint32_t i = 0; i < sense_count; i++) {
        VISIT(walk, s->loads[i], s->count);
    }
}

static void visit_registers(const struct walk *walk, const struct chirr_layout *layout,
                            struct chirr_registers *r)
{
    size_t all = r->origins_max * r->blocks;
    VISIT(walk, &r->origin_count, 1);
    for (uint32_t i = 0; i < r->origins_max; i++) { /* field by field: padding is no state */
        VISIT(walk, &r->origins[i].id, 1);
        VISIT(walk, &r->origins[i].g, 1);
    }
    VISIT(walk, r->order, r->origins_max);
    VISIT(walk, r->values, all);
    VISIT(walk, r->stamps, all);
    VISIT(walk, r->published, r->blocks);
    VISIT(walk, r->refresh, layout->hosted_count + 1);
}

void chirr_model_visit_state(struct chirr_model *model, chirr_span_visitor *visit, void *context)
{
    const struct walk walk = {visit, context};
    const struct chirr_layout *layout = &model->body.layout;
    VISIT(&walk, &model->steps, 1);
    VISIT(&walk, &model->updates, 1);
    VISIT(&walk, &model->steps_refused, 1);
    VISIT(&walk, &model->updates_refused, 1);
    VISIT(&walk, model->own, layout->total);
    VISIT(&walk, model->average, layout->total);
    VISIT(&walk, model->moment, layout->total);
    VISIT(&walk, model->gram_squares, layout->gram_rows);
    for (uint32_t i = 0; i < model->config.sense_count; i++) {
        visit_sense(&walk, model, i);
    }
    visit_selector(&walk, &model->selector, model->config.sense_count);
    visit_registers(&walk, layout, &model->registers);
}

static void add_to_digest(void *context, void *bytes, size_t count)
{
    chirr_digest_add(context, bytes, count);
}

uint64_t chirr_model_state_hash(const struct chirr_model *model)
{
    struct chirr_digest_state digest;
    chirr_digest_begin(&digest);
    /* the visitor above only reads */
    chirr_model_visit_state((struct chirr_model *)model, add_to_digest, &digest);
    return chirr_digest_end(&digest);
}
