#include "model/state.h"

#include <stdio.h>
#include <string.h>

#include "base/digest.h"

struct walk {
    chirr_state_visitor *visit;
    void *context;
    char group[CHIRR_STATE_GROUP_BYTES_MAX];
};

static void enter(struct walk *walk, const char *group)
{
    snprintf(walk->group, sizeof walk->group, "%s", group);
}

static void enter_sense(struct walk *walk, const char *sense, const char *part)
{
    snprintf(walk->group, sizeof walk->group, "sense %s%s", sense, part);
}

static void visit_part(const struct walk *walk, const char *name, void *bytes, size_t size)
{
    const struct chirr_state_part part = {walk->group, name, bytes, size};
    walk->visit(walk->context, &part);
}

#define VISIT(name, pointer, count) visit_part(walk, name, pointer, (count) * sizeof *(pointer))

static void visit_chunk(const struct walk *walk, const struct chirr_body *body,
                        struct chirr_stream *s)
{
    const struct chirr_layout *layout = &body->layout;
    size_t steps = s->chunk;
    VISIT("filled", &s->filled, 1);
    VISIT("traces", s->traces_start, chirr_stream_trace_count(layout));
    VISIT("powers", s->powers_start, (size_t)2 * layout->rates);
    VISIT("rows", s->rows, layout->layers * steps * body->rows.stride);
    if (layout->selects) {
        VISIT("chosen", s->chosen, layout->layers * steps * layout->slots);
    }
    VISIT("finals", s->finals, steps * (2 * (size_t)layout->width + 1));
    VISIT("input", s->input, steps * s->inputs);
    VISIT("d_output", s->d_output, steps * s->outputs);
}

static void visit_outcomes(const struct walk *walk, struct chirr_outcomes *o)
{
    VISIT("count", &o->count, 1);
    VISIT("next", &o->next, 1);
    VISIT("features", o->features, CHIRR_OUTCOMES_MAX * o->width);
    VISIT("readouts", o->readouts, (size_t)CHIRR_OUTCOMES_MAX * o->body_width);
    VISIT("targets", o->targets, CHIRR_OUTCOMES_MAX);
    VISIT("successes", o->successes, CHIRR_OUTCOMES_MAX);
    VISIT("squares", o->squares, CHIRR_OUTCOMES_MAX);
    VISIT("calibration", &o->calibration, 1);
    VISIT("odds", &o->odds, 1);
}

static void visit_symbols(const struct walk *walk, struct chirr_symbols *s)
{
    VISIT("last", &s->last, 1);
    VISIT("recent", &s->recent, 1);
    VISIT("word", &s->word, 1);
    if (s->image.width > 0) {
        VISIT("column", &s->image.column, 1);
        VISIT("row", &s->image.row, 1);
        VISIT("above", s->image.above, s->image.width);
        VISIT("above_left", s->image.above_left, 1);
    }
}

static void visit_rehearsal(const struct walk *walk, const struct chirr_layout *layout,
                            struct chirr_rehearsal *r)
{
    size_t traces = chirr_stream_trace_count(layout);
    size_t rates = (size_t)2 * layout->rates;
    VISIT("bytes", r->replay.bytes, r->replay.config.bytes);
    VISIT("open_bytes", &r->replay.open_bytes, 1);
    VISIT("stretches", &r->replay.stretches, 1);
    VISIT("stretch", r->stretch, CHIRR_REPLAY_STRETCH_BYTES);
    VISIT("traces", r->traces, traces);
    VISIT("traces_start", r->traces_start, traces);
    VISIT("powers", r->powers, rates);
    VISIT("powers_start", r->powers_start, rates);
    VISIT("read", &r->read, 1);
    VISIT("drawn", &r->drawn, 1);
    VISIT("rehearsed", &r->bytes, 1);
    VISIT("due", &r->due, 1);
    visit_symbols(walk, &r->symbols);
}

static void visit_vector(const struct walk *walk, struct chirr_sense_state *state, size_t width)
{
    VISIT("last_vector", state->last, width);
    VISIT("mean", state->normaliser.mean, width);
    VISIT("variance", state->normaliser.variance, width);
    VISIT("count", state->normaliser.count, width);
    VISIT("run", state->normaliser.run, width);
    VISIT("held", state->normaliser.held, width * CHIRR_NORMALISER_HELD);
    VISIT("calibrations", state->calibrations, width);
}

static void visit_sense(struct walk *walk, struct chirr_model *model, uint32_t index)
{
    struct chirr_sense_state *state = &model->senses[index];
    const struct chirr_layout *layout = &model->body.layout;
    const struct chirr_model_sense *sense = &model->config.senses[index];
    size_t begin = layout->senses[index].begin;
    size_t own = layout->senses[index].end - begin;
    enter_sense(walk, sense->name, "");
    VISIT("own", model->own + begin, own);
    VISIT("average", model->average + begin, own);
    VISIT("moment", model->moment + begin, own);
    VISIT("position", &state->stream.position, 1);
    VISIT("noise", &state->stream.noise, 1);
    VISIT("traces", state->stream.traces, chirr_stream_trace_count(layout));
    VISIT("powers", state->stream.powers, (size_t)2 * layout->rates);
    if (layout->selects) {
        VISIT("offsets", state->stream.offsets, (size_t)layout->layers * layout->hosted_count);
    }
    VISIT("steps", &state->steps, 1);
    VISIT("updates", &state->updates, 1);
    VISIT("settled", &state->settled, 1);
    VISIT("bits_mean", &state->bits_mean, 1);
    VISIT("drift", &state->drift.state, 1);
    visit_symbols(walk, &state->symbols);
    if (sense->kind == CHIRR_SENSE_VECTOR) {
        visit_vector(walk, state, sense->width);
    }
    if (sense->kind != CHIRR_SENSE_OUTCOME) { /* whose steps are learned at once */
        enter_sense(walk, sense->name, "/chunk");
        visit_chunk(walk, &model->body, &state->stream);
    }
    if (state->rehearses) {
        enter_sense(walk, sense->name, "/replay");
        visit_rehearsal(walk, layout, &state->rehearsal);
    }
    if (sense->kind == CHIRR_SENSE_OUTCOME) {
        enter_sense(walk, sense->name, "/outcomes");
        visit_outcomes(walk, &state->outcomes);
    }
}

static void visit_selector(const struct walk *walk, struct chirr_selector *s, uint32_t sense_count)
{
    VISIT("bias", s->bias, s->count);
    VISIT("load", s->load, s->count);
    for (uint32_t i = 0; i < sense_count; i++) {
        char name[16];
        snprintf(name, sizeof name, "load %u", i);
        VISIT(name, s->loads[i], s->count);
    }
}

static void visit_origins(const struct walk *walk, struct chirr_registers *r)
{
    size_t all = r->origins_max * r->blocks;
    VISIT("count", &r->origin_count, 1);
    VISIT("origins", r->origins, r->origins_max);
    VISIT("order", r->order, r->origins_max);
    VISIT("values", r->values, all);
    VISIT("stamps", r->stamps, all);
}

static void visit_model(const struct walk *walk, struct chirr_model *model)
{
    const struct chirr_layout *layout = &model->body.layout;
    VISIT("own", model->own, layout->shared_end);
    VISIT("average", model->average, layout->shared_end);
    VISIT("moment", model->moment, layout->shared_end);
    if (layout->gram_rows > 0) {
        size_t grams = layout->gram_rows * layout->gram_columns;
        VISIT("grams", model->own + layout->shared_end, grams);
        VISIT("grams_average", model->average + layout->shared_end, grams);
        VISIT("gram_squares", model->gram_squares, layout->gram_rows);
    }
    VISIT("steps", &model->steps, 1);
    VISIT("updates", &model->updates, 1);
    VISIT("steps_refused", &model->steps_refused, 1);
    VISIT("updates_refused", &model->updates_refused, 1);
    VISIT("published", model->registers.published, model->registers.blocks);
    VISIT("refresh", model->registers.refresh, (size_t)layout->hosted_count + 1);
}

void chirr_state_visit(struct chirr_model *model, chirr_state_visitor *visit, void *context)
{
    struct walk walk = {.visit = visit, .context = context};
    enter(&walk, "model");
    visit_model(&walk, model);
    if (model->body.layout.selects) {
        enter(&walk, "selector");
        visit_selector(&walk, &model->selector, model->config.sense_count);
    }
    enter(&walk, "origins");
    visit_origins(&walk, &model->registers);
    for (uint32_t i = 0; i < model->config.sense_count; i++) {
        visit_sense(&walk, model, i);
    }
}

static void clear_part(void *context, const struct chirr_state_part *part)
{
    (void)context;
    memset(part->bytes, 0, part->size);
}

void chirr_state_complete(struct chirr_model *model)
{
    chirr_model_rebuild(model);
    for (uint32_t i = 0; i < model->config.sense_count; i++) {
        if (model->config.senses[i].kind == CHIRR_SENSE_OUTCOME) {
            chirr_outcomes_fit(&model->senses[i].outcomes);
        }
    }
}

void chirr_state_clear(struct chirr_model *model)
{
    chirr_state_visit(model, clear_part, NULL);
    for (uint32_t i = 0; i < model->config.sense_count; i++) {
        struct chirr_sense_state *state = &model->senses[i];
        chirr_stream_reset(&state->stream, &model->body.layout);
        state->stream.noise = chirr_selector_noise(&model->body.layout, 0);
        chirr_symbols_begin(&state->symbols);
        if (state->rehearses) {
            chirr_rehearsal_reset(&state->rehearsal);
        }
    }
    chirr_state_complete(model);
}

static void add_to_digest(void *context, const struct chirr_state_part *part)
{
    chirr_digest_add(context, part->bytes, part->size);
}

uint64_t chirr_model_state_hash(const struct chirr_model *model)
{
    struct chirr_digest_state digest;
    chirr_digest_begin(&digest);
    /* the visitor above only reads */
    chirr_state_visit((struct chirr_model *)model, add_to_digest, &digest);
    return chirr_digest_end(&digest);
}
