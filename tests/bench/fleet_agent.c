/* One agent of a fleet: what `chirr agent` does, and a look at what it sees after every turn. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/clock.h"
#include "agent/footprint.h"
#include "proto/codec.h"
#include "tests/bench/fleet_page.h"

#define TURN_MS_MAX 1000

static bool is_dead(const struct chirr_membership *membership, chirr_agent_id agent)
{
    const struct chirr_member *member = chirr_membership_find(membership, agent);
    return member != NULL && member->status == CHIRR_MEMBER_DEAD;
}

/* The look: whatever is new bears this time. After every turn of every agent, on the CPU that they
 * are measured on: so it does not go through the members. */
static void look_at_members(const struct chirr_bench_post *post, const struct chirr_node *node,
                            chirr_time_us now)
{
    const struct chirr_membership *membership = chirr_node_membership(node);
    struct chirr_bench_page *page = post->page;
    uint32_t suspected = chirr_membership_status_count(membership, CHIRR_MEMBER_SUSPECT);
    /* The suspected, too: they are members until the suspicion ends. */
    uint32_t alive = chirr_membership_status_count(membership, CHIRR_MEMBER_ALIVE) + suspected;
    atomic_store(&page->alive, alive);
    atomic_store(&page->suspected, suspected);
    bool complete = alive + 1 == atomic_load(&post->head->live_count);
    if (complete != (atomic_load(&page->complete_us) != 0)) {
        atomic_store(&page->complete_us, complete ? now : 0);
    }
    bool certain = complete && suspected == 0;
    if (certain != (atomic_load(&page->certain_us) != 0)) {
        atomic_store(&page->certain_us, certain ? now : 0);
    }
    chirr_agent_id victim = atomic_load(&post->head->victim);
    if (atomic_load(&page->dead) != victim && is_dead(membership, victim)) {
        atomic_store(&page->dead_us, now);
        atomic_store(&page->dead, victim);
    }
}

static void look_at_tasks(const struct chirr_bench_post *post, const struct chirr_node *node,
                          chirr_time_us now)
{
    struct chirr_bench_page *page = post->page;
    uint32_t count = chirr_records_task_count(chirr_node_records(node));
    for (uint32_t i = atomic_load(&page->task_count); i < count && i < CHIRR_BENCH_FLEET_TASKS_MAX;
         i++) {
        atomic_store(&page->task_us[i], now);
        atomic_store(&page->task_count, i + 1);
    }
}

/* Long enough that the record, signed and encoded, has the bytes wanted. Nobody provides what it
 * requires. */
static struct chirr_task_spec spec_of(const struct chirr_node *node, uint32_t record_bytes)
{
    struct chirr_record record;
    uint8_t encoded[CHIRR_CODEC_RECORD_BYTES_MAX];
    size_t bytes = 0;
    memset(&record, 0, sizeof record);
    record.kind = CHIRR_RECORD_TASK;
    record.author = chirr_node_id(node);
    record.stamp = (struct chirr_stamp){
        .incarnation = chirr_membership_incarnation(chirr_node_membership(node)), .version = 2};
    memset(record.signature, 1, sizeof record.signature);
    record.task.submitter = record.author;
    record.task.nonce = record.stamp.incarnation << 20 | 1;
    record.task.phase = CHIRR_TASK_OPEN;
    struct chirr_task_spec *spec = &record.task.spec;
    strcpy(spec->kind, "bench");
    spec->time_limit_ms = 60000;
    spec->requires.count = 1;
    strcpy(spec->requires.names[0], "nobody");
    spec->argument_count = 1;
    spec->command_bytes = 2;
    memset(spec->command, 'x', 1);
    record.task.id = chirr_task_id_of(record.task.submitter, record.task.nonce, spec);
    if (chirr_codec_encode_record(&record, encoded, sizeof encoded, &bytes) == CHIRR_OK &&
        bytes < record_bytes && record_bytes - bytes + 2 <= sizeof spec->command) {
        spec->command_bytes = (uint32_t)(record_bytes - bytes) + 2;
        memset(spec->command, 'x', spec->command_bytes - 1);
    }
    return *spec;
}

static enum chirr_err submit_wanted(const struct chirr_bench_post *post, struct chirr_agent *agent)
{
    struct chirr_bench_page *page = post->page;
    enum chirr_err err = CHIRR_OK;
    while (err == CHIRR_OK &&
           atomic_load(&page->submits_done) < atomic_load(&page->submits_wanted)) {
        chirr_task_id id;
        const struct chirr_task_spec spec =
            spec_of(chirr_agent_node(agent), atomic_load(&page->record_bytes));
        atomic_store(&page->submit_us, chirr_clock_now());
        err = chirr_agent_submit(agent, &spec, &id);
        atomic_fetch_add(&page->submits_done, 1);
    }
    return err;
}

static void ignore(int signal)
{
}

/* An interrupt from the keyboard reaches all processes; this one ends when it is told to. SIGUSR1
 * only wakes the loop. */
static void set_signals(void)
{
    struct sigaction wake = {.sa_handler = ignore};
    struct sigaction keep = {.sa_handler = SIG_IGN};
    struct sigaction plain = {.sa_handler = SIG_DFL};
    sigaction(SIGUSR1, &wake, NULL);
    sigaction(SIGINT, &keep, NULL);
    sigaction(SIGTERM, &plain, NULL);
}

static void await_start(int start_fd)
{
    char byte;
    while (read(start_fd, &byte, 1) < 0 && errno == EINTR) {
    }
    close(start_fd);
}

void chirr_bench_fleet_agent(const struct chirr_bench_post *post)
{
    struct chirr_bench_page *page = post->page;
    set_signals();
    await_start(post->start_fd);
    chirr_footprint_begin();
    struct chirr_footprint footprint = {.began_us = chirr_clock_now()};
    struct chirr_agent *agent = chirr_agent_create(post->config, NULL, &page->error);
    enum chirr_err err = agent == NULL ? page->error.code : CHIRR_OK;
    if (err == CHIRR_OK) {
        atomic_store(&page->bound_us, chirr_clock_now());
    }
    while (err == CHIRR_OK) {
        err = chirr_agent_turn(agent, TURN_MS_MAX, &page->error);
        chirr_time_us now = chirr_clock_now();
        chirr_footprint_tend(&footprint, now);
        look_at_members(post, chirr_agent_node(agent), now);
        look_at_tasks(post, chirr_agent_node(agent), now);
        if (err == CHIRR_OK && submit_wanted(post, agent) != CHIRR_OK) {
            err = chirr_error_set(&page->error, CHIRR_ERR_STATE, "its task was refused");
        }
    }
    _exit(1);
}
