#include "sim/network.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <math.h>

#include "tests/sim/support.h"

#define AGENTS 4
#define DRAWS 100000
#define S CHIRR_US_PER_S

static struct chirr_arena arena;
static struct chirr_sim_network_config config;

static void setup(void)
{
    config = (struct chirr_sim_network_config){
        .latency = {.shape = CHIRR_SIM_LATENCY_EXPONENTIAL, .min_ms = 5, .spread_ms = 20},
        .reconnect_ms_max = 1000,
    };
}

static void teardown(void)
{
    chirr_arena_finish(&arena);
}

TestSuite(network, .init = setup, .fini = teardown);

static struct chirr_sim_network *make(uint64_t seed)
{
    chirr_arena_finish(&arena);
    cr_assert_eq(chirr_arena_init(&arena, chirr_sim_network_bytes(AGENTS)), CHIRR_OK);
    struct chirr_sim_network *network = chirr_sim_network_create(&arena, &config, AGENTS, seed);
    cr_assert_not_null(network);
    for (uint32_t i = 0; i < AGENTS; i++) {
        chirr_sim_network_up(network, i, 0);
    }
    return network;
}

static const struct chirr_sim_link link01 = {.from = 0, .to = 1};
static const struct chirr_sim_link link10 = {.from = 1, .to = 0};

/* Four standard deviations of a binomial share: one run in 16,000 fails by chance. */
static double tolerance(double share)
{
    return 4 * sqrt(share * (1 - share) / DRAWS);
}

Test(network, loses_and_doubles_the_share_that_was_asked_for)
{
    uint64_t seed = test_seed(3);
    config.loss = 0.2;
    config.duplicate = 0.1;
    struct chirr_sim_network *network = make(seed);
    uint32_t copies[3] = {0};
    for (int i = 0; i < DRAWS; i++) {
        chirr_time_us arrivals[CHIRR_SIM_COPIES_MAX];
        copies[chirr_sim_network_route(network, link01, 0, arrivals)]++;
    }
    double lost = (double)copies[0] / DRAWS;
    double doubled = (double)copies[2] / DRAWS;
    cr_assert_leq(fabs(lost - 0.2), tolerance(0.2), "lost %g, seed %" PRIu64, lost, seed);
    cr_assert_leq(fabs(doubled - 0.08), tolerance(0.08), "doubled %g, seed %" PRIu64, doubled,
                  seed);
    const struct chirr_sim_network_counters *counters = chirr_sim_network_count(network);
    cr_assert_eq(counters->dropped[CHIRR_SIM_DROP_LOSS], copies[0]);
    cr_assert_eq(counters->duplicated, copies[2]);
}

static double mean_latency_ms(struct chirr_sim_network *network, double *least_ms)
{
    double sum = 0;
    *least_ms = INFINITY;
    for (int i = 0; i < DRAWS; i++) {
        chirr_time_us arrivals[CHIRR_SIM_COPIES_MAX];
        cr_assert_eq(chirr_sim_network_route(network, link01, 1000, arrivals), 1);
        double ms = (double)(arrivals[0] - 1000) / 1000;
        sum += ms;
        *least_ms = fmin(*least_ms, ms);
    }
    return sum / DRAWS;
}

Test(network, latency_is_the_minimum_and_a_spread_of_the_given_mean)
{
    for (int shape = CHIRR_SIM_LATENCY_EXPONENTIAL; shape <= CHIRR_SIM_LATENCY_UNIFORM; shape++) {
        config.latency.shape = (enum chirr_sim_latency_shape)shape;
        double least_ms = 0;
        double mean_ms = mean_latency_ms(make(test_seed(4)), &least_ms);
        cr_assert_leq(fabs(mean_ms - 25), 0.3, "shape %d: mean %g ms", shape, mean_ms);
        cr_assert(least_ms >= 5 && least_ms < 5.1, "shape %d: least %g ms", shape, least_ms);
    }
}

Test(network, one_senders_luck_does_not_depend_on_anothers)
{
    config.loss = 0.5;
    struct chirr_sim_network *network = make(9);
    chirr_time_us quiet[64], busy[64], arrivals[CHIRR_SIM_COPIES_MAX];
    for (int i = 0; i < 64; i++) {
        quiet[i] = chirr_sim_network_route(network, link01, 0, arrivals) == 1 ? arrivals[0] : -1;
    }
    network = make(9);
    for (int i = 0; i < 64; i++) {
        chirr_sim_network_route(network, link10, 0, arrivals);
        busy[i] = chirr_sim_network_route(network, link01, 0, arrivals) == 1 ? arrivals[0] : -1;
    }
    cr_assert_arr_eq(quiet, busy, sizeof quiet);
}

Test(network, a_partition_cuts_across_groups_and_heals)
{
    config.partition_count = 1;
    config.partitions[0] = (struct chirr_sim_partition){.from_ms = 1000, .until_ms = 2000};
    config.partitions[0].group[1] = 1;
    config.partitions[0].group[2] = 1;
    struct chirr_sim_network *network = make(1);
    chirr_time_us arrivals[CHIRR_SIM_COPIES_MAX];
    cr_assert_eq(chirr_sim_network_route(network, link01, S - 1, arrivals), 1);
    cr_assert_eq(chirr_sim_network_route(network, link01, S, arrivals), 0);
    cr_assert_eq(chirr_sim_network_route(network, link10, 2 * S - 1, arrivals), 0);
    cr_assert_eq(chirr_sim_network_route(network, link01, 2 * S, arrivals), 1);
    cr_assert_eq(chirr_sim_network_count(network)->dropped[CHIRR_SIM_DROP_PARTITION], 2);
    cr_assert_not(chirr_sim_network_is_cut(network, 1, 2, S));
    cr_assert_not(chirr_sim_network_is_cut(network, 0, 3, S));
}

/* ---- Links ----------------------------------------------------------------------------------- */

static bool hears(struct chirr_sim_network *network, enum chirr_topic topic, chirr_time_us now)
{
    return chirr_sim_network_hears(network, link01, topic, now);
}

Test(network, a_link_stands_after_its_handshake_and_only_one_way)
{
    struct chirr_sim_network *network = make(1);
    cr_assert_not(chirr_sim_network_stands(network, link01, 0));
    chirr_sim_network_connect(network, link01, CHIRR_LINK_UNICAST, 0);
    cr_assert_not(chirr_sim_network_stands(network, link01, 9999));
    cr_assert(chirr_sim_network_stands(network, link01, 10 * S));
    cr_assert_not(chirr_sim_network_stands(network, link10, 10 * S));
    chirr_sim_network_disconnect(network, link01);
    cr_assert_not(chirr_sim_network_stands(network, link01, 20 * S));
}

Test(network, who_restarts_is_linked_to_again_but_must_connect_himself)
{
    struct chirr_sim_network *network = make(1);
    chirr_sim_network_connect(network, link01, CHIRR_LINK_NEIGHBOUR, 0);
    chirr_sim_network_connect(network, link10, CHIRR_LINK_UNICAST, 0);
    chirr_sim_network_down(network, 1);
    cr_assert_not(chirr_sim_network_stands(network, link01, 10 * S));
    cr_assert_eq(chirr_sim_network_kind(network, link10), 0);
    chirr_sim_network_up(network, 1, 10 * S);
    cr_assert_not(chirr_sim_network_stands(network, link01, 10 * S));
    cr_assert(chirr_sim_network_stands(network, link01, 11 * S + 1));
    cr_assert(hears(network, CHIRR_TOPIC_HEARTBEAT, 11 * S + 1));
    cr_assert_not(chirr_sim_network_stands(network, link10, 20 * S));
}

Test(network, only_a_neighbours_link_is_heard_and_a_second_connect_changes_the_kind)
{
    struct chirr_sim_network *network = make(1);
    chirr_sim_network_connect(network, link01, CHIRR_LINK_UNICAST, 0);
    cr_assert_not(hears(network, CHIRR_TOPIC_HEARTBEAT, 10 * S));
    cr_assert_eq(chirr_sim_network_subscriber(network, 1, 0), CHIRR_SIM_AGENTS_MAX);
    chirr_sim_network_connect(network, link01, CHIRR_LINK_NEIGHBOUR, 10 * S);
    cr_assert(chirr_sim_network_stands(network, link01, 10 * S), "it stood already");
    cr_assert_not(hears(network, CHIRR_TOPIC_HEARTBEAT, 10 * S));
    cr_assert(hears(network, CHIRR_TOPIC_HEARTBEAT, 20 * S));
    cr_assert_eq(chirr_sim_network_subscriber(network, 1, 0), 0);
    cr_assert_eq(chirr_sim_network_link_count(network, 0, CHIRR_LINK_NEIGHBOUR), 1);
    cr_assert_eq(chirr_sim_network_link_count(network, 0, CHIRR_LINK_UNICAST), 0);
    chirr_sim_network_connect(network, link01, CHIRR_LINK_UNICAST, 20 * S);
    cr_assert(chirr_sim_network_stands(network, link01, 20 * S));
    cr_assert_not(hears(network, CHIRR_TOPIC_HEARTBEAT, 30 * S));
    cr_assert_eq(chirr_sim_network_subscriber(network, 1, 0), CHIRR_SIM_AGENTS_MAX);
}

Test(network, subscribers_are_told_in_order)
{
    struct chirr_sim_network *network = make(1);
    const uint32_t order[] = {3, 0, 2};
    for (uint32_t i = 0; i < 3; i++) {
        chirr_sim_network_connect(network, (struct chirr_sim_link){order[i], 1},
                                  CHIRR_LINK_NEIGHBOUR, 0);
    }
    chirr_sim_network_disconnect(network, (struct chirr_sim_link){2, 1});
    cr_assert_eq(chirr_sim_network_subscriber(network, 1, 0), 0);
    cr_assert_eq(chirr_sim_network_subscriber(network, 1, 1), 3);
    cr_assert_eq(chirr_sim_network_subscriber(network, 1, 2), CHIRR_SIM_AGENTS_MAX);
}

Test(network, a_neighbour_is_pushed_to_at_first_and_told_of_once_that_was_asked_for)
{
    struct chirr_sim_network *network = make(1);
    chirr_sim_network_connect(network, link01, CHIRR_LINK_NEIGHBOUR, 0);
    cr_assert(hears(network, CHIRR_TOPIC_EAGER, S) && !hears(network, CHIRR_TOPIC_LAZY, S));
    chirr_sim_network_listen(network, link01, CHIRR_TOPIC_LAZY, S);
    cr_assert(hears(network, CHIRR_TOPIC_EAGER, S), "the publisher does not know yet");
    cr_assert(!hears(network, CHIRR_TOPIC_EAGER, 2 * S) && hears(network, CHIRR_TOPIC_LAZY, 2 * S));
    cr_assert(hears(network, CHIRR_TOPIC_KNOWLEDGE, 2 * S));
    chirr_sim_network_listen(network, link01, CHIRR_TOPIC_EAGER, 2 * S);
    cr_assert(hears(network, CHIRR_TOPIC_EAGER, 3 * S) && !hears(network, CHIRR_TOPIC_LAZY, 3 * S));
    /* Made anew, the link begins anew. */
    chirr_sim_network_listen(network, link01, CHIRR_TOPIC_LAZY, 3 * S);
    chirr_sim_network_disconnect(network, link01);
    chirr_sim_network_connect(network, link01, CHIRR_LINK_NEIGHBOUR, 4 * S);
    cr_assert(hears(network, CHIRR_TOPIC_EAGER, 5 * S));
}

Test(network, what_is_sent_over_a_link_in_the_making_leaves_when_it_stands)
{
    struct chirr_sim_network *network = make(1);
    const struct chirr_sim_network_counters *counters = chirr_sim_network_count(network);
    chirr_time_us leaves_at = 0;
    cr_assert_not(chirr_sim_network_depart(network, link01, 0, &leaves_at));
    cr_assert_eq(counters->dropped[CHIRR_SIM_DROP_UNCONNECTED], 1);
    chirr_sim_network_connect(network, link01, CHIRR_LINK_UNICAST, 0);
    cr_assert(chirr_sim_network_depart(network, link01, 0, &leaves_at));
    cr_assert_gt(leaves_at, 9999);
    cr_assert(chirr_sim_network_stands(network, link01, leaves_at));
    cr_assert_not(chirr_sim_network_stands(network, link01, leaves_at - 1));
    for (uint32_t i = 1; i < CHIRR_SIM_WAITING_MAX; i++) {
        cr_assert(chirr_sim_network_depart(network, link01, 0, &leaves_at));
    }
    cr_assert_not(chirr_sim_network_depart(network, link01, 0, &leaves_at));
    cr_assert_eq(counters->dropped[CHIRR_SIM_DROP_BACKLOG], 1);
    cr_assert(chirr_sim_network_depart(network, link01, 10 * S, &leaves_at));
    cr_assert_eq(leaves_at, 10 * S);
}

Test(network, what_is_sent_to_who_is_down_is_lost)
{
    struct chirr_sim_network *network = make(1);
    chirr_time_us leaves_at;
    chirr_sim_network_connect(network, link01, CHIRR_LINK_UNICAST, 0);
    chirr_sim_network_down(network, 1);
    cr_assert_not(chirr_sim_network_depart(network, link01, 5 * S, &leaves_at));
    cr_assert_eq(chirr_sim_network_count(network)->dropped[CHIRR_SIM_DROP_DOWN], 1);
}

/* ---- One direction --------------------------------------------------------------------------- */

Test(network, a_directed_loss_hits_one_direction_while_it_lasts)
{
    config.loss_count = 1;
    config.losses[0] =
        (struct chirr_sim_directed_loss){.from_ms = 1000, .until_ms = 2000, .loss = 1};
    config.losses[0].senders[0] = true;
    config.losses[0].receivers[1] = true;
    struct chirr_sim_network *network = make(1);
    chirr_time_us arrivals[CHIRR_SIM_COPIES_MAX];
    cr_assert_eq(chirr_sim_network_route(network, link01, S - 1, arrivals), 1);
    cr_assert_eq(chirr_sim_network_route(network, link01, S, arrivals), 0);
    cr_assert_eq(chirr_sim_network_route(network, link10, S, arrivals), 1);
    cr_assert_eq(chirr_sim_network_route(network, link01, 2 * S, arrivals), 1);
}

Test(network, a_directed_loss_adds_to_the_loss_of_all)
{
    config.loss = 0.5;
    config.loss_count = 1;
    config.losses[0] = (struct chirr_sim_directed_loss){.until_ms = UINT32_MAX, .loss = 0.2};
    config.losses[0].senders[0] = config.losses[0].receivers[1] = true;
    struct chirr_sim_network *network = make(test_seed(5));
    uint32_t arrived = 0;
    for (int i = 0; i < DRAWS; i++) {
        chirr_time_us arrivals[CHIRR_SIM_COPIES_MAX];
        arrived += chirr_sim_network_route(network, link01, 0, arrivals);
    }
    double share = (double)arrived / DRAWS;
    cr_assert_leq(fabs(share - 0.4), tolerance(0.4), "%g arrived", share);
}
