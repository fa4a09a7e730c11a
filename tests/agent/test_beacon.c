#include "agent/beacon.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/clock.h"
#include "agent/process.h"
#include "tests/agent/beacon_sample.h"
#include "tests/support/directory.h"
#include "tests/support/generate.h"

/* Whole agents, and an attacker's socket, on a multicast group of the loopback interface, whose
 * port is each test's own. */

#define PATIENCE_US (30 * CHIRR_US_PER_S)
#define GROUP "239.255.77.77"
#define SEED 20261122

static char directory[DIRECTORY_PATH_BYTES_MAX];
static struct chirr_random stream;

static void setup(void)
{
    directory_create(directory);
    chirr_random_init(&stream, SEED, 0);
}

static void teardown(void)
{
    directory_remove(directory);
}

TestSuite(beacon, .init = setup, .fini = teardown, .timeout = 120);

/* ---- Agents --------------------------------------------------------------------------------- */

static uint16_t port(void)
{
    return (uint16_t)(20000 + getpid() % 30000);
}

/* A socket of somebody who is no agent. */
static int open_sender(void)
{
    const struct in_addr loopback = {.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_assert_geq(fd, 0);
    cr_assert_eq(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &loopback, sizeof loopback), 0);
    return fd;
}

static bool say(int fd, const void *data, size_t bytes)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port())};
    cr_assert_eq(inet_pton(AF_INET, GROUP, &address.sin_addr), 1);
    return sendto(fd, data, bytes, 0, (struct sockaddr *)&address, sizeof address) ==
           (ssize_t)bytes;
}

static void say_beacon(int fd, const struct datagram *datagram)
{
    cr_assert(say(fd, datagram->data, datagram->bytes));
}

/* Some containers have no multicast on their loopback interface. */
static bool has_multicast(void)
{
    struct chirr_identity nobody = generate_identity(&stream);
    struct chirr_error error = {0};
    struct chirr_beacon_config config = chirr_beacon_config_default();
    config.group = (struct chirr_beacon_group){ntohl(inet_addr(GROUP)), port()};
    config.interface = INADDR_LOOPBACK;
    struct chirr_beacon *beacon = chirr_beacon_create(&config, BEACON_SWARM, &nobody, NULL, &error);
    cr_assert_not_null(beacon, "%s", error.text);
    int fd = open_sender();
    struct pollfd heard = {.fd = chirr_beacon_fd(beacon), .events = POLLIN};
    bool has = say(fd, "?", 1) && poll(&heard, 1, 1000) == 1;
    close(fd);
    chirr_beacon_destroy(beacon);
    return has;
}
#define NEEDS_MULTICAST()                                                                          \
    do {                                                                                           \
        if (!has_multicast()) {                                                                    \
            cr_skip_test("no multicast on the loopback interface here");                           \
        }                                                                                          \
    } while (0)

static struct chirr_agent_config config_of(const char *name)
{
    struct chirr_agent_config config = chirr_agent_config_default();
    snprintf(config.name, sizeof config.name, "%s", name);
    snprintf(config.swarm, sizeof config.swarm, BEACON_SWARM);
    snprintf(config.state_dir, sizeof config.state_dir, "%s/%s", directory, name);
    snprintf(config.runtime_dir, sizeof config.runtime_dir, "%s/run", directory);
    snprintf(config.keyring, sizeof config.keyring, "%s/keyring", directory);
    config.model = false;
    config.beacon.group = (struct chirr_beacon_group){ntohl(inet_addr(GROUP)), port()};
    config.beacon.interface = INADDR_LOOPBACK;
    config.beacon.interval_ms = 1000;
    config.node.membership.suspect_timeout_ms = 500; /* the dead are soon found to be */
    config.node.membership.suspect_factor = 2;
    return config;
}

/* In the keyring of all that are opened afterwards. */
static void trust(const struct chirr_identity *identity)
{
    char text[CHIRR_KEY_TEXT_BYTES];
    FILE *file = fopen(directory_file(directory, "keyring"), "a");
    cr_assert_not_null(file);
    chirr_key_format(identity->public_key, text);
    fprintf(file, "%s\n", text);
    fclose(file);
}

/* The identity that an agent of that name will have. */
static struct chirr_identity prepare(const char *name)
{
    char path[512];
    struct chirr_identity identity;
    struct chirr_error error;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    cr_assert_eq(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/%s/identity", directory, name);
    cr_assert_eq(chirr_identity_create_file(path, &identity, &error), CHIRR_OK, "%s", error.text);
    return identity;
}

static struct chirr_agent *open_agent(const struct chirr_agent_config *config)
{
    struct chirr_error error = {0};
    struct chirr_agent *agent = chirr_agent_create(config, NULL, &error);
    cr_assert_not_null(agent, "%s", error.text);
    return agent;
}

static void turn(struct chirr_agent *agent)
{
    struct chirr_error error;
    cr_assert_eq(chirr_agent_turn(agent, 5, &error), CHIRR_OK, "%s", error.text);
}

#define WAIT(agents, count, condition)                                                             \
    do {                                                                                           \
        chirr_time_us until = chirr_clock_now() + PATIENCE_US;                                     \
        while (!(condition)) {                                                                     \
            cr_assert_lt(chirr_clock_now(), until, "waited in vain for " #condition);              \
            for (int turned = 0; turned < (count); turned++) {                                     \
                turn((agents)[turned]);                                                            \
            }                                                                                      \
        }                                                                                          \
    } while (0)

static const struct chirr_beacon_counters *counted(const struct chirr_agent *agent)
{
    return chirr_beacon_count(agent->beacon);
}

static const struct chirr_member *member_of(const struct chirr_agent *agent, chirr_agent_id id)
{
    return chirr_membership_find(chirr_node_membership(chirr_agent_node(agent)), id);
}

static bool have_met(struct chirr_agent **agents)
{
    for (int i = 0; i < 2; i++) {
        const struct chirr_node *node = chirr_agent_node(agents[i]);
        chirr_agent_id other = chirr_agent_identity(agents[1 - i]);
        if (!chirr_overlay_is_neighbour(chirr_node_overlay(node), other) ||
            chirr_node_heartbeat(node, other) == NULL) {
            return false;
        }
    }
    return true;
}

static void open_two(struct chirr_agent **agents)
{
    const char *const names[2] = {"ant", "bee"};
    for (int i = 0; i < 2; i++) {
        struct chirr_identity identity = prepare(names[i]);
        trust(&identity);
    }
    for (int i = 0; i < 2; i++) {
        struct chirr_agent_config config = config_of(names[i]);
        agents[i] = open_agent(&config);
    }
}

Test(beacon, two_agents_without_seeds_find_each_other)
{
    NEEDS_MULTICAST();
    struct chirr_agent *agents[2];
    open_two(agents);
    WAIT(agents, 2, have_met(agents));
    cr_assert_gt(counted(agents[0])->met + counted(agents[1])->met, 0);
    /* From then on nothing is verified any more. */
    uint64_t met = counted(agents[0])->met;
    uint64_t known = counted(agents[0])->known;
    WAIT(agents, 2, counted(agents[0])->known >= known + 2);
    cr_assert_eq(counted(agents[0])->met, met);
    chirr_agent_destroy(agents[0]);
    chirr_agent_destroy(agents[1]);
}

Test(beacon, agents_that_do_not_trust_each_other_do_not_meet)
{
    NEEDS_MULTICAST();
    struct chirr_agent *agents[2];
    const char *const names[2] = {"ant", "bee"};
    for (int i = 0; i < 2; i++) {
        struct chirr_agent_config config = config_of(names[i]);
        config.keyring[0] = '\0';
        agents[i] = open_agent(&config);
    }
    WAIT(agents, 2, counted(agents[0])->untrusted >= 2 && counted(agents[1])->untrusted >= 2);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(counted(agents[i])->met, 0);
        cr_assert_null(member_of(agents[i], chirr_agent_identity(agents[1 - i])));
    }
    chirr_agent_destroy(agents[0]);
    chirr_agent_destroy(agents[1]);
}

/* What an agent that left had said brings it back for nobody. */
Test(beacon, a_replay_brings_nobody_back_who_took_leave)
{
    NEEDS_MULTICAST();
    struct chirr_agent *agents[2];
    struct chirr_error error;
    open_two(agents);
    WAIT(agents, 2, have_met(agents));
    chirr_agent_id gone = chirr_agent_identity(agents[1]);
    const struct chirr_record *held =
        chirr_records_card(chirr_node_records(chirr_agent_node(agents[0])), gone);
    struct datagram said = beacon_of(held);
    chirr_agent_stop(agents[1]);
    while (chirr_agent_turn(agents[1], 5, &error) == CHIRR_OK) {
        turn(agents[0]);
    }
    chirr_agent_destroy(agents[1]);
    WAIT(agents, 1, member_of(agents[0], gone)->status == CHIRR_MEMBER_LEFT);
    int fd = open_sender();
    uint64_t before = counted(agents[0])->stale;
    say_beacon(fd, &said);
    WAIT(agents, 1, counted(agents[0])->stale > before);
    cr_assert_eq(member_of(agents[0], gone)->status, CHIRR_MEMBER_LEFT);
    close(fd);
    chirr_agent_destroy(agents[0]);
}

/* It comes back on other ports, and nobody has told either of a seed. */
Test(beacon, who_died_is_met_again_where_it_is_now)
{
    NEEDS_MULTICAST();
    struct chirr_agent *agents[2];
    open_two(agents);
    WAIT(agents, 2, have_met(agents));
    chirr_agent_id dead = chirr_agent_identity(agents[1]);
    const struct chirr_record *held =
        chirr_records_card(chirr_node_records(chirr_agent_node(agents[0])), dead);
    struct datagram said = beacon_of(held);
    uint64_t life = held->stamp.incarnation;
    chirr_agent_destroy(agents[1]); /* without a farewell */
    WAIT(agents, 1, member_of(agents[0], dead)->status == CHIRR_MEMBER_DEAD);

    /* What it said before is worth a try, and no sign of life. */
    int fd = open_sender();
    uint64_t before = counted(agents[0])->met;
    say_beacon(fd, &said);
    WAIT(agents, 1, counted(agents[0])->met > before);
    cr_assert_eq(member_of(agents[0], dead)->status, CHIRR_MEMBER_DEAD);
    close(fd);

    struct chirr_agent_config config = config_of("bee");
    agents[1] = open_agent(&config);
    WAIT(agents, 2,
         have_met(agents) && member_of(agents[0], dead)->status == CHIRR_MEMBER_ALIVE &&
             member_of(agents[0], dead)->incarnation > life);
    chirr_agent_destroy(agents[0]);
    chirr_agent_destroy(agents[1]);
}

/* ---- An attacker, and one agent ---------------------------------------------------------------
 */

static struct chirr_agent *agent;
static struct chirr_identity friend; /* trusted by it; runs nowhere */
static int sender;

static void face_attacker(void)
{
    friend = generate_identity(&stream);
    trust(&friend);
    struct chirr_agent_config config = config_of("ant");
    config.beacon.interval_ms = 3600000; /* once, at the start */
    agent = open_agent(&config);
    sender = open_sender();
    WAIT(&agent, 1, counted(agent)->own == 1);
}

static void part(void)
{
    close(sender);
    chirr_agent_destroy(agent);
}

static void say_card(const struct chirr_record *card)
{
    struct datagram datagram = beacon_of(card);
    say_beacon(sender, &datagram);
}

static uint64_t count_of(const struct chirr_reasons *reasons, const char *name)
{
    uint32_t i = 0;
    while (i < reasons->count && strcmp(reasons->list[i].name, name) != 0) {
        i++;
    }
    cr_assert_lt(i, reasons->count, "no %s is counted", name);
    return reasons->list[i].count;
}

static uint64_t drop_of(const char *reason)
{
    struct chirr_process_counts counts;
    struct chirr_reasons drops = {0};
    chirr_process_count(agent, &counts);
    chirr_process_drops(&counts, &drops);
    return count_of(&drops, reason);
}

static uint64_t repeated_beacons(void)
{
    struct chirr_process_counts counts;
    struct chirr_reasons repeats = {0};
    chirr_process_count(agent, &counts);
    chirr_process_repeats(&counts, &repeats);
    return count_of(&repeats, "beacons");
}

Test(beacon, what_is_no_beacon_is_counted_as_that)
{
    NEEDS_MULTICAST();
    face_attacker();
    struct chirr_record card = beacon_card(&friend, 1);
    struct datagram datagram = beacon_of(&card);
    cr_assert(say(sender, "", 0));
    cr_assert(say(sender, "noise", 5));
    cr_assert(say(sender, datagram.data, datagram.bytes - 1));
    cr_assert(say(sender, datagram.data, sizeof datagram.data));
    datagram.data[4]++; /* another version */
    say_beacon(sender, &datagram);
    datagram.data[4]--;
    datagram.data[8]++; /* another swarm */
    say_beacon(sender, &datagram);
    WAIT(&agent, 1, drop_of("beacon_other_swarm") == 1);
    cr_assert_eq(drop_of("beacon_malformed"), 5);
    cr_assert_eq(counted(agent)->met, 0);
    part();
}

Test(beacon, forged_and_foreign_ones_are_refused_and_counted)
{
    NEEDS_MULTICAST();
    face_attacker();
    struct chirr_identity stranger = generate_identity(&stream);
    struct chirr_record card = beacon_card(&stranger, 1);
    say_card(&card);
    WAIT(&agent, 1, drop_of("beacon_untrusted") == 1);

    card = beacon_card(&friend, 1);
    card.signature[0] ^= 1;
    say_card(&card);
    card = beacon_card(&friend, 1);
    memset(card.card.unicast_endpoint, 0, sizeof card.card.unicast_endpoint);
    strcpy(card.card.unicast_endpoint, "tcp://10.6.6.6:6");
    say_card(&card);
    WAIT(&agent, 1, drop_of("beacon_signature") == 2);

    struct chirr_record own =
        *chirr_records_card(chirr_node_records(agent->node), chirr_agent_identity(agent));
    cr_assert_eq(chirr_node_meet(agent->node, &own, chirr_clock_now()), CHIRR_ERR_INVALID);
    say_card(&own);
    WAIT(&agent, 1, counted(agent)->own == 2);
    cr_assert_eq(repeated_beacons(), 2);
    cr_assert_eq(drop_of("beacon_untrusted") + drop_of("beacon_signature"), 3);

    cr_assert_eq(counted(agent)->met, 0);
    cr_assert_eq(chirr_membership_count(chirr_node_membership(agent->node)), 0);
    part();
}

Test(beacon, a_replayed_card_changes_nothing)
{
    NEEDS_MULTICAST();
    face_attacker();
    struct chirr_record old = beacon_card(&friend, 1);
    struct chirr_record newer = beacon_card(&friend, 2);
    say_card(&newer);
    WAIT(&agent, 1, counted(agent)->met == 1);
    cr_assert_eq(member_of(agent, friend.id)->incarnation, 2);
    say_card(&old);
    WAIT(&agent, 1, drop_of("beacon_stale") == 1);
    say_card(&newer);
    WAIT(&agent, 1, counted(agent)->known == 1);
    const struct chirr_record *held =
        chirr_records_card(chirr_node_records(agent->node), friend.id);
    cr_assert_eq(held->stamp.incarnation, 2);
    cr_assert_eq(counted(agent)->met, 1);
    part();
}

Test(beacon, a_flood_costs_a_bounded_number_of_signatures)
{
    NEEDS_MULTICAST();
    face_attacker();
    const int batches = 8, batch = 50;
    struct chirr_record card = beacon_card(&friend, 1);
    card.signature[0] ^= 1;
    chirr_time_us began = chirr_clock_now();
    for (int i = 0; i < batches; i++) {
        for (int k = 0; k < batch; k++) {
            say_card(&card);
        }
        WAIT(&agent, 1,
             counted(agent)->signature + counted(agent)->too_many == (uint64_t)(i + 1) * batch);
    }
    uint64_t seconds = (uint64_t)((chirr_clock_now() - began) / CHIRR_US_PER_S) + 1;
    cr_assert_leq(counted(agent)->signature, 32 + 4 * seconds);
    cr_assert_geq(counted(agent)->signature, 32);
    cr_assert_gt(drop_of("beacon_too_many"), 0);
    part();
}

Test(beacon, there_is_none_unless_it_is_asked_for)
{
    struct chirr_agent_config config = config_of("ant");
    config.keyring[0] = '\0';
    config.beacon = chirr_agent_config_default().beacon;
    agent = open_agent(&config);
    cr_assert_null(agent->beacon);
    cr_assert_eq(drop_of("beacon_malformed"), 0);
    chirr_agent_destroy(agent);
}

/* The address is nobody's: as when the network is away. */
Test(beacon, without_a_network_it_counts_and_lives_on)
{
    struct chirr_agent_config config = config_of("ant");
    config.keyring[0] = '\0';
    config.beacon.interface = ntohl(inet_addr("192.0.2.77"));
    agent = open_agent(&config);
    WAIT(&agent, 1, drop_of("beacon_unsent") >= 2);
    cr_assert_eq(counted(agent)->sent, 0);
    chirr_agent_destroy(agent);
}
