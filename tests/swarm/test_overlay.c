#include "swarm/overlay.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/sample.h"

static struct chirr_arena arena;
static struct chirr_overlay *overlay;
static const struct chirr_overlay_config config = {.self = 1, .neighbours_max = 3};

static void setup(void)
{
    cr_assert_eq(chirr_arena_init(&arena, chirr_overlay_bytes(&config)), CHIRR_OK);
    overlay = chirr_overlay_create(&arena, &config);
    cr_assert_not_null(overlay);
}

static void teardown(void)
{
    chirr_arena_finish(&arena);
}

TestSuite(overlay, .init = setup, .fini = teardown);

static struct chirr_card card_of(uint32_t index)
{
    return sample_card(index).card;
}

static enum chirr_err add(chirr_agent_id agent, uint32_t index)
{
    struct chirr_card card = card_of(index);
    return chirr_overlay_card(overlay, agent, &card);
}

static void assert_connect(chirr_agent_id to, uint32_t index)
{
    struct chirr_output output;
    struct chirr_card card = card_of(index);
    cr_assert(chirr_overlay_poll(overlay, &output));
    cr_assert_eq(output.kind, CHIRR_OUTPUT_CONNECT);
    cr_assert_eq(output.to, to);
    cr_assert_str_eq(output.card->unicast_endpoint, card.unicast_endpoint);
}

static void assert_disconnect(chirr_agent_id to)
{
    struct chirr_output output;
    cr_assert(chirr_overlay_poll(overlay, &output));
    cr_assert_eq(output.kind, CHIRR_OUTPUT_DISCONNECT);
    cr_assert_eq(output.to, to);
}

static void assert_idle(void)
{
    struct chirr_output output;
    cr_assert_not(chirr_overlay_poll(overlay, &output));
}

Test(overlay, connects_to_everybody_whose_card_comes_once)
{
    cr_assert_eq(add(7, 0), CHIRR_OK);
    cr_assert_eq(add(5, 1), CHIRR_OK);
    cr_assert_eq(add(7, 0), CHIRR_OK);
    assert_connect(5, 1);
    assert_connect(7, 0);
    assert_idle();
    cr_assert_eq(add(7, 0), CHIRR_OK);
    assert_idle();
    cr_assert_eq(chirr_overlay_neighbour_count(overlay), 2);
    cr_assert(chirr_overlay_is_neighbour(overlay, 5));
    cr_assert_not(chirr_overlay_is_neighbour(overlay, 6));
}

Test(overlay, never_connects_to_itself)
{
    cr_assert_eq(add(config.self, 0), CHIRR_OK);
    assert_idle();
    cr_assert_eq(chirr_overlay_neighbour_count(overlay), 0);
}

Test(overlay, stays_connected_to_the_suspected_and_the_dead)
{
    cr_assert_eq(add(7, 0), CHIRR_OK);
    assert_connect(7, 0);
    chirr_overlay_status(overlay, 7, CHIRR_MEMBER_SUSPECT);
    chirr_overlay_status(overlay, 7, CHIRR_MEMBER_DEAD);
    assert_idle();
    cr_assert(chirr_overlay_is_neighbour(overlay, 7));
}

Test(overlay, disconnects_from_who_left_and_connects_when_it_returns)
{
    cr_assert_eq(add(7, 0), CHIRR_OK);
    assert_connect(7, 0);
    chirr_overlay_status(overlay, 7, CHIRR_MEMBER_LEFT);
    cr_assert_eq(chirr_overlay_neighbour_count(overlay), 0);
    assert_disconnect(7);
    assert_idle();
    chirr_overlay_status(overlay, 7, CHIRR_MEMBER_ALIVE);
    assert_connect(7, 0);
    assert_idle();
}

Test(overlay, leaving_before_the_connection_was_made_makes_none)
{
    cr_assert_eq(add(7, 0), CHIRR_OK);
    chirr_overlay_status(overlay, 7, CHIRR_MEMBER_LEFT);
    assert_idle();
    chirr_overlay_status(overlay, 8, CHIRR_MEMBER_ALIVE);
    assert_idle();
}

Test(overlay, a_card_with_new_endpoints_moves_the_connection)
{
    cr_assert_eq(add(7, 0), CHIRR_OK);
    assert_connect(7, 0);
    cr_assert_eq(add(7, 1), CHIRR_OK);
    assert_disconnect(7);
    assert_connect(7, 1);
    assert_idle();
}

Test(overlay, endpoints_that_change_before_the_connection_are_just_used)
{
    cr_assert_eq(add(7, 0), CHIRR_OK);
    cr_assert_eq(add(7, 1), CHIRR_OK);
    assert_connect(7, 1);
    assert_idle();
}

Test(overlay, moving_and_leaving_at_once_disconnects_once)
{
    cr_assert_eq(add(7, 0), CHIRR_OK);
    assert_connect(7, 0);
    cr_assert_eq(add(7, 1), CHIRR_OK);
    chirr_overlay_status(overlay, 7, CHIRR_MEMBER_LEFT);
    assert_disconnect(7);
    assert_idle();
}

Test(overlay, a_full_table_refuses_until_somebody_left)
{
    for (chirr_agent_id agent = 10; agent < 13; agent++) {
        cr_assert_eq(add(agent, (uint32_t)agent), CHIRR_OK);
        assert_connect(agent, (uint32_t)agent);
    }
    cr_assert_eq(add(9, 9), CHIRR_ERR_FULL);
    cr_assert_eq(chirr_overlay_refused_count(overlay), 1);
    chirr_overlay_status(overlay, 11, CHIRR_MEMBER_LEFT);
    cr_assert_eq(add(9, 9), CHIRR_ERR_FULL); /* its connection is still to be closed */
    assert_disconnect(11);
    cr_assert_eq(add(9, 9), CHIRR_OK);
    assert_connect(9, 9);
    assert_idle();
    cr_assert_eq(chirr_overlay_neighbour_count(overlay), 3);
}

Test(overlay, creation_fails_at_every_cut_and_takes_exactly_its_bytes)
{
    size_t bytes = chirr_overlay_bytes(&config);
    struct chirr_arena cut = arena;
    for (cut.capacity = 0; cut.capacity < bytes; cut.capacity += CHIRR_ARENA_ALIGN) {
        cut.used = 0;
        cr_assert_null(chirr_overlay_create(&cut, &config));
    }
    cr_assert_eq(arena.used, bytes);
}
