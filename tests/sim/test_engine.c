#include "sim/engine.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/random.h"
#include "tests/sim/support.h"

#define AGENTS 5
#define EVENTS 2000

static struct chirr_arena arena;

static struct chirr_sim_engine *make(uint32_t events_max)
{
    struct chirr_sim_engine_config config = {.agents_max = AGENTS, .events_max = events_max};
    cr_assert_eq(chirr_arena_init(&arena, chirr_sim_engine_bytes(&config)), CHIRR_OK);
    struct chirr_sim_engine *engine = chirr_sim_engine_create(&arena, &config);
    cr_assert_not_null(engine);
    cr_assert_eq(arena.used, arena.capacity, "the size must be what is taken");
    return engine;
}

static void teardown(void)
{
    chirr_arena_finish(&arena);
}

TestSuite(engine, .fini = teardown);

static uint32_t random_agent(struct chirr_random *random)
{
    uint32_t agent = (uint32_t)chirr_random_below(random, AGENTS + 1);
    return agent == AGENTS ? CHIRR_SIM_WORLD : agent;
}

/* Few distinct times, so that every key of the order decides now and then. */
static struct chirr_sim_event random_event(struct chirr_random *random, chirr_time_us now)
{
    return (struct chirr_sim_event){.at = now + (chirr_time_us)chirr_random_below(random, 20),
                                    .to = random_agent(random),
                                    .from = random_agent(random),
                                    .number = chirr_random_u32(random)};
}

static int compare(const void *a, const void *b)
{
    const struct chirr_sim_event *x = a;
    const struct chirr_sim_event *y = b;
    if (x->at != y->at) {
        return x->at < y->at ? -1 : 1;
    }
    if (x->to != y->to) {
        return x->to < y->to ? -1 : 1;
    }
    if (x->from != y->from) {
        return x->from < y->from ? -1 : 1;
    }
    return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

Test(engine, pops_in_the_order_of_a_sorted_reference_while_events_are_pushed)
{
    uint64_t seed = test_seed(11);
    struct chirr_sim_engine *engine = make(EVENTS);
    static struct chirr_sim_event reference[EVENTS];
    uint64_t sequences[AGENTS + 1] = {0};
    uint32_t waiting = 0;
    struct chirr_random random;
    chirr_random_init(&random, seed, 0);
    for (int step = 0; step < 20 * EVENTS; step++) {
        if (chirr_random_below(&random, 2) == 0 && waiting < EVENTS) {
            struct chirr_sim_event event = random_event(&random, chirr_sim_engine_now(engine));
            cr_assert_eq(chirr_sim_engine_push(engine, &event), CHIRR_OK);
            uint32_t source = event.from == CHIRR_SIM_WORLD ? AGENTS : event.from;
            event.sequence = sequences[source]++;
            reference[waiting++] = event;
            qsort(reference, waiting, sizeof *reference, compare);
            continue;
        }
        struct chirr_sim_event popped;
        bool some = chirr_sim_engine_pop(engine, CHIRR_TIME_NEVER - 1, &popped);
        cr_assert_eq(some, waiting > 0, "seed %" PRIu64, seed);
        if (!some) {
            break;
        }
        cr_assert_eq(popped.number, reference[0].number, "seed %" PRIu64 ", step %d", seed, step);
        cr_assert_eq(compare(&popped, &reference[0]), 0, "seed %" PRIu64 ", step %d", seed, step);
        waiting--;
        for (uint32_t i = 0; i < waiting; i++) {
            reference[i] = reference[i + 1];
        }
    }
}

Test(engine, the_world_comes_after_all_agents_at_equal_times)
{
    struct chirr_sim_engine *engine = make(4);
    struct chirr_sim_event world = {.at = 5, .to = CHIRR_SIM_WORLD, .from = CHIRR_SIM_WORLD};
    struct chirr_sim_event agent = {.at = 5, .to = AGENTS - 1, .from = CHIRR_SIM_WORLD};
    struct chirr_sim_event popped;
    cr_assert_eq(chirr_sim_engine_push(engine, &world), CHIRR_OK);
    cr_assert_eq(chirr_sim_engine_push(engine, &agent), CHIRR_OK);
    cr_assert(chirr_sim_engine_pop(engine, 5, &popped));
    cr_assert_eq(popped.to, AGENTS - 1);
    cr_assert(chirr_sim_engine_pop(engine, 5, &popped));
    cr_assert_eq(popped.to, CHIRR_SIM_WORLD);
}

Test(engine, time_stops_at_the_limit_and_never_runs_backwards)
{
    struct chirr_sim_engine *engine = make(4);
    struct chirr_sim_event event = {.at = 100, .to = 0, .from = 0};
    struct chirr_sim_event popped;
    cr_assert_eq(chirr_sim_engine_push(engine, &event), CHIRR_OK);
    cr_assert_not(chirr_sim_engine_pop(engine, 99, &popped));
    cr_assert_eq(chirr_sim_engine_now(engine), 99);
    cr_assert(chirr_sim_engine_pop(engine, 100, &popped));
    cr_assert_eq(chirr_sim_engine_now(engine), 100);
    event.at = 7;
    cr_assert_eq(chirr_sim_engine_push(engine, &event), CHIRR_OK);
    cr_assert(chirr_sim_engine_pop(engine, 200, &popped));
    cr_assert_eq(popped.at, 100, "what should have happened in the past happens now");
}

Test(engine, a_full_queue_refuses_and_counts)
{
    struct chirr_sim_engine *engine = make(2);
    struct chirr_sim_event event = {.at = 1, .to = 0, .from = 0};
    cr_assert_eq(chirr_sim_engine_push(engine, &event), CHIRR_OK);
    cr_assert_eq(chirr_sim_engine_push(engine, &event), CHIRR_OK);
    cr_assert_eq(chirr_sim_engine_push(engine, &event), CHIRR_ERR_FULL);
    cr_assert_eq(chirr_sim_engine_count(engine)->refused, 1);
    cr_assert_eq(chirr_sim_engine_count(engine)->waiting_max, 2);
    cr_assert_eq(chirr_sim_engine_waiting(engine), 2);
}
