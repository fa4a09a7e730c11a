#include "model/genesis.h"

#include <math.h>
#include <string.h>

#include "base/digest.h"
#include "model/internal.h"
#include "tests/model/support.h"

/* Before anything came from others, the base of the weights is genesis. */
static struct chirr_arena arenas[2];

static void teardown(void)
{
    chirr_arena_finish(&arenas[0]);
    chirr_arena_finish(&arenas[1]);
}

TestSuite(genesis, .fini = teardown);

/* Of what formats 1 and 2 of checkpoints have in common: the shared part. */
static uint64_t digest_of_genesis(const struct chirr_model *model)
{
    return chirr_digest(model->base, model->body.layout.shared_end * sizeof(chirr_real));
}

Test(genesis, is_the_same_bits_on_every_machine)
{
    struct chirr_model_config config = small_config();
    struct chirr_model *model = make_model(&arenas[0], &config);
    cr_expect_eq(digest_of_genesis(model), UINT64_C(0x5bf032aee91c6eaf), "0x%016lx",
                 (unsigned long)digest_of_genesis(model));
}

Test(genesis, of_a_partition_does_not_depend_on_what_else_is_hosted)
{
    struct chirr_model_config config = small_config();
    struct chirr_model *all = make_model(&arenas[0], &config);
    config.hosted = 0xA; /* partitions 1 and 3 */
    struct chirr_model *some = make_model(&arenas[1], &config);
    const struct chirr_layout *a = &all->body.layout;
    const struct chirr_layout *b = &some->body.layout;
    cr_assert_eq(b->hosted_count, 2);
    for (uint32_t unit = 0; unit < 2; unit++) {
        cr_expect_eq(memcmp(all->base + chirr_layout_unit(a, b->hosted[unit]),
                            some->base + chirr_layout_unit(b, unit),
                            a->partition_size * sizeof(chirr_real)),
                     0, "unit %u", unit);
    }
    cr_expect_eq(memcmp(all->base + a->trunk, some->base + b->trunk,
                        (a->total - a->trunk) * sizeof(chirr_real)),
                 0);
}

Test(genesis, of_a_sense_depends_on_its_name_alone)
{
    struct chirr_model_config config = small_config();
    struct chirr_model *first = make_model(&arenas[0], &config);
    struct chirr_model_sense moved = config.senses[SMALL_LOAD];
    config.senses[SMALL_LOAD] = config.senses[SMALL_COST];
    config.senses[SMALL_COST] = moved;
    strcpy(config.senses[SMALL_LOAD].name, "another");
    struct chirr_model *second = make_model(&arenas[1], &config);
    const struct chirr_layout_sense *a = first->body.layout.senses;
    const struct chirr_layout_sense *b = second->body.layout.senses;
    size_t load = (a[SMALL_LOAD].end - a[SMALL_LOAD].begin) * sizeof(chirr_real);
    size_t cost = (a[SMALL_COST].end - a[SMALL_COST].begin) * sizeof(chirr_real);
    cr_expect_eq(
        memcmp(first->base + a[SMALL_LOAD].begin, second->base + b[SMALL_COST].begin, load), 0);
    cr_expect_neq(
        memcmp(first->base + a[SMALL_COST].begin, second->base + b[SMALL_LOAD].begin, cost), 0);
}

Test(genesis, has_the_deviations_that_the_layout_states)
{
    struct chirr_model_config config = chirr_model_config_default();
    config.mlp_width = 32;
    config.active = 2;
    struct chirr_model *model = make_model(&arenas[0], &config);
    const struct chirr_layout *l = &model->body.layout;
    struct {
        size_t begin, end;
        double deviation;
    } groups[] = {
        {l->history, l->present, 1 / sqrt(64.0)},
        {l->output, l->gate, 1 / sqrt(2.0 * 128) / sqrt(4.0)},
        {l->down, l->layer_size, 1 / sqrt(32.0) / sqrt(4.0)},
        {l->bytes.embedding, l->bytes.head, 1},
        {l->bytes.head, l->bytes.head_bias, 0.1},
        {l->selector, l->input_gate, 1 / sqrt(64.0)},
    };
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
        size_t count = groups[g].end - groups[g].begin;
        double squares = model->body.kernels->sum_squares(count, model->base + groups[g].begin);
        double ratio = sqrt(squares / (double)count) / groups[g].deviation;
        cr_expect(ratio > 0.85 && ratio < 1.15, "group %zu: %g times the deviation", g, ratio);
    }
}

Test(genesis, another_seed_or_shape_is_another_lineage)
{
    struct chirr_model_config config = small_config();
    uint64_t lineage = chirr_model_lineage(&config);
    config.hosted = 1;
    config.sense_count = 1;
    config.learning_rate = 0.01f;
    cr_expect_eq(chirr_model_lineage(&config), lineage, "what is private is not lineage");
    config.genesis_seed++;
    cr_expect_neq(chirr_model_lineage(&config), lineage);
    config.genesis_seed--;
    config.layers++;
    cr_expect_neq(chirr_model_lineage(&config), lineage);
    config.layers--;
    cr_expect_eq(chirr_model_lineage(&config), lineage);
    config.input_gate = true;
    uint64_t gated = chirr_model_lineage(&config);
    cr_expect_neq(gated, lineage);
    config.gram_rows = 16;
    cr_expect_neq(chirr_model_lineage(&config), gated);
}

Test(genesis, of_any_stretch_is_that_of_the_whole)
{
    struct chirr_model_config config = small_config();
    config.active = 2;
    config.sense_count = 5;
    config.senses[3] = (struct chirr_model_sense){.name = "tone", .kind = CHIRR_SENSE_AUDIO};
    config.senses[4] = (struct chirr_model_sense){
        .name = "eye", .kind = CHIRR_SENSE_IMAGE, .width = 6, .channels = 3};
    struct chirr_model *model = make_model(&arenas[0], &config);
    const struct chirr_layout *l = &model->body.layout;
    for (size_t count = 1; count < 700; count = 2 * count + 1) {
        for (size_t at = 0; at + count <= l->total; at += 97) {
            chirr_real some[700];
            chirr_genesis_fill(&config, l, at, count, some);
            cr_assert_eq(memcmp(some, model->base + at, count * sizeof *some), 0, "%zu from %zu",
                         count, at);
        }
    }
}
