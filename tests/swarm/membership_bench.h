/* One membership under the hands of a test: it is sample_agent(0). */
#ifndef CHIRR_TESTS_SWARM_MEMBERSHIP_BENCH_H
#define CHIRR_TESTS_SWARM_MEMBERSHIP_BENCH_H

#include "swarm/membership.h"

#define BENCH_INCARNATION 5 /* of all whom it knows from the start */

/* The usual one, with news that go out at once. */
struct chirr_membership_config bench_config(uint32_t members_max);
/* Knows agents 1…member_count. The arena is the caller's to finish. */
struct chirr_membership *bench_create(struct chirr_arena *arena,
                                      const struct chirr_membership_config *config,
                                      uint32_t member_count);

/* GOSSIP of one update, said by the agent at `from`. */
enum chirr_err bench_hear(struct chirr_membership *one, uint32_t from,
                          const struct chirr_member_update *update, chirr_time_us now);
/* The same of the agent at `about`; it is `from` who accuses. */
enum chirr_err bench_hear_of(struct chirr_membership *one, uint32_t from, uint32_t about,
                             uint64_t incarnation, enum chirr_member_status status);
/* PING, ACK, NACK or PING_REQUEST without news. */
void bench_probe(struct chirr_membership *one, chirr_agent_id from, enum chirr_message_kind kind,
                 const struct chirr_probe *probe, chirr_time_us now);

/* The next message of this kind (0: any) that goes out, to `to` (0: anybody); NULL. `receiver` may
 * be NULL. */
const struct chirr_message *bench_next(struct chirr_membership *one, enum chirr_message_kind kind,
                                       chirr_agent_id to, chirr_agent_id *receiver);
void bench_drain(struct chirr_membership *one);
/* Ticks when it is due, and drains. */
void bench_run_until(struct chirr_membership *one, chirr_time_us until);
/* Lets the next probe begin, at its deadline, which `now` becomes. */
const struct chirr_message *bench_next_ping(struct chirr_membership *one, chirr_time_us *now);

bool bench_tells(const struct chirr_member_updates *news, uint32_t about, uint64_t incarnation,
                 enum chirr_member_status status);
enum chirr_member_status bench_status(const struct chirr_membership *one, uint32_t index);

#endif
