/* Whether a model that was read from a file is one that this code could have written. A
 * checkpoint's digest tells accidents, not authors: what a file says is never an index, a count or
 * a number to compute with before it was looked at here. One table for each group of parts, beside
 * the visitor of the same name in state.c.
 *
 * Bounds on indices are exact. Those on numbers are what no honest model exceeds, and keep all that
 * is computed from them within the range of a float. */
#include <math.h>

#include "model/state.h"

/* Learning bounds own change to CHIRR_OWN_CHANGE_MAX; its average may round beyond. */
#define CHANGE_MAX (CHIRR_REAL(CHIRR_OWN_CHANGE_MAX) * CHIRR_REAL(1.001))
/* Of normalised inputs: √D times a gain, whose parts are genesis, own change and that of peers. */
#define TRACE_MAX CHIRR_REAL(1e6)
#define OFFSET_MAX CHIRR_REAL(4)
#define COUNTER_MAX (UINT64_C(1) << 62) /* one more never is 0 */
#define FINITE_MAX CHIRR_REAL(3.4e38)
#define SQUARE_MAX 1e80 /* of any difference of two floats */
#define BITS_MAX 1e30
#define SHIFT_MAX 1e6f
#define INFORMATION_MAX 1e6f
#define CALIBRATED_MAX 200 /* scores that count: calibration.c */

struct verdict {
    const char *part;
    bool sound;
};

/* The first part that is not sound, or NULL. */
static const char *first_unsound(const struct verdict *verdicts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!verdicts[i].sound) {
            return verdicts[i].part;
        }
    }
    return NULL;
}

#define FIRST_UNSOUND(verdicts) first_unsound(verdicts, sizeof(verdicts) / sizeof *(verdicts))

/* False for NaN, too; so are all below. */
static bool between(double least, double x, double most)
{
    return x >= least && x <= most;
}

static bool reals_between(double least, const chirr_real *x, size_t count, double most)
{
    for (size_t i = 0; i < count; i++) {
        if (!between(least, (double)x[i], most)) {
            return false;
        }
    }
    return true;
}

static bool reals_within(const chirr_real *x, size_t count, chirr_real bound)
{
    return reals_between(-(double)bound, x, count, (double)bound);
}

static bool doubles_between(double least, const double *x, size_t count, double most)
{
    for (size_t i = 0; i < count; i++) {
        if (!between(least, x[i], most)) {
            return false;
        }
    }
    return true;
}

static bool floats_within(const float *x, size_t count, float bound)
{
    for (size_t i = 0; i < count; i++) {
        if (!between(-(double)bound, (double)x[i], (double)bound)) {
            return false;
        }
    }
    return true;
}

static bool blocks_sound(const struct chirr_quantised *blocks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!chirr_quantised_is_sound(&blocks[i], CHIRR_OWN_CHANGE_MAX)) {
            return false;
        }
    }
    return true;
}

/* Between a unit's size and its stride nothing is learned, and peers refuse to be told of it. */
static bool padding_sound(const struct chirr_layout *l, const chirr_real *own)
{
    for (uint32_t unit = 0; unit <= l->hosted_count; unit++) {
        size_t stride = unit < l->hosted_count ? l->partition_stride : l->trunk_stride;
        size_t size = chirr_layout_unit_size(l, unit);
        if (!reals_within(own + chirr_layout_unit(l, unit) + size, stride - size, 0)) {
            return false;
        }
    }
    return true;
}

/* Each unit's block that is refreshed next is one of the unit's. */
static bool refresh_sound(const struct chirr_layout *l, const uint32_t *refresh)
{
    for (uint32_t unit = 0; unit <= l->hosted_count; unit++) {
        size_t stride = unit < l->hosted_count ? l->partition_stride : l->trunk_stride;
        if (refresh[unit] >= stride / CHIRR_LAYOUT_BLOCK) {
            return false;
        }
    }
    return true;
}

static const char *check_model(const struct chirr_model *m)
{
    const struct chirr_layout *l = &m->body.layout;
    size_t shared = l->shared_end;
    size_t grams = l->gram_rows * l->gram_columns;
    const struct verdict verdicts[] = {
        {"own", reals_within(m->own, shared, CHANGE_MAX) && padding_sound(l, m->own)},
        {"average", reals_within(m->average, shared, CHANGE_MAX)},
        {"moment", reals_between(0, m->moment, shared, (double)FINITE_MAX)},
        {"grams", reals_within(m->own + shared, grams, CHANGE_MAX)},
        {"grams_average", reals_within(m->average + shared, grams, CHANGE_MAX)},
        {"gram_squares", reals_between(0, m->gram_squares, l->gram_rows, (double)FINITE_MAX)},
        {"steps", m->steps <= COUNTER_MAX},
        {"updates", m->updates <= COUNTER_MAX},
        {"steps_refused", m->steps_refused <= COUNTER_MAX},
        {"updates_refused", m->updates_refused <= COUNTER_MAX},
        {"published", blocks_sound(m->registers.published, m->registers.blocks)},
        {"refresh", refresh_sound(l, m->registers.refresh)},
    };
    return FIRST_UNSOUND(verdicts);
}

static const char *check_selector(const struct chirr_selector *s, uint32_t sense_count)
{
    const struct verdict verdicts[] = {
        {"bias", reals_within(s->bias, s->count, OFFSET_MAX)},
        {"load", reals_within(s->load, s->count, OFFSET_MAX)},
    };
    const char *wrong = FIRST_UNSOUND(verdicts);
    for (uint32_t i = 0; wrong == NULL && i < sense_count; i++) {
        wrong = reals_within(s->loads[i], s->count, OFFSET_MAX) ? NULL : "load of a sense";
    }
    return wrong;
}

/* `order` names the places that are taken, all of them, by ascending identity. */
static bool order_sound(const struct chirr_registers *r)
{
    uint32_t taken = 0;
    for (uint32_t place = 0; place < r->origins_max; place++) {
        taken += r->origins[place].id != 0;
    }
    uint64_t last = 0;
    for (uint32_t i = 0; i < r->origin_count; i++) {
        uint32_t place = r->order[i];
        if (place >= r->origins_max || r->origins[place].id <= last) {
            return false;
        }
        last = r->origins[place].id;
    }
    return taken == r->origin_count;
}

static bool weights_sound(const struct chirr_registers *r)
{
    for (uint32_t place = 0; place < r->origins_max; place++) {
        if (!between(0, (double)r->origins[place].g, 1)) {
            return false;
        }
    }
    return true;
}

static const char *check_origins(const struct chirr_registers *r)
{
    bool counts = r->origin_count <= r->origins_max;
    const struct verdict verdicts[] = {
        {"count", counts},
        {"order", counts && order_sound(r)},
        {"origins", weights_sound(r)},
        {"values", blocks_sound(r->values, r->origins_max * r->blocks)},
    };
    return FIRST_UNSOUND(verdicts);
}

static const char *check_symbols(const struct chirr_symbols *s)
{
    const struct verdict verdicts[] = {
        {"last", s->last < CHIRR_BYTE_SYMBOLS},
        {"column", s->image.width == 0 || s->image.column < s->image.width},
    };
    return FIRST_UNSOUND(verdicts);
}

static bool calibration_sound(const struct chirr_calibration *c)
{
    return floats_within(c->shifts, CHIRR_CALIBRATION_LEVELS, SHIFT_MAX) &&
           between(-0.99995, (double)c->excess, 1e6) && c->count <= CALIBRATED_MAX;
}

static bool odds_sound(const struct chirr_calibration_odds *o)
{
    return floats_within(&o->excess, 1, 5) && floats_within(&o->shift, 1, 5) &&
           floats_within(o->information, 3, INFORMATION_MAX) && o->information[0] >= 0 &&
           o->information[2] >= 0;
}

static bool calibrations_sound(const struct chirr_calibration *calibrations, uint32_t width)
{
    for (uint32_t i = 0; i < width; i++) {
        if (!calibration_sound(&calibrations[i])) {
            return false;
        }
    }
    return true;
}

static const char *check_vector(const struct chirr_sense_state *s, uint32_t width)
{
    const struct chirr_normaliser *n = &s->normaliser;
    double farthest = 4 * (double)FINITE_MAX; /* a mean of distances, and their median */
    const struct verdict verdicts[] = {
        {"last_vector", reals_within(s->last, width, CHIRR_NORMALISED_MAX)},
        {"mean", doubles_between(-farthest, n->mean, width, farthest)},
        {"variance", doubles_between(0, n->variance, width, SQUARE_MAX)},
        {"count", doubles_between(0, n->count, width, 0x1p62)},
        {"held", floats_within(n->held, (size_t)width * CHIRR_NORMALISER_HELD, FINITE_MAX)},
        {"calibrations", calibrations_sound(s->calibrations, width)},
    };
    return FIRST_UNSOUND(verdicts);
}

static bool drift_sound(const struct chirr_drift *drift)
{
    const struct chirr_drift_state *s = &drift->state;
    return between(-BITS_MAX, s->block_bits, BITS_MAX) && between(-BITS_MAX, s->mean, BITS_MAX) &&
           between(0, s->variance, SQUARE_MAX) && between(0, s->sum, drift->config.threshold) &&
           s->blocks <= drift->config.memory_blocks && s->block_filled < drift->config.block_steps;
}

static const char *check_sense(const struct chirr_model *m, uint32_t index)
{
    const struct chirr_sense_state *state = &m->senses[index];
    const struct chirr_layout *l = &m->body.layout;
    size_t begin = l->senses[index].begin;
    size_t own = l->senses[index].end - begin;
    const struct chirr_stream *stream = &state->stream;
    size_t offsets = l->selects ? (size_t)l->layers * l->hosted_count : 0;
    const struct verdict verdicts[] = {
        {"own", reals_within(m->own + begin, own, CHANGE_MAX)},
        {"average", reals_within(m->average + begin, own, CHANGE_MAX)},
        {"moment", reals_between(0, m->moment + begin, own, (double)FINITE_MAX)},
        {"noise", between(0, (double)stream->noise, 1)},
        {"traces", reals_within(stream->traces, chirr_stream_trace_count(l), TRACE_MAX)},
        {"powers", reals_between(0, stream->powers, (size_t)2 * l->rates, 1)},
        {"offsets", reals_within(stream->offsets, offsets, OFFSET_MAX)},
        {"steps", state->steps <= COUNTER_MAX},
        {"updates", state->updates <= COUNTER_MAX},
        {"settled", state->settled <= COUNTER_MAX},
        {"bits_mean", between(-BITS_MAX, state->bits_mean, BITS_MAX)},
        {"drift", drift_sound(&state->drift)},
    };
    const char *wrong = FIRST_UNSOUND(verdicts);
    return wrong != NULL ? wrong : check_symbols(&state->symbols);
}

/* At each step of the open chunk units that there are, in ascending order. */
static bool chosen_sound(const struct chirr_layout *l, const struct chirr_stream *s, uint32_t layer)
{
    for (uint32_t t = 0; t < s->filled; t++) {
        const uint8_t *chosen = chirr_stream_chosen(s, l, layer, t);
        for (uint32_t slot = 0; slot < l->slots; slot++) {
            if (chosen[slot] >= l->hosted_count || (slot > 0 && chosen[slot] <= chosen[slot - 1])) {
                return false;
            }
        }
    }
    return true;
}

static bool is_row_of(chirr_real number, uint32_t rows)
{
    return number >= 0 && number < (chirr_real)rows && number == (chirr_real)(uint32_t)number;
}

/* The numbers of rows that a step reads of tables, and what it reads behind them. */
static bool inputs_sound(const struct chirr_layout *l, const struct chirr_layout_sense *sense,
                         const struct chirr_stream *s)
{
    for (uint32_t t = 0; t < s->filled; t++) {
        const chirr_real *input = s->input + (size_t)t * s->inputs;
        for (uint32_t i = 0; i < sense->symbols; i++) {
            if (!is_row_of(input[i], i == 0 ? CHIRR_BYTE_SYMBOLS : l->grams[i - 1].rows)) {
                return false;
            }
        }
        if (!reals_within(input + sense->symbols, sense->inputs, CHIRR_NORMALISED_MAX)) {
            return false;
        }
    }
    return true;
}

static const char *check_chunk(const struct chirr_body *body,
                               const struct chirr_layout_sense *sense, const struct chirr_stream *s)
{
    const struct chirr_layout *l = &body->layout;
    size_t rows = (size_t)l->layers * s->chunk * body->rows.stride;
    size_t finals = s->chunk * (2 * (size_t)l->width + 1);
    size_t outputs = (size_t)s->chunk * s->outputs;
    bool room = s->filled < s->chunk;
    bool chosen = room;
    for (uint32_t layer = 0; chosen && layer < l->layers; layer++) {
        chosen = chosen_sound(l, s, layer);
    }
    const struct verdict verdicts[] = {
        {"filled", room},
        {"traces", reals_within(s->traces_start, chirr_stream_trace_count(l), TRACE_MAX)},
        {"powers", reals_between(0, s->powers_start, (size_t)2 * l->rates, 1)},
        {"rows", reals_within(s->rows, rows, FINITE_MAX)},
        {"chosen", chosen},
        {"finals", reals_within(s->finals, finals, FINITE_MAX)},
        {"input", room && inputs_sound(l, sense, s)},
        {"d_output", reals_within(s->d_output, outputs, FINITE_MAX)},
    };
    return FIRST_UNSOUND(verdicts);
}

static const char *check_rehearsal(const struct chirr_layout *l, const struct chirr_rehearsal *r)
{
    size_t traces = chirr_stream_trace_count(l);
    size_t rates = (size_t)2 * l->rates;
    const struct verdict verdicts[] = {
        {"open_bytes", r->replay.open_bytes < CHIRR_REPLAY_STRETCH_BYTES},
        {"stretches", r->replay.stretches <= COUNTER_MAX},
        {"traces", reals_within(r->traces, traces, TRACE_MAX)},
        {"traces_start", reals_within(r->traces_start, traces, TRACE_MAX)},
        {"powers", reals_between(0, r->powers, rates, 1)},
        {"powers_start", reals_between(0, r->powers_start, rates, 1)},
        {"read", r->read <= CHIRR_REPLAY_STRETCH_BYTES},
        {"drawn", r->drawn <= COUNTER_MAX},
        {"rehearsed", r->bytes <= COUNTER_MAX},
        {"due", between(0, r->due, 1)},
    };
    const char *wrong = FIRST_UNSOUND(verdicts);
    return wrong != NULL ? wrong : check_symbols(&r->symbols);
}

/* What is missing is NaN; nothing is infinite. */
static bool features_sound(const struct chirr_outcomes *o)
{
    for (size_t i = 0; i < (size_t)o->count * o->width; i++) {
        if (isinf(o->features[i])) {
            return false;
        }
    }
    return true;
}

static bool successes_sound(const struct chirr_outcomes *o)
{
    for (uint32_t i = 0; i < o->count; i++) {
        if (o->successes[i] > 1) {
            return false;
        }
    }
    return true;
}

static const char *check_outcomes(const struct chirr_outcomes *o)
{
    bool counts = o->count <= CHIRR_OUTCOMES_MAX;
    bool full = o->count == CHIRR_OUTCOMES_MAX;
    size_t readouts = (size_t)CHIRR_OUTCOMES_MAX * o->body_width;
    const struct verdict verdicts[] = {
        {"count", counts},
        {"next", full ? o->next < CHIRR_OUTCOMES_MAX : o->next == o->count},
        {"features", counts && features_sound(o)},
        {"readouts", reals_within(o->readouts, readouts, TRACE_MAX)},
        {"targets", floats_within(o->targets, CHIRR_OUTCOMES_MAX, FINITE_MAX)},
        {"successes", counts && successes_sound(o)},
        {"squares", floats_within(o->squares, CHIRR_OUTCOMES_MAX, FINITE_MAX)},
        {"calibration", calibration_sound(&o->calibration)},
        {"odds", odds_sound(&o->odds)},
    };
    return FIRST_UNSOUND(verdicts);
}

static enum chirr_err refuse(const char *group, const char *sense, const char *part,
                             struct chirr_error *error)
{
    return chirr_error_set(error, CHIRR_ERR_MALFORMED,
                           "%s%s: its part \"%s\" holds what no model can", group, sense, part);
}

static enum chirr_err check_groups_of(const struct chirr_model *model, uint32_t index,
                                      struct chirr_error *error)
{
    const struct chirr_sense_state *state = &model->senses[index];
    const struct chirr_layout *layout = &model->body.layout;
    const struct chirr_model_sense *sense = &model->config.senses[index];
    const char *group = "sense ";
    const char *wrong = check_sense(model, index);
    if (wrong == NULL && sense->kind == CHIRR_SENSE_VECTOR) {
        wrong = check_vector(state, sense->width);
    }
    if (wrong == NULL && sense->kind != CHIRR_SENSE_OUTCOME) {
        group = "the chunk of sense ";
        wrong = check_chunk(&model->body, &layout->senses[index], &state->stream);
    }
    if (wrong == NULL && state->rehearses) {
        group = "the replay of sense ";
        wrong = check_rehearsal(layout, &state->rehearsal);
    }
    if (wrong == NULL && sense->kind == CHIRR_SENSE_OUTCOME) {
        group = "the outcomes of sense ";
        wrong = check_outcomes(&state->outcomes);
    }
    return wrong == NULL ? CHIRR_OK : refuse(group, sense->name, wrong, error);
}

enum chirr_err chirr_state_check(const struct chirr_model *model, struct chirr_error *error)
{
    const char *wrong = check_model(model);
    if (wrong != NULL) {
        return refuse("the model", "", wrong, error);
    }
    wrong = check_selector(&model->selector, model->config.sense_count);
    if (wrong != NULL) {
        return refuse("the selector", "", wrong, error);
    }
    wrong = check_origins(&model->registers);
    if (wrong != NULL) {
        return refuse("the origins", "", wrong, error);
    }
    enum chirr_err err = CHIRR_OK;
    for (uint32_t i = 0; err == CHIRR_OK && i < model->config.sense_count; i++) {
        err = check_groups_of(model, i, error);
    }
    return err;
}
