/* A 4-ary heap of events by value: the four children of a node share two cache lines or three, and
 * the heap is half as deep as a binary one. */
#include "sim/engine.h"

#define HEAP_ARITY 4

struct chirr_sim_engine {
    chirr_time_us now;
    uint32_t agents_max;
    uint32_t capacity;
    uint32_t count;
    struct chirr_sim_event *heap; /* [capacity] */
    uint64_t *sequences;          /* [agents_max + 1]; the last one is the world's */
    struct chirr_sim_engine_counters counters;
};

size_t chirr_sim_engine_bytes(const struct chirr_sim_engine_config *config)
{
    return chirr_arena_round(sizeof(struct chirr_sim_engine)) +
           chirr_arena_round(config->events_max * sizeof(struct chirr_sim_event)) +
           chirr_arena_round(((size_t)config->agents_max + 1) * sizeof(uint64_t));
}

struct chirr_sim_engine *chirr_sim_engine_create(struct chirr_arena *arena,
                                                 const struct chirr_sim_engine_config *config)
{
    struct chirr_sim_engine *engine = chirr_arena_take(arena, 1, sizeof *engine);
    if (engine == NULL) {
        return NULL;
    }
    engine->heap = chirr_arena_take(arena, config->events_max, sizeof *engine->heap);
    engine->sequences =
        chirr_arena_take(arena, (size_t)config->agents_max + 1, sizeof *engine->sequences);
    if (engine->heap == NULL || engine->sequences == NULL) {
        return NULL;
    }
    engine->agents_max = config->agents_max;
    engine->capacity = config->events_max;
    return engine;
}

/* The canonical order; no two events are equal in it. */
static bool is_before(const struct chirr_sim_event *a, const struct chirr_sim_event *b)
{
    if (a->at != b->at) {
        return a->at < b->at;
    }
    if (a->to != b->to) {
        return a->to < b->to;
    }
    if (a->from != b->from) {
        return a->from < b->from;
    }
    return a->sequence < b->sequence;
}

static void sift_up(struct chirr_sim_event *heap, uint32_t hole,
                    const struct chirr_sim_event *event)
{
    while (hole > 0) {
        uint32_t parent = (hole - 1) / HEAP_ARITY;
        if (!is_before(event, &heap[parent])) {
            break;
        }
        heap[hole] = heap[parent];
        hole = parent;
    }
    heap[hole] = *event;
}

/* Of the heap's `count` events; the one to place is not among them. */
static void sift_down(struct chirr_sim_event *heap, uint32_t count,
                      const struct chirr_sim_event *event)
{
    uint32_t hole = 0;
    for (;;) {
        uint32_t first = hole * HEAP_ARITY + 1;
        if (first >= count) {
            break;
        }
        uint32_t end = first + HEAP_ARITY < count ? first + HEAP_ARITY : count;
        uint32_t least = first;
        for (uint32_t child = first + 1; child < end; child++) {
            least = is_before(&heap[child], &heap[least]) ? child : least;
        }
        if (!is_before(&heap[least], event)) {
            break;
        }
        heap[hole] = heap[least];
        hole = least;
    }
    heap[hole] = *event;
}

enum chirr_err chirr_sim_engine_push(struct chirr_sim_engine *engine,
                                     const struct chirr_sim_event *event)
{
    CHIRR_ASSERT(event->to < engine->agents_max || event->to == CHIRR_SIM_WORLD);
    CHIRR_ASSERT(event->from < engine->agents_max || event->from == CHIRR_SIM_WORLD);
    if (engine->count == engine->capacity) {
        engine->counters.refused++;
        return CHIRR_ERR_FULL;
    }
    struct chirr_sim_event placed = *event;
    uint32_t source = event->from == CHIRR_SIM_WORLD ? engine->agents_max : event->from;
    placed.sequence = engine->sequences[source]++;
    placed.at = event->at < engine->now ? engine->now : event->at;
    sift_up(engine->heap, engine->count++, &placed);
    engine->counters.pushed++;
    if (engine->count > engine->counters.waiting_max) {
        engine->counters.waiting_max = engine->count;
    }
    return CHIRR_OK;
}

bool chirr_sim_engine_pop(struct chirr_sim_engine *engine, chirr_time_us until,
                          struct chirr_sim_event *event)
{
    if (engine->count == 0 || engine->heap[0].at > until) {
        engine->now = until > engine->now ? until : engine->now;
        return false;
    }
    *event = engine->heap[0];
    engine->now = event->at;
    engine->count--;
    engine->counters.popped++;
    if (engine->count > 0) {
        struct chirr_sim_event last = engine->heap[engine->count];
        sift_down(engine->heap, engine->count, &last);
    }
    return true;
}

chirr_time_us chirr_sim_engine_now(const struct chirr_sim_engine *engine)
{
    return engine->now;
}

uint32_t chirr_sim_engine_waiting(const struct chirr_sim_engine *engine)
{
    return engine->count;
}

const struct chirr_sim_engine_counters *
chirr_sim_engine_count(const struct chirr_sim_engine *engine)
{
    return &engine->counters;
}
