#include "swarm/lease.h"

#include <criterion/criterion.h>

#include "base/random.h"

#define LEASE_US (3 * CHIRR_US_PER_S)

static const struct chirr_lease_config config = {.owners_max = 4, .lease_ms = 3000};
static struct chirr_arena arena;
static struct chirr_leases *leases;

static void setup(void)
{
    cr_assert_eq(chirr_arena_init(&arena, chirr_lease_bytes(&config)), CHIRR_OK);
    leases = chirr_lease_create(&arena, &config);
    cr_assert_not_null(leases);
}

static void teardown(void)
{
    chirr_arena_finish(&arena);
}

TestSuite(lease, .init = setup, .fini = teardown);

Test(lease, lasts_one_lease_from_the_last_heartbeat)
{
    cr_assert_eq(chirr_lease_renew(leases, 7, 2, 1, 100), CHIRR_OK);
    cr_assert_eq(chirr_lease_expiry(leases, 7, 2, 500), 100 + LEASE_US);
    cr_assert_eq(chirr_lease_renew(leases, 7, 2, 2, 900), CHIRR_OK);
    cr_assert_eq(chirr_lease_expiry(leases, 7, 2, 900), 900 + LEASE_US);
}

Test(lease, a_heartbeat_that_does_not_advance_is_stale_and_renews_nothing)
{
    cr_assert_eq(chirr_lease_renew(leases, 7, 2, 5, 100), CHIRR_OK);
    cr_assert_eq(chirr_lease_renew(leases, 7, 2, 5, 200), CHIRR_ERR_STALE);
    cr_assert_eq(chirr_lease_renew(leases, 7, 2, 4, 200), CHIRR_ERR_STALE);
    cr_assert_eq(chirr_lease_renew(leases, 7, 1, 99, 200), CHIRR_ERR_STALE);
    cr_assert_eq(chirr_lease_expiry(leases, 7, 2, 300), 100 + LEASE_US);
}

Test(lease, the_sequence_starts_anew_with_an_incarnation)
{
    cr_assert_eq(chirr_lease_renew(leases, 7, 2, 50, 100), CHIRR_OK);
    cr_assert_eq(chirr_lease_renew(leases, 7, 3, 0, 200), CHIRR_OK);
    cr_assert_eq(chirr_lease_expiry(leases, 7, 3, 300), 200 + LEASE_US);
}

Test(lease, an_owner_never_heard_gets_one_lease_from_the_first_question)
{
    cr_assert_eq(chirr_lease_expiry(leases, 7, 2, 100), 100 + LEASE_US);
    cr_assert_eq(chirr_lease_expiry(leases, 7, 2, 5000), 100 + LEASE_US);
    cr_assert_eq(chirr_lease_renew(leases, 7, 2, 0, 6000), CHIRR_OK,
                 "a first heartbeat advances, whatever its sequence");
    cr_assert_eq(chirr_lease_expiry(leases, 7, 2, 7000), 6000 + LEASE_US);
}

Test(lease, an_incarnation_not_heard_yet_gets_one_lease_from_the_first_question)
{
    cr_assert_eq(chirr_lease_renew(leases, 7, 2, 1, 100), CHIRR_OK);
    cr_assert_eq(chirr_lease_expiry(leases, 7, 3, 2000), 2000 + LEASE_US);
    cr_assert_eq(chirr_lease_renew(leases, 7, 2, 2, 2500), CHIRR_ERR_STALE,
                 "a late heartbeat of the old process renews nothing");
    cr_assert_eq(chirr_lease_expiry(leases, 7, 3, 2600), 2000 + LEASE_US);
}

Test(lease, a_greater_incarnation_heard_ends_the_old_one_at_once)
{
    cr_assert_eq(chirr_lease_renew(leases, 7, 2, 9, 100), CHIRR_OK);
    cr_assert_eq(chirr_lease_renew(leases, 7, 3, 1, 200), CHIRR_OK);
    cr_assert_leq(chirr_lease_expiry(leases, 7, 2, 250), 250);
    cr_assert_eq(chirr_lease_expiry(leases, 7, 3, 250), 200 + LEASE_US);
}

Test(lease, a_full_table_refuses_owners_while_none_has_expired)
{
    for (chirr_agent_id owner = 1; owner <= 4; owner++) {
        cr_assert_eq(chirr_lease_renew(leases, owner, 1, 1, 0), CHIRR_OK);
    }
    cr_assert_eq(chirr_lease_renew(leases, 5, 1, 1, LEASE_US - 1), CHIRR_ERR_FULL);
    cr_assert_eq(chirr_lease_expiry(leases, 5, 1, LEASE_US - 1), 2 * LEASE_US - 1);
    cr_assert_eq(chirr_lease_expiry(leases, 1, 1, LEASE_US - 1), LEASE_US);
}

Test(lease, the_lease_that_expired_longest_ago_makes_room)
{
    for (chirr_agent_id owner = 1; owner <= 4; owner++) {
        chirr_time_us heard = owner == 3 ? 0 : 10;
        cr_assert_eq(chirr_lease_renew(leases, owner, 1, 1, heard), CHIRR_OK);
    }
    chirr_time_us now = LEASE_US + 100;
    cr_assert_eq(chirr_lease_renew(leases, 5, 1, 1, now), CHIRR_OK);
    cr_assert_eq(chirr_lease_expiry(leases, 5, 1, now), now + LEASE_US);
    cr_assert_eq(chirr_lease_expiry(leases, 4, 1, now), 10 + LEASE_US);
    cr_assert_eq(chirr_lease_expiry(leases, 2, 1, now), 10 + LEASE_US);
    cr_assert_eq(chirr_lease_expiry(leases, 1, 1, now), 10 + LEASE_US);
    cr_assert_eq(chirr_lease_expiry(leases, 3, 1, now), now + LEASE_US, "forgotten, asked anew");
}

/* Random heartbeats of four owners against four plain variables each. */
Test(lease, agrees_with_a_plain_table_over_random_heartbeats)
{
    const uint64_t seed = 5;
    struct chirr_random random;
    chirr_random_init(&random, seed, 0);
    uint64_t incarnation[4] = {0};
    uint64_t sequence[4] = {0};
    chirr_time_us heard[4] = {0};
    for (chirr_time_us now = 1; now < 20000; now++) {
        uint32_t at = (uint32_t)chirr_random_below(&random, 4);
        uint64_t new_incarnation = incarnation[at] + chirr_random_below(&random, 50) / 48;
        uint64_t new_sequence = sequence[at] + chirr_random_below(&random, 3);
        bool advanced = new_incarnation > incarnation[at] || new_sequence > sequence[at];
        if (heard[at] == 0) {
            advanced = true;
        }
        /* Descending ids, so that the table has to sort. */
        enum chirr_err err =
            chirr_lease_renew(leases, 40 - at * 10, new_incarnation, new_sequence, now);
        cr_assert_eq(err, advanced ? CHIRR_OK : CHIRR_ERR_STALE, "seed %lu", seed);
        if (advanced) {
            incarnation[at] = new_incarnation;
            sequence[at] = new_sequence;
            heard[at] = now;
        }
        cr_assert_eq(chirr_lease_expiry(leases, 40 - at * 10, incarnation[at], now),
                     heard[at] + LEASE_US, "seed %lu", seed);
    }
}

Test(lease, create_fails_cleanly_in_every_smaller_arena)
{
    size_t bytes = chirr_lease_bytes(&config);
    for (size_t cut = 0; cut < bytes; cut += CHIRR_ARENA_ALIGN) {
        struct chirr_arena small = {.base = arena.base, .capacity = cut};
        cr_assert_null(chirr_lease_create(&small, &config), "%zu of %zu bytes", cut, bytes);
    }
}
