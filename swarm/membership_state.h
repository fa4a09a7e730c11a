/* The inside of membership, shared by its parts: membership.c holds the verbs that look in, drain
 * and change who is known, membership_hear.c takes messages in, membership_probe.c lives by the
 * clock. */
#ifndef CHIRR_SWARM_MEMBERSHIP_STATE_H
#define CHIRR_SWARM_MEMBERSHIP_STATE_H

#include "swarm/awareness.h"
#include "swarm/membership.h"
#include "swarm/relay.h"
#include "swarm/roster.h"
#include "swarm/watch.h"

#define CHIRR_MEMBERSHIP_OUTPUTS_MAX 64
#define CHIRR_MEMBERSHIP_PUSHES_MAX 256
#define CHIRR_MEMBERSHIP_INDIRECT_MAX 16

/* The one probe under way (SWIM, section 3.1); target 0: none. */
struct membership_probe {
    chirr_agent_id target;
    uint32_t sequence;
    chirr_time_us sent_us;
    chirr_time_us timeout_us; /* when the helpers are asked */
    bool indirect;            /* they were */
    bool answered;
    uint32_t helper_count;
    chirr_agent_id helpers[CHIRR_MEMBERSHIP_INDIRECT_MAX];
    bool nacked[CHIRR_MEMBERSHIP_INDIRECT_MAX];
};

/* News to publish, and from whom they came; 0: found here. */
struct membership_push {
    struct chirr_member_update update;
    chirr_agent_id from;
};

struct membership_output {
    chirr_agent_id to;     /* 0: published */
    chirr_agent_id except; /* of a published one */
    struct chirr_message message;
};

/* About whom the message under way said what is outdated: its answer corrects that first. */
struct membership_corrections {
    uint32_t count;
    chirr_agent_id agents[CHIRR_MEMBER_UPDATES_MAX];
};

struct chirr_membership {
    struct chirr_membership_config config;
    struct chirr_random random;
    struct chirr_roster roster;
    struct chirr_watch watch;
    struct chirr_awareness awareness;
    chirr_time_us created_us;
    uint64_t incarnation; /* own */
    bool leaving;

    uint32_t sequence;
    struct membership_probe probe;
    chirr_time_us period_us; /* when the next period begins */
    uint32_t period_count;
    chirr_time_us inquiry_us; /* when a neighbour is asked about the suspects, if there are any */
    chirr_time_us dead_probe_us;  /* the next probe of one of the dead, while there are any */
    chirr_time_us hurry_until_us; /* some of the dead returned lately */
    struct chirr_relays relays;
    struct membership_corrections corrections;

    chirr_time_us push_us; /* when what waits is published; CHIRR_TIME_NEVER: nothing does */
    uint32_t push_count;
    struct membership_push pushes[CHIRR_MEMBERSHIP_PUSHES_MAX];
    uint32_t output_count;
    uint32_t output_at; /* the next to hand out */
    struct membership_output outputs[CHIRR_MEMBERSHIP_OUTPUTS_MAX];
    struct chirr_membership_counters counters;
};

/* `update` is news of this member: its status, its verdict and what follows from it. A SUSPECT
 * names its accuser. */
void chirr_membership_learn(struct chirr_membership *membership, struct chirr_roster_slot *slot,
                            const struct chirr_member_update *update, chirr_time_us now);
/* The same, and passes it on to all but `from`. */
void chirr_membership_spread(struct chirr_membership *membership, struct chirr_roster_slot *slot,
                             const struct chirr_member_update *update, chirr_agent_id from,
                             chirr_time_us now);
/* One more accuser of a suspect. */
void chirr_membership_confirm(struct chirr_membership *membership, struct chirr_roster_slot *slot,
                              chirr_agent_id accuser, chirr_agent_id from, chirr_time_us now);
/* Sets the clock of a suspicion by its accusers and the suspect's last sign of life. */
void chirr_membership_judge(struct chirr_membership *membership, struct chirr_roster_slot *slot);

/* The probe under way was answered, by whomever. */
void chirr_membership_answer(struct chirr_membership *membership);

/* `update` waits to be published. */
void chirr_membership_push(struct chirr_membership *membership,
                           const struct chirr_member_update *update, chirr_agent_id from,
                           chirr_time_us now);
/* What this agent says of itself. */
struct chirr_member_update chirr_membership_own(const struct chirr_membership *membership);

/* A message that carries a probe, with news on its back. */
struct membership_send {
    chirr_agent_id to;
    enum chirr_message_kind kind;
    uint32_t sequence;
    chirr_agent_id target;
    bool inquires; /* its news begin with the suspects */
};
void chirr_membership_send(struct chirr_membership *membership, const struct membership_send *send);
/* A PING under the next sequence number. */
void chirr_membership_ping(struct chirr_membership *membership, chirr_agent_id to);
/* The same, to ask what is known of the suspects. */
void chirr_membership_inquire(struct chirr_membership *membership, chirr_agent_id of);
/* What waits is published now. */
void chirr_membership_publish(struct chirr_membership *membership);

#endif
