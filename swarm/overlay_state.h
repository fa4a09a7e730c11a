/* What the parts of the overlay share: its state, and the few verbs that change it.
 *
 *      overlay.c          inputs: who there is, coming and going
 *      overlay_views.c    the verbs by which the views change
 *      overlay_receive.c  what each message does
 *      overlay_tend.c     what is done as time passes
 *      overlay_output.c   what goes out
 *
 * Internal to the overlay. */
#ifndef CHIRR_SWARM_OVERLAY_STATE_H
#define CHIRR_SWARM_OVERLAY_STATE_H

#include "swarm/links.h"
#include "swarm/overlay.h"
#include "swarm/peers.h"
#include "swarm/view.h"

#define OVERLAY_OUTPUTS_MAX 96
#define OVERLAY_REQUESTS_MAX 24
#define OVERLAY_CONTACTS_MAX 16
#define OVERLAY_SEEDS_MAX 16
#define OVERLAY_WALK_HOPS 6         /* ARWL, the active random walk length (section 4.2) */
#define OVERLAY_WALK_PASSIVE_HOPS 3 /* PRWL, where a walk leaves the newcomer in a passive view */
#define OVERLAY_SHUFFLE_ACTIVE 3    /* ka (section 4.4) */
#define OVERLAY_SHUFFLE_PASSIVE 4   /* kp */

/* So many at once, then so many a second. */
struct bucket {
    uint32_t burst;
    uint32_t per_second;
    uint32_t tokens_milli;
    chirr_time_us filled_us;
};

struct neighbour {
    chirr_time_us ask_us; /* when to repeat NEIGHBOUR */
    uint32_t pause_ms;    /* between two repeats that are answered; grows */
    uint32_t unanswered;  /* repeats without a sign that it holds this agent */
};

struct request {
    chirr_agent_id agent;
    enum chirr_view_verb verb; /* JOIN, NEIGHBOUR or DISCONNECT: what is answered */
    bool urgent;               /* as told to it */
    bool forced;               /* when it accepts, another neighbour makes room */
    uint32_t tries;
    chirr_time_us due_us; /* then it is repeated, or given up */
};

struct seed {
    chirr_agent_id agent; /* 0: none */
    struct chirr_card card;
};

/* A message without its cards, which are copied from the records when it is handed out. */
struct outgoing {
    chirr_agent_id to;
    chirr_agent_id origin;
    enum chirr_view_verb verb;
    uint32_t hops;
    bool urgent;
    uint32_t count;
    chirr_agent_id cards[CHIRR_VIEW_CARDS_MAX];
};

struct chirr_overlay {
    struct chirr_overlay_config config;
    const struct chirr_record_store *records; /* borrowed */
    struct chirr_random random;
    struct chirr_peers peers;
    struct chirr_view active;
    struct neighbour *neighbours; /* [active.capacity], in the order of `active` */
    struct chirr_view passive;
    struct chirr_links links;
    struct request requests[OVERLAY_REQUESTS_MAX];
    uint32_t request_count;
    chirr_agent_id contacts[OVERLAY_CONTACTS_MAX];
    uint32_t contact_count;
    uint32_t contact_at; /* whom to ask next, alone */
    struct seed seeds[OVERLAY_SEEDS_MAX];
    bool may_be_mesh; /* for all this agent knows others hold it to be one */
    bool is_mesh;
    bool leaving;
    uint64_t change;
    chirr_time_us deadline;
    chirr_time_us large_us;    /* too many for a mesh since; CHIRR_TIME_NEVER: they are not */
    chirr_time_us quiet_us;    /* then nobody came or went lately */
    chirr_time_us restless_us; /* since when there was no quiet */
    chirr_time_us ring_us;     /* not to look for those next on the circle of ids before */
    chirr_time_us fill_us;     /* when to look for neighbours again */
    uint32_t fill_failures;    /* in a row */
    chirr_time_us contact_us;  /* when to ask the next contact, alone */
    uint32_t contact_failures;
    chirr_time_us trim_us; /* when the next surplus neighbour goes */
    chirr_time_us shuffle_us;
    chirr_time_us shuffle_answer_us;                  /* until when one is awaited */
    chirr_agent_id shuffled[OVERLAY_SHUFFLE_PASSIVE]; /* sent away last, the first to be evicted */
    uint32_t shuffled_count;
    struct bucket force;  /* neighbours evicted, and walks begun, because others asked */
    struct bucket revive; /* requests to those who returned from the dead */
    struct outgoing outputs[OVERLAY_OUTPUTS_MAX];
    uint32_t output_count;
    uint32_t output_at;                              /* the next to hand out */
    struct chirr_message message;                    /* borrowed by a SEND */
    struct chirr_record cards[CHIRR_VIEW_CARDS_MAX]; /* likewise */
    struct chirr_overlay_counters counters;
};

/* ---- overlay_views.c --- */

bool overlay_take_token(struct bucket *bucket, chirr_time_us now);
/* `mean_ms`, give or take a quarter. */
chirr_time_us overlay_jittered(struct chirr_overlay *o, uint32_t mean_ms);
/* There is something to do at `at_us`. */
void overlay_wake(struct chirr_overlay *o, chirr_time_us at_us);

/* How many neighbours there may be: anybody's while a mesh may be. */
uint32_t overlay_active_limit(const struct chirr_overlay *o);
/* The two live agents next to `centre` on the circle of ids, as far as known, `extra` (0: nobody)
 * taken into account; 0: none. */
struct ring {
    chirr_agent_id before, after;
};
struct ring overlay_ring(const struct chirr_overlay *o, chirr_agent_id centre,
                         chirr_agent_id extra);
/* Somebody came or went: perhaps there is more to ask now, and a mesh waits for quiet. */
void overlay_peers_changed(struct chirr_overlay *o, chirr_time_us now);

/* False: no room for a link to it. The caller sees to the room in the view. */
bool overlay_add_neighbour(struct chirr_overlay *o, chirr_agent_id agent, chirr_time_us now);
void overlay_remove_neighbour(struct chirr_overlay *o, chirr_agent_id agent, chirr_time_us now);
/* Removes it, tells it so until it answers, and keeps it for later. */
void overlay_part(struct chirr_overlay *o, chirr_agent_id agent, chirr_time_us now);
/* Takes it in if there is room, or if room has to be made: for one of the ring always, `forced` if
 * the bucket allows. */
bool overlay_take_in(struct chirr_overlay *o, chirr_agent_id agent, bool forced, chirr_time_us now);
struct neighbour *overlay_neighbour(const struct chirr_overlay *o, chirr_agent_id agent);

/* Adds a live agent that is no neighbour; when full, another makes room (section 4.4: first of
 * those sent away last). */
void overlay_add_passive(struct chirr_overlay *o, chirr_agent_id agent);
struct request *overlay_find_request(struct chirr_overlay *o, chirr_agent_id agent);
/* Nothing when it is under way already. */
void overlay_request(struct chirr_overlay *o, struct request request, chirr_time_us now);
void overlay_drop_request(struct chirr_overlay *o, struct request *request);
/* Not to be asked for about so long. */
void overlay_hold_off(struct chirr_overlay *o, chirr_agent_id agent, uint32_t mean_ms,
                      chirr_time_us now);

/* ---- overlay.c --- */

/* With so many live agents there is no mesh, however short; 0: never. */
uint32_t overlay_mesh_end(const struct chirr_overlay_config *config);
/* With a local view: `agent`, of whom a card is held, becomes known. */
struct chirr_peer *overlay_learn(struct chirr_overlay *o, chirr_agent_id agent);

/* ---- overlay_output.c --- */

/* NULL: neither a record nor a seed. Borrowed until the next input. */
const struct chirr_card *overlay_card_of(const struct chirr_overlay *o, chirr_agent_id agent);
uint64_t overlay_endpoints(const struct chirr_card *card);
bool overlay_want_link(struct chirr_overlay *o, chirr_agent_id agent, enum chirr_link kind,
                       chirr_time_us now);
/* Queues a message and opens a link for it. */
void overlay_send(struct chirr_overlay *o, const struct outgoing *outgoing, chirr_time_us now);
/* One without cards and hops. */
void overlay_say(struct chirr_overlay *o, chirr_agent_id to, enum chirr_view_verb verb,
                 chirr_time_us now);

#endif
