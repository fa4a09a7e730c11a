/* One agent's part of the broadcast tree. */
#include "swarm/tree.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/random.h"

static struct chirr_tree_config config;
static struct chirr_arena arena;

/* Three neighbours, 10, 20 and 30, all eager. */
static struct chirr_tree *tree_of_three(void)
{
    config = chirr_tree_config_default();
    cr_assert_eq(chirr_arena_init(&arena, chirr_tree_bytes(&config)), CHIRR_OK);
    struct chirr_tree *tree = chirr_tree_create(&arena, &config);
    cr_assert_not_null(tree);
    const chirr_agent_id neighbours[] = {10, 20, 30};
    chirr_tree_set_neighbours(tree, neighbours, 3, false);
    return tree;
}

static struct chirr_digest_entry statement(uint64_t version)
{
    return (struct chirr_digest_entry){7, {1, version}};
}

static void announce(struct chirr_tree *tree, chirr_agent_id from, uint64_t version,
                     chirr_time_us now)
{
    const struct chirr_digest_entry entry = statement(version);
    const struct chirr_have have = {.count = 1, .entries = &entry};
    chirr_tree_announced(tree, from, &have, now);
}

static chirr_time_us ms(int64_t count)
{
    return chirr_time_from_ms(count);
}

Test(tree, a_statement_is_seen_once)
{
    struct chirr_tree *tree = tree_of_three();
    const struct chirr_digest_entry one = statement(1);
    cr_assert(chirr_tree_see(tree, &one));
    cr_assert_not(chirr_tree_see(tree, &one));
}

Test(tree, it_remembers_as_many_as_it_says_and_forgets_the_oldest)
{
    struct chirr_tree *tree = tree_of_three();
    for (uint64_t version = 1; version <= 10 * config.seen_max; version++) {
        const struct chirr_digest_entry entry = statement(version);
        cr_assert(chirr_tree_see(tree, &entry));
    }
    for (uint64_t back = 0; back < config.seen_max; back++) {
        const struct chirr_digest_entry entry = statement(10 * config.seen_max - back);
        cr_assert_not(chirr_tree_see(tree, &entry));
    }
    const struct chirr_digest_entry forgotten = statement(9 * config.seen_max);
    cr_assert(chirr_tree_see(tree, &forgotten));
}

Test(tree, a_neighbour_that_only_repeats_is_pruned)
{
    struct chirr_tree *tree = tree_of_three();
    struct chirr_output output;
    for (uint32_t i = 0; i < config.prune_after; i++) {
        cr_assert(chirr_tree_is_eager(tree, 20));
        chirr_tree_pushed(tree, 20, false);
    }
    cr_assert_not(chirr_tree_is_eager(tree, 20));
    cr_assert(chirr_tree_poll(tree, &output));
    cr_assert_eq(output.kind, CHIRR_OUTPUT_LISTEN);
    cr_assert_eq(output.to, 20);
    cr_assert_eq(output.topic, CHIRR_TOPIC_LAZY);
    cr_assert_not(chirr_tree_poll(tree, &output));
}

Test(tree, a_first_delivery_between_repeats_keeps_a_neighbour)
{
    struct chirr_tree *tree = tree_of_three();
    for (int i = 0; i < 100; i++) {
        chirr_tree_pushed(tree, 20, i % config.prune_after == 0);
    }
    cr_assert(chirr_tree_is_eager(tree, 20));
}

Test(tree, the_last_eager_neighbour_is_never_pruned)
{
    struct chirr_tree *tree = tree_of_three();
    for (int i = 0; i < 100; i++) {
        chirr_tree_pushed(tree, 10, false);
        chirr_tree_pushed(tree, 20, false);
        chirr_tree_pushed(tree, 30, false);
    }
    cr_assert_eq(chirr_tree_is_eager(tree, 10) + chirr_tree_is_eager(tree, 20) +
                     chirr_tree_is_eager(tree, 30),
                 1);
}

Test(tree, a_mesh_neither_prunes_nor_announces)
{
    struct chirr_tree *tree = tree_of_three();
    const chirr_agent_id neighbours[] = {10, 20};
    chirr_tree_set_neighbours(tree, neighbours, 2, true);
    const struct chirr_digest_entry one = statement(1);
    chirr_tree_announce(tree, &one, 0);
    for (int i = 0; i < 100; i++) {
        chirr_tree_pushed(tree, 10, false);
    }
    struct chirr_output output;
    chirr_tree_tick(tree, CHIRR_US_PER_S);
    cr_assert_not(chirr_tree_poll(tree, &output));
    cr_assert_eq(chirr_tree_deadline(tree), CHIRR_TIME_NEVER);
}

Test(tree, a_pruned_neighbour_is_heard_eagerly_again_in_a_mesh)
{
    struct chirr_tree *tree = tree_of_three();
    struct chirr_output output;
    for (int i = 0; i < 3; i++) {
        chirr_tree_pushed(tree, 20, false);
    }
    cr_assert(chirr_tree_poll(tree, &output));
    const chirr_agent_id neighbours[] = {10, 20, 30};
    chirr_tree_set_neighbours(tree, neighbours, 3, true);
    cr_assert(chirr_tree_poll(tree, &output));
    cr_assert_eq(output.to, 20);
    cr_assert_eq(output.topic, CHIRR_TOPIC_EAGER);
}

Test(tree, what_is_announced_but_not_pushed_in_time_is_grafted)
{
    struct chirr_tree *tree = tree_of_three();
    struct chirr_output output;
    for (int i = 0; i < 3; i++) {
        chirr_tree_pushed(tree, 20, false);
    }
    cr_assert(chirr_tree_poll(tree, &output));
    announce(tree, 20, 5, 0);
    chirr_time_us due = chirr_tree_deadline(tree);
    cr_assert_eq(due, ms(config.graft_delay_ms));
    chirr_tree_tick(tree, due - 1);
    cr_assert_not(chirr_tree_poll(tree, &output));
    chirr_tree_tick(tree, due);
    cr_assert(chirr_tree_poll(tree, &output));
    cr_assert_eq(output.kind, CHIRR_OUTPUT_SEND);
    cr_assert_eq(output.to, 20);
    cr_assert_eq(output.message->kind, CHIRR_MESSAGE_GRAFT);
    cr_assert_eq(output.message->have.count, 1);
    cr_assert_eq(output.message->have.entries[0].stamp.version, 5);
    cr_assert(chirr_tree_poll(tree, &output));
    cr_assert_eq(output.kind, CHIRR_OUTPUT_LISTEN);
    cr_assert_eq(output.topic, CHIRR_TOPIC_EAGER);
    cr_assert_not(chirr_tree_poll(tree, &output));
}

Test(tree, what_comes_before_the_graft_is_not_asked_for)
{
    struct chirr_tree *tree = tree_of_three();
    announce(tree, 20, 5, 0);
    const struct chirr_digest_entry five = statement(5);
    cr_assert(chirr_tree_see(tree, &five));
    cr_assert_eq(chirr_tree_deadline(tree), CHIRR_TIME_NEVER);
    announce(tree, 30, 5, 0);
    cr_assert_eq(chirr_tree_deadline(tree), CHIRR_TIME_NEVER);
}

Test(tree, who_does_not_answer_a_graft_is_followed_by_the_next_who_announced)
{
    struct chirr_tree *tree = tree_of_three();
    struct chirr_output output;
    announce(tree, 20, 5, 0);
    announce(tree, 30, 5, 0);
    announce(tree, 30, 5, 0);
    const chirr_agent_id asked[] = {20, 30, 20, 30, 20, 30, 20, 30};
    for (int i = 0; i < 8; i++) {
        chirr_tree_tick(tree, chirr_tree_deadline(tree));
        cr_assert(chirr_tree_poll(tree, &output));
        cr_assert_eq(output.to, asked[i]);
        cr_assert_not(chirr_tree_poll(tree, &output));
    }
    chirr_tree_tick(tree, chirr_tree_deadline(tree));
    cr_assert_not(chirr_tree_poll(tree, &output));
    cr_assert_eq(chirr_tree_count(tree)->given_up, 1);
    cr_assert_eq(chirr_tree_deadline(tree), CHIRR_TIME_NEVER);
}

Test(tree, a_source_that_went_away_is_passed_over)
{
    struct chirr_tree *tree = tree_of_three();
    struct chirr_output output;
    announce(tree, 20, 5, 0);
    announce(tree, 30, 5, 0);
    const chirr_agent_id neighbours[] = {10, 30};
    chirr_tree_set_neighbours(tree, neighbours, 2, false);
    chirr_tree_tick(tree, chirr_tree_deadline(tree));
    cr_assert(chirr_tree_poll(tree, &output));
    cr_assert_eq(output.to, 30);
}

Test(tree, strangers_announce_nothing)
{
    struct chirr_tree *tree = tree_of_three();
    announce(tree, 99, 5, 0);
    cr_assert_eq(chirr_tree_deadline(tree), CHIRR_TIME_NEVER);
    cr_assert_eq(chirr_tree_count(tree)->strangers, 1);
}

Test(tree, one_graft_asks_for_everything_that_a_neighbour_announced)
{
    struct chirr_tree *tree = tree_of_three();
    struct chirr_output output;
    for (uint64_t version = 1; version <= 9; version++) {
        announce(tree, version % 3 == 0 ? 30 : 20, version, 0);
    }
    chirr_tree_tick(tree, ms(config.graft_delay_ms));
    cr_assert(chirr_tree_poll(tree, &output));
    cr_assert_eq(output.message->have.count, 6);
    cr_assert(chirr_tree_poll(tree, &output));
    cr_assert_eq(output.message->have.count, 3);
    cr_assert_not(chirr_tree_poll(tree, &output));
}

Test(tree, announcements_wait_for_company_but_not_long)
{
    struct chirr_tree *tree = tree_of_three();
    struct chirr_output output;
    for (uint64_t version = 1; version <= 3; version++) {
        const struct chirr_digest_entry entry = statement(version);
        chirr_tree_announce(tree, &entry, ms((int64_t)version));
    }
    chirr_time_us due = chirr_tree_deadline(tree);
    cr_assert_eq(due, ms(1 + config.have_delay_ms));
    chirr_tree_tick(tree, due);
    cr_assert(chirr_tree_poll(tree, &output));
    cr_assert_eq(output.kind, CHIRR_OUTPUT_PUBLISH);
    cr_assert_eq(output.topic, CHIRR_TOPIC_LAZY);
    cr_assert_eq(output.message->have.count, 3);
    cr_assert_not(chirr_tree_poll(tree, &output));
}

/* The next output announces this many statements on this topic. */
static void expect_have(struct chirr_tree *tree, enum chirr_topic topic, uint32_t count,
                        uint64_t first_version)
{
    struct chirr_output output;
    cr_assert(chirr_tree_poll(tree, &output));
    cr_assert_eq(output.kind, CHIRR_OUTPUT_PUBLISH);
    cr_assert_eq(output.topic, topic);
    cr_assert_eq(output.message->kind, CHIRR_MESSAGE_HAVE);
    cr_assert_eq(output.message->have.count, count);
    cr_assert_eq(output.message->have.entries[0].stamp.version, first_version);
}

/* More often than a tree has to be mended while its agents come and go. */
static void lose_often(struct chirr_tree *tree)
{
    for (int i = 0; i < 4; i++) {
        chirr_tree_lost(tree);
    }
}

/* Without the second one to the eager, who listens eagerly to all its neighbours and loses every
 * push would wait for the repair. */
Test(tree, while_there_is_loss_announcements_are_made_once_more_to_all_and_then_no_more)
{
    struct chirr_tree *tree = tree_of_three();
    struct chirr_output output;
    const struct chirr_digest_entry one = statement(1);
    const struct chirr_digest_entry two = statement(2);
    lose_often(tree);
    chirr_tree_announce(tree, &one, 0);
    chirr_tree_tick(tree, ms(config.have_delay_ms));
    expect_have(tree, CHIRR_TOPIC_LAZY, 1, 1);
    cr_assert_not(chirr_tree_poll(tree, &output));
    cr_assert_eq(chirr_tree_deadline(tree), ms(config.have_delay_ms + config.have_repeat_ms));
    chirr_tree_announce(tree, &two, ms(config.have_repeat_ms));
    chirr_tree_tick(tree, ms(config.have_delay_ms + config.have_repeat_ms));
    expect_have(tree, CHIRR_TOPIC_LAZY, 2, 2); /* the new one goes along */
    expect_have(tree, CHIRR_TOPIC_EAGER, 1, 1);
    cr_assert_not(chirr_tree_poll(tree, &output));
    chirr_tree_tick(tree, chirr_tree_deadline(tree));
    expect_have(tree, CHIRR_TOPIC_LAZY, 1, 2);
    expect_have(tree, CHIRR_TOPIC_EAGER, 1, 2);
    cr_assert_not(chirr_tree_poll(tree, &output));
    cr_assert_eq(chirr_tree_deadline(tree), CHIRR_TIME_NEVER);
    cr_assert_eq(chirr_tree_count(tree)->announced, 4);
}

Test(tree, what_was_to_be_announced_once_more_is_not_in_a_mesh_and_counted)
{
    struct chirr_tree *tree = tree_of_three();
    const struct chirr_digest_entry one = statement(1);
    const chirr_agent_id neighbours[] = {10, 20, 30};
    lose_often(tree);
    chirr_tree_announce(tree, &one, 0);
    chirr_tree_tick(tree, ms(config.have_delay_ms));
    expect_have(tree, CHIRR_TOPIC_LAZY, 1, 1);
    cr_assert_eq(chirr_tree_count(tree)->dropped, 0);
    chirr_tree_set_neighbours(tree, neighbours, 3, true);
    cr_assert_eq(chirr_tree_deadline(tree), CHIRR_TIME_NEVER);
    cr_assert_eq(chirr_tree_count(tree)->dropped, 1);
}

static void expect_announced_once(struct chirr_tree *tree, uint64_t version, chirr_time_us now)
{
    struct chirr_output output;
    const struct chirr_digest_entry news = statement(version);
    chirr_tree_announce(tree, &news, now);
    chirr_tree_tick(tree, now + ms(config.have_delay_ms));
    expect_have(tree, CHIRR_TOPIC_LAZY, 1, version);
    cr_assert_not(chirr_tree_poll(tree, &output));
    cr_assert_eq(chirr_tree_deadline(tree), CHIRR_TIME_NEVER);
}

Test(tree, where_little_is_lost_announcements_are_made_once)
{
    struct chirr_tree *tree = tree_of_three();
    expect_announced_once(tree, 1, 0);
    chirr_tree_lost(tree);
    expect_announced_once(tree, 2, ms(1000));
}

Test(tree, what_arrives_makes_up_for_what_was_lost)
{
    struct chirr_tree *tree = tree_of_three();
    lose_often(tree);
    for (uint64_t version = 1; version <= 16; version++) {
        const struct chirr_digest_entry news = statement(version);
        cr_assert(chirr_tree_see(tree, &news));
    }
    expect_announced_once(tree, 17, 0);
}

/* Lets a statement be announced, and its push not come. */
static void miss(struct chirr_tree *tree, uint64_t version)
{
    struct chirr_output output;
    announce(tree, 20, version, 0);
    chirr_tree_tick(tree, chirr_tree_deadline(tree));
    while (chirr_tree_poll(tree, &output)) {
    }
    const struct chirr_digest_entry late = statement(version);
    cr_assert(chirr_tree_see(tree, &late));
}

Test(tree, who_has_to_ask_for_much_announces_twice)
{
    struct chirr_tree *tree = tree_of_three();
    for (uint64_t version = 1; version <= 4; version++) {
        miss(tree, version);
    }
    cr_assert_eq(chirr_tree_count(tree)->grafts, 4);
    const struct chirr_digest_entry news = statement(5);
    chirr_tree_announce(tree, &news, 0);
    chirr_tree_tick(tree, ms(config.have_delay_ms));
    expect_have(tree, CHIRR_TOPIC_LAZY, 1, 5);
    chirr_tree_tick(tree, ms(config.have_delay_ms + config.have_repeat_ms));
    expect_have(tree, CHIRR_TOPIC_LAZY, 1, 5);
    expect_have(tree, CHIRR_TOPIC_EAGER, 1, 5);
}

/* A GRAFT of something that was seen, or was not. */
static void grafted(struct chirr_tree *tree, chirr_agent_id from, bool was_seen)
{
    const struct chirr_digest_entry wanted = statement(was_seen ? 1000 : 1001);
    const struct chirr_have have = {.count = 1, .entries = &wanted};
    if (was_seen) {
        (void)chirr_tree_see(tree, &wanted); /* the first time */
    }
    chirr_tree_grafted(tree, from, &have);
}

/* Else a tree that is cut in one place for each direction would need a graft from either side. */
Test(tree, who_is_asked_listens_eagerly_to_who_asked)
{
    struct chirr_tree *tree = tree_of_three();
    struct chirr_output output;
    for (int i = 0; i < 3; i++) {
        chirr_tree_pushed(tree, 20, false);
    }
    cr_assert(chirr_tree_poll(tree, &output));
    cr_assert_eq(output.topic, CHIRR_TOPIC_LAZY);
    grafted(tree, 99, true); /* no neighbour */
    grafted(tree, 20, false);
    cr_assert_not(chirr_tree_poll(tree, &output));
    grafted(tree, 20, true);
    cr_assert(chirr_tree_poll(tree, &output));
    cr_assert_eq(output.kind, CHIRR_OUTPUT_LISTEN);
    cr_assert_eq(output.to, 20);
    cr_assert_eq(output.topic, CHIRR_TOPIC_EAGER);
}

Test(tree, who_is_asked_for_much_announces_twice)
{
    struct chirr_tree *tree = tree_of_three();
    for (int i = 0; i < 3; i++) {
        grafted(tree, 20, true);
    }
    expect_announced_once(tree, 1, 0); /* one of three neighbours lost so much */
    for (int i = 0; i < 9; i++) {
        grafted(tree, 20, true);
    }
    const struct chirr_digest_entry news = statement(2);
    chirr_tree_announce(tree, &news, 0);
    chirr_tree_tick(tree, ms(config.have_delay_ms));
    expect_have(tree, CHIRR_TOPIC_LAZY, 1, 2);
    cr_assert_eq(chirr_tree_deadline(tree), ms(config.have_delay_ms + config.have_repeat_ms));
}

Test(tree, a_newer_announcement_is_not_made_much_sooner_for_an_older_one)
{
    struct chirr_tree *tree = tree_of_three();
    struct chirr_output output;
    const struct chirr_digest_entry one = statement(1);
    const struct chirr_digest_entry two = statement(2);
    chirr_tree_announce(tree, &one, 0);
    chirr_tree_announce(tree, &two, ms(config.have_delay_ms / 2));
    chirr_tree_tick(tree, ms(config.have_delay_ms));
    expect_have(tree, CHIRR_TOPIC_LAZY, 1, 1);
    cr_assert_not(chirr_tree_poll(tree, &output));
    chirr_tree_tick(tree, chirr_tree_deadline(tree));
    expect_have(tree, CHIRR_TOPIC_LAZY, 1, 2);
}

Test(tree, a_message_full_of_announcements_goes_at_once)
{
    struct chirr_tree *tree = tree_of_three();
    for (uint64_t version = 1; version <= CHIRR_HAVE_ENTRIES_MAX; version++) {
        const struct chirr_digest_entry entry = statement(version);
        chirr_tree_announce(tree, &entry, ms(1));
    }
    cr_assert_eq(chirr_tree_deadline(tree), ms(1));
    expect_have(tree, CHIRR_TOPIC_LAZY, CHIRR_HAVE_ENTRIES_MAX, 1);
    cr_assert_eq(chirr_tree_deadline(tree), CHIRR_TIME_NEVER);
}

Test(tree, more_announcements_than_it_has_room_for_are_counted)
{
    struct chirr_tree *tree = tree_of_three();
    for (uint64_t version = 1; version <= config.missing_max + 5; version++) {
        announce(tree, 20, version, 0);
    }
    cr_assert_eq(chirr_tree_count(tree)->dropped, config.missing_max / 2 + 5);
}

Test(tree, who_makes_statements_up_leaves_room_to_others_and_does_not_make_it_announce_twice)
{
    struct chirr_tree *tree = tree_of_three();
    struct chirr_output output;
    for (uint64_t version = 1; version <= 10 * config.missing_max; version++) {
        announce(tree, 20, 10000 + version, 0);
        while (chirr_tree_poll(tree, &output)) {
        }
    }
    uint64_t dropped = chirr_tree_count(tree)->dropped;
    for (uint64_t version = 1; version <= config.missing_max / 4; version++) {
        announce(tree, 30, version, 0);
    }
    cr_assert_eq(chirr_tree_count(tree)->dropped, dropped);
    chirr_tree_tick(tree, chirr_tree_deadline(tree));
    while (chirr_tree_poll(tree, &output)) { /* asked for, and never seen */
    }
    cr_assert_gt(chirr_tree_count(tree)->asked, 0);
    const struct chirr_digest_entry news = statement(5000);
    chirr_tree_announce(tree, &news, ms(1000));
    chirr_tree_tick(tree, ms(1000 + config.have_delay_ms));
    while (chirr_tree_poll(tree, &output) && output.kind != CHIRR_OUTPUT_PUBLISH) {
    }
    cr_assert_eq(output.topic, CHIRR_TOPIC_LAZY);
    cr_assert_eq(chirr_tree_count(tree)->announced, 1);
    chirr_tree_tick(tree, ms(1000 + config.have_delay_ms + config.have_repeat_ms));
    while (chirr_tree_poll(tree, &output)) {
        cr_assert_neq(output.kind, CHIRR_OUTPUT_PUBLISH);
    }
}

Test(tree, a_neighbour_that_left_and_came_back_is_eager_again)
{
    struct chirr_tree *tree = tree_of_three();
    struct chirr_output output;
    for (int i = 0; i < 3; i++) {
        chirr_tree_pushed(tree, 20, false);
    }
    const chirr_agent_id without[] = {10, 30};
    const chirr_agent_id with[] = {10, 20, 30};
    chirr_tree_set_neighbours(tree, without, 2, false);
    cr_assert_not(chirr_tree_poll(tree, &output));
    chirr_tree_set_neighbours(tree, with, 3, false);
    cr_assert(chirr_tree_is_eager(tree, 20));
    cr_assert_not(chirr_tree_poll(tree, &output)); /* eager is how a new link begins */
}

/* Against a list that always tells the truth. */
Test(tree, it_sees_what_a_naive_list_sees)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct chirr_random random;
        chirr_random_init(&random, seed, 0);
        config = chirr_tree_config_default();
        config.seen_max = 64;
        cr_assert_eq(chirr_arena_init(&arena, chirr_tree_bytes(&config)), CHIRR_OK);
        struct chirr_tree *tree = chirr_tree_create(&arena, &config);
        uint64_t list[64];
        uint32_t count = 0;
        for (int i = 0; i < 5000; i++) {
            uint64_t version = 1 + chirr_random_below(&random, 200);
            bool known = false;
            for (uint32_t j = 0; j < count; j++) {
                known = known || list[j] == version;
            }
            const struct chirr_digest_entry entry = statement(version);
            cr_assert_eq(chirr_tree_see(tree, &entry), !known, "seed %llu, step %d",
                         (unsigned long long)seed, i);
            if (!known && count == 64) {
                memmove(list, list + 1, 63 * sizeof list[0]);
                count--;
            }
            if (!known) {
                list[count++] = version;
            }
        }
        chirr_arena_finish(&arena);
    }
}

Test(tree, creation_fails_at_every_cut_and_takes_exactly_its_bytes)
{
    config = chirr_tree_config_default();
    size_t bytes = chirr_tree_bytes(&config);
    cr_assert_eq(chirr_arena_init(&arena, bytes), CHIRR_OK);
    for (arena.capacity = 0; arena.capacity < bytes; arena.capacity += CHIRR_ARENA_ALIGN) {
        arena.used = 0;
        cr_assert_null(chirr_tree_create(&arena, &config));
    }
    arena.used = 0;
    cr_assert_not_null(chirr_tree_create(&arena, &config));
    cr_assert_eq(arena.used, bytes);
}

Test(tree, a_bad_configuration_is_named)
{
    struct chirr_error error;
    config = chirr_tree_config_default();
    cr_assert_eq(chirr_tree_config_validate(&config, &error), CHIRR_OK);
    config.seen_max = 100;
    cr_assert_eq(chirr_tree_config_validate(&config, &error), CHIRR_ERR_RANGE);
    cr_assert_not_null(strstr(error.text, "seen_max"));
    config = chirr_tree_config_default();
    config.missing_max = 0;
    cr_assert_eq(chirr_tree_config_validate(&config, &error), CHIRR_ERR_RANGE);
    config = chirr_tree_config_default();
    config.prune_after = 0;
    cr_assert_eq(chirr_tree_config_validate(&config, &error), CHIRR_ERR_RANGE);
}
