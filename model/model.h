/* An MCSD model that learns while it infers.
 *
 * Source: "MCSD: An Efficient Language Model with Diverse Fusion" (Yang, Li, Li; arXiv 2406.12230);
 * docs/model.md gives the equations, in trace form, and every deviation.
 *
 * One body (embedding, layers of partitions, gains) is shared by several *senses*. A sense is one
 * stream: it has its own traces (recurrent state), its own encoder and its own head, so that
 * interleaved streams do not blur each other. Every step predicts, is scored by what really came,
 * and every `chunk` steps of a sense one update is made (hybrid rule: exact inside the chunk,
 * traces across its edge). The activations of a chunk are kept per sense.
 *
 * Memory: everything is taken from one arena at creation; nothing allocates later. Not thread-safe:
 * one owner. Deterministic: equal inputs give equal bits, whatever the vector width of the CPU.
 * Hostile input (NaN, infinities, a wrong width) is refused with an error and counted; parameters
 * stay finite. */
#ifndef CHIRR_MODEL_MODEL_H
#define CHIRR_MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/random.h"

#define CHIRR_MODEL_SENSES_MAX 8
#define CHIRR_MODEL_LAYERS_MAX 16
#define CHIRR_MODEL_PARTITIONS_MAX 64
#define CHIRR_MODEL_VECTOR_WIDTH_MAX 64
#define CHIRR_MODEL_ROW_BYTES_MAX 16384 /* of an image */
#define CHIRR_MODEL_NAME_BYTES_MAX 32
#define CHIRR_MODEL_CHUNK_MAX 256
#define CHIRR_MODEL_RATES_MAX 16
#define CHIRR_MODEL_VECTOR_CHUNK 8

enum chirr_sense_kind {
    CHIRR_SENSE_BYTES,   /* next byte: softmax over 256 */
    CHIRR_SENSE_VECTOR,  /* next vector: Gaussian per component, inputs normalised as they run */
    CHIRR_SENSE_OUTCOME, /* features of a task -> Gaussian of a target, Bernoulli of success */
    CHIRR_SENSE_AUDIO,   /* as bytes, of mu-law samples (ITU-T G.711), with a codec of its own */
    CHIRR_SENSE_IMAGE,   /* as bytes, of pixels in rows, with their position and neighbours */
};

struct chirr_model_sense {
    char name[CHIRR_MODEL_NAME_BYTES_MAX]; /* seeds the encoder and the head; of letters and
                                              digits of ASCII, '_', '.' and '-' */
    enum chirr_sense_kind kind;
    uint32_t width;    /* components of a vector, features of an outcome, bytes of an image's row;
                          0 for bytes and audio */
    uint32_t channels; /* images: bytes of a pixel, 1…4, a divisor of `width`; else 0 */
    uint32_t chunk;    /* steps per update of this sense, 0: `chunk` of the model for bytes, at most
                          CHIRR_MODEL_VECTOR_CHUNK for vectors, which come slowly */
};

/* The shape of the body and the genesis seed are the *lineage*: agents that agree in them can
 * exchange deltas. What follows `genesis_seed` is private to an agent. */
struct chirr_model_config {
    uint32_t width;         /* D, 16…1024, a multiple of 8 */
    uint32_t layers;        /* 1…16 */
    uint32_t section_width; /* E, channels of each section; a multiple of rates · partitions */
    uint32_t mlp_width;  /* F, hidden units of the gated MLP; a multiple of partitions; 0: none */
    uint32_t rates;      /* K, slopes and decays per layer, 1…16 */
    uint32_t decay_min;  /* time constant of the fastest decay, steps, 1…65536 */
    uint32_t decay_max;  /* and of the slowest; 0 with decay_min 0: the rates of the paper */
    uint32_t gram_rows;  /* R, rows of the hashed tables of the last 2 bytes, of 3 (2R) and of the
                            word so far (R); a power of two up to 65536; 0: none */
    bool input_gate;     /* what is written to the traces is scaled by 2 sigmoid(W_I n) */
    uint32_t partitions; /* P, 1…64 */
    uint32_t active;     /* k, partitions that answer at a step of a layer, chosen by a selector
                            among the hosted ones; 0: all of them, and no selector */
    uint64_t genesis_seed;

    uint64_t hosted; /* bit p: partition p is hosted (computed, learned, exchanged) */
    uint32_t chunk;  /* steps per update, 1…256 */
    float learning_rate;
    uint32_t warmup_updates;
    uint32_t settling_updates; /* a sense's rate falls as 1 / √(1 + its updates / this) to a floor,
                                  from its beginning or its last drift on; 0: it stays */
    bool drift;                /* a drift in a sense's surprise sets its rate up again (drift.h) */
    uint32_t replay_bytes;     /* of the past kept by each sense of bytes or audio; 0, or 1024… */
    float replay_share;        /* of its updates made from them, beside the others; 0…0.5 */
    float trunk_rate;          /* factor on the rate of the trunk once it has settled, 0…1 */
    bool narrow_reads;    /* predictions read a copy of the weights in bf16: half the bytes, and a
                            relative error of 2^-9 a weight; the backward pass reads
                            the exact ones, so its gradients are off by as much */
    uint32_t origins_max; /* peers whose changes can be held at once, 0…1024 */
    uint32_t sense_count;
    struct chirr_model_sense senses[CHIRR_MODEL_SENSES_MAX];
};

/* D=64, 2 layers, E=128, no MLP, K=4, P=8, input gates, R=1024: 205,504 parameters. Every partition
 * hosted, chunk 32, rate 2.4e-3 after 10 updates, settling over 4,000; drift; 64 KiB of past, a
 * update from them for every ten; 16 origins, one sense "text". */
struct chirr_model_config chirr_model_config_default(void);
CHIRR_NODISCARD enum chirr_err chirr_model_config_validate(const struct chirr_model_config *config,
                                                           struct chirr_error *error);

/* Fingerprint of body shape and genesis parameters. */
uint64_t chirr_model_lineage(const struct chirr_model_config *config);

/* Bytes of arena that `chirr_model_create` takes; parameters hosted (body, encoders, heads). */
size_t chirr_model_bytes(const struct chirr_model_config *config);
size_t chirr_model_parameter_count(const struct chirr_model_config *config);

struct chirr_model;

/* NULL when the arena is too small. `config` must be valid. */
struct chirr_model *chirr_model_create(struct chirr_arena *arena,
                                       const struct chirr_model_config *config);

/* What one step of a sense did. */
struct chirr_model_step {
    float bits;     /* -log2 p(what came), per byte or (as a density) per component */
    float surprise; /* bits less their own slow running mean */
    bool updated;   /* this step closed a chunk and the weights changed */
    bool drifted;   /* surprise has risen for good: the world changed */
};

/* Predict, be scored by what came, learn. `sense` is an index into config.senses; bytes are for
 * senses of symbols: bytes, audio, images (row by row).
 * CHIRR_ERR_INVALID: not a sense of this kind. CHIRR_ERR_NOTFINITE: nothing was learned. */
CHIRR_NODISCARD enum chirr_err chirr_model_step_byte(struct chirr_model *model, uint32_t sense,
                                                     uint8_t byte, struct chirr_model_step *step);
CHIRR_NODISCARD enum chirr_err chirr_model_step_vector(struct chirr_model *model, uint32_t sense,
                                                       const float *values /* [width] */,
                                                       struct chirr_model_step *step);

/* What a stretch of bytes did. */
struct chirr_model_reading {
    double bits;      /* sum over the bytes of -log2 p(what came) */
    uint64_t updates; /* chunks closed and learned */
    uint64_t drifts;  /* steps at which the world was found changed */
};

/* The same as `count` calls of chirr_model_step_byte, to the last bit, but a chunk at a time: the
 * rates are given, so a layer needs nothing of its own outputs and takes all steps of a chunk as
 * matrix products. Several times faster; for files, and for streams that come in bursts. */
CHIRR_NODISCARD enum chirr_err chirr_model_step_bytes(struct chirr_model *model, uint32_t sense,
                                                      const uint8_t *bytes, size_t count,
                                                      struct chirr_model_reading *reading);

/* The next byte begins another item, a file, a recording or an image: what the open chunk holds is
 * learned, and the past is empty again. CHIRR_ERR_INVALID: not a sense of symbols. */
CHIRR_NODISCARD enum chirr_err chirr_model_begin(struct chirr_model *model, uint32_t sense);

/* What became of a task: the target is learned only when `success`. */
struct chirr_model_outcome {
    float target; /* any unit; the agent uses the natural logarithm of seconds */
    bool success;
};

/* Learns an outcome. A feature that is NaN is missing and counts as its mean. Outcomes are few, so
 * recent ones (a bounded ring) are rehearsed with it. */
CHIRR_NODISCARD enum chirr_err chirr_model_step_outcome(struct chirr_model *model, uint32_t sense,
                                                        const float *features /* [width] */,
                                                        const struct chirr_model_outcome *outcome,
                                                        struct chirr_model_step *step);

struct chirr_model_forecast {
    float mean;      /* of the target */
    float deviation; /* of the target, > 0, calibrated; large while little is known */
    float success;   /* probability, 0…1, calibrated */
};

/* What-if on `count` candidates from the present state of an outcome sense; changes nothing. A
 * feature that is NaN is missing. */
CHIRR_NODISCARD enum chirr_err
chirr_model_peek(struct chirr_model *model, uint32_t sense,
                 const float *features /* [count, width] */, size_t count,
                 struct chirr_model_forecast *forecasts /* [count] */);

struct chirr_model_interval {
    float low;
    float high;
};

/* The central interval that covers the target with probability `coverage`: as often come below it
 * as above. It is kept right online, however the noise is shaped (calibration.h). Of a forecast
 * since which this sense learned nothing. CHIRR_ERR_RANGE: coverage is not between 0 and 1. */
CHIRR_NODISCARD enum chirr_err chirr_model_interval(const struct chirr_model *model, uint32_t sense,
                                                    const struct chirr_model_forecast *forecast,
                                                    double coverage,
                                                    struct chirr_model_interval *interval);

/* A component of the next vector, in its own unit; all NaN while it has never come. */
struct chirr_model_component {
    float mean;
    float deviation;
    float low; /* of the central interval */
    float high;
};

/* What the next vector of a sense will be, and intervals that cover each component with probability
 * `coverage`; changes nothing. CHIRR_ERR_RANGE: coverage is not between 0 and 1. */
CHIRR_NODISCARD enum chirr_err
chirr_model_forecast_vector(struct chirr_model *model, uint32_t sense, double coverage,
                            struct chirr_model_component *components /* [width] */);

/* Mean bits per byte over `text`, read from an empty state with frozen weights (the slow average
 * where `averaged`); changes nothing that a step sees. `bytes` >= 2, else CHIRR_ERR_RANGE. */
CHIRR_NODISCARD enum chirr_err chirr_model_evaluate(struct chirr_model *model, uint32_t sense,
                                                    const uint8_t *text, size_t bytes,
                                                    bool averaged, double *bits_per_byte);

/* Samples `bytes` bytes that continue a byte sense; its stream is left where it was. */
CHIRR_NODISCARD enum chirr_err chirr_model_generate(struct chirr_model *model, uint32_t sense,
                                                    float temperature, struct chirr_random *random,
                                                    uint8_t *text /* [bytes] */, size_t bytes);

/* While frozen, steps predict and move the state but learn nothing. */
void chirr_model_freeze(struct chirr_model *model, bool frozen);

struct chirr_model_statistics {
    uint64_t steps;
    uint64_t sensed;          /* of these: bytes and vectors, not outcomes */
    uint64_t updates;         /* from what was sensed */
    uint64_t bytes_rehearsed; /* learned again, from the memory of the past */
    uint64_t drifts;          /* rises of a sense's surprise */
    uint64_t steps_refused;   /* hostile input */
    uint64_t updates_refused; /* matrices whose gradient was not finite: left as they were */
    double own_norm;          /* ‖own cumulative change of the shared body‖ */
    double foreign_norm;      /* ‖Σ g · change_of(origin)‖ */
};

void chirr_model_statistics(const struct chirr_model *model, struct chirr_model_statistics *out);
const struct chirr_model_config *chirr_model_configuration(const struct chirr_model *model);

/* Share of the recent steps of a sense at which a partition answered in a layer, 0…1; 1 without a
 * selector, 0 where it is not hosted or there is no such sense, layer or partition. */
float chirr_model_activation(const struct chirr_model *model, uint32_t sense, uint32_t layer,
                             uint32_t partition);

/* Digest of every parameter and state, for replay tests. */
uint64_t chirr_model_state_hash(const struct chirr_model *model);

#endif
