/* The virtual clock: what happens, to whom, when, in one canonical order.
 *
 * A bounded queue of events, ordered by (time, destination, source, sequence). Sequences count the
 * events of one source, so the order of two events never depends on which of two agents was
 * processed first: a run replays bit for bit. Time moves only here, by `pop`.
 * Not thread-safe; memory from one arena at creation. */
#ifndef CHIRR_SIM_ENGINE_H
#define CHIRR_SIM_ENGINE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/time.h"

/* Destination and source of what happens to the world rather than to an agent: at equal times after
 * all agents, so that an observer sees a moment when it is over. */
#define CHIRR_SIM_WORLD UINT32_MAX

struct chirr_sim_event {
    chirr_time_us at;
    uint32_t to;       /* index of an agent, or CHIRR_SIM_WORLD */
    uint32_t from;     /* likewise */
    uint64_t sequence; /* filled in by push */
    uint32_t kind;     /* opaque here, as what follows */
    uint32_t number;
    void *body;
};

struct chirr_sim_engine_config {
    uint32_t agents_max;
    uint32_t events_max; /* waiting at once */
};

struct chirr_sim_engine_counters {
    uint64_t pushed, popped;
    uint64_t refused;     /* the queue was full */
    uint32_t waiting_max; /* high-water mark */
};

struct chirr_sim_engine;

size_t chirr_sim_engine_bytes(const struct chirr_sim_engine_config *config);
/* NULL when the arena is too small. */
struct chirr_sim_engine *chirr_sim_engine_create(struct chirr_arena *arena,
                                                 const struct chirr_sim_engine_config *config);

/* Copies the event in; what should happen in the past happens now. CHIRR_ERR_FULL, counted. */
CHIRR_NODISCARD enum chirr_err chirr_sim_engine_push(struct chirr_sim_engine *engine,
                                                     const struct chirr_sim_event *event);

/* Takes the next event no later than `until` and moves the clock to it. When there is none, moves
 * the clock to `until` and returns false. */
bool chirr_sim_engine_pop(struct chirr_sim_engine *engine, chirr_time_us until,
                          struct chirr_sim_event *event);

chirr_time_us chirr_sim_engine_now(const struct chirr_sim_engine *engine);
uint32_t chirr_sim_engine_waiting(const struct chirr_sim_engine *engine);
const struct chirr_sim_engine_counters *
chirr_sim_engine_count(const struct chirr_sim_engine *engine);

#endif
