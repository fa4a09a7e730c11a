/* The full mesh: a sorted table of who is to be connected, and what is still to be done about it.
 */
#include "swarm/overlay.h"

#include <string.h>

struct neighbour {
    chirr_agent_id agent;
    struct chirr_card card; /* the newest; borrowed by a CONNECT */
    bool wanted;            /* to be connected; false: it left */
    bool connected;         /* CONNECT was handed out last */
    bool moved;             /* to be disconnected first: its endpoints changed */
};

struct chirr_overlay {
    struct chirr_overlay_config config;
    uint32_t count;
    uint32_t wanted_count;
    uint64_t refused_count;
    uint32_t pending_count;       /* neighbours for which something is to be done */
    struct neighbour *neighbours; /* [neighbours_max], ascending by id */
};

size_t chirr_overlay_bytes(const struct chirr_overlay_config *config)
{
    return chirr_arena_round(sizeof(struct chirr_overlay)) +
           chirr_arena_round(config->neighbours_max * sizeof(struct neighbour));
}

struct chirr_overlay *chirr_overlay_create(struct chirr_arena *arena,
                                           const struct chirr_overlay_config *config)
{
    CHIRR_ASSERT(config->self != 0);
    CHIRR_ASSERT(config->neighbours_max > 0);
    struct chirr_overlay *overlay = chirr_arena_take(arena, 1, sizeof *overlay);
    if (overlay == NULL) {
        return NULL;
    }
    overlay->config = *config;
    overlay->neighbours =
        chirr_arena_take(arena, config->neighbours_max, sizeof *overlay->neighbours);
    return overlay->neighbours == NULL ? NULL : overlay;
}

/* Where `agent` stands, or would stand. */
static uint32_t rank_of(const struct chirr_overlay *overlay, chirr_agent_id agent)
{
    uint32_t low = 0;
    uint32_t high = overlay->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (overlay->neighbours[middle].agent < agent) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct neighbour *find(const struct chirr_overlay *overlay, chirr_agent_id agent)
{
    uint32_t rank = rank_of(overlay, agent);
    bool found = rank < overlay->count && overlay->neighbours[rank].agent == agent;
    return found ? &overlay->neighbours[rank] : NULL;
}

static bool is_pending(const struct neighbour *neighbour)
{
    return neighbour->wanted != neighbour->connected || neighbour->moved;
}

/* Every change of a neighbour goes between these two, which keep the counts. */
static void begin_change(struct chirr_overlay *overlay, const struct neighbour *neighbour)
{
    overlay->wanted_count -= neighbour->wanted;
    overlay->pending_count -= is_pending(neighbour);
}

static void end_change(struct chirr_overlay *overlay, const struct neighbour *neighbour)
{
    overlay->wanted_count += neighbour->wanted;
    overlay->pending_count += is_pending(neighbour);
}

/* Makes room by dropping one who left and is disconnected; false when there is none. */
static bool drop_a_leaver(struct chirr_overlay *overlay)
{
    for (uint32_t i = 0; i < overlay->count; i++) {
        struct neighbour *neighbour = &overlay->neighbours[i];
        if (!neighbour->wanted && !neighbour->connected) {
            overlay->count--;
            memmove(neighbour, neighbour + 1, (overlay->count - i) * sizeof *neighbour);
            return true;
        }
    }
    return false;
}

static struct neighbour *insert(struct chirr_overlay *overlay, chirr_agent_id agent)
{
    if (overlay->count == overlay->config.neighbours_max && !drop_a_leaver(overlay)) {
        return NULL;
    }
    uint32_t rank = rank_of(overlay, agent);
    struct neighbour *neighbour = &overlay->neighbours[rank];
    memmove(neighbour + 1, neighbour, (overlay->count - rank) * sizeof *neighbour);
    memset(neighbour, 0, sizeof *neighbour);
    neighbour->agent = agent;
    overlay->count++;
    return neighbour;
}

static bool same_endpoints(const struct chirr_card *a, const struct chirr_card *b)
{
    return strcmp(a->publish_endpoint, b->publish_endpoint) == 0 &&
           strcmp(a->unicast_endpoint, b->unicast_endpoint) == 0;
}

enum chirr_err chirr_overlay_card(struct chirr_overlay *overlay, chirr_agent_id agent,
                                  const struct chirr_card *card)
{
    if (agent == overlay->config.self) {
        return CHIRR_OK;
    }
    struct neighbour *neighbour = find(overlay, agent);
    if (neighbour == NULL) {
        neighbour = insert(overlay, agent);
        if (neighbour == NULL) {
            overlay->refused_count++;
            return CHIRR_ERR_FULL;
        }
        neighbour->wanted = true;
        overlay->wanted_count++;
        overlay->pending_count++;
    } else {
        begin_change(overlay, neighbour);
        neighbour->moved =
            neighbour->connected && (neighbour->moved || !same_endpoints(&neighbour->card, card));
        end_change(overlay, neighbour);
    }
    neighbour->card = *card;
    return CHIRR_OK;
}

void chirr_overlay_status(struct chirr_overlay *overlay, chirr_agent_id agent,
                          enum chirr_member_status status)
{
    struct neighbour *neighbour = find(overlay, agent);
    if (neighbour != NULL) {
        begin_change(overlay, neighbour);
        neighbour->wanted = status != CHIRR_MEMBER_LEFT;
        end_change(overlay, neighbour);
    }
}

static void advance(struct neighbour *neighbour, struct chirr_output *output)
{
    if (neighbour->connected) {
        *output = (struct chirr_output){.kind = CHIRR_OUTPUT_DISCONNECT, .to = neighbour->agent};
    } else {
        *output = (struct chirr_output){
            .kind = CHIRR_OUTPUT_CONNECT, .to = neighbour->agent, .card = &neighbour->card};
    }
    neighbour->connected = !neighbour->connected;
    neighbour->moved = false;
}

bool chirr_overlay_poll(struct chirr_overlay *overlay, struct chirr_output *output)
{
    for (uint32_t i = 0; i < overlay->count && overlay->pending_count > 0; i++) {
        struct neighbour *neighbour = &overlay->neighbours[i];
        if (is_pending(neighbour)) {
            begin_change(overlay, neighbour);
            advance(neighbour, output);
            end_change(overlay, neighbour);
            return true;
        }
    }
    return false;
}

uint32_t chirr_overlay_neighbour_count(const struct chirr_overlay *overlay)
{
    return overlay->wanted_count;
}

bool chirr_overlay_is_neighbour(const struct chirr_overlay *overlay, chirr_agent_id agent)
{
    const struct neighbour *neighbour = find(overlay, agent);
    return neighbour != NULL && neighbour->wanted;
}

uint64_t chirr_overlay_refused_count(const struct chirr_overlay *overlay)
{
    return overlay->refused_count;
}
