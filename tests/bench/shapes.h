/* The models that benchmarks are run on, and noise for those that only tell the time.
 *
 * Ownership: a subject owns its arena; `finish` takes zeroed ones. Threading: one owner each. */
#ifndef CHIRR_TESTS_BENCH_SHAPES_H
#define CHIRR_TESTS_BENCH_SHAPES_H

#include "base/arena.h"
#include "model/model.h"

struct chirr_bench_shape {
    uint32_t width, layers, section_width, partitions, gram_rows;
};

/* About 100,000, 1,000,000 and 5,000,000 parameters, never fewer. The largest does not fit into
 * the second cache of any machine that we know: it reads its weights from further away. */
extern const struct chirr_bench_shape chirr_bench_100k;
extern const struct chirr_bench_shape chirr_bench_1m;
extern const struct chirr_bench_shape chirr_bench_5m;

/* One byte sense, all partitions hosted, no foreign change; else the model's defaults. */
struct chirr_model_config chirr_bench_config(const struct chirr_bench_shape *shape);
/* The defaults themselves, without room for foreign change. */
struct chirr_model_config chirr_bench_default_config(void);

struct chirr_bench_subject {
    struct chirr_arena arena;
    struct chirr_model *model;
};

/* CHIRR_ERR_RANGE or CHIRR_ERR_INVALID where the shape does not fit, CHIRR_ERR_NOMEM. */
CHIRR_NODISCARD enum chirr_err chirr_bench_subject_init(struct chirr_bench_subject *subject,
                                                        const struct chirr_model_config *config,
                                                        struct chirr_error *error);
void chirr_bench_subject_finish(struct chirr_bench_subject *subject);

/* Steps one byte at a time, or as many at once as the model can; the same bits, in all. */
double chirr_bench_read_bytes(struct chirr_model *model, const uint8_t *bytes, size_t count);
double chirr_bench_read_text(struct chirr_model *model, const uint8_t *bytes, size_t count);

/* Bytes that look a little like a text: small values are likelier. */
void chirr_bench_noise(uint8_t *bytes, size_t count, uint64_t seed);

#endif
