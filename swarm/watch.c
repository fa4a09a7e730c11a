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

static void swap(chirr_agent_id *a, chirr_agent_id *b)
{
    chirr_agent_id swapped = *a;
    *a = *b;
    *b = swapped;
}

static void enter(struct chirr_watch *watch, struct chirr_random *random, chirr_agent_id agent)
{
    uint32_t last = watch->count++;
    uint32_t place = watch->at + (uint32_t)chirr_random_below(random, last - watch->at + 1);
    watch->agents[last] = agent;
    swap(&watch->agents[last], &watch->agents[place]);
}

static void remove_at(struct chirr_watch *watch, uint32_t place)
{
    watch->count--;
    watch->at -= place < watch->at;
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

chirr_agent_id chirr_watch_next(struct chirr_watch *watch, struct chirr_random *random)
{
    if (watch->count == 0) {
        return 0;
    }
    if (watch->at >= watch->count) {
        for (uint32_t i = watch->count; i > 1; i--) {
            swap(&watch->agents[i - 1], &watch->agents[chirr_random_below(random, i)]);
        }
        watch->at = 0;
    }
    return watch->agents[watch->at++];
}
