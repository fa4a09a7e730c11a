#include "swarm/links.h"

#include <criterion/criterion.h>

#include "base/random.h"

static struct chirr_arena arena;
static struct chirr_links links;
static const struct chirr_links_config config = {.neighbours_max = 3, .unicast_max = 4};

static void setup(void)
{
    cr_assert_eq(chirr_arena_init(&arena, chirr_links_bytes(&config)), CHIRR_OK);
    cr_assert_eq(chirr_links_init(&links, &arena, &config), CHIRR_OK);
}

static void teardown(void)
{
    chirr_arena_finish(&arena);
}

TestSuite(links, .init = setup, .fini = teardown);

static void want(chirr_agent_id agent, enum chirr_link kind, chirr_time_us now)
{
    cr_assert_eq(chirr_links_want(&links, agent, kind, agent, now), CHIRR_OK);
}

static void expect_open(chirr_agent_id agent, enum chirr_link kind)
{
    chirr_agent_id opened;
    enum chirr_link as;
    cr_assert(chirr_links_open(&links, &opened, &as));
    cr_assert_eq(opened, agent);
    cr_assert_eq(as, kind);
}

static void expect_close(chirr_agent_id agent)
{
    chirr_agent_id closed;
    cr_assert(chirr_links_close(&links, &closed));
    cr_assert_eq(closed, agent);
}

static void expect_rest(void)
{
    chirr_agent_id agent;
    enum chirr_link kind;
    cr_assert_not(chirr_links_open(&links, &agent, &kind));
    cr_assert_not(chirr_links_close(&links, &agent));
}

Test(links, a_link_is_opened_once_and_changes_its_kind_up_and_down)
{
    want(7, CHIRR_LINK_UNICAST, 1);
    want(7, CHIRR_LINK_UNICAST, 2);
    expect_open(7, CHIRR_LINK_UNICAST);
    want(7, CHIRR_LINK_NEIGHBOUR, 3);
    expect_open(7, CHIRR_LINK_NEIGHBOUR);
    want(7, CHIRR_LINK_UNICAST, 4); /* it can be sent to as it is */
    expect_rest();
    chirr_links_demote(&links, 7, 5);
    expect_open(7, CHIRR_LINK_UNICAST);
    expect_rest();
}

Test(links, a_link_that_was_never_opened_is_not_closed)
{
    want(7, CHIRR_LINK_UNICAST, 1);
    chirr_links_drop(&links, 7);
    expect_rest();
    cr_assert_null(chirr_links_find(&links, 7));
}

Test(links, one_wanted_again_before_it_was_closed_stays)
{
    want(7, CHIRR_LINK_UNICAST, 1);
    expect_open(7, CHIRR_LINK_UNICAST);
    chirr_links_drop(&links, 7);
    want(7, CHIRR_LINK_UNICAST, 2);
    expect_rest();
}

Test(links, one_that_moved_is_closed_before_it_is_opened)
{
    want(7, CHIRR_LINK_NEIGHBOUR, 1);
    expect_open(7, CHIRR_LINK_NEIGHBOUR);
    chirr_links_move(&links, 7, 70);
    chirr_agent_id agent;
    enum chirr_link kind;
    cr_assert_not(chirr_links_open(&links, &agent, &kind));
    cr_assert(chirr_links_close_moved(&links, &agent));
    cr_assert_eq(agent, 7);
    expect_open(7, CHIRR_LINK_NEIGHBOUR);
    expect_rest();
}

Test(links, only_unicast_links_idle_away)
{
    want(5, CHIRR_LINK_NEIGHBOUR, 1);
    want(6, CHIRR_LINK_UNICAST, 2);
    want(7, CHIRR_LINK_UNICAST, 3);
    expect_open(5, CHIRR_LINK_NEIGHBOUR);
    expect_open(6, CHIRR_LINK_UNICAST);
    expect_open(7, CHIRR_LINK_UNICAST);
    cr_assert_eq(chirr_links_expire(&links, 3), 3);
    expect_close(6);
    chirr_links_use(&links, 7, 9);
    cr_assert_eq(chirr_links_expire(&links, 9), 9);
    expect_rest();
}

Test(links, whatever_happens_the_counts_are_those_of_the_table)
{
    struct chirr_random random;
    chirr_random_init(&random, 11, 0);
    for (chirr_time_us now = 1; now < 100000; now++) {
        chirr_agent_id agent = 1 + chirr_random_below(&random, 12);
        enum chirr_link kind;
        switch (chirr_random_below(&random, 8)) {
        case 0:
        case 1:
            want(agent, CHIRR_LINK_UNICAST, now);
            break;
        case 2:
            want(agent, CHIRR_LINK_NEIGHBOUR, now);
            break;
        case 3:
            chirr_links_demote(&links, agent, now);
            break;
        case 4:
            chirr_links_drop(&links, agent);
            break;
        case 5:
            chirr_links_move(&links, agent, chirr_random_below(&random, 3));
            break;
        case 6:
            (void)chirr_links_open(&links, &agent, &kind);
            break;
        default:
            (void)chirr_links_close(&links, &agent);
        }
        uint32_t unicast_count = 0;
        for (uint32_t i = 0; i < links.count; i++) {
            unicast_count += links.slots[i].wanted == CHIRR_LINK_UNICAST;
            cr_assert(i == 0 || links.slots[i - 1].agent < links.slots[i].agent);
        }
        cr_assert_eq(links.unicast_count, unicast_count);
        cr_assert_leq(unicast_count, config.unicast_max);
    }
    chirr_agent_id agent;
    enum chirr_link kind;
    while (chirr_links_close_moved(&links, &agent) || chirr_links_open(&links, &agent, &kind) ||
           chirr_links_close(&links, &agent)) {
    }
    cr_assert_eq(links.open_count, 0);
    cr_assert_eq(links.close_count, 0);
    for (uint32_t i = 0; i < links.count; i++) {
        cr_assert_eq(links.slots[i].wanted, links.slots[i].standing);
    }
}

Test(links, too_many_that_are_not_closed_yet_are_refused)
{
    uint32_t wanted = 0;
    enum chirr_err err = CHIRR_OK;
    chirr_agent_id agent;
    enum chirr_link kind;
    while (err == CHIRR_OK) {
        err = chirr_links_want(&links, 100 + wanted, CHIRR_LINK_UNICAST, 0, wanted);
        wanted++;
        (void)chirr_links_open(&links, &agent, &kind);
    }
    cr_assert_eq(err, CHIRR_ERR_FULL);
    cr_assert_eq(wanted, links.capacity + 1);
    expect_close(100);
    want(99, CHIRR_LINK_UNICAST, wanted);
}
