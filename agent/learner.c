/* The learner: the model, its control, and the figures that people and node read. */
#include "agent/learner.h"

#include <math.h>
#include <string.h>

#include "base/digest.h"
#include "model/workspace.h"

/* Forecasts are kept within what a clock and a time limit can express. */
#define DURATION_US_MIN 1000.0
#define DURATION_US_MAX (86400.0 * 1e6)
#define DEVIATION_LOG_MAX 2.0f

/* After a drift so many deltas go out as soon as there are tokens: what the peers have of this
 * agent is out of date, and it may be the first of them to meet what is new. */
#define DRIFT_DELTAS 8

/* Surprise shown to people is smoothed over about so many bytes, and measured against the bits of
 * about so many. */
#define SURPRISE_WINDOW 256
#define SURPRISE_AGAINST 1024
/* Learned at once: few enough for the means, and whole chunks for the model. */
#define PIECE_BYTES 128

struct running_mean {
    uint64_t count;
    double first; /* over the first window; valid once count >= CHIRR_LEARNER_WINDOW */
    double now;
};

struct chirr_learner_shared {
    struct chirr_workspace *workspace;
    struct chirr_model *genesis; /* learns nothing; NULL without control */
};

struct chirr_learner {
    struct chirr_learner_config config;
    uint32_t outcome_sense;
    struct chirr_model *model;
    struct chirr_model *control; /* learns alone; NULL without */
    struct chirr_model *genesis; /* the shared one, or NULL */
    bool resumed;                /* trained before this process began */
    float load;                  /* of this machine, last sensed; NaN: unknown */
    struct running_mean bits;
    struct running_mean bits_alone;
    struct running_mean vector_bits;
    struct running_mean senses[CHIRR_MODEL_SENSES_MAX]; /* of each, whatever its kind */
    double surprise;
    uint32_t urgent; /* deltas that go out at once: the world changed */
    double usual;    /* bits that it is measured against */
    uint64_t outcomes;
    uint64_t refused;
    uint64_t deltas_applied;
    uint64_t deltas_refused;
};

struct chirr_learner_config chirr_learner_config_default(void)
{
    struct chirr_learner_config config;
    memset(&config, 0, sizeof config);
    config.model = chirr_model_config_default();
    config.load_sense = CHIRR_LEARNER_NO_SENSE;
    return config;
}

struct chirr_model_config chirr_learner_model_config(const struct chirr_learner_config *config)
{
    struct chirr_model_config model = config->model;
    CHIRR_ASSERT(model.sense_count < CHIRR_MODEL_SENSES_MAX);
    model.senses[model.sense_count++] = (struct chirr_model_sense){
        .name = "outcome",
        .kind = CHIRR_SENSE_OUTCOME,
        .width = CHIRR_LEARNER_FEATURES,
    };
    return model;
}

/* What learns alone meets no peers. */
static struct chirr_model_config control_config(const struct chirr_learner_config *config)
{
    struct chirr_model_config model = chirr_learner_model_config(config);
    model.origins_max = 0;
    return model;
}

enum chirr_err chirr_learner_config_validate(const struct chirr_learner_config *config,
                                             struct chirr_error *error)
{
    if (config->model.sense_count >= CHIRR_MODEL_SENSES_MAX) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "at most %d senses, got %u",
                               CHIRR_MODEL_SENSES_MAX - 1, config->model.sense_count);
    }
    if (config->model.partitions > CHIRR_LEARNER_PARTITIONS_MAX) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "at most %d partitions, got %u",
                               CHIRR_LEARNER_PARTITIONS_MAX, config->model.partitions);
    }
    if (config->load_sense != CHIRR_LEARNER_NO_SENSE &&
        (config->load_sense >= config->model.sense_count ||
         config->model.senses[config->load_sense].kind != CHIRR_SENSE_VECTOR)) {
        return chirr_error_set(error, CHIRR_ERR_INVALID,
                               "load_sense %u is not a vector sense of this model",
                               config->load_sense);
    }
    struct chirr_model_config model = chirr_learner_model_config(config);
    return chirr_model_config_validate(&model, error);
}

size_t chirr_learner_shared_bytes(const struct chirr_learner_config *config)
{
    const struct chirr_model_config model = control_config(config);
    return chirr_arena_round(sizeof(struct chirr_learner_shared)) + chirr_workspace_bytes(&model) +
           (config->control ? chirr_model_bytes_within(&model) : 0);
}

struct chirr_learner_shared *chirr_learner_shared_create(struct chirr_arena *arena,
                                                         const struct chirr_learner_config *config)
{
    const struct chirr_model_config model = control_config(config);
    struct chirr_learner_shared *shared = chirr_arena_take(arena, 1, sizeof *shared);
    if (shared == NULL) {
        return NULL;
    }
    shared->workspace = chirr_workspace_create(arena, &model);
    if (shared->workspace == NULL || !config->control) {
        return shared->workspace != NULL ? shared : NULL;
    }
    shared->genesis = chirr_model_create_within(arena, &model, shared->workspace);
    return shared->genesis != NULL ? shared : NULL;
}

size_t chirr_learner_bytes_within(const struct chirr_learner_config *config)
{
    const struct chirr_model_config model = chirr_learner_model_config(config);
    const struct chirr_model_config control = control_config(config);
    return chirr_arena_round(sizeof(struct chirr_learner)) + chirr_model_bytes_within(&model) +
           (config->control ? chirr_model_bytes_within(&control) : 0);
}

/* A learner alone shares between its own models, where it has several. */
size_t chirr_learner_bytes(const struct chirr_learner_config *config)
{
    if (config->control) {
        return chirr_learner_shared_bytes(config) + chirr_learner_bytes_within(config);
    }
    const struct chirr_model_config model = chirr_learner_model_config(config);
    return chirr_arena_round(sizeof(struct chirr_learner)) + chirr_model_bytes(&model);
}

static struct chirr_learner *take_learner(struct chirr_arena *arena,
                                          const struct chirr_learner_config *config)
{
    struct chirr_learner *learner = chirr_arena_take(arena, 1, sizeof *learner);
    if (learner != NULL) {
        learner->config = *config;
        learner->outcome_sense = config->model.sense_count;
        learner->load = NAN;
    }
    return learner;
}

struct chirr_learner *chirr_learner_create_within(struct chirr_arena *arena,
                                                  const struct chirr_learner_config *config,
                                                  const struct chirr_learner_shared *shared)
{
    struct chirr_learner *learner = take_learner(arena, config);
    if (learner == NULL) {
        return NULL;
    }
    const struct chirr_model_config model = chirr_learner_model_config(config);
    learner->model = chirr_model_create_within(arena, &model, shared->workspace);
    if (learner->model == NULL || !config->control) {
        return learner->model != NULL ? learner : NULL;
    }
    const struct chirr_model_config control = control_config(config);
    learner->control = chirr_model_create_within(arena, &control, shared->workspace);
    learner->genesis = shared->genesis;
    return learner->control != NULL ? learner : NULL;
}

struct chirr_learner *chirr_learner_create(struct chirr_arena *arena,
                                           const struct chirr_learner_config *config)
{
    if (config->control) {
        const struct chirr_learner_shared *shared = chirr_learner_shared_create(arena, config);
        return shared != NULL ? chirr_learner_create_within(arena, config, shared) : NULL;
    }
    struct chirr_learner *learner = take_learner(arena, config);
    if (learner == NULL) {
        return NULL;
    }
    const struct chirr_model_config model = chirr_learner_model_config(config);
    learner->model = chirr_model_create(arena, &model);
    return learner->model != NULL ? learner : NULL;
}

/* ---- Sensing ------------------------------------------------------------------------------- */

/* The plain mean while the first window fills, then exponential over about one window. `count`
 * values of mean `value`, that do not go past the end of the first window. */
static void mean_add(struct running_mean *mean, double value, uint64_t count)
{
    mean->count += count;
    double window = mean->count < CHIRR_LEARNER_WINDOW ? (double)mean->count : CHIRR_LEARNER_WINDOW;
    mean->now += (value - mean->now) * (double)count / window;
    if (mean->count == CHIRR_LEARNER_WINDOW) {
        mean->first = mean->now;
    }
}

/* How many of `count` values may be added at once. */
static uint32_t piece_of(const struct running_mean *mean, uint32_t count)
{
    uint64_t room = mean->count < CHIRR_LEARNER_WINDOW ? CHIRR_LEARNER_WINDOW - mean->count : count;
    uint32_t piece = count < PIECE_BYTES ? count : PIECE_BYTES;
    return room < piece ? (uint32_t)room : piece;
}

static void follow_surprise(struct chirr_learner *learner, double bits, uint32_t count)
{
    double first = learner->usual > 0 ? learner->usual : bits;
    learner->surprise += (bits - first - learner->surprise) * count / SURPRISE_WINDOW;
    learner->usual = first + (bits - first) * count / SURPRISE_AGAINST;
}

static enum chirr_err sense_piece(struct chirr_learner *learner, uint32_t sense,
                                  const uint8_t *bytes, uint32_t count)
{
    struct chirr_model_reading reading;
    bool text = learner->config.model.senses[sense].kind == CHIRR_SENSE_BYTES;
    enum chirr_err err = chirr_model_step_bytes(learner->model, sense, bytes, count, &reading);
    if (err != CHIRR_OK) {
        return err;
    }
    double bits = reading.bits / count;
    learner->urgent = reading.drifts > 0 ? DRIFT_DELTAS : learner->urgent;
    mean_add(&learner->senses[sense], bits, count);
    if (text) {
        mean_add(&learner->bits, bits, count);
        follow_surprise(learner, bits, count);
    }
    if (learner->control != NULL) {
        err = chirr_model_step_bytes(learner->control, sense, bytes, count, &reading);
        if (err == CHIRR_OK && text) {
            mean_add(&learner->bits_alone, reading.bits / count, count);
        }
    }
    return err;
}

static enum chirr_err begin_item(struct chirr_learner *learner, uint32_t sense)
{
    enum chirr_err err = chirr_model_begin(learner->model, sense);
    return err == CHIRR_OK && learner->control != NULL ? chirr_model_begin(learner->control, sense)
                                                       : err;
}

static enum chirr_err sense_bytes(struct chirr_learner *learner,
                                  const struct chirr_learner_request *request)
{
    uint32_t sense = request->sense;
    if (sense >= learner->config.model.sense_count) {
        return CHIRR_ERR_INVALID;
    }
    enum chirr_err err = request->begins ? begin_item(learner, sense) : CHIRR_OK;
    for (uint32_t at = 0; at < request->count && err == CHIRR_OK;) {
        uint32_t piece = piece_of(&learner->bits, request->count - at);
        uint32_t own = piece_of(&learner->senses[sense], piece);
        err = sense_piece(learner, sense, request->bytes + at, own);
        at += own;
    }
    return err;
}

static enum chirr_err sense_vector(struct chirr_learner *learner,
                                   const struct chirr_learner_request *request)
{
    if (request->sense >= learner->config.model.sense_count ||
        request->count != learner->config.model.senses[request->sense].width) {
        return CHIRR_ERR_INVALID;
    }
    struct chirr_model_step step;
    enum chirr_err err =
        chirr_model_step_vector(learner->model, request->sense, request->values, &step);
    if (err != CHIRR_OK) {
        return err;
    }
    mean_add(&learner->vector_bits, (double)step.bits, 1);
    learner->urgent = step.drifted ? DRIFT_DELTAS : learner->urgent;
    mean_add(&learner->senses[request->sense], (double)step.bits, 1);
    if (request->sense == learner->config.load_sense) {
        learner->load = request->values[0];
    }
    return learner->control == NULL
               ? CHIRR_OK
               : chirr_model_step_vector(learner->control, request->sense, request->values, &step);
}

/* ---- Tasks --------------------------------------------------------------------------------- */

static void task_features(const struct chirr_learner *learner,
                          const struct chirr_learner_task *task,
                          float features[CHIRR_LEARNER_FEATURES])
{
    /* A kind is eight signs of its digest: nearly orthogonal for different names, and no table of
     * kinds has to be agreed on. */
    uint64_t digest = chirr_digest(task->kind, strnlen(task->kind, sizeof task->kind));
    for (int i = 0; i < 8; i++) {
        features[i] = digest >> i & 1 ? 1.0f : -1.0f;
    }
    features[8] = task->size_bytes == 0 ? NAN : (float)log((double)task->size_bytes);
    features[9] = (float)log((double)task->cpu_permille / 1000.0);
    features[10] = (float)task->running_count;
    features[11] = task->here ? learner->load : NAN;
}

static double clamp(double value, double low, double high)
{
    return value < low ? low : value > high ? high : value;
}

static enum chirr_err price(struct chirr_learner *learner,
                            const struct chirr_learner_request *request,
                            struct chirr_learner_reply *reply)
{
    float features[CHIRR_LEARNER_FEATURES];
    struct chirr_model_forecast forecast;
    task_features(learner, &request->task, features);
    enum chirr_err err =
        chirr_model_peek(learner->model, learner->outcome_sense, features, 1, &forecast);
    if (err != CHIRR_OK) {
        return err;
    }
    /* The model forecasts the logarithm of seconds; its median is exp(mean). */
    double duration = clamp(exp((double)forecast.mean) * 1e6, DURATION_US_MIN, DURATION_US_MAX);
    double deviation = clamp(forecast.deviation, 0.0, DEVIATION_LOG_MAX);
    reply->kind = CHIRR_LEARNER_REPLY_PRICE;
    reply->price = (struct chirr_price){
        .task = request->task.id,
        .duration_us = (uint64_t)duration,
        .deviation_us = (uint64_t)(duration * deviation),
        .success_permille = (uint32_t)(clamp(forecast.success, 0.0, 1.0) * 1000.0),
    };
    return CHIRR_OK;
}

static enum chirr_err outcome(struct chirr_learner *learner,
                              const struct chirr_learner_request *request)
{
    const struct chirr_learner_task *task = &request->task;
    if (task->end == CHIRR_TASK_END_NONE || task->end == CHIRR_TASK_END_NOT_STARTED) {
        return CHIRR_ERR_INVALID; /* says nothing about what the work costs */
    }
    float features[CHIRR_LEARNER_FEATURES];
    task_features(learner, task, features);
    struct chirr_model_outcome result = {
        .success = task->end == CHIRR_TASK_END_EXITED && task->code == 0,
        .target =
            (float)log(clamp((double)task->duration_us, DURATION_US_MIN, DURATION_US_MAX) / 1e6),
    };
    struct chirr_model_step step;
    enum chirr_err err =
        chirr_model_step_outcome(learner->model, learner->outcome_sense, features, &result, &step);
    if (err == CHIRR_OK) {
        learner->outcomes++;
    }
    return err;
}

/* ---- Knowledge ----------------------------------------------------------------------------- */

static enum chirr_err apply(struct chirr_learner *learner,
                            const struct chirr_learner_request *request)
{
    const struct chirr_delta_message *delta = &request->delta;
    struct chirr_delta_source source = {
        .origin = delta->origin,
        .incarnation = delta->stamp.incarnation,
        .version = delta->stamp.version,
        .partition = delta->partition,
    };
    enum chirr_err err =
        chirr_delta_apply(learner->model, &source, delta->payload, delta->payload_bytes);
    if (err == CHIRR_ERR_FULL) {
        /* The ledger holds no more origins than the model: one of these is not among them. */
        chirr_delta_revoke(learner->model, chirr_delta_weakest(learner->model));
        err = chirr_delta_apply(learner->model, &source, delta->payload, delta->payload_bytes);
    }
    if (err == CHIRR_OK) {
        learner->deltas_applied++;
    } else {
        learner->deltas_refused++;
    }
    return err;
}

/* Without weight an origin needs no place: the ledger has forgotten it, or keeps it out. */
static enum chirr_err weigh(struct chirr_learner *learner,
                            const struct chirr_learner_request *request)
{
    enum chirr_err err = chirr_delta_weigh(learner->model, request->weight.origin,
                                           (float)request->weight.g_permille / 1000.0f);
    if (err == CHIRR_OK && request->weight.g_permille == 0) {
        chirr_delta_revoke(learner->model, request->weight.origin);
    }
    return err;
}

uint64_t chirr_learner_units(const struct chirr_learner_config *config)
{
    return config->model.hosted | UINT64_C(1) << config->model.partitions;
}

/* The unit (a hosted partition, or the trunk) with the most to tell goes first. */
static enum chirr_err extract(struct chirr_learner *learner, struct chirr_learner_reply *reply)
{
    uint32_t best = 0;
    double most = 0;
    for (uint32_t p = 0; p <= learner->config.model.partitions; p++) {
        double drift = chirr_delta_drift(learner->model, p);
        if (drift > most) {
            most = drift;
            best = p;
        }
    }
    if (most == 0) {
        return CHIRR_OK;
    }
    size_t bytes = 0;
    enum chirr_err err = chirr_delta_extract(learner->model, best, reply->delta.payload,
                                             sizeof reply->delta.payload, &bytes);
    if (err == CHIRR_OK && bytes > 0) {
        learner->urgent -= learner->urgent > 0;
        reply->kind = CHIRR_LEARNER_REPLY_DELTA;
        reply->delta.partition = best;
        reply->delta.bytes = (uint32_t)bytes;
    }
    return err;
}

static double drift_permille(const struct chirr_learner *learner, double own_norm)
{
    double squares = 0;
    for (uint32_t p = 0; p <= learner->config.model.partitions; p++) {
        double drift = chirr_delta_drift(learner->model, p);
        squares += drift * drift;
    }
    if (squares > 0 && learner->urgent > 0) {
        return 1000.0;
    }
    return own_norm > 0 ? clamp(1000.0 * sqrt(squares) / own_norm, 0.0, 1000.0) : 0.0;
}

/* ---- Evaluation and dispatch --------------------------------------------------------------- */

static enum chirr_err evaluate_one(struct chirr_model *model,
                                   const struct chirr_learner_request *request, double *bits)
{
    *bits = NAN;
    return model == NULL ? CHIRR_OK
                         : chirr_model_evaluate(model, request->sense, request->bytes,
                                                request->count, true, bits);
}

static enum chirr_err evaluate(struct chirr_learner *learner,
                               const struct chirr_learner_request *request,
                               struct chirr_learner_reply *reply)
{
    struct chirr_learner_evaluation *out = &reply->evaluation;
    reply->kind = CHIRR_LEARNER_REPLY_EVALUATION;
    out->tag = request->tag;
    enum chirr_err err = evaluate_one(learner->genesis, request, &out->bits_genesis);
    if (err == CHIRR_OK) {
        err = evaluate_one(learner->control, request, &out->bits_alone);
    }
    return err == CHIRR_OK ? evaluate_one(learner->model, request, &out->bits_swarm) : err;
}

static enum chirr_err dispatch(struct chirr_learner *learner,
                               const struct chirr_learner_request *request,
                               struct chirr_learner_reply *reply)
{
    switch (request->kind) {
    case CHIRR_LEARNER_BYTES:
        return sense_bytes(learner, request);
    case CHIRR_LEARNER_VECTOR:
        return sense_vector(learner, request);
    case CHIRR_LEARNER_PRICE:
        return price(learner, request, reply);
    case CHIRR_LEARNER_OUTCOME:
        return outcome(learner, request);
    case CHIRR_LEARNER_APPLY:
        return apply(learner, request);
    case CHIRR_LEARNER_WEIGH:
        return weigh(learner, request);
    case CHIRR_LEARNER_EXTRACT:
        return extract(learner, reply);
    case CHIRR_LEARNER_EVALUATE:
        return evaluate(learner, request, reply);
    }
    return CHIRR_ERR_INVALID;
}

enum chirr_err chirr_learner_handle(struct chirr_learner *learner,
                                    const struct chirr_learner_request *request,
                                    struct chirr_learner_reply *reply)
{
    reply->kind = CHIRR_LEARNER_REPLY_NONE;
    enum chirr_err err = dispatch(learner, request, reply);
    if (err != CHIRR_OK) {
        learner->refused++;
    }
    return err;
}

static void tell_senses(const struct chirr_learner *learner, struct chirr_learner_status *out)
{
    out->sense_count = learner->config.model.sense_count;
    for (uint32_t i = 0; i < out->sense_count; i++) {
        const struct running_mean *bits = &learner->senses[i];
        out->senses[i] = (struct chirr_learner_sense_status){
            .steps = bits->count,
            .bits_now = bits->count > 0 ? bits->now : NAN,
        };
    }
}

void chirr_learner_status(const struct chirr_learner *learner, struct chirr_learner_status *out)
{
    const struct running_mean *bits = &learner->bits;
    memset(out, 0, sizeof *out);
    chirr_model_statistics(learner->model, &out->model);
    out->bytes_learned = bits->count;
    out->vectors_learned = learner->vector_bits.count;
    out->outcomes_learned = learner->outcomes;
    out->refused = learner->refused;
    bool untrained = !learner->resumed && bits->count >= CHIRR_LEARNER_WINDOW;
    out->bits_start = untrained ? bits->first : NAN;
    out->bits_now = bits->count > 0 ? bits->now : NAN;
    out->bits_alone = learner->bits_alone.count > 0 ? learner->bits_alone.now : NAN;
    out->vector_bits_now = learner->vector_bits.count > 0 ? learner->vector_bits.now : NAN;
    out->surprise = learner->surprise;
    out->drift_permille = drift_permille(learner, out->model.own_norm);
    out->deltas_applied = learner->deltas_applied;
    out->deltas_refused = learner->deltas_refused;
    tell_senses(learner, out);
}

void chirr_learner_resume(struct chirr_learner *learner, bool control)
{
    learner->resumed = true;
    chirr_delta_silence(learner->model);
    if (!control) {
        learner->control = NULL;
    }
}

struct chirr_model *chirr_learner_model(struct chirr_learner *learner)
{
    return learner->model;
}

struct chirr_model *chirr_learner_control(struct chirr_learner *learner)
{
    return learner->control;
}

uint64_t chirr_learner_state_hash(const struct chirr_learner *learner)
{
    struct chirr_digest_state digest;
    chirr_digest_begin(&digest);
    chirr_digest_add_u64(&digest, chirr_model_state_hash(learner->model));
    if (learner->control != NULL) {
        chirr_digest_add_u64(&digest, chirr_model_state_hash(learner->control));
    }
    return chirr_digest_end(&digest);
}
