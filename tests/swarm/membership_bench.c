/* Handing things to one membership, and looking at what it puts out. */
#include "tests/swarm/membership_bench.h"

#include <criterion/criterion.h>

#include "tests/support/sample.h"

struct chirr_membership_config bench_config(uint32_t members_max)
{
    struct chirr_membership_config config = chirr_membership_config_default();
    config.self = sample_agent(0);
    config.members_max = members_max;
    config.gossip_delay_ms = 0;
    return config;
}

struct chirr_membership *bench_create(struct chirr_arena *arena,
                                      const struct chirr_membership_config *config,
                                      uint32_t member_count)
{
    cr_assert_eq(chirr_arena_init(arena, chirr_membership_bytes(config)), CHIRR_OK);
    struct chirr_membership *one = chirr_membership_create(arena, config, 0);
    cr_assert_not_null(one);
    for (uint32_t i = 1; i <= member_count; i++) {
        cr_assert_eq(chirr_membership_add(one, sample_agent(i), BENCH_INCARNATION, 0), CHIRR_OK);
    }
    return one;
}

enum chirr_err bench_hear(struct chirr_membership *one, uint32_t from,
                          const struct chirr_member_update *update, chirr_time_us now)
{
    const struct chirr_message message = {.kind = CHIRR_MESSAGE_GOSSIP,
                                          .gossip = {.count = 1, .updates = {*update}}};
    return chirr_membership_receive(one, sample_agent(from), &message, now);
}

enum chirr_err bench_hear_of(struct chirr_membership *one, uint32_t from, uint32_t about,
                             uint64_t incarnation, enum chirr_member_status status)
{
    const struct chirr_member_update update = {
        .agent = sample_agent(about),
        .incarnation = incarnation,
        .status = status,
        .accuser = status == CHIRR_MEMBER_SUSPECT ? sample_agent(from) : 0};
    return bench_hear(one, from, &update, 0);
}

void bench_probe(struct chirr_membership *one, chirr_agent_id from, enum chirr_message_kind kind,
                 const struct chirr_probe *probe, chirr_time_us now)
{
    const struct chirr_message message = {
        .kind = kind, .probe = {.sequence = probe->sequence, .target = probe->target}};
    cr_assert_eq(chirr_membership_receive(one, from, &message, now), CHIRR_OK);
}

const struct chirr_message *bench_next(struct chirr_membership *one, enum chirr_message_kind kind,
                                       chirr_agent_id to, chirr_agent_id *receiver)
{
    struct chirr_output output;
    while (chirr_membership_poll(one, &output)) {
        bool carries = output.kind == CHIRR_OUTPUT_SEND || output.kind == CHIRR_OUTPUT_PUBLISH;
        if (carries && (kind == 0 || output.message->kind == kind) &&
            (to == 0 || output.to == to)) {
            if (receiver != NULL) {
                *receiver = output.to;
            }
            return output.message;
        }
    }
    return NULL;
}

void bench_drain(struct chirr_membership *one)
{
    struct chirr_output output;
    while (chirr_membership_poll(one, &output)) {
    }
}

void bench_run_until(struct chirr_membership *one, chirr_time_us until)
{
    while (chirr_membership_deadline(one) <= until) {
        chirr_membership_tick(one, chirr_membership_deadline(one));
        bench_drain(one);
    }
}

const struct chirr_message *bench_next_ping(struct chirr_membership *one, chirr_time_us *now)
{
    *now = chirr_membership_deadline(one);
    chirr_membership_tick(one, *now);
    const struct chirr_message *ping = bench_next(one, CHIRR_MESSAGE_PING, 0, NULL);
    cr_assert_not_null(ping);
    return ping;
}

bool bench_tells(const struct chirr_member_updates *news, uint32_t about, uint64_t incarnation,
                 enum chirr_member_status status)
{
    for (uint32_t i = 0; i < news->count; i++) {
        const struct chirr_member_update *update = &news->updates[i];
        if (update->agent == sample_agent(about) && update->incarnation == incarnation &&
            update->status == status) {
            return true;
        }
    }
    return false;
}

enum chirr_member_status bench_status(const struct chirr_membership *one, uint32_t index)
{
    return chirr_membership_find(one, sample_agent(index))->status;
}
