#include "tests/swarm/overlay_bench.h"

#include <criterion/criterion.h>

#include "tests/support/sample.h"

struct chirr_overlay_config bench_config(void)
{
    struct chirr_overlay_config config = chirr_overlay_config_default();
    config.self = sample_agent(0);
    config.seed = 7;
    config.agents_max = BENCH_AGENTS;
    config.mesh_below = 0;
    return config;
}

void bench_begin(struct bench *bench, const struct chirr_overlay_config *config)
{
    const struct chirr_records_config records = {.agents_max = BENCH_AGENTS, .tasks_max = 1};
    *bench = (struct bench){.now = CHIRR_US_PER_S};
    cr_assert_eq(chirr_arena_init(&bench->record_arena, chirr_records_bytes(&records)), CHIRR_OK);
    bench->records = chirr_records_create(&bench->record_arena, &records);
    for (uint32_t i = 0; i < BENCH_AGENTS; i++) {
        struct chirr_record card = sample_card(i);
        card = sample_stamped(&card, i, 1, 1);
        enum chirr_join join;
        cr_assert_eq(chirr_records_join(bench->records, &card, &join), CHIRR_OK);
    }
    cr_assert_eq(chirr_arena_init(&bench->arena, chirr_overlay_bytes(config)), CHIRR_OK);
    bench->overlay = chirr_overlay_create(&bench->arena, config, bench->records, bench->now);
    cr_assert_not_null(bench->overlay);
}

void bench_end(struct bench *bench)
{
    chirr_arena_finish(&bench->arena);
    chirr_arena_finish(&bench->record_arena);
}

enum chirr_err bench_card(struct bench *bench, uint32_t index)
{
    struct chirr_record card = sample_card(index);
    return chirr_overlay_card(bench->overlay, sample_agent(index), &card.card, bench->now);
}

void bench_drop_outputs(struct bench *bench)
{
    struct chirr_output output;
    while (chirr_overlay_poll(bench->overlay, &output)) {
    }
}

void bench_tick(struct bench *bench)
{
    chirr_overlay_tick(bench->overlay, bench->now);
}

void bench_pass(struct bench *bench, chirr_time_us for_us)
{
    chirr_time_us until_us = bench->now + for_us;
    while (chirr_overlay_deadline(bench->overlay) <= until_us) {
        chirr_time_us deadline = chirr_overlay_deadline(bench->overlay);
        bench->now = deadline > bench->now ? deadline : bench->now;
        bench_tick(bench);
        bench_drop_outputs(bench);
    }
    bench->now = until_us;
}

static uint32_t index_of(chirr_agent_id agent)
{
    uint32_t index = 0;
    while (sample_agent(index) != agent) {
        index++;
        cr_assert_lt(index, BENCH_AGENTS);
    }
    return index;
}

/* Answers all that was put out. */
static uint32_t answer_all(struct bench *bench, enum chirr_view_verb answer,
                           uint32_t asked[BENCH_AGENTS])
{
    uint32_t to[BENCH_AGENTS];
    uint32_t count = 0;
    uint32_t others = 0;
    struct chirr_output output;
    while (chirr_overlay_poll(bench->overlay, &output)) {
        if (output.kind == CHIRR_OUTPUT_SEND && output.message->view.verb == CHIRR_VIEW_NEIGHBOUR) {
            cr_assert_lt(count, BENCH_AGENTS);
            to[count++] = index_of(output.to);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        bool is_held = bench_is_neighbour(bench, to[i]);
        enum chirr_view_verb said = is_held ? CHIRR_VIEW_ACCEPT : answer;
        others += !is_held;
        if (!is_held && asked != NULL) {
            asked[to[i]]++;
        }
        if (said != 0) {
            cr_assert_eq(bench_hear(bench, said, to[i]), CHIRR_OK);
        }
    }
    return others;
}

uint32_t bench_live(struct bench *bench, chirr_time_us for_us, enum chirr_view_verb answer,
                    uint32_t asked[BENCH_AGENTS])
{
    uint32_t others = 0;
    chirr_time_us until_us = bench->now + for_us;
    while (chirr_overlay_deadline(bench->overlay) <= until_us) {
        chirr_time_us deadline = chirr_overlay_deadline(bench->overlay);
        bench->now = deadline > bench->now ? deadline : bench->now;
        bench_tick(bench);
        others += answer_all(bench, answer, asked);
    }
    bench->now = until_us;
    return others;
}

enum chirr_err bench_say(struct bench *bench, const struct said *said)
{
    static struct chirr_record cards[CHIRR_VIEW_CARDS_MAX];
    for (uint32_t i = 0; i < said->count; i++) {
        cards[i] = sample_card(said->cards[i]);
        cards[i] = sample_stamped(&cards[i], said->cards[i], 1, 1);
    }
    bool walks = said->verb == CHIRR_VIEW_FORWARD_JOIN || said->verb == CHIRR_VIEW_SHUFFLE;
    const struct chirr_message message = {
        .kind = CHIRR_MESSAGE_VIEW,
        .view = {.verb = said->verb,
                 .origin = sample_agent(walks ? said->origin : said->from),
                 .hops = said->hops,
                 .urgent = said->urgent,
                 .count = said->count,
                 .cards = cards}};
    return chirr_overlay_receive(bench->overlay, sample_agent(said->from), &message, bench->now);
}

enum chirr_err bench_hear(struct bench *bench, enum chirr_view_verb verb, uint32_t from)
{
    const struct said said = {
        .verb = verb, .from = from, .count = verb == CHIRR_VIEW_JOIN, .cards = {from}};
    return bench_say(bench, &said);
}

void bench_befriend(struct bench *bench, uint32_t index)
{
    cr_assert_eq(bench_card(bench, index), CHIRR_OK);
    cr_assert_eq(bench_hear(bench, CHIRR_VIEW_NEIGHBOUR, index), CHIRR_OK);
    bench_drop_outputs(bench);
    cr_assert(bench_is_neighbour(bench, index));
}

uint32_t bench_count_sent(struct bench *bench, enum chirr_view_verb verb, uint32_t to,
                          struct chirr_view_message *view)
{
    uint32_t count = 0;
    struct chirr_output output;
    while (chirr_overlay_poll(bench->overlay, &output)) {
        if (output.kind == CHIRR_OUTPUT_SEND && output.message->view.verb == verb &&
            (to == UINT32_MAX || output.to == sample_agent(to))) {
            count++;
            if (view != NULL) {
                *view = output.message->view;
            }
        }
    }
    return count;
}

void bench_expect_connect(struct bench *bench, uint32_t to, enum chirr_link kind)
{
    struct chirr_output output;
    struct chirr_record card = sample_card(to);
    cr_assert(chirr_overlay_poll(bench->overlay, &output));
    cr_assert_eq(output.kind, CHIRR_OUTPUT_CONNECT);
    cr_assert_eq(output.to, sample_agent(to));
    cr_assert_eq(output.link, kind);
    cr_assert_str_eq(output.card->name, card.card.name);
}

void bench_expect_disconnect(struct bench *bench, uint32_t to)
{
    struct chirr_output output;
    cr_assert(chirr_overlay_poll(bench->overlay, &output));
    cr_assert_eq(output.kind, CHIRR_OUTPUT_DISCONNECT);
    cr_assert_eq(output.to, sample_agent(to));
}

void bench_expect_nothing(struct bench *bench)
{
    struct chirr_output output;
    cr_assert_not(chirr_overlay_poll(bench->overlay, &output));
}

uint32_t bench_after(uint32_t count)
{
    uint32_t nearest = 1;
    for (uint32_t i = 2; i <= count; i++) {
        if (sample_agent(i) - sample_agent(0) < sample_agent(nearest) - sample_agent(0)) {
            nearest = i;
        }
    }
    return nearest;
}

uint32_t bench_before(uint32_t count)
{
    uint32_t nearest = 1;
    for (uint32_t i = 2; i <= count; i++) {
        if (sample_agent(0) - sample_agent(i) < sample_agent(0) - sample_agent(nearest)) {
            nearest = i;
        }
    }
    return nearest;
}

bool bench_is_neighbour(const struct bench *bench, uint32_t index)
{
    return chirr_overlay_is_neighbour(bench->overlay, sample_agent(index));
}

uint32_t bench_neighbour_count(const struct bench *bench)
{
    return chirr_overlay_neighbours(bench->overlay).count;
}
