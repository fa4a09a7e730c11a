/* One simulated agent: what the process round node and learner would do.
 *
 * Inside the simulator; the world calls, and hands itself along. */
#ifndef CHIRR_SIM_PEER_H
#define CHIRR_SIM_PEER_H

#include "sim/world.h"

size_t chirr_sim_peer_bytes(const struct chirr_sim_world *world);
/* Identity, device and memory; down. */
CHIRR_NODISCARD enum chirr_err chirr_sim_peer_init(struct chirr_sim_world *world,
                                                   struct chirr_sim_peer *peer);
void chirr_sim_peer_finish(struct chirr_sim_peer *peer);

/* To be settled next, as after every input. */
void chirr_sim_peer_boot(struct chirr_sim_world *world, struct chirr_sim_peer *peer);
void chirr_sim_peer_crash(struct chirr_sim_world *world, struct chirr_sim_peer *peer,
                          enum chirr_sim_disk_fate disk);

/* What happens to a peer that is up. */
void chirr_sim_peer_deliver(struct chirr_sim_world *world, struct chirr_sim_peer *peer,
                            uint32_t from, const struct chirr_message *message);
/* Stands still until then; RESUME is the caller's to plan. */
void chirr_sim_peer_pause(struct chirr_sim_world *world, struct chirr_sim_peer *peer,
                          chirr_time_us until);
/* Keeps what comes in meanwhile; false: too much of it. */
bool chirr_sim_peer_hold(struct chirr_sim_peer *peer, uint32_t from,
                         struct chirr_sim_parcel *parcel);
/* Settles, then takes in what was held. */
void chirr_sim_peer_resume(struct chirr_sim_world *world, struct chirr_sim_peer *peer);
void chirr_sim_peer_sense(struct chirr_sim_world *world, struct chirr_sim_peer *peer);
void chirr_sim_peer_run_end(struct chirr_sim_world *world, struct chirr_sim_peer *peer,
                            uint32_t number);
void chirr_sim_peer_submit(struct chirr_sim_world *world, struct chirr_sim_peer *peer,
                           uint32_t task);
/* CHIRR_ERR_NOTFOUND and so on, as of the node. */
CHIRR_NODISCARD enum chirr_err chirr_sim_peer_cancel(struct chirr_sim_world *world,
                                                     struct chirr_sim_peer *peer, uint32_t task);

/* Ticks the node when it is due, carries out all it wants, and sets the next wake. After every
 * input. */
void chirr_sim_peer_settle(struct chirr_sim_world *world, struct chirr_sim_peer *peer);

/* Carries out one output of the node. */
void chirr_sim_peer_carry_out(struct chirr_sim_world *world, struct chirr_sim_peer *peer,
                              const struct chirr_output *output);

/* The time as the peer's own clock shows it. */
chirr_time_us chirr_sim_peer_clock(const struct chirr_sim_world *world,
                                   const struct chirr_sim_peer *peer);

/* Puts an event from `peer` into the engine; a full queue is a violation. */
void chirr_sim_peer_expect(struct chirr_sim_world *world, const struct chirr_sim_peer *peer,
                           const struct chirr_sim_event *event);

#endif
