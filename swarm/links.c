/* A sorted table of wishes and facts. */
#include "swarm/links.h"

#include <string.h>

/* Links that are to be closed keep their place until that was handed out. */
#define CLOSING_MAX 32

static uint32_t capacity_of(const struct chirr_links_config *config)
{
    return config->neighbours_max + config->unicast_max + CLOSING_MAX;
}

size_t chirr_links_bytes(const struct chirr_links_config *config)
{
    return chirr_arena_round(capacity_of(config) * sizeof(struct chirr_link_slot));
}

enum chirr_err chirr_links_init(struct chirr_links *links, struct chirr_arena *arena,
                                const struct chirr_links_config *config)
{
    *links = (struct chirr_links){.config = *config, .capacity = capacity_of(config)};
    links->slots = chirr_arena_take(arena, links->capacity, sizeof *links->slots);
    return links->slots == NULL ? CHIRR_ERR_NOMEM : CHIRR_OK;
}

static uint32_t rank_of(const struct chirr_links *links, chirr_agent_id agent)
{
    uint32_t low = 0;
    uint32_t high = links->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (links->slots[middle].agent < agent) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct chirr_link_slot *find(const struct chirr_links *links, chirr_agent_id agent)
{
    uint32_t rank = rank_of(links, agent);
    bool found = rank < links->count && links->slots[rank].agent == agent;
    return found ? &links->slots[rank] : NULL;
}

const struct chirr_link_slot *chirr_links_find(const struct chirr_links *links,
                                               chirr_agent_id agent)
{
    return find(links, agent);
}

static bool is_to_close(const struct chirr_link_slot *slot)
{
    return slot->standing != CHIRR_LINK_NONE && (slot->moved || slot->wanted == CHIRR_LINK_NONE);
}

static bool is_to_open(const struct chirr_link_slot *slot)
{
    return slot->wanted != CHIRR_LINK_NONE && slot->wanted != slot->standing && !slot->moved;
}

/* Every change of a slot goes between these two, which keep the counts. */
static void begin_change(struct chirr_links *links, const struct chirr_link_slot *slot)
{
    links->unicast_count -= slot->wanted == CHIRR_LINK_UNICAST;
    links->open_count -= is_to_open(slot);
    links->close_count -= is_to_close(slot);
}

/* A slot that neither stands nor is wanted goes. */
static void end_change(struct chirr_links *links, struct chirr_link_slot *slot)
{
    links->unicast_count += slot->wanted == CHIRR_LINK_UNICAST;
    links->open_count += is_to_open(slot);
    links->close_count += is_to_close(slot);
    if (slot->wanted == CHIRR_LINK_NONE && slot->standing == CHIRR_LINK_NONE) {
        links->count--;
        size_t rank = (size_t)(slot - links->slots);
        memmove(slot, slot + 1, (links->count - rank) * sizeof *slot);
    }
}

static void set_wanted(struct chirr_links *links, struct chirr_link_slot *slot,
                       enum chirr_link kind)
{
    begin_change(links, slot);
    slot->wanted = kind;
    slot->moved = slot->moved && slot->standing != CHIRR_LINK_NONE;
    end_change(links, slot);
}

/* The unicast link that was used longest ago gives way. */
static void make_room(struct chirr_links *links, chirr_agent_id for_whom)
{
    if (links->unicast_count < links->config.unicast_max) {
        return;
    }
    struct chirr_link_slot *oldest = NULL;
    for (uint32_t i = 0; i < links->count; i++) {
        struct chirr_link_slot *slot = &links->slots[i];
        if (slot->wanted == CHIRR_LINK_UNICAST && slot->agent != for_whom &&
            (oldest == NULL || slot->used_us < oldest->used_us)) {
            oldest = slot;
        }
    }
    if (oldest != NULL) {
        links->evictions++;
        set_wanted(links, oldest, CHIRR_LINK_NONE);
    }
}

static struct chirr_link_slot *insert(struct chirr_links *links, chirr_agent_id agent)
{
    if (links->count == links->capacity) {
        return NULL;
    }
    uint32_t rank = rank_of(links, agent);
    struct chirr_link_slot *slot = &links->slots[rank];
    memmove(slot + 1, slot, (links->count - rank) * sizeof *slot);
    *slot = (struct chirr_link_slot){.agent = agent};
    links->count++;
    return slot;
}

enum chirr_err chirr_links_want(struct chirr_links *links, chirr_agent_id agent,
                                enum chirr_link kind, uint64_t endpoints, chirr_time_us now)
{
    CHIRR_ASSERT(kind != CHIRR_LINK_NONE);
    struct chirr_link_slot *slot = find(links, agent);
    bool is_unicast = slot != NULL && slot->wanted == CHIRR_LINK_UNICAST;
    if (kind == CHIRR_LINK_UNICAST && !is_unicast &&
        (slot == NULL || slot->wanted == CHIRR_LINK_NONE)) {
        make_room(links, agent);
        slot = find(links, agent);
    }
    if (slot == NULL) {
        slot = insert(links, agent);
        if (slot == NULL) {
            return CHIRR_ERR_FULL;
        }
        slot->endpoints = endpoints;
    }
    slot->used_us = now;
    chirr_links_move(links, agent, endpoints);
    if (slot->wanted < kind) {
        set_wanted(links, slot, kind);
    }
    return CHIRR_OK;
}

void chirr_links_use(struct chirr_links *links, chirr_agent_id agent, chirr_time_us now)
{
    struct chirr_link_slot *slot = find(links, agent);
    if (slot != NULL) {
        slot->used_us = now;
    }
}

void chirr_links_demote(struct chirr_links *links, chirr_agent_id agent, chirr_time_us now)
{
    struct chirr_link_slot *slot = find(links, agent);
    if (slot == NULL || slot->wanted != CHIRR_LINK_NEIGHBOUR) {
        return;
    }
    make_room(links, agent);
    slot = find(links, agent);
    slot->used_us = now;
    set_wanted(links, slot, CHIRR_LINK_UNICAST);
}

void chirr_links_drop(struct chirr_links *links, chirr_agent_id agent)
{
    struct chirr_link_slot *slot = find(links, agent);
    if (slot != NULL) {
        set_wanted(links, slot, CHIRR_LINK_NONE);
    }
}

void chirr_links_move(struct chirr_links *links, chirr_agent_id agent, uint64_t endpoints)
{
    struct chirr_link_slot *slot = find(links, agent);
    if (slot == NULL || slot->endpoints == endpoints) {
        return;
    }
    begin_change(links, slot);
    slot->endpoints = endpoints;
    slot->moved = slot->standing != CHIRR_LINK_NONE;
    end_change(links, slot);
}

chirr_time_us chirr_links_expire(struct chirr_links *links, chirr_time_us before_us)
{
    chirr_time_us earliest = CHIRR_TIME_NEVER;
    for (uint32_t i = links->count; i > 0; i--) {
        struct chirr_link_slot *slot = &links->slots[i - 1];
        if (slot->wanted != CHIRR_LINK_UNICAST) {
            continue;
        }
        if (slot->used_us < before_us) {
            set_wanted(links, slot, CHIRR_LINK_NONE);
        } else {
            earliest = chirr_time_min(earliest, slot->used_us);
        }
    }
    return earliest;
}

bool chirr_links_open(struct chirr_links *links, chirr_agent_id *agent, enum chirr_link *kind)
{
    for (uint32_t i = 0; i < links->count && links->open_count > 0; i++) {
        struct chirr_link_slot *slot = &links->slots[i];
        if (is_to_open(slot)) {
            begin_change(links, slot);
            slot->standing = slot->wanted;
            end_change(links, slot);
            *agent = slot->agent;
            *kind = slot->standing;
            return true;
        }
    }
    return false;
}

static bool close_next(struct chirr_links *links, bool moved_only, chirr_agent_id *agent)
{
    for (uint32_t i = 0; i < links->count && links->close_count > 0; i++) {
        struct chirr_link_slot *slot = &links->slots[i];
        if (is_to_close(slot) && (slot->moved || !moved_only)) {
            *agent = slot->agent;
            begin_change(links, slot);
            slot->standing = CHIRR_LINK_NONE;
            slot->moved = false;
            end_change(links, slot);
            return true;
        }
    }
    return false;
}

bool chirr_links_close(struct chirr_links *links, chirr_agent_id *agent)
{
    return close_next(links, false, agent);
}

bool chirr_links_close_moved(struct chirr_links *links, chirr_agent_id *agent)
{
    return close_next(links, true, agent);
}
