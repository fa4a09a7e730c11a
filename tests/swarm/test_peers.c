#include "swarm/peers.h"

#include <criterion/criterion.h>

static struct chirr_arena arena;
static struct chirr_peers peers;

static void setup(void)
{
    cr_assert_eq(chirr_arena_init(&arena, chirr_peers_bytes(4)), CHIRR_OK);
    cr_assert_eq(chirr_peers_init(&peers, &arena, 4), CHIRR_OK);
    for (chirr_agent_id agent = 40; agent > 0; agent -= 10) {
        cr_assert_not_null(chirr_peers_add(&peers, agent));
    }
}

static void teardown(void)
{
    chirr_arena_finish(&arena);
}

TestSuite(peers, .init = setup, .fini = teardown);

static void set(chirr_agent_id agent, enum chirr_member_status status, bool removed)
{
    chirr_peers_set(&peers, chirr_peers_find(&peers, agent), status, removed);
}

Test(peers, the_next_on_the_circle_are_live_and_never_the_agent_itself)
{
    cr_assert_eq(chirr_peers_after(&peers, 25), 30);
    cr_assert_eq(chirr_peers_before(&peers, 25), 20);
    cr_assert_eq(chirr_peers_after(&peers, 40), 10);
    cr_assert_eq(chirr_peers_before(&peers, 10), 40);
    cr_assert_eq(chirr_peers_after(&peers, 45), 10);
    cr_assert_eq(chirr_peers_before(&peers, 5), 40);
    set(30, CHIRR_MEMBER_DEAD, false);
    set(40, CHIRR_MEMBER_ALIVE, true);
    set(20, CHIRR_MEMBER_SUSPECT, false);
    cr_assert_eq(chirr_peers_after(&peers, 25), 10);
    cr_assert_eq(chirr_peers_before(&peers, 5), 20);
    set(20, CHIRR_MEMBER_LEFT, false);
    cr_assert_eq(chirr_peers_after(&peers, 10), 0);
    cr_assert_eq(chirr_peers_before(&peers, 10), 0);
}

Test(peers, the_live_are_counted_through_every_change)
{
    cr_assert_eq(peers.live_count, 4);
    set(10, CHIRR_MEMBER_DEAD, false);
    set(10, CHIRR_MEMBER_LEFT, false);
    set(20, CHIRR_MEMBER_SUSPECT, false);
    set(30, CHIRR_MEMBER_ALIVE, true);
    cr_assert_eq(peers.live_count, 2);
    cr_assert_null(chirr_peers_add(&peers, 50));
    cr_assert_eq(chirr_peers_gone(&peers), 10);
    chirr_peers_drop(&peers, 10);
    chirr_peers_drop(&peers, 20);
    cr_assert_eq(peers.live_count, 1);
    cr_assert_eq(chirr_peers_gone(&peers), 30);
    cr_assert_not_null(chirr_peers_add(&peers, 50));
    cr_assert_eq(peers.live_count, 2);
}
