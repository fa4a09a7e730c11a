/* The swarm of processes that `chirr bench swarm` measures, in small. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/fleet.h"
#include "tests/bench/isolation.h"

#define AGENTS 5
#define PATIENCE_MS 30000

Test(fleet, finds_together_hears_a_task_and_learns_of_a_crash, .timeout = 110)
{
    struct chirr_error error = {0};
    struct chirr_bench_fleet *fleet = NULL;
    cr_assert_eq(chirr_bench_fleet_gather(AGENTS, 0, &fleet, &error), CHIRR_OK, "%s", error.text);
    cr_expect_eq(chirr_bench_fleet_alive_max(fleet), AGENTS - 1);
    cr_expect_gt(chirr_bench_fleet_cpu_s(fleet), 0);

    chirr_bench_fleet_submit(fleet, 1, 256);
    cr_assert_eq(chirr_bench_fleet_wait(fleet, chirr_bench_fleet_received, PATIENCE_MS, &error),
                 CHIRR_OK, "%s", error.text);
    struct chirr_bench_moment received = chirr_bench_fleet_received(fleet);
    cr_expect_gt(received.last_us, chirr_bench_fleet_submitted(fleet));
    cr_expect_leq(received.half_us, received.last_us);

    chirr_time_us killed_us = chirr_bench_fleet_kill(fleet, 2);
    cr_assert_eq(chirr_bench_fleet_wait(fleet, chirr_bench_fleet_told, PATIENCE_MS, &error),
                 CHIRR_OK, "%s", error.text);
    cr_expect_gt(chirr_bench_fleet_told(fleet).last_us, killed_us);
    cr_expect_eq(chirr_bench_fleet_pid(fleet, 2), 0);

    chirr_bench_fleet_destroy(fleet);
    cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1, "a process is left");
    cr_expect_eq(errno, ECHILD);
}

Test(fleet, tells_which_agent_ended_by_itself, .timeout = 60)
{
    struct chirr_error error = {0};
    struct chirr_bench_fleet *fleet = chirr_bench_fleet_create(2, &error);
    cr_assert_not_null(fleet, "%s", error.text);
    kill(chirr_bench_fleet_pid(fleet, 1), SIGKILL);
    cr_expect_eq(chirr_bench_fleet_wait(fleet, chirr_bench_fleet_bound, PATIENCE_MS, &error),
                 CHIRR_ERR_STATE);
    cr_expect_not_null(strstr(error.text, "agent 1 ended"), "%s", error.text);
    chirr_bench_fleet_destroy(fleet);
}

Test(fleet, an_interrupt_ends_the_waiting, .timeout = 60)
{
    struct chirr_error error = {0};
    struct chirr_bench_fleet *fleet = chirr_bench_fleet_create(2, &error);
    cr_assert_not_null(fleet, "%s", error.text);
    raise(SIGINT);
    cr_expect_eq(chirr_bench_fleet_wait(fleet, chirr_bench_fleet_bound, PATIENCE_MS, &error),
                 CHIRR_ERR_CANCELLED);
    chirr_bench_fleet_destroy(fleet);
    cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1, "a process is left");
}

/* Without packets nobody is bound to be found; with them, all are. */
Test(isolation, a_loopback_that_is_down_carries_nothing, .timeout = 110)
{
    struct chirr_error error = {0};
    struct chirr_bench_fleet *fleet = NULL;
    if (chirr_bench_isolation_enter(&error) != CHIRR_OK) {
        cr_skip("%s", error.text);
    }
    cr_assert_eq(chirr_bench_fleet_gather(2, 0, &fleet, &error), CHIRR_OK, "%s", error.text);
    cr_assert_eq(chirr_bench_isolation_set(false, &error), CHIRR_OK, "%s", error.text);
    chirr_bench_fleet_submit(fleet, 0, 256);
    cr_expect_eq(chirr_bench_fleet_wait(fleet, chirr_bench_fleet_received, 1000, &error),
                 CHIRR_ERR_TIMEOUT);
    cr_assert_eq(chirr_bench_isolation_set(true, &error), CHIRR_OK, "%s", error.text);
    cr_expect_eq(chirr_bench_fleet_wait(fleet, chirr_bench_fleet_received, PATIENCE_MS, &error),
                 CHIRR_OK, "%s", error.text);
    chirr_bench_fleet_destroy(fleet);
}
