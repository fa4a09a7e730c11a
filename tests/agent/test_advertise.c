/* Where an agent is reached need not be where it listens: by a mapped port, a tunnel, or not at
 * all. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "agent/process.h"
#include "tests/agent/forwarder.h"
#include "tests/agent/loopback_agents.h"

static void setup(void)
{
    static const char *const names[] = {"host", "guest", "friend"};
    loopback_setup();
    make_keyring(names, 3);
}

TestSuite(advertise, .init = setup, .fini = loopback_teardown, .timeout = 180);

enum { HOST, GUEST, FRIEND, AGENTS };
#define NOWHERE "tcp://127.0.0.1:1"
/* Four heartbeats of half a second: then silent connections are made anew. */
#define HEARTBEAT_MS 500
#define STAYS_US (10 * CHIRR_US_PER_S)

static struct chirr_agent *agents[AGENTS];

static struct chirr_agent_config config_among(const char *name)
{
    struct chirr_agent_config config = config_of_member(name);
    config.node.heartbeat_interval_ms = HEARTBEAT_MS;
    config.transport.silence_ms = HEARTBEAT_MS;
    return config;
}

static void know(struct chirr_agent_config *config, const struct chirr_agent *seed)
{
    config->node.seeds[config->node.seed_count++] = *card_of(seed, seed);
}

static void meet(void)
{
    chirr_time_us until = chirr_clock_now() + PATIENCE_US;
    while (!everybody_sees(agents, AGENTS)) {
        turn_all(agents, AGENTS);
        cr_assert_lt(chirr_clock_now(), until, "they did not meet in time");
    }
}

/* A task that `submitter` was given is done. */
static void works(int submitter)
{
    chirr_task_id id;
    struct chirr_task_spec spec = SPEC(1, "true");
    struct chirr_agent *first = agents[0];
    agents[0] = agents[submitter];
    agents[submitter] = first;
    cr_assert_eq(chirr_agent_submit(agents[0], &spec, &id), CHIRR_OK);
    turn_until_done(agents, AGENTS, id);
    agents[submitter] = agents[0];
    agents[0] = first;
}

static void end_all(void)
{
    for (int i = 0; i < AGENTS; i++) {
        chirr_agent_destroy(agents[i]);
    }
}

/* Fails if the card says where the host listens, or if that is where it is looked for. */
Test(advertise, an_agent_is_reached_where_it_says_it_is_and_not_where_it_listens)
{
    char publish[CHIRR_ENDPOINT_BYTES_MAX];
    char unicast[CHIRR_ENDPOINT_BYTES_MAX];
    struct chirr_agent_config host = config_among("host");
    struct forwarder *published = forwarder_create(host.publish_advertise);
    struct forwarder *sent = forwarder_create(host.unicast_advertise);
    agents[HOST] = open_agent(&host);
    chirr_transport_endpoints(agents[HOST]->transport, publish, unicast);
    cr_assert_str_neq(publish, host.publish_advertise);
    forwarder_aim(published, publish);
    forwarder_aim(sent, unicast);
    struct chirr_agent_config guest = config_among("guest");
    know(&guest, agents[HOST]); /* by its card alone */
    agents[GUEST] = open_agent(&guest);
    struct chirr_agent_config friend = config_among("friend");
    know(&friend, agents[GUEST]); /* hears of the host by the guest */
    agents[FRIEND] = open_agent(&friend);
    meet();
    cr_assert_str_eq(card_of(agents[FRIEND], agents[HOST])->unicast_endpoint,
                     host.unicast_advertise);
    for (int i = GUEST; i < AGENTS; i++) {
        works(i);
    }
    cr_assert_geq(forwarder_count(published), 2); /* both listen to it */
    cr_assert_geq(forwarder_count(sent), 1);      /* it may have spoken first to the other */
    end_all();
    forwarder_destroy(published);
    forwarder_destroy(sent);
}

/* Nobody can connect to the host; what it connected to itself stays, since it is answered over its
 * own connections, and what it states is fetched over them. The others lose nothing. */
Test(advertise, who_says_it_is_where_nobody_is_stays_in_touch_with_whom_it_connects_to)
{
    struct chirr_agent_config guest = config_among("guest");
    agents[GUEST] = open_agent(&guest);
    struct chirr_agent_config friend = config_among("friend");
    know(&friend, agents[GUEST]);
    agents[FRIEND] = open_agent(&friend);
    struct chirr_agent_config host = config_among("host");
    snprintf(host.publish_advertise, sizeof host.publish_advertise, NOWHERE);
    snprintf(host.unicast_advertise, sizeof host.unicast_advertise, NOWHERE);
    know(&host, agents[GUEST]);
    agents[HOST] = open_agent(&host);
    meet();
    chirr_time_us until = chirr_clock_now() + STAYS_US;
    while (chirr_clock_now() < until) {
        turn_all(agents, AGENTS);
        cr_assert(everybody_sees(agents, AGENTS), "somebody was lost");
    }
    for (int i = 0; i < AGENTS; i++) {
        works(i);
    }
    end_all();
}
