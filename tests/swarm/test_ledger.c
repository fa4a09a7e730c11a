#include "swarm/ledger.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/random.h"

#define SELF 100
#define LINEAGE 77
#define STALE_US (10 * CHIRR_US_PER_S)

static struct chirr_ledger_config config;
static struct chirr_arena arena;
static struct chirr_ledger *ledger;

static void setup(void)
{
    config = chirr_ledger_config_default();
    config.self = SELF;
    config.seed = 3;
    config.lineage = LINEAGE;
    config.hosted = 0x8000000000000005; /* 0, 2 and 63 */
    config.origins_max = 4;
    config.token_interval_ms = 1000;
    config.tokens_max = 5;
    config.step_permille = 600;
    config.g_permille_max = 1000;
    config.stale_after_ms = 10000;
    cr_assert_eq(chirr_arena_init(&arena, chirr_ledger_bytes(&config)), CHIRR_OK);
    ledger = chirr_ledger_create(&arena, &config, 0);
    cr_assert_not_null(ledger);
}

static void teardown(void)
{
    chirr_arena_finish(&arena);
}

TestSuite(ledger, .init = setup, .fini = teardown);

static const uint8_t payload[CHIRR_DELTA_PAYLOAD_BYTES_MAX] = {1, 2, 3, 4};

static struct chirr_message delta_of(chirr_agent_id origin, uint64_t version)
{
    return (struct chirr_message){.kind = CHIRR_MESSAGE_DELTA,
                                  .delta = {.origin = origin,
                                            .stamp = {1, version},
                                            .lineage = LINEAGE,
                                            .partition = 2,
                                            .payload_bytes = 4,
                                            .payload = payload}};
}

static enum chirr_err receive(chirr_agent_id origin, uint64_t version, chirr_time_us now)
{
    struct chirr_message message = delta_of(origin, version);
    return chirr_ledger_receive(ledger, origin, &message, now);
}

static void expect_apply(chirr_agent_id origin)
{
    struct chirr_output output;
    cr_assert(chirr_ledger_poll(ledger, &output));
    cr_assert_eq(output.kind, CHIRR_OUTPUT_APPLY);
    cr_assert_eq(output.delta->origin, origin);
}

static void expect_weight(chirr_agent_id origin, uint32_t g_permille)
{
    struct chirr_output output;
    cr_assert(chirr_ledger_poll(ledger, &output));
    cr_assert_eq(output.kind, CHIRR_OUTPUT_WEIGH);
    cr_assert_eq(output.weight.origin, origin);
    cr_assert_eq(output.weight.g_permille, g_permille);
}

static void expect_silence(void)
{
    struct chirr_output output;
    cr_assert_not(chirr_ledger_poll(ledger, &output));
}

static void drain(void)
{
    struct chirr_output output;
    while (chirr_ledger_poll(ledger, &output)) {
    }
}

Test(ledger, a_new_delta_is_applied_and_its_origin_weighed)
{
    uint8_t bytes[4] = {9, 8, 7, 6};
    struct chirr_message message = delta_of(1, 1);
    message.delta.payload = bytes;
    cr_assert_eq(chirr_ledger_receive(ledger, 1, &message, 0), CHIRR_OK);
    memset(bytes, 0, sizeof bytes); /* it was copied */
    struct chirr_output output;
    cr_assert(chirr_ledger_poll(ledger, &output));
    cr_assert_eq(output.kind, CHIRR_OUTPUT_APPLY);
    cr_assert_eq(output.delta->stamp.version, 1);
    cr_assert_eq(output.delta->payload_bytes, 4);
    cr_assert_arr_eq(output.delta->payload, ((uint8_t[]){9, 8, 7, 6}), 4);
    expect_weight(1, 600);
    expect_silence();
    cr_assert_eq(chirr_ledger_count(ledger)->applied, 1);
}

/* Received without an error and without an effect. */
static void expect_repeat(chirr_agent_id origin, uint64_t version)
{
    struct chirr_message message = delta_of(origin, version);
    uint64_t before = chirr_ledger_count(ledger)->repeats;
    cr_assert(chirr_ledger_is_repeat(ledger, &message.delta), "version %d", (int)version);
    cr_assert_eq(chirr_ledger_receive(ledger, origin, &message, 0), CHIRR_OK);
    cr_assert_eq(chirr_ledger_count(ledger)->repeats, before + 1);
    expect_silence();
}

static void expect_applied(chirr_agent_id origin, uint64_t version)
{
    struct chirr_message message = delta_of(origin, version);
    cr_assert(!chirr_ledger_is_repeat(ledger, &message.delta), "version %d", (int)version);
    cr_assert_eq(chirr_ledger_receive(ledger, origin, &message, 0), CHIRR_OK);
    expect_apply(origin);
    drain();
}

Test(ledger, a_delta_that_comes_again_is_a_repeat_and_no_loss)
{
    expect_applied(1, 5);
    expect_repeat(1, 5);
    expect_applied(1, 6);
    expect_repeat(1, 5);
    expect_repeat(1, 6);
    cr_assert_eq(chirr_ledger_count(ledger)->applied, 2);
    cr_assert_eq(chirr_ledger_count(ledger)->late, 0);
    cr_assert_eq(chirr_ledger_count(ledger)->stale, 0);
}

Test(ledger, a_delta_that_a_newer_one_overtook_is_applied_all_the_same)
{
    expect_applied(1, 5);
    expect_applied(1, 3);
    expect_repeat(1, 3);
    expect_applied(1, 4);
    cr_assert_eq(chirr_ledger_count(ledger)->late, 2);
}

Test(ledger, a_delta_from_before_the_window_is_refused_as_stale)
{
    const uint64_t newest = 3 + CHIRR_LEDGER_WINDOW;
    expect_applied(1, 3);
    expect_applied(1, 2);
    expect_applied(1, newest);
    expect_repeat(1, 3);
    expect_applied(1, 4);
    cr_assert_eq(receive(1, 2, 0), CHIRR_ERR_STALE);
    cr_assert_eq(receive(1, 1, 0), CHIRR_ERR_STALE);
    expect_silence();
    cr_assert_eq(chirr_ledger_count(ledger)->stale, 2);
    expect_applied(1, newest + 10 * CHIRR_LEDGER_WINDOW);
    cr_assert_eq(receive(1, newest, 0), CHIRR_ERR_STALE);
}

Test(ledger, a_delta_of_an_earlier_incarnation_is_stale)
{
    expect_applied(1, 5);
    struct chirr_message message = delta_of(1, 1);
    message.delta.stamp.incarnation = 2;
    cr_assert_eq(chirr_ledger_receive(ledger, 1, &message, 0), CHIRR_OK);
    drain();
    cr_assert_eq(receive(1, 5, 0), CHIRR_ERR_STALE);
    cr_assert_eq(receive(1, 6, 0), CHIRR_ERR_STALE);
}

/* Against a table that remembers every version. */
Test(ledger, in_any_order_each_version_is_applied_once)
{
    enum { VERSIONS = 2000, COPIES = 4, SEED = 11 };
    static bool came[VERSIONS + 1];
    uint64_t newest = 0;
    struct chirr_random random;
    chirr_random_init(&random, SEED, 0);
    for (uint64_t i = 0; i < (uint64_t)VERSIONS * COPIES; i++) {
        uint64_t near = i / COPIES + 1;
        uint64_t version = near + chirr_random_below(&random, 100);
        version = version <= VERSIONS ? version : VERSIONS;
        struct chirr_ledger_counters before = *chirr_ledger_count(ledger);
        enum chirr_err err = receive(1, version, 0);
        drain();
        bool outside = version + CHIRR_LEDGER_WINDOW < newest;
        cr_assert_eq(err, outside ? CHIRR_ERR_STALE : CHIRR_OK, "step %d of seed %d", (int)i, SEED);
        bool applied = chirr_ledger_count(ledger)->applied > before.applied;
        cr_assert_eq(applied, !outside && !came[version], "step %d of seed %d", (int)i, SEED);
        came[version] = came[version] || applied;
        newest = version > newest ? version : newest;
    }
    const struct chirr_ledger_counters *count = chirr_ledger_count(ledger);
    cr_assert_gt(count->late, 0);
    cr_assert_gt(count->repeats, 0);
    cr_assert_gt(count->stale, 0);
}

Test(ledger, stamps_are_kept_per_partition)
{
    struct chirr_message message = delta_of(1, 5);
    for (size_t i = 0; i < 3; i++) {
        message.delta.partition = (uint32_t[]){0, 2, 63}[i];
        cr_assert_eq(chirr_ledger_receive(ledger, 1, &message, 0), CHIRR_OK);
        cr_assert_eq(chirr_ledger_receive(ledger, 1, &message, 0), CHIRR_OK);
        cr_assert_eq(chirr_ledger_count(ledger)->applied, i + 1);
        cr_assert_eq(chirr_ledger_count(ledger)->repeats, i + 1);
    }
}

Test(ledger, own_deltas_come_back_as_repeats)
{
    expect_repeat(SELF, 1);
    cr_assert_eq(chirr_ledger_origin_count(ledger), 0);
}

Test(ledger, another_lineage_is_refused)
{
    struct chirr_message message = delta_of(1, 1);
    message.delta.lineage = LINEAGE + 1;
    cr_assert_eq(chirr_ledger_receive(ledger, 1, &message, 0), CHIRR_ERR_LINEAGE);
    cr_assert_eq(chirr_ledger_count(ledger)->other_lineage, 1);
    cr_assert_eq(chirr_ledger_origin_count(ledger), 0);
}

Test(ledger, without_a_model_every_delta_is_refused)
{
    teardown();
    config.lineage = 0;
    cr_assert_eq(chirr_arena_init(&arena, chirr_ledger_bytes(&config)), CHIRR_OK);
    ledger = chirr_ledger_create(&arena, &config, 0);
    struct chirr_message message = delta_of(1, 1);
    message.delta.lineage = 0;
    cr_assert_eq(chirr_ledger_receive(ledger, 1, &message, 0), CHIRR_ERR_LINEAGE);
}

Test(ledger, a_partition_that_is_not_hosted_is_refused)
{
    struct chirr_message message = delta_of(1, 1);
    for (size_t i = 0; i < 4; i++) {
        message.delta.partition = (uint32_t[]){1, 62, 64, UINT32_MAX}[i];
        cr_assert_eq(chirr_ledger_receive(ledger, 1, &message, 0), CHIRR_ERR_INVALID);
    }
    cr_assert_eq(chirr_ledger_count(ledger)->not_hosted, 4);
}

Test(ledger, a_delta_that_another_passed_on_is_taken_in)
{
    struct chirr_message message = delta_of(1, 1);
    cr_assert_eq(chirr_ledger_receive(ledger, 2, &message, 0), CHIRR_OK);
    drain();
    expect_repeat(1, 1);
}

Test(ledger, what_is_no_delta_or_too_long_is_invalid)
{
    struct chirr_message message = {.kind = CHIRR_MESSAGE_HEARTBEAT};
    cr_assert_eq(chirr_ledger_receive(ledger, 1, &message, 0), CHIRR_ERR_INVALID);
    message = delta_of(1, 1);
    message.delta.payload_bytes = CHIRR_DELTA_PAYLOAD_BYTES_MAX + 1;
    cr_assert_eq(chirr_ledger_receive(ledger, 1, &message, 0), CHIRR_ERR_INVALID);
    cr_assert_eq(chirr_ledger_count(ledger)->oversized, 2);
}

Test(ledger, deltas_nobody_polls_are_refused_and_may_come_again)
{
    uint64_t version = 1;
    while (receive(1, version, 0) == CHIRR_OK) {
        version++;
    }
    cr_assert_eq(receive(1, version, 0), CHIRR_ERR_FULL);
    cr_assert_eq(chirr_ledger_count(ledger)->refused_full, 2);
    drain();
    cr_assert_eq(receive(1, version, 0), CHIRR_OK);
}

/* ---- Weights ---------------------------------------------------------------------------- */

Test(ledger, the_step_is_shared_among_the_origins_held)
{
    cr_assert_eq(chirr_ledger_weight_permille(&config, 1, 0), 600);
    cr_assert_eq(chirr_ledger_weight_permille(&config, 4, 0), 150);
    cr_assert_eq(chirr_ledger_weight_permille(&config, 7, 0), 85);
    for (uint32_t count = 1; count < 2000; count++) {
        cr_assert_leq(count * chirr_ledger_weight_permille(&config, count, 0), 600);
    }
}

Test(ledger, a_weight_fades_only_after_stale_after_and_halves_when_silence_doubles)
{
    config.g_permille_max = 250;
    cr_assert_eq(chirr_ledger_weight_permille(&config, 1, 0), 250);
    cr_assert_eq(chirr_ledger_weight_permille(&config, 2, 2 * STALE_US), 125);
    cr_assert_eq(chirr_ledger_weight_permille(&config, 4, 0), 150);
    config.g_permille_max = 1000;
    cr_assert_eq(chirr_ledger_weight_permille(&config, 2, STALE_US), 300);
    cr_assert_eq(chirr_ledger_weight_permille(&config, 2, 2 * STALE_US), 150);
    cr_assert_eq(chirr_ledger_weight_permille(&config, 2, 4 * STALE_US), 75);
    cr_assert_eq(chirr_ledger_weight_permille(&config, 2, INT64_MAX), 0);
    uint32_t last = 300;
    for (chirr_time_us silence = 0; silence < 100 * STALE_US; silence += CHIRR_US_PER_S) {
        uint32_t g = chirr_ledger_weight_permille(&config, 2, silence);
        cr_assert_leq(g, last, "it never grows with silence");
        last = g;
    }
}

Test(ledger, a_newcomer_takes_its_share_from_the_others)
{
    cr_assert_eq(receive(1, 1, 0), CHIRR_OK);
    drain();
    cr_assert_eq(receive(2, 1, 0), CHIRR_OK);
    expect_apply(2);
    expect_weight(2, 300);
    expect_weight(1, 300);
    expect_silence();
}

Test(ledger, a_silent_origin_fades_with_the_ticks_and_recovers_with_a_delta)
{
    cr_assert_eq(receive(1, 1, 0), CHIRR_OK);
    drain();
    chirr_time_us deadline = chirr_ledger_deadline(ledger);
    cr_assert_gt(deadline, STALE_US);
    chirr_ledger_tick(ledger, deadline - 1);
    expect_silence();
    chirr_ledger_tick(ledger, 2 * STALE_US);
    expect_weight(1, 300);
    cr_assert_eq(receive(1, 2, 2 * STALE_US), CHIRR_OK);
    expect_apply(1);
    expect_weight(1, 600);
    expect_silence();
}

Test(ledger, an_origin_faded_to_nothing_costs_no_more_ticks)
{
    cr_assert_eq(chirr_ledger_deadline(ledger), CHIRR_TIME_NEVER);
    cr_assert_eq(receive(1, 1, 0), CHIRR_OK);
    uint32_t ticks = 0;
    while (chirr_ledger_deadline(ledger) != CHIRR_TIME_NEVER) {
        chirr_ledger_tick(ledger, chirr_ledger_deadline(ledger));
        drain();
        cr_assert_lt(ticks++, 20000);
    }
    cr_assert_gt(ticks, 0);
}

/* ---- Quarantine and bounds ------------------------------------------------------------------ */

Test(ledger, quarantine_takes_an_origin_out_for_good)
{
    cr_assert_eq(receive(1, 1, 0), CHIRR_OK);
    cr_assert_eq(receive(2, 1, 0), CHIRR_OK);
    drain();
    cr_assert_eq(receive(1, 2, 0), CHIRR_OK); /* not polled yet: it must not be applied either */
    chirr_ledger_quarantine(ledger, 1);
    expect_weight(1, 0);
    chirr_ledger_tick(ledger, chirr_ledger_deadline(ledger));
    expect_weight(2, 600);
    expect_silence();
    cr_assert_eq(chirr_ledger_count(ledger)->withheld, 1);
    cr_assert_eq(receive(1, 3, 0), CHIRR_ERR_UNTRUSTED);
    cr_assert_eq(chirr_ledger_count(ledger)->quarantined, 1);
    expect_silence();
}

Test(ledger, an_origin_may_be_quarantined_before_it_is_heard)
{
    chirr_ledger_quarantine(ledger, 1);
    expect_silence();
    cr_assert_eq(receive(1, 1, 0), CHIRR_ERR_UNTRUSTED);
    cr_assert_eq(receive(2, 1, 0), CHIRR_OK);
    expect_apply(2);
    expect_weight(2, 600);
}

Test(ledger, a_full_table_refuses_newcomers_while_all_are_fresh)
{
    for (chirr_agent_id origin = 1; origin <= 4; origin++) {
        cr_assert_eq(receive(origin, 1, 0), CHIRR_OK);
    }
    drain();
    cr_assert_eq(receive(5, 1, STALE_US), CHIRR_ERR_FULL);
    cr_assert_eq(chirr_ledger_count(ledger)->refused_full, 1);
    cr_assert_eq(chirr_ledger_origin_count(ledger), 4);
    expect_silence();
}

Test(ledger, the_stalest_origin_makes_room_and_loses_its_weight_first)
{
    for (chirr_agent_id origin = 1; origin <= 4; origin++) {
        cr_assert_eq(receive(origin, 9, origin == 3 ? 0 : 10), CHIRR_OK);
        drain();
    }
    cr_assert_eq(receive(5, 1, STALE_US + 5), CHIRR_OK);
    expect_weight(3, 0);
    expect_apply(5);
    drain();
    cr_assert_eq(chirr_ledger_count(ledger)->evicted, 1);
    expect_repeat(1, 9); /* the others are still known */
    cr_assert_eq(receive(3, 1, STALE_US + 11), CHIRR_OK, "its stamps are forgotten");
}

Test(ledger, quarantine_finds_room_in_a_full_table_and_is_never_evicted)
{
    for (chirr_agent_id origin = 1; origin <= 4; origin++) {
        cr_assert_eq(receive(origin, 1, (chirr_time_us)origin), CHIRR_OK);
    }
    drain();
    chirr_ledger_quarantine(ledger, 5);
    expect_weight(1, 0);
    for (chirr_agent_id origin = 6; origin <= 8; origin++) {
        chirr_ledger_quarantine(ledger, origin);
    }
    drain();
    chirr_ledger_quarantine(ledger, 9);
    cr_assert_eq(chirr_ledger_count(ledger)->quarantine_full, 1);
    cr_assert_eq(receive(10, 1, 100 * STALE_US), CHIRR_ERR_FULL);
    cr_assert_eq(receive(5, 1, 100 * STALE_US), CHIRR_ERR_UNTRUSTED);
}

/* ---- The token account ------------------------------------------------------------------ */

Test(ledger, publishes_nothing_without_drift)
{
    for (chirr_time_us now = 0; now < 100 * CHIRR_US_PER_S; now += 10000) {
        cr_assert_not(chirr_ledger_spend(ledger, 0, now));
    }
}

Test(ledger, publishes_at_most_one_an_interval_in_the_long_run)
{
    uint32_t spent = 0;
    for (chirr_time_us now = 0; now < 1000 * CHIRR_US_PER_S; now += 10000) {
        spent += chirr_ledger_spend(ledger, UINT32_MAX, now);
        cr_assert_leq(spent, now / CHIRR_US_PER_S + 1);
    }
    cr_assert_gt(spent, 980, "asked often enough, it uses what it has: %u", spent);
}

Test(ledger, a_burst_is_at_most_tokens_max)
{
    uint32_t spent = 0;
    for (int i = 0; i < 10000; i++) {
        spent += chirr_ledger_spend(ledger, 1000, 1000 * CHIRR_US_PER_S);
    }
    cr_assert_eq(spent, config.tokens_max);
}

/* Asked once an interval the balance settles where it earns what it spends. */
Test(ledger, publishes_more_with_more_drift)
{
    uint32_t spent[3] = {0};
    for (size_t i = 0; i < 3; i++) {
        teardown();
        setup();
        for (chirr_time_us now = 0; now < 2000 * CHIRR_US_PER_S; now += CHIRR_US_PER_S) {
            spent[i] += chirr_ledger_spend(ledger, (uint32_t[]){10, 100, 1000}[i], now);
        }
    }
    cr_assert_lt(spent[0] * 5, spent[1]);
    cr_assert_lt(spent[1] * 5, spent[2]);
}

Test(ledger, replays_from_its_seed)
{
    uint64_t trace[3] = {0};
    for (size_t run = 0; run < 3; run++) {
        teardown();
        setup();
        struct chirr_arena other = {0};
        config.seed = run == 2 ? 4 : 3;
        cr_assert_eq(chirr_arena_init(&other, chirr_ledger_bytes(&config)), CHIRR_OK);
        struct chirr_ledger *replayed = chirr_ledger_create(&other, &config, 0);
        for (chirr_time_us now = 0; now < 64 * 300000; now += 300000) {
            trace[run] = trace[run] << 1 | chirr_ledger_spend(replayed, 500, now);
        }
        chirr_arena_finish(&other);
    }
    cr_assert_eq(trace[0], trace[1]);
    cr_assert_neq(trace[0], trace[2]);
}

Test(ledger, validates_its_configuration)
{
    cr_assert_eq(chirr_ledger_config_validate(&config, NULL), CHIRR_OK);
    struct chirr_ledger_config bad = config;
    bad.token_interval_ms = 0;
    cr_assert_eq(chirr_ledger_config_validate(&bad, NULL), CHIRR_ERR_RANGE);
    bad = config;
    bad.tokens_max = 0;
    cr_assert_eq(chirr_ledger_config_validate(&bad, NULL), CHIRR_ERR_RANGE);
    bad = config;
    bad.step_permille = 10001;
    cr_assert_eq(chirr_ledger_config_validate(&bad, NULL), CHIRR_ERR_RANGE);
    bad = config;
    bad.stale_after_ms = 0;
    cr_assert_eq(chirr_ledger_config_validate(&bad, NULL), CHIRR_ERR_RANGE);
}

Test(ledger, create_fails_cleanly_in_every_smaller_arena)
{
    size_t bytes = chirr_ledger_bytes(&config);
    for (size_t cut = 0; cut < bytes; cut += CHIRR_ARENA_ALIGN) {
        struct chirr_arena small = {.base = arena.base, .capacity = cut};
        cr_assert_null(chirr_ledger_create(&small, &config, 0), "%zu of %zu bytes", cut, bytes);
    }
}

Test(ledger, without_any_place_everything_is_refused)
{
    teardown();
    config.origins_max = 0;
    cr_assert_eq(chirr_arena_init(&arena, chirr_ledger_bytes(&config)), CHIRR_OK);
    ledger = chirr_ledger_create(&arena, &config, 0);
    cr_assert_eq(receive(1, 1, 0), CHIRR_ERR_FULL);
    chirr_ledger_quarantine(ledger, 1);
    cr_assert_eq(chirr_ledger_count(ledger)->quarantine_full, 1);
    expect_silence();
}

Test(ledger, each_change_goes_out_with_the_weight_of_its_origin)
{
    cr_assert_eq(receive(1, 1, 0), CHIRR_OK);
    cr_assert_eq(receive(2, 1, 0), CHIRR_OK);
    expect_apply(1);
    expect_weight(1, 300);
    expect_apply(2);
    expect_weight(2, 300);
    expect_silence();
}
