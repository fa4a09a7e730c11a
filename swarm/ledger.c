/* Origins in an unordered table (few, and looked up once a delta), their stamps beside it. */
#include "swarm/ledger.h"

#include <string.h>

#include "base/random.h"
#include "base/ring.h"

/* Deltas accepted and not polled yet; drivers poll after every input, so one is usual. */
#define APPLIES_MAX 8
#define PARTITIONS_MAX 64
#define STEP_PERMILLE_MAX 10000
/* How often in a `stale_after_ms` fading weights are recomputed. */
#define FADE_STEPS 16

struct origin {
    chirr_agent_id id;
    chirr_time_us heard_us; /* its last accepted delta */
    uint32_t g_permille;
    bool tell; /* g_permille has to go out */
    bool quarantined;
};

/* What came of one partition of an origin. */
struct heard {
    struct chirr_stamp newest; /* {0, 0}: nothing */
    uint64_t before;           /* bit i: version newest - 1 - i came, of the same incarnation */
};
_Static_assert(CHIRR_LEDGER_WINDOW == 64, "one bit of `before` for each version");

enum standing {
    STANDING_NEWER,
    STANDING_LATE,   /* in the window, and did not come yet */
    STANDING_REPEAT, /* in the window, and came */
    STANDING_STALE,  /* before the window */
};

struct apply {
    struct chirr_delta_message delta; /* payload points into the next field once handed out */
    uint8_t payload[CHIRR_DELTA_PAYLOAD_BYTES_MAX];
};

struct chirr_ledger {
    struct chirr_ledger_config config;
    struct chirr_random random;
    struct chirr_ledger_counters counters;
    uint32_t hosted_count;
    uint32_t count;
    struct origin *origins;      /* [origins_max] */
    struct heard *heard;         /* [origins_max][hosted_count] */
    struct chirr_ring applies;   /* of struct apply */
    struct chirr_ring forgotten; /* of chirr_agent_id: g = 0 has to go out */
    struct apply handed;         /* what the last APPLY borrows */
    chirr_agent_id weigh_next;   /* its origin, until that was weighed too; 0: none */
    chirr_time_us fade_us;       /* when a weight next changes by itself */
    uint32_t tokens;
    chirr_time_us token_us; /* when the last token came */
};

struct chirr_ledger_config chirr_ledger_config_default(void)
{
    return (struct chirr_ledger_config){
        .origins_max = 64,
        .token_interval_ms = 1000,
        .tokens_max = 8,
        .step_permille = 2000,
        .g_permille_max = 800,
        .stale_after_ms = 600000,
    };
}

enum chirr_err chirr_ledger_config_validate(const struct chirr_ledger_config *config,
                                            struct chirr_error *error)
{
    if (config->token_interval_ms == 0) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "token_interval_ms must be at least 1");
    }
    if (config->tokens_max == 0 || config->tokens_max > 1000000) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "tokens_max is %u, must be 1…1,000,000",
                               config->tokens_max);
    }
    if (config->step_permille > STEP_PERMILLE_MAX) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "step_permille is %u, must be 0…%d",
                               config->step_permille, STEP_PERMILLE_MAX);
    }
    if (config->g_permille_max > 1000) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "g_permille_max is %u, must be 0…1,000",
                               config->g_permille_max);
    }
    if (config->stale_after_ms == 0) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "stale_after_ms must be at least 1");
    }
    return CHIRR_OK;
}

uint32_t chirr_ledger_weight_permille(const struct chirr_ledger_config *config,
                                      uint32_t origin_count, chirr_time_us silence_us)
{
    CHIRR_ASSERT(origin_count > 0);
    uint64_t silence_ms = silence_us > 0 ? (uint64_t)(silence_us / CHIRR_US_PER_MS) : 0;
    uint64_t g = config->step_permille / origin_count;
    g = g < config->g_permille_max ? g : config->g_permille_max;
    bool fresh = silence_ms <= config->stale_after_ms;
    return (uint32_t)(fresh ? g : g * config->stale_after_ms / silence_ms);
}

static uint32_t hosted_count(const struct chirr_ledger_config *config)
{
    return (uint32_t)__builtin_popcountll(config->hosted);
}

/* A model may hold nothing of others at all; a ring holds at least one. */
static uint32_t forgotten_max(const struct chirr_ledger_config *config)
{
    return config->origins_max > 0 ? config->origins_max : 1;
}

size_t chirr_ledger_bytes(const struct chirr_ledger_config *config)
{
    return chirr_arena_round(sizeof(struct chirr_ledger)) +
           chirr_arena_round(config->origins_max * sizeof(struct origin)) +
           chirr_arena_round((size_t)config->origins_max * hosted_count(config) *
                             sizeof(struct heard)) +
           chirr_ring_bytes(APPLIES_MAX, sizeof(struct apply)) +
           chirr_ring_bytes(forgotten_max(config), sizeof(chirr_agent_id));
}

struct chirr_ledger *chirr_ledger_create(struct chirr_arena *arena,
                                         const struct chirr_ledger_config *config,
                                         chirr_time_us now)
{
    CHIRR_ASSERT(chirr_ledger_config_validate(config, NULL) == CHIRR_OK);
    struct chirr_ledger *ledger = chirr_arena_take(arena, 1, sizeof *ledger);
    if (ledger == NULL) {
        return NULL;
    }
    ledger->config = *config;
    ledger->hosted_count = hosted_count(config);
    ledger->origins = chirr_arena_take(arena, config->origins_max, sizeof *ledger->origins);
    ledger->heard = chirr_arena_take(arena, (size_t)config->origins_max * ledger->hosted_count,
                                     sizeof *ledger->heard);
    if (ledger->origins == NULL || ledger->heard == NULL ||
        chirr_ring_init(&ledger->applies, arena, APPLIES_MAX, sizeof(struct apply)) != CHIRR_OK ||
        chirr_ring_init(&ledger->forgotten, arena, forgotten_max(config), sizeof(chirr_agent_id)) !=
            CHIRR_OK) {
        return NULL;
    }
    ledger->fade_us = CHIRR_TIME_NEVER;
    chirr_random_init(&ledger->random, config->seed, config->self);
    /* The first token comes anywhere in the first interval: agents that start together do not
     * publish in step. */
    uint64_t interval_us = (uint64_t)chirr_time_from_ms(config->token_interval_ms);
    ledger->token_us = now - (chirr_time_us)chirr_random_below(&ledger->random, interval_us);
    return ledger;
}

/* ---- Origins ------------------------------------------------------------------------------ */

static struct origin *find(const struct chirr_ledger *ledger, chirr_agent_id id)
{
    for (uint32_t i = 0; i < ledger->count; i++) {
        if (ledger->origins[i].id == id) {
            return &ledger->origins[i];
        }
    }
    return NULL;
}

/* Of a hosted partition. */
static struct heard *heard_of(const struct chirr_ledger *ledger, const struct origin *origin,
                              uint32_t partition)
{
    uint64_t below = (UINT64_C(1) << partition) - 1;
    size_t rank = (size_t)__builtin_popcountll(ledger->config.hosted & below);
    size_t row = (size_t)(origin - ledger->origins);
    return &ledger->heard[row * ledger->hosted_count + rank];
}

static enum standing stand(const struct heard *heard, struct chirr_stamp stamp)
{
    int order = chirr_stamp_compare(stamp, heard->newest);
    if (order >= 0) {
        return order > 0 ? STANDING_NEWER : STANDING_REPEAT;
    }
    uint64_t behind = heard->newest.version - stamp.version;
    if (stamp.incarnation != heard->newest.incarnation || behind > CHIRR_LEDGER_WINDOW) {
        return STANDING_STALE;
    }
    return heard->before >> (behind - 1) & 1 ? STANDING_REPEAT : STANDING_LATE;
}

static void remember(struct heard *heard, struct chirr_stamp stamp)
{
    if (chirr_stamp_compare(stamp, heard->newest) < 0) {
        heard->before |= UINT64_C(1) << (heard->newest.version - stamp.version - 1);
        return;
    }
    uint64_t ahead = stamp.version - heard->newest.version;
    if (stamp.incarnation != heard->newest.incarnation || ahead > CHIRR_LEDGER_WINDOW) {
        heard->before = 0;
    } else {
        uint64_t moved = ahead < CHIRR_LEDGER_WINDOW ? heard->before << ahead : 0;
        heard->before = moved | UINT64_C(1) << (ahead - 1);
    }
    heard->newest = stamp;
}

/* The origin heard longest ago that is not in quarantine; of equals the smaller id. */
static struct origin *stalest(struct chirr_ledger *ledger)
{
    struct origin *oldest = NULL;
    for (uint32_t i = 0; i < ledger->count; i++) {
        struct origin *origin = &ledger->origins[i];
        if (origin->quarantined) {
            continue;
        }
        if (oldest == NULL || origin->heard_us < oldest->heard_us ||
            (origin->heard_us == oldest->heard_us && origin->id < oldest->id)) {
            oldest = origin;
        }
    }
    return oldest;
}

/* Gives `id` an empty place: a free one, or the one of `victim` (NULL: none may go), whose weight
 * goes to 0. NULL when there is none, or when too many forgotten origins wait to be polled. */
static struct origin *settle(struct chirr_ledger *ledger, chirr_agent_id id, struct origin *victim,
                             chirr_time_us now)
{
    struct origin *place = victim;
    if (ledger->count < ledger->config.origins_max) {
        place = &ledger->origins[ledger->count++];
    } else if (place == NULL || !chirr_ring_push(&ledger->forgotten, &place->id)) {
        return NULL;
    } else {
        ledger->counters.evicted++;
    }
    *place = (struct origin){.id = id, .heard_us = now};
    size_t row = (size_t)(place - ledger->origins);
    for (uint32_t i = 0; i < ledger->hosted_count; i++) {
        ledger->heard[row * ledger->hosted_count + i] = (struct heard){0};
    }
    return place;
}

static struct origin *settle_newcomer(struct chirr_ledger *ledger, chirr_agent_id id,
                                      chirr_time_us now)
{
    struct origin *victim = stalest(ledger);
    chirr_time_us stale_after_us = chirr_time_from_ms(ledger->config.stale_after_ms);
    if (victim != NULL && now - victim->heard_us <= stale_after_us) {
        victim = NULL;
    }
    return settle(ledger, id, victim, now);
}

/* Recomputes every weight, and when one will next change by itself. */
static void reweigh(struct chirr_ledger *ledger, chirr_time_us now)
{
    uint32_t sharing = 0;
    for (uint32_t i = 0; i < ledger->count; i++) {
        sharing += ledger->origins[i].quarantined ? 0 : 1;
    }
    chirr_time_us stale_after_us = chirr_time_from_ms(ledger->config.stale_after_ms);
    chirr_time_us step_us = stale_after_us / FADE_STEPS;
    ledger->fade_us = CHIRR_TIME_NEVER;
    for (uint32_t i = 0; i < ledger->count; i++) {
        struct origin *origin = &ledger->origins[i];
        chirr_time_us silence_us = now - origin->heard_us;
        uint32_t g = origin->quarantined
                         ? 0
                         : chirr_ledger_weight_permille(&ledger->config, sharing, silence_us);
        origin->tell = origin->tell || g != origin->g_permille;
        origin->g_permille = g;
        if (g > 0) {
            chirr_time_us begins_us = origin->heard_us + stale_after_us;
            chirr_time_us next_us = now < begins_us ? begins_us : now;
            ledger->fade_us = chirr_time_min(ledger->fade_us, next_us + step_us);
        }
    }
}

void chirr_ledger_quarantine(struct chirr_ledger *ledger, chirr_agent_id id)
{
    struct origin *origin = find(ledger, id);
    if (origin == NULL) {
        origin = settle(ledger, id, stalest(ledger), 0);
    }
    if (origin == NULL) {
        ledger->counters.quarantine_full++;
        return;
    }
    origin->quarantined = true;
    origin->tell = origin->tell || origin->g_permille != 0;
    origin->g_permille = 0;
    ledger->fade_us = INT64_MIN; /* the shares of the others grow with the next tick */
}

/* ---- The verbs ---------------------------------------------------------------------------- */

static bool is_hosted(const struct chirr_ledger *ledger, uint32_t partition)
{
    return partition < PARTITIONS_MAX && (ledger->config.hosted >> partition & 1) != 0;
}

/* What can be refused without knowing the origin. */
static enum chirr_err admit(struct chirr_ledger *ledger, const struct chirr_delta_message *delta)
{
    if (ledger->config.lineage == 0 || delta->lineage != ledger->config.lineage) {
        ledger->counters.other_lineage++;
        return CHIRR_ERR_LINEAGE;
    }
    if (!is_hosted(ledger, delta->partition)) {
        ledger->counters.not_hosted++;
        return CHIRR_ERR_INVALID;
    }
    return CHIRR_OK;
}

bool chirr_ledger_is_repeat(const struct chirr_ledger *ledger,
                            const struct chirr_delta_message *delta)
{
    if (delta->origin == ledger->config.self) {
        return true;
    }
    const struct origin *origin = find(ledger, delta->origin);
    return origin != NULL && is_hosted(ledger, delta->partition) &&
           stand(heard_of(ledger, origin, delta->partition), delta->stamp) == STANDING_REPEAT;
}

static void queue_apply(struct chirr_ledger *ledger, const struct chirr_delta_message *delta)
{
    struct apply apply = {.delta = *delta};
    apply.delta.payload = NULL;
    memcpy(apply.payload, delta->payload, delta->payload_bytes);
    bool pushed = chirr_ring_push(&ledger->applies, &apply);
    CHIRR_ASSERT(pushed);
}

/* The origin, whose place in the table is made when it has none; NULL: none can be made now. */
static struct origin *make_room(struct chirr_ledger *ledger, chirr_agent_id id, chirr_time_us now)
{
    if (ledger->applies.count == APPLIES_MAX) {
        return NULL;
    }
    struct origin *origin = find(ledger, id);
    return origin != NULL ? origin : settle_newcomer(ledger, id, now);
}

static enum chirr_err take_in(struct chirr_ledger *ledger, const struct chirr_delta_message *delta,
                              chirr_time_us now)
{
    struct origin *origin = make_room(ledger, delta->origin, now);
    if (origin == NULL) {
        ledger->counters.refused_full++;
        return CHIRR_ERR_FULL;
    }
    struct heard *heard = heard_of(ledger, origin, delta->partition);
    ledger->counters.late += stand(heard, delta->stamp) == STANDING_LATE;
    remember(heard, delta->stamp);
    origin->heard_us = now;
    origin->tell = true;
    queue_apply(ledger, delta);
    ledger->counters.applied++;
    reweigh(ledger, now);
    return CHIRR_OK;
}

enum chirr_err chirr_ledger_receive(struct chirr_ledger *ledger, chirr_agent_id from,
                                    const struct chirr_message *message, chirr_time_us now)
{
    const struct chirr_delta_message *delta = &message->delta;
    if (message->kind != CHIRR_MESSAGE_DELTA ||
        delta->payload_bytes > CHIRR_DELTA_PAYLOAD_BYTES_MAX) {
        ledger->counters.oversized++;
        return CHIRR_ERR_INVALID;
    }
    enum chirr_err err = admit(ledger, delta);
    if (err != CHIRR_OK) {
        return err;
    }
    const struct origin *origin = find(ledger, delta->origin);
    if (origin != NULL && origin->quarantined) {
        ledger->counters.quarantined++;
        return CHIRR_ERR_UNTRUSTED;
    }
    if (chirr_ledger_is_repeat(ledger, delta)) {
        ledger->counters.repeats++;
        return CHIRR_OK;
    }
    if (origin != NULL &&
        stand(heard_of(ledger, origin, delta->partition), delta->stamp) == STANDING_STALE) {
        ledger->counters.stale++;
        return CHIRR_ERR_STALE;
    }
    return take_in(ledger, delta, now);
}

void chirr_ledger_tick(struct chirr_ledger *ledger, chirr_time_us now)
{
    if (now >= ledger->fade_us) {
        reweigh(ledger, now);
    }
}

chirr_time_us chirr_ledger_deadline(const struct chirr_ledger *ledger)
{
    return ledger->fade_us;
}

static void output_weight(struct chirr_output *output, chirr_agent_id origin, uint32_t g_permille)
{
    *output = (struct chirr_output){.kind = CHIRR_OUTPUT_WEIGH,
                                    .weight = {.origin = origin, .g_permille = g_permille}};
}

static void tell_weight(struct origin *origin, struct chirr_output *output)
{
    origin->tell = false;
    output_weight(output, origin->id, origin->g_permille);
}

/* Forgotten origins first: their places may be needed for what follows. Then each change with the
 * weight of its origin, which a learner can set only once it holds something of it and by which it
 * knows who is held. Then the weights that shifted. */
bool chirr_ledger_poll(struct chirr_ledger *ledger, struct chirr_output *output)
{
    chirr_agent_id forgotten;
    if (chirr_ring_pop(&ledger->forgotten, &forgotten)) {
        output_weight(output, forgotten, 0);
        return true;
    }
    struct origin *last = find(ledger, ledger->weigh_next);
    ledger->weigh_next = 0;
    if (last != NULL && last->tell) {
        tell_weight(last, output);
        return true;
    }
    while (chirr_ring_pop(&ledger->applies, &ledger->handed)) {
        const struct origin *origin = find(ledger, ledger->handed.delta.origin);
        if (origin == NULL || origin->quarantined) {
            ledger->counters.withheld++;
            continue;
        }
        ledger->weigh_next = origin->id;
        ledger->handed.delta.payload = ledger->handed.payload;
        *output = (struct chirr_output){.kind = CHIRR_OUTPUT_APPLY, .delta = &ledger->handed.delta};
        return true;
    }
    for (uint32_t i = 0; i < ledger->count; i++) {
        struct origin *origin = &ledger->origins[i];
        if (origin->tell) {
            tell_weight(origin, output);
            return true;
        }
    }
    return false;
}

/* ---- The token account ---------------------------------------------------------------------- */

static void collect_tokens(struct chirr_ledger *ledger, chirr_time_us now)
{
    chirr_time_us interval_us = chirr_time_from_ms(ledger->config.token_interval_ms);
    chirr_time_us came = (now - ledger->token_us) / interval_us;
    if (came <= 0) {
        return;
    }
    ledger->token_us += came * interval_us;
    uint32_t room = ledger->config.tokens_max - ledger->tokens;
    ledger->tokens += came < room ? (uint32_t)came : room;
}

bool chirr_ledger_spend(struct chirr_ledger *ledger, uint32_t drift_permille, chirr_time_us now)
{
    collect_tokens(ledger, now);
    uint64_t drift = drift_permille < 1000 ? drift_permille : 1000;
    uint64_t chance = ledger->tokens * drift;
    if (chance == 0) {
        return false;
    }
    uint64_t certain = (uint64_t)ledger->config.tokens_max * 1000;
    if (chirr_random_below(&ledger->random, certain) >= chance) {
        return false;
    }
    ledger->tokens--;
    return true;
}

const struct chirr_ledger_counters *chirr_ledger_count(const struct chirr_ledger *ledger)
{
    return &ledger->counters;
}

uint32_t chirr_ledger_origin_count(const struct chirr_ledger *ledger)
{
    return ledger->count;
}
