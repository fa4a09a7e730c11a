/* Neighbours in turn. */
#include "swarm/watch.h"

#include <string.h>

static bool holds(const chirr_agent_id *agents, uint32_t count, chirr_agent_id agent)
{
    for (uint32_t i = 0; i < count; i++) {
        if (agents[i] == agent) {
            return true;
        }
    }
    return false;
}

static void enter(struct chirr_watch *watch, struct chirr_random *random, chirr_agent_id agent)
{
    uint32_t place = (uint32_t)chirr_random_below(random, watch->count + 1);
    memmove(&watch->agents[place + 1], &watch->agents[place],
            (watch->count - place) * sizeof *watch->agents);
    watch->agents[place] = agent;
    watch->count++;
}

static void remove_at(struct chirr_watch *watch, uint32_t place)
{
    watch->count--;
    memmove(&watch->agents[place], &watch->agents[place + 1],
            (watch->count - place) * sizeof *watch->agents);
}

void chirr_watch_replace(struct chirr_watch *watch, struct chirr_random *random,
                         const chirr_agent_id *agents, uint32_t count)
{
    CHIRR_ASSERT(count <= CHIRR_WATCHED_MAX);
    for (uint32_t place = watch->count; place-- > 0;) {
        if (!holds(agents, count, watch->agents[place])) {
            remove_at(watch, place);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!holds(watch->agents, watch->count, agents[i])) {
            enter(watch, random, agents[i]);
        }
    }
}

void chirr_watch_forget(struct chirr_watch *watch, chirr_agent_id agent)
{
    for (uint32_t place = watch->count; place-- > 0;) {
        if (watch->agents[place] == agent) {
            remove_at(watch, place);
        }
    }
}

chirr_agent_id chirr_watch_next(struct chirr_watch *watch)
{
    if (watch->count == 0) {
        return 0;
    }
    chirr_agent_id next = watch->agents[0];
    remove_at(watch, 0);
    watch->agents[watch->count++] = next;
    return next;
}
